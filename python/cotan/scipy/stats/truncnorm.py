"""The normal distribution between a and b (in units of scale)."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import log_ndtr, logsumexp, ndtr
from cotan.scipy.stats import norm
from cotan.scipy.stats._common import CDF, PDF, SF, exp_of, promoted

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]


def _log_difference(x, y):
    """log(exp(x) - exp(y))."""
    b = cnp.array([cnp.ones_like(x), -cnp.ones_like(y)])
    return logsumexp(cnp.array([x, y]), b=b, axis=0)


def _log_mass(a, b):
    """The logarithm of the normal probability of (a, b)."""
    a, b = cnp.broadcast_arrays(a, b)
    right = a > 0
    central = ~((b <= 0) | right)
    # By symmetry the tail on the right is one on the left.
    low, high = cnp.where(right, -b, a), cnp.where(right, -a, b)
    tail = _log_difference(log_ndtr(high), log_ndtr(low))
    return cnp.where(central, lax.log1p(-ndtr(a) - ndtr(-b)), tail)


def logpdf(x, a, b, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, a, b, loc, scale = promoted("truncnorm.logpdf", x, a, b, loc, scale)
    logs = norm.logpdf(x, loc, scale) - _log_mass(a, b)
    z = (x - loc) / scale
    logs = cnp.where((z < a) | (z > b), -np.inf, logs)
    return cnp.where(a >= b, np.nan, logs)


pdf = exp_of(logpdf, "pdf", PDF)


def logcdf(x, a, b, loc=0, scale=1):
    """log(cdf(x))."""
    x, a, b, loc, scale = promoted("truncnorm.logcdf", x, a, b, loc, scale)
    x, a, b = cnp.broadcast_arrays(x, a, b)
    x = (x - loc) / scale
    total = _log_mass(a, b)
    below, above = _log_mass(a, x) - total, _log_mass(x, b) - total
    logs = cnp.select(
        [x >= b, x <= a, below > -0.1, x > a],
        [0, -np.inf, lax.log1p(-lax.exp(above)), below],
    )
    return cnp.where(a >= b, np.nan, logs)


cdf = exp_of(logcdf, "cdf", CDF)


def logsf(x, a, b, loc=0, scale=1):
    """log(sf(x))."""
    x, a, b, loc, scale = promoted("truncnorm.logsf", x, a, b, loc, scale)
    return logcdf(-x, -b, -a, -loc, scale)


sf = exp_of(logsf, "sf", SF)
