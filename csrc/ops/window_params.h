// Parameters and functions of fft, convolution and windows.
#pragma once

#include "ir/value.h"
#include "ops/params.h"

namespace cotan {

enum class FftType : uint8_t { fft, ifft, rfft, irfft };
inline std::string_view enum_name(FftType t) {
  constexpr std::string_view names[] = {"FftType.FFT", "FftType.IFFT",
                                        "FftType.RFFT", "FftType.IRFFT"};
  return names[int(t)];
}
struct FftParams {
  FftType kind = FftType::fft;
  Dims lengths;
  static constexpr auto fields() {
    return std::tuple{field("fft_type", &FftParams::kind),
                      field("fft_lengths", &FftParams::lengths)};
  }
};

// Padding of one dimension; may be negative.
struct PadPair {
  int64_t low = 0, high = 0;
  static constexpr auto fields() {
    return std::tuple{field("low", &PadPair::low),
                      field("high", &PadPair::high)};
  }
};

// Windows over every dimension of an operand.
struct WindowParams {
  Dims dimensions, strides;
  std::vector<PadPair> padding;
  Dims base_dilation, window_dilation;
  static constexpr auto fields() {
    return std::tuple{field("window_dimensions", &WindowParams::dimensions),
                      field("window_strides", &WindowParams::strides),
                      field("padding", &WindowParams::padding),
                      field("base_dilation", &WindowParams::base_dilation),
                      field("window_dilation", &WindowParams::window_dilation)};
  }
};
// select_and_scatter_add and select_and_gather_add: which element of a window
// is selected, the first maximum or the first minimum.
struct SelectParams {
  bool greatest = true;
  WindowParams window;
  static constexpr auto fields() {
    return std::tuple{field("greatest", &SelectParams::greatest),
                      field("window", &SelectParams::window)};
  }
};

// Specs name the dimensions: (batch, feature, spatial...) of lhs and out,
// (out feature, in feature, spatial...) of rhs.
struct ConvParams {
  Dims strides;
  std::vector<PadPair> padding;
  Dims lhs_dilation, rhs_dilation;
  Axes lhs_spec, rhs_spec, out_spec;
  int64_t feature_groups = 1, batch_groups = 1;
  std::string precision;  // "", "highest", ...: kept for lowering
  static constexpr auto fields() {
    return std::tuple{field("window_strides", &ConvParams::strides),
                      field("padding", &ConvParams::padding),
                      field("lhs_dilation", &ConvParams::lhs_dilation),
                      field("rhs_dilation", &ConvParams::rhs_dilation),
                      field("lhs_spec", &ConvParams::lhs_spec),
                      field("rhs_spec", &ConvParams::rhs_spec),
                      field("out_spec", &ConvParams::out_spec),
                      field("feature_group_count", &ConvParams::feature_groups),
                      field("batch_group_count", &ConvParams::batch_groups),
                      field("precision", &ConvParams::precision)};
  }
};

namespace lax {

Value fft(const Value& x, FftType kind, const Dims& lengths);
// monoid: sum, max or min
Value reduce_window(const Value& x, Monoid monoid, WindowParams p);
// out[i] = t at the selected element of window i of x; and its transpose.
Value select_and_gather_add(const Value& t, const Value& x, SelectParams p);
Value select_and_scatter_add(const Value& source, const Value& x,
                             SelectParams p);
Value conv(const Value& lhs, const Value& rhs, ConvParams p);

}  // namespace lax

// The size of a dimension with holes between its elements.
constexpr int64_t dilated(int64_t n, int64_t dilation) {
  return n == 0 ? 0 : (n - 1) * dilation + 1;
}
// How many windows of `size` fit, `stride` apart.
constexpr int64_t num_windows(int64_t n, int64_t size, int64_t stride) {
  return n < size ? 0 : (n - size) / stride + 1;
}

}  // namespace cotan
