"""The linear functions that vjp, linearize and linear_transpose return: values
like any other, and what they refuse."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan.tree_util import tree_leaves, tree_map


def _f(x, y):
    return cnp.sin(x) * y, x * x


X = np.array([0.5, 1.5], np.float32)
Y = np.array([2.0, -1.0], np.float32)
CT = (np.array([1.0, 3.0], np.float32), np.array([-2.0, 0.5], np.float32))


def _want_vjp():
    return (CT[0] * np.cos(X) * Y + CT[1] * 2 * X, CT[0] * np.sin(X))


def test_vjp_function_leaves_and_enters_jit():
    value, pull = cotan.jit(lambda x, y: cotan.vjp(_f, x, y))(X, Y)
    np.testing.assert_allclose(value[1], X * X, rtol=1e-6)
    for got, want in zip(pull(CT), _want_vjp(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)
    apply = cotan.jit(lambda pull, ct: pull(ct))
    for got, want in zip(apply(pull, CT), _want_vjp(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_vjp_function_of_other_values_is_no_new_trace():
    traces = []

    @cotan.jit
    def apply(pull, ct):
        traces.append(1)
        return pull(ct)

    for scale in (1.0, 2.0):
        _, pull = cotan.vjp(_f, scale * X, Y)
        got = apply(pull, CT)[1]
        np.testing.assert_allclose(got, CT[0] * np.sin(scale * X), rtol=1e-6)
    assert len(traces) == 1


def test_vjp_function_maps_over_its_residuals():
    _, pull = cotan.vmap(lambda x: cotan.vjp(cnp.sin, x))(X)
    got = cotan.vmap(lambda f, ct: f(ct)[0])(pull, CT[0])
    np.testing.assert_allclose(got, CT[0] * np.cos(X), rtol=1e-6)


def test_vjp_function_is_a_pytree():
    _, pull = cotan.vjp(cnp.sin, X)
    assert len(tree_leaves(pull)) == 1
    doubled = tree_map(lambda r: 2 * r, pull)
    np.testing.assert_allclose(
        doubled(CT[0])[0], 2 * CT[0] * np.cos(X), rtol=1e-6
    )


def test_vjp_function_keeps_aux_out_of_its_cotangents():
    def with_aux(x):
        return cnp.sin(x), {"double": 2 * x}

    _, pull, aux = cotan.jit(lambda x: cotan.vjp(with_aux, x, has_aux=True))(X)
    np.testing.assert_allclose(aux["double"], 2 * X)
    np.testing.assert_allclose(pull(CT[0])[0], CT[0] * np.cos(X), rtol=1e-6)


def test_grad_through_a_vjp_function_that_left_jit():
    def f(x):
        _, pull = cotan.jit(lambda x: cotan.vjp(cnp.sin, x))(x)
        return pull(cnp.float32(1.0))[0]

    x = np.float32(0.7)
    np.testing.assert_allclose(cotan.grad(f)(x), -np.sin(x), rtol=1e-6)


def test_linearized_function_leaves_and_enters_jit():
    _, f_jvp = cotan.jit(lambda x, y: cotan.linearize(_f, x, y))(X, Y)
    want = (np.cos(X) * Y * CT[0] + np.sin(X) * CT[1], 2 * X * CT[0])
    for run in (lambda f, *t: f(*t), cotan.jit(lambda f, *t: f(*t))):
        for got, w in zip(run(f_jvp, *CT), want, strict=True):
            np.testing.assert_allclose(got, w, rtol=1e-6)


def test_transposed_function_leaves_jit_with_its_constants():
    transposed = cotan.jit(
        lambda y: cotan.linear_transpose(lambda x: x * y, X)
    )(Y)
    np.testing.assert_allclose(transposed(CT[0])[0], CT[0] * Y)


def test_transpose_of_integers():
    (got,) = cotan.linear_transpose(lambda x: 2 * x, 1)(3)
    assert got.dtype.kind == "i" and int(got) == 6
    m = np.arange(6, dtype=np.int32).reshape(2, 3)
    t = cotan.linear_transpose(lambda x: m @ x, np.zeros(3, np.int32))
    v = np.array([1, -2], np.int32)
    np.testing.assert_array_equal(t(v)[0], v @ m)


def test_transpose_refuses_floats_of_integers():
    with pytest.raises(TypeError, match="linear_transpose only supports"):
        cotan.linear_transpose(lambda x: 2.0 * x, 1)


@pytest.mark.parametrize("wrap", [cotan.jit, cotan.checkpoint])
def test_transpose_of_a_call_skips_outputs_nobody_asked_for(wrap):
    f = wrap(lambda x: (2 * x, x > 0))
    (got,) = cotan.linear_transpose(lambda x: f(x)[0], 1.0)(1.5)
    assert float(got) == 3.0


@pytest.mark.parametrize("wrap", [cotan.jit, cotan.checkpoint])
def test_transpose_of_a_call_with_known_operands_anywhere(wrap):
    f = wrap(lambda a, x, b, y: (a * x + b * y, x))
    t = cotan.linear_transpose(lambda x, y: f(2.0, x, 5.0, y), 0.0, 0.0)
    assert [float(c) for c in t((1.0, 10.0))] == [12.0, 5.0]


def test_vjp_function_refuses_wrong_arguments():
    def pair(x):
        return x, x

    _, pull = cotan.vjp(pair, 1.0)
    with pytest.raises(TypeError, match="applied to pair was called with 2"):
        pull(1.0, 1.0)
    with pytest.raises(ValueError, match="unexpected tree structure"):
        pull(1.0)
    with pytest.raises(ValueError, match=r"got float32\[2\], but expected"):
        pull((1.0, X))


def test_linearized_function_refuses_wrong_types():
    message = "tangent values inconsistent with the original primal values"
    _, f_jvp = cotan.linearize(lambda x: x, 1.0)
    with pytest.raises(ValueError, match=message):
        f_jvp(1)
    with pytest.raises(ValueError, match=message):
        f_jvp(X)
    _, f_jvp = cotan.linearize(cnp.sum, np.array([1, 2, 3]))
    with pytest.raises(ValueError, match=message):
        f_jvp(X)
    assert f_jvp(np.zeros(3, cotan.float0)).dtype == cotan.float0
