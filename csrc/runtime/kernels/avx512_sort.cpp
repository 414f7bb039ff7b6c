// Quicksort in AVX-512 registers: a partition that reads and writes whole
// vectors in place, and bitonic networks below 256 (128) words. After Bramas,
// "A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512" (2017), and
// Blacher et al., "Vectorized and performance-portable Quicksort" (2022). One
// template for 32- and 64-bit words; start at sort().
#include "runtime/host.h"
#include "runtime/kernels/sort_words.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f"))), \
                             apply_to = function)
#else
// The intrinsics' headers start from undefined vectors on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif

namespace cotan::avx512 {
namespace {

#define COTAN_FORCE inline __attribute__((always_inline))

template <class T>
struct Lane;

template <>
struct Lane<uint32_t> {
  using V = __m512i;
  using Mask = __mmask16;
  static constexpr int kLanes = 16;
  static COTAN_FORCE V load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static COTAN_FORCE void store(uint32_t* p, V v) { _mm512_storeu_si512(p, v); }
  static COTAN_FORCE V load_some(const uint32_t* p, Mask m) {
    return _mm512_mask_loadu_epi32(_mm512_set1_epi32(-1), m, p);
  }
  static COTAN_FORCE void store_some(uint32_t* p, Mask m, V v) {
    _mm512_mask_storeu_epi32(p, m, v);
  }
  static COTAN_FORCE V set1(uint32_t x) { return _mm512_set1_epi32(int(x)); }
  static COTAN_FORCE V min(V a, V b) { return _mm512_min_epu32(a, b); }
  static COTAN_FORCE V max(V a, V b) { return _mm512_max_epu32(a, b); }
  static COTAN_FORCE Mask less(V a, V b) {
    return _mm512_cmplt_epu32_mask(a, b);
  }
  static COTAN_FORCE V permute(V v, V idx) {
    return _mm512_permutexvar_epi32(idx, v);
  }
  static COTAN_FORCE V blend(Mask m, V a, V b) {
    return _mm512_mask_blend_epi32(m, a, b);
  }
  static COTAN_FORCE V compress(Mask m, V v) {
    return _mm512_maskz_compress_epi32(m, v);
  }
  static COTAN_FORCE V expand(V base, Mask m, V v) {
    return _mm512_mask_expand_epi32(base, m, v);
  }
  // Lane i takes lane i ^ x.
  static COTAN_FORCE V swap_index(int x) {
    V iota =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_xor_si512(iota, _mm512_set1_epi32(x));
  }
};

template <>
struct Lane<uint64_t> {
  using V = __m512i;
  using Mask = __mmask8;
  static constexpr int kLanes = 8;
  static COTAN_FORCE V load(const uint64_t* p) { return _mm512_loadu_si512(p); }
  static COTAN_FORCE void store(uint64_t* p, V v) { _mm512_storeu_si512(p, v); }
  static COTAN_FORCE V load_some(const uint64_t* p, Mask m) {
    return _mm512_mask_loadu_epi64(_mm512_set1_epi64(-1), m, p);
  }
  static COTAN_FORCE void store_some(uint64_t* p, Mask m, V v) {
    _mm512_mask_storeu_epi64(p, m, v);
  }
  static COTAN_FORCE V set1(uint64_t x) {
    return _mm512_set1_epi64((long long)x);
  }
  static COTAN_FORCE V min(V a, V b) { return _mm512_min_epu64(a, b); }
  static COTAN_FORCE V max(V a, V b) { return _mm512_max_epu64(a, b); }
  static COTAN_FORCE Mask less(V a, V b) {
    return _mm512_cmplt_epu64_mask(a, b);
  }
  static COTAN_FORCE V permute(V v, V idx) {
    return _mm512_permutexvar_epi64(idx, v);
  }
  static COTAN_FORCE V blend(Mask m, V a, V b) {
    return _mm512_mask_blend_epi64(m, a, b);
  }
  static COTAN_FORCE V compress(Mask m, V v) {
    return _mm512_maskz_compress_epi64(m, v);
  }
  static COTAN_FORCE V expand(V base, Mask m, V v) {
    return _mm512_mask_expand_epi64(base, m, v);
  }
  static COTAN_FORCE V swap_index(int x) {
    return _mm512_xor_si512(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7),
                            _mm512_set1_epi64(x));
  }
};

// ---- Networks: N registers, N a power of two --------------------------------

// Lanes that keep the larger of (lane, lane ^ j) in a bitonic step of size k.
template <int kLanes>
constexpr uint32_t larger_lanes(int j, int k) {
  uint32_t m = 0;
  for (int i = 0; i < kLanes; ++i)
    if (((i & j) != 0) == ((i & k) == 0)) m |= 1u << i;
  return m;
}

// One compare-exchange of every lane with lane ^ J, in each of N registers.
template <class T, int N, int J, int K>
COTAN_FORCE void exchange_lanes(__m512i* v) {
  using L = Lane<T>;
  constexpr auto kLarger = typename L::Mask(larger_lanes<L::kLanes>(J, K));
  __m512i idx = L::swap_index(J);
  for (int i = 0; i < N; ++i) {
    __m512i p = L::permute(v[i], idx);
    v[i] = L::blend(kLarger, L::min(v[i], p), L::max(v[i], p));
  }
}

// Each register, a bitonic sequence, becomes ascending (K = lanes), or one
// stage of the bitonic sort (K < lanes).
template <class T, int N, int J, int K>
COTAN_FORCE void merge_lanes(__m512i* v) {
  if constexpr (J >= 1) {
    exchange_lanes<T, N, J, K>(v);
    merge_lanes<T, N, J / 2, K>(v);
  }
}
template <class T, int N, int K>
COTAN_FORCE void sort_each(__m512i* v) {
  if constexpr (K > 2) sort_each<T, N, K / 2>(v);
  merge_lanes<T, N, K / 2, K>(v);
}

// Registers [0, M) and [M, 2M) are sorted; sorts their union.
template <class T, int M>
COTAN_FORCE void merge_halves(__m512i* v) {
  using L = Lane<T>;
  __m512i reverse = L::swap_index(L::kLanes - 1);
  __m512i hi[M];
  for (int i = 0; i < M; ++i) hi[i] = L::permute(v[2 * M - 1 - i], reverse);
  for (int i = 0; i < M; ++i) {
    v[M + i] = L::max(v[i], hi[i]);
    v[i] = L::min(v[i], hi[i]);
  }
  for (int s = M / 2; s >= 1; s /= 2)
    for (int i = 0; i < 2 * M; ++i)
      if ((i & s) == 0) {
        __m512i lo = L::min(v[i], v[i + s]);
        v[i + s] = L::max(v[i], v[i + s]);
        v[i] = lo;
      }
}
template <class T, int N, int M>
COTAN_FORCE void merge_all(__m512i* v) {
  if constexpr (M < N) {
    for (int i = 0; i < N; i += 2 * M) merge_halves<T, M>(v + i);
    merge_lanes<T, N, Lane<T>::kLanes / 2, Lane<T>::kLanes>(v);
    merge_all<T, N, 2 * M>(v);
  }
}

// Up to N registers of words; the missing ones count as the largest word.
template <class T, int N>
[[gnu::noinline]] void sort_network(T* p, int64_t n) {
  using L = Lane<T>;
  __m512i v[N];
  typename L::Mask masks[N];
  for (int i = 0; i < N; ++i) {
    int64_t left = std::clamp<int64_t>(n - i * L::kLanes, 0, L::kLanes);
    masks[i] = typename L::Mask((uint32_t(1) << left) - 1);
    v[i] = L::load_some(p + i * L::kLanes, masks[i]);
  }
  sort_each<T, N, L::kLanes>(v);
  merge_all<T, N, 1>(v);
  for (int i = 0; i < N; ++i) L::store_some(p + i * L::kLanes, masks[i], v[i]);
}

template <class T>
constexpr int64_t kMaxNetwork = 16 * Lane<T>::kLanes;

template <class T>
void sort_small(T* p, int64_t n) {
  int64_t registers = (n + Lane<T>::kLanes - 1) / Lane<T>::kLanes;
  if (registers <= 1) return sort_network<T, 1>(p, n);
  if (registers <= 2) return sort_network<T, 2>(p, n);
  if (registers <= 4) return sort_network<T, 4>(p, n);
  if (registers <= 8) return sort_network<T, 8>(p, n);
  sort_network<T, 16>(p, n);
}

// ---- Partition
// ----------------------------------------------------------------

// Writes v's words below the pivot at *left, growing up, and the others at
// *right, growing down. Both whole vectors must lie in free space.
template <class T>
COTAN_FORCE void split(__m512i v, __m512i pivot, T*& left, T*& right) {
  using L = Lane<T>;
  auto less = L::less(v, pivot);
  int count = std::popcount(uint32_t(less));
  using Mask = typename L::Mask;
  int rest = L::kLanes - count;
  L::store(left, L::compress(less, v));
  L::store_some(right - rest, Mask((uint32_t(1) << rest) - 1),
                L::compress(Mask(~less), v));
  left += count;
  right -= rest;
}

// The same for the valid lanes alone; touches nothing else.
template <class T>
COTAN_FORCE void split_some(__m512i v, typename Lane<T>::Mask valid,
                            __m512i pivot, T*& left, T*& right) {
  using L = Lane<T>;
  using Mask = typename L::Mask;
  Mask less = L::less(v, pivot) & valid, rest = Mask(~less) & valid;
  int lo = std::popcount(uint32_t(less)), hi = std::popcount(uint32_t(rest));
  Mask lo_lanes = Mask((uint32_t(1) << lo) - 1);
  Mask hi_lanes = Mask(~((uint32_t(1) << (L::kLanes - hi)) - 1));
  __m512i both =
      L::expand(L::compress(less, v), hi_lanes, L::compress(rest, v));
  L::store_some(left, lo_lanes, both);
  L::store_some(right - L::kLanes, hi_lanes, both);
  left += lo;
  right -= hi;
}

// n >= 8 vectors. Reading runs ahead on whichever side has less free space,
// which keeps at least U vectors free on both: 2U are held in registers, as
// are the words beyond the last whole group.
template <class T>
int64_t partition_at(T* data, int64_t n, T pivot_word) {
  using L = Lane<T>;
  constexpr int kU = 4, kGroup = kU * L::kLanes;
  __m512i pivot = L::set1(pivot_word);
  int64_t rest = n % kGroup;
  T tail[kGroup];
  std::copy(data + n - rest, data + n, tail);
  T *read_l = data, *read_r = data + n - rest;
  T *left = data, *right = data + n;
  __m512i first[kU], last[kU];
  for (int i = 0; i < kU; ++i) first[i] = L::load(read_l + i * L::kLanes);
  read_l += kGroup;
  read_r -= kGroup;
  for (int i = 0; i < kU; ++i) last[i] = L::load(read_r + i * L::kLanes);
  while (read_l != read_r) {
    const T* from;
    if (read_l - left <= right - read_r) {
      from = read_l;
      read_l += kGroup;
    } else {
      read_r -= kGroup;
      from = read_r;
    }
    __m512i v[kU];
    for (int i = 0; i < kU; ++i) v[i] = L::load(from + i * L::kLanes);
    for (int i = 0; i < kU; ++i) split<T>(v[i], pivot, left, right);
  }
  for (int i = 0; i < kU; ++i) split<T>(first[i], pivot, left, right);
  // The free space shrinks to nothing: exact stores from here on.
  using Mask = typename L::Mask;
  for (int i = 0; i < kU; ++i)
    split_some<T>(last[i], Mask(~0u), pivot, left, right);
  for (int64_t i = 0; i < rest; i += L::kLanes) {
    Mask valid =
        Mask((uint64_t(1) << std::min<int64_t>(rest - i, L::kLanes)) - 1);
    split_some<T>(L::load_some(tail + i, valid), valid, pivot, left, right);
  }
  return left - data;
}

// The median of one register of words spread over the data, or of four.
template <class T, int kRegisters>
T sample_median(const T* data, int64_t n) {
  constexpr int kSample = kRegisters * Lane<T>::kLanes;
  T sample[kSample];
  int64_t step = n / kSample;
  uint64_t x = uint64_t(n) * 0x9e3779b97f4a7c15u;
  for (int64_t i = 0; i < kSample; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    sample[i] = data[i * step + int64_t((x >> 32) * uint64_t(step) >> 32)];
  }
  sort_network<T, kRegisters>(sample, kSample);
  return sample[kSample / 2];
}
template <class T>
T choose_pivot(const T* data, int64_t n) {
  return n < 2048 ? sample_median<T, 1>(data, n) : sample_median<T, 4>(data, n);
}

// Partition with a result strictly between 0 and n, or 0 if all are equal.
template <class T>
int64_t partition_any(T* data, int64_t n, T pivot) {
  int64_t k = partition_at(data, n, pivot);
  if (k > 0) return k;
  // The pivot is the least word: take all its copies to the front.
  if (pivot == T(-1)) return 0;
  k = partition_at(data, n, T(pivot + 1));
  return k == n ? 0 : k;
}

template <class T>
void quicksort(T* data, int64_t n, int depth) {
  while (n > kMaxNetwork<T>) {
    if (depth-- == 0) return std::sort(data, data + n);
    T pivot = choose_pivot(data, n);
    int64_t k = partition_at(data, n, pivot);
    if (k == 0) {
      if (pivot == T(-1)) return;
      k = partition_at(data, n, T(pivot + 1));
      data += k;
      n -= k;
      continue;
    }
    if (k < n - k) {
      quicksort(data, k, depth);
      data += k;
      n -= k;
    } else {
      quicksort(data + k, n - k, depth);
      n = k;
    }
  }
  if (n > 1) sort_small(data, n);
}

}  // namespace

void sort(uint32_t* data, int64_t n) noexcept {
  quicksort(data, n, 2 * std::bit_width(uint64_t(n)) + 4);
}
void sort(uint64_t* data, int64_t n) noexcept {
  quicksort(data, n, 2 * std::bit_width(uint64_t(n)) + 4);
}
int64_t partition(uint32_t* data, int64_t n) noexcept {
  return partition_any(data, n, choose_pivot(data, n));
}
int64_t partition(uint64_t* data, int64_t n) noexcept {
  return partition_any(data, n, choose_pivot(data, n));
}

}  // namespace cotan::avx512

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

bool cotan::avx512::supported() noexcept {
  static const bool yes =
      __builtin_cpu_supports("avx512f") && env_int("COTAN_AVX512", 1);
  return yes;
}

#else

namespace cotan::avx512 {
bool supported() noexcept { return false; }
void sort(uint32_t*, int64_t) noexcept {}
void sort(uint64_t*, int64_t) noexcept {}
int64_t partition(uint32_t*, int64_t) noexcept { return 0; }
int64_t partition(uint64_t*, int64_t) noexcept { return 0; }
}  // namespace cotan::avx512

#endif
