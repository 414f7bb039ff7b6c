// Keys and random bits, bit for bit those of JAX. Compositions of primitives;
// distributions are in jnp/random.h.
//
// A key is one element of a dtype that names its generator: `key` threefry2x32
// (two u32 words), key_fry4 threefry4x32 (four), key_phx2 philox2x32 (one),
// key_phx4 philox4x32 (two), key_rbg and key_urbg rng_bit_generator (four).
// With the setting threefry_partitionable off, threefry2x32 has its older
// layout (single keys only). Functions take arrays of keys; their results have
// the shape of the keys, then `shape`.
#pragma once

#include "ops/lax.h"

namespace cotan::lax {

// u32[..., n] -> key[...] of n words, and back.
Value random_wrap(const Value& words, DType key = DType::key);
Value random_unwrap(const Value& keys);
Value random_seed(const Value& seeds, DType key = DType::key);
// Unsigned integers of `width` 8, 16, 32 or 64 bits.
Value random_bits(const Value& keys, int64_t width, Shape shape);
Value random_split(const Value& keys, Shape shape);  // -> keys
// data: u32 of the keys' shape, or rank 0.
Value random_fold_in(const Value& keys, const Value& data);

}  // namespace cotan::lax
