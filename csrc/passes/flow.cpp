#include "passes/flow.h"

#include <algorithm>

#include "passes/lowering.h"

namespace cotan {

namespace {

// Fewer rows than this are too few for the threads, so long rows are cut.
constexpr int64_t kFewRows = 4;
constexpr int64_t kManyElements = 256 << 10;
constexpr int64_t kManyColumns = 1024;

bool is_arg(Monoid m) { return m == Monoid::argmax || m == Monoid::argmin; }

class Builder {
 public:
  explicit Builder(const Jaxpr& j) : j_(j) {
    g_.values.reserve(j.avals.size() + 8);
    g_.ops.reserve(j.eqns.size() + 8);
    of_var_.assign(j.avals.size(), -1);
    for (size_t i = 0; i < j.in.size(); ++i) {
      int32_t v = new_value(j.avals[size_t(j.in[i])]);
      g_.values[size_t(v)].input = int32_t(i);
      of_var_[size_t(j.in[i])] = v;
    }
    for (const Eqn& e : j.eqns) equation(e);
    for (Atom a : j.out) g_.outputs.push_back(value(a));
  }
  FlowGraph take() { return std::move(g_); }

 private:
  int32_t new_value(const Aval& a) {
    FlowValue v;
    v.dtype = a.dtype;
    v.shape = a.shape;
    g_.values.push_back(std::move(v));
    return int32_t(g_.values.size() - 1);
  }
  int32_t value(Atom a) {
    COTAN_CHECK(!a.is_none());
    if (a.is_var()) return of_var_[size_t(a.id)];
    const Literal& l = j_.literals[size_t(a.literal_index())];
    int32_t v = new_value(l.aval());
    g_.values[size_t(v)].literal = int32_t(g_.literals.size());
    g_.literals.push_back(l);
    return v;
  }
  // Records an operation with one new result.
  int32_t add(FlowOp op, DType t, Shape shape) {
    int32_t v = new_value({t, false, std::move(shape)});
    g_.values[size_t(v)].op = int32_t(g_.ops.size());
    op.out = {v};
    finish(op);
    g_.ops.push_back(std::move(op));
    return v;
  }
  // Costs of the tree from memory to the result.
  void finish(FlowOp& op) {
    op.tree_cost = own_cost(op);
    op.tree_loads = 0;
    for (int32_t i : op.in) {
      const FlowOp* d = g_.def(i);
      bool fuses =
          d && (d->kind == FlowKind::view || d->kind == FlowKind::bitcast ||
                d->kind == FlowKind::compute || d->kind == FlowKind::generate);
      if (fuses) {
        op.tree_cost += d->tree_cost;
        op.tree_loads += d->tree_loads;
      } else if (!g_.values[size_t(i)].shape.empty()) {
        op.tree_loads += 1;
      }
    }
    op.tree_loads = std::min(op.tree_loads, 1000);
  }

  void equation(const Eqn& e) {
    const Primitive& p = *e.prim;
    Avals in, out;
    SmallVector<int32_t, 3> operands;
    for (Atom a : e.in) {
      in.push_back(j_.aval(a));
      operands.push_back(value(a));
    }
    for (Var v : e.out) out.push_back(j_.avals[size_t(v)]);
    LowerArgs args{e.params, in, out};
    if (p.reduction) {
      of_var_[size_t(e.out[0])] =
          reduction(p.reduction(args), operands[0], out[0]);
      return;
    }
    FlowOp op;
    op.prim = &p;
    op.params = e.params;
    op.in = operands;
    op.effects = p.effects ? p.effects(e.params) : uint32_t(kPure);
    classify(op, args);
    if (op.kind == FlowKind::dot) canonical_dot(op);
    if (op.kind == FlowKind::view && reuse_view(op, e)) return;
    int32_t id = int32_t(g_.ops.size());
    for (size_t i = 0; i < out.size(); ++i) {
      int32_t v = new_value(out[i]);
      g_.values[size_t(v)].op = id;
      op.out.push_back(v);
      of_var_[size_t(e.out[i])] = v;
    }
    finish(op);
    g_.ops.push_back(std::move(op));
  }

  void classify(FlowOp& op, const LowerArgs& args) {
    const Primitive& p = *op.prim;
    if (p.scalar) {
      op.kind = FlowKind::compute;
    } else if (p.view) {
      op.kind = FlowKind::view;
      op.view = p.view({args.params, args.in, args.out[0]});
      DType from = args.in[0].dtype, to = args.out[0].dtype;
      auto plain = [](DType t) { return is_int(t) || is_float(t); };
      if (op.view.reshape && from != to)
        op.kind = plain(from) && plain(to) && itemsize(from) == itemsize(to)
                      ? FlowKind::bitcast
                      : FlowKind::reinterpret;
    } else if (p.generate) {
      op.kind = FlowKind::generate;
    } else if (p.update) {
      op.kind = FlowKind::update;
      op.view = p.update({args.params, args.in, args.out[0]});
    } else if (p.concat) {
      op.kind = FlowKind::concat;
      op.axis = p.concat(args);
    } else if (p.dot && gemm_takes(args.in[0].dtype)) {
      op.kind = FlowKind::dot;
      op.dot = p.dot(args);
    } else if (p.kernel) {
      op.kind = FlowKind::kernel;
      op.spec = p.kernel(args);
    } else if (p.control) {
      op.kind = FlowKind::control;
    } else if (p.eval) {
      op.kind = FlowKind::eval;
    } else {
      throw_not_implemented("primitive '", p.name,
                            "' cannot be compiled: it has none of the slots "
                            "scalar, view, generate, reduction, dot, kernel, "
                            "inlined, expand, eval");
    }
  }

  // A view of the same layout (a reshape to the same shape) is its operand.
  bool reuse_view(const FlowOp& op, const Eqn& e) {
    const Aval& out = j_.avals[size_t(e.out[0])];
    const FlowValue& in = g_.values[size_t(op.in[0])];
    if (!op.view.reshape || in.dtype != out.dtype || in.shape != out.shape)
      return false;
    of_var_[size_t(e.out[0])] = op.in[0];
    return true;
  }

  int32_t reshape(int32_t v, const Shape& shape) {
    if (g_.values[size_t(v)].shape == shape) return v;
    FlowOp op;
    op.kind = FlowKind::view;
    op.in = {v};
    op.view.reshape = true;
    return add(std::move(op), g_.values[size_t(v)].dtype, shape);
  }

  // Each operand's contracted dimensions become one run in the same order: a
  // transposed copy where they are not.
  void canonical_dot(FlowOp& op) {
    for (int side : {0, 1}) {
      if (dot_operand(g_, op, side).base >= 0) continue;
      Axes& contract = side ? op.dot.rhs_contract : op.dot.lhs_contract;
      Axes& batch = side ? op.dot.rhs_batch : op.dot.lhs_batch;
      const FlowValue& v = g_.values[size_t(op.in[size_t(side)])];
      Axes order(batch);
      for (int64_t d = 0; d < int64_t(v.shape.size()); ++d)
        if (std::find(batch.begin(), batch.end(), d) == batch.end() &&
            std::find(contract.begin(), contract.end(), d) == contract.end())
          order.push_back(d);
      order.append(contract.begin(), contract.end());
      FlowOp view;
      view.kind = FlowKind::view;
      view.in = {op.in[size_t(side)]};
      view.view.dims.resize(order.size());
      Shape shape;
      for (size_t i = 0; i < order.size(); ++i) {
        view.view.dims[size_t(order[i])].out_dim = int64_t(i);
        shape.push_back(v.shape[size_t(order[i])]);
      }
      for (size_t i = 0; i < batch.size(); ++i) batch[i] = int64_t(i);
      for (size_t i = 0; i < contract.size(); ++i)
        contract[i] = int64_t(order.size() - contract.size() + i);
      op.in[size_t(side)] = add(std::move(view), v.dtype, std::move(shape));
    }
  }

  // ---- reductions

  struct Run {
    int64_t first, last;  // dimensions, inclusive
  };

  int32_t reduction(const Reduction& r, int32_t v, const Aval& out) {
    const Shape shape = g_.values[size_t(v)].shape;  // a copy: values move
    std::vector<bool> reduced(shape.size());
    for (int64_t a : r.axes) reduced[size_t(a)] = true;
    // Runs of reduced dimensions, innermost first; extent 1 is neutral.
    std::vector<Run> runs;
    for (int64_t d = int64_t(shape.size()) - 1; d >= 0; --d) {
      if (!reduced[size_t(d)] || (shape[size_t(d)] == 1 && !is_arg(r.monoid)))
        continue;
      int64_t next = d + 1;
      while (next < int64_t(shape.size()) && shape[size_t(next)] == 1) ++next;
      if (!runs.empty() && runs.back().first == next &&
          collapsible(v, {d, runs.back().last}, 64))
        runs.back().first = d;
      else
        runs.push_back({d, d});
    }
    Shape rest = shape;
    for (const Run& run : runs) {
      int64_t before = 1, n = 1, after = 1;
      for (int64_t d = 0; d < int64_t(rest.size()); ++d)
        (d < run.first ? before : d <= run.last ? n : after) *= rest[size_t(d)];
      bool final = &run == &runs.back();
      DType t = final ? out.dtype : accumulator(out.dtype);
      v = reduce_axis(r.monoid, v, before, n, after, t);
      for (int64_t d = run.first; d <= run.last; ++d) rest[size_t(d)] = 1;
    }
    return reshape(v, out.shape);
  }

  // v as [before, n, after], reduced over n.
  int32_t reduce_axis(Monoid m, int32_t v, int64_t before, int64_t n,
                      int64_t after, DType t) {
    Shape in, out;
    auto keep = [&](int64_t e) {
      if (e == 1) return;
      in.push_back(e);
      out.push_back(e);
    };
    keep(before);
    int64_t axis = int64_t(in.size());
    in.push_back(n);
    keep(after);
    FlowOp op;
    op.kind = FlowKind::reduce;
    op.monoid = m;
    op.axis = axis;
    op.in = {reshape(v, in)};
    int64_t piece = piece_of(m, before, n, after, t);
    if (piece == 0) return add(std::move(op), t, out);
    Shape partial = in;
    partial[size_t(axis)] = (n + piece - 1) / piece;
    op.piece = piece;
    FlowOp second = op;
    second.piece = 0;
    second.in = {add(std::move(op), accumulator(t), partial)};
    return add(std::move(second), t, out);
  }

  int64_t piece_of(Monoid m, int64_t before, int64_t n, int64_t after,
                   DType t) const {
    if (is_arg(m)) return 0;
    if (after == 1)
      return n > kRowPiece && before < kFewRows && n * before >= kManyElements
                 ? kRowPiece
                 : 0;
    // Few columns leave threads idle unless the rows are cut. 16-bit results
    // need a second step: columns accumulate in memory.
    const bool cut =
        n > kPanelRows || (n > kColumnPiece && after < kManyColumns);
    return cut || (is_half(t) && n > 1) ? kColumnPiece : 0;
  }

  // Whether dimensions first..last of v can be walked as one axis wherever v
  // is evaluated: nothing that v is computed from splits them.
  bool collapsible(int32_t v, Run run, int budget) const {
    if (run.first == run.last) return true;
    const FlowOp* op = g_.def(v);
    if (!op) return true;
    if (budget <= 0) return false;
    if (op->kind == FlowKind::generate) return false;
    if (op->kind == FlowKind::compute || op->kind == FlowKind::bitcast) {
      for (int32_t i : op->in)
        if (!g_.values[size_t(i)].shape.empty() &&
            !collapsible(i, run, budget / 2))
          return false;
      return true;
    }
    if (op->kind != FlowKind::view) return true;
    const Shape& out = g_.values[size_t(v)].shape;
    const Shape& in = g_.values[size_t(op->in[0])].shape;
    Run inner;
    if (op->view.reshape) {
      if (!same_run(out, run, in, &inner)) return true;  // stays as reshaped
      return collapsible(op->in[0], inner, budget / 2);
    }
    if (op->view.guarded) return false;
    int64_t expected = run.first, first = -1, last = -1;
    for (size_t d = 0; d < in.size(); ++d) {
      const ViewDim& x = op->view.dims[d];
      if (x.out_dim < run.first || x.out_dim > run.last || in[d] == 1) continue;
      while (expected < x.out_dim && out[size_t(expected)] == 1) ++expected;
      bool whole = x.out_dim == expected && x.step == 1 && x.offset == 0 &&
                   x.start < 0 && in[d] == out[size_t(x.out_dim)] &&
                   (last < 0 || last + 1 == int64_t(d));
      if (!whole) return false;
      if (first < 0) first = int64_t(d);
      last = int64_t(d);
      expected = x.out_dim + 1;
    }
    if (first < 0) return true;  // broadcast along all of them
    while (expected <= run.last && out[size_t(expected)] == 1) ++expected;
    if (expected <= run.last) return false;
    return collapsible(op->in[0], {first, last}, budget / 2);
  }

  // The dimensions of `to` that hold the same elements as run does of `from`.
  static bool same_run(const Shape& from, Run run, const Shape& to,
                       Run* result) {
    int64_t before = 1, n = 1, p = 1;
    for (int64_t d = 0; d < run.first; ++d) before *= from[size_t(d)];
    for (int64_t d = run.first; d <= run.last; ++d) n *= from[size_t(d)];
    size_t d = 0;
    while (d < to.size() && p < before) p *= to[d++];
    if (p != before) return false;
    while (d < to.size() && to[d] == 1) ++d;
    result->first = int64_t(d);
    for (p = 1; d < to.size() && p < n;) p *= to[d++];
    result->last = int64_t(d) - 1;
    return p == n && result->last >= result->first;
  }

  const Jaxpr& j_;
  FlowGraph g_;
  std::vector<int32_t> of_var_;
};

}  // namespace

FlowGraph build_flow(const Jaxpr& j) { return Builder(j).take(); }

}  // namespace cotan
