"""fft, convolution and windows against NumPy and JAX."""

from __future__ import annotations

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax as jax_lax

import cotan
import cotan.numpy as cnp
from cotan import lax


@pytest.fixture(autouse=True)
def _x64():
    with cotan.enable_x64(), jax.enable_x64(True):
        yield


def _parameters(f):
    return [
        (p.name, p.kind, p.default)
        for p in inspect.signature(f).parameters.values()
    ]


def test_signatures():
    for name in cnp.fft.__all__:
        ours, theirs = getattr(cnp.fft, name), getattr(jnp.fft, name)
        assert _parameters(ours) == _parameters(theirs), name
    for name in (
        "conv conv_dimension_numbers conv_general_dilated conv_transpose "
        "conv_general_dilated_local conv_general_dilated_patches "
        "conv_general_permutations conv_general_shape_tuple conv_shape_tuple "
        "conv_transpose_shape_tuple conv_with_general_padding fft "
        "reduce_window reduce_window_shape_tuple"
    ).split():
        ours, theirs = getattr(lax, name), getattr(jax_lax, name)
        assert _parameters(ours) == _parameters(theirs), name


def _numbers(rng, shape, dtype):
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


# ---- fft

LENGTHS = [*range(1, 70), 97, 101, 128, 210, 243, 256, 257, 331, 360, 499, 500]
LENGTHS += [512, 1000, 1009, 1024, 2048, 3000, 4096, 4099, 5040, 10007, 65536]


@pytest.mark.parametrize("double", [False, True])
def test_accuracy_of_fft(double):
    """Within a few eps log n of NumPy in f64, single lines and many."""
    rng = np.random.default_rng(0)
    eps = np.finfo("f8" if double else "f4").eps
    for n in LENGTHS:
        lines = 1 if n > 5000 else 3 if n % 2 else 19
        x = _numbers(rng, (lines, n), "c16" if double else "c8")
        real = x.real.copy()
        bound = eps * (3 + 2 * math.log2(n + 1))
        for got, want in (
            (cnp.fft.fft(x), np.fft.fft(x.astype("c16"))),
            (cnp.fft.ifft(x), np.fft.ifft(x.astype("c16"))),
            (cnp.fft.rfft(real), np.fft.rfft(real.astype("f8"))),
            (
                cnp.fft.irfft(x[:, : n // 2 + 1], n),
                np.fft.irfft(x[:, : n // 2 + 1].astype("c16"), n),
            ),
        ):
            got = np.asarray(got)
            assert got.dtype.itemsize == (16 if double else 8) // (
                1 if got.dtype.kind == "c" else 2
            )
            error = np.linalg.norm(got - want) / np.linalg.norm(want)
            assert error <= bound, (n, error / eps)


def test_fft_functions():
    rng = np.random.default_rng(1)
    x = _numbers(rng, (3, 4, 5), "c16")
    r = x.real.copy()
    calls = [
        lambda f: f.fftn(x),
        lambda f: f.fftn(x, s=(2, 7)),
        lambda f: f.ifftn(x, axes=(0, 2)),
        lambda f: f.fft(x, 6, 0, "ortho"),
        lambda f: f.ifft(x, axis=1, norm="forward"),
        lambda f: f.fft2(x),
        lambda f: f.ifft2(x, axes=(0, 1), norm="ortho"),
        lambda f: f.rfft(r, axis=0),
        lambda f: f.rfftn(r),
        lambda f: f.rfft2(r, s=(3, 4)),
        lambda f: f.irfft(x),
        lambda f: f.irfftn(x, s=(3, 4, 7)),
        lambda f: f.irfft2(x, norm="forward"),
        lambda f: f.hfft(x),
        lambda f: f.ihfft(r, 4),
        lambda f: f.fftshift(r),
        lambda f: f.ifftshift(r, axes=(0, 2)),
        lambda f: f.fftfreq(7, 0.5),
        lambda f: f.rfftfreq(8),
        lambda f: f.fft(np.arange(5)),
        lambda f: f.rfft(np.arange(6, dtype="f4")),
    ]
    for i, call in enumerate(calls):
        want = np.asarray(call(jnp.fft))
        got = np.asarray(call(cnp.fft))
        assert (got.dtype, got.shape) == (want.dtype, want.shape), i
        tol = 1e-12 if want.dtype in (np.complex128, np.float64) else 1e-5
        np.testing.assert_allclose(got, want, tol, tol, err_msg=str(i))
    with pytest.raises(ValueError, match="only real valued inputs"):
        cnp.fft.rfft(x)
    with pytest.raises(ValueError, match="Invalid norm value"):
        cnp.fft.fft(x, norm="nothing")
    with pytest.raises(ValueError, match="repeated axes"):
        cnp.fft.fftn(x, axes=(0, 0))


# ---- convolution: every option at once, at random


def _random_conv(rng):
    rank = int(rng.integers(0, 3))
    letters = "HW"[:rank]

    def spec(chars):
        return "".join(rng.permutation(list(chars + letters)))

    numbers = (spec("NC"), spec("OI"), spec("NC"))
    groups = [1, 1]
    if rng.random() < 0.6:
        groups[int(rng.integers(0, 2))] = int(rng.integers(1, 4))
    fg, bg = groups
    sizes = {
        "N": bg * int(rng.integers(1, 4)),
        "I": int(rng.integers(1, 5)),
        "O": fg * bg * int(rng.integers(1, 5)),
    }
    sizes["C"] = sizes["I"] * fg
    spatial = {c: int(rng.integers(4, 9)) for c in letters}
    kernel = {c: int(rng.integers(1, 4)) for c in letters}
    lhs = [sizes.get(c) or spatial[c] for c in numbers[0]]
    rhs = [sizes.get(c) or kernel[c] for c in numbers[1]]

    def each(lo, hi):
        return tuple(int(v) for v in rng.integers(lo, hi, rank))

    padding = tuple(zip(each(-1, 4), each(-1, 4), strict=True))
    options = {
        "window_strides": each(1, 4),
        "padding": padding,
        "lhs_dilation": each(1, 3),
        "rhs_dilation": each(1, 3),
        "dimension_numbers": numbers,
        "feature_group_count": fg,
        "batch_group_count": bg,
    }
    return _numbers(rng, lhs, "f4"), _numbers(rng, rhs, "f4"), options


@pytest.mark.parametrize("seed", range(12))
def test_random_convolutions(seed):
    x, w, options = _random_conv(np.random.default_rng(seed))

    def f(lib):
        return lambda x, w: lib.conv_general_dilated(x, w, **options)

    want, pull = jax.vjp(f(jax_lax), x, w)
    got, our_pull = cotan.vjp(f(lax), x, w)
    np.testing.assert_allclose(got, want, 1e-4, 1e-4)
    if want.size == 0:
        return
    ct = np.asarray(want) * 0.3 + 1
    for a, b in zip(our_pull(ct), pull(ct), strict=True):
        np.testing.assert_allclose(a, b, 2e-4, 2e-4)
    # the batch rules
    xs, ws = np.stack([x, 2 * x]), np.stack([w, -w])
    for axes in ((0, None), (None, 0), (0, 0)):
        a = xs if axes[0] == 0 else x
        b = ws if axes[1] == 0 else w
        np.testing.assert_allclose(
            cotan.vmap(f(lax), axes)(a, b),
            jax.vmap(f(jax_lax), axes)(a, b),
            1e-4,
            1e-4,
        )


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_large_convolutions(layout):
    """Several blocks of patches, in both layouts."""
    rng = np.random.default_rng(3)
    numbers = (layout, "OIHW" if layout == "NCHW" else "HWIO", layout)
    x = _numbers(rng, (4, 32, 20, 24), "f4")
    w = _numbers(rng, (48, 32, 3, 3), "f4")
    if layout == "NHWC":
        x, w = x.transpose(0, 2, 3, 1).copy(), w.transpose(2, 3, 1, 0).copy()

    def f(lib):
        return lambda x, w: lib.conv_general_dilated(
            x, w, (1, 2), "SAME", dimension_numbers=numbers
        )

    want, pull = jax.vjp(f(jax_lax), x, w)
    got, our_pull = cotan.vjp(f(lax), x, w)
    np.testing.assert_allclose(got, want, 1e-4, 1e-3)
    ct = np.asarray(want) / 100
    for a, b in zip(our_pull(ct), pull(ct), strict=True):
        np.testing.assert_allclose(a, b, 1e-3, 1e-3)


def test_other_convolutions():
    rng = np.random.default_rng(4)
    x, w = _numbers(rng, (2, 6, 5, 3), "f4"), _numbers(rng, (3, 2, 3, 4), "f4")
    wt = _numbers(rng, (3, 2, 4, 3), "f4")
    nchw, oihw = x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1)
    local = _numbers(rng, (4, 18, 4, 4), "f4")
    calls = [
        lambda m: m.conv_transpose(x, w, (2, 1), "SAME"),
        lambda m: m.conv_transpose(x, w, (2, 3), "VALID", rhs_dilation=(1, 2)),
        lambda m: m.conv_transpose(
            x, wt, (2, 2), "SAME", transpose_kernel=True
        ),
        lambda m: m.conv_transpose(
            x, w, (2, 2), ((1, 1), (0, 1)), use_consistent_padding=True
        ),
        lambda m: m.conv(nchw, oihw, (1, 2), "SAME"),
        lambda m: m.conv_with_general_padding(
            nchw, oihw, (1, 1), ((1, 0), (2, 1)), (2, 1), (1, 2)
        ),
        lambda m: m.conv_general_dilated_patches(nchw, (2, 3), (1, 2), "VALID"),
        lambda m: m.conv_general_dilated_local(
            nchw, local, (1, 1), "VALID", (3, 2)
        ),
        lambda m: m.conv(
            nchw.astype("i1"),
            oihw.astype("i1"),
            (1, 1),
            "VALID",
            preferred_element_type=np.int32,
        ),
    ]
    for i, call in enumerate(calls):
        want, got = np.asarray(call(jax_lax)), np.asarray(call(lax))
        assert got.dtype == want.dtype, i
        np.testing.assert_allclose(got, want, 1e-4, 1e-4, err_msg=str(i))
    for args in (("SAME", (7, 8), (3, 2), (2, 3)), ("VALID", (5,), (2,), (1,))):
        kind, n, k, s = args
        assert list(lax.padtype_to_pads(n, k, s, kind)) == list(
            jax_lax.padtype_to_pads(n, k, s, kind)
        )


# ---- windows


def test_reduce_window():
    rng = np.random.default_rng(5)
    x = _numbers(rng, (2, 7, 6), "f4")
    window, strides = (1, 3, 2), (1, 2, 1)
    for m, j in (("add", 0.0), ("max", -np.inf), ("min", np.inf), ("mul", 1.0)):
        for padding in ("SAME", "VALID", ((0, 0), (1, 2), (2, 0))):

            def f(lib, m=m, j=j, padding=padding):
                return lambda x: lib.reduce_window(
                    x, np.float32(j), getattr(lib, m), window, strides, padding
                )

            want, pull = (
                jax.vjp(f(jax_lax), x)
                if m != "mul"
                else (
                    f(jax_lax)(x),
                    None,
                )
            )
            got, ours = cotan.vjp(f(lax), x)
            np.testing.assert_allclose(got, want, 1e-5, 1e-6)
            if pull:
                ct = np.asarray(want) + 0.5
                ct = np.where(np.isfinite(ct), ct, 1).astype("f4")
                np.testing.assert_allclose(ours(ct)[0], pull(ct)[0], 1e-4, 1e-5)
    # several operands, any computation
    i = np.arange(x.size, dtype="i4").reshape(x.shape)

    def first(lib):
        def pick(a, b):
            keep = a[0] >= b[0]
            where = jnp.where if lib is jax_lax else cnp.where
            return where(keep, a[0], b[0]), where(keep, a[1], b[1])

        init = (np.float32(-np.inf), np.int32(-1))
        return lib.reduce_window((x, i), init, pick, window, strides, "VALID")

    for a, b in zip(first(lax), first(jax_lax), strict=True):
        np.testing.assert_array_equal(a, b)
