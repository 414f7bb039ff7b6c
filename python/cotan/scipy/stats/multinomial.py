"""The multinomial distribution."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import _core, dtypes
from cotan.scipy.special import gammaln, xlogy
from cotan.scipy.stats._common import PMF, exp_of, promoted

__all__ = ["logpmf", "pmf"]


def logpmf(x, n, p):
    """The logarithm of the probability of the counts x [..., k] in n trials
    with probabilities p [k]."""
    (p,) = promoted("multinomial.logpmf", p)
    x, n = _core.promote("multinomial.logpmf", [x, n])
    if not dtypes.issubdtype(x.dtype, np.integer):
        raise ValueError(
            f"x and n must be of integer type; got x.dtype={x.dtype}, "
            f"n.dtype={n.dtype}"
        )
    x, n = x.astype(p.dtype), n.astype(p.dtype)
    logs = gammaln(n + 1) + cnp.sum(xlogy(x, p) - gammaln(x + 1), axis=-1)
    return cnp.where(cnp.equal(cnp.sum(x), n), logs, -np.inf)


pmf = exp_of(logpmf, "pmf", PMF)
