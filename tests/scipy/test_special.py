"""Special functions that are integrals, beside JAX and SciPy."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan.test_util import check_grads
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
    "m": np.array([1, 0, -3, -1, 4], "i4"),
    "w": np.array([0.3 + 1j, -1.2 + 0.5j, 2.0 - 0.7j, -3 - 0.4j, 4j], "c8"),
}

# In JAX the gradient of spence and bessel_jn of small arguments are nan, and
# the gradient of bessel_jn is off by 0.1 (SciPy's jvp agrees with ours).
PLAIN = """
sp.dawsn(z)
sp.erfcx(z)
sp.spence(x)  # value
sp.owens_t(z, u)
sp.owens_t(u, z)
sp.fresnel(z)
sp.sici(x)
sp.wofz(w)
sp.wofz(z)
sp.wofz(n)  # value
sp.erfcx(w)
sp.loggamma(w)
sp.gamma(w)
sp.gamma(np.array([-1.0 + 0j, np.nan], 'c8'))  # value
sp.loggamma(np.array([0j, -2.0], 'c8'))  # value
sp.sph_harm_y(n, m, u, x, n_max=5)
sp.sph_harm_y(n, m, u, x, n_max=4)  # value
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
sp.hyp1f1(a, b, z)
sp.hyp1f1(n, 1.5, u)  # value
sp.hyp1f1(np.array([0.0, 2.0, 1.0]), np.array([0.0, 2.0, 0.0]), 1.5)  # value
sp.hyp2f1(u, b, a, u / 2)
sp.hyp2f1(u[:4], b[:4], a[:4], 1)  # value
sp.hyp2f1(0.5, 0.25, np.array([-1.0, 0.75, 1]), np.array([0.5, 1, 2]))  # value
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
ACCURATE_PAIRS = [("fresnel", GRID, 4e-15), ("sici", GRID, 4e-15)]
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


@pytest.mark.parametrize("case", ACCURATE_PAIRS)
def test_accuracy_of_pairs(case):
    name, x, bound = case
    for dtype, scale in ((np.float64, 1), (np.float32, 2e8)):
        at = x.astype(dtype)
        want = getattr(special, name)(at.astype(float))
        with cotan.enable_x64():
            got = getattr(cotan.scipy.special, name)(at)
        for a, b in zip(got, want, strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(
                a, b, rtol=bound * scale, atol=bound * scale
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gamma_where_it_overflows(dtype):
    x = [35.0, 35.1, 36, 40, 171, 171.7, 172, 200, 1e30, np.inf, -np.inf, -0.0]
    x = np.array([*x, -36.5, -200.5, -1e30, 0], dtype)
    with cotan.enable_x64():
        got = cotan.scipy.special.gamma(x)
    want = special.gamma(x)
    tiny = np.finfo(dtype).tiny  # below, results may be 0
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=tiny)


def test_limits_of_oscillating_integrals():
    x = np.array([np.inf, -np.inf, np.nan, 0.0], "f4")
    for name in ("fresnel", "sici"):
        got = getattr(cotan.scipy.special, name)(x)
        want = getattr(special, name)(x)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_wofz_and_loggamma_are_accurate():
    rng = np.random.RandomState(3)
    z = rng.randn(2, 500) * 10.0 ** rng.uniform(-3, 1.2, (2, 500))
    z = np.append(z[0] + 1j * z[1], np.linspace(-8, 8, 65))
    for dtype, bound in ((np.complex128, 5e-14), (np.complex64, 3e-6)):
        at = z.astype(dtype)
        with cotan.enable_x64():
            w = cotan.scipy.special.wofz(at[at.imag >= 0])
            log = cotan.scipy.special.loggamma(at)
        at = at.astype(complex)
        np.testing.assert_allclose(
            w, special.wofz(at[at.imag >= 0]), rtol=bound
        )
        want = special.loggamma(at)
        ok = np.isfinite(want)  # SciPy's poles are infinite
        np.testing.assert_allclose(log[ok], want[ok], rtol=bound, atol=bound)


# JAX's series do not reach these arguments: SciPy is the oracle.
HYPERGEOMETRIC = [
    ("hyp1f1", (2.5, 1.25, -30.0)),
    ("hyp1f1", (12.0, 3.5, 200.0)),
    ("hyp1f1", (1.5, 2.5, -800.0)),
    ("hyp1f1", (-3.0, 2.5, 400.0)),
    ("hyp2f1", (0.5, 0.5, 1.0, 0.99)),
    ("hyp2f1", (1.0, 1.0, 2.0, 0.999)),
    ("hyp2f1", (1.5, 2.5, 7.0, 0.97)),
    ("hyp2f1", (1.5, 2.5, 1.0, 0.97)),
    ("hyp2f1", (0.3, 1.7, 2.4, 0.95)),
    ("hyp2f1", (0.3, 1.7, 2.4, -50.0)),
    ("hyp2f1", (-3.0, 1.7, 2.4, 3.0)),
    ("hyp2f1", (-2.0, 1.7, -4.0, 0.3)),
]


@pytest.mark.parametrize(("name", "args"), HYPERGEOMETRIC)
def test_hypergeometric_functions(name, args):
    with cotan.enable_x64():
        got = getattr(cotan.scipy.special, name)(*args)
    np.testing.assert_allclose(got, getattr(special, name)(*args), rtol=2e-12)


def test_hypergeometric_derivatives():
    args = {"hyp1f1": (1.5, 2.5, -130.0), "hyp2f1": (1.5, 2.5, 3.0, -2.0)}
    with cotan.enable_x64():
        for name, at in args.items():
            f = getattr(special, name)
            slopes = cotan.grad(
                getattr(cotan.scipy.special, name), tuple(range(len(at)))
            )(*at)
            for i, slope in enumerate(slopes):
                h = 1e-5 * np.eye(len(at))[i]
                want = (f(*(at + h)) - f(*(at - h))) / 2e-5
                np.testing.assert_allclose(slope, want, rtol=1e-6)


def test_second_derivatives():
    sp, x = cotan.scipy.special, cnp.array([0.3, 1.7])
    w = cnp.array([0.3 + 1j, -1.2 + 0.4j, 1 - 0.7j])
    functions = [
        (sp.fresnel, x),
        (sp.sici, x),
        (lambda x: sp.hyp1f1(1.5, 2.5, x), x),
        (lambda x: sp.hyp2f1(1.5, 0.5, 2.5, x / 5), x),
        (sp.wofz, w),
        (sp.loggamma, w),
        (sp.gamma, w),
        (sp.erfcx, w),
    ]
    with cotan.enable_x64():
        for f, at in functions:
            at = cnp.asarray(at, "complex128" if at is w else "float64")
            check_grads(f, (at,), order=2, rtol=1e-4, atol=1e-4)


def test_degrees_of_harmonics_must_be_concrete():
    f = cotan.scipy.special.sph_harm_y
    n, x = cnp.array([2]), cnp.array([0.5])
    with pytest.raises(cotan.errors.ConcretizationTypeError, match="n_max"):
        cotan.jit(f)(n, n, x, x)
    with pytest.raises(NotImplementedError, match="diff_n"):
        f(n, n, x, x, 1)


@pytest.mark.parametrize("x64", [False, True])
def test_extremes(x64):
    inf, nan = np.inf, np.nan
    s = cotan.scipy.special
    with cotan.enable_x64(x64):
        eps = np.finfo(cotan.numpy.ones(1).dtype).eps
        for got, want in (
            (
                s.expi(cotan.numpy.array([nan, inf, -inf, 0])),
                [nan, inf, 0, -inf],
            ),
            (
                s.loggamma(cotan.numpy.array([-0.5, -1.5, -2, 0])),
                [nan] * 3 + [inf],
            ),
            (s.comb(1e4, np.array([1.0, 2, 171])), [1e4, 4.9995e7, None]),
            (
                s.poch(np.array([1e10, 1e30]), np.array([1.0, 0.5])),
                [1e10, 1e15],
            ),
            (s.gamma(np.array([30.5, 1e3, inf, -inf])), [None, inf, inf, nan]),
        ):
            for a, b in zip(np.asarray(got), want, strict=True):
                if b is not None:
                    np.testing.assert_allclose(a, b, rtol=200 * eps)
        assert not np.isnan(s.comb(1e4, 171.0))


def test_zeta_and_polygamma_left_of_zero():
    special = pytest.importorskip("scipy.special")
    s = cotan.scipy.special
    x = np.array([2, 3, 4, 2, 2, 2, 2.5, 2, 1, 2.5], "f4")
    q = np.array(
        [-0.5, -0.25, -100.5, -1e5 + 0.5, -1, 0, -1, -3.25, -1, -0.5], "f4"
    )
    want = special.zeta(x.astype("f8"), q.astype("f8"))
    want[8] = np.inf
    np.testing.assert_allclose(s.zeta(x, q), want, rtol=2e-6)
    n, z = (
        np.array([1, 2, 1, 3, 1]),
        np.array([-0.5, -0.4, -3.25, -2.75, -2], "f4"),
    )
    want = special.polygamma(n, z.astype("f8"))
    np.testing.assert_allclose(s.polygamma(n, z), want, rtol=3e-6)
    slope = cotan.grad(lambda q: s.zeta(3.0, q))(-0.75)
    np.testing.assert_allclose(slope, -3 * special.zeta(4, -0.75), rtol=1e-5)
