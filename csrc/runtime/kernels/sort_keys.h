// Order-preserving maps between elements and unsigned words. -0 maps to the
// word of 0, every NaN to the largest word: what compares equal in a sort is
// one word, and the kernel puts the original bits back where that loses some.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "ir/dtype.h"
#include "runtime/kernels/isa.h"

namespace cotan {

template <int kBytes>
using word_of_size = std::conditional_t<
    kBytes == 1, uint8_t,
    std::conditional_t<kBytes == 2, uint16_t,
                       std::conditional_t<kBytes == 4, uint32_t, uint64_t>>>;

template <class T>
inline constexpr bool is_float_storage =
    std::floating_point<T> || std::same_as<T, f16_t> || std::same_as<T, bf16_t>;

// Bits of +infinity, as a word.
template <class T>
constexpr auto infinity_bits() {
  if constexpr (std::same_as<T, double>)
    return uint64_t(0x7ff0000000000000);
  else if constexpr (std::same_as<T, float>)
    return uint32_t(0x7f800000);
  else if constexpr (std::same_as<T, f16_t>)
    return uint16_t(0x7c00);
  else
    return uint16_t(0x7f80);
}

// T is a real storage type of the dtypes (no complex).
template <class T>
COTAN_INLINE auto to_word(T x) noexcept {
  using W = word_of_size<sizeof(T)>;
  constexpr W kSign = W(W(1) << (8 * sizeof(T) - 1));
  W b = std::bit_cast<W>(x);
  if constexpr (is_float_storage<T>) {
    W magnitude = W(b & W(~kSign));
    W ordered = W(b & kSign ? W(~b) : W(b | kSign));
    ordered = magnitude == 0 ? kSign : ordered;
    return magnitude > infinity_bits<T>() ? W(~W(0)) : ordered;
  } else if constexpr (std::is_signed_v<T>) {
    return W(b ^ kSign);
  } else {
    return b;
  }
}

template <class T>
COTAN_INLINE T from_word(word_of_size<sizeof(T)> w) noexcept {
  using W = word_of_size<sizeof(T)>;
  constexpr W kSign = W(W(1) << (8 * sizeof(T) - 1));
  if constexpr (is_float_storage<T>)
    return std::bit_cast<T>(W(w & kSign ? W(w ^ kSign) : W(~w)));
  else if constexpr (std::same_as<T, bool>)
    return w != 0;
  else if constexpr (std::is_signed_v<T>)
    return std::bit_cast<T>(W(w ^ kSign));
  else
    return std::bit_cast<T>(w);
}

// What the words are sorted as.
template <class T>
using sort_word = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;

// keys[i] = the word of x[i * stride]. True if some word loses bits.
template <class T, class W>
COTAN_MULTIVERSION bool to_words(const T* x, W* keys, int64_t n,
                                 int64_t stride) noexcept {
  W lost = 0;
  for (int64_t i = 0; i < n; ++i) {
    T v = x[i * stride];
    auto w = to_word(v);
    keys[i] = W(w);
    if constexpr (is_float_storage<T>)
      lost |= W(std::bit_cast<decltype(w)>(from_word<T>(w)) ^
                std::bit_cast<decltype(w)>(v));
  }
  return lost != 0;
}

template <class T, class W>
COTAN_MULTIVERSION void from_words(const W* keys, T* out, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i)
    out[i] = from_word<T>(word_of_size<sizeof(T)>(keys[i]));
}

}  // namespace cotan
