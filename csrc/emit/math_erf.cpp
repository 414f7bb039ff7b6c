// erf, erfc and the inverse of erf.
#include "emit/math_body.h"

namespace cotan::math {

F Body::erf(F x) {
  F a = abs(x), top = c(6, 4), am = sel(a > top, top, a);
  F t = am * am, s = fma(am, poly(t, pick(kErff, kErfd)), am);
  // 1 - exp(log(erfc)): the polynomial is in a, so one exp is enough
  Exp r = exp_core(poly(am, pick(kLogerfcf, kLogerfcd)));
  F g = c(1) - scale_normal(c(1) + r.p, r.n);
  return xor_sign(sel(a >= c(1), g, s), sign(x));
}

// erfc(a) = exp(-a^2) R((a - K) / (a + K)) / (1 + 2 a), with low words kept
// for a^2, R, and the quotient (after M. Shepherd and J. Laframboise,
// "Chebyshev Approximation of (1+2x)exp(x^2)erfc x", 1981).
F Body::erfc(F x) {
  F a = abs(x), top = c(27.5, 10.2), am = sel(a > top, top, a);
  F k0 = c(4, 2), q = (am - k0) / (am + k0);
  Coefficients k = pick(kErfcf, kErfcd);
  F r0 = c(k[0]), r_low = poly_low(q, k);
  F rh = r0 + r_low, rl = r_low - (rh - r0);
  F den = fma(am, c(2), c(1)), den_lo = fma(am, c(2), c(1) - den);
  F inv = c(1) / den, g = rh * inv;
  F gl = inv * (fma(-g, den, rh) + fma(-g, den_lo, rl));
  F h = am * am, hl = fma(am, am, -h);
  // (1 + r + rest)(1 - hl)
  ExpPair ex = exp_core_pair(-h);
  F rest = ex.rest - fma(hl, ex.r + ex.rest, hl);
  F y = scale(g + fma(g, ex.r, fma(g, rest, gl)), ex.nf, ex.n);
  y = sel(x < c(0), c(2) - y, y);
  F t = x * x, s = fma(x, poly(t, pick(kErff, kErfd)), x);
  return sel(a < c(.46875), c(1) - s, y);
}

F Body::erf_inv(F x) {
  F a = abs(x);
  F u = fma(-a, a, c(1)), w = -log_normal(u);
  // G = G0 + (w - w0) P(w - c), split so that the sum does not cancel
  double split = d ? 6.25 : 5;
  F g0 = c(0x1.288de7c617527p+0, 0x1.288de8p+0);
  F g0_lo = c(0x1.2218aafa7e32ep-54, -0x1.cf456cp-27);
  F p = poly(w - c(split / 2), pick(kErfinvf, kErfinvd));
  F y = fma(a, g0, a * fma(w - c(1.125), p, g0_lo));
  y = rare(~(w < c(split)), y, [&] {
    // In the tail the result is nearly sqrt(w) plus a constant, so what the
    // root and w themselves have lost counts.
    F s = sqrt(w);
    Pair l = log_pair_normal(u);
    F s_lo = ((-l.hi - w) - l.lo + fma(-s, s, w)) * (c(.5) / s);
    auto branch = [&](Coefficients k, F v) {
      return fma(a, c(k[0]), a * (poly_low(v, k) + s_lo));
    };
    if (!d) return branch(kErfinvTailf, s - c(3));
    F tail = branch(kErfinvTaild, s - c(3.25));
    return sel(s < c(4), tail, branch(kErfinvFard, s - c(5)));
  });
  y = sel(a == c(1), inf(), y);
  return xor_sign(sel(a <= c(1), abs(y), nan()), sign(x));
}

}  // namespace cotan::math
