// What generated code, kernels and exported artefacts see of the runtime: one
// struct of plain C, passed as the last argument of every entry function.
// Fields are only ever added at the end, with kRuntimeVersion raised.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/thread_pool.h"

namespace cotan {

struct Runtime;
struct KernelCall;

// What an entry function, a kernel or a parallel loop returns.
enum Status : int { kOk = 0, kInterrupted = 1, kFailed = 2 };

using ChunkFn = ThreadPool::ChunkFn;
using TeamFn = ThreadPool::TeamFn;
using KernelFn = int (*)(const KernelCall*);

inline constexpr int32_t kRuntimeVersion = 1;

struct Runtime {
  // Nonzero asks running programs to stop. Generated loops read it at offset 0.
  volatile int32_t interrupt = 0;
  int32_t version = kRuntimeVersion;
  int32_t max_threads = 0;  // 0: the pool's
  int32_t reserved = 0;

  // Runs fn(ctx, c, worker) for c in [0, chunks). `ns` is the estimated time
  // of all chunks on one thread; cheap work runs on the caller's thread alone.
  // ns < 0 means: always use the pool. Returns kOk or kInterrupted.
  int (*parallel_for)(Runtime*, ChunkFn fn, void* ctx, int64_t chunks,
                      int64_t ns);
  // SPMD with barriers, for loops whose every iteration is parallel. Members
  // leave the loop when barrier returns nonzero.
  int (*team)(Runtime*, TeamFn fn, void* ctx, int64_t ns);
  int32_t (*barrier)(Team*, int32_t member);
  int32_t (*team_size)(Team*);
  // Brackets a program with several parallel loops: workers stay awake.
  void (*enter_region)(Runtime*);
  void (*leave_region)(Runtime*);

  // The slow path of a poll: true (stop) after an interrupt or when the host
  // language has a pending signal. Call from the caller's thread, every ~10 us
  // or more; it reads a clock.
  int32_t (*poll)(Runtime*);
  // Scratch; null when there is none. Sizes must match.
  void* (*allocate)(Runtime*, size_t bytes);
  void (*deallocate)(Runtime*, void* p, size_t bytes);
  KernelFn (*find_kernel)(const char* name);
  // Leaves a message for whoever called the entry; returns kFailed.
  int (*fail)(Runtime*, const char* message);
  // Calls back into the host program; null if nobody serves it. `token` says
  // which function. Returns a Status.
  int (*host_callback)(Runtime*, int64_t token, const void* const* in,
                       void* const* out) = nullptr;
  void* host_ctx = nullptr;  // for whoever set host_callback

  Runtime() noexcept;
};
static_assert(offsetof(Runtime, interrupt) == 0);

// The runtime that Executables use unless told otherwise.
Runtime& default_runtime() noexcept;

// Asks every program that runs on rt to stop; they return kInterrupted until
// the flag is cleared.
inline void request_interrupt(Runtime& rt = default_runtime()) noexcept {
  __atomic_store_n(&rt.interrupt, 1, __ATOMIC_RELAXED);
}
inline void clear_interrupt(Runtime& rt = default_runtime()) noexcept {
  __atomic_store_n(&rt.interrupt, 0, __ATOMIC_RELAXED);
}

// Python's signal check. Runs at most every 50 ms, on the caller's thread, in
// programs that poll; nonzero means stop. Null takes it away.
using SignalCheck = int (*)();
void set_signal_check(SignalCheck check) noexcept;

// Brackets compilations and long runs: the Python layer lets go of its lock.
struct BlockingHooks {
  void* (*enter)() = nullptr;
  void (*leave)(void*) = nullptr;
};
void set_blocking_hooks(BlockingHooks hooks) noexcept;

class Blocking {
 public:
  explicit Blocking(bool on);
  ~Blocking();
  Blocking(const Blocking&) = delete;
  Blocking& operator=(const Blocking&) = delete;

 private:
  void* state_ = nullptr;
};

// The message of the last kFailed on this thread.
const char* last_failure() noexcept;
// Throws for a status that is not kOk: Error(interrupted), or Error(runtime)
// with the message.
void check_status(int status);

// parallel_for with a callable: f(int64_t chunk) or f(chunk, worker), noexcept.
template <class F>
int parallel_chunks(Runtime* rt, int64_t chunks, int64_t ns, F&& f) {
  using Fn = std::remove_reference_t<F>;
  ChunkFn fn = [](void* ctx, int64_t chunk, int worker) {
    if constexpr (std::is_invocable_v<Fn&, int64_t, int>)
      (*static_cast<Fn*>(ctx))(chunk, worker);
    else
      (*static_cast<Fn*>(ctx))(chunk);
  };
  return rt->parallel_for(
      rt, fn, const_cast<void*>(static_cast<const void*>(&f)), chunks, ns);
}

}  // namespace cotan
