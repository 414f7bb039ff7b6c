"""Random bits from a state that is passed along; cotan.random is the easier
interface."""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan.lax._types import RandomAlgorithm, canonical_shape, user_dtype

__all__ = ["rng_bit_generator"]


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
