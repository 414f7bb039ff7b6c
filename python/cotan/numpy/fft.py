"""Discrete Fourier transforms, as in `numpy.fft`.

Any length is transformed in O(n log n). Results are complex64 for 32-bit
operands, complex128 for 64-bit ones. `norm` is "backward" (the inverse divides
by n), "ortho" or "forward".

>>> import cotan.numpy as cnp
>>> cnp.fft.rfft(cnp.array([1.0, 2.0, 3.0]))
Array([ 6. +0.j       , -1.5+0.8660254j], dtype=complex64)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from cotan import _core
from cotan._src.devices import placed
from cotan.lax._fft import fft as _lax_fft
from cotan.lax._types import FftType
from cotan.numpy.creation import asarray
from cotan.numpy.elementwise import conj
from cotan.numpy.padding import pad
from cotan.numpy.shaping import moveaxis, roll

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

_operand = _core.np_operand


def _factor(name: str, norm: str, sizes) -> float:
    n = math.prod(sizes)
    inverse = name.startswith("i")
    if norm == "backward":
        return 1.0
    if norm == "ortho":
        return math.sqrt(n) if inverse else 1 / math.sqrt(n)
    if norm == "forward":
        return float(n) if inverse else 1 / n
    raise ValueError(
        f'Invalid norm value {norm}; should be "backward","ortho" or "forward".'
    )


def _transform(name, kind, a, s, axes, norm):
    x = _operand(a, f"fft.{name}", 0)
    if s is not None:
        s = [operator.index(n) for n in s]
        if any(n <= 0 for n in s):
            raise ValueError("Shape should be positive.")
        if axes is not None and len(s) != len(axes):
            raise ValueError("Shape and axes have different lengths.")
    moved = axes is not None
    count = len(axes) if moved else x.ndim if s is None else len(s)
    if moved:
        axes = [operator.index(d) for d in axes]
        if len(axes) != len(set(axes)):
            raise ValueError(
                f"jax.numpy.fft.{name} does not support repeated axes. Got "
                f"axes {axes}."
            )
        last = tuple(range(x.ndim - count, x.ndim))
        x = moveaxis(x, axes, last)
    is_irfft = kind is FftType.IRFFT
    first = x.ndim - count
    if s is None:
        s = list(x.shape[first:])
        if is_irfft and s:
            s[-1] = max(0, 2 * (s[-1] - 1))
    else:
        want = list(s)
        if is_irfft:
            want[-1] = want[-1] // 2 + 1
        have = x.shape[first:]
        if tuple(want) != have:
            x = x[(..., *[slice(n) for n in want])]
            widths = [(0, 0)] * first
            widths += [
                (0, n - m) for n, m in zip(want, x.shape[first:], strict=True)
            ]
            x = pad(x, widths)
    y = _lax_fft(x, kind, s)
    if norm is not None:
        factor = _factor(name, norm, s)
        if factor != 1.0:
            y = y * factor
    return moveaxis(y, last, axes) if moved else y


def _one(name, kind, a, n, axis, norm):
    if isinstance(axis, (list, tuple)):
        raise ValueError(
            f"jax.numpy.fft.{name} does not support multiple axes. Please use "
            f"jax.numpy.fft.{name}n. Got axis = {axis!r}."
        )
    return _transform(
        name,
        kind,
        a,
        None if n is None else [n],
        None if axis is None else [axis],
        norm,
    )


def _two(name, kind, a, s, axes, norm):
    if len(axes) != 2:
        raise ValueError(
            f"jax.numpy.fft.{name} only supports 2 axes. Got axes = {axes!r}."
        )
    return _transform(name, kind, a, s, axes, norm)


def fft(a, n: int | None = None, axis: int = -1, norm: str | None = None):
    """The transform along one axis, cut or padded with zeros to n entries."""
    return _one("fft", FftType.FFT, a, n, axis, norm)


def ifft(a, n: int | None = None, axis: int = -1, norm: str | None = None):
    """The inverse of `fft`."""
    return _one("ifft", FftType.IFFT, a, n, axis, norm)


def rfft(a, n: int | None = None, axis: int = -1, norm: str | None = None):
    """`fft` of real numbers: the first n // 2 + 1 entries."""
    return _one("rfft", FftType.RFFT, a, n, axis, norm)


def irfft(a, n: int | None = None, axis: int = -1, norm: str | None = None):
    """The inverse of `rfft`; n is the size of the result (default: even)."""
    return _one("irfft", FftType.IRFFT, a, n, axis, norm)


def hfft(a, n: int | None = None, axis: int = -1, norm: str | None = None):
    """The transform, real, of a Hermitian-symmetric line given by its half."""
    a = conj(_operand(a, "fft.hfft", 0))
    y = _one("hfft", FftType.IRFFT, a, n, axis, norm)
    return y * ((a.shape[axis] - 1) * 2 if n is None else n)


def ihfft(a, n: int | None = None, axis: int = -1, norm: str | None = None):
    """The inverse of `hfft`."""
    a = _operand(a, "fft.ihfft", 0)
    y = _one("ihfft", FftType.RFFT, a, n, axis, norm)
    return conj(y) * (1 / (a.shape[axis] if n is None else n))


def fft2(
    a,
    s: Sequence[int] | None = None,
    axes: Sequence[int] = (-2, -1),
    norm: str | None = None,
):
    """`fftn` over two axes."""
    return _two("fft2", FftType.FFT, a, s, axes, norm)


def ifft2(
    a,
    s: Sequence[int] | None = None,
    axes: Sequence[int] = (-2, -1),
    norm: str | None = None,
):
    """The inverse of `fft2`."""
    return _two("ifft2", FftType.IFFT, a, s, axes, norm)


def rfft2(
    a,
    s: Sequence[int] | None = None,
    axes: Sequence[int] = (-2, -1),
    norm: str | None = None,
):
    """`rfftn` over two axes."""
    return _two("rfft2", FftType.RFFT, a, s, axes, norm)


def irfft2(
    a,
    s: Sequence[int] | None = None,
    axes: Sequence[int] = (-2, -1),
    norm: str | None = None,
):
    """The inverse of `rfft2`."""
    return _two("irfft2", FftType.IRFFT, a, s, axes, norm)


def fftn(
    a,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
):
    """The transform along several axes (default: all, or the last len(s))."""
    return _transform("fftn", FftType.FFT, a, s, axes, norm)


def ifftn(
    a,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
):
    """The inverse of `fftn`."""
    return _transform("ifftn", FftType.IFFT, a, s, axes, norm)


def rfftn(
    a,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
):
    """`fftn` of real numbers: half of the last axis."""
    return _transform("rfftn", FftType.RFFT, a, s, axes, norm)


def irfftn(
    a,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
):
    """The inverse of `rfftn`."""
    return _transform("irfftn", FftType.IRFFT, a, s, axes, norm)


def _frequencies(name, n, d, dtype, numbers):
    if isinstance(n, (list, tuple)):
        raise ValueError(
            f"The n argument of jax.numpy.fft.{name} only takes an int. Got n "
            f"= {list(n)}."
        )
    if isinstance(d, (list, tuple)):
        raise ValueError(
            f"The d argument of jax.numpy.fft.{name} only takes a single "
            f"value. Got d = {list(d)}."
        )
    dtype = _core.canonical_dtype(float if dtype is None else dtype)
    return asarray(numbers, dtype=dtype) / asarray(d * n, dtype=dtype)


def fftfreq(n: int, d=1.0, *, dtype=None, device=None):
    """Frequencies of the entries of `fft`, for samples d apart."""
    numbers = None
    if not isinstance(n, (list, tuple)):
        n = operator.index(n)
        numbers = [*range((n + 1) // 2), *range(-(n // 2), 0)]
    return placed(_frequencies("fftfreq", n, d, dtype, numbers), device)


def rfftfreq(n: int, d=1.0, *, dtype=None, device=None):
    """Frequencies of the entries of `rfft`, for samples d apart."""
    numbers = None
    if not isinstance(n, (list, tuple)):
        n = operator.index(n)
        numbers = list(range(n // 2 + 1))
    return placed(_frequencies("rfftfreq", n, d, dtype, numbers), device)


def _shifted(name, x, axes, by):
    x = _operand(x, f"fft.{name}", 0)
    if axes is None:
        axes = tuple(range(x.ndim))
    elif isinstance(axes, int):
        return roll(x, by(x.shape[axes]), axes)
    axes = tuple(axes)
    return roll(x, tuple([by(x.shape[d]) for d in axes]), axes)


def fftshift(x, axes: int | Sequence[int] | None = None):
    """Moves frequency zero to the middle."""
    return _shifted("fftshift", x, axes, lambda n: n // 2)


def ifftshift(x, axes: int | Sequence[int] | None = None):
    """The inverse of `fftshift`."""
    return _shifted("ifftshift", x, axes, lambda n: -(n // 2))
