"""`cotan.lax.linalg`: decompositions. Not available yet; calling one says
so."""

from __future__ import annotations

from cotan.lax._missing import _missing

_NAMES = (
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
)
__all__ = [*_NAMES]
globals().update({n: _missing(n, "linear algebra is") for n in _NAMES})
