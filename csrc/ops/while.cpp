// while: a loop until a predicate fails. Forward mode carries tangents along;
// linearized, the tangent program runs the loop again with them, so nothing is
// stored per iteration, and there is no transpose.
#include "ops/control.h"
#include "ops/hlo_rules.h"

namespace cotan {

using namespace ops;

extern const Primitive while_p;

namespace {

const WhileParams& P(const Params& p) { return p.as<WhileParams>(); }

// The operands by role.
struct Parts {
  std::span<const Value> cond_consts, body_consts, carry;
};
Parts parts_of(const WhileParams& p, std::span<const Value> x) {
  size_t c = size_t(p.cond_consts), b = size_t(p.body_consts);
  return {x.first(c), x.subspan(c, b), x.subspan(c + b)};
}
Values joined(std::initializer_list<std::span<const Value>> parts) {
  Values out;
  for (auto p : parts) out.append(p.begin(), p.end());
  return out;
}

Avals while_type(const TypeArgs& a) {
  const WhileParams& p = P(a.params);
  size_t c = size_t(p.cond_consts), b = size_t(p.body_consts);
  COTAN_CHECK(a.in.size() >= c + b);
  SmallVector<Aval, 4> cond_in(a.in.first(c)), body_in(a.in.subspan(c));
  cond_in.append(a.in.begin() + long(c + b), a.in.end());
  check_operands(a, *p.cond, 0, cond_in);
  check_operands(a, *p.body, 0, body_in);
  Avals out = p.body->out_avals();
  COTAN_CHECK(out.size() + c + b == a.in.size());
  for (size_t i = 0; i < out.size(); ++i)
    if (!same_layout(out[i], a.in[c + b + i]))
      throw_type("[while] carry ", i, " goes in as ", a.in[c + b + i],
                 " and comes out as ", out[i]);
  return out;
}

Values while_impl(const Params& params, std::span<const Value> x) {
  const WhileParams& p = P(params);
  Parts s = parts_of(p, x);
  Values carry(s.carry.begin(), s.carry.end());
  for (;;) {
    Value more = eval_jaxpr(*p.cond, joined({s.cond_consts, carry}))[0];
    if (!*static_cast<const bool*>(more->host_data())) return carry;
    carry = eval_jaxpr(*p.body, joined({s.body_consts, carry}));
  }
}

// ---- forward mode

// The loop with tangents beside the carries that have one.
struct TangentLoop {
  WhileParams params;
  Values consts;                  // of the body's jvp itself
  std::vector<bool> nonzero;      // constants of body, carries
  std::vector<bool> nonzero_out;  // carries
};

TangentLoop with_tangents(const WhileParams& p, std::vector<bool> nonzero) {
  size_t b = size_t(p.body_consts), n = nonzero.size() - b;
  JvpJaxpr j;
  TangentLoop t;
  for (bool grown = true; grown;) {
    t.nonzero_out.assign(nonzero.begin() + long(b), nonzero.end());
    j = jvp_jaxpr(p.body, nonzero, t.nonzero_out);
    grown = false;
    for (size_t i = 0; i < n; ++i)
      if (j.nonzero_out[i] && !nonzero[b + i]) grown = nonzero[b + i] = true;
  }
  // (consts, body consts, carry, t body consts, t carry)
  size_t c = j.graph.consts.size(), tb = 0;
  for (size_t i = 0; i < b; ++i) tb += nonzero[i];
  std::vector<NewInput> order;
  auto take = [&](size_t first, size_t count) {
    for (size_t i = 0; i < count; ++i)
      order.push_back({int64_t(first + i), {}});
  };
  take(0, c + b);
  take(c + b + n, tb);
  take(c + b, n);
  take(c + b + n + tb, j.graph.jaxpr->in.size() - (c + b + n + tb));
  const Jaxpr& body = *j.graph.jaxpr;
  t.params = p;
  t.params.body = rearranged(body, order, first_n(body.out.size()));
  t.params.body_consts = int64_t(c + b + tb);
  std::vector<NewInput> cond = same_inputs(p.cond->in.size());
  for (size_t i = c + b + n + tb; i < body.in.size(); ++i)
    cond.push_back({-1, body.avals[size_t(body.in[i])]});
  t.params.cond = rearranged(*p.cond, cond, first_n(1));
  t.consts = j.graph.consts;
  t.nonzero = std::move(nonzero);
  return t;
}

// All outputs: the carries, then the tangents that there are.
Values bind_tangents(const TangentLoop& t, const WhileParams& p,
                     std::span<const Value> x, std::span<const Value> ts) {
  Parts s = parts_of(p, x);
  size_t c = size_t(p.cond_consts), b = s.body_consts.size();
  Values in = joined({s.cond_consts, t.consts, s.body_consts});
  auto tangents = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i)
      if (t.nonzero[i])
        in.push_back(ts[c + i] ? ts[c + i] : zeros_like(x[c + i]));
  };
  tangents(0, b);
  in.append(s.carry.begin(), s.carry.end());
  tangents(b, t.nonzero.size());
  return bind_all(while_p, in, t.params);
}

std::vector<bool> without_first(std::vector<bool> v, int64_t n) {
  v.erase(v.begin(), v.begin() + n);
  return v;
}

Dual while_jvp(const JvpArgs& a) {
  const WhileParams& p = P(a.params);
  TangentLoop t =
      with_tangents(p, without_first(nonzero_of(a.t), p.cond_consts));
  Values y = bind_tangents(t, p, a.x, a.t);
  Dual d;
  size_t n = t.nonzero_out.size();
  for (size_t i = 0, k = n; i < n; ++i) {
    d.primals.push_back(y[i]);
    d.tangents.push_back(t.nonzero_out[i] ? y[k++] : nullptr);
  }
  return d;
}

class WhileTangent final : public TangentFn {
 public:
  WhileTangent(TangentLoop t, WhileParams p, Values x)
      : loop_(std::move(t)), params_(std::move(p)), x_(std::move(x)) {}
  Values apply(std::span<const Value> t) override {
    Values y = bind_tangents(loop_, params_, x_, t);
    Values out;
    size_t k = loop_.nonzero_out.size();
    for (bool nz : loop_.nonzero_out) out.push_back(nz ? y[k++] : nullptr);
    return out;
  }

 private:
  TangentLoop loop_;
  WhileParams params_;
  Values x_;
};

Linearized while_linearize(const LinearizeArgs& a) {
  const WhileParams& p = P(a.params);
  std::vector<bool> nonzero(a.nonzero.begin(), a.nonzero.end());
  Values y = bind_all(while_p, a.x, a.params);
  TangentLoop t = with_tangents(p, without_first(nonzero, p.cond_consts));
  return {std::move(y), std::make_unique<WhileTangent>(
                            std::move(t), p, Values(a.x.begin(), a.x.end()))};
}

Values while_transpose(const TransposeArgs&) {
  throw_value(
      "Reverse-mode differentiation does not work for lax.while_loop or "
      "lax.fori_loop with dynamic start/stop values. Try using lax.scan, or "
      "using fori_loop with static start/stop, or lax.checkpointed_while, "
      "which keeps a bounded number of iterations and recomputes the others.");
}

// ---- batching

// A predicate of its own for each element: the loop runs while any holds, and
// elements that are done keep their carries.
Batched masked_loop(const BatchArgs& a, const WhileParams& p,
                    std::vector<bool> cond_batched,
                    std::vector<bool> body_batched) {
  size_t c = size_t(p.cond_consts), b = size_t(p.body_consts);
  size_t n = a.x.size() - c - b;
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i) {
    bool batched = i < c ? cond_batched[i] : body_batched[i - c];
    x.push_back(batched ? batch_to_front(a.x[i], a.dims[i], a.size) : a.x[i]);
  }
  BatchedJaxpr cond = batch_jaxpr(p.cond, a.axis(), cond_batched, {true});
  BatchedJaxpr body =
      batch_jaxpr(p.body, a.axis(), body_batched, std::vector<bool>(n, true));
  Parts s = parts_of(p, x);
  Values cond_consts = joined({cond.graph.consts, s.cond_consts});
  Values first = joined({cond_consts, s.carry});
  Value mask = eval_jaxpr(*cond.graph.jaxpr, first)[0];
  // cond: (mask, carry) -> any(mask)
  Avals carry_types{mask.aval()};
  for (const Value& v : s.carry) carry_types.push_back(v.aval());
  carry_types[0].weak_type = false;
  TracedGraph any = trace_to_jaxpr(
      [&](std::span<const Value> v) {
        return Values{lax::reduce(v[0], Monoid::or_, {0})};
      },
      carry_types);
  // body: (cond consts, body consts, mask, carry) -> (mask, carry)
  Values body_consts = joined({body.graph.consts, s.body_consts});
  Values consts = joined({cond_consts, body_consts});
  Avals types = avals_of(consts);
  types.append(carry_types.begin(), carry_types.end());
  size_t nc = cond_consts.size(), nb = body_consts.size();
  TracedGraph step = trace_to_jaxpr(
      [&](std::span<const Value> v) {
        auto carry = v.subspan(nc + nb + 1);
        const Value& live = v[nc + nb];
        Values y =
            eval_jaxpr(*body.graph.jaxpr, joined({v.subspan(nc, nb), carry}));
        for (size_t i = 0; i < n; ++i) y[i] = select_rows(live, y[i], carry[i]);
        Value more = eval_jaxpr(*cond.graph.jaxpr, joined({v.first(nc), y}))[0];
        y.insert(y.begin(), lax::bitwise_and(live, more));
        return y;
      },
      types);
  COTAN_CHECK(any.consts.empty());
  WhileParams q;
  q.cond = any.jaxpr;
  q.body = step.jaxpr;
  q.body_consts = int64_t(step.consts.size() + nc + nb);
  Value masks[] = {mask};
  Values y =
      bind_all(while_p, joined({step.consts, consts, masks, s.carry}), q);
  Batched r;
  r.values.append(y.begin() + 1, y.end());
  r.dims.assign(n, 0);
  return r;
}

Batched while_batch(const BatchArgs& a) {
  const WhileParams& p = P(a.params);
  size_t c = size_t(p.cond_consts), b = size_t(p.body_consts);
  size_t n = a.x.size() - c - b;
  std::vector<bool> batched;
  for (int64_t d : a.dims) batched.push_back(d != kNotBatched);
  std::vector<bool> cond_in, body_in, carry;
  BatchedJaxpr cond, body;
  for (;;) {
    carry.assign(batched.begin() + long(c + b), batched.end());
    cond_in.assign(batched.begin(), batched.begin() + long(c));
    cond_in.insert(cond_in.end(), carry.begin(), carry.end());
    body_in.assign(batched.begin() + long(c), batched.end());
    cond = batch_jaxpr(p.cond, a.axis(), cond_in);
    body = batch_jaxpr(p.body, a.axis(), body_in, carry);
    bool grown = false;
    for (size_t i = 0; i < n; ++i)
      if ((body.batched_out[i] || cond.batched_out[0]) && !batched[c + b + i])
        grown = batched[c + b + i] = true;
    if (!grown) break;
  }
  if (cond.batched_out[0]) {
    if ((p.cond->effects | p.body->effects) & kIoEffect)
      throw_not_implemented(
          "[vmap] IO effect not supported in while_loop with batched "
          "predicate: an io_callback would also be called for elements that "
          "are done");
    if (p.cond->effects & kOrderedEffect || p.body->effects & kOrderedEffect)
      throw_not_implemented(
          "[vmap] ordered effects in a while loop whose "
          "predicate is batched");
    return masked_loop(a, p, cond_in, body_in);
  }
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i)
    x.push_back(batched[i] ? batch_to_front(a.x[i], a.dims[i], a.size)
                           : a.x[i]);
  Parts s = parts_of(p, x);
  WhileParams q;
  q.cond = cond.graph.jaxpr;
  q.body = body.graph.jaxpr;
  q.cond_consts = int64_t(cond.graph.consts.size() + c);
  q.body_consts = int64_t(body.graph.consts.size() + b);
  Batched r;
  r.values = bind_all(while_p,
                      joined({cond.graph.consts, s.cond_consts,
                              body.graph.consts, s.body_consts, s.carry}),
                      q);
  for (bool is_batched : carry) r.dims.push_back(is_batched ? 0 : kNotBatched);
  return r;
}

// Carries that neither a used output nor the predicate needs go.
void while_dce(Eqn& e, const std::vector<bool>& used_outputs) {
  WhileParams p = P(e.params);
  size_t c = size_t(p.cond_consts), b = size_t(p.body_consts);
  size_t n = e.out.size();
  std::vector<bool> used = used_outputs;
  DceResult cond = dce(*p.cond, {}, false), body;
  for (size_t i = 0; i < n; ++i)
    if (cond.used_inputs[c + i]) used[i] = true;
  for (bool grown = true; grown;) {
    grown = false;
    body = dce(*p.body, used, false);
    for (size_t i = 0; i < n; ++i)
      if (body.used_inputs[b + i] && !used[i]) grown = used[i] = true;
  }
  SmallVector<Atom, 3> in;
  std::vector<NewInput> cond_in, body_in;
  int64_t cond_consts = 0, body_consts = 0;
  for (size_t i = 0; i < c; ++i)
    if (cond.used_inputs[i]) {
      in.push_back(e.in[i]);
      cond_in.push_back({int64_t(i), {}});
      ++cond_consts;
    }
  for (size_t i = 0; i < b; ++i)
    if (body.used_inputs[i]) {
      in.push_back(e.in[c + i]);
      body_in.push_back({int64_t(i), {}});
      ++body_consts;
    }
  SmallVector<Var, 1> out;
  for (size_t i = 0; i < n; ++i) {
    if (!used[i]) continue;
    in.push_back(e.in[c + b + i]);
    out.push_back(e.out[i]);
    cond_in.push_back({int64_t(c + i), {}});
    body_in.push_back({int64_t(b + i), {}});
  }
  p.cond = rearranged(*cond.jaxpr, cond_in, first_n(1));
  p.body = rearranged(*body.jaxpr, body_in, first_n(out.size()));
  p.cond_consts = cond_consts;
  p.body_consts = body_consts;
  e.params = std::move(p);
  e.in = std::move(in);
  e.out = std::move(out);
}

}  // namespace

constinit const Primitive while_p = {
    .name = "while",
    .params = params_of<WhileParams>,
    .type = while_type,
    .jvp = while_jvp,
    .linearize = while_linearize,
    .transpose = while_transpose,
    .batch = while_batch,
    .control =
        [](const Params& params) {
          const WhileParams& p = P(params);
          Control c;
          c.cond = p.cond;
          c.body = p.body;
          c.cond_consts = int32_t(p.cond_consts);
          c.body_consts = int32_t(p.body_consts);
          c.carries = int32_t(p.body->out.size());
          return c;
        },
    .hlo = hlo::loop,
    .impl = while_impl,
    .dce = while_dce,
    .effects =
        [](const Params& p) { return P(p).cond->effects | P(p).body->effects; },
};
COTAN_REGISTER(while_p);

Values lax::while_loop(const TracedGraph& cond, const TracedGraph& body,
                       std::span<const Value> init) {
  // A carry that the body hands on unchanged and the predicate does not read
  // is a constant of the body.
  const Jaxpr& j = *body.jaxpr;
  size_t c = cond.consts.size(), b = body.consts.size(), n = init.size();
  DceResult live = dce(*cond.jaxpr, {}, false);
  std::vector<bool> moves(n);
  std::vector<NewInput> cond_in, body_in;
  std::vector<size_t> outs;
  Values x = cond.consts, fixed, carry;
  for (size_t i = 0; i < c; ++i) cond_in.push_back({int64_t(i), {}});
  for (size_t i = 0; i < b; ++i) body_in.push_back({int64_t(i), {}});
  for (size_t i = 0; i < n; ++i) {
    moves[i] = j.out[i] == Atom::var(j.in[b + i]) && !live.used_inputs[c + i];
    if (!moves[i]) continue;
    body_in.push_back({int64_t(b + i), {}});
    fixed.push_back(init[i]);
  }
  for (size_t i = 0; i < n; ++i) {
    if (moves[i]) continue;
    body_in.push_back({int64_t(b + i), {}});
    cond_in.push_back({int64_t(c + i), {}});
    carry.push_back(init[i]);
    outs.push_back(i);
  }
  WhileParams p;
  bool any = outs.size() < n;
  p.cond = any ? rearranged(*cond.jaxpr, cond_in, first_n(1)) : cond.jaxpr;
  p.body = any ? rearranged(j, body_in, outs) : body.jaxpr;
  p.cond_consts = int64_t(c);
  p.body_consts = int64_t(b + fixed.size());
  Values y =
      bind_all(while_p, joined({cond.consts, body.consts, fixed, carry}), p);
  Values out(init.begin(), init.end());
  for (size_t k = 0; k < outs.size(); ++k) out[outs[k]] = y[k];
  return out;
}

}  // namespace cotan
