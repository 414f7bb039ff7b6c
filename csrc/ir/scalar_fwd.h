// What the primitive record needs to know of the scalar emitter.
#pragma once

#include <cstdint>
#include <span>

#include "ir/dtype.h"

namespace cotan {

class ScalarEmitter;

// "One lane" of a typed value; see emit/scalar.h.
struct Scalar {
  uint64_t v = 0;   // meaning belongs to the emitter; real part of complex
  uint64_t im = 0;  // imaginary part, complex only
  DType dtype = DType::f32;
};
using Scalars = std::span<const Scalar>;

// One result, or two, or four.
struct ScalarOuts {
  Scalar s[4];
  int n = 1;
  ScalarOuts(Scalar a) : s{a} {}
  ScalarOuts(Scalar a, Scalar b) : s{a, b}, n(2) {}
  ScalarOuts(Scalar a, Scalar b, Scalar c, Scalar d) : s{a, b, c, d}, n(4) {}
};

}  // namespace cotan
