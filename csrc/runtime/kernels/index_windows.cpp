#include "runtime/kernels/index_windows.h"

#include <algorithm>
#include <concepts>

#include "runtime/kernels/isa.h"

namespace cotan {
namespace {

// Large unsigned indices are past every end.
template <class I>
COTAN_INLINE int64_t as_index(I i) {
  if constexpr (std::same_as<I, uint64_t>)
    return i > uint64_t(INT64_MAX) ? INT64_MAX : int64_t(i);
  else
    return int64_t(i);
}

// One component, no batching: most of all gathers.
template <class I>
COTAN_MULTIVERSION_AVX2 void clip_starts(const I* indices, int64_t n,
                                         int64_t limit, int64_t stride,
                                         int64_t* out) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t k = as_index(indices[i]);
    k = k < 0 ? 0 : k;
    out[i] = (k > limit ? limit : k) * stride;
  }
}
template <class I>
COTAN_MULTIVERSION_AVX2 void checked_starts(const I* indices, int64_t n,
                                            int64_t limit, int64_t stride,
                                            int64_t* out) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t k = as_index(indices[i]);
    bool fits = (k >= 0) & (k <= limit);
    out[i] = fits ? (fits ? k : 0) * stride : -1;
  }
}

}  // namespace

bool WindowStarts::init(int64_t itemsize, DType index_dtype, IndexMode mode,
                        std::span<const int64_t> operand_shape,
                        std::span<const int64_t> window_sizes,
                        std::span<const int64_t> indices_shape,
                        std::span<const int64_t> start_index_map,
                        std::span<const int64_t> operand_batching_dims,
                        std::span<const int64_t> indices_batching_dims) {
  Dims strides = row_major_strides(operand_shape);
  index_dtype_ = index_dtype;
  drop_ = mode == IndexMode::fill_or_drop;
  for (int64_t d : start_index_map) {
    int64_t limit = operand_shape[size_t(d)] - window_sizes[size_t(d)];
    disjoint_ &= window_sizes[size_t(d)] == 1;
    if (limit < 0) {
      if (!drop_) return false;
      limit = -1;  // nothing fits
    }
    components_.push_back({strides[size_t(d)] * itemsize, limit});
  }
  for (size_t d = 0; d + 1 < indices_shape.size(); ++d) {
    batch_.push_back({indices_shape[d], 0});
    count_ *= indices_shape[d];
  }
  for (size_t i = 0; i < indices_batching_dims.size(); ++i) {
    size_t axis = size_t(operand_batching_dims[i]);
    batch_[size_t(indices_batching_dims[i])].stride = strides[axis] * itemsize;
    has_batching_ = true;
  }
  return true;
}

template <class I>
void WindowStarts::compute_from(const I* indices, int64_t n,
                                int64_t* out) const {
  size_t depth = components_.size();
  if (depth == 1) {
    auto [stride, limit] = components_[0];
    return drop_ ? checked_starts(indices, n, limit, stride, out)
                 : clip_starts(indices, n, limit, stride, out);
  }
  for (int64_t i = 0; i < n; ++i, indices += depth) {
    int64_t at = 0;
    bool fits = true;
    for (size_t c = 0; c < depth; ++c) {
      int64_t k = as_index(indices[c]);
      int64_t clipped = std::max<int64_t>(std::min(k, components_[c].limit), 0);
      fits &= k == clipped;
      at += clipped * components_[c].stride;
    }
    out[i] = fits || !drop_ ? at : -1;
  }
}

// Walks the batch axes like an odometer, one innermost run at a time.
void WindowStarts::add_batch_offsets(int64_t first, int64_t n,
                                     int64_t* out) const {
  size_t rank = batch_.size();
  SmallVector<int64_t, 6> at(rank, 0);
  int64_t base = 0;  // of the axes but the last
  for (size_t d = rank; d-- > 0; first /= batch_[d].size) {
    at[d] = first % batch_[d].size;
    if (d + 1 < rank) base += at[d] * batch_[d].stride;
  }
  const BatchAxis& last = batch_[rank - 1];
  for (int64_t i = 0; i < n;) {
    int64_t run = std::min(n - i, last.size - at[rank - 1]);
    for (int64_t k = 0; k < run; ++k)
      if (out[i + k] >= 0)
        out[i + k] += base + (at[rank - 1] + k) * last.stride;
    i += run;
    at[rank - 1] = 0;
    for (size_t d = rank - 1; d-- > 0;) {
      base += batch_[d].stride;
      if (++at[d] < batch_[d].size) break;
      base -= batch_[d].size * batch_[d].stride;
      at[d] = 0;
    }
  }
}

void WindowStarts::compute(const void* indices, int64_t first, int64_t n,
                           int64_t* out) const {
  int64_t skip = first * int64_t(components_.size());
  visit_dtype(index_dtype_, [&]<class I>() {
    if constexpr (std::integral<I>)
      compute_from(static_cast<const I*>(indices) + skip, n, out);
    else
      std::fill_n(out, n, -1);
  });
  if (has_batching_) add_batch_offsets(first, n, out);
}

void simplify(WindowAxes& axes) {
  WindowAxes kept;
  for (const WindowAxis& a : axes) {
    if (a.size == 1) continue;
    if (!kept.empty()) {
      WindowAxis& outer = kept.back();
      if (outer.operand == a.operand * a.size &&
          outer.other == a.other * a.size) {
        outer = {outer.size * a.size, a.operand, a.other};
        continue;
      }
    }
    kept.push_back(a);
  }
  axes = std::move(kept);
}

int64_t take_run(WindowAxes& axes, int64_t itemsize) {
  if (axes.empty()) return itemsize;
  WindowAxis a = axes.back();
  if (a.operand != itemsize || a.other != itemsize) return itemsize;
  axes.pop_back();
  return a.size * itemsize;
}

}  // namespace cotan
