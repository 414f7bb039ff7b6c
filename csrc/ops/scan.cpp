// scan: a counted loop over rows. Every rule transforms the body and builds
// another scan (bind_scan puts inputs and outputs in order); residuals of a
// linearized scan that a constant, a stream or an output already holds are not
// stored again.
#include <algorithm>

#include "ops/control.h"
#include "ops/hlo_rules.h"

namespace cotan {

using namespace ops;

extern const Primitive scan_p;

namespace {

const ScanParams& P(const Params& p) { return p.as<ScanParams>(); }

Role role_of(const ScanParams& p, size_t i) {
  if (i < size_t(p.num_consts)) return Role::constant;
  return i < size_t(p.num_consts + p.num_carry) ? Role::carry : Role::stream;
}
Role out_role(const ScanParams& p, size_t i) {
  return i < size_t(p.num_carry) ? Role::carry : Role::stream;
}

Aval stacked(Aval a, int64_t n) {
  a.shape.insert(a.shape.begin(), n);
  return a;
}

Avals scan_type(const TypeArgs& a) {
  const ScanParams& p = P(a.params);
  const Jaxpr& j = *p.jaxpr;
  Avals rows;
  for (size_t i = 0; i < a.in.size(); ++i) {
    Aval t = a.in[i];
    if (role_of(p, i) == Role::stream) {
      if (t.shape.empty() || t.shape[0] != p.length)
        throw_value("[scan] operand ", i, " has no leading axis of length ",
                    p.length, ", got ", t);
      t.shape.erase(t.shape.begin());
    }
    rows.push_back(std::move(t));
  }
  check_operands(a, j, 0, rows);
  Avals out = j.out_avals();
  for (size_t i = 0; i < out.size(); ++i) {
    if (out_role(p, i) == Role::carry) {
      const Aval& init = a.in[size_t(p.num_consts) + i];
      if (!same_layout(init, out[i]))
        throw_type("[scan] carry ", i, " goes in as ", init,
                   " and comes out as ", out[i]);
    } else {
      out[i] = stacked(std::move(out[i]), p.length);
    }
  }
  return out;
}

Value row_of(const Value& x, int64_t t) {
  Dims from(x.shape().size(), 0), to = x.shape();
  from[0] = t;
  to[0] = t + 1;
  return lax::squeeze(lax::slice(x, from, to), {0});
}

// The reference: rows in a loop here.
Values scan_impl(const Params& params, std::span<const Value> x) {
  const ScanParams& p = P(params);
  Values in(x.begin(), x.end());
  size_t carries = size_t(p.num_carry), streams = p.jaxpr->out.size() - carries;
  std::vector<Values> rows(streams);
  Avals types = p.jaxpr->out_avals();
  for (int64_t i = 0; i < p.length; ++i) {
    int64_t t = p.reverse ? p.length - 1 - i : i;
    for (size_t k = 0; k < x.size(); ++k)
      if (role_of(p, k) == Role::stream) in[k] = row_of(x[k], t);
    Values out = eval_jaxpr(*p.jaxpr, in);
    for (size_t k = 0; k < carries; ++k) in[size_t(p.num_consts) + k] = out[k];
    for (size_t k = 0; k < streams; ++k)
      rows[k].push_back(lax::expand_dims(out[carries + k], {0}));
  }
  Values result(in.begin() + p.num_consts,
                in.begin() + p.num_consts + p.num_carry);
  for (size_t k = 0; k < streams; ++k) {
    if (p.reverse) std::reverse(rows[k].begin(), rows[k].end());
    result.push_back(rows[k].empty() ? zeros_of(stacked(types[carries + k], 0))
                                     : lax::concatenate(rows[k], 0));
  }
  return result;
}

// ---- forward mode

// Which carries have a tangent: what goes in or comes out of the body with
// one. nonzero (per operand) is completed in place. derive: jvp_jaxpr or
// linearize_jaxpr (a custom_vjp function has no jvp).
template <class Derive>
auto complete_carries(const ScanParams& p, std::vector<bool>& nonzero,
                      Derive derive) {
  size_t nc = size_t(p.num_consts), n = size_t(p.num_carry);
  for (;;) {
    std::vector<bool> instantiate(p.jaxpr->out.size(), false);
    for (size_t i = 0; i < n; ++i) instantiate[i] = nonzero[nc + i];
    auto result = derive(p.jaxpr, nonzero, instantiate);
    bool grown = false;
    for (size_t i = 0; i < n; ++i)
      if (result.nonzero_out[i] && !nonzero[nc + i])
        grown = nonzero[nc + i] = true;
    if (!grown) return result;
  }
}

void add_consts(const TracedGraph& g, std::vector<Operand>& in) {
  for (const Value& v : g.consts) in.push_back({Role::constant, v});
}

Dual scan_jvp(const JvpArgs& a) {
  const ScanParams& p = P(a.params);
  std::vector<bool> nonzero = nonzero_of(a.t);
  JvpJaxpr j = complete_carries(p, nonzero, jvp_jaxpr);
  std::vector<Operand> in;
  add_consts(j.graph, in);
  for (size_t i = 0; i < a.x.size(); ++i) in.push_back({role_of(p, i), a.x[i]});
  for (size_t i = 0; i < a.x.size(); ++i)
    if (nonzero[i])
      in.push_back({role_of(p, i), a.t[i] ? a.t[i] : zeros_like(a.x[i])});
  size_t n = j.nonzero_out.size();
  std::vector<Role> out;
  for (size_t i = 0; i < n; ++i) out.push_back(out_role(p, i));
  for (size_t i = 0; i < n; ++i)
    if (j.nonzero_out[i]) out.push_back(out_role(p, i));
  Values y = bind_scan(j.graph.jaxpr, in, out, p);
  Dual d;
  for (size_t i = 0, k = n; i < n; ++i) {
    d.primals.push_back(y[i]);
    d.tangents.push_back(j.nonzero_out[i] ? y[k++] : nullptr);
  }
  return d;
}

// ---- linearization

class ScanTangent final : public TangentFn {
 public:
  ScanParams params;
  JaxprRef tangent;
  std::vector<Operand> residuals;
  std::vector<bool> nonzero, nonzero_out;
  Avals types;  // of the operands

  Values apply(std::span<const Value> t) override {
    std::vector<Operand> in = residuals;
    for (size_t i = 0; i < t.size(); ++i)
      if (nonzero[i])
        in.push_back({role_of(params, i), t[i] ? t[i] : zeros_of(types[i])});
    std::vector<Role> roles;
    for (size_t i = 0; i < nonzero_out.size(); ++i)
      if (nonzero_out[i]) roles.push_back(out_role(params, i));
    Values out(nonzero_out.size());
    if (roles.empty()) return out;
    Values y = bind_scan(tangent, in, roles, params);
    for (size_t i = 0, k = 0; i < out.size(); ++i)
      if (nonzero_out[i]) out[i] = y[k++];
    return out;
  }
};

// Where a residual of one iteration is to be found in all of them.
struct Found {
  enum { input, output, extra } kind = extra;
  size_t index = 0;
};

std::vector<Found> find_residuals(const Jaxpr& forward, size_t num_primals,
                                  const std::vector<Operand>& in,
                                  const std::vector<Role>& out,
                                  std::vector<size_t>& kept) {
  std::vector<Found> found;
  for (size_t r = num_primals; r < forward.out.size(); ++r) {
    Atom a = forward.out[r];
    Found f{Found::extra, 0};
    for (size_t i = 0; i < forward.in.size(); ++i)
      if (a == Atom::var(forward.in[i]) && in[i].role != Role::carry)
        f = {Found::input, i};
    for (size_t i = 0; i < num_primals && f.kind == Found::extra; ++i)
      if (a == forward.out[i] && out[i] == Role::stream) f = {Found::output, i};
    for (size_t i = num_primals; i < kept.size() && f.kind == Found::extra; ++i)
      if (a == forward.out[kept[i]]) f = {Found::output, i};
    if (f.kind == Found::extra) {
      f.index = kept.size();
      kept.push_back(r);
    }
    found.push_back(f);
  }
  return found;
}

Linearized scan_linearize(const LinearizeArgs& a) {
  const ScanParams& p = P(a.params);
  std::vector<bool> nonzero(a.nonzero.begin(), a.nonzero.end());
  LinearizedJaxpr lin = complete_carries(p, nonzero, linearize_jaxpr);
  std::vector<Operand> in;
  add_consts(lin.forward, in);
  for (size_t i = 0; i < a.x.size(); ++i) in.push_back({role_of(p, i), a.x[i]});
  JaxprRef forward = lin.forward.jaxpr;
  // What only depends on constants is computed once, and so kept once.
  std::vector<bool> invariant;
  for (const Operand& o : in) invariant.push_back(o.role == Role::constant);
  if (p.length > 0)
    if (Hoisted h = hoist_invariants(*forward, invariant, false); h.prologue) {
      Values consts;
      for (const Operand& o : in)
        if (o.role == Role::constant) consts.push_back(o.value);
      for (Value& v : eval_jaxpr(*h.prologue, consts))
        in.push_back({Role::constant, std::move(v)});
      forward = h.body;
    }
  size_t n = lin.nonzero_out.size();
  std::vector<Role> out;
  for (size_t i = 0; i < n; ++i) out.push_back(out_role(p, i));
  std::vector<size_t> kept = first_n(n);
  std::vector<Found> found = find_residuals(*forward, n, in, out, kept);
  out.resize(kept.size(), Role::stream);
  Values y = bind_scan(
      rearranged(*forward, same_inputs(forward->in.size()), kept), in, out, p);
  auto t = std::make_unique<ScanTangent>();
  for (const Found& f : found)
    t->residuals.push_back(f.kind == Found::input
                               ? in[f.index]
                               : Operand{Role::stream, y[f.index]});
  t->params = p;
  t->tangent = lin.tangent;
  t->nonzero = std::move(nonzero);
  t->nonzero_out = lin.nonzero_out;
  t->types = avals_of(a.x);
  y.resize(n);
  return {std::move(y), std::move(t)};
}

// ---- reverse mode

// Which operands the transpose takes as given. A carry with a given start is
// linear all the same if a step mixes it with what is linear: then the start
// is a zero.
std::vector<bool> known_operands(const ScanParams& p,
                                 std::span<const Value> x) {
  const Jaxpr& j = *p.jaxpr;
  std::vector<bool> known;
  for (const Value& v : x) known.push_back(bool(v));
  size_t nc = size_t(p.num_consts), n = size_t(p.num_carry);
  for (bool shrunk = true; shrunk;) {
    shrunk = false;
    for (size_t i = 0; i < n; ++i) {
      if (!known[nc + i]) continue;
      std::vector<bool> only(j.out.size(), false);
      only[i] = true;
      DceResult live = dce(j, only, false);
      for (size_t k = 0; k < x.size(); ++k)
        if (live.used_inputs[k] && !known[k]) {
          known[nc + i] = false;
          shrunk = true;
        }
    }
  }
  return known;
}

// Carries that are known (counters): they run ahead, and the backward scan
// reads them as streams.
Values known_carries(const ScanParams& p, std::span<const Value> x,
                     const std::vector<bool>& known) {
  const Jaxpr& j = *p.jaxpr;
  size_t nc = size_t(p.num_consts), n = size_t(p.num_carry);
  std::vector<bool> used(j.out.size(), false);
  size_t count = 0;
  for (size_t i = 0; i < n; ++i)
    if (known[nc + i]) {
      used[i] = true;
      ++count;
    }
  if (count == 0) return {};
  DceResult live = dce(j, used, false);
  auto ahead = make_ref<Jaxpr>(*live.jaxpr);
  ahead->in.clear();
  std::vector<Operand> in;
  std::vector<Role> out(count, Role::carry);
  for (size_t i = 0; i < x.size(); ++i) {
    bool carry = role_of(p, i) == Role::carry;
    if (!known[i] || (!carry && !live.used_inputs[i])) continue;
    ahead->in.push_back(j.in[i]);
    in.push_back({role_of(p, i), x[i]});
    if (!carry) continue;
    ahead->out.push_back(Atom::var(j.in[i]));  // its value before the step
    out.push_back(Role::stream);
  }
  Values y = bind_scan(ahead, in, out, p);
  return Values(y.begin() + count, y.end());
}

Values scan_transpose(const TransposeArgs& a) {
  const ScanParams& p = P(a.params);
  const Jaxpr& j = *p.jaxpr;
  std::vector<bool> is_known = known_operands(p, a.x);
  Values ahead = known_carries(p, a.x, is_known);
  // The body's inputs: known, linear constants, carries, streams.
  std::vector<Operand> known;
  std::vector<NewInput> order;
  std::vector<size_t> linear;
  for (size_t i = 0, k = 0; i < a.x.size(); ++i) {
    if (!is_known[i]) {
      linear.push_back(i);
      continue;
    }
    bool carry = role_of(p, i) == Role::carry;
    known.push_back(carry ? Operand{Role::stream, ahead[k++]}
                          : Operand{role_of(p, i), a.x[i]});
    order.push_back({int64_t(i), {}});
  }
  for (size_t i : linear) order.push_back({int64_t(i), {}});
  size_t consts = 0, carries = 0;
  for (size_t i : linear) {
    consts += role_of(p, i) == Role::constant;
    carries += role_of(p, i) == Role::carry;
  }
  // Of the outputs: linear carries, and streams that have a cotangent.
  std::vector<size_t> outs;
  for (size_t i = 0; i < j.out.size(); ++i) {
    bool carry = out_role(p, i) == Role::carry;
    if (carry ? !is_known[size_t(p.num_consts) + i] : bool(a.ct[i]))
      outs.push_back(i);
  }
  size_t nk = known.size();
  TracedGraph back = transpose_jaxpr(rearranged(j, order, outs), nk);
  // (known, sums, carries, streams) -> (sums, carries, cotangents of streams)
  std::vector<Operand> in;
  add_consts(back, in);
  in.insert(in.end(), known.begin(), known.end());
  size_t first = in.size();
  for (size_t k = 0; k < consts; ++k)
    in.push_back({Role::carry, zeros_of(tangent_aval(a.avals[linear[k]]))});
  for (size_t i : outs)
    in.push_back(
        {out_role(p, i),
         a.ct[i] ? a.ct[i] : zeros_of(a.avals[size_t(p.num_consts) + i])});
  Avals types;
  for (size_t i = 0; i < in.size(); ++i) {
    Aval t = in[i].value.aval();
    if (in[i].role == Role::stream) t.shape.erase(t.shape.begin());
    t.weak_type = t.weak_type && i < first;  // not of cotangents
    types.push_back(std::move(t));
  }
  auto step = [&](std::span<const Value> x) {
    Values args(x.begin(), x.begin() + long(first));
    args.append(x.begin() + long(first + consts), x.end());
    Values ct = eval_jaxpr(*back.jaxpr, args);
    for (size_t k = 0; k < consts; ++k) ct[k] = add_any(x[first + k], ct[k]);
    return ct;
  };
  TracedGraph body = trace_to_jaxpr(step, types);
  std::vector<Operand> all;
  add_consts(body, all);
  all.insert(all.end(), in.begin(), in.end());
  std::vector<Role> roles(consts + carries, Role::carry);
  roles.resize(linear.size(), Role::stream);
  ScanParams reversed = p;
  reversed.reverse = !p.reverse;
  Values ct = bind_scan(body.jaxpr, all, roles, reversed);
  Values result(a.x.size());
  for (size_t k = 0; k < linear.size(); ++k)
    if (!a.x[linear[k]])
      result[linear[k]] =
          lax::convert(ct[k], ct[k].dtype(), a.avals[linear[k]].weak_type);
  return result;
}

// ---- batching

Batched scan_batch(const BatchArgs& a) {
  const ScanParams& p = P(a.params);
  std::vector<bool> batched, force;
  for (int64_t d : a.dims) batched.push_back(d != kNotBatched);
  BatchedJaxpr b;
  size_t nc = size_t(p.num_consts), n = size_t(p.num_carry);
  for (bool grown = true; grown;) {
    grown = false;
    force.assign(p.jaxpr->out.size(), false);
    for (size_t i = 0; i < n; ++i) force[i] = batched[nc + i];
    b = batch_jaxpr(p.jaxpr, a.axis(), batched, force);
    for (size_t i = 0; i < n; ++i)
      if (b.batched_out[i] && !batched[nc + i]) grown = batched[nc + i] = true;
  }
  std::vector<Operand> in;
  add_consts(b.graph, in);
  for (size_t i = 0; i < a.x.size(); ++i) {
    Role role = role_of(p, i);
    int64_t at = role == Role::stream ? 1 : 0;
    in.push_back(
        {role, batched[i] ? batch_to(a.x[i], a.dims[i], a.size, at) : a.x[i]});
  }
  std::vector<Role> out;
  Batched r;
  for (size_t i = 0; i < b.batched_out.size(); ++i) {
    out.push_back(out_role(p, i));
    int64_t at = out.back() == Role::stream ? 1 : 0;
    r.dims.push_back(b.batched_out[i] ? at : kNotBatched);
  }
  r.values = bind_scan(b.graph.jaxpr, in, out, p);
  return r;
}

// Carries that no used output needs go, and what only they need.
void scan_dce(Eqn& e, const std::vector<bool>& used_outputs) {
  ScanParams p = P(e.params);
  size_t nc = size_t(p.num_consts), n = size_t(p.num_carry);
  std::vector<bool> used = used_outputs;
  DceResult live;
  for (bool grown = true; grown;) {
    grown = false;
    live = dce(*p.jaxpr, used, false);
    for (size_t i = 0; i < n; ++i)
      if (live.used_inputs[nc + i] && !used[i]) grown = used[i] = true;
  }
  auto j = make_ref<Jaxpr>(*live.jaxpr);
  j->in.clear();
  SmallVector<Atom, 3> in;
  int64_t consts = 0, carries = 0;
  for (size_t i = 0; i < e.in.size(); ++i) {
    Role role = role_of(p, i);
    bool keep = role == Role::carry ? used[i - nc] : live.used_inputs[i];
    if (!keep) continue;
    in.push_back(e.in[i]);
    j->in.push_back(p.jaxpr->in[i]);
    consts += role == Role::constant;
    carries += role == Role::carry;
  }
  SmallVector<Var, 1> out;
  for (size_t i = 0; i < e.out.size(); ++i)
    if (used[i]) out.push_back(e.out[i]);
  p.jaxpr = j;
  p.num_consts = consts;
  p.num_carry = carries;
  e.params = std::move(p);
  e.in = std::move(in);
  e.out = std::move(out);
}

}  // namespace

constinit const Primitive scan_p = {
    .name = "scan",
    .params = params_of<ScanParams>,
    .type = scan_type,
    .jvp = scan_jvp,
    .linearize = scan_linearize,
    .transpose = scan_transpose,
    .batch = scan_batch,
    .control =
        [](const Params& params) {
          const ScanParams& p = P(params);
          Control c;
          c.body = p.jaxpr;
          c.trips = p.length;
          c.reverse = p.reverse;
          c.body_consts = int32_t(p.num_consts);
          c.carries = int32_t(p.num_carry);
          return c;
        },
    .hlo = hlo::loop,
    .impl = scan_impl,
    .dce = scan_dce,
    .effects = [](const Params& p) { return P(p).jaxpr->effects; },
};
COTAN_REGISTER(scan_p);

Values ops::bind_scan(const JaxprRef& body, std::span<const Operand> in,
                      std::span<const Role> out, const ScanParams& like) {
  COTAN_CHECK(body->in.size() == in.size() && body->out.size() == out.size());
  ScanParams p;
  p.length = like.length;
  p.reverse = like.reverse;
  p.unroll = like.unroll;
  Values x;
  std::vector<NewInput> inputs;
  for (Role role : {Role::constant, Role::carry, Role::stream})
    for (size_t i = 0; i < in.size(); ++i) {
      if (in[i].role != role) continue;
      inputs.push_back({int64_t(i), {}});
      x.push_back(in[i].value);
      p.num_consts += role == Role::constant;
      p.num_carry += role == Role::carry;
    }
  std::vector<size_t> outputs;
  for (Role role : {Role::carry, Role::stream})
    for (size_t i = 0; i < out.size(); ++i)
      if (out[i] == role) outputs.push_back(i);
  bool in_order = std::is_sorted(outputs.begin(), outputs.end());
  for (size_t i = 0; i < inputs.size(); ++i)
    in_order &= inputs[i].from == int64_t(i);
  p.jaxpr = in_order ? body : rearranged(*body, inputs, outputs);
  Values y = bind_all(scan_p, x, p);
  Values result(out.size());
  for (size_t k = 0; k < outputs.size(); ++k) result[outputs[k]] = y[k];
  return result;
}

}  // namespace cotan
