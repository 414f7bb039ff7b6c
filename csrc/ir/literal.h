// A rank-0 constant inside a jaxpr, with its own dtype and weak type.
#pragma once

#include <complex>
#include <cstring>
#include <string>

#include "ir/aval.h"

namespace cotan {

struct Literal {
  DType dtype = DType::f32;
  bool weak_type = false;
  alignas(16) unsigned char bytes[16] = {};  // unused bytes stay zero

  Aval aval() const { return {dtype, weak_type, {}}; }
  // Bit equality: 0.0 differs from -0.0, a nan equals itself.
  bool operator==(const Literal& o) const {
    return dtype == o.dtype && weak_type == o.weak_type &&
           std::memcmp(bytes, o.bytes, sizeof bytes) == 0;
  }
  uint64_t hash(uint64_t seed = 0) const noexcept;

  // Value conversions; integers wrap, floats round to the dtype.
  static Literal from_double(DType t, double v, bool weak = false);
  static Literal from_int(DType t, int64_t v, bool weak = false);
  static Literal from_complex(DType t, std::complex<double> v,
                              bool weak = false);
  static Literal from_bytes(DType t, const void* data, bool weak = false);
  double to_double() const;  // real part of complex
  int64_t to_int() const;    // saturates from floats
  std::complex<double> to_complex() const;
};

void append_to(std::string& out, const Literal& lit);  // "2.0", "True", "1j"

}  // namespace cotan
