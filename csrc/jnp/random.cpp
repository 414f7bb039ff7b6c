#include "jnp/random.h"

#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"
#include "ops/random.h"

namespace cotan::jnp {

namespace {

using lax::constant_like;

int mantissa_bits(DType t) {
  return is_narrow_float(t) ? narrow_format(t).mantissa
         : t == DType::bf16 ? 7
         : t == DType::f16  ? 10
         : t == DType::f32  ? 23
                            : 52;
}

void require_float(const char* op, DType t) {
  if (!is_float(t))
    throw_value("dtype argument to `", op, "` must be a float dtype, got ",
                dtype_name(t));
}

Value stretched(const Value& x, const Shape& shape) {
  return x.rank() == 0 ? x : broadcast_to(x, shape);
}

bool is_constant(const Value& x, double v) {
  return x->kind == ValueKind::scalar &&
         x.as<ScalarObj>().literal.to_double() == v;
}

// x = high + low with 26 bits each, so that products of parts are exact.
struct Parts {
  Value high, low;
};
Parts split(const Value& x) {
  Value c = lax::mul(x, constant_like(x, 134217729.0));  // 2^27 + 1
  Value high = lax::sub(c, lax::sub(c, x));
  return {high, lax::sub(x, high)};
}

// x * y + z with one rounding (two for less than 32 bits), which XLA's uniform
// has. f32 goes through f64, where the product is exact; f64 carries the errors
// of the product (Dekker 1971) and of the sum (Knuth) along.
Value multiply_add(const Value& x, const Value& y, const Value& z) {
  DType t = x.dtype();
  if (is_half(t) || is_narrow(t)) return lax::add(lax::mul(x, y), z);
  if (t == DType::f32) {
    constexpr DType wide = DType::f64;
    Value product = lax::mul(lax::convert(x, wide), lax::convert(y, wide));
    return lax::convert(lax::add(product, lax::convert(z, wide)), t);
  }
  Value p = lax::mul(x, y);
  Parts a = split(x), b = split(y);
  Value e = lax::sub(lax::mul(a.high, b.high), p);
  e = lax::add(e, lax::mul(a.high, b.low));
  e = lax::add(e, lax::mul(a.low, b.high));
  e = lax::add(e, lax::mul(a.low, b.low));
  Value s = lax::add(p, z), zz = lax::sub(s, p);
  Value r = lax::add(lax::sub(p, lax::sub(s, zz)), lax::sub(z, zz));
  return lax::add(s, lax::add(r, e));
}

}  // namespace

Value uniform(const Value& key, const Shape& shape, DType t) {
  require_float("uniform", t);
  int width = bit_width(t), mantissa = mantissa_bits(t);
  if (width < 8)
    throw_type("uniform only accepts 8-, 16-, 32-, or 64-bit dtypes, got ",
               dtype_name(t), ".");
  // bfloat16 has 8 significant bits: it draws bytes.
  int drawn = mantissa < 8 ? 8 : width;
  DType word = unsigned_of_size(width / 8);
  Value bits = lax::convert(lax::random_bits(key, drawn, shape), word);
  // The mantissa of a number in [1, 2).
  bits = lax::shift_right_logical(bits, scalar_value(word, drawn - mantissa));
  Literal one = Literal::from_double(t, 1);
  one.dtype = word;
  bits = lax::bitwise_or(bits, scalar_value(one));
  return lax::sub(lax::bitcast_convert(bits, t), scalar_value(t, 1));
}

Value uniform(const Value& key, const Shape& shape, DType t, const Value& lo,
              const Value& hi) {
  Value x = uniform(key, shape, t);
  Value a = stretched(lax::convert(lo, t), shape);
  Value b = stretched(lax::convert(hi, t), shape);
  if (is_constant(a, 0) && is_constant(b, 1)) return x;
  return lax::max(a, multiply_add(x, lax::sub(b, a), a));
}

namespace {

Value real_normal(const Value& key, const Shape& shape, DType t) {
  // The number after -1, so that erf_inv stays finite.
  double below_one = std::ldexp(1.0, -mantissa_bits(t) - 1);
  Value u = uniform(key, shape, t, scalar_value(t, below_one - 1),
                    scalar_value(t, 1));
  return lax::mul(scalar_value(t, std::sqrt(2.0)), lax::erf_inv(u));
}

}  // namespace

Value normal(const Value& key, const Shape& shape, DType t) {
  if (!is_inexact(t))
    throw_value(
        "dtype argument to `normal` must be a float or complex dtype, got ",
        dtype_name(t));
  if (!is_complex(t)) return real_normal(key, shape, t);
  Value keys = lax::random_split(key, {2});
  auto part = [&](int64_t i) {
    Value k = lax::squeeze(lax::slice(keys, {i}, {i + 1}), {0});
    Value x = real_normal(k, shape, real_dtype(t));
    return lax::div(x, constant_like(x, std::sqrt(2.0)));
  };
  Value real = part(0), imag = part(1);
  return lax::complex(real, imag);
}

// ---- randint

namespace {

struct Range {
  int64_t low;
  uint64_t high;
};
Range range_of(DType t) {
  int bits = bit_width(t);
  if (is_unsigned_int(t)) return {0, ~uint64_t{0} >> (64 - bits)};
  uint64_t high = ~uint64_t{0} >> (65 - bits);
  return {-int64_t(high) - 1, high};
}

Value int_constant(const Value& like, int64_t v) {
  return scalar_value(Literal::from_int(like.dtype(), v));
}

// x in t, its values clipped instead of wrapped.
Value clipped_to(const Value& x, DType t) {
  Range from = range_of(x.dtype()), to = range_of(t);
  if (from.low >= to.low && from.high <= to.high) return lax::convert(x, t);
  Value low = int_constant(x, std::max(from.low, to.low));
  Value high = int_constant(x, int64_t(std::min(from.high, to.high)));
  return lax::convert(lax::clamp(low, lax::convert(x, x.dtype()), high), t);
}

Value as_integer(const Value& x) {
  return is_int(x.dtype()) ? x : lax::convert(x, default_int());
}

// A Python integer, or another scalar whose value is known now.
std::optional<int64_t> known(const Value& x) {
  if (x->kind != ValueKind::scalar) return {};
  int64_t v = x.as<ScalarObj>().literal.to_int();
  if (x.dtype() == DType::u64 && v < 0) return {};
  return v;
}

struct Bounds {
  Value low, span;   // in t, and in the unsigned type of its size
  Value multiplier;  // 2^bits mod span; null if that is 0
};

Bounds known_bounds(int64_t low, int64_t high, DType t, DType word) {
  Range all = range_of(t);
  int64_t top = all.high > uint64_t(INT64_MAX) ? INT64_MAX : int64_t(all.high);
  bool beyond = all.high <= uint64_t(INT64_MAX) && high > top;
  auto clip = [&](int64_t v) { return std::min(std::max(v, all.low), top); };
  low = clip(low);
  high = clip(high);
  uint64_t mask = ~uint64_t{0} >> (64 - bit_width(word));
  uint64_t span = high > low ? (uint64_t(high) - uint64_t(low)) & mask : 1;
  if (beyond && high > low) span = (span + 1) & mask;
  Bounds b;
  b.low = scalar_value(Literal::from_int(t, low));
  b.span = scalar_value(Literal::from_int(word, int64_t(span)));
  // 0 stands for 2^bits; the remainder of a division by 0 is the dividend.
  if (span == 0) return b;
  uint64_t m = (uint64_t{1} << (bit_width(word) / 2)) % span;
  m = ((m * m) & mask) % span;
  if (m) b.multiplier = scalar_value(Literal::from_int(word, int64_t(m)));
  return b;
}

Bounds computed_bounds(const Value& lo, const Value& hi, const Shape& shape,
                       DType t, DType word) {
  Bounds b;
  Value top = scalar_value(Literal::from_int(t, int64_t(range_of(t).high)));
  Value beyond =
      lax::gt(lax::convert(hi, hi.dtype()), clipped_to(top, hi.dtype()));
  b.low = stretched(clipped_to(lo, t), shape);
  Value high = stretched(clipped_to(hi, t), shape);
  beyond = stretched(beyond, shape);
  Value span = lax::convert(lax::sub(high, b.low), word);
  Value one = int_constant(span, 1);
  Value empty = lax::le(high, b.low), some = lax::gt(high, b.low);
  auto choose = [&](const Value& c, const Value& yes, const Value& no) {
    return where(c, yes, no);
  };
  span = choose(empty, one, span);
  span = choose(lax::bitwise_and(beyond, some), lax::add(span, one), span);
  Value half = int_constant(span, int64_t{1} << (bit_width(word) / 2));
  Value m = lax::rem(half, span);
  b.multiplier = lax::rem(lax::mul(m, m), span);
  b.span = span;
  return b;
}

void check_bounds_shape(const Shape& shape, const Value& lo, const Value& hi) {
  if (lo.rank() == 0 && hi.rank() == 0) return;
  Shape all =
      broadcast_shapes(std::vector<Shape>{shape, lo.shape(), hi.shape()});
  if (all != shape)
    throw_value(
        "randint parameter shapes must be broadcast-compatible with shape "
        "argument, and the result of broadcasting the shapes must equal the "
        "shape argument, but got result ",
        shape_string(all), " for shape argument ", shape_string(shape), ".");
}

}  // namespace

Value randint(const Value& key, const Shape& shape, const Value& lo_in,
              const Value& hi_in, DType t) {
  if (!is_int(t))
    throw_type("randint only accepts integer dtypes, got ", dtype_name(t));
  check_bounds_shape(shape, lo_in, hi_in);
  Value lo = as_integer(lo_in), hi = as_integer(hi_in);
  if (bit_width(t) < 32) {
    // Drawn as int32; the upper bound may be one beyond the type.
    Range all = range_of(t);
    auto clip = [](const Value& x, int64_t a, int64_t b) {
      Value y = lax::convert(x, DType::i32);
      if (auto v = known(y))
        return int_constant(y, std::min(std::max(*v, a), b));
      return lax::clamp(int_constant(y, a), y, int_constant(y, b));
    };
    lo = clip(lo, all.low, int64_t(all.high));
    hi = clip(hi, all.low, int64_t(all.high) + 1);
    return lax::convert(randint(key, shape, lo, hi, DType::i32), t);
  }
  DType word = unsigned_of_size(itemsize(t));
  auto low = known(lo), high = known(hi);
  Bounds b = low && high ? known_bounds(*low, *high, t, word)
                         : computed_bounds(lo, hi, shape, t, word);
  Value keys = lax::random_split(key, {2});
  auto bits = [&](int64_t i) {
    Value k = lax::squeeze(lax::slice(keys, {i}, {i + 1}), {0});
    return lax::random_bits(k, bit_width(word), shape);
  };
  // (high bits * 2^width + low bits) mod span
  Value offset = lax::rem(bits(1), b.span);
  if (b.multiplier) {
    Value upper = lax::mul(lax::rem(bits(0), b.span), b.multiplier);
    offset = lax::rem(lax::add(upper, offset), b.span);
  }
  return lax::add(b.low, lax::convert(offset, t));
}

}  // namespace cotan::jnp
