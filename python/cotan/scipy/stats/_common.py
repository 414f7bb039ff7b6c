"""What the distributions share."""

from __future__ import annotations

import functools

import numpy as np

from cotan import _core, _dispatch, dtypes, lax


def promoted(name: str, *xs) -> list:
    """The arguments as float arrays of one dtype."""
    return _core.promote_inexact(name, list(xs))


def _derived(function, name: str, doc: str, change):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return change(function(*args, **kwargs))

    wrapper.__name__ = wrapper.__qualname__ = name
    wrapper.__doc__ = doc
    return wrapper


def exp_of(function, name: str, doc: str):
    """exp of a function with its signature."""
    return _derived(function, name, doc, lax.exp)


def log_of(function, name: str, doc: str):
    """log of a function with its signature."""
    return _derived(function, name, doc, lax.log)


PDF = "The probability density at x."
PMF = "The probability of k."
CDF = "The probability of values up to x."
SF = "The probability of values above x."
LOGCDF = "log(cdf(...))."
LOGSF = "log(sf(...))."


def cast_inexact(*xs) -> list:
    """The arguments as arrays of one float dtype, each of its own shape."""
    arrays = [_dispatch.to_array(x) for x in xs]
    dtype, weak = _core.result_type(tuple(arrays))
    if not dtypes.issubdtype(dtype, np.inexact):
        dtype = dtypes.canonicalize_dtype(float)
    return [_core.convert(x, dtype, weak) for x in arrays]
