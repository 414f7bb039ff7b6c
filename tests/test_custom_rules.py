"""custom_jvp and custom_vjp: rules, their composition with other
transformations, and what is said when a rule is wrong."""

import functools

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax


@cotan.custom_jvp
def double_slope(x):
    return cnp.sin(x)


@double_slope.defjvp
def _(primals, tangents):
    ((x,), (t,)) = primals, tangents
    return double_slope(x), 2 * cnp.cos(x) * t


@cotan.custom_vjp
def clipped(x, y):
    return x * y


clipped.defvjp(
    lambda x, y: (x * y, (x, y)),
    lambda res, g: (cnp.clip(g, -1, 1) * res[1], None),
)


def test_custom_jvp():
    x = 0.3
    want = 2 * np.cos(x)
    assert np.allclose(double_slope(x), np.sin(x))
    assert np.allclose(cotan.grad(double_slope)(x), want)
    assert np.allclose(cotan.jvp(double_slope, (x,), (1.0,))[1], want)
    assert np.allclose(cotan.jit(cotan.grad(double_slope))(x), want)
    assert np.allclose(cotan.grad(cotan.jit(double_slope))(x), want)
    second = cotan.grad(cotan.grad(double_slope))(x)
    assert np.allclose(second, -2 * np.sin(x))
    xs = np.float32([0.1, 0.2, 0.3])
    for f in (
        cotan.vmap(cotan.grad(double_slope)),
        cotan.jit(cotan.vmap(cotan.grad(double_slope))),
        cotan.grad(lambda v: cotan.vmap(double_slope)(v).sum()),
    ):
        np.testing.assert_allclose(f(xs), 2 * np.cos(xs), rtol=1e-6)
    _, linear = cotan.linearize(double_slope, x)
    assert np.allclose(linear(1.0), want)


def test_custom_vjp():
    g = cotan.grad(clipped, argnums=(0, 1))
    assert [float(v) for v in g(2.0, 3.0)] == [3.0, 0.0]
    scaled = cotan.grad(lambda x: 10 * clipped(x, 3.0))
    assert float(scaled(2.0)) == 3.0
    assert float(cotan.jit(scaled)(2.0)) == 3.0
    xs = np.float32([1, 2, 3])
    got = cotan.vmap(cotan.grad(clipped), in_axes=(0, None))(xs, 5.0)
    np.testing.assert_array_equal(got, [5, 5, 5])
    got = cotan.jit(cotan.vmap(cotan.grad(clipped)))(xs, xs)
    np.testing.assert_array_equal(got, xs)
    with pytest.raises(TypeError, match="can't apply forward-mode"):
        cotan.jvp(clipped, (1.0, 2.0), (1.0, 1.0))


def test_order_two_of_custom_vjp():
    @cotan.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, g: (g * 3 * x**2,))
    assert np.allclose(cotan.grad(cotan.grad(cube))(2.0), 12.0)
    assert np.allclose(cotan.jit(cotan.grad(cotan.grad(cube)))(2.0), 12.0)


def test_nondiff_argnums():
    @functools.partial(cotan.custom_vjp, nondiff_argnums=(0,))
    def apply(f, x):
        return f(x)

    apply.defvjp(lambda f, x: (f(x), x), lambda f, x, g: (g * 10,))
    assert float(cotan.grad(lambda x: apply(cnp.sin, x))(1.0)) == 10.0

    @functools.partial(cotan.custom_jvp, nondiff_argnums=(1,))
    def power(x, n):
        return x**n

    @power.defjvp
    def _(n, primals, tangents):
        ((x,), (t,)) = primals, tangents
        return power(x, n), t * 100 * n

    assert float(cotan.grad(power)(2.0, 3)) == 300.0


def test_defjvps():
    @cotan.custom_jvp
    def f(x, y):
        return x * y

    f.defjvps(lambda t, out, x, y: 5 * t, None)
    assert [float(v) for v in cotan.grad(f, (0, 1))(2.0, 3.0)] == [5.0, 0.0]


def test_pytrees():
    @cotan.custom_vjp
    def f(p):
        return {"out": p["a"] * p["b"][0]}

    f.defvjp(
        lambda p: (f(p), p),
        lambda p, g: ({"a": g["out"], "b": (2 * g["out"],)},),
    )
    p = {"a": 2.0, "b": (3.0,)}
    got = cotan.grad(lambda p: f(p)["out"])(p)
    assert float(got["a"]) == 1.0 and float(got["b"][0]) == 2.0


def test_integer_arguments():
    @cotan.custom_vjp
    def f(x, i):
        return x * i

    f.defvjp(lambda x, i: (x * i, i), lambda i, g: (g * i, None))
    assert float(cotan.grad(f)(2.0, 3)) == 3.0

    @cotan.custom_jvp
    def g(x, i):
        return x * i

    @g.defjvp
    def _(primals, tangents):
        x, i = primals
        return g(x, i), tangents[0] * i * 7

    assert float(cotan.grad(g)(2.0, 3)) == 21.0


def test_closures_over_tracers():
    def outer(a, x):
        @cotan.custom_jvp
        def f(x):
            return a * x

        f.defjvp(lambda p, t: (f(p[0]), 3 * a * t[0]))
        return f(x)

    assert float(cotan.jit(cotan.grad(outer, 1))(2.0, 5.0)) == 6.0


@pytest.mark.parametrize(
    "rule, text",
    [
        (lambda p, t: p[0], "must produce a pair"),
        (lambda p, t: (p[0], (t[0], t[0])), "equal container"),
        (lambda p, t: (p[0], cnp.ones(3)), "corresponding shapes and dtypes"),
    ],
)
def test_wrong_jvp_rules(rule, text):
    f = cotan.custom_jvp(lambda x: x)
    f.defjvp(rule)
    with pytest.raises(TypeError, match=text):
        cotan.jvp(f, (1.0,), (1.0,))


@pytest.mark.parametrize(
    "fwd, bwd, kind, text",
    [
        (lambda x: x, lambda r, g: (g,), TypeError, "must produce a pair"),
        (lambda x: (x, None), lambda r, g: (g, g), TypeError, "must produce"),
        (
            lambda x: (x, None),
            lambda r, g: (cnp.ones(3),),
            ValueError,
            "cotangent of shape",
        ),
    ],
)
def test_wrong_vjp_rules(fwd, bwd, kind, text):
    f = cotan.custom_vjp(lambda x: x)
    f.defvjp(fwd, bwd)
    with pytest.raises(kind, match=text):
        cotan.grad(f)(1.0)


def test_missing_rules():
    with pytest.raises(AttributeError, match="No JVP defined"):
        cotan.custom_jvp(lambda x: x)(1.0)
    with pytest.raises(AttributeError, match="No VJP defined"):
        cotan.custom_vjp(lambda x: x)(1.0)


def test_check_grads():
    cotan.test_util.check_grads(
        lambda x: lax.mul(lax.sin(x), x),
        (np.float32([0.3, 0.7]),),
        2,
        modes=("fwd", "rev", "lin"),
        rtol=0.05,
        atol=0.05,
    )
    with pytest.raises(AssertionError, match="JVP tangent"):
        cotan.test_util.check_grads(double_slope, (0.3,), 1, modes=["fwd"])
    with pytest.raises(AssertionError, match="VJP cotangent projection"):
        cotan.test_util.check_grads(double_slope, (0.3,), 1, modes=["rev"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_check_grads_dtypes(dtype):
    with cotan.enable_x64():
        x = np.array([0.3, -0.7], dtype)
        cotan.test_util.check_grads(
            lambda x: x**3 + lax.sin(x),
            (x,),
            1,
            eps=None if dtype != np.float32 else 1e-2,
        )
