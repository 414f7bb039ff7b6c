"""Jacobians and Hessians: a basis pushed or pulled through a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src.api import (
    _check_callable,
    _close_over,
    _dtype_of,
    _named,
    _to_arrays,
    jvp,
    vjp,
    vmap,
)
from cotan.tree_util import (
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_unflatten,
)


def jacfwd(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable:
    """The Jacobian, column by column in forward mode.

    The result has the output's tree, each leaf of shape
    output shape + argument shape.
    """
    return _jacobian(fun, argnums, has_aux, holomorphic, _columns, "jacfwd")


def jacrev(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable:
    """The Jacobian, row by row in reverse mode; shapes as for `jacfwd`."""
    return _jacobian(
        fun, argnums, has_aux, holomorphic, _rows, "jacrev", allow_int
    )


jacobian = jacrev


def hessian(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable:
    """The matrix of second derivatives, as jacfwd of jacrev."""
    return jacfwd(
        jacrev(fun, argnums, has_aux=has_aux, holomorphic=holomorphic),
        argnums,
        has_aux=has_aux,
        holomorphic=holomorphic,
    )


def _jacobian(
    fun, argnums, has_aux, holomorphic, method, name, allow_int=False
):
    _check_callable(fun)
    single = isinstance(argnums, int)
    nums = (argnums,) if single else tuple(argnums)

    def jac_f(*args, **kwargs):
        where = [n % len(args) for n in nums]
        dyn = tuple(args[i] for i in where)
        for leaf in tree_leaves(dyn):
            _check_jac_input(leaf, holomorphic, allow_int, name)
        partial_f = _close_over(fun, args, kwargs, where)
        jac, aux = method(partial_f, dyn, has_aux, holomorphic)
        if single:
            jac = tree_map(
                lambda t: t[0], jac, is_leaf=lambda t: isinstance(t, _Row)
            )
        else:
            jac = tree_map(tuple, jac, is_leaf=lambda t: isinstance(t, _Row))
        return (jac, aux) if has_aux else jac

    return _named(jac_f, fun, name)


class _Row(tuple):
    """Jacobians of one output leaf, per argument."""


def _check_jac_input(x, holomorphic, allow_int, name):
    dtype = _dtype_of(x)
    if holomorphic:
        if not dtypes.issubdtype(dtype, np.complexfloating):
            raise TypeError(
                f"{name} with holomorphic=True requires inputs with complex "
                f"dtype, but got {dtype.name}."
            )
        return
    kind = np.inexact if name == "jacrev" else np.floating
    if not dtypes.issubdtype(dtype, kind) and not allow_int:
        raise TypeError(
            f"{name} requires real-valued inputs (input dtype that is a "
            f"sub-dtype of np.floating), but got {dtype.name}."
        )


def _basis(leaves):
    """Per leaf: unit tangents of all leaves, stacked along axis 0."""
    sizes = [int(np.prod(x.shape, dtype=np.int64)) for x in leaves]
    total, start, out = sum(sizes), 0, []
    for x, n in zip(leaves, sizes, strict=True):
        eye = np.zeros((total, n), np.bool_)
        eye[np.arange(start, start + n), np.arange(n)] = True
        b = _dispatch.to_array(eye.reshape((total, *x.shape)))
        out.append(_core.convert(b, x.dtype, x.weak_type))
        start += n
    return out, sizes


def _columns(fun, dyn, has_aux, holomorphic):
    leaves, tree = tree_flatten(dyn)
    leaves = _to_arrays(leaves, "jacfwd")
    basis, sizes = _basis(leaves)
    state = {}

    def push(*ts):
        out = jvp(
            fun,
            tree_unflatten(tree, leaves),
            tree_unflatten(tree, ts),
            has_aux=has_aux,
        )
        state["aux"] = out[2] if has_aux else None
        return out[1]

    out = vmap(push, out_axes=-1)(*basis)
    for y in tree_leaves(out):
        _check_jac_output(y, holomorphic, "jacfwd")

    def split(y):
        parts, start = [], 0
        for x, n in zip(leaves, sizes, strict=True):
            part = _core.slice_axis(y, len(y.shape) - 1, start, start + n)
            parts.append(_core.reshape(part, y.shape[:-1] + x.shape))
            start += n
        return _Row(tree_unflatten(tree, parts))

    return tree_map(split, out), _concrete_aux(fun, dyn, has_aux, state)


def _concrete_aux(fun, dyn, has_aux, state):
    if not has_aux:
        return None
    # Aux was computed inside vmap: recompute it outside of the batch.
    return fun(*dyn)[1] if state.get("aux") is not None else None


def _rows(fun, dyn, has_aux, holomorphic):
    out = vjp(fun, *dyn, has_aux=has_aux)
    y, pull = out[0], out[1]
    leaves, tree = tree_flatten(y)
    for leaf in leaves:
        _check_jac_output(leaf, holomorphic, "jacrev")
    basis, sizes = _basis(leaves)
    rows = vmap(pull)(tree_unflatten(tree, basis))
    row_leaves, row_tree = tree_flatten(rows)
    blocks, start = [], 0
    for leaf, n in zip(leaves, sizes, strict=True):
        parts = [
            _core.reshape(
                _core.slice_axis(r, 0, start, start + n),
                tuple(leaf.shape) + r.shape[1:],
            )
            for r in row_leaves
        ]
        blocks.append(_Row(tree_unflatten(row_tree, parts)))
        start += n
    return tree_unflatten(tree, blocks), out[2] if has_aux else None


def _check_jac_output(y, holomorphic, name):
    is_complex = dtypes.issubdtype(y.dtype, np.complexfloating)
    if holomorphic != is_complex and (holomorphic or is_complex):
        raise TypeError(
            f"{name} with holomorphic={holomorphic} got an output of dtype "
            f"{y.dtype.name}."
        )
