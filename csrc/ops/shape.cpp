// Views: primitives that only move elements, with static indices.
#include <algorithm>
#include <numeric>

#include "ops/hlo_rules.h"
#include "ops/rules.h"

namespace cotan {

using namespace ops;

extern const Primitive iota_p, broadcast_in_dim_p, reshape_p, squeeze_p,
    transpose_p, rev_p, slice_p;

namespace {

bool contains(std::span<const int64_t> v, int64_t x) {
  return std::find(v.begin(), v.end(), x) != v.end();
}

Axes range(int64_t n, int64_t from = 0) {
  Axes r(static_cast<size_t>(n));
  std::iota(r.begin(), r.end(), from);
  return r;
}

void check_shape(const char* op, std::span<const int64_t> shape) {
  for (int64_t d : shape)
    if (d < 0)
      throw_type("[", op, "] shapes must have non-negative dimensions, got ",
                 shape_string(shape));
  num_elements(shape);
}

// Axes of the operand, with the batch axis in front.
Axes shifted(const Axes& axes) {
  Axes r;
  for (int64_t a : axes) r.push_back(a + 1);
  return r;
}

// ---- broadcast_in_dim

Avals broadcast_type(const TypeArgs& a) {
  const auto& p = a.params.as<BroadcastParams>();
  const Aval& x = a.in[0];
  check_shape("broadcast_in_dim", p.shape);
  auto refuse = [&](const char* rule) {
    throw_type("broadcast_in_dim ", rule, "; got operand ", x, ", shape ",
               shape_string(p.shape), " and broadcast_dimensions ",
               tuple_string(p.dims), ".");
  };
  if (p.dims.size() != x.shape.size())
    refuse("broadcast_dimensions must have length equal to operand ndim");
  if (p.dims.size() > p.shape.size())
    refuse(
        "target broadcast shape must have equal or higher rank to the operand "
        "shape");
  for (int64_t d : p.dims)
    if (d < 0 || d >= int64_t(p.shape.size()))
      refuse("broadcast_dimensions must be a subset of output dimensions");
  for (size_t i = 0; i < p.dims.size(); ++i) {
    int64_t n = p.shape[size_t(p.dims[i])];
    if (x.shape[i] != 1 && x.shape[i] != n)
      refuse(
          "operand dimension sizes must either be 1, or be equal to their "
          "corresponding dimensions in the target broadcast shape");
    if (i == 0 || p.dims[i] > p.dims[i - 1]) continue;
    if (std::count(p.dims.begin(), p.dims.end(), p.dims[i]) > 1)
      refuse("broadcast_dimensions must not contain duplicates");
    refuse("broadcast_dimensions must be ascending");
  }
  return {Aval{x.dtype, x.weak_type, p.shape}};
}

Values broadcast_transpose(const TransposeArgs& a) {
  const auto& p = a.params.as<BroadcastParams>();
  const Shape& from = a.avals[0].shape;
  Axes summed;
  for (int64_t d = 0; d < int64_t(p.shape.size()); ++d) {
    auto at = std::find(p.dims.begin(), p.dims.end(), d);
    bool stretched = at != p.dims.end() && p.shape[size_t(d)] != 1 &&
                     from[size_t(at - p.dims.begin())] == 1;
    if (at == p.dims.end() || stretched) summed.push_back(d);
  }
  Value ct = summed.empty() ? a.ct[0] : lax::reduce_sum(a.ct[0], summed);
  return one(ct.shape() == from ? ct : lax::reshape(ct, from));
}

Batched broadcast_batch(const BatchArgs& a) {
  auto p = a.params.as<BroadcastParams>();
  p.shape.insert(p.shape.begin(), a.size);
  p.dims = shifted(p.dims);
  p.dims.insert(p.dims.begin(), 0);
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  return batched_at(bind1(a.self, {x}, p), 0);
}

View broadcast_view(const ViewArgs& a) {
  const auto& p = a.params.as<BroadcastParams>();
  View v;
  for (size_t i = 0; i < p.dims.size(); ++i) {
    bool stretched = a.in[0].shape[i] == 1;
    v.dims.push_back({.out_dim = stretched ? -1 : p.dims[i]});
  }
  return v;
}

// ---- reshape, squeeze

Avals reshape_type(const TypeArgs& a) {
  const auto& p = a.params.as<ReshapeParams>();
  check_shape("reshape", p.shape);
  if (num_elements(p.shape) != a.in[0].size())
    throw_type("cannot reshape array of shape ", shape_string(a.in[0].shape),
               " (size ", a.in[0].size(), ") into shape ",
               shape_string(p.shape), " (size ", num_elements(p.shape), ")");
  return {Aval{a.in[0].dtype, a.in[0].weak_type, p.shape}};
}
Values reshape_transpose(const TransposeArgs& a) {
  return one(lax::reshape(a.ct[0], a.avals[0].shape));
}
Batched reshape_batch(const BatchArgs& a) {
  auto p = a.params.as<ReshapeParams>();
  p.shape.insert(p.shape.begin(), a.size);
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  return batched_at(bind1(a.self, {x}, p), 0);
}
View reshape_view(const ViewArgs&) {
  return {.dims = {}, .reshape = true, .guarded = false};
}

Avals squeeze_type(const TypeArgs& a) {
  const auto& axes = a.params.as<AxesParams>().axes;
  check_axes("squeeze", axes, a.in[0].rank(), a.in[0]);
  Aval out{a.in[0].dtype, a.in[0].weak_type, {}};
  for (int64_t d = 0; d < a.in[0].rank(); ++d) {
    if (!contains(axes, d)) {
      out.shape.push_back(a.in[0].shape[size_t(d)]);
    } else if (a.in[0].shape[size_t(d)] != 1) {
      throw_value(
          "cannot select an axis to squeeze out which has size not "
          "equal to one, got shape=",
          shape_string(a.in[0].shape), " and dimensions=", tuple_string(axes));
    }
  }
  return {out};
}
Batched squeeze_batch(const BatchArgs& a) {
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  Axes axes = shifted(a.params.as<AxesParams>().axes);
  return batched_at(bind1(a.self, {x}, AxesParams{axes}), 0);
}

// ---- transpose

Avals transpose_type(const TypeArgs& a) {
  const auto& perm = a.params.as<TransposeParams>().perm;
  const Aval& x = a.in[0];
  Axes sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  if (sorted != range(x.rank()))
    throw_type(
        "transpose permutation isn't a permutation of operand "
        "dimensions, got permutation ",
        tuple_string(perm), " for operand shape ", shape_string(x.shape), ".");
  Aval out{x.dtype, x.weak_type, {}};
  for (int64_t d : perm) out.shape.push_back(x.shape[size_t(d)]);
  return {out};
}
Axes inverse(const Axes& perm) {
  Axes inv(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) inv[size_t(perm[i])] = int64_t(i);
  return inv;
}
Values transpose_transpose(const TransposeArgs& a) {
  return one(
      lax::transpose(a.ct[0], inverse(a.params.as<TransposeParams>().perm)));
}
Batched transpose_batch(const BatchArgs& a) {
  // The batch axis may stay anywhere: keep it in front of the result.
  Axes perm{a.dims[0]};
  for (int64_t d : a.params.as<TransposeParams>().perm)
    perm.push_back(d < a.dims[0] ? d : d + 1);
  return batched_at(bind1(a.self, {a.x[0]}, TransposeParams{perm}), 0);
}
View transpose_view(const ViewArgs& a) {
  View v;
  for (int64_t d : inverse(a.params.as<TransposeParams>().perm))
    v.dims.push_back({.out_dim = d});
  return v;
}

// ---- rev

Avals rev_type(const TypeArgs& a) {
  const Axes& axes = a.params.as<AxesParams>().axes;
  for (int64_t axis : axes)
    if (axis >= a.in[0].rank())  // JAX's class for this one
      throw_type(
          "rev dimensions must all be less than operand ndim, got "
          "dimensions ",
          tuple_string(axes), " for operand ndim ", a.in[0].rank(), ".");
  check_axes("rev", axes, a.in[0].rank(), a.in[0]);
  return {a.in[0]};
}
Values rev_transpose(const TransposeArgs& a) {
  return one(bind1(a.self, {a.ct[0]}, a.params));
}
Batched rev_batch(const BatchArgs& a) {
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  Axes axes = shifted(a.params.as<AxesParams>().axes);
  return batched_at(bind1(a.self, {x}, AxesParams{axes}), 0);
}
View rev_view(const ViewArgs& a) {
  const auto& axes = a.params.as<AxesParams>().axes;
  View v;
  for (int64_t d = 0; d < a.in[0].rank(); ++d) {
    if (contains(axes, d))
      v.dims.push_back(
          {.out_dim = d, .step = -1, .offset = a.in[0].shape[size_t(d)] - 1});
    else
      v.dims.push_back({.out_dim = d});
  }
  return v;
}

// ---- slice

Avals slice_type(const TypeArgs& a) {
  const auto& p = a.params.as<SliceParams>();
  const Aval& x = a.in[0];
  size_t n = x.shape.size();
  if (p.start.size() != n || p.limit.size() != n || p.strides.size() != n)
    throw_type("[slice] needs one start, limit and stride per dimension of ", x,
               ", got ", tuple_string(p.start), ", ", tuple_string(p.limit),
               ", ", tuple_string(p.strides));
  Aval out{x.dtype, x.weak_type, {}};
  for (size_t d = 0; d < n; ++d) {
    if (p.start[d] < 0 || p.limit[d] > x.shape[d] || p.start[d] > p.limit[d] ||
        p.strides[d] < 1)
      throw_type("[slice] start ", tuple_string(p.start), ", limit ",
                 tuple_string(p.limit), " and strides ",
                 tuple_string(p.strides), " do not fit ", x);
    out.shape.push_back((p.limit[d] - p.start[d] + p.strides[d] - 1) /
                        p.strides[d]);
  }
  return {out};
}
Values slice_transpose(const TransposeArgs& a) {
  const auto& p = a.params.as<SliceParams>();
  const Shape& from = a.avals[0].shape;
  std::vector<PadDim> config;
  for (size_t d = 0; d < from.size(); ++d) {
    int64_t n = a.ct[0].shape()[d];
    int64_t covered = n == 0 ? 0 : (n - 1) * p.strides[d] + 1;
    config.push_back(
        {p.start[d], from[d] - p.start[d] - covered, p.strides[d] - 1});
  }
  return one(lax::pad(a.ct[0], lax::constant_like(a.ct[0], 0), config));
}
Batched slice_batch(const BatchArgs& a) {
  auto p = a.params.as<SliceParams>();
  p.start.insert(p.start.begin(), 0);
  p.limit.insert(p.limit.begin(), a.size);
  p.strides.insert(p.strides.begin(), 1);
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  return batched_at(bind1(a.self, {x}, p), 0);
}
View slice_view(const ViewArgs& a) {
  const auto& p = a.params.as<SliceParams>();
  View v;
  for (size_t d = 0; d < p.start.size(); ++d)
    v.dims.push_back(
        {.out_dim = int64_t(d), .step = p.strides[d], .offset = p.start[d]});
  return v;
}

}  // namespace

namespace {

std::vector<std::string> broadcast_in_dim_print(const Params& params) {
  const Axes& dims = params.as<BroadcastParams>().dims;
  if (dims.empty()) return {};
  return {cat("broadcast_dimensions=", tuple_string(dims))};
}
std::vector<std::string> reshape_print(const Params& params) {
  return {"dimensions=None",
          cat("new_sizes=", tuple_string(params.as<ReshapeParams>().shape)),
          "sharding=None"};
}
std::vector<std::string> slice_print(const Params& params) {
  const auto& p = params.as<SliceParams>();
  bool unit = std::all_of(p.strides.begin(), p.strides.end(),
                          [](int64_t s) { return s == 1; });
  return {cat("limit_indices=", tuple_string(p.limit)),
          cat("start_indices=", tuple_string(p.start)),
          cat("strides=", unit ? "None" : tuple_string(p.strides))};
}
constexpr std::vector<std::string> (*squeeze_print)(const Params&) = nullptr;
constexpr std::vector<std::string> (*transpose_print)(const Params&) = nullptr;
constexpr std::vector<std::string> (*rev_print)(const Params&) = nullptr;

}  // namespace

#define COTAN_VIEW(NAME, PARAMS)         \
  constinit const Primitive NAME##_p = { \
      .name = #NAME,                     \
      .flags = kLinear,                  \
      .params = params_of<PARAMS>,       \
      .type = NAME##_type,               \
      .eval = view_eval,                 \
      .jvp = linear_jvp,                 \
      .transpose = NAME##_transpose,     \
      .batch = NAME##_batch,             \
      .view = NAME##_view,               \
      .hlo = hlo::NAME,                  \
      .print = NAME##_print,             \
      .cost = 0,                         \
  };                                     \
  COTAN_REGISTER(NAME##_p)

namespace {
constexpr auto squeeze_transpose = reshape_transpose;
constexpr auto squeeze_view = reshape_view;
constexpr auto broadcast_in_dim_type = broadcast_type;
constexpr auto broadcast_in_dim_transpose = broadcast_transpose;
constexpr auto broadcast_in_dim_batch = broadcast_batch;
constexpr auto broadcast_in_dim_view = broadcast_view;
}  // namespace

COTAN_VIEW(broadcast_in_dim, BroadcastParams);
COTAN_VIEW(reshape, ReshapeParams);
COTAN_VIEW(squeeze, AxesParams);
COTAN_VIEW(transpose, TransposeParams);
COTAN_VIEW(rev, AxesParams);
COTAN_VIEW(slice, SliceParams);
#undef COTAN_VIEW

constinit const Primitive iota_p = {
    .name = "iota",
    .flags = kNotDifferentiable,
    .params = params_of<IotaParams>,
    .type = [](const TypeArgs& a) -> Avals {
      const auto& p = a.params.as<IotaParams>();
      check_shape("iota", p.shape);
      if (p.dimension < 0 || p.dimension >= int64_t(p.shape.size()))
        throw_value("iota dimension must be between 0 and rank, got ",
                    p.dimension, " for shape ", shape_string(p.shape));
      if (!is_numeric(p.dtype))
        throw_type("iota does not accept dtype ", dtype_name(p.dtype), ".");
      return {Aval{p.dtype, false, p.shape}};
    },
    .eval = generate_eval,
    .batch = [](const BatchArgs&) -> Batched {
      throw_error(ErrorKind::internal, "iota has no operands to batch");
    },
    .generate = [](ScalarEmitter& e, Scalars index,
                   const LowerArgs& a) -> ScalarOuts {
      const auto& p = a.params.as<IotaParams>();
      Scalar i = index[size_t(p.dimension)];
      // Through the widest type of the target's kind, rounded once.
      return e.convert(is_half(p.dtype) ? e.convert(i, DType::f32) : i,
                       p.dtype);
    },
    .hlo = hlo::iota,
};
COTAN_REGISTER(iota_p);

// ---- the functions

Value lax::iota(DType t, Shape shape, int64_t dimension) {
  return bind1(iota_p, std::span<const Value>{},
               IotaParams{t, std::move(shape), dimension});
}

Value lax::full(Shape shape, const Literal& fill) {
  Value x = scalar_value(fill);
  if (shape.empty()) return x;
  return broadcast_in_dim(x, std::move(shape), {});
}

Value zeros_of(const Aval& aval) {
  return lax::full(aval.shape,
                   Literal::from_double(aval.dtype, 0, aval.weak_type));
}

Value broadcast_in_dim(const Value& x, Shape shape, Axes dims) {
  bool same = x.shape() == shape && int64_t(dims.size()) == x.rank();
  for (size_t i = 0; same && i < dims.size(); ++i) same = dims[i] == int64_t(i);
  if (same) return x;
  bool fits = int64_t(dims.size()) == x.rank();
  for (size_t i = 0; fits && i < dims.size(); ++i)
    fits = dims[i] >= 0 && dims[i] < int64_t(shape.size()) &&
           (x.shape()[i] == 1 || x.shape()[i] == shape[size_t(dims[i])]);
  if (fits && !std::is_sorted(dims.begin(), dims.end())) {
    // The primitive keeps the order of dimensions.
    Axes perm = range(x.rank());
    std::stable_sort(perm.begin(), perm.end(), [&](int64_t i, int64_t j) {
      return dims[size_t(i)] < dims[size_t(j)];
    });
    std::sort(dims.begin(), dims.end());
    return broadcast_in_dim(lax::transpose(x, perm), std::move(shape),
                            std::move(dims));
  }
  return bind1(broadcast_in_dim_p, {x},
               BroadcastParams{std::move(shape), std::move(dims)});
}

Value lax::reshape(const Value& x, Shape shape) {
  if (x.shape() == shape) return x;
  return bind1(reshape_p, {x}, ReshapeParams{std::move(shape)});
}

Value lax::squeeze(const Value& x, Axes axes) {
  if (axes.empty()) return x;
  std::sort(axes.begin(), axes.end());
  return bind1(squeeze_p, {x}, AxesParams{std::move(axes)});
}

Value lax::expand_dims(const Value& x, Axes axes) {
  if (axes.empty()) return x;
  std::sort(axes.begin(), axes.end());
  int64_t rank = x.rank() + int64_t(axes.size());
  Aval out{x.dtype(), x.weak_type(), Shape(size_t(rank), 1)};
  check_axes("expand_dims", axes, rank, out);
  Axes dims;
  size_t k = 0;
  for (int64_t d = 0; d < rank; ++d) {
    if (contains(axes, d)) continue;
    dims.push_back(d);
    out.shape[size_t(d)] = x.shape()[k++];
  }
  return bind1(broadcast_in_dim_p, {x}, BroadcastParams{out.shape, dims});
}

Value lax::transpose(const Value& x, Axes perm) {
  if (perm == range(x.rank())) return x;
  return bind1(transpose_p, {x}, TransposeParams{std::move(perm)});
}

Value move_axis(const Value& x, int64_t from, int64_t to) {
  if (from == to) return x;
  Axes perm = range(x.rank());
  perm.erase(perm.begin() + from);
  perm.insert(perm.begin() + to, from);
  return lax::transpose(x, std::move(perm));
}

Value lax::rev(const Value& x, Axes axes) {
  if (axes.empty()) return x;
  return bind1(rev_p, {x}, AxesParams{std::move(axes)});
}

Value lax::slice(const Value& x, Dims start, Dims limit, Dims strides) {
  if (strides.empty()) strides.assign(start.size(), 1);
  return bind1(
      slice_p, {x},
      SliceParams{std::move(start), std::move(limit), std::move(strides)});
}

}  // namespace cotan
