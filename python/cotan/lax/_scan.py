"""associative_scan: prefix combinations by recursive doubling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cotan import _core, _dispatch, tree_util
from cotan.lax._types import canonical_axis

__all__ = [
    "after_all",
    "create_token",
    "associative_scan",
    "optimization_barrier",
    "with_sharding_constraint",
]


def associative_scan(fn: Callable, elems, reverse: bool = False, axis: int = 0):
    """The running combination of elements along `axis`.

    fn: associative and vectorised function of two pytrees like `elems`;
    log2(n) rounds of it.

    >>> cotan.lax.associative_scan(cotan.lax.add, cnp.arange(4))
    Array([0, 1, 3, 6], dtype=int32)
    """
    if not callable(fn):
        raise TypeError("lax.associative_scan: fn argument should be callable.")
    flat, tree = tree_util.tree_flatten(elems)
    flat = [_dispatch.to_array(x) for x in flat]
    if not flat:
        return elems
    axis = canonical_axis(axis, flat[0].ndim)
    if reverse:
        flat = [_core.rev(x, (axis,)) for x in flat]

    def combine(a, b):
        out = fn(
            tree_util.tree_unflatten(tree, a), tree_util.tree_unflatten(tree, b)
        )
        return [_dispatch.to_array(x) for x in tree_util.tree_leaves(out)]

    n = flat[0].shape[axis]
    if any(x.shape[axis] != n for x in flat):
        raise ValueError(
            "Array inputs to associative_scan must have the same first "
            f"dimension. (saw: {[x.shape for x in flat]})"
        )
    out = _prefix(combine, flat, axis)
    if reverse:
        out = [_core.rev(x, (axis,)) for x in out]
    return tree_util.tree_unflatten(tree, out)


def _every_other(x, start, limit, axis):
    starts, limits = [0] * x.ndim, list(x.shape)
    strides = [1] * x.ndim
    starts[axis], limits[axis], strides[axis] = start, limit, 2
    return _core.slice(x, starts, limits, strides)


def _prefix(combine, xs, axis):
    n = xs[0].shape[axis]
    if n < 2:
        return xs
    pairs = combine(
        [_every_other(x, 0, n - 1, axis) for x in xs],
        [_every_other(x, 1, n, axis) for x in xs],
    )
    odd = _prefix(combine, pairs, axis)
    before = odd
    if n % 2 == 0:
        m = odd[0].shape[axis]
        before = [_core.slice_axis(x, axis, 0, m - 1) for x in odd]
    rest = [_every_other(x, 2, n, axis) for x in xs]
    even = combine(before, rest) if rest[0].shape[axis] else []
    first = [_core.slice_axis(x, axis, 0, 1) for x in xs]
    even = (
        [
            _core.concatenate([a, b], axis)
            for a, b in zip(first, even, strict=True)
        ]
        if even
        else first
    )
    return [_interleave(a, b, axis) for a, b in zip(even, odd, strict=True)]


def _interleave(a, b, axis):
    """a[0], b[0], a[1], b[1], ...; a may have one more."""
    n, m = a.shape[axis], b.shape[axis]
    head = a if n == m else _core.slice_axis(a, axis, 0, m)
    both = _core.concatenate(
        [_core.expand_dims(x, (axis + 1,)) for x in (head, b)], axis + 1
    )
    shape = list(a.shape)
    shape[axis] = 2 * m
    out = _core.reshape(both, shape)
    if n != m:
        rest = _core.slice_axis(a, axis, m, n)
        out = _core.concatenate([out, rest], axis)
    return _core.strong(out)


def optimization_barrier(operand, /):
    """The operand, a pytree; the compiler merges nothing across."""
    leaves, tree = tree_util.tree_flatten(operand)
    out = _dispatch.barrier_flat([_dispatch.to_array(x) for x in leaves])
    return tree_util.tree_unflatten(tree, out)


def create_token(_=None):
    """A value that carries nothing but an order: bool[0].

    What depends on it comes after what it depends on. Effects have the order
    of the program without tokens; these are for code that passes them along.
    """
    return _core.np_full((0,), False, bool, "create_token")


def after_all(*operands):
    """One token that comes after all of these."""
    for x in operands:
        aval = _dispatch.aval_of(x)
        if aval[:2] != (np.dtype(bool), (0,)):
            raise TypeError(
                "Arguments to after_all must be tokens, as create_token makes "
                f"them; got {aval[0].name}{list(aval[1])}"
            )
    if not operands:
        return create_token()
    return optimization_barrier(tuple(operands))[0]


def with_sharding_constraint(x, shardings):
    """x: there is one device."""
    del shardings
    return x
