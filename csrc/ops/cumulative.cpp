// cumsum, cumprod, cummax, cummin, cumlogsumexp: running combinations along
// one axis. One record per kind, from cumulative_primitive<kind>().
//
// cumsum is linear. The tangents of the others are an associative scan over
// pairs (value, tangent), as in JAX, so ties share as they do there.
#include "ir/kernel_attrs.h"
#include "ops/hlo_rules.h"
#include "ops/host_loop.h"
#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive cumsum_p, cumprod_p, cummax_p, cummin_p, cumlogsumexp_p;

namespace {

constexpr const Primitive* kCumulatives[] = {&cumsum_p, &cumprod_p, &cummax_p,
                                             &cummin_p, &cumlogsumexp_p};

template <CumulativeKind K>
Avals cumulative_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == 1);
  auto& p = a.params.as<CumulativeParams>();
  const Aval& x = a.in[0];
  if (p.axis < 0 || p.axis >= x.rank())
    throw_value("[", a.self.name, "] axis ", p.axis,
                " is out of bounds for array of shape ", shape_string(x.shape));
  constexpr bool is_logsumexp = K == CumulativeKind::logsumexp;
  if (is_logsumexp ? !is_float(x.dtype) : !is_numeric(x.dtype))
    throw_type("[", a.self.name, "] ", a.self.name, " does not accept dtype ",
               dtype_name(x.dtype), ". Accepted dtypes are subtypes of ",
               is_logsumexp ? "floating." : "number.");
  return {x};
}

// ---- reference
template <class T>
T log_add_exp(T a, T b) {
  T high = std::fmax(a, b), low = std::fmin(a, b);
  if (std::isnan(a) || std::isnan(b)) return a + b;
  if (std::isinf(high)) return high;
  return high + std::log1p(std::exp(low - high));
}

// The running value is kept in a wider type for 16-bit floats.
template <class T>
auto widened(T x) {
  if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>)
    return to_float(x);
  else
    return x;
}
template <class T, class W>
T narrowed(W x) {
  if constexpr (std::is_same_v<T, f16_t>)
    return to_f16(x);
  else if constexpr (std::is_same_v<T, bf16_t>)
    return to_bf16(x);
  else
    return x;
}

template <CumulativeKind K, class W>
W combine(W a, W b) {
  if constexpr (K == CumulativeKind::logsumexp) {
    if constexpr (std::is_floating_point_v<W>) return log_add_exp(a, b);
    return a;  // excluded by the type rule
  } else {
    constexpr HostOp ops[] = {HostOp::add, HostOp::mul, HostOp::max,
                              HostOp::min};
    return host_apply(ops[int(K)], a, b);
  }
}

template <CumulativeKind K>
void cumulative_eval(const EvalArgs& a) {
  auto& p = a.params.as<CumulativeParams>();
  auto shape = a.in[0].shape;
  auto axis = size_t(p.axis);
  int64_t n = shape[axis], outer = num_elements(shape.first(axis)),
          inner = num_elements(shape.subspan(axis + 1));
  if (n == 0) return;
  visit_dtype(a.in[0].dtype, [&]<class T>() {
    const T* x = a.in[0].as<T>();
    T* y = a.out[0].as<T>();
    for (int64_t lane = 0; lane < outer * inner; ++lane) {
      int64_t base = lane / inner * n * inner + lane % inner;
      auto at = [&](int64_t i) {
        return base + (p.reverse ? n - 1 - i : i) * inner;
      };
      auto running = widened(x[at(0)]);
      y[at(0)] = x[at(0)];
      for (int64_t i = 1; i < n; ++i) {
        running = combine<K>(running, widened(x[at(i)]));
        y[at(i)] = narrowed<T>(running);
      }
    }
  });
}

// ---- derivatives
struct Pair {
  Value x, t;
};

Value along(const Value& v, int64_t axis, int64_t start, int64_t limit,
            int64_t stride) {
  Dims from(v.shape().size(), 0), to = v.shape(), step(v.shape().size(), 1);
  from[size_t(axis)] = start;
  to[size_t(axis)] = limit;
  step[size_t(axis)] = stride;
  return lax::slice(v, from, to, step);
}
Pair along(const Pair& v, int64_t axis, int64_t start, int64_t limit,
           int64_t stride) {
  return {along(v.x, axis, start, limit, stride),
          along(v.t, axis, start, limit, stride)};
}

// a[0], b[0], a[1], b[1], ...
Value interleave(const Value& a, const Value& b, int64_t axis) {
  int64_t na = a.shape()[size_t(axis)], nb = b.shape()[size_t(axis)];
  auto spread = [&](const Value& v, int64_t low, int64_t high) {
    std::vector<PadDim> config(v.shape().size(), PadDim{0, 0, 0});
    config[size_t(axis)] = {low, high, 1};
    return lax::pad(v, scalar_value(v.dtype(), 0), std::move(config));
  };
  return lax::add(spread(a, 0, na == nb), spread(b, 1, na != nb));
}

// Combines neighbours, scans the half as long result, and fills in the rest:
// log2(n) levels (Blelloch).
template <class F>
Pair associative_scan(F f, const Pair& v, int64_t axis) {
  int64_t n = v.x.shape()[size_t(axis)];
  if (n < 2) return v;
  Pair halved = f(along(v, axis, 0, n - 1, 2), along(v, axis, 1, n, 2));
  Pair odd = associative_scan(f, halved, axis);
  Pair even = along(v, axis, 0, 1, 1);
  if (n > 2) {
    int64_t m = odd.x.shape()[size_t(axis)] - (n % 2 == 0);
    Pair rest = f(along(odd, axis, 0, m, 1), along(v, axis, 2, n, 2));
    Value xs[] = {even.x, rest.x}, ts[] = {even.t, rest.t};
    even = {lax::concatenate(xs, axis), lax::concatenate(ts, axis)};
  }
  return {interleave(even.x, odd.x, axis), interleave(even.t, odd.t, axis)};
}

Pair product(const Pair& a, const Pair& b) {
  return {lax::mul(a.x, b.x), lax::add(lax::mul(a.t, b.x), lax::mul(b.t, a.x))};
}

// 1 where a wins, 1/2 where both are equal, 0 where b wins.
template <bool Max>
Pair extremum(const Pair& a, const Pair& b) {
  Value y = Max ? lax::max(a.x, b.x) : lax::min(a.x, b.x);
  auto share = [&](const Value& mine, const Value& other) {
    Value one = lax::full(y.shape(), Literal::from_double(y.dtype(), 1));
    Value half = lax::full(y.shape(), Literal::from_double(y.dtype(), 0.5));
    Value win = lax::select(lax::eq(other, y), half, one);
    return lax::select(lax::eq(mine, y), win, zeros_like(y));
  };
  return {y, lax::add(lax::mul(a.t, share(a.x, b.x)),
                      lax::mul(b.t, share(b.x, a.x)))};
}

Value log_add_exp(const Value& a, const Value& b) {
  Value high = lax::max(a, b), delta = lax::sub(a, b);
  Value usual = lax::add(high, lax::log1p(lax::exp(lax::neg(lax::abs(delta)))));
  // inf - inf is nan; a + b is the infinity, or nan where one is nan.
  return lax::select(lax::ne(delta, delta), lax::add(a, b), usual);
}

Pair log_sum(const Pair& a, const Pair& b) {
  Value y = log_add_exp(a.x, b.x);
  // As in JAX: +inf counts as 0 in the weights, so they are not nan.
  auto finite = [](const Value& v) {
    Value inf = lax::constant_like(v, INFINITY);
    return lax::select(lax::eq(v, inf), zeros_like(v), v);
  };
  Value base = finite(y);
  auto weighted = [&](const Pair& v) {
    return lax::mul(v.t, lax::exp(lax::sub(finite(v.x), base)));
  };
  return {y, lax::add(weighted(a), weighted(b))};
}

template <auto F>
Dual scan_jvp(const JvpArgs& a) {
  auto& p = a.params.as<CumulativeParams>();
  Pair v = {a.x[0], a.t[0]};
  if (p.reverse) v = {lax::rev(v.x, {p.axis}), lax::rev(v.t, {p.axis})};
  Value t = associative_scan(F, v, p.axis).t;
  if (p.reverse) t = lax::rev(t, {p.axis});
  return {{bind1(a.self, a.x, a.params)}, {t}};
}

Values cumsum_transpose(const TransposeArgs& a) {
  auto p = a.params.as<CumulativeParams>();
  p.reverse = !p.reverse;
  return {bind1(a.self, {a.ct[0]}, p)};
}

Batched cumulative_batch(const BatchArgs& a) {
  auto p = a.params.as<CumulativeParams>();
  p.axis += a.dims[0] <= p.axis;
  return batched_at(bind1(a.self, a.x, p), a.dims[0]);
}

template <CumulativeKind K>
KernelSpec cumulative_kernel(const LowerArgs& a) {
  constexpr Cumulative kinds[] = {Cumulative::sum, Cumulative::prod,
                                  Cumulative::max, Cumulative::min,
                                  Cumulative::logsumexp};
  auto& p = a.params.as<CumulativeParams>();
  std::span<const int64_t> shape = a.in[0].shape;
  auto axis = size_t(p.axis);
  CumulativeAttrs k;
  k.kind = kinds[int(K)];
  k.dtype = a.in[0].dtype;
  k.outer = num_elements(shape.first(axis));
  k.n = shape[axis];
  k.inner = num_elements(shape.subspan(axis + 1));
  k.reverse = p.reverse;
  return {"cumulative", encode_attrs(k)};
}

template <CumulativeKind K>
constexpr Primitive cumulative_primitive(const char* name,
                                         Dual (*jvp)(const JvpArgs&)) {
  constexpr bool is_sum = K == CumulativeKind::sum;
  return {
      .name = name,
      .flags = kInPlace | (is_sum ? kLinear : kNone),
      .params = params_of<CumulativeParams>,
      .type = cumulative_type<K>,
      .eval = cumulative_eval<K>,
      .jvp = jvp,
      .transpose = is_sum ? cumsum_transpose : nullptr,
      .batch = cumulative_batch,
      .kernel = cumulative_kernel<K>,
      .hlo = [](const HloArgs& a) { return hlo::cumulative(a, K); },
  };
}

}  // namespace

constinit const Primitive cumsum_p =
    cumulative_primitive<CumulativeKind::sum>("cumsum", linear_jvp);
constinit const Primitive cumprod_p =
    cumulative_primitive<CumulativeKind::prod>("cumprod", scan_jvp<product>);
constinit const Primitive cummax_p = cumulative_primitive<CumulativeKind::max>(
    "cummax", scan_jvp<extremum<true>>);
constinit const Primitive cummin_p = cumulative_primitive<CumulativeKind::min>(
    "cummin", scan_jvp<extremum<false>>);
constinit const Primitive cumlogsumexp_p =
    cumulative_primitive<CumulativeKind::logsumexp>("cumlogsumexp",
                                                    scan_jvp<log_sum>);
COTAN_REGISTER(cumsum_p);
COTAN_REGISTER(cumprod_p);
COTAN_REGISTER(cummax_p);
COTAN_REGISTER(cummin_p);
COTAN_REGISTER(cumlogsumexp_p);

}  // namespace ops

namespace lax {

Value cumulative(const Value& x, CumulativeKind kind, int64_t axis,
                 bool reverse) {
  return bind1(*ops::kCumulatives[int(kind)], {x},
               CumulativeParams{axis, reverse});
}

}  // namespace lax
}  // namespace cotan
