// What gather and scatter share: where windows start in the operand, and how
// a window's elements lie in the operand and on the other side (the result of
// a gather, the updates of a scatter). All offsets are in bytes.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/kernels/kernels.h"

namespace cotan {

// Maps batch positions (row-major over indices_shape without its last axis)
// to byte offsets of their windows in the operand.
class WindowStarts {
 public:
  // window_sizes: one per operand axis. start_index_map: the operand axis of
  // each index component. False if a window cannot fit into the operand and
  // may not be dropped.
  bool init(int64_t itemsize, DType index_dtype, IndexMode mode,
            std::span<const int64_t> operand_shape,
            std::span<const int64_t> window_sizes,
            std::span<const int64_t> indices_shape,
            std::span<const int64_t> start_index_map,
            std::span<const int64_t> operand_batching_dims,
            std::span<const int64_t> indices_batching_dims);

  int64_t count() const { return count_; }
  // True if positions that differ in their first coordinate can never meet.
  bool first_axis_is_batched() const {
    return !batch_.empty() && batch_[0].stride != 0;
  }
  // True if two windows overlap only where they start at the same offset.
  bool disjoint() const { return disjoint_; }
  int64_t first_axis() const { return batch_.empty() ? 1 : batch_[0].size; }
  // The offsets of positions [first, first + n); -1 where the window is
  // dropped.
  void compute(const void* indices, int64_t first, int64_t n,
               int64_t* out) const;

 private:
  struct Component {
    int64_t stride, limit;  // bytes; the largest start
  };
  struct BatchAxis {
    int64_t size, stride;  // bytes of the operand axis it goes with, or 0
  };
  template <class I>
  void compute_from(const I* indices, int64_t n, int64_t* out) const;
  void add_batch_offsets(int64_t first, int64_t n, int64_t* out) const;

  DType index_dtype_ = DType::i32;
  bool drop_ = false;
  int64_t count_ = 1;
  SmallVector<Component, 4> components_;
  SmallVector<BatchAxis, 6> batch_;
  bool has_batching_ = false, disjoint_ = true;
};

struct WindowAxis {
  int64_t size, operand, other;  // strides in bytes
};
using WindowAxes = SmallVector<WindowAxis, 6>;

// Drops axes of size 1 and joins neighbours that are one axis on both sides.
void simplify(WindowAxes& axes);
// Takes the innermost axis off if its elements are dense on both sides.
// Returns the bytes of such a run (itemsize if there is none).
int64_t take_run(WindowAxes& axes, int64_t itemsize);

// Calls f(operand offset, other offset) for every element of the axes, in
// row-major order.
template <class F>
void for_each_offset(std::span<const WindowAxis> axes, F&& f) {
  if (axes.empty()) return f(int64_t(0), int64_t(0));
  if (axes.size() == 1) {
    for (int64_t i = 0; i < axes[0].size; ++i)
      f(i * axes[0].operand, i * axes[0].other);
    return;
  }
  SmallVector<int64_t, 6> at(axes.size(), 0);
  int64_t a = 0, b = 0;
  for (;;) {
    f(a, b);
    size_t d = axes.size();
    for (;;) {
      if (d-- == 0) return;
      a += axes[d].operand;
      b += axes[d].other;
      if (++at[d] < axes[d].size) break;
      a -= axes[d].size * axes[d].operand;
      b -= axes[d].size * axes[d].other;
      at[d] = 0;
    }
  }
}

inline bool contains(const Dims& dims, int64_t d) {
  for (int64_t x : dims)
    if (x == d) return true;
  return false;
}

}  // namespace cotan
