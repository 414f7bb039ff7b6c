// Attributes of the "window" and "convolution" kernels; see
// ir/kernel_attrs.h.
#pragma once

#include "ir/kernel_attrs.h"

namespace cotan {

// "window": sum, max and min: in {x}, out {y}, y[i] the combination of x at
// (i strides + k dilation - low) / base for all k < sizes, as far as those are
// elements (max and min of none: the lowest and the highest value).
// gather_*: in {t, x}: y[i] is t at the first extremum of x in window i.
// scatter_*: in {source, x}: every source[i] is added there. Shapes are x's.
enum class WindowOp : int64_t {
  sum,
  max,
  min,
  gather_max,
  gather_min,
  scatter_max,
  scatter_min,
};
struct WindowAttrs {
  WindowOp op = WindowOp::sum;
  DType dtype = DType::f32;
  Dims shape, sizes, strides, low, high, base, dilation;
  void fields(auto& v) {
    v(op), v(dtype), v(shape), v(sizes), v(strides), v(low), v(high), v(base);
    v(dilation);
  }
};

// "convolution": in {lhs, rhs}, out {y}, all of one dtype. For group g, batch
// n, output channel o and position i:
//   y[n, g, o, i] = sum over c, k of rhs[g, o, c, k] lhs[n, g, c, at],
//   at = (i strides + k rhs_dilation - low) / lhs_dilation.
// Strides in elements: {n, g, channel, spatial...}; rhs: {o, g, c, spatial}.
struct ConvolutionAttrs {
  DType dtype = DType::f32;
  int64_t batch = 1, groups = 1, in_channels = 1, out_channels = 1;  // a group
  Dims in_size, kernel_size, out_size;
  Dims strides, low, lhs_dilation, rhs_dilation;
  Dims lhs_strides, rhs_strides, out_strides;
  void fields(auto& v) {
    v(dtype), v(batch), v(groups), v(in_channels), v(out_channels);
    v(in_size), v(kernel_size), v(out_size), v(strides), v(low);
    v(lhs_dilation), v(rhs_dilation);
    v(lhs_strides), v(rhs_strides), v(out_strides);
  }
};

}  // namespace cotan
