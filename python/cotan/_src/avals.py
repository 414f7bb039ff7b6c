"""Shapes and dtypes of things that are, or stand for, arrays."""

from __future__ import annotations

import functools

import numpy as np

from cotan import _core, _dispatch


class ShapedArray:
    """The type of an array: shape, dtype and weak type."""

    __slots__ = ("shape", "dtype", "weak_type")

    def __init__(self, shape, dtype, weak_type=False):
        self.shape, self.dtype = tuple(shape), dtype
        self.weak_type = bool(weak_type)

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return int(np.prod(self.shape, dtype=np.int64))

    sharding = None

    def str_short(self, short_dtypes=False):
        """As "float32[3]", or "f32[3]"; "~" marks a weak type."""
        name = getattr(self.dtype, "name", str(self.dtype))
        name = short(self.dtype) if short_dtypes else name
        dims = ",".join(map(str, self.shape))
        return f"{'~' if self.weak_type else ''}{name}[{dims}]"

    def __str__(self):
        return self.str_short()

    def update(self, **changes):
        """A copy with another shape, dtype or weak_type."""
        parts = dict(
            shape=self.shape, dtype=self.dtype, weak_type=self.weak_type
        )
        changes.pop("sharding", None)
        unknown = changes.keys() - parts.keys()
        if unknown:
            raise TypeError(f"ShapedArray has no field {min(unknown)!r}")
        return ShapedArray(**{**parts, **changes})

    def strip_weak_type(self):
        return self.update(weak_type=False)

    def to_tangent_aval(self):
        """The type of tangents."""
        from cotan import core

        dtype = core.primal_dtype_to_tangent_dtype(self.dtype)
        return self.update(dtype=dtype)

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __repr__(self):
        weak = ", weak_type=True" if self.weak_type else ""
        dims = ",".join(map(str, self.shape))
        return f"ShapedArray({self.dtype.name}[{dims}]{weak})"

    def __eq__(self, other):
        return (
            isinstance(other, ShapedArray)
            and self.shape == other.shape
            and self.dtype == other.dtype
            and self.weak_type == other.weak_type
        )

    def __hash__(self):
        return hash((self.shape, self.dtype, self.weak_type))


class ShapeDtypeStruct:
    """Shape and dtype of an array, without data.

    Stands for an array in `eval_shape`, `jit(f).lower` and `make_jaxpr`.
    """

    __slots__ = ("shape", "dtype", "sharding", "weak_type")

    def __init__(self, shape, dtype, *, sharding=None, weak_type=False):
        if dtype is None:
            raise ValueError("ShapeDtypeStruct: dtype must be specified.")
        self.shape = tuple(shape)
        self.dtype = _core.dtype(dtype)
        self.sharding = sharding
        self.weak_type = weak_type

    @classmethod
    def like(cls, x):
        """That of an array or scalar."""
        dtype, shape, weak = leaf_aval(x)
        return cls(shape, dtype, weak_type=weak)

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def update(self, **changes):
        parts = dict(
            shape=self.shape,
            dtype=self.dtype,
            sharding=self.sharding,
            weak_type=self.weak_type,
        )
        parts.update(changes)
        shape, dtype = parts.pop("shape"), parts.pop("dtype")
        return ShapeDtypeStruct(shape, dtype, **parts)

    def __repr__(self):
        weak = ", weak_type=True" if self.weak_type else ""
        name = getattr(self.dtype, "name", self.dtype)
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={name}{weak})"

    __str__ = __repr__

    def __eq__(self, other):
        return isinstance(other, ShapeDtypeStruct) and (
            self.shape,
            self.dtype,
            self.weak_type,
        ) == (other.shape, other.dtype, other.weak_type)

    def __hash__(self):
        return hash((self.shape, self.dtype, self.weak_type))


def short(dtype):
    return _core.short_dtype(dtype)


def struct(aval):
    dtype, shape, weak = aval
    return ShapeDtypeStruct(shape, dtype, weak_type=weak)


def leaf_aval(x):
    """(dtype, shape, weak_type) of an array, scalar or ShapeDtypeStruct."""
    if isinstance(x, ShapeDtypeStruct):
        return _core.canonical_dtype(x.dtype), x.shape, x.weak_type
    if _dispatch.is_array(x):
        return _dispatch.aval_of(x)
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return (
            _core.canonical_dtype(x.dtype),
            tuple(x.shape),
            getattr(x, "weak_type", False),
        )
    raise TypeError(
        f"Value {x!r} with type {type(x)} is not a valid array type"
    )


def keeps_weak(count: int):
    """Makes what a function of arrays returns weakly typed where its first
    `count` arguments are when promoted, and strongly typed where not."""

    def decorator(f):
        @functools.wraps(f)
        def wrapper(*args, **options):
            out = f(*args, **options)
            xs = [x for x in args[:count] if _dispatch.is_array(x)]
            weak = (
                len(xs) == min(count, len(args))
                and (_core.result_type(tuple(map(_dispatch.to_array, xs)))[1])
            )
            if isinstance(out, tuple):
                kind = type(out)
                fields = (_retyped(y, weak) for y in out)
                return kind(fields) if kind is tuple else kind(*fields)
            return _retyped(out, weak)

        return wrapper

    return decorator


def _retyped(x, weak: bool):
    if not isinstance(x, _dispatch.Array) or x.weak_type == weak:
        return x
    return _core.convert(x, x.dtype, weak)


def output_array(x, fun, i, out):
    """The array that a traced function returned as leaf i of `out`."""
    if isinstance(x, _dispatch.Array):
        return x
    if not _dispatch.is_array(x):
        from cotan import tree_util

        path = tree_util.tree_flatten_with_path(out)[0][i][0]
        where = f" at output component {tree_util.keystr(path)}" if path else ""
        name = getattr(fun, "__name__", repr(fun))
        raise TypeError(
            f"function {name} traced for transformation returned a value of "
            f"type {type(x)}{where}, which is not a valid array type"
        )
    return _dispatch.to_array(x)
