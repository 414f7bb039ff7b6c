// Accesses: how a value is indexed from the axes of an iteration space. Views
// are compositions of accesses; whatever stays affine costs nothing.
#pragma once

#include "passes/kernel.h"

namespace cotan {

// The axes of a kernel being made. Axes may be split (to see through a
// reshape) but never disappear; accesses made before a split are brought up
// to date with apply_split.
struct Space {
  SmallVector<int64_t, 6> extents;
  SmallVector<int32_t, 6> order;  // axes as they nest, outermost first
  // Elements of `ragged_outer * extent(inner) + ragged_inner` are < total.
  int32_t ragged_outer = -1, ragged_inner = -1;
  int64_t ragged_total = 0;

  int32_t add(int64_t extent) {
    extents.push_back(extent);
    order.push_back(int32_t(extents.size() - 1));
    return order.back();
  }
  bool is_ragged(int32_t axis) const {
    return axis == ragged_outer || axis == ragged_inner;
  }
  AxisMask all() const { return (AxisMask(1) << extents.size()) - 1; }
};

// axis becomes (axis, inner): index = axis * factor + inner.
struct Split {
  int32_t axis = -1, inner = -1;
  int64_t factor = 1;
};
// Told of each split, so that other accesses of the space can follow.
class SplitListener {
 public:
  virtual void on_split(const Split& s) = 0;

 protected:
  ~SplitListener() = default;
};

// A run-time start (dynamic_slice): scale * clamp(value, 0, limit) is added to
// the index of dimension `dim`.
struct Dynamic {
  int32_t value = -1;  // of the flow graph
  int32_t dim = 0;
  int64_t scale = 1, limit = 0;
  bool operator==(const Dynamic&) const = default;
};

struct Access {
  Shape shape;  // how the value's elements are counted, row-major; may differ
                // from the value's shape by a reshape
  SmallVector<Affine, 4> dims;  // index along each dimension of `shape`
  SmallVector<Guard, 1> guards;
  SmallVector<Dynamic, 1> dynamic;
  uint64_t unknown = 0;  // bit d: the index along d is not affine
};

// ---- affine functions. Missing strides are zero.
inline int64_t coefficient(const Affine& f, size_t axis) {
  return axis < f.stride.size() ? f.stride[axis] : 0;
}
void add_scaled(Affine& to, const Affine& f, int64_t scale);
Affine axis_index(int32_t axis);
bool same(const Affine& a, const Affine& b);
bool same(const Access& a, const Access& b);
AxisMask axes_of(const Affine& f);
AxisMask axes_of(const Access& a);
struct Range {
  int64_t lo, hi;  // both inclusive
};
Range range_of(const Affine& f, const Space& s);
void apply_split(Affine& f, const Split& s);
void apply_split(Access& a, const Split& s);
// Every axis i becomes the affine function to[i].
void substitute(Affine& f, std::span<const Affine> to);
void substitute(Access& a, std::span<const Affine> to);

// ---- accesses
// One axis per dimension, in order; dimensions of extent 1 have none.
Access identity_access(const Shape& shape, Space& space);
// Re-counts the elements as `to`. Splits axes if a listener is given. What is
// not affine becomes unknown.
void reshape_access(Access& a, const Shape& to, Space& space,
                    SplitListener* splits);
// The access of operand 0 that reading the view's result with `a` means.
// Appends the guards of a guarded view to *own (they are also in the result).
// False if it is not affine.
bool through_view(const Access& a, const View& view,
                  std::span<const int32_t> operands, const Shape& in,
                  const Shape& out, Space& space, SplitListener* splits,
                  Access* result, SmallVector<Guard, 1>* own);
// Index into row-major memory; no dimension may be unknown.
Affine linear_index(const Access& a);
// Whether the access visits every element exactly once as the axes in *dep
// vary (which ignores the axes that it does not depend on).
bool covers(const Access& a, const Space& space, AxisMask* dep);

}  // namespace cotan
