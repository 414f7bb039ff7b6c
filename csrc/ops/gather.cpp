// gather: one window of the operand per index vector. Everything about
// windows is in windows.h.
#include "ops/hlo_rules.h"
#include "ops/windows.h"

namespace cotan {
namespace ops {

extern const Primitive gather_p;

namespace {

// What lies outside, unless the caller chose: nan, the lowest signed or the
// highest unsigned integer, True.
Literal default_fill(DType t) {
  if (is_inexact(t)) return Literal::from_double(t, NAN);
  if (is_signed_int(t))
    return Literal::from_int(t, INT64_MIN >> (64 - bit_width(t)));
  if (is_unsigned_int(t)) return Literal::from_int(t, -1);
  if (t == DType::bool_) return Literal::from_int(t, 1);
  unsigned char ones[16];
  std::memset(ones, 0xff, sizeof ones);
  return Literal::from_bytes(t, ones);
}

Literal fill_of(const GatherParams& p, DType t) {
  return p.fill_value ? *p.fill_value : default_fill(t);
}

Avals gather_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == 2);
  auto& p = a.params.as<GatherParams>();
  Aval y = a.in[0];
  y.shape = check_gather(a.in[0], a.in[1], p);
  if (p.fill_value && p.fill_value->dtype != y.dtype)
    throw_type("[gather] fill_value must have the dtype of the operand, got ",
               dtype_name(p.fill_value->dtype), " for ", a.in[0]);
  return {y};
}

void gather_eval(const EvalArgs& a) {
  auto& p = a.params.as<GatherParams>();
  const HostView &x = a.in[0], &y = a.out[0];
  auto size = size_t(itemsize(x.dtype));
  Literal fill = fill_of(p, x.dtype);
  for_each_window_element(
      a.in[1], window_dims(p), x.shape, y.shape, p.slice_sizes, p.mode,
      [&](int64_t from, int64_t to) {
        const void* item = from < 0 ? static_cast<const void*>(fill.bytes)
                                    : x.as<char>() + from * int64_t(size);
        std::memcpy(y.as<char>() + to * int64_t(size), item, size);
      });
}

Dual gather_jvp(const JvpArgs& a) {
  auto p = a.params.as<GatherParams>();
  // Values from outside the operand are constants.
  if (p.mode == GatherMode::fill_or_drop)
    p.fill_value = Literal::from_double(a.x[0].dtype(), 0);
  return {{bind1(a.self, a.x, a.params)}, {lax::gather(a.t[0], a.x[1], p)}};
}

Values gather_transpose(const TransposeArgs& a) {
  auto& p = a.params.as<GatherParams>();
  Value zero = zeros_of(a.avals[0]);
  ScatterParams s = inverse(p);
  // What the promise was broken for was clamped; its cotangents are dropped.
  if (s.mode == GatherMode::promise_in_bounds)
    s.mode = GatherMode::fill_or_drop;
  return {lax::scatter(ScatterKind::add, zero, a.x[1], a.ct[0], s), nullptr};
}

KernelSpec gather_kernel(const LowerArgs& a) {
  auto& p = a.params.as<GatherParams>();
  GatherAttrs k;
  k.dtype = a.in[0].dtype;
  k.index_dtype = a.in[1].dtype;
  k.mode = index_mode(p.mode);
  Literal fill = fill_of(p, k.dtype);
  std::memcpy(&k.fill_lo, fill.bytes, 8);
  std::memcpy(&k.fill_hi, fill.bytes + 8, 8);
  k.operand_shape = a.in[0].shape;
  k.indices_shape = a.in[1].shape;
  k.slice_sizes = p.slice_sizes;
  k.offset_dims = p.offset_dims;
  k.collapsed_slice_dims = p.collapsed_slice_dims;
  k.start_index_map = p.start_index_map;
  k.operand_batching_dims = p.operand_batching_dims;
  k.start_indices_batching_dims = p.start_indices_batching_dims;
  return {"gather", encode_attrs(k)};
}

}  // namespace

constinit const Primitive gather_p = {
    .name = "gather",
    .flags = kMovesValues,
    .params = params_of<GatherParams>,
    .type = gather_type,
    .eval = gather_eval,
    .jvp = gather_jvp,
    .transpose = gather_transpose,
    .batch =
        [](const BatchArgs& a) {
          return batch_gather(a.x[0], a.dims[0], a.x[1], a.dims[1], a.size,
                              a.params.as<GatherParams>());
        },
    .kernel = gather_kernel,
    .hlo =
        [](const HloArgs& a) {
          return hlo::gather(
              a, fill_of(a.params.as<GatherParams>(), a.types[0].dtype));
        },
};
COTAN_REGISTER(gather_p);

}  // namespace ops

namespace lax {

Value gather(const Value& x, const Value& indices, GatherParams params) {
  if (params.mode != GatherMode::fill_or_drop) params.fill_value.reset();
  return bind1(ops::gather_p, {x, ops::wide_indices(indices)},
               std::move(params));
}

}  // namespace lax
}  // namespace cotan
