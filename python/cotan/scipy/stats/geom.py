"""The geometric distribution: trials up to the first success."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import xlog1py
from cotan.scipy.stats._common import PMF, exp_of, promoted

__all__ = ["logpmf", "pmf"]


def logpmf(k, p, loc=0):
    """The logarithm of the probability of k."""
    k, p, loc = promoted("geom.logpmf", k, p, loc)
    x = k - loc
    return cnp.where(x <= 0, -np.inf, xlog1py(x - 1, -p) + lax.log(p))


pmf = exp_of(logpmf, "pmf", PMF)
