// Reductions over axes. Sums of half types accumulate in f32.
#include <algorithm>
#include <numeric>

#include "ops/rules.h"

namespace cotan {

using namespace ops;

extern const Primitive reduce_sum_p, reduce_prod_p, reduce_max_p, reduce_min_p,
    reduce_and_p, reduce_or_p, reduce_xor_p, argmax_p, argmin_p;

namespace {

bool contains(std::span<const int64_t> v, int64_t x) {
  return std::find(v.begin(), v.end(), x) != v.end();
}

Shape kept_shape(const Shape& shape, const Axes& axes) {
  Shape kept;
  for (size_t d = 0; d < shape.size(); ++d)
    if (!contains(axes, int64_t(d))) kept.push_back(shape[d]);
  return kept;
}

template <DTypeTest Test>
Avals reduce_type(const TypeArgs& a) {
  const auto& axes = a.params.as<ReduceParams>().axes;
  const Aval& x = a.in[0];
  check_axes(a.self.name, axes, x.rank(), x);
  if (!Test(x.dtype))
    throw_type(a.self.name, " does not accept dtype ", dtype_name(x.dtype),
               ".");
  return {Aval{x.dtype, x.weak_type, kept_shape(x.shape, axes)}};
}

template <Monoid M>
Reduction reduce_spec(const LowerArgs& a) {
  Axes axes = a.params.as<ReduceParams>().axes;
  std::sort(axes.begin(), axes.end());
  return {M, std::move(axes)};
}

template <Monoid M>
std::vector<std::string> reduce_print(const Params& params) {
  std::vector<std::string> items{
      cat("axes=", tuple_string(params.as<ReduceParams>().axes))};
  if (M == Monoid::sum) items.push_back("out_sharding=None");
  return items;
}

// Axes of an operand whose batch axis is at `dim`.
Axes around_batch(const Axes& axes, int64_t dim) {
  Axes r;
  for (int64_t a : axes) r.push_back(a < dim ? a : a + 1);
  return r;
}
// Where the batch axis is after axes were removed.
int64_t batch_after(const Axes& axes, int64_t dim) {
  return dim - std::count_if(axes.begin(), axes.end(),
                             [dim](int64_t a) { return a < dim; });
}

Batched reduce_batch(const BatchArgs& a) {
  Axes axes = around_batch(a.params.as<ReduceParams>().axes, a.dims[0]);
  int64_t dim = batch_after(axes, a.dims[0]);
  return batched_at(bind1(a.self, {a.x[0]}, ReduceParams{axes}), dim);
}

// A reduced value, broadcast along the axes that were reduced.
Value spread(const Value& y, const Shape& shape, const Axes& axes) {
  Axes dims;
  for (int64_t d = 0; d < int64_t(shape.size()); ++d)
    if (!contains(axes, d)) dims.push_back(d);
  return broadcast_in_dim(y, shape, std::move(dims));
}

Values sum_transpose(const TransposeArgs& a) {
  return one(
      spread(a.ct[0], a.avals[0].shape, a.params.as<ReduceParams>().axes));
}

// The tangent is the mean of those at all places that attain the extremum.
Dual extremum_jvp(const JvpArgs& a) {
  const Axes& axes = a.params.as<ReduceParams>().axes;
  Value y = bind1(a.self, a.x, a.params);
  Value at = lax::eq(a.x[0], spread(y, a.x[0].shape(), axes));
  Value weight = lax::convert(at, y.dtype(), true);
  Value count = lax::reduce_sum(weight, axes);
  Value total = lax::reduce_sum(lax::mul(a.t[0], weight), axes);
  return {{y}, {lax::div(total, count)}};
}

// d prod = sum_i t_i prod_{j != i} x_j; products of the others come from
// prefix and suffix products, so zeros are harmless.
Dual prod_jvp(const JvpArgs& a) {
  Axes axes = a.params.as<ReduceParams>().axes;
  std::sort(axes.begin(), axes.end());
  Value y = bind1(a.self, a.x, a.params);
  if (axes.empty()) return {{y}, {a.t[0]}};
  // Flatten the reduced axes into one trailing axis.
  Axes perm;
  int64_t n = 1;
  for (int64_t d = 0; d < a.x[0].rank(); ++d)
    if (!contains(axes, d)) perm.push_back(d);
  for (int64_t d : axes) {
    perm.push_back(d);
    n *= a.x[0].shape()[size_t(d)];
  }
  Shape flat = y.shape();
  flat.push_back(n);
  Value x = lax::reshape(lax::transpose(a.x[0], perm), flat);
  Value t = lax::reshape(lax::transpose(a.t[0], perm), flat);
  int64_t last = y.rank();
  auto shifted_product = [&](bool reverse) {
    // Exclusive cumulative product along the last axis.
    std::vector<PadDim> config(flat.size(), PadDim{0, 0, 0});
    config.back() = reverse ? PadDim{-1, 1, 0} : PadDim{1, -1, 0};
    Value moved = lax::pad(x, lax::constant_like(x, 1), config);
    return lax::cumulative(moved, CumulativeKind::prod, last, reverse);
  };
  Value others =
      n == 0 ? x : lax::mul(shifted_product(false), shifted_product(true));
  return {{y}, {lax::reduce_sum(lax::mul(t, others), {last})}};
}

template <Monoid M>
Avals arg_type(const TypeArgs& a) {
  const auto& p = a.params.as<ArgReduceParams>();
  const Aval& x = a.in[0];
  check_axes(a.self.name, p.axes, x.rank(), x);
  if (p.axes.size() != 1)
    throw_type(a.self.name, " reduces exactly one axis, got ",
               tuple_string(p.axes));
  if (x.shape[size_t(p.axes[0])] == 0)
    throw_value("attempt to get ", a.self.name, " of an empty sequence: ",
                "argmin and argmax require non-empty reduced dimension.");
  if (!ordered(x.dtype) || is_complex(x.dtype))
    throw_type(a.self.name, " does not accept dtype ", dtype_name(x.dtype),
               ".");
  if (!is_int(p.index_dtype))
    throw_type(a.self.name, " index_dtype must be an integer type, but got ",
               dtype_name(p.index_dtype), ".");
  return {Aval{p.index_dtype, false, kept_shape(x.shape, p.axes)}};
}
template <Monoid M>
Reduction arg_spec(const LowerArgs& a) {
  return {M, a.params.as<ArgReduceParams>().axes};
}
Batched arg_batch(const BatchArgs& a) {
  auto p = a.params.as<ArgReduceParams>();
  p.axes = around_batch(p.axes, a.dims[0]);
  int64_t dim = batch_after(p.axes, a.dims[0]);
  return batched_at(bind1(a.self, {a.x[0]}, p), dim);
}

constexpr bool is_bool_or_int(DType t) { return int_or_bool(t); }

}  // namespace

#define COTAN_REDUCE(NAME, MONOID, TEST, FLAGS, JVP, TRANSPOSE) \
  constinit const Primitive NAME##_p = {                        \
      .name = #NAME,                                            \
      .flags = FLAGS,                                           \
      .params = params_of<ReduceParams>,                        \
      .type = reduce_type<TEST>,                                \
      .eval = reduction_eval,                                   \
      .jvp = JVP,                                               \
      .transpose = TRANSPOSE,                                   \
      .batch = reduce_batch,                                    \
      .reduction = reduce_spec<Monoid::MONOID>,                 \
      .print = reduce_print<Monoid::MONOID>,                    \
  };                                                            \
  COTAN_REGISTER(NAME##_p)

COTAN_REDUCE(reduce_sum, sum, arithmetic, kLinear, linear_jvp, sum_transpose);
COTAN_REDUCE(reduce_prod, prod, arithmetic, kNone, prod_jvp, nullptr);
COTAN_REDUCE(reduce_max, max, ordered, kNone, extremum_jvp, nullptr);
COTAN_REDUCE(reduce_min, min, ordered, kNone, extremum_jvp, nullptr);
COTAN_REDUCE(reduce_and, and_, is_bool_or_int, kNotDifferentiable, nullptr,
             nullptr);
COTAN_REDUCE(reduce_or, or_, is_bool_or_int, kNotDifferentiable, nullptr,
             nullptr);
COTAN_REDUCE(reduce_xor, xor_, is_bool_or_int, kNotDifferentiable, nullptr,
             nullptr);
#undef COTAN_REDUCE

#define COTAN_ARG(NAME)                     \
  constinit const Primitive NAME##_p = {    \
      .name = #NAME,                        \
      .flags = kNotDifferentiable,          \
      .params = params_of<ArgReduceParams>, \
      .type = arg_type<Monoid::NAME>,       \
      .eval = reduction_eval,               \
      .batch = arg_batch,                   \
      .reduction = arg_spec<Monoid::NAME>,  \
  };                                        \
  COTAN_REGISTER(NAME##_p)
COTAN_ARG(argmax);
COTAN_ARG(argmin);
#undef COTAN_ARG

Value lax::reduce(const Value& x, Monoid monoid, Axes axes) {
  const Primitive* p = nullptr;
  switch (monoid) {
    case Monoid::sum:
      p = &reduce_sum_p;
      break;
    case Monoid::prod:
      p = &reduce_prod_p;
      break;
    case Monoid::max:
      p = &reduce_max_p;
      break;
    case Monoid::min:
      p = &reduce_min_p;
      break;
    case Monoid::and_:
      p = &reduce_and_p;
      break;
    case Monoid::or_:
      p = &reduce_or_p;
      break;
    case Monoid::xor_:
      p = &reduce_xor_p;
      break;
    default:
      COTAN_CHECK(false && "use argreduce");
  }
  return bind1(*p, {x}, ReduceParams{std::move(axes)});
}

Value lax::argreduce(const Value& x, Monoid monoid, int64_t axis, DType index) {
  return bind1(monoid == Monoid::argmax ? argmax_p : argmin_p, {x},
               ArgReduceParams{{axis}, index});
}

}  // namespace cotan
