// Counters of the CPU compiler, for tests ("the second call compiles
// nothing") and for profiles.
#pragma once

#include <cstdint>

namespace cotan::cpu {

struct CompileStats {
  int64_t programs = 0;       // compiled
  int64_t program_hits = 0;   // found in the cache
  int64_t kernels = 0;        // compiled on their own
  int64_t kernel_hits = 0;    // found in the cache
  int64_t eager_kernels = 0;  // of `kernels`, for eager calls
  int64_t code_bytes = 0;     // machine code of all that
  int64_t compile_ns = 0;     // time spent in the compiler, all threads
};
__attribute__((visibility("default"))) CompileStats compile_stats() noexcept;
__attribute__((visibility("default"))) void reset_compile_stats() noexcept;

void count_kernels(int64_t n, int64_t bytes, int64_t ns) noexcept;
void count_kernel_hits(int64_t n) noexcept;
void count_program(int64_t bytes, int64_t ns) noexcept;
void count_program_hit() noexcept;
void count_eager_kernel() noexcept;
}  // namespace cotan::cpu
