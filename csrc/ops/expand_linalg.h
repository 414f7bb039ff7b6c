// Decompositions of matrices as products and loops, for backends that have no
// kernels: slot `expand` of the records. Conventions are LAPACK's: pivots, the
// signs of reflectors, the order of values. Everything is batched over the
// leading axes; loops run over columns with masks in the place of ranges.
//
// expand_factor.cpp: lu, qr and its parts, tridiagonal systems.
// expand_spectra.cpp: eigh and svd by Jacobi's rotations.
// expand_schur.cpp: Hessenberg and tridiagonal form, schur and eig by Francis'
// steps.
#pragma once

#include "ops/control.h"
#include "ops/matrices.h"

namespace cotan::ops {

Values expand_lu(const Params& p, std::span<const Value> x);
Values expand_geqrf(const Params& p, std::span<const Value> x);
Values expand_geqp3(const Params& p, std::span<const Value> x);
Values expand_householder_product(const Params& p, std::span<const Value> x);
Values expand_ormqr(const Params& p, std::span<const Value> x);
Values expand_qr(const Params& p, std::span<const Value> x);
Values expand_linear_solve(const Params& p, std::span<const Value> x);
Values expand_tridiagonal_solve(const Params& p, std::span<const Value> x);
Values expand_eigh(const Params& p, std::span<const Value> x);
Values expand_svd(const Params& p, std::span<const Value> x);
Values expand_hessenberg(const Params& p, std::span<const Value> x);
Values expand_tridiagonal(const Params& p, std::span<const Value> x);
Values expand_schur(const Params& p, std::span<const Value> x);
Values expand_eig(const Params& p, std::span<const Value> x);

inline Value int_scalar(int64_t v) {
  return scalar_value(Literal::from_int(DType::i32, v));
}
inline Value number(DType t, double v) { return scalar_value(t, v); }
inline Value strong(const Value& x) { return lax::convert(x, x.dtype()); }

// The carries after `step(carries)` while `more(carries)`.
template <class More, class Step>
Values loop_while(const Values& init, More more, Step step) {
  Avals types = avals_of(init);
  TracedGraph cond = trace_to_jaxpr(
      [&](std::span<const Value> x) { return one(more(x)); }, types);
  TracedGraph body =
      trace_to_jaxpr([&](std::span<const Value> x) { return step(x); }, types);
  return lax::while_loop(cond, body, init);
}

// The carries after `step(i, carries)` for i = 0, 1, ...
template <class F>
Values fori(int64_t trips, const Values& init, F step) {
  Values carry = {int_scalar(0)};
  for (const Value& v : init) carry.push_back(v);
  Values out = loop_while(
      carry,
      [&](std::span<const Value> x) {
        return lax::lt(x[0], int_scalar(trips));
      },
      [&](std::span<const Value> x) {
        Values out = {lax::add(x[0], int_scalar(1))};
        for (Value& v : step(x[0], x.subspan(1))) out.push_back(v);
        return out;
      });
  return Values(out.begin() + 1, out.end());
}

// A number per matrix, or a vector per matrix, along the last axes of `shape`.
Value spread(const Value& v, const Shape& shape);
// v[..., i], x[..., :, i] and x[..., i, :] for a rank-0 i.
Value element_at(const Value& v, const Value& i);
Value column_at(const Value& x, const Value& i);
Value row_at(const Value& x, const Value& i);
Value with_element(const Value& v, const Value& element, const Value& i);
Value with_column(const Value& x, const Value& column, const Value& i);

Value abs2(const Value& x);                   // |x|^2, real
Value abs1(const Value& x);                   // |re| + |im|, as LAPACK compares
Value over(const Value& x, const Value& r);   // x / r for a real r
Value times(const Value& x, const Value& r);  // x r for a real r
Value total(const Value& x, int64_t axes);    // sums over the last axes
Value largest(const Value& x, int64_t axes);  // the largest over them
// x where mask, else y; rank-0 operands are spread.
Value where(const Value& mask, const Value& x, const Value& y);
Value beside(std::span<const Value> xs);  // columns joined
Value below(std::span<const Value> xs);   // rows joined
// x with rows and columns of zeros after it.
Value padded(const Value& x, int64_t rows, int64_t cols);
// Per matrix: its largest entry, 1 where there is none.
Value size_of(const Value& x);
// nan in every result of a matrix that holds a nan or an infinity.
Value valid(const Value& x, const Value& scale);
double epsilon(DType t);

// The unitary H = I - tau v v^H, v = (0, ..., 1, ...) with 1 at `at`, that
// makes column's entries after `at` zero: `column` is (..., beta, v's rest),
// as LAPACK stores it. Of numbers that are zero already: tau = 0.
struct Reflector {
  Value column, v, tau;
};
Reflector reflector(const Value& column, const Value& at, const Value& row);

}  // namespace cotan::ops
