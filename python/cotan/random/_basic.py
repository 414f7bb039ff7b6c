"""Bits, integers, uniforms and what needs nothing but those: permutations,
choices, Bernoulli and categorical draws.
"""

from __future__ import annotations

import math

import numpy as np

from cotan import _core, _dispatch, dtypes, errors, lax
from cotan.lax._types import (
    canonical_axis,
    canonical_shape,
    ndim_of,
    shape_of,
    static_int,
    user_dtype,
)
from cotan.random._keys import single_key

__all__ = [
    "bernoulli",
    "bits",
    "categorical",
    "choice",
    "gumbel",
    "permutation",
    "rademacher",
    "randint",
    "uniform",
]


# ---- checks


def float_dtype(name: str, dtype):
    dtype = user_dtype(float if dtype is None else dtype, name)
    if not dtypes.issubdtype(dtype, np.floating):
        raise ValueError(
            f"dtype argument to `{name}` must be a float dtype, got {dtype}"
        )
    return dtype


def int_dtype(dtype, name: str = ""):
    return user_dtype(int if dtype is None else dtype, name)


def sample_shape(name: str, shape, *parameters) -> tuple[int, ...]:
    """The shape of the result: as given, checked against the parameters', or
    the one that those broadcast to."""
    shapes = [shape_of(p) for p in parameters]
    if shape is None:
        return lax.broadcast_shapes(*shapes) if shapes else ()
    shape = canonical_shape(shape)
    if shapes:
        result = lax.broadcast_shapes(shape, *shapes)
        if result != shape:
            raise ValueError(
                f"{name} parameter shapes must be broadcast-compatible with "
                "shape argument, and the result of broadcasting the shapes "
                f"must equal the shape argument, but got result {result} for "
                f"shape argument {shape}."
            )
    return shape


def check_castable(name: str, dtype, *parameters):
    for p in parameters:
        have = _core.result_type((p, dtype))[0]
        if have != dtype:
            raise errors.TypePromotionError(
                f"In arguments to {name}, cannot safely cast argument of type "
                f"{lax.dtype(p)} to {dtype}"
            )


def fitted(x, dtype, shape):
    """A parameter in the dtype and shape of the samples."""
    return _core.broadcast_to(_core.convert(x, dtype, False), shape)


def key_at(keys, i: int):
    return _core.squeeze(_core.slice_axis(keys, 0, i, i + 1), (0,))


def split_keys(key, n: int = 2) -> list:
    keys = _core.random_split(key, (n,))
    return [key_at(keys, i) for i in range(n)]


def real_array(x):
    """x as an array of floats."""
    (x,) = _core.promote_inexact("random", [x])
    return x


# ---- bits, uniform, integers


def bits(key, shape=(), dtype=None, *, out_sharding=None):
    """Uniform unsigned integers over the whole range of `dtype` (uint32;
    uint64 with x64)."""
    key = single_key("bits", key)
    dtype = (
        _core.canonical_dtype(np.uint64)
        if dtype is None
        else user_dtype(dtype, "bits")
    )
    if not dtypes.issubdtype(dtype, np.unsignedinteger):
        raise ValueError(
            "dtype argument to `bits` must be an unsigned int dtype, got "
            f"{dtype}"
        )
    return _core.random_bits(key, 8 * dtype.itemsize, canonical_shape(shape))


def uniform(
    key, shape=(), dtype=None, minval=0.0, maxval=1.0, *, out_sharding=None
):
    """Uniform floats in [minval, maxval).

    Args:
      key: a key.
      shape: shape of the result.
      dtype: float dtype of the result (float32).
      minval, maxval: bounds, scalars or arrays that broadcast to `shape`.

    >>> cotan.random.uniform(cotan.random.key(0), (2,))
    Array([0.947667 , 0.9785799], dtype=float32)
    """
    key = single_key("uniform", key)
    dtype = float_dtype("uniform", dtype)
    shape = canonical_shape(shape)
    if type(minval) is type(maxval) is float and (minval, maxval) == (0.0, 1.0):
        return _core.random_uniform(key, shape, dtype, None, None)
    return _core.random_uniform(key, shape, dtype, minval, maxval)


def randint(key, shape, minval, maxval, dtype=None, *, out_sharding=None):
    """Uniform integers in [minval, maxval).

    minval, maxval: scalars or arrays that broadcast to `shape`. As in JAX the
    modulus of 64 random bits (128 for 64-bit dtypes), so spans that are not
    powers of 2 have a tiny bias.
    """
    key = single_key("randint", key)
    dtype = int_dtype(dtype, "randint")
    if not dtypes.issubdtype(dtype, np.integer):
        raise TypeError(f"randint only accepts integer dtypes, got {dtype}")
    return _core.random_randint(
        key, canonical_shape(shape), minval, maxval, dtype
    )


def bernoulli(key, p=0.5, shape=None, mode="low", *, out_sharding=None):
    """True with probability p (a float or array of floats).

    mode "high" resolves probabilities below 1e-7 at twice the cost.
    """
    if mode not in ("high", "low"):
        raise ValueError(f"got {mode=}, expected 'high' or 'low'")
    key = single_key("bernoulli", key)
    p = _dispatch.to_array(p)
    if not dtypes.issubdtype(p.dtype, np.floating):
        raise TypeError(
            "bernoulli probability `p` must have a floating dtype, got "
            f"{p.dtype}."
        )
    p = _core.convert(p, p.dtype, False)
    shape = sample_shape("bernoulli", shape, p)
    p = _core.broadcast_to(p, shape) if p.ndim else p
    if mode == "low":
        return lax.lt(_core.random_uniform(key, shape, p.dtype, None, None), p)
    u = _core.random_uniform(key, (2, *shape), p.dtype, None, None)
    coarse, fine = key_at(u, 0), key_at(u, 1)
    fine = lax.mul(fine, 2.0 ** -dtypes.finfo(p.dtype).nmant)
    return lax.lt(fine, lax.sub(p, coarse))


def rademacher(key, shape=(), dtype=None, *, out_sharding=None):
    """-1 or 1, with equal probability."""
    key = single_key("rademacher", key)
    dtype = int_dtype(dtype, "rademacher")
    b = _core.convert(bernoulli(key, 0.5, canonical_shape(shape)), dtype, False)
    return lax.sub(lax.mul(b, 2), 1)


# ---- permutations and choices


def _shuffle(key, x, axis: int):
    """Sorts by random keys, often enough that ties of keys do not matter."""
    rounds = math.ceil(3 * math.log(max(1, x.size)) / math.log(2**32 - 1))
    for _ in range(rounds):
        key, sub = split_keys(key)
        order = _core.random_bits(sub, 32, x.shape)
        _, x = _core.sort([order, x], axis, True, 1)
    return x


def _take(x, indices, axis: int):
    """x at integer indices (any shape, known to be in range) of one axis."""
    n = ndim_of(indices)
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(
            *range(axis),
            *range(axis + n, x.ndim - 1 + n),
        ),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
    )
    sizes = [1 if d == axis else s for d, s in enumerate(x.shape)]
    return lax.gather(
        x, _core.expand_dims(indices, (n,)), numbers, sizes, mode="clip"
    )


def _range(n: int):
    return _core.iota(int_dtype(None), (n,), 0)


def permutation(
    key, x, axis: int = 0, independent: bool = False, *, out_sharding=None
):
    """A random order of range(x), or of an array's slices along `axis`.

    independent: every vector along `axis` is shuffled for itself.
    """
    key = single_key("permutation", key)
    if not _dispatch.is_array(x):
        raise TypeError(
            "permutation requires ndarray or scalar arguments, got "
            f"{type(x)} at position 0."
        )
    axis = canonical_axis(axis, ndim_of(x) or 1)
    if not ndim_of(x):
        if not dtypes.issubdtype(lax.dtype(x), np.integer):
            raise TypeError("x must be an integer or at least 1-dimensional")
        n = static_int(x, "argument x of random.permutation()")
        return _shuffle(key, _range(n), 0)
    x = _dispatch.to_array(x)
    if independent or x.ndim == 1:
        return _shuffle(key, x, axis)
    return _take(x, _shuffle(key, _range(x.shape[axis]), 0), axis)


def choice(
    key,
    a,
    shape=(),
    replace: bool = True,
    p=None,
    axis: int = 0,
    mode: str | None = None,
):
    """Elements of `a` (slices along `axis`; range(a) for an int).

    Args:
      key: a key.
      a: array or int.
      shape: how many, and in what shape they take the place of `axis`.
      replace: whether an element may come twice.
      p: probabilities, one per element; uniform if None.
      mode: see `gumbel`, for p without replacement.
    """
    key = single_key("choice", key)
    if not isinstance(shape, (tuple, list)):
        raise TypeError(
            f"shape argument of random.choice must be a sequence, got {shape}"
        )
    shape = canonical_shape(shape)
    if not _dispatch.is_array(a):
        raise TypeError(
            "choice requires ndarray or scalar arguments, got "
            f"{type(a)} at position 0."
        )
    is_range = not ndim_of(a)
    if is_range:
        n = static_int(a, "The error occurred in random.choice()")
        array, axis = None, 0
    else:
        array = _dispatch.to_array(a)
        axis = canonical_axis(axis, array.ndim)
        n = array.shape[axis]
    draws = math.prod(shape)
    if draws == 0:
        return _core.full(shape, 0, lax.dtype(a), False)
    if n <= 0:
        raise ValueError("a must be greater than 0 unless no samples are taken")
    if not replace and draws > n:
        raise ValueError(
            f"Cannot take a larger sample (size {draws}) than population "
            f"(size {n}) when 'replace=False'"
        )
    if p is None and not replace:
        order = permutation(key, n if is_range else array, axis)
        result = _core.slice_axis(order, axis, 0, draws)
    else:
        if p is None:
            index = randint(key, shape, 0, n)
        else:
            index = _weighted_indices(key, p, n, shape, draws, replace, mode)
        result = index if is_range else _take(array, index, axis)
    rest = () if is_range else array.shape
    return _core.reshape(result, (*rest[:axis], *shape, *rest[axis + 1 :]))


def _weighted_indices(key, p, n, shape, draws, replace, mode):
    p = real_array(p)
    if p.shape != (n,):
        raise ValueError(
            "p must be None or a 1D vector with the same size as "
            f"a.shape[axis]. p has shape {p.shape} and a.shape[axis] is {n}."
        )
    if not replace:
        noisy = lax.add(gumbel(key, (n,), p.dtype, mode), lax.log(p))
        return lax.top_k(noisy, draws)[1]
    total = lax.cumsum(p)
    last = key_at(total, n - 1)
    u = _core.random_uniform(key, shape, p.dtype, None, None)
    r = lax.mul(last, lax.sub(1.0, u))
    return _count_below(total, r)


def _count_below(ascending, x):
    """How many elements are < x: searchsorted's left side, by bisection.

    The numbers of steps is static, so this is a plain composition."""
    n = ascending.shape[0]
    index = int_dtype(None)
    low = _core.full(x.shape, 0, index, False)
    for step in (1 << b for b in reversed(range(n.bit_length()))):
        probe = lax.add(low, step)
        at = lax.min(lax.sub(probe, 1), n - 1)
        below = lax.lt(_take(ascending, at, 0), x)
        inside = lax.le(probe, n)
        low = lax.select(lax.bitwise_and(below, inside), probe, low)
    return low


# ---- categorical


def gumbel(key, shape=(), dtype=None, mode=None, *, out_sharding=None):
    """Gumbel floats: -log(-log(u)).

    mode "high" or "highest" reaches further into the upper tail.
    """
    key = single_key("gumbel", key)
    dtype = float_dtype("gumbel", dtype)
    shape = canonical_shape(shape)
    mode = "low" if mode is None else mode
    if mode not in ("highest", "high", "low"):
        raise ValueError(f"Must provide valid mode for gumbel got: {mode}")
    info = dtypes.finfo(dtype)
    tiny = float(info.smallest_normal)
    if mode == "low":
        u = _core.random_uniform(key, shape, dtype, tiny, 1.0)
        return lax.neg(lax.log(lax.neg(lax.log(u))))
    if mode == "highest" and dtype == np.float32:
        return _gumbel_highest(key, shape)
    u = _core.random_uniform(key, (2, *shape), dtype, None, None)
    high, low = key_at(u, 0), key_at(u, 1)
    fine = lax.add(lax.add(high, lax.mul(low, 2.0**-info.nmant)), tiny)
    x = lax.select(lax.ge(high, 0.5), high, fine)
    return lax.neg(lax.log(lax.neg(lax.log1p(lax.neg(x)))))


def _gumbel_highest(key, shape):
    """From a 64-bit fixed-point number, exact near both ends."""
    words = _core.random_bits(key, 32, (2, *shape))
    hi, lo = key_at(words, 0), key_at(words, 1)
    # 1 - x: two's complement of the 64 bits.
    neg_hi, neg_lo = lax.bitwise_not(hi), lax.bitwise_not(lo)
    carry = lax.convert_element_type(
        lax.eq(neg_lo, np.uint32(2**32 - 1)), np.uint32
    )
    neg_hi, neg_lo = lax.add(neg_hi, carry), lax.add(neg_lo, np.uint32(1))
    small = lax.lt(hi, np.uint32(1 << 31))
    x = _fixed_to_float(
        lax.select(small, hi, neg_hi), lax.select(small, lo, neg_lo)
    )
    inner = lax.select(small, lax.log1p(lax.neg(x)), lax.log(x))
    return lax.neg(lax.log(lax.neg(inner)))


def _fixed_to_float(hi, lo):
    """hi * 2^-32 + lo * 2^-64 as float32, truncated."""
    u32 = np.uint32
    empty = lax.eq(hi, u32(0))
    hi_zeros, lo_zeros = lax.clz(hi), lax.clz(lo)
    shifted = lax.bitwise_or(
        lax.shift_left(hi, hi_zeros),
        lax.select(
            empty,
            lax.shift_left(lo, lo_zeros),
            lax.shift_right_logical(lo, lax.sub(u32(32), hi_zeros)),
        ),
    )
    mantissa = lax.bitwise_and(
        lax.shift_right_logical(shifted, u32(8)), u32((1 << 23) - 1)
    )
    zeros = lax.select(empty, lax.add(lo_zeros, u32(32)), hi_zeros)
    exponent = lax.shift_left(lax.sub(u32(126), zeros), u32(23))
    exponent = lax.bitwise_and(exponent, u32((1 << 30) - (1 << 22)))
    return lax.bitcast_convert_type(
        lax.bitwise_or(exponent, mantissa), np.float32
    )


def categorical(
    key,
    logits,
    axis: int = -1,
    shape=None,
    replace: bool = True,
    mode: str | None = None,
    *,
    out_sharding=None,
):
    """Indices drawn with probabilities softmax(logits) along `axis`.

    Args:
      key: a key.
      logits: unnormalised log probabilities, [..., n at axis, ...].
      shape: shape of the result; its last dimensions are those of logits
        without `axis`.
      replace: without replacement, the leading dimensions of `shape` hold
        distinct draws.
      mode: see `gumbel`.
    """
    key = single_key("categorical", key)
    if not _dispatch.is_array(logits):
        raise TypeError(
            "categorical requires ndarray or scalar arguments, got "
            f"{type(logits)} at position 0."
        )
    logits = _dispatch.to_array(logits)
    axis = canonical_axis(axis, logits.ndim)
    batch = (*logits.shape[:axis], *logits.shape[axis + 1 :])
    if shape is None:
        shape = batch
    else:
        shape = canonical_shape(shape)
        if lax.broadcast_shapes(shape, batch) != shape:
            raise ValueError(
                "categorical parameter shapes must be broadcast-compatible "
                "with shape argument, and the result of broadcasting the "
                "shapes must equal the shape argument, but got result "
                f"{lax.broadcast_shapes(shape, batch)} for shape argument "
                f"{shape}."
            )
    prefix = shape[: len(shape) - len(batch)]
    index = int_dtype(None)
    n = logits.shape[axis]
    if replace:
        inner = list(shape[len(prefix) :])
        inner.insert(axis, n)
        noise = gumbel(key, (*prefix, *inner), logits.dtype, mode)
        noisy = lax.add(noise, _core.broadcast_to(logits, noise.shape))
        return _core.argreduce(noisy, True, axis + len(prefix), index)
    k = math.prod(prefix)
    if k > n:
        raise ValueError(
            f"Number of samples without replacement ({k}) cannot exceed number "
            f"of categories ({n})."
        )
    noisy = lax.add(logits, gumbel(key, logits.shape, logits.dtype, mode))
    _, indices = lax.top_k(noisy, k, axis=axis)
    order = (axis, *[d for d in range(logits.ndim) if d != axis])
    return _core.reshape(_core.transpose(indices, order), shape)
