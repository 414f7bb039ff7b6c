// Prefix sums and products of a dense line, 16 elements at a time. Vector
// types are lowered before functions are cloned for an instruction set, so
// this is compiled once for each: by including scan_vectors_body.h.
#pragma once

#include <cstdint>

namespace cotan {

// y[i] = offset op (carry op x[0] op ... op x[i]); the carry is updated to
// carry op all of x. y may be x, or null when only the carry is wanted. The
// identity is -0 for sums of floats (-0 + x is x, 0 + -0 is not), 0, or 1.
// The bits are the same for every instruction set.
template <bool kProd, class A>
void scan_vectors(const A* x, A* y, int64_t n, A* carry, A offset) noexcept;

// Defined for float, double, uint32_t, uint64_t.

template <bool kProd, class A>
constexpr A scan_identity() {
  return kProd ? A(1) : A(-A(0));
}

}  // namespace cotan
