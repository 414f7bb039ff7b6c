"""Arrays to devices, to the host, and waiting for them."""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src.devices import as_device
from cotan.tree_util import tree_leaves, tree_map


def device_put(x, device=None, *, src=None, donate=False, may_alias=None):
    """Arrays on a device, from arrays, NumPy arrays and scalars in a tree.

    What is put on a device stays there, and so does what is computed from it;
    without a device arrays go to the default one.
    """
    del src, donate, may_alias
    target = None if device is None else as_device(device)

    def put(leaf):
        if not _dispatch.is_array(leaf):
            raise TypeError(
                f"Cannot interpret value of type {type(leaf)} as an array; it "
                "does not have a dtype attribute"
            )
        y = _core.strong(_dispatch.to_array(leaf))
        return y if target is None else _core.device_put(y, target)

    return tree_map(put, x)


def copy_to_host_async(x):
    """Starts copying the arrays of a pytree to the host; gives x itself.
    Leaves without such a method are left alone."""
    for leaf in tree_leaves(x):
        start = getattr(leaf, "copy_to_host_async", None)
        if start is not None:
            start()
    return x


def device_get(x):
    """NumPy arrays from arrays, in a tree. Typed keys, which NumPy has no
    dtype for, stay what they are."""

    def get(leaf):
        if isinstance(getattr(leaf, "dtype", None), dtypes.KeyDType):
            return leaf
        return (
            _dispatch.to_numpy(leaf)
            if isinstance(leaf, _dispatch.Array)
            else np.asarray(leaf)
            if _dispatch.is_array(leaf)
            else leaf
        )

    return tree_map(get, x)


def block_until_ready(x):
    """Waits until all arrays of a tree are computed; returns the tree."""
    for leaf in tree_leaves(x):
        wait = getattr(leaf, "block_until_ready", None)
        if wait is not None:
            wait()
    return x
