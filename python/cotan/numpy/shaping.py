"""Functions of shape: reshape, transpose, concatenate, split, ..."""

from __future__ import annotations

import itertools
import operator
import warnings

import numpy as np

from cotan import _core, _dispatch
from cotan._dispatch import Array
from cotan._src.avals import keeps_weak
from cotan.numpy.reductions import _axes

_operand = _core.np_operand


def _shape_of_object(a, name):
    if isinstance(a, (bool, int, float, complex)):
        return ()
    if _dispatch.is_array(a):
        return _operand(a, name, 0).shape
    warnings.warn(
        f"{name} requires ndarray or scalar arguments, got {type(a)} at "
        "position 0.",
        DeprecationWarning,
        stacklevel=3,
    )
    return np.shape(a)


def shape(a):
    """The shape, a tuple of ints."""
    return a.shape if hasattr(a, "shape") else _shape_of_object(a, "shape")


def ndim(a):
    """The number of axes."""
    return a.ndim if hasattr(a, "ndim") else len(_shape_of_object(a, "ndim"))


def size(a, axis=None):
    """The number of elements, or the extent along axes."""
    if axis is None and hasattr(a, "size"):
        return a.size
    dims = a.shape if hasattr(a, "shape") else _shape_of_object(a, "size")
    axes = _axes(axis, len(dims))
    if len(set(axes)) != len(axes):
        raise ValueError(f"repeated axis: {axis}")
    n = 1
    for i in axes:
        n *= dims[i]
    return n


def reshape(a, shape, order="C", *, copy=None, out_sharding=None):
    """The same elements in another shape; one size may be -1.

    >>> cnp.reshape(cnp.arange(6), (2, -1))
    Array([[0, 1, 2],
           [3, 4, 5]], dtype=int32)
    """
    if order not in ("C", "F"):
        if order == "A":
            raise NotImplementedError("np.reshape order=A is not implemented.")
        raise ValueError(f"Unexpected value for 'order' argument: {order}.")
    return _core.np_reshape(a, shape, order == "F")


def ravel(a, order="C", *, out_sharding=None):
    """The elements as a rank-1 array."""
    if order not in ("C", "F", "K", "A"):
        raise ValueError(f"Unexpected value for 'order' argument: {order}.")
    if order == "K":
        raise NotImplementedError("Ravel not implemented for order='K'.")
    return _core.np_ravel(a, order == "F")


def transpose(a, axes=None):
    """The axes in another order, reversed by default."""
    return _core.np_transpose(a, axes)


def permute_dims(a, /, axes):
    """The axes in the given order."""
    return _core.np_transpose(a, axes)


def matrix_transpose(x, /):
    """The last two axes swapped."""
    x = _operand(x, "matrix_transpose", 0)
    if x.ndim < 2:
        raise ValueError(
            f"x must be at least two-dimensional for matrix_transpose; got "
            f"ndim={x.ndim}"
        )
    return _core.np_swapaxes(x, -1, -2)


def swapaxes(a, axis1, axis2):
    """Two axes swapped."""
    return _core.np_swapaxes(a, axis1, axis2)


def moveaxis(a, source, destination):
    """Axes moved to other places; the rest keep their order."""
    return _core.np_moveaxis(a, source, destination)


def rollaxis(a, axis, start=0):
    """Moves an axis back to position `start`."""
    a = _operand(a, "rollaxis", 0)
    axis = _axes(axis, a.ndim)[0]
    if not -a.ndim <= start <= a.ndim:
        raise ValueError(
            f"start={start} must satisfy {-a.ndim}<=start<={a.ndim}"
        )
    if start < 0:
        start += a.ndim
    if start > axis:
        start -= 1
    return _core.np_moveaxis(a, axis, start)


def squeeze(a, axis=None):
    """Without axes of extent 1."""
    return _core.np_squeeze(a, axis)


def expand_dims(a, axis):
    """With axes of extent 1 at the given places of the result."""
    return _core.np_expand_dims(a, axis)


def broadcast_to(array, shape, *, out_sharding=None):
    """The array repeated along new and size-1 axes."""
    x = _operand(array, "broadcast_to", 0)
    if not isinstance(shape, (tuple, list)):
        shape = (shape,)
    return _core.broadcast_to(x, tuple(operator.index(d) for d in shape))


def broadcast_arrays(*args):
    """The arrays broadcast to their common shape."""
    return _core.np_broadcast_arrays(args)


def broadcast_shapes(*shapes):
    """The shape that arrays of these shapes broadcast to."""
    if not shapes:
        return ()
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    return _core.broadcast_shapes(shapes)


def flip(m, axis=None):
    """The order of elements reversed along axes (all by default)."""
    return _core.np_flip(m, axis)


def fliplr(m):
    """`flip` along axis 1."""
    return _core.np_flip(m, 1)


def flipud(m):
    """`flip` along axis 0."""
    return _core.np_flip(m, 0)


def rot90(m, k=1, axes=(0, 1)):
    """Rotated by k * 90 degrees in the plane of two axes."""
    m = _operand(m, "rot90", 0)
    if m.ndim < 2:
        raise ValueError(
            f"rot90 requires its first argument to have ndim at least two, "
            f"but got first argument of shape {m.shape}, ndim {m.ndim}"
        )
    a, b = _axes(tuple(axes), m.ndim)
    if a == b:
        raise ValueError("Axes must be different")
    k %= 4
    if k == 0:
        return m
    if k == 2:
        return flip(m, (a, b))
    if k == 1:
        return swapaxes(flip(m, b), a, b)
    return flip(swapaxes(m, a, b), b)


def roll(a, shift, axis=None):
    """Elements moved along axes; those that leave come back at the start."""
    a = _operand(a, "roll", 0)
    if hasattr(shift, "__jax_array__"):
        shift = _operand(shift, "roll", 1)
    if isinstance(shift, Array) and not _dispatch.is_concrete(shift):
        return _roll_traced(a, shift, axis)
    if isinstance(shift, (Array, np.ndarray)):
        shift = np.asarray(shift).tolist()
    if axis is None and not isinstance(shift, int):
        shift = sum(shift)
    if isinstance(axis, int) and not isinstance(shift, int):
        axis = (axis,) * len(shift)
    return _core.np_roll(a, shift, axis)


def _roll_traced(a, shift, axis):
    from cotan.numpy.creation import arange

    if axis is None:
        return _roll_traced(a.reshape(-1), shift, 0).reshape(a.shape)
    axes = _axes(axis, a.ndim)
    shifts = (
        _core.broadcast_to(shift, (len(axes),))
        if shift.ndim
        else ([shift] * len(axes))
    )
    for s, i in zip(shifts, axes, strict=True):
        n = a.shape[i]
        if n == 0:
            continue
        index = (arange(n) - s) % n
        a = _core.take(a, index, i, "clip", None, False, True)
    return a


# ---- joining


def _sequence(name, arrays):
    if isinstance(arrays, (Array, np.ndarray)):
        return (
            list(_operand(arrays, name, 0))
            if isinstance(arrays, Array)
            else list(arrays)
        )
    if not isinstance(arrays, (list, tuple)):
        try:
            return list(arrays)
        except TypeError:
            raise TypeError(
                f"{name} requires a sequence of arrays, got {type(arrays)}"
            ) from None
    return arrays


def _cast(x, dtype):
    return x if dtype is None else _core.np_astype(x, dtype)


def concatenate(arrays, axis=0, dtype=None):
    """The arrays one after another along an axis.

    >>> cnp.concatenate([cnp.zeros(2), cnp.ones(1)])
    Array([0., 0., 1.], dtype=float32)
    """
    arrays = _sequence("concatenate", arrays)
    if axis is None:
        arrays = [_core.np_ravel(a, False) for a in arrays]
        axis = 0
    return _cast(_core.np_concatenate(arrays, axis), dtype)


def concat(arrays, /, *, axis=0):
    """The array API's `concatenate`."""
    return concatenate(arrays, axis)


def stack(arrays, axis=0, out=None, dtype=None):
    """The arrays along a new axis."""
    if out is not None:
        raise NotImplementedError(
            "The 'out' argument to cotan.numpy.stack is not supported."
        )
    return _cast(_core.np_stack(_sequence("stack", arrays), axis), dtype)


def unstack(x, /, *, axis=0):
    """The slices along an axis, a tuple."""
    x = _operand(x, "unstack", 0)
    if x.ndim == 0:
        raise ValueError(
            "Unstack requires arrays with rank > 0, however a scalar array "
            "was passed."
        )
    x = _core.np_moveaxis(x, axis, 0)
    return tuple(x[i] for i in range(x.shape[0]))


def hstack(tup, dtype=None):
    """Joined along axis 1 (axis 0 of rank-1 arrays)."""
    arrays = [atleast_1d(a) for a in _sequence("hstack", tup)]
    axis = 0 if not arrays or arrays[0].ndim == 1 else 1
    return concatenate(arrays, axis, dtype)


def vstack(tup, dtype=None):
    """Joined along axis 0, rank-1 arrays as rows."""
    arrays = [atleast_2d(a) for a in _sequence("vstack", tup)]
    return concatenate(arrays, 0, dtype)


def dstack(tup, dtype=None):
    """Joined along axis 2."""
    arrays = [atleast_3d(a) for a in _sequence("dstack", tup)]
    return concatenate(arrays, 2, dtype)


def column_stack(tup):
    """Rank-1 arrays as the columns of a matrix."""
    arrays = [
        _operand(a, "column_stack", i)
        for i, a in enumerate(_sequence("column_stack", tup))
    ]
    return concatenate(
        [a.reshape(-1, 1) if a.ndim < 2 else a for a in arrays], 1
    )


def block(arrays):
    """A block matrix from nested lists."""

    def depth(x):
        return 1 + max(map(depth, x)) if isinstance(x, list) and x else 0

    levels = depth(arrays)
    if levels == 0:
        return _operand(arrays, "block", 0)
    leaves = []

    def visit(x):
        if isinstance(x, list):
            for i in x:
                visit(i)
        else:
            leaves.append(_operand(x, "block", len(leaves)))

    visit(arrays)
    rank = max(levels, *(x.ndim for x in leaves))

    def join(x, level):
        if not isinstance(x, list):
            x = _operand(x, "block", 0)
            return x.reshape((1,) * (rank - x.ndim) + x.shape)
        return concatenate(
            [join(i, level + 1) for i in x], axis=rank - levels + level
        )

    return join(arrays, 0)


def append(arr, values, axis=None):
    """`values` after `arr`, along an axis or raveled."""
    if axis is None:
        return concatenate(
            [_core.np_ravel(arr, False), _core.np_ravel(values, False)], 0
        )
    return concatenate([arr, values], axis)


def atleast_1d(*arys):
    """As arrays of rank 1 or more."""
    return _atleast(arys, "atleast_1d", lambda x: x.reshape(1), 1)


def atleast_2d(*arys):
    """As arrays of rank 2 or more."""
    return _atleast(
        arys,
        "atleast_2d",
        lambda x: x.reshape(1, -1) if x.ndim else (x.reshape(1, 1)),
        2,
    )


def atleast_3d(*arys):
    """As arrays of rank 3 or more."""

    def grow(x):
        if x.ndim == 2:
            return x[:, :, None]
        return x.reshape(1, -1, 1) if x.ndim else x.reshape(1, 1, 1)

    return _atleast(arys, "atleast_3d", grow, 3)


def _atleast(arys, name, grow, rank):
    if len(arys) == 1 and isinstance(arys[0], (list, tuple)):
        from cotan.numpy.creation import asarray

        arys = (asarray(arys[0]),)
    out = [_operand(a, name, i) for i, a in enumerate(arys)]
    out = [a if a.ndim >= rank else grow(a) for a in out]
    return out[0] if len(out) == 1 else out


# ---- splitting


def _split(name, ary, indices_or_sections, axis, uneven=False):
    x = _operand(ary, name, 0)
    axis = _axes(axis, x.ndim)[0]
    n = x.shape[axis]
    if isinstance(indices_or_sections, (tuple, list)) or (
        getattr(indices_or_sections, "ndim", 0) > 0
    ):
        cuts = [operator.index(i) for i in indices_or_sections]
        cuts = [i + n if i < 0 else i for i in cuts]
        bounds = [0, *(max(0, min(i, n)) for i in cuts), n]
    else:
        k = operator.index(indices_or_sections)
        if k <= 0:
            raise ValueError(
                f"{name}: number of sections must be larger than 0, got {k}"
            )
        part, rest = divmod(n, k)
        if rest and not uneven:
            raise ValueError(
                "array split does not result in an equal division: rest is "
                f"{rest}"
            )
        bounds = [0]
        for i in range(k):
            bounds.append(bounds[-1] + part + (i < rest))
    return [
        _core.slice_axis(x, axis, a, max(a, b))
        for a, b in itertools.pairwise(bounds)
    ]


def split(ary, indices_or_sections, axis=0):
    """Equal parts along an axis, or parts between the given indices."""
    return _split("split", ary, indices_or_sections, axis)


def array_split(ary, indices_or_sections, axis=0):
    """`split` into parts that may differ by one."""
    return _split("array_split", ary, indices_or_sections, axis, uneven=True)


def hsplit(ary, indices_or_sections):
    """`split` along axis 1 (axis 0 of rank-1 arrays)."""
    a = _operand(ary, "hsplit", 0)
    return _split("hsplit", a, indices_or_sections, 1 if a.ndim > 1 else 0)


def vsplit(ary, indices_or_sections):
    """`split` along axis 0."""
    return _split("vsplit", ary, indices_or_sections, 0)


def dsplit(ary, indices_or_sections):
    """`split` along axis 2."""
    return _split("dsplit", ary, indices_or_sections, 2)


# ---- repeating


def tile(A, reps):
    """The array repeated `reps` times along its axes."""
    A = _operand(A, "tile", 0)
    return _core.np_tile(A, reps)


def repeat(
    a, repeats, axis=None, *, total_repeat_length=None, out_sharding=None
):
    """Each element repeated, along an axis or of the raveled array.

    Args:
      repeats: how often, one number or one for each element; static unless
        total_repeat_length gives the length of the result.
    """
    a = _operand(a, "repeat", 0)
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    axis = _axes(axis, a.ndim)[0] if a.ndim else 0
    if a.ndim == 0:
        a = a.reshape(1)
    n = a.shape[axis]
    known = not isinstance(repeats, Array) or _dispatch.is_concrete(repeats)
    if total_repeat_length is None and known:
        counts = np.asarray(repeats)
        if counts.ndim == 0 or counts.size == 1:
            return _repeat_each(a, int(counts.reshape(())), axis)
        if counts.shape != (n,):
            raise ValueError(
                "repeat `repeats` parameter has shape "
                f"{counts.shape} but axis has size {n}"
            )
        index = np.repeat(np.arange(n, dtype=np.int32), counts)
        return _core.take(a, index, axis, "clip", None, True, False)
    if total_repeat_length is None:
        from cotan.errors import ConcretizationTypeError

        raise ConcretizationTypeError(
            "When jit-compiling cotan.numpy.repeat, the total number of "
            "repeats must be static. Use a static value for `repeats`, or "
            "give `total_repeat_length`."
        )
    counts = _core.broadcast_to(_operand(repeats, "repeat", 1), (n,))
    return _repeat_padded(a, counts, axis, total_repeat_length)


def _repeat_each(a, k, axis):
    y = _core.np_expand_dims(a, axis + 1)
    wide = (*y.shape[: axis + 1], k, *y.shape[axis + 2 :])
    shape = (*a.shape[:axis], a.shape[axis] * k, *a.shape[axis + 1 :])
    return _core.broadcast_to(y, wide).reshape(shape)


def _repeat_padded(a, counts, axis, length):
    from cotan.numpy.creation import zeros

    n = a.shape[axis]
    if length == 0 or n == 0:
        shape = list(a.shape)
        shape[axis] = length
        return zeros(shape, a.dtype)
    # A one where each element starts; their running sum says whose turn it is.
    starts = _core.np_cumulative("sum", counts, 0, None, False)[:-1]
    marks = zeros(length, np.int32)
    if n > 1:
        marks = marks.at[starts].add(1, mode="drop")
    index = _core.np_cumulative("sum", marks, 0, None, False)
    return _core.take(a, index, axis, "clip", None, True, False)


def resize(a, new_shape):
    """Repeated or cut to a new shape."""
    from cotan.numpy.creation import zeros

    a = _core.np_ravel(_operand(a, "resize", 0), False)
    if not isinstance(new_shape, (tuple, list)):
        new_shape = (new_shape,)
    n = 1
    for d in new_shape:
        if d < 0:
            raise ValueError("all elements of `new_shape` must be non-negative")
        n *= d
    if a.size == 0 or n == 0:
        return zeros(new_shape, a.dtype)
    times = -(-n // a.size)
    return _core.np_tile(a, times)[:n].reshape(new_shape)


# ---- trimming


@keeps_weak(1)
def trim_zeros(filt, trim="fb", axis=None):
    """Without leading (f) and trailing (b) zeros; needs concrete values."""
    from cotan.numpy.creation import asarray

    values = np.asarray(_operand(asarray(filt), "trim_zeros", 0))
    return asarray(np.trim_zeros(values, trim))
