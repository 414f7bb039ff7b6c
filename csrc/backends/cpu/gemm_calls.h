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

// An epilogue that the kernels of a product can evaluate on finished tiles:
// one of its stores, `kept`, takes the place of the product's own.
struct FusedEpilogue {
  KernelRef kernel;  // null: none. Axes: batch..., m, n (exchanged if n is 1)
  int kept = 0;
  int32_t operand() const { return store().operand; }
  const Store& store() const { return kernel->stores[size_t(kept)]; }
};
FusedEpilogue fuse_epilogue(const GemmStep& step);

// A matrix of elements of `item` bytes, transposed into one of dense rows or
// out of it; strides in bytes.
struct TransposedCopy {
  bool needed = false;
  GemmPackFn run = nullptr;
  int64_t rows = 0, cols = 0, from_row = 0, to_row = 0;
  int64_t item = 0;
  int64_t bytes() const { return needed ? rows * cols * item : 0; }
  void operator()(void* to, const void* from) const {
    run(to, to_row, from, from_row, rows, cols);
  }
};

struct GemmCall {
  GemmPlan plan;
  GemmKernels kernels;
  bool swapped = false;  // columns became rows: A and B changed places
  TransposedCopy narrow_lhs, narrow_out;  // of A and C then
  // offsets of the operands and the result
  int64_t lhs_bytes = 0, rhs_bytes = 0, out_bytes = 0;
  DenseCopy lhs_copy, rhs_copy;
  int64_t ns = 0;
};

// `any_shape`: prefer kernels that exist to the best ones for this shape.
std::unique_ptr<GemmCall> make_gemm_call(const GemmStep& step,
                                         const FusedEpilogue& epilogue,
                                         const TargetSpec& target,
                                         bool any_shape);

// Returns a Status. out: the product, or the operand of the kept store.
// epilogue: the kernel's meta table, then its operands.
int call_gemm(Runtime* rt, const GemmCall* call, const void* lhs,
              const void* rhs, void* out, void* const* epilogue);

// A product without an epilogue on one thread, and its kernels.
class PlainGemm {
 public:
  explicit PlainGemm(GemmCall call) : call_(std::move(call)) {}
  int64_t scratch_bytes() const;
  void run(const void* a, const void* b, void* c, void* scratch) const;

 private:
  GemmCall call_;
};
PlainGemm plan_plain_gemm(GemmShape shape, GemmTypes types,
                          const TargetSpec& target);

}  // namespace cotan::cpu
