"""Every name that computes something occurs in a test that compares values:
with JAX, or with NumPy or SciPy where those are the definition."""

import pathlib
import re

import pytest

pytest.importorskip("jax")

import cotan
import cotan.scipy.optimize
import cotan.scipy.signal
import cotan.scipy.stats
from tests.oracle import both
from tests.support import load_tool

TESTS = pathlib.Path(__file__).resolve().parent.parent
COMPARING = ("oracle", "scipy", "numpy", "linalg", "transforms")
MODULES = (
    "cotan.numpy",
    "cotan.numpy.linalg",
    "cotan.numpy.fft",
    "cotan.lax",
    "cotan.lax.linalg",
    "cotan.nn",
    "cotan.nn.initializers",
    "cotan.ops",
    "cotan.random",
    "cotan.scipy.special",
    "cotan.scipy.stats",
    "cotan.scipy.linalg",
    "cotan.scipy.signal",
    "cotan.scipy.optimize",
)
# Names that compute nothing: types, aliases, printing, files.
OTHERS = {
    "ComplexWarning",
    "DotAlgorithm",
    "FftType",
    "OptimizeResults",
    "after_all",
    "array_repr",
    "fromfile",
    "iterable",
    "load",
    "newaxis",
    "printoptions",
    "save",
    "savez",
}

# Open: no comparison yet (random bits of an unspecified generator, several
# devices, files).
OPEN = {
    "fromiter",
    "ragged_all_to_all",
    "rng_bit_generator",
    "rng_uniform",
    "scaled_dot",
    "with_sharding_constraint",
}
EXPRESSIONS = (
    "jnp.conjugate(jnp.array([1 + 2j, 3 - 1j]))",
    "jnp.vecmat(jnp.arange(3.0), jnp.arange(6.0).reshape(3, 2))",
    "jax.ops.segment_min(jnp.arange(4.0), jnp.array([0, 2, 0, 5]), 4)",
    "jax.ops.segment_prod(jnp.arange(4), jnp.array([0, 2, 0, 5]), 4)",
    "lax.linalg.lu_pivots_to_permutation(jnp.array([2, 1, 3]), 5)",
    "lax.linalg.tridiagonal_solve(jnp.array([0.0, 1, 2]), "
    "jnp.array([4.0, 5, 6]), jnp.array([1.0, 1, 0]), jnp.ones((3, 2)))",
    "lax.linalg.householder_product(jnp.tril(jnp.ones((3, 2)), -1), "
    "jnp.array([0.5, 0.75]))",
    "lax.linalg.ormqr(jnp.tril(jnp.ones((3, 2)), -1), "
    "jnp.array([0.5, 0.75]), jnp.arange(6.0).reshape(3, 2))",
    "lax.linalg.tridiagonal(jnp.diag(jnp.arange(1.0, 5)) + 0.5)[1:3]",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value(expression):
    want, got = (both.run(m, expression) for m in ("jax", "cotan"))
    assert not isinstance(want, Exception), want
    both.compare(expression, want, got, rtol=1e-5, atol=1e-5)


def words():
    """What stands in the tests, but not in lists of names like this one."""
    found = set(re.findall(r"\w+", " ".join(EXPRESSIONS)))
    for folder in COMPARING:
        for path in (TESTS / folder).glob("*.py"):
            if path.name != "test_compared.py":
                found.update(re.findall(r"\w+", path.read_text()))
    for name in ("test_nn", "test_lax", "test_random", "test_array"):
        text = (TESTS / f"{name}.py").read_text()
        found.update(re.findall(r"\w+", text))
    return found


def is_function(module, name):
    path = module.removeprefix("cotan.").split(".")
    owner = cotan
    for part in path:
        owner = getattr(owner, part)
    value = getattr(owner, name, None)
    return callable(value) and not isinstance(value, type)


@pytest.mark.parametrize("module", MODULES)
def test_every_function_is_compared(module):
    names = load_tool("coverage").names()[module]
    found = words() | OTHERS | OPEN
    missing = [n for n in names if n not in found and is_function(module, n)]
    assert not missing
