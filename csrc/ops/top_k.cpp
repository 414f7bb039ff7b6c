// top_k: the k greatest elements along an axis in descending order, and where
// they are; of equal ones the first come first. NaN is the greatest.
#include "ir/kernel_attrs.h"
#include "ops/host_loop.h"
#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive top_k_p;

namespace {

Avals top_k_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == 1);
  auto& p = a.params.as<TopKParams>();
  const Aval& x = a.in[0];
  if (is_complex(x.dtype))
    throw_value("[top_k] top_k is not compatible with complex inputs.");
  if (!is_numeric(x.dtype) && x.dtype != DType::bool_)
    throw_type("[top_k] cannot order values of dtype ", dtype_name(x.dtype));
  if (p.axis < 0 || p.axis >= x.rank())
    throw_value("[top_k] axis ", p.axis,
                " is out of bounds for array of dimension ", x.rank());
  const int64_t n = x.shape[size_t(p.axis)];
  if (p.k < 0)
    throw_value("[top_k] k argument to top_k must be nonnegative, got ", p.k);
  if (p.k > n)
    throw_value(
        "[top_k] k argument to top_k must be no larger than size along "
        "axis; got k=",
        p.k, " with shape=", shape_string(x.shape), " and axis=", p.axis);
  if (n > INT32_MAX)
    throw_value(
        "[top_k] top_k returns int32 indices, which will overflow for "
        "array dimensions of 2^31 or more, got shape=",
        shape_string(x.shape));
  Aval values = x, indices{DType::i32, false, x.shape};
  values.shape[size_t(p.axis)] = indices.shape[size_t(p.axis)] = p.k;
  return {values, indices};
}

// Ascending and stable on the reversed order, read from the end.
Values top_k_by_sorting(const Params& params, std::span<const Value> x) {
  auto& p = params.as<TopKParams>();
  const Shape& shape = x[0].shape();
  const int64_t n = shape[size_t(p.axis)];
  Value pair[] = {
      lax::rev(x[0], {p.axis}),
      lax::rev(lax::iota(DType::i32, shape, p.axis), {p.axis}),
  };
  Values out;
  for (const Value& v : lax::sort(pair, p.axis, true, 1)) {
    Dims start(shape.size(), 0), limit(shape.begin(), shape.end());
    start[size_t(p.axis)] = n - p.k;
    out.push_back(lax::rev(lax::slice(v, start, limit), {p.axis}));
  }
  return out;
}

// To cut a long list of candidates again and again is slower than to sort.
Values top_k_shortcut(const Params& params, std::span<const Value> x) {
  auto& p = params.as<TopKParams>();
  if (p.k * 32 <= x[0].shape()[size_t(p.axis)]) return {};
  return top_k_by_sorting(params, x);
}

void top_k_eval(const EvalArgs& a) {
  auto& p = a.params.as<TopKParams>();
  auto shape = a.in[0].shape;
  auto dim = size_t(p.axis);
  int64_t n = shape[dim], outer = num_elements(shape.first(dim)),
          inner = num_elements(shape.subspan(dim + 1));
  visit_dtype(a.in[0].dtype, [&]<class T>() {
    if constexpr (!is_complex(dtype_of<T>::value)) {
      const T* x = a.in[0].as<T>();
      auto number = [](T v) {
        if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>)
          return to_float(v);
        else
          return v;
      };
      std::vector<int64_t> order((size_t(n)));
      for (int64_t line = 0; line < outer * inner; ++line) {
        const T* row = x + line / inner * n * inner + line % inner;
        for (int64_t i = 0; i < n; ++i) order[size_t(i)] = i;
        std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
          auto u = number(row[i * inner]), v = number(row[j * inner]);
          if (u != u || v != v) return u != u && v == v;
          return u > v;
        });
        for (int64_t j = 0; j < p.k; ++j) {
          int64_t to = (line / inner * p.k + j) * inner + line % inner;
          a.out[0].as<T>()[to] = row[order[size_t(j)] * inner];
          a.out[1].as<int32_t>()[to] = int32_t(order[size_t(j)]);
        }
      }
    }
  });
}

Dual top_k_jvp(const JvpArgs& a) {
  auto& p = a.params.as<TopKParams>();
  const int64_t rank = a.x[0].rank();
  Values y = bind_all(a.self, a.x, a.params);
  GatherParams g;
  g.collapsed_slice_dims = g.start_index_map = {p.axis};
  for (int64_t d = 0; d < rank; ++d)
    if (d != p.axis) g.operand_batching_dims.push_back(d);
  g.start_indices_batching_dims = g.operand_batching_dims;
  g.slice_sizes = Dims(size_t(rank), 1);
  g.mode = GatherMode::promise_in_bounds;
  g.unique_indices = true;
  Value t = lax::gather(a.t[0], lax::expand_dims(y[1], {rank}), g);
  return {std::move(y), {t, nullptr}};
}

Batched top_k_batch(const BatchArgs& a) {
  auto p = a.params.as<TopKParams>();
  p.axis += 1;
  Batched b;
  b.values = bind_all(a.self, {batch_to_front(a.x[0], a.dims[0], a.size)}, p);
  b.dims = {0, 0};
  return b;
}

KernelSpec top_k_kernel(const LowerArgs& a) {
  auto& p = a.params.as<TopKParams>();
  std::span<const int64_t> shape = a.in[0].shape;
  auto dim = size_t(p.axis);
  TopKAttrs k;
  k.dtype = a.in[0].dtype;
  k.outer = num_elements(shape.first(dim));
  k.n = shape[dim];
  k.inner = num_elements(shape.subspan(dim + 1));
  k.k = p.k;
  return {"top_k", encode_attrs(k)};
}

}  // namespace

constinit const Primitive top_k_p = {
    .name = "top_k",
    .params = params_of<TopKParams>,
    .type = top_k_type,
    .eval = top_k_eval,
    .jvp = top_k_jvp,
    .batch = top_k_batch,
    .kernel = top_k_kernel,
    .expand = top_k_by_sorting,
    .shortcut = top_k_shortcut,
};
COTAN_REGISTER(top_k_p);

}  // namespace ops

namespace lax {

Values top_k(const Value& x, int64_t k, int64_t axis) {
  return bind_all(ops::top_k_p, {x}, TopKParams{axis, k});
}

}  // namespace lax
}  // namespace cotan
