"""Continuous distributions that are one formula of uniforms or normals."""

from __future__ import annotations

import math

import numpy as np

from cotan import _core, _dispatch, dtypes, lax
from cotan.lax._types import canonical_shape, user_dtype
from cotan.random._basic import (
    check_castable,
    fitted,
    float_dtype,
    int_dtype,
    rademacher,
    real_array,
    sample_shape,
    split_keys,
)
from cotan.random._keys import single_key

__all__ = [
    "cauchy",
    "double_sided_maxwell",
    "exponential",
    "geometric",
    "laplace",
    "logistic",
    "lognormal",
    "maxwell",
    "multivariate_normal",
    "normal",
    "orthogonal",
    "pareto",
    "rayleigh",
    "triangular",
    "truncated_normal",
    "wald",
    "weibull_min",
]


def _uniform(key, shape, dtype):
    return _core.random_uniform(key, shape, dtype, None, None)


def normal(key, shape=(), dtype=None, *, out_sharding=None):
    """Standard normal floats; for complex dtypes the real and imaginary part
    have variance 1/2 each.

    >>> cotan.random.normal(cotan.random.key(0), (2,))
    Array([1.6226..., 2.0252...], dtype=float32)
    """
    key = single_key("normal", key)
    dtype = user_dtype(float if dtype is None else dtype, "normal")
    return _core.random_normal(key, canonical_shape(shape), dtype)


def truncated_normal(
    key, lower, upper, shape=None, dtype=None, *, out_sharding=None
):
    """Standard normal floats, given that they lie in (lower, upper)."""
    key = single_key("truncated_normal", key)
    dtype = float_dtype("truncated_normal", dtype)
    shape = sample_shape("truncated_normal", shape, lower, upper)
    lower = _core.convert(lower, dtype, False)
    upper = _core.convert(upper, dtype, False)
    root2 = math.sqrt(2)
    a, b = (lax.erf(lax.div(x, root2)) for x in (lower, upper))
    u = _core.random_uniform(key, shape, dtype, a, b)
    x = lax.mul(lax.erf_inv(u), root2)
    # Rounding must not reach the bounds.
    inf = np.array(np.inf, dtype)
    low = lax.nextafter(lax.stop_gradient(lower), inf)
    high = lax.nextafter(lax.stop_gradient(upper), -inf)
    fit = [_core.broadcast_to(v, shape) if v.ndim else v for v in (low, high)]
    return lax.min(lax.max(x, fit[0]), fit[1])


def exponential(key, shape=(), dtype=None, *, out_sharding=None):
    """Exponential floats with rate 1."""
    key = single_key("exponential", key)
    dtype = float_dtype("exponential", dtype)
    u = _uniform(key, canonical_shape(shape), dtype)
    return lax.neg(lax.log1p(lax.neg(u)))


def cauchy(key, shape=(), dtype=None, *, out_sharding=None):
    """Standard Cauchy floats."""
    key = single_key("cauchy", key)
    dtype = float_dtype("cauchy", dtype)
    eps = float(dtypes.finfo(dtype).eps)
    u = _core.random_uniform(key, canonical_shape(shape), dtype, eps, 1.0)
    return lax.tan(lax.mul(lax.sub(u, 0.5), math.pi))


def laplace(key, shape=(), dtype=None, *, out_sharding=None):
    """Standard Laplace floats."""
    key = single_key("laplace", key)
    dtype = float_dtype("laplace", dtype)
    low = -1.0 + float(dtypes.finfo(dtype).epsneg)
    u = _core.random_uniform(key, canonical_shape(shape), dtype, low, 1.0)
    return lax.mul(lax.sign(u), lax.log1p(lax.neg(lax.abs(u))))


def logistic(key, shape=(), dtype=None, *, out_sharding=None):
    """Standard logistic floats."""
    key = single_key("logistic", key)
    dtype = float_dtype("logistic", dtype)
    tiny = float(dtypes.finfo(dtype).smallest_normal)
    x = _core.random_uniform(key, canonical_shape(shape), dtype, tiny, 1.0)
    return lax.sub(lax.log(x), lax.log1p(lax.neg(x)))


def lognormal(key, sigma=1.0, shape=None, dtype=None, *, out_sharding=None):
    """exp of normal floats with standard deviation sigma."""
    key = single_key("lognormal", key)
    dtype = user_dtype(float if dtype is None else dtype, "lognormal")
    shape = sample_shape("lognormal", shape, sigma)
    check_castable("lognormal", dtype, sigma)
    x = _core.random_normal(key, shape, dtype)
    return lax.exp(lax.mul(x, fitted(sigma, dtype, shape)))


def pareto(key, b, shape=None, dtype=None, *, out_sharding=None):
    """Pareto floats with shape parameter b."""
    key = single_key("pareto", key)
    dtype = float_dtype("pareto", dtype)
    shape = sample_shape("pareto", shape, b)
    check_castable("pareto", dtype, b)
    e = exponential(key, shape, dtype)
    return lax.exp(lax.div(e, fitted(b, dtype, shape)))


def rayleigh(key, scale, shape=None, dtype=None, *, out_sharding=None):
    """Rayleigh floats."""
    key = single_key("rayleigh", key)
    dtype = float_dtype("rayleigh", dtype)
    shape = sample_shape("rayleigh", shape, scale)
    check_castable("rayleigh", dtype, scale)
    log_u = lax.log(_uniform(key, shape, dtype))
    return lax.mul(fitted(scale, dtype, shape), lax.sqrt(lax.mul(log_u, -2.0)))


def wald(key, mean, shape=None, dtype=None, *, out_sharding=None):
    """Inverse Gaussian floats with scale 1 (Michael, Schucany and Haas
    1976)."""
    key = single_key("wald", key)
    dtype = float_dtype("wald", dtype)
    shape = sample_shape("wald", shape, mean)
    check_castable("wald", dtype, mean)
    normal_key, uniform_key = split_keys(key)
    mean = fitted(mean, dtype, shape)
    y = lax.square(_core.random_normal(normal_key, shape, dtype))
    z = _uniform(uniform_key, shape, dtype)
    mean_sq = lax.square(mean)
    root = lax.sqrt(4 * mean * y + mean_sq * lax.square(y))
    x = mean + mean_sq * y / 2 - mean / 2 * root
    return lax.select(lax.le(z, mean / (mean + x)), x, mean_sq / x)


def triangular(
    key, left, mode, right, shape=None, dtype=None, *, out_sharding=None
):
    """Triangular floats in [left, right] with their peak at mode."""
    key = single_key("triangular", key)
    dtype = float_dtype("triangular", dtype)
    shape = sample_shape("triangular", shape, left, mode, right)
    check_castable("triangular", dtype, left, mode, right)
    left, mode, right = (fitted(x, dtype, shape) for x in (left, mode, right))
    width = right - left
    u = _uniform(key, shape, dtype)
    rising = left + lax.sqrt(u * width * (mode - left))
    falling = right - lax.sqrt((1 - u) * width * (right - mode))
    return lax.select(lax.lt(u, (mode - left) / width), rising, falling)


def weibull_min(key, scale, concentration, shape=(), dtype=None):
    """Weibull floats."""
    key = single_key("weibull_min", key)
    dtype = float_dtype("weibull_min", dtype)
    e = exponential(key, canonical_shape(shape), dtype)
    return e ** (1.0 / _dispatch.to_array(concentration)) * scale


def maxwell(key, shape=(), dtype=None, *, out_sharding=None):
    """Maxwell floats with scale 1: lengths of normal vectors in space."""
    key = single_key("maxwell", key)
    dtype = float_dtype("maxwell", dtype)
    shape = canonical_shape(shape)
    x = _core.random_normal(key, (*shape, 3), dtype)
    return lax.sqrt(lax.reduce_sum(lax.square(x), (len(shape),)))


def double_sided_maxwell(key, loc, scale, shape=(), dtype=None):
    """Maxwell floats with random signs, scaled and moved."""
    key = single_key("double_sided_maxwell", key)
    dtype = float_dtype("double_sided_maxwell", dtype)
    parameters = sample_shape("double_sided_maxwell", None, loc, scale)
    shape = (*(canonical_shape(shape) or parameters), *parameters)
    maxwell_key, sign_key = split_keys(key)
    x = maxwell(maxwell_key, shape, dtype)
    return rademacher(sign_key, shape, dtype) * x * scale + loc


def geometric(key, p, shape=None, dtype=None, *, out_sharding=None):
    """The number of trials up to the first success (at least 1)."""
    key = single_key("geometric", key)
    dtype = int_dtype(dtype, "geometric")
    if not dtypes.issubdtype(dtype, np.integer):
        raise ValueError(
            f"dtype argument to `geometric` must be an int dtype, got {dtype}"
        )
    shape = sample_shape("geometric", shape, p)
    p = real_array(p)
    u = _uniform(key, shape, p.dtype)
    u = lax.select(lax.eq(u, 0.0), lax.full_like(u, 1), u)
    log_q = _core.broadcast_to(lax.log1p(lax.neg(p)), shape)
    count = lax.add(lax.floor(lax.div(lax.log(u), log_q)), 1.0)
    return _core.convert(count, dtype, False)


def multivariate_normal(
    key,
    mean,
    cov,
    shape=None,
    dtype=None,
    method: str = "cholesky",
    *,
    out_sharding=None,
):
    """Normal vectors with the given mean [..., n] and covariance
    [..., n, n]; needs a decomposition of it."""
    key = single_key("multivariate_normal", key)
    if method not in ("svd", "eigh", "cholesky"):
        raise ValueError("method must be one of {'svd', 'eigh', 'cholesky'}")
    mean, cov = real_array(mean), real_array(cov)
    dtype = (
        mean.dtype
        if dtype is None
        else float_dtype("multivariate_normal", dtype)
    )
    if mean.ndim < 1:
        raise ValueError(
            "multivariate_normal requires mean.ndim >= 1, got mean.ndim == "
            f"{mean.ndim}"
        )
    n = mean.shape[-1]
    if cov.ndim < 2 or cov.shape[-2:] != (n, n):
        raise ValueError(
            f"multivariate_normal requires cov.shape == (..., n, n) for n={n}, "
            f"but got cov.shape == {cov.shape}."
        )
    shape = sample_shape_of_batches(shape, mean.shape[:-1], cov.shape[:-2])
    factor = _factor(cov, method)
    x = _core.random_normal(key, (*shape, n), dtype)
    # factor [..., i, j] x [..., j] -> [..., i]
    moved = _core.matmul(factor, _core.expand_dims(x, (x.ndim,)))
    noise = _core.squeeze(moved, (moved.ndim - 1,))
    return _core.broadcast_to(mean, noise.shape) + noise


def sample_shape_of_batches(shape, *batches):
    if shape is None:
        return lax.broadcast_shapes(*batches)
    shape = canonical_shape(shape)
    if lax.broadcast_shapes(shape, *batches) != shape:
        raise ValueError(
            "normal parameter shapes must be broadcast-compatible with shape "
            "argument, and the result of broadcasting the shapes must equal "
            f"the shape argument, but got shape argument {shape}."
        )
    return shape


def _factor(cov, method):
    """f with f f^T = cov."""
    if method == "cholesky":
        return lax.linalg.cholesky(cov)
    if method == "eigh":
        v, w = lax.linalg.eigh(cov)
    else:
        v, w, _ = lax.linalg.svd(cov)
    return v * lax.sqrt(_core.expand_dims(w, (w.ndim - 1,)))


def orthogonal(
    key,
    n: int,
    shape=(),
    dtype=None,
    m: int | None = None,
    *,
    out_sharding=None,
):
    """Uniform orthogonal matrices [..., n, m]; needs a QR decomposition."""
    key = single_key("orthogonal", key)
    dtype = user_dtype(float if dtype is None else dtype, "orthogonal")
    m = n if m is None else m
    shape = canonical_shape(shape)
    z = _core.random_normal(key, (*shape, max(n, m), min(n, m)), dtype)
    q, r = lax.linalg.qr(z, full_matrices=False)
    eye = lax.eq(
        lax.broadcasted_iota(np.int32, r.shape, r.ndim - 2),
        lax.broadcasted_iota(np.int32, r.shape, r.ndim - 1),
    )
    d = lax.reduce_sum(lax.select(eye, r, lax.full_like(r, 0)), (r.ndim - 2,))
    x = q * _core.expand_dims(lax.sign(d), (d.ndim - 1,))
    if n >= m:
        return x
    return _core.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))
