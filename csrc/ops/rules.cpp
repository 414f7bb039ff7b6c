#include "ops/rules.h"

#include <algorithm>
#include <cstring>

#include "emit/host_evaluator.h"
#include "emit/scalar_body.h"

namespace cotan::ops {

Aval common_type(const TypeArgs& a, DTypeTest test) {
  Aval out = a.in[0];
  bool weak = true, mixed = false, shapes_differ = false;
  for (const Aval& t : a.in) {
    mixed |= t.dtype != out.dtype;
    weak &= t.weak_type;
    if (t.rank() == 0) continue;
    if (out.rank() == 0) out.shape = t.shape;
    shapes_differ |= t.shape != out.shape;
  }
  out.weak_type = weak;
  if (mixed) {
    std::string got;
    for (const Aval& t : a.in) {
      if (!got.empty()) got += ", ";
      got += dtype_name(t.dtype);
    }
    throw_type("lax.", a.self.name,
               " requires arguments to have the same dtypes, got ", got,
               ". (Tip: cotan.numpy functions promote types automatically.)");
  }
  if (shapes_differ) {
    std::string got;
    for (const Aval& t : a.in) {
      if (!got.empty()) got += ", ";
      got += shape_string(t.shape);
    }
    throw_type(a.self.name, " got incompatible shapes for broadcasting: ", got,
               ".");
  }
  if (!test(out.dtype))
    throw_type(a.self.name, " does not accept dtype ", dtype_name(out.dtype),
               ".");
  return out;
}

void check_axes(const char* op, std::span<const int64_t> axes, int64_t rank,
                const Aval& operand) {
  std::vector<bool> seen(size_t(std::max<int64_t>(rank, 0)));
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= rank)
      throw_value("[", op, "] axis ", axis, " is out of range for operand ",
                  operand);
    if (seen[size_t(axis)])
      throw_value("[", op, "] axis ", axis,
                  " is given twice: ", tuple_string(axes));
    seen[size_t(axis)] = true;
  }
}

// ---- reference evaluation

void kernel_eval(const EvalArgs& a) {
  Avals in, out;
  SmallVector<const void*, 4> from;
  SmallVector<void*, 4> to;
  auto aval = [](const HostView& v) {
    return Aval{v.dtype, false, Shape(v.shape.begin(), v.shape.end())};
  };
  for (const HostView& v : a.in) {
    in.push_back(aval(v));
    from.push_back(v.data);
  }
  for (const HostView& v : a.out) {
    out.push_back(aval(v));
    to.push_back(v.data);
  }
  run_kernel(a.self.kernel({a.params, in, out}), from.data(), to.data());
}

namespace {

char* element(const HostView& v, int64_t i) {
  return v.as<char>() + i * itemsize(v.dtype);
}

// Steps through all multi-indices of a shape in row-major order.
class IndexWalk {
 public:
  explicit IndexWalk(std::span<const int64_t> shape)
      : shape_(shape), index(shape.size(), 0) {}
  void next() {
    for (size_t d = shape_.size(); d-- > 0;) {
      if (++index[d] < shape_[d]) return;
      index[d] = 0;
    }
  }

 private:
  std::span<const int64_t> shape_;

 public:
  Dims index;
};

}  // namespace

void scalar_eval(const EvalArgs& a) {
  int64_t n = num_elements(a.out[0].shape);
  HostEvaluator& e = HostEvaluator::instance();
  SmallVector<Scalar, 4> in(a.in.size());
  SmallVector<DType, 2> out_types;
  for (const HostView& o : a.out) out_types.push_back(o.dtype);
  for (int64_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < a.in.size(); ++k) {
      int64_t at = a.in[k].shape.empty() ? 0 : i;
      in[k] = e.load(a.in[k].dtype, element(a.in[k], at));
    }
    ScalarOuts r = emit_scalar_body(e, a.self, in, a.params, out_types);
    for (size_t k = 0; k < a.out.size(); ++k)
      e.store(r.s[k], element(a.out[k], i));
  }
}

void view_eval(const EvalArgs& a) {
  SmallVector<Aval, 2> in;
  for (const HostView& v : a.in) in.push_back({v.dtype, false, Shape(v.shape)});
  Aval out{a.out[0].dtype, false, Shape(a.out[0].shape)};
  View view = a.self.view({a.params, in, out});
  size_t item = size_t(itemsize(out.dtype));
  auto* dst = a.out[0].as<char>();
  auto* src = a.in[0].as<char>();
  int64_t n = out.size();
  if (view.reshape) {
    std::memcpy(dst, src, size_t(n) * item);
    return;
  }
  Dims strides = row_major_strides(in[0].shape);
  IndexWalk walk(out.shape);
  for (int64_t i = 0; i < n; ++i, walk.next()) {
    int64_t at = 0;
    bool inside = true;
    for (size_t d = 0; d < view.dims.size(); ++d) {
      const ViewDim& v = view.dims[d];
      int64_t k = v.offset;
      if (v.out_dim >= 0) k += v.step * walk.index[size_t(v.out_dim)];
      inside &= k >= 0 && k % v.dilation == 0;
      k /= v.dilation;
      inside &= k < in[0].shape[d];
      at += k * strides[d];
    }
    const char* from =
        inside ? src + size_t(at) * item : a.in[view.guarded].as<char>();
    std::memcpy(dst + size_t(i) * item, from, item);
  }
}

void generate_eval(const EvalArgs& a) {
  HostEvaluator& e = HostEvaluator::instance();
  SmallVector<Aval, 2> in, out;
  for (const HostView& v : a.in) in.push_back({v.dtype, false, Shape(v.shape)});
  for (const HostView& v : a.out)
    out.push_back({v.dtype, false, Shape(v.shape)});
  int64_t n = out[0].size();
  IndexWalk walk(out[0].shape);
  SmallVector<Scalar, 6> index(out[0].shape.size());
  for (int64_t i = 0; i < n; ++i, walk.next()) {
    for (size_t d = 0; d < index.size(); ++d)
      index[d] = e.constant_int(DType::i64, walk.index[d]);
    ScalarOuts r = a.self.generate(e, index, {a.params, in, out});
    e.store(e.convert(r.s[0], out[0].dtype), element(a.out[0], i));
  }
}

namespace {

// One step of a monoid on the host; half types are accumulated in f32.
Scalar combine(HostEvaluator& e, Monoid m, Scalar acc, Scalar x) {
  switch (m) {
    case Monoid::sum:
      return e.add(acc, x);
    case Monoid::prod:
      return e.mul(acc, x);
    case Monoid::and_:
      return e.and_(acc, x);
    case Monoid::or_:
      return e.or_(acc, x);
    case Monoid::xor_:
      return e.xor_(acc, x);
    default:
      break;
  }
  if (x.dtype == DType::bool_)
    return m == Monoid::max ? e.or_(acc, x) : e.and_(acc, x);
  Scalar wins = m == Monoid::max ? e.gt(x, acc) : e.lt(x, acc);
  if (is_inexact(x.dtype))
    wins = e.and_(e.not_(e.is_nan(acc)), e.or_(wins, e.is_nan(x)));
  return e.select(wins, x, acc);
}

}  // namespace

void reduction_eval(const EvalArgs& a) {
  HostEvaluator& e = HostEvaluator::instance();
  Avals in{{a.in[0].dtype, false, Shape(a.in[0].shape)}};
  Avals out{{a.out[0].dtype, false, Shape(a.out[0].shape)}};
  Reduction r = a.self.reduction({a.params, in, out});
  bool arg = r.monoid == Monoid::argmax || r.monoid == Monoid::argmin;
  // Output strides seen from the operand's axes, 0 along reduced ones.
  Dims out_strides = row_major_strides(out[0].shape), strides;
  for (size_t d = 0, k = 0; d < in[0].shape.size(); ++d) {
    bool reduced =
        std::find(r.axes.begin(), r.axes.end(), int64_t(d)) != r.axes.end();
    strides.push_back(reduced ? 0 : out_strides[k++]);
  }
  int64_t n = in[0].size(), m = out[0].size();
  DType acc_type = is_half(in[0].dtype) ? DType::f32 : in[0].dtype;
  Scalar start = arg ? e.constant(acc_type, 0)
                     : e.constant(monoid_identity(r.monoid, acc_type));
  std::vector<Scalar> acc(size_t(m), start);
  std::vector<int64_t> where(size_t(m), arg ? -1 : 0);
  IndexWalk walk(in[0].shape);
  for (int64_t i = 0; i < n; ++i, walk.next()) {
    int64_t at = 0;
    for (size_t d = 0; d < strides.size(); ++d)
      at += walk.index[d] * strides[d];
    Scalar x = e.convert(e.load(in[0].dtype, element(a.in[0], i)), acc_type);
    Scalar& best = acc[size_t(at)];
    if (!arg) {
      best = combine(e, r.monoid, best, x);
      continue;
    }
    Scalar wins = r.monoid == Monoid::argmax ? e.gt(x, best) : e.lt(x, best);
    if (is_inexact(acc_type))
      wins = e.and_(e.not_(e.is_nan(best)), e.or_(wins, e.is_nan(x)));
    if (where[size_t(at)] < 0 || HostEvaluator::value<bool>(wins)) {
      best = x;
      where[size_t(at)] = walk.index[size_t(r.axes[0])];
    }
  }
  for (int64_t i = 0; i < m; ++i) {
    Scalar v = arg ? e.constant_int(out[0].dtype, where[size_t(i)])
                   : e.convert(acc[size_t(i)], out[0].dtype);
    e.store(v, element(a.out[0], i));
  }
}

// ---- batching

Batched elementwise_batch(const BatchArgs& a) {
  // All operands end at one batched shape, or stay rank 0 without a batch.
  int64_t rank = 0, dim = kNotBatched;
  for (size_t i = 0; i < a.x.size(); ++i) {
    int64_t r = a.x[i].rank() - (a.dims[i] != kNotBatched);
    if (r >= rank && a.dims[i] != kNotBatched &&
        (dim == kNotBatched || r > rank))
      dim = a.dims[i];
    rank = std::max(rank, r);
  }
  // The batch axis of the highest-rank batched operand is kept if it can be.
  Shape shape;
  for (size_t i = 0; i < a.x.size(); ++i) {
    int64_t r = a.x[i].rank() - (a.dims[i] != kNotBatched);
    if (r != rank || !shape.empty()) continue;
    shape = a.x[i].shape();
    if (a.dims[i] != kNotBatched) shape.erase(shape.begin() + a.dims[i]);
  }
  dim = std::min(dim == kNotBatched ? 0 : dim, rank);
  shape.insert(shape.begin() + dim, a.size);
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i) {
    bool batched = a.dims[i] != kNotBatched;
    int64_t r = a.x[i].rank() - batched;
    if (r == rank) {
      x.push_back(!batched && r == 0
                      ? a.x[i]
                      : batch_to(a.x[i], a.dims[i], a.size, dim));
    } else if (batched) {  // a batched scalar beside shaped operands
      x.push_back(broadcast_in_dim(a.x[i], shape, {dim}));
    } else {
      x.push_back(a.x[i]);
    }
  }
  Values out = bind_all(a.self, x, a.params);
  Batched b{std::move(out), {}};
  b.dims.assign(b.values.size(), dim);
  return b;
}

// ---- derivatives

Value fit_tangent(const Value& t, const Value& y) {
  if (!t || t.rank() == y.rank()) return t;
  return broadcast_in_dim(t, y.shape(), {});
}

Value sum_tangents(const Value& t0, const Value& t1, const Value& y) {
  if (t0 && t1) return fit_tangent(add_any(t0, t1), y);
  return fit_tangent(t0 ? t0 : t1, y);
}

Value unbroadcast(const Value& ct, const Aval& operand) {
  if (!ct || ct.rank() == operand.rank()) return ct;
  Axes axes;
  for (int64_t i = 0; i < ct.rank(); ++i) axes.push_back(i);
  return lax::reduce_sum(ct, axes);
}

Dual linear_jvp(const JvpArgs& a) {
  Values primals = bind_all(a.self, a.x, a.params);
  Values t;
  for (size_t i = 0; i < a.t.size(); ++i)
    t.push_back(a.t[i] ? a.t[i] : zeros_like(a.x[i]));
  return {std::move(primals), bind_all(a.self, t, a.params)};
}

Dual first_operand_jvp(const JvpArgs& a) {
  Values primals = bind_all(a.self, a.x, a.params);
  if (!a.t[0]) {
    Values none(primals.size());
    return {std::move(primals), std::move(none)};
  }
  Values x(a.x.begin(), a.x.end());
  x[0] = a.t[0];
  return {std::move(primals), bind_all(a.self, x, a.params)};
}

TransposedCall transposed_call(const JaxprRef& j, const TransposeArgs& a) {
  TransposedCall r;
  std::vector<NewInput> order;
  std::vector<size_t> outs;
  for (size_t i = 0; i < a.x.size(); ++i) {
    if (!a.x[i]) {
      r.linear.push_back(i);
      continue;
    }
    order.push_back({int64_t(i), {}});
    r.operands.push_back(a.x[i]);
  }
  size_t known = r.operands.size();
  for (size_t i : r.linear) order.push_back({int64_t(i), {}});
  for (size_t i = 0; i < a.ct.size(); ++i)
    if (a.ct[i]) {
      outs.push_back(i);
      r.operands.push_back(a.ct[i]);
    }
  // Residuals come first and all cotangents are there, as a rule.
  bool same = outs.size() == a.ct.size();
  for (size_t i = 0; i < order.size(); ++i) same &= order[i].from == int64_t(i);
  r.graph = transpose_jaxpr(same ? j : rearranged(*j, order, outs), known);
  return r;
}

Values TransposedCall::spread(const Values& ct, size_t size) const {
  Values out(size);
  for (size_t k = 0; k < linear.size(); ++k) out[linear[k]] = ct[k];
  return out;
}

}  // namespace cotan::ops
