"""The uniform distribution on [loc, loc + scale]."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.stats._common import PDF, exp_of, promoted

__all__ = ["cdf", "logpdf", "pdf", "ppf"]


def logpdf(x, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, loc, scale = promoted("uniform.logpdf", x, loc, scale)
    outside = (x > loc + scale) | (x < loc)
    return cnp.where(outside, -np.inf, -lax.log(scale))


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, loc=0, scale=1):
    """The probability of values up to x."""
    x, loc, scale = promoted("uniform.cdf", x, loc, scale)
    above = x > loc + scale
    zero, one = cnp.array(0, x.dtype), cnp.array(1, x.dtype)
    return cnp.select(
        [x < loc, above, (x >= loc) & ~above], [zero, one, (x - loc) / scale]
    )


def ppf(q, loc=0, scale=1):
    """The inverse of cdf."""
    q, loc, scale = promoted("uniform.ppf", q, loc, scale)
    invalid = cnp.isnan(q) | (q < 0) | (q > 1)
    return cnp.where(invalid, np.nan, loc + scale * q)
