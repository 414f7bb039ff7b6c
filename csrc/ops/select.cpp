// select_n and clamp: choosing between values.
#include "ops/folds.h"
#include "ops/rules.h"

namespace cotan {

using namespace ops;

extern const Primitive select_n_p, clamp_p;

namespace {

// which: bool or int32, of the cases' shape or rank 0; cases agree exactly or
// are rank 0.
Avals select_type(const TypeArgs& a) {
  if (a.in.size() < 2) throw_type("[select_n] needs at least one case");
  const Aval& which = a.in[0];
  if (which.dtype != DType::bool_ && which.dtype != DType::i32)
    throw_type("select_n: `which` must have dtype bool or int32, got ",
               dtype_name(which.dtype), ".");
  if (which.dtype == DType::bool_ && a.in.size() > 3)
    throw_type(
        "select_n: a bool `which` selects between at most two cases, "
        "got ",
        a.in.size() - 1, ".");
  Aval out = common_type({a.self, a.in.subspan(1), a.params}, any_dtype);
  if (out.rank() == 0 && which.rank() > 0) out.shape = which.shape;
  if (which.rank() != 0 && which.shape != out.shape)
    throw_type(
        "select_n: `which` must be a scalar or have the shape of the "
        "cases, got ",
        shape_string(which.shape), " and ", shape_string(out.shape), ".");
  return {out};
}

Dual select_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Values x{a.x[0]};
  for (size_t i = 1; i < a.x.size(); ++i)
    x.push_back(a.t[i] ? a.t[i] : lax::constant_like(a.x[i], 0));
  return {{y}, {fit_tangent(bind1(a.self, x), y)}};
}

Values select_transpose(const TransposeArgs& a) {
  Values out{nullptr};
  for (size_t i = 1; i < a.x.size(); ++i) {
    if (a.x[i]) {
      out.push_back(nullptr);
      continue;
    }
    Values x{a.x[0]};
    for (size_t k = 1; k < a.x.size(); ++k)
      x.push_back(k == i ? a.ct[0] : lax::constant_like(a.ct[0], 0));
    out.push_back(unbroadcast(bind1(a.self, x), a.avals[i]));
  }
  return out;
}

}  // namespace

constinit const Primitive select_n_p = {
    .name = "select_n",
    .flags = kSeesHalf,
    .type = select_type,
    .eval = scalar_eval,
    .jvp = select_jvp,
    .transpose = select_transpose,
    .batch = elementwise_batch,
    .scalar = [](ScalarEmitter& e, Scalars x, const Params&) -> ScalarOuts {
      if (x[0].dtype == DType::bool_)
        return x.size() == 2 ? x[1] : e.select(x[0], x[2], x[1]);
      Scalar y = x[x.size() - 1];  // out of range: the nearest case
      for (size_t i = x.size() - 1; i-- > 1;)
        y = e.select(e.le(x[0], e.constant_int(DType::i32, int64_t(i) - 1)),
                     x[i], y);
      return y;
    },
    .fold = fold_select,
};
COTAN_REGISTER(select_n_p);
Value lax::select_n(const Value& which, std::span<const Value> cases) {
  Values x{which};
  x.append(cases.begin(), cases.end());
  return bind1(select_n_p, x);
}

constinit const Primitive clamp_p = {
    .name = "clamp",
    .type = nary_type<3, ordered>,
    .eval = scalar_eval,
    // Zero at and beyond the bounds, as in JAX.
    .jvp = [](const JvpArgs& a) -> Dual {
      Value y = bind1(a.self, a.x, a.params);
      const Value &lo = a.x[0], &x = a.x[1], &hi = a.x[2];
      Value t;
      auto add_part = [&](const Value& mask, const Value& ti) {
        if (!ti) return;
        Value part = lax::select(mask, ti, lax::constant_like(y, 0));
        t = t ? add_any(t, part) : part;
      };
      if (a.t[1]) {
        Value inside = lax::bitwise_and(lax::gt(x, lo), lax::lt(x, hi));
        add_part(inside, a.t[1]);
      }
      if (a.t[0])
        add_part(lax::bitwise_and(lax::gt(lo, x), lax::lt(lo, hi)), a.t[0]);
      if (a.t[2]) add_part(lax::gt(x, hi), a.t[2]);
      return {{y}, {fit_tangent(t, y)}};
    },
    .batch = elementwise_batch,
    .scalar = [](ScalarEmitter& e, Scalars x, const Params&) -> ScalarOuts {
      // min(max(x, lo), hi); a nan in x or in a bound gives nan.
      Scalar y = e.select(e.lt(x[1], x[0]), x[0], x[1]);
      y = e.select(e.gt(y, x[2]), x[2], y);
      if (is_inexact(x[0].dtype)) {
        y = e.select(e.is_nan(x[0]), x[0], y);
        y = e.select(e.is_nan(x[2]), x[2], y);
      }
      return y;
    },
    .cost = 4,
};
COTAN_REGISTER(clamp_p);
Value lax::clamp(const Value& lo, const Value& x, const Value& hi) {
  return bind1(clamp_p, {lo, x, hi});
}

}  // namespace cotan
