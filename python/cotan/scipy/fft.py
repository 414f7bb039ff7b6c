"""Discrete cosine transforms of type 2, as in `jax.scipy.fft`.

By one FFT of the same length, of the even elements followed by the odd ones
backwards: Makhoul, A Fast Cosine Transform in One and Two Dimensions (1980).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

import cotan.numpy as cnp
from cotan import _core, lax
from cotan._dispatch import Array
from cotan._src import absent
from cotan.numpy import fft

__all__ = ["dct", "dctn", "idct", "idctn"]

# ---- along one axis, the last


def _twiddle(n: int, like):
    """exp(-i pi k / 2n)"""
    factors = np.exp(-0.5j * np.pi / n * np.arange(n))
    factors = cnp.asarray(factors, np.result_type(like.dtype, np.complex64))
    return cnp.broadcast_to(factors, like.shape)


def _orthonormal(n: int, like):
    """What divides a transform to make it orthonormal."""
    scale = np.sqrt([4.0 * n] + [2.0 * n] * (n - 1))
    return cnp.broadcast_to(cnp.asarray(scale, like.dtype), like.shape)


def _forward(x, norm):
    n = x.shape[-1]
    v = cnp.concatenate([x[..., ::2], x[..., 1::2][..., ::-1]], -1)
    y = 2 * cnp.real(fft.fft(v) * _twiddle(n, x))
    return y / _orthonormal(n, y) if norm == "ortho" else y


def _backward(x, norm):
    n = x.shape[-1]
    scale = _orthonormal(n, x)
    x = x / scale if norm == "ortho" else x / (scale * scale)
    twiddle = _twiddle(n, x)
    v = cnp.real(fft.ifft(2 * n * x.astype(twiddle.dtype) / twiddle))
    evens, odds = v[..., : (n + 1) // 2], v[..., (n + 1) // 2 :][..., ::-1]
    y = cnp.zeros_like(v).at[..., ::2].set(evens)
    return y.at[..., 1::2].set(odds)


# ---- along any


def _transform(name, kernel, x, type, s, axes, norm):
    if type != 2:
        raise NotImplementedError("Only DCT type 2 is implemented.")
    if norm not in (None, "backward", "ortho"):
        raise ValueError(f"jax.scipy.fft.{name}: {norm=} is not implemented")
    if cnp.iscomplexobj(x):
        parts = (cnp.real(x), cnp.imag(x))
        return lax.complex(
            *(_transform(name, kernel, p, type, s, axes, norm) for p in parts)
        )
    if s is not None:
        x = _resized(x, dict(zip(axes, s, strict=True)))
    (x,) = _core.promote_inexact(name, [x])
    for axis in axes:
        y = kernel(cnp.moveaxis(x, axis, -1), norm)
        x = cnp.moveaxis(y, -1, axis)
    return x


def _resized(x, lengths):
    """x, zeros appended or elements taken off to have these lengths."""
    more = [lengths.get(i, n) - n for i, n in enumerate(x.shape)]
    return lax.pad(x, cnp.zeros((), x.dtype), [(0, m, 0) for m in more])


def _along(name, kernel, x, type, n, axis, norm):
    x = cnp.asarray(x)
    axis = operator.index(axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"axis {axis} is out of bounds for array of dimension {x.ndim}"
        )
    s = None if n is None else [n]
    return _transform(name, kernel, x, type, s, (axis % x.ndim,), norm)


def _over(name, kernel, x, type, s, axes, norm):
    x = cnp.asarray(x)
    if s is not None:
        s = list(s) if np.iterable(s) else [operator.index(s)]
        if len(s) > x.ndim:
            raise ValueError(
                f"s must have at most x.ndim ({x.ndim}) elements, got {len(s)}"
            )
    if axes is None:
        axes = range(x.ndim - len(s) if s is not None else 0, x.ndim)
    axes = np.lib.array_utils.normalize_axis_tuple(axes, x.ndim)
    return _transform(name, kernel, x, type, s, axes, norm)


def dct(
    x: Array,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
) -> Array:
    """y[k] = 2 sum of x[j] cos(pi k (2 j + 1) / 2n), along an axis.

    Args:
      x: an array; real and imaginary parts are transformed apart.
      type: 2.
      n: the length, by zeros at the end or by leaving out (None: as it is).
      axis: which one.
      norm: "ortho" makes the transform orthonormal; None and "backward" leave
        all factors to `idct`.

    >>> dct(cnp.ones(2))
    Array([4., 0.], dtype=float32)
    """
    return _along("dct", _forward, x, type, n, axis, norm)


def idct(
    x: Array,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
) -> Array:
    """The inverse of `dct`, with the same arguments."""
    return _along("idct", _backward, x, type, n, axis, norm)


def dctn(
    x: Array,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:
    """`dct` along each of `axes` (None: the last len(s), or all)."""
    return _over("dctn", _forward, x, type, s, axes, norm)


def idctn(
    x: Array,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:
    """The inverse of `dctn`, with the same arguments."""
    return _over("idctn", _backward, x, type, s, axes, norm)


def __getattr__(name):
    raise absent.error(__name__, name)
