"""Special functions that are integrals without an elementary form (`erfcx`,
`dawsn`, `expn`, `spence`, `owens_t`, ...), and Bernoulli numbers. For
`cotan.scipy.special`; arguments are real and promoted to floats.
"""

from __future__ import annotations

import fractions
import functools
import math
import operator

import numpy as np

from cotan import _core, dtypes, lax
from cotan._src.custom import custom_jvp
from cotan.scipy._complex_functions import wofz


def _real(name: str, *xs) -> list:
    out = _core.promote_inexact(name, list(xs))
    if out and dtypes.issubdtype(out[0].dtype, np.complexfloating):
        raise ValueError(f"{name} does not support complex-valued inputs.")
    return out


def _where(condition, x, y):
    return _core.where(condition, x, y)


def _any(mask):
    return lax.reduce_or(mask, tuple(range(mask.ndim)))


def _is_double(x) -> bool:
    return x.dtype == np.float64


def _polynomial(x, coefficients):
    """The sum of c_k x^k."""
    y = lax.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        y = y * x + c
    return y


# ---- the error function, scaled, and Dawson's integral


@custom_jvp
def _erfcx(x):
    a = lax.abs(x)
    near = lax.min(a, 2.0)
    inner = lax.exp(near * near) * lax.erfc(near)
    # The continued fraction of erfc, from its tail to its head.
    far = lax.max(a, 2.0)
    t = far
    for k in range(70 if _is_double(x) else 25, 0, -1):
        t = far + (k / 2) / t
    value = _where(a < 2.0, inner, (1 / math.sqrt(math.pi)) / t)
    return _where(x < 0.0, 2.0 * lax.exp(x * x) - value, value)


@_erfcx.defjvp
def _erfcx_jvp(primals, tangents):
    ((x,), (t,)) = primals, tangents
    y = _erfcx(x)
    return y, t * (2.0 * x * y - 2 / math.sqrt(math.pi))


def erfcx(x):
    """exp(x^2) erfc(x) of real or complex x."""
    (x,) = _core.promote_inexact("erfcx", [x])
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        return wofz(lax.complex(-lax.imag(x), lax.real(x)))
    return _core.strong(_erfcx(x))


@custom_jvp
def _dawsn(x):
    """Rybicki 1989, "Dawson's integral and the sampling theorem", h = 1/4;
    its error is exp(-(2 pi)^2)."""
    h = 0.25
    small = lax.abs(x) < 0.25
    large = lax.abs(x) > 50.0
    middle = _where(small | large, 1.0, x)
    centre = 2.0 * lax.round(middle / (2.0 * h))
    rest = middle - centre * h
    total = lax.full_like(x, 0)
    for n in range(-25, 26, 2):
        total = total + lax.exp(-lax.square(rest - n * h)) / (n + centre)
    value = total / math.sqrt(math.pi)
    square = _where(small, x, 0.0) * x
    terms, c = [1.0], 1.0
    for k in range(1, 12):
        c *= -2 / (2 * k + 1)
        terms.append(c)
    series = x * _polynomial(square, terms)
    tail = 1.0 / _where(large, x, 1.0)
    squared = tail * tail
    far = (
        0.5
        * tail
        * _polynomial(squared, (1.0, 0.5, 0.75, 1.875, 6.5625, 29.53125))
    )
    return _where(small, series, _where(large, far, value))


@_dawsn.defjvp
def _dawsn_jvp(primals, tangents):
    ((x,), (t,)) = primals, tangents
    y = _dawsn(x)
    return y, t * (1.0 - 2.0 * x * y)


def dawsn(x):
    """Dawson's integral, exp(-x^2) times the integral of exp(t^2) to x."""
    return _core.strong(_dawsn(*_real("dawsn", x)))


# ---- exponential integrals


def _expn_series(n, x):
    """For 0 < x <= 1 (Numerical Recipes 6.3)."""
    less = n - 1.0
    at_one = lax.eq(less, 0.0)
    log = -lax.log(x)
    total = _where(
        at_one, log - np.euler_gamma, 1.0 / _where(at_one, 1.0, less)
    )
    factor = lax.full_like(x, 1)
    for i in range(1, 24 if _is_double(x) else 14):
        factor = factor * (-x / i)
        here = lax.eq(less, float(i))
        psi = -np.euler_gamma + sum(1 / k for k in range(1, i + 1))
        term = _where(here, log + psi, -1.0 / (i - _where(here, 0.0, less)))
        total = total + factor * term
    return total


def _expn_fraction(n, x, active):
    """For x > 1, by Lentz's method."""
    eps = float(dtypes.finfo(x.dtype).eps)

    def body(state):
        i, active, c, d, h = state
        a = -i * (n - 1.0 + i)
        b = x + n + 2.0 * i
        d_new = 1.0 / (a * d + b)
        c_new = b + a / c
        change = c_new * d_new
        new = (c_new, d_new, h * change)
        kept = [
            _where(active, v, w) for v, w in zip(new, (c, d, h), strict=True)
        ]
        return (i + 1.0, active & (lax.abs(change - 1.0) > eps), *kept)

    def unfinished(state):
        return (state[0] < 500.0) & _any(state[1])

    one = _core.full((), 1, x.dtype, False)
    d = 1.0 / (x + n)
    huge = lax.full_like(x, 1e30)
    h = lax.while_loop(unfinished, body, (one, active, huge, d, d))[4]
    return h * lax.exp(-x)


def _expn_value(n, x):
    valid = (x > 0.0) & (n >= 1.0)
    small = valid & (x <= 1.0)
    large = valid & (x > 1.0)
    near = _expn_series(_where(valid, n, 1.0), _where(small, x, 1.0))
    far = _expn_fraction(_where(valid, n, 1.0), _where(large, x, 2.0), large)
    value = _where(small, near, far)
    zero = lax.eq(x, 0.0)
    at_zero = _where(n > 1.0, 1.0 / (_where(n > 1.0, n, 2.0) - 1.0), np.inf)
    order_zero = lax.exp(-x) / x
    value = _where(zero, at_zero, value)
    value = _where(lax.eq(n, 0.0), order_zero, value)
    nan = (x < 0.0) | (n < 0.0) | lax.ne(x, x)
    return _where(nan, np.nan, _where(lax.eq(x, np.inf), 0.0, value))


@custom_jvp
def _expn(n, x):
    return _expn_value(n, x)


@_expn.defjvp
def _expn_jvp(primals, tangents):
    (n, x), (_, t) = primals, tangents
    return _expn(n, x), -t * _expn(n - 1.0, x)


def expn(n, x):
    """The exponential integral of order n, of exp(-x t) / t^n from 1 on."""
    n, x = _real("expn", n, x)
    return _expn(lax.stop_gradient(n), x)


def exp1(x):
    """expn(1, x)."""
    (x,) = _real("exp1", x)
    return _expn(lax.full_like(x, 1), x)


@custom_jvp
def _expi(x):
    positive = x > 0.0
    small = positive & (x <= 40.0)
    y = _where(small, x, 1.0)
    eps = float(dtypes.finfo(x.dtype).eps)

    def body(state):
        k, active, term, total = state
        new = term * (y / k)
        add = new / k
        more = active & (add > eps * total)
        return (
            k + 1.0,
            more,
            _where(active, new, term),
            _where(active, total + add, total),
        )

    def unfinished(state):
        return (state[0] < 500.0) & _any(state[1])

    one = lax.full_like(x, 1)
    first = _core.full((), 1, x.dtype, False)
    # All terms are positive: the sum starts at 1 so that it is no small
    # difference where the logarithm cancels it, and gives it back.
    series = lax.while_loop(
        unfinished, body, (first, small, one, lax.full_like(x, 0))
    )[3]
    near = np.euler_gamma + lax.log(y) + series
    z = _where((x > 40.0) & (x < np.inf), x, 50.0)
    terms = [math.factorial(k) for k in range(20)]
    far = lax.exp(z) / z * _polynomial(1.0 / z, [float(c) for c in terms])
    negative = -_expn(one, _where(x < 0.0, -x, 1.0))
    value = _where(small, near, _where(positive, far, negative))
    value = _where(lax.eq(x, np.inf) | lax.ne(x, x), x, value)
    return _where(lax.eq(x, 0.0), -np.inf, value)


@_expi.defjvp
def _expi_jvp(primals, tangents):
    ((x,), (t,)) = primals, tangents
    return _expi(x), t * lax.exp(x) / x


def expi(x):
    """The exponential integral, of exp(t) / t up to x."""
    return _expi(*_real("expi", x))


# ---- the dilogarithm


@functools.cache
def _bernoulli_number(n: int) -> fractions.Fraction:
    if n == 0:
        return fractions.Fraction(1)
    total = sum(math.comb(n + 1, k) * _bernoulli_number(k) for k in range(n))
    return -total / (n + 1)


@custom_jvp
def _spence(x):
    """Li2(1 - x), with x brought to [1/2, 2] and the series in
    u = -log(x) there (Lewin 1981, 1.3)."""
    invalid = (x < 0.0) | lax.ne(x, x)
    zero = lax.eq(x, 0.0)
    x = _where(invalid | zero, 1.0, x)
    low, high = x < 0.5, x > 2.0
    # With z = 1 - x: Li2(1 - z), Li2(1 / z) or Li2(z).
    beyond = _where(high, x - 1.0, 1.0)
    shifted = _where(low, -x, _where(high, 1.0 / beyond, x - 1.0))
    u = -lax.log1p(shifted)
    terms = [
        float(_bernoulli_number(k) / math.factorial(k + 1))
        for k in range(2, 20, 2)
    ]
    square = u * u
    inner = u - square / 4 + u * square * _polynomial(square, terms)
    log = lax.log(x)
    by_low = math.pi**2 / 6 - log * lax.log1p(-_where(low, x, 0.5)) - inner
    log_high = lax.log(beyond)
    by_high = -inner - math.pi**2 / 6 - log_high * log_high / 2
    value = _where(low, by_low, _where(high, by_high, inner))
    return _where(invalid, np.nan, _where(zero, math.pi**2 / 6, value))


@_spence.defjvp
def _spence_jvp(primals, tangents):
    ((x,), (t,)) = primals, tangents
    one = lax.eq(x, 1.0)
    slope = lax.log(x) / (1.0 - _where(one, 0.0, x))
    return _spence(x), t * _where(one, -1.0, slope)


def spence(x):
    """The dilogarithm of 1 - x: minus the integral of log(t) / (t - 1) from 1
    to x."""
    return _core.strong(_spence(*_real("spence", x)))


# ---- others


def bernoulli(n):
    """The Bernoulli numbers B_0 to B_n (B_1 = -1/2), of an int n."""
    n = operator.index(n)
    if n < 0:
        raise ValueError("n must be a non-negative integer.")
    dtype = dtypes.canonicalize_dtype(float)
    values = [
        float(_bernoulli_number(k)) if k < 240 else (0.0 if k % 2 else np.inf)
        for k in range(n + 1)
    ]
    with np.errstate(over="ignore"):
        return _core.convert(np.array(values, dtype), dtype, False)


def bessel_jn(z, *, v, n_iter=50):
    """The Bessel functions of the first kind of orders 0 to v at z: an array
    [v + 1, ...]. Miller's backward recurrence from order `n_iter`."""
    (z,) = _real("bessel_jn", z)
    v, n_iter = operator.index(v), operator.index(n_iter)
    zero = lax.eq(z, 0.0)
    x = _where(zero, 1.0, z)
    above, here = lax.full_like(z, 0), lax.full_like(z, 1e-16)
    norm, kept = lax.full_like(z, 0), {}
    for n in range(n_iter, -1, -1):
        # f[n] = 2 (n + 1) / z f[n + 1] - f[n + 2]
        above, here = here, 2.0 * (n + 1) * here / x - above
        # Only ratios matter: nothing may overflow.
        factor = _where(lax.abs(here) > 1e10, 1e-10, 1.0)
        above, here, norm = above * factor, here * factor, norm * factor
        kept = {k: value * factor for k, value in kept.items()}
        if n <= v:
            kept[n] = here
        if n % 2 == 0:
            norm = norm + (here if n == 0 else 2.0 * here)
    values = [
        _where(zero, 1.0 if n == 0 else 0.0, kept[n] / norm)
        for n in range(v + 1)
    ]
    return _core.np_stack(values, 0)


def owens_t(h, a):
    """Owen's T function: the probability of X > h and 0 < Y < a X for
    independent normal X and Y."""
    from cotan.scipy.special import ndtr

    h, a = _real("owens_t", h, a)
    h, slope = lax.abs(h), lax.abs(a)
    steep = slope > 1.0
    safe = _where(steep, slope, 1.0)
    low = _where(steep, 1.0 / safe, slope)
    at = _where(steep, h * safe, h)
    nodes, weights = np.polynomial.legendre.leggauss(
        48 if _is_double(h) else 24
    )
    total = lax.full_like(h, 0)
    for t, w in zip(nodes, weights, strict=True):
        u = 1.0 + lax.square(low * float((t + 1) / 2))
        total = total + float(w / 2) * lax.exp(-0.5 * at * at * u) / u
    value = low * total / (2 * math.pi)
    # Patefield and Tandy 2000, eq. 2, in tails.
    p, q = ndtr(-h), ndtr(-h * safe)
    flipped = 0.5 * (p + q) - p * q - value
    return lax.sign(a) * _where(steep, flipped, value)
