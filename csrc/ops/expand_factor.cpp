#include "ops/expand_linalg.h"

namespace cotan::ops {

// ---- pieces

Value spread(const Value& v, const Shape& shape) {
  Axes dims;
  for (int64_t d = 0; d < v.rank(); ++d) dims.push_back(d);
  return broadcast_in_dim(v, shape, dims);
}

namespace {

Values starts_at(const Value& x, int64_t axis, const Value& i) {
  Values out;
  for (int64_t d = 0; d < x.rank(); ++d)
    out.push_back(d == axis ? i : int_scalar(0));
  return out;
}
Value take_one(const Value& x, int64_t axis, const Value& i) {
  Dims sizes = x.shape();
  sizes[size_t(axis)] = 1;
  return lax::squeeze(lax::dynamic_slice(x, starts_at(x, axis, i), sizes),
                      {axis});
}
Value put_one(const Value& x, const Value& v, int64_t axis, const Value& i) {
  return lax::dynamic_update_slice(x, lax::expand_dims(v, {axis}),
                                   starts_at(x, axis, i));
}

}  // namespace

Value element_at(const Value& v, const Value& i) {
  return take_one(v, v.rank() - 1, i);
}
Value column_at(const Value& x, const Value& i) {
  return take_one(x, x.rank() - 1, i);
}
Value row_at(const Value& x, const Value& i) {
  return take_one(x, x.rank() - 2, i);
}
Value with_element(const Value& v, const Value& element, const Value& i) {
  return put_one(v, element, v.rank() - 1, i);
}
Value with_column(const Value& x, const Value& column, const Value& i) {
  return put_one(x, column, x.rank() - 1, i);
}

Value abs2(const Value& x) {
  if (!is_complex(x.dtype())) return lax::mul(x, x);
  return lax::add(lax::square(lax::real(x)), lax::square(lax::imag(x)));
}
Value abs1(const Value& x) {
  if (!is_complex(x.dtype())) return lax::abs(x);
  return lax::add(lax::abs(lax::real(x)), lax::abs(lax::imag(x)));
}
Value over(const Value& x, const Value& r) {
  if (!is_complex(x.dtype())) return lax::div(x, r);
  return lax::complex(lax::div(lax::real(x), r), lax::div(lax::imag(x), r));
}
Value times(const Value& x, const Value& r) {
  if (!is_complex(x.dtype())) return lax::mul(x, r);
  return lax::complex(lax::mul(lax::real(x), r), lax::mul(lax::imag(x), r));
}

namespace {
Axes last_axes(const Value& x, int64_t n) {
  Axes out;
  for (int64_t d = x.rank() - n; d < x.rank(); ++d) out.push_back(d);
  return out;
}
}  // namespace

Value total(const Value& x, int64_t axes) {
  return lax::reduce_sum(x, last_axes(x, axes));
}
Value largest(const Value& x, int64_t axes) {
  return lax::reduce_max(x, last_axes(x, axes));
}
Value where(const Value& mask, const Value& x, const Value& y) {
  const Shape& shape = mask.shape();
  return lax::select(mask, x.rank() ? x : spread(x, shape),
                     y.rank() ? y : spread(y, shape));
}
Value beside(std::span<const Value> xs) {
  return lax::concatenate(xs, xs[0].rank() - 1);
}
Value below(std::span<const Value> xs) {
  return lax::concatenate(xs, xs[0].rank() - 2);
}
Value padded(const Value& x, int64_t rows, int64_t cols) {
  std::vector<PadDim> config(size_t(x.rank()), PadDim{0, 0, 0});
  config[config.size() - 2].high = rows;
  config[config.size() - 1].high = cols;
  return lax::pad(x, scalar_value(x.dtype(), 0), std::move(config));
}

namespace {

// Panels of this many columns: within one the loop is over columns, what is
// to its right changes by products.
constexpr int64_t kPanel = 64;

Value places(const Value& vector) {  // 0, 1, ... along the last axis
  return lax::iota(DType::i32, vector.shape(), vector.rank() - 1);
}
// v[..., p[...]], by a mask: p is a number per vector.
Value pick(const Value& v, const Value& there) {
  return total(where(there, v, number(v.dtype(), 0)), 1);
}
Value pick_row(const Value& x, const Value& there) {
  Value kept = where(as_columns(there, x.shape()), x, number(x.dtype(), 0));
  return lax::reduce_sum(kept, {x.rank() - 2});
}
Value pick_column(const Value& x, const Value& there) {
  return total(where(as_rows(there, x.shape()), x, number(x.dtype(), 0)), 1);
}

Value vector_range(const Value& v, int64_t end) {
  Dims to = v.shape();
  to.back() = end;
  return lax::slice(v, Dims(size_t(v.rank()), 0), to);
}

// ---- lu

// Some columns of a matrix, of which column 0 belongs to row `top`, one at a
// time, `steps` of them: lu, pivots, permutation of the rows.
Values lu_panel(const Value& a, const Value& top, const Value& steps) {
  const Shape& shape = a.shape();
  int64_t m = rows(a), n = cols(a), k = std::min(m, n);
  Value pivots =
      lax::full(with_last(shape, 2, {k}), Literal::from_int(DType::i32, 0));
  Value row = lax::iota(DType::i32, with_last(shape, 2, {m}), a.rank() - 2);
  Value col = lax::iota(DType::i32, with_last(shape, 2, {n}), a.rank() - 2);
  DType t = a.dtype();
  auto step = [&](std::span<const Value> x) {
    const Value& i = x[0];
    Value f = x[1], at = lax::add(top, i);
    Value size = abs1(column_at(f, i));
    size = where(lax::lt(row, at), number(size.dtype(), -1), size);
    Value p = lax::argreduce(size, Monoid::argmax, a.rank() - 2, DType::i32);
    Value here = lax::eq(row, at), there = lax::eq(row, spread(p, row.shape()));
    Value row_i = row_at(f, at), row_p = pick_row(f, there);
    f = where(as_columns(there, shape), as_rows(row_i, shape), f);
    f = where(as_columns(here, shape), as_rows(row_p, shape), f);
    Value perm = where(there, spread(element_at(x[3], at), row.shape()), x[3]);
    perm = where(here, spread(pick(x[3], there), row.shape()), perm);
    Value column = column_at(f, i), pivot = element_at(column, at);
    Value zero = lax::eq(pivot, zeros_like(pivot));
    pivot = where(zero, number(t, 1), pivot);
    column = where(lax::gt(row, at),
                   lax::div(column, spread(pivot, row.shape())), column);
    Value product = lax::mul(as_columns(column, shape), as_rows(row_p, shape));
    Value later = lax::bitwise_and(as_columns(lax::gt(row, at), shape),
                                   as_rows(lax::gt(col, i), shape));
    f = where(later, lax::sub(f, product), f);
    return Values{lax::add(i, int_scalar(1)), with_column(f, column, i),
                  with_element(x[2], p, i), perm};
  };
  Values out = loop_while(
      {int_scalar(0), a, pivots, row},
      [&](std::span<const Value> x) { return lax::lt(x[0], steps); }, step);
  return Values(out.begin() + 1, out.end());
}

Value permuted(const Value& x, const Value& permutation) {
  return take_along(x, permutation, -2);
}

// How far panels go past k columns.
int64_t to_whole_panels(int64_t k) {
  return (k + kPanel - 1) / kPanel * kPanel;
}
// `count` columns (axis -1) or rows (axis -2) from j on.
Values part_at(const Value& x, int64_t axis, const Value& j) {
  Values at(size_t(x.rank()), int_scalar(0));
  at[size_t(x.rank() + axis)] = j;
  return at;
}
Value part(const Value& x, int64_t axis, const Value& j, int64_t count) {
  Dims sizes = x.shape();
  sizes[size_t(x.rank() + axis)] = count;
  return lax::dynamic_slice(x, part_at(x, axis, j), sizes);
}
Value with_part(const Value& x, const Value& v, int64_t axis, const Value& j) {
  return lax::dynamic_update_slice(x, v, part_at(x, axis, j));
}
// Columns of `shape` at and after j.
Value columns_after(const Shape& shape, const Value& j) {
  return lax::ge(lax::iota(DType::i32, shape, int64_t(shape.size()) - 1), j);
}

}  // namespace

// Right-looking, panel by panel in a loop: what a panel does to the columns
// after it is done to all, and kept for those. That is up to three times the
// arithmetic of panels of their own sizes, in a program whose size does not
// depend on the matrix.
Values expand_lu(const Params&, std::span<const Value> x) {
  Value f = strong(x[0]);
  int64_t m = rows(f), n = cols(f), k = std::min(m, n);
  Value order =
      lax::iota(DType::i32, with_last(f.shape(), 2, {m}), f.rank() - 2);
  if (k == 0)
    return {f, zeros_of({DType::i32, false, with_last(f.shape(), 2, {0})}),
            order};
  if (k <= kPanel) return lu_panel(f, int_scalar(0), int_scalar(k));
  int64_t whole = to_whole_panels(k);
  f = padded(f, std::max<int64_t>(0, whole - m),
             std::max<int64_t>(0, whole - n));
  const Shape& shape = f.shape();
  int64_t height = rows(f);
  Value pivots =
      lax::full(with_last(shape, 2, {whole}), Literal::from_int(DType::i32, 0));
  Value perm =
      lax::iota(DType::i32, with_last(shape, 2, {height, 1}), f.rank() - 2);
  Value row = lax::iota(DType::i32, with_last(shape, 2, {height, kPanel}),
                        f.rank() - 2);
  auto step = [&](const Value& i, std::span<const Value> s) {
    Value j = lax::mul(i, int_scalar(kPanel));
    Value end = lax::add(j, int_scalar(kPanel));
    Value steps = lax::min(int_scalar(kPanel), lax::sub(int_scalar(k), j));
    Values p = lu_panel(part(s[0], -1, j, kPanel), j, steps);
    Value g = with_part(permuted(s[0], p[2]), p[0], -1, j);
    Value top = part(g, -2, j, kPanel);
    Value u = lax::triangular_solve(
        part(p[0], -2, j, kPanel), top,
        {.left_side = true, .lower = true, .unit_diagonal = true});
    Value l = where(lax::ge(row, end), p[0], number(f.dtype(), 0));
    g = where(columns_after(shape, end), lax::sub(g, matmul(l, u)), g);
    u = where(columns_after(u.shape(), end), u, top);
    return Values{with_part(g, u, -2, j), with_part(s[1], p[1], -1, j),
                  permuted(s[2], p[2])};
  };
  Values out = fori(whole / kPanel, {f, pivots, perm}, step);
  return {columns(row_range(out[0], 0, m), 0, n), vector_range(out[1], k),
          lax::squeeze(row_range(out[2], 0, m), {perm.rank() - 1})};
}

// a[permutation] = l u
Values expand_linear_solve(const Params& params, std::span<const Value> x) {
  int64_t trans = params.as<LinearSolveParams>().trans;
  const Value &f = x[1], &perm = x[2];
  bool conjugate = trans == 2 && is_complex(f.dtype());
  TriangularParams l{.left_side = true,
                     .lower = true,
                     .transpose_a = trans != 0,
                     .conjugate_a = conjugate,
                     .unit_diagonal = true};
  TriangularParams u{
      .left_side = true, .transpose_a = trans != 0, .conjugate_a = conjugate};
  if (trans == 0) {
    Value y = lax::triangular_solve(f, permuted(x[3], perm), l);
    return {lax::triangular_solve(f, y, u)};
  }
  Value y = lax::triangular_solve(f, lax::triangular_solve(f, x[3], u), l);
  // The rows go back: the inverse permutation.
  Value in[] = {perm, places(perm)};
  return {permuted(y, lax::sort(in, perm.rank() - 1)[1])};
}

// ---- Householder reflectors

Reflector reflector(const Value& column, const Value& at, const Value& row) {
  const Shape& line = row.shape();
  DType t = column.dtype(), real = real_dtype(t);
  Value alpha = element_at(column, at);
  Value later = lax::gt(row, at), here = lax::eq(row, at);
  Value x = where(later, column, number(t, 0));
  // Norms of what is scaled to at most 1: squares neither over- nor underflow.
  Value scale = lax::max(largest(abs1(x), 1), abs1(alpha));
  scale = where(lax::eq(scale, zeros_like(scale)), number(real, 1), scale);
  Value rest = total(abs2(over(x, spread(scale, line))), 1);
  Value norm =
      lax::mul(scale, lax::sqrt(lax::add(rest, abs2(over(alpha, scale)))));
  Value nothing = lax::eq(rest, zeros_like(rest));
  if (is_complex(t)) {
    Value im = lax::imag(alpha);
    nothing = lax::bitwise_and(nothing, lax::eq(im, zeros_like(im)));
  }
  Value re = real_of(alpha);
  Value r = lax::select(lax::ge(re, zeros_like(re)), lax::neg(norm), norm);
  r = where(nothing, number(real, 1), r);
  Value beta = lax::convert(r, t);
  Value tau = over(lax::sub(beta, alpha), r);
  tau = where(nothing, number(t, 0), tau);
  Value gap = where(nothing, number(t, 1), lax::sub(alpha, beta));
  beta = lax::select(nothing, alpha, beta);
  Value v = lax::div(x, spread(gap, line));
  return {where(later, v, where(here, spread(beta, line), column)),
          where(here, number(t, 1), v), tau};
}

namespace {

// One step: H^H f has zeros in column i below row `at`.
struct Reflected {
  Value f, tau;
};
Reflected reflect(const Value& f, const Value& i, const Value& at,
                  const Value& row, const Value& col) {
  const Shape& shape = f.shape();
  Reflector r = reflector(column_at(f, i), at, row);
  Value tall = as_columns(r.v, shape);
  Value w = lax::reduce_sum(lax::mul(conj_of(tall), f), {f.rank() - 2});
  w = lax::mul(w, spread(conj_of(r.tau), w.shape()));
  Value mask = lax::bitwise_and(as_columns(lax::ge(row, at), shape),
                                as_rows(lax::gt(col, i), shape));
  Value g = where(mask, lax::sub(f, lax::mul(tall, as_rows(w, shape))), f);
  return {with_column(g, r.column, i), r.tau};
}

Value vector_places(const Value& f, int64_t n) {
  return lax::iota(DType::i32, with_last(f.shape(), 2, {n}), f.rank() - 2);
}

// Some columns of a matrix, of which column 0 belongs to row `top`.
Values qr_panel(const Value& a, const Value& top, const Value& steps) {
  int64_t m = rows(a), n = cols(a), k = std::min(m, n);
  Value taus = zeros_of({a.dtype(), false, with_last(a.shape(), 2, {k})});
  Value row = vector_places(a, m), col = vector_places(a, n);
  Values out = loop_while(
      {int_scalar(0), a, taus},
      [&](std::span<const Value> x) { return lax::lt(x[0], steps); },
      [&](std::span<const Value> x) {
        Reflected r = reflect(x[1], x[0], lax::add(top, x[0]), row, col);
        return Values{lax::add(x[0], int_scalar(1)), r.f,
                      with_element(x[2], r.tau, x[0])};
      });
  return Values(out.begin() + 1, out.end());
}

// Reflectors together: H_1 ... H_k = I - V T V^H with V unit lower trapezoidal
// and T upper triangular, (I + D S) T = D where D = diag(taus) and S is what
// V^H V has above its diagonal (the inverse of the recurrence of larft).
struct Block {
  Value v, t;
};
Block block_of_vectors(const Value& v, const Value& taus) {
  Value s = triu(matmul(adjoint(v), v), 1);
  s = lax::mul(as_columns(taus, s.shape()), s);
  Value t = lax::triangular_solve(s, diagonal_matrix(taus),
                                  {.left_side = true, .unit_diagonal = true});
  return {v, t};
}
Block block_of(const Value& f, const Value& taus) {
  Value v = tril(columns(f, 0, taus.shape().back()), -1);
  return block_of_vectors(lax::add(v, eye_like(v)), taus);
}
// Q c or Q^H c.
Value reflected(const Block& q, const Value& c, bool adjoint_of) {
  Value t = adjoint_of ? adjoint(q.t) : q.t;
  return lax::sub(c, matmul(q.v, matmul(t, matmul(adjoint(q.v), c))));
}

}  // namespace

Values expand_geqrf(const Params&, std::span<const Value> x) {
  Value f = strong(x[0]);
  int64_t m = rows(f), n = cols(f), k = std::min(m, n);
  if (k == 0)
    return {f, zeros_of({f.dtype(), false, with_last(f.shape(), 2, {0})})};
  if (k <= kPanel && n <= 2 * kPanel)
    return qr_panel(f, int_scalar(0), int_scalar(k));
  // As expand_lu.
  int64_t whole = to_whole_panels(k);
  f = padded(f, 0, std::max<int64_t>(0, whole - n));
  const Shape& shape = f.shape();
  Value taus = zeros_of({f.dtype(), false, with_last(shape, 2, {whole})});
  Shape panel = with_last(shape, 1, {kPanel});
  Value row = lax::iota(DType::i32, panel, f.rank() - 2);
  Value col = lax::iota(DType::i32, panel, f.rank() - 1);
  Value zero = number(f.dtype(), 0), unit = number(f.dtype(), 1);
  auto step = [&](const Value& i, std::span<const Value> s) {
    Value j = lax::mul(i, int_scalar(kPanel));
    Value steps = lax::min(int_scalar(kPanel), lax::sub(int_scalar(k), j));
    Values p = qr_panel(part(s[0], -1, j, kPanel), j, steps);
    Value diagonal = lax::add(col, spread(j, panel));
    Value v = where(lax::gt(row, diagonal), p[0], zero);
    v = where(lax::eq(row, diagonal), unit, v);
    v = where(lax::lt(col, spread(steps, panel)), v, zero);
    Value all = reflected(block_of_vectors(v, p[1]), s[0], true);
    Value end = lax::add(j, int_scalar(kPanel));
    Value g = where(columns_after(shape, end), all, s[0]);
    return Values{with_part(g, p[0], -1, j), with_part(s[1], p[1], -1, j)};
  };
  Values out = fori(whole / kPanel, {f, taus}, step);
  return {columns(out[0], 0, n), vector_range(out[1], k)};
}

Values expand_householder_product(const Params&, std::span<const Value> x) {
  Value f = strong(x[0]);
  Value first = eye_like(f);
  if (x[1].shape().back() == 0) return {first};
  return {reflected(block_of(f, x[1]), first, false)};
}

Values expand_ormqr(const Params& params, std::span<const Value> x) {
  auto& p = params.as<OrmqrParams>();
  Value c = strong(x[2]);
  if (x[1].shape().back() == 0) return {c};
  Block q = block_of(strong(x[0]), x[1]);
  if (p.left) return {reflected(q, c, p.transpose)};
  // c Q = (Q^H c^H)^H
  return {adjoint(reflected(q, adjoint(c), !p.transpose))};
}

namespace {

// The columns that are asked for come first, in LAPACK's order: exchanges,
// one after another.
Value columns_asked_for(const Value& asked) {
  Value col = places(asked);
  Value first =
      lax::reduce_sum(lax::mul(asked, zeros_like(asked)), {asked.rank() - 1});
  auto step = [&](const Value& j, std::span<const Value> x) {
    const Value &order = x[0], &done = x[1];
    Value want = element_at(asked, j);
    want = lax::ne(want, zeros_like(want));
    Value here = lax::eq(col, j),
          there = lax::eq(col, spread(done, col.shape()));
    Value at_j = spread(element_at(order, j), col.shape());
    Value at_done = spread(pick(order, there), col.shape());
    Value moved = where(there, at_j, where(here, at_done, order));
    Value next = lax::select(spread(want, col.shape()), moved, order);
    return Values{next, lax::add(done, lax::convert(want, DType::i32))};
  };
  return fori(asked.shape().back(), {col, first}, step)[0];
}

}  // namespace

Values expand_geqp3(const Params&, std::span<const Value> x) {
  Value asked = lax::convert(lax::ne(x[1], zeros_like(x[1])), DType::i32);
  Value order = columns_asked_for(asked);
  Value fixed = total(asked, 1);
  Value a = take_along(strong(x[0]), order, -1);
  const Shape& shape = a.shape();
  int64_t m = rows(a), n = cols(a), k = std::min(m, n);
  Value row = vector_places(a, m), col = vector_places(a, n);
  Value scale = largest(abs1(a), 2);
  scale =
      where(lax::eq(scale, zeros_like(scale)), number(scale.dtype(), 1), scale);
  Value scales = spread(scale, shape);
  Value taus = zeros_of({a.dtype(), false, with_last(shape, 2, {k})});
  auto step = [&](const Value& i, std::span<const Value> s) {
    Value f = s[0];
    // The column whose rest is longest comes next.
    Value rest =
        where(as_columns(lax::ge(row, i), shape), f, number(f.dtype(), 0));
    Value norms = lax::reduce_sum(abs2(over(rest, scales)), {f.rank() - 2});
    norms = where(lax::lt(col, i), number(norms.dtype(), -1), norms);
    Value p = lax::argreduce(norms, Monoid::argmax, a.rank() - 2, DType::i32);
    Value at = spread(i, p.shape());
    p = lax::select(lax::lt(at, fixed), at, p);
    Value here = lax::eq(col, i), there = lax::eq(col, spread(p, col.shape()));
    Value now = as_columns(column_at(f, i), shape);
    Value next = as_columns(pick_column(f, there), shape);
    f = where(as_rows(here, shape), next, where(as_rows(there, shape), now, f));
    Value order_i = spread(element_at(s[2], i), col.shape());
    Value order_p = spread(pick(s[2], there), col.shape());
    Value order = where(here, order_p, where(there, order_i, s[2]));
    Reflected r = reflect(f, i, i, row, col);
    return Values{r.f, with_element(s[1], r.tau, i), order};
  };
  Values f = fori(k, {a, taus, order}, step);
  return {f[0], lax::add(f[2], int_scalar(1)), f[1]};
}

Values expand_qr(const Params& params, std::span<const Value> x) {
  auto& p = params.as<QrParams>();
  const Value& a = x[0];
  int64_t m = rows(a), n = cols(a), k = p.full_matrices ? m : std::min(m, n);
  Values f;
  Value pivots;
  if (p.pivoting) {
    Value free = lax::full(with_last(a.shape(), 2, {n}),
                           Literal::from_int(DType::i32, 0));
    f = lax::geqp3(a, free);
    pivots = lax::sub(f[1], int_scalar(1));
    f = {f[0], f[2]};
  } else {
    f = lax::geqrf(a);
  }
  Value v = k > n ? padded(f[0], 0, k - n) : columns(f[0], 0, k);
  Values out = {lax::householder_product(v, f[1]), triu(row_range(f[0], 0, k))};
  if (p.pivoting) out.push_back(pivots);
  return out;
}

// ---- tridiagonal systems

namespace {

Value to_front(const Value& x, int64_t axis) { return move_axis(x, axis, 0); }

// The next row of each: the last one is zero.
Value next_rows(const Value& x) {
  std::vector<PadDim> config(size_t(x.rank()), PadDim{0, 0, 0});
  config[0] = {-1, 1, 0};
  return lax::pad(x, scalar_value(x.dtype(), 0), std::move(config));
}

Values scan_over(const Values& init, const Values& xs, int64_t n, bool reverse,
                 FunctionRef body) {
  Avals types = avals_of(init);
  for (const Value& x : xs) {
    Aval row = x.aval();
    row.shape.erase(row.shape.begin());
    types.push_back(row);
  }
  return lax::scan(trace_to_jaxpr(body, types), init, xs, n, reverse);
}

// Elimination with the larger of two rows, as gtsv: rows become
// (pivot, next, one after next, right-hand side).
Values eliminated(const Values& rows, int64_t n) {
  auto first = [](const Value& x) {
    return lax::squeeze(lax::slice(x, Dims(size_t(x.rank()), 0),
                                   [&] {
                                     Dims to = x.shape();
                                     to[0] = 1;
                                     return to;
                                   }()),
                        {0});
  };
  Values init, next;
  for (size_t i : {1, 2, 3}) init.push_back(first(rows[i]));
  for (const Value& r : rows) next.push_back(next_rows(r));
  Values out =
      scan_over(init, next, n, false, [&](std::span<const Value> x) -> Values {
        const Value &p = x[0], &q = x[1], &c = x[2];
        const Value &l = x[3], &e = x[4], &f = x[5], &g = x[6];
        const Shape& wide = c.shape();
        Value swap = lax::gt(abs1(l), abs1(p)), swaps = spread(swap, wide);
        Value zero = zeros_like(p);
        Value pivot = lax::select(swap, l, p);
        Value m = lax::div(lax::select(swap, p, l), pivot);
        Value ms = spread(m, wide);
        Value kept = lax::select(swap, e, q), other = lax::select(swap, q, e);
        Value kept_b = lax::select(swaps, g, c),
              other_b = lax::select(swaps, c, g);
        Value far = lax::select(swap, f, zero);
        Value last = lax::select(swap, lax::neg(lax::mul(m, f)), f);
        return {lax::sub(other, lax::mul(m, kept)),
                last,
                lax::sub(other_b, lax::mul(ms, kept_b)),
                pivot,
                kept,
                far,
                kept_b};
      });
  return Values(out.begin() + 3, out.end());
}

}  // namespace

Values expand_tridiagonal_solve(const Params& p, std::span<const Value> x) {
  if (p.as<TridiagonalSolveParams>().perturb_singular)
    throw_not_implemented(
        "[tridiagonal_solve] perturb_singular=True has no decomposition (slot "
        "expand): it runs on the CPU backend only");
  int64_t axis = x[0].rank() - 1, n = x[0].shape().back();
  Values rows;
  for (const Value& v : x) rows.push_back(to_front(strong(v), axis));
  rows = eliminated(rows, n);
  Shape row = rows[3].shape();
  row.erase(row.begin());
  Value none = zeros_of({x[3].dtype(), false, row});
  Values out = scan_over(
      {none, none}, rows, n, true, [&](std::span<const Value> x) -> Values {
        const Shape& wide = x[0].shape();
        Value b = lax::sub(x[5], lax::mul(spread(x[3], wide), x[0]));
        b = lax::sub(b, lax::mul(spread(x[4], wide), x[1]));
        Value y = lax::div(b, spread(x[2], wide));
        return {y, x[0], y};
      });
  return {move_axis(out[2], 0, axis)};
}

}  // namespace cotan::ops
