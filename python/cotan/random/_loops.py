"""Distributions sampled by rejection: loops at run time, all elements at once
until the last is accepted. An element that is done ignores later rounds.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from cotan import _core, _dispatch, dtypes, lax
from cotan._src.custom import custom_jvp
from cotan.lax._types import canonical_shape, static_int
from cotan.random._basic import (
    check_castable,
    fitted,
    float_dtype,
    int_dtype,
    key_at,
    rademacher,
    real_array,
    sample_shape,
    split_keys,
)
from cotan.random._distributions import exponential, normal
from cotan.random._keys import single_key

__all__ = [
    "ball",
    "beta",
    "binomial",
    "chisquare",
    "dirichlet",
    "f",
    "gamma",
    "generalized_normal",
    "loggamma",
    "multinomial",
    "poisson",
    "t",
]


def _any(mask):
    return lax.reduce_or(mask, tuple(range(mask.ndim)))


def _like(x, v):
    return lax.full_like(x, v)


# ---- gamma


def _each(keys, n: int) -> list:
    """n new keys for each of a vector of keys."""
    new = _core.random_split(keys, (n,))
    return [
        _core.squeeze(_core.slice_axis(new, 1, i, i + 1), (1,))
        for i in range(n)
    ]


def _gamma_samples(keys, alpha, log_space: bool):
    """Marsaglia and Tsang 2000; one key and one alpha per sample."""
    dtype = alpha.dtype
    zero, one = _like(alpha, 0), _like(alpha, 1)
    # Below 1: a sample for alpha + 1 times a power of a uniform.
    boosted = lax.lt(alpha, one)
    shape = lax.select(boosted, lax.add(alpha, one), alpha)
    d = lax.sub(shape, 1 / 3)
    c = lax.div(1 / 3, lax.sqrt(d))

    def proposal(keys):
        """(x, 1 + c x) with the second positive; x normal."""

        def body(state):
            keys, x, v = state
            keys, sub = _each(keys, 2)
            new = _core.random_normal(sub, (), dtype)
            again = lax.le(v, zero)
            x = lax.select(again, new, x)
            return keys, x, lax.select(again, lax.add(one, lax.mul(new, c)), v)

        start = (keys, zero, lax.neg(one))
        _, x, v = lax.while_loop(
            lambda s: _any(lax.le(s[2], zero)), body, start
        )
        return x, v

    def rejected(x2, v, u):
        squeeze = lax.sub(one, lax.mul(lax.mul(x2, x2), 0.0331))
        inner = lax.add(lax.sub(one, v), lax.log(v))
        bound = lax.add(lax.mul(x2, 0.5), lax.mul(d, inner))
        return lax.bitwise_and(lax.ge(u, squeeze), lax.ge(lax.log(u), bound))

    def body(state):
        keys, *old = state
        keys, x_keys, u_keys = _each(keys, 3)
        x, v = proposal(x_keys)
        u = _core.random_uniform(u_keys, (), dtype, None, None)
        new = (lax.square(x), lax.mul(lax.mul(v, v), v), u)
        again = rejected(*old)
        return (
            keys,
            *[lax.select(again, a, b) for a, b in zip(new, old, strict=True)],
        )

    keys, boost_keys = _each(keys, 2)
    state = (keys, zero, one, _like(alpha, 2))
    state = lax.while_loop(lambda s: _any(rejected(*s[1:])), body, state)
    v = state[2]
    if log_space:
        u = _core.random_uniform(boost_keys, (), dtype, None, None)
        log_u = lax.log1p(lax.neg(u))
        plain = lax.bitwise_or(lax.bitwise_not(boosted), lax.eq(log_u, zero))
        boost = lax.select(plain, zero, lax.mul(log_u, lax.div(one, alpha)))
        return lax.add(lax.add(lax.log(d), lax.log(v)), boost)
    u = lax.sub(one, _core.random_uniform(boost_keys, (), dtype, None, None))
    boost = lax.select(boosted, lax.pow(u, lax.div(one, alpha)), one)
    return lax.mul(lax.mul(d, v), boost)


@functools.cache
def _gamma_function(log_space: bool):
    @custom_jvp
    def random_gamma(key, alpha):
        shape = alpha.shape
        n = math.prod(shape)
        keys = _core.random_split(key, (n,))
        flat = _core.reshape(alpha, (n,))
        return _core.reshape(_gamma_samples(keys, flat, log_space), shape)

    @random_gamma.defjvp
    def random_gamma_jvp(primals, tangents):
        # Implicit: the sample moves so that its probability stays (Figurnov,
        # Mohamed, Mnih, Implicit Reparameterization Gradients, 2018).
        sample = out = random_gamma(*primals)
        if log_space:
            sample = lax.exp(sample)
            tiny = float(dtypes.finfo(sample.dtype).tiny)
            sample = lax.select(lax.eq(sample, 0.0), _like(out, tiny), sample)
        slope = lax.random_gamma_grad(primals[1], sample)
        if log_space:
            slope = lax.div(slope, sample)
        return out, lax.mul(tangents[1], slope)

    return random_gamma


def _gamma(key, a, shape, dtype, log_space: bool):
    a = fitted(a, dtype, sample_shape("gamma", shape, a))
    if not a.size:
        return a
    return _gamma_function(log_space)(key, a)


def gamma(key, a, shape=None, dtype=None, *, out_sharding=None):
    """Gamma floats with shape parameter a and scale 1."""
    key = single_key("gamma", key)
    return _gamma(key, a, shape, float_dtype("gamma", dtype), False)


def loggamma(key, a, shape=None, dtype=None, *, out_sharding=None):
    """The logarithm of gamma floats, accurate for small a."""
    key = single_key("loggamma", key)
    return _gamma(key, a, shape, float_dtype("loggamma", dtype), True)


def beta(key, a, b, shape=None, dtype=None, *, out_sharding=None):
    """Beta floats with parameters a, b."""
    key = single_key("beta", key)
    dtype = float_dtype("beta", dtype)
    check_castable("beta", dtype, a, b)
    shape = sample_shape("beta", shape, a, b)
    logs = [
        _gamma(k, x, shape, dtype, True)
        for k, x in zip(split_keys(key), (a, b), strict=True)
    ]
    top = lax.max(*logs)
    x, y = (lax.exp(lax.sub(v, top)) for v in logs)
    return lax.div(x, lax.add(x, y))


def dirichlet(key, alpha, shape=None, dtype=None, *, out_sharding=None):
    """Dirichlet vectors with concentrations alpha [..., n]."""
    key = single_key("dirichlet", key)
    dtype = float_dtype("dirichlet", dtype)
    alpha = _dispatch.to_array(alpha)
    if alpha.ndim < 1:
        raise ValueError(
            "dirichlet requires alpha.ndim >= 1, got alpha.ndim == "
            f"{alpha.ndim}"
        )
    batch, n = alpha.shape[:-1], alpha.shape[-1]
    shape = batch if shape is None else canonical_shape(shape)
    logs = _gamma(key, alpha, (*shape, n), dtype, True)
    return _core.softmax(logs, (logs.ndim - 1,), None)


def t(key, df, shape=None, dtype=None, *, out_sharding=None):
    """Student's t floats with df degrees of freedom."""
    key = single_key("t", key)
    dtype = float_dtype("t", dtype)
    shape = sample_shape("t", shape, df)
    check_castable("t", dtype, df)
    normal_key, gamma_key = split_keys(key)
    n = normal(normal_key, shape, dtype)
    half = lax.div(_core.convert(df, dtype, False), 2.0)
    g = _gamma(gamma_key, half, shape, dtype, False)
    return n * lax.sqrt(half / g)


def chisquare(key, df, shape=None, dtype=None, *, out_sharding=None):
    """Chi-squared floats with df degrees of freedom."""
    key = single_key("chisquare", key)
    dtype = float_dtype("chisquare", dtype)
    shape = sample_shape("chisquare", shape, df)
    check_castable("chisquare", dtype, df)
    half = lax.div(_core.convert(df, dtype, False), 2.0)
    return lax.mul(lax.exp(_gamma(key, half, shape, dtype, True)), 2.0)


def f(key, dfnum, dfden, shape=None, dtype=None, *, out_sharding=None):
    """F floats with dfnum and dfden degrees of freedom."""
    key = single_key("f", key)
    dtype = float_dtype("f", dtype)
    shape = sample_shape("f", shape, dfnum, dfden)
    check_castable("f", dtype, dfnum, dfden)
    den_key, num_key = split_keys(key)
    num = lax.div(
        chisquare(num_key, dfnum, shape, dtype), fitted(dfnum, dtype, shape)
    )
    den = lax.div(
        chisquare(den_key, dfden, shape, dtype), fitted(dfden, dtype, shape)
    )
    return lax.div(num, den)


def generalized_normal(
    key, p: float, shape=(), dtype=None, *, out_sharding=None
):
    """Floats with density proportional to exp(-|x|^p)."""
    key = single_key("generalized_normal", key)
    dtype = float_dtype("generalized_normal", dtype)
    shape = canonical_shape(shape)
    gamma_key, sign_key = split_keys(key)
    g = _gamma(gamma_key, 1 / p, shape, dtype, False)
    return rademacher(sign_key, shape, dtype) * g ** (1 / p)


def ball(key, d: int, p: float = 2, shape=(), dtype=None, *, out_sharding=None):
    """Uniform vectors [..., d] from the unit ball of the p-norm."""
    key = single_key("ball", key)
    dtype = float_dtype("ball", dtype)
    d = static_int(d, "The error occurred in random.ball()")
    shape = canonical_shape(shape)
    normal_key, radius_key = split_keys(key)
    g = generalized_normal(normal_key, p, (*shape, d), dtype)
    e = exponential(radius_key, shape, dtype)
    total = lax.reduce_sum(lax.abs(g) ** p, (len(shape),)) + e
    return g / _core.expand_dims(total ** (1 / p), (len(shape),))


# ---- counts


def poisson(key, lam, shape=None, dtype=None, *, out_sharding=None):
    """Poisson integers with rate lam; -1 where lam is nan."""
    key = single_key("poisson", key)
    dtype = int_dtype(dtype, "poisson")
    shape = sample_shape("poisson", shape, lam)
    lam = fitted(lam, np.dtype(np.float32), shape)
    few = lax.bitwise_or(lax.ne(lam, lam), lax.lt(lam, 10.0))
    rounds = int(min(dtypes.iinfo(dtype).max, 2**31 - 1))
    small = _poisson_few(
        key, lax.select(few, lam, _like(lam, 0)), dtype, rounds
    )
    large = _poisson_many(
        key, lax.select(few, _like(lam, 1e5), lam), dtype, rounds
    )
    out = lax.select(few, small, large)
    return lax.select(lax.eq(lam, 0.0), _like(out, 0), out)


def _poisson_few(key, lam, dtype, rounds: int):
    """Knuth: how many uniforms multiply to less than exp(-lam)."""

    def body(state):
        i, k, key, log_prod = state
        key, sub = split_keys(key)
        k = lax.select(log_prod > -lam, k + 1, k)
        u = _core.random_uniform(sub, lam.shape, np.float32, None, None)
        return i + 1, k, key, log_prod + lax.log(u)

    def more(state):
        return _any(state[3] > -lam) & (state[0] < rounds)

    start = (
        _index(0),
        _core.full(lam.shape, 0, dtype, False),
        key,
        _like(lam, 0),
    )
    k = lax.while_loop(more, body, start)[1]
    return k - 1


def _poisson_many(key, lam, dtype, rounds: int):
    """Hoermann 1993, transformed rejection with squeeze."""
    log_lam = lax.log(lam)
    b = 0.931 + 2.53 * lax.sqrt(lam)
    a = -0.059 + 0.02483 * b
    inv_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)

    def body(state):
        i, k_out, accepted, key = state
        key, u_key, v_key = split_keys(key, 3)
        u = _core.random_uniform(u_key, lam.shape, lam.dtype, None, None) - 0.5
        v = _core.random_uniform(v_key, lam.shape, lam.dtype, None, None)
        us = 0.5 - lax.abs(u)
        k = lax.floor((2 * a / us + b) * u + lam + 0.43)
        s = lax.log(v * inv_alpha / (a / (us * us) + b))
        bound = -lam + k * log_lam - lax.lgamma(k + 1)
        at_once = (us >= 0.07) & (v <= v_r)
        never = (k < 0) | ((us < 0.013) & (v > us))
        accept = at_once | (~never & (s <= bound))
        return i + 1, lax.select(accept, k, k_out), accepted | accept, key

    k = _until_accepted(body, lam, key, rounds)
    return _core.convert(k, dtype, False)


def _index(i: int):
    return _core.full((), i, int_dtype(None), False)


def _until_accepted(body, like, key, rounds):
    def more(state):
        return _any(~state[2]) & (state[0] < rounds)

    none = _core.full(like.shape, False, np.bool_, False)
    return lax.while_loop(more, body, (_index(0), _like(like, -1), none, key))[
        1
    ]


def binomial(key, n, p, shape=None, dtype=None):
    """Binomial counts (as floats): successes in n trials of probability p."""
    key = single_key("binomial", key)
    dtype = float_dtype("binomial", dtype)
    shape = sample_shape("binomial", shape, n, p)
    p = real_array(p)
    n, p = fitted(n, p.dtype, shape), fitted(p, p.dtype, shape)
    low = p < 0.5
    q = lax.select(low, p, 1.0 - p)
    n_bad = (n != n) | (n < 0.0)
    n_inf = lax.eq(lax.abs(n), np.inf)
    q_nan, q_negative = q != q, q < 0.0
    q = lax.select(q_nan | q_negative, _like(q, 0.01), q)
    few = n_bad | (n * q <= 10.0)
    n = lax.floor(n)
    rounds = 2**31 - 1
    small = _binomial_few(
        key, lax.select(few, n, _like(n, 0)), q, dtype, rounds
    )
    large = _binomial_many(
        key,
        lax.select(few, _like(n, 1e4), n),
        lax.select(few, _like(q, 0.5), q),
        dtype,
        rounds,
    )
    out = lax.select(few, small, large)
    bad = q_negative | q_nan | n_bad
    out = lax.select(bad, _like(out, np.nan), out)
    out = lax.select(n_inf & ~bad, _like(out, np.inf), out)
    return lax.select(
        low | n_bad | q_nan | n_inf, out, _core.convert(n, dtype, False) - out
    )


def _binomial_few(key, n, q, dtype, rounds: int):
    """Sums of geometric waiting times."""
    log_q = lax.log1p(-q)

    def body(state):
        i, count, total, key = state
        sub, key = split_keys(key)
        count = lax.select(total <= n, count + 1, count)
        u = _core.random_uniform(sub, q.shape, q.dtype, None, None)
        return i + 1, count, total + lax.ceil(lax.log(u) / log_q), key

    def more(state):
        return _any(state[2] <= n) & (state[0] < rounds)

    start = (_index(0), _like(q, 0), _like(q, 0), key)
    count = lax.while_loop(more, body, start)[1]
    return _core.convert(count - 1, dtype, False)


_STIRLING = (
    0.0810614667953272,
    0.0413406959554092,
    0.0276779256849983,
    0.02079067210376509,
    0.0166446911898211,
    0.0138761288230707,
    0.0118967099458917,
    0.010411265261972,
    0.00925546218271273,
    0.00833056343336287,
)


def _stirling_tail(k):
    """log(k!) minus Stirling's formula."""
    square = (k + 1) * (k + 1)
    out = (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
    for i, v in enumerate(_STIRLING):
        out = lax.select(lax.eq(lax.floor(k), float(i)), _like(k, v), out)
    return out


def _binomial_many(key, n, q, dtype, rounds: int):
    """Hoermann 1993, BTRS."""
    deviation = lax.sqrt(n * q * (1 - q))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * q
    c = n * q + 0.5
    v_r = 0.92 - 4.2 / b
    r = q / (1 - q)
    alpha = (2.83 + 5.1 / b) * deviation
    m = lax.floor((n + 1) * q)

    def body(state):
        i, k_out, accepted, key = state
        key, u_key, v_key = split_keys(key, 3)
        u = _core.random_uniform(u_key, q.shape, q.dtype, None, None) - 0.5
        v = _core.random_uniform(v_key, q.shape, q.dtype, None, None)
        us = 0.5 - lax.abs(u)
        at_once = (us >= 0.07) & (v <= v_r)
        k = lax.floor((2 * a / us + b) * u + c)
        never = (k < 0) | (k > n)
        v = lax.log(v * alpha / (a / (us * us) + b))
        bound = (
            (m + 0.5) * lax.log((m + 1) / (r * (n - m + 1)))
            + (n + 1) * lax.log((n - m + 1) / (n - k + 1))
            + (k + 0.5) * lax.log(r * (n - k + 1) / (k + 1))
            + _stirling_tail(m)
            + _stirling_tail(n - m)
            - _stirling_tail(k)
            - _stirling_tail(n - k)
        )
        accept = at_once | (~never & (v <= bound))
        return i + 1, lax.select(accept, k, k_out), accepted | accept, key

    return _core.convert(_until_accepted(body, q, key, rounds), dtype, False)


def multinomial(key, n, p, *, shape=None, dtype=None, unroll=1):
    """Multinomial counts (as floats): n draws among p [..., k]."""
    key = single_key("multinomial", key)
    n, p = real_array(n), real_array(p)
    shape = p.shape if shape is None else canonical_shape(shape)
    n = _core.broadcast_to(n, shape[:-1])
    p = _core.broadcast_to(p, shape)
    k, last = shape[-1], len(shape) - 1
    rest = lax.cumsum(p, last, reverse=True)
    ratios = p / lax.select(lax.eq(rest, 0.0), _like(rest, 1), rest)
    keys = _core.random_split(key, (k,))
    counts = []
    for i in range(k):
        ratio = _core.squeeze(_core.slice_axis(ratios, last, i, i + 1), (last,))
        ratio = lax.clamp(0.0, ratio, 1.0)
        count = binomial(key_at(keys, i), n, ratio, dtype=n.dtype)
        n = n - count
        counts.append(count)
    out = lax.stack(counts, last)
    return out if dtype is None else _core.convert(out, dtype, False)
