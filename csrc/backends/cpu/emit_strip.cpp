// The strip schedule: rows. A loop over the grid, per row one loop over lanes
// for each stage; row reductions fold at the end of their stage, column
// reductions accumulate into their store's row.
//
//   for i in grid:                          coordinates by an odometer
//     column stores: row = identity
//     for rows of the column axes:
//       for stage s:
//         row values that are ready         (splatted, before the lane loop)
//         for lanes: bodies of reductions fed at s, stores of stage s
//         fold -> row values of stage s + 1
//       row stores
#include <llvm/IR/Function.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/MDBuilder.h>

#include <algorithm>

#include "backends/cpu/emit_schedules.h"
#include "backends/cpu/target.h"
#include "base/error.h"

namespace cotan::cpu {
namespace {

// Static lane loops up to this many vector bodies become straight code.
constexpr int64_t kStraightVectors = 16;

class StripEmitter final : public KernelEmitter {
 public:
  using KernelEmitter::KernelEmitter;

  void emit() override {
    classify();
    constant_values();
    if (lanes_are_grid()) {
      row(args_.begin, args_.end);
      finish_stores();
      return;
    }
    each_grid_point(b_, *this_grid(), [&] {
      init_columns();
      nest(grid_axes_, [&] { full_row(); });
    });
    finish_stores();
  }

 private:
  struct Sink {  // a row reduction
    int node;
    int parts;  // accumulators' vectors in one vector of the kernel: 1 or 2
    int lanes;  // of an accumulator
  };

  bool lanes_are_grid() const { return k_.rank() == 1 && grid_axes_ == 1; }

  void classify() {
    classify_nodes();
    for (auto& sinks : sinks_)
      std::stable_sort(
          sinks.begin(), sinks.end(),
          [](const Sink& a, const Sink& b) { return a.lanes > b.lanes; });
    for (int s = 0; s < stages_; ++s) {
      for (const Sink& r : sinks_[size_t(s)])
        collect(k_.nodes[size_t(r.node)].in[0], s);
      for (int i : lane_stores_[size_t(s)]) collect(source(i), s);
    }
  }
  void classify_nodes() {
    grid_axes_ = k_.grid_axes();
    stages_ = k_.stages;
    for (const Store& s : k_.stores)  // a row value stored to every lane
      if (store_has_lane(s))
        stages_ = std::max(stages_, k_.nodes[size_t(s.node)].stage + 1);
    sinks_.resize(size_t(stages_));
    for (size_t i = 0; i < k_.nodes.size(); ++i) {
      const Node& n = k_.nodes[i];
      if (n.kind != NodeKind::reduce) continue;
      const Node& in = k_.nodes[size_t(n.in[0])];
      if (n.axis != k_.lane()) continue;  // a column, see stores
      int lanes = std::min(itemsize(in.dtype) >= 8 ? 8 : 16, width_);
      sinks_[in.stage].push_back({int(i), width_ / lanes, lanes});
    }
    lane_stores_.resize(size_t(stages_));
    for (size_t i = 0; i < k_.stores.size(); ++i) {
      const Store& s = k_.stores[i];
      const Node& n = k_.nodes[size_t(s.node)];
      if (is_column(int(i))) {
        columns_.push_back(int(i));
        if (store_has_lane(s))
          lane_stores_[k_.nodes[size_t(n.in[0])].stage].push_back(int(i));
        else
          row_stores_.push_back(int(i));
      } else if (store_has_lane(s)) {
        lane_stores_[n.stage].push_back(int(i));
      } else {
        row_stores_.push_back(int(i));
      }
    }
  }
  bool is_column(int store) const {
    const Node& n = k_.nodes[size_t(k_.stores[size_t(store)].node)];
    return n.kind == NodeKind::reduce && n.axis != k_.lane();
  }
  // The node that is evaluated per lane for a store.
  int source(int store) const {
    int node = k_.stores[size_t(store)].node;
    return is_column(store) ? k_.nodes[size_t(node)].in[0] : node;
  }

  GridLoop* this_grid() {
    grid_.begin = args_.begin;
    grid_.end = args_.end;
    for (int a = 0; a < grid_axes_; ++a) grid_.extents.push_back(extent(a));
    grid_.coord = &coord_;
    return &grid_;
  }

  // Axes [from, lane) as sequential loops.
  template <class Body>
  void nest(int from, const Body& body) {
    if (from == k_.lane()) {
      body();
      return;
    }
    emit_loop(b_, i64(0), extent_here(from), i64(1), {},
              [&](llvm::Value* i, std::vector<llvm::Value*>) {
                coord_[size_t(from)] = i;
                nest(from + 1, body);
                return std::vector<llvm::Value*>();
              });
  }

  // Axes of `over` in [from, lane) as loops; the others stay at 0.
  template <class Body>
  void nest_over(AxisMask over, int from, const Body& body) {
    if (from == k_.lane()) {
      body();
      return;
    }
    coord_[size_t(from)] = i64(0);
    if (!(over >> from & 1)) {
      nest_over(over, from + 1, body);
      return;
    }
    emit_loop(b_, i64(0), extent_here(from), i64(1), {},
              [&](llvm::Value* i, std::vector<llvm::Value*>) {
                coord_[size_t(from)] = i;
                nest_over(over, from + 1, body);
                return std::vector<llvm::Value*>();
              });
  }
  void init_columns() {
    for (int i : columns_) {
      const Store& s = k_.stores[size_t(i)];
      const Node& n = k_.nodes[size_t(s.node)];
      nest_over(n.dep, grid_axes_, [&] {
        begin_row();
        prepare_store(s, i);
        Scalar zero = e_.round_half(identity(n).value, n.dtype);
        if (!store_has_lane(s)) {
          set_row_value(s.node, zero);
          store_row(s, i);
          return;
        }
        lane_loop(i64(0), extent_here(k_.lane()), 1, {},
                  [&](Point& p, int, std::vector<llvm::Value*> v) {
                    store_lanes(s, i, zero, p);
                    return v;
                  });
      });
    }
  }
  // A column reduction of row values: one element per row.
  void accumulate_row(int i) {
    const Store& s = k_.stores[size_t(i)];
    prepare_store(s, i);
    Point p = point(i64(0), nullptr, 0);
    set_row_value(s.node, accumulate_column(i, row_value(source(i)), p));
    store_row(s, i);
  }

  void full_row() { row(i64(0), extent_here(k_.lane())); }

  void row(llvm::Value* lo, llvm::Value* hi) {
    begin_row();
    for (int s = 0; s < stages_; ++s) {
      stage_ = s;
      const auto& sinks = sinks_[size_t(s)];
      const auto& stores = lane_stores_[size_t(s)];
      for (const Sink& r : sinks) prepare(k_.nodes[size_t(r.node)].in[0], s);
      for (int i : stores) {
        prepare(source(i), s);
        prepare_store(k_.stores[size_t(i)], i);
      }
      if (sinks.empty() && stores.empty()) continue;
      if (sinks.empty()) {
        body_loop(lo, hi, {});
        continue;
      }
      std::vector<Accumulator> folded = reduce_row(lo, hi, sinks);
      for (size_t r = 0; r < sinks.size(); ++r) {
        const Node& n = k_.nodes[size_t(sinks[r].node)];
        set_row_value(sinks[r].node, finish(n, folded[r]));
      }
    }
    for (int i : row_stores_)
      if (is_column(i))
        accumulate_row(i);
      else
        store_row(k_.stores[size_t(i)], i);
  }

  void finish_stores() {
    if (k_.streaming) store_fence(b_);
  }

  // Values that no row changes.
  void constant_values() {
    for (size_t i = 0; i < k_.nodes.size(); ++i) {
      const Node& n = k_.nodes[i];
      if (n.dep == 0 && n.stage == 0 && n.kind != NodeKind::reduce)
        keep_constant(int(i));
    }
  }

  // ---- the lane loop: body(point, vector number in step, values)
  template <class Body>
  std::vector<llvm::Value*> lane_loop(llvm::Value* lo, llvm::Value* hi,
                                      int unroll,
                                      std::vector<llvm::Value*> carried,
                                      const Body& body) {
    auto* clo = llvm::dyn_cast<llvm::ConstantInt>(lo);
    auto* chi = llvm::dyn_cast<llvm::ConstantInt>(hi);
    if (clo && chi) {
      int64_t n = chi->getSExtValue() - clo->getSExtValue();
      int64_t whole = n / width_, vectors = (n + width_ - 1) / width_;
      if (vectors <= kStraightVectors) {
        for (int64_t v = 0; v < vectors; ++v) {
          llvm::Value* at = i64(clo->getSExtValue() + v * width_);
          llvm::Value* mask =
              v < whole ? nullptr
                        : memory_.lanes_below(i64(n - whole * width_));
          Point p = point(at, mask, stage_);
          bool in_step = v < n / (unroll * width_) * unroll;
          carried = body(p, in_step ? int(v % unroll) : -1, carried);
          flush(p);
        }
        return carried;
      }
    }
    int64_t step = int64_t(unroll) * width_;
    llvm::Value* count = b_.CreateSub(hi, lo);
    llvm::Value* main =
        b_.CreateAdd(lo, b_.CreateSub(count, b_.CreateURem(count, i64(step))));
    if ((step & (step - 1)) == 0)
      main = b_.CreateAdd(lo, b_.CreateAnd(count, i64(-step)));
    carried =
        emit_loop(b_, lo, main, i64(step), carried,
                  [&](llvm::Value* c, std::vector<llvm::Value*> v) {
                    std::vector<Point> points;
                    for (int u = 0; u < unroll; ++u)
                      points.push_back(point(b_.CreateAdd(c, i64(u * width_)),
                                             nullptr, stage_));
                    // Results wait in registers so that loads need not stay
                    // behind stores of other lanes, which the compiler cannot
                    // tell apart.
                    int batch = e_.target().vector_registers >= 32 ? 4 : 2;
                    for (int u = 0; u < unroll; ++u) {
                      v = body(points[size_t(u)], u, v);
                      if ((u + 1) % batch == 0 || u + 1 == unroll)
                        for (int w = u / batch * batch; w <= u; ++w)
                          flush(points[size_t(w)]);
                    }
                    return v;
                  });
    return emit_loop(b_, main, hi, i64(width_), carried,
                     [&](llvm::Value* c, std::vector<llvm::Value*> v) {
                       Point p = point(
                           c, memory_.lanes_below(b_.CreateSub(hi, c)), stage_);
                       v = body(p, -1, v);
                       flush(p);
                       return v;
                     });
  }

  // Stores of a point are evaluated before any is written.
  void evaluate_stores(Point& p) {
    for (int i : lane_stores_[size_t(stage_)]) {
      Scalar v = eval(source(i), p);
      if (is_column(i)) v = accumulate_column(i, v, p);
      pending_[&p].push_back({i, v});
    }
  }
  void flush(Point& p) {
    auto it = pending_.find(&p);
    if (it == pending_.end()) return;
    for (auto& [i, v] : it->second) store_lanes(k_.stores[size_t(i)], i, v, p);
    pending_.erase(it);
  }
  Scalar accumulate_column(int i, Scalar v, Point& p) {
    const Store& s = k_.stores[size_t(i)];
    const Node& n = k_.nodes[size_t(s.node)];
    Accumulator acc{
        store_has_lane(s) ? load_stored(s, i, p) : load_stored_row(s, i), {}};
    if (is_half(acc.value.dtype)) acc.value = e_.convert(acc.value, DType::f32);
    Accumulator r = combine(n, acc, widen(n, v, {}));
    return e_.round_half(r.value, n.dtype);
  }

  void body_loop(llvm::Value* lo, llvm::Value* hi,
                 std::vector<llvm::Value*> carried) {
    lane_loop(lo, hi, k_.unroll, std::move(carried),
              [&](Point& p, int, std::vector<llvm::Value*> v) {
                evaluate_stores(p);
                return v;
              });
  }

  // ---- row reductions: 4 accumulators each, of `lanes` lanes; tails go to
  // the first, so a row that is known to be a tail needs no other.
  static constexpr int kAccumulators = 4;
  int accumulators(const Sink& r) const {
    int64_t n = known_extent(k_.lane());
    return n >= 0 && n < kAccumulators * r.lanes ? 1 : kAccumulators;
  }

  Scalar part_of(Scalar s, const Sink& r, int part) {
    if (r.parts == 1 || !s.v) return s;
    llvm::SmallVector<int, 16> pick;
    for (int l = 0; l < r.lanes; ++l) pick.push_back(part * r.lanes + l);
    auto cut = [&](llvm::Value* v) {
      return v ? b_.CreateShuffleVector(v, pick) : nullptr;
    };
    return make_scalar(s.dtype, cut(value_of(s)), cut(imag_of(s)));
  }

  // carried: per sink 4 accumulators in order.
  std::vector<llvm::Value*> feed(const std::vector<Sink>& sinks, Point& p,
                                 int u, const std::vector<llvm::Value*>& v) {
    std::vector<llvm::Value*> out;
    size_t at = 0;
    for (const Sink& r : sinks) {
      const Node& n = k_.nodes[size_t(r.node)];
      std::vector<Accumulator> acc;
      for (int a = 0; a < accumulators(r); ++a) acc.push_back(like(n, v, at));
      Scalar value = eval(n.in[0], p);
      Scalar index;
      if (is_arg(n))
        index = make_scalar(
            DType::i64,
            b_.CreateAdd(e_.splat(p.lane), memory_.lane_iota(b_.getInt64Ty())));
      Accumulator x = widen(n, value, index);
      for (int part = 0; part < r.parts; ++part) {
        int a = u < 0 ? 0 : u * r.parts + part;  // tails feed the first
        e_.set_lanes(r.lanes);
        Accumulator y{part_of(x.value, r, part), part_of(x.index, r, part)};
        Accumulator sum = combine(n, acc[size_t(a)], y);
        if (p.mask) {
          Scalar m = part_of(make_scalar(DType::bool_, p.mask), r, part);
          sum = select(value_of(m), sum, acc[size_t(a)]);
        }
        e_.set_lanes(width_);
        acc[size_t(a)] = sum;
      }
      for (const Accumulator& a : acc)
        for (llvm::Value* w : values_of(a)) out.push_back(w);
    }
    return out;
  }
  using KernelEmitter::values_of;
  static llvm::Value* value_of(Scalar s) { return cotan::cpu::value_of(s); }

  std::vector<llvm::Value*> identities(const std::vector<Sink>& sinks) {
    std::vector<llvm::Value*> v;
    for (const Sink& r : sinks) {
      e_.set_lanes(r.lanes);
      Accumulator zero = identity(k_.nodes[size_t(r.node)]);
      e_.set_lanes(width_);
      for (int a = 0; a < accumulators(r); ++a)
        for (llvm::Value* w : values_of(zero)) v.push_back(w);
    }
    return v;
  }

  // Reductions of 32-bit and of 64-bit types step differently, so a kernel
  // with both has two loops.
  std::vector<llvm::Value*> piece(llvm::Value* lo, llvm::Value* hi,
                                  const std::vector<Sink>& sinks) {
    bool stores = true;
    std::vector<llvm::Value*> all;
    for (size_t from = 0; from < sinks.size();) {
      size_t to = from;
      while (to < sinks.size() && sinks[to].lanes == sinks[from].lanes) ++to;
      std::vector<Sink> group(sinks.begin() + int64_t(from),
                              sinks.begin() + int64_t(to));
      std::vector<llvm::Value*> v =
          lane_loop(lo, hi, kAccumulators / group[0].parts, identities(group),
                    [&](Point& p, int u, std::vector<llvm::Value*> x) {
                      x = feed(group, p, u, x);
                      if (stores) evaluate_stores(p);
                      return x;
                    });
      all.insert(all.end(), v.begin(), v.end());
      stores = false;
      from = to;
    }
    return all;
  }

  // Four accumulators to one lane.
  std::vector<Accumulator> fold(const std::vector<Sink>& sinks,
                                const std::vector<llvm::Value*>& v) {
    std::vector<Accumulator> out;
    size_t at = 0;
    for (const Sink& r : sinks) {
      const Node& n = k_.nodes[size_t(r.node)];
      std::vector<Accumulator> acc;
      for (int a = 0; a < accumulators(r); ++a) acc.push_back(like(n, v, at));
      e_.set_lanes(r.lanes);
      for (int half = int(acc.size()) / 2; half; half /= 2)
        for (int a = 0; a < half; ++a)
          acc[size_t(a)] = combine(n, acc[size_t(a)], acc[size_t(a + half)]);
      Accumulator x = acc[0];
      for (int half = r.lanes / 2; half; half /= 2) {
        // The upper half of what is left, in narrower vectors.
        llvm::SmallVector<int, 16> low, high;
        for (int l = 0; l < half; ++l) {
          low.push_back(l);
          high.push_back(l + half);
        }
        e_.set_lanes(half);
        x = combine(n, cut(x, low), cut(x, high));
      }
      e_.set_lanes(width_);
      out.push_back(x);  // one lane: <1 x t> or plain, see cut
    }
    return out;
  }
  Scalar cut(Scalar s, llvm::ArrayRef<int> lanes) {
    if (!s.v) return s;
    auto pick = [&](llvm::Value* v) -> llvm::Value* {
      if (!v) return nullptr;
      if (lanes.size() == 1)
        return b_.CreateExtractElement(v, uint64_t(lanes[0]));
      return b_.CreateShuffleVector(v, lanes);
    };
    return make_scalar(s.dtype, pick(value_of(s)), pick(imag_of(s)));
  }
  Accumulator cut(const Accumulator& a, llvm::ArrayRef<int> lanes) {
    return {cut(a.value, lanes), cut(a.index, lanes)};
  }
  Accumulator splat_all(const Accumulator& a) {
    return {e_.splat(a.value), a.index.v ? e_.splat(a.index) : Scalar{}};
  }

  // The whole row, in pieces of kRowPiece if it is longer.
  std::vector<Accumulator> reduce_row(llvm::Value* lo, llvm::Value* hi,
                                      const std::vector<Sink>& sinks) {
    int64_t known = known_extent(k_.lane());
    std::vector<Accumulator> out;
    if (known >= 0 && known <= kRowPiece) {
      out = fold(sinks, piece(lo, hi, sinks));
    } else {
      out = reduce_pieces(lo, hi, sinks);
    }
    for (Accumulator& a : out) a = splat_all(a);
    return out;
  }

  // Partial result j of a long row is element j of a row of partials, kept in
  // memory: slot (j mod 64) accumulates, as (j / W) mod 4 and lane j mod W do.
  std::vector<Accumulator> reduce_pieces(llvm::Value* lo, llvm::Value* hi,
                                         const std::vector<Sink>& sinks) {
    struct Partials {
      std::vector<llvm::Value*> memory;  // per value of an accumulator
    };
    std::vector<Partials> partials;
    llvm::Value* is_long =
        b_.CreateICmpSGT(b_.CreateSub(hi, lo), i64(kRowPiece));
    llvm::Function* f = b_.GetInsertBlock()->getParent();
    auto block = [&](const char* name) {
      return llvm::BasicBlock::Create(b_.getContext(), name, f);
    };
    auto *prepare_long = block("long"), *loop = block("piece");
    auto *add = block("add"), *last = block("last"), *done = block("done");
    llvm::BasicBlock* before = b_.GetInsertBlock();
    b_.CreateCondBr(
        is_long, prepare_long, loop,
        llvm::MDBuilder(b_.getContext()).createBranchWeights(1, 99));
    b_.SetInsertPoint(prepare_long);
    for (const Sink& r : sinks) {
      e_.set_lanes(r.lanes);
      Partials mem;
      for (llvm::Value* w : values_of(identity(k_.nodes[size_t(r.node)]))) {
        llvm::Type* t = storable(w->getType());
        llvm::Value* p = stack(llvm::ArrayType::get(t, kAccumulators));
        for (int a = 0; a < kAccumulators; ++a)
          b_.CreateStore(to_storable(w),
                         b_.CreateConstInBoundsGEP1_64(t, p, uint64_t(a)));
        mem.memory.push_back(p);
      }
      e_.set_lanes(width_);
      partials.push_back(mem);
    }
    b_.CreateBr(loop);

    b_.SetInsertPoint(loop);
    auto* at = b_.CreatePHI(b_.getInt64Ty(), 3);
    auto* number = b_.CreatePHI(b_.getInt64Ty(), 3);
    at->addIncoming(lo, before);
    at->addIncoming(lo, prepare_long);
    number->addIncoming(i64(0), before);
    number->addIncoming(i64(0), prepare_long);
    llvm::Value* end = b_.CreateBinaryIntrinsic(
        llvm::Intrinsic::smin, hi, b_.CreateAdd(at, i64(kRowPiece)));
    std::vector<Accumulator> sum = fold(sinks, piece(at, end, sinks));
    llvm::BasicBlock* folded = b_.GetInsertBlock();
    b_.CreateCondBr(is_long, add, done);

    b_.SetInsertPoint(add);
    e_.set_lanes(1);
    for (size_t r = 0; r < sinks.size(); ++r) {
      const Node& n = k_.nodes[size_t(sinks[r].node)];
      llvm::Value* slot =
          b_.CreateAnd(number, i64(kAccumulators * sinks[r].lanes - 1));
      std::vector<llvm::Value*> old, fresh = values_of(sum[r]);
      std::vector<llvm::Value*> address;
      for (size_t v = 0; v < fresh.size(); ++v) {
        llvm::Type* t = storable(fresh[v]->getType());
        address.push_back(b_.CreateInBoundsGEP(t, partials[r].memory[v], slot));
        old.push_back(
            from_storable(b_.CreateLoad(t, address[v]), fresh[v]->getType()));
      }
      size_t pos = 0;
      Accumulator x = combine(n, like(n, old, pos), sum[r]);
      std::vector<llvm::Value*> result = values_of(x);
      for (size_t v = 0; v < result.size(); ++v)
        b_.CreateStore(to_storable(result[v]), address[v]);
    }
    e_.set_lanes(width_);
    at->addIncoming(end, b_.GetInsertBlock());
    number->addIncoming(b_.CreateAdd(number, i64(1)), b_.GetInsertBlock());
    b_.CreateCondBr(b_.CreateICmpSLT(end, hi), loop, last);

    b_.SetInsertPoint(last);
    std::vector<llvm::Value*> all;
    for (size_t r = 0; r < sinks.size(); ++r) {
      e_.set_lanes(sinks[r].lanes);
      std::vector<llvm::Value*> shape =
          values_of(identity(k_.nodes[size_t(sinks[r].node)]));
      for (int a = 0; a < kAccumulators; ++a)
        for (size_t v = 0; v < shape.size(); ++v) {
          llvm::Type* t = storable(shape[v]->getType());
          all.push_back(from_storable(
              b_.CreateLoad(t, b_.CreateConstInBoundsGEP1_64(
                                   t, partials[r].memory[v], uint64_t(a))),
              shape[v]->getType()));
        }
      e_.set_lanes(width_);
    }
    std::vector<Accumulator> total = fold(sinks, all);
    llvm::BasicBlock* totalled = b_.GetInsertBlock();
    b_.CreateBr(done);

    b_.SetInsertPoint(done);
    std::vector<Accumulator> out;
    for (size_t r = 0; r < sinks.size(); ++r) {
      std::vector<llvm::Value*> x = values_of(sum[r]), y = values_of(total[r]);
      for (size_t v = 0; v < x.size(); ++v) {
        auto* phi = b_.CreatePHI(x[v]->getType(), 2);
        phi->addIncoming(x[v], folded);
        phi->addIncoming(y[v], totalled);
        x[v] = phi;
      }
      size_t pos = 0;
      out.push_back(like(k_.nodes[size_t(sinks[r].node)], x, pos));
    }
    return out;
  }
  // i1 is kept in bytes.
  llvm::Type* storable(llvm::Type* t) {
    return t->isIntOrIntVectorTy(1) ? t->getWithNewType(b_.getInt8Ty()) : t;
  }
  llvm::Value* to_storable(llvm::Value* v) {
    llvm::Type* t = storable(v->getType());
    return t == v->getType() ? v : b_.CreateZExt(v, t);
  }
  llvm::Value* from_storable(llvm::Value* v, llvm::Type* t) {
    return t == v->getType() ? v : b_.CreateTrunc(v, t);
  }
  llvm::Value* stack(llvm::Type* t) {
    llvm::BasicBlock& entry = b_.GetInsertBlock()->getParent()->getEntryBlock();
    Builder at(&entry, entry.begin());
    auto* a = at.CreateAlloca(t);
    a->setAlignment(llvm::Align(64));
    return a;
  }

  int grid_axes_ = 0;
  int stages_ = 1;
  int stage_ = 0;
  GridLoop grid_;
  std::vector<std::vector<Sink>> sinks_;       // per stage
  std::vector<std::vector<int>> lane_stores_;  // per stage, columns too
  std::vector<int> columns_, row_stores_;
  std::map<Point*, std::vector<std::pair<int, Scalar>>> pending_;
};

}  // namespace

// Also of the block schedule: the same with sizes known.
std::unique_ptr<KernelEmitter> make_strip_emitter(Builder& b,
                                                  const TargetSpec& target,
                                                  const Kernel& k,
                                                  const KernelArgs& args) {
  return std::make_unique<StripEmitter>(b, target, k, args);
}

}  // namespace cotan::cpu
