"""Reductions over sliding windows."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cotan import _core, _dispatch, dtypes, tree_util
from cotan.lax._convolution import _dilated, _strided, padtype_to_pads
from cotan.lax._elementwise import add, bitwise_and, bitwise_or, max, min

__all__ = ["reduce_window", "reduce_window_shape_tuple"]


def _lowest(dtype, sign):
    if dtype == np.bool_:
        return sign > 0
    if dtypes.issubdtype(dtype, np.inexact):
        return -sign * np.inf
    info = dtypes.iinfo(dtype)
    return info.min if sign > 0 else info.max


def _monoid(computation, init, dtype) -> str | None:
    """Which primitive does the same, for an initial value that is known."""
    if isinstance(init, _dispatch.Tracer) or np.shape(init) != ():
        return None
    value = np.asarray(init)
    if computation is add and dtype != np.bool_ and value == 0:
        return "sum"
    if dtypes.issubdtype(dtype, np.complexfloating):
        return None
    if computation is max and value == _lowest(dtype, 1):
        return "max"
    if computation is min and value == _lowest(dtype, -1):
        return "min"
    if dtype == np.bool_:
        if computation is bitwise_or and not value:
            return "max"
        if computation is bitwise_and and value:
            return "min"
    return None


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
):
    """Combines the elements of every window.

    Args:
      operand: an array, or a tree of arrays of one shape.
      init_value: a scalar for each array; padding has this value.
      computation: an associative function of two values (two trees).
      window_dimensions, window_strides, padding, base_dilation,
        window_dilation: one entry per dimension; padding may be "SAME",
        "VALID".
    """
    operands, tree = tree_util.tree_flatten(operand)
    inits, init_tree = tree_util.tree_flatten(init_value)
    if tree != init_tree:
        raise ValueError(
            "Operands must have the same tree structure as init_values: "
            f"{tree} vs. {init_tree}"
        )
    if not operands:
        raise ValueError("reduce_window must have at least one operand.")
    operands = [_dispatch.to_array(x) for x in operands]
    if any(map(np.shape, inits)):
        raise TypeError(
            "reduce_window expected init_values to be scalars but init_values "
            f"have shapes {[np.shape(i) for i in inits]}."
        )
    rank = operands[0].ndim
    window = tuple([operator.index(d) for d in window_dimensions])
    ones = (1,) * len(window)

    def given(values):
        if values is None:
            return ones
        return tuple([operator.index(v) for v in values])

    strides, base = given(window_strides), given(base_dilation)
    dilation = given(window_dilation)
    if len(window) != rank:
        raise ValueError(
            "reduce_window got window_dimensions of length "
            f"{len(window)} for an operand of shape {operands[0].shape}"
        )
    if isinstance(padding, str):
        size = [_dilated(w, d) for w, d in zip(window, dilation, strict=True)]
        padding = padtype_to_pads(operands[0].shape, size, strides, padding)
    padding = [(operator.index(lo), operator.index(hi)) for lo, hi in padding]
    if len(operands) == 1:
        kind = _monoid(computation, inits[0], operands[0].dtype)
        if kind:
            out = _core.reduce_window(
                operands[0], kind, window, strides, padding, base, dilation
            )
            return tree_util.tree_unflatten(tree, [out])
    return _folded(
        operands,
        inits,
        tree,
        computation,
        window,
        strides,
        padding,
        base,
        dilation,
    )


def _folded(
    operands, inits, tree, computation, window, strides, padding, base, dilation
):
    """Any computation: the elements of all windows at once, one place in the
    window after another."""
    inits = [
        _core.convert(_dispatch.to_array(i), x.dtype, False)
        for i, x in zip(inits, operands, strict=True)
    ]
    config = [
        (lo, hi, b - 1) for (lo, hi), b in zip(padding, base, strict=True)
    ]
    padded = [
        _core.pad(x, i, config) for x, i in zip(operands, inits, strict=True)
    ]
    counts = [
        _strided(n, _dilated(w, d), s)
        for n, w, d, s in zip(
            padded[0].shape, window, dilation, strides, strict=True
        )
    ]
    if not all(counts):
        out = [
            _core.full(counts, i, x.dtype, False)
            for i, x in zip(inits, operands, strict=True)
        ]
        return tree_util.tree_unflatten(tree, out)

    def at(place):
        start = [k * d for k, d in zip(place, dilation, strict=True)]
        stop = [
            b + (n - 1) * s + 1
            for b, n, s in zip(start, counts, strides, strict=True)
        ]
        return [_core.slice(x, start, stop, strides) for x in padded]

    def combine(x, y):
        x, y = (tree_util.tree_unflatten(tree, v) for v in (x, y))
        out, out_tree = tree_util.tree_flatten(computation(x, y))
        if out_tree != tree:
            raise ValueError(
                "reduce_window output must have the same tree structure as the "
                f"operands {tree} vs. {out_tree}"
            )
        return out

    first = [_core.broadcast_in_dim(i, counts, ()) for i in inits]
    places = itertools.product(*[range(w) for w in window])
    out = functools.reduce(combine, (at(p) for p in places), first)
    return tree_util.tree_unflatten(tree, out)


def reduce_window_shape_tuple(
    operand_shape,
    window_dimensions,
    window_strides,
    padding,
    base_dilation=None,
    window_dilation=None,
):
    """The shape of a reduce_window."""
    shape = list(operand_shape)
    if base_dilation is not None:
        shape = [
            _dilated(n, d) for n, d in zip(shape, base_dilation, strict=True)
        ]
    window = list(window_dimensions)
    if window_dilation is not None:
        window = [
            _dilated(n, d) for n, d in zip(window, window_dilation, strict=True)
        ]
    return tuple(
        [
            _strided(n + lo + hi, w, s)
            for n, (lo, hi), w, s in zip(
                shape, padding, window, window_strides, strict=True
            )
        ]
    )
