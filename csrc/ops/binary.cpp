// Elementwise primitives of two operands.
#include "ops/folds.h"
#include "ops/rules.h"

namespace cotan {

using namespace ops;
using lax::constant_like;

namespace {

template <DTypeTest Test>
Avals binary_type(const TypeArgs& a) {
  return nary_type<2, Test>(a);
}

// ---- the linear ones

Dual add_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  return {{y}, {sum_tangents(a.t[0], a.t[1], y)}};
}
Values add_transpose(const TransposeArgs& a) {
  Values out;
  for (size_t i = 0; i < 2; ++i)
    out.push_back(a.x[i] ? nullptr : unbroadcast(a.ct[0], a.avals[i]));
  return out;
}
Dual sub_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  if (a.t[0] && a.t[1])
    return {{y}, {fit_tangent(lax::sub(a.t[0], a.t[1]), y)}};
  Value t = a.t[0] ? a.t[0] : lax::neg(a.t[1]);
  return {{y}, {fit_tangent(t, y)}};
}
Values sub_transpose(const TransposeArgs& a) {
  return {a.x[0] ? nullptr : unbroadcast(a.ct[0], a.avals[0]),
          a.x[1] ? nullptr : unbroadcast(lax::neg(a.ct[0]), a.avals[1])};
}
Dual mul_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value t0 = a.t[0] ? lax::mul(a.t[0], a.x[1]) : nullptr;
  Value t1 = a.t[1] ? lax::mul(a.x[0], a.t[1]) : nullptr;
  return {{y}, {sum_tangents(t0, t1, y)}};
}
Values mul_transpose(const TransposeArgs& a) {
  if (a.x[0])
    return {nullptr, unbroadcast(lax::mul(a.x[0], a.ct[0]), a.avals[1])};
  require_known(a, 1);
  return {unbroadcast(lax::mul(a.ct[0], a.x[1]), a.avals[0]), nullptr};
}
Dual div_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value t0 = a.t[0] ? lax::div(a.t[0], a.x[1]) : nullptr;
  Value t1;
  if (a.t[1]) {
    Value inv = lax::integer_pow(a.x[1], -2);
    t1 = lax::mul(lax::mul(lax::neg(a.t[1]), a.x[0]), inv);
  }
  return {{y}, {sum_tangents(t0, t1, y)}};
}
Values div_transpose(const TransposeArgs& a) {
  require_known(a, 1);
  return {unbroadcast(lax::div(a.ct[0], a.x[1]), a.avals[0]), nullptr};
}

// ---- bodies

Scalar div_body(ScalarEmitter& e, Scalar x, Scalar y) {
  DType t = x.dtype;
  if (!is_int(t)) return e.div(x, y);
  // Truncates; x / 0 is -1 (all ones), min / -1 wraps to min.
  Scalar zero = e.constant(t, 0), one = e.constant(t, 1);
  Scalar is_zero = e.eq(y, zero);
  Scalar safe = e.select(is_zero, one, y);
  Scalar overflow;
  if (is_signed_int(t)) {
    Scalar lowest = e.constant_int(t, INT64_MIN >> (64 - bit_width(t)));
    overflow = e.and_(e.eq(x, lowest), e.eq(y, e.constant(t, -1)));
    safe = e.select(overflow, one, safe);
  }
  Scalar q = e.div(x, safe);
  return e.select(is_zero, e.constant_int(t, -1), q);
}
Scalar rem_body(ScalarEmitter& e, Scalar x, Scalar y) {
  DType t = x.dtype;
  if (!is_int(t)) return e.rem(x, y);
  // The dividend's sign; x % 0 is x, min % -1 is 0.
  Scalar zero = e.constant(t, 0), one = e.constant(t, 1);
  Scalar is_zero = e.eq(y, zero);
  Scalar safe = e.select(is_zero, one, y);
  if (is_signed_int(t)) safe = e.select(e.eq(y, e.constant(t, -1)), one, safe);
  return e.select(is_zero, x, e.rem(x, safe));
}
Scalar max_body(ScalarEmitter& e, Scalar x, Scalar y) {
  if (x.dtype == DType::bool_) return e.or_(x, y);
  Scalar take_x = e.gt(x, y);
  if (is_inexact(x.dtype)) take_x = e.or_(take_x, e.is_nan(x));
  return e.select(take_x, x, y);
}
Scalar min_body(ScalarEmitter& e, Scalar x, Scalar y) {
  if (x.dtype == DType::bool_) return e.and_(x, y);
  Scalar take_x = e.lt(x, y);
  if (is_inexact(x.dtype)) take_x = e.or_(take_x, e.is_nan(x));
  return e.select(take_x, x, y);
}
// Shifts by the width or more give 0 (arithmetic: the sign).
Scalar shift_body(ScalarEmitter& e, BinaryOp op, Scalar x, Scalar n) {
  DType t = x.dtype;
  if (is_narrow_int(t)) {
    // The sign bit is where the narrow dtype has it; amounts are unsigned.
    DType u = bit_width(t) == 2 ? DType::u2 : DType::u4;
    DType s = bit_width(t) == 2 ? DType::i2 : DType::i4;
    DType bits = op == BinaryOp::ashr ? s : u, wide = wide_dtype(bits);
    Scalar amount = e.convert(e.convert(n, u), wide);
    Scalar value = e.convert(e.convert(x, bits), wide);
    return e.convert(shift_body(e, op, value, amount), t);
  }
  int width = bit_width(t);
  DType u = unsigned_of_size(itemsize(t));
  Scalar amount = e.bitcast(n, u);
  Scalar big = e.ge(amount, e.constant_int(u, width));
  Scalar last = e.constant_int(u, width - 1);
  Scalar safe = e.bitcast(e.select(big, last, amount), t);
  if (op == BinaryOp::ashr) return e.binary(op, x, safe);
  return e.select(big, e.constant(t, 0), e.binary(op, x, safe));
}

// On the bits of a narrow float, in 16-bit words.
Scalar narrow_nextafter(ScalarEmitter& e, Scalar x, Scalar y) {
  const NarrowFormat f = narrow_format(x.dtype);
  auto word = [&](int64_t v) { return e.constant_int(DType::i16, v); };
  auto bits = [&](Scalar s) {
    return e.convert(e.bitcast(s, DType::u8), DType::i16);
  };
  int64_t magnitude = f.magnitude_mask(), sign = magnitude + 1;
  Scalar a = bits(x), b = bits(y);
  Scalar wide_x = e.convert(x, DType::f32), wide_y = e.convert(y, DType::f32);
  Scalar zero = e.eq(wide_x, e.constant(DType::f32, 0));
  Scalar up = e.lt(wide_x, wide_y);
  Scalar positive = e.lt(a, word(sign));
  Scalar grows =
      e.eq(e.convert(up, DType::i16), e.convert(positive, DType::i16));
  Scalar r = e.add(a, e.select(grows, word(1), word(-1)));
  if (f.special == SpecialValues::one_nan)  // there is no -0
    r = e.select(e.and_(e.eq(r, word(sign)), e.not_(up)), r,
                 e.select(e.eq(r, word(sign)), word(0), r));
  r = e.select(zero, e.select(up, word(1), word(sign | 1)), r);
  r = e.select(e.eq(wide_x, wide_y), b, r);
  Scalar nan = e.or_(e.is_nan(wide_x), e.is_nan(wide_y));
  r = e.select(nan, word(f.nan()), r);
  return e.bitcast(e.convert(r, DType::u8), x.dtype);
}

Scalar nextafter_body(ScalarEmitter& e, Scalar x, Scalar y) {
  DType t = x.dtype;
  if (is_narrow(t)) return narrow_nextafter(e, x, y);
  DType i = t == DType::f64   ? DType::i64
            : t == DType::f32 ? DType::i32
                              : DType::i16;
  Scalar xi = e.bitcast(x, i), yi = e.bitcast(y, i);
  Scalar zero = e.constant(i, 0), one = e.constant(i, 1);
  Scalar sign = e.constant_int(i, INT64_MIN >> (64 - bit_width(i)));
  Scalar magnitude = e.not_(sign);
  Scalar xa = e.and_(xi, magnitude), ya = e.and_(yi, magnitude);
  // From zero: the smallest subnormal with y's sign.
  Scalar from_zero = e.or_(e.and_(yi, sign), one);
  Scalar same_sign = e.eq(e.and_(xi, sign), e.and_(yi, sign));
  Scalar toward_zero = e.or_(e.gt(xa, ya), e.not_(same_sign));
  Scalar step = e.select(toward_zero, e.constant_int(i, -1), one);
  Scalar r = e.select(e.eq(xa, zero), from_zero, e.add(xi, step));
  Scalar both_zero = e.and_(e.eq(xa, zero), e.eq(ya, zero));
  r = e.select(e.or_(e.eq(xi, yi), both_zero), yi, r);
  Scalar wide_x = is_half(t) ? e.convert(x, DType::f32) : x;
  Scalar wide_y = is_half(t) ? e.convert(y, DType::f32) : y;
  Scalar nan = e.or_(e.is_nan(wide_x), e.is_nan(wide_y));
  Scalar quiet = e.bitcast(e.constant(t, __builtin_nan("")), i);
  return e.bitcast(e.select(nan, quiet, r), t);
}

// ---- derivatives of the rest

// At a tie both operands get half, as in JAX.
template <CompareOp Wins>
Dual extremum_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  auto wins = [&](const Value& v, const Value& w) {
    return Wins == CompareOp::gt ? lax::gt(v, w) : lax::lt(v, w);
  };
  Value half = constant_like(y, 0.5), one_ = constant_like(y, 1),
        zero = constant_like(y, 0);
  Value tie = lax::eq(a.x[0], a.x[1]);
  auto weight = [&](const Value& v, const Value& w) {
    return lax::select(wins(v, w), one_, lax::select(tie, half, zero));
  };
  Value t0 = a.t[0] ? lax::mul(a.t[0], weight(a.x[0], a.x[1])) : nullptr;
  Value t1 = a.t[1] ? lax::mul(a.t[1], weight(a.x[1], a.x[0])) : nullptr;
  return {{y}, {sum_tangents(t0, t1, y)}};
}

Value replace_zero(const Value& x) {
  Value zero = constant_like(x, 0), one_ = constant_like(x, 1);
  return lax::select(lax::eq(x, zero), one_, x);
}

// d/dx: y x^(y-1); for an integer y, 0 where y = 0. d/dy: log(x) x^y, with
// log's pole removed. The derivatives are strongly typed, as in JAX.
Dual pow_jvp(const JvpArgs& a) {
  Value out = bind1(a.self, a.x, a.params);
  const Value &x = a.x[0], &y = a.x[1];
  Value t0, t1;
  if (a.t[0]) {
    if (is_int(y.dtype())) {
      Value yi = y, zero = constant_like(yi, 0);
      Value less = lax::select(lax::eq(yi, zero), zero,
                               lax::sub(yi, constant_like(yi, 1)));
      Value slope =
          lax::mul(lax::convert(y, x.dtype(), true), lax::pow(x, less));
      t0 = lax::mul(a.t[0], slope);
    } else {
      Value less = lax::sub(y, scalar_value(y.dtype(), 1));
      t0 = lax::mul(a.t[0], lax::mul(y, lax::pow(x, less)));
    }
  }
  if (a.t[1]) t1 = lax::mul(a.t[1], lax::mul(lax::log(replace_zero(x)), out));
  return {{out}, {sum_tangents(t0, t1, out)}};
}

Dual atan2_jvp(const JvpArgs& a) {
  Value out = bind1(a.self, a.x, a.params);
  const Value &x = a.x[0], &y = a.x[1];
  Value norm = lax::add(lax::square(x), lax::square(y));
  Value t0 = a.t[0] ? lax::mul(a.t[0], lax::div(y, norm)) : nullptr;
  Value t1 = a.t[1] ? lax::mul(a.t[1], lax::div(lax::neg(x), norm)) : nullptr;
  return {{out}, {sum_tangents(t0, t1, out)}};
}

Dual rem_jvp(const JvpArgs& a) {
  Value out = bind1(a.self, a.x, a.params);
  Value t1;
  if (a.t[1]) {
    Value q = lax::div(a.x[0], a.x[1]);
    t1 = lax::mul(lax::neg(a.t[1]),
                  lax::mul(lax::sign(q), lax::floor(lax::abs(q))));
  }
  return {{out}, {sum_tangents(a.t[0], t1, out)}};
}

Values complex_transpose(const TransposeArgs& a) {
  return {
      a.x[0] ? nullptr : unbroadcast(lax::real(a.ct[0]), a.avals[0]),
      a.x[1] ? nullptr : unbroadcast(lax::imag(lax::neg(a.ct[0])), a.avals[1])};
}
Dual complex_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value t0 = a.t[0] ? a.t[0] : constant_like(a.x[0], 0);
  Value t1 = a.t[1] ? a.t[1] : constant_like(a.x[1], 0);
  return {{y}, {fit_tangent(lax::complex(t0, t1), y)}};
}

Avals complex_type(const TypeArgs& a) {
  Aval t = common_type(
      a, [](DType d) { return d == DType::f32 || d == DType::f64; });
  t.dtype = complex_dtype(t.dtype);
  return {t};
}

// pow allows an integer exponent beside an inexact base.
Avals pow_type(const TypeArgs& a) {
  if (is_inexact(a.in[0].dtype) && is_int(a.in[1].dtype)) {
    Aval as_base[] = {a.in[0], a.in[1]};
    as_base[1].dtype = as_base[0].dtype;
    return {common_type({a.self, as_base, a.params}, is_inexact)};
  }
  return {common_type(a, is_inexact)};
}

Scalar pow_body(ScalarEmitter& e, Scalar x, Scalar y) {
  if (is_int(y.dtype)) y = e.convert(y, x.dtype);
  return e.math(MathFn::pow, x, y);
}

}  // namespace

#define COTAN_BINARY(NAME, LAX, PRINT, TYPE, FLAGS, JVP, TRANSPOSE, FOLD,      \
                     COST, BODY)                                               \
  extern const Primitive NAME##_p;                                             \
  constinit const Primitive NAME##_p = {                                       \
      .name = PRINT,                                                           \
      .flags = FLAGS,                                                          \
      .type = TYPE,                                                            \
      .eval = scalar_eval,                                                     \
      .jvp = JVP,                                                              \
      .transpose = TRANSPOSE,                                                  \
      .batch = elementwise_batch,                                              \
      .scalar = [](ScalarEmitter& e, Scalars x, const Params&) -> ScalarOuts { \
        return BODY;                                                           \
      },                                                                       \
      .fold = FOLD,                                                            \
      .cost = COST,                                                            \
  };                                                                           \
  COTAN_REGISTER(NAME##_p);                                                    \
  Value LAX(const Value& x, const Value& y) { return bind1(NAME##_p, {x, y}); }

COTAN_BINARY(add, lax::add, "add", binary_type<arithmetic>,
             kCommutative | kLinear, add_jvp, add_transpose, fold_add, 1,
             e.add(x[0], x[1]))
// Sums of cotangents and tangents; the same operation, told apart in print.
COTAN_BINARY(add_any, add_any, "add_any", binary_type<any_dtype>,
             kCommutative | kLinear, add_jvp, add_transpose, fold_add, 1,
             e.add(x[0], x[1]))
COTAN_BINARY(sub, lax::sub, "sub", binary_type<arithmetic>, kLinear, sub_jvp,
             sub_transpose, fold_sub, 1, e.sub(x[0], x[1]))
COTAN_BINARY(mul, lax::mul, "mul", binary_type<arithmetic>, kCommutative,
             mul_jvp, mul_transpose, fold_mul, 1, e.mul(x[0], x[1]))
COTAN_BINARY(div, lax::div, "div", binary_type<arithmetic>, kNone, div_jvp,
             div_transpose, fold_div, 6, div_body(e, x[0], x[1]))
COTAN_BINARY(rem, lax::rem, "rem", binary_type<real_number>, kNone, rem_jvp,
             nullptr, nullptr, 20, rem_body(e, x[0], x[1]))
COTAN_BINARY(max, lax::max, "max", binary_type<ordered>, kCommutative,
             extremum_jvp<CompareOp::gt>, nullptr, fold_same, 2,
             max_body(e, x[0], x[1]))
COTAN_BINARY(min, lax::min, "min", binary_type<ordered>, kCommutative,
             extremum_jvp<CompareOp::lt>, nullptr, fold_same, 2,
             min_body(e, x[0], x[1]))
COTAN_BINARY(pow, lax::pow, "pow", pow_type, kNone, pow_jvp, nullptr, nullptr,
             107, pow_body(e, x[0], x[1]))
COTAN_BINARY(atan2, lax::atan2, "atan2", binary_type<is_float>, kNone,
             atan2_jvp, nullptr, nullptr, 36, e.math(MathFn::atan2, x[0], x[1]))
COTAN_BINARY(nextafter, lax::nextafter, "nextafter", binary_type<is_float>,
             kNotDifferentiable | kSeesHalf, nullptr, nullptr, nullptr, 12,
             nextafter_body(e, x[0], x[1]))
COTAN_BINARY(complex, lax::complex, "complex", complex_type, kLinear,
             complex_jvp, complex_transpose, nullptr, 1, e.complex(x[0], x[1]))
COTAN_BINARY(and, lax::bitwise_and, "and", binary_type<int_or_bool>,
             kCommutative | kNotDifferentiable, nullptr, nullptr, fold_same, 1,
             e.and_(x[0], x[1]))
COTAN_BINARY(or, lax::bitwise_or, "or", binary_type<int_or_bool>,
             kCommutative | kNotDifferentiable, nullptr, nullptr, fold_same, 1,
             e.or_(x[0], x[1]))
COTAN_BINARY(xor, lax::bitwise_xor, "xor", binary_type<int_or_bool>,
             kCommutative | kNotDifferentiable, nullptr, nullptr, nullptr, 1,
             e.xor_(x[0], x[1]))
COTAN_BINARY(shift_left, lax::shift_left, "shift_left", binary_type<is_int>,
             kNotDifferentiable | kSeesHalf, nullptr, nullptr, nullptr, 3,
             shift_body(e, BinaryOp::shl, x[0], x[1]))
COTAN_BINARY(shift_right_logical, lax::shift_right_logical,
             "shift_right_logical", binary_type<is_int>,
             kNotDifferentiable | kSeesHalf, nullptr, nullptr, nullptr, 3,
             shift_body(e, BinaryOp::lshr, x[0], x[1]))
COTAN_BINARY(shift_right_arithmetic, lax::shift_right_arithmetic,
             "shift_right_arithmetic", binary_type<is_int>,
             kNotDifferentiable | kSeesHalf, nullptr, nullptr, nullptr, 3,
             shift_body(e, BinaryOp::ashr, x[0], x[1]))

#define COTAN_COMPARE(NAME, TEST)                                        \
  COTAN_BINARY(NAME, lax::NAME, #NAME, (nary_type_to<2, TEST, to_bool>), \
               kNotDifferentiable, nullptr, nullptr, nullptr, 1,         \
               e.compare(CompareOp::NAME, x[0], x[1]))
COTAN_COMPARE(eq, any_dtype)
COTAN_COMPARE(ne, any_dtype)
COTAN_COMPARE(lt, ordered)
COTAN_COMPARE(le, ordered)
COTAN_COMPARE(gt, ordered)
COTAN_COMPARE(ge, ordered)
#undef COTAN_COMPARE
#undef COTAN_BINARY

}  // namespace cotan
