// What the math functions should give: f32 against double precision (vector
// libm where the machine has it), f64 against quadruple precision.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "emit/scalar.h"

#if defined(__x86_64__)
#include <quadmath.h>
#define COTAN_Q(f) f##q
#else
#define COTAN_Q(f) f##l  // long double is quadruple precision on aarch64
#endif

namespace cotan::accuracy {

#if defined(__x86_64__)
__extension__ using Quad = __float128;
#else
using Quad = long double;
#endif

struct Function {
  const char* name;
  MathFn fn;
  // y[i] = f(x[i]) to a few ULP of double. got[i]: the float that cotan
  // gives, a first guess for iterations.
  void (*wide)(const double* x, const float* got, double* y, int n);
  Quad (*quad)(Quad x);
  // Where to sample f64 besides everywhere: an interval of interest.
  double lo, hi;
};

const std::vector<Function>& unary_functions();

// The largest term in the sum that gives fn(x), for x below zero where
// lgamma and digamma have zeros that no argument reduction can make relative;
// 0 where the error is relative.
double cancelled_term(MathFn fn, double x);

// Error in units of the last place of T at the reference; negative where
// nan, infinity or the sign of zero differ.
template <class T, class R>
double ulps(T got, R want) {
  T rounded = T(want);
  bool nan = rounded != rounded, got_nan = got != got;
  if (nan || got_nan) return nan && got_nan ? 0 : -1;
  constexpr T kMax = std::numeric_limits<T>::max();
  if (std::signbit(got) != std::signbit(rounded)) return -1;
  if (std::isinf(rounded) && std::isinf(got)) return 0;
  constexpr int kDigits = std::numeric_limits<T>::digits;
  if (std::isinf(got)) {
    // Just below overflow: as if the next power of two were representable.
    if (std::fabs(rounded) < kMax) return -1;
    const R place = R(std::ldexp(T(1), std::ilogb(kMax) + 1 - kDigits));
    return double((R(kMax) + place - (want < 0 ? -want : want)) / place);
  }
  if (std::isinf(rounded)) rounded = std::copysign(kMax, rounded);
  // The binade of the reference itself, not of its rounding.
  int e = rounded == 0 ? std::numeric_limits<T>::min_exponent - 1
                       : std::ilogb(rounded);
  R w = want < 0 ? -want : want;
  if (rounded != 0 && w < R(std::ldexp(1.0L, e))) --e;
  int least = std::numeric_limits<T>::min_exponent - 1;
  if (e < least) e = least;
  R error = R(got) - want;
  if (error < 0) error = -error;
  return double(error / R(std::ldexp(1.0L, e - (kDigits - 1))));
}

}  // namespace cotan::accuracy
