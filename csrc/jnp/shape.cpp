#include "jnp/shape.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "ops/lax.h"

namespace cotan::jnp {

namespace {

bool contains(std::span<const int64_t> v, int64_t x) {
  return std::find(v.begin(), v.end(), x) != v.end();
}

std::string shapes_string(std::span<const Value> x) {
  std::string out;
  for (const Value& v : x) {
    if (!out.empty()) out += ", ";
    out += shape_string(v.shape());
  }
  return out;
}

Axes iota(int64_t n) {
  Axes r(static_cast<size_t>(n));
  std::iota(r.begin(), r.end(), 0);
  return r;
}

bool is_iota(const Axes& v) {
  for (size_t i = 0; i < v.size(); ++i)
    if (v[i] != int64_t(i)) return false;
  return true;
}

}  // namespace

int64_t canonical_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    throw_value("axis ", axis, " is out of bounds for array of dimension ",
                rank);
  return axis < 0 ? axis + rank : axis;
}

Axes canonical_axes(const OptionalAxes& axes, int64_t rank) {
  if (!axes) return iota(rank);
  Axes out;
  for (int64_t a : *axes) {
    int64_t c = canonical_axis(a, rank);
    if (contains(out, c))
      throw_value("duplicate value in 'axis': ", shape_string(*axes));
    out.push_back(c);
  }
  return out;
}

// ---- reshape

namespace {

void resolve_unknown_size(const Value& x, Dims& shape) {
  int64_t known = 1;
  int64_t* unknown = nullptr;
  for (int64_t& d : shape) {
    if (d != -1) {
      known *= d;
      continue;
    }
    if (unknown)
      throw_type(
          "can only specify one unknown axis size with a `-1` value, "
          "got ",
          shape_string(shape));
    unknown = &d;
  }
  if (!unknown) return;
  int64_t n = x.size();
  if (known == 0 ? n != 0 : n % known != 0)
    throw_type("cannot reshape array of shape ", shape_string(x.shape()),
               " (size ", n, ") into shape ", shape_string(shape),
               " because the product of specified axis sizes (", known,
               ") does not evenly divide ", n);
  *unknown = known == 0 ? 0 : n / known;
}

}  // namespace

Value reshape(const Value& x, Dims shape, bool fortran) {
  resolve_unknown_size(x, shape);
  if (!fortran || (x.rank() <= 1 && shape.size() <= 1))
    return x.shape() == shape ? x : lax::reshape(x, std::move(shape));
  Dims reversed(shape.rbegin(), shape.rend());
  return permute(lax::reshape(permute(x), std::move(reversed)));
}

Value ravel(const Value& x, bool fortran) {
  return reshape(x, Dims{x.size()}, fortran);
}

// ---- axes

Value permute(const Value& x, const OptionalAxes& axes) {
  int64_t rank = x.rank();
  Axes perm;
  if (axes) {
    for (int64_t a : *axes) perm.push_back(canonical_axis(a, rank));
  } else {
    perm = iota(rank);
    std::reverse(perm.begin(), perm.end());
  }
  if (int64_t(perm.size()) == rank && is_iota(perm)) return x;
  return lax::transpose(x, std::move(perm));
}

Value swap_axes(const Value& x, int64_t a, int64_t b) {
  Axes perm = iota(x.rank());
  std::swap(perm[size_t(canonical_axis(a, x.rank()))],
            perm[size_t(canonical_axis(b, x.rank()))]);
  return permute(x, perm);
}

Value move_axes(const Value& x, const Axes& from, const Axes& to) {
  Axes source = canonical_axes(from, x.rank());
  Axes target = canonical_axes(to, x.rank());
  if (source.size() != target.size())
    throw_value("Inconsistent number of elements: ", source.size(), " vs ",
                target.size());
  // Targets take their place, the other axes fill the gaps in order.
  Axes perm(static_cast<size_t>(x.rank()), -1);
  for (size_t i = 0; i < source.size(); ++i)
    perm[size_t(target[i])] = source[i];
  int64_t next = 0;
  for (int64_t& p : perm) {
    if (p >= 0) continue;
    while (contains(source, next)) ++next;
    p = next++;
  }
  return permute(x, perm);
}

Value squeeze(const Value& x, const OptionalAxes& axes) {
  Axes out;
  if (axes) {
    out = canonical_axes(axes, x.rank());
    std::sort(out.begin(), out.end());
  } else {
    for (int64_t d = 0; d < x.rank(); ++d)
      if (x.shape()[size_t(d)] == 1) out.push_back(d);
  }
  return out.empty() ? x : lax::squeeze(x, std::move(out));
}

Value expand_dims(const Value& x, const Axes& axes) {
  if (axes.empty()) return x;
  int64_t rank = x.rank() + int64_t(axes.size());
  Axes out;
  for (int64_t a : axes) {
    int64_t c = canonical_axis(a, rank);
    if (contains(out, c))
      throw_value("repeated axis in lax.expand_dims: ", shape_string(axes));
    out.push_back(c);
  }
  std::sort(out.begin(), out.end());
  return lax::expand_dims(x, std::move(out));
}

Value flip(const Value& x, const OptionalAxes& axes) {
  Axes out = canonical_axes(axes, x.rank());
  return out.empty() ? x : lax::rev(x, std::move(out));
}

// ---- data movement

Value slice_along(const Value& x, int64_t axis, int64_t start, int64_t stop) {
  const Shape& s = x.shape();
  if (start == 0 && stop == s[size_t(axis)]) return x;
  Dims from(s.size(), 0), to = s;
  from[size_t(axis)] = start;
  to[size_t(axis)] = stop;
  return lax::slice(x, std::move(from), std::move(to));
}

Value roll(const Value& x, Dims shifts, const OptionalAxes& axes) {
  if (!axes)
    return reshape(roll(ravel(x), std::move(shifts), Axes{0}), x.shape());
  if (shifts.size() == 1) shifts.resize(axes->size(), shifts[0]);
  if (shifts.size() != axes->size())
    throw_value("[roll] shift and axis must have one length, got ",
                shifts.size(), " and ", axes->size());
  Value y = x;
  for (size_t i = 0; i < shifts.size(); ++i) {
    int64_t axis = canonical_axis((*axes)[i], x.rank());
    int64_t n = x.shape()[size_t(axis)];
    if (n == 0) continue;
    int64_t k = ((shifts[i] % n) + n) % n;  // the last k go to the front
    if (k == 0) continue;
    Value parts[] = {slice_along(y, axis, n - k, n),
                     slice_along(y, axis, 0, n - k)};
    y = lax::concatenate(parts, axis);
  }
  return y;
}

Value tile(const Value& x, Dims repeats) {
  Shape shape = x.shape();
  while (shape.size() < repeats.size()) shape.insert(shape.begin(), 1);
  while (repeats.size() < shape.size()) repeats.insert(repeats.begin(), 1);
  // [n0, n1] -> [r0, n0, r1, n1] -> [r0 n0, r1 n1]
  Shape wide, flat;
  Axes dims;
  for (size_t d = 0; d < shape.size(); ++d) {
    wide.push_back(repeats[d]);
    dims.push_back(int64_t(wide.size()));
    wide.push_back(shape[d]);
    flat.push_back(repeats[d] * shape[d]);
  }
  if (flat == x.shape()) return x;
  Value y =
      broadcast_in_dim(reshape(x, shape), std::move(wide), std::move(dims));
  return reshape(y, std::move(flat));
}

namespace {

Values to_common_type(std::span<const Value> x) {
  TypeAndWeak t = result_type(x);
  Values out;
  for (const Value& v : x) out.push_back(lax::convert(v, t.dtype, t.weak));
  return out;
}

}  // namespace

Value concatenate(std::span<const Value> x, int64_t axis) {
  if (x.empty()) throw_value("Need at least one array to concatenate.");
  if (x[0].rank() == 0)
    throw_value("Zero-dimensional arrays cannot be concatenated.");
  axis = canonical_axis(axis, x[0].rank());
  for (const Value& v : x)
    if (v.rank() != x[0].rank())
      throw_type(
          "Cannot concatenate arrays with different numbers of "
          "dimensions: got ",
          shapes_string(x), ".");
  Values all = to_common_type(x);
  return all.size() == 1 ? all[0] : lax::concatenate(all, axis);
}

Value stack(std::span<const Value> x, int64_t axis) {
  if (x.empty()) throw_value("Need at least one array to stack.");
  for (const Value& v : x)
    if (v.shape() != x[0].shape())
      throw_value("All input arrays must have the same shape. Got ",
                  shapes_string(x), ".");
  axis = canonical_axis(axis, x[0].rank() + 1);
  Values all = to_common_type(x);
  for (Value& v : all) v = lax::expand_dims(v, {axis});
  return all.size() == 1 ? all[0] : lax::concatenate(all, axis);
}

Values broadcast_arrays(std::span<const Value> x) {
  std::vector<Shape> shapes;
  for (const Value& v : x) shapes.push_back(v.shape());
  Shape shape = broadcast_shapes(shapes);
  Values out;
  for (const Value& v : x) out.push_back(broadcast_to(v, shape));
  return out;
}

}  // namespace cotan::jnp
