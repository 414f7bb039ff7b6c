#include "ops/random.h"

#include <algorithm>
#include <numeric>

#include "base/config.h"

namespace cotan::lax {

namespace {

constexpr DType kWord = DType::u32;

struct Words {
  Value hi, lo;
};

Value zero() { return scalar_value(kWord, 0); }

// ---- keys and their words

// The words along the last axis.
Values take_apart(const Value& words) {
  int64_t rank = words.rank();
  Values out;
  for (int64_t i = 0; i < words.shape().back(); ++i) {
    Dims start(size_t(rank), 0), limit = words.shape();
    start.back() = i;
    limit.back() = i + 1;
    out.push_back(squeeze(slice(words, start, limit), {rank - 1}));
  }
  return out;
}
Values key_words(const Value& keys) { return take_apart(random_unwrap(keys)); }

Value put_together(DType key, std::span<const Value> words) {
  int64_t rank = words[0].rank();
  Values parts;
  for (const Value& w : words) parts.push_back(expand_dims(w, {rank}));
  return random_wrap(concatenate(parts, rank), key);
}

// The 64-bit row-major index of every element.
Words counters(const Shape& shape) {
  int64_t n = num_elements(shape);
  if (shape.empty()) return {zero(), zero()};
  if (n <= int64_t{1} << 32)
    return {zero(), reshape(iota(kWord, {n}, 0), shape)};
  Value index = reshape(iota(DType::u64, {n}, 0), shape);
  Value high = shift_right_logical(index, scalar_value(DType::u64, 32));
  return {convert(high, kWord), convert(index, kWord)};
}

Value wide(const Value& high, const Value& low) {
  DType t = DType::u64;
  return bitwise_or(shift_left(convert(high, t), scalar_value(t, 32)),
                    convert(low, t));
}

// ---- threefry before threefry_partitionable: one stream of n words

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
  Values k = key_words(key);
  int64_t half = (n + 1) / 2;
  Value count = iota(kWord, {n}, 0);
  if (n % 2) count = pad(count, zero(), {{0, 1, 0}});
  Values out = threefry2x32(k[0], k[1], slice(count, {0}, {half}),
                            slice(count, {half}, {2 * half}));
  return slice(concatenate(out, 0), {0}, {n});
}

Value bits_from_stream(const Value& key, int64_t width, const Shape& shape) {
  DType t = unsigned_of_size(width / 8);
  int64_t size = num_elements(shape), words = (width * size + 31) / 32;
  Value bits = word_stream("random_bits", key, words);
  if (width == 64) {
    bits = wide(slice(bits, {0}, {size}), slice(bits, {size}, {2 * size}));
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

Value keys_from_stream(const Value& key, const Shape& shape) {
  Shape words = shape;
  words.push_back(2);
  int64_t n = num_elements(words);
  return random_wrap(reshape(word_stream("random_split", key, n), words),
                     DType::key);
}

// ---- hashes of a counter under a key, of scalars or arrays of one shape

struct Threefry2 {
  static Values seed(const Words& s) { return {s.hi, s.lo}; }
  static Values derive(const Values& k, const Words& c) {
    return threefry2x32(k[0], k[1], c.hi, c.lo);
  }
  // Their xor is the word of 32 bits.
  static Words draw(const Values& k, const Words& c, bool) {
    Values x = derive(k, c);
    return {x[0], x[1]};
  }
};

struct Threefry4 {
  static Values hash(const Values& k, std::initializer_list<Value> c) {
    Values x = k;
    x.append(c.begin(), c.end());
    return threefry4x32(x);
  }
  static Values seed(const Words& s) {
    return hash({s.hi, s.lo, zero(), zero()}, {zero(), zero(), zero(), zero()});
  }
  static Values derive(const Values& k, const Words& c) {
    return hash(k, {zero(), zero(), c.hi, c.lo});
  }
  static Words draw(const Values& k, const Words& c, bool) {
    Values x = hash(k, {c.hi, c.lo, zero(), zero()});
    return {bitwise_xor(x[0], x[2]), bitwise_xor(x[1], x[3])};
  }
};

struct Philox2 {
  static Values hash(const Value& k, const Words& c) {
    Value x[] = {k, c.hi, c.lo};
    return philox2x32(x);
  }
  static Values seed(const Words& s) { return {hash(zero(), s)[0]}; }
  static Values derive(const Values& k, const Words& c) {
    return {hash(k[0], c)[0]};
  }
  static Words draw(const Values& k, const Words& c, bool) {
    Values x = hash(k[0], c);
    return {x[0], x[1]};
  }
};

struct Philox4 {
  static Values hash(const Values& k, const Words& upper, const Words& lower) {
    Value x[] = {k[0], k[1], upper.hi, upper.lo, lower.hi, lower.lo};
    return philox4x32(x);
  }
  static Words none() { return {zero(), zero()}; }
  static Values seed(const Words& s) {
    Values x = hash({zero(), zero()}, s, none());
    return {x[0], x[1]};
  }
  static Values derive(const Values& k, const Words& c) {
    Values x = hash(k, none(), c);
    return {x[0], x[1]};
  }
  static Words draw(const Values& k, const Words& c, bool all) {
    Values x = hash(k, c, none());
    if (all) return {bitwise_xor(x[0], x[2]), bitwise_xor(x[1], x[3])};
    return {x[0], x[1]};
  }
};

// The words of every key and the counters of `shape`: [keys..., shape...].
void outer(Values& key, Words& count, const Shape& shape) {
  const Shape keys = key[0].shape();
  if (keys.empty() || shape.empty()) return;
  Shape both = keys;
  both.append(shape.begin(), shape.end());
  Axes all(both.size());
  std::iota(all.begin(), all.end(), 0);
  Axes first(all.begin(), all.begin() + int64_t(keys.size()));
  Axes last(all.begin() + int64_t(keys.size()), all.end());
  for (Value& k : key) k = broadcast_in_dim(k, both, first);
  if (count.hi.rank() > 0) count.hi = broadcast_in_dim(count.hi, both, last);
  count.lo = broadcast_in_dim(count.lo, both, last);
}

template <class Hash, DType kKey>
struct Hashed {
  static Value seed(const Words& s) {
    return put_together(kKey, Hash::seed(s));
  }
  static Value split(const Value& keys, const Shape& shape) {
    if (kKey == DType::key && !config().threefry_partitionable)
      return keys_from_stream(keys, shape);
    Values k = key_words(keys);
    Words c = counters(shape);
    outer(k, c, shape);
    return put_together(kKey, Hash::derive(k, c));
  }
  static Value fold_in(const Value& keys, const Value& data) {
    return put_together(kKey, Hash::derive(key_words(keys), {zero(), data}));
  }
  static Value bits(const Value& keys, int64_t width, const Shape& shape) {
    if (kKey == DType::key && !config().threefry_partitionable)
      return bits_from_stream(keys, width, shape);
    Values k = key_words(keys);
    Words c = counters(shape);
    outer(k, c, shape);
    Words w = Hash::draw(k, c, width != 64);
    if (width == 64) return wide(w.hi, w.lo);
    return convert(bitwise_xor(w.hi, w.lo), unsigned_of_size(width / 8));
  }
};

// ---- rbg: bits from rng_bit_generator, under two threefry keys

// `shape` for every key. As under vmap in JAX, the first key makes them all.
Value generated(const Value& keys, const Shape& shape, DType t) {
  Value words = random_unwrap(keys);
  Shape all = keys.shape();
  all.append(shape.begin(), shape.end());
  if (num_elements(keys.shape()) == 0)
    return full(all, Literal::from_int(t, 0));
  int64_t n = num_elements(words.shape());
  Value first = slice(reshape(words, {n}), {0}, {4});
  return rng_bit_generator(first, all, t, RngAlgorithm::automatic)[1];
}

template <DType kKey>
struct Rbg {
  static Value seed(const Words& s) {
    Value words[] = {s.hi, s.lo, s.hi, s.lo};
    return put_together(kKey, words);
  }
  static Value bits(const Value& keys, int64_t width, const Shape& shape) {
    return generated(keys, shape, unsigned_of_size(width / 8));
  }
  // f of each half as a threefry key.
  template <class F>
  static Value by_halves(const Value& keys, F&& f) {
    Values k = key_words(keys), out;
    for (size_t i = 0; i < 4; i += 2) {
      Value half = put_together(DType::key, std::span(k).subspan(i, 2));
      out.push_back(random_unwrap(f(half)));
    }
    return random_wrap(concatenate(out, out[0].rank() - 1), kKey);
  }
  static Value split(const Value& keys, const Shape& shape) {
    return by_halves(keys, [&](const Value& k) {
      return Hashed<Threefry2, DType::key>::split(k, shape);
    });
  }
  static Value fold_in(const Value& keys, const Value& data) {
    return by_halves(keys, [&](const Value& k) {
      return Hashed<Threefry2, DType::key>::fold_in(k, data);
    });
  }
};

// Every tenth row of bits is a key, with no hash: weaker, and cheaper.
struct UnsafeRbg : Rbg<DType::key_urbg> {
  static constexpr int64_t kRows = 10;
  static Value split(const Value& keys, const Shape& shape) {
    int64_t n = num_elements(shape), rank = keys.rank();
    Value x = generated(keys, {kRows * n, 4}, kWord);
    Dims start(size_t(rank + 2), 0), limit = x.shape(),
                                     strides(size_t(rank + 2), 1);
    strides[size_t(rank)] = kRows;
    Shape all = keys.shape();
    all.append(shape.begin(), shape.end());
    all.push_back(4);
    return random_wrap(reshape(slice(x, start, limit, strides), all),
                       DType::key_urbg);
  }
  static Value fold_in(const Value& keys, const Value& data) {
    Value x =
        generated(seed({full(data.shape(), Literal::from_int(kWord, 0)), data}),
                  {kRows, 4}, kWord);
    Dims start(size_t(x.rank()), 0), limit = x.shape();
    start[size_t(data.rank())] = kRows - 1;
    x = squeeze(slice(x, start, limit), {data.rank()});
    Value words = random_unwrap(keys);
    if (x.rank() < words.rank())
      x = broadcast_in_dim(x, words.shape(), {words.rank() - 1});
    else if (words.rank() < x.rank())
      words = broadcast_in_dim(words, x.shape(), {x.rank() - 1});
    return random_wrap(bitwise_xor(words, x), DType::key_urbg);
  }
};

// ---- by dtype

struct Generator {
  DType key;
  int64_t words;
  Value (*seed)(const Words&);
  Value (*split)(const Value&, const Shape&);
  Value (*fold_in)(const Value&, const Value&);
  Value (*bits)(const Value&, int64_t, const Shape&);
};
template <class G>
constexpr Generator generator(DType key) {
  return {key, itemsize(key) / 4, G::seed, G::split, G::fold_in, G::bits};
}
constexpr Generator kGenerators[] = {
    generator<Hashed<Threefry2, DType::key>>(DType::key),
    generator<Hashed<Threefry4, DType::key_fry4>>(DType::key_fry4),
    generator<Hashed<Philox2, DType::key_phx2>>(DType::key_phx2),
    generator<Hashed<Philox4, DType::key_phx4>>(DType::key_phx4),
    generator<Rbg<DType::key_rbg>>(DType::key_rbg),
    generator<UnsafeRbg>(DType::key_urbg),
};

const Generator& generator_of(const char* op, const Value& keys) {
  for (const Generator& g : kGenerators)
    if (g.key == keys.dtype()) return g;
  throw_type("[", op, "] needs PRNG keys (dtype key<fry>), got ", keys.aval(),
             "; make one with random.key(seed)");
}

const Generator& generator_of(const char* op, DType key) {
  for (const Generator& g : kGenerators)
    if (g.key == key) return g;
  throw_type("[", op, "] ", dtype_name(key), " is not a dtype of keys");
}

}  // namespace

Value random_wrap(const Value& words, DType key) {
  int64_t n = generator_of("random_wrap", key).words;
  if (words.dtype() != kWord || words.rank() == 0 || words.shape().back() != n)
    throw_type("[random_wrap] keys of dtype ", dtype_name(key),
               " are made of uint32[..., ", n, "], got ", words.aval());
  if (n > 1) return bitcast_convert(words, key);
  return bitcast_convert(squeeze(words, {words.rank() - 1}), key);
}

Value random_unwrap(const Value& keys) {
  int64_t n = generator_of("random_unwrap", keys).words;
  Value words = bitcast_convert(keys, kWord);
  return n > 1 ? words : expand_dims(words, {words.rank()});
}

Value random_seed(const Value& seeds, DType key) {
  DType t = seeds.dtype();
  if (!is_int(t))
    throw_type("[random_seed] PRNG key seed must be an integer; got ",
               seeds.aval());
  Value high = itemsize(t) == 8
                   ? convert(shift_right_logical(
                                 seeds, scalar_value(Literal::from_int(t, 32))),
                             kWord)
                   : full(seeds.shape(), Literal::from_int(kWord, 0));
  return generator_of("random_seed", key)
      .seed({std::move(high), convert(seeds, kWord)});
}

Value random_bits(const Value& keys, int64_t width, Shape shape) {
  const Generator& g = generator_of("random_bits", keys);
  if (width != 8 && width != 16 && width != 32 && width != 64)
    throw_type(
        "[random_bits] requires 8-, 16-, 32- or 64-bit field width, got ",
        width);
  return g.bits(keys, width, shape);
}

Value random_split(const Value& keys, Shape shape) {
  return generator_of("random_split", keys).split(keys, shape);
}

Value random_fold_in(const Value& keys, const Value& data) {
  const Generator& g = generator_of("random_fold_in", keys);
  if (data.dtype() != kWord)
    throw_type("[random_fold_in] data must be uint32, got ", data.aval());
  return g.fold_in(keys, data);
}

}  // namespace cotan::lax
