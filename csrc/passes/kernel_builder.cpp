#include "passes/kernel_builder.h"

#include <algorithm>
#include <unordered_map>

namespace cotan {

int32_t memory_of(const FusionPlan& p, int32_t v) {
  while (p.values[size_t(v)].alias >= 0) v = p.values[size_t(v)].alias;
  return v;
}

namespace {

// Constants that code is better for knowing.
bool worth_baking(const Literal& l) {
  if (l.dtype == DType::bool_ || is_key(l.dtype) || l.dtype == DType::float0)
    return true;
  if (is_complex(l.dtype)) return false;
  double v = l.to_double();
  return !(v * 0 == 0) || v == 0 || v == 1 || v == -1 || v == 2 || v == 0.5;
}

class NodeBuilder {
 public:
  NodeBuilder(const FlowGraph& g, FusionPlan& p, int32_t group)
      : g_(g), p_(p), id_(group), group_(p.groups[size_t(group)]) {}

  RawKernel run(SmallVector<int32_t, 6>* operands) {
    for (;;) {  // seeing through a view may split an axis: start again
      GroupSplits splits(group_);
      splits_ = &splits;
      start();
      for (const Sink& s : std::vector<Sink>(group_.sinks)) store(s);
      if (!splits.happened) break;
    }
    finish_operands();
    *operands = std::move(operands_);
    return std::move(raw_);
  }

 private:
  const FlowValue& value(int32_t v) const { return g_.values[size_t(v)]; }
  Kernel& k() { return *raw_.kernel; }

  void start() {
    raw_ = RawKernel{};
    raw_.kernel = make_ref<Kernel>();
    memo_.clear();
    operands_.clear();
  }

  int32_t add(Node n, AxisMask reduces = 0, int32_t op = -1) {
    k().nodes.push_back(std::move(n));
    raw_.reduce.push_back(reduces);
    raw_.reduce_op.push_back(op);
    return int32_t(k().nodes.size() - 1);
  }
  int32_t operand(int32_t v, bool written) {
    int32_t base = memory_of(p_, v);
    size_t i = 0;
    while (i < operands_.size() &&
           (operands_[i] != base || k().operands[i].dtype != value(v).dtype))
      ++i;
    if (i == operands_.size()) {
      operands_.push_back(base);
      k().operands.push_back({value(v).dtype, false, false});
    }
    (written ? k().operands[i].written : k().operands[i].read) = true;
    return int32_t(i);
  }

  int32_t expand(int32_t v, const Access& a) {
    if (value(v).literal >= 0)
      return literal(g_.literals[size_t(value(v).literal)]);
    if (value(v).size() == 0)
      return literal(Literal::from_int(value(v).dtype, 0));
    auto& known = memo_[v];
    for (auto& [access, node] : known)
      if (same(access, a)) return node;
    int32_t op = value(v).op;
    int32_t node =
        op >= 0 && p_.is_inlined(op, id_) ? evaluate(op, v, a) : load(v, a);
    memo_[v].push_back({a, node});
    return node;
  }
  int32_t expand_operand(int32_t v, const Access& a) {
    return expand(v, value(v).shape.empty() ? scalar_access() : a);
  }

  int32_t literal(Literal l) {
    l.weak_type = false;
    for (size_t i = 0; i < k().nodes.size(); ++i)
      if (k().nodes[i].kind == NodeKind::literal && k().nodes[i].literal == l)
        return int32_t(i);
    Node n;
    n.kind = NodeKind::literal;
    n.dtype = l.dtype;
    n.literal = l;
    n.baked = worth_baking(l);
    return add(std::move(n));
  }

  Map map_of(const Access& a) {
    Map m;
    m.at = linear_index(a);
    m.guards = a.guards;
    Dims strides = row_major_strides(a.shape);
    for (const Dynamic& x : a.dynamic)
      m.indirect.push_back({expand(x.value, scalar_access()),
                            strides[size_t(x.dim)] * x.scale, x.limit});
    return m;
  }

  int32_t load(int32_t v, const Access& a) {
    Node n;
    n.kind = NodeKind::load;
    n.dtype = value(v).dtype;
    n.map = map_of(a);
    n.operand = operand(v, false);
    for (size_t i = 0; i < k().nodes.size(); ++i) {
      const Node& x = k().nodes[i];
      if (x.kind == NodeKind::load && x.operand == n.operand &&
          x.map.guards.empty() && n.map.guards.empty() &&
          x.map.indirect == n.map.indirect && same(x.map.at, n.map.at))
        return int32_t(i);
    }
    return add(std::move(n));
  }

  int32_t evaluate(int32_t i, int32_t v, const Access& a) {
    const FlowOp& op = g_.ops[size_t(i)];
    switch (op.kind) {
      case FlowKind::view:
        return view(op, v, a);
      case FlowKind::compute:
        return compute(op, v, a);
      case FlowKind::bitcast: {
        Node n;
        n.kind = NodeKind::bitcast;
        n.dtype = value(v).dtype;
        n.in = {expand_operand(op.in[0], a)};
        return add(std::move(n));
      }
      case FlowKind::generate:
        return generate(op, v, a);
      case FlowKind::reduce:
        return reduce(i, v);
      case FlowKind::concat:
        return concat(op, v, a);
      case FlowKind::dot: {
        Node n;
        n.kind = NodeKind::product;
        n.dtype = value(v).dtype;
        return add(std::move(n));
      }
      default:
        COTAN_CHECK(!"an operation that does not fuse");
        return -1;
    }
  }

  int32_t guard(SmallVector<Guard, 1> guards, int32_t yes, int32_t no) {
    Node n;
    n.kind = NodeKind::guard;
    n.dtype = k().nodes[size_t(yes)].dtype;
    n.guards = std::move(guards);
    n.in = {yes, no};
    return add(std::move(n));
  }

  int32_t view(const FlowOp& op, int32_t v, const Access& a) {
    Access in;
    SmallVector<Guard, 1> own;
    bool affine =
        through_view(a, op.view, op.in, value(op.in[0]).shape, value(v).shape,
                     group_.space, splits_, &in, &own);
    if (!affine) {
      // The group computes this view for another access of it; for this one
      // it was stored.
      COTAN_CHECK(p_.values[size_t(v)].memory);
      return load(v, a);
    }
    int32_t node = expand_operand(op.in[0], in);
    if (own.empty()) return node;
    return guard(std::move(own), node, expand(op.in[1], scalar_access()));
  }

  int32_t compute(const FlowOp& op, int32_t v, const Access& a) {
    Node n;
    n.kind = NodeKind::compute;
    n.dtype = value(v).dtype;
    n.prim = op.prim;
    n.params = op.params;
    n.out =
        uint8_t(std::find(op.out.begin(), op.out.end(), v) - op.out.begin());
    for (int32_t u : op.in) n.in.push_back(expand_operand(u, a));
    return add(std::move(n));
  }

  int32_t generate(const FlowOp& op, int32_t v, const Access& a) {
    Node n;
    n.kind = NodeKind::generate;
    n.dtype = value(v).dtype;
    n.prim = op.prim;
    n.params = op.params;
    n.out =
        uint8_t(std::find(op.out.begin(), op.out.end(), v) - op.out.begin());
    n.aval = {value(v).dtype, false, value(v).shape};
    Access at = a;
    reshape_access(at, value(v).shape, group_.space, splits_);
    COTAN_CHECK(at.unknown == 0 && at.dynamic.empty());
    n.index.append(at.dims.begin(), at.dims.end());
    return add(std::move(n));
  }

  int32_t reduce(int32_t i, int32_t v) {
    const FlowOp& op = g_.ops[size_t(i)];
    for (const Reduced& r : group_.reduced) {
      if (r.op != i) continue;
      Access in = r.in;  // a copy: splits change the list
      AxisMask axes = r.axes;
      Node n;
      n.kind = NodeKind::reduce;
      n.dtype = value(v).dtype;
      n.monoid = op.monoid;
      if (r.consumed) raw_.consumed |= axes;
      n.in = {expand_operand(op.in[0], in)};
      return add(std::move(n), axes, i);
    }
    COTAN_CHECK(!"a reduction that its group does not know");
    return -1;
  }

  int32_t concat(const FlowOp& op, int32_t v, const Access& a) {
    Access at = a;
    reshape_access(at, value(v).shape, group_.space, splits_);
    COTAN_CHECK(at.unknown == 0);
    std::vector<std::pair<Guard, int32_t>> parts;
    int64_t offset = 0;
    for (int32_t u : op.in) {
      int64_t n = value(u).shape[size_t(op.axis)];
      if (n == 0) continue;
      Access part = at;
      part.shape = value(u).shape;
      Affine& f = part.dims[size_t(op.axis)];
      f.offset -= offset;
      Guard g{f, 0, n};
      part.guards.push_back(g);
      offset += n;
      parts.push_back({std::move(g), expand_operand(u, part)});
    }
    int32_t node = parts.back().second;
    for (size_t i = parts.size() - 1; i-- > 0;)
      node = guard({parts[i].first}, parts[i].second, node);
    return node;
  }

  void store(const Sink& s) {
    Store st;
    st.node = expand_operand(s.source, s.from);
    st.map = map_of(s.to);
    st.operand = operand(s.value, true);
    k().stores.push_back(std::move(st));
  }

  // Written operands last, each kind in order of first use.
  void finish_operands() {
    SmallVector<int32_t, 6> order;
    for (bool written : {false, true})
      for (size_t i = 0; i < operands_.size(); ++i)
        if (k().operands[i].written == written) order.push_back(int32_t(i));
    SmallVector<int32_t, 6> place(order.size()), values;
    SmallVector<Operand, 4> list;
    for (size_t i = 0; i < order.size(); ++i) {
      place[size_t(order[i])] = int32_t(i);
      values.push_back(operands_[size_t(order[i])]);
      list.push_back(k().operands[size_t(order[i])]);
    }
    for (Node& n : k().nodes)
      if (n.kind == NodeKind::load) n.operand = place[size_t(n.operand)];
    for (Store& s : k().stores) s.operand = place[size_t(s.operand)];
    operands_ = std::move(values);
    k().operands = std::move(list);
    raw_.space = group_.space;
    for (size_t i = 0; i < k().nodes.size(); ++i) name(k().nodes[i]);
  }
  void name(const Node& n) {
    std::string& s = k().name;
    if (s.size() > 60) return;
    std::string_view part = n.kind == NodeKind::reduce ? enum_name(n.monoid)
                            : n.prim                   ? n.prim->name
                                                       : "";
    if (part.empty()) return;
    if (!s.empty()) s += '_';
    s += part;
  }

  const FlowGraph& g_;
  FusionPlan& p_;
  const int32_t id_;
  Group& group_;
  GroupSplits* splits_ = nullptr;
  RawKernel raw_;
  std::unordered_map<int32_t, std::vector<std::pair<Access, int32_t>>> memo_;
  SmallVector<int32_t, 6> operands_;  // values
};

// ---- matrix products

bool one_run(std::span<const int64_t> shape, std::span<const int64_t> stride,
             std::span<const int64_t> dims) {
  int64_t expected = -1;
  for (size_t i = dims.size(); i-- > 0;) {
    auto d = size_t(dims[i]);
    if (shape[d] == 1) continue;
    if (expected >= 0 && stride[d] != expected) return false;
    expected = stride[d] * shape[d];
  }
  return true;
}

}  // namespace

DotOperand dot_operand(const FlowGraph& g, const FlowOp& dot, int side) {
  const Axes& contract = side ? dot.dot.rhs_contract : dot.dot.lhs_contract;
  const Axes& batch = side ? dot.dot.rhs_batch : dot.dot.lhs_batch;
  int32_t v = dot.in[size_t(side)];
  const Shape& shape = g.values[size_t(v)].shape;
  auto good = [&](const Dims& stride) {
    if (!one_run(shape, stride, contract)) return false;
    bool any = false;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (std::find(batch.begin(), batch.end(), int64_t(d)) != batch.end() ||
          shape[d] == 1)
        continue;
      if (stride[d] == 1) return true;
      any = true;
    }
    return !any;
  };
  // steps[d], at[d]: the dimension of the value looked at that d walks along.
  DotOperand best{v, row_major_strides(shape), 0};
  if (!one_run(shape, best.stride, contract)) best.base = -1;
  Dims step(shape.size(), 1), at;
  for (size_t d = 0; d < shape.size(); ++d) at.push_back(int64_t(d));
  Dims fixed(shape.size(), 0);  // index along each dimension of the value
  for (;;) {
    const FlowOp* op = g.def(v);
    if (!op || op->kind != FlowKind::view || op->view.reshape ||
        op->view.guarded || g.values[size_t(op->in[0])].literal >= 0)
      return best;
    const Shape& in = g.values[size_t(op->in[0])].shape;
    Dims new_step(shape.size(), 1), new_at(shape.size(), -1), new_fixed;
    for (size_t d = 0; d < in.size(); ++d) {
      const ViewDim& x = op->view.dims[d];
      if (x.dilation != 1 || x.start >= 0 || x.step < 1) return best;
      new_fixed.push_back(
          x.offset + (x.out_dim < 0 ? 0 : x.step * fixed[size_t(x.out_dim)]));
      for (size_t e = 0; x.out_dim >= 0 && e < shape.size(); ++e) {
        if (at[e] != x.out_dim) continue;
        new_at[e] = int64_t(d);
        new_step[e] = step[e] * x.step;
      }
    }
    v = op->in[0];
    at = new_at;
    step = new_step;
    fixed = new_fixed;
    Dims strides = row_major_strides(in);
    DotOperand next{v, Dims(shape.size(), 0), 0};
    for (size_t d = 0; d < in.size(); ++d) next.offset += fixed[d] * strides[d];
    for (size_t e = 0; e < shape.size(); ++e) {
      if (at[e] < 0 && shape[e] != 1) return best;  // a broadcast
      if (at[e] >= 0) next.stride[e] = step[e] * strides[size_t(at[e])];
    }
    if (good(next.stride)) best = std::move(next);
  }
}

BuiltKernel build_kernel(const FlowGraph& g, FusionPlan& p, int32_t group,
                         const PlanOptions& options) {
  BuiltKernel r;
  RawKernel raw = NodeBuilder(g, p, group).run(&r.operands);
  int32_t stuck = shape_kernel(raw, options);
  if (stuck >= 0) {
    r.stuck = raw.reduce_op[size_t(stuck)];
    return r;
  }
  r.kernel = std::move(raw.kernel);
  return r;
}

namespace {

// Every axis of a product as a function into lhs, rhs and the dense product.
class GemmBuilder {
 public:
  GemmBuilder(const FlowGraph& g, FusionPlan& p, int32_t id)
      : g_(g),
        group_(p.groups[size_t(id)]),
        op_(g.ops[size_t(group_.op)]),
        lhs_(dot_operand(g, op_, 0)),
        rhs_(dot_operand(g, op_, 1)) {
    result_.out = op_.out[0];
    if (group_.sinks.empty()) {
      raw_.kernel = make_ref<Kernel>();
      raw_.space = group_.space;
    } else {
      raw_ = NodeBuilder(g, p, id).run(&result_.epilogue.operands);
    }
  }

  BuiltGemm run() {
    maps();
    auto all = affine_functions(*raw_.kernel);
    for (Affine* f : {&in_lhs_, &in_rhs_, &product_}) all.push_back(f);
    left_ = collapse(raw_.space, all, raw_.reduce, class_);
    choose_axes();
    // A missing side becomes an axis of extent 1.
    for (int32_t* side : {&m_, &n_}) {
      if (*side < 0) *side = raw_.space.add(1);
      for (Affine* f : all) f->stride.resize(raw_.space.extents.size(), 0);
    }
    contract();
    if (!group_.sinks.empty() && better_transposed()) transpose();
    fill();
    result_.lhs = lhs_.base;
    result_.rhs = rhs_.base;
    if (!group_.sinks.empty()) epilogue();
    return std::move(result_);
  }

 private:
  const Shape& shape(int side) const {
    return g_.values[size_t(op_.in[size_t(side)])].shape;
  }

  void maps() {
    const Contraction& c = op_.dot;
    product_ = linear_index(group_.product);
    class_.assign(raw_.space.extents.size(), 0);
    size_t d = 0;
    auto along = [&](int32_t kind, int64_t l, int64_t r) {
      const Affine& f = group_.product.dims[d++];
      for (size_t a = 0; a < f.stride.size(); ++a)
        if (f.stride[a] != 0) class_[a] = kind;
      if (l >= 0) add_scaled(in_lhs_, f, lhs_.stride[size_t(l)]);
      if (r >= 0) add_scaled(in_rhs_, f, rhs_.stride[size_t(r)]);
    };
    auto free = [](const Axes& batch, const Axes& contract, size_t x) {
      auto has = [&](const Axes& l) {
        return std::find(l.begin(), l.end(), int64_t(x)) != l.end();
      };
      return !has(batch) && !has(contract);
    };
    for (size_t i = 0; i < c.lhs_batch.size(); ++i)
      along(0, c.lhs_batch[i], c.rhs_batch[i]);
    for (size_t x = 0; x < shape(0).size(); ++x)
      if (free(c.lhs_batch, c.lhs_contract, x)) along(1, int64_t(x), -1);
    for (size_t x = 0; x < shape(1).size(); ++x)
      if (free(c.rhs_batch, c.rhs_contract, x)) along(2, -1, int64_t(x));
    const size_t axes = raw_.space.extents.size();
    for (Affine* f : {&in_lhs_, &in_rhs_, &product_}) f->stride.resize(axes, 0);
    std::sort(raw_.space.order.begin(), raw_.space.order.end(),
              [&](int32_t a, int32_t b) {
                return product_.stride[size_t(a)] > product_.stride[size_t(b)];
              });
  }

  // The innermost axis of each side is m or n; the others are batch.
  void choose_axes() {
    for (int32_t a : left_) {
      if (class_[size_t(a)] == 1) m_ = a;
      if (class_[size_t(a)] == 2) n_ = a;
    }
  }

  void contract() {
    const Contraction& c = op_.dot;
    Gemm& out = result_.gemm;
    for (size_t i = c.lhs_contract.size(); i-- > 0;) {
      auto x = size_t(c.lhs_contract[i]), y = size_t(c.rhs_contract[i]);
      if (shape(0)[x] == 1) continue;
      if (out.k == 1) {  // innermost: the strides of the whole run
        lhs_k_ = lhs_.stride[x];
        rhs_k_ = rhs_.stride[y];
      }
      out.k *= shape(0)[x];
    }
  }

  // Whether the epilogue walks memory along m rather than n: then the
  // product of the transposes is computed.
  bool better_transposed() const {
    int along_m = 0, along_n = 0;
    auto count = [&](const Map& m, int weight) {
      along_m += weight * (coefficient(m.at, size_t(m_)) == 1);
      along_n += weight * (coefficient(m.at, size_t(n_)) == 1);
    };
    for (const Node& n : raw_.kernel->nodes)
      if (n.kind == NodeKind::load) count(n.map, 1);
    for (const Store& s : raw_.kernel->stores) count(s.map, 2);
    return along_m > along_n;
  }
  void transpose() {
    std::swap(m_, n_);
    std::swap(lhs_, rhs_);
    std::swap(lhs_k_, rhs_k_);
    std::swap(in_lhs_, in_rhs_);
  }

  void fill() {
    Gemm& out = result_.gemm;
    out.dtype = g_.values[size_t(op_.in[0])].dtype;
    out.out_dtype = g_.values[size_t(op_.out[0])].dtype;
    for (int32_t a : left_) {
      if (a == m_ || a == n_) continue;
      order_.push_back(a);
      out.batch.push_back(raw_.space.extents[size_t(a)]);
      out.lhs_batch.push_back(in_lhs_.stride[size_t(a)]);
      out.rhs_batch.push_back(in_rhs_.stride[size_t(a)]);
      out.out_batch.push_back(product_.stride[size_t(a)]);
    }
    order_.push_back(m_);
    order_.push_back(n_);
    out.m = raw_.space.extents[size_t(m_)];
    out.n = raw_.space.extents[size_t(n_)];
    out.lhs_m = in_lhs_.stride[size_t(m_)];
    out.lhs_k = lhs_k_;
    out.rhs_n = in_rhs_.stride[size_t(n_)];
    out.rhs_k = rhs_k_;
    out.out_m = product_.stride[size_t(m_)];
    out.lhs_offset = lhs_.offset;
    out.rhs_offset = rhs_.offset;
  }

  // What only stores the product, densely along n, needs no epilogue.
  void epilogue() {
    permute(raw_, order_);
    Kernel& k = *raw_.kernel;
    const Store& s = k.stores[0];
    const size_t rank = k.axes.size();
    if (k.stores.size() == 1 &&
        k.nodes[size_t(s.node)].kind == NodeKind::product &&
        s.map.guards.empty() && s.map.indirect.empty() &&
        s.map.at.offset == 0 &&
        (s.map.at.stride[rank - 1] == 1 || k.axes[rank - 1] == 1)) {
      result_.out = result_.epilogue.operands[size_t(s.operand)];
      result_.epilogue.operands.clear();
      for (size_t a = 0; a + 2 < rank; ++a)
        result_.gemm.out_batch[a] = s.map.at.stride[a];
      result_.gemm.out_m = s.map.at.stride[rank - 2];
      return;
    }
    finish_kernel(k);
    result_.epilogue.kernel = std::move(raw_.kernel);
  }

  const FlowGraph& g_;
  Group& group_;
  const FlowOp& op_;
  DotOperand lhs_, rhs_;
  BuiltGemm result_;
  RawKernel raw_;
  Affine in_lhs_, in_rhs_, product_;
  int64_t lhs_k_ = 0, rhs_k_ = 0;
  std::vector<int32_t> class_;  // per axis: batch, lhs, rhs
  SmallVector<int32_t, 6> left_, order_;
  int32_t m_ = -1, n_ = -1;
};

}  // namespace

BuiltGemm build_gemm(const FlowGraph& g, FusionPlan& p, int32_t id) {
  return GemmBuilder(g, p, id).run();
}

}  // namespace cotan
