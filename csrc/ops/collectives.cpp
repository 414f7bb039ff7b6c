// Operations over named axes. They exist until the vmap that owns the name
// meets them: its batch rule does the work with ordinary operations along the
// batch axis. Where nobody owns the name they are a NameError.
#include "ops/collectives.h"

#include <algorithm>

#include "ops/rules.h"
#include "trace/axes.h"

namespace cotan {

using namespace ops;

extern const Primitive psum_p, pmax_p, pmin_p, all_gather_p, reduce_scatter_p,
    all_to_all_p, ppermute_p, pbroadcast_p, axis_index_p;

namespace {

template <class P>
const AxisNames& names_of(const P& p) {
  return p.names;
}
AxisNames names_of(const AxisIndexParams& p) { return {p.name}; }

bool has(const AxisNames& names, const AxisName& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
AxisNames without(AxisNames names, const AxisName& name) {
  std::erase(names, name);
  return names;
}
int64_t total_size(const AxisNames& names) {
  int64_t n = 1;
  for (const AxisName& name : names) n *= axis_size(name);
  return n;
}

template <class P>
bool collective_uses_axis(const Params& params, const AxisName& name) {
  return has(names_of(params.as<P>()), name);
}

// Names are looked up where the operation is recorded.
template <class P, const Primitive& Self>
void check_bound(GraphTrace&, Values&, Params& params) {
  for (const AxisName& name : names_of(params.as<P>()))
    if (find_axis(name) < 0) throw_unbound(name, Self.name);
}
template <class P, const Primitive& Self>
Values evaluate_unbound(const Params& params, std::span<const Value>) {
  for (const AxisName& name : names_of(params.as<P>()))
    throw_unbound(name, Self.name);
  throw_value("[", Self.name, "] needs an axis name");
}

void check_dimension(const char* op, int64_t d, const Aval& x) {
  if (d < 0 || d >= x.rank())
    throw_value("[", op, "] dimension ", d, " is out of range for ", x);
}
Aval strong(Aval a) {
  a.weak_type = false;
  return a;
}

// ---- pieces of batch rules

// What the type rule has to say of an operation that is never recorded.
void check_types(const BatchArgs& a) {
  Aval x = a.x[0].aval();
  if (a.dims[0] != kNotBatched) x.shape.erase(x.shape.begin() + a.dims[0]);
  a.self.type({a.self, std::span(&x, 1), a.params});
}

// The names before and after one: their indices are more and less significant.
struct Around {
  AxisNames major, minor;
  Around(const AxisNames& names, const AxisName& name) {
    auto at = std::find(names.begin(), names.end(), name);
    major.assign(names.begin(), at);
    minor.assign(at + 1, names.end());
  }
};

Shape with_dims(const Shape& shape, int64_t at, int64_t count,
                std::initializer_list<int64_t> dims) {
  Shape out(shape.begin(), shape.begin() + at);
  for (int64_t d : dims) out.push_back(d);
  out.append(shape.begin() + at + count, shape.end());
  return out;
}
// Dimension `at` as several.
Value split_dim(const Value& x, int64_t at,
                std::initializer_list<int64_t> dims) {
  return lax::reshape(x, with_dims(x.shape(), at, 1, dims));
}
Value merge_dims(const Value& x, int64_t at, int64_t count) {
  if (count == 1) return x;
  int64_t n = 1;
  for (int64_t i = at; i < at + count; ++i) n *= x.shape()[size_t(i)];
  return lax::reshape(x, with_dims(x.shape(), at, count, {n}));
}
Value multiple(const Value& x, int64_t n) {
  return lax::mul(lax::convert(x, x.dtype()),
                  scalar_value(Literal::from_double(x.dtype(), double(n))));
}

// Rows of x along dimension d; an index out of range gives zeros.
Value take_rows(const Value& x, int64_t d, std::span<const int64_t> rows) {
  NewArray index =
      new_array({DType::i32, false, {int64_t(rows.size()), int64_t(1)}});
  std::copy(rows.begin(), rows.end(), static_cast<int32_t*>(index.data));
  GatherParams p;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != d) p.offset_dims.push_back(i);
  p.collapsed_slice_dims = p.start_index_map = {d};
  p.slice_sizes = x.shape();
  p.slice_sizes[size_t(d)] = 1;
  p.mode = GatherMode::fill_or_drop;
  p.fill_value = Literal::from_int(x.dtype(), 0);
  return lax::gather(x, index.value, std::move(p));
}

// The operation in groups: with the axis in the order of the groups and split
// by them, it is the operation on a shorter axis of that name, mapped over the
// groups.
template <class P>
Batched by_group(const BatchArgs& a, P p) {
  std::vector<Dims> groups = *p.groups;
  Dims order, back(size_t(a.size), -1);
  for (const Dims& g : groups)
    for (int64_t i : g) {
      if (i < 0 || i >= a.size || back[size_t(i)] >= 0)
        throw_value("axis_index_groups must cover all indices exactly once");
      back[size_t(i)] = int64_t(order.size());
      order.push_back(i);
    }
  if (int64_t(order.size()) != a.size)
    throw_value("axis_index_groups must cover all indices exactly once");
  int64_t size = int64_t(groups[0].size()), count = int64_t(groups.size());
  for (const Dims& g : groups)
    if (int64_t(g.size()) != size)
      throw_not_implemented("[", a.self.name,
                            "] axis_index_groups of different sizes in vmap");
  if (p.names.size() != 1)
    throw_not_implemented("[", a.self.name,
                          "] axis_index_groups with several axis names");
  p.groups.reset();
  Params params(p);
  Value x = take_rows(batch_to_front(a.x[0], a.dims[0], a.size), 0, order);
  int64_t zero = 0;
  auto one_group = [&](std::span<const Value> v) {
    Batched b = vmap(
        [&](std::span<const Value> u) { return bind_all(a.self, u, params); },
        v, std::span(&zero, 1), {size, a.name});
    return one(batch_to_front(b.values[0], b.dims[0], size));
  };
  Value in = split_dim(x, 0, {count, size});
  Batched b = vmap(one_group, std::span(&in, 1), std::span(&zero, 1), count);
  Value y = merge_dims(batch_to_front(b.values[0], b.dims[0], count), 0, 2);
  return batched_at(take_rows(y, 0, back), 0);
}

// ---- psum, pmax, pmin

const AllReduceParams& reduce_params(const Params& p) {
  return p.as<AllReduceParams>();
}

Avals all_reduce_type(const TypeArgs& a) {
  const Aval& x = a.in[0];
  bool fine = &a.self == &psum_p ? arithmetic(x.dtype) : ordered(x.dtype);
  if (!fine)
    throw_type(a.self.name, " does not accept dtype ", dtype_name(x.dtype),
               ".");
  return {strong(x)};
}

template <Monoid M>
Batched all_reduce_batch(const BatchArgs& a) {
  AllReduceParams p = reduce_params(a.params);
  const Value& x = a.x[0];
  if (!has(p.names, a.name))
    return batched_at(bind1(a.self, a.x, a.params), a.dims[0]);
  check_types(a);
  if (p.groups) return by_group(a, std::move(p));
  Value y = lax::convert(x, x.dtype());
  if (a.dims[0] != kNotBatched)
    y = lax::reduce(y, M, {a.dims[0]});
  else if (M == Monoid::sum)
    y = multiple(y, a.size);
  p.names = without(p.names, a.name);
  if (!p.names.empty()) y = bind1(a.self, {y}, p);
  return batched_at(y, kNotBatched);
}

Values psum_transpose(const TransposeArgs& a) {
  return one(bind1(psum_p, {a.ct[0]}, a.params));
}

// Those that attain the extremum share its tangent.
Dual extremum_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value hit = lax::convert(lax::eq(a.x[0], y), y.dtype());
  Value t = bind1(psum_p, {lax::mul(a.t[0], hit)}, a.params);
  return {{y}, {lax::div(t, bind1(psum_p, {hit}, a.params))}};
}

// ---- all_gather and reduce_scatter, transposes of each other

Avals all_gather_type(const TypeArgs& a) {
  auto& p = a.params.as<AllGatherParams>();
  Aval x = a.in[0];
  if (p.tiled) {
    check_dimension(a.self.name, p.dimension, x);
    x.shape[size_t(p.dimension)] *= p.size;
  } else {
    if (p.dimension < 0 || p.dimension > x.rank())
      check_dimension(a.self.name, p.dimension, x);
    x.shape.insert(x.shape.begin() + p.dimension, p.size);
  }
  return {x};
}

Batched all_gather_batch(const BatchArgs& a) {
  auto p = a.params.as<AllGatherParams>();
  int64_t d = a.dims[0], k = p.dimension;
  if (!has(p.names, a.name)) {
    if (d != kNotBatched && d <= k)
      ++p.dimension;
    else if (d != kNotBatched && !p.tiled)
      ++d;
    return batched_at(bind1(a.self, a.x, p), d);
  }
  check_types(a);
  if (p.groups) return by_group(a, p);
  Around around(p.names, a.name);
  Value y = batch_to(a.x[0], d, a.size, k);
  int64_t merged = p.tiled ? 2 : 1;
  auto gather = [&](const AxisNames& names, int64_t at) {
    if (names.empty()) return;
    y = bind1(a.self, {y},
              AllGatherParams{at, names, {}, total_size(names), false});
    ++merged;
  };
  gather(around.minor, k + 1);
  gather(around.major, k);
  return batched_at(merge_dims(y, k, merged), kNotBatched);
}

Values all_gather_transpose(const TransposeArgs& a) {
  auto& p = a.params.as<AllGatherParams>();
  return one(bind1(
      reduce_scatter_p, {a.ct[0]},
      ReduceScatterParams{p.dimension, p.names, p.groups, p.size, p.tiled}));
}

Avals reduce_scatter_type(const TypeArgs& a) {
  auto& p = a.params.as<ReduceScatterParams>();
  Aval x = a.in[0];
  check_dimension(a.self.name, p.dimension, x);
  if (!arithmetic(x.dtype))
    throw_type(a.self.name, " does not accept dtype ", dtype_name(x.dtype),
               ".");
  int64_t& n = x.shape[size_t(p.dimension)];
  if (p.tiled) {
    if (n % p.size != 0)
      throw_value("tiled reduce_scatter operand scatter dimension size ", n,
                  " must be divisible by shard_count ", p.size);
    n /= p.size;
  } else {
    if (n != p.size)
      throw_value("reduce_scatter operand scatter dimension size ", n,
                  " must match shard count ", p.size);
    x.shape.erase(x.shape.begin() + p.dimension);
  }
  return {x};
}

Batched reduce_scatter_batch(const BatchArgs& a) {
  auto p = a.params.as<ReduceScatterParams>();
  int64_t d = a.dims[0], k = p.dimension;
  if (!has(p.names, a.name)) {
    if (d != kNotBatched && d <= k)
      ++p.dimension;
    else if (d != kNotBatched && !p.tiled)
      --d;
    return batched_at(bind1(a.self, a.x, p), d);
  }
  check_types(a);
  if (p.groups) return by_group(a, p);
  Around around(p.names, a.name);
  int64_t major = total_size(around.major), minor = total_size(around.minor);
  Value y = d == kNotBatched ? multiple(a.x[0], a.size)
                             : lax::reduce_sum(a.x[0], {d});
  int64_t chunk = y.shape()[size_t(k)] / p.size;
  y = split_dim(y, k, {major, a.size, minor, chunk});
  auto scatter = [&](const AxisNames& names, int64_t at, int64_t size) {
    y = names.empty() ? lax::squeeze(y, {at})
                      : bind1(a.self, {y},
                              ReduceScatterParams{at, names, {}, size, false});
  };
  scatter(around.minor, k + 2, minor);
  scatter(around.major, k, major);
  if (!p.tiled) y = lax::squeeze(y, {k + 1});
  return batched_at(y, k);
}

Values reduce_scatter_transpose(const TransposeArgs& a) {
  auto& p = a.params.as<ReduceScatterParams>();
  return one(
      bind1(all_gather_p, {a.ct[0]},
            AllGatherParams{p.dimension, p.names, p.groups, p.size, p.tiled}));
}

// ---- all_to_all

Avals all_to_all_type(const TypeArgs& a) {
  auto& p = a.params.as<AllToAllParams>();
  Aval x = strong(a.in[0]);
  check_dimension(a.self.name, p.split, x);
  check_dimension(a.self.name, p.concat, x);
  int64_t& n = x.shape[size_t(p.split)];
  if (p.size <= 0 || n % p.size != 0)
    throw_value("[all_to_all] dimension ", p.split, " of ", a.in[0],
                " is not divisible by ", p.size);
  n /= p.size;
  x.shape[size_t(p.concat)] *= p.size;
  return {x};
}

// This axis and the others exchange their parts of the split dimension; then
// the sources' indices move in front of dimension `concat`.
Batched exchange(const BatchArgs& a, const AllToAllParams& p) {
  Around around(p.names, a.name);
  int64_t major = total_size(around.major), minor = total_size(around.minor);
  Value y = batch_to_front(a.x[0], a.dims[0], a.size);
  int64_t s = p.split + 1;
  y = split_dim(y, s, {major, a.size, minor, y.shape()[size_t(s)] / p.size});
  auto swap = [&](const AxisNames& names, int64_t at, int64_t size) {
    if (!names.empty())
      y = bind1(a.self, {y}, AllToAllParams{at, at, names, {}, size, false});
  };
  swap(around.major, s, major);
  swap(around.minor, s + 2, minor);
  Axes perm{s + 1};
  int64_t at = 0;
  for (int64_t i = 1; i < y.rank() - 2; ++i) {
    int64_t from = i < s ? i : i == s ? s + 3 : i + 3;
    if (i > s && from >= y.rank()) break;
    if (i == p.concat + 1) {
      at = int64_t(perm.size());
      for (int64_t source : {s, int64_t(0), s + 2}) perm.push_back(source);
    }
    perm.push_back(from);
  }
  return batched_at(merge_dims(lax::transpose(y, perm), at, 4), 0);
}

Batched all_to_all_batch(const BatchArgs& a) {
  auto p = a.params.as<AllToAllParams>();
  int64_t d = a.dims[0];
  if (!has(p.names, a.name)) {
    p.split += d != kNotBatched && d <= p.split;
    p.concat += d != kNotBatched && d <= p.concat;
    return batched_at(bind1(a.self, a.x, p), d);
  }
  check_types(a);
  return p.groups ? by_group(a, p) : exchange(a, p);
}

Values all_to_all_transpose(const TransposeArgs& a) {
  auto p = a.params.as<AllToAllParams>();
  std::swap(p.split, p.concat);
  return one(bind1(a.self, {a.ct[0]}, p));
}

// JAX has no axis_size here, and a name alone is not a tuple.
std::vector<std::string> all_to_all_print(const Params& params) {
  auto& p = params.as<AllToAllParams>();
  std::vector<std::string> names, groups;
  for (const AxisName& n : p.names) names.push_back(n->describe());
  if (p.groups)
    for (const Dims& g : *p.groups) groups.push_back(tuple_string(g));
  return {cat("axis_index_groups=", p.groups ? tuple_string(groups) : "None"),
          cat("axis_name=",
              names.size() == 1 ? p.names[0]->text() : tuple_string(names)),
          cat("concat_axis=", p.concat), cat("split_axis=", p.split),
          cat("tiled=", p.tiled)};
}

// ---- ppermute and pbroadcast

Avals same_type(const TypeArgs& a) { return {a.in[0]}; }

Batched ppermute_batch(const BatchArgs& a) {
  auto& p = a.params.as<PPermuteParams>();
  if (!has(p.names, a.name))
    return batched_at(bind1(a.self, a.x, a.params), a.dims[0]);
  if (p.names.size() != 1)
    throw_not_implemented("[ppermute] several axis names in vmap");
  Dims source(size_t(a.size), a.size), taken(size_t(a.size), 0);
  for (const Dims& pair : p.perm) {
    bool in_range = pair.size() == 2 && pair[0] >= 0 && pair[0] < a.size &&
                    pair[1] >= 0 && pair[1] < a.size;
    if (!in_range)
      throw_value("[ppermute] perm ", tuple_string(pair),
                  " does not fit an axis of size ", a.size);
    if (taken[size_t(pair[0])]++ || source[size_t(pair[1])] != a.size)
      throw_value("ppermute sources and destinations must be unique");
    source[size_t(pair[1])] = pair[0];
  }
  bool all = int64_t(p.perm.size()) == a.size;
  if (a.dims[0] == kNotBatched && all) return batched_at(a.x[0], kNotBatched);
  int64_t d = a.dims[0] == kNotBatched ? 0 : a.dims[0];
  return batched_at(
      take_rows(batch_to(a.x[0], a.dims[0], a.size, d), d, source), d);
}

Values ppermute_transpose(const TransposeArgs& a) {
  PPermuteParams p = a.params.as<PPermuteParams>();
  for (Dims& pair : p.perm) std::reverse(pair.begin(), pair.end());
  return one(bind1(a.self, {a.ct[0]}, p));
}

Batched pbroadcast_batch(const BatchArgs& a) {
  auto& p = a.params.as<PBroadcastParams>();
  if (!has(p.names, a.name))
    return batched_at(bind1(a.self, a.x, a.params), a.dims[0]);
  if (p.names.size() != 1)
    throw_not_implemented("[pbroadcast] several axis names in vmap");
  if (p.source < 0 || p.source >= a.size)
    throw_value("[pbroadcast] source ", p.source,
                " does not fit an axis of size ", a.size);
  int64_t d = a.dims[0];
  if (d == kNotBatched) return batched_at(a.x[0], kNotBatched);
  Dims from(size_t(a.x[0].rank()), 0), to = a.x[0].shape();
  from[size_t(d)] = p.source;
  to[size_t(d)] = p.source + 1;
  return batched_at(lax::squeeze(lax::slice(a.x[0], from, to), {d}),
                    kNotBatched);
}

Values pbroadcast_transpose(const TransposeArgs& a) {
  auto& p = a.params.as<PBroadcastParams>();
  Value sum = bind1(psum_p, {a.ct[0]}, AllReduceParams{p.names, {}});
  Value index = bind1(axis_index_p, {}, AxisIndexParams{p.names[0]});
  Value here =
      lax::eq(index, scalar_value(Literal::from_int(DType::i32, p.source)));
  return one(lax::select(broadcast_in_dim(here, sum.shape(), {}), sum,
                         zeros_like(sum)));
}
std::vector<std::string> pbroadcast_print(const Params& params) {
  auto& p = params.as<PBroadcastParams>();
  return {cat("axis_name=", p.names[0]->text()), cat("source=", p.source)};
}

Batched axis_index_batch(const BatchArgs& a) {
  if (a.params.as<AxisIndexParams>().name != a.name)
    return batched_at(bind1(a.self, {}, a.params), kNotBatched);
  return batched_at(lax::iota(DType::i32, {a.size}, 0), 0);
}

}  // namespace

// The slots that are the same for all. No way to run: whoever owns the axis
// has replaced the operation before a program is made.
#define COTAN_COLLECTIVE(NAME, P, FLAGS) \
  .name = #NAME, .flags = kStageOnly | FLAGS, .params = params_of<P>

#define COTAN_COLLECTIVE_END(NAME, P)                                          \
  .uses_axis = collective_uses_axis<P>, .impl = evaluate_unbound<P, NAME##_p>, \
  .stage = check_bound<P, NAME##_p>

constinit const Primitive psum_p = {
    COTAN_COLLECTIVE(psum, AllReduceParams, kLinear),
    .type = all_reduce_type,
    .jvp = linear_jvp,
    .transpose = psum_transpose,
    .batch = all_reduce_batch<Monoid::sum>,
    COTAN_COLLECTIVE_END(psum, AllReduceParams),
};
COTAN_REGISTER(psum_p);

constinit const Primitive pmax_p = {
    COTAN_COLLECTIVE(pmax, AllReduceParams, kNone),
    .type = all_reduce_type,
    .jvp = extremum_jvp,
    .batch = all_reduce_batch<Monoid::max>,
    COTAN_COLLECTIVE_END(pmax, AllReduceParams),
};
COTAN_REGISTER(pmax_p);

constinit const Primitive pmin_p = {
    COTAN_COLLECTIVE(pmin, AllReduceParams, kNone),
    .type = all_reduce_type,
    .jvp = extremum_jvp,
    .batch = all_reduce_batch<Monoid::min>,
    COTAN_COLLECTIVE_END(pmin, AllReduceParams),
};
COTAN_REGISTER(pmin_p);

constinit const Primitive all_gather_p = {
    COTAN_COLLECTIVE(all_gather, AllGatherParams, kLinear),
    .type = all_gather_type,
    .jvp = linear_jvp,
    .transpose = all_gather_transpose,
    .batch = all_gather_batch,
    COTAN_COLLECTIVE_END(all_gather, AllGatherParams),
};
COTAN_REGISTER(all_gather_p);

constinit const Primitive reduce_scatter_p = {
    COTAN_COLLECTIVE(reduce_scatter, ReduceScatterParams, kLinear),
    .type = reduce_scatter_type,
    .jvp = linear_jvp,
    .transpose = reduce_scatter_transpose,
    .batch = reduce_scatter_batch,
    COTAN_COLLECTIVE_END(reduce_scatter, ReduceScatterParams),
};
COTAN_REGISTER(reduce_scatter_p);

constinit const Primitive all_to_all_p = {
    COTAN_COLLECTIVE(all_to_all, AllToAllParams, kLinear),
    .type = all_to_all_type,
    .jvp = linear_jvp,
    .transpose = all_to_all_transpose,
    .batch = all_to_all_batch,
    COTAN_COLLECTIVE_END(all_to_all, AllToAllParams),
    .print = all_to_all_print,
};
COTAN_REGISTER(all_to_all_p);

constinit const Primitive ppermute_p = {
    COTAN_COLLECTIVE(ppermute, PPermuteParams, kLinear),
    .type = same_type,
    .jvp = linear_jvp,
    .transpose = ppermute_transpose,
    .batch = ppermute_batch,
    COTAN_COLLECTIVE_END(ppermute, PPermuteParams),
};
COTAN_REGISTER(ppermute_p);

constinit const Primitive pbroadcast_p = {
    COTAN_COLLECTIVE(pbroadcast, PBroadcastParams, kLinear),
    .type = same_type,
    .jvp = linear_jvp,
    .transpose = pbroadcast_transpose,
    .batch = pbroadcast_batch,
    COTAN_COLLECTIVE_END(pbroadcast, PBroadcastParams),
    .print = pbroadcast_print,
};
COTAN_REGISTER(pbroadcast_p);

constinit const Primitive axis_index_p = {
    COTAN_COLLECTIVE(axis_index, AxisIndexParams, kNotDifferentiable),
    .type = [](const TypeArgs&) -> Avals { return {{DType::i32, false, {}}}; },
    .batch = axis_index_batch,
    COTAN_COLLECTIVE_END(axis_index, AxisIndexParams),
    .print = [](const Params& p) -> std::vector<std::string> {
      return {cat("axis_name=", p.as<AxisIndexParams>().name->text())};
    },
};
COTAN_REGISTER(axis_index_p);
#undef COTAN_COLLECTIVE
#undef COTAN_COLLECTIVE_END

}  // namespace cotan
