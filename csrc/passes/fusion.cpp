#include "passes/fusion.h"

#include <algorithm>

#include "passes/fuser.h"

namespace cotan {

void GroupSplits::on_split(const Split& s) {
  happened = true;
  g_.events.push_back({s, -1, 0, {}});
  for (Sink& sink : g_.sinks) {
    apply_split(sink.to, s);
    apply_split(sink.from, s);
  }
  auto grow = [&](AxisMask m) {
    return m >> s.axis & 1 ? m | AxisMask(1) << s.inner : m;
  };
  for (Reduced& r : g_.reduced) {
    apply_split(r.in, s);
    r.axes = grow(r.axes);
  }
  g_.red = grow(g_.red);
  apply_split(g_.product, s);
}

int64_t count_pieces(int64_t n, int64_t piece) {
  return (n + piece - 1) / piece;
}

FusionPlan fuse(const FlowGraph& g, const PlanOptions& options,
                const Alone& alone) {
  return Fuser(g, options, alone).run();
}

Fuser::Fuser(const FlowGraph& g, const PlanOptions& options, const Alone& alone)
    : g_(g), options_(options), alone_(alone) {
  p_.values.resize(g.values.size());
  p_.inlined.resize(g.ops.size());
}

FusionPlan Fuser::run() {
  for (int32_t v : g_.outputs)
    if (in_flow(v)) plan(v).memory = true;
  for (size_t i = g_.ops.size(); i-- > 0;) process(int32_t(i));
  put_readers_first();
  if (options_.fuse) merge_siblings();
  return std::move(p_);
}

// ---- values and demands

void Fuser::resolve(Demand& d) {
  while (size_t(d.events) < group(d.group).events.size()) {
    const GroupEvent& e = group(d.group).events[size_t(d.events)];
    ++d.events;
    if (e.into < 0) {
      apply_split(d.access, e.split);
    } else {
      substitute(d.access, e.map);
      d.events = e.at;
      d.group = e.into;
    }
  }
}

void Fuser::resolve_all(int32_t v) {
  auto& demands = plan(v).demands;
  for (size_t i = 0; i < demands.size(); ++i) {
    resolve(demands[i]);
    for (size_t j = 0; j < i; ++j)
      if (demands[j].group == demands[i].group &&
          same(demands[j].access, demands[i].access)) {
        demands.erase(&demands[i]);
        --i;
        break;
      }
  }
}

void Fuser::demand(int32_t v, int32_t to, Access a) {
  if (value(v).literal >= 0 || value(v).size() == 0) return;
  if (value(v).shape.empty()) a = scalar_access();
  auto& demands = plan(v).demands;
  bool fresh = true;
  for (Demand& d : demands) {
    resolve(d);
    if (d.group != to) continue;
    if (same(d.access, a)) return;
    fresh = false;
  }
  if (fresh && !value(v).shape.empty()) ++group(to).streams;
  demands.push_back({to, int32_t(group(to).events.size()), std::move(a)});
}

void Fuser::demand_dynamic(int32_t to, const Access& a) {
  for (const Dynamic& x : a.dynamic) demand(x.value, to, scalar_access());
}

int32_t Fuser::new_group(Group::Kind kind) {
  p_.groups.emplace_back();
  p_.groups.back().kind = kind;
  return int32_t(p_.groups.size() - 1);
}

void Fuser::connect(int32_t from, int32_t to) {
  if (from == to || group(from).down.test(to)) return;
  Bits more = group(to).down;
  more.set(to);
  group(from).down |= more;
  for (Group& k : p_.groups)
    if (k.alive && k.down.test(from)) k.down |= more;
}

void Fuser::written(int32_t v, int32_t writer) {
  plan(v).memory = true;
  plan(v).writers.push_back(writer);
  for (const Demand& d : plan(v).demands) connect(writer, p_.find(d.group));
  for (int32_t u : plan(v).users) connect(writer, p_.find(u));
}

// Whether computing v in `host` would make it depend on itself.
bool Fuser::cycle(int32_t host, int32_t v) {
  auto reaches = [&](int32_t from) {
    return from != host && group(from).down.test(host);
  };
  for (const Demand& d : plan(v).demands)
    if (reaches(p_.find(d.group))) return true;
  // A user reads v before it does anything else: a product, say, whose
  // epilogue takes v too.
  for (int32_t u : plan(v).users)
    if (p_.find(u) == host || reaches(p_.find(u))) return true;
  return false;
}

void Fuser::mark_inlined(int32_t op, int32_t to) {
  p_.inlined[size_t(op)].push_back(to);
}

int32_t Fuser::store_root(int32_t v) {
  int32_t i = new_group(Group::kernel);
  Access a = identity_access(value(v).shape, group(i).space);
  group(i).sinks.push_back({v, a, v, a});
  return i;
}

// ---- one operation

void Fuser::process(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  bool needed = op.effects != kPure, empty = op.effects == kPure;
  for (int32_t v : op.out) {
    resolve_all(v);
    needed |= is_used(v);
    empty &= value(v).size() == 0;
  }
  if (!needed || empty) return;
  switch (op.kind) {
    case FlowKind::view:
      return view_op(i);
    case FlowKind::reinterpret:
      return reinterpret_op(i);
    case FlowKind::bitcast:
    case FlowKind::compute:
    case FlowKind::generate:
      return compute_op(i);
    case FlowKind::reduce:
      return reduce_op(i);
    case FlowKind::concat:
      return concat_op(i);
    case FlowKind::update:
      return update_op(i);
    case FlowKind::dot:
      return dot_op(i);
    case FlowKind::kernel:
    case FlowKind::eval:
    case FlowKind::control:
      return opaque_op(i);
  }
}

void Fuser::view_op(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0], u = op.in[0];
  // Set apart, a view is copied: seen through, it would split the axes of the
  // reduction that reads it. Reshapes alone split nothing.
  const bool copied = plan(v).apart || (alone_[size_t(i)] && !op.view.reshape);
  SmallVector<Demand, 1> remaining;
  for (Demand& d : plan(v).demands) {
    if (copied) {
      remaining.push_back(std::move(d));
      continue;
    }
    Group& to = group(d.group);
    GroupSplits splits(to);
    Access in;
    SmallVector<Guard, 1> own;
    resolve(d);
    bool affine = through_view(d.access, op.view, op.in, value(u).shape,
                               value(v).shape, to.space, &splits, &in, &own);
    if (!affine) {
      remaining.push_back(std::move(d));
      continue;
    }
    mark_inlined(i, d.group);
    if (op.view.guarded) {
      to.cost += 1;
      demand(op.in[1], d.group, scalar_access());
    }
    demand_dynamic(d.group, in);
    demand(u, d.group, std::move(in));
  }
  ValuePlan& p = plan(v);
  p.demands = std::move(remaining);
  if (!p.memory && p.demands.empty() && p.users.empty()) return;
  p.memory = true;
  if (op.view.reshape && value(u).literal < 0) {
    p.alias = u;
    plan(u).apart |= p.apart;
    if (in_flow(u)) plan(u).memory = true;
    for (const Demand& d : p.demands) plan(u).users.push_back(d.group);
    for (int32_t g : p.users) plan(u).users.push_back(g);
    return;
  }
  store_view(i);
}

// The same memory under another name; its readers read the operand's.
void Fuser::reinterpret_op(int32_t i) {
  const int32_t v = g_.ops[size_t(i)].out[0], u = g_.ops[size_t(i)].in[0];
  ValuePlan& p = plan(v);
  p.memory = true;
  p.alias = u;
  plan(u).apart |= p.apart;
  if (in_flow(u)) plan(u).memory = true;
  for (const Demand& d : p.demands) plan(u).users.push_back(d.group);
  for (int32_t g : p.users) plan(u).users.push_back(g);
}

void Fuser::store_view(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  for (const ViewDim& x : op.view.dims)
    if (x.dilation != 1) return store_dilated(i);
  const int32_t v = op.out[0], u = op.in[0];
  int32_t to = store_root(v);
  GroupSplits splits(group(to));
  Access in;
  SmallVector<Guard, 1> own;
  bool affine =
      through_view(group(to).sinks[0].from, op.view, op.in, value(u).shape,
                   value(v).shape, group(to).space, &splits, &in, &own);
  COTAN_CHECK(affine);
  written(v, to);
  mark_inlined(i, to);
  if (op.view.guarded) demand(op.in[1], to, scalar_access());
  demand_dynamic(to, in);
  demand(u, to, std::move(in));
}

// Padding between elements: fill everything, then store the operand's
// elements where they belong.
void Fuser::store_dilated(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0], u = op.in[0], fill = op.in[1];
  int32_t second = new_group(Group::kernel);
  Sink sink;
  sink.value = v;
  sink.source = u;
  sink.from = identity_access(value(u).shape, group(second).space);
  sink.to.shape = value(v).shape;
  sink.to.dims.resize(value(v).shape.size());
  for (size_t d = 0; d < op.view.dims.size(); ++d) {
    const ViewDim& x = op.view.dims[d];
    COTAN_CHECK(x.step == 1 && x.out_dim >= 0 && x.start < 0);
    auto o = size_t(x.out_dim);
    Affine f;
    add_scaled(f, sink.from.dims[d], x.dilation);
    f.offset -= x.offset;
    Range range = range_of(f, group(second).space);
    if (range.lo < 0 || range.hi >= value(v).shape[o])
      sink.to.guards.push_back({f, 0, value(v).shape[o]});
    sink.to.dims[o] = std::move(f);
  }
  Access from = sink.from;
  group(second).sinks.push_back(std::move(sink));
  int32_t first = new_group(Group::kernel);
  Access all = identity_access(value(v).shape, group(first).space);
  group(first).sinks.push_back({v, all, fill, scalar_access()});
  written(v, first);
  written(v, second);
  connect(first, second);
  demand(fill, first, scalar_access());
  demand(u, second, std::move(from));
}

// ---- elementwise operations

SmallVector<int32_t, 4> Fuser::groups_of(const FlowOp& op) {
  SmallVector<int32_t, 4> list;
  for (int32_t v : op.out) {
    resolve_all(v);
    for (const Demand& d : plan(v).demands)
      if (std::find(list.begin(), list.end(), d.group) == list.end())
        list.push_back(d.group);
  }
  return list;
}

bool Fuser::is_used(int32_t v) {
  const ValuePlan& p = plan(v);
  return p.memory || !p.demands.empty() || !p.users.empty();
}

bool Fuser::needs_memory(const FlowOp& op) {
  for (int32_t v : op.out)
    if (plan(v).memory || !plan(v).users.empty()) return true;
  return false;
}

void Fuser::compute_op(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  auto groups = groups_of(op);
  const bool alone = is_alone(i);
  auto all_can = [&] {
    for (int32_t to : groups)
      if (!can_join(op, to)) return false;
    return true;
  };
  if (!alone && !needs_memory(op)) {
    if (groups.size() > 1 && (op.tree_cost > kFree || op.tree_loads > 1)) {
      for (size_t k = 1; k < groups.size(); ++k)
        merge(groups[0], groups[k], op.out[0]);
      groups = groups_of(op);
    }
    bool cheap = op.tree_cost <= kFree && op.tree_loads <= 1;
    if ((groups.size() == 1 || cheap) && all_can()) {
      for (int32_t to : groups) join(i, to);
      return;
    }
  }
  keep_in_memory(i, alone ? SmallVector<int32_t, 4>{} : groups);
}

bool Fuser::can_host(const FlowOp& op, int32_t to) {
  if (!can_join(op, to)) return false;
  for (int32_t v : op.out) {
    if (!is_used(v)) continue;
    const Access* a = only_access(v, to);
    if (!a || !store_fits(group(to), *a) || cycle(to, v)) return false;
  }
  return true;
}

// The results are stored by a group that uses them, or by one of its own.
void Fuser::keep_in_memory(int32_t i, const SmallVector<int32_t, 4>& groups) {
  const FlowOp& op = g_.ops[size_t(i)];
  int32_t host = -1;
  for (int32_t to : groups)
    if (host < 0 && can_host(op, to)) host = to;
  const bool own = host < 0;
  Access all;
  if (own) {
    host = new_group(Group::kernel);
    all = identity_access(value(op.out[0]).shape, group(host).space);
  }
  Group& h = group(host);
  for (int32_t v : op.out) {
    bool outside = plan(v).memory || !plan(v).users.empty();
    for (const Demand& d : plan(v).demands) outside |= d.group != host;
    if (!outside) continue;
    Access a = own ? all : *only_access(v, host);
    h.sinks.push_back({v, a, v, a});
    written(v, host);
    if (own)
      plan(v).demands.push_back({host, int32_t(h.events.size()), std::move(a)});
  }
  join(i, host);
}

// Evaluates the operation in the group: its demands there are met, its
// operands are demanded.
void Fuser::join(int32_t i, int32_t to) {
  const FlowOp& op = g_.ops[size_t(i)];
  mark_inlined(i, to);
  group(to).cost += own_cost(op);
  for (int32_t v : op.out) {
    SmallVector<Demand, 1> rest, met;
    for (Demand& d : plan(v).demands) {
      resolve(d);
      (d.group == to ? met : rest).push_back(std::move(d));
    }
    plan(v).demands = std::move(rest);
    for (Demand& d : met)
      for (int32_t u : op.in) demand(u, to, d.access);
    if (!met.empty()) --group(to).streams;
  }
}

void Fuser::drop_demands(int32_t v, int32_t to) {
  auto& demands = plan(v).demands;
  for (size_t i = demands.size(); i-- > 0;)
    if (demands[i].group == to) demands.erase(&demands[i]);
}

const Access* Fuser::only_access(int32_t v, int32_t to) {
  const Access* found = nullptr;
  for (Demand& d : plan(v).demands) {
    resolve(d);
    if (d.group != to) continue;
    if (found) return nullptr;
    found = &d.access;
  }
  return found;
}

bool Fuser::can_join(const FlowOp& op, int32_t to) {
  Group& g = group(to);
  if (g.kind == Group::opaque || g.cost + own_cost(op) > kMaxCost) return false;
  int32_t loads = -1;
  for (int32_t u : op.in) loads += !value(u).shape.empty();
  if (loads > 0 && g.streams + loads > kMaxStreams) return false;
  int accesses = 0;
  for (int32_t v : op.out) {
    int of_value = 0;
    for (Demand& d : plan(v).demands) {
      resolve(d);
      if (d.group != to) continue;
      ++of_value;
      if (!affordable(op, g, d.access)) return false;
      if (op.kind != FlowKind::generate) continue;
      Access a = d.access;
      GroupSplits splits(g);
      reshape_access(a, value(v).shape, g.space, &splits);
      if (a.unknown || !a.dynamic.empty()) return false;
    }
    accesses = std::max(accesses, of_value);
  }
  return accesses <= 1 || op.tree_cost * float(accesses - 1) <= 12;
}

// Whether evaluating the operation wherever the group wants it repeats little
// work.
bool Fuser::affordable(const FlowOp& op, const Group& to, const Access& a) {
  const bool cheap = op.tree_cost <= kFree && op.tree_loads <= 1;
  if (cheap) return true;
  AxisMask dep = axes_of(a);
  double volume = 1;
  for (size_t i = 0; i < to.space.extents.size(); ++i)
    if (dep >> i & 1) volume *= double(to.space.extents[i]);
  double size = double(std::max<int64_t>(num_elements(a.shape), 1));
  if ((volume / size - 1) * op.tree_cost > kFree) return false;
  // Axes that it does not vary on: inside all of those it does (evaluated per
  // row), or around some (evaluated again).
  double inner = 1;
  bool outer = false, seen = false;
  for (size_t k = to.space.order.size(); k-- > 0;) {
    int32_t axis = to.space.order[k];
    bool varies = dep >> axis & 1;
    seen |= varies;
    if (varies || to.space.extents[size_t(axis)] == 1) continue;
    if (seen)
      outer = true;
    else
      inner *= double(to.space.extents[size_t(axis)]);
  }
  if (dep == 0) return true;  // once per call
  if (outer) return inner > 1 && double(op.tree_cost) <= inner / 8;
  return inner == 1 || inner >= 8;
}

int32_t Fuser::lane_guess(const Group& to) const {
  if (to.reduced.empty() || to.red)
    for (const Sink& s : to.sinks) {
      if (s.to.unknown) continue;
      Affine f = linear_index(s.to);
      for (size_t i = 0; i < f.stride.size(); ++i)
        if (f.stride[i] == 1) return int32_t(i);
    }
  return to.space.order.empty() ? -1 : to.space.order.back();
}

bool Fuser::store_fits(const Group& to, const Access& a) const {
  AxisMask dep = 0;
  if (!covers(a, to.space, &dep)) return false;
  AxisMask missing = to.space.all() & ~dep;
  for (size_t i = 0; i < to.space.extents.size(); ++i)
    if (to.space.extents[i] == 1) missing &= ~(AxisMask(1) << i);
  if (missing & ~to.red) return false;
  int32_t lane = lane_guess(to);
  if (lane < 0 || !(dep >> lane & 1)) return true;
  return coefficient(linear_index(a), size_t(lane)) == 1;
}

// ---- reductions

void Fuser::reduce_op(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0];
  auto groups = groups_of(op);
  if (!is_alone(i) && op.piece == 0) {
    for (size_t k = 1; k < groups.size() && !needs_memory(op); ++k)
      merge(groups[0], groups[k], v);
    groups = groups_of(op);
    const bool stored = needs_memory(op) || groups.size() > 1;
    for (int32_t to : groups) {
      if (!only_access(v, to) || (stored && cycle(to, v))) continue;
      if (!join_reduce(i, to)) continue;
      if (stored) {  // joining may have split axes: ask again
        Access from = *only_access(v, to);
        group(to).sinks.push_back({v, from, v, from});
        written(v, to);
      }
      drop_demands(v, to);
      return;
    }
  }
  root_reduce(i);
}

// The index along the reduced dimension of the operand, in a group that uses
// the result through `a`.
bool Fuser::reduce_axes(const FlowOp& op, Group& to, const Access& a,
                        Affine* index, AxisMask* axes) {
  AxisMask dep = 0;
  if (to.kind != Group::kernel) return false;
  if (!covers(a, to.space, &dep)) return false;
  const Shape& in = value(op.in[0]).shape;
  const int64_t n = in[size_t(op.axis)];
  const bool row = size_t(op.axis) + 1 == in.size();
  AxisMask rest = to.space.all() & ~dep;
  if (to.space.ragged_outer >= 0 &&
      (rest == 0 || (rest >> to.space.ragged_outer & 1) ||
       (rest >> to.space.ragged_inner & 1)))
    return false;
  if (rest == 0) {  // the group is per row so far: it gets the axis
    if (!to.reduced.empty() || (n < 32 && to.cost > 8)) return false;
    if (!row && (n > kPanelRows || in.back() < 16)) return false;
    int32_t axis = to.space.add(n);
    if (!row) {
      auto& order = to.space.order;
      order.pop_back();
      order.insert(order.end() - 1, axis);
    }
    *index = axis_index(axis);
    *axes = AxisMask(1) << axis;
    return true;
  }
  if (to.red != 0 && to.red != rest) return false;
  int64_t size = 1;
  for (size_t k = to.space.order.size(); k-- > 0;) {
    int32_t axis = to.space.order[k];
    if (!(rest >> axis & 1)) continue;
    add_scaled(*index, axis_index(axis), size);
    size *= to.space.extents[size_t(axis)];
  }
  if (size != n) return false;
  const int32_t lane = lane_guess(to);
  const bool panel = !(rest >> lane & 1);
  for (const Reduced& r : to.reduced) {
    if (r.axes == rest) continue;
    if (panel || (r.axes & rest)) return false;
    // Beside rows, columns accumulate in memory: there is no place for indices.
    const Monoid m = g_.ops[size_t(r.op)].monoid;
    if (m == Monoid::argmax || m == Monoid::argmin) return false;
  }
  if (panel && (n > kPanelRows || to.space.extents[size_t(lane)] < 16))
    return false;
  *axes = rest;
  return true;
}

bool Fuser::join_reduce(int32_t i, int32_t to) {
  const FlowOp& op = g_.ops[size_t(i)];
  Group& g = group(to);
  const int32_t v = op.out[0];
  Access a = *only_access(v, to);
  GroupSplits splits(g);
  reshape_access(a, value(v).shape, g.space, &splits);
  if (a.unknown || !a.guards.empty() || !a.dynamic.empty()) return false;
  Affine index;
  AxisMask axes = 0;
  if (!reduce_axes(op, g, a, &index, &axes)) return false;
  Access in;
  in.shape = value(op.in[0]).shape;
  in.dims = a.dims;
  in.dims.insert(in.dims.begin() + op.axis, std::move(index));
  g.reduced.push_back({i, in, axes, true});
  g.red = axes;
  g.cost += 1;
  mark_inlined(i, to);
  --g.streams;
  demand(op.in[0], to, std::move(in));
  return true;
}

void Fuser::root_reduce(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0];
  int32_t to = new_group(Group::kernel);
  Group& g = group(to);
  const Shape& shape = value(op.in[0]).shape;
  Access in, out;
  in.shape = shape;
  out.shape = value(v).shape;
  Reduced r;
  r.op = i;
  for (size_t d = 0; d < shape.size(); ++d) {
    Affine f;
    if (int64_t(d) != op.axis) {
      f = shape[d] == 1 ? Affine{} : axis_index(g.space.add(shape[d]));
      out.dims.push_back(f);
    } else if (op.piece > 0) {
      int32_t p = g.space.add(count_pieces(shape[d], op.piece));
      int32_t q = g.space.add(op.piece);
      g.space.ragged_outer = p;
      g.space.ragged_inner = q;
      g.space.ragged_total = shape[d];
      add_scaled(f, axis_index(p), op.piece);
      add_scaled(f, axis_index(q), 1);
      out.dims.push_back(axis_index(p));
      r.axes = AxisMask(1) << q;
    } else {
      int32_t q = g.space.add(shape[d]);
      f = axis_index(q);
      r.axes = AxisMask(1) << q;
    }
    in.dims.push_back(std::move(f));
  }
  r.in = in;
  g.reduced.push_back(std::move(r));
  g.sinks.push_back({v, out, v, out});
  g.cost = 1;
  written(v, to);
  mark_inlined(i, to);
  demand(op.in[0], to, std::move(in));
}

// ---- several operands into one result

void Fuser::concat_op(int32_t i) {
  if (inline_concat(i)) return;
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0];
  int64_t at = 0;
  for (int32_t u : op.in) {
    int64_t offset = at;
    at += value(u).shape[size_t(op.axis)];
    if (value(u).size() == 0) continue;
    int32_t to = new_group(Group::kernel);
    Access from = identity_access(value(u).shape, group(to).space);
    Access dest = from;
    dest.shape = value(v).shape;
    dest.dims[size_t(op.axis)].offset += offset;
    group(to).sinks.push_back({v, std::move(dest), u, from});
    written(v, to);
    demand(u, to, std::move(from));
  }
}

// Reads a concatenation by selecting among a few operands that cost nothing.
bool Fuser::inline_concat(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0];
  auto groups = groups_of(op);
  if (is_alone(i) || needs_memory(op) || groups.size() != 1 || op.in.size() > 4)
    return false;
  for (int32_t u : op.in) {
    const FlowOp* d = g_.def(u);
    bool fuses =
        d && (d->kind == FlowKind::compute || d->kind == FlowKind::generate);
    if (fuses && d->tree_cost > kFree) return false;
  }
  const int32_t to = groups[0];
  const Access* only = only_access(v, to);
  Group& g = group(to);
  if (!only || g.kind == Group::opaque) return false;
  Access a = *only;
  GroupSplits splits(g);
  reshape_access(a, value(v).shape, g.space, &splits);
  if (a.unknown) return false;
  for (const Dynamic& x : a.dynamic)
    if (x.dim == op.axis) return false;
  mark_inlined(i, to);
  g.cost += float(op.in.size());
  plan(v).demands.clear();
  int64_t offset = 0;
  for (int32_t u : op.in) {
    int64_t n = value(u).shape[size_t(op.axis)];
    Access part = a;
    part.shape = value(u).shape;
    Affine& f = part.dims[size_t(op.axis)];
    f.offset -= offset;
    part.guards.push_back({f, 0, n});
    offset += n;
    demand(u, to, std::move(part));
  }
  --g.streams;
  return true;
}

// Whether v, computed where it is used, would take a reduction along.
bool Fuser::reduces(int32_t v) const {
  std::vector<int32_t> todo{v};
  std::vector<bool> seen(g_.values.size());
  while (!todo.empty()) {
    int32_t u = todo.back();
    todo.pop_back();
    const FlowOp* d = g_.def(u);
    if (!d || seen[size_t(u)]) continue;
    seen[size_t(u)] = true;
    if (d->kind == FlowKind::reduce) return true;
    if (d->kind < FlowKind::reduce)
      todo.insert(todo.end(), d->in.begin(), d->in.end());
  }
  return false;
}

void Fuser::update_op(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0], x = op.in[0], y = op.in[1];
  int32_t second = -1;
  if (value(y).size() > 0) {
    set_window_apart(op);
    second = new_group(Group::kernel);
    Sink sink;
    sink.value = v;
    sink.source = y;
    sink.from = identity_access(value(y).shape, group(second).space);
    sink.to.shape = value(v).shape;
    for (size_t d = 0; d < op.view.dims.size(); ++d) {
      const ViewDim& w = op.view.dims[d];
      COTAN_CHECK(w.dilation == 1);
      Affine f;
      f.offset = w.offset;
      if (w.out_dim >= 0)
        add_scaled(f, sink.from.dims[size_t(w.out_dim)], w.step);
      if (w.start >= 0 && w.max_start > 0)
        sink.to.dynamic.push_back(
            {op.in[size_t(w.start)], int32_t(d), 1, w.max_start});
      sink.to.dims.push_back(std::move(f));
    }
    Access from = sink.from;
    for (const Dynamic& c : sink.to.dynamic) {
      if (reduces(c.value)) {  // stores know their place from the start
        plan(c.value).users.push_back(second);
        plan(c.value).memory = true;
      } else {
        demand(c.value, second, scalar_access());
      }
    }
    group(second).sinks.push_back(std::move(sink));
    demand(y, second, std::move(from));
  }
  int32_t first = new_group(Group::kernel);
  Access all = identity_access(value(v).shape, group(first).space);
  group(first).sinks.push_back({v, all, x, all});
  demand(x, first, all);
  note_overwrites(op, first);
  written(v, first);
  if (second < 0) return;
  written(v, second);
  connect(first, second);
}

// ---- matrix products and kernels of the runtime

void Fuser::dot_op(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0];
  auto groups = groups_of(op);
  int32_t to = -1;
  if (!is_alone(i) && groups.size() == 1 && !cycle(groups[0], v) &&
      epilogue(i, groups[0]))
    to = groups[0];
  if (to < 0) {
    to = new_group(Group::gemm);
    group(to).product = identity_access(value(v).shape, group(to).space);
    written(v, to);
  }
  Group& g = group(to);
  g.kind = Group::gemm;
  g.op = i;
  mark_inlined(i, to);
  for (int side : {0, 1}) {
    int32_t base = dot_operand(g_, op, side).base;
    plan(base).users.push_back(to);
    if (in_flow(base)) plan(base).memory = true;
  }
}

// Whether the group can be evaluated on finished tiles of the product.
bool Fuser::epilogue(int32_t i, int32_t to) {
  const FlowOp& op = g_.ops[size_t(i)];
  const int32_t v = op.out[0];
  Group& g = group(to);
  const Access* only = only_access(v, to);
  if (!only || g.kind != Group::kernel || !g.reduced.empty() ||
      g.space.ragged_outer >= 0)
    return false;
  Access a = *only;
  GroupSplits splits(g);
  reshape_access(a, value(v).shape, g.space, &splits);
  AxisMask dep = 0;
  if (!covers(a, g.space, &dep) || dep != g.space.all()) return false;
  if (needs_memory(op)) {
    g.sinks.push_back({v, a, v, a});
    written(v, to);
  }
  plan(v).demands.clear();
  --g.streams;
  g.product = std::move(a);
  return true;
}

void Fuser::opaque_op(int32_t i) {
  const FlowOp& op = g_.ops[size_t(i)];
  int32_t to = new_group(Group::opaque);
  group(to).op = i;
  if (op.effects != kPure) {
    if (last_effect_ >= 0) connect(to, last_effect_);
    last_effect_ = to;
  }
  note_overwrites(op, to);
  for (int32_t v : op.out) written(v, to);
  mark_inlined(i, to);
  for (int32_t u : op.in) {
    plan(u).users.push_back(to);
    if (in_flow(u)) plan(u).memory = true;
  }
}

}  // namespace cotan
