// pad: puts a scalar around and between the elements; negative amounts crop.
#include "ops/hlo_rules.h"
#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive pad_p;

namespace {

const std::vector<PadDim>& config_of(const Params& p) {
  return p.as<PadParams>().config;
}

std::string show(const std::vector<PadDim>& config) {
  std::vector<std::string> items;
  for (const PadDim& d : config)
    items.push_back(cat("(", d.low, ", ", d.high, ", ", d.interior, ")"));
  return tuple_string(items);
}

Avals pad_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == 2);
  const Aval &x = a.in[0], &fill = a.in[1];
  auto& config = config_of(a.params);
  if (x.dtype != fill.dtype)
    throw_type("[pad] pad operand and padding_value must be same dtype: got ",
               dtype_name(x.dtype), " and ", dtype_name(fill.dtype), ".");
  if (fill.rank() != 0)
    throw_value("[pad] padding_value must be a scalar; got shape ",
                shape_string(fill.shape));
  if (int64_t(config.size()) != x.rank())
    throw_value(
        "[pad] length of padding_config must equal the number of axes of "
        "operand, got padding_config ",
        show(config), " for operand shape ", shape_string(x.shape));
  Aval y = x;
  y.weak_type = x.weak_type && fill.weak_type;
  bool fits = true;
  for (size_t i = 0; i < config.size(); ++i) {
    auto [low, high, interior] = config[i];
    if (interior < 0)
      throw_value(
          "[pad] interior padding in padding_config must be nonnegative, got "
          "padding_config ",
          show(config));
    int64_t& d = y.shape[i];
    bool overflow = false;
    if (d > 0) {
      overflow |= __builtin_mul_overflow(d - 1, interior + 1, &d);
      overflow |= __builtin_add_overflow(d, 1, &d);
    }
    overflow |= __builtin_add_overflow(d, low, &d);
    overflow |= __builtin_add_overflow(d, high, &d);
    if (overflow)
      throw_value("[pad] sizes overflow for padding_config ", show(config),
                  " and operand shape ", shape_string(x.shape));
    fits &= d >= 0;
  }
  if (!fits)
    throw_value(
        "[pad] Dimension size after padding is not at least 0, got result "
        "shape ",
        shape_string(y.shape), ", for padding_config ", show(config),
        " and operand shape ", shape_string(x.shape));
  return {y};
}

View pad_view(const ViewArgs& a) {
  View v;
  for (auto [low, high, interior] : config_of(a.params)) {
    ViewDim d;
    d.out_dim = int64_t(v.dims.size());
    d.offset = -low;
    d.dilation = interior + 1;
    v.dims.push_back(d);
    v.guarded |= low > 0 || high > 0 || interior > 0;
  }
  return v;
}

Dual pad_jvp(const JvpArgs& a) {
  Value tx = a.t[0] ? a.t[0] : zeros_like(a.x[0]);
  Value tf = a.t[1] ? a.t[1] : zeros_like(a.x[1]);
  return {{bind1(a.self, a.x, a.params)}, {bind1(a.self, {tx, tf}, a.params)}};
}

// Undo the padding, then take what lay between the elements.
Value unpad(const Value& ct, const std::vector<PadDim>& config) {
  std::vector<PadDim> crop;
  Dims strides;
  bool strided = false;
  for (auto [low, high, interior] : config) {
    crop.push_back({-low, -high, 0});
    strides.push_back(interior + 1);
    strided |= interior > 0;
  }
  Value zero = scalar_value(ct.dtype(), 0);
  Value x = lax::pad(ct, zero, std::move(crop));
  if (!strided) return x;
  return lax::slice(x, Dims(config.size(), 0), x.shape(), strides);
}

Values pad_transpose(const TransposeArgs& a) {
  const Value& ct = a.ct[0];
  Value inner = unpad(ct, config_of(a.params));
  Values out = {nullptr, nullptr};
  if (!a.x[0]) out[0] = inner;
  if (!a.x[1]) {
    Axes all;
    for (int64_t i = 0; i < ct.rank(); ++i) all.push_back(i);
    out[1] = lax::sub(lax::reduce_sum(ct, all), lax::reduce_sum(inner, all));
  }
  return out;
}

Batched pad_batch(const BatchArgs& a) {
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  auto config = config_of(a.params);
  config.insert(config.begin(), PadDim{0, 0, 0});
  if (a.dims[1] == kNotBatched)
    return batched_at(lax::pad(x, a.x[1], std::move(config)), 0);
  // Every example has a padding value of its own.
  Value y = lax::pad(x, scalar_value(x.dtype(), 0), config);
  Value inside =
      lax::pad(lax::full(x.shape(), Literal::from_int(DType::bool_, 1)),
               scalar_value(DType::bool_, 0), std::move(config));
  Value fill = lax::broadcast_in_dim(a.x[1], y.shape(), {0});
  return batched_at(lax::select(inside, y, fill), 0);
}

}  // namespace

constinit const Primitive pad_p = {
    .name = "pad",
    .flags = kLinear,
    .params = params_of<PadParams>,
    .type = pad_type,
    .eval = view_eval,
    .jvp = pad_jvp,
    .transpose = pad_transpose,
    .batch = pad_batch,
    .view = pad_view,
    .hlo = hlo::pad,
};
COTAN_REGISTER(pad_p);

}  // namespace ops

namespace lax {

Value pad(const Value& x, const Value& fill, std::vector<PadDim> config) {
  bool nothing = x.dtype() == fill.dtype() && fill.rank() == 0 &&
                 int64_t(config.size()) == x.rank();
  for (const PadDim& d : config)
    nothing &= d.low == 0 && d.high == 0 && d.interior == 0;
  if (nothing && x.rank() > 0) return x;
  return bind1(ops::pad_p, {x, fill}, PadParams{std::move(config)});
}

}  // namespace lax
}  // namespace cotan
