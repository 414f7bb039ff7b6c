// exp, exp2, expm1, log, log1p, and the two cores that other families build
// on: e^x = 2^n (1 + p), and k ln 2 + log(1 + f).
#include "emit/math_body.h"

namespace cotan::math {

namespace {
constexpr double kLog2e = 0x1.71547652b82fep+0;
// ln 2 = hi + lo; in f32, hi has 20 bits.
constexpr double kLn2Hi64 = 0x1.62e42fefa39efp-1;
constexpr double kLn2Lo64 = 0x1.abc9e3b39803fp-56;
constexpr double kLn2Hi32 = 0x1.62e430p-1;
constexpr double kLn2Lo32 = -0x1.05c610p-29;
// Mantissas are taken from [sqrt(1/2), sqrt(2)).
constexpr int64_t kSqrtHalf64 = 0x3fe6a09e667f3bcd;
constexpr int64_t kSqrtHalf32 = 0x3f3504f3;
}  // namespace

Body::Exp Body::exp_core(F x) {
  F t = fma(x, c(kLog2e), magic()), nf = t - magic();
  F r = fma(nf, c(-kLn2Hi64, -kLn2Hi32), x);
  r = fma(nf, c(-kLn2Lo64, -kLn2Lo32), r);
  F p = fma(r * r, poly(r, pick(kExpf, kExpd)), r);
  return {p, nf, bits(t)};
}

Body::ExpPair Body::exp_core_pair(F x) {
  F t = fma(x, c(kLog2e), magic()), nf = t - magic();
  F r1 = fma(nf, c(-kLn2Hi64, -kLn2Hi32), x), ln2_lo = c(-kLn2Lo64, -kLn2Lo32);
  F r = fma(nf, ln2_lo, r1), r_lo = fma(nf, ln2_lo, r1 - r);
  return {r, fma(r * r, poly(r, pick(kExpf, kExpd)), r_lo), nf, bits(t)};
}

F Body::scale(F y, F nf, I n) {
  Scalar out;
  if (e.raw_scale_exp2(y.s, nf.s, &out)) return {out, &e};
  // Two factors; the first product is exact. Only the low bits of the
  // exponents survive the shift in pow2.
  I half = ashr(shl(n, d ? 12 : 9), d ? 13 : 10);  // floor(n / 2)
  return y * pow2(half, 0) * pow2(n - half, 0);
}
F Body::scale_normal(F y, I n) { return flt(bits(y) + shl(n, mant)); }
F Body::pow2(I n, int offset) {
  return flt(shl(n, mant) + ci(one_bits() + offset * (int64_t(1) << mant)));
}

F Body::exp(F x) {
  x = d ? clamp(x, -746, 710) : clamp(x, -104, 89);
  Exp r = exp_core(x);
  return scale(c(1) + r.p, r.nf, r.n);
}

F Body::exp2(F x) {
  x = d ? clamp(x, -1076, 1025) : clamp(x, -151, 129);
  F t = x + magic(), nf = t - magic(), r = x - nf;
  return scale(fma(r, poly(r, pick(kExp2f, kExp2d)), c(1)), nf, bits(t));
}

F Body::expm1(F x) {
  // 2 (2^(n-1) p + (2^(n-1) - 1/2)): no overflow before the result does. p is
  // not rounded to one word: the sum cancels for n = 1.
  ExpPair r = exp_core_pair(d ? clamp(x, -40, 709.9) : clamp(x, -20, 88.9));
  F t = pow2(r.n, -1);
  F y = fma(t, r.rest, fma(t, r.r, t - c(.5)));
  y = y + y;
  y = sel(x > c(0x1.62e42fefa39efp+9, 0x1.62e42ep+6), inf(), y);
  return sel(abs(x) < c(0x1p-54, 0x1p-25), x, y);
}

F Body::log_poly(F f, F kf) {
  if (d) {
    Pair y = log_poly_pair(f, kf);
    return y.hi + y.lo;
  }
  F f2 = f * f;
  F q = fma(f * f2, poly(f, kLogf), kf * c(kLn2Lo32));
  return fma(kf, c(kLn2Hi32), f + fma(f2, c(-.5), q));
}

Pair Body::log_poly_pair(F f, F kf) {
  F f2 = f * f, hi = c(kLn2Hi64, kLn2Hi32), low = kf * c(kLn2Lo64, kLn2Lo32);
  F h = f;
  if (d) {
    // With s = f / (2 + f): f - f^2 / 2 + s (f^2 / 2 + s^2 P(s^2)), as in
    // fdlibm; one division for 14 terms less.
    F q = f / (f + c(2)), t = q * q, half = f2 * c(.5);
    h = fma(q, fma(t, poly(t, kLogsd), half), low) - half;
  } else {
    h = fma(f2, c(-.5), fma(f * f2, poly(f, kLogf), low));
  }
  F s = f + h, err = h - (s - f);
  // |k ln 2| > |s| or k = 0, so this is a fast two-sum.
  F y = fma(kf, hi, s), err2 = fma(kf, hi, -y) + s;
  return {y, err + err2};
}

F Body::log_special(F x, F y) {
  y = sel(x < inf(), y, x);  // +inf and nan
  y = sel(x == c(0), -inf(), y);
  return sel(x < c(0), nan(), y);
}

I Body::log_exponent(F x) {
  return ashr(bits(x) - ci(d ? kSqrtHalf64 : kSqrtHalf32), mant);
}

Pair Body::log_pair_normal(F x) {
  I k = log_exponent(x);
  return log_poly_pair(log_fraction(x, k), small_to_float(k));
}

Pair Body::log_pair(F x) {
  M small = x < min_normal();
  F xs = sel(small, x * c(0x1p54, 0x1p24), x);
  I k = log_exponent(xs);
  F kf = small_to_float(k);
  kf = sel(small, kf - c(54, 24), kf);
  return log_poly_pair(log_fraction(xs, k), kf);
}

F Body::log(F x) {
  return rare(~is_usual(x), log_normal(x), [&] {
    M small = x < min_normal();
    F xs = sel(small, x * c(0x1p54, 0x1p24), x);
    I k = log_exponent(xs);
    F kf = small_to_float(k);
    kf = sel(small, kf - c(54, 24), kf);
    return log_special(x, log_poly(log_fraction(xs, k), kf));
  });
}

F Body::log1p_core(F v, F vl) {
  F u = c(1) + v;
  F err = sel(v > c(1), c(1) - (u - v), v - (u - c(1))) + vl;
  I k = log_exponent(u);
  F m = scale_normal(u, ci(0) - k), s = flt(ci(one_bits()) - shl(k, mant));
  // 2^-k leaves the range at the top, where err does not matter.
  s = sel(v < c(0x1p1000, 0x1p100), s, c(0));
  F y = log_poly(fma(err, s, m - c(1)), small_to_float(k));
  return log_special(u, y);
}

F Body::log1p(F x) {
  return sel(abs(x) < c(0x1p-54, 0x1p-25), x, log1p_core(x, c(0)));
}

}  // namespace cotan::math
