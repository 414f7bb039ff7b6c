"""Reductions: sum, max, mean, var, any, argmax, their nan versions, and
medians and quantiles."""

from __future__ import annotations

import math
import operator

import numpy as np

from cotan import _core, dtypes

_operand = _core.np_operand


def _no_out(name, out):
    if out is not None:
        raise NotImplementedError(
            f"The 'out' argument to cotan.numpy.{name} is not supported."
        )


def _named(name, error, a, axis, **options):
    from cotan.numpy import _named

    return _named.reduction(name, error, a, axis, **options)


def sum(
    a,
    axis=None,
    dtype=None,
    out=None,
    keepdims=False,
    initial=None,
    where=None,
    promote_integers=True,
):
    """Sum over axes (all by default).

    Small integers and bools sum in the default integer, 16-bit floats
    accumulate in float32.

    >>> cnp.sum(cnp.ones((2, 3)), axis=0)
    Array([2., 2., 2.], dtype=float32)
    """
    if out is not None:
        _no_out("sum", out)
    try:
        return _core.np_sum(
            a, axis, dtype, keepdims, initial, where, promote_integers
        )
    except TypeError as e:
        return _named(
            "sum",
            e,
            a,
            axis,
            dtype=dtype,
            keepdims=keepdims,
            initial=initial,
            where=where,
            promote_integers=promote_integers,
        )


def prod(
    a,
    axis=None,
    dtype=None,
    out=None,
    keepdims=False,
    initial=None,
    where=None,
    promote_integers=True,
):
    """Product over axes (all by default)."""
    if out is not None:
        _no_out("prod", out)
    try:
        return _core.np_prod(
            a, axis, dtype, keepdims, initial, where, promote_integers
        )
    except TypeError as e:
        return _named("prod", e, a, axis)


def max(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """Maximum over axes; a nan wins. Ties share the gradient."""
    if out is not None:
        _no_out("max", out)
    try:
        return _core.np_max(a, axis, None, keepdims, initial, where)
    except TypeError as e:
        return _named(
            "max",
            e,
            a,
            axis,
            keepdims=keepdims,
            initial=initial,
            where=where,
        )


def min(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """Minimum over axes; a nan wins. Ties share the gradient."""
    if out is not None:
        _no_out("min", out)
    try:
        return _core.np_min(a, axis, None, keepdims, initial, where)
    except TypeError as e:
        return _named(
            "min",
            e,
            a,
            axis,
            keepdims=keepdims,
            initial=initial,
            where=where,
        )


def amax(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """Maximum over axes: `max`."""
    return max(a, axis, out, keepdims, initial, where)


def amin(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """Minimum over axes: `min`."""
    return min(a, axis, out, keepdims, initial, where)


def all(a, axis=None, out=None, keepdims=False, *, where=None):
    """Whether all elements are true."""
    if out is not None:
        _no_out("all", out)
    try:
        return _core.np_all(a, axis, None, keepdims, None, where)
    except TypeError as e:
        return _named("all", e, a, axis)


def any(a, axis=None, out=None, keepdims=False, *, where=None):
    """Whether any element is true."""
    if out is not None:
        _no_out("any", out)
    try:
        return _core.np_any(a, axis, None, keepdims, None, where)
    except TypeError as e:
        return _named("any", e, a, axis)


def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=None):
    """Arithmetic mean over axes (all by default)."""
    if out is not None:
        _no_out("mean", out)
    try:
        return _core.np_mean(a, axis, dtype, keepdims, None, where)
    except TypeError as e:
        return _named(
            "mean", e, a, axis, dtype=dtype, keepdims=keepdims, where=where
        )


def var(
    a,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    *,
    where=None,
    mean=None,
    correction=None,
):
    """Variance over axes: mean squared distance to the mean, divided by
    n - correction (or ddof)."""
    if out is not None:
        _no_out("var", out)
    return _var(
        a, axis, dtype, keepdims, _correction(ddof, correction), where, mean
    )


def _var(a, axis, dtype, keepdims, correction, where, mean):
    try:
        return _core.np_var(a, axis, dtype, keepdims, correction, where, mean)
    except TypeError as e:
        return _named(
            "var",
            e,
            a,
            axis,
            dtype=dtype,
            keepdims=keepdims,
            correction=correction,
            where=where,
            mean=mean,
        )


def _correction(ddof, correction):
    if correction is None:
        return ddof
    if not isinstance(ddof, int) or ddof != 0:
        raise ValueError(
            "ddof and correction can't be provided simultaneously."
        )
    return correction


def std(
    a,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    *,
    where=None,
    mean=None,
    correction=None,
):
    """Standard deviation: the square root of `var`."""
    from cotan.numpy.elementwise import sqrt

    if out is not None:
        _no_out("std", out)
    if dtype is not None and not dtypes.issubdtype(dtype, np.inexact):
        raise ValueError(
            f"dtype argument to cotan.numpy.std must be inexact; got {dtype}"
        )
    return sqrt(
        _var(
            a,
            axis,
            dtype,
            keepdims,
            _correction(ddof, correction),
            where,
            mean,
        )
    )


def argmax(a, axis=None, out=None, keepdims=None):
    """Index of the maximum (the first of equals; a nan is the maximum)."""
    if out is not None:
        _no_out("argmax", out)
    return _core.np_argmax(a, _index(axis), keepdims)


def argmin(a, axis=None, out=None, keepdims=None):
    """Index of the minimum (the first of equals; a nan is the minimum)."""
    if out is not None:
        _no_out("argmin", out)
    return _core.np_argmin(a, _index(axis), keepdims)


def _index(axis):
    return None if axis is None else operator.index(axis)


def ptp(a, axis=None, out=None, keepdims=False):
    """Maximum minus minimum."""
    _no_out("ptp", out)
    a = _operand(a, "ptp", 0)
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


def _is_nonzero(a):
    return a if a.dtype == np.bool_ else a != 0


def count_nonzero(a, axis=None, keepdims=False):
    """How many elements are not zero."""
    a = _operand(a, "count_nonzero", 0)
    return sum(_is_nonzero(a), axis=axis, dtype=int, keepdims=keepdims)


def average(a, axis=None, weights=None, returned=False, keepdims=False):
    """Weighted mean over axes."""
    a = _operand(a, "average", 0)
    if weights is None:
        avg = mean(a, axis=axis, keepdims=keepdims)
        n = (
            a.size
            if axis is None
            else math.prod(a.shape[i] for i in _axes(axis, a.ndim))
        )
        total = _core.np_full(avg.shape, n, avg.dtype, "average")
    else:
        w = _operand(weights, "average", 1)
        work = _core.result_type((a, w))[0]
        if not dtypes.issubdtype(work, np.inexact):
            work = _core.canonical_dtype(float)
        a, w = a.astype(work), w.astype(work)
        if a.shape != w.shape:
            if axis is None:
                raise TypeError(
                    "Axis must be specified when shapes of a and weights "
                    "differ."
                )
            axes = _axes(axis, a.ndim)
            if w.shape != tuple(a.shape[i] for i in axes):
                raise ValueError(
                    "Shape of weights must be consistent with shape of a "
                    "along specified axis."
                )
            order = sorted(range(len(axes)), key=lambda i: axes[i])
            w = _core.np_transpose(w, order)
            w = w.reshape(
                [n if i in axes else 1 for i, n in enumerate(a.shape)]
            )
            w = _core.broadcast_to(w, a.shape)
        total = sum(w, axis=axis, keepdims=keepdims)
        avg = sum(a * w, axis=axis, keepdims=keepdims) / total
    if returned:
        return avg, _core.broadcast_to(total, avg.shape)
    return avg


def _axes(axis, ndim):
    if axis is None:
        return tuple(range(ndim))
    if not isinstance(axis, (tuple, list)):
        axis = (axis,)
    out = []
    for i in axis:
        if not -ndim <= i < ndim:
            raise ValueError(
                f"axis {i} is out of bounds for array of dimension {ndim}"
            )
        out.append(i % ndim)
    return tuple(out)


# ---- without nans


def _check_where(name, where):
    if where is None:
        return
    where = _operand(where, name, 1)
    if where.dtype != bool:
        raise ValueError(
            f"jnp.{name}: where must be None or a boolean array; got "
            f"where.dtype={where.dtype}."
        )


def _without_nan(name, a, fill, where=None):
    _check_where(name, where)
    a = _operand(a, name, 0)
    if not dtypes.issubdtype(a.dtype, np.inexact):
        return a, None
    nan = a != a
    return _core.where(nan, _core.np_astype(fill, a.dtype, True), a), nan


def nansum(
    a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None
):
    """`sum` with nan as 0."""
    a, _ = _without_nan("nansum", a, 0, where)
    return sum(a, axis, dtype, out, keepdims, initial, where)


def nanprod(
    a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None
):
    """`prod` with nan as 1."""
    a, _ = _without_nan("nanprod", a, 1, where)
    return prod(a, axis, dtype, out, keepdims, initial, where)


def _nan_extremum(name, reduce, fill, a, axis, out, keepdims, initial, where):
    a, nan = _without_nan(name, a, fill, where)
    r = reduce(a, axis, out, keepdims, initial, where)
    if nan is None or initial is not None:
        return r
    return _core.where(
        all(nan, axis, keepdims=keepdims),
        _core.np_astype(math.nan, r.dtype, True),
        r,
    )


def nanmax(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """`max` that passes over nan; nan where there is nothing else."""
    return _nan_extremum(
        "nanmax", max, -math.inf, a, axis, out, keepdims, initial, where
    )


def nanmin(a, axis=None, out=None, keepdims=False, initial=None, where=None):
    """`min` that passes over nan; nan where there is nothing else."""
    return _nan_extremum(
        "nanmin", min, math.inf, a, axis, out, keepdims, initial, where
    )


def _nan_arg(name, find, fill, a, axis, out, keepdims):
    a, nan = _without_nan(name, a, fill)
    r = find(a, axis, out, keepdims)
    if nan is None:
        return r
    return _core.where(all(nan, axis=axis, keepdims=bool(keepdims)), -1, r)


def nanargmax(a, axis=None, out=None, keepdims=None):
    """`argmax` that passes over nan; -1 where there is nothing else."""
    return _nan_arg("nanargmax", argmax, -math.inf, a, axis, out, keepdims)


def nanargmin(a, axis=None, out=None, keepdims=None):
    """`argmin` that passes over nan; -1 where there is nothing else."""
    return _nan_arg("nanargmin", argmin, math.inf, a, axis, out, keepdims)


def _valid(name, a, where):
    """a with 0 for nan (which derivatives do not pass), and what is valid."""
    ok = a == a
    values = _without_nan(name, a, 0, where)[0]
    if where is not None:
        ok = ok & _core.broadcast_to(_operand(where, name, 1), a.shape)
    return values, ok


def nanmean(a, axis=None, dtype=None, out=None, keepdims=False, where=None):
    """`mean` of what is not nan."""
    _no_out("nanmean", out)
    a = _operand(a, "nanmean", 0)
    a, ok = _valid("nanmean", a, where)
    return _core.np_mean(a, axis, dtype, keepdims, None, ok)


def nanvar(
    a,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    where=None,
    mean=None,
):
    """`var` of what is not nan."""
    _no_out("nanvar", out)
    a = _operand(a, "nanvar", 0)
    a, ok = _valid("nanvar", a, where)
    return _core.np_var(a, axis, dtype, keepdims, ddof, ok, mean)


def nanstd(
    a,
    axis=None,
    dtype=None,
    out=None,
    ddof=0,
    keepdims=False,
    where=None,
    mean=None,
):
    """`std` of what is not nan."""
    from cotan.numpy.elementwise import sqrt

    return sqrt(nanvar(a, axis, dtype, out, ddof, keepdims, where, mean))


# ---- cumulative


def _cumulative(kind, a, axis, dtype):
    if dtype is not None and _core.dtype(dtype).kind == "b":
        a = _core.np_astype(_operand(a, f"cum{kind}", 0), bool)
        return _core.np_cumulative(kind, a, axis, int, False) != 0
    return _core.np_cumulative(kind, a, axis, dtype, False)


def cumsum(a, axis=None, dtype=None, out=None):
    """Cumulative sum along an axis (of the raveled array by default)."""
    if out is not None:
        _no_out("cumsum", out)
    return _cumulative("sum", a, _index(axis), dtype)


def cumprod(a, axis=None, dtype=None, out=None):
    """Cumulative product along an axis."""
    if out is not None:
        _no_out("cumprod", out)
    return _cumulative("prod", a, _index(axis), dtype)


def nancumsum(a, axis=None, dtype=None, out=None):
    """`cumsum` with nan as 0."""
    a, _ = _without_nan("nancumsum", a, 0)
    return cumsum(a, axis, dtype, out)


def nancumprod(a, axis=None, dtype=None, out=None):
    """`cumprod` with nan as 1."""
    a, _ = _without_nan("nancumprod", a, 1)
    return cumprod(a, axis, dtype, out)


def _cumulative_with_initial(name, kind, x, axis, dtype, include_initial):
    x = _operand(x, name, 0)
    if x.ndim == 0:
        raise ValueError(
            "The input must be non-scalar to take a cumulative reduction, "
            "however a scalar value or scalar array was given."
        )
    if axis is None:
        if x.ndim > 1:
            raise ValueError(
                f"The input array has rank {x.ndim}, however axis was not set "
                "to an explicit value. The axis argument is only optional for "
                "one-dimensional arrays."
            )
        axis = 0
    axis = _axes(axis, x.ndim)[0]
    if dtype is None and x.dtype.kind in "iub" and kind == "sum":
        dtype = sum(x[(slice(0, 0),) * x.ndim]).dtype
    out = _cumulative(kind, x, axis, dtype)
    if not include_initial:
        return out
    shape = list(out.shape)
    shape[axis] = 1
    first = _core.np_full(shape, 0 if kind == "sum" else 1, out.dtype, name)
    return _core.np_concatenate((first, out), axis)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """The array API's cumulative sum."""
    return _cumulative_with_initial(
        "cumulative_sum", "sum", x, axis, dtype, include_initial
    )


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """The array API's cumulative product."""
    return _cumulative_with_initial(
        "cumulative_prod", "prod", x, axis, dtype, include_initial
    )


# ---- order statistics


_QUANTILES = (
    "linear",
    "lower",
    "higher",
    "midpoint",
    "nearest",
    "inverted_cdf",
)


def _quantile_weights(name, a, weights, method, axis):
    """Weights promoted with `a` and of its shape; (a, weights)."""
    if method != "inverted_cdf":
        raise NotImplementedError(
            f"{method} doesn't support weights. Only method 'inverted_cdf' "
            "supports weights."
        )
    from cotan.numpy.shaping import broadcast_to

    weights = _operand(weights, name, 2)
    if weights.dtype.kind == "c":
        raise ValueError("Weights cannot be complex types.")
    work = _core.result_type((a, weights))[0]
    a, weights = a.astype(work), weights.astype(work)
    if weights.shape != a.shape:
        if axis is None:
            raise ValueError(
                "Weights shape must match 'a' shape when axis is None."
            )
        axes = axis if isinstance(axis, tuple) else (axis,)
        axes = [operator.index(i) % a.ndim for i in axes]
        expected = tuple(a.shape[i] for i in axes)
        if weights.shape != expected:
            raise ValueError(
                f"Weights shape {weights.shape} must match reduction axes "
                f"{expected}"
            )
        order = sorted(range(len(axes)), key=axes.__getitem__)
        weights = _core.np_transpose(weights, order)
        shape = [n if i in axes else 1 for i, n in enumerate(a.shape)]
        weights = broadcast_to(weights.reshape(shape), a.shape)
    return a, weights


def _inverted_cdf(x, weights, q, ignore_nan):
    """The first of the sorted x[..., n] whose cumulative weight reaches q of
    the total, at q[k, ...]; nan for weights that are negative or nan."""
    from cotan.numpy.elementwise import isnan

    nan = isnan(x)
    if weights is None:
        weights = _core.np_full(x.shape, 1, x.dtype, "quantile")
    wrong = (weights < 0) | isnan(weights)
    reached = cumsum(_core.where(wrong | nan, 0, weights), axis=-1)
    target = q * reached[None, ..., -1]
    index = sum(reached[None] < target[..., None], axis=-1)
    bad = any(wrong, axis=-1)[None]
    last = x.shape[-1] - 1
    if ignore_nan:
        count = sum(~nan, axis=-1)[None]
        bad, last = bad | (count == 0), count - 1
    index = _core.np_moveaxis(
        _core.where(index < last, index, last).clip(0), 0, -1
    )
    out = _core.take_along_axis(
        x, index, x.ndim - 1, "clip", None, False, False
    )
    return _core.where(bad, math.nan, _core.np_moveaxis(out, -1, 0))


def _quantile(name, a, q, axis, method, keepdims, ignore_nan, weights=None):
    from cotan.lax import sort_key_val
    from cotan.numpy.elementwise import ceil, floor, isnan
    from cotan.numpy.sorting import sort

    if method not in _QUANTILES:
        raise ValueError(
            "method can only be 'linear', 'lower', 'higher', 'midpoint', "
            "'nearest' or 'inverted_cdf'"
        )
    a, q = _operand(a, name, 0), _operand(q, name, 1)
    if a.dtype.kind == "c":
        raise ValueError(f"{name} does not support complex input")
    a = _core.promote_inexact(name, [a])[0]
    axes = _axes(axis, a.ndim)
    if weights is not None:
        a, weights = _quantile_weights(name, a, weights, method, axis)
    # Positions in 16 bits would be wrong beyond a few hundred elements.
    own = a.dtype
    work = own if own.itemsize > 2 else np.dtype(np.float32)
    a = a.astype(work)
    q = q.astype(work)
    kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
    rest = [i for i in range(a.ndim) if i not in axes]
    shape = tuple(a.shape[i] for i in rest)

    def to_rows(a):
        return _core.np_transpose(a, (*rest, *axes)).reshape(*shape, -1)

    x = to_rows(a)
    n = x.shape[-1]
    if n == 0:
        raise ValueError(f"[{name}] of an empty axis")
    if weights is None:
        x = sort(x, axis=-1)  # nan goes last
    else:
        x, weights = sort_key_val(x, to_rows(weights), dimension=x.ndim - 1)
    flat_q = q.reshape(-1)
    if ignore_nan:
        count = sum(~isnan(x), axis=-1, dtype=work)[None]  # [1, rest]
        at = flat_q.reshape((-1,) + (1,) * len(shape)) * (count - 1)
        at = _core.where(count == 0, 0, at)
    else:
        at = flat_q.reshape((-1,) + (1,) * len(shape)) * (n - 1)
    low, high = floor(at), ceil(at)
    part = at - low

    def pick(i):  # [q, rest or 1]
        i = i.clip(0, n - 1).astype(np.int32)
        if i.shape[1:] != shape:
            i = i.reshape(-1)
            picked = _core.take(x, i, x.ndim - 1, "clip", None, False, False)
            return _core.np_moveaxis(picked, -1, 0)
        index = _core.np_moveaxis(i, 0, -1)
        picked = _core.take_along_axis(
            x, index, x.ndim - 1, "clip", None, False, False
        )
        return _core.np_moveaxis(picked, -1, 0)

    if method == "lower":
        out = pick(low)
    elif method == "higher":
        out = pick(high)
    elif method == "nearest":
        from cotan.numpy.elementwise import rint

        out = pick(rint(at))
    elif method == "inverted_cdf":
        q_rows = flat_q.reshape((-1,) + (1,) * len(shape))
        out = _inverted_cdf(x, weights, q_rows, ignore_nan)
    elif method == "midpoint":
        out = (pick(low) + pick(high)) / 2
    else:
        below, above = pick(low), pick(high)
        out = below * (1 - part) + above * part
    if not ignore_nan:
        bad = any(isnan(x), axis=-1)[None]
        out = _core.where(bad, _core.np_astype(math.nan, work, True), out)
    return out.reshape(q.shape + (kept if keepdims else shape)).astype(own)


def quantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    """The q-th quantile over axes; q in [0, 1] leads the result's shape."""
    _no_out("quantile", out)
    return _quantile("quantile", a, q, axis, method, keepdims, False, weights)


def nanquantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    """`quantile` of what is not nan."""
    _no_out("nanquantile", out)
    return _quantile("nanquantile", a, q, axis, method, keepdims, True, weights)


def percentile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    """The q-th percentile over axes."""
    q = _core.promote_inexact("percentile", [_operand(q, "percentile", 1)])[0]
    return quantile(
        a,
        q / 100,
        axis,
        out,
        overwrite_input,
        method,
        keepdims,
        weights=weights,
    )


def nanpercentile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
):
    """`percentile` of what is not nan."""
    q = _core.promote_inexact("percentile", [_operand(q, "percentile", 1)])[0]
    return nanquantile(
        a,
        q / 100,
        axis,
        out,
        overwrite_input,
        method,
        keepdims,
        weights=weights,
    )


def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """The median over axes."""
    return quantile(a, 0.5, axis, out, overwrite_input, "midpoint", keepdims)


def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    """`median` of what is not nan."""
    return nanquantile(a, 0.5, axis, out, overwrite_input, "midpoint", keepdims)
