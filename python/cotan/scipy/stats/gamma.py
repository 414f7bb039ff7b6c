"""The gamma distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import gammainc, gammaincc, gammaln, xlogy
from cotan.scipy.stats._common import (
    LOGCDF,
    LOGSF,
    PDF,
    exp_of,
    log_of,
    promoted,
)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]


def logpdf(x, a, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, a, loc, scale = promoted("gamma.logpdf", x, a, loc, scale)
    inside = x >= loc
    # A value that is not taken must not spoil the gradient of one that is.
    y = cnp.where(inside, (x - loc) / scale, 1)
    logs = xlogy(a - 1, y) - y - (gammaln(a) + lax.log(scale))
    return cnp.where(inside, logs, -np.inf)


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, a, loc=0, scale=1):
    """The probability of values up to x."""
    x, a, loc, scale = promoted("gamma.cdf", x, a, loc, scale)
    return gammainc(a, cnp.clip((x - loc) / scale, 0, np.inf))


def sf(x, a, loc=0, scale=1):
    """The probability of values above x."""
    x, a, loc, scale = promoted("gamma.sf", x, a, loc, scale)
    y = (x - loc) / scale
    return cnp.where(y < 0, 1, gammaincc(a, y))


logcdf = log_of(cdf, "logcdf", LOGCDF)
logsf = log_of(sf, "logsf", LOGSF)
