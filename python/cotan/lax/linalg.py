"""`cotan.lax.linalg`: matrix decompositions and the solution of linear systems,
batched over all axes but the last two.

The names, signatures and conventions are those of `jax.lax.linalg`. LAPACK does
the work; it is loaded on the first use.

>>> from cotan import lax
>>> import cotan.numpy as cnp
>>> lax.linalg.cholesky(cnp.array([[4.0, 2.0], [2.0, 5.0]]))
Array([[2., 0.],
       [1., 2.]], dtype=float32)
"""

from __future__ import annotations

import enum
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src import absent, primitives

__all__ = [
    "EigImplementation",
    "EighImplementation",
    "SvdAlgorithm",
    "cholesky",
    "cholesky_update",
    "eig",
    "eigh",
    "hessenberg",
    "householder_product",
    "lu",
    "lu_pivots_to_permutation",
    "ormqr",
    "qdwh",
    "qr",
    "schur",
    "svd",
    "symmetric_product",
    "triangular_solve",
    "tridiagonal",
    "tridiagonal_solve",
]


class EigImplementation(enum.Enum):
    """Where `eig` runs; cotan has LAPACK."""

    CUSOLVER = "cusolver"
    MAGMA = "magma"
    LAPACK = "lapack"


class EighImplementation(enum.Enum):
    """The algorithm of `eigh`; cotan has QR (divide and conquer)."""

    QR = "qr"
    JACOBI = "jacobi"
    QDWH = "qdwh"


class SvdAlgorithm(enum.Enum):
    """The algorithm of `svd`; on a CPU all run divide and conquer."""

    DEFAULT = "default"
    QR = "QR"
    JACOBI = "Jacobi"
    POLAR = "polar"
    DIVIDE_AND_CONQUER = "divide_and_conquer"


def _array(x):
    return _dispatch.to_array(x)


def _is_complex(x) -> bool:
    return dtypes.issubdtype(x.dtype, np.complexfloating)


# The core refuses other dtypes, by the name of the operation.
def _has_lapack(x) -> bool:
    return x.dtype in (np.float32, np.float64, np.complex64, np.complex128)


# Needs control of a subset of the spectrum, which LAPACK's drivers here lack.
def _check_subset(name: str, subset, whole: tuple[int, int]):
    if subset is not None and tuple(subset) != whole:
        raise NotImplementedError(
            f"[{name}] subset_by_index={subset} is not supported on a CPU; "
            "slice the results instead"
        )


# ---- Cholesky


def cholesky(x, *, symmetrize_input: bool = True):
    """The lower triangular L with L L^H = x.

    Args:
      x: Hermitian positive definite matrices [..., n, n].
      symmetrize_input: use (x + x^H) / 2; else the upper triangle is ignored.

    Returns:
      L of x's shape and dtype; full of nan where x is not positive definite.
    """
    x = _array(x)
    if symmetrize_input:  # which divides by 2
        (x,) = _core.promote_inexact("cholesky", [x])
    if symmetrize_input and _has_lapack(x):
        _check_square("cholesky", x)
        x = _core.symmetrize(x)
    return _core.tril(_core.cholesky(x), 0)


def _check_square(name, x):
    if x.ndim < 2:
        raise TypeError(
            f"Input 0 to {name} must have rank at least 2, but got "
            f"shape={x.shape}"
        )
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"The input to {name} must be a square matrix. Got shape {x.shape}."
        )


def cholesky_update(r_matrix, w_vector):
    """The upper triangular factor of R^T R + w w^T.

    Args:
      r_matrix: upper triangular R [..., n, n]; w_vector: w [..., n].
    """
    r, w = _array(r_matrix), _array(w_vector)
    if r.ndim < 2 or r.shape[-1] != r.shape[-2]:
        raise ValueError(
            "cholesky_update update requires a square first input, got "
            f"{r.shape}"
        )
    if w.shape[-1:] != r.shape[-1:]:
        raise ValueError(
            "cholesky_update: the vector must have as many entries as the "
            f"matrix has rows, got {w.shape} for {r.shape}"
        )
    return cholesky(r.mT @ r + w[..., :, None] * w[..., None, :]).mT


def symmetric_product(
    a_matrix,
    c_matrix,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    symmetrize_output: bool = False,
):
    """alpha A A^T + beta C, for A [..., m, n] and symmetric C [..., m, m]."""
    a, c = _array(a_matrix), _array(c_matrix)
    if c.ndim < 2 or c.shape[-1] != c.shape[-2]:
        raise ValueError(
            f"symmetric_product: c must be square, got shape {c.shape}"
        )
    if a.ndim < 2 or a.shape[-2] != c.shape[-1]:
        raise ValueError(
            "symmetric_product: a must have as many rows as c, got shapes "
            f"{a.shape} and {c.shape}"
        )
    out = alpha * (a @ a.mT) + beta * c
    if symmetrize_output:
        out = _core.tril(out, 0) + _core.tril(out, -1).mT
    return out


# ---- LU and linear systems


def lu(x):
    """LU decomposition with partial pivoting.

    Args:
      x: matrices [..., m, n].

    Returns:
      (lu, pivots, permutation): L below the diagonal (its own diagonal is 1)
      and U on and above it; the int32 row swaps [..., min(m, n)], and the
      int32 permutation [..., m] that they make: x[permutation] = L U.
    """
    return _core.lu(x)


def lu_pivots_to_permutation(pivots, permutation_size: int):
    """The permutation of `permutation_size` rows that swaps i with pivots[i],
    one after another."""
    return _core.lu_pivots_to_permutation(pivots, int(permutation_size))


def triangular_solve(
    a,
    b,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
):
    """Solves op(a) x = b (left_side) or x op(a) = b for triangular a.

    Args:
      a: matrices [..., m, m], of which one triangle is read.
      b: [..., m, n] if left_side, else [..., n, m]; or without the n.
    """
    a, b = _array(a), _array(b)
    conjugate_a = bool(conjugate_a) and _is_complex(a)
    single = b.ndim == a.ndim - 1
    if single:
        b = b[..., None] if left_side else b[..., None, :]
    flags = (left_side, lower, transpose_a, conjugate_a, unit_diagonal)
    out = _core.triangular_solve(a, b, *[bool(f) for f in flags])
    if single:
        out = out[..., 0] if left_side else out[..., 0, :]
    return out


def tridiagonal_solve(dl, d, du, b, *, perturb_singular: bool = False):
    """Solves tridiagonal systems.

    Args:
      dl, d, du: the diagonals [..., m]; row i has dl[i], d[i], du[i] in
        columns i - 1, i, i + 1, so dl[0] and du[m - 1] are not read.
      b: right-hand sides [..., m, k].
      perturb_singular: gives a finite solution of singular systems as well:
        pivots by which a division would overflow are moved away from zero by
        the precision times the largest element. Of use for eigenvectors by
        inverse iteration. On the CPU only.
    """
    return _core.tridiagonal_solve(dl, d, du, b, bool(perturb_singular))


def _broadcast_batch(*operands):
    """Arrays with equal batch axes, from (array, number of other axes)."""
    shapes = [x.shape[: x.ndim - core] for x, core in operands]
    batch = np.broadcast_shapes(*shapes)
    return [
        x
        if x.shape[: x.ndim - core] == batch
        else _core.broadcast_to(x, (*batch, *x.shape[x.ndim - core :]))
        for x, core in operands
    ]


def lu_solve(lu, permutation, b, trans: int = 0):
    """Solves A x = b by the factors of A; A^T x = b for trans=1, A^H x = b
    for trans=2."""
    lu, permutation, b = _array(lu), _array(permutation), _array(b)
    if lu.ndim < 2 or lu.shape[-1] != lu.shape[-2]:
        raise ValueError(
            "last two dimensions of LU decomposition must be equal, got shape "
            f"{lu.shape}"
        )
    if b.ndim < 1:
        raise ValueError(f"b matrix must have rank >= 1, got shape {b.shape}")
    if trans not in (0, 1, 2):
        raise ValueError(f"'trans' value must be 0, 1, or 2, got {trans}")
    vector = lu.ndim == b.ndim + 1
    if vector:
        b = b[..., None]
    if b.shape[-2] != lu.shape[-1]:
        raise ValueError(
            "When LU decomposition matrix and b have different numbers of "
            "dimensions, last axis of LU decomposition matrix (shape "
            f"{lu.shape}) and second to last axis of b array (shape {b.shape}) "
            "must match"
        )
    lu, permutation, b = _broadcast_batch((lu, 2), (permutation, 1), (b, 2))

    def solve(upper, transpose, b):
        return _core.triangular_solve(
            lu, b, True, not upper, transpose, trans == 2, not upper
        )

    take = _take_rows
    if trans == 0:
        x = solve(True, False, solve(False, False, take(b, permutation)))
    else:
        x = solve(False, True, solve(True, True, b))
        pair = (permutation, _iota_like(permutation))
        inverse = _core.sort(pair, permutation.ndim - 1, True, 1)[1]
        x = take(x, inverse)
    return x[..., 0] if vector else x


def _iota_like(p):
    return _core.iota(p.dtype, p.shape, p.ndim - 1)


def _take_rows(b, index):
    from cotan import numpy as cnp  # cotan.numpy imports this module

    return cnp.take_along_axis(b, index[..., None], axis=-2)


def _solve(a, b):
    """a^-1 b, with the factors reused by the derivatives; a [..., m, m] and
    b [..., m, k] or [..., m] have equal batch axes."""
    vector = b.ndim == a.ndim - 1
    factors, _, permutation = _core.stop_lu(a)
    x = _core.linear_solve(
        a, factors, permutation, b[..., None] if vector else b, 0
    )
    return x[..., 0] if vector else x


# ---- orthogonal factors


def householder_product(a, taus):
    """The product of Householder reflectors, as `geqrf` gives them.

    Args:
      a: [..., m, n] with the reflectors below the diagonal; taus: [..., k].
    """
    q = _core.householder_product(a, taus)
    weak = _array(a).weak_type and _array(taus).weak_type
    return _core.convert(q, q.dtype, weak)


def geqrf(a):
    """R and, below its diagonal, the reflectors of Q; and their factors."""
    return _core.geqrf(a)


def geqp3(a, jpvt, *, use_magma: bool | None = None):
    """geqrf with column pivoting: (r, pivots from 1, taus)."""
    return _core.geqp3(a, jpvt)


def ormqr(a, taus, c, *, left: bool = True, transpose: bool = False):
    """Q c, Q^H c (transpose), c Q or c Q^H, for Q as `geqrf` gives it."""
    return _core.ormqr(a, taus, c, bool(left), bool(transpose))


def qr(
    x,
    *,
    pivoting: bool = False,
    full_matrices: bool = True,
    use_magma: bool | None = None,
):
    """QR decomposition of matrices [..., m, n].

    Returns:
      (q, r), with q [..., m, m] if full_matrices, else [..., m, min(m, n)];
      and with pivoting int32 p [..., n] for which x[..., p] = q r.
    """
    return _core.qr(x, bool(pivoting), bool(full_matrices))


# ---- spectra


def svd(
    x,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    algorithm: SvdAlgorithm | None = None,
):
    """Singular value decomposition of matrices [..., m, n].

    Returns:
      (u, s, vh) with x = u diag(s) vh and s descending, or s alone.
    """
    x = _array(x)
    if x.ndim >= 2:
        rank = min(x.shape[-2:])
        if (
            subset_by_index is not None
            and full_matrices
            and tuple(subset_by_index) != (0, rank)
        ):
            raise ValueError(
                "full_matrices and subset_by_index cannot both be set"
            )
        _check_subset("svd", subset_by_index, (0, rank))
    out = _core.svd(x, bool(full_matrices), bool(compute_uv))
    if not compute_uv:
        return out[0]
    s, u, vh = out
    return u, s, vh


def eigh(
    x,
    *,
    lower: bool = True,
    symmetrize_input: bool = True,
    sort_eigenvalues: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    implementation: EighImplementation | None = None,
):
    """Eigenvectors and eigenvalues of Hermitian matrices [..., n, n].

    Returns:
      (v, w): x v = v diag(w), w real and ascending. Derivatives need distinct
      eigenvalues.
    """
    x = _array(x)
    if symmetrize_input:  # which divides by 2
        (x,) = _core.promote_inexact("eigh", [x])
    if x.ndim >= 2:
        _check_subset("eigh", subset_by_index, (0, x.shape[-1]))
        square = x.shape[-1] == x.shape[-2]
        if symmetrize_input and square and _has_lapack(x):
            x = _core.symmetrize(x)
    if implementation not in (None, EighImplementation.QR):
        raise NotImplementedError(
            f"[eigh] {implementation} is not supported on a CPU"
        )
    return _core.eigh(x, bool(lower))


def eig(
    x,
    *,
    compute_left_eigenvectors: bool = True,
    compute_right_eigenvectors: bool = True,
    enable_eigvec_derivs: bool = False,
    implementation: EigImplementation | None = None,
    use_magma: bool | None = None,
):
    """Eigenvalues, and left and right eigenvectors if asked for, of general
    matrices [..., n, n]; all complex.

    Eigenvectors have norm 1 and a real largest component. Their derivatives
    exist for distinct eigenvalues and untied largest components, which cannot
    be checked: enable_eigvec_derivs promises it.
    """
    if use_magma is not None:
        warnings.warn(
            "use_magma is deprecated, please use "
            "implementation=EigImplementation.MAGMA instead.",
            DeprecationWarning,
            stacklevel=2,
        )
    if implementation not in (None, EigImplementation.LAPACK):
        raise ValueError("Only the lapack implementation is supported on CPU.")
    out = _core.eig(
        x,
        bool(compute_left_eigenvectors),
        bool(compute_right_eigenvectors),
        bool(enable_eigvec_derivs),
    )
    return list(out)


def schur(
    x,
    *,
    compute_schur_vectors: bool = True,
    sort_eig_vals: bool = False,
    select_callable: Callable[..., Any] | None = None,
):
    """Schur decomposition x = z t z^H of matrices [..., n, n]: (t, z)."""
    if sort_eig_vals:
        raise NotImplementedError(
            "The sort feature of LAPACK's gees routine is not implemented."
        )
    return _core.schur(x, bool(compute_schur_vectors))


def hessenberg(a):
    """Reduction to upper Hessenberg form: (a, taus), with the reflectors below
    the first subdiagonal."""
    return _core.hessenberg(a)


def tridiagonal(a, *, lower: bool = True):
    """Reduction of Hermitian matrices to tridiagonal form: (a, d, e, taus)."""
    return _core.tridiagonal(a, bool(lower))


def qdwh(
    x,
    *,
    is_hermitian: bool = False,
    max_iterations: int | None = None,
    eps: float | None = None,
    dynamic_shape: tuple[int, int] | None = None,
):
    """Polar decomposition x = u h of a matrix [m, n], m >= n.

    Returns:
      (u, h, number of iterations, converged). It comes from the SVD, so there
      are no iterations.
    """
    x = _array(x)
    if x.ndim != 2 or x.shape[0] < x.shape[1]:
        raise ValueError(
            "The input matrix of shape M x N must have M >= N, got shape "
            f"{x.shape}"
        )
    if dynamic_shape is not None:
        raise NotImplementedError("[qdwh] dynamic_shape is not available")
    u, s, vh = svd(x, full_matrices=False)
    v = vh.conj().T
    h = (v * s.astype(v.dtype)[None]) @ vh
    steps = _core.convert(0, np.int32, True)
    return _core.strong(u @ vh), h, steps, _array(np.bool_(True))


def __getattr__(name):
    found = primitives.primitive_variable(name)
    if found is None:
        raise absent.error(__name__, name)
    return found
