// Compiled code gives the bits of the host evaluator, on this machine's
// vectors, on AVX2 where it has them, and on one lane.
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "backends/cpu/math_kernel.h"
#include "emit/host_evaluator.h"
#include "testing.h"

namespace cotan {
namespace {

constexpr int kCount = 2048;

template <class T>
std::vector<T> inputs(unsigned seed) {
  std::mt19937_64 g(seed);
  std::vector<T> x(kCount);
  const T special[] = {T(0),
                       T(-0.),
                       T(HUGE_VAL),
                       T(-HUGE_VAL),
                       T(NAN),
                       1,
                       -1,
                       std::numeric_limits<T>::denorm_min(),
                       std::numeric_limits<T>::max()};
  for (size_t i = 0; i < kCount; ++i) {
    double u = double(g() >> 11) * 0x1p-53;
    uint64_t bits = g();
    switch (i % 4) {
      case 0:
        std::memcpy(&x[i], &bits, sizeof(T));
        break;
      case 1:
        x[i] = T(20 * u - 10);
        break;
      case 2:
        x[i] = T(2 * u - 1);
        break;
      default:
        x[i] = g() % 8 ? T(200 * u - 100) : special[g() % std::size(special)];
    }
  }
  return x;
}

template <class T>
void check_bits(int lanes, const char* cpu) {
  auto x = inputs<T>(1), y = inputs<T>(2);
  std::vector<T> got(kCount);
  HostEvaluator& e = HostEvaluator::instance();
  for (int i = 0; i <= int(MathFn::pow); ++i) {
    MathFn fn = MathFn(i);
    auto kernel = cpu::compile_math(fn, dtype_of<T>::value, lanes, cpu);
    kernel.run(x.data(), y.data(), got.data(), kCount);
    for (size_t k = 0; k < kCount; ++k) {
      T want = HostEvaluator::value<T>(
          e.math(fn, HostEvaluator::of(x[k]), HostEvaluator::of(y[k])));
      bool nans = want != want && got[k] != got[k];  // any nan will do
      if (nans || std::memcmp(&want, &got[k], sizeof(T)) == 0) continue;
      testing::fail(__FILE__, __LINE__,
                    cat("function ", i, " of ", std::to_string(x[k]), ", ",
                        std::to_string(y[k]), " gives ", std::to_string(got[k]),
                        ", the host ", std::to_string(want)));
    }
  }
}

}  // namespace

TEST(cpu_math_bits) {
  check_bits<float>(16, nullptr);
  check_bits<double>(8, nullptr);
}
TEST(cpu_math_bits_one_lane) {
  check_bits<float>(1, nullptr);
  check_bits<double>(1, nullptr);
}
#if defined(__x86_64__)
TEST(cpu_math_bits_avx2) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
  check_bits<float>(16, "haswell");
  check_bits<double>(8, "haswell");
}
#endif

}  // namespace cotan
