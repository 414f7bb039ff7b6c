// Control flow as regions. They capture the values of the enclosing function,
// so constants of a loop are no carries.
#include "ops/hlo_rules.h"

namespace cotan::hlo {

namespace {

Avals types_of(const HloBuilder& b, std::span<const HloValue> v) {
  Avals out;
  for (HloValue x : v) out.push_back(b.type(x));
  return out;
}

HloValues joined(std::span<const HloValue> x, std::span<const HloValue> y) {
  HloValues out(x.begin(), x.end());
  out.append(y.begin(), y.end());
  return out;
}

// x[i] of a stack of rows.
HloValue row_at(HloBuilder& b, HloValue x, HloValue i) {
  Aval row = b.type(x);
  row.shape[0] = 1;
  Shape shape(row.shape.begin() + 1, row.shape.end());
  if (row.size() == 0)
    return b.constant(Literal::from_int(row.dtype, 0), shape);
  HloValues in{x, i};
  in.resize(1 + row.shape.size(), b.constant_int(b.dtype(i), 0));
  HloValue y = b.op("dynamic_slice", in, row,
                    cat("slice_sizes = ", i64_array(row.shape)));
  return b.reshape(y, shape);
}

// x with x[i] = row.
HloValue with_row(HloBuilder& b, HloValue x, HloValue row, HloValue i) {
  if (b.type(row).size() == 0) return x;
  Shape shape = b.shape(x);
  shape[0] = 1;
  HloValues in{x, b.reshape(row, shape), i};
  in.resize(2 + shape.size(), b.constant_int(b.dtype(i), 0));
  return b.op("dynamic_update_slice", in, b.type(x));
}

}  // namespace

HloValues repeat(HloBuilder& b, int64_t trips, std::span<const HloValue> init,
                 const LoopStep& step) {
  if (trips <= 0) return HloValues(init.begin(), init.end());
  DType t = trips <= INT32_MAX ? DType::i32 : DType::i64;
  HloValue zero = b.constant_int(t, 0);
  HloValues in = joined({&zero, 1}, init);
  Avals types = types_of(b, in);
  HloRegionOp r = b.begin("while", in, "", in.size());
  HloValues x = b.region(r, types);
  HloValue more = b.compare(CompareOp::lt, x[0], b.constant_int(t, trips));
  b.yield({&more, 1});
  x = b.region(r, types);
  HloValues y = step(x[0], std::span<const HloValue>(x).subspan(1));
  HloValue next = b.elementwise("add", {x[0], b.constant_int(t, 1)});
  b.yield(joined({&next, 1}, y));
  HloValues out = b.end(r, types);
  return HloValues(out.begin() + 1, out.end());
}

namespace {

bool keeps_order(const Jaxpr& j) { return j.effects & kOrderedEffect; }

// The results of a region, of which the last is the order.
HloValues without_order(HloBuilder& b, HloValues out, bool ordered) {
  if (!ordered) return out;
  b.set_order(out.back());
  out.pop_back();
  return out;
}

}  // namespace

HloValues branch(const HloArgs& a) {
  HloBuilder& b = a.b;
  Control c = a.self.control(a.params);
  // Out of range means the last branch, here and there.
  bool ordered = false;
  for (const JaxprRef& j : c.cases) ordered |= keeps_order(*j);
  Avals types(a.out.begin(), a.out.end());
  HloValue order;
  if (ordered) types.push_back(b.type(order = b.order()));
  HloRegionOp r = b.begin("case", a.in.first(1), "", types.size());
  for (const JaxprRef& j : c.cases) {
    b.region(r, {});
    HloValues y = b.inline_jaxpr(*j, a.in.subspan(1));
    if (ordered) {
      y.push_back(b.order());
      b.set_order(order);
    }
    b.yield(y);
  }
  return without_order(b, b.end(r, types), ordered);
}

namespace {

HloValues loop_until(const HloArgs& a, const Control& c) {
  HloBuilder& b = a.b;
  size_t nc = size_t(c.cond_consts), nb = size_t(c.body_consts);
  size_t n = a.out.size();
  HloValues init(a.in.begin() + long(nc + nb), a.in.end());
  Avals types(a.out.begin(), a.out.end());
  if (keeps_order(*c.cond))
    throw_not_implemented(
        "[", a.self.name, "] ordered calls of the host in the condition of a ",
        "loop cannot be written as StableHLO; move them into its body");
  bool ordered = keeps_order(*c.body);
  if (ordered) {
    init.push_back(b.order());
    types.push_back(b.type(init.back()));
  }
  HloRegionOp r = b.begin("while", init, "", init.size());
  HloValues x = b.region(r, types);
  std::span<const HloValue> carry = std::span<const HloValue>(x).first(n);
  b.yield(b.inline_jaxpr(*c.cond, joined(a.in.first(nc), carry)));
  x = b.region(r, types);
  carry = std::span<const HloValue>(x).first(n);
  if (ordered) b.set_order(x.back());
  HloValues y = b.inline_jaxpr(*c.body, joined(a.in.subspan(nc, nb), carry));
  if (ordered) y.push_back(b.order());
  b.yield(y);
  return without_order(b, b.end(r, types), ordered);
}

}  // namespace

HloValues loop(const HloArgs& a) {
  HloBuilder& b = a.b;
  Control c = a.self.control(a.params);
  if (c.cond) return loop_until(a, c);
  size_t nc = size_t(c.body_consts), n = size_t(c.carries);
  std::span<const HloValue> consts = a.in.first(nc),
                            streams = a.in.subspan(nc + n);
  HloValues init(a.in.begin() + long(nc), a.in.begin() + long(nc + n));
  for (const Aval& t : a.out.subspan(n))
    init.push_back(b.constant(Literal::from_int(t.dtype, 0), t.shape));
  bool ordered = keeps_order(*c.body);
  if (ordered) init.push_back(b.order());
  auto step = [&](HloValue i, std::span<const HloValue> x) {
    HloValue at = i;
    if (c.reverse)
      at = b.elementwise("subtract",
                         {b.constant_int(b.dtype(i), c.trips - 1), i});
    HloValues in = joined(consts, x.first(n));
    for (HloValue s : streams) in.push_back(row_at(b, s, at));
    if (ordered) b.set_order(x.back());
    HloValues y = b.inline_jaxpr(*c.body, in);
    for (size_t k = n; k < y.size(); ++k) y[k] = with_row(b, x[k], y[k], at);
    if (ordered) y.push_back(b.order());
    return y;
  };
  return without_order(b, repeat(b, c.trips, init, step), ordered);
}

HloValues optimization_barrier(const HloArgs& a) {
  return a.b.ops("optimization_barrier", a.in, a.out);
}

}  // namespace cotan::hlo
