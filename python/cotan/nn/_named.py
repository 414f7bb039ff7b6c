"""softmax and its kin over named axes: compositions of reductions that take
them."""

from __future__ import annotations

import numpy as np

from cotan import _core, lax
from cotan.numpy import reductions
from cotan.numpy._named import parted

mean = reductions.mean


def or_raise(error, axis):
    """Raises `error` unless there are names among the axes."""
    if parted(axis) is None:
        raise error


def _shifted(x, axis, where):
    """x minus its maximum, which is no matter of derivatives."""
    (x,) = _core.promote_inexact("softmax", [x])
    most = reductions.max(
        lax.stop_gradient(x),
        axis,
        keepdims=True,
        where=where,
        initial=None if where is None else -np.inf,
    )
    most = _core.where(lax.is_finite(most), most, 0.0)
    return x - most, most


def _exp(x, where):
    y = lax.exp(x)
    return y if where is None else _core.where(where, y, 0.0)


def softmax(x, axis, where):
    y = _exp(_shifted(x, axis, where)[0], where)
    return y / reductions.sum(y, axis, keepdims=True)


def log_softmax(x, axis, where):
    shifted, _ = _shifted(x, axis, where)
    total = reductions.sum(_exp(shifted, where), axis, keepdims=True)
    y = shifted - lax.log(total)
    return y if where is None else _core.where(where, y, -np.inf)


def logsumexp(a, axis, b, keepdims, return_sign, where):
    if b is not None:
        a, b = _core.promote_inexact("logsumexp", [a, b])
        where = lax.ne(b, 0) if where is None else where & lax.ne(b, 0)
    shifted, most = _shifted(a, axis, where)
    y = _exp(shifted, where)
    total = reductions.sum(y if b is None else y * b, axis, keepdims=True)
    sign = lax.sign(total)
    out = lax.log(lax.abs(total)) + most
    if b is not None and not return_sign:
        out = _core.where(sign < 0, np.nan, out)
    dims = [d % out.ndim for d in parted(axis)[0]]
    if not keepdims and dims:
        out, sign = lax.squeeze(out, dims), lax.squeeze(sign, dims)
    return (out, sign) if return_sign else out
