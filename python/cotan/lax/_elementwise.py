"""Elementwise functions: operands of one dtype, one shape or rank 0; Python
scalars take the other operand's dtype. The plain ones come from C++.
"""

from __future__ import annotations

import operator

import numpy as np

from cotan import _core, _dispatch, dtypes, tree_util
from cotan.lax._types import (
    AccuracyMode,
    RoundingMethod,
    Tolerance,
    canonical_shape,
    shape_of,
    user_dtype,
)

_functions = {
    name.removeprefix("lax."): function
    for name, function in _dispatch.make_ufuncs().items()
    if name.startswith("lax.")
}
_functions.pop("stop_gradient")
globals().update(_functions)

__all__ = [
    *sorted(_functions),
    "bitcast_convert_type",
    "clamp",
    "convert_element_type",
    "dtype",
    "integer_pow",
    "mulhi",
    "reciprocal",
    "reduce_precision",
    "round",
    "select",
    "select_n",
    "stop_gradient",
]


def with_keywords(name: str, operands, keywords: dict):
    """An elementwise function with what only some of them take: a request for
    accuracy, which is the same for all, and the dtype of a product."""
    rest = dict(keywords)
    accuracy = rest.pop("accuracy", None)
    if not (
        accuracy is None or isinstance(accuracy, (AccuracyMode, Tolerance))
    ):
        raise TypeError(
            f"[{name}] accuracy must be a Tolerance or an AccuracyMode, got "
            f"{accuracy!r}"
        )
    out_dtype = rest.pop("out_dtype", None)
    if out_dtype is not None:
        out_dtype = user_dtype(out_dtype, name)
        operands = [_core.convert(x, out_dtype, False) for x in operands]
    return _functions[name](*operands)


def dtype(x):
    """The dtype of an array, or that a scalar has as one."""
    return _dispatch.aval_of(x)[0] if _dispatch.is_array(x) else x.dtype


def integer_pow(x, y: int):
    """x ** y for a Python int y; y < 0 needs an inexact x."""
    return _core.integer_pow(x, operator.index(y))


def reciprocal(x):
    """1 / x."""
    return _core.integer_pow(x, -1)


def round(x, rounding_method=RoundingMethod.AWAY_FROM_ZERO):
    """The nearest integer, as a float; halves go as `rounding_method` says."""
    method = RoundingMethod(rounding_method)
    return _core.round(x, method is RoundingMethod.TO_NEAREST_EVEN)


def reduce_precision(operand, exponent_bits: int, mantissa_bits: int):
    """Rounds to a float format with fewer bits; the dtype stays."""
    return _core.reduce_precision(
        operand, operator.index(exponent_bits), operator.index(mantissa_bits)
    )


def mulhi(x, y, /):
    """The upper half of the exact product of two 32-bit (or narrower)
    integers."""
    x, y = _dispatch.to_array(x), _dispatch.to_array(y)
    bits = 8 * x.dtype.itemsize
    if bits > 32 or x.dtype.kind not in "iu" or x.dtype != y.dtype:
        raise TypeError(
            "[mulhi] needs integers of one dtype of up to 32 bits, got "
            f"{x.dtype} and {y.dtype}"
        )
    wide = np.dtype(f"{x.dtype.kind}8")
    product = _functions["mul"](
        _core.convert(x, wide, False), _core.convert(y, wide, False)
    )
    high = _functions["shift_right_arithmetic"](
        product,
        _core.full((), bits, wide, False)
        if _core.get_config("x64")
        else _core.convert(bits, wide, False),
    )
    return _core.convert(high, x.dtype, x.weak_type and y.weak_type)


def convert_element_type(operand, new_dtype):
    """operand in another dtype: floats to integers round towards zero and
    saturate, integers wrap, complex to real drops the imaginary part."""
    new_dtype = user_dtype(new_dtype, "convert_element_type")
    if type(operand) is int and dtypes.issubdtype(new_dtype, np.integer):
        # A Python integer of any size wraps.
        operand = np.asarray(operand).astype(new_dtype)
    elif type(operand) is int:
        operand = float(operand)
    return _core.convert(operand, new_dtype, False)


def bitcast_convert_type(operand, new_dtype):
    """The same bits as another dtype; with a change of width, the last axis
    is split or joined."""
    new_dtype = user_dtype(new_dtype, "bitcast_convert_type")
    out = _core.bitcast_convert(operand, new_dtype)
    return _core.convert(out, new_dtype, False)


def clamp(min, x, max):
    """x limited to [min, max]; its derivative is 0 at and beyond them."""
    return _core.clamp(min, x, max)


def select(pred, on_true, on_false):
    """on_true where pred, else on_false; pred: bool, scalar or shaped."""
    return _core.select_n(pred, [on_false, on_true])


def select_n(which, *cases):
    """cases[which], elementwise; which: bool (two cases) or int32."""
    if not cases:
        raise ValueError("select_n() must have at least one case")
    return _core.select_n(which, list(cases))


def _stop_gradient(x):
    a = _dispatch.to_array(x)
    if not dtypes.issubdtype(a.dtype, np.inexact):
        return a
    return _core.stop_gradient(a)


def stop_gradient(x):
    """x (an array or a pytree), as a constant for differentiation."""
    return tree_util.tree_map(_stop_gradient, x)


def broadcast_shapes(*shapes):
    """The shape that arrays of these shapes broadcast to."""
    shapes = [canonical_shape(s) for s in shapes]
    for shape in shapes:
        if any(d < 0 for d in shape):
            raise TypeError(
                "Only non-negative indices are allowed when broadcasting "
                f"static shapes, but got shape {shape!r}."
            )
    return tuple(_core.broadcast_shapes(shapes))


def same_shape(*xs):
    return len({shape_of(x) for x in xs}) == 1
