"""The Gumbel distribution of minima."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.stats._common import CDF, PDF, SF, exp_of, promoted

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


def _valid(scale, x):
    return cnp.where(scale > 0, x, np.nan)


def logpdf(x, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, loc, scale = promoted("gumbel_l.logpdf", x, loc, scale)
    z = (x - loc) / scale
    return _valid(scale, z - lax.exp(z) - lax.log(scale))


pdf = exp_of(logpdf, "pdf", PDF)


def logcdf(x, loc=0, scale=1):
    """log(cdf(x))."""
    x, loc, scale = promoted("gumbel_l.logcdf", x, loc, scale)
    z = (x - loc) / scale
    return _valid(scale, lax.log(-lax.expm1(-lax.exp(z))))


cdf = exp_of(logcdf, "cdf", CDF)


def ppf(p, loc=0, scale=1):
    """The inverse of cdf."""
    p, loc, scale = promoted("gumbel_l.ppf", p, loc, scale)
    x = loc + scale * lax.log(-lax.log1p(-p))
    return cnp.where((p > 0) & (p < 1), x, np.nan)


def logsf(x, loc=0, scale=1):
    """log(sf(x))."""
    x, loc, scale = promoted("gumbel_l.logsf", x, loc, scale)
    return _valid(scale, -lax.exp((x - loc) / scale))


sf = exp_of(logsf, "sf", SF)
