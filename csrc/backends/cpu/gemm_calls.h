// Matrix products of programs: from a Gemm (passes/program.h) to a plan of the
// driver and kernels for it, and the call that runs them. Kernels are kept in
// one table per (types, target); a shape compiles only what is missing there.
#pragma once

#include <memory>

#include "backends/cpu/gemm/gemm_driver.h"
#include "backends/cpu/target.h"
#include "passes/program.h"
#include "runtime/runtime.h"

namespace cotan::cpu {

// A dense copy of an operand, for layouts that the driver does not take.
struct DenseCopy {
  bool needed = false;
  SmallVector<int64_t, 6> extents, strides;  // of the source, in elements
  int64_t item = 0;
  int64_t bytes() const;
  void run(void* to, const void* from) const;
};

struct GemmCall {
  GemmPlan plan;
  GemmKernels kernels;
  bool swapped = false;  // a column became a row: A and B changed places
  int64_t lhs_bytes = 0, rhs_bytes = 0;  // offsets of the operands
  DenseCopy lhs_copy, rhs_copy;
  int64_t ns = 0;
};

// `any_shape`: prefer kernels that exist to the best ones for this shape.
std::unique_ptr<GemmCall> make_gemm_call(const Gemm& g, float work_ns,
                                         const TargetSpec& target,
                                         bool any_shape);

// Returns a Status.
int call_gemm(Runtime* rt, const GemmCall* call, const void* lhs,
              const void* rhs, void* out, void* const* epilogue);

}  // namespace cotan::cpu
