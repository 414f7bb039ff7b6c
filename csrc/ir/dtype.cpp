#include "ir/dtype.h"

#include <bit>
#include <cstring>

namespace cotan {

namespace {
constexpr std::string_view kNames[kNumDTypes] = {
    "bool",    "int8",      "int16",      "int32",    "int64",    "uint8",
    "uint16",  "uint32",    "uint64",     "float16",  "bfloat16", "float32",
    "float64", "complex64", "complex128", "key<fry>", "float0"};
constexpr std::string_view kShort[kNumDTypes] = {
    "bool", "i8",   "i16", "i32", "i64", "u8",   "u16",      "u32",   "u64",
    "f16",  "bf16", "f32", "f64", "c64", "c128", "key<fry>", "float0"};
}  // namespace

std::string_view dtype_name(DType t) { return kNames[int(t)]; }
std::string_view dtype_short(DType t) { return kShort[int(t)]; }

bool parse_dtype(std::string_view name, DType* out) {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (name == kNames[i] || name == kShort[i]) {
      *out = DType(i);
      return true;
    }
  }
  return false;
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
