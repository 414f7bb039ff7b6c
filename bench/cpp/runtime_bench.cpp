// What the runtime itself costs: allocation, hand-off, kernels.
//   c++ -O2 -std=c++20 -Icsrc bench/cpp/runtime_bench.cpp -Lpython/cotan/lib
//       -lcotan -pthread && ./a.out [part of a row's name]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <tuple>
#include <vector>

#include "runtime/allocator.h"
#include "runtime/buffer.h"
#include "runtime/host.h"
#include "runtime/kernels/kernels.h"
#include "runtime/thread_pool.h"

namespace {

using namespace cotan;

const char* filter = "";

int64_t cpu_ns() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

// Best nanoseconds of one call out of `rounds` rounds of `calls`: wall time,
// or CPU time where that is less (one thread on a busy machine).
template <class F>
void row(const char* name, int rounds, int calls, F&& f) {
  if (!std::strstr(name, filter)) return;
  f();
  int64_t best = INT64_MAX;
  for (int r = 0; r < rounds; ++r) {
    int64_t wall = now_ns(), cpu = cpu_ns();
    for (int c = 0; c < calls; ++c) f();
    best = std::min({best, now_ns() - wall, cpu_ns() - cpu});
  }
  double ns = double(best) / calls;
  if (ns < 1e4)
    std::printf("%-44s %10.1f ns\n", name, ns);
  else
    std::printf("%-44s %10.3f ms\n", name, ns * 1e-6);
  std::fflush(stdout);
}

void allocation() {
  row("allocate + free 32 B", 20, 100000,
      [] { free_bytes(allocate_bytes(32), 32); });
  row("allocate + free 4 KB", 20, 100000,
      [] { free_bytes(allocate_bytes(4096), 4096); });
  row("allocate + free 64 KB", 20, 100000,
      [] { free_bytes(allocate_bytes(65536), 65536); });
  row("allocate + free 64 MB", 20, 1000,
      [] { free_bytes(allocate_bytes(64 << 20), 64 << 20); });
  row("Buffer of 32 B", 20, 100000, [] { (void)Buffer::allocate(32); });
  row("Buffer of 64 KB", 20, 100000, [] { (void)Buffer::allocate(65536); });
  std::vector<void*> blocks(1000);
  row("1000 x allocate, then free, 256 B", 20, 100, [&] {
    for (void*& p : blocks) p = allocate_bytes(256);
    for (void* p : blocks) free_bytes(p, 256);
  });
}

void hand_off() {
  ThreadPool& pool = ThreadPool::global();
  if (pool.threads() < 2) return;
  std::printf("%-44s %10.2f us\n", "wake (measured by the pool)",
              double(pool.wake_ns()) * 1e-3);
  std::printf("%-44s %10.2f us\n", "hot hand-off (measured by the pool)",
              double(pool.hand_off_ns()) * 1e-3);
  auto nothing = [](void*, int64_t, int) {};
  row("parallel_for, 2 empty chunks, cold", 20, 200,
      [&] { pool.parallel_for(nothing, nullptr, 2); });
  {
    ThreadPool::Region region;
    row("parallel_for, 2 empty chunks, region", 20, 1000,
        [&] { pool.parallel_for(nothing, nullptr, 2); });
  }
  row("team barrier x 1000", 20, 1, [&] {
    pool.team(
        [](void*, Team* team, int member) {
          for (int i = 0; i < 1000; ++i) team->barrier(member);
        },
        nullptr, {});
  });
}

template <class Attrs>
struct Call {
  std::vector<int64_t> attrs;
  std::vector<const void*> in;
  std::vector<void*> out;
  KernelFn fn;
  Call(const char* name, const Attrs& a, std::vector<const void*> i,
       std::vector<void*> o)
      : attrs(encode_attrs(a)), in(i), out(o), fn(find_kernel(name)) {}
  void operator()() {
    KernelCall call{in.data(), out.data(), attrs.data(), nullptr,
                    &default_runtime()};
    if (fn(&call) != kOk) std::printf("failed: %s\n", last_failure());
  }
};

// A kernel with one thread and with all.
template <class Attrs>
void kernel_row(const char* name, const char* kernel, const Attrs& a,
                std::vector<const void*> in, std::vector<void*> out) {
  Call<Attrs> call(kernel, a, in, out);
  ThreadPool& pool = ThreadPool::global();
  char label[80];
  for (int threads : {1, 0}) {
    pool.set_threads(threads);
    std::snprintf(label, sizeof label, "%s, %d threads", name, pool.threads());
    row(label, 7, 1, call);
  }
}

constexpr int64_t kMany = 1 << 24;
constexpr int64_t f32 = int64_t(DType::f32), i32 = int64_t(DType::i32),
                  f64 = int64_t(DType::f64);

uint32_t next_random(uint64_t& state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return uint32_t(state >> 32);
}

void kernels() {
  Scratch a(kMany * 4), b(kMany * 4), c(kMany * 4), d(kMany * 4);
  uint64_t state = 1;
  // Sums of four are near enough to normal.
  for (int64_t i = 0; i < kMany; ++i) {
    float sum = 0;
    for (int k = 0; k < 4; ++k)
      sum += float(int32_t(next_random(state))) * 0x1p-31f;
    a.as<float>()[i] = sum;
  }
  uint32_t key[2] = {0, 1};
  kernel_row("random_bits 2^24 u32", "random_bits",
             RandomBitsAttrs{1, kMany, 32}, {key}, {b.data()});

  Scratch iota(kMany * 4);
  for (int64_t i = 0; i < kMany; ++i) iota.as<int32_t>()[i] = int32_t(i);
  for (int64_t n : {1 << 20, 1 << 22}) {
    char name[64];
    std::snprintf(name, sizeof name, "sort f32 2^%d", n > 2e6 ? 22 : 20);
    kernel_row(name, "sort", SortAttrs{1, n, 1, 1, {f32}}, {a.data()},
               {b.data()});
    std::snprintf(name, sizeof name, "argsort f32 2^%d", n > 2e6 ? 22 : 20);
    kernel_row(name, "sort", SortAttrs{1, n, 1, 1, {f32, i32}},
               {a.data(), iota.data()}, {b.data(), c.data()});
  }
  for (int64_t i = 0; i < kMany / 2; ++i)
    d.as<double>()[i] = double(a.as<float>()[i]) * 1.1;
  kernel_row("sort f64 2^20", "sort", SortAttrs{1, 1 << 20, 1, 1, {f64}},
             {d.data()}, {b.data()});
  kernel_row("argsort f64 2^20", "sort",
             SortAttrs{1, 1 << 20, 1, 1, {f64, i32}}, {d.data(), iota.data()},
             {b.data(), c.data()});
  kernel_row("sort f32 10000 x 100", "sort", SortAttrs{10000, 100, 1, 1, {f32}},
             {a.data()}, {b.data()});
  kernel_row("argsort f32 10000 x 100", "sort",
             SortAttrs{10000, 100, 1, 1, {f32, i32}}, {a.data(), iota.data()},
             {b.data(), c.data()});
  kernel_row("sort f32 1000 x 1000, axis 0", "sort",
             SortAttrs{1, 1000, 1000, 1, {f32}}, {a.data()}, {b.data()});

  using C = Cumulative;
  for (auto [name, outer, n, inner] :
       {std::tuple("cumsum f32 2^24", 1, 1 << 24, 1),
        std::tuple("cumsum f32 4096 x 4096, axis 1", 4096, 4096, 1),
        std::tuple("cumsum f32 4096 x 4096, axis 0", 1, 4096, 4096)})
    kernel_row(name, "cumulative",
               CumulativeAttrs{C::sum, DType::f32, outer, n, inner, false},
               {a.data()}, {b.data()});
  kernel_row("cummax f32 2^24", "cumulative",
             CumulativeAttrs{C::max, DType::f32, 1, kMany, 1, false},
             {a.data()}, {b.data()});
}

void indexing() {
  constexpr int64_t kRows = 100000, kCount = 1000000, kWidth = 64;
  Scratch table(kRows * kWidth * 4), index(kCount * 4),
      rows(kCount * kWidth * 4);
  uint64_t state = 1;
  for (int64_t i = 0; i < kRows * kWidth; ++i) table.as<float>()[i] = float(i);
  for (int64_t i = 0; i < kCount * kWidth; ++i) rows.as<float>()[i] = 1;
  for (int64_t i = 0; i < kCount; ++i)
    index.as<int32_t>()[i] = int32_t(next_random(state) % kRows);
  GatherAttrs g;
  g.operand_shape = {kRows, kWidth}, g.indices_shape = {kCount, 1};
  g.slice_sizes = {1, kWidth}, g.offset_dims = {1};
  g.collapsed_slice_dims = {0}, g.start_index_map = {0};
  kernel_row("gather 1M rows of (100000, 64) f32", "gather", g,
             {table.data(), index.data()}, {rows.data()});
  g.operand_shape = {kRows * kWidth}, g.slice_sizes = {1}, g.offset_dims = {};
  kernel_row("gather 1M of 6.4M f32", "gather", g, {table.data(), index.data()},
             {rows.data()});
  ScatterAttrs s;
  s.operand_shape = {kRows}, s.indices_shape = {kCount, 1};
  s.updates_shape = {kCount}, s.inserted_window_dims = {0};
  s.scatter_dims_to_operand_dims = {0};
  kernel_row("scatter-add 1M into 100000 f32", "scatter", s,
             {table.data(), index.data(), rows.data()}, {table.data()});
  s.operand_shape = {kRows, kWidth}, s.updates_shape = {kCount, kWidth};
  s.update_window_dims = {1};
  kernel_row("scatter-add 1M rows of (100000, 64) f32", "scatter", s,
             {table.data(), index.data(), rows.data()}, {table.data()});
  s.combine = Combine::set;
  kernel_row("scatter-set 1M rows of (100000, 64) f32", "scatter", s,
             {table.data(), index.data(), rows.data()}, {table.data()});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) filter = argv[1];
  allocation();
  hand_off();
  kernels();
  indexing();
}
