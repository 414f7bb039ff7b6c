"""The normal distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import log_ndtr, ndtr, ndtri
from cotan.scipy.stats._common import PDF, exp_of, promoted

__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


def logpdf(x, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, loc, scale = promoted("norm.logpdf", x, loc, scale)
    variance = lax.square(scale)
    normaliser = lax.log(2 * np.pi * variance)
    return (normaliser + lax.square(x - loc) / variance) / -2


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, loc=0, scale=1):
    """The probability of values up to x."""
    x, loc, scale = promoted("norm.cdf", x, loc, scale)
    return ndtr((x - loc) / scale)


def logcdf(x, loc=0, scale=1):
    """log(cdf(x)), accurate far to the left."""
    x, loc, scale = promoted("norm.logcdf", x, loc, scale)
    return log_ndtr((x - loc) / scale)


def ppf(q, loc=0, scale=1):
    """The inverse of cdf."""
    return cnp.asarray(ndtri(q) * scale + loc, float)


def logsf(x, loc=0, scale=1):
    """log(sf(x)), accurate far to the right."""
    x, loc, scale = promoted("norm.logsf", x, loc, scale)
    return logcdf(-x, -loc, scale)


def sf(x, loc=0, scale=1):
    """The probability of values above x."""
    x, loc, scale = promoted("norm.sf", x, loc, scale)
    return cdf(-x, -loc, scale)


def isf(q, loc=0, scale=1):
    """The inverse of sf."""
    return ppf(1 - q, loc, scale)
