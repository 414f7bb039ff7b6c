// lgamma and digamma. Below zero by reflection; there, near the zeros of the
// functions, the error is bounded absolutely (docs/accuracy.md).
#include "emit/math_body.h"

namespace cotan::math {

// sin and cos of pi |f| for f = x - round(x); exact reduction.
Body::SinCos Body::sin_cos_pi_fraction(F x) {
  F whole = {e.raw_unary(UnaryOp::round_even, x.s), &e};
  F f = abs(x - whole);
  M big = f > c(.25);
  F g = sel(big, c(.5) - f, f);
  F r = g * c(0x1.921fb54442d18p+1), t = r * r;
  F s = sin_poly(r, t), k = cos_poly(t);
  return {sel(big, k, s), sel(big, s, k)};
}

F Body::lgamma_positive(F z) {
  F half = c(.5);
  // near 1 (below 1/2: lgamma(z) = lgamma(1 + z) - log z) and near 2
  M tiny = z < half, first = z < c(1.5);
  F w = sel(tiny, z, z - c(1));
  Coefficients k1 = pick(kLgamma1f, kLgamma1d);
  F y = fma(w, c(k1[0]), w * poly_low(w, k1));
  y = rare(tiny, y, [&] {
    Pair l = log_pair(z);
    return (y - l.hi) - l.lo;
  });
  y = rare(~first, y, [&] {
    // down to [3/2, 5/2) by lgamma(v) = lgamma(v - 1) + log(v - 1)
    F v = z, prod = c(1);
    for (int i = 0; i < 6; ++i) {
      M above = v >= c(2.5);
      F less = v - c(1);
      prod = sel(above, prod * less, prod);
      v = sel(above, less, v);
    }
    F u = v - c(2);
    Coefficients k2 = pick(kLgamma2f, kLgamma2d);
    F p = fma(u, c(k2[0]), u * poly_low(u, k2));
    return rare(z >= c(2.5), p, [&] { return p + log_normal(prod); });
  });
  return rare(~(z < c(8)), y, [&] {
    // (z - 1/2) (log z - 1) + (log(2 pi) - 1) / 2 + S(1 / z^2) / z
    F inv = c(1) / z;
    F s = inv * poly(inv * inv, pick(kStirlingf, kStirlingd));
    Pair l = log_pair(z);
    F m = z - half;
    F big = fma(m, l.hi - c(1), fma(m, l.lo, s + c(0x1.acfe390c97d69p-2)));
    return sel(z < inf(), big, z);
  });
}

F Body::lgamma(F x) {
  M neg = x < c(0);
  F y = lgamma_positive(sel(neg, c(1) - x, x));
  y = rare(neg, y, [&] {
    // log(pi / |sin(pi x)|) - lgamma(1 - x)
    F ratio = c(0x1.921fb54442d18p+1) / sin_cos_pi_fraction(x).sin;
    F v = log(ratio) - y;
    return sel(x > -inf(), v, inf());
  });
  return sel(x == c(0), inf(), y);
}

F Body::digamma(F x) {
  M neg = x < c(0);
  F z = sel(neg, c(1) - x, x);
  // z in (0, 2): digamma(1 + b), b in [0, 1), as (b - root) P(b - 1/2)
  M small = z < c(1);
  F b = sel(neg, -x, sel(small, x, x - c(1)));
  F root_hi = c(0x1.d8b618d5af8fep-2, 0x1.d8b618p-2);
  F root_lo = c(-0x1.1e563779a1f5bp-56, 0x1.ab5f20p-27);
  Coefficients k = pick(kDigammaf, kDigammad);
  F u = b - c(.5), dist = (b - root_hi) - root_lo;
  F y = fma(dist, c(k[0]), dist * poly_low(u, k));
  F inv = c(1) / z, inv_lo = inv * fma(-z, inv, c(1));
  inv_lo = sel(inv < inf(), inv_lo, c(0));
  y = sel(small, (y - inv_lo) - inv, y);
  y = rare(~(z < c(2)), y, [&] {
    Pair l = log_pair(z);
    F q = inv, tail = poly(q * q, pick(kDigammaTailf, kDigammaTaild));
    F big = l.hi + (l.lo - q * fma(q, tail, c(.5)));
    big = sel(z < inf(), big, z);
    if (!d) return big;
    F v = z - c(3);
    F mid = c(kDigammaMidd[0]) + poly_low(v, kDigammaMidd);
    return sel(z < c(4), mid, big);
  });
  y = rare(neg, y, [&] {
    // digamma(x) = digamma(1 - x) - pi / tan(pi x)
    SinCos sc = sin_cos_pi_fraction(x);
    F whole = {e.raw_unary(UnaryOp::round_even, x.s), &e};
    F cot = c(0x1.921fb54442d18p+1) * (sc.cos / sc.sin);
    F v = y - with_sign(cot, x - whole);
    return sel((sc.sin != c(0)) & (x > -inf()), v, nan());
  });
  return sel(x == c(0), nan(), y);
}

}  // namespace cotan::math
