"""The chi-squared distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import gammainc, gammaincc
from cotan.scipy.stats._common import (
    LOGCDF,
    LOGSF,
    PDF,
    exp_of,
    log_of,
    promoted,
)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]


def logpdf(x, df, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, df, loc, scale = promoted("chi2.logpdf", x, df, loc, scale)
    y, half = (x - loc) / scale, df / 2
    kernel = (half - 1) * lax.log(y) - y / 2
    normaliser = -(lax.lgamma(half) + np.log(2) * df / 2)
    return cnp.where(x < loc, -np.inf, normaliser - lax.log(scale) + kernel)


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, df, loc=0, scale=1):
    """The probability of values up to x."""
    x, df, loc, scale = promoted("chi2.cdf", x, df, loc, scale)
    return gammainc(df / 2, cnp.clip((x - loc) / (scale * 2), 0, np.inf))


def sf(x, df, loc=0, scale=1):
    """The probability of values above x."""
    x, df, loc, scale = promoted("chi2.sf", x, df, loc, scale)
    return gammaincc(df / 2, cnp.clip((x - loc) / (scale * 2), 0, np.inf))


logcdf = log_of(cdf, "logcdf", LOGCDF)
logsf = log_of(sf, "logsf", LOGSF)
