"""Functions under names that a compiler may know."""

import re

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import errors, lax
from cotan.extend.core import jaxpr_as_fun
from tests.device import on_cpu

X = np.arange(1, 5, dtype=np.float32)


def scale(x, /, *, by, mode=None):
    return (x * by, cnp.sum(x)) if mode is None else (x, cnp.sum(x))


scaled = lax.composite(scale, name="my.scale", version=2)


def text_of(f, *args):
    return cotan.jit(f).lower(*args).as_text()


def attributes_of(value):
    f = lax.composite(lambda x, **_: x, "my.same")
    text = text_of(lambda x: f(x, a=value), X)
    return re.search(r"composite_attributes = \{a = (.*)\}, dec", text)[1]


def test_is_what_it_is_made_of():
    want = scale(X, by=3.0)
    for f in (scaled, cotan.jit(scaled, static_argnames="by")):
        for got, w in zip(f(X, by=3.0), want, strict=True):
            np.testing.assert_array_equal(got, w)
    rows = np.stack([X, X + 1])
    y, total = cotan.jit(cotan.vmap(lambda x: scaled(x, by=2)))(rows)
    np.testing.assert_array_equal(y, rows * 2)
    np.testing.assert_array_equal(total, rows.sum(1))
    y, total = cotan.vmap(lambda x: scaled(X, by=2), axis_size=3)(X[:3])
    assert y.shape == (3, 4) and total.shape == (3,)


def test_is_one_equation():
    closed = cotan.make_jaxpr(lambda x: scaled(x, by=3, mode="raw"))(X)
    (eqn,) = closed.eqns
    assert eqn.primitive is lax.composite_p and len(eqn.outvars) == 2
    assert eqn.params["name"] == "my.scale" and eqn.params["version"] == 2
    names = [name for name, _, _ in eqn.params["attributes"]]
    leaves = [leaves for _, leaves, _ in eqn.params["attributes"]]
    assert names == ["by", "mode"] and leaves == [(3,), ("raw",)]
    assert len(eqn.params["jaxpr"].eqns) == 1
    for got, want in zip(jaxpr_as_fun(closed)(X), (X, X.sum()), strict=True):
        np.testing.assert_array_equal(got, want)


def test_attributes_tell_composites_apart():
    f = lax.composite(lambda x, **_: x, "my.same")
    for a, b in [(1, 1.0), (0.0, -0.0), (np.ones(2), np.zeros(2)), (True, 1)]:
        x, y, z = (
            cotan.make_jaxpr(lambda x, v=v: f(x, a=v))(X)
            .eqns[0]
            .params["attributes"]
            for v in (a, b, a)
        )
        assert x != y and x == z and hash(x) == hash(z)
    with pytest.raises(TypeError, match=r"'a' of 'my\.same' must be hashable"):
        f(X, a=cnp.ones(2))


def test_stablehlo_names_it():
    text = text_of(lambda x: scaled(x, by=3), X)
    assert (
        '%0:2 = stablehlo.composite "my.scale" %arg0 {composite_attributes = '
        "{by = 3 : i64}, decomposition = @my.scale, version = 2 : i32} : "
        "(tensor<4xf32>) -> (tensor<4xf32>, tensor<f32>)"
    ) in text
    assert (
        "func.func private @my.scale(%arg0: tensor<4xf32>) -> "
        "(tensor<4xf32>, tensor<f32>) {"
    ) in text
    one = lax.composite(lambda: cnp.float32(1), "my.one")
    text = text_of(lambda: one())
    assert (
        'stablehlo.composite "my.one" {decomposition = @my.one} : () -> '
        "tensor<f32>"
    ) in text


def test_functions_of_one_name():
    f = lax.composite(lambda x: x * 2, "my.f")
    text = text_of(lambda x, n: (f(f(x)), f(n)), X, np.int32(1))
    assert text.count("decomposition = @my.f}") == 2
    assert text.count("decomposition = @my.f_0}") == 1
    assert text.count("func.func private") == 2
    # An equal function of another name is another composite.
    g = lax.composite(lambda x: x * 2, "my.g")
    text = text_of(lambda x: (f(x), g(x)), X)
    assert "private @my.f(" in text and "private @my.g(" in text


def test_stablehlo_of_attributes():
    for value, want in [
        (True, "true"),
        (2**40, "1099511627776 : i64"),
        (1.5, "1.500000e+00 : f64"),
        (float("inf"), "0x7FF0000000000000 : f64"),
        ('a"b\n', r'"a\22b\0A"'),
        (np.float32(0.1), "1.000000e-01 : f32"),
        (np.uint8(4), "4 : ui8"),
        (np.dtype("complex64"), "complex<f32>"),
        ((1, "x"), '[1, "x"]'),
        ({"b": (2,), "a": 1.0}, "{a = 1.000000e+00 : f64, b = [2]}"),
        (np.arange(3, dtype="i4"), "dense<[0, 1, 2]> : tensor<3xi32>"),
        (np.ones((1, 2), "f4"), "dense<1.000000e+00> : tensor<1x2xf32>"),
        (np.zeros((0, 2)), "dense<> : tensor<0x2xf64>"),
        (
            np.array([[1 + 2j], [0]], "c8"),
            "dense<[[(1.000000e+00,2.000000e+00)], "
            "[(0.000000e+00,0.000000e+00)]]> : tensor<2x1xcomplex<f32>>",
        ),
    ]:
        assert attributes_of(value) == want
    f = lax.composite(lambda x, **_: x, "my.same")
    with pytest.raises(NotImplementedError, match="attribute of type object"):
        text_of(lambda x: f(x, a=object()), X)
    assert "composite_attributes" not in text_of(lambda x: f(x, a=None), X)


def test_stablehlo_wants_a_namespace():
    for name in ("same", "my.", ".same", "my op.f", "1.f", "my..f"):
        f = lax.composite(lambda x: x, name)
        if on_cpu:  # plugins get StableHLO
            np.testing.assert_array_equal(f(X), X)
        with pytest.raises(ValueError, match="namespace, a dot and a name"):
            text_of(f, X)


def test_has_no_derivative_of_its_own():
    f = lax.composite(cnp.sin, "my.sin")
    for transformed in (
        lambda x: cotan.jvp(f, (x,), (x,)),
        cotan.grad(f),
        cotan.jit(cotan.grad(f)),
    ):
        with pytest.raises(ValueError, match="JVP rule for composite not"):
            transformed(1.0)

    g = cotan.custom_jvp(f)
    g.defjvps(lambda t, y, x: t * 7)
    assert cotan.grad(g)(1.0) == 7.0


def test_closed_over_values():
    y = cnp.asarray(X)
    f = lax.composite(lambda x: x * y, "my.times")
    np.testing.assert_array_equal(f(X), X * X)
    np.testing.assert_array_equal(cotan.jit(f)(X), X * X)
    assert "@my.times(%arg0: tensor<4xf32>, %arg1: tensor<4xf32>)" in text_of(
        f, X
    )

    @cotan.jit
    def closes(x, y):
        return lax.composite(lambda x: x * y, "my.times")(x)

    with pytest.raises(errors.UnexpectedTracerError, match="as a constant"):
        closes(X, X)
    f = lax.composite(lambda x, **_: x, "my.same")
    with pytest.raises(errors.UnexpectedTracerError, match="numpy arrays"):
        cotan.jit(lambda x: f(x, a=x))(X)


def test_effects_stay():
    seen = []

    def show(x):
        cotan.debug.callback(lambda v: seen.append(float(v)), x, ordered=True)
        return x

    f = cotan.jit(lambda x: lax.composite(show, "my.show")(x) * 2)
    assert f(3.0) == 6.0
    cotan.effects_barrier()
    assert seen == [3.0]
