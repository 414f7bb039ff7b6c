// What the passes agree on about how primitives can be lowered.
#pragma once

#include "ir/primitive.h"

namespace cotan {

// The planner can place it without decomposing it.
bool has_fast_slot(const Primitive& p);
// Element types that the generated matrix product takes.
bool gemm_takes(DType t);

}  // namespace cotan
