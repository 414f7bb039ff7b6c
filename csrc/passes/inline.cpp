// Inlining: equations that stand for a jaxpr, decompositions, and operations on
// narrow dtypes as those on wide ones.
#include "passes/lowering.h"
#include "passes/passes.h"
#include "trace/arith.h"
#include "trace/trace.h"

namespace cotan {

bool has_fast_slot(const Primitive& p) {
  return p.scalar || p.view || p.update || p.concat || p.generate ||
         p.reduction || p.dot || p.kernel;
}

bool gemm_takes(DType t) { return is_float(t); }

namespace {

// An inner product is a reduction: it fuses, and threads share it.
bool dot_falls_back(const Jaxpr& j, const Eqn& e) {
  return e.prim->dot && (!gemm_takes(j.aval(e.in[0]).dtype) ||
                         num_elements(j.avals[size_t(e.out[0])].shape) == 1);
}

bool widens(const Jaxpr& j, const Eqn& e) {
  bool narrow = false;
  for (Atom a : e.in) narrow |= is_narrow(j.aval(a).dtype);
  for (Var v : e.out) narrow |= is_narrow(j.avals[size_t(v)].dtype);
  if (!narrow) return false;
  Avals in, out;
  for (Atom a : e.in) in.push_back(j.aval(a));
  for (Var v : e.out) out.push_back(j.avals[size_t(v)]);
  return computes_wide(*e.prim, in, out);
}

// What has no meaning outside a jaxpr (a barrier) stands until the last pass.
bool must_expand(const Jaxpr& j, const Eqn& e, bool last) {
  if (widens(j, e)) return true;
  if (!e.prim->expand || (e.prim->flags & kStageOnly && !last)) return false;
  return dot_falls_back(j, e) || !has_fast_slot(*e.prim);
}

bool anything_to_inline(const Jaxpr& j, bool last) {
  for (const Eqn& e : j.eqns)
    if (e.prim->inlined || e.prim->shortcut || must_expand(j, e, last))
      return true;
  return false;
}

class Inliner {
 public:
  Inliner(const Jaxpr& top, bool last) : out_(make_ref<Jaxpr>()), last_(last) {
    out_->name = top.name;
    out_->effects = top.effects;
    std::vector<Atom> env(top.avals.size());
    for (Var v : top.in) {
      Var fresh = out_->new_var(top.avals[size_t(v)]);
      out_->in.push_back(fresh);
      env[size_t(v)] = Atom::var(fresh);
    }
    run(top, env, nullptr);
    for (Atom a : top.out) out_->out.push_back(map(top, env, a));
  }
  JaxprRef result() const { return out_; }

 private:
  // Decompositions in decompositions, deeper than this, are a cycle. Calls may
  // nest as deep as they were written.
  static constexpr int kMaxDepth = 200;

  Atom map(const Jaxpr& j, const std::vector<Atom>& env, Atom a) {
    if (a.is_var()) return env[size_t(a.id)];
    if (a.is_literal())
      return out_->new_literal(j.literals[size_t(a.literal_index())]);
    return a;
  }

  void run(const Jaxpr& j, std::vector<Atom>& env, const SourceRef& source) {
    for (const Eqn& e : j.eqns) {
      const SourceRef& where = source ? source : e.source;
      if (e.prim->inlined)
        call(j, e, env, e.prim->inlined(e.params), where);
      else if (!decompose(j, e, env, where))
        copy(j, e, env, where);
    }
  }

  void copy(const Jaxpr& j, const Eqn& e, std::vector<Atom>& env,
            const SourceRef& where) {
    Eqn eqn{e.prim, e.params, {}, {}, where};
    for (Atom a : e.in) eqn.in.push_back(map(j, env, a));
    for (Var v : e.out) {
      Var fresh = out_->new_var(j.avals[size_t(v)]);
      eqn.out.push_back(fresh);
      env[size_t(v)] = Atom::var(fresh);
    }
    out_->eqns.push_back(std::move(eqn));
  }

  void call(const Jaxpr& j, const Eqn& e, std::vector<Atom>& env,
            const JaxprRef& body, const SourceRef& where) {
    COTAN_CHECK(body && body->in.size() == e.in.size() &&
                body->out.size() == e.out.size());
    std::vector<Atom> inner(body->avals.size());
    for (size_t i = 0; i < e.in.size(); ++i)
      inner[size_t(body->in[i])] = map(j, env, e.in[i]);
    run(*body, inner,
        body->eqns.empty() || body->eqns[0].source ? SourceRef(nullptr)
                                                   : where);
    for (size_t i = 0; i < e.out.size(); ++i)
      env[size_t(e.out[i])] = map(*body, inner, body->out[i]);
  }

  bool decompose(const Jaxpr& j, const Eqn& e, std::vector<Atom>& env,
                 const SourceRef& where) {
    if (widens(j, e))
      return expand(
          j, e,
          [&](const Params& params, std::span<const Value> x) {
            return compute_wide(*e.prim, params, x);
          },
          env, where);
    auto rule = must_expand(j, e, last_) ? e.prim->expand : e.prim->shortcut;
    return rule && expand(j, e, rule, env, where);
  }

  // Traces the decomposition, if there is one for these operands; literal
  // operands stay literals in it.
  template <class Rule>
  bool expand(const Jaxpr& j, const Eqn& e, Rule rule, std::vector<Atom>& env,
              const SourceRef& where) {
    auto graph = make_ref<GraphTrace>();
    Values args;
    std::vector<Atom> inputs;
    for (Atom a : e.in) {
      if (a.is_literal()) {
        args.push_back(scalar_value(j.literals[size_t(a.literal_index())]));
      } else {
        args.push_back(graph->new_arg(j.aval(a)));
        inputs.push_back(map(j, env, a));
      }
    }
    TracedGraph traced;
    {
      SetTrace scope(*graph);
      Values outs = rule(e.params, args);
      if (outs.empty() && !e.out.empty()) return false;
      traced = graph->finish(outs);
    }
    const Jaxpr& body = *traced.jaxpr;
    COTAN_CHECK(traced.consts.empty() && body.in.size() == inputs.size() &&
                body.out.size() == e.out.size());
    std::vector<Atom> inner(body.avals.size());
    for (size_t i = 0; i < inputs.size(); ++i)
      inner[size_t(body.in[i])] = inputs[i];
    if (++depth_ > kMaxDepth)
      throw_error(ErrorKind::internal,
                  cat("primitive '", e.prim->name, "' decomposes in a cycle"));
    run(body, inner, where);
    --depth_;
    for (size_t i = 0; i < e.out.size(); ++i)
      env[size_t(e.out[i])] = map(body, inner, body.out[i]);
    return true;
  }

  Ref<Jaxpr> out_;
  const bool last_;
  int depth_ = 0;
};

}  // namespace

JaxprRef inline_calls(const JaxprRef& j, bool last) {
  return anything_to_inline(*j, last) ? Inliner(*j, last).result() : j;
}

}  // namespace cotan
