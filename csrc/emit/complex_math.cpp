// Math functions of complex numbers, over the real bodies. Branch cuts and
// special values follow C99 Annex G, as NumPy does, but where that knows one
// part only, of an angle that is infinite or nan, both are nan, as in JAX.
// Products and squares are scaled so that a representable result does not
// overflow on the way.
// The inverse functions follow T. Hull, T. Fairgrieve, P. Tang, "Implementing
// the complex arcsine and arccosine functions using exception handling"
// (1997) and W. Kahan, "Branch cuts for complex elementary functions" (1987).
#include "base/error.h"
#include "emit/math_body.h"

namespace cotan {

namespace math {
namespace {

constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kPio2 = 0x1.921fb54442d18p+0;

struct Z {
  F re, im;
};

class ComplexBody {
 public:
  ComplexBody(ScalarEmitter& e, DType real) : b(e, real) {}

  Z exp(Z z);
  Z exp2(Z z);
  Z expm1(Z z);
  Z log(Z z) { return {log_abs(z.re, c(0), z.im), b.atan2(z.im, z.re)}; }
  Z log1p(Z z);
  Z sinh(Z z);
  Z cosh(Z z);
  Z tanh(Z z);
  Z sin(Z z) { return minus_i(sinh(times_i(z))); }
  Z cos(Z z) { return cosh(times_i(z)); }
  Z tan(Z z) { return minus_i(tanh(times_i(z))); }
  Z asin(Z z);
  Z acos(Z z);
  Z acosh(Z z);
  Z asinh(Z z);
  Z atanh(Z z);
  Z atan(Z z) { return minus_i(atanh(times_i(z))); }
  Z logistic(Z z);
  Z sqrt(Z z);
  Z rsqrt(Z z);
  Z pow(Z z, Z w);
  F hypot(F x, F y);

 private:
  Body b;

  F c(double x) { return b.c(x); }
  F c(double x64, double x32) { return b.c(x64, x32); }
  M finite(F x) { return abs(x) < b.inf(); }
  F max(F x, F y) { return sel(x > y, x, y); }
  F min(F x, F y) { return sel(x > y, y, x); }
  Z times_i(Z z) { return {-z.im, z.re}; }
  Z minus_i(Z z) { return {z.im, -z.re}; }
  Z sel2(M m, Z x, Z y) { return {sel(m, x.re, y.re), sel(m, x.im, y.im)}; }

  // e^x (1 or sc.cos, 1 or sc.sin) without early overflow
  Z exp_times(F x, Body::SinCos sc);
  // sinh x and cosh x times the parts of sc: {sinh cos, cosh sin, ...}
  struct Products {
    F sinh_cos, cosh_sin, cosh_cos, sinh_sin;
  };
  Products sinh_products(F x, F y);
  F log_abs(F x, F x_lo, F y);  // log |(x + x_lo) + iy|
  F near_hypot(F x, F y);       // without scaling by constants; x, y >= 0
  // For x, y >= 0: asin(x + iy) = atan2(x, d) + i imag,
  // acos(x + iy) = atan2(d, x) - i imag.
  struct Arc {
    F x, d, imag;
  };
  Arc arc(F x, F y);
  Z divide(Z x, Z y);
};

Z ComplexBody::exp_times(F x, Body::SinCos sc) {
  // The exponent may leave the range if a part of sc is small; scale() covers
  // twice the range, and what is beyond is a factor of its own.
  const double top = b.d ? 1416 : 174;
  F v = b.clamp(x, -top, top);
  Body::Exp r = b.exp_core(v);
  F m = c(1) + r.p;
  F beyond = b.rare(x > c(top), c(1), [&] { return b.exp(x - c(top)); });
  return {b.scale(m * sc.cos, r.nf, r.n) * beyond,
          b.scale(m * sc.sin, r.nf, r.n) * beyond};
}

Z ComplexBody::exp(Z z) {
  Body::SinCos sc = b.sin_cos(z.im);
  Z y = exp_times(z.re, sc);
  M odd = ~(finite(z.re) & finite(z.im));
  Scalar v[2] = {y.re.s, y.im.s};
  auto slow = [&](std::span<Scalar> out) {
    M up = z.re == b.inf(), down = z.re == -b.inf();
    F factor = sel(down, c(0), z.re);
    out[0] = sel(up | down, factor * sc.cos, y.re).s;
    out[1] = sel(up | down, factor * sc.sin, y.im).s;
  };
  b.e.rare_many(odd.s, v, std::ref(slow));
  F im{v[1], &b.e};
  return {{v[0], &b.e}, sel(z.im == c(0), z.im, im)};
}

Z ComplexBody::exp2(Z z) {
  F hi = z.im * c(kLn2), ln2 = c(kLn2);
  F lo = fma(z.im, ln2, -hi) +
         z.im * c(0x1.abc9e3b39803fp-56, kLn2 - double(float(kLn2)));
  Body::SinCos sc = b.sin_cos(hi);
  M ok = finite(z.im);
  lo = sel(ok, lo, c(0));
  // Sine and cosine of lo.
  Scalar turn[2] = {lo.s, c(1).s};
  auto far = [&](std::span<Scalar> out) {
    Body::SinCos small = b.sin_cos(lo);
    out[0] = small.sin.s;
    out[1] = small.cos.s;
  };
  b.e.rare_many((abs(lo) > c(0x1p-27, 0x1p-13)).s, turn, std::ref(far));
  F ds{turn[0], &b.e}, dc{turn[1], &b.e};
  sc = {fma(ds, sc.cos, dc * sc.sin), fma(-ds, sc.sin, dc * sc.cos)};
  F x = b.d ? b.clamp(z.re, -2040, 2040) : b.clamp(z.re, -250, 250);
  F t = x + b.magic(), nf = t - b.magic(), r = x - nf;
  F m = fma(r, b.poly(r, b.pick(kExp2f, kExp2d)), c(1));
  I n = b.bits(t);
  Z y{b.scale(m * sc.cos, nf, n), b.scale(m * sc.sin, nf, n)};
  // Infinite operands behave as in exp.
  M odd = ~(finite(z.re) & ok);
  Scalar v[2] = {y.re.s, y.im.s};
  auto slow = [&](std::span<Scalar> out) {
    Z w = exp({z.re, sel(ok, hi, z.im)});
    out[0] = w.re.s;
    out[1] = w.im.s;
  };
  b.e.rare_many(odd.s, v, std::ref(slow));
  F im{v[1], &b.e};
  return {{v[0], &b.e}, sel(z.im == c(0), z.im, im)};
}

Z ComplexBody::expm1(Z z) {
  Z y = exp(z);
  F s = b.sin(z.im * c(.5)), k = b.cos(z.im);
  // expm1(x) cos y - 2 sin^2(y / 2)
  F re = fma(b.expm1(z.re), k, c(-2) * (s * s));
  M plain = ~(abs(z.re) < c(40, 20));
  re = sel(plain, y.re - c(1), re);
  return {sel(z.im == c(0), b.expm1(z.re), re), y.im};
}

F ComplexBody::log_abs(F x, F x_lo, F y) {
  F ax = abs(x), ay = abs(y), a = max(ax, ay), q = min(ax, ay);
  M nonfinite = ~((ax < b.inf()) & (ay < b.inf()));
  // Bring the larger one to [sqrt(1/2), sqrt(2)), by 2^-k.
  M small = a < c(0x1p-900, 0x1p-100);
  F up = sel(small, c(0x1p200, 0x1p60), c(1));
  F as = a * up, qs = q * up;
  I k = b.log_exponent(as);
  F half = b.flt(b.ci(b.one_bits()) - shl(ashr(k, 1), b.mant));
  F rest = b.flt(b.ci(b.one_bits()) - shl(k - ashr(k, 1), b.mant));
  F m = (as * half) * rest, p = (qs * half) * rest;
  F xs = ax * up * half * rest;
  F lo = b.xor_sign(x_lo, b.sign(x)) * up * half * rest;
  // s + sl = m^2 + p^2 + 2 x lo, m^2 >= p^2
  F m2 = m * m, m2l = fma(m, m, -m2), p2 = p * p, p2l = fma(p, p, -p2);
  F s = m2 + p2, sl = (p2 - (s - m2)) + (m2l + p2l) + (xs + xs) * lo;
  I j = b.log_exponent(s);
  F f = b.log_fraction(s, j);
  f = fma(sl, b.flt(b.ci(b.one_bits()) - shl(j, b.mant)), f);
  F kf = b.small_to_float(k + k + j) - sel(small, c(400, 120), c(0));
  F r = c(.5) * b.log_poly(f, kf);
  r = sel(a == c(0), -b.inf(), r);
  // inf wins over nan
  F wild = sel((ax == b.inf()) | (ay == b.inf()), b.inf(), b.nan());
  return sel(nonfinite, wild, r);
}

Z ComplexBody::log1p(Z z) {
  F u = c(1) + z.re;
  F lo = sel(abs(z.re) > c(1), c(1) - (u - z.re), z.re - (u - c(1)));
  lo = sel(finite(u), lo, c(0));
  F re = log_abs(u, lo, z.im);
  return {sel((z.re == c(0)) & (z.im == c(0)), z.re, re), b.atan2(z.im, u)};
}

ComplexBody::Products ComplexBody::sinh_products(F x, F y) {
  Body::SinCos sc = b.sin_cos(y);
  F ax = abs(x);
  Body::SinhCosh h = b.sinh_cosh_halved(ax);
  M tiny = ax < c(0x1p-28, 0x1p-13);
  F sh = b.with_sign(sel(tiny, ax, h.sinh + h.sinh), x);
  F ch = h.cosh + h.cosh;
  Products p{sh * sc.cos, ch * sc.sin, ch * sc.cos, sh * sc.sin};
  Scalar v[4] = {p.sinh_cos.s, p.cosh_sin.s, p.cosh_cos.s, p.sinh_sin.s};
  auto slow = [&](std::span<Scalar> out) {
    // cosh = |sinh| = e^|x| / 2
    Z w = exp_times(ax, {c(.5) * sc.sin, c(.5) * sc.cos});
    M up = ax == b.inf();
    F re = sel(up, b.inf() * sc.cos, w.re);
    F im = sel(up, b.inf() * sc.sin, w.im);
    out[0] = b.xor_sign(re, b.sign(x)).s;
    out[1] = im.s;
    out[2] = re.s;
    out[3] = b.xor_sign(im, b.sign(x)).s;
  };
  b.e.rare_many((~(ax < c(709, 88))).s, v, std::ref(slow));
  return {{v[0], &b.e}, {v[1], &b.e}, {v[2], &b.e}, {v[3], &b.e}};
}

Z ComplexBody::sinh(Z z) {
  Products p = sinh_products(z.re, z.im);
  return {p.sinh_cos, sel(z.im == c(0), z.im, p.cosh_sin)};
}

Z ComplexBody::cosh(Z z) {
  Products p = sinh_products(z.re, z.im);
  F zero = b.xor_sign(c(0), b.sign(z.re) ^ b.sign(z.im));
  return {p.cosh_cos, sel(z.im == c(0), zero, p.sinh_sin)};
}

Z ComplexBody::tanh(Z z) {
  F ax = abs(z.re);
  M large = ax > c(22, 11);
  F x = sel(large, c(1), ax);
  F t = b.tan(z.im), beta = fma(t, t, c(1)), s = b.sinh(x);
  F rho = math::sqrt(fma(s, s, c(1))), den = fma(beta * s, s, c(1));
  F re = beta * rho * s / den, im = t / den;
  Scalar v[2] = {re.s, im.s};
  auto slow = [&](std::span<Scalar> out) {
    Body::SinCos sc = b.sin_cos(z.im);
    F decay = b.exp(c(-2) * ax);
    F q = c(4) * sc.sin * sc.cos * decay;
    M wild = ~finite(z.im), end = ax == b.inf();
    out[0] = sel(wild & ~end, b.nan(), c(1)).s;
    out[1] = sel(wild, sel(end, c(0), b.nan()), q).s;
  };
  b.e.rare_many(large.s, v, std::ref(slow));
  re = {v[0], &b.e};
  im = {v[1], &b.e};
  return {b.xor_sign(re, b.sign(z.re)), sel(z.im == c(0), z.im, im)};
}

F ComplexBody::near_hypot(F x, F y) {
  F hi = max(x, y), lo = min(x, y), q = lo / hi;
  q = sel(hi == c(0), c(0), q);
  return hi * math::sqrt(fma(q, q, c(1)));
}

ComplexBody::Arc ComplexBody::arc(F x, F y) {
  F x1 = x + c(1), xm = x - c(1), axm = abs(xm);
  F r = math::sqrt(fma(x1, x1, y * y)), s = near_hypot(axm, y);
  F a = c(.5) * (r + s), apx = a + x;
  M right = x > c(1), edge = x >= c(1);
  F u = y / (r + x1), w = y / (s + axm);  // w is used where s + axm != 0
  // d = sqrt((a - x) (a + x))
  F d_left = math::sqrt(c(.5) * apx * fma(y, u, s + axm));
  F d_right = y * math::sqrt(c(.5) * (apx / (r + x1) + apx / (s + axm)));
  F d = sel(right, d_right, d_left);
  // a - 1 and sqrt((a - 1) (a + 1))
  F am1 = c(.5) * fma(y, u, sel(edge, s + axm, y * w));
  F root_left =
      y * math::sqrt(c(.5) * (a + c(1)) * (c(1) / (r + x1) + c(1) / (s + axm)));
  F root = sel(edge, math::sqrt(am1 * (a + c(1))), root_left);
  F imag = b.log1p(am1 + root);
  // Far from the origin: log(2 |z|) and the plain angle.
  M far = ~((x < c(0x1p400, 0x1p55)) & (y < c(0x1p400, 0x1p55)));
  Scalar v[2] = {d.s, imag.s};
  auto slow = [&](std::span<Scalar> out) {
    out[0] = y.s;
    out[1] = (log_abs(x, c(0), y) + c(kLn2)).s;
  };
  b.e.rare_many(far.s, v, std::ref(slow));
  return {x, {v[0], &b.e}, {v[1], &b.e}};
}

Z ComplexBody::asin(Z z) {
  Arc r = arc(abs(z.re), abs(z.im));
  F re = b.with_sign(b.atan2(r.x, r.d), z.re);
  return {sel(z.re == c(0), z.re, re), b.with_sign(abs(r.imag), z.im)};
}

Z ComplexBody::acos(Z z) {
  Arc r = arc(abs(z.re), abs(z.im));
  F re = sel(z.re == c(0), c(kPio2), b.atan2(r.d, z.re));
  return {re, -b.with_sign(abs(r.imag), z.im)};
}

Z ComplexBody::acosh(Z z) {
  Arc r = arc(abs(z.re), abs(z.im));
  F im = sel(z.re == c(0), c(kPio2), b.atan2(r.d, z.re));
  return {r.imag, b.with_sign(im, z.im)};
}

Z ComplexBody::asinh(Z z) {
  Arc r = arc(abs(z.im), abs(z.re));
  F im = b.with_sign(b.atan2(r.x, r.d), z.im);
  return {b.with_sign(abs(r.imag), z.re), sel(z.im == c(0), z.im, im)};
}

Z ComplexBody::atanh(Z z) {
  F x = abs(z.re), y = abs(z.im), gap = c(1) - x;
  F den = fma(gap, gap, y * y);
  F re = c(.25) * b.log1p(c(4) * x / den);
  F im = c(.5) * b.atan2(c(2) * y, fma(gap, c(1) + x, -(y * y)));
  M far = ~((x < c(0x1p400, 0x1p55)) & (y < c(0x1p400, 0x1p55)));
  M pole = (x == c(1)) & (y < c(0x1p-500, 0x1p-60));
  Scalar v[2] = {re.s, im.s};
  auto slow = [&](std::span<Scalar> out) {
    // x / |z|^2 and pi / 2
    F big = max(x, y), xs = x / big, ys = y / big;
    F far_re = (xs / fma(xs, xs, ys * ys)) / big;
    M wild = (x == b.inf()) | (y == b.inf());
    far_re = sel(wild, c(0), far_re);
    F far_im = sel(y == y, c(kPio2), y);
    M nans = ~((x == x) & (y == y)) & ~wild;
    far_re = sel(nans, sel(z.re == c(0), x, b.nan()), far_re);
    far_im = sel(nans, b.nan(), far_im);
    F pole_re = c(.5) * (c(kLn2) - b.log(y));
    out[0] = sel(pole, pole_re, far_re).s;
    out[1] = sel(pole, im, far_im).s;
  };
  b.e.rare_many((far | pole).s, v, std::ref(slow));
  return {b.with_sign({v[0], &b.e}, z.re), b.with_sign({v[1], &b.e}, z.im)};
}

Z ComplexBody::divide(Z x, Z y) {
  Scalar q = b.e.div(b.e.complex(x.re.s, x.im.s), b.e.complex(y.re.s, y.im.s));
  return {{b.e.real(q), &b.e}, {b.e.imag(q), &b.e}};
}

Z ComplexBody::logistic(Z z) {
  // 1 / (1 + w) or w / (1 + w) with w = e^(-|x| + iy), so that |w| <= 1. Near
  // the poles 1 + w is small: 2 cos^2(y / 2) + (e^-|x| - 1) cos y is exact.
  M neg = z.re < c(0);
  F x = -abs(z.re), y = sel(neg, z.im, -z.im);
  Body::SinCos half = b.sin_cos(y * c(.5));
  F k = b.cos(y), e = b.exp(x);
  F re = fma(b.expm1(x), k, c(2) * (half.cos * half.cos));
  F im = c(2) * half.sin * half.cos * e;
  im = sel(y == c(0), y, im);
  return divide(sel2(neg, {e * k, im}, {c(1), c(0)}), {re, im});
}

F ComplexBody::hypot(F x, F y) {
  F ax = abs(x), ay = abs(y), a = max(ax, ay), q = min(ax, ay);
  F down = sel(a > c(0x1p500, 0x1p60), c(0x1p-600, 0x1p-80), c(1));
  F up = sel(a > c(0x1p500, 0x1p60), c(0x1p600, 0x1p80), c(1));
  M small = a < c(0x1p-500, 0x1p-60);
  down = sel(small, c(0x1p600, 0x1p90), down);
  up = sel(small, c(0x1p-600, 0x1p-90), up);
  F m = a * down, p = q * down;
  F m2 = m * m, p2 = p * p, s = m2 + p2;
  F sl = (p2 - (s - m2)) + (fma(m, m, -m2) + fma(p, p, -p2));
  F h = math::sqrt(s);
  // one Newton step on what sqrt and the sum rounded off
  h = h + (fma(-h, h, s) + sl) / (h + h + b.min_normal());
  h = h * up;
  M wild = ~((ax < b.inf()) & (ay < b.inf()));
  F odd = sel((ax == b.inf()) | (ay == b.inf()), b.inf(), b.nan());
  return sel(wild, odd, h);
}

Z ComplexBody::sqrt(Z z) {
  F ax = abs(z.re), ay = abs(z.im), a = max(ax, ay);
  M big = a > c(0x1p500, 0x1p60), small = a < c(0x1p-500, 0x1p-60);
  F down =
      sel(big, c(0x1p-600, 0x1p-80), sel(small, c(0x1p600, 0x1p100), c(1)));
  F up = sel(big, c(0x1p300, 0x1p40), sel(small, c(0x1p-300, 0x1p-50), c(1)));
  F x = ax * down, y = ay * down;
  F h = math::sqrt(fma(x, x, y * y));
  F t = math::sqrt(c(.5) * (x + h)), u = y / (t + t);
  u = sel(t == c(0), c(0), u);
  t = t * up;
  u = u * up;
  M neg = b.bits(z.re) < b.ci(0);
  Z r{sel(neg, u, t), b.with_sign(sel(neg, t, u), z.im)};
  M odd = ~((ax < b.inf()) & (ay < b.inf()));
  Scalar v[2] = {r.re.s, r.im.s};
  auto slow = [&](std::span<Scalar> out) {
    F inf = b.inf();
    M tall = ay == inf, right = z.re == inf, left = z.re == -inf;
    F nans = b.nan();
    F re = sel(right, inf, sel(left, sel(z.im == z.im, c(0), nans), nans));
    F im =
        sel(left, b.with_sign(inf, z.im),
            sel(right, sel(z.im == z.im, b.with_sign(c(0), z.im), nans), nans));
    out[0] = sel(tall, inf, re).s;
    out[1] = sel(tall, z.im, im).s;
  };
  b.e.rare_many(odd.s, v, std::ref(slow));
  return {{v[0], &b.e}, {v[1], &b.e}};
}

Z ComplexBody::rsqrt(Z z) {
  Z r = sqrt(z), y = divide({c(1), c(0)}, r);
  M wild = (abs(r.re) == b.inf()) | (abs(r.im) == b.inf());
  F zero = b.with_sign(c(0), -z.im);
  M none = (z.re == c(0)) & (z.im == c(0));
  y = sel2(wild, {c(0), zero}, y);
  return sel2(none, {b.inf(), b.nan()}, y);
}

Z ComplexBody::pow(Z z, Z w) {
  Z l = log(z);
  F re = fma(w.re, l.re, -(w.im * l.im)), im = fma(w.re, l.im, w.im * l.re);
  Z y = exp({re, im});
  M zero = (z.re == c(0)) & (z.im == c(0));
  F at_zero = sel(w.re > c(0), c(0), b.nan());
  y = sel2(zero, {at_zero, at_zero}, y);
  M none = (w.re == c(0)) & (w.im == c(0));
  return sel2(none, {c(1), c(0)}, y);
}

}  // namespace
}  // namespace math

Scalar emit_complex_math(ScalarEmitter& e, MathFn fn, Scalar x, Scalar y) {
  using math::Z;
  math::ComplexBody b(e, real_dtype(x.dtype));
  auto parts = [&](Scalar s) { return Z{{e.real(s), &e}, {e.imag(s), &e}}; };
  auto join = [&](Z z) { return e.complex(z.re.s, z.im.s); };
  Z z = parts(x);
  switch (fn) {
    case MathFn::exp:
      return join(b.exp(z));
    case MathFn::exp2:
      return join(b.exp2(z));
    case MathFn::expm1:
      return join(b.expm1(z));
    case MathFn::log:
      return join(b.log(z));
    case MathFn::log1p:
      return join(b.log1p(z));
    case MathFn::sin:
      return join(b.sin(z));
    case MathFn::cos:
      return join(b.cos(z));
    case MathFn::tan:
      return join(b.tan(z));
    case MathFn::asin:
      return join(b.asin(z));
    case MathFn::acos:
      return join(b.acos(z));
    case MathFn::atan:
      return join(b.atan(z));
    case MathFn::sinh:
      return join(b.sinh(z));
    case MathFn::cosh:
      return join(b.cosh(z));
    case MathFn::tanh:
      return join(b.tanh(z));
    case MathFn::asinh:
      return join(b.asinh(z));
    case MathFn::acosh:
      return join(b.acosh(z));
    case MathFn::atanh:
      return join(b.atanh(z));
    case MathFn::logistic:
      return join(b.logistic(z));
    case MathFn::rsqrt:
      return join(b.rsqrt(z));
    case MathFn::pow:
      return join(b.pow(z, parts(y)));
    case MathFn::erf:
    case MathFn::erfc:
    case MathFn::erf_inv:
    case MathFn::cbrt:
    case MathFn::lgamma:
    case MathFn::digamma:
    case MathFn::atan2:
      throw_type("[math] function ", int(fn), " is not defined for ",
                 dtype_short(x.dtype), "; take real or imag first");
  }
  __builtin_unreachable();
}

Scalar emit_complex_sqrt(ScalarEmitter& e, Scalar x) {
  math::ComplexBody b(e, real_dtype(x.dtype));
  math::Z z = b.sqrt({{e.real(x), &e}, {e.imag(x), &e}});
  return e.complex(z.re.s, z.im.s);
}

Scalar emit_complex_abs(ScalarEmitter& e, Scalar x) {
  math::ComplexBody b(e, real_dtype(x.dtype));
  return b.hypot({e.real(x), &e}, {e.imag(x), &e}).s;
}

}  // namespace cotan
