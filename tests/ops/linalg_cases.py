"""Decompositions and linear systems. What a decomposition leaves open (signs,
phases) is taken out by comparing what it does not."""

from __future__ import annotations

import numpy as np

from tests.ops.case import Arg, Bad, Case, resized
from tests.ops.functions import lax, numpy

_DTYPES = ("float32", "float64", "complex64", "complex128")
_la = lax.linalg


def _real(dtype):
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def _complex(dtype):
    return {"float32": "complex64", "float64": "complex128"}.get(dtype, dtype)


def _h(x):
    return x.conj().swapaxes(-1, -2)


def _case(name, primitive, call, reference, *shapes, **options):
    args = tuple(s if isinstance(s, Arg) else Arg(s, -1.0, 1.0) for s in shapes)
    options = {
        "dtypes": _DTYPES,
        "scale": 300.0,
        "atol": 1000.0,
        **options,
    }
    return Case(name, call, args, reference, primitive, **options)


# ---- references


def _definite(x):
    """Hermitian positive definite, from anything."""
    return x @ _h(x) + 0.5 * np.eye(x.shape[-1], dtype=x.dtype)


def _definite_here(x):
    eye = numpy.eye(x.shape[-1], dtype=x.dtype)
    return x @ numpy.conj(x.mT) + 0.5 * eye


def _permutation(x):
    """NumPy has no lu: rows in the order of elimination."""
    x = np.array(x)
    m, n = x.shape
    perm, pivots = np.arange(m), np.zeros(min(m, n), np.int32)
    for k in range(min(m, n)):
        size = np.abs(x[k:, k].real) + np.abs(x[k:, k].imag)
        p = k + int(np.argmax(size))
        pivots[k] = p
        x[[k, p]], perm[[k, p]] = x[[p, k]], perm[[p, k]]
        x[k + 1 :, k] /= x[k, k]
        x[k + 1 :, k + 1 :] -= np.outer(x[k + 1 :, k], x[k, k + 1 :])
    return x, pivots, perm.astype(np.int32)


def _triangle(a, lower, unit):
    a = np.tril(a) if lower else np.triu(a)
    if unit:
        np.fill_diagonal(a, 1)
    return a


def _triangular(left, lower, transpose, conjugate, unit):
    def reference(a, b):
        a = _triangle(_far_from_singular(np, a), lower, unit)
        a = a.T if transpose else a
        a = a.conj() if conjugate else a
        return np.linalg.solve(a, b) if left else np.linalg.solve(a.T, b.T).T

    def call(a, b):
        return _la.triangular_solve(
            _far_from_singular(numpy, a),
            b,
            left_side=left,
            lower=lower,
            transpose_a=transpose,
            conjugate_a=conjugate,
            unit_diagonal=unit,
        )

    return call, reference


def _far_from_singular(np_, a):
    return a + 2 * np_.eye(a.shape[-1], dtype=a.dtype)


def _tridiagonal(dl, d, du, b):
    a = np.diag(d + 4) + np.diag(dl[1:], -1) + np.diag(du[:-1], 1)
    return np.linalg.solve(a, b)


def _reflectors(a, taus):
    """Columns of the product of I - tau v v^H."""
    m, n = a.shape
    q = np.eye(m, dtype=a.dtype)
    for i, tau in enumerate(taus):
        v = np.concatenate([np.zeros(i), [1], a[i + 1 :, i]])
        q = q @ (np.eye(m) - tau * np.outer(v, v.conj()))
    return q[:, :n]


# ---- cases

_SOLVE = [
    _case(
        "cholesky",
        "cholesky",
        lambda x: _la.cholesky(_definite_here(x)),
        lambda x: np.linalg.cholesky(_definite(x)),
        (4, 4),
        sweep=False,
    ),
    _case(
        "cholesky-lower",
        "cholesky",
        lambda x: _la.cholesky(x, symmetrize_input=False),
        np.linalg.cholesky,
        Arg((2, 2), values=((2.0, 9.0), (0.5, 1.0))),
        diff=(),
    ),
    _case(
        "lu",
        "lu",
        lambda x: list(_la.lu(x)),
        _permutation,
        (4, 4),
        result=lambda t: (t, "int32", "int32"),
    ),
    _case(
        "lu_pivots_to_permutation",
        "lu_pivots_to_permutation",
        lambda p: _la.lu_pivots_to_permutation(p, 5),
        lambda p: np.array([3, 4, 0, 2, 1], np.int32),
        Arg((3,), values=(3, 4, 3), dtype="int32"),
        dtypes=("int32",),
        sweep=False,
        exact=True,
        vmap=False,
    ),
    _case(
        "linear_solve",
        "linear_solve",
        numpy.linalg.solve,
        np.linalg.solve,
        (3, 3),
        (3, 2),
        sweep=False,
    ),
    _case(
        "tridiagonal_solve",
        "tridiagonal_solve",
        lambda dl, d, du, b: _la.tridiagonal_solve(dl, d + 4, du, b),
        _tridiagonal,
        (4,),
        (4,),
        (4,),
        (4, 2),
        sweep=False,
    ),
]
_SOLVE += [
    resized(_SOLVE[2], "wide", (3, 5)),
    resized(_SOLVE[2], "tall", (5, 3)),
]
for _flags in (
    (True, True, False, False, False),
    (True, False, True, True, False),
    (False, True, True, False, True),
    (False, False, False, True, False),
):
    _name = "".join(
        letter if flag else "-"
        for letter, flag in zip("LlTCu", _flags, strict=True)
    )
    _SOLVE.append(
        _case(
            f"triangular_solve-{_name}",
            "triangular_solve",
            *_triangular(*_flags),
            (3, 3),
            (3, 2) if _flags[0] else (2, 3),
            sweep=False,
        )
    )


def _qr_signs(q, r):
    """Signs as if R had a positive diagonal."""
    d = np.diagonal(r)
    phase = d / np.abs(d)
    k = len(phase)
    r = r.copy()
    r[:k] *= phase.conj()[:, None]
    q = q.copy()
    q[:, :k] *= phase
    return q, r


def _qr_here(x, full=False):
    q, r = _la.qr(x, full_matrices=full)
    d = numpy.diagonal(r)
    phase = d / numpy.abs(d)
    k = phase.shape[0]
    return [q[:, :k] * phase, numpy.conj(phase)[:, None] * r[:k]]


def _svd_here(x):
    """The invariants of u diag(s) vh."""
    u, s, vh = _la.svd(x, full_matrices=False)
    return [s, (u * numpy.cos(s)) @ vh, (u * s) @ numpy.conj(u.mT)]


def _svd(x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return [s, (u * np.cos(s)) @ vh, (u * s) @ _h(u)]


def _eigh_here(x):
    v, w = _la.eigh(x)
    return [w, (v * numpy.sin(w)) @ numpy.conj(v.mT)]


def _eigh(x):
    w, v = np.linalg.eigh((x + _h(x)) / 2)
    return [w, (v * np.sin(w)) @ _h(v)]


def _eig_here(x):
    w, v = _la.eig(
        x, compute_left_eigenvectors=False, enable_eigvec_derivs=True
    )
    # sum of functions of the eigenvalues: no order is promised
    return [(v * numpy.exp(w)) @ numpy.linalg.inv(v)]


def _eig(x):
    w, v = np.linalg.eig(x)
    return [(v * np.exp(w)) @ np.linalg.inv(v)]


_FACTOR = [
    _case(
        "qr",
        "qr",
        _qr_here,
        lambda x: _qr_signs(*np.linalg.qr(x)),
        (4, 3),
        sweep=False,
    ),
    _case(
        "qr-full",
        "qr",
        lambda x: _qr_here(x, True),
        lambda x: _qr_signs(*np.linalg.qr(x)),
        (4, 3),
        sweep=False,
        vmap=False,
    ),
    _case(
        "qr-plain",
        "qr",
        lambda x: numpy.abs(_la.qr(x)[1]),
        lambda x: np.abs(np.linalg.qr(x)[1]),
        (3, 4),
        result=_real,
        diff=(),
    ),
    _case(
        "qr-pivoting",
        "qr",
        lambda x: _la.qr(x, pivoting=True)[2],
        lambda x: np.array([2, 0, 1], np.int32),
        Arg((3, 3), values=((1, 0.1, 9), (2, 0.3, 8), (0.5, -0.2, 1))),
        result=lambda t: "int32",
        diff=(),
        vmap=False,
    ),
    _case(
        "geqrf",
        "geqrf",
        lambda x: numpy.abs(numpy.triu(_la.geqrf(x)[0])),
        lambda x: np.abs(np.linalg.qr(x, mode="r")),
        (3, 3),
        result=_real,
        diff=(),
    ),
    _case(
        "geqp3",
        "geqp3",
        lambda x: _la.geqp3(x, numpy.zeros(3, "int32"))[1],
        lambda x: np.array([3, 1, 2], np.int32),
        Arg((3, 3), values=((1, 0.1, 9), (2, 0.3, 8), (0.5, -0.2, 1))),
        result=lambda t: "int32",
        diff=(),
        vmap=False,
    ),
    _case(
        "householder_product",
        "householder_product",
        _la.householder_product,
        _reflectors,
        (4, 3),
        (2,),
        diff=(),
    ),
    _case(
        "ormqr",
        "ormqr",
        lambda a, t, c: _la.ormqr(a, t, c, left=False),
        lambda a, t, c: c @ _reflectors(np.pad(a, ((0, 0), (0, 1))), t),
        (4, 3),
        (3,),
        (2, 4),
        diff=(),
    ),
    _case(
        "svd",
        "svd",
        _svd_here,
        _svd,
        (4, 3),
        result=lambda t: (_real(t), t, t),
        sweep=False,
    ),
    _case(
        "svd-values",
        "svd",
        lambda x: _la.svd(x, compute_uv=False),
        lambda x: np.linalg.svd(x, compute_uv=False),
        (3, 4),
        result=_real,
        diff=(),
    ),
    _case(
        "eigh",
        "eigh",
        _eigh_here,
        _eigh,
        (4, 4),
        result=lambda t: (_real(t), t),
        sweep=False,
    ),
    _case(
        "eigh-upper",
        "eigh",
        lambda x: _la.eigh(x, lower=False, symmetrize_input=False)[1],
        lambda x: np.linalg.eigvalsh(x, "U"),
        (3, 3),
        result=_real,
        diff=(),
    ),
    _case(
        "eig",
        "eig",
        _eig_here,
        _eig,
        (3, 3),
        result=_complex,
        sweep=False,
    ),
    _case(
        "eig-values",
        "eig",
        lambda x: _la.eig(
            x, compute_left_eigenvectors=False, compute_right_eigenvectors=False
        )[0].sum(),
        lambda x: np.trace(x).astype("c16"),
        (3, 3),
        result=_complex,
        diff=(),
    ),
    _case(
        "schur",
        "schur",
        lambda x: numpy.diagonal(_la.schur(x)[0]).sum(),
        np.trace,
        (3, 3),
        diff=(),
    ),
    _case(
        "hessenberg",
        "hessenberg",
        lambda x: numpy.diagonal(_la.hessenberg(x)[0]).sum(),
        np.trace,
        (3, 3),
        diff=(),
    ),
    _case(
        "tridiagonal",
        "tridiagonal",
        lambda x: (
            (_la.tridiagonal(x)[1] ** 2).sum()
            + 2 * (_la.tridiagonal(x)[2] ** 2).sum()
        ),
        lambda x: (np.linalg.eigvalsh(x, "L") ** 2).sum(),
        (3, 3),
        result=_real,
        diff=(),
    ),
]
_FACTOR += [
    resized(_FACTOR[0], "wide", (3, 4)),
    resized(_FACTOR[0], "square", (3, 3)),
    resized(_FACTOR[8], "wide", (2, 4)),
]

CASES = _SOLVE + _FACTOR

BAD = [
    Bad(
        "cholesky-shape",
        lambda: _la.cholesky(numpy.ones((2, 3))),
        ValueError,
        "cholesky must be a square matrix",
    ),
    Bad(
        "lu-rank",
        lambda: _la.lu(numpy.ones(3)),
        TypeError,
        "lu must have rank at least 2",
    ),
    Bad(
        "triangular_solve-shapes",
        lambda: _la.triangular_solve(numpy.ones((2, 2)), numpy.ones((2, 3))),
        ValueError,
        "Incompatible shapes for arguments to triangular_solve",
    ),
    Bad(
        "householder_product-wide",
        lambda: _la.householder_product(numpy.ones((2, 3)), numpy.ones(2)),
        ValueError,
        "at least as many rows as columns",
    ),
    Bad(
        "pivots-size",
        lambda: _la.lu_pivots_to_permutation(numpy.zeros(3, "int32"), 2),
        ValueError,
        "Output permutation size",
    ),
    Bad(
        "eigh-shape",
        lambda: _la.eigh(numpy.ones((2, 3))),
        ValueError,
        r"must have shape \[\.\.\., n, n\]",
    ),
    Bad(
        "tridiagonal_solve-shapes",
        lambda: _la.tridiagonal_solve(
            numpy.ones(3), numpy.ones(3), numpy.ones(2), numpy.ones((3, 1))
        ),
        TypeError,
        "same",
    ),
]
