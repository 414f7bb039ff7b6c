"""Pytrees as vectors."""

from __future__ import annotations

import math

import numpy as np

from cotan import _core, _dispatch, lax
from cotan.tree_util import tree_flatten, tree_unflatten

__all__ = ["ravel_pytree"]


class _Unravel:
    """Rebuilds a pytree from the vector that ravel_pytree made."""

    def __init__(self, treedef, shapes, dtypes, dtype):
        self._key = (treedef, tuple(shapes), tuple(dtypes), dtype)

    def __call__(self, flat):
        treedef, shapes, dtypes, dtype = self._key
        flat = _dispatch.to_array(flat)
        sizes = [math.prod(s) for s in shapes]
        if flat.shape != (sum(sizes),):
            raise ValueError(
                f"[unravel] the vector must have shape ({sum(sizes)},), got "
                f"{flat.shape}"
            )
        mixed = any(d != dtype for d in dtypes)
        if mixed and flat.dtype != dtype:
            raise TypeError(
                f"unravel function given array of dtype {flat.dtype}, but "
                f"expected dtype {dtype}"
            )
        leaves = []
        for x, shape, d in zip(
            lax.split(flat, sizes), shapes, dtypes, strict=True
        ):
            x = _core.reshape(x, shape)
            leaves.append(_core.convert(x, d, False) if mixed else x)
        return tree_unflatten(treedef, leaves)

    def __eq__(self, other):
        return isinstance(other, _Unravel) and self._key == other._key

    def __hash__(self):
        return hash(self._key)


def ravel_pytree(pytree):
    """(vector of all elements, function that makes the pytree from one).

    Dtypes are promoted to a common one, and restored on the way back.

    >>> tree = {"a": 1.0, "b": np.ones(2)}
    >>> v, unravel = cotan.flatten_util.ravel_pytree(tree)
    >>> v
    Array([1., 1., 1.], dtype=float32)
    """
    leaves, treedef = tree_flatten(pytree)
    if not leaves:
        empty = _core.full((0,), 0, np.float32, False)
        return empty, _Unravel(treedef, (), (), empty.dtype)
    arrays = [_dispatch.to_array(x) for x in leaves]
    dtypes = [x.dtype for x in arrays]
    dtype = _core.result_type(tuple(dtypes))[0]
    flat = [
        _core.reshape(_core.convert(x, dtype, False), (x.size,)) for x in arrays
    ]
    unravel = _Unravel(treedef, [x.shape for x in arrays], dtypes, dtype)
    return _core.concatenate(flat, 0), unravel
