#include "jnp/ufuncs.h"

#include "base/error.h"
#include "ops/lax.h"

namespace cotan::jnp {

using lax::constant_like;

namespace {

Value inexact(const Value& x) {
  if (is_inexact(x.dtype())) return x;
  if (is_key(x.dtype()))
    throw_type("cotan.numpy functions do not accept PRNG keys.");
  TypeAndWeak t = to_inexact(type_of(x));
  return lax::convert(x, t.dtype, t.weak);
}

// Bool counts as int32 where NumPy would refuse or upcast.
Value numeric(const Value& x) {
  if (x.dtype() != DType::bool_) return x;
  return lax::convert(x, DType::i32);
}

// Constants beside x. `constant_like` leaves the weak type of a result to x;
// beside these a result is strongly typed: always, or where x has a shape
// (JAX takes only weak scalars for Python's).
Value strong_constant(const Value& x, double v) {
  return scalar_value(Literal::from_double(x.dtype(), v));
}
Value scalar_constant(const Value& x, double v) {
  bool weak = x.weak_type() && x.rank() == 0;
  return scalar_value(Literal::from_double(x.dtype(), v, weak));
}

Value to_boolean(const Value& x) {
  if (x.dtype() == DType::bool_) return x;
  return lax::ne(x, scalar_constant(x, 0));
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

template <class F>
Value binary_numeric(const char* op, F f, const Value& x, const Value& y) {
  Value both[] = {x, y};
  Values v = promote_numeric(op, both);
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

namespace {

// log(x) / log(base), the parts of a complex logarithm one by one.
Value log_of_base(const Value& x, double log_base) {
  Value y = lax::log(inexact(x));
  auto scale = [&](const Value& part) {
    return lax::div(part, strong_constant(part, log_base));
  };
  if (!is_complex(y.dtype())) return scale(y);
  return lax::complex(scale(lax::real(y)), scale(lax::imag(y)));
}

}  // namespace

Value log2(const Value& x) { return log_of_base(x, 0.6931471805599453); }
Value log10(const Value& x) { return log_of_base(x, 2.302585092994046); }
Value negative(const Value& x) {
  if (x.dtype() == DType::bool_)
    throw_type(
        "The negative operator is not supported for booleans; use "
        "logical_not or bitwise_not.");
  return lax::neg(x);
}
Value absolute(const Value& x) {
  bool same = x.dtype() == DType::bool_ || is_unsigned_int(x.dtype());
  return same ? x : lax::abs(x);
}
Value invert(const Value& x) {
  require_int("invert", x);
  return lax::bitwise_not(x);
}
Value sign(const Value& x) { return lax::sign(x); }
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
  if (x.dtype() == DType::bool_ || is_int(x.dtype()))
    return lax::convert(x, default_float());
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
    return lax::full(x.shape(),
                     Literal::from_int(DType::bool_, 0, x.weak_type()));
  return lax::ne(x, x);
}
Value isinf(const Value& x) {
  if (!is_inexact(x.dtype()))
    return lax::full(x.shape(), Literal::from_int(DType::bool_, 0));
  if (is_complex(x.dtype()))
    return lax::bitwise_or(isinf(lax::real(x)), isinf(lax::imag(x)));
  return lax::eq(lax::abs(x), strong_constant(x, __builtin_inf()));
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

// As CPython's float_divmod; x // 0 is x / 0.
Value floor_divide_float(const Value& x, const Value& y) {
  Value r = lax::rem(x, y), zero = constant_like(y, 0);
  Value whole = where(lax::eq(y, zero), x, lax::sub(x, r));
  Value q = lax::div(whole, y);
  Value differ = lax::ne(lax::sign(y), lax::sign(r));
  Value down = lax::bitwise_and(lax::ne(r, zero), differ);
  return lax::round(where(down, lax::sub(q, constant_like(q, 1)), q));
}

}  // namespace

Value floor_divide(const Value& x, const Value& y) {
  Value both[] = {x, y};
  Values v = promote_numeric("floor_divide", both);
  if (is_int(v[0].dtype())) return floor_divide_int(v[0], v[1]);
  if (is_complex(v[0].dtype()))
    throw_type("floor_divide does not support complex-valued inputs");
  return floor_divide_float(v[0], v[1]);
}
Value remainder(const Value& x, const Value& y) {
  Value both[] = {x, y};
  Values v = promote_numeric("remainder", both);
  if (is_complex(v[0].dtype()))
    throw_type("remainder does not support complex-valued inputs");
  return remainder_real(v[0], v[1]);
}
Value fmod(const Value& x, const Value& y) {
  Value both[] = {x, y};
  Values v = promote_numeric("fmod", both);
  return lax::rem(v[0], is_int(v[1].dtype()) ? nonzero_divisor(v[1]) : v[1]);
}

Value integer_power(const Value& x, int64_t n) {
  Value y = numeric(x);
  if (n == 2 && is_numeric(y.dtype())) return lax::integer_pow(y, 2);
  return lax::integer_pow(y, n);
}

namespace {

// Square and multiply over the low six bits of an integer exponent: more
// overflow any base but 0, 1 and -1. A negative exponent counts as its low
// bits, which JAX leaves unspecified; NumPy refuses them.
Value power_int(Value x, Value y) {
  Value zero = strong_constant(y, 0), one = strong_constant(y, 1);
  Value acc =
      where(lax::bitwise_and(lax::eq(x, zero), lax::ne(y, zero)), zero, one);
  for (int bit = 0; bit < 6; ++bit) {
    Value odd = lax::ne(lax::bitwise_and(y, one), zero);
    acc = where(odd, lax::mul(acc, x), acc);
    y = lax::shift_right_logical(y, one);
    if (bit < 5) x = lax::mul(x, x);
  }
  return acc;
}

// The value of a rank-0 integer that is known now: no exponent operand.
std::optional<int64_t> known_integer(const Value& v) {
  if (v.rank() != 0 || !is_int(v.dtype())) return std::nullopt;
  if (v->kind == ValueKind::scalar) return v.as<ScalarObj>().literal.to_int();
  if (!v->is_concrete() || !v->host_data()) return std::nullopt;
  return Literal::from_bytes(v.dtype(), v->host_data()).to_int();
}

}  // namespace

Value power(const Value& x, const Value& y) {
  if (auto n = known_integer(y)) return integer_power(x, *n);
  Value both[] = {x, y};
  TypeAndWeak t = to_numeric(result_type(both));
  if (is_int(t.dtype)) return binary_numeric("power", power_int, x, y);
  // A float raised to an integer array keeps the integer exponent: it has a
  // derivative at 0.
  if (is_inexact(x.dtype()) && is_int(y.dtype())) {
    Value a = x, b = y;
    if (a.rank() && b.rank() && a.shape() != b.shape()) {
      Shape s =
          broadcast_operands("power", std::vector<Shape>{a.shape(), b.shape()});
      a = broadcast_to(a, s);
      b = broadcast_to(b, s);
    }
    return lax::pow(a, b);
  }
  return binary_numeric("power", lax::pow, x, y);
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
  Value both[] = {x, y};
  Values v = promote_inexact("hypot", both);
  if (is_complex(v[0].dtype()))
    throw_value(
        "jnp.hypot is not well defined for complex-valued inputs. Please "
        "convert "
        "to real values first, such as by using abs(x)");
  // The larger is factored out; where it is 0 or inf there is nothing to do.
  Value a = lax::abs(v[0]), b = lax::abs(v[1]);
  Value big = lax::max(a, b), small = lax::min(a, b);
  Value zero = constant_like(big, 0), one = constant_like(big, 1);
  Value infinite = lax::bitwise_or(isinf(a), isinf(b));  // beside a nan, too
  Value plain = lax::bitwise_or(lax::eq(big, zero), infinite);
  Value safe = where(plain, one, big);
  Value ratio = lax::div(small, safe);
  Value r = lax::mul(safe, lax::sqrt(lax::add(one, lax::square(ratio))));
  Value inf = scalar_constant(big, __builtin_inf());
  return where(infinite, inf, where(plain, big, r));
}

namespace {

// The number of (-half, half] that differs from x by a multiple of 2 half.
Value wrap_between(const Value& x, double half) {
  Value a = scalar_constant(x, half), period = scalar_constant(x, 2 * half);
  Value r = lax::rem(lax::add(x, a), period);
  r = where(lax::lt(r, scalar_constant(x, 0)), lax::add(r, period), r);
  return lax::sub(r, a);
}

// log(exp(scale x) + exp(scale y)) / scale, for operands of one dtype.
Value log_of_sum(std::span<const Value> v, double scale) {
  Value big = lax::max(v[0], v[1]);
  auto grow = [&](const Value& d) {
    return lax::log1p(scale == 1 ? lax::exp(d) : lax::exp2(d));
  };
  auto shrink = [&](const Value& d) {
    return scale == 1 ? d : lax::mul(scalar_constant(d, 1 / scale), d);
  };
  if (is_complex(big.dtype())) {
    Value twice = lax::mul(big, scalar_constant(big, 2));
    Value delta = lax::sub(lax::add(v[0], v[1]), twice);
    Value r = lax::add(big, shrink(grow(delta)));
    Value turn = wrap_between(lax::imag(r), 3.141592653589793 / scale);
    return lax::complex(lax::real(r), turn);
  }
  Value delta = lax::sub(v[0], v[1]);
  // inf - inf is nan: equal infinities just add.
  Value sum = lax::add(v[0], v[1]);
  Value r = lax::add(big, shrink(grow(lax::neg(lax::abs(delta)))));
  return lax::select(isnan(delta), sum, r);
}

}  // namespace

namespace {

// With weights exp(scale (x - result)) as derivative: those of max and abs
// would be wrong at ties.
Value log_add(const char* op, std::span<const Value> v, double scale) {
  auto fun = [scale](std::span<const Value> a) {
    return Values{log_of_sum(a, scale)};
  };
  if (is_evaluating()) return std::move(fun(v)[0]);
  auto jvp = [op, scale](std::span<const Value> a) {
    auto finite = [](const Value& x) {
      Value inf = scalar_constant(x, __builtin_inf());
      return where(lax::eq(x, inf), scalar_constant(x, 0), x);
    };
    Value out = log_add(op, a.first(2), scale), to = finite(out);
    auto part = [&](const Value& x, const Value& t) {
      Value d = lax::sub(finite(x), to);
      return lax::mul(t, scale == 1 ? lax::exp(d) : lax::exp2(d));
    };
    return Values{out, lax::add(part(a[0], a[2]), part(a[1], a[3]))};
  };
  return lax::custom_jvp(make_callable(fun), make_callable(jvp), v, op)[0];
}

}  // namespace

Value logaddexp(const Value& x, const Value& y) {
  Value both[] = {x, y};
  return log_add("logaddexp", promote_inexact("logaddexp", both), 1);
}
Value logaddexp2(const Value& x, const Value& y) {
  Value both[] = {x, y};
  return log_add("logaddexp2", promote_inexact("logaddexp2", both),
                 0.6931471805599453);
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
  return binary_numeric("left_shift", lax::shift_left, x, y);
}
Value right_shift(const Value& x, const Value& y) {
  require_int("right_shift", x);
  require_int("right_shift", y);
  return binary_numeric(
      "right_shift",
      [](const Value& a, const Value& n) {
        return is_unsigned_int(a.dtype()) ? lax::shift_right_logical(a, n)
                                          : lax::shift_right_arithmetic(a, n);
      },
      x, y);
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
