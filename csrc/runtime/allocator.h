// The caching allocator of result buffers, arenas and kernel scratch.
// Freed memory is kept and handed out again: touching a fresh page costs more
// than the arithmetic on it. Blocks are 64-byte aligned and freed with the
// size they were asked for. Safe from any thread; a block may be freed by
// another thread than the one that allocated it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cotan {

inline constexpr size_t kBufferAlignment = 64;

// Uninitialised memory; bytes may be 0. Throws Error(memory) when the request
// exceeds what the machine or the cgroup can still give.
[[nodiscard]] void* allocate_bytes(size_t bytes);
// The same, null instead of a throw.
[[nodiscard]] void* try_allocate_bytes(size_t bytes) noexcept;
void free_bytes(void* p, size_t bytes) noexcept;

struct MemoryStats {
  int64_t bytes_in_use = 0;  // blocks handed out, rounded to their class
  int64_t peak_bytes = 0;    // small blocks counted by whole batches
  int64_t bytes_cached = 0;  // free large blocks that are kept
  int64_t cache_limit = 0;
  int64_t allocations = 0;  // calls that returned a block, ever
  int64_t frees = 0;
  int64_t system_allocations = 0;  // blocks mapped from the system, ever
};
MemoryStats memory_stats() noexcept;
void reset_peak_memory() noexcept;

// Bound on bytes_cached. Starts as COTAN_CACHE_LIMIT, or a quarter of
// memory_limit(). Returns the bound before.
size_t set_cache_limit(size_t bytes) noexcept;
// Gives cached large blocks back to the system, oldest first, until at most
// `keep` bytes are cached.
void trim_memory(size_t keep = 0) noexcept;

// Scratch that lives as long as a scope.
class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(size_t bytes)
      : data_(allocate_bytes(bytes)), bytes_(bytes) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (data_) free_bytes(data_, bytes_);
  }
  void* data() const noexcept { return data_; }
  template <class T>
  T* as() const noexcept {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace cotan
