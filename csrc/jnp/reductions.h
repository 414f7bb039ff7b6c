// NumPy's reductions with JAX's dtypes: small integers sum in the default
// integer, 16-bit floats accumulate in f32.
#pragma once

#include "jnp/shape.h"
#include "ops/params.h"

namespace cotan::jnp {

struct ReduceOptions {
  OptionalAxes axes;  // absent: all
  std::optional<DType> dtype;
  bool keepdims = false;
  Value initial;  // rank 0, or null
  Value where;    // bool, broadcast against the operand; null: everything
  bool promote_integers = true;
};

enum class Reducer : uint8_t { sum, prod, max, min, all, any };

Value reduction(Reducer r, const Value& x, const ReduceOptions& o = {});
Value sum(const Value& x, const ReduceOptions& o = {});
Value mean(const Value& x, const ReduceOptions& o = {});
// Mean of |x - mean|^2, divided by count - correction. `center`: the mean if
// it is known (keepdims), else null.
Value variance(const Value& x, const ReduceOptions& o, const Value& correction,
               const Value& center = {});
// Elements that take part in each result, in dtype t.
Value count(const Value& x, const ReduceOptions& o, DType t);
// Absent axis: of the raveled array. keepdims keeps all axes.
Value arg_extremum(bool greatest, const Value& x, std::optional<int64_t> axis,
                   bool keepdims, std::optional<DType> index = {});
Value cumulative(CumulativeKind kind, const Value& x,
                 std::optional<int64_t> axis, std::optional<DType> dtype = {},
                 bool reverse = false);

// f16, bf16 and narrow floats are computed with in f32.
inline DType computation_dtype(DType t) {
  return is_half(t) || is_narrow_float(t) ? DType::f32 : t;
}

}  // namespace cotan::jnp
