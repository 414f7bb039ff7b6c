"""Arrays of other libraries, through DLPack."""

from __future__ import annotations

import numpy as np

from cotan import _core
from cotan.numpy.creation import from_dlpack as _from_dlpack

__all__ = ["from_dlpack", "is_supported_dtype"]

_KINDS = "biufc"


def from_dlpack(external_array, device=None, copy=None):
    """The array of another library as a cotan Array.

    >>> cotan.dlpack.from_dlpack(np.arange(3.0, dtype="float32"))
    Array([0., 1., 2.], dtype=float32)
    """
    return _from_dlpack(external_array, device=device, copy=copy)


def is_supported_dtype(dtype) -> bool:
    """Whether arrays of the dtype can be exchanged."""
    if dtype is None:
        raise TypeError(f"Expected a string or dtype-like object; got {dtype=}")
    dtype = np.dtype(dtype)
    try:
        known = _core.dtype(dtype) == dtype
    except TypeError:
        return False
    return known and (dtype.kind in _KINDS or dtype.name == "bfloat16")
