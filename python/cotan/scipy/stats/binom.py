"""The binomial distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan.scipy.special import gammaln, xlog1py, xlogy
from cotan.scipy.stats._common import PMF, exp_of, promoted

__all__ = ["logpmf", "pmf"]


def logpmf(k, n, p, loc=0):
    """The logarithm of the probability of k."""
    k, n, p, loc = promoted("binom.logpmf", k, n, p, loc)
    y = k - loc
    ways = gammaln(n + 1) - (gammaln(y + 1) + gammaln(n - y + 1))
    linear = xlogy(y, p) + xlog1py(n - y, -p)
    certain = ((y == 0) & (n == 0)) | (linear == 0)
    logs = cnp.where(certain, 0.0, ways + linear)
    return cnp.where((k >= loc) & (k < loc + n + 1), logs, -np.inf)


pmf = exp_of(logpmf, "pmf", PMF)
