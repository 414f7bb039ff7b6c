#include "runtime/runtime.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <utility>

#include "base/error.h"
#include "runtime/allocator.h"
#include "runtime/failure.h"
#include "runtime/host.h"
#include "runtime/kernels/kernels.h"

namespace cotan {
namespace {

constexpr int64_t kSignalPeriodNs = 50'000'000;

std::atomic<SignalCheck> g_signal_check{nullptr};
thread_local int64_t t_last_check = 0;
thread_local std::unique_ptr<char[]> t_failure;
thread_local std::exception_ptr t_exception;
constexpr size_t kFailureSize = 512;

int32_t poll(Runtime* rt) {
  if (rt->interrupt) return 1;
  SignalCheck check = g_signal_check.load(std::memory_order_acquire);
  if (!check) return 0;
  int64_t now = now_ns();
  if (now - t_last_check < kSignalPeriodNs) return 0;
  t_last_check = now;
  // The flag stays down: the pending signal belongs to this thread's program.
  return check() != 0;
}

ThreadPool::Options options_of(Runtime* rt) {
  return {.max_threads = rt->max_threads,
          .stop = &rt->interrupt,
          .poll = [](void* p) -> int { return poll(static_cast<Runtime*>(p)); },
          .poll_ctx = rt};
}

bool worth_it(Runtime* rt, int64_t ns) {
  if (ns < 0) return true;
  return ns >= 1000 && ThreadPool::global().gains(ns, rt->max_threads);
}

int parallel_for(Runtime* rt, ChunkFn fn, void* ctx, int64_t chunks,
                 int64_t ns) {
  ThreadPool::Options options = options_of(rt);
  if (!worth_it(rt, ns)) options.max_threads = 1;
  return ThreadPool::global().parallel_for(fn, ctx, chunks, options)
             ? kOk
             : kInterrupted;
}

int team(Runtime* rt, TeamFn fn, void* ctx, int64_t ns) {
  ThreadPool::Options options = options_of(rt);
  if (!worth_it(rt, ns)) options.max_threads = 1;
  ThreadPool::global().team(fn, ctx, options);
  return rt->interrupt ? kInterrupted : kOk;
}

int fail(Runtime*, const char* message) {
  if (!t_failure) t_failure = std::make_unique<char[]>(kFailureSize);
  std::strncpy(t_failure.get(), message, kFailureSize - 1);
  return kFailed;
}

}  // namespace

Runtime::Runtime() noexcept
    : parallel_for(&cotan::parallel_for),
      team(&cotan::team),
      barrier([](Team* t, int32_t member) { return t->barrier(member); }),
      team_size([](Team* t) { return int32_t(t->size()); }),
      enter_region([](Runtime*) { ThreadPool::enter_region(); }),
      leave_region([](Runtime*) { ThreadPool::leave_region(); }),
      poll(&cotan::poll),
      allocate([](Runtime*, size_t n) { return try_allocate_bytes(n); }),
      deallocate([](Runtime*, void* p, size_t n) { free_bytes(p, n); }),
      find_kernel([](const char* name) { return cotan::find_kernel(name); }),
      fail(&cotan::fail) {}

Runtime& default_runtime() noexcept {
  static Runtime rt;
  return rt;
}

void set_signal_check(SignalCheck check) noexcept {
  g_signal_check.store(check, std::memory_order_release);
}

namespace {
BlockingHooks g_blocking;
}
void set_blocking_hooks(BlockingHooks hooks) noexcept { g_blocking = hooks; }

Blocking::Blocking(bool on) {
  if (on && g_blocking.enter) state_ = g_blocking.enter();
}
Blocking::~Blocking() {
  if (state_) g_blocking.leave(state_);
}

void keep_exception(std::exception_ptr e) noexcept {
  t_exception = std::move(e);
}

const char* last_failure() noexcept { return t_failure ? t_failure.get() : ""; }

void check_status(int status) {
  if (status == kOk) [[likely]]
    return;
  if (status == kInterrupted)
    throw_error(ErrorKind::interrupted,
                "[run] interrupted; outputs are dropped and donated inputs "
                "are deleted");
  if (std::exception_ptr e = std::exchange(t_exception, nullptr))
    std::rethrow_exception(e);
  throw_error(ErrorKind::runtime, last_failure());
}

}  // namespace cotan
