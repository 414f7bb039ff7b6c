"""Arrays of other libraries without a copy, by the DLPack protocol.

The other way, any library's own `from_dlpack` takes an Array.
"""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch
from cotan._dispatch import Array
from cotan._src.devices import as_device, placed

__all__ = ["from_dlpack", "is_supported_dtype"]

_KINDS = "biufc"


def from_dlpack(external_array, device=None, copy=None) -> Array:
    """An Array on the memory of an object with `__dlpack__`.

    The memory is shared where it is on the CPU, row-major and of a dtype that
    cotan has (64-bit types need x64), else copied; whoever shares memory must
    not write to it while the Array is in use. copy=True always copies,
    copy=False raises a ValueError instead of copying.

    >>> cotan.dlpack.from_dlpack(np.arange(3.0, dtype="float32"))
    Array([0., 1., 2.], dtype=float32)
    """
    x = external_array
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise TypeError(
            "The array passed to from_dlpack must have __dlpack__ and "
            f"__dlpack_device__ methods, got {type(x).__name__}."
        )
    kind, _ = x.__dlpack_device__()
    if int(kind) != 1:
        raise ValueError(
            f"[from_dlpack] only CPU memory can be shared, got a "
            f"{type(x).__name__} on DLPack device type {int(kind)}"
        )
    target = None if device is None else as_device(device)
    elsewhere = target is not None and target.platform != "cpu"
    if elsewhere and copy is False:
        raise ValueError(
            f"[from_dlpack] copy=False, but the memory is not that of {target}"
        )
    try:
        capsule = x.__dlpack__(max_version=(1, 0))
    except TypeError:  # a producer of before 2024
        capsule = x.__dlpack__()
    y, copied = _core.dlpack_import(capsule)
    if copied and copy is False:
        raise ValueError(
            "[from_dlpack] copy=False, but the memory cannot be shared: it is "
            "not row-major, not aligned, or of a dtype that x64 being off "
            "narrows"
        )
    if copy and not copied and not elsewhere:
        y = _dispatch.to_array(np.array(_dispatch.to_numpy(y)))
    return placed(y, target)


def is_supported_dtype(dtype) -> bool:
    """Whether arrays of the dtype can be exchanged."""
    if dtype is None:
        raise TypeError(f"Expected a string or dtype-like object; got {dtype=}")
    try:
        known = _core.dtype(dtype)
        same = known == np.dtype(dtype)
    except TypeError:  # of keys, too
        return False
    return same and (known.kind in _KINDS or known.name == "bfloat16")
