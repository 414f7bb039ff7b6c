"""Elementwise primitives of two operands, except comparisons."""

from __future__ import annotations

import numpy as np

from tests.ops.case import (
    BOOL,
    COMPLEX,
    FLOAT,
    INEXACT,
    INT,
    NUMERIC,
    ORDERED,
    Arg,
    Bad,
    Case,
    dtype_of,
    kind,
    resized,
)
from tests.ops.functions import lax

# Pairs at which binary functions are special, one per column.
_LEFT = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 0.0, np.inf)
_RIGHT = (-0.0, 0.0, np.inf, 1.0, 1.0, np.nan, 0.0, -np.inf)


def _binary(name, reference, dtypes, primitive=None, **options):
    lo, hi = options.pop("range", (-5, 5))
    left = Arg((3, 5), lo, hi, special=options.pop("left", _LEFT))
    right = Arg((3, 5), lo, hi, special=options.pop("right", _RIGHT))
    options.setdefault("exact", True)
    return Case(
        name=options.pop("label", name),
        call=getattr(lax, name),
        args=options.pop("args", (left, right)),
        reference=reference,
        primitive=primitive or name,
        dtypes=dtypes,
        elementwise=True,
        **options,
    )


def _div(x, y):
    if kind(x.dtype) in "fc":
        return x / y
    zero = y == 0
    safe = np.where(zero, 1, y)
    # Truncated, in Python's integers: nothing wraps on the way.
    q = [
        int(abs(int(a)) // abs(int(b))) * (1 if (a < 0) == (b < 0) else -1)
        for a, b in zip(x.flat, safe.flat, strict=True)
    ]
    q = np.array(q, object).reshape(x.shape)
    bits = 8 * x.dtype.itemsize
    full = np.where(zero, -1, q) % (1 << bits)
    return (
        np.array([int(v) for v in full.flat], f"u{bits // 8}")
        .view(x.dtype)
        .reshape(x.shape)
    )


def _rem(x, y):
    if kind(x.dtype) == "f":
        return np.fmod(x, y)
    zero = y == 0
    safe = np.where(zero, 1, y).astype(x.dtype)
    minus = safe == np.array(-1).astype(x.dtype)
    safe = np.where(minus & (kind(x.dtype) == "i"), 1, safe).astype(x.dtype)
    return np.where(zero, x, np.fmod(x, safe))


def _shift(f, overflow):
    def reference(x, n):
        bits = 8 * x.dtype.itemsize
        amount = n.astype(f"u{bits // 8}")
        big = amount >= bits
        return np.where(big, overflow(x), f(x, np.where(big, 0, amount)))

    return reference


def _left(x, n):
    return np.left_shift(x, n.astype(x.dtype))


def _logical(x, n):
    u = f"u{x.dtype.itemsize}"
    return np.right_shift(x.view(u), n.astype(u)).view(x.dtype)


def _arithmetic(x, n):
    i = f"i{x.dtype.itemsize}"
    return np.right_shift(x.view(i), n.astype(i)).view(x.dtype)


def _sign_fill(x):
    i = f"i{x.dtype.itemsize}"
    return np.where(x.view(i) < 0, -1, 0).astype(i).view(x.dtype)


def _max(x, y):
    if kind(x.dtype) == "c":
        return np.where(_above(x, y), x, y)
    return np.maximum(x, y)


def _min(x, y):
    if kind(x.dtype) == "c":
        return np.where(_above(y, x), x, y)
    return np.minimum(x, y)


def _above(x, y):
    return (x.real > y.real) | ((x.real == y.real) & (x.imag > y.imag))


def _nextafter(name):
    def reference(x, y):
        dtype = dtype_of(name)
        if name == "bfloat16":
            from ml_dtypes import bfloat16

            return np.nextafter(x.astype(bfloat16), y.astype(bfloat16))
        return np.nextafter(x.astype(dtype), y.astype(dtype))

    return reference


def _complex(dtype):
    return {"float32": "complex64", "float64": "complex128"}[dtype]


_SHIFTS = (
    Arg((2, 9), -100, 100),
    Arg((2, 9), values=(0, 1, 3, 7, 8, 31, 32, 63, 64) * 2),
)

_SMOOTH = [
    _binary("add", np.add, NUMERIC),
    _binary("sub", np.subtract, NUMERIC),
    _binary("mul", np.multiply, INT + FLOAT, also=COMPLEX),
    _binary("div", _div, INT + FLOAT, also=COMPLEX),
    _binary("rem", _rem, INT + FLOAT),
    _binary(
        "pow",
        np.power,
        INEXACT,
        range=(0.5, 2.5),
        left=(0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 0.0, 2.0, -2.0),
        right=(0.0, 3.0, 2.0, 3.0, 0.0, np.nan, -1.0, np.inf, 3.0),
        exact=False,
    ),
    _binary("atan2", np.arctan2, FLOAT, exact=False),
    _binary(
        "complex",
        lambda x, y: x + 1j * y,
        ("float32", "float64"),
        left=(),
        right=(),
        result=_complex,
        grad_dtypes=("float64",),
    ),
]
_COMPLEX = [
    _binary(
        name,
        f,
        ("complex64", "complex128"),
        left=(),
        right=(),
        exact=False,
        sweep=False,
        label=f"{name}-complex",
    )
    for name, f in (("mul", np.multiply), ("div", np.divide))
]
_EXTREMA = [
    _binary("max", _max, ORDERED, left=_LEFT[2:], right=_RIGHT[2:]),
    _binary("min", _min, ORDERED, left=_LEFT[2:], right=_RIGHT[2:]),
]
_BITS = [
    _binary("bitwise_and", np.bitwise_and, INT + BOOL, "and"),
    _binary("bitwise_or", np.bitwise_or, INT + BOOL, "or"),
    _binary("bitwise_xor", np.bitwise_xor, INT + BOOL, "xor"),
    _binary("shift_left", _shift(_left, np.zeros_like), INT, args=_SHIFTS),
    _binary(
        "shift_right_logical",
        _shift(_logical, np.zeros_like),
        INT,
        args=_SHIFTS,
    ),
    _binary(
        "shift_right_arithmetic",
        _shift(_arithmetic, _sign_fill),
        INT,
        args=_SHIFTS,
    ),
]
_NEXT = [
    Case(
        name=f"nextafter-{name}",
        call=lax.nextafter,
        args=(
            # NumPy's half gives -0 for (-0, 0), C and JAX 0.
            Arg((9,), values=(0, 0, 1, 1, -1, np.inf, np.nan, 1, 2.5)),
            Arg((9,), values=(1, -1, 2, 0, -2, 0, 1, np.nan, 2.5)),
        ),
        reference=_nextafter(name),
        primitive="nextafter",
        dtypes=(name,),
        elementwise=True,
        exact=True,
        sweep=False,
    )
    for name in FLOAT
]
_EXTREME_INTS = [
    Case(
        name=f"{name}-extreme",
        call=getattr(lax, name),
        args=(
            Arg((6,), values=(-(2**31), -(2**31), 2**31 - 1, 7, -7, 0)),
            Arg((6,), values=(-1, 0, 2**31 - 1, 0, 2, 0)),
        ),
        reference=f,
        primitive=name,
        dtypes=("int32",),
        elementwise=True,
        exact=True,
        sweep=False,
    )
    for name, f in (("div", _div), ("rem", _rem), ("mul", np.multiply))
]

# An integer exponent beside an inexact base.
_INT_POWER = [
    Case(
        name="pow-int-exponent",
        call=lax.pow,
        args=(
            Arg((3, 4), 0.5, 2.0),
            Arg((3, 4), -3, 4, dtype="int32"),
        ),
        reference=lambda x, y: x ** y.astype("f8"),
        primitive="pow",
        dtypes=INEXACT,
        elementwise=True,
        sweep=False,
    )
]

_MIXED = [
    resized(c, name, *shapes)
    for c in [*_SMOOTH, *_BITS[:1], _EXTREMA[0]]
    for name, shapes in (
        ("left-scalar", ((), (2, 3))),
        ("right-scalar", ((2, 3), ())),
        ("scalars", ((), ())),
    )
]
_SIZES = [
    resized(c, name, *shapes)
    for c in _SMOOTH[:4]
    for name, shapes in (
        ("stretch", ((2, 1), (1, 3))),
        ("one", ((1,), (1,))),
        ("empty", ((0,), (0,))),
        ("hollow", ((2, 0, 3), ())),
        ("long", ((5, 67), (5, 67))),
    )
]
# Operands of size 1 are stretched by another primitive first.
_SIZES = [c for c in _SIZES if c.name != "complex-stretch"]

CASES = [
    *_SMOOTH,
    *_COMPLEX,
    *_EXTREMA,
    *_BITS,
    *_NEXT,
    *_EXTREME_INTS,
    *_INT_POWER,
    *_MIXED,
    *_SIZES,
]


def _zeros(shape, dtype="f4"):
    return np.zeros(shape, dtype)


BAD = [
    Bad(
        "add-dtypes",
        lambda: lax.add(_zeros(3), _zeros(3, "i4")),
        TypeError,
        r"lax.add requires arguments to have the same dtypes, got float32, "
        r"int32",
    ),
    Bad(
        "add-shapes",
        lambda: lax.add(_zeros(3), _zeros(4)),
        TypeError,
        r"add got incompatible shapes for broadcasting: \(3,\), \(4,\)",
    ),
    Bad(
        "add-ranks",
        lambda: lax.add(_zeros(3), _zeros((2, 3))),
        TypeError,
        r"lax.add: arrays must have same number of dimensions, got 1 and 2",
    ),
    Bad(
        "add-bool",
        lambda: lax.add(_zeros(3, "?"), _zeros(3, "?")),
        TypeError,
        r"add does not accept dtype bool",
    ),
    Bad(
        "rem-complex",
        lambda: lax.rem(_zeros(3, "c8"), _zeros(3, "c8")),
        TypeError,
        r"rem does not accept dtype complex64",
    ),
    Bad(
        "complex-half",
        lambda: lax.complex(_zeros(3, "f2"), _zeros(3, "f2")),
        TypeError,
        r"complex does not accept dtype float16",
    ),
    Bad(
        "and-float",
        lambda: lax.bitwise_and(_zeros(3), _zeros(3)),
        TypeError,
        r"and does not accept dtype float32",
    ),
    Bad("add-one", lambda: lax.add(1.0), TypeError, r"add\(\) takes 2"),
    Bad(
        "add-keyword",
        lambda: lax.add(1.0, z=2.0),
        TypeError,
        r"unexpected keyword argument 'z'",
    ),
]
