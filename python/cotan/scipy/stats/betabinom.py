"""The beta-binomial distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import betaln
from cotan.scipy.stats._common import PMF, exp_of, promoted

__all__ = ["logpmf", "pmf"]


def logpmf(k, n, a, b, loc=0):
    """The logarithm of the probability of k."""
    k, n, a, b, loc = promoted("betabinom.logpmf", k, n, a, b, loc)
    y = lax.floor(k) - loc
    ways = -(lax.log1p(n) + betaln(n - y + 1, y + 1))
    logs = ways + (betaln(y + a, n - y + b) - betaln(a, b))
    logs = cnp.where((y == 0) & (n == 0), 0.0, logs)
    outside = (y < -loc) | (y > n) | (y + a <= 0)
    logs = cnp.where(outside, -np.inf, logs)
    return cnp.where((n < 0) | (a <= 0) | (b <= 0), np.nan, logs)


pmf = exp_of(logpmf, "pmf", PMF)
