// conv_general_dilated: convolution with strides, paddings, dilations of both
// operands, feature groups and batch groups, in any layout. Linear in each
// operand; both transposes are convolutions again.
#include <numeric>

#include "ir/window_attrs.h"
#include "ops/hlo_rules.h"
#include "ops/rules.h"
#include "ops/window_params.h"

namespace cotan {
namespace ops {

extern const Primitive conv_general_dilated_p;

namespace {

const ConvParams& P(const Params& p) { return p.as<ConvParams>(); }

// The sizes that a spec names: batch (or out feature), feature, spatial.
Dims by_spec(const Shape& s, const Axes& spec) {
  Dims r;
  for (int64_t d : spec) r.push_back(s[size_t(d)]);
  return r;
}

[[noreturn]] void fail(const std::string& what) {
  throw_value("[conv_general_dilated] conv_general_dilated ", what);
}

void check_conv(const Aval& x, const Aval& w, const ConvParams& p) {
  size_t rank = x.shape.size();
  if (rank < 2 || w.shape.size() != rank)
    fail(
        cat("lhs and rhs must have the same number of dimensions, at least "
            "2, but got ",
            shape_string(x.shape), " and ", shape_string(w.shape)));
  size_t spatial = rank - 2;
  auto count = [&](const char* what, size_t n) {
    if (n != spatial)
      fail(cat(what, " must have one entry per spatial dimension: ", spatial,
               ", got ", n));
  };
  count("window_strides", p.strides.size());
  count("padding", p.padding.size());
  count("lhs_dilation", p.lhs_dilation.size());
  count("rhs_dilation", p.rhs_dilation.size());
  for (const Dims* v : {&p.strides, &p.lhs_dilation, &p.rhs_dilation})
    for (int64_t n : *v)
      if (n < 1)
        fail(cat("strides and dilations must be positive, got ",
                 shape_string(*v)));
  for (const Axes* spec : {&p.lhs_spec, &p.rhs_spec, &p.out_spec}) {
    Axes sorted = *spec;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); ++i)
      if (sorted.size() != rank || sorted[i] != int64_t(i))
        fail(cat("dimension numbers must name every dimension once, got ",
                 tuple_string(*spec)));
  }
  Dims l = by_spec(x.shape, p.lhs_spec), r = by_spec(w.shape, p.rhs_spec);
  if (p.feature_groups < 1 || p.batch_groups < 1)
    fail("feature_group_count and batch_group_count must be positive");
  if (p.feature_groups > 1 && p.batch_groups > 1)
    fail(
        cat("at most one of batch_group_count and feature_group_count may be "
            "> 1, got ",
            p.batch_groups, " and ", p.feature_groups, "."));
  if (l[1] != r[1] * p.feature_groups)
    fail(cat(
        "feature_group_count times rhs input features must equal lhs "
        "features, got ",
        p.feature_groups, " * ", r[1], " for lhs shape ", shape_string(x.shape),
        " with feature dimension of size ", l[1], "."));
  if (r[0] % p.feature_groups)
    fail(
        cat("rhs output feature dimension size must be a multiple of "
            "feature_group_count, but ",
            r[0], " is not a multiple of ", p.feature_groups, "."));
  if (l[0] % p.batch_groups || r[0] % p.batch_groups)
    fail(
        cat("lhs batch and rhs output feature dimension sizes must be "
            "multiples of batch_group_count, but ",
            l[0], " or ", r[0], " is not a multiple of ", p.batch_groups, "."));
}

int64_t out_size(int64_t in, int64_t kernel, const ConvParams& p, size_t d) {
  int64_t n =
      dilated(in, p.lhs_dilation[d]) + p.padding[d].low + p.padding[d].high;
  return num_windows(std::max<int64_t>(n, 0),
                     dilated(kernel, p.rhs_dilation[d]), p.strides[d]);
}

Avals conv_type(const TypeArgs& a) {
  auto& p = P(a.params);
  const Aval &x = a.in[0], &w = a.in[1];
  if (x.dtype != w.dtype)
    throw_type(
        "[conv_general_dilated] lax.conv_general_dilated requires "
        "arguments to have the same dtypes, got ",
        dtype_name(x.dtype), ", ", dtype_name(w.dtype), ".");
  if (!is_numeric(x.dtype))
    throw_type(
        "[conv_general_dilated] conv_general_dilated does not accept "
        "dtype ",
        dtype_name(x.dtype), ".");
  check_conv(x, w, p);
  Dims l = by_spec(x.shape, p.lhs_spec), r = by_spec(w.shape, p.rhs_spec);
  Shape out(x.shape.size(), 0);
  out[size_t(p.out_spec[0])] = l[0] / p.batch_groups;
  out[size_t(p.out_spec[1])] = r[0];
  for (size_t d = 0; d + 2 < out.size(); ++d)
    out[size_t(p.out_spec[2 + d])] = out_size(l[2 + d], r[2 + d], p, d);
  return {Aval{x.dtype, x.weak_type && w.weak_type, out}};
}

Dual conv_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value t0 = a.t[0] ? bind1(a.self, {a.t[0], a.x[1]}, a.params) : nullptr;
  Value t1 = a.t[1] ? bind1(a.self, {a.x[0], a.t[1]}, a.params) : nullptr;
  return {{y}, {sum_tangents(t0, t1, y)}};
}

// ---- transposes

Axes spatial(const Axes& spec) { return Axes(spec.begin() + 2, spec.end()); }
Axes swapped(const Axes& spec) {
  Axes r = spec;
  std::swap(r[0], r[1]);
  return r;
}

// Splits a dimension into (groups, rest) and moves the groups before or into
// another one: how grouped convolutions exchange their operands.
Value split_axis(const Value& x, int64_t axis, int64_t groups) {
  Shape s = x.shape();
  s[size_t(axis)] /= groups;
  s.insert(s.begin() + axis, groups);
  return lax::reshape(x, s);
}
// [.., from = groups * n, .., to, ..] -> [.., n, .., groups * to, ..]
Value move_groups(const Value& x, int64_t from, int64_t to, int64_t groups) {
  if (groups == 1) return x;
  Value y = split_axis(x, from, groups);
  int64_t target = to > from ? to + 1 : to;
  // The group axis goes right before `to`.
  int64_t at = target > from ? target - 1 : target;
  y = move_axis(y, from, at);
  Shape s = y.shape();
  s[size_t(at)] *= s[size_t(at + 1)];
  s.erase(s.begin() + at + 1);
  return lax::reshape(y, s);
}

// d lhs: the cotangent, with holes for the strides, convolved with the
// reversed kernel.
Value transpose_lhs(const Value& ct, const Value& rhs, const Aval& lhs,
                    const ConvParams& p) {
  Dims l = by_spec(lhs.shape, p.lhs_spec), r = by_spec(rhs.shape(), p.rhs_spec),
       o = by_spec(ct.shape(), p.out_spec);
  ConvParams q = p;
  q.strides = p.lhs_dilation;
  q.lhs_dilation = p.strides;
  q.lhs_spec = p.out_spec;
  q.out_spec = p.lhs_spec;
  q.rhs_spec = swapped(p.rhs_spec);
  Value w = rhs, g = ct;
  int64_t groups = p.feature_groups;
  if (groups > 1) w = move_groups(w, p.rhs_spec[0], p.rhs_spec[1], groups);
  if (p.batch_groups > 1) {
    q.feature_groups = p.batch_groups;
    q.batch_groups = 1;
    w = move_groups(w, p.rhs_spec[0], p.rhs_spec[1], p.batch_groups);
  }
  w = lax::rev(w, spatial(p.rhs_spec));
  for (size_t d = 0; d + 2 < l.size(); ++d) {
    int64_t kernel = dilated(r[2 + d], p.rhs_dilation[d]);
    int64_t in = dilated(l[2 + d], p.lhs_dilation[d]);
    q.padding[d].low = kernel - 1 - p.padding[d].low;
    q.padding[d].high =
        in + kernel - 1 - dilated(o[2 + d], p.strides[d]) - q.padding[d].low;
  }
  Value out = lax::conv(g, w, q);
  // Features hold the batch groups: back into the batch.
  if (p.batch_groups > 1)
    out = move_groups(out, p.lhs_spec[1], p.lhs_spec[0], p.batch_groups);
  return out;
}

// d rhs: lhs, its batch as features, convolved with the cotangent.
Value transpose_rhs(const Value& ct, const Value& lhs, const Aval& rhs,
                    const ConvParams& p) {
  Dims l = by_spec(lhs.shape(), p.lhs_spec), r = by_spec(rhs.shape, p.rhs_spec),
       o = by_spec(ct.shape(), p.out_spec);
  ConvParams q = p;
  q.feature_groups = q.batch_groups = 1;
  Value x = lhs;
  if (p.batch_groups > 1)
    q.feature_groups = p.batch_groups;
  else if (p.feature_groups > 1)
    q.batch_groups = p.feature_groups;
  q.strides = p.rhs_dilation;
  q.rhs_dilation = p.strides;
  q.lhs_spec = swapped(p.lhs_spec);
  q.rhs_spec = swapped(p.out_spec);
  q.out_spec = swapped(p.rhs_spec);
  for (size_t d = 0; d + 2 < l.size(); ++d) {
    int64_t in = dilated(l[2 + d], p.lhs_dilation[d]);
    int64_t kernel = dilated(r[2 + d], p.rhs_dilation[d]);
    int64_t out = dilated(o[2 + d], p.strides[d]);
    q.padding[d].high = out + kernel - in - p.padding[d].low - 1;
  }
  return lax::conv(x, ct, q);
}

Values conv_transpose(const TransposeArgs& a) {
  auto& p = P(a.params);
  const Aval& lost = a.x[0] ? a.avals[1] : a.avals[0];
  bool nothing = num_elements(a.ct[0].shape()) == 0 || lost.size() == 0;
  if (a.x[0]) {
    if (nothing) return {nullptr, zeros_of(lost)};
    return {nullptr, transpose_rhs(a.ct[0], a.x[0], a.avals[1], p)};
  }
  require_known(a, 1);
  if (nothing) return {zeros_of(lost), nullptr};
  return {transpose_lhs(a.ct[0], a.x[1], a.avals[0], p), nullptr};
}

// ---- batching: the batch axis joins one that is there

// Merges axis 0 of x into what then is dimension `into`; outermost there.
Value merge_front(const Value& x, int64_t into) {
  Value y = move_axis(x, 0, into);
  Shape s = y.shape();
  s[size_t(into)] *= s[size_t(into + 1)];
  s.erase(s.begin() + into + 1);
  return lax::reshape(y, s);
}
Batched split_out(const Value& y, int64_t axis, int64_t size) {
  return batched_at(split_axis(y, axis, size), axis);
}
// As merge_front, but under `groups` that stay outermost.
Value merge_under(const Value& x, int64_t into, int64_t groups) {
  if (groups == 1) return merge_front(x, into);
  // [B, .., groups * n, ..] -> [.., groups, B, n, ..]
  Value y = split_axis(x, into + 1, groups);
  y = move_axis(y, 0, into + 1);
  Shape s = y.shape();
  s[size_t(into)] *= s[size_t(into + 1)] * s[size_t(into + 2)];
  s.erase(s.begin() + into + 1, s.begin() + into + 3);
  return lax::reshape(y, s);
}
Batched split_under(const Value& y, int64_t axis, int64_t groups,
                    int64_t size) {
  if (groups == 1) return split_out(y, axis, size);
  Value v = split_axis(split_axis(y, axis, groups), axis + 1, size);
  v = move_axis(v, axis + 1, 0);  // [B, .., groups, n, ..]
  Shape s = v.shape();
  s[size_t(axis + 1)] *= s[size_t(axis + 2)];
  s.erase(s.begin() + axis + 2);
  return batched_at(lax::reshape(v, s), 0);
}

Batched conv_batch(const BatchArgs& a) {
  ConvParams p = P(a.params);
  if (a.size == 0) {  // nothing to compute
    Avals in;
    for (size_t i : {0, 1}) {
      Aval v = a.x[i].aval();
      if (a.dims[i] != kNotBatched) v.shape.erase(v.shape.begin() + a.dims[i]);
      in.push_back(v);
    }
    Aval out = conv_type({a.self, in, a.params})[0];
    out.shape.insert(out.shape.begin(), 0);
    return batched_at(zeros_of(out), 0);
  }
  auto front = [&](size_t i) {
    return batch_to_front(a.x[i], a.dims[i], a.size);
  };
  if (a.dims[1] == kNotBatched) {
    Value x = merge_under(front(0), p.lhs_spec[0], p.batch_groups);
    // Batch groups are outermost in lhs; out has none of them.
    Value y = bind1(a.self, {x, a.x[1]}, p);
    return split_out(y, p.out_spec[0], a.size);
  }
  if (a.dims[0] == kNotBatched) {
    int64_t groups = std::max(p.feature_groups, p.batch_groups);
    Value w = merge_under(front(1), p.rhs_spec[0], groups);
    Value y = bind1(a.self, {a.x[0], w}, p);
    return split_under(y, p.out_spec[1], groups, a.size);
  }
  // Every example is a group of its own.
  Value w = merge_front(front(1), p.rhs_spec[0]);
  if (p.batch_groups > 1) {
    Value x = merge_front(front(0), p.lhs_spec[0]);
    p.batch_groups *= a.size;
    return split_out(bind1(a.self, {x, w}, p), p.out_spec[1], a.size);
  }
  Value x = merge_front(front(0), p.lhs_spec[1]);
  p.feature_groups *= a.size;
  return split_out(bind1(a.self, {x, w}, p), p.out_spec[1], a.size);
}

// A window of one element, features last: a matrix product.
Values conv_as_product(const Params& params, std::span<const Value> x) {
  auto& p = P(params);
  const Shape &lhs = x[0].shape(), &rhs = x[1].shape();
  auto ones = [](const Dims& d) {
    return std::all_of(d.begin(), d.end(), [](int64_t n) { return n == 1; });
  };
  auto last = int64_t(lhs.size()) - 1;
  bool plain = p.feature_groups == 1 && p.batch_groups == 1 &&
               ones(p.strides) && ones(p.lhs_dilation) &&
               p.lhs_spec == p.out_spec && p.lhs_spec[1] == last &&
               is_float(x[0].dtype());
  for (const PadPair& pad : p.padding) plain &= pad.low == 0 && pad.high == 0;
  for (size_t d = 2; d < rhs.size(); ++d)
    plain &= rhs[size_t(p.rhs_spec[d])] == 1;
  if (!plain) return {};
  DotParams dot;
  dot.lhs_contract = {last};
  dot.rhs_contract = {p.rhs_spec[1]};
  dot.precision = p.precision;
  Shape out = lhs;
  out.back() = rhs[size_t(p.rhs_spec[0])];
  return {lax::reshape(lax::dot_general(x[0], x[1], dot), out)};
}

// Of the outputs at r, r + s, r + 2 s, ... of a dimension whose operand has
// s - 1 holes between its elements: the taps that do not meet holes, and the
// padding with which they make a convolution of the elements alone.
struct Phase {
  int64_t first, taps;  // first, first + s, ...
  PadPair padding;

  Phase(int64_t r, int64_t s, int64_t low, int64_t kernel, int64_t in,
        int64_t out) {
    first = ((low - r) % s + s) % s;
    taps = first < kernel ? (kernel - first + s - 1) / s : 0;
    padding.low = (low - r - first) / s;  // exact
    padding.high = out - in - padding.low + taps - 1;
  }
};

// lhs dilated: a convolution per phase, without the products with holes.
Values conv_by_phases(const Params& params, std::span<const Value> x) {
  const ConvParams& p = P(params);
  const Shape &lhs = x[0].shape(), &rhs = x[1].shape();
  size_t rank = p.strides.size();
  bool holes = false;
  for (size_t d = 0; d < rank; ++d) {
    if (p.strides[d] != 1 || p.rhs_dilation[d] != 1) return {};
    holes |= p.lhs_dilation[d] > 1;
  }
  if (!holes || num_elements(lhs) == 0 || num_elements(rhs) == 0) return {};
  ConvParams one = p;
  one.lhs_dilation = Dims(rank, 1);
  Dims phase(rank, 0), counts, sizes;  // counts: outputs of a phase
  for (size_t d = 0; d < rank; ++d) {
    int64_t s = p.lhs_dilation[d];
    int64_t n = dilated(lhs[size_t(p.lhs_spec[2 + d])], s) + p.padding[d].low +
                p.padding[d].high - rhs[size_t(p.rhs_spec[2 + d])] + 1;
    if (n <= 0) return {};
    sizes.push_back(n);
    counts.push_back((n + s - 1) / s);
  }
  Shape shape(lhs.size(), 0);  // of a phase's result
  shape[size_t(p.out_spec[0])] = lhs[size_t(p.lhs_spec[0])] / p.batch_groups;
  shape[size_t(p.out_spec[1])] = rhs[size_t(p.rhs_spec[0])];
  for (size_t d = 0; d < rank; ++d)
    shape[size_t(p.out_spec[2 + d])] = counts[d];
  Values parts;
  for (bool more = true; more;) {
    Dims start(rhs.size(), 0), stop(rhs.begin(), rhs.end()),
        step(rhs.size(), 1);
    bool empty = false;
    for (size_t d = 0; d < rank; ++d) {
      auto dim = size_t(p.rhs_spec[2 + d]);
      Phase f(phase[d], p.lhs_dilation[d], p.padding[d].low, rhs[dim],
              lhs[size_t(p.lhs_spec[2 + d])], counts[d]);
      start[dim] = f.first, step[dim] = p.lhs_dilation[d];
      one.padding[d] = f.padding;
      empty |= f.taps == 0;
    }
    Value y = empty ? zeros_of({x[0].dtype(), false, shape})
                    : lax::conv(x[0], lax::slice(x[1], start, stop, step), one);
    Shape row = shape;
    row.insert(row.begin(), 1);
    parts.push_back(lax::reshape(y, row));
    more = false;
    for (size_t d = rank; d-- > 0 && !more;)
      if (++phase[d] == p.lhs_dilation[d])
        phase[d] = 0;
      else
        more = true;
  }
  // [phases..., out] -> each phase beside the dimension it is of
  Value all = lax::concatenate(parts, 0);
  Shape split(p.lhs_dilation.begin(), p.lhs_dilation.end());
  for (int64_t n : shape) split.push_back(n);
  Axes order;
  Shape joined = shape;
  Dims stop(shape.begin(), shape.end());
  for (size_t i = 0; i < shape.size(); ++i) {
    order.push_back(int64_t(rank + i));
    for (size_t d = 0; d < rank; ++d)
      if (size_t(p.out_spec[2 + d]) == i) {
        order.push_back(int64_t(d));
        joined[i] *= p.lhs_dilation[d];
        stop[i] = sizes[d];
      }
  }
  Value y = lax::transpose(lax::reshape(all, split), order);
  return {lax::slice(lax::reshape(y, joined), Dims(shape.size(), 0), stop,
                     Dims(shape.size(), 1))};
}

// A dilated lhs and few output features, which are not last: with features last
// they are side by side in memory, and so are the operands of every product.
Values conv_features_last(const Params& params, std::span<const Value> x) {
  constexpr int64_t kFew = 8;
  ConvParams p = P(params);
  auto last = int64_t(p.strides.size()) + 1;
  int64_t features = x[1].shape()[size_t(p.rhs_spec[0])];
  bool holes = std::any_of(p.lhs_dilation.begin(), p.lhs_dilation.end(),
                           [](int64_t n) { return n > 1; });
  if (!holes || p.out_spec[1] == last || features > kFew) return {};
  Axes there{p.lhs_spec[0]}, back(size_t(last) + 1);
  Dims spec{0, last};
  back[size_t(p.out_spec[0])] = 0;
  back[size_t(p.out_spec[1])] = last;
  for (int64_t d = 1; d < last; ++d) {
    there.push_back(p.lhs_spec[size_t(d) + 1]);
    back[size_t(p.out_spec[size_t(d) + 1])] = d;
    spec.push_back(d);
  }
  there.push_back(p.lhs_spec[1]);
  p.lhs_spec = p.out_spec = spec;
  Value y = lax::conv(lax::transpose(x[0], there), x[1], std::move(p));
  return {lax::transpose(y, back)};
}

Values conv_shortcut(const Params& params, std::span<const Value> x) {
  if (Values y = conv_as_product(params, x); !y.empty()) return y;
  if (Values y = conv_features_last(params, x); !y.empty()) return y;
  return conv_by_phases(params, x);
}

KernelSpec conv_kernel(const LowerArgs& a) {
  auto& p = P(a.params);
  const Shape &x = a.in[0].shape, &w = a.in[1].shape, &y = a.out[0].shape;
  Dims l = by_spec(x, p.lhs_spec), r = by_spec(w, p.rhs_spec),
       o = by_spec(y, p.out_spec);
  Dims ls = by_spec(row_major_strides(x), p.lhs_spec),
       rs = by_spec(row_major_strides(w), p.rhs_spec),
       os = by_spec(row_major_strides(y), p.out_spec);
  ConvolutionAttrs k;
  k.dtype = a.in[0].dtype;
  k.groups = std::max(p.feature_groups, p.batch_groups);
  k.batch = o[0];
  k.in_channels = r[1];
  k.out_channels = r[0] / k.groups;
  // Groups are outermost in the batch or in the features.
  k.lhs_strides = {ls[0], p.batch_groups > 1 ? o[0] * ls[0] : r[1] * ls[1],
                   ls[1]};
  k.rhs_strides = {rs[0], k.out_channels * rs[0], rs[1]};
  k.out_strides = {os[0], k.out_channels * os[1], os[1]};
  for (size_t d = 0; d + 2 < x.size(); ++d) {
    k.in_size.push_back(l[2 + d]);
    k.kernel_size.push_back(r[2 + d]);
    k.out_size.push_back(o[2 + d]);
    k.strides.push_back(p.strides[d]);
    k.low.push_back(p.padding[d].low);
    k.lhs_dilation.push_back(p.lhs_dilation[d]);
    k.rhs_dilation.push_back(p.rhs_dilation[d]);
    k.lhs_strides.push_back(ls[2 + d]);
    k.rhs_strides.push_back(rs[2 + d]);
    k.out_strides.push_back(os[2 + d]);
  }
  return {"convolution", encode_attrs(k)};
}

}  // namespace

constinit const Primitive conv_general_dilated_p = {
    .name = "conv_general_dilated",
    .params = params_of<ConvParams>,
    .type = conv_type,
    .eval = kernel_eval,
    .jvp = conv_jvp,
    .transpose = conv_transpose,
    .batch = conv_batch,
    .kernel = conv_kernel,
    .hlo = hlo::convolution,
    .shortcut = conv_shortcut,
};
COTAN_REGISTER(conv_general_dilated_p);

}  // namespace ops

namespace lax {

Value conv(const Value& lhs, const Value& rhs, ConvParams p) {
  if (p.precision.empty()) p.precision = default_precision();
  return bind1(ops::conv_general_dilated_p, {lhs, rhs}, std::move(p));
}

}  // namespace lax
}  // namespace cotan
