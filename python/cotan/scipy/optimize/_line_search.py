"""A step length with the strong Wolfe conditions: Nocedal and Wright,
Numerical Optimization (1999), algorithms 3.5 (line_search) and 3.6 (_zoom).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cotan.numpy as cnp
from cotan import _core, dtypes, lax
from cotan._src import api
from cotan.tree_util import tree_map

_MAX_ZOOMS = 30


class Point(NamedTuple):
    """The line at step a: the value there, its slope, the gradient."""

    a: Any
    phi: Any
    dphi: Any
    gradient: Any


class LineSearch(NamedTuple):
    """What a search found; status 0: fine, 1: zoom failed, 3: too long."""

    failed: Any
    evaluations: Any
    a: Any
    value: Any
    gradient: Any
    status: Any


class Line(NamedTuple):
    """phi(a) = f(x + a p), and the two Wolfe conditions."""

    at: Callable
    too_high: Callable
    flat: Callable


class _Zoom(NamedTuple):
    """[low, high] holds a good step; `previous` was an end before."""

    low: Point
    high: Point
    previous: tuple
    best: Point
    count: Any
    done: Any
    failed: Any


def _choose(condition, new, old):
    """new where the condition holds, in the dtypes of old."""
    return tree_map(
        lambda x, y: cnp.where(condition, cnp.asarray(x, y.dtype), y), new, old
    )


def _cubic(low, high, previous):
    """The minimum of the cubic through low (and its slope), high, previous."""
    d1, d2 = high.a - low.a, previous[0] - low.a
    r1 = high.phi - low.phi - low.dphi * d1
    r2 = previous[1] - low.phi - low.dphi * d2
    scale = cnp.square(d1 * d2) * (d1 - d2)
    a = (d2 * d2 * r1 - d1 * d1 * r2) / scale
    b = (d1 * d1 * d1 * r2 - d2 * d2 * d2 * r1) / scale
    root = cnp.sqrt(b * b - 3.0 * a * low.dphi)
    return low.a + (root - b) / (3.0 * a)


def _quadratic(low, high):
    """The minimum of the parabola through low (and its slope) and high."""
    d = high.a - low.a
    b = (high.phi - low.phi - low.dphi * d) / (d * d)
    return low.a - low.dphi / (2.0 * b)


def _next_step(state):
    """Interpolated, unless that is too close to an end: then the middle."""
    low, high = state.low, state.high
    left, right = cnp.minimum(low.a, high.a), cnp.maximum(low.a, high.a)

    def inside(a, share):
        margin = share * (high.a - low.a)
        return (a > left + margin) & (a < right - margin)

    cubic = _cubic(low, high, state.previous)
    quadratic = _quadratic(low, high)
    middle = (low.a + high.a) / 2.0
    a = cnp.where(inside(quadratic, 0.1), quadratic, middle)
    return cnp.where((state.count > 0) & inside(cubic, 0.2), cubic, a)


def _zoom(line: Line, low: Point, high: Point, best: Point, wanted) -> _Zoom:
    """Narrows [low, high] until a step in it is good."""
    smallest = 1e-10 if dtypes.finfo(low.a.dtype).bits == 64 else 1e-5

    def step(state):
        # Directed, as JAX: a bracket that runs to the left gets one step.
        narrow = state.high.a - state.low.a <= smallest
        low, high = state.low, state.high
        new = line.at(_next_step(state))
        too_high = line.too_high(new) | (new.phi >= low.phi)
        good = ~too_high & line.flat(new)
        turned = ~too_high & ~good & (new.dphi * (high.a - low.a) >= 0.0)
        better = ~too_high & ~good
        replaced = _choose(too_high | turned, high[:2], low[:2])
        return _Zoom(
            low=_choose(better, new, low),
            high=_choose(too_high, new, _choose(turned, low, high)),
            previous=_choose(too_high | better, replaced, state.previous),
            best=_choose(good, new, state.best),
            count=state.count + 1,
            done=state.done | good,
            failed=state.failed | narrow | (state.count + 1 >= _MAX_ZOOMS),
        )

    middle = ((low.a + high.a) / 2.0, (low.phi + high.phi) / 2.0)
    best = best._replace(a=cnp.ones_like(low.a))
    start = _Zoom(low, high, middle, best, 0, False, False)
    return lax.while_loop(lambda s: wanted & ~s.done & ~s.failed, step, start)


class _Search(NamedTuple):
    last: Point
    best: Point
    i: Any
    evaluations: Any
    done: Any
    failed: Any


def line_search(
    f: Callable,
    x,
    p,
    value,
    gradient,
    older_value=None,
    maxiter: int = 20,
    c1: float = 1e-4,
    c2: float = 0.9,
) -> LineSearch:
    """A step a with f(x + a p) <= f(x) + c1 a f'(x) p and |f'(x + a p) p| <=
    c2 |f'(x) p|. `value` and `gradient` are those at x; `older_value`, that of
    the step before, gives the first length to try."""
    x, p = _core.promote_inexact("line_search", [x, p])
    value, real = cnp.asarray(value), cnp.real(p).dtype

    def slope(g):
        return cnp.real(cnp.dot(g, p, precision=lax.Precision.HIGHEST))

    def at(a):
        phi, g = api.value_and_grad(f)(x + cnp.asarray(a, p.dtype) * p)
        return Point(cnp.asarray(a, real), phi, slope(g), g)

    start = Point(cnp.zeros((), real), value, slope(gradient), gradient)
    line = Line(
        at,
        lambda q: q.phi > start.phi + c1 * q.a * start.dphi,
        lambda q: cnp.abs(q.dphi) <= -c2 * start.dphi,
    )
    first = 1.0
    if older_value is not None:
        first = 1.01 * 2 * (value - older_value) / start.dphi
        first = cnp.where(first > 1, 1.0, first)

    def step(state):
        a = cnp.where(state.i == 1, first, state.last.a * 2.0)
        new, last = line.at(a), state.last
        passed = line.too_high(new) | ((new.phi >= last.phi) & (state.i > 1))
        good = line.flat(new) & ~passed
        rising = (new.dphi >= 0.0) & ~passed & ~good
        # The good step lies between the last and this one: one zoom serves.
        ends = _choose(passed, (last, new), (new, last))
        zoom = _zoom(line, *ends, start, passed | rising)
        best = _choose(good, new, state.best)
        best = _choose(passed | rising, zoom.best, best)
        return _Search(
            last=new,
            best=best,
            i=state.i + 1,
            evaluations=state.evaluations + 1 + zoom.count,
            done=state.done | passed | good | rising,
            failed=state.failed | ((passed | rising) & zoom.failed),
        )

    search = lax.while_loop(
        lambda s: ~s.done & ~s.failed & (s.i <= maxiter),
        step,
        _Search(start, start, 1, 0, False, False),
    )
    status = cnp.where(search.i > maxiter, 3, 0)
    status = cnp.where(search.failed, 1, status)
    a = search.best.a
    if dtypes.finfo(a.dtype).bits != 64:
        # A shorter step would be lost in rounding, and the minimiser stuck.
        a = cnp.where(cnp.abs(a) < 1e-8, cnp.sign(a) * 1e-8, a)
    return LineSearch(
        failed=search.failed | ~search.done,
        evaluations=search.evaluations,
        a=a,
        value=search.best.phi,
        gradient=search.best.gradient,
        status=status,
    )
