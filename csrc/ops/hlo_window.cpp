// Rules of convolutions, Fourier transforms and windows.
#include <algorithm>

#include "ops/hlo_rules.h"
#include "ops/window_params.h"

namespace cotan::hlo {

namespace {

std::string padding_text(std::span<const PadPair> padding) {
  std::string out = "padding = dense<";
  for (size_t d = 0; d < padding.size(); ++d)
    out += cat(d ? ", [" : "[[", padding[d].low, ", ", padding[d].high, "]");
  return out + cat(padding.empty() ? "" : "]", "> : tensor<", padding.size(),
                   "x2xi64>");
}

HloValue part(HloBuilder& b, std::string_view which, HloValue z) {
  return b.op(which, {z}, {real_dtype(b.dtype(z)), false, b.shape(z)});
}

}  // namespace

std::string window_text(const WindowParams& p) {
  return cat("window_dimensions = ", i64_array(p.dimensions),
             ", window_strides = ", i64_array(p.strides),
             ", base_dilations = ", i64_array(p.base_dilation),
             ", window_dilations = ", i64_array(p.window_dilation), ", ",
             padding_text(p.padding));
}

// ---- convolution

namespace {

// "[b, f, 0, 1]": what every dimension is, from where each of them stands.
std::string layout_text(const Axes& spec, std::string_view first,
                        std::string_view second) {
  std::vector<std::string> names(spec.size());
  names[size_t(spec[0])] = first;
  names[size_t(spec[1])] = second;
  for (size_t d = 2; d < spec.size(); ++d)
    names[size_t(spec[d])] = std::to_string(d - 2);
  std::string out = "[";
  for (size_t d = 0; d < names.size(); ++d) out += cat(d ? ", " : "", names[d]);
  return out + "]";
}

std::string convolution_text(const ConvParams& p, DType t) {
  std::string level = precision_text(p.precision, t);
  return cat(
      "window_strides = ", i64_array(p.strides), ", ", padding_text(p.padding),
      ", lhs_dilation = ", i64_array(p.lhs_dilation),
      ", rhs_dilation = ", i64_array(p.rhs_dilation),
      ", dimension_numbers = #stablehlo.conv<",
      layout_text(p.lhs_spec, "b", "f"), "x", layout_text(p.rhs_spec, "o", "i"),
      "->", layout_text(p.out_spec, "b", "f"),
      ">, feature_group_count = ", p.feature_groups,
      " : i64, batch_group_count = ", p.batch_groups,
      " : i64, precision_config = [", level, ", ", level, "]");
}

}  // namespace

HloValues convolution(const HloArgs& a) {
  const auto& p = a.params.as<ConvParams>();
  HloBuilder& b = a.b;
  Aval out = a.out[0];
  if (a.types[0].size() == 0 || a.types[1].size() == 0)
    return {b.constant(Literal::from_int(out.dtype, 0), out.shape)};
  std::string attrs = convolution_text(p, out.dtype);
  if (is_complex(out.dtype)) {
    // XLA has real ones only.
    out.dtype = real_dtype(out.dtype);
    HloValue xr = part(b, "real", a.in[0]), xi = part(b, "imag", a.in[0]);
    HloValue wr = part(b, "real", a.in[1]), wi = part(b, "imag", a.in[1]);
    auto product = [&](HloValue x, HloValue w) {
      return b.op("convolution", {x, w}, out, attrs);
    };
    HloValue re = b.elementwise("subtract", {product(xr, wr), product(xi, wi)});
    HloValue im = b.elementwise("add", {product(xr, wi), product(xi, wr)});
    return {b.op("complex", {re, im}, a.out[0])};
  }
  // 16-bit floats are summed in f32 and rounded once.
  if (is_half(out.dtype)) out.dtype = DType::f32;
  HloValue y = b.op("convolution", {a.in[0], a.in[1]}, out, attrs);
  return {b.convert(y, a.out[0].dtype)};
}

// ---- fft

namespace {

HloValue transform(HloBuilder& b, HloValue x, std::string_view kind,
                   const Dims& lengths) {
  Aval out = b.type(x);
  if (kind == "RFFT") {
    out.dtype = complex_dtype(out.dtype);
    out.shape.back() = lengths.back() / 2 + 1;
  } else if (kind == "IRFFT") {
    out.dtype = real_dtype(out.dtype);
    out.shape.back() = lengths.back();
  }
  return b.op("fft", {x}, out,
              cat("fft_type = #stablehlo<fft_type ", kind,
                  ">, fft_length = ", i64_array(lengths)));
}

// Complex transforms over the dimensions [first, last), up to three at a time,
// which go to the end for it.
HloValue transform_middle(HloBuilder& b, HloValue x, std::string_view kind,
                          int64_t first, int64_t last) {
  int64_t rank = b.type(x).rank();
  while (first < last) {
    int64_t count = std::min<int64_t>(3, last - first);
    Axes there;
    Dims lengths;
    for (int64_t d = 0; d < rank; ++d)
      if (d < first || d >= first + count) there.push_back(d);
    for (int64_t d = first; d < first + count; ++d) {
      there.push_back(d);
      lengths.push_back(b.shape(x)[size_t(d)]);
    }
    Axes back(size_t(rank), 0);
    for (int64_t d = 0; d < rank; ++d) back[size_t(there[size_t(d)])] = d;
    x = b.transpose(x, there);
    x = b.transpose(transform(b, x, kind, lengths), back);
    first += count;
  }
  return x;
}

}  // namespace

HloValues fft(const HloArgs& a) {
  const auto& p = a.params.as<FftParams>();
  constexpr std::string_view kinds[] = {"FFT", "IFFT", "RFFT", "IRFFT"};
  std::string_view kind = kinds[int(p.kind)];
  // StableHLO has at most three dimensions; the real one is the last.
  int64_t rank = a.types[0].rank(), n = int64_t(p.lengths.size());
  int64_t inner = std::min<int64_t>(n, 3);
  Dims lengths(p.lengths.end() - inner, p.lengths.end());
  HloValue x = a.in[0];
  if (p.kind == FftType::irfft)
    x = transform_middle(a.b, x, "IFFT", rank - n, rank - inner);
  x = transform(a.b, x, kind, lengths);
  if (p.kind != FftType::irfft)
    x = transform_middle(a.b, x, p.kind == FftType::ifft ? "IFFT" : "FFT",
                         rank - n, rank - inner);
  return {x};
}

// ---- reductions over windows

HloValues reduce_window(const HloArgs& a, Monoid m) {
  HloBuilder& b = a.b;
  const Aval& type = a.out[0];
  if (type.rank() == 0) return {a.in[0]};
  // 16-bit floats are summed in f32 and rounded once.
  bool wide = m == Monoid::sum && is_half(type.dtype);
  DType t = wide ? DType::f32 : type.dtype;
  if (type.dtype == DType::bool_)
    m = m == Monoid::max ? Monoid::or_ : Monoid::and_;
  HloValue in[] = {b.convert(a.in[0], t), b.constant(monoid_identity(m, t))};
  HloRegionOp r =
      b.begin("reduce_window", in, window_text(a.params.as<WindowParams>()), 1);
  Aval scalar{t, false, {}}, args[] = {scalar, scalar};
  HloValues v = b.region(r, args);
  HloValue y = b.combine(m, v[0], v[1]);
  b.yield({&y, 1});
  Aval out{t, false, type.shape};
  return {b.convert(b.end(r, {&out, 1})[0], type.dtype)};
}

// ---- selections

namespace {

// Whether y is to be selected although x came earlier; the first nan is.
HloValue is_better(HloBuilder& b, bool greatest, HloValue y, HloValue x) {
  HloValue better = b.compare(greatest ? CompareOp::gt : CompareOp::lt, y, x);
  if (!is_float(b.dtype(x))) return better;
  HloValue odd = b.elementwise(
      "and", {b.compare(CompareOp::ne, y, y), b.compare(CompareOp::eq, x, x)});
  return b.elementwise("or", {better, odd});
}

// Per window: the place of the selected element in row-major order (the
// largest number where a window holds none) and, if t is given, t there.
// Windows are folded in any order: equal elements are told apart by place.
HloValues selected(HloBuilder& b, const SelectParams& p, HloValue x,
                   const HloValue* t, const Shape& windows) {
  DType type = b.dtype(x);
  int64_t n = num_elements(b.shape(x));
  DType index = n > INT32_MAX ? DType::i64 : DType::i32;
  int64_t nowhere = index == DType::i64 ? INT64_MAX : INT32_MAX;
  HloValue place = b.reshape(b.iota(index, {n}, 0), b.shape(x));
  Monoid m = p.greatest ? Monoid::max : Monoid::min;
  HloValues in = {x, place};
  if (t) in.push_back(*t);
  in.push_back(b.constant(monoid_identity(m, type)));
  in.push_back(b.constant_int(index, nowhere));
  if (t) in.push_back(b.constant(type, 0));
  size_t count = t ? 3 : 2;
  HloRegionOp r = b.begin("reduce_window", in, window_text(p.window), count);
  Avals args, out;
  for (size_t i = 0; i < 2 * count; ++i)
    args.push_back({i % count == 1 ? index : type, false, {}});
  for (size_t i = 0; i < count; ++i)
    out.push_back({args[i].dtype, false, windows});
  HloValues v = b.region(r, args);
  HloValue first = v[0], second = v[count];
  HloValue earlier = b.compare(CompareOp::lt, v[count + 1], v[1]);
  HloValue worse = is_better(b, p.greatest, first, second);
  HloValue tie = b.elementwise("and", {b.elementwise("not", {worse}), earlier});
  HloValue take =
      b.elementwise("or", {is_better(b, p.greatest, second, first), tie});
  HloValues results;
  for (size_t i = 0; i < count; ++i)
    results.push_back(b.select(take, v[count + i], v[i]));
  b.yield(results);
  return b.end(r, out);
}

}  // namespace

HloValues select_and_gather_add(const HloArgs& a) {
  if (a.out[0].rank() == 0) return {a.in[0]};
  const auto& p = a.params.as<SelectParams>();
  return {selected(a.b, p, a.in[1], &a.in[0], a.out[0].shape)[2]};
}

namespace {

// More places than this in a window make scatter the better way.
constexpr int64_t kMaxPlaces = 32;

// The sum over the places k of a window: the source of those windows that
// selected their element k, put where it comes from; what lies outside falls
// off. StableHLO's select_and_scatter leaves open which of equal elements it
// takes, and plugins differ.
HloValue summed_places(HloBuilder& b, const WindowParams& p, HloValue place,
                       HloValue source, const Shape& x) {
  DType index = b.dtype(place), t = b.dtype(source);
  Shape windows = b.shape(source);
  size_t rank = x.size();
  Dims strides = row_major_strides(x);
  // The place of the first element of every window, which may lie outside.
  HloValue first;
  int64_t corner = 0;
  for (size_t d = 0; d < rank; ++d) {
    HloValue i = b.elementwise(
        "multiply",
        {b.iota(index, windows, int64_t(d)),
         b.constant_int(index, p.strides[d] * strides[d], windows)});
    first = d == 0 ? i : b.elementwise("add", {first, i});
    corner -= p.padding[d].low * strides[d];
  }
  HloValue zero = b.constant(Literal::from_int(t, 0)), sum;
  HloValue zeros = b.constant(Literal::from_int(t, 0), windows);
  HloValue from_first = b.elementwise("subtract", {place, first});
  Dims k(rank, 0), low(rank, 0), high(rank, 0), interior(rank, 0);
  for (int64_t n = num_elements(p.dimensions); n > 0; --n) {
    int64_t offset = corner;
    for (size_t d = 0; d < rank; ++d) {
      low[d] = k[d] * p.window_dilation[d] - p.padding[d].low;
      interior[d] = p.strides[d] - 1;
      high[d] = x[d] - low[d] - dilated(windows[d], p.strides[d]);
      offset += k[d] * p.window_dilation[d] * strides[d];
    }
    HloValue here = b.compare(CompareOp::eq, from_first,
                              b.constant_int(index, offset, windows));
    HloValue part =
        b.op("pad", {b.select(here, source, zeros), zero}, {t, false, x},
             cat("edge_padding_low = ", i64_array(low),
                 ", edge_padding_high = ", i64_array(high),
                 ", interior_padding = ", i64_array(interior)));
    sum = sum.id < 0 ? part : b.elementwise("add", {sum, part});
    for (size_t d = rank; d-- > 0 && ++k[d] == p.dimensions[d];) k[d] = 0;
  }
  return sum;
}

HloValue scattered(HloBuilder& b, HloValue place, HloValue source,
                   const Shape& x) {
  DType t = b.dtype(source);
  int64_t n = num_elements(b.shape(source));
  HloValue in[] = {b.constant(Literal::from_int(t, 0), {num_elements(x)}),
                   b.reshape(place, {n, 1}), b.reshape(source, {n})};
  HloRegionOp r = b.begin(
      "scatter", in,
      "scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = "
      "[0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>",
      1);
  Aval scalar{t, false, {}}, args[] = {scalar, scalar};
  HloValues v = b.region(r, args);
  HloValue sum = b.elementwise("add", {v[0], v[1]});
  b.yield({&sum, 1});
  Aval flat{t, false, {num_elements(x)}};
  return b.reshape(b.end(r, {&flat, 1})[0], x);
}

}  // namespace

HloValues select_and_scatter_add(const HloArgs& a) {
  const auto& p = a.params.as<SelectParams>();
  HloBuilder& b = a.b;
  DType type = a.out[0].dtype;
  if (a.out[0].rank() == 0) return {a.in[0]};
  if (a.types[0].size() == 0)
    return {b.constant(Literal::from_int(type, 0), a.out[0].shape)};
  // 16-bit floats are summed in f32 and rounded once.
  DType wide = is_half(type) ? DType::f32 : type;
  HloValue source = b.convert(a.in[0], wide), x = b.convert(a.in[1], wide);
  HloValue place = selected(b, p, x, nullptr, a.types[0].shape)[1];
  bool few = num_elements(p.window.dimensions) <= kMaxPlaces;
  for (int64_t d : p.window.base_dilation) few &= d == 1;
  HloValue y = few ? summed_places(b, p.window, place, source, a.out[0].shape)
                   : scattered(b, place, source, a.out[0].shape);
  return {b.convert(y, type)};
}

}  // namespace cotan::hlo
