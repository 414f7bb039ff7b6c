"""Trends, spectra, and short-time Fourier transforms."""

from __future__ import annotations

import itertools
import math
import operator
import warnings

import numpy as np

import cotan.numpy as cnp
from cotan import dtypes, lax
from cotan._src.avals import keeps_weak
from cotan.scipy.stats._common import cast_inexact


def _complex_dtype(dtype):
    return np.result_type(np.dtype(dtype), np.complex64)


@keeps_weak(1)
def detrend(data, axis=-1, type="linear", bp=0, overwrite_data=None):
    """`data` less its mean ("constant") or its linear fit along `axis`, fitted
    between the breakpoints `bp`."""
    if overwrite_data is not None:
        raise NotImplementedError("overwrite_data argument not implemented.")
    if type not in ("constant", "linear"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    (x,) = cast_inexact(cnp.asarray(data))
    if type == "constant":
        return x - x.mean(axis, keepdims=True)
    n = x.shape[axis]
    points = np.sort(np.unique(np.r_[0, bp, n]))
    if points[0] < 0 or points[-1] > n:
        raise ValueError(
            "Breakpoints must be non-negative and less than length of data "
            "along given axis."
        )
    x = cnp.moveaxis(x, axis, 0)
    shape = x.shape
    x = x.reshape(n, -1)
    pieces = []
    for start, stop in itertools.pairwise(points):
        count = int(stop - start)
        t = cnp.arange(1, count + 1, dtype=x.dtype) / count
        design = cnp.stack([cnp.ones(count, x.dtype), t], axis=1)
        piece = x[int(start) : int(stop)]
        fit = cnp.linalg.lstsq(design, piece)[0]
        pieces.append(piece - cnp.matmul(design, fit))
    return cnp.moveaxis(cnp.concatenate(pieces).reshape(shape), 0, axis)


# ---- windows and frames


def _named_window(window, n: int):
    if window == "hann":
        if n == 1:
            return cnp.array([1.0])
        return cnp.sin(cnp.linspace(0, np.pi, n, endpoint=False)) ** 2
    try:
        from scipy.signal import get_window
    except ImportError as e:
        raise ImportError(
            f"scipy must be available to use window={window!r}"
        ) from e
    return get_window(window, n)


def _window(window, nperseg, length: int, dtype):
    """The window as an array, and its length."""
    if isinstance(window, (str, tuple)):
        n = length if nperseg is None else nperseg
        if n > length:
            warnings.warn(
                f"nperseg={n} is greater than input_length={length!r}, using "
                f"nperseg={length}",
                stacklevel=4,
            )
            n = length
        return cnp.array(_named_window(window, n), dtype=dtype), n
    array = cnp.asarray(window, dtype=dtype)
    if array.ndim != 1:
        raise ValueError("window must be 1-D")
    if length < array.size:
        raise ValueError("window is longer than input signal")
    if nperseg is not None and nperseg != array.size:
        raise ValueError(
            "value specified for nperseg is different from length of window"
        )
    return array, array.size


def _frames(x, size: int, step: int):
    """x [..., n] in overlapping frames: [..., frames, size]."""
    starts = np.arange(0, x.shape[-1] - size + 1, step)
    return x[..., starts[:, None] + np.arange(size)]


def _overlap_add(x, step: int):
    """Frames [..., frames, size] added where they overlap: [..., n]."""
    *batch, count, size = x.shape
    per_frame = 1 + (size - 1) // step
    x = x.reshape(math.prod(batch), count, size)
    x = cnp.pad(x, ((0, 0), (0, 0), (0, per_frame * step - size)))
    x = x.reshape(-1, count, per_frame, step)
    total = 0
    # Piece i of frame j lands on step i + j.
    for i in range(per_frame):
        edge = ((0, 0), (i, per_frame - 1 - i), (0, 0))
        total = total + cnp.pad(x[:, :, i], edge)
    total = total.reshape(total.shape[0], -1)
    return total[:, : step * (count - 1) + size].reshape(*batch, -1)


# ---- extension at the ends


def _odd_extension(x, n: int):
    if n < 1:
        return x
    if n > x.shape[-1] - 1:
        raise ValueError(
            f"The extension length n ({n}) is too big. It must not exceed "
            f"x.shape[axis]-1, which is {x.shape[-1] - 1}."
        )
    left = 2 * x[..., :1] - cnp.flip(x[..., 1 : n + 1], axis=-1)
    right = 2 * x[..., -1:] - cnp.flip(x[..., -(n + 1) : -1], axis=-1)
    return cnp.concatenate([left, x, right], axis=-1)


def _padding(mode: str):
    def pad(x, n: int):
        return cnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)], mode)

    return pad


_EXTENSIONS = {
    "even": _padding("reflect"),
    "odd": _odd_extension,
    "constant": _padding("edge"),
    "zeros": _padding("constant"),
    None: lambda x, n: x,
}


def _lengthened(x, n: int):
    return cnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, n - x.shape[-1])])


# ---- spectra


def _trend_remover(kind, axis: int):
    if isinstance(kind, str):
        return lambda x: detrend(x, type=kind, axis=-1)
    if callable(kind):
        if axis == -1:
            return kind
        return lambda x: cnp.moveaxis(kind(cnp.moveaxis(x, axis, -1)), -1, axis)
    if not kind:
        return lambda x: x
    raise ValueError(f"Unsupported detrend type: {kind}")


def _windowed(frames, win):
    return frames * cnp.broadcast_to(win, frames.shape)


def _sizes(x, window, nperseg, noverlap, nfft):
    """The window, and the lengths of frames, overlaps and transforms."""
    if nperseg is not None:
        nperseg = int(nperseg)
        if nperseg < 1:
            raise ValueError("nperseg must be a positive integer")
    win, nperseg = _window(window, nperseg, x.shape[-1], x.dtype)
    noverlap = nperseg // 2 if noverlap is None else int(noverlap)
    nfft = nperseg if nfft is None else int(nfft)
    return win, nperseg, noverlap, nfft


def _transform(x, win, remove_trend, nperseg, noverlap, nfft, onesided):
    if nperseg == 1 and noverlap == 0:
        frames = x[..., None]
    else:
        frames = _frames(x, nperseg, nperseg - noverlap)
    frames = _windowed(remove_trend(frames), win)
    if onesided:
        return cnp.fft.rfft(frames.real, n=nfft)
    return cnp.fft.fft(frames, n=nfft)


def _operands(x, y, axis: int, mode: str):
    """x and y (or None) with `axis` last, as floats; and the batch shape."""

    def outer(v):
        return v.shape[:axis] + v.shape[axis + 1 :]

    if y is None:
        (x,) = cast_inexact(x)
        return cnp.moveaxis(x, axis, -1), None, outer(x)
    if mode != "psd":
        raise ValueError("two-argument mode is available only when mode=='psd'")
    x, y = cast_inexact(x, y)
    if x.ndim != y.ndim:
        raise ValueError(
            f"two-arguments must have the same rank ({x.ndim} vs {y.ndim})."
        )
    try:
        shape = lax.broadcast_shapes(outer(x), outer(y))
    except ValueError as e:
        raise ValueError("x and y cannot be broadcast together.") from e
    return cnp.moveaxis(x, axis, -1), cnp.moveaxis(y, axis, -1), shape


def _empty(x, y, outer, axis: int, dtype):
    if y is None:
        shape = cnp.moveaxis(x, -1, axis).shape
    else:
        n = min(x.shape[-1], y.shape[-1])
        shape = (*outer[:axis], n, *outer[axis:])
    real = np.finfo(dtype).dtype
    return (
        cnp.zeros(shape, real),
        cnp.zeros(shape, real),
        cnp.zeros(shape, dtype),
    )


def _scale(win, fs, scaling: str, mode: str):
    if scaling == "density":
        scale = 1.0 / (fs * (win * win).sum())
    elif scaling == "spectrum":
        scale = 1.0 / win.sum() ** 2
    else:
        raise ValueError(f"Unknown scaling: {scaling}")
    return cnp.sqrt(scale) if mode == "stft" else scale


def _spectrum(
    x,
    y,
    fs,
    window,
    nperseg,
    noverlap,
    nfft,
    trend,
    return_onesided,
    scaling,
    axis,
    mode,
    boundary=None,
    padded=False,
):
    """Frequencies, times and spectra (of pairs if y is given) of frames."""
    if boundary not in _EXTENSIONS:
        raise ValueError(
            f"Unknown boundary option '{boundary}', must be one of: "
            f"{list(_EXTENSIONS)}"
        )
    x = cnp.asarray(x)
    axis = range(x.ndim)[operator.index(axis)]
    x, y, outer = _operands(x, y, axis, mode)
    dtype = _complex_dtype(x.dtype)
    if x.size == 0 or (y is not None and y.size == 0):
        return _empty(x, y, outer, axis, dtype)
    win, nperseg, noverlap, nfft = _sizes(x, window, nperseg, noverlap, nfft)
    if nfft < nperseg:
        raise ValueError("nfft must be greater than or equal to nperseg.")
    if noverlap >= nperseg:
        raise ValueError("noverlap must be less than nperseg.")
    step = nperseg - noverlap
    parts = [x] if y is None else [x, y]
    length = max(v.shape[-1] for v in parts)
    parts = [_lengthened(v, length) for v in parts]
    parts = [_EXTENSIONS[boundary](v, nperseg // 2) for v in parts]
    length = parts[0].shape[-1]
    if padded:
        length += -(length - nperseg) % step % nperseg
        parts = [_lengthened(v, length) for v in parts]
    onesided = return_onesided
    if onesided and any(cnp.iscomplexobj(v) for v in parts):
        onesided = False
        warnings.warn(
            "Input data is complex, switching to return_onesided=False",
            stacklevel=3,
        )
    real = np.finfo(dtype).dtype
    frequencies = cnp.fft.rfftfreq if onesided else cnp.fft.fftfreq
    frequencies = frequencies(nfft, 1 / fs, dtype=real)
    remove_trend = _trend_remover(trend, axis)
    spectra = [
        _transform(v, win, remove_trend, nperseg, noverlap, nfft, onesided)
        for v in parts
    ]
    result = spectra[0]
    if mode == "psd":
        result = cnp.conjugate(result) * spectra[-1]
    result = result * _scale(win, fs, scaling, mode).astype(result.dtype)
    if onesided and mode == "psd":
        # The missing half has the same power; 0 and Nyquist occur once.
        result = result.at[..., 1 : (None if nfft % 2 else -1)].mul(2)
    half = nperseg / 2
    time = cnp.arange(half, length - half + 1, step, dtype=real) / fs
    if boundary is not None:
        time = time - half / fs
    result = result.astype(dtype)
    if y is None and mode == "psd":
        result = result.real
    return frequencies, time, cnp.moveaxis(result, -1, axis)


def stft(
    x,
    fs=1.0,
    window="hann",
    nperseg=256,
    noverlap=None,
    nfft=None,
    detrend=False,
    return_onesided=True,
    boundary="zeros",
    padded=True,
    axis=-1,
):
    """The short-time Fourier transform: frequencies, times, and transforms
    with the frequencies at `axis` and the times last."""
    return _spectrum(
        x,
        None,
        fs,
        window,
        nperseg,
        noverlap,
        nfft,
        detrend,
        return_onesided,
        "spectrum",
        axis,
        "stft",
        boundary,
        padded,
    )


def csd(
    x,
    y,
    fs=1.0,
    window="hann",
    nperseg=None,
    noverlap=None,
    nfft=None,
    detrend="constant",
    return_onesided=True,
    scaling="density",
    axis=-1,
    average="mean",
):
    """The cross power spectral density of x and y (None: x with itself), an
    average over frames: frequencies and densities."""
    frequencies, _, p = _spectrum(
        x,
        y,
        fs,
        window,
        nperseg,
        noverlap,
        nfft,
        detrend,
        return_onesided,
        scaling,
        axis,
        "psd",
    )
    if y is not None:
        p = p.astype(_complex_dtype(p.dtype))
    if p.ndim < 2 or p.size == 0:
        return frequencies, p
    if p.shape[-1] == 1:
        return frequencies, p.reshape(p.shape[:-1])
    if average == "mean":
        return frequencies, p.mean(axis=-1)
    if average != "median":
        raise ValueError(f'average must be "median" or "mean", got {average}')
    even = np.arange(2.0, p.shape[-1], 2)
    bias = float(1 + np.sum(1.0 / (even + 1) - 1.0 / even))
    if cnp.iscomplexobj(p):
        real, imag = (cnp.median(v, axis=-1) for v in (p.real, p.imag))
        return frequencies, lax.complex(real, imag) / bias
    return frequencies, cnp.median(p, axis=-1) / bias


def welch(
    x,
    fs=1.0,
    window="hann",
    nperseg=None,
    noverlap=None,
    nfft=None,
    detrend="constant",
    return_onesided=True,
    scaling="density",
    axis=-1,
    average="mean",
):
    """The power spectral density by Welch's method."""
    frequencies, p = csd(
        x,
        None,
        fs,
        window,
        nperseg,
        noverlap,
        nfft,
        detrend,
        return_onesided,
        scaling,
        axis,
        average,
    )
    return frequencies, p.real


def _inverse_sizes(n_default, nperseg, noverlap, nfft, input_onesided):
    nperseg = int(nperseg or n_default)
    if nperseg < 1:
        raise ValueError("nperseg must be a positive integer")
    if nfft is None:
        odd = input_onesided and nperseg == n_default + 1
        nfft = n_default + odd
    nfft = int(nfft)
    if nfft < nperseg:
        raise ValueError(
            f"FFT length ({nfft}) must be longer than nperseg ({nperseg})."
        )
    noverlap = int(noverlap or nperseg // 2)
    if noverlap >= nperseg:
        raise ValueError("noverlap must be less than nperseg.")
    return nperseg, noverlap, nfft


def istft(
    Zxx,
    fs=1.0,
    window="hann",
    nperseg=None,
    noverlap=None,
    nfft=None,
    input_onesided=True,
    boundary=True,
    time_axis=-1,
    freq_axis=-2,
):
    """The inverse of stft: times and the signal."""
    z = cnp.asarray(Zxx)
    if z.ndim < 2:
        raise ValueError("Input stft must be at least 2d!")
    freq_axis, time_axis = range(z.ndim)[freq_axis], range(z.ndim)[time_axis]
    if freq_axis == time_axis:
        raise ValueError("Must specify differing time and frequency axes!")
    z = z.astype(_complex_dtype(z.dtype))
    bins = z.shape[freq_axis]
    nperseg, noverlap, nfft = _inverse_sizes(
        2 * (bins - 1) if input_onesided else bins,
        nperseg,
        noverlap,
        nfft,
        input_onesided,
    )
    step, ndim = nperseg - noverlap, z.ndim
    z = cnp.moveaxis(z, (freq_axis, time_axis), (-2, -1))
    inverse = cnp.fft.irfft if input_onesided else cnp.fft.ifft
    frames = inverse(z, axis=-2, n=nfft)[..., :nperseg, :]
    if isinstance(window, (str, tuple)):
        win = cnp.array(_named_window(window, nperseg), dtype=frames.dtype)
    else:
        win = cnp.asarray(window)
        if win.ndim != 1:
            raise ValueError("window must be 1-D")
        if win.shape[0] != nperseg:
            raise ValueError(f"window must have length of {nperseg}")
    frames = frames.swapaxes(-2, -1) * win.sum()
    x = _overlap_add(_windowed(frames, win), step)
    squares = cnp.broadcast_to(win * win, (frames.shape[-2], nperseg))
    norm = _overlap_add(squares, step)
    if boundary:
        inner = slice(nperseg // 2, -(nperseg // 2))
        x, norm = x[..., inner], norm[inner]
    norm = cnp.where(norm > 1e-10, norm, 1.0)
    x = x / cnp.broadcast_to(norm, x.shape).astype(x.dtype)
    if x.ndim > 1 and time_axis != ndim - 1:
        x = cnp.moveaxis(x, -1, time_axis - (freq_axis < time_axis))
    real = dtypes.finfo(x.dtype).dtype
    return cnp.arange(x.shape[0], dtype=real) / fs, x
