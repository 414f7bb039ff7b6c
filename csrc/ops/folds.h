// Fold rules that primitives share: the value that an application equals, to
// the bit, or null. Operands that are the same variable are the same object.
#pragma once

#include "ir/primitive.h"

namespace cotan::ops {

// A real constant of these bits.
inline bool is_constant(const Value& v, double number) {
  if (v->kind != ValueKind::scalar || is_complex(v.dtype())) return false;
  const Literal& l = v.as<ScalarObj>().literal;
  Literal want = Literal::from_double(l.dtype, number, l.weak_type);
  return l == want;
}

inline Value fold_identity(const Params&, std::span<const Value> x) {
  return x[0];
}
// x + -0 is x for every x; x + 0 is not for x = -0.
inline Value fold_add(const Params&, std::span<const Value> x) {
  double zero = is_inexact(x[0].dtype()) ? -0.0 : 0.0;
  if (is_constant(x[1], zero)) return x[0];
  return is_constant(x[0], zero) ? x[1] : nullptr;
}
inline Value fold_sub(const Params&, std::span<const Value> x) {
  return is_constant(x[1], 0) ? x[0] : nullptr;
}
inline Value fold_mul(const Params&, std::span<const Value> x) {
  if (is_constant(x[1], 1)) return x[0];
  return is_constant(x[0], 1) ? x[1] : nullptr;
}
inline Value fold_div(const Params&, std::span<const Value> x) {
  return is_constant(x[1], 1) ? x[0] : nullptr;
}
// x max x
inline Value fold_same(const Params&, std::span<const Value> x) {
  return x[0].get() == x[1].get() ? x[0] : nullptr;
}
inline Value fold_select(const Params&, std::span<const Value> x) {
  if (x.size() == 2) return x[1];
  if (x.size() == 3 && x[1].get() == x[2].get()) return x[1];
  if (x[0]->kind != ValueKind::scalar || x[0].dtype() != DType::bool_)
    return nullptr;
  return x[0].as<ScalarObj>().literal.bytes[0] ? x[2] : x[1];
}

}  // namespace cotan::ops
