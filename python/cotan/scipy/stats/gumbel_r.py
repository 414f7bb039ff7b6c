"""The Gumbel distribution of maxima."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.nn import log1mexp
from cotan.scipy.stats._common import CDF, PDF, exp_of, promoted

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


def _valid(scale, x):
    return cnp.where(scale > 0, x, np.nan)


def logpdf(x, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, loc, scale = promoted("gumbel_r.logpdf", x, loc, scale)
    z = (x - loc) / scale
    return _valid(scale, -(z + lax.exp(-z)) - lax.log(scale))


pdf = exp_of(logpdf, "pdf", PDF)


def logcdf(x, loc=0, scale=1):
    """log(cdf(x))."""
    x, loc, scale = promoted("gumbel_r.logcdf", x, loc, scale)
    return _valid(scale, -lax.exp(-((x - loc) / scale)))


cdf = exp_of(logcdf, "cdf", CDF)


def ppf(p, loc=0, scale=1):
    """The inverse of cdf."""
    p, loc, scale = promoted("gumbel_r.ppf", p, loc, scale)
    x = loc - scale * lax.log(-lax.log(p))
    return cnp.where((p > 0) & (p < 1), x, np.nan)


def sf(x, loc=0, scale=1):
    """The probability of values above x."""
    x, loc, scale = promoted("gumbel_r.sf", x, loc, scale)
    return _valid(scale, 1 - lax.exp(-lax.exp((loc - x) / scale)))


def logsf(x, loc=0, scale=1):
    """log(sf(x))."""
    x, loc, scale = promoted("gumbel_r.logsf", x, loc, scale)
    return _valid(scale, log1mexp(lax.exp((loc - x) / scale)))
