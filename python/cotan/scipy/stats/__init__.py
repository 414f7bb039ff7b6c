"""Probability distributions and statistics, as `jax.scipy.stats`.

One module per distribution, functions of arrays in each (no frozen
distributions); they broadcast, and differentiate in every parameter that the
density is smooth in.

>>> from cotan.scipy import stats
>>> stats.norm.pdf(0.0)
Array(0.398942..., dtype=float32, weak_type=True)
"""

import importlib

from cotan._src import absent
from cotan.scipy.stats._kde import gaussian_kde
from cotan.scipy.stats._summary import mode, rankdata, sem

_DISTRIBUTIONS = (
    "bernoulli",
    "beta",
    "betabinom",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "gennorm",
    "geom",
    "gumbel_l",
    "gumbel_r",
    "laplace",
    "logistic",
    "multinomial",
    "multivariate_normal",
    "nbinom",
    "norm",
    "pareto",
    "poisson",
    "t",
    "truncnorm",
    "uniform",
    "vonmises",
    "wrapcauchy",
)

__all__ = [*_DISTRIBUTIONS, "gaussian_kde", "mode", "rankdata", "sem"]


def __getattr__(name):
    if name in _DISTRIBUTIONS:
        return importlib.import_module(f"cotan.scipy.stats.{name}")
    raise absent.error(__name__, name)


def __dir__():
    return __all__
