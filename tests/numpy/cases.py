"""Expressions of `jnp` (cotan.numpy, jax.numpy or numpy) over the arrays of
`operands`. Each runs as it stands in all three; a result may be an array, a
tuple or a scalar. `# jax` marks what NumPy does differently or lacks."""

import numpy as np

from tests.numpy.more_cases import DTYPES, ERRORS, MATH, PRODUCTS, SORTING


def operands(np_like):
    """The names that expressions use, as arrays of the module."""
    rng = np.random.RandomState(7)
    raw = {
        "s": np.float32(1.5),
        "v": rng.randn(7).astype("float32"),
        "w": rng.randn(7).astype("float32"),
        "m": rng.randn(4, 5).astype("float32"),
        "n": rng.randn(5, 3).astype("float32"),
        "q": rng.randn(4, 4).astype("float32"),
        "t": rng.randn(2, 3, 4).astype("float32"),
        "u": rng.randn(2, 4, 3).astype("float32"),
        "p": (rng.rand(3, 4) + 0.5).astype("float32"),
        "e": np.zeros((0, 3), "float32"),
        "i": rng.randint(-9, 9, (6,)).astype("int32"),
        "j": rng.randint(0, 4, (3, 5)).astype("int32"),
        "b8": rng.randint(-100, 100, (5,)).astype("int8"),
        "u8": rng.randint(0, 200, (5,)).astype("uint8"),
        "u32": rng.randint(0, 2**31, (4,)).astype("uint32"),
        "k": rng.rand(4, 5) > 0.5,
        "l": rng.rand(7) > 0.5,
        "h": rng.randn(6).astype("float16"),
        "c": (rng.randn(3, 4) + 1j * rng.randn(3, 4)).astype("complex64"),
        "z": np.array([1.0, np.nan, -np.inf, np.inf, -0.0, 3.0], "float32"),
        "x3": np.array([3, 1, 3, 2, 1, 3], "int32"),
        "srt": np.sort(rng.randn(9)).astype("float32"),
    }
    if np_like is np:
        return raw
    return {name: np_like.asarray(x) for name, x in raw.items()}


CREATION = """
jnp.zeros(3)  # jax
jnp.zeros((2, 3), 'int32')
jnp.ones((2,), bool)
jnp.full((2, 2), 7)  # jax
jnp.full((2, 2), 1.5)  # jax
jnp.full((3,), v[:3])
jnp.full((2, 3), 1.5, 'int32')
jnp.zeros_like(m)
jnp.ones_like(i)
jnp.full_like(i, 2.7)
jnp.zeros_like(m, shape=(2,))
jnp.empty_like(k).shape
jnp.arange(5)  # jax
jnp.arange(2, 9)  # jax
jnp.arange(2, 9, 3)  # jax
jnp.arange(9, 2, -2)  # jax
jnp.arange(5.)  # jax
jnp.arange(0, 1, 0.1)  # jax
jnp.arange(0.5, 3)  # jax
jnp.arange(3, dtype='uint8')
jnp.arange(0)  # jax
jnp.arange(5, 2)  # jax
jnp.arange(4, dtype='float16')
jnp.linspace(0, 1, 5)  # jax
jnp.linspace(0, 1, 5, endpoint=False)  # jax
jnp.linspace(2., 3., 1)  # jax
jnp.linspace(0, 10, 4, dtype='int32')
jnp.linspace(v[:2], w[:2], 4)
jnp.linspace(v[:2], w[:2], 4, axis=1)
jnp.linspace(0, 1, 5, retstep=True)[1]  # jax
jnp.logspace(0, 2, 4)  # jax
jnp.geomspace(1, 1000, 4)  # jax
jnp.geomspace(-1., -100., 3)  # jax
jnp.eye(3)  # jax
jnp.eye(3, 4, 1)  # jax
jnp.eye(3, 4, -1, 'int32')
jnp.identity(2)  # jax
jnp.tri(3, 4, 1)  # jax
jnp.tril(m)
jnp.tril(m, -1)
jnp.triu(m, 1)
jnp.triu(t)
jnp.tril(k)
jnp.diag(v)
jnp.diag(v, 2)
jnp.diag(v, -1)
jnp.diag(m)
jnp.diag(m, 1)
jnp.diag(m, -2)
jnp.diagflat(m[:2, :2])
jnp.vander(v[:3])
jnp.vander(v[:3], 4, increasing=True)
jnp.meshgrid(v[:3], w[:2])
jnp.meshgrid(v[:3], w[:2], indexing='ij')
jnp.meshgrid(v[:3], w[:2], sparse=True)
jnp.meshgrid(v[:2], w[:3], i[:2])
jnp.indices((2, 3))  # jax
jnp.mgrid[0:3, 1:3]  # jax
jnp.ogrid[0:3, 1:3]  # jax
jnp.mgrid[0:1:5j]  # jax
jnp.r_[v[:2], 0, 1:3]  # jax
jnp.c_[v[:3], w[:3]]
jnp.array([1, 2, 3])  # jax
jnp.array([[1, 2.5], [3, 4]])  # jax
jnp.array([True, False])
jnp.array([1, 2], dtype='float16')
jnp.array([v[0], w[1]])
jnp.array([[v[0], 1.], [w[1], 2]])
jnp.array([v, w])
jnp.array([])  # jax
jnp.array(5, ndmin=2)  # jax
jnp.array([1+2j, 3])  # jax
jnp.array(u8, dtype='int8')  # jax
jnp.asarray(m, 'float16')
jnp.asarray(np.float64(1.5))  # jax
jnp.asarray(np.arange(3))  # jax
jnp.asarray((1, 2))  # jax
jnp.float32(2)
jnp.int8(3)
jnp.bool_(1)
jnp.complex64(1)
jnp.fromfunction(lambda i, j: i * 2 + j, (2, 3), dtype='int32')
jnp.frombuffer(b'abcd', dtype='uint8')
"""

ELEMENTWISE = """
jnp.add(v, w)
jnp.subtract(m, m[0])
jnp.multiply(m, m[:, :1])
jnp.true_divide(i, 4)  # jax
jnp.floor_divide(i, 4)
jnp.floor_divide(v, 0.3)  # jax
jnp.remainder(i, 4)
jnp.remainder(v, -0.3)
jnp.mod(i, -4)
jnp.fmod(i, 4)
jnp.fmod(v, 0.3)
jnp.divmod(i, 4)
jnp.power(p, 2.5)
jnp.power(i, 2)
jnp.power(p, -2)  # jax
jnp.float_power(i, 2)  # jax
jnp.exp(v)
jnp.exp2(v)
jnp.expm1(v)
jnp.log(p)
jnp.log2(p)
jnp.log10(p)
jnp.log1p(p)
jnp.sqrt(p)
jnp.cbrt(v)
jnp.square(v)
jnp.reciprocal(p)
jnp.sin(v)
jnp.cos(i)  # jax
jnp.tan(v)
jnp.arcsin(v / 4)
jnp.arccos(v / 4)
jnp.arctan(v)
jnp.arctan2(v, w)
jnp.sinh(v)
jnp.cosh(v)
jnp.tanh(v)
jnp.arcsinh(v)
jnp.arccosh(p + 1)
jnp.arctanh(v / 4)
jnp.hypot(v, w)
jnp.logaddexp(v, w)
jnp.logaddexp2(v, w)
jnp.maximum(v, w)
jnp.minimum(v, 0.)
jnp.maximum(z, 0.)
jnp.fmax(z, 0.)
jnp.fmin(z, 0.)
jnp.abs(c)
jnp.abs(i)
jnp.fabs(i)  # jax
jnp.sign(v)
jnp.sign(i)
jnp.negative(v)
jnp.positive(v)
jnp.floor(v)
jnp.ceil(v)
jnp.trunc(v)
jnp.rint(v * 3)
jnp.round(v, 2)
jnp.round(i, -1)
jnp.round(h, 1)
jnp.around(v)
jnp.clip(v, -0.5, 0.5)
jnp.clip(i, 0)  # jax
jnp.clip(i, None, 3)
jnp.clip(v, w, 1.)
jnp.isnan(z)
jnp.isinf(z)
jnp.isfinite(z)
jnp.isposinf(z)
jnp.isneginf(z)
jnp.signbit(z)
jnp.signbit(i)
jnp.copysign(v, w)
jnp.nan_to_num(z)
jnp.nan_to_num(z, nan=1., posinf=2., neginf=3.)
jnp.heaviside(v, 0.5)
jnp.nextafter(v, w)
jnp.spacing(p)
jnp.sinc(v)
jnp.sinc(0.)  # jax
jnp.deg2rad(v)
jnp.rad2deg(v)
jnp.degrees(i)  # jax
jnp.real(c)
jnp.imag(c)
jnp.imag(v)
jnp.conj(c)
jnp.angle(c)
jnp.angle(v)
jnp.angle(c, deg=True)
jnp.isreal(c)
jnp.iscomplex(c)
jnp.iscomplexobj(c)
jnp.isrealobj(c)
jnp.isscalar(3.)
jnp.equal(i, 3)
jnp.not_equal(i, i[::-1])
jnp.less(v, w)
jnp.less_equal(v, w)
jnp.greater(v, w)
jnp.greater_equal(i, 0)
jnp.logical_and(v > 0, w > 0)
jnp.logical_or(i, 0)
jnp.logical_xor(v > 0, w > 0)
jnp.logical_not(i)
jnp.bitwise_and(i, 5)
jnp.bitwise_or(i, 5)
jnp.bitwise_xor(i, 5)
jnp.invert(i)
jnp.invert(k)
jnp.left_shift(i, 2)
jnp.right_shift(i, 1)
jnp.bitwise_count(u8)  # jax
jnp.isclose(v, v + 1e-9)
jnp.isclose(z, z)
jnp.isclose(z, z, equal_nan=True)
jnp.modf(v)
jnp.frexp(v)
jnp.ldexp(v, x3[:1])
jnp.gcd(i, 6)
jnp.lcm(i, 4)
jnp.where(l, v, w)
jnp.where(l, v, 0.)
jnp.where(k, 1, m)
jnp.where(m > 0, m, m[0])
jnp.select([v > 1, v < 0], [v, -v], 7.)
jnp.piecewise(v, [v < 0, v > 1], [-1., lambda x: x * 2, 0.])
jnp.unwrap(v * 4)
b8 + b8  # jax
u8 + b8
u32 + i[:4]  # jax
h + v[:6]
i + 1.5  # jax
k + 1  # jax
k + k
-v
~i
v ** 2
v ** 3
i ** 2
2 ** i[:2] ** 2  # jax
abs(v)
v @ w
m @ n
1 / p
i // 3
i % 3
v > 0
(v > 0) & (w > 0)
(i > 0) | (i < -5)
i << 1
i >> 1
i ^ 3
divmod(i, 5)
round(v, 1)  # jax
"""

REDUCTIONS = """
jnp.sum(m)
jnp.sum(m, 0)
jnp.sum(m, axis=(0, 1))
jnp.sum(t, axis=-1, keepdims=True)
jnp.sum(t, axis=(0, 2))
jnp.sum(b8)  # jax
jnp.sum(u8)  # jax
jnp.sum(k)  # jax
jnp.sum(k, axis=0)  # jax
jnp.sum(h)
jnp.sum(c)
jnp.sum(m, where=k)
jnp.sum(m, 0, where=k, initial=2.)
jnp.sum(i, dtype='float32')
jnp.sum(e)
jnp.sum(e, 0)
jnp.sum(v, axis=())
jnp.sum(3.)  # jax
jnp.prod(p)
jnp.prod(i)  # jax
jnp.prod(p, 0)
jnp.prod(e)
jnp.max(m)
jnp.max(m, 1)
jnp.max(t, (0, 1), keepdims=True)
jnp.max(i)
jnp.max(z)
jnp.max(m, initial=0.5)
jnp.max(m, 0, where=k, initial=-9.)
jnp.min(m, 0)
jnp.min(u8)
jnp.amax(v)
jnp.amin(v)
jnp.max(k)
jnp.all(k)
jnp.any(k, 0)
jnp.all(m > 0, axis=1, keepdims=True)
jnp.any(i)
jnp.any(e, 0)
jnp.all(e)
jnp.any(m > 0, where=k)
jnp.mean(m)
jnp.mean(m, 0)
jnp.mean(i)  # jax
jnp.mean(h)
jnp.mean(k)  # jax
jnp.mean(t, (0, 1), keepdims=True)
jnp.mean(m, where=k)
jnp.mean(c)
jnp.mean(i, dtype='float32')
jnp.var(m)
jnp.var(m, 0)
jnp.var(m, 1, ddof=1, keepdims=True)
jnp.var(i)  # jax
jnp.var(h)
jnp.var(c)
jnp.var(m, where=k)
jnp.std(m)
jnp.std(t, (0, 2))
jnp.std(v, ddof=2)
jnp.argmax(m)  # jax
jnp.argmax(m, 0)  # jax
jnp.argmin(m, 1, keepdims=True)  # jax
jnp.argmax(z)  # jax
jnp.argmin(i)  # jax
jnp.argmax(k)  # jax
jnp.argmax(m, keepdims=True)  # jax
jnp.ptp(m)
jnp.ptp(m, 0)
jnp.count_nonzero(i)  # jax
jnp.count_nonzero(k, axis=0)  # jax
jnp.average(m)
jnp.average(m, 0)
jnp.average(v, weights=p.reshape(-1)[:7])
jnp.average(m, axis=1, weights=v[:5] + 5)
jnp.average(m, 0, returned=True)
jnp.nansum(z[:2])
jnp.nanprod(z[:2])
jnp.nanmax(z)
jnp.nanmin(z)
jnp.nanmean(z[:2])
jnp.nanvar(jnp.where(k, m, jnp.nan), 1)
jnp.nanstd(jnp.where(k, m, jnp.nan))
jnp.nanargmax(z)  # jax
jnp.nanargmin(z)  # jax
jnp.nancumsum(z[:2])
jnp.nancumprod(z[:2])
jnp.cumsum(m)
jnp.cumsum(m, 0)
jnp.cumsum(b8)  # jax
jnp.cumsum(k, 1)  # jax
jnp.cumprod(p, 1)
jnp.cumulative_sum(v)  # jax
jnp.cumulative_sum(v, include_initial=True)  # jax
jnp.cumulative_prod(p, axis=0)  # jax
jnp.median(m)
jnp.median(m, 0)
jnp.median(m, 1, keepdims=True)
jnp.quantile(m, 0.3)
jnp.quantile(m, jnp.array([0.1, 0.5]), axis=0)  # jax
jnp.quantile(m, 0.3, method='lower')
jnp.quantile(m, 0.3, method='higher')
jnp.quantile(m, 0.3, method='nearest')
jnp.quantile(m, 0.3, method='midpoint')
jnp.percentile(v, 40.)
jnp.nanmedian(jnp.where(k, m, jnp.nan), 0)
jnp.nanquantile(jnp.where(k, m, jnp.nan), 0.25)
jnp.nanpercentile(z, 50.)
m.sum()
m.mean(0)
m.max(axis=1)
m.std()
m.var(0)
m.argmax()  # jax
m.any()
m.all(axis=0)
m.cumsum(1)
m.prod()
m.min()
m.ptp(0)  # jax
"""

SHAPES = """
m.reshape(5, 4)
m.reshape((2, -1))
jnp.reshape(m, -1)
jnp.reshape(m, (5, 4), order='F')
m.ravel()
jnp.ravel(m, 'F')
m.flatten()
m.T
t.mT
t.transpose()
t.transpose(1, 0, 2)
t.transpose((2, 0, 1))
jnp.transpose(t, (0, 2, 1))
jnp.permute_dims(t, (2, 1, 0))
jnp.matrix_transpose(t)
jnp.swapaxes(t, 0, -1)
jnp.moveaxis(t, 0, -1)
jnp.moveaxis(t, (0, 1), (-1, 0))
jnp.rollaxis(t, 2)
jnp.rollaxis(t, 0, 3)
jnp.squeeze(m[:, :1])
jnp.squeeze(t[:1, :1], 0)
jnp.expand_dims(v, 0)
jnp.expand_dims(v, (0, 2))
jnp.broadcast_to(v, (2, 7))
jnp.broadcast_to(m[:, :1], (4, 3))
jnp.broadcast_arrays(m, m[0])
jnp.broadcast_shapes((2, 1), (3,))
jnp.flip(m)
jnp.flip(m, 1)
jnp.flip(t, (0, 2))
jnp.fliplr(m)
jnp.flipud(m)
jnp.rot90(m)
jnp.rot90(m, 2)
jnp.rot90(m, -1)
jnp.rot90(t, 1, (1, 2))
jnp.roll(v, 2)
jnp.roll(m, 3)
jnp.roll(m, -1, 0)
jnp.roll(m, (1, 2), (0, 1))
jnp.concatenate([v, w])
jnp.concatenate([m, m[:2]], 0)
jnp.concatenate([m, k], 1)
jnp.concatenate([i, h])  # jax
jnp.concatenate([m, m], axis=None)
jnp.concat([v, w])
jnp.stack([v, w])
jnp.stack([v, w], -1)
jnp.unstack(m)  # jax
jnp.hstack([v, w])
jnp.hstack([m, m])
jnp.vstack([v, w])
jnp.dstack([m, m])
jnp.column_stack([v, w])
jnp.block([[q, q], [q, q]])
jnp.block([v, 1.])
jnp.append(v, w)
jnp.append(m, m, 0)
jnp.atleast_1d(s)
jnp.atleast_2d(v)
jnp.atleast_3d(m)
jnp.atleast_1d(v, s)
jnp.split(v[:6], 3)
jnp.split(m, [1, 3], axis=1)
jnp.array_split(v, 3)
jnp.hsplit(m, [2])
jnp.vsplit(m, 2)
jnp.dsplit(t, 2)
jnp.tile(v, 2)
jnp.tile(m, (2, 1))
jnp.tile(v, (2, 2))
jnp.repeat(v, 2)
jnp.repeat(m, 2, 0)
jnp.repeat(m, 3, axis=1)
jnp.repeat(v[:3], x3[:3])
jnp.repeat(m, x3[:4], axis=0)
jnp.resize(v, (3, 4))
jnp.pad(v, 2)
jnp.pad(m, ((1, 0), (0, 2)))
jnp.pad(m, 1, constant_values=5)
jnp.pad(v, (1, 2), constant_values=(3, 4))
jnp.pad(v, 3, mode='edge')
jnp.pad(v, 3, mode='reflect')
jnp.pad(v, 9, mode='reflect')
jnp.pad(v, 3, mode='symmetric')
jnp.pad(v, 9, mode='symmetric')
jnp.pad(v, 3, mode='wrap')
jnp.pad(v, 2, mode='linear_ramp', end_values=1.)
jnp.pad(m, ((1, 1), (2, 0)), mode='maximum')
jnp.pad(m, 1, mode='minimum')
jnp.pad(m, 1, mode='mean')
jnp.pad(v, 2, mode='mean', stat_length=2)
jnp.pad(v, 2, mode='reflect', reflect_type='odd')
jnp.pad(v, 2, mode='symmetric', reflect_type='odd')
jnp.shape(m)
jnp.ndim(m)
jnp.size(m)
jnp.size(m, 1)
len(m)
[x for x in m[:2]]
m.swapaxes(0, 1)
m.squeeze()
m.astype('int32')
v.astype(bool)
m.repeat(2, axis=0)
jnp.trim_zeros(jnp.array([0, 1, 2, 0]))  # jax
"""

INDEXING = """
v[2]
v[-1]
m[1, 2]
m[1]
m[:, 1]
m[1:3]
m[::2, ::-1]
m[::-2]
m[3:0:-1]
m[5:2]
m[None]
m[..., 0]
m[..., None, 0]
m[None, 1, :, None]
t[0, ..., 1]
t[:, 1]
v[2:100]
v[-100:3]
v[:-2]
v[::3]
m[()]
m[...]
v[x3]
m[x3]
m[x3[:2], x3[2:4]]
m[:, x3]
m[x3[:2], :]
m[x3[:2], 1:3]
m[x3[:2], ::2]
m[1, x3]
m[x3, -1]
t[0, :, x3]
t[:, x3[:2] - 1, :]
t[x3[:2] - 2, :, x3[:2]]
t[:, x3[:2] - 1, x3[:2]]
t[x3[:2, None] - 2, x3[:3] - 1]
t[..., x3]
m[None, x3]
m[x3, None]
m[jnp.array([[0, 1], [2, 3]])]
v[v > 0]
m[m > 0]
m[k]
m[k[:, 0]]
m[:, k[0]]
m[k[:, 0], 1]
t[:, jnp.array([True, False, True])]
m[jnp.array([], dtype='int32')]
v[jnp.array([-1, -2])]
m[True]
m[False]
m[True, 1]
m[[0, 1],]
m[[True, False, True, True], [0, 1, 2]]
m[np.array([0, 2])]
m[np.int64(1)]
m[np.array(1)]
m[i[:2] % 4, 1]
v[u8[:3] % 7]
e[:, 1]
e[1:]
m[jnp.array(2)]
m[jnp.array(2), 1:3]
m[1:3, jnp.array(-1)]
jnp.take(m, x3)
jnp.take(m, x3, axis=0)
jnp.take(m, x3, axis=1)
jnp.take(m, jnp.array([[0, 1]]), axis=-1)
jnp.take(v, 11, mode='wrap')
jnp.take(v, jnp.array([-1, 9]), mode='clip')  # jax
jnp.take(v, jnp.array([-1, 9]))  # jax
jnp.take(v, jnp.array([-1, 9]), fill_value=5.)  # jax
jnp.take(i, 99)  # jax
jnp.take_along_axis(m, j[:1, :5] % 4, 0)
jnp.take_along_axis(m, jnp.argsort(m, 1), 1)
jnp.take_along_axis(m, j[:1] % 4, axis=0)
jnp.take_along_axis(v, x3, None)
jnp.take_along_axis(t, jnp.array([[[1]], [[0]]]), 1)
jnp.nonzero(k)  # jax
jnp.nonzero(i)  # jax
jnp.nonzero(l, size=10, fill_value=-1)  # jax
jnp.nonzero(k, size=3)  # jax
jnp.flatnonzero(l)  # jax
jnp.argwhere(k)  # jax
jnp.where(l)  # jax
jnp.where(l, size=9)  # jax
jnp.diagonal(m)
jnp.diagonal(m, 1)
jnp.diagonal(t, 0, 1, 2)
jnp.trace(q)
jnp.trace(t, 1, 1, 2)
jnp.compress(l, v)
jnp.compress(k[:, 0], m, axis=0)
jnp.extract(l, v)
jnp.choose(x3 - 1, [v[:6], w[:6], h])  # jax
jnp.unravel_index(x3, (2, 3))  # jax
jnp.unravel_index(5, (2, 3))  # jax
jnp.ravel_multi_index((x3[:2] - 1, x3[2:4]), (3, 4))  # jax
jnp.diag_indices(3)  # jax
jnp.tril_indices(3)  # jax
jnp.triu_indices(3, 1, 4)  # jax
jnp.ix_(x3[:2], x3[:3])  # jax
m[jnp.ix_(x3[:2], x3[:3])]
jnp.delete(v, 2)
jnp.delete(m, jnp.array([0, 2]), axis=1)  # jax
jnp.delete(v, slice(1, 4))
jnp.insert(v, 2, 9.)
jnp.insert(m, 1, v[:5], axis=0)
jnp.insert(v, np.array([1, 3]), np.array([8., 9.], 'float32'))
jnp.fill_diagonal(m, 0., inplace=False)  # jax
jnp.put_along_axis(m, j[:1] % 4, 1., 0, inplace=False)  # jax
jnp.put(v, jnp.array([0, 2]), 5., inplace=False)  # jax
jnp.place(v, l, w[:2], inplace=False)  # jax
v.take(x3)
m.trace()
m.diagonal()
l.nonzero()  # jax
m.compress(k[:, 0], axis=0)
v.at[2].set(9.)  # jax
v.at[-1].add(1)  # jax
m.at[1].set(v[:5])  # jax
m.at[1, 2].multiply(3.)  # jax
m.at[:, 1].set(0)  # jax
m.at[1:3, ::2].add(2.)  # jax
m.at[::-1].set(m)  # jax
m.at[::2, ::-1].set(m[::2])  # jax
m.at[None, 1].set(5.)  # jax
v.at[x3].set(w[:6])  # jax
v.at[x3].add(1.)  # jax
v.at[x3].subtract(w[:6])  # jax
v.at[x3].multiply(2.)  # jax
v.at[x3].min(0.)  # jax
v.at[x3].max(0.)  # jax
v.at[x3].divide(2.)  # jax
v.at[x3].power(2.)  # jax
v.at[jnp.array([0, 2])].apply(jnp.sin)  # jax
m.at[x3[:2], :].set(7.)  # jax
m.at[x3[:2], x3[2:4]].add(7.)  # jax
m.at[:, x3].add(1.)  # jax
t.at[x3[:2] - 2, :, x3[:2]].add(1.)  # jax
m.at[k].set(0.)  # jax
m.at[k].add(1.)  # jax
m.at[k[:, 0]].set(0.)  # jax
v.at[11].set(5.)  # jax
v.at[11].set(5., mode='clip')  # jax
v.at[jnp.array([11, -11, -1])].set(5.)  # jax
v.at[jnp.array([11, -9, -1])].get()  # jax
v.at[jnp.array([11, -9, -1])].get(mode='fill')  # jax
v.at[jnp.array([11, -9, -1])].get(mode='fill', fill_value=2.)  # jax
v.at[jnp.array([11, -9, -1])].get(mode='clip')  # jax
v.at[11].get(mode='fill')  # jax
i.at[2].set(2.7)  # jax
i.at[2].add(2)  # jax
i.at[2].mul(2)  # jax
i.at[x3 % 2].add(2.7)  # jax
v.at[...].set(1.)  # jax
v.at[()].add(1)  # jax
v.at[1:1].set(3.)  # jax
m.at[True].set(1.)  # jax
m.at[jnp.array(1)].set(1.)  # jax
m.at[1, jnp.array(2)].set(1.)  # jax
k.at[1].set(False)  # jax
u8.at[0].set(300)  # jax
c.at[0].set(1.)  # jax
"""

FAMILIES = {
    "creation": CREATION,
    "elementwise": ELEMENTWISE,
    "reductions": REDUCTIONS,
    "shapes": SHAPES,
    "indexing": INDEXING,
    "sorting": SORTING,
    "products": PRODUCTS,
    "math": MATH,
    "dtypes": DTYPES,
}


def expressions(text, jax_only=True):
    """(expression, is the comment `# jax` on it) of each line."""
    out = []
    for line in text.strip().splitlines():
        code, _, comment = line.partition("  # ")
        if jax_only or comment.strip() != "jax":
            out.append(code)
    return out


CASES = [(f, e) for f, text in FAMILIES.items() for e in expressions(text)]
NUMPY_CASES = [
    (f, e) for f, text in FAMILIES.items() for e in expressions(text, False)
]
ERROR_CASES = expressions(ERRORS)
