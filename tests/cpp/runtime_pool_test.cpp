// Thread pool and the Runtime struct.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/error.h"
#include "runtime/host.h"
#include "runtime/runtime.h"
#include "runtime/thread_pool.h"
#include "testing.h"

namespace cotan {
namespace {

ThreadPool& pool() { return ThreadPool::global(); }

void check_all_chunks_once(int64_t chunks) {
  std::vector<std::atomic<int>> hits(static_cast<size_t>(chunks));
  std::atomic<bool> bad_worker{false};
  bool done = pool().for_each(chunks, [&](int64_t c, int worker) {
    hits[size_t(c)]++;
    if (worker < 0 || worker >= pool().threads()) bad_worker = true;
  });
  CHECK(done && !bad_worker);
  for (auto& h : hits) CHECK_EQ(h.load(), 1);
}

}  // namespace

TEST(pool_every_chunk_runs_once) {
  for (int threads : {1, 2, 3, 8}) {
    pool().set_threads(threads);
    CHECK_EQ(pool().threads(), threads);
    for (int64_t chunks : {0, 1, 2, 3, 7, 100, 5000})
      check_all_chunks_once(chunks);
  }
  pool().set_threads(0);
}

TEST(pool_many_jobs_cold_and_hot) {
  pool().set_threads(4);
  std::atomic<int64_t> sum{0};
  auto add = [&](int64_t c) { sum += c; };
  for (int i = 0; i < 300; ++i) pool().for_each(10, add);
  {
    ThreadPool::Region region;
    for (int i = 0; i < 3000; ++i) pool().for_each(10, add);
  }
  CHECK_EQ(sum.load(), 3300 * 45);
  pool().set_threads(0);
}

TEST(pool_nested_calls_run_inline) {
  pool().set_threads(3);
  std::atomic<int> inner{0};
  pool().for_each(6, [&](int64_t) {
    if (!ThreadPool::in_parallel()) inner = -1000;
    auto id = std::this_thread::get_id();
    pool().for_each(5, [&](int64_t) {
      if (std::this_thread::get_id() == id) inner++;
    });
  });
  CHECK_EQ(inner.load(), 30);
  CHECK(!ThreadPool::in_parallel());
  pool().set_threads(0);
}

TEST(pool_callers_from_several_threads) {
  pool().set_threads(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      ThreadPool::Region region;
      for (int i = 0; i < 300; ++i)
        pool().for_each(8, [&](int64_t c) { sum += c; });
    });
  for (auto& t : callers) t.join();
  CHECK_EQ(sum.load(), 4 * 300 * 28);
  pool().set_threads(0);
}

TEST(pool_exceptions_reach_the_caller) {
  pool().set_threads(3);
  for (int64_t bad : {0, 57, 99}) {
    auto chunk = [&](int64_t c) {
      if (c == bad) throw_runtime("chunk failed");
    };
    CHECK_THROWS(ErrorKind::runtime, pool().for_each(100, chunk),
                 "chunk failed");
  }
  check_all_chunks_once(50);
  pool().set_threads(0);
}

TEST(pool_stop_flag_ends_a_job_early) {
  pool().set_threads(2);
  volatile int32_t stop = 0;
  std::atomic<int> ran{0};
  bool done = pool().for_each(100000,
                              [&](int64_t) {
                                if (++ran == 50)
                                  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
                              },
                              {.stop = &stop});
  CHECK(!done);
  CHECK(ran.load() < 100000);
  check_all_chunks_once(20);

  static int polls;
  polls = 0;
  ran = 0;
  done = pool().for_each(100000, [&](int64_t) { ran++; },
                         {.poll = [](void*) { return int(++polls > 3); }});
  // The caller may sleep through the whole job on a busy machine.
  CHECK_EQ(done, polls <= 3);
  pool().set_threads(0);
}

TEST(pool_teams_meet_at_barriers) {
  for (int threads : {1, 2, 4}) {
    pool().set_threads(threads);
    struct Shared {
      std::atomic<int64_t> count[2] = {};
      std::atomic<bool> wrong{false};
    } shared;
    for (int run = 0; run < 20; ++run) {
      pool().team(
          [](void* ctx, Team* team, int member) {
            auto& s = *static_cast<Shared*>(ctx);
            for (int i = 0; i < 200; ++i) {
              s.count[i % 2]++;
              if (team->barrier(member)) return;
              if (s.count[i % 2].load() != team->size()) s.wrong = true;
              if (team->barrier(member)) return;
              if (member == 0) s.count[i % 2] = 0;
              if (team->barrier(member)) return;
            }
          },
          &shared, {});
    }
    CHECK(!shared.wrong.load());
  }
  pool().set_threads(0);
}

TEST(pool_a_team_leaves_together) {
  pool().set_threads(3);
  static volatile int32_t stop;
  stop = 0;
  struct Shared {
    std::atomic<int> rounds{0}, left{0}, size{0};
  } shared;
  pool().team(
      [](void* ctx, Team* team, int member) {
        auto& s = *static_cast<Shared*>(ctx);
        s.size = team->size();
        for (;;) {
          if (member == 0 && ++s.rounds == 100)
            __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
          if (team->barrier(member)) break;
        }
        s.left++;
      },
      &shared, {.stop = &stop});
  CHECK_EQ(shared.left.load(), shared.size.load());
  pool().set_threads(0);
}

TEST(pool_a_forked_child_starts_its_own_workers) {
  pool().set_threads(3);
  check_all_chunks_once(10);
  for (int i = 0; i < 5; ++i) {
    pid_t pid = fork();
    if (pid == 0) {
      std::atomic<int> n{0};
      pool().for_each(1000, [&](int64_t) { n++; });
      _exit(n == 1000 && pool().threads() == 3 ? 0 : 1);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
  }
  pool().set_threads(0);
}

TEST(pool_costs_are_measured) {
  pool().set_threads(2);
  CHECK(pool().hand_off_ns() > 0);
  CHECK(pool().wake_ns() >= pool().hand_off_ns() / 4);
  CHECK(!pool().gains(1));
  CHECK(!pool().gains(INT64_MAX / 8, 1));
  CHECK_EQ(pool().gains(INT64_MAX / 8), pool().threads() > 1);
  pool().set_threads(0);
}

TEST(pool_the_runtime_decides_and_stops) {
  Runtime& rt = default_runtime();
  pool().set_threads(2);
  std::atomic<int> n{0};
  // Cheap work stays on this thread.
  auto self = std::this_thread::get_id();
  bool moved = false;
  CHECK_EQ(parallel_chunks(&rt, 8, 500,
                           [&](int64_t) {
                             n++;
                             moved |= std::this_thread::get_id() != self;
                           }),
           kOk);
  CHECK(!moved);
  CHECK_EQ(n.load(), 8);
  CHECK_EQ(parallel_chunks(&rt, 8, -1, [&](int64_t) { n++; }), kOk);
  CHECK_EQ(n.load(), 16);
  request_interrupt();
  CHECK_EQ(parallel_chunks(&rt, 8, -1, [&](int64_t) { n++; }), kInterrupted);
  CHECK_EQ(rt.poll(&rt), 1);
  clear_interrupt();
  CHECK_EQ(rt.poll(&rt), 0);
  static int checks;
  set_signal_check([] { return int(++checks); });
  CHECK_EQ(rt.poll(&rt), 1);
  CHECK_EQ(rt.poll(&rt), 0);  // not again within 50 ms
  set_signal_check(nullptr);
  CHECK(rt.find_kernel("random_bits") != nullptr);
  CHECK(rt.find_kernel("nonsense") == nullptr);
  CHECK_EQ(rt.fail(&rt, "[op] broke"), kFailed);
  CHECK_THROWS(ErrorKind::runtime, (check_status(kFailed), 0), "[op] broke");
  CHECK_THROWS(ErrorKind::interrupted, (check_status(kInterrupted), 0),
               "interrupted");
  pool().set_threads(0);
}

TEST(pool_limits_are_sane) {
  CHECK(cpu_limit() >= 1);
  CHECK(memory_limit() > 1 << 20);
  CHECK(available_memory() > 1 << 20);
  setenv("COTAN_TEST_INT", "12", 1);
  CHECK_EQ(env_int("COTAN_TEST_INT", 3), 12);
  setenv("COTAN_TEST_INT", "12x", 1);
  CHECK_EQ(env_int("COTAN_TEST_INT", 3), 3);
  CHECK_EQ(env_int("COTAN_TEST_UNSET", 3), 3);
}

}  // namespace cotan
