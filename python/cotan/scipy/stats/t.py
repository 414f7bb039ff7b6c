"""Student's t distribution."""

from __future__ import annotations

import numpy as np

from cotan import lax
from cotan.scipy.stats._common import PDF, exp_of, promoted

__all__ = ["logpdf", "pdf"]


def logpdf(x, df, loc=0, scale=1):
    """The logarithm of the density at x."""
    x, df, loc, scale = promoted("t.logpdf", x, df, loc, scale)
    z = (x - loc) / scale
    half = df / 2
    scales = lax.log(scale * scale * np.pi * df) / 2
    normaliser = lax.lgamma(half) + scales - lax.lgamma(half + 0.5)
    return -(normaliser + (half + 0.5) * lax.log1p(z * z / df))


pdf = exp_of(logpdf, "pdf", PDF)
