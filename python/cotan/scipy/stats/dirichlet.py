"""The Dirichlet distribution on the simplex."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan.scipy.special import gammaln, xlogy
from cotan.scipy.stats._common import PDF, cast_inexact, exp_of

__all__ = ["logpdf", "pdf"]


def logpdf(x, alpha):
    """The logarithm of the density at x [n, ...] or [n - 1, ...] (the last
    entry is then what misses to 1) for alpha [n]; -inf off the simplex."""
    x, alpha = cast_inexact(x, alpha)
    if alpha.ndim != 1:
        raise ValueError(
            f"`alpha` must be one-dimensional; got alpha.shape={alpha.shape}"
        )
    n = alpha.shape[0]
    if x.shape[0] not in (n, n - 1):
        raise ValueError(
            "`x` must have either the same number of entries as `alpha` or "
            f"one entry fewer; got x.shape={x.shape}, "
            f"alpha.shape={alpha.shape}"
        )
    if x.shape[0] != n:
        x = cnp.concatenate([x, 1 - x.sum(0, keepdims=True)])
    normaliser = cnp.sum(gammaln(alpha)) - gammaln(cnp.sum(alpha))
    alpha = alpha.reshape(n, *(1,) * (x.ndim - 1))
    logs = cnp.sum(xlogy(alpha - 1, x), axis=0) - normaliser
    simplex = cnp.all(x > 0, axis=0) & (abs(cnp.sum(x, axis=0) - 1) < 1e-6)
    return cnp.where(simplex, logs, -np.inf)


pdf = exp_of(logpdf, "pdf", PDF)
