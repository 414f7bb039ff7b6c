// The thread pool. The caller of parallel_for works too and claims chunks like
// every worker; a chunk's result never depends on who ran it. Workers sleep
// between programs. Inside a Region they spin for a bounded time first, since
// waking a sleeper costs 10-70 us and reaching a spinner 0.3 us; so they do for
// 50 us between programs that are called in a row.
//
// One job runs at a time. A second caller, or a chunk that calls parallel_for
// itself, runs all its chunks on its own thread. After fork the child starts
// new workers when it first needs them.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <type_traits>

namespace cotan {

// A spin that gives up sooner when spinning has not paid lately: after two
// sleeps in a row it spins no more for 64 rounds.
class AdaptiveSpin {
 public:
  static constexpr int64_t kBudgetNs = 25'000;
  // Spins until done() or the budget is spent. True if done.
  template <class Done>
  bool spin(Done&& done) noexcept;

 private:
  int parks_ = 0, holdoff_ = 0;
};

// The threads of one ThreadPool::team call.
class Team {
 public:
  int size() const noexcept { return size_; }
  // Waits for every member. Returns what `*stop` held when the last one
  // arrived, the same value for all: nonzero means leave.
  int32_t barrier(int member) noexcept;

 private:
  friend class ThreadPool;
  static constexpr int kMaxMembers = 256;
  std::atomic<uint32_t> arrived_{0}, round_{0}, sleepers_{0};
  std::atomic<int32_t> verdict_{0};
  const volatile int32_t* stop_ = nullptr;
  int size_ = 1;
  AdaptiveSpin spins_[kMaxMembers];
};

class ThreadPool {
 public:
  using ChunkFn = void (*)(void* ctx, int64_t chunk, int worker);
  using TeamFn = void (*)(void* ctx, Team* team, int member);

  static ThreadPool& global() noexcept;

  // Threads a job may use, the caller included. Starts as the least of the
  // affinity mask, the cgroup quota and COTAN_NUM_THREADS.
  int threads() const noexcept;
  void set_threads(int n) noexcept;  // < 1: back to the start value

  struct Options {
    int max_threads = 0;                     // 0: threads()
    const volatile int32_t* stop = nullptr;  // polled between chunks
    // Called by the caller's thread between chunks; nonzero means stop.
    int (*poll)(void*) = nullptr;
    void* poll_ctx = nullptr;
  };
  // Runs fn(ctx, c, worker) for c in [0, chunks); 0 <= worker < threads.
  // False if stopped early. fn must not throw.
  bool parallel_for(ChunkFn fn, void* ctx, int64_t chunks,
                    const Options& options) noexcept;
  bool parallel_for(ChunkFn fn, void* ctx, int64_t chunks) noexcept {
    return parallel_for(fn, ctx, chunks, Options());
  }
  // The same for a callable (chunk) or (chunk, worker), which may throw: the
  // first exception stops the job and is rethrown here.
  template <class F>
  bool for_each(int64_t chunks, F&& f, const Options& options = {});

  // SPMD: every member runs fn(ctx, team, member) once, at the same time,
  // with barriers between its phases. The team is whoever woke up in time,
  // so its size may be 1. fn must not throw.
  void team(TeamFn fn, void* ctx, const Options& options) noexcept;

  // Keeps workers spinning (bounded) between the jobs of one program.
  static void enter_region() noexcept;
  static void leave_region() noexcept;
  class Region {
   public:
    Region() noexcept { enter_region(); }
    ~Region() { leave_region(); }
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
  };

  // True on a thread that is running a chunk: parallel_for is inline there.
  static bool in_parallel() noexcept;

  // Measured once, on the first call (under 2 ms): until a sleeping worker
  // runs its first chunk, and until a spinning one has run and been joined.
  int64_t wake_ns() noexcept;
  int64_t hand_off_ns() noexcept;
  // Do `threads` of them gain on work that takes one `ns`? Asks for the whole
  // cost of waking the others, unless they are awake: inside a Region, or
  // because such calls come in a row. Never inside a chunk.
  bool gains(int64_t ns, int threads = 0) noexcept;

  struct Impl;

 private:
  void measure() noexcept;
};

template <class F>
bool ThreadPool::for_each(int64_t chunks, F&& f, const Options& options) {
  struct Context {
    F& f;
    std::atomic<bool> failed{false};
    std::exception_ptr error;
    explicit Context(F& f_) : f(f_) {}
  } context(f);
  ChunkFn fn = [](void* p, int64_t chunk, int worker) {
    auto& c = *static_cast<Context*>(p);
    if (c.failed.load(std::memory_order_relaxed)) return;
    try {
      if constexpr (std::is_invocable_v<F&, int64_t, int>)
        c.f(chunk, worker);
      else
        c.f(chunk);
    } catch (...) {
      if (!c.failed.exchange(true)) c.error = std::current_exception();
    }
  };
  bool done = parallel_for(fn, &context, chunks, options);
  if (context.error) std::rethrow_exception(context.error);
  return done;
}

}  // namespace cotan
