"""Functions to transform, and ways to compare what comes out."""

from __future__ import annotations

import numpy as np

import cotan
import cotan.numpy as cnp
from cotan import tree_util

STEP = 1e-3


def vector(n, seed=0, dtype="f8"):
    x = np.random.default_rng(seed).uniform(0.2, 1.2, n)
    return cnp.asarray(x.astype(dtype))


def matrix(m, n, seed=0):
    x = np.random.default_rng(seed).uniform(-1, 1, (m, n))
    return cnp.asarray(x)


@cotan.custom_jvp
def custom_sin(x):
    return cnp.sin(x)


@custom_sin.defjvp
def _custom_sin_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return custom_sin(x), cnp.cos(x) * t


@cotan.custom_vjp
def custom_square(x):
    return x * x


custom_square.defvjp(
    lambda x: (custom_square(x), x), lambda x, g: (2.0 * x * g,)
)


# Smooth functions of one vector to a vector of the same length. Together they
# use every kind of rule: elementwise, products, reductions, views, indexing,
# control flow on shapes, nested jit, custom rules.
def elementwise(x):
    return cnp.sin(x) * cnp.exp(-x) + x**3 / (1.0 + x * x)


def products(x):
    a = cnp.outer(x, cnp.cos(x))
    return a @ x + cnp.dot(x, x)


def reductions(x):
    return x * cnp.sum(x * x) - cnp.max(x) + cnp.prod(x)


def views(x):
    y = cnp.concatenate([x[::-1], x[1:], x[:1]])
    return cnp.reshape(y, (2, -1)).T.sum(1) * x


def indexing(x):
    y = x.at[1].set(x[0] * x[2]).at[::2].add(cnp.sin(x[::2]))
    return y[cnp.array([2, 0, 1, 0])[: x.shape[0]]] + x


def softmax(x):
    e = cnp.exp(x - cnp.max(x))
    return e / cnp.sum(e)


def looped(x):
    y = x
    for _ in range(3):
        y = cnp.tanh(y * x) + 0.5 * y
    return y


_jitted_looped = cotan.jit(looped)


def nested_jit(x):
    return _jitted_looped(x) * cotan.jit(cnp.cos)(x)


def custom(x):
    return custom_sin(x) * x


def selected(x):
    return cnp.where(x > 0.6, x * x, cnp.sin(x))


SMOOTH = (
    elementwise,
    products,
    reductions,
    views,
    indexing,
    softmax,
    looped,
    nested_jit,
    custom,
    selected,
)


def scalar(f):
    """A scalar function from a vector one."""

    def of(x):
        y = f(x)
        return cnp.sum(y * cnp.sin(1.0 + cnp.arange(y.shape[0])))

    of.__name__ = f"scalar_{f.__name__}"
    return of


# ---- comparisons


def leaves(tree):
    return [np.asarray(x) for x in tree_util.tree_leaves(tree)]


def agree(got, want, tolerance=1e-12):
    if isinstance(want, list) and isinstance(got, cotan.Array):
        want = np.asarray(want)
    got, want = leaves(got), leaves(want)
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape
        scale = max(1.0, float(np.abs(w).max(initial=0)))
        assert float(np.abs(g - w).max(initial=0)) <= tolerance * scale, (g, w)


def difference(f, x, t):
    """df(x) along t, by a fourth-order difference quotient."""
    x, t, h = np.asarray(x), np.asarray(t), STEP

    def at(k):
        return np.asarray(f(cnp.asarray(x + k * h * t)))

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)


def jacobian(f, x):
    """The Jacobian by differences: output shape + input shape."""
    x = np.asarray(x)
    columns = []
    for i in range(x.size):
        t = np.zeros(x.size)
        t[i] = 1
        columns.append(difference(f, x, t.reshape(x.shape)))
    y = np.stack(columns, -1)
    return y.reshape(*y.shape[:-1], *x.shape)
