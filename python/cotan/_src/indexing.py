"""`x[index]` and `x.at[index]`. The rules are in csrc/jnp/indexing.h."""

from __future__ import annotations

import dataclasses
import operator

import numpy as np

from cotan import _core, _dispatch, tree_util

# x[index]: static ints and slices, integer and boolean arrays, None, `...`.
# Reading outside the array gives its nearest element.
getitem = _core.getitem


@dataclasses.dataclass(frozen=True)
class Slice:
    """`size` elements from `start`, which may be a traced integer; see `ds`."""

    start: object
    size: int
    stride: int = 1

    def __post_init__(self):
        if self.stride < 0:
            raise ValueError("`stride` must be >= 0.")


def _flatten_slice(x):
    if isinstance(x.start, _dispatch.Tracer):
        return (x.start,), (None, x.size, x.stride)
    return (), (x.start, x.size, x.stride)


def _unflatten_slice(fixed, children):
    start, size, stride = fixed
    return Slice(children[0] if children else start, size, stride)


tree_util.register_pytree_node(Slice, _flatten_slice, _unflatten_slice)


def ds(start, size=None, stride=None):
    """An index like `start : start + size * stride : stride` whose start may
    be traced: the result has a static shape.

    ds(None) is `:`, ds(n) is `:n`. Reading clamps a window that reaches
    outside of the array; writing drops it.

    >>> f = cotan.jit(lambda x, i: x[cotan.ds(i, 2)])
    >>> f(cotan.numpy.arange(10), 4)
    Array([4, 5], dtype=int32)
    """
    if start is None:
        return slice(None)
    stride = 1 if stride is None else stride
    if not isinstance(stride, int):
        raise ValueError("Non-static stride in `dslice`")
    if size is None:
        start, size = 0, start
    if isinstance(size, _dispatch.Tracer):
        raise TypeError(
            f"the size of cotan.ds is a shape and must be static, got {size!r}"
        )
    size = operator.index(size)
    if size < 0:
        raise ValueError(f"the size of cotan.ds must not be negative: {size}")
    return Slice(start, size, stride)


class At:
    """`x.at[index]`: names a part of x, to read or to update.

    >>> cnp.zeros(3).at[1].set(5.0)
    Array([0., 5., 0.], dtype=float32)
    """

    __slots__ = ("array",)

    def __init__(self, array):
        self.array = array

    def __getitem__(self, index):
        return IndexUpdate(self.array, index)

    def __repr__(self):
        return f"At({self.array!r})"


def _occurrences(index) -> int:
    """How often an element can occur at most in x[index]."""
    parts = index if isinstance(index, tuple) else (index,)
    shapes = [
        np.shape(i)
        for i in parts
        if i is not None
        and i is not Ellipsis
        and not isinstance(i, (slice, Slice))
        and not (hasattr(i, "dtype") and i.dtype == bool)
    ]
    return int(np.prod(np.broadcast_shapes(*shapes), dtype=int))


class IndexUpdate:
    """A part of an array. Every method returns a new array of its dtype.

    Keyword arguments of all methods:
      mode: what happens outside the array. "drop" (default for updates) and
        "fill" (reading; fill_value), "clip", or "promise_in_bounds".
      indices_are_sorted, unique_indices: promises about index arrays.
      wrap_negative_indices: negative indices count from the end.
    """

    __slots__ = ("array", "index")

    def __init__(self, array, index):
        self.array, self.index = array, index

    def __repr__(self):
        return f"IndexUpdate({self.array!r}, {self.index!r})"

    def get(
        self,
        *,
        indices_are_sorted=False,
        unique_indices=False,
        mode=None,
        fill_value=None,
        out_sharding=None,
        wrap_negative_indices=True,
    ):
        """x[index], with a choice of what lies outside."""
        if type(fill_value) is int:
            from cotan.lax._types import sized

            fill_value = sized(fill_value, self.array.dtype)
        return _core.get_at(
            self.array,
            self.index,
            mode,
            fill_value,
            indices_are_sorted,
            unique_indices,
            wrap_negative_indices,
        )

    def _update(self, kind, values, options):
        return _core.set_at(
            kind,
            self.array,
            self.index,
            values,
            options.mode,
            options.indices_are_sorted,
            options.unique_indices,
            options.wrap_negative_indices,
        )

    def apply(self, func, **options):
        """x with func applied to x[index], as often as an index occurs."""
        o = _Options(**options)

        def once(x):
            at = IndexUpdate(x, self.index)
            old = at.get(
                mode="clip" if o.mode is None or o.mode == "drop" else o.mode,
                wrap_negative_indices=o.wrap_negative_indices,
            )
            return at._update("set", func(old), o)

        most = 1 if o.unique_indices else _occurrences(self.index)
        if most <= 1:
            return once(self.array)
        from cotan import lax
        from cotan.numpy import where, zeros

        count = zeros(self.array.shape, np.int32)
        count = IndexUpdate(count, self.index)._update("add", 1, o)

        def again(x):
            return lax.fori_loop(
                0, most, lambda k, x: where(count > k, once(x), x), x
            )

        # A loop of as many steps as there are indices, where any repeats.
        return lax.cond(count.max() > 1, again, once, self.array)

    def divide(self, values, **options):
        """x with x[index] divided by values."""
        from cotan.numpy import divide, ones_like

        scale = IndexUpdate(ones_like(self.array), self.index)
        return divide(
            self.array, scale._update("mul", values, _Options(**options))
        )

    def power(self, values, **options):
        """x with x[index] raised to values."""
        from cotan.numpy import ones_like, power

        exponent = IndexUpdate(ones_like(self.array), self.index)
        return power(
            self.array, exponent._update("mul", values, _Options(**options))
        )


class _Options:
    __slots__ = (
        "mode",
        "indices_are_sorted",
        "unique_indices",
        "wrap_negative_indices",
    )

    def __init__(
        self,
        *,
        indices_are_sorted=False,
        unique_indices=False,
        mode=None,
        out_sharding=None,
        wrap_negative_indices=True,
    ):
        self.mode = mode
        self.indices_are_sorted = indices_are_sorted
        self.unique_indices = unique_indices
        self.wrap_negative_indices = wrap_negative_indices


def _update_method(name, kind, doc):
    def update(
        self,
        values,
        *,
        indices_are_sorted=False,
        unique_indices=False,
        mode=None,
        out_sharding=None,
        wrap_negative_indices=True,
    ):
        if type(values) is int and values >> 31 not in (0, -1):
            # More than a default integer holds, not than the array's dtype.
            values = np.array(values, self.array.dtype)
        return _core.set_at(
            kind,
            self.array,
            self.index,
            values,
            mode,
            indices_are_sorted,
            unique_indices,
            wrap_negative_indices,
        )

    update.__name__ = name
    update.__qualname__ = f"IndexUpdate.{name}"
    update.__doc__ = doc
    return update


for _name, _kind, _doc in (
    ("set", "set", "x with x[index] replaced; of repeated indices one wins."),
    ("add", "add", "x with values added to x[index]; repeats accumulate."),
    ("subtract", "sub", "x with values subtracted from x[index]."),
    ("sub", "sub", "x with values subtracted from x[index]."),
    ("multiply", "mul", "x with x[index] multiplied by values."),
    ("mul", "mul", "x with x[index] multiplied by values."),
    ("min", "min", "x with the minimum of x[index] and values."),
    ("max", "max", "x with the maximum of x[index] and values."),
):
    setattr(IndexUpdate, _name, _update_method(_name, _kind, _doc))
