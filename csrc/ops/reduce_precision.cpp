// reduce_precision: rounds to a float format with fewer exponent or mantissa
// bits, in the dtype of the operand. Ties go to even, values beyond the range
// to infinity, values below the smallest normal number to zero.
#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive reduce_precision_p;

namespace {

Avals reduce_precision_type(const TypeArgs& a) {
  auto& p = a.params.as<ReducePrecisionParams>();
  if (p.exponent_bits < 1)
    throw_value(
        "[reduce_precision] reduce_precision: exponent_bits must be positive; "
        "got ",
        p.exponent_bits);
  if (p.mantissa_bits < 0)
    throw_value(
        "[reduce_precision] reduce_precision: mantissa_bits must be "
        "non-negative; got ",
        p.mantissa_bits);
  return nary_type<1, is_float>(a);
}

// Constants of a float format, as words of its size.
struct Format {
  DType word;
  int64_t exponent, mantissa;  // numbers of bits
  int64_t bias() const { return (int64_t{1} << (exponent - 1)) - 1; }
};

Format format_of(DType t) {
  switch (t) {
    case DType::f16:
      return {DType::u16, 5, 10};
    case DType::bf16:
      return {DType::u16, 8, 7};
    case DType::f32:
      return {DType::u32, 8, 23};
    default:
      return {DType::u64, 11, 52};
  }
}

// Adds half of the last kept place, or just less at a tie with an even one.
Scalar round_mantissa(ScalarEmitter& e, Scalar x, const Format& f,
                      int64_t bits) {
  auto word = [&](int64_t v) { return e.constant_int(f.word, v); };
  int dropped = int(f.mantissa - bits);
  int64_t last = int64_t{1} << dropped;
  Scalar odd = e.and_(e.lshr(x, dropped), word(1));
  x = e.add(x, e.add(odd, word((last >> 1) - 1)));
  return e.and_(x, word(~(last - 1)));
}

Scalar limit_exponent(ScalarEmitter& e, Scalar x, const Format& f,
                      int64_t bits) {
  auto word = [&](int64_t v) { return e.constant_int(f.word, v); };
  int64_t reduced = (int64_t{1} << (bits - 1)) - 1;
  int64_t field = ((int64_t{1} << f.exponent) - 1) << f.mantissa;
  Scalar exponent = e.and_(x, word(field));
  Scalar sign = e.and_(x, word(INT64_MIN >> (64 - bit_width(f.word))));
  Scalar over = e.gt(exponent, word((f.bias() + reduced) << f.mantissa));
  Scalar under = e.le(exponent, word((f.bias() - reduced) << f.mantissa));
  x = e.select(over, e.or_(sign, word(field)), x);
  return e.select(under, sign, x);
}

ScalarOuts reduce_precision_scalar(ScalarEmitter& e, Scalars in,
                                   const Params& params) {
  auto& p = params.as<ReducePrecisionParams>();
  DType t = in[0].dtype;
  if (is_narrow(t)) {
    Scalar x[] = {e.convert(in[0], DType::f32)};
    return e.convert(reduce_precision_scalar(e, x, params).s[0], t);
  }
  Format f = format_of(t);
  Scalar x = e.bitcast(in[0], f.word);
  if (p.mantissa_bits < f.mantissa)
    x = round_mantissa(e, x, f, p.mantissa_bits);
  if (p.exponent_bits < f.exponent)
    x = limit_exponent(e, x, f, p.exponent_bits);
  Scalar wide = is_half(t) ? e.convert(in[0], DType::f32) : in[0];
  Scalar bits = e.bitcast(in[0], f.word);
  return e.bitcast(e.select(e.is_nan(wide), bits, x), t);
}

}  // namespace

constinit const Primitive reduce_precision_p = {
    .name = "reduce_precision",
    .flags = kLinear | kSeesHalf,  // linear by convention
    .params = params_of<ReducePrecisionParams>,
    .type = reduce_precision_type,
    .eval = scalar_eval,
    .jvp = linear_jvp,
    .transpose =
        [](const TransposeArgs& a) {
          return one(bind1(a.self, {a.ct[0]}, a.params));
        },
    .batch = elementwise_batch,
    .scalar = reduce_precision_scalar,
    .cost = 8,
};
COTAN_REGISTER(reduce_precision_p);

}  // namespace ops

Value lax::reduce_precision(const Value& x, int64_t exponent_bits,
                            int64_t mantissa_bits) {
  return bind1(ops::reduce_precision_p, {x},
               ReducePrecisionParams{exponent_bits, mantissa_bits});
}

}  // namespace cotan
