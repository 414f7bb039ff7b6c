// How the allocator rounds sizes. Small classes are served from thread-local
// lists, carved ones from 16 MB regions, mapped ones are mappings of their own.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace cotan::size_class {

// Small: 64-byte steps to 1 KB, then four per doubling plus a line. The line
// lets a 64-byte header and a power-of-two payload share a block, and keeps
// equal arrays from all starting at the same offset in a page.
inline constexpr size_t kMaxSmall = (size_t(32) << 10) + 64;
inline constexpr int kSmallClasses = 36;

constexpr int small_of(size_t bytes) noexcept {
  if (bytes <= 1024) return bytes == 0 ? 0 : int((bytes - 1) / 64);
  size_t s = bytes <= 1088 ? 1024 : bytes - 65;
  int log = std::bit_width(s) - 1;
  return 16 + (log - 10) * 4 + int((s >> (log - 2)) & 3);
}
constexpr size_t small_size(int c) noexcept {
  if (c < 16) return size_t(c + 1) * 64;
  int log = 10 + (c - 16) / 4, step = (c - 16) % 4 + 1;
  return (size_t(1) << log) + (size_t(step) << (log - 2)) + 64;
}

// Large: eight per doubling from 32 KB.
inline constexpr int kFirstLargeLog = 15;
inline constexpr int kLargeClasses = 8 * (47 - kFirstLargeLog);
inline constexpr size_t kMaxLarge = size_t(1) << 46;
inline constexpr size_t kMaxCarved = size_t(4) << 20;

constexpr int large_of(size_t bytes) noexcept {
  size_t s =
      (bytes < (size_t(1) << kFirstLargeLog) + 1 ? (size_t(1) << kFirstLargeLog)
                                                 : bytes - 1);
  int log = std::bit_width(s) - 1;
  return (log - kFirstLargeLog) * 8 + int((s >> (log - 3)) & 7);
}
constexpr size_t large_size(int c) noexcept {
  int log = kFirstLargeLog + c / 8, step = c % 8 + 1;
  return (size_t(1) << log) + (size_t(step) << (log - 3));
}

static_assert(small_size(kSmallClasses - 1) == kMaxSmall);
static_assert(small_of(kMaxSmall) == kSmallClasses - 1);
static_assert(small_of(1024) == 15 && small_of(1025) == 16);
static_assert(small_size(small_of(4096 + 64)) == 4096 + 64);
static_assert(large_size(large_of(size_t(16) << 20)) == size_t(16) << 20);

}  // namespace cotan::size_class
