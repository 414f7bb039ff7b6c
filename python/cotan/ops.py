"""Reductions of segments, as in `jax.ops`: elements with one id together."""

from __future__ import annotations

import operator

import numpy as np

from cotan import _core, _dispatch, dtypes, lax

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def _identity(kind: str, dtype):
    if kind in ("sum", "prod"):
        return int(kind == "prod")
    if dtype == np.bool_:
        return kind == "min"
    if dtypes.issubdtype(dtype, np.integer):
        info = dtypes.iinfo(dtype)
        return info.max if kind == "min" else info.min
    return np.inf if kind == "min" else -np.inf


_SCATTER = {"sum": "add", "prod": "mul", "min": "min", "max": "max"}


def _segment(
    kind, data, segment_ids, num_segments, is_sorted, unique, bucket_size, mode
):
    for position, x in enumerate((data, segment_ids)):
        if not _dispatch.is_array(x):
            raise TypeError(
                f"segment_{kind} requires ndarray or scalar arguments, got "
                f"{type(x)} at position {position}."
            )
    data, ids = _dispatch.to_array(data), _dispatch.to_array(segment_ids)
    if num_segments is None:
        num_segments = int(np.max(np.asarray(ids), initial=-1)) + 1
    n = operator.index(num_segments)
    if n < 0:
        raise ValueError("num_segments must be non-negative.")
    if ids.shape != data.shape[: ids.ndim]:
        raise ValueError(
            f"[segment_{kind}] ids of shape {ids.shape} do not fit data of "
            f"shape {data.shape}"
        )
    buckets = 1
    if bucket_size is not None:
        if ids.ndim != 1:
            raise ValueError(
                "[segment_{kind}] bucket_size needs ids of one dimension"
            )
        buckets = -(-ids.shape[0] // operator.index(bucket_size))
    rest = data.shape[ids.ndim :]
    out = _core.full(
        (buckets * n, *rest), _identity(kind, data.dtype), data.dtype, False
    )
    if bucket_size is not None and buckets > 1:
        # Elements of one bucket are combined first; ids outside stay so.
        bucket = lax.iota(ids.dtype, ids.shape[0]) // bucket_size
        inside = (ids >= 0) & (ids < n)
        ids = lax.select(inside, ids + bucket * n, lax.full_like(ids, -1))
        is_sorted = unique = False
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=tuple(range(ids.ndim, data.ndim)),
        inserted_window_dims=(0,),
        scatter_dims_to_operand_dims=(0,),
    )
    scatter = getattr(lax, f"scatter_{_SCATTER[kind]}")
    out = scatter(
        out,
        _core.expand_dims(ids, (ids.ndim,)),
        data,
        numbers,
        indices_are_sorted=is_sorted,
        unique_indices=unique,
        mode=mode,
    )
    if buckets == 1:
        return out
    out = _core.reshape(out, (buckets, n, *rest))
    return _core.reduce(out, kind, (0,))


def _make(kind: str, what: str, empty: str):
    def function(
        data,
        segment_ids,
        num_segments: int | None = None,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        bucket_size: int | None = None,
        mode=None,
        out_sharding=None,
    ):
        return _segment(
            kind,
            data,
            segment_ids,
            num_segments,
            indices_are_sorted,
            unique_indices,
            bucket_size,
            mode,
        )

    function.__name__ = function.__qualname__ = f"segment_{kind}"
    function.__doc__ = f"""The {what} of the elements of every segment.

    Args:
      data: array [n, ...].
      segment_ids: integers [n]; elements with an id outside
        [0, num_segments) are left out.
      num_segments: number of segments, by default the greatest id + 1 (which
        then must be known while tracing).
      indices_are_sorted, unique_indices: promises about the ids.
      bucket_size: combine so many elements at a time, for accuracy.
      mode: what to do with ids outside, see lax.GatherScatterMode.

    Returns:
      An array [num_segments, ...]; empty segments hold {empty}.
    """
    return function


segment_sum = _make("sum", "sum", "0")
segment_prod = _make("prod", "product", "1")
segment_min = _make("min", "minimum", "the greatest number")
segment_max = _make("max", "maximum", "the least number")
