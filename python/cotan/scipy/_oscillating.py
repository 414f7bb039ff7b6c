"""The Fresnel and the sine and cosine integrals.

Close to zero they are power series. Further out they are an oscillation times
two smooth functions, integrals of 1 / (1 + (v / x)^p) with a weight that does
not depend on x (DLMF 7.7.10, 7.7.11, 6.7.13, 6.7.14): sums over fixed nodes.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from cotan import _core, dtypes, lax
from cotan._src.custom import custom_jvp


def _real(name: str, x):
    (x,) = _core.promote_inexact(name, [x])
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        raise ValueError(f"Argument `x` to {name} must be real-valued.")
    return x


def _at_least_single(function, x):
    """function(x), for 16-bit floats by way of 32 bits."""
    if dtypes.finfo(x.dtype).bits > 16:
        return function(x)
    results = function(lax.convert_element_type(x, np.float32))
    return tuple(lax.convert_element_type(y, x.dtype) for y in results)


def _series(y, ratios):
    """1 + y r_1 + y^2 r_1 r_2 + ..."""
    total = lax.full_like(y, 1)
    for r in reversed(ratios):
        total = 1.0 + y * r * total
    return total


def _where(condition, x, y):
    return _core.where(condition, x, y)


# ---- Fresnel integrals


@functools.cache
def _fresnel_nodes(double: bool):
    """(v^4, weight, weight v^2) for the midpoint rule, whose error falls as
    exp(-2 pi d / h) with d the distance to the poles, 0.88 for x = 1.25."""
    h, n = (0.16, 32) if double else (0.28, 14)
    v = h * (np.arange(n) + 0.5)
    w = math.sqrt(2) * h * np.exp(-np.pi / 2 * v**2)
    return v**4, w, w * v**2


@custom_jvp
def _fresnel(x):
    a = lax.abs(x)
    near, far = lax.min(a, 1.25), lax.max(a, 1.25)
    # Each k: the next term of the series in -(pi x^2 / 2)^2.
    y = -lax.square(np.pi / 2 * near * near)
    k = range(1, 14)
    cos_ratios = [(4 * i - 3) / ((2 * i - 1) * 2 * i * (4 * i + 1)) for i in k]
    sin_ratios = [(4 * i - 1) / (2 * i * (2 * i + 1) * (4 * i + 3)) for i in k]
    c_near = near * _series(y, cos_ratios)
    s_near = np.pi / 6 * near * near * near * _series(y, sin_ratios)

    f = g = lax.full_like(x, 0)
    inverse = 1.0 / far
    square = inverse * inverse
    fourth = square * square
    for v4, w, w2 in zip(*_fresnel_nodes(x.dtype == np.float64), strict=True):
        share = 1.0 / (1.0 + float(v4) * fourth)
        f, g = f + float(w) * share, g + float(w2) * share
    f, g = f * inverse / np.pi, g * inverse * square / np.pi
    sin, cos = _sin_cos_of_half_square(far)
    c_far = 0.5 + f * sin - g * cos
    s_far = 0.5 - f * cos - g * sin

    small, endless = a < 1.25, lax.eq(a, np.inf)
    results = []
    for inner, outer in ((s_near, s_far), (c_near, c_far)):
        value = _where(small, inner, _where(endless, 0.5, outer))
        value = _where(lax.ne(x, x), np.nan, value)
        results.append(lax.sign(x) * value)
    return tuple(results)


def _sin_cos_of_half_square(x):
    """sin and cos of pi x^2 / 2 for x >= 0. With s = x mod 2 the square
    differs from s (2 x - s) by a multiple of 4."""
    s = lax.rem(x, 2.0)
    angle = np.pi * lax.rem(s * (x - 0.5 * s), 2.0)
    return lax.sin(angle), lax.cos(angle)


@_fresnel.defjvp
def _fresnel_jvp(primals, tangents):
    ((x,), (t,)) = primals, tangents
    sin, cos = _sin_cos_of_half_square(lax.abs(x))
    return _fresnel(x), (t * sin, t * cos)


def fresnel(x):
    """(S, C): the integrals of sin(pi t^2 / 2) and cos(pi t^2 / 2) to x."""
    parts = _at_least_single(_fresnel, _real("fresnel", x))
    return tuple(_core.strong(y) for y in parts)


# ---- sine and cosine integrals


@functools.cache
def _sici_nodes(double: bool):
    """(v^2, weight, weight v): the integral of exp(-v) by the double
    exponential rule v = exp(u - exp(-u)); Takahasi and Mori (1974)."""
    h, n = (0.19, 20) if double else (0.3, 10)
    u = h * np.arange(-n, n + 1)
    v = np.exp(u - np.exp(-u))
    w = h * np.exp(-v) * v * (1 + np.exp(-u))
    keep = w > 1e-19
    v, w = v[keep], w[keep]
    return v**2, w, w * v


@custom_jvp
def _sici(x):
    a = lax.abs(x)
    near, far = lax.min(a, 2.0), lax.max(a, 2.0)
    y = -near * near
    k = range(1, 14)
    si_ratios = [(2 * i - 1) / (2 * i * (2 * i + 1) ** 2) for i in k]
    ci_ratios = [2 * i / ((2 * i + 1) * (2 * i + 2) ** 2) for i in k]
    si_near = near * _series(y, si_ratios)
    ci_near = lax.log(near) + (np.euler_gamma + y * _series(y, ci_ratios) / 4)

    f = g = lax.full_like(x, 0)
    inverse = 1.0 / far
    square = inverse * inverse
    for v2, w, w1 in zip(*_sici_nodes(x.dtype == np.float64), strict=True):
        share = 1.0 / (1.0 + float(v2) * square)
        f, g = f + float(w) * share, g + float(w1) * share
    f, g = f * inverse, g * square
    endless = lax.eq(a, np.inf)
    finite = _where(endless, 0.0, far)
    sin, cos = lax.sin(finite), lax.cos(finite)
    si = _where(a < 2.0, si_near, np.pi / 2 - f * cos - g * sin)
    ci = _where(a < 2.0, ci_near, f * sin - g * cos)
    si = lax.sign(x) * _where(endless, np.pi / 2, si)
    ci = _where(endless, _where(x < 0.0, np.nan, 0.0), ci)
    return _where(lax.ne(x, x), np.nan, si), _where(lax.ne(x, x), np.nan, ci)


@_sici.defjvp
def _sici_jvp(primals, tangents):
    ((x,), (t,)) = primals, tangents
    zero = lax.eq(x, 0.0)
    slope = _where(zero, 1.0, lax.sin(x) / _where(zero, 1.0, x))
    return _sici(x), (t * slope, t * (lax.cos(x) / x))


def sici(x):
    """(Si, Ci): the integral of sin(t) / t to x, and Euler's constant + log(x)
    + the integral of (cos(t) - 1) / t to x, of |x| if x is negative."""
    parts = _at_least_single(_sici, _real("sici", x))
    return tuple(_core.strong(y) for y in parts)
