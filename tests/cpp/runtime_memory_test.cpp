// Allocator, buffers, devices, executables.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "base/error.h"
#include "runtime/allocator.h"
#include "runtime/buffer.h"
#include "runtime/device.h"
#include "runtime/executable.h"
#include "runtime/host.h"
#include "runtime/size_class.h"
#include "testing.h"

namespace cotan {
namespace {

bool aligned(const void* p) { return uintptr_t(p) % kBufferAlignment == 0; }

}  // namespace

TEST(memory_size_classes_round_up_and_cover) {
  for (size_t n = 0; n <= size_class::kMaxSmall; ++n) {
    int c = size_class::small_of(n);
    CHECK(c >= 0 && c < size_class::kSmallClasses);
    CHECK(size_class::small_size(c) >= n);
    if (c > 0) CHECK(size_class::small_size(c - 1) < std::max<size_t>(n, 65));
  }
  for (size_t n = size_class::kMaxSmall + 1; n < (size_t(1) << 46);
       n += n / 17 + 1) {
    int c = size_class::large_of(n);
    CHECK(c >= 0 && c < size_class::kLargeClasses);
    CHECK(size_class::large_size(c) >= n);
    CHECK(size_class::large_size(c) <= n + n / 8 + 4096);
    CHECK_EQ(size_class::large_of(size_class::large_size(c)), c);
  }
}

TEST(memory_blocks_are_aligned_disjoint_and_reused) {
  std::set<char*> seen;
  std::vector<std::pair<char*, size_t>> blocks;
  for (size_t n :
       {0, 1, 64, 65, 1000, 1025, 4096, 4160, 5000, 32768, 32832, 32833, 50000,
        1 << 20, (1 << 20) + 1, 4 << 20, 5 << 20, 33 << 20}) {
    for (int i = 0; i < 3; ++i) {
      char* p = static_cast<char*>(allocate_bytes(n));
      CHECK(aligned(p));
      std::memset(p, i + 1, n);
      CHECK(seen.insert(p).second);
      blocks.push_back({p, n});
    }
  }
  for (size_t k = 0; k < blocks.size(); ++k) {
    auto [p, n] = blocks[k];
    for (size_t j = 0; j < n; j += 61) CHECK_EQ(p[j], char(k % 3 + 1));
  }
  for (auto [p, n] : blocks) free_bytes(p, n);
  void* p = allocate_bytes(33 << 20);
  CHECK(seen.count(static_cast<char*>(p)) == 1);
  free_bytes(p, 33 << 20);
}

TEST(memory_big_buffers_are_staggered) {
  std::set<uintptr_t> offsets;
  std::vector<void*> blocks;
  for (int i = 0; i < 8; ++i) {
    blocks.push_back(allocate_bytes(16 << 20));
    offsets.insert(uintptr_t(blocks.back()) % 4096);
  }
  CHECK(offsets.size() >= 7);
  for (void* p : blocks) free_bytes(p, 16 << 20);
}

TEST(memory_stats_count_and_the_cache_is_bounded) {
  trim_memory();
  MemoryStats s0 = memory_stats();
  CHECK_EQ(s0.bytes_cached, 0);
  void* a = allocate_bytes(100);
  void* b = allocate_bytes(20 << 20);
  MemoryStats s1 = memory_stats();
  CHECK_EQ(s1.allocations - s0.allocations, 2);
  CHECK_EQ(s1.bytes_in_use - s0.bytes_in_use, 128 + (20 << 20));
  CHECK(s1.peak_bytes >= 20 << 20);
  free_bytes(a, 100);
  free_bytes(b, 20 << 20);
  MemoryStats s2 = memory_stats();
  CHECK_EQ(s2.bytes_in_use, s0.bytes_in_use);
  CHECK_EQ(s2.bytes_cached, 20 << 20);
  CHECK_EQ(s2.frees - s0.frees, 2);
  // Served from the cache: nothing new is mapped.
  b = allocate_bytes(20 << 20);
  CHECK_EQ(memory_stats().system_allocations, s2.system_allocations);
  free_bytes(b, 20 << 20);

  size_t old = set_cache_limit(30 << 20);
  std::vector<void*> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(allocate_bytes(12 << 20));
  for (void* p : blocks) free_bytes(p, 12 << 20);
  CHECK(memory_stats().bytes_cached <= 30 << 20);
  CHECK(memory_stats().bytes_cached >= 12 << 20);
  for (int i = 0; i < 100; ++i)
    blocks[size_t(i) % 4] = allocate_bytes(1 << 20),
                       free_bytes(blocks[size_t(i) % 4], 1 << 20);
  trim_memory();
  CHECK_EQ(memory_stats().bytes_cached, 0);
  // Carved blocks come back from the cold list after a trim.
  int64_t mapped = memory_stats().system_allocations;
  char* p = static_cast<char*>(allocate_bytes(1 << 20));
  std::memset(p, 7, 1 << 20);
  CHECK_EQ(memory_stats().system_allocations, mapped);
  free_bytes(p, 1 << 20);
  set_cache_limit(old);
}

TEST(memory_absurd_sizes_are_refused) {
  CHECK_THROWS(ErrorKind::memory, allocate_bytes(size_t(1) << 60),
               "[allocate] cannot");
  CHECK_THROWS(ErrorKind::memory, allocate_bytes(~size_t(0)), "are available");
  size_t tera = memory_limit() * 3 / 2;
  CHECK_THROWS(ErrorKind::memory, allocate_bytes(tera),
               cat(tera, " bytes").c_str());
  try {
    (void)allocate_bytes(size_t(8) << 40);
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::memory);
    CHECK(e.message().find("8.0 TiB") != std::string::npos);
  }
  CHECK(try_allocate_bytes(size_t(1) << 60) == nullptr);
}

TEST(memory_threads_exchange_blocks) {
  int64_t before = memory_stats().bytes_in_use;
  std::vector<std::vector<std::pair<void*, size_t>>> mail(4);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread> threads;
    std::vector<std::vector<std::pair<void*, size_t>>> sent(4);
    for (size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (auto [p, n] : mail[t]) free_bytes(p, n);
        uint64_t x = t * 77 + size_t(round) + 1;
        for (int i = 0; i < 2000; ++i) {
          x = x * 6364136223846793005u + 1442695040888963407u;
          size_t n = (x >> 33) % (i % 50 ? 6000 : 200000);
          auto* p = static_cast<char*>(allocate_bytes(n));
          if (n) p[0] = p[n - 1] = 1;
          sent[(t + 1) % 4].push_back({p, n});
        }
      });
      threads.back().join();  // also run after each other: exits interleave
    }
    mail = std::move(sent);
  }
  std::vector<std::thread> threads;
  for (auto& box : mail)
    threads.emplace_back([&box] {
      for (auto [p, n] : box) free_bytes(p, n);
      for (int i = 0; i < 20000; ++i) {
        size_t n = size_t(i * 37 % 9000);
        void* p = allocate_bytes(n);
        free_bytes(p, n);
      }
    });
  for (auto& t : threads) t.join();
  CHECK_EQ(memory_stats().bytes_in_use, before);
}

TEST(memory_fork_keeps_the_allocator_usable) {
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::thread busy([&] {
    while (!stop) {
      free_bytes(allocate_bytes(100000), 100000);
      rounds++;
    }
  });
  // The sanitizer's own malloc does not survive a fork: let its part be over.
  while (rounds < 10) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) {
    pid_t pid = fork();
    if (pid == 0) {
      for (size_t n : {10, 5000, 100000, 8 << 20})
        free_bytes(allocate_bytes(n), n);
      _exit(0);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
  }
  stop = true;
  busy.join();
}

TEST(memory_a_small_buffer_is_one_allocation) {
  Ref<Buffer> warm = Buffer::allocate(32);
  int64_t before = memory_stats().allocations;
  Ref<Buffer> b = Buffer::allocate(32);
  CHECK_EQ(memory_stats().allocations - before, 1);
  CHECK(aligned(b->data()));
  CHECK_EQ(b->size(), 32);
  CHECK(b->device() == cpu_device());
  Ref<Buffer> big = Buffer::allocate(1 << 20);
  CHECK_EQ(memory_stats().allocations - before, 3);
  int64_t in_use = memory_stats().bytes_in_use;
  big = nullptr;
  CHECK(memory_stats().bytes_in_use <= in_use - (1 << 20));
}

TEST(memory_foreign_memory_is_released_once) {
  static int released = 0;
  float data[4] = {1, 2, 3, 4};
  auto deleter = [](void* owner) { ++*static_cast<int*>(owner); };
  {
    Ref<Buffer> b = Buffer::wrap(data, sizeof data, deleter, &released);
    Ref<Buffer> c = b;
    CHECK(b->data() == data && b->is_foreign());
    CHECK(b->donate() == nullptr);
  }
  CHECK_EQ(released, 1);
  Ref<Buffer> b = Buffer::wrap(data, sizeof data, deleter, &released);
  b->mark_deleted();
  CHECK_EQ(released, 2);
  CHECK(b->is_deleted() && b->data() == nullptr);
  b = nullptr;
  CHECK_EQ(released, 2);
}

TEST(memory_donation_moves_memory) {
  for (size_t n : {16, 4096, 100000}) {
    Ref<Buffer> a = Buffer::allocate(n);
    std::memset(a->data(), 5, n);
    void* p = a->data();
    Ref<Buffer> b = a->donate();
    CHECK(a->is_deleted() && a->data() == nullptr);
    CHECK(!b->is_deleted());
    CHECK_EQ(static_cast<char*>(b->data())[n - 1], char(5));
    if (n > 4096) CHECK(b->data() == p);
    CHECK(a->donate() == nullptr);
  }
}

TEST(memory_devices_are_found_and_named) {
  CHECK_EQ(cpu_device()->name(), "cpu:0");
  CHECK(find_device("cpu") == cpu_device());
  CHECK(default_device() == cpu_device());
  CHECK(devices().size() >= 1);
  CHECK(!cpu_device()->kind().empty());
  CHECK_THROWS(ErrorKind::value, find_device("tpu"),
               "no device 'tpu:0'; devices are cpu:0");
  CHECK_THROWS(ErrorKind::runtime, devices("gpu"), "no platform 'gpu'");
  class Fake final : public Device {
   public:
    Fake() : Device("fake", 3, "a test") {}
    void* allocate(size_t n) override { return allocate_bytes(n); }
    void deallocate(void* p, size_t n) noexcept override { free_bytes(p, n); }
    void copy_from_host(void*, const void*, size_t) override {}
    void copy_to_host(void*, const void*, size_t) override {}
    void copy_within(void*, const void*, size_t) override {}
    MemoryStats memory() const override { return {}; }
  };
  auto* fake = new Fake;
  register_device(fake);
  CHECK(find_device("fake", 3) == fake);
  CHECK_THROWS(ErrorKind::value, (register_device(new Fake), 0),
               "fake:3 exists already");
  set_default_device(fake);
  CHECK(default_device() == fake && devices()[0] == fake);
  Ref<Buffer> b = Buffer::allocate(8, fake);  // never attached to its header
  CHECK(b->device() == fake && b->data() != nullptr);
  set_default_device(nullptr);
}

namespace {

// out0 = in0 + in1 (in place over in0), out1 = sum of in1, out2 is in1.
class AddInPlace final : public Executable {
 public:
  AddInPlace()
      : Executable(
            cpu_device(), {{vec(), true}, {vec(), false}},
            {{vec(), 0, -1}, {Aval{DType::f32, false, {}}}, {vec(), -1, 1}},
            256) {}
  static Aval vec() { return {DType::f32, false, {4}}; }
  int run(const void* const* in, void* const* out, void* arena,
          Runtime* rt) const override {
    if (rt->interrupt) return kInterrupted;
    CHECK(in[0] == out[0] && arena != nullptr && out[2] == nullptr);
    auto* x = static_cast<const float*>(in[0]);
    auto* y = static_cast<const float*>(in[1]);
    if (y[0] < 0) return rt->fail(rt, "[add] negative");
    float sum = 0;
    for (int i = 0; i < 4; ++i) {
      sum += y[i];
      static_cast<float*>(out[0])[i] = x[i] + y[i];
    }
    *static_cast<float*>(out[1]) = sum;
    return kOk;
  }
};

}  // namespace

TEST(memory_execute_binds_donates_and_forwards) {
  Ref<AddInPlace> program = make_ref<AddInPlace>();
  float xs[4] = {1, 2, 3, 4}, ys[4] = {10, 20, 30, 40};
  Ref<Buffer> x = Buffer::copy_of(xs, 16), y = Buffer::copy_of(ys, 16);
  Ref<Buffer> out[3];
  Buffer* in[2] = {x.get(), y.get()};
  execute(*program, in, out);
  CHECK(x->is_deleted() && !y->is_deleted());
  CHECK_EQ(static_cast<float*>(out[0]->data())[3], 44.f);
  CHECK_EQ(static_cast<float*>(out[1]->data())[0], 100.f);
  CHECK(out[2] == y);
  CHECK_THROWS(ErrorKind::runtime, (execute(*program, in, out), 0),
               "Array has been deleted with shape=float32");

  // Foreign memory is copied, not written; the same buffer twice as well.
  Ref<Buffer> foreign = Buffer::wrap(xs, 16, nullptr, nullptr);
  Buffer* in2[2] = {foreign.get(), y.get()};
  execute(*program, in2, out);
  CHECK_EQ(xs[0], 1.f);
  CHECK(foreign->is_deleted());
  CHECK_EQ(static_cast<float*>(out[0]->data())[0], 11.f);
  Buffer* in3[2] = {y.get(), y.get()};
  execute(*program, in3, out);
  CHECK_EQ(static_cast<float*>(out[0]->data())[1], 40.f);

  // Failure and interruption: no outputs, the donated input is gone.
  ys[0] = -1;
  x = Buffer::copy_of(xs, 16);
  y = Buffer::copy_of(ys, 16);
  Buffer* in4[2] = {x.get(), y.get()};
  CHECK_THROWS(ErrorKind::runtime, (execute(*program, in4, out), 0),
               "[add] negative");
  CHECK(x->is_deleted() && !out[0] && !out[2]);
  x = Buffer::copy_of(xs, 16);
  Buffer* in5[2] = {x.get(), y.get()};
  request_interrupt();
  CHECK_THROWS(ErrorKind::interrupted, (execute(*program, in5, out), 0),
               "interrupted");
  clear_interrupt();
}

}  // namespace cotan
