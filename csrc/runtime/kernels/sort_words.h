// Sorting arrays of unsigned words: what every sort is reduced to. Equal words
// are indistinguishable, so the result is one and the same whatever the
// algorithm, the instruction set and the number of threads.
#pragma once

#include <cstdint>

#include "runtime/runtime.h"

namespace cotan {

// Ascending. `tmp` has room for n words (may be used, may not).
void sort_words(uint32_t* data, uint32_t* tmp, int64_t n) noexcept;
void sort_words(uint64_t* data, uint64_t* tmp, int64_t n) noexcept;

// The same on the pool; worth it from about 64K words.
void sort_words(Runtime* rt, uint32_t* data, uint32_t* tmp, int64_t n) noexcept;
void sort_words(Runtime* rt, uint64_t* data, uint64_t* tmp, int64_t n) noexcept;

namespace avx512 {

// COTAN_AVX512=0 turns it off, for tests and comparisons.
bool supported() noexcept;
void sort(uint32_t* data, int64_t n) noexcept;
void sort(uint64_t* data, int64_t n) noexcept;
// Moves words below a pivot of its choice to the front; returns how many.
// 0 < result < n unless all words are equal (then 0). n >= 1024.
int64_t partition(uint32_t* data, int64_t n) noexcept;
int64_t partition(uint64_t* data, int64_t n) noexcept;

}  // namespace avx512
}  // namespace cotan
