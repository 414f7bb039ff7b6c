// Special values of the math functions, through the host evaluator. How near
// they are everywhere else is measured by tools/accuracy.cpp.
#include <cmath>
#include <complex>
#include <limits>

#include "emit/host_evaluator.h"
#include "testing.h"

namespace cotan {
namespace {

HostEvaluator& host() { return HostEvaluator::instance(); }

template <class T>
T eval(MathFn fn, T x, T y = 0) {
  return HostEvaluator::value<T>(
      host().math(fn, HostEvaluator::of(x), HostEvaluator::of(y)));
}

// Equal in kind: nan, infinity and zero with their signs; else to 4 epsilons.
template <class T>
bool close(T got, T want, bool signs = true) {
  if (std::isnan(want) || std::isnan(got))
    return std::isnan(want) && std::isnan(got);
  if (std::isinf(want) || std::isinf(got) || want == 0 || got == 0) {
    return std::fabs(got) == std::fabs(want) &&
           (!signs || std::signbit(got) == std::signbit(want));
  }
  T slack = 4 * std::numeric_limits<T>::epsilon() * std::fabs(want) +
            2 * std::numeric_limits<T>::denorm_min();
  return std::fabs(got - want) <= slack;
}

struct Unary {
  const char* name;
  MathFn fn;
  double (*reference)(double);
};
#define REAL(f) {#f, MathFn::f, [](double x) { return std::f(x); }}
const Unary kUnary[] = {
    REAL(exp),
    REAL(exp2),
    REAL(expm1),
    REAL(log),
    REAL(log1p),
    REAL(sin),
    REAL(cos),
    REAL(tan),
    REAL(asin),
    REAL(acos),
    REAL(atan),
    REAL(sinh),
    REAL(cosh),
    REAL(tanh),
    REAL(asinh),
    REAL(acosh),
    REAL(atanh),
    REAL(erf),
    REAL(erfc),
    REAL(cbrt),
    {"logistic", MathFn::logistic,
     [](double x) { return 1 / (1 + std::exp(-x)); }},
    {"rsqrt", MathFn::rsqrt, [](double x) { return 1 / std::sqrt(x); }},
};

template <class T>
void check_unary() {
  using L = std::numeric_limits<T>;
  const T inf = L::infinity();
  const T points[] = {0,
                      T(-0.),
                      1,
                      -1,
                      T(.5),
                      T(-.5),
                      2,
                      -2,
                      inf,
                      -inf,
                      L::quiet_NaN(),
                      L::denorm_min(),
                      -L::denorm_min(),
                      L::min(),
                      -L::min(),
                      T(1e-10),
                      T(-1e-10),
                      20,
                      -20,
                      100,
                      -100};
  for (const Unary& f : kUnary) {
    for (T x : points) {
      T want = T(f.reference(double(x)));
      if (!close(eval(f.fn, x), want)) {
        testing::fail(__FILE__, __LINE__,
                      cat(f.name, "(", std::to_string(x),
                          ") = ", std::to_string(eval(f.fn, x))));
      }
    }
  }
  // The ends of the range, where the reference has them too.
  CHECK(eval(MathFn::sin, L::max()) != 0);
  CHECK(std::isnan(eval(MathFn::tan, inf)));
  CHECK(close(eval(MathFn::log, L::max()), T(std::log(double(L::max())))));
  CHECK(close(eval(MathFn::log1p, L::max()), T(std::log(double(L::max())))));
  CHECK(
      close(eval(MathFn::asinh, -L::max()), T(-std::asinh(double(L::max())))));
  CHECK(close(eval(MathFn::acosh, L::max()), T(std::acosh(double(L::max())))));
  CHECK(close(eval(MathFn::cbrt, L::max()), T(std::cbrt(double(L::max())))));
}
}  // namespace

TEST(math_special_values_f32) { check_unary<float>(); }
TEST(math_special_values_f64) { check_unary<double>(); }

TEST(math_erf_inv) {
  CHECK(close(eval(MathFn::erf_inv, 1.), HUGE_VAL));
  CHECK(close(eval(MathFn::erf_inv, -1.f), -HUGE_VALF));
  CHECK(close(eval(MathFn::erf_inv, -0.), -0.));
  CHECK(std::isnan(eval(MathFn::erf_inv, 1.5)));
  CHECK(std::isnan(eval(MathFn::erf_inv, double(NAN))));
  for (double x : {1e-300, -.3, .9, 1 - 1e-9, -(1 - 1e-16)}) {
    double y = eval(MathFn::erf_inv, x);
    CHECK(std::fabs(std::erf(y) - x) <= 4e-16 * std::fabs(x));
  }
}

// As JAX: nan at every pole of digamma, infinity at those of lgamma.
TEST(math_gamma_functions) {
  const double inf = HUGE_VAL;
  for (double pole : {0., -0., -1., -7., -8., -1e300, -inf}) {
    CHECK(close(eval(MathFn::lgamma, pole), inf));
    CHECK(close(eval(MathFn::lgamma, float(pole)), HUGE_VALF));
    CHECK(std::isnan(eval(MathFn::digamma, pole)));
    CHECK(std::isnan(eval(MathFn::digamma, float(pole))));
  }
  CHECK(close(eval(MathFn::lgamma, inf), inf));
  CHECK(close(eval(MathFn::digamma, inf), inf));
  CHECK(std::isnan(eval(MathFn::lgamma, double(NAN))));
  CHECK(std::isnan(eval(MathFn::digamma, double(NAN))));
  CHECK(close(eval(MathFn::lgamma, 1.), 0.));
  CHECK(close(eval(MathFn::lgamma, 2.), 0.));
  for (double x : {5e-324, -5e-324, .3, 1.47, 2.5, 7.9, 8., 171., 1e300, -.3,
                   -1.5, -7.7, -8.3, -171.5}) {
    CHECK(close(eval(MathFn::lgamma, x), std::lgamma(x)));
  }
  CHECK(close(eval(MathFn::digamma, 1.), -0.57721566490153286));
  CHECK(close(eval(MathFn::digamma, .5), -1.96351002602142348));
  CHECK(close(eval(MathFn::digamma, 10.), 2.25175258906672111));
  CHECK(close(eval(MathFn::digamma, -.5), 0.03648997397857652));
}

template <class T>
static void check_binary() {
  using L = std::numeric_limits<T>;
  const T points[] = {0,
                      T(-0.),
                      1,
                      -1,
                      2,
                      -2,
                      3,
                      -3,
                      T(.5),
                      T(-.5),
                      T(2.5),
                      T(-2.5),
                      L::infinity(),
                      -L::infinity(),
                      L::quiet_NaN(),
                      L::denorm_min(),
                      -L::denorm_min(),
                      L::max(),
                      -L::max(),
                      T(1e10),
                      1 + L::epsilon(),
                      1 - L::epsilon() / 2};
  for (T x : points) {
    for (T y : points) {
      double a = double(x), b = double(y);
      CHECK(close(eval(MathFn::pow, x, y), T(std::pow(a, b))));
      CHECK(close(eval(MathFn::atan2, x, y), T(std::atan2(a, b))));
    }
  }
}
TEST(math_special_pairs_f32) { check_binary<float>(); }
TEST(math_special_pairs_f64) { check_binary<double>(); }

// The reductions of large arguments. At the first, W. Kahan's hard case, glibc
// itself is off by 8 ULP.
TEST(math_large_arguments) {
  CHECK(close(eval(MathFn::cos, 0x1.6ac5b262ca1ffp+849),
              -4.68716592425462761112e-19));
  for (double x : {1e22, 0x1p1023, -3e300, 0x1p19, 524288.5, 1e15,
                   0x1.921fb54442d18p+20}) {
    CHECK(close(eval(MathFn::sin, x), std::sin(x)));
    CHECK(close(eval(MathFn::cos, x), std::cos(x)));
    CHECK(close(eval(MathFn::tan, x), std::tan(x)));
    float y = float(x);
    if (!std::isfinite(y)) continue;
    CHECK(close(eval(MathFn::sin, y), float(std::sin(double(y)))));
    CHECK(close(eval(MathFn::cos, y), float(std::cos(double(y)))));
    CHECK(close(eval(MathFn::tan, y), float(std::tan(double(y)))));
  }
}

// ---- complex

using C = std::complex<double>;

static C eval_complex(MathFn fn, C z, C w = 0) {
  return HostEvaluator::value<C>(
      host().math(fn, HostEvaluator::of(z), HostEvaluator::of(w)));
}

struct ComplexUnary {
  const char* name;
  MathFn fn;
  C (*reference)(const C&);
};
#define COMPLEX(f) {#f, MathFn::f, [](const C& z) { return std::f(z); }}
static const ComplexUnary kComplex[] = {
    COMPLEX(exp),  COMPLEX(log),   COMPLEX(sin),   COMPLEX(cos),  COMPLEX(tan),
    COMPLEX(asin), COMPLEX(acos),  COMPLEX(atan),  COMPLEX(sinh), COMPLEX(cosh),
    COMPLEX(tanh), COMPLEX(asinh), COMPLEX(acosh), COMPLEX(atanh)};

static const double kParts[] = {0.,       -0.,       1,   -1,    .5,     -2,
                                HUGE_VAL, -HUGE_VAL, NAN, 1e300, -1e300, 3};

// C99 Annex G leaves some signs open: with two infinite or nan parts, and
// beside a nan.
static bool same_complex(C z, C got, C want) {
  bool open = (!std::isfinite(z.real()) && !std::isfinite(z.imag())) ||
              std::isnan(want.real()) || std::isnan(want.imag());
  return close(got.real(), want.real(), !open) &&
         close(got.imag(), want.imag(), !open);
}

// The angle of a function of sines and cosines; 0 for others.
static double angle_of(MathFn fn, C z) {
  if (fn == MathFn::sin || fn == MathFn::cos || fn == MathFn::tan)
    return z.real();
  bool imag = fn == MathFn::exp || fn == MathFn::sinh || fn == MathFn::cosh ||
              fn == MathFn::tanh;
  return imag ? z.imag() : 0;
}

TEST(math_complex_special_values) {
  for (const ComplexUnary& f : kComplex) {
    for (double x : kParts) {
      for (double y : kParts) {
        C z{x, y}, got = eval_complex(f.fn, z), want = f.reference(z);
        // Of an infinite or nan angle Annex G knows one part at most: as in
        // JAX, both are nan.
        if (!std::isfinite(angle_of(f.fn, z)) && std::isnan(got.real()) &&
            std::isnan(got.imag()))
          continue;
        if (!same_complex(z, got, want)) {
          testing::fail(
              __FILE__, __LINE__,
              cat(f.name, "(", std::to_string(x), ", ", std::to_string(y),
                  ") = ", std::to_string(got.real()), ", ",
                  std::to_string(got.imag())));
        }
      }
    }
  }
}

TEST(math_complex_sqrt_and_abs) {
  for (double x : kParts) {
    for (double y : kParts) {
      C z{x, y};
      C root = HostEvaluator::value<C>(host().sqrt(HostEvaluator::of(z)));
      CHECK(same_complex(z, root, std::sqrt(z)));
      double r = HostEvaluator::value<double>(host().abs(HostEvaluator::of(z)));
      CHECK(close(r, std::abs(z)));
    }
  }
  C tiny{3e-320, 4e-320};
  double r = HostEvaluator::value<double>(host().abs(HostEvaluator::of(tiny)));
  CHECK(close(r, 5e-320));
}

// Overflow on the way to a result that is representable.
TEST(math_complex_scaling) {
  C z = eval_complex(MathFn::exp, {720., 1.5707963267948966});
  CHECK(
      close(z.real(), 6.123233995736766e-17 * std::exp(360.) * std::exp(360.)));
  CHECK(std::isinf(z.imag()));
  z = eval_complex(MathFn::sinh, {-720., 1.5707963267948966});
  CHECK(std::isfinite(z.real()) && z.real() < 0);
  z = eval_complex(MathFn::log, {1e308, 1e308});
  CHECK(close(z.real(), std::log(1e308) + .5 * std::log(2.)));
  // |z| near 1: the logarithm keeps its relative accuracy
  z = eval_complex(MathFn::log, {.6, .8});
  CHECK(std::fabs(z.real()) < 1e-15);
  z = eval_complex(MathFn::log1p, {1e-300, 1e-200});
  CHECK(close(z.real(), 1e-300));
  CHECK(close(z.imag(), 1e-200));
}

TEST(math_complex_powers) {
  C z = eval_complex(MathFn::pow, {0, 0}, {0, 0});
  CHECK(z == C(1, 0));
  z = eval_complex(MathFn::pow, {0, 0}, {2, 1});
  CHECK(z == C(0, 0));
  z = eval_complex(MathFn::pow, {3, 4}, {2, 0});
  CHECK(close(z.real(), -7.) && close(z.imag(), 24.));
  z = eval_complex(MathFn::rsqrt, {3, 4});
  CHECK(close(z.real(), .4) && close(z.imag(), -.2));
  CHECK_THROWS(ErrorKind::type, eval_complex(MathFn::erf, {1, 1}),
               "is not defined for c128");
}

// ---- the evaluator itself

TEST(host_evaluator_integers) {
  auto& e = host();
  auto i = [](auto x) { return HostEvaluator::of(x); };
  auto get = [](Scalar s) { return HostEvaluator::value<int32_t>(s); };
  CHECK_EQ(get(e.binary(BinaryOp::div, i(int32_t(7)), i(int32_t(0)))), -1);
  CHECK_EQ(get(e.binary(BinaryOp::rem, i(int32_t(7)), i(int32_t(0)))), 7);
  CHECK_EQ(get(e.binary(BinaryOp::div, i(INT32_MIN), i(int32_t(-1)))),
           INT32_MIN);
  CHECK_EQ(get(e.neg(i(INT32_MIN))), INT32_MIN);
  CHECK_EQ(get(e.ashr(i(int32_t(-8)), 1)), -4);
  CHECK_EQ(get(e.lshr(i(int32_t(-8)), 28)), 15);
  Scalar high = e.binary(BinaryOp::mulhi, i(~uint64_t(0)), i(~uint64_t(0)));
  CHECK_EQ(HostEvaluator::value<uint64_t>(high), ~uint64_t(1));
  CHECK_EQ(
      HostEvaluator::value<uint8_t>(e.add(i(uint8_t(200)), i(uint8_t(100)))),
      44);
  CHECK_EQ(
      HostEvaluator::value<int16_t>(e.mul(i(int16_t(-300)), i(int16_t(300)))),
      int16_t(-90000));
}

TEST(host_evaluator_conversions) {
  auto& e = host();
  auto to = [&](double x, DType t) {
    return e.convert(HostEvaluator::of(x), t);
  };
  CHECK_EQ(HostEvaluator::value<int32_t>(to(1e10, DType::i32)), INT32_MAX);
  CHECK_EQ(HostEvaluator::value<int64_t>(to(-1e30, DType::i64)), INT64_MIN);
  CHECK_EQ(HostEvaluator::value<uint8_t>(to(-5, DType::u8)), 0);
  CHECK_EQ(HostEvaluator::value<int32_t>(to(NAN, DType::i32)), 0);
  CHECK_EQ(HostEvaluator::value<int32_t>(to(-2.9, DType::i32)), -2);
  CHECK(HostEvaluator::value<bool>(to(NAN, DType::bool_)));
  Scalar half = to(1.5, DType::f16);
  CHECK_EQ(HostEvaluator::value<f16_t>(half).bits, 0x3e00);
  CHECK_EQ(HostEvaluator::value<f16_t>(e.add(half, half)).bits, 0x4200);
  C z = HostEvaluator::value<C>(to(2, DType::c128));
  CHECK(z == C(2, 0));
}

}  // namespace cotan
