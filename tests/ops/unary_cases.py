"""Elementwise primitives of one operand."""

from __future__ import annotations

import numpy as np
import scipy.special

from tests.ops.case import (
    ALL,
    BOOL,
    COMPLEX,
    FLOAT,
    INEXACT,
    INT,
    NUMERIC,
    SIGNED,
    SPECIAL,
    Arg,
    Bad,
    Case,
    dtype_of,
    kind,
    real_of,
    resized,
)
from tests.ops.functions import lax


def _math(name, reference, lo=-2.0, hi=2.0, dtypes=INEXACT, **options):
    special = options.pop("special", SPECIAL)
    return Case(
        name=options.pop("label", name),
        call=getattr(lax, name),
        args=(Arg((3, 5), lo, hi, special=special),),
        reference=reference,
        primitive=name,
        dtypes=dtypes,
        elementwise=True,
        **options,
    )


def _simple(name, reference, dtypes, primitive=None, **options):
    args = options.pop("args", (Arg((3, 5), -5, 5, special=SPECIAL),))
    return Case(
        name=name,
        call=getattr(lax, name),
        args=args,
        reference=reference,
        primitive=primitive or name,
        dtypes=dtypes,
        elementwise=True,
        exact=True,
        **options,
    )


def _real_only(f):
    return lambda x: f(x)


def _rsqrt(x):
    return 1 / np.sqrt(x)


def _sign(x):
    if kind(x.dtype) == "c":
        return np.where(x == 0, 0, x / np.where(x == 0, 1, np.abs(x)))
    if kind(x.dtype) != "f":
        return np.sign(x)
    return np.where(np.isnan(x) | (x == 0), x, np.sign(x))  # keeps -0


def _popcount(x):
    # NumPy's bitwise_count is that of the absolute value.
    return np.bitwise_count(x.view(f"u{x.dtype.itemsize}"))


def _logistic(x):
    if kind(x.dtype) == "c":
        return 1 / (1 + np.exp(-x))
    return scipy.special.expit(x)


def _clz(x):
    bits = 8 * x.dtype.itemsize
    return np.array(
        [bits - int(v).bit_length() for v in x.astype(f"u{bits // 8}").flat]
    ).reshape(x.shape)


def _round_away(x):
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


def _bits(mantissa, exponent):
    """reduce_precision to a format that NumPy or ml_dtypes has."""
    name = {(10, 5): "float16", (7, 8): "bfloat16"}[mantissa, exponent]
    return lambda x: x.astype("f4").astype(dtype_of(name)).astype("f8")


# Near zeros of the function an error is relative to the operands' size.
MATH = [
    _math("exp", np.exp),
    _math("exp2", np.exp2),
    _math("expm1", np.expm1),
    _math("log", np.log, 0.1, 4.0),
    _math("log1p", np.log1p, -0.9, 4.0),
    _math("sin", np.sin, -9.0, 9.0, atol=1.0),
    _math("cos", np.cos, -9.0, 9.0, atol=1.0),
    _math("tan", np.tan, -1.5, 1.5),
    _math("asin", np.arcsin, -0.95, 0.95),
    _math("acos", np.arccos, -0.95, 0.95),
    _math("atan", np.arctan),
    _math("sinh", np.sinh),
    _math("cosh", np.cosh),
    _math("tanh", np.tanh),
    _math("asinh", np.arcsinh),
    _math("acosh", np.arccosh, 1.1, 4.0),
    _math("atanh", np.arctanh, -0.9, 0.9),
    _math("logistic", _logistic),
    _math("sqrt", np.sqrt, 0.1, 4.0),
    _math("rsqrt", _rsqrt, 0.1, 4.0),
    _math("cbrt", np.cbrt, 0.2, 4.0, FLOAT),
    _math("erf", scipy.special.erf, dtypes=FLOAT),
    _math("erfc", scipy.special.erfc, dtypes=FLOAT),
    _math("erf_inv", scipy.special.erfinv, -0.9, 0.9, FLOAT, scale=2.0),
    # gammaln has zeros at 1 and 2; both have poles at 0, -1, ...
    _math(
        "lgamma",
        scipy.special.gammaln,
        0.2,
        6.0,
        FLOAT,
        special=(np.inf, np.nan, 1.0, 1e30),
        atol=4.0,
    ),
    _math(
        "digamma",
        scipy.special.digamma,
        0.2,
        6.0,
        FLOAT,
        special=(np.nan, 1e30),
        atol=4.0,
    ),
]

SIMPLE = [
    _simple("neg", np.negative, NUMERIC),
    _simple("sign", _sign, NUMERIC),
    _simple("floor", np.floor, FLOAT),
    _simple("ceil", np.ceil, FLOAT),
    _simple("is_finite", np.isfinite, FLOAT, result=lambda t: "bool"),
    _simple("square", np.square, INT + FLOAT, also=COMPLEX),
    _simple("abs", np.abs, SIGNED + FLOAT, also=COMPLEX),
    _simple("population_count", _popcount, INT),
    _simple("clz", _clz, INT),
    _simple("bitwise_not", np.invert, INT + BOOL, "not"),
    _simple("stop_gradient", lambda x: x, ALL, diff=()),
    Case(
        name="round-away",
        call=lambda x: lax.round(x),
        args=(Arg((7,), values=(0.5, 1.5, -0.5, -2.5, 2.4, 1e30, np.inf)),),
        reference=_round_away,
        primitive="round",
        dtypes=FLOAT,
        elementwise=True,
        exact=True,
    ),
    Case(
        name="round-even",
        call=lambda x: lax.round(x, 1),
        args=(Arg((7,), values=(0.5, 1.5, -0.5, -2.5, 2.4, 1e30, np.nan)),),
        reference=np.rint,
        primitive="round",
        dtypes=FLOAT,
        elementwise=True,
        exact=True,
    ),
]

# The complex side of operations whose real side is exact.
PARTS = [
    _math(
        "square",
        np.square,
        dtypes=COMPLEX,
        special=(),
        sweep=False,
        label="square-complex",
    ),
    _math(
        "abs",
        np.abs,
        dtypes=COMPLEX,
        sweep=False,
        result=real_of,
        label="abs-complex",
    ),
    _math("real", np.real, dtypes=COMPLEX, result=real_of),
    _math("imag", np.imag, dtypes=COMPLEX, result=real_of),
    _math("conj", np.conj, dtypes=COMPLEX, sweep=False),
]

POWERS = [
    Case(
        name=f"integer_pow({n})",
        call=lambda x, n=n: lax.integer_pow(x, n),
        args=(Arg((3, 4), 0.5, 2.5),),
        reference=lambda x, n=n: x**n,
        primitive="integer_pow",
        dtypes=NUMERIC if n >= 0 else INEXACT,
        elementwise=True,
        scale=2.0 * abs(n) + 1,
    )
    for n in (0, 1, 3, 8, -1, -3)
]

PRECISION = [
    Case(
        name=f"reduce_precision-{name}",
        call=lambda x, e=e, m=m: lax.reduce_precision(x, e, m),
        args=(Arg((3, 5), -50, 50, special=SPECIAL),),
        reference=_bits(m, e),
        primitive="reduce_precision",
        dtypes=("float32",),
        elementwise=True,
        exact=True,
        sweep=False,
        grad_dtypes=(),
    )
    for name, e, m in (("half", 5, 10), ("bfloat16", 8, 7))
]

_BASE = [*MATH, *SIMPLE, *PARTS, *POWERS, *PRECISION]
SHAPES = [
    resized(c, name, shape)
    for c in _BASE
    if c.name in ("exp", "neg", "integer_pow(3)", "is_finite", "lgamma")
    for name, shape in (
        ("scalar", ()),
        ("one", (1, 1)),
        ("empty", (0,)),
        ("hollow", (2, 0, 3)),
        ("long", (3, 67)),
    )
]

CASES = [*_BASE, *SHAPES]


def _zeros(shape, dtype):
    return np.zeros(shape, dtype)


BAD = [
    Bad(
        "sin-int",
        lambda: lax.sin(_zeros(3, "i4")),
        TypeError,
        r"sin does not accept dtype int32",
    ),
    Bad(
        "floor-complex",
        lambda: lax.floor(_zeros(3, "c8")),
        TypeError,
        r"floor does not accept dtype complex64",
    ),
    Bad(
        "not-float",
        lambda: lax.bitwise_not(_zeros(3, "f4")),
        TypeError,
        r"not does not accept dtype float32",
    ),
    Bad(
        "integer_pow-negative",
        lambda: lax.integer_pow(_zeros((), "i4"), -1),
        TypeError,
        r"Integers cannot be raised to negative powers, got "
        r"integer_pow\(i32\[\], -1\)",
    ),
    Bad(
        "reduce_precision-bits",
        lambda: lax.reduce_precision(_zeros(3, "f4"), 0, 3),
        ValueError,
        r"\[reduce_precision\].*exponent_bits must be positive",
    ),
    Bad(
        "sin-string",
        lambda: lax.sin("x"),
        TypeError,
        r"sin",
    ),
    Bad(
        "sin-list",
        lambda: lax.sin([1.0, 2.0]),
        TypeError,
        r"sin.*list",
    ),
    Bad(
        "sin-object",
        lambda: lax.sin(np.array([None])),
        TypeError,
        r"sin|object",
    ),
    Bad("sin-two", lambda: lax.sin(1.0, 2.0), TypeError, r"sin\(\) takes 1"),
]
