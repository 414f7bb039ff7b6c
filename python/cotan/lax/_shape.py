"""Functions that make arrays or change their shape."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src.devices import placed
from cotan.lax._types import (
    canonical_axis,
    canonical_shape,
    ndim_of,
    shape_of,
    sized,
    static_int,
    user_dtype,
)

__all__ = [
    "broadcast",
    "broadcast_in_dim",
    "broadcast_like",
    "broadcast_to_rank",
    "broadcasted_iota",
    "collapse",
    "concatenate",
    "empty",
    "expand_dims",
    "full",
    "full_like",
    "iota",
    "pad",
    "reshape",
    "rev",
    "shape_as_value",
    "split",
    "squeeze",
    "stack",
    "tile",
    "transpose",
    "unstack",
]


def full(shape, fill_value, dtype=None, *, sharding=None):
    """An array of `shape` whose elements are `fill_value` (a scalar); without
    `dtype`, a Python scalar gives a weakly typed array."""
    shape = canonical_shape(shape)
    if shape_of(fill_value):
        raise TypeError(
            "full must be called with scalar fill_value, got fill_value.shape "
            f"{shape_of(fill_value)}."
        )
    weak = False
    if dtype is None:
        dtype, _, weak = _dispatch.aval_of(fill_value)
    else:
        dtype = user_dtype(dtype, "full")
        fill_value = sized(fill_value, dtype)
    return placed(_core.full(shape, fill_value, dtype, weak), sharding)


def empty(shape, dtype, *, out_sharding=None):
    """An array of unspecified values (zeros)."""
    return full(shape, 0, dtype, sharding=out_sharding)


def full_like(x, fill_value, dtype=None, shape=None, sharding=None):
    """`full` with the shape and dtype of x where they are not given."""
    x_dtype, x_shape, x_weak = (
        _dispatch.aval_of(x)
        if _dispatch.is_array(x)
        else (x.dtype, x.shape, getattr(x, "weak_type", False))
    )
    shape = x_shape if shape is None else canonical_shape(shape)
    weak = x_weak and dtype is None
    dtype = x_dtype if dtype is None else user_dtype(dtype, "full_like")
    y = _core.full(shape, sized(fill_value, dtype), dtype, weak)
    return placed(y, sharding)


def iota(dtype, size: int):
    """0, 1, ..., size - 1."""
    return broadcasted_iota(dtype, (size,), 0)


def broadcasted_iota(dtype, shape, dimension: int, *, out_sharding=None):
    """An array of `shape` that counts along `dimension`."""
    x = _core.iota(
        user_dtype(dtype, "iota"),
        canonical_shape(shape),
        static_int(dimension, "dimension argument of lax.broadcasted_iota"),
    )
    return placed(x, out_sharding)


# ---- broadcasting


def broadcast_in_dim(
    operand, shape, broadcast_dimensions: Sequence[int], *, out_sharding=None
):
    """operand stretched to `shape`; its dimension i becomes dimension
    broadcast_dimensions[i] (ascending) of the result."""
    return _core.broadcast_in_dim(
        operand, canonical_shape(shape), tuple(broadcast_dimensions)
    )


def broadcast(operand, sizes: Sequence[int], *, out_sharding=None):
    """Adds leading dimensions of these sizes."""
    sizes, shape = tuple(sizes), shape_of(operand)
    n = len(sizes)
    return broadcast_in_dim(operand, sizes + shape, range(n, n + len(shape)))


def broadcast_like(arr, like_arr):
    """arr stretched to the shape of like_arr."""
    return _core.broadcast_to(arr, shape_of(like_arr))


def broadcast_to_rank(x, rank: int):
    """x with leading dimensions of size 1 added."""
    return broadcast(x, (1,) * (rank - ndim_of(x)))


# ---- shape


def reshape(
    operand,
    new_sizes,
    dimensions: Sequence[int] | None = None,
    *,
    out_sharding=None,
):
    """operand in another shape of the same size, in row-major order after
    its dimensions are permuted by `dimensions`."""
    if dimensions is not None:
        operand = _core.transpose(operand, tuple(dimensions))
    return _core.reshape(operand, canonical_shape(new_sizes))


def collapse(operand, start_dimension: int, stop_dimension: int | None = None):
    """Merges the dimensions of a range into one."""
    shape = shape_of(operand)
    lo, hi, _ = builtins.slice(start_dimension, stop_dimension).indices(
        len(shape)
    )
    if hi < lo:
        raise ValueError(
            f"Invalid dimension range passed to collapse: {shape}"
            f"[{start_dimension}:{stop_dimension}]"
        )
    size = math.prod(shape[lo:hi])
    return _core.reshape(operand, (*shape[:lo], size, *shape[hi:]))


def squeeze(array, dimensions: Sequence[int]):
    """Removes dimensions of size 1."""
    ndim = ndim_of(array)
    dims = [canonical_axis(d, ndim) for d in dimensions]
    if len(set(dims)) != len(dims):
        raise ValueError(f"dimensions are not unique: {tuple(dims)}")
    return _core.squeeze(array, dims)


def expand_dims(array, dimensions: Sequence[int]):
    """Adds dimensions of size 1; `dimensions` count in the result."""
    dimensions = tuple(dimensions)
    ndim = ndim_of(array) + len(dimensions)
    dims = [canonical_axis(d, ndim) for d in dimensions]
    if len(set(dims)) != len(dims):
        raise ValueError(f"repeated axis in lax.expand_dims: {dimensions}")
    return _core.expand_dims(array, dims)


def transpose(operand, permutation):
    """Dimension i of the result is dimension permutation[i] of operand."""
    return _core.transpose(operand, [int(p) for p in permutation])


def rev(operand, dimensions: Sequence[int]):
    """Reverses the order along `dimensions`."""
    return _core.rev(operand, tuple(dimensions))


def tile(operand, reps: Sequence[int]):
    """operand repeated reps[i] times along dimension i."""
    shape, reps = shape_of(operand), tuple(reps)
    if len(reps) != len(shape):
        raise ValueError(
            f"[tile] needs one number per dimension of {shape}, got {reps}"
        )
    spread = tuple(
        [d for r, s in zip(reps, shape, strict=True) for d in (r, s)]
    )
    y = _core.broadcast_in_dim(operand, spread, range(1, 2 * len(shape), 2))
    return _core.reshape(y, [r * s for r, s in zip(reps, shape, strict=True)])


def pad(operand, padding_value, padding_config):
    """operand with (low, high, interior) elements of padding_value added per
    dimension; negative low and high remove elements."""
    have, want = (_dispatch.aval_of(v)[0] for v in (padding_value, operand))
    if have != want:
        raise TypeError(
            "[pad] pad operand and padding_value must be same dtype: got "
            f"{want.name} and {have.name}."
        )
    return _core.pad(operand, padding_value, list(padding_config))


# ---- joining and splitting


def concatenate(operands, dimension: int):
    """Arrays joined along an existing dimension."""
    operands = list(operands)
    if not operands:
        raise ValueError("concatenate requires a non-empty sequences of arrays")
    return _core.concatenate(operands, dimension)


def stack(operands, axis: int = 0):
    """Arrays of one shape joined along a new dimension."""
    arrays = [_dispatch.to_array(x) for x in operands]
    if not arrays:
        raise ValueError("stack requires at least one array")
    axis = canonical_axis(axis, arrays[0].ndim + 1)
    return _core.concatenate(
        [_core.expand_dims(x, (axis,)) for x in arrays], axis
    )


def split(operand, sizes: Sequence[int], axis: int = 0):
    """Pieces of the given sizes, in order, along `axis`."""
    operand = _dispatch.to_array(operand)
    axis = canonical_axis(axis, operand.ndim)
    sizes = [int(s) for s in sizes]
    if any(s < 0 for s in sizes):
        raise ValueError(
            f"Sizes passed to split must be nonnegative, got {sizes}"
        )
    if sum(sizes) != operand.shape[axis]:
        raise ValueError(
            f"Sum of sizes {sum(sizes)} must be equal to dimension {axis} of "
            f"the operand shape {list(operand.shape)}"
        )
    pieces, at = [], 0
    for n in sizes:
        pieces.append(_core.slice_axis(operand, axis, at, at + n))
        at += n
    return pieces


def unstack(x, axis: int = 0):
    """The arrays x[0], x[1], ... along `axis`, which is removed."""
    x = _dispatch.to_array(x)
    axis = canonical_axis(axis, x.ndim)
    return tuple(
        [
            _core.squeeze(_core.slice_axis(x, axis, i, i + 1), (axis,))
            for i in range(x.shape[axis])
        ]
    )


def shape_as_value(shape):
    """A shape as an integer array."""
    return _dispatch.to_array(
        np.asarray(canonical_shape(shape), dtypes.canonicalize_dtype(np.int64))
    )
