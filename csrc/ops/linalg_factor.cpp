// qr and what it is made of, svd, eigh, eig, schur, and the reductions to
// Hessenberg and tridiagonal form. Derivatives as in JAX; those of the last
// three do not exist there either.
#include "ops/expand_linalg.h"
#include "ops/matrices.h"

namespace cotan {
namespace ops {

extern const Primitive geqrf_p, geqp3_p, householder_product_p, ormqr_p, qr_p,
    svd_p, eigh_p, eig_p, schur_p, hessenberg_p, tridiagonal_p;

namespace {

int64_t last(const Aval& x, int64_t i) {
  return x.shape[x.shape.size() - size_t(i)];
}
KernelSpec spec(const LinalgAttrs& k) { return {"linalg", encode_attrs(k)}; }

template <LinalgOp Op>
KernelSpec plain_kernel(const LowerArgs& a) {
  return spec(linalg_attrs(Op, a, 2));
}

Dual no_jvp(const JvpArgs& a) {
  throw_not_implemented("[", a.self.name, "] Differentiation rule for '",
                        a.self.name, "' not implemented");
}

// ---- Householder reflectors

Avals geqrf_type(const TypeArgs& a) {
  Shape batch = matrix_operands(a, {2});
  const Aval& x = a.in[0];
  return {x, matrix_aval(x.dtype, x.weak_type, batch,
                         {std::min(last(x, 2), last(x, 1))})};
}
Avals geqp3_type(const TypeArgs& a) {
  Shape batch = matrix_operands(a, {2, 1}, 1 << 1);
  const Aval& x = a.in[0];
  if (last(a.in[1], 1) != last(x, 1))
    throw_value("[geqp3] needs one pivot per column, got ", a.in[1], " for ",
                x);
  return {
      x, matrix_aval(DType::i32, false, batch, {last(x, 1)}),
      matrix_aval(x.dtype, false, batch, {std::min(last(x, 2), last(x, 1))})};
}

Avals householder_type(const TypeArgs& a) {
  matrix_operands(a, {2, 1});
  const Aval& x = a.in[0];
  if (last(x, 2) < last(x, 1))
    throw_value(
        "[householder_product] The first argument to householder_product must "
        "have at least as many rows as columns, got shape ",
        shape_string(x.shape));
  if (last(a.in[1], 1) > last(x, 1))
    throw_value(
        "[householder_product] The second argument to householder_product "
        "must not have more rows than the minimum of the first argument's "
        "rows and columns.");
  return {x};
}
KernelSpec householder_kernel(const LowerArgs& a) {
  LinalgAttrs k = linalg_attrs(LinalgOp::householder_product, a, 2);
  k.k = last(a.in[1], 1);
  return spec(k);
}

Avals ormqr_type(const TypeArgs& a) {
  auto& p = a.params.as<OrmqrParams>();
  matrix_operands(a, {2, 1, 2});
  const Aval &x = a.in[0], &c = a.in[2];
  if (last(c, p.left ? 2 : 1) != last(x, 2))
    throw_value(
        "[ormqr] ormqr with left=", p.left ? "True" : "False",
        " expects c to have the same number of ", p.left ? "rows" : "columns",
        " as the Householder matrix a has rows. Got a shape ",
        shape_string(x.shape), " and c shape ", shape_string(c.shape), ".");
  if (last(a.in[1], 1) > std::min(last(x, 2), last(x, 1)))
    throw_value("[ormqr] has more reflectors than a has columns: taus ",
                a.in[1], " for ", x);
  return {c};
}
KernelSpec ormqr_kernel(const LowerArgs& a) {
  auto& p = a.params.as<OrmqrParams>();
  LinalgAttrs k = linalg_attrs(LinalgOp::ormqr, a, 2);
  k.m = last(a.in[2], 2);
  k.n = last(a.in[2], 1);
  k.k = last(a.in[1], 1);
  k.flags[0] = p.left;
  k.flags[1] = p.transpose;
  k.flags[2] = last(a.in[0], 1);
  return spec(k);
}

// ---- qr

Avals qr_type(const TypeArgs& a) {
  auto& p = a.params.as<QrParams>();
  Shape batch = matrix_operands(a, {2});
  const Aval& x = a.in[0];
  int64_t m = last(x, 2), n = last(x, 1);
  int64_t k = p.full_matrices ? m : std::min(m, n);
  Avals out = {matrix_aval(x.dtype, x.weak_type, batch, {m, k}),
               matrix_aval(x.dtype, x.weak_type, batch, {k, n})};
  if (p.pivoting) out.push_back(matrix_aval(DType::i32, false, batch, {n}));
  return out;
}

struct QrTangents {
  Value q, r;
};
// For m >= n; see j-towns.github.io/papers/qr-derivative.pdf.
QrTangents thin_qr_jvp(const Value& q, const Value& r, const Value& dx) {
  Value dx_rinv = lax::triangular_solve(r, dx, {});
  Value s = matmul(adjoint(q), dx_rinv);
  Value lower = tril(s, -1);
  Value skew = lax::sub(lower, adjoint(lower));
  if (is_complex(s.dtype())) {
    Value imaginary = lax::sub(s, lax::convert(lax::real(s), s.dtype()));
    skew = lax::add(skew, lax::mul(eye_like(s), imaginary));
  }
  return {lax::add(matmul(q, lax::sub(skew, s)), dx_rinv),
          matmul(lax::sub(s, skew), r)};
}

// The other columns of a full q; arXiv 2409.13374, equations 32 and 33.
Value full_q_tangent(const Value& q, const Value& dq, int64_t m, int64_t n) {
  Value q_mn = columns(q, 0, n), q_mp = columns(q, n, m);
  Value q_nn = row_range(q_mn, 0, n), q_pn = row_range(q_mn, n, m);
  Value dq_nn = row_range(dq, 0, n), dq_pn = row_range(dq, n, m);
  Value base = lax::sub(q_nn, eye_like(q_nn));
  Values f = lax::lu(lax::stop_gradient(base));
  Value z_h = lax::linear_solve(base, f[0], f[2], adjoint(q_pn), 2);
  Value z = adjoint(z_h);
  Value rest = lax::sub(dq_pn, matmul(z, dq_nn));
  Value basis = lax::add(q_mn, matmul(q_mp, z));
  return lax::sub(matmul(dq, z_h), matmul(basis, adjoint(rest)));
}

Dual qr_jvp(const JvpArgs& a) {
  auto& p = a.params.as<QrParams>();
  Values out = bind_all(a.self, a.x, a.params);
  const Value &q = out[0], &r = out[1];
  Value x = a.x[0], dx = a.t[0];
  int64_t m = rows(x), n = cols(x), axis = x.rank() - 1;
  if (p.pivoting) {
    x = take_along(x, out[2], -1);
    dx = take_along(dx, out[2], -1);
  }
  QrTangents d;
  if (m < n) {
    // X = [X1, X2] = Q [R1, R2]: the square part first, R2 = Q^H X2.
    d = thin_qr_jvp(q, columns(r, 0, m), columns(dx, 0, m));
    Value dr2 = lax::add(matmul(adjoint(d.q), columns(x, m, n)),
                         matmul(adjoint(q), columns(dx, m, n)));
    Value parts[] = {d.r, dr2};
    d.r = lax::concatenate(parts, axis);
  } else {
    bool full = p.full_matrices && m > n;
    d = thin_qr_jvp(full ? columns(q, 0, n) : q, full ? row_range(r, 0, n) : r,
                    dx);
    if (full) {
      Value parts[] = {d.q, full_q_tangent(q, d.q, m, n)};
      d.q = lax::concatenate(parts, axis);
      Value zero =
          zeros_of(Aval{r.dtype(), false, with_last(r.shape(), 2, {m - n, n})});
      Value both[] = {d.r, zero};
      d.r = lax::concatenate(both, axis - 1);
    }
  }
  Values tangents = {d.q, d.r};
  if (p.pivoting) tangents.push_back(nullptr);
  return {std::move(out), std::move(tangents)};
}

KernelSpec qr_kernel(const LowerArgs& a) {
  LinalgAttrs k = linalg_attrs(LinalgOp::qr, a, 2);
  k.k = last(a.out[0], 1);
  k.flags[0] = a.params.as<QrParams>().pivoting;
  return spec(k);
}

// ---- svd

Avals svd_type(const TypeArgs& a) {
  auto& p = a.params.as<SvdParams>();
  Shape batch = matrix_operands(a, {2});
  const Aval& x = a.in[0];
  int64_t m = last(x, 2), n = last(x, 1), k = std::min(m, n);
  bool weak = x.weak_type;
  Avals out = {matrix_aval(real_dtype(x.dtype), weak, batch, {k})};
  if (!p.compute_uv) return out;
  out.push_back(
      matrix_aval(x.dtype, weak, batch, {m, p.full_matrices ? m : k}));
  out.push_back(
      matrix_aval(x.dtype, weak, batch, {p.full_matrices ? n : k, n}));
  return out;
}

Value reciprocal(const Value& x) {
  return lax::div(lax::full(x.shape(), Literal::from_double(x.dtype(), 1)), x);
}
// 1 / (x + mask) - mask, where mask is 1 at x's zeros that must not count.
Value guarded_reciprocal(const Value& x, const Value& mask) {
  return lax::sub(reciprocal(lax::add(x, mask)), mask);
}

// The part of d(factor) outside of the span of `basis`, over s.
Value outside(const Value& d, const Value& basis, const Value& s) {
  Value inside = matmul(basis, matmul(adjoint(basis), d));
  return lax::div(lax::sub(d, inside), as_rows(s, d.shape()));
}

Dual svd_jvp(const JvpArgs& a) {
  auto& p = a.params.as<SvdParams>();
  const Value &x = a.x[0], &dx = a.t[0];
  int64_t m = rows(x), n = cols(x);
  if (p.compute_uv && p.full_matrices && m != n)
    throw_not_implemented(
        "[svd] Singular value decomposition JVP not implemented for full "
        "matrices; use full_matrices=False");
  Values f = lax::svd(x, false, true);
  const Value &s = f[0], &u = f[1], &vt = f[2];
  DType t = x.dtype();
  Value v = adjoint(vt);
  Value ds_matrix = matmul(matmul(adjoint(u), dx), v);
  Value ds = real_of(diagonal(ds_matrix));
  if (!p.compute_uv) return {bind_all(a.self, a.x, a.params), {ds}};

  const Shape& square = ds_matrix.shape();
  Value across = as_rows(s, square), down = as_columns(s, square);
  Value differences = lax::mul(lax::add(across, down), lax::sub(across, down));
  Value f_mat =
      lax::convert(guarded_reciprocal(differences, eye_like(differences)), t);
  Value times_s = lax::mul(lax::convert(across, t), ds_matrix);
  Value s_times = lax::mul(lax::convert(down, t), ds_matrix);
  Value zero = lax::convert(lax::eq(s, zeros_like(s)), s.dtype());
  Value s_inv = diagonal_matrix(guarded_reciprocal(s, zero));
  Value phase = lax::mul(scaled(lax::sub(ds_matrix, adjoint(ds_matrix)), 0.5),
                         lax::convert(s_inv, t));
  Value du = matmul(
      u, lax::add(lax::mul(f_mat, lax::add(times_s, adjoint(times_s))), phase));
  Value dv = matmul(v, lax::mul(f_mat, lax::add(s_times, adjoint(s_times))));
  Value s_t = lax::convert(s, t);
  if (m > n) du = lax::add(du, outside(matmul(dx, v), u, s_t));
  if (n > m) dv = lax::add(dv, outside(matmul(adjoint(dx), u), v, s_t));
  return {{s, u, vt}, {ds, du, adjoint(dv)}};
}

KernelSpec svd_kernel(const LowerArgs& a) {
  auto& p = a.params.as<SvdParams>();
  LinalgAttrs k = linalg_attrs(LinalgOp::svd, a, 2);
  k.flags[0] = p.compute_uv;
  k.flags[1] = p.full_matrices;
  return spec(k);
}

// ---- eigh

Avals eigh_type(const TypeArgs& a) {
  Shape batch = matrix_operands(a, {2});
  const Aval& x = a.in[0];
  if (last(x, 1) != last(x, 2))
    throw_value(
        "[eigh] Argument to symmetric eigendecomposition must have shape "
        "[..., n, n], got shape ",
        shape_string(x.shape));
  return {x,
          matrix_aval(real_dtype(x.dtype), x.weak_type, batch, {last(x, 1)})};
}

// F[i, j] = 1 / (w[j] - w[i]), 0 on the diagonal.
Value eigenvalue_gaps(const Value& w, const Shape& square) {
  Value d = lax::sub(as_rows(w, square), as_columns(w, square));
  return guarded_reciprocal(d, eye_like(d));
}

// Distinct eigenvalues; Giles, NA-08-01, section 3.1.
Dual eigh_jvp(const JvpArgs& a) {
  Values f = bind_all(a.self, {symmetrized(a.x[0])}, a.params);
  const Value &v = f[0], &w = f[1];
  Value p = matmul(matmul(adjoint(v), a.t[0]), v);
  Value gaps = eigenvalue_gaps(lax::convert(w, v.dtype()), p.shape());
  Value dv = matmul(v, lax::mul(gaps, p));
  Value dw = real_of(diagonal(p));
  return {std::move(f), {dv, dw}};
}

KernelSpec eigh_kernel(const LowerArgs& a) {
  LinalgAttrs k = linalg_attrs(LinalgOp::eigh, a, 2);
  k.flags[0] = a.params.as<LowerParams>().lower;
  return spec(k);
}

// ---- eig

Avals eig_type(const TypeArgs& a) {
  auto& p = a.params.as<EigParams>();
  Shape batch = matrix_operands(a, {2});
  require_square(a);
  const Aval& x = a.in[0];
  DType t = complex_dtype(x.dtype);
  int64_t n = last(x, 1);
  Avals out = {matrix_aval(t, x.weak_type, batch, {n})};
  for (int i = 0; i < int(p.left) + int(p.right); ++i)
    out.push_back(matrix_aval(t, x.weak_type, batch, {n, n}));
  return out;
}

Value sum_rows(const Value& x) { return lax::reduce_sum(x, {x.rank() - 2}); }

struct EigTangents {
  Value w, v;
};
// Nondegenerate perturbation theory gives dv_j = u_j + c_j v_j with c_j free;
// geev makes columns of norm 1 whose largest component is real, which fixes
// it: c_j = -Re(v_j* u_j) - i Im(u_kj) / v_kj, k = argmax |v_kj|.
EigTangents eig_vector_jvp(const Value& w, const Value& v, const Value& da) {
  Value p = matmul(solve(v, da), v);
  Value u = matmul(v, lax::mul(eigenvalue_gaps(w, p.shape()), p));
  int64_t axis = v.rank() - 2;
  Value k = lax::argreduce(lax::abs(v), Monoid::argmax, axis, DType::i32);
  Value place = lax::iota(DType::i32, v.shape(), axis);
  Value mask = lax::convert(lax::eq(place, as_rows(k, v.shape())), v.dtype());
  Value re = lax::neg(lax::real(sum_rows(lax::mul(lax::conj(v), u))));
  Value im = lax::neg(lax::div(lax::imag(sum_rows(lax::mul(mask, u))),
                               lax::real(sum_rows(lax::mul(mask, v)))));
  Value c = as_rows(lax::complex(re, im), v.shape());
  return {diagonal(p), lax::add(u, lax::mul(v, c))};
}

Dual eig_jvp(const JvpArgs& a) {
  auto& p = a.params.as<EigParams>();
  bool vectors = p.left || p.right;
  if (vectors && !p.vector_derivatives)
    throw_not_implemented(
        "[eig] Derivatives of non-symmetric eigenvectors are only valid under "
        "assumptions on the input that cannot be checked (see the "
        "enable_eigvec_derivs argument to lax.linalg.eig). Pass "
        "enable_eigvec_derivs=True to lax.linalg.eig to opt in.");
  Values f = lax::eig(a.x[0], p.left, true, p.vector_derivatives);
  Value w = f[0], vr = f.back();
  Value da = lax::convert(a.t[0], vr.dtype());
  if (!vectors) {
    Value dw =
        lax::reduce_sum(lax::mul(solve(vr, da), mat_t(vr)), {vr.rank() - 1});
    return {bind_all(a.self, a.x, a.params), {dw}};
  }
  EigTangents d = eig_vector_jvp(w, vr, da);
  Values primals = {w}, tangents = {d.w};
  if (p.left) {
    primals.push_back(f[1]);
    tangents.push_back(eig_vector_jvp(lax::conj(w), f[1], adjoint(da)).v);
  }
  if (p.right) {
    primals.push_back(vr);
    tangents.push_back(d.v);
  }
  return {std::move(primals), std::move(tangents)};
}

KernelSpec eig_kernel(const LowerArgs& a) {
  auto& p = a.params.as<EigParams>();
  LinalgAttrs k = linalg_attrs(LinalgOp::eig, a, 2);
  k.flags[0] = p.left;
  k.flags[1] = p.right;
  return spec(k);
}

// ---- without derivatives

Avals schur_type(const TypeArgs& a) {
  matrix_operands(a, {2});
  require_square(a);
  if (a.params.as<SchurParams>().vectors) return {a.in[0], a.in[0]};
  return {a.in[0]};
}
KernelSpec schur_kernel(const LowerArgs& a) {
  LinalgAttrs k = linalg_attrs(LinalgOp::schur, a, 2);
  k.flags[0] = a.params.as<SchurParams>().vectors;
  return spec(k);
}

Avals hessenberg_type(const TypeArgs& a) {
  Shape batch = matrix_operands(a, {2});
  const Aval& x = a.in[0];
  if (last(x, 1) != last(x, 2) || last(x, 1) == 0)
    throw_value(
        "[hessenberg] Argument to Hessenberg reduction must have shape [..., "
        "n, n], got shape ",
        shape_string(x.shape));
  return {x, matrix_aval(x.dtype, false, batch, {last(x, 1) - 1})};
}

Avals tridiagonal_type(const TypeArgs& a) {
  Shape batch = matrix_operands(a, {2});
  const Aval& x = a.in[0];
  int64_t n = last(x, 1);
  if (n != last(x, 2) || n == 0)
    throw_value(
        "[tridiagonal] The input to tridiagonal must be a square matrix. Got "
        "shape ",
        shape_string(x.shape), ".");
  DType real = real_dtype(x.dtype);
  return {x, matrix_aval(real, false, batch, {n}),
          matrix_aval(real, false, batch, {n - 1}),
          matrix_aval(x.dtype, false, batch, {n - 1})};
}
KernelSpec tridiagonal_kernel(const LowerArgs& a) {
  LinalgAttrs k = linalg_attrs(LinalgOp::tridiagonal, a, 2);
  k.flags[0] = a.params.as<LowerParams>().lower;
  return spec(k);
}

// On other backends: what it is made of.
using Expansion = Values (*)(const Params&, std::span<const Value>);

constexpr Primitive decomposition(const char* name,
                                  Params (*params)(ParamSource&),
                                  Avals (*type)(const TypeArgs&),
                                  Dual (*jvp)(const JvpArgs&),
                                  KernelSpec (*kernel)(const LowerArgs&),
                                  Expansion expand) {
  return {
      .name = name,
      .params = params,
      .type = type,
      .eval = kernel_eval,
      .jvp = jvp,
      .batch = front_batch,
      .kernel = kernel,
      .expand = expand,
  };
}

}  // namespace

constinit const Primitive geqrf_p =
    decomposition("geqrf", nullptr, geqrf_type, no_jvp,
                  plain_kernel<LinalgOp::geqrf>, expand_geqrf);
constinit const Primitive geqp3_p =
    decomposition("geqp3", nullptr, geqp3_type, no_jvp,
                  plain_kernel<LinalgOp::geqp3>, expand_geqp3);
constinit const Primitive householder_product_p =
    decomposition("householder_product", nullptr, householder_type, no_jvp,
                  householder_kernel, expand_householder_product);
constinit const Primitive ormqr_p =
    decomposition("ormqr", params_of<OrmqrParams>, ormqr_type, no_jvp,
                  ormqr_kernel, expand_ormqr);
constinit const Primitive qr_p = decomposition(
    "qr", params_of<QrParams>, qr_type, qr_jvp, qr_kernel, expand_qr);
constinit const Primitive svd_p = decomposition(
    "svd", params_of<SvdParams>, svd_type, svd_jvp, svd_kernel, expand_svd);
constinit const Primitive eigh_p =
    decomposition("eigh", params_of<LowerParams>, eigh_type, eigh_jvp,
                  eigh_kernel, expand_eigh);
constinit const Primitive eig_p = decomposition(
    "eig", params_of<EigParams>, eig_type, eig_jvp, eig_kernel, expand_eig);
constinit const Primitive schur_p =
    decomposition("schur", params_of<SchurParams>, schur_type, no_jvp,
                  schur_kernel, expand_schur);
constinit const Primitive hessenberg_p =
    decomposition("hessenberg", nullptr, hessenberg_type, no_jvp,
                  plain_kernel<LinalgOp::hessenberg>, expand_hessenberg);
constinit const Primitive tridiagonal_p =
    decomposition("tridiagonal", params_of<LowerParams>, tridiagonal_type,
                  no_jvp, tridiagonal_kernel, expand_tridiagonal);
COTAN_REGISTER(geqrf_p);
COTAN_REGISTER(geqp3_p);
COTAN_REGISTER(householder_product_p);
COTAN_REGISTER(ormqr_p);
COTAN_REGISTER(qr_p);
COTAN_REGISTER(svd_p);
COTAN_REGISTER(eigh_p);
COTAN_REGISTER(eig_p);
COTAN_REGISTER(schur_p);
COTAN_REGISTER(hessenberg_p);
COTAN_REGISTER(tridiagonal_p);

}  // namespace ops

namespace lax {

Values geqrf(const Value& x) { return bind_all(ops::geqrf_p, {x}); }
Values geqp3(const Value& x, const Value& pivots) {
  return bind_all(ops::geqp3_p, {x, pivots});
}
Value householder_product(const Value& a, const Value& taus) {
  return bind1(ops::householder_product_p, {a, taus});
}
Value ormqr(const Value& a, const Value& taus, const Value& c, bool left,
            bool transpose) {
  return bind1(ops::ormqr_p, {a, taus, c}, OrmqrParams{left, transpose});
}
Values qr(const Value& x, bool pivoting, bool full_matrices) {
  return bind_all(ops::qr_p, {x}, QrParams{pivoting, full_matrices});
}
Values svd(const Value& x, bool full_matrices, bool compute_uv) {
  return bind_all(ops::svd_p, {x}, SvdParams{full_matrices, compute_uv});
}
Values eigh(const Value& x, bool lower) {
  return bind_all(ops::eigh_p, {x}, LowerParams{lower});
}
Values eig(const Value& x, bool left, bool right, bool vector_derivatives) {
  return bind_all(ops::eig_p, {x}, EigParams{left, right, vector_derivatives});
}
Values schur(const Value& x, bool vectors) {
  return bind_all(ops::schur_p, {x}, SchurParams{vectors});
}
Values hessenberg(const Value& x) { return bind_all(ops::hessenberg_p, {x}); }
Values tridiagonal(const Value& x, bool lower) {
  return bind_all(ops::tridiagonal_p, {x}, LowerParams{lower});
}

}  // namespace lax
}  // namespace cotan
