"""General reductions, ragged products, approximate extremes, beside JAX."""

import numpy as np
import pytest

import cotan
from tests.scipy import beside_jax

jax = pytest.importorskip("jax")

RNG = np.random.RandomState(4)
OPERANDS = {
    "x": RNG.randn(4, 5, 3).astype("f4"),
    "i": RNG.randint(0, 9, (4, 5, 3)).astype("i4"),
    "a": RNG.randn(7, 3).astype("f4"),
    "b": RNG.randn(3, 3, 2).astype("f4"),
    "c": RNG.randn(2, 7, 3).astype("f4"),
    "d": RNG.randn(2, 3, 3, 4).astype("f4"),
    "e": RNG.randn(7, 4).astype("f4"),
    "f": RNG.randn(2, 3, 4, 5).astype("f4"),
    "h": RNG.randn(3, 5, 2, 2).astype("f4"),
    "gf": RNG.randint(0, 3, (3, 2, 2)).astype("i4"),
    "gb": np.array([[2, 0, 4], [1, 3, 3]], "i4"),
    "g": np.array([2, 0, 4], "i4"),
}

# The order of a reduction is not specified: associative functions only.
# JAX does not differentiate general reductions.
CASES = """
lax.reduce(x, np.float32(0), lambda a, b: lax.max(a, b) + 0, (0, 2))  # value
lax.reduce(i, np.int32(0), lambda a, b: (a + b) % 7, (1,))  # value
lax.reduce(x, np.float32(1), lambda a, b: jnp.maximum(a, -b * 0 + b), ())  # value
lax.reduce((x, i), (np.float32(-9), np.int32(0)), pick, (0,))  # value
lax.reduce((x, i), (np.float32(-9), np.int32(0)), pick, (0, 1, 2))  # value
lax.reduce(x > 0, np.bool_(True), lambda a, b: ~(a ^ b), (1,))  # value
api.vmap(lambda v: lax.reduce(v, np.float32(0), lambda a, b: lax.max(a, b) + 0, (0,)))(x)  # value
lax.ragged_dot(a, b, g)
lax.ragged_dot(a, b, np.array([3, 3, 1], 'i4'))
lax.ragged_dot(a, b, g, preferred_element_type=np.float32)
lax.ragged_dot_general(c, d, g, numbers((((2,), (2,)), ((0,), (0,))), (1,), (1,)))
lax.ragged_dot_general(a, e, g, numbers((((0,), (0,)), ((), ())), (0,), ()))  # value
lax.ragged_dot_general(c, d, gb, numbers((((2,), (2,)), ((0,), (0,))), (1,), (1,)))
lax.ragged_dot_general(c, c, gb, numbers((((1,), (1,)), ((0,), (0,))), (1,), ()))  # value
lax.ragged_dot_general(f, h, gf, numbers((((3,), (1,)), ((1,), (0,))), (2,), (2,)))  # value
lax.approx_max_k(x, 2)
lax.approx_min_k(x, 3, reduction_dimension=1)
lax.composite(lambda v, *, s: v * s, 'my.scale')(x, s=2.0)  # value
"""  # noqa: E501


def names(api):
    def pick(a, b):
        first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] > b[1]))
        where = api.numpy.where
        return where(first, a[0], b[0]), where(first, a[1], b[1])

    return {"pick": pick, "numbers": api.lax.RaggedDotDimensionNumbers}


def test_as_jax():
    beside_jax.check(jax, CASES, OPERANDS, names, 1e-5)


def test_general_reductions_have_derivatives():
    def f(x):
        return cotan.lax.reduce(
            x, np.float32(1), lambda a, b: a * b + 0 * a, (0,)
        )

    slope = cotan.grad(f)(np.array([2.0, 3.0, 5.0], "f4"))
    np.testing.assert_allclose(slope, [15, 10, 6])


def test_operands_of_a_reduction_fit():
    with pytest.raises(TypeError, match="equal shapes"):
        cotan.lax.reduce(
            (np.ones(2, "f4"), np.ones(3, "f4")),
            (np.float32(0), np.float32(0)),
            lambda a, b: b,
            (0,),
        )


def test_attributes_of_arrays():
    ours, theirs = (api.numpy.arange(3.0) for api in (cotan, jax))
    for name in ("byteswap", "clone"):
        np.testing.assert_array_equal(
            getattr(ours, name)(), getattr(theirs, name)()
        )
    for name in ("tobytes", "on_device_size_in_bytes", "platform"):
        assert getattr(ours, name)() == getattr(theirs, name)()
    assert ours.is_fully_replicated and ours.addressable_data(0) is ours
    with pytest.raises(NotImplementedError, match="flatten"):
        ours.flat  # noqa: B018
    swap = cotan.jit(lambda x: x.byteswap())
    for x in (np.arange(3), np.array([1 + 2j]), np.array([True])):
        x = np.asarray(cotan.numpy.asarray(x))
        np.testing.assert_array_equal(
            np.asarray(swap(x)).view("u1"), x.byteswap().view("u1")
        )
