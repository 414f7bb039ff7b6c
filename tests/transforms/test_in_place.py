"""Arrays that a loop carries are updated where they are: a step costs what it
changes. The compiled program says of each carry whether it has two places, of
which one is copied or swapped at every step."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from tests import device

N = 100
START = np.arange(N, dtype=np.float32)


def put(x, i, value):
    return lax.dynamic_update_slice(x, value, (i,))


def get(x, i, n=1):
    return lax.dynamic_slice(x, (i,), (n,))


# name: (a step in cotan, the same in NumPy)
STEPS = {
    "set a constant": (
        lambda i, x: x.at[i].set(3.0),
        lambda i, x: x.__setitem__(i, 3.0),
    ),
    "add to an element": (
        lambda i, x: x.at[i].add(2.0),
        lambda i, x: x.__setitem__(i, x[i] + 2),
    ),
    "multiply an element": (
        lambda i, x: x.at[i].multiply(2.0),
        lambda i, x: x.__setitem__(i, x[i] * 2),
    ),
    "set from another element": (
        lambda i, x: x.at[i].set(x[i + 7] + 1),
        lambda i, x: x.__setitem__(i, x[i + 7] + 1),
    ),
    "set from a fixed element": (
        lambda i, x: x.at[i].set(x[3] + x[i]),
        lambda i, x: x.__setitem__(i, x[3] + x[i]),
    ),
    "set from all elements": (
        lambda i, x: x.at[i].set(x.sum() / 1000),
        lambda i, x: x.__setitem__(i, x.sum() / 1000),
    ),
    "copy a window": (
        lambda i, x: put(x, i, get(x, i + 5, 9)),
        lambda i, x: x.__setitem__(slice(i, i + 9), x[i + 5 : i + 14].copy()),
    ),
    "reverse a window": (
        lambda i, x: put(x, i, lax.rev(get(x, i, 6), (0,))),
        lambda i, x: x.__setitem__(slice(i, i + 6), x[i : i + 6][::-1].copy()),
    ),
    "update a window": (
        lambda i, x: put(x, i, get(x, i, 6) * 2 - 1),
        lambda i, x: x.__setitem__(slice(i, i + 6), x[i : i + 6] * 2 - 1),
    ),
    "a fixed window": (
        lambda i, x: x.at[0].set(x[1] + 1),
        lambda i, x: x.__setitem__(0, x[1] + 1),
    ),
    "swap two elements": (
        lambda i, x: x.at[i].set(x[i + 2]).at[i + 2].set(x[i]),
        lambda i, x: x.__setitem__([i, i + 2], x[[i + 2, i]]),
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_carry_is_updated_in_place(name):
    step, reference = STEPS[name]
    f = cotan.jit(lambda x: lax.fori_loop(0, 40, step, x))
    expected = START.copy()
    for i in range(40):
        reference(i, expected)
    np.testing.assert_allclose(f(START), expected, rtol=1e-5)
    if not device.on_cpu:  # what follows is about our own programs
        return
    program = f.lower(START).compile().as_text()
    assert "loop 40" in program
    assert "carry 1 has two places" not in program
    assert "call scatter" not in program


def test_a_reader_of_the_old_value_comes_before_the_update():
    def step(x, i):
        y = x.at[i].set(-1.0)
        return y, (x[i + 1] * 2 + y[i - 1], x[:3].sum())

    def f(x):
        return lax.scan(step, x, cnp.arange(1, 41))

    x, rows = START.copy(), []
    for i in range(1, 41):
        old = x.copy()
        x[i] = -1
        rows.append((old[i + 1] * 2 + x[i - 1], old[:3].sum()))
    y, (a, b) = cotan.jit(f)(START)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(a, [r[0] for r in rows])
    np.testing.assert_array_equal(b, [r[1] for r in rows])
    program = cotan.jit(f).lower(START).compile().as_text()
    assert "two places" not in program


def test_both_versions_live_on():
    """The old array is a result too: nothing may be written over it."""

    def step(i, c):
        x, _ = c
        return x.at[i].set(x[i + 1] * 3), x

    x, kept = START.copy(), START
    for i in range(40):
        kept = x.copy()
        x[i] = x[i + 1] * 3
    y, old = cotan.jit(lambda x: lax.fori_loop(0, 40, step, (x, x)))(START)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(old, kept)


MODES = [None, "drop", "clip", "promise_in_bounds", "fill"]
METHODS = ["set", "add", "subtract", "multiply", "min", "max"]


def modified(x, index, method, y):
    ufunc = {
        "set": lambda a, b: b,
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "min": np.minimum,
        "max": np.maximum,
    }[method]
    x[index] = ufunc(x[index], y)
    return x


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "int8", "complex64", "bfloat16"])
def test_one_window_of_a_matrix(method, dtype):
    if dtype == "complex64" and method in ("min", "max"):
        pytest.skip("complex numbers have no order in cotan.lax")
    x = np.arange(12).reshape(4, 3).astype(getattr(cnp, dtype))
    y = np.array([3, 0, 2]).astype(x.dtype)
    f = cotan.jit(lambda x, i, y: getattr(x.at[i], method)(y))
    g = cotan.jit(lambda x, i, j: getattr(x.at[i, j], method)(x[0, 2]))
    assert "call scatter" not in f.lower(x, 1, y).compile().as_text()
    for i in (0, 3, -1, -4):
        expected = modified(x.copy(), i, method, y)
        np.testing.assert_array_equal(f(x, i, y), expected)
        expected = modified(x.copy(), (i, 1), method, x[0, 2])
        np.testing.assert_array_equal(g(x, i, 1), expected)
    for i in (4, 100, -5):
        np.testing.assert_array_equal(f(x, i, y), x)
        np.testing.assert_array_equal(g(x, 0, i), x)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
def test_one_window_outside(mode, method):
    x = np.arange(5, dtype=np.float32)
    for i in (-9, -6, -1, 4, 5, 2**31 - 1):
        got = cotan.jit(lambda x, i: getattr(x.at[i], method)(7, mode=mode))(
            x, i
        )
        at = i + 5 if i < 0 else i
        if mode == "clip":
            at = min(max(at, 0), 4)
        expected = x
        if 0 <= at < 5:
            expected = modified(x.copy(), at, method, 7)
        np.testing.assert_array_equal(got, expected)


def test_nan_in_one_window():
    x = np.array([1, np.nan, 3], np.float32)
    for method in ("min", "max", "add", "multiply"):
        f = cotan.jit(lambda x, i, y, m=method: getattr(x.at[i], m)(y))
        assert np.isnan(f(x, 0, np.nan)[0])
        assert np.isnan(f(x, 1, 0)[1])


@pytest.mark.parametrize("method", METHODS)
def test_derivatives_of_one_window(method):
    def f(x, y, index):
        return (getattr(x.at[index], method)(y, unique_indices=True) ** 2).sum()

    x, y = np.linspace(-1, 1, 6).astype(np.float32), cnp.float32(0.4)
    one = cotan.jit(cotan.grad(f, (0, 1)))(x, y, 2)
    several = cotan.grad(f, (0, 1))(x, y, np.arange(6) == 2)
    for a, b in zip(one, several, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
