"""Functions of integer and boolean index arrays: where, take, nonzero, ..."""

from __future__ import annotations

import math
import operator

import numpy as np

from cotan import _core, _dispatch, dtypes, errors
from cotan._dispatch import Array
from cotan._src.avals import keeps_weak
from cotan.lax._types import sized
from cotan.numpy.reductions import _axes

_operand = _core.np_operand


def _static_size(x, name):
    """The concrete array, or the error that asks for `size`."""
    value = _dispatch.concrete_or_none(x)
    if value is None:
        raise errors.ConcretizationTypeError(
            f"The size argument of cotan.numpy.{name} must be statically "
            f"specified to use cotan.numpy.{name} within transformations: the "
            f"shape of the result depends on the values of the array."
        )
    return value


def where(condition, x=None, y=None, /, *, size=None, fill_value=None):
    """Elements of x where the condition holds, of y elsewhere.

    With one argument: `nonzero`. Gradients flow through the chosen branch;
    a nan or inf derivative of the other one still gives nan.
    """
    if x is None and y is None:
        return nonzero(
            _operand(condition, "where", 0), size=size, fill_value=fill_value
        )
    if size is not None or fill_value is not None:
        raise ValueError(
            "size and fill_value arguments cannot be used in three-term where "
            "function."
        )
    return _core.where(
        _operand(condition, "where", 0),
        _operand(x, "where", 1),
        _operand(y, "where", 2),
    )


def nonzero(a, *, size=None, fill_value=None):
    """Indices of the elements that are not zero, one array per axis.

    Args:
      size: static number of results, needed under transformations.
      fill_value: of results beyond the last (default 0).
    """
    a = _operand(a, "nonzero", 0)
    if a.ndim == 0:
        raise ValueError(
            "Calling nonzero on 0d arrays is not allowed. Use "
            "cotan.numpy.atleast_1d(scalar).nonzero() instead."
        )
    mask = a if a.dtype == bool else a != 0
    if size is None:
        return tuple(_core.nonzero(_static_size(mask, "nonzero")))
    size = operator.index(size)
    n = a.size
    if n == 0 or size == 0:
        zero = _core.np_full((size,), 0, int, "nonzero")
        return (zero,) * a.ndim
    # The k-th true element is the first whose running count exceeds k.
    flat = mask.reshape(-1)
    count = _core.np_cumulative("sum", flat, 0, int, False)
    hits = (
        _core.np_full((size,), 0, int, "nonzero").at[count].add(1, mode="drop")
    )
    at = _core.np_cumulative("sum", hits, 0, None, False)
    found = count[-1]
    valid = _core.iota(int, (size,), 0) < found
    out, rest = [], at
    fills = (
        fill_value
        if isinstance(fill_value, tuple)
        else ((fill_value,) * a.ndim)
    )
    stride = n
    for d, fill in zip(a.shape, fills, strict=True):
        stride //= d
        index = rest // stride
        rest = rest % stride
        fill = 0 if fill is None else fill
        out.append(
            _core.where(valid, index, _core.np_astype(fill, index.dtype))
        )
    return tuple(out)


def flatnonzero(a, *, size=None, fill_value=None):
    """`nonzero` of the raveled array."""
    a = _core.np_ravel(_operand(a, "flatnonzero", 0), False)
    return nonzero(a, size=size, fill_value=fill_value)[0]


def argwhere(a, *, size=None, fill_value=None):
    """`nonzero` as rows of a matrix."""
    a = _operand(a, "argwhere", 0)
    if a.ndim == 0:
        n = int(bool(a)) if size is None else size
        return _core.np_full((n, 0), 0, int, "argwhere")
    return _core.np_stack(nonzero(a, size=size, fill_value=fill_value), -1)


def _integer_indices(name, indices):
    indices = _operand(indices, name, 1)
    if not dtypes.issubdtype(indices.dtype, np.integer):
        raise TypeError(
            f"{name} indices must be of integer type, got {indices.dtype}"
        )
    return indices


def take(
    a,
    indices,
    axis=None,
    out=None,
    mode=None,
    unique_indices=False,
    indices_are_sorted=False,
    fill_value=None,
):
    """Elements along an axis (of the raveled array by default).

    Args:
      mode: "fill" (default; nan, or the lowest integer, outside), "clip" or
        "wrap".
    """
    if out is not None:
        raise NotImplementedError(
            "The 'out' argument to cotan.numpy.take is not supported."
        )
    a = _operand(a, "take", 0)
    indices = _operand(indices, "take", 1)
    if not dtypes.issubdtype(indices.dtype, np.integer):
        raise ValueError("indices must have an integer type")
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    axis = _axes(operator.index(axis), a.ndim)[0]
    n = a.shape[axis]
    if mode in (None, "fill"):
        mode = "fill"
        indices = _core.wrap_indices(indices, n)
    elif mode == "wrap":
        indices = indices % n if n else indices
        mode = "promise_in_bounds"
    elif mode == "raise":
        raise NotImplementedError(
            "The 'raise' mode to cotan.numpy.take is not supported."
        )
    elif mode != "clip":
        raise ValueError(f"Invalid mode '{mode}' for np.take")
    shape = a.shape[:axis] + indices.shape + a.shape[axis + 1 :]
    if n == 0 and indices.size:
        raise IndexError("Cannot do a non-empty jnp.take() from an empty axis.")
    if 0 in shape:
        return _core.np_full(shape, False, a.dtype, "take")
    fill_value = sized(fill_value, a.dtype)
    return _core.take(
        a, indices, axis, mode, fill_value, indices_are_sorted, unique_indices
    )


def take_along_axis(
    arr,
    indices,
    axis=-1,
    mode=None,
    fill_value=None,
    *,
    wrap_negative_indices=None,
):
    """Elements along an axis, by an index array of the same rank."""
    a = _operand(arr, "take_along_axis", 0)
    indices = _integer_indices("take_along_axis", indices)
    if axis is None:
        if indices.ndim != 1:
            raise ValueError(
                "take_along_axis indices must be 1D if axis=None, got shape "
                f"{indices.shape}"
            )
        a, axis = _core.np_ravel(a, False), 0
    if a.ndim != indices.ndim:
        raise ValueError(
            "indices and arr must have the same number of dimensions; "
            f"{indices.ndim} vs. {a.ndim}"
        )
    axis = _axes(axis, a.ndim)[0]
    n = a.shape[axis]
    shape = tuple(
        j if i == axis or k == 1 else k
        for i, (k, j) in enumerate(zip(a.shape, indices.shape, strict=True))
    )
    if n == 0 or 0 in shape:
        return _core.np_full(shape, False, a.dtype, "take_along_axis")
    if wrap_negative_indices is None:
        wrap_negative_indices = mode != "promise_in_bounds"
    if wrap_negative_indices:
        indices = _core.wrap_indices(indices, n)
    if _is_one_hot(mode):
        return _take_one_hot(a, indices, axis)
    return _core.take_along_axis(
        a,
        indices,
        axis,
        "fill" if mode is None else mode,
        fill_value,
        False,
        False,
    )


def _is_one_hot(mode):
    return mode == "one_hot" or getattr(mode, "name", None) == "ONE_HOT"


def _take_one_hot(a, indices, axis):
    """A product with rows of an identity matrix; 0 for what lies outside."""
    n = a.shape[axis]
    a = _core.np_moveaxis(a, axis, -1)
    i = _core.np_moveaxis(indices, axis, -1)[..., None]
    hot = i == _core.iota(i.dtype, (1,) * (i.ndim - 1) + (n,), i.ndim - 1)
    out = _core.np_matmul(hot.astype(a.dtype), a[..., None], "highest", None)
    return _core.np_moveaxis(out[..., 0], -1, axis)


def put_along_axis(arr, indices, values, axis, inplace=True, *, mode=None):
    """`arr` with values at `indices` along an axis; pass inplace=False."""
    from cotan.numpy.creation import indices as grid

    if inplace:
        raise ValueError(
            "cotan.numpy.put_along_axis cannot modify arrays in-place, "
            "because arrays are immutable. Pass inplace=False to instead "
            "return an updated array."
        )
    a = _operand(arr, "put_along_axis", 0)
    indices = _operand(indices, "put_along_axis", 1)
    shape = a.shape
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    if a.ndim != indices.ndim:
        raise ValueError(
            "put_along_axis arguments 'arr' and 'indices' must have same "
            f"ndim. Got {a.ndim=} and {indices.ndim=}."
        )
    axis = _axes(axis, a.ndim)[0]
    values = _core.broadcast_to(
        _operand(values, "put_along_axis", 2), indices.shape
    )
    index = list(grid(indices.shape, sparse=True))
    index[axis] = indices
    return a.at[tuple(index)].set(values, mode=mode).reshape(shape)


def _update_only(name, inplace):
    if inplace:
        raise ValueError(
            f"cotan.numpy.{name} cannot modify arrays in-place, because "
            "arrays are immutable. Pass inplace=False to instead return an "
            "updated array."
        )


def put(a, ind, v, mode=None, *, inplace=True):
    """`a` with v at flat indices; pass inplace=False."""
    _update_only("put", inplace)
    a = _operand(a, "put", 0)
    ind = _core.np_ravel(_operand(ind, "put", 1), False)
    v = _core.np_ravel(_operand(v, "put", 2), False)
    if not a.size or not ind.size or not v.size:
        return a
    v = _core.np_tile(v, -(-ind.size // v.size))[: ind.size]
    if mode == "clip":
        ind = ind.clip(0, a.size - 1)
    elif mode == "wrap":
        ind = ind % a.size
    elif mode == "raise":
        raise NotImplementedError(
            "The 'raise' mode to cotan.numpy.put is not supported."
        )
    elif mode is not None:
        raise ValueError(f"mode should be one of 'wrap' or 'clip'; got {mode=}")
    return a.reshape(-1).at[ind].set(v, mode="drop").reshape(a.shape)


def place(arr, mask, vals, *, inplace=True):
    """`arr` with vals, in order, where mask is true; pass inplace=False."""
    _update_only("place", inplace)
    a, mask = _operand(arr, "place", 0), _operand(mask, "place", 1)
    vals = _core.np_ravel(_operand(vals, "place", 2), False)
    if a.size != mask.size:
        raise ValueError("place: arr and mask must be the same size")
    if not vals.size:
        raise ValueError("Cannot place values from an empty array")
    if not a.size:
        return a
    at = nonzero(mask.reshape(-1), size=mask.size, fill_value=mask.size)[0]
    vals = _core.np_tile(vals, -(-mask.size // vals.size))[: mask.size]
    return a.reshape(-1).at[at].set(vals, mode="drop").reshape(a.shape)


def fill_diagonal(a, val, wrap=False, *, inplace=True):
    """`a` with val on its diagonal; pass inplace=False."""
    _update_only("fill_diagonal", inplace)
    if wrap:
        raise NotImplementedError(
            "wrap=True is not implemented, must be False."
        )
    a, val = _operand(a, "fill_diagonal", 0), _operand(val, "fill_diagonal", 1)
    if a.ndim < 2:
        raise ValueError("array must be at least 2-d")
    if a.ndim > 2 and len(set(a.shape)) > 1:
        raise ValueError("All dimensions of input must be of equal length")
    i = np.arange(min(a.shape), dtype=np.int32)
    val = _core.np_ravel(val, False)
    if val.size != 1:
        val = _core.np_tile(val, -(-i.size // val.size))[: i.size]
    return a.at[(i,) * a.ndim].set(val)


def diagonal(a, offset=0, axis1=0, axis2=1):
    """A diagonal of each matrix in two axes, as the last axis."""
    a = _operand(a, "diagonal", 0)
    if a.ndim < 2:
        raise ValueError(
            "diagonal requires an array of at least two dimensions."
        )
    if _axes(axis1, a.ndim) == _axes(axis2, a.ndim):
        raise ValueError(
            f"axis1 and axis2 can not be same. {axis1=} and {axis2=}"
        )
    a = _core.np_moveaxis(a, (axis1, axis2), (-2, -1))
    rows, cols = a.shape[-2:]
    offset = operator.index(offset)
    n = max(0, min(rows + min(offset, 0), cols - max(offset, 0)))
    i = np.arange(n, dtype=np.int32)
    y = a[..., i - min(0, offset), i + max(0, offset)]
    return _core.strong(y)


def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    """The sum of a diagonal."""
    if out is not None:
        raise NotImplementedError(
            "The 'out' argument to cotan.numpy.trace is not supported."
        )
    d = diagonal(a, offset, axis1, axis2)
    return _core.np_sum(d, -1, dtype, False, None, None)


def compress(condition, a, axis=None, *, size=None, fill_value=0, out=None):
    """Slices along an axis where a rank-1 condition holds."""
    cond = _operand(condition, "compress", 0)
    a = _operand(a, "compress", 1)
    if cond.ndim != 1:
        raise ValueError("condition must be a 1D array")
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    a = _core.np_moveaxis(a, axis, 0)
    n = min(cond.shape[0], a.shape[0])
    cond = cond[:n]
    if size is None:
        at = nonzero(cond)[0]
        out = _core.take(a, at, 0, "clip", None, True, True)
    else:
        at = nonzero(cond, size=size, fill_value=a.shape[0])[0]
        out = _core.take(a, at, 0, "fill", fill_value, False, False)
    return _core.np_moveaxis(out, 0, axis)


def extract(condition, arr, *, size=None, fill_value=0):
    """Elements where the condition holds, as a rank-1 array."""
    return compress(
        _core.np_ravel(_operand(condition, "extract", 0), False),
        _core.np_ravel(_operand(arr, "extract", 1), False),
        size=size,
        fill_value=fill_value,
    )


def select(condlist, choicelist, default=0):
    """The choice of the first condition that holds."""
    if len(condlist) != len(choicelist):
        raise ValueError(
            "condlist must have length equal to choicelist "
            f"({len(condlist)} vs {len(choicelist)})"
        )
    if not len(condlist):
        raise ValueError("condlist must be non-empty")
    values = _core.promote(
        "select",
        [
            *[_operand(c, "select", 1) for c in choicelist],
            _operand(default, "select", 2),
        ],
    )
    out = values[-1]
    for c, x in zip(reversed(list(condlist)), values[-2::-1], strict=True):
        out = _core.where(_operand(c, "select", 0), x, out)
    return out


def choose(a, choices, out=None, mode="raise"):
    """Elements of choices[a[...]]."""
    a = _operand(a, "choose", 0)
    if a.dtype.kind not in "iu":
        raise ValueError("`a` array must be integer typed")
    n = len(choices)
    if mode == "raise":
        if not _dispatch.is_concrete(a):
            raise errors.ConcretizationTypeError(
                "The error occurred because cotan.numpy.choose was "
                "transformed with mode='raise'. Use mode='wrap' or 'clip'."
            )
        if bool(((a < 0) | (a >= n)).any()):
            raise ValueError("invalid entry in choice array")
    elif mode == "wrap":
        a = a % n
    elif mode == "clip":
        a = a.clip(0, n - 1)
    else:
        raise ValueError(
            f"mode={mode!r} not understood. Must be 'raise', 'wrap', or 'clip'"
        )
    arrays = _core.np_broadcast_arrays(
        [a, *[_operand(c, "choose", 1) for c in choices]]
    )
    stacked = _core.np_stack(arrays[1:], 0)
    return _core.strong(take_along_axis(stacked, arrays[0][None], axis=0)[0])


def piecewise(x, condlist, funclist, *args, **kw):
    """Functions or values, each on its part of x."""
    x = _operand(x, "piecewise", 0)
    conds = [
        _operand(c, "piecewise", 1)
        for c in (
            condlist if isinstance(condlist, (list, tuple)) else list(condlist)
        )
    ]
    if len(funclist) == len(conds):
        default = 0
    elif len(funclist) == len(conds) + 1:
        default = funclist[-1]
    else:
        raise ValueError(
            f"with {len(conds)} condition(s), either {len(conds)} or "
            f"{len(conds) + 1} functions are expected; got {len(funclist)}"
        )

    def value(f):
        v = f(x, *args, **kw) if callable(f) else f
        return _core.broadcast_to(
            _core.np_astype(_operand(v, "piecewise", 2), x.dtype), x.shape
        )

    if not conds:
        raise ValueError("piecewise needs at least one condition")
    out = value(default)
    for c, f in zip(conds, funclist[: len(conds)], strict=True):
        out = _core.where(c, value(f), out)
    return out


# ---- indices


def unravel_index(indices, shape):
    """Flat indices as one index array per axis; clamped to the shape."""
    i = _operand(indices, "unravel_index", 0)
    shape = _extents(shape)
    total = 1
    for d in shape:
        total *= d
    i = i.clip(-total, total - 1)
    i = _core.where(i < 0, i + total, i)
    out = []
    for d in reversed(shape):
        out.append(i % d)
        i = i // d
    return tuple(reversed(out))


def _extents(shape):
    """Extents as a tuple of ints, or of arrays where they are arrays."""
    if isinstance(shape, (Array, np.ndarray)) and shape.ndim:
        return tuple(shape)
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return tuple(
        d if isinstance(d, (Array, np.generic)) else operator.index(d)
        for d in shape
    )


def ravel_multi_index(
    multi_index, dims, mode="raise", order="C", *, dtype=None
):
    """One index array per axis as flat indices."""
    dims = tuple(operator.index(d) for d in dims)
    index = [_operand(i, "ravel_multi_index", 0) for i in multi_index]
    if len(index) != len(dims):
        raise ValueError(
            f"len(multi_index)={len(index)} != len(dims)={len(dims)}"
        )
    for i in index:
        if i.dtype.kind not in "iu":
            raise TypeError("only int indices permitted")
    if mode == "raise":
        for i, d in zip(index, dims, strict=True):
            if not _dispatch.is_concrete(i):
                raise errors.ConcretizationTypeError(
                    "The error occurred because ravel_multi_index was "
                    "jit-compiled with mode='raise'. Use mode='wrap' or "
                    "mode='clip' instead."
                )
            if bool(((i < 0) | (i >= d)).any()):
                raise ValueError("invalid entry in coordinates array")
    elif mode == "clip":
        index = [i.clip(0, d - 1) for i, d in zip(index, dims, strict=True)]
    elif mode == "wrap":
        index = [i % d for i, d in zip(index, dims, strict=True)]
    elif mode != "ignore":
        raise ValueError(
            f"invalid mode={mode!r}. Expected 'raise', 'wrap', 'clip', or "
            "'ignore'"
        )
    if dtype is None:
        dtype = _core.result_type(tuple(index))[0] if index else int
    dtype = _core.canonical_dtype(dtype)
    if dtype.kind not in "iu" or math.prod(dims) - 1 > np.iinfo(dtype).max:
        raise ValueError(
            f"ravel_multi_index: {dtype=} does not hold the flat indices of "
            f"{dims=}. Use the dtype argument to pass one that does."
        )
    index = [_core.strong(i.astype(dtype)) for i in index]
    rank = max((i.ndim for i in index), default=0)
    index = [i.reshape((1,) * (rank - i.ndim) + i.shape) for i in index]
    pairs = list(zip(index, dims, strict=True))
    if order == "F":
        pairs.reverse()
    elif order != "C":
        raise ValueError(f"invalid order={order!r}. Expected 'C' or 'F'")
    out, stride = 0, 1
    for i, d in reversed(pairs):
        out = out + i * stride
        stride *= d
    return out


def diag_indices(n, ndim=2):
    """Indices of the diagonal of an (n, ..., n) array."""
    n = operator.index(n)
    if n < 0:
        raise ValueError(
            f"n argument to diag_indices must be nonnegative, got {n}"
        )
    return (_core.iota(int, (n,), 0),) * ndim


def diag_indices_from(arr):
    """`diag_indices` of an array whose extents are equal."""
    arr = _operand(arr, "diag_indices_from", 0)
    if arr.ndim < 2:
        raise ValueError("input array must be at least 2-d")
    if len(set(arr.shape)) != 1:
        raise ValueError("All dimensions of input must be of equal length")
    return diag_indices(arr.shape[0], arr.ndim)


def _as_arrays(indices):
    return tuple(
        _dispatch.to_array(i.astype(np.int32 if not _x64() else np.int64))
        for i in indices
    )


def _x64():
    return _core.get_config("x64")


def tril_indices(n, k=0, m=None):
    """Indices of the lower triangle of an (n, m) matrix."""
    return _as_arrays(np.tril_indices(n, k, m))


def triu_indices(n, k=0, m=None):
    """Indices of the upper triangle of an (n, m) matrix."""
    return _as_arrays(np.triu_indices(n, k, m))


def tril_indices_from(arr, k=0):
    """`tril_indices` of a matrix."""
    arr = _operand(arr, "tril_indices_from", 0)
    return tril_indices(arr.shape[-2], k, arr.shape[-1])


def triu_indices_from(arr, k=0):
    """`triu_indices` of a matrix."""
    arr = _operand(arr, "triu_indices_from", 0)
    return triu_indices(arr.shape[-2], k, arr.shape[-1])


def mask_indices(n, mask_func, k=0, *, size=None):
    """Indices where mask_func of an (n, n) matrix of ones is not zero."""
    ones = _core.np_full((n, n), True, float, "mask_indices")
    return nonzero(mask_func(ones, k), size=size)


def ix_(*args):
    """Index arrays of an outer product of rank-1 indices."""
    out = []
    for i, a in enumerate(args):
        a = _operand(a, "ix_", i)
        if a.ndim != 1:
            raise ValueError(
                "Arguments to cotan.numpy.ix_ must be 1-dimensional, got "
                f"shape {a.shape}"
            )
        if a.dtype == bool:
            a = nonzero(a)[0]
        shape = [1] * len(args)
        shape[i] = a.shape[0]
        out.append(a.reshape(shape))
    return tuple(out)


def _delete_unique(a, obj, axis):
    """Without distinct elements that need not be known while tracing."""
    n = a.shape[axis]
    at = _core.np_ravel(_core.wrap_indices(obj, n), False).clip(0, n - 1)
    kept = _core.np_full((n,), True, bool, "delete").at[at].set(False)
    kept = nonzero(kept, size=n - at.size)[0]
    return _core.take(a, kept, axis, "clip", None, True, True)


def delete(arr, obj, axis=None, *, assume_unique_indices=False):
    """Without the elements at `obj` (an int, slice or array) along an axis."""
    a = _operand(arr, "delete", 0)
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    axis = _axes(axis, a.ndim)[0]
    n = a.shape[axis]
    if isinstance(obj, slice):
        obj = np.arange(n)[obj]
    elif hasattr(obj, "__jax_array__"):
        obj = _operand(obj, "delete", 1)
    if assume_unique_indices and np.ndim(obj):
        obj = _operand(obj, "delete", 1)
        if dtypes.issubdtype(obj.dtype, np.integer):
            return _delete_unique(a, obj, axis)
    if isinstance(obj, Array) and not _dispatch.is_concrete(obj):
        if obj.ndim == 0 and obj.dtype != bool:
            at = _core.where(obj < 0, obj + n, obj).clip(0, n - 1)
            i = _core.iota(int, (n - 1,), 0)
            return _core.take(a, i + (i >= at), axis, "clip", None, True, True)
        raise errors.ConcretizationTypeError(
            "cotan.numpy.delete needs concrete indices: the shape of the "
            "result depends on them."
        )
    obj = np.asarray(obj)
    if obj.size and obj.dtype.kind not in "iub":
        raise ValueError(
            f"delete: got obj.dtype={obj.dtype}; must be integer or bool."
        )
    if obj.ndim == 0 and obj.dtype != bool:
        if not -n <= int(obj) < n:
            raise ValueError(
                f"index {int(obj)} is out of bounds for axis {axis} with size "
                f"{n}"
            )
    kept = np.delete(
        np.arange(n, dtype=np.int32),
        obj.astype(bool if obj.dtype == bool else np.int64),
    )
    return _core.take(a, kept, axis, "clip", None, True, True)


@keeps_weak(1)
def insert(arr, obj, values, axis=None):
    """With values before the elements at `obj` along an axis."""
    a = _operand(arr, "insert", 0)
    values = _operand(values, "insert", 2)
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    axis = _axes(axis, a.ndim)[0]
    n = a.shape[axis]
    a = _core.np_moveaxis(a, axis, 0)
    if isinstance(obj, slice):
        at = _dispatch.to_array(np.arange(n, dtype=np.int32)[obj])
    else:
        at = _operand(obj, "insert", 1).astype(int)
    scalar = at.ndim == 0
    at = _core.np_ravel(_core.wrap_indices(at, n), False).clip(0, n)
    values = (
        values.reshape((1,) * (a.ndim - values.ndim) + values.shape)
        if values.ndim < a.ndim
        else values
    )
    if scalar or at.size == 1:
        values = _core.np_moveaxis(values, 0 if scalar else axis, 0)
        at = _core.broadcast_to(at, (values.shape[0],))
    else:
        values = _core.np_moveaxis(values, axis, 0)
    values = _core.broadcast_to(values.astype(a.dtype), (at.size, *a.shape[1:]))
    count = _core.iota(int, at.shape, 0)
    at, order = _core.np_sort((at, count), 0, 1)
    # Where the elements of both end up.
    new = at + count
    old = _core.np_full((n + at.size,), True, bool, "insert")
    old = old.at[new].set(False)
    slots = _core.np_cumulative("sum", old, 0, int, False) - 1
    slots = slots.at[new].set(n + order)
    both = _core.np_concatenate((a, values), 0)
    out = _core.take(both, slots, 0, "clip", None, False, True)
    return _core.np_moveaxis(out, 0, axis)


class _Concatenator:
    """`r_[...]` and `c_[...]`."""

    def __init__(self, axis, ndmin, trans1d, name):
        self.defaults, self.name = (axis, ndmin, trans1d), name

    def __getitem__(self, key):
        from cotan.numpy.creation import _axis_of, array
        from cotan.numpy.shaping import concatenate

        axis, ndmin, trans1d = self.defaults
        matrix, items = None, []
        for i, item in enumerate(key if isinstance(key, tuple) else (key,)):
            if isinstance(item, str):
                if i:
                    raise ValueError("special directives must be first entry.")
                if item in ("r", "c"):
                    matrix = item
                    continue
                try:
                    parts = [int(p) for p in item.split(",")][:3]
                except ValueError:
                    raise ValueError(
                        f"could not understand directive {item!r}"
                    ) from None
                axis, ndmin, trans1d = (*parts, *self.defaults[len(parts) :])
                continue
            if isinstance(item, slice):
                item = _axis_of(item, f"jnp.{self.name}")
            x = array(item)
            if x.ndim < ndmin:
                # trans1d: the place of x's axes, of the last one if negative.
                more = ndmin - x.ndim
                start = trans1d + (more + 1 if trans1d < 0 else 0)
                shape = [1] * more
                shape[start:start] = x.shape
                x = x.reshape(shape)
            items.append(x if x.ndim else x.reshape(1))
        out = concatenate(items, axis)
        if matrix and out.ndim == 1:
            out = out[:, None] if matrix == "c" else out[None]
        return out


r_ = _Concatenator(0, 1, -1, "r_")
c_ = _Concatenator(-1, 2, 0, "c_")
s_, index_exp = np.s_, np.index_exp
