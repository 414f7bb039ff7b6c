// The sort kernel. One key alone is sorted as words and turned back
// (sort_values). Otherwise a permutation is found first: words of
// [key prefix | position] are sorted, and runs that the prefix does not decide
// are sorted again by the rest (Permuter). Start at sort_kernel.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "runtime/allocator.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/sort_keys.h"
#include "runtime/kernels/sort_words.h"

namespace cotan {
namespace {

constexpr int64_t kBlock = 1 << 15;    // elements of one parallel piece
constexpr int64_t kTile = 16;          // lines handled together if strided
constexpr int64_t kBigLine = 1 << 16;  // lines this long use the pool inside

// Where a line's temporaries live: carved from one block, line after line.
class Stack {
 public:
  Stack(void* p, size_t bytes) : at_(static_cast<char*>(p)), left_(bytes) {}
  template <class T>
  T* take(int64_t n) {
    size_t bytes = (size_t(n) * sizeof(T) + 63) & ~size_t(63);
    COTAN_CHECK(bytes <= left_);
    left_ -= bytes;
    return reinterpret_cast<T*>(std::exchange(at_, at_ + bytes));
  }

 private:
  char* at_;
  size_t left_;
};

// Runs f(begin, end) over [0, n): on the pool if rt is given.
template <class F>
void in_blocks(Runtime* rt, int64_t n, double ns_each, F&& f) {
  if (!rt || n < 2 * kBlock) return f(int64_t(0), n);
  parallel_chunks(
      rt, (n + kBlock - 1) / kBlock, int64_t(double(n) * ns_each),
      [&](int64_t c) { f(c * kBlock, std::min(n, (c + 1) * kBlock)); });
}

template <class W>
void sort_any(Runtime* rt, W* keys, W* tmp, int64_t n) {
  if (rt)
    sort_words(rt, keys, tmp, n);
  else
    sort_words(keys, tmp, n);
}

// ---- One key, no payload ----------------------------------------------------

// Words below 2^bits, bits <= 16: counting beats comparing from some length.
void counting_sort(uint32_t* keys, int64_t n, int bits, Stack stack) {
  int64_t* counts = stack.take<int64_t>(int64_t(1) << bits);
  std::fill_n(counts, int64_t(1) << bits, 0);
  for (int64_t i = 0; i < n; ++i) counts[keys[i]]++;
  int64_t at = 0;
  for (int64_t w = 0; w < int64_t(1) << bits; ++w) {
    std::fill_n(keys + at, counts[w], uint32_t(w));
    at += counts[w];
  }
}

// Zeros and NaNs get their own bits back, in the order of the input. `in` may
// be `out`, so the bits are collected first.
template <class T, class W>
void restore_bits(const T* in, T* out, const W* sorted, int64_t n,
                  Stack stack) {
  T* kept = stack.take<T>(n);
  W zero = W(to_word(std::bit_cast<T>(word_of_size<sizeof(T)>(0))));
  W nan = W(word_of_size<sizeof(T)>(~0));
  int64_t zeros = 0, nans = 0;
  for (int64_t i = 0; i < n; ++i) {
    W w = W(to_word(in[i]));
    if (w == zero) kept[zeros++] = in[i];
    if (w == nan) kept[n - ++nans] = in[i];
  }
  int64_t first = std::lower_bound(sorted, sorted + n, zero) - sorted;
  from_words(sorted, out, n);
  std::copy(kept, kept + zeros, out + first);
  std::reverse_copy(kept + n - nans, kept + n, out + n - nans);
}

template <class T>
void sort_values(Runtime* rt, const void* from, void* to, int64_t n,
                 Stack stack) {
  using W = sort_word<T>;
  auto* in = static_cast<const T*>(from);
  auto* out = static_cast<T*>(to);
  W* keys = stack.take<W>(n);
  W* tmp = stack.take<W>(n);
  std::atomic<bool> lost{false};
  in_blocks(rt, n, 0.3, [&](int64_t b, int64_t e) {
    if (to_words(in + b, keys + b, e - b, 1))
      lost.store(true, std::memory_order_relaxed);
  });
  if (sizeof(T) == 1 && n > 256)
    counting_sort(reinterpret_cast<uint32_t*>(keys), n, 8, stack);
  else if (sizeof(T) == 2 && n > (1 << 14))
    counting_sort(reinterpret_cast<uint32_t*>(keys), n, 16, stack);
  else
    sort_any(rt, keys, tmp, n);
  if (lost) return restore_bits(in, out, keys, n, stack);
  in_blocks(rt, n, 0.3, [&](int64_t b, int64_t e) {
    from_words(keys + b, out + b, e - b);
  });
}

// ---- Several operands
// ---------------------------------------------------------

// One level of the lexicographic order: a real operand, or half of a complex.
struct Level {
  const void* data;
  DType dtype;     // real
  int64_t stride;  // 2 for halves
};

// The word of element i.
uint64_t word_at(const Level& l, int64_t i) {
  return visit_dtype(l.dtype, [&]<class T>() -> uint64_t {
    if constexpr (sizeof(T) <= 8 && !std::is_same_v<T, std::complex<float>>)
      return to_word(static_cast<const T*>(l.data)[i * l.stride]);
    else
      return 0;
  });
}

class Permuter {
 public:
  Permuter(Runtime* rt, std::span<const Level> levels, int64_t n, Stack& stack)
      : rt_(rt), levels_(levels), n_(n) {
    perm_ = stack.take<uint32_t>(n);
    words_ = stack.take<uint64_t>(n);
    tmp_ = stack.take<uint64_t>(n);
  }
  const uint32_t* run() {
    load_first_level();
    sort_run(0, n_, 0, true);
    return perm_;
  }

 private:
  void load_first_level() {
    const Level& l = levels_[0];
    in_blocks(rt_, n_, 0.3, [&](int64_t b, int64_t e) {
      visit_dtype(l.dtype, [&]<class T>() {
        if constexpr (sizeof(T) <= 8 && !std::is_same_v<T, std::complex<float>>)
          to_words(static_cast<const T*>(l.data) + b * l.stride, words_ + b,
                   e - b, l.stride);
      });
    });
  }

  // Orders perm_[b, b + n) by the levels from `level` on, keeping the order of
  // equals. On the first call the permutation is the identity and words_ holds
  // level 0.
  void sort_run(int64_t b, int64_t n, size_t level, bool first) {
    if (n <= 16 && !first) return insertion(b, n, level);
    uint64_t* w = words_ + b;
    if (!first)
      for (int64_t i = 0; i < n; ++i)
        w[i] = word_at(levels_[level], perm_[b + i]);
    uint64_t lo = w[0], hi = w[0];
    for (int64_t i = 1; i < n; ++i) {
      lo = std::min(lo, w[i]);
      hi = std::max(hi, w[i]);
    }
    int index_bits = std::bit_width(uint64_t(n - 1));
    int shift = std::max(0, int(std::bit_width(hi - lo)) + index_bits - 64);
    uint64_t mask = (uint64_t(1) << index_bits) - 1;
    in_blocks(rt_, n, 0.3, [&](int64_t p, int64_t q) {
      for (int64_t i = p; i < q; ++i)
        w[i] = (w[i] - lo) >> shift << index_bits | uint64_t(i);
    });
    sort_any(first ? rt_ : nullptr, w, tmp_ + b, n);
    if (first) {
      in_blocks(rt_, n, 0.3, [&](int64_t p, int64_t q) {
        for (int64_t i = p; i < q; ++i) perm_[i] = uint32_t(w[i] & mask);
      });
    } else {
      auto* old = reinterpret_cast<uint32_t*>(tmp_ + b);
      std::copy(perm_ + b, perm_ + b + n, old);
      for (int64_t i = 0; i < n; ++i) perm_[b + i] = old[w[i] & mask];
    }
    size_t next = shift > 0 ? level : level + 1;
    if (next < levels_.size()) sort_ties(b, n, next, index_bits);
  }

  void sort_ties(int64_t b, int64_t n, size_t level, int index_bits) {
    const uint64_t* w = words_ + b;
    for (int64_t i = 0; i < n;) {
      int64_t j = i + 1;
      while (j < n && ((w[i] ^ w[j]) >> index_bits) == 0) ++j;
      if (j - i > 1) sort_run(b + i, j - i, level, false);
      i = j;
    }
  }

  void insertion(int64_t b, int64_t n, size_t level) {
    uint32_t* p = perm_ + b;
    for (int64_t i = 1; i < n; ++i) {
      uint32_t x = p[i];
      int64_t j = i;
      for (; j > 0 && before(x, p[j - 1], level); --j) p[j] = p[j - 1];
      p[j] = x;
    }
  }
  bool before(uint32_t a, uint32_t c, size_t level) const {
    for (; level < levels_.size(); ++level) {
      uint64_t x = word_at(levels_[level], a), y = word_at(levels_[level], c);
      if (x != y) return x < y;
    }
    return false;
  }

  Runtime* rt_;
  std::span<const Level> levels_;
  int64_t n_;
  uint32_t* perm_;
  uint64_t *words_, *tmp_;
};

template <class T>
bool is_iota(const T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    if (x[i] != T(i)) return false;
  return true;
}

template <class E>
void permute(Runtime* rt, const void* from, void* to, const uint32_t* perm,
             int64_t n, Stack stack) {
  auto* in = static_cast<const E*>(from);
  auto* out = static_cast<E*>(to);
  if constexpr (sizeof(E) == 4 || sizeof(E) == 8) {
    // The payload of an argsort.
    if (is_iota(in, n)) {
      for (int64_t i = 0; i < n; ++i) out[i] = E(perm[i]);
      return;
    }
  }
  if (from == to) {
    E* copy = stack.take<E>(n);
    std::copy(in, in + n, copy);
    in = copy;
  }
  in_blocks(rt, n, 2, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) out[i] = in[perm[i]];
  });
}

struct Wide {
  uint64_t a, b;
  bool operator!=(const Wide&) const = default;
};

struct Plan {
  SortAttrs attrs;
  int64_t line_bytes = 0;     // scratch of one line
  int64_t element_bytes = 0;  // of all operands

  DType dtype(size_t k) const { return DType(attrs.dtypes[k]); }
  int64_t size(size_t k) const { return itemsize(dtype(k)); }
  size_t operands() const { return attrs.dtypes.size(); }
  bool values_only() const { return operands() == 1 && !is_complex(dtype(0)); }
};

// Sorts one dense line.
void sort_line(const Plan& plan, Runtime* rt, const void* const* in,
               void* const* out, Stack stack) {
  int64_t n = plan.attrs.n;
  if (plan.values_only()) {
    visit_dtype(plan.dtype(0), [&]<class T>() {
      if constexpr (sizeof(T) <= 8 && !std::is_same_v<T, std::complex<float>>)
        sort_values<T>(rt, in[0], out[0], n, stack);
    });
    return;
  }
  SmallVector<Level, 4> levels;
  for (size_t k = 0; k < size_t(plan.attrs.num_keys); ++k) {
    DType t = plan.dtype(k), real = real_dtype(t);
    if (is_complex(t)) {
      levels.push_back({in[k], real, 2});
      levels.push_back(
          {static_cast<const char*>(in[k]) + itemsize(real), real, 2});
    } else {
      levels.push_back({in[k], t, 1});
    }
  }
  const uint32_t* perm = Permuter(rt, levels, n, stack).run();
  for (size_t k = 0; k < plan.operands(); ++k) {
    switch (plan.size(k)) {
      case 1:
        permute<uint8_t>(rt, in[k], out[k], perm, n, stack);
        break;
      case 2:
        permute<uint16_t>(rt, in[k], out[k], perm, n, stack);
        break;
      case 4:
        permute<uint32_t>(rt, in[k], out[k], perm, n, stack);
        break;
      case 8:
        permute<uint64_t>(rt, in[k], out[k], perm, n, stack);
        break;
      default:
        permute<Wide>(rt, in[k], out[k], perm, n, stack);
        break;
    }
  }
}

// ---- Lines ------------------------------------------------------------------

using Pointers = SmallVector<void*, 4>;

// Lines [j, j + width) of an outer index, strided by `inner`: through a tile.
template <bool kStore>
void move_tile(char* array, char* tile, int64_t size, int64_t n, int64_t inner,
               int64_t width) {
  auto move = [&](auto word) {
    using E = decltype(word);
    auto* a = reinterpret_cast<E*>(array);
    auto* t = reinterpret_cast<E*>(tile);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < width; ++j) {
        if constexpr (kStore)
          a[i * inner + j] = t[j * n + i];
        else
          t[j * n + i] = a[i * inner + j];
      }
  };
  switch (size) {
    case 1:
      return move(uint8_t());
    case 2:
      return move(uint16_t());
    case 4:
      return move(uint32_t());
    case 8:
      return move(uint64_t());
    default:
      return move(Wide());
  }
}

void sort_tile(const Plan& plan, Runtime* rt, const KernelCall* call,
               int64_t outer, int64_t j, Stack stack) {
  const SortAttrs& a = plan.attrs;
  int64_t width = std::min(kTile, a.inner - j);
  SmallVector<char*, 4> tiles;
  for (size_t k = 0; k < plan.operands(); ++k) {
    tiles.push_back(stack.take<char>(width * a.n * plan.size(k)));
    auto* in = static_cast<char*>(const_cast<void*>(call->in[k]));
    move_tile<false>(in + (outer * a.n * a.inner + j) * plan.size(k), tiles[k],
                     plan.size(k), a.n, a.inner, width);
  }
  for (int64_t l = 0; l < width; ++l) {
    Pointers line;
    for (size_t k = 0; k < plan.operands(); ++k)
      line.push_back(tiles[k] + l * a.n * plan.size(k));
    sort_line(plan, rt, line.data(), line.data(), stack);
  }
  for (size_t k = 0; k < plan.operands(); ++k)
    move_tile<true>(static_cast<char*>(call->out[k]) +
                        (outer * a.n * a.inner + j) * plan.size(k),
                    tiles[k], plan.size(k), a.n, a.inner, width);
}

void sort_dense(const Plan& plan, Runtime* rt, const KernelCall* call,
                int64_t line, Stack stack) {
  Pointers in, out;
  for (size_t k = 0; k < plan.operands(); ++k) {
    int64_t at = line * plan.attrs.n * plan.size(k);
    in.push_back(static_cast<char*>(const_cast<void*>(call->in[k])) + at);
    out.push_back(static_cast<char*>(call->out[k]) + at);
  }
  sort_line(plan, rt, in.data(), out.data(), stack);
}

int run_sort(const KernelCall* call, const Plan& plan) {
  const SortAttrs& a = plan.attrs;
  bool strided = a.inner > 1;
  int64_t tiles = (a.inner + kTile - 1) / kTile;
  int64_t jobs = a.outer * tiles;  // inner == 1: one line a job
  int64_t bytes = plan.line_bytes;
  if (strided) bytes += kTile * a.n * plan.element_bytes + 64 * 8;
  auto job = [&](int64_t i, Runtime* rt, Stack stack) {
    if (strided)
      sort_tile(plan, rt, call, i / tiles, i % tiles * kTile, stack);
    else
      sort_dense(plan, rt, call, i, stack);
  };
  int threads = ThreadPool::global().threads();
  if (a.n >= kBigLine && jobs < 4 * threads) {
    Scratch scratch{size_t(bytes)};
    for (int64_t i = 0; i < jobs; ++i) {
      if (call->rt->poll(call->rt)) return kInterrupted;
      job(i, call->rt, Stack(scratch.data(), size_t(bytes)));
    }
    return kOk;
  }
  int64_t lines = strided ? kTile : 1;
  int64_t per_chunk = std::max<int64_t>(1, (1 << 14) / (a.n * lines));
  double ns = double(jobs) * double(lines) * double(a.n) *
              (plan.values_only() ? 0.1 : 0.4) * std::bit_width(uint64_t(a.n));
  std::atomic<bool> starved{false};
  int status =
      parallel_chunks(call->rt, (jobs + per_chunk - 1) / per_chunk, int64_t(ns),
                      [&](int64_t c) {
                        void* scratch = try_allocate_bytes(size_t(bytes));
                        if (!scratch) return starved.store(true);
                        int64_t end = std::min(jobs, (c + 1) * per_chunk);
                        for (int64_t i = c * per_chunk; i < end; ++i)
                          job(i, nullptr, Stack(scratch, size_t(bytes)));
                        free_bytes(scratch, size_t(bytes));
                      });
  if (starved) return call->rt->fail(call->rt, "[sort] out of memory");
  return status;
}

}  // namespace

int sort_kernel(const KernelCall* call) {
  Plan plan{decode_attrs<SortAttrs>(call->attrs)};
  const SortAttrs& a = plan.attrs;
  int64_t widest = 0;
  for (size_t k = 0; k < plan.operands(); ++k) {
    plan.element_bytes += plan.size(k);
    widest = std::max(widest, plan.size(k));
  }
  if (a.n <= 1 || a.outer * a.inner == 0) {
    for (size_t k = 0; k < plan.operands(); ++k) {
      size_t bytes = size_t(a.outer * a.n * a.inner * plan.size(k));
      if (bytes && call->in[k] != call->out[k])
        std::memcpy(call->out[k], call->in[k], bytes);
    }
    return kOk;
  }
  if (!plan.values_only() && a.n >= (int64_t(1) << 32))
    return call->rt->fail(call->rt,
                          "[sort] an axis of 2^32 or more elements can only be "
                          "sorted by itself, without payload");
  // Keys, their copy, a permutation, one operand's copy; or the counters.
  plan.line_bytes = a.n * (8 + 8 + 4 + std::max<int64_t>(widest, 8)) +
                    (plan.values_only() && widest == 2 ? 8 << 16 : 8 << 8) +
                    64 * 16;
  try {
    return run_sort(call, plan);
  } catch (const std::exception& e) {
    return call->rt->fail(call->rt, e.what());
  }
}

}  // namespace cotan
