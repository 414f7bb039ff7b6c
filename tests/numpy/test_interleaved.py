"""Lanes two to four elements apart (components of vectors, repeats, every
second element) are whole vectors with shuffles. Sizes around a vector, for
which the ends matter: nothing outside the array may be touched."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp

DTYPES = ["int8", "int16", "float16", "int32", "float32", "float64"]
DTYPES += ["complex64", "complex128"]
SIZES = [1, 2, 7, 15, 16, 17, 31, 33, 64, 65, 130, 1000, 5000]


def numbers(n, dtype):
    x = (np.arange(n) * 7 % 101 - 50).astype(dtype)
    return x * (1 + 2j) if np.dtype(dtype).kind == "c" else x


@pytest.fixture(params=DTYPES)
def dtype(request):
    if np.dtype(request.param).itemsize >= 8 and request.param != "complex64":
        with cotan.enable_x64(True):
            yield request.param
    else:
        yield request.param


@pytest.mark.parametrize("step", [2, 3, 4, 5])
def test_reads(dtype, step):
    for n in SIZES:
        x = numbers(n * step, dtype)
        for offset in range(step):
            f = cotan.jit(lambda x, o=offset: x[o::step] + x[o::step])
            np.testing.assert_array_equal(f(x), x[offset::step] * 2)
            g = cotan.jit(lambda x, o=offset: (x.reshape(-1, step)[:, o]) * 2)
            np.testing.assert_array_equal(g(x), x[offset::step] * 2)


@pytest.mark.parametrize("step", [2, 3, 4, 5])
def test_writes(dtype, step):
    for n in SIZES:
        x = numbers(n, dtype)
        np.testing.assert_array_equal(
            cotan.jit(lambda x: cnp.repeat(x, step))(x), np.repeat(x, step)
        )
        parts = [x * x.dtype.type(k) for k in range(step)]
        f = cotan.jit(
            lambda x: cnp.stack([x * k for k in range(step)], -1).astype(
                x.dtype
            )
        )
        np.testing.assert_array_equal(f(x), np.stack(parts, -1))


def test_interleaved_sums():
    x = numbers(3 * 5000, "float32").reshape(5000, 3)
    f = cotan.jit(lambda x: (x.sum(0), x.sum(1), x[:, 1] @ x[:, 2]))
    for got, want in zip(
        f(x), (x.sum(0), x.sum(1), x[:, 1] @ x[:, 2]), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_cross_product_of_many():
    x, y = numbers(3000, "float32"), numbers(3000, "float32")[::-1].copy()
    x, y = x.reshape(-1, 3), y.reshape(-1, 3)
    np.testing.assert_array_equal(cotan.jit(cnp.cross)(x, y), np.cross(x, y))
