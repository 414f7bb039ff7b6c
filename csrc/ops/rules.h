// Rules that many primitives share: type checks, batching, derivatives and
// reference evaluation. A record picks what fits and adds what is special.
#pragma once

#include "emit/scalar.h"
#include "ops/lax.h"
#include "transforms/transforms.h"

namespace cotan::ops {

// ---- type rules
using DTypeTest = bool (*)(DType);
constexpr bool any_dtype(DType) { return true; }
constexpr bool ordered(DType t) { return !is_key(t); }
constexpr bool arithmetic(DType t) { return is_numeric(t); }
constexpr bool int_or_bool(DType t) { return is_int(t) || t == DType::bool_; }
constexpr bool real_number(DType t) { return is_int(t) || is_float(t); }
constexpr bool has_sign(DType t) {
  return is_numeric(t) && !is_unsigned_int(t);
}
constexpr bool has_complex(DType t) {
  return is_inexact(t) && !is_half(t) && !is_narrow(t);
}

// Checks one dtype and one shape (or rank 0) among the operands, and gives
// their common type. `accepts` describes valid dtypes in error messages.
Aval common_type(const TypeArgs& a, DTypeTest test);

// Operands and result share the dtype.
template <size_t N, DTypeTest Test>
Avals nary_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == N);
  return {common_type(a, Test)};
}
// As above; the result's dtype is R(dtype).
template <size_t N, DTypeTest Test, DType (*R)(DType)>
Avals nary_type_to(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == N);
  Aval t = common_type(a, Test);
  t.dtype = R(t.dtype);
  return {t};
}
constexpr DType to_bool(DType) { return DType::bool_; }

// Indices of a dtype that kernels read: narrow ones become int32.
Value wide_indices(const Value& x);

// Normalises checked axes; throws ValueError naming the op.
void check_axes(const char* op, std::span<const int64_t> axes, int64_t rank,
                const Aval& operand);

// ---- reference evaluation, derived from the slots that run fast
void scalar_eval(const EvalArgs& a);     // from .scalar, on the host evaluator
void view_eval(const EvalArgs& a);       // from .view
void generate_eval(const EvalArgs& a);   // from .generate
void reduction_eval(const EvalArgs& a);  // from .reduction
void kernel_eval(const EvalArgs& a);     // from .kernel, as it runs compiled

// ---- batching
Batched elementwise_batch(const BatchArgs& a);
inline Batched batched_at(Value v, int64_t dim) {
  return {{std::move(v)}, {dim}};
}

// ---- derivatives
// t as a tangent of y: a rank-0 tangent of a shaped result is broadcast.
Value fit_tangent(const Value& t, const Value& y);
// Sum of two possible tangents, shaped like y.
Value sum_tangents(const Value& t0, const Value& t1, const Value& y);
// The cotangent of an operand that was rank 0 in a shaped operation.
Value unbroadcast(const Value& ct, const Aval& operand);

// y = f(x): tangent t * D(x, y).
template <auto D>
Dual unary_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value t = lax::mul(a.t[0], D(a.x[0], y));
  return {{y}, {t}};
}
// y = f(x0, x1): tangent D(t, x0, x1, y) for each.
template <auto D0, auto D1>
Dual binary_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value t0 = a.t[0] ? D0(a.t[0], a.x[0], a.x[1], y) : nullptr;
  Value t1 = a.t[1] ? D1(a.t[1], a.x[0], a.x[1], y) : nullptr;
  return {{y}, {sum_tangents(t0, t1, y)}};
}
// Linear in all operands together: the tangent is the same operation.
Dual linear_jvp(const JvpArgs& a);
// Linear in operand 0 alone, the others (indices) have no tangents.
Dual first_operand_jvp(const JvpArgs& a);

// For transposes of operations that are linear in one operand at a time: throws
// if operand i is not known.
inline void require_known(const TransposeArgs& a, size_t i) {
  if (!a.x[i])
    throw_type("[", a.self.name,
               "] is not linear in all of its operands: only linear functions "
               "have a transpose");
}

// For operations that call a jaxpr: its transpose in the operands that are not
// known, whatever their order, for the cotangents that there are.
struct TransposedCall {
  TracedGraph graph;
  Values operands;  // of the graph, after its constants
  std::vector<size_t> linear;
  // One cotangent per operand of the call, from those of the linear ones.
  Values spread(const Values& ct, size_t size) const;
};
TransposedCall transposed_call(const JaxprRef& j, const TransposeArgs& a);

// Makes a Values of one.
inline Values one(Value v) { return {std::move(v)}; }

}  // namespace cotan::ops
