"""Operations over named axes: those of `vmap(f, axis_name=...)`.

Under the `vmap` that has the name they are ordinary operations along the
mapped axis; without one they are a NameError. A name is anything hashable but
an integer: integers in a tuple of axes are dimensions of the operand.
"""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

from cotan import _core, _dispatch
from cotan._src.primitives import core_primitive
from cotan.lax._elementwise import convert_element_type
from cotan.lax._reduce import reduce_max, reduce_min, reduce_sum
from cotan.lax._shape import expand_dims, squeeze
from cotan.lax._types import canonical_axes, canonical_axis, ndim_of
from cotan.tree_util import tree_map

__all__ = [
    "all_gather",
    "all_to_all",
    "axis_index",
    "axis_size",
    "pbroadcast",
    "pcast",
    "pmax",
    "pmean",
    "pmin",
    "ppermute",
    "pshuffle",
    "psum",
    "psum_scatter",
    "pswapaxes",
]

_bind = {
    name: core_primitive(name).bind
    for name in (
        "all_gather",
        "all_to_all",
        "axis_index",
        "pbroadcast",
        "pmax",
        "pmin",
        "ppermute",
        "psum",
        "reduce_scatter",
    )
}


def _axes(axis_name):
    if isinstance(axis_name, (tuple, list)):
        return tuple(axis_name)
    return (axis_name,)


def _groups(groups):
    return None if groups is None else tuple(map(tuple, groups))


def _total_size(names, groups=None) -> int:
    if groups is not None:
        return len(groups[0])
    return math.prod(_dispatch.axis_size(name) for name in names)


def _checked_groups(axes, groups):
    if groups is None:
        return None
    if any(isinstance(a, int) for a in axes):
        raise ValueError(
            "axis_index_groups only supported for sums over just named axes"
        )
    groups = _groups(groups)
    if sorted(i for g in groups for i in g) != list(
        range(sum(len(g) for g in groups))
    ):
        raise ValueError(
            "axis_index_groups must cover all indices exactly once"
        )
    return groups


def _parted(x, axes, reduce):
    """(x reduced over the dimensions among axes, the names among axes)"""
    dims = [a for a in axes if isinstance(a, int)]
    if dims:
        x = reduce(x, canonical_axes(dims, ndim_of(x)))
    return x, tuple(a for a in axes if not isinstance(a, int))


def axis_index(axis_name):
    """The index along the mapped axis: an int32 scalar that differs from
    element to element. Of a tuple of names: the index into all of them, the
    first varying slowest.

    >>> cotan.vmap(lambda x: x * lax.axis_index('i'), axis_name='i')(
    ...     cnp.ones(3))
    Array([0., 1., 2.], dtype=float32)
    """
    if not isinstance(axis_name, (tuple, list)):
        return _bind["axis_index"](axis_name=axis_name)
    index, inner = _core.full((), 0, np.int32, False), 1
    for name in reversed(axis_name):
        index = index + axis_index(name) * inner
        inner *= axis_size(name)
    return index


def axis_size(axis_name) -> int:
    """The size of a mapped axis, or of all that a tuple names.

    >>> cotan.vmap(lambda x: x * lax.axis_size('i'), axis_name='i')(
    ...     cnp.ones(3))
    Array([3., 3., 3.], dtype=float32)
    """
    return _total_size(_axes(axis_name))


def psum(x, axis_name, *, axis_index_groups=None):
    """The sum over a named axis, of every leaf of x; bools count as integers.
    A constant is multiplied by the size of the axis at once, so
    `psum(1, name)` is an int.

    axis_index_groups: lists of indices that cover the axis once; each group
    is summed by itself.

    >>> cotan.vmap(lambda x: x / lax.psum(x, 'i'), axis_name='i')(
    ...     cnp.array([1., 3.]))
    Array([0.25, 0.75], dtype=float32)
    """
    axes = _axes(axis_name)
    if not axes:
        return x
    groups = _checked_groups(axes, axis_index_groups)
    return tree_map(functools.partial(_psum, axes=axes, groups=groups), x)


def _psum(x, axes, groups):
    if isinstance(x, bool) or getattr(x, "dtype", None) == np.bool_:
        x = convert_element_type(x, np.int32)
    x, names = _parted(x, axes, reduce_sum)
    if not names:
        return x
    if isinstance(x, _dispatch.Tracer):
        return _bind["psum"](x, axes=names, axis_index_groups=groups)
    size = _total_size(names, groups)
    if isinstance(x, (int, float, complex)) and not isinstance(x, np.generic):
        return type(x)(size) * x
    return np.asarray(size, x.dtype) * x


def pmean(x, axis_name, *, axis_index_groups=None):
    """The mean over a named axis, of every leaf of x; see `psum`.

    >>> cotan.vmap(lambda x: x - lax.pmean(x, 'i'), axis_name='i')(
    ...     cnp.array([1., 3.]))
    Array([-1.,  1.], dtype=float32)
    """
    total = psum(x, axis_name, axis_index_groups=axis_index_groups)
    n = psum(1, axis_name, axis_index_groups=axis_index_groups)
    return tree_map(lambda v: v / n, total)


def _extremum(kind, reduce, x, axis_name, groups):
    axes = _axes(axis_name)
    groups = _checked_groups(axes, groups)

    def bind(leaf):
        leaf, names = _parted(leaf, axes, reduce)
        if not names:
            return leaf
        return _bind[kind](leaf, axes=names, axis_index_groups=groups)

    return tree_map(bind, x)


def pmax(x, axis_name, *, axis_index_groups=None):
    """The maximum over a named axis, of every leaf of x; see `psum`."""
    return _extremum("pmax", reduce_max, x, axis_name, axis_index_groups)


def pmin(x, axis_name, *, axis_index_groups=None):
    """The minimum over a named axis, of every leaf of x; see `psum`."""
    return _extremum("pmin", reduce_min, x, axis_name, axis_index_groups)


def pbroadcast(x, axis_name, source):
    """What the element at index `source` of a named axis has."""
    return tree_map(
        lambda leaf: _bind["pbroadcast"](
            leaf, axis_name=_axes(axis_name), source=operator.index(source)
        ),
        x,
    )


def ppermute(x, axis_name, perm):
    """Every leaf of x permuted along a named axis.

    perm: pairs (source, destination); an index that is no destination gets
    zeros.

    >>> cotan.vmap(lambda x: lax.ppermute(x, 'i', [(0, 1), (1, 0)]),
    ...            axis_name='i')(cnp.array([1., 3.]))
    Array([3., 1.], dtype=float32)
    """
    perm = tuple(tuple(map(operator.index, pair)) for pair in perm)
    return tree_map(
        lambda leaf: _bind["ppermute"](
            leaf, axis_name=_axes(axis_name), perm=perm
        ),
        x,
    )


def pshuffle(x, axis_name, perm):
    """As ppermute; index i gets what index perm[i] has."""
    if set(perm) != set(range(len(perm))):
        raise ValueError(f"`perm` does not represent a permutation: {perm}")
    return ppermute(
        x, axis_name, list(zip(perm, range(len(perm)), strict=True))
    )


def pswapaxes(x, axis_name, axis, *, axis_index_groups=None):
    """A named axis and the dimension `axis` change places; their sizes are
    the same."""
    return all_to_all(
        x, axis_name, axis, axis, axis_index_groups=axis_index_groups
    )


def all_to_all(
    x,
    axis_name,
    split_axis,
    concat_axis,
    *,
    axis_index_groups=None,
    tiled=False,
):
    """The dimension `split_axis` becomes the named axis, which becomes a new
    dimension `concat_axis`. tiled: the one is cut into as many parts as the
    axis is long, which are laid along the other; no dimension comes or goes.
    """
    names, groups = _axes(axis_name), _groups(axis_index_groups)
    size = _total_size(names, groups)

    def bind(x):
        ndim = ndim_of(x)
        split = canonical_axis(split_axis, ndim)
        concat = canonical_axis(concat_axis, ndim)
        n = np.shape(x)[split]
        if tiled and n % size:
            raise ValueError(
                f"The size of all_to_all split_axis ({n}) has to be divisible "
                f"by the size of the named axis {axis_name} ({size})"
            )
        if not tiled and n != size:
            raise ValueError(
                "all_to_all requires the size of the mapped axis axis_name to "
                f"equal x.shape[split_axis], but they are {size} and {n} "
                "respectively."
            )
        moves = not tiled and split != concat
        if moves:  # a dimension of one is there to be multiplied
            concat += split < concat
            x = expand_dims(x, (concat,))
            split += concat <= split
        x = _bind["all_to_all"](
            x,
            split_axis=split,
            concat_axis=concat,
            axis_name=names,
            axis_index_groups=groups,
            axis_size=size,
            tiled=tiled,
        )
        return squeeze(x, (split,)) if moves else x

    return tree_map(bind, x)


_GATHER_TO = ("varying", "reduced", "invarying")


def all_gather(
    x,
    axis_name,
    *,
    axis_index_groups=None,
    axis=0,
    tiled=False,
    to: str = "varying",
):
    """The elements of a named axis, stacked along a new dimension `axis`, or
    if tiled concatenated along the dimension `axis` that there is.

    >>> cotan.vmap(lambda x: lax.all_gather(x, 'i'), axis_name='i')(
    ...     cnp.array([1., 3.]))
    Array([[1., 3.],
           [1., 3.]], dtype=float32)
    """
    if to not in _GATHER_TO:
        raise ValueError(
            "Got unexpected `to` value for `lax.all_gather`. Allowed `to` "
            f"values are: {set(_GATHER_TO)}"
        )
    if to == "reduced":
        raise NotImplementedError("[all_gather] to='reduced' is not supported")
    names, groups = _axes(axis_name), _groups(axis_index_groups)
    if not names:
        return x
    size = _total_size(names, groups)

    def bind(leaf):
        return _bind["all_gather"](
            leaf,
            all_gather_dimension=canonical_axis(
                axis, ndim_of(leaf) + (not tiled)
            ),
            axis_name=names,
            axis_index_groups=groups,
            axis_size=size,
            tiled=tiled,
        )

    return tree_map(bind, x)


def psum_scatter(
    x,
    axis_name,
    *,
    scatter_dimension=0,
    axis_index_groups=None,
    tiled=False,
):
    """psum(x, axis_name) of which each element keeps its part of the dimension
    `scatter_dimension`; not tiled, a part is one entry and the dimension goes.
    """
    names, groups = _axes(axis_name), _groups(axis_index_groups)
    if not names:
        return x
    size = _total_size(names, groups)

    def bind(leaf):
        return _bind["reduce_scatter"](
            leaf,
            scatter_dimension=canonical_axis(scatter_dimension, ndim_of(leaf)),
            axis_name=names,
            axis_index_groups=groups,
            axis_size=size,
            tiled=tiled,
        )

    return tree_map(bind, x)


_CAST_TO = ("unreduced", "reduced", "varying")


def pcast(x, axis_name, *, to: str):
    """Changes how a value varies over axes of devices, which axes of `vmap`
    are not: always an error, as in JAX without shard_map."""
    if to not in _CAST_TO:
        raise ValueError(
            "Got unexpected `to` value. Allowed `to` values are: "
            f"{set(_CAST_TO)}"
        )
    if not _axes(axis_name):
        return x
    if to != "varying":
        raise NotImplementedError(f"[pcast] to={to!r} is not supported")
    raise ValueError(
        "pcast to 'varying' should be called under shard_map, which is not "
        "available"
    )
