"""Sparse systems, as in `jax.scipy.sparse`: solvers that take functions."""

from cotan._src import absent
from cotan.scipy.sparse import linalg

__all__ = ["linalg"]


def __getattr__(name):
    raise absent.error(__name__, name)
