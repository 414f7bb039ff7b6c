#include "python/ufunc_table.h"

#include "base/error.h"
#include "jnp/lax_front.h"
#include "jnp/nn.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"

namespace cotan::python {

namespace {

#define N1(f, doc) {"numpy." #f, doc, jnp::f, nullptr}
#define N2(f, doc) {"numpy." #f, doc, nullptr, jnp::f}
#define A1(f, doc) {"nn." #f, doc, jnp::f, nullptr}
#define A2(f, doc) {"nn." #f, doc, nullptr, jnp::f}
#define L1(f, doc) \
  {"lax." #f, doc, [](const Value& x) { return lax::f(x); }, nullptr}
// Python scalars and size-1 dimensions adapt to the other operand.
#define L2(f, doc)                                               \
  {"lax." #f, doc, nullptr, [](const Value& x, const Value& y) { \
     return jnp::strict_binary(lax::f, "lax." #f, x, y);         \
   }}
// Complex numbers have no order (cotan.numpy compares their parts in turn).
#define L2_ORDER(f, doc)                                               \
  {"lax." #f, doc, nullptr, [](const Value& x, const Value& y) {       \
     if (is_complex(x.dtype()))                                        \
       throw_type(#f " does not accept dtype ", dtype_name(x.dtype()), \
                  " at position 0.");                                  \
     return jnp::strict_binary(lax::f, "lax." #f, x, y);               \
   }}

constexpr UfuncEntry kTable[] = {
    N1(negative, "-x."),
    N1(absolute,
       "|x|: real, also of complex x; the least signed integer stays itself."),
    N1(invert, "The bits of x flipped; not of booleans."),
    N1(sign,
       "-1, 0 or 1 as x is below, at or above zero; nan stays nan. Of complex "
       "x: x / |x|."),
    N1(floor, "The greatest integer that is not above x, in the dtype of x."),
    N1(ceil, "The least integer that is not below x, in the dtype of x."),
    N1(trunc, "x rounded towards zero."),
    N1(rint, "x rounded to the nearest integer, halves to even."),
    N1(exp, "e to the power of x."),
    N1(exp2, "2 to the power of x."),
    N1(expm1, "exp(x) - 1, exact near zero."),
    N1(log, "The natural logarithm; nan for x < 0, -inf at 0."),
    N1(log2, "The logarithm to base 2; nan for x < 0, -inf at 0."),
    N1(log10, "The logarithm to base 10; nan for x < 0, -inf at 0."),
    N1(log1p, "log(1 + x), exact near zero; nan for x < -1."),
    N1(sin, "The sine of x radians."),
    N1(cos, "The cosine of x radians."),
    N1(tan, "The tangent of x radians."),
    N1(arcsin,
       "The inverse sine in radians, from -pi/2 to pi/2; nan outside [-1, 1]."),
    N1(arccos,
       "The inverse cosine in radians, from 0 to pi; nan outside [-1, 1]."),
    N1(arctan, "The inverse tangent in radians, from -pi/2 to pi/2."),
    N1(sinh, "The hyperbolic sine."),
    N1(cosh, "The hyperbolic cosine."),
    N1(tanh, "The hyperbolic tangent."),
    N1(arcsinh, "The inverse hyperbolic sine."),
    N1(arccosh, "The inverse hyperbolic cosine; nan for x < 1."),
    N1(arctanh, "The inverse hyperbolic tangent; nan outside [-1, 1]."),
    N1(sqrt, "The square root that is not negative; nan for x < 0."),
    N1(cbrt, "The real cube root."),
    N1(square, "x * x."),
    N1(reciprocal, "1 / x."),
    N1(isnan, "True where x is not a number."),
    N1(isinf, "True where x is infinite."),
    N1(isfinite, "True where x is neither infinite nor nan."),
    N1(logical_not, "True where x is zero."),
    N1(real, "The real part; x itself if it is real."),
    N1(imag, "The imaginary part; zeros if x is real."),
    N1(conj, "The complex conjugate."),
    N1(bitwise_count, "How many bits of |x| are set, as uint8."),
    N2(add, "x + y."),
    N2(subtract, "x - y."),
    N2(multiply, "x * y."),
    N2(true_divide, "x / y in floating point, also of integers."),
    N2(floor_divide, "x / y rounded down."),
    N2(remainder, "What x // y leaves, with the sign of y."),
    N2(fmod, "What truncated division leaves, with the sign of x."),
    N2(power,
       "x to the power of y. Negative constant powers of integers are "
       "refused."),
    N2(maximum, "The greater of x and y; nan if either is."),
    N2(minimum, "The lesser of x and y; nan if either is."),
    N2(arctan2,
       "The angle of the point (y, x) in radians, from -pi to pi: called as "
       "arctan2(y, x)."),
    N2(hypot, "sqrt(x^2 + y^2) without overflow on the way."),
    N2(logaddexp, "log(exp(x) + exp(y)) without overflow."),
    N2(logaddexp2, "log2(2 ** x + 2 ** y) without overflow."),
    N2(nextafter, "The next float after x towards y."),
    N2(equal, "x == y."),
    N2(not_equal, "x != y."),
    N2(less, "x < y."),
    N2(less_equal, "x <= y."),
    N2(greater, "x > y."),
    N2(greater_equal, "x >= y."),
    N2(logical_and, "True where both are not zero."),
    N2(logical_or, "True where either is not zero."),
    N2(logical_xor, "True where exactly one is not zero."),
    N2(bitwise_and, "x & y, of integers or booleans."),
    N2(bitwise_or, "x | y, of integers or booleans."),
    N2(bitwise_xor, "x ^ y, of integers or booleans."),
    N2(left_shift, "x * 2^y: the bits of x moved up by y."),
    N2(right_shift, "x / 2^y rounded down; zeros come into unsigned x."),
    L1(neg, "-x."),
    L1(sign,
       "-1, 0 or 1 as x is below, at or above zero; nan stays nan. Of complex "
       "x: x / |x|."),
    L1(floor, "The greatest integer that is not above x, in the dtype of x."),
    L1(ceil, "The least integer that is not below x, in the dtype of x."),
    L1(is_finite, "True where x is neither infinite nor nan."),
    L1(exp, "e to the power of x."),
    L1(exp2, "2 to the power of x."),
    L1(expm1, "exp(x) - 1, exact near zero."),
    L1(log, "The natural logarithm; nan for x < 0, -inf at 0."),
    L1(log1p, "log(1 + x), exact near zero; nan for x < -1."),
    L1(sin, "The sine of x radians."),
    L1(cos, "The cosine of x radians."),
    L1(tan, "The tangent of x radians."),
    L1(asin,
       "The inverse sine in radians, from -pi/2 to pi/2; nan outside [-1, 1]."),
    L1(acos,
       "The inverse cosine in radians, from 0 to pi; nan outside [-1, 1]."),
    L1(atan, "The inverse tangent in radians, from -pi/2 to pi/2."),
    L1(sinh, "The hyperbolic sine."),
    L1(cosh, "The hyperbolic cosine."),
    L1(tanh, "The hyperbolic tangent."),
    L1(asinh, "The inverse hyperbolic sine."),
    L1(acosh, "The inverse hyperbolic cosine; nan for x < 1."),
    L1(atanh, "The inverse hyperbolic tangent; nan outside [-1, 1]."),
    L1(logistic, "1 / (1 + exp(-x))."),
    L1(lgamma, "log |gamma(x)|."),
    L1(digamma, "The derivative of lgamma."),
    L1(erf, "The error function."),
    L1(erfc, "1 - erf(x), exact for large x."),
    L1(erf_inv, "The inverse of erf; nan outside [-1, 1]."),
    L1(sqrt, "The square root that is not negative; nan for x < 0."),
    L1(rsqrt, "1 / sqrt(x)."),
    L1(cbrt, "The real cube root."),
    L1(square, "x * x."),
    L1(abs,
       "|x|: real, also of complex x; the least signed integer stays itself."),
    L1(real, "The real part; x itself if it is real."),
    L1(imag, "The imaginary part; zeros if x is real."),
    L1(conj, "The complex conjugate."),
    L1(bitwise_not, "The bits of x flipped; not of booleans."),
    L1(population_count, "How many bits of x are set, in the dtype of x."),
    L1(clz, "How many zero bits precede the first set one."),
    L1(stop_gradient, "x, whose derivative is taken to be zero."),
    L2(add, "x + y."),
    L2(sub, "x - y."),
    L2(mul, "x * y."),
    L2(div, "x / y; of integers rounded towards zero."),
    L2(rem, "What truncated division leaves, with the sign of x."),
    L2(max, "The greater of x and y; nan if either is."),
    L2(min, "The lesser of x and y; nan if either is."),
    L2(pow, "x to the power of y."),
    L2(atan2,
       "The angle of the point (y, x) in radians, from -pi to pi: called as "
       "atan2(y, x)."),
    L2(nextafter, "The next float after x towards y."),
    L2(complex, "x + y i of two real arrays."),
    L2(bitwise_and, "x & y, of integers or booleans."),
    L2(bitwise_or, "x | y, of integers or booleans."),
    L2(bitwise_xor, "x ^ y, of integers or booleans."),
    L2(shift_left, "x * 2^y: the bits of x moved up by y."),
    L2(shift_right_logical, "The bits of x moved down by y; zeros come in."),
    L2(shift_right_arithmetic,
       "The bits of x moved down by y; copies of the sign bit come in."),
    L2(eq, "x == y."),
    L2(ne, "x != y."),
    L2_ORDER(lt, "x < y."),
    L2_ORDER(le, "x <= y."),
    L2_ORDER(gt, "x > y."),
    L2_ORDER(ge, "x >= y."),
    A1(relu, "max(x, 0), with derivative 0 at 0."),
    A1(relu6, "min(max(x, 0), 6)."),
    A1(sigmoid, "1 / (1 + exp(-x))."),
    A1(log_sigmoid, "log(sigmoid(x)) without overflow."),
    A1(silu, "x * sigmoid(x), also called swish."),
    A1(mish, "x * tanh(softplus(x))."),
    A1(softplus, "log(1 + exp(x)) without overflow."),
    A1(soft_sign, "x / (1 + |x|)."),
    A1(sparse_plus, "0 below -1, x above 1, (x + 1)^2 / 4 between."),
    A1(sparse_sigmoid, "0 below -1, 1 above 1, (x + 1) / 2 between."),
    A1(hard_sigmoid, "relu6(x + 3) / 6."),
    A1(hard_silu, "x * hard_sigmoid(x)."),
    A1(hard_tanh, "x clipped to [-1, 1]."),
    A1(selu, "1.0507 * elu(x, 1.6733): keeps mean 0 and variance 1."),
    A1(gelu, "x times the normal distribution function of x, by tanh."),
    A1(gelu_exact, "x times the normal distribution function of x."),
    A1(log1mexp, "log(1 - exp(-x)) for x > 0, exact at both ends."),
    A2(elu, "x where positive, else y * (exp(x) - 1)."),
    A2(celu, "x where positive, else y * (exp(x / y) - 1)."),
    A2(leaky_relu, "x where positive, else y * x."),
    A2(squareplus, "(x + sqrt(x^2 + y)) / 2."),
};
#undef N1
#undef N2
#undef A1
#undef A2
#undef L1
#undef L2
#undef L2_ORDER

}  // namespace

size_t num_ufuncs() { return std::size(kTable); }
const UfuncEntry& ufunc_entry(size_t i) { return kTable[i]; }

}  // namespace cotan::python
