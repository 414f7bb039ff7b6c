// eigh by two-sided, svd by one-sided Jacobi rotations. Columns i and h + i
// are rotated at once for all i < h; then the columns move around a table, so
// that after 2 h - 1 rounds every two have met and all are back (Brent and
// Luk, 1985). The convergence is quadratic.
#include <cmath>
#include <limits>

#include "ops/expand_linalg.h"

namespace cotan::ops {

namespace {

constexpr int64_t kMaxSweeps = 30;

Value halves_last(const Value& v, int64_t begin, int64_t end) {
  Dims from(size_t(v.rank()), 0), to = v.shape();
  from.back() = begin;
  to.back() = end;
  return lax::slice(v, from, to);
}

// The unitary J = [[c, s], [-s conj(p), c conj(p)]] that makes the Hermitian
// [[a, b], [conj(b), d]] diagonal: J^H M J = diag(a - shift, d + shift).
struct Rotation {
  Value c, s, phase, shift;
};
Rotation rotation(const Value& a, const Value& d, const Value& b) {
  DType t = b.dtype(), real = real_dtype(t);
  Value size = is_complex(t) ? lax::abs(b) : lax::abs(b);
  Value none = lax::eq(size, zeros_like(size));
  Value safe = where(none, number(real, 1), size);
  Value phase = where(none, number(t, 1), over(b, safe));
  Value one_ = number(real, 1);
  Value tau = lax::div(lax::sub(d, a), lax::mul(safe, number(real, 2)));
  Value root = lax::sqrt(lax::add(lax::mul(tau, tau), one_));
  Value tangent = lax::div(one_, lax::add(lax::abs(tau), root));
  tangent =
      lax::select(lax::lt(tau, zeros_like(tau)), lax::neg(tangent), tangent);
  tangent = where(none, number(real, 0), tangent);
  Value c =
      lax::div(one_, lax::sqrt(lax::add(lax::mul(tangent, tangent), one_)));
  return {c, lax::mul(tangent, c), phase, lax::mul(tangent, size)};
}

// x J, the halves of its columns being the pairs.
Value rotate_columns(const Value& x, const Rotation& r) {
  int64_t h = cols(x) / 2;
  Value left = columns(x, 0, h), right = columns(x, h, 2 * h);
  const Shape& shape = left.shape();
  right = lax::mul(right, as_rows(conj_of(r.phase), shape));
  Value c = as_rows(r.c, shape), s = as_rows(r.s, shape);
  Values both = {lax::sub(times(left, c), times(right, s)),
                 lax::add(times(left, s), times(right, c))};
  return beside(both);
}
// J^H x
Value rotate_rows(const Value& x, const Rotation& r) {
  int64_t h = rows(x) / 2;
  Value top = row_range(x, 0, h), bottom = row_range(x, h, 2 * h);
  const Shape& shape = top.shape();
  bottom = lax::mul(bottom, as_columns(r.phase, shape));
  Value c = as_columns(r.c, shape), s = as_columns(r.s, shape);
  Values both = {lax::sub(times(top, c), times(bottom, s)),
                 lax::add(times(top, s), times(bottom, c))};
  return below(both);
}

// Left 0, right 0, left 1, ..., left h - 2 | right 1, ..., left h - 1.
Value seated(const Value& x, bool in_rows) {
  int64_t h = (in_rows ? rows(x) : cols(x)) / 2;
  if (h == 1) return x;
  auto part = [&](int64_t begin, int64_t end) {
    return in_rows ? row_range(x, begin, end) : columns(x, begin, end);
  };
  Values parts = {part(0, 1), part(h, h + 1)};
  if (h > 2) parts.push_back(part(1, h - 1));
  parts.push_back(part(h + 1, 2 * h));
  parts.push_back(part(h - 1, h));
  return in_rows ? below(parts) : beside(parts);
}

// Sweeps until `more`, which a sweep gives first, is false.
template <class F>
Values sweeps(const Values& init, const Value& more, F sweep) {
  Values carry = {int_scalar(0), more};
  for (const Value& v : init) carry.push_back(v);
  Values out = loop_while(
      carry,
      [&](std::span<const Value> x) {
        return lax::bitwise_and(x[1], lax::lt(x[0], int_scalar(kMaxSweeps)));
      },
      [&](std::span<const Value> x) {
        Values out = {lax::add(x[0], int_scalar(1))};
        for (Value& v : sweep(x.subspan(2))) out.push_back(v);
        return out;
      });
  return Values(out.begin() + 2, out.end());
}

Value any(const Value& flags) {
  Axes all;
  for (int64_t d = 0; d < flags.rank(); ++d) all.push_back(d);
  return all.empty() ? flags : lax::reduce(flags, Monoid::or_, all);
}

}  // namespace

double epsilon(DType t) {
  return real_dtype(t) == DType::f64 ? 0x1p-52 : 0x1p-23;
}
Value size_of(const Value& x) {
  Value scale = largest(abs1(x), 2);
  return where(lax::eq(scale, zeros_like(scale)), number(scale.dtype(), 1),
               scale);
}
Value valid(const Value& x, const Value& scale) {
  return where(spread(lax::is_finite(scale), x.shape()), x,
               number(x.dtype(), std::numeric_limits<double>::quiet_NaN()));
}

// ---- eigh

namespace {

// One round on the matrix w and the vectors v.
Values eigh_round(const Value& w, const Value& v) {
  int64_t n = rows(w), h = n / 2;
  const Shape& shape = w.shape();
  Value d = real_of(diagonal(w));
  Value b = diagonal(columns(row_range(w, 0, h), h, n));
  Value low = halves_last(d, 0, h), high = halves_last(d, h, n);
  Rotation r = rotation(low, high, b);
  Value x = rotate_rows(rotate_columns(w, r), r);
  // What is known exactly is put there: the rest only shrinks.
  Values parts = {lax::sub(low, r.shift), lax::add(high, r.shift)};
  Value now = lax::convert(lax::concatenate(parts, d.rank() - 1), w.dtype());
  Value distance =
      lax::abs(lax::sub(lax::iota(DType::i32, shape, w.rank() - 2),
                        lax::iota(DType::i32, shape, w.rank() - 1)));
  x = where(lax::eq(distance, int_scalar(h)), number(w.dtype(), 0), x);
  x = lax::select(lax::eq(distance, int_scalar(0)), as_columns(now, shape), x);
  return {seated(seated(x, true), false), seated(rotate_columns(v, r), false)};
}

Value is_diagonal(const Value& w) {
  const Shape& shape = w.shape();
  return lax::eq(lax::iota(DType::i32, shape, w.rank() - 2),
                 lax::iota(DType::i32, shape, w.rank() - 1));
}

// w = v^H x v diagonal, for an even number of rows.
Values diagonalised(const Value& x) {
  int64_t n = rows(x);
  double eps = epsilon(x.dtype());
  Value size = total(abs2(x), 2);
  size = lax::mul(size, number(size.dtype(), eps * eps));
  auto unfinished = [&](const Value& w) {
    Value off = where(is_diagonal(w), number(w.dtype(), 0), w);
    return any(lax::gt(total(abs2(off), 2), size));
  };
  return sweeps({x, eye_like(x)}, unfinished(x), [&](std::span<const Value> s) {
    Values y =
        fori(n - 1, {s[0], s[1]}, [&](const Value&, std::span<const Value> z) {
          return eigh_round(z[0], z[1]);
        });
    return Values{unfinished(y[0]), y[0], y[1]};
  });
}

// Ascending keys and the places that they come from.
Values sorted(const Value& keys) {
  int64_t last = keys.rank() - 1;
  Value in[] = {keys, lax::iota(DType::i32, keys.shape(), last)};
  return lax::sort(in, last);
}

}  // namespace

Values expand_eigh(const Params& params, std::span<const Value> in) {
  bool lower = params.as<LowerParams>().lower;
  Value x = strong(in[0]);
  int64_t n = rows(x);
  Value half = lower ? tril(x, -1) : triu(x, 1);
  Value d = lax::convert(real_of(diagonal(x)), x.dtype());
  x = lax::add(lax::add(half, adjoint(half)), diagonal_matrix(d));
  if (n == 1) {
    Value w = real_of(diagonal(x));
    return {valid(eye_like(x), size_of(x)), w};
  }
  Value scale = size_of(x);
  x = over(x, spread(scale, x.shape()));
  if (n % 2) {
    // One more row, apart from the others, whose eigenvalue is the largest.
    x = padded(x, 1, 1);
    const Shape& s = x.shape();
    Value corner = lax::eq(lax::add(lax::iota(DType::i32, s, x.rank() - 2),
                                    lax::iota(DType::i32, s, x.rank() - 1)),
                           int_scalar(2 * n));
    x = where(corner, number(x.dtype(), 2.0 * double(n)), x);
  }
  Values f = diagonalised(x);
  Values order = sorted(real_of(diagonal(f[0])));
  Value w = halves_last(order[0], 0, n);
  Value v = row_range(take_along(f[1], halves_last(order[1], 0, n), -1), 0, n);
  w = lax::mul(w, spread(scale, w.shape()));
  return {valid(v, scale), valid(w, scale)};
}

// ---- svd

namespace {

// g = x v with orthogonal columns, for an even number of columns.
Values orthogonalised(const Value& x) {
  int64_t n = cols(x), h = n / 2;
  DType real = real_dtype(x.dtype());
  double eps = epsilon(x.dtype());
  Value v = eye(x.dtype(), n, n);
  v = broadcast_in_dim(v, with_last(x.shape(), 2, {n, n}),
                       {x.rank() - 2, x.rank() - 1});
  // Columns that are nothing beside the others need not be orthogonal.
  Value floor = lax::mul(total(abs2(x), 2), number(real, eps));
  Value worst = zeros_like(floor);
  auto round = [&](const Value&, std::span<const Value> z) {
    Value left = columns(z[0], 0, h), right = columns(z[0], h, n);
    int64_t axis = left.rank() - 2;
    Value a = lax::reduce_sum(abs2(left), {axis});
    Value d = lax::reduce_sum(abs2(right), {axis});
    Value b = lax::reduce_sum(lax::mul(conj_of(left), right), {axis});
    Value sizes = lax::mul(lax::sqrt(a), lax::sqrt(d));
    sizes = lax::max(sizes, spread(floor, sizes.shape()));
    sizes = where(lax::eq(sizes, zeros_like(sizes)), number(real, 1), sizes);
    Value now = largest(lax::div(lax::abs(b), sizes), 1);
    Rotation r = rotation(a, d, b);
    return Values{seated(rotate_columns(z[0], r), false),
                  seated(rotate_columns(z[1], r), false), lax::max(z[2], now)};
  };
  double tolerance = eps * std::max(4.0, std::sqrt(double(rows(x))));
  Value yes = scalar_value(Literal::from_int(DType::bool_, 1));
  return sweeps({x, v}, yes, [&](std::span<const Value> s) {
    Values y = fori(n - 1, {s[0], s[1], worst}, round);
    return Values{any(lax::gt(y[2], number(real, tolerance))), y[0], y[1]};
  });
}

struct Svd {
  Value s, u, v;  // x = u diag(s) v^H
};

// The left factor of g = u diag(s), whose columns descend: g's own q, with
// the phases of r; where s is 0 too, u is unitary.
Value unitary_part(const Value& g) {
  Values f = lax::geqrf(g);
  Value d = diagonal(f[0]), size = lax::abs(d);
  Value none = lax::eq(size, zeros_like(size));
  Value safe = where(none, number(size.dtype(), 1), size);
  Value phase = where(none, number(d.dtype(), 1), over(d, safe));
  Value q = lax::householder_product(f[0], f[1]);
  return lax::mul(q, as_rows(phase, q.shape()));
}

Svd tall_svd(const Value& x, bool vectors, bool full) {
  int64_t m = rows(x), n = cols(x);
  Value scale = size_of(x);
  Value a = over(x, spread(scale, x.shape()));
  Values f;
  if (m > n) {
    f = lax::geqrf(a);
    a = triu(row_range(f[0], 0, n));
  }
  Values o = orthogonalised(padded(a, 0, n % 2));
  Value norms = lax::sqrt(lax::reduce_sum(abs2(o[0]), {a.rank() - 2}));
  Values order = sorted(lax::neg(norms));
  Value s = lax::neg(halves_last(order[0], 0, n));
  s = valid(lax::mul(s, spread(scale, s.shape())), scale);
  if (!vectors) return {s, nullptr, nullptr};
  Value first = halves_last(order[1], 0, n);
  Value u = unitary_part(take_along(o[0], first, -1));
  Value v = row_range(take_along(o[1], first, -1), 0, n);
  if (m > n) {
    u = padded(u, m - n, full ? m - n : 0);
    if (full) {
      Value i = lax::iota(DType::i32, u.shape(), u.rank() - 2);
      Value rest = lax::bitwise_and(is_diagonal(u), lax::ge(i, int_scalar(n)));
      u = where(rest, number(u.dtype(), 1), u);
    }
    u = lax::ormqr(f[0], f[1], u, true, false);
  }
  return {s, valid(u, scale), valid(v, scale)};
}

}  // namespace

Values expand_svd(const Params& params, std::span<const Value> in) {
  auto& p = params.as<SvdParams>();
  Value x = strong(in[0]);
  int64_t m = rows(x), n = cols(x);
  if (std::min(m, n) == 0) {
    Value s =
        zeros_of({real_dtype(x.dtype()), false, with_last(x.shape(), 2, {0})});
    if (!p.compute_uv) return {s};
    auto unit = [&](int64_t r, int64_t c) {
      return eye_like(
          zeros_of({x.dtype(), false, with_last(x.shape(), 2, {r, c})}));
    };
    if (p.full_matrices) return {s, unit(m, m), unit(n, n)};
    return {s, unit(m, 0), unit(0, n)};
  }
  bool wide = m < n;
  Svd f = tall_svd(wide ? adjoint(x) : x, p.compute_uv, p.full_matrices);
  if (!p.compute_uv) return {f.s};
  return wide ? Values{f.s, f.v, adjoint(f.u)} : Values{f.s, f.u, adjoint(f.v)};
}

}  // namespace cotan::ops
