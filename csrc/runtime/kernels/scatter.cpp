// The scatter kernel. Windows are applied in the order of their indices on one
// thread, unless threads cannot meet: each takes its own part of every row (if
// indices only choose rows), or its own index along a batching axis, or the
// indices are unique. So sums have one order whatever the number of threads.
#include <algorithm>
#include <atomic>
#include <complex>
#include <concepts>
#include <cstring>

#include "base/error.h"
#include "runtime/kernels/index_windows.h"
#include "runtime/kernels/isa.h"

namespace cotan {
namespace {

constexpr int64_t kBlock = 1024;
constexpr int kAhead = 8;  // windows between a prefetch and its use

template <class T>
inline constexpr bool is_complex_type = std::same_as<T, std::complex<float>> ||
                                        std::same_as<T, std::complex<double>>;

template <Combine kOp, class T>
COTAN_INLINE T combine_real(T a, T b) {
  if constexpr (kOp == Combine::add) return T(a + b);
  if constexpr (kOp == Combine::sub) return T(a - b);
  if constexpr (kOp == Combine::mul) return T(a * b);
  if constexpr (kOp == Combine::max) return (a > b) | (a != a) ? a : b;
  if constexpr (kOp == Combine::min) return (a < b) | (a != a) ? a : b;
}

template <Combine kOp, class T>
COTAN_INLINE T combine_one(T a, T b) {
  if constexpr (is_complex_type<T>) {
    if constexpr (kOp == Combine::add) return a + b;
    if constexpr (kOp == Combine::sub) return a - b;
    if constexpr (kOp == Combine::mul)
      return {a.real() * b.real() - a.imag() * b.imag(),
              a.real() * b.imag() + a.imag() * b.real()};
    bool less =
        a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
    if (a != a || b != b) return a != a ? a : b;
    return less == (kOp == Combine::min) ? a : b;
  } else if constexpr (std::same_as<T, f16_t>) {
    return to_f16(combine_real<kOp>(to_float(a), to_float(b)));
  } else if constexpr (std::same_as<T, bf16_t>) {
    return to_bf16(combine_real<kOp>(to_float(a), to_float(b)));
  } else if constexpr (std::same_as<T, bool>) {
    if constexpr (kOp == Combine::add || kOp == Combine::max) return a | b;
    if constexpr (kOp == Combine::sub) return a != b;
    return a & b;
  } else if constexpr (std::signed_integral<T> && kOp != Combine::max &&
                       kOp != Combine::min) {
    using U = std::make_unsigned_t<T>;  // wraps
    return T(combine_real<kOp>(U(a), U(b)));
  } else {
    return combine_real<kOp>(a, b);
  }
}

template <Combine kOp, class T>
COTAN_MULTIVERSION_AVX2 void combine_run(T* to, const T* from, int64_t n) {
  if constexpr (kOp == Combine::set) {
    std::memcpy(to, from, size_t(n) * sizeof(T));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = combine_one<kOp>(to[i], from[i]);
  }
}

struct Scatter;
// Applies n windows. `places`: where their updates lie; null if batch_stride
// apart.
using ApplyFn = void (*)(const Scatter& s, char* result, const char* updates,
                         const int64_t* starts, const int64_t* places,
                         int64_t n);

struct Scatter {
  ScatterAttrs attrs;
  ApplyFn apply = nullptr;
  double ns_each = 0.3;  // of one element
  int64_t itemsize = 0;
  WindowStarts starts;
  WindowAxes window;         // but the run
  int64_t run = 0;           // elements of a dense run
  int64_t batch_stride = 0;  // bytes between neighbours in the updates
  WindowAxes scattered_batch;
  int64_t operand_bytes = 0;
};

template <Combine kOp, class T>
COTAN_INLINE void combine_at(T* to, const T* from) {
  constexpr bool kExtremum = kOp == Combine::max || kOp == Combine::min;
  if constexpr (kOp == Combine::set) {
    *to = *from;
  } else if constexpr (kExtremum && std::is_arithmetic_v<T> &&
                       !std::same_as<T, bool>) {
    // Most elements change nothing, which a branch predicts.
    T a = *to, b = *from;
    bool better = kOp == Combine::max ? b > a : b < a;
    if (better || (b != b && a == a)) *to = b;
  } else {
    *to = combine_one<kOp>(*to, *from);
  }
}

template <Combine kOp, class T>
void apply_block(const Scatter& s, char* result, const char* updates,
                 const int64_t* starts, const int64_t* places, int64_t n) {
  if (s.window.empty() && s.run == 1) {  // single elements
    for (int64_t i = 0; i < n; ++i) {
      if (starts[i] < 0) continue;
      T* to = reinterpret_cast<T*>(result + starts[i]);
      const T* from = reinterpret_cast<const T*>(
          updates + (places ? places[i] : i * s.batch_stride));
      combine_at<kOp>(to, from);
    }
    return;
  }
  int64_t bytes = std::min<int64_t>(s.run * int64_t(sizeof(T)), 256);
  auto place = [&](int64_t i) {
    return places ? places[i] : i * s.batch_stride;
  };
  for (int64_t i = 0; i < n; ++i) {
    if (i + kAhead < n && starts[i + kAhead] >= 0) {
      for (int64_t l = 0; l < bytes; l += 64) {
        __builtin_prefetch(result + starts[i + kAhead] + l, 1);
        __builtin_prefetch(updates + place(i + kAhead) + l);
      }
    }
    if (starts[i] < 0) continue;
    char* to = result + starts[i];
    const char* from = updates + place(i);
    for_each_offset(s.window, [&](int64_t a, int64_t b) {
      combine_run<kOp, T>(reinterpret_cast<T*>(to + a),
                          reinterpret_cast<const T*>(from + b), s.run);
    });
  }
}

void find_places(const Scatter& s, int64_t first, int64_t n, int64_t* places) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t rest = first + i, at = 0;
    for (size_t d = s.scattered_batch.size(); d-- > 0;) {
      at += rest % s.scattered_batch[d].size * s.scattered_batch[d].other;
      rest /= s.scattered_batch[d].size;
    }
    places[i] = at;
  }
}

// What one chunk applies: windows [begin, end) that start in [lo, hi).
struct Share {
  int64_t begin, end;
  int64_t lo = 0, hi = INT64_MAX;
};

// Keeps the windows that start in the share. Returns how many.
int64_t select_owned(const Share& p, int64_t batch_stride, int64_t n,
                     int64_t* starts, int64_t* places, bool scattered) {
  int64_t kept = 0;
  for (int64_t i = 0; i < n; ++i) {
    bool owned = starts[i] >= p.lo && starts[i] < p.hi;
    int64_t place = scattered ? places[i] : i * batch_stride;
    starts[kept] = starts[i];
    places[kept] = place;
    kept += owned;
  }
  return kept;
}

// A share's windows in order. False if interrupted.
bool apply_share(const KernelCall* call, const Scatter& s, const Share& p) {
  auto* result = static_cast<char*>(call->out[0]);
  auto* updates = static_cast<const char*>(call->in[2]);
  bool scattered = !s.scattered_batch.empty(), all = p.hi == INT64_MAX;
  int64_t starts[kBlock], places[kBlock];
  for (int64_t first = p.begin; first < p.end; first += kBlock) {
    int64_t n = std::min(kBlock, p.end - first);
    s.starts.compute(call->in[1], first, n, starts);
    if (scattered) find_places(s, first, n, places);
    if (!all) n = select_owned(p, s.batch_stride, n, starts, places, scattered);
    s.apply(s, result, updates + (scattered ? 0 : first * s.batch_stride),
            starts, scattered || !all ? places : nullptr, n);
    // On the pool the pool polls.
    if (!ThreadPool::in_parallel() && call->rt->poll(call->rt)) return false;
  }
  return true;
}

template <class ShareOf>
int apply_shares(const KernelCall* call, const Scatter& s, int64_t chunks,
                 int64_t ns, ShareOf share_of) {
  std::atomic<bool> done{true};
  int status = parallel_chunks(call->rt, chunks, ns, [&](int64_t c) {
    if (!apply_share(call, s, share_of(c))) done = false;
  });
  return done ? status : kInterrupted;
}

int run_scatter(const KernelCall* call, const Scatter& s) {
  int64_t count = s.starts.count(), elements = s.run;
  for (const WindowAxis& a : s.window) elements *= a.size;
  int64_t ns = int64_t(double(count) * (2 + double(elements) * s.ns_each));
  if (s.attrs.unique) {
    int64_t step = std::max<int64_t>(64, (1 << 15) / elements);
    return apply_shares(call, s, (count + step - 1) / step, ns, [&](int64_t c) {
      return Share{c * step, std::min(count, (c + 1) * step)};
    });
  }
  int64_t batches = s.starts.first_axis();
  if (s.starts.first_axis_is_batched() && batches > 1) {
    int64_t each = count / batches;
    return apply_shares(call, s, batches, ns, [&](int64_t c) {
      return Share{c * each, (c + 1) * each};
    });
  }
  // How the operand is shared out shows in no result, so it may depend on the
  // number of threads. Every share looks at all indices and skips updates, so
  // two threads gain nothing (measured).
  int64_t shares = std::min(ThreadPool::global().threads(), 16);
  if (shares <= 2 || !s.starts.disjoint() || elements * s.itemsize < 64)
    shares = 1;
  if (shares == 1) return apply_share(call, s, {0, count}) ? kOk : kInterrupted;
  int64_t bytes = (s.operand_bytes + shares - 1) / shares;
  return apply_shares(call, s, shares, ns, [&](int64_t c) {
    return Share{0, count, c * bytes, (c + 1) * bytes};
  });
}

void plan_axes(Scatter& s) {
  const ScatterAttrs& a = s.attrs;
  Dims strides = row_major_strides(a.updates_shape);
  Dims operand_strides = row_major_strides(a.operand_shape);
  size_t window = 0;
  for (size_t d = 0; d < a.operand_shape.size(); ++d) {
    if (contains(a.inserted_window_dims, int64_t(d)) ||
        contains(a.operand_batching_dims, int64_t(d)))
      continue;
    size_t u = size_t(a.update_window_dims[window++]);
    s.window.push_back({a.updates_shape[u], operand_strides[d] * s.itemsize,
                        strides[u] * s.itemsize});
  }
  simplify(s.window);
  s.run = take_run(s.window, s.itemsize) / s.itemsize;
  int64_t first = -1, last = -1, batch = 0;
  for (size_t d = 0; d < a.updates_shape.size(); ++d) {
    if (contains(a.update_window_dims, int64_t(d))) continue;
    s.scattered_batch.push_back(
        {a.updates_shape[d], 0, strides[d] * s.itemsize});
    if (first < 0) first = int64_t(d);
    last = int64_t(d);
    batch++;
  }
  if (last - first + 1 == batch || batch == 0) {
    s.batch_stride = last < 0 ? 0 : strides[size_t(last)] * s.itemsize;
    s.scattered_batch.clear();
  }
}

// One size per operand axis.
Dims window_sizes(const ScatterAttrs& a) {
  Dims sizes;
  size_t window = 0;
  for (int64_t d = 0; d < int64_t(a.operand_shape.size()); ++d) {
    bool single = contains(a.inserted_window_dims, d) ||
                  contains(a.operand_batching_dims, d);
    sizes.push_back(
        single ? 1 : a.updates_shape[size_t(a.update_window_dims[window++])]);
  }
  return sizes;
}

int copy_operand(const KernelCall* call, int64_t bytes) {
  if (call->in[0] == call->out[0] || bytes == 0) return kOk;
  constexpr int64_t kPiece = 1 << 18;
  return parallel_chunks(
      call->rt, (bytes + kPiece - 1) / kPiece, bytes / 16, [&](int64_t c) {
        std::memcpy(static_cast<char*>(call->out[0]) + c * kPiece,
                    static_cast<const char*>(call->in[0]) + c * kPiece,
                    size_t(std::min(kPiece, bytes - c * kPiece)));
      });
}

struct Wide {
  uint64_t a, b;
};

ApplyFn find_set(int64_t itemsize) {
  constexpr Combine kSet = Combine::set;
  switch (itemsize) {
    case 1:
      return apply_block<kSet, uint8_t>;
    case 2:
      return apply_block<kSet, uint16_t>;
    case 4:
      return apply_block<kSet, uint32_t>;
    case 8:
      return apply_block<kSet, uint64_t>;
    default:
      return apply_block<kSet, Wide>;
  }
}

ApplyFn find_combine(Combine combine, DType t) {
  return visit_dtype(t, [&]<class T>() -> ApplyFn {
    switch (combine) {
      case Combine::add:
        return apply_block<Combine::add, T>;
      case Combine::mul:
        return apply_block<Combine::mul, T>;
      case Combine::min:
        return apply_block<Combine::min, T>;
      case Combine::max:
        return apply_block<Combine::max, T>;
      case Combine::sub:
        return apply_block<Combine::sub, T>;
      case Combine::set:
        break;
    }
    return nullptr;
  });
}

}  // namespace

int scatter_kernel(const KernelCall* call) {
  Scatter s;
  s.attrs = decode_attrs<ScatterAttrs>(call->attrs);
  const ScatterAttrs& a = s.attrs;
  s.itemsize = itemsize(a.dtype);
  s.operand_bytes = num_elements(a.operand_shape) * s.itemsize;
  if (a.combine != Combine::set &&
      (is_key(a.dtype) || a.dtype == DType::float0))
    return call->rt->fail(call->rt, "[scatter] keys can only be set");
  if (int status = copy_operand(call, s.operand_bytes)) return status;
  // Nothing fits into an operand without elements.
  if (num_elements(a.updates_shape) == 0 || s.operand_bytes == 0) return kOk;
  if (!s.starts.init(s.itemsize, a.index_dtype, a.mode, a.operand_shape,
                     window_sizes(a), a.indices_shape,
                     a.scatter_dims_to_operand_dims, a.operand_batching_dims,
                     a.scatter_indices_batching_dims))
    return call->rt->fail(call->rt,
                          "[scatter] a window is larger than the operand");
  plan_axes(s);
  s.apply = a.combine == Combine::set ? find_set(s.itemsize)
                                      : find_combine(a.combine, a.dtype);
  if (is_half(a.dtype) && a.combine != Combine::set) s.ns_each = 5;
  return run_scatter(call, s);
}

}  // namespace cotan
