"""QR and symmetric eigenvalues of batches of small matrices: vector code with a
matrix in each lane, beside LAPACK's results."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax

BATCH = 79  # not a whole number of vectors
TYPES = ["float32", "float64"]
SIZES = range(1, 9)


@pytest.fixture(autouse=True)
def x64():
    with cotan.enable_x64():
        yield


def data(*shape, dtype):
    rng = np.random.default_rng(shape)
    return rng.standard_normal(shape).astype(dtype)


def transposed(x):
    return x.swapaxes(-1, -2)


def symmetric(n, dtype):
    """Random ones after some that are odd."""
    a = data(BATCH, n, n, dtype=dtype)
    a = (a + transposed(a)) / 2
    a[0] = 0
    a[1] = 1  # one eigenvalue n times
    a[2] = np.diag(np.arange(n))
    a[3] = np.diag(10.0 ** -np.arange(n))
    a[4] = 3 * np.eye(n) + 1e-6 * a[4]
    a[5] *= 1e-30
    a[6] *= 1e30
    return a


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n", SIZES)
def test_eigh(n, dtype):
    a = symmetric(n, dtype)
    w, v = (np.asarray(x) for x in cnp.linalg.eigh(a))
    assert w.dtype == v.dtype == dtype
    eps, wide = np.finfo(dtype).eps, a.astype(float)
    size = np.abs(wide).max((1, 2)) * n + 1e-300
    want = np.linalg.eigvalsh(wide)
    assert (np.diff(w) >= 0).all()
    assert (np.abs(w - want) / size[:, None]).max() < 8 * eps
    v = v.astype(float)
    assert np.abs(transposed(v) @ v - np.eye(n)).max() < 8 * eps
    rest = wide @ v - v * w[:, None]
    assert (np.abs(rest).max((1, 2)) / size).max() < 8 * eps


@pytest.mark.parametrize("dtype", TYPES)
def test_nan_stays_where_it_is(dtype):
    n = 4
    a = symmetric(n, dtype)
    a[7, 0, 0] = np.nan
    a[8, 2, 1] = a[8, 1, 2] = np.inf
    a[9, 3, 0] = a[9, 0, 3] = np.nan
    w, v = (np.asarray(x) for x in cnp.linalg.eigh(a))
    q, r = (np.asarray(x) for x in cnp.linalg.qr(a))
    for i in (7, 8, 9):
        assert np.isnan(w[i]).all()
        assert np.isnan(v[i]).all()
        assert np.isnan(q[i]).any()
        assert np.isnan(r[i]).any()
    good = np.delete(np.arange(BATCH), [7, 8, 9])
    for x in (w, v, q, r):
        assert np.isfinite(x[good]).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("lower", [False, True])
def test_one_triangle_is_read(lower, dtype):
    a = data(BATCH, 5, 5, dtype=dtype)
    half = np.tril(a) if lower else np.triu(a)
    whole = half + transposed(half) - half * np.eye(5, dtype=dtype)
    _, w = lax.linalg.eigh(a, lower=lower, symmetrize_input=False)
    want = np.linalg.eigvalsh(whole.astype(float))
    np.testing.assert_allclose(w, want, 1e-4, 1e-5)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("m", SIZES)
def test_qr(m, mode, dtype):
    eps = np.finfo(dtype).eps
    for n in SIZES:
        a = data(BATCH, m, n, dtype=dtype)
        a[0] = 0
        a[1] = np.eye(m, n)
        a[2] *= 1e-30
        a[3] *= 1e30
        q, r = (np.asarray(x) for x in cnp.linalg.qr(a, mode))
        assert q.dtype == r.dtype == dtype
        lapack_q, lapack_r = np.linalg.qr(a.astype(float), mode)
        assert (q.shape, r.shape) == (lapack_q.shape, lapack_r.shape)
        assert (np.tril(r, -1) == 0).all()
        signs = np.sign(np.diagonal(r, axis1=1, axis2=2)[4:])
        want = np.sign(np.diagonal(lapack_r, axis1=1, axis2=2)[4:])
        np.testing.assert_array_equal(signs, want)
        size = np.abs(a.astype(float)).max((1, 2)) * max(m, n) + 1e-300
        q = q.astype(float)
        assert (np.abs(q @ r - a).max((1, 2)) / size).max() < 8 * eps
        eye = np.eye(q.shape[2])
        assert np.abs(transposed(q) @ q - eye).max() < 16 * eps


@pytest.mark.parametrize("dtype", TYPES)
def test_reflectors(dtype):
    a = data(BATCH, 6, 4, dtype=dtype)
    f, taus = lax.linalg.geqrf(a)
    one = [lax.linalg.geqrf(x) for x in a]  # LAPACK
    eps = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(f, np.stack([x[0] for x in one]), eps, eps)
    np.testing.assert_allclose(taus, np.stack([x[1] for x in one]), eps, eps)
    q = lax.linalg.householder_product(f, taus)
    one = [lax.linalg.householder_product(x, t) for x, t in one]
    np.testing.assert_allclose(q, np.stack(one), eps, eps)


@pytest.mark.parametrize("dtype", TYPES)
def test_derivatives(dtype):
    """As of each matrix alone."""
    a = data(64, 4, 4, dtype=dtype)

    def f(a):
        w, v = cnp.linalg.eigh((a + cnp.swapaxes(a, -1, -2)) / 2)
        q, r = cnp.linalg.qr(a)
        return cnp.sum(w**3) + cnp.sum(v**4) + cnp.sum(q**3) + cnp.sum(r**2)

    got = cotan.grad(f)(a)
    want = np.stack([cotan.grad(f)(x) for x in a])
    eps = 3e-2 if dtype == "float32" else 1e-8
    np.testing.assert_allclose(got, want, eps, eps * np.abs(want).max())
