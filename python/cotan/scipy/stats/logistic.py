"""The logistic distribution."""

from __future__ import annotations

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import expit, logit
from cotan.scipy.stats._common import PDF, exp_of, promoted

__all__ = ["cdf", "isf", "logpdf", "pdf", "ppf", "sf"]


def logpdf(x, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, loc, scale = promoted("logistic.logpdf", x, loc, scale)
    half = (x - loc) / scale / 2
    return -2 * cnp.logaddexp(half, -half) - lax.log(scale)


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, loc=0, scale=1):
    """The probability of values up to x."""
    x, loc, scale = promoted("logistic.cdf", x, loc, scale)
    return expit((x - loc) / scale)


def ppf(x, loc=0, scale=1):
    """The inverse of cdf."""
    x, loc, scale = promoted("logistic.ppf", x, loc, scale)
    return logit(x) * scale + loc


def sf(x, loc=0, scale=1):
    """The probability of values above x."""
    x, loc, scale = promoted("logistic.sf", x, loc, scale)
    return expit(-((x - loc) / scale))


def isf(x, loc=0, scale=1):
    """The inverse of sf."""
    x, loc, scale = promoted("logistic.isf", x, loc, scale)
    return -logit(x) * scale + loc
