// Elementwise primitives of one operand.
#include "ops/folds.h"
#include "ops/rules.h"

namespace cotan {

using namespace ops;
using lax::constant_like;

// The record of a math function on floats and complex numbers.
#define COTAN_MATH(NAME, FN, COST, TEST, ...)                    \
  extern const Primitive NAME##_p;                               \
  constinit const Primitive NAME##_p = {                         \
      .name = #NAME,                                             \
      .type = nary_type<1, TEST>,                                \
      .eval = scalar_eval,                                       \
      .jvp = __VA_ARGS__,                                        \
      .batch = elementwise_batch,                                \
      .scalar = []([[maybe_unused]] ScalarEmitter& e, Scalars x, \
                   const Params&) -> ScalarOuts {                \
        return e.math(MathFn::FN, x[0]);                         \
      },                                                         \
      .cost = COST,                                              \
  };                                                             \
  COTAN_REGISTER(NAME##_p);                                      \
  Value lax::NAME(const Value& x) { return bind1(NAME##_p, {x}); }

#define D(expr)                                 \
  unary_jvp<[]([[maybe_unused]] const Value& x, \
               [[maybe_unused]] const Value& y) { return expr; }>
#define C(v) constant_like(x, v)

COTAN_MATH(exp, exp, 16, is_inexact, D(y))
COTAN_MATH(exp2, exp2, 16, is_inexact, D(lax::mul(y, C(0.6931471805599453))))
COTAN_MATH(expm1, expm1, 24, is_inexact, D(lax::add(y, C(1))))
COTAN_MATH(log, log, 23, is_inexact, D(lax::div(C(1), x)))
COTAN_MATH(log1p, log1p, 43, is_inexact, D(lax::div(C(1), lax::add(x, C(1)))))
COTAN_MATH(sin, sin, 25, is_inexact, D(lax::cos(x)))
COTAN_MATH(cos, cos, 24, is_inexact, D(lax::neg(lax::sin(x))))
COTAN_MATH(tan, tan, 49, is_inexact, D(lax::add(C(1), lax::square(y))))
COTAN_MATH(asin, asin, 40, is_inexact,
           D(lax::rsqrt(lax::sub(C(1), lax::square(x)))))
COTAN_MATH(acos, acos, 40, is_inexact,
           D(lax::neg(lax::rsqrt(lax::sub(C(1), lax::square(x))))))
COTAN_MATH(atan, atan, 36, is_inexact,
           D(lax::div(C(1), lax::add(C(1), lax::square(x)))))
COTAN_MATH(sinh, sinh, 35, is_inexact, D(lax::cosh(x)))
COTAN_MATH(cosh, cosh, 35, is_inexact, D(lax::sinh(x)))
COTAN_MATH(asinh, asinh, 50, is_inexact,
           D(lax::rsqrt(lax::add(lax::square(x), C(1)))))
COTAN_MATH(acosh, acosh, 50, is_inexact,
           D(lax::mul(lax::rsqrt(lax::sub(x, C(1))),
                      lax::rsqrt(lax::add(x, C(1))))))
COTAN_MATH(atanh, atanh, 50, is_inexact,
           D(lax::div(C(1), lax::mul(lax::sub(C(1), x), lax::add(C(1), x)))))
COTAN_MATH(lgamma, lgamma, 120, is_float, D(lax::digamma(x)))
COTAN_MATH(erf, erf, 36, is_float,
           D(lax::mul(C(1.1283791670955126),
                      lax::exp(lax::neg(lax::square(x))))))
COTAN_MATH(erfc, erfc, 60, is_float,
           D(lax::mul(C(-1.1283791670955126),
                      lax::exp(lax::neg(lax::square(x))))))
COTAN_MATH(erf_inv, erf_inv, 44, is_float,
           D(lax::mul(C(0.8862269254527580), lax::exp(lax::square(y)))))
COTAN_MATH(cbrt, cbrt, 40, is_float, D(lax::div(y, lax::mul(C(3), x))))
COTAN_MATH(rsqrt, rsqrt, 32, is_inexact, D(lax::mul(C(-0.5), lax::div(y, x))))

namespace {

// tanh' = (1 + y)(1 - y), in the order that JAX takes.
Dual tanh_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value rest = lax::sub(constant_like(y, 1), y);
  const Value& t = a.t[0];
  return {{y}, {lax::mul(lax::add(t, lax::mul(t, y)), rest)}};
}

}  // namespace
COTAN_MATH(tanh, tanh, 31, is_inexact, tanh_jvp)
COTAN_MATH(logistic, logistic, 25, is_inexact,
           D(lax::mul(y, lax::sub(C(1), y))))

namespace {

// psi'(x): reflected to x >= 1/2, moved up by 8 with psi'(z) = psi'(z + 1) +
// 1/z^2, then the asymptotic series (Abramowitz and Stegun 6.4.6, 6.4.7,
// 6.4.12). Ordinary operations, so it has derivatives of its own.
Value trigamma(const Value& x) {
  if (is_half(x.dtype()))
    return lax::convert(trigamma(lax::convert(x, DType::f32)), x.dtype());
  Value low = lax::lt(x, C(0.5));
  Value z = lax::select(low, lax::sub(C(1), x), x), sum;
  for (int k = 0; k < 8; ++k) {
    Value term = lax::integer_pow(lax::add(z, C(k)), -2);
    sum = sum ? lax::add(sum, term) : term;
  }
  // 1/w + 1/(2 w^2) + sum of B(2k) / w^(2k + 1)
  constexpr double bernoulli[] = {7.0 / 6,  -691.0 / 2730, 5.0 / 66, -1.0 / 30,
                                  1.0 / 42, -1.0 / 30,     1.0 / 6};
  Value r = lax::div(C(1), lax::add(z, C(8))), r2 = lax::square(r);
  Value series = C(0);
  for (double b : bernoulli) series = lax::mul(r2, lax::add(series, C(b)));
  Value head = lax::add(C(1), lax::mul(C(0.5), r));
  sum = lax::add(sum, lax::mul(r, lax::add(head, series)));
  constexpr double pi = 3.14159265358979323846;
  Value sine = lax::sin(lax::mul(C(pi), lax::sub(x, lax::floor(x))));
  Value mirrored = lax::sub(lax::square(lax::div(C(pi), sine)), sum);
  return lax::select(low, mirrored, sum);
}

}  // namespace
COTAN_MATH(digamma, digamma, 100, is_float, D(trigamma(x)))

// The record of a simple body.
#define COTAN_SIMPLE(NAME, TYPE, FLAGS, JVP, TRANSPOSE, COST, BODY) \
  extern const Primitive NAME##_p;                                  \
  constinit const Primitive NAME##_p = {                            \
      .name = #NAME,                                                \
      .flags = FLAGS,                                               \
      .type = TYPE,                                                 \
      .eval = scalar_eval,                                          \
      .jvp = JVP,                                                   \
      .transpose = TRANSPOSE,                                       \
      .batch = elementwise_batch,                                   \
      .scalar = []([[maybe_unused]] ScalarEmitter& e, Scalars x,    \
                   const Params&) -> ScalarOuts { return BODY; },   \
      .fold = COST == 0 ? fold_identity : nullptr,                  \
      .cost = COST,                                                 \
  };                                                                \
  COTAN_REGISTER(NAME##_p);                                         \
  Value lax::NAME(const Value& x) { return bind1(NAME##_p, {x}); }

namespace {

// Bits are counted within the width of the dtype.
Scalar count_body(ScalarEmitter& e, UnaryOp op, Scalar x) {
  DType t = x.dtype;
  if (!is_narrow(t)) return e.unary(op, x);
  Scalar bits = e.convert(
      e.convert(x, bit_width(t) == 2 ? DType::u2 : DType::u4), DType::u8);
  Scalar n = e.unary(op, bits);
  if (op == UnaryOp::clz)
    n = e.sub(n, e.constant_int(DType::u8, 8 - bit_width(t)));
  return e.convert(n, t);
}

// |z| without overflow: the larger part is factored out.
Scalar hypot_body(ScalarEmitter& e, Scalar z) {
  Scalar a = e.abs(e.real(z)), b = e.abs(e.imag(z));
  Scalar swap = e.lt(a, b);
  Scalar big = e.select(swap, b, a), small = e.select(swap, a, b);
  Scalar zero = e.constant(a.dtype, 0), one = e.constant(a.dtype, 1);
  Scalar inf = e.constant(a.dtype, __builtin_inf());
  Scalar q = e.select(e.eq(big, zero), zero, e.div(small, big));
  q = e.select(e.eq(small, inf), one, q);
  Scalar r = e.mul(big, e.sqrt(e.fma(q, q, one)));
  Scalar any_inf = e.or_(e.eq(a, inf), e.eq(b, inf));
  return e.select(any_inf, inf, r);
}

Scalar sign_body(ScalarEmitter& e, Scalar x) {
  DType t = x.dtype;
  if (is_complex(t)) {  // x / |x|, 0 at 0
    Scalar re = e.real(x), im = e.imag(x);
    Scalar r = hypot_body(e, x);
    Scalar zero = e.constant(r.dtype, 0);
    Scalar is_zero = e.eq(r, zero);
    return e.complex(e.select(is_zero, zero, e.div(re, r)),
                     e.select(is_zero, zero, e.div(im, r)));
  }
  Scalar zero = e.constant(t, 0), one = e.constant(t, 1);
  if (is_unsigned_int(t)) return e.select(e.eq(x, zero), zero, one);
  Scalar minus = e.constant(t, -1);
  Scalar y = e.select(e.gt(x, zero), one, x);  // keeps +-0 and nan
  return e.select(e.lt(x, zero), minus, y);
}

// (a + b)(a - b) loses less, and overflows later, than a^2 - b^2; where one
// factor is zero the other one may be infinite.
Scalar square_body(ScalarEmitter& e, Scalar x) {
  if (!is_complex(x.dtype)) return e.mul(x, x);
  Scalar a = e.real(x), b = e.imag(x), ab = e.mul(a, b);
  Scalar s = e.add(a, b), d = e.sub(a, b), zero = e.constant(a.dtype, 0);
  Scalar none = e.or_(e.eq(s, zero), e.eq(d, zero));
  return e.complex(e.select(none, zero, e.mul(s, d)), e.add(ab, ab));
}

Scalar abs_body(ScalarEmitter& e, Scalar x) {
  if (is_complex(x.dtype)) return hypot_body(e, x);
  if (is_float(x.dtype)) return e.abs(x);
  return e.select(e.lt(x, e.constant(x.dtype, 0)), e.neg(x), x);
}

Dual abs_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  if (!is_complex(a.x[0].dtype())) {
    // grad(abs)(0) is 1, as in JAX: sign(x) with 0 counted as positive.
    Value zero = constant_like(a.x[0], 0);
    Value t = lax::select(lax::ge(a.x[0], zero), a.t[0], lax::neg(a.t[0]));
    return {{y}, {t}};
  }
  // Re(conj(x) t) / |x|; 0/0 where x = 0 is replaced by 0.
  Value is_zero = lax::eq(y, constant_like(y, 0));
  Value safe = lax::select(
      is_zero, lax::full(y.shape(), Literal::from_double(y.dtype(), 1)), y);
  Value num = lax::real(lax::mul(a.t[0], lax::conj(a.x[0])));
  return {{y}, {lax::div(num, safe)}};
}

Values neg_transpose(const TransposeArgs& a) { return one(lax::neg(a.ct[0])); }
Values identity_transpose(const TransposeArgs& a) { return one(a.ct[0]); }

Scalar sqrt_body(ScalarEmitter& e, Scalar x) {
  if (!is_complex(x.dtype)) return e.sqrt(x);
  return emit_complex_sqrt(e, x);
}

}  // namespace

COTAN_SIMPLE(neg, (nary_type<1, arithmetic>), kLinear, linear_jvp,
             neg_transpose, 1, e.neg(x[0]))
COTAN_SIMPLE(sign, (nary_type<1, arithmetic>), kNotDifferentiable, nullptr,
             nullptr, 4, sign_body(e, x[0]))
COTAN_SIMPLE(floor, (nary_type<1, is_float>), kNotDifferentiable, nullptr,
             nullptr, 1, e.floor(x[0]))
COTAN_SIMPLE(ceil, (nary_type<1, is_float>), kNotDifferentiable, nullptr,
             nullptr, 1, e.ceil(x[0]))
COTAN_SIMPLE(is_finite, (nary_type_to<1, is_float, to_bool>),
             kNotDifferentiable, nullptr, nullptr, 2,
             e.lt(e.abs(x[0]), e.constant(x[0].dtype, __builtin_inf())))
COTAN_SIMPLE(sqrt, (nary_type<1, is_inexact>), kNone, D(lax::div(C(0.5), y)),
             nullptr, 8, sqrt_body(e, x[0]))
COTAN_SIMPLE(square, (nary_type<1, arithmetic>), kNone, D(lax::mul(C(2), x)),
             nullptr, 1, square_body(e, x[0]))
COTAN_SIMPLE(abs, (nary_type_to<1, has_sign, real_dtype>), kNone, abs_jvp,
             nullptr, 1, abs_body(e, x[0]))
COTAN_SIMPLE(population_count, (nary_type<1, is_int>),
             kNotDifferentiable | kSeesHalf, nullptr, nullptr, 4,
             count_body(e, UnaryOp::popcount, x[0]))
COTAN_SIMPLE(clz, (nary_type<1, is_int>), kNotDifferentiable | kSeesHalf,
             nullptr, nullptr, 4, count_body(e, UnaryOp::clz, x[0]))
COTAN_SIMPLE(copy, (nary_type<1, any_dtype>), kLinear | kSeesHalf, linear_jvp,
             identity_transpose, 0, x[0])
COTAN_SIMPLE(stop_gradient, (nary_type<1, any_dtype>),
             kNotDifferentiable | kSeesHalf, nullptr, nullptr, 0, x[0])

// ---- complex parts
namespace {

Values real_transpose(const TransposeArgs& a) {
  if (!is_complex(a.avals[0].dtype)) return one(a.ct[0]);
  return one(lax::complex(a.ct[0], constant_like(a.ct[0], 0)));
}
Values imag_transpose(const TransposeArgs& a) {
  // <ct, Im z> = Re(conj-free pairing): JAX's convention gives -i ct.
  return one(lax::complex(constant_like(a.ct[0], 0), lax::neg(a.ct[0])));
}
Values conj_transpose(const TransposeArgs& a) {
  if (is_complex(a.avals[0].dtype)) return one(lax::conj(a.ct[0]));
  return one(lax::real(a.ct[0]));
}

}  // namespace

COTAN_SIMPLE(real, (nary_type_to<1, is_complex, real_dtype>), kLinear,
             linear_jvp, real_transpose, 1, e.real(x[0]))
COTAN_SIMPLE(imag, (nary_type_to<1, is_complex, real_dtype>), kLinear,
             linear_jvp, imag_transpose, 1, e.imag(x[0]))
COTAN_SIMPLE(conj, (nary_type_to<1, has_complex, complex_dtype>), kLinear,
             linear_jvp, conj_transpose, 1,
             e.complex(e.real(x[0]), e.neg(e.imag(x[0]))))

// ---- names that are keywords of C++
extern const Primitive not_p;
constinit const Primitive not_p = {
    .name = "not",
    .flags = kNotDifferentiable,
    .type = nary_type<1, int_or_bool>,
    .eval = scalar_eval,
    .batch = elementwise_batch,
    .scalar = [](ScalarEmitter& e, Scalars x, const Params&) -> ScalarOuts {
      return e.not_(x[0]);
    },
};
COTAN_REGISTER(not_p);
Value lax::bitwise_not(const Value& x) { return bind1(not_p, {x}); }

// ---- with parameters
extern const Primitive round_p, integer_pow_p, reduce_precision_p;

constinit const Primitive round_p = {
    .name = "round",
    .flags = kNotDifferentiable,
    .params = params_of<RoundParams>,
    .type = nary_type<1, is_float>,
    .eval = scalar_eval,
    .batch = elementwise_batch,
    .scalar = [](ScalarEmitter& e, Scalars x, const Params& p) -> ScalarOuts {
      if (p.as<RoundParams>().mode == RoundingMode::to_nearest_even)
        return e.round_even(x[0]);
      // Half away from zero: trunc, then one step where the rest is >= 1/2.
      Scalar t = e.trunc(x[0]);
      DType d = x[0].dtype;
      Scalar up = e.ge(e.abs(e.sub(x[0], t)), e.constant(d, 0.5));
      Scalar one = e.select(e.lt(x[0], e.constant(d, 0)), e.constant(d, -1),
                            e.constant(d, 1));
      return e.select(up, e.add(t, one), t);
    },
};
COTAN_REGISTER(round_p);
Value lax::round(const Value& x, RoundingMode mode) {
  return bind1(round_p, {x}, RoundParams{mode});
}

constinit const Primitive integer_pow_p = {
    .name = "integer_pow",
    .params = params_of<IntegerPowParams>,
    .type = [](const TypeArgs& a) -> Avals {
      Aval t = common_type(a, arithmetic);
      if (is_int(t.dtype) && a.params.as<IntegerPowParams>().y < 0)
        throw_type(
            "Integers cannot be raised to negative powers, got "
            "integer_pow(",
            short_string(a.in[0], true), ", ",
            a.params.as<IntegerPowParams>().y, ")");
      return {t};
    },
    .eval = scalar_eval,
    .jvp = [](const JvpArgs& a) -> Dual {
      int64_t n = a.params.as<IntegerPowParams>().y;
      Value y = bind1(a.self, a.x, a.params);
      if (n == 0) return {{y}, {nullptr}};
      Value slope = n == 1 ? constant_like(y, 1)
                           : lax::mul(constant_like(y, double(n)),
                                      lax::integer_pow(a.x[0], n - 1));
      return {{y}, {lax::mul(a.t[0], slope)}};
    },
    .batch = elementwise_batch,
    .scalar = [](ScalarEmitter& e, Scalars x, const Params& p) -> ScalarOuts {
      int64_t n = p.as<IntegerPowParams>().y;
      Scalar one = e.constant(x[0].dtype, 1);
      if (n == 0) return one;
      uint64_t k = n < 0 ? 0 - uint64_t(n) : uint64_t(n);
      Scalar base = x[0], acc = one;
      bool first = true;
      while (true) {  // square and multiply, low bits first
        if (k & 1) {
          acc = first ? base : e.mul(acc, base);
          first = false;
        }
        k >>= 1;
        if (!k) break;
        base = e.mul(base, base);
      }
      return n < 0 ? e.div(one, acc) : acc;
    },
    .cost = 3,
};
COTAN_REGISTER(integer_pow_p);
Value lax::integer_pow(const Value& x, int64_t y) {
  return bind1(integer_pow_p, {x}, IntegerPowParams{y});
}

#undef C
#undef D

}  // namespace cotan
