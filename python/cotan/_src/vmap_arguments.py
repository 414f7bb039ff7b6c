"""The arguments of vmap: which axes may be named, how large the mapped axis
is, and what is said otherwise."""

from __future__ import annotations

import collections
import inspect

import numpy as np

from cotan import _dispatch, tree_util
from cotan._src import avals
from cotan.tree_util import keystr, tree_flatten_with_path, tree_leaves

_POSITIONAL = (
    "vmap in_axes must be an int, None, or a tuple of entries corresponding "
    "to the positional arguments passed to the function, but got "
)


def _is_axis(x):
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def checked_axes(in_axes, out_axes):
    """in_axes, with a list at the top as a tuple."""
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if not (in_axes is None or type(in_axes) is tuple or _is_axis(in_axes)):
        raise TypeError(f"{_POSITIONAL}{in_axes}.")
    for name, axes in (("in_axes", in_axes), ("out_axes", out_axes)):
        if not all(map(_is_axis, tree_leaves(axes))):
            raise TypeError(
                f"vmap {name} must be an int, None, or (nested) container "
                f"with those types as leaves, but got {axes}."
            )
    return in_axes


def check_count(in_axes, args):
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise ValueError(
            f"{_POSITIONAL}len(in_axes)={len(in_axes)}, len(args)={len(args)}"
        )


def canonical_axis(axis, x, extra=0):
    """0 <= axis < the rank of x (and `extra`)."""
    ndim = x.ndim + extra
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"vmap was requested to map its argument along axis {axis}, which "
            f"implies that its rank should be at least "
            f"{axis + 1 if axis >= 0 else -axis}, but is only {ndim} (its "
            f"shape is {tuple(x.shape)})"
        )
    return int(axis) % ndim


class Operands:
    """The leaves of a call: arrays, mapped or not, and objects that are not
    mapped and reach the function as they are."""

    def __init__(self, leaves, axes):
        self._leaves = leaves
        self.arrays, self.dims = [], []
        for x, axis in zip(leaves, axes, strict=True):
            if not _dispatch.is_array(x):
                if axis is None:
                    continue
                raise TypeError(
                    f"Argument '{x!r}' of type {type(x)} is not a valid array "
                    "type for vmap"
                )
            x = _dispatch.to_array(x)
            self.arrays.append(x)
            self.dims.append(None if axis is None else canonical_axis(axis, x))

    def closed(self, flat):
        """flat on the arrays alone."""
        if len(self.arrays) == len(self._leaves):
            return flat

        def with_objects(values):
            it = iter(values)
            return flat(
                [next(it) if _dispatch.is_array(x) else x for x in self._leaves]
            )

        return with_objects

    def axis_size(self, fun, args, kwargs, axes, given):
        if not self._leaves and given is None:
            raise ValueError(
                "vmap wrapped function must be passed at least one argument "
                "containing an array or axis_size must be specified, got "
                f"empty *args={args} and **kwargs={kwargs}"
            )
        sizes = [
            x.shape[d]
            for x, d in zip(self.arrays, self.dims, strict=True)
            if d is not None
        ]
        distinct = {*sizes, *(() if given is None else (given,))}
        if len(distinct) == 1:
            return distinct.pop()
        if not distinct:
            raise ValueError(
                "vmap must have at least one non-None value in in_axes or "
                "axis_size must be specified"
            )
        raise ValueError(_sizes_text(fun, args, kwargs, axes, sizes, given))


def _argument_names(fun, args, kwargs):
    """How messages call the leaves: 'argument x[0] of type float32[2]'."""
    try:
        names = list(inspect.signature(fun).parameters)
    except (TypeError, ValueError):
        names = []

    def name(path):
        i = path[0].idx
        if i >= len(names):
            return f"args{keystr(path)}"
        return f"argument {names[i]}{keystr(path[1:])}"

    def type_of(x):
        if not _dispatch.is_array(x):
            return "unknown"
        dtype, shape, _ = avals.leaf_aval(x)
        return avals.ShapedArray(shape, dtype).str_short()

    found = [
        f"{name(path)} of type {type_of(x)}"
        for path, x in tree_flatten_with_path(args)[0]
    ]
    return found + [
        f"kwargs{keystr(path)} of type {type_of(x)}"
        for path, x in tree_flatten_with_path(kwargs)[0]
    ]


def _sizes_text(fun, args, kwargs, axes, sizes, given):
    mapped = [
        (name, axis)
        for name, axis in zip(
            _argument_names(fun, args, kwargs), axes, strict=True
        )
        if axis is not None
    ]
    lines = [] if given is None else [f"the `axis_size` argument was {given}"]
    counts = collections.Counter(sizes).most_common()
    for k, (size, count) in enumerate(counts):
        name, axis = mapped[sizes.index(size)]
        if count == 1:
            lines.append(f"one axis had size {size}: axis {axis} of {name}")
        else:
            many = "some" if k else "most"
            lines.append(
                f"{many} axes ({count} of them) had size {size}, e.g. axis "
                f"{axis} of {name}"
            )
    head = "vmap got inconsistent sizes for array axes to be mapped:\n"
    return head + ";\n".join(f"  * {line}" for line in lines)


def unmapped_output_error(i, out_tree, out_axes, dim, axis_name):
    """An output that depends on the mapped axis, where out_axes has None."""
    if axis_name is not None:
        return ValueError(
            f"vmap has mapped output (axis_name={axis_name}) but out_axes is "
            "None"
        )
    full = tree_util.tree_unflatten(out_tree, out_axes)
    paths, _ = tree_flatten_with_path(full, is_leaf=lambda x: x is None)
    return ValueError(
        f"at vmap out_axes{keystr(paths[i][0])}, got axis spec None but "
        f"output was batched on axis {dim}"
    )


def docstring(fun):
    name = getattr(fun, "__name__", repr(fun))
    text = (
        f"Vectorized version of {name}. Takes similar arguments as {name} but "
        f"with additional array axes over which {name} is mapped."
    )
    doc = getattr(fun, "__doc__", None)
    return f"{text}\n\nOriginal documentation:\n\n{doc}" if doc else text
