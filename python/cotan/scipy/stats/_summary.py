"""Summaries of samples: mode, ranks, standard error of the mean."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

import cotan.numpy as cnp
from cotan import _core, _dispatch, dtypes, lax
from cotan._src.api import vmap
from cotan.scipy.stats._common import promoted

_POLICIES = ("propagate", "omit", "raise")


class ModeResult(NamedTuple):
    """The most frequent values and how often they occur."""

    mode: _dispatch.Array
    count: _dispatch.Array


def _check_nan_policy(name: str, policy: str) -> None:
    if policy not in _POLICIES:
        raise ValueError(
            f"Illegal nan_policy value {policy!r}; expected one of "
            "{'propagate', 'omit', 'raise'}"
        )
    if policy == "omit":
        raise NotImplementedError(
            f"Logic for `nan_policy` of {policy} is not implemented"
        )
    if policy == "raise":
        raise NotImplementedError(
            f"In order to best JIT compile `{name}`, we cannot know whether "
            "`x` contains nans. Please check if nans exist in `x` outside of "
            f"the `{name}` function."
        )


def _mode_of_vector(x):
    if not x.size:
        float_type = dtypes.canonicalize_dtype(float)
        return cnp.array(np.nan, float_type), cnp.array(0, float_type)
    values, counts = cnp.unique(x, return_counts=True, size=x.size)
    return values[cnp.argmax(counts)], counts.max()


def mode(a, axis=0, nan_policy="propagate", keepdims=False):
    """The most frequent value along `axis` (None: of all), the smallest of
    several, and its count.

    >>> cotan.scipy.stats.mode(cnp.array([2, 4, 1, 1, 3])).mode
    Array(1, dtype=int32)
    """
    x = cnp.atleast_1d(a)
    _check_nan_policy("mode", nan_policy)
    shape = x.shape
    if axis is None:
        kept = (1,) * x.ndim if keepdims else ()
        axis, x = 0, x.ravel()
    else:
        axis = range(x.ndim)[axis]
        kept = (*shape[:axis], *((1,) * keepdims), *shape[axis + 1 :])
    x = cnp.moveaxis(x, axis, 0)
    x = x.reshape(x.shape[0], math.prod(x.shape[1:]))
    values, counts = vmap(_mode_of_vector, in_axes=1)(x)
    return ModeResult(values.reshape(kept), counts.reshape(kept))


def _ranks(a, method: str):
    dtype = dtypes.canonicalize_dtype(float)
    order = cnp.argsort(a)
    values = a[order]
    inverse = (
        cnp.zeros_like(order)
        .at[order]
        .set(cnp.arange(a.size, dtype=order.dtype))
    )
    if method == "ordinal":
        return (inverse + 1).astype(dtype)
    new = cnp.concatenate([cnp.ones(1, bool), values[1:] != values[:-1]])
    dense = cnp.cumsum(new)[inverse]
    if method == "dense":
        return dense.astype(dtype)
    # starts[i]: how many elements are less than the i-th distinct value.
    starts = cnp.nonzero(new, size=a.size + 1, fill_value=a.size)[0]
    starts = starts.astype(dtype)
    if method == "max":
        return starts[dense]
    if method == "min":
        return starts[dense - 1] + 1
    return 0.5 * (starts[dense] + starts[dense - 1] + 1)


def rankdata(a, method="average", *, axis=None, nan_policy="propagate"):
    """The ranks of the elements, from 1; equal ones share a rank by `method`:
    average, min, max, dense or ordinal. A nan makes all of them nan.

    >>> cotan.scipy.stats.rankdata(cnp.array([0, 2, 3, 2]))
    Array([1. , 2.5, 4. , 2.5], dtype=float32)
    """
    a = _core.promote("rankdata", [a])[0]
    _check_nan_policy("rankdata", nan_policy)
    if method not in ("average", "min", "max", "dense", "ordinal"):
        raise ValueError(f"unknown method '{method}'")
    if axis is not None:
        return cnp.apply_along_axis(rankdata, axis, a, method)
    a = cnp.ravel(a)
    if not a.size:
        return cnp.zeros(0, float)
    return cnp.where(cnp.any(cnp.isnan(a)), np.nan, _ranks(a, method))


def sem(a, axis=0, ddof=1, nan_policy="propagate", *, keepdims=False):
    """The standard error of the mean along `axis`."""
    (b,) = promoted("sem", a)
    if nan_policy == "propagate":
        size = b.size if axis is None else b.shape[axis]
        spread = b.std(axis, ddof=ddof, keepdims=keepdims)
        return spread / cnp.sqrt(size).astype(b.dtype)
    if nan_policy == "omit":
        count = (~cnp.isnan(b)).sum(axis, keepdims=keepdims)
        spread = cnp.nanstd(b, axis, ddof=ddof, keepdims=keepdims)
        return spread / lax.sqrt(count.astype(b.dtype))
    raise ValueError(f"{nan_policy} is not supported")
