// A function under a name that a compiler may know.
#pragma once

#include "ops/lax.h"

namespace cotan {

// The attributes: of interest to whoever knows the name.
class CompositeAttributes : public Opaque {
 public:
  // As MLIR writes a dictionary, "{k = 3 : i64}"; empty: there are none.
  virtual std::string hlo() const = 0;
};

struct CompositeParams {
  OpaqueRef attributes;  // CompositeAttributes
  JaxprRef jaxpr;        // what it is made of
  std::string name;
  int64_t version = 0;
  static constexpr auto fields() {
    return std::tuple{field("attributes", &CompositeParams::attributes),
                      field("jaxpr", &CompositeParams::jaxpr),
                      field("name", &CompositeParams::name),
                      field("version", &CompositeParams::version)};
  }
};

}  // namespace cotan
