"""Windows, transforms and convolutions where XLA differs: ties, nans, windows
without elements, many dimensions. Beside our CPU code."""

import numpy as np
import pytest

import cotan
from cotan import _core, lax

# window, strides, padding, base dilation, window dilation
WINDOWS = [
    ((2, 3), (1, 2), ((1, 0), (1, 1)), (1, 2), (2, 1)),
    ((2, 2), (2, 1), ((4, 3), (-1, 2)), (1, 1), (1, 1)),
    ((2, 2), (2, 1), ((0, 0), (1, 1)), (1, 1), (1, 1)),
]
POOL = ((1, 2, 2, 1), (1, 1, 2, 1), ((0, 0), (1, 1), (0, 1), (0, 0)))
LARGE = ((1, 6, 6, 1), (1, 1, 2, 1), ((0, 0), (1, 3), (0, 4), (0, 0)))


@pytest.fixture
def same(cpu_plugin):
    """Compares a function's values on the plugin with those of our code."""

    def same(f, *xs, tolerance=0.0):
        cpu = cotan.devices("cpu")[0]
        want, got = (
            np.asarray(cotan.jit(f)(*[cotan.device_put(x, d) for x in xs]))
            for d in (cpu, cpu_plugin)
        )
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)

    return same


def numbers(kind, shape):
    rng = np.random.default_rng(len(shape))
    if kind == "infinite":
        return np.full(shape, -np.inf, "f4")
    x = rng.integers(-2, 3, shape).astype("f4")  # with many ties
    if kind == "nans":
        x.ravel()[rng.integers(0, x.size, x.size // 6)] = np.nan
    return x


@pytest.mark.parametrize("greatest", [True, False])
@pytest.mark.parametrize("kind", ["ties", "nans", "infinite"])
@pytest.mark.parametrize("window", [*WINDOWS, POOL, LARGE], ids=range(5))
def test_the_first_is_selected(same, window, kind, greatest):
    images = len(window[0]) == 4
    shape = (2, 4, 5, 3) if images else (5, 6)
    if images:
        window = (*window, (1,) * 4, (1,) * 4)
    x = numbers(kind, shape)
    t = np.arange(x.size, dtype="f4").reshape(shape) + 1

    def gather(t, x):
        return _core.select_and_gather_add(t, x, greatest, *window)

    def scatter(s, x):
        return cotan.linear_transpose(lambda t: gather(t, x), t)(s)[0]

    same(gather, t, x)
    out = gather(t, x).shape
    s = np.arange(np.prod(out), dtype="f4").reshape(out) + 1
    same(scatter, s, x)


@pytest.mark.parametrize("which", ["max", "min"])
@pytest.mark.parametrize("kind", ["ties", "nans", "infinite"])
@pytest.mark.parametrize("window", WINDOWS, ids=range(3))
def test_extrema(same, window, kind, which):
    x = numbers(kind, (5, 6))
    ints = np.nan_to_num(x, neginf=-9).astype("i1")
    for v in (x, x > 0, ints):
        same(lambda x: _core.reduce_window(x, which, *window), v)


@pytest.mark.parametrize("rank", [1, 4, 5])
@pytest.mark.parametrize("kind", ["FFT", "IFFT", "RFFT", "IRFFT"])
def test_transforms_of_many_dimensions(same, kind, rank):
    x = np.random.default_rng(rank).normal(size=(2, 3, 4, 5, 6)).astype("f4")
    lengths = list(x.shape[-rank:])
    if kind != "RFFT":
        x = (x + 1j * x[::-1]).astype("c8")
    if kind == "IRFFT":
        x = x[..., :4]
    same(lambda x: lax.fft(x, kind, lengths), x, tolerance=2e-5)


@pytest.mark.parametrize("dtype", ["f4", "f2", "c8", "i4", "i1"])
def test_convolutions_in_every_kind_of_number(same, dtype):
    rng = np.random.default_rng(1)
    x = (4 * rng.normal(size=(2, 4, 6, 6))).astype(dtype)
    w = (4 * rng.normal(size=(6, 2, 3, 3))).astype(dtype)

    def conv(x, w):
        return lax.conv_general_dilated(
            x, w, (1, 2), ((1, 1), (-1, 2)), (2, 1), (1, 2), None, 2
        )

    exact = dtype in ("i4", "i1")
    same(conv, x, w, tolerance=0 if exact else 2e-3 if dtype == "f2" else 1e-5)
