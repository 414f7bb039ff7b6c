// A job is published by a bump of `epoch`. Workers enter it through `gate`,
// one 64-bit word: [epoch | free slots | members inside]. Closing the gate is
// one exchange of the slots, so a worker that wakes too late finds no slot
// and never touches a job that has ended, and the caller waits only for
// workers that really came.
#include "runtime/thread_pool.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <mutex>
#include <new>

#include "base/error.h"
#include "runtime/futex.h"
#include "runtime/host.h"

namespace cotan {

template <class Done>
bool AdaptiveSpin::spin(Done&& done) noexcept {
  if (done()) return true;
  if (holdoff_ > 0) {
    holdoff_--;
    return false;
  }
  int64_t deadline = now_ns() + kBudgetNs;
  for (;;) {
    for (int i = 0; i < 32; ++i) {
      cpu_relax();
      if (done()) {
        parks_ = 0;
        return true;
      }
    }
    if (now_ns() >= deadline) break;
  }
  if (++parks_ >= 2) {
    parks_ = 0;
    holdoff_ = 64;
  }
  return false;
}

namespace {

// Workers stay awake this long after a call that came as one of a row.
constexpr int64_t kLingerNs = 50'000;
constexpr int32_t kRow = 16;
constexpr int64_t kWakeNs = 200'000;

constexpr uint64_t kSlot = uint64_t(1) << 16;
constexpr uint64_t kSlots = uint64_t(0xffff) << 16;
constexpr uint64_t kInside = 0xffff;

thread_local bool t_in_parallel = false;

// Flags are set from signal handlers and other threads.
int32_t read_flag(const volatile int32_t* flag) noexcept {
  return flag ? __atomic_load_n(flag, __ATOMIC_RELAXED) : 0;
}

// Workers serve whatever the main thread's signal handlers leave alone.
void block_signals(sigset_t* old) noexcept {
  sigset_t all;
  sigfillset(&all);
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP})
    sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, old);
}

}  // namespace

struct ThreadPool::Impl {
  alignas(64) std::atomic<uint32_t> epoch{0};
  std::atomic<uint32_t> sleepers{0};
  std::atomic<int32_t> hot{0};  // open Regions
  // Until when workers wait awake for the next of a row of calls.
  std::atomic<int64_t> linger_until{0};
  std::atomic<int32_t> lingering{0};  // workers that do
  alignas(64) std::atomic<uint64_t> gate{0};
  std::atomic<uint32_t> joiner_parked{0};
  alignas(64) std::atomic<int64_t> next{0};

  // The job: written while the gate is shut.
  alignas(64) ChunkFn fn = nullptr;
  TeamFn team_fn = nullptr;
  void* ctx = nullptr;
  int64_t chunks = 0;
  int slots = 0;  // workers let in at most
  Options options;
  std::atomic<int32_t> stopped{0};
  Team* team = nullptr;
  std::atomic<uint32_t> team_start{0};

  std::mutex busy;  // held by the caller of the running job
  AdaptiveSpin join_spin;
  std::atomic<int> threads{1};
  int start_threads = 1;
  int workers = 0;  // started; guarded by busy
  std::atomic<int64_t> wake_ns{0}, hand_off_ns{0};
  std::mutex measuring;
  std::atomic<int64_t> last_call{0}, last_wake{0};  // of gains
  std::atomic<int32_t> row{0};

  Impl() {
    int64_t asked = env_int("COTAN_NUM_THREADS", 0);
    start_threads = cpu_limit();
    if (asked > 0) start_threads = int(std::min<int64_t>(asked, start_threads));
    start_threads = std::min(start_threads, Team::kMaxMembers);
    threads = start_threads;
  }

  void start_workers(int want) noexcept;
  bool in_a_row(int64_t now, int64_t ns) noexcept;
  bool lingers() const noexcept {
    int64_t until = linger_until.load(std::memory_order_relaxed);
    return until != 0 && now_ns() < until;
  }
  template <class Done>
  void linger(Done&& done) noexcept;
  void worker_loop(uint32_t seen) noexcept;
  int enter(uint32_t seen) noexcept;
  void leave() noexcept;
  bool should_stop(int worker) noexcept;
  void run_chunks(int worker) noexcept;
  void run_member(int member) noexcept;
  void open(int want) noexcept;
  void wake(int count) noexcept;
  void join() noexcept;
};
// The joiner sleeps on the low half of the gate.
static_assert(std::endian::native == std::endian::little);

namespace {

// Replaced in a forked child, whose copy of the old pool has no workers and
// may have been caught in any state.
std::atomic<ThreadPool::Impl*> g_impl{nullptr};

ThreadPool::Impl& impl() noexcept {
  ThreadPool::Impl* p = g_impl.load(std::memory_order_acquire);
  if (p) [[likely]]
    return *p;
  // No lock: fork may catch a thread here.
  auto* fresh = new ThreadPool::Impl;
  if (g_impl.compare_exchange_strong(p, fresh)) return *fresh;
  delete fresh;
  return *p;
}

[[gnu::constructor]] void register_fork_handler() noexcept {
  pthread_atfork(nullptr, nullptr, [] {
    t_in_parallel = false;
    ThreadPool::Impl* old = g_impl.load(std::memory_order_relaxed);
    if (!old) return;
    auto* fresh = new ThreadPool::Impl;
    fresh->threads = old->threads.load();
    fresh->wake_ns = old->wake_ns.load();
    fresh->hand_off_ns = old->hand_off_ns.load();
    g_impl.store(fresh, std::memory_order_release);
  });
}

struct WorkerStart {
  ThreadPool::Impl* impl;
  uint32_t seen;
};

}  // namespace

// ---- The workers' side ----------------------------------------------------

void ThreadPool::Impl::start_workers(int want) noexcept {
  while (workers < want) {
    auto* start = new (std::nothrow) WorkerStart{this, epoch.load()};
    if (!start) return;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigset_t old;
    block_signals(&old);
    pthread_t thread;
    int failed = pthread_create(
        &thread, &attr,
        [](void* p) -> void* {
          WorkerStart s = *static_cast<WorkerStart*>(p);
          delete static_cast<WorkerStart*>(p);
          s.impl->worker_loop(s.seen);
          return nullptr;
        },
        start);
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    pthread_attr_destroy(&attr);
    if (failed) {  // fewer threads, same results
      delete start;
      return;
    }
    workers++;
  }
}

template <class Done>
void ThreadPool::Impl::linger(Done&& done) noexcept {
  lingering.fetch_add(1, std::memory_order_relaxed);
  while (!done() && lingers())
    for (int i = 0; i < 32 && !done(); ++i) cpu_relax();
  lingering.fetch_sub(1, std::memory_order_relaxed);
}

void ThreadPool::Impl::worker_loop(uint32_t seen) noexcept {
  t_in_parallel = true;
  AdaptiveSpin spin;
  for (;;) {
    auto moved = [&] { return epoch.load(std::memory_order_acquire) != seen; };
    if (hot.load(std::memory_order_relaxed) > 0) {
      spin.spin(
          [&] { return moved() || hot.load(std::memory_order_relaxed) == 0; });
    }
    while (!moved()) {
      if (lingers()) {
        linger(moved);
        continue;
      }
      sleepers.fetch_add(1, std::memory_order_seq_cst);
      if (!moved()) futex_wait(&epoch, seen);
      sleepers.fetch_sub(1, std::memory_order_relaxed);
    }
    seen = epoch.load(std::memory_order_acquire);
    int worker = enter(seen);
    if (worker < 0) continue;
    // Whoever arrives wakes two more: the caller need not wake them all.
    if (gate.load(std::memory_order_relaxed) & kSlots) wake(2);
    if (team_fn)
      run_member(worker);
    else
      run_chunks(worker);
    leave();
  }
}

// The worker's number in this job, or -1 if there is no slot.
int ThreadPool::Impl::enter(uint32_t seen) noexcept {
  uint64_t g = gate.load(std::memory_order_acquire);
  for (;;) {
    if (uint32_t(g >> 32) != seen || (g & kSlots) == 0) return -1;
    if (gate.compare_exchange_weak(g, g - kSlot + 1,
                                   std::memory_order_seq_cst)) {
      return slots - int((g & kSlots) >> 16) + 1;
    }
  }
}

void ThreadPool::Impl::leave() noexcept {
  uint64_t g = gate.fetch_sub(1, std::memory_order_seq_cst) - 1;
  if ((g & (kSlots | kInside)) == 0 &&
      joiner_parked.load(std::memory_order_seq_cst))
    futex_wake(&gate, 1);
}

// ---- The job ----------------------------------------------------------------

bool ThreadPool::Impl::should_stop(int worker) noexcept {
  if (read_flag(options.stop)) stopped.store(1, std::memory_order_relaxed);
  if (worker == 0 && options.poll && options.poll(options.poll_ctx))
    stopped.store(1, std::memory_order_relaxed);
  return stopped.load(std::memory_order_relaxed) != 0;
}

void ThreadPool::Impl::run_chunks(int worker) noexcept {
  ChunkFn f = fn;
  void* c = ctx;
  int64_t n = chunks;
  while (!should_stop(worker)) {
    int64_t chunk = next.fetch_add(1, std::memory_order_relaxed);
    if (chunk >= n) return;
    f(c, chunk, worker);
  }
}

void ThreadPool::Impl::run_member(int member) noexcept {
  // The caller fixes the team's size once it has shut the gate.
  while (team_start.load(std::memory_order_acquire) == 0) cpu_relax();
  team_fn(ctx, team, member);
}

void ThreadPool::Impl::wake(int count) noexcept {
  if (sleepers.load(std::memory_order_seq_cst) > 0) futex_wake(&epoch, count);
}

void ThreadPool::Impl::open(int want) noexcept {
  slots = want;
  stopped.store(0, std::memory_order_relaxed);
  next.store(0, std::memory_order_relaxed);
  uint32_t e = epoch.load(std::memory_order_relaxed) + 1;
  gate.store(uint64_t(e) << 32 | uint64_t(want) << 16,
             std::memory_order_release);
  epoch.store(e, std::memory_order_seq_cst);
  wake(std::min(want, 2));
}

// Shuts the gate and waits for the workers inside.
void ThreadPool::Impl::join() noexcept {
  gate.fetch_and(~kSlots, std::memory_order_seq_cst);
  auto empty = [&] {
    return (gate.load(std::memory_order_acquire) & kInside) == 0;
  };
  if (join_spin.spin(empty)) return;
  joiner_parked.store(1, std::memory_order_seq_cst);
  for (;;) {
    uint32_t g = uint32_t(gate.load(std::memory_order_seq_cst));
    if ((g & kInside) == 0) break;
    futex_wait(&gate, g);
  }
  joiner_parked.store(0, std::memory_order_relaxed);
}

// ---- The caller's side ------------------------------------------------------

ThreadPool& ThreadPool::global() noexcept {
  static ThreadPool pool;
  return pool;
}

bool ThreadPool::in_parallel() noexcept { return t_in_parallel; }

int ThreadPool::threads() const noexcept {
  return impl().threads.load(std::memory_order_relaxed);
}

void ThreadPool::set_threads(int n) noexcept {
  Impl& p = impl();
  p.threads = n < 1 ? p.start_threads : std::min(n, Team::kMaxMembers);
}

namespace {

int thread_count(const ThreadPool& pool, const ThreadPool::Options& options) {
  int n = pool.threads();
  return options.max_threads > 0 ? std::min(n, options.max_threads) : n;
}

bool run_inline(ThreadPool::ChunkFn fn, void* ctx, int64_t chunks,
                const ThreadPool::Options& options) noexcept {
  for (int64_t c = 0; c < chunks; ++c) {
    if (read_flag(options.stop)) return false;
    if (options.poll && !t_in_parallel && options.poll(options.poll_ctx))
      return false;
    fn(ctx, c, 0);
  }
  return true;
}

}  // namespace

bool ThreadPool::parallel_for(ChunkFn fn, void* ctx, int64_t chunks,
                              const Options& options) noexcept {
  int n = int(std::min<int64_t>(thread_count(*this, options), chunks));
  if (n <= 1 || t_in_parallel) return run_inline(fn, ctx, chunks, options);
  Impl& p = impl();
  std::unique_lock lock(p.busy, std::try_to_lock);
  if (!lock) return run_inline(fn, ctx, chunks, options);
  p.start_workers(n - 1);
  p.fn = fn;
  p.team_fn = nullptr;
  p.ctx = ctx;
  p.chunks = chunks;
  p.options = options;
  p.open(n - 1);
  t_in_parallel = true;
  p.run_chunks(0);
  t_in_parallel = false;
  p.join();
  return p.stopped.load(std::memory_order_relaxed) == 0;
}

void ThreadPool::team(TeamFn fn, void* ctx, const Options& options) noexcept {
  Team team;
  team.stop_ = options.stop;
  int n = thread_count(*this, options);
  Impl& p = impl();
  std::unique_lock lock(p.busy, std::defer_lock);
  if (n <= 1 || t_in_parallel || !lock.try_lock()) {
    fn(ctx, &team, 0);
    return;
  }
  p.start_workers(n - 1);
  p.fn = nullptr;
  p.team_fn = fn;
  p.ctx = ctx;
  p.options = options;
  p.team = &team;
  p.team_start.store(0, std::memory_order_relaxed);
  p.open(n - 1);
  // Workers that are asleep get some wake-ups' time; the rest stay out.
  int64_t deadline = now_ns() + 250'000;
  while ((p.gate.load(std::memory_order_acquire) & kSlots) &&
         now_ns() < deadline)
    cpu_relax();
  uint64_t g = p.gate.fetch_and(~kSlots, std::memory_order_seq_cst);
  team.size_ = 1 + p.slots - int((g & kSlots) >> 16);
  p.team_start.store(1, std::memory_order_release);
  t_in_parallel = true;
  fn(ctx, &team, 0);
  t_in_parallel = false;
  p.join();
}

int32_t Team::barrier(int member) noexcept {
  if (size_ == 1) return read_flag(stop_);
  uint32_t round = round_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == uint32_t(size_)) {
    int32_t verdict = read_flag(stop_);
    verdict_.store(verdict, std::memory_order_relaxed);
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0)
      futex_wake(&round_, size_);
    return verdict;
  }
  auto moved = [&] { return round_.load(std::memory_order_acquire) != round; };
  if (!spins_[member].spin(moved)) {
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    while (!moved()) futex_wait(&round_, round);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }
  return verdict_.load(std::memory_order_relaxed);
}

void ThreadPool::enter_region() noexcept { impl().hot.fetch_add(1); }

void ThreadPool::leave_region() noexcept {
  // A Region opened before a fork and closed in the child has no count there.
  std::atomic<int32_t>& hot = impl().hot;
  int32_t n = hot.load();
  while (n > 0 && !hot.compare_exchange_weak(n, n - 1)) {
  }
}

// ---- Measured costs ---------------------------------------------------------

void ThreadPool::measure() noexcept {
  Impl& p = impl();
  std::lock_guard lock(p.measuring);
  if (p.wake_ns.load()) return;
  if (threads() <= 1 || t_in_parallel) return;
  // Two chunks that wait for each other need two threads at once.
  struct Meeting {
    std::atomic<int> arrived{0};
    int64_t deadline;
  };
  ChunkFn meet = [](void* ctx, int64_t, int) {
    auto& m = *static_cast<Meeting*>(ctx);
    m.arrived.fetch_add(1);
    while (m.arrived.load() < 2 && now_ns() < m.deadline) cpu_relax();
  };
  auto time_meeting = [&] {
    int64_t start = now_ns();
    Meeting m{0, start + 300'000};
    parallel_for(meet, &m, 2, {.max_threads = 2});
    return now_ns() - start;
  };
  time_meeting();  // starts the workers
  int64_t wake = 300'000, hot = 300'000;
  for (int i = 0; i < 8; ++i) {
    timespec pause{0, 60'000};
    nanosleep(&pause, nullptr);
    wake = std::min(wake, time_meeting());
  }
  {
    Region region;
    time_meeting();
    for (int i = 0; i < 16; ++i) hot = std::min(hot, time_meeting());
  }
  // On a busy machine both come out far too long, and stay so.
  p.hand_off_ns = std::clamp<int64_t>(hot, 100, 3'000);
  p.wake_ns = std::clamp<int64_t>(wake, 1'000, 80'000);
}

int64_t ThreadPool::wake_ns() noexcept {
  Impl& p = impl();
  if (p.wake_ns.load(std::memory_order_relaxed) == 0) measure();
  int64_t ns = p.wake_ns.load(std::memory_order_relaxed);
  return ns ? ns : 50'000;
}

int64_t ThreadPool::hand_off_ns() noexcept {
  wake_ns();
  int64_t ns = impl().hand_off_ns.load(std::memory_order_relaxed);
  return ns ? ns : 1000;
}

// Has the last of many calls, each of which could use awake workers, just
// ended?
bool ThreadPool::Impl::in_a_row(int64_t now, int64_t ns) noexcept {
  int64_t gap = now - last_call.exchange(now, std::memory_order_relaxed);
  if (gap > 2 * ns + kLingerNs) {
    row.store(0, std::memory_order_relaxed);
    return false;
  }
  int32_t length = row.load(std::memory_order_relaxed);
  if (length < kRow) row.store(length + 1, std::memory_order_relaxed);
  return length >= kRow;
}

// T1 (1 - 1/p) > 2 W: half of what is saved may go into handing over.
bool ThreadPool::gains(int64_t ns, int n) noexcept {
  n = n > 0 ? std::min(n, threads()) : threads();
  if (n <= 1 || t_in_parallel) return false;
  auto least = [&](int64_t cost) { return 2 * cost * n / (n - 1); };
  if (ns < least(hand_off_ns())) return false;
  Impl& p = impl();
  if (p.hot.load(std::memory_order_relaxed) > 0) return true;
  bool cold = ns >= least(wake_ns());
  int64_t now = now_ns();
  if (p.in_a_row(now, ns)) {
    p.linger_until.store(now + ns + kLingerNs, std::memory_order_relaxed);
    if (p.lingering.load(std::memory_order_relaxed) > 0) return true;
    // Call them; the next call finds them awake.
    if (!cold && now - p.last_wake.load(std::memory_order_relaxed) > kWakeNs) {
      p.last_wake.store(now, std::memory_order_relaxed);
      std::unique_lock lock(p.busy, std::try_to_lock);
      if (lock) p.start_workers(n - 1);
      p.wake(n - 1);
    }
  }
  return cold;
}

}  // namespace cotan
