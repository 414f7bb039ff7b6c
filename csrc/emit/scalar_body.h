// Runs a primitive's `.scalar` body with the half-precision convention: f16
// and bf16 operands are widened to f32, the result is rounded once.
#pragma once

#include "emit/scalar.h"
#include "ir/primitive.h"

namespace cotan {

inline ScalarOuts emit_scalar_body(ScalarEmitter& e, const Primitive& p,
                                   Scalars x, const Params& params,
                                   std::span<const DType> out_types) {
  if (p.flags & kSeesHalf) return p.scalar(e, x, params);
  SmallVector<Scalar, 4> wide;
  for (const Scalar& s : x)
    wide.push_back(is_half(s.dtype) ? e.convert(s, DType::f32) : s);
  ScalarOuts r = p.scalar(e, wide, params);
  for (int i = 0; i < r.n; ++i)
    if (is_half(out_types[size_t(i)]) && !is_half(r.s[i].dtype))
      r.s[i] = e.convert(r.s[i], out_types[size_t(i)]);
  return r;
}

}  // namespace cotan
