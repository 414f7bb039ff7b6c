"""Reductions, arg-reductions and running reductions."""

from __future__ import annotations

import numpy as np

from tests.ops.case import (
    BOOL,
    FLOAT,
    INT,
    NUMERIC,
    ORDERED,
    Arg,
    Bad,
    Case,
    kind,
)
from tests.ops.functions import lax

_AXES = {
    "all": (0, 1, 2),
    "first": (0,),
    "middle": (1,),
    "last": (2,),
    "outer": (0, 2),
    "none": (),
}


def _lexical(x, axes, greatest):
    """max or min of complex numbers, by real then imaginary part."""
    key = np.lexsort
    y = np.moveaxis(x, axes, range(-len(axes), 0))
    shape = y.shape[: y.ndim - len(axes)]
    flat = y.reshape(-1, int(np.prod(y.shape[len(shape) :], dtype=int)))
    out = [
        row[key((row.imag, row.real))[-1 if greatest else 0]] for row in flat
    ]
    return np.array(out, x.dtype).reshape(shape)


def _extremum(f, greatest):
    def reference(x, axis):
        if kind(x.dtype) == "c" and axis:
            return _lexical(x, axis, greatest)
        return f(x, axis=axis)

    return reference


def _wrapping(f):
    return lambda x, axis: f(x, axis=axis, dtype=x.dtype)


def _reduce(name, reference, dtypes, shape=(3, 4, 5), axes="all", **options):
    where = _AXES[axes] if isinstance(axes, str) else axes
    label = axes if isinstance(axes, str) else options.pop("label")
    arg = options.pop("arg", Arg(shape, -2, 2))
    options.setdefault("exact", False)
    # n roundings, and the terms may cancel.
    n = int(np.prod([shape[a] for a in where], dtype=int))
    return Case(
        name=f"{name}-{label}",
        call=lambda x: getattr(lax, name)(x, axes=where),
        args=(arg,),
        reference=lambda x: reference(x, axis=where),
        primitive=name,
        dtypes=dtypes,
        scale=max(n, 1) ** 0.5,
        atol=4.0 * max(n, 1),
        **options,
    )


_UNIQUE = Arg((3, 4, 5), distinct=True)


def _family(name, reference, dtypes, one, **options):
    return [
        _reduce(name, reference, dtypes, axes=axes, **options)
        if axes == "all"
        else _reduce(name, reference, one, axes=axes, sweep=False, **options)
        for axes in _AXES
    ]


_F = ("float32", "float64")
_MAX, _MIN = _extremum(np.max, True), _extremum(np.min, False)
_REDUCE = [
    *_family("reduce_sum", _wrapping(np.sum), NUMERIC, _F),
    *_family(
        "reduce_prod",
        _wrapping(np.prod),
        NUMERIC,
        _F,
        arg=Arg((3, 4, 5), 0.8, 1.3),
    ),
    *_family("reduce_max", _MAX, ORDERED, _F, arg=_UNIQUE, exact=True),
    *_family("reduce_min", _MIN, ORDERED, _F, arg=_UNIQUE, exact=True),
    *_family(
        "reduce_and",
        lambda x, axis: np.bitwise_and.reduce(x, axis),
        INT + BOOL,
        ("int32",),
        exact=True,
    ),
    *_family(
        "reduce_or",
        lambda x, axis: np.bitwise_or.reduce(x, axis),
        INT + BOOL,
        ("int32",),
        exact=True,
    ),
    *_family(
        "reduce_xor",
        lambda x, axis: np.bitwise_xor.reduce(x, axis),
        INT + BOOL,
        ("int32",),
        exact=True,
    ),
]

_SIZES = [
    _reduce(name, f, ("float32",), shape, axes, label=label, sweep=False)
    for name, f in (
        ("reduce_sum", _wrapping(np.sum)),
        ("reduce_prod", _wrapping(np.prod)),
    )
    for label, shape, axes in (
        ("nothing", (0, 3), (0,)),
        ("hollow", (0, 3), (1,)),
        ("one", (1, 1), (0, 1)),
        ("scalar", (), ()),
    )
]
_SIZES += [
    _reduce(
        "reduce_sum",
        _wrapping(np.sum),
        ("float32", "bfloat16", "float16"),
        shape,
        axes,
        label=label,
        sweep=False,
    )
    for label, shape, axes in (
        ("long-row", (2, 1000), (1,)),
        ("long-column", (1000, 3), (0,)),
    )
]

# The product's derivative where factors are zero.
_ZEROS = [
    Case(
        name=f"reduce_prod-zeros-{n}",
        call=lambda x: lax.reduce_prod(x, axes=(0,)),
        args=(Arg((4, 2), values=v),),
        reference=lambda x: np.prod(x, 0),
        primitive="reduce_prod",
        dtypes=("float64",),
        sweep=False,
    )
    for n, v in (
        (1, (0.0, 2, 3, 4, 5, 0.0, 7, 8)),
        (2, (0.0, 2, 0.0, 4, 5, 0.0, 7, 8)),
    )
]

_NAN = (1.0, np.nan, 3.0, 2.0, np.inf, -np.inf)
_SPECIAL = [
    Case(
        name=f"{name}-nan",
        call=lambda x, name=name: getattr(lax, name)(x, axes=(1,)),
        args=(Arg((2, 3), values=_NAN),),
        reference=f,
        primitive=name,
        dtypes=("float32", "float64", "float16", "bfloat16"),
        exact=True,
        sweep=False,
        grad_dtypes=(),
    )
    for name, f in (
        ("reduce_max", lambda x: np.max(x, 1)),
        ("reduce_min", lambda x: np.min(x, 1)),
    )
]


def _arg(name, f, label, shape, axis, dtypes, index="int32", **options):
    arg = options.pop("arg", Arg(shape, -3, 3))
    return Case(
        name=f"{name}-{label}",
        call=lambda x: getattr(lax, name)(x, axis, index),
        args=(arg,),
        reference=lambda x: f(x, axis),
        primitive=name,
        dtypes=dtypes,
        result=lambda t: index,
        exact=True,
        order=0,
        **options,
    )


_REAL = BOOL + INT + FLOAT
_ARG = [
    case
    for name, f in (("argmax", np.argmax), ("argmin", np.argmin))
    for case in (
        _arg(name, f, "last", (3, 7), 1, _REAL),
        _arg(name, f, "first", (7, 3), 0, ("float32",), sweep=False),
        _arg(name, f, "wide", (7, 3), 0, ("int32",), "int64", sweep=False),
        _arg(name, f, "one", (2, 1), 1, ("float32",), sweep=False),
        _arg(name, f, "hollow", (0, 2), 1, ("float32",), sweep=False),
        _arg(
            name,
            f,
            "nan",
            (2, 3),
            1,
            ("float32", "float16"),
            arg=Arg((2, 3), values=_NAN),
            sweep=False,
        ),
    )
]


def _running(f, axis, reverse):
    def reference(x):
        y = np.flip(x, axis) if reverse else x
        y = f(y, axis)
        return np.flip(y, axis) if reverse else y

    return reference


def _accumulate(f):
    return lambda x, axis: f.accumulate(x, axis, x.dtype)


def _complex_running(f, greatest):
    plain = _accumulate(f)

    def reference(x, axis):
        if kind(x.dtype) != "c":
            return plain(x, axis)
        y = np.moveaxis(x, axis, -1)
        out = np.empty_like(y)
        for i in range(y.shape[-1]):
            out[..., i] = _lexical(y[..., : i + 1], (y.ndim - 1,), greatest)
        return np.moveaxis(out, -1, axis)

    return reference


def _cumulative(name, f, label, shape, axis, reverse, dtypes, **options):
    arg = options.pop("arg", None) or Arg(shape, -1.5, 1.5)
    return Case(
        name=f"{name}-{label}",
        call=lambda x: getattr(lax, name)(x, axis=axis, reverse=reverse),
        args=(arg,),
        reference=_running(f, axis, reverse),
        primitive=name,
        dtypes=dtypes,
        scale=4.0,
        atol=8.0,
        **options,
    )


_CUMULATIVE = [
    case
    for name, f, dtypes, options in (
        ("cumsum", _accumulate(np.add), NUMERIC, {}),
        ("cumprod", _accumulate(np.multiply), NUMERIC, {}),
        ("cummax", _complex_running(np.maximum, True), NUMERIC, {"u": 1}),
        ("cummin", _complex_running(np.minimum, False), NUMERIC, {"u": 1}),
        ("cumlogsumexp", _accumulate(np.logaddexp), FLOAT, {}),
    )
    for case in (
        _cumulative(
            name,
            f,
            "last",
            (3, 6),
            1,
            False,
            dtypes,
            arg=Arg((3, 6), distinct=True) if options else None,
            exact=bool(options),
        ),
        _cumulative(
            name,
            f,
            "first-reversed",
            (6, 3),
            0,
            True,
            _F,
            arg=Arg((6, 3), distinct=True) if options else None,
            sweep=False,
        ),
        _cumulative(name, f, "one", (1,), 0, False, ("float32",), sweep=False),
        _cumulative(
            name, f, "empty", (0, 2), 0, False, ("float32",), sweep=False
        ),
        _cumulative(
            name,
            f,
            "long",
            (2, 70),
            1,
            False,
            ("float32",),
            sweep=False,
            order=0,
            grad_dtypes=(),
        ),
    )
]

CASES = [*_REDUCE, *_SIZES, *_ZEROS, *_SPECIAL, *_ARG, *_CUMULATIVE]


def _zeros(*shape, dtype="f4"):
    return np.zeros(shape, dtype)


BAD = [
    Bad(
        "reduce_sum-axis",
        lambda: lax.reduce_sum(_zeros(2, 4), axes=(3,)),
        ValueError,
        r"axis 3 is out of (bounds for array|range for operand f32\[2,4\])",
    ),
    Bad(
        "reduce_max-twice",
        lambda: lax.reduce_max(_zeros(2, 4), axes=(1, 1)),
        ValueError,
        r"duplicate value in 'axes' of reduction: \(1, 1\)",
    ),
    Bad(
        "reduce_sum-bool",
        lambda: lax.reduce_sum(_zeros(2, dtype="?"), axes=(0,)),
        TypeError,
        r"reduce_sum does not accept dtype bool",
    ),
    Bad(
        "reduce_and-float",
        lambda: lax.reduce_and(_zeros(2), axes=(0,)),
        TypeError,
        r"reduce_and does not accept dtype float32",
    ),
    Bad(
        "argmax-empty",
        lambda: lax.argmax(_zeros(0, 2), 0, "int32"),
        ValueError,
        r"attempt to get argmax of an empty sequence",
    ),
    Bad(
        "argmax-complex",
        lambda: lax.argmax(_zeros(2, dtype="c8"), 0, "int32"),
        TypeError,
        r"argmax does not accept dtype complex64",
    ),
    Bad(
        "argmin-index-dtype",
        lambda: lax.argmin(_zeros(2), 0, "float32"),
        TypeError,
        r"argmin index_dtype must be an integer type, but got float32",
    ),
    Bad(
        "cumsum-axis",
        lambda: lax.cumsum(_zeros(2, 3), axis=2),
        ValueError,
        r"axis 2 is out of (bounds|range)",
    ),
    Bad(
        "cumlogsumexp-int",
        lambda: lax.cumlogsumexp(_zeros(2, dtype="i4"), axis=0),
        TypeError,
        r"cumlogsumexp does not accept dtype int32",
    ),
]
