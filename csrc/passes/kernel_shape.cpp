// The shape of a kernel: which axes walk as one, which is the lane axis, the
// schedule, how far to unroll, what one parallel task is.
#include <algorithm>
#include <cmath>

#include "passes/kernel_builder.h"

namespace cotan {

std::vector<Affine*> affine_functions(Kernel& k) {
  std::vector<Affine*> all;
  auto map = [&](Map& m) {
    all.push_back(&m.at);
    for (Guard& g : m.guards) all.push_back(&g.expr);
  };
  for (Node& n : k.nodes) {
    if (n.kind == NodeKind::load) map(n.map);
    for (Affine& f : n.index) all.push_back(&f);
    for (Guard& g : n.guards) all.push_back(&g.expr);
  }
  for (Store& s : k.stores) map(s.map);
  return all;
}

SmallVector<int32_t, 6> collapse(Space& space, std::span<Affine* const> all,
                                 std::vector<AxisMask>& reduce,
                                 std::span<const int32_t> axis_class) {
  for (Affine* f : all) f->stride.resize(space.extents.size(), 0);
  SmallVector<int32_t, 6> left;
  for (int32_t h : space.order) {
    auto b = size_t(h);
    if (space.extents[b] == 1 && !space.is_ragged(h)) {
      for (Affine* f : all) f->stride[b] = 0;
      for (AxisMask& m : reduce)  // the mask must keep one axis
        if (m >> h & 1 && (m & (m - 1))) m &= ~(AxisMask(1) << h);
      bool reduced = false;
      for (AxisMask m : reduce) reduced |= m >> h & 1;
      if (!reduced) continue;
    }
    if (!left.empty()) {
      auto a = size_t(left.back());
      bool one = !space.is_ragged(h) && !space.is_ragged(left.back()) &&
                 axis_class[a] == axis_class[b];
      for (Affine* f : all)
        one &= f->stride[a] == f->stride[b] * space.extents[b];
      for (AxisMask m : reduce) one &= (m >> a & 1) == (m >> b & 1);
      if (one) {
        space.extents[b] *= space.extents[a];
        for (Affine* f : all) f->stride[a] = 0;
        for (AxisMask& m : reduce) m &= ~(AxisMask(1) << a);
        left.back() = h;
        continue;
      }
    }
    left.push_back(h);
  }
  return left;
}

void permute(RawKernel& raw, std::span<const int32_t> order) {
  Kernel& k = *raw.kernel;
  for (Affine* f : affine_functions(k)) {
    Affine g;
    g.offset = f->offset;
    for (int32_t a : order) g.stride.push_back(coefficient(*f, size_t(a)));
    *f = std::move(g);
  }
  k.axes.clear();
  for (size_t i = 0; i < order.size(); ++i) {
    k.axes.push_back(raw.space.extents[size_t(order[i])]);
    if (order[i] == raw.space.ragged_inner) k.ragged.axis = int8_t(i);
    if (order[i] == raw.space.ragged_outer) k.ragged.outer = int8_t(i);
    for (size_t n = 0; n < raw.reduce.size(); ++n)
      if (raw.reduce[n] >> order[i] & 1) k.nodes[n].axis = int8_t(i);
  }
  if (k.ragged.axis >= 0) k.ragged.total = raw.space.ragged_total;
  // Pieces that fill their axis exactly are not ragged.
  if (k.ragged.axis >= 0 &&
      k.axes[size_t(k.ragged.axis)] * k.axes[size_t(k.ragged.outer)] ==
          k.ragged.total)
    k.ragged = {};
  if (k.axes.empty()) {
    k.axes.push_back(1);
    for (Affine* f : affine_functions(k)) f->stride.push_back(0);
  }
}

namespace {

// Elements of a parallel task: few enough to go round, and runs of memory as
// long as that allows.
constexpr int64_t kChunk = 16 << 10, kLongChunk = 256 << 10;
// Whole lines, for streaming stores.
int64_t chunk_of(int64_t elements) {
  return std::clamp(elements / 64 / 1024 * 1024, kChunk, kLongChunk);
}

constexpr int64_t kInterleavedBlock = 2048;
constexpr int64_t kShortRow = 64;  // lanes of a block kernel
constexpr int64_t kNarrow = 256;   // lanes whose sums stay in registers
constexpr int64_t kSmall = 256;    // elements of a specialised kernel
constexpr float kStraight = 64;    // operations of its straight code

class Shaper {
 public:
  Shaper(RawKernel& raw, const PlanOptions& options)
      : raw_(raw), k_(*raw.kernel), options_(options) {}

  int32_t run() {
    auto all = affine_functions(k_);
    std::vector<int32_t> no_class(raw_.space.extents.size(), 0);
    axes_ = collapse(raw_.space, all, raw_.reduce, no_class);
    for (size_t i = 0; i < raw_.reduce.size(); ++i) {
      AxisMask m = raw_.reduce[i];
      if (m == 0) continue;
      if (m & (m - 1)) return int32_t(i);
      reduced_ |= m;
    }
    choose();
    permute(raw_, order_);
    block_lanes();
    finish();
    return -1;
  }

 private:
  int64_t extent(int32_t a) const { return raw_.space.extents[size_t(a)]; }

  // Relative time of a loop whose lanes run along `lane`.
  double lane_cost(int32_t lane) const {
    auto step = [&](const Map& m) {
      int64_t s = coefficient(m.at, size_t(lane));
      return s == 0              ? 0.2
             : s == 1            ? 1.0
             : s == -1           ? 1.5
             : is_interleaved(s) ? 2.0 * double(s)
                                 : 30.0;
    };
    double cost = 0.5;
    for (const Node& n : k_.nodes) {
      if (n.kind == NodeKind::load) cost += step(n.map);
      if (n.kind == NodeKind::compute) cost += 0.5 * n.prim->cost;
    }
    for (const Store& s : k_.stores) cost += 2 * step(s.map);
    double e = double(std::max<int64_t>(extent(lane), 1));
    double vectors = std::ceil(e / 16);
    double fold = reduced_ >> lane & 1 ? 10 : 2;  // per row
    return (cost * vectors + fold) / e;
  }
  int32_t best_lane(AxisMask among) const {
    int32_t best = -1;
    double least = 0;
    for (int32_t a : axes_) {
      if (!(among >> a & 1) || a == raw_.space.ragged_outer) continue;
      double c = lane_cost(a);
      if (best >= 0 && c > least) continue;  // ties: the innermost
      best = a;
      least = c;
    }
    return best;
  }

  bool panel_only(int32_t axis) const {
    for (size_t i = 0; i < k_.nodes.size(); ++i) {
      if (!(raw_.reduce[i] >> axis & 1)) continue;
      const Node& n = k_.nodes[i];
      if (n.monoid == Monoid::argmax || n.monoid == Monoid::argmin ||
          is_half(n.dtype) || stored_twice(int32_t(i)))
        return true;
    }
    return raw_.consumed >> axis & 1;
  }
  // Columns accumulate in the memory of their one store.
  bool stored_twice(int32_t node) const {
    int stores = 0;
    for (const Store& s : k_.stores) stores += s.node == node;
    return stores != 1;
  }

  void choose() {
    AxisMask all = 0;
    for (int32_t a : axes_) all |= AxisMask(1) << a;
    if (axes_.empty()) return;
    int32_t lane = -1, column = -1;
    const AxisMask kept = all & ~reduced_;
    if (reduced_ == 0) {
      lane = best_lane(all);
      if (lane < 0) lane = axes_.back();
    } else if (reduced_ & (reduced_ - 1)) {  // rows and columns
      lane = axes_.back();
      for (int32_t a : axes_) {
        if (!(reduced_ >> a & 1)) continue;
        if (raw_.consumed >> a & 1) lane = a;
      }
      for (int32_t a : axes_)
        if (a != lane && (reduced_ >> a & 1)) column = a;
    } else {
      int32_t r = best_lane(reduced_);
      if (r < 0)
        for (int32_t a : axes_)
          if (reduced_ >> a & 1) r = a;
      int32_t other = best_lane(kept);
      lane = r;
      if (other >= 0 && lane_cost(other) < lane_cost(r) && rows_allow(r)) {
        lane = other;
        column = r;
        if (panel_only(r) || extent(lane) <= kNarrow)
          k_.schedule = Schedule::panel;
      }
    }
    order_axes(lane, column);
    if (reduced_ == 0) choose_tile(lane);
  }
  // Everything stored varies on all kept axes or is a row value; with lanes
  // along a kept axis nothing else may be stored per reduced index unless
  // the kernel is a panel or nothing is consumed.
  bool rows_allow(int32_t r) const {
    return !(raw_.consumed >> r & 1) || extent(r) <= 2048;
  }

  void order_axes(int32_t lane, int32_t column) {
    for (int32_t a : axes_)
      if (a != lane && a != column && a != raw_.space.ragged_outer)
        order_.push_back(a);
    if (raw_.space.ragged_outer >= 0) order_.push_back(raw_.space.ragged_outer);
    if (column >= 0) order_.push_back(column);
    order_.push_back(lane);
  }

  void choose_tile(int32_t lane) {
    if (axes_.size() < 2 || extent(lane) < 16) return;
    for (const Node& n : k_.nodes) {
      if (n.kind != NodeKind::load) continue;
      int64_t s = coefficient(n.map.at, size_t(lane));
      if ((s >= -1 && s <= 1) || is_interleaved(s)) continue;
      for (int32_t a : axes_) {
        if (a == lane || coefficient(n.map.at, size_t(a)) != 1 ||
            extent(a) < 16 || raw_.space.is_ragged(a))
          continue;
        auto* at = std::find(order_.begin(), order_.end(), a);
        order_.erase(at);
        order_.insert(order_.end() - 1, a);
        k_.schedule = Schedule::tile;
        return;
      }
    }
  }

  // Cuts the lane axis where the grid alone would leave threads idle (panel,
  // few long rows) or rows would not stay in L1 (columns).
  void block_lanes() {
    if (k_.schedule == Schedule::tile || k_.rank() < 2) return;
    const int64_t lanes = k_.axes.back();
    const bool column = has_column();
    if (k_.schedule == Schedule::panel || column) {
      int64_t rows = k_.axes[size_t(k_.rank() - 2)];
      // Blocks of columns only to feed the threads: short runs of memory
      // are half as fast.
      int64_t grid = 1;
      for (int a = 0; a + 2 < k_.rank(); ++a) grid *= k_.axes[size_t(a)];
      int64_t wanted = std::max<int64_t>(1, 8 / std::max<int64_t>(grid, 1));
      int64_t block =
          column ? std::clamp<int64_t>(lanes / wanted / 64 * 64, 512, 4096)
                 : std::max<int64_t>(
                       64, (2 * kChunk / std::max<int64_t>(rows, 1) + 63) / 64 *
                               64);
      if (lane_is_reduced()) return;
      if (lanes >= 2 * block) split_lane(block, 0);
    } else if (!reduced_ && interleaves()) {
      // What lies between the lanes of one pass is written by the next.
      if (lanes >= 2 * kInterleavedBlock) split_lane(kInterleavedBlock, 0);
    } else if (!lane_is_reduced() && !reduced_) {
      int64_t grid = 1;
      for (int a = 0; a + 1 < k_.rank(); ++a) grid *= k_.axes[size_t(a)];
      int64_t chunk = chunk_of(grid * lanes);
      if (grid < 8 && lanes >= 2 * chunk) split_lane(chunk, k_.rank() - 1);
    }
  }
  bool interleaves() const {
    if (k_.axes[size_t(k_.rank() - 2)] > kMaxInterleave) return false;
    for (const Store& s : k_.stores)
      if (is_interleaved(s.map.at.stride.back())) return true;
    return false;
  }
  bool lane_is_reduced() const {
    for (const Node& n : k_.nodes)
      if (n.kind == NodeKind::reduce && n.axis == k_.lane()) return true;
    return false;
  }
  bool has_column() const {
    if (k_.schedule != Schedule::strip) return false;
    for (const Node& n : k_.nodes)
      if (n.kind == NodeKind::reduce && n.axis != k_.lane()) return true;
    return false;
  }
  // The lane axis becomes (blocks at position `at`, block).
  void split_lane(int64_t block, int at) {
    const int64_t lanes = k_.axes.back();
    Ragged ragged = k_.ragged;
    if (lanes % block != 0) {
      if (ragged.axis >= 0) return;
      ragged.total = lanes;
    }
    int64_t blocks = (lanes + block - 1) / block;
    for (Affine* f : affine_functions(k_)) {
      int64_t s = f->stride.back();
      f->stride.insert(f->stride.begin() + at, s * block);
    }
    k_.axes.back() = block;
    k_.axes.insert(k_.axes.begin() + at, blocks);
    for (Node& n : k_.nodes)
      if (n.kind == NodeKind::reduce && n.axis >= at) ++n.axis;
    if (ragged.axis >= 0) {
      ragged.axis = int8_t(ragged.axis + (ragged.axis >= at));
      ragged.outer = int8_t(ragged.outer + (ragged.outer >= at));
    } else if (ragged.total > 0) {
      ragged = {int8_t(k_.lane()), int8_t(at), lanes};
    }
    k_.ragged = ragged;
  }

  void finish() {
    finish_kernel(k_);
    int64_t size = 1;
    for (int64_t e : k_.axes) size *= e;
    if (reduced_)
      k_.unroll = 4;
    else
      k_.unroll = k_.cost <= 40    ? 8
                  : k_.cost <= 80  ? 4
                  : k_.cost <= 150 ? 2
                                   : 1;
    if (!options_.specialise_small) k_.unroll = std::min<uint8_t>(k_.unroll, 4);
    k_.specialised = options_.specialise_small && size <= kSmall &&
                     float((size + 15) / 16) * k_.cost <= kStraight;
    if (short_rows()) k_.schedule = Schedule::block;
    choose_streaming();
  }

  // Rows of a few vectors: with their length compiled in there are no loops,
  // no masks but one, and no idle accumulators. Eager kernels keep one code
  // for all lengths.
  bool short_rows() const {
    return k_.schedule == Schedule::strip && k_.rank() == 2 &&
           lane_is_reduced() && !has_column() && k_.ragged.axis < 0 &&
           k_.axes.back() <= kShortRow && options_.specialise_small &&
           !k_.specialised;
  }

  void choose_streaming() {
    int64_t bytes = 0;
    if (k_.schedule == Schedule::panel || reduced_columns()) return;
    for (const Store& s : k_.stores) {
      const Node& n = k_.nodes[size_t(s.node)];
      if (!(s.dep >> k_.lane() & 1)) continue;
      if (s.map.at.stride.back() != 1 || !s.map.guards.empty()) return;
      int64_t item = itemsize(n.dtype), total = item;
      for (int a = 0; a < k_.rank(); ++a) {
        if (s.dep >> a & 1) total *= k_.axes[size_t(a)];
        if (a != k_.lane() && s.map.at.stride[size_t(a)] * item % 64) return;
      }
      if (s.map.at.offset * item % 64 || !s.map.indirect.empty()) return;
      bytes += total;
    }
    k_.streaming = bytes > options_.llc_bytes / 2;
  }
  bool reduced_columns() const { return has_column(); }

  RawKernel& raw_;
  Kernel& k_;
  const PlanOptions& options_;
  SmallVector<int32_t, 6> axes_, order_;
  AxisMask reduced_ = 0;
};

}  // namespace

int32_t shape_kernel(RawKernel& raw, const PlanOptions& options) {
  return Shaper(raw, options).run();
}

FusedStep make_step(const KernelRef& k) {
  FusedStep s;
  s.kernel = k;
  s.meta = meta_values(*k);
  int64_t size = 1, grid = 1;
  for (int64_t e : k->axes) size *= e;
  for (int a = 0; a < k->grid_axes(); ++a) grid *= k->axes[size_t(a)];
  s.grid = grid;
  s.grain = std::max<int64_t>(
      1,
      chunk_of(size) / std::max<int64_t>(size / std::max<int64_t>(grid, 1), 1));
  if (k->schedule == Schedule::tile && k->rank() == 2)
    s.grain = (s.grain + 127) / 128 * 128;
  // Half a cycle per vector operation, and 10 bytes a nanosecond.
  double bytes = 0;
  auto traffic = [&](AxisMask dep, DType t) {
    double n = double(itemsize(t));
    for (int a = 0; a < k->rank(); ++a)
      if (dep >> a & 1) n *= double(k->axes[size_t(a)]);
    bytes += n;
  };
  for (const Node& n : k->nodes)
    if (n.kind == NodeKind::load) traffic(n.dep, n.dtype);
  for (const Store& st : k->stores) {
    const Node& n = k->nodes[size_t(st.node)];
    traffic(st.dep, n.dtype);
  }
  double ops = double(size) / 16 * double(k->cost) * 0.2;
  s.work_ns = float(std::max(ops, bytes / 10));
  return s;
}

}  // namespace cotan
