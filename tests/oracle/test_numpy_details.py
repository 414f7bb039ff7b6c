"""Details of jax.numpy found by its users: sets, ufunc objects, vectorize,
histograms, messages of errors, promotion of ranks."""

import warnings

import numpy as np
import pytest

pytest.importorskip("jax")

import cotan
import cotan.numpy as cnp
from tests.oracle import both
from tests.oracle.test_numpy_conventions import evaluate, lines

# Under strict dtype promotion, and with rank promotion refused.
STRICT = """
jnp.isin(s, s[0])
jnp.isin(x, x[:2], invert=True, method='sort')
jnp.intersect1d(k, k[:2])
jnp.setdiff1d(k, k[:1])
jnp.setdiff1d(k, k[:1], size=6, fill_value=7)
jnp.setdiff1d(k, k[1:3], assume_unique=True)
jnp.histogram2d(k, k, bins=3, weights=k, density=True)
jnp.histogramdd(k[:, None], bins=2, weights=k)
jnp.histogramdd(m.T, bins=2, density=True)[0]
jnp.polyfit(x, jnp.stack([x * x, x, x], 1), 1, cov=True)
jnp.trapezoid(k)
jnp.trapezoid(s, axis=0)
jax.scipy.special.wofz(z)
jnp.polyfit(x, jnp.stack([x * x, x, x], 1), 1, cov='unscaled')
jnp.nanquantile(m, jnp.array([0.2, 0.7], 'f4'), axis=1)
jnp.quantile(t, jnp.array([0.2, 0.7], 'f4'), axis=0)
jnp.quantile(m, jnp.array([0.5, 0.7], 'f4'), axis=1, method='inverted_cdf')
jnp.frompyfunc(jnp.add, 2, 1).outer(m, k.astype('f4'))
jnp.add.outer(t, x)
jnp.bitwise_or.reduceat(s, jnp.array([0, 1]))
jnp.bitwise_or.reduceat(s.T, jnp.array([0, 1]), axis=1)
"""
VALUES = """
jnp.isin(jnp.arange(300), jnp.arange(0, 900, 3))
jnp.isin(jnp.array([np.nan, 1, -0.0]), jnp.append(jnp.arange(200.0), np.nan))
jnp.isin(z, z[:2], method='binary_search')
jnp.unique(jnp.array([1j, np.nan, complex(0, np.nan), 1, np.nan]))
jnp.unique(jnp.array([complex(2, np.nan), 3, 2]), return_inverse=True)
jnp.histogramdd(m.T, bins=2, range=[(-1, 1)] * 3, density=True)[0]
jnp.histogram2d(x, x, 3, range=[(0, 1), None], weights=x, density=True)[0]
x.at[jnp.array([0, 0, 2, -1])].apply(jnp.sin)
jax.jit(lambda i: x.at[i].apply(lambda v: 3 * v))(jnp.array([1, 1, 1, -4]))
m.at[:, jnp.array([1, 1])].apply(jnp.negative)
m.at[1, ::2].apply(jnp.exp)
x.at[x > 0].apply(jnp.square)
jax.grad(jnp.i0)(0.0)
jax.grad(jax.grad(jnp.i0))(-2.0)
jnp.i0(-70.0)
jnp.array(np.ma.array([1, 2], mask=[True, False]))
jnp.mgrid[jnp.array(1):jnp.array(4)]
jnp.vectorize(lambda a, b: a if b is None else a + b)(x, None)
jnp.vectorize(lambda a, b: a, signature='(k),()->(k)')(x, None)
jnp.frompyfunc(jnp.add, 2, 1) == jnp.frompyfunc(jnp.add, 2, 1)
jnp.spacing(jnp.array([1.5, -2, 0, -0.0, 6e-8, np.inf], 'f2'))
jnp.spacing(jnp.array([1.5, -2, 0, -0.0, 1e-44, np.nan], 'f4'))
jnp.spacing(k)
jnp.setdiff1d(k, x[:2])
jnp.fft.fft(jnp.zeros((3, 0), 'c8'))
jnp.fft.fftn(jnp.zeros((0, 4), 'c8'))
jnp.fft.irfft(jnp.ones((3, 1), 'c8'))
jnp.linalg.vector_norm(jnp.zeros(0), ord=np.inf)
jnp.linalg.norm(jnp.zeros((2, 0)), ord=np.inf, axis=1)
jax.scipy.linalg.rsf2csf(m[:, :3], t[0][:, 1:])
jax.scipy.linalg.rsf2csf(m[:, :3], t[:, :, 1:])
jax.scipy.linalg.rsf2csf(z[:1, None], z[:1, None])
jax.scipy.special.xlogy(0.0, np.nan)
jax.scipy.special.xlog1py(jnp.zeros(2), jnp.array([np.nan, -1]))
jax.grad(jax.scipy.special.xlogy, (0, 1))(0.0, 3.0)
jax.scipy.special.betaln(jnp.array([1, 1e3, 1e9]), jnp.array([1e20, 7.9, 2]))
jax.grad(jax.scipy.special.betaln, (0, 1))(1.0, 1e9)
jax.scipy.special.beta(a=2.5, b=9.0)
jax.scipy.special.poch(m=2.0, z=3.0)
jax.scipy.special.sph_harm_y(k[:2], k[:2] // 2, m[0, :2] - 2, x[:2], n_max=3)
jax.nn.one_hot([0, 2], 3)
jnp.trapezoid(k)
jnp.trapezoid(k, dx=m[0, :1])
jnp.frompyfunc(jnp.add, 2, 1) == jnp.frompyfunc(jnp.add, 2, 1, identity=0)
"""
# Both messages hold what follows the bar.
ERRORS = """
jax.jit(jnp.arange)(3) | It arose in the jnp.arange argument 'stop'
jax.jit(lambda i: jnp.arange(i, 3))(0) | jnp.arange argument 'start'
jax.jit(lambda i: jnp.mgrid[i:3])(0) | slice start of jnp.mgrid
jax.jit(lambda i: jnp.ogrid[:i])(3) | slice stop of jnp.ogrid
jax.jit(lambda i: jnp.c_[i:3])(0) | slice start of jnp.c_
jax.jit(lambda i: jnp.r_[0:3:i])(1) | slice step of jnp.r_
jax.jit(lambda n: jnp.tri(n))(3) | Shapes must be 1D sequences of concrete
jax.jit(lambda v: v.tolist())(x) | The tolist() method was called on traced
jnp.arange(0j, 3) | Passing complex start/stop/step to jnp.arange
jnp.array([0.0, None]) | None is not a valid value for jnp.array
jnp.hypot(1j, 2) | jnp.hypot is not well defined for complex
jnp.interp(1j, z, z) | jnp.interp: complex x values not supported.
jnp.broadcast_to(t, (3, 4)) | Cannot broadcast to shape with fewer dimensions
jnp.nansum(m, where=k) | jnp.nansum: where must be None or a boolean array
jnp.nanmax(m, where=k, initial=0) | jnp.nanmax: where must be None
jnp.nanmean(m, where=k) | jnp.nanmean: where must be None or a boolean
jnp.sin(np.ma.array([1.0])) | numpy masked arrays are not supported
jnp.einsum('ij,ik,il->jkl', s, s, s, optimize=[(0, 1, 2)]) | 3 or more operands
jnp.vectorize(lambda v: v, excluded={1.5}) | can only exclude
jnp.vectorize(jnp.dot, signature='(n)->()')(x, x) | positional arguments
jnp.vectorize(jnp.abs, signature='()->(),()')(x) | output must be a tuple
jnp.vectorize(lambda *a: a, signature='(),()->()')(1, 2) | number of output
jnp.vectorize(jnp.add, signature='(k),(k)->(k)')(x, None) | Cannot pass None
jnp.isin(x, x, method='guess') | method
jnp.spacing(1j) | jnp.spacing is not defined for complex inputs
jax.lax.fft(z[None], 'irfft', (2, 6)) | all except the last fft_length
jax.scipy.special.sici(1j) | Argument `x` to sici must be real-valued
"""


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


@pytest.mark.parametrize("line", lines(ERRORS))
def test_error(line):
    expression, part = line.split(" | ")
    want, got = evaluate(expression)
    assert isinstance(want, Exception), want
    both.compare(expression, want, got, rtol=0)
    assert part in str(want)
    assert part in str(got)


def test_rank_promotion_warns():
    a, b = cnp.ones(2), cnp.ones((3, 2))
    text = r"rank promotion for add on shapes \(2,\) \(3, 2\)"
    with cotan.numpy_rank_promotion("warn"):
        with pytest.warns(UserWarning, match=text):
            assert (a + b).shape == (3, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            a + 1  # scalars are no promotion
            with pytest.raises(UserWarning, match="rank promotion"):
                a - b


def test_vectorize_obeys_rank_promotion():
    f = cnp.vectorize(cnp.add, signature="(),()->()")
    a, b = cnp.ones((2, 2)), cnp.ones(2)
    text = "operands with shapes .* require rank promotion"
    with cotan.numpy_rank_promotion("raise"):
        with pytest.raises(ValueError, match=text):
            f(a, b)
        assert f(a, 1.0).shape == (2, 2)
    with cotan.numpy_rank_promotion("warn"):
        with pytest.warns(UserWarning, match=text):
            f(a, b)


def test_ufunc_objects_compare_and_do_not_change():
    f = cnp.frompyfunc(cnp.add, 2, 1, identity=0)
    same = cnp.frompyfunc(cnp.add, nin=2, nout=1, identity=0)
    assert f == same and hash(f) == hash(same)
    for name in ("nin", "nout", "nargs", "identity"):
        assert getattr(f, name) == getattr(same, name)
        for g in (f, cnp.add, cnp.negative):
            with pytest.raises(AttributeError):
                setattr(g, name, None)


def test_repeated_apply_has_a_derivative_where_indices_are_known():
    x = cnp.array([0.5, 2.0])
    index = np.array([0, 0, 1])

    def f(x):
        return x.at[index].apply(cnp.square).sum()

    np.testing.assert_allclose(np.asarray(cotan.grad(f)(x)), [0.5, 4.0])


def test_named_tuples_may_have_operators():
    import typing

    class Pair(typing.NamedTuple):
        a: float

        def __rmul__(self, other):
            return "mine"

    assert cnp.ones(2) * Pair(1.0) == "mine"
    with pytest.raises(TypeError):
        cnp.ones(2) * (1.0, 2.0)


def test_gradients_where_64_bits_are_on_inside():
    @cotan.custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, t: (2 * x * t,))

    def f(x, power):
        with cotan.enable_x64():
            return power(cnp.array(x, cnp.float64))

    for power in (square, lambda x: x * x):
        assert f(5.0, power).dtype == "float64"
        got = cotan.grad(f)(5.0, power)
        assert got.dtype == "float32" and float(got) == 10.0
