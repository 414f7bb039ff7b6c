#include "jnp/index_plan.h"

#include <algorithm>

#include "base/error.h"
#include "ops/lax.h"

namespace cotan::jnp {

using Kind = IndexItem::Kind;

SliceBounds slice_bounds(const IndexItem& s, int64_t extent) {
  int64_t low = s.step < 0 ? -1 : 0;
  int64_t high = s.step < 0 ? extent - 1 : extent;
  auto place = [&](int64_t i) {
    if (i < 0) i += extent;
    return std::clamp(i, low, high);
  };
  int64_t first = s.step < 0 ? high : low, last = s.step < 0 ? low : high;
  return {s.has_start ? place(s.start) : first,
          s.has_stop ? place(s.stop) : last, s.step};
}

// ---- resolving

namespace {

IndexItem full_slice() { return {}; }

int64_t consumed(const IndexItem& i) {
  switch (i.kind) {
    case Kind::newaxis:
    case Kind::ellipsis:
    case Kind::scalar:
      return 0;
    case Kind::mask:
      return i.array.rank();
    default:
      return 1;
  }
}

int64_t check_consumed(int64_t rank, std::span<const IndexItem> index) {
  int64_t n = 0, ellipses = 0;
  for (const IndexItem& i : index) {
    n += consumed(i);
    ellipses += i.kind == Kind::ellipsis;
  }
  if (ellipses > 1)
    throw_index("an index can only have a single ellipsis ('...')");
  if (n > rank)
    throw_index("Too many indices: array is ", rank, "-dimensional, but ", n,
                " were indexed");
  return n;
}

bool is_advanced(Kind k) { return k == Kind::array || k == Kind::integer; }

void check_mask(const Value& mask, std::span<const int64_t> extents,
                size_t position) {
  const Shape& s = mask.shape();
  bool fits = true;
  for (size_t d = 0; d < s.size(); ++d) fits &= s[d] == 0 || s[d] == extents[d];
  if (!fits) {
    std::string expected = "[";
    append_joined(expected, extents, ", ");
    throw_index("boolean index did not match shape of indexed array in index ",
                position, ": got ", shape_string(s), ", expected ", expected,
                "]");
  }
}

// Masks become one integer array per axis.
Index expand_masks(const Shape& shape, std::span<const IndexItem> index,
                   int64_t total) {
  Index out;
  size_t axis = 0;
  for (size_t i = 0; i < index.size(); ++i) {
    const IndexItem& item = index[i];
    if (item.kind == Kind::ellipsis) axis += shape.size() - size_t(total);
    if (item.kind != Kind::mask) {
      axis += size_t(consumed(item));
      out.push_back(item);
      continue;
    }
    auto rank = size_t(item.array.rank());
    check_mask(item.array, std::span(shape).subspan(axis, rank), i);
    for (Value& v : nonzero(item.array)) {
      IndexItem a;
      a.kind = Kind::array;
      a.array = std::move(v);
      out.push_back(std::move(a));
    }
    axis += rank;
  }
  return out;
}

bool side_by_side(const Index& items) {
  size_t first = items.size(), last = 0, n = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!is_advanced(items[i].kind) && items[i].kind != Kind::scalar) continue;
    first = std::min(first, i);
    last = i;
    ++n;
  }
  return n == 0 || last - first + 1 == n;
}

Value int_range(int64_t n) {
  NewArray a = new_array(Aval{DType::i32, false, {n}});
  for (int64_t i = 0; i < n; ++i) static_cast<int32_t*>(a.data)[i] = int32_t(i);
  return a.value;
}

}  // namespace

ResolvedIndex resolve_index(const Shape& shape,
                            std::span<const IndexItem> index) {
  ResolvedIndex r;
  int64_t total = check_consumed(int64_t(shape.size()), index);
  Index items = expand_masks(shape, index, total);
  r.contiguous = side_by_side(items);
  r.shape = shape;
  int64_t missing = int64_t(shape.size()) - total;
  bool ellipsis = false;
  int64_t axis = 0;  // of r.shape
  auto add_full = [&] {
    for (int64_t i = 0; i < missing; ++i) r.items.push_back(full_slice());
    axis += missing;
  };
  for (IndexItem& item : items) {
    if (item.kind == Kind::ellipsis) {
      ellipsis = true;
      add_full();
      continue;
    }
    if (item.kind == Kind::scalar) {
      r.shape.insert(r.shape.begin() + axis, 1);
      r.scalar_axes.push_back(axis);
      item.kind = Kind::array;
      item.array = int_range(item.start);
    }
    if (item.kind != Kind::newaxis) ++axis;
    r.items.push_back(std::move(item));
  }
  if (!ellipsis) add_full();
  return r;
}

// ---- static

void check_integers(const Shape& shape, std::span<const IndexItem> index,
                    bool wrap_negative) {
  auto rank = int64_t(shape.size());
  int64_t axis = 0, total = check_consumed(rank, index);
  for (const IndexItem& i : index) {
    if (i.kind == Kind::ellipsis) axis += rank - total;
    if (i.kind == Kind::integer) {
      int64_t n = shape[size_t(axis)];
      int64_t at = i.start < 0 && wrap_negative ? i.start + n : i.start;
      if (at < 0 || at >= n)
        throw_index("index ", i.start, " out of bounds for axis ", axis,
                    " with size ", n);
    }
    axis += consumed(i);
  }
}

std::optional<StaticIndex> static_index(const Shape& shape,
                                        std::span<const IndexItem> index,
                                        bool wrap_negative) {
  for (const IndexItem& i : index)
    if (i.kind >= Kind::array) return std::nullopt;
  int64_t rank = int64_t(shape.size());
  int64_t missing = rank - check_consumed(rank, index);
  StaticIndex s;
  int64_t added_at = 0;  // axes of the result so far
  auto add_full = [&](int64_t n) {
    for (; n > 0; --n) {
      s.limit.push_back(shape[s.start.size()]);
      s.start.push_back(0);
      s.stride.push_back(1);
      ++added_at;
    }
  };
  for (const IndexItem& item : index) {
    auto axis = int64_t(s.start.size());
    if (item.kind == Kind::newaxis) {
      s.added.push_back(added_at++);
    } else if (item.kind == Kind::ellipsis) {
      add_full(missing);
      missing = 0;
    } else if (item.kind == Kind::integer) {
      int64_t n = shape[size_t(axis)];
      if (n == 0)
        throw_index("index is out of bounds for axis ", axis, " with size 0");
      int64_t i = item.start < 0 && wrap_negative ? item.start + n : item.start;
      int64_t inside = std::clamp<int64_t>(i, 0, n - 1);
      s.in_bounds &= inside == i;
      s.start.push_back(inside);
      s.limit.push_back(inside + 1);
      s.stride.push_back(1);
      s.squeezed.push_back(axis);
    } else {
      SliceBounds b = slice_bounds(item, shape[size_t(axis)]);
      int64_t count = b.count(), step = std::abs(b.step);
      int64_t start = b.step > 0 ? b.start : b.start + (count - 1) * b.step;
      if (count == 0) start = std::min(b.start, shape[size_t(axis)]);
      if (start < 0) start = 0;
      if (b.step < 0 && count > 0) s.reversed.push_back(axis);
      if (count <= 1) step = 1;
      s.start.push_back(start);
      s.limit.push_back(count == 0 ? start : start + (count - 1) * step + 1);
      s.stride.push_back(step);
      s.unit_stride &= step == 1;
      ++added_at;
    }
  }
  add_full(missing);
  return s;
}

// ---- windows

namespace {

// Constant index arrays as wrapped 64-bit integers on the host.
using HostIndex = std::vector<int64_t>;

bool is_constant(const Value& v) {
  return v->is_concrete() && (v.size() == 0 || v->host_data());
}

HostIndex read_integers(const Value& v, int64_t wrap_extent) {
  HostIndex out(static_cast<size_t>(v.size()));
  const void* data = out.empty() ? nullptr : v->host_data();
  if (is_narrow(v.dtype())) {
    for (size_t i = 0; i < out.size(); ++i) {
      auto* item = static_cast<const char*>(data) + i;
      int64_t n = Literal::from_bytes(v.dtype(), item).to_int();
      out[i] = n < 0 ? n + wrap_extent : n;
    }
    return out;
  }
  visit_dtype(v.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      for (size_t i = 0; i < out.size(); ++i) {
        T raw = static_cast<const T*>(data)[i];
        auto n = int64_t(raw);
        if (std::is_unsigned_v<T> && n < 0) n = INT64_MAX;
        out[i] = std::is_signed_v<T> && n < 0 ? n + wrap_extent : n;
      }
    }
  });
  return out;
}

// One entry of the index vectors: a constant or a traced array, whose axes
// are batch axes from `at` on.
struct Column {
  Value traced;  // null: constant
  HostIndex constant;
  Shape shape;
  int64_t at;
};

struct Builder {
  const ResolvedIndex& r;
  bool wrap_negative;
  WindowIndex w;
  DType index_dtype = DType::i32;
  std::vector<Column> columns;
  Shape batch;
  int64_t axis = 0;      // of x
  int64_t out_axis = 0;  // of the gather's output
  int64_t result_axis = 0;

  Column column_of(const IndexItem& item, int64_t extent) const {
    int64_t wrap = wrap_negative ? extent : 0;
    if (item.kind == Kind::integer) {
      int64_t i = item.start;
      return {{}, {i < 0 ? i + wrap : i}, {}, 0};
    }
    if (is_constant(item.array))
      return {{}, read_integers(item.array, wrap), item.array.shape(), 0};
    Value v = lax::convert(item.array, index_dtype);
    if (wrap_negative && is_signed_int(item.array.dtype()))
      v = wrap_indices(v, extent);
    return {v, {}, item.array.shape(), 0};
  }

  void add_column(Column c, int64_t x_axis) {
    c.at = int64_t(batch.size());
    columns.push_back(std::move(c));
    w.start_map.push_back(x_axis);
  }

  void add_advanced(std::span<const int64_t> positions,
                    std::span<const int64_t> axes) {
    std::vector<Shape> shapes;
    for (int64_t p : positions) {
      const IndexItem& item = r.items[size_t(p)];
      shapes.push_back(item.kind == Kind::array ? item.array.shape() : Shape{});
    }
    Shape shape = broadcast_shapes(shapes);
    for (size_t i = 0; i < positions.size(); ++i) {
      int64_t x_axis = axes[i];
      Column c =
          column_of(r.items[size_t(positions[i])], r.shape[size_t(x_axis)]);
      // Aligned to the right, as broadcasting does.
      auto lead = int64_t(shape.size() - c.shape.size());
      add_column(std::move(c), x_axis);
      columns.back().at += lead;
      w.collapsed.push_back(x_axis);
    }
    for (int64_t n : shape) {
      batch.push_back(n);
      w.result.push_back(n);
    }
    out_axis += int64_t(shape.size());
    result_axis += int64_t(shape.size());
  }

  void add_integer(const IndexItem& item) {
    if (r.shape[size_t(axis)] == 0)
      throw_index("index is out of bounds for axis ", axis, " with size 0");
    add_column(column_of(item, r.shape[size_t(axis)]), axis);
    w.collapsed.push_back(axis);
    w.window.push_back(1);
    ++axis;
  }

  void add_slice(const IndexItem& item) {
    int64_t extent = r.shape[size_t(axis)];
    SliceBounds b = slice_bounds(item, extent);
    int64_t n = b.count();
    if (b.step == 1 || n == 0) {  // a part of the window
      if (n != extent)
        add_column({{}, {std::min(b.start, extent - n)}, {}, 0}, axis);
      w.window.push_back(n);
      w.offset_dims.push_back(out_axis);
    } else {  // one index vector per element
      HostIndex at(static_cast<size_t>(n));
      bool down = b.step < 0;
      if (down) w.reversed.push_back(out_axis);
      for (int64_t i = 0; i < n; ++i)
        at[size_t(down ? n - 1 - i : i)] = b.start + i * b.step;
      add_column({{}, std::move(at), {n}, 0}, axis);
      batch.push_back(n);
      w.collapsed.push_back(axis);
      w.window.push_back(1);
    }
    w.result.push_back(n);
    ++axis;
    ++out_axis;
    ++result_axis;
  }

  // As a part of the window, or one index vector per element.
  void add_window(const IndexItem& item) {
    Value start = lax::convert(item.array, index_dtype);
    int64_t n = item.stop;
    if (item.step == 1) {
      add_column({start, {}, {}, 0}, axis);
      w.window.push_back(n);
      w.offset_dims.push_back(out_axis);
    } else {
      Value step = scalar_value(Literal::from_int(index_dtype, item.step));
      Value at = lax::mul(lax::iota(index_dtype, {n}, 0), step);
      add_column({lax::add(at, start), {}, {n}, 0}, axis);
      batch.push_back(n);
      w.collapsed.push_back(axis);
      w.window.push_back(1);
    }
    w.result.push_back(n);
    ++axis;
    ++out_axis;
    ++result_axis;
  }

  // All columns side by side: [batch..., columns].
  void build_indices() {
    Shape shape = batch;
    shape.push_back(int64_t(columns.size()));
    bool constant = true;
    for (const Column& c : columns) constant &= !c.traced;
    w.indices = constant ? constant_indices(shape) : traced_indices();
  }

  Value constant_indices(const Shape& shape) const {
    NewArray out = new_array(Aval{index_dtype, false, shape});
    int64_t n = num_elements(batch), k = int64_t(columns.size());
    for (int64_t c = 0; c < k; ++c) {
      const Column& col = columns[size_t(c)];
      Dims strides(batch.size(), 0), own = row_major_strides(col.shape);
      for (size_t d = 0; d < own.size(); ++d)
        strides[size_t(col.at) + d] = col.shape[d] == 1 ? 0 : own[d];
      Dims at(batch.size(), 0);
      int64_t from = 0;
      for (int64_t i = 0; i < n; ++i) {
        write(out.data, i * k + c, col.constant[size_t(from)]);
        for (size_t d = batch.size(); d-- > 0;) {
          from += strides[d];
          if (++at[d] < batch[d]) break;
          from -= strides[d] * batch[d];
          at[d] = 0;
        }
      }
    }
    return out.value;
  }

  void write(void* data, int64_t i, int64_t v) const {
    if (index_dtype == DType::i64)
      static_cast<int64_t*>(data)[i] = v;
    else
      static_cast<int32_t*>(data)[i] =
          int32_t(std::clamp<int64_t>(v, INT32_MIN, INT32_MAX));
  }

  Value host_array(const HostIndex& x, const Shape& shape) const {
    if (shape.empty())
      return scalar_value(Literal::from_int(index_dtype, x[0]));
    NewArray out = new_array(Aval{index_dtype, false, shape});
    for (size_t i = 0; i < x.size(); ++i) write(out.data, int64_t(i), x[i]);
    return out.value;
  }

  Value traced_indices() const {
    Shape one = batch;
    one.push_back(1);
    std::vector<Value> parts;
    for (const Column& c : columns) {
      Value v = c.traced ? c.traced : host_array(c.constant, c.shape);
      Axes dims;
      for (size_t d = 0; d < c.shape.size(); ++d)
        dims.push_back(c.at + int64_t(d));
      parts.push_back(broadcast_in_dim(v, one, std::move(dims)));
    }
    return parts.size() == 1 ? parts[0]
                             : lax::concatenate(parts, int64_t(batch.size()));
  }
};

}  // namespace

WindowIndex window_index(const ResolvedIndex& r, bool wrap_negative) {
  Builder b{.r = r,
            .wrap_negative = wrap_negative,
            .w = {},
            .columns = {},
            .batch = {}};
  for (int64_t n : r.shape)
    if (n > INT32_MAX) b.index_dtype = DType::i64;
  // With an index array, integers count as arrays of rank 0.
  Axes positions, axes;
  for (const IndexItem& i : r.items)
    b.w.advanced |= i.kind == Kind::array && i.array.rank() > 0;
  if (b.w.advanced) {
    int64_t axis = 0;
    for (size_t i = 0; i < r.items.size(); ++i) {
      if (r.items[i].kind == Kind::newaxis) continue;
      if (is_advanced(r.items[i].kind)) {
        positions.push_back(int64_t(i));
        axes.push_back(axis);
      }
      ++axis;
    }
  }
  for (size_t i = 0; i < r.items.size(); ++i) {
    const IndexItem& item = r.items[i];
    // The index arrays' axes stand where the first of them does, or in front
    // if something lies between them.
    if (!positions.empty() && int64_t(i) == (r.contiguous ? positions[0] : 0))
      b.add_advanced(positions, axes);
    if (b.w.advanced && is_advanced(item.kind)) {
      b.w.window.push_back(1);
      ++b.axis;
    } else if (item.kind == Kind::newaxis) {
      b.w.added.push_back(b.result_axis++);
      b.w.result.push_back(1);
    } else if (item.kind == Kind::slice) {
      b.add_slice(item);
    } else if (item.kind == Kind::window) {
      b.add_window(item);
    } else {
      b.add_integer(item);
    }
  }
  std::sort(b.w.collapsed.begin(), b.w.collapsed.end());
  b.build_indices();
  return std::move(b.w);
}

}  // namespace cotan::jnp
