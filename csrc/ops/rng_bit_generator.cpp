// rng_bit_generator: XLA's two counter-based generators, bit for bit as on its
// CPU backend. Philox4x32 (Salmon et al., 2011), 10 rounds, is the default.
//
// The state is two 64-bit words, K and S: the key and a counter. Block i of the
// output comes from S + i; the state that is returned has S + (blocks).
#include <numeric>

#include "ops/rules.h"

namespace cotan {

using namespace ops;

extern const Primitive rng_bit_generator_p;

namespace {

constexpr DType kWord = DType::u32, kWide = DType::u64;

// ---- 64-bit words as pairs of 32-bit ones

struct Words {
  Value low, high;
};
Words halves(const Value& x) {
  return {lax::convert(x, kWord),
          lax::convert(lax::shift_right_logical(x, scalar_value(kWide, 32)),
                       kWord)};
}
Value joined(const Value& low, const Value& high) {
  return lax::bitwise_or(
      lax::convert(low, kWide),
      lax::shift_left(lax::convert(high, kWide), scalar_value(kWide, 32)));
}
Value entry(const Value& x, int64_t i) {
  return lax::squeeze(lax::slice(x, {i}, {i + 1}), {0});
}
Value vector_of(std::span<const Value> xs) {
  Values parts;
  for (const Value& x : xs) parts.push_back(lax::reshape(x, {1}));
  return lax::concatenate(parts, 0);
}
// 0, 1, ... in row-major order.
Value counted(const Shape& shape) {
  return lax::reshape(lax::iota(kWide, {num_elements(shape)}, 0), shape);
}

struct Generated {
  Value bits, counter;
};

// ---- philox: elements take the words of the blocks in turn

Generated philox_bits(const Value& key, const Value& counter,
                      const Shape& shape, int width) {
  int64_t n = num_elements(shape), words = width == 64 ? 2 * n : n;
  int64_t blocks = (words + 3) / 4;
  Value at = lax::add(counter, lax::iota(kWide, {blocks}, 0));
  // The counter has 128 bits, the upper ones being the key's.
  Value carry = lax::convert(lax::lt(at, counter), kWide);
  Words k = halves(key), low = halves(at), high = halves(lax::add(key, carry));
  Value operands[] = {k.low, k.high, low.low, low.high, high.low, high.high};
  Values x = lax::philox4x32(operands);
  if (width == 64) x = {joined(x[0], x[1]), joined(x[2], x[3])};
  int64_t per_block = int64_t(x.size());
  for (Value& v : x) v = lax::reshape(v, {blocks, 1});
  Value all = lax::reshape(lax::concatenate(x, 1), {blocks * per_block});
  Value count = scalar_value(Literal::from_int(kWide, blocks));
  return {lax::reshape(lax::slice(all, {0}, {n}), shape),
          lax::add(counter, count)};
}

// ---- threefry: one dimension is split in two, a block has a word for each

// The first even dimension, or the (first) greatest.
size_t split_dimension(const Shape& shape) {
  size_t greatest = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] % 2 == 0) return d;
    if (shape[d] > shape[greatest]) greatest = d;
  }
  return greatest;
}

Generated threefry_bits(const Value& key, const Value& counter, Shape shape,
                        int width) {
  Words k = halves(key);
  auto hashed = [&](const Shape& s) {
    Words c = halves(lax::add(counter, counted(s)));
    return lax::threefry2x32(k.low, k.high, c.low, c.high);
  };
  auto after = [&](int64_t blocks) {
    return lax::add(counter, scalar_value(Literal::from_int(kWide, blocks)));
  };
  if (width == 64) {
    Values x = hashed(shape);
    return {joined(x[0], x[1]), after(num_elements(shape))};
  }
  Shape result = shape;
  if (shape.empty()) shape.push_back(1);
  size_t d = split_dimension(shape);
  Shape half = shape, both = shape;
  half[d] = (shape[d] + 1) / 2;
  both[d] = 2 * half[d];
  Values x = hashed(half);
  for (Value& v : x) v = lax::expand_dims(v, {int64_t(d) + 1});
  Value all = lax::reshape(lax::concatenate(x, int64_t(d) + 1), both);
  all = lax::slice(all, Dims(shape.size(), 0), shape);
  return {lax::reshape(all, result), after(num_elements(half))};
}

// ---- the primitive

Avals rng_type(const TypeArgs& a) {
  const auto& p = a.params.as<RngParams>();
  const Aval& key = a.in[0];
  for (int64_t d : p.shape)
    if (d < 0)
      throw_type("[rng_bit_generator] shapes must have non-negative integers, ",
                 "got ", shape_string(p.shape));
  bool known = (key.dtype == kWord && key.shape == Shape{4}) ||
               (key.dtype == kWide && key.shape == Shape{2});
  if (!known)
    throw_type("[rng_bit_generator] needs a key of uint32[4] or uint64[2], ",
               "got ", key);
  if (!is_int(p.dtype))
    throw_type("[rng_bit_generator] makes integers, not ", dtype_name(p.dtype));
  return {key, Aval{p.dtype, false, p.shape}};
}

Values rng_expand(const Params& params, std::span<const Value> in) {
  const auto& p = params.as<RngParams>();
  bool narrow = in[0].dtype() == kWord;
  auto word = [&](int64_t i) {
    if (!narrow) return entry(in[0], i);
    return joined(entry(in[0], 2 * i), entry(in[0], 2 * i + 1));
  };
  Value key = word(0), counter = word(1);
  int width = p.dtype == kWide ? 64 : 32;
  Generated g = p.algorithm == RngAlgorithm::threefry
                    ? threefry_bits(key, counter, p.shape, width)
                    : philox_bits(key, counter, p.shape, width);
  Value state;
  if (narrow) {
    Words k = halves(key), c = halves(g.counter);
    Value all[] = {k.low, k.high, c.low, c.high};
    state = vector_of(all);
  } else {
    Value all[] = {key, g.counter};
    state = vector_of(all);
  }
  return {state, lax::convert(g.bits, p.dtype)};
}

// As in JAX the first key makes the bits of the whole batch, and only it moves.
Batched rng_batch(const BatchArgs& a) {
  auto p = a.params.as<RngParams>();
  p.shape.insert(p.shape.begin(), a.size);
  Value keys = batch_to_front(a.x[0], a.dims[0], a.size);
  int64_t n = keys.shape()[1];
  Value first = lax::reshape(lax::slice(keys, {0, 0}, {1, n}), {n});
  Values out = bind_all(a.self, {first}, p);
  Value moved[] = {lax::reshape(out[0], {1, n}),
                   lax::slice(keys, {1, 0}, {a.size, n})};
  return {{lax::concatenate(moved, 0), out[1]}, {0, 0}};
}

}  // namespace

constinit const Primitive rng_bit_generator_p = {
    .name = "rng_bit_generator",
    .flags = kNotDifferentiable,
    .params = params_of<RngParams>,
    .type = rng_type,
    .batch = rng_batch,
    .expand = rng_expand,
};
COTAN_REGISTER(rng_bit_generator_p);

Values lax::rng_bit_generator(const Value& key, Shape shape, DType t,
                              RngAlgorithm algorithm) {
  return bind_all(rng_bit_generator_p, {key},
                  RngParams{std::move(shape), t, algorithm});
}

}  // namespace cotan
