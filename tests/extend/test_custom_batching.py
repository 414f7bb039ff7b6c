"""custom_vmap, sequential_vmap and linear_call, with JAX as the oracle."""

from __future__ import annotations

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests.extend.libraries import same

X = np.arange(3, dtype=np.float32)
Y = np.arange(1, 4, dtype=np.float32)


def product(m):
    """A rule that gives something else than the function, to tell them."""

    @m.custom_batching.custom_vmap
    def f(x, y):
        return m.jnp.sin(x) * y

    @f.def_vmap
    def rule(axis_size, in_batched, xs, ys):
        assert axis_size == 3 and isinstance(in_batched, list)
        return m.jnp.cos(xs) * ys, any(in_batched)

    return f


def structured(m):
    @m.custom_batching.custom_vmap
    def f(tree):
        return {"sum": tree["a"] + tree["b"], "twice": 2 * tree["a"]}

    @f.def_vmap
    def rule(axis_size, in_batched, tree):
        (batched,) = in_batched
        out = f({"a": tree["a"] + 1, "b": tree["b"]})
        return out, {"sum": True, "twice": batched["a"]}

    return f


PROGRAMS = {
    "plain": lambda m: product(m)(X, Y),
    "vmap": lambda m: m.jax.vmap(product(m))(X, Y),
    "one batched": lambda m: m.jax.vmap(product(m), (0, None))(X, Y[1]),
    "jit": lambda m: m.jax.jit(m.jax.vmap(product(m)))(X, Y),
    "vmap of jit": lambda m: m.jax.vmap(m.jax.jit(product(m)))(X, Y),
    "twice": lambda m: m.jax.vmap(m.jax.vmap(product(m)))(
        np.stack([X] * 3), np.stack([Y] * 3)
    ),
    "jvp": lambda m: m.jax.jvp(product(m), (X, Y), (Y, X)),
    "jvp of vmap": lambda m: m.jax.jvp(m.jax.vmap(product(m)), (X, Y), (Y, X)),
    "vmap of jvp": lambda m: m.jax.vmap(
        lambda *a: m.jax.jvp(product(m), a[:2], a[2:])
    )(X, Y, Y, X),
    "scan": lambda m: m.jax.vmap(
        lambda x: m.lax.scan(lambda c, a: (product(m)(c, a), c), x, Y)
    )(X),
    "tree": lambda m: m.jax.vmap(structured(m))({"a": X, "b": Y}),
    "sequential": lambda m: m.jax.vmap(
        m.custom_batching.sequential_vmap(lambda x, y: (x + y, x * y)),
        (0, None),
    )(X, Y),
    "sequential jvp": lambda m: m.jax.jvp(
        m.jax.vmap(m.custom_batching.sequential_vmap(m.jnp.sin)), (X,), (Y,)
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_jax(name):
    same(PROGRAMS[name])


def test_reverse_mode():
    """Beyond JAX: the derivative is that of the function."""
    f = cotan.custom_batching.sequential_vmap(lambda x: cnp.sin(x) * x)

    def loss(x):
        return cnp.sum(cotan.vmap(f)(x) ** 2)

    def plain(x):
        return cnp.sum((cnp.sin(x) * x) ** 2)

    np.testing.assert_allclose(
        cotan.grad(loss)(X), cotan.grad(plain)(X), rtol=1e-5
    )
    np.testing.assert_allclose(
        cotan.vmap(cotan.grad(f))(X), np.cos(X) * X + np.sin(X), rtol=1e-5
    )


def no_rule():
    return cotan.custom_batching.custom_vmap(lambda x: x)


def with_rule(rule):
    f = no_rule()
    f.def_vmap(rule)
    return f


BAD = {
    "no rule": (
        lambda: no_rule()(1.0),
        AttributeError,
        "No batching rule defined for custom_vmap function",
    ),
    "not a pair": (
        lambda: cotan.vmap(with_rule(lambda n, b, x: x))(X),
        TypeError,
        "must return a pair",
    ),
    "trees differ": (
        lambda: cotan.vmap(with_rule(lambda n, b, x: (x, [True])))(X),
        ValueError,
        "output batching specification",
    ),
    "other structure": (
        lambda: cotan.vmap(with_rule(lambda n, b, x: ((x,), (True,))))(X),
        ValueError,
        "does not match that of original custom-vmapped function",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_errors(what):
    run, error, message = BAD[what]
    with pytest.raises(error, match=message):
        run()


# ---- linear_call


def divide(m, by):
    """x + x / by, with a marked transpose."""

    def f(x, k):
        return x + m.custom_derivatives.linear_call(
            lambda k, t: t / k, lambda k, t: by * t / k, k, x
        )

    return f


LINEAR = {
    "value": lambda m: divide(m, 5.0)(X, Y),
    "transpose": lambda m: m.jax.linear_transpose(
        lambda x: divide(m, 5.0)(x, Y), X
    )(Y),
    "twice": lambda m: m.jax.linear_transpose(
        lambda c: m.jax.linear_transpose(lambda x: divide(m, 5.0)(x, Y), X)(c)[
            0
        ],
        X,
    )(Y),
    "grad": lambda m: m.jax.grad(lambda x: divide(m, 5.0)(x, Y).sum())(X),
    "jvp": lambda m: m.jax.jvp(lambda x: divide(m, 5.0)(x, Y), (X,), (Y,)),
    "jit": lambda m: m.jax.jit(
        m.jax.grad(lambda x: divide(m, 5.0)(x, Y).sum())
    )(X),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_call_as_jax(name):
    same(LINEAR[name])


def test_linear_call_batched():
    """Beyond JAX, which has no batching rule for it."""
    f = cotan.custom_derivatives.linear_call
    got = cotan.vmap(
        cotan.grad(
            lambda x, k: f(lambda k, t: t / k, lambda k, t: 7 * t / k, k, x)
        )
    )(X, Y)
    np.testing.assert_allclose(got, 7 / Y, rtol=1e-6)


def test_linear_call_in_its_residuals():
    with pytest.raises(NotImplementedError, match="residual arguments"):
        cotan.grad(
            lambda k: cotan.custom_derivatives.linear_call(
                lambda k, t: t / k, lambda k, t: t / k, k, 1.0
            )
        )(2.0)


def test_flags_of_tangents_that_are_batched_alone():
    """Nothing the rule sees is batched then."""
    seen = []

    @cotan.custom_batching.custom_vmap
    def f(x, y):
        return cnp.sin(x) * y

    @f.def_vmap
    def rule(axis_size, in_batched, xs, ys):
        seen.append((in_batched, xs.shape))
        return cnp.cos(xs) * ys, any(in_batched)

    got = cotan.jacfwd(f)(X, Y)
    np.testing.assert_allclose(got, np.diag(-np.sin(X) * Y), rtol=1e-6)
    assert seen == [([False, False], (3,))]

    seen.clear()
    # One of each: both get the axis.
    _, got = cotan.vmap(
        lambda x, y, t: cotan.jvp(f, (x, y), (t, 0 * t)), (0, 0, 0)
    )(X, Y, Y)
    np.testing.assert_allclose(got, -np.sin(X) * Y * Y, rtol=1e-6)
    assert all(flags == [True, True] for flags, _ in seen)


def test_decorators_forward_what_the_inner_one_defines():
    for outer, inner, setter in [
        (cotan.custom_jvp, cotan.custom_batching.custom_vmap, "def_vmap"),
        (cotan.custom_vjp, cotan.custom_batching.custom_vmap, "def_vmap"),
        (cotan.custom_batching.custom_vmap, cotan.custom_jvp, "defjvp"),
        (cotan.custom_batching.custom_vmap, cotan.custom_vjp, "defvjp"),
    ]:
        f = outer(inner(lambda x: x + 1.0))
        assert callable(getattr(f, setter))
        with pytest.raises(AttributeError):
            _ = f.define

    @cotan.custom_jvp
    @cotan.custom_batching.custom_vmap
    def f(x):
        return cnp.sin(x)

    f.defjvp(lambda p, t: (f(p[0]), 7.0 * t[0]))
    f.def_vmap(lambda size, batched, x: (cnp.cos(x), True))
    np.testing.assert_allclose(cotan.vmap(f)(X), np.cos(X), rtol=1e-6)
    assert float(cotan.grad(f)(1.0)) == 7.0
