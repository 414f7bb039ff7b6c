// The windows of gather and scatter. `indices` holds one index vector per
// window in its last dimension; a window is a box of the operand, and its
// elements lie along the window dimensions of `updates` (scatter) or of the
// result (gather, where it plays the same part). Both operations share this
// description, their checks and their reference loops.
#pragma once

#include "ir/kernel_attrs.h"
#include "ops/host_loop.h"
#include "ops/rules.h"

namespace cotan::ops {

struct WindowDims {
  const Axes& window;   // of updates: offset_dims, update_window_dims
  const Axes& removed;  // of operand: collapsed_slice_dims, inserted_...
  const Axes& map;      // operand dimension of each entry of an index vector
  const Axes& operand_batch;
  const Axes& indices_batch;
};
inline WindowDims window_dims(const GatherParams& p) {
  return {p.offset_dims, p.collapsed_slice_dims, p.start_index_map,
          p.operand_batching_dims, p.start_indices_batching_dims};
}
inline WindowDims window_dims(const ScatterParams& p) {
  return {p.update_window_dims, p.inserted_window_dims,
          p.scatter_dims_to_operand_dims, p.operand_batching_dims,
          p.scatter_indices_batching_dims};
}

inline bool contains(std::span<const int64_t> list, int64_t x) {
  return std::find(list.begin(), list.end(), x) != list.end();
}

// Throw with JAX's words.
Shape check_gather(const Aval& operand, const Aval& indices,
                   const GatherParams& p);
void check_scatter(const Aval& operand, const Aval& indices,
                   const Aval& updates, const ScatterParams& p);

// The size of a scatter's window in every dimension of the operand.
Dims window_sizes(const ScatterParams& p, const Shape& operand,
                  const Shape& updates);
// The gather that reads what the scatter writes, and the other way round.
GatherParams inverse(const ScatterParams& p, const Shape& operand,
                     const Shape& updates);
ScatterParams inverse(const GatherParams& p);

// Dimension numbers with a batch axis at 0 of everything named.
GatherParams with_batched_operand(GatherParams p, int64_t size);
GatherParams with_batched_indices(GatherParams p);
GatherParams with_batched_both(GatherParams p, int64_t size);
ScatterParams with_batched_updates(ScatterParams p);  // indices are not
ScatterParams with_batched_all(ScatterParams p);

// lax.gather with a batched operand and/or batched indices.
Batched batch_gather(const Value& operand, int64_t operand_dim,
                     const Value& indices, int64_t indices_dim, int64_t size,
                     const GatherParams& p);
// lax.scatter* with batched operands, as `self`.
Batched batch_scatter(const Primitive& self, std::span<const Value> x,
                      std::span<const int64_t> dims, int64_t size,
                      const ScatterParams& p);

inline IndexMode index_mode(GatherMode m) {
  return m == GatherMode::clip           ? IndexMode::clip
         : m == GatherMode::fill_or_drop ? IndexMode::fill_or_drop
                                         : IndexMode::promise;
}

// Calls f(element of operand, element of updates) for every element of every
// window, windows in the order of `indices`. The first is -1 for windows that
// lie outside when the mode is fill_or_drop.
template <class F>
void for_each_window_element(const HostView& indices, const WindowDims& dims,
                             std::span<const int64_t> operand,
                             std::span<const int64_t> updates,
                             std::span<const int64_t> sizes, GatherMode mode,
                             F f) {
  Dims from = row_major_strides(operand), to = row_major_strides(updates);
  Dims window, window_from, window_to, batch_to;
  for (size_t d = 0; d < operand.size(); ++d) {
    if (contains(dims.removed, int64_t(d))) continue;
    if (contains(dims.operand_batch, int64_t(d))) continue;
    window_to.push_back(to[size_t(dims.window[window.size()])]);
    window_from.push_back(from[d]);
    window.push_back(sizes[d]);
  }
  for (size_t d = 0; d < updates.size(); ++d)
    if (!contains(dims.window, int64_t(d))) batch_to.push_back(to[d]);

  int64_t vector = indices.shape.back(), row = 0;
  bool nowhere = contains(operand, 0);  // a window of size 1 does not fit
  Dims start(operand.size());
  for_each_index(
      indices.shape.first(indices.shape.size() - 1), [&](const Dims& batch) {
        bool outside = nowhere;
        for (size_t k = 0; k < dims.map.size(); ++k) {
          auto d = size_t(dims.map[k]);
          int64_t i = read_integer(indices, row * vector + int64_t(k));
          start[d] = clamp_start(i, operand[d], sizes[d]);
          outside |= mode == GatherMode::fill_or_drop && start[d] != i;
        }
        for (size_t k = 0; k < dims.operand_batch.size(); ++k)
          start[size_t(dims.operand_batch[k])] =
              batch[size_t(dims.indices_batch[k])];
        ++row;
        int64_t at = dot(start, from), put = dot(batch, batch_to);
        for_each_index(window, [&](const Dims& w) {
          f(outside ? -1 : at + dot(w, window_from), put + dot(w, window_to));
        });
      });
}

}  // namespace cotan::ops
