// A compiled call through the public surface takes nothing from the heap. This
// file replaces the heap of the test program by one that counts.
#include <dlfcn.h>
#include <malloc.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>

#include "api/cotan.h"
#include "runtime/allocator.h"
#include "testing.h"

namespace {
// Of all threads: the pool must not allocate either.
std::atomic<bool> counting{false};
std::atomic<int64_t> calls{0};

void count() {
  if (counting.load(std::memory_order_relaxed)) calls.fetch_add(1);
}
}  // namespace

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t n) {
  count();
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t size) {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* p, size_t n) {
  count();
  return __libc_realloc(p, n);
}
void* memalign(size_t alignment, size_t n) {
  count();
  return __libc_memalign(alignment, n);
}
void* aligned_alloc(size_t alignment, size_t n) {
  count();
  return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, size_t alignment, size_t n) {
  count();
  *p = __libc_memalign(alignment, n);
  return *p ? 0 : 12;  // ENOMEM
}
}

namespace cotan::testing {
namespace {

struct Counted {
  int64_t heap;    // malloc and what is built on it (operator new)
  int64_t blocks;  // of our own allocator
  int64_t system;  // of those, mapped from the system
};
template <class F>
Counted counted(F f, int n = 1000) {
  f();  // the first call makes the arena
  MemoryStats before = memory_stats();
  calls = 0;
  counting = true;
  for (int i = 0; i < n; ++i) f();
  counting = false;
  MemoryStats after = memory_stats();
  return {calls, after.allocations - before.allocations,
          after.system_allocations - before.system_allocations};
}

Array random(Shape shape, double scale) {
  std::vector<float> x(size_t(num_elements(shape)));
  uint32_t state = 1;
  for (float& v : x) {
    state = state * 1664525 + 1013904223;
    v = float(scale * (double(state >> 8) / (1 << 24) - 0.5));
  }
  return array(x.data(), shape);
}

struct Mlp {
  Array w0 = random({32, 64}, 0.4), w1 = random({64, 64}, 0.3),
        w2 = random({64, 1}, 0.3), b0 = zeros({64}), b1 = zeros({64}),
        b2 = zeros({1});
  Array operator()(const Array& x) const {
    Array h = relu(matmul(x, w0) + b0);
    h = relu(matmul(h, w1) + b1);
    return matmul(h, w2) + b2;
  }
};

}  // namespace

TEST(allocations_are_counted) {
  Counted c = counted([] { delete new std::string(100, 'x'); }, 10);
  CHECK(c.heap >= 20);
  c = counted([] { free_bytes(allocate_bytes(64), 64); }, 10);
  CHECK_EQ(c.blocks, 10);
  CHECK_EQ(c.heap, 0);
}

TEST(allocations_of_a_compiled_mlp) {
  for (int64_t batch : {1, 8}) {
    auto f = jit(Mlp{});
    Array x = random({batch, 32}, 2);
    Compiled c = f.compile(x);
    std::vector<float> out(static_cast<size_t>(batch));
    Counted n = counted([&] { c.run({x.data<float>()}, {out.data()}); });
    CHECK_EQ(n.heap, 0);
    CHECK_EQ(n.system, 0);
    CHECK(n.blocks <= 1000);  // the arena, from a cache of the thread
    std::vector<float> want = f(x).to_vector<float>();
    for (size_t i = 0; i < out.size(); ++i) CHECK_EQ(out[i], want[i]);
  }
}

TEST(allocations_of_a_mlp_with_its_weights_given) {
  auto f = jit([](const Array& x, const Array& w0, const Array& b0,
                  const Array& w1, const Array& b1, const Array& w2,
                  const Array& b2) { return Mlp{w0, w1, w2, b0, b1, b2}(x); });
  Mlp m;
  Array x = random({1, 32}, 2);
  Compiled c = f.compile(x, m.w0, m.b0, m.w1, m.b1, m.w2, m.b2);
  float out = 0;
  auto data = [](const Array& a) -> const void* { return a.data<float>(); };
  Counted n = counted([&] {
    c.run({data(x), data(m.w0), data(m.b0), data(m.w1), data(m.b1), data(m.w2),
           data(m.b2)},
          {&out});
  });
  CHECK_EQ(n.heap, 0);
  CHECK_EQ(n.system, 0);
  CHECK(std::abs(out - m(x).item()) < 1e-6);
}

TEST(allocations_of_parallel_programs) {
  // Large enough for the pool: its threads allocate nothing either.
  auto f = jit([](const Array& x) {
    Array e = exp(x - max(x, {1}, true));
    return e / sum(e, {1}, true);
  });
  Array x = random({512, 2048}, 4);
  Compiled c = f.compile(x);
  std::vector<float> out(512 * 2048);
  for (int i = 0; i < 5; ++i) c.run({x.data<float>()}, {out.data()});
  Counted n = counted([&] { c.run({x.data<float>()}, {out.data()}); }, 20);
  CHECK_EQ(n.heap, 0);
  CHECK_EQ(n.system, 0);
}

TEST(allocations_of_many_arguments) {
  // More than fit the inline lists of a call.
  auto f = jit([](const Array& x) {
    std::vector<Array> out;
    for (int i = 0; i < 40; ++i) out.push_back(x * double(i));
    return out;
  });
  Array x = random({8}, 1);
  Compiled c = f.compile(x);
  std::vector<std::vector<float>> memory(40, std::vector<float>(8));
  std::vector<void*> out;
  for (auto& m : memory) out.push_back(m.data());
  const void* in[] = {x.data<float>()};
  Counted n = counted([&] { c.run(in, out.data()); });
  CHECK_EQ(n.heap, 0);
  CHECK_EQ(memory[2][3], 2 * x.data<float>()[3]);
}

TEST(allocations_of_calls_on_arrays) {
  // Objects and buffers of results come from our allocator, not from malloc.
  auto f = jit([](const Array& x) { return tanh(x) * 2 + 1; });
  Array x = random({100}, 2);
  Counted n = counted([&] { f(x); });
  CHECK_EQ(n.system, 0);
  CHECK(n.blocks <= 2000);
}

}  // namespace cotan::testing
