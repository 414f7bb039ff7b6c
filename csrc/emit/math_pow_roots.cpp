// pow, cbrt, rsqrt.
#include "emit/math_body.h"

namespace cotan::math {

// k + log2(m), m in [0.7, 1.41], as an unevaluated sum with a relative error
// of about 2^-63 (f64) and 2^-31 (f32): a power multiplies it by up to the
// largest exponent.
Pair Body::log2_reduced(F m, F kf) {
  // log2(m) = log2(m c) - log2(c), c in {5/4, 1, 3/4}: f = m c - 1 is exact
  // and at most 1/5.
  M below = m<c(.84), above = m> c(1.19);
  auto choose = [&](F b, F mid, F a) {
    return sel(below, b, sel(above, a, mid));
  };
  F f = fma(m, choose(c(1.25), c(1), c(.75)), c(-1));
  F th = choose(c(-0x1.49a784bcd2p-2, -0x1.49a8p-2), c(0),
                c(0x1.a8ff971810p-2, 0x1.a9p-2));
  F tl = choose(c(0x1.1d406db502403p-44, 0x1.ed0cbap-20), c(0),
                c(0x1.4bc302ffa76fbp-43, -0x1.a39fbep-20));
  // s = f / (2 + f); log2(1 + f) = s (c1 + s^2 (c3 + s^2 Q(s^2)))
  F dh = c(2) + f, dl = f - (dh - c(2)), inv = c(1) / dh;
  F sh = f * inv, sl = inv * fma(-sh, dl, fma(-sh, dh, f));
  F t = sh * sh, lh = f, ll = f;
  if (!d) {
    F c1 = c(0x1.715476p+1), u = fma(t, poly(t, kLog2Pf), c(0x1.4ae0cp-25));
    lh = sh * c1;
    ll = fma(sh, c1, -lh) + fma(sh, u, sl * c1);
  } else {
    F c1 = c(0x1.71547652b82fep+1), c1l = c(0x1.777d0ffda0d24p-55);
    F c3 = c(0x1.ec709dc3a03fdp-1), c3l = c(0x1.d27f05548af0cp-55);
    F t_lo = fma(sh, sh, -t) + (sh + sh) * sl;
    F v = t * poly(t, kLog2Qd), uh = c3 + v, ul = (v - (uh - c3)) + c3l;
    F ph = t * uh, pl = fma(t, uh, -ph) + fma(t, ul, t_lo * uh);
    F wh = c1 + ph, wl = (ph - (wh - c1)) + (pl + c1l);
    lh = sh * wh;
    ll = fma(sh, wh, -lh) + fma(sh, wl, sl * wh);
  }
  F whole = kf + th, hi = whole + lh;  // the first sum is exact
  return {hi, (lh - (hi - whole)) + (ll + tl)};
}

F Body::pow(F x, F y) {
  I k = log_exponent(x);
  Pair l = log2_reduced(scale_normal(x, ci(0) - k), small_to_float(k));
  F zh = y * l.hi, zl = fma(y, l.hi, -zh) + y * l.lo;
  F t = (zh + zl) + magic(), nf = t - magic(), r = (zh - nf) + zl;
  F p = fma(r, poly(r, pick(kExp2f, kExp2d)), c(1));
  M usual = is_usual(x) & (abs(zh) < c(1020, 124));
  return rare(~usual, scale_normal(p, bits(t)), [&] { return pow_any(x, y); });
}

F Body::pow_any(F x, F y) {
  F ax = abs(x);
  M small = ax < min_normal();
  F xs = sel(small, ax * c(0x1p54, 0x1p24), ax);
  I k = log_exponent(xs);
  F kf = small_to_float(k);
  kf = sel(small, kf - c(54, 24), kf);
  Pair l = log2_reduced(scale_normal(xs, ci(0) - k), kf);
  F lh = sel(ax == c(0), -inf(), l.hi);
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
