#include "backends/cpu/compile_stats.h"

#include <atomic>

namespace cotan::cpu {
namespace {

using Counter = std::atomic<int64_t>;
Counter g_programs, g_program_hits, g_kernels, g_kernel_hits, g_eager, g_bytes,
    g_ns;

void add(Counter& c, int64_t n) noexcept {
  c.fetch_add(n, std::memory_order_relaxed);
}

}  // namespace

CompileStats compile_stats() noexcept {
  auto get = [](const Counter& c) { return c.load(std::memory_order_relaxed); };
  return {get(g_programs),    get(g_program_hits), get(g_kernels),
          get(g_kernel_hits), get(g_eager),        get(g_bytes),
          get(g_ns)};
}

void reset_compile_stats() noexcept {
  for (Counter* c : {&g_programs, &g_program_hits, &g_kernels, &g_kernel_hits,
                     &g_eager, &g_bytes, &g_ns})
    c->store(0, std::memory_order_relaxed);
}

void count_kernels(int64_t n, int64_t bytes, int64_t ns) noexcept {
  add(g_kernels, n);
  add(g_bytes, bytes);
  add(g_ns, ns);
}
void count_kernel_hits(int64_t n) noexcept { add(g_kernel_hits, n); }
void count_program(int64_t bytes, int64_t ns) noexcept {
  add(g_programs, 1);
  add(g_bytes, bytes);
  add(g_ns, ns);
}
void count_program_hit() noexcept { add(g_program_hits, 1); }
void count_eager_kernel() noexcept { add(g_eager, 1); }
}  // namespace cotan::cpu
