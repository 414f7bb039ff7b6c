"""Special functions, as in `jax.scipy.special`: compositions of primitives.

Arguments are promoted to a float dtype and broadcast.
"""

from __future__ import annotations

import functools
import inspect
import math

import numpy as np

from cotan import _core, _dispatch, dtypes, lax
from cotan._src import absent
from cotan._src.custom import custom_jvp
from cotan.lax import _special
from cotan.lax._types import is_inexact
from cotan.nn import log_softmax as _log_softmax
from cotan.nn import logsumexp
from cotan.nn import softmax as _softmax
from cotan.scipy import _bessel, _complex_functions
from cotan.scipy._harmonics import sph_harm_y
from cotan.scipy._hypergeometric import hyp1f1, hyp2f1
from cotan.scipy._integrals import (
    _any,
    bernoulli,
    bessel_jn,
    dawsn,
    erfcx,
    exp1,
    expi,
    expn,
    owens_t,
    spence,
)
from cotan.scipy._oscillating import fresnel, sici

__all__ = [
    "bernoulli",
    "bessel_jn",
    "beta",
    "betainc",
    "betaln",
    "boxcox",
    "boxcox1p",
    "comb",
    "dawsn",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp1",
    "expi",
    "expit",
    "expn",
    "factorial",
    "fresnel",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "gammasgn",
    "hyp1f1",
    "hyp2f1",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "kl_div",
    "log_ndtr",
    "log_softmax",
    "loggamma",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "owens_t",
    "poch",
    "polygamma",
    "rel_entr",
    "sici",
    "softmax",
    "spence",
    "sph_harm_y",
    "wofz",
    "xlog1py",
    "xlogy",
    "zeta",
]


def _real(name: str, *xs) -> list:
    out = _core.promote_inexact(name, list(xs))
    if out and dtypes.issubdtype(out[0].dtype, np.complexfloating):
        raise ValueError(f"{name} does not support complex-valued inputs.")
    return out


def _where(condition, x, y):
    return _core.where(condition, x, y)


def _composition(f):
    """f of promoted real arrays."""
    signature = inspect.signature(f)

    @functools.wraps(f)
    def function(*xs, **named):
        if named:
            xs = signature.bind(*xs, **named).args
        return f(*_real(f.__name__, *xs))

    return function


def _unary(name: str, function, doc: str):
    def wrapper(x):
        (x,) = _core.promote_inexact(name, [x])
        return function(x)

    wrapper.__name__ = wrapper.__qualname__ = name
    wrapper.__doc__ = doc
    return wrapper


erf = _unary("erf", lax.erf, "The error function.")
erfc = _unary("erfc", lax.erfc, "1 - erf(x), accurate for large x.")
erfinv = _unary("erfinv", lax.erf_inv, "The inverse of erf.")
expit = _unary("expit", lax.logistic, "1 / (1 + exp(-x)).")
digamma = _unary("digamma", lax.digamma, "The derivative of gammaln.")
gammaln = _unary("gammaln", lax.lgamma, "log(|gamma(x)|).")


def softmax(x, /, *, axis=None):
    """exp(x) normalised to sum 1 over `axis` (None: all)."""
    return _softmax(x, axis)


def log_softmax(x, /, *, axis=None):
    """log(softmax(x))."""
    return _log_softmax(x, axis)


# ---- the gamma function


def loggamma(x):
    """log(gamma(x)), nan where that is not real for real x; of complex x with
    a cut on the negative axis alone."""
    (x,) = _core.promote_inexact("loggamma", [x])
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        return _core.strong(_complex_functions.loggamma(x))
    return _where(lax.lt(x, 0.0), np.nan, lax.lgamma(x))


def wofz(z):
    """The Faddeeva function exp(-z^2) erfc(-i z), complex."""
    (z,) = _core.promote_inexact("wofz", [z])
    if not dtypes.issubdtype(z.dtype, np.complexfloating):
        wide = z.dtype == np.float64
        z = lax.convert_element_type(z, np.complex128 if wide else np.complex64)
    return _complex_functions.wofz(z)


@_composition
def gammasgn(x):
    """The sign of gamma(x); nan at negative integers."""
    floor = lax.floor(x)
    negative = lax.lt(x, 0.0)
    pole = negative & lax.eq(x, floor)
    odd = lax.ne(lax.rem(floor, 2.0), 0.0)
    minus_zero = lax.eq(x, 0.0) & lax.lt(lax.div(1.0, x), 0.0)
    sign = _where((negative & odd) | minus_zero, -1.0, lax.full_like(x, 1))
    return _core.strong(_where(pole | lax.ne(x, x), np.nan, sign))


def _gamma_positive(x):
    """Stirling's formula, from x + 8 if x is below 8. The power is split, for
    it overflows before the product does."""
    small = lax.lt(x, _special.LARGE)
    y = _where(small, x + 8.0, x)
    half = lax.pow(y, 0.5 * y - 0.25)
    rest = lax.exp(_special.stirling_rest(y))
    value = half * (math.sqrt(2 * math.pi) * lax.exp(-y) * rest) * half
    lost = _where(small, x - (y - 8.0), 0.0)  # by rounding x + 8
    value = _where(small, value + value * lost * lax.log(y), value)
    steps = _where(small, x, 1.0)
    for k in range(1, 8):
        steps = steps * _where(small, x + float(k), 1.0)
    # Beyond, the first factor overflows and the second is zero.
    end = 172.0 if x.dtype == np.float64 else 36.0
    return _where(lax.gt(x, end), np.inf, value / steps)


@custom_jvp
def _gamma(x):
    size = lax.abs(x)
    value = _gamma_positive(_where(lax.eq(size, 0.0), 1.0, size))
    # gamma(-x) = -pi / (x sin(pi x) gamma(x))
    whole = lax.round(size, lax.RoundingMethod.TO_NEAREST_EVEN)
    odd = lax.ne(lax.rem(whole, 2.0), 0.0)
    sine = lax.sin(math.pi * (size - whole))
    sine = _where(odd, -sine, sine)
    mirrored = -math.pi / (size * sine * value)
    value = _where(lax.lt(x, 0.0), mirrored, value)
    value = _where(lax.eq(size, whole), lax.round(value), value)
    value = _where(lax.lt(x, 0.0) & lax.eq(size, whole), np.nan, value)
    return _where(lax.eq(x, 0.0), 1.0 / x, value)


@_gamma.defjvp
def _gamma_jvp(primals, tangents):
    ((x,), (t,)) = primals, tangents
    y = gamma(x)
    return y, t * (y * lax.digamma(x))


def gamma(x):
    """The gamma function of real or complex x."""
    (x,) = _core.promote_inexact("gamma", [x])
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        return _core.strong(lax.exp(_complex_functions.loggamma(x)))
    return _core.strong(_gamma(x))


@_composition
def betaln(a, b):
    """log(|beta(a, b)|)."""
    return _special.log_beta(a, b)


@_composition
def beta(a, b):
    """gamma(a) gamma(b) / gamma(a + b)."""
    sign = gammasgn(a) * gammasgn(b) * gammasgn(a + b)
    return _core.strong(sign * lax.exp(betaln(a, b)))


def _stirling_tail(z):
    """lgamma(z) - ((z - 1/2) log(z) - z + log(2 pi) / 2) for z > 20."""
    r = 1.0 / z
    square, total = r * r, lax.full_like(z, 0)
    for c in (1188.0, -1680.0, 1260.0, -360.0, 12.0):
        total = total * square + 1.0 / c
    return total * r


def _log_poch(z, m):
    """log |gamma(z + m) / gamma(z)|; of large numbers by Stirling's formula,
    term by term, for the two logarithms nearly cancel."""
    large = (z > 20.0) & (z + m > 20.0)
    a, b = _where(large, z, 30.0), _where(large, m, 1.0)
    c = a + b
    power = (a - 0.5) * lax.log1p(b / a) + b * (lax.log(c) - 1.0)
    tail = _stirling_tail(c) - _stirling_tail(a)
    z, m = _where(large, 1.0, z), _where(large, 1.0, m)
    return _where(large, power + tail, lax.lgamma(z + m) - lax.lgamma(z))


@_composition
def poch(z, m):
    """gamma(z + m) / gamma(z), z (z + 1) ... (z + m - 1) for integers m."""
    sign = gammasgn(z + m) * gammasgn(z)
    # Where both gamma functions are numbers their ratio has more digits.
    top = 34.0 if z.dtype.itemsize < 8 else 170.0
    near = (z > 0.0) & (z + m > 0.0) & (z < top) & (z + m < top)
    high, low = _where(near, z + m, 1.0), _where(near, z, 1.0)
    far = sign * lax.exp(_log_poch(z, m))
    ratio = _where(near, gamma(high) / gamma(low), far)
    ratio = _where(lax.eq(m, 0.0), lax.full_like(ratio, 1), ratio)
    return _core.strong(ratio)


def gammainc(a, x):
    """The regularised lower incomplete gamma function."""
    return lax.igamma(*_real("gammainc", a, x))


def gammaincc(a, x):
    """The regularised upper incomplete gamma function."""
    return lax.igammac(*_real("gammaincc", a, x))


def betainc(a, b, x):
    """The regularised incomplete beta function. Differentiable in a, b, x."""
    return lax.betainc(*_real("betainc", a, b, x))


def factorial(n, exact: bool = False):
    """gamma(n + 1), 0 for negative n."""
    if exact:
        raise NotImplementedError("[factorial] exact=True is not available")
    (n,) = _real("factorial", n)
    small = n < 1.0
    low, high = _where(small, lax.max(n, 0.0), 0.0), _where(small, 1.0, n)
    value = _where(small, gamma(low + 1.0), high * gamma(high))
    value = _where(n < 0, 0.0, value)
    return _core.convert(value, value.dtype, n.weak_type)


def comb(N, k, *, repetition: bool = False):
    """The number of ways to take k of N things, 0 outside of its domain;
    `repetition`: with putting back."""
    N, k = _real("comb", N, k)
    if repetition:
        nothing = lax.eq(k, 0.0) & lax.ge(N, 0.0)
        return _where(nothing, 1.0, comb(N + k - 1, k))
    valid = lax.le(k, N) & lax.ge(N, 0.0) & lax.ge(k, 0.0)
    n, m = _where(valid, N, 0.0), _where(valid, k, 0.0)
    value = lax.exp(_log_poch(n + 1 - m, m) - lax.lgamma(m + 1))
    # Of integers it is one.
    exact = lax.eq(n, lax.floor(n)) & lax.eq(m, lax.floor(m))
    exact = exact & lax.lt(lax.abs(value), np.inf)
    rest = lax.stop_gradient(lax.round(value) - value)
    return _where(valid, value + _where(exact, rest, 0.0), 0.0)


def multigammaln(a, d: int):
    """The logarithm of the multivariate gamma function of dimension d."""
    (a,) = _real("multigammaln", a)
    d = int(d)
    total = lax.full_like(a, 0.25 * d * (d - 1) * math.log(math.pi))
    for i in range(d):
        total = total + lax.lgamma(a - 0.5 * i)
    return _core.strong(total)


# Numerators over B_2k / (2k)!: Euler-Maclaurin terms (Cephes, zeta.c).
_ZETA_TERMS = (
    12.0,
    -720.0,
    30240.0,
    -1209600.0,
    47900160.0,
    -1.8924375803183791606e9,
    7.47242496e10,
    -2.950130727918164224e12,
    1.1646782814350067249e14,
    -4.5979787224074726105e15,
    1.8152105401943546773e17,
    -7.1661652561756670113e18,
)


@_composition
def _hurwitz(s, q):
    total = lax.pow(q, -s)
    a = q
    for _ in range(9):
        a = a + 1.0
        total = total + lax.pow(a, -s)
    power = lax.pow(a, -s)
    total = total + power * a / (s - 1.0) - 0.5 * power
    term, k = s * (power / a), 0.0
    for c in _ZETA_TERMS:
        total = total + term / c
        term = term * ((s + (k + 1.0)) / a) * ((s + (k + 2.0)) / a)
        k += 2.0
    return total


def _hurwitz_left(s, q):
    """For integers s and q < 0. The terms before q + k is positive are those of
    another zeta function, up to a sign."""
    sign = _where(lax.eq(lax.rem(s, 2.0), 0.0), 1.0, lax.full_like(s, -1))
    part = q - lax.floor(q)
    before = _hurwitz(s, 1.0 - part) - _hurwitz(s, 1.0 - q)
    return _hurwitz(s, part) + sign * before


def zeta(x, q=None):
    """The Hurwitz zeta function, sum of (k + q)^-x, for x > 1.

    For q < 0 x is an integer, else the result is nan; at q = 0, -1, ... it is
    infinite.
    """
    if q is None:
        raise NotImplementedError(
            "[zeta] pass q; the Riemann zeta function is zeta(x, 1)"
        )
    x, q = _real("zeta", x, q)
    above = lax.gt(x, 1.0)
    right = above & lax.gt(q, 0.0)
    pole = above & lax.le(q, 0.0) & lax.eq(q, lax.floor(q))
    left = above & lax.lt(q, 0.0) & ~pole & lax.eq(x, lax.floor(x))
    value = _hurwitz(_where(right, x, 2.0), _where(right, q, 1.0))
    value = _where(right, value, np.nan)
    s, p = _where(left, x, 2.0), _where(left, q, -0.5)
    value = lax.cond(
        _any(left),
        lambda v: _where(left, _hurwitz_left(s, p), v),
        lambda v: v,
        value,
    )
    return _where(lax.eq(x, 1.0) | pole, np.inf, value)


def polygamma(n, x):
    """The derivative of order n of digamma (n: integers)."""
    n = _dispatch.to_array(n)
    if is_inexact(n):
        raise ValueError(
            "Argument `n` to polygamma must be of integer type. Got dtype "
            f"{n.dtype}."
        )
    return polygamma_of_floats(*_real("polygamma", n, x))


def polygamma_of_floats(n, x):
    """polygamma of float arrays."""
    sign = _where(lax.eq(lax.rem(n, 2.0), 0.0), -1.0, lax.full_like(n, 1))
    value = sign * lax.exp(lax.lgamma(n + 1.0)) * zeta(n + 1.0, x)
    return _where(lax.eq(n, 0.0), lax.digamma(x), value)


# ---- logarithms and entropies


@custom_jvp
def _xlogy(x, y):
    used = lax.ne(x, lax.full_like(x, 0)) | lax.ne(y, y)  # nan is passed on
    return _where(used, x * lax.log(_where(used, y, 1.0)), 0.0 * x)


@_xlogy.defjvp
def _xlogy_jvp(primals, tangents):
    (x, y), (dx, dy) = primals, tangents
    return _xlogy(x, y), lax.log(y) * dx + x / y * dy


@custom_jvp
def _xlog1py(x, y):
    used = lax.ne(x, lax.full_like(x, 0)) | lax.ne(y, y)
    return _where(used, x * lax.log1p(_where(used, y, 0.0)), 0.0 * x)


@_xlog1py.defjvp
def _xlog1py_jvp(primals, tangents):
    (x, y), (dx, dy) = primals, tangents
    return _xlog1py(x, y), lax.log1p(y) * dx + x / (1.0 + y) * dy


@custom_jvp
def _entr(x):
    value = -_xlogy(x, _where(lax.gt(x, 0.0), x, 1.0))
    return _where(lax.lt(x, 0.0), -np.inf, _where(lax.ne(x, x), x, value))


@_entr.defjvp
def _entr_jvp(primals, tangents):
    ((x,), (dx,)) = primals, tangents
    return _entr(x), -dx * (lax.log(x) + 1.0)


def xlogy(x, y):
    """x * log(y), 0 where x is 0."""
    return _xlogy(*_core.promote_inexact("xlogy", [x, y]))


def xlog1py(x, y):
    """x * log(1 + y), 0 where x is 0."""
    return _xlog1py(*_core.promote_inexact("xlog1py", [x, y]))


def entr(x):
    """-x * log(x): 0 at 0, -inf for negative x."""
    return _entr(*_real("entr", x))


def rel_entr(p, q):
    """p * log(p / q): 0 where p is 0 and q >= 0, inf where undefined."""
    p, q = _real("rel_entr", p, q)
    both = lax.gt(p, 0.0) & lax.gt(q, 0.0)
    empty = lax.eq(p, 0.0) & lax.ge(q, 0.0)
    safe_p, safe_q = _where(both, p, 1.0), _where(both, q, 1.0)
    d = (safe_p - safe_q) / safe_q
    near = lax.abs(d) < 0.4
    ratio = lax.log1p(_where(near, d, 0.0))
    value = safe_p * _where(near, ratio, lax.log(safe_p) - lax.log(safe_q))
    value = _where(empty, 0.0, _where(both, value, np.inf))
    return _core.strong(value) if p.ndim else value


def kl_div(p, q):
    """rel_entr(p, q) - p + q."""
    p, q = _real("kl_div", p, q)
    value = rel_entr(p, q) - p + q
    d = (q - p) / _where(lax.eq(p, 0.0), 1.0, p)
    near = (p > 0.0) & (lax.abs(d) < 0.4)
    close = -p * _special.log1p_less(_where(near, d, 0.0))
    value = _where(near, close, value)
    return _core.strong(value) if p.ndim else value


@custom_jvp
def _logit(x):
    # 2 x - 1 is exact from 1/4 on.
    low = lax.lt(x, 0.25)
    return _where(low, lax.log(x / (1.0 - x)), 2.0 * lax.atanh(2.0 * x - 1.0))


@_logit.defjvp
def _logit_jvp(primals, tangents):
    (x,) = primals
    return _logit(x), tangents[0] / (x * (1.0 - x))


def logit(x):
    """log(x / (1 - x)), the inverse of expit."""
    (x,) = _core.promote_inexact("logit", [x])
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        return lax.log(x / (1.0 - x))
    y = _logit(x)
    return _core.strong(y) if y.ndim else y


@_composition
def boxcox(x, lmbda):
    """(x^lmbda - 1) / lmbda, log(x) where lmbda is 0."""
    zero = lax.eq(lmbda, 0.0)
    safe = _where(zero, 1.0, lmbda)
    return _where(zero, lax.log(x), lax.expm1(safe * lax.log(x)) / safe)


@_composition
def boxcox1p(x, lmbda):
    """boxcox(1 + x, lmbda)."""
    zero = lax.eq(lmbda, 0.0)
    safe = _where(zero, 1.0, lmbda)
    return _where(zero, lax.log1p(x), lax.expm1(safe * lax.log1p(x)) / safe)


# ---- the normal distribution


@_composition
def ndtr(x):
    """The distribution function of the standard normal."""
    half = math.sqrt(0.5)
    w = x * half
    z = lax.abs(w)
    tail = _where(lax.gt(w, 0.0), 2.0 - lax.erfc(z), lax.erfc(z))
    y = 0.5 * _where(lax.lt(z, half), 1.0 + lax.erf(w), tail)
    return _core.strong(y)


# ratios of polynomials: the centre, and tails up to and beyond z = 8
# (Cephes, ndtri.c).
_NDTRI = (
    (
        (
            -59.9633501014107895267,
            98.0010754185999661536,
            -56.6762857469070293439,
            13.9312609387279679503,
            -1.23916583867381258016,
        ),
        (
            1.0,
            1.95448858338141759834,
            4.67627912898881538453,
            86.3602421390890590575,
            -225.462687854119370527,
            200.260212380060660359,
            -82.0372256168333339912,
            15.9056225126211695515,
            -1.18331621121330003142,
        ),
    ),
    (
        (
            4.05544892305962419923,
            31.5251094599893866154,
            57.1628192246421288162,
            44.0805073893200834700,
            14.6849561928858024014,
            2.18663306850790267539,
            -0.140256079171354495875,
            -0.0350424626827848203418,
            -0.000857456785154685413611,
        ),
        (
            1.0,
            15.7799883256466749731,
            45.3907635128879210584,
            41.3172038254672030440,
            15.0425385692907503408,
            2.50464946208309415979,
            -0.142182922854787788574,
            -0.0380806407691578277194,
            -0.000933259480895457427372,
        ),
    ),
    (
        (
            3.23774891776946035970,
            6.91522889068984211695,
            3.93881025292474443415,
            1.33303460815807542389,
            0.201485389549179081538,
            0.0123716634817820021358,
            0.000301581553508235416007,
            2.65806974686737550832e-6,
            6.23974539184983293730e-9,
        ),
        (
            1.0,
            6.02427039364742014255,
            3.67983563856160859403,
            1.37702099489081330271,
            0.216236993594496635890,
            0.0134204006088543189037,
            0.000328014464682127739104,
            2.89247864745380683936e-6,
            6.79019408009981274425e-9,
        ),
    ),
)


def _ratio(i: int, x):
    def polynomial(coefficients):
        y = lax.full_like(x, coefficients[0])
        for c in coefficients[1:]:
            y = y * x + c
        return y

    top, bottom = _NDTRI[i]
    return polynomial(top) / polynomial(bottom)


@custom_jvp
def _ndtri(p):
    upper = lax.gt(p, -math.expm1(-2.0))
    tail = _where(upper, 1.0 - p, p)
    safe = _where(lax.eq(tail, 0.0), 0.5, tail)
    w = safe - 0.5
    ww = lax.square(w)
    centre = -math.sqrt(2 * math.pi) * (w + w * ww * _ratio(0, ww))
    z = lax.sqrt(-2.0 * lax.log(safe))
    first, r = z - lax.log(z) / z, 1.0 / z
    far = _where(lax.ge(z, 8.0), _ratio(2, r), _ratio(1, r))
    x = _where(lax.gt(safe, math.exp(-2.0)), centre, first - far / z)
    x = _where(upper, x, -x)
    x = _where(lax.eq(p, 1.0), np.inf, x)
    return _where(lax.eq(p, 0.0), -np.inf, x)


@_ndtri.defjvp
def _ndtri_jvp(primals, tangents):
    x = _ndtri(*primals)
    density = lax.exp(0.5 * lax.square(x)) * math.sqrt(2 * math.pi)
    return x, tangents[0] * density


def ndtri(p):
    """The inverse of ndtr."""
    return _core.strong(_ndtri(*_real("ndtri", p)))


@custom_jvp
def _log_ndtr(x):
    # log(1 - ndtr(-x)) above 0; to the left exp(-x^2 / 2) apart.
    above, far = lax.gt(x, 0.0), lax.lt(x, -1.0)
    tail = ndtr(-lax.abs(_where(far, 0.0, x)))
    near = _where(above, lax.log1p(-tail), lax.log(tail))
    y = _where(far, x, -1.0)
    below = lax.log(0.5 * erfcx(-math.sqrt(0.5) * y)) - 0.5 * lax.square(y)
    return _where(far, below, near)


@_log_ndtr.defjvp
def _log_ndtr_jvp(primals, tangents):
    ((x,), (t,)) = primals, tangents
    y = _log_ndtr(x)
    log_density = -0.5 * lax.square(x) - 0.5 * math.log(2 * math.pi)
    return y, t * lax.exp(log_density - y)


def log_ndtr(x, series_order: int = 3):
    """log(ndtr(x)). `series_order` is JAX's: no series is needed here."""
    if not isinstance(series_order, int):
        raise TypeError("series_order must be a Python integer.")
    if not 0 <= series_order <= 30:
        raise ValueError("series_order must be between 0 and 30.")
    return _log_ndtr(*_real("log_ndtr", x))


# ---- Bessel functions


def i0e(x):
    """exp(-|x|) i0(x)."""
    return _bessel.scaled(0)(*_real("i0e", x))


def i1e(x):
    """exp(-|x|) i1(x)."""
    return _bessel.scaled(1)(*_real("i1e", x))


def i0(x):
    """The modified Bessel function of the first kind of order 0."""
    (x,) = _real("i0", x)
    return lax.exp(lax.abs(x)) * i0e(x)


def i1(x):
    """The modified Bessel function of the first kind of order 1."""
    (x,) = _real("i1", x)
    return lax.exp(lax.abs(x)) * i1e(x)


def __getattr__(name):
    raise absent.error(__name__, name)
