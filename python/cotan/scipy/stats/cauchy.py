"""The Cauchy distribution."""

from __future__ import annotations

import numpy as np

from cotan import lax
from cotan.scipy.stats._common import (
    LOGCDF,
    LOGSF,
    PDF,
    exp_of,
    log_of,
    promoted,
)

__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]


def logpdf(x, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, loc, scale = promoted("cauchy.logpdf", x, loc, scale)
    z = (x - loc) / scale
    return -(lax.log(np.pi * scale) + lax.log1p(z * z))


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, loc=0, scale=1):
    """The probability of values up to x."""
    x, loc, scale = promoted("cauchy.cdf", x, loc, scale)
    return 0.5 + (1 / np.pi) * lax.atan((x - loc) / scale)


logcdf = log_of(cdf, "logcdf", LOGCDF)


def sf(x, loc=0, scale=1):
    """The probability of values above x."""
    x, loc, scale = promoted("cauchy.sf", x, loc, scale)
    return cdf(-x, -loc, scale)


logsf = log_of(sf, "logsf", LOGSF)


def isf(q, loc=0, scale=1):
    """The inverse of sf."""
    q, loc, scale = promoted("cauchy.isf", q, loc, scale)
    return lax.tan(np.pi / 2 - np.pi * q) * scale + loc


def ppf(q, loc=0, scale=1):
    """The inverse of cdf."""
    q, loc, scale = promoted("cauchy.ppf", q, loc, scale)
    return lax.tan(np.pi * q - np.pi / 2) * scale + loc
