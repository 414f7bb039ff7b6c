#include "runtime/kernels/scan_vectors.h"

#include <cstddef>

// Vectors wider than the baseline's never cross a function boundary.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace cotan::scan_base {
#include "runtime/kernels/scan_vectors_body.h"
}  // namespace cotan::scan_base

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define COTAN_SCAN_TARGETS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
namespace cotan::scan_avx2 {
#include "runtime/kernels/scan_vectors_body.h"
}  // namespace cotan::scan_avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
namespace cotan::scan_avx512 {
#include "runtime/kernels/scan_vectors_body.h"
}  // namespace cotan::scan_avx512
#pragma GCC pop_options
#endif

namespace cotan {

template <bool kProd, class A>
void scan_vectors(const A* x, A* y, int64_t n, A* carry, A offset) noexcept {
  using Fn = void (*)(const A*, A*, int64_t, A*, A) noexcept;
  static const Fn fn = []() -> Fn {
#ifdef COTAN_SCAN_TARGETS
    if (__builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
      return scan_avx512::scan<kProd, A>;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
      return scan_avx2::scan<kProd, A>;
#endif
    return scan_base::scan<kProd, A>;
  }();
  fn(x, y, n, carry, offset);
}

#define COTAN_SCAN(A)                                                          \
  template void scan_vectors<false, A>(const A*, A*, int64_t, A*, A) noexcept; \
  template void scan_vectors<true, A>(const A*, A*, int64_t, A*, A) noexcept;
COTAN_SCAN(float)
COTAN_SCAN(double)
COTAN_SCAN(uint32_t)
COTAN_SCAN(uint64_t)
#undef COTAN_SCAN

}  // namespace cotan
