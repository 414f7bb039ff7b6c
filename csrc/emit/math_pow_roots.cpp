// pow, cbrt, rsqrt.
#include "emit/math_body.h"

namespace cotan::math {

// log2(x) for positive x as an unevaluated sum, good to about 2^-63 (f64)
// and 2^-33 (f32) relative.
Pair Body::log2_pair(F ax) {
  M small = ax < min_normal();
  I ix = bits(sel(small, ax * c(0x1p54, 0x1p24), ax));
  I k = ashr(ix - ci(d ? 0x3fe6a09e667f3bcd : 0x3f3504f3), mant);
  F kf = cvt(k);
  kf = sel(small, kf - c(54, 24), kf);
  F f = flt(ix - shl(k, mant)) - c(1);
  // s = f / (2 + f); log2 = s (c1 + s^2 (c3 + s^2 Q(s^2)))
  F dh = c(2) + f, dl = f - (dh - c(2)), inv = c(1) / dh;
  F sh = f * inv, sl = inv * fma(-sh, dl, fma(-sh, dh, f));
  F th = sh * sh, tl = fma(sh, sh, -th) + (sh + sh) * sl;
  const double c1h = d ? 0x1.71547652b82fep+1 : 0x1.715476p+1;
  const double c1l = d ? 0x1.777d0ffda0d24p-55 : 0x1.4ae0cp-25;
  const double c3h = d ? 0x1.ec709dc3a03fdp-1 : 0x1.ec709ep-1;
  const double c3l = d ? 0x1.d27f05548af0cp-55 : -0x1.e2fe02p-28;
  F v = th * poly(th, pick(kLog2Qf, kLog2Qd)), uh = c(c3h) + v;
  F ul = (v - (uh - c(c3h))) + c(c3l);
  F ph = th * uh, pl = fma(th, uh, -ph) + fma(th, ul, tl * uh);
  F wh = c(c1h) + ph, wl = (ph - (wh - c(c1h))) + (pl + c(c1l));
  F lh = sh * wh, ll = fma(sh, wh, -lh) + fma(sh, wl, sl * wh);
  F hi = kf + lh;
  return {hi, (lh - (hi - kf)) + ll};
}

F Body::pow(F x, F y) {
  F ax = abs(x);
  Pair l = log2_pair(ax);
  F lh = sel(ax == c(0), -inf(), l.hi);
  lh = sel(ax < inf(), lh, ax);
  F zh = y * lh, zl = fma(y, lh, -zh) + y * l.lo;
  double top = d ? 1100 : 160;
  zl = sel(abs(zh) < c(top), zl, c(0));
  zh = clamp(zh, -top, top);
  F t = zh + magic(), nf = t - magic(), r = (zh - nf) + zl;
  F z = scale(fma(r, poly(r, pick(kExp2f, kExp2d)), c(1)), nf, bits(t));
  // C99 special values.
  F half = y * c(.5);
  M is_int = trunc(y) == y, odd = is_int & (trunc(half) != half);
  M neg = bits(x) < ci(0);
  z = xor_sign(z, sel(neg & odd, ci(sign_bit()), ci(0)));
  z = sel((x < c(0)) & ~is_int & (ax < inf()), nan(), z);
  z = sel((x == x) & (y == y), z, x + y);
  z = sel((y == c(0)) | (x == c(1)), c(1), z);
  return sel((ax == c(1)) & (abs(y) == inf()), c(1), z);
}

// No division: z = a^(-1/3) from a guess on the exponent, then a z^2.
F Body::cbrt(F x) {
  F ax = abs(x);
  M small = ax < min_normal();
  F a = sel(small, ax * c(0x1p54, 0x1p24), ax), z = a;
  if (d) {
    // bits / 3 through the high word, which converts exactly to f64
    F high = cvt(lshr(bits(a), 32));
    F g = fma(high, c(-1.0 / 3), c(0x1.8p52 + 0x553ef0ff));
    z = flt(shl(bits(g), 32));
  } else {
    F g = fma(cvt(bits(a)), c(-0x1p-8 / 3), c(0x1p23 + 0x54a2fa));
    z = flt(shl(bits(g), 8));
  }
  for (int i = 0; i < (d ? 3 : 2); ++i) {
    F err = fma(-(z * a), z * z, c(1));
    F p = fma(err, fma(err, c(14. / 81), c(2. / 9)), c(1. / 3));
    z = fma(z * err, p, z);
  }
  F zz = z * z, y = a * zz;
  F err = fma(-(y * y), y, a);
  y = fma(err * c(1. / 3), zz, y);
  y = sel(small, y * c(0x1p-18, 0x1p-8), y);
  y = sel((ax < inf()) & (ax > c(0)), y, x + x);
  return xor_sign(abs(y), sign(x));
}

// Hardware estimates differ between vendors, so the guess is an integer
// subtraction.
F Body::rsqrt(F x) {
  M small = x < c(0x1p-1000, 0x1p-100);
  F a = sel(small, x * c(0x1p100, 0x1p60), x);
  F z = flt(ci(d ? 0x5fe6eb50c7b537a9 : 0x5f375a86) - lshr(bits(a), 1));
  for (int i = 0; i < (d ? 3 : 2); ++i) {
    F err = fma(-(z * a), z, c(1));
    F p = fma(err, fma(err, c(35. / 128), c(5. / 16)), c(3. / 8));
    z = fma(z * err, fma(err, p, c(.5)), z);
  }
  z = sel(small, z * c(0x1p50, 0x1p30), z);
  z = sel((x < inf()) & (x > c(0)), z, sel(x == inf(), c(0), nan()));
  return sel(x == c(0), flt(bits(inf()) | sign(x)), z);
}

}  // namespace cotan::math
