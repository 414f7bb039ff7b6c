// Merging of groups that read or make the same value: what is shared is
// loaded or computed once. One group's axes are expressed in the other's.
#include <algorithm>

#include "passes/fuser.h"

namespace cotan {

namespace {

// Axes of an affine function by ascending stride; false unless it is a mixed
// radix without offset.
bool digits(const Affine& f, SmallVector<std::pair<int64_t, int32_t>, 4>* out) {
  if (f.offset != 0) return false;
  for (size_t a = 0; a < f.stride.size(); ++a) {
    if (f.stride[a] < 0) return false;
    if (f.stride[a] > 0) out->push_back({f.stride[a], int32_t(a)});
  }
  std::sort(out->begin(), out->end());
  return true;
}

int32_t single_axis(AxisMask m) {
  int32_t a = 0;
  while (!(m >> a & 1)) ++a;
  return a;
}

}  // namespace

// One dimension of the shared value: index f in the group that stays, h in
// the other.
bool Fuser::map_dimension(const Group& keep, const Affine& f, const Group& gone,
                          const Affine& h, int64_t extent, Mapping* m,
                          std::vector<bool>* done) const {
  SmallVector<std::pair<int64_t, int32_t>, 4> in_keep, in_gone;
  if (!digits(h, &in_gone)) return false;
  auto assign = [&](int32_t axis, Affine to) {
    if ((*done)[size_t(axis)]) return same(m->to[size_t(axis)], to);
    (*done)[size_t(axis)] = true;
    m->to[size_t(axis)] = std::move(to);
    return true;
  };
  if (in_gone.size() == 1 && in_gone[0].first == 1 &&
      !gone.space.is_ragged(in_gone[0].second) &&
      gone.space.extents[size_t(in_gone[0].second)] == extent)
    return assign(in_gone[0].second, f);
  if (!digits(f, &in_keep) || in_keep.size() != in_gone.size()) return false;
  for (size_t i = 0; i < in_keep.size(); ++i) {
    auto [c, a] = in_keep[i];
    auto [d, b] = in_gone[i];
    if (c != d ||
        keep.space.extents[size_t(a)] != gone.space.extents[size_t(b)] ||
        (a == keep.space.ragged_inner) != (b == gone.space.ragged_inner) ||
        (a == keep.space.ragged_outer) != (b == gone.space.ragged_outer) ||
        !assign(b, axis_index(a)))
      return false;
  }
  return true;
}

// Axes that the shared value does not vary on: the rows that consumed
// reductions of one group or both walk. They become the same axes.
bool Fuser::map_rest(const Group& keep, AxisMask free_keep, const Group& gone,
                     AxisMask free_gone, Mapping* m) const {
  if (free_gone == 0) return free_keep == 0 || free_keep == keep.red;
  auto axes = [](const Space& s, AxisMask mask) {
    SmallVector<int32_t, 4> list;
    for (int32_t a : s.order)
      if (mask >> a & 1) list.push_back(a);
    return list;
  };
  auto theirs = axes(gone.space, free_gone);
  if (free_keep == 0) {
    if (keep.red || free_gone != gone.red) return false;
    for (int32_t b : theirs) {
      auto axis = int32_t(keep.space.extents.size() + m->added.size());
      m->added.push_back(gone.space.extents[size_t(b)]);
      m->to[size_t(b)] = axis_index(axis);
    }
    return true;
  }
  const bool rows =
      (free_keep == keep.red && (free_gone == gone.red || gone.red == 0)) ||
      (keep.red == 0 && free_gone == gone.red);
  auto ours = axes(keep.space, free_keep);
  if (!rows || ours.size() != theirs.size()) return false;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (keep.space.extents[size_t(ours[i])] !=
            gone.space.extents[size_t(theirs[i])] ||
        keep.space.is_ragged(ours[i]) || gone.space.is_ragged(theirs[i]))
      return false;
    m->to[size_t(theirs[i])] = axis_index(ours[i]);
  }
  return true;
}

bool Fuser::map_axes(const Group& keep, const Access& in_keep,
                     const Group& gone, const Access& in_gone,
                     Mapping* m) const {
  AxisMask dep_keep = 0, dep_gone = 0;
  if (!covers(in_keep, keep.space, &dep_keep) ||
      !covers(in_gone, gone.space, &dep_gone))
    return false;
  m->to.resize(gone.space.extents.size());
  std::vector<bool> done(m->to.size());
  for (size_t d = 0; d < in_keep.dims.size(); ++d)
    if (in_keep.shape[d] != 1 &&
        !map_dimension(keep, in_keep.dims[d], gone, in_gone.dims[d],
                       in_keep.shape[d], m, &done))
      return false;
  AxisMask free_gone = gone.space.all();
  for (size_t b = 0; b < done.size(); ++b)
    if (done[b]) free_gone &= ~(AxisMask(1) << b);
  AxisMask free_keep = keep.space.all() & ~dep_keep;
  if (gone.space.ragged_outer >= 0) {
    // Both are cut into the same pieces, or the other has none.
    for (int32_t b : {gone.space.ragged_outer, gone.space.ragged_inner})
      if (!done[size_t(b)]) return false;
    if (keep.space.ragged_outer < 0) return false;
  }
  return map_rest(keep, free_keep, gone, free_gone, m);
}

// The reductions of both must fit one kernel: at most one set of axes in rows
// and one in columns, and results are consumed only along rows (or along
// columns where nothing else is reduced).
bool Fuser::compatible(const Group& keep, const Group& gone,
                       const Mapping& m) const {
  struct Mask {
    AxisMask axes;
    bool consumed, arg;
  };
  SmallVector<Mask, 4> masks;
  auto add = [&](const Reduced& r, AxisMask axes) {
    Monoid monoid = g_.ops[size_t(r.op)].monoid;
    masks.push_back({axes, r.consumed,
                     monoid == Monoid::argmax || monoid == Monoid::argmin});
  };
  for (const Reduced& r : keep.reduced) add(r, r.axes);
  for (const Reduced& r : gone.reduced) {
    AxisMask axes = 0;
    for (size_t b = 0; b < m.to.size(); ++b) {
      if (!(r.axes >> b & 1)) continue;
      const Affine& f = m.to[b];
      AxisMask to = axes_of(f);
      if (to == 0 || (to & (to - 1)) || f.offset != 0 ||
          f.stride[size_t(single_axis(to))] != 1)
        return false;
      axes |= to;
    }
    add(r, axes);
  }
  if (masks.empty()) return true;
  const int32_t last = m.added.empty() ? keep.space.order.back()
                                       : int32_t(keep.space.extents.size());
  AxisMask row = 0, column = 0;
  for (const Mask& x : masks) {
    AxisMask& kind = x.axes >> last & 1 ? row : column;
    if (kind != 0 && kind != x.axes) return false;
    kind = x.axes;
  }
  if (row & column) return false;
  for (const Mask& x : masks)
    if (row && x.axes == column && (x.consumed || x.arg)) return false;
  return true;
}

void Fuser::absorb(int32_t keep_id, int32_t gone_id, Mapping m) {
  Group &keep = group(keep_id), &gone = group(gone_id);
  for (int64_t e : m.added) keep.space.add(e);
  auto mapped = [&](AxisMask axes) {
    AxisMask r = 0;
    for (size_t b = 0; b < m.to.size(); ++b)
      if (axes >> b & 1) r |= axes_of(m.to[b]);
    return r;
  };
  for (Sink& s : gone.sinks) {
    substitute(s.to, m.to);
    substitute(s.from, m.to);
    keep.sinks.push_back(std::move(s));
  }
  for (Reduced& r : gone.reduced) {
    substitute(r.in, m.to);
    r.axes = mapped(r.axes);
    keep.reduced.push_back(std::move(r));
  }
  keep.red |= mapped(gone.red);
  keep.cost += gone.cost;
  keep.streams += gone.streams;
  gone.events.push_back(
      {{}, keep_id, int32_t(keep.events.size()), std::move(m.to)});
  gone.alive = false;
  keep.down |= gone.down;
  Bits more = keep.down;
  more.set(keep_id);
  for (Group& k : p_.groups)
    if (k.alive && &k != &keep &&
        (k.down.test(keep_id) || k.down.test(gone_id)))
      k.down |= more;
}

// Merges two groups that use v, unless one depends on the other.
bool Fuser::merge(int32_t a, int32_t b, int32_t v) {
  if (!options_.fuse || a == b || group(a).kind != Group::kernel ||
      group(b).kind != Group::kernel || !group(a).alive || !group(b).alive)
    return false;
  if (group(a).down.test(b) || group(b).down.test(a)) return false;
  if (group(a).cost + group(b).cost > kMaxCost ||
      group(a).streams + group(b).streams - 1 > kMaxStreams)
    return false;
  const Access *in_a = only_access(v, a), *in_b = only_access(v, b);
  if (!in_a || !in_b) return false;
  Access x = *in_a, y = *in_b;
  reshape_access(x, value(v).shape, group(a).space, nullptr);
  reshape_access(y, value(v).shape, group(b).space, nullptr);
  for (auto [keep, in_keep, gone, in_gone] :
       {std::tuple{a, &x, b, &y}, std::tuple{b, &y, a, &x}}) {
    Mapping m;
    if (!map_axes(group(keep), *in_keep, group(gone), *in_gone, &m) ||
        !compatible(group(keep), group(gone), m))
      continue;
    absorb(keep, gone, std::move(m));
    return true;
  }
  return false;
}

// Groups that load the same values from memory.
void Fuser::merge_siblings() {
  for (size_t v = 0; v < p_.values.size(); ++v) {
    auto id = int32_t(v);
    if (value(id).shape.empty() || plan(id).demands.size() < 2) continue;
    SmallVector<int32_t, 4> groups;
    resolve_all(id);
    for (const Demand& d : plan(id).demands) groups.push_back(d.group);
    for (size_t i = 0; i + 1 < groups.size(); ++i)
      for (size_t j = i + 1; j < groups.size(); ++j)
        merge(p_.find(groups[i]), p_.find(groups[j]), id);
  }
}

}  // namespace cotan
