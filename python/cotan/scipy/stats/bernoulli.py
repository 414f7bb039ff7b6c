"""The Bernoulli distribution: 1 with probability p, else 0."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import xlog1py, xlogy
from cotan.scipy.stats._common import PMF, exp_of, promoted

__all__ = ["cdf", "logpmf", "pmf", "ppf"]


def logpmf(k, p, loc=0):
    """The logarithm of the probability of k."""
    k, p, loc = promoted("bernoulli.logpmf", k, p, loc)
    x = k - loc
    logs = xlogy(x, p) + xlog1py(1 - x, -p)
    return cnp.where((x < 0) | (x > 1), -np.inf, logs)


pmf = exp_of(logpmf, "pmf", PMF)


def cdf(k, p):
    """The probability of values up to k."""
    k, p = promoted("bernoulli.cdf", k, p)
    invalid = cnp.isnan(k) | cnp.isnan(p) | (p < 0) | (p > 1)
    zero, one = lax.full_like(k, 0, shape=()), lax.full_like(k, 1, shape=())
    return cnp.select(
        [invalid, k < 0, (k >= 0) & (k < 1), k >= 1],
        [np.nan, zero, one - p, one],
    )


def ppf(q, p):
    """The inverse of cdf: the smallest k with cdf(k) >= q."""
    q, p = promoted("bernoulli.ppf", q, p)
    nan = cnp.isnan(q) | cnp.isnan(p)
    invalid = nan | (p < 0) | (p > 1) | (q < 0) | (q > 1)
    zero, one = lax.full_like(q, 0, shape=()), lax.full_like(q, 1, shape=())
    return cnp.where(invalid, np.nan, cnp.where(q <= 1 - p, zero, one))
