// Rules of primitives that move data by their parameters, and of dot_general.
#include "ops/hlo_rules.h"

namespace cotan::hlo {

std::string i64_list(std::span<const int64_t> v) {
  std::string out = "[";
  append_joined(out, v, ", ");
  return out + ']';
}
std::string i64_array(std::span<const int64_t> v) {
  std::string out = v.empty() ? "array<i64" : "array<i64: ";
  append_joined(out, v, ", ");
  return out + '>';
}

HloValues broadcast_in_dim(const HloArgs& a) {
  const auto& p = a.params.as<BroadcastParams>();
  return {a.b.broadcast(a.in[0], p.shape, p.dims)};
}

HloValues reshape(const HloArgs& a) {
  return {a.b.reshape(a.in[0], a.out[0].shape)};
}

HloValues transpose(const HloArgs& a) {
  const auto& p = a.params.as<TransposeParams>();
  return {a.b.op("transpose", {a.in[0]}, a.out[0],
                 cat("permutation = ", i64_array(p.perm)))};
}

HloValues rev(const HloArgs& a) {
  const auto& p = a.params.as<AxesParams>();
  return {a.b.op("reverse", {a.in[0]}, a.out[0],
                 cat("dimensions = ", i64_array(p.axes)))};
}

HloValues slice(const HloArgs& a) {
  const auto& p = a.params.as<SliceParams>();
  return {a.b.op("slice", {a.in[0]}, a.out[0],
                 cat("start_indices = ", i64_array(p.start),
                     ", limit_indices = ", i64_array(p.limit),
                     ", strides = ", i64_array(p.strides)))};
}

HloValues pad(const HloArgs& a) {
  Dims low, high, interior;
  for (const PadDim& d : a.params.as<PadParams>().config) {
    low.push_back(d.low);
    high.push_back(d.high);
    interior.push_back(d.interior);
  }
  return {a.b.op("pad", {a.in[0], a.in[1]}, a.out[0],
                 cat("edge_padding_low = ", i64_array(low),
                     ", edge_padding_high = ", i64_array(high),
                     ", interior_padding = ", i64_array(interior)))};
}

HloValues iota(const HloArgs& a) {
  const auto& p = a.params.as<IotaParams>();
  // StableHLO counts in the type itself; a wide integer is rounded once.
  if (is_int(p.dtype) || p.dtype == DType::f64)
    return {a.b.iota(p.dtype, p.shape, p.dimension)};
  HloValue i = a.b.iota(DType::i32, p.shape, p.dimension);
  return {
      a.b.convert(is_half(p.dtype) ? a.b.convert(i, DType::f32) : i, p.dtype)};
}

namespace {

// A key of four words is a complex number to StableHLO: two words a part.
bool is_complex_key(DType t) { return is_key(t) && itemsize(t) == 16; }

HloValue words_of_key(const HloArgs& a) {
  Aval half = a.out[0];
  half.shape.back() = 2;
  HloValue parts[] = {a.b.half_key(a.in[0], 0, half),
                      a.b.half_key(a.in[0], 1, half)};
  return a.b.op("concatenate", parts, a.out[0],
                cat("dimension = ", half.rank() - 1, " : i64"));
}

HloValue key_of_words(const HloArgs& a) {
  Aval part{DType::f64, false, a.out[0].shape}, half = a.types[0];
  half.shape.back() = 2;
  HloValue parts[2];
  for (int64_t i = 0; i < 2; ++i) {
    Dims start(size_t(half.rank()), 0), limit = half.shape,
                                        strides(size_t(half.rank()), 1);
    start.back() = 2 * i;
    limit.back() = 2 * i + 2;
    HloValue x = a.b.op("slice", {a.in[0]}, half,
                        cat("start_indices = ", i64_array(start),
                            ", limit_indices = ", i64_array(limit),
                            ", strides = ", i64_array(strides)));
    parts[i] = a.b.op("bitcast_convert", {x}, part);
  }
  return a.b.op("complex", parts, a.out[0]);
}

}  // namespace

HloValues bitcast(const HloArgs& a) {
  if (a.types[0].dtype == a.out[0].dtype) return {a.in[0]};
  if (is_complex_key(a.types[0].dtype)) return {words_of_key(a)};
  if (is_complex_key(a.out[0].dtype)) return {key_of_words(a)};
  return {a.b.op("bitcast_convert", {a.in[0]}, a.out[0])};
}

namespace {

// Start indices must share one type: the widest that is needed.
HloValues same_starts(const HloArgs& a, size_t first) {
  DType t = DType::i32;
  for (size_t i = first; i < a.in.size(); ++i) {
    DType s = a.types[i].dtype;
    if (itemsize(s) == 8 || s == DType::u32) t = DType::i64;
  }
  HloValues starts;
  for (size_t i = first; i < a.in.size(); ++i)
    starts.push_back(a.b.convert(a.in[i], t));
  return starts;
}

}  // namespace

HloValues dynamic_slice(const HloArgs& a) {
  HloValues in{a.in[0]}, starts = same_starts(a, 1);
  if (starts.empty()) return in;
  in.append(starts.begin(), starts.end());
  const auto& p = a.params.as<DynamicSliceParams>();
  return {a.b.op("dynamic_slice", in, a.out[0],
                 cat("slice_sizes = ", i64_array(p.sizes)))};
}

HloValues dynamic_update_slice(const HloArgs& a) {
  HloValues in{a.in[0], a.in[1]}, starts = same_starts(a, 2);
  if (starts.empty()) return {a.in[1]};
  in.append(starts.begin(), starts.end());
  return {a.b.op("dynamic_update_slice", in, a.out[0])};
}

std::string precision_text(std::string_view asked, DType t) {
  // f32 means f32: TPUs would take bf16 products by default.
  std::string_view level = "HIGHEST";
  if (asked == "high" || asked == "bfloat16_3x" || asked == "tensorfloat32")
    level = "HIGH";
  else if (asked == "default" || asked == "bfloat16" || is_half(t))
    level = "DEFAULT";
  return cat("#stablehlo<precision ", level, ">");
}

HloValues dot(const HloArgs& a) {
  const auto& p = a.params.as<DotParams>();
  std::string level = precision_text(p.precision, a.types[0].dtype);
  // 16-bit floats are summed in f32 and rounded once.
  Aval out = a.out[0];
  if (is_half(out.dtype)) out.dtype = DType::f32;
  HloValue x = a.in[0], y = a.in[1];
  if (!is_half(a.types[0].dtype) || a.types[0].dtype != a.types[1].dtype) {
    x = a.b.convert(x, out.dtype);
    y = a.b.convert(y, out.dtype);
  }
  HloValue r = a.b.op(
      "dot_general", {x, y}, out,
      cat("dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = ",
          i64_list(p.lhs_batch),
          ", rhs_batching_dimensions = ", i64_list(p.rhs_batch),
          ", lhs_contracting_dimensions = ", i64_list(p.lhs_contract),
          ", rhs_contracting_dimensions = ", i64_list(p.rhs_contract),
          ">, precision_config = [", level, ", ", level, "]"));
  return {a.b.convert(r, a.out[0].dtype)};
}

}  // namespace cotan::hlo
