// lgamma and digamma. Below zero by reflection; there, near the zeros of the
// functions, the error is bounded absolutely (docs/accuracy.md).
#include "emit/math_body.h"

namespace cotan::math {

namespace {
constexpr double kPi = 0x1.921fb54442d18p+1;
}

F Body::sin_pi(F f) {
  f = abs(f);
  M big = f > c(.25);
  F r = sel(big, c(.5) - f, f) * c(kPi), t = r * r;
  return sel(big, cos_poly(t), sin_poly(r, t));
}

F Body::lgamma1(F w) {
  // The first two terms cancel near the minimum at w = 0.46, so their sum
  // keeps its low word.
  Coefficients k = pick(kLgamma1f, kLgamma1d);
  F k0 = c(k[0]), k1 = c(k[1]), p = w * k1, s = k0 + p;
  F low = ((p - (s - k0)) + fma(w, k1, -p)) + c(k.back());
  F rest = poly(w, k.subspan(2, k.size() - 3));
  return fma(w, s, w * fma(w * w, rest, low));
}

// lgamma(x) = lgamma(1 + w) - log |x (x + 1) ... w|, w = x + n in [-1/2, 1/2)
F Body::lgamma_near(F x) {
  F w = x, prod = c(1), low = c(0);
  auto times = [&](M m) {
    F p = prod * w;
    low = sel(m, fma(prod, w, -p) + low * w, low);
    prod = sel(m, p, prod);
  };
  for (int i = 0; i < 8; ++i) {
    M below = w < c(-.5);
    times(below);
    w = sel(below, w + c(1), w);
  }
  times(w == w);
  F y = lgamma1(w);
  Pair l = log_pair(abs(prod));
  F inv = sel(abs(prod) < min_normal(), c(0), c(1) / prod);
  F rest = fma(low, inv, l.lo);
  return sel(prod == c(0), inf(), (y - l.hi) - rest);
}

F Body::lgamma_positive(F z, F z_lo) {
  // lgamma(1 + w) for z < 3/2
  F half = c(.5), w = z - c(1);
  F y = lgamma1(w) + c(0);  // lgamma(1) is +0
  y = rare(~(z < c(1.5)), y, [&] {
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
    F low = fma(m, l.lo, s + c(0x1.acfe390c97d69p-2));
    F big = fma(m, l.hi - c(1), fma(z_lo, l.hi, low));
    return sel(z < inf(), big, z);
  });
}

F Body::lgamma(F x) {
  M far = x <= c(-8);
  F z = c(1) - x, z_lo = (c(1) - z) - x;
  F y = lgamma_positive(sel(far, z, x), sel(far, z_lo, c(0)));
  y = rare((x < c(.5)) & ~far, y, [&] { return lgamma_near(x); });
  return rare(far, y, [&] {
    // -log(|sin(pi x)| / pi) - lgamma(1 - x)
    F whole = {e.raw_unary(UnaryOp::round_even, x.s), &e};
    F s = sin_pi(x - whole);
    Pair l = log_pair(s * c(0x1.45f306dc9c883p-2));
    return sel((s != c(0)) & (x > -inf()), (-l.hi - y) - l.lo, inf());
  });
}

// In f64 only.
F Body::digamma(F x) {
  M neg = x < c(0);
  F z = sel(neg, c(1) - x, x);
  // z in (0, 2): digamma(1 + b), b in [0, 1), as (b - root) P(b - 1/2)
  M small = z < c(1);
  F b = sel(neg, -x, sel(small, x, x - c(1)));
  F root_hi = c(0x1.d8b618d5af8fep-2), root_lo = c(-0x1.1e563779a1f5bp-56);
  Coefficients k = kDigammad;
  F u = b - c(.5), dist = (b - root_hi) - root_lo;
  F y = fma(dist, c(k[0]), dist * poly_low(u, k));
  F inv = c(1) / z, inv_lo = inv * fma(-z, inv, c(1));
  inv_lo = sel(inv < inf(), inv_lo, c(0));
  y = sel(small, (y - inv_lo) - inv, y);
  y = rare(~(z < c(2)), y, [&] {
    Pair l = log_pair(z);
    F q = inv, tail = poly(q * q, kDigammaTaild);
    F big = l.hi + (l.lo - q * fma(q, tail, c(.5)));
    big = sel(z < inf(), big, z);
    F v = z - c(3);
    F mid = c(kDigammaMidd[0]) + poly_low(v, kDigammaMidd);
    return sel(z < c(4), mid, big);
  });
  y = rare(neg, y, [&] {
    // digamma(x) = digamma(1 - x) - pi / tan(pi x)
    F whole = {e.raw_unary(UnaryOp::round_even, x.s), &e};
    F f = x - whole, q = c(1) / f, ql = q * fma(-f, q, c(1));
    ql = sel(abs(q) < inf(), ql, c(0));
    F rest = fma(f, poly(f * f, kCotd), -ql);
    // |f| > 1/4: pi tan(pi (1/2 - |f|))
    F g = c(.5) - abs(f);
    Coefficients k = kTanpid;
    F tan = fma(g, c(k[0]), g * poly_low(g * g, k));
    F v = sel(abs(f) > c(.25), y - with_sign(tan, f), (y + rest) - q);
    return sel((f != c(0)) & (x > -inf()), v, nan());
  });
  return sel(x == c(0), nan(), y);
}

}  // namespace cotan::math
