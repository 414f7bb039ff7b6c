// cotan_accuracy: how far the math functions are from the truth, as compiled
// code on this machine.
//
//   cotan_accuracy                 all 2^32 floats of each function, millions
//                                  of doubles; some minutes
//   cotan_accuracy --quick         samples; seconds
//   cotan_accuracy --only=exp,pow  these functions
//   cotan_accuracy --markdown=F    also write the tables to F
//
// Exits with 1 when an error is above its bound or a special value is wrong.
#include <cinttypes>
#include <complex>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "accuracy_reference.h"
#include "backends/cpu/math_kernel.h"
#include "base/error.h"
#include "emit/host_evaluator.h"

namespace cotan::accuracy {
namespace {

constexpr double kLimit = 2;            // ULP
constexpr double kAbsoluteLimit = 2.5;  // machine epsilons times the term
constexpr double kComplexLimit = 8;     // machine epsilons of the modulus

struct Options {
  bool quick = false;
  std::string only;
  const char* markdown = nullptr;
  bool wants(const char* name) const {
    return only.empty() ||
           ("," + only + ",").find("," + std::string(name) + ",") !=
               std::string::npos;
  }
};

struct Worst {
  double ulp = 0, at = 0, at2 = 0;
  // Below zero where terms cancel: ULP or error / (epsilon * largest term),
  // whichever is less.
  double absolute = 0, absolute_at = 0;
  uint64_t count = 0, above_one = 0, special = 0;
  double special_at = 0;

  void add(MathFn fn, double x, double y, double error, double abs_error,
           double eps) {
    ++count;
    if (error < 0) {
      if (special++ == 0) special_at = x;
      return;
    }
    if (error > 1) ++above_one;
    if (double term = cancelled_term(fn, x); term > 0) {
      double e = std::fmin(error, abs_error / (eps * term));
      if (e > absolute) absolute = e, absolute_at = x;
      return;
    }
    if (error > ulp) ulp = error, at = x, at2 = y;
  }
  void merge(const Worst& o) {
    if (o.ulp > ulp) ulp = o.ulp, at = o.at, at2 = o.at2;
    if (o.absolute > absolute) {
      absolute = o.absolute;
      absolute_at = o.absolute_at;
    }
    if (special == 0) special_at = o.special_at;
    count += o.count;
    above_one += o.above_one;
    special += o.special;
  }
  bool ok() const {
    return ulp <= kLimit && absolute <= kAbsoluteLimit && special == 0;
  }
};

template <class Body>
Worst on_all_cores(Body body) {
  int n = int(std::max(1u, std::thread::hardware_concurrency()));
  Worst total;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) {
    threads.emplace_back([&, i] {
      Worst w = body(i, n);
      std::lock_guard lock(mutex);
      total.merge(w);
    });
  }
  for (auto& t : threads) t.join();
  return total;
}

float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }
double double_of(uint64_t bits) { return std::bit_cast<double>(bits); }

// ---- f32, one operand: every float, or every `stride`-th

Worst sweep(const Function& f, uint64_t stride) {
  auto kernel = cpu::compile_math(f.fn, DType::f32, 16);
  constexpr int kBlock = 4096;
  constexpr double kEps = std::numeric_limits<float>::epsilon();
  return on_all_cores([&](int thread, int threads) {
    Worst w;
    std::vector<float> x(kBlock), got(kBlock);
    std::vector<double> wide(kBlock), want(kBlock);
    const uint64_t total = (uint64_t(1) << 32) / stride;
    for (uint64_t b = uint64_t(thread) * kBlock; b < total;
         b += uint64_t(threads) * kBlock) {
      for (uint64_t i = 0; i < kBlock; ++i) {
        x[i] = float_of(uint32_t((b + i) * stride));
        wide[i] = x[i];
      }
      kernel.run(x.data(), nullptr, got.data(), kBlock);
      f.wide(wide.data(), got.data(), want.data(), kBlock);
      // Most are fine: a cheap bound decides which are looked at closely.
      const double bar = std::fmax(w.ulp, 1) * 0x1p-24;
      for (int i = 0; i < kBlock; ++i) {
        double diff = std::fabs(double(got[size_t(i)]) - want[size_t(i)]);
        double size = std::fabs(want[size_t(i)]);
        bool same_sign =
            std::signbit(got[size_t(i)]) == std::signbit(want[size_t(i)]);
        if (diff <= bar * size && size < 0x1p127 && same_sign) {
          ++w.count;
          continue;
        }
        w.add(f.fn, wide[size_t(i)], 0, ulps(got[size_t(i)], want[size_t(i)]),
              diff, kEps);
      }
    }
    return w;
  });
}

// ---- f64, one operand: samples of several kinds

double sample(std::mt19937_64& g, int kind, double lo, double hi) {
  double u = double(g() >> 11) * 0x1p-53, sign = g() & 1 ? 1 : -1;
  switch (kind % 6) {
    case 0:  // any bit pattern
      return double_of(g());
    case 1:
      return lo + u * (hi - lo);
    case 2:  // magnitudes around one
      return sign * std::ldexp(1 + u, int(g() % 60) - 40);
    case 3: {  // close to an end of the interval, or to 1
      double d = std::ldexp(u, -int(g() % 52));
      return g() & 1 ? (g() & 1 ? lo + d : hi - d) : sign * (1 - d);
    }
    case 4: {  // next to a multiple of pi/2
      double m = double(g() % 2000000) * M_PI_2 * sign;
      return g() % 3 ? std::nextafter(m, g() & 1 ? 1e9 : -1e9) : m;
    }
    default:
      return sign * 2 * u;
  }
}

const double kSpecial[] = {0.,
                           -0.,
                           1,
                           -1,
                           2,
                           -2,
                           3,
                           .5,
                           -.5,
                           HUGE_VAL,
                           -HUGE_VAL,
                           NAN,
                           5e-324,
                           -5e-324,
                           0x1p-1022,
                           -0x1p-1022,
                           0x0.fffffffffffffp-1022,
                           1.7976931348623157e308,
                           -1.7976931348623157e308,
                           709.782712893384,
                           709.7827128933841,
                           -745.1332191019412,
                           -745.1332191019411,
                           710.4758600739439,
                           710.47586007394394,
                           -708.3964185322641,
                           1024,
                           -1074,
                           -1075,
                           -1075.5,
                           26.55,
                           27.226017111108366,
                           0x1.6ac5b262ca1ffp+849,
                           -1.5,
                           -2.5,
                           -3,
                           171.5,
                           0x1.fffffffffffffp-1,
                           -0x1.fffffffffffffp-1,
                           0x1.0000000000001p0};

Worst sample_f64(const Function& f, uint64_t count) {
  auto kernel = cpu::compile_math(f.fn, DType::f64, 8);
  constexpr int kBlock = 1024;
  constexpr double kEps = std::numeric_limits<double>::epsilon();
  return on_all_cores([&](int thread, int threads) {
    Worst w;
    std::mt19937_64 g(uint64_t(f.fn) * 1000 + uint64_t(thread));
    std::vector<double> x(kBlock), got(kBlock);
    for (uint64_t done = 0; done < count / uint64_t(threads); done += kBlock) {
      for (int i = 0; i < kBlock; ++i) x[size_t(i)] = sample(g, i, f.lo, f.hi);
      if (done == 0)
        std::copy(std::begin(kSpecial), std::end(kSpecial), x.begin());
      kernel.run(x.data(), nullptr, got.data(), kBlock);
      for (size_t i = 0; i < kBlock; ++i) {
        Quad want = f.quad(x[i]);
        double diff = std::fabs(double(Quad(got[i]) - want));
        w.add(f.fn, x[i], 0, ulps(got[i], want), diff, kEps);
      }
    }
    return w;
  });
}

// ---- two operands

void sample_pair(std::mt19937_64& g, MathFn fn, bool wide, double* x,
                 double* y) {
  double u = double(g() >> 11) * 0x1p-53, v = double(g() >> 11) * 0x1p-53;
  int kind = int(g() % 8);
  const size_t n = std::size(kSpecial);
  if (kind == 0) {
    *x = kSpecial[g() % n];
    *y = kSpecial[g() % n];
  } else if (kind == 1) {
    *x = wide ? double_of(g()) : double(float_of(uint32_t(g())));
    *y = wide ? double_of(g()) : double(float_of(uint32_t(g())));
  } else if (fn == MathFn::pow) {
    int range = wide ? 1000 : 120;
    *x = std::ldexp(1 + u, kind == 2 ? int(g() % uint64_t(2 * range)) - range
                                     : -int(g() % 2));
    if (kind == 3) *x = 1 + (u - .5) * std::ldexp(1., -int(g() % 40));
    if (!wide) *x = double(float(*x));
    double top =
        (wide ? 1075 : 150) * M_LN2 / std::fmax(1e-30, std::fabs(std::log(*x)));
    *y = (2 * v - 1) * std::fmin(top, 1e38);
    if (kind == 4) *x = -*x, *y = std::nearbyint(*y);
  } else {
    *x = std::ldexp(2 * u - 1, int(g() % 40) - 20);
    *y = (2 * v - 1) * (kind < 5 ? *x : 1);
  }
}

template <class T, class R>
Worst sample_binary(MathFn fn, uint64_t count, R (*reference)(R, R)) {
  auto kernel = cpu::compile_math(fn, dtype_of<T>::value, int(64 / sizeof(T)));
  constexpr int kBlock = 1024;
  return on_all_cores([&](int thread, int threads) {
    Worst w;
    std::mt19937_64 g(uint64_t(thread) + 77);
    std::vector<T> x(kBlock), y(kBlock), got(kBlock);
    for (uint64_t done = 0; done < count / uint64_t(threads); done += kBlock) {
      for (size_t i = 0; i < kBlock; ++i) {
        double a, b;
        sample_pair(g, fn, sizeof(T) == 8, &a, &b);
        x[i] = T(a);
        y[i] = T(b);
      }
      kernel.run(x.data(), y.data(), got.data(), kBlock);
      for (size_t i = 0; i < kBlock; ++i) {
        R want = reference(R(x[i]), R(y[i]));
        w.add(fn, x[i], y[i], ulps(got[i], want), 0, 0);
      }
    }
    return w;
  });
}

// ---- complex: the distance to the reference, relative to its modulus

#if defined(__x86_64__)
__extension__ using QuadComplex = __complex128;
#define COTAN_CQ(f) c##f##q
#else
__extension__ using QuadComplex = _Complex long double;
extern "C" {
#define COTAN_DECLARE(f) QuadComplex c##f##l(QuadComplex)
COTAN_DECLARE(exp);
COTAN_DECLARE(log);
COTAN_DECLARE(sin);
COTAN_DECLARE(cos);
COTAN_DECLARE(tan);
COTAN_DECLARE(asin);
COTAN_DECLARE(acos);
COTAN_DECLARE(atan);
COTAN_DECLARE(sinh);
COTAN_DECLARE(cosh);
COTAN_DECLARE(tanh);
COTAN_DECLARE(asinh);
COTAN_DECLARE(acosh);
COTAN_DECLARE(atanh);
COTAN_DECLARE(sqrt);
}
#define COTAN_CQ(f) c##f##l
#endif

struct ComplexFunction {
  const char* name;
  Scalar (*run)(ScalarEmitter&, Scalar);
  QuadComplex (*reference)(QuadComplex);
};

#define COTAN_COMPLEX(f)                                                \
  {#f, [](ScalarEmitter& e, Scalar x) { return e.math(MathFn::f, x); }, \
   [](QuadComplex z) { return COTAN_CQ(f)(z); }}
const ComplexFunction kComplex[] = {
    COTAN_COMPLEX(exp),
    COTAN_COMPLEX(log),
    COTAN_COMPLEX(sin),
    COTAN_COMPLEX(cos),
    COTAN_COMPLEX(tan),
    COTAN_COMPLEX(asin),
    COTAN_COMPLEX(acos),
    COTAN_COMPLEX(atan),
    COTAN_COMPLEX(sinh),
    COTAN_COMPLEX(cosh),
    COTAN_COMPLEX(tanh),
    COTAN_COMPLEX(asinh),
    COTAN_COMPLEX(acosh),
    COTAN_COMPLEX(atanh),
    {"sqrt", [](ScalarEmitter& e, Scalar x) { return e.sqrt(x); },
     [](QuadComplex z) { return COTAN_CQ(sqrt)(z); }},
    {"rsqrt",
     [](ScalarEmitter& e, Scalar x) { return e.math(MathFn::rsqrt, x); },
     [](QuadComplex z) { return 1 / COTAN_CQ(sqrt)(z); }},
    {"expm1",
     [](ScalarEmitter& e, Scalar x) { return e.math(MathFn::expm1, x); },
     [](QuadComplex z) { return COTAN_CQ(exp)(z) - 1; }},
    {"log1p",
     [](ScalarEmitter& e, Scalar x) { return e.math(MathFn::log1p, x); },
     [](QuadComplex z) { return COTAN_CQ(log)(z + 1); }},
    {"logistic",
     [](ScalarEmitter& e, Scalar x) { return e.math(MathFn::logistic, x); },
     [](QuadComplex z) { return 1 / (1 + COTAN_CQ(exp)(-z)); }},
};

template <class T>
Worst sample_complex(const ComplexFunction& f, uint64_t count) {
  constexpr double kEps = std::numeric_limits<T>::epsilon();
  return on_all_cores([&](int thread, int threads) {
    Worst w;
    std::mt19937_64 g(uint64_t(thread) + 5);
    HostEvaluator& e = HostEvaluator::instance();
    for (uint64_t i = 0; i < count / uint64_t(threads); ++i) {
      auto part = [&] {
        double u = double(g() >> 11) * 0x1p-52 - 1;
        return T(g() % 3 ? 2 * u : std::ldexp(u, int(g() % 40) - 32));
      };
      std::complex<T> z{part(), part()};
      if (g() % 4 == 0) z /= T(std::abs(std::complex<double>(z)));
      auto r =
          HostEvaluator::value<std::complex<T>>(f.run(e, HostEvaluator::of(z)));
      QuadComplex q;
      __real__ q = Quad(z.real());
      __imag__ q = Quad(z.imag());
      q = f.reference(q);
      Quad re = __real__ q, im = __imag__ q;
      Quad dr = Quad(r.real()) - re, di = Quad(r.imag()) - im;
      double size = double(COTAN_Q(hypot)(re, im));
      ++w.count;
      if (!(size < std::numeric_limits<T>::max() / 2) ||
          size < std::numeric_limits<T>::min())
        continue;
      double error = double(COTAN_Q(hypot)(dr, di)) / (kEps * size);
      if (!(error <= w.ulp)) {
        w.ulp = error;
        w.at = double(z.real());
        w.at2 = double(z.imag());
      }
    }
    return w;
  });
}

// ---- the report

class Report {
 public:
  explicit Report(const char* markdown) {
    if (markdown) file_ = std::fopen(markdown, "w");
  }
  ~Report() {
    if (file_) std::fclose(file_);
  }
  void text(const char* s) {
    if (file_) std::fputs(s, file_);
  }
  void row(const std::string& line, bool ok) {
    std::printf("%s%s\n", line.c_str(), ok ? "" : "  <-- ABOVE ITS BOUND");
    std::fflush(stdout);
    if (file_) std::fprintf(file_, "%s\n", line.c_str());
    failed |= !ok;
  }
  void real(const char* name, const char* dtype, const Worst& w, bool two) {
    char at[80], line[256], absolute[80] = "";
    std::snprintf(at, sizeof at, two ? "%a, %a" : "%a", w.at, w.at2);
    if (w.absolute > 0)
      std::snprintf(absolute, sizeof absolute, "%.2f at %a", w.absolute,
                    w.absolute_at);
    std::snprintf(
        line, sizeof line,
        "| %s | %s | %.3f | %s | %.4f%% | %" PRIu64 " | %" PRIu64 " | %s |",
        name, dtype, w.ulp, at, 100. * double(w.above_one) / double(w.count),
        w.count, w.special, absolute);
    row(line, w.ok());
    if (w.special) std::printf("    first wrong special: %a\n", w.special_at);
  }
  bool failed = false;

 private:
  std::FILE* file_ = nullptr;
};

const char kIntroduction[] =
    "# Accuracy of the math functions\n\n"
    "Written by `make accuracy` (`tools/accuracy.cpp`); do not edit. The\n"
    "functions are compiled as every kernel is and compared with double\n"
    "precision (f32) and quadruple precision (f64). The bodies use correctly\n"
    "rounded operations only, so other machines give the same bits.\n\n"
    "Bound: 2 ULP, with the special values (nan, infinities, signs of zero)\n"
    "of C99 and JAX. `lgamma` and `digamma` have zeros below 0 near which\n"
    "large terms cancel. There (x < 0, last column) an error is measured in\n"
    "ULP or in machine epsilons of max(1, |f(1 - x)|), whichever is less;\n"
    "bound: 2.5.\n\n"
    "| function | type | max ULP | at | above 1 ULP | inputs | wrong specials "
    "| x < 0 |\n|---|---|---|---|---|---|---|---|\n";

const char kComplexIntroduction[] =
    "\n## Complex functions\n\nThe distance to the reference in machine\n"
    "epsilons of its modulus, on samples up to modulus 256.\n\n"
    "| function | type | max | at |\n|---|---|---|---|\n";

template <class R>
R reference_pow(R x, R y) {
  if constexpr (std::is_same_v<R, double>) {
    return std::pow(x, y);
  } else {
    return COTAN_Q(pow)(x, y);
  }
}
template <class R>
R reference_atan2(R x, R y) {
  if constexpr (std::is_same_v<R, double>) {
    return std::atan2(x, y);
  } else {
    return COTAN_Q(atan2)(x, y);
  }
}

int run(const Options& o) {
  Report report(o.markdown);
  report.text(kIntroduction);
  for (const Function& f : unary_functions()) {
    if (!o.wants(f.name)) continue;
    report.real(f.name, "f32", sweep(f, o.quick ? 3989 : 1), false);
    report.real(f.name, "f64", sample_f64(f, o.quick ? 20000 : 4000000), false);
  }
  uint64_t n32 = o.quick ? 200000 : 200000000;
  uint64_t n64 = o.quick ? 20000 : 4000000;
  if (o.wants("pow")) {
    report.real("pow", "f32",
                sample_binary<float>(MathFn::pow, n32, reference_pow<double>),
                true);
    report.real("pow", "f64",
                sample_binary<double>(MathFn::pow, n64, reference_pow<Quad>),
                true);
  }
  if (o.wants("atan2")) {
    report.real(
        "atan2", "f32",
        sample_binary<float>(MathFn::atan2, n32, reference_atan2<double>),
        true);
    report.real(
        "atan2", "f64",
        sample_binary<double>(MathFn::atan2, n64, reference_atan2<Quad>), true);
  }
  report.text(kComplexIntroduction);
  for (const ComplexFunction& f : kComplex) {
    if (!o.only.empty() && !o.wants("complex")) continue;
    uint64_t n = o.quick ? 3000 : 1000000;
    auto one = [&](const char* dtype, const Worst& w) {
      char line[160];
      std::snprintf(line, sizeof line, "| %s | %s | %.2f | %a%+aj |", f.name,
                    dtype, w.ulp, w.at, w.at2);
      report.row(line, w.ulp <= kComplexLimit);
    };
    one("c64", sample_complex<float>(f, n));
    one("c128", sample_complex<double>(f, n));
  }
  return report.failed;
}

}  // namespace
}  // namespace cotan::accuracy

int main(int argc, char** argv) {
  cotan::accuracy::Options o;
  for (int i = 1; i < argc; ++i) {
    const char* a = argv[i];
    if (!std::strcmp(a, "--quick")) {
      o.quick = true;
    } else if (!std::strncmp(a, "--only=", 7)) {
      o.only = a + 7;
    } else if (!std::strncmp(a, "--markdown=", 11)) {
      o.markdown = a + 11;
    } else {
      std::fprintf(stderr,
                   "usage: cotan_accuracy [--quick] [--only=NAMES] "
                   "[--markdown=FILE]\n");
      return 2;
    }
  }
  try {
    return cotan::accuracy::run(o);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
