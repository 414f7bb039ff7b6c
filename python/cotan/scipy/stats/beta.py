"""The beta distribution on [0, 1], scaled and moved."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import betainc, betaln, xlog1py, xlogy
from cotan.scipy.stats._common import (
    LOGCDF,
    LOGSF,
    PDF,
    exp_of,
    log_of,
    promoted,
)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]


def logpdf(x, a, b, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, a, b, loc, scale = promoted("beta.logpdf", x, a, b, loc, scale)
    y = (x - loc) / scale
    linear = xlogy(a - 1, y) + xlog1py(b - 1, -y)
    logs = -betaln(a, b) + linear - lax.log(scale)
    logs = cnp.where((x > loc + scale) | (x < loc), -np.inf, logs)
    return cnp.where((a <= 0) | (b <= 0) | (scale <= 0), np.nan, logs)


pdf = exp_of(logpdf, "pdf", PDF)


def cdf(x, a, b, loc=0, scale=1):
    """The probability of values up to x."""
    x, a, b, loc, scale = promoted("beta.cdf", x, a, b, loc, scale)
    return betainc(a, b, cnp.clip((x - loc) / scale, 0, 1))


def sf(x, a, b, loc=0, scale=1):
    """The probability of values above x."""
    x, a, b, loc, scale = promoted("beta.sf", x, a, b, loc, scale)
    return betainc(b, a, 1 - cnp.clip((x - loc) / scale, 0, 1))


logcdf = log_of(cdf, "logcdf", LOGCDF)
logsf = log_of(sf, "logsf", LOGSF)
