// NumPy's elementwise functions: promotion and broadcasting over lax.
#pragma once

#include "jnp/promote.h"

namespace cotan::jnp {

// clang-format off
#define COTAN_UNARY(name) Value name(const Value& x);
COTAN_UNARY(negative) COTAN_UNARY(absolute) COTAN_UNARY(invert)
COTAN_UNARY(sign) COTAN_UNARY(floor) COTAN_UNARY(ceil) COTAN_UNARY(trunc)
COTAN_UNARY(rint) COTAN_UNARY(exp) COTAN_UNARY(exp2) COTAN_UNARY(expm1)
COTAN_UNARY(log) COTAN_UNARY(log2) COTAN_UNARY(log10) COTAN_UNARY(log1p)
COTAN_UNARY(sin) COTAN_UNARY(cos) COTAN_UNARY(tan) COTAN_UNARY(arcsin)
COTAN_UNARY(arccos) COTAN_UNARY(arctan) COTAN_UNARY(sinh) COTAN_UNARY(cosh)
COTAN_UNARY(tanh) COTAN_UNARY(arcsinh) COTAN_UNARY(arccosh) COTAN_UNARY(arctanh)
COTAN_UNARY(sqrt) COTAN_UNARY(cbrt) COTAN_UNARY(square) COTAN_UNARY(reciprocal)
COTAN_UNARY(isnan) COTAN_UNARY(isinf) COTAN_UNARY(isfinite)
COTAN_UNARY(logical_not) COTAN_UNARY(real) COTAN_UNARY(imag) COTAN_UNARY(conj)
COTAN_UNARY(bitwise_count)
#undef COTAN_UNARY
// clang-format on

// clang-format off
#define COTAN_BINARY(name) Value name(const Value& x, const Value& y);
COTAN_BINARY(add) COTAN_BINARY(subtract) COTAN_BINARY(multiply)
COTAN_BINARY(true_divide) COTAN_BINARY(floor_divide) COTAN_BINARY(remainder)
COTAN_BINARY(fmod) COTAN_BINARY(power) COTAN_BINARY(maximum)
COTAN_BINARY(minimum) COTAN_BINARY(arctan2) COTAN_BINARY(hypot)
COTAN_BINARY(logaddexp) COTAN_BINARY(logaddexp2) COTAN_BINARY(nextafter)
COTAN_BINARY(equal)
COTAN_BINARY(not_equal) COTAN_BINARY(less) COTAN_BINARY(less_equal)
COTAN_BINARY(greater) COTAN_BINARY(greater_equal) COTAN_BINARY(logical_and)
COTAN_BINARY(logical_or) COTAN_BINARY(logical_xor) COTAN_BINARY(bitwise_and)
COTAN_BINARY(bitwise_or) COTAN_BINARY(bitwise_xor) COTAN_BINARY(left_shift)
COTAN_BINARY(right_shift)
#undef COTAN_BINARY
// clang-format on

Value where(const Value& cond, const Value& x, const Value& y);
Value matmul(const Value& x, const Value& y);
// x ** n with a Python int: integer_pow, no exponent operand.
Value integer_power(const Value& x, int64_t n);

}  // namespace cotan::jnp
