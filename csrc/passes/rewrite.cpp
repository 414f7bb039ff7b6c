// Simplification of jaxprs: folds of the primitives' own records, constant
// operands, identity views, common subexpressions, dead equations. Nothing
// here changes a bit of a result.
#include <cstdlib>
#include <unordered_map>

#include "passes/passes.h"
#include "trace/trace.h"

namespace cotan {

namespace {

uint32_t effects_of(const Eqn& e) {
  return e.prim->effects ? e.prim->effects(e.params) : kPure;
}

// A forward pass that replaces variables by atoms: subclasses say how.
struct Substitution {
  explicit Substitution(const Jaxpr& j) : from(j), out(make_ref<Jaxpr>()) {
    out->avals = j.avals;
    out->literals = j.literals;
    out->in = j.in;
    out->effects = j.effects;
    out->name = j.name;
    out->eqns.reserve(j.eqns.size());
    env.resize(j.avals.size());
    for (size_t v = 0; v < env.size(); ++v) env[v] = Atom::var(Var(v));
  }
  Atom operator()(Atom a) const { return a.is_var() ? env[size_t(a.id)] : a; }
  Eqn operator()(const Eqn& e) const {
    Eqn copy = e;
    for (Atom& a : copy.in) a = (*this)(a);
    return copy;
  }
  JaxprRef finish() {
    for (Atom a : from.out) out->out.push_back((*this)(a));
    return out;
  }

  const Jaxpr& from;
  Ref<Jaxpr> out;
  std::vector<Atom> env;
};

// ---- rewrite

// A value that stands for a variable while `fold` looks at its operands.
class VarObj final : public ValueObj {
 public:
  VarObj(const Aval& a, Var v) : ValueObj(ValueKind::opaque, a), var(v) {}
  const Var var;
};

struct Rewriter {
  Substitution s;
  std::vector<Value> values;  // of variables, made when first asked for

  std::vector<Atom> spread;  // the literal that all elements are, or none

  explicit Rewriter(const Jaxpr& j)
      : s(j), values(j.avals.size()), spread(j.avals.size()) {}

  Value value(Atom a) {
    if (a.is_literal())
      return scalar_value(s.out->literals[size_t(a.literal_index())]);
    Value& v = values[size_t(a.id)];
    if (!v) v = make_ref<VarObj>(s.out->avals[size_t(a.id)], a.as_var());
    return v;
  }

  // The operand that an identity view equals.
  bool identity_view(const Eqn& e) {
    if (!e.prim->view || e.in.size() != 1) return false;
    Aval in = s.out->aval(e.in[0]);
    const Aval& out = s.out->avals[size_t(e.out[0])];
    if (!same_layout(in, out)) return false;
    const Aval operands[] = {in};
    View v = e.prim->view({e.params, operands, out});
    if (v.reshape) return true;
    for (size_t d = 0; d < v.dims.size(); ++d) {
      const ViewDim& x = v.dims[d];
      bool same = x.out_dim == int64_t(d) && x.step == 1 && x.offset == 0 &&
                  x.dilation == 1 && x.start < 0;
      if (!same && in.shape[d] != 1) return false;
    }
    return true;
  }

  // An elementwise operand that is a broadcast literal becomes the literal,
  // as long as another operand keeps the shape.
  void unwrap_literals(Eqn& e) {
    if (!e.prim->scalar || e.in.size() < 2) return;
    const Shape& shape = s.out->avals[size_t(e.out[0])].shape;
    size_t shaped = 0;
    for (Atom a : e.in)
      shaped += a.is_var() && s.out->avals[size_t(a.id)].shape == shape;
    for (Atom& a : e.in) {
      if (!a.is_var() || spread[size_t(a.id)].is_none() || shaped < 2) continue;
      a = spread[size_t(a.id)];
      --shaped;
    }
  }
  // Remembers what is a view of a literal.
  void note_spread(const Eqn& e) {
    if (!e.prim->view || e.in.size() != 1 || !e.in[0].is_literal()) return;
    const Aval& out = s.out->avals[size_t(e.out[0])];
    if (s.out->aval(e.in[0]).dtype == out.dtype)
      spread[size_t(e.out[0])] = e.in[0];
  }

  // Scalar results of literals.
  bool constant(const Eqn& e) {
    if (!e.prim->eval || e.in.empty() || e.prim->kernel) return false;
    for (Atom a : e.in)
      if (!a.is_literal()) return false;
    for (Var v : e.out) {
      const Aval& a = s.out->avals[size_t(v)];
      if (!a.shape.empty() || is_key(a.dtype) || a.dtype == DType::float0)
        return false;
    }
    SmallVector<HostView, 4> in, out;
    std::vector<Literal> operands, results(e.out.size());
    for (Atom a : e.in)
      operands.push_back(s.out->literals[size_t(a.literal_index())]);
    for (Literal& l : operands) in.push_back({l.dtype, {}, l.bytes});
    for (size_t i = 0; i < e.out.size(); ++i) {
      const Aval& a = s.out->avals[size_t(e.out[i])];
      results[i].dtype = a.dtype;
      results[i].weak_type = a.weak_type;
      out.push_back({a.dtype, {}, results[i].bytes});
    }
    e.prim->eval({*e.prim, e.params, in, out});
    for (size_t i = 0; i < e.out.size(); ++i)
      s.env[size_t(e.out[i])] = s.out->new_literal(results[i]);
    return true;
  }

  bool fold(const Eqn& e) {
    if (!e.prim->fold || e.out.size() != 1) return false;
    Values operands;
    for (Atom a : e.in) operands.push_back(value(a));
    Value v = e.prim->fold(e.params, operands);
    if (!v) return false;
    const Aval& out = s.out->avals[size_t(e.out[0])];
    if (!same_layout(v.aval(), out)) return false;
    Atom to;
    if (v->kind == ValueKind::scalar) {
      Literal l = v.as<ScalarObj>().literal;
      l.weak_type = out.weak_type;
      to = s.out->new_literal(l);
    } else {
      COTAN_CHECK(v->kind == ValueKind::opaque);
      to = Atom::var(static_cast<VarObj*>(v.get())->var);
    }
    s.env[size_t(e.out[0])] = to;
    return true;
  }

  JaxprRef run() {
    for (const Eqn& e : s.from.eqns) {
      Eqn eqn = s(e);
      if (effects_of(eqn) == kPure) {
        if (identity_view(eqn)) {
          s.env[size_t(eqn.out[0])] = eqn.in[0];
          continue;
        }
        unwrap_literals(eqn);
        if (constant(eqn) || fold(eqn)) continue;
        note_spread(eqn);
      }
      s.out->eqns.push_back(std::move(eqn));
    }
    return s.finish();
  }
};

// ---- cse

struct EqnKey {
  const Jaxpr* j;
  const Eqn* e;
};

uint64_t hash_operand(const Jaxpr& j, Atom a, uint64_t h) {
  return a.is_literal() ? j.literals[size_t(a.literal_index())].hash(h)
                        : hash_mix(h, uint64_t(a.id));
}
bool same_operand(const Jaxpr& j, Atom a, Atom b) {
  if (a.is_literal() && b.is_literal())
    return j.literals[size_t(a.literal_index())] ==
           j.literals[size_t(b.literal_index())];
  return a == b;
}
bool commutes(const Eqn& e) {
  return (e.prim->flags & kCommutative) && e.in.size() == 2;
}

struct EqnHash {
  size_t operator()(const EqnKey& k) const {
    uint64_t h =
        hash_mix(reinterpret_cast<uint64_t>(k.e->prim), k.e->params.hash());
    if (commutes(*k.e))
      return h ^ (hash_operand(*k.j, k.e->in[0], 1) +
                  hash_operand(*k.j, k.e->in[1], 1));
    for (Atom a : k.e->in) h = hash_operand(*k.j, a, h);
    return h;
  }
};
struct EqnEqual {
  bool operator()(const EqnKey& x, const EqnKey& y) const {
    const Eqn &a = *x.e, &b = *y.e;
    if (a.prim != b.prim || a.in.size() != b.in.size() ||
        !(a.params == b.params))
      return false;
    bool same = true;
    for (size_t i = 0; i < a.in.size() && same; ++i)
      same = same_operand(*x.j, a.in[i], b.in[i]);
    return same || (commutes(a) && same_operand(*x.j, a.in[0], b.in[1]) &&
                    same_operand(*x.j, a.in[1], b.in[0]));
  }
};

}  // namespace

JaxprRef rewrite(const JaxprRef& j) { return Rewriter(*j).run(); }

JaxprRef cse(const JaxprRef& j) {
  Substitution s(*j);
  std::unordered_map<EqnKey, const Eqn*, EqnHash, EqnEqual> seen;
  seen.reserve(j->eqns.size());
  for (const Eqn& e : j->eqns) {
    s.out->eqns.push_back(s(e));
    const Eqn& eqn = s.out->eqns.back();  // stays: capacity was reserved
    if (effects_of(eqn) != kPure) continue;
    auto [at, fresh] = seen.try_emplace(EqnKey{s.out.get(), &eqn}, &eqn);
    if (fresh) continue;
    for (size_t i = 0; i < eqn.out.size(); ++i)
      s.env[size_t(eqn.out[i])] = Atom::var(at->second->out[i]);
    s.out->eqns.pop_back();
  }
  return s.finish();
}

JaxprRef drop_dead(const JaxprRef& j) { return dce(*j, {}, false).jaxpr; }

bool checking_ir() noexcept {
  static const bool on = [] {
    const char* v = std::getenv("COTAN_CHECK_IR");
    return v && *v && *v != '0';
  }();
  return on;
}

JaxprRef simplify_jaxpr(const JaxprRef& j) {
  auto checked = [](JaxprRef r) {
    if (checking_ir()) check_jaxpr(*r);
    return r;
  };
  JaxprRef r = checked(inline_calls(j));
  if (r->eqns.size() > 1) {
    r = checked(drop_dead(r));
    r = checked(rewrite(r));
    r = checked(cse(r));
    r = checked(drop_dead(r));
  }
  return checked(inline_calls(r, /*last=*/true));
}

}  // namespace cotan
