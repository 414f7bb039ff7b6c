"""Fourier transforms over the last axes."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan.lax._types import FftType

__all__ = ["fft"]


def fft(x, fft_type: FftType | str, fft_lengths: Sequence[int]):
    """The discrete Fourier transform over the last len(fft_lengths) axes.

    Args:
      x: array; real for RFFT, else made complex.
      fft_type: FFT, IFFT, RFFT or IRFFT; the inverse ones divide by the number
        of elements.
      fft_lengths: sizes of the axes, of the result for IRFFT.
    """
    if isinstance(fft_type, str):
        try:
            fft_type = FftType[fft_type.upper()]
        except KeyError:
            raise ValueError(f"Unknown FFT type '{fft_type}'") from None
    if not isinstance(fft_type, FftType):
        raise TypeError(f"Unknown FFT type value '{fft_type}'")
    x = _dispatch.to_array(x)
    is_complex = dtypes.issubdtype(x.dtype, np.complexfloating)
    if fft_type is FftType.RFFT and is_complex:
        raise ValueError("only real valued inputs supported for rfft")
    if fft_type is FftType.RFFT and _is_narrow(x.dtype):
        raise ValueError(
            f"[fft] RFFT input must be float32 or float64, got {x.dtype}"
        )
    if not is_complex:
        wide = x.dtype in (np.float64, np.int64, np.uint64)
        real = _core.canonical_dtype(np.float64 if wide else np.float32)
        if fft_type is FftType.RFFT:
            x = _core.convert(x, real, False)
        else:
            x = _core.convert(x, np.result_type(real, np.complex64), False)
    lengths = tuple([operator.index(n) for n in fft_lengths])
    if not lengths:
        return x
    if 0 in lengths:
        return _empty(x, fft_type, lengths)
    return _core.fft(x, int(fft_type), lengths)


def _is_narrow(dtype) -> bool:
    return dtypes.issubdtype(dtype, np.floating) and dtype.itemsize < 4


def _empty(x, fft_type, lengths):
    """The transform of nothing."""
    shape = [*x.shape[: x.ndim - len(lengths)], *lengths]
    dtype = x.dtype
    if fft_type is FftType.RFFT:
        shape[-1] = lengths[-1] // 2 + 1
        dtype = np.result_type(dtype, np.complex64)
    elif fft_type is FftType.IRFFT:
        dtype = np.zeros(0, dtype).real.dtype
    return _core.full(shape, 0, dtype, False)
