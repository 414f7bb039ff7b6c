"""`ds`: indices of a static extent whose start may be traced."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import ds
from tests.scipy import beside_jax

X = np.arange(24, dtype=np.float32).reshape(4, 6)


def both(function, start):
    """The result with a static and with a traced start."""
    static, traced = function(start), cotan.jit(function)(start)
    np.testing.assert_array_equal(static, traced)
    return np.asarray(static)


@pytest.mark.parametrize(
    "function, want",
    [
        (lambda i: cnp.asarray(X)[ds(i, 2)], X[1:3]),
        (lambda i: cnp.asarray(X)[ds(i, 2), ::-1], X[1:3, ::-1]),
        (lambda i: cnp.asarray(X)[..., ds(i, 3)], X[..., 1:4]),
        (lambda i: cnp.asarray(X)[None, ds(i, 2), i], X[None, 1:3, 1]),
        (lambda i: cnp.asarray(X)[:, ds(i, 2, 3)], X[:, 1:7:3]),
        (lambda i: cnp.asarray(X)[ds(i, 0)], X[:0]),
        (lambda i: cnp.asarray(X)[ds(i, 2), [0, 2]], X[1:3, [0, 2]]),
        (lambda i: cnp.asarray(X)[[0, 3, 3], ds(i, 2)], X[[0, 3, 3], 1:3]),
        (lambda i: cnp.asarray(X).at[ds(i, 2)].get(), X[1:3]),
    ],
)
def test_reading(function, want):
    np.testing.assert_array_equal(both(function, 1), want)


def test_writing():
    want = X.copy()
    want[1:3, 2:4] += 10
    got = both(lambda i: cnp.asarray(X).at[ds(i, 2), ds(i + 1, 2)].add(10), 1)
    np.testing.assert_array_equal(got, want)
    want = X.copy()
    want[:, [1, 3]] = -1
    got = both(lambda i: cnp.asarray(X).at[:, ds(i, 2, 2)].set(-1), 1)
    np.testing.assert_array_equal(got, want)


def test_outside_of_the_array():
    x = cnp.arange(10)
    assert both(lambda i: x[ds(i, 5)], 8).tolist() == [5, 6, 7, 8, 9]
    assert both(lambda i: x[ds(i, 2)], -3).tolist() == [7, 8]
    np.testing.assert_array_equal(both(lambda i: x.at[ds(i, 3)].set(0), 8), x)
    filled = both(lambda i: x.at[ds(i, 3)].get(mode="fill", fill_value=-1), 8)
    assert filled.tolist() == [-1, -1, -1]


def test_short_forms_and_trees():
    x = cnp.arange(10)
    assert ds(None) == slice(None) and x[ds(3)].tolist() == [0, 1, 2]
    assert repr(ds(1, 3)) == "Slice(start=1, size=3, stride=1)"
    assert cotan.tree_util.tree_leaves(ds(1, 3)) == []
    got = cotan.jit(lambda i: cotan.jit(lambda s: x[s])(ds(i, 2)))(4)
    assert got.tolist() == [4, 5]


def test_one_dynamic_slice_is_traced():
    j = cotan.make_jaxpr(lambda x, i: x[ds(i, 2)])(cnp.arange(10), 3)
    assert str(j).count("dynamic_slice") == 1 and "gather" not in str(j)


@pytest.mark.parametrize(
    "function, error, text",
    [
        (lambda i: X[0] + cnp.arange(6)[ds(0, i)], TypeError, "static"),
        (lambda i: cnp.arange(6)[ds(i, 7)], TypeError, "does not fit"),
        (lambda i: cnp.arange(6)[ds(i, -1)], ValueError, "negative"),
        (lambda i: cnp.arange(6)[ds(i, 2, -1)], ValueError, "stride"),
        (lambda i: cnp.arange(6)[ds(i * 1.5, 2)], TypeError, "integer"),
        (lambda i: cnp.arange(6)[ds(i, 2), 0], IndexError, "Too many"),
    ],
)
def test_errors(function, error, text):
    with pytest.raises(error, match=text):
        cotan.jit(function)(2)


def test_beside_jax():
    jax = pytest.importorskip("jax")
    table = """
    x[api.ds(2, 3)]
    api.vmap(lambda i: x[api.ds(i, 3)])(np.array([1, 5]))
    api.vmap(lambda i: x.at[api.ds(i, 3)].set(y[:3]))(np.array([1, 5, 8, -2]))
    x.at[api.ds(1, 4)].multiply(y[:4])
    x.at[api.ds(1, 3, 2)].add(y[:3])
    x[api.ds(np.int8(4), 6)]
    """
    rng = np.random.default_rng(0)
    operands = {n: rng.normal(size=10).astype("f4") for n in "xy"}
    beside_jax.check(jax, table, operands)
