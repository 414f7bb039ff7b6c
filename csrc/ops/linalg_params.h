// Parameter types of the primitives of linear algebra.
#pragma once

#include "ir/params.h"

namespace cotan {

struct TriangularParams {
  bool left_side = false, lower = false, transpose_a = false,
       conjugate_a = false, unit_diagonal = false;
  static constexpr auto fields() {
    return std::tuple{field("left_side", &TriangularParams::left_side),
                      field("lower", &TriangularParams::lower),
                      field("transpose_a", &TriangularParams::transpose_a),
                      field("conjugate_a", &TriangularParams::conjugate_a),
                      field("unit_diagonal", &TriangularParams::unit_diagonal)};
  }
};
struct LinearSolveParams {
  int64_t trans = 0;
  static constexpr auto fields() {
    return std::tuple{field("trans", &LinearSolveParams::trans)};
  }
};
struct TridiagonalSolveParams {
  bool perturb_singular = false;
  static constexpr auto fields() {
    return std::tuple{
        field("perturb_singular", &TridiagonalSolveParams::perturb_singular)};
  }
};
struct PermutationParams {
  int64_t size = 0;
  static constexpr auto fields() {
    return std::tuple{field("permutation_size", &PermutationParams::size)};
  }
};
struct OrmqrParams {
  bool left = true, transpose = false;
  static constexpr auto fields() {
    return std::tuple{field("left", &OrmqrParams::left),
                      field("transpose", &OrmqrParams::transpose)};
  }
};
struct QrParams {
  bool pivoting = false, full_matrices = true;
  static constexpr auto fields() {
    return std::tuple{field("pivoting", &QrParams::pivoting),
                      field("full_matrices", &QrParams::full_matrices)};
  }
};
struct SvdParams {
  bool full_matrices = true, compute_uv = true;
  static constexpr auto fields() {
    return std::tuple{field("full_matrices", &SvdParams::full_matrices),
                      field("compute_uv", &SvdParams::compute_uv)};
  }
};
struct LowerParams {  // eigh, tridiagonal: the triangle that is read
  bool lower = true;
  static constexpr auto fields() {
    return std::tuple{field("lower", &LowerParams::lower)};
  }
};
struct EigParams {
  bool left = true, right = true, vector_derivatives = false;
  static constexpr auto fields() {
    return std::tuple{
        field("compute_left_eigenvectors", &EigParams::left),
        field("compute_right_eigenvectors", &EigParams::right),
        field("enable_eigvec_derivs", &EigParams::vector_derivatives)};
  }
};
struct SchurParams {
  bool vectors = true;
  static constexpr auto fields() {
    return std::tuple{field("compute_schur_vectors", &SchurParams::vectors)};
  }
};

}  // namespace cotan
