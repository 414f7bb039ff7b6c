// How Python's cotan.lax treats its operands: dtypes must agree, but Python
// scalars take the other operand's dtype, and size-1 dimensions stretch.
#pragma once

#include "jnp/promote.h"
#include "ops/lax.h"

namespace cotan::jnp {

// Weak scalars adapt, shapes are made equal; mixed dtypes are left for the
// primitive's type rule to refuse.
Values strict_operands(const char* op, std::span<const Value> x);

// The dtype that a product of two dtypes has.
DType product_dtype(DType x, DType y);

// A product of operands of any dtypes: both are converted to the one that XLA
// finds the more precise, also under strict promotion.
Value dot_general(const Value& x, const Value& y, DotParams p);

template <class F>
Value strict_binary(F f, const char* op, const Value& x, const Value& y) {
  if (x.dtype() == y.dtype() && x.shape() == y.shape()) return f(x, y);
  Value both[] = {x, y};
  Values v = strict_operands(op, both);
  return f(v[0], v[1]);
}

}  // namespace cotan::jnp
