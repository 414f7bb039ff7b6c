#include "python/ufunc_table.h"

#include "jnp/lax_front.h"
#include "jnp/nn.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"

namespace cotan::python {

namespace {

#define N1(f) {"numpy." #f, jnp::f, nullptr}
#define N2(f) {"numpy." #f, nullptr, jnp::f}
#define A1(f) {"nn." #f, jnp::f, nullptr}
#define A2(f) {"nn." #f, nullptr, jnp::f}
#define L1(f) {"lax." #f, [](const Value& x) { return lax::f(x); }, nullptr}
// Python scalars and size-1 dimensions adapt to the other operand.
#define L2(f)                                               \
  {"lax." #f, nullptr, [](const Value& x, const Value& y) { \
     return jnp::strict_binary(lax::f, "lax." #f, x, y);    \
   }}

constexpr UfuncEntry kTable[] = {
    N1(negative),
    N1(absolute),
    N1(invert),
    N1(sign),
    N1(floor),
    N1(ceil),
    N1(trunc),
    N1(rint),
    N1(exp),
    N1(exp2),
    N1(expm1),
    N1(log),
    N1(log2),
    N1(log10),
    N1(log1p),
    N1(sin),
    N1(cos),
    N1(tan),
    N1(arcsin),
    N1(arccos),
    N1(arctan),
    N1(sinh),
    N1(cosh),
    N1(tanh),
    N1(arcsinh),
    N1(arccosh),
    N1(arctanh),
    N1(sqrt),
    N1(cbrt),
    N1(square),
    N1(reciprocal),
    N1(isnan),
    N1(isinf),
    N1(isfinite),
    N1(logical_not),
    N1(real),
    N1(imag),
    N1(conj),
    N1(bitwise_count),
    N2(add),
    N2(subtract),
    N2(multiply),
    N2(true_divide),
    N2(floor_divide),
    N2(remainder),
    N2(fmod),
    N2(power),
    N2(maximum),
    N2(minimum),
    N2(arctan2),
    N2(hypot),
    N2(logaddexp),
    N2(nextafter),
    N2(equal),
    N2(not_equal),
    N2(less),
    N2(less_equal),
    N2(greater),
    N2(greater_equal),
    N2(logical_and),
    N2(logical_or),
    N2(logical_xor),
    N2(bitwise_and),
    N2(bitwise_or),
    N2(bitwise_xor),
    N2(left_shift),
    N2(right_shift),
    L1(neg),
    L1(sign),
    L1(floor),
    L1(ceil),
    L1(is_finite),
    L1(exp),
    L1(exp2),
    L1(expm1),
    L1(log),
    L1(log1p),
    L1(sin),
    L1(cos),
    L1(tan),
    L1(asin),
    L1(acos),
    L1(atan),
    L1(sinh),
    L1(cosh),
    L1(tanh),
    L1(asinh),
    L1(acosh),
    L1(atanh),
    L1(logistic),
    L1(lgamma),
    L1(digamma),
    L1(erf),
    L1(erfc),
    L1(erf_inv),
    L1(sqrt),
    L1(rsqrt),
    L1(cbrt),
    L1(square),
    L1(abs),
    L1(real),
    L1(imag),
    L1(conj),
    L1(bitwise_not),
    L1(population_count),
    L1(clz),
    L1(stop_gradient),
    L2(add),
    L2(sub),
    L2(mul),
    L2(div),
    L2(rem),
    L2(max),
    L2(min),
    L2(pow),
    L2(atan2),
    L2(nextafter),
    L2(complex),
    L2(bitwise_and),
    L2(bitwise_or),
    L2(bitwise_xor),
    L2(shift_left),
    L2(shift_right_logical),
    L2(shift_right_arithmetic),
    L2(eq),
    L2(ne),
    L2(lt),
    L2(le),
    L2(gt),
    L2(ge),
    A1(relu),
    A1(relu6),
    A1(sigmoid),
    A1(log_sigmoid),
    A1(silu),
    A1(mish),
    A1(softplus),
    A1(soft_sign),
    A1(sparse_plus),
    A1(sparse_sigmoid),
    A1(hard_sigmoid),
    A1(hard_silu),
    A1(hard_tanh),
    A1(selu),
    A1(gelu),
    A1(gelu_exact),
    A1(log1mexp),
    A2(elu),
    A2(celu),
    A2(leaky_relu),
    A2(squareplus),
};
#undef N1
#undef N2
#undef A1
#undef A2
#undef L1
#undef L2

}  // namespace

size_t num_ufuncs() { return std::size(kTable); }
const UfuncEntry& ufunc_entry(size_t i) { return kTable[i]; }

}  // namespace cotan::python
