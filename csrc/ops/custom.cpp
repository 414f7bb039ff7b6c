// custom_jvp and custom_vjp: the user's rules ride in the ordinary slots, no
// trace knows about them. While a function is only evaluated or batched its
// own code runs; when it is recorded, `stage` traces it to a jaxpr.
#include "ops/custom_batch.h"

namespace cotan {

using namespace ops;

extern const Primitive custom_jvp_call_p, custom_vjp_call_p, custom_lin_p;

namespace {

const Callable& callable(const OpaqueRef& f) {
  return static_cast<const Callable&>(*f);
}

// fun, or once staged its jaxpr on all operands.
template <class P>
Values run_fun(const P& p, std::span<const Value> x) {
  return p.jaxpr ? eval_jaxpr(*p.jaxpr, x) : callable(p.fun).call(x);
}

template <class P>
Avals custom_type(const TypeArgs& a) {
  const P& p = a.params.as<P>();
  if (p.jaxpr) return p.jaxpr->out_avals();
  return trace_to_jaxpr(callable(p.fun), a.in).jaxpr->out_avals();
}

template <class P>
void custom_stage(GraphTrace&, Values& x, Params& params) {
  P p = params.as<P>();
  if (p.jaxpr) return;
  TracedGraph g = trace_to_jaxpr(callable(p.fun), avals_of(x));
  p.jaxpr = g.jaxpr;
  p.num_consts += int64_t(g.consts.size());
  g.consts.append(x.begin(), x.end());
  x = std::move(g.consts);
  params = Params(std::move(p));
}

// ---- custom_jvp

Values jvp_rule(const CustomJvpParams& p, std::span<const Value> x,
                std::span<const Value> t) {
  // Constants that staging made are not the rule's business.
  size_t skip = size_t(p.num_consts);
  Values args(x.begin() + long(skip), x.end());
  for (size_t i = skip; i < x.size(); ++i) {
    bool make_zero = !t[i] && !p.symbolic_zeros && is_inexact(x[i].dtype());
    args.push_back(make_zero ? zeros_like(x[i]) : t[i]);
  }
  return callable(p.jvp).call(args);
}

Dual custom_jvp_jvp(const JvpArgs& a) {
  const auto& p = a.params.as<CustomJvpParams>();
  Values out = jvp_rule(p, a.x, a.t);
  size_t n = out.size() / 2;
  return {Values(out.begin(), out.begin() + n),
          Values(out.begin() + n, out.end())};
}

// Of a function that a rule applies to tangents: it stands for its jaxpr, which
// must be linear in them.
Values custom_jvp_transpose(const TransposeArgs& a) {
  const JaxprRef& j = a.params.as<CustomJvpParams>().jaxpr;
  if (!j)
    throw_not_implemented("[vjp] custom_jvp_call was not traced to a jaxpr");
  TransposedCall t = transposed_call(j, a);
  Values x = t.graph.consts;
  x.append(t.operands.begin(), t.operands.end());
  return t.spread(eval_jaxpr(*t.graph.jaxpr, x), a.x.size());
}

Batched custom_jvp_batch(const BatchArgs& a) {
  CustomJvpParams p = a.params.as<CustomJvpParams>();
  auto how = make_ref<CustomBatch>(a, size_t(p.num_consts));
  p.fun = batched_part(CustomPart::function, p.fun, std::move(p.jaxpr), how);
  p.jvp = batched_part(CustomPart::jvp, p.jvp, nullptr, how);
  p.jaxpr = nullptr;
  return with_outputs(bind_all(a.self, fronts(a), p), *how);
}

// ---- custom_vjp

// What a linearized custom_vjp leaves: linear in its last operands, known
// only by its transpose.
struct CustomLinParams {
  OpaqueRef bwd;
  int64_t num_residuals = 0;
  std::vector<Aval> out;
  std::string name;
  bool symbolic_zeros = false;  // bwd takes null for a zero cotangent
  static constexpr auto fields() {
    return std::tuple{
        field("bwd", &CustomLinParams::bwd),
        field("num_res", &CustomLinParams::num_residuals),
        field("out_avals", &CustomLinParams::out),
        field("name", &CustomLinParams::name),
        field("symbolic_zeros", &CustomLinParams::symbolic_zeros)};
  }
};

class CustomVjpTangent final : public TangentFn {
 public:
  CustomVjpTangent(CustomLinParams p, Values residuals, Avals in)
      : params_(std::move(p)),
        residuals_(std::move(residuals)),
        in_(std::move(in)) {}
  Values apply(std::span<const Value> t) override {
    Values x = residuals_;
    size_t skip = t.size() - in_.size();  // staged constants have no rule
    for (size_t i = 0; i < in_.size(); ++i) {
      const Value& ti = t[skip + i];
      x.push_back(ti ? ti : zeros_of(tangent_aval(in_[i])));
    }
    return bind_all(custom_lin_p, x, params_);
  }

 private:
  CustomLinParams params_;
  Values residuals_;
  Avals in_;
};

Linearized custom_vjp_linearize(const LinearizeArgs& a) {
  const auto& p = a.params.as<CustomVjpParams>();
  std::span<const Value> args = a.x.subspan(size_t(p.num_consts));
  Values in(args);
  // Marks after the arguments: null for one that is not differentiated.
  if (p.symbolic_zeros)
    for (size_t i = 0; i < args.size(); ++i)
      in.push_back(a.nonzero[size_t(p.num_consts) + i] ? args[i] : nullptr);
  Values out = callable(p.fwd).call(in);
  // fwd marks the end of its outputs with a null.
  size_t n = 0;
  while (n < out.size() && out[n]) ++n;
  COTAN_CHECK(n < out.size());
  Values primals(out.begin(), out.begin() + n),
      residuals(out.begin() + n + 1, out.end());
  CustomLinParams lin{
      p.bwd, int64_t(residuals.size()), {}, p.name, p.symbolic_zeros};
  for (const Value& v : primals) lin.out.push_back(tangent_aval(v.aval()));
  return {std::move(primals),
          std::make_unique<CustomVjpTangent>(
              std::move(lin), std::move(residuals), avals_of(args))};
}

// Forward mode knows no rule, but nobody may look at the tangents: those of a
// loop's carry, say, of which only other ones are used.
Dual custom_vjp_jvp(const JvpArgs& a) {
  SmallVector<bool, 8> nonzero;
  for (const Value& t : a.t) nonzero.push_back(bool(t));
  Linearized l = custom_vjp_linearize({a.self, a.params, a.x, nonzero});
  return {std::move(l.primals), l.tangent->apply(a.t)};
}

[[noreturn]] void throw_forward(const std::string& name) {
  throw_type(
      "can't apply forward-mode autodiff (jvp) to a custom_vjp function: ",
      name, ". Use reverse mode (grad, vjp), or define it with custom_jvp");
}

Values custom_lin_transpose(const TransposeArgs& a) {
  const auto& p = a.params.as<CustomLinParams>();
  size_t nr = size_t(p.num_residuals);
  Values x(a.x.begin(), a.x.begin() + nr);
  for (size_t i = 0; i < a.ct.size(); ++i)
    x.push_back(a.ct[i] || p.symbolic_zeros ? a.ct[i] : zeros_of(p.out[i]));
  Values ct = callable(p.bwd).call(x);
  COTAN_CHECK(ct.size() == a.x.size() - nr);
  Values out(nr);
  out.append(ct.begin(), ct.end());
  for (size_t i = nr; i < out.size(); ++i)
    if (!is_inexact(a.avals[i].dtype)) out[i] = nullptr;
  return out;
}

Batched custom_vjp_batch(const BatchArgs& a) {
  CustomVjpParams p = a.params.as<CustomVjpParams>();
  auto how = make_ref<CustomBatch>(a, size_t(p.num_consts));
  p.fun = batched_part(CustomPart::function, p.fun, std::move(p.jaxpr), how);
  p.fwd = batched_part(CustomPart::fwd, p.fwd, nullptr, how);
  p.bwd = batched_part(CustomPart::bwd, p.bwd, nullptr, how);
  p.jaxpr = nullptr;
  return with_outputs(bind_all(a.self, fronts(a), p), *how);
}

Batched custom_lin_batch(const BatchArgs& a) {
  CustomLinParams p = a.params.as<CustomLinParams>();
  size_t nr = size_t(p.num_residuals);
  auto how = make_ref<CustomBatch>(a, nr);
  std::vector<bool> in = how->operands();
  how->agree(std::vector<bool>(p.out.size(), true));
  how->set_residuals({in.begin(), in.begin() + long(nr)});
  p.bwd = batched_part(CustomPart::bwd, p.bwd, nullptr, how);
  for (Aval& t : p.out) t.shape.insert(t.shape.begin(), a.size);
  return with_outputs(bind_all(a.self, fronts(a), p), *how);
}

}  // namespace

constinit const Primitive custom_jvp_call_p = {
    .name = "custom_jvp_call",
    .flags = kHoldsFunctions,
    .params = params_of<CustomJvpParams>,
    .type = custom_type<CustomJvpParams>,
    .jvp = custom_jvp_jvp,
    .transpose = custom_jvp_transpose,
    .batch = custom_jvp_batch,
    .uses_axis = [](const Params&, const AxisName&) { return true; },
    .inlined = [](const Params& p) { return p.as<CustomJvpParams>().jaxpr; },
    .impl =
        [](const Params& p, std::span<const Value> x) {
          return run_fun(p.as<CustomJvpParams>(), x);
        },
    .stage = custom_stage<CustomJvpParams>,
};
COTAN_REGISTER(custom_jvp_call_p);

constinit const Primitive custom_vjp_call_p = {
    .name = "custom_vjp_call",
    .flags = kHoldsFunctions,
    .params = params_of<CustomVjpParams>,
    .type = custom_type<CustomVjpParams>,
    .jvp = custom_vjp_jvp,
    .linearize = custom_vjp_linearize,
    .batch = custom_vjp_batch,
    .uses_axis = [](const Params&, const AxisName&) { return true; },
    .inlined = [](const Params& p) { return p.as<CustomVjpParams>().jaxpr; },
    .impl =
        [](const Params& p, std::span<const Value> x) {
          return run_fun(p.as<CustomVjpParams>(), x);
        },
    .stage = custom_stage<CustomVjpParams>,
};
COTAN_REGISTER(custom_vjp_call_p);

constinit const Primitive custom_lin_p = {
    .name = "custom_lin",
    .flags = kStageOnly,
    .params = params_of<CustomLinParams>,
    .type = [](const TypeArgs& a) -> Avals {
      const auto& out = a.params.as<CustomLinParams>().out;
      return Avals(out.begin(), out.end());
    },
    .jvp = linear_jvp,
    .transpose = custom_lin_transpose,
    .batch = custom_lin_batch,
    .expand = [](const Params& p, std::span<const Value>) -> Values {
      throw_forward(p.as<CustomLinParams>().name);
    },
    .impl = [](const Params& p, std::span<const Value>) -> Values {
      throw_forward(p.as<CustomLinParams>().name);
    },
};
COTAN_REGISTER(custom_lin_p);

Values lax::custom_jvp(const CallableRef& fun, const CallableRef& jvp,
                       std::span<const Value> args, const std::string& name,
                       bool symbolic_zeros) {
  return bind_all(custom_jvp_call_p, args,
                  CustomJvpParams{fun, jvp, nullptr, 0, name, symbolic_zeros});
}

Values lax::custom_vjp(const CallableRef& fun, const CallableRef& fwd,
                       const CallableRef& bwd, std::span<const Value> args,
                       const std::string& name, bool symbolic_zeros) {
  return bind_all(
      custom_vjp_call_p, args,
      CustomVjpParams{fun, fwd, bwd, nullptr, 0, name, symbolic_zeros});
}

}  // namespace cotan
