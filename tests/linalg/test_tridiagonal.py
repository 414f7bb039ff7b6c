"""Tridiagonal systems whose matrices are singular, or nearly so."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan.lax.linalg import tridiagonal_solve

DTYPES = ["float32", "float64", "complex64", "complex128"]


@pytest.fixture(autouse=True)
def _x64():
    with cotan.enable_x64():
        yield


def system(dtype, shape=(5,), k=2):
    rng = np.random.default_rng(0)

    def draw(*s):
        x = rng.normal(size=s)
        if dtype.startswith("complex"):
            x = x + 1j * rng.normal(size=s)
        return x.astype(dtype)

    return [*(draw(*shape) for _ in range(3)), draw(*shape, k)]


def solve(*operands):
    return tridiagonal_solve(*operands, perturb_singular=True)


def matrix(dl, d, du):
    return np.diag(d) + np.diag(dl[1:], -1) + np.diag(du[:-1], 1)


def diagonal(d, dtype="float32"):
    d = np.array(d, dtype)
    return np.asarray(solve(0 * d, d, 0 * d, np.ones((len(d), 1), dtype)))[:, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_regular_systems(dtype, n):
    dl, d, du, b = system(dtype, (n,), 3)
    d[n // 2] = 0 if n > 1 else 2  # rows must be exchanged
    x = np.asarray(solve(dl, d, du, b))
    assert x.dtype == dtype
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(
        matrix(dl, d, du) @ x, b, atol=100 * eps * max(1, abs(x).max())
    )


def test_zero_pivots_become_the_precision_of_the_largest_element():
    eps = np.finfo(np.float32).eps
    got = diagonal([1, 0, 2])
    np.testing.assert_array_equal(got, np.float32([1, 1 / (2 * eps), 0.5]))
    tiny = np.finfo(np.float64).tiny
    np.testing.assert_array_equal(diagonal([0, 0], "float64"), [1 / tiny] * 2)
    np.testing.assert_array_equal(
        diagonal([3 + 4j, 0], "complex64")[1], np.complex64(1 / (5 * eps))
    )


def test_small_pivots_stay_unless_the_quotient_overflows():
    np.testing.assert_array_equal(
        diagonal([1, -1e-30, 2]), np.float32([1, -1e30, 0.5])
    )
    below = -np.float32(1e-42)  # its inverse is infinite
    assert diagonal([1, below, 2])[1] == -(2.0**22)
    one, zero = np.ones((3, 1), "f4"), np.zeros(3, "f4")
    d = np.array([1, 1e-10, 2], "f4")
    got = np.asarray(solve(zero, d, zero, np.float32(1e35) * one))
    assert np.isfinite(got).all() and got[1] > 1e36


def test_singular_matrix_that_is_not_diagonal():
    dl, d, du, b = np.float32([[0, 1], [1, 3], [3, 0], [1, 4]])
    x = np.asarray(solve(dl, d, du, b[:, None]))[:, 0]
    assert np.isfinite(x).all() and (abs(x) > 1e6).all()
    np.testing.assert_allclose(x[0], -3 * x[1], rtol=1e-6)  # of the null space
    assert np.isnan(tridiagonal_solve(dl, d, du, b[:, None])).all()


def test_ends_are_not_read():
    dl, d, du, b = system("float32")
    want = np.asarray(solve(dl, d, du, b))
    dl[0] = du[-1] = np.nan
    np.testing.assert_array_equal(solve(dl, d, du, b), want)
    empty = solve(*(np.zeros(s, "f4") for s in [(0,), (0,), (0,), (0, 2)]))
    assert empty.shape == (0, 2)


def test_batches():
    operands = system("float64", (3, 4, 5))
    operands[1][1, 2] = 0
    x = np.asarray(solve(*operands))
    mapped = cotan.jit(cotan.vmap(cotan.vmap(solve)))(*operands)
    np.testing.assert_array_equal(mapped, x)
    dl, d, du, _ = (v[0, 0] for v in operands)
    one = cotan.vmap(lambda b: solve(dl, d, du, b))(operands[3][:, 0])
    np.testing.assert_allclose(one[0], x[0, 0], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_derivative_of_a_singular_system(dtype):
    _, d, _, b = system(dtype)
    y = cotan.vjp(lambda b: solve(0 * d, 0 * d, 0 * d, b), b)[1](b)[0]
    assert np.isfinite(np.asarray(y)).all() and (abs(y) > 1e300).all()


def test_is_a_parameter():
    text = str(cotan.make_jaxpr(solve)(*system("float32")))
    assert "tridiagonal_solve[perturb_singular=True]" in text
    f = cotan.jit(solve).lower(*system("float32"))
    with pytest.raises(NotImplementedError, match=r"\[tridiagonal_solve\]"):
        f.as_text()
    assert cnp.all(cnp.isfinite(f.compile()(*system("float32"))))
