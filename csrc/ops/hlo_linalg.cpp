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

}  // namespace cotan::hlo
