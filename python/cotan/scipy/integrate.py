"""Integration of samples."""

from __future__ import annotations

import cotan.numpy as cnp

__all__ = ["trapezoid"]


def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral of samples y along `axis` by the trapezoidal rule.

    >>> cotan.scipy.integrate.trapezoid(cnp.array([1.0, 2.0, 3.0]))
    Array(4., dtype=float32)
    """
    return cnp.trapezoid(y, x, dx, axis)
