// Chooses the algorithm: AVX-512 quicksort, or insertion and radix sort. On
// the pool, the quicksort is partitioned in rounds until there is a piece for
// everybody; the radix sort is first split by its highest digit.
#include "runtime/kernels/sort_words.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace cotan {
namespace {

constexpr int64_t kInsertion = 32;
constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;

template <class T>
void insertion_sort(T* p, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    T x = p[i];
    int64_t j = i;
    for (; j > 0 && p[j - 1] > x; --j) p[j] = p[j - 1];
    p[j] = x;
  }
}

// LSD radix sort over the digits in which the words differ.
template <class T>
void radix_sort(T* data, T* tmp, int64_t n) {
  constexpr int kPasses = int(sizeof(T)) * 8 / kDigitBits;
  int64_t counts[kPasses][kDigits] = {};
  for (int64_t i = 0; i < n; ++i)
    for (int d = 0; d < kPasses; ++d)
      counts[d][data[i] >> (d * kDigitBits) & (kDigits - 1)]++;
  T *from = data, *to = tmp;
  for (int d = 0; d < kPasses; ++d) {
    int shift = d * kDigitBits;
    if (counts[d][from[0] >> shift & (kDigits - 1)] == n) continue;
    int64_t at[kDigits], sum = 0;
    for (int i = 0; i < kDigits; ++i) {
      at[i] = sum;
      sum += counts[d][i];
    }
    for (int64_t i = 0; i < n; ++i)
      to[at[from[i] >> shift & (kDigits - 1)]++] = from[i];
    std::swap(from, to);
  }
  if (from != data) std::memcpy(data, from, size_t(n) * sizeof(T));
}

template <class T>
void sort_one(T* data, T* tmp, int64_t n) {
  if (n < 2) return;
  if (avx512::supported()) return avx512::sort(data, n);
  if (n <= kInsertion) return insertion_sort(data, n);
  if (n <= 1024) return std::sort(data, data + n);
  radix_sort(data, tmp, n);
}

constexpr int64_t kParallelMin = int64_t(1) << 16;
constexpr int kMaxPieces = 64;

struct Piece {
  int64_t begin, end;
};

// AVX-512: rounds of partitions. Which pieces arise depends on the data only.
template <class T>
void sort_by_partition(Runtime* rt, T* data, int64_t n) {
  Piece pieces[kMaxPieces] = {{0, n}};
  int count = 1;
  int64_t small = std::max<int64_t>(n / 16, 1 << 14);
  for (int round = 0; round < 5 && 2 * count <= kMaxPieces; ++round) {
    int64_t middle[kMaxPieces];
    parallel_chunks(rt, count, n / 4, [&](int64_t i) {
      auto [b, e] = pieces[i];
      middle[i] = e - b <= small ? b : b + avx512::partition(data + b, e - b);
    });
    Piece next[kMaxPieces];
    int m = 0;
    for (int i = 0; i < count; ++i) {
      auto [b, e] = pieces[i];
      if (middle[i] > b) next[m++] = {b, middle[i]};
      next[m++] = {std::max(middle[i], b), e};
    }
    bool split = m > count;
    std::copy(next, next + m, pieces);
    count = m;
    if (!split) break;
  }
  // Long pieces first: a short one fills the gap at the end.
  std::sort(pieces, pieces + count,
            [](Piece a, Piece b) { return a.end - a.begin > b.end - b.begin; });
  parallel_chunks(rt, count, n * 2, [&](int64_t i) {
    avx512::sort(data + pieces[i].begin, pieces[i].end - pieces[i].begin);
  });
}

// Scatters fixed chunks by the highest digit that differs, then sorts each
// bucket by the rest.
template <class T>
void sort_by_bucket(Runtime* rt, T* data, T* tmp, int64_t n) {
  constexpr int kChunks = 16;
  T lo = data[0], hi = data[0];
  for (int64_t i = 1; i < n; ++i) {
    lo = std::min(lo, data[i]);
    hi = std::max(hi, data[i]);
  }
  if (lo == hi) return;
  int shift = std::max(0, int(std::bit_width(T(hi - lo))) - kDigitBits);
  auto digit = [&](T x) { return T(x - lo) >> shift; };
  int64_t counts[kChunks][kDigits] = {}, begin[kDigits + 1];
  int64_t step = (n + kChunks - 1) / kChunks;
  parallel_chunks(rt, kChunks, n, [&](int64_t c) {
    for (int64_t i = c * step; i < std::min(n, (c + 1) * step); ++i)
      counts[c][digit(data[i])]++;
  });
  int64_t sum = 0;
  for (int d = 0; d < kDigits; ++d) {
    begin[d] = sum;
    for (int c = 0; c < kChunks; ++c) sum += std::exchange(counts[c][d], sum);
  }
  begin[kDigits] = n;
  parallel_chunks(rt, kChunks, n * 2, [&](int64_t c) {
    for (int64_t i = c * step; i < std::min(n, (c + 1) * step); ++i)
      tmp[counts[c][digit(data[i])]++] = data[i];
  });
  parallel_chunks(rt, kDigits, n * 4, [&](int64_t d) {
    int64_t b = begin[d], size = begin[d + 1] - b;
    sort_one(tmp + b, data + b, size);
    std::memcpy(data + b, tmp + b, size_t(size) * sizeof(T));
  });
}

template <class T>
void sort_on_pool(Runtime* rt, T* data, T* tmp, int64_t n) {
  // 3 ns a word on one thread.
  if (n < kParallelMin || ThreadPool::in_parallel() ||
      ThreadPool::global().threads() < 2 || rt->max_threads == 1)
    return sort_one(data, tmp, n);
  ThreadPool::Region region;
  if (avx512::supported())
    sort_by_partition(rt, data, n);
  else
    sort_by_bucket(rt, data, tmp, n);
}

}  // namespace

void sort_words(uint32_t* data, uint32_t* tmp, int64_t n) noexcept {
  sort_one(data, tmp, n);
}
void sort_words(uint64_t* data, uint64_t* tmp, int64_t n) noexcept {
  sort_one(data, tmp, n);
}
void sort_words(Runtime* rt, uint32_t* data, uint32_t* tmp,
                int64_t n) noexcept {
  sort_on_pool(rt, data, tmp, n);
}
void sort_words(Runtime* rt, uint64_t* data, uint64_t* tmp,
                int64_t n) noexcept {
  sort_on_pool(rt, data, tmp, n);
}

}  // namespace cotan
