"""Reductions whose axes are named, alone or beside dimensions: those of an
enclosing `vmap`. Here the elements of a dimension come first, then the axes by
collectives."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Hashable

import numpy as np

from cotan import _core, _dispatch, dtypes, lax


def parted(axis):
    """(dimensions, names) of an axis argument; None if it has no names. A name
    on its own is a string."""
    if isinstance(axis, str):
        return (), (axis,)
    if not isinstance(axis, (tuple, list)):
        return None
    dims, names = [], []
    for a in axis:
        if isinstance(a, str) or (
            isinstance(a, Hashable) and not isinstance(a, numbers.Number)
        ):
            names.append(a)
        else:
            try:
                dims.append(operator.index(a))
            except TypeError:
                return None
    return (tuple(dims), tuple(names)) if names else None


def reduction(name, error, a, axis, **options):
    """The reduction, which without names has raised `error`."""
    found = parted(axis)
    if found is None:
        raise error
    if name not in _REDUCTIONS:
        raise NotImplementedError(
            f"Named reductions not implemented for cotan.numpy.{name}()"
        )
    return _REDUCTIONS[name](_dispatch.to_array(a), *found, **options)


def _wide(dtype):
    """Where 16-bit floats accumulate."""
    return np.float32 if dtypes.finfo(dtype).bits == 16 else dtype


def _result(x, dtype):
    return _core.convert(x, dtype, False)


def _sum(x, dims, names, dtype, keepdims, initial, where, promote_integers):
    like = _core.np_sum(x, None, dtype, False, None, None, promote_integers)
    dtype = like.dtype
    wide = _wide(dtype) if dtypes.issubdtype(dtype, np.floating) else dtype
    y = _core.np_sum(x, dims, wide, keepdims, None, where, promote_integers)
    y = lax.psum(y, names)
    return _result(y if initial is None else y + initial, dtype)


def _extremum(kind, collective):
    def reduce(x, dims, names, keepdims, initial, where):
        y = kind(x, dims, None, keepdims, initial, where)
        return collective(y, names)

    return reduce


def _count(x, dims, names, where, keepdims):
    """How many elements take part: a number, or an array if `where` tells."""
    if where is None:
        return math.prod(x.shape[d] for d in dims) * lax.axis_size(names)
    ones = _core.broadcast_to(where, x.shape)
    return _sum(ones, dims, names, None, keepdims, None, None, True)


def _mean(x, dims, names, dtype, keepdims, where):
    dtype = _core.np_mean(x, None, dtype, False, None, None).dtype
    total = _sum(
        _result(x, _wide(dtype)), dims, names, None, keepdims, None, where, True
    )
    return _result(total / _count(x, dims, names, where, keepdims), dtype)


def _var(x, dims, names, dtype, keepdims, correction, where, mean):
    out = _core.np_var(x, None, dtype, False, 0, None, None).dtype
    (x,) = _core.promote_inexact("var", [x])
    x = _result(x, _wide(x.dtype))
    if mean is None:
        mean = _mean(x, dims, names, None, True, where)
    c = x - mean
    square = (
        lax.real(c * lax.conj(c))
        if dtypes.issubdtype(x.dtype, np.complexfloating)
        else lax.square(c)
    )
    total = _sum(square, dims, names, None, keepdims, None, where, True)
    n = _count(x, dims, names, where, keepdims) - correction
    return _result(_core.where(n > 0, total / n, np.nan), out)


_REDUCTIONS = {
    "max": _extremum(_core.np_max, lax.pmax),
    "mean": _mean,
    "min": _extremum(_core.np_min, lax.pmin),
    "sum": _sum,
    "var": _var,
}
