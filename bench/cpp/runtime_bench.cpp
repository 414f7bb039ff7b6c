// What the runtime itself costs: allocation, hand-off, kernels.
//   c++ -O2 -std=c++20 -Icsrc bench/cpp/runtime_bench.cpp -Lpython/cotan/lib
//       -lcotan -pthread && ./a.out [part of a row's name]
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "runtime/allocator.h"
#include "runtime/buffer.h"
#include "runtime/host.h"
#include "runtime/kernels/kernels.h"
#include "runtime/thread_pool.h"

namespace {

using namespace cotan;

const char* filter = "";

// Best nanoseconds of one call out of `rounds` rounds of `calls`.
template <class F>
void row(const char* name, int rounds, int calls, F&& f) {
  if (!std::strstr(name, filter)) return;
  f();
  int64_t best = INT64_MAX;
  for (int r = 0; r < rounds; ++r) {
    int64_t start = now_ns();
    for (int c = 0; c < calls; ++c) f();
    best = std::min(best, now_ns() - start);
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

void random_bits() {
  constexpr int64_t kN = 1 << 24;
  Scratch out(kN * 4);
  uint32_t key[2] = {0, 1};
  std::vector<int64_t> attrs = encode_attrs(RandomBitsAttrs{1, kN, 32});
  const void* in[] = {key};
  void* outs[] = {out.data()};
  KernelCall call{in, outs, attrs.data(), nullptr, &default_runtime()};
  KernelFn fn = find_kernel("random_bits");
  row("random_bits 2^24 u32", 5, 1, [&] { fn(&call); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) filter = argv[1];
  allocation();
  hand_off();
  random_bits();
}
