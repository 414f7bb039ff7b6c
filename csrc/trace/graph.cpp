// GraphTrace: operations become equations of a jaxpr.
#include "trace/trace.h"

namespace cotan {

GraphTrace::GraphTrace() : jaxpr_(make_ref<Jaxpr>()) {
  jaxpr_->avals.reserve(32);
  jaxpr_->eqns.reserve(16);
}

Value GraphTrace::tracer(Var v) {
  return make_ref<GraphTracer>(jaxpr_->avals[size_t(v)], Ref<Trace>(this), v,
                               nullptr);
}

Value GraphTrace::new_arg(const Aval& aval) {
  Var v = jaxpr_->new_var(aval);
  jaxpr_->in.push_back(v);
  return make_ref<GraphTracer>(aval, Ref<Trace>(this), v, current_source());
}

Atom GraphTrace::lift(const Value& v) {
  ValueObj* obj = v.get();
  if (obj->trace() == this) {
    return Atom::var(static_cast<GraphTracer*>(obj)->var);
  }
  if (obj->kind == ValueKind::scalar)
    return jaxpr_->new_literal(static_cast<ScalarObj*>(obj)->literal);
  if (auto it = lifted_.find(obj); it != lifted_.end()) return it->second;
  Atom atom;
  if (obj->is_concrete()) {
    const Aval& a = obj->aval;
    const void* data =
        a.shape.empty() && !is_key(a.dtype) && a.dtype != DType::float0
            ? obj->host_data()
            : nullptr;
    if (data) {
      atom =
          jaxpr_->new_literal(Literal::from_bytes(a.dtype, data, a.weak_type));
    }
  } else if (!obj->trace() || !obj->trace()->alive()) {
    throw_leaked(*obj, "trace");
  }
  if (atom.is_none()) {
    Var var = jaxpr_->new_var(obj->aval);
    const_vars_.push_back(var);
    atom = Atom::var(var);
  }
  // Kept even for literals: the map's key must stay a live object.
  consts_.push_back(v);
  if (atom.is_literal()) const_vars_.push_back(-1);
  lifted_.emplace(obj, atom);
  return atom;
}

Values GraphTrace::process(const Primitive& p, std::span<const Value> x,
                           const Params& params) {
  if (!alive()) [[unlikely]]
    throw_error(ErrorKind::internal, cat("[", p.name, "] trace has ended"));
  if (!p.stage) return record(p, x, params);
  Values operands(x.begin(), x.end());
  Params staged = params;
  p.stage(*this, operands, staged);
  return record(p, operands, staged);
}

Values GraphTrace::record(const Primitive& p, std::span<const Value> x,
                          const Params& params) {
  SmallVector<Aval, 4> in;
  for (const Value& v : x) in.push_back(v.aval());
  Avals types = p.type({p, in, params});
  Eqn eqn{&p, params, {}, {}, current_source()};
  for (const Value& v : x) eqn.in.push_back(lift(v));
  if (p.effects) jaxpr_->effects |= p.effects(params);
  Values result;
  for (Aval& a : types) {
    Var v = jaxpr_->new_var(a);
    eqn.out.push_back(v);
    result.push_back(
        make_ref<GraphTracer>(std::move(a), Ref<Trace>(this), v, eqn.source));
  }
  jaxpr_->eqns.push_back(std::move(eqn));
  return result;
}

TracedGraph GraphTrace::finish(std::span<const Value> outs, bool prune) {
  for (const Value& v : outs) jaxpr_->out.push_back(v ? lift(v) : Atom{});
  std::vector<bool> used(jaxpr_->avals.size(), !prune);
  if (prune) {
    for (const Eqn& e : jaxpr_->eqns)
      for (Atom a : e.in)
        if (a.is_var()) used[size_t(a.id)] = true;
    for (Atom a : jaxpr_->out)
      if (a.is_var()) used[size_t(a.id)] = true;
  }
  TracedGraph g;
  std::vector<Var> in;
  for (size_t i = 0; i < consts_.size(); ++i) {
    Var v = const_vars_[i];
    if (v < 0 || !used[size_t(v)]) continue;
    in.push_back(v);
    g.consts.push_back(consts_[i]);
  }
  in.insert(in.end(), jaxpr_->in.begin(), jaxpr_->in.end());
  jaxpr_->in = std::move(in);
  g.jaxpr = jaxpr_;
  end();
  return g;
}

void GraphTrace::end() {
  Trace::end();
  jaxpr_ = make_ref<Jaxpr>();
  lifted_.clear();
  consts_.clear();
  const_vars_.clear();
}

TracedGraph trace_to_jaxpr(FunctionRef f, std::span<const Aval> in) {
  auto graph = make_ref<GraphTrace>();
  struct EndTrace {
    GraphTrace& g;
    ~EndTrace() {
      if (g.alive()) g.end();
    }
  } end_trace{*graph};
  Values args;
  for (const Aval& a : in) args.push_back(graph->new_arg(a));
  SetTrace scope(*graph);
  Values out = f(args);
  TracedGraph result = graph->finish(out);
  args.clear();
  out.clear();
  check_leaks(*graph);
  return result;
}

JaxprRef make_jaxpr(FunctionRef f, std::span<const Aval> in) {
  TracedGraph g = trace_to_jaxpr(f, in);
  COTAN_CHECK(g.consts.empty());
  return g.jaxpr;
}

}  // namespace cotan
