// sort: several operands of one shape, ordered along one dimension by the
// first num_keys of them, lexicographically. NaNs come last and are equal to
// each other, -0 equals 0, complex numbers go by real then imaginary part.
#include <numeric>

#include "ir/kernel_attrs.h"
#include "ops/hlo_rules.h"
#include "ops/host_loop.h"
#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive sort_p;

namespace {

Avals sort_type(const TypeArgs& a) {
  auto& p = a.params.as<SortParams>();
  if (a.in.empty()) throw_type("[sort] Sort requires at least one operand");
  const Aval& x = a.in[0];
  for (const Aval& v : a.in) {
    if (v.shape == x.shape) continue;
    std::vector<std::string> shapes;
    for (const Aval& s : a.in) shapes.push_back(shape_string(s.shape));
    std::string list;
    append_joined(list, shapes, " ");
    throw_type("[sort] Arguments to sort must have equal shapes, got: ", list);
  }
  if (p.dimension < 0 || p.dimension >= x.rank())
    throw_value("[sort] axis ", p.dimension,
                " is out of bounds for array of dimension ", x.rank());
  if (p.num_keys < 1 || p.num_keys > int64_t(a.in.size()))
    throw_value("[sort] num_keys=", p.num_keys, " must be between 1 and ",
                a.in.size(), ", the number of operands");
  Avals out;
  for (size_t i = 0; i < a.in.size(); ++i) {
    DType t = a.in[i].dtype;
    if (int64_t(i) < p.num_keys && !is_numeric(t) && t != DType::bool_)
      throw_type("[sort] cannot order values of dtype ", dtype_name(t));
    out.push_back(a.in[i]);
  }
  return out;
}

// -1, 0, 1
template <class T>
int compare_keys(T a, T b) {
  if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>) {
    return compare_keys(to_float(a), to_float(b));
  } else if constexpr (std::is_arithmetic_v<T>) {
    if (host_is_nan(a) || host_is_nan(b))
      return int(host_is_nan(a)) - int(host_is_nan(b));
    return a < b ? -1 : int(b < a);
  } else {
    int c = compare_keys(a.real(), b.real());
    return c ? c : compare_keys(a.imag(), b.imag());
  }
}
int compare_at(const HostView& v, int64_t i, int64_t j) {
  return visit_dtype(v.dtype, [&]<class T>() {
    return compare_keys(v.as<T>()[i], v.as<T>()[j]);
  });
}

void sort_eval(const EvalArgs& a) {
  auto& p = a.params.as<SortParams>();
  auto shape = a.in[0].shape;
  auto dim = size_t(p.dimension);
  int64_t n = shape[dim], outer = num_elements(shape.first(dim)),
          inner = num_elements(shape.subspan(dim + 1));
  std::vector<int64_t> order((size_t(n)));
  for (int64_t lane = 0; lane < outer * inner; ++lane) {
    int64_t base = lane / inner * n * inner + lane % inner;
    std::iota(order.begin(), order.end(), 0);
    auto less = [&](int64_t i, int64_t j) {
      for (int64_t k = 0; k < p.num_keys; ++k)
        if (int c =
                compare_at(a.in[size_t(k)], base + i * inner, base + j * inner))
          return c < 0;
      return false;
    };
    std::stable_sort(order.begin(), order.end(), less);
    for (size_t k = 0; k < a.in.size(); ++k) {
      int64_t size = itemsize(a.in[k].dtype);
      for (int64_t i = 0; i < n; ++i)
        std::memcpy(
            a.out[k].as<char>() + (base + i * inner) * size,
            a.in[k].as<char>() + (base + order[size_t(i)] * inner) * size,
            size_t(size));
    }
  }
}

// Where the elements came from tells where their tangents go.
Dual sort_jvp(const JvpArgs& a) {
  auto& p = a.params.as<SortParams>();
  const Shape& shape = a.x[0].shape();
  int64_t rank = a.x[0].rank();
  DType t =
      shape[size_t(p.dimension)] < (int64_t{1} << 32) ? DType::u32 : DType::u64;
  Values operands(a.x.begin(), a.x.end());
  operands.push_back(lax::iota(t, shape, p.dimension));
  Values sorted = bind_all(a.self, operands, a.params);
  Value indices = lax::expand_dims(sorted.back(), {rank});
  sorted.pop_back();

  GatherParams g;
  g.collapsed_slice_dims = g.start_index_map = {p.dimension};
  for (int64_t d = 0; d < rank; ++d)
    if (d != p.dimension) g.operand_batching_dims.push_back(d);
  g.start_indices_batching_dims = g.operand_batching_dims;
  g.slice_sizes = Dims(size_t(rank), 1);
  g.mode = GatherMode::promise_in_bounds;
  g.unique_indices = true;  // a permutation
  Values tangents;
  for (const Value& v : a.t)
    tangents.push_back(v ? lax::gather(v, indices, g) : nullptr);
  return {std::move(sorted), std::move(tangents)};
}

Batched sort_batch(const BatchArgs& a) {
  auto p = a.params.as<SortParams>();
  p.dimension += 1;
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i)
    x.push_back(batch_to_front(a.x[i], a.dims[i], a.size));
  Batched b;
  b.values = bind_all(a.self, x, p);
  b.dims.assign(b.values.size(), 0);
  return b;
}

KernelSpec sort_kernel(const LowerArgs& a) {
  auto& p = a.params.as<SortParams>();
  std::span<const int64_t> shape = a.in[0].shape;
  auto dim = size_t(p.dimension);
  SortAttrs k;
  k.outer = num_elements(shape.first(dim));
  k.n = shape[dim];
  k.inner = num_elements(shape.subspan(dim + 1));
  k.num_keys = p.num_keys;
  for (const Aval& x : a.in) k.dtypes.push_back(int64_t(x.dtype));
  return {"sort", encode_attrs(k)};
}

}  // namespace

constinit const Primitive sort_p = {
    .name = "sort",
    .flags = kInPlace,
    .params = params_of<SortParams>,
    .type = sort_type,
    .eval = sort_eval,
    .jvp = sort_jvp,
    .batch = sort_batch,
    .kernel = sort_kernel,
    .hlo = hlo::sort,
};
COTAN_REGISTER(sort_p);

}  // namespace ops

namespace lax {

Values sort(std::span<const Value> operands, int64_t dimension, bool is_stable,
            int64_t num_keys) {
  return bind_all(ops::sort_p, operands,
                  SortParams{dimension, is_stable, num_keys});
}

}  // namespace lax
}  // namespace cotan
