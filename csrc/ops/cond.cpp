// cond and switch: one of several jaxprs, chosen by an index.
#include <algorithm>
#include <unordered_map>

#include "ops/control.h"
#include "ops/hlo_rules.h"

namespace cotan {

using namespace ops;

extern const Primitive cond_p;

namespace {

const CondParams& P(const Params& p) { return p.as<CondParams>(); }
const std::vector<JaxprRef>& branches_of(const Params& p) {
  return P(p).branches;
}

Avals cond_type(const TypeArgs& a) {
  const auto& branches = branches_of(a.params);
  COTAN_CHECK(!branches.empty() && !a.in.empty());
  if (a.in[0].dtype != DType::i32 || !a.in[0].shape.empty())
    throw_type("[cond] the index must be an i32 scalar, got ", a.in[0]);
  Avals out = branches[0]->out_avals();
  for (const JaxprRef& j : branches) {
    check_operands(a, *j, 0, a.in.subspan(1));
    Avals other = j->out_avals();
    COTAN_CHECK(other.size() == out.size());
    for (size_t i = 0; i < out.size(); ++i) {
      if (!same_layout(out[i], other[i]))
        throw_type("[cond] output ", i, " of the branches is ", out[i], " and ",
                   other[i]);
    }
  }
  return out;
}

int64_t index_of(const Value& v, size_t n) {
  int32_t i = *static_cast<const int32_t*>(v->host_data());
  return i < 0 || size_t(i) >= n ? int64_t(n) - 1 : i;
}

Values cond_impl(const Params& p, std::span<const Value> x) {
  const auto& branches = branches_of(p);
  return eval_jaxpr(*branches[size_t(index_of(x[0], branches.size()))],
                    x.subspan(1));
}

// Per output: has it a tangent in any branch.
template <class Derive>
std::vector<bool> nonzero_outputs(const std::vector<JaxprRef>& branches,
                                  const std::vector<bool>& nonzero,
                                  Derive derive) {
  std::vector<bool> any(branches[0]->out.size(), false);
  for (const JaxprRef& j : branches) {
    auto r = derive(j, nonzero, std::vector<bool>{});
    for (size_t i = 0; i < any.size(); ++i)
      if (r.nonzero_out[i]) any[i] = true;
  }
  return any;
}

Dual cond_jvp(const JvpArgs& a) {
  const auto& branches = branches_of(a.params);
  std::vector<bool> nonzero = nonzero_of(a.t.subspan(1));
  std::vector<bool> out = nonzero_outputs(branches, nonzero, jvp_jaxpr);
  std::vector<TracedGraph> graphs;
  for (const JaxprRef& j : branches)
    graphs.push_back(jvp_jaxpr(j, nonzero, out).graph);
  Values x(a.x.begin() + 1, a.x.end());
  for (const Value& t : a.t.subspan(1))
    if (t) x.push_back(t);
  Values y = bind_cond(a.x[0], graphs, x);
  Dual d;
  for (size_t i = 0, k = out.size(); i < out.size(); ++i) {
    d.primals.push_back(y[i]);
    d.tangents.push_back(out[i] ? y[k++] : nullptr);
  }
  return d;
}

class CondTangent final : public TangentFn {
 public:
  Value index;
  std::vector<JaxprRef> branches;  // (residuals, nonzero tangents) -> nonzero
  Values residuals;
  std::vector<bool> nonzero_out;

  Values apply(std::span<const Value> t) override {
    Values out(nonzero_out.size()), x{index};
    if (std::find(nonzero_out.begin(), nonzero_out.end(), true) ==
        nonzero_out.end())
      return out;
    x.append(residuals.begin(), residuals.end());
    for (const Value& v : t.subspan(1))
      if (v) x.push_back(v);
    Values y = bind_all(cond_p, x, CondParams{branches});
    for (size_t i = 0, k = 0; i < out.size(); ++i)
      if (nonzero_out[i]) out[i] = y[k++];
    return out;
  }
};

// Residuals of all branches share places by type. A residual that is an
// operand needs no place.
struct Places {
  Avals types;
  // Per branch, per residual: a place, or ~(operand).
  std::vector<std::vector<int64_t>> of;
};

Places place_residuals(const std::vector<LinearizedJaxpr>& lin) {
  Places places;
  for (const LinearizedJaxpr& l : lin) {
    const Jaxpr& j = *l.forward.jaxpr;
    size_t primals = j.out.size() - l.num_residuals;
    size_t consts = l.forward.consts.size();
    std::vector<bool> taken(places.types.size(), false);
    std::vector<int64_t> of;
    for (size_t r = primals; r < j.out.size(); ++r) {
      int64_t at = INT64_MIN;
      for (size_t i = consts; i < j.in.size(); ++i)
        if (j.out[r] == Atom::var(j.in[i]) &&
            std::count(of.begin(), of.end(), ~int64_t(i - consts)) == 0)
          at = ~int64_t(i - consts);
      Aval t = j.aval(j.out[r]);
      for (size_t k = 0; at == INT64_MIN && k < taken.size(); ++k)
        if (!taken[k] && same_layout(places.types[k], t)) at = int64_t(k);
      if (at == INT64_MIN) {
        at = int64_t(taken.size());
        places.types.push_back(t);
        taken.push_back(false);
      }
      if (at >= 0) taken[size_t(at)] = true;
      of.push_back(at);
    }
    places.of.push_back(std::move(of));
  }
  return places;
}

// The forward branch with its residuals in their places, zeros elsewhere.
TracedGraph forward_branch(const LinearizedJaxpr& l, const Places& places,
                           const std::vector<int64_t>& of) {
  const Jaxpr& j = *l.forward.jaxpr;
  size_t primals = j.out.size() - l.num_residuals;
  auto run = [&](std::span<const Value> x) {
    Values y = eval_jaxpr(j, x);
    Values out(y.begin(), y.begin() + primals);
    out.resize(primals + places.types.size());
    for (size_t r = 0; r < of.size(); ++r)
      if (of[r] >= 0) out[primals + size_t(of[r])] = y[primals + r];
    for (size_t k = 0; k < places.types.size(); ++k)
      if (!out[primals + k]) out[primals + k] = zeros_of(places.types[k]);
    return out;
  };
  TracedGraph g = trace_to_jaxpr(run, j.in_avals());
  g.consts.append(l.forward.consts.begin(), l.forward.consts.end());
  return g;
}

Linearized cond_linearize(const LinearizeArgs& a) {
  const auto& branches = branches_of(a.params);
  std::vector<bool> nonzero(a.nonzero.begin() + 1, a.nonzero.end());
  auto t = std::make_unique<CondTangent>();
  t->nonzero_out = nonzero_outputs(branches, nonzero, linearize_jaxpr);
  std::vector<LinearizedJaxpr> lin;
  for (const JaxprRef& j : branches)
    lin.push_back(linearize_jaxpr(j, nonzero, t->nonzero_out));
  Places places = place_residuals(lin);
  std::vector<TracedGraph> forward;
  for (size_t b = 0; b < lin.size(); ++b)
    forward.push_back(forward_branch(lin[b], places, places.of[b]));
  Values operands(a.x.begin() + 1, a.x.end());
  Values y = bind_cond(a.x[0], forward, operands);
  // The tangent branches take all operands that some branch keeps, the places,
  // then the tangents.
  std::vector<size_t> kept;
  for (const auto& of : places.of)
    for (int64_t at : of)
      if (at < 0 &&
          std::find(kept.begin(), kept.end(), size_t(~at)) == kept.end())
        kept.push_back(size_t(~at));
  std::vector<Aval> types;
  for (size_t i : kept) {
    t->residuals.push_back(operands[i]);
    types.push_back(operands[i].aval());
  }
  size_t n = branches[0]->out.size();
  for (size_t k = 0; k < places.types.size(); ++k) {
    t->residuals.push_back(y[n + k]);
    types.push_back(places.types[k]);
  }
  for (size_t b = 0; b < lin.size(); ++b) {
    const Jaxpr& j = *lin[b].tangent;
    std::vector<NewInput> in;
    for (const Aval& type : types) in.push_back({-1, type});
    for (size_t r = 0; r < places.of[b].size(); ++r) {
      int64_t at = places.of[b][r];
      size_t k = at >= 0
                     ? kept.size() + size_t(at)
                     : size_t(std::find(kept.begin(), kept.end(), size_t(~at)) -
                              kept.begin());
      COTAN_CHECK(in[k].from < 0);  // residuals of a branch are distinct
      in[k] = {int64_t(r), {}};
    }
    for (size_t i = lin[b].num_residuals; i < j.in.size(); ++i)
      in.push_back({int64_t(i), {}});
    t->branches.push_back(rearranged(j, in, first_n(j.out.size())));
  }
  t->index = a.x[0];
  y.resize(n);
  return {std::move(y), std::move(t)};
}

Values cond_transpose(const TransposeArgs& a) {
  const auto& branches = branches_of(a.params);
  require_known(a, 0);
  std::vector<NewInput> order;
  std::vector<size_t> linear;
  Values x;
  for (size_t i = 1; i < a.x.size(); ++i) {
    if (a.x[i]) {
      order.push_back({int64_t(i - 1), {}});
      x.push_back(a.x[i]);
    } else {
      linear.push_back(i);
    }
  }
  for (size_t i : linear) order.push_back({int64_t(i - 1), {}});
  std::vector<size_t> outs;
  size_t known = x.size();
  for (size_t i = 0; i < a.ct.size(); ++i)
    if (a.ct[i]) {
      outs.push_back(i);
      x.push_back(a.ct[i]);
    }
  std::vector<TracedGraph> back;
  for (const JaxprRef& j : branches)
    back.push_back(transpose_jaxpr(rearranged(*j, order, outs), known));
  Values ct = bind_cond(a.x[0], back, x);
  Values result(a.x.size());
  for (size_t k = 0; k < linear.size(); ++k) result[linear[k]] = ct[k];
  return result;
}

// The operand that every branch hands on as output i, or -1.
int64_t handed_on(const std::vector<JaxprRef>& branches, size_t i) {
  int64_t operand = -1;
  for (const JaxprRef& j : branches) {
    auto at = std::find_if(j->in.begin(), j->in.end(),
                           [&](Var v) { return j->out[i] == Atom::var(v); });
    int64_t k = at == j->in.end() ? -1 : at - j->in.begin();
    if (k < 0 || (operand >= 0 && k != operand)) return -1;
    operand = k;
  }
  return operand;
}

// A batched index: all branches run, and each element selects.
Batched select_branches(const BatchArgs& a) {
  const auto& branches = branches_of(a.params);
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i)
    x.push_back(batch_to_front(a.x[i], a.dims[i], a.size));
  size_t n = branches[0]->out.size();
  std::vector<bool> all_in(x.size() - 1, true), all_out(n, true);
  std::vector<Values> outs;
  for (size_t b = 0; b < branches.size(); ++b) {
    if (branches[b]->effects & kIoEffect)
      throw_not_implemented(
          "[vmap] IO effect not supported in vmap-of-cond: an io_callback in a "
          "branch, and the predicate is batched");
    if (branches[b]->effects & kOrderedEffect)
      throw_not_implemented(
          "[vmap] ordered effects in a cond whose predicate "
          "is batched");
    BatchedJaxpr j = batch_jaxpr(branches[b], a.axis(), all_in, all_out);
    // Elements of the other branches get no derivative from this one, and so
    // no nan either.
    Value mine =
        lax::eq(x[0], scalar_value(Literal::from_int(DType::i32, int64_t(b))));
    Values operands = j.graph.consts;
    for (size_t i = 1; i < x.size(); ++i)
      operands.push_back(is_inexact(x[i].dtype())
                             ? select_rows(mine, x[i], lax::stop_gradient(x[i]))
                             : x[i]);
    outs.push_back(eval_jaxpr(*j.graph.jaxpr, operands));
  }
  Batched r;
  for (size_t i = 0; i < n; ++i) {
    int64_t operand = handed_on(branches, i);
    if (operand >= 0 && a.dims[size_t(operand) + 1] == kNotBatched) {
      r.values.push_back(a.x[size_t(operand) + 1]);
      r.dims.push_back(kNotBatched);
      continue;
    }
    Values cases;
    for (Values& o : outs) cases.push_back(o[i]);
    Value which = x[0];
    if (cases[0].rank() > 1)
      which = broadcast_in_dim(which, cases[0].shape(), {0});
    r.values.push_back(cases.size() == 1 ? cases[0]
                                         : lax::select_n(which, cases));
    r.dims.push_back(0);
  }
  return r;
}

Batched cond_batch(const BatchArgs& a) {
  if (a.dims[0] != kNotBatched) return select_branches(a);
  const auto& branches = branches_of(a.params);
  std::vector<bool> batched;
  Values x;
  for (size_t i = 1; i < a.x.size(); ++i) {
    batched.push_back(a.dims[i] != kNotBatched);
    x.push_back(batched.back() ? batch_to_front(a.x[i], a.dims[i], a.size)
                               : a.x[i]);
  }
  std::vector<bool> out(branches[0]->out.size(), false);
  for (const JaxprRef& j : branches) {
    BatchedJaxpr b = batch_jaxpr(j, a.axis(), batched);
    for (size_t i = 0; i < out.size(); ++i)
      if (b.batched_out[i]) out[i] = true;
  }
  std::vector<TracedGraph> graphs;
  for (const JaxprRef& j : branches)
    graphs.push_back(batch_jaxpr(j, a.axis(), batched, out).graph);
  Batched r{bind_cond(a.x[0], graphs, x), {}};
  for (bool b : out) r.dims.push_back(b ? 0 : kNotBatched);
  return r;
}

void cond_dce(Eqn& e, const std::vector<bool>& used) {
  CondParams p = P(e.params);
  std::vector<bool> needed(e.in.size() - 1, false);
  for (JaxprRef& j : p.branches) {
    DceResult r = dce(*j, used, false);
    j = r.jaxpr;
    for (size_t i = 0; i < needed.size(); ++i)
      if (r.used_inputs[i]) needed[i] = true;
  }
  std::vector<NewInput> order;
  SmallVector<Atom, 3> in{e.in[0]};
  for (size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i]) continue;
    order.push_back({int64_t(i), {}});
    in.push_back(e.in[i + 1]);
  }
  for (JaxprRef& j : p.branches)
    j = rearranged(*j, order, first_n(j->out.size()));
  SmallVector<Var, 1> out;
  for (size_t i = 0; i < e.out.size(); ++i)
    if (used[i]) out.push_back(e.out[i]);
  e.params = std::move(p);
  e.in = std::move(in);
  e.out = std::move(out);
}

}  // namespace

constinit const Primitive cond_p = {
    .name = "cond",
    .params = params_of<CondParams>,
    .type = cond_type,
    .jvp = cond_jvp,
    .linearize = cond_linearize,
    .transpose = cond_transpose,
    .batch = cond_batch,
    .control =
        [](const Params& p) {
          Control c;
          c.cases = branches_of(p);
          return c;
        },
    .hlo = hlo::branch,
    .impl = cond_impl,
    .dce = cond_dce,
    .effects =
        [](const Params& p) {
          uint32_t effects = kPure;
          for (const JaxprRef& j : branches_of(p)) effects |= j->effects;
          return effects;
        },
};
COTAN_REGISTER(cond_p);

Values ops::bind_cond(const Value& index, std::span<const TracedGraph> branches,
                      std::span<const Value> operands) {
  // Constants that branches share are passed once.
  Values x{index};
  std::unordered_map<const ValueObj*, size_t> place;
  for (const TracedGraph& g : branches)
    for (const Value& v : g.consts)
      if (place.emplace(v.get(), x.size() - 1).second) x.push_back(v);
  size_t consts = x.size() - 1;
  x.append(operands.begin(), operands.end());
  CondParams p;
  for (const TracedGraph& g : branches) {
    std::vector<NewInput> in;
    for (size_t i = 0; i < consts; ++i) in.push_back({-1, x[i + 1].aval()});
    for (size_t i = 0; i < g.consts.size(); ++i)
      in[place[g.consts[i].get()]] = {int64_t(i), {}};
    for (size_t i = g.consts.size(); i < g.jaxpr->in.size(); ++i)
      in.push_back({int64_t(i), {}});
    p.branches.push_back(
        consts ? rearranged(*g.jaxpr, in, first_n(g.jaxpr->out.size()))
               : g.jaxpr);
  }
  return bind_all(cond_p, x, p);
}

}  // namespace cotan
