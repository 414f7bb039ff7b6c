"""Iterative solvers, minimisers, differential equations, cosine transforms
beside JAX: values and gradients of tables, then what a table cannot say."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan.experimental.ode import odeint
from tests.scipy import beside_jax

pytest.importorskip("jax")
import jax
import jax.experimental.ode
import jax.scipy.fft
import jax.scipy.optimize
import jax.scipy.sparse.linalg

RNG = np.random.RandomState(7)
GENERAL = (RNG.randn(6, 6) + 8 * np.eye(6)).astype("f4")
DEFINITE = (GENERAL @ GENERAL.T / 8 + np.eye(6)).astype("f4")
PHASES = np.exp(1j * np.arange(6))
OPERANDS = {
    "g": GENERAL,
    "s": DEFINITE,
    "d": np.diag(1 / np.diag(DEFINITE)).astype("f4"),
    "h": (DEFINITE * np.outer(PHASES, PHASES.conj())).astype("c8"),
    "b": RNG.randn(6).astype("f4"),
    "c": (RNG.randn(6) + 1j * RNG.randn(6)).astype("c8"),
    "m": RNG.randn(5, 6).astype("f4"),
    "z": (RNG.randn(3, 4, 5) + 1j).astype("c8"),
    "i": np.arange(12, dtype="i4").reshape(3, 4),
    "t": np.linspace(0, 2, 4).astype("f4"),
    "y": np.array([1.0, 0.5], "f4"),
    "w": np.array([1.0, 1.5, -0.5], "f4"),
    "k": np.array(0.3, "f4"),
}

SPARSE = """
sl.cg(s, b)
sl.cg(s, b, maxiter=2)  # value
sl.cg(s, b, x0=b, tol=1e-3)  # value
sl.cg(s, b, M=d, maxiter=2)  # value
sl.cg(lambda v: s @ v, b, atol=1e-6)
sl.cg(h, c)
sl.cg(s, np.zeros(6, 'f4'))  # value
sl.bicgstab(g, b)
sl.bicgstab(g, b, maxiter=2)  # value
sl.bicgstab(g, b, M=lambda v: d @ v, maxiter=2)  # value
sl.bicgstab(h, c)
sl.gmres(g, b)
sl.gmres(g, b, restart=3, maxiter=1)  # value
sl.gmres(g, b, solve_method='incremental')
sl.gmres(g, b, restart=2, maxiter=2, solve_method='incremental')  # value
sl.gmres(g, b, M=d, restart=2, maxiter=2)  # value
sl.gmres(h, c, solve_method='incremental')
api.tree_util.tree_leaves(sl.cg(lambda v: {'a': 2 * v['a'] + v['b'][0], 'b': [v['a'] + 3 * v['b'][0]]}, {'a': b, 'b': [b + 1]}))
sl.gmres(lambda v: (v[0] * 2 + v[1].sum(), 3 * v[1]), (b, m))
api.vmap(lambda v: sl.cg(s, v)[0])(m)
api.vmap(lambda v: sl.gmres(g, v)[0])(m)
"""  # noqa: E501

TRANSFORMS = """
sf.dct(m)
sf.dct(m, norm='ortho', axis=0)
sf.dct(m, n=4)
sf.dct(m, n=9, norm='backward')
sf.dct(z, axis=1)  # value
sf.dct(i)
sf.dct(b[:1])
sf.idct(m)
sf.idct(m, norm='ortho', axis=0)
sf.idct(m, n=4)
sf.idct(z, axis=-2, n=7)  # value
sf.idct(i)
sf.dctn(m)
sf.dctn(m, norm='ortho')
sf.dctn(m, s=3)
sf.dctn(m, s=[7, 4], axes=(1, 0))
sf.dctn(z, axes=(0, 2))  # value
sf.dctn(z)  # value
sf.idctn(m)
sf.idctn(m, s=[7, 4], norm='ortho')
sf.idctn(z, axes=(2,))  # value
sf.idctn(sf.dctn(i))
"""

# Vector fields with parameters, closed over or given.
EQUATIONS = """
ode(lambda y, t: -y, 1.0, t, rtol=1e-5, atol=1e-6)  # value
ode(lambda y, t: jnp.stack([y[1], -k * y[0]]), y, t, rtol=1e-5, atol=1e-6)
ode(lambda y, t, k: -k * y * jnp.sin(t), y, t, k, rtol=1e-5, atol=1e-6)
ode(lambda y, t, p: (y[1].sum(), -p['k'] * y[0]), (k, y), t, {'k': y})
ode(lambda y, t: 1j * y, c[:2], t, rtol=1e-5, atol=1e-6)  # value
ode(lambda y, t: -y, y, t, mxstep=1, rtol=0.1, atol=0.1)  # value
ode(lambda y, t: -y, y, t, hmax=0.05, rtol=1e-5)  # value
"""


def names(api):
    return {
        "sl": api.scipy.sparse.linalg,
        "sf": api.scipy.fft,
        "ode": api.experimental.ode.odeint,
    }


def check(text, rtol=3e-5):
    beside_jax.check(jax, text, OPERANDS, names, rtol)


def test_linear_systems():
    check(SPARSE)


def test_cosine_transforms():
    check(TRANSFORMS)


def test_differential_equations():
    check(EQUATIONS)


# ---- linear systems


@pytest.mark.parametrize("name", ["cg", "bicgstab", "gmres"])
def test_solver_arguments(name):
    solve = getattr(cotan.scipy.sparse.linalg, name)
    b = cnp.ones(3)
    with pytest.raises(TypeError, match="a function or ndarray"):
        solve([[1.0]], b)
    with pytest.raises(ValueError, match="square matrix"):
        solve(cnp.ones((2, 3)), b)
    with pytest.raises(ValueError, match="matching tree structure"):
        solve(lambda x: x, b, (b,))
    with pytest.raises(ValueError, match="matching shapes"):
        solve(lambda x: x, b, cnp.ones(2))
    with pytest.raises(TypeError, match="not a valid JAX type"):
        solve(lambda x: x, "b")
    if name == "gmres":
        with pytest.raises(ValueError, match="invalid solve_method"):
            solve(cnp.eye(3), b, solve_method="quickly")


def test_gmres_says_that_it_failed():
    def run(api):
        gmres = api.scipy.sparse.linalg.gmres
        return gmres(api.numpy.zeros((2, 2)), api.numpy.ones(2))

    ours, theirs = run(cotan), run(jax)
    assert int(ours[1]) == int(theirs[1]) == -1
    assert cnp.isnan(ours[0]).any()


def test_an_object_with_matmul_is_an_operator():
    class Twice:
        shape = (3, 3)

        def __matmul__(self, x):
            return 2 * x

    x, _ = cotan.scipy.sparse.linalg.cg(Twice(), cnp.arange(3.0))
    np.testing.assert_allclose(x, [0, 0.5, 1])


# ---- minimisation


def rosenbrock(np):
    return lambda x: np.sum(
        100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2
    )


def himmelblau(np):
    return lambda p: (
        (p[0] ** 2 + p[1] - 11.0) ** 2 + (p[0] + p[1] ** 2 - 7.0) ** 2
    )


def matyas(np):
    return lambda p: 0.26 * (p[0] ** 2 + p[1] ** 2) - 0.48 * p[0] * p[1]


def bowl(np):
    return lambda x: np.sum(np.abs(x - 1j) ** 2) + np.sum(np.real(x) ** 4)


L_BFGS = "l-bfgs-experimental-do-not-rely-on-this"
# The iterates of two libraries drift apart in 32 bits: 64.
MINIMA = [
    ("BFGS", rosenbrock, [0.0, 0.0], {}),
    ("bfgs", himmelblau, [1.0, 1.0], {}),
    ("BFGS", himmelblau, [1.0, 1.0], {"maxiter": 3}),
    ("BFGS", matyas, [1.0, -6.0], {"gtol": 1e-9, "norm": 2}),
    ("BFGS", himmelblau, [1.0, 1.0], {"line_search_maxiter": 0}),
    (L_BFGS, rosenbrock, [3.0, -1.0, 0.5, 2.0], {"maxcor": 3}),
    (L_BFGS, himmelblau, [1.0, 1.0], {"maxgrad": 4}),
    (L_BFGS, himmelblau, [1.0, 1.0], {"maxfun": 3, "maxls": 4}),
    (L_BFGS, bowl, [1 + 2j, 3.0], {}),
]


@pytest.mark.parametrize(("method", "fun", "start", "options"), MINIMA)
def test_minima(method, fun, start, options):
    def run(api):
        with api.enable_x64(True):
            return api.scipy.optimize.minimize(
                fun(api.numpy),
                api.numpy.array(start),
                method=method,
                options=options,
            )

    ours, theirs = run(cotan), run(jax)
    assert ours._fields == theirs._fields
    for name, a, b in zip(ours._fields, ours, theirs, strict=True):
        if b is None:
            assert a is None
            continue
        assert (a.dtype, a.weak_type) == (b.dtype, b.weak_type), name
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9, err_msg=name)


def test_minimize_compiles_and_batches():
    def run(a):
        f = lambda x, a: cnp.sum((x - a) ** 2 + (x - a) ** 4)  # noqa: E731
        minimize = cotan.scipy.optimize.minimize
        return minimize(f, cnp.zeros(2), (a,), method="BFGS")

    targets = cnp.array([[1.0, 2.0], [-3.0, 0.5]])
    found = cotan.jit(cotan.vmap(run))(targets)
    assert found.success.all()
    np.testing.assert_allclose(found.x, targets, atol=1e-2)


def test_minimize_arguments():
    minimize = cotan.scipy.optimize.minimize
    with pytest.raises(TypeError, match="must be a tuple"):
        minimize(cnp.sum, cnp.zeros(2), [1.0], method="BFGS")
    with pytest.raises(ValueError, match="Method newton not recognized"):
        minimize(cnp.sum, cnp.zeros(2), method="newton")


# ---- others


def test_cosine_transform_arguments():
    fft = cotan.scipy.fft
    with pytest.raises(NotImplementedError, match="type 2"):
        fft.dct(cnp.ones(3), type=3)
    with pytest.raises(ValueError, match="is not implemented"):
        fft.dctn(cnp.ones(3), norm="forward")
    with pytest.raises(ValueError, match="s must have at most"):
        fft.idctn(cnp.ones(3), s=[1, 2])
    with pytest.raises(ValueError, match="out of bounds"):
        fft.idct(cnp.ones(3), axis=1)


def test_odeint_arguments():
    with pytest.raises(TypeError, match="must be arrays or scalars"):
        odeint(lambda y, t, a: y, 1.0, cnp.arange(2.0), "a")
    with pytest.raises(TypeError, match="array of floats"):
        odeint(lambda y, t: y, 1.0, cnp.arange(2))


def test_odeint_is_accurate_in_64_bits():
    with cotan.enable_x64(True):
        t = cnp.linspace(0.0, 5.0, 7)
        y = odeint(
            lambda y, t: cnp.stack([y[1], -y[0]]), cnp.array([0.0, 1]), t
        )
        np.testing.assert_allclose(y[:, 0], np.sin(t), atol=1e-7)
        slope = cotan.grad(lambda k: odeint(lambda y, t: -k * y, 1.0, t)[-1])
        np.testing.assert_allclose(slope(0.5), -5 * np.exp(-2.5), rtol=1e-6)
