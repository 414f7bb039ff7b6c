#include "passes/access.h"

#include <algorithm>

namespace cotan {

void add_scaled(Affine& to, const Affine& f, int64_t scale) {
  if (to.stride.size() < f.stride.size()) to.stride.resize(f.stride.size(), 0);
  for (size_t a = 0; a < f.stride.size(); ++a)
    to.stride[a] += scale * f.stride[a];
  to.offset += scale * f.offset;
}

Affine axis_index(int32_t axis) {
  Affine f;
  f.stride.resize(size_t(axis) + 1, 0);
  f.stride[size_t(axis)] = 1;
  return f;
}

bool same(const Affine& a, const Affine& b) {
  size_t n = std::max(a.stride.size(), b.stride.size());
  if (a.offset != b.offset) return false;
  for (size_t i = 0; i < n; ++i)
    if (coefficient(a, i) != coefficient(b, i)) return false;
  return true;
}

bool same(const Access& a, const Access& b) {
  if (a.shape != b.shape || a.unknown != b.unknown ||
      a.guards.size() != b.guards.size() || a.dynamic != b.dynamic)
    return false;
  for (size_t d = 0; d < a.dims.size(); ++d)
    if (!(a.unknown >> d & 1) && !same(a.dims[d], b.dims[d])) return false;
  for (size_t i = 0; i < a.guards.size(); ++i)
    if (a.guards[i].lo != b.guards[i].lo || a.guards[i].hi != b.guards[i].hi ||
        !same(a.guards[i].expr, b.guards[i].expr))
      return false;
  return true;
}

AxisMask axes_of(const Affine& f) {
  AxisMask m = 0;
  for (size_t a = 0; a < f.stride.size(); ++a)
    if (f.stride[a] != 0) m |= AxisMask(1) << a;
  return m;
}

AxisMask axes_of(const Access& a) {
  AxisMask m = 0;
  for (const Affine& f : a.dims) m |= axes_of(f);
  for (const Guard& g : a.guards) m |= axes_of(g.expr);
  return m;
}

Range range_of(const Affine& f, const Space& s) {
  Range r{f.offset, f.offset};
  for (size_t a = 0; a < f.stride.size(); ++a) {
    int64_t last = f.stride[a] * std::max<int64_t>(s.extents[a] - 1, 0);
    (last < 0 ? r.lo : r.hi) += last;
  }
  return r;
}

void apply_split(Affine& f, const Split& s) {
  int64_t c = coefficient(f, size_t(s.axis));
  if (c == 0) return;
  f.stride.resize(std::max(f.stride.size(), size_t(s.inner) + 1), 0);
  f.stride[size_t(s.axis)] = c * s.factor;
  f.stride[size_t(s.inner)] = c;
}

void apply_split(Access& a, const Split& s) {
  for (Affine& f : a.dims) apply_split(f, s);
  for (Guard& g : a.guards) apply_split(g.expr, s);
}

void substitute(Affine& f, std::span<const Affine> to) {
  Affine r;
  r.offset = f.offset;
  for (size_t a = 0; a < f.stride.size(); ++a)
    if (f.stride[a] != 0) add_scaled(r, to[a], f.stride[a]);
  f = std::move(r);
}

void substitute(Access& a, std::span<const Affine> to) {
  for (Affine& f : a.dims) substitute(f, to);
  for (Guard& g : a.guards) substitute(g.expr, to);
}

Access identity_access(const Shape& shape, Space& space) {
  Access a;
  a.shape = shape;
  for (int64_t e : shape)
    a.dims.push_back(e == 1 ? Affine{} : axis_index(space.add(e)));
  return a;
}

// ---- reshape

namespace {

// The dimensions i0..i1 of one shape that hold the elements of j0..j1 of
// another (half open).
struct Block {
  size_t i0, i1, j0, j1;
};

std::vector<Block> common_blocks(const Shape& from, const Shape& to) {
  std::vector<Block> blocks;
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    Block b{i, i, j, j};
    int64_t p = 1, q = 1;
    if (b.i1 < from.size()) p *= from[b.i1++];
    if (b.j1 < to.size()) q *= to[b.j1++];
    while (p != q) {
      if (p < q && b.i1 < from.size())
        p *= from[b.i1++];
      else if (b.j1 < to.size())
        q *= to[b.j1++];
      else
        p *= from[b.i1++];
    }
    i = b.i1;
    j = b.j1;
    blocks.push_back(b);
  }
  return blocks;
}

int count_real(const Shape& s, size_t first, size_t last, size_t* which) {
  int n = 0;
  for (size_t d = first; d < last; ++d)
    if (s[d] != 1) {
      *which = d;
      ++n;
    }
  return n;
}

struct Reshaper {
  const Access& a;
  const Shape& to;
  Space& space;
  bool may_split;
  Access result{};
  Split wanted{};  // axis >= 0: split this and start again

  // Divides f by s: f = s * q + r with 0 <= r < s everywhere.
  bool divide(const Affine& f, int64_t s, Affine* q, Affine* r) {
    *q = *r = Affine{};
    q->stride.resize(f.stride.size(), 0);
    r->stride.resize(f.stride.size(), 0);
    for (size_t i = 0; i < f.stride.size(); ++i) {
      if (f.stride[i] % s == 0)
        q->stride[i] = f.stride[i] / s;
      else
        r->stride[i] = f.stride[i];
    }
    r->offset = ((f.offset % s) + s) % s;
    q->offset = (f.offset - r->offset) / s;
    Range range = range_of(*r, space);
    if (range.lo >= 0 && range.hi < s) return true;
    if (!may_split || space.extents.size() >= 24) return false;
    for (size_t i = 0; i < r->stride.size(); ++i) {
      int64_t c = r->stride[i], e = space.extents[i];
      if (c <= 0 || s % c != 0 || space.is_ragged(int32_t(i))) continue;
      int64_t factor = s / c;
      if (e <= factor || e % factor != 0) continue;
      wanted = {int32_t(i), -1, factor};
      return false;
    }
    return false;
  }

  void unknown_from(size_t first, size_t last) {
    for (size_t d = first; d < last; ++d)
      if (to[d] != 1) result.unknown |= uint64_t(1) << d;
  }

  void block(const Block& b) {
    size_t only = 0;
    int real_to = count_real(to, b.j0, b.j1, &only);
    if (real_to == 0) return;
    Affine linear;
    int64_t stride = 1;
    for (size_t d = b.i1; d-- > b.i0;) {
      if (a.unknown >> d & 1) return unknown_from(b.j0, b.j1);
      add_scaled(linear, a.dims[d], stride);
      for (Dynamic x : a.dynamic) {
        if (x.dim != int32_t(d)) continue;
        if (real_to != 1) return unknown_from(b.j0, b.j1);
        x.dim = int32_t(only);
        x.scale *= stride;
        result.dynamic.push_back(x);
      }
      stride *= a.shape[d];
    }
    if (real_to == 1) {
      result.dims[only] = std::move(linear);
      return;
    }
    for (size_t d = b.j1; d-- > b.j0;) {
      if (to[d] == 1) continue;
      if (--real_to == 0) {
        result.dims[d] = std::move(linear);
        return;
      }
      Affine q, r;
      if (!divide(linear, to[d], &q, &r)) return unknown_from(b.j0, d + 1);
      result.dims[d] = std::move(r);
      linear = std::move(q);
    }
  }

  void run() {
    result.shape = to;
    result.dims.resize(to.size());
    result.guards = a.guards;
    if (num_elements(to) == 0) return;
    for (const Block& b : common_blocks(a.shape, to)) {
      block(b);
      if (wanted.axis >= 0) return;
    }
  }
};

}  // namespace

void reshape_access(Access& a, const Shape& to, Space& space,
                    SplitListener* splits) {
  if (a.shape == to) return;
  for (;;) {
    Reshaper r{a, to, space, splits != nullptr};
    r.run();
    if (r.wanted.axis < 0) {
      a = std::move(r.result);
      return;
    }
    Split s = r.wanted;
    auto axis = size_t(s.axis);
    s.inner = int32_t(space.extents.size());
    space.extents.push_back(s.factor);
    space.extents[axis] /= s.factor;
    auto* at = std::find(space.order.begin(), space.order.end(), s.axis);
    space.order.insert(at + 1, s.inner);
    apply_split(a, s);
    splits->on_split(s);
  }
}

// ---- views

bool through_view(const Access& a, const View& view,
                  std::span<const int32_t> operands, const Shape& in,
                  const Shape& out, Space& space, SplitListener* splits,
                  Access* result, SmallVector<Guard, 1>* own) {
  Access from = a;
  if (view.reshape) {
    reshape_access(from, in, space, nullptr);
    *result = from.unknown ? a : std::move(from);
    return true;
  }
  reshape_access(from, out, space, splits);
  Access r;
  r.shape = in;
  r.guards = from.guards;
  for (size_t d = 0; d < in.size(); ++d) {
    const ViewDim& x = view.dims[d];
    Affine f;
    f.offset = x.offset;
    if (x.dilation != 1) return false;
    if (x.out_dim >= 0 && (in[d] != 1 || view.guarded)) {
      auto o = size_t(x.out_dim);
      if (from.unknown >> o & 1) return false;
      add_scaled(f, from.dims[o], x.step);
      for (Dynamic y : from.dynamic) {
        if (y.dim != x.out_dim) continue;
        if (view.guarded) return false;
        y.dim = int32_t(d);
        y.scale *= x.step;
        r.dynamic.push_back(y);
      }
    }
    if (x.start >= 0 && x.max_start > 0)
      r.dynamic.push_back(
          {operands[size_t(x.start)], int32_t(d), 1, x.max_start});
    if (view.guarded) {
      Range range = range_of(f, space);
      if (range.lo < 0 || range.hi >= in[d]) {
        own->push_back({f, 0, in[d]});
        r.guards.push_back({f, 0, in[d]});
      }
    }
    r.dims.push_back(std::move(f));
  }
  *result = std::move(r);
  return true;
}

Affine linear_index(const Access& a) {
  COTAN_CHECK(a.unknown == 0);
  Affine f;
  int64_t stride = 1;
  for (size_t d = a.dims.size(); d-- > 0;) {
    add_scaled(f, a.dims[d], stride);
    stride *= a.shape[d];
  }
  return f;
}

bool covers(const Access& a, const Space& space, AxisMask* dep) {
  if (a.unknown || !a.guards.empty() || !a.dynamic.empty()) return false;
  Affine f = linear_index(a);
  *dep = axes_of(f);
  if (f.offset != 0) return false;
  SmallVector<std::pair<int64_t, int32_t>, 6> by_stride;
  for (size_t i = 0; i < f.stride.size(); ++i)
    if (f.stride[i] != 0) by_stride.push_back({f.stride[i], int32_t(i)});
  std::sort(by_stride.begin(), by_stride.end());
  // The pieces of a ragged axis count as one axis where both vary.
  auto has = [&](int32_t axis) { return axis >= 0 && (*dep >> axis & 1); };
  const bool both = has(space.ragged_outer) && has(space.ragged_inner);
  int64_t expected = 1;
  for (auto [stride, axis] : by_stride) {
    if (both && axis == space.ragged_outer) continue;
    if (stride != expected) return false;
    int64_t extent = space.extents[size_t(axis)];
    if (both && axis == space.ragged_inner) {
      if (coefficient(f, size_t(space.ragged_outer)) != stride * extent)
        return false;
      extent = space.ragged_total;
    }
    expected *= extent;
  }
  return expected == num_elements(a.shape);
}

}  // namespace cotan
