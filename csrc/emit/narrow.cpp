// Conversions of narrow dtypes for all targets, in integer arithmetic on the
// bits. Formats come from the table in ir/dtype.cpp.
#include <bit>
#include <cmath>

#include "emit/scalar.h"

namespace cotan {

namespace {

constexpr int kMantissa = 23, kBias = 127;  // of f32
constexpr int64_t kInfinity = 0x7f800000;

float power_of_two(int n) { return std::ldexp(1.0f, n); }

struct FloatCodec {
  ScalarEmitter& e;
  const NarrowFormat f;
  const int64_t mask = f.magnitude_mask(), sign_bit = mask + 1;

  Scalar word(int64_t v) const { return e.constant_int(DType::u32, v); }
  Scalar as_float(Scalar bits) const { return e.bitcast(bits, DType::f32); }

  Scalar decode(Scalar x) const {
    Scalar u = e.convert(e.bitcast(x, DType::u8), DType::u32);
    Scalar nan = word(kInfinity | 0x400000);
    if (f.special == SpecialValues::unsigned_power) {
      // 2^-127 is subnormal in f32.
      Scalar r =
          e.select(e.eq(u, word(0)), word(0x400000), e.shl(u, kMantissa));
      return as_float(e.select(e.eq(u, word(mask)), nan, r));
    }
    // The fields as those of a float with too small an exponent, then scaled:
    // subnormals come out right.
    Scalar m = e.and_(u, word(mask));
    Scalar scale = e.constant(DType::f32, power_of_two(kBias - f.bias));
    Scalar r = e.bitcast(
        e.mul(as_float(e.shl(m, kMantissa - f.mantissa)), scale), DType::u32);
    Scalar greatest = word(f.max_finite());
    if (f.special == SpecialValues::ieee) {
      Scalar special =
          e.select(e.eq(m, word(f.overflow())), word(kInfinity), nan);
      r = e.select(e.gt(m, greatest), special, r);
    } else if (f.special == SpecialValues::nan_only) {
      r = e.select(e.gt(m, greatest), nan, r);
    }
    Scalar sign = e.and_(u, word(sign_bit));
    r = e.or_(r, e.shl(sign, 31 - (f.exponent + f.mantissa)));
    if (f.special == SpecialValues::one_nan)
      r = e.select(e.eq(e.and_(u, word(mask | sign_bit)), word(sign_bit)), nan,
                   r);
    return as_float(r);
  }

  // Half of the last place and more goes up, as ml_dtypes and XLA have it.
  Scalar encode_power(Scalar u) const {
    Scalar r = e.lshr(e.add(u, word(0x400000)), kMantissa);
    r = e.select(e.lt(u, word(0x600000)), word(0), r);
    // Zero, infinity, nan and what has a sign.
    Scalar bad = e.ge(e.sub(u, word(1)), word(kInfinity - 1));
    return e.select(bad, word(mask), r);
  }

  Scalar encode(Scalar x) const {
    Scalar u = e.bitcast(x, DType::u32);
    if (f.special == SpecialValues::unsigned_power) return encode_power(u);
    Scalar a = e.and_(u, word(0x7fffffff));
    const int dropped = kMantissa - f.mantissa;
    Scalar odd = e.and_(e.lshr(a, dropped), word(1));
    Scalar half = word((int64_t{1} << (dropped - 1)) - 1);
    Scalar normal = e.sub(e.lshr(e.add(a, e.add(odd, half)), dropped),
                          word(int64_t(kBias - f.bias) << f.mantissa));
    // Subnormals: the float adder rounds to their last place.
    float shifter = power_of_two(1 - f.bias - f.mantissa + kMantissa);
    Scalar shifted = e.add(as_float(a), e.constant(DType::f32, shifter));
    Scalar subnormal = e.sub(e.bitcast(shifted, DType::u32),
                             word(std::bit_cast<uint32_t>(shifter)));
    Scalar small = e.lt(a, word(int64_t(kBias + 1 - f.bias) << kMantissa));
    Scalar r = e.select(small, subnormal, normal);
    r = e.select(e.gt(r, word(f.max_finite())), word(f.overflow()), r);
    r = e.select(e.gt(a, word(kInfinity)), word(f.nan()), r);
    Scalar sign =
        e.lshr(e.and_(u, word(0x80000000)), 31 - (f.exponent + f.mantissa));
    if (f.special == SpecialValues::one_nan)  // neither 0 nor nan has a sign
      sign = e.select(e.ge(e.sub(r, word(1)), word(mask)), word(0), sign);
    return e.or_(r, sign);
  }
};

Scalar widen(ScalarEmitter& e, Scalar x) {
  if (is_narrow_float(x.dtype))
    return FloatCodec{e, narrow_format(x.dtype)}.decode(x);
  DType wide = wide_dtype(x.dtype);
  int unused = 8 - bit_width(x.dtype);
  if (wide == DType::i8)
    return e.ashr(e.shl(e.bitcast(x, wide), unused), unused);
  return e.and_(e.bitcast(x, wide), e.constant_int(wide, 0xff >> unused));
}

// Truncated, with the last bit saying whether anything was lost: a later
// rounding to fewer bits is right.
Scalar double_to_odd_float(ScalarEmitter& e, Scalar x) {
  Scalar f = e.convert(x, DType::f32), back = e.convert(f, DType::f64);
  Scalar up = e.gt(e.abs(back), e.abs(x));
  Scalar inexact = e.or_(e.lt(back, x), e.gt(back, x));
  Scalar u = e.bitcast(f, DType::u32);
  u = e.sub(u, e.convert(up, DType::u32));
  return e.bitcast(e.or_(u, e.convert(inexact, DType::u32)), DType::f32);
}

Scalar to_narrow_int(ScalarEmitter& e, Scalar x, DType to) {
  DType wide = wide_dtype(to);
  int width = bit_width(to);
  Scalar w = e.convert(x, wide);
  if (is_float(x.dtype)) {  // saturates
    int64_t top = (1 << (width - (wide == DType::i8))) - 1;
    int64_t low = wide == DType::i8 ? -top - 1 : 0;
    Scalar greatest = e.constant_int(wide, top),
           least = e.constant_int(wide, low);
    w = e.select(e.gt(w, greatest), greatest, w);
    w = e.select(e.lt(w, least), least, w);
  }
  Scalar bits = e.and_(e.bitcast(w, DType::u8),
                       e.constant_int(DType::u8, (1 << width) - 1));
  return e.bitcast(bits, to);
}

}  // namespace

Scalar emit_narrow_convert(ScalarEmitter& e, Scalar x, DType to) {
  if (is_narrow(x.dtype)) return e.convert(widen(e, x), to);
  if (is_narrow_int(to)) return to_narrow_int(e, x, to);
  // Integers are rounded to f32 first, as XLA does it.
  x = x.dtype == DType::f64 ? double_to_odd_float(e, x)
                            : e.convert(x, DType::f32);
  Scalar bits = FloatCodec{e, narrow_format(to)}.encode(x);
  return e.bitcast(e.convert(bits, DType::u8), to);
}

}  // namespace cotan
