"""BFGS: Nocedal and Wright, Numerical Optimization (1999), algorithm 8.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan._src import api
from cotan.scipy.optimize._line_search import line_search


class BFGS(NamedTuple):
    x: Any
    value: Any
    gradient: Any
    inverse_hessian: Any
    older_value: Any
    k: Any
    evaluations: Any
    converged: Any
    failed: Any
    status: Any


def _updated(h, s, y):
    """The estimate after a step s has changed the gradient by y (8.16)."""
    rho = 1.0 / _dot(y, s)
    w = cnp.eye(len(s), dtype=rho.dtype) - rho * cnp.outer(s, y)
    new = _dot(_dot(w, h), w.T) + rho * cnp.outer(s, s)
    return cnp.where(cnp.isfinite(rho), new, h)


def _dot(x, y):
    return cnp.dot(x, y, precision=lax.Precision.HIGHEST)


def bfgs(
    fun: Callable,
    x0,
    maxiter: int | None = None,
    norm=np.inf,
    gtol: float = 1e-5,
    line_search_maxiter: int = 10,
) -> BFGS:
    """Minimises until the gradient's norm is below gtol. Status 1: maxiter,
    3: the line search failed, 5: the line search was too long."""
    if maxiter is None:
        maxiter = np.size(x0) * 200

    def small(gradient):
        return cnp.linalg.norm(gradient, ord=norm) < gtol

    def step(state):
        p = -_dot(state.inverse_hessian, state.gradient)
        line = line_search(
            fun,
            state.x,
            p,
            state.value,
            state.gradient,
            state.older_value,
            maxiter=line_search_maxiter,
        )
        s, y = line.a * p, line.gradient - state.gradient
        return BFGS(
            x=state.x + s,
            value=line.value,
            gradient=line.gradient,
            inverse_hessian=_updated(state.inverse_hessian, s, y),
            older_value=state.value,
            k=state.k + 1,
            evaluations=state.evaluations + line.evaluations,
            converged=small(line.gradient),
            failed=line.failed,
            status=line.status,
        )

    value, gradient = api.value_and_grad(fun)(x0)
    state = lax.while_loop(
        lambda s: ~s.converged & ~s.failed & (s.k < maxiter),
        step,
        BFGS(
            x=x0,
            value=value,
            gradient=gradient,
            inverse_hessian=cnp.eye(x0.shape[0], dtype=x0.dtype),
            older_value=value + cnp.linalg.norm(gradient) / 2,
            k=0,
            evaluations=1,
            converged=small(gradient),
            failed=False,
            status=0,
        ),
    )
    status = cnp.where(state.failed, 2 + state.status, -1)
    status = cnp.where(state.k == maxiter, 1, status)
    return state._replace(status=cnp.where(state.converged, 0, status))
