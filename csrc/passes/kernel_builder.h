// From groups to kernels: nodes are built by walking from what a group stores
// to what it loads; then axes are collapsed and a schedule is chosen.
#pragma once

#include "passes/fusion.h"

namespace cotan {

// The value whose memory v is a part of (reshapes share memory).
int32_t memory_of(const FusionPlan& p, int32_t v);

struct BuiltKernel {
  Ref<Kernel> kernel;                // null: see `stuck`
  SmallVector<int32_t, 6> operands;  // the value in each operand
  int32_t stuck = -1;  // a reduction whose axes do not collapse into one
};
BuiltKernel build_kernel(const FlowGraph& g, FusionPlan& p, int32_t group,
                         const PlanOptions& options);

// A matrix product and its epilogue (null if the product is stored plainly).
struct BuiltGemm {
  Gemm gemm;
  int32_t lhs = -1, rhs = -1;  // values
  int32_t out = -1;            // of the plain store
  BuiltKernel epilogue;
};
BuiltGemm build_gemm(const FlowGraph& g, FusionPlan& p, int32_t group);

// ---- the shape of a kernel (kernel_shape.cpp)

// A kernel while its axes are still those of the group's space.
struct RawKernel {
  Ref<Kernel> kernel;            // axes in the order of `space`
  std::vector<AxisMask> reduce;  // per node: axes it reduces
  std::vector<int32_t> reduce_op;
  Space space;
  AxisMask consumed = 0;  // axes whose reductions the kernel uses
};
// Every affine function of a kernel.
std::vector<Affine*> affine_functions(Kernel& k);
// Merges neighbours along `order` that all functions walk as one; axes of
// different classes stay apart. Axes of extent 1 go. Returns the axes left.
SmallVector<int32_t, 6> collapse(Space& space, std::span<Affine* const> all,
                                 std::vector<AxisMask>& reduce,
                                 std::span<const int32_t> axis_class);
// Puts the axes in this order and drops the others.
void permute(RawKernel& raw, std::span<const int32_t> order);
// Chooses lane axis, schedule, unrolling and the parallel grid. Returns the
// reduction that has several axes, or -1.
int32_t shape_kernel(RawKernel& raw, const PlanOptions& options);
FusedStep make_step(const KernelRef& k);

}  // namespace cotan
