// Gather and scatter against the definition, one element at a time, over
// random dimension numbers.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include "runtime/allocator.h"
#include "runtime_kernels_test.h"

namespace cotan {
namespace {

bool has(const Dims& dims, int64_t d) {
  return std::find(dims.begin(), dims.end(), d) != dims.end();
}
int64_t flat(const Dims& shape, const Dims& at) {
  int64_t i = 0;
  for (size_t d = 0; d < shape.size(); ++d) i = i * shape[d] + at[d];
  return i;
}
// The coordinates of element i.
Dims unflat(const Dims& shape, int64_t i) {
  Dims at(shape.size());
  for (size_t d = shape.size(); d-- > 0; i /= shape[d]) at[d] = i % shape[d];
  return at;
}

// A gather or scatter, written with the names of gather.
struct Case {
  Dims operand, indices, window;  // window: one size per operand axis
  Dims offset_dims, collapsed, index_map, operand_batching, indices_batching;
  Dims other;  // shape of the result, or of the updates

  // Splits coordinates of `other` into batch coordinates and offsets in the
  // operand, one per operand axis.
  void split(const Dims& at, Dims* batch, Dims* offset) const {
    Dims in_window;
    for (size_t d = 0; d < at.size(); ++d)
      (has(offset_dims, int64_t(d)) ? in_window : *batch).push_back(at[d]);
    size_t w = 0;
    for (size_t d = 0; d < operand.size(); ++d) {
      bool single =
          has(collapsed, int64_t(d)) || has(operand_batching, int64_t(d));
      offset->push_back(single ? 0 : in_window[w++]);
    }
  }
  // Where the window of a batch position starts. False if it does not fit.
  bool start(const std::vector<int64_t>& index, const Dims& batch, bool clip,
             Dims* at) const {
    *at = Dims(operand.size(), 0);
    bool fits = true;
    for (size_t c = 0; c < index_map.size(); ++c) {
      Dims position = batch;
      position.push_back(int64_t(c));
      int64_t i = index[size_t(flat(indices, position))];
      int64_t limit =
          operand[size_t(index_map[c])] - window[size_t(index_map[c])];
      int64_t clipped = std::clamp<int64_t>(i, 0, limit);
      fits &= i == clipped;
      (*at)[size_t(index_map[c])] = clipped;
    }
    for (size_t i = 0; i < operand_batching.size(); ++i)
      (*at)[size_t(operand_batching[i])] = batch[size_t(indices_batching[i])];
    return fits || clip;
  }
};

void shuffle(Dims& d, Random& random) {
  for (size_t i = d.size(); i > 1; --i)
    std::swap(d[i - 1], d[size_t(random.below(int64_t(i)))]);
}

Case random_case(Random& random) {
  Case c;
  size_t rank = size_t(1 + random.below(4));
  for (size_t d = 0; d < rank; ++d) c.operand.push_back(1 + random.below(7));
  // Batch axes of the indices; some go with operand axes.
  size_t batch_rank = size_t(random.below(4));
  for (size_t d = 0; d < batch_rank; ++d)
    c.indices.push_back(1 + random.below(5));
  Dims axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  shuffle(axes, random);
  Dims batch_axes(batch_rank);
  std::iota(batch_axes.begin(), batch_axes.end(), 0);
  shuffle(batch_axes, random);
  size_t batching =
      size_t(random.below(int64_t(std::min(rank, batch_rank)) + 1));
  if (random.below(2)) batching = 0;
  for (size_t i = 0; i < batching; ++i) {
    c.operand_batching.push_back(axes[i]);
    c.indices_batching.push_back(batch_axes[i]);
    c.operand[size_t(axes[i])] = c.indices[size_t(batch_axes[i])];
  }
  size_t depth = size_t(random.below(int64_t(rank - batching) + 1));
  for (size_t i = 0; i < depth; ++i) c.index_map.push_back(axes[batching + i]);
  c.indices.push_back(int64_t(depth));
  for (size_t d = 0; d < rank; ++d) {
    bool indexed = has(c.index_map, int64_t(d));
    bool batched = has(c.operand_batching, int64_t(d));
    int64_t size = random.below(3) == 0 || !indexed
                       ? c.operand[d]
                       : 1 + random.below(c.operand[d]);
    if (batched) size = 1;
    if (indexed && random.below(2)) {
      size = 1;
      c.collapsed.push_back(int64_t(d));
    }
    c.window.push_back(size);
  }
  size_t windows = rank - c.collapsed.size() - batching;
  size_t other_rank = windows + batch_rank;
  Dims places(other_rank);
  std::iota(places.begin(), places.end(), 0);
  if (random.below(2)) shuffle(places, random);
  c.offset_dims = Dims(places.end() - windows, places.end());
  std::sort(c.offset_dims.begin(), c.offset_dims.end());
  size_t w = 0, b = 0;
  for (size_t d = 0; d < other_rank; ++d) {
    if (!has(c.offset_dims, int64_t(d))) {
      c.other.push_back(c.indices[b++]);
      continue;
    }
    while (has(c.collapsed, int64_t(w)) || has(c.operand_batching, int64_t(w)))
      ++w;
    c.other.push_back(c.window[w++]);
  }
  return c;
}

std::vector<int64_t> random_indices(const Case& c, DType t, Random& random) {
  std::vector<int64_t> index(size_t(num_elements(c.indices)));
  for (int64_t& i : index)
    i = is_signed_int(t) ? random.below(14) - 4 : random.below(10);
  return index;
}
std::vector<char> as_dtype(const std::vector<int64_t>& index, DType t) {
  std::vector<char> out(index.size() * size_t(itemsize(t)));
  visit_dtype(t, [&]<class I>() {
    if constexpr (std::is_integral_v<I>)
      for (size_t i = 0; i < index.size(); ++i)
        reinterpret_cast<I*>(out.data())[i] = I(index[i]);
  });
  return out;
}

constexpr DType kIndexTypes[] = {DType::i32, DType::i64, DType::u8,
                                 DType::u32, DType::u64, DType::i8};
constexpr DType kElementTypes[] = {DType::f32,   DType::u8,  DType::f16,
                                   DType::f64,   DType::key, DType::c128,
                                   DType::bool_, DType::i32};

void check_gather(Random& random) {
  Case c = random_case(random);
  DType it = kIndexTypes[random.below(6)], et = kElementTypes[random.below(8)];
  IndexMode mode = IndexMode(random.below(3));
  size_t size = size_t(itemsize(et));
  std::vector<int64_t> index = random_indices(c, it, random);
  std::vector<char> raw = as_dtype(index, it);
  std::vector<char> x(size_t(num_elements(c.operand)) * size);
  for (char& v : x) v = char(random());
  std::vector<char> got(size_t(num_elements(c.other)) * size, 1), want = got;
  int64_t fill[2] = {0x1122334455667788, 0x99};
  for (int64_t i = 0; i < num_elements(c.other); ++i) {
    Dims batch, offset, at;
    c.split(unflat(c.other, i), &batch, &offset);
    bool fits = c.start(index, batch, mode != IndexMode::fill_or_drop, &at);
    for (size_t d = 0; d < at.size(); ++d) at[d] += offset[d];
    const void* from =
        fits ? static_cast<const void*>(&x[size_t(flat(c.operand, at)) * size])
             : fill;
    std::memcpy(&want[size_t(i) * size], from, size);
  }
  GatherAttrs a;
  a.dtype = et, a.index_dtype = it, a.mode = mode;
  a.fill_lo = fill[0], a.fill_hi = fill[1];
  a.operand_shape = c.operand, a.indices_shape = c.indices;
  a.slice_sizes = c.window, a.offset_dims = c.offset_dims;
  a.collapsed_slice_dims = c.collapsed, a.start_index_map = c.index_map;
  a.operand_batching_dims = c.operand_batching;
  a.start_indices_batching_dims = c.indices_batching;
  CHECK_EQ(call_kernel("gather", a, {x.data(), raw.data()}, {got.data()}), kOk);
  CHECK(got == want);
}

// Integers, so that every combiner is exact.
template <class T>
T combined(Combine op, T a, T b) {
  using U = std::make_unsigned_t<T>;
  switch (op) {
    case Combine::set:
      return b;
    case Combine::add:
      return T(U(a) + U(b));
    case Combine::sub:
      return T(U(a) - U(b));
    case Combine::mul:
      return T(U(a) * U(b));
    case Combine::max:
      return std::max(a, b);
    default:
      return std::min(a, b);
  }
}

void check_scatter(Random& random) {
  Case c = random_case(random);
  DType it = kIndexTypes[random.below(6)];
  IndexMode mode = IndexMode(random.below(3));
  std::vector<int64_t> index = random_indices(c, it, random);
  std::vector<char> raw = as_dtype(index, it);
  std::vector<int32_t> x(size_t(num_elements(c.operand)));
  std::vector<int32_t> u(size_t(num_elements(c.other)));
  for (int32_t& v : x) v = int32_t(random.below(1000));
  for (int32_t& v : u) v = int32_t(random.below(1000));
  ScatterAttrs a;
  a.combine = Combine(random.below(6));
  a.dtype = DType::i32, a.index_dtype = it, a.mode = mode;
  a.operand_shape = c.operand, a.indices_shape = c.indices;
  a.updates_shape = c.other, a.update_window_dims = c.offset_dims;
  a.inserted_window_dims = c.collapsed;
  a.scatter_dims_to_operand_dims = c.index_map;
  a.operand_batching_dims = c.operand_batching;
  a.scatter_indices_batching_dims = c.indices_batching;
  std::vector<int32_t> want = x, got(x.size());
  // In the order of the batch positions, then within the window.
  Dims batch_shape(c.indices.begin(), c.indices.end() - 1);
  for (int64_t p = 0; p < num_elements(batch_shape); ++p)
    for (int64_t i = 0; i < int64_t(u.size()); ++i) {
      Dims batch, offset, at;
      c.split(unflat(c.other, i), &batch, &offset);
      if (flat(batch_shape, batch) != p) continue;
      if (!c.start(index, batch, mode != IndexMode::fill_or_drop, &at))
        continue;
      for (size_t d = 0; d < at.size(); ++d) at[d] += offset[d];
      int32_t& to = want[size_t(flat(c.operand, at))];
      to = combined(a.combine, to, u[size_t(i)]);
    }
  CHECK_EQ(
      call_kernel("scatter", a, {x.data(), raw.data(), u.data()}, {got.data()}),
      kOk);
  CHECK(got == want);
  CHECK_EQ(
      call_kernel("scatter", a, {x.data(), raw.data(), u.data()}, {x.data()}),
      kOk);
  CHECK(x == want);
}

GatherAttrs take_rows(DType t, int64_t rows, int64_t width, int64_t count) {
  GatherAttrs a;
  a.dtype = t;
  a.operand_shape = {rows, width}, a.indices_shape = {count, 1};
  a.slice_sizes = {1, width}, a.offset_dims = {1};
  a.collapsed_slice_dims = {0}, a.start_index_map = {0};
  return a;
}
ScatterAttrs add_rows(DType t, int64_t rows, int64_t width, int64_t count) {
  ScatterAttrs a;
  a.dtype = t;
  a.operand_shape = {rows, width}, a.indices_shape = {count, 1};
  a.updates_shape = {count, width}, a.update_window_dims = {1};
  a.inserted_window_dims = {0}, a.scatter_dims_to_operand_dims = {0};
  return a;
}

}  // namespace

TEST(gather_random_dimension_numbers) {
  Random random;
  for (int i = 0; i < 3000; ++i) check_gather(random);
}

TEST(scatter_random_dimension_numbers) {
  Random random;
  for (int i = 0; i < 3000; ++i) check_scatter(random);
}

TEST(gather_rows_on_the_pool) {
  // 48 MB and more are written around the caches.
  constexpr int64_t kRows = 1000, kCount = 210000;
  for (int64_t width : {1, 3, 16, 64}) {
    std::vector<float> x(size_t(kRows * width));
    std::iota(x.begin(), x.end(), 0.f);
    std::vector<int32_t> index(kCount);
    Random random;
    for (int32_t& i : index) i = int32_t(random.below(kRows + 20)) - 10;
    float* got =
        static_cast<float*>(allocate_bytes(size_t(kCount * width * 4)));
    for (int threads : {1, 3}) {
      ThreadPool::global().set_threads(threads);
      GatherAttrs a = take_rows(DType::f32, kRows, width, kCount);
      CHECK_EQ(call_kernel("gather", a, {x.data(), index.data()}, {got}), kOk);
      bool same = true;
      for (size_t i = 0; i < size_t(kCount); ++i) {
        int64_t row = std::clamp<int64_t>(index[i], 0, kRows - 1);
        for (int64_t j = 0; j < width; ++j)
          same &= got[int64_t(i) * width + j] == float(row * width + j);
      }
      CHECK(same);
    }
    free_bytes(got, size_t(kCount * width * 4));
  }
  ThreadPool::global().set_threads(0);
}

TEST(gather_columns_writes_in_order) {
  // x[:, index]: the window axis comes before the batch axis.
  constexpr int64_t kRows = 300, kColumns = 500, kCount = 2000;
  std::vector<int32_t> x(kRows * kColumns), got(kRows * kCount);
  std::iota(x.begin(), x.end(), 0);
  std::vector<int64_t> index(kCount);
  Random random;
  for (int64_t& i : index) i = random.below(kColumns);
  GatherAttrs a;
  a.dtype = DType::i32, a.index_dtype = DType::i64;
  a.operand_shape = {kRows, kColumns}, a.indices_shape = {kCount, 1};
  a.slice_sizes = {kRows, 1}, a.offset_dims = {0};
  a.collapsed_slice_dims = {1}, a.start_index_map = {1};
  for (int threads : {1, 3}) {
    ThreadPool::global().set_threads(threads);
    CHECK_EQ(call_kernel("gather", a, {x.data(), index.data()}, {got.data()}),
             kOk);
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t k = 0; k < kCount; ++k)
        CHECK_EQ(got[size_t(r * kCount + k)],
                 int32_t(r * kColumns + index[size_t(k)]));
  }
  ThreadPool::global().set_threads(0);
}

TEST(scatter_add_same_bits_on_any_threads) {
  constexpr int64_t kRows = 500, kCount = 40000;
  for (int64_t width : {1, 64, 100}) {
    std::vector<float> zero(size_t(kRows * width)), one(zero.size()),
        many(zero.size()), updates(size_t(kCount * width));
    std::vector<int32_t> index(kCount);
    Random random;
    for (float& u : updates) u = random.uniform();
    for (int32_t& i : index) i = int32_t(random.below(kRows));
    ScatterAttrs a = add_rows(DType::f32, kRows, width, kCount);
    ThreadPool::global().set_threads(1);
    call_kernel("scatter", a, {zero.data(), index.data(), updates.data()},
                {one.data()});
    std::vector<float> want = zero;
    for (size_t i = 0; i < size_t(kCount); ++i)
      for (size_t j = 0; j < size_t(width); ++j)
        want[size_t(index[i]) * size_t(width) + j] +=
            updates[i * size_t(width) + j];
    CHECK(one == want);
    ThreadPool::global().set_threads(4);
    call_kernel("scatter", a, {zero.data(), index.data(), updates.data()},
                {many.data()});
    CHECK(many == want);
  }
  ThreadPool::global().set_threads(0);
}

TEST(scatter_every_dtype) {
  for (DType t :
       {DType::bool_, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8,
        DType::u16, DType::u32, DType::u64, DType::f16, DType::bf16, DType::f32,
        DType::f64, DType::c64, DType::c128, DType::key})
    for (int op = 0; op < 6; ++op) {
      ScatterAttrs a = add_rows(t, 4, 3, 2);
      a.combine = Combine(op);
      size_t size = size_t(itemsize(t));
      std::vector<char> x(12 * size), u(6 * size), got(12 * size);
      auto set = [&](std::vector<char>& v, size_t i, int value) {
        visit_dtype(t, [&]<class T>() {
          T e;
          if constexpr (std::is_same_v<T, f16_t>)
            e = to_f16(float(value));
          else if constexpr (std::is_same_v<T, bf16_t>)
            e = to_bf16(float(value));
          else
            e = T(value);
          reinterpret_cast<T*>(v.data())[i] = e;
        });
      };
      int is_bool = t == DType::bool_;
      for (size_t i = 0; i < 12; ++i) set(x, i, is_bool ? 1 : 6);
      for (size_t i = 0; i < 6; ++i) set(u, i, is_bool ? 0 : 2);
      int32_t index[2] = {1, 9};
      int status =
          call_kernel("scatter", a, {x.data(), index, u.data()}, {got.data()});
      if (t == DType::key && op != 0) {
        CHECK_EQ(status, kFailed);
        continue;
      }
      CHECK_EQ(status, kOk);
      int numbers[6] = {2, 8, 12, 2, 6, 4}, bits[6] = {0, 1, 0, 0, 1, 1};
      std::vector<char> want = x;
      for (size_t i = 3; i < 6; ++i)
        set(want, i, is_bool ? bits[op] : numbers[op]);
      CHECK(got == want);
    }
}

TEST(scatter_extrema_propagate_nan) {
  float nan = std::nanf(""), x[2] = {1, nan}, u[2] = {nan, 5}, got[2];
  int32_t index[2] = {0, 1};
  for (Combine op : {Combine::max, Combine::min}) {
    ScatterAttrs a = add_rows(DType::f32, 2, 1, 2);
    a.combine = op;
    call_kernel("scatter", a, {x, index, u}, {got});
    CHECK(got[0] != got[0] && got[1] != got[1]);
  }
}

TEST(gather_windows_that_cannot_fit) {
  float x[2] = {1, 2}, got[3] = {};
  int32_t index = 0;
  GatherAttrs a;
  a.operand_shape = {2}, a.indices_shape = {1}, a.slice_sizes = {3};
  a.offset_dims = {0}, a.start_index_map = {0};
  CHECK_EQ(call_kernel("gather", a, {x, &index}, {got}), kFailed);
  a.mode = IndexMode::fill_or_drop;
  a.fill_lo = std::bit_cast<int32_t>(7.f);
  CHECK_EQ(call_kernel("gather", a, {x, &index}, {got}), kOk);
  CHECK(got[0] == 7 && got[2] == 7);
  uint64_t huge = ~uint64_t(0);  // past the end, not -1
  a.slice_sizes = {1}, a.index_dtype = DType::u64, a.mode = IndexMode::clip;
  CHECK_EQ(call_kernel("gather", a, {x, &huge}, {got}), kOk);
  CHECK_EQ(got[0], 2.f);
}

}  // namespace cotan
