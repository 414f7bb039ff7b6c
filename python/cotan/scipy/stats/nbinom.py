"""The negative binomial distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan.scipy.special import gammaln, xlogy
from cotan.scipy.stats._common import PMF, exp_of, promoted

__all__ = ["logpmf", "pmf"]


def logpmf(k, n, p, loc=0):
    """The logarithm of the probability of k."""
    k, n, p, loc = promoted("nbinom.logpmf", k, n, p, loc)
    y = k - loc
    ways = gammaln(y + n) - gammaln(n) - gammaln(y + 1)
    logs = ways + (xlogy(n, p) + xlogy(y, 1 - p))
    return cnp.where(k < loc, -np.inf, logs)


pmf = exp_of(logpmf, "pmf", PMF)
