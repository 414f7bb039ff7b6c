"""Images of any dimension: interpolation at coordinates."""

from __future__ import annotations

import functools
import itertools
import operator

import numpy as np

import cotan.numpy as cnp
from cotan import dtypes, lax

__all__ = ["map_coordinates"]


def _mirror(index, size: int):
    s = size - 1
    return cnp.abs((index + s) % (2 * s) - s)


def _reflect(index, size: int):
    return cnp.floor_divide(_mirror(2 * index + 1, 2 * size + 1) - 1, 2)


_MODES = {
    "constant": lambda index, size: index,
    "nearest": lambda index, size: cnp.clip(index, 0, size - 1),
    "wrap": lambda index, size: index % size,
    "mirror": _mirror,
    "reflect": _reflect,
}


def _is_integer(x) -> bool:
    return dtypes.issubdtype(x.dtype, np.integer)


def _rounded(x):
    """Halves away from zero."""
    return x if _is_integer(x) else lax.round(x)


def _nodes(coordinate, order: int) -> list:
    """(index, weight) of the neighbours of a coordinate."""
    if order == 0:
        index = _rounded(coordinate).astype(np.int32)
        return [(index, coordinate.dtype.type(1))]
    lower = cnp.floor(coordinate)
    above = coordinate - lower
    index = lower.astype(np.int32)
    return [(index, 1 - above), (index + 1, above)]


def map_coordinates(input, coordinates, order, mode="constant", cval=0.0):
    """Values of `input` at `coordinates`, one array per axis of it, by the
    nearest element (order 0) or linearly (order 1). Outside of the array:
    `cval`, or what `mode` says (nearest, wrap, mirror, reflect).

    >>> x = cnp.arange(4.0)
    >>> cotan.scipy.ndimage.map_coordinates(x, [cnp.array([0.5, 2.25])], 1)
    Array([0.5 , 2.25], dtype=float32)
    """
    x = cnp.asarray(input)
    coordinates = [cnp.asarray(c) for c in coordinates]
    cval = cnp.asarray(cval, x.dtype)
    if len(coordinates) != x.ndim:
        raise ValueError(
            "coordinates must be a sequence of length input.ndim, but "
            f"{len(coordinates)} != {x.ndim}"
        )
    if mode not in _MODES:
        raise NotImplementedError(
            f"map_coordinates does not yet support mode {mode}. Currently "
            f"supported modes are {set(_MODES)}."
        )
    if order not in (0, 1):
        raise NotImplementedError("map_coordinates requires order<=1")
    axes = []
    for coordinate, size in zip(coordinates, x.shape, strict=True):
        axes.append(
            [
                (
                    _MODES[mode](index, size),
                    (index >= 0) & (index < size),
                    weight,
                )
                for index, weight in _nodes(coordinate, order)
            ]
        )
    terms = []
    for corner in itertools.product(*axes):
        index, valid, weights = zip(*corner, strict=True)
        value = x[index]
        if mode == "constant":
            value = cnp.where(
                functools.reduce(operator.and_, valid), value, cval
            )
        terms.append(functools.reduce(operator.mul, weights) * value)
    result = functools.reduce(operator.add, terms)
    return (_rounded(result) if _is_integer(x) else result).astype(x.dtype)
