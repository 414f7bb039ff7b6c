// The tile schedule: some operand is contiguous along the rows, the stores
// along the lanes. Squares of W x W elements are transposed in registers
// (log2 W levels of shuffles), the body is evaluated row by row.
//
//   for planes, for blocks of 128 rows x 32 lanes, for squares:
//     load W vectors along the rows, transpose
//     for the W rows: body, store
//   rest: masked vectors along the lanes, gathers
#include <llvm/IR/Function.h>
#include <llvm/IR/Intrinsics.h>

#include "backends/cpu/emit_schedules.h"
#include "base/error.h"

namespace cotan::cpu {
namespace {

// With streaming stores this shape moves memory at the speed of a copy.
constexpr int kBlockRows = 128, kBlockLanes = 32;
// Bodies beyond this cost are emitted once, in a loop over the rows.
constexpr float kRolledCost = 12;

class TileEmitter final : public KernelEmitter {
 public:
  TileEmitter(Builder& b, const TargetSpec& target, const Kernel& k,
              const KernelArgs& args)
      : KernelEmitter(b, target, k, args), row_axis_(k.rank() - 2) {
    COTAN_CHECK(k.rank() >= 2);
  }

  void emit() override {
    for (size_t i = 0; i < k_.nodes.size(); ++i) {
      const Node& n = k_.nodes[i];
      if (n.dep == 0) keep_constant(int(i));
      if (transposes(n)) transposed_.push_back(int(i));
      streams_ += n.kind == NodeKind::load && has_lane(int(i));
    }
    for (const Store& s : k_.stores) collect(s.node, 0);
    if (k_.rank() == 2) {
      plane(args_.begin, args_.end);
    } else {
      GridLoop grid;
      grid.begin = args_.begin;
      grid.end = args_.end;
      for (int a = 0; a < k_.grid_axes(); ++a)
        grid.extents.push_back(extent(a));
      grid.coord = &coord_;
      each_grid_point(b_, grid, [&] { plane(i64(0), extent(row_axis_)); });
    }
    if (k_.streaming) store_fence(b_);
  }

 private:
  bool transposes(const Node& n) const {
    return n.kind == NodeKind::load && n.map.guards.empty() &&
           n.map.indirect.empty() &&
           stride_class(n.map.at.stride[size_t(row_axis_)]) ==
               StrideClass::one &&
           stride_class(n.map.at.stride[size_t(k_.lane())]) ==
               StrideClass::other &&
           n.dtype != DType::c128;
  }

  using None = std::vector<llvm::Value*>;
  template <class Body>
  void loop(llvm::Value* lo, llvm::Value* hi, int64_t step, const Body& body) {
    emit_loop(b_, lo, hi, i64(step), {}, [&](llvm::Value* i, None) {
      body(i);
      return None();
    });
  }
  llvm::Value* smaller(llvm::Value* x, llvm::Value* y) {
    return b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, x, y);
  }

  void plane(llvm::Value* lo, llvm::Value* hi) {
    llvm::Value* lanes = extent(k_.lane());
    llvm::Value* rows = b_.CreateSub(hi, lo);
    llvm::Value* row_end =
        b_.CreateAdd(lo, b_.CreateAnd(rows, i64(-int64_t(width_))));
    llvm::Value* lane_end = b_.CreateAnd(lanes, i64(-int64_t(width_)));
    loop(lo, row_end, kBlockRows, [&](llvm::Value* rb) {
      llvm::Value* r_end = smaller(b_.CreateAdd(rb, i64(kBlockRows)), row_end);
      loop(i64(0), lane_end, kBlockLanes, [&](llvm::Value* cb) {
        llvm::Value* c_end =
            smaller(b_.CreateAdd(cb, i64(kBlockLanes)), lane_end);
        loop(rb, r_end, width_, [&](llvm::Value* r) {
          loop(cb, c_end, width_, [&](llvm::Value* c) { square(r, c); });
        });
      });
    });
    rest(lo, hi, row_end, lane_end);
  }

  // Pointer to (row, lane) of a transposed operand.
  llvm::Value* pointer(int id, llvm::Value* row, llvm::Value* lane) {
    const Node& n = k_.nodes[size_t(id)];
    int base = layout_.node[size_t(id)];
    coord_[size_t(row_axis_)] = row;
    llvm::Value* at = affine_base(n.map.at, base, ~lane_bit_);
    at =
        b_.CreateAdd(at, b_.CreateMul(lane, stride(n.map.at, base, k_.lane())));
    return memory_.element(n.dtype, args_.operands[size_t(n.operand)], at);
  }

  void square(llvm::Value* row, llvm::Value* lane) {
    if (streams_ > 1) prefetch(row, lane);
    std::vector<std::vector<Scalar>> tiles;
    for (int id : transposed_) {
      DType t = k_.nodes[size_t(id)].dtype;
      std::vector<Scalar> v;
      for (int q = 0; q < width_; ++q) {
        LaneAddress at{.base = pointer(id, row, b_.CreateAdd(lane, i64(q)))};
        v.push_back(memory_.load(t, at, nullptr));
      }
      tiles.push_back(transposed(e_, std::move(v)));
    }
    if (k_.cost <= kRolledCost) {
      for (int q = 0; q < width_; ++q) {
        std::vector<Scalar> values;
        for (auto& t : tiles) values.push_back(t[size_t(q)]);
        body(b_.CreateAdd(row, i64(q)), lane, nullptr, values);
      }
      return;
    }
    std::vector<llvm::Value*> buffers;
    for (size_t n = 0; n < tiles.size(); ++n) {
      DType t = k_.nodes[size_t(transposed_[n])].dtype;
      buffers.push_back(stack(itemsize(t) * width_ * width_));
      for (int q = 0; q < width_; ++q)
        memory_.store(tiles[n][size_t(q)],
                      {.base = memory_.element(t, buffers[n], i64(q * width_))},
                      nullptr);
    }
    loop(i64(0), i64(width_), 1, [&](llvm::Value* q) {
      std::vector<Scalar> values;
      for (size_t n = 0; n < buffers.size(); ++n) {
        DType t = k_.nodes[size_t(transposed_[n])].dtype;
        LaneAddress at{.base = memory_.element(t, buffers[n],
                                               b_.CreateMul(q, i64(width_)))};
        values.push_back(memory_.load(t, at, nullptr));
      }
      body(b_.CreateAdd(row, q), lane, nullptr, values);
    });
  }

  // One row of W lanes; `known`: values of the transposed loads there.
  void body(llvm::Value* row, llvm::Value* lane, llvm::Value* mask,
            const std::vector<Scalar>& known) {
    coord_[size_t(row_axis_)] = row;
    begin_row();
    Point p = point(lane, mask, 0);
    for (size_t n = 0; n < known.size(); ++n)
      p.memo[size_t(transposed_[n])] = known[n];
    std::vector<Scalar> values;
    for (size_t i = 0; i < k_.stores.size(); ++i) {
      const Store& s = k_.stores[i];
      prepare(s.node, 0);
      if (store_has_lane(s)) prepare_store(s, int(i));
    }
    for (const Store& s : k_.stores)
      values.push_back(has_lane(s.node) ? eval(s.node, p) : row_value(s.node));
    for (size_t i = 0; i < k_.stores.size(); ++i) {
      if (store_has_lane(k_.stores[i]))
        store_lanes(k_.stores[i], int(i), values[i], p);
      else
        store_row(k_.stores[i], int(i));
    }
  }

  // Rows below the squares, and lanes beside them.
  void rest(llvm::Value* lo, llvm::Value* hi, llvm::Value* row_end,
            llvm::Value* lane_end) {
    llvm::Value* lanes = extent(k_.lane());
    llvm::Value* first =
        b_.CreateSelect(b_.CreateICmpEQ(lane_end, lanes), row_end, lo);
    loop(first, hi, 1, [&](llvm::Value* r) {
      llvm::Value* from =
          b_.CreateSelect(b_.CreateICmpSLT(r, row_end), lane_end, i64(0));
      loop(from, lanes, width_, [&](llvm::Value* c) {
        body(r, c, memory_.lanes_below(b_.CreateSub(lanes, c)), {});
      });
    });
  }

  // The next square down, of every operand: two streams of rows defeat the
  // hardware's own prefetching.
  void prefetch(llvm::Value* row, llvm::Value* lane) {
    for (size_t i = 0; i < k_.nodes.size(); ++i) {
      const Node& n = k_.nodes[i];
      if (n.kind != NodeKind::load || !has_lane(int(i)) ||
          !n.map.indirect.empty())
        continue;
      bool across = transposes(n);
      for (int q = 0; q < width_; ++q) {
        llvm::Value* p =
            across ? pointer(int(i), b_.CreateAdd(row, i64(width_)),
                             b_.CreateAdd(lane, i64(q)))
                   : pointer(int(i), b_.CreateAdd(row, i64(width_ + q)), lane);
        b_.CreateIntrinsic(llvm::Intrinsic::prefetch, {b_.getPtrTy()},
                           {p, b_.getInt32(0), b_.getInt32(3), b_.getInt32(1)});
      }
    }
  }

  llvm::Value* stack(int64_t bytes) {
    llvm::BasicBlock& entry = b_.GetInsertBlock()->getParent()->getEntryBlock();
    Builder at(&entry, entry.begin());
    auto* a =
        at.CreateAlloca(llvm::ArrayType::get(b_.getInt8Ty(), uint64_t(bytes)));
    a->setAlignment(llvm::Align(64));
    return a;
  }

  const int row_axis_;
  std::vector<int> transposed_;
  int streams_ = 0;
};

}  // namespace

std::unique_ptr<KernelEmitter> make_tile_emitter(Builder& b,
                                                 const TargetSpec& target,
                                                 const Kernel& k,
                                                 const KernelArgs& args) {
  return std::make_unique<TileEmitter>(b, target, k, args);
}

}  // namespace cotan::cpu
