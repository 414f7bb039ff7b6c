// The linalg kernel: LAPACK on row-major matrices, one problem after another
// or several at once. Each routine below says what its operands are; most copy
// the matrix into column-major order and back, so that they see what NumPy's
// LAPACK sees and give its signs. Start at linalg_kernel.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "base/error.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/lapack.h"

namespace cotan {
namespace {

using R = LapackRoutine;
constexpr size_t kOne = 1;  // length of a character argument

template <class T>
struct real_of {
  using type = T;
};
template <class T>
struct real_of<std::complex<T>> {
  using type = T;
};
template <class T>
using real_t = typename real_of<T>::type;
template <class T>
constexpr bool kComplexType = !std::is_same_v<T, real_t<T>>;

template <class T>
T conjugate(T x) {
  if constexpr (kComplexType<T>)
    return std::conj(x);
  else
    return x;
}
template <class T>
T not_a_number() {
  auto nan = std::numeric_limits<real_t<T>>::quiet_NaN();
  if constexpr (kComplexType<T>)
    return {nan, nan};
  else
    return nan;
}

// Temporaries of one problem, kept for the next.
class Workspace {
 public:
  template <class T>
  T* get(size_t slot, int64_t n) {
    size_t bytes = std::max<size_t>(size_t(n), 1) * sizeof(T);
    Block& b = blocks_[slot];
    if (b.bytes < bytes) {
      b.data.reset(new char[bytes]);
      b.bytes = bytes;
    }
    return reinterpret_cast<T*>(b.data.get());
  }

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    size_t bytes = 0;
  };
  Block blocks_[12];
};

struct Problem {
  const LinalgAttrs& a;
  const char* const* in;
  char* const* out;
  Workspace& w;
  template <class T>
  const T* input(int i) const {
    return reinterpret_cast<const T*>(in[i]);
  }
  template <class T>
  T* output(int i) const {
    return reinterpret_cast<T*>(out[i]);
  }
};

// to[j * rows + i] = from[i * cols + j], in tiles that stay in cache.
template <class T>
void transpose(T* to, const T* from, int64_t rows, int64_t cols) {
  constexpr int64_t kTile = 16;
  for (int64_t i0 = 0; i0 < rows; i0 += kTile)
    for (int64_t j0 = 0; j0 < cols; j0 += kTile)
      for (int64_t i = i0; i < std::min(rows, i0 + kTile); ++i)
        for (int64_t j = j0; j < std::min(cols, j0 + kTile); ++j)
          to[j * rows + i] = from[i * cols + j];
}
template <class T>
void fill(T* x, int64_t n, T v) {
  std::fill(x, x + n, v);
}
template <class T>
void identity(T* x, int64_t rows, int64_t cols) {
  fill(x, rows * cols, T(0));
  for (int64_t i = 0; i < std::min(rows, cols); ++i) x[i * cols + i] = T(1);
}
int ld(int64_t n) { return int(std::max<int64_t>(n, 1)); }

// Calls f(work, lwork) twice: for the size it wants, then for real.
template <class T, class F>
void with_work(Workspace& w, size_t slot, F f) {
  T size{};
  int query = -1;
  f(&size, &query);
  int n = std::max(1, int(std::real(size)));
  f(w.get<T>(slot, n), &n);
}

// ---- triangular systems, row-major as they are

struct Triangle {
  bool left, lower, transpose, conjugate, unit;
};

// Solves op(A) X = B or X op(A) = B in place; b is [m, n], A square. What is
// row-major A is column-major A^T, so sides and triangles change places.
template <class T>
void solve_triangle(const T* a, T* b, int64_t m, int64_t n, Triangle t) {
  if (m == 0 || n == 0) return;
  bool flip = kComplexType<T> && t.conjugate && !t.transpose;
  auto conjugate_b = [&] {
    if (flip)
      for (int64_t i = 0; i < m * n; ++i) b[i] = conjugate(b[i]);
  };
  conjugate_b();
  char side = t.left ? 'R' : 'L', uplo = t.lower ? 'U' : 'L';
  char trans = !t.transpose ? 'N' : t.conjugate && kComplexType<T> ? 'C' : 'T';
  char diag = t.unit ? 'U' : 'N';
  int rows = int(n), cols = int(m), lda = ld(t.left ? m : n), ldb = ld(n);
  T one(1);
  lapack_call<T>(R::trsm, &side, &uplo, &trans, &diag, &rows, &cols, &one, a,
                 &lda, b, &ldb, kOne, kOne, kOne, kOne);
  conjugate_b();
}

// in {a[.,.], b[m,n]}, out {x[m,n]}; flags: left, lower, transpose,
// conjugate, unit diagonal.
template <class T>
void triangular_solve(const Problem& p) {
  const auto& f = p.a.flags;
  T* x = p.output<T>(0);
  if (x != p.input<T>(1))
    std::memcpy(x, p.input<T>(1), size_t(p.a.m * p.a.n) * sizeof(T));
  solve_triangle(p.input<T>(0), x, p.a.m, p.a.n,
                 {bool(f[0]), bool(f[1]), bool(f[2]), bool(f[3]), bool(f[4])});
}

// in {a, lu[n,n], permutation[n], b[n,k]}, out {x[n,k]}; flag 0: 0 solves
// A x = b, 1 A^T x = b, 2 A^H x = b. The matrix itself is not read.
template <class T>
void linear_solve(const Problem& p) {
  int64_t n = p.a.n, k = p.a.k;
  const T *lu = p.input<T>(1), *b = p.input<T>(3);
  const int32_t* perm = p.input<int32_t>(2);
  T* x = p.output<T>(0);
  size_t row = size_t(k) * sizeof(T);
  bool conj = p.a.flags[0] == 2;
  auto at = [&](int64_t i) {  // a broken permutation must not crash
    return std::clamp<int64_t>(perm[i], 0, n - 1) * k;
  };
  if (p.a.flags[0] == 0) {
    for (int64_t i = 0; i < n; ++i) std::memcpy(x + i * k, b + at(i), row);
    solve_triangle(lu, x, n, k, {true, true, false, false, true});
    solve_triangle(lu, x, n, k, {true, false, false, false, false});
    return;
  }
  T* y = p.w.get<T>(0, n * k);
  if (n * k > 0) std::memcpy(y, b, size_t(n) * row);
  solve_triangle(lu, y, n, k, {true, false, true, conj, false});
  solve_triangle(lu, y, n, k, {true, true, true, conj, true});
  for (int64_t i = 0; i < n; ++i) std::memcpy(x + at(i), y + i * k, row);
}

// in {a[n,n]}, of which the lower triangle is read; out {l[n,n]} with zeros
// above. The column-major view is conj(A), whose upper factor is L^T.
template <class T>
void cholesky(const Problem& p) {
  int64_t n = p.a.n;
  T* x = p.output<T>(0);
  if (n == 0) return;
  if (x != p.input<T>(0))
    std::memcpy(x, p.input<T>(0), size_t(n * n) * sizeof(T));
  char uplo = 'U';
  int size = int(n), info = 0;
  lapack_call<T>(R::potrf, &uplo, &size, x, &size, &info, kOne);
  for (int64_t i = 0; i < n; ++i) {
    if (info != 0) fill(x + i * n, i + 1, not_a_number<T>());
    fill(x + i * n + i + 1, n - i - 1, T(0));
  }
}

// in {a[m,n]}, out {lu[m,n], pivots[k], permutation[m]}, k = min(m, n).
template <class T>
void lu(const Problem& p) {
  int64_t m = p.a.m, n = p.a.n, k = std::min(m, n);
  T *y = p.output<T>(0), *x = p.w.get<T>(0, m * n);
  int32_t *pivots = p.output<int32_t>(1), *perm = p.output<int32_t>(2);
  for (int64_t i = 0; i < m; ++i) perm[i] = int32_t(i);
  if (k == 0) return;
  transpose(x, p.input<T>(0), m, n);
  int rows = int(m), cols = int(n), info = 0;
  lapack_call<T>(R::getrf, &rows, &cols, x, &rows, pivots, &info);
  transpose(y, x, n, m);
  if (info < 0) fill(y, m * n, not_a_number<T>());
  for (int64_t i = 0; i < k; ++i) {
    pivots[i] = std::clamp<int32_t>(pivots[i] - 1, 0, rows - 1);
    std::swap(perm[i], perm[pivots[i]]);
  }
}

// in {pivots[n]}, int32 from 0; out {permutation[m]}
template <class T>
void pivots_to_permutation(const Problem& p) {
  const int32_t* pivots = p.input<int32_t>(0);
  int32_t* perm = p.output<int32_t>(0);
  for (int64_t i = 0; i < p.a.m; ++i) perm[i] = int32_t(i);
  for (int64_t i = 0; i < p.a.n; ++i)
    if (pivots[i] >= 0 && pivots[i] < p.a.m)
      std::swap(perm[i], perm[pivots[i]]);
}

// ---- orthogonal factors. x is column-major [m, n] in place.

template <class T>
void column_geqrf(Workspace& w, T* x, T* taus, int64_t m, int64_t n) {
  if (m == 0 || n == 0) return;
  int rows = int(m), cols = int(n), info = 0;
  with_work<T>(w, 8, [&](T* work, int* size) {
    lapack_call<T>(R::geqrf, &rows, &cols, x, &rows, taus, work, size, &info);
  });
}
template <class T>
void column_geqp3(Workspace& w, T* x, int32_t* pivots, T* taus, int64_t m,
                  int64_t n) {
  int rows = int(m), cols = int(n), info = 0;
  auto* rwork = w.get<real_t<T>>(9, 2 * n);
  with_work<T>(w, 8, [&](T* work, int* size) {
    if constexpr (kComplexType<T>)
      lapack_call<T>(R::geqp3, &rows, &cols, x, &rows, pivots, taus, work, size,
                     rwork, &info);
    else
      lapack_call<T>(R::geqp3, &rows, &cols, x, &rows, pivots, taus, work, size,
                     &info);
  });
}
template <class T>
void column_orgqr(Workspace& w, T* x, const T* taus, int64_t m, int64_t n,
                  int64_t k) {
  if (m == 0 || n == 0) return;
  int rows = int(m), cols = int(n), reflectors = int(k), info = 0;
  with_work<T>(w, 8, [&](T* work, int* size) {
    lapack_call<T>(R::orgqr, &rows, &cols, &reflectors, x, &rows, taus, work,
                   size, &info);
  });
}

// in {a[m,n]}, out {r and reflectors [m,n], taus[min(m,n)]}
template <class T>
void geqrf(const Problem& p) {
  int64_t m = p.a.m, n = p.a.n;
  T* x = p.w.get<T>(0, m * n);
  transpose(x, p.input<T>(0), m, n);
  column_geqrf(p.w, x, p.output<T>(1), m, n);
  transpose(p.output<T>(0), x, n, m);
}

// in {a[m,n], pivots[n]}, out {as geqrf, pivots[n] from 1, taus}
template <class T>
void geqp3(const Problem& p) {
  int64_t m = p.a.m, n = p.a.n;
  T* x = p.w.get<T>(0, m * n);
  transpose(x, p.input<T>(0), m, n);
  int32_t* pivots = p.output<int32_t>(1);
  std::memcpy(pivots, p.input<int32_t>(1), size_t(n) * 4);
  if (m > 0 && n > 0) column_geqp3(p.w, x, pivots, p.output<T>(2), m, n);
  transpose(p.output<T>(0), x, n, m);
}

// in {a[m,n], taus[k]}, out {q[m,n]}
template <class T>
void householder_product(const Problem& p) {
  int64_t m = p.a.m, n = p.a.n;
  T* x = p.w.get<T>(0, m * n);
  transpose(x, p.input<T>(0), m, n);
  column_orgqr(p.w, x, p.input<T>(1), m, n, p.a.k);
  transpose(p.output<T>(0), x, n, m);
}

// in {a[r,.], taus[k], c[m,n]}, out {Q c, Q^H c, c Q or c Q^H}; flags: left,
// transpose, columns of a.
template <class T>
void ormqr(const Problem& p) {
  int64_t m = p.a.m, n = p.a.n, rows_a = p.a.flags[0] ? m : n;
  int64_t cols_a = p.a.flags[2];
  T *q = p.w.get<T>(0, rows_a * cols_a), *c = p.w.get<T>(1, m * n);
  transpose(q, p.input<T>(0), rows_a, cols_a);
  transpose(c, p.input<T>(2), m, n);
  if (m > 0 && n > 0 && p.a.k > 0) {
    char side = p.a.flags[0] ? 'L' : 'R';
    char trans = !p.a.flags[1] ? 'N' : kComplexType<T> ? 'C' : 'T';
    int rows = int(m), cols = int(n), k = int(p.a.k), lda = ld(rows_a),
        info = 0;
    with_work<T>(p.w, 8, [&](T* work, int* size) {
      lapack_call<T>(R::ormqr, &side, &trans, &rows, &cols, &k, q, &lda,
                     p.input<T>(1), c, &rows, work, size, &info, kOne, kOne);
    });
  }
  transpose(p.output<T>(0), c, n, m);
}

// in {a[m,n]}, out {q[m,k], r[k,n], permutation[n] if flag 0}; k is m or
// min(m, n).
template <class T>
void qr(const Problem& p) {
  int64_t m = p.a.m, n = p.a.n, k = p.a.k, reflectors = std::min(m, n);
  T *q = p.output<T>(0), *r = p.output<T>(1);
  int32_t* perm = p.a.flags[0] ? p.output<int32_t>(2) : nullptr;
  if (m == 0 || n == 0) {
    identity(q, m, k);
    if (perm) fill(perm, n, 0);
    return;
  }
  int64_t wide = std::max(n, k);
  T *x = p.w.get<T>(0, m * wide), *taus = p.w.get<T>(1, reflectors);
  transpose(x, p.input<T>(0), m, n);
  if (perm) {
    fill(perm, n, 0);
    column_geqp3(p.w, x, perm, taus, m, n);
    for (int64_t j = 0; j < n; ++j) perm[j] -= 1;
  } else {
    column_geqrf(p.w, x, taus, m, n);
  }
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < n; ++j) r[i * n + j] = i > j ? T(0) : x[j * m + i];
  if (k > n) fill(x + n * m, (k - n) * m, T(0));
  column_orgqr(p.w, x, taus, m, k, reflectors);
  transpose(q, x, k, m);
}

// ---- spectra

// in {a[m,n]}, out {s[k]} or {s[k], u[m,m or k], vt[n or k,n]}, k = min(m, n);
// flags: vectors, full matrices.
template <class T>
void svd(const Problem& p) {
  int64_t m = p.a.m, n = p.a.n, k = std::min(m, n);
  bool vectors = p.a.flags[0], full = p.a.flags[1];
  int64_t u_cols = full ? m : k, vt_rows = full ? n : k;
  auto* s = p.output<real_t<T>>(0);
  if (k == 0) {
    if (vectors) {
      identity(p.output<T>(1), m, u_cols);
      identity(p.output<T>(2), vt_rows, n);
    }
    return;
  }
  char job = !vectors ? 'N' : full ? 'A' : 'S';
  T* x = p.w.get<T>(0, m * n);
  transpose(x, p.input<T>(0), m, n);
  T *u = nullptr, *vt = nullptr;
  if (vectors) {
    u = p.w.get<T>(1, m * u_cols);
    vt = p.w.get<T>(2, vt_rows * n);
  }
  int rows = int(m), cols = int(n), ldvt = ld(vt_rows), info = 0;
  auto* iwork = p.w.get<int>(3, 8 * k);
  int64_t large = std::max(m, n);
  auto* rwork = p.w.get<real_t<T>>(
      4, kComplexType<T>
             ? std::max(5 * k * k + 5 * k, 2 * large * k + 2 * k * k + k)
             : 1);
  with_work<T>(p.w, 8, [&](T* work, int* size) {
    if constexpr (kComplexType<T>)
      lapack_call<T>(R::gesdd, &job, &rows, &cols, x, &rows, s, u, &rows, vt,
                     &ldvt, work, size, rwork, iwork, &info, kOne);
    else
      lapack_call<T>(R::gesdd, &job, &rows, &cols, x, &rows, s, u, &rows, vt,
                     &ldvt, work, size, iwork, &info, kOne);
  });
  if (vectors) {
    transpose(p.output<T>(1), u, u_cols, m);
    transpose(p.output<T>(2), vt, n, vt_rows);
  }
  // -4: the matrix holds a nan.
  if (info == 0) return;
  fill(s, k, not_a_number<real_t<T>>());
  if (!vectors) return;
  fill(p.output<T>(1), m * u_cols, not_a_number<T>());
  fill(p.output<T>(2), vt_rows * n, not_a_number<T>());
}

// in {a[n,n]}, out {v[n,n], w[n]}; flag 0: read the lower triangle.
template <class T>
void eigh(const Problem& p) {
  int64_t n = p.a.n;
  T* v = p.output<T>(0);
  auto* values = p.output<real_t<T>>(1);
  if (n == 0) return;
  T* x = p.w.get<T>(0, n * n);
  transpose(x, p.input<T>(0), n, n);
  char job = 'V', uplo = p.a.flags[0] ? 'L' : 'U';
  int size = int(n), info = 0;
  T work_size{};
  real_t<T> rwork_size{};
  int iwork_size = 0, query = -1;
  auto run = [&](T* work, int* lwork, real_t<T>* rwork, int* lrwork, int* iwork,
                 int* liwork) {
    if constexpr (kComplexType<T>)
      lapack_call<T>(R::syevd, &job, &uplo, &size, x, &size, values, work,
                     lwork, rwork, lrwork, iwork, liwork, &info, kOne, kOne);
    else
      lapack_call<T>(R::syevd, &job, &uplo, &size, x, &size, values, work,
                     lwork, iwork, liwork, &info, kOne, kOne);
  };
  run(&work_size, &query, &rwork_size, &query, &iwork_size, &query);
  int lwork = int(std::real(work_size)), lrwork = int(rwork_size);
  int liwork = iwork_size;
  run(p.w.get<T>(8, lwork), &lwork, p.w.get<real_t<T>>(9, lrwork), &lrwork,
      p.w.get<int>(10, liwork), &liwork);
  transpose(v, x, n, n);
  if (info == 0) return;
  fill(v, n * n, not_a_number<T>());
  fill(values, n, not_a_number<real_t<T>>());
}

// Column-major real eigenvectors, in which a conjugate pair shares two columns
// as real and imaginary part, into row-major complex ones.
template <class T>
void unpack_vectors(const T* x, const T* imag, std::complex<T>* v, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    bool pair = imag[j] != 0 && j + 1 < n;
    for (int64_t i = 0; i < n; ++i) {
      T re = x[j * n + i];
      if (!pair) {
        v[i * n + j] = re;
        continue;
      }
      T im = x[(j + 1) * n + i];
      v[i * n + j] = {re, im};
      v[i * n + j + 1] = {re, -im};
    }
    j += pair;
  }
}

// in {a[n,n]}, out {w[n], vl[n,n] if flag 0, vr[n,n] if flag 1}, complex.
template <class T>
void eig(const Problem& p) {
  using C = std::complex<real_t<T>>;
  int64_t n = p.a.n;
  bool left = p.a.flags[0], right = p.a.flags[1];
  C* values = p.output<C>(0);
  C* vl_out = left ? p.output<C>(1) : nullptr;
  C* vr_out = right ? p.output<C>(1 + left) : nullptr;
  if (n == 0) return;
  T* x = p.w.get<T>(0, n * n);
  transpose(x, p.input<T>(0), n, n);
  bool finite = true;  // geev may not return otherwise
  for (int64_t i = 0; i < n * n; ++i)
    finite &= std::isfinite(std::real(x[i])) && std::isfinite(std::imag(x[i]));
  char job_l = left ? 'V' : 'N', job_r = right ? 'V' : 'N';
  T *vl = p.w.get<T>(1, left ? n * n : 1),
    *vr = p.w.get<T>(2, right ? n * n : 1);
  int size = int(n), info = finite ? 0 : 1;
  auto* re = p.w.get<T>(3, n);
  auto* im = p.w.get<T>(4, n);
  auto* rwork = p.w.get<real_t<T>>(5, 2 * n);
  if (finite)
    with_work<T>(p.w, 8, [&](T* work, int* lwork) {
      if constexpr (kComplexType<T>)
        lapack_call<T>(R::geev, &job_l, &job_r, &size, x, &size, values, vl,
                       &size, vr, &size, work, lwork, rwork, &info, kOne, kOne);
      else
        lapack_call<T>(R::geev, &job_l, &job_r, &size, x, &size, re, im, vl,
                       &size, vr, &size, work, lwork, &info, kOne, kOne);
    });
  if (info != 0) {
    fill(values, n, not_a_number<C>());
    if (left) fill(vl_out, n * n, not_a_number<C>());
    if (right) fill(vr_out, n * n, not_a_number<C>());
    return;
  }
  if constexpr (kComplexType<T>) {
    if (left) transpose(vl_out, vl, n, n);
    if (right) transpose(vr_out, vr, n, n);
  } else {
    for (int64_t i = 0; i < n; ++i) values[i] = {re[i], im[i]};
    if (left) unpack_vectors(vl, im, vl_out, n);
    if (right) unpack_vectors(vr, im, vr_out, n);
  }
}

// in {a[n,n]}, out {t[n,n], z[n,n] if flag 0}
template <class T>
void schur(const Problem& p) {
  int64_t n = p.a.n;
  bool vectors = p.a.flags[0];
  T* t = p.output<T>(0);
  if (n == 0) return;
  T *x = p.w.get<T>(0, n * n), *z = p.w.get<T>(1, vectors ? n * n : 1);
  transpose(x, p.input<T>(0), n, n);
  char job = vectors ? 'V' : 'N', sort = 'N';
  int size = int(n), sorted = 0, info = 0;
  void* no_select = nullptr;
  auto* re = p.w.get<T>(3, n);
  auto* im = p.w.get<T>(4, n);
  auto* rwork = p.w.get<real_t<T>>(5, n);
  auto* bwork = p.w.get<int>(6, n);
  with_work<T>(p.w, 8, [&](T* work, int* lwork) {
    if constexpr (kComplexType<T>)
      lapack_call<T>(R::gees, &job, &sort, no_select, &size, x, &size, &sorted,
                     re, z, &size, work, lwork, rwork, bwork, &info, kOne,
                     kOne);
    else
      lapack_call<T>(R::gees, &job, &sort, no_select, &size, x, &size, &sorted,
                     re, im, z, &size, work, lwork, bwork, &info, kOne, kOne);
  });
  transpose(t, x, n, n);
  if (vectors) transpose(p.output<T>(1), z, n, n);
  if (info == 0) return;
  fill(t, n * n, not_a_number<T>());
  if (vectors) fill(p.output<T>(1), n * n, not_a_number<T>());
}

// in {a[n,n]}, out {a[n,n], taus[n-1]}
template <class T>
void hessenberg(const Problem& p) {
  int64_t n = p.a.n;
  if (n == 0) return;
  T* x = p.w.get<T>(0, n * n);
  transpose(x, p.input<T>(0), n, n);
  T* taus = p.w.get<T>(1, n);
  int size = int(n), low = 1, info = 0;
  with_work<T>(p.w, 8, [&](T* work, int* lwork) {
    lapack_call<T>(R::gehrd, &size, &low, &size, x, &size, taus, work, lwork,
                   &info);
  });
  transpose(p.output<T>(0), x, n, n);
  std::copy(taus, taus + n - 1, p.output<T>(1));
}

// in {a[n,n]}, out {a[n,n], d[n], e[n-1], taus[n-1]}; flag 0: lower.
template <class T>
void tridiagonal(const Problem& p) {
  int64_t n = p.a.n;
  T* x = p.w.get<T>(0, n * n);
  transpose(x, p.input<T>(0), n, n);
  char uplo = p.a.flags[0] ? 'L' : 'U';
  int size = int(n), info = 0;
  auto* e = p.w.get<real_t<T>>(2, n);
  T* taus = p.w.get<T>(3, n);
  with_work<T>(p.w, 8, [&](T* work, int* lwork) {
    lapack_call<T>(R::sytrd, &uplo, &size, x, &size, p.output<real_t<T>>(1), e,
                   taus, work, lwork, &info, kOne);
  });
  transpose(p.output<T>(0), x, n, n);
  std::copy(e, e + n - 1, p.output<real_t<T>>(2));
  std::copy(taus, taus + n - 1, p.output<T>(3));
}

// A tridiagonal matrix and right-hand sides, made triangular in place by
// exchanging rows: row i becomes d[i], du[i], du2[i]. dl is read from 1.
template <class T>
void eliminate(int64_t n, int64_t k, const T* dl, T* d, T* du, T* du2, T* x) {
  auto size = [](T v) {
    return std::abs(std::real(v)) + std::abs(std::imag(v));
  };
  std::fill(du2, du2 + n, T(0));
  T low = n > 1 ? dl[1] : T(0);  // of row i + 1, as it is now
  for (int64_t i = 0; i + 1 < n; ++i, low = i + 1 < n ? dl[i + 1] : T(0)) {
    if (size(low) > size(d[i])) {
      std::swap(d[i], low);
      std::swap(du[i], d[i + 1]);
      if (i + 2 < n) std::swap(du2[i], du[i + 1]);
      std::swap_ranges(x + i * k, x + (i + 1) * k, x + (i + 1) * k);
    }
    if (low == T(0)) continue;
    T m = low / d[i];
    d[i + 1] -= m * du[i];
    if (i + 2 < n) du[i + 1] -= m * du2[i];
    for (int64_t j = 0; j < k; ++j) x[(i + 1) * k + j] -= m * x[i * k + j];
  }
}

// A pivot by which t can be divided: moved away from zero by `step`, which
// doubles, as long as t / pivot would overflow (LAPACK's lagts).
template <class T>
T safe_pivot(T pivot, T t, real_t<T> step) {
  using F = real_t<T>;
  constexpr F tiny = std::numeric_limits<F>::min();
  step = std::copysign(step, std::real(pivot));
  while (std::abs(pivot) < F(1) &&
         (pivot == T(0) || std::abs(t) * tiny > std::abs(pivot))) {
    pivot += step;
    step += step;
  }
  return pivot;
}

template <class T>
void tridiagonal_solve_perturbed(const Problem& p) {
  using F = real_t<T>;
  int64_t n = p.a.n, k = p.a.k;
  T *d = p.w.get<T>(0, n), *du = p.w.get<T>(1, n), *du2 = p.w.get<T>(2, n);
  T* x = p.output<T>(0);
  std::copy(p.input<T>(1), p.input<T>(1) + n, d);
  std::copy(p.input<T>(2), p.input<T>(2) + n, du);
  du[n - 1] = T(0);
  std::copy(p.input<T>(3), p.input<T>(3) + n * k, x);
  eliminate(n, k, p.input<T>(0), d, du, du2, x);
  F largest = 0;
  for (const T* part : {d, du, du2})
    for (int64_t i = 0; i < n; ++i)
      largest = std::max(largest, std::abs(part[i]));
  F step = std::max(largest * std::numeric_limits<F>::epsilon(),
                    std::numeric_limits<F>::min());
  for (int64_t i = n; i-- > 0;)
    for (int64_t j = 0; j < k; ++j) {
      T t = x[i * k + j];
      if (i + 1 < n) t -= du[i] * x[(i + 1) * k + j];
      if (i + 2 < n) t -= du2[i] * x[(i + 2) * k + j];
      x[i * k + j] = t / safe_pivot(d[i], t, step);
    }
}

// in {dl[n], d[n], du[n], b[n,k]}, out {x[n,k]}; dl[0] and du[n-1] are not
// read. Flag 0: a singular matrix is perturbed.
template <class T>
void tridiagonal_solve(const Problem& p) {
  int64_t n = p.a.n, k = p.a.k;
  if (n == 0 || k == 0) return;
  if (p.a.flags[0]) return tridiagonal_solve_perturbed<T>(p);
  T *dl = p.w.get<T>(0, n), *d = p.w.get<T>(1, n), *du = p.w.get<T>(2, n);
  T* x = p.w.get<T>(3, n * k);
  std::copy(p.input<T>(0) + 1, p.input<T>(0) + n, dl);
  std::copy(p.input<T>(1), p.input<T>(1) + n, d);
  std::copy(p.input<T>(2), p.input<T>(2) + n - 1, du);
  transpose(x, p.input<T>(3), n, k);
  int size = int(n), columns = int(k), info = 0;
  lapack_call<T>(R::gtsv, &size, &columns, dl, d, du, x, &size, &info);
  transpose(p.output<T>(0), x, k, n);
  if (info != 0) fill(p.output<T>(0), n * k, not_a_number<T>());
}

// ---- running

template <class T>
void run_one(const Problem& p) {
  using Routine = void (*)(const Problem&);
  static constexpr Routine routines[] = {
      cholesky<T>,
      lu<T>,
      linear_solve<T>,
      triangular_solve<T>,
      geqrf<T>,
      geqp3<T>,
      householder_product<T>,
      ormqr<T>,
      qr<T>,
      svd<T>,
      eigh<T>,
      eig<T>,
      schur<T>,
      hessenberg<T>,
      tridiagonal<T>,
      tridiagonal_solve<T>,
      pivots_to_permutation<T>,
  };
  routines[int(p.a.op)](p);
}

// Nanoseconds of one problem on one thread, roughly.
double estimate(const LinalgAttrs& a) {
  double m = double(std::max(a.m, a.n)), n = double(a.n);
  double k = double(std::max<int64_t>(a.k, 1));
  double overhead = 1000, rate = 8;  // flops in a nanosecond
  switch (a.op) {
    case LinalgOp::linear_solve:
      return 500 + 2 * n * n * k / rate;
    case LinalgOp::triangular_solve:
      return 500 + m * m * n / rate;
    case LinalgOp::pivots_to_permutation:
      return 50 + 2 * m;
    case LinalgOp::tridiagonal_solve:
      return 500 + 10 * n * k;
    case LinalgOp::cholesky:
      return overhead + n * n * n / 3 / rate;
    case LinalgOp::svd:
    case LinalgOp::eigh:
    case LinalgOp::eig:
    case LinalgOp::schur:
      return 5 * overhead + 20 * m * n * n / rate;
    default:
      return overhead + 2 * m * n * n / rate;
  }
}

void run_range(const KernelCall* call, const LinalgAttrs& a, int64_t begin,
               int64_t end) {
  Workspace w;
  SmallVector<const char*, 4> in(a.in_bytes.size());
  SmallVector<char*, 4> out(a.out_bytes.size());
  for (int64_t b = begin; b < end; ++b) {
    for (size_t i = 0; i < in.size(); ++i)
      in[i] = static_cast<const char*>(call->in[i]) + b * a.in_bytes[i];
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<char*>(call->out[i]) + b * a.out_bytes[i];
    Problem p{a, in.data(), out.data(), w};
    visit_dtype(a.dtype, [&]<class T>() {
      if constexpr (std::is_floating_point_v<T> ||
                    std::is_same_v<T, std::complex<float>> ||
                    std::is_same_v<T, std::complex<double>>)
        run_one<T>(p);
    });
  }
}

int run_linalg(const KernelCall* call, const LinalgAttrs& a) {
  double ns = estimate(a);
  int threads = ThreadPool::global().threads();
  if (call->rt->max_threads > 0)
    threads = std::min(threads, int(call->rt->max_threads));
  // Few large problems: the library's own threads. Many: ours.
  bool large = ns > 2e6 && a.batch < threads;
  lapack_threads(large ? threads : 1);
  double total = ns * double(a.batch);
  if (large || a.batch == 1 || total < 5e4) {
    run_range(call, a, 0, a.batch);
    return kOk;
  }
  int64_t grain = std::max<int64_t>(1, int64_t(2e4 / ns));
  int64_t chunks = (a.batch + grain - 1) / grain;
  std::atomic<bool> failed{false};
  int status =
      parallel_chunks(call->rt, chunks, int64_t(total), [&](int64_t c) {
        try {
          run_range(call, a, c * grain, std::min(a.batch, (c + 1) * grain));
        } catch (...) {
          failed = true;
        }
      });
  if (failed) throw std::bad_alloc();
  return status;
}

}  // namespace

int linalg_kernel(const KernelCall* call) {
  auto a = decode_attrs<LinalgAttrs>(call->attrs);
  if (a.batch == 0) return kOk;
  try {
    return run_linalg(call, a);
  } catch (const std::exception& e) {
    return call->rt->fail(call->rt, e.what());
  }
}

}  // namespace cotan
