"""Dtypes: the scalar classes (`float32(1.5)` makes an Array) and the
functions that reason about types."""

from __future__ import annotations

import numpy as np

from cotan import _core, dtypes
from cotan.dtypes import promote_types  # noqa: F401
from cotan.numpy.creation import asarray

dtype = np.dtype


class _ScalarMeta(type):
    """Scalar classes stand for their dtype wherever NumPy takes one."""

    def __hash__(cls):
        return hash(cls.dtype.type)

    def __eq__(cls, other):
        if cls is other:
            return True
        try:
            return cls.dtype == np.dtype(other)
        except (TypeError, ValueError):
            return NotImplemented

    def __ne__(cls, other):
        equal = type(cls).__eq__(cls, other)
        return equal if equal is NotImplemented else not equal

    def __call__(cls, x):
        return asarray(x, dtype=cls.dtype)

    def __instancecheck__(cls, instance):
        return isinstance(instance, cls.dtype.type)


def _scalar_class(name, np_dtype):
    return _ScalarMeta(
        name,
        (),
        {
            "dtype": np_dtype,
            "__module__": "cotan.numpy",
            "__doc__": f"The {np_dtype.name} type; calling it makes an Array.",
        },
    )


bool_ = _scalar_class("bool_", np.dtype("bool"))
int8 = _scalar_class("int8", np.dtype("int8"))
int16 = _scalar_class("int16", np.dtype("int16"))
int32 = _scalar_class("int32", np.dtype("int32"))
int64 = _scalar_class("int64", np.dtype("int64"))
uint8 = _scalar_class("uint8", np.dtype("uint8"))
uint16 = _scalar_class("uint16", np.dtype("uint16"))
uint32 = _scalar_class("uint32", np.dtype("uint32"))
uint64 = _scalar_class("uint64", np.dtype("uint64"))
float16 = _scalar_class("float16", np.dtype("float16"))
float32 = _scalar_class("float32", np.dtype("float32"))
float64 = _scalar_class("float64", np.dtype("float64"))
complex64 = _scalar_class("complex64", np.dtype("complex64"))
complex128 = _scalar_class("complex128", np.dtype("complex128"))
int_, uint, float_, complex_ = int64, uint64, float64, complex128
single, double, csingle, cdouble = float32, float64, complex64, complex128


def of_ml_dtypes(name):
    """bfloat16 and narrow dtypes: ml_dtypes is imported when one is named."""
    return _scalar_class(name, _core.dtype(name))


generic, number, inexact = np.generic, np.number, np.inexact
integer, signedinteger = np.integer, np.signedinteger
unsignedinteger, floating = np.unsignedinteger, np.floating
complexfloating, character = np.complexfloating, np.character
flexible, object_ = np.flexible, np.object_


def _dtype_of(x):
    """The dtype of an array or scalar, or the one that x stands for."""
    # NumPy's scalar classes have a `dtype` that is a descriptor.
    return _core.dtype(x if isinstance(x, type) else getattr(x, "dtype", x))


class iinfo(np.iinfo):
    """Range of an integer dtype."""

    def __new__(cls, int_type):
        d = _dtype_of(int_type)
        if d.name not in dtypes.ML_DTYPES:
            return super().__new__(cls)
        import ml_dtypes

        return ml_dtypes.iinfo(d)

    def __init__(self, int_type):
        super().__init__(_dtype_of(int_type))


def finfo(dtype):
    """Range and precision of a floating dtype, also of ml_dtypes."""
    d = _dtype_of(dtype)
    if d.name in dtypes.ML_DTYPES:
        import ml_dtypes

        return ml_dtypes.finfo(d)
    return np.finfo(d)


def issubdtype(arg1, arg2) -> bool:
    """Whether dtype arg1 is arg2 or below it in NumPy's hierarchy."""
    return dtypes.issubdtype(arg1, arg2)


def isdtype(dtype, kind) -> bool:
    """Whether a dtype is of a kind ("real floating", ...) or one of several.

    The array API standard's function.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    d = _core.dtype(dtype)
    groups = {
        "bool": (np.bool_,),
        "signed integer": (np.signedinteger,),
        "unsigned integer": (np.unsignedinteger,),
        "integral": (np.integer,),
        "real floating": (np.floating,),
        "complex floating": (np.complexfloating,),
        "numeric": (np.number,),
    }
    for k in kinds:
        if isinstance(k, str) and k in groups:
            if any(dtypes.issubdtype(d, g) for g in groups[k]):
                return True
        elif isinstance(k, str) and not (
            hasattr(np, k) or k in dtypes.ML_DTYPES
        ):
            raise ValueError(
                f"Unrecognized kind={k!r} expected one of {list(groups)}, or "
                "a dtype"
            )
        elif d == _core.dtype(k):
            return True
    return False


def result_type(*args):
    """The dtype that an operation on these arrays, scalars, dtypes gives."""
    return dtypes.result_type(*args)


def can_cast(from_, to, casting="safe") -> bool:
    """np.can_cast."""
    return np.can_cast(_as_np(from_), _as_np(to), casting=casting)


def _as_np(x):
    if hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, type):
        return x.dtype
    return _core.dtype(x)
