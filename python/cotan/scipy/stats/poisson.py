"""The Poisson distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import entr, gammaincc, gammaln, xlogy
from cotan.scipy.stats._common import PMF, cast_inexact, exp_of, promoted

__all__ = ["cdf", "entropy", "logpmf", "pmf"]


def logpmf(k, mu, loc=0):
    """The logarithm of the probability of k."""
    k, mu, loc = promoted("poisson.logpmf", k, mu, loc)
    x = k - loc
    logs = xlogy(x, mu) - gammaln(x + 1) - mu
    return cnp.where((x < 0) | (cnp.round(k) != k), -np.inf, logs)


pmf = exp_of(logpmf, "pmf", PMF)


def cdf(k, mu, loc=0):
    """The probability of values up to k."""
    k, mu, loc = promoted("poisson.logpmf", k, mu, loc)
    x = k - loc
    return cnp.where(x < 0, 0, gammaincc(cnp.floor(1 + x), mu))


def entropy(mu, loc=0):
    """The entropy in nats: sums of as many terms as matter, and an expansion
    in 1/mu from mu = 100 on."""
    mu, loc = cast_inexact(mu, loc)
    shape = lax.broadcast_shapes(mu.shape, loc.shape)
    flat = cnp.ravel(mu)
    small = _entropy_sum(flat, 35, flat + 20)
    medium = _entropy_sum(flat, 250, flat + 10 * lax.sqrt(flat) + 20)
    large = 0.5 * lax.log(2 * np.pi * np.e * flat) - 1 / (12 * flat)
    terms = cnp.where(flat < 10, small, cnp.where(flat < 100, medium, large))
    terms = cnp.where(flat == 0, cnp.zeros_like(flat), terms)
    return cnp.broadcast_to(terms.reshape(mu.shape), shape)


def _entropy_sum(mu, terms: int, bound):
    k = cnp.arange(terms, dtype=mu.dtype)[:, None]
    p = cnp.where(k < cnp.ceil(bound), pmf(k, mu, 0), 0.0)
    return cnp.sum(entr(p), axis=0)
