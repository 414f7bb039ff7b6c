"""Jaxprs in Python: reading, evaluating, interpreting, building."""

from __future__ import annotations

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from cotan._src import jaxprs
from cotan.core import ClosedJaxpr, DropVar, Jaxpr, Literal, ShapedArray, Var
from tests.extend.libraries import same
from tests.ops.case import arrays, call
from tests.ops.test_matrix import CASES

PROGRAMS = {
    "arithmetic": lambda m, x: m.jnp.tanh(m.jnp.exp(x) * 2.0 + 1),
    "constants": lambda m, x: x + np.arange(3, dtype=np.float32),
    "dot": lambda m, x: m.lax.dot(x, x),
    "reduce": lambda m, x: (x.sum(), x.max(0), m.jnp.argmax(x)),
    "pad": lambda m, x: m.lax.pad(x, 0.0, [(1, 2, 1)]),
    "slice": lambda m, x: m.lax.slice(x, (1,), (3,)),
    "strided": lambda m, x: m.lax.slice(x, (0,), (3,), (2,)),
    "shape": lambda m, x: m.lax.broadcast_in_dim(
        m.lax.reshape(x, (3, 1)), (2, 3, 1), (1, 2)
    ),
    "iota": lambda m, x: x + m.lax.iota(np.float32, 3),
    "convert": lambda m, x: m.lax.convert_element_type(x, np.int32),
    "sort": lambda m, x: m.lax.sort(x),
    "cumsum": lambda m, x: m.lax.cumsum(x, reverse=True),
    "round": lambda m, x: m.lax.round(x),
    "power": lambda m, x: x**3,
    "window": lambda m, x: m.lax.reduce_window(
        x, 0.0, m.lax.add, (2,), (1,), "VALID"
    ),
    "conv": lambda m, x: m.lax.conv(
        x.reshape(1, 1, 3, 1), x[:2].reshape(1, 1, 2, 1), (1, 1), "SAME"
    ),
    "scan": lambda m, x: m.lax.scan(lambda c, a: (c * a, c), x[0], x),
    "while": lambda m, x: m.lax.while_loop(
        lambda c: c.sum() < 9.0, lambda c: c + 1, x
    ),
    "cond": lambda m, x: m.lax.cond(
        x.sum() > 0, lambda c: c, lambda c: c + 1, x
    ),
    "jit": lambda m, x: m.jax.jit(lambda y: y + 1)(x),
}
X = np.array([0.5, -1.5, 2.0], np.float32)

# The parameters of these differ for a reason: an update's jaxpr, a layout.
_SKIPPED_PARAMS = {
    "in_shardings",
    "out_shardings",
    "in_layouts",
    "out_layouts",
    "donated_invars",
    "ctx_mesh",
    "compiler_options_kvs",
    "name",
}


def _params(eqn):
    out = []
    for key, value in sorted(eqn.params.items()):
        if key in _SKIPPED_PARAMS:
            continue
        if hasattr(value, "eqns") or key == "branches":
            text = "jaxpr"
        else:
            text = str(value)
        out.append(f"{key}={text}")
    return out


@pytest.mark.parametrize("name", PROGRAMS)
def test_equations_are_those_of_jax(name):
    """Names, parameters, types and literals of every equation."""

    def program(m):
        closed = m.jax.make_jaxpr(lambda x: PROGRAMS[name](m, x))(X)
        out = [str(len(closed.jaxpr.constvars)), *map(str, closed.in_avals)]
        for e in closed.eqns:
            out += [e.primitive.name, *_params(e)]
            out += [str(v.aval) for v in e.outvars]
            out += [type(v).__name__ for v in [*e.invars, *e.outvars]]
            out += [
                str(float(v.val))
                for v in e.invars
                if type(v).__name__ == "Literal"
            ]
        return out

    same(program)


@pytest.mark.parametrize("name", PROGRAMS)
def test_eval_jaxpr(name):
    def program(m):
        closed = m.jax.make_jaxpr(lambda x: PROGRAMS[name](m, x))(X)
        return m.jax.core.eval_jaxpr(closed.jaxpr, closed.consts, X + 1)

    same(program)


rebound = [c for c in CASES if not c.primitive.startswith("custom_lin")]


@pytest.mark.parametrize("case", rebound, ids=repr)
def test_binding_what_an_equation_says(case):
    """For every case of the matrix: interpreting its jaxpr in Python, with
    parameters out and in again, records the same jaxpr."""
    with cotan.enable_x64():
        args = arrays(case.make(case.main_dtype))
        first = cotan.make_jaxpr(lambda *xs: call(case, xs))(*args)
        again = cotan.make_jaxpr(
            lambda *xs: jaxprs.interpret(first.jaxpr, first.consts, xs)
        )(*args)
    assert str(first) == str(again)
    assert first == again


def test_variables():
    closed = cotan.make_jaxpr(lambda x: (x * 2, lax.sort((x, x))[0]))(X)
    jaxpr = closed.jaxpr
    assert isinstance(closed, ClosedJaxpr) and isinstance(jaxpr, Jaxpr)
    assert closed.jaxpr is jaxpr
    (x,) = jaxpr.invars
    mul, sort = jaxpr.eqns
    assert mul.invars[0] is x and isinstance(x, Var)
    assert {x: 1}[mul.invars[0]] == 1
    assert jaxpr.outvars[0] is mul.outvars[0]
    assert x != mul.outvars[0]
    assert isinstance(sort.outvars[1], DropVar)
    literal = mul.invars[1]
    assert isinstance(literal, Literal) and literal.val == 2.0
    with pytest.raises(TypeError, match="unhashable"):
        hash(literal)
    assert x.aval == ShapedArray((3,), np.dtype("float32"))
    assert "test_jaxprs.py" in str(mul.source_info)


def test_return_shape():
    def program(m):
        closed, shapes = m.jax.make_jaxpr(
            lambda x: {"a": x.sum(), "b": (x, 1)}, return_shape=True
        )(X)
        return [
            str(closed.out_avals),
            *[f"{s.shape} {s.dtype}" for s in m.jax.tree.leaves(shapes)],
        ]

    same(program)


def inverse(m, fun):
    """JAX's tutorial: an interpreter that runs equations backwards."""
    registry = {"exp": m.jnp.log, "tanh": m.jnp.arctanh}

    def inverted(*args):
        closed = m.jax.make_jaxpr(fun)(*args)
        env = {}

        def read(v):
            return v.val if type(v) is m.core.Literal else env[v]

        jaxpr = closed.jaxpr
        env.update(zip(jaxpr.outvars, args, strict=True))
        env.update(zip(jaxpr.constvars, closed.literals, strict=True))
        for eqn in jaxpr.eqns[::-1]:
            if eqn.primitive.name not in registry:
                raise NotImplementedError(eqn.primitive)
            out = registry[eqn.primitive.name](*map(read, eqn.outvars))
            env[eqn.invars[0]] = out
        return read(jaxpr.invars[0])

    return inverted


def test_inverse_interpreter():
    def program(m):
        def f(x):
            return m.jnp.exp(m.jnp.tanh(x))

        inv = inverse(m, f)
        ys = (m.jnp.arange(5) + 1.0) / 5.0
        return [
            inv(f(1.0)),
            m.jax.jit(m.jax.vmap(m.jax.grad(inv)))(ys[:4]),
            str(m.jax.make_jaxpr(inv)(f(1.0))),
        ]

    same(program)


def test_interpreter_over_control_flow():
    """Counts the multiplications, loops included."""

    def count(jaxpr):
        n = 0
        for eqn in jaxpr.eqns:
            inside = sum(
                count(j) for j in cotan.core.jaxprs_in_params(eqn.params)
            )
            n += inside * eqn.params.get("length", 1)
            n += eqn.primitive.name == "mul"
        return n

    def f(x):
        y, _ = lax.scan(lambda c, a: (c * a, None), x[0], x)
        return lax.cond(y > 0, lambda v: v * v * v, lambda v: v, y)

    assert count(cotan.make_jaxpr(f)(X).jaxpr) == 5


def test_rewriting():
    """sin becomes cos: in the equations, in a copy, under jit and grad."""

    def rewritten(f, *args):
        closed = cotan.make_jaxpr(f)(*args)
        eqns = [
            e.replace(primitive=lax.cos_p) if e.primitive is lax.sin_p else e
            for e in closed.eqns
        ]
        new = closed.replace(jaxpr=closed.jaxpr.replace(eqns=eqns))
        return lambda *xs: cotan.core.jaxpr_as_fun(new)(*xs)[0]

    g = rewritten(lambda x: cnp.sum(cnp.sin(x) * np.arange(3.0)), X)
    want = np.sum(np.cos(X) * np.arange(3.0))
    np.testing.assert_allclose(g(X), want, rtol=1e-6)
    np.testing.assert_allclose(cotan.jit(g)(X), want, rtol=1e-6)
    np.testing.assert_allclose(
        cotan.grad(g)(X), -np.sin(X) * np.arange(3.0), rtol=1e-6
    )


def test_built_by_hand():
    aval = ShapedArray((), np.dtype("float32"))
    x, y, z = Var(aval), Var(aval), Var(aval)
    eqns = [
        cotan.core.new_jaxpr_eqn([x, x], [y], lax.mul_p, {}),
        cotan.core.new_jaxpr_eqn([y, Literal(1.0, aval)], [z], lax.add_p, {}),
    ]
    jaxpr = Jaxpr([], [x], [z], eqns)
    cotan.core.check_jaxpr(jaxpr)
    assert cotan.core.eval_jaxpr(jaxpr, [], np.float32(3))[0] == 10
    closed = ClosedJaxpr(jaxpr, [])
    assert closed.eval([cnp.float32(2)])[0] == 5
    assert str(jaxpr) == (
        "{ lambda ; a:f32[]. let b:f32[] = mul a a; "
        "c:f32[] = add b 1.0:f32[] in (c,) }"
    )


def test_a_loop_with_another_body():
    """A sub-jaxpr built in Python serves as the parameter of a loop."""
    closed = cotan.make_jaxpr(
        lambda x: lax.scan(lambda c, a: (c + a, c), 0.0, x)[0]
    )(X)
    (scan,) = [e for e in closed.eqns if e.primitive.name == "scan"]
    body = scan.params["jaxpr"]
    eqns = [
        e.replace(primitive=lax.mul_p) if e.primitive is lax.add_p else e
        for e in body.eqns
    ]
    product = body.replace(jaxpr=body.jaxpr.replace(eqns=eqns))
    out, _ = lax.scan_p.bind(1.0, X, **dict(scan.params, jaxpr=product))
    np.testing.assert_allclose(out, np.prod(X))


BAD = {
    "unknown parameter": (
        lambda: lax.sin_p.bind(1.0, angle=2),
        TypeError,
        "primitive 'sin' takes no parameters, got 'angle'",
    ),
    "missing parameter": (
        lambda: lax.dot_general_p.bind(X, X),
        TypeError,
        "primitive 'dot_general' needs the parameter 'dimension_numbers'",
    ),
    "unsupported parameter": (
        lambda: lax.sin_p.bind(1.0, accuracy="high"),
        NotImplementedError,
        "'sin': accuracy='high' is not supported",
    ),
    "operand": (
        lambda: lax.sin_p.bind("x"),
        TypeError,
        "'x' of type <class 'str'>",
    ),
    "rule of the core": (
        lambda: lax.sin_p.def_impl(np.sin),
        NotImplementedError,
        "'sin' is the core's",
    ),
    "arguments": (
        lambda: cotan.core.eval_jaxpr(
            cotan.make_jaxpr(cnp.sin)(1.0).jaxpr, [], 1.0, 2.0
        ),
        TypeError,
        "expected 1 arguments, got 2",
    ),
    "undefined": (
        lambda: cotan.core.check_jaxpr(
            Jaxpr([], [], [Var(ShapedArray((), np.dtype("float32")))], [])
        ),
        TypeError,
        "used before its definition",
    ),
    "absent": (
        lambda: lax.mulhi_p,
        AttributeError,
        "has no attribute 'mulhi_p'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    run, error, message = BAD[name]
    with pytest.raises(error, match=message):
        run()
