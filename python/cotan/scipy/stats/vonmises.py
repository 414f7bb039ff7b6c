"""The von Mises distribution of angles."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.special import i0e
from cotan.scipy.stats._common import PDF, exp_of, promoted

__all__ = ["logpdf", "pdf"]


def logpdf(x, kappa):
    """The logarithm of the density at x; nan unless kappa > 0."""
    x, kappa = promoted("vonmises.logpdf", x, kappa)
    normaliser = lax.log(2 * np.pi * i0e(kappa))
    return cnp.where(kappa > 0, kappa * (lax.cos(x) - 1) - normaliser, np.nan)


pdf = exp_of(logpdf, "pdf", PDF)
