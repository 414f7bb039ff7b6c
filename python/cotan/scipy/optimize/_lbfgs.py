"""BFGS with limited memory: Nocedal and Wright, Numerical Optimization (1999),
algorithms 9.1 and 9.2; for complex variables as in Sorber, van Barel, De
Lathauwer, SIAM J. Optim. 22 (2012)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import cotan.numpy as cnp
from cotan import lax
from cotan._src import api
from cotan.scipy.optimize._line_search import line_search


class History(NamedTuple):
    """Steps s, changes y of the gradient, 1 / <y, s>; the newest is last."""

    s: Any
    y: Any
    rho: Any

    def add(self, *new):
        return History(
            *(
                cnp.roll(old, -1, axis=0).at[-1].set(x)
                for old, x in zip(self, new, strict=True)
            )
        )


class LBFGS(NamedTuple):
    x: Any
    value: Any
    gradient: Any
    history: History
    gamma: Any
    k: Any
    evaluations: Any
    converged: Any
    failed: Any
    status: Any


def _dot(x, y):
    return cnp.dot(x, y, precision=lax.Precision.HIGHEST)


def _direction(state: LBFGS):
    """- H g by two loops over the history, for conj(g) of complex variables.
    Entries not yet written have rho = 0, so they change nothing."""
    history = state.history

    def newest_first(q, entry):
        s, y, rho = entry
        alpha = rho * cnp.real(_dot(cnp.conj(s), q)).astype(rho.dtype)
        return q - alpha * cnp.conj(y), alpha

    def oldest_first(q, entry):
        s, y, rho, alpha = entry
        beta = rho * cnp.real(_dot(y, q)).astype(rho.dtype)
        return q + (alpha - beta) * s, None

    q = -cnp.conj(state.gradient)
    q, alpha = lax.scan(newest_first, q, tuple(history), reverse=True)
    return lax.scan(oldest_first, state.gamma * q, (*history, alpha))[0]


def lbfgs(
    fun: Callable,
    x0,
    maxiter: float | None = None,
    norm=np.inf,
    maxcor: int = 10,
    ftol: float = 2.220446049250313e-09,
    gtol: float = 1e-05,
    maxfun: float | None = None,
    maxgrad: float | None = None,
    maxls: int = 20,
) -> LBFGS:
    """Minimises until the gradient's norm is below gtol. Status 1: maxiter, 2:
    maxfun, 3: maxgrad, 4: a step gained less than ftol, 5: the line search
    failed."""
    size, dtype = len(x0), x0.dtype
    if maxiter is None and maxfun is None and maxgrad is None:
        maxiter = size * 200
    maxiter, maxfun, maxgrad = (
        np.inf if n is None else n for n in (maxiter, maxfun, maxgrad)
    )

    def why_stop(state, line):
        reasons = (  # a later one counts more
            (state.value - line.value < ftol, 4),
            (state.evaluations >= maxgrad, 3),
            (state.evaluations >= maxfun, 2),
            (state.k >= maxiter, 1),
            (line.failed, 5),
        )
        status = cnp.array(0)
        for condition, code in reasons:
            status = cnp.where(condition, code, status)
        return status

    def step(state):
        p = _direction(state)
        line = line_search(
            fun, state.x, p, state.value, state.gradient, maxiter=maxls
        )
        s, y = line.a.astype(p.dtype) * p, line.gradient - state.gradient
        curvature = cnp.real(_dot(y, s))
        rho = (1.0 / curvature).astype(dtype)
        gamma = curvature / cnp.real(_dot(cnp.conj(y), y))
        converged = cnp.linalg.norm(line.gradient, ord=norm) < gtol
        status = cnp.where(converged, 0, why_stop(state, line))
        return LBFGS(
            x=(state.x + s).astype(dtype),
            value=line.value.astype(state.value.dtype),
            gradient=line.gradient.astype(state.gradient.dtype),
            history=state.history.add(s, y, rho),
            gamma=gamma.astype(state.gradient.dtype),
            k=state.k + 1,
            evaluations=state.evaluations + line.evaluations,
            converged=converged,
            failed=status > 0,
            status=status,
        )

    value, gradient = api.value_and_grad(fun)(x0)
    empty = cnp.zeros((maxcor, size), dtype)
    start = LBFGS(
        x=x0,
        value=value,
        gradient=gradient,
        history=History(empty, empty, cnp.zeros(maxcor, dtype)),
        gamma=1.0,
        k=0,
        evaluations=1,
        converged=False,
        failed=False,
        status=0,
    )
    return lax.while_loop(lambda s: ~s.converged & ~s.failed, step, start)
