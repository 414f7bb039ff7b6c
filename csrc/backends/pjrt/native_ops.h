// Elementwise primitives that StableHLO has as one operation. XLA knows these
// better than their decompositions; what is not listed is written from the
// primitive's `.scalar` body.
#pragma once

#include "emit/hlo.h"

namespace cotan::pjrt {

// False: no operation of StableHLO means the same for these types.
bool emit_native(const HloArgs& a, HloValues* out);

// The operation for a real math function on f32 or f64.
HloValue emit_native_math(HloBuilder& b, MathFn fn, HloValue x, HloValue y);

}  // namespace cotan::pjrt
