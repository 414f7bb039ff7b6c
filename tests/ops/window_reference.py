"""XLA's definitions of gather and scatter, in NumPy loops."""

from __future__ import annotations

import itertools

import numpy as np


def _starts(indices, at, sizes, shape, mapped, batching, mode):
    """The corner of one window in the operand, or None if it is outside."""
    corner = [0] * len(shape)
    vector = indices[at]
    for i, d in enumerate(mapped):
        corner[d] = int(vector[i])
    for d, k in batching:
        corner[d] = at[k]
    for d, n in enumerate(shape):
        high = n - sizes[d]
        if mode == "clip":
            corner[d] = min(max(corner[d], 0), high)
        elif not 0 <= corner[d] <= high:
            return None
    return corner


def gather(x, indices, dims, sizes, mode="fill", fill=None):
    """dims: a GatherDimensionNumbers-like object."""
    batch_shape = indices.shape[:-1]
    offset = list(dims.offset_dims)
    rank = len(batch_shape) + len(offset)
    batch_axes = [d for d in range(rank) if d not in offset]
    gone = {*dims.collapsed_slice_dims, *dims.operand_batching_dims}
    kept = [d for d in range(x.ndim) if d not in gone]
    shape = [0] * rank
    for axis, n in zip(batch_axes, batch_shape, strict=True):
        shape[axis] = n
    for axis, d in zip(offset, kept, strict=True):
        shape[axis] = sizes[d]
    batching = list(
        zip(
            dims.operand_batching_dims,
            dims.start_indices_batching_dims,
            strict=True,
        )
    )
    out = np.full(shape, fill, x.dtype)
    for at in itertools.product(*map(range, batch_shape)):
        corner = _starts(
            indices, at, sizes, x.shape, dims.start_index_map, batching, mode
        )
        if corner is None:
            continue
        window = x[
            tuple(slice(c, c + n) for c, n in zip(corner, sizes, strict=True))
        ]
        target = [slice(None)] * rank
        for axis, i in zip(batch_axes, at, strict=True):
            target[axis] = i
        out[tuple(target)] = window.reshape([sizes[d] for d in kept])
    return out


def scatter(x, indices, updates, dims, combine, mode="fill"):
    """dims: a ScatterDimensionNumbers-like object; combine(old, update)."""
    out = x.copy()
    batch_shape = indices.shape[:-1]
    window_axes = list(dims.update_window_dims)
    batch_axes = [d for d in range(updates.ndim) if d not in window_axes]
    gone = {*dims.inserted_window_dims, *dims.operand_batching_dims}
    kept = [d for d in range(x.ndim) if d not in gone]
    sizes = [1] * x.ndim
    for axis, d in zip(window_axes, kept, strict=True):
        sizes[d] = updates.shape[axis]
    batching = list(
        zip(
            dims.operand_batching_dims,
            dims.scatter_indices_batching_dims,
            strict=True,
        )
    )
    for at in itertools.product(*map(range, batch_shape)):
        corner = _starts(
            indices,
            at,
            sizes,
            x.shape,
            dims.scatter_dims_to_operand_dims,
            batching,
            mode,
        )
        if corner is None:
            continue
        source = [slice(None)] * updates.ndim
        for axis, i in zip(batch_axes, at, strict=True):
            source[axis] = i
        where = tuple(
            slice(c, c + n) for c, n in zip(corner, sizes, strict=True)
        )
        window = updates[tuple(source)].reshape(sizes)
        with np.errstate(all="ignore"):
            out[where] = combine(out[where], window)
    return out
