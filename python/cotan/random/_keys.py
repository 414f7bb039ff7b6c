"""Keys: making, splitting and looking into them."""

from __future__ import annotations

import operator
import warnings

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src import settings
from cotan.lax._types import canonical_shape, shape_of

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
        dtype = key_dtype()
        n = dtype.words
        if key.dtype != np.uint32 or not key.ndim or key.shape[-1] != n:
            raise TypeError(
                f"[{name}] a raw key is a uint32[{n}] array, got "
                f"{key.dtype}{list(key.shape)}; make one with random.key(seed)"
            )
        _warn_of_raw(name)
        typed, raw = _core.random_wrap(key, dtype), True
    else:
        raise TypeError(f"unexpected PRNG key type {type(key)}")
    if typed.ndim and not batched:
        raise ValueError(
            f"{name} accepts a single key, but was given a key array of shape "
            f"{key.shape} != (). Use cotan.vmap for batching."
        )
    return typed, raw


def _warn_of_raw(name):
    allowed = settings.config.legacy_prng_key
    if allowed == "allow":
        return
    text = (
        f"Legacy uint32 key array passed as key to cotan.random.{name}. Please "
        "create keys using cotan.random.key(). If use of a raw key array was "
        'intended, set legacy_prng_key="allow".'
    )
    if allowed == "error":
        raise ValueError(text)
    warnings.warn(text, stacklevel=4)


def single_key(name: str, key):
    return typed_key(name, key)[0]


def _returned(key, raw):
    if not raw or settings.config.enable_custom_prng:
        return key
    return _core.random_unwrap(key)


def key_dtype(impl_spec=None):
    """The dtype of typed keys: those of the generator `impl_spec`, by name or
    as a dtype of keys; None is the setting `default_prng_impl`.

    >>> cotan.random.key_dtype("rbg")
    key<rbg>
    """
    if isinstance(impl_spec, dtypes.KeyDType):
        return impl_spec
    if impl_spec is None:
        impl_spec = settings.config.default_prng_impl
    if not isinstance(impl_spec, str):
        raise TypeError(
            f"unrecognized type {type(impl_spec)} for specifying PRNG "
            "implementation."
        )
    if impl_spec not in dtypes.KEY_DTYPES:
        known = ", ".join(f'"{name}"' for name in dtypes.KEY_DTYPES)
        raise ValueError(
            f'unrecognized PRNG implementation "{impl_spec}". Did you mean '
            f"one of: {known}?"
        )
    return dtypes.KEY_DTYPES[impl_spec]


def _seeded(name, seed, impl):
    dtype = key_dtype(impl)
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
    return _core.random_seed(seed, dtype)


def key(seed, *, impl=None, dtype=None):
    """A typed key (shape ()) from an integer seed.

    impl or dtype: its generator, a name or a dtype of keys: "threefry2x32"
    (key<fry>), "threefry4x32", "philox2x32", "philox4x32", "rbg" (XLA's
    RngBitGenerator, whose bits are those of JAX on CPUs) or "unsafe_rbg"; by
    default what the setting `default_prng_impl` says.

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
    """A raw key, uint32[2] (or as many words as the generator has), from an
    integer seed; prefer `key`. Functions take it for a key of the setting
    `default_prng_impl`."""
    return _returned(_seeded("PRNGKey", seed, impl), True)


def key_data(keys):
    """The words of typed keys: uint32[..., 2] for threefry2x32."""
    return _core.random_unwrap(typed_key("key_data", keys, batched=True)[0])


def wrap_key_data(key_bits_array, *, impl=None, dtype=None):
    """Typed keys from their words, uint32[..., 2] for threefry2x32."""
    if impl is not None and dtype is not None:
        raise ValueError(
            "Cannot specify both `impl` and `dtype` arguments to "
            "cotan.random.wrap_key_data"
        )
    return _core.random_wrap(
        key_bits_array, key_dtype(impl if dtype is None else dtype)
    )


def key_impl(keys) -> str:
    """The name of the keys' generator."""
    return typed_key("key_impl", keys, batched=True)[0].dtype.impl


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
