// The entry point of the real math functions and the helpers of Body.
#include "base/error.h"
#include "emit/math_body.h"

namespace cotan {

namespace math {

F Body::c(double x) {
  Literal lit;
  lit.dtype = ft;
  if (d) {
    std::memcpy(lit.bytes, &x, sizeof x);
  } else {
    float f = float(x);
    std::memcpy(lit.bytes, &f, sizeof f);
  }
  return {e.raw_constant(lit), &e};
}

I Body::ci(int64_t x) {
  Literal lit;
  lit.dtype = it;
  std::memcpy(lit.bytes, &x, d ? 8 : 4);  // little endian
  return {e.raw_constant(lit), &e};
}

F Body::small_to_float(I x) {
  if (!d) return cvt(x);
  // i64 to f64 is one instruction on AVX-512 only
  return flt(x + ci(0x4338000000000000)) - magic();
}

F Body::clamp(F x, double lo, double hi) {
  x = sel(x < c(lo), c(lo), x);
  return sel(x > c(hi), c(hi), x);
}

F Body::poly(F x, Coefficients k) {
  F p = c(k.back());
  for (size_t i = k.size() - 1; i-- > 0;) p = math::fma(p, x, c(k[i]));
  return p;
}

F Body::poly_low(F x, Coefficients k) {
  return math::fma(x, poly(x, k.subspan(1, k.size() - 2)), c(k.back()));
}

}  // namespace math

Scalar emit_math(ScalarEmitter& e, MathFn fn, Scalar x, Scalar y) {
  COTAN_CHECK(x.dtype == DType::f32 || x.dtype == DType::f64);
  math::Body b(e, x.dtype);
  math::F v{x, &e}, w{y, &e};
  switch (fn) {
    case MathFn::exp:
      return b.exp(v).s;
    case MathFn::exp2:
      return b.exp2(v).s;
    case MathFn::expm1:
      return b.expm1(v).s;
    case MathFn::log:
      return b.log(v).s;
    case MathFn::log1p:
      return b.log1p(v).s;
    case MathFn::sin:
      return b.sin(v).s;
    case MathFn::cos:
      return b.cos(v).s;
    case MathFn::tan:
      return b.tan(v).s;
    case MathFn::asin:
      return b.asin(v).s;
    case MathFn::acos:
      return b.acos(v).s;
    case MathFn::atan:
      return b.atan(v).s;
    case MathFn::sinh:
      return b.sinh(v).s;
    case MathFn::cosh:
      return b.cosh(v).s;
    case MathFn::tanh:
      return b.tanh(v).s;
    case MathFn::asinh:
      return b.asinh(v).s;
    case MathFn::acosh:
      return b.acosh(v).s;
    case MathFn::atanh:
      return b.atanh(v).s;
    case MathFn::logistic:
      return b.logistic(v).s;
    case MathFn::erf:
      return b.erf(v).s;
    case MathFn::erfc:
      return b.erfc(v).s;
    case MathFn::erf_inv:
      return b.erf_inv(v).s;
    case MathFn::cbrt:
      return b.cbrt(v).s;
    case MathFn::rsqrt:
      return b.rsqrt(v).s;
    case MathFn::lgamma:
      return b.lgamma(v).s;
    case MathFn::digamma:
      if (x.dtype == DType::f32) {  // near its zeros below 0, only f64 will do
        Scalar wide = e.convert(x, DType::f64);
        return e.convert(emit_math(e, fn, wide, y), DType::f32);
      }
      return b.digamma(v).s;
    case MathFn::atan2:
      return b.atan2(v, w).s;
    case MathFn::pow:
      return b.pow(v, w).s;
  }
  __builtin_unreachable();
}

}  // namespace cotan
