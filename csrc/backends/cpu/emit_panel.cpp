// The panel schedule: columns. The last axis but one is reduced, lanes are
// kept. For each block of lanes one loop over the reduced axis per stage, with
// accumulators in registers; values that cross stages are parked in a panel of
// (reduced extent x 64 lanes).
//
//   for grid, for blocks of 64 lanes (then of one masked vector):
//     for stage s:
//       for r: bodies of reductions fed at s, stores of stage s
//       accumulators -> values of the lanes, for later stages
//     stores of lane values
#include <algorithm>

#include "backends/cpu/emit_schedules.h"
#include "base/error.h"

namespace cotan::cpu {
namespace {

constexpr int kBlock = 64;   // row length of a parked panel, in lanes
constexpr int kVectors = 4;  // of a block of lanes

class PanelEmitter final : public KernelEmitter {
 public:
  PanelEmitter(Builder& b, const TargetSpec& target, const Kernel& k,
               const KernelArgs& args)
      : KernelEmitter(b, target, k, args),
        row_axis_(k.rank() - 2),
        row_bit_(AxisMask(1) << row_axis_) {
    COTAN_CHECK(k.rank() >= 2);
    inner_ = lane_bit_ | row_bit_;
  }

  void emit() override {
    classify();
    for (size_t i = 0; i < k_.nodes.size(); ++i) {
      const Node& n = k_.nodes[i];
      if (n.dep == 0 && n.stage == 0 && n.kind != NodeKind::reduce)
        keep_constant(int(i));
    }
    GridLoop grid;
    grid.begin = args_.begin;
    grid.end = args_.end;
    for (int a = 0; a < k_.grid_axes(); ++a) grid.extents.push_back(extent(a));
    grid.coord = &coord_;
    each_grid_point(b_, grid, [&] { columns(); });
  }

 private:
  bool varies(int id, AxisMask on) const {
    return (k_.nodes[size_t(id)].dep & on) != 0;
  }
  AxisMask store_axes(const Store& s) const {
    AxisMask m = k_.nodes[size_t(s.node)].dep;
    for (int a = 0; a < k_.rank(); ++a)
      if (s.map.at.stride[size_t(a)] != 0) m |= AxisMask(1) << a;
    return m;
  }

  void classify() {
    stages_ = k_.stages;
    for (const Store& s : k_.stores)
      if (store_axes(s) & row_bit_)
        stages_ = std::max(stages_, k_.nodes[size_t(s.node)].stage + 1);
    sinks_.resize(size_t(stages_));
    row_stores_.resize(size_t(stages_));
    for (size_t i = 0; i < k_.nodes.size(); ++i) {
      const Node& n = k_.nodes[i];
      if (n.kind != NodeKind::reduce) continue;
      COTAN_CHECK(n.axis == row_axis_);
      sinks_[k_.nodes[size_t(n.in[0])].stage].push_back(int(i));
    }
    for (size_t i = 0; i < k_.stores.size(); ++i) {
      const Store& s = k_.stores[i];
      if (store_axes(s) & row_bit_)
        row_stores_[k_.nodes[size_t(s.node)].stage].push_back(int(i));
      else
        lane_stores_.push_back(int(i));
    }
    needed_.resize(size_t(stages_) + 1);
    for (int s = 0; s <= stages_; ++s) {
      collecting_ = &needed_[size_t(s)];
      if (s < stages_) {
        for (int r : sinks_[size_t(s)]) walk(k_.nodes[size_t(r)].in[0], s);
        for (int i : row_stores_[size_t(s)]) walk(k_.stores[size_t(i)].node, s);
      } else {
        for (int i : lane_stores_) walk(k_.stores[size_t(i)].node, s);
      }
      std::sort(collecting_->begin(), collecting_->end());
      collecting_->erase(std::unique(collecting_->begin(), collecting_->end()),
                         collecting_->end());
    }
  }
  // collect(), and the nodes that it found new in this stage.
  void walk(int id, int stage) {
    collect(id, stage);
    list(id, stage);
  }
  void list(int id, int stage) {
    auto& found = *collecting_;
    if (std::find(found.begin(), found.end(), id) != found.end()) return;
    const Node& n = k_.nodes[size_t(id)];
    found.push_back(id);
    if (n.kind == NodeKind::reduce) return;
    if (n.parked >= 0 && first_stage_[size_t(id)] < stage) return;
    for (int32_t a : n.in) list(a, stage);
    for (const Indirect& x : n.map.indirect) list(x.node, stage);
  }

  void columns() {
    llvm::Value* lanes = extent_here(k_.lane());
    const int64_t step = kVectors * width_;
    llvm::Value* whole = b_.CreateAnd(lanes, i64(-step));
    auto none = std::vector<llvm::Value*>();
    emit_loop(b_, i64(0), whole, i64(step), {},
              [&](llvm::Value* c, std::vector<llvm::Value*>) {
                block(c, nullptr, kVectors);
                return none;
              });
    emit_loop(b_, whole, lanes, i64(width_), {},
              [&](llvm::Value* c, std::vector<llvm::Value*>) {
                block(c, memory_.lanes_below(b_.CreateSub(lanes, c)), 1);
                return none;
              });
  }

  void block(llvm::Value* lane, llvm::Value* mask, int vectors) {
    first_lane_ = lane;
    // Without rows: values of lanes, and those of the grid alone.
    coord_[size_t(row_axis_)] = i64(0);
    begin_row();
    columns_.clear();
    for (int v = 0; v < vectors; ++v)
      columns_.push_back(point(b_.CreateAdd(lane, i64(v * width_)), mask, 0));
    for (int s = 0; s < stages_; ++s) stage(s);
    lane_values(stages_);
    begin_row(row_bit_);
    for (int i : lane_stores_) {
      const Store& s = k_.stores[size_t(i)];
      if (!store_has_lane(s)) {
        store_row(s, i);
        continue;
      }
      prepare_store(s, i);
      for (Point& p : columns_) store_lanes(s, i, value_at(s.node, p), p);
    }
  }
  Scalar value_at(int id, Point& p) {
    return has_lane(id) ? eval(id, p) : row_value(id);
  }

  // Evaluates what does not change from row to row, before the row loop.
  void lane_values(int s) {
    begin_row(row_bit_);
    for (int id : needed_[size_t(s)]) {
      const Node& n = k_.nodes[size_t(id)];
      if (varies(id, row_bit_) || n.kind == NodeKind::reduce) continue;
      if (!has_lane(id)) {
        row_value(id);
        continue;
      }
      prepare(id, s);
      for (Point& p : columns_) {
        p.stage = s;
        if (!p.memo[size_t(id)].v) p.memo[size_t(id)] = eval_now(id, p);
      }
    }
  }

  void stage(int s) {
    const auto& sinks = sinks_[size_t(s)];
    const auto& stores = row_stores_[size_t(s)];
    if (sinks.empty() && stores.empty()) return;
    lane_values(s);
    std::vector<llvm::Value*> start;
    for (size_t v = 0; v < columns_.size(); ++v)
      for (int r : sinks)
        for (llvm::Value* w : values_of(identity(k_.nodes[size_t(r)])))
          start.push_back(w);
    std::vector<llvm::Value*> end =
        emit_loop(b_, i64(0), extent_here(row_axis_), i64(1), start,
                  [&](llvm::Value* row, std::vector<llvm::Value*> acc) {
                    return one_row(row, s, acc);
                  });
    begin_row(row_bit_);
    coord_[size_t(row_axis_)] = i64(0);
    size_t at = 0;
    for (Point& p : columns_)
      for (int r : sinks) {
        const Node& n = k_.nodes[size_t(r)];
        Scalar value = finish(n, like(n, end, at));
        if (has_lane(r))
          p.memo[size_t(r)] = value;
        else
          set_row_value(r, value);
      }
  }

  std::vector<llvm::Value*> one_row(llvm::Value* row, int s,
                                    const std::vector<llvm::Value*>& acc) {
    const auto& sinks = sinks_[size_t(s)];
    coord_[size_t(row_axis_)] = row;
    begin_row(row_bit_);
    for (int r : sinks) prepare(k_.nodes[size_t(r)].in[0], s);
    for (int i : row_stores_[size_t(s)]) {
      prepare(k_.stores[size_t(i)].node, s);
      prepare_store(k_.stores[size_t(i)], i);
    }
    std::vector<llvm::Value*> next;
    std::vector<std::pair<Point, std::vector<Scalar>>> pending;
    size_t at = 0;
    for (const Point& column : columns_) {
      Point p = column;
      p.stage = s;
      for (int r : sinks) {
        const Node& n = k_.nodes[size_t(r)];
        Accumulator a = like(n, acc, at);
        Scalar x = value_at(n.in[0], p);
        Scalar index;
        if (is_arg(n)) index = make_scalar(DType::i64, e_.splat(row));
        for (llvm::Value* w : values_of(combine(n, a, widen(n, x, index))))
          next.push_back(w);
      }
      std::vector<Scalar> values;
      for (int i : row_stores_[size_t(s)])
        values.push_back(value_at(k_.stores[size_t(i)].node, p));
      pending.emplace_back(std::move(p), std::move(values));
    }
    for (auto& [p, values] : pending)
      for (size_t n = 0; n < values.size(); ++n) {
        int i = row_stores_[size_t(s)][n];
        const Store& store = k_.stores[size_t(i)];
        if (store_has_lane(store))
          store_lanes(store, i, values[n], p);
        else
          store_row(store, i);
      }
    return next;
  }

  llvm::Value* parked_row_size() override {
    return b_.CreateMul(extent(row_axis_), i64(kBlock));
  }
  llvm::Value* parked_index(Point& p) override {
    llvm::Value* row = b_.CreateMul(coord_[size_t(row_axis_)], i64(kBlock));
    return b_.CreateAdd(row, b_.CreateSub(p.lane, first_lane_));
  }

  const int row_axis_;
  const AxisMask row_bit_;
  int stages_ = 1;
  llvm::Value* first_lane_ = nullptr;
  std::vector<std::vector<int>> sinks_, row_stores_;  // per stage
  std::vector<int> lane_stores_;                      // do not vary on rows
  std::vector<std::vector<int>> needed_;              // nodes, per stage
  std::vector<int>* collecting_ = nullptr;
  std::vector<Point> columns_;  // per vector of the block
};

}  // namespace

std::unique_ptr<KernelEmitter> make_panel_emitter(Builder& b,
                                                  const TargetSpec& target,
                                                  const Kernel& k,
                                                  const KernelArgs& args) {
  return std::make_unique<PanelEmitter>(b, target, k, args);
}

}  // namespace cotan::cpu
