"""Element types: names, promotion and classification (as `jax.dtypes`)."""

from __future__ import annotations

import numpy as np

from cotan import _core
from cotan._src import absent

float0 = np.dtype([("float0", np.void, 0)])


class extended(np.generic):
    """Abstract class of dtypes that NumPy does not know."""


class prng_key(extended):
    """Abstract class of PRNG key dtypes."""


class KeyDType:
    """The dtype of typed PRNG keys: `impl` names their generator."""

    type = prng_key
    kind = "V"

    def __init__(self, tag: str, impl: str, words: int):
        self.name, self.impl, self.words = f"key<{tag}>", impl, words

    @property
    def itemsize(self) -> int:
        """Bytes of a key."""
        return 4 * self.words

    def __repr__(self):
        return self.name

    __str__ = __repr__

    def __eq__(self, other):
        return isinstance(other, KeyDType) and self.name == other.name

    def __hash__(self):
        return hash(self.name)

    def __reduce__(self):
        return key_dtype_of, (self.name,)


# By the name of the generator, `random.key(seed, impl=...)`.
KEY_DTYPES = {
    d.impl: d
    for d in (
        KeyDType("fry", "threefry2x32", 2),
        KeyDType("phx2", "philox2x32", 1),
        KeyDType("phx4", "philox4x32", 2),
        KeyDType("rbg", "rbg", 4),
        KeyDType("urbg", "unsafe_rbg", 4),
        KeyDType("fry4", "threefry4x32", 4),
    )
}
_KEY_DTYPES = {d.name: d for d in KEY_DTYPES.values()}


def key_dtype_of(name: str) -> KeyDType:
    """The dtype of keys called `name`, such as "key<fry>"."""
    return _KEY_DTYPES[name]


def canonicalize_dtype(dtype, allow_extended_dtype=False):
    """The dtype that arrays of `dtype` get: 64-bit types become 32-bit ones
    unless x64 is enabled."""
    if isinstance(dtype, KeyDType):
        if not allow_extended_dtype:
            raise ValueError(f"canonicalize_dtype: extended dtype {dtype}")
        return dtype
    return _core.canonical_dtype(dtype)


# Where the dtypes of ml_dtypes stand in NumPy's hierarchy.
_FLOATS = (np.floating, np.inexact, np.number, np.generic)
_SIGNED = (np.signedinteger, np.integer, np.number, np.generic)
_UNSIGNED = (np.unsignedinteger, np.integer, np.number, np.generic)
ML_DTYPES = {
    "bfloat16": _FLOATS,
    "float4_e2m1fn": _FLOATS,
    "float8_e3m4": _FLOATS,
    "float8_e4m3": _FLOATS,
    "float8_e4m3b11fnuz": _FLOATS,
    "float8_e4m3fn": _FLOATS,
    "float8_e4m3fnuz": _FLOATS,
    "float8_e5m2": _FLOATS,
    "float8_e5m2fnuz": _FLOATS,
    "float8_e8m0fnu": _FLOATS,
    "int2": _SIGNED,
    "int4": _SIGNED,
    "uint2": _UNSIGNED,
    "uint4": _UNSIGNED,
}


def _bfloat16():
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def issubdtype(a, b) -> bool:
    """np.issubdtype that also knows bfloat16, narrow and key dtypes."""
    if isinstance(a, KeyDType):
        return b in (prng_key, extended, np.generic) or a == b
    if isinstance(b, type) and issubclass(b, extended):
        return False
    a = _core.dtype(a)
    if a == float0:
        return b in (np.void, np.generic) or b is float0
    if a.name in ML_DTYPES:
        if isinstance(b, type) and issubclass(b, np.generic):
            return b in ML_DTYPES[a.name] or b is a.type
        return _core.dtype(b) == a
    if isinstance(b, type) and issubclass(b, np.generic):
        return np.issubdtype(a, b)
    return np.issubdtype(a, _core.dtype(b))


def promote_types(a, b):
    """The dtype that arrays of dtypes a and b promote to.

    A Python type (int, float, complex) stands for a weakly typed scalar.
    """
    return _core.promote_types(a, b)


def result_type(*args, return_weak_type_flag=False):
    """The dtype that an operation on these arrays, scalars or dtypes gives."""
    if not args:
        raise ValueError("at least one array or dtype is required")
    dtype, weak = _core.result_type(args)
    return (dtype, weak) if return_weak_type_flag else dtype


def finfo(dtype):
    import ml_dtypes

    return ml_dtypes.finfo(_core.dtype(dtype))


def iinfo(int_type):
    import ml_dtypes

    return ml_dtypes.iinfo(_core.dtype(int_type))


def itemsize_bits(dtype) -> int:
    """Bits per element in memory."""
    if dtype is None:
        raise ValueError("dtype cannot be None.")
    if issubdtype(dtype, np.bool_):
        return 8
    if issubdtype(dtype, np.integer):
        return iinfo(dtype).bits
    if issubdtype(dtype, np.floating):
        return finfo(dtype).bits
    if issubdtype(dtype, np.complexfloating):
        return 2 * finfo(dtype).bits
    raise ValueError(f"unexpected input: {dtype=}")


def scalar_type_of(x) -> type:
    """The type of Python scalars of x's kind: bool, int, float or complex."""
    dtype = result_type(x) if hasattr(x, "dtype") else _core.dtype(x)
    for kind, scalar in (
        (np.bool_, bool),
        (np.integer, int),
        (np.floating, float),
        (np.complexfloating, complex),
    ):
        if issubdtype(dtype, kind):
            return scalar
    raise TypeError(f"Invalid scalar value {x}")


def __getattr__(name):
    if name == "TypePromotionError":
        from cotan.errors import TypePromotionError

        return TypePromotionError
    if name == "bfloat16":
        return _bfloat16()
    raise absent.error(__name__, name)
