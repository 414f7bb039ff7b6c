// Matrices in the last two axes, as the rules of linear algebra write them:
// products, adjoints, triangles, diagonals. Everything is batched over the
// leading axes.
#pragma once

#include "ir/kernel_attrs.h"
#include "ops/linalg_params.h"
#include "ops/rules.h"

namespace cotan::ops {

inline int64_t rows(const Value& x) { return x.shape()[size_t(x.rank() - 2)]; }
inline int64_t cols(const Value& x) { return x.shape()[size_t(x.rank() - 1)]; }
// The shape with other last dimensions in the place of `drop` ones.
Shape with_last(const Shape& shape, size_t drop,
                std::initializer_list<int64_t> last);

Value mat_t(const Value& x);
Value conj_of(const Value& x);  // identity for real numbers
Value real_of(const Value& x);
Value adjoint(const Value& x);
Value matmul(const Value& a, const Value& b);
Value symmetrized(const Value& x);  // (x + x^H) / 2
// Entries on and below (above) diagonal k, others 0.
Value tril(const Value& x, int64_t k = 0);
Value triu(const Value& x, int64_t k = 0);
Value eye(DType t, int64_t n, int64_t m);
Value eye_like(const Value& x);  // of x's shape
Value diagonal(const Value& x);  // of square matrices
Value diagonal_matrix(const Value& v);
// v[..., None, :] and v[..., :, None], broadcast to the shape.
Value as_rows(const Value& v, const Shape& shape);
Value as_columns(const Value& v, const Shape& shape);
Value columns(const Value& x, int64_t begin, int64_t end);
Value row_range(const Value& x, int64_t begin, int64_t end);
// x[..., index[..., i], :] (axis -2) or x[..., :, index[..., j]] (axis -1).
Value take_along(const Value& x, const Value& index, int64_t axis);
Value scaled(const Value& x, double factor);

// a^-1 b for [n,n] and [n,k].
Value solve(const Value& a, const Value& b);

// ---- type and batch rules of primitives on matrices

// Checks dtypes (f32, f64, c64, c128, all the same; operands that `ints` has a
// bit for are int32) and ranks, and gives the batch dimensions.
Shape matrix_operands(const TypeArgs& a, std::initializer_list<int64_t> ranks,
                      unsigned ints = 0);
void require_square(const TypeArgs& a);
bool all_weak(const TypeArgs& a);
Aval matrix_aval(DType t, bool weak, const Shape& batch,
                 std::initializer_list<int64_t> dims);
// All operands get the batch axis in front, and so do all results.
Batched front_batch(const BatchArgs& a);
// `drop`: how many of operand 0's axes are not batch axes.
LinalgAttrs linalg_attrs(LinalgOp op, const LowerArgs& a, int64_t drop);

}  // namespace cotan::ops

namespace cotan::lax {

Value cholesky(const Value& x);
Values lu(const Value& x);  // lu, pivots, permutation
// Solves op(a) x = b by a's factors, which carry no derivative; op is
// identity, transpose or adjoint for trans = 0, 1, 2.
Value linear_solve(const Value& a, const Value& lu, const Value& permutation,
                   const Value& b, int64_t trans);
Value lu_pivots_to_permutation(const Value& pivots, int64_t size);
Value triangular_solve(const Value& a, const Value& b, TriangularParams p);
// perturb_singular: tiny pivots are moved away from zero, where the result
// would overflow.
Value tridiagonal_solve(const Value& dl, const Value& d, const Value& du,
                        const Value& b, bool perturb_singular = false);
Values geqrf(const Value& x);
Values geqp3(const Value& x, const Value& pivots);
Value householder_product(const Value& a, const Value& taus);
Value ormqr(const Value& a, const Value& taus, const Value& c, bool left,
            bool transpose);
Values qr(const Value& x, bool pivoting, bool full_matrices);
Values svd(const Value& x, bool full_matrices, bool compute_uv);  // s, u, vt
Values eigh(const Value& x, bool lower);                          // v, w
Values eig(const Value& x, bool left, bool right, bool vector_derivatives);
Values schur(const Value& x, bool vectors);
Values hessenberg(const Value& x);
Values tridiagonal(const Value& x, bool lower);

}  // namespace cotan::lax
