"""Resampling of images of any dimension, as `jax.image`.

Each axis is multiplied by a matrix of weights, so that a resize is linear,
differentiable and as fast as matrix products.
"""

from __future__ import annotations

import enum
import functools

import numpy as np

import cotan.numpy as cnp
from cotan import dtypes
from cotan.lax._types import Precision, canonical_shape
from cotan.scipy.stats._common import cast_inexact

__all__ = ["ResizeMethod", "resize", "scale_and_translate"]

_EPS = 1000.0 * float(np.finfo(np.float32).eps)


class ResizeMethod(enum.Enum):
    """The kernels that `resize` interpolates by."""

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4
    CUBIC_PYTORCH = 5
    AREA = 6

    @staticmethod
    def from_string(s: str):
        """The method that a name like "bilinear" stands for."""
        if s not in _NAMES:
            raise ValueError(f'Unknown resize method "{s}"')
        return _NAMES[s]


_NAMES = {
    "nearest": ResizeMethod.NEAREST,
    **dict.fromkeys(
        ("linear", "bilinear", "trilinear", "triangle"), ResizeMethod.LINEAR
    ),
    "lanczos3": ResizeMethod.LANCZOS3,
    "lanczos5": ResizeMethod.LANCZOS5,
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), ResizeMethod.CUBIC),
    **dict.fromkeys(
        ("cubic-pytorch", "bicubic-pytorch"), ResizeMethod.CUBIC_PYTORCH
    ),
    "area": ResizeMethod.AREA,
}


# Kernels of a distance x >= 0.


def _lanczos(radius, x):
    y = radius * cnp.sin(np.pi * x) * cnp.sin(np.pi * x / radius)
    square = cnp.where(x != 0, np.pi**2 * x**2, 1)
    return cnp.where(x > radius, 0.0, cnp.where(x > 1e-3, y / square, 1))


def _keys_cubic(x):
    """Keys 1981, a = -1/2."""
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return cnp.where(x >= 2.0, 0.0, cnp.where(x >= 1.0, far, near))


def _opencv_cubic(x):
    """Keys 1981, a = -3/4, as OpenCV and PyTorch have it."""
    a = -0.75
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    return cnp.where(x >= 2.0, 0.0, cnp.where(x >= 1.0, far, near))


def _triangle(x):
    return cnp.maximum(0, 1 - cnp.abs(x))


# (radius, kernel)
_KERNELS = {
    ResizeMethod.LINEAR: (1, _triangle),
    ResizeMethod.LANCZOS3: (3, functools.partial(_lanczos, 3.0)),
    ResizeMethod.LANCZOS5: (5, functools.partial(_lanczos, 5.0)),
    ResizeMethod.CUBIC: (2, _keys_cubic),
    ResizeMethod.CUBIC_PYTORCH: (2, _opencv_cubic),
    ResizeMethod.AREA: (1, None),
}


def _normalised(weights):
    """Columns that sum to 1; 0 where there is nothing to normalise."""
    total = cnp.sum(weights, axis=0, keepdims=True)
    safe = cnp.where(total != 0, total, 1)
    return cnp.where(cnp.abs(total) > _EPS, weights / safe, 0)


def _overlaps(m: int, n: int, inverse, translation, dtype):
    """How much of the input's cells the cells of the output cover."""
    left = cnp.arange(n, dtype=dtype) * inverse - translation * inverse
    cell = cnp.arange(m, dtype=dtype)[:, None]
    high = cnp.minimum((left + inverse)[None, :], cell + 1.0)
    return cnp.maximum(0.0, high - cnp.maximum(left[None, :], cell))


def _weights(m: int, n: int, scale, translation, method, antialias, clamped):
    """The matrix [m, n] from an axis of m elements to one of n. `clamped`:
    elements beyond the edges repeat it."""
    dtype = dtypes.result_type(scale, translation)
    radius, kernel = _KERNELS[method]
    inverse = 1.0 / scale
    widening = cnp.maximum(inverse, 1.0) if antialias else 1.0
    sample = (
        (cnp.arange(n, dtype=dtype) + 0.5) * inverse
        - translation * inverse
        - 0.5
    )
    beyond = radius if clamped else 0
    place = cnp.arange(-beyond, m + beyond, dtype=dtype)
    if kernel is None:
        weights = _overlaps(m, n, inverse, translation, dtype)
    else:
        distance = cnp.abs(sample[None, :] - place[:, None])
        weights = kernel(distance / widening)
    if clamped:
        row = cnp.clip(place.astype(np.int32), 0, m - 1)
        weights = cnp.zeros((m, n), dtype).at[row].add(weights)
        return _normalised(weights)
    inside = (sample >= -0.5) & (sample <= m - 0.5)
    return cnp.where(inside[None, :], _normalised(weights), 0)


def _resample(x, shape, axes, scale, translation, method, antialias, precision):
    if method == ResizeMethod.CUBIC_PYTORCH and antialias:
        method = ResizeMethod.CUBIC
    clamped = method == ResizeMethod.CUBIC_PYTORCH
    operands, out = [x, list(range(x.ndim))], list(range(x.ndim))
    for i, axis in enumerate(axes):
        axis = range(x.ndim)[axis]
        w = _weights(
            x.shape[axis],
            shape[axis],
            scale[i],
            translation[i],
            method,
            antialias,
            clamped,
        )
        out[axis] = x.ndim + i
        operands += [w.astype(x.dtype), [axis, x.ndim + i]]
    return cnp.einsum(*operands, out, precision=precision) if axes else x


def _method(method) -> ResizeMethod:
    if isinstance(method, str):
        return ResizeMethod.from_string(method)
    return method


def _check_rank(image, shape) -> None:
    if len(shape) != image.ndim:
        raise ValueError(
            "shape must have length equal to the number of dimensions of x;  "
            f"{shape} vs {image.shape}"
        )


def scale_and_translate(
    image,
    shape,
    spatial_dims,
    scale,
    translation,
    method,
    antialias=True,
    precision=Precision.HIGHEST,
):
    """`image`, its axes `spatial_dims` scaled and moved by `scale` and
    `translation` (one each per axis, differentiable), cut to `shape`; 0 where
    the image does not reach."""
    image = cnp.asarray(image)
    shape = canonical_shape(shape)
    _check_rank(image, shape)
    method = _method(method)
    if method == ResizeMethod.NEAREST:
        raise ValueError(
            "Nearest neighbor resampling is not currently supported for "
            "scale_and_translate."
        )
    (image,) = cast_inexact(image)
    scale, translation = cast_inexact(scale, translation)
    return _resample(
        image,
        shape,
        tuple(spatial_dims),
        scale,
        translation,
        method,
        antialias,
        precision,
    )


def _nearest(x, shape):
    for axis, (m, n) in enumerate(zip(x.shape, shape, strict=True)):
        if m != n:
            at = (np.arange(n, dtype=np.float32) + 0.5) * m / n
            index = np.floor(at.astype(np.float32)).astype(np.int32)
            x = x[(slice(None),) * axis + (index,)]
    return x


def resize(image, shape, method, antialias=True, precision=Precision.HIGHEST):
    """`image`, resampled to `shape`; `antialias` widens the kernel where the
    image shrinks.

    >>> cotan.image.resize(cnp.array([0.0, 2.0]), (4,), "linear")
    Array([0. , 0.5, 1.5, 2. ], dtype=float32)
    """
    image = cnp.asarray(image)
    shape = canonical_shape(shape)
    _check_rank(image, shape)
    method = _method(method)
    if method == ResizeMethod.NEAREST:
        return _nearest(image, shape)
    (image,) = cast_inexact(image)
    axes = tuple(i for i, n in enumerate(shape) if n != image.shape[i])
    scale = [1.0 if shape[i] == 0 else shape[i] / image.shape[i] for i in axes]
    return _resample(
        image,
        shape,
        axes,
        scale,
        [0.0] * len(axes),
        method,
        antialias,
        precision,
    )
