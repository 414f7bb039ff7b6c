// Buffer: counted memory on a device. What an Array holds, and what donation
// moves. A small CPU buffer is one block: header and data side by side.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "base/ref.h"
#include "runtime/device.h"

namespace cotan {

class Buffer final : public RefCounted {
 public:
  // Releases the owner of foreign memory. Called once, from any thread.
  using Deleter = void (*)(void* owner);

  // Uninitialised, 64-byte aligned. Throws Error(memory).
  static Ref<Buffer> allocate(size_t bytes, Device* device = cpu_device());
  // A copy of host memory.
  static Ref<Buffer> copy_of(const void* host, size_t bytes,
                             Device* device = cpu_device());
  // Foreign memory (NumPy, DLPack, a static constant: deleter null). It is
  // never written, so it is never donated.
  static Ref<Buffer> wrap(const void* data, size_t bytes, Deleter deleter,
                          void* owner, Device* device = cpu_device());

  // Takes over memory that `device` frees with deallocate(data, bytes): what
  // devices that make typed arrays (Device::upload) hand out.
  static Ref<Buffer> adopt(void* data, size_t bytes, Device* device);
  // The elements of a host array on a device; `owner`, if any, holds them and
  // may be shared instead of copied.
  static Ref<Buffer> upload(const Aval& aval, const void* host, Buffer* owner,
                            Device* device);

  // A device reads this memory while it likes: it is never donated from now on.
  void pin() noexcept { pinned_.store(true, std::memory_order_relaxed); }

  // Null once deleted.
  void* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  Device* device() const noexcept { return device_; }
  bool is_foreign() const noexcept { return kind_ == Kind::foreign; }

  // Donated or deleted: the memory is gone though references remain. Whoever
  // deletes makes sure that no other thread reads the buffer.
  bool is_deleted() const noexcept { return kind_ == Kind::deleted; }
  void mark_deleted() noexcept;
  // Moves the memory into a new buffer and marks this one deleted. Null when
  // it cannot be written in place: foreign, or deleted already.
  Ref<Buffer> donate();

  // The header may sit in front of the data, so it frees itself.
  static void operator delete(Buffer* b, std::destroying_delete_t) noexcept;

 private:
  // attached: data follows the header in one block of size_ + 64 bytes.
  enum class Kind : uint8_t { attached, owned, foreign, deleted };

  Buffer(void* data, size_t size, Device* device, Kind kind) noexcept
      : data_(data), size_(size), device_(device), kind_(kind) {}
  ~Buffer() override = default;
  template <class... Args>
  static Buffer* create(size_t extra, Args&&... args);
  void release_data() noexcept;

  Kind block_ = Kind::owned;  // attached if the header's block holds data
  void* data_;
  size_t size_;
  Device* device_;
  Deleter deleter_ = nullptr;
  void* owner_ = nullptr;
  Kind kind_;
  std::atomic<bool> pinned_{false};
};
static_assert(sizeof(Buffer) == 64);

}  // namespace cotan
