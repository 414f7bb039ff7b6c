// What the machine grants this process: memory and CPU limits from the
// kernel, the cgroup and the affinity mask.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cotan {

// Physical memory, or the cgroup limit where that is lower. Bytes.
uint64_t memory_limit() noexcept;
// What can still be touched without swapping or meeting the OOM killer. Bytes.
uint64_t available_memory() noexcept;
// CPUs that this process may keep busy: affinity mask and cgroup quota, >= 1.
int cpu_limit() noexcept;

// The variable as a non-negative integer; fallback if unset or malformed.
int64_t env_int(const char* name, int64_t fallback) noexcept;

// Monotonic nanoseconds.
int64_t now_ns() noexcept;

// A breath inside a spin loop.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

}  // namespace cotan
