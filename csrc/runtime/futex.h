// Sleeping on a 32-bit word. The word may be half of a larger atomic.
#pragma once

#include <cstdint>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif

namespace cotan {

// Sleeps while the word holds `value`; may also wake for no reason.
inline void futex_wait(const void* word, uint32_t value) noexcept {
#ifdef __linux__
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
  (void)word, (void)value;
  sched_yield();
#endif
}

// Wakes up to `count` threads that sleep on the word.
inline void futex_wake(const void* word, int count) noexcept {
#ifdef __linux__
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
#else
  (void)word, (void)count;
#endif
}

}  // namespace cotan
