// Rules of the solvers that StableHLO has itself. The other decompositions
// have none: what a plugin knows of them are custom calls of its own.
#include "ops/hlo_rules.h"
#include "ops/linalg_params.h"

namespace cotan::hlo {

HloValues cholesky(const HloArgs& a) {
  HloBuilder& b = a.b;
  HloValue l = b.op("cholesky", {a.in[0]}, a.out[0], "lower = true");
  // The other triangle holds anything; ours is zero.
  const Shape& s = a.out[0].shape;
  int64_t rank = int64_t(s.size());
  HloValue row = b.iota(DType::i32, s, rank - 2);
  HloValue column = b.iota(DType::i32, s, rank - 1);
  HloValue zero = b.constant(a.out[0].dtype, 0, s);
  return {b.select(b.compare(CompareOp::ge, row, column), l, zero)};
}

HloValues triangular_solve(const HloArgs& a) {
  const auto& p = a.params.as<TriangularParams>();
  auto flag = [](bool v) { return v ? "true" : "false"; };
  const char* transpose = !p.transpose_a  ? "NO_TRANSPOSE"
                          : p.conjugate_a ? "ADJOINT"
                                          : "TRANSPOSE";
  HloValue m = a.in[0];
  if (!p.transpose_a && p.conjugate_a && is_complex(a.types[0].dtype)) {
    Aval part{real_dtype(a.types[0].dtype), false, a.types[0].shape};
    HloValue im = a.b.elementwise("negate", {a.b.op("imag", {m}, part)});
    m = a.b.op("complex", {a.b.op("real", {m}, part), im}, a.types[0]);
  }
  return {a.b.op("triangular_solve", {m, a.in[1]}, a.out[0],
                 cat("left_side = ", flag(p.left_side), ", lower = ",
                     flag(p.lower), ", unit_diagonal = ", flag(p.unit_diagonal),
                     ", transpose_a = #stablehlo<transpose ", transpose, ">"))};
}

// One exchange after another, every permutation of the batch at once.
HloValues pivots_to_permutation(const HloArgs& a) {
  HloBuilder& b = a.b;
  const Shape& shape = a.out[0].shape;
  int64_t last = int64_t(shape.size()) - 1;
  HloValue place = b.iota(DType::i32, shape, last);
  HloValue none = b.constant_int(DType::i32, 0, shape);
  Axes batch;
  for (int64_t d = 0; d < last; ++d) batch.push_back(d);
  auto spread = [&](HloValue v) { return b.broadcast(v, shape, batch); };
  // v where `at` says so, along the last axis.
  auto read = [&](HloValue at, HloValue v) {
    HloValue zero = b.constant_int(DType::i32, 0);
    return spread(b.reduce(b.select(at, v, none), zero, {last}, Monoid::sum));
  };
  auto step = [&](HloValue i, std::span<const HloValue> perm) {
    HloValues in{a.in[0]};
    Dims sizes = a.types[0].shape;
    sizes.back() = 1;
    in.resize(size_t(last) + 1, b.constant_int(b.dtype(i), 0));
    in.push_back(i);
    HloValue pivot = b.op("dynamic_slice", in, {DType::i32, false, sizes},
                          cat("slice_sizes = ", i64_array(sizes)));
    sizes.pop_back();
    pivot = spread(b.reshape(pivot, sizes));
    HloValue here = b.compare(CompareOp::eq, place, b.broadcast_to(i, shape));
    HloValue there = b.compare(CompareOp::eq, place, pivot);
    // No such place: nothing moves.
    HloValue size = b.constant_int(DType::i32, shape.back(), shape);
    HloValue valid =
        b.elementwise("and", {b.compare(CompareOp::ge, pivot, none),
                              b.compare(CompareOp::lt, pivot, size)});
    HloValue moved = b.select(here, read(there, perm[0]),
                              b.select(there, read(here, perm[0]), perm[0]));
    return HloValues{b.select(valid, moved, perm[0])};
  };
  return repeat(b, a.types[0].shape.back(), {&place, 1}, step);
}

}  // namespace cotan::hlo
