"""The wrapped Cauchy distribution on [0, 2 pi]."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan.scipy.stats._common import PDF, exp_of, promoted

__all__ = ["logpdf", "pdf"]


def logpdf(x, c):
    """The logarithm of the density at x; nan unless 0 < c < 1."""
    x, c = promoted("wrapcauchy.logpdf", x, c)
    logs = (
        lax.log(1 - c * c)
        - np.log(2 * np.pi)
        - lax.log(1 + c * c - 2 * c * lax.cos(x))
    )
    inside = (x >= 0) & (x <= np.pi * 2)
    logs = cnp.where(inside, logs, -np.inf)
    return cnp.where((c > 0) & (c < 1), logs, np.nan)


pdf = exp_of(logpdf, "pdf", PDF)
