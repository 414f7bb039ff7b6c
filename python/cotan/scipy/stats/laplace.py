"""The Laplace distribution."""

from __future__ import annotations

from cotan import lax
from cotan.scipy.stats._common import PDF, exp_of, promoted

__all__ = ["cdf", "logpdf", "pdf"]


def logpdf(x, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, loc, scale = promoted("laplace.logpdf", x, loc, scale)
    return -(lax.abs(x - loc) / scale + lax.log(2 * scale))


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, loc=0, scale=1):
    """The probability of values up to x."""
    x, loc, scale = promoted("laplace.cdf", x, loc, scale)
    z = (x - loc) / scale
    return lax.select(z <= 0, 0.5 * lax.exp(z), 1 - 0.5 * lax.exp(-z))
