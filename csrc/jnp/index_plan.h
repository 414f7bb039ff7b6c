// How an index reads: found from the items and the shape, without looking at
// the array. Shared by reading and writing.
#pragma once

#include "jnp/indexing.h"

namespace cotan::jnp {

// Items with masks replaced by integer arrays, ellipses and missing trailing
// items by full slices; scalars by arrays on new axes of x.
struct ResolvedIndex {
  Index items;
  Axes scalar_axes;        // axes of extent 1 to add to x first
  Shape shape;             // of x with those axes
  bool contiguous = true;  // the advanced indices stand side by side
};
ResolvedIndex resolve_index(const Shape& shape,
                            std::span<const IndexItem> index);

// A box of x: start, limit, stride per axis; then axes are reversed, squeezed
// and added. `in_bounds`: no integer had to be clamped.
struct StaticIndex {
  Dims start, limit, stride;
  Axes reversed, squeezed;  // of x
  Axes added;               // of the result
  bool in_bounds = true;
  bool unit_stride = true;
};
// IndexError for an integer outside of its axis.
void check_integers(const Shape& shape, std::span<const IndexItem> index,
                    bool wrap_negative);
// The plan, or nullopt where the index has arrays.
std::optional<StaticIndex> static_index(const Shape& shape,
                                        std::span<const IndexItem> index,
                                        bool wrap_negative);

// A gather of x (with scalar_axes added), then rev and expand_dims.
struct WindowIndex {
  Shape result;   // of x[index]
  Axes added;     // axes of the result that x does not have
  Axes reversed;  // axes of the gather's output
  Value indices;  // [batch..., vector]
  Axes offset_dims, collapsed, start_map;
  Dims window;
  bool advanced = false;  // index arrays: entries may repeat
};
WindowIndex window_index(const ResolvedIndex& r, bool wrap_negative);

// start, stop and step as slice.indices(extent) gives them.
struct SliceBounds {
  int64_t start, stop, step;
  int64_t count() const {
    if (step > 0) return stop > start ? (stop - start - 1) / step + 1 : 0;
    return start > stop ? (start - stop - 1) / -step + 1 : 0;
  }
};
SliceBounds slice_bounds(const IndexItem& s, int64_t extent);

}  // namespace cotan::jnp
