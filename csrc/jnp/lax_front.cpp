#include "jnp/lax_front.h"

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

}  // namespace cotan::jnp
