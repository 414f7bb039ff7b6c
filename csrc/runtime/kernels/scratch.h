// Temporaries of kernels, from the runtime's caching allocator: fresh pages
// from malloc would cost more than the arithmetic on a block.
#pragma once

#include <algorithm>
#include <new>

#include "runtime/runtime.h"

namespace cotan {

template <class T>
class ScratchBlock {
 public:
  ScratchBlock(Runtime* rt, int64_t n)
      : rt_(rt), bytes_(std::max<size_t>(size_t(n) * sizeof(T), 64)) {
    data_ = static_cast<T*>(rt->allocate(rt, bytes_));
    if (!data_) throw std::bad_alloc();
  }
  ~ScratchBlock() { rt_->deallocate(rt_, data_, bytes_); }
  ScratchBlock(const ScratchBlock&) = delete;
  ScratchBlock& operator=(const ScratchBlock&) = delete;
  T* get() const { return data_; }

 private:
  Runtime* rt_;
  size_t bytes_;
  T* data_;
};

}  // namespace cotan
