// pow, cbrt, rsqrt.
#include "emit/math_body.h"

namespace cotan::math {

// log2(x) as an unevaluated sum with a relative error of about 2^-63 (f64)
// and 2^-31 (f32): a power multiplies it by up to the largest exponent.
// x = 2^k m, m in [0.703, 1.406) in sixteen parts, each with a short c near
// 1 / m: f = m c - 1 is exact, at most 0.035, and f = m - 1 around one.
Pair Body::log2_pair(F x) {
  I ix = bits(x), t = ix - ci(d ? 0x3fe6800000000000 : 0x3f340000);
  I k = ashr(t, mant), part = lshr(t, mant - 4);
  F m = flt(ix - shl(k, mant));
  F f = fma(m, lookup(part, kPowInverse), c(-1));
  F th = lookup(part, d ? kPowLog2Hid : kPowLog2Hif);
  F tl = lookup(part, d ? kPowLog2Lod : kPowLog2Lof);
  // log(1 + f) = w + wl = f - f^2 / 2 + f^3 P(f)
  F f2 = f * f, w = fma(f2, c(-.5), f), wl = fma(f2, c(-.5), f - w);
  wl = fma(fma(f, f, -f2), c(-.5), wl);
  wl = fma(f2 * f, poly(f, pick(kLogPartf, kLogPartd)), wl);
  // times log2(e)
  F e1 = c(0x1.71547652b82fep+0, 0x1.715476p+0);
  F e2 = c(0x1.777d0ffda0d24p-56, 0x1.4ae0cp-26);
  F lh = w * e1, ll = fma(w, e1, -lh);
  ll = fma(w, e2, fma(wl, e1, ll)) + tl;
  F whole = small_to_float(k) + th, hi = whole + lh;  // the first is exact
  return {hi, (lh - (hi - whole)) + ll};
}

F Body::pow(F x, F y) {
  Pair l = log2_pair(x);
  F zh = y * l.hi, zl = fma(y, l.lo, fma(y, l.hi, -zh));
  F t = (zh + zl) + magic(), nf = t - magic(), r = (zh - nf) + zl;
  F p = fma(r, poly(r, pick(kExp2f, kExp2d)), c(1));
  M usual = is_usual(x) & (abs(zh) < c(1020, 124));
  return rare(~usual, scale_normal(p, bits(t)), [&] { return pow_any(x, y); });
}

F Body::pow_any(F x, F y) {
  F ax = abs(x);
  M small = ax < min_normal();
  F xs = sel(small, ax * c(0x1p54, 0x1p24), ax);
  Pair l = log2_pair(xs);
  F lift = sel(small, c(54, 24), c(0)), lh = l.hi - lift;
  l.lo = l.lo + ((l.hi - lh) - lift);
  lh = sel(ax == c(0), -inf(), lh);
  lh = sel(ax < inf(), lh, ax);
  F zh = y * lh, zl = fma(y, lh, -zh) + y * l.lo;
  double top = d ? 1100 : 160;
  zl = sel(abs(zh) < c(top), zl, c(0));
  zh = clamp(zh, -top, top);
  F t = (zh + zl) + magic(), nf = t - magic(), r = (zh - nf) + zl;
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

// a^(-1/3) from a guess on the exponent, refined without a division; the
// root is then a z^2.
F Body::cbrt_usual(F a) {
  F z = a;
  if (d) {
    // bits / 3 through the high word, as a float in [2^52, 2^53)
    F high = flt(lshr(bits(a), 32) | ci(0x4330000000000000));
    F g = fma(high, c(-1.0 / 3), c(0x1.8p52 + 0x553ef0ff + 0x1p52 / 3));
    z = flt(shl(bits(g), 32));
  } else {
    F g = fma(cvt(bits(a)), c(-0x1p-8 / 3), c(0x1p23 + 0x54a200));
    z = flt(shl(bits(g), 8));
  }
  F err = fma(-(z * a), z * z, c(1));
  z = fma(z * err, poly(err, pick(kCbrtf, kCbrtd)), z);
  if (d) {
    err = fma(-(z * a), z * z, c(1));
    z = fma(z * err, c(1. / 3), z);
  }
  F zz = z * z, y = a * zz;
  err = fma(-(y * y), y, a);
  return fma(err * c(1. / 3), zz, y);
}

F Body::cbrt(F x) {
  F ax = abs(x);
  F y = rare(~is_usual(ax), cbrt_usual(ax), [&] {
    M small = ax < min_normal();
    F r = cbrt_usual(sel(small, ax * c(0x1p54, 0x1p24), ax));
    r = sel(small, r * c(0x1p-18, 0x1p-8), r);
    return sel((ax < inf()) & (ax > c(0)), r, ax);
  });
  return xor_sign(y, sign(x));
}

// Hardware estimates differ between vendors, so the guess is an integer
// subtraction.
F Body::rsqrt_usual(F a) {
  F z = flt(ci(d ? 0x5fe6eb50c7b537a9 : 0x5f375a86) - lshr(bits(a), 1));
  F err = fma(-(z * a), z, c(1));
  z = fma(z * err, poly(err, pick(kRsqrtf, kRsqrtd)), z);
  if (!d) return z;
  err = fma(-(z * a), z, c(1));
  return fma(z * err, fma(err, c(.375), c(.5)), z);
}

F Body::rsqrt(F x) {
  return rare(~is_usual(x), rsqrt_usual(x), [&] {
    M small = x < min_normal();
    F z = rsqrt_usual(sel(small, x * c(0x1p54, 0x1p24), x));
    z = sel(small, z * c(0x1p27, 0x1p12), z);
    z = sel((x < inf()) & (x > c(0)), z, sel(x == inf(), c(0), nan()));
    return sel(x == c(0), flt(bits(inf()) | sign(x)), z);
  });
}

}  // namespace cotan::math
