"""The programs that the project started from; only the imports are ours."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import grad, jit


def test_jit_of_squares(capsys):
    @jit
    def square_array(x):
        return x**2

    print(square_array(cnp.array([1, 2, 3, 4])))
    assert capsys.readouterr().out == "[ 1  4  9 16]\n"


def test_grad_of_a_polynomial(capsys):
    def f(x):
        return x**2 + 2 * x + 1

    print(grad(f)(3.0))
    print(grad(grad(f))(3.0))
    assert capsys.readouterr().out == "8.0\n2.0\n"


def test_arrays_are_immutable():
    arr = cnp.array([1, 2, 3, 4])
    with pytest.raises(TypeError, match=r"\.at"):
        arr[0] = 10
    np.testing.assert_array_equal(arr.at[0].set(10), [10, 2, 3, 4])
    np.testing.assert_array_equal(arr, [1, 2, 3, 4])


def test_a_network_learns():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((128, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.float32)
    params = [
        (rng.standard_normal((2, 16)).astype(np.float32), np.zeros(16, "f")),
        (rng.standard_normal((16, 1)).astype(np.float32), np.zeros(1, "f")),
    ]

    def loss(params, x, y):
        (w1, b1), (w2, b2) = params
        z = (cnp.tanh(x @ w1 + b1) @ w2 + b2)[:, 0]
        return cnp.mean(cnp.logaddexp(0.0, z) - y * z)

    @jit
    def step(params, x, y):
        value, g = cotan.value_and_grad(loss)(params, x, y)
        return cotan.tree.map(lambda p, d: p - 0.5 * d, params, g), value

    first = float(loss(params, x, y))
    for _ in range(300):
        params, value = step(params, x, y)
    assert float(value) < 0.3 * first
    assert step._cache_size() <= 2  # NumPy arrays in, then Arrays
