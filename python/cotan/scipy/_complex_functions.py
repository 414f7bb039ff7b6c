"""Functions of complex arguments: Faddeeva's w(z), the logarithm of gamma."""

from __future__ import annotations

import math

import numpy as np

from cotan import _core, lax
from cotan._src.custom import custom_jvp
from cotan.lax._special import STIRLING


def _where(condition, x, y):
    return _core.where(condition, x, y)


def _times_i(z):
    return lax.complex(-lax.imag(z), lax.real(z))


# ---- w(z) = exp(-z^2) erfc(-i z)

_N = 11
_H = math.sqrt(math.pi / (_N + 1))


def _wofz_quadrant(z):
    """For Re z, Im z >= 0: the midpoint or the trapezoidal rule, whichever has
    no node close to z, and the residue of the pole at z. Al Azah and
    Chandler-Wilde, SIAM J. Numer. Anal. 59 (2021), table 1: all digits."""
    x, y = lax.real(z), lax.imag(z)
    place = x / _H - lax.floor(x / _H)
    trapezoidal = (y < x) & (place >= 0.25) & (place <= 0.75)
    total = lax.full_like(z, 0)
    for k in range(_N + 1):
        t = _where(trapezoidal, (k + 1) * _H, (k + 0.5) * _H)
        t = lax.convert_element_type(t, x.dtype)
        t_z = lax.convert_element_type(t, z.dtype)
        last = trapezoidal & (k == _N)
        weight = _where(last, 0.0, lax.exp(-t * t))
        weight = lax.convert_element_type(weight, z.dtype)
        total = total + weight / ((z - t_z) * (z + t_z))
    iz = _times_i(z)
    value = (2 * _H / math.pi) * iz * total
    value = value + _where(trapezoidal, (_H / math.pi) * _times_i(1.0 / z), 0.0)
    sign = _where(trapezoidal, -1.0, 1.0)
    below = y < math.pi / _H
    iz = _where(below, iz, lax.full_like(iz, 0))
    residue = (
        2.0
        * lax.exp(iz * iz)
        / (1.0 + sign * lax.exp(-iz * (2 * math.pi / _H)))
    )
    return value + _where(below, residue, lax.full_like(z, 0))


@custom_jvp
def wofz(z):
    """w(z) for a complex array: w(-conj z) = conj w(z) and w(-z) = 2 exp(-z^2)
    - w(z) bring it to the first quadrant."""
    down, left = lax.imag(z) < 0, lax.real(z) < 0
    x, y = lax.abs(lax.real(z)), lax.abs(lax.imag(z))
    w = _wofz_quadrant(lax.complex(x, y))
    # Up on the same side, then through the origin.
    w = _where(left ^ down, lax.conj(w), w)
    iz = _where(down, _times_i(z), lax.full_like(z, 0))
    return _where(down, 2.0 * lax.exp(iz * iz) - w, w)


@wofz.defjvp
def _wofz_jvp(primals, tangents):
    ((z,), (t,)) = primals, tangents
    w = wofz(z)
    slope = -2.0 * z * w
    i = lax.complex(
        lax.full_like(lax.real(z), 0),
        lax.full_like(lax.real(z), 2 / math.sqrt(math.pi)),
    )
    return w, t * (slope + i)


# ---- the logarithm of the gamma function


def _loggamma_right(z):
    """For Re z >= 1/2: Stirling's series (DLMF 5.11.1) at z + n."""
    n = 9 if z.dtype == np.complex128 else 4
    shifted = lax.full_like(z, 0)
    for k in range(n):
        shifted = shifted + lax.log(z + k)
    w = z + n
    inverse = 1.0 / w
    square = inverse * inverse
    tail = lax.full_like(z, STIRLING[-1])
    for c in STIRLING[-2::-1]:
        tail = tail * square + c
    half_log = 0.5 * math.log(2 * math.pi)
    return (w - 0.5) * lax.log(w) - w + half_log + tail * inverse - shifted


def loggamma(z):
    """log(gamma(z)) for a complex array, with a cut on the negative axis
    alone; nan at the poles."""
    x, y = lax.real(z), lax.imag(z)
    pole = lax.eq(y, 0.0) & lax.eq(x, lax.floor(x)) & (x <= 0.0)
    x = _where(pole, 1.0, x)
    below = (y < 0) | (
        lax.eq(y, 0.0) & (1.0 / _where(lax.eq(y, 0.0), y, 1.0) < 0)
    )
    left = x < 0.5
    up = lax.complex(x, lax.abs(y))
    value = _loggamma_right(_where(left, 1.0 - up, up))
    # Reflected: log sin(pi z) is continuous above the axis as log(1 - q) - i pi
    # z + const with q = exp(2 pi i z), |q| <= 1.
    turn = lax.complex(x - lax.round(x), lax.abs(y))
    q1 = lax.expm1(
        _times_i(_where(left, turn, lax.full_like(turn, 0.5)) * (2 * math.pi))
    )
    log_sin = lax.log(-q1) - math.pi * _times_i(up)
    constant = complex(math.log(2 * math.pi), -math.pi / 2)
    reflected = constant - log_sin - value
    value = _where(left, reflected, value)
    value = _where(below, lax.conj(value), value)
    return _where(pole, lax.full_like(value, complex(np.nan, np.nan)), value)
