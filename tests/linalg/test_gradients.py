"""Gradients of every differentiable function of linear algebra, twice, forward
and reverse, of real and complex matrices, against finite differences."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from cotan.test_util import check_grads

linalg = cnp.linalg
scipy = cotan.scipy.linalg
DTYPES = ("float64", "complex128")


@pytest.fixture(autouse=True)
def _x64():
    with cotan.enable_x64():
        yield


def _size(x):
    """|x|^2: what does not depend on the phase of an eigenvector."""
    return cnp.real(x * cnp.conj(x))


def _hermitian(a):
    """Near a the functions of hermitian matrices see a hermitian matrix."""
    return (a + cnp.swapaxes(cnp.conj(a), -1, -2)) / 2


def _positive(a):
    n = a.shape[-1]
    return a @ cnp.swapaxes(cnp.conj(a), -1, -2) + n * cnp.eye(n)


def _by_vectors(values, vectors):
    """Values with the sizes of vectors, and the projector on the first."""
    first = vectors[..., :, 0]
    return (
        values,
        _size(vectors),
        first[..., :, None] * cnp.conj(first)[..., None, :],
    )


def _singular(a):
    u, s, vh = linalg.svd(a, full_matrices=False)
    return s, _size(u), _size(vh), (u * s[..., None, :]) @ vh


def _triangle(a):
    return cnp.tril(a) + 3 * cnp.eye(a.shape[-1])


# name -> (function, shapes of its arguments).
NUMPY = {
    "cholesky": (lambda a: linalg.cholesky(_positive(a)), [(2, 3, 3)]),
    "cholesky_upper": (
        lambda a: linalg.cholesky(_positive(a), upper=True),
        [(3, 3)],
    ),
    "cond": (linalg.cond, [(3, 3)]),
    "cond_1": (lambda a: linalg.cond(a + 4 * cnp.eye(3), 1), [(3, 3)]),
    "cross": (linalg.cross, [(2, 3), (3,)]),
    "det": (linalg.det, [(2, 3, 3)]),
    "det_2": (linalg.det, [(2, 2)]),
    "det_4": (linalg.det, [(4, 4)]),
    "diagonal": (linalg.diagonal, [(2, 3, 4)]),
    "eigh": (
        lambda a: _by_vectors(*linalg.eigh(_hermitian(a))),
        [(2, 4, 4)],
    ),
    "eigh_upper": (
        lambda a: _by_vectors(*linalg.eigh(_hermitian(a), UPLO="U")),
        [(3, 3)],
    ),
    "eigvals": (linalg.eigvals, [(3, 3)]),
    "eigvalsh": (lambda a: linalg.eigvalsh(_hermitian(a)), [(4, 4)]),
    "inv": (linalg.inv, [(2, 3, 3)]),
    "lstsq": (lambda a, b: linalg.lstsq(a, b)[0], [(5, 3), (5, 2)]),
    "matmul": (linalg.matmul, [(2, 3, 4), (4, 2)]),
    "matrix_norm": (linalg.matrix_norm, [(2, 3, 4)]),
    "matrix_norm_nuc": (
        lambda a: linalg.matrix_norm(a, ord="nuc"),
        [(3, 4)],
    ),
    "matrix_power": (lambda a: linalg.matrix_power(a, 5), [(3, 3)]),
    "matrix_power_negative": (
        lambda a: linalg.matrix_power(a, -2),
        [(3, 3)],
    ),
    "matrix_transpose": (linalg.matrix_transpose, [(2, 3)]),
    "multi_dot": (
        lambda a, b, c: linalg.multi_dot([a, b, c]),
        [(2, 5), (5, 3), (3, 2)],
    ),
    "norm": (linalg.norm, [(3, 4)]),
    "norm_2": (lambda a: linalg.norm(a, 2), [(3, 4)]),
    "norm_minus_2": (lambda a: linalg.norm(a, -2), [(3, 4)]),
    "norm_1": (lambda a: linalg.norm(a, 1), [(3, 4)]),
    "norm_inf_axis": (lambda a: linalg.norm(a, np.inf, axis=0), [(3, 4)]),
    "norm_3": (lambda a: linalg.norm(a, 3, axis=1), [(3, 4)]),
    "outer": (linalg.outer, [(3,), (2,)]),
    "pinv": (linalg.pinv, [(2, 4, 3)]),
    "pinv_wide": (linalg.pinv, [(2, 4)]),
    "pinv_hermitian": (
        lambda a: linalg.pinv(_positive(a), hermitian=True),
        [(3, 3)],
    ),
    "qr": (linalg.qr, [(2, 4, 3)]),
    "qr_wide": (lambda a: linalg.qr(a)[1][:, :3], [(3, 3)]),
    "slogdet": (linalg.slogdet, [(2, 3, 3)]),
    "solve": (linalg.solve, [(2, 3, 3), (3, 2)]),
    "svd": (_singular, [(2, 3, 4)]),
    "svdvals": (linalg.svdvals, [(4, 3)]),
    "tensordot": (linalg.tensordot, [(2, 3, 4), (3, 4, 2)]),
    "tensorinv": (lambda a: linalg.tensorinv(a, 1), [(4, 2, 2)]),
    "tensorsolve": (linalg.tensorsolve, [(2, 2, 4), (2, 2)]),
    "trace": (linalg.trace, [(2, 3, 3)]),
    "vecdot": (linalg.vecdot, [(2, 3), (3,)]),
    "vector_norm": (linalg.vector_norm, [(2, 3)]),
}
SCIPY = {
    "block_diag": (scipy.block_diag, [(2, 3), (1, 2)]),
    "cho_solve": (
        lambda a, b: scipy.cho_solve(scipy.cho_factor(_positive(a)), b),
        [(3, 3), (3, 2)],
    ),
    "cholesky": (lambda a: scipy.cholesky(_positive(a)), [(3, 3)]),
    "circulant": (scipy.circulant, [(4,)]),
    "companion": (scipy.companion, [(4,)]),
    "convolution_matrix": (
        lambda a: scipy.convolution_matrix(a, 4),
        [(3,)],
    ),
    "det": (scipy.det, [(3, 3)]),
    "eigh": (lambda a: _by_vectors(*scipy.eigh(_hermitian(a))), [(3, 3)]),
    "expm": (scipy.expm, [(2, 3, 3)]),
    "expm_frechet": (
        lambda a, e: scipy.expm_frechet(a, e, compute_expm=False),
        [(3, 3), (3, 3)],
    ),
    "fiedler_companion": (scipy.fiedler_companion, [(5,)]),
    "hankel": (scipy.hankel, [(3,), (4,)]),
    "inv": (scipy.inv, [(3, 3)]),
    "leslie": (scipy.leslie, [(4,), (3,)]),
    "lu": (lambda a: scipy.lu(a)[1:], [(2, 4, 3)]),
    "lu_wide": (lambda a: scipy.lu(a)[1:], [(3, 4)]),
    "lu_solve": (
        lambda a, b: scipy.lu_solve(scipy.lu_factor(a), b),
        [(3, 3), (3, 2)],
    ),
    "polar": (scipy.polar, [(4, 3)]),
    "qr": (lambda a: scipy.qr(a, mode="economic"), [(4, 3)]),
    "solve": (scipy.solve, [(3, 3), (3,)]),
    "solve_positive": (
        lambda a, b: scipy.solve(_positive(a), b, assume_a="pos"),
        [(3, 3), (3,)],
    ),
    "solve_triangular": (
        lambda a, b: scipy.solve_triangular(_triangle(a), b, lower=True),
        [(3, 3), (3, 2)],
    ),
    "svdvals": (lambda a: scipy.svd(a, compute_uv=False), [(4, 3)]),
    "toeplitz": (scipy.toeplitz, [(3,), (4,)]),
}
LAX = {
    "tridiagonal_solve_perturbed": (
        lambda low, d, up, b: lax.linalg.tridiagonal_solve(
            low, d + 4, up, b, perturb_singular=True
        ),
        [(4,), (4,), (4,), (4, 2)],
    ),
    "cholesky": (
        lambda a: lax.linalg.cholesky(_positive(a)),
        [(2, 3, 3)],
    ),
    "cholesky_update": (
        lambda a, w: lax.linalg.cholesky_update(
            linalg.cholesky(_positive(a)).mT, w
        ),
        [(3, 3), (3,)],
    ),
    "eigh": (
        lambda a: _by_vectors(*lax.linalg.eigh(_hermitian(a))[::-1]),
        [(3, 3)],
    ),
    "lu": (lambda a: lax.linalg.lu(a)[0], [(2, 3, 3)]),
    "qr": (lambda a: lax.linalg.qr(a, full_matrices=False), [(4, 3)]),
    "svd": (
        lambda a: lax.linalg.svd(a, compute_uv=False),
        [(3, 4)],
    ),
    "triangular_solve": (
        lambda a, b: lax.linalg.triangular_solve(
            _triangle(a), b, left_side=True, lower=True, conjugate_a=True
        ),
        [(3, 3), (3, 2)],
    ),
    "triangular_solve_right": (
        lambda a, b: lax.linalg.triangular_solve(
            _triangle(a), b, lower=True, transpose_a=True
        ),
        [(2, 3, 3), (2, 4, 3)],
    ),
    "tridiagonal_solve": (
        lambda low, d, up, b: lax.linalg.tridiagonal_solve(low, d + 4, up, b),
        [(4,), (4,), (4,), (4, 2)],
    ),
}
# The derivative takes eigenvectors, which have none unless asked for.
ONCE = ("numpy.eigvals",)
CASES = {
    f"{where}.{name}": case
    for where, cases in (("numpy", NUMPY), ("scipy", SCIPY), ("lax", LAX))
    for name, case in cases.items()
}


def _arguments(name, shapes, dtype):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    args = [rng.standard_normal(s) for s in shapes]
    if dtype == "complex128":
        args = [a + 1j * rng.standard_normal(a.shape) for a in args]
    return tuple(args)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_twice_in_both_modes(name, dtype):
    f, shapes = CASES[name]
    order = 1 if name in ONCE else 2
    check_grads(f, _arguments(name, shapes, dtype), order, rtol=1e-5)
