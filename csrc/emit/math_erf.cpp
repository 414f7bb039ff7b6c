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
  F r0 = c(k[0]), rest = poly_low(q, k);
  F rh = r0 + rest, rl = rest - (rh - r0);
  F den = fma(am, c(2), c(1)), den_lo = fma(am, c(2), c(1) - den);
  F inv = c(1) / den, g = rh * inv;
  F gl = inv * (fma(-g, den, rh) + fma(-g, den_lo, rl));
  F h = am * am, hl = fma(am, am, -h);
  Exp ex = exp_core(-h);
  // (1 + p)(1 - hl) = 1 + p2
  F p2 = ex.p - fma(hl, ex.p, hl);
  F y = scale(g + fma(g, p2, gl), ex.nf, ex.n);
  y = sel(x < c(0), c(2) - y, y);
  F t = x * x, s = fma(x, poly(t, pick(kErff, kErfd)), x);
  return sel(a < c(.46875), c(1) - s, y);
}

F Body::erf_inv(F x) {
  F a = abs(x), w = -log_normal(fma(-a, a, c(1)));
  auto branch = [&](Coefficients k, F s) {
    return fma(a, c(k[0]), a * poly_low(s, k));
  };
  double split = d ? 6.25 : 5;
  F y = branch(pick(kErfinvf, kErfinvd), w - c(split / 2));
  y = rare(~(w < c(split)), y, [&] {
    F s = sqrt(w);
    if (!d) return branch(kErfinvTailf, s - c(3));
    F tail = branch(kErfinvTaild, s - c(3.25));
    return sel(s < c(4), tail, branch(kErfinvFard, s - c(5)));
  });
  y = sel(a == c(1), inf(), y);
  return xor_sign(sel(a <= c(1), abs(y), nan()), sign(x));
}

}  // namespace cotan::math
