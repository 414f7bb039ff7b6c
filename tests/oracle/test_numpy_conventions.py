"""Conventions of jax.numpy that are easy to miss: explicit promotion inside
of functions, dtypes of results, traced indices, classes of errors."""

import contextlib

import numpy as np
import pytest

pytest.importorskip("jax")

from tests.oracle import both

RNG = np.random.RandomState(3)
OPERANDS = {
    "x": RNG.randn(5).astype("f4"),
    "m": RNG.randn(3, 4).astype("f4"),
    "t": RNG.randn(2, 3, 4).astype("f4"),
    "k": np.array([3, 0, 2, 5, 1], "i4"),
    "s": np.array([[1, -7, 0], [2, 2, 9]], "i2"),
    "u": np.array([3, 255, 0, 17, 128], "u1"),
    "z": (RNG.randn(4) + 1j * RNG.randn(4)).astype("c8"),
    "nans": np.array([1, np.nan, 4, 2.5], "f4"),
    "falling": np.array([4, 2, 2, 0], "f4"),
}

# Under strict dtype promotion, and with rank promotion refused.
STRICT = """
jnp.histogram(s, bins=5)
jnp.histogram_bin_edges(k, 4)
jnp.histogram2d(s[0], s[1], bins=3)
jnp.histogramdd(s.T, bins=2)
jnp.linspace(s[0], s[1], 4, axis=-1)
jnp.linspace(k, jnp.int32(2), 3, retstep=True)
jnp.geomspace(2, jnp.int32(9), 4)
jnp.polydiv(m[0], m[1, :2])
jnp.polydiv(k, k[3:])
jnp.polyfit(x, x * x, 2)
jnp.polyfit(m[0], m.T, 1, full=True)[0]
jnp.vander(x)
jnp.vander(k, 3, increasing=True)
jnp.packbits(s, axis=-1)
jnp.packbits(s > 0, bitorder='little')
jnp.unpackbits(u)
jnp.unpackbits(u[:, None], axis=1, bitorder='little', count=5)
jnp.pad(m, 2, mode='linear_ramp', end_values=1.0)
jnp.pad(s, 2, mode='linear_ramp')
jnp.trapezoid(m, dx=jnp.ones((3, 3), 'f4'))
jnp.trapezoid(t, dx=m[:2, :1], axis=1)
jnp.corrcoef(m)
jnp.mgrid[0:1:3j, 2:4]
jnp.percentile(m.astype('f2'), jnp.float32(30))
"""
VALUES = """
jnp.trapezoid(m, x=m[0])
jnp.trapezoid(t, x=m * m, axis=-1)
jnp.cov(m, fweights=jnp.array([1, 2, 0, 3]))
jnp.cov(m, aweights=m[0] ** 2, fweights=jnp.array([1, 2, 0, 3]))
jnp.ravel_multi_index((jnp.arange(3)[:, None], jnp.arange(2)), (3, 2))
jnp.array_equal([1, 2], [1, 2])
jnp.array_equiv([1, 2], [[1, 2], [1, 3]])
jnp.eye(3, k=2**100)
jnp.eye(3, 4, k=-2**100)
jnp.mgrid[()]
jnp.ogrid[()]
jnp.ndim([1, 2])
jnp.shape([[1, 2]])
jnp.r_['r', [1, 2]]
jnp.r_['c', [1, 2]]
jnp.r_['0,4,-1', [1, 2], [3, 4]]
jnp.r_['0,4,-2', [1, 2], [3, 4]]
jnp.c_['0,2,0', [1, 2], [3, 4]]
s.byteswap()
z.byteswap()
u.byteswap()
s.tobytes()
m.view('i2')
z.view('f4')
z.view('i2')
z.view(bool)
m.view('c8')
jnp.ones(8, bool).view('c8')
jnp.zeros((2, 0), 'c8').view('f4')
jnp.digitize(x, falling)
jnp.digitize(jnp.array([2.0, 0.0, 4.0]), falling)
jnp.digitize(jnp.array([2.0, 0.0, 4.0]), falling, right=True)
jnp.unravel_index(np.int8(-5), np.array([2, 3]))
jnp.unravel_index(4, jnp.array([2, 3]))
jnp.ravel_multi_index((np.int8(1), np.int8(2)), (2, 3), mode='ignore')
jnp.ravel_multi_index((1, 2), (2, 3))
jnp.ravel_multi_index((1, 2), (2, 3), dtype='uint8')
jnp.ldexp(jnp.array([1, np.inf, 0.0]), jnp.array([-1000, -1000, 999]))
jnp.ldexp(jnp.array([1e-30, -np.inf]), jnp.array([200, 3]))
jnp.ldexp(x, jnp.int8(-3))
jnp.ldexp(x.astype('f2'), k)
jnp.frexp(jnp.array([3.0, 0.0, -0.0, np.inf, 6e4, -6e-5], 'f2'))
jax.grad(lambda y: jnp.frexp(y)[0])(3.0)
jax.grad(lambda y: jnp.frexp(y)[0])(0.0)
jax.grad(jnp.ldexp)(3.0, -2)
jnp.isclose(jax.random.key(0), jax.random.key(0))
jnp.iscomplexobj([1j])
jnp.convolve(k, k[:2])
jnp.convolve(u, u[:2], preferred_element_type='int32')
jnp.correlate(k[:2], k, mode='full')
jnp.corrcoef(k, k, dtype='float16')
jnp.cov(jnp.ones((0, 3)))
jnp.cov(jnp.ones((3, 0)))
jnp.insert(k, 9, 3)
jnp.insert(m, jnp.array([2, 0]), m[:, :2], axis=1)
jnp.delete(k, jnp.array([-1, 3]))
jnp.take_along_axis(x, jnp.array([7, -1, -9, 2]), mode='one_hot')
jnp.take_along_axis(m, k[:3, None] % 3, axis=1, mode='one_hot')
jnp.linspace(m, 2.0, 1, retstep=True)
jnp.piecewise(x, [x < 3, x < 0], [1, 2])
jnp.cumsum(jnp.array([True, True, False]), dtype=bool)
jnp.cumulative_sum(x, dtype=bool)
jnp.cumulative_prod(u)
jnp.cumulative_prod(u > 3, dtype=bool)
jnp.percentile(x.astype('f2'), np.float32(30))
jnp.quantile(m, jnp.array([0.2, 0.7], 'f2')).dtype
jax.grad(jnp.nanvar)(nans)
jax.grad(jnp.nanstd)(nans)
jax.grad(jnp.nanmean)(nans)
jnp.zeros(2, 'u4').at[0].set(2**32 - 1)
jnp.gradient(m, axis=(0,))
jnp.finfo(np.float32).eps
jnp.iinfo(np.int8).max
jnp.float32 != None
2 in k
99 in k
jax.jit(lambda i: jnp.insert(k, i, 7))(-2)
jax.jit(lambda i: jnp.insert(m, i, 7.0, axis=1))(jnp.array([1, 1, 3]))
jax.jit(lambda i: jnp.delete(k, i, assume_unique_indices=True))(k[:2])
jax.jit(jnp.unravel_index)(jnp.array([4, -1]), (2, 3))
jax.jit(lambda y: jnp.iscomplexobj([y, 1]))(1j)
"""
ERRORS = """
jnp.arange(0j, 3)
jnp.arange(0, 3, 1j)
jnp.zeros(2, 3)
jnp.size(m, (0, 0))
jnp.r_['asdf', [1]]
jnp.trace(t, axis1=1, axis2=-2)
jnp.ravel_multi_index((1, 2), (20, 30), dtype='int8')
jnp.ldexp(1j, 2)
jnp.frexp(1j)
jnp.tensordot(t, x, axes=('bad', 'axes'))
jnp.corrcoef(k, dtype=int)
jnp.cov(k, dtype=int)
jnp.insert(k, [1, 2], 3)
jnp.delete(k, 7)
1 in jnp.array(1)
k in k
'a' in k
1 in m
jnp.interp(1j, 1j * x, x)
jnp.interp(0.0, x, x, period=np.array([1.0]))
jnp.interp(0.0, x, x, left='interpolate')
jnp.piecewise(x, [], [1])
jnp.ones(4, bool).view('c8')
jnp.nanmean(x, where=k)
jax.jit(lambda y: y.tobytes())(k)
jax.jit(lambda y: y.tolist())(k)
jax.jit(jnp.arange)(3)
"""


def lines(text):
    return [line for line in text.split("\n") if line]


def evaluate(expression, *, strict=False):
    """What JAX and cotan make of it."""
    out = []
    for library in ("jax", "cotan"):
        scope = both.LIBRARIES[library]
        arrays = {k: scope["jnp"].asarray(v) for k, v in OPERANDS.items()}
        with contextlib.ExitStack() as stack:
            if strict:
                jax = scope["jax"]
                stack.enter_context(jax.numpy_dtype_promotion("strict"))
                stack.enter_context(jax.numpy_rank_promotion("raise"))
            out.append(both.run(library, expression, **arrays))
    return out


@pytest.mark.parametrize("expression", lines(STRICT))
def test_explicit_promotion(expression):
    want, got = evaluate(expression, strict=True)
    assert not isinstance(want, Exception), want
    both.compare(expression, want, got, rtol=5e-5, atol=5e-6)


@pytest.mark.parametrize("expression", lines(VALUES))
def test_value(expression):
    want, got = evaluate(expression)
    assert not isinstance(want, Exception), want
    both.compare(expression, want, got, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("expression", lines(ERRORS))
def test_error(expression):
    want, got = evaluate(expression)
    assert isinstance(want, Exception), want
    both.compare(expression, want, got, rtol=0)


@pytest.mark.parametrize("copy", ["array", "copy", "copy.copy", "astype"])
def test_copies_outlive_what_they_copy(copy):
    import copy as python_copy

    import cotan.numpy as cnp

    x = cnp.arange(4)
    y = {
        "array": cnp.array,
        "copy": lambda x: x.copy(),
        "copy.copy": python_copy.copy,
        "astype": lambda x: x.astype(x.dtype, copy=True),
    }[copy](x)
    x.delete()
    assert y.tolist() == [0, 1, 2, 3]


def test_asarray_shares_memory():
    import cotan.numpy as cnp

    x = cnp.arange(4)
    assert cnp.asarray(x) is x
    pointer = x.unsafe_buffer_pointer()
    assert x.astype(x.dtype).unsafe_buffer_pointer() == pointer


def test_ldexp_rounds_once():
    import cotan.numpy as cnp

    x = np.random.RandomState(0).uniform(1, 2, 500).astype("f4")
    for shift in (-130, -140, -148, -149, -150, -300, 126, 127):
        np.testing.assert_array_equal(
            np.asarray(cnp.ldexp(x, shift)), np.ldexp(x, shift)
        )
    tiny = (x * np.float32(2.0**-60)).astype("f4")
    np.testing.assert_array_equal(
        np.asarray(cnp.ldexp(tiny, -85)), np.ldexp(tiny, -85)
    )
