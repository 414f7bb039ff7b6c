"""The narrow dtypes, all their values, and comparisons of them."""

from __future__ import annotations

import ml_dtypes
import numpy as np

FLOATS = (
    "float4_e2m1fn",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
)
INTS = ("int2", "int4", "uint2", "uint4")
NARROW = FLOATS + INTS


def dtype_of(name) -> np.dtype:
    """A dtype by its name, also those of ml_dtypes."""
    return np.dtype(getattr(ml_dtypes, str(name), name))


def bits_of(name) -> int:
    return int("".join(c for c in name.split("_")[0] if c.isdigit()))


def values_of(name) -> np.ndarray:
    """Every value of the dtype."""
    bits = np.arange(1 << bits_of(name), dtype=np.uint8)
    return bits.view(dtype_of(name))


def pairs_of(name):
    x = values_of(name)
    a, b = np.meshgrid(x, x, indexing="ij")
    return a.ravel(), b.ravel()


def assert_same(got, want, what=""):
    """Equal dtypes, shapes and values; nans are alike, signs of zero count."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype, f"{what}: {got.dtype}, not {want.dtype}"
    assert got.shape == want.shape, f"{what}: {got.shape}, not {want.shape}"
    kind = "c16" if want.dtype.kind == "c" else "f8"
    if want.dtype.kind in "iub":
        np.testing.assert_array_equal(got, want, err_msg=str(what))
        return
    g, w = got.astype(kind), want.astype(kind)
    np.testing.assert_array_equal(g, w, err_msg=str(what))
    real = ~np.isnan(w)
    np.testing.assert_array_equal(
        np.signbit(g.real)[real], np.signbit(w.real)[real], err_msg=str(what)
    )
