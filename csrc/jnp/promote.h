// JAX's type promotion: a lattice in which Python scalars ("weak" types) sit
// below every array type of their kind. `join` is the least upper bound.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ir/value.h"

namespace cotan::jnp {

struct TypeAndWeak {
  DType dtype;
  bool weak = false;
  bool operator==(const TypeAndWeak&) const = default;
};

// 64-bit types become 32-bit ones unless x64 is on.
DType canonical(DType t);
inline DType default_int() { return canonical(DType::i64); }
inline DType default_float() { return canonical(DType::f64); }
inline DType default_complex() { return canonical(DType::c128); }

// Throws TypePromotionError where no implicit promotion exists, or under
// strict promotion where it would change an array's dtype.
TypeAndWeak join(TypeAndWeak a, TypeAndWeak b);
// The same as a statement about dtypes: 64-bit ones that are given stay.
DType join_dtypes(TypeAndWeak a, TypeAndWeak b);
TypeAndWeak result_type(std::span<const Value> values);
inline TypeAndWeak type_of(const Value& v) {
  return {v.dtype(), v.weak_type()};
}

// To inexact: bools and ints become f32, 64-bit ints f64; weakly if they were.
TypeAndWeak to_inexact(TypeAndWeak t);
// To a number: bools become i32.
TypeAndWeak to_numeric(TypeAndWeak t);

// NumPy broadcasting; throws a TypeError in JAX's words.
// None if there is no such shape.
std::optional<Shape> common_shape(std::span<const Shape> shapes);
// ValueError if there is none, as in NumPy.
Shape broadcast_shapes(std::span<const Shape> shapes);
// TypeError that names the operation.
Shape broadcast_operands(std::string_view op, std::span<const Shape> shapes);
// "(2, 3), (4,)"
std::string shapes_string(std::span<const Shape> shapes);
Value broadcast_to(const Value& x, const Shape& shape);

// One dtype for all, and one shape (rank-0 operands stay rank 0, as lax
// allows them beside shaped ones).
Values promote(const char* op, std::span<const Value> x);
Values promote_inexact(const char* op, std::span<const Value> x);
Values promote_numeric(const char* op, std::span<const Value> x);

}  // namespace cotan::jnp
