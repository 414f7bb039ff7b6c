// A growable array of trivial elements, the first N inline. Unlike
// SmallVector it hands out uninitialised room and never tests where its
// elements lie: flattening spends its time appending.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>

namespace cotan::pytree {

template <class T, size_t N>
class PodVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  PodVector() noexcept {}
  PodVector(const PodVector&) = delete;
  PodVector& operator=(const PodVector&) = delete;
  ~PodVector() {
    if (data_ != inline_data()) ::operator delete(data_);
  }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* begin() noexcept { return data_; }
  const T* begin() const noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* end() const noexcept { return data_ + size_; }
  T& operator[](size_t i) noexcept { return data_[i]; }
  const T& operator[](size_t i) const noexcept { return data_[i]; }
  T& back() noexcept { return data_[size_ - 1]; }

  void push_back(T value) {
    if (size_ == capacity_) [[unlikely]]
      grow(size_ + 1);
    data_[size_++] = value;
  }
  // n more elements, uninitialised; returns the first.
  T* extend(size_t n) {
    if (size_ + n > capacity_) [[unlikely]]
      grow(size_ + n);
    size_ += n;
    return data_ + size_ - n;
  }
  void append(const T* items, size_t n) {
    if (n) std::memcpy(extend(n), items, n * sizeof(T));
  }
  void shrink(size_t n) noexcept { size_ -= n; }
  void clear() noexcept { size_ = 0; }

 private:
  T* inline_data() noexcept { return reinterpret_cast<T*>(storage_); }
  void grow(size_t n) {
    size_t capacity = n > 2 * capacity_ ? n : 2 * capacity_;
    T* fresh = static_cast<T*>(::operator new(capacity * sizeof(T)));
    std::memcpy(fresh, data_, size_ * sizeof(T));
    if (data_ != inline_data()) ::operator delete(data_);
    data_ = fresh;
    capacity_ = capacity;
  }

  T* data_ = inline_data();
  size_t size_ = 0;
  size_t capacity_ = N;
  alignas(T) std::byte storage_[N * sizeof(T)];
};

}  // namespace cotan::pytree
