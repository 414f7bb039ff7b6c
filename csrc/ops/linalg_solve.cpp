// cholesky, lu, pivots, and the solution of linear systems: by lu factors, of
// triangular and of tridiagonal matrices. Derivatives as in JAX.
#include "ops/expand_linalg.h"
#include "ops/hlo_rules.h"
#include "ops/matrices.h"

namespace cotan {
namespace ops {

extern const Primitive cholesky_p, lu_p, linear_solve_p, triangular_solve_p,
    tridiagonal_solve_p, lu_pivots_to_permutation_p;

namespace {

// ---- cholesky: reads the lower triangle, gives l with zeros above

Avals cholesky_type(const TypeArgs& a) {
  matrix_operands(a, {2});
  require_square(a);
  return {a.in[0]};
}

// l^-1 dA l^-H, its lower half (the diagonal halved), times l.
Dual cholesky_jvp(const JvpArgs& a) {
  Value l = bind1(a.self, a.x, a.params);
  Value y = lax::triangular_solve(
      l, a.t[0], {.lower = true, .transpose_a = true, .conjugate_a = true});
  y = lax::triangular_solve(l, y, {.left_side = true, .lower = true});
  Value half = lax::add(eye_like(y), lax::constant_like(y, 1));
  return {{l}, {matmul(l, tril(lax::div(y, half)))}};
}

KernelSpec cholesky_kernel(const LowerArgs& a) {
  return {"linalg", encode_attrs(linalg_attrs(LinalgOp::cholesky, a, 2))};
}

// ---- lu

Avals lu_type(const TypeArgs& a) {
  Shape batch = matrix_operands(a, {2});
  const Aval& x = a.in[0];
  int64_t m = x.shape[x.shape.size() - 2], n = x.shape.back();
  return {x, matrix_aval(DType::i32, false, batch, {std::min(m, n)}),
          matrix_aval(DType::i32, false, batch, {m})};
}

Value pad_last(const Value& x, int64_t row_lo, int64_t row_hi, int64_t col_lo,
               int64_t col_hi) {
  std::vector<PadDim> config(size_t(x.rank()), PadDim{0, 0, 0});
  config[config.size() - 2] = {row_lo, row_hi, 0};
  config[config.size() - 1] = {col_lo, col_hi, 0};
  return lax::pad(x, scalar_value(x.dtype(), 0), std::move(config));
}

// L' = L tril(L^-1 A' U^-1, -1), U' = triu(L^-1 A' U^-1) U (de Hoog, Anderssen
// and Lukas), with L and U padded to squares.
Dual lu_jvp(const JvpArgs& a) {
  Values out = bind_all(a.self, a.x, a.params);
  const Value &f = out[0], &perm = out[2];
  int64_t m = rows(f), n = cols(f), k = std::min(m, n);
  DType t = f.dtype();
  Value l = pad_last(tril(columns(f, 0, k), -1), 0, 0, 0, m - k);
  l = lax::add(l, eye_like(l));
  Value u = pad_last(triu(row_range(f, 0, k)), 0, n - k, 0, 0);
  if (n > k) {
    Value rest = pad_last(eye(t, n - k, n - k), k, 0, k, 0);
    Axes last = {u.rank() - 2, u.rank() - 1};
    u = lax::add(u, broadcast_in_dim(rest, u.shape(), last));
  }
  Value y = lax::triangular_solve(
      l, take_along(a.t[0], perm, -2),
      {.left_side = true, .lower = true, .unit_diagonal = true});
  y = lax::triangular_solve(u, y, {});
  Value d = lax::add(matmul(l, tril(y, -1)), matmul(triu(y), u));
  return {std::move(out), {d, nullptr, nullptr}};
}

KernelSpec lu_kernel(const LowerArgs& a) {
  return {"linalg", encode_attrs(linalg_attrs(LinalgOp::lu, a, 2))};
}

// ---- linear_solve: operands a, lu, permutation, b

Avals linear_solve_type(const TypeArgs& a) {
  matrix_operands(a, {2, 2, 1, 2}, 1 << 2);
  require_square(a);
  const Shape &s = a.in[0].shape, &b = a.in[3].shape;
  COTAN_CHECK(a.in[1].shape == s && a.in[2].shape.back() == s.back());
  if (b[b.size() - 2] != s.back())
    throw_value("[linear_solve] shapes do not fit: a=", shape_string(s),
                ", b=", shape_string(b));
  return {a.in[3]};
}

// a x = b: a x' = b' - a' x. The factors have no derivative of their own.
Dual linear_solve_jvp(const JvpArgs& a) {
  int64_t trans = a.params.as<LinearSolveParams>().trans;
  Value x = bind1(a.self, a.x, a.params), rhs = a.t[3];
  if (a.t[0]) {
    Value op = trans == 0   ? a.t[0]
               : trans == 1 ? mat_t(a.t[0])
                            : adjoint(a.t[0]);
    Value change = matmul(op, x);
    rhs = rhs ? lax::sub(rhs, change) : lax::neg(change);
  }
  if (!rhs) return {{x}, {nullptr}};
  return {{x}, {bind1(a.self, {a.x[0], a.x[1], a.x[2], rhs}, a.params)}};
}

Values linear_solve_transpose(const TransposeArgs& a) {
  for (size_t i : {0, 1, 2}) require_known(a, i);
  int64_t trans = a.params.as<LinearSolveParams>().trans;
  Value ct = trans == 2 ? conj_of(a.ct[0]) : a.ct[0];
  Value y = lax::linear_solve(a.x[0], a.x[1], a.x[2], ct, trans == 0 ? 1 : 0);
  return {nullptr, nullptr, nullptr, trans == 2 ? conj_of(y) : y};
}

// The columns of many right-hand sides of one matrix side by side.
struct SideBySide {
  Value flat;
  Shape shape;  // batch axis second to last or last
};
SideBySide beside(const Value& b, int64_t dim, bool in_columns) {
  int64_t r = b.rank();
  Value moved = move_axis(b, dim, r - 2 + (in_columns ? 0 : -1));
  Shape s = moved.shape();
  // [.., n, B, k] -> [.., n, B k], or [.., B, m, n] -> [.., B m, n].
  size_t at = in_columns ? s.size() - 2 : s.size() - 3;
  Shape flat;
  for (size_t d = 0; d < s.size(); ++d) {
    if (d == at + 1)
      flat.back() *= s[d];
    else
      flat.push_back(s[d]);
  }
  return {lax::reshape(moved, flat), s};
}

Batched linear_solve_batch(const BatchArgs& a) {
  for (size_t i : {0, 1, 2})
    if (a.dims[i] != kNotBatched) return front_batch(a);
  SideBySide b = beside(a.x[3], a.dims[3], true);
  Value y = bind1(a.self, {a.x[0], a.x[1], a.x[2], b.flat}, a.params);
  return batched_at(lax::reshape(y, b.shape), int64_t(b.shape.size()) - 2);
}

KernelSpec linear_solve_kernel(const LowerArgs& a) {
  LinalgAttrs k = linalg_attrs(LinalgOp::linear_solve, a, 2);
  k.k = a.in[3].shape.back();
  k.flags[0] = a.params.as<LinearSolveParams>().trans;
  return {"linalg", encode_attrs(k)};
}

// ---- triangular_solve

const TriangularParams& triangular(const Params& p) {
  return p.as<TriangularParams>();
}

Avals triangular_type(const TypeArgs& a) {
  auto& p = triangular(a.params);
  matrix_operands(a, {2, 2});
  const Shape &s = a.in[0].shape, &b = a.in[1].shape;
  if (s[s.size() - 1] != s[s.size() - 2])
    throw_value(
        "[triangular_solve] The first input to triangular_solve must be a "
        "square matrix. Got shape ",
        shape_string(s), ".");
  if (s.back() != b[b.size() - (p.left_side ? 2 : 1)])
    throw_value(
        "[triangular_solve] Incompatible shapes for arguments to "
        "triangular_solve: ",
        shape_string(s), " and ", shape_string(b), ".");
  return {a.in[1]};
}

// op(a) x = b: x' = op(a)^-1 (b' - op(a') x).
Dual triangular_jvp(const JvpArgs& a) {
  auto& p = triangular(a.params);
  Value x = bind1(a.self, a.x, a.params), t;
  auto inverse = [&](const Value& rhs) {
    return bind1(a.self, {a.x[0], rhs}, a.params);
  };
  if (a.t[0]) {
    int64_t k = p.unit_diagonal ? 1 : 0;
    Value d = lax::neg(p.lower ? tril(a.t[0], -k) : triu(a.t[0], k));
    if (p.transpose_a) d = mat_t(d);
    if (p.conjugate_a) d = conj_of(d);
    // Whichever order has the smaller products.
    int64_t m = rows(x), n = cols(x);
    if (p.left_side)
      t = m > n ? inverse(matmul(d, x)) : matmul(inverse(d), x);
    else
      t = m < n ? inverse(matmul(x, d)) : matmul(x, inverse(d));
  }
  if (a.t[1]) {
    Value s = inverse(a.t[1]);
    t = t ? lax::add(t, s) : s;
  }
  return {{x}, {t}};
}

Values triangular_transpose(const TransposeArgs& a) {
  require_known(a, 0);
  auto p = triangular(a.params);
  p.transpose_a = !p.transpose_a;
  return {nullptr, lax::triangular_solve(a.x[0], a.ct[0], p)};
}

Batched triangular_batch(const BatchArgs& a) {
  if (a.dims[0] != kNotBatched) return front_batch(a);
  bool left = triangular(a.params).left_side;
  SideBySide b = beside(a.x[1], a.dims[1], left);
  Value y = bind1(a.self, {a.x[0], b.flat}, a.params);
  return batched_at(lax::reshape(y, b.shape),
                    int64_t(b.shape.size()) - (left ? 2 : 3));
}

KernelSpec triangular_kernel(const LowerArgs& a) {
  auto& p = triangular(a.params);
  LinalgAttrs k = linalg_attrs(LinalgOp::triangular_solve, a, 2);
  const Shape& b = a.in[1].shape;
  k.m = b[b.size() - 2];
  k.n = b.back();
  k.flags[0] = p.left_side;
  k.flags[1] = p.lower;
  k.flags[2] = p.transpose_a;
  k.flags[3] = p.conjugate_a;
  k.flags[4] = p.unit_diagonal;
  return {"linalg", encode_attrs(k)};
}

// ---- tridiagonal_solve: operands dl, d, du, b

bool perturbs(const Params& p) {
  return p.as<TridiagonalSolveParams>().perturb_singular;
}

Avals tridiagonal_solve_type(const TypeArgs& a) {
  matrix_operands(a, {1, 1, 1, 2});
  const Shape &d = a.in[0].shape, &b = a.in[3].shape;
  if (a.in[1].shape != d || a.in[2].shape != d)
    throw_type(
        "[tridiagonal_solve] tridiagonal_solve requires that all diagonal "
        "arguments have the same shape.");
  if (b[b.size() - 2] != d.back())
    throw_type(
        "[tridiagonal_solve] tridiagonal_solve requires that the leading "
        "ndim-1 dimensions of b equal the dimensions of the diagonal "
        "arguments.");
  return {a.in[3]};
}

Value shift_rows(const Value& x, int64_t by) {
  std::vector<PadDim> config(size_t(x.rank()), PadDim{0, 0, 0});
  config[config.size() - 2] = {by, -by, 0};
  return lax::pad(x, scalar_value(x.dtype(), 0), std::move(config));
}
Value shift_last(const Value& x, int64_t by) {
  std::vector<PadDim> config(size_t(x.rank()), PadDim{0, 0, 0});
  config.back() = {by, -by, 0};
  return lax::pad(x, scalar_value(x.dtype(), 0), std::move(config));
}

Dual tridiagonal_solve_jvp(const JvpArgs& a) {
  Value x = bind1(a.self, a.x, a.params), rhs = a.t[3];
  for (int i = 0; i < 3; ++i) {
    const Value& t = a.t[size_t(i)];
    if (!t) continue;
    // Row j has dl[j] x[j-1] + d[j] x[j] + du[j] x[j+1].
    Value product = lax::mul(as_columns(t, x.shape()), shift_rows(x, 1 - i));
    rhs = rhs ? lax::sub(rhs, product) : lax::neg(product);
  }
  return {{x}, {bind1(a.self, {a.x[0], a.x[1], a.x[2], rhs}, a.params)}};
}

Values tridiagonal_solve_transpose(const TransposeArgs& a) {
  for (size_t i : {0, 1, 2}) require_known(a, i);
  Value y = lax::tridiagonal_solve(shift_last(a.x[2], 1), a.x[1],
                                   shift_last(a.x[0], -1), a.ct[0],
                                   perturbs(a.params));
  return {nullptr, nullptr, nullptr, y};
}

Batched tridiagonal_solve_batch(const BatchArgs& a) {
  for (size_t i : {0, 1, 2})
    if (a.dims[i] != kNotBatched) return front_batch(a);
  SideBySide b = beside(a.x[3], a.dims[3], true);
  Value y = bind1(a.self, {a.x[0], a.x[1], a.x[2], b.flat}, a.params);
  return batched_at(lax::reshape(y, b.shape), int64_t(b.shape.size()) - 2);
}

KernelSpec tridiagonal_solve_kernel(const LowerArgs& a) {
  LinalgAttrs k = linalg_attrs(LinalgOp::tridiagonal_solve, a, 1);
  k.k = a.in[3].shape.back();
  k.flags[0] = perturbs(a.params);
  return {"linalg", encode_attrs(k)};
}

// ---- lu_pivots_to_permutation

Avals permutation_type(const TypeArgs& a) {
  int64_t n = a.params.as<PermutationParams>().size;
  const Aval& x = a.in[0];
  if (x.dtype != DType::i32)
    throw_type("[lu_pivots_to_permutation] lu_pivots_to_permutation does not ",
               "accept dtype ", dtype_name(x.dtype), ", pivots are int32.");
  if (x.rank() < 1)
    throw_type("[lu_pivots_to_permutation] pivots must have rank at least 1");
  if (x.shape.back() > n)
    throw_value("[lu_pivots_to_permutation] Output permutation size ", n,
                " has to exceed the trailing dimension of the pivots. Got "
                "pivots size ",
                x.shape.back(), ".");
  return {Aval{DType::i32, false, with_last(x.shape, 1, {n})}};
}

KernelSpec permutation_kernel(const LowerArgs& a) {
  LinalgAttrs k = linalg_attrs(LinalgOp::pivots_to_permutation, a, 1);
  k.dtype = DType::f32;  // no routine of LAPACK has a part in it
  k.m = a.out[0].shape.back();
  return {"linalg", encode_attrs(k)};
}

}  // namespace

constinit const Primitive cholesky_p = {
    .name = "cholesky",
    .type = cholesky_type,
    .eval = kernel_eval,
    .jvp = cholesky_jvp,
    .batch = front_batch,
    .kernel = cholesky_kernel,
    .hlo = hlo::cholesky,
};
constinit const Primitive lu_p = {
    .name = "lu",
    .type = lu_type,
    .eval = kernel_eval,
    .jvp = lu_jvp,
    .batch = front_batch,
    .kernel = lu_kernel,
    .expand = expand_lu,
};
constinit const Primitive linear_solve_p = {
    .name = "linear_solve",
    .params = params_of<LinearSolveParams>,
    .type = linear_solve_type,
    .eval = kernel_eval,
    .jvp = linear_solve_jvp,
    .transpose = linear_solve_transpose,
    .batch = linear_solve_batch,
    .kernel = linear_solve_kernel,
    .expand = expand_linear_solve,
};
constinit const Primitive triangular_solve_p = {
    .name = "triangular_solve",
    .params = params_of<TriangularParams>,
    .type = triangular_type,
    .eval = kernel_eval,
    .jvp = triangular_jvp,
    .transpose = triangular_transpose,
    .batch = triangular_batch,
    .kernel = triangular_kernel,
    .hlo = hlo::triangular_solve,
};
constinit const Primitive tridiagonal_solve_p = {
    .name = "tridiagonal_solve",
    .params = params_of<TridiagonalSolveParams>,
    .type = tridiagonal_solve_type,
    .eval = kernel_eval,
    .jvp = tridiagonal_solve_jvp,
    .transpose = tridiagonal_solve_transpose,
    .batch = tridiagonal_solve_batch,
    .kernel = tridiagonal_solve_kernel,
    .expand = expand_tridiagonal_solve,
};
constinit const Primitive lu_pivots_to_permutation_p = {
    .name = "lu_pivots_to_permutation",
    .flags = kNotDifferentiable,
    .params = params_of<PermutationParams>,
    .type = permutation_type,
    .eval = kernel_eval,
    .batch = front_batch,
    .kernel = permutation_kernel,
    .hlo = hlo::pivots_to_permutation,
};
COTAN_REGISTER(cholesky_p);
COTAN_REGISTER(lu_p);
COTAN_REGISTER(linear_solve_p);
COTAN_REGISTER(triangular_solve_p);
COTAN_REGISTER(tridiagonal_solve_p);
COTAN_REGISTER(lu_pivots_to_permutation_p);

}  // namespace ops

namespace lax {

Value cholesky(const Value& x) { return bind1(ops::cholesky_p, {x}); }
Values lu(const Value& x) { return bind_all(ops::lu_p, {x}); }
Value linear_solve(const Value& a, const Value& lu, const Value& permutation,
                   const Value& b, int64_t trans) {
  return bind1(ops::linear_solve_p, {a, lu, permutation, b},
               LinearSolveParams{trans});
}
Value triangular_solve(const Value& a, const Value& b, TriangularParams p) {
  p.conjugate_a &= is_complex(a.dtype());
  return bind1(ops::triangular_solve_p, {a, b}, p);
}
Value tridiagonal_solve(const Value& dl, const Value& d, const Value& du,
                        const Value& b, bool perturb_singular) {
  return bind1(ops::tridiagonal_solve_p, {dl, d, du, b},
               TridiagonalSolveParams{perturb_singular});
}
Value lu_pivots_to_permutation(const Value& pivots, int64_t size) {
  return bind1(ops::lu_pivots_to_permutation_p, {pivots},
               PermutationParams{size});
}

}  // namespace lax
}  // namespace cotan
