// Rules of gather, scatter, sort and the running combinations.
#include "ops/hlo_rules.h"
#include "ops/window_params.h"

namespace cotan::hlo {

namespace {

// Indices in a type that holds every size of the operand.
HloValue wide_indices(HloBuilder& b, HloValue indices, const Shape& operand) {
  DType t = b.dtype(indices);
  if (t == DType::i32 || t == DType::i64) return indices;
  bool large = t == DType::u32 || t == DType::u64;
  for (int64_t d : operand) large |= d > INT32_MAX;
  return b.convert(indices, large ? DType::i64 : DType::i32);
}

// The largest valid start of every component of the index vectors.
Dims last_starts(const Axes& map, const Shape& operand, const Dims& sizes) {
  Dims last;
  for (int64_t d : map) last.push_back(operand[size_t(d)] - sizes[size_t(d)]);
  return last;
}

HloValue index_bounds(HloBuilder& b, HloValue indices, const Dims& last) {
  const Shape& s = b.shape(indices);
  return b.broadcast(b.constants(b.dtype(indices), last), s,
                     {int64_t(s.size()) - 1});
}

// Which index vectors point at a window inside the operand.
HloValue in_bounds(HloBuilder& b, HloValue indices, const Dims& last) {
  Shape s = b.shape(indices);
  if (last.empty()) {
    s.pop_back();
    return b.constant(Literal::from_int(DType::bool_, 1), s);
  }
  HloValue low =
      b.compare(CompareOp::ge, indices, b.constant_int(b.dtype(indices), 0, s));
  HloValue high =
      b.compare(CompareOp::le, indices, index_bounds(b, indices, last));
  HloValue both = b.elementwise("and", {low, high});
  return b.reduce(both, b.constant(Literal::from_int(DType::bool_, 1)),
                  {int64_t(s.size()) - 1}, Monoid::and_);
}

}  // namespace

HloValues gather(const HloArgs& a, const Literal& fill) {
  const auto& p = a.params.as<GatherParams>();
  HloBuilder& b = a.b;
  const Shape& operand = a.types[0].shape;
  HloValue indices = wide_indices(b, a.in[1], operand);
  int64_t vector_dim = int64_t(b.shape(indices).size()) - 1;
  HloValue y = b.op(
      "gather", {a.in[0], indices}, a.out[0],
      cat("dimension_numbers = #stablehlo.gather<offset_dims = ",
          i64_list(p.offset_dims),
          ", collapsed_slice_dims = ", i64_list(p.collapsed_slice_dims),
          ", operand_batching_dims = ", i64_list(p.operand_batching_dims),
          ", start_indices_batching_dims = ",
          i64_list(p.start_indices_batching_dims), ", start_index_map = ",
          i64_list(p.start_index_map), ", index_vector_dim = ", vector_dim,
          ">, slice_sizes = ", i64_array(p.slice_sizes),
          ", indices_are_sorted = ", p.indices_are_sorted ? "true" : "false"));
  // StableHLO clamps, which is what the other modes want.
  if (p.mode != GatherMode::fill_or_drop) return {y};
  HloValue inside = in_bounds(
      b, indices, last_starts(p.start_index_map, operand, p.slice_sizes));
  Axes dims;  // of the result that come from the indices
  for (int64_t d = 0; d < a.out[0].rank(); ++d) {
    bool offset = false;
    for (int64_t o : p.offset_dims) offset |= o == d;
    if (!offset) dims.push_back(d);
  }
  const Shape& out = a.out[0].shape;
  return {b.select(b.broadcast(inside, out, dims), y, b.constant(fill, out))};
}

HloValues scatter(const HloArgs& a, ScatterKind kind) {
  const auto& p = a.params.as<ScatterParams>();
  HloBuilder& b = a.b;
  const Shape& operand = a.types[0].shape;
  HloValue indices = wide_indices(b, a.in[1], operand);
  if (p.mode == GatherMode::clip && !p.scatter_dims_to_operand_dims.empty()) {
    // Window sizes: of the updates along their window dimensions, else 1.
    Dims sizes(operand.size(), 1);
    size_t next = 0;
    for (size_t d = 0; d < operand.size(); ++d) {
      bool whole = true;
      for (int64_t i : p.inserted_window_dims) whole &= i != int64_t(d);
      for (int64_t i : p.operand_batching_dims) whole &= i != int64_t(d);
      if (whole)
        sizes[d] = a.types[2].shape[size_t(p.update_window_dims[next++])];
    }
    HloValue high = index_bounds(
        b, indices,
        last_starts(p.scatter_dims_to_operand_dims, operand, sizes));
    HloValue zero = b.constant_int(b.dtype(indices), 0, b.shape(indices));
    indices = b.elementwise("clamp", {zero, indices, high});
  }
  int64_t vector_dim = int64_t(b.shape(indices).size()) - 1;
  HloValue in[] = {a.in[0], indices, a.in[2]};
  HloRegionOp r = b.begin(
      "scatter", in,
      cat("scatter_dimension_numbers = #stablehlo.scatter<update_window_dims "
          "= ",
          i64_list(p.update_window_dims),
          ", inserted_window_dims = ", i64_list(p.inserted_window_dims),
          ", input_batching_dims = ", i64_list(p.operand_batching_dims),
          ", scatter_indices_batching_dims = ",
          i64_list(p.scatter_indices_batching_dims),
          ", scatter_dims_to_operand_dims = ",
          i64_list(p.scatter_dims_to_operand_dims),
          ", index_vector_dim = ", vector_dim,
          ">, indices_are_sorted = ", p.indices_are_sorted ? "true" : "false",
          ", unique_indices = ", p.unique_indices ? "true" : "false"),
      1);
  Aval scalar{a.out[0].dtype, false, {}}, args[] = {scalar, scalar};
  HloValues x = b.region(r, args);
  HloValue y = kind == ScatterKind::set   ? x[1]
               : kind == ScatterKind::add ? b.combine(Monoid::sum, x[0], x[1])
               : kind == ScatterKind::mul ? b.combine(Monoid::prod, x[0], x[1])
               : kind == ScatterKind::min ? b.combine(Monoid::min, x[0], x[1])
               : kind == ScatterKind::max
                   ? b.combine(Monoid::max, x[0], x[1])
                   : b.elementwise("subtract", {x[0], x[1]});
  b.yield({&y, 1});
  return b.end(r, a.out);
}

namespace {

// x < y and x == y in the order that sort has: nans last, all alike.
struct Order {
  HloValue less, equal;
};
Order order_of(HloBuilder& b, HloValue x, HloValue y) {
  if (is_complex(b.dtype(x))) {
    Aval part{real_dtype(b.dtype(x)), false, {}};
    Order re = order_of(b, b.op("real", {x}, part), b.op("real", {y}, part));
    Order im = order_of(b, b.op("imag", {x}, part), b.op("imag", {y}, part));
    HloValue later = b.elementwise("and", {re.equal, im.less});
    return {b.elementwise("or", {re.less, later}),
            b.elementwise("and", {re.equal, im.equal})};
  }
  Order o{b.compare(CompareOp::lt, x, y), b.compare(CompareOp::eq, x, y)};
  if (!is_float(b.dtype(x))) return o;
  HloValue nx = b.compare(CompareOp::ne, x, x);
  HloValue ny = b.compare(CompareOp::ne, y, y);
  HloValue before = b.elementwise("and", {b.elementwise("not", {nx}), ny});
  return {b.elementwise("or", {o.less, before}),
          b.elementwise("or", {o.equal, b.elementwise("and", {nx, ny})})};
}

}  // namespace

HloValues sort(const HloArgs& a) {
  const auto& p = a.params.as<SortParams>();
  HloBuilder& b = a.b;
  HloRegionOp r = b.begin("sort", a.in,
                          cat("dimension = ", p.dimension, " : i64, is_stable ",
                              "= ", p.is_stable ? "true" : "false"),
                          a.out.size());
  Avals args;  // the operands' elements in pairs
  for (const Aval& t : a.types)
    for (int i = 0; i < 2; ++i) args.push_back({t.dtype, false, {}});
  HloValues x = b.region(r, args);
  HloValue less;
  for (size_t k = size_t(p.num_keys); k-- > 0;) {
    Order o = order_of(b, x[2 * k], x[2 * k + 1]);
    less = less.id < 0
               ? o.less
               : b.elementwise("or",
                               {o.less, b.elementwise("and", {o.equal, less})});
  }
  b.yield({&less, 1});
  return b.end(r, a.out);
}

namespace {

// log(exp(x) + exp(y)) of scalars.
HloValue log_add_exp(HloBuilder& b, HloValue x, HloValue y) {
  HloValue high = b.elementwise("maximum", {x, y});
  HloValue distance = b.elementwise("subtract", {x, y});
  // inf - inf is nan; both infinite: the larger one (or their nan).
  HloValue usual = b.elementwise(
      "add",
      {high, b.elementwise(
                 "log_plus_one",
                 {b.elementwise(
                     "exponential",
                     {b.elementwise("negate",
                                    {b.elementwise("abs", {distance})})})})});
  HloValue odd = b.compare(CompareOp::ne, distance, distance);
  return b.select(odd, high, usual);
}

}  // namespace

HloValues cumulative(const HloArgs& a, CumulativeKind kind) {
  const auto& p = a.params.as<CumulativeParams>();
  HloBuilder& b = a.b;
  const Aval& type = a.out[0];
  if (type.size() == 0) return {a.in[0]};
  constexpr Monoid monoids[] = {Monoid::sum, Monoid::prod, Monoid::max,
                                Monoid::min, Monoid::max};
  Monoid m = monoids[int(kind)];
  DType t = is_half(type.dtype) ? DType::f32 : type.dtype;
  HloValue x = b.convert(a.in[0], t);
  HloValue init = b.constant(monoid_identity(m, t));
  Dims ones(type.shape.size(), 1);
  WindowParams w{ones, ones, std::vector<PadPair>(ones.size()), ones, ones};
  int64_t n = type.shape[size_t(p.axis)];
  w.dimensions[size_t(p.axis)] = n;
  w.padding[size_t(p.axis)] = p.reverse ? PadPair{0, n - 1} : PadPair{n - 1, 0};
  HloValue in[] = {x, init};
  HloRegionOp r = b.begin("reduce_window", in, window_text(w), 1);
  Aval scalar{t, false, {}}, args[] = {scalar, scalar};
  HloValues v = b.region(r, args);
  HloValue y = kind == CumulativeKind::logsumexp ? log_add_exp(b, v[0], v[1])
                                                 : b.combine(m, v[0], v[1]);
  b.yield({&y, 1});
  Aval wide{t, false, type.shape};
  return {b.convert(b.end(r, {&wide, 1})[0], type.dtype)};
}

}  // namespace cotan::hlo
