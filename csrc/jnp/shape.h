// NumPy's functions of shape: axes may be negative, sizes may be -1, operands
// of one call are promoted to one dtype.
#pragma once

#include <optional>

#include "jnp/promote.h"

namespace cotan::jnp {

using OptionalAxes = std::optional<Axes>;

// In 0..rank-1, or a ValueError.
int64_t canonical_axis(int64_t axis, int64_t rank);
// Distinct axes in the order given; all of them if absent.
Axes canonical_axes(const OptionalAxes& axes, int64_t rank);

// One size may be -1; `fortran` reads and writes the first axis fastest.
Value reshape(const Value& x, Dims shape, bool fortran = false);
Value ravel(const Value& x, bool fortran = false);
// Absent axes: reversed.
Value permute(const Value& x, const OptionalAxes& axes = {});
Value swap_axes(const Value& x, int64_t a, int64_t b);
Value move_axes(const Value& x, const Axes& from, const Axes& to);
Value squeeze(const Value& x, const OptionalAxes& axes = {});
Value expand_dims(const Value& x, const Axes& axes);
Value flip(const Value& x, const OptionalAxes& axes = {});
// Absent axes: the raveled array.
Value roll(const Value& x, Dims shifts, const OptionalAxes& axes);
Value tile(const Value& x, Dims repeats);
Value concatenate(std::span<const Value> x, int64_t axis);
Value stack(std::span<const Value> x, int64_t axis);
Values broadcast_arrays(std::span<const Value> x);
// x[start:stop] along one axis, 0 <= start <= stop <= extent.
Value slice_along(const Value& x, int64_t axis, int64_t start, int64_t stop);

}  // namespace cotan::jnp
