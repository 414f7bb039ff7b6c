"""Objects with `__jax_array__` are arrays to the functions of cotan.numpy."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp


class Wrapped:
    def __init__(self, x):
        self.x = cnp.asarray(x)

    def __jax_array__(self):
        return self.x


W = Wrapped(np.arange(6.0).reshape(2, 3))
V = Wrapped(np.array([0.0, 2.0, 0.0]))
AT = Wrapped(np.array([1]))


@pytest.mark.parametrize(
    "function, want",
    [
        (lambda: cnp.sin(V), np.sin([0.0, 2, 0])),
        (lambda: cnp.add(V, 1), [1.0, 3, 1]),
        (lambda: cnp.concatenate([V, V]), [0, 2, 0, 0, 2, 0]),
        (lambda: cnp.roll(V, AT), [0, 0, 2]),
        (lambda: cnp.roll(W, Wrapped(np.array([1, 1])), (0, 1))[0, 0], 5),
        (lambda: cnp.delete(V, AT), [0, 0]),
        (lambda: cnp.trim_zeros(V), [2]),
        (lambda: cnp.tril_indices_from(W)[0], [0, 1, 1]),
        (lambda: cnp.triu_indices_from(W)[1], [0, 1, 2, 1, 2]),
        (lambda: cnp.iscomplexobj(Wrapped(1j)), True),
        (lambda: cnp.isscalar(Wrapped(1.0)), True),
        (lambda: cnp.isscalar(V), False),
        (lambda: cotan.jit(lambda x: x + 1)(V), [1, 3, 1]),
        (lambda: cotan.grad(lambda x: (x * x).sum())(V), [0, 4, 0]),
    ],
)
def test_functions_take_them(function, want):
    np.testing.assert_allclose(function(), want, rtol=1e-6)
