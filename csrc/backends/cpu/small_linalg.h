// Batches of small matrices as vector code: one matrix per lane, every step
// of the factorisation or solve one vector operation for all of them. Code is
// kept per (routine, sizes, flags, dtype, target) for the whole process.
#pragma once

#include <span>

#include "backends/cpu/kernel_cache.h"
#include "ir/kernel_attrs.h"

namespace cotan::cpu {

// Function and split of one call; operands of the frame: inputs, then outputs.
// meta[0]: the number of matrices.
struct BatchedLinalg {
  CompiledKernelRef code;  // null: not a case for vector code
  int64_t grid = 0, grain = 1, ns = 0, batch = 0;
  size_t inputs = 0, outputs = 0;
};
BatchedLinalg batched_linalg(std::span<const int64_t> attrs,
                             const TargetSpec& target);

}  // namespace cotan::cpu
