// Body: the vocabulary in which the math functions are written. F, I and M
// are float, same-width signed integer and mask lanes over a ScalarEmitter,
// with operators; Body holds the constants of the format (f32 or f64) and
// one method per function. Every method lives in the math_<family>.cpp of
// its family.
//
// Rules: only correctly rounded operations and integer ones, so every IEEE
// target gives the same bits; fma is explicit; no tables; inputs that data
// seldom hits go to rare() blocks. Sign and payload of a nan are not fixed.
#pragma once

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <span>

#include "emit/math_coefficients.h"
#include "emit/scalar.h"

namespace cotan::math {

struct F {
  Scalar s;
  ScalarEmitter* e;
};
struct I {
  Scalar s;
  ScalarEmitter* e;
};
struct M {
  Scalar s;
  ScalarEmitter* e;
};

inline F operator+(F x, F y) {
  return {x.e->raw_binary(BinaryOp::add, x.s, y.s), x.e};
}
inline F operator-(F x, F y) {
  return {x.e->raw_binary(BinaryOp::sub, x.s, y.s), x.e};
}
inline F operator*(F x, F y) {
  return {x.e->raw_binary(BinaryOp::mul, x.s, y.s), x.e};
}
inline F operator/(F x, F y) {
  return {x.e->raw_binary(BinaryOp::div, x.s, y.s), x.e};
}
inline F operator-(F x) { return {x.e->raw_unary(UnaryOp::neg, x.s), x.e}; }
inline F fma(F x, F y, F z) { return {x.e->raw_fma(x.s, y.s, z.s), x.e}; }
inline F abs(F x) { return {x.e->raw_unary(UnaryOp::abs, x.s), x.e}; }
inline F sqrt(F x) { return {x.e->raw_unary(UnaryOp::sqrt, x.s), x.e}; }
inline F trunc(F x) { return {x.e->raw_unary(UnaryOp::trunc, x.s), x.e}; }

inline I operator+(I x, I y) {
  return {x.e->raw_binary(BinaryOp::add, x.s, y.s), x.e};
}
inline I operator-(I x, I y) {
  return {x.e->raw_binary(BinaryOp::sub, x.s, y.s), x.e};
}
inline I operator*(I x, I y) {
  return {x.e->raw_binary(BinaryOp::mul, x.s, y.s), x.e};
}
inline I operator&(I x, I y) {
  return {x.e->raw_binary(BinaryOp::and_, x.s, y.s), x.e};
}
inline I operator|(I x, I y) {
  return {x.e->raw_binary(BinaryOp::or_, x.s, y.s), x.e};
}
inline I operator^(I x, I y) {
  return {x.e->raw_binary(BinaryOp::xor_, x.s, y.s), x.e};
}
inline I shl(I x, int k) { return {x.e->shl(x.s, k), x.e}; }
inline I lshr(I x, int k) { return {x.e->lshr(x.s, k), x.e}; }
inline I ashr(I x, int k) { return {x.e->ashr(x.s, k), x.e}; }
inline I shl(I x, I k) {
  return {x.e->raw_binary(BinaryOp::shl, x.s, k.s), x.e};
}
inline I lshr(I x, I k) {
  return {x.e->raw_binary(BinaryOp::lshr, x.s, k.s), x.e};
}

inline M compare(CompareOp op, Scalar x, Scalar y, ScalarEmitter* e) {
  return {e->raw_compare(op, x, y), e};
}
inline M operator<(F x, F y) { return compare(CompareOp::lt, x.s, y.s, x.e); }
inline M operator<=(F x, F y) { return compare(CompareOp::le, x.s, y.s, x.e); }
inline M operator>(F x, F y) { return compare(CompareOp::gt, x.s, y.s, x.e); }
inline M operator>=(F x, F y) { return compare(CompareOp::ge, x.s, y.s, x.e); }
inline M operator==(F x, F y) { return compare(CompareOp::eq, x.s, y.s, x.e); }
inline M operator!=(F x, F y) { return compare(CompareOp::ne, x.s, y.s, x.e); }
inline M operator<(I x, I y) { return compare(CompareOp::lt, x.s, y.s, x.e); }
inline M operator==(I x, I y) { return compare(CompareOp::eq, x.s, y.s, x.e); }
inline M operator!=(I x, I y) { return compare(CompareOp::ne, x.s, y.s, x.e); }
inline M operator&(M x, M y) {
  return {x.e->raw_binary(BinaryOp::and_, x.s, y.s), x.e};
}
inline M operator|(M x, M y) {
  return {x.e->raw_binary(BinaryOp::or_, x.s, y.s), x.e};
}
inline M operator~(M x) { return {x.e->raw_unary(UnaryOp::not_, x.s), x.e}; }
inline F sel(M m, F x, F y) { return {m.e->raw_select(m.s, x.s, y.s), m.e}; }
inline I sel(M m, I x, I y) { return {m.e->raw_select(m.s, x.s, y.s), m.e}; }

using Coefficients = std::span<const double>;

// An unevaluated sum hi + lo with |lo| far below |hi|.
struct Pair {
  F hi, lo;
};

class Body {
 public:
  Body(ScalarEmitter& e, DType t)
      : e(e),
        d(t == DType::f64),
        ft(t),
        it(d ? DType::i64 : DType::i32),
        mant(d ? 52 : 23),
        bias(d ? 1023 : 127) {}

  ScalarEmitter& e;
  const bool d;  // f64
  const DType ft, it;
  const int mant, bias;

  // ---- constants of the format
  F c(double x);
  I ci(int64_t x);
  F c(double x64, double x32) { return c(d ? x64 : x32); }
  int64_t one_bits() const { return int64_t(bias) << mant; }
  int64_t inf_bits() const { return int64_t(2 * bias + 1) << mant; }
  int64_t sign_bit() const {
    return d ? std::numeric_limits<int64_t>::min() : int64_t(0x80000000);
  }
  F inf() { return c(HUGE_VAL); }
  F nan() { return c(std::numeric_limits<double>::quiet_NaN()); }
  F magic() { return c(0x1.8p52, 0x1.8p23); }  // adds round to integer
  // Positive, normal and finite, by one unsigned comparison.
  M is_usual(F x) {
    int64_t tiny = int64_t(1) << mant;
    I shifted = (bits(x) - ci(tiny)) ^ ci(sign_bit());
    return shifted < ci((inf_bits() - tiny) ^ sign_bit());
  }
  F min_normal() { return c(0x1p-1022, 0x1p-126); }
  Coefficients pick(Coefficients f, Coefficients dd) { return d ? dd : f; }

  // ---- bits
  I bits(F x) { return {e.raw_bitcast(x.s, it), &e}; }
  F flt(I x) { return {e.raw_bitcast(x.s, ft), &e}; }
  F cvt(I x) { return {e.raw_convert(x.s, ft), &e}; }
  F small_to_float(I x);  // |x| < 2^22
  I sign(F x) { return bits(x) & ci(sign_bit()); }
  F xor_sign(F x, I s) { return flt(bits(x) ^ s); }
  F with_sign(F mag, F s) { return xor_sign(mag, sign(s)); }  // mag >= 0
  F lookup(I index, const double* table) {
    return {e.raw_lookup(index.s, ft, table), &e};
  }
  F clamp(F x, double lo, double hi);  // keeps nan

  // ---- building blocks
  F poly(F x, Coefficients k);  // Horner, lowest power first
  // A split table ends with the low word of its constant term: this is the
  // polynomial less the high word k[0].
  F poly_low(F x, Coefficients k);
  template <class Fn>
  F rare(M m, F usual, Fn&& slow) {
    Scalar v = usual.s;
    // A reference fits std::function's own storage: no allocation.
    auto run = [&](std::span<Scalar> out) { out[0] = slow().s; };
    e.rare_many(m.s, {&v, 1}, std::ref(run));
    return {v, &e};
  }

  // ---- exp, log (math_exp_log.cpp)
  struct Exp {  // e^x = 2^n (1 + p)
    F p, nf;
    I n;  // low bits: n; the rest is the exponent of magic()
  };
  Exp exp_core(F x);
  struct ExpPair {  // e^x = 2^n (1 + r + rest), rest small beside r
    F r, rest, nf;
    I n;
  };
  ExpPair exp_core_pair(F x);
  F scale(F y, F nf, I n);   // y 2^n with one rounding
  F scale_normal(F y, I n);  // y 2^n where the result is normal
  F pow2(I n, int offset);   // 2^(n + offset), a normal number
  F exp(F x);
  F exp2(F x);
  F expm1(F x);
  F log_poly(F f, F kf);  // k ln 2 + log(1 + f)
  Pair log_poly_pair(F f, F kf);
  F log(F x);
  // x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), for normal x
  I log_exponent(F x);
  F log_fraction(F x, I k) { return scale_normal(x, ci(0) - k) - c(1); }
  F log_normal(F x) {  // x positive, normal and finite
    I k = log_exponent(x);
    return log_poly(log_fraction(x, k), small_to_float(k));
  }
  Pair log_pair_normal(F x);
  Pair log_pair(F x);  // x positive and finite
  F log_special(F x, F y);
  // log(1 + v + vl) for v > -1
  F log1p_core(F v, F vl);
  F log1p(F x);

  // ---- trigonometric (math_trig.cpp)
  struct Reduced {  // |x| = q pi/2 + r + lo
    F r, lo;
    I q;
  };
  Reduced reduce(F ax, bool want_lo);
  void payne_hanek(F ax, F& r, F& lo, I& q);
  F sin_poly(F r, F t);
  F cos_poly(F t);
  struct SinCos {
    F sin, cos;
  };
  F sin_or_cos(F x, bool cosine);
  SinCos sin_cos(F x);
  F sin(F x) { return sin_or_cos(x, false); }
  F cos(F x) { return sin_or_cos(x, true); }
  F tan(F x);
  F asin(F x);
  F acos(F x);
  F atan(F x);
  F atan2(F y, F x);

  // ---- hyperbolic (math_hyperbolic.cpp)
  struct SinhCosh {  // halved, so that neither overflows early
    F sinh, cosh;
  };
  SinhCosh sinh_cosh_halved(F ax);
  F sinh(F x);
  F cosh(F x);
  F tanh(F x);
  F asinh(F x);
  F acosh(F x);
  F atanh(F x);
  F logistic(F x);

  // ---- error functions (math_erf.cpp)
  F erf(F x);
  F erfc(F x);
  F erf_inv(F x);

  // ---- powers (math_pow_roots.cpp)
  F pow(F x, F y);
  F pow_any(F x, F y);
  Pair log2_pair(F x);  // x positive, normal and finite
  F cbrt(F x);
  F cbrt_usual(F a);
  F rsqrt(F x);
  F rsqrt_usual(F a);

  // ---- gamma (math_gamma.cpp)
  F lgamma(F x);
  F lgamma_near(F x);              // -8 < x < 1/2
  F lgamma1(F w);                  // lgamma(1 + w), |w| <= 1/2
  F lgamma_positive(F z, F z_lo);  // z >= 1/2
  F sin_pi(F f);                   // |f| <= 1/2
  F digamma(F x);
};

}  // namespace cotan::math
