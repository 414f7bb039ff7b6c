"""custom_jvp and custom_vjp under every transformation."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests.transforms.functions import agree, difference, jacobian, vector

# ---- rules that lie, so that it shows when they are used


@cotan.custom_jvp
def tripled(x):
    return cnp.sin(x)


@tripled.defjvp
def tripled_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return tripled(x), 3.0 * cnp.cos(x) * t


@cotan.custom_vjp
def clipped(x):
    return x * x


def clipped_fwd(x):
    return clipped(x), x


def clipped_bwd(x, g):
    return (cnp.clip(2.0 * x * g, -1.0, 1.0),)


clipped.defvjp(clipped_fwd, clipped_bwd)

TRANSFORMS = {
    "plain": lambda f: f,
    "jit": cotan.jit,
    "jit-jit": lambda f: cotan.jit(cotan.jit(f)),
    "vmap": lambda f: lambda x: cotan.vmap(f)(x[None])[0],
    "vmap-jit": lambda f: lambda x: cotan.vmap(cotan.jit(f))(x[None])[0],
    "jit-vmap": lambda f: cotan.jit(lambda x: cotan.vmap(f)(x[None])[0]),
    "closure": lambda f: lambda x: cotan.jit(lambda y: f(y + 0 * x))(x),
}
under = pytest.mark.parametrize("name", TRANSFORMS)


@under
def test_jvp_rule_is_used(name):
    f = TRANSFORMS[name](tripled)
    x, t = vector(3), vector(3, 1)
    want = 3 * np.cos(x) * np.asarray(t)
    agree(f(x), np.sin(x))
    agree(cotan.jvp(f, (x,), (t,))[1], want)
    agree(cotan.vjp(f, x)[1](t)[0], want)
    agree(cotan.jit(lambda x, t: cotan.jvp(f, (x,), (t,)))(x, t)[1], want)
    agree(cotan.linearize(f, x)[1](t), want)
    agree(cotan.grad(lambda v: f(v).sum())(x), 3 * np.cos(x))
    agree(cotan.vmap(cotan.grad(lambda v: f(v[None])[0]))(x), 3 * np.cos(x))
    agree(cotan.jacfwd(f)(x), np.diag(3 * np.cos(x)))
    agree(cotan.jacrev(f)(x), np.diag(3 * np.cos(x)))


@under
def test_vjp_rule_is_used(name):
    f = TRANSFORMS[name](clipped)
    x, ct = vector(3), cnp.array([0.1, 5.0, -5.0])
    want = np.clip(2 * np.asarray(x) * np.asarray(ct), -1, 1)
    agree(f(x), np.asarray(x) ** 2)
    agree(cotan.vjp(f, x)[1](ct)[0], want)
    agree(cotan.jit(lambda x, ct: cotan.vjp(f, x)[1](ct))(x, ct)[0], want)
    agree(cotan.grad(lambda v: cnp.dot(f(v), ct))(x), want)
    agree(
        cotan.vmap(lambda v, c: cotan.grad(lambda u: f(u[None])[0] * c)(v))(
            x, ct
        ),
        want,
    )


def test_second_order_of_a_jvp_rule():
    """The rule itself is differentiated: 3 cos, then 3 * -3 sin at ... the
    rule calls the function, whose derivative is the rule again."""
    x = 0.7
    agree(cotan.grad(cotan.grad(tripled))(x), -3 * np.sin(x))
    # cos(x) is not custom: d(3 cos x) = -3 sin x, third order likewise.
    agree(cotan.grad(cotan.grad(cotan.grad(tripled)))(x), -3 * np.cos(x))


def test_second_order_of_a_vjp_rule():
    x = vector(3) * 0.2
    f = cotan.grad(lambda v: clipped(v).sum())
    agree(f(x), 2 * np.asarray(x))
    agree(cotan.jacrev(f)(x), 2 * np.eye(3))
    agree(cotan.jacrev(f)(x), jacobian(f, x), 1e-8)


def test_forward_mode_of_custom_vjp_is_refused():
    with pytest.raises(TypeError, match=r"forward-mode.*custom_vjp function"):
        cotan.jvp(clipped, (1.0,), (1.0,))
    with pytest.raises(TypeError, match=r"forward-mode.*clipped"):
        cotan.jvp(cotan.jit(clipped), (1.0,), (1.0,))
    with pytest.raises(TypeError, match=r"forward-mode.*custom_vjp function"):
        cotan.jacfwd(clipped)(1.0)
    with pytest.raises((TypeError, NotImplementedError)):
        cotan.hessian(lambda x: clipped(x).sum())(vector(2))


def test_linearized_custom_vjp_can_be_transposed_only():
    """What stands in the linear function is custom_lin."""
    _, f_lin = cotan.linearize(clipped, cnp.array(0.2))
    assert "custom_lin" in str(f_lin.jaxpr)
    (ct,) = cotan.linear_transpose(f_lin, cnp.array(0.0))(cnp.array(1.0))
    agree(ct, 0.4)
    with pytest.raises((TypeError, NotImplementedError)):
        f_lin(cnp.array(1.0))


# ---- arguments


def test_several_arguments_and_pytrees():
    @cotan.custom_jvp
    def f(p, x):
        return {"y": p["a"] * x, "z": p["b"] + x}

    @f.defjvp
    def f_jvp(primals, tangents):
        (p, x), (tp, tx) = primals, tangents
        out = f(p, x)
        return out, {
            "y": 10 * (tp["a"] * x + p["a"] * tx),
            "z": tp["b"] + tx,
        }

    p, x = {"a": vector(2), "b": vector(2, 1)}, vector(2, 2)
    _, t = cotan.jvp(f, (p, x), (p, x))
    agree(t["y"], 20 * np.asarray(p["a"]) * np.asarray(x))
    g = cotan.grad(lambda p, x: f(p, x)["y"].sum(), argnums=(0, 1))(p, x)
    agree(g[0]["a"], 10 * np.asarray(x))
    agree(g[0]["b"], np.zeros(2))
    agree(g[1], 10 * np.asarray(p["a"]))
    agree(cotan.jit(cotan.grad(lambda p: f(p, x)["z"].sum()))(p)["b"], [1, 1])


def test_defjvps():
    @cotan.custom_jvp
    def f(x, y):
        return cnp.sin(x) * y

    f.defjvps(
        lambda t, out, x, y: cnp.cos(x) * t * y,
        lambda t, out, x, y: 5.0 * cnp.sin(x) * t,
    )
    agree(cotan.grad(f, (0, 1))(0.5, 2.0), (2 * np.cos(0.5), 5 * np.sin(0.5)))

    @cotan.custom_jvp
    def g(x, y):
        return x * y

    g.defjvps(None, lambda t, out, x, y: x * t)
    agree(cotan.grad(g, (0, 1))(3.0, 2.0), (0.0, 3.0))


def test_nondiff_argnums_of_custom_jvp():
    @cotan.custom_jvp
    def plain(f, x):
        return f(x)

    def apply(f, x, scale):
        return f(x) * scale

    applied = cotan.custom_jvp(apply, nondiff_argnums=(0, 2))

    @applied.defjvp
    def apply_jvp(f, scale, primals, tangents):
        (x,), (t,) = primals, tangents
        return applied(f, x, scale), 7.0 * scale * t

    agree(cotan.grad(lambda x: applied(cnp.sin, x, 2.0))(0.3), 14.0)
    agree(cotan.jit(lambda x: applied(cnp.sin, x, 2.0))(0.3), 2 * np.sin(0.3))
    with pytest.raises(TypeError, match="nondiff_argnums"):
        plain.defjvp(lambda primals, tangents: (primals[1], tangents[1]))
        plain(cnp.sin, 0.3)


def test_nondiff_argnums_of_custom_vjp():
    def clip_gradient(lo, hi, x):
        return x

    f = cotan.custom_vjp(clip_gradient, nondiff_argnums=(0, 1))
    f.defvjp(
        lambda lo, hi, x: (x, None),
        lambda lo, hi, res, g: (cnp.clip(g, lo, hi),),
    )
    agree(cotan.grad(lambda x: 10.0 * f(-1.0, 1.0, x))(0.5), 1.0)
    agree(cotan.jit(cotan.grad(lambda x: -9.0 * f(-2.0, 1.0, x)))(0.5), -2.0)
    agree(
        cotan.vmap(cotan.grad(lambda x: 10.0 * f(-1.0, 1.0, x)))(vector(2)),
        [1.0, 1.0],
    )


def test_keyword_arguments_and_defaults():
    @cotan.custom_jvp
    def f(x, y=2.0):
        return x * y

    f.defjvps(
        lambda t, out, x, y: 100.0 * t * y, lambda t, out, x, y: 100.0 * x * t
    )
    agree(cotan.grad(f)(3.0), 200.0)
    agree(cotan.grad(lambda x: f(x, y=5.0))(3.0), 500.0)


def test_bwd_may_give_none():
    @cotan.custom_vjp
    def f(x, y):
        return x * y

    f.defvjp(lambda x, y: (x * y, (x, y)), lambda res, g: (res[1] * g, None))
    agree(cotan.grad(f, (0, 1))(3.0, 2.0), (2.0, 0.0))


def test_integer_arguments_of_custom_vjp():
    @cotan.custom_vjp
    def f(x, n):
        return x * n

    f.defvjp(lambda x, n: (x * n, n), lambda n, g: (2.0 * n * g, None))
    agree(cotan.grad(f)(3.0, 4), 8.0)
    agree(cotan.jit(cotan.grad(f))(3.0, 4), 8.0)


def test_rules_close_over_tracers():
    def outer(a):
        @cotan.custom_vjp
        def f(x):
            return a * x

        f.defvjp(lambda x: (a * x, x), lambda x, g: (3.0 * a * g,))
        return cotan.grad(f)(2.0)

    agree(outer(5.0), 15.0)
    agree(cotan.jit(outer)(5.0), 15.0)
    agree(cotan.vmap(outer)(cnp.array([1.0, 2.0])), [3.0, 6.0])
    agree(cotan.grad(outer)(5.0), 3.0)


def test_control_flow_on_values_in_a_rule():
    @cotan.custom_jvp
    def f(x):
        return x if x > 0 else -x

    @f.defjvp
    def f_jvp(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), t if x > 0 else -2.0 * t

    agree(cotan.grad(f)(1.0), 1.0)
    agree(cotan.grad(f)(-1.0), -2.0)
    with pytest.raises(cotan.errors.TracerBoolConversionError):
        cotan.jit(f)(1.0)


def test_symbolic_zeros():
    seen = []

    @cotan.custom_jvp
    def f(x, y):
        return x * y

    def rule(primals, tangents):
        (x, y), (tx, ty) = primals, tangents
        seen.append((type(tx).__name__, type(ty).__name__))
        out = f(x, y)
        zero = type(ty).__name__ == "SymbolicZero"
        return out, tx * y if zero else tx * y + x * ty

    f.defjvp(rule, symbolic_zeros=True)
    agree(cotan.jvp(lambda x: f(x, 2.0), (3.0,), (1.0,))[1], 2.0)
    assert seen[-1][1] == "SymbolicZero"
    agree(cotan.jvp(f, (3.0, 2.0), (1.0, 1.0))[1], 5.0)
    assert seen[-1] != "SymbolicZero"


def test_methods():
    class Scaled:
        def __init__(self, a):
            self.a = a

        @cotan.custom_jvp
        def twice(self, x):
            return self.a * x

    assert Scaled.twice is not None
    f = cotan.custom_jvp(lambda x: Scaled(3.0).a * x)
    f.defjvps(lambda t, out, x: 6.0 * t)
    agree(cotan.grad(f)(1.0), 6.0)


# ---- mistakes


def _custom(rule):
    f = cotan.custom_jvp(lambda x: x * 2.0)
    f.defjvp(rule)
    return f


def test_a_missing_rule():
    f = cotan.custom_jvp(lambda x: x)
    with pytest.raises(AttributeError, match="No JVP defined for custom_jvp"):
        f(1.0)
    g = cotan.custom_vjp(lambda x: x)
    with pytest.raises(AttributeError, match="No VJP defined for custom_vjp"):
        g(1.0)


@pytest.mark.parametrize(
    "rule, message",
    [
        (lambda p, t: p[0], "must produce a pair"),
        (lambda p, t: (p[0], (t[0], t[0])), "equal container"),
        (
            lambda p, t: (p[0], cnp.ones((2,))),
            "primal and tangent outputs with corresponding shapes and dtypes",
        ),
    ],
)
def test_bad_jvp_rules(rule, message):
    with pytest.raises(TypeError, match=message):
        cotan.jvp(_custom(rule), (cnp.array(1.0),), (cnp.array(1.0),))


@pytest.mark.parametrize(
    "fwd, bwd, error, message",
    [
        (lambda x: x, lambda r, g: (g,), TypeError, "must produce a pair"),
        (
            lambda x: (x, None),
            lambda r, g: (g, g),
            TypeError,
            "same container",
        ),
        (
            lambda x: (x, None),
            lambda r, g: (cnp.ones((5,)),),
            ValueError,
            r"output\[0\] the bwd rule produced an output of type float64\[5\]",
        ),
    ],
)
def test_bad_vjp_rules(fwd, bwd, error, message):
    f = cotan.custom_vjp(lambda x: x)
    f.defvjp(fwd, bwd)
    with pytest.raises(error, match=message):
        cotan.grad(f)(cnp.array(1.0))


def test_not_an_array():
    f = _custom(lambda p, t: (p[0], t[0]))
    with pytest.raises(TypeError, match="nondiff_argnums"):
        f("text")


def test_numbers_of_the_rules_are_right():
    """The smooth rules of tests/transforms/functions.py are no lies."""
    from tests.transforms.functions import custom_sin, custom_square

    for f in (custom_sin, custom_square):
        agree(
            cotan.grad(f)(0.7),
            difference(f, np.array(0.7), np.array(1.0)),
            1e-9,
        )
