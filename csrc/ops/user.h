// Primitives that a program defines while it runs. The record is one like any
// other; its slots call the rules that travel in the parameters.
#pragma once

#include "ops/lax.h"

namespace cotan {

// The rules of a user's primitive; those that are missing throw
// NotImplementedError with the names of primitive and slot.
class UserRules : public Opaque {
 public:
  virtual Avals type(std::span<const Aval> in,
                     const OpaqueRef& params) const = 0;
  virtual Values impl(std::span<const Value> x,
                      const OpaqueRef& params) const = 0;
  // The lowering: binds other primitives.
  virtual Values expand(std::span<const Value> x,
                        const OpaqueRef& params) const = 0;
  virtual Dual jvp(std::span<const Value> x, std::span<const Value> t,
                   const OpaqueRef& params) const = 0;
  virtual Values transpose(const TransposeArgs& a,
                           const OpaqueRef& params) const = 0;
  virtual Batched batch(const BatchArgs& a, const OpaqueRef& params) const = 0;
  virtual bool uses_axis(const OpaqueRef& params,
                         const AxisName& name) const = 0;
};
using UserRulesRef = Ref<const UserRules>;

// `values` are the parameters as the rules know them: compared and hashed.
struct UserParams {
  OpaqueRef rules;  // UserRules
  OpaqueRef values;
  static constexpr auto fields() {
    return std::tuple{field("rules", &UserParams::rules),
                      field("values", &UserParams::values)};
  }
};

// A new record, which lives as long as the process: its address is its
// identity, and equations may outlive whoever made it.
const Primitive& define_primitive(const std::string& name);
Values bind_user(const Primitive& p, std::span<const Value> x,
                 const UserParams& params);
// Null: not the parameters of a user's primitive.
const UserParams* user_params(const Params& p);

}  // namespace cotan
