// Attributes of the "fft" kernel; see ir/kernel_attrs.h.
#pragma once

#include "ir/kernel_attrs.h"

namespace cotan {

// in {x}, out {y}: transforms over the last lengths.size() axes of `batch`
// arrays. The inverse ones divide by the number of elements. rfft takes real
// numbers and gives the first lengths.back() / 2 + 1 along the last axis; irfft
// goes the other way.
enum class FftKind : int64_t { fft, ifft, rfft, irfft };
struct FftAttrs {
  FftKind kind = FftKind::fft;
  bool is_double = false;
  int64_t batch = 1;
  Dims lengths;
  void fields(auto& v) { v(kind), v(is_double), v(batch), v(lengths); }
};

}  // namespace cotan
