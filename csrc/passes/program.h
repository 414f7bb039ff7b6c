// Program: a jaxpr lowered to kernels in a fixed order over planned memory.
// What the CPU backend compiles into one entry function, and what any backend
// can walk. Start with Program at the bottom.
#pragma once

#include <variant>

#include "passes/kernel.h"

namespace cotan {

// A place in memory during one call. Arena buffers are 64-byte aligned, their
// offsets fixed; buffers that are alive at the same time never overlap.
struct PlanBuffer {
  enum Kind : uint8_t { input, output, arena, constant } kind = arena;
  int32_t index = 0;   // of the input, output or constant
  int64_t offset = 0;  // arena: bytes from its start
  DType dtype = DType::f32;
  int64_t bytes = 0;
};
using BufferId = int32_t;

// One call of a fused kernel: operands in the order of Kernel::operands.
struct FusedStep {
  KernelRef kernel;
  SmallVector<BufferId, 4> operands;
  std::vector<int64_t> meta;  // meta_values(*kernel)
  // Parallel split: tasks take `grain` consecutive grid iterations. A function
  // of shapes only. work_ns: estimate of the whole call on one thread.
  int64_t grid = 1, grain = 1;
  float work_ns = 0;
};

// out[batch, i, j] = sum over k of lhs[batch, i, k] * rhs[batch, k, j], with
// element strides; accumulated in f32 for 16-bit floats, else in the dtype.
// The plain store has unit stride along n. With an epilogue the product node
// of that kernel is this sum, and its stores replace the plain one.
struct Gemm {
  DType dtype = DType::f32;      // of lhs and rhs
  DType out_dtype = DType::f32;  // of the product (preferred element type)
  int64_t m = 1, n = 1, k = 1;
  SmallVector<int64_t, 2> batch;  // extents, outermost first
  SmallVector<int64_t, 2> lhs_batch, rhs_batch, out_batch;
  int64_t lhs_m = 0, lhs_k = 0, rhs_k = 0, rhs_n = 0, out_m = 0;
  int64_t lhs_offset = 0, rhs_offset = 0;
};
struct GemmStep {
  Gemm gemm;
  BufferId lhs = -1, rhs = -1;
  BufferId out = -1;  // of the plain store; -1 with an epilogue
  // Axes: batch..., m, n. Null: none.
  KernelRef epilogue;
  SmallVector<BufferId, 4> operands;  // of the epilogue
  std::vector<int64_t> meta;          // of the epilogue
  float work_ns = 0;
};

// A plain C++ kernel of the runtime, by name.
struct RuntimeStep {
  KernelSpec spec;
  SmallVector<BufferId, 4> in, out;
  BufferId scratch = -1;
  bool in_place = false;            // out[i] may be in[i]
  const Primitive* prim = nullptr;  // what it computes
  Params params;
  Avals in_avals, out_avals;
};

// The reference evaluation of one primitive, where nothing else exists.
struct EvalStep {
  const Primitive* prim = nullptr;
  Params params;
  SmallVector<BufferId, 4> in, out;
  Avals in_avals, out_avals;
};

struct CopyStep {
  BufferId from = -1, to = -1;  // of equal size
};

struct Program;
using ProgramRef = Ref<const Program>;

// One of several programs, by the i32 in in[0] (out of range: the last). They
// take the other operands, give the results, and work in the scratch.
struct BranchStep {
  std::vector<ProgramRef> cases;
  SmallVector<BufferId, 4> in, out;
  BufferId scratch = -1;
  float work_ns = 0;  // of the dearest case
};

// A loop. Operands: constants of cond, constants of body, initial carries,
// streams; results: carries, streams. `body` takes constants, carries, a row
// of each stream, then what `prologue` made of the constants.
struct LoopStep {
  ProgramRef prologue, cond, body;  // prologue, cond: may be null
  int64_t trips = -1;               // without cond
  bool reverse = false;
  int32_t cond_consts = 0, consts = 0, carries = 0;
  // A carry has one place if the body writes it in place or not at all, else
  // two, which swap after each iteration.
  struct Carry {
    int64_t bytes = 0;
    int64_t spare = -1;  // offset of the second place in the scratch, or -1
  };
  std::vector<Carry> carry;
  std::vector<int64_t> invariants;   // offsets in the scratch
  int64_t predicate = 0, arena = 0;  // offsets in the scratch
  SmallVector<BufferId, 4> in, out;
  BufferId scratch = -1;
  float work_ns = 0;  // of one iteration
};

using Step = std::variant<FusedStep, GemmStep, RuntimeStep, EvalStep, CopyStep,
                          BranchStep, LoopStep>;

struct PlanOutput {
  Aval aval;
  int32_t alias = -1;     // donated input whose memory it takes over
  int32_t forwards = -1;  // input that it is, unchanged; no memory
};

struct Program : RefCounted {
  Avals inputs;
  std::vector<bool> donated;  // per input: may be overwritten
  // Per donated input: the only output that may take it over. Empty: any.
  std::vector<int32_t> heirs;
  std::vector<PlanOutput> outputs;
  std::vector<Literal> constants;  // rank 0, for steps that want a pointer
  std::vector<PlanBuffer> buffers;
  std::vector<Step> steps;
  int64_t arena_bytes = 0;
};

struct PlanOptions {
  std::vector<bool> donated = {};  // per input of the jaxpr; empty: none
  std::vector<int32_t> heirs = {};
  bool fuse = true;  // false: one kernel per equation
  // Compile sizes in where kernels are tiny. Off for eager programs, which
  // share code between shapes.
  bool specialise_small = true;
  int64_t l1_bytes = 48 << 10, l2_bytes = 1 << 20, llc_bytes = 16 << 20;
  int vector_registers = 32;
};

// The jaxpr is simplified first (passes.h). Throws only for what no pass can
// lower (a primitive without any way to run).
ProgramRef plan_program(const JaxprRef& jaxpr, const PlanOptions& options = {});

std::string to_string(const Program& p);
// Throws an internal error: overlapping live buffers, reads before writes,
// sizes that do not fit.
void check_program(const Program& p);

}  // namespace cotan
