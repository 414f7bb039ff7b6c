#include "ops/random.h"

#include <numeric>

#include "base/config.h"

namespace cotan::lax {

namespace {

constexpr DType kWord = DType::u32;

struct Words {
  Value hi, lo;
};

void check_keys(const char* op, const Value& keys) {
  if (keys.dtype() != DType::key)
    throw_type("[", op, "] needs PRNG keys (dtype key<fry>), got ", keys.aval(),
               "; make one with random.key(seed)");
}

// The words along a last axis of two.
Words take_apart(const Value& words) {
  int64_t rank = words.rank();
  auto word = [&](int64_t i) {
    Dims start(size_t(rank), 0), limit = words.shape();
    start.back() = i;
    limit.back() = i + 1;
    return squeeze(slice(words, start, limit), {rank - 1});
  };
  return {word(0), word(1)};
}

Value put_together(const Words& w) {
  int64_t rank = w.hi.rank();
  Value parts[] = {expand_dims(w.hi, {rank}), expand_dims(w.lo, {rank})};
  return random_wrap(concatenate(parts, rank));
}

// The 64-bit row-major index of every element.
Words counters(const Shape& shape) {
  int64_t n = num_elements(shape);
  if (shape.empty()) return {scalar_value(kWord, 0), scalar_value(kWord, 0)};
  if (n <= int64_t{1} << 32)
    return {scalar_value(kWord, 0), reshape(iota(kWord, {n}, 0), shape)};
  Value index = reshape(iota(DType::u64, {n}, 0), shape);
  Value high = shift_right_logical(index, scalar_value(DType::u64, 32));
  return {convert(high, kWord), convert(index, kWord)};
}

// ---- the layout before threefry_partitionable: one stream of n words

// threefry of 0..n-1 under one key, the counters paired across the halves.
Value word_stream(const char* op, const Value& key, int64_t n) {
  if (key.rank() > 0)
    throw_value("[", op, "] takes a single key when threefry_partitionable is ",
                "off, got keys of shape ", shape_string(key.shape()),
                "; use vmap");
  if (n > int64_t{0xffffffff})
    throw_not_implemented("[", op, "] more than 2^32 words need ",
                          "threefry_partitionable");
  if (n == 0) return full({0}, Literal::from_int(kWord, 0));
  Words k = take_apart(random_unwrap(key));
  int64_t half = (n + 1) / 2;
  Value count = iota(kWord, {n}, 0);
  if (n % 2) count = pad(count, scalar_value(kWord, 0), {{0, 1, 0}});
  Values out = threefry2x32(k.hi, k.lo, slice(count, {0}, {half}),
                            slice(count, {half}, {2 * half}));
  return slice(concatenate(out, 0), {0}, {n});
}

Value bits_from_stream(const Value& key, int64_t width, const Shape& shape) {
  DType t = unsigned_of_size(width / 8);
  int64_t size = num_elements(shape), words = (width * size + 31) / 32;
  Value bits = word_stream("random_bits", key, words);
  if (width == 64) {
    Value high = convert(slice(bits, {0}, {size}), t);
    Value low = convert(slice(bits, {size}, {2 * size}), t);
    bits = bitwise_or(shift_left(high, scalar_value(t, 32)), low);
  } else if (width < 32) {  // the low parts of each word come first
    int64_t parts = 32 / width;
    Value shift =
        mul(iota(kWord, {1, parts}, 1), scalar_value(kWord, double(width)));
    bits = broadcast_in_dim(bits, {words, parts}, {0});
    bits = shift_right_logical(bits,
                               broadcast_in_dim(shift, {words, parts}, {0, 1}));
    bits = slice(reshape(convert(bits, t), {words * parts}), {0}, {size});
  }
  return reshape(bits, shape);
}

// ---- the partitionable layout

// threefry of the counters of `shape` under every key: [keys..., shape...].
Words hash(const Value& keys, const Shape& shape) {
  Words key = take_apart(random_unwrap(keys)), count = counters(shape);
  if (keys.rank() > 0 && !shape.empty()) {
    Shape both = keys.shape();
    both.append(shape.begin(), shape.end());
    Axes all(both.size());
    std::iota(all.begin(), all.end(), 0);
    Axes outer(all.begin(), all.begin() + keys.rank());
    Axes inner(all.begin() + keys.rank(), all.end());
    key = {broadcast_in_dim(key.hi, both, outer),
           broadcast_in_dim(key.lo, both, outer)};
    if (count.hi.rank() > 0) count.hi = broadcast_in_dim(count.hi, both, inner);
    count.lo = broadcast_in_dim(count.lo, both, inner);
  }
  Values out = threefry2x32(key.hi, key.lo, count.hi, count.lo);
  return {out[0], out[1]};
}

}  // namespace

Value random_wrap(const Value& words) {
  if (words.dtype() != kWord || words.rank() == 0 || words.shape().back() != 2)
    throw_type("[random_wrap] keys are made of uint32[..., 2], got ",
               words.aval());
  return bitcast_convert(words, DType::key);
}

Value random_unwrap(const Value& keys) {
  check_keys("random_unwrap", keys);
  return bitcast_convert(keys, kWord);
}

Value random_seed(const Value& seeds) {
  DType t = seeds.dtype();
  if (!is_int(t))
    throw_type("[random_seed] PRNG key seed must be an integer; got ",
               seeds.aval());
  Value high = itemsize(t) == 8
                   ? convert(shift_right_logical(
                                 seeds, scalar_value(Literal::from_int(t, 32))),
                             kWord)
                   : full(seeds.shape(), Literal::from_int(kWord, 0));
  return put_together({high, convert(seeds, kWord)});
}

Value random_bits(const Value& keys, int64_t width, Shape shape) {
  check_keys("random_bits", keys);
  if (width != 8 && width != 16 && width != 32 && width != 64)
    throw_type(
        "[random_bits] requires 8-, 16-, 32- or 64-bit field width, got ",
        width);
  if (!config().threefry_partitionable)
    return bits_from_stream(keys, width, shape);
  DType t = unsigned_of_size(width / 8);
  Words w = hash(keys, shape);
  if (width < 64) return convert(bitwise_xor(w.hi, w.lo), t);
  Value high = shift_left(convert(w.hi, t), scalar_value(t, 32));
  return bitwise_or(high, convert(w.lo, t));
}

Value random_split(const Value& keys, Shape shape) {
  check_keys("random_split", keys);
  if (!config().threefry_partitionable) {
    Shape words = shape;
    words.push_back(2);
    int64_t n = num_elements(words);
    return random_wrap(reshape(word_stream("random_split", keys, n), words));
  }
  return put_together(hash(keys, shape));
}

Value random_fold_in(const Value& keys, const Value& data) {
  check_keys("random_fold_in", keys);
  if (data.dtype() != kWord)
    throw_type("[random_fold_in] data must be uint32, got ", data.aval());
  Words key = take_apart(random_unwrap(keys));
  Values out = threefry2x32(key.hi, key.lo, scalar_value(kWord, 0), data);
  return put_together({out[0], out[1]});
}

}  // namespace cotan::lax
