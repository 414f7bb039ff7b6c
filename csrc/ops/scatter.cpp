// scatter: the operand with windows of it set to, or combined with, updates.
// One record per way of combining, all from scatter_primitive<kind>(); what
// differs are the derivatives. Everything about windows is in windows.h.
//
// Windows are applied in the order of the indices, so the last of several
// sets of one element wins. Backends keep that order.
#include "ops/hlo_rules.h"
#include "ops/windows.h"

namespace cotan {
namespace ops {

extern const Primitive scatter_p, scatter_add_p, scatter_sub_p, scatter_mul_p,
    scatter_min_p, scatter_max_p;

namespace {

constexpr const Primitive* kScatters[] = {&scatter_p,     &scatter_add_p,
                                          &scatter_sub_p, &scatter_mul_p,
                                          &scatter_min_p, &scatter_max_p};

template <ScatterKind K>
Avals scatter_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == 3);
  check_scatter(a.in[0], a.in[1], a.in[2], a.params.as<ScatterParams>());
  DType t = a.in[0].dtype;
  bool valid = K == ScatterKind::set   ? t != DType::float0
               : K == ScatterKind::sub ? is_numeric(t)
                                       : is_numeric(t) || t == DType::bool_;
  if (!valid)
    throw_type("[", a.self.name, "] does not accept dtype ", dtype_name(t));
  return {a.in[0]};
}

constexpr HostOp host_op(ScatterKind k) {
  constexpr HostOp ops[] = {HostOp::set, HostOp::add, HostOp::sub,
                            HostOp::mul, HostOp::min, HostOp::max};
  return ops[int(k)];
}

// A broken promise drops the window, as in JAX (gather clips): so the gradient
// of a clipped read is 0.
GatherMode effective(GatherMode m) {
  return m == GatherMode::promise_in_bounds ? GatherMode::fill_or_drop : m;
}

template <ScatterKind K>
void scatter_eval(const EvalArgs& a) {
  auto& p = a.params.as<ScatterParams>();
  const HostView &x = a.in[0], &updates = a.in[2], &y = a.out[0];
  if (int64_t n = num_elements(x.shape) * itemsize(x.dtype); n > 0)
    std::memcpy(y.data, x.data, size_t(n));
  Dims sizes = window_sizes(p, Shape(x.shape), Shape(updates.shape));
  visit_dtype(x.dtype, [&]<class T>() {
    T* to = y.as<T>();
    const T* from = updates.as<T>();
    for_each_window_element(a.in[1], window_dims(p), x.shape, updates.shape,
                            sizes, effective(p.mode),
                            [&](int64_t i, int64_t u) {
                              if (i >= 0)
                                to[i] = host_apply(host_op(K), to[i], from[u]);
                            });
  });
}

Value or_zeros(const Value& t, const Value& like) {
  return t ? t : zeros_like(like);
}

Value gather_windows(const Value& x, const Value& indices,
                     const ScatterParams& p, const Shape& updates,
                     double fill = 0) {
  GatherParams g = inverse(p, x.shape(), updates);
  g.fill_value = Literal::from_double(x.dtype(), fill);
  return lax::gather(x, indices, std::move(g));
}

// ---- add, sub: linear in operand and updates
Dual scatter_add_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  if (!a.t[2]) return {{y}, {a.t[0]}};
  Value t = bind1(a.self, {or_zeros(a.t[0], a.x[0]), a.x[1], a.t[2]}, a.params);
  return {{y}, {t}};
}

template <ScatterKind K>
Values scatter_add_transpose(const TransposeArgs& a) {
  Values out = {nullptr, nullptr, nullptr};
  if (!a.x[0]) out[0] = a.ct[0];
  if (!a.x[2]) {
    out[2] = gather_windows(a.ct[0], a.x[1], a.params.as<ScatterParams>(),
                            a.avals[2].shape);
    if (K == ScatterKind::sub) out[2] = lax::neg(out[2]);
  }
  return out;
}

// ---- set
// Several updates may go to one element and only the last one counts: give
// each window a number, scatter the numbers, and see which came through.
Dual scatter_overlapping_jvp(const JvpArgs& a) {
  auto& p = a.params.as<ScatterParams>();
  const Value &x = a.x[0], &indices = a.x[1], &updates = a.x[2];
  Shape windows;
  Axes dims;
  for (int64_t d = 0; d < updates.rank(); ++d) {
    if (contains(p.update_window_dims, d)) continue;
    windows.push_back(updates.shape()[size_t(d)]);
    dims.push_back(d);
  }
  int64_t n = num_elements(windows);
  DType t = n < int64_t{UINT32_MAX} ? DType::u32 : DType::u64;
  Value ids = lax::reshape(lax::iota(t, {n}, 0), windows);
  ids = lax::add(ids, lax::constant_like(ids, 1));
  ids = lax::broadcast_in_dim(ids, updates.shape(), dims);
  Value winners = lax::scatter(
      ScatterKind::set, zeros_of(Aval{t, false, x.shape()}), indices, ids, p);

  Value kept, t_out = zeros_like(x);
  if (a.t[0])
    t_out = lax::select(lax::eq(winners, lax::constant_like(winners, 0)),
                        a.t[0], t_out);
  if (a.t[2]) {
    Value won =
        lax::eq(ids, gather_windows(winners, indices, p, updates.shape()));
    Value t_updates = lax::select(won, a.t[2], zeros_like(updates));
    t_out = lax::scatter(ScatterKind::add, t_out, indices, t_updates, p);
  }
  return {{bind1(a.self, a.x, a.params)}, {t_out}};
}

Dual scatter_set_jvp(const JvpArgs& a) {
  if (!a.params.as<ScatterParams>().unique_indices)
    return scatter_overlapping_jvp(a);
  Value t = bind1(a.self,
                  {or_zeros(a.t[0], a.x[0]), a.x[1], or_zeros(a.t[2], a.x[2])},
                  a.params);
  return {{bind1(a.self, a.x, a.params)}, {t}};
}

Values scatter_set_transpose(const TransposeArgs& a) {
  auto& p = a.params.as<ScatterParams>();
  if (!p.unique_indices)
    throw_not_implemented(
        "[scatter] scatter transpose is only implemented where "
        "unique_indices=True");
  Values out = {nullptr, nullptr, nullptr};
  if (!a.x[0])
    out[0] = bind1(a.self, {a.ct[0], a.x[1], zeros_of(a.avals[2])}, a.params);
  if (!a.x[2]) out[2] = gather_windows(a.ct[0], a.x[1], p, a.avals[2].shape);
  return out;
}

// ---- mul
[[noreturn]] void throw_mul_overlaps() {
  throw_not_implemented(
      "[scatter-mul] scatter_mul gradients are only implemented if "
      "`unique_indices=True`");
}

Dual scatter_mul_jvp(const JvpArgs& a) {
  auto& p = a.params.as<ScatterParams>();
  Value y = bind1(a.self, a.x, a.params), t, t_updates;
  if (a.t[0]) t = bind1(a.self, {a.t[0], a.x[1], a.x[2]}, a.params);
  if (a.t[2]) {
    if (!p.unique_indices) throw_mul_overlaps();
    Value spread =
        lax::scatter(ScatterKind::add, zeros_like(a.x[0]), a.x[1], a.t[2], p);
    t_updates = lax::mul(a.x[0], spread);
  }
  return {{y}, {t && t_updates ? lax::add(t, t_updates) : t ? t : t_updates}};
}

Values scatter_mul_transpose(const TransposeArgs& a) {
  auto& p = a.params.as<ScatterParams>();
  Values out = {nullptr, nullptr, nullptr};
  if (!a.x[0]) {
    require_known(a, 2);
    out[0] = bind1(a.self, {a.ct[0], a.x[1], a.x[2]}, a.params);
  }
  if (!a.x[2]) {
    if (!p.unique_indices) throw_mul_overlaps();
    out[2] =
        gather_windows(lax::mul(a.ct[0], a.x[0]), a.x[1], p, a.avals[2].shape);
  }
  return out;
}

// ---- min, max: equal contenders for an element share its tangent
Dual scatter_extremal_jvp(const JvpArgs& a) {
  auto& p = a.params.as<ScatterParams>();
  const Value &x = a.x[0], &indices = a.x[1], &updates = a.x[2];
  Value y = bind1(a.self, a.x, a.params);
  auto windows = [&](const Value& v, double fill = 0) {
    return gather_windows(v, indices, p, updates.shape(), fill);
  };
  auto count = [&](const Value& what) {
    Value n = lax::scatter(ScatterKind::add, zeros_like(x), indices, what, p);
    return windows(n, 1);
  };
  Value zero = zeros_like(updates);
  Value one = lax::full(updates.shape(), Literal::from_double(x.dtype(), 1));
  Value result = windows(y);
  Value successful = lax::eq(updates, result);
  Value retained = lax::eq(windows(x), result);
  Value num_updates = count(lax::select(successful, one, zero));
  Value num_refs = count(one);

  Value share =
      lax::div(one, lax::add(num_updates, lax::select(retained, one, zero)));
  Value operand_share = lax::select(retained, share, zero);
  Value t;
  if (a.t[0]) {
    // Each of the num_refs windows takes away its part of what is lost.
    Value part = lax::div(lax::sub(operand_share, one), num_refs);
    t = lax::mul(windows(a.t[0]), part);
  }
  if (a.t[2]) {
    Value t2 = lax::mul(a.t[2], lax::select(successful, share, zero));
    t = t ? lax::add(t, t2) : t2;
  }
  return {{y},
          {lax::scatter(ScatterKind::add, or_zeros(a.t[0], x), indices, t, p)}};
}

Batched scatter_batch(const BatchArgs& a) {
  return batch_scatter(a.self, a.x, a.dims, a.size,
                       a.params.as<ScatterParams>());
}

template <ScatterKind K>
Value combined(const Value& old, const Value& update) {
  switch (K) {
    case ScatterKind::set:
      return update;
    case ScatterKind::add:
      return lax::add(old, update);
    case ScatterKind::sub:
      return lax::sub(old, update);
    case ScatterKind::mul:
      return lax::mul(old, update);
    case ScatterKind::min:
      return lax::min(old, update);
    case ScatterKind::max:
      return lax::max(old, update);
  }
}

// One window (x.at[i].set(y) in a loop) is a read, an elementwise update and a
// write at one place, which fuse.
template <ScatterKind K>
Values scatter_one_window(const Params& params, std::span<const Value> a) {
  auto& p = params.as<ScatterParams>();
  const Value &x = a[0], &indices = a[1], &updates = a[2];
  DType t = indices.dtype();
  bool known = K == ScatterKind::set
                   ? is_numeric(x.dtype()) || x.dtype() == DType::bool_
                   : is_numeric(x.dtype());
  if (!known || (t != DType::i32 && t != DType::i64)) return {};
  if (indices.size() != int64_t(p.scatter_dims_to_operand_dims.size()) ||
      indices.size() == 0 || x.size() == 0 || updates.size() == 0)
    return {};

  Dims sizes = window_sizes(p, x.shape(), updates.shape());
  Value vector = lax::reshape(indices, {indices.size()});
  Values starts(x.shape().size(), scalar_value(t, 0));
  Value inside;
  for (size_t k = 0; k < p.scatter_dims_to_operand_dims.size(); ++k) {
    auto d = size_t(p.scatter_dims_to_operand_dims[k]);
    int64_t last = x.shape()[d] - sizes[d];
    if (t == DType::i32 && last > INT32_MAX) return {};
    int64_t at = int64_t(k);
    Value i = lax::reshape(lax::slice(vector, {at}, {at + 1}), {});
    starts[d] = i;
    Value fits = lax::bitwise_and(lax::ge(i, scalar_value(t, 0)),
                                  lax::le(i, scalar_value(t, last)));
    inside = inside ? lax::bitwise_and(inside, fits) : fits;
  }
  bool drops = effective(p.mode) == GatherMode::fill_or_drop;
  Value update = lax::reshape(updates, sizes);
  if (K != ScatterKind::set || drops) {
    Value old = lax::dynamic_slice(x, starts, sizes);
    update = combined<K>(old, update);
    if (drops) update = lax::select(inside, update, old);
  }
  return {lax::dynamic_update_slice(x, update, starts)};
}

template <ScatterKind K>
KernelSpec scatter_kernel(const LowerArgs& a) {
  constexpr Combine combine[] = {Combine::set, Combine::add, Combine::sub,
                                 Combine::mul, Combine::min, Combine::max};
  auto& p = a.params.as<ScatterParams>();
  ScatterAttrs k;
  k.combine = combine[int(K)];
  k.dtype = a.in[0].dtype;
  k.index_dtype = a.in[1].dtype;
  k.mode = index_mode(effective(p.mode));
  k.unique = p.unique_indices;
  k.operand_shape = a.in[0].shape;
  k.indices_shape = a.in[1].shape;
  k.updates_shape = a.in[2].shape;
  k.update_window_dims = p.update_window_dims;
  k.inserted_window_dims = p.inserted_window_dims;
  k.scatter_dims_to_operand_dims = p.scatter_dims_to_operand_dims;
  k.operand_batching_dims = p.operand_batching_dims;
  k.scatter_indices_batching_dims = p.scatter_indices_batching_dims;
  return {"scatter", encode_attrs(k)};
}

template <ScatterKind K>
constexpr Primitive scatter_primitive(
    const char* name, Dual (*jvp)(const JvpArgs&),
    Values (*transpose)(const TransposeArgs&)) {
  return {
      .name = name,
      .flags = K == ScatterKind::set ? kInPlace | kMovesValues : kInPlace,
      .params = params_of<ScatterParams>,
      .type = scatter_type<K>,
      .eval = scatter_eval<K>,
      .jvp = jvp,
      .transpose = transpose,
      .batch = scatter_batch,
      .kernel = scatter_kernel<K>,
      .hlo = [](const HloArgs& a) { return hlo::scatter(a, K); },
      .shortcut = scatter_one_window<K>,
  };
}

}  // namespace

constinit const Primitive scatter_p = scatter_primitive<ScatterKind::set>(
    "scatter", scatter_set_jvp, scatter_set_transpose);
constinit const Primitive scatter_add_p = scatter_primitive<ScatterKind::add>(
    "scatter-add", scatter_add_jvp, scatter_add_transpose<ScatterKind::add>);
constinit const Primitive scatter_sub_p = scatter_primitive<ScatterKind::sub>(
    "scatter-sub", scatter_add_jvp, scatter_add_transpose<ScatterKind::sub>);
constinit const Primitive scatter_mul_p = scatter_primitive<ScatterKind::mul>(
    "scatter-mul", scatter_mul_jvp, scatter_mul_transpose);
constinit const Primitive scatter_min_p = scatter_primitive<ScatterKind::min>(
    "scatter-min", scatter_extremal_jvp, nullptr);
constinit const Primitive scatter_max_p = scatter_primitive<ScatterKind::max>(
    "scatter-max", scatter_extremal_jvp, nullptr);
COTAN_REGISTER(scatter_p);
COTAN_REGISTER(scatter_add_p);
COTAN_REGISTER(scatter_sub_p);
COTAN_REGISTER(scatter_mul_p);
COTAN_REGISTER(scatter_min_p);
COTAN_REGISTER(scatter_max_p);

}  // namespace ops

namespace lax {

Value scatter(ScatterKind kind, const Value& x, const Value& indices,
              const Value& updates, ScatterParams params) {
  return bind1(*ops::kScatters[int(kind)],
               {x, ops::wide_indices(indices), updates}, std::move(params));
}

}  // namespace lax
}  // namespace cotan
