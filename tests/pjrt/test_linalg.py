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


# ---- reductions, Schur form and what rests on it


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (2, 3, 6, 6), (40, 40)])
def test_reduced_forms(same, dtype, shape):
    x = matrix(dtype, *shape)
    # LAPACK keeps some of the imaginary parts that a Hermitian matrix has not.
    n = shape[-1]
    x[..., range(n), range(n)] = x[..., range(n), range(n)].real
    same(
        lambda x: [
            *la.hessenberg(x),
            *la.tridiagonal(x),
            *la.tridiagonal(x, lower=False),
        ],
        x,
        factor=2000.0,
    )


def spectral(x):
    w, left, right = la.eig(x)
    return [*la.schur(x), w, left, right]


def check_spectral(x, out, dtype):
    """What schur and eig must do, in units of the largest entry."""
    t, z, w, left, right = out
    n = x.shape[-1]
    scale = np.abs(x).max() or 1
    x, t, w = x / scale, t / scale, w / scale
    small(z @ t @ adjoint(z) - x, dtype)
    small(z @ adjoint(z) - np.eye(n), dtype)
    small(x @ right - right * w[..., None, :], dtype)
    small(adjoint(left) @ x - w[..., :, None] * adjoint(left), dtype)
    for v in (left, right):
        small(np.linalg.norm(v, axis=-2) - 1, dtype)
        # One of the largest components is real.
        size = np.abs(v)
        largest = size >= size.max(-2, keepdims=True) * (1 - 1e-5)
        small(np.where(largest, np.abs(v.imag), np.inf).min(-2), dtype)
    below = np.diagonal(t, -1, -2, -1)
    assert not np.tril(t, -2).any()
    if dtype.startswith("c"):
        assert not below.any()
        return
    # Real matrices: 2 x 2 blocks have equal diagonals and complex eigenvalues.
    assert not (below[..., 1:] * below[..., :-1]).any()
    d, above = np.diagonal(t, 0, -2, -1), np.diagonal(t, 1, -2, -1)
    block = below != 0
    np.testing.assert_array_equal(d[..., 1:][block], d[..., :-1][block])
    assert (above[block] * below[block] < 0).all()
    assert (w.imag != 0).sum() == 2 * block.sum()
    real = np.broadcast_to((w.imag == 0)[..., None, :], right.shape)
    assert not right.imag[real].any() and not left.imag[real].any()


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (2, 3, 6, 6), (30, 30)])
def test_schur_and_eig(on_plugin, dtype, shape):
    x = matrix(dtype, *shape)
    out = on_plugin(spectral, x)
    check_spectral(x, out, dtype)
    for got, want in zip(
        out[2].reshape(-1, shape[-1]),
        np.linalg.eigvals(x).reshape(-1, shape[-1]),
        strict=True,
    ):
        assert np.abs(got[:, None] - want).min(0).max() <= 1e3 * EPS[dtype]


@pytest.mark.parametrize("dtype", ["f8", "c8"])
def test_schur_and_eig_of_special_matrices(on_plugin, dtype):
    """In one batch: they do not disturb each other."""
    n = 6
    shift = np.eye(n, k=1)
    companion = shift.copy()
    companion[-1] = -np.poly(np.arange(1, n + 1))[:0:-1]
    random = matrix("f8", n, n)
    swap = np.eye(n)
    swap[:2, :2] = [[0, 1], [1, 0]]
    turn = np.eye(n)
    turn[2:4, 2:4] = [[0, 1], [-1, 0]]
    low = np.eye(n) + 5 * np.eye(n, k=-1) * (np.arange(n) == 2)
    some = [
        np.zeros((n, n)),
        np.eye(n),
        shift,  # defective
        shift + np.eye(n),
        np.roll(np.eye(n), 1, 0),  # plain shifts would cycle
        companion,
        np.outer(np.arange(1, n + 1), np.ones(n)),
        swap,
        turn,
        low,
        random + random.T,
        random * 1e30,
        random * 1e-30,
        random * 10.0 ** -np.arange(0, 4 * n, 4),
    ]
    nan = random.copy()
    nan[2, 1] = np.nan
    x = np.stack([*some, nan]).astype(dtype)
    out = on_plugin(spectral, x)
    for i in range(len(some)):
        check_spectral(x[i], [v[i] for v in out], dtype)
    for v in out:
        assert np.isnan(v[-1]).all()


def test_schur_without_vectors(on_plugin):
    x = matrix("f4", 3, 3)
    both = on_plugin(la.schur, x)
    alone = on_plugin(lambda x: la.schur(x, compute_schur_vectors=False), x)
    np.testing.assert_array_equal(alone[0], both[0])


def test_no_elements(on_plugin):
    x = np.zeros((2, 0, 0), "f4")
    shapes = [v.shape for v in on_plugin(lambda x: la.eig(x), x)]
    assert shapes == [(2, 0), (2, 0, 0), (2, 0, 0)]
