#include "jnp/products.h"

#include <algorithm>

#include "base/error.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"

namespace cotan::jnp {

namespace {

struct Pair {
  Value a, b;
};

Pair common_type(const Value& x, const Value& y) {
  Value both[] = {x, y};
  TypeAndWeak t = result_type(both);
  return {lax::convert(x, t.dtype, t.weak), lax::convert(y, t.dtype, t.weak)};
}

// The type of the result is said, as JAX's functions do.
DotParams params_of(const ProductOptions& o, DType operands) {
  DotParams p;
  p.precision = o.precision;
  p.preferred = o.preferred ? canonical(*o.preferred) : operands;
  return p;
}

}  // namespace

Value matmul(const Value& x, const Value& y) { return matmul(x, y, {}); }

Value matmul(const Value& x, const Value& y, const ProductOptions& o) {
  for (const Value* v : {&x, &y})
    if (v->rank() == 0)
      throw_value("matmul input operand ", v == &x ? 0 : 1,
                  " must have ndim at least 1, but it has ndim 0");
  auto [a, b] = common_type(x, y);
  bool a1 = a.rank() == 1, b1 = b.rank() == 1;
  int64_t ka = a.shape()[size_t(a.rank() - 1)];
  int64_t kb = b.shape()[size_t(b1 ? 0 : b.rank() - 2)];
  if (ka != kb)
    throw_type(
        "dot_general requires contracting dimensions to have the same "
        "shape, got (",
        ka, ",) and (", kb, ",).");
  DotParams p = params_of(o, a.dtype());
  if (a.rank() <= 2 || b.rank() <= 2) {
    // One side has no batch: a single contraction, free axes in order.
    p.lhs_contract = {a.rank() - 1};
    p.rhs_contract = {b1 ? 0 : b.rank() - 2};
    if (b.rank() <= 2) return lax::dot_general(a, b, p);
    // a is 1-D or 2-D and b batched: the result's batch axes must lead.
    Value r = lax::dot_general(a, b, p);  // [m?] + batch + [n]
    return a1 ? r : move_axis(r, 0, r.rank() - 2);
  }
  Shape ab(a.shape().begin(), a.shape().end() - 2);
  Shape bb(b.shape().begin(), b.shape().end() - 2);
  std::optional<Shape> batch = common_shape(std::vector<Shape>{ab, bb});
  if (!batch)
    throw_value("Incompatible shapes for matmul arguments: ",
                shape_string(a.shape()), " and ", shape_string(b.shape()));
  auto stretch = [&](const Value& v) {
    Shape s = *batch;
    s.append(v.shape().end() - 2, v.shape().end());
    return broadcast_to(v, s);
  };
  a = stretch(a);
  b = stretch(b);
  int64_t nb = int64_t(batch->size());
  for (int64_t d = 0; d < nb; ++d) {
    p.lhs_batch.push_back(d);
    p.rhs_batch.push_back(d);
  }
  p.lhs_contract = {nb + 1};
  p.rhs_contract = {nb};
  return lax::dot_general(a, b, p);
}

Value contract(const Value& x, const Value& y, Axes x_axes, Axes y_axes,
               const ProductOptions& o) {
  auto [a, b] = common_type(x, y);
  DotParams p = params_of(o, a.dtype());
  Shape left, right;
  for (int64_t d : x_axes) left.push_back(x.shape()[size_t(d)]);
  for (int64_t d : y_axes) right.push_back(y.shape()[size_t(d)]);
  if (left != right)
    throw_type(
        "dot_general requires contracting dimensions to have the same shape, "
        "got ",
        shape_string(left), " and ", shape_string(right), ".");
  p.lhs_contract = std::move(x_axes);
  p.rhs_contract = std::move(y_axes);
  return lax::dot_general(a, b, std::move(p));
}

Value dot(const Value& x, const Value& y, const ProductOptions& o) {
  if (x.rank() == 0 || y.rank() == 0) {
    Value r = multiply(x, y);
    return o.preferred ? lax::convert(r, canonical(*o.preferred)) : r;
  }
  return contract(x, y, {x.rank() - 1}, {std::max<int64_t>(y.rank() - 2, 0)},
                  o);
}

}  // namespace cotan::jnp
