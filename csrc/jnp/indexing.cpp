#include "jnp/indexing.h"

#include <algorithm>

#include "base/config.h"
#include "base/error.h"
#include "jnp/index_plan.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"
#include "ops/rules.h"

namespace cotan::jnp {

using lax::constant_like;
using Kind = IndexItem::Kind;

namespace {

// A concrete integer of rank 0 is a static index.
Index with_constants(std::span<const IndexItem> index) {
  Index out(index);
  for (IndexItem& i : out) {
    if (i.kind != Kind::array || i.array.rank() != 0) continue;
    if (!i.array->is_concrete() || !i.array->host_data()) continue;
    Literal lit = Literal::from_bytes(i.array.dtype(), i.array->host_data());
    i.kind = Kind::integer;
    i.start = lit.to_int();
    if (is_unsigned_int(lit.dtype) && i.start < 0) i.start = INT64_MAX;
    i.array = nullptr;
  }
  return out;
}

bool has_scalar_array(std::span<const IndexItem> index) {
  for (const IndexItem& i : index)
    if (i.kind == Kind::array && i.array.rank() == 0) return true;
  return false;
}

bool is_empty(const Shape& s) {
  return std::find(s.begin(), s.end(), 0) != s.end();
}

Value finish(Value y, Axes reversed, Axes squeezed, Axes added) {
  if (!reversed.empty()) y = lax::rev(y, std::move(reversed));
  if (!squeezed.empty()) y = lax::squeeze(y, std::move(squeezed));
  if (!added.empty()) y = lax::expand_dims(y, std::move(added));
  return y;
}

Value read_box(const Value& x, StaticIndex s) {
  bool everything = s.unit_stride;
  for (size_t d = 0; everything && d < s.start.size(); ++d)
    everything = s.start[d] == 0 && s.limit[d] == x.shape()[d];
  Value y = x;
  if (!everything)
    y = lax::slice(x, std::move(s.start), std::move(s.limit),
                   s.unit_stride ? Dims{} : std::move(s.stride));
  return finish(std::move(y), std::move(s.reversed), std::move(s.squeezed),
                std::move(s.added));
}

// Run-time scalars and unit-step slices: dynamic_slice, which clamps.
std::optional<Value> read_dynamic(const Value& x,
                                  std::span<const IndexItem> index) {
  for (const IndexItem& i : index)
    if ((i.kind > Kind::array && i.kind != Kind::window) ||
        (i.kind == Kind::array && i.array.rank() > 0) ||
        (i.kind == Kind::slice && std::abs(i.step) != 1) ||
        (i.kind == Kind::window && i.step != 1))
      return std::nullopt;
  Index fixed(index);
  for (IndexItem& i : fixed) {
    if (i.kind == Kind::array) {
      i.kind = Kind::integer;
      i.start = 0;
    } else if (i.kind == Kind::window) {
      i.kind = Kind::slice;
      i.has_stop = true;
    }
  }
  StaticIndex s = *static_index(x.shape(), fixed, true);
  // Run-time scalars, by axis.
  std::vector<const Value*> run_time(s.start.size(), nullptr);
  size_t axis = 0, left = s.start.size();  // that items from here on index
  for (const IndexItem& i : index)
    left -= i.kind != Kind::newaxis && i.kind != Kind::ellipsis;
  for (const IndexItem& i : index) {
    if (i.kind == Kind::newaxis) continue;
    if (i.kind == Kind::ellipsis) {
      axis += left;
      continue;
    }
    if (i.array) run_time[axis] = &i.array;
    if (i.kind == Kind::window && i.stop > x.shape()[axis])
      throw_type("a window of ", i.stop, " elements does not fit into axis ",
                 axis, " with size ", x.shape()[axis]);
    ++axis;
  }
  std::vector<Value> starts;
  Dims sizes;
  for (size_t d = 0; d < s.start.size(); ++d) {
    sizes.push_back(s.limit[d] - s.start[d]);
    if (!run_time[d]) {
      starts.push_back(scalar_value(Literal::from_int(DType::i32, s.start[d])));
    } else {
      Value i = *run_time[d];
      starts.push_back(s.start.size() > 1 ? lax::convert(i, DType::i32) : i);
    }
  }
  Values wrapped = lax::wrap_starts(x.shape(), starts);
  Value y = lax::dynamic_slice(x, wrapped, std::move(sizes));
  return finish(std::move(y), std::move(s.reversed), std::move(s.squeezed),
                std::move(s.added));
}

Value constant(const Shape& shape, DType t) {
  return lax::full(shape, Literal::from_int(t, 0));
}

Value read_windows(const Value& x, std::span<const IndexItem> index,
                   const IndexOptions& o) {
  ResolvedIndex r = resolve_index(x.shape(), index);
  WindowIndex w = window_index(r, o.wrap_negative);
  Value y = r.scalar_axes.empty() ? x : lax::expand_dims(x, r.scalar_axes);
  if (is_empty(w.result)) return constant(w.result, x.dtype());
  if (w.indices.size() > 0) {
    GatherParams p;
    p.offset_dims = w.offset_dims;
    p.collapsed_slice_dims = w.collapsed;
    p.start_index_map = w.start_map;
    p.slice_sizes = w.window;
    p.mode = o.mode.value_or(GatherMode::promise_in_bounds);
    p.indices_are_sorted = o.indices_are_sorted || !w.advanced;
    p.unique_indices = o.unique_indices || !w.advanced;
    if (o.fill) {
      Value f = lax::convert(o.fill, x.dtype());
      if (!f->is_concrete() || f.rank() != 0)
        throw_value("fill_value argument to indexed get() must be a scalar");
      p.fill_value = Literal::from_bytes(x.dtype(), f->host_data());
    }
    y = lax::gather(y, w.indices, std::move(p));
  }
  return finish(std::move(y), std::move(w.reversed), {}, std::move(w.added));
}

}  // namespace

Value getitem(const Value& x, std::span<const IndexItem> index,
              const IndexOptions& o) {
  if (config().check_static_indices &&
      o.mode.value_or(GatherMode::promise_in_bounds) ==
          GatherMode::promise_in_bounds)
    check_integers(x.shape(), index, o.wrap_negative);
  Index constants;
  if (has_scalar_array(index)) {
    constants = with_constants(index);
    index = constants;
  }
  bool fills = o.mode == GatherMode::fill_or_drop;
  if (auto s = static_index(x.shape(), index, o.wrap_negative))
    if (!fills || s->in_bounds) return read_box(x, std::move(*s));
  if (!fills && o.wrap_negative)
    if (auto y = read_dynamic(x, index)) return *std::move(y);
  return read_windows(x, index, o);
}

// ---- writing

namespace {

Value combine(ScatterKind kind, const Value& a, const Value& b) {
  switch (kind) {
    case ScatterKind::set:
      return b;
    case ScatterKind::add:
      return add(a, b);
    case ScatterKind::sub:
      return subtract(a, b);
    case ScatterKind::mul:
      return multiply(a, b);
    case ScatterKind::min:
      return minimum(a, b);
    case ScatterKind::max:
      return maximum(a, b);
  }
  __builtin_unreachable();
}

Value broadcast_update(const Value& y, const Shape& shape) {
  if (y.rank() > int64_t(shape.size()))
    throw_value("Cannot broadcast to shape with fewer dimensions: arr_shape=",
                shape_string(y.shape()), " shape=", shape_string(shape));
  return broadcast_to(y, shape);
}

// y, shaped like x[index], as a box of x.
Value as_box(const Value& y, const StaticIndex& s, const Dims& sizes) {
  Shape shape;
  int64_t axis = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    for (; std::binary_search(s.added.begin(), s.added.end(), axis); ++axis)
      shape.push_back(1);
    if (std::binary_search(s.squeezed.begin(), s.squeezed.end(), int64_t(d)))
      continue;
    shape.push_back(sizes[d]);
    ++axis;
  }
  for (; std::binary_search(s.added.begin(), s.added.end(), axis); ++axis)
    shape.push_back(1);
  Value v = broadcast_update(y, shape);
  v = v.shape() == sizes ? v : lax::reshape(v, sizes);
  return s.reversed.empty() ? v : lax::rev(v, s.reversed);
}

// A static box inside x: no scatter, an update in place.
Value update_box(ScatterKind kind, const Value& x, const StaticIndex& s,
                 const Value& y) {
  Dims sizes;
  for (size_t d = 0; d < s.start.size(); ++d)
    sizes.push_back(s.limit[d] - s.start[d]);
  Value box = as_box(y, s, sizes);
  if (is_empty(sizes)) return x;
  bool everything = sizes == x.shape();
  Value old = x;
  if (kind != ScatterKind::set && !everything)
    old = lax::slice(x, s.start, s.limit);
  Value fresh = lax::convert(combine(kind, old, box), x.dtype(), x.weak_type());
  if (everything) return fresh;
  std::vector<Value> starts;
  for (int64_t i : s.start)
    starts.push_back(scalar_value(Literal::from_int(DType::i32, i, true)));
  return lax::dynamic_update_slice(x, fresh, starts);
}

Value update_windows(ScatterKind kind, const Value& x,
                     std::span<const IndexItem> index, const Value& y,
                     const IndexOptions& o) {
  ResolvedIndex r = resolve_index(x.shape(), index);
  WindowIndex w = window_index(r, o.wrap_negative);
  if (is_empty(w.result)) return x;
  Value both[] = {x, y};
  // Setting needs no common dtype: what is written is converted.
  TypeAndWeak t = kind == ScatterKind::set ? type_of(x) : result_type(both);
  Value base = lax::convert(x, t.dtype, t.weak);
  Value v = broadcast_update(lax::convert(y, t.dtype, t.weak), w.result);
  if (!w.added.empty()) v = lax::squeeze(v, w.added);
  if (!w.reversed.empty()) v = lax::rev(v, w.reversed);
  if (!r.scalar_axes.empty()) base = lax::expand_dims(base, r.scalar_axes);
  ScatterParams p;
  p.update_window_dims = w.offset_dims;
  p.inserted_window_dims = w.collapsed;
  p.scatter_dims_to_operand_dims = w.start_map;
  p.mode = o.mode.value_or(GatherMode::fill_or_drop);
  p.indices_are_sorted = o.indices_are_sorted || !w.advanced;
  p.unique_indices = o.unique_indices || !w.advanced;
  Value out = lax::scatter(kind, base, w.indices, v, std::move(p));
  if (!r.scalar_axes.empty()) out = lax::squeeze(out, r.scalar_axes);
  return lax::convert(out, x.dtype(), x.weak_type());
}

}  // namespace

Value update_at(ScatterKind kind, const Value& x,
                std::span<const IndexItem> index, const Value& y,
                const IndexOptions& o) {
  Index constants;
  if (has_scalar_array(index)) {
    constants = with_constants(index);
    index = constants;
  }
  auto s = static_index(x.shape(), index, o.wrap_negative);
  if (s && s->unit_stride && (s->in_bounds || o.mode == GatherMode::clip))
    return update_box(kind, x, *s, y);
  return update_windows(kind, x, index, y, o);
}

// ---- functions of integer arrays

Value wrap_indices(const Value& given, int64_t extent) {
  Value indices = ops::wide_indices(given);
  if (!is_signed_int(indices.dtype())) return indices;
  Value zero = constant_like(indices, 0);
  Value n = scalar_value(
      Literal::from_int(indices.dtype(), extent, indices.weak_type()));
  Value negative = lax::lt(indices, zero);
  return lax::select(negative, lax::add(indices, n), indices);
}

Value take(const Value& x, const Value& indices, int64_t axis,
           const IndexOptions& o) {
  GatherParams p;
  for (int64_t d = 0; d < x.rank(); ++d) {
    if (d < axis) p.offset_dims.push_back(d);
    if (d > axis) p.offset_dims.push_back(d + indices.rank() - 1);
  }
  p.collapsed_slice_dims = p.start_index_map = {axis};
  p.slice_sizes = x.shape();
  p.slice_sizes[size_t(axis)] = 1;
  p.mode = o.mode.value_or(GatherMode::fill_or_drop);
  p.indices_are_sorted = o.indices_are_sorted;
  p.unique_indices = o.unique_indices;
  if (o.fill)
    p.fill_value = Literal::from_bytes(
        x.dtype(), lax::convert(o.fill, x.dtype())->host_data());
  return lax::gather(x, lax::expand_dims(indices, {indices.rank()}),
                     std::move(p));
}

Value take_along_axis(const Value& x, const Value& indices, int64_t axis,
                      const IndexOptions& o) {
  // Axes where the indices do not vary are windows; the others are batches.
  GatherParams p;
  Shape batch;  // of the index vectors
  Axes squeezed;
  Shape from = x.shape();
  int64_t kept = 0;  // axes of x after the squeeze
  for (int64_t d = 0; d < x.rank(); ++d) {
    int64_t n = x.shape()[size_t(d)], m = indices.shape()[size_t(d)];
    if (d == axis) {
      p.slice_sizes.push_back(1);
      p.start_index_map = p.collapsed_slice_dims = {kept++};
      batch.push_back(m);
    } else if (m == 1) {
      p.offset_dims.push_back(d);
      p.slice_sizes.push_back(n);
      ++kept;
    } else if (n == 1) {
      squeezed.push_back(d);
      batch.push_back(m);
    } else {
      if (n != m)
        throw_value(
            "take_along_axis got incompatible shapes for broadcasting: ",
            shape_string(x.shape()), ", ", shape_string(indices.shape()), ".");
      p.slice_sizes.push_back(n == 0 ? 0 : 1);
      p.operand_batching_dims.push_back(kept++);
      p.start_indices_batching_dims.push_back(int64_t(batch.size()));
      batch.push_back(m);
    }
  }
  batch.push_back(1);
  Value y = squeezed.empty() ? x : lax::squeeze(x, std::move(squeezed));
  p.mode = o.mode.value_or(GatherMode::fill_or_drop);
  if (o.fill)
    p.fill_value = Literal::from_bytes(
        x.dtype(), lax::convert(o.fill, x.dtype())->host_data());
  return lax::gather(y, lax::reshape(indices, std::move(batch)), std::move(p));
}

Values nonzero(const Value& mask) {
  const Shape& shape = mask.shape();
  int64_t n = mask.size();
  const auto* data =
      static_cast<const unsigned char*>(n > 0 ? mask->host_data() : nullptr);
  COTAN_CHECK(mask.dtype() == DType::bool_);
  int64_t found = 0;
  for (int64_t i = 0; i < n; ++i) found += data[i];
  DType t = n > INT32_MAX ? DType::i64 : default_int();
  Values out;
  std::vector<void*> to(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    NewArray a = new_array(Aval{t, false, {found}});
    to[d] = a.data;
    out.push_back(std::move(a.value));
  }
  Dims strides = row_major_strides(shape);
  for (int64_t i = 0, k = 0; i < n; ++i) {
    if (!data[i]) continue;
    for (size_t d = 0; d < shape.size(); ++d) {
      int64_t at = i / strides[d] % shape[d];
      if (t == DType::i64)
        static_cast<int64_t*>(to[d])[k] = at;
      else
        static_cast<int32_t*>(to[d])[k] = int32_t(at);
    }
    ++k;
  }
  return out;
}

}  // namespace cotan::jnp
