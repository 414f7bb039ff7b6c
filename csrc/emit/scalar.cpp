#include "emit/scalar.h"

#include "base/error.h"

namespace cotan {

Scalar ScalarEmitter::constant(const Literal& lit) {
  if (!is_complex(lit.dtype)) return raw_constant(lit);
  auto v = lit.to_complex();
  DType part = real_dtype(lit.dtype);
  return complex(raw_constant(Literal::from_double(part, v.real())),
                 raw_constant(Literal::from_double(part, v.imag())));
}
Scalar ScalarEmitter::constant(DType t, double v) {
  return constant(Literal::from_double(t, v));
}
Scalar ScalarEmitter::constant_int(DType t, int64_t v) {
  return constant(Literal::from_int(t, v));
}

Scalar ScalarEmitter::real(Scalar x) { return {x.v, 0, real_dtype(x.dtype)}; }
Scalar ScalarEmitter::imag(Scalar x) {
  if (!is_complex(x.dtype)) return constant(x.dtype, 0);
  return {x.im, 0, real_dtype(x.dtype)};
}
Scalar ScalarEmitter::complex(Scalar re, Scalar im) {
  return {re.v, im.v, complex_dtype(re.dtype)};
}

Scalar ScalarEmitter::neg(Scalar x) {
  if (!is_complex(x.dtype)) return unary(UnaryOp::neg, x);
  return complex(neg(real(x)), neg(imag(x)));
}
Scalar ScalarEmitter::add(Scalar x, Scalar y) {
  if (!is_complex(x.dtype)) return binary(BinaryOp::add, x, y);
  return complex(add(real(x), real(y)), add(imag(x), imag(y)));
}
Scalar ScalarEmitter::sub(Scalar x, Scalar y) {
  if (!is_complex(x.dtype)) return binary(BinaryOp::sub, x, y);
  return complex(sub(real(x), real(y)), sub(imag(x), imag(y)));
}
Scalar ScalarEmitter::mul(Scalar x, Scalar y) {
  if (!is_complex(x.dtype)) return binary(BinaryOp::mul, x, y);
  Scalar a = real(x), b = imag(x), c = real(y), d = imag(y);
  return complex(sub(mul(a, c), mul(b, d)), add(mul(a, d), mul(b, c)));
}
Scalar ScalarEmitter::div(Scalar x, Scalar y) {
  if (!is_complex(x.dtype)) return binary(BinaryOp::div, x, y);
  // Smith's method: divide by the larger component first.
  Scalar a = real(x), b = imag(x), c = real(y), d = imag(y);
  Scalar swap = lt(abs(c), abs(d));
  Scalar big = select(swap, d, c), small = select(swap, c, d);
  Scalar ratio = div(small, big);
  Scalar scale = fma(small, ratio, big);
  Scalar p = select(swap, b, a), q = select(swap, a, b);
  Scalar re = div(fma(q, ratio, p), scale);
  Scalar t = div(fma(neg(p), ratio, q), scale);
  // A zero divisor gives component-wise division, as C's Annex G does.
  Scalar zero = constant(c.dtype, 0);
  Scalar is_zero = and_(eq(c, zero), eq(d, zero));
  re = select(is_zero, div(a, abs(c)), re);
  Scalar im = select(is_zero, div(b, abs(c)), select(swap, neg(t), t));
  return complex(re, im);
}
Scalar ScalarEmitter::fma(Scalar x, Scalar y, Scalar z) {
  COTAN_CHECK(is_float(x.dtype));
  return raw_fma(x, y, z);
}

Scalar ScalarEmitter::abs(Scalar x) {
  if (is_complex(x.dtype)) return emit_complex_abs(*this, x);
  return unary(UnaryOp::abs, x);
}
Scalar ScalarEmitter::sqrt(Scalar x) {
  if (is_complex(x.dtype)) return emit_complex_sqrt(*this, x);
  return unary(UnaryOp::sqrt, x);
}

Scalar ScalarEmitter::compare(CompareOp op, Scalar x, Scalar y) {
  if (!is_complex(x.dtype)) return raw_compare(op, x, y);
  Scalar a = real(x), b = imag(x), c = real(y), d = imag(y);
  if (op == CompareOp::eq)
    return and_(raw_compare(op, a, c), raw_compare(op, b, d));
  if (op == CompareOp::ne)
    return or_(raw_compare(op, a, c), raw_compare(op, b, d));
  // Lexicographic order, as NumPy and JAX sort complex numbers.
  Scalar tie = and_(eq(a, c), raw_compare(op, b, d));
  CompareOp strict = op == CompareOp::le   ? CompareOp::lt
                     : op == CompareOp::ge ? CompareOp::gt
                                           : op;
  return or_(raw_compare(strict, a, c), tie);
}
Scalar ScalarEmitter::select(Scalar mask, Scalar x, Scalar y) {
  if (!is_complex(x.dtype)) return raw_select(mask, x, y);
  return complex(raw_select(mask, real(x), real(y)),
                 raw_select(mask, imag(x), imag(y)));
}

Scalar ScalarEmitter::convert(Scalar x, DType to) {
  if (x.dtype == to) return x;
  if (is_complex(to)) {
    DType part = real_dtype(to);
    if (is_narrow(x.dtype))  // not all of them have a zero
      return complex(convert(x, part), constant(part, 0));
    return complex(convert(real(x), part), convert(imag(x), part));
  }
  if (is_complex(x.dtype)) {
    if (to == DType::bool_) {
      return or_(convert(real(x), to), convert(imag(x), to));
    }
    return convert(real(x), to);
  }
  if ((is_narrow(x.dtype) || is_narrow(to)) && !converts_narrow())
    return emit_narrow_convert(*this, x, to);
  return raw_convert(x, to);
}

Scalar ScalarEmitter::rare(Scalar mask, Scalar usual,
                           const std::function<Scalar()>& slow) {
  rare_many(mask, {&usual, 1}, [&](std::span<Scalar> v) { v[0] = slow(); });
  return usual;
}

Scalar ScalarEmitter::math(MathFn fn, Scalar x, Scalar y) {
  if (is_complex(x.dtype)) return emit_complex_math(*this, fn, x, y);
  return raw_math(fn, x, y);
}
Scalar ScalarEmitter::raw_lookup(Scalar index, DType t, const double* table) {
  Scalar v[16];
  for (int i = 0; i < 16; ++i) v[i] = constant(t, table[i]);
  for (int bit = 0, n = 8; n >= 1; ++bit, n /= 2) {
    Scalar mask = and_(index, constant_int(index.dtype, 1 << bit));
    Scalar odd = ne(mask, constant_int(index.dtype, 0));
    for (int i = 0; i < n; ++i) v[i] = select(odd, v[2 * i + 1], v[2 * i]);
  }
  return v[0];
}
Scalar ScalarEmitter::raw_math(MathFn fn, Scalar x, Scalar y) {
  return emit_math(*this, fn, x, y);
}

}  // namespace cotan
