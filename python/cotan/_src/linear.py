"""Linear functions that transformations return: those of vjp, linearize and
linear_transpose.

Each is a pytree. Its children are the values that it needs; what is static (the
program, trees and types) is a rule that compares by structure. So they pass in
and out of `jit`, `vmap` and loops like any other value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src import avals
from cotan._tree_prefix import equality_errors_pytreedef
from cotan.tree_util import (
    keystr,
    register_pytree_node,
    tree_flatten,
    tree_unflatten,
)


def fill_cotangents(cts, leaves):
    """Zeros where nothing flowed, float0 for what is not differentiable."""
    return fill_zeros(cts, [avals.leaf_aval(x) for x in leaves])


def fill_zeros(cts, types):
    out = []
    for ct, (dtype, shape, weak) in zip(cts, types, strict=True):
        if ct is not None:
            out.append(ct)
        elif dtypes.issubdtype(dtype, np.inexact):
            out.append(_core.full(shape, 0, dtype, weak))
        else:
            out.append(np.zeros(shape, dtypes.float0))
    return out


def _is_float0(x):
    return getattr(x, "dtype", None) == dtypes.float0


def checked_tangent(x, aval, what, kind):
    """x as a tangent for a primal of this aval; None for float0."""
    dtype, shape, _ = aval
    if not dtypes.issubdtype(dtype, np.inexact):
        if not _is_float0(x):
            raise TypeError(
                f"primal and {kind} arguments to {what} do not match; dtypes "
                f"must be equal, or in the case of int/bool primal dtype the "
                f"{kind} dtype must be float0. Got primal dtype {dtype} and "
                f"{kind} dtype {avals.leaf_aval(x)[0]}."
            )
        return None
    if _is_float0(x):
        raise TypeError(
            f"primal and {kind} arguments to {what} do not match: got a "
            f"float0 {kind} for a primal of dtype {dtype.name}"
        )
    t_dtype, t_shape, _ = avals.leaf_aval(x)
    if t_dtype != dtype:
        raise TypeError(
            f"primal and {kind} arguments to {what} do not match; dtypes must "
            f"be equal. Got primal dtype {dtype.name} and {kind} dtype "
            f"{t_dtype.name}."
        )
    if t_shape != shape:
        raise ValueError(
            f"{what} called with different primal and {kind} shapes; got "
            f"primal shape {shape} and {kind} shape as {t_shape}"
        )
    return _dispatch.to_array(x)


def _tangent_type(aval):
    dtype, shape, weak = aval
    if not dtypes.issubdtype(dtype, np.inexact):
        dtype = dtypes.float0
    return dtype, tuple(shape), weak


def _text(aval):
    dtype, shape, _ = aval
    name = "float0" if dtype == dtypes.float0 else dtype.name
    return f"{name}[{','.join(map(str, shape))}]"


def _given_type(x):
    if _is_float0(x):
        return dtypes.float0, tuple(x.shape), False
    return avals.leaf_aval(x)


def _as_tangent(x, aval, error):
    """x as an Array, None if it is float0; ValueError if its type is not that
    of tangents of `aval`."""
    got, want = _given_type(x), _tangent_type(aval)
    if got[:2] != want[:2]:
        raise ValueError(error(_text(got), _text(want), _text(aval)))
    return None if _is_float0(x) else _dispatch.to_array(x)


# ---- vjp


class VjpRule(NamedTuple):
    """The static part of a VjpFunction."""

    pullback: _dispatch.Pullback
    in_tree: object
    out_tree: object
    in_types: tuple
    out_types: tuple
    num_aux: int
    name: str


def _cotangent_error(got, want, primal):
    return (
        "unexpected JAX type (e.g. shape/dtype) for argument to VJP function: "
        f"got {got}, but expected {want} because the corresponding output of "
        f"the differentiated function had type {primal}"
    )


def _as_cotangent(x, aval):
    # What the cotangent of an integer is does not matter: it has no effect.
    want = _tangent_type(aval)
    if want[0] == dtypes.float0 and _given_type(x)[1] == want[1]:
        return None
    return _as_tangent(x, aval, _cotangent_error)


class VjpFunction:
    """What `vjp` returns: maps an output cotangent to argument cotangents.

    A pytree of the values that it keeps from the forward pass.
    """

    def __init__(self, rule: VjpRule, residuals):
        self._rule, self._residuals = rule, residuals

    def __call__(self, *cts):
        rule = self._rule
        if len(cts) != 1:
            raise TypeError(
                f"The function returned by `vjp` applied to {rule.name} was "
                f"called with {len(cts)} arguments, but takes one: the "
                f"cotangent of the value that {rule.name} returns, with its "
                "structure. If it returns a tuple, pass a tuple: "
                "f_vjp((a, b)), not f_vjp(a, b)."
            )
        flat, tree = tree_flatten(cts[0])
        if tree != rule.out_tree:
            lines = [
                f"  * out{keystr(path)} was {a} in the output, but is {b} "
                f"here, so {why}"
                for path, a, b, why in equality_errors_pytreedef(
                    rule.out_tree, tree
                )
            ]
            raise ValueError(
                "unexpected tree structure: the argument of a function that "
                "`vjp` returned must have the structure of the output of "
                f"{rule.name}, {rule.out_tree}, but got {tree}.\n"
                + "\n".join(lines)
            )
        values = [
            _as_cotangent(x, a)
            for x, a in zip(flat, rule.out_types, strict=True)
        ]
        out = rule.pullback(
            [*values, *[None] * rule.num_aux], list(self._residuals)
        )
        out = fill_zeros(out, rule.in_types)
        return tree_unflatten(rule.in_tree, out)[0]

    def __repr__(self):
        return f"VjpFunction({self._rule.name})"


register_pytree_node(
    VjpFunction,
    lambda f: (tuple(f._residuals), f._rule),
    lambda rule, residuals: VjpFunction(rule, residuals),
)


# ---- linearize and linear_transpose: rules that Partial applies to values


def _tangent_error(got, want, primal):
    return (
        "linearized function called on tangent values inconsistent with the "
        f"original primal values: got tangent type {got} for primal type "
        f"{primal}, but expected {want}"
    )


class LinearRule(NamedTuple):
    """(*residuals, *tangents) -> output tangents."""

    linear: _dispatch.LinearFunction
    in_tree: object
    out_tree: object
    in_types: tuple
    out_types: tuple

    @property
    def jaxpr(self):
        """The linear program, its residuals as the first inputs."""
        return self.linear.jaxpr([])

    @property
    def args(self):
        """What it stands for as a `functools.partial`: of the program."""
        return (self.jaxpr,)

    def __call__(self, *args):
        n = len(args) - len(self.in_tree.children()[0].children())
        residuals, tangents = args[: max(n, 0)], args[max(n, 0) :]
        flat, tree = tree_flatten((tangents, {}))
        if tree != self.in_tree:
            raise TypeError(
                "linearized function called on tangents of another structure "
                f"than the primals: expected {self.in_tree}, got {tree}"
            )
        values = [
            _as_tangent(t, a, _tangent_error)
            for t, a in zip(flat, self.in_types, strict=True)
        ]
        out = self.linear([t for t in values if t is not None], list(residuals))
        out = fill_zeros(out[: len(self.out_types)], self.out_types)
        return tree_unflatten(self.out_tree, out)


def check_transposable(in_types, out_types) -> None:
    """All types inexact or all integers; else TypeError."""
    found = [t[0] for t in (*in_types, *out_types)]
    if all(dtypes.issubdtype(d, np.inexact) for d in found) or all(
        dtypes.issubdtype(d, np.integer) for d in found
    ):
        return
    raise TypeError(
        "linear_transpose only supports [float or complex] -> [float or "
        "complex], and integer -> integer functions, but got "
        f"{[_text(t) for t in in_types]} -> {[_text(t) for t in out_types]}"
    )


class TransposeRule(NamedTuple):
    """(*constants, output cotangent) -> cotangents of the arguments."""

    jaxpr: _dispatch.ClosedJaxpr
    in_tree: object
    out_tree: object
    in_types: tuple

    def __call__(self, *args):
        *consts, ct = args
        cts, tree = tree_flatten(ct)
        if tree != self.out_tree:
            raise TypeError(
                "cotangent tree does not match function output: expected "
                f"{self.out_tree}, got {tree}"
            )
        for x, want in zip(cts, self.jaxpr.out_types, strict=True):
            got = avals.leaf_aval(x)
            if got[:2] != want[:2]:
                raise TypeError(
                    "linear_transpose: cotangent type does not match function "
                    f"output: expected {_text(want)}, got {_text(got)}"
                )
        out = _dispatch.transpose_flat(
            self.jaxpr, [_dispatch.to_array(x) for x in cts], consts
        )
        out = [
            _core.full(shape, 0, dtype, weak) if x is None else x
            for x, (dtype, shape, weak) in zip(out, self.in_types, strict=True)
        ]
        return tree_unflatten(self.in_tree, out)[0]
