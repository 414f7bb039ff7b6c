// Packing kernels in C++ for the common types, so that they need no
// compilation; the others are generated (gemm_pack_emitter.cpp). Each exists
// for AVX-512, AVX2 and the baseline.
//
// Start at transpose(): blocks of L x L elements pass through L registers. An
// edge repeats part of the block before it; what is smaller than a block takes
// smaller ones.
#include <cstring>
#include <utility>

#include "backends/cpu/gemm/gemm_kernels.h"

#define COTAN_INLINE inline __attribute__((always_inline))

namespace cotan::cpu {

namespace {

template <class T, int L>
struct Vector {
  typedef T Type __attribute__((vector_size(sizeof(T) * L)));
};
template <class T, int L>
using Vec = typename Vector<T, L>::Type;

// How an element of memory (From) becomes one of the compute type (To); 32-
// and 64-bit types pass as integers of their size.
struct Words32 {
  using From = uint32_t;
  using To = uint32_t;
};
struct Words64 {
  using From = uint64_t;
  using To = uint64_t;
};
template <class T>
struct Integers {
  using From = T;
  using To = int32_t;
};
struct Bfloats {
  using From = uint16_t;
  using To = uint32_t;
};
struct Halves {
  using From = uint16_t;
  using To = uint32_t;
};

// V: an element or a vector of To that holds the bits of From, extended.
template <class Kind, class V>
COTAN_INLINE void widen(V& x) {
  if constexpr (std::is_same_v<Kind, Bfloats>) x <<= 16;
}
// Scaling by 2^112 also normalises subnormals; infinities and NaNs do not
// survive it and get their exponent by hand.
template <class F, class V>
COTAN_INLINE void widen_half(V& x) {
  V sign = (x & 0x8000) << 16, magnitude = (x & 0x7fff) << 13;
  F scaled;
  memcpy(&scaled, &magnitude, sizeof x);
  scaled *= 0x1p112f;
  V finite, special = V(magnitude >= (0x7c00u << 13));
  memcpy(&finite, &scaled, sizeof x);
  x = sign | (finite & ~special) | ((magnitude | 0x7f800000u) & special);
}

template <class Kind, int L>
COTAN_INLINE void load(Vec<typename Kind::To, L>& x,
                       const typename Kind::From* p) {
  Vec<typename Kind::From, L> raw;
  memcpy(&raw, p, sizeof raw);
  x = __builtin_convertvector(raw, Vec<typename Kind::To, L>);
  if constexpr (std::is_same_v<Kind, Halves>)
    widen_half<Vec<float, L>>(x);
  else
    widen<Kind>(x);
}
template <class Kind>
COTAN_INLINE typename Kind::To load(const typename Kind::From* p) {
  Vec<typename Kind::To, 4> x;
  typename Kind::From four[4] = {*p};
  load<Kind, 4>(x, four);
  return x[0];
}

template <class From>
COTAN_INLINE const From* row_of(const void* p, int64_t row, int64_t stride) {
  return reinterpret_cast<const From*>(static_cast<const char*>(p) +
                                       row * stride);
}
template <class To>
COTAN_INLINE To* row_of(void* p, int64_t row, int64_t stride) {
  return reinterpret_cast<To*>(static_cast<char*>(p) + row * stride);
}

template <class Kind, int L>
COTAN_INLINE void copy(void* dst, int64_t dst_row, const void* src,
                       int64_t src_row, int64_t rows, int64_t cols) {
  using From = typename Kind::From;
  using To = typename Kind::To;
  for (int64_t i = 0; i < rows; i++) {
    auto* in = row_of<From>(src, i, src_row);
    auto* out = row_of<To>(dst, i, dst_row);
    auto move = [&](int64_t j) __attribute__((always_inline)) {
      Vec<To, L> x;
      load<Kind, L>(x, in + j);
      memcpy(out + j, &x, sizeof x);
    };
    int64_t j = 0;
    for (; j + 4 * L <= cols; j += 4 * L)
      for (int v = 0; v < 4; v++) move(j + v * L);
    for (; j + L <= cols; j += L) move(j);
    if (j < cols && cols >= L)
      move(cols - L);
    else
      for (; j < cols; j++) out[j] = load<Kind>(in + j);
  }
}

// Exchanges x's blocks of S lanes at odd positions with y's at even ones.
template <int S, class V, int... I>
COTAN_INLINE void swap_blocks(V& x, V& y, std::integer_sequence<int, I...>) {
  constexpr int n = sizeof...(I);
  V lo = __builtin_shufflevector(x, y, (I & S ? n + I - S : I)...);
  V hi = __builtin_shufflevector(x, y, (I & S ? n + I : I + S)...);
  x = lo, y = hi;
}
template <int S, int L, class V>
COTAN_INLINE void transpose_steps(V (&x)[L]) {
  if constexpr (S < L) {
#pragma GCC unroll 16
    for (int i = 0; i < L; i++)
      if (!(i & S))
        swap_blocks<S>(x[i], x[i + S], std::make_integer_sequence<int, L>());
    transpose_steps<2 * S>(x);
  }
}

template <class Kind, int L>
COTAN_INLINE void transpose(void* dst, int64_t dst_row, const void* src,
                            int64_t src_row, int64_t rows, int64_t cols) {
  using From = typename Kind::From;
  using To = typename Kind::To;
  auto block = [&](int64_t i, int64_t j) __attribute__((always_inline)) {
    Vec<To, L> x[L];
#pragma GCC unroll 16
    for (int r = 0; r < L; r++)
      load<Kind, L>(x[r], row_of<From>(src, i + r, src_row) + j);
    transpose_steps<1>(x);
#pragma GCC unroll 16
    for (int r = 0; r < L; r++)
      memcpy(row_of<To>(dst, j + r, dst_row) + i, &x[r], sizeof x[r]);
  };
  auto elements = [&](int64_t i, int64_t i_end, int64_t j, int64_t j_end) {
    for (; i < i_end; i++)
      for (int64_t c = j; c < j_end; c++)
        row_of<To>(dst, c, dst_row)[i] =
            load<Kind>(row_of<From>(src, i, src_row) + c);
  };
  if (rows < L || cols < L) {
    if constexpr (L > 2)
      return transpose<Kind, L / 2>(dst, dst_row, src, src_row, rows, cols);
    else
      return elements(0, rows, 0, cols);
  }
  for (int64_t i = 0; i < rows; i += L) {
    int64_t at = i + L <= rows ? i : rows - L;
    for (int64_t j = 0; j < cols; j += L)
      block(at, j + L <= cols ? j : cols - L);
  }
}

#define COTAN_PACK(name, attribute, bytes)                                   \
  template <class Kind>                                                      \
  attribute void copy_##name(void* d, int64_t dr, const void* s, int64_t sr, \
                             int64_t rows, int64_t cols) {                   \
    copy<Kind, bytes / int(sizeof(typename Kind::To))>(d, dr, s, sr, rows,   \
                                                       cols);                \
  }                                                                          \
  template <class Kind>                                                      \
  attribute void transpose_##name(void* d, int64_t dr, const void* s,        \
                                  int64_t sr, int64_t rows, int64_t cols) {  \
    transpose<Kind, bytes / int(sizeof(typename Kind::To))>(d, dr, s, sr,    \
                                                            rows, cols);     \
  }

COTAN_PACK(baseline, , 16)
#if defined(__x86_64__)
COTAN_PACK(avx2, __attribute__((target("avx2"))), 32)
COTAN_PACK(avx512,
           __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), 64)
#endif

template <class Kind>
GemmPackFn choose(bool transposed) {
#if defined(__x86_64__)
  static const int level = __builtin_cpu_supports("avx512bw") &&
                                   __builtin_cpu_supports("avx512dq") &&
                                   __builtin_cpu_supports("avx512vl")
                               ? 2
                           : __builtin_cpu_supports("avx2") ? 1
                                                            : 0;
  if (level == 2)
    return transposed ? transpose_avx512<Kind> : copy_avx512<Kind>;
  if (level == 1) return transposed ? transpose_avx2<Kind> : copy_avx2<Kind>;
#endif
  return transposed ? transpose_baseline<Kind> : copy_baseline<Kind>;
}

}  // namespace

GemmPackFn gemm_builtin_pack(DType from, DType compute, bool transposed) {
  if (from == compute)
    return itemsize(from) == 4 ? choose<Words32>(transposed)
                               : choose<Words64>(transposed);
  if (compute == DType::f32) {
    if (from == DType::bf16) return choose<Bfloats>(transposed);
    if (from == DType::f16) return choose<Halves>(transposed);
  }
  if (compute == DType::i32) {
    if (from == DType::i8) return choose<Integers<int8_t>>(transposed);
    if (from == DType::u8 || from == DType::bool_)
      return choose<Integers<uint8_t>>(transposed);
    if (from == DType::i16) return choose<Integers<int16_t>>(transposed);
    if (from == DType::u16) return choose<Integers<uint16_t>>(transposed);
  }
  return nullptr;
}

}  // namespace cotan::cpu
