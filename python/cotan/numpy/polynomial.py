"""Polynomials as arrays of coefficients, the highest power first."""

from __future__ import annotations

import operator

import numpy as np

from cotan import _core
from cotan._src.avals import keeps_weak
from cotan.numpy.creation import _inexact_dtype, arange, asarray, vander, zeros
from cotan.numpy.indexing import where
from cotan.numpy.math_functions import convolve
from cotan.numpy.reductions import cumsum
from cotan.numpy.shaping import atleast_1d, concatenate, roll

_operand = _core.np_operand


def polyval(p, x, *, unroll=16):
    """The value of a polynomial at x, by Horner's rule."""
    p, x = _operand(p, "polyval", 0), _operand(x, "polyval", 1)
    t = _core.result_type((p, x))[0]
    p, x = p.astype(t), x.astype(t)
    y = x * 0
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


@keeps_weak(2)
def polyadd(a1, a2):
    """The sum of two polynomials."""
    a, b = _operand(a1, "polyadd", 0), _operand(a2, "polyadd", 1)
    t = _core.result_type((a, b))[0]
    a, b = a.astype(t), b.astype(t)
    if a.shape[0] < b.shape[0]:
        a, b = b, a
    pad = zeros(a.shape[0] - b.shape[0], t)
    return a + concatenate((pad, b))


@keeps_weak(2)
def polysub(a1, a2):
    """The difference of two polynomials."""
    a, b = _operand(a1, "polysub", 0), _operand(a2, "polysub", 1)
    t = _core.result_type((a, b))[0]
    return polyadd(a.astype(t), -b.astype(t))


@keeps_weak(2)
def polymul(a1, a2, *, trim_leading_zeros=False):
    """The product of two polynomials."""
    a, b = _operand(a1, "polymul", 0), _operand(a2, "polymul", 1)
    if trim_leading_zeros:
        a, b = _trimmed(a), _trimmed(b)
    (a, b) = (
        x.astype(_core.promote_inexact("polymul", [x])[0].dtype)
        for x in (atleast_1d(a), atleast_1d(b))
    )
    if a.shape[0] == 0 or b.shape[0] == 0:
        return zeros(1, a.dtype)
    return convolve(a, b)


def _trimmed(a):
    return asarray(np.trim_zeros(np.asarray(a), "f"))


def polydiv(u, v, *, trim_leading_zeros=False):
    """(quotient, remainder) of two polynomials."""
    u, v = _operand(u, "polydiv", 0), _operand(v, "polydiv", 1)
    t, weak = _inexact_dtype(u, v), u.weak_type and v.weak_type
    u, v = u.astype(t), v.astype(t)
    m, n = u.shape[0] - 1, v.shape[0] - 1
    q = []
    for k in range(max(m - n + 1, 0)):
        d = u[k] / v[0]
        q.append(d)
        u = u.at[k : k + n + 1].add(-d * v)
    quotient = _core.np_stack(q, 0) if q else zeros(1, t)
    u = _core.convert(u, t, weak)
    if trim_leading_zeros:
        u = _trimmed(u)
    return quotient, u


def polyder(p, m=1):
    """The m-th derivative of a polynomial."""
    (p,) = _core.promote_inexact("polyder", [_operand(p, "polyder", 0)])
    m = operator.index(m)
    if m < 0:
        raise ValueError("Order of derivative must be positive")
    for _ in range(m):
        n = p.shape[0]
        p = p[:-1] * arange(n - 1, 0, -1, dtype=p.dtype)
    return p


def polyint(p, m=1, k=None):
    """The m-th integral of a polynomial, with constants k."""
    (p,) = _core.promote_inexact("polyint", [_operand(p, "polyint", 0)])
    m = operator.index(m)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    k = zeros(m, p.dtype) if k is None else atleast_1d(asarray(k, p.dtype))
    if k.shape[0] == 1 and m > 1:
        k = _core.broadcast_to(k, (m,))
    if k.shape[0] != m:
        raise ValueError(
            "k must be a scalar or a rank-1 array of length 1 or m."
        )
    for i in range(m):
        n = p.shape[0]
        p = concatenate((p / arange(n, 0, -1, dtype=p.dtype), k[i : i + 1]))
    return p


def poly(seq_of_zeros):
    """The polynomial with the given roots (or eigenvalues of a matrix)."""
    from cotan.numpy import linalg

    (r,) = _core.promote_inexact("poly", [_operand(seq_of_zeros, "poly", 0)])
    r = atleast_1d(r)
    if r.ndim == 2 and r.shape[0] == r.shape[1] and r.shape[0]:
        r = linalg.eigvals(r)
    if r.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    one = _core.np_full((1,), True, r.dtype, "poly")
    p = one
    for i in range(r.shape[0]):
        p = convolve(p, concatenate((one, -r[i : i + 1])))
    return p


def roots(p, *, strip_zeros=True):
    """The roots of a polynomial: eigenvalues of its companion matrix."""
    (p,) = _core.promote_inexact("roots", [_operand(p, "roots", 0)])
    p = atleast_1d(p)
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    trailing = 0
    if strip_zeros:
        values = np.asarray(p)
        nz = np.nonzero(values)[0]
        if nz.size == 0:
            return zeros(0, np.complex64)
        trailing = values.size - 1 - nz[-1]
        p = p[int(nz[0]) : int(nz[-1]) + 1]
    if p.shape[0] < 2:
        return zeros(trailing, np.complex64)
    if not strip_zeros:
        return _roots_of_padded(p)
    r = _roots_of_monic(p)
    return concatenate((r, zeros(trailing, r.dtype))) if trailing else r


def _roots_of_monic(p):
    from cotan.numpy import linalg

    n = p.shape[0]
    top = -p[1:] / p[0]
    below = _core.np_diagonal_mask(n - 2, n - 1, 0, p.dtype, False)
    return linalg.eigvals(concatenate((top[None], below)))


def _roots_of_padded(p):
    """Roots where leading coefficients may be zero, in an array that does not
    depend on their values: a root is missing, nan, for each of them."""
    from cotan import lax

    missing = (cumsum(p != 0) == 0).sum()
    p = where(missing == p.shape[0], 1, p)  # LAPACK refuses nan
    # Zeros at the end are roots at zero instead.
    r = _roots_of_monic(roll(p, -missing))
    _, r = lax.sort_key_val((r == 0).astype(np.int32), r)
    return where(arange(r.size) < r.size - missing, r, complex("nan+nanj"))


def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """Least-squares fit of a polynomial of degree `deg` to points."""
    from cotan.numpy import linalg
    from cotan.numpy.elementwise import sqrt
    from cotan.numpy.products import outer

    x, y = (
        _core.promote_inexact(
            "polyfit", [_operand(x, "polyfit", 0), _operand(y, "polyfit", 1)]
        )
        if np.shape(x) == np.shape(y)
        else (
            _core.promote_inexact("polyfit", [_operand(x, "polyfit", 0)])[0],
            _core.promote_inexact("polyfit", [_operand(y, "polyfit", 1)])[0],
        )
    )
    deg = operator.index(deg)
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if x.ndim != 1:
        raise TypeError("expected 1D vector for x")
    if x.shape[0] == 0:
        raise TypeError("expected non-empty vector for x")
    if y.ndim not in (1, 2):
        raise TypeError("expected 1D or 2D array for y")
    if x.shape[0] != y.shape[0]:
        raise TypeError("expected x and y to have same length")
    if rcond is None:
        rcond = x.shape[0] * float(np.finfo(x.dtype).eps)
    lhs, rhs = vander(x, deg + 1), y
    if w is not None:
        (w,) = _core.promote_inexact("polyfit", [_operand(w, "polyfit", 5)])
        if w.ndim != 1 or w.shape[0] != y.shape[0]:
            raise TypeError("expected w and y to have the same length")
        lhs = lhs * w[:, None]
        rhs = rhs * (w[:, None] if rhs.ndim == 2 else w)
    scale = sqrt((lhs * lhs).sum(axis=0))
    c, residuals, rank, s = linalg.lstsq(lhs / scale[None], rhs, rcond)
    c = c / (scale[:, None] if c.ndim == 2 else scale)
    if full:
        return c, residuals, rank, s, asarray(rcond)
    if cov:
        base = linalg.inv(lhs.T @ lhs / outer(scale, scale))
        base = base / outer(scale, scale)
        if cov == "unscaled":
            fac = 1
        else:
            if x.shape[0] <= deg + 1:
                raise ValueError(
                    "the number of data points must exceed order to scale "
                    "the covariance matrix"
                )
            fac = residuals / (x.shape[0] - (deg + 1))
        if y.ndim == 1:
            return c, base * fac
        if np.ndim(fac):
            fac = fac[None, None]
        return c, base[:, :, None] * fac
    return c
