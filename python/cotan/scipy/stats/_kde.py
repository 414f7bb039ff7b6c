"""Kernel density estimation with normal kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

import cotan.numpy as cnp
from cotan import dtypes, lax, random, tree_util
from cotan._src.api import vmap
from cotan.scipy.special import logsumexp, ndtr
from cotan.scipy.stats._common import cast_inexact

_FIELDS = ("neff", "dataset", "weights", "covariance", "inv_cov")


def _no_complex(x, what: str) -> None:
    if dtypes.issubdtype(x.dtype, np.complexfloating):
        raise NotImplementedError(
            f"gaussian_kde does not support complex {what}"
        )


@tree_util.register_pytree_node_class
class gaussian_kde:
    """A density estimate from samples `dataset` [d, n] (or [n]) with
    `weights` [n]; `bw_method` is "scott", "silverman", a factor, or a function
    of the estimate that gives one. An instance is a pytree."""

    __slots__ = _FIELDS

    neff: Any
    dataset: Any
    weights: Any
    covariance: Any
    inv_cov: Any

    def __init__(self, dataset, bw_method=None, weights=None):
        dataset = cnp.atleast_2d(dataset)
        _no_complex(dataset, "data")
        if not dataset.size > 1:
            raise ValueError("`dataset` input should have multiple elements.")
        d, n = dataset.shape
        if weights is None:
            (dataset,) = cast_inexact(dataset)
            weights = cnp.full(n, 1.0 / n, dtype=dataset.dtype)
        else:
            weights = cnp.atleast_1d(weights)
            if weights.ndim != 1:
                raise ValueError("`weights` input should be one-dimensional.")
            if len(weights) != n:
                raise ValueError("`weights` input should be of length n")
            dataset, weights = cast_inexact(dataset, weights)
            weights = weights / cnp.sum(weights)
        self._set("dataset", dataset)
        self._set("weights", weights)
        self._set("neff", 1 / cnp.sum(weights**2))
        factor = self._bandwidth(bw_method, d)
        covariance = cnp.atleast_2d(
            cnp.cov(dataset, rowvar=True, bias=False, aweights=weights)
        )
        self._set("covariance", covariance * factor**2)
        self._set("inv_cov", cnp.linalg.inv(covariance) / factor**2)

    def _bandwidth(self, method, d: int):
        if method is None or (isinstance(method, str) and method == "scott"):
            return cnp.power(self.neff, -1.0 / (d + 4))
        if isinstance(method, str) and method == "silverman":
            return cnp.power(self.neff * (d + 2) / 4.0, -1.0 / (d + 4))
        if not isinstance(method, str) and cnp.isscalar(method):
            return method
        if callable(method):
            return method(self)
        raise ValueError(
            "`bw_method` should be 'scott', 'silverman', a scalar, or a "
            "callable."
        )

    def _set(self, name: str, value) -> None:
        object.__setattr__(self, name, value)

    def __setattr__(self, name, value):
        raise AttributeError(f"cannot assign to field {name!r}")

    def tree_flatten(self):
        return tuple(getattr(self, name) for name in _FIELDS), None

    @classmethod
    def tree_unflatten(cls, aux_data, children):
        del aux_data
        kde = cls.__new__(cls)
        for name, value in zip(_FIELDS, children, strict=True):
            kde._set(name, value)
        return kde

    @property
    def d(self):
        """The number of dimensions."""
        return self.dataset.shape[0]

    @property
    def n(self):
        """The number of samples."""
        return self.dataset.shape[1]

    def _points(self, points):
        points = cnp.atleast_2d(points)
        _no_complex(points, "coordinates")
        d, m = points.shape
        if d == self.d:
            return points
        if d == 1 and m == self.d:
            return points.reshape(self.d, 1)
        raise ValueError(
            f"points have dimension {d}, dataset has dimension {self.d}"
        )

    def evaluate(self, points):
        """The density at points [d, m]: [m]."""
        return self._evaluate(points, log=False)

    __call__ = evaluate

    def pdf(self, x):
        """evaluate(x)."""
        return self.evaluate(x)

    def logpdf(self, x):
        """log(evaluate(x)), accurate where the density underflows."""
        return self._evaluate(x, log=True)

    def _evaluate(self, points, log: bool):
        xi, data, weights, precision = (
            x.astype(dtype)
            for dtype in [self._dtype(points)]
            for x in (
                self._points(points),
                self.dataset,
                self.weights,
                self.inv_cov,
            )
        )
        whiten = lax.linalg.cholesky(precision).T
        data, xi = whiten @ data, whiten @ xi
        norm = cnp.sum(lax.log(cnp.diag(whiten)))
        norm = norm - 0.5 * self.d * np.log(2 * np.pi)
        # [m, n]
        square = cnp.sum((xi[:, :, None] - data[:, None, :]) ** 2, axis=0)
        arg = norm - 0.5 * square
        if log:
            return logsumexp(lax.log(weights)[None] + arg, axis=1)
        return cnp.sum(weights[None] * lax.exp(arg), axis=1)

    def _dtype(self, points):
        return dtypes.result_type(self.dataset, points)

    def integrate_gaussian(self, mean, cov):
        """The integral of the estimate times a normal density."""
        mean = cnp.atleast_1d(cnp.squeeze(mean))
        cov = cnp.atleast_2d(cov)
        if mean.shape != (self.d,):
            raise ValueError(f"mean does not have dimension {self.d}")
        if cov.shape != (self.d, self.d):
            raise ValueError(f"covariance does not have dimension {self.d}")
        factor, norm = self._factor(cov)
        return _convolve(factor, norm, self.dataset, self.weights, mean)

    def _factor(self, cov):
        factor = lax.linalg.cholesky(self.covariance + cov)
        scale = np.sqrt(2 * np.pi) ** self.d * cnp.prod(cnp.diag(factor))
        return factor, 1.0 / scale

    def integrate_box_1d(self, low, high):
        """The probability of (low, high), in one dimension."""
        if self.d != 1:
            raise ValueError("integrate_box_1d() only handles 1D pdfs")
        if np.ndim(low) != 0 or np.ndim(high) != 0:
            raise ValueError(
                "the limits of integration in integrate_box_1d must be scalars"
            )
        sigma = cnp.squeeze(cnp.sqrt(self.covariance))
        low = cnp.squeeze((low - self.dataset) / sigma)
        high = cnp.squeeze((high - self.dataset) / sigma)
        return cnp.sum(self.weights * (ndtr(high) - ndtr(low)))

    def integrate_kde(self, other):
        """The integral of the product with another estimate."""
        if other.d != self.d:
            raise ValueError("KDEs are not the same dimensionality")
        factor, norm = self._factor(other.covariance)
        few, many = (self, other) if self.n < other.n else (other, self)
        each = vmap(
            lambda mean: _convolve(
                factor, norm, many.dataset, many.weights, mean
            ),
            in_axes=1,
        )(few.dataset)
        return cnp.sum(each * few.weights)

    def resample(self, key, shape=()):
        """Samples of the estimate: [d, *shape]."""
        index_key, noise_key = random.split(key)
        index = random.choice(index_key, self.n, shape=shape, p=self.weights)
        zero = cnp.zeros(self.d, self.covariance.dtype)
        noise = random.multivariate_normal(
            noise_key, zero, self.covariance, shape, self.dataset.dtype
        ).T
        return self.dataset[:, index] + noise

    def integrate_box(self, low_bounds, high_bounds, maxpts=None):
        """Not supported."""
        del low_bounds, high_bounds, maxpts
        raise NotImplementedError(
            "only 1D box integrations are supported; use `integrate_box_1d`"
        )

    def set_bandwidth(self, bw_method=None):
        """Not supported: an estimate is immutable."""
        del bw_method
        raise NotImplementedError(
            "dynamically changing the bandwidth method is not supported"
        )


def _convolve(factor, norm, data, weights, mean):
    difference = data - mean[:, None]
    z = lax.linalg.triangular_solve(
        factor, difference, left_side=True, lower=True
    )
    arg = 0.5 * cnp.sum(z * z, axis=0)
    return norm * cnp.sum(lax.exp(-arg) * weights)
