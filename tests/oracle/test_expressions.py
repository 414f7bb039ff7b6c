"""Values, dtypes, weak types and error classes of expressions, against JAX."""

import warnings

import pytest

pytest.importorskip("jax")

from tests.oracle import both, rare_expressions
from tests.oracle.expressions import ERRORS, GRADIENTS, VALUES


def _names(library):
    """Arrays that expressions use, in the library's own type."""
    np = both.np
    rng = np.random.default_rng(0)
    numbers = {
        "x": rng.uniform(-2, 2, 5).astype("f4"),
        "p": rng.uniform(0.2, 2, 5).astype("f4"),
        "m": rng.uniform(-1, 1, (3, 4)).astype("f4"),
        "w": rng.uniform(-1, 1, (4, 2)).astype("f4"),
        "t": rng.uniform(-1, 1, (2, 3, 4)).astype("f4"),
        "n": np.array([3, -7, 0, 5, 2], "i4"),
        "k": np.array([2, 0, 4, 1], "i4"),
        "u": np.array([1, 200, 255, 0], "u1"),
        "b": np.array([True, False, True, True, False]),
        "z": (rng.uniform(-1, 1, 4) + 1j * rng.uniform(-1, 1, 4)).astype("c8"),
        "h": rng.uniform(-2, 2, 5).astype("f2"),
        "special": np.array([0, -0.0, np.inf, -np.inf, np.nan, 1], "f4"),
        "ties": np.array([1, 2, 2, 0, 2, 1], "f4"),
    }
    asarray = both.LIBRARIES[library]["jnp"].asarray
    return {k: asarray(v) for k, v in numbers.items()}


NAMES = {library: _names(library) for library in ("jax", "cotan")}


@pytest.mark.parametrize("expression", VALUES)
def test_value(expression):
    want, got = (
        both.run(library, expression, **NAMES[library])
        for library in ("jax", "cotan")
    )
    assert not isinstance(want, Exception), want
    both.compare(expression, want, got, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    "expression", [*rare_expressions.VALUES, *rare_expressions.ERRORS]
)
def test_rare_name(expression):
    want, got = (
        both.run(
            library,
            expression,
            skey=both.LIBRARIES[library]["jax"].random.key(7),
            **NAMES[library],
        )
        for library in ("jax", "cotan")
    )
    failed = isinstance(want, Exception)
    assert failed == (expression in rare_expressions.ERRORS), want
    both.compare(expression, want, got, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("expression", VALUES[::3])
def test_value_under_jit(expression):
    """The same inside of a trace."""
    names = NAMES["cotan"]

    def f(arrays):
        return eval(expression, {**both.LIBRARIES["cotan"], **arrays})

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = both.cotan.jit(f)(names)
    except (both.cotan.errors.ConcretizationTypeError, TypeError, IndexError):
        pytest.skip("needs concrete values")
    want = both.run("jax", expression, **NAMES["jax"])
    both.compare(expression, want, got, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("variables, body", GRADIENTS)
def test_gradient(variables, body):
    """Values and gradients with respect to the variables."""

    def derivative(library):
        names = NAMES[library]
        scope = {**both.LIBRARIES[library], **names}
        f = eval(f"lambda {', '.join(variables)}: {body}", scope)
        transform = both.LIBRARIES[library]["jax"].value_and_grad
        args = [names[v] for v in variables]
        return transform(f, tuple(range(len(args))))(*args)

    want, got = derivative("jax"), derivative("cotan")
    both.compare(body, want, got, rtol=5e-5, atol=5e-6)


@pytest.mark.parametrize("expression", ERRORS)
def test_error(expression):
    want, got = (
        both.run(library, expression, **NAMES[library])
        for library in ("jax", "cotan")
    )
    assert isinstance(want, Exception), f"JAX does not refuse it: {want}"
    both.compare(expression, want, got, rtol=0)
    # Classes of their own carry the same names.
    if type(want).__module__.startswith("jax"):
        assert type(got).__name__ == type(want).__name__
