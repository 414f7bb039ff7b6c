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


X = np.float32([1, 2, 3])


def scaled_jvp(x):
    @cotan.custom_jvp
    def f(y):
        return x * y

    f.defjvp(lambda p, t: (x * p[0], 5 * x * t[0]))
    return f


def scaled_vjp(x):
    @cotan.custom_vjp
    def f(y):
        return x * y

    f.defvjp(lambda y: (x * y, y), lambda y, g: (5 * x * g,))
    return f


@pytest.mark.parametrize("make", [scaled_jvp, scaled_vjp])
def test_closures_over_mapped_values(make):
    def mapped(z):
        return cotan.vmap(lambda x: make(x)(z))(X)

    for f in (mapped, cotan.jit(mapped)):
        np.testing.assert_array_equal(f(2.0), 2 * X)
    total = lambda z: mapped(z).sum()  # noqa: E731
    for g in (cotan.grad(total), cotan.jit(cotan.grad(total))):
        assert float(g(2.0)) == 5 * X.sum()
    rows = cotan.vmap(cotan.grad(total))(X)
    np.testing.assert_array_equal(rows, [5 * X.sum()] * 3)
    inside = cotan.vmap(lambda x: cotan.grad(make(x))(2.0))
    np.testing.assert_array_equal(inside(X), 5 * X)
    np.testing.assert_array_equal(cotan.jit(inside)(X), 5 * X)
    # Of two maps, and with a mapped operand too.
    both = cotan.vmap(lambda z: cotan.vmap(lambda x: cotan.grad(make(x))(z))(X))
    np.testing.assert_array_equal(both(X), np.tile(5 * X, (3, 1)))
    looped = cotan.vmap(
        lambda x: cotan.grad(
            lambda z: lax.scan(
                lambda c, _: (make(x)(c), None), z, None, length=2
            )[0]
        )(1.0)
    )
    np.testing.assert_array_equal(looped(X), 25 * X * X)


def test_constant_arguments_that_are_mapped():
    @functools.partial(cotan.custom_jvp, nondiff_argnums=(0,))
    def f(x, y):
        return x * y

    f.defjvp(lambda x, p, t: (f(x, *p), 5 * x * t[0]))
    y, t = cotan.jvp(lambda y: cotan.vmap(f, (0, None))(X, y), (2.0,), (1.0,))
    np.testing.assert_array_equal(y, 2 * X)
    np.testing.assert_array_equal(t, 5 * X)

    key = cotan.random.key(1)

    def sample(key, shape):
        g = cotan.custom_jvp(lambda a: cotan.random.gamma(key, a, shape))
        g.defjvp(lambda p, t: (g(*p), t[0]))
        return g(2.0)

    keys = cotan.random.split(key, 3)
    got = cotan.vmap(sample, (0, None))(keys, ())
    want = [float(sample(k, ())) for k in keys]
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_what_is_not_mapped_stays_so():
    """Cotangents of shared operands are summed, outputs keep their shape."""
    seen = []

    @cotan.custom_vjp
    def f(x, w):
        return x @ w, w

    def bwd(res, g):
        x, w = res
        seen.append(tuple(v.shape for v in g))
        return w @ g[0], cnp.outer(x, g[0]) + 10 * g[1]

    f.defvjp(lambda x, w: (f(x, w), (x, w)), bwd)
    xs, w = np.float32([[1, 2], [3, 4]]), np.eye(2, 3, dtype="float32")
    out, same = cotan.vmap(f, (0, None), (0, None))(xs, w)
    assert out.shape == (2, 3) and same.shape == (2, 3)
    np.testing.assert_array_equal(same, w)

    def loss(xs, w):
        out, same = cotan.vmap(f, (0, None), (0, None))(xs, w)
        return out.sum() + same.sum()

    gx, gw = cotan.grad(loss, (0, 1))(xs, w)
    np.testing.assert_array_equal(gx, np.tile(w.sum(1), (2, 1)))
    np.testing.assert_array_equal(gw, np.outer(xs.sum(0), np.ones(3)) + 20)
    assert seen == [((3,), (2, 3))]


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
            r"output\[0\] the bwd rule produced .* float32\[3\]",
        ),
        (lambda x: (x, None), lambda r, g: g, TypeError, "produce a tuple"),
        (lambda x: (x, None), lambda r, g: None, TypeError, "produce a tuple"),
    ],
)
def test_wrong_vjp_rules(fwd, bwd, kind, text):
    f = cotan.custom_vjp(lambda x: x)
    f.defvjp(fwd, bwd)
    with pytest.raises(kind, match=text):
        cotan.grad(f)(1.0)


def test_a_fwd_rule_that_changes_the_primal():
    f = cotan.custom_vjp(lambda x: x)
    f.defvjp(lambda x: ((x, x), None), lambda r, g: (g[0],))
    text = r"fwd rule .* structure:\s+\(~float32\[\], ~float32\[\]\)"
    with pytest.raises(TypeError, match=text):
        cotan.grad(cotan.jit(f))(1.0)


def test_a_rule_that_changes_the_primal_inside_a_loop():
    f = cotan.custom_jvp(lambda x: x)

    def run(x):
        return lax.scan(lambda c, _: (f(c), None), x, None, length=1)[0]

    f.defjvp(lambda p, t: ((p[0], p[0]), (t[0], t[0])))
    with pytest.raises(TypeError, match="same container/pytree structure"):
        cotan.jvp(run, (1.0,), (1.0,))
    f.defjvp(lambda p, t: (cnp.zeros(3), t[0]))
    with pytest.raises(TypeError, match=r"shapes/dtypes of:\s+float32\[3\]"):
        cotan.jvp(run, (1.0,), (1.0,))


def test_none_inside_cotangents():
    f = cotan.custom_vjp(lambda x: x["a"] * 2)
    f.defvjp(
        lambda x: (f(x), None),
        lambda r, g: ({"a": g * 5, "b": (None, None), "c": None},),
    )
    x = {"a": 1.0, "b": (2.0, None), "c": (3.0, 4.0)}
    got = cotan.grad(f)(x)
    assert got == {"a": 5.0, "b": (0.0, None), "c": (0.0, 0.0)}


def test_symbolic_zeros_in_the_wrong_place():
    f = cotan.custom_vjp(lambda x, y: (x, y))
    f.defvjp(
        lambda x, y: (f(x.value, y.value), None),
        lambda r, g: (g[1], g[0]),
        symbolic_zeros=True,
    )
    x, y = cnp.ones(1), cnp.ones(2)
    with pytest.raises(ValueError, match="Consider just returning a None"):
        cotan.grad(lambda x: f(x, y)[0].sum())(x)


def test_arguments_of_decorated_functions():
    for make in (cotan.custom_jvp, cotan.custom_vjp):

        @make
        def f(x, y, *, z=None):
            return x

        if make is cotan.custom_jvp:
            f.defjvp(lambda p, t: (p[0], t[0]))
        else:
            f.defvjp(lambda x, y: (x, None), lambda r, g: (g, g))
        with pytest.raises(TypeError, match="missing a required argument"):
            f(1.0)
        with pytest.raises(TypeError, match="resolved to positions: z"):
            f(1.0, 2.0, z=3.0)

    f = cotan.custom_jvp(functools.partial(lambda x, a: x * a, a=3.0))
    f.defjvp(lambda p, t: (f(*p), 5 * t[0]))
    assert cotan.value_and_grad(f)(2.0) == (6.0, 5.0)


def test_tracers_among_nondiff_arguments():
    @functools.partial(cotan.custom_vjp, nondiff_argnums=(0,))
    def f(x, y):
        return x * y

    f.defvjp(lambda x, y: (x * y, None), lambda x, r, g: (g,))
    assert float(f(2.0, 3.0)) == 6.0
    with pytest.raises(cotan.errors.UnexpectedTracerError, match="custom_vjp"):
        cotan.jit(f)(2.0, 3.0)

    @functools.partial(cotan.custom_jvp, nondiff_argnums=(0,))
    def g(x, y):
        return x * y

    g.defjvp(lambda x, p, t: (g(x, *p), x * t[0]))
    # Nothing is differentiated by such an argument.
    assert cotan.grad(g, (0, 1))(2.0, 3.0) == (0.0, 2.0)


def test_rules_that_apply_custom_jvp_to_tangents():
    @cotan.custom_jvp
    def triple(x):
        return 3 * x

    triple.defjvp(lambda p, t: (triple(p[0]), triple(t[0])))
    f = cotan.custom_jvp(cnp.sin)
    f.defjvp(lambda p, t: (f(p[0]), triple(t[0] * cnp.cos(p[0]))))
    x = np.float32([0.5, 1.0])
    want = 3 * np.cos(x)

    def looped(x):
        return lax.scan(lambda c, _: (f(c), None), x, None, length=1)[0].sum()

    for g in (lambda x: f(x).sum(), looped, cotan.jit(looped)):
        np.testing.assert_allclose(cotan.grad(g)(x), want, rtol=1e-6)
        np.testing.assert_allclose(
            cotan.jvp(g, (x,), (x,))[1], (want * x).sum(), rtol=1e-6
        )
    rows = cotan.vmap(cotan.grad(f))(x)
    np.testing.assert_allclose(rows, want, rtol=1e-6)
    assert float(cotan.linear_transpose(triple, 1.0)(2.0)[0]) == 6.0


def test_custom_vjp_whose_tangent_nobody_uses():
    @cotan.custom_vjp
    def f(x):
        return x * x

    f.defvjp(lambda x: (x * x, x), lambda x, g: (g * 2 * x,))

    def program(x):
        n, y = lax.while_loop(
            lambda c: c[0] < 2, lambda c: (c[0] + 1, f(c[1])), (0, x)
        )
        return n + 3 * x, y

    _, linear = cotan.linearize(lambda x: program(x)[0], 2.0)
    assert float(linear(1.0)) == 3.0
    assert float(cotan.jit(cotan.grad(lambda x: program(x)[0]))(2.0)) == 3.0
    for g in (program, cotan.jit(program)):
        with pytest.raises(TypeError, match="can't apply forward-mode"):
            cotan.jvp(g, (2.0,), (1.0,))


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
