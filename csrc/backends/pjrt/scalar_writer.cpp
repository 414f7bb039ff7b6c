#include "backends/pjrt/scalar_writer.h"

#include "backends/pjrt/native_ops.h"
#include "base/error.h"

namespace cotan::pjrt {

Scalar ScalarWriter::of(HloValue v) {
  DType t = b_.dtype(v);
  if (!is_complex(t)) return real(v);
  Aval part{real_dtype(t), false, b_.shape(v)};
  HloValue re = b_.op("real", {v}, part), im = b_.op("imag", {v}, part);
  return {uint64_t(re.id), uint64_t(im.id), t};
}

HloValue ScalarWriter::value(Scalar s) {
  if (!is_complex(s.dtype)) return hlo(s);
  HloValue re = hlo(s), im{int32_t(s.im)};
  match(re, im);
  return b_.op("complex", {re, im}, {s.dtype, false, b_.shape(re)});
}

void ScalarWriter::match(HloValue& x, HloValue& y) {
  if (b_.shape(x).size() < b_.shape(y).size())
    x = b_.broadcast_to(x, b_.shape(y));
  else
    y = b_.broadcast_to(y, b_.shape(x));
}

void ScalarWriter::rare_many(
    Scalar mask, std::span<Scalar> values,
    const std::function<void(std::span<Scalar>)>& slow) {
  SmallVector<Scalar, 4> other(values.begin(), values.end());
  slow(other);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = select(mask, other[i], values[i]);
}

Scalar ScalarWriter::raw_math(MathFn fn, Scalar x, Scalar y) {
  bool binary = fn == MathFn::atan2 || fn == MathFn::pow;
  HloValue a = hlo(x), b = binary ? hlo(y) : HloValue{};
  if (binary) match(a, b);
  return real(emit_native_math(b_, fn, a, b));
}

Scalar ScalarWriter::raw_constant(const Literal& lit) {
  return real(b_.constant(lit));
}

Scalar ScalarWriter::raw_unary(UnaryOp op, Scalar x) {
  HloValue v = hlo(x);
  switch (op) {
    case UnaryOp::neg:
      return real(b_.elementwise("negate", {v}));
    case UnaryOp::not_:
      return real(b_.elementwise("not", {v}));
    case UnaryOp::abs:
      return real(b_.elementwise("abs", {v}));
    case UnaryOp::sqrt:
      return real(b_.elementwise("sqrt", {v}));
    case UnaryOp::floor:
      return real(b_.elementwise("floor", {v}));
    case UnaryOp::ceil:
      return real(b_.elementwise("ceil", {v}));
    case UnaryOp::round_even:
      return real(b_.elementwise("round_nearest_even", {v}));
    case UnaryOp::clz:
      return real(b_.elementwise("count_leading_zeros", {v}));
    case UnaryOp::popcount:
      return real(b_.elementwise("popcnt", {v}));
    case UnaryOp::trunc:
      break;
  }
  // Toward zero: floor of the magnitude, with the sign put back.
  HloValue zero = b_.constant(x.dtype, 0, b_.shape(v));
  HloValue up = b_.compare(CompareOp::lt, v, zero);
  return real(
      b_.select(up, b_.elementwise("ceil", {v}), b_.elementwise("floor", {v})));
}

Scalar ScalarWriter::raw_binary(BinaryOp op, Scalar x, Scalar y) {
  constexpr const char* names[] = {"add",
                                   "subtract",
                                   "multiply",
                                   "divide",
                                   "remainder",
                                   "and",
                                   "or",
                                   "xor",
                                   "shift_left",
                                   "shift_right_logical",
                                   "shift_right_arithmetic"};
  HloValue a = hlo(x), b = hlo(y);
  match(a, b);
  if (op != BinaryOp::mulhi)
    return real(b_.elementwise(names[int(op)], {a, b}));
  if (x.dtype != DType::u32)
    throw_not_implemented("[stablehlo] the high half of 64-bit products");
  HloValue wide = b_.elementwise(
      "multiply", {b_.convert(a, DType::u64), b_.convert(b, DType::u64)});
  HloValue shift = b_.constant_int(DType::u64, 32, b_.shape(wide));
  return real(b_.convert(b_.elementwise("shift_right_logical", {wide, shift}),
                         DType::u32));
}

Scalar ScalarWriter::raw_compare(CompareOp op, Scalar x, Scalar y) {
  HloValue a = hlo(x), b = hlo(y);
  match(a, b);
  return real(b_.compare(op, a, b));
}

Scalar ScalarWriter::raw_select(Scalar mask, Scalar x, Scalar y) {
  HloValue m = hlo(mask), a = hlo(x), b = hlo(y);
  match(a, b);
  match(m, a);  // a rank-0 mask would do, an unmatched operand would not
  match(a, b);
  return real(b_.select(m, a, b));
}

Scalar ScalarWriter::raw_fma(Scalar x, Scalar y, Scalar z) {
  return raw_binary(BinaryOp::add, raw_binary(BinaryOp::mul, x, y), z);
}

Scalar ScalarWriter::raw_convert(Scalar x, DType to) {
  return real(b_.convert(hlo(x), to));
}

Scalar ScalarWriter::raw_bitcast(Scalar x, DType to) {
  if (x.dtype == to) return x;
  HloValue v = hlo(x);
  return real(b_.op("bitcast_convert", {v}, {to, false, b_.shape(v)}));
}

}  // namespace cotan::pjrt
