#include "accuracy_reference.h"

#if defined(__x86_64__) && defined(__GLIBC__) && \
    (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
#include <immintrin.h>
#define COTAN_VECTOR_LIBM 1
#endif

namespace cotan::accuracy {
namespace {

// ---- arrays of double through the C library, eight at a time if possible

#if COTAN_VECTOR_LIBM
// glibc's libmvec, at most 4 ULP of double.
#define COTAN_VECTOR(f)                                                  \
  extern "C" __m512d _ZGVeN8v_##f(__m512d);                              \
  __attribute__((target("avx512f"))) void f##_vector(const double* x,    \
                                                     double* y, int n) { \
    for (int i = 0; i < n; i += 8)                                       \
      _mm512_storeu_pd(y + i, _ZGVeN8v_##f(_mm512_loadu_pd(x + i)));     \
  }                                                                      \
  void f##_array(const double* x, double* y, int n) {                    \
    if (__builtin_cpu_supports("avx512f") && n % 8 == 0)                 \
      return f##_vector(x, y, n);                                        \
    for (int i = 0; i < n; ++i) y[i] = std::f(x[i]);                     \
  }
#else
#define COTAN_VECTOR(f)                               \
  void f##_array(const double* x, double* y, int n) { \
    for (int i = 0; i < n; ++i) y[i] = std::f(x[i]);  \
  }
#endif

COTAN_VECTOR(exp);
COTAN_VECTOR(exp2);
COTAN_VECTOR(expm1);
COTAN_VECTOR(log);
COTAN_VECTOR(log1p);
COTAN_VECTOR(sin);
COTAN_VECTOR(cos);
COTAN_VECTOR(tan);
COTAN_VECTOR(asin);
COTAN_VECTOR(acos);
COTAN_VECTOR(atan);
COTAN_VECTOR(sinh);
COTAN_VECTOR(cosh);
COTAN_VECTOR(tanh);
COTAN_VECTOR(asinh);
COTAN_VECTOR(acosh);
COTAN_VECTOR(atanh);
COTAN_VECTOR(erf);
COTAN_VECTOR(erfc);
COTAN_VECTOR(cbrt);

template <void (*F)(const double*, double*, int)>
void wide(const double* x, const float*, double* y, int n) {
  F(x, y, n);
}

void logistic_wide(const double* x, const float*, double* y, int n) {
  std::vector<double> a(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) a[size_t(i)] = -std::fabs(x[i]);
  exp_array(a.data(), y, n);
  for (int i = 0; i < n; ++i) {
    double e = y[i];
    y[i] = (x[i] < 0 ? e : 1) / (1 + e);
  }
}

void rsqrt_wide(const double* x, const float*, double* y, int n) {
  for (int i = 0; i < n; ++i) y[i] = 1 / std::sqrt(x[i]);
}

// Newton's method on erf or erfc, from the value under test.
void erf_inv_wide(const double* x, const float* got, double* y, int n) {
  std::vector<double> buffer(static_cast<size_t>(4 * n));
  double *v = buffer.data(), *p = v + n, *q = p + n, *g = q + n;
  for (int i = 0; i < n; ++i) {
    bool inside = std::fabs(x[i]) < 1 && std::isfinite(got[i]);
    v[i] = inside ? std::fabs(double(got[i])) : 0;
  }
  for (int step = 0; step < 2; ++step) {
    erf_array(v, p, n);
    erfc_array(v, q, n);
    for (int i = 0; i < n; ++i) g[i] = -v[i] * v[i];
    exp_array(g, g, n);
    for (int i = 0; i < n; ++i) {
      double a = std::fabs(x[i]);
      double e = a < .5 ? p[i] - a : (1 - a) - q[i];
      double s = e / (M_2_SQRTPI * g[i]);
      v[i] -= s / (1 + v[i] * s);
    }
  }
  for (int i = 0; i < n; ++i) {
    double a = std::fabs(x[i]);
    double r = a < 1 ? v[i] : a == 1 ? HUGE_VAL : std::nan("");
    if (a < 1e-10) r = a * 0.88622692545275801365;
    y[i] = std::copysign(r, x[i]);
  }
}

void lgamma_wide(const double* x, const float*, double* y, int n) {
  int sign;
  for (int i = 0; i < n; ++i) y[i] = ::lgamma_r(x[i], &sign);
}

// ---- digamma by recurrence and its asymptotic series; JAX gives nan at all
// poles and at minus infinity

template <class R>
R positive_digamma(R x, R from, R (*log)(R)) {
  R sum = 0;
  for (; x < from; x += 1) sum -= 1 / x;
  R t = 1 / (x * x), s = 0;
  // B(2k) / (2k)
  const R k[] = {R(1) / 12,         R(-1) / 120,     R(1) / 252,
                 R(-1) / 240,       R(5) / 660,      R(-691) / 32760,
                 R(1) / 12,         R(-3617) / 8160, R(43867) / 14364,
                 R(-174611) / 6600, R(854513) / 3036};
  for (int i = 10; i >= 0; --i) s = s * t + k[i];
  return sum + log(x) - 1 / (2 * x) - s * t;
}

double digamma_double(double x) {
  auto log = [](double v) { return std::log(v); };
  if (x > 0) return x < HUGE_VAL ? positive_digamma<double>(x, 8, log) : x;
  double f = x - std::nearbyint(x);
  if (!(f != 0) || x == -HUGE_VAL) return std::nan("");
  return positive_digamma<double>(1 - x, 8, log) - M_PI / std::tan(M_PI * f);
}
void digamma_wide(const double* x, const float*, double* y, int n) {
  for (int i = 0; i < n; ++i) y[i] = digamma_double(x[i]);
}

// ---- quadruple precision

const Quad kPi = COTAN_Q(acos)(Quad(-1));

Quad digamma_quad(Quad x) {
  auto log = [](Quad v) { return COTAN_Q(log)(v); };
  Quad inf = Quad(HUGE_VAL);
  if (x > 0) return x < inf ? positive_digamma<Quad>(x, 30, log) : x;
  Quad f = x - COTAN_Q(round)(x);
  if (!(f != 0) || x == -inf) return Quad(std::nan(""));
  return positive_digamma<Quad>(1 - x, 30, log) - kPi / COTAN_Q(tan)(kPi * f);
}

Quad erf_inv_quad(Quad x) {
  Quad a = x < 0 ? -x : x;
  if (!(a < 1)) return a == 1 ? x * Quad(HUGE_VAL) : Quad(std::nan(""));
  if (a == 0) return x;
  // A crude start; the iteration is of third order.
  double w = -std::log1p(-double(a)) - std::log1p(double(a));
  double r = std::sqrt(w);
  Quad y = w < 5 ? a * Quad(0.886 + 0.2 * w)
                 : Quad(std::sqrt(std::fmax(w - std::log(3.14 * w), 1.0)));
  (void)r;
  for (int i = 0; i < 20; ++i) {
    Quad e = a < Quad(.5) ? COTAN_Q(erf)(y) - a : (1 - a) - COTAN_Q(erfc)(y);
    Quad s = e / (2 / COTAN_Q(sqrt)(kPi) * COTAN_Q(exp)(-y * y));
    s = s / (1 + y * s);
    if (s > Quad(.5)) s = Quad(.5);
    if (s < Quad(-.5)) s = Quad(-.5);
    y -= s;
    if (s * s < Quad(1e-64) * y * y) break;
  }
  return x < 0 ? -y : y;
}

Quad lgamma_quad(Quad x) {
  if (x == 0) return Quad(HUGE_VAL);
  return COTAN_Q(lgamma)(x);
}

#define COTAN_QUAD(f) [](Quad x) { return COTAN_Q(f)(x); }

}  // namespace

const std::vector<Function>& unary_functions() {
  static const std::vector<Function> list = {
      {"exp", MathFn::exp, wide<exp_array>, COTAN_QUAD(exp), -746, 710},
      {"exp2", MathFn::exp2, wide<exp2_array>, COTAN_QUAD(exp2), -1075, 1024},
      {"expm1", MathFn::expm1, wide<expm1_array>, COTAN_QUAD(expm1), -3, 3},
      {"log", MathFn::log, wide<log_array>, COTAN_QUAD(log), 0, 3},
      {"log1p", MathFn::log1p, wide<log1p_array>, COTAN_QUAD(log1p), -1, 2},
      {"sin", MathFn::sin, wide<sin_array>, COTAN_QUAD(sin), -10, 10},
      {"cos", MathFn::cos, wide<cos_array>, COTAN_QUAD(cos), -10, 10},
      {"tan", MathFn::tan, wide<tan_array>, COTAN_QUAD(tan), -10, 10},
      {"asin", MathFn::asin, wide<asin_array>, COTAN_QUAD(asin), -1, 1},
      {"acos", MathFn::acos, wide<acos_array>, COTAN_QUAD(acos), -1, 1},
      {"atan", MathFn::atan, wide<atan_array>, COTAN_QUAD(atan), -3, 3},
      {"sinh", MathFn::sinh, wide<sinh_array>, COTAN_QUAD(sinh), -3, 3},
      {"cosh", MathFn::cosh, wide<cosh_array>, COTAN_QUAD(cosh), -20, 20},
      {"tanh", MathFn::tanh, wide<tanh_array>, COTAN_QUAD(tanh), -3, 3},
      {"asinh", MathFn::asinh, wide<asinh_array>, COTAN_QUAD(asinh), -3, 3},
      {"acosh", MathFn::acosh, wide<acosh_array>, COTAN_QUAD(acosh), 1, 4},
      {"atanh", MathFn::atanh, wide<atanh_array>, COTAN_QUAD(atanh), -1, 1},
      {"logistic", MathFn::logistic, logistic_wide,
       [](Quad x) { return 1 / (1 + COTAN_Q(exp)(-x)); }, -8, 8},
      {"erf", MathFn::erf, wide<erf_array>, COTAN_QUAD(erf), -6, 6},
      {"erfc", MathFn::erfc, wide<erfc_array>, COTAN_QUAD(erfc), -6, 27},
      {"erf_inv", MathFn::erf_inv, erf_inv_wide, erf_inv_quad, -1, 1},
      {"cbrt", MathFn::cbrt, wide<cbrt_array>, COTAN_QUAD(cbrt), -8, 8},
      {"rsqrt", MathFn::rsqrt, rsqrt_wide,
       [](Quad x) { return 1 / COTAN_Q(sqrt)(x); }, 0, 4},
      {"lgamma", MathFn::lgamma, lgamma_wide, lgamma_quad, -10, 10},
      {"digamma", MathFn::digamma, digamma_wide, digamma_quad, -10, 10},
  };
  return list;
}

double cancelled_term(MathFn fn, double x) {
  if (!(x < 0)) return 0;
  if (fn == MathFn::lgamma) {
    int sign;
    return std::fmax(1, std::fabs(::lgamma_r(1 - x, &sign)));
  }
  if (fn == MathFn::digamma) {
    return std::fmax(1, std::fabs(digamma_double(1 - x)));
  }
  return 0;
}

}  // namespace cotan::accuracy
