#include "jnp/ufuncs.h"

#include "base/error.h"
#include "ops/lax.h"

namespace cotan::jnp {

using lax::constant_like;

namespace {

Value inexact(const Value& x) {
  if (is_inexact(x.dtype())) return x;
  if (x.dtype() == DType::key)
    throw_type("cotan.numpy functions do not accept PRNG keys.");
  TypeAndWeak t = to_inexact(type_of(x));
  return lax::convert(x, t.dtype, t.weak);
}

// Bool counts as int32 where NumPy would refuse or upcast.
Value numeric(const Value& x) {
  if (x.dtype() != DType::bool_) return x;
  return lax::convert(x, default_int());
}

Value to_boolean(const Value& x) {
  if (x.dtype() == DType::bool_) return x;
  return lax::ne(x, constant_like(x, 0));
}

template <class F>
Value binary(const char* op, F f, const Value& x, const Value& y) {
  if (x.dtype() == y.dtype() && x.weak_type() == y.weak_type() &&
      x.shape() == y.shape())
    return f(x, y);
  Value both[] = {x, y};
  Values v = promote(op, both);
  return f(v[0], v[1]);
}

template <class F>
Value binary_inexact(const char* op, F f, const Value& x, const Value& y) {
  Value both[] = {x, y};
  Values v = promote_inexact(op, both);
  return f(v[0], v[1]);
}

void require_int(const char* op, const Value& x) {
  if (!is_int(x.dtype()) && x.dtype() != DType::bool_)
    throw_type(op, " only accepts integer or boolean inputs, got ",
               dtype_name(x.dtype()), ".");
}

}  // namespace

// ---- one operand

#define COTAN_INEXACT(name, f) \
  Value name(const Value& x) { return lax::f(inexact(x)); }
COTAN_INEXACT(exp, exp)
COTAN_INEXACT(exp2, exp2)
COTAN_INEXACT(expm1, expm1)
COTAN_INEXACT(log, log)
COTAN_INEXACT(log1p, log1p)
COTAN_INEXACT(sin, sin)
COTAN_INEXACT(cos, cos)
COTAN_INEXACT(tan, tan)
COTAN_INEXACT(arcsin, asin)
COTAN_INEXACT(arccos, acos)
COTAN_INEXACT(arctan, atan)
COTAN_INEXACT(sinh, sinh)
COTAN_INEXACT(cosh, cosh)
COTAN_INEXACT(tanh, tanh)
COTAN_INEXACT(arcsinh, asinh)
COTAN_INEXACT(arccosh, acosh)
COTAN_INEXACT(arctanh, atanh)
COTAN_INEXACT(sqrt, sqrt)
COTAN_INEXACT(cbrt, cbrt)
#undef COTAN_INEXACT

Value log2(const Value& x) {
  Value y = lax::log(inexact(x));
  return lax::div(y, constant_like(y, 0.6931471805599453));
}
Value log10(const Value& x) {
  Value y = lax::log(inexact(x));
  return lax::div(y, constant_like(y, 2.302585092994046));
}
Value negative(const Value& x) {
  if (x.dtype() == DType::bool_)
    throw_type(
        "The negative operator is not supported for booleans; use "
        "logical_not or bitwise_not.");
  return lax::neg(x);
}
Value absolute(const Value& x) {
  return x.dtype() == DType::bool_ ? x : lax::abs(x);
}
Value invert(const Value& x) {
  require_int("invert", x);
  return lax::bitwise_not(x);
}
Value sign(const Value& x) {
  return lax::sign(x.dtype() == DType::bool_ ? numeric(x) : x);
}
Value floor(const Value& x) {
  return is_int(x.dtype()) || x.dtype() == DType::bool_ ? x : lax::floor(x);
}
Value ceil(const Value& x) {
  return is_int(x.dtype()) || x.dtype() == DType::bool_ ? x : lax::ceil(x);
}
Value trunc(const Value& x) {
  if (is_int(x.dtype()) || x.dtype() == DType::bool_) return x;
  return where(lax::lt(x, constant_like(x, 0)), lax::ceil(x), lax::floor(x));
}
Value rint(const Value& x) {
  if (x.dtype() == DType::bool_ || is_int(x.dtype())) return inexact(x);
  if (is_complex(x.dtype()))
    return lax::complex(rint(lax::real(x)), rint(lax::imag(x)));
  return lax::round(x, RoundingMode::to_nearest_even);
}
Value square(const Value& x) { return lax::square(numeric(x)); }
Value reciprocal(const Value& x) {
  Value y = inexact(x);
  return lax::div(constant_like(y, 1), y);
}
Value isnan(const Value& x) {
  if (!is_inexact(x.dtype()))
    return lax::full(x.shape(), Literal::from_int(DType::bool_, 0));
  return lax::ne(x, x);
}
Value isinf(const Value& x) {
  if (!is_inexact(x.dtype()))
    return lax::full(x.shape(), Literal::from_int(DType::bool_, 0));
  if (is_complex(x.dtype()))
    return lax::bitwise_or(isinf(lax::real(x)), isinf(lax::imag(x)));
  return lax::eq(lax::abs(x), constant_like(x, __builtin_inf()));
}
Value isfinite(const Value& x) {
  if (!is_inexact(x.dtype()))
    return lax::full(x.shape(), Literal::from_int(DType::bool_, 1));
  if (is_complex(x.dtype()))
    return lax::bitwise_and(isfinite(lax::real(x)), isfinite(lax::imag(x)));
  return lax::is_finite(x);
}
Value logical_not(const Value& x) { return lax::bitwise_not(to_boolean(x)); }
Value real(const Value& x) { return is_complex(x.dtype()) ? lax::real(x) : x; }
Value imag(const Value& x) {
  if (is_complex(x.dtype())) return lax::imag(x);
  return zeros_like(x);
}
Value conj(const Value& x) { return is_complex(x.dtype()) ? lax::conj(x) : x; }
Value bitwise_count(const Value& x) {
  require_int("bitwise_count", x);
  Value y = is_signed_int(x.dtype()) ? lax::abs(x) : numeric(x);
  return lax::convert(lax::population_count(y), DType::u8);
}

// ---- two operands

Value add(const Value& x, const Value& y) {
  if (x.dtype() == DType::bool_ && y.dtype() == DType::bool_)
    return binary("add", lax::bitwise_or, x, y);
  return binary("add", lax::add, x, y);
}
Value subtract(const Value& x, const Value& y) {
  if (x.dtype() == DType::bool_ && y.dtype() == DType::bool_)
    throw_type("subtract does not accept dtype bool. Use logical_xor.");
  return binary("sub", lax::sub, x, y);
}
Value multiply(const Value& x, const Value& y) {
  if (x.dtype() == DType::bool_ && y.dtype() == DType::bool_)
    return binary("mul", lax::bitwise_and, x, y);
  return binary("mul", lax::mul, x, y);
}
Value true_divide(const Value& x, const Value& y) {
  return binary_inexact("div", lax::div, x, y);
}

namespace {

Value floor_divide_int(const Value& x, const Value& y) {
  Value q = lax::div(x, y);
  if (is_unsigned_int(x.dtype())) return q;
  // Towards minus infinity: one less where signs differ and there is a rest.
  Value differ = lax::ne(lax::sign(x), lax::sign(y));
  Value rest = lax::ne(lax::rem(x, y), constant_like(x, 0));
  return lax::select(lax::bitwise_and(differ, rest),
                     lax::sub(q, constant_like(q, 1)), q);
}

// x % 0 is 0 for integers (lax.rem gives x).
Value nonzero_divisor(const Value& y) {
  if (y->kind == ValueKind::scalar && y.as<ScalarObj>().literal.to_int() != 0)
    return y;
  Literal one = Literal::from_int(y.dtype(), 1, y.weak_type());
  return lax::select(lax::eq(y, constant_like(y, 0)), lax::full(y.shape(), one),
                     y);
}

Value remainder_real(const Value& x, Value y) {
  if (is_int(x.dtype())) y = nonzero_divisor(y);
  Value r = lax::rem(x, y);
  Value zero = constant_like(r, 0);
  if (is_unsigned_int(x.dtype())) return r;
  // The divisor's sign.
  Value nonzero = lax::ne(r, zero);
  Value differ = lax::ne(lax::lt(r, zero), lax::lt(y, zero));
  return lax::select(lax::bitwise_and(nonzero, differ), lax::add(r, y), r);
}

Value floor_divide_float(const Value& x, const Value& y) {
  Value r = remainder_real(x, y);
  Value q = lax::div(lax::sub(x, r), y);
  return lax::round(q);
}

}  // namespace

Value floor_divide(const Value& x, const Value& y) {
  Value both[] = {numeric(x), numeric(y)};
  Values v = promote("floor_divide", both);
  if (is_int(v[0].dtype())) return floor_divide_int(v[0], v[1]);
  if (is_complex(v[0].dtype()))
    throw_type("floor_divide does not support complex-valued inputs");
  return floor_divide_float(v[0], v[1]);
}
Value remainder(const Value& x, const Value& y) {
  Value both[] = {numeric(x), numeric(y)};
  Values v = promote("remainder", both);
  if (is_complex(v[0].dtype()))
    throw_type("remainder does not support complex-valued inputs");
  return remainder_real(v[0], v[1]);
}
Value fmod(const Value& x, const Value& y) {
  return binary("fmod", lax::rem, numeric(x), numeric(y));
}

Value integer_power(const Value& x, int64_t n) {
  Value y = numeric(x);
  if (n == 2 && is_numeric(y.dtype())) return lax::integer_pow(y, 2);
  return lax::integer_pow(y, n);
}

namespace {

// Square and multiply over the bits of an integer exponent.
Value power_int(Value x, Value y) {
  Value zero = constant_like(y, 0), one = constant_like(y, 1);
  Value acc =
      lax::full(broadcast_shapes(std::vector<Shape>{x.shape(), y.shape()}),
                Literal::from_int(x.dtype(), 1));
  Value negative = lax::lt(y, zero);
  for (int bit = 0; bit < 6; ++bit) {
    Value odd = lax::ne(lax::bitwise_and(y, one), zero);
    acc = lax::select(odd, lax::mul(acc, x), acc);
    y = lax::shift_right_logical(y, one);
    if (bit < 5) x = lax::mul(x, x);
  }
  return lax::select(negative, constant_like(acc, 0), acc);
}

}  // namespace

Value power(const Value& x, const Value& y) {
  Value a = numeric(x), b = numeric(y);
  // A Python int as the exponent: no exponent operand.
  if (b->kind == ValueKind::scalar && b.weak_type() && is_int(b.dtype()))
    return integer_power(a, b.as<ScalarObj>().literal.to_int());
  if (is_int(a.dtype()) && is_int(b.dtype())) {
    Value both[] = {a, b};
    Values v = promote("power", both);
    return power_int(v[0], v[1]);
  }
  // A float raised to an integer array keeps the integer exponent.
  if (is_inexact(a.dtype()) && is_int(b.dtype())) {
    std::vector<Shape> shapes{a.shape(), b.shape()};
    if (a.rank() && b.rank() && a.shape() != b.shape()) {
      Shape s = broadcast_shapes(shapes);
      a = broadcast_to(a, s);
      b = broadcast_to(b, s);
    }
    return lax::pow(a, lax::convert(b, b.dtype(), a.weak_type()));
  }
  return binary_inexact("power", lax::pow, a, b);
}

Value maximum(const Value& x, const Value& y) {
  return binary("maximum", lax::max, x, y);
}
Value minimum(const Value& x, const Value& y) {
  return binary("minimum", lax::min, x, y);
}
Value arctan2(const Value& x, const Value& y) {
  return binary_inexact("arctan2", lax::atan2, x, y);
}
Value hypot(const Value& x, const Value& y) {
  Value both[] = {absolute(x), absolute(y)};
  Values v = promote_inexact("hypot", both);
  // The larger is factored out; where it is 0 or inf there is nothing to do.
  Value big = lax::max(v[0], v[1]), small = lax::min(v[0], v[1]);
  Value zero = constant_like(big, 0), one = constant_like(big, 1);
  Value plain = lax::bitwise_or(lax::eq(big, zero), isinf(big));
  Value safe = lax::select(
      plain, lax::full(big.shape(), Literal::from_double(big.dtype(), 1)), big);
  Value ratio = lax::div(small, safe);
  Value r = lax::mul(safe, lax::sqrt(lax::add(one, lax::square(ratio))));
  return lax::select(plain, big, r);
}
Value logaddexp(const Value& x, const Value& y) {
  Value both[] = {x, y};
  Values v = promote_inexact("logaddexp", both);
  Value big = lax::max(v[0], v[1]);
  Value delta = lax::sub(v[0], v[1]);
  // inf - inf is nan: equal infinities just add.
  Value sum = lax::add(v[0], v[1]);
  Value r = lax::add(big, lax::log1p(lax::exp(lax::neg(lax::abs(delta)))));
  return lax::select(isnan(delta), sum, r);
}
Value nextafter(const Value& x, const Value& y) {
  return binary_inexact("nextafter", lax::nextafter, x, y);
}

#define COTAN_COMPARE(name, f)                 \
  Value name(const Value& x, const Value& y) { \
    return binary(#name, lax::f, x, y);        \
  }
COTAN_COMPARE(equal, eq)
COTAN_COMPARE(not_equal, ne)
COTAN_COMPARE(less, lt)
COTAN_COMPARE(less_equal, le)
COTAN_COMPARE(greater, gt)
COTAN_COMPARE(greater_equal, ge)
#undef COTAN_COMPARE

#define COTAN_LOGICAL(name, f)                                  \
  Value name(const Value& x, const Value& y) {                  \
    return binary(#name, lax::f, to_boolean(x), to_boolean(y)); \
  }
COTAN_LOGICAL(logical_and, bitwise_and)
COTAN_LOGICAL(logical_or, bitwise_or)
COTAN_LOGICAL(logical_xor, bitwise_xor)
#undef COTAN_LOGICAL

#define COTAN_BITWISE(name)                    \
  Value name(const Value& x, const Value& y) { \
    require_int(#name, x);                     \
    require_int(#name, y);                     \
    return binary(#name, lax::name, x, y);     \
  }
COTAN_BITWISE(bitwise_and)
COTAN_BITWISE(bitwise_or)
COTAN_BITWISE(bitwise_xor)
#undef COTAN_BITWISE

Value left_shift(const Value& x, const Value& y) {
  require_int("left_shift", x);
  require_int("left_shift", y);
  return binary("left_shift", lax::shift_left, numeric(x), numeric(y));
}
Value right_shift(const Value& x, const Value& y) {
  require_int("right_shift", x);
  require_int("right_shift", y);
  Value a = numeric(x);
  return binary("right_shift",
                is_unsigned_int(a.dtype()) ? lax::shift_right_logical
                                           : lax::shift_right_arithmetic,
                a, numeric(y));
}

// ---- three operands

Value where(const Value& cond, const Value& x, const Value& y) {
  Value both[] = {x, y};
  TypeAndWeak t = result_type(both);
  Value a = lax::convert(x, t.dtype, t.weak),
        b = lax::convert(y, t.dtype, t.weak);
  Value c = to_boolean(cond);
  Shape shape =
      broadcast_shapes(std::vector<Shape>{c.shape(), a.shape(), b.shape()});
  if (c.rank()) c = broadcast_to(c, shape);
  if (a.rank() || !c.rank()) a = broadcast_to(a, shape);
  if (b.rank() || !c.rank()) b = broadcast_to(b, shape);
  if (!a.rank() && b.rank()) a = broadcast_to(a, shape);
  if (!b.rank() && a.rank()) b = broadcast_to(b, shape);
  return lax::select(c, a, b);
}

}  // namespace cotan::jnp
