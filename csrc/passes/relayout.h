#pragma once

#include "ir/jaxpr.h"

namespace cotan {

// Small matrices that a loop's body multiplies again and again, and whose rows
// are what is summed over, are transposed before the loop: then the product
// runs along the lanes. h.prologue may be null; the inputs of the body that
// are marked do not change.
void relayout_weights(Hoisted& h, const JaxprRef& body,
                      const std::vector<bool>& invariant);

}  // namespace cotan
