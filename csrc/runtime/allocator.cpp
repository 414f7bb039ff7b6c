// Three tiers, by size: thread-local free lists over a central list per class
// (small), LIFO bins over 16 MB regions (carved), LIFO bins over mappings of
// their own (mapped). Start at allocate_bytes. Lock order: a central list,
// then `large`.
#include "runtime/allocator.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/host.h"
#include "runtime/size_class.h"

namespace cotan {
namespace {

using namespace size_class;

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kRegion = size_t(16) << 20;
// Successive carved blocks start five lines apart within a page: streams that
// are all page-aligned collide in the L1 cache.
constexpr size_t kStagger = 5 * 64;

// ---- Mapping from the system --------------------------------------------

// `bytes` of address space aligned to a huge page, or null.
void* map_memory(size_t bytes) noexcept {
  size_t span = bytes + kHugePage;
  void* p = mmap(nullptr, span, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  uintptr_t begin = uintptr_t(p);
  uintptr_t start = (begin + kHugePage - 1) & ~(kHugePage - 1);
  if (start > begin) munmap(p, start - begin);
  if (size_t tail = begin + span - (start + bytes))
    munmap(reinterpret_cast<void*>(start + bytes), tail);
#ifdef MADV_HUGEPAGE
  madvise(reinterpret_cast<void*>(start), bytes, MADV_HUGEPAGE);
#endif
  return reinterpret_cast<void*>(start);
}

// A mapping holds its class size and a page to stagger in. A tail of half a
// huge page or more is rounded up to a whole one.
size_t mapping_bytes(size_t block) noexcept {
  size_t bytes = (block + 2 * kPage - 1) & ~(kPage - 1);
  size_t tail = bytes % kHugePage;
  return tail >= kHugePage / 2 ? bytes - tail + kHugePage : bytes;
}

// ---- Large blocks ---------------------------------------------------------

// Lives in the first bytes of a cached block.
struct FreeBlock {
  FreeBlock *bin_next, *bin_prev;  // LIFO: the hottest block goes out first
  FreeBlock *lru_next, *lru_prev;  // oldest at the tail
  int bin;
};
static_assert(sizeof(FreeBlock) <= 64);

struct LargeHeap {
  std::mutex mutex;
  FreeBlock* bins[kLargeClasses] = {};
  FreeBlock *lru_head = nullptr, *lru_tail = nullptr;
  std::vector<void*> cold[kLargeClasses];  // carved, pages given back
  char *region = nullptr, *region_end = nullptr;
  size_t cached = 0, limit = 0;
  int64_t in_use = 0, small_bytes = 0, peak = 0;
  int64_t allocations = 0, frees = 0, system = 0;
  uint32_t stagger = 0;

  void note_peak() noexcept { peak = std::max(peak, in_use + small_bytes); }
};

// Constant-initialised, for fork may catch any thread at its first use; never
// destroyed, for blocks may be freed during exit.
template <class T>
union Immortal {
  T value;
  constexpr Immortal() : value() {}
  ~Immortal() {}
};

constinit Immortal<LargeHeap> g_large;
LargeHeap& large_heap() noexcept { return g_large.value; }

void unlink(LargeHeap& h, FreeBlock* b) noexcept {
  (b->bin_prev ? b->bin_prev->bin_next : h.bins[b->bin]) = b->bin_next;
  if (b->bin_next) b->bin_next->bin_prev = b->bin_prev;
  (b->lru_prev ? b->lru_prev->lru_next : h.lru_head) = b->lru_next;
  (b->lru_next ? b->lru_next->lru_prev : h.lru_tail) = b->lru_prev;
  h.cached -= large_size(b->bin);
}

void cache_block(LargeHeap& h, void* p, int bin) noexcept {
  auto* b = static_cast<FreeBlock*>(p);
  *b = {h.bins[bin], nullptr, h.lru_head, nullptr, bin};
  if (b->bin_next) b->bin_next->bin_prev = b;
  (b->lru_next ? b->lru_next->lru_prev : h.lru_tail) = b;
  h.bins[bin] = h.lru_head = b;
  h.cached += large_size(bin);
}

// Takes blocks out of the cache, oldest first, until `keep` bytes are left.
// The caller returns the chain (by lru_next) to the system without the lock.
FreeBlock* evict(LargeHeap& h, size_t keep) noexcept {
  FreeBlock* victims = nullptr;
  while (h.cached > keep && h.lru_tail) {
    FreeBlock* b = h.lru_tail;
    unlink(h, b);
    b->lru_next = victims;
    victims = b;
  }
  return victims;
}

void give_back(LargeHeap& h, FreeBlock* victims) noexcept {
  while (victims) {
    FreeBlock* b = victims;
    victims = b->lru_next;
    int bin = b->bin;
    size_t size = large_size(bin);
    uintptr_t begin = uintptr_t(b);
    if (size > kMaxCarved) {
      munmap(reinterpret_cast<void*>(begin & ~(kPage - 1)),
             mapping_bytes(size));
      continue;
    }
    uintptr_t first = (begin + kPage - 1) & ~(kPage - 1);
    uintptr_t last = (begin + size) & ~(kPage - 1);
    madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
    std::lock_guard lock(h.mutex);
    try {
      h.cold[bin].push_back(b);
    } catch (...) {  // only address space is lost
    }
  }
}

// Is there memory for a new mapping? Cached blocks count as available.
bool have_room(LargeHeap& h, size_t bytes) noexcept {
  if (bytes < kRegion / 2) return true;
  if (bytes <= available_memory()) return true;
  FreeBlock* victims;
  {
    std::lock_guard lock(h.mutex);
    victims = evict(h, 0);
  }
  give_back(h, victims);
  return bytes <= available_memory();
}

// The rest of a region becomes cold blocks of the largest classes that fit.
void retire_region(LargeHeap& h) noexcept {
  size_t room = size_t(h.region_end - h.region);
  while (room >= large_size(0) + kStagger) {
    int bin = large_of(std::min(room - kStagger, kMaxCarved));
    if (large_size(bin) + kStagger > room) bin--;
    if (bin < 0) break;
    try {
      h.cold[bin].push_back(h.region);
    } catch (...) {
      break;
    }
    h.region += large_size(bin) + kStagger;
    room -= large_size(bin) + kStagger;
  }
  h.region = h.region_end = nullptr;
}

// `bytes` from the current region; maps a new one as needed. Lock held.
void* carve(LargeHeap& h, size_t bytes) noexcept {
  if (size_t(h.region_end - h.region) < bytes + kStagger) {
    if (h.region) retire_region(h);
    void* p = map_memory(kRegion);
    if (!p) return nullptr;
    h.system++;
    h.region = static_cast<char*>(p);
    h.region_end = h.region + kRegion;
  }
  void* p = h.region;
  h.region += bytes + kStagger;
  return p;
}

void* map_block(LargeHeap& h, size_t size) noexcept {
  size_t bytes = mapping_bytes(size);
  if (!have_room(h, bytes)) return nullptr;
  void* p = map_memory(bytes);
  if (!p) {
    trim_memory(0);
    p = map_memory(bytes);
    if (!p) return nullptr;
  }
  std::lock_guard lock(h.mutex);
  h.system++;
  h.allocations++;
  h.in_use += int64_t(size);
  h.note_peak();
  // Steps of 13 lines within the spare page; the page is found again by
  // rounding down.
  return static_cast<char*>(p) + (h.stagger++ * 13 % 64) * 64;
}

void* allocate_large(size_t bytes) noexcept {
  if (bytes > kMaxLarge) return nullptr;
  LargeHeap& h = large_heap();
  int bin = large_of(bytes);
  size_t size = large_size(bin);
  {
    std::lock_guard lock(h.mutex);
    void* p = nullptr;
    if (FreeBlock* b = h.bins[bin]) {
      unlink(h, b);
      p = b;
    } else if (size <= kMaxCarved) {
      if (!h.cold[bin].empty()) {
        p = h.cold[bin].back();
        h.cold[bin].pop_back();
      } else {
        p = carve(h, size);
      }
      if (!p) return nullptr;
    }
    if (p) {
      h.allocations++;
      h.in_use += int64_t(size);
      h.note_peak();
      return p;
    }
  }
  return map_block(h, size);
}

void free_large(void* p, size_t bytes) noexcept {
  LargeHeap& h = large_heap();
  int bin = large_of(bytes);
  FreeBlock* victims;
  {
    std::lock_guard lock(h.mutex);
    h.frees++;
    h.in_use -= int64_t(large_size(bin));
    cache_block(h, p, bin);
    victims = h.cached > h.limit ? evict(h, h.limit) : nullptr;
  }
  give_back(h, victims);
}

// ---- Small blocks ---------------------------------------------------------

struct FreeList {
  void* head = nullptr;
  uint32_t count = 0;
};

void* pop(FreeList& l) noexcept {
  void* p = l.head;
  l.head = *static_cast<void**>(p);
  l.count--;
  return p;
}
void push(FreeList& l, void* p) noexcept {
  *static_cast<void**>(p) = l.head;
  l.head = p;
  l.count++;
}

// A list holds up to 64 KB, at least 4 and at most 256 blocks.
constexpr uint32_t list_limit(int c) noexcept {
  return uint32_t(
      std::clamp<size_t>((size_t(64) << 10) / small_size(c), 4, 256));
}

struct Central {
  std::mutex mutex;
  FreeList list;
};

// Counters are written by their thread only, and read by memory_stats.
struct Counter {
  std::atomic<int64_t> value{0};
  void add(int64_t d) noexcept {
    value.store(value.load(std::memory_order_relaxed) + d,
                std::memory_order_relaxed);
  }
};

struct ThreadCache {
  FreeList lists[kSmallClasses];
  Counter allocations, frees, in_use;
  ThreadCache* next = nullptr;
};

struct SmallHeap {
  Central classes[kSmallClasses];
  std::mutex mutex;  // guards the rest
  ThreadCache* caches = nullptr;
  int64_t allocations = 0, frees = 0, in_use = 0;  // of threads that ended
};

constinit Immortal<SmallHeap> g_small;
SmallHeap& small_heap() noexcept { return g_small.value; }

// fork copies a consistent heap: every lock is held across it.
void lock_all() noexcept {
  for (Central& c : small_heap().classes) c.mutex.lock();
  small_heap().mutex.lock();
  large_heap().mutex.lock();
}
void unlock_all() noexcept {
  large_heap().mutex.unlock();
  small_heap().mutex.unlock();
  for (Central& c : small_heap().classes) c.mutex.unlock();
}
// Runs when the library is loaded. Whatever is freed before is not cached.
[[gnu::constructor]] void prepare_heaps() noexcept {
  large_heap().limit =
      size_t(env_int("COTAN_CACHE_LIMIT", int64_t(memory_limit() / 4)));
  pthread_atfork(lock_all, unlock_all, unlock_all);
}

// Fills `list` from the central list, or from fresh memory. False if there is
// none.
bool refill(FreeList& list, int c, uint32_t want) noexcept {
  Central& central = small_heap().classes[c];
  std::lock_guard lock(central.mutex);
  while (want > 0 && central.list.head) {
    push(list, pop(central.list));
    want--;
  }
  if (list.head) return true;
  size_t size = small_size(c), count = std::max<size_t>(want, 1);
  char* p;
  {
    LargeHeap& h = large_heap();
    std::lock_guard large_lock(h.mutex);
    p = static_cast<char*>(carve(h, size * count));
    if (!p) return false;
    h.small_bytes += int64_t(size * count);
    h.note_peak();
  }
  for (size_t i = count; i-- > 0;) push(list, p + i * size);
  return true;
}

void drain(FreeList& list, int c, uint32_t keep) noexcept {
  Central& central = small_heap().classes[c];
  std::lock_guard lock(central.mutex);
  while (list.count > keep) push(central.list, pop(list));
}

// One initial-exec pointer: a thread_local object would cost a call per access
// in a shared library.
__attribute__((tls_model("initial-exec"))) thread_local ThreadCache* t_cache =
    nullptr;
thread_local bool t_ended = false;

struct CacheOwner {
  ~CacheOwner() {
    ThreadCache* cache = std::exchange(t_cache, nullptr);
    t_ended = true;
    if (!cache) return;
    for (int c = 0; c < kSmallClasses; ++c) drain(cache->lists[c], c, 0);
    SmallHeap& h = small_heap();
    std::lock_guard lock(h.mutex);
    h.allocations += cache->allocations.value;
    h.frees += cache->frees.value;
    h.in_use += cache->in_use.value;
    ThreadCache** at = &h.caches;
    while (*at != cache) at = &(*at)->next;
    *at = cache->next;
    delete cache;
  }
};

// Null once the thread is ending, or without memory.
ThreadCache* make_cache() noexcept {
  if (t_ended) return nullptr;
  auto* cache = new (std::nothrow) ThreadCache;
  if (!cache) return nullptr;
  static thread_local CacheOwner owner;
  (void)owner;
  SmallHeap& h = small_heap();
  std::lock_guard lock(h.mutex);
  cache->next = h.caches;
  h.caches = cache;
  return t_cache = cache;
}

[[gnu::noinline]] void* allocate_small_slow(int c) noexcept {
  ThreadCache* cache = t_cache ? t_cache : make_cache();
  if (!cache) {
    FreeList one;
    if (!refill(one, c, 1)) return nullptr;
    std::lock_guard lock(small_heap().mutex);
    small_heap().allocations++;
    small_heap().in_use += int64_t(small_size(c));
    return one.head;
  }
  FreeList& list = cache->lists[c];
  if (!list.head && !refill(list, c, (list_limit(c) + 1) / 2)) return nullptr;
  cache->allocations.add(1);
  cache->in_use.add(int64_t(small_size(c)));
  return pop(list);
}

[[gnu::noinline]] void free_small_slow(void* p, int c) noexcept {
  ThreadCache* cache = t_cache ? t_cache : make_cache();
  if (!cache) {
    FreeList one;
    push(one, p);
    drain(one, c, 0);
    std::lock_guard lock(small_heap().mutex);
    small_heap().frees++;
    small_heap().in_use -= int64_t(small_size(c));
    return;
  }
  FreeList& list = cache->lists[c];
  push(list, p);
  cache->frees.add(1);
  cache->in_use.add(-int64_t(small_size(c)));
  if (list.count > list_limit(c)) drain(list, c, list_limit(c) / 2);
}

inline void* allocate_small(size_t bytes) noexcept {
  int c = small_of(bytes);
  ThreadCache* cache = t_cache;
  if (!cache || !cache->lists[c].head) [[unlikely]]
    return allocate_small_slow(c);
  cache->allocations.add(1);
  cache->in_use.add(int64_t(small_size(c)));
  return pop(cache->lists[c]);
}

inline void free_small(void* p, size_t bytes) noexcept {
  int c = small_of(bytes);
  ThreadCache* cache = t_cache;
  if (!cache || cache->lists[c].count >= list_limit(c)) [[unlikely]]
    return free_small_slow(p, c);
  push(cache->lists[c], p);
  cache->frees.add(1);
  cache->in_use.add(-int64_t(small_size(c)));
}

std::string size_text(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB",
                                           "TiB",   "PiB", "EiB"};
  double v = double(bytes);
  int unit = 0;
  while (v >= 1024 && unit < 6) {
    v /= 1024;
    unit++;
  }
  if (unit == 0) return cat(bytes, " bytes");
  int64_t tenths = int64_t(v * 10 + 0.5);
  return cat(tenths / 10, ".", tenths % 10, " ", kUnits[unit]);
}

[[noreturn, gnu::noinline]] void out_of_memory(size_t bytes) {
  MemoryStats s = memory_stats();
  throw_error(
      ErrorKind::memory,
      cat("[allocate] cannot allocate ", bytes, " bytes (", size_text(bytes),
          ") while ", size_text(available_memory()), " are available (",
          size_text(uint64_t(s.bytes_in_use)), " in use by live arrays, ",
          size_text(memory_limit()),
          " is the limit); delete arrays, donate inputs, or use smaller "
          "shapes"));
}

}  // namespace

void* try_allocate_bytes(size_t bytes) noexcept {
  if (bytes <= kMaxSmall) [[likely]]
    return allocate_small(bytes);
  return allocate_large(bytes);
}

void* allocate_bytes(size_t bytes) {
  void* p = try_allocate_bytes(bytes);
  if (!p) [[unlikely]]
    out_of_memory(bytes);
  return p;
}

void free_bytes(void* p, size_t bytes) noexcept {
  if (!p) return;
  if (bytes <= kMaxSmall) [[likely]]
    return free_small(p, bytes);
  free_large(p, bytes);
}

MemoryStats memory_stats() noexcept {
  MemoryStats s;
  {
    SmallHeap& h = small_heap();
    std::lock_guard lock(h.mutex);
    s.allocations = h.allocations;
    s.frees = h.frees;
    s.bytes_in_use = h.in_use;
    for (ThreadCache* c = h.caches; c; c = c->next) {
      s.allocations += c->allocations.value.load(std::memory_order_relaxed);
      s.frees += c->frees.value.load(std::memory_order_relaxed);
      s.bytes_in_use += c->in_use.value.load(std::memory_order_relaxed);
    }
  }
  LargeHeap& h = large_heap();
  std::lock_guard lock(h.mutex);
  s.allocations += h.allocations;
  s.frees += h.frees;
  s.bytes_in_use += h.in_use;
  s.bytes_cached = int64_t(h.cached);
  s.cache_limit = int64_t(h.limit);
  s.peak_bytes = h.peak;
  s.system_allocations = h.system;
  return s;
}

void reset_peak_memory() noexcept {
  LargeHeap& h = large_heap();
  std::lock_guard lock(h.mutex);
  h.peak = h.in_use + h.small_bytes;
}

size_t set_cache_limit(size_t bytes) noexcept {
  LargeHeap& h = large_heap();
  size_t before;
  {
    std::lock_guard lock(h.mutex);
    before = std::exchange(h.limit, bytes);
  }
  trim_memory(bytes);
  return before;
}

void trim_memory(size_t keep) noexcept {
  LargeHeap& h = large_heap();
  FreeBlock* victims;
  {
    std::lock_guard lock(h.mutex);
    victims = evict(h, keep);
  }
  give_back(h, victims);
}

}  // namespace cotan
