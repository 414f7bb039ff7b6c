"""Keys: making, splitting and looking into them."""

from __future__ import annotations

import operator

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan.lax._types import canonical_shape, shape_of

_IMPL = "threefry2x32"

__all__ = [
    "PRNGKey",
    "clone",
    "fold_in",
    "key",
    "key_data",
    "key_dtype",
    "key_impl",
    "split",
    "wrap_key_data",
]


def is_key(x) -> bool:
    return isinstance(x, _dispatch.Array) and isinstance(
        x.dtype, dtypes.KeyDType
    )


def typed_key(name: str, key, batched: bool = False):
    """(typed key, whether it came as raw uint32 words)."""
    if is_key(key):
        typed, raw = key, False
    elif isinstance(key, (_dispatch.Array, np.ndarray)):
        if key.dtype != np.uint32 or not key.ndim or key.shape[-1] != 2:
            raise TypeError(
                f"[{name}] a raw key is a uint32[2] array, got "
                f"{key.dtype}{list(key.shape)}; make one with random.key(seed)"
            )
        typed, raw = _core.random_wrap(key), True
    else:
        raise TypeError(f"unexpected PRNG key type {type(key)}")
    if typed.ndim and not batched:
        raise ValueError(
            f"{name} accepts a single key, but was given a key array of shape "
            f"{key.shape} != (). Use cotan.vmap for batching."
        )
    return typed, raw


def single_key(name: str, key):
    return typed_key(name, key)[0]


def _returned(key, raw):
    return _core.random_unwrap(key) if raw else key


def _check_impl(impl):
    if impl is None or impl == _IMPL or isinstance(impl, dtypes.KeyDType):
        return
    if not isinstance(impl, str):
        raise TypeError(
            f"unrecognized type {type(impl)} for specifying PRNG "
            "implementation."
        )
    if impl in ("rbg", "unsafe_rbg"):
        raise NotImplementedError(
            f'[random.key] PRNG implementation "{impl}" is not available; use '
            f'"{_IMPL}"'
        )
    raise ValueError(
        f'unrecognized PRNG implementation "{impl}". Did you mean one of: '
        f'"{_IMPL}"?'
    )


def _seeded(name, seed, impl):
    _check_impl(impl)
    if is_key(seed):
        raise TypeError(
            f"{name} accepts a scalar seed, but was given a PRNG key."
        )
    if shape_of(seed):
        raise TypeError(
            f"{name} accepts a scalar seed, but was given an array of shape "
            f"{shape_of(seed)} != (). Use cotan.vmap for batching"
        )
    if isinstance(seed, int) and not isinstance(seed, bool):
        # The low 64 bits count; without x64, the low 32 of them.
        bits = 64 if _core.get_config("x64") else 32
        if not -(2**63) <= seed < 2**63:
            raise OverflowError("Python int too large to convert to C long")
        word = seed & ((1 << bits) - 1)
        seed = np.array(word, np.uint64 if bits == 64 else np.uint32)
    elif isinstance(seed, np.integer) and not _core.get_config("x64"):
        seed = np.uint32(int(seed) & 0xFFFFFFFF)
    seed = _dispatch.to_array(seed)
    if not dtypes.issubdtype(seed.dtype, np.integer):
        raise TypeError(f"PRNG key seed must be an integer; got {seed!r}")
    return _core.random_seed(seed)


def key(seed, *, impl=None, dtype=None):
    """A typed key (dtype key<fry>, shape ()) from an integer seed.

    >>> cotan.random.uniform(cotan.random.key(0))
    Array(0.9476..., dtype=float32)
    """
    if dtype is not None:
        if impl is not None:
            raise ValueError(
                "Cannot specify both `impl` and `dtype` arguments to "
                "cotan.random.key"
            )
        impl = dtype
    return _seeded("key", seed, impl)


def PRNGKey(seed, *, impl=None):
    """A raw key, uint32[2], from an integer seed; prefer `key`."""
    return _core.random_unwrap(_seeded("PRNGKey", seed, impl))


def key_dtype(impl_spec=None):
    """The dtype of typed keys."""
    _check_impl(impl_spec)
    return dtypes.key_dtype


def key_data(keys):
    """The words of typed keys: uint32[..., 2]."""
    return _core.random_unwrap(typed_key("key_data", keys, batched=True)[0])


def wrap_key_data(key_bits_array, *, impl=None, dtype=None):
    """Typed keys from their words, uint32[..., 2]."""
    if impl is not None and dtype is not None:
        raise ValueError(
            "Cannot specify both `impl` and `dtype` arguments to "
            "cotan.random.wrap_key_data"
        )
    _check_impl(impl if dtype is None else dtype)
    return _core.random_wrap(key_bits_array)


def key_impl(keys) -> str:
    """The name of the keys' generator."""
    typed_key("key_impl", keys, batched=True)
    return _IMPL


def split(key, num: int | tuple[int, ...] = 2):
    """`num` new keys (or an array of keys of shape `num`) from one."""
    typed, raw = typed_key("split", key)
    shape = (
        canonical_shape(num)
        if isinstance(num, (tuple, list))
        else (operator.index(num),)
    )
    return _returned(_core.random_split(typed, shape), raw)


def fold_in(key, data):
    """A new key from a key and an integer."""
    typed, raw = typed_key("fold_in", key)
    if shape_of(data):
        raise TypeError(
            "fold_in accepts a scalar, but was given an array of shape "
            f"{shape_of(data)} != (). Use cotan.vmap for batching."
        )
    if isinstance(data, int):
        if not 0 <= data < 2**32:
            raise OverflowError(
                f"Python integer {data} out of bounds for uint32"
            )
        data = np.uint32(data)
    word = _core.convert(data, np.uint32, False)
    return _returned(_core.random_fold_in(typed, word), raw)


def clone(key):
    """The same key, for deliberate reuse."""
    return key
