"""softmax and its kin, standardize, one_hot, attention."""

from __future__ import annotations

import functools
import warnings

import numpy as np

from cotan import _core, _dispatch, dtypes, lax
from cotan.lax._types import (
    canonical_axes,
    canonical_axis,
    static_int,
    user_dtype,
)
from cotan.nn import _named

__all__ = [
    "dot_product_attention",
    "log_softmax",
    "logmeanexp",
    "logsumexp",
    "one_hot",
    "softmax",
    "standardize",
]


def _array(x, name: str):
    if not _dispatch.is_array(x):
        raise TypeError(
            f"{name} requires ndarray or scalar arguments, got {type(x)} at "
            "position 0."
        )
    return _dispatch.to_array(x)


def softmax(x, axis=-1, where=None):
    """exp(x) normalised to sum 1 over `axis` (an int, several, or None: all).

    where: bool array; elements where it is false count as absent and give 0.
    """
    x = _array(x, "softmax")
    try:
        axes = canonical_axes(axis, x.ndim)
    except TypeError as e:
        _named.or_raise(e, axis)
        return _named.softmax(x, axis, where)
    return _core.softmax(x, axes, where)


def log_softmax(x, axis=-1, where=None):
    """log(softmax(x)), accurate for small probabilities."""
    x = _array(x, "log_softmax")
    try:
        axes = canonical_axes(axis, x.ndim)
    except TypeError as e:
        _named.or_raise(e, axis)
        return _named.log_softmax(x, axis, where)
    return _core.log_softmax(x, axes, where)


def logsumexp(
    a,
    axis=None,
    b=None,
    keepdims: bool = False,
    return_sign: bool = False,
    where=None,
):
    """log(sum(b * exp(a))) over `axis`, without overflow.

    Args:
      a: array.
      axis: axis or axes; None: all.
      b: factors, of any sign, that broadcast with a.
      keepdims: keep reduced axes with size 1.
      return_sign: also give the sign of the sum; the logarithm is then of its
        absolute value (otherwise nan if it is negative).
      where: bool array of the elements that count.
    """
    a = _array(a, "logsumexp")
    ndim = a.ndim
    if b is not None:
        ndim = max(ndim, _dispatch.to_array(b).ndim)
    try:
        axes = canonical_axes(axis, ndim)
    except TypeError as e:
        _named.or_raise(e, axis)
        return _named.logsumexp(a, axis, b, keepdims, return_sign, where)
    return _core.logsumexp(a, axes, keepdims, b, where, return_sign)


def _count(x, axes, where, keepdims, dtype):
    if where is None:
        n = int(np.prod([x.shape[d] for d in axes], dtype=np.int64))
        return _core.full((), n, dtype, True)
    mask = _core.convert(_core.broadcast_to(where, x.shape), dtype, False)
    n = _core.reduce(mask, "sum", axes)
    return _core.expand_dims(n, axes) if keepdims else n


def logmeanexp(x, axis=None, where=None, keepdims: bool = False):
    """log(mean(exp(x))) over `axis`, without overflow."""
    x = _array(x, "logmeanexp")
    axes = canonical_axes(axis, x.ndim)
    total = logsumexp(x, axes, keepdims=keepdims, where=where)
    return lax.sub(
        total, lax.log(_count(x, axes, where, keepdims, total.dtype))
    )


def _mean(x, axes, where):
    if where is not None:
        x = _core.where(where, x, 0)
    total = _core.expand_dims(_core.reduce(x, "sum", axes), axes)
    return total / _count(x, axes, where, True, x.dtype)


def standardize(
    x,
    axis=-1,
    mean=None,
    variance=None,
    epsilon=1e-5,
    where=None,
    *,
    algorithm: str = "fast",
):
    """(x - mean) / sqrt(variance + epsilon), both over `axis`.

    algorithm: "fast" takes the variance as mean(x^2) - mean^2, "stable" as
    mean((x - mean)^2).
    """
    x = _array(x, "standardize")
    (x,) = _core.promote_inexact("standardize", [x])
    x = _core.strong(x)
    try:
        axes = canonical_axes(axis, x.ndim)
        mean_of = functools.partial(_mean, axes=axes, where=where)
    except TypeError as e:
        _named.or_raise(e, axis)
        mean_of = functools.partial(
            _named.mean, axis=axis, where=where, keepdims=True
        )
    if mean is None:
        mean = mean_of(x)
    if variance is None:
        if algorithm == "stable":
            variance = mean_of(lax.square(x - mean))
        elif algorithm == "fast":
            square = _dispatch.to_array(mean) * mean
            variance = mean_of(lax.square(x)) - square
            variance = lax.max(variance, 0.0)
        else:
            raise ValueError(
                f"Unknown algorithm '{algorithm}'. Expected 'fast' or 'stable'."
            )
    return (x - mean) * lax.rsqrt(_dispatch.to_array(variance) + epsilon)


def one_hot(x, num_classes: int, *, dtype=None, axis: int = -1):
    """1 at position x of a new axis of size num_classes, else 0; all 0 where
    x is out of range.

    >>> cotan.nn.one_hot(np.array([0, 2]), 3, dtype=np.int32)
    Array([[1, 0, 0],
           [0, 0, 1]], dtype=int32)
    """
    from cotan.numpy import asarray

    n = static_int(
        num_classes,
        "The error arose in jax.nn.one_hot argument `num_classes`",
    )
    x = asarray(x)
    if not dtypes.issubdtype(x.dtype, np.integer):
        warnings.warn(
            "jax.nn.one_hot input should be integer-typed; got "
            f"dtype={x.dtype}",
            DeprecationWarning,
            stacklevel=2,
        )
    if not isinstance(axis, int):
        raise NotImplementedError("[one_hot] named axes are not available yet")
    axis = canonical_axis(axis, x.ndim + 1)
    shape = [*x.shape]
    shape.insert(axis, n)
    column = _core.broadcast_to(_core.expand_dims(x, (axis,)), shape)
    hit = lax.eq(column, _core.iota(x.dtype, shape, axis))
    dtype = user_dtype(float if dtype is None else dtype, "one_hot")
    return _core.convert(hit, dtype, False)


# ---- attention


def _causal(t: int, s: int):
    rows = _core.iota(np.int32, (1, 1, t, s), 2)
    return lax.ge(rows, _core.iota(np.int32, (1, 1, t, s), 3))


def _window(t: int, s: int, left: int, right: int):
    rows = _core.iota(np.int32, (1, 1, t, s), 2)
    columns = _core.iota(np.int32, (1, 1, t, s), 3)
    return lax.le(rows, columns + left) & lax.ge(rows, columns - right)


def _before(lengths, b: int, n: int, axis: int):
    """Positions below each sequence's length: [b, 1, t, 1] or [b, 1, 1, s]."""
    shape = [b, 1, 1, 1]
    shape[axis] = n
    lengths = _core.broadcast_in_dim(lengths, shape, (0,))
    return lax.lt(_core.iota(lengths.dtype, shape, axis), lengths)


def dot_product_attention(
    query,
    key,
    value,
    bias=None,
    mask=None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths=None,
    key_value_seq_lengths=None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: str | None = None,
    return_residual: bool = False,
):
    """softmax(query key^T * scale + bias) value, per head.

    Args:
      query: [batch, t, heads, depth] (batch may be left out).
      key, value: [batch, s, kv heads, depth]; kv heads divides heads.
      bias: added to the logits, broadcast to [batch, heads, t, s].
      mask: bool, same shape; logits count where it is true.
      scale: 1 / sqrt(depth) if None.
      is_causal: position i sees positions up to i.
      query_seq_lengths, key_value_seq_lengths: int32[batch].
      local_window_size: how many positions to the left and right are seen.
      return_residual: also give the logsumexp of the logits [batch, t, heads].
    """
    if implementation not in (None, "xla"):
        raise NotImplementedError(
            f"[dot_product_attention] implementation {implementation!r} is "
            "not available; use None"
        )

    def four(x):
        x = _dispatch.to_array(x)
        return _core.expand_dims(x, range(4 - x.ndim)) if x.ndim < 4 else x

    out_shape = _dispatch.to_array(query).shape
    q, k, v = four(query), four(key), four(value)
    b, s, kv, h = k.shape
    t, n = q.shape[1], q.shape[2]
    if v.shape != k.shape or (q.shape[0], q.shape[3]) != (b, h):
        raise ValueError(
            "[dot_product_attention] shapes do not fit: query "
            f"{q.shape}, key {k.shape}, value {v.shape}"
        )
    if q.dtype != k.dtype or v.dtype != k.dtype:
        raise ValueError(
            "[dot_product_attention] query, key and value must have one "
            f"dtype, got {q.dtype}, {k.dtype}, {v.dtype}"
        )
    if n % kv:
        raise ValueError(
            "The number of query heads must be a multiple of key/value heads, "
            f"but got {n} vs {kv}"
        )
    wide = _core.promote_types(q.dtype, np.float32)
    # b t (kv g) h x b s kv h -> b kv t g s -> b (kv g) t s
    grouped = _core.reshape(q, (b, t, kv, n // kv, h))
    logits = lax.dot_general(
        grouped,
        k,
        (((4,), (3,)), ((0, 2), (0, 2))),
        preferred_element_type=wide,
    )
    logits = _core.reshape(
        _core.transpose(logits, (0, 1, 3, 2, 4)), (b, n, t, s)
    )
    logits = logits * (1 / np.sqrt(h).item() if scale is None else scale)
    if bias is not None:
        logits = _core.convert(logits + four(bias), logits.dtype, False)
    seen = []
    if mask is not None:
        mask = four(mask)
        if mask.dtype != np.bool_:
            raise ValueError(f"mask dtype should be bool, but got {mask.dtype}")
        seen.append(mask)
    if is_causal:
        seen.append(_causal(t, s))
    if local_window_size is not None:
        left, right = (
            (local_window_size,) * 2
            if isinstance(local_window_size, int)
            else local_window_size
        )
        seen.append(_window(t, s, left, right))
    if query_seq_lengths is not None:
        seen.append(_before(query_seq_lengths, b, t, 2))
    if key_value_seq_lengths is not None:
        seen.append(_before(key_value_seq_lengths, b, s, 3))
    if seen:
        # Large, not infinite: a row without any key stays finite.
        low = -0.7 * float(dtypes.finfo(np.float32).max)
        all_seen = seen[0]
        for m in seen[1:]:
            all_seen = all_seen & m
        logits = _core.where(
            _core.broadcast_to(all_seen, logits.shape), logits, low
        )
    logits = _core.convert(logits, np.float32, False)
    weights = _core.convert(_core.softmax(logits, (3,), None), k.dtype, False)
    # b kv (g t) s x b s kv h -> b kv g t h -> b t (kv g) h
    grouped = _core.reshape(weights, (b, kv, n // kv, t, s))
    out = lax.dot_general(grouped, v, (((4,), (1,)), ((0, 1), (0, 2))))
    out = _core.reshape(_core.transpose(out, (0, 3, 1, 2, 4)), (b, t, n, h))
    if query_seq_lengths is not None:
        alive = _before(query_seq_lengths, b, t, 1)
        out = out * _core.convert(alive, out.dtype, False)
    out = _core.reshape(out, out_shape)
    if not return_residual:
        return out
    total = _core.convert(logsumexp(logits, 3), k.dtype, False)
    total = lax.stop_gradient(_core.transpose(total, (0, 2, 1)))
    return out, _core.reshape(total, out_shape[:-1])
