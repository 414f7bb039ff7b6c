"""Arrays to devices, to the host, and waiting for them."""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src.devices import as_device
from cotan._tree_prefix import broadcast_prefix, prefix_errors
from cotan.tree_util import (
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_unflatten,
)


def device_put(x, device=None, *, src=None, donate=False, may_alias=None):
    """Arrays on a device, from arrays, NumPy arrays and scalars in a tree.

    What is put on a device stays there, and so does what is computed from it;
    without a device arrays go to the default one. `device` may be a tree, a
    prefix of x, with None for the default device.
    """
    del src, donate, may_alias

    def put(leaf, target):
        if not _dispatch.is_array(leaf):
            raise TypeError(
                f"Cannot interpret value of type {type(leaf)} as an array; it "
                "does not have a dtype attribute"
            )
        y = _core.strong(_dispatch.to_array(leaf))
        return y if target is None else _core.device_put(y, target)

    leaves, tree = tree_flatten(x)
    if _is_place(device):
        target = None if device is None else as_device(device)
        targets = [target] * len(leaves)
    else:
        targets = _devices_of_leaves(device, x, tree)
    return tree_unflatten(tree, list(map(put, leaves, targets)))


def _is_place(x) -> bool:
    return not isinstance(x, (list, tuple, dict))


def _devices_of_leaves(devices, x, tree):
    errors = prefix_errors(devices, x, _is_place)
    if errors:
        name = "device_put device"
        details = "\n  ".join(e(name).args[0] for e in errors)
        raise ValueError(
            f"{name} specification must be a tree prefix of the corresponding "
            f"value; got specification {devices} for value tree {tree}.\n"
            f"  Mismatch details ({len(errors)} found):\n  {details}"
        )
    spread = broadcast_prefix(devices, x, _is_place)
    return [None if d is None else as_device(d) for d in spread]


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
