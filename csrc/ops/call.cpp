// Nested jit: an equation that holds a jaxpr. Its rules transform the jaxpr.
#include <algorithm>

#include "emit/hlo.h"
#include "ops/rules.h"

namespace cotan {

using namespace ops;

extern const Primitive jit_p;

namespace {

const CallParams& P(const Params& p) { return p.as<CallParams>(); }

// Binds a call of g on its constants and the given operands.
Values bind_call(const TracedGraph& g, std::span<const Value> args,
                 const std::string& name, int64_t num_known = 0) {
  Values x = g.consts;
  x.append(args.begin(), args.end());
  if (num_known) num_known += int64_t(g.consts.size());
  return bind_all(jit_p, x, CallParams{g.jaxpr, name, num_known});
}

Avals call_type(const TypeArgs& a) {
  const Jaxpr& j = *P(a.params).jaxpr;
  Avals want = j.in_avals();
  bool same = want.size() == a.in.size();
  for (size_t i = 0; same && i < want.size(); ++i)
    same = same_layout(want[i], a.in[i]);
  COTAN_CHECK(same);
  return j.out_avals();
}

Dual call_jvp(const JvpArgs& a) {
  std::vector<bool> nonzero;
  Values x(a.x.begin(), a.x.end());
  for (const Value& t : a.t) {
    nonzero.push_back(bool(t));
    if (t) x.push_back(t);
  }
  JvpJaxpr j = jvp_jaxpr(P(a.params).jaxpr, nonzero);
  Values out = bind_call(j.graph, x, P(a.params).name);
  Dual d;
  size_t n = j.nonzero_out.size(), k = n;
  for (size_t i = 0; i < n; ++i) {
    d.primals.push_back(out[i]);
    d.tangents.push_back(j.nonzero_out[i] ? out[k++] : nullptr);
  }
  return d;
}

class CallTangent final : public TangentFn {
 public:
  CallTangent(LinearizedJaxpr lin, Values residuals, std::string name)
      : lin_(std::move(lin)),
        residuals_(std::move(residuals)),
        name_(std::move(name)) {}
  Values apply(std::span<const Value> t) override {
    Values out(lin_.nonzero_out.size());
    if (std::find(lin_.nonzero_out.begin(), lin_.nonzero_out.end(), true) ==
        lin_.nonzero_out.end())
      return out;
    Values x = residuals_;
    for (const Value& v : t)
      if (v) x.push_back(v);
    Values y = bind_all(
        jit_p, x, CallParams{lin_.tangent, name_, int64_t(residuals_.size())});
    size_t k = 0;
    for (size_t i = 0; i < out.size(); ++i)
      if (lin_.nonzero_out[i]) out[i] = std::move(y[k++]);
    return out;
  }

 private:
  LinearizedJaxpr lin_;
  Values residuals_;
  std::string name_;
};

Linearized call_linearize(const LinearizeArgs& a) {
  std::vector<bool> nonzero(a.nonzero.begin(), a.nonzero.end());
  LinearizedJaxpr lin = linearize_jaxpr(P(a.params).jaxpr, nonzero);
  Values out = bind_call(lin.forward, a.x, P(a.params).name);
  size_t n = out.size() - lin.num_residuals;
  Values residuals(out.begin() + n, out.end());
  out.resize(n);
  return {std::move(out),
          std::make_unique<CallTangent>(std::move(lin), std::move(residuals),
                                        P(a.params).name)};
}

Values call_transpose(const TransposeArgs& a) {
  const CallParams& p = P(a.params);
  TransposedCall t = transposed_call(p.jaxpr, a);
  return t.spread(bind_call(t.graph, t.operands, p.name), a.x.size());
}

Batched call_batch(const BatchArgs& a) {
  std::vector<bool> batched;
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i) {
    batched.push_back(a.dims[i] != kNotBatched);
    x.push_back(batched.back() ? batch_to_front(a.x[i], a.dims[i], a.size)
                               : a.x[i]);
  }
  BatchedJaxpr b = batch_jaxpr(P(a.params).jaxpr, a.axis(), batched);
  Batched r{bind_call(b.graph, x, P(a.params).name, P(a.params).num_known), {}};
  for (bool is_batched : b.batched_out)
    r.dims.push_back(is_batched ? 0 : kNotBatched);
  return r;
}

void call_dce(Eqn& e, const std::vector<bool>& used) {
  const CallParams& p = P(e.params);
  DceResult r = dce(*p.jaxpr, used, /*drop_unused_inputs=*/true);
  int64_t known = 0;
  SmallVector<Atom, 3> in;
  for (size_t i = 0; i < e.in.size(); ++i) {
    if (!r.used_inputs[i]) continue;
    in.push_back(e.in[i]);
    known += int64_t(i) < p.num_known;
  }
  SmallVector<Var, 1> out;
  for (size_t i = 0; i < e.out.size(); ++i)
    if (used[i]) out.push_back(e.out[i]);
  e.params = CallParams{r.jaxpr, p.name, known};
  e.in = std::move(in);
  e.out = std::move(out);
}

}  // namespace

constinit const Primitive jit_p = {
    .name = "jit",
    .params = params_of<CallParams>,
    .type = call_type,
    .jvp = call_jvp,
    .linearize = call_linearize,
    .transpose = call_transpose,
    .batch = call_batch,
    .inlined = [](const Params& p) { return P(p).jaxpr; },
    .hlo =
        [](const HloArgs& a) {
          return a.b.call(P(a.params).jaxpr, P(a.params).name, a.in);
        },
    .dce = call_dce,
    .effects = [](const Params& p) { return P(p).jaxpr->effects; },
};
COTAN_REGISTER(jit_p);

Values lax::call(const JaxprRef& j, std::span<const Value> args,
                 const std::string& name) {
  return bind_all(jit_p, args, CallParams{j, name, 0});
}

}  // namespace cotan
