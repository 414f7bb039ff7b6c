"""Functions between elementwise and linear algebra: differences, integrals,
interpolation, histograms, convolution, statistics of samples, windows."""

from __future__ import annotations

import math
import operator
from builtins import range as _range

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._dispatch import Array
from cotan._src.avals import keeps_weak
from cotan.numpy.creation import (
    _inexact_dtype,
    arange,
    asarray,
    linspace,
    zeros,
)
from cotan.numpy.elementwise import (
    absolute,
    conj,
    cos,
    isclose,
    maximum,
    real,
    sqrt,
)
from cotan.numpy.indexing import take, where
from cotan.numpy.products import dot, matmul
from cotan.numpy.reductions import _axes, all, average, sum
from cotan.numpy.shaping import concatenate, moveaxis, stack
from cotan.numpy.sorting import searchsorted

_operand = _core.np_operand


def _inexact(name, *xs):
    return _core.promote_inexact(
        name, [_operand(x, name, i) for i, x in enumerate(xs)]
    )


def _part(x, axis, start, stop):
    return _core.slice_axis(x, axis, start, stop)


# ---- comparison of arrays


def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close; see `isclose`."""
    return all(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1, a2, equal_nan=False):
    """Whether two arrays have one shape and equal elements."""
    a, b = asarray(a1), asarray(a2)
    if a.shape != b.shape:
        return asarray(False)
    same = a == b
    if equal_nan:
        same = same | ((a != a) & (b != b))
    return all(same)


def array_equiv(a1, a2):
    """Whether two arrays broadcast and have equal elements."""
    a, b = asarray(a1), asarray(a2)
    try:
        return all(a == b)
    except (TypeError, ValueError):
        return asarray(False)


def iterable(y) -> bool:
    """Whether y can be iterated over."""
    if isinstance(y, Array):
        return y.ndim > 0
    return np.iterable(y)


# ---- differences and integrals


def diff(a, n=1, axis=-1, prepend=None, append=None):
    """The n-th difference along an axis."""
    a = _operand(a, "diff", 0)
    n = operator.index(n)
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if a.ndim == 0:
        raise ValueError(
            f"diff requires input that is at least one dimensional; got {a}"
        )
    axis = _axes(axis, a.ndim)[0]
    ends = []
    for x in (prepend, append):
        if x is not None:
            x = _operand(x, "diff", 3)
            if x.ndim == 0:
                shape = list(a.shape)
                shape[axis] = 1
                x = _core.broadcast_to(x, tuple(shape))
        ends.append(x)
    parts = [x for x in (ends[0], a, ends[1]) if x is not None]
    if len(parts) > 1:
        a = concatenate(parts, axis)
    for _ in _range(n):
        k = a.shape[axis]
        high, low = (
            _part(a, axis, min(1, k), k),
            _part(a, axis, 0, max(k - 1, 0)),
        )
        a = (high != low) if a.dtype == bool else high - low
    return a


def ediff1d(ary, to_end=None, to_begin=None):
    """Differences of the raveled array, with ends."""
    a = _core.np_ravel(_operand(ary, "ediff1d", 0), False)
    d = a[1:] - a[:-1]
    parts = [d]
    if to_begin is not None:
        parts.insert(0, _core.np_ravel(asarray(to_begin, d.dtype), False))
    if to_end is not None:
        parts.append(_core.np_ravel(asarray(to_end, d.dtype), False))
    return concatenate(parts) if len(parts) > 1 else d


def gradient(f, *varargs, axis=None, edge_order=None):
    """Central differences inside, first differences at the ends."""
    if edge_order is not None:
        raise NotImplementedError(
            "The 'edge_order' argument to cotan.numpy.gradient is not "
            "supported."
        )
    (f,) = _inexact("gradient", f)
    axes = _axes(axis, f.ndim)
    steps = [_operand(v, "gradient", i + 1) for i, v in enumerate(varargs)]
    if not steps:
        steps = [1.0] * len(axes)
    elif len(steps) == 1:
        steps *= len(axes)
    elif len(steps) != len(axes):
        raise TypeError(
            f"Invalid number of spacing arguments {len(varargs)} for {axis=}"
        )
    out = [_gradient_along(f, i, h) for i, h in zip(axes, steps, strict=True)]
    return out[0] if len(axes) == 1 else out


def _gradient_along(f, axis, h):
    n = f.shape[axis]
    if n < 2:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at "
            "least 2 elements are required."
        )
    first = _part(f, axis, 1, 2) - _part(f, axis, 0, 1)
    last = _part(f, axis, n - 1, n) - _part(f, axis, n - 2, n - 1)
    high, low = _part(f, axis, 2, n), _part(f, axis, 0, n - 2)
    if getattr(h, "ndim", 0) == 0:
        return concatenate((first, (high - low) * 0.5, last), axis) / h
    if h.ndim > 1 or h.shape[0] != n:
        raise ValueError(
            "Spacing arrays must have the same length as the dimension along "
            "which the gradient is calculated."
        )
    shape = [1] * f.ndim
    shape[axis] = -1
    d = diff(h).reshape(shape)
    m = n - 1
    a, b = _part(d, axis, 0, m - 1), _part(d, axis, 1, m)
    mid = _part(f, axis, 1, n - 1)
    inside = (
        -b / (a * (a + b)) * low
        + (b - a) / (a * b) * mid
        + a / (b * (a + b)) * high
    )
    return concatenate(
        (first / _part(d, axis, 0, 1), inside, last / _part(d, axis, m - 1, m)),
        axis,
    )


def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral by the trapezoidal rule."""
    y = _operand(y, "trapezoid", 0)
    if x is None:
        (y,) = _core.promote_inexact("trapezoid", [y])
        dx = _operand(dx, "trapezoid", 2)
    else:
        x = _operand(x, "trapezoid", 1)
        t = _inexact_dtype(y, x)
        y, x = y.astype(t), x.astype(t)
    given, axis = axis, _axes(axis, y.ndim)[0]
    n = y.shape[axis]
    pairs = _part(y, axis, min(1, n), n) + _part(y, axis, 0, max(n - 1, 0))
    if x is not None and x.ndim == 1:
        shape = [1] * y.ndim
        shape[axis] = max(x.shape[0] - 1, 0)
        dx = diff(x).reshape(shape)
    elif x is not None:
        dx = moveaxis(diff(x, axis=given), given, -1)
        pairs, axis = moveaxis(pairs, axis, -1), -1
    if 0 < dx.ndim < y.ndim:
        dx = dx.reshape((1,) * (y.ndim - dx.ndim) + dx.shape)
    return 0.5 * sum(dx * pairs, axis=axis)


@keeps_weak(3)
def interp(x, xp, fp, left=None, right=None, period=None):
    """Linear interpolation of the points (xp, fp), xp increasing."""
    for name, side in (("left", left), ("right", right)):
        if isinstance(side, str) and side != "extrapolate":
            raise ValueError(
                f"the only valid string value of `{name}` is 'extrapolate', "
                f"but got: {side!r}"
            )
    extrapolate = [
        isinstance(side, str) and side == "extrapolate"
        for side in (left, right)
    ]
    xp, fp = _operand(xp, "interp", 1), _operand(fp, "interp", 2)
    if xp.ndim != 1 or fp.ndim != 1 or xp.shape != fp.shape:
        raise ValueError(
            "xp and fp must be one-dimensional arrays of equal size"
        )
    x = _operand(x, "interp", 0)
    if x.dtype.kind == "c" or xp.dtype.kind == "c":
        raise ValueError("jnp.interp: complex x values not supported.")
    work = _inexact_dtype(x, xp)
    x, xp = x.astype(work), xp.astype(work)
    (fp,) = _inexact("interp", fp)
    if period is not None:
        if np.ndim(period) != 0:
            raise ValueError(f"period must be a scalar; got {period}")
        period = absolute(asarray(period, work))
        x, xp = x % period, xp % period
        order = _core.np_sort((xp, _core.iota(int, xp.shape, 0)), 0, 1)[1]
        xp, fp = xp[order], fp[order]
        xp = concatenate((xp[-1:] - period, xp, xp[:1] + period))
        fp = concatenate((fp[-1:], fp, fp[:1]))
    n = xp.shape[0]
    i = searchsorted(xp, x, side="right").clip(1, max(n - 1, 1))
    x0, x1 = xp[i - 1], take(xp, i, mode="clip")
    f0, f1 = fp[i - 1], take(fp, i, mode="clip")
    dx = x1 - x0
    small = absolute(dx) <= np.spacing(np.finfo(work).eps)
    slope = where(small, 0, (x - x0) / where(small, 1, dx))
    f = where(small, f0, f0 + slope * (f1 - f0))
    if period is not None:
        return f
    low = fp[0] if left is None else left
    high = fp[-1] if right is None else right
    if not extrapolate[0]:
        f = where(x < xp[0], low, f)
    if not extrapolate[1]:
        f = where(x > xp[-1], high, f)
    return f


# ---- histograms


def bincount(x, weights=None, minlength=0, *, length=None, out_sharding=None):
    """How often each integer occurs (weighted); `length` makes it static."""
    x = _operand(x, "bincount", 0)
    if x.dtype.kind not in "iub":
        raise TypeError(
            f"x argument to bincount must have an integer type; got {x.dtype}"
        )
    if x.ndim != 1:
        raise ValueError("only 1-dimensional input supported.")
    minlength = operator.index(minlength)
    if length is None:
        known = _dispatch.concrete_or_none(x)
        if known is None:
            from cotan.errors import ConcretizationTypeError

            raise ConcretizationTypeError(
                "The error occurred because of argument 'x' of "
                "cotan.numpy.bincount: its result's length depends on the "
                "values of x. Give `length`."
            )
        top = int(known.max()) + 1 if known.size else 0
        length = max(minlength, top)
    else:
        length = operator.index(length)
    if weights is None:
        weights = np.array(1, _core.canonical_dtype(int))
    else:
        weights = _operand(weights, "bincount", 1)
        if weights.shape != x.shape:
            raise ValueError("shape of weights must match shape of x.")
    out = zeros(length, _core.dtype(weights.dtype))
    at = maximum(x.astype(int), 0) if x.dtype.kind == "i" else x.astype(int)
    return out.at[at].add(weights, mode="drop")


def histogram_bin_edges(a, bins=10, range=None, weights=None):
    """The edges of `bins` equal bins, or `bins` itself if it is an array."""
    if isinstance(bins, str):
        raise NotImplementedError("string values for `bins` not implemented.")
    a = _operand(a, "histogram_bin_edges", 0)
    work = _inexact_dtype(a)
    if np.ndim(bins) == 1:
        return asarray(bins).astype(work)
    bins = operator.index(bins)
    if bins < 1:
        raise ValueError(f"`bins` must be positive, got {bins}")
    if range is None:
        if a.size == 0:
            range = (0.0, 1.0)
        else:
            flat = a.reshape(-1)
            range = (flat.min(), flat.max())
    low, high = asarray(range[0]).astype(work), asarray(range[1]).astype(work)
    same = low == high
    low = where(same, low - 0.5, low)
    high = where(same, high + 0.5, high)
    return linspace(low, high, bins + 1, dtype=work)


def histogram(a, bins=10, range=None, weights=None, density=None):
    """(counts, edges): how many elements fall into each bin.

    Counts have the dtype of `a` (as in JAX), floating for integers.
    """
    a = _operand(a, "histogram", 0)
    if weights is None:
        counts_of = asarray(1, a.dtype if a.dtype.kind in "f" else float)
        weights = _core.broadcast_to(counts_of, a.shape)
    else:
        weights = _operand(weights, "histogram", 1)
        if a.shape != weights.shape:
            raise ValueError("weights should have the same shape as a.")
    edges = histogram_bin_edges(a, bins, range)
    a = a.reshape(-1).astype(edges.dtype)
    n = edges.shape[0]
    i = searchsorted(edges, a, side="right")
    i = where(a == edges[-1], n - 1, i)
    w = weights.reshape(-1)
    counts = zeros(n, w.dtype).at[i].add(w, mode="drop")[1:]
    if density:
        width = diff(edges)
        counts = counts / width / counts.sum()
    return counts, edges


def histogramdd(sample, bins=10, range=None, weights=None, density=None):
    """(counts, edges of each axis) of points in D dimensions."""
    if isinstance(sample, (list, tuple)):
        sample = stack([_operand(s, "histogramdd", 0) for s in sample], -1)
    if weights is None:
        (x,) = _core.promote_inexact(
            "histogramdd", [_operand(sample, "histogramdd", 0)]
        )
    else:
        common = _inexact_dtype(sample, weights)
        x = _operand(sample, "histogramdd", 0).astype(common)
        weights = _operand(weights, "histogramdd", 3).astype(common)
    if x.ndim == 1:
        x = x[:, None]
    dims = x.shape[1]
    if range is not None and len(range) != dims:
        raise ValueError(
            f"For sample.shape={x.shape}, should have the same number of "
            f"ranges, got {len(range)}"
        )
    if isinstance(bins, int):
        bins = [bins] * dims
    elif len(bins) != dims:
        raise ValueError("should be a bin for each dimension")
    edges, sizes, flat = [], [], 0
    for d in _range(dims):
        r = None if range is None else range[d]
        e = histogram_bin_edges(x[:, d], bins[d], r)
        column = x[:, d].astype(e.dtype)
        i = searchsorted(e, column, side="right")
        i = where(column == e[-1], e.shape[0] - 1, i)
        edges.append(e)
        sizes.append(e.shape[0] + 1)
        flat = flat * sizes[-1] + i
    total = math.prod(sizes)
    counts = bincount(flat, weights, length=total).reshape(sizes)
    counts = counts[(slice(1, -1),) * dims]
    if density:
        # Of what lies within the edges, not of all points.
        counts = counts.astype(_inexact_dtype(x))
        counts = counts / counts.sum()
        for d, e in enumerate(edges):
            shape = [1] * dims
            shape[d] = -1
            counts = counts / diff(e).reshape(shape)
    return counts, edges


def histogram2d(x, y, bins=10, range=None, weights=None, density=None):
    """(counts, x edges, y edges) of points in the plane."""
    x, y = _operand(x, "histogram2d", 0), _operand(y, "histogram2d", 1)
    try:
        n = len(bins)
    except TypeError:
        n = 1
    if n not in (1, 2):
        bins = [asarray(bins)] * 2
    counts, edges = histogramdd(
        stack([x, y], -1), bins, range, weights, density
    )
    return counts, edges[0], edges[1]


# ---- convolution


def _convolve(name, a, v, mode, flip, preferred):
    a, v = _operand(a, name, 0), _operand(v, name, 1)
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError(f"{name}() only support 1-dimensional inputs.")
    if a.size == 0 or v.size == 0:
        raise ValueError(
            f"{name}: inputs cannot be empty, got shapes {a.shape} and "
            f"{v.shape}."
        )
    t, weak = _inexact_dtype(a, v), a.weak_type and v.weak_type
    a, v = a.astype(t), v.astype(t)
    n, m = a.shape[0], v.shape[0]
    swap = m > n
    if swap:
        a, v, n, m = v, a, m, n
    if not flip:
        v = v[::-1]  # correlate is convolve with the kernel reversed
    if mode == "full":
        low, count = 0, n + m - 1
    elif mode == "same":
        low, count = (m - 1) // 2, n
    elif mode == "valid":
        low, count = m - 1, n - m + 1
    else:
        raise ValueError("mode must be one of ['full', 'same', 'valid']")
    out = _full_convolution(a, v, preferred)
    out = out[low : low + count]
    if weak and preferred is None:
        out = _core.np_astype(out, out.dtype, True)
    return out, swap


def _full_convolution(a, v, preferred):
    n, m = a.shape[0], v.shape[0]
    zero = _core.np_astype(0, a.dtype)
    padded = _core.np_pad(a, zero, [(m - 1, m - 1, 0)])
    # Windows of the padded signal times the reversed kernel.
    i = np.arange(n + m - 1, dtype=np.int32)[:, None] + np.arange(
        m, dtype=np.int32
    )
    out = matmul(padded[i], v[::-1])
    return out if preferred is None else _core.np_astype(out, preferred)


def convolve(a, v, mode="full", *, precision=None, preferred_element_type=None):
    """Convolution of two rank-1 arrays."""
    return _convolve("convolve", a, v, mode, True, preferred_element_type)[0]


def correlate(
    a, v, mode="valid", *, precision=None, preferred_element_type=None
):
    """Cross-correlation of two rank-1 arrays."""
    v = conj(_operand(v, "correlate", 1))
    a = _operand(a, "correlate", 0)
    if v.ndim == 1 and a.ndim == 1 and v.shape[0] > a.shape[0] > 0:
        out, _ = _convolve(
            "correlate", a[::-1], v, mode, True, preferred_element_type
        )
        return out[::-1]
    return _convolve("correlate", a, v, mode, False, preferred_element_type)[0]


# ---- samples


def cov(
    m,
    y=None,
    rowvar=True,
    bias=False,
    ddof=None,
    fweights=None,
    aweights=None,
    dtype=None,
):
    """The covariance matrix of variables (rows, or columns)."""
    _check_inexact("cov", dtype)
    m = _operand(m, "cov", 0)
    if m.ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    arrays = [m]
    if y is not None:
        y = _operand(y, "cov", 1)
        if y.ndim > 2:
            raise ValueError("y has more than 2 dimensions")
        arrays.append(y)
    t = _inexact_dtype(*arrays) if dtype is None else dtype
    arrays = [a.astype(t) for a in arrays]
    x = _core.np_reshape(arrays[0], arrays[0].shape, False)
    x = x.reshape(1, -1) if x.ndim < 2 else x
    if not rowvar and x.shape[0] != 1:
        x = x.T
    if y is not None:
        z = arrays[1]
        z = z.reshape(1, -1) if z.ndim < 2 else z
        if not rowvar and z.shape[0] != 1:
            z = z.T
        x = concatenate((x, z), axis=0)
    if ddof is None:
        ddof = 0 if bias else 1
    w = None
    if fweights is not None:
        f = _operand(fweights, "cov", 5)
        if f.ndim > 1:
            raise RuntimeError("cannot handle multidimensional fweights")
        if f.shape[0] != x.shape[1]:
            raise RuntimeError("incompatible numbers of samples and fweights")
        if f.dtype.kind not in "iu":
            raise TypeError("fweights must be integer.")
        w = absolute(f).astype(x.dtype)
    if aweights is not None:
        a = _operand(aweights, "cov", 6)
        if a.ndim > 1:
            raise RuntimeError("cannot handle multidimensional aweights")
        if a.shape[0] != x.shape[1]:
            raise RuntimeError("incompatible numbers of samples and aweights")
        a = absolute(a).astype(x.dtype)
        w = a if w is None else w * a
    if x.shape[0] == 0:
        return zeros((0, 0), x.dtype)
    avg, w_sum = average(x, axis=1, weights=w, returned=True)
    w_sum = w_sum[0]
    if w is None:
        f = x.shape[1] - ddof
    elif ddof == 0:
        f = w_sum
    elif aweights is None:
        f = w_sum - ddof
    else:
        f = w_sum - ddof * sum(w * a) / w_sum
    # Too few samples give 0 / 0.
    f = maximum(f, 0) if isinstance(f, Array) else max(f, 0)
    x = x - avg[:, None]
    xt = conj(x.T) if w is None else conj((x * w[None, :]).T)
    return dot(x, xt).squeeze() / f


def _check_inexact(name, dtype):
    if dtype is not None and not dtypes.issubdtype(
        _core.dtype(dtype), np.inexact
    ):
        raise ValueError(
            f"{name}: dtype must be a subclass of float or complex; got "
            f"{dtype=}"
        )


def corrcoef(x, y=None, rowvar=True, dtype=None):
    """The matrix of correlation coefficients."""
    _check_inexact("corrcoef", dtype)
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    d = sqrt(real(c.diagonal()))
    c = c / d[:, None] / d[None, :]
    return c if c.dtype.kind == "c" else c.clip(-1, 1)


# ---- windows


def _window(M, small=1):
    M = operator.index(M)
    if M <= 1:
        return None, _core.np_full((max(M, 0),), True, float, "window")
    return arange(M, dtype=float), None


def bartlett(M):
    """The triangular window."""
    n, short = _window(M)
    if n is None:
        return short
    return 1 - absolute(2 * n + 1 - M) / (M - 1)


def blackman(M):
    """The Blackman window."""
    n, short = _window(M)
    if n is None:
        return short
    t = 2 * math.pi * n / (M - 1)
    return 0.42 - 0.5 * cos(t) + 0.08 * cos(2 * t)


def hamming(M):
    """The Hamming window."""
    n, short = _window(M)
    if n is None:
        return short
    return 0.54 - 0.46 * cos(2 * math.pi * n / (M - 1))


def hanning(M):
    """The Hann window."""
    n, short = _window(M)
    if n is None:
        return short
    return 0.5 * (1 - cos(2 * math.pi * n / (M - 1)))


def kaiser(M, beta):
    """The Kaiser window."""
    from cotan.numpy.elementwise import i0

    n, short = _window(M)
    if n is None:
        return short
    alpha = 0.5 * (M - 1)
    return i0(beta * sqrt(1 - ((n - alpha) / alpha) ** 2)) / i0(
        asarray(beta, float)
    )


# ---- bits


def packbits(a, axis=None, bitorder="big"):
    """Eight bools (or integers: not zero) a byte."""
    a = _operand(a, "packbits", 0)
    if a.dtype.kind not in "iub":
        raise TypeError(
            "Expected an input array of integer or boolean data type"
        )
    if bitorder not in ("little", "big"):
        raise ValueError("'order' must be either 'little' or 'big'")
    bits = (a if a.dtype.kind == "b" else a != 0).astype(np.uint8)
    if axis is None:
        bits, axis = _core.np_ravel(bits, False), 0
    bits = moveaxis(bits, axis, -1)
    rest = bits.shape[-1] % 8
    if rest:
        config = [(0, 0, 0)] * (bits.ndim - 1) + [(0, 8 - rest, 0)]
        bits = _core.np_pad(bits, _core.np_astype(0, np.uint8), config)
    bits = bits.reshape(*bits.shape[:-1], bits.shape[-1] // 8, 8)
    shifts = _shifts(bitorder, bits.ndim)
    out = sum(bits << shifts, axis=-1, dtype=np.uint8)
    return moveaxis(out, -1, axis)


def _shifts(bitorder, rank):
    shifts = np.arange(8, dtype=np.uint8)
    if bitorder == "big":
        shifts = shifts[::-1].copy()
    return shifts.reshape((1,) * (rank - 1) + (8,))


def unpackbits(a, axis=None, count=None, bitorder="big"):
    """The bits of bytes, as bytes of 0 and 1."""
    a = _operand(a, "unpackbits", 0)
    if a.dtype != np.uint8:
        raise TypeError("Expected an input array of unsigned byte data type")
    if bitorder not in ("little", "big"):
        raise ValueError("'order' must be either 'little' or 'big'")
    if axis is None:
        a, axis = _core.np_ravel(a, False), 0
    a = moveaxis(a, axis, -1)
    shifts = _shifts(bitorder, a.ndim + 1)
    bits = (a[..., None] >> shifts) & np.uint8(1)
    bits = bits.reshape(*a.shape[:-1], -1)
    if count is not None:
        n = bits.shape[-1]
        if count > n:
            config = [(0, 0, 0)] * (bits.ndim - 1) + [(0, count - n, 0)]
            bits = _core.np_pad(bits, _core.np_astype(0, np.uint8), config)
        else:
            bits = bits[..., :count]
    return moveaxis(bits, -1, axis)


# ---- files


def save(file, arr, allow_pickle=True):
    """np.save."""
    np.save(file, np.asarray(arr), allow_pickle=allow_pickle)


def savez(file, *args, allow_pickle=True, **kwds):
    """np.savez."""
    np.savez(
        file,
        *map(np.asarray, args),
        **{k: np.asarray(v) for k, v in kwds.items()},
    )


def load(file, *args, **kwargs):
    """np.load, with the array as an Array."""
    out = np.load(file, *args, **kwargs)
    if not isinstance(out, np.ndarray):
        return out
    if out.dtype == np.dtype("V2"):  # how NumPy stores bfloat16
        out = out.view(_core.dtype("bfloat16"))
    return asarray(out)


# ---- along axes


def apply_over_axes(func, a, axes):
    """func(a, axis) for each axis; ranks are kept."""
    a = _operand(a, "apply_over_axes", 0)
    for axis in axes:
        b = func(a, axis)
        if b.ndim == a.ndim:
            a = b
        elif b.ndim == a.ndim - 1:
            a = _core.np_expand_dims(b, axis)
        else:
            raise ValueError(
                "function is not returning an array of the correct shape"
            )
    return a
