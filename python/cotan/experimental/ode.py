"""Ordinary differential equations by an adaptive Runge-Kutta method."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import cotan
import cotan.numpy as cnp
from cotan import _core, _dispatch, dtypes, lax
from cotan._src.closures import closure_convert
from cotan._src.custom import custom_vjp
from cotan.flatten_util import ravel_pytree
from cotan.tree_util import tree_leaves, tree_map

__all__ = ["odeint"]

# ---- one step of order 5 with an estimate of order 4: Dormand and Prince, J.
# Comput. Appl. Math. 6 (1980); Hairer, Norsett, Wanner, Solving Ordinary
# Differential Equations I, table 5.2.

_TIMES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_STAGES = (
    (1 / 5, 0, 0, 0, 0, 0, 0),
    (3 / 40, 9 / 40, 0, 0, 0, 0, 0),
    (44 / 45, -56 / 15, 32 / 9, 0, 0, 0, 0),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0, 0),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0, 0),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0),
)
_FOURTH_ORDER = (
    1951 / 21600,
    0,
    22642 / 50085,
    451 / 720,
    -12231 / 42400,
    649 / 6300,
    1 / 60,
)
# The solution in the middle of the step: Shampine, Math. Comput. 46 (1986).
_MIDDLE = (
    6025192743 / 30085553152 / 2,
    0,
    51252292925 / 65400821598 / 2,
    -2691868925 / 45128329728 / 2,
    187940372067 / 1594534317056 / 2,
    -1776094331 / 19743644256 / 2,
    11237099 / 235043384 / 2,
)


def _step(f, y, slope, t, dt):
    """(y at t + dt, the slopes of all stages, the estimate of the error)"""
    h = dt.astype(slope.dtype)
    times = cnp.array(_TIMES, dt.dtype)
    stages = cnp.array(_STAGES, slope.dtype)

    def stage(i, k):
        y_i = y + h * cnp.dot(stages[i], k)
        return k.at[i + 1].set(f(y_i, t + dt * times[i]))

    k = cnp.zeros((7, *slope.shape), slope.dtype).at[0].set(slope)
    k = lax.fori_loop(0, 6, stage, k)
    error = np.subtract(_STAGES[-1], _FOURTH_ORDER)
    return (
        y + h * cnp.dot(stages[-1], k),
        k,
        h * cnp.dot(cnp.asarray(error, slope.dtype), k),
    )


def _interpolant(y, new_y, k, dt):
    """Coefficients, highest first, of the quartic through both ends with their
    slopes and the middle."""
    h = dt.astype(y.dtype)
    middle = y + h * cnp.dot(cnp.array(_MIDDLE, y.dtype), k)
    a, b = h * k[0], h * k[-1]
    return cnp.stack(
        [
            2.0 * (b - a) - 8.0 * (y + new_y) + 16.0 * middle,
            5.0 * a - 3.0 * b + 18.0 * y + 14.0 * new_y - 32.0 * middle,
            b - 4.0 * a - 11.0 * y - 5.0 * new_y + 16.0 * middle,
            a,
            y,
        ]
    )


# ---- the length of a step


class _Settings(NamedTuple):
    rtol: Any
    atol: Any
    mxstep: Any
    hmax: Any

    def clip(self, dt):
        return cnp.clip(dt, 0.0, self.hmax)


def _first_length(f, t, y, slope, settings):
    """Hairer, Norsett, Wanner, section II.4, for order 4."""
    y, slope = _core.promote_inexact("odeint", [y, slope])
    scale = (settings.atol + cnp.abs(y) * settings.rtol).astype(y.dtype)
    size = cnp.linalg.norm(y / scale)
    speed = cnp.linalg.norm(slope / scale)
    tiny = (size < 1e-5) | (speed < 1e-5)
    h0 = cnp.where(tiny, 1e-6, 0.01 * size / speed)
    ahead = f(y + h0.astype(y.dtype) * slope, t + h0)
    bend = cnp.linalg.norm((ahead - slope) / scale) / h0
    h1 = cnp.where(
        (speed <= 1e-15) & (bend <= 1e-15),
        cnp.maximum(1e-6, h0 * 1e-3),
        (0.01 / cnp.maximum(speed, bend)) ** 0.2,
    )
    return cnp.minimum(100.0 * h0, h1)


def _error_ratio(error, y, new_y, settings):
    """The error beside what is tolerated, root of the mean square."""
    allowed = cnp.maximum(cnp.abs(y), cnp.abs(new_y))
    allowed = settings.atol + settings.rtol * allowed
    ratio = error / allowed.astype(error.dtype)
    return cnp.sqrt(cnp.mean(cnp.real(ratio * cnp.conj(ratio))))


def _next_length(dt, ratio):
    shortest = cnp.where(ratio < 1, 1.0, 0.2)
    factor = cnp.maximum(ratio ** (-1.0 / 5.0) * 0.9, shortest)
    factor = cnp.where(ratio == 0, 10.0, cnp.minimum(10.0, factor))
    return dt * factor


# ---- the solution


class _State(NamedTuple):
    y: Any
    slope: Any
    t: Any
    dt: Any
    last_t: Any
    interpolant: Any


def _solve(f, settings, y, times):
    """y of shape (n,) at each of the times, stacked."""

    def advance(loop):
        i, old = loop
        new_y, k, error = _step(f, old.y, old.slope, old.t, old.dt)
        ratio = _error_ratio(error, old.y, new_y, settings)
        dt = settings.clip(_next_length(old.dt, ratio))
        quartic = _interpolant(old.y, new_y, k, old.dt)
        new = _State(new_y, k[-1], old.t + old.dt, dt, old.t, quartic)
        kept = old._replace(dt=dt)
        return i + 1, tree_map(
            lambda a, b: cnp.where(ratio <= 1.0, a, b), new, kept
        )

    def reach(state, target):
        def before(loop):
            i, s = loop
            return (s.t < target) & (i < settings.mxstep) & (s.dt > 0)

        state = lax.while_loop(before, advance, (0, state))[1]
        part = (target - state.last_t) / (state.t - state.last_t)
        part = part.astype(state.interpolant.dtype)
        return state, cnp.polyval(state.interpolant, part)

    slope = f(y, times[0])
    dt = settings.clip(_first_length(f, times[0], y, slope, settings))
    start = _State(y, slope, times[0], dt, times[0], cnp.stack([y] * 5))
    ys = lax.scan(reach, start, times[1:])[1]
    return cnp.concatenate([y[None], ys])


@functools.partial(custom_vjp, nondiff_argnums=(0, 1))
def _odeint(f, settings, y, times, *args):
    return _solve(lambda y, t: f(y, t, *args), settings, y, times)


def _odeint_fwd(f, settings, y, times, *args):
    ys = _odeint(f, settings, y, times, *args)
    return ys, (ys, times, args)


def _odeint_bwd(f, settings, residuals, ct):
    """The adjoint system, solved backwards from each time to the one before:
    Chen et al., Neural Ordinary Differential Equations (2018), appendix B."""
    ys, times, args = residuals

    def adjoint(state, minus_t, *args):
        y, y_bar, *_ = state
        slope, pull = cotan.vjp(f, y, -minus_t, *args)
        return (-slope, *pull(y_bar))

    def back(carry, i):
        y_bar, t_bar, args_bar = carry
        # What moving the time of measurement does; time is real.
        slope = f(ys[i], times[i], *args)
        moved = cnp.real(cnp.dot(slope, ct[i]))
        _, *bars = odeint(
            adjoint,
            (ys[i], y_bar, t_bar - moved, args_bar),
            cnp.array([-times[i], -times[i - 1]]),
            *args,
            **settings._asdict(),
        )
        y_bar, t_bar, args_bar = tree_map(operator.itemgetter(1), tuple(bars))
        return (y_bar + ct[i - 1], t_bar, args_bar), moved

    start = (ct[-1], cnp.zeros((), times.dtype), tree_map(cnp.zeros_like, args))
    order = cnp.arange(len(times) - 1, 0, -1)
    (y_bar, t_bar, args_bar), moved = lax.scan(back, start, order)
    times_bar = cnp.concatenate([t_bar[None], moved[::-1]])
    return (y_bar, times_bar, *args_bar)


_odeint.defvjp(_odeint_fwd, _odeint_bwd)


@functools.partial(cotan.jit, static_argnums=(0, 1))
def _odeint_of_trees(func, settings, y0, times, *args):
    y, unravel = ravel_pytree(y0)

    def f(y, t, *args):
        return ravel_pytree(func(unravel(y), t, *args))[0]

    with cotan.default_matmul_precision("highest"):
        return cotan.vmap(unravel)(_odeint(f, settings, y, times, *args))


def odeint(
    func: Callable,
    y0,
    t,
    *args,
    rtol=1.4e-8,
    atol=1.4e-8,
    mxstep=cnp.inf,
    hmax=cnp.inf,
):
    """Solves dy/dt = func(y, t, *args) with y(t[0]) = y0.

    Args:
      func: returns a pytree like `y0`.
      y0: the first state, arrays in a pytree.
      t: the times, an increasing vector of floats.
      *args: arrays in pytrees; the result is differentiable in them.
      rtol, atol: the tolerated error of a step, relative and absolute.
      mxstep: at most so many steps from one time to the next.
      hmax: the longest step.

    Returns the states at the times, stacked along a new first axis. Reverse
    mode solves the adjoint equation.

    >>> ys = odeint(lambda y, t: -y, 1.0, cnp.array([0.0, 1.0]), rtol=1e-5)
    >>> ys.round(4)
    Array([1.    , 0.3679], dtype=float32)
    """
    for x in tree_leaves(args):
        if not _dispatch.is_array(x):
            raise TypeError(
                "The contents of odeint *args must be arrays or scalars, but "
                f"got {x}."
            )
    if not dtypes.issubdtype(t.dtype, np.floating):
        raise TypeError(f"t must be an array of floats, but got {t}.")
    closed, consts = closure_convert(func, y0, t[0], *args)
    settings = _Settings(rtol, atol, mxstep, hmax)
    return _odeint_of_trees(closed, settings, y0, t, *args, *consts)
