// The samplers that the others are built on, with the numbers of JAX: integers
// and uniforms bit for bit, normals from the same bits through a more accurate
// erf_inv. Keys and bits are in ops/random.h.
//
// `key` is one key (rank 0); vmap for several.
#pragma once

#include "jnp/promote.h"

namespace cotan::jnp {

// Floats in [lo, hi). lo and hi: converted to t, broadcast to `shape`.
Value uniform(const Value& key, const Shape& shape, DType t, const Value& lo,
              const Value& hi);
// Floats in [0, 1).
Value uniform(const Value& key, const Shape& shape, DType t);
// Standard normal; complex t has unit variance over both parts together.
Value normal(const Value& key, const Shape& shape, DType t);
// Integers in [lo, hi), lo where hi <= lo; sampled with at least 32 bits.
Value randint(const Value& key, const Shape& shape, const Value& lo,
              const Value& hi, DType t);

}  // namespace cotan::jnp
