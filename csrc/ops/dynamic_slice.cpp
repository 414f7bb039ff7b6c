// dynamic_slice and dynamic_update_slice: a window whose corner is known at
// run time. Starts are scalar operands, one per dimension; a window that does
// not fit is moved to where it does.
#include "ops/hlo_rules.h"
#include "ops/windows.h"

namespace cotan {
namespace ops {

extern const Primitive dynamic_slice_p, dynamic_update_slice_p;

namespace {

// starts: operands from `first` on.
void check_starts(const TypeArgs& a, size_t first) {
  const char* op = a.self.name;
  const Aval& x = a.in[0];
  auto starts = a.in.subspan(first);
  if (int64_t(starts.size()) != x.rank())
    throw_type("[", op, "] ", op,
               " start_indices must have length equal to the rank of operand, "
               "got ",
               starts.size(), " indices for operand shape ",
               shape_string(x.shape), ".");
  bool valid = true;
  std::vector<std::string_view> names;
  for (const Aval& s : starts) {
    if (s.rank() != 0)
      throw_type("[", op, "] start_indices arguments to ", op,
                 " must be scalars, got ", s);
    valid &= is_int(s.dtype) && s.dtype == starts[0].dtype;
    names.push_back(dtype_name(s.dtype));
  }
  if (valid) return;
  std::string list;
  append_joined(list, names, ", ");
  throw_type("[", op, "] index arguments to ", op,
             " must be integers of the same type, got ", list);
}

// Calls f(element of the array, element of the window).
template <class F>
void for_each_in_window(std::span<const int64_t> shape,
                        std::span<const int64_t> window,
                        std::span<const HostView> starts, F f) {
  Dims strides = row_major_strides(shape);
  int64_t base = 0, k = 0;
  for (size_t d = 0; d < shape.size(); ++d)
    base += strides[d] *
            clamp_start(read_integer(starts[d], 0), shape[d], window[d]);
  for_each_index(window,
                 [&](const Dims& i) { f(base + dot(i, strides), k++); });
}

// ViewDims whose run-time starts are the operands from `first` on.
View window_view(const Shape& shape, const Shape& window, int32_t first) {
  View v;
  for (size_t d = 0; d < shape.size(); ++d) {
    ViewDim dim;
    dim.out_dim = int64_t(d);
    dim.start = first + int32_t(d);
    dim.max_start = shape[d] - window[d];
    v.dims.push_back(dim);
  }
  return v;
}

bool any_batched(std::span<const int64_t> dims) {
  return std::any_of(dims.begin(), dims.end(),
                     [](int64_t d) { return d != kNotBatched; });
}

// A start of 0 for the batch dimension, then the given ones.
Values with_zero_start(std::span<const Value> starts) {
  DType t = starts.empty() ? DType::i32 : starts[0].dtype();
  Values out = {scalar_value(t, 0)};
  for (const Value& s : starts) out.push_back(s);
  return out;
}

// The starts as index vectors: [size, number of starts].
Value stack_starts(std::span<const Value> starts, std::span<const int64_t> dims,
                   int64_t size) {
  Values columns;
  for (size_t i = 0; i < starts.size(); ++i) {
    Axes kept;
    if (dims[i] != kNotBatched) kept.push_back(0);
    columns.push_back(lax::broadcast_in_dim(starts[i], {size, 1}, kept));
  }
  return lax::concatenate(columns, 1);
}

Axes all_dims(size_t n) {
  Axes axes;
  for (size_t d = 0; d < n; ++d) axes.push_back(int64_t(d));
  return axes;
}

// ---- dynamic_slice
Avals slice_type(const TypeArgs& a) {
  const Aval& x = a.in[0];
  auto& sizes = a.params.as<DynamicSliceParams>().sizes;
  bool fits = int64_t(sizes.size()) == x.rank();
  for (size_t d = 0; fits && d < sizes.size(); ++d)
    fits = sizes[d] <= x.shape[d];
  if (!fits)
    throw_type(
        "[dynamic_slice] slice slice_sizes must be less than or equal to "
        "operand shape, got slice_sizes ",
        tuple_string(sizes), " for operand shape ", shape_string(x.shape), ".");
  for (int64_t s : sizes)
    if (s < 0)
      throw_type(
          "[dynamic_slice] slice slice_sizes must be greater than or equal to "
          "zero, got slice_sizes of ",
          tuple_string(sizes), ".");
  check_starts(a, 1);
  Aval y = x;
  y.shape = sizes;
  return {y};
}

void slice_eval(const EvalArgs& a) {
  auto size = size_t(itemsize(a.in[0].dtype));
  const char* x = a.in[0].as<char>();
  char* y = a.out[0].as<char>();
  for_each_in_window(a.in[0].shape, a.out[0].shape, a.in.subspan(1),
                     [&](int64_t from, int64_t to) {
                       std::memcpy(y + to * int64_t(size),
                                   x + from * int64_t(size), size);
                     });
}

Values slice_transpose(const TransposeArgs& a) {
  Values out(a.x.size());
  out[0] =
      lax::dynamic_update_slice(zeros_of(a.avals[0]), a.ct[0], a.x.subspan(1));
  return out;
}

Batched slice_batch(const BatchArgs& a) {
  auto starts = a.x.subspan(1);
  auto sizes = a.params.as<DynamicSliceParams>().sizes;
  if (!any_batched(a.dims.subspan(1))) {
    Value x = batch_to_front(a.x[0], a.dims[0], a.size);
    sizes.insert(sizes.begin(), a.size);
    return batched_at(lax::dynamic_slice(x, with_zero_start(starts), sizes), 0);
  }
  GatherParams p;
  p.offset_dims = p.start_index_map = all_dims(starts.size());
  p.slice_sizes = sizes;
  p.mode = GatherMode::clip;
  p.unique_indices = p.indices_are_sorted = true;
  Value indices = stack_starts(starts, a.dims.subspan(1), a.size);
  return batch_gather(a.x[0], a.dims[0], indices, 0, a.size, p);
}

// ---- dynamic_update_slice
Avals update_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() >= 2);
  const Aval &x = a.in[0], &u = a.in[1];
  if (x.rank() != u.rank())
    throw_type(
        "[dynamic_update_slice] dynamic_update_slice update must have the same "
        "rank as operand, got update shape ",
        shape_string(u.shape), " for operand shape ", shape_string(x.shape),
        ".");
  for (size_t d = 0; d < x.shape.size(); ++d)
    if (u.shape[d] > x.shape[d])
      throw_type(
          "[dynamic_update_slice] dynamic_update_slice update shape must be "
          "smaller than operand shape, got update shape ",
          shape_string(u.shape), " for operand shape ", shape_string(x.shape),
          ".");
  if (x.dtype != u.dtype)
    throw_type(
        "[dynamic_update_slice] lax.dynamic_update_slice requires arguments to "
        "have the same dtypes, got ",
        dtype_name(x.dtype), ", ", dtype_name(u.dtype), ".");
  check_starts(a, 2);
  Aval y = x;
  for (const Aval& other : a.in) y.weak_type &= other.weak_type;  // starts too
  return {y};
}

void update_eval(const EvalArgs& a) {
  const HostView &x = a.in[0], &u = a.in[1], &y = a.out[0];
  auto size = size_t(itemsize(x.dtype));
  if (int64_t n = num_elements(x.shape); n > 0)
    std::memcpy(y.data, x.data, size_t(n) * size);
  for_each_in_window(x.shape, u.shape, a.in.subspan(2),
                     [&](int64_t to, int64_t from) {
                       std::memcpy(y.as<char>() + to * int64_t(size),
                                   u.as<char>() + from * int64_t(size), size);
                     });
}

Dual update_jvp(const JvpArgs& a) {
  Values t(a.x.begin(), a.x.end());
  for (size_t i = 0; i < 2; ++i) t[i] = a.t[i] ? a.t[i] : zeros_like(a.x[i]);
  return {{bind1(a.self, a.x, a.params)}, {bind1(a.self, t, a.params)}};
}

Values update_transpose(const TransposeArgs& a) {
  Values out(a.x.size());
  auto starts = a.x.subspan(2);
  if (!a.x[0])
    out[0] = lax::dynamic_update_slice(a.ct[0], zeros_of(a.avals[1]), starts);
  if (!a.x[1]) out[1] = lax::dynamic_slice(a.ct[0], starts, a.avals[1].shape);
  return out;
}

Batched update_batch(const BatchArgs& a) {
  auto starts = a.x.subspan(2);
  if (!any_batched(a.dims.subspan(2))) {
    Value x = batch_to_front(a.x[0], a.dims[0], a.size);
    Value u = batch_to_front(a.x[1], a.dims[1], a.size);
    return batched_at(lax::dynamic_update_slice(x, u, with_zero_start(starts)),
                      0);
  }
  ScatterParams p;
  p.update_window_dims = p.scatter_dims_to_operand_dims =
      all_dims(starts.size());
  p.mode = GatherMode::clip;
  p.unique_indices = p.indices_are_sorted = true;
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  Value u = batch_to_front(a.x[1], a.dims[1], a.size);
  Value indices = stack_starts(starts, a.dims.subspan(2), a.size);
  return batched_at(lax::scatter(ScatterKind::set, x, indices, u,
                                 with_batched_all(std::move(p))),
                    0);
}

}  // namespace

constinit const Primitive dynamic_slice_p = {
    .name = "dynamic_slice",
    .params = params_of<DynamicSliceParams>,
    .type = slice_type,
    .eval = slice_eval,
    .jvp = first_operand_jvp,
    .transpose = slice_transpose,
    .batch = slice_batch,
    .view =
        [](const ViewArgs& a) {
          return window_view(a.in[0].shape, a.out.shape, 1);
        },
    .hlo = hlo::dynamic_slice,
};
constinit const Primitive dynamic_update_slice_p = {
    .name = "dynamic_update_slice",
    .type = update_type,
    .eval = update_eval,
    .jvp = update_jvp,
    .transpose = update_transpose,
    .batch = update_batch,
    .update =
        [](const ViewArgs& a) {
          return window_view(a.in[0].shape, a.in[1].shape, 2);
        },
    .hlo = hlo::dynamic_update_slice,
};
COTAN_REGISTER(dynamic_slice_p);
COTAN_REGISTER(dynamic_update_slice_p);

}  // namespace ops

namespace lax {

Value dynamic_slice(const Value& x, std::span<const Value> starts, Dims sizes) {
  Values operands = {x};
  for (const Value& s : starts) operands.push_back(ops::wide_indices(s));
  return bind1(ops::dynamic_slice_p, operands,
               DynamicSliceParams{std::move(sizes)});
}

Value dynamic_update_slice(const Value& x, const Value& update,
                           std::span<const Value> starts) {
  Values operands = {x, update};
  for (const Value& s : starts) operands.push_back(ops::wide_indices(s));
  return bind1(ops::dynamic_update_slice_p, operands);
}

Values wrap_starts(std::span<const int64_t> shape,
                   std::span<const Value> starts) {
  if (starts.size() != shape.size())
    throw_value(
        "[dynamic_slice] Length of slice indices must match number of operand "
        "dimensions (",
        starts.size(), " vs ", shape_string(shape), ")");
  Values out;
  for (size_t i = 0; i < starts.size(); ++i) {
    Value s = ops::wide_indices(starts[i]);
    if (!is_signed_int(s.dtype())) {
      out.push_back(s);
    } else if (s->kind == ValueKind::scalar) {
      Literal lit = s.as<ScalarObj>().literal;
      int64_t v = lit.to_int();
      if (v < 0) v += shape[i];
      out.push_back(scalar_value(Literal::from_int(lit.dtype, v)));
    } else {
      Value zero = constant_like(s, 0);
      Value extent =
          scalar_value(Literal::from_int(s.dtype(), shape[i], s.weak_type()));
      Value negative = lt(s, zero);
      out.push_back(select(negative, add(s, extent), s));
    }
  }
  return out;
}

}  // namespace lax
}  // namespace cotan
