"""Interpolation on grids."""

from __future__ import annotations

import itertools

import numpy as np

import cotan.numpy as cnp
from cotan import tree_util
from cotan.scipy.stats._common import cast_inexact

__all__ = ["RegularGridInterpolator"]


def _check_method(method) -> None:
    if method not in ("linear", "nearest"):
        raise ValueError(f"method {method!r} is not defined")


def _as_points(xi, ndim: int):
    """An array [..., ndim] of a tuple of coordinate arrays."""
    if isinstance(xi, tuple) and len(xi) == 1:
        xi = xi[0]
    if isinstance(xi, tuple):
        columns = cnp.broadcast_arrays(*xi)
        return cnp.stack([c.astype(float) for c in columns], axis=-1)
    xi = cnp.asarray(xi)
    return xi.reshape(-1, ndim) if xi.ndim == 1 else xi


class RegularGridInterpolator:
    """Interpolates values [n1, ..., nk, ...] given on the grid of k increasing
    vectors `points`, at points [..., k]; `fill_value` outside (None: from the
    outermost cell). An instance is a pytree.

    >>> grid = cnp.array([0.0, 1.0, 3.0])
    >>> f = cotan.scipy.interpolate.RegularGridInterpolator((grid,), grid**2)
    >>> f(cnp.array([[2.0]]))
    Array([5.], dtype=float32)
    """

    def __init__(
        self,
        points,
        values,
        method="linear",
        bounds_error=False,
        fill_value=np.nan,
    ):
        _check_method(method)
        if bounds_error:
            raise NotImplementedError(
                "`bounds_error` takes no effect under JIT"
            )
        self.method = method
        self.bounds_error = bounds_error
        (values,) = cast_inexact(values)
        if len(points) > values.ndim:
            raise ValueError(
                f"there are {len(points)} point arrays, but values has "
                f"{values.ndim} dimensions"
            )
        if fill_value is not None:
            fill_value = cnp.asarray(fill_value)
            if not cnp.can_cast(fill_value.dtype, values.dtype, "same_kind"):
                raise ValueError(
                    "fill_value must be either 'None' or of a type "
                    "compatible with values"
                )
        self.fill_value = fill_value
        self.grid = tuple(cnp.asarray(p) for p in points)
        self.values = values

    def __call__(self, xi, method=None):
        method = self.method if method is None else method
        _check_method(method)
        ndim = len(self.grid)
        xi = _as_points(xi, ndim)
        if xi.shape[-1] != ndim:
            raise ValueError(
                "the requested sample points xi have dimension "
                f"{xi.shape[1]}, but this RegularGridInterpolator has "
                f"dimension {ndim}"
            )
        flat = xi.reshape(-1, ndim)
        cells, fractions, outside = self._locate(flat.T)
        if method == "linear":
            result = self._linear(cells, fractions)
        else:
            nearest = [
                cnp.where(t <= 0.5, i, i + 1)
                for i, t in zip(cells, fractions, strict=True)
            ]
            result = self.values[tuple(nearest)]
        if self.fill_value is not None:
            shape = (*result.shape[:1], *(1,) * (result.ndim - 1))
            result = cnp.where(outside.reshape(shape), self.fill_value, result)
        return result.reshape(*xi.shape[:-1], *self.values.shape[ndim:])

    def _linear(self, cells, fractions):
        trailing = (slice(None),) + (None,) * (self.values.ndim - len(cells))
        total = cnp.asarray(0.0)
        for upper in itertools.product((0, 1), repeat=len(cells)):
            weight = cnp.asarray(1.0)
            for up, t in zip(upper, fractions, strict=True):
                weight = weight * (t if up else 1 - t)
            corner = tuple(i + up for i, up in zip(cells, upper, strict=True))
            total = total + self.values[corner] * weight[trailing]
        return total

    def _locate(self, xi):
        """Per axis the cell and the place in it (0 to 1); what is outside."""
        cells, fractions = [], []
        outside = cnp.zeros(xi.shape[1], bool)
        for x, g in zip(xi, self.grid, strict=True):
            i = cnp.clip(cnp.searchsorted(g, x) - 1, 0, g.size - 2)
            cells.append(i)
            fractions.append((x - g[i]) / (g[i + 1] - g[i]))
            outside = outside | (x < g[0]) | (x > g[-1])
        return cells, fractions, outside


def _flatten(f):
    return (f.grid, f.values, f.fill_value), (f.method, f.bounds_error)


def _unflatten(aux, children):
    f = object.__new__(RegularGridInterpolator)
    f.method, f.bounds_error = aux
    f.grid, f.values, f.fill_value = children
    return f


tree_util.register_pytree_node(RegularGridInterpolator, _flatten, _unflatten)
