// The few operations that transforms need; defined in ops/.
#pragma once

#include "ir/primitive.h"
#include "ir/value.h"

namespace cotan {

Value add_any(const Value& x, const Value& y);  // cotangent accumulation
Value zeros_of(const Aval& aval);               // a concrete or staged zero
inline Value zeros_like(const Value& x) { return zeros_of(x.aval()); }
Value broadcast_in_dim(const Value& x, Shape shape, Axes dims);
Value move_axis(const Value& x, int64_t from, int64_t to);

// Narrow dtypes (ops/narrow.cpp): whether an application is to be replaced by
// one on wide dtypes, and that.
bool computes_wide(const Primitive& p, std::span<const Aval> in,
                   std::span<const Aval> out);
Values compute_wide(const Primitive& p, const Params& params,
                    std::span<const Value> x);

// Aval of a tangent: float0 for what has no derivative.
inline Aval tangent_aval(const Aval& a) {
  return is_inexact(a.dtype) ? a : Aval{DType::float0, false, a.shape};
}

}  // namespace cotan
