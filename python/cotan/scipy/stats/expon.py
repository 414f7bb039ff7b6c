"""The exponential distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.stats._common import PDF, SF, exp_of, promoted

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


def logpdf(x, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, loc, scale = promoted("expon.logpdf", x, loc, scale)
    logs = -((x - loc) / scale + lax.log(scale))
    return cnp.where(x < loc, -np.inf, logs)


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, loc=0, scale=1):
    """The probability of values up to x."""
    x, loc, scale = promoted("expon.cdf", x, loc, scale)
    z = (loc - x) / scale
    return cnp.where(x < loc, cnp.zeros_like(z), -lax.expm1(z))


def logsf(x, loc=0, scale=1):
    """log(sf(x))."""
    x, loc, scale = promoted("expon.sf", x, loc, scale)
    z = (loc - x) / scale
    return cnp.where(x < loc, cnp.zeros_like(z), z)


sf = exp_of(logsf, "sf", SF)


def logcdf(x, loc=0, scale=1):
    """log(cdf(x))."""
    return lax.log1p(-sf(x, loc, scale))


def ppf(q, loc=0, scale=1):
    """The inverse of cdf."""
    q, loc, scale = promoted("expon.ppf", q, loc, scale)
    invalid = cnp.isnan(q) | (q < 0) | (q > 1)
    return cnp.where(invalid, np.nan, loc - scale * lax.log1p(-q))
