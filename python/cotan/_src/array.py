"""The Python side of Array: printing, conversions and the errors that traced
values raise. Methods that are NumPy functions are added by cotan.numpy.
"""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch, dtypes, errors
from cotan._dispatch import Tracer
from cotan._src import avals

# ---- printing


def _repr(x):
    if isinstance(x, Tracer):
        kind, _ = _dispatch.trace_description(x)
        weak = "~" if x.weak_type else ""
        dims = ",".join(map(str, x.shape))
        inner = _dispatch.concrete_or_none(x)
        value = f" with value {inner!r}" if inner is not None else ""
        return f"{kind}({weak}{x.dtype.name}[{dims}]){value}"
    if _dispatch.is_deleted(x):
        return f"Array(shape={x.shape}, dtype={x.dtype.name}, deleted)"
    if isinstance(x.dtype, dtypes.KeyDType):
        from cotan import random

        data = np.asarray(random.key_data(x))
        return f"Array({x.shape}, dtype={x.dtype.name}) overlaying:\n{data}"
    tail = f"dtype={x.dtype.name}" + (", weak_type=True" if x.weak_type else "")
    width = np.get_printoptions()["linewidth"]
    if x.size == 0:
        body = f"[], shape={x.shape}"
    else:
        body = np.array2string(
            _dispatch.to_numpy(x),
            prefix="Array(",
            separator=", ",
            suffix=",",
            max_line_width=width,
        )
    # Where the dtype does not fit on the last line JAX puts more space before
    # it, not a new line.
    used = len(body) - body.rfind("\n") + 1
    space = " " if used + len(tail) + 2 <= width else " " * len("Array(")
    return f"Array({body},{space}{tail})"


def _str(x):
    if isinstance(x, Tracer) or isinstance(x.dtype, dtypes.KeyDType):
        return _repr(x)
    return str(_dispatch.to_numpy(x))


def _format(x, spec):
    if isinstance(x, Tracer) and _dispatch.concrete_or_none(x) is None:
        return format(_repr(x), spec)
    if x.ndim == 0 and spec:
        return format(_dispatch.to_numpy(x)[()], spec)
    if spec:
        raise TypeError(
            f"unsupported format string {spec!r} for an array of shape "
            f"{x.shape}; only scalars take one"
        )
    return _str(x)


# ---- conversions


def _where(x):
    line = _dispatch.trace_source(x)
    return f"\nThe value was made at {line}." if line else ""


def _describe(x):
    return (
        f"traced array with shape {avals.short(x.dtype)}"
        f"[{','.join(map(str, x.shape))}]"
    )


def _abstract_conversion(x, kind):
    _, alive = _dispatch.trace_description(x)
    if not alive:
        raise errors.UnexpectedTracerError(
            f"Encountered an unexpected tracer: {_describe(x)} was used after "
            "its transformation had ended. A value escaped from a jit, grad "
            "or vmap-transformed function through a side effect; return it "
            f"instead.{_where(x)}"
        )
    if kind == "bool":
        raise errors.TracerBoolConversionError(
            f"Attempted boolean conversion of {_describe(x)}. The value is "
            "not known while the function is traced: use cotan.lax.cond, "
            "cotan.numpy.where, or mark the argument that it depends on with "
            f"static_argnums.{_where(x)}"
        )
    if kind == "index":
        if x.ndim or not dtypes.issubdtype(x.dtype, np.integer):
            raise TypeError(
                "Only integer scalar arrays can be converted to a scalar index."
            )
        raise errors.TracerIntegerConversionError(
            f"The __index__() method was called on {_describe(x)}. Use it as "
            "an index of a cotan array, or mark the argument that it depends "
            f"on with static_argnums.{_where(x)}"
        )
    if kind == "array":
        raise errors.TracerArrayConversionError(
            "The numpy.ndarray conversion method __array__() was called on "
            f"{_describe(x)}. Use cotan.numpy instead of numpy inside "
            f"transformed functions.{_where(x)}"
        )
    if kind in ("int", "float", "complex") and x.ndim:
        raise TypeError(
            "Only scalar arrays can be converted to Python scalars; got "
            f"arr.ndim={x.ndim}"
        )
    raise errors.ConcretizationTypeError(
        f"Abstract tracer value encountered where concrete value is expected: "
        f"{_describe(x)}. The problem arose with the `{kind}` function. If "
        "trying to convert the data type of a value, try using "
        f"`x.astype({kind})` or `cnp.array(x, {kind})` instead.{_where(x)}"
    )


def _concrete_conversion(x, kind, value):
    if value.ndim != 0 or isinstance(value.dtype, dtypes.KeyDType):
        if kind == "bool":
            if value.size == 0:
                raise ValueError(
                    "The truth value of an empty array is ambiguous. Use "
                    "`array.size > 0` to check that an array is not empty."
                )
            if value.size > 1:
                raise ValueError(
                    "The truth value of an array with more than one element "
                    "is ambiguous. Use a.any() or a.all()"
                )
            return bool(_dispatch.to_numpy(value).reshape(())[()])
        if kind == "index":
            raise TypeError(
                "Only integer scalar arrays can be converted to a scalar index."
            )
        if value.size == 1 and kind != "complex":
            raise TypeError(
                "Only scalar arrays can be converted to Python scalars; got "
                f"arr.ndim={value.ndim}"
            )
        raise TypeError(
            "Only scalar arrays can be converted to Python scalars; got "
            f"{value.ndim=}".replace("value.ndim", "arr.ndim")
        )
    v = _dispatch.python_scalar_of(value)
    if kind == "bool":
        return bool(v)
    if kind == "int":
        return int(v)
    if kind == "float":
        return float(v)
    if kind == "complex":
        return complex(v)
    if not isinstance(v, int):
        raise TypeError(
            "Only integer scalar arrays can be converted to a scalar index."
        )
    return int(v)


def _to_numpy(x, dtype=None, copy=None):
    if isinstance(x, Tracer):  # its derivative or axis would be lost
        _abstract_conversion(x, "array")
    if isinstance(x.dtype, dtypes.KeyDType):
        raise TypeError(
            f"cotan arrays with dtype {x.dtype} cannot be converted "
            "to NumPy; use cotan.random.key_data(arr)"
        )
    a = _dispatch.to_numpy(x)
    if dtype is not None and a.dtype != dtype:
        return a.astype(dtype)
    return a.copy() if copy else a


def _iterate(x):
    if x.ndim == 0:
        raise TypeError("iteration over a 0-d array")
    if (
        isinstance(x, Tracer)
        or x.weak_type
        or isinstance(x.dtype, dtypes.KeyDType)
        or _device(x).platform != "cpu"
    ):
        return iter([x[i] for i in range(x.shape[0])])
    # The rows are copied from memory: no program runs.
    return iter([_dispatch.to_array(row) for row in _dispatch.to_numpy(x)])


def _contains(x, item):
    if x.ndim != 1:
        raise ValueError(
            "Array.__contains__: search array must be one-dimensional, got "
            f"shape {x.shape}"
        )
    if not _dispatch.is_array(item):
        raise TypeError(
            f"Array.__contains__: unsupported operand type {type(item)}."
        )
    if getattr(item, "shape", ()) != ():
        raise ValueError(
            "Array.__contains__: query value must be a scalar, got shape "
            f"{item.shape}"
        )
    return bool((x == item).any())


def _reduce(x):
    if isinstance(x, Tracer):
        return _rebuild, (_dispatch.to_numpy(x), x.weak_type)
    if isinstance(x.dtype, dtypes.KeyDType):
        from cotan import random

        return _rebuild_keys, (np.asarray(random.key_data(x)), x.dtype)
    return _rebuild, (_dispatch.to_numpy(x).copy(), x.weak_type)


def _rebuild(data, weak_type):
    from cotan import _core

    y = _dispatch.to_array(data)
    return _core.convert(y, y.dtype, weak_type) if weak_type else y


def _rebuild_keys(data, dtype):
    from cotan import random

    return random.wrap_key_data(data, dtype=dtype)


def _copied(x):
    y = _dispatch.to_array(_dispatch.to_numpy(x).copy())
    return _core.convert(y, y.dtype, x.weak_type)


def _shallow_copy(x):
    from cotan import _core

    return _core.copy(x)


def _deepcopy(x, memo=None):
    del memo
    if isinstance(x, Tracer) or isinstance(x.dtype, dtypes.KeyDType):
        return x
    return _copied(x)


def _dlpack(x, *, stream=None, max_version=None, dl_device=None, copy=None):
    del stream
    if isinstance(x, Tracer) and _dispatch.concrete_or_none(x) is None:
        _abstract_conversion(x, "array")
    if dl_device is not None and tuple(map(int, dl_device)) != (1, 0):
        raise BufferError(f"[dlpack] a CPU array cannot go to {dl_device}")
    if copy:
        x = _copied(x)
    # The old protocol has no read-only flag; consumers must not write.
    versioned = max_version is not None and tuple(max_version) >= (1, 0)
    return _core.dlpack_export(x, versioned, bool(copy))


def _dlpack_device(x):
    del x
    return 1, 0


def _array_namespace(x, api_version=None):
    del x
    import cotan.numpy

    known = (None, "2021.12", "2022.12", "2023.12", "2024.12")
    if api_version not in known:
        raise ValueError(
            f"api_version={api_version!r} is not available; use one of "
            f"{known[1:]}"
        )
    return cotan.numpy


def _missing_attribute(x, name):
    if not name.startswith("__") and not _loaded:
        _load_methods()
        return getattr(x, name)
    raise AttributeError(
        f"{type(x).__name__!r} object has no attribute {name!r}"
    )


_loaded = []


def _load_methods():
    """cotan.numpy registers the methods that are its functions."""
    _loaded.append(True)
    import cotan.numpy  # noqa: F401


def _getitem(x, index):
    from cotan._src import indexing

    _dispatch.set_implementation({"getitem": indexing.getitem})
    return indexing.getitem(x, index)


# ---- simple methods and properties


def _block_until_ready(x):
    """Waits until the value is computed (at once on the CPU); returns self."""
    _core.wait(x)
    return x


def _known(x, method):
    """The NumPy array of x, which must hold data."""
    if isinstance(x, _dispatch.Array) and not _dispatch.is_concrete(x):
        raise errors.ConcretizationTypeError(
            "Abstract tracer value encountered where concrete value is "
            f"expected. The {method}() method was called on {_describe(x)}. "
            "Return the array, or mark the argument that it depends on with "
            f"static_argnums.{_where(x)}"
        )
    return _dispatch.to_numpy(x)


def _item(x, *args):
    """The Python scalar of a size-1 array, or of the element at an index."""
    y = x[args if len(args) > 1 else args[0]] if args else x
    if y.size != 1:
        raise ValueError(
            "can only convert an array of size 1 to a Python scalar"
        )
    return _known(y, "item").reshape(()).item()


def _tolist(x):
    """The elements as nested lists of Python scalars."""
    return _known(x, "tolist").tolist()


def _tobytes(x, order="C"):
    """The bytes of the elements."""
    return _known(x, "tobytes").tobytes(order)


def _delete(x):
    """Frees the memory of the array, which must not be used any more."""
    _dispatch.delete_buffer(x)


def _is_deleted(x):
    """Whether the memory was freed or donated."""
    return _dispatch.is_deleted(x)


def _device(x):
    return _core.device_of(x)


def _copy_to_host_async(x):
    """Announces that the values will be read; there is nothing to start where
    memory is the host's."""
    if x.is_deleted():
        raise RuntimeError("Array has been deleted.")


def _is_ready(x):
    """Whether the value is computed."""
    return _core.is_ready(x)


def _devices(x):
    """The set of devices that hold the array."""
    return {_device(x)}


def _unsafe_buffer_pointer(x):
    """Address of the data."""
    return _dispatch.buffer_pointer(x)


class SingleDeviceSharding:
    """An array that lives on one device."""

    def __init__(self, device, *, memory_kind=None):
        self._device, self.memory_kind = device, memory_kind or "device"

    @property
    def device_set(self):
        return {self._device}

    @property
    def is_fully_replicated(self):
        return True

    def __eq__(self, other):
        return (
            isinstance(other, SingleDeviceSharding)
            and self._device == other._device
        )

    def __hash__(self):
        return hash(self._device)

    def __repr__(self):
        return (
            f"SingleDeviceSharding(device={self._device!r}, "
            f"memory_kind={self.memory_kind})"
        )


def _sharding(x):
    return SingleDeviceSharding(_device(x))


def _aval(x):
    return avals.ShapedArray(x.shape, x.dtype, x.weak_type)


def _bound_method(function, instance):
    import functools

    return functools.partial(function, instance)


def _round_builtin(x, ndigits=None):
    if ndigits is not None:
        return x.round(ndigits)
    # As round(float): an integer.
    return _core.convert(x.round(0), dtypes.canonicalize_dtype(np.int64), False)


def _at(x):
    from cotan._src import indexing

    return indexing.At(x)


def install() -> None:
    """Registers everything with the extension module."""
    _dispatch.set_error_classes(errors._BY_KIND)
    _core.set_error_classes(errors._BY_KIND)
    _dispatch.set_implementation(
        {
            "repr": _repr,
            "str": _str,
            "format": _format,
            "abstract_conversion": _abstract_conversion,
            "concrete_conversion": _concrete_conversion,
            "to_numpy": _to_numpy,
            "iterate": _iterate,
            "contains": _contains,
            "reduce": _reduce,
            "shallow_copy": _shallow_copy,
            "deepcopy": _deepcopy,
            "dlpack": _dlpack,
            "dlpack_device": _dlpack_device,
            "array_namespace": _array_namespace,
            "missing_attribute": _missing_attribute,
            "getitem": _getitem,
            "key_dtype": dtypes.key_dtype_of,
            "block_until_ready": _block_until_ready,
            "item": _item,
            "tolist": _tolist,
            "tobytes": _tobytes,
            "delete": _delete,
            "is_deleted": _is_deleted,
            "devices": _devices,
            "copy_to_host_async": _copy_to_host_async,
            "is_ready": _is_ready,
            "unsafe_buffer_pointer": _unsafe_buffer_pointer,
            "device": property(_device),
            "sharding": property(_sharding),
            "aval": property(_aval),
            "at": property(_at),
            "bound_method": _bound_method,
            "round_builtin": _round_builtin,
        }
    )
