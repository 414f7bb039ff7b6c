"""Convolution and correlation of arrays of any dimension."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan._src.api import vmap
from cotan.scipy.stats._common import cast_inexact

_MODES = ("full", "same", "valid")


def _order(a, b) -> tuple[bool, bool]:
    """Whether a is nowhere smaller than b, and nowhere larger."""
    pairs = list(zip(a.shape, b.shape, strict=True))
    return all(m >= n for m, n in pairs), all(m <= n for m, n in pairs)


def fftconvolve(in1, in2, mode="full", axes=None):
    """The convolution of two arrays along `axes` (None: all) by Fourier
    transforms; `mode` is full, same (the size of in1) or valid."""
    a, b = cast_inexact(in1, in2)
    if a.ndim != b.ndim:
        raise ValueError("in1 and in2 should have the same dimensionality")
    if mode not in _MODES:
        raise ValueError("mode must be one of ['same', 'full', 'valid']")

    def function(a, b):
        return _fft_convolve(a, b, mode)

    if axes is None:
        return function(a, b)
    axes = [axes] if isinstance(axes, int) else axes
    axes = {range(a.ndim)[axis] for axis in axes}
    mapped = sorted(set(range(a.ndim)) - axes)
    if any(a.shape[i] != b.shape[i] for i in mapped):
        raise ValueError(
            f"mapped axes must have same shape; got in1.shape={a.shape!r} "
            f"in2.shape={b.shape!r} axes={tuple(sorted(axes))!r}"
        )
    for axis in mapped:
        function = vmap(function, in_axes=axis, out_axes=axis)
    return function(a, b)


def _fft_convolve(a, b, mode: str):
    full = tuple(m + n - 1 for m, n in zip(a.shape, b.shape, strict=True))
    if mode == "valid":
        larger, smaller = _order(a, b)
        if not (larger or smaller):
            raise ValueError(
                "For 'valid' mode, One input must be at least as large as the "
                "other in every dimension."
            )
        if smaller:
            a, b = b, a
    if all(1 in pair for pair in zip(a.shape, b.shape, strict=True)):
        whole = a * b
    elif cnp.iscomplexobj(a):
        spectrum = cnp.fft.fftn(a, full) * cnp.fft.fftn(b, full)
        whole = cnp.fft.ifftn(spectrum, full)
    else:
        spectrum = cnp.fft.rfftn(a, full) * cnp.fft.rfftn(b, full)
        whole = cnp.fft.irfftn(spectrum, full)
    shape = {
        "full": full,
        "same": a.shape,
        "valid": tuple(
            m - n + 1 for m, n in zip(a.shape, b.shape, strict=True)
        ),
    }[mode]
    start = [(f - n) // 2 for f, n in zip(full, shape, strict=True)]
    stop = [s + n for s, n in zip(start, shape, strict=True)]
    return lax.slice(whole, start, stop)


def _convolve(a, b, mode: str, precision):
    if mode not in _MODES:
        raise ValueError("mode must be one of ['full', 'same', 'valid']")
    if a.ndim != b.ndim:
        raise ValueError("in1 and in2 must have the same number of dimensions")
    if a.size == 0 or b.size == 0:
        raise ValueError(
            "zero-size arrays not supported in convolutions, got shapes "
            f"{a.shape} and {b.shape}."
        )
    a, b = cast_inexact(a, b)
    larger, smaller = _order(a, b)
    if not (larger or smaller):
        raise ValueError(
            "One input must be smaller than the other in every dimension."
        )
    second = b.shape
    if smaller:
        a, b = b, a
    shape = b.shape
    if mode == "valid":
        padding = [(0, 0) for _ in shape]
    elif mode == "full":
        padding = [(n - 1, n - 1) for n in shape]
    else:
        padding = [
            (n - 1 - (m - 1) // 2, n - m + (m - 1) // 2)
            for n, m in zip(shape, second, strict=True)
        ]
    result = lax.conv_general_dilated(
        a[None, None],
        cnp.flip(b)[None, None],
        (1,) * len(shape),
        padding,
        precision=precision,
    )
    return result[0, 0]


def convolve(in1, in2, mode="full", method="auto", precision=None):
    """The convolution of two arrays, by Fourier transforms if `method` is
    "fft"."""
    if method == "fft":
        return fftconvolve(in1, in2, mode=mode)
    if method in ("direct", "auto"):
        in1, in2 = cnp.asarray(in1), cnp.asarray(in2)
        return _convolve(in1, in2, mode, precision)
    raise ValueError(
        f"Got method={method!r}; expected 'auto', 'fft', or 'direct'."
    )


def _check_plane(name: str, in1, in2, boundary, fillvalue) -> None:
    if boundary != "fill" or fillvalue != 0:
        raise NotImplementedError(
            f"{name}() only supports boundary='fill', fillvalue=0"
        )
    if np.ndim(in1) != 2 or np.ndim(in2) != 2:
        raise ValueError(f"{name}() only supports 2-dimensional inputs.")


def convolve2d(
    in1, in2, mode="full", boundary="fill", fillvalue=0, precision=None
):
    """The convolution of two matrices."""
    _check_plane("convolve2d", in1, in2, boundary, fillvalue)
    return _convolve(cnp.asarray(in1), cnp.asarray(in2), mode, precision)


def correlate(in1, in2, mode="full", method="auto", precision=None):
    """The correlation: convolution with in2 conjugated and reversed."""
    flipped = cnp.flip(cnp.asarray(in2).conj())
    return convolve(in1, flipped, mode, precision=precision, method=method)


def correlate2d(
    in1, in2, mode="full", boundary="fill", fillvalue=0, precision=None
):
    """The correlation of two matrices."""
    _check_plane("correlate2d", in1, in2, boundary, fillvalue)
    a, b = cnp.asarray(in1), cnp.asarray(in2)
    _, smaller = _order(a, b)
    # The smaller one is flipped; for "same" always the first.
    if (
        mode == "same"
        or not smaller
        or (mode == "valid" and a.shape == b.shape)
    ):
        return cnp.flip(_convolve(cnp.flip(a), b.conj(), mode, precision))
    result = _convolve(cnp.flip(b), a.conj(), mode, precision)
    return result if mode == "valid" else result.conj()
