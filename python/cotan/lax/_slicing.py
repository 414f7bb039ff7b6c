"""Slices, windows at positions known at run time, gather and scatter."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan.lax._elementwise import add, lt, select
from cotan.lax._types import (
    GatherDimensionNumbers,
    GatherScatterMode,
    ScatterDimensionNumbers,
    canonical_axis,
    canonical_shape,
    core_mode,
    ndim_of,
    shape_of,
)

__all__ = [
    "dynamic_index_in_dim",
    "dynamic_slice",
    "dynamic_slice_in_dim",
    "dynamic_update_index_in_dim",
    "dynamic_update_slice",
    "dynamic_update_slice_in_dim",
    "gather",
    "index_in_dim",
    "index_take",
    "scatter",
    "scatter_add",
    "scatter_apply",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_sub",
    "slice",
    "slice_in_dim",
]


def _static(indices) -> tuple[int, ...]:
    return tuple([operator.index(i) for i in indices])


def slice(operand, start_indices, limit_indices, strides=None):
    """operand[start:limit:stride] in every dimension; no negative numbers."""
    return _core.slice(
        operand,
        _static(start_indices),
        _static(limit_indices),
        () if strides is None else _static(strides),
    )


def slice_in_dim(
    operand,
    start_index: int | None,
    limit_index: int | None,
    stride: int = 1,
    axis: int = 0,
):
    """operand[start:limit:stride] along `axis`; negative indices count from
    the end."""
    operand = _dispatch.to_array(operand)
    axis = canonical_axis(axis, operand.ndim)
    n = operand.shape[axis]
    start = 0 if start_index is None else operator.index(start_index)
    limit = n if limit_index is None else operator.index(limit_index)
    start = start + n if start < 0 else start
    limit = limit + n if limit < 0 else limit
    starts, limits = [0] * operand.ndim, list(operand.shape)
    strides = [1] * operand.ndim
    starts[axis], limits[axis] = start, limit
    strides[axis] = operator.index(stride)
    return _core.slice(operand, starts, limits, strides)


def index_in_dim(operand, index: int, axis: int = 0, keepdims: bool = True):
    """operand[index] along `axis`."""
    operand = _dispatch.to_array(operand)
    axis = canonical_axis(axis, operand.ndim)
    n = operand.shape[axis]
    i = operator.index(index)
    if not -n <= i < n:
        raise IndexError(
            f"index {i} is out of bounds for axis {axis} with size {n}"
        )
    i = i + n if i < 0 else i
    y = _core.slice_axis(operand, axis, i, i + 1)
    return y if keepdims else _core.squeeze(y, (axis,))


# ---- windows at run time


def _starts(start_indices, ndim: int) -> list:
    """Scalars of one integer type, from a sequence or a vector."""
    if isinstance(start_indices, (tuple, list)):
        starts = [_dispatch.to_array(i) for i in start_indices]
    else:
        v = _dispatch.to_array(start_indices)
        if v.ndim != 1:
            raise TypeError(
                "start_indices must be a vector or a sequence of scalars, got "
                f"shape {v.shape}"
            )
        starts = [
            _core.squeeze(_core.slice_axis(v, 0, i, i + 1), (0,))
            for i in range(v.shape[0])
        ]
    strong = {s.dtype for s in starts if not s.weak_type}
    if len(strong) == 1:
        (dtype,) = strong
        starts = [
            _core.convert(s, dtype, False)
            if s.weak_type and dtypes.issubdtype(s.dtype, np.integer)
            else s
            for s in starts
        ]
    return starts


def _from_the_end(starts, shape, allowed) -> tuple[list, bool]:
    """Starts of which only some count from the end where they are negative:
    those are moved here, and none in the primitive."""
    if np.ndim(allowed) == 0:
        return starts, bool(allowed)
    allowed = [bool(a) for a in allowed]
    if len(allowed) != len(starts):
        raise ValueError(
            f"allow_negative_indices has {len(allowed)} entries for "
            f"{len(starts)} indices"
        )
    if len(set(allowed)) == 1:
        return starts, allowed[0]

    def moved(start, size):
        size = _core.full((), size, start.dtype, False)
        return select(lt(start, 0), add(start, size), start)

    return [
        moved(s, n)
        if a and not dtypes.issubdtype(s.dtype, np.unsignedinteger)
        else s
        for s, n, a in zip(starts, shape, allowed, strict=True)
    ], False


def dynamic_slice(
    operand, start_indices, slice_sizes, *, allow_negative_indices=True
):
    """The window of shape slice_sizes whose first element is at
    start_indices; negative starts count from the end, and a window that does
    not fit is moved to where it does."""
    operand = _dispatch.to_array(operand)
    starts, negative = _from_the_end(
        _starts(start_indices, operand.ndim),
        operand.shape,
        allow_negative_indices,
    )
    return _core.dynamic_slice(
        operand, starts, canonical_shape(slice_sizes), negative
    )


def dynamic_slice_in_dim(
    operand,
    start_index,
    slice_size: int,
    axis: int = 0,
    *,
    allow_negative_indices=True,
):
    """`dynamic_slice` along one axis."""
    operand = _dispatch.to_array(operand)
    axis = canonical_axis(axis, operand.ndim)
    sizes = list(operand.shape)
    sizes[axis] = operator.index(slice_size)
    return _core.dynamic_slice(
        operand,
        _one_start(operand, start_index, axis),
        sizes,
        bool(allow_negative_indices),
    )


def dynamic_index_in_dim(
    operand,
    index,
    axis: int = 0,
    keepdims: bool = True,
    *,
    allow_negative_indices=True,
):
    """operand[index] along `axis`, the index clamped into range."""
    y = dynamic_slice_in_dim(
        operand, index, 1, axis, allow_negative_indices=allow_negative_indices
    )
    if keepdims:
        return y
    return _core.squeeze(y, (canonical_axis(axis, y.ndim),))


def dynamic_update_slice(
    operand, update, start_indices, *, allow_negative_indices=True
):
    """operand with `update` written at start_indices (as in
    dynamic_slice)."""
    operand = _dispatch.to_array(operand)
    starts, negative = _from_the_end(
        _starts(start_indices, operand.ndim),
        operand.shape,
        allow_negative_indices,
    )
    return _core.dynamic_update_slice(operand, update, starts, negative)


def dynamic_update_slice_in_dim(
    operand, update, start_index, axis: int, *, allow_negative_indices=True
):
    """`dynamic_update_slice` along one axis."""
    operand = _dispatch.to_array(operand)
    axis = canonical_axis(axis, operand.ndim)
    return _core.dynamic_update_slice(
        operand,
        update,
        _one_start(operand, start_index, axis),
        bool(allow_negative_indices),
    )


def dynamic_update_index_in_dim(
    operand, update, index, axis: int, *, allow_negative_indices=True
):
    """operand with `update` (with or without the axis) at operand[index]."""
    operand = _dispatch.to_array(operand)
    axis = canonical_axis(axis, operand.ndim)
    if ndim_of(update) != operand.ndim:
        update = _core.expand_dims(update, (axis,))
    return dynamic_update_slice_in_dim(
        operand,
        update,
        index,
        axis,
        allow_negative_indices=allow_negative_indices,
    )


def _one_start(operand, index, axis: int) -> list:
    index = _dispatch.to_array(index)
    if index.ndim != 0:
        raise TypeError(
            f"[dynamic_slice] the index must be a scalar, got {index.shape}"
        )
    zero = _core.full((), 0, index.dtype, index.weak_type)
    return [index if d == axis else zero for d in range(operand.ndim)]


# ---- gather and scatter


def gather(
    operand,
    start_indices,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes,
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: GatherScatterMode | str | None = None,
    fill_value=None,
):
    """One window of slice_sizes per index vector (the last dimension of
    start_indices).

    Windows that lie outside are an error of the caller unless `mode` says
    otherwise (they are moved inside); with mode "fill" they hold `fill_value`,
    by default nan, the lowest signed or the highest unsigned integer. XLA's
    gather.
    """
    d = dimension_numbers
    return _core.gather(
        operand,
        start_indices,
        tuple(d.offset_dims),
        tuple(d.collapsed_slice_dims),
        tuple(d.start_index_map),
        tuple(d.operand_batching_dims),
        tuple(d.start_indices_batching_dims),
        canonical_shape(slice_sizes),
        core_mode("promise_in_bounds" if mode is None else mode),
        bool(indices_are_sorted),
        bool(unique_indices),
        fill_value,
    )


def _scatter(kind, name, what):
    def function(
        operand,
        scatter_indices,
        updates,
        dimension_numbers: ScatterDimensionNumbers,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: GatherScatterMode | str | None = None,
    ):
        d = dimension_numbers
        return _core.scatter(
            kind,
            operand,
            scatter_indices,
            updates,
            tuple(d.update_window_dims),
            tuple(d.inserted_window_dims),
            tuple(d.scatter_dims_to_operand_dims),
            tuple(d.operand_batching_dims),
            tuple(d.scatter_indices_batching_dims),
            core_mode(mode),
            bool(indices_are_sorted),
            bool(unique_indices),
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"operand with one window of `updates` {what} at each index vector "
        "(the last dimension of scatter_indices), in order. XLA's scatter."
    )
    return function


scatter = _scatter("set", "scatter", "written")
scatter_add = _scatter("add", "scatter_add", "added")
scatter_sub = _scatter("sub", "scatter_sub", "subtracted")
scatter_mul = _scatter("mul", "scatter_mul", "multiplied in")
scatter_min = _scatter("min", "scatter_min", "combined by minimum")
scatter_max = _scatter("max", "scatter_max", "combined by maximum")


def scatter_apply(
    operand,
    scatter_indices,
    func: Callable,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape=(),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: GatherScatterMode | str | None = None,
):
    """operand with func applied to the windows at scatter_indices, as often
    as an element is in one of them.

    update_shape: the shape that updates would have.
    """
    operand = _dispatch.to_array(operand)
    d = dimension_numbers
    removed = {*d.inserted_window_dims, *d.operand_batching_dims}
    window = iter([update_shape[i] for i in d.update_window_dims])
    sizes = [1 if a in removed else next(window) for a in range(operand.ndim)]
    numbers = GatherDimensionNumbers(
        tuple(d.update_window_dims),
        tuple(d.inserted_window_dims),
        tuple(d.scatter_dims_to_operand_dims),
        tuple(d.operand_batching_dims),
        tuple(d.scatter_indices_batching_dims),
    )
    options = {
        "indices_are_sorted": indices_are_sorted,
        "unique_indices": unique_indices,
    }

    def once(x):
        windows = gather(
            x,
            scatter_indices,
            numbers,
            sizes,
            mode="fill" if mode is None else mode,
            **options,
        )
        return scatter(
            x, scatter_indices, func(windows), d, mode=mode, **options
        )

    most = int(np.prod(shape_of(scatter_indices)[:-1], dtype=int))
    if unique_indices or most <= 1:
        return once(operand)
    from cotan import lax, numpy

    count = scatter_add(
        _core.full(operand.shape, 0, np.dtype("int32"), False),
        scatter_indices,
        _core.full(tuple(update_shape), 1, np.dtype("int32"), False),
        d,
        mode=mode,
        **options,
    )

    def again(x):
        def body(k, x):
            return numpy.where(count > k, once(x), x)

        return lax.fori_loop(0, most, body, x)

    return lax.cond(count.max() > 1, again, once, operand)


def index_take(src, idxs, axes: Sequence[int]):
    """src[..., idxs[0], ..., idxs[1], ...] for index vectors `idxs` at
    `axes`: shape [number of indices, the other axes]."""
    src = _dispatch.to_array(src)
    columns = [_core.expand_dims(i, (ndim_of(i),)) for i in idxs]
    indices = _core.concatenate(columns, ndim_of(columns[0]) - 1)
    axes = tuple(axes)
    sizes = [1 if d in axes else n for d, n in enumerate(shape_of(src))]
    numbers = GatherDimensionNumbers(
        offset_dims=tuple(range(1, src.ndim - len(axes) + 1)),
        collapsed_slice_dims=axes,
        start_index_map=axes,
    )
    return gather(src, indices, numbers, sizes, mode="clip")
