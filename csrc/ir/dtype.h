// Element types. Start here for "what is a float", sizes and names; the
// promotion lattice is NumPy-level semantics and lives in csrc/jnp.
#pragma once

#include <complex>
#include <cstdint>
#include <string>
#include <string_view>

namespace cotan {

enum class DType : uint8_t {
  bool_,
  i2,  // i2 ... u4: one value per byte, in its low bits
  i4,
  i8,
  i16,
  i32,
  i64,
  u2,
  u4,
  u8,
  u16,
  u32,
  u64,
  f4_e2m1fn,  // f4 and f8: see NarrowFormat
  f8_e3m4,
  f8_e4m3,
  f8_e4m3b11fnuz,
  f8_e4m3fn,
  f8_e4m3fnuz,
  f8_e5m2,
  f8_e5m2fnuz,
  f8_e8m0fnu,
  f16,
  bf16,
  f32,
  f64,
  c64,
  c128,
  key,     // a threefry key: two u32 words, opaque to arithmetic
  float0,  // tangent type of integers; holds no data
  // Keys of the other generators, see ops/random.h.
  key_fry4,
  key_phx2,
  key_phx4,
  key_rbg,
  key_urbg,
};
inline constexpr int kNumDTypes = int(DType::key_urbg) + 1;

// 16-bit floats as storage; arithmetic happens in float.
struct f16_t {
  uint16_t bits;
};
struct bf16_t {
  uint16_t bits;
};
float to_float(f16_t x) noexcept;
float to_float(bf16_t x) noexcept;
f16_t to_f16(float x) noexcept;    // round to nearest even
bf16_t to_bf16(float x) noexcept;  // round to nearest even

namespace detail {
inline constexpr uint8_t kItemSize[kNumDTypes] = {
    1, 1, 1, 1, 2, 4, 8, 1, 1, 1,  2, 4, 8,  1, 1, 1,  1, 1,
    1, 1, 1, 1, 2, 2, 4, 8, 8, 16, 8, 1, 16, 4, 8, 16, 16};
}
constexpr int64_t itemsize(DType t) { return detail::kItemSize[int(t)]; }
constexpr bool is_key(DType t) { return t == DType::key || t > DType::float0; }
constexpr bool is_signed_int(DType t) {
  return t >= DType::i2 && t <= DType::i64;
}
constexpr bool is_unsigned_int(DType t) {
  return t >= DType::u2 && t <= DType::u64;
}
constexpr bool is_int(DType t) { return t >= DType::i2 && t <= DType::u64; }
constexpr bool is_half(DType t) { return t == DType::f16 || t == DType::bf16; }
constexpr bool is_float(DType t) {
  return t >= DType::f4_e2m1fn && t <= DType::f64;
}
constexpr bool is_complex(DType t) {
  return t == DType::c64 || t == DType::c128;
}
constexpr bool is_inexact(DType t) { return is_float(t) || is_complex(t); }
constexpr bool is_numeric(DType t) { return is_int(t) || is_inexact(t); }
// c64 -> f32, c128 -> f64, others unchanged.
constexpr DType real_dtype(DType t) {
  return t == DType::c64 ? DType::f32 : t == DType::c128 ? DType::f64 : t;
}
constexpr DType complex_dtype(DType t) {
  return t == DType::f64 || t == DType::c128 ? DType::c128 : DType::c64;
}
constexpr DType unsigned_of_size(int64_t bytes) {
  return bytes == 1   ? DType::u8
         : bytes == 2 ? DType::u16
         : bytes == 4 ? DType::u32
                      : DType::u64;
}

// ---- narrow dtypes: stored in a byte, computed in wide_dtype(t)
constexpr bool is_narrow_int(DType t) {
  return t == DType::i2 || t == DType::i4 || t == DType::u2 || t == DType::u4;
}
constexpr bool is_narrow_float(DType t) {
  return t >= DType::f4_e2m1fn && t <= DType::f8_e8m0fnu;
}
constexpr bool is_narrow(DType t) {
  return is_narrow_int(t) || is_narrow_float(t);
}
constexpr DType wide_dtype(DType t) {
  return is_narrow_float(t)  ? DType::f32
         : !is_narrow_int(t) ? t
         : is_signed_int(t)  ? DType::i8
                             : DType::u8;
}
constexpr int bit_width(DType t) {
  return t == DType::bool_                           ? 1
         : t == DType::i2 || t == DType::u2          ? 2
         : is_narrow_int(t) || t == DType::f4_e2m1fn ? 4
                                                     : int(8 * itemsize(t));
}

// What the bit patterns of a narrow float mean. Below the sign bit lie the
// exponent, then the mantissa; exponent 0 is subnormal.
enum class SpecialValues : uint8_t {
  ieee,            // the greatest exponent: infinity and nans
  nan_only,        // all ones is nan, no infinity ("fn")
  one_nan,         // the sign bit alone is nan: no infinity, no -0 ("fnuz")
  none,            // all patterns are finite
  unsigned_power,  // no sign, no zero: 2^(bits - bias), all ones is nan
};
struct NarrowFormat {
  int8_t exponent, mantissa, bias;
  SpecialValues special;
  constexpr uint32_t magnitude_mask() const {
    return (1u << (exponent + mantissa)) - 1;
  }
  constexpr uint32_t max_finite() const {
    uint32_t all = magnitude_mask();
    return special == SpecialValues::ieee ? all - (1u << mantissa)
           : special == SpecialValues::nan_only ||
                   special == SpecialValues::unsigned_power
               ? all - 1
               : all;
  }
  // The patterns (without a sign) of what is too great, and of nan.
  constexpr uint32_t overflow() const {
    return special == SpecialValues::one_nan ? magnitude_mask() + 1
           : special == SpecialValues::none  ? magnitude_mask()
                                             : max_finite() + 1;
  }
  constexpr uint32_t nan() const {
    return special == SpecialValues::ieee
               ? max_finite() + 1 + (1u << (mantissa - 1))
           : special == SpecialValues::one_nan || special == SpecialValues::none
               ? magnitude_mask() + 1
               : magnitude_mask();
  }
};
NarrowFormat narrow_format(DType t);  // t: a narrow float
float narrow_to_float(DType t, uint8_t bits) noexcept;
uint8_t float_to_narrow(DType t, double x) noexcept;  // to nearest even

std::string_view dtype_name(DType t);   // "float32", "key<fry>"
std::string_view dtype_short(DType t);  // "f32", as jaxprs print it
bool parse_dtype(std::string_view name, DType* out);  // names, not short ones
inline void append_to(std::string& out, DType t) { out += dtype_short(t); }

template <class T>
struct dtype_of;
// clang-format off
#define COTAN_DTYPE_OF(T, D)                 \
  template <>                                \
  struct dtype_of<T> {                       \
    static constexpr DType value = DType::D; \
  };
COTAN_DTYPE_OF(bool, bool_) COTAN_DTYPE_OF(int8_t, i8)
COTAN_DTYPE_OF(int16_t, i16) COTAN_DTYPE_OF(int32_t, i32)
COTAN_DTYPE_OF(int64_t, i64) COTAN_DTYPE_OF(uint8_t, u8)
COTAN_DTYPE_OF(uint16_t, u16) COTAN_DTYPE_OF(uint32_t, u32)
COTAN_DTYPE_OF(uint64_t, u64) COTAN_DTYPE_OF(f16_t, f16)
COTAN_DTYPE_OF(bf16_t, bf16) COTAN_DTYPE_OF(float, f32)
COTAN_DTYPE_OF(double, f64) COTAN_DTYPE_OF(std::complex<float>, c64)
COTAN_DTYPE_OF(std::complex<double>, c128)
#undef COTAN_DTYPE_OF
// clang-format on

// Calls f.template operator()<T>() with the storage type of t.
// key, float0 and narrow dtypes hold no arithmetic type: keys go as u32, u64 or
// c128 by their size, the others as u8.
template <class F>
decltype(auto) visit_dtype(DType t, F&& f) {
  switch (t) {
    case DType::bool_:
      return f.template operator()<bool>();
    case DType::i8:
      return f.template operator()<int8_t>();
    case DType::i16:
      return f.template operator()<int16_t>();
    case DType::i32:
      return f.template operator()<int32_t>();
    case DType::i64:
      return f.template operator()<int64_t>();
    case DType::u8:
    case DType::float0:
    case DType::i2:
    case DType::i4:
    case DType::u2:
    case DType::u4:
    case DType::f4_e2m1fn:
    case DType::f8_e3m4:
    case DType::f8_e4m3:
    case DType::f8_e4m3b11fnuz:
    case DType::f8_e4m3fn:
    case DType::f8_e4m3fnuz:
    case DType::f8_e5m2:
    case DType::f8_e5m2fnuz:
    case DType::f8_e8m0fnu:
      return f.template operator()<uint8_t>();
    case DType::u16:
      return f.template operator()<uint16_t>();
    case DType::u32:
    case DType::key_phx2:
      return f.template operator()<uint32_t>();
    case DType::u64:
    case DType::key:
    case DType::key_phx4:
      return f.template operator()<uint64_t>();
    case DType::f16:
      return f.template operator()<f16_t>();
    case DType::bf16:
      return f.template operator()<bf16_t>();
    case DType::f32:
      return f.template operator()<float>();
    case DType::f64:
      return f.template operator()<double>();
    case DType::c64:
      return f.template operator()<std::complex<float>>();
    case DType::c128:
    case DType::key_fry4:
    case DType::key_rbg:
    case DType::key_urbg:
      return f.template operator()<std::complex<double>>();
  }
  __builtin_unreachable();
}

}  // namespace cotan
