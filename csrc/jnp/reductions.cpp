#include "jnp/reductions.h"

#include <algorithm>

#include "base/error.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"

namespace cotan::jnp {

using lax::constant_like;

namespace {

constexpr const char* kNames[] = {"sum", "prod", "max", "min", "all", "any"};
constexpr Monoid kMonoids[] = {Monoid::sum, Monoid::prod, Monoid::max,
                               Monoid::min, Monoid::and_, Monoid::or_};

// What sums and products of t have: at least the default integer.
DType promoted_integer(DType t) {
  if (t == DType::bool_) return default_int();
  if (is_unsigned_int(t)) {
    DType u = canonical(DType::u64);
    return itemsize(t) < itemsize(u) ? u : t;
  }
  if (is_int(t)) {
    DType i = default_int();
    return itemsize(t) < itemsize(i) ? i : t;
  }
  return t;
}

void check_where(const char* name, const Value& where) {
  if (where && where.dtype() != DType::bool_)
    throw_value("jnp.", name,
                ": where must be None or a boolean array; got where.dtype=",
                dtype_name(where.dtype()), ".");
}

Value combine(Monoid m, const Value& a, const Value& b) {
  switch (m) {
    case Monoid::sum:
      return lax::add(a, b);
    case Monoid::prod:
      return lax::mul(a, b);
    case Monoid::max:
      return lax::max(a, b);
    case Monoid::min:
      return lax::min(a, b);
    case Monoid::and_:
      return lax::bitwise_and(a, b);
    default:
      return lax::bitwise_or(a, b);
  }
}

Value keep_dims(const Value& x, Axes axes) {
  if (axes.empty()) return x;
  std::sort(axes.begin(), axes.end());
  return lax::expand_dims(x, std::move(axes));
}

void check_not_empty(const char* name, const Value& x, const Axes& axes) {
  for (int64_t d : axes)
    if (x.shape()[size_t(d)] == 0)
      throw_value("zero-size array to reduction operation ", name,
                  " which has no identity");
}

}  // namespace

Value reduction(Reducer r, const Value& x, const ReduceOptions& o) {
  const char* name = kNames[int(r)];
  Monoid m = kMonoids[int(r)];
  bool numeric = r == Reducer::sum || r == Reducer::prod;
  bool logical = r == Reducer::all || r == Reducer::any;
  bool extremum = r == Reducer::max || r == Reducer::min;
  check_where(name, o.where);
  if (is_key(x.dtype()))
    throw_type(name, " does not accept dtype ", dtype_name(x.dtype()), ".");
  if (extremum && !o.initial && o.where)
    throw_value("reduction operation ", name,
                " does not have an identity, so to use a where mask one has "
                "to specify 'initial'");
  Axes axes = canonical_axes(o.axes, x.rank());
  if (extremum && !o.initial) check_not_empty(name, x, axes);

  DType result = x.dtype();
  if (logical)
    result = DType::bool_;
  else if (o.dtype)
    result = canonical(*o.dtype);
  else if (numeric && o.promote_integers)
    result = promoted_integer(result);
  else if (numeric && result == DType::bool_)
    result = default_int();
  DType compute = numeric && !o.dtype ? computation_dtype(result) : result;

  Value y = logical && is_complex(x.dtype()) ? lax::ne(x, constant_like(x, 0))
                                             : lax::convert(x, compute);
  if (compute == DType::bool_) {  // sums and products asked for as bool
    if (m == Monoid::sum) m = Monoid::or_;
    if (m == Monoid::prod) m = Monoid::and_;
  }
  if (o.where) y = where(o.where, y, scalar_value(monoid_identity(m, compute)));
  Axes sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  if (!axes.empty()) y = lax::reduce(y, m, std::move(sorted));
  if (o.initial) {
    if (o.initial.rank() != 0)
      throw_value("initial value must be a scalar. Got array of shape ",
                  shape_string(o.initial.shape()));
    y = combine(m, lax::convert(o.initial, y.dtype()), y);
  }
  if (o.keepdims) y = keep_dims(y, std::move(axes));
  return lax::convert(y, result);
}

Value sum(const Value& x, const ReduceOptions& o) {
  return reduction(Reducer::sum, x, o);
}

Value count(const Value& x, const ReduceOptions& o, DType t) {
  if (o.where) {
    ReduceOptions c{.axes = o.axes,
                    .dtype = t,
                    .keepdims = o.keepdims,
                    .initial = {},
                    .where = {}};
    return sum(broadcast_to(o.where, x.shape()), c);
  }
  int64_t n = 1;
  for (int64_t d : canonical_axes(o.axes, x.rank())) n *= x.shape()[size_t(d)];
  return scalar_value(Literal::from_double(t, double(n)));
}

Value mean(const Value& x, const ReduceOptions& o) {
  check_where("mean", o.where);
  DType result =
      o.dtype ? canonical(*o.dtype) : to_inexact({x.dtype(), false}).dtype;
  ReduceOptions s = o;
  s.dtype = o.dtype ? result : computation_dtype(result);
  Value total = sum(x, s);
  return lax::convert(lax::div(total, count(x, o, *s.dtype)), result);
}

Value variance(const Value& x, const ReduceOptions& o, const Value& correction,
               const Value& center) {
  check_where("var", o.where);
  DType compute =
      o.dtype ? canonical(*o.dtype) : to_inexact({x.dtype(), false}).dtype;
  if (o.dtype && is_complex(x.dtype()) && !is_complex(compute))
    throw_value(
        "cotan.numpy.var does not support real dtype parameters when computing "
        "the variance of an array of complex values.");
  DType result = o.dtype ? compute : real_dtype(compute);
  compute = computation_dtype(compute);
  Value y = lax::convert(x, compute);
  ReduceOptions m = o;
  m.dtype = compute;
  m.keepdims = true;
  Value mid = center ? lax::convert(center, compute) : mean(y, m);
  Value d = subtract(y, mid);
  if (is_complex(compute)) {
    d = lax::real(lax::mul(d, lax::conj(d)));
    compute = d.dtype();
  } else {
    d = lax::square(d);
  }
  ReduceOptions s = o;
  s.dtype = compute;
  Value total = sum(d, s);
  // Not a positive number of degrees of freedom: nan.
  Value n = count(x, o, compute);
  Literal off = correction->kind == ValueKind::scalar
                    ? correction.as<ScalarObj>().literal
                    : Literal{};
  if (n->kind == ValueKind::scalar && correction->kind == ValueKind::scalar) {
    double left = n.as<ScalarObj>().literal.to_double() - off.to_double();
    Value divisor = scalar_value(Literal::from_double(compute, left));
    Value v = lax::convert(lax::div(total, divisor), result);
    return left > 0 ? v : lax::add(v, constant_like(v, __builtin_nan("")));
  }
  Value divisor = lax::sub(n, lax::convert(correction, compute));
  Value v = lax::convert(lax::div(total, divisor), result);
  return where(lax::gt(divisor, constant_like(divisor, 0)), v,
               constant_like(v, __builtin_nan("")));
}

Value arg_extremum(bool greatest, const Value& x, std::optional<int64_t> axis,
                   bool keepdims, std::optional<DType> index) {
  const char* name = greatest ? "argmax" : "argmin";
  int64_t d = axis ? canonical_axis(*axis, x.rank()) : 0;
  Value y = axis ? x : ravel(x);
  if (y.shape()[size_t(d)] == 0)
    throw_value("attempt to get ", name, " of an empty sequence");
  Value r = lax::argreduce(y, greatest ? Monoid::argmax : Monoid::argmin, d,
                           index ? canonical(*index) : default_int());
  if (!keepdims) return r;
  return axis ? lax::expand_dims(r, {d})
              : lax::reshape(r, Shape(size_t(x.rank()), 1));
}

Value cumulative(CumulativeKind kind, const Value& x,
                 std::optional<int64_t> axis, std::optional<DType> dtype,
                 bool reverse) {
  Value y = axis ? x : ravel(x);
  int64_t d = axis ? canonical_axis(*axis, x.rank()) : 0;
  DType t = dtype ? canonical(*dtype) : x.dtype();
  if (t == DType::bool_) t = default_int();
  return lax::cumulative(lax::convert(y, t), kind, d, reverse);
}

}  // namespace cotan::jnp
