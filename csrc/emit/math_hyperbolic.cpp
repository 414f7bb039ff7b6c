// sinh, cosh, tanh, their inverses, and logistic.
#include "emit/math_body.h"

namespace cotan::math {

namespace {
constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kLog2e = 0x1.71547652b82fep+0;
}  // namespace

// With ax = n ln 2 + r: sinh = A cosh r + B sinh r, cosh = B cosh r + A sinh r,
// where A, B = (2^n -+ 2^-n) / 2 are nearly exact. Both are returned halved.
Body::SinhCosh Body::sinh_cosh_halved(F ax) {
  F top = c(710.6, 89.5);
  ax = sel(ax > top, top, ax);
  F t = fma(ax, c(kLog2e), magic()), nf = t - magic();
  F r1 = fma(nf, c(-0x1.62e42fefa39efp-1, -0x1.62e430p-1), ax);
  F ln2_lo = c(-0x1.abc9e3b39803fp-56, 0x1.05c610p-29);
  F r = fma(nf, ln2_lo, r1), rl = fma(nf, ln2_lo, r1 - r), r2 = r * r;
  F s = r + fma(r * r2, poly(r2, pick(kSinhf, kSinhd)), rl);
  F k = r2 * poly(r2, pick(kCoshf, kCoshd));  // cosh r - 1
  I n = bits(t);
  F up = pow2(n, -2);
  F m = sel(nf > c(60), c(60) + magic(), t);  // 2^-n is negligible above
  F down = pow2(ci(0) - bits(m), -2);
  F a = up - down, b = up + down;
  // b may round where a does not: n = 12 in f32.
  F b_low = d ? c(0) : down - (b - up);
  return {a + fma(s, b, k * a), b + (fma(k, b, s * a) + b_low)};
}

F Body::sinh(F x) {
  F y = sinh_cosh_halved(abs(x)).sinh;
  y = with_sign(y + y, x);
  return sel(abs(x) < c(0x1p-28, 0x1p-13), x, y);
}

F Body::cosh(F x) {
  F y = sinh_cosh_halved(abs(x)).cosh;
  return y + y;
}

F Body::tanh(F x) {
  F ax = abs(x), t = ax * ax;
  F s = fma(ax * t, poly(t, pick(kTanhf, kTanhd)), ax);
  // 1 - 2 / (e^2x + 1) above: e^2x needs no more than absolute accuracy, so
  // 2^r is taken of r = 2x log2(e) - n as it comes.
  F top = c(20, 10), z = sel(ax > top, top, ax), k = c(2 * kLog2e);
  F m = fma(z, k, magic()), r = fma(z, k, magic() - m);
  F p = fma(r, poly(r, pick(kExp2f, kExp2d)), c(1));
  F g = c(1) - c(2) / (scale_normal(p, bits(m)) + c(1));
  return xor_sign(sel(ax > c(.6, .55), g, s), sign(x));
}

F Body::logistic(F x) {
  // 1 / (1 + q) or q - q^2 / (1 + q)
  F q = exp(-abs(x)), r = c(1) / (q + c(1));
  return sel(x < c(0), fma(-(q * r), q, q), r);
}

// asinh(a) = log1p(a + a^2 / (1 + sqrt(1 + a^2)))
F Body::asinh(F x) {
  F a = abs(x), s = sqrt(fma(a, a, c(1)));
  M big = a > c(0x1p60, 0x1p30);
  F k = sel(big, c(0), a * (a / (s + c(1))));
  F v = a + k, y = log1p_core(v, (a - v) + k);
  return with_sign(sel(big, y + c(kLn2), y), x);
}

// acosh(1 + t) = log1p(t + sqrt(t (t + 2))), each with a low word
F Body::acosh(F x) {
  M big = x > c(0x1p60, 0x1p30);
  F t = x - c(1), u = t + c(2);
  F ul = sel(t > c(2), t - (u - c(2)), c(2) - (u - t));
  F p = t * u, pl = fma(t, u, -p) + t * ul, s = sqrt(p);
  F sl = (fma(-s, s, p) + pl) / (s + s + min_normal());
  F v = t + s;
  F vl = sel(t > s, s - (v - t), t - (v - s)) + sl;
  F y = log1p_core(sel(big, x, v), sel(big, c(0), vl));
  y = sel(big, y + c(kLn2), y);
  return sel(x >= c(1), y, nan());
}

F Body::atanh(F x) {
  F a = abs(x), t = a * a;
  F small = fma(a * t, poly(t, pick(kAtanhf, kAtanhd)), a);
  F big = c(.5) * log((c(1) + a) / (c(1) - a));
  return xor_sign(sel(a < c(.5), small, big), sign(x));
}

}  // namespace cotan::math
