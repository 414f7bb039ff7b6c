"""Minimisation, as in `jax.scipy.optimize`."""

from cotan._src import absent
from cotan.scipy.optimize._minimize import OptimizeResults, minimize

__all__ = ["OptimizeResults", "minimize"]


def __getattr__(name):
    raise absent.error(__name__, name)
