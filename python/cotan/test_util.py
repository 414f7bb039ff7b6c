"""Checks of derivatives against finite differences, as in
`jax.test_util`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from cotan import dtypes
from cotan._src import api
from cotan._src.avals import leaf_aval
from cotan.tree_util import tree_leaves, tree_map

__all__ = ["check_grads", "check_jvp", "check_vjp"]

_EPS = 1e-4
# Relative and absolute errors that differences of each dtype may show.
_TOLERANCE = {
    "bfloat16": 1e-1,
    "float16": 1e-2,
    "float32": 2e-3,
    "float64": 1e-5,
    "complex64": 1e-3,
    "complex128": 1e-5,
}


def _tolerance(dtype, given) -> float:
    name = np.dtype(dtype).name
    if isinstance(given, dict):
        given = {np.dtype(k).name: v for k, v in given.items()}.get(name)
    return _TOLERANCE.get(name, 0.0) if given is None else given


def _is_float0(x) -> bool:
    return np.asarray(x).dtype == dtypes.float0


def _check_close(got, want, atol, rtol, what: str):
    def check(a, b):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape, (
            f"{what}: shapes differ: {a.shape}, {b.shape}"
        )
        if a.dtype == dtypes.float0:
            return
        tol = [
            max(_tolerance(a.dtype, t), _tolerance(b.dtype, t)) * max(a.size, 1)
            for t in (atol, rtol)
        ]
        wide = np.complex128 if a.dtype.kind == "c" else np.float64
        np.testing.assert_allclose(
            a.astype(wide),
            b.astype(wide),
            atol=tol[0],
            rtol=tol[1],
            err_msg=what,
        )

    tree_map(check, got, want)


def _like(x, f):
    """f applied in x's dtype; Python scalars stay such."""
    dtype = leaf_aval(x)[0]
    y = np.asarray(f(), dtype)
    return y.item() if isinstance(x, (float, complex)) else y


def _random_like(rng, x):
    # Drawn as in jax.test_util: in the same directions a check that is close
    # to its tolerance has the same outcome.
    dtype, shape, _ = leaf_aval(x)
    if not dtypes.issubdtype(dtype, np.inexact):
        return np.zeros(shape, dtypes.float0)

    def draw():
        y = rng.randn(*shape)
        if dtypes.issubdtype(dtype, np.complexfloating):
            y = y + 1j * rng.randn(*shape)
        return y

    return _like(x, draw)


def _moved(args, tangents, step):
    def move(x, t):
        if _is_float0(t):
            return x
        return _like(x, lambda: np.asarray(x) + step * np.asarray(t))

    return tree_map(move, args, tangents)


def _difference(a, b, eps):
    a, b = np.asarray(a), np.asarray(b)
    if not dtypes.issubdtype(a.dtype, np.inexact):
        return np.zeros(a.shape, dtypes.float0)
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    with np.errstate(invalid="ignore"):
        d = np.where(a == b, 0, a.astype(wide) - b.astype(wide))
    return (d / (2 * eps)).astype(a.dtype)


def _numerical_jvp(f, args, tangents, eps):
    high, low = (
        f(*_moved(args, tangents, eps)),
        f(*_moved(args, tangents, -eps)),
    )
    return tree_map(lambda a, b: _difference(a, b, eps), high, low)


def check_jvp(
    f: Callable,
    f_jvp: Callable,
    args,
    atol=None,
    rtol=None,
    eps=_EPS,
    err_msg: str = "",
):
    """Compares f_jvp(args, tangents) -> (out, out tangents) with f and its
    differences along random tangents."""
    prefix = f"{err_msg} " if err_msg else ""
    args = tuple(args)
    rng = np.random.RandomState(0)
    tangents = tree_map(functools.partial(_random_like, rng), args)
    out, t_out = f_jvp(args, tangents)
    _check_close(out, f(*args), atol, rtol, prefix + "primal")
    want = _numerical_jvp(f, args, tangents, eps)
    _check_close(t_out, want, atol, rtol, prefix + "tangent")


def _inner(xs, ys) -> float:
    total = 0.0
    for x, y in zip(tree_leaves(xs), tree_leaves(ys), strict=True):
        if _is_float0(x) or _is_float0(y):
            continue
        x, y = (np.asarray(v) for v in (x, y))
        wide = np.complex128 if x.dtype.kind == "c" else np.float64
        total += np.vdot(x.astype(wide), y.astype(wide)).real
    return total


def _conj(xs):
    def one(x):
        return x if _is_float0(x) else np.conj(np.asarray(x))

    return tree_map(one, xs)


def check_vjp(
    f: Callable,
    f_vjp: Callable,
    args,
    atol=None,
    rtol=None,
    eps=_EPS,
    err_msg: str = "",
):
    """Compares f_vjp(*args) -> (out, pullback) with f, and products of
    cotangents and random tangents with its differences."""
    prefix = f"{err_msg} " if err_msg else ""
    args = tuple(args)
    rng = np.random.RandomState(0)
    out, pullback = f_vjp(*args)
    _check_close(out, f(*args), atol, rtol, prefix + "primal")
    tangents = tree_map(functools.partial(_random_like, rng), args)
    t_out = _numerical_jvp(f, args, tangents, eps)
    ct = tree_map(functools.partial(_random_like, rng), out)
    ct_in = _conj(pullback(_conj(ct)))
    got, want = _inner(tangents, ct_in), _inner(t_out, ct)
    leaves = [x for x in tree_leaves((tangents, ct)) if not _is_float0(x)]
    dtype = np.result_type(*[_plain(x) for x in leaves] or [np.float32])
    _check_close(
        np.asarray(got, dtype),
        np.asarray(want, dtype),
        atol,
        rtol,
        prefix + "cotangent projection",
    )


def _plain(x):
    d = np.asarray(x).dtype
    if isinstance(x, (float, complex)):
        d = leaf_aval(x)[0]
    return d if d.name == "bfloat16" else np.empty(0, d).real.dtype


def check_grads(
    f: Callable,
    args,
    order: int,
    modes=("fwd", "rev"),
    atol=None,
    rtol=None,
    eps=None,
):
    """Checks derivatives of f up to `order` against finite differences.

    modes: of "fwd" (jvp), "rev" (vjp) and "lin" (linearize). Raises
    AssertionError where they differ by more than the dtype's tolerance.

    >>> cotan.test_util.check_grads(cnp.sin, (1.0,), order=2)
    """
    eps = eps or _EPS
    check = dict(atol=atol, rtol=rtol, eps=eps)

    def run(f, args, order, message):
        def name(kind):
            return f"{kind} of {message}" if message else kind

        if "fwd" in modes:
            f_jvp = functools.partial(api.jvp, f)
            check_jvp(f, f_jvp, args, err_msg=name("JVP"), **check)
            if order > 1:
                run(f_jvp, (args, args), order - 1, name("JVP"))
        if "rev" in modes:
            f_vjp = functools.partial(api.vjp, f)
            check_vjp(f, f_vjp, args, err_msg=name("VJP"), **check)
            if order > 1:

                def pulled(*args):
                    out, pullback = api.vjp(f, *args)
                    return pullback(out)

                run(pulled, args, order - 1, name("VJP"))
        if "lin" in modes:
            f_lin = functools.partial(_jvp_from_linearize, f)
            check_jvp(f, f_lin, args, err_msg=name("LIN"), **check)
            if order > 1:
                run(f_lin, (args, args), order - 1, name("LIN"))

    run(f, tuple(args), order, "")


def _jvp_from_linearize(f, primals, tangents):
    out, f_lin = api.linearize(f, *primals)
    return out, f_lin(*tangents)
