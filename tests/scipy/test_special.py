"""Special functions that are integrals, beside JAX and SciPy."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests.scipy import beside_jax

special = pytest.importorskip("scipy.special")
pytest.importorskip("jax")
import jax  # noqa: E402
import jax.scipy.special  # noqa: E402

OPERANDS = {
    "a": np.array([0.6, 1.5, 2.0, 7.0, 30.0], "f4"),
    "b": np.array([1.2, 0.5, 3.0, 2.0, 8.0], "f4"),
    "x": np.array([0.3, 1.1, 3.0, 6.5, 33.0], "f4"),
    "u": np.array([0.05, 0.3, 0.5, 0.8, 0.97], "f4"),
    "z": np.array([-2.5, -0.3, 0.1, 1.7, 4.0], "f4"),
    "n": np.array([1, 2, 3, 1, 5], "i4"),
}

# In JAX the gradient of spence and bessel_jn of small arguments are nan, and
# the gradient of bessel_jn is off by 0.1 (SciPy's jvp agrees with ours).
PLAIN = """
sp.dawsn(z)
sp.erfcx(z)
sp.spence(x)  # value
sp.owens_t(z, u)
sp.owens_t(u, z)
sp.bernoulli(8)
sp.bessel_jn(x[3:4], v=3)  # value
"""

LOOPS = """
lax.igamma(a, x)
lax.igammac(a, x)
lax.igamma_grad_a(a, x)  # value
lax.random_gamma_grad(a, x)  # value
lax.betainc(a, b, u)  # value
lax.bessel_i0e(z)
lax.bessel_i1e(z)
lax.zeta(a + 1, x)  # value
sp.gammainc(a, x)
sp.gammaincc(n, x)
sp.betainc(2, b, u)  # value
sp.exp1(x)
sp.expi(z)
sp.expn(n, x)
"""


def needs_loops():
    try:
        cotan.lax.while_loop(lambda x: x < 1, lambda x: x + 1, 0)
    except NotImplementedError as e:
        pytest.skip(str(e))


def check(text):
    beside_jax.check(
        jax, text, OPERANDS, lambda api: {"sp": api.scipy.special}, 3e-5
    )


def test_as_jax():
    check(PLAIN)


def test_loops_as_jax():
    needs_loops()
    check(LOOPS)


# (function, its arguments, the largest relative error in f64)
GRID = np.concatenate([np.linspace(-4, 4, 33), [1e-4, 1e-8, 10.0, 30.0]])
ACCURATE = [
    ("erfcx", GRID, 1e-15),
    ("dawsn", GRID, 5e-15),
    ("spence", np.abs(GRID), 5e-15),
]
ACCURATE_LOOPS = [
    ("exp1", np.abs(GRID) + 1e-6, 1e-14),
    ("expi", GRID[GRID != 0], 1e-14),
]


@pytest.mark.parametrize("case", [*ACCURATE, *ACCURATE_LOOPS])
def test_accuracy(case):
    name, x, bound = case
    if case in ACCURATE_LOOPS:
        needs_loops()
    for dtype, scale in ((np.float64, 1), (np.float32, 2e9)):
        at = x.astype(dtype)
        want = getattr(special, name)(at.astype(float))
        with cotan.enable_x64():
            got = getattr(cotan.scipy.special, name)(at)
            assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=bound * min(scale, 1e9))


def test_limits_of_the_incomplete_gamma_function():
    needs_loops()
    a = np.array([0.0, 0.0, 1.0, 1.0, -1.0, 1.0, np.inf, np.nan, 2.0])
    x = np.array([1.0, 0.0, 0.0, np.inf, 1.0, -1.0, 1.0, 1.0, np.nan])
    for name in ("gammainc", "gammaincc"):
        want = np.array(getattr(special, name)(a, x))
        if name == "gammainc":
            want[1] = np.nan  # SciPy says 0, JAX nan
        else:
            want[1] = np.nan
        got = getattr(cotan.scipy.special, name)(a.astype("f4"), x.astype("f4"))
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_betainc_is_differentiable_in_all():
    needs_loops()
    f = cotan.scipy.special.betainc
    slopes = cotan.grad(f, (0, 1, 2))(2.0, 3.0, 0.4)
    # mpmath.diff of its betainc
    np.testing.assert_allclose(
        slopes, [-0.240869376, 0.156344336, 1.728], rtol=1e-5
    )


def test_transformations():
    needs_loops()
    f = cotan.scipy.special.gammainc
    x = cnp.array([0.5, 2.0, 8.0])
    want = cnp.stack([f(2.0, v) for v in x])
    np.testing.assert_allclose(
        cotan.jit(cotan.vmap(f, (None, 0)))(2.0, x), want, rtol=1e-6
    )
