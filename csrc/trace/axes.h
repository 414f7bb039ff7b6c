// The named axes that are in scope: those of the vmaps that run on this thread
// (and of make_jaxpr's axis_env), the innermost last.
#pragma once

#include <vector>

#include "ir/primitive.h"

namespace cotan {

// Brings a named axis into scope; an axis without a name changes nothing.
class ExtendAxes {
 public:
  explicit ExtendAxes(const BatchAxis& axis);
  ~ExtendAxes();
  ExtendAxes(const ExtendAxes&) = delete;
  ExtendAxes& operator=(const ExtendAxes&) = delete;

 private:
  const uint32_t before_;
  const bool named_;
};

// -1: not in scope.
int64_t find_axis(const AxisName& name);
// Throws a NameError if it is not in scope.
int64_t axis_size(const AxisName& name);
std::vector<AxisName> axes_in_scope();
// Throws a NameError on behalf of a collective operation.
[[noreturn]] void throw_unbound(const AxisName& name, const char* op);

}  // namespace cotan
