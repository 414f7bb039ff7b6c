"""Complex functions where their operands are zero, infinite, nan or huge."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import cotan  # noqa: E402
import cotan.numpy as cnp  # noqa: E402

PARTS = (0.0, -0.0, 0.5, -2.0, np.inf, -np.inf, np.nan, 1e30, -1e30)
FUNCTIONS = "cos cosh exp expm1 sin sinh square tan tanh".split()


def grid(dtype):
    x = np.zeros((len(PARTS), len(PARTS)), dtype)
    x.real, x.imag = np.array(PARTS)[:, None], np.array(PARTS)
    return x


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values_are_jax_s(name, dtype):
    x = grid(dtype)
    with jax.enable_x64(True), cotan.enable_x64(True):
        got, want = (
            np.asarray(getattr(m.numpy, name)(x)) for m in (cotan, jax)
        )
    assert got.dtype == want.dtype == dtype
    for part in ("real", "imag"):
        np.testing.assert_allclose(
            getattr(got, part),
            getattr(want, part),
            rtol=1e-5 if dtype == "complex64" else 1e-13,
            atol=1e-7 if dtype == "complex64" else 1e-15,
        )


def test_squares_on_the_diagonals():
    big = np.finfo(np.float32).max
    x = np.array([big + 1j * big, -big + 1j * big], np.complex64)
    got = np.asarray(cnp.square(x))
    np.testing.assert_array_equal(got.real, [0, 0])
    np.testing.assert_array_equal(got.imag, [np.inf, -np.inf])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_exp2_of_large_angles(dtype):
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(0)
    with cotan.enable_x64(dtype == "complex128"), mpmath.workprec(200):
        for size in (1.0, 1e3, 1e5, 1e8):
            x = rng.normal(size=50) + 1j * size * rng.normal(size=50)
            x = x.astype(dtype)
            got = np.asarray(cnp.exp2(x))
            for v, y in zip(x, got, strict=True):
                want = mpmath.mpc(2) ** mpmath.mpc(complex(v))
                error = abs(mpmath.mpc(complex(y)) - want) / abs(want)
                assert error < 4 * np.finfo(dtype).eps, (v, y)
        # Beyond that the angle has no digits left, the absolute value does.
        huge = np.asarray(cnp.exp2(np.array([1 + 1e30j, -2 - 1e35j], dtype)))
        np.testing.assert_allclose(abs(huge), [2, 0.25], rtol=1e-5)
