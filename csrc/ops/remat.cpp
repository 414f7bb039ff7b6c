// checkpoint: a call whose derivative recomputes. Linearized, its tangent
// program holds the recomputation behind a barrier; transposed, that part runs
// forward first, so no rule of its own is needed.
#include "ops/remat.h"

#include <algorithm>

#include "ops/hlo_rules.h"

namespace cotan {

using namespace ops;

extern const Primitive checkpoint_p, optimization_barrier_p, name_p;

namespace {

struct RematParams {
  JaxprRef jaxpr;
  bool prevent_cse = true;
  bool differentiated = false;
  OpaqueRef policy;
  static constexpr auto fields() {
    return std::tuple{field("jaxpr", &RematParams::jaxpr),
                      field("prevent_cse", &RematParams::prevent_cse),
                      field("differentiated", &RematParams::differentiated),
                      field("policy", &RematParams::policy)};
  }
};
const RematParams& P(const Params& p) { return p.as<RematParams>(); }

Values bind_remat(const TracedGraph& g, std::span<const Value> args,
                  const RematParams& like) {
  Values x = g.consts;
  x.append(args.begin(), args.end());
  RematParams p = like;
  p.jaxpr = g.jaxpr;
  return bind_all(checkpoint_p, x, p);
}

Avals remat_type(const TypeArgs& a) {
  check_operands(a, *P(a.params).jaxpr, 0, a.in);
  return P(a.params).jaxpr->out_avals();
}

Dual remat_jvp(const JvpArgs& a) {
  JvpJaxpr j = jvp_jaxpr(P(a.params).jaxpr, nonzero_of(a.t));
  Values x(a.x.begin(), a.x.end());
  for (const Value& t : a.t)
    if (t) x.push_back(t);
  Values y = bind_remat(j.graph, x, P(a.params));
  Dual d;
  for (size_t i = 0, k = j.nonzero_out.size(); i < j.nonzero_out.size(); ++i) {
    d.primals.push_back(y[i]);
    d.tangents.push_back(j.nonzero_out[i] ? y[k++] : nullptr);
  }
  return d;
}

// j with the calls in it (nested jits, custom rules) replaced by what they do:
// so a policy sees every equation.
Values eval_flat(const Jaxpr& j, std::span<const Value> args) {
  std::vector<Value> env(j.avals.size());
  for (size_t i = 0; i < args.size(); ++i) env[size_t(j.in[i])] = args[i];
  auto read = [&](Atom a) -> Value {
    if (a.is_var()) return env[size_t(a.id)];
    return scalar_value(j.literals[size_t(a.literal_index())]);
  };
  for (const Eqn& e : j.eqns) {
    Values in;
    for (Atom a : e.in) in.push_back(read(a));
    JaxprRef inner = e.prim->inlined ? e.prim->inlined(e.params) : nullptr;
    Values out =
        inner ? eval_flat(*inner, in) : bind_all(*e.prim, in, e.params);
    for (size_t i = 0; i < out.size(); ++i) env[size_t(e.out[i])] = out[i];
  }
  Values out;
  for (Atom a : j.out) out.push_back(read(a));
  return out;
}

// A forward program split by a policy: `forward` gives the results, then what
// is saved; `recompute` takes the inputs, then what was saved, and gives the
// residuals.
struct Split {
  JaxprRef forward, recompute;
  size_t num_saved = 0;
};

Split split_by_policy(const Jaxpr& f, size_t num_primals,
                      const SavePolicy* policy) {
  std::vector<Var> saved;
  auto rest = make_ref<Jaxpr>(f);
  rest->eqns.clear();
  for (const Eqn& e : f.eqns) {
    Avals in;
    for (Atom a : e.in) in.push_back(f.aval(a));
    if (policy && policy->saves(e, in))
      saved.insert(saved.end(), e.out.begin(), e.out.end());
    else
      rest->eqns.push_back(e);
  }
  rest->in.insert(rest->in.end(), saved.begin(), saved.end());
  std::vector<bool> residuals(f.out.size(), true);
  std::fill_n(residuals.begin(), num_primals, false);
  DceResult live = dce(*rest, residuals, false);
  Split s;
  auto recompute = make_ref<Jaxpr>(*live.jaxpr);
  auto forward = make_ref<Jaxpr>(f);
  forward->out.resize(num_primals);
  recompute->in.resize(f.in.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    if (!live.used_inputs[f.in.size() + i]) continue;
    recompute->in.push_back(saved[i]);
    forward->out.push_back(Atom::var(saved[i]));
    ++s.num_saved;
  }
  s.forward = dce(*forward, {}, false).jaxpr;
  s.recompute = recompute;
  return s;
}

class RematTangent final : public TangentFn {
 public:
  JaxprRef recompute, tangent;
  Values known;  // what recompute takes
  RematParams params;
  std::vector<bool> nonzero_out;

  Values apply(std::span<const Value> t) override {
    Values out(nonzero_out.size()), x = known;
    if (tangent->out.empty()) return out;
    for (const Value& v : t)
      if (v) x.push_back(v);
    size_t n = known.size();
    auto run = [&](std::span<const Value> a) {
      Values in(a.first(n));
      if (params.prevent_cse) in = lax::optimization_barrier(in);
      Values y = eval_jaxpr(*recompute, in);
      y.append(a.begin() + long(n), a.end());
      return eval_jaxpr(*tangent, y);
    };
    TracedGraph g = trace_to_jaxpr(run, avals_of(x));
    Values y = bind_remat(g, x, params);
    for (size_t i = 0, k = 0; i < out.size(); ++i)
      if (nonzero_out[i]) out[i] = y[k++];
    return out;
  }
};

Linearized remat_linearize(const LinearizeArgs& a) {
  const RematParams& p = P(a.params);
  std::vector<bool> nonzero(a.nonzero.begin(), a.nonzero.end());
  LinearizedJaxpr lin = linearize_jaxpr(p.jaxpr, nonzero);
  auto* policy = static_cast<const SavePolicy*>(p.policy.get());
  size_t n = lin.nonzero_out.size();
  TracedGraph flat = lin.forward;
  if (policy) {
    const Jaxpr& f = *lin.forward.jaxpr;
    flat = trace_to_jaxpr(
        [&](std::span<const Value> x) { return eval_flat(f, x); },
        f.in_avals());
    flat.consts.append(lin.forward.consts.begin(), lin.forward.consts.end());
  }
  Split s = split_by_policy(*flat.jaxpr, n, policy);
  auto t = std::make_unique<RematTangent>();
  t->known = flat.consts;
  t->known.append(a.x.begin(), a.x.end());
  Values y;
  if (policy) {
    y = bind_remat({s.forward, {}}, t->known, p);
    for (size_t i = n; i < y.size(); ++i) t->known.push_back(y[i]);
    y.resize(n);
  } else {
    y = bind_all(checkpoint_p, a.x, a.params);
  }
  t->recompute = s.recompute;
  t->tangent = lin.tangent;
  t->params = p;
  t->params.differentiated = true;
  t->nonzero_out = lin.nonzero_out;
  return {std::move(y), std::move(t)};
}

Values remat_transpose(const TransposeArgs& a) {
  const RematParams& p = P(a.params);
  TransposedCall t = transposed_call(p.jaxpr, a);
  return t.spread(bind_remat(t.graph, t.operands, p), a.x.size());
}

Batched remat_batch(const BatchArgs& a) {
  std::vector<bool> batched;
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i) {
    batched.push_back(a.dims[i] != kNotBatched);
    x.push_back(batched.back() ? batch_to_front(a.x[i], a.dims[i], a.size)
                               : a.x[i]);
  }
  BatchedJaxpr b = batch_jaxpr(P(a.params).jaxpr, a.axis(), batched);
  Batched r{bind_remat(b.graph, x, P(a.params)), {}};
  for (bool is_batched : b.batched_out)
    r.dims.push_back(is_batched ? 0 : kNotBatched);
  return r;
}

void remat_dce(Eqn& e, const std::vector<bool>& used) {
  RematParams p = P(e.params);
  DceResult r = dce(*p.jaxpr, used, /*drop_unused_inputs=*/true);
  SmallVector<Atom, 3> in;
  for (size_t i = 0; i < e.in.size(); ++i)
    if (r.used_inputs[i]) in.push_back(e.in[i]);
  SmallVector<Var, 1> out;
  for (size_t i = 0; i < e.out.size(); ++i)
    if (used[i]) out.push_back(e.out[i]);
  p.jaxpr = r.jaxpr;
  e.params = std::move(p);
  e.in = std::move(in);
  e.out = std::move(out);
}

// ---- barriers and names

Values same(const Params&, std::span<const Value> x) { return Values(x); }

Values present(std::span<const Value> x) {
  Values out;
  for (const Value& v : x)
    if (v) out.push_back(v);
  return out;
}
// The non-null values behind a barrier of their own.
Values behind(std::span<const Value> x) {
  Values y = lax::optimization_barrier(present(x)), out;
  size_t k = 0;
  for (const Value& v : x) out.push_back(v ? y[k++] : nullptr);
  return out;
}

Batched keep_dims(const BatchArgs& a) {
  Batched b{bind_all(a.self, a.x, a.params), {}};
  b.dims.append(a.dims.begin(), a.dims.end());
  return b;
}

}  // namespace

constinit const Primitive checkpoint_p = {
    .name = "checkpoint",
    .params = params_of<RematParams>,
    .type = remat_type,
    .jvp = remat_jvp,
    .linearize = remat_linearize,
    .transpose = remat_transpose,
    .batch = remat_batch,
    .inlined = [](const Params& p) { return P(p).jaxpr; },
    .dce = remat_dce,
    .effects = [](const Params& p) { return P(p).jaxpr->effects; },
};
COTAN_REGISTER(checkpoint_p);

// Expanded after the other passes (kStageOnly): see simplify_jaxpr.
constinit const Primitive optimization_barrier_p = {
    .name = "optimization_barrier",
    .flags = kStageOnly,
    .type = [](const TypeArgs& a) { return Avals(a.in.begin(), a.in.end()); },
    .jvp = [](const JvpArgs& a) -> Dual {
      return {bind_all(a.self, a.x), behind(a.t)};
    },
    .transpose = [](const TransposeArgs& a) { return behind(a.ct); },
    .batch = keep_dims,
    .hlo = hlo::optimization_barrier,
    .expand = same,
    .impl = same,
};
COTAN_REGISTER(optimization_barrier_p);

constinit const Primitive name_p = {
    .name = "name",
    .params = params_of<NameParams>,
    .type = [](const TypeArgs& a) { return Avals(a.in.begin(), a.in.end()); },
    .jvp = [](const JvpArgs& a) -> Dual {
      return {bind_all(a.self, a.x, a.params), bind_all(a.self, a.t, a.params)};
    },
    .transpose = [](const TransposeArgs& a) { return Values(a.ct); },
    .batch = keep_dims,
    .expand = same,
};
COTAN_REGISTER(name_p);

Values lax::checkpoint(const JaxprRef& j, std::span<const Value> args,
                       bool prevent_cse, OpaqueRef policy) {
  return bind_all(checkpoint_p, args,
                  RematParams{j, prevent_cse, false, std::move(policy)});
}
Values lax::optimization_barrier(std::span<const Value> x) {
  return x.empty() ? Values() : bind_all(optimization_barrier_p, x);
}
Value lax::checkpoint_name(const Value& x, const std::string& name) {
  return bind1(name_p, {x}, NameParams{name});
}

}  // namespace cotan
