"""Functions that make arrays: array, zeros, arange, linspace, eye, ..."""

from __future__ import annotations

import math
import operator

import numpy as np

from cotan import _core, _dispatch, dtypes, errors
from cotan._dispatch import Array
from cotan._src import settings
from cotan._src.devices import placed
from cotan.dtypes import KeyDType
from cotan.lax._types import canonical_shape, sized

_operand = _core.np_operand
_to_array = _dispatch.to_array


# ---- from objects


def asarray(
    a, dtype=None, order=None, *, copy=None, device=None, out_sharding=None
):
    """An Array with the values of `a`.

    Args:
      a: array, scalar, nested sequence of them, or an object that NumPy can
        convert.
      dtype: of the result; by default that of the contents, 64-bit types
        as 32-bit ones unless x64 is on. A Python scalar gives a weak type.

    >>> cnp.asarray([1, 2.5])
    Array([1. , 2.5], dtype=float32)
    """
    x = array(a, dtype=dtype, copy=bool(copy), order=order)
    return placed(x, device, out_sharding)


def array(
    object,
    dtype=None,
    copy=True,
    order="K",
    ndmin=0,
    *,
    device=None,
    out_sharding=None,
):
    """An Array with the values of `object`; see `asarray`."""
    if order not in ("K", "C", "A", None):
        raise NotImplementedError("Only implemented for order='K'")
    x = _convert(object, dtype)
    if copy and isinstance(object, Array) and x.dtype == object.dtype:
        x = _core.copy(x)
    if ndmin > x.ndim:
        x = x.reshape((1,) * (ndmin - x.ndim) + x.shape)
    return placed(x, device, out_sharding)


def _convert(x, dtype):
    if isinstance(x, Array):
        return x if dtype is None else _core.np_astype(x, dtype)
    if isinstance(x, (bool, int, float, complex)):
        if dtype is None:
            return _to_array(x)
        return _from_numpy(x, dtype)
    if isinstance(x, (np.ndarray, np.generic)):
        if isinstance(x, np.ma.MaskedArray):
            x = x.data
        return _to_array(x) if dtype is None else _from_numpy(x, dtype)
    if x is None:
        raise ValueError("None is not a valid value for jnp.array")
    if isinstance(x, (list, tuple)):
        return _from_sequence(x, dtype)
    if _dispatch.is_array(x):  # has __jax_array__
        x = _to_array(x)
        return x if dtype is None else _core.np_astype(x, dtype)
    if isinstance(x, str):
        raise TypeError(
            f"Value {x!r} with dtype {np.asarray(x).dtype} is not a valid "
            "array type. Only arrays of numeric types are supported."
        )
    if hasattr(x, "__array__") or _has_buffer(x):
        return _convert(np.asarray(x), dtype)
    raise TypeError(f"Unexpected input type for array: {type(x)}")


def _has_buffer(x):
    try:
        memoryview(x)
        return True
    except TypeError:
        return False


def _from_numpy(x, dtype):
    # np.asarray raises for Python integers outside the dtype's range.
    target = _core.np_user_dtype(dtype, "array")
    if isinstance(x, (bool, int, float)) or target == getattr(x, "dtype", None):
        return _to_array(np.asarray(x, dtype=target))
    return _core.np_astype(_to_array(x), target)


def _leaves(x, out):
    for item in x:
        if isinstance(item, (list, tuple)):
            _leaves(item, out)
        else:
            out.append(item)
    return out


def _from_sequence(x, dtype):
    leaves = _leaves(x, [])
    types = set(map(type, leaves))
    if type(None) in types:
        raise ValueError("None is not a valid value for jnp.array")
    for item in leaves:
        if not _dispatch.is_array(item):
            if hasattr(item, "__array__") or _has_buffer(item):
                continue
            a = np.asarray(item)
            raise TypeError(
                f"Value {item!r} with dtype {a.dtype} is not a valid array "
                "type. Only arrays of numeric types are supported."
            )
    if dtype is None and leaves:
        arrays = [i if _dispatch.is_array(i) else np.asarray(i) for i in leaves]
        dtype = _core.result_type(tuple(_unique_by_type(arrays)))[0]
    elif dtype is None:
        dtype = _core.canonical_dtype(float)
    else:
        dtype = _core.np_user_dtype(dtype, "array")
    if any(issubclass(t, Array) for t in types) or any(
        hasattr(t, "__jax_array__") or hasattr(t, "__cotan_array__")
        for t in types
    ):
        return _stack_nested(x, dtype)
    if len(types) > 1 or not types <= {bool, int, float, complex}:
        return _from_numpy(np.array(x), dtype)
    return _to_array(np.array(x, dtype=dtype))


def _unique_by_type(leaves):
    # Python scalars of one type promote alike: one of each is enough.
    seen, out = set(), []
    for x in leaves:
        if isinstance(x, (Array, np.ndarray, np.generic)):
            key = (x.dtype, getattr(x, "weak_type", False))
        else:
            key = type(x)
        if key not in seen:
            seen.add(key)
            out.append(type(x) if key in (bool, int, float, complex) else x)
    return out


def _stack_nested(x, dtype):
    if not isinstance(x, (list, tuple)):
        return _core.np_astype(_to_array(x), dtype)
    if not x:
        return zeros(0, dtype)
    parts = [_stack_nested(item, dtype) for item in x]
    if len({p.shape for p in parts}) > 1:
        raise TypeError(
            "Cannot make an array of arrays of different shapes: got "
            f"{', '.join(str(p.shape) for p in parts)}."
        )
    return _core.np_stack(parts, 0)


def copy(a, order=None):
    """A copy, which stays valid when `a` is deleted or donated."""
    return array(_operand(a, "copy", 0))


def from_dlpack(x, /, *, device=None, copy=None):
    """An Array on the memory of an object with `__dlpack__`: see
    `cotan.dlpack.from_dlpack`."""
    from cotan import dlpack

    return dlpack.from_dlpack(x, device, copy)


def frombuffer(buffer, dtype=float, count=-1, offset=0):
    """A rank-1 array from the bytes of a buffer."""
    return asarray(np.frombuffer(buffer, dtype, count, offset))


def fromfunction(function, shape, *, dtype=float, **kwargs):
    """The array function(i, j, ...) over the grid of indices of `shape`."""
    from cotan._src.api import vmap

    grid = [arange(n, dtype=dtype) for n in _as_shape(shape)]
    # The outermost vmap makes the first axis.
    for k in reversed(range(len(grid))):
        in_axes = tuple(0 if i == k else None for i in range(len(grid)))
        function = vmap(function, in_axes=in_axes)
    return function(*grid, **kwargs)


def fromiter(*args, **kwargs):
    return asarray(np.fromiter(*args, **kwargs))


def fromfile(*args, **kwargs):
    return asarray(np.fromfile(*args, **kwargs))


def fromstring(string, dtype=float, count=-1, *, sep):
    return asarray(np.fromstring(string, dtype, count, sep=sep))


# ---- filled


def _full(shape, fill, dtype, name):
    if isinstance(dtype, KeyDType) and not hasattr(fill, "dtype"):
        # Of keys whose words are all `fill`.
        shape = (*canonical_shape(shape), dtype.words)
        return _core.random_wrap(_full(shape, fill, np.uint32, name), dtype)
    if type(fill) is int:
        fill = sized(fill, dtype)
    return _core.np_full(shape, fill, dtype, name)


def _as_shape(shape):
    if isinstance(shape, (tuple, list)):
        return tuple(operator.index(d) for d in shape)
    return (operator.index(shape),)


def _float(dtype):
    return float if dtype is None else dtype


def _filled(shape, value, dtype, name):
    if isinstance(dtype, int) and not isinstance(dtype, bool):
        raise TypeError(
            f"Cannot interpret {dtype!r} as a data type. Did you accidentally "
            f"write `cotan.numpy.{name}({shape}, {dtype})` when you meant "
            f"`cotan.numpy.{name}(({shape}, {dtype}))`, with one tuple for "
            "the shape?"
        )
    return _full(shape, value, _float(dtype), name)


def zeros(shape, dtype=None, *, device=None, out_sharding=None):
    """An array of zeros, float32 by default."""
    x = _filled(shape, False, dtype, "zeros")
    return placed(x, device, out_sharding)


def ones(shape, dtype=None, *, device=None, out_sharding=None):
    """An array of ones, float32 by default."""
    x = _filled(shape, True, dtype, "ones")
    return placed(x, device, out_sharding)


def empty(shape, dtype=None, *, device=None, out_sharding=None):
    """An array of zeros: there is no uninitialised memory to see."""
    x = _filled(shape, False, dtype, "empty")
    return placed(x, device, out_sharding)


def full(shape, fill_value, dtype=None, *, device=None, out_sharding=None):
    """An array of copies of fill_value (broadcast to `shape`)."""
    x = _full(shape, fill_value, dtype, "full")
    return placed(x, device, out_sharding)


def _like(a, name, shape, dtype):
    if hasattr(a, "dtype") and hasattr(a, "shape"):
        own_shape, own_dtype = a.shape, a.dtype
        weak = getattr(a, "weak_type", False)
    else:
        x = _operand(a, name, 0)
        own_shape, own_dtype, weak = x.shape, x.dtype, x.weak_type
    return (
        own_shape if shape is None else shape,
        _core.canonical_dtype(own_dtype) if dtype is None else dtype,
        weak and dtype is None,
    )


def _full_like(a, fill, dtype, shape, name):
    shape, dtype, weak = _like(a, name, shape, dtype)
    y = _full(shape, fill, dtype, name)
    return _core.convert(y, y.dtype, True) if weak else y


def zeros_like(a, dtype=None, shape=None, *, device=None, out_sharding=None):
    """Zeros with the shape and dtype of `a`."""
    x = _full_like(a, False, dtype, shape, "zeros_like")
    return placed(x, device, out_sharding)


def ones_like(a, dtype=None, shape=None, *, device=None, out_sharding=None):
    """Ones with the shape and dtype of `a`."""
    x = _full_like(a, True, dtype, shape, "ones_like")
    return placed(x, device, out_sharding)


def empty_like(prototype, dtype=None, shape=None, *, device=None):
    """Zeros with the shape and dtype of `prototype`."""
    x = _full_like(prototype, False, dtype, shape, "empty_like")
    return placed(x, device)


def full_like(
    a, fill_value, dtype=None, shape=None, *, device=None, out_sharding=None
):
    """Copies of fill_value with the shape and dtype of `a`."""
    x = _full_like(a, fill_value, dtype, shape, "full_like")
    if np.ndim(fill_value):
        x = _core.strong(x)
    return placed(x, device, out_sharding)


# ---- ranges


def _concrete(x, what, where=None):
    if isinstance(x, Array):
        if x.ndim != 0:
            raise ValueError(
                f"jnp.arange: arguments must be scalars; got {what}={x}"
            )
        value = _dispatch.concrete_or_none(x)
        if value is None:
            raise errors.ConcretizationTypeError(
                "Abstract tracer value encountered where concrete value is "
                f"expected: it gives the shape of the result. It arose in the "
                f"{where or f'jnp.arange argument {what!r}'}. Mark what it "
                "depends on with static_argnums."
            )
        return np.asarray(value)[()]
    if isinstance(x, np.ndarray) and x.ndim == 0:
        return x[()]
    return x


def arange(
    start, stop=None, step=None, dtype=None, *, device=None, out_sharding=None
):
    """Values start, start + step, ... below stop; the bounds are static.

    >>> cnp.arange(2, 8, 2)
    Array([2, 4, 6], dtype=int32)
    """
    if stop is None and step is None:
        start, stop = 0, _concrete(start, "stop")
        given = (stop,)
    else:
        start = _concrete(start, "start")
        stop = _concrete(stop, "stop")
        given = tuple(x for x in (start, stop, step) if x is not None)
        if stop is None:
            start, stop = 0, start
    step = 1 if step is None else _concrete(step, "step")
    if any(
        isinstance(x, (complex, np.complexfloating))
        for x in (start, stop, step)
    ):
        raise ValueError(
            "Passing complex start/stop/step to jnp.arange is no longer "
            "supported."
        )
    if dtype is None:
        dtype = _core.result_type(given)[0]
    dtype = _core.np_user_dtype(dtype, "arange")
    count = max(0, math.ceil((stop - start) / step))
    exact = dtype.kind in "iu" or (
        count < 2**24
        and dtype.name in ("float32", "float64")
        and float(start).is_integer()
        and float(step).is_integer()
        and max(abs(start), abs(stop)) < 2**24
    )
    if exact and (dtype.kind == "f" or not isinstance(start + step, float)):
        x = _core.np_arange(int(start), int(step), count, dtype)
    else:
        x = _from_numpy(np.asarray(start + step * np.arange(count)), dtype)
    return placed(x, device, out_sharding)


def linspace(
    start,
    stop,
    num=50,
    endpoint=True,
    retstep=False,
    dtype=None,
    axis=0,
    *,
    device=None,
):
    """`num` evenly spaced values from start to stop (included if endpoint)."""
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    dtype = _spaced_dtype(dtype, start, stop)
    work = _inexact_dtype(start, stop)
    divisor = num - 1 if endpoint else num
    if _is_number(start) and _is_number(stop):
        values, step = np.linspace(start, stop, num, endpoint, retstep=True)
        if dtype.kind in "iu":
            values = np.floor(values)
        out = placed(_from_numpy(values, dtype), device)
        return (out, _to_array(np.asarray(step, work))) if retstep else out
    a = _operand(start, "linspace", 0).astype(work)
    b = _operand(stop, "linspace", 1).astype(work)
    a, b = _core.np_broadcast_arrays((a, b))
    step = (b - a) / divisor if divisor > 0 else asarray(math.nan, work)
    shape = (num,) + (1,) * a.ndim
    t = asarray(np.arange(num) / max(divisor, 1), work).reshape(shape)
    out = a[None] * (1 - t) + b[None] * t
    if endpoint and num > 1:
        out = _core.np_concatenate((out[:-1], b[None]), 0)
    if dtype.kind in "iu":
        from cotan.numpy.elementwise import floor

        out = floor(out)
    out = placed(_core.np_moveaxis(out, 0, axis).astype(dtype), device)
    return (out, step) if retstep else out


def _is_number(x):
    return isinstance(x, (int, float, complex, np.generic)) or (
        isinstance(x, np.ndarray) and x.ndim == 0
    )


def _spaced_dtype(dtype, *ends):
    if dtype is not None:
        return _core.np_user_dtype(dtype, "linspace")
    return _inexact_dtype(*ends)


def _inexact_dtype(*xs):
    """The dtype of xs together, the default float for integers."""
    t = _core.result_type(xs)[0]
    return (
        t if dtypes.issubdtype(t, np.inexact) else _core.canonical_dtype(float)
    )


def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    """base ** linspace(start, stop)."""
    dtype = _spaced_dtype(dtype, start, stop)
    t = linspace(start, stop, num, endpoint, axis=axis)
    return (base**t).astype(dtype)


def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """Values in geometric progression from start to stop."""
    dtype = _spaced_dtype(dtype, start, stop)
    from cotan.numpy.elementwise import exp, log, sign

    a, b = _operand(start, "geomspace", 0), _operand(stop, "geomspace", 1)
    work = dtype if dtype.kind not in "iu" else _inexact_dtype(start, stop)
    a, b = a.astype(work), b.astype(work)
    s = sign(a)
    t = linspace(log(a / s), log(b / s), num, endpoint, axis=0)
    out = exp(t) * s
    if num > 0:
        out = out.at[0].set(a)
        if endpoint and num > 1:
            out = out.at[-1].set(b)
    return _core.np_moveaxis(out, 0, axis).astype(dtype)


# ---- matrices


def eye(N, M=None, k=0, dtype=None, *, device=None):
    """Ones on the k-th diagonal of an (N, M) matrix of zeros."""
    n = _dimension(N, "N", "eye")
    m = n if M is None else _dimension(M, "M", "eye")
    if isinstance(k, int):
        k = min(max(k, -n), m)  # beyond: no diagonal, whatever the size of k
    x = _core.np_diagonal_mask(n, m, k, _float(dtype), False)
    return placed(x, device)


def _dimension(n, name, op):
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError(
            "Shapes must be 1D sequences of concrete values of integer type, "
            f"got ({n!r},). argument of {name!r} jnp.{op}()."
        ) from None
    if n < 0:
        raise ValueError(f"negative dimensions are not allowed, got {n}")
    return n


def identity(n, dtype=None):
    """The identity matrix."""
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """Ones at and below the k-th diagonal."""
    n = _dimension(N, "N", "tri")
    m = n if M is None else _dimension(M, "M", "tri")
    return _core.np_diagonal_mask(n, m, k, _float(dtype), True)


def tril(m, k=0):
    """The lower triangle of the last two axes; zeros above diagonal k."""
    return _triangle(m, k, "tril", True)


def triu(m, k=0):
    """The upper triangle of the last two axes; zeros below diagonal k."""
    return _triangle(m, k - 1, "triu", False)


def _triangle(m, k, name, lower):
    x = _operand(m, name, 0)
    if x.ndim < 2:
        raise ValueError(f"Argument to cotan.numpy.{name} must be at least 2D")
    mask = _core.np_diagonal_mask(*x.shape[-2:], k, bool, True)
    mask = _core.np_full(x.shape, mask, bool, name)
    zero = zeros_like(x)
    return _core.where(mask, x, zero) if lower else (_core.where(mask, zero, x))


def diag(v, k=0):
    """A matrix with diagonal v, or the k-th diagonal of a matrix."""
    x = _operand(v, "diag", 0)
    if x.ndim == 1:
        n = x.shape[0] + abs(k)
        if x.shape[0] == 0:
            return zeros((n, n), x.dtype)
        low, high = (abs(k), 0) if k < 0 else (0, abs(k))
        padded = _core.np_concatenate(
            (zeros(high, x.dtype), x, zeros(low, x.dtype)), 0
        )
        on = _core.np_diagonal_mask(n, n, k, bool, False)
        y = _core.where(on, padded, zeros_like(padded))
        return _core.convert(y, y.dtype, x.weak_type)
    if x.ndim == 2:
        from cotan.numpy.indexing import diagonal

        return diagonal(x, k)
    raise ValueError("diag input must be 1d or 2d")


def diagflat(v, k=0):
    """`diag` of the raveled input."""
    return _core.strong(diag(_core.np_ravel(_operand(v, "diagflat", 0)), k))


def vander(x, N=None, increasing=False):
    """The Vandermonde matrix: columns are powers of x."""
    from cotan import lax

    x = _operand(x, "vander", 0)
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array")
    N = x.shape[0] if N is None else operator.index(N)
    powers = arange(N) if increasing else arange(N - 1, -1, -1)
    if not dtypes.issubdtype(x.dtype, np.inexact):
        return x[:, None] ** powers.astype(x.dtype)[None, :]
    return lax.pow(x[:, None], powers[None, :])


# ---- grids


def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    """Coordinate arrays of a grid, from rank-1 axes."""
    args = [_operand(x, "meshgrid", i) for i, x in enumerate(xi)]
    if not copy:
        raise ValueError("cotan.numpy.meshgrid only supports copy=True")
    if indexing not in ("xy", "ij"):
        raise ValueError(
            f"Valid values for indexing are 'xy' and 'ij', got {indexing}"
        )
    if any(a.ndim != 1 for a in args):
        raise ValueError(
            "Arguments to cotan.numpy.meshgrid must be 1D, got shapes "
            f"{[a.shape for a in args]}"
        )
    order = list(range(len(args)))
    if indexing == "xy" and len(args) >= 2:
        order[0], order[1] = 1, 0
    shape = [0] * len(args)
    for i, a in enumerate(args):
        shape[order[i]] = a.shape[0]
    out = []
    for i, a in enumerate(args):
        own = [1] * len(args)
        own[order[i]] = a.shape[0]
        if sparse:
            out.append(a.reshape(own))
        else:
            out.append(_core.broadcast_in_dim(a, tuple(shape), (order[i],)))
    return out


def indices(dimensions, dtype=None, sparse=False):
    """The indices of a grid of the given shape, one array per axis."""
    dims = _as_shape(dimensions)
    dtype = int if dtype is None else dtype
    out = []
    for i, n in enumerate(dims):
        shape = [1] * len(dims)
        shape[i] = n
        a = arange(n, dtype=dtype).reshape(shape)
        out.append(a if sparse else _core.broadcast_to(a, dims))
    if sparse:
        return tuple(out)
    if not out:
        return zeros((0,), dtype)
    return _core.np_stack(out, 0)


class _Grid:
    """`mgrid[0:3, 0:2]` and `ogrid`: dense and sparse grids from slices."""

    def __init__(self, sparse):
        self.sparse = sparse

    def __getitem__(self, key):
        single = isinstance(key, slice)
        name = "jnp.ogrid" if self.sparse else "jnp.mgrid"
        axes = [_axis_of(s, name) for s in ((key,) if single else key)]
        if single:
            return axes[0]
        if not axes:
            return [] if self.sparse else zeros((0,), int)
        with settings.numpy_dtype_promotion("standard"):
            common = _core.result_type(tuple(axes))[0]
        axes = [a.astype(common) for a in axes]
        out = meshgrid(*axes, indexing="ij", sparse=self.sparse)
        return out if self.sparse else _core.np_stack(out, 0)


def _axis_of(s, name):
    start, stop, step = (
        _concrete(x, what, f"slice {what} of {name}")
        for x, what in ((s.start, "start"), (s.stop, "stop"), (s.step, "step"))
    )
    start = 0 if start is None else start
    step = 1 if step is None else step
    if isinstance(step, complex):
        return linspace(start, stop, int(abs(step)))
    return arange(start, stop, step)


mgrid, ogrid = _Grid(False), _Grid(True)
