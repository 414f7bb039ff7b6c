"""The methods of Array that are functions of cotan.numpy."""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch, lax
from cotan._src import devices, indexing
from cotan.dtypes import KeyDType
from cotan.numpy import elementwise, reductions, shaping, sorting
from cotan.numpy import indexing as index_functions
from cotan.numpy.products import dot


def _reshape(self, *args, order="C", copy=None, out_sharding=None):
    """x.reshape(2, 3) or x.reshape((2, 3))."""
    shape = args[0] if len(args) == 1 else args
    if order == "C":
        return _core.np_reshape(self, shape, False)
    return shaping.reshape(self, shape, order)


def _transpose(self, *args):
    """x.transpose(), x.transpose(1, 0) or x.transpose((1, 0))."""
    if not args:
        axes = None
    elif len(args) == 1:
        axes = args[0]
    else:
        axes = args
    return _core.np_transpose(self, axes)


def _astype(self, dtype, copy=False, device=None):
    """x with its elements converted to a dtype."""
    dtype = float if dtype is None else dtype
    if isinstance(self.dtype, KeyDType) and not isinstance(dtype, KeyDType):
        raise NotImplementedError(
            f"[astype] {self.dtype} has no conversion to numbers; use "
            "random.key_data"
        )
    if (
        getattr(self.dtype, "kind", "") == "c"
        and not np.issubdtype(_core.dtype(dtype), np.complexfloating)
        and _core.dtype(dtype).kind != "b"
    ):
        import warnings

        warnings.warn(
            "Casting from complex to real dtypes will discard the imaginary "
            "part.",
            np.exceptions.ComplexWarning,
            stacklevel=2,
        )
        self = elementwise.real(self)
    out = _core.np_astype(self, dtype)
    if copy and out.dtype == self.dtype:
        out = _core.copy(out)
    return devices.placed(out, device)


def _flatten(self, order="C", *, out_sharding=None):
    """The elements as a rank-1 array."""
    return shaping.ravel(self, order)


def _view(self, dtype=None, type=None):
    """The same bytes as another dtype, along the last axis."""
    if type is not None:
        raise NotImplementedError("`type` argument of array.view()")
    if dtype is None:
        return self
    target = _core.np_user_dtype(dtype, "view")
    if self.ndim == 0 and self.dtype.itemsize != target.itemsize:
        raise ValueError(
            "view() of a 0d array is only supported if the itemsize is "
            "unchanged."
        )
    old, new = self.dtype.itemsize, target.itemsize
    if self.dtype == target:
        return self
    if old < new:
        if self.shape[-1] * old % new:
            raise ValueError(
                "When changing to a larger dtype, its size must be a divisor "
                "of the total size in bytes of the last axis of the array."
            )
    if "c" in (self.dtype.kind, target.kind):
        return _view_complex(self, target)
    if old < new:
        k = new // old
        self = self.reshape(*self.shape[:-1], self.shape[-1] // k, k)
    if self.dtype.kind == "b":
        self = self.astype(np.uint8)
    as_bool = target.kind == "b"
    out = _core.bitcast_convert(self, np.dtype(np.uint8) if as_bool else target)
    if old > new:
        *rest, n, k = out.shape
        out = out.reshape(*rest, n * k)
    return out != 0 if as_bool else out


def _halves(x):
    """Complex numbers as the real numbers next to each other in memory."""
    pairs = _core.np_stack((elementwise.real(x), elementwise.imag(x)), -1)
    *rest, n, k = pairs.shape if x.ndim else (1, 2)
    return pairs.reshape(*rest, n * k)


def _view_complex(x, target):
    """`view` where one of the two dtypes is complex."""
    shape = x.shape
    if x.dtype.kind == "c":
        x = _halves(x)
    elif not shape:
        x = x.reshape(1)
    if target.kind != "c":
        out = _view(x, target)
    else:
        out = _view(x, np.dtype(f"f{target.itemsize // 2}"))
        out = elementwise._lax("complex")(out[..., ::2], out[..., 1::2])
    return out if shape else out.reshape(())


def _clip(self, min=None, max=None):
    """The nearest values in [min, max]."""
    return elementwise.clip(self, min, max)


def _T(self):
    return _core.np_transpose(self, None)


def _nonzero(self, *, fill_value=None, size=None):
    """`cotan.numpy.nonzero`."""
    return index_functions.nonzero(self, size=size, fill_value=fill_value)


def _to_device(self, device, *, stream=None):
    """The array on a device, for good."""
    return _core.device_put(self, devices.as_device(device))


def _copy(self):
    """A copy, which stays valid when this array is deleted or donated."""
    return _core.copy(self)


def _round(self, decimals=0, out=None):
    """`cotan.numpy.round`."""
    return elementwise.round(self, decimals, out)


def _std(
    self,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    *,
    where=None,
    correction=None,
):
    """`cotan.numpy.std`."""
    return reductions.std(
        self,
        axis,
        dtype,
        out,
        ddof,
        keepdims,
        where=where,
        correction=correction,
    )


def _var(
    self,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    *,
    where=None,
    correction=None,
):
    """`cotan.numpy.var`."""
    return reductions.var(
        self,
        axis,
        dtype,
        out,
        ddof,
        keepdims,
        where=where,
        correction=correction,
    )


def _argsort(
    self, axis=-1, *, kind=None, order=None, stable=True, descending=False
):
    """`cotan.numpy.argsort`."""
    return sorting.argsort(
        self,
        axis,
        kind=kind,
        order=order,
        stable=stable,
        descending=descending,
    )


def _sort(
    self, axis=-1, *, kind=None, order=None, stable=True, descending=False
):
    """`cotan.numpy.sort`; returns a new array."""
    return sorting.sort(
        self,
        axis,
        kind=kind,
        order=order,
        stable=stable,
        descending=descending,
    )


def _take(
    self,
    indices,
    axis=None,
    out=None,
    mode=None,
    unique_indices=False,
    indices_are_sorted=False,
    fill_value=None,
):
    """`cotan.numpy.take`."""
    return index_functions.take(
        self,
        indices,
        axis,
        out,
        mode,
        unique_indices,
        indices_are_sorted,
        fill_value,
    )


def _byteswap(self):
    """x with the bytes of each element reversed."""
    if self.dtype.kind == "c":
        parts = (elementwise.real(self), elementwise.imag(self))
        return lax.complex(*map(_byteswap, parts))
    if self.dtype.itemsize == 1:
        return self
    octets = lax.bitcast_convert_type(self, np.uint8)
    octets = lax.rev(octets, (octets.ndim - 1,))
    return lax.bitcast_convert_type(octets, self.dtype)


def _addressable_data(self, index):
    """The part on the index-th device: there is one."""
    if index:
        raise IndexError(f"{index} of 1 shards")
    return self


def _flat(self):
    raise NotImplementedError(
        "arrays have no flat: consider x.flatten() instead"
    )


def install():
    """Registers the methods; called when cotan.numpy is imported."""
    _dispatch.set_implementation(
        {
            "getitem": indexing.getitem,
            "addressable_data": _addressable_data,
            "all": reductions.all,
            "any": reductions.any,
            "argmax": reductions.argmax,
            "argmin": reductions.argmin,
            "argpartition": sorting.argpartition,
            "argsort": _argsort,
            "astype": _astype,
            "byteswap": _byteswap,
            "choose": index_functions.choose,
            "clip": _clip,
            "clone": _copy,
            "compress": lambda self, condition, axis=None, **k: (
                index_functions.compress(condition, self, axis, **k)
            ),
            "conj": elementwise.conj,
            "conjugate": elementwise.conj,
            "copy": _copy,
            "cumprod": reductions.cumprod,
            "cumsum": reductions.cumsum,
            "diagonal": index_functions.diagonal,
            "dot": dot,
            "flatten": _flatten,
            "max": reductions.max,
            "mean": reductions.mean,
            "min": reductions.min,
            "nonzero": _nonzero,
            "on_device_size_in_bytes": lambda self: self.nbytes,
            "platform": lambda self: self.device.platform,
            "prod": reductions.prod,
            "ptp": reductions.ptp,
            "ravel": shaping.ravel,
            "repeat": shaping.repeat,
            "reshape": _reshape,
            "round": _round,
            "searchsorted": sorting.searchsorted,
            "sort": _sort,
            "squeeze": shaping.squeeze,
            "std": _std,
            "sum": reductions.sum,
            "swapaxes": shaping.swapaxes,
            "take": _take,
            "to_device": _to_device,
            "trace": index_functions.trace,
            "transpose": _transpose,
            "var": _var,
            "view": _view,
            "T": property(_T),
            "flat": property(_flat),
            "is_fully_replicated": property(lambda self: True),
            "mT": property(shaping.matrix_transpose),
            "real": property(elementwise.real),
            "imag": property(elementwise.imag),
            "at": property(indexing.At),
        }
    )
