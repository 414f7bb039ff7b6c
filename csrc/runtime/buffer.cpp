#include "runtime/buffer.h"

#include <cstring>
#include <utility>

namespace cotan {
namespace {

constexpr size_t kHeader = sizeof(Buffer);
// Beyond this a buffer's data can be freed or moved by itself.
constexpr size_t kMaxAttached = 4096;

}  // namespace

template <class... Args>
Buffer* Buffer::create(size_t extra, Args&&... args) {
  void* block = allocate_bytes(kHeader + extra);
  return ::new (block) Buffer(std::forward<Args>(args)...);
}

Ref<Buffer> Buffer::allocate(size_t bytes, Device* device) {
  if (bytes <= kMaxAttached && device->is_cpu()) {
    void* block = allocate_bytes(kHeader + bytes);
    auto* b = ::new (block) Buffer(static_cast<char*>(block) + kHeader, bytes,
                                   device, Kind::attached);
    b->block_ = Kind::attached;
    return Ref<Buffer>(b);
  }
  Ref<Buffer> b(create(0, nullptr, bytes, device, Kind::deleted));
  b->data_ = device->allocate(bytes);
  b->kind_ = Kind::owned;
  return b;
}

Ref<Buffer> Buffer::copy_of(const void* host, size_t bytes, Device* device) {
  Ref<Buffer> b = allocate(bytes, device);
  if (bytes) device->copy_from_host(b->data_, host, bytes);
  return b;
}

Ref<Buffer> Buffer::wrap(const void* data, size_t bytes, Deleter deleter,
                         void* owner, Device* device) {
  Buffer* b = create(0, const_cast<void*>(data), bytes, device, Kind::foreign);
  b->deleter_ = deleter;
  b->owner_ = owner;
  return Ref<Buffer>(b);
}

void Buffer::release_data() noexcept {
  Kind kind = std::exchange(kind_, Kind::deleted);
  void* data = std::exchange(data_, nullptr);
  if (kind == Kind::owned) device_->deallocate(data, size_);
  if (kind == Kind::foreign && deleter_) deleter_(owner_);
}

void Buffer::mark_deleted() noexcept { release_data(); }

Ref<Buffer> Buffer::adopt(void* data, size_t bytes, Device* device) {
  return Ref<Buffer>(create(0, data, bytes, device, Kind::owned));
}

Ref<Buffer> Buffer::upload(const Aval& aval, const void* host, Buffer* owner,
                           Device* device) {
  auto bytes = size_t(aval.nbytes());
  if (device->is_cpu()) return copy_of(host, bytes, device);
  return adopt(device->upload(aval, host, owner), bytes, device);
}

Ref<Buffer> Buffer::donate() {
  if (pinned_.load(std::memory_order_relaxed)) return nullptr;
  if (kind_ == Kind::owned) {
    Buffer* b = create(0, data_, size_, device_, Kind::owned);
    data_ = nullptr;
    kind_ = Kind::deleted;
    return Ref<Buffer>(b);
  }
  if (kind_ == Kind::attached) {  // at most 4 KB: a copy is a move
    Ref<Buffer> b = allocate(size_, device_);
    std::memcpy(b->data_, data_, size_);
    release_data();
    return b;
  }
  return nullptr;
}

void Buffer::operator delete(Buffer* b, std::destroying_delete_t) noexcept {
  b->release_data();
  size_t block = kHeader + (b->block_ == Kind::attached ? b->size_ : 0);
  b->~Buffer();
  free_bytes(b, block);
}

}  // namespace cotan
