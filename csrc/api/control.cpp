#include "ops/control.h"

#include "api/control.h"

namespace cotan::detail {

TracedGraph traced_body(FunctionRef f, std::span<const Value> whole,
                        std::span<const Value> rows) {
  Avals in = avals_of(whole);
  for (const Value& v : rows) {
    Aval t = v.aval();
    if (t.shape.empty())
      throw_value("[scan] got a scalar: there is no leading axis to scan over");
    t.shape.erase(t.shape.begin());
    in.push_back(std::move(t));
  }
  return trace_to_jaxpr(f, in);
}

int64_t common_length(std::span<const Value> xs) {
  if (xs.empty()) throw_value("[scan] got no arrays to scan over");
  for (const Value& v : xs)
    if (v.shape()[0] != xs[0].shape()[0])
      throw_value("[scan] got arrays with leading axes of sizes ",
                  xs[0].shape()[0], " and ", v.shape()[0]);
  return xs[0].shape()[0];
}

namespace {
void check_carry(const char* op, const TracedGraph& body,
                 std::span<const Value> init) {
  Avals out = body.jaxpr->out_avals();
  if (out.size() < init.size())
    throw_type("[", op, "] the carry goes in as ", init.size(),
               " arrays and comes out as ", out.size());
  for (size_t i = 0; i < init.size(); ++i)
    if (!same_layout(init[i].aval(), out[i]))
      throw_type("[", op, "] carry ", i, " goes in as ", init[i].aval(),
                 " and comes out as ", out[i]);
}
}  // namespace

Values scan_values(const TracedGraph& body, std::span<const Value> init,
                   std::span<const Value> xs, int64_t length, bool reverse) {
  check_carry("scan", body, init);
  return lax::scan(body, init, xs, length, reverse);
}

Values while_values(const TracedGraph& cond, const TracedGraph& body,
                    std::span<const Value> init) {
  Aval p = cond.jaxpr->out_avals()[0];
  if (p.dtype != DType::bool_ || !p.shape.empty())
    throw_type("[while_loop] cond must give a bool scalar, got ", p);
  check_carry("while_loop", body, init);
  return lax::while_loop(cond, body, init);
}

Values cond_values(const Array& pred, const TracedGraph& on_true,
                   const TracedGraph& on_false, std::span<const Value> x) {
  const Value& p = pred.value();
  if (p.dtype() != DType::bool_ || p.rank() != 0)
    throw_type("[cond] the predicate must be a bool scalar, got ", p.aval());
  Avals t = on_true.jaxpr->out_avals(), e = on_false.jaxpr->out_avals();
  bool same = t.size() == e.size();
  for (size_t i = 0; same && i < t.size(); ++i) same = same_layout(t[i], e[i]);
  if (!same)
    throw_type("[cond] the branches must give arrays of the same types");
  const TracedGraph branches[] = {on_false, on_true};
  return lax::cond(lax::convert(p, DType::i32), branches, x);
}

}  // namespace cotan::detail
