// FlowGraph: a jaxpr in the terms that fusion thinks in. Values and
// operations by role; every reduction is over one axis of a reshaped operand,
// cut into pieces where it must run in parallel. Built once, in program order.
#pragma once

#include "passes/program.h"

namespace cotan {

struct FlowValue {
  DType dtype = DType::f32;
  Shape shape;
  int32_t op = -1;       // defining operation; -1: input or literal
  int32_t input = -1;    // of the program
  int32_t literal = -1;  // index into FlowGraph::literals
  int64_t size() const { return num_elements(shape); }
  int64_t bytes() const { return size() * itemsize(dtype); }
};

// The longest reduced axis that is walked for a block of columns at a time.
inline constexpr int64_t kPanelRows = 2048;

enum class FlowKind : uint8_t {
  view,
  reinterpret,  // the operand's bytes as another dtype and shape
  bitcast,      // elementwise, between real dtypes of one size
  compute,
  generate,
  reduce,
  concat,
  update,
  dot,
  kernel,
  eval,
  control,
};

struct FlowOp {
  FlowKind kind = FlowKind::compute;
  const Primitive* prim = nullptr;
  Params params;
  SmallVector<int32_t, 3> in;
  SmallVector<int32_t, 1> out;
  View view;  // view, update
  // reduce: in[0] over `axis`; piece > 0: the output keeps the axis, one entry
  // per piece of that many elements.
  Monoid monoid = Monoid::sum;
  int64_t axis = 0;  // also of concat
  int64_t piece = 0;
  Contraction dot;
  KernelSpec spec;
  uint32_t effects = kPure;
  float tree_cost = 0;  // vector operations from memory to the result
  int32_t tree_loads = 0;
};

struct FlowGraph {
  std::vector<FlowValue> values;
  std::vector<Literal> literals;
  std::vector<FlowOp> ops;
  SmallVector<int32_t, 4> outputs;

  const FlowOp* def(int32_t value) const {
    int32_t op = values[size_t(value)].op;
    return op < 0 ? nullptr : &ops[size_t(op)];
  }
};

FlowGraph build_flow(const Jaxpr& j);

// Vector operations of one operation alone.
inline float own_cost(const FlowOp& op) {
  bool moves = op.kind == FlowKind::view || op.kind == FlowKind::bitcast ||
               op.kind == FlowKind::reinterpret;
  return op.prim && !moves ? op.prim->cost : 0;
}

// What a dot reads as operand `side` (0, 1): the memory of `base`, with an
// element stride per dimension of the operand. Looks through views that keep
// the contracted dimensions one run; base -1: they are not one to begin with.
struct DotOperand {
  int32_t base = -1;
  Dims stride;
  int64_t offset = 0;
};
DotOperand dot_operand(const FlowGraph& g, const FlowOp& dot, int side);

// Accumulation dtype: f32 for 16-bit floats.
inline DType accumulator(DType t) { return is_half(t) ? DType::f32 : t; }

}  // namespace cotan
