"""Changes of dtype: convert_element_type, bitcast_convert_type."""

from __future__ import annotations

import numpy as np

from tests.ops.case import (
    ALL,
    Arg,
    Bad,
    Case,
    dtype_of,
    kind,
)
from tests.ops.functions import lax

_NUMBERS = (0, 1, -1.7, 2.5, 300, -300, 3e9, -3e9, np.inf, -np.inf, np.nan)


def _saturated(x, dtype):
    """Floats to integers round towards zero and saturate; nan gives 0."""
    info = np.iinfo(dtype)
    out = [
        0
        if np.isnan(v)
        else int(min(max(v, int(info.min)), int(info.max)))
        if not np.isinf(v)
        else int(info.max if v > 0 else info.min)
        for v in x.flat
    ]
    return np.array(out, dtype).reshape(x.shape)


def _convert(to):
    dtype = dtype_of(to)

    def reference(x):
        if kind(x.dtype) == "c" and kind(dtype) != "c" and to != "bool":
            x = x.real
        if kind(dtype) in "iu" and kind(x.dtype) == "f":
            return _saturated(x, dtype)
        if to == "bool":
            return x != 0
        with np.errstate(all="ignore"):
            return x.astype(dtype)

    return reference


def _conversion(to):
    return Case(
        name=f"convert-to-{to}",
        call=lambda x: lax.convert_element_type(x, to),
        args=(Arg((11,), values=_NUMBERS, dtype=None),),
        reference=_convert(to),
        primitive="convert_element_type",
        dtypes=tuple(t for t in ALL if t != to),
        result=lambda t: to,
        elementwise=True,
        exact=True,
        sweep=False,
        order=0,
        grad_dtypes=(),
    )


class _Convertible(Arg):
    """The numbers above, as far as the source dtype holds them."""

    def make(self, dtype, rng, special=False):
        dtype = dtype_of(dtype)
        numbers = np.array(_NUMBERS)
        if kind(dtype) in "iu":
            return _saturated(numbers, dtype)
        if kind(dtype) == "b":
            return numbers != 0
        with np.errstate(all="ignore"):
            y = numbers.astype(dtype)
            return y if kind(dtype) != "c" else y + dtype.type(2j)


def _same_kind(to):
    case = _conversion(to)
    return Case(
        **{
            **{f: getattr(case, f) for f in case.__dataclass_fields__},
            "args": (_Convertible((11,)),),
        }
    )


_CONVERT = [_same_kind(to) for to in ALL]
_DIFFERENTIABLE = [
    Case(
        name=f"convert-{source}-{to}",
        call=lambda x, to=to: lax.convert_element_type(x, to),
        args=(Arg((3,)),),
        reference=_convert(to),
        primitive="convert_element_type",
        dtypes=(source,),
        result=lambda t, to=to: to,
        elementwise=True,
        sweep=False,
        grad_dtypes=(source,),
    )
    for source, to in (("float64", "complex128"), ("complex128", "float64"))
]


def _bitcast(name, source, to, shape, reference, dtypes=None):
    return Case(
        name=f"bitcast-{name}",
        call=lambda x: lax.bitcast_convert_type(x, to),
        args=(Arg(shape, -100, 100),),
        reference=reference,
        primitive="bitcast_convert_type",
        dtypes=(source,),
        result=lambda t: to,
        exact=True,
        elementwise=True,
        sweep=False,
        order=0,
    )


_BITCAST = [
    *(
        _bitcast(
            f"{s}-{to}",
            s,
            to,
            (3, 2),
            lambda x, s=s, to=to: x.astype(dtype_of(s)).view(dtype_of(to)),
        )
        for s, to in (
            ("float32", "int32"),
            ("uint32", "float32"),
            ("float64", "uint64"),
            ("bfloat16", "uint16"),
            ("int16", "float16"),
            ("int8", "uint8"),
        )
    ),
    _bitcast(
        "split",
        "float32",
        "uint8",
        (3, 2),
        lambda x: x.astype("f4").view("u1").reshape(3, 2, 4),
    ),
    _bitcast(
        "join",
        "uint16",
        "uint64",
        (3, 4),
        lambda x: x.view("u8").reshape(3),
    ),
    _bitcast("empty", "float32", "int32", (0, 2), lambda x: x.astype("i4")),
]

CASES = [*_CONVERT, *_DIFFERENTIABLE, *_BITCAST]

BAD = [
    Bad(
        "bitcast-complex",
        lambda: lax.bitcast_convert_type(np.zeros(2, "c8"), "int32"),
        TypeError,
        r"bitcast_convert_type does not support conversion from complex64 to "
        r"int32",
    ),
    Bad(
        "bitcast-axis",
        lambda: lax.bitcast_convert_type(np.zeros(3, "i2"), "int32"),
        ValueError,
        r"needs a last axis of 2, got shape \(3,\)",
    ),
    Bad(
        "convert-unknown",
        lambda: lax.convert_element_type(1.0, "float7"),
        TypeError,
        r"float7",
    ),
]
