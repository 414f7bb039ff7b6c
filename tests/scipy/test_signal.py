"""cotan.scipy.signal beside jax.scipy.signal."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests.scipy import beside_jax

pytest.importorskip("jax")
import jax
import jax.scipy.signal

RNG = np.random.RandomState(6)
OPERANDS = {
    "v": RNG.randn(8).astype("f4"),
    "w": RNG.randn(3).astype("f4"),
    "m": RNG.randn(5, 6).astype("f4"),
    "n": RNG.randn(3, 2).astype("f4"),
    "q": RNG.randn(5, 6).astype("f4"),
    "x": RNG.randn(2, 40).astype("f4"),
    "y": RNG.randn(2, 40).astype("f4"),
    "i": RNG.randint(-5, 5, (8,)).astype("i4"),
    "z": (RNG.randn(5, 4) + 1j * RNG.randn(5, 4)).astype("c8"),
}

TRENDS = """
signal.detrend(m)
signal.detrend(m, 0, 'constant')
signal.detrend(m, axis=0, type='linear')
signal.detrend(v, bp=[3])
signal.detrend(i)
"""

CONVOLUTIONS = """
signal.convolve(v, w)
signal.convolve(w, v, 'same')
signal.convolve(v, w, 'valid')
signal.convolve(m, n, 'same')
signal.convolve(i, w)
signal.convolve2d(m, n)
signal.convolve2d(m, n, 'valid')
signal.convolve2d(n, m, 'same')
signal.correlate(v, w)
signal.correlate(v, w, 'same')
signal.correlate(z, z[:2, :2])
signal.correlate2d(m, n)
signal.correlate2d(n, m)
signal.correlate2d(m, n, 'valid')
signal.correlate2d(n, m, 'valid')
signal.correlate2d(m, q, 'valid')
signal.correlate2d(m, n, 'same')
signal.correlate2d(n, m, 'same')
"""

FOURIER = """
signal.fftconvolve(v, w)
signal.fftconvolve(v, w, 'same')
signal.fftconvolve(w, v, 'valid')
signal.fftconvolve(m, n)
signal.fftconvolve(m, q, axes=0)
signal.fftconvolve(m, q, 'same', axes=[1])
signal.fftconvolve(z, z[:2])
signal.convolve(v, w, method='fft')
signal.correlate(v, w, 'valid', method='fft')
signal.stft(x, nperseg=8)
signal.stft(x, 2.0, nperseg=10, noverlap=3, nfft=16, boundary=None)
signal.stft(x, nperseg=8, detrend='linear', boundary='odd', padded=False)
signal.stft(x, nperseg=8, return_onesided=False, boundary='even')
signal.welch(x, nperseg=8)
signal.welch(x, 4.0, nperseg=7, scaling='spectrum', average='median')
signal.welch(x, nperseg=40)
signal.welch(x[0], nperseg=16, detrend=False)
signal.welch(x, axis=0)
signal.csd(x, y, nperseg=8)
signal.csd(x, y, nperseg=8, noverlap=2, average='median')
signal.csd(x, y[:, :30], nperseg=8)
signal.istft(z)
signal.istft(z, 2.0, boundary=False)
signal.istft(z, input_onesided=False)
signal.istft(z.T, time_axis=0, freq_axis=1)
signal.istft(signal.stft(x, nperseg=8)[2], nperseg=8)
"""


def check(text):
    beside_jax.check(
        jax, text, OPERANDS, lambda api: {"signal": api.scipy.signal}, 2e-4
    )


def needs(function):
    """Skips where what the functions are made of is not available yet."""
    try:
        function()
    except (AttributeError, NotImplementedError) as e:
        pytest.skip(str(e))


def test_trends():
    check(TRENDS)


def test_convolutions():
    needs(lambda: cotan.scipy.signal.convolve(cnp.ones(3), cnp.ones(2)))
    check(CONVOLUTIONS)


def test_fourier():
    needs(lambda: cnp.fft.rfft(cnp.ones(4)))
    check(FOURIER)


def test_messages():
    signal = cotan.scipy.signal
    with pytest.raises(ValueError, match="same number of dimensions"):
        signal.convolve(cnp.ones(3), cnp.ones((2, 2)))
    with pytest.raises(ValueError, match="smaller than the other"):
        signal.convolve(cnp.ones((3, 2)), cnp.ones((2, 3)))
    with pytest.raises(ValueError, match="expected 'auto', 'fft', or 'direct'"):
        signal.convolve(cnp.ones(3), cnp.ones(3), method="best")
    with pytest.raises(ValueError, match="only supports 2-dimensional"):
        signal.convolve2d(cnp.ones(3), cnp.ones(3))
    with pytest.raises(ValueError, match="Trend type must be"):
        signal.detrend(cnp.ones(3), type="cubic")
    with pytest.raises(ValueError, match="noverlap must be less"):
        signal.stft(cnp.ones(30), nperseg=8, noverlap=8)
