"""The normal distribution of vectors."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.stats._common import cast_inexact

__all__ = ["logpdf", "pdf"]


def logpdf(x, mean, cov, allow_singular=None):
    """The logarithm of the density at x [..., n] for mean [..., n] and
    covariance [..., n, n] (or a scalar: a multiple of the identity)."""
    if allow_singular is not None:
        raise NotImplementedError(
            "allow_singular argument of multivariate_normal.logpdf"
        )
    x, mean, cov = cast_inexact(x, mean, cov)
    log_2pi = np.log(2 * np.pi)
    if not mean.shape:
        return -1 / 2 * lax.square(x - mean) / cov - 1 / 2 * (
            log_2pi + lax.log(cov)
        )
    n = mean.shape[-1]
    y = x - mean
    if not cov.shape:
        square = cnp.einsum("...i,...i->...", y, y)
        return -1 / 2 * square / cov - n / 2 * (log_2pi + lax.log(cov))
    if cov.ndim < 2 or cov.shape[-2:] != (n, n):
        raise ValueError("multivariate_normal.logpdf got incompatible shapes")
    factor = lax.linalg.cholesky(cov)
    batch = lax.broadcast_shapes(y.shape[:-1], cov.shape[:-2])
    factor = cnp.broadcast_to(factor, (*batch, n, n))
    y = cnp.broadcast_to(y, (*batch, n))[..., None]
    z = lax.linalg.triangular_solve(factor, y, left_side=True, lower=True)
    square = cnp.sum(lax.square(z[..., 0]), axis=-1)
    diagonal = factor.diagonal(axis1=-1, axis2=-2)
    logs = -1 / 2 * square - n / 2 * log_2pi
    return logs - lax.log(diagonal).sum(-1)


def pdf(x, mean, cov):
    """The probability density at x."""
    return lax.exp(logpdf(x, mean, cov))
