// Keys and random bits, bit for bit those of JAX: threefry, in the
// partitionable layout or, with that setting off, in the older one (single
// keys only). Compositions of primitives; distributions are in jnp/random.h.
//
// A key is one element of dtype `key`: two u32 words. Functions take arrays of
// keys; their results have the shape of the keys, then `shape`.
#pragma once

#include "ops/lax.h"

namespace cotan::lax {

Value random_wrap(const Value& words);   // u32[..., 2] -> key[...]
Value random_unwrap(const Value& keys);  // key[...] -> u32[..., 2]
Value random_seed(const Value& seeds);   // integers -> keys
// Unsigned integers of `width` 8, 16, 32 or 64 bits.
Value random_bits(const Value& keys, int64_t width, Shape shape);
Value random_split(const Value& keys, Shape shape);  // -> keys
// data: u32 of the keys' shape, or rank 0.
Value random_fold_in(const Value& keys, const Value& data);

}  // namespace cotan::lax
