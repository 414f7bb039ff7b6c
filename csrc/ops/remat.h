// What may be kept of a checkpointed computation for its derivative.
#pragma once

#include "ops/control.h"

namespace cotan {

class SavePolicy : public Opaque {
 public:
  // Whether the results of an equation may be stored instead of recomputed.
  virtual bool saves(const Eqn& e, std::span<const Aval> in) const = 0;
};

struct NameParams {
  std::string name;
  static constexpr auto fields() {
    return std::tuple{field("name", &NameParams::name)};
  }
};

namespace lax {

// Calls j; its derivative recomputes what the policy (null: nothing is kept)
// does not keep. `prevent_cse`: keeps the compiler from undoing that.
Values checkpoint(const JaxprRef& j, std::span<const Value> args,
                  bool prevent_cse, OpaqueRef policy);
// Identities: the first stops common subexpressions, the second is what
// policies know a value by.
Values optimization_barrier(std::span<const Value> x);
Value checkpoint_name(const Value& x, const std::string& name);

}  // namespace lax
}  // namespace cotan
