"""Batches of small matrices: vector code with a matrix in each lane."""

import os
import subprocess
import sys

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax

BATCH = 79  # not a whole number of vectors
SIZES = range(1, 9)
TYPES = ["float32", "float64"]


@pytest.fixture(autouse=True)
def x64():
    with cotan.enable_x64():
        yield


def data(*shape, dtype="float64", seed=0):
    rng = np.random.default_rng((seed, *shape))
    return rng.standard_normal(shape).astype(dtype)


def positive(n, dtype):
    a = data(BATCH, n, n)
    return (a @ a.swapaxes(1, 2) + n * np.eye(n)).astype(dtype)


def assert_close(got, want, dtype):
    assert got.dtype == dtype
    eps = 2e-4 if dtype == "float32" else 1e-11
    np.testing.assert_allclose(got, want, eps, eps)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n", SIZES)
def test_cholesky(n, dtype):
    a = positive(n, dtype)
    a[5, 0, 0] = -1
    a[6, n - 1, n - 1] = np.nan
    a[7] = 0
    got = np.asarray(cnp.linalg.cholesky(a))
    lower = np.tril(np.ones((n, n), bool))
    for i in (5, 6, 7):
        assert np.isnan(got[i][lower]).all()
    assert (got[:, ~lower] == 0).all()
    keep = np.delete(np.arange(BATCH), [5, 6, 7])
    want = np.linalg.cholesky(a[keep].astype(float))
    assert_close(got[keep], want, dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("m,n", [*((n, n) for n in SIZES), (3, 8), (7, 2)])
def test_lu(m, n, dtype):
    a = data(BATCH, m, n, dtype=dtype)
    a[3] = 0
    a[4, :, 0] = 0
    a[5, :, 0] = 1  # ties
    lu, pivots, perm = lax.linalg.lu(a)
    assert pivots.dtype == perm.dtype == "int32"
    one = [lax.linalg.lu(x) for x in a]  # LAPACK
    np.testing.assert_array_equal(pivots, [x[1] for x in one])
    np.testing.assert_array_equal(perm, [x[2] for x in one])
    assert_close(lu, np.stack([x[0] for x in one]), dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n", SIZES)
def test_solve_inv_det(n, dtype):
    a, b = data(BATCH, n, n, dtype=dtype), data(BATCH, n, 3, dtype=dtype)
    a += 4 * np.eye(n, dtype=dtype)
    wide = a.astype(float)
    assert_close(cnp.linalg.solve(a, b), np.linalg.solve(wide, b), dtype)
    assert_close(cnp.linalg.inv(a), np.linalg.inv(wide), dtype)
    det = np.linalg.det(wide)
    assert_close(cnp.linalg.det(a) / det.astype(dtype), np.ones(BATCH), dtype)
    lu_and_piv = cotan.vmap(cotan.scipy.linalg.lu_factor)(a)
    for trans in (0, 1, 2):
        got = cotan.vmap(
            lambda f, b, t=trans: cotan.scipy.linalg.lu_solve(f, b, t)
        )(lu_and_piv, b)
        op = wide.swapaxes(1, 2) if trans else wide
        assert_close(got, np.linalg.solve(op, b), dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_triangular_solve(left, lower, transpose, unit, dtype):
    for n in (1, 4, 7):
        a = 0.3 * data(BATCH, n, n, dtype=dtype) + 2 * np.eye(n, dtype=dtype)
        b = data(BATCH, *((n, 5) if left else (5, n)), dtype=dtype)
        got = lax.linalg.triangular_solve(
            a,
            b,
            left_side=left,
            lower=lower,
            transpose_a=transpose,
            unit_diagonal=unit,
        )
        op = (np.tril if lower else np.triu)(a.astype(float))
        if unit:
            op[:, np.arange(n), np.arange(n)] = 1
        if transpose:
            op = op.swapaxes(1, 2)
        if left:
            want = np.linalg.solve(op, b)
        else:
            want = np.linalg.solve(
                op.swapaxes(1, 2), b.swapaxes(1, 2)
            ).swapaxes(1, 2)
        assert_close(got, want, dtype)


def test_singular_matrices_give_what_lapack_gives():
    a = data(BATCH, 3, 3)
    a[2] = 1
    got = np.asarray(cnp.linalg.inv(a))
    assert not np.isfinite(got[2]).all()
    assert np.isfinite(np.delete(got, 2, 0)).all()


@pytest.mark.parametrize(
    "f",
    [cnp.linalg.cholesky, cnp.linalg.inv, cnp.linalg.det],
    ids=["cholesky", "inv", "det"],
)
def test_derivatives_equal_those_of_single_matrices(f):
    a, d = positive(4, "float64"), data(BATCH, 4, 4, seed=1)
    got, tangent = cotan.jvp(cotan.vmap(f), (a,), (d,))
    grad = cotan.grad(lambda a: cnp.sum(cotan.vmap(f)(a) ** 2))(a)
    for i in range(3):
        want = cotan.jvp(f, (a[i],), (d[i],))
        assert_close(got[i], want[0], "float64")
        assert_close(tangent[i], want[1], "float64")
        one = cotan.grad(lambda a: cnp.sum(f(a) ** 2))(a[i])
        np.testing.assert_allclose(grad[i], one, 1e-9, 1e-9)


def test_threads_and_large_batches():
    a = np.tile(positive(5, "float64"), (100, 1, 1))
    got = np.asarray(cnp.linalg.cholesky(a))
    np.testing.assert_array_equal(got, np.tile(got[:BATCH], (100, 1, 1)))


@pytest.mark.parametrize("batch", [64, (8, 8), (2, 5, 7)])
def test_batch_shapes(batch):
    batch = batch if isinstance(batch, tuple) else (batch,)
    a = data(*batch, 3, 3) + 4 * np.eye(3)
    assert_close(cnp.linalg.inv(a), np.linalg.inv(a), "float64")


def test_no_lapack():
    # Not one call: it works where there is no library at all.
    code = """
import numpy as np, cotan.numpy as cnp
a = np.eye(4, dtype="float32") * np.ones((64, 1, 1), "float32") * 4
assert (cnp.linalg.cholesky(a) == a / 2).all()
assert (cnp.linalg.inv(a) == np.eye(4) / 4).all()
try:
    cnp.linalg.inv(a[0])
except Exception:
    print("single matrices need it")
"""
    env = dict(os.environ, COTAN_LAPACK="/nonexistent.so")
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "single matrices need it" in done.stdout
