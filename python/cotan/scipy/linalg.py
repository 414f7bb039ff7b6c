"""Linear algebra with SciPy's names and conventions, as in
`jax.scipy.linalg`. The overwrite_* and check_finite arguments are accepted and
have no effect: arrays are immutable and nothing is checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from cotan import _dispatch
from cotan import numpy as cnp
from cotan._src.avals import keeps_weak
from cotan.lax import linalg as lax_linalg
from cotan.numpy import decompositions, linalg
from cotan.scipy._functions_of_matrices import (
    expm,
    expm_frechet,
    funm,
    rsf2csf,
    solve_sylvester,
    sqrtm,
)
from cotan.scipy._special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    dft,
    fiedler,
    fiedler_companion,
    hadamard,
    hankel,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    leslie,
    pascal,
    toeplitz,
)

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "circulant",
    "companion",
    "convolution_matrix",
    "det",
    "dft",
    "eigh",
    "eigh_tridiagonal",
    "expm",
    "expm_frechet",
    "fiedler",
    "fiedler_companion",
    "funm",
    "hadamard",
    "hankel",
    "helmert",
    "hessenberg",
    "hilbert",
    "inv",
    "invhilbert",
    "invpascal",
    "leslie",
    "lu",
    "lu_factor",
    "lu_solve",
    "pascal",
    "polar",
    "qr",
    "qr_multiply",
    "rsf2csf",
    "schur",
    "solve",
    "solve_sylvester",
    "solve_triangular",
    "sqrtm",
    "svd",
    "toeplitz",
]

_inexact = decompositions._inexact


def _adjoint(x):
    return cnp.conj(x.mT)


# ---- factors


def cholesky(
    a,
    lower: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
):
    """The Cholesky factor of Hermitian matrices, from one triangle: U with
    a = U^H U, or L with a = L L^H if `lower`."""
    a = _inexact("cholesky", a)
    factor = lax_linalg.cholesky(
        a if lower else _adjoint(a), symmetrize_input=False
    )
    return factor if lower else _adjoint(factor)


def cho_factor(
    a,
    lower: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
):
    """(Cholesky factor, lower), for `cho_solve`."""
    return cholesky(a, lower=lower), lower


def _solved(a, b, *passes):
    """Triangular systems of a with b a vector or matrices, one after another;
    passes: keyword arguments of triangular_solve."""
    if b.ndim == 0:
        raise ValueError("the right-hand side must have at least one axis")
    vector = b.ndim == 1
    if vector:
        b = b[:, None]
    a, b = lax_linalg._broadcast_batch((a, 2), (b, 2))
    for options in passes:
        b = lax_linalg.triangular_solve(a, b, left_side=True, **options)
    return b[..., 0] if vector else b


def cho_solve(
    c_and_lower,
    b,
    overwrite_b: bool = False,
    check_finite: bool = True,
):
    """Solves a x = b by the factors of `cho_factor`."""
    c, lower = c_and_lower
    c, b = _inexact("cho_solve", c, b)

    def one(adjoint):
        return {
            "lower": lower,
            "transpose_a": adjoint,
            "conjugate_a": adjoint,
        }

    return _solved(c, b, one(not lower), one(lower))


def lu_factor(a, overwrite_a: bool = False, check_finite: bool = True):
    """(LU factors, int32 pivots), for `lu_solve`."""
    factors, pivots, _ = lax_linalg.lu(_inexact("lu_factor", a))
    return factors, pivots


def lu_solve(
    lu_and_piv,
    b,
    trans: int = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
):
    """Solves a x = b, a^T x = b (trans=1) or a^H x = b (trans=2) by the
    factors of `lu_factor`."""
    factors, pivots = lu_and_piv
    factors, b = _inexact("lu_solve", factors, b)
    permutation = lax_linalg.lu_pivots_to_permutation(pivots, factors.shape[-2])
    vector = b.ndim == 1
    x = lax_linalg.lu_solve(
        factors, permutation, b[:, None] if vector else b, trans
    )
    return x[..., 0] if vector else x


def lu(
    a,
    permute_l: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
):
    """(P, L, U) with a = P L U, or (P L, U)."""
    a = _inexact("lu", a)
    factors, _, permutation = lax_linalg.lu(a)
    m, n = a.shape[-2:]
    k = min(m, n)
    rows = cnp.arange(m, dtype=permutation.dtype)
    p = (permutation[..., None, :] == rows[:, None]).astype(
        np.zeros((), a.dtype).real.dtype
    )
    lower = cnp.tril(factors, -1)[..., :k] + cnp.eye(m, k, dtype=a.dtype)
    upper = cnp.triu(factors)[..., :k, :]
    if permute_l:
        return p.astype(a.dtype) @ lower, upper
    return p, lower, upper


def qr(
    a,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
):
    """QR decomposition: mode "full", "economic" or "r"; with pivoting also
    the permutation of the columns."""
    if mode not in ("full", "r", "economic"):
        raise ValueError(f"Unsupported QR decomposition mode '{mode}'")
    out = lax_linalg.qr(
        _inexact("qr", a), pivoting=pivoting, full_matrices=mode != "economic"
    )
    return tuple(out[1:] if mode == "r" else out)


@keeps_weak(2)
def qr_multiply(
    a,
    c,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
):
    """c Q (mode "right") or Q c ("left") and R, for Q R = a, without Q."""
    a, c = _inexact("qr_multiply", a, c)
    if mode not in ("right", "left"):
        raise ValueError(f"mode must be 'right' or 'left', got {mode!r}")
    one_dim = c.ndim == 1
    if one_dim:
        c = c[:, None] if mode == "left" else c[None, :]
    m, n = a.shape[-2:]
    k = min(m, n)
    if mode == "left" and c.shape[-2] != k:
        raise ValueError(
            "Array shapes are not compatible for Q @ c operation: a has shape "
            f"{a.shape} so Q has {k} columns, but c has {c.shape[-2]} rows "
            f"(expected {k})."
        )
    if mode == "right" and c.shape[-1] != m:
        raise ValueError(
            "Array shapes are not compatible for c @ Q operation: a has shape "
            f"{a.shape} so Q has {m} rows, but c has {c.shape[-1]} columns "
            f"(expected {m})."
        )
    a, c = lax_linalg._broadcast_batch((a, 2), (c, 2))
    if pivoting:
        start = cnp.zeros((*a.shape[:-2], n), np.int32)
        r, p, taus = lax_linalg.geqp3(a, start)
        p = p - 1
    else:
        r, taus = lax_linalg.geqrf(a)
    if m > n and mode == "left":
        pad = [(0, 0)] * (c.ndim - 2) + [(0, m - k), (0, 0)]
        c = cnp.pad(c, pad)
    if conjugate:
        c = c.mT
    out = lax_linalg.ormqr(
        r, taus, c, left=(mode == "left") != conjugate, transpose=conjugate
    )
    if conjugate:
        out = out.mT
    if mode == "right":
        out = out[..., :k]
    if one_dim:
        out = out.ravel()
    r = cnp.triu(r[..., :k, :])
    return (out, r, p) if pivoting else (out, r)


def svd(
    a,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
):
    """(u, s, vh), or s alone."""
    return lax_linalg.svd(
        _inexact("svd", a), full_matrices=full_matrices, compute_uv=compute_uv
    )


def eigh(
    a,
    b=None,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    turbo: bool = True,
    eigvals: None = None,
    type: int = 1,
    check_finite: bool = True,
):
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices."""
    if b is not None:
        raise NotImplementedError("Only the b=None case of eigh is implemented")
    if type != 1:
        raise NotImplementedError(
            "Only the type=1 case of eigh is implemented."
        )
    if eigvals is not None:
        raise NotImplementedError(
            "Only the eigvals=None case of eigh is implemented."
        )
    v, w = lax_linalg.eigh(_inexact("eigh", a), lower=lower)
    return w if eigvals_only else (w, v)


def eigh_tridiagonal(
    d,
    e,
    *,
    eigvals_only: bool = False,
    select: str = "a",
    select_range: tuple[float, float] | None = None,
    tol: float | None = None,
    key=None,
):
    """Eigenvalues and eigenvectors of a Hermitian tridiagonal matrix.

    Args:
      d: diagonal [n]; e: first superdiagonal [n - 1].
      select: "a" for all, "i" for those of the indices in select_range.
      tol, key: accepted; the matrix is decomposed as a full one.
    """
    d, e = _dispatch.to_array(d), _dispatch.to_array(e)
    if d.dtype != e.dtype:
        raise TypeError(
            "diagonal and off-diagonal values must have same dtype, got "
            f"{d.dtype} and {e.dtype}"
        )
    if d.dtype not in (np.float32, np.float64, np.complex64, np.complex128):
        raise TypeError(
            "Only float32 and float64 inputs are supported as inputs to "
            f"jax.scipy.linalg.eigh_tridiagonal, got {d.dtype} and {e.dtype}"
        )
    n = d.shape[0]
    if select == "v":
        raise NotImplementedError(
            "eigh_tridiagonal(..., select='v') is not implemented"
        )
    if select not in ("a", "i"):
        raise ValueError("'select must have a value in {'a', 'i', 'v'}.")
    first, last = 0, n - 1
    if select == "i":
        if select_range is None:
            raise ValueError("for select='i', select_range must be specified.")
        first, last = (int(i) for i in select_range)
        if first > last:
            raise ValueError("Got empty index range in select_range.")
    diagonal = cnp.real(d).astype(d.dtype)
    a = cnp.diag(diagonal)
    if n > 1:
        a = a + cnp.diag(cnp.conj(e), -1) + cnp.diag(e, 1)
    v, w = lax_linalg.eigh(a, symmetrize_input=False)
    w, v = w[first : last + 1], v[:, first : last + 1]
    return w if eigvals_only else (w, v)


def schur(a, output: str = "real"):
    """Schur decomposition (T, Z), a = Z T Z^H; complex if output says so."""
    if output not in ("real", "complex"):
        raise ValueError(
            "Expected 'output' to be either 'real' or 'complex', got "
            f"{output=}."
        )
    a = _inexact("schur", a)
    if output == "complex":
        a = a.astype(np.result_type(a.dtype, np.complex64))
    return lax_linalg.schur(a)


def hessenberg(
    a,
    *,
    calc_q: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
):
    """The upper Hessenberg form H of a, and Q with a = Q H Q^H if calc_q."""
    a = _inexact("hessenberg", a)
    n = a.shape[-1]
    if n == 0:
        return (
            (cnp.zeros_like(a), cnp.zeros_like(a))
            if calc_q
            else (cnp.zeros_like(a))
        )
    packed, taus = lax_linalg.hessenberg(a)
    h = cnp.triu(packed, -1)
    if not calc_q:
        return h
    q = lax_linalg.householder_product(packed[..., 1:, :-1], taus)
    pad = [(0, 0)] * (a.ndim - 2) + [(1, 0), (1, 0)]
    corner = cnp.zeros((n, n), a.dtype).at[0, 0].set(1)
    return h, cnp.pad(q, pad) + corner


def polar(
    a,
    side: str = "right",
    *,
    method: str = "qdwh",
    eps: float | None = None,
    max_iterations: int | None = None,
):
    """Polar decomposition: a = u p (side "right") or a = p u ("left"), u
    unitary and p positive semidefinite. It comes from the SVD."""
    a = _inexact("polar", a)
    if a.ndim < 2:
        raise ValueError("The input `a` must be at least a 2-D array.")
    if side not in ("right", "left"):
        raise ValueError(
            "The argument `side` must be either 'right' or 'left'."
        )
    if method not in ("qdwh", "svd"):
        raise ValueError(f"Unknown polar decomposition method {method}.")
    m, n = a.shape[-2:]
    if method == "qdwh" and (m >= n) != (side == "right"):
        raise NotImplementedError(
            "method='qdwh' only supports mxn matrices where m < n where "
            f"side='right' and m >= n side='left', got {a.shape} with {side=}"
        )
    u, s, vh = lax_linalg.svd(a, full_matrices=False)
    s = s.astype(u.dtype)[..., None, :]
    basis = _adjoint(vh) if side == "right" else u
    return u @ vh, (basis * s) @ _adjoint(basis)


# ---- linear systems


def det(a, overwrite_a: bool = False, check_finite: bool = True):
    """Determinants of square matrices."""
    return linalg.det(a)


def inv(a, overwrite_a: bool = False, check_finite: bool = True):
    """Inverses of square matrices."""
    return linalg.inv(a)


@keeps_weak(2)
def solve(
    a,
    b,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    debug: bool = False,
    check_finite: bool = True,
    assume_a: str = "gen",
):
    """x with a x = b; assume_a="pos" for positive definite a (the triangle
    that `lower` names)."""
    known = ["gen", "sym", "her", "pos"]
    if assume_a not in known:
        raise ValueError(
            f"Expected assume_a to be one of {known}; got {assume_a!r}"
        )
    if assume_a != "pos":
        return linalg.solve(a, b)
    a, b = _inexact("solve", a, b)
    vector = b.ndim in (1, a.ndim - 1)
    if vector:
        b = b[..., None]
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or b.shape[-2] != a.shape[-1]:
        raise ValueError(
            "The arguments to solve must have shapes a=[..., m, m] and "
            f"b=[..., m, k] or b=[..., m]; got a={a.shape} and b={b.shape}"
        )
    x = cho_solve(cho_factor(a, lower=lower), b)
    return x[..., 0] if vector else x


@keeps_weak(2)
def solve_triangular(
    a,
    b,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    debug: Any = None,
    check_finite: bool = True,
):
    """x with a x = b, a^T x = b (trans 1 or "T") or a^H x = b (2 or "C"), for
    triangular a."""
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"Invalid 'trans' value {trans}")
    a, b = _inexact("solve_triangular", a, b)
    return _solved(
        a,
        b,
        {
            "lower": lower,
            "transpose_a": trans not in (0, "N"),
            "conjugate_a": trans in (2, "C"),
            "unit_diagonal": unit_diagonal,
        },
    )
