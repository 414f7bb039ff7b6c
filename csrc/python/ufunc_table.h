// The elementwise functions that Python gets as Ufunc objects.
#pragma once

#include "python/hot.h"

namespace cotan::python {

struct UfuncEntry {
  const char* name;  // "numpy.sin", "lax.sin"
  const char* doc;   // one line; the arguments are x and y
  UnaryFn unary;
  BinaryFn binary;
};
size_t num_ufuncs();
const UfuncEntry& ufunc_entry(size_t i);

}  // namespace cotan::python
