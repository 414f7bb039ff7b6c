// KernelEmitter: vector code for one Kernel (passes/kernel.h). The same code
// is emitted as a function of its own, reading run-time values from the meta
// table, or inlined into a program's entry with everything constant.
//
// Here: run-time values, evaluation of nodes at a point, reductions. The
// loops are in emit_strip.cpp, emit_panel.cpp, emit_tile.cpp, emit_block.cpp.
#pragma once

#include <map>
#include <vector>

#include "backends/cpu/vector_memory.h"
#include "passes/kernel.h"

namespace cotan::cpu {

struct KernelArgs {
  std::vector<llvm::Value*> operands;  // ptr each
  llvm::Value* meta = nullptr;         // table; null: `constants`
  std::span<const int64_t> constants;
  llvm::Value* begin = nullptr;  // grid iterations, i64
  llvm::Value* end = nullptr;
  llvm::Value* parked = nullptr;  // ptr, null if there are no slots
  int width = 0;                  // lanes; 0: kernel_width()
};

// A vector's position on the lane axis, and what has been computed there.
struct Point {
  llvm::Value* lane = nullptr;  // i64 index of lane 0
  llvm::Value* mask = nullptr;  // lanes in range; null: all
  int stage = 0;
  std::vector<Scalar> memo;  // per node; v == 0: not yet
};

class KernelEmitter {
 public:
  KernelEmitter(Builder& b, const TargetSpec& target, const Kernel& k,
                const KernelArgs& args);
  virtual ~KernelEmitter() = default;

  // Emits at the builder's position and leaves it behind the kernel.
  virtual void emit() = 0;

 protected:
  // ---- run-time values
  llvm::Value* i64(int64_t v) { return b_.getInt64(uint64_t(v)); }
  llvm::Value* meta(int index);
  llvm::Value* extent(int axis) {
    return fixed(axis) ? i64(k_.axes[size_t(axis)])
                       : meta(layout_.extents + axis);
  }
  // Extent and strides along the axis are part of the code.
  bool fixed(int axis) const {
    return !args_.meta || (k_.schedule == Schedule::block && axis > 0);
  }
  // The extent if it is known while compiling, else -1.
  int64_t known_extent(int axis) const {
    return fixed(axis) && k_.ragged.axis != axis ? k_.axes[size_t(axis)] : -1;
  }
  llvm::Value* stride(const Affine& a, int base, int axis);
  // offset + sum over the axes in `over` of stride * coordinate
  llvm::Value* affine_base(const Affine& a, int base, AxisMask over);
  // The extent at the current coordinates (a ragged axis may be shorter).
  llvm::Value* extent_here(int axis);

  // ---- nodes
  // Walks what evaluation of `id` at `stage` touches; called in stage order,
  // it finds where each parked value is evaluated first.
  void collect(int id, int stage);
  bool has_lane(int id) const { return (k_.nodes[id].dep & lane_bit_) != 0; }
  // Evaluates a node that no coordinate changes, once for the whole kernel.
  void keep_constant(int id);
  // Starts a new row: coordinates changed, row values are forgotten.
  // changed: only values that vary on these axes are forgotten.
  void begin_row(AxisMask changed = ~AxisMask(0));
  // Emits what evaluation of node `id` at a point will need and that does not
  // vary along the lanes: call before the lane loop.
  void prepare(int id, int stage);
  void prepare_store(const Store& s, int index);
  Scalar eval(int id, Point& p);
  // As eval, without a look at memo and parking.
  Scalar eval_now(int id, Point& p) { return eval_fresh(id, p); }
  Scalar row_value(int id);  // of a node without the lane axis
  void set_row_value(int id, Scalar s) { row_[size_t(id)] = s; }
  void store_lanes(const Store& s, int index, Scalar value, Point& p);
  // What a store's operand holds now.
  Scalar load_stored(const Store& s, int index, Point& p);
  Scalar load_stored_row(const Store& s, int index);
  void store_row(const Store& s, int index);  // value without the lane axis
  // A store that has to be written for every lane.
  bool store_has_lane(const Store& s) const;
  Point point(llvm::Value* lane, llvm::Value* mask, int stage);
  // Elements of a parked slot, and the one of a point.
  virtual llvm::Value* parked_row_size();
  virtual llvm::Value* parked_index(Point& p) { return p.lane; }

  // ---- reductions
  struct Accumulator {
    Scalar value;
    Scalar index;  // argmax, argmin only
  };
  DType accumulator_dtype(const Node& n) const;
  bool is_arg(const Node& n) const {
    return n.monoid == Monoid::argmax || n.monoid == Monoid::argmin;
  }
  Accumulator identity(const Node& n);
  // `index` along the reduced axis, i64 of lane 0 (row) or of the row.
  Accumulator combine(const Node& n, const Accumulator& acc,
                      const Accumulator& v);
  Accumulator widen(const Node& n, Scalar value, Scalar index);
  Accumulator select(llvm::Value* mask, const Accumulator& a,
                     const Accumulator& b);
  Scalar finish(const Node& n, const Accumulator& a);  // to the node's dtype
  std::vector<llvm::Value*> values_of(const Accumulator& a) const;
  Accumulator like(const Node& n, const std::vector<llvm::Value*>& v,
                   size_t& at) const;

  Builder& b_;
  const Kernel& k_;
  const KernelArgs& args_;
  const MetaLayout layout_;
  int width_;  // lanes of one vector
  LlvmEmitter e_;
  VectorMemory memory_;
  AxisMask lane_bit_;
  AxisMask inner_;  // axes of the innermost loops: collect() walks these nodes
  std::vector<int> first_stage_;  // in which a node is evaluated; -1: none yet
  std::vector<llvm::Value*> coord_;  // per axis; the lane axis is null

 private:
  struct RowAddress {               // of a load or store, without the lane axis
    llvm::Value* base = nullptr;    // element index
    llvm::Value* stride = nullptr;  // along lanes
    StrideClass lane = StrideClass::zero;
    llvm::Value* pointer = nullptr;  // at lane 0 of the row
  };
  RowAddress row_address(int operand, const Map& m, int base);
  const RowAddress& node_address(int id);
  LaneAddress lane_address(const RowAddress& r, DType t, Point& p, const Map& m,
                           int base);
  llvm::Value* lane_affine(const Affine& a, int base, Point& p);  // i64 lanes
  llvm::Value* guard_mask(std::span<const Guard> guards, int base, Point& p);
  void prepare_unseen(int id, int stage, std::vector<bool>& seen);
  void prepare_guards(std::span<const Guard> guards, int base);
  llvm::Value* and_mask(llvm::Value* a, llvm::Value* b);
  Scalar eval_load(int id, Point& p);
  Scalar eval_compute(int id, Point& p);
  Scalar eval_fresh(int id, Point& p);
  LaneAddress parked_at(const Node& n, Point& p);
  void park(int id, Point& p);  // what later stages will load
  llvm::Value* indirect_offset(const Indirect& in, int base, Scalar index);
  Scalar literal_value(int id);
  int leader(int id) const { return leader_[size_t(id)]; }
  int guards_base(const Map& m, int base) const;

  llvm::Value* parked_slot(int slot);

  std::vector<llvm::Value*> meta_;
  std::vector<llvm::Value*> parked_slots_;
  llvm::Instruction* preamble_end_ = nullptr;
  std::vector<int> collected_;  // last stage that collect() saw it in
  std::vector<int> leader_;     // first node with the same application
  std::vector<Scalar> row_;     // values without lanes, this row
  std::vector<bool> constant_;  // row_ entries that hold for all rows
  std::map<int, RowAddress> node_address_;   // this row, by node
  std::map<int, RowAddress> store_address_;  // this row, by store
  std::map<int, llvm::Value*> row_affine_;   // this row, by meta index
};

// Lanes of the vectors that the kernel is emitted with.
int kernel_width(const Kernel& k, bool specialised);

std::unique_ptr<KernelEmitter> make_kernel_emitter(Builder& b,
                                                   const TargetSpec& target,
                                                   const Kernel& k,
                                                   const KernelArgs& args);
void set_function_attributes(llvm::Function& f, const TargetSpec& target);
// A function of the type KernelFunction.
llvm::Function* emit_kernel_function(llvm::Module& m, const TargetSpec& target,
                                     const Kernel& k, std::string_view name);

}  // namespace cotan::cpu
