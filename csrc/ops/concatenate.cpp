// concatenate: operands side by side along one dimension.
#include "ops/host_loop.h"
#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive concatenate_p;

namespace {

int64_t dimension_of(const Params& p) {
  return p.as<DimensionParams>().dimension;
}

std::string shapes_of(std::span<const Aval> in) {
  std::vector<std::string> shapes;
  for (const Aval& a : in) shapes.push_back(shape_string(a.shape));
  std::string out;
  append_joined(out, shapes, ", ");
  return out;
}

Avals concatenate_type(const TypeArgs& a) {
  if (a.in.empty())
    throw_type(
        "[concatenate] concatenate expects at least one operand, got 0.");
  int64_t dim = dimension_of(a.params);
  Aval y = a.in[0];
  for (const Aval& x : a.in) {
    if (x.rank() != y.rank())
      throw_type(
          "[concatenate] Cannot concatenate arrays with different numbers of "
          "dimensions: got ",
          shapes_of(a.in), ".");
  }
  if (dim < 0 || dim >= y.rank())
    throw_type("[concatenate] concatenate dimension out of bounds: dimension ",
               dim, " for shapes ", shapes_of(a.in), ".");
  for (size_t i = 1; i < a.in.size(); ++i) {
    const Aval& x = a.in[i];
    for (int64_t d = 0; d < y.rank(); ++d) {
      if (d == dim || x.shape[d] == y.shape[d]) continue;
      throw_type(
          "[concatenate] Cannot concatenate arrays with shapes that differ in "
          "dimensions other than the one being concatenated: concatenating "
          "along dimension ",
          dim, " for shapes ", shapes_of(a.in), ".");
    }
    if (x.dtype != y.dtype) {
      std::vector<std::string_view> names;
      for (const Aval& v : a.in) names.push_back(dtype_name(v.dtype));
      std::string list;
      append_joined(list, names, ", ");
      throw_type(
          "[concatenate] lax.concatenate requires arguments to have the same "
          "dtypes, got ",
          list,
          ". (Tip: jnp.concatenate is a similar function that does automatic "
          "type promotion on inputs).");
    }
    y.weak_type &= x.weak_type;
    y.shape[dim] += x.shape[dim];
  }
  num_elements(y.shape);  // throws if too many
  return {y};
}

void concatenate_eval(const EvalArgs& a) {
  int64_t dim = dimension_of(a.params);
  auto& shape = a.out[0].shape;
  int64_t outer = num_elements(shape.first(size_t(dim)));
  char* to = a.out[0].as<char>();
  auto row_bytes = [&](const HostView& v) {
    return num_elements(v.shape.subspan(size_t(dim))) * itemsize(v.dtype);
  };
  for (int64_t o = 0; o < outer; ++o) {
    for (const HostView& x : a.in) {
      int64_t n = row_bytes(x);
      if (n > 0) std::memcpy(to, x.as<char>() + o * n, size_t(n));
      to += n;
    }
  }
}

Dual concatenate_jvp(const JvpArgs& a) {
  Values t;
  for (size_t i = 0; i < a.x.size(); ++i)
    t.push_back(a.t[i] ? a.t[i] : zeros_like(a.x[i]));
  return {{bind1(a.self, a.x, a.params)}, {bind1(a.self, t, a.params)}};
}

Values concatenate_transpose(const TransposeArgs& a) {
  int64_t dim = dimension_of(a.params);
  const Value& ct = a.ct[0];
  Values out;
  Dims start(ct.shape().size(), 0), limit = ct.shape();
  for (size_t i = 0; i < a.x.size(); ++i) {
    limit[dim] = start[dim] + a.avals[i].shape[dim];
    out.push_back(a.x[i] ? nullptr : lax::slice(ct, start, limit));
    start[dim] = limit[dim];
  }
  return out;
}

Batched concatenate_batch(const BatchArgs& a) {
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i)
    x.push_back(batch_to_front(a.x[i], a.dims[i], a.size));
  return batched_at(lax::concatenate(x, dimension_of(a.params) + 1), 0);
}

}  // namespace

constinit const Primitive concatenate_p = {
    .name = "concatenate",
    .flags = kLinear,
    .params = params_of<DimensionParams>,
    .type = concatenate_type,
    .eval = concatenate_eval,
    .jvp = concatenate_jvp,
    .transpose = concatenate_transpose,
    .batch = concatenate_batch,
    .concat = [](const LowerArgs& a) { return dimension_of(a.params); },
};
COTAN_REGISTER(concatenate_p);

}  // namespace ops

namespace lax {

Value concatenate(std::span<const Value> xs, int64_t dimension) {
  if (xs.size() == 1 && dimension >= 0 && dimension < xs[0].rank())
    return xs[0];
  return bind1(ops::concatenate_p, xs, DimensionParams{dimension});
}

}  // namespace lax
}  // namespace cotan
