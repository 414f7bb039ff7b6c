"""The generalised normal distribution: exp(-|x|^beta)."""

from __future__ import annotations

from cotan import lax
from cotan.scipy.special import gammainc
from cotan.scipy.stats._common import PDF, exp_of, promoted

__all__ = ["cdf", "logpdf", "pdf"]


def logpdf(x, beta):
    """The logarithm of the density at x."""
    x, beta = promoted("gennorm.logpdf", x, beta)
    normaliser = lax.log(0.5 * beta) - lax.lgamma(1 / beta)
    return normaliser - lax.abs(x) ** beta


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, beta):
    """The probability of values up to x."""
    x, beta = promoted("gennorm.cdf", x, beta)
    mass = gammainc(1 / beta, lax.abs(x) ** beta)
    return 0.5 * (1 + lax.sign(x) * mass)
