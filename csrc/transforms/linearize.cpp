// Linearization and its transpose. A jvp rule runs under a SplitTrace that
// sends an operation to the tangent graph iff an operand has a tangent; so the
// primal computation happens at once (or is recorded by the parent trace) and
// what is left is a linear jaxpr over residuals.
#include "transforms/dual.h"

namespace cotan {

namespace {

class SplitTrace final : public Trace {
 public:
  SplitTrace(Trace& primal, GraphTrace& tangent)
      : primal_(&primal), tangent_(&tangent) {}
  Values process(const Primitive& p, std::span<const Value> x,
                 const Params& params) override {
    Trace* to = primal_;
    for (const Value& v : x)
      if (v->trace() == tangent_) to = tangent_;
    SetTrace scope(*to);
    return to->process(p, x, params);
  }

 private:
  Trace* primal_;
  GraphTrace* tangent_;
};

class LinearizeTrace final : public DualTrace {
 public:
  explicit LinearizeTrace(Trace& parent)
      : DualTrace(parent), tangent(make_ref<GraphTrace>()) {}
  const Ref<GraphTrace> tangent;

  Values process(const Primitive& p, std::span<const Value> x,
                 const Params& params) override {
    Operands o = take_apart(x);
    if (!o.any || p.flags & kNotDifferentiable) {
      SetTrace scope(*parent_);
      return parent_->process(p, o.primals, params);
    }
    if (p.linearize) return by_rule(p, o, params);
    if (!p.jvp)
      throw_not_implemented("[linearize] primitive '", p.name,
                            "' has no jvp rule: it cannot be differentiated");
    auto split = make_ref<SplitTrace>(*parent_, *tangent);
    SetTrace scope(*split);
    Dual d = p.jvp({p, params, o.primals, o.tangents});
    return wrap_all(std::move(d.primals), d.tangents);
  }
  void end() override {
    Trace::end();
    if (tangent->alive()) tangent->end();
  }

 private:
  Values by_rule(const Primitive& p, const Operands& o, const Params& params) {
    SmallVector<bool, 8> nonzero;
    for (const Value& t : o.tangents) nonzero.push_back(bool(t));
    Linearized l;
    {
      SetTrace scope(*parent_);
      l = p.linearize({p, params, o.primals, nonzero});
    }
    SetTrace scope(*tangent);
    return wrap_all(std::move(l.primals), l.tangent->apply(o.tangents));
  }
};

}  // namespace

Linearization linearize(FunctionRef f, std::span<const Value> x,
                        const std::vector<bool>& nonzero,
                        const std::vector<bool>& instantiate) {
  auto trace = make_ref<LinearizeTrace>(current_trace());
  EndTrace end(*trace);
  Values in;
  for (size_t i = 0; i < x.size(); ++i) {
    bool has_tangent = nonzero[i] && is_inexact(x[i].dtype());
    in.push_back(has_tangent
                     ? trace->wrap(x[i], trace->tangent->new_arg(x[i].aval()))
                     : x[i]);
  }
  Values out, tangents;
  {
    SetTrace scope(*trace);
    out = f(in);
  }
  Linearization l;
  for (const Value& v : out) {
    l.primals.push_back(trace->primal_of(v));
    Value t = trace->tangent_of(v);
    bool wanted = !instantiate.empty() && instantiate[tangents.size()];
    if (!t && wanted && is_inexact(v.dtype())) {
      SetTrace scope(*trace->tangent);
      t = zeros_like(l.primals.back());
    }
    tangents.push_back(std::move(t));
  }
  in.clear();
  out.clear();
  check_leaks(*trace);
  TracedGraph g = trace->tangent->finish(tangents, /*prune=*/false);
  // Drop equations whose tangent nobody asked for, then their residuals.
  size_t num_args = g.jaxpr->in.size() - g.consts.size();
  DceResult live = dce(*g.jaxpr, {}, /*drop_unused_inputs=*/false);
  auto pruned = make_ref<Jaxpr>(*live.jaxpr);
  pruned->in.clear();
  l.nonzero_out.reserve(tangents.size());
  for (const Value& t : tangents) l.nonzero_out.push_back(bool(t));
  for (size_t i = 0; i < g.jaxpr->in.size(); ++i) {
    bool is_residual = i < g.consts.size();
    if (is_residual && !live.used_inputs[i]) continue;
    pruned->in.push_back(g.jaxpr->in[i]);
    if (is_residual) l.residuals.push_back(g.consts[i]);
  }
  COTAN_CHECK(pruned->in.size() == l.residuals.size() + num_args);
  l.tangent = pruned;
  return l;
}

Values backward_pass(const Jaxpr& j, std::span<const Value> known,
                     std::span<const Value> ct) {
  std::vector<Value> value(j.avals.size()), acc(j.avals.size());
  for (size_t i = 0; i < known.size(); ++i) value[size_t(j.in[i])] = known[i];
  auto read = [&](Atom a) -> Value {
    if (a.is_literal())
      return scalar_value(j.literals[size_t(a.literal_index())]);
    return value[size_t(a.id)];
  };
  auto accumulate = [&](Atom a, const Value& c) {
    if (!c || !a.is_var() || value[size_t(a.id)]) return;
    Value& sum = acc[size_t(a.id)];
    sum = sum ? add_any(sum, c) : c;
  };
  // Equations that only depend on known values run forward.
  std::vector<bool> done(j.eqns.size());
  for (size_t k = 0; k < j.eqns.size(); ++k) {
    const Eqn& e = j.eqns[k];
    Values in;
    for (Atom a : e.in) in.push_back(read(a));
    bool all_known = true;
    for (const Value& v : in) all_known &= bool(v);
    if (!all_known) continue;
    Values out = bind_all(*e.prim, in, e.params);
    for (size_t i = 0; i < out.size(); ++i) value[size_t(e.out[i])] = out[i];
    done[k] = true;
  }
  for (size_t i = 0; i < ct.size(); ++i)
    if (!j.out[i].is_none()) accumulate(j.out[i], ct[i]);
  for (size_t k = j.eqns.size(); k-- > 0;) {
    const Eqn& e = j.eqns[k];
    if (done[k]) continue;
    Values cts, x;
    SmallVector<Aval, 4> avals;
    bool any = false;
    for (Var v : e.out) {
      cts.push_back(std::move(acc[size_t(v)]));
      any |= bool(cts.back());
    }
    if (!any) continue;
    for (Atom a : e.in) {
      x.push_back(read(a));
      avals.push_back(j.aval(a));
      // linear_transpose also takes functions from integers to integers.
      bool whole =
          is_int(avals.back().dtype) && is_int(j.avals[size_t(e.out[0])].dtype);
      if (!x.back() && !is_inexact(avals.back().dtype) && !whole)
        throw_type("[", e.prim->name, "] operand ", avals.size() - 1, " (",
                   avals.back(), ") is not a number to differentiate by: a ",
                   "linear function has inexact arguments");
    }
    if (!e.prim->transpose)
      throw_not_implemented("[vjp] primitive '", e.prim->name,
                            "' has no transpose rule: it cannot be "
                            "differentiated in reverse mode");
    Values in_ct = e.prim->transpose({*e.prim, e.params, cts, x, avals});
    COTAN_CHECK(in_ct.size() == e.in.size());
    for (size_t i = 0; i < in_ct.size(); ++i) accumulate(e.in[i], in_ct[i]);
  }
  Values out;
  for (size_t i = known.size(); i < j.in.size(); ++i)
    out.push_back(acc[size_t(j.in[i])]);
  return out;
}

Vjp vjp(FunctionRef f, std::span<const Value> x,
        const std::vector<bool>& nonzero) {
  Linearization l = linearize(f, x, nonzero);
  Vjp r{std::move(l.primals), std::move(l.tangent), std::move(l.residuals),
        nonzero};
  for (size_t i = 0; i < x.size(); ++i)
    r.nonzero[i] = r.nonzero[i] && is_inexact(x[i].dtype());
  return r;
}

Values Vjp::pullback(std::span<const Value> ct) const {
  Values linear = backward_pass(*tangent, residuals, ct);
  Values out;
  size_t k = 0;
  for (bool nz : nonzero) out.push_back(nz ? linear[k++] : nullptr);
  return out;
}

}  // namespace cotan
