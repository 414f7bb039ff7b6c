// Hessenberg and tridiagonal form by reflectors, all matrices of a batch at
// once; schur and eig by Francis' implicit double shifts, one matrix after
// another: where each splits is its own affair. Two shifts at a time serve
// complex matrices as well as real ones, so there is one algorithm.
#include <limits>

#include "ops/expand_linalg.h"

namespace cotan::ops {

namespace {

Value operator+(const Value& x, const Value& y) { return lax::add(x, y); }
Value operator-(const Value& x, const Value& y) { return lax::sub(x, y); }
Value operator*(const Value& x, const Value& y) { return lax::mul(x, y); }
Value operator/(const Value& x, const Value& y) { return lax::div(x, y); }
Value operator-(const Value& x) { return lax::neg(x); }

Value is_zero(const Value& x) { return lax::eq(x, zeros_like(x)); }
Value both(const Value& x, const Value& y) { return lax::bitwise_and(x, y); }

Value places(const Value& x, int64_t n) {
  return lax::iota(DType::i32, with_last(x.shape(), 2, {n}), x.rank() - 2);
}
Value mask_of(const Value& row_mask, const Value& col_mask,
              const Shape& shape) {
  return both(as_columns(row_mask, shape), as_rows(col_mask, shape));
}
// Rows and columns in reverse.
Value turned(const Value& x) {
  return lax::rev(x, {x.rank() - 2, x.rank() - 1});
}
Value reversed(const Value& v) { return lax::rev(v, {v.rank() - 1}); }

}  // namespace

// ---- reductions of whole batches

// H_i ... H_1 x H_1 ... H_i; the reflectors below the subdiagonal.
Values expand_hessenberg(const Params&, std::span<const Value> in) {
  Value x = strong(in[0]);
  const Shape& shape = x.shape();
  int64_t n = rows(x);
  Value place = places(x, n);
  Value taus = zeros_of({x.dtype(), false, with_last(shape, 2, {n - 1})});
  if (n == 1) return {x, taus};
  return fori(n - 1, {x, taus}, [&](const Value& i, std::span<const Value> s) {
    const Value& f = s[0];
    Reflector r = reflector(column_at(f, i), i + int_scalar(1), place);
    Value tall = as_columns(r.v, shape), flat = as_rows(conj_of(r.v), shape);
    Value tau = spread(r.tau, place.shape());
    Value right = total(f * as_rows(r.v, shape), 1) * tau;
    Value g = f - as_columns(right, shape) * flat;
    Value left = lax::reduce_sum(conj_of(tall) * g, {f.rank() - 2});
    left = left * conj_of(tau);
    Value later = as_rows(lax::gt(place, i), shape);
    g = where(later, g - tall * as_rows(left, shape), f);
    return Values{with_column(g, r.column, i), with_element(s[1], r.tau, i)};
  });
}

namespace {

// From the lower triangle; the upper one of the first result holds anything.
Values lower_tridiagonal(const Value& x) {
  const Shape& shape = x.shape();
  int64_t n = rows(x);
  Value place = places(x, n);
  Shape line = with_last(shape, 2, {n - 1});
  Value taus = zeros_of({x.dtype(), false, line});
  Value half = tril(x, -1);
  Value d = lax::convert(real_of(diagonal(x)), x.dtype());
  Value f = half + adjoint(half) + diagonal_matrix(d);
  if (n > 1) {
    Values out =
        fori(n - 1, {f, taus}, [&](const Value& i, std::span<const Value> s) {
          const Value& f = s[0];
          Reflector r = reflector(column_at(f, i), i + int_scalar(1), place);
          Value later = lax::gt(place, i);
          // f - v w^H - w v^H
          Value tau = spread(r.tau, place.shape());
          Value w = total(f * as_rows(r.v, shape), 1) * tau;
          w = where(later, w, number(w.dtype(), 0));
          Value dot = scaled(total(conj_of(w) * r.v, 1), 0.5);
          w = w - tau * spread(dot, place.shape()) * r.v;
          Value g = f - as_columns(r.v, shape) * as_rows(conj_of(w), shape) -
                    as_columns(w, shape) * as_rows(conj_of(r.v), shape);
          g = where(mask_of(later, later, shape), g, f);
          return Values{with_column(g, r.column, i),
                        with_element(s[1], r.tau, i)};
        });
    f = out[0];
    taus = out[1];
  }
  d = real_of(diagonal(f));
  // The subdiagonal: entries (i + 1, i).
  Value e = real_of(diagonal(columns(row_range(f, 1, n), 0, n - 1)));
  f = tril(f, -1) + diagonal_matrix(lax::convert(d, x.dtype()));
  return {f, d, e, taus};
}

}  // namespace

Values expand_tridiagonal(const Params& params, std::span<const Value> in) {
  Value x = strong(in[0]);
  if (params.as<LowerParams>().lower) {
    Values f = lower_tridiagonal(x);
    f[0] = f[0] + triu(x, 1);
    return f;
  }
  Values f = lower_tridiagonal(turned(x));
  return {turned(f[0]) + tril(x, -1), reversed(f[1]), reversed(f[2]),
          reversed(f[3])};
}

// ---- Schur form of one matrix

namespace {

Value block_at(const Value& x, const Value& i, const Value& j, int64_t m,
               int64_t n) {
  Value at[] = {i, j};
  return lax::dynamic_slice(x, at, {m, n});
}
Value with_block(const Value& x, const Value& block, const Value& i,
                 const Value& j) {
  Value at[] = {i, j};
  return lax::dynamic_update_slice(x, block, at);
}
Value entry(const Value& x, const Value& i, const Value& j) {
  return lax::reshape(block_at(x, i, j, 1, 1), {});
}
// Numbers of rank 0 as a matrix of so many rows.
Value matrix_of(std::initializer_list<Value> entries, int64_t rows) {
  Values parts;
  for (const Value& v : entries) parts.push_back(lax::reshape(v, {1}));
  int64_t n = int64_t(parts.size());
  return lax::reshape(lax::concatenate(parts, 0), {rows, n / rows});
}

struct Schur {
  Value t, z;  // x = z t z^H
};

// The first column of (h - s)(h - s') for the eigenvalues s, s' of the last
// two rows of a window, over its subdiagonal entry; every tenth time of
// something else, which ends cycles.
Value first_column(const Value& h, const Value& lo, const Value& hi,
                   const Value& tries) {
  Value before = hi - int_scalar(1), next = lo + int_scalar(1);
  Value corner = entry(h, hi, hi), other = entry(h, before, before);
  Value product = entry(h, hi, before) * entry(h, before, hi);
  Value size = lax::convert(
      abs1(entry(h, hi, before)) + abs1(entry(h, before, hi - int_scalar(2))),
      h.dtype());
  Value stuck = is_zero(lax::rem(tries, int_scalar(10)));
  Value strange = corner + scaled(size, 0.75);
  other = lax::select(stuck, strange, other);
  product = lax::select(stuck, scaled(size * size, -0.4375), product);
  corner = lax::select(stuck, strange, corner);
  Value a = entry(h, lo, lo), d = entry(h, next, next);
  Value p = ((a - corner) * (a - other) - product) / entry(h, next, lo) +
            entry(h, lo, next);
  return lax::reshape(
      matrix_of(
          {p, a + d - corner - other, entry(h, next + int_scalar(1), next)}, 3),
      {3});
}

// Chases the bulge that `start` makes from row lo to row hi.
Schur swept(const Schur& s, const Value& start, const Value& lo,
            const Value& hi) {
  int64_t n = rows(s.z);
  DType t = s.t.dtype();
  Value three = lax::iota(DType::i32, {3}, 0), zero = int_scalar(0);
  auto step = [&](std::span<const Value> x) {
    const Value &k = x[0], &h = x[1], &z = x[2];
    Value before = k - int_scalar(1);
    Value first = lax::eq(k, lo);
    Value column = lax::reshape(block_at(h, k, before, 3, 1), {3});
    column = where(spread(first, {3}), start, column);
    Value inside = lax::le(spread(k, {3}) + three, spread(hi, {3}));
    column = where(inside, column, number(t, 0));
    Reflector r = reflector(column, zero, three);
    Value tau = spread(r.tau, {3});
    auto from_right = [&](const Value& m) {
      Value part = block_at(m, zero, k, rows(m), 3);
      const Shape& shape = part.shape();
      Value w = total(part * as_rows(r.v, shape), 1);
      part = part - as_columns(w, shape) * as_rows(tau * conj_of(r.v), shape);
      return with_block(m, part, zero, k);
    };
    Value part = block_at(h, k, zero, 3, n + 1);
    const Shape& shape = part.shape();
    Value w = lax::reduce_sum(as_columns(conj_of(r.v), shape) * part, {0});
    part = part - as_columns(conj_of(tau) * r.v, shape) * as_rows(w, shape);
    Value g = from_right(with_block(h, part, k, zero));
    // What the reflector made zero is zero.
    Value made = where(lax::eq(three, zero), r.column, number(t, 0));
    Value there = block_at(g, k, before, 3, 1);
    made = where(spread(first, {3, 1}), there, lax::reshape(made, {3, 1}));
    g = with_block(g, made, k, before);
    return Values{k + int_scalar(1), g, from_right(z)};
  };
  Values out = loop_while(
      {lo, s.t, s.z},
      [&](std::span<const Value> x) { return lax::lt(x[0], hi); }, step);
  return {out[1], out[2]};
}

// h's diagonal blocks become 1 x 1 or 2 x 2. h has a row and a column of zeros
// after it, z a column: three rows can be read wherever two are left.
Schur split(const Value& h, const Value& z, const Value& finite) {
  constexpr int64_t kTries = 30;
  int64_t n = rows(z);
  DType t = h.dtype(), real = real_dtype(t);
  const Shape& shape = h.shape();
  Value index = lax::iota(DType::i32, {n + 1}, 0);
  Value row = lax::iota(DType::i32, shape, 0);
  auto spread_int = [](int64_t v, const Shape& s) {
    return lax::full(s, Literal::from_int(DType::i32, v));
  };
  auto step = [&](std::span<const Value> x) {
    const Value &hi = x[0], &tries = x[1], &h = x[3];
    Value below =
        lax::eq(row, lax::iota(DType::i32, shape, 1) + spread_int(1, shape));
    Value sizes = abs1(h), nothing = number(real, 0);
    Value d = diagonal(sizes);
    auto under = [&](const Value& m) {  // entries (i + 1, i)
      return lax::reduce_sum(where(below, m, nothing), {0});
    };
    Value near = d + under(as_columns(d, shape));
    near = where(is_zero(near), number(real, 1), near);
    Value small = lax::le(under(sizes), scaled(near, epsilon(t)));
    Value cut = where(both(as_rows(small, shape), below), number(t, 0), h);
    // The window that ends at hi begins after the last such entry.
    Value ends = both(small, lax::lt(index, spread(hi, {n + 1})));
    Value lo = lax::reduce_max(
        where(ends, index + spread_int(1, {n + 1}), int_scalar(0)), {0});
    Value done = lax::le(hi - lo, int_scalar(1));
    Value now = lax::select(done, int_scalar(0), tries + int_scalar(1));
    Value last = lax::select(done, lo, hi);
    Schur s = swept({cut, x[4]}, first_column(cut, lo, hi, now), lo, last);
    return Values{lax::select(done, lo - int_scalar(1), hi), now,
                  x[2] + int_scalar(1), s.t, s.z};
  };
  Value top = lax::select(finite, int_scalar(n - 1), int_scalar(0));
  Value most = int_scalar(kTries * std::max<int64_t>(n, 10));
  Values out = loop_while(
      {top, int_scalar(0), int_scalar(0), h, z},
      [&](std::span<const Value> x) {
        return both(lax::gt(x[0], int_scalar(1)), lax::lt(x[2], most));
      },
      step);
  // What did not converge is nan.
  Value found = both(finite, lax::le(out[0], int_scalar(1)));
  auto result = [&](const Value& x) {
    Value nan = number(t, std::numeric_limits<double>::quiet_NaN());
    return where(spread(found, x.shape()), x, nan);
  };
  return {result(out[3]), result(out[4])};
}

// A unitary matrix of two rows, and the block that it makes of another:
// [[a, *], [c, d]].
struct Turn {
  Value g, a, c, d;
};

// Of a real block with complex eigenvalues: one with equal diagonal entries.
Turn level(const Value& a, const Value& b, const Value& c, const Value& d) {
  Value p = scaled(a - d, 0.5), sigma = b + c;
  Value size = lax::sqrt(sigma * sigma + scaled(p * p, 4));
  Value none = is_zero(size), one_ = number(a.dtype(), 1);
  size = lax::select(none, one_, size);
  Value share = lax::select(none, one_, lax::abs(sigma) / size);
  Value cs = lax::sqrt(scaled(one_ + share, 0.5));
  Value sn = -(p / (size * cs));
  sn = lax::select(lax::lt(sigma, zeros_like(sigma)), -sn, sn);
  // The entry below the diagonal of G^T [[a, b], [c, d]] G.
  Value below = (c * cs + d * sn) * cs - (a * cs + b * sn) * sn;
  Value mean = scaled(a + d, 0.5);
  return {matrix_of({cs, -sn, sn, cs}, 2), mean, below, mean};
}

// The triangular block: its first column becomes the eigenvector (z, c) of
// the eigenvalue d + z, where z - bc / z = a - d.
Turn triangular(const Value& z, const Value& b, const Value& c,
                const Value& d) {
  Value none = is_zero(z);
  Value safe = lax::select(none, number(z.dtype(), 1), z);
  Value size = lax::convert(lax::sqrt(abs2(z) + abs2(c)), z.dtype());
  size = lax::select(is_zero(size), number(z.dtype(), 1), size);
  Value x = z / size, y = c / size;
  return {matrix_of({x, -conj_of(y), y, conj_of(x)}, 2), d + z, zeros_like(c),
          d - lax::select(none, zeros_like(z), b * c / safe)};
}

Turn chosen(const Value& mask, const Turn& x, const Turn& y) {
  return {where(spread(mask, {2, 2}), x.g, y.g), lax::select(mask, x.a, y.a),
          lax::select(mask, x.c, y.c), lax::select(mask, x.d, y.d)};
}

// Triangular, but for real blocks with complex eigenvalues: those become
// [[a, b], [c, a]]. All entries are at most 1 in size.
Turn standard(const Value& a, const Value& b, const Value& c, const Value& d) {
  DType t = a.dtype();
  Value p = scaled(a - d, 0.5);
  if (is_complex(t)) {
    Value root = lax::sqrt(p * p + b * c);
    Value along = lax::real(conj_of(p) * root);
    Value z = p + lax::select(lax::lt(along, zeros_like(along)), -root, root);
    return triangular(z, b, c, d);
  }
  Value square = p * p + b * c;
  Value apart = lax::ge(square, number(t, 4 * epsilon(t)));
  Value root = lax::sqrt(lax::max(square, zeros_like(square)));
  Value z = p + lax::select(lax::lt(p, zeros_like(p)), -root, root);
  Turn split = triangular(z, b, c, d);
  Turn even = level(a, b, c, d);
  // Real after all, and nearly equal.
  Value b2 = even.c + b - c;  // a turn keeps b - c
  Value bc = b2 * even.c;
  Value real = lax::ge(bc, zeros_like(bc));
  root = lax::sqrt(lax::max(bc, zeros_like(bc)));
  Turn then = triangular(root, b2, even.c, even.d);
  then.g = matmul(even.g, then.g);
  return chosen(apart, split, chosen(real, then, even));
}

// Every 2 x 2 block of t in its standard form.
Schur standardised(const Schur& s) {
  int64_t n = rows(s.z);
  if (n == 1) return s;
  DType t = s.t.dtype(), real = real_dtype(t);
  auto step = [&](const Value& i, std::span<const Value> x) {
    Value zero = int_scalar(0), next = i + int_scalar(1);
    Value a = entry(x[0], i, i), b = entry(x[0], i, next);
    Value c = entry(x[0], next, i), d = entry(x[0], next, next);
    Value size =
        lax::max(lax::max(abs1(a), abs1(b)), lax::max(abs1(c), abs1(d)));
    size = lax::select(is_zero(size), number(real, 1), size);
    Turn f =
        standard(over(a, size), over(b, size), over(c, size), over(d, size));
    Value already = is_zero(c), one_ = number(t, 1), none = number(t, 0);
    f = chosen(already, {matrix_of({one_, none, none, one_}, 2), a, c, d},
               {f.g, times(f.a, size), times(f.c, size), times(f.d, size)});
    Value part = matmul(adjoint(f.g), block_at(x[0], i, zero, 2, n));
    Value h = with_block(x[0], part, i, zero);
    auto from_right = [&](const Value& m) {
      return with_block(m, matmul(block_at(m, zero, i, n, 2), f.g), zero, i);
    };
    h = from_right(h);
    Value block = matrix_of({f.a, entry(h, i, next), f.c, f.d}, 2);
    return Values{with_block(h, block, i, i), from_right(x[1])};
  };
  Values out = fori(n - 1, {s.t, s.z}, step);
  return {out[0], out[1]};
}

// Of one matrix whose entries are at most 1 in size, or not finite.
Schur schur_of(const Value& x, const Value& finite) {
  int64_t n = rows(x);
  if (n == 1) return {x, eye_like(x)};
  Values f = lax::hessenberg(x);
  Value h = triu(f[0], -1), z = eye_like(x);
  Value q =
      lax::householder_product(columns(row_range(f[0], 1, n), 0, n - 1), f[1]);
  std::vector<PadDim> before(2, PadDim{1, 0, 0});
  q = lax::pad(q, number(x.dtype(), 0), before);
  z = where(is_zero(lax::iota(DType::i32, z.shape(), 0)), z, q);
  Schur s = split(padded(h, 1, 1), padded(z, 0, 1), finite);
  return standardised(
      {columns(row_range(s.t, 0, n), 0, n), columns(s.z, 0, n)});
}

// What `f` gives for every matrix of a batch.
template <class F>
Values each_matrix(const Value& x, F f) {
  const Shape& shape = x.shape();
  Shape batch(shape.begin(), shape.end() - 2);
  int64_t n = rows(x), count = num_elements(batch);
  Values out;
  if (count == 1) {
    out = f(lax::reshape(x, {n, n}));
  } else {
    Avals types = {{x.dtype(), false, {n, n}}};
    TracedGraph body = trace_to_jaxpr(
        [&](std::span<const Value> v) { return f(v[0]); }, types);
    Value rows_of[] = {lax::reshape(x, {count, n, n})};
    out = lax::scan(body, {}, rows_of, count);
  }
  for (Value& v : out) {
    int64_t rank = v.rank() - (count == 1 ? 0 : 1);
    Shape full = batch;
    for (int64_t d = v.rank() - rank; d < v.rank(); ++d)
      full.push_back(v.shape()[size_t(d)]);
    v = lax::reshape(v, full);
  }
  return out;
}

}  // namespace

Values expand_schur(const Params& params, std::span<const Value> in) {
  bool vectors = params.as<SchurParams>().vectors;
  Value x = strong(in[0]);
  if (x.size() == 0) return vectors ? Values{x, x} : Values{x};
  return each_matrix(x, [&](const Value& a) {
    Value scale = size_of(a);
    Schur s =
        schur_of(over(a, spread(scale, a.shape())), lax::is_finite(scale));
    Values out = {times(s.t, spread(scale, a.shape()))};
    if (vectors) out.push_back(s.z);
    return out;
  });
}

// ---- eig

namespace {

// Column k solves (t - w_k) y = 0 with y_k = 1, by rows from the last; t is
// triangular. Where eigenvalues meet, as if they were a rounding apart.
Value triangular_vectors(const Value& t, const Value& w) {
  int64_t n = rows(t);
  const Shape& shape = t.shape();
  DType real = real_dtype(t.dtype());
  Value least = scaled(size_of(t), epsilon(t.dtype()));
  Value column = lax::iota(DType::i32, {n}, 0);
  Value zero = number(t.dtype(), 0);
  auto step = [&](const Value& j, std::span<const Value> s) {
    Value i = int_scalar(n - 1) - j, at = spread(i, {n});
    // y's rows up to i are zero still.
    Value sum =
        lax::reshape(matmul(block_at(t, i, int_scalar(0), 1, n), s[0]), {n});
    Value gap = spread(entry(t, i, i), {n}) - w;
    Value close = lax::lt(abs1(gap), spread(least, {n}));
    gap = where(close, lax::convert(least, t.dtype()), gap);
    Value v = -sum / gap;
    v = where(lax::gt(column, at), v, zero);
    v = where(lax::eq(column, at), number(t.dtype(), 1), v);
    // Columns that grow without end are made small again.
    Value size = abs1(v);
    Value big = lax::gt(size, number(real, 1e10));
    Value shrink =
        where(big, spread(number(real, 1), {n}) / size, number(real, 1));
    Value y = with_block(s[0], lax::reshape(v, {1, n}), i, int_scalar(0));
    return Values{times(y, as_rows(shrink, shape))};
  };
  return fori(n, {zeros_like(t)}, step)[0];
}

// Of norm 1, the largest component real, as geev's; those of `reals` real
// altogether.
Value normalised(const Value& v, const Value& reals) {
  const Shape& shape = v.shape();
  DType real = real_dtype(v.dtype());
  Value scale = lax::reduce_max(abs1(v), {0});
  scale = where(is_zero(scale), number(real, 1), scale);
  Value x = over(v, as_rows(scale, shape));
  Value k = lax::argreduce(abs2(x), Monoid::argmax, 0, DType::i32);
  Value here = lax::eq(lax::iota(DType::i32, shape, 0), as_rows(k, shape));
  Value largest = lax::reduce_sum(where(here, x, number(x.dtype(), 0)), {0});
  x = x * as_rows(over(conj_of(largest), lax::abs(largest)), shape);
  Value exact = lax::bitwise_or(here, as_rows(reals, shape));
  Value im = where(exact, number(real, 0), lax::imag(x));
  x = lax::complex(lax::real(x), im);
  Value norm = lax::sqrt(lax::reduce_sum(abs2(x), {0}));
  return over(x, as_rows(norm, shape));
}

}  // namespace

Values expand_eig(const Params& params, std::span<const Value> in) {
  auto& p = params.as<EigParams>();
  Value x = strong(in[0]);
  DType t = complex_dtype(x.dtype());
  if (x.size() == 0) {
    Shape shape = x.shape();
    Value v = zeros_of({t, false, shape});
    shape.pop_back();
    Values out = {zeros_of({t, false, shape})};
    for (bool wanted : {p.left, p.right})
      if (wanted) out.push_back(v);
    return out;
  }
  return each_matrix(x, [&](const Value& a) {
    Value scale = size_of(a);
    Schur s =
        schur_of(over(a, spread(scale, a.shape())), lax::is_finite(scale));
    // The blocks of a real matrix become triangular; eigenvalues elsewhere
    // stay real.
    if (!is_complex(x.dtype()))
      s = standardised({lax::convert(s.t, t), lax::convert(s.z, t)});
    Value w = diagonal(s.t), im = lax::imag(w);
    Value real = is_complex(x.dtype()) ? lax::ne(im, im) : is_zero(im);
    Values out = {times(w, spread(scale, w.shape()))};
    if (p.left) {
      Value y = turned(triangular_vectors(turned(mat_t(s.t)), reversed(w)));
      out.push_back(normalised(matmul(s.z, conj_of(y)), real));
    }
    if (p.right)
      out.push_back(normalised(matmul(s.z, triangular_vectors(s.t, w)), real));
    return out;
  });
}

}  // namespace cotan::ops
