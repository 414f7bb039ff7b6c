"""Special functions whose iteration counts depend on their arguments: the
incomplete gamma and beta functions. Elementwise loops that run until the last
element has converged; their derivatives are loops too.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from cotan import _core, dtypes
from cotan._src.api import jvp
from cotan._src.custom import SymbolicZero, custom_jvp
from cotan.lax import _elementwise as lax
from cotan.lax._reduce import reduce_or
from cotan.lax._shape import full_like

__all__ = [
    "bessel_i0e",
    "bessel_i1e",
    "betainc",
    "igamma",
    "igamma_grad_a",
    "igammac",
    "polygamma",
    "random_gamma_grad",
    "zeta",
]


def _any(mask):
    return reduce_or(mask, tuple(range(mask.ndim)))


def _eps(x) -> float:
    return float(dtypes.finfo(x.dtype).eps)


def _while_loop(condition, body, state):
    from cotan import lax

    return lax.while_loop(condition, body, state)


def _where(condition, x, y):
    return _core.where(condition, x, y)


def _operands(name: str, *xs) -> list:
    """The arguments broadcast, as floats of one dtype."""
    out = _core.promote(name, list(xs))
    if not dtypes.issubdtype(out[0].dtype, np.floating):
        raise TypeError(f"{name} does not accept dtype {out[0].dtype}.")
    shape = np.broadcast_shapes(*(x.shape for x in out))
    return [_core.broadcast_to(x, shape) for x in out]


def _as_weak(function, xs):
    """function(*xs), weakly typed where all xs are."""
    y = function(*xs)
    return _core.convert(y, y.dtype, all(x.weak_type for x in xs))


def _in_single(function):
    """f16 and bf16 are computed in f32."""

    @functools.wraps(function)
    def wrapper(*xs):
        dtype = xs[0].dtype
        if dtype.itemsize >= 4:
            return function(*xs)
        wide = [_core.convert(x, np.float32, False) for x in xs]
        return _core.convert(function(*wide), dtype, False)

    return wrapper


def _loop(start, step):
    """The elementwise function of (*params, active) that repeats
    state = step(i, params, state), from start(*params), until the last part
    of the state has converged where `active`; at most 2000 times. Its
    derivative is carried along in a loop of its own, which also waits for the
    derivative to converge."""

    def iterate(first, advance, converged, active):
        def body(carry):
            i, active, state = carry
            new = advance(i, state)
            kept = tuple(
                _where(active, n, s) for n, s in zip(new, state, strict=True)
            )
            return i + 1.0, active & ~converged(state, new), kept

        def unfinished(carry):
            return (carry[0] < 2000.0) & _any(carry[1])

        one = _core.full((), 1, first[0].dtype, False)
        return _while_loop(unfinished, body, (one, active, first))[2]

    def close(old, new, scale, tolerance):
        return lax.abs(new - old) <= tolerance * scale

    @custom_jvp
    def function(*args):
        *params, active = args

        def converged(old, new):
            scale = lax.abs(new[-1])
            return close(old[-1], new[-1], scale, _eps(scale) / 2)

        return iterate(
            start(*params), lambda i, s: step(i, params, s), converged, active
        )[-1]

    def rule(primals, tangents):
        *params, active = primals
        slopes = [
            full_like(x, 0) if isinstance(t, SymbolicZero) else t
            for x, t in zip(params, tangents[:-1], strict=True)
        ]
        state, slope = jvp(start, tuple(params), tuple(slopes))
        n = len(state)

        def advance(i, both):
            new, slope = jvp(
                lambda params, state: step(i, params, state),
                (list(params), both[:n]),
                (slopes, both[n:]),
            )
            return (*new, *slope)

        def converged(old, new):
            scale = lax.max(lax.abs(new[n - 1]), lax.abs(new[-1]))
            eps = _eps(scale)
            value = close(old[n - 1], new[n - 1], scale, eps)
            return value & close(old[-1], new[-1], scale, eps)

        both = iterate((*state, *slope), advance, converged, active)
        return both[n - 1], both[-1]

    function.defjvp(rule, symbolic_zeros=True)
    return function


# ---- powers over gamma functions, without differences of large logarithms

# From here on Stirling's series has all digits.
LARGE = 8.0
# B_2k / (2 k (2 k - 1)) (DLMF 5.11.1)
STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
)


def stirling_rest(x):
    """log(gamma(x)) - ((x - 1/2) log(x) - x + log(2 pi) / 2) for x >= LARGE."""
    square = 1.0 / (x * x)
    total = full_like(x, STIRLING[-1])
    for c in STIRLING[-2::-1]:
        total = total * square + c
    return total / x


def log_beta(a, b):
    """log(|beta(a, b)|)."""
    a, b = lax.min(a, b), lax.max(a, b)
    large = b >= LARGE
    safe = _where(large, b, LARGE)
    growth = (a + safe - 0.5) * lax.log1p(a / safe)
    rest = stirling_rest(safe) - stirling_rest(_where(large, a + safe, LARGE))
    ratio = rest - a * lax.log(safe) + (a - growth)
    other = lax.lgamma(b) - lax.lgamma(a + b)
    return lax.lgamma(a) + _where(large, ratio, other)


def log1p_less(d):
    """log(1 + d) - d for |d| <= 0.4: with r = d / (2 + d) that is
    2 artanh(r) - d, and 2 r - d = -d r."""
    r = d / (2.0 + d)
    square = r * r
    count = 15 if d.dtype.itemsize == 8 else 7
    total = full_like(d, 1 / (2 * count + 1))
    for k in range(count - 1, 0, -1):
        total = total * square + 1 / (2 * k + 1)
    return 2.0 * r * square * total - d * r


def _log_ratio(x, y, difference):
    """log(x / y) - (x - y) / y, given x - y."""
    d = difference / y
    near = lax.abs(d) < 0.4
    series = log1p_less(_where(near, d, 0.0))
    return _where(near, series, lax.log(x / y) - d)


# ---- the incomplete gamma functions (Numerical Recipes 6.2)


def _series_start(a, x):
    one = full_like(x, 1)
    return a, one, one


def _series_step(_, params, state):
    _, x = params
    r, c, s = state
    r = r + 1.0
    c = c * (x / r)
    return r, c, s + c


# s with P(a, x) = s x^a exp(-x) / gamma(a + 1)
_series = _loop(_series_start, _series_step)


def _nonzero(v):
    tiny = float(dtypes.finfo(v.dtype).tiny) / _eps(v)
    return _where(lax.abs(v) < tiny, tiny, v)


def _fraction_start(a, x):
    b = x + 1.0 - a
    d = 1.0 / _nonzero(b)
    tiny = float(dtypes.finfo(x.dtype).tiny) / _eps(x)
    return b, full_like(x, 1 / tiny), d, d


def _fraction_step(i, params, state):
    a, _ = params
    b, c, d, h = state
    numerator = -i * (i - a)
    b = b + 2.0
    d = 1.0 / _nonzero(numerator * d + b)
    c = _nonzero(b + numerator / c)
    return b, c, d, h * (d * c)


# h with Q(a, x) = h x^a exp(-x) / gamma(a), by Lentz's method
_fraction = _loop(_fraction_start, _fraction_step)


def _power(a, x):
    """x^a exp(-x) / gamma(a)."""
    large = a >= LARGE
    direct = lax.exp(a * lax.log(x) - x - lax.lgamma(a))
    b = _where(large, a, LARGE)
    y = _where(large, x, LARGE)
    exponent = b * _log_ratio(y, b, y - b) - stirling_rest(b)
    scaled = lax.sqrt(b * (0.5 / math.pi)) * lax.exp(exponent)
    return _where(large, scaled, direct)


def _domains(a, x):
    """What is outside of the domain, and which elements need iterations."""
    nan = lax.ne(a, a) | lax.ne(x, x)
    both = lax.eq(a, 0.0) & lax.eq(x, 0.0)
    outside = (x < 0.0) | (a < 0.0) | both | nan
    limits = lax.eq(x, 0.0) | lax.eq(a, 0.0) | lax.eq(x, np.inf)
    return outside, ~(outside | limits | lax.eq(a, np.inf))


def _lower_or_upper(a, x, want_upper: bool):
    """P(a, x) or Q(a, x) of proper arguments."""
    outside, active = _domains(a, x)
    safe_a, safe_x = _where(active, a, 1.0), _where(active, x, 1.0)
    by_fraction = (safe_x >= 1.0) & (safe_x > safe_a)
    power = _power(safe_a, safe_x)
    # Where a function is not used its argument must not spoil derivatives.
    near = _where(by_fraction, safe_a, safe_x)
    far = _where(by_fraction, safe_x, safe_a + 2.0)
    lower = _series(safe_a, near, active & ~by_fraction)
    lower = lower * power / safe_a
    upper = _fraction(safe_a, far, active & by_fraction) * power
    if want_upper:
        value = _where(by_fraction, upper, 1.0 - lower)
    else:
        value = _where(by_fraction, 1.0 - upper, lower)
    # Limits: P is 0 at x = 0 and a = inf, 1 at x = inf and a = 0.
    zero = lax.eq(x, 0.0) | (lax.eq(a, np.inf) & (x < np.inf))
    limit = _where(zero, 1.0 if want_upper else 0.0, 0.0 if want_upper else 1.0)
    return _where(outside, np.nan, _where(active, value, limit))


def _partial(function, xs, i):
    """The partial derivatives of an elementwise function in argument i."""
    xs = list(xs)

    def along(x):
        return function(*xs[:i], x, *xs[i + 1 :])

    return jvp(along, (xs[i],), (full_like(xs[i], 1),))[1]


@_in_single
def _gamma_slope(a, x):
    """The derivative of P(a, x) in a; 0 at x = 0."""

    def lower(a):
        return _lower_or_upper(a, x, False)

    slope = _partial(lower, (a,), 0)
    outside = (x < 0.0) | (a <= 0.0) | lax.ne(a, a) | lax.ne(x, x)
    slope = _where(lax.eq(x, 0.0) | lax.eq(x, np.inf), 0.0, slope)
    return _where(outside, np.nan, slope)


def _gamma_function(want_upper: bool):
    @custom_jvp
    @_in_single
    def function(a, x):
        return _lower_or_upper(a, x, want_upper)

    def rule(primals, tangents):
        (a, x), (da, dx) = primals, tangents
        sign = -1.0 if want_upper else 1.0
        total = full_like(a, 0)
        if not isinstance(dx, SymbolicZero):
            density = lax.exp((a - 1.0) * lax.log(x) - x - lax.lgamma(a))
            total = total + sign * density * dx
        if not isinstance(da, SymbolicZero):
            total = total + sign * _gamma_slope(a, x) * da
        return function(a, x), total

    function.defjvp(rule, symbolic_zeros=True)
    return function


_igamma, _igammac = _gamma_function(False), _gamma_function(True)


def igamma(a, x):
    """The regularised lower incomplete gamma function P(a, x)."""
    return _as_weak(_igamma, _operands("igamma", a, x))


def igammac(a, x):
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P."""
    return _as_weak(_igammac, _operands("igammac", a, x))


def igamma_grad_a(a, x):
    """The derivative of igamma in a."""
    return _as_weak(_gamma_slope, _operands("igamma_grad_a", a, x))


@_in_single
def _sample_slope(a, x):
    # -(dP/da) / (dP/dx), without the power that cancels.
    outside = (x < 0.0) | (a <= 0.0) | lax.ne(a, a) | lax.ne(x, x)
    active = ~(outside | lax.eq(x, 0.0))
    safe_a, safe_x = _where(active, a, 1.0), _where(active, x, 1.0)
    by_fraction = (safe_x > 1.0) & (safe_x > safe_a)
    near = _where(by_fraction, safe_a, safe_x)
    far = _where(by_fraction, safe_x, safe_a + 2.0)
    one = full_like(a, 1)
    s, ds = jvp(
        lambda a: _series(a, near, active & ~by_fraction),
        (safe_a,),
        (one,),
    )
    h, dh = jvp(
        lambda a: _fraction(a, far, active & by_fraction),
        (safe_a,),
        (one,),
    )
    log_x = lax.log(safe_x)
    by_series = -(ds + s * (log_x - lax.digamma(safe_a + 1.0))) / safe_a
    by_tail = dh + h * (log_x - lax.digamma(safe_a))
    slope = _where(by_fraction, by_tail, by_series) * safe_x
    slope = _where(lax.eq(x, 0.0), 0.0, slope)
    return _where(outside, np.nan, slope)


def random_gamma_grad(a, x):
    """The derivative in a of a gamma sample x with shape parameter a."""
    operands = _operands("random_gamma_grad", a, x)
    if operands[0].ndim:
        return _sample_slope(*operands)
    return _as_weak(_sample_slope, operands)


# ---- the incomplete beta function (Numerical Recipes 6.4)


def _beta_start(a, b, x):
    d = 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    return full_like(x, 1), d, d


def _beta_step(m, params, state):
    a, b, x = params
    c, d, h = state
    even = m * (b - m) * x / ((a - 1.0 + 2.0 * m) * (a + 2.0 * m))
    odd = -(a + m) * (a + b + m) * x
    odd = odd / ((a + 2.0 * m) * (a + 1.0 + 2.0 * m))
    for numerator in (even, odd):
        d = 1.0 / _nonzero(1.0 + numerator * d)
        c = _nonzero(1.0 + numerator / c)
        h = h * (d * c)
    return c, d, h


_beta_fraction = _loop(_beta_start, _beta_step)


def _beta_power(a, b, x, y):
    """x^a y^b / beta(a, b), with y = 1 - x."""
    large = (a >= LARGE) & (b >= LARGE)
    log_y = _where(x < 0.5, lax.log1p(-_where(x < 0.5, x, 0.5)), lax.log(y))
    direct = lax.exp(a * lax.log(x) + b * log_y - log_beta(a, b))
    a, b = _where(large, a, LARGE), _where(large, b, LARGE)
    n = a + b
    moved = x * b - y * a  # n x - a
    exponent = a * _log_ratio(n * x, a, moved) + b * _log_ratio(
        n * y, b, -moved
    )
    rest = stirling_rest(a) + stirling_rest(b) - stirling_rest(n)
    scale = lax.sqrt(a / n * b * (0.5 / math.pi))
    return _where(large, scale * lax.exp(exponent - rest), direct)


def _beta_value(a, b, x):
    nan = lax.ne(a, a) | lax.ne(b, b) | lax.ne(x, x)
    # All the mass is at 0, or at 1.
    low = lax.eq(a, 0.0) | lax.eq(b, np.inf)
    high = lax.eq(b, 0.0) | lax.eq(a, np.inf)
    outside = (a < 0.0) | (b < 0.0) | (x < 0.0) | (x > 1.0) | nan
    outside = outside | (low & high)
    edge = lax.eq(x, 0.0) | lax.eq(x, 1.0)
    active = ~(outside | low | high | edge)
    p, q = _where(active, a, 1.0), _where(active, b, 1.0)
    y = _where(active, x, 0.5)
    direct = y < (p + 1.0) / (p + q + 2.0)
    p, q = _where(direct, p, q), _where(direct, q, p)
    z, rest = _where(direct, y, 1.0 - y), _where(direct, 1.0 - y, y)
    value = _beta_power(p, q, z, rest) * _beta_fraction(p, q, z, active) / p
    value = _where(direct, value, 1.0 - value)
    one = (low & (x > 0.0)) | (high & lax.eq(x, 1.0)) | (~low & ~high)
    limit = _where(one & (x > 0.0), 1.0, 0.0)
    return _where(outside, np.nan, _where(active, value, limit))


@custom_jvp
@_in_single
def _betainc(a, b, x):
    return _beta_value(a, b, x)


def _betainc_jvp(primals, tangents):
    (a, b, x), (da, db, dx) = primals, tangents
    total = full_like(a, 0)
    if not isinstance(dx, SymbolicZero):
        log_beta = lax.lgamma(a) + lax.lgamma(b) - lax.lgamma(a + b)
        powers = (b - 1.0) * lax.log1p(-x) + (a - 1.0) * lax.log(x)
        total = total + lax.exp(powers - log_beta) * dx
    for i, t in enumerate((da, db)):
        if not isinstance(t, SymbolicZero):
            total = total + _partial(_beta_value, primals, i) * t
    return _betainc(a, b, x), total


_betainc.defjvp(_betainc_jvp, symbolic_zeros=True)


def betainc(a, b, x):
    """The regularised incomplete beta function I_x(a, b). Differentiable in
    all three, where JAX is in x only."""
    return _as_weak(_betainc, _operands("betainc", a, b, x))


# ---- those of scipy.special, without promotion


def bessel_i0e(x):
    """exp(-|x|) times the modified Bessel function of order 0."""
    from cotan.scipy.special import i0e

    return i0e(*_operands("bessel_i0e", x))


def bessel_i1e(x):
    """exp(-|x|) times the modified Bessel function of order 1."""
    from cotan.scipy.special import i1e

    return i1e(*_operands("bessel_i1e", x))


def zeta(x, q):
    """The Hurwitz zeta function."""
    from cotan.scipy.special import zeta

    return zeta(*_operands("zeta", x, q))


def polygamma(m, x):
    """The derivative of order m of digamma; m holds integers."""
    from cotan.scipy.special import polygamma_of_floats

    return polygamma_of_floats(*_operands("polygamma", m, x))
