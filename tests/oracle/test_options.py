"""Weighted quantiles, sets of static size, and the methods of ufuncs beside
JAX."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp

jax = pytest.importorskip("jax")

RNG = np.random.RandomState(0)
X = RNG.randn(4, 5).astype("f4")
XN = X.copy()
XN[1, 2] = np.nan
OPERANDS = {
    "x": X,
    "xn": XN,
    "w": RNG.randint(0, 5, (4, 5)).astype("i4"),
    "w5": np.array([1, 0, 2, 3, 1], "f4"),
    "i": np.array([5, 3, 3, 1, 7, 5], "i4"),
    "j": np.array([3, 7, 7, 2, 5], "i4"),
    "q": np.array([0.1, 0.5, 0.9, 1, 0], "f4"),
}
FUNCTION = "n.frompyfunc(lambda a, b: a * b + a, 2, 1"
CASES = """
n.quantile(x,.3,method='inverted_cdf')
n.quantile(x,q,axis=1,method='inverted_cdf')
n.quantile(x,q,weights=w,method='inverted_cdf')
n.quantile(x,q,axis=0,weights=w,method='inverted_cdf',keepdims=True)
n.quantile(x,.5,axis=1,weights=w5,method='inverted_cdf')
n.quantile(x,q,axis=(1,0),weights=w.T.copy(),method='inverted_cdf')
n.quantile(xn,q,axis=1,weights=w,method='inverted_cdf')
n.nanquantile(xn,q,axis=1,weights=w,method='inverted_cdf')
n.nanquantile(xn,q,axis=1,method='inverted_cdf')
n.percentile(x,30.,weights=w,method='inverted_cdf')
n.nanpercentile(xn,30.,weights=w,method='inverted_cdf')
n.quantile(x,q,axis=1,weights=-w,method='inverted_cdf')
n.quantile(x,q,weights=w)
n.quantile(x,q,weights=w5,method='inverted_cdf')
n.quantile(x,q,method='foo')
n.intersect1d(i,j,size=4)
n.intersect1d(i,j,size=2,return_indices=True)
n.intersect1d(i,j,size=6,return_indices=True)
n.intersect1d(i,j,size=6,return_indices=True,fill_value=-1)
n.intersect1d(n.array([3,1,2]),n.array([2,3,9]),size=3,return_indices=True,assume_unique=True)
FUNCTION,identity=1).reduce(x,axis=1,where=x>0)
FUNCTION).reduce(x,axis=1,where=x>0,initial=2.)
FUNCTION).reduce(x,axis=1,where=x>0)
FUNCTION).reduce(x,axis=0,initial=2.)
FUNCTION,identity=1).reduce(x)
FUNCTION,identity=1).reduce(x,axis=None,keepdims=True)
n.add.reduce(x,axis=1,where=x>0)
n.maximum.reduce(x,axis=1,where=x>0,initial=0.)
n.add.reduce(x)
n.add.reduce(i)
n.add.reduce(x,axis=None,keepdims=True)
n.add.accumulate(x,axis=1)
n.add.at(x,n.array([0,0,1]),2.,inplace=False)
n.add.reduceat(x[0],n.array([0,2,1,3]))
n.multiply.reduce(x,axis=1)
n.multiply.accumulate(i)
n.multiply.outer(i,j)
n.multiply.at(i,n.array([0,0]),3,inplace=False)
n.subtract.reduce(x)
n.subtract.at(x,n.array([0,0]),3.,inplace=False)
n.maximum.reduce(x,axis=1)
n.minimum.accumulate(x,axis=1)
n.minimum.reduce(x,axis=None)
n.bitwise_and.reduce(i)
n.bitwise_or.reduce(i)
n.bitwise_xor.reduce(i)
n.logical_and.reduce(i)
n.logical_or.reduce(x>5,axis=1)
n.logical_xor.reduce(i)
n.logaddexp.reduce(x,axis=1)
n.logaddexp2.reduce(x,axis=None)
n.negative.at(i,1,inplace=False)
n.negative.reduce(i)
n.logical_xor.accumulate(i)
n.maximum.at(i,n.array([0,1]),4,inplace=False)
n.multiply.reduceat(x,n.array([0,2]),axis=1)
n.add.nin
isinstance(n.add, n.ufunc)
isinstance(n.sin, n.ufunc)
isinstance(n.frompyfunc(lambda a, b: a, 2, 1), n.ufunc)
n.polyfit(q, n.sin(q), 1, full=True)
n.maximum.identity
n.add.foo
n.sin.reduce
n.add.at(x,0,1.)
n.frompyfunc(lambda a, b: a - 2 * b, 2, 1).reduceat(x,n.array([0,3,1]))
n.frompyfunc(lambda a, b: a - 2 * b, 2, 1).accumulate(i)
"""


def evaluate(n, expression):
    names = {k: n.asarray(v) for k, v in OPERANDS.items()}
    expression = expression.replace("FUNCTION", FUNCTION)
    try:
        return eval(expression, {"n": n, "np": np, **names})
    except Exception as e:
        return e


@pytest.mark.parametrize("expression", CASES.strip().splitlines())
def test_as_jax(expression):
    want = evaluate(jax.numpy, expression)
    got = evaluate(cnp, expression)
    if isinstance(want, Exception):
        assert type(got).__name__ == type(want).__name__
        return
    if not hasattr(want, "dtype") and not isinstance(want, tuple):
        assert got == want
        return
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert (a.dtype, a.shape, a.weak_type) == (
            b.dtype,
            b.shape,
            b.weak_type,
        )
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "expression",
    [
        "jnp.full_like(u, 2**32 - 1)",
        "jnp.full((2,), 2**32 - 1, 'uint32')",
        "jnp.full((2,), 2**40, 'float32')",
        "jnp.full((2,), -(2**31) - 1, 'int32')",
        "lax.full((2,), 2**32 - 1, 'uint32')",
        "lax.full_like(u, 2**32 - 1)",
        "jnp.take(u, np.array([9, 1]), mode='fill', fill_value=2**32 - 1)",
        "u.at[np.array([9, 1])].get(mode='fill', fill_value=2**32 - 1)",
        "lax.convert_element_type(2**100, 'float32')",
    ],
)
def test_large_python_integers(expression):
    def result(api):
        u = api.numpy.arange(3, dtype="uint32")
        names = {"jnp": api.numpy, "lax": api.lax, "np": np, "u": u}
        return np.asarray(eval(expression, names))

    got, want = result(cotan), result(jax)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
