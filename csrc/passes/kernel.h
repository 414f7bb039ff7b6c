// Kernel: what fusion produces and backends compile. A DAG of scalar
// operations over one rectangular iteration space; every load and store
// carries an affine map, so views are never operations.
//
// Start with Kernel at the bottom, then Node and Map. meaning(kernel) is
// defined by kernel_interpreter.h, which every backend must agree with.
//
// Sizes, strides, offsets and most literals are run-time values, read from a
// table of int64 per call (MetaLayout says where); only stride classes
// {0, 1, -1, other} are compiled in. Kernels that differ only in run-time
// values are SameCode and share machine code.
#pragma once

#include "ir/primitive.h"

namespace cotan {

using AxisMask = uint32_t;  // bit a: axis a
inline constexpr int kMaxAxes = 30;

// offset + sum over axes of stride[a] * index[a]
struct Affine {
  SmallVector<int64_t, 4> stride;  // one per axis of the kernel
  int64_t offset = 0;
  bool operator==(const Affine&) const = default;
};

// Holds iff lo <= expr < hi.
struct Guard {
  Affine expr;
  int64_t lo = 0, hi = 0;
  bool operator==(const Guard&) const = default;
};

// A run-time index: stride * clamp(value of node, 0, limit) is added to the
// element index. If node's dep is empty the value is one number per call
// (dynamic_slice); without the lane axis it is one per row.
struct Indirect {
  int32_t node = -1;  // an integer node of any width
  int64_t stride = 0;
  int64_t limit = 0;
  bool operator==(const Indirect&) const = default;
};

// Which element of an operand, in elements of its dtype from its start.
// A load whose guards do not all hold touches no memory and gives zero bits.
struct Map {
  Affine at;
  SmallVector<Guard, 1> guards;
  SmallVector<Indirect, 1> indirect;
  bool operator==(const Map&) const = default;
};

enum class NodeKind : uint8_t {
  load,      // operand[map]
  literal,   // a constant
  compute,   // prim->scalar on `in`; rank-0 operands are nodes with dep 0
  generate,  // prim->generate on `index`, one affine function per dimension
  reduce,    // monoid over `axis` of in[0]
  bitcast,   // the bits of in[0] as another real dtype of the same size
  guard,     // all guards hold ? in[0] : in[1]; same dtype
  product,   // epilogues of a gemm only: the matrix product at the axes
};

struct Node {
  NodeKind kind = NodeKind::literal;
  DType dtype = DType::f32;
  SmallVector<int32_t, 3> in;  // nodes, all before this one

  // compute, generate
  const Primitive* prim = nullptr;
  Params params;
  uint8_t out = 0;  // which result of prim; nodes that differ only in this
                    // share one evaluation
  // generate
  SmallVector<Affine, 2> index;  // coordinates in `aval`, as i64
  Aval aval;                     // of the whole generated array
  // load
  int32_t operand = -1;
  Map map;
  // literal
  Literal literal;
  bool baked = false;  // part of the code; else 16 bytes in the meta table
  // guard
  SmallVector<Guard, 1> guards;
  // reduce. Order of combination: see Reductions below. 16-bit floats
  // accumulate in f32 and round once. argmax/argmin: `dtype` is the index's,
  // the index is the coordinate along `axis`, the first extremum wins, a nan
  // is an extremum.
  Monoid monoid = Monoid::sum;
  int8_t axis = -1;

  // ---- derived by finish_kernel()
  AxisMask dep = 0;     // axes that the value varies on: its loop
  uint8_t stage = 0;    // row reductions that must be complete before it
  int16_t parked = -1;  // strip, panel: slot of a value that crosses stages;
                        // -1: evaluate it again where it is needed
  float cost = 0;       // vector operations of the tree below, recomputed
};

// Writes the node's value at every point of the axes in `dep`: those that the
// value or the map varies on (a store of a reduction has stride 0 along the
// reduced axis). With guards: only where they hold. Indirect nodes have dep 0.
struct Store {
  int32_t node = -1;
  int32_t operand = -1;
  Map map;
  AxisMask dep = 0;  // derived by finish_kernel()
};

// One pointer argument. Different operands never overlap where one of them is
// written. An operand that is loaded and stored (in place) has, for every
// load, the map of the store and a stage <= the store's, so each element is
// read before it is written.
struct Operand {
  DType dtype = DType::f32;
  bool read = false, written = false;
  bool operator==(const Operand&) const = default;
};

// Axes run outermost first; the last one is the lane axis.
enum class Schedule : uint8_t {
  // Rows: a loop over the grid (all axes but the last), per row one loop over
  // lanes for each stage. Row reductions (axis == last) fold at the end of
  // their stage. Column reductions (another axis) accumulate into their
  // store's row, which starts at the identity.
  strip,
  // Columns: the reduced axis is the last but one, lanes are kept. For each
  // block of lanes one loop over the reduced axis per stage, accumulators in
  // registers (softmax over axis 0, argmax over axis 0).
  panel,
  // Two contiguous directions: some load has stride 1 along the last axis but
  // one. No reductions. Register transposes.
  tile,
  // As strip, with the extents and strides of all axes but the first compiled
  // in: short rows without loops.
  block,
};
std::string_view enum_name(Schedule s);

// Extent of `axis` at index o of `outer` (which comes before it) is
// min(extent, total - o * extent): an axis cut into pieces, the last shorter.
struct Ragged {
  int8_t axis = -1;  // -1: none
  int8_t outer = -1;
  int64_t total = 0;
  bool operator==(const Ragged&) const = default;
};

// Reductions, the order that fixes the bits. Row: element i goes to
// accumulator (i / W) mod 4, lane i mod W, with W = 16 (8 for 64-bit types,
// complex64 counts as 64-bit); fold accumulators by halving, then lanes by
// halving. Rows longer than kRowPiece: each piece of kRowPiece elements so,
// then the partial results so. Column and panel: in index order; longer than
// kColumnPiece the planner cuts the axis (Ragged) and adds a second kernel.
inline constexpr int64_t kRowPiece = 16384;
inline constexpr int64_t kColumnPiece = 512;

struct Kernel : RefCounted {
  SmallVector<int64_t, 4> axes;  // extents; never empty (a scalar kernel: {1})
  std::vector<Node> nodes;       // in dependency order
  std::vector<Store> stores;
  SmallVector<Operand, 4> operands;
  Schedule schedule = Schedule::strip;
  Ragged ragged;
  uint8_t unroll = 1;  // vectors per step of the lane loop (4 iff it reduces)
  uint8_t stages = 1;  // 1 + the highest stage
  int16_t parked = 0;  // slots of parked rows
  bool streaming = false;    // non-temporal stores; rows are 64-byte aligned
  bool specialised = false;  // small: every run-time value is compiled in
  float cost = 0;            // vector operations per lane vector, all stages
  std::string name;  // for profiles and errors: "mul_add_reduce"; not compared

  int rank() const { return int(axes.size()); }
  int lane() const { return int(axes.size()) - 1; }
  AxisMask lane_bit() const { return AxisMask(1) << lane(); }
  // How many leading axes form the grid: iterations of their flattened range
  // can run in any grouping, in parallel. A pure map over one axis: 1, the
  // lanes themselves. Without a grid (0) the call is one task.
  // strip: all but the lane axis; with a column reduction over axis a, those
  // before a. panel: those before the reduced one. tile: those before the last
  // two, or the rows if there are none. block: axis 0.
  int grid_axes() const;
};
using KernelRef = Ref<const Kernel>;

// ---- run-time values
// meta[extents + a]: extent of axis a. meta[ragged]: the total.
// A Map at base b: b + a the stride of axis a; b + rank the offset; then per
// guard rank strides, offset, lo, hi; then per indirect stride, limit.
// A guard node: its guards in the same form. A generate node: per coordinate
// rank strides and an offset. An unbaked literal: 2 words.
struct MetaLayout {
  explicit MetaLayout(const Kernel& k);
  int extents = 0;
  int ragged = 0;
  std::vector<int> node;   // base of each node's words, -1: none
  std::vector<int> store;  // base of each store's map
  int size = 0;
};
std::vector<int64_t> meta_values(const Kernel& k);

// ---- identity of code
enum class StrideClass : uint8_t { zero, one, minus_one, other };
inline StrideClass stride_class(int64_t s) {
  return s == 0    ? StrideClass::zero
         : s == 1  ? StrideClass::one
         : s == -1 ? StrideClass::minus_one
                   : StrideClass::other;
}
// Lanes this far apart are whole vectors with a shuffle; their stride is part
// of the code.
inline constexpr int64_t kMaxInterleave = 4;
inline bool is_interleaved(int64_t lane_stride) {
  return lane_stride >= 2 && lane_stride <= kMaxInterleave;
}
// Strides, extents, offsets and unbaked literals differ freely unless the
// kernel is specialised (or, for inner axes, block).
bool same_code(const Kernel& a, const Kernel& b);
uint64_t code_hash(const Kernel& k);
struct KernelCodeHash {
  size_t operator()(const KernelRef& k) const { return code_hash(*k); }
};
struct KernelSameCode {
  bool operator()(const KernelRef& a, const KernelRef& b) const {
    return a == b || same_code(*a, *b);
  }
};

// Fills in dep, stage, parked, cost, stages. Called once by whoever builds.
void finish_kernel(Kernel& k);
// Throws an internal error that names the first violated rule.
void check_kernel(const Kernel& k);
// Parked rows of one task in flight, in bytes: each slot holds the lanes of a
// row plus 64 elements (panel: extent of the reduced axis * block of lanes).
int64_t parked_bytes(const Kernel& k);
std::string to_string(const Kernel& k);

}  // namespace cotan
