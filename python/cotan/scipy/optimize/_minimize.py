"""Minimisation of functions of a vector by quasi-Newton methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cotan.numpy as cnp
from cotan._dispatch import Array
from cotan.scipy.optimize._bfgs import bfgs
from cotan.scipy.optimize._lbfgs import lbfgs

__all__ = ["OptimizeResults", "minimize"]


class OptimizeResults(NamedTuple):
    """The outcome of `minimize`.

    x: where it ended; fun, jac: the value and gradient there; success: whether
    it converged; status: 0, or why not (1: too many iterations, others by
    method); hess_inv: the estimate of the inverse Hessian, or None; nfev, njev,
    nit: evaluations of the function, of its gradient, iterations.
    """

    x: Array
    success: bool | Array
    status: int | Array
    fun: Array
    jac: Array
    hess_inv: Array | None
    nfev: int | Array
    njev: int | Array
    nit: int | Array


_METHODS = {"bfgs": bfgs, "l-bfgs-experimental-do-not-rely-on-this": lbfgs}


def minimize(
    fun: Callable,
    x0: Array,
    args: tuple = (),
    *,
    method: str,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResults:
    """Minimises fun(x, *args) over vectors x, from x0.

    Args:
      fun: a differentiable function of a vector; its value is a scalar.
      x0: where to start, of shape (n,).
      args: further arguments.
      method: "BFGS" or "l-bfgs-experimental-do-not-rely-on-this".
      tol: not used; see the options.
      options: of the method: maxiter, gtol, norm, line_search_maxiter (BFGS);
        maxiter, gtol, ftol, norm, maxcor, maxfun, maxgrad, maxls.

    It can be compiled and batched, not differentiated.

    >>> f = lambda x: cnp.sum((x - 3.0) ** 2)
    >>> minimize(f, cnp.zeros(2), method="BFGS").x
    Array([3., 3.], dtype=float32)
    """
    del tol
    if not isinstance(args, tuple):
        raise TypeError(
            "args argument to jax.scipy.optimize.minimize must be a tuple, "
            f"got {args}"
        )
    if method.lower() not in _METHODS:
        raise ValueError(f"Method {method} not recognized")
    found = _METHODS[method.lower()](
        lambda x: fun(x, *args), x0, **(options or {})
    )
    return OptimizeResults(
        x=found.x,
        success=found.converged & cnp.logical_not(found.failed),
        status=found.status,
        fun=found.value,
        jac=found.gradient,
        hess_inv=getattr(found, "inverse_hessian", None),
        nfev=found.evaluations,
        njev=found.evaluations,
        nit=found.k,
    )
