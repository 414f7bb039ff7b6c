#include "ir/dtype.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>

namespace cotan {

namespace {
constexpr std::string_view kNames[kNumDTypes] = {"bool",
                                                 "int2",
                                                 "int4",
                                                 "int8",
                                                 "int16",
                                                 "int32",
                                                 "int64",
                                                 "uint2",
                                                 "uint4",
                                                 "uint8",
                                                 "uint16",
                                                 "uint32",
                                                 "uint64",
                                                 "float4_e2m1fn",
                                                 "float8_e3m4",
                                                 "float8_e4m3",
                                                 "float8_e4m3b11fnuz",
                                                 "float8_e4m3fn",
                                                 "float8_e4m3fnuz",
                                                 "float8_e5m2",
                                                 "float8_e5m2fnuz",
                                                 "float8_e8m0fnu",
                                                 "float16",
                                                 "bfloat16",
                                                 "float32",
                                                 "float64",
                                                 "complex64",
                                                 "complex128",
                                                 "key<fry>",
                                                 "float0",
                                                 "key<fry4>",
                                                 "key<phx2>",
                                                 "key<phx4>",
                                                 "key<rbg>",
                                                 "key<urbg>"};
constexpr std::string_view kShort[kNumDTypes] = {"bool",
                                                 "i2",
                                                 "i4",
                                                 "i8",
                                                 "i16",
                                                 "i32",
                                                 "i64",
                                                 "u2",
                                                 "u4",
                                                 "u8",
                                                 "u16",
                                                 "u32",
                                                 "u64",
                                                 "f4_e2m1fn",
                                                 "f8_e3m4",
                                                 "f8_e4m3",
                                                 "f8_e4m3b11fnuz",
                                                 "f8_e4m3fn",
                                                 "f8_e4m3fnuz",
                                                 "f8_e5m2",
                                                 "f8_e5m2fnuz",
                                                 "f8_e8m0fnu",
                                                 "f16",
                                                 "bf16",
                                                 "f32",
                                                 "f64",
                                                 "c64",
                                                 "c128",
                                                 "key<fry>",
                                                 "float0",
                                                 "key<fry4>",
                                                 "key<phx2>",
                                                 "key<phx4>",
                                                 "key<rbg>",
                                                 "key<urbg>"};

constexpr int kFirstFormat = int(DType::f4_e2m1fn);
using enum SpecialValues;
constexpr NarrowFormat kFormats[] = {
    {2, 1, 1, none},              // f4_e2m1fn
    {3, 4, 3, ieee},              // f8_e3m4
    {4, 3, 7, ieee},              // f8_e4m3
    {4, 3, 11, one_nan},          // f8_e4m3b11fnuz
    {4, 3, 7, nan_only},          // f8_e4m3fn
    {4, 3, 8, one_nan},           // f8_e4m3fnuz
    {5, 2, 15, ieee},             // f8_e5m2
    {5, 2, 16, one_nan},          // f8_e5m2fnuz
    {8, 0, 127, unsigned_power},  // f8_e8m0fnu
};
static_assert(int(DType::f8_e8m0fnu) - kFirstFormat + 1 == std::size(kFormats));
}  // namespace

std::string_view dtype_name(DType t) { return kNames[int(t)]; }
std::string_view dtype_short(DType t) { return kShort[int(t)]; }

bool parse_dtype(std::string_view name, DType* out) {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (name == kNames[i]) {
      *out = DType(i);
      return true;
    }
  }
  return false;
}

NarrowFormat narrow_format(DType t) { return kFormats[int(t) - kFirstFormat]; }

float narrow_to_float(DType t, uint8_t bits) noexcept {
  const NarrowFormat f = narrow_format(t);
  const uint32_t mask = f.magnitude_mask(), m = bits & mask;
  if (f.special == unsigned_power)
    return m == mask ? NAN : std::ldexp(1.0f, int(m) - f.bias);
  const bool negative = bits > mask && (bits & (mask + 1));
  if (f.special == one_nan && negative && m == 0) return NAN;
  if (f.special != none && m > f.max_finite())
    return std::copysign(
        f.special == ieee && m == f.overflow() ? INFINITY : NAN,
        negative ? -1.0f : 1.0f);
  int exponent = int(m >> f.mantissa);
  int fraction = int(m & ((1u << f.mantissa) - 1));
  if (exponent) fraction += 1 << f.mantissa;
  float v =
      std::ldexp(float(fraction), std::max(exponent, 1) - f.bias - f.mantissa);
  return negative ? -v : v;
}

uint8_t float_to_narrow(DType t, double x) noexcept {
  const NarrowFormat f = narrow_format(t);
  if (f.special == unsigned_power) {
    if (!(x > 0) || std::isinf(x)) return 0xff;
    int e;
    double m = std::frexp(x, &e);  // m in [0.5, 1): ties go up
    return uint8_t(std::clamp(e - 1 + (m >= 0.75) + f.bias, 0, 0xff));
  }
  const uint32_t sign = std::signbit(x) ? f.magnitude_mask() + 1 : 0;
  if (std::isnan(x)) return uint8_t(sign | f.nan());
  double a = std::fabs(x);
  uint32_t m;
  if (std::isinf(a)) {
    m = f.overflow();
  } else {
    int e;
    std::frexp(a, &e);  // a < 2^e
    e = a == 0 ? 1 - f.bias : std::max(e - 1, 1 - f.bias);
    // In units of the last place; a carry moves into the exponent by itself.
    auto q = uint32_t(std::nearbyint(std::ldexp(a, f.mantissa - e)));
    uint64_t code = (uint64_t(e + f.bias - 1) << f.mantissa) + q;
    m = code > f.max_finite() ? f.overflow() : uint32_t(code);
  }
  if (f.special == one_nan && (m == 0 || m > f.magnitude_mask()))
    return uint8_t(m);
  return uint8_t(sign | m);
}

float to_float(bf16_t x) noexcept {
  return std::bit_cast<float>(uint32_t(x.bits) << 16);
}

bf16_t to_bf16(float x) noexcept {
  uint32_t u = std::bit_cast<uint32_t>(x);
  if ((u & 0x7fffffff) > 0x7f800000) return {uint16_t(u >> 16 | 0x40)};
  return {uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}

float to_float(f16_t x) noexcept {
  uint32_t sign = uint32_t(x.bits & 0x8000) << 16;
  uint32_t body = x.bits & 0x7fff;
  if (body >= 0x7c00)  // inf, nan
    return std::bit_cast<float>(sign | 0x7f800000 | (body & 0x3ff) << 13);
  // Place the fields as a float with a too small exponent, then scale.
  float v = std::bit_cast<float>(body << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(v));
}

f16_t to_f16(float x) noexcept {
  uint32_t u = std::bit_cast<uint32_t>(x);
  uint16_t sign = uint16_t(u >> 16 & 0x8000);
  u &= 0x7fffffff;
  if (u > 0x7f800000) return {uint16_t(sign | 0x7e00 | (u >> 13 & 0x3ff))};
  if (u >= 0x477ff000) return {uint16_t(sign | 0x7c00)};  // rounds to inf
  if (u < 0x38800000) {  // subnormal: let the float adder round
    float v = std::bit_cast<float>(u) + 0.5f;
    return {uint16_t(sign | (std::bit_cast<uint32_t>(v) - 0x3f000000))};
  }
  u += 0xfff + (u >> 13 & 1);
  return {uint16_t(sign | (u - 0x38000000) >> 13)};
}

}  // namespace cotan
