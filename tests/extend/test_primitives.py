"""Primitives defined in Python, under every transformation and with JAX as
the oracle: the same program registers the same rules with both libraries."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan.core import Primitive, ShapedArray
from cotan.interpreters import ad, batching, mlir, xla
from tests.extend.libraries import COTAN, same

X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
Y = np.linspace(2, 3, 6, dtype=np.float32).reshape(2, 3)


def batch_at_front(m, p):
    """Registers the rule that moves every batch axis to the front."""

    def rule(args, dims, **params):
        size = next(
            x.shape[d] for x, d in zip(args, dims, strict=True) if d is not None
        )
        out = p.bind(
            *(
                m.batching.bdim_at_front(x, d, size)
                for x, d in zip(args, dims, strict=True)
            ),
            **params,
        )
        return out, [0] * len(out) if p.multiple_results else 0

    m.batching.primitive_batchers[p] = rule


def multiply_add(m):
    """JAX's tutorial: x * y + z, linear in x and z or in y and z."""
    p = m.core.Primitive("multiply_add")

    def bind(x, y, z):
        return p.bind(x, y, z)

    p.def_impl(lambda x, y, z: m.jnp.asarray(np.asarray(x) * y + z))
    p.def_abstract_eval(lambda x, y, z: m.ShapedArray(x.shape, x.dtype))
    m.mlir.register_lowering(
        p, m.mlir.lower_fun(lambda x, y, z: x * y + z, multiple_results=False)
    )

    def jvp(primals, tangents):
        x, y, z = primals
        xt, yt, zt = map(m.ad.instantiate_zeros, tangents)
        return bind(x, y, z), bind(xt, y, bind(x, yt, zt))

    def transpose(ct, x, y, z):
        zero = m.jnp.zeros(ct.aval.shape if is_zero(ct) else ct.shape)
        if m.ad.is_undefined_primal(x):
            return bind(ct, y, zero), None, third(ct, z)
        cty = bind(x, ct, zero) if m.ad.is_undefined_primal(y) else None
        return None, cty, third(ct, z)

    def is_zero(ct):
        return type(ct) is m.ad.Zero

    def third(ct, z):
        return ct if m.ad.is_undefined_primal(z) else None

    m.ad.primitive_jvps[p] = jvp
    m.ad.primitive_transposes[p] = transpose
    batch_at_front(m, p)
    return bind


def sum_and_difference(m):
    """Two results, one parameter; linear."""
    p = m.core.Primitive("sum_and_difference")
    p.multiple_results = True

    def run(x, y, *, scale):
        return [scale * (x + y), scale * (x - y)]

    def bind(x, y, scale=2.0):
        return p.bind(x, y, scale=scale)

    p.def_impl(run)
    p.def_abstract_eval(
        lambda x, y, *, scale: [m.ShapedArray(x.shape, x.dtype)] * 2
    )
    m.mlir.register_lowering(p, m.mlir.lower_fun(run))

    def transpose(cts, x, y, *, scale):
        a, b = map(m.ad.instantiate_zeros, cts)
        return bind(a, b, scale)

    m.ad.deflinear2(p, transpose)
    batch_at_front(m, p)
    return bind


def cube(m):
    """defjvp; the derivative is written with other operations."""
    p = m.core.Primitive("cube")
    p.def_impl(lambda x: x * x * x)
    p.def_abstract_eval(lambda x: x)
    m.mlir.register_lowering(
        p, m.mlir.lower_fun(lambda x: x * x * x, multiple_results=False)
    )
    m.ad.defjvp(p, lambda t, x: 3 * t * m.jnp.square(x))
    m.batching.defvectorized(p)
    return p.bind


def times(m):
    """defbilinear and defbroadcasting."""
    p = m.core.Primitive("times")
    p.def_impl(lambda x, y: x * y)
    p.def_abstract_eval(lambda x, y: x)
    m.mlir.register_lowering(
        p, m.mlir.lower_fun(lambda x, y: x * y, multiple_results=False)
    )
    m.ad.defbilinear(
        p,
        lambda ct, x, y: p.bind(ct, y),
        lambda ct, x, y: p.bind(x, ct),
    )
    batch_at_front(m, p)
    return p.bind


FUNCTIONS = {
    "multiply_add": lambda m, f, x: f(x, x, x),
    "multiply_add-constant": lambda m, f, x: f(x, Y[0], X[1]),
    "sum_and_difference": lambda m, f, x: f(x, Y[0] * x)[0] * f(x, x, 3.0)[1],
    "one_of_two_results": lambda m, f, x: f(x, Y[0])[1],
    "cube": lambda m, f, x: f(m.jnp.sin(x)),
    "times": lambda m, f, x: f(x, m.jnp.sin(x)),
}
MADE_BY = {
    "multiply_add": multiply_add,
    "multiply_add-constant": multiply_add,
    "sum_and_difference": sum_and_difference,
    "one_of_two_results": sum_and_difference,
    "cube": cube,
    "times": times,
}

TRANSFORMS = {
    "eager": lambda m, f: f(X[0]),
    "jit": lambda m, f: m.jax.jit(f)(X[0]),
    "jvp": lambda m, f: m.jax.jvp(f, (X[0],), (Y[0],)),
    "jit-jvp": lambda m, f: m.jax.jit(lambda x, t: m.jax.jvp(f, (x,), (t,)))(
        X[0], Y[0]
    ),
    "vjp": lambda m, f: m.jax.vjp(f, X[0])[1](Y[0]),
    "linearize": lambda m, f: m.jax.linearize(f, X[0])[1](Y[0]),
    "grad-of-jit": lambda m, f: m.jax.grad(lambda x: m.jax.jit(f)(x).sum())(
        X[0]
    ),
    "jit-of-grad": lambda m, f: m.jax.jit(m.jax.grad(lambda x: f(x).sum()))(
        X[0]
    ),
    "hessian": lambda m, f: m.jax.hessian(lambda x: f(x).sum())(X[0]),
    "jacobians": lambda m, f: (m.jax.jacfwd(f)(X[0]), m.jax.jacrev(f)(X[0])),
    "vmap": lambda m, f: m.jax.vmap(f)(X),
    "vmap-out-1": lambda m, f: m.jax.vmap(f, 1, 1)(X.T),
    "vmap-vmap": lambda m, f: m.jax.vmap(m.jax.vmap(f))(np.stack([X, Y])),
    "jit-vmap-grad": lambda m, f: m.jax.jit(
        m.jax.vmap(m.jax.grad(lambda x: f(x).sum()))
    )(X),
    "grad-vmap": lambda m, f: m.jax.grad(lambda x: m.jax.vmap(f)(x).sum())(X),
    "scan": lambda m, f: m.lax.scan(lambda c, a: (f(c) + a, f(a)), X[0], X),
    "grad-scan": lambda m, f: m.jax.grad(
        lambda x: m.lax.scan(lambda c, a: (f(c) + a, None), x[0], x)[0].sum()
    )(X),
    "vmap-scan": lambda m, f: m.jax.vmap(
        lambda x: m.lax.scan(lambda c, a: (f(c) + a, c), x, X)
    )(Y),
    "while": lambda m, f: m.lax.fori_loop(0, 3, lambda i, c: f(c), X[0]),
    "cond": lambda m, f: m.jax.grad(
        lambda x: m.lax.cond(x.sum() > -9, f, lambda v: v, x).sum()
    )(X[0]),
    "checkpoint": lambda m, f: m.jax.grad(
        lambda x: m.jax.checkpoint(f)(x).sum()
    )(X[0]),
}


# The short ways to define rules differ from the long one in few transforms.
SHORT = ("jvp", "hessian", "jit-vmap-grad", "grad-scan")
PAIRS = [
    (name, transform)
    for name in FUNCTIONS
    for transform in TRANSFORMS
    if name in ("multiply_add", "sum_and_difference") or transform in SHORT
]


@pytest.mark.parametrize(("name", "transform"), PAIRS)
def test_as_jax(name, transform):
    def program(m):
        bind = MADE_BY[name](m)
        return TRANSFORMS[transform](
            m, lambda x: FUNCTIONS[name](m, bind, m.jnp.asarray(x))
        )

    same(program)


def test_jaxpr_shows_name_and_parameters():
    def program(m):
        f = sum_and_difference(m)
        return str(m.jax.make_jaxpr(lambda x: f(x, x, 3.0))(X))

    same(program)


def test_on_the_plugin():
    """Its lowering, in a program of another backend."""
    from cotan._src import devices

    search = devices.find_plugin("pjrt:cpu")
    if search.path is None:
        pytest.skip("no PJRT plugin for the CPU: " + "; ".join(search.tried))
    f = multiply_add(COTAN)

    def loss(x):
        return cnp.sum(f(x, cnp.sin(x), x))

    want = cotan.grad(loss)(X)
    got = cotan.jit(cotan.grad(loss), backend="pjrt:cpu")(X)
    assert "pjrt:cpu" in str(got.devices())
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_equal_parameters_share_a_program():
    """Programs are found again by the parameters, also unhashable ones."""
    p = Primitive("scaled")
    traces = []

    def lower(x, *, by):
        traces.append(by)
        return x * by["k"]

    p.def_abstract_eval(lambda x, *, by: x)
    mlir.register_lowering(p, mlir.lower_fun(lower, multiple_results=False))
    for k in (2.0, 3.0, 2.0, 3.0):
        out = cotan.jit(lambda x, k=k: p.bind(x, by={"k": k}))(X)
        np.testing.assert_allclose(out, X * k)
    assert len(traces) == 2


def test_apply_primitive():
    p = Primitive("twice")
    p.def_abstract_eval(lambda x: x)
    p.def_impl(lambda x: xla.apply_primitive(p, x))
    mlir.register_lowering(
        p, mlir.lower_fun(lambda x: x + x, multiple_results=False)
    )
    np.testing.assert_allclose(p.bind(X), 2 * X)


def test_rules_of_the_core_can_be_read():
    def program(m):
        jvp = m.ad.primitive_jvps[m.lax.mul_p]
        x, t = m.jnp.asarray(X), m.jnp.asarray(Y)
        zero = m.ad.Zero(m.ShapedArray(X.shape, np.dtype("float32")))
        undefined = m.ad.UndefinedPrimal(zero.aval)
        params = {"out_dtype": None}
        return [
            jvp((x, x), (t, zero), **params),
            m.ad.primitive_transposes[m.lax.mul_p](t, undefined, x, **params)[
                0
            ],
        ]

    same(program)


def test_batchers_of_the_core_can_be_read():
    batch = batching.primitive_batchers[cotan.lax.sin_p]
    out, dim = batch((cnp.asarray(X),), (1,), accuracy=None)
    assert dim == 1
    np.testing.assert_allclose(out, np.sin(X), rtol=1e-6)
    assert cotan.lax.sin_p in ad.primitive_jvps
    assert cotan.lax.sin_p not in ad.primitive_transposes


def test_threads_compile_one_program():
    """A lowering that runs Python inside a shared compilation."""
    f = cube(COTAN)
    g = cotan.jit(lambda x: f(x) + 1)
    out = [None] * 8

    def work(i):
        out[i] = np.asarray(g(X))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for y in out:
        np.testing.assert_allclose(y, X**3 + 1, rtol=1e-6)


# ---- what is missing or wrong says so


def bare(name="bare"):
    p = Primitive(name)
    p.def_impl(lambda x: x)
    p.def_abstract_eval(lambda x: x)
    return p


MISSING = {
    "evaluation": (
        lambda: Primitive("bare").bind(1.0),
        "Evaluation rule for 'bare' not implemented",
    ),
    "types": (
        lambda: cotan.make_jaxpr(Primitive("bare").bind)(1.0),
        "Abstract evaluation for 'bare' not implemented",
    ),
    "lowering": (
        lambda: cotan.jit(bare().bind)(1.0),
        "Lowering rule for 'bare' not implemented",
    ),
    "jvp": (
        lambda: cotan.jvp(bare().bind, (1.0,), (1.0,)),
        "Differentiation rule for 'bare' not implemented",
    ),
    "grad": (
        lambda: cotan.grad(bare().bind)(1.0),
        "Differentiation rule for 'bare' not implemented",
    ),
    "batch": (
        lambda: cotan.vmap(bare().bind)(X),
        "Batching rule for 'bare' not implemented",
    ),
}


@pytest.mark.parametrize("slot", MISSING)
def test_missing_rule(slot):
    run, message = MISSING[slot]
    with pytest.raises(NotImplementedError, match=message):
        run()


def test_missing_transpose():
    p = bare()
    ad.primitive_jvps[p] = lambda primals, tangents: (
        p.bind(*primals),
        p.bind(*tangents),
    )
    with pytest.raises(NotImplementedError, match=r"Transpose rule.*'bare'"):
        cotan.grad(p.bind)(1.0)


def wrong(rule):
    p = Primitive("wrong")
    p.def_abstract_eval(lambda x: ShapedArray(x.shape, x.dtype))
    p.def_impl(lambda x: x)
    rule(p)
    return p


def set_rule(table, rule):
    def register(p):
        table[p] = rule(p)

    return register


WRONG = {
    "type of a result": (
        lambda p: p.def_impl(lambda x: x[0]),
        lambda p: p.bind(X),
        r"result 0 of the evaluation rule is f32\[3\]; by abstract evaluation "
        r"it is f32\[2,3\]",
    ),
    "type of the lowering": (
        lambda p: mlir.register_lowering(
            p, mlir.lower_fun(lambda x: x.sum(), multiple_results=False)
        ),
        lambda p: cotan.jit(p.bind)(X),
        r"result 0 of the lowering rule is f32\[\]",
    ),
    "type of a tangent": (
        set_rule(
            ad.primitive_jvps, lambda p: lambda xs, ts: (xs[0], ts[0].sum())
        ),
        lambda p: cotan.jvp(p.bind, (X,), (X,)),
        r"tangent f32\[\] of a primal f32\[2,3\]",
    ),
    "pair of the jvp": (
        set_rule(ad.primitive_jvps, lambda p: lambda xs, ts: xs[0]),
        lambda p: cotan.jvp(p.bind, (X[0, 0],), (X[0, 0],)),
        r"\[wrong\] the jvp rule must give a pair",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_rule(what):
    register, run, message = WRONG[what]
    with pytest.raises(TypeError, match=message):
        run(wrong(register))


def test_batch_axis_out_of_range():
    p = wrong(
        set_rule(
            batching.primitive_batchers, lambda p: lambda xs, ds: (xs[0], 7)
        )
    )
    with pytest.raises(ValueError, match="put the batch axis at 7"):
        cotan.vmap(p.bind)(X)


def test_rules_of_the_core_cannot_be_replaced():
    with pytest.raises(NotImplementedError, match="'sin' is the core's"):
        ad.primitive_jvps[cotan.lax.sin_p] = lambda xs, ts: (xs, ts)
    with pytest.raises(NotImplementedError, match="lower_fun"):
        mlir.register_lowering(bare(), lambda ctx, x: x)
