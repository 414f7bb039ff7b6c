"""Policies of `checkpoint` reach into loops, branches and jits: as many
operations are recomputed as in JAX, and derivatives do not change."""

import numpy as np
import pytest

import cotan

jax = pytest.importorskip("jax")

W = np.random.default_rng(0).normal(size=(5, 5)).astype("f4") / 3


def layers(api, x, w):
    for _ in range(3):
        x = api.numpy.sin(api.numpy.dot(x, w))
    return x


def looped(api, w):
    def body(c, _):
        return layers(api, c, w), c.sum()

    x = api.numpy.ones(5, "float32")
    return api.lax.scan(body, x, None, length=2)[0]


def branched(api, w):
    x = api.numpy.ones(5, "float32")
    return api.lax.cond(
        w.sum() > -1e9, lambda: layers(api, x, w), lambda: x * w[0]
    )


def nested(api, w):
    cnp, lax = api.numpy, api.lax

    def inner(d, _):
        return cnp.sin(cnp.dot(d, w)), None

    def body(c, _):
        c = lax.cond(
            c.sum() > 0,
            lambda c: lax.scan(inner, c, None, length=3)[0],
            lambda c: cnp.cos(cnp.dot(c, w)),
            c,
        )
        return c, None

    return lax.scan(body, cnp.ones(5, "float32"), None, length=2)[0]


def backwards(api, w):
    cnp = api.numpy

    def body(c, s):
        return cnp.tanh(cnp.dot(c, w)) * s, cnp.dot(c, w)

    rows = cnp.arange(3, dtype="float32")
    return api.lax.scan(body, cnp.ones(5, "float32"), rows, reverse=True)[1]


def jitted(api, w):
    f = api.jit(lambda x: layers(api, x, w))
    x = api.numpy.ones(5, "float32")
    return api.lax.fori_loop(0, 3, lambda i, c: f(c), x)


POLICIES = {
    "none": lambda api: None,
    "dots": lambda api: api.checkpoint_policies.checkpoint_dots,
    "everything": lambda api: api.checkpoint_policies.everything_saveable,
    "nothing": lambda api: api.checkpoint_policies.nothing_saveable,
    "sin": lambda api: lambda prim, *_, **__: str(prim) == "sin",
}
PROGRAMS = (looped, branched, nested, backwards, jitted)


def recomputed(api, function, policy):
    f = api.checkpoint(lambda w: function(api, w), policy=policy(api))
    y, pullback = api.vjp(f, api.numpy.asarray(W))
    text = str(api.make_jaxpr(pullback)(y))
    return [text.count(f" {op}") for op in ("dot_general[", "sin ", "cos ")]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("function", PROGRAMS)
def test_as_much_is_recomputed_as_in_jax(function, policy):
    policy = POLICIES[policy]
    ours = recomputed(cotan, function, policy)
    assert ours == recomputed(jax, function, policy)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("function", PROGRAMS)
def test_derivatives_do_not_change(function, policy):
    policy = POLICIES[policy](cotan)

    def plain(w):
        return (function(cotan, w) ** 2).sum()

    f = cotan.checkpoint(plain, policy=policy)
    w = cotan.numpy.asarray(W)
    want = cotan.grad(plain)(w)
    for got in (
        cotan.grad(f)(w),
        cotan.jit(cotan.grad(f))(w),
        cotan.vmap(cotan.grad(f))(cotan.numpy.stack([w, 2 * w]))[0],
    ):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=1e-5)
    second = cotan.jvp(cotan.grad(f), (w,), (w,))[1]
    want = cotan.jvp(cotan.grad(plain), (w,), (w,))[1]
    np.testing.assert_allclose(second, want, rtol=1e-3, atol=1e-4)
