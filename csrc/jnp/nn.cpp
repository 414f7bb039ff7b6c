#include "jnp/nn.h"

#include <cmath>

#include "jnp/ufuncs.h"
#include "ops/lax.h"
#include "trace/trace.h"

namespace cotan::jnp {

namespace {

using lax::constant_like;

Value inexact(const Value& x) {
  TypeAndWeak t = to_inexact(type_of(x));
  return lax::convert(x, t.dtype, t.weak);
}

Value strong(const Value& x) { return lax::convert(x, x.dtype()); }

Value weak(double v) {
  return scalar_value(Literal::from_double(default_float(), v, true));
}
Value weak_int(int64_t v) {
  return scalar_value(Literal::from_int(default_int(), v, true));
}

// f with the derivative d, both functions of one value. The rule is only
// recorded where something may differentiate it.
template <class F, class D>
Value with_derivative(const char* name, F f, D d, const Value& x) {
  if (is_evaluating()) return f(x);
  CallableRef fun =
      make_callable([f](std::span<const Value> a) { return Values{f(a[0])}; });
  CallableRef jvp = make_callable([f, d](std::span<const Value> a) {
    return Values{f(a[0]), lax::mul(a[1], d(a[0]))};
  });
  Value args[] = {x};
  return lax::custom_jvp(fun, jvp, args, name)[0];
}

}  // namespace

// ---- one operand

Value relu(const Value& x) {
  // Not max: a tie at 0 would give half of the tangent.
  Value y = x.dtype() == DType::bool_ ? add(x, weak_int(0)) : x;
  Value zero = constant_like(y, 0);
  return lax::select(lax::le(y, zero), zero, y);
}
Value relu6(const Value& x) {
  Value y = is_inexact(x.dtype()) ? x : add(x, weak(0));
  Value zero = constant_like(y, 0), six = constant_like(y, 6);
  Value capped = lax::select(lax::ge(y, six), six, y);
  return lax::select(lax::le(y, zero), zero, capped);
}
Value sigmoid(const Value& x) { return lax::logistic(inexact(x)); }

Value softplus(const Value& x) {
  auto f = [](const Value& v) {
    Value tail = lax::log1p(lax::exp(lax::neg(lax::abs(v))));
    return lax::add(lax::max(v, constant_like(v, 0)), tail);
  };
  Value y = inexact(x);
  if (is_complex(y.dtype())) return logaddexp(y, constant_like(y, 0));
  return with_derivative("softplus", f, lax::logistic, y);
}
Value log_sigmoid(const Value& x) {
  return lax::neg(softplus(lax::neg(inexact(x))));
}
Value silu(const Value& x) {
  Value y = inexact(x);
  return lax::mul(y, lax::logistic(y));
}
Value mish(const Value& x) {
  Value y = inexact(x);
  return lax::mul(y, lax::tanh(softplus(y)));
}
Value soft_sign(const Value& x) {
  return true_divide(x, add(absolute(x), weak_int(1)));
}
Value sparse_plus(const Value& x) {
  Value square = integer_power(add(x, weak(1)), 2);
  Value inner =
      where(greater_equal(x, weak(1)), x, true_divide(square, weak_int(4)));
  return where(less_equal(x, weak(-1)), weak(0), inner);
}
Value sparse_sigmoid(const Value& x) {
  Value shifted = add(x, weak(1));
  Value clipped = minimum(maximum(shifted, weak(0)), weak(2));
  return multiply(weak(0.5), clipped);
}
Value hard_sigmoid(const Value& x) {
  return true_divide(relu6(add(x, weak(3))), weak(6));
}
Value hard_silu(const Value& x) { return multiply(x, hard_sigmoid(x)); }
Value hard_tanh(const Value& x) {
  Value below = where(less(x, weak_int(-1)), weak_int(-1), x);
  return where(greater(x, weak_int(1)), weak_int(1), below);
}
Value selu(const Value& x) {
  return multiply(weak(1.0507009873554805), elu(x, weak(1.6732632423543772)));
}
Value gelu(const Value& x) {
  Value y = strong(inexact(x));
  Value cubic = lax::mul(constant_like(y, 0.044715), lax::integer_pow(y, 3));
  Value inner =
      lax::mul(constant_like(y, std::sqrt(2 / M_PI)), lax::add(y, cubic));
  Value cdf = lax::mul(constant_like(y, 0.5),
                       lax::add(constant_like(y, 1), lax::tanh(inner)));
  return lax::mul(y, cdf);
}
Value gelu_exact(const Value& x) {
  Value y = strong(inexact(x));
  Value tail = lax::erfc(lax::mul(lax::neg(y), constant_like(y, M_SQRT1_2)));
  return lax::mul(lax::mul(constant_like(y, 0.5), y), tail);
}
Value log1mexp(const Value& x) {
  Value y = inexact(x);
  Value low = lax::log(lax::neg(lax::expm1(lax::neg(y))));
  Value high = lax::log1p(lax::neg(lax::exp(lax::neg(y))));
  return lax::select(lax::lt(y, constant_like(y, M_LN2)), low, high);
}

// ---- with a parameter

Value elu(const Value& x, const Value& alpha) {
  Value positive = greater(x, weak_int(0));
  // The unused branch must not overflow: its tangent would be nan.
  Value safe = where(positive, weak(0), x);
  return where(positive, x, multiply(alpha, expm1(safe)));
}
Value celu(const Value& x, const Value& alpha) {
  Value negative = true_divide(minimum(x, weak(0)), alpha);
  return add(maximum(x, weak(0)), multiply(alpha, expm1(negative)));
}
Value leaky_relu(const Value& x, const Value& negative_slope) {
  return where(greater_equal(x, weak_int(0)), x, multiply(negative_slope, x));
}
Value squareplus(const Value& x, const Value& b) {
  Value root = sqrt(add(square(x), b));
  return true_divide(add(x, root), weak_int(2));
}

// ---- over axes

namespace {

Value spread(const Value& y, const Shape& shape, const Axes& axes) {
  Axes kept;
  for (int64_t d = 0; d < int64_t(shape.size()); ++d)
    if (std::find(axes.begin(), axes.end(), d) == axes.end()) kept.push_back(d);
  return broadcast_in_dim(y, shape, std::move(kept));
}

Value masked(const Value& where_, const Value& x, double otherwise) {
  return where_ ? where(where_, x, constant_like(x, otherwise)) : x;
}

Value broadcast_mask(const Value& mask, const Shape& shape) {
  return mask ? broadcast_to(mask, shape) : mask;
}

// The greatest element; a constant for differentiation.
Value shift_of(const Value& x, const Axes& axes, const Value& mask) {
  return lax::stop_gradient(lax::reduce_max(masked(mask, x, -INFINITY), axes));
}

Value plain_softmax(const Value& x, const Axes& axes, const Value& mask) {
  const Shape& shape = x.shape();
  Value shift = spread(shift_of(x, axes, mask), shape, axes);
  Value e = lax::exp(lax::sub(masked(mask, x, -INFINITY), shift));
  Value total = lax::reduce_sum(masked(mask, e, 0), axes);
  return masked(mask, lax::div(e, spread(total, shape, axes)), 0);
}

}  // namespace

Value softmax(const Value& x, const Axes& axes, const Value& where_) {
  Value y = inexact(x);
  y = lax::convert(y, y.dtype());  // never weak
  Value mask = broadcast_mask(where_, y.shape());
  if (is_evaluating()) return plain_softmax(y, axes, mask);
  auto fun = make_callable([axes](std::span<const Value> a) {
    return Values{plain_softmax(a[0], axes, a.size() > 1 ? a[1] : nullptr)};
  });
  // y * (t - sum(y * t)): only y is kept for the way back.
  auto jvp = make_callable([axes](std::span<const Value> a) {
    bool with_mask = a.size() > 2;
    Value p = softmax(a[0], axes, with_mask ? a[1] : nullptr);
    const Value& t = a[with_mask ? 2 : 1];
    Value mean = lax::reduce_sum(lax::mul(p, t), axes);
    Value rest = lax::sub(t, spread(mean, t.shape(), axes));
    Values out{p, lax::mul(p, rest)};
    return out;
  });
  Values args{y};
  if (mask) args.push_back(mask);
  return lax::custom_jvp(fun, jvp, args, "softmax")[0];
}

Value log_softmax(const Value& x, const Axes& axes, const Value& where_) {
  Value y = inexact(x);
  y = lax::convert(y, y.dtype());  // never weak
  Value mask = broadcast_mask(where_, y.shape());
  Value shift = spread(shift_of(y, axes, mask), y.shape(), axes);
  Value shifted = lax::sub(masked(mask, y, -INFINITY), shift);
  Value total = lax::reduce_sum(masked(mask, lax::exp(shifted), 0), axes);
  Value rest = spread(lax::log(total), y.shape(), axes);
  return masked(mask, lax::sub(shifted, rest), -INFINITY);
}

Value logsumexp(const Value& x, const Axes& axes, bool keepdims, const Value& b,
                const Value& where_, Value* sign) {
  Value a = where_ ? where(where_, x, weak_int(0)) : x;
  Value factor;
  if (b) {
    Value both[] = {a, b};
    Values v = promote_inexact("logsumexp", both);
    Shape s = broadcast_shapes(std::vector<Shape>{v[0].shape(), v[1].shape()});
    a = broadcast_to(v[0], s);
    factor = broadcast_to(v[1], s);
    a = where(lax::ne(factor, constant_like(factor, 0)), a,
              constant_like(a, -INFINITY));
  } else {
    a = inexact(a);
  }
  a = lax::convert(a, a.dtype());  // never weak
  Value mask = broadcast_mask(where_, a.shape());
  Value top = shift_of(real(a), axes, mask);
  top = lax::select(lax::is_finite(top), top, constant_like(top, 0));
  Value shift =
      spread(lax::convert(top, a.dtype(), a.weak_type()), a.shape(), axes);
  Value e = lax::exp(lax::sub(a, shift));
  if (factor) e = lax::mul(e, factor);
  Value total = lax::reduce_sum(masked(mask, e, 0), axes);
  Value s = sign || factor ? lax::sign(total) : nullptr;
  if (sign || !is_complex(a.dtype())) total = lax::abs(total);
  Value out = lax::log(total);
  out = lax::add(out, lax::convert(top, out.dtype(), out.weak_type()));
  if (!sign && factor && !is_complex(out.dtype()))
    out = where(lax::lt(s, constant_like(s, 0)), constant_like(out, NAN), out);
  auto keep = [&](const Value& v) {
    return keepdims ? lax::expand_dims(v, axes) : v;
  };
  if (sign) *sign = keep(s);
  return keep(out);
}

}  // namespace cotan::jnp
