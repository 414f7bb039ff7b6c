"""Implicit functions: roots and linear solves with derivatives of their own,
and a while loop that reverse mode takes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src import api, bodies
from cotan._src.custom import custom_jvp, custom_vjp
from cotan.lax._control import (
    cond,
    fori_loop,
    trace_while,
    while_loop,
)
from cotan.tree_util import tree_flatten, tree_unflatten

__all__ = ["checkpointed_while", "custom_linear_solve", "custom_root"]


def _traced(fun, values, tree):
    """`fun` of one argument with the structure of `tree`, traced."""
    in_tree = tree_flatten(((tree_unflatten(tree, values),), {}))[1]
    return bodies.trace(fun, in_tree, [_dispatch.aval_of(x) for x in values])


def _check_tree(name, expected, got, want, has_aux=False):
    if has_aux:
        children = got.children()
        if len(children) != 2:
            raise ValueError(
                f"{name}() produced a pytree with structure {got}, but a "
                "pytree tuple with auxiliary output was expected because "
                "has_aux was set to True."
            )
        got = children[0]
    if got != want:
        raise TypeError(
            f"{name}() output pytree structure must match {expected}, got "
            f"{got} and {want}."
        )


# ---- linear solves


def custom_linear_solve(
    matvec: Callable,
    b,
    solve: Callable,
    transpose_solve: Callable | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
):
    """x with matvec(x) = b, differentiated as such.

    Args:
      matvec: a linear function of pytrees like `b`, invertible.
      b: the right side, arrays in a pytree.
      solve: (matvec, b) -> x, any solver.
      transpose_solve: (vecmat, b) -> x with vecmat(x) = b, for reverse mode.
      symmetric: the function is its own transpose; `solve` serves for both.
      has_aux: `solve` and `transpose_solve` return (x, auxiliary data).

    Derivatives with respect to `b` and what `matvec` closes over are by
    A dx = db - dA x, with the same solver.
    """
    if transpose_solve is None and symmetric:
        transpose_solve = solve
    values, tree = bodies.operands(b, "custom_linear_solve")

    def flat_solver(solver, operator, name):
        def run(rhs):
            return solver(operator, rhs)

        body = _traced(run, values, tree)
        _check_tree(name, "b", body.out_tree, tree, has_aux)
        return body

    a = _traced(matvec, values, tree)
    _check_tree("matvec", "b", a.out_tree, tree)
    s = flat_solver(solve, _shape_checked(matvec, "matvec", tree), "solve")
    back = back_solve = None
    if transpose_solve is not None:
        if symmetric:
            vecmat, back = matvec, a
        else:
            struct = tree_unflatten(
                tree, [api.avals.struct(_dispatch.aval_of(x)) for x in values]
            )
            transposed = api.linear_transpose(matvec, struct)

            def vecmat(x):
                return transposed(x)[0]

            back = _traced(vecmat, values, tree)
        back_solve = flat_solver(
            transpose_solve,
            _shape_checked(vecmat, "vecmat", tree),
            "transpose_solve",
        )
    out = _dispatch.linear_solve_flat(
        a.jaxpr,
        back and back.jaxpr,
        s.jaxpr,
        back_solve and back_solve.jaxpr,
        values,
    )
    return tree_unflatten(s.out_tree, out)


def _shape_checked(fun, name, tree):
    @functools.wraps(fun, updated=())
    def checked(x):
        y = fun(x)
        _check_tree(name, "b", tree_flatten(y)[1], tree)
        return y

    return checked


# ---- roots


def custom_root(
    f: Callable,
    initial_guess,
    solve: Callable,
    tangent_solve: Callable,
    has_aux: bool = False,
):
    """x with f(x) = 0, differentiated by the implicit function theorem.

    Args:
      f: a function of pytrees like `initial_guess`; it may close over values
        that are differentiated.
      initial_guess: where `solve` starts.
      solve: (f, initial_guess) -> x, any solver.
      tangent_solve: (g, y) -> x with g(x) = y, for linear functions g.
      has_aux: `solve` returns (x, auxiliary data), which is not
        differentiated.

    >>> def newton(f, x):
    ...     df = cotan.grad(f)
    ...     step = lambda i, x: x - f(x) / df(x)
    ...     return cotan.lax.fori_loop(0, 8, step, x)
    >>> def root(a):
    ...     return cotan.lax.custom_root(
    ...         lambda x: x * x - a, 1.0, newton, lambda g, y: y / g(1.0))
    >>> bool(abs(cotan.grad(root)(4.0) - 0.25) < 1e-6)
    True
    """
    guess, tree = bodies.operands(initial_guess, "custom_root")
    f_body = _traced(f, guess, tree)
    _check_tree("f", "initial_guess", f_body.out_tree, tree)
    solve_body = _traced(lambda x: solve(f, x), guess, tree)
    _check_tree("solve", "initial_guess", solve_body.out_tree, tree, has_aux)

    def linearize_and_solve(pair):
        x, y = pair
        _, linear = api.linearize(f, x)
        return tangent_solve(linear, y)

    pair_tree = tree_flatten((tree_unflatten(tree, guess),) * 2)[1]
    tangent_body = _traced(linearize_and_solve, guess * 2, pair_tree)
    _check_tree("tangent_solve", "x", tangent_body.out_tree, tree)
    jaxprs = [b.jaxpr for b in (f_body, solve_body, tangent_body)]
    consts = [x for j in jaxprs for x in j.consts]
    counts = [len(j.consts) for j in jaxprs]
    run = _root_of([_dispatch.with_consts(j, []) for j in jaxprs], counts)
    out = run(*consts, *map(_stop, guess))
    return tree_unflatten(solve_body.out_tree, out)


def _root_of(jaxprs, counts):
    """The root as a function of all constants and the guess. It outlives the
    call, so it holds no constants."""
    f, solve, tangent_solve = jaxprs
    ends = np.cumsum(counts)

    def split(args):
        return (
            args[: ends[0]],
            args[ends[0] : ends[1]],
            args[ends[1] : ends[2]],
            args[ends[2] :],
        )

    @custom_jvp
    def root(*args):
        _, consts, _, guess = split(args)
        return solve.eval_with(consts, guess)

    @root.defjvp
    def root_jvp(primals, tangents):
        out = root(*primals)
        values, _, consts, guess = split(primals)
        x, n = out[: len(guess)], len(guess)
        moved = [_zero_tangent(v) for v in out]
        if values:
            # df/dvalues + df/dx dx = 0
            rhs = api.jvp(
                lambda *v: f.eval_with(v, x), values, split(tangents)[0]
            )[1]
            dx = tangent_solve.eval_with(consts, [*x, *rhs])
            moved[:n] = [-v for v in dx]
        return out, moved

    return root


def _stop(x):
    return _core.stop_gradient(x)


def _zero_tangent(x):
    if dtypes.issubdtype(x.dtype, np.inexact):
        return _core.full(x.shape, 0, x.dtype, False)
    return np.zeros(x.shape, dtypes.float0)


# ---- while loops in reverse mode


def checkpointed_while(
    cond_fun: Callable,
    body_fun: Callable,
    init_val,
    *,
    max_steps: int | None = None,
    checkpoints: int | None = None,
):
    """`while_loop` with a reverse mode of bounded memory.

    Args:
      cond_fun, body_fun, init_val: as for `while_loop`.
      max_steps: stops after so many iterations; None: no bound.
      checkpoints: how many carries are kept (default: 16, or the square root
        of `max_steps` if that is more).

    The forward loop keeps carries at a stride that doubles whenever all places
    are taken; the backward loop starts from the last one kept and spreads what
    lies between over the places that are free again, recomputing the rest (a
    simple form of the online checkpointing of Stumm and Walther, 2010). While
    n <= checkpoints that is one more evaluation of the loop, while
    n <= checkpoints ** 2 about log2(checkpoints) of them. Reverse mode only,
    of first order.

    >>> f = lambda x: cotan.lax.checkpointed_while(
    ...     lambda x: x < 10.0, lambda x: x * x, x)
    >>> cotan.grad(f)(3.0)
    Array(108., dtype=float32)
    """
    init, tree = bodies.operands(init_val, "lax.checkpointed_while")
    cond_body, body, init = trace_while(
        cond_fun, body_fun, init_val, init, tree
    )
    if checkpoints is None:
        checkpoints = max(16, int(np.ceil(np.sqrt(max_steps or 1))))
    if checkpoints < 1:
        raise ValueError("checkpointed_while: checkpoints must be positive")
    cond_consts, consts = cond_body.jaxpr.consts, body.jaxpr.consts
    loop = _CheckpointedLoop(
        cond_body.jaxpr, body.jaxpr, max_steps, checkpoints
    )
    run = _checkpointed(loop, len(cond_consts), len(consts))
    out = run(*map(_stop, cond_consts), *consts, *init)
    return tree_unflatten(body.out_tree, out)


def _checkpointed(loop, nc, nb):
    def split(args):
        return args[:nc], args[nc : nc + nb], args[nc + nb :]

    @custom_vjp
    def run(*args):
        return loop.forward(*split(args))[0]

    def fwd(*args):
        c, b, init = split(args)
        out, kept = loop.forward(c, b, init)
        return out, (b, kept)

    def bwd(residuals, cts):
        db, dx = loop.backward(*residuals, cts)
        return (*(None for _ in range(nc)), *db, *dx)

    run.defvjp(fwd, bwd)
    return run


def _i32(n):
    return _core.full((), n, np.dtype("int32"), False)


def _inexact(x):
    return dtypes.issubdtype(x.dtype, np.inexact)


def _chosen(values, flags):
    return tuple(v for v, ok in zip(values, flags, strict=True) if ok)


def _merged(values, others, flags):
    """values where the flag is set, else what `others` has there."""
    rest = iter(values)
    return [
        next(rest) if ok else v for v, ok in zip(others, flags, strict=True)
    ]


def _put(slots, i, x):
    return tuple(
        _core.dynamic_update_slice(
            s, _core.expand_dims(v, (0,)), [i, *[_i32(0)] * v.ndim], False
        )
        for s, v in zip(slots, x, strict=True)
    )


def _get(slots, i):
    return tuple(
        _core.squeeze(
            _core.dynamic_slice(
                s, [i, *[_i32(0)] * (s.ndim - 1)], (1, *s.shape[1:]), False
            ),
            (0,),
        )
        for s in slots
    )


class _CheckpointedLoop:
    """The loops of checkpointed_while, on lists of arrays. Row s of `slots`
    is the carry before step steps[s]; the first `used` rows are in use, in
    the order of their steps."""

    def __init__(self, cond_jaxpr, body_jaxpr, max_steps, checkpoints):
        self.cond, self.body = cond_jaxpr, body_jaxpr
        self.max_steps, self.n = max_steps, checkpoints

    def step(self, b, x):
        return tuple(map(_core.strong, self.body.eval_with(b, x)))

    def forward(self, c, b, init):
        """(last carry, (slots, steps, used, number of steps))"""
        n = self.n
        init = tuple(map(_core.strong, init))
        # One row more than are kept: for the step that is differentiated.
        slots = tuple(
            _core.full((n + 1, *x.shape), 0, x.dtype, False) for x in init
        )
        steps = _core.full((n + 1,), 0, np.dtype("int32"), False)
        half = (n + 1) // 2
        every_other = np.minimum(np.arange(n + 1) * 2, n)

        def more(state):
            t, x = state[0], state[1]
            ok = self.cond.eval_with(c, x)[0]
            return ok if self.max_steps is None else ok & (t < self.max_steps)

        def thin(kept):
            slots, steps, _, stride = kept
            slots = tuple(s[every_other] for s in slots)
            return slots, steps[every_other], _i32(half), stride * 2

        def body(state):
            t, x, kept = state

            def keep(kept):
                slots, steps, used, stride = kept
                slots = _put(slots, used, x)
                (steps,) = _put((steps,), used, (t,))
                return slots, steps, used + 1, stride

            full = (kept[2] >= n) & (t % kept[3] == 0)
            kept = cond(full, thin, lambda k: k, kept)
            kept = cond(t % kept[3] == 0, keep, lambda k: k, kept)
            return t + 1, self.step(b, x), kept

        kept = (slots, steps, _i32(0), _i32(1))
        t, out, kept = while_loop(more, body, (_i32(0), init, kept))
        return list(out), (*kept[:3], t)

    def backward(self, b, kept, cts):
        """Cotangents of what body closes over and of the first carry."""
        slots, steps, used, total = kept
        x_flags = [_inexact(s) for s in slots]
        b_flags = [_inexact(v) for v in b]
        ct = tuple(map(_core.strong, _chosen(cts, x_flags)))
        db = tuple(
            _core.full(v.shape, 0, v.dtype, False) for v in _chosen(b, b_flags)
        )

        def pull(x, ct):
            """The cotangents of one step at carry x."""

            def step(bs, xs):
                y = self.step(_merged(bs, b, b_flags), _merged(xs, x, x_flags))
                return _chosen(y, x_flags)

            bs = tuple(map(_core.strong, _chosen(b, b_flags)))
            return api.vjp(step, bs, _chosen(x, x_flags))[1](ct)

        def advance(t, state):
            # One free row is left at least: what is stored in the last one
            # is step t itself.
            slots, steps, used = state
            gap = t - steps[used - 1]
            free = self.n + 1 - used
            jump = (gap + free - 1) // free
            x = fori_loop(
                _i32(0),
                jump,
                lambda _, x: self.step(b, x),
                _get(slots, used - 1),
            )
            (steps,) = _put((steps,), used, (steps[used - 1] + jump,))
            return _put(slots, used, x), steps, used + 1

        def one_step(i, state):
            rows, ct, db = state
            t = total - 1 - i
            rows = while_loop(
                lambda r: r[1][r[2] - 1] < t,
                functools.partial(advance, t),
                rows,
            )
            slots, steps, used = rows
            more_b, ct = pull(_get(slots, used - 1), ct)
            db = tuple(p + q for p, q in zip(db, more_b, strict=True))
            return (slots, steps, used - 1), ct, db

        rows = (slots, steps, used)
        _, ct, db = fori_loop(_i32(0), total, one_step, (rows, ct, db))
        return (
            _merged(db, [None] * len(b_flags), b_flags),
            _merged(ct, [None] * len(x_flags), x_flags),
        )
