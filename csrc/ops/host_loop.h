// Plain loops over host arrays, for reference evaluation: index arithmetic
// and arithmetic on storage types.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ir/primitive.h"

namespace cotan::ops {

// Calls f(index) for every index of `shape`, in row-major order.
template <class F>
void for_each_index(std::span<const int64_t> shape, F f) {
  int64_t n = num_elements(shape);
  Dims index(shape.size());
  for (int64_t k = 0; k < n; ++k) {
    f(std::as_const(index));
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

inline int64_t dot(std::span<const int64_t> a, std::span<const int64_t> b) {
  int64_t sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Element i of an integer array; u64 saturates.
inline int64_t read_integer(const HostView& v, int64_t i) {
  return visit_dtype(v.dtype, [&]<class T>() -> int64_t {
    if constexpr (std::is_integral_v<T>) {
      T x = v.as<T>()[i];
      if constexpr (sizeof(T) == 8 && std::is_unsigned_v<T>)
        return int64_t(std::min<T>(x, T(INT64_MAX)));
      return int64_t(x);
    } else {
      COTAN_CHECK(!"an integer array");
      return 0;
    }
  });
}

// start of a window of `size` in a dimension `extent`, moved to where it fits
inline int64_t clamp_start(int64_t start, int64_t extent, int64_t size) {
  return std::clamp<int64_t>(start, 0, std::max<int64_t>(extent - size, 0));
}

// ---- arithmetic on storage types: 16-bit floats compute in f32, integers
// wrap, complex numbers are ordered by real then imaginary part, and a nan is
// both minimum and maximum.
enum class HostOp : uint8_t { set, add, sub, mul, min, max };

template <class T>
bool host_is_nan(T x) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return x != x;
}
template <class T>
bool host_less(T a, T b) {
  if constexpr (std::is_arithmetic_v<T>)
    return a < b;
  else
    return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
}

template <class T>
T host_apply(HostOp op, T a, T b) {
  if constexpr (std::is_same_v<T, f16_t>) {
    return to_f16(host_apply(op, to_float(a), to_float(b)));
  } else if constexpr (std::is_same_v<T, bf16_t>) {
    return to_bf16(host_apply(op, to_float(a), to_float(b)));
  } else {
    switch (op) {
      case HostOp::set:
        return b;
      case HostOp::min:
      case HostOp::max:
        if (host_is_nan(a)) return a;
        if (host_is_nan(b)) return b;
        return host_less(b, a) == (op == HostOp::min) ? b : a;
      default:
        break;
    }
    if constexpr (std::is_same_v<T, bool>) {
      COTAN_CHECK(op != HostOp::sub);
      return op == HostOp::add ? a || b : a && b;
    } else if constexpr (std::is_integral_v<T>) {
      uint64_t x = uint64_t(a), y = uint64_t(b);
      return T(op == HostOp::add ? x + y : op == HostOp::sub ? x - y : x * y);
    } else {
      return op == HostOp::add ? a + b : op == HostOp::sub ? a - b : a * b;
    }
  }
}

}  // namespace cotan::ops
