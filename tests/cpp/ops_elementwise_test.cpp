// The rules of the elementwise primitives, of views, reductions and dot, by
// the harness: derivatives against finite differences, vmap against a loop.
// Accuracy of values is tested against mpmath and NumPy from Python.
#include "op_harness.h"

namespace cotan {

using namespace testing;

namespace {

constexpr DType f64 = DType::f64, c128 = DType::c128, i32 = DType::i32;

struct Unary {
  const char* name;
  Value (*f)(const Value&);
  double lo, hi;  // where it is smooth
};
#define U(name, lo, hi) {#name, lax::name, lo, hi}
const Unary kUnary[] = {
    U(neg, -2, 2),      U(exp, -2, 2),         U(exp2, -2, 2),
    U(expm1, -2, 2),    U(log, 0.5, 3),        U(log1p, -0.5, 3),
    U(sin, -2, 2),      U(cos, -2, 2),         U(tan, -1, 1),
    U(asin, -0.8, 0.8), U(acos, -0.8, 0.8),    U(atan, -2, 2),
    U(sinh, -2, 2),     U(cosh, -2, 2),        U(tanh, -2, 2),
    U(asinh, -2, 2),    U(acosh, 1.5, 3),      U(atanh, -0.8, 0.8),
    U(logistic, -2, 2), U(lgamma, 0.5, 3),     U(erf, -2, 2),
    U(erfc, -2, 2),     U(erf_inv, -0.8, 0.8), U(sqrt, 0.5, 3),
    U(rsqrt, 0.5, 3),   U(cbrt, 0.5, 3),       U(square, -2, 2),
    U(abs, 0.5, 2),     U(sign, 0.5, 2),       U(floor, 0.1, 0.9),
    U(ceil, 0.1, 0.9),  U(copy, -2, 2),
};
const Unary kComplexUnary[] = {
    U(neg, -1, 1),     U(exp, -1, 1),      U(log, 0.5, 2),
    U(sin, -1, 1),     U(cos, -1, 1),      U(tan, -1, 1),
    U(sinh, -1, 1),    U(cosh, -1, 1),     U(tanh, -1, 1),
    U(sqrt, 0.5, 2),   U(rsqrt, 0.5, 2),   U(square, -1, 1),
    U(log1p, 0.5, 2),  U(expm1, -1, 1),    U(logistic, -1, 1),
    U(atan, 0.1, 0.5), U(asinh, 0.1, 0.5), U(atanh, 0.1, 0.5),
};
#undef U

struct Binary {
  const char* name;
  Value (*f)(const Value&, const Value&);
  bool complex;
};
#define B(name, complex) {#name, lax::name, complex}
const Binary kBinary[] = {
    B(add, true),    B(sub, true),  B(mul, true),  B(div, true),  B(pow, true),
    B(atan2, false), B(max, false), B(min, false), B(rem, false),
};
#undef B

// Reports which entry of a table failed.
template <class F>
void named(const char* name, F f) {
  try {
    f();
  } catch (const Failure& e) {
    throw Failure{cat(name, ": ", e.what)};
  } catch (const Error& e) {
    throw Failure{cat(name, " threw: ", e.what())};
  }
}

}  // namespace

TEST(unary_rules) {
  for (const Unary& u : kUnary) {
    auto f = [&](Args x) { return one(u.f(x[0])); };
    named(u.name, [&] { check_op(f, {random_array(f64, {3}, u.lo, u.hi)}); });
    named(u.name, [&] { check_op(f, {random_array(f64, {}, u.lo, u.hi)}); });
  }
}

TEST(unary_rules_of_complex_numbers) {
  for (const Unary& u : kComplexUnary) {
    auto f = [&](Args x) { return one(u.f(x[0])); };
    named(u.name, [&] { check_op(f, {random_array(c128, {3}, u.lo, u.hi)}); });
  }
  // Not analytic: real and imaginary parts are functions of two numbers.
  for (auto part : {lax::real, lax::imag, lax::conj, lax::abs}) {
    auto f = [&](Args x) { return one(part(lax::complex(x[0], x[1]))); };
    check_op(f, {random_array(f64, {3}), random_array(f64, {3}, 1, 2, 3)});
  }
}

TEST(binary_rules) {
  for (const Binary& b : kBinary) {
    auto f = [&](Args x) { return one(b.f(x[0], x[1])); };
    // pow's base must be positive; rem and div far from the poles.
    for (Shape y : {Shape{3}, Shape{}})
      for (Shape x : {Shape{3}, Shape{}})
        named(b.name, [&] {
          check_op(f, {random_array(f64, x, 2.1, 2.9),
                       random_array(f64, y, 1.1, 1.4, 3)});
        });
    if (!b.complex) continue;
    named(b.name, [&] {
      check_op(
          f, {random_array(c128, {3}, 1, 2), random_array(c128, {3}, 1, 2, 3)});
    });
  }
}

TEST(parametrised_rules) {
  for (int64_t y : {-3, -1, 0, 1, 2, 5}) {
    auto f = [=](Args x) { return one(lax::integer_pow(x[0], y)); };
    check_op(f, {random_array(f64, {3}, 0.5, 2)});
  }
  auto clamp = [](Args x) { return one(lax::clamp(x[0], x[1], x[2])); };
  check_op(clamp, {array_of(f64, {}, {-1}), array_of(f64, {3}, {-2, 0.5, 3}),
                   array_of(f64, {}, {1})});
  auto round = [](Args x) {
    return one(lax::round(x[0], RoundingMode::to_nearest_even));
  };
  check_op(round, {random_array(f64, {3}, 0.6, 0.9)});
  for (DType to : {DType::f64, DType::c128}) {
    auto f = [=](Args x) { return one(lax::convert(x[0], to)); };
    check_op(f, {random_array(f64, {3})});
  }
  auto precision = [](Args x) {
    return one(lax::reduce_precision(x[0], 11, 52));
  };
  check_op(precision, {random_array(f64, {3})});
}

// As XLA gives them.
TEST(reduce_precision_values) {
  constexpr double inf = __builtin_inf(), nan = __builtin_nan("");
  Value x = array_of(DType::f32, {10},
                     {1.00390625, 1.01171875, -3.14159, 65519, 65520, 1e30,
                      6e-8, inf, nan, -0.0});
  auto check = [&](int64_t e, int64_t m, std::vector<double> want) {
    check_numbers(lax::reduce_precision(x, e, m), DType::f32, {10}, want);
  };
  check(5, 10,
        {1.00390625, 1.01171875, -3.140625, 65504, inf, inf, 0, inf, nan, 0});
  check(4, 3, {1, 1, -3.25, inf, inf, inf, 0, inf, nan, 0});
  check(2, 0, {1, 1, -inf, inf, inf, inf, 0, inf, nan, 0});
  check(8, 7,
        {1, 1.015625, -3.140625, 65536, 65536, 1.0002555517425873e30,
         6.007030606269836e-08, inf, nan, 0});
  Value half = array_of(DType::f16, {4}, {6e-8, 1.01171875, 65504, nan});
  check_numbers(lax::reduce_precision(half, 5, 10), DType::f16, {4},
                numbers(half));
  check_numbers(lax::reduce_precision(half, 4, 3), DType::f16, {4},
                {0, 1, inf, nan});
  CHECK_THROWS(ErrorKind::value, lax::reduce_precision(x, 0, 3),
               "exponent_bits must be positive; got 0");
  CHECK_THROWS(ErrorKind::value, lax::reduce_precision(x, 3, -1),
               "mantissa_bits must be non-negative; got -1");
}

TEST(select_rules) {
  auto f = [](Args x) { return one(lax::select_n(x[0], x.subspan(1))); };
  check_op(f, {array_of(DType::bool_, {3}, {0, 1, 1}), random_array(f64, {3}),
               random_array(f64, {3}, -1, 1, 2)});
  check_op(f, {array_of(DType::bool_, {}, {1}), random_array(f64, {3}),
               random_array(f64, {3}, -1, 1, 2)});
  check_op(
      f, {array_of(i32, {3}, {0, 2, 1}), random_array(f64, {3}),
          random_array(f64, {3}, -1, 1, 2), random_array(f64, {3}, -1, 1, 3)});
}

TEST(view_rules) {
  using F = Values (*)(Args);
  const F functions[] = {
      [](Args x) {
        return one(lax::broadcast_in_dim(x[0], {2, 4, 3}, {0, 2}));
      },
      [](Args x) { return one(lax::reshape(x[0], {3, 2})); },
      [](Args x) { return one(lax::transpose(x[0], {1, 0})); },
      [](Args x) { return one(lax::rev(x[0], {1})); },
      [](Args x) { return one(lax::slice(x[0], {0, 1}, {2, 3})); },
      [](Args x) { return one(lax::slice(x[0], {0, 0}, {2, 3}, {1, 2})); },
      [](Args x) { return one(lax::expand_dims(x[0], {1})); },
      [](Args x) {
        return one(lax::squeeze(lax::expand_dims(x[0], {0}), {0}));
      },
  };
  for (F f : functions) check_op(f, {random_array(f64, {2, 3})});
  auto stretch = [](Args x) {
    return one(lax::broadcast_in_dim(x[0], {2, 3}, {0, 1}));
  };
  check_op(stretch, {random_array(f64, {1, 3})});
}

TEST(reduction_rules) {
  for (Monoid m : {Monoid::sum, Monoid::prod, Monoid::max, Monoid::min}) {
    for (Axes axes : {Axes{0}, Axes{1}, Axes{0, 2}, Axes{0, 1, 2}, Axes{}}) {
      auto f = [=](Args x) { return one(lax::reduce(x[0], m, axes)); };
      named(std::string(enum_name(m)).c_str(),
            [&] { check_op(f, {random_order(f64, {2, 3, 2})}); });
    }
  }
  OpOptions o;
  o.differentiable = false;
  for (Monoid m : {Monoid::argmax, Monoid::argmin}) {
    auto f = [=](Args x) { return one(lax::argreduce(x[0], m, 1, i32)); };
    check_op(f, {random_order(f64, {2, 3, 2})}, o);
  }
}

TEST(dot_rules) {
  auto check = [](DotParams p, Shape x, Shape y) {
    auto f = [=](Args a) { return one(lax::dot_general(a[0], a[1], p)); };
    check_op(f, {random_array(f64, x), random_array(f64, y, -1, 1, 2)});
  };
  DotParams p;
  p.lhs_contract = {1};
  p.rhs_contract = {0};
  check(p, {2, 3}, {3, 4});
  check(p, {2, 3}, {3});
  p.lhs_contract = {0};
  check(p, {3}, {3});
  p.lhs_contract = {2};
  p.rhs_contract = {1};
  p.lhs_batch = {0};
  p.rhs_batch = {2};
  check(p, {2, 4, 3}, {5, 3, 2});
  p.lhs_contract = {0, 2};
  p.rhs_contract = {1, 0};
  p.lhs_batch = p.rhs_batch = {};
  check(p, {2, 4, 3}, {3, 2});
  check({}, {2}, {3});
}

}  // namespace cotan
