"""`pad`: elements added at the ends of axes."""

from __future__ import annotations

import numpy as np

from cotan import _core
from cotan._dispatch import Array

_operand = _core.np_operand


def _pad_width(rank, pad_width):
    if isinstance(pad_width, dict):
        full = [(0, 0)] * rank
        for axis, width in pad_width.items():
            full[axis] = width if isinstance(width, tuple) else (width, width)
        pad_width = full
    try:
        widths = np.asarray(pad_width)
        if widths.dtype.kind == "f":
            raise TypeError
        widths = (
            np.broadcast_to(widths, (rank, 2))
            if widths.ndim != 1 or (widths.size in (1, 2))
            else None
        )
    except (ValueError, TypeError):
        widths = None
    if widths is None:
        raise ValueError(
            f"jnp.pad: pad_width with {pad_width!r} unsupported for an array "
            f"of rank {rank}."
        )
    return [(int(a), int(b)) for a, b in widths]


def pad(array, pad_width, mode="constant", **kwargs):
    """The array with elements added at the ends of its axes.

    Args:
      pad_width: n, (before, after), or one pair for each axis.
      mode: "constant" (constant_values), "edge", "reflect", "symmetric",
        "wrap", "linear_ramp" (end_values), "maximum", "minimum", "mean",
        "median" (stat_length), "empty".
    """
    x = _operand(array, "pad", 0)
    widths = _pad_width(x.ndim, pad_width)
    if callable(mode):
        return _pad_with_function(x, widths, mode, kwargs)
    allowed = {
        "constant": {"constant_values"},
        "empty": set(),
        "edge": set(),
        "wrap": set(),
        "linear_ramp": {"end_values"},
        "maximum": {"stat_length"},
        "minimum": {"stat_length"},
        "mean": {"stat_length"},
        "median": {"stat_length"},
        "reflect": {"reflect_type"},
        "symmetric": {"reflect_type"},
    }
    if mode not in allowed:
        raise NotImplementedError(
            f"Unimplemented padding mode '{mode}' for np.pad."
        )
    unknown = set(kwargs) - allowed[mode]
    if unknown:
        raise ValueError(
            f"unsupported keyword arguments for mode '{mode}': {unknown}"
        )
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError("index can't contain negative values")
    if mode in ("constant", "empty"):
        return _pad_constant(x, widths, kwargs.get("constant_values", 0))
    for axis, (before, after) in enumerate(widths):
        if before == 0 and after == 0:
            continue
        if x.shape[axis] == 0:
            raise ValueError(f"Cannot apply '{mode}' padding to empty axis")
        x = _PADDERS[mode](x, axis, before, after, mode, kwargs)
    return x


def _pairs(values, rank):
    values = (
        _core.np_operand(values, "pad", 1)
        if not isinstance(values, (list, tuple))
        else values
    )
    from cotan.numpy.creation import asarray

    return _core.broadcast_to(asarray(values), (rank, 2))


def _pad_constant(x, widths, constant_values):
    scalar = not isinstance(constant_values, (list, tuple)) and (
        np.ndim(constant_values) == 0
        if not isinstance(constant_values, Array)
        else constant_values.ndim == 0
    )
    if scalar:
        fill = _core.np_astype(constant_values, x.dtype, x.weak_type)
        return _core.np_pad(x, fill, [(a, b, 0) for a, b in widths])
    values = _pairs(constant_values, x.ndim)
    for axis, (before, after) in enumerate(widths):
        for side, n in ((0, before), (1, after)):
            config = [(0, 0, 0)] * x.ndim
            config[axis] = (n, 0, 0) if side == 0 else (0, n, 0)
            x = _core.np_pad(
                x, _core.np_astype(values[axis, side], x.dtype), config
            )
    return x


def _part(x, axis, start, stop):
    return _core.slice_axis(x, axis, start, stop)


def _repeat_part(part, axis, n):
    shape = list(part.shape)
    shape[axis] = n
    return _core.broadcast_to(part, tuple(shape))


def _pad_edge(x, axis, before, after, mode, kwargs):
    n = x.shape[axis]
    return _core.np_concatenate(
        (
            _repeat_part(_part(x, axis, 0, 1), axis, before),
            x,
            _repeat_part(_part(x, axis, n - 1, n), axis, after),
        ),
        axis,
    )


def _pad_gather(x, axis, before, after, mode, kwargs):
    """reflect, symmetric and wrap: elements of x in another order."""
    n = x.shape[axis]
    at = np.arange(-before, n + after)
    odd = kwargs.get("reflect_type", "even") == "odd"
    if kwargs.get("reflect_type", "even") not in ("even", "odd"):
        raise ValueError(f"reflect_type={kwargs['reflect_type']!r}")
    if odd:
        return _pad_odd(x, axis, before, after, mode)
    if mode == "wrap":
        index = at % n
    elif mode == "symmetric":
        index = at % (2 * n)
        index = np.where(index >= n, 2 * n - 1 - index, index)
    elif n == 1:
        index = np.zeros_like(at)
    else:
        index = at % (2 * n - 2)
        index = np.where(index >= n, 2 * n - 2 - index, index)
    return _core.take(
        x, index.astype(np.int32), axis, "clip", None, False, False
    )


def _pad_odd(x, axis, before, after, mode):
    skip = 1 if mode == "reflect" else 0
    while before > 0 or after > 0:
        n = x.shape[axis]
        step = max(n - skip, 1)
        if before > 0:
            k = min(before, step)
            edge = _part(x, axis, 0, 1)
            mirror = _part(x, axis, min(skip, n - 1), min(skip, n - 1) + k)
            x = _core.np_concatenate(
                (2 * edge - _core.np_flip(mirror, axis), x), axis
            )
            before -= k
        if after > 0:
            m = x.shape[axis]
            k = min(after, step)
            edge = _part(x, axis, m - 1, m)
            end = m - min(skip, m - 1)
            mirror = _part(x, axis, end - k, end)
            x = _core.np_concatenate(
                (x, 2 * edge - _core.np_flip(mirror, axis)), axis
            )
            after -= k
    return x


def _pad_ramp(x, axis, before, after, mode, kwargs):
    from cotan.numpy.creation import linspace

    ends = _pairs(kwargs.get("end_values", 0), x.ndim)
    n = x.shape[axis]
    work = x if x.dtype.kind in "fc" else x.astype(float)

    def ramp(end, edge, k):
        return linspace(end, edge, k, endpoint=False, dtype=x.dtype, axis=axis)

    low = ramp(
        ends[axis, 0].astype(work.dtype), _part(work, axis, 0, 1), before
    )
    high = ramp(
        ends[axis, 1].astype(work.dtype), _part(work, axis, n - 1, n), after
    )
    low = low.reshape(low.shape[: axis + 1] + low.shape[axis + 2 :])
    high = high.reshape(high.shape[: axis + 1] + high.shape[axis + 2 :])
    return _core.np_concatenate(
        (
            low,
            x,
            _core.np_flip(high, axis),
        ),
        axis,
    )


def _pad_statistic(x, axis, before, after, mode, kwargs):
    from cotan.numpy import reductions
    from cotan.numpy.elementwise import round

    reduce = {
        "maximum": reductions.max,
        "minimum": reductions.min,
        "mean": reductions.mean,
        "median": reductions.median,
    }[mode]
    n = x.shape[axis]
    lengths = kwargs.get("stat_length")
    if lengths is None:
        low = high = n
    else:
        low, high = (
            min(int(v), n)
            for v in np.broadcast_to(np.asarray(lengths), (x.ndim, 2))[axis]
        )

    def value(part):
        v = reduce(part, axis=axis, keepdims=True)
        return (round(v) if x.dtype.kind in "iu" else v).astype(x.dtype)

    return _core.np_concatenate(
        (
            _repeat_part(value(_part(x, axis, 0, low)), axis, before),
            x,
            _repeat_part(value(_part(x, axis, n - high, n)), axis, after),
        ),
        axis,
    )


_PADDERS = {
    "edge": _pad_edge,
    "reflect": _pad_gather,
    "symmetric": _pad_gather,
    "wrap": _pad_gather,
    "linear_ramp": _pad_ramp,
    "maximum": _pad_statistic,
    "minimum": _pad_statistic,
    "mean": _pad_statistic,
    "median": _pad_statistic,
}


def _pad_with_function(x, widths, function, kwargs):
    from cotan.numpy.vectorizing import apply_along_axis

    x = _pad_constant(x, widths, 0)
    for axis, pair in enumerate(widths):
        x = apply_along_axis(function, axis, x, pair, axis, kwargs)
    return x
