"""Decompositions as products and loops, on a plugin, beside LAPACK's: the same
pivots, signs and orders; what is left open is checked by what it must do."""

import numpy as np
import pytest

import cotan
from cotan import lax

la = lax.linalg
EPS = {"f4": 2.0**-23, "c8": 2.0**-23, "f8": 2.0**-52, "c16": 2.0**-52}
# 70 columns are two panels.
SHAPES = [(1, 1), (3, 5), (2, 3, 6, 4), (90, 70)]


def matrix(dtype, *shape, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if dtype.startswith("c"):
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


@pytest.fixture
def on_plugin(cpu_plugin):
    def run(f, *xs, device=cpu_plugin):
        with cotan.enable_x64():
            out = cotan.jit(f)(*[cotan.device_put(x, device) for x in xs])
            return [np.asarray(v) for v in cotan.tree.leaves(out)]

    return run


@pytest.fixture
def same(on_plugin):
    """The plugin's results are LAPACK's."""

    def same(f, *xs, factor=200.0):
        want = on_plugin(f, *xs, device=cotan.devices("cpu")[0])
        for w, g in zip(want, on_plugin(f, *xs), strict=True):
            assert g.dtype == w.dtype
            tolerance = 0
            if w.dtype.kind != "i":
                largest = np.abs(w).max(initial=1)
                tolerance = factor * EPS[xs[0].dtype.str[1:]] * largest
            np.testing.assert_allclose(g, w, rtol=0, atol=tolerance)

    return same


def small(x, dtype, factor=100.0):
    assert np.abs(x).max(initial=0) <= factor * EPS[dtype]


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_factors(same, shape, dtype):
    x = matrix(dtype, *shape)
    same(lambda x: [*la.lu(x), *la.geqrf(x)], x)
    if x.ndim == 2:
        same(lambda x: la.qr(x, pivoting=True, full_matrices=False), x)
    same(lambda x: la.qr(x, full_matrices=True), x)


def test_factors_of_singular_matrices(same):
    x = np.array([[0, 0, 1], [0, 0, 2], [0, 3, 4]], "f4")
    same(lambda x: [*la.lu(x), *la.geqrf(x)], x)
    same(lambda x: [*la.lu(x), *la.geqrf(x)], np.zeros((3, 3), "f4"))
    # Neither too large nor too small to be squared.
    same(lambda x: la.geqrf(x), x * np.float32(1e-30))
    same(lambda x: la.geqrf(x)[0] / 1e30, x * np.float32(1e30))


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
def test_products_of_reflectors(same, dtype, left, transpose):
    c = matrix(dtype, *((5, 3) if left else (3, 5)), seed=1)

    def f(x, c):
        a, taus = la.geqrf(x)
        q = la.householder_product(a, taus)
        return q, la.ormqr(a, taus, c, left=left, transpose=transpose)

    same(f, matrix(dtype, 5, 3), c)


def test_columns_that_are_asked_for(same):
    asked = np.array([0, 0, 1, 0, 7], "i4")
    same(lambda x, p: la.geqp3(x, p), matrix("f8", 6, 5), asked)


@pytest.mark.parametrize("dtype", EPS)
def test_tridiagonal_systems(same, dtype):
    dl, d, du = (matrix(dtype, 2, 7, seed=i) for i in range(3))
    d[:, 3] = 0  # rows must be exchanged
    same(la.tridiagonal_solve, dl, d, du, matrix(dtype, 2, 7, 3), factor=2e4)


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (2, 3, 5, 5), (24, 24)])
def test_eigh(on_plugin, dtype, shape):
    x = matrix(dtype, *shape)
    n = shape[-1]
    for lower in (True, False):
        v, w = on_plugin(
            lambda x, lower=lower: la.eigh(
                x, lower=lower, symmetrize_input=False
            ),
            x,
        )
        half = np.tril(x, -1) if lower else adjoint(np.triu(x, 1))
        a = half + adjoint(half) + x.real * np.eye(n)
        small(w - np.linalg.eigvalsh(a), dtype)
        small(a @ v - v * w[..., None, :], dtype)
        small(adjoint(v) @ v - np.eye(n), dtype)


def decomposed(x, u, s, vh, dtype):
    k = s.shape[-1]
    want = np.linalg.svd(x, compute_uv=False)
    small(s - want, dtype)
    small((u[..., :k] * s[..., None, :]) @ vh[..., :k, :] - x, dtype)
    small(adjoint(u) @ u - np.eye(u.shape[-1]), dtype)
    small(vh @ adjoint(vh) - np.eye(vh.shape[-2]), dtype)


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 3, 6, 4), (3, 5), (20, 19)])
@pytest.mark.parametrize("full", [True, False])
def test_svd(on_plugin, dtype, shape, full):
    x = matrix(dtype, *shape)
    out = on_plugin(lambda x: la.svd(x, full_matrices=full), x)
    assert out[0].shape[-2:] == (
        shape[-2],
        shape[-2] if full else min(shape[-2:]),
    )
    decomposed(x, *out, dtype)


def test_spectra_of_special_matrices(on_plugin):
    def eigh(x):
        return la.eigh(x, symmetrize_input=False)

    def svd(x):
        return la.svd(x, full_matrices=False)

    rank_one = np.outer(np.arange(1.0, 6.0), np.ones(4)).astype("f4")
    for x in (rank_one, np.zeros((5, 4), "f4"), np.eye(4, dtype="f4")):
        decomposed(x, *on_plugin(svd, x), "f4")
    v, w = on_plugin(eigh, np.ones((6, 6), "f4"))
    small(w - [0, 0, 0, 0, 0, 6], "f4")
    small(v.T @ v - np.eye(6), "f4")
    for scale in (1e-30, 1e30):
        x = np.float32(scale) * matrix("f4", 4, 4)
        s = on_plugin(svd, x)[1] / np.float32(scale)
        small(s - np.linalg.svd(matrix("f4", 4, 4))[1], "f4")
    # A matrix that holds a nan does not spoil the others.
    x = np.stack([matrix("f4", 4, 4)] * 2)
    x[0, 2, 1] = np.nan
    for f in (eigh, svd):
        for got in on_plugin(f, x):
            assert np.isnan(got[0]).all() and np.isfinite(got[1]).all()


def test_systems(same):
    a, b = matrix("f8", 2, 9, 9), matrix("f8", 2, 9, 3)
    same(cotan.numpy.linalg.solve, a, b, factor=2e4)
    same(cotan.grad(lambda a: cotan.numpy.linalg.slogdet(a)[1].sum()), a)


@pytest.mark.parametrize("name", ["eig", "schur", "hessenberg", "tridiagonal"])
def test_what_only_lapack_has(cpu_plugin, name):
    x = cotan.device_put(np.eye(3, dtype="f4"), cpu_plugin)
    with pytest.raises(NotImplementedError, match=rf"\[{name}\].*CPU backend"):
        getattr(la, name)(x)
