#include "jnp/lax_front.h"

#include <cmath>
#include <tuple>

#include "base/error.h"
#include "ops/lax.h"

namespace cotan::jnp {

Values strict_operands(const char* op, std::span<const Value> x) {
  // The dtype of the strongly typed operands; weak ones follow if they can.
  const Value* strong = nullptr;
  for (const Value& v : x)
    if (!v.weak_type() && (!strong || strong->rank() == 0)) strong = &v;
  Values out;
  std::vector<Shape> shapes;
  for (const Value& v : x) {
    Value y = v;
    if (strong && v.weak_type() && v.dtype() != strong->dtype() &&
        join(type_of(v), type_of(*strong)).dtype == strong->dtype())
      y = lax::convert(v, strong->dtype());
    out.push_back(std::move(y));
    if (v.rank() > 0) shapes.push_back(v.shape());
  }
  bool same_rank = true, same = true;
  for (const Shape& s : shapes) {
    same_rank &= s.size() == shapes[0].size();
    same &= s == shapes[0];
  }
  if (same) return out;
  if (!same_rank)
    throw_type(op, ": arrays must have same number of dimensions, got ",
               shapes[0].size(), " and ", shapes.back().size(), ".");
  Shape shape = broadcast_operands(op, shapes);
  for (Value& v : out)
    if (v.rank() > 0) v = broadcast_to(v, shape);
  return out;
}

namespace {

// XLA's order of element types in products: complex, range, precision, width,
// sign.
std::tuple<bool, int, int, int, bool> product_rank(DType t) {
  DType r = is_complex(t) ? real_dtype(t) : t;
  int range = -1, mantissa = -1;
  if (is_narrow_float(r)) {
    NarrowFormat f = narrow_format(r);
    range = 1 + std::ilogb(narrow_to_float(r, uint8_t(f.max_finite())));
    mantissa = f.mantissa;
  } else if (is_float(r)) {
    range = r == DType::f64 ? 1024 : r == DType::f16 ? 16 : 128;
    mantissa = r == DType::f64   ? 52
               : r == DType::f32 ? 23
               : r == DType::f16 ? 10
                                 : 7;
  }
  int width = t == DType::bool_ ? 1 : bit_width(r);
  return {is_complex(t), range, mantissa, width, !is_unsigned_int(r)};
}

}  // namespace

DType product_dtype(DType x, DType y) {
  return product_rank(x) < product_rank(y) ? y : x;
}

Value dot_general(const Value& x, const Value& y, DotParams p) {
  DType t = product_dtype(x.dtype(), y.dtype());
  if (p.preferred && !is_float(t) && *p.preferred != t &&
      std::get<3>(product_rank(*p.preferred)) < std::get<3>(product_rank(t)))
    throw_type(
        "`preferred_element_type` must not be narrower than the original "
        "type, got preferred_element_type of ",
        dtype_name(*p.preferred), " for result type of ", dtype_name(t), ".");
  bool mixed = x.dtype() != y.dtype() && is_narrow_float(x.dtype()) &&
               is_narrow_float(y.dtype());
  // Neither of two narrow formats holds the other.
  DType inner = mixed ? DType::f32 : t;
  auto fitted = [&](const Value& v) {
    return v.dtype() == inner ? v : lax::convert(v, inner, v.weak_type());
  };
  DType result = p.preferred.value_or(t);
  if (mixed) p.preferred = {};
  Value out = lax::dot_general(fitted(x), fitted(y), std::move(p));
  return lax::convert(out, result, out.weak_type());
}

}  // namespace cotan::jnp
