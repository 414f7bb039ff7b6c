"""jit, grad and vmap of NumPy functions, beside JAX."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests.numpy import compare, functions

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

RNG = np.random.RandomState(3)
X = RNG.randn(3, 4).astype("float32")
BATCH = RNG.randn(2, 3, 4).astype("float32")
IX, IY = np.array([0, 2, 0], "int32"), np.array([1, 3, 0], "int32")


def function(module, expression):
    names = {"ix": module.asarray(IX), "iy": module.asarray(IY)}

    def f(x):
        return compare.evaluate(module, {**names, "x": x}, expression)

    def loss(x):
        y = f(x)
        weights = np.linspace(0.5, 2, y.size, dtype="float32")
        return (y * weights.reshape(y.shape)).sum()

    return f, loss


def results(api, module, expression):
    f, loss = function(module, expression)
    yield "eager", f(module.asarray(X))
    yield "jit", api.jit(f)(X)
    yield "grad", api.grad(loss)(X)
    yield "jit grad", api.jit(api.grad(loss))(X)
    yield "vmap", api.vmap(f)(BATCH)
    yield "vmap grad", api.vmap(api.grad(loss))(BATCH)


@pytest.mark.parametrize("part", range(4))
def test_transforms_as_jax(part):
    failed = []
    for expression in functions.CASES[part::4]:
        ours = results(cotan, cnp, expression)
        theirs = results(jax, jnp, expression)
        name = "eager"
        try:
            for (mode, want), (_, got) in zip(theirs, ours, strict=True):
                name = mode
                compare.assert_same_values(got, want)
        except Exception as e:
            failed.append(f"{expression} ({name}): {type(e).__name__}: {e}")
    assert not failed, "\n".join(failed)
