#include "ir/jaxpr.h"

#include "ir/primitive.h"

namespace cotan {

Avals Jaxpr::in_avals() const {
  Avals out;
  for (Var v : in) out.push_back(avals[size_t(v)]);
  return out;
}

Avals Jaxpr::out_avals() const {
  Avals out_types;
  for (Atom a : out) out_types.push_back(aval(a));
  return out_types;
}

// ---- structural equality: same equations in the same order, variables
// numbered by first appearance.
namespace {

struct Numbering {
  std::vector<int32_t> number;
  int32_t next = 0;
  explicit Numbering(size_t n) : number(n, -1) {}
  int32_t of(Var v) {
    auto& k = number[size_t(v)];
    if (k < 0) k = next++;
    return k;
  }
};

bool atoms_equal(const Jaxpr& a, Atom x, Numbering& na, const Jaxpr& b, Atom y,
                 Numbering& nb) {
  if (x.is_none() || y.is_none()) return x.is_none() && y.is_none();
  if (x.is_var() != y.is_var()) return false;
  if (x.is_literal())
    return a.literals[size_t(x.literal_index())] ==
           b.literals[size_t(y.literal_index())];
  return na.of(x.as_var()) == nb.of(y.as_var()) &&
         a.avals[size_t(x.id)] == b.avals[size_t(y.id)];
}

uint64_t hash_atom(const Jaxpr& j, Atom x, Numbering& n, uint64_t h) {
  if (x.is_none()) return hash_mix(h, 1);
  if (x.is_literal()) return j.literals[size_t(x.literal_index())].hash(h);
  return j.avals[size_t(x.id)].hash(hash_mix(h, uint64_t(n.of(x.as_var()))));
}

}  // namespace

bool jaxpr_equal(const Jaxpr& a, const Jaxpr& b) {
  if (&a == &b) return true;
  if (a.in.size() != b.in.size() || a.out.size() != b.out.size() ||
      a.eqns.size() != b.eqns.size() || a.effects != b.effects)
    return false;
  Numbering na(a.avals.size()), nb(b.avals.size());
  for (size_t i = 0; i < a.in.size(); ++i)
    if (!atoms_equal(a, Atom::var(a.in[i]), na, b, Atom::var(b.in[i]), nb))
      return false;
  for (size_t k = 0; k < a.eqns.size(); ++k) {
    const Eqn &x = a.eqns[k], &y = b.eqns[k];
    if (x.prim != y.prim || x.in.size() != y.in.size() ||
        x.out.size() != y.out.size() || !(x.params == y.params))
      return false;
    for (size_t i = 0; i < x.in.size(); ++i)
      if (!atoms_equal(a, x.in[i], na, b, y.in[i], nb)) return false;
    for (size_t i = 0; i < x.out.size(); ++i)
      if (!atoms_equal(a, Atom::var(x.out[i]), na, b, Atom::var(y.out[i]), nb))
        return false;
  }
  for (size_t i = 0; i < a.out.size(); ++i)
    if (!atoms_equal(a, a.out[i], na, b, b.out[i], nb)) return false;
  return true;
}

uint64_t jaxpr_hash(const Jaxpr& j) {
  Numbering n(j.avals.size());
  uint64_t h = hash_mix(j.in.size(), j.eqns.size());
  for (Var v : j.in) h = hash_atom(j, Atom::var(v), n, h);
  for (const Eqn& e : j.eqns) {
    h = hash_mix(h, reinterpret_cast<uint64_t>(e.prim));
    h = hash_mix(h, e.params.hash());
    for (Atom a : e.in) h = hash_atom(j, a, n, h);
    for (Var v : e.out) h = hash_atom(j, Atom::var(v), n, h);
  }
  for (Atom a : j.out) h = hash_atom(j, a, n, h);
  return h;
}

DceResult dce(const Jaxpr& j, const std::vector<bool>& used_outputs,
              bool drop_unused_inputs) {
  auto out = make_ref<Jaxpr>();
  out->avals = j.avals;
  out->literals = j.literals;
  out->effects = j.effects;
  out->name = j.name;
  std::vector<bool> live(j.avals.size());
  for (size_t i = 0; i < j.out.size(); ++i) {
    if (!used_outputs.empty() && !used_outputs[i]) continue;
    out->out.push_back(j.out[i]);
    if (j.out[i].is_var()) live[size_t(j.out[i].id)] = true;
  }
  std::vector<Eqn> kept;
  for (auto e = j.eqns.rbegin(); e != j.eqns.rend(); ++e) {
    std::vector<bool> used;
    bool any = false, all = true;
    for (Var v : e->out) {
      used.push_back(live[size_t(v)]);
      any |= used.back();
      all &= used.back();
    }
    uint32_t effects = e->prim->effects ? e->prim->effects(e->params) : kPure;
    if (!any && effects == kPure) continue;
    Eqn eqn = *e;
    if (!all && e->prim->dce) e->prim->dce(eqn, used);
    for (Atom a : eqn.in)
      if (a.is_var()) live[size_t(a.id)] = true;
    kept.push_back(std::move(eqn));
  }
  out->eqns.assign(std::make_move_iterator(kept.rbegin()),
                   std::make_move_iterator(kept.rend()));
  DceResult result;
  for (Var v : j.in) {
    bool used = live[size_t(v)];
    result.used_inputs.push_back(used);
    if (used || !drop_unused_inputs) out->in.push_back(v);
  }
  result.jaxpr = out;
  return result;
}

JaxprRef rearranged(const Jaxpr& j, std::span<const NewInput> in,
                    std::span<const size_t> out) {
  auto r = make_ref<Jaxpr>(j);
  r->in.clear();
  r->out.clear();
  for (const NewInput& n : in)
    r->in.push_back(n.from >= 0 ? j.in[size_t(n.from)] : r->new_var(n.aval));
  for (size_t k : out) r->out.push_back(j.out[k]);
  return r;
}

Hoisted hoist_invariants(const Jaxpr& j, const std::vector<bool>& invariant,
                         bool keep_views) {
  std::vector<bool> fixed(j.avals.size());
  for (size_t i = 0; i < j.in.size(); ++i)
    fixed[size_t(j.in[i])] = invariant[i];
  auto prologue = make_ref<Jaxpr>(j), body = make_ref<Jaxpr>(j);
  prologue->in.clear();
  prologue->out.clear();
  prologue->eqns.clear();
  prologue->effects = kPure;
  body->eqns.clear();
  for (size_t i = 0; i < j.in.size(); ++i)
    if (invariant[i]) prologue->in.push_back(j.in[i]);
  std::vector<bool> made(j.avals.size());  // by the prologue
  for (const Eqn& e : j.eqns) {
    bool moves = !e.prim->effects || e.prim->effects(e.params) == kPure;
    // What has no operand (iota) is cheaper where it is used.
    bool any = false;
    for (Atom a : e.in) {
      moves &= !a.is_var() || fixed[size_t(a.id)];
      any |= a.is_var();
    }
    if (!moves || !any) {
      body->eqns.push_back(e);
      continue;
    }
    prologue->eqns.push_back(e);
    bool both = keep_views && e.prim->view;
    if (both) body->eqns.push_back(e);
    for (Var v : e.out) {
      fixed[size_t(v)] = true;
      made[size_t(v)] = !both;
    }
  }
  auto cross = [&](Atom a) {
    if (!a.is_var() || !made[size_t(a.id)]) return;
    made[size_t(a.id)] = false;
    prologue->out.push_back(a);
    body->in.push_back(a.as_var());
  };
  for (const Eqn& e : body->eqns)
    for (Atom a : e.in) cross(a);
  for (Atom a : body->out) cross(a);
  if (prologue->out.empty()) return {};
  return {prologue, body};
}

// ---- the checker

namespace {

[[noreturn]] void ill_formed(const Jaxpr& j, const std::string& what) {
  throw_error(ErrorKind::internal,
              cat("ill-formed jaxpr: ", what, "\n", to_string(j)));
}

// Checks the jaxprs among the params.
class SubJaxprChecker : public PartialVisitor {
 public:
  void on_jaxpr(const JaxprRef& j) override {
    if (j) check_jaxpr(*j);
  }
};

}  // namespace

void check_jaxpr(const Jaxpr& j) {
  std::vector<bool> defined(j.avals.size());
  auto define = [&](Var v) {
    if (v < 0 || size_t(v) >= j.avals.size())
      ill_formed(j, "a variable is out of range");
    if (defined[size_t(v)]) ill_formed(j, "a variable is defined twice");
    defined[size_t(v)] = true;
  };
  auto use = [&](Atom a) {
    if (a.is_var() &&
        (size_t(a.id) >= j.avals.size() || !defined[size_t(a.id)]))
      ill_formed(j, "a variable is used before its definition");
    if (a.is_literal() && size_t(a.literal_index()) >= j.literals.size())
      ill_formed(j, "a literal is out of range");
  };
  for (Var v : j.in) define(v);
  for (const Eqn& e : j.eqns) {
    Avals in;
    for (Atom a : e.in) {
      if (a.is_none()) ill_formed(j, "an operand is missing");
      use(a);
      in.push_back(j.aval(a));
    }
    SubJaxprChecker sub;
    e.params.visit(sub);
    Avals want = e.prim->type({*e.prim, in, e.params});
    if (want.size() != e.out.size())
      ill_formed(j, cat(e.prim->name, " has a wrong number of outputs"));
    for (size_t i = 0; i < want.size(); ++i) {
      define(e.out[i]);
      const Aval& got = j.avals[size_t(e.out[i])];
      if (!same_layout(got, want[i]))
        ill_formed(
            j, cat(e.prim->name, " gives ", want[i], ", recorded as ", got));
    }
  }
  for (Atom a : j.out) use(a);
}

}  // namespace cotan
