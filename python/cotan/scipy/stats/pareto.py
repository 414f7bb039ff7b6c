"""The Pareto distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.stats._common import PDF, SF, exp_of, promoted

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


def logpdf(x, b, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, b, loc, scale = promoted("pareto.logpdf", x, b, loc, scale)
    z = (x - loc) / scale
    logs = -(lax.log(scale / b) + (b + 1) * lax.log(z))
    return cnp.where(x < loc + scale, -np.inf, logs)


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, b, loc=0, scale=1):
    """The probability of values up to x."""
    x, b, loc, scale = promoted("pareto.cdf", x, b, loc, scale)
    z = (x - loc) / scale
    return cnp.where(x < loc + scale, 0, 1 - lax.pow(z, -b))


def logcdf(x, b, loc=0, scale=1):
    """log(cdf(x))."""
    x, b, loc, scale = promoted("pareto.logcdf", x, b, loc, scale)
    z = (x - loc) / scale
    return cnp.where(x < loc + scale, -np.inf, lax.log1p(-lax.pow(z, -b)))


def logsf(x, b, loc=0, scale=1):
    """log(sf(x))."""
    x, b, loc, scale = promoted("pareto.logsf", x, b, loc, scale)
    z = (x - loc) / scale
    return cnp.where(x < loc + scale, 0, -(b * lax.log(z)))


sf = exp_of(logsf, "sf", SF)


def ppf(q, b, loc=0, scale=1):
    """The inverse of cdf."""
    q, b, loc, scale = promoted("pareto.ppf", q, b, loc, scale)
    x = loc + scale * lax.pow(1 - q, -(1 / b))
    return cnp.where(cnp.isnan(q) | (q < 0) | (q > 1), np.nan, x)
