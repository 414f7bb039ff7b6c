// The primitives as functions on values. Strict like jax.lax: operands of one
// elementwise operation have one dtype, and one shape or rank 0. NumPy's
// promotion and broadcasting are in jnp/.
#pragma once

#include "ops/params.h"
#include "trace/arith.h"
#include "trace/trace.h"

namespace cotan::lax {

using cotan::broadcast_in_dim;
using cotan::zeros_like;
using cotan::zeros_of;

// ---- one operand
// clang-format off
#define COTAN_UNARY(name) Value name(const Value& x);
COTAN_UNARY(neg) COTAN_UNARY(sign) COTAN_UNARY(floor) COTAN_UNARY(ceil)
COTAN_UNARY(is_finite) COTAN_UNARY(exp) COTAN_UNARY(exp2) COTAN_UNARY(expm1)
COTAN_UNARY(log) COTAN_UNARY(log1p) COTAN_UNARY(sin) COTAN_UNARY(cos)
COTAN_UNARY(tan) COTAN_UNARY(asin) COTAN_UNARY(acos) COTAN_UNARY(atan)
COTAN_UNARY(sinh) COTAN_UNARY(cosh) COTAN_UNARY(tanh) COTAN_UNARY(asinh)
COTAN_UNARY(acosh) COTAN_UNARY(atanh) COTAN_UNARY(logistic) COTAN_UNARY(lgamma)
COTAN_UNARY(digamma) COTAN_UNARY(erf) COTAN_UNARY(erfc) COTAN_UNARY(erf_inv)
COTAN_UNARY(sqrt) COTAN_UNARY(rsqrt) COTAN_UNARY(cbrt) COTAN_UNARY(square)
COTAN_UNARY(abs) COTAN_UNARY(real) COTAN_UNARY(imag) COTAN_UNARY(conj)
COTAN_UNARY(bitwise_not) COTAN_UNARY(population_count) COTAN_UNARY(clz)
COTAN_UNARY(stop_gradient) COTAN_UNARY(copy)
#undef COTAN_UNARY
// clang-format on
Value round(const Value& x, RoundingMode mode = RoundingMode::away_from_zero);
Value integer_pow(const Value& x, int64_t y);
Value reduce_precision(const Value& x, int64_t exponent_bits,
                       int64_t mantissa_bits);

// ---- two operands
// clang-format off
#define COTAN_BINARY(name) Value name(const Value& x, const Value& y);
COTAN_BINARY(add) COTAN_BINARY(sub) COTAN_BINARY(mul) COTAN_BINARY(div)
COTAN_BINARY(rem) COTAN_BINARY(max) COTAN_BINARY(min) COTAN_BINARY(pow)
COTAN_BINARY(atan2) COTAN_BINARY(nextafter) COTAN_BINARY(complex)
COTAN_BINARY(bitwise_and) COTAN_BINARY(bitwise_or) COTAN_BINARY(bitwise_xor)
COTAN_BINARY(shift_left) COTAN_BINARY(shift_right_logical)
COTAN_BINARY(shift_right_arithmetic) COTAN_BINARY(eq) COTAN_BINARY(ne)
COTAN_BINARY(lt) COTAN_BINARY(le) COTAN_BINARY(gt) COTAN_BINARY(ge)
#undef COTAN_BINARY
// clang-format on

// which: bool (case 0 is false) or int32; cases share dtype and shape.
Value select_n(const Value& which, std::span<const Value> cases);
inline Value select(const Value& pred, const Value& on_true,
                    const Value& on_false) {
  Value cases[] = {on_false, on_true};
  return select_n(pred, cases);
}
Value clamp(const Value& lo, const Value& x, const Value& hi);

// ---- dtypes
// Identity if nothing changes; clears the weak type unless `weak`.
Value convert(const Value& x, DType to, bool weak = false);
Value bitcast_convert(const Value& x, DType to);

// ---- shape and data movement
Value iota(DType t, Shape shape, int64_t dimension);
Value full(Shape shape, const Literal& fill);
Value reshape(const Value& x, Shape shape);
Value squeeze(const Value& x, Axes axes);
Value expand_dims(const Value& x, Axes axes);  // axes of the result
Value transpose(const Value& x, Axes perm);
Value rev(const Value& x, Axes axes);
Value slice(const Value& x, Dims start, Dims limit, Dims strides = {});
Value pad(const Value& x, const Value& fill, std::vector<PadDim> config);
Value concatenate(std::span<const Value> xs, int64_t dimension);
Value dynamic_slice(const Value& x, std::span<const Value> starts, Dims sizes);
Value dynamic_update_slice(const Value& x, const Value& update,
                           std::span<const Value> starts);
// Adds the extent to negative starts, as JAX does before it binds the two.
Values wrap_starts(std::span<const int64_t> shape,
                   std::span<const Value> starts);
Value gather(const Value& x, const Value& indices, GatherParams params);
Value scatter(ScatterKind kind, const Value& x, const Value& indices,
              const Value& updates, ScatterParams params);

// ---- reductions; axes must be distinct and in range
Value reduce(const Value& x, Monoid monoid, Axes axes);  // not arg*
inline Value reduce_sum(const Value& x, Axes axes) {
  return reduce(x, Monoid::sum, std::move(axes));
}
inline Value reduce_max(const Value& x, Axes axes) {
  return reduce(x, Monoid::max, std::move(axes));
}
Value argreduce(const Value& x, Monoid monoid, int64_t axis, DType index);
Value cumulative(const Value& x, CumulativeKind kind, int64_t axis,
                 bool reverse = false);
Value dot_general(const Value& x, const Value& y, DotParams params);
Values sort(std::span<const Value> operands, int64_t dimension,
            bool is_stable = true, int64_t num_keys = 1);
// {values, i32 indices}
Values top_k(const Value& x, int64_t k, int64_t axis);
Values threefry2x32(const Value& k0, const Value& k1, const Value& c0,
                    const Value& c1);
// What the setting default_matmul_precision asks of products; "" if nothing.
std::string default_precision();
// Hashes of a counter: the words of the key, then those of the counter.
Values threefry4x32(std::span<const Value> x);  // 4 and 4
Values philox2x32(std::span<const Value> x);    // 1 and 2
Values philox4x32(std::span<const Value> x);    // 2 and 4
// key: u32[4] or u64[2] -> (the next key, integers of dtype t).
Values rng_bit_generator(const Value& key, Shape shape, DType t,
                         RngAlgorithm algorithm);

// ---- calls
// A nested jit; constants come first among the operands.
Values call(const JaxprRef& j, std::span<const Value> args,
            const std::string& name);
// jvp: (primals, tangents) -> (out primals, out tangents); tangents of
// integer operands are absent as null.
Values custom_jvp(const CallableRef& fun, const CallableRef& jvp,
                  std::span<const Value> args, const std::string& name,
                  bool symbolic_zeros = false);
// fwd: args -> (outputs, null, residuals): the null separates the two. bwd:
// (residuals, cotangents) -> cotangent per argument, null for zero.
// symbolic_zeros: fwd takes as many marks after its arguments, null for one
// that is not differentiated; bwd's cotangents may be null.
Values custom_vjp(const CallableRef& fun, const CallableRef& fwd,
                  const CallableRef& bwd, std::span<const Value> args,
                  const std::string& name, bool symbolic_zeros = false);

// A rank-0 constant that takes part in arithmetic with x without changing its
// dtype or weak type.
inline Value constant_like(const Value& x, double v) {
  return scalar_value(Literal::from_double(x.dtype(), v, /*weak=*/true));
}

}  // namespace cotan::lax
