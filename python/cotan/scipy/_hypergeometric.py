"""The hypergeometric functions 1F1 and 2F1 of real arguments.

Their power series, after transformations to where it converges well (Pearson,
Olver, Porter, Numerical methods for the computation of the confluent and Gauss
hypergeometric functions, arXiv:1407.7786). A series is a loop until its terms
no longer count; derivatives in the parameters differentiate that loop forwards.
"""

from __future__ import annotations

import functools

import numpy as np

import cotan.numpy as cnp
from cotan import _core, dtypes, lax
from cotan._src import api
from cotan._src.custom import SymbolicZero, custom_jvp

_LIMIT = 20000


def _real(name: str, *xs):
    out = _core.promote_inexact(name, list(xs))
    if dtypes.issubdtype(out[0].dtype, np.complexfloating):
        raise ValueError(f"{name} does not support complex-valued inputs.")
    return cnp.broadcast_arrays(*out)


def _where(condition, x, y):
    return _core.where(condition, x, y)


def _gamma_ratio(above, below):
    """The gammas of `above` over those of `below`, whose poles give 0."""
    log, sign, zero = 0.0, 1.0, False
    for x, by in [(x, 1.0) for x in above] + [(x, -1.0) for x in below]:
        floor = lax.floor(x)
        pole = (x <= 0.0) & lax.eq(x, floor)
        odd = (x < 0.0) & lax.ne(lax.rem(floor, 2.0), 0.0)
        sign = _where(odd, -sign, sign)
        if by < 0:
            zero = zero | pole
            x = _where(pole, 1.0, x)
        log = log + by * lax.lgamma(x)
    return _where(zero, 0.0, sign * lax.exp(log))


def _is_integer(x):
    eps = float(dtypes.finfo(x.dtype).eps) * 50
    return lax.abs(x - lax.round(x)) < eps


def _sum(ratio, x, active, first=1.0):
    """first + first r(0) + first r(0) r(1) + ..., where active."""
    eps = float(dtypes.finfo(x.dtype).eps) / 4

    def more(state):
        k, active, _, _ = state
        return (k < _LIMIT) & lax.reduce_or(active, tuple(range(active.ndim)))

    def add(state):
        k, active, term, total = state
        new = term * ratio(k)
        new_total = total + new
        # A term that is small by chance is followed by one that is not.
        counts = (lax.abs(new) > eps * lax.abs(new_total)) | (k < 3.0)
        return (
            k + 1.0,
            active & counts & lax.ne(new, 0.0),
            _where(active, new, term),
            _where(active, new_total, total),
        )

    first = lax.full_like(x, 1) * first
    zero = _core.full((), 0, x.dtype, False)
    return lax.while_loop(more, add, (zero, active, first, first))[3]


def _moved(function, primals, tangents, slope):
    """The tangent: `slope` along the last argument, forward mode through the
    loops of `function` along the parameters that move."""
    total = cnp.zeros_like(primals[-1])
    for i, t in enumerate(tangents):
        if isinstance(t, SymbolicZero):
            continue
        if i == len(primals) - 1:
            total = total + slope() * t
        else:
            one = [cnp.full_like(p, i == j) for j, p in enumerate(primals)]
            total = total + api.jvp(function, primals, one)[1] * t
    return total


# ---- 1F1


def _kummer_series(a, b, x, active):
    return _sum(lambda k: (a + k) / (b + k) * (x / (k + 1.0)), x, active)


def _kummer_far(a, b, x, growth, active):
    """For x -> inf (equation 3.8 there), without the recessive part; `growth`
    for the exponent x."""
    eps = float(dtypes.finfo(x.dtype).eps) / 4
    turning = lax.abs(a) + lax.abs(b - a)

    def more(state):
        k, active, _, _ = state
        return (k < 250.0) & lax.reduce_or(active, tuple(range(active.ndim)))

    def add(state):
        k, active, term, total = state
        ratio = (b - a + k) * (1.0 - a + k) / ((k + 1.0) * x)
        # Divergent: up to its smallest term.
        active = active & ((lax.abs(ratio) < 1.0) | (k < turning))
        term = term * ratio
        total = _where(active, total + term, total)
        counts = (lax.abs(term) > eps * lax.abs(total)) | (k < 3.0)
        return k + 1.0, active & counts, term, total

    one = lax.full_like(x, 1)
    zero = _core.full((), 0, x.dtype, False)
    total = lax.while_loop(more, add, (zero, active, one, one))[3]
    size = lax.exp(growth + (a - b) * lax.log(x))
    return size * _gamma_ratio([b], [a]) * total


def _hyp1f1_of(a, b, x):
    """Kummer's transformation makes x positive."""
    negative = x < 0.0
    scale = lax.exp(_where(negative, x, 0.0))
    growth = _where(negative, 0.0, x)
    a = _where(negative, b - a, a)
    x = lax.abs(x)
    limit = 300.0 if x.dtype == np.float64 else 50.0
    far = (x >= limit) & ~((a <= 0.0) & _is_integer(a))
    near = _kummer_series(a, b, _where(far, 1.0, x), ~far)
    away = _kummer_far(a, b, _where(far, x, limit), growth, far)
    return _where(far, away, scale * near)


@custom_jvp
def _hyp1f1(a, b, x):
    value = _hyp1f1_of(a, _where(lax.eq(b, 0.0), 1.0, b), x)
    value = _where(lax.eq(a, b), lax.exp(x), value)
    value = _where(lax.eq(b, 0.0), np.inf, value)
    return _where(lax.eq(a, 0.0), 1.0, value)


@functools.partial(_hyp1f1.defjvp, symbolic_zeros=True)
def _hyp1f1_jvp(primals, tangents):
    a, b, x = primals

    def slope():
        return a / b * _hyp1f1(a + 1.0, b + 1.0, x)

    return _hyp1f1(*primals), _moved(_hyp1f1_of, primals, tangents, slope)


def hyp1f1(a, b, x):
    """Kummer's function 1F1(a; b; x), the sum of (a)_k / (b)_k x^k / k!. 1 for
    a = 0, infinite for b = 0. Differentiable in all arguments."""
    return _hyp1f1(*_real("hyp1f1", a, b, x))


# ---- 2F1


def _gauss_series(a, b, c, x, active):
    def ratio(k):
        top = (a + k) * (b + k)
        ends = lax.eq(top, 0.0)  # before a pole of c, if there is one
        return _where(ends, 0.0, top / _where(ends, 1.0, c + k)) * (
            x / (k + 1.0)
        )

    return _sum(ratio, x, active)


def _terminates(a, b, c):
    """A polynomial, of a degree that no pole of c cuts off."""

    def ends(p):
        pole = (c <= 0.0) & lax.eq(c, lax.floor(c))
        return (p <= 0.0) & lax.eq(p, lax.floor(p)) & (~pole | (p >= c))

    return ends(a) | ends(b)


def _reflected(a, b, c, d, y, active):
    """At x = 1 - y for d = c - a - b no integer (DLMF 15.8.4)."""
    first = _gauss_series(a, b, 1.0 - d, y, active)
    second = _gauss_series(c - a, c - b, 1.0 + d, y, active)
    left = _gamma_ratio([c, d], [c - a, c - b]) * first
    right = _gamma_ratio([c, -d], [a, b]) * second
    return left + right * lax.pow(y, d)


def _reflected_integer(a, b, m, y, active):
    """At x = 1 - y for c = a + b + m, an integer m >= 0 (DLMF 15.8.10)."""
    c = a + b + m
    log = lax.log(y)

    zero = _core.full((), 0, y.dtype, False)
    largest = lax.reduce_max(_where(active, m, 0.0), tuple(range(m.ndim)))

    def finite(state):
        k, term, total = state
        here = active & (k < m)
        below = _where(k + 1.0 < m, 1.0 - m + k, 1.0)
        ratio = (a + k) * (b + k) / ((k + 1.0) * below)
        total = _where(here, total + term, total)
        return k + 1.0, _where(here, term * ratio * y, term), total

    one = lax.full_like(y, 1)
    head = lax.while_loop(
        lambda s: s[0] < largest, finite, (zero, one, lax.full_like(y, 0))
    )[2]
    head = head * _gamma_ratio([c, _where(m > 0.0, m, 1.0)], [a + m, b + m])

    def bracket(k):
        return (
            log
            - lax.digamma(k + 1.0)
            - lax.digamma(k + m + 1.0)
            + lax.digamma(a + k + m)
            + lax.digamma(b + k + m)
        )

    def add(state):
        k, active, term, total = state
        new = term * bracket(k)
        total = _where(active, total + new, total)
        step = (a + m + k) * (b + m + k) / ((k + 1.0) * (k + 1.0 + m)) * y
        eps = float(dtypes.finfo(y.dtype).eps) / 4
        counts = (lax.abs(new) > eps * lax.abs(total)) | (k < 3.0)
        return k + 1.0, active & counts, term * step, total

    first = lax.exp(-lax.lgamma(m + 1.0))
    endless = lax.while_loop(
        lambda s: (s[0] < 500.0) & lax.reduce_or(s[1], tuple(range(s[1].ndim))),
        add,
        (zero, active, first, lax.full_like(y, 0)),
    )[3]
    sign = _where(lax.eq(lax.rem(m, 2.0), 0.0), 1.0, -1.0)
    tail = sign * lax.exp(m * log) * _gamma_ratio([c], [a, b])
    return head - tail * endless


def _near_one(a, b, c, x, active):
    """For 0.9 < x < 1; Euler's transformation makes d >= 0."""
    y = 1.0 - x
    d = c - a - b
    negative = d < 0.0
    scale = lax.exp(_where(negative, d * lax.log(y), 0.0))
    a, b = _where(negative, c - a, a), _where(negative, c - b, b)
    d = lax.abs(d)
    whole = _is_integer(d)
    # Close to an integer the two parts of the other formula cancel.
    plain = _reflected(a, b, c, _where(whole, 0.5, d), y, active & ~whole)
    m = _where(whole, lax.round(d), 0.0)
    special = _reflected_integer(a, b, m, y, active & whole)
    return scale * _where(whole, special, plain)


def _pfaff(a, b, c, x):
    """(factor, b, x) with F(a, b; c; x) = factor F(a, b; c; x) and x >= 0."""
    negative = x < 0.0
    safe = _where(negative, x, 0.0)
    scale = lax.exp(-a * lax.log1p(-safe))
    return (
        _where(negative, scale, 1.0),
        _where(negative, c - b, b),
        _where(negative, safe / (safe - 1.0), x),
    )


def _gauss_by_series(a, b, c, x):
    """By power series alone, for derivatives in the parameters."""
    factor, b, x = _pfaff(a, b, c, x)
    inside = x < 1.0
    return factor * _gauss_series(a, b, c, _where(inside, x, 0.5), inside)


@custom_jvp
def _hyp2f1(a, b, c, x):
    pole = (c <= 0.0) & lax.eq(c, lax.floor(c))
    polynomial = _terminates(a, b, c)
    trivial = lax.eq(x, 0.0) | (
        (lax.eq(a, 0.0) | lax.eq(b, 0.0)) & lax.ne(c, 0.0)
    )
    general = ~(polynomial | pole | trivial) & (x < 1.0)
    exact = _gauss_series(a, b, c, _where(polynomial, x, 0.0), polynomial)

    z = _where(general, x, 0.5)
    c_safe = _where(pole, 1.0, c)
    factor, b2, z = _pfaff(a, b, c_safe, z)
    # Pfaff's b may end the series where the given ones do not.
    near = (z > 0.9) & ~_terminates(a, b2, c_safe)
    taylor = _gauss_series(a, b2, c_safe, _where(near, 0.5, z), general & ~near)
    reflected = _near_one(a, b2, c_safe, _where(near, z, 0.95), general & near)
    value = factor * _where(near, reflected, taylor)

    d = c - a - b
    at_one = _gamma_ratio([c_safe, _where(d > 0.0, d, 1.0)], [c - a, c - b])
    value = _where(lax.eq(x, 1.0), _where(d > 0.0, at_one, np.inf), value)
    value = _where((x > 1.0) | pole, np.inf, value)
    value = _where(polynomial, exact, value)
    value = _where(trivial, 1.0, value)
    return _where(lax.ne(a + b + c + x, a + b + c + x), np.nan, value)


@functools.partial(_hyp2f1.defjvp, symbolic_zeros=True)
def _hyp2f1_jvp(primals, tangents):
    a, b, c, x = primals

    def slope():
        return a * b / c * _hyp2f1(a + 1.0, b + 1.0, c + 1.0, x)

    return _hyp2f1(*primals), _moved(_gauss_by_series, primals, tangents, slope)


def hyp2f1(a, b, c, x):
    """Gauss' function 2F1(a, b; c; x), the sum of (a)_k (b)_k / (c)_k x^k / k!,
    for x <= 1, or all x if that is a polynomial; infinite otherwise.
    Differentiable in all arguments."""
    return _hyp2f1(*_real("hyp2f1", a, b, c, x))
