// reduce_window_sum, _max and _min over every dimension, and the two that
// select one element of each window, which carry the tangents of extrema.
#include "ir/window_attrs.h"
#include "ops/hlo_rules.h"
#include "ops/rules.h"
#include "ops/window_params.h"

namespace cotan {
namespace ops {

extern const Primitive reduce_window_sum_p, reduce_window_max_p,
    reduce_window_min_p, select_and_gather_add_p, select_and_scatter_add_p;

namespace {

const WindowParams& window(const Params& p) { return p.as<WindowParams>(); }
const SelectParams& select(const Params& p) { return p.as<SelectParams>(); }

void check_window(const char* name, const Aval& x, const WindowParams& p) {
  size_t rank = x.shape.size();
  auto check = [&](const char* what, size_t n, const Dims* values) {
    if (n != rank)
      throw_value("[", name, "] ", name, " got ", what, " of length ", n,
                  " for an operand of shape ", shape_string(x.shape),
                  ": it must have one entry per dimension");
    if (!values) return;
    for (int64_t v : *values)
      if (v < 1)
        throw_type("[", name, "] ", name, " ", what,
                   " must have every element be strictly greater than 0; got ",
                   shape_string(*values), ".");
  };
  check("window_dimensions", p.dimensions.size(), &p.dimensions);
  check("window_strides", p.strides.size(), &p.strides);
  check("padding", p.padding.size(), nullptr);
  check("base_dilation", p.base_dilation.size(), &p.base_dilation);
  check("window_dilation", p.window_dilation.size(), &p.window_dilation);
}

Shape windows_of(const Shape& x, const WindowParams& p) {
  Shape out;
  for (size_t d = 0; d < x.size(); ++d) {
    int64_t n = dilated(x[d], p.base_dilation[d]) + p.padding[d].low +
                p.padding[d].high;
    int64_t w = dilated(p.dimensions[d], p.window_dilation[d]);
    out.push_back(num_windows(n, w, p.strides[d]));
  }
  return out;
}

bool accepts(const Primitive& p, DType t) {
  return &p == &reduce_window_sum_p ? is_numeric(t)
                                    : real_number(t) || t == DType::bool_;
}

Avals reduce_window_type(const TypeArgs& a) {
  const Aval& x = a.in[0];
  if (!accepts(a.self, x.dtype))
    throw_type("[", a.self.name, "] ", a.self.name, " does not accept dtype ",
               dtype_name(x.dtype), ".");
  check_window(a.self.name, x, window(a.params));
  return {Aval{x.dtype, x.weak_type, windows_of(x.shape, window(a.params))}};
}

WindowParams batched_window(WindowParams p) {
  p.dimensions.insert(p.dimensions.begin(), 1);
  p.strides.insert(p.strides.begin(), 1);
  p.padding.insert(p.padding.begin(), PadPair{});
  p.base_dilation.insert(p.base_dilation.begin(), 1);
  p.window_dilation.insert(p.window_dilation.begin(), 1);
  return p;
}

Batched reduce_window_batch(const BatchArgs& a) {
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  return batched_at(bind1(a.self, {x}, batched_window(window(a.params))), 0);
}

// Every window's cotangent goes to all of its elements: the windows of the
// cotangents, strides and base dilation exchanged, taken from the other side.
Values window_sum_transpose(const TransposeArgs& a) {
  WindowParams p = window(a.params);
  const Shape &in = a.avals[0].shape, &out = a.ct[0].shape();
  WindowParams q = p;
  q.base_dilation = p.strides;
  q.strides = p.base_dilation;
  for (size_t d = 0; d < in.size(); ++d) {
    int64_t w = dilated(p.dimensions[d], p.window_dilation[d]);
    q.padding[d].low = w - 1 - p.padding[d].low;
    int64_t n = dilated(in[d], p.base_dilation[d]);
    q.padding[d].high =
        n + w - 1 - dilated(out[d], p.strides[d]) - q.padding[d].low;
  }
  if (num_elements(out) == 0) return {zeros_of(a.avals[0])};
  return {lax::reduce_window(a.ct[0], Monoid::sum, q)};
}

template <bool kGreatest>
Dual extremum_window_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value t =
      lax::select_and_gather_add(a.t[0], a.x[0], {kGreatest, window(a.params)});
  return {{y}, {t}};
}

WindowAttrs window_attrs(WindowOp op, const WindowParams& p, const Aval& x) {
  WindowAttrs k;
  k.op = op;
  k.dtype = x.dtype;
  k.shape = x.shape;
  k.sizes = p.dimensions;
  k.strides = p.strides;
  k.base = p.base_dilation;
  k.dilation = p.window_dilation;
  for (const PadPair& d : p.padding) {
    k.low.push_back(d.low);
    k.high.push_back(d.high);
  }
  return k;
}

template <WindowOp Op>
KernelSpec reduce_window_kernel(const LowerArgs& a) {
  return {"window", encode_attrs(window_attrs(Op, window(a.params), a.in[0]))};
}

template <Monoid M>
HloValues reduce_window_hlo(const HloArgs& a) {
  return hlo::reduce_window(a, M);
}

// ---- selection. Operands (t, x) and (source, x).

template <bool kScatter>
Avals select_type(const TypeArgs& a) {
  auto& p = select(a.params);
  const Aval &t = a.in[0], &x = a.in[1];
  if (t.dtype != x.dtype || !real_number(x.dtype))
    throw_type("[", a.self.name, "] ", a.self.name,
               " needs real operands of one dtype, got ", t, " and ", x);
  check_window(a.self.name, x, p.window);
  Shape out = windows_of(x.shape, p.window);
  const Shape& want = kScatter ? out : x.shape;
  if (t.shape != want)
    throw_type("[", a.self.name, "] ", a.self.name, " got shape ",
               shape_string(t.shape), " for operand ", x, ", expected ",
               shape_string(want));
  return {Aval{x.dtype, t.weak_type && x.weak_type, kScatter ? x.shape : out}};
}

// Linear in the first operand; the choice has no derivative.
Dual select_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  if (!a.t[0]) return {{y}, {nullptr}};
  return {{y}, {bind1(a.self, {a.t[0], a.x[1]}, a.params)}};
}
Values gather_add_transpose(const TransposeArgs& a) {
  require_known(a, 1);
  return {lax::select_and_scatter_add(a.ct[0], a.x[1], select(a.params)),
          nullptr};
}
Values scatter_add_transpose(const TransposeArgs& a) {
  require_known(a, 1);
  return {lax::select_and_gather_add(a.ct[0], a.x[1], select(a.params)),
          nullptr};
}
Batched select_batch(const BatchArgs& a) {
  SelectParams p = select(a.params);
  p.window = batched_window(p.window);
  Value t = batch_to_front(a.x[0], a.dims[0], a.size);
  Value x = batch_to_front(a.x[1], a.dims[1], a.size);
  return batched_at(bind1(a.self, {t, x}, p), 0);
}
template <bool kScatter>
KernelSpec select_kernel(const LowerArgs& a) {
  auto& p = select(a.params);
  WindowOp op =
      kScatter ? (p.greatest ? WindowOp::scatter_max : WindowOp::scatter_min)
               : (p.greatest ? WindowOp::gather_max : WindowOp::gather_min);
  return {"window", encode_attrs(window_attrs(op, p.window, a.in[1]))};
}

}  // namespace

constinit const Primitive reduce_window_sum_p = {
    .name = "reduce_window_sum",
    .flags = kLinear,
    .params = params_of<WindowParams>,
    .type = reduce_window_type,
    .eval = kernel_eval,
    .jvp = linear_jvp,
    .transpose = window_sum_transpose,
    .batch = reduce_window_batch,
    .kernel = reduce_window_kernel<WindowOp::sum>,
    .hlo = reduce_window_hlo<Monoid::sum>,
};
constinit const Primitive reduce_window_max_p = {
    .name = "reduce_window_max",
    .params = params_of<WindowParams>,
    .type = reduce_window_type,
    .eval = kernel_eval,
    .jvp = extremum_window_jvp<true>,
    .batch = reduce_window_batch,
    .kernel = reduce_window_kernel<WindowOp::max>,
    .hlo = reduce_window_hlo<Monoid::max>,
};
constinit const Primitive reduce_window_min_p = {
    .name = "reduce_window_min",
    .params = params_of<WindowParams>,
    .type = reduce_window_type,
    .eval = kernel_eval,
    .jvp = extremum_window_jvp<false>,
    .batch = reduce_window_batch,
    .kernel = reduce_window_kernel<WindowOp::min>,
    .hlo = reduce_window_hlo<Monoid::min>,
};
constinit const Primitive select_and_gather_add_p = {
    .name = "select_and_gather_add",
    .params = params_of<SelectParams>,
    .type = select_type<false>,
    .eval = kernel_eval,
    .jvp = select_jvp,
    .transpose = gather_add_transpose,
    .batch = select_batch,
    .kernel = select_kernel<false>,
    .hlo = hlo::select_and_gather_add,
};
constinit const Primitive select_and_scatter_add_p = {
    .name = "select_and_scatter_add",
    .params = params_of<SelectParams>,
    .type = select_type<true>,
    .eval = kernel_eval,
    .jvp = select_jvp,
    .transpose = scatter_add_transpose,
    .batch = select_batch,
    .kernel = select_kernel<true>,
    .hlo = hlo::select_and_scatter_add,
};
COTAN_REGISTER(reduce_window_sum_p);
COTAN_REGISTER(reduce_window_max_p);
COTAN_REGISTER(reduce_window_min_p);
COTAN_REGISTER(select_and_gather_add_p);
COTAN_REGISTER(select_and_scatter_add_p);

}  // namespace ops

namespace lax {

Value reduce_window(const Value& x, Monoid monoid, WindowParams p) {
  const Primitive& self = monoid == Monoid::sum   ? ops::reduce_window_sum_p
                          : monoid == Monoid::max ? ops::reduce_window_max_p
                                                  : ops::reduce_window_min_p;
  return bind1(self, {x}, std::move(p));
}
Value select_and_gather_add(const Value& t, const Value& x, SelectParams p) {
  return bind1(ops::select_and_gather_add_p, {t, x}, std::move(p));
}
Value select_and_scatter_add(const Value& source, const Value& x,
                             SelectParams p) {
  return bind1(ops::select_and_scatter_add_p, {source, x}, std::move(p));
}

}  // namespace lax
}  // namespace cotan
