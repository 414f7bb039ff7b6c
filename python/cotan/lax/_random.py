"""Random bits from a state that is passed along; cotan.random is the easier
interface."""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src import callbacks
from cotan._src.avals import ShapeDtypeStruct
from cotan.lax._types import RandomAlgorithm, canonical_shape, user_dtype

__all__ = ["rng_bit_generator", "rng_uniform"]


def rng_bit_generator(
    key,
    shape,
    dtype=np.uint32,
    algorithm=RandomAlgorithm.RNG_DEFAULT,
    *,
    out_sharding=None,
):
    """The next key and an array of uniform unsigned integers.

    key: uint32[4] or uint64[2]; the bits are those of XLA on a CPU, whose
    default is Philox. Under vmap the first key makes the bits of the batch.
    """
    del out_sharding
    dtype = user_dtype(dtype, "rng_bit_generator")
    if not dtypes.issubdtype(dtype, np.unsignedinteger):
        raise TypeError(f"rng_bit_generator: unsupported dtype {dtype}")
    return tuple(
        _core.rng_bit_generator(
            _dispatch.to_array(key),
            canonical_shape(shape),
            dtype,
            int(RandomAlgorithm(algorithm)),
        )
    )


def rng_uniform(a, b, shape):
    """Other numbers in [a, b) at each execution, from the system's entropy:
    not a function of its arguments. Use `cotan.random`.

    a, b: scalars of one dtype, real or integer.
    """
    (dtype, shape_a, _), (dtype_b, shape_b, _) = map(_dispatch.aval_of, (a, b))
    if dtype != dtype_b:
        raise ValueError(
            "Arguments to rng_uniform must have identical dtypes, got "
            f"{dtype} and {dtype_b}."
        )
    if shape_a or shape_b:
        raise ValueError(
            "Arguments to rng_uniform must be scalars; got shapes "
            f"{shape_a} and {shape_b}."
        )
    shape = canonical_shape(shape)

    def draw(a, b):
        generator = np.random.default_rng()
        if dtypes.issubdtype(dtype, np.integer):
            return generator.integers(int(a), int(b), shape, dtype)
        a, b = float(a), float(b)
        x = (a + (b - a) * generator.random(shape)).astype(dtype)
        return np.where(x < b, x, np.asarray(a, dtype))  # rounded up to b

    return callbacks.io_callback(draw, ShapeDtypeStruct(shape, dtype), a, b)
