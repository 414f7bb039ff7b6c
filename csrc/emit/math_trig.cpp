// sin, cos, tan and their inverses.
//
// Arguments are reduced by multiples of pi/2: in line with a multi-word pi/2
// up to 2^17 (f32) and 2^19 (f64), above by Payne and Hanek's method in a
// rare block, with integer operations only ("Radian Reduction for
// Trigonometric Functions", 1983).
#include "emit/math_body.h"

namespace cotan::math {

namespace {
constexpr double kPio2Hi64 = 0x1.921fb54442d18p+0;
constexpr double kPio2Lo64 = 0x1.1a62633145c07p-54;
constexpr double kPio2Hi32 = 0x1.921fb6p+0;
constexpr double kPio2Lo32 = -0x1.777a5cp-25;

// 2/pi, most significant word first, after a zero word.
constexpr uint32_t kTwoOverPi32[] = {0,          0xA2F9836E, 0x4E441529,
                                     0xFC2757D1, 0xF534DDC0, 0xDB629599,
                                     0x3C439041, 0xFE5163AB};
constexpr uint64_t kTwoOverPi64[] = {
    0,
    0xa2f9836e4e441529,
    0xfc2757d1f534ddc0,
    0xdb6295993c439041,
    0xfe5163abdebbc561,
    0xb7246e3a424dd2e0,
    0x06492eea09d1921c,
    0xfe1deb1cb129a73e,
    0xe88235f52ebb4484,
    0xe99c7026b45f7e41,
    0x3991d639835339f4,
    0x9c845f8bbdf9283b,
    0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f,
    0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea,
    0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab,
};

// u64 lanes; the struct I carries its dtype.
I u64(ScalarEmitter& e, uint64_t v) {
  return {e.constant_int(DType::u64, int64_t(v)), &e};
}
I to(I x, DType t) { return {x.e->raw_convert(x.s, t), x.e}; }
I cast(I x, DType t) { return {x.e->raw_bitcast(x.s, t), x.e}; }
I mulhi(I x, I y) { return {x.e->raw_binary(BinaryOp::mulhi, x.s, y.s), x.e}; }
F to_f64(I x) { return {x.e->raw_convert(x.s, DType::f64), x.e}; }

// 96 bits of 2/pi, chosen by the exponent, times the 24-bit mantissa, mod 4.
void payne_hanek_f32(Body& b, F ax, F& r, F& lo, I& q) {
  ScalarEmitter& e = b.e;
  I ib = b.bits(ax), shift = lshr(ib, 23) - b.ci(150 - 30);
  I mant = (ib & b.ci(0x7fffff)) | b.ci(0x800000);
  I index = lshr(shift, 5);
  I sh = to(cast(shift & b.ci(31), DType::u32), DType::u64);
  M at[5] = {{},
             index == b.ci(1),
             index == b.ci(2),
             index == b.ci(3),
             index == b.ci(4)};
  I w[4];
  for (int o = 0; o < 4; ++o) {
    w[o] = b.ci(kTwoOverPi32[o]);
    for (int k = 1; k < 5; ++k) {
      if (o + k < 8) w[o] = sel(at[k], b.ci(kTwoOverPi32[o + k]), w[o]);
    }
    w[o] = to(cast(w[o], DType::u32), DType::u64);
  }
  I low32 = u64(e, 0xffffffff), m = to(cast(mant, DType::u32), DType::u64);
  I win[3];
  for (int o = 0; o < 3; ++o) {
    win[o] = lshr(shl(shl(w[o], 32) | w[o + 1], sh), 32) & low32;
  }
  I p = shl(m * win[0], 32) + m * win[1] + lshr(m * win[2], 32);
  I frac = shl(p, 2);  // signed: in [-1/2, 1/2) of a quarter turn
  q = to(lshr(p, 62) + lshr(frac, 63), DType::i32);
  Scalar scale = e.constant(DType::f64, 0x1.921fb54442d18p-64);
  F wide = to_f64(cast(frac, DType::i64)) * F{scale, &e};
  r = {e.raw_convert(wide.s, DType::f32), &e};
  F back{e.raw_convert(r.s, DType::f64), &e};
  lo = {e.raw_convert((wide - back).s, DType::f32), &e};
}

// The same with 192 bits of 2/pi and a 53-bit mantissa.
void payne_hanek_f64(Body& b, F ax, F& r, F& lo, I& q) {
  ScalarEmitter& e = b.e;
  I ib = cast(b.bits(ax), DType::u64);
  I mant = (ib & u64(e, 0xfffffffffffff)) | u64(e, uint64_t(1) << 52);
  I shift = lshr(ib, 52) - u64(e, 1075 + 2 - 64);
  I index = lshr(shift, 6), sh = shift & u64(e, 63);
  // The four words that start at `index` (at most 16), by binary choice.
  I w[20];
  for (int j = 0; j < 20; ++j) w[j] = u64(e, kTwoOverPi64[j]);
  for (int step = 16, keep = 4; step >= 1; step /= 2) {
    M take = (index & u64(e, step)) != u64(e, 0);
    // Index 16 is the last one, so its step touches four words only.
    keep = step == 16 ? 4 : step + 3;
    for (int j = 0; j < keep && j + step < 20; ++j) {
      w[j] = sel(take, w[j + step], w[j]);
    }
  }
  I back = u64(e, 63) - sh, win[3];
  for (int o = 0; o < 3; ++o) {
    win[o] = shl(w[o], sh) | lshr(lshr(w[o + 1], 1), back);
  }
  I low = mant * win[1], sum = low + mulhi(mant, win[2]);
  I carry = to(I{(sum < low).s, &e}, DType::u64);
  I high = mant * win[0] + mulhi(mant, win[1]) + carry;
  I fh = shl(high, 2) | lshr(sum, 62), fl = shl(sum, 2);
  q = cast(lshr(high, 62) + lshr(fh, 63), DType::i64);
  I neg = cast(ashr(cast(fh, DType::i64), 63), DType::u64);
  fh = fh ^ neg;  // magnitude, to within 2^-128
  fl = fl ^ neg;
  F h = to_f64(cast(fh & u64(e, ~uint64_t(0x7ff)), DType::i64));
  F l = fma(to_f64(cast(lshr(fl, 11), DType::i64)), b.c(0x1p-53),
            to_f64(cast(fh & u64(e, 0x7ff), DType::i64)));
  F dh = h + l, dl = l - (dh - h);
  F p1 = b.c(kPio2Hi64), p2 = b.c(kPio2Lo64), ph = dh * p1;
  F pl = fma(dh, p1, -ph) + fma(dh, p2, dl * p1);
  F s = ph + pl, t = pl - (s - ph);
  I sign = cast(shl(neg, 63), DType::i64);
  r = b.xor_sign(s * b.c(0x1p-64), sign);
  lo = b.xor_sign(t * b.c(0x1p-64), sign);
}
}  // namespace

void Body::payne_hanek(F ax, F& r, F& lo, I& q) {
  if (d) {
    payne_hanek_f64(*this, ax, r, lo, q);
  } else {
    payne_hanek_f32(*this, ax, r, lo, q);
  }
  r = sel(ax < inf(), r, nan());
}

Body::Reduced Body::reduce(F ax, bool want_lo) {
  F t = fma(ax, c(0x1.45f306dc9c883p-1), magic()), n = t - magic();
  I q = bits(t);
  F r = fma(n, c(-kPio2Hi64, -kPio2Hi32), ax);  // exact
  F p2 = c(-kPio2Lo64, -kPio2Lo32);
  F p3 = c(0x1.f1976b7ed8fbcp-110, 0x1.ee59dap-50), lo = c(0);
  if (!d && !want_lo) {
    r = fma(n, p3, fma(n, p2, r));
  } else {
    // w + err = r + n p2 exactly. Three operations make the two-sum although
    // |r| may be the smaller one (near multiples of pi/2): r is a multiple of
    // the last place of ph.
    F ph = n * p2, w = r + ph;
    F err = (ph - (w - r)) + fma(n, p2, -ph);
    err = fma(n, p3, err);
    r = w + err;
    if (want_lo) lo = err - (r - w);
  }
  M big = ~(ax <= c(0x1p19, 0x1p17));  // also inf and nan
  Scalar v[3] = {r.s, q.s, lo.s};
  auto slow = [&](std::span<Scalar> out) {
    F br{}, blo{};
    I bq{};
    payne_hanek(ax, br, blo, bq);
    out[0] = br.s;
    out[1] = bq.s;
    if (want_lo) out[2] = blo.s;
  };
  e.rare_many(big.s, {v, size_t(want_lo ? 3 : 2)}, std::ref(slow));
  return {{v[0], &e}, {v[2], &e}, {v[1], &e}};
}

F Body::sin_poly(F r, F t) {
  return fma(r * t, poly(t, pick(kSinf, kSind)), r);
}

F Body::cos_poly(F t) {
  F q = poly(t, pick(kCosf, kCosd));
  F h = fma(t, c(-.5), c(1));
  if (!d) return fma(t * t, q, h);
  return h + fma(t * t, q, fma(t, c(-.5), c(1) - h));
}

F Body::sin_or_cos(F x, bool cosine) {
  Reduced a = reduce(abs(x), false);
  F t = a.r * a.r;
  I q = cosine ? a.q + ci(1) : a.q;
  M odd = (q & ci(1)) != ci(0);
  F y = sel(odd, cos_poly(t), sin_poly(a.r, t));
  I s = shl(q & ci(2), d ? 62 : 30);
  if (!cosine) s = s ^ sign(x);
  return xor_sign(y, s);
}

Body::SinCos Body::sin_cos(F x) {
  Reduced a = reduce(abs(x), false);
  F t = a.r * a.r, s = sin_poly(a.r, t), k = cos_poly(t);
  M odd = (a.q & ci(1)) != ci(0);
  int up = d ? 62 : 30;
  I sin_sign = shl(a.q & ci(2), up) ^ sign(x);
  I cos_sign = shl((a.q + ci(1)) & ci(2), up);
  return {xor_sign(sel(odd, k, s), sin_sign),
          xor_sign(sel(odd, s, k), cos_sign)};
}

F Body::tan(F x) {
  Reduced a = reduce(abs(x), true);
  F t = a.r * a.r;
  // tan' = 1 + tan^2, here near enough to 1 + 1.6 r^2
  F low = a.lo * fma(t, c(1.6), c(1));
  F y = a.r + fma(a.r * t, poly(t, pick(kTanf, kTand)), low);
  M odd = (a.q & ci(1)) != ci(0);
  return xor_sign(sel(odd, c(-1) / y, y), sign(x));
}

F Body::asin(F x) {
  F a = abs(x);
  M big = a > c(.5);
  // asin(a) = pi/2 - 2 asin(s), s = sqrt((1 - a) / 2)
  F z = fma(a, c(-.5), c(.5)), t = sel(big, z, a * a);
  F s = sqrt(z), p = poly(t, pick(kAsinf, kAsind));
  F small = fma(a * t, p, a);
  F pio2 = c(kPio2Hi64, kPio2Hi32), s2 = s + s, h = pio2 - s2;
  F err = (pio2 - h) - s2;
  // What sqrt rounded off, times two; 1 / s by a line that is near where
  // it matters (s near 1/2) and harmless elsewhere.
  F sl = fma(-s, s, z) * fma(s, c(-5.8), c(4.87));
  F low = c(kPio2Lo64, kPio2Lo32) + (err - sl);
  F y = h + fma(-(s2 * t), p, low);
  y = with_sign(sel(big, y, small), x);
  return sel(a <= c(1), y, nan());
}

F Body::acos(F x) {
  F a = abs(x);
  M big = a > c(.5), neg = x < c(0);
  F z = fma(a, c(-.5), c(.5)), t = sel(big, z, a * a);
  F s = sel(big, sqrt(z), a), p = poly(t, pick(kAsinf, kAsind));
  F st = s * t;
  // a <= 1/2: pi/2 - asin(x)
  F pio2 = c(kPio2Hi64, kPio2Hi32), pio2_lo = c(kPio2Lo64, kPio2Lo32);
  F sx = xor_sign(s, sign(x)), sxt = xor_sign(st, sign(x));
  F h = pio2 - sx, err = (pio2 - h) - sx;
  F mid = h + fma(-sxt, p, err + pio2_lo);
  // x > 1/2: 2 asin(s), x < -1/2: pi - 2 asin(s)
  F r = fma(st, p, s);
  F up = r + r;
  F pi = pio2 + pio2, s2 = s + s, g = pi - s2;
  F gerr = (pi - g) - s2;
  F down = g + fma(-(st + st), p, fma(pio2_lo, c(2), gerr));
  F y = sel(big, sel(neg, down, up), mid);
  return sel(a <= c(1), y, nan());
}

F Body::atan(F x) {
  F a = abs(x);
  M flip = a > c(1);
  F q = sel(flip, c(1), a) / sel(flip, a, c(1));
  F t = q * q, p = fma(q * t, poly(t, pick(kAtanf, kAtand)), q);
  F y = sel(flip, c(kPio2Hi64, kPio2Hi32) - (p - c(kPio2Lo64, kPio2Lo32)), p);
  return xor_sign(y, sign(x));
}

F Body::atan2(F y, F x) {
  F ax = abs(x), ay = abs(y);
  M swap = ay > ax;
  F hi = sel(swap, ay, ax), lo = sel(swap, ax, ay);
  F q = lo / hi;
  q = sel(hi == c(0), c(0), q);
  q = sel(lo == inf(), c(1), q);
  F t = q * q, p = fma(q * t, poly(t, pick(kAtanf, kAtand)), q);
  // swap: pi/2 -+ p; else x < 0: pi - p; else p. Then the sign of y.
  M neg = bits(x) < ci(0);
  F pio2 = c(kPio2Hi64, kPio2Hi32), pio2_lo = c(kPio2Lo64, kPio2Lo32);
  F zero = c(0);
  F base = sel(swap, pio2, sel(neg, pio2 + pio2, zero));
  F base_lo = sel(swap, pio2_lo, sel(neg, pio2_lo + pio2_lo, zero));
  M minus = (swap & ~neg) | (~swap & neg);
  F sp = xor_sign(p, sel(minus, ci(sign_bit()), ci(0)));
  F z = xor_sign(base + (sp + base_lo), sign(y));
  return sel((x == x) & (y == y), z, x + y);
}

}  // namespace cotan::math
