// Jaxprs: straight-line programs of equations over typed variables. Jaxprs
// are open: values that a function closes over are leading inputs, so a
// jaxpr never owns an array and can be printed, compared and serialised.
#pragma once

#include <atomic>
#include <span>
#include <string>
#include <vector>

#include "base/ref.h"
#include "ir/aval.h"
#include "ir/literal.h"
#include "ir/params.h"

namespace cotan {

struct Primitive;

using Var = int32_t;  // index into Jaxpr::avals

// A variable or a literal. Default: neither ("no value", a symbolic zero).
struct Atom {
  int32_t id = INT32_MIN;
  static Atom var(Var v) { return {v}; }
  static Atom literal(int32_t index) { return {~index}; }
  bool is_var() const { return id >= 0; }
  bool is_literal() const { return id < 0 && id != INT32_MIN; }
  bool is_none() const { return id == INT32_MIN; }
  Var as_var() const { return id; }
  int32_t literal_index() const { return ~id; }
  bool operator==(const Atom&) const = default;
};

// Where in the user's program an equation was made. The Python layer installs
// the factory; describe() gives "file.py:12 (function)".
class SourceInfo : public RefCounted {
 public:
  virtual std::string describe() const = 0;
};
using SourceRef = Ref<const SourceInfo>;

struct Eqn {
  const Primitive* prim = nullptr;
  Params params;
  SmallVector<Atom, 3> in;
  SmallVector<Var, 1> out;
  SourceRef source;
};

// Things that order equations or keep them alive.
enum Effects : uint32_t {
  kPure = 0,
  kOrderedEffect = 1,    // callbacks in program order
  kUnorderedEffect = 2,  // kept by dce
  kIoEffect = 4,         // happens exactly as often as the program says
};

struct Jaxpr : RefCounted {
  std::vector<Aval> avals;  // type of each Var
  std::vector<Literal> literals;
  std::vector<Var> in;
  std::vector<Atom> out;  // none: symbolic zero (tangent jaxprs only)
  std::vector<Eqn> eqns;
  uint32_t effects = kPure;
  std::string name;  // of the traced function; not compared

  Jaxpr() = default;
  Jaxpr(const Jaxpr&) = default;

  Aval aval(Atom a) const {
    return a.is_var() ? avals[size_t(a.id)]
                      : literals[size_t(a.literal_index())].aval();
  }
  Var new_var(Aval a) {
    avals.push_back(std::move(a));
    return Var(avals.size() - 1);
  }
  Atom new_literal(const Literal& lit) {
    literals.push_back(lit);
    return Atom::literal(int32_t(literals.size() - 1));
  }
  Avals in_avals() const;
  Avals out_avals() const;
};

// Removes equations that no used output needs; keeps effects. `used` has one
// entry per output (empty: all are used); unused outputs are dropped.
// `keep_inputs`: bit per input that must stay; empty: all stay.
struct DceResult {
  JaxprRef jaxpr;
  std::vector<bool> used_inputs;
};
DceResult dce(const Jaxpr& j, const std::vector<bool>& used_outputs,
              bool drop_unused_inputs);

// The same program with other inputs and outputs: `from` is an input of j, or
// -1 for an unused one of type `aval`. Inputs that are left out must be unused.
struct NewInput {
  int64_t from = -1;
  Aval aval = {};
};
JaxprRef rearranged(const Jaxpr& j, std::span<const NewInput> in,
                    std::span<const size_t> out);
// Splits off the pure equations that depend only on the marked inputs:
// `prologue` maps those inputs to what `body` takes after its own inputs.
// Null if there are none. With `keep_views` the body makes its views (free
// where they fuse) itself.
struct Hoisted {
  JaxprRef prologue, body;
};
Hoisted hoist_invariants(const Jaxpr& j, const std::vector<bool>& invariant,
                         bool keep_views);

// Throws an internal error that names the first violated rule: variables are
// defined once and before use, every equation's outputs have the types that
// the primitive's type rule gives, sub-jaxprs are well formed too.
void check_jaxpr(const Jaxpr& j);

// "{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }", as JAX prints.
// The first `num_consts` inputs stand before the semicolon.
std::string to_string(const Jaxpr& j, size_t num_consts = 0);

}  // namespace cotan
