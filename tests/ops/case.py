"""What a case of the op matrix is, how its operands are made, and the table of
tolerances. The families list cases; test_matrix.py runs all of them.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from cotan import _dispatch
from tests import device

# ---- dtypes

BOOL = ("bool",)
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INT = SIGNED + UNSIGNED
HALF = ("float16", "bfloat16")
FLOAT = (*HALF, "float32", "float64")
COMPLEX = ("complex64", "complex128")
INEXACT = FLOAT + COMPLEX
NUMERIC = INT + INEXACT
ORDERED = BOOL + NUMERIC
ALL = ORDERED

# Relative error allowed against the float64 reference, in units of the
# dtype's epsilon: 2 ulp are promised for f32 and f64 (NumPy's own error comes
# on top in f64), half types are rounded once from f32.
TOLERANCE = {
    "float16": 1.0,
    "bfloat16": 1.0,
    "float32": 3.0,
    "float64": 8.0,
    "complex64": 8.0,
    "complex128": 16.0,
}


def dtype_of(name) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def kind(dtype) -> str:
    """b, i, u, f or c; bfloat16 is a float."""
    return "f" if dtype == ml_dtypes.bfloat16 else np.dtype(dtype).kind


def real_of(dtype) -> np.dtype:
    return {"complex64": np.dtype("f4"), "complex128": np.dtype("f8")}.get(
        np.dtype(dtype).name, np.dtype(dtype)
    )


def epsilon(dtype) -> float:
    return float(ml_dtypes.finfo(real_of(dtype)).eps)


def smallest(dtype) -> float:
    return float(ml_dtypes.finfo(real_of(dtype)).smallest_subnormal)


# ---- operands


@dataclasses.dataclass(frozen=True)
class Arg:
    """One operand: its shape, and which numbers it holds."""

    shape: tuple = (3, 4)
    lo: float = -2.0
    hi: float = 2.0
    dtype: str | None = None  # fixed, where the dtype sweep is about others
    values: Any = None  # exactly these
    distinct: bool = False  # a permutation of well separated numbers
    special: Sequence[float] = ()  # appear among the numbers of value tests

    def make(self, dtype, rng, special=False) -> np.ndarray:
        dtype = dtype_of(self.dtype or dtype)
        if self.values is not None:
            with np.errstate(all="ignore"):
                x = np.asarray(self.values).astype(dtype)
            return x.reshape(self.shape)
        n = int(np.prod(self.shape, dtype=int))
        x = self._numbers(n, kind(dtype), dtype, rng)
        if special and self.special and n and kind(dtype) == "f":
            bad = np.asarray(self.special, "f8")[:n]
            x[: len(bad)] = bad
        with np.errstate(all="ignore"):
            return x.astype(dtype).reshape(self.shape)

    def _numbers(self, n, k, dtype, rng):
        if k == "b":
            return rng.integers(0, 2, n)
        if self.distinct:
            x = rng.permutation(n) - n // 2 * (k != "u")
            return x * (0.5 if k in "fc" else 1)
        if k in "iu":
            info = np.iinfo(dtype)
            lo = max(int(np.ceil(self.lo)), int(info.min))
            hi = min(int(np.floor(self.hi)), int(info.max))
            return rng.integers(lo, max(hi, lo), n, endpoint=True)
        x = rng.uniform(self.lo, self.hi, n)
        if k == "c":
            x = x + 1j * rng.uniform(self.lo, self.hi, n)
        return x


# Numbers at which elementwise functions are special.
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-30, -1e30)


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of one primitive.

    `call` takes cotan arrays, `reference` NumPy arrays: floats as float64,
    complex as complex128, others as they are.
    """

    name: str
    call: Callable
    args: tuple[Arg, ...]
    reference: Callable | None
    primitive: str
    dtypes: tuple[str, ...]
    result: Callable = lambda dtype: dtype  # dtype of the result
    # Operands to differentiate by, among those of inexact dtype; None: all.
    diff: tuple[int, ...] | None = None
    order: int = 2  # up to which derivatives exist
    exact: bool = False  # the reference has the same bits
    elementwise: bool = False  # fused or not, the bits are the same
    scale: float = 1.0  # loosens the tolerance
    atol: float = 0.0  # absolute error allowed, in epsilons
    sweep: bool = True  # other dtypes than `dtypes` raise TypeError,
    also: tuple[str, ...] = ()  # except these, which other cases test
    vmap: bool = True
    grad_dtypes: tuple[str, ...] = ("float64", "complex128")

    @property
    def main_dtype(self):
        for name in ("float32", "int32", "complex64"):
            if name in self.dtypes:
                return name
        return self.dtypes[0]

    def rng(self, what=""):
        return np.random.default_rng(zlib.crc32((self.name + what).encode()))

    def make(self, dtype, special=False, what="") -> list[np.ndarray]:
        rng = self.rng(what)
        return [a.make(dtype, rng, special) for a in self.args]

    def expected(self, numpy_args, dtype) -> list[np.ndarray]:
        with np.errstate(all="ignore"):
            out = self.reference(*[widened(x) for x in numpy_args])
            out = out if isinstance(out, (tuple, list)) else [out]
            want = self.result(dtype)
            names = (
                want if isinstance(want, (tuple, list)) else [want] * len(out)
            )
            return [
                narrowed(np.asarray(y), dtype_of(n))
                for y, n in zip(out, names, strict=True)
            ]

    def __repr__(self):
        return self.name


@dataclasses.dataclass(frozen=True)
class Bad:
    """A call that must fail, and how."""

    name: str
    call: Callable
    error: type
    message: str  # regular expression

    def __repr__(self):
        return self.name


def widened(x: np.ndarray) -> np.ndarray:
    return x.astype({"f": "f8", "c": "c16"}.get(kind(x.dtype), x.dtype))


def narrowed(y: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if kind(y.dtype) == "c" and kind(dtype) != "c":
        y = y.real
    return y.astype(dtype)


def resized(case: Case, name: str, *shapes, **changes) -> Case:
    """The case with operands of other shapes, in one dtype."""
    args = tuple(
        dataclasses.replace(a, shape=s, special=())
        for a, s in zip(case.args, shapes, strict=True)
    )
    return dataclasses.replace(
        case,
        name=f"{case.name}-{name}",
        args=args,
        dtypes=(case.main_dtype,),
        sweep=False,
        **changes,
    )


# ---- calls and comparisons


def arrays(numpy_args) -> list:
    return [_dispatch.to_array(x) for x in numpy_args]


def outputs(y) -> list:
    return list(y) if isinstance(y, (tuple, list)) else [y]


def call(case: Case, xs) -> list:
    return outputs(case.call(*xs))


def same_bits(got, want, what):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape and got.dtype == want.dtype, what
    if got.tobytes() == want.tobytes():
        return
    # All nans are one value; signs of zero count.
    g, w = (x.astype("f8") if kind(x.dtype) == "f" else x for x in (got, want))
    np.testing.assert_array_equal(g, w, err_msg=what)
    if kind(got.dtype) == "f":
        finite = ~np.isnan(g)
        np.testing.assert_array_equal(
            np.signbit(g)[finite], np.signbit(w)[finite], err_msg=what
        )


def close(got, want, what, scale=1.0, atol=0.0):
    """Within the table's tolerance for the dtype of `want`."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: {got.shape} not {want.shape}"
    assert got.dtype == want.dtype, f"{what}: {got.dtype} not {want.dtype}"
    dtype = want.dtype
    if kind(dtype) not in "fc":
        np.testing.assert_array_equal(got, want, err_msg=what)
        return
    ulps = TOLERANCE[dtype.name] * scale * epsilon(dtype) * device.LOOSER
    atol *= device.LOOSER
    got, want = widened(got), widened(want)
    if kind(dtype) == "c":
        # The error of a complex number is relative to its magnitude.
        finite = np.isfinite(want)
        np.testing.assert_array_equal(np.isfinite(got), finite, err_msg=what)
        error = np.abs(np.where(finite, got, 0) - np.where(finite, want, 0))
        bound = ulps * np.abs(np.where(finite, want, 0))
        bound = bound + atol * epsilon(dtype) + 2 * smallest(dtype)
        assert (error <= bound).all(), f"{what}: {got} not {want}"
        return
    np.testing.assert_allclose(
        got,
        want,
        rtol=ulps,
        atol=atol * epsilon(dtype) + 2 * smallest(dtype),
        err_msg=what,
    )
