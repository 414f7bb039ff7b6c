"""Sorting, searching and sets."""

from __future__ import annotations

import math
import operator

import numpy as np

from cotan import _core, _dispatch, dtypes, errors
from cotan._src.avals import keeps_weak
from cotan.numpy.reductions import _axes

_operand = _core.np_operand


def _check(kind, order):
    if kind is not None:
        raise ValueError(
            "'kind' argument to sort is not supported. Use stable=True or "
            "stable=False to specify sort stability."
        )
    if order is not None:
        raise ValueError("'order' argument to sort is not supported.")


def sort(a, axis=-1, *, kind=None, order=None, stable=True, descending=False):
    """Sorted along an axis; nan goes last.

    >>> cnp.sort(cnp.array([3, 1, 2]))
    Array([1, 2, 3], dtype=int32)
    """
    _check(kind, order)
    a = _operand(a, "sort", 0)
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    axis = _axes(axis, a.ndim)[0]
    out = _core.np_sort((a,), axis, 1)[0]
    return _core.np_flip(out, axis) if descending else out


def argsort(
    a,
    axis=-1,
    *,
    kind=None,
    order=None,
    stable=True,
    descending=False,
    dtype=None,
):
    """Indices that sort along an axis; equal elements keep their order."""
    _check(kind, order)
    a = _operand(a, "argsort", 0)
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    axis = _axes(axis, a.ndim)[0]
    n = a.shape[axis]
    index = _core.iota(int if dtype is None else dtype, a.shape, axis)
    if descending:
        # From the back, so that equal elements still keep their order.
        out = _core.np_sort((_core.np_flip(a, axis), index), axis, 1)[1]
        return n - 1 - _core.np_flip(out, axis)
    return _core.np_sort((a, index), axis, 1)[1]


def sort_complex(a):
    """Sorted as complex numbers along the last axis."""
    a = _operand(a, "sort_complex", 0)
    target = (
        np.complex128
        if a.dtype.itemsize == 8 and (a.dtype.kind == "f")
        else np.complex64
    )
    if a.dtype.kind != "c":
        a = a.astype(target)
    return _core.strong(sort(a))


def lexsort(keys, axis=-1):
    """Indices that sort by several keys, the last one first."""
    if not isinstance(keys, (list, tuple)):
        keys = list(keys)
    keys = [_operand(k, "lexsort", i) for i, k in enumerate(keys)]
    if not keys:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    if len({k.shape for k in keys}) > 1:
        raise ValueError("all keys need to be the same shape")
    if keys[0].ndim == 0:
        return _core.np_full((), 0, int, "lexsort")
    axis = _axes(axis, keys[0].ndim)[0]
    index = _core.iota(int, keys[0].shape, axis)
    return _core.np_sort((*keys[::-1], index), axis, len(keys))[-1]


def partition(a, kth, axis=-1):
    """With the kth smallest in its place, smaller ones before it."""
    a = _operand(a, "partition", 0)
    _check_kth(a, kth, axis)
    return sort(a, axis)


def argpartition(a, kth, axis=-1):
    """Indices that `partition` along an axis."""
    a = _operand(a, "argpartition", 0)
    _check_kth(a, kth, axis)
    return argsort(a, axis)


def _check_kth(a, kth, axis):
    n = a.shape[_axes(axis, a.ndim)[0]]
    if not -n <= operator.index(kth) < n:
        raise ValueError(f"kth(={kth}) out of bounds {n}")


def searchsorted(a, v, side="left", sorter=None, *, method="scan"):
    """Where to insert v into sorted a so that it stays sorted.

    Args:
      side: "left" of equal elements, or "right".
    """
    if side not in ("left", "right"):
        raise ValueError(
            f"invalid argument side={side!r}, expected 'left' or 'right'"
        )
    a, v = _operand(a, "searchsorted", 0), _operand(v, "searchsorted", 1)
    if a.ndim != 1:
        raise ValueError("a should be 1-dimensional")
    if sorter is not None:
        a = a[_operand(sorter, "searchsorted", 2)]
    common = _core.result_type((a, v))[0]
    a, v = a.astype(common), v.astype(common)
    shape = v.shape
    n = a.shape[0]
    if n == 0:
        return _core.np_full(shape, 0, int, "searchsorted")
    low = _core.np_full(shape, 0, int, "searchsorted")
    high = _core.np_full(shape, n, int, "searchsorted")
    for _ in range(n.bit_length()):
        mid = (low + high) // 2
        at = _core.take(a, mid, 0, "clip", None, False, False)
        go_right = _before(at, v) if side == "left" else ~_before(v, at)
        open_ = low < high
        low = _core.where(open_ & go_right, mid + 1, low)
        high = _core.where(open_ & ~go_right, mid, high)
    return low


def _before(x, y):
    """x < y in the order of `sort`: nan is last."""
    less = x < y
    if dtypes.issubdtype(x.dtype, np.inexact):
        return less | ((y != y) & (x == x))
    return less


def digitize(x, bins, right=False, *, method=None):
    """The bin that each element of x falls into."""
    x, bins = _operand(x, "digitize", 0), _operand(bins, "digitize", 1)
    if bins.ndim != 1:
        raise ValueError(
            f"digitize: bins must be a 1-dimensional array; got {bins.shape}"
        )
    n = bins.shape[0]
    if n == 0:
        return _core.np_full(x.shape, 0, int, "digitize")
    side = "right" if not right else "left"
    up = searchsorted(bins, x, side)
    down = n - searchsorted(bins[::-1], x, side)
    return _core.where(bins[-1] >= bins[0], up, down)


# ---- sets: concrete values, or a static size


def _concrete(x, name, hint="size"):
    value = _dispatch.concrete_or_none(x)
    if value is None:
        raise errors.ConcretizationTypeError(
            f"The error arose for the first argument of cotan.numpy.{name}(): "
            "the shape of its result depends on its values. To make "
            f"cotan.numpy.{name}() compatible with transformations, specify "
            f"a concrete value for the ``{hint}`` argument."
        )
    return value


def unique(
    ar,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    *,
    equal_nan=True,
    size=None,
    fill_value=None,
    sorted=True,
):
    """The sorted distinct elements (or slices along an axis).

    Args:
      size: static number of results, needed under transformations; fewer
        are padded with fill_value (default the smallest).
    """
    a = _operand(ar, "unique", 0)
    if axis is None:
        shape = a.shape
        a = _core.np_ravel(a, False)
        rows, axis_ = a, 0
    else:
        axis_ = _axes(axis, a.ndim)[0]
        shape = (a.shape[axis_],)
        a = _core.np_moveaxis(a, axis_, 0)
        rows = a.reshape(a.shape[0], -1)
    if equal_nan and rows.dtype.kind == "c" and rows.ndim == 1:
        # One nan, and last: whichever part it is in.
        nan = _core.np_astype(complex(math.nan, math.nan), rows.dtype)
        rows = _core.where(rows != rows, nan, rows)
    if rows.dtype.kind == "c":
        a = _core.strong(a)
    order, first = _sorted_groups(rows, equal_nan)
    n = rows.shape[0]
    if size is None:
        at = _core.nonzero(_concrete(first, "unique"))[0]
    else:
        from cotan.numpy.indexing import nonzero

        at = nonzero(first, size=size, fill_value=n)[0]
    index = _core.take(order, at, 0, "clip", None, False, False) if n else at
    if n:
        values = _core.take(a, index, 0, "clip", None, False, False)
    else:
        values = (
            a
            if size is None
            else _core.np_full((size, *a.shape[1:]), False, a.dtype, "unique")
        )
    if size is not None and n:
        count = _core.np_sum(first, None, int, False, None, None)
        beyond = _core.iota(int, (size,), 0) >= count
        fill = values[0] if fill_value is None else fill_value
        mask = beyond.reshape((-1,) + (1,) * (values.ndim - 1))
        values = _core.where(mask, _core.np_astype(fill, values.dtype), values)
        index = _core.where(beyond, index[0], index)
    out = [_core.np_moveaxis(values, 0, axis_) if values.ndim else values]
    if return_index:
        out.append(index)
    if return_inverse:
        group = _core.np_cumulative("sum", first, 0, int, False) - 1
        inverse = _core.np_full((n,), 0, int, "unique").at[order].set(group)
        out.append(inverse.reshape(shape))
    if return_counts:
        ends = at if size is None else _core.where(beyond, n, at) if n else at
        after = (
            _core.np_concatenate(
                (ends[1:], _core.np_full((1,), n, ends.dtype, "unique")), 0
            )
            if ends.shape[0]
            else ends
        )
        out.append(after - ends)
    return out[0] if len(out) == 1 else tuple(out)


def _sorted_groups(rows, equal_nan):
    """Order of sorted rows, and whether each starts a group of equals."""
    n = rows.shape[0]
    index = _core.iota(int, (n,), 0)
    if n == 0:
        return index, index != 0
    columns = (
        [rows] if rows.ndim == 1 else [rows[:, i] for i in range(rows.shape[1])]
    )
    columns = columns[:64] if len(columns) > 64 else columns
    if rows.ndim == 2 and rows.shape[1] == 0:
        return index, index == 0
    *sorted_columns, order = _core.np_sort((*columns, index), 0, len(columns))
    if rows.ndim == 2 and rows.shape[1] > 64:
        return _sorted_groups_wide(rows, equal_nan)
    differ = None
    for c in sorted_columns:
        d = c[1:] != c[:-1]
        if equal_nan and dtypes.issubdtype(c.dtype, np.inexact):
            d = d & ~((c[1:] != c[1:]) & (c[:-1] != c[:-1]))
        differ = d if differ is None else differ | d
    return order, _core.np_concatenate((index[:1] == 0, differ), 0)


def _sorted_groups_wide(rows, equal_nan):
    # Many columns: sorts by 64 at a time, from the last to the first.
    order = _core.iota(int, (rows.shape[0],), 0)
    for start in reversed(range(0, rows.shape[1], 64)):
        part = rows[order][:, start : start + 64]
        keys = [part[:, i] for i in range(part.shape[1])]
        order = _core.np_sort((*keys, order), 0, len(keys))[-1]
    s = rows[order]
    d = s[1:] != s[:-1]
    if equal_nan and dtypes.issubdtype(s.dtype, np.inexact):
        d = d & ~((s[1:] != s[1:]) & (s[:-1] != s[:-1]))
    return order, _core.np_concatenate((order[:1] == order[0], d.any(1)), 0)


def unique_values(x, /, *, size=None, fill_value=None):
    """The array API's distinct values."""
    return unique(x, equal_nan=False, size=size, fill_value=fill_value)


def _namedtuple(name, fields):
    import collections

    return collections.namedtuple(name, fields)


_UniqueAll = _namedtuple(
    "UniqueAllResult", ("values", "indices", "inverse_indices", "counts")
)
_UniqueCounts = _namedtuple("UniqueCountsResult", ("values", "counts"))
_UniqueInverse = _namedtuple(
    "UniqueInverseResult", ("values", "inverse_indices")
)


def unique_all(x, /, *, size=None, fill_value=None):
    """Distinct values, first indices, inverse and counts."""
    return _UniqueAll(
        *unique(
            x,
            True,
            True,
            True,
            equal_nan=False,
            size=size,
            fill_value=fill_value,
        )
    )


def unique_counts(x, /, *, size=None, fill_value=None):
    """Distinct values and how often they occur."""
    return _UniqueCounts(
        *unique(
            x,
            return_counts=True,
            equal_nan=False,
            size=size,
            fill_value=fill_value,
        )
    )


def unique_inverse(x, /, *, size=None, fill_value=None):
    """Distinct values and the position of each element among them."""
    return _UniqueInverse(
        *unique(
            x,
            return_inverse=True,
            equal_nan=False,
            size=size,
            fill_value=fill_value,
        )
    )


def isin(
    element, test_elements, assume_unique=False, invert=False, *, method="auto"
):
    """Whether each element is among test_elements.

    Args:
      method: "compare_all" pairs, "binary_search" (or "sort") in the sorted
        test_elements, or "auto" by their number.
    """
    if method not in ("auto", "compare_all", "binary_search", "sort"):
        raise ValueError(
            f"method must be one of 'auto', 'compare_all', 'binary_search' or "
            f"'sort', got {method!r}"
        )
    x = _operand(element, "isin", 0)
    t = _core.np_ravel(_operand(test_elements, "isin", 1), False)
    if t.size == 0 or x.size == 0:
        return _core.np_full(x.shape, invert, bool, "isin")
    common = _core.result_type((x, t))[0]
    a, b = _core.np_ravel(x, False).astype(common), t.astype(common)
    if method == "auto":
        method = "compare_all" if b.size < 128 else "binary_search"
    if method == "compare_all" or b.dtype.kind == "c":
        found = _core.np_any(a[:, None] == b[None], -1, None, False, None, None)
    else:
        b = sort(b)
        at = searchsorted(b, a)
        found = _core.take(b, at, 0, "clip", None, False, False) == a
    return (~found if invert else found).reshape(x.shape)


def _two_sets(name, ar1, ar2):
    a = _core.np_ravel(_operand(ar1, name, 0), False)
    b = _core.np_ravel(_operand(ar2, name, 1), False)
    t = _core.result_type((a, b))[0]
    return a.astype(t), b.astype(t)


@keeps_weak(2)
def union1d(ar1, ar2, *, size=None, fill_value=None):
    """Sorted elements of either."""
    a, b = _two_sets("union1d", ar1, ar2)
    return unique(
        _core.np_concatenate((a, b), 0), size=size, fill_value=fill_value
    )


@keeps_weak(1)
def setdiff1d(ar1, ar2, assume_unique=False, *, size=None, fill_value=None):
    """Elements of ar1 that are not in ar2."""
    a = _core.np_ravel(_operand(ar1, "setdiff1d", 0), False)
    b = _core.np_ravel(_operand(ar2, "setdiff1d", 1), False)
    if not assume_unique:
        if size is None:
            a = unique(a)
            return a[_concrete_mask(isin(a, b, invert=True), "setdiff1d")]
        a = sort(a)
    keep = isin(a, b, invert=True)
    if not assume_unique and size is not None and a.shape[0]:
        keep = keep & _core.np_concatenate(
            (keep[:1] | True, a[1:] != a[:-1]), 0
        )
    return _masked(a, keep, size, fill_value, "setdiff1d")


def _concrete_mask(mask, name):
    return _concrete(mask, name)


def _masked(a, keep, size, fill_value, name):
    if size is None:
        return a[_concrete(keep, name)]
    from cotan.numpy.indexing import nonzero

    at = nonzero(keep, size=size, fill_value=a.shape[0])[0]
    fill = 0 if fill_value is None else fill_value
    if fill_value is None and a.shape[0]:
        fill = a[_core.np_argmax(keep, 0, False)]
    valid = at < a.shape[0]
    got = _core.take(a, at, 0, "clip", None, False, False)
    return _core.where(valid, got, _core.np_astype(fill, a.dtype))


def _places(order, b, both, keep):
    """Where the elements of an intersection are in `a`, sorted by `order`, and
    in `b`; their sizes for what only fills up."""
    at = _core.iota(int, both.shape, 0)
    valid = at < keep.sum()
    from cotan.numpy.indexing import nonzero

    in_a = nonzero(keep, size=both.shape[0], fill_value=0)[0]
    b_order = argsort(b)
    in_b = searchsorted(b[b_order], both)
    return (
        _core.where(valid, order[in_a], order.shape[0]),
        _core.where(valid, b_order[in_b], b.shape[0]),
    )


@keeps_weak(2)
def intersect1d(
    ar1,
    ar2,
    assume_unique=False,
    return_indices=False,
    *,
    size=None,
    fill_value=None,
):
    """Sorted elements of both."""
    a, b = _two_sets("intersect1d", ar1, ar2)
    if size is not None:
        order = argsort(a)
        a = a[order]
        keep = isin(a, b)
        if not assume_unique and a.shape[0]:
            keep = keep & _core.np_concatenate(
                (keep[:1] | True, a[1:] != a[:-1]), 0
            )
        both = _masked(a, keep, size, fill_value, "intersect1d")
        if not return_indices:
            return both
        return both, *_places(order, b, both, keep)
    if assume_unique:
        ia, ib = _core.iota(int, a.shape, 0), _core.iota(int, b.shape, 0)
        order = argsort(a)
        a, ia = a[order], ia[order]
    else:
        a, ia = unique(a, return_index=True)
        b, ib = unique(b, return_index=True)
    both = a[_concrete(isin(a, b), "intersect1d")]
    if not return_indices:
        return both
    order = argsort(b)
    return (
        both,
        ia[searchsorted(a, both)],
        ib[order[searchsorted(b[order], both)]],
    )


@keeps_weak(2)
def setxor1d(ar1, ar2, assume_unique=False, *, size=None, fill_value=None):
    """Sorted elements of exactly one of the two."""
    a, b = _two_sets("setxor1d", ar1, ar2)
    if size is None:
        if not assume_unique:
            a, b = unique(a), unique(b)
        both = sort(_core.np_concatenate((a, b), 0))
    else:
        # Without duplicates inside each: keep the first of equals.
        only_a, only_b = isin(a, b, invert=True), isin(b, a, invert=True)
        both = _core.np_concatenate((a, b), 0)
        keep = _core.np_concatenate((only_a, only_b), 0)
        order = argsort(both)
        both, keep = both[order], keep[order]
        if both.shape[0]:
            keep = keep & _core.np_concatenate(
                (keep[:1] | True, both[1:] != both[:-1]), 0
            )
        return _masked(both, keep, size, fill_value, "setxor1d")
    if both.shape[0] == 0:
        return both
    t = both[:1] == both[:1]
    differ = _core.np_concatenate((t, both[1:] != both[:-1], t), 0)
    return both[_concrete(differ[1:] & differ[:-1], "setxor1d")]
