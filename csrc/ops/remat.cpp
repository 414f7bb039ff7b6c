// checkpoint: a call whose derivative recomputes. Linearized, its tangent
// program holds the recomputation behind a barrier; transposed, that part runs
// forward first, so no rule of its own is needed.
#include "ops/remat.h"

#include <algorithm>

#include "ops/hlo_rules.h"

namespace cotan {

using namespace ops;

extern const Primitive checkpoint_p, optimization_barrier_p, name_p, scan_p,
    cond_p;

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

bool has_calls(const Jaxpr& j) {
  return std::any_of(j.eqns.begin(), j.eqns.end(),
                     [](const Eqn& e) { return e.prim->inlined; });
}
JaxprRef flattened(const JaxprRef& j) {
  if (!has_calls(*j)) return j;
  TracedGraph g =
      trace_to_jaxpr([&](std::span<const Value> x) { return eval_flat(*j, x); },
                     j->in_avals());
  COTAN_CHECK(g.consts.empty());
  return g.jaxpr;
}

// A program in two: `forward` gives its results, then what the policy saves;
// `rest` takes its operands, then what was saved, and gives the results.
struct Halves {
  JaxprRef forward, rest;
  std::vector<Var> saved;  // numbers of both
  Avals types() const {
    Avals out;
    for (Var v : saved) out.push_back(forward->avals[size_t(v)]);
    return out;
  }
};

class Splitter {
 public:
  Splitter(JaxprRef j, const SavePolicy* policy)
      : j_(policy ? flattened(j) : j), policy_(policy) {
    h_.forward = make_ref<Jaxpr>(*j_);
    h_.rest = make_ref<Jaxpr>(*j_);
    eqns(h_.forward).clear();
    eqns(h_.rest).clear();
    for (const Eqn& e : j_->eqns) add(e);
    for (Var v : h_.saved) {
      jaxpr(h_.forward).out.push_back(Atom::var(v));
      jaxpr(h_.rest).in.push_back(v);
    }
  }
  Halves take() { return std::move(h_); }

 private:
  static Jaxpr& jaxpr(const JaxprRef& j) { return const_cast<Jaxpr&>(*j); }
  static std::vector<Eqn>& eqns(const JaxprRef& j) { return jaxpr(j).eqns; }

  void add(const Eqn& e) {
    Avals in;
    for (Atom a : e.in) in.push_back(j_->aval(a));
    if (policy_ && policy_->saves(e, in)) {
      eqns(h_.forward).push_back(e);
      h_.saved.insert(h_.saved.end(), e.out.begin(), e.out.end());
    } else if (!policy_ || !(add_scan(e) || add_cond(e))) {
      eqns(h_.forward).push_back(e);
      eqns(h_.rest).push_back(e);
    }
  }

  // The two parts of an equation: the first gives `extra` besides its
  // results, the second takes them.
  void add_parts(const Eqn& e, Params first, Params second,
                 const Avals& extra) {
    Eqn forward = e, rest = e;
    forward.params = std::move(first);
    rest.params = std::move(second);
    for (const Aval& a : extra) {
      auto v = Var(h_.forward->avals.size());
      jaxpr(h_.forward).avals.push_back(a);
      jaxpr(h_.rest).avals.push_back(a);
      forward.out.push_back(v);
      rest.in.push_back(Atom::var(v));
      h_.saved.push_back(v);
    }
    eqns(h_.forward).push_back(std::move(forward));
    eqns(h_.rest).push_back(std::move(rest));
  }

  // What a body saves is a stream out of one loop and into the other.
  bool add_scan(const Eqn& e) {
    if (e.prim != &scan_p) return false;
    const auto& p = e.params.as<ScanParams>();
    Halves body = Splitter(p.jaxpr, policy_).take();
    if (body.saved.empty()) return false;
    ScanParams first = p, second = p;
    first.jaxpr = body.forward;
    second.jaxpr = body.rest;
    Avals extra = body.types();
    for (Aval& a : extra) a.shape.insert(a.shape.begin(), p.length);
    add_parts(e, first, second, extra);
    return true;
  }

  // Zeros stand for what the other branches save.
  bool add_cond(const Eqn& e) {
    if (e.prim != &cond_p) return false;
    std::vector<Halves> branches;
    Avals extra;
    for (const JaxprRef& j : e.params.as<CondParams>().branches) {
      branches.push_back(Splitter(j, policy_).take());
      Avals types = branches.back().types();
      extra.append(types.begin(), types.end());
    }
    if (extra.empty()) return false;
    CondParams first, second;
    size_t begin = 0;
    for (const Halves& b : branches) {
      size_t end = begin + b.saved.size();
      Avals in = b.rest->in_avals();
      in.resize(in.size() - b.saved.size());
      size_t n = in.size();
      auto forward = [&](std::span<const Value> x) {
        Values y = eval_jaxpr(*b.forward, x), out(y);
        out.resize(y.size() - b.saved.size());
        size_t own = out.size();
        for (size_t i = 0; i < extra.size(); ++i)
          out.push_back(i >= begin && i < end ? y[own + i - begin]
                                              : zeros_of(extra[i]));
        return out;
      };
      first.branches.push_back(closed(trace_to_jaxpr(forward, in)));
      in.append(extra.begin(), extra.end());
      auto rest = [&](std::span<const Value> x) {
        Values y(x.first(n));
        y.append(x.begin() + long(n + begin), x.begin() + long(n + end));
        return eval_jaxpr(*b.rest, y);
      };
      second.branches.push_back(closed(trace_to_jaxpr(rest, in)));
      begin = end;
    }
    add_parts(e, first, second, extra);
    return true;
  }

  static JaxprRef closed(TracedGraph g) {
    COTAN_CHECK(g.consts.empty());
    return std::move(g.jaxpr);
  }

  JaxprRef j_;
  const SavePolicy* policy_;
  Halves h_;
};

// `forward` gives the results, then what is saved; `recompute` takes the
// inputs, then what was saved, and gives the residuals.
struct Split {
  JaxprRef forward, recompute;
};

Split split_by_policy(const JaxprRef& f, size_t num_primals,
                      const SavePolicy* policy) {
  Halves h = Splitter(f, policy).take();
  std::vector<bool> residuals(h.rest->out.size(), true);
  std::fill_n(residuals.begin(), num_primals, false);
  DceResult live = dce(*h.rest, residuals, false);
  auto recompute = make_ref<Jaxpr>(*live.jaxpr);
  auto forward = make_ref<Jaxpr>(*h.forward);
  size_t n = h.rest->in.size() - h.saved.size();
  forward->out.resize(num_primals);
  recompute->in.resize(n);
  for (size_t i = 0; i < h.saved.size(); ++i) {
    if (!live.used_inputs[n + i]) continue;
    recompute->in.push_back(h.saved[i]);
    forward->out.push_back(Atom::var(h.saved[i]));
  }
  return {dce(*forward, {}, false).jaxpr, recompute};
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
  Split s = split_by_policy(lin.forward.jaxpr, n, policy);
  auto t = std::make_unique<RematTangent>();
  t->known = lin.forward.consts;
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
