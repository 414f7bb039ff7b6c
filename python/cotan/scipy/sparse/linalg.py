"""Iterative solvers of A x = b: cg, bicgstab, gmres.

A vector is any pytree of arrays, an operator any linear function of it. Each
solver is a loop from a starting vector; `lax.custom_linear_solve` around it
makes derivatives further solves, so they hold as far as those converge.
"""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

import cotan.numpy as cnp
from cotan import _dispatch, dtypes, lax
from cotan._src import absent, bodies
from cotan.scipy import linalg as dense
from cotan.tree_util import (
    tree_leaves,
    tree_map,
    tree_structure,
    tree_unflatten,
)

__all__ = ["bicgstab", "cg", "gmres"]

# ---- vectors that are pytrees

_add = functools.partial(tree_map, operator.add)
_sub = functools.partial(tree_map, operator.sub)
_dot = functools.partial(cnp.dot, precision=lax.Precision.HIGHEST)
_vdot = functools.partial(cnp.vdot, precision=lax.Precision.HIGHEST)


def _scale(factor, x):
    return tree_map(lambda leaf: factor * leaf, x)


def _inner(x, y):
    return sum(tree_leaves(tree_map(_vdot, x, y)))


def _real_inner(x, y):
    """Re <x, y>: all of it where one is a Hermitian operator's image."""

    def leaf(a, b):
        total = _vdot(cnp.real(a), cnp.real(b))
        if cnp.iscomplexobj(a) or cnp.iscomplexobj(b):
            total = total + _vdot(cnp.imag(a), cnp.imag(b))
        return total

    return sum(tree_leaves(tree_map(leaf, x, y)))


def _norm(x):
    return cnp.sqrt(_real_inner(x, x))


def _normalized(x, threshold=None):
    """(x / |x|, |x|), both 0 where |x| is not above `threshold` (eps)."""
    norm = _norm(x)
    if threshold is None:
        threshold = dtypes.finfo(norm.dtype).eps
    usable = norm > threshold
    unit = tree_map(lambda v: cnp.where(usable, v / norm.astype(v.dtype), 0), x)
    return unit, cnp.where(usable, norm, 0.0)


def _choose(condition, x, y):
    return tree_map(lambda a, b: cnp.where(condition, a, b), x, y)


def _dtype_of(x):
    return dtypes.result_type(*tree_leaves(x))


# ---- arguments


def _identity(x):
    return x


def _function(a):
    """A linear operator as a function."""
    if callable(a):
        return a
    if not hasattr(a, "__matmul__"):
        raise TypeError(
            f"linear operator must be either a function or ndarray: {a}"
        )
    if len(a.shape) != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(
            f"linear operator must be a square matrix, but has shape: {a.shape}"
        )
    if isinstance(a, np.ndarray) or _dispatch.is_array(a):
        return functools.partial(_dot, a)
    return functools.partial(operator.matmul, a)


def _system(a, b, x0, maxiter, m, name):
    """A, b, x0, maxiter, M with their defaults, checked."""
    values, tree = bodies.operands(b, name)
    b = tree_unflatten(tree, values)
    if x0 is None:
        x0 = tree_map(cnp.zeros_like, b)
    if tree_structure(x0) != tree:
        raise ValueError(
            "x0 and b must have matching tree structure: "
            f"{tree_structure(x0)} vs {tree}"
        )
    x0 = tree_unflatten(tree, bodies.operands(x0, name)[0])
    shapes = [[v.shape for v in tree_leaves(t)] for t in (x0, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "arrays in x0 and b must have matching shapes: "
            f"{shapes[0]} vs {shapes[1]}"
        )
    size = sum(v.size for v in values)
    if maxiter is None:
        maxiter = 10 * size
    m = _identity if m is None else _function(m)
    return _function(a), b, x0, maxiter, m, size


def _squared_tolerance(b, tol, atol):
    return cnp.maximum(cnp.square(tol) * _real_inner(b, b), cnp.square(atol))


# ---- conjugate gradients


def _cg(a, b, *, x0, tol, atol, maxiter, m):
    """Preconditioned conjugate gradients; Saad, Iterative Methods for Sparse
    Linear Systems, algorithm 9.1."""
    goal = _squared_tolerance(b, tol, atol)

    def unfinished(state):
        _, r, gamma, _, k = state
        squared = cnp.real(gamma) if m is _identity else _real_inner(r, r)
        return (squared > goal) & (k < maxiter)

    def step(state):
        x, r, gamma, p, k = state
        ap = a(p)
        alpha = gamma / _real_inner(p, ap).astype(gamma.dtype)
        x = _add(x, _scale(alpha, p))
        r = _sub(r, _scale(alpha, ap))
        z = m(r)
        new_gamma = _real_inner(r, z).astype(gamma.dtype)
        p = _add(z, _scale(new_gamma / gamma, p))
        return x, r, new_gamma, p, k + 1

    r = _sub(b, a(x0))
    p = m(r)
    gamma = _real_inner(r, p).astype(_dtype_of(p))
    return lax.while_loop(unfinished, step, (x0, r, gamma, p, 0))[0]


def cg(A, b, x0=None, *, tol=1e-5, atol=0.0, maxiter=None, M=None):
    """Solves A x = b for a Hermitian positive definite A.

    Args:
      A: a square matrix, or a function of pytrees like `b`.
      b: the right side, arrays in a pytree.
      x0: where to start, like `b` (None: zeros).
      tol, atol: stops where |b - A x| <= max(tol |b|, atol).
      maxiter: at most so many steps (None: ten times the size of `b`).
      M: an approximation of the inverse of A, matrix or function.

    Returns (x, None).

    >>> a = cnp.array([[4.0, 1.0], [1.0, 3.0]])
    >>> cg(a, cnp.array([1.0, 2.0]))[0].round(4)
    Array([0.0909, 0.6364], dtype=float32)
    """
    A, b, x0, maxiter, M, _ = _system(A, b, x0, maxiter, M, "cg")
    solve = functools.partial(
        _cg, x0=x0, tol=tol, atol=atol, maxiter=maxiter, m=M
    )
    real = not any(map(cnp.iscomplexobj, tree_leaves(b)))
    x = lax.custom_linear_solve(
        A, b, solve=solve, transpose_solve=solve, symmetric=real
    )
    return x, None


# ---- stabilised biconjugate gradients


def _bicgstab(a, b, *, x0, tol, atol, maxiter, m):
    """van der Vorst, SIAM J. Sci. Stat. Comput. 13 (1992), with a right
    preconditioner. A count below zero says that the recurrence broke down."""
    goal = _squared_tolerance(b, tol, atol)

    def unfinished(state):
        r, k = state[1], state[-1]
        return (_real_inner(r, r) > goal) & (k < maxiter) & (k >= 0)

    def step(state):
        x, r, shadow, alpha, omega, rho, p, q, k = state
        new_rho = _inner(shadow, r)
        beta = new_rho / rho * alpha / omega
        p = _add(r, _scale(beta, _sub(p, _scale(omega, q))))
        mp = m(p)
        q = a(mp)
        alpha = new_rho / _inner(shadow, q)
        s = _sub(r, _scale(alpha, q))
        half = _add(x, _scale(alpha, mp))
        early = _real_inner(s, s) < goal
        ms = m(s)
        t = a(ms)
        omega = _inner(t, s) / _inner(t, t)
        x = _choose(early, half, _add(half, _scale(omega, ms)))
        r = _choose(early, s, _sub(s, _scale(omega, t)))
        k = cnp.where((omega == 0) | (alpha == 0), -11, k + 1)
        k = cnp.where(new_rho == 0, -10, k)
        return x, r, shadow, alpha, omega, new_rho, p, q, k

    r = _sub(b, a(x0))
    one = _inner(b, b) * 0 + 1  # of the dtype and weak type of the products
    start = (x0, r, r, one, one, one, r, r, 0)
    return lax.while_loop(unfinished, step, start)[0]


def bicgstab(A, b, x0=None, *, tol=1e-5, atol=0.0, maxiter=None, M=None):
    """Solves A x = b for any invertible A; arguments and result as of `cg`."""
    A, b, x0, maxiter, M, _ = _system(A, b, x0, maxiter, M, "bicgstab")
    solve = functools.partial(
        _bicgstab, x0=x0, tol=tol, atol=atol, maxiter=maxiter, m=M
    )
    x = lax.custom_linear_solve(A, b, solve=solve, transpose_solve=solve)
    return x, None


# ---- generalised minimal residuals
#
# A basis is a vector whose leaves have one more axis, the last, of the
# restart's length + 1. H is kept as rows: H[k] holds the coefficients of the
# k-th image in the basis.


def _coefficients(basis, v):
    def leaf(q, x):
        return cnp.einsum(
            "...n,...->n", cnp.conj(q), x, precision=lax.Precision.HIGHEST
        )

    return functools.reduce(operator.add, tree_leaves(tree_map(leaf, basis, v)))


def _combination(basis, coefficients):
    return tree_map(lambda q: _dot(q, coefficients), basis)


def _orthogonalized(basis, v, norm):
    """v without its parts along `basis`, and those: classical Gram-Schmidt,
    again where the first pass left rounding errors ("twice is enough";
    Giraud, Langou, Rozloznik, Comput. Math. Appl. 50 (2005))."""
    first = _coefficients(basis, v)
    v = _sub(v, _combination(basis, first))

    def again(state):
        v, parts = state
        more = _coefficients(basis, v)
        return _sub(v, _combination(basis, more)), parts + more

    cancelled = _norm(v) < norm * math.sqrt(0.5)
    return lax.cond(cancelled, again, lambda state: state, (v, first))


def _arnoldi(k, a, m, basis, h):
    """Extends the basis by M A basis[k]; (basis, h, whether it is complete)."""
    v = m(a(tree_map(lambda q: q[..., k], basis)))
    norm = _normalized(v)[1]
    v, row = _orthogonalized(basis, v, norm)
    unit, rest = _normalized(v, dtypes.finfo(norm.dtype).eps * norm)
    basis = tree_map(lambda q, x: q.at[..., k + 1].set(x), basis, unit)
    row = row.at[k + 1].set(rest.astype(row.dtype))
    return basis, h.at[k, :].set(row), rest == 0.0


def _first_basis(unit, restart):
    def leaf(x):
        rest = cnp.zeros((*x.shape, restart), x.dtype)
        return cnp.concatenate([x[..., None], rest], -1)

    return tree_map(leaf, unit)


def _batched_cycle(a, b, x, unit, norm, _, restart, m):
    """A whole Krylov space, then one least squares problem in it."""
    basis = _first_basis(unit, restart)
    # The unit matrix keeps the problem regular if the space is exhausted.
    h = cnp.eye(restart, restart + 1, dtype=_dtype_of(b))

    def step(state):
        basis, h, _, k = state
        return *_arnoldi(k, a, m, basis, h), k + 1

    basis, h, _, _ = lax.while_loop(
        lambda state: (state[3] < restart) & ~state[2],
        step,
        (basis, h, False, 0),
    )
    rhs = cnp.zeros(restart + 1, h.dtype).at[0].set(norm.astype(h.dtype))
    normal = _dot(cnp.conj(h), h.T)
    y = dense.solve(normal, _dot(cnp.conj(h), rhs), assume_a="pos")
    return _restarted(a, b, x, basis, y, m)


def _incremental_cycle(a, b, x, unit, norm, goal, restart, m):
    """A triangular factor of H by rotations as the space grows, which also
    tells the residual, so the cycle can end early (Saad, section 6.5.3)."""
    basis = _first_basis(unit, restart)
    dtype = _dtype_of(b)
    r = cnp.eye(restart, restart + 1, dtype=dtype)
    rotations = cnp.zeros((restart, 2), dtype)
    rhs = cnp.zeros(restart + 1, dtype).at[0].set(norm.astype(dtype))

    def step(state):
        k, _, basis, r, rhs, rotations = state
        basis, r, _ = _arnoldi(k, a, m, basis, r)
        row = lax.fori_loop(
            0, k, lambda i, row: _rotate(row, i, rotations[i]), r[k]
        )
        rotation = _rotation(row[k], row[k + 1])
        rotations = rotations.at[k].set(rotation)
        r = r.at[k].set(_rotate(row, k, rotation))
        rhs = _rotate(rhs, k, rotation)
        return k + 1, cnp.abs(rhs[k + 1]), basis, r, rhs, rotations

    _, _, basis, r, rhs, _ = lax.while_loop(
        lambda state: (state[0] < restart) & (state[1] > goal),
        step,
        (0, norm, basis, r, rhs, rotations),
    )
    y = dense.solve_triangular(r[:, :-1].T, rhs[:-1])
    return _restarted(a, b, x, basis, y, m)


def _rotation(a, b):
    """[c, s] of the rotation that takes (a, b) to (r, 0); Golub and Van Loan,
    algorithm 5.1.3."""
    nothing, larger = cnp.abs(b) == 0, cnp.abs(a) < cnp.abs(b)
    t = -cnp.where(larger, a, b) / cnp.where(larger, b, a)
    r = lax.rsqrt(1 + cnp.square(cnp.abs(t))).astype(t.dtype)
    c = cnp.where(nothing, 1, cnp.where(larger, r * t, r))
    s = cnp.where(nothing, 0, cnp.where(larger, r, r * t))
    return cnp.stack([c, s])


def _rotate(x, i, rotation):
    c, s = rotation
    u, v = x[i], x[i + 1]
    x = x.at[i].set(cnp.conj(c) * u - cnp.conj(s) * v)
    return x.at[i + 1].set(s * u + c * v)


def _restarted(a, b, x, basis, y, m):
    """x moved by y in the basis; the unit residual there and its norm."""
    x = _add(x, tree_map(lambda q: _dot(q[..., :-1], y), basis))
    return x, *_normalized(m(_sub(b, a(x))))


_CYCLES = {"batched": _batched_cycle, "incremental": _incremental_cycle}


def gmres(
    A,
    b,
    x0=None,
    *,
    tol=1e-5,
    atol=0.0,
    restart=20,
    maxiter=None,
    M=None,
    solve_method="batched",
):
    """Solves A x = b for any invertible A by minimal residuals.

    Args:
      A, b, x0, tol, atol, M: as for `cg`.
      restart: the dimension of the Krylov space, kept in memory.
      maxiter: at most so many such spaces (None: ten times the size of `b`).
      solve_method: "incremental" ends a cycle as soon as the residual is small
        enough; "batched" solves one dense problem per cycle.

    Returns (x, info): 0, or -1 if x is not a number.

    >>> a = cnp.array([[2.0, 1.0], [0.0, 3.0]])
    >>> gmres(a, cnp.array([3.0, 3.0]))[0].round(4)
    Array([1., 1.], dtype=float32)
    """
    if solve_method not in _CYCLES:
        raise ValueError(
            f"invalid solve_method {solve_method}, must be either "
            "'incremental' or 'batched'"
        )
    cycle = _CYCLES[solve_method]
    A, b, x0, maxiter, M, size = _system(A, b, x0, maxiter, M, "gmres")
    restart = min(restart, size)
    norm = _norm(b)
    atol = cnp.maximum(tol * norm, atol)
    inner_goal = _norm(M(b)) * cnp.minimum(1.0, atol / norm)

    def solve(a, b):
        def step(state):
            x, k, unit, norm = state
            x, unit, norm = cycle(a, b, x, unit, norm, inner_goal, restart, M)
            return x, k + 1, unit, norm

        start = _normalized(M(_sub(b, a(x0))))
        return lax.while_loop(
            lambda state: (state[1] < maxiter) & (state[3] > atol),
            step,
            (x0, 0, *start),
        )[0]

    x = lax.custom_linear_solve(A, b, solve=solve, transpose_solve=solve)
    return x, cnp.where(cnp.isnan(_norm(x)), -1, 0)


def __getattr__(name):
    raise absent.error(__name__, name)
