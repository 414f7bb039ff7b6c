// NumPy indexing: x[index] and x.at[index].
//
// An index becomes, by rule: slice + rev + squeeze + expand_dims when it is
// static; dynamic_slice when it has run-time scalars and unit-step slices;
// gather (or scatter) for the rest. What is known about index arrays is
// computed on the host here, so a constant index leaves no arithmetic behind.
#pragma once

#include <optional>

#include "jnp/promote.h"
#include "ops/params.h"

namespace cotan::jnp {

struct IndexItem {
  enum class Kind : uint8_t {
    integer,
    slice,
    newaxis,
    ellipsis,
    array,   // of integers, any rank; may be a tracer
    mask,    // of bools, concrete
    scalar,  // True or False: an axis of extent 1 or 0
    window,  // `stop` elements from `array`, a (run-time) scalar
  };
  Kind kind = Kind::slice;
  bool has_start = false, has_stop = false;  // of a slice
  int64_t start = 0;                         // also the integer, the bool
  int64_t stop = 0, step = 1;
  Value array;
};
using Index = SmallVector<IndexItem, 4>;

struct IndexOptions {
  // Absent: reading clamps, writing drops what lies outside.
  std::optional<GatherMode> mode;
  Value fill;  // rank 0, for fill_or_drop; null: nan, lowest int, ...
  bool indices_are_sorted = false, unique_indices = false;
  bool wrap_negative = true;
};

Value getitem(const Value& x, std::span<const IndexItem> index,
              const IndexOptions& options = {});
// x with y written over, or combined into, x[index]. The result has x's type.
Value update_at(ScatterKind kind, const Value& x,
                std::span<const IndexItem> index, const Value& y,
                const IndexOptions& options = {});

// Where a concrete mask is true, as one int array per axis (row-major order).
Values nonzero(const Value& mask);

// x along one axis at integer `indices` of any rank, which take the place of
// that axis. Negative indices must have been wrapped.
Value take(const Value& x, const Value& indices, int64_t axis,
           const IndexOptions& options = {});
// Elements of x where indices (of x's rank, broadcast) say along one axis.
Value take_along_axis(const Value& x, const Value& indices, int64_t axis,
                      const IndexOptions& options = {});
// Adds the extent to negative indices; at once if they are concrete.
Value wrap_indices(const Value& indices, int64_t extent);

}  // namespace cotan::jnp
