"""What is said when a rule of custom_jvp or custom_vjp returns the wrong
thing. Everything here sees the user's pytrees, before vmap or jit."""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src import avals
from cotan._src.avals import leaf_aval
from cotan.tree_util import (
    keystr,
    tree_flatten,
    tree_flatten_with_path,
    tree_map,
    tree_unflatten,
)

_JVP_PRIMAL = (
    "(list or tuple of length two) where the first element represents the "
    "primal output (equal in value to the output of the custom_jvp-decorated "
    "function {fun}, and in particular {same}), but instead the JVP rule "
    "output's first element had {what} of:\n    {got}\nwhile the "
    "custom_jvp-decorated function {fun} had output {what} of:\n    {want}"
)
_VJP_PRIMAL = (
    "(list or tuple of length two) where the first element represents the "
    "primal output (equal to the output of the custom_vjp-decorated function "
    "{fun}) and the second element represents residuals (i.e. values stored "
    "from the forward pass for use on the backward pass), but instead the fwd "
    "rule output's first element had {what} of:\n    {got}\nwhile the "
    "custom_vjp-decorated function {fun} had output {what} of:\n    {want}"
)


def is_float0(x):
    return getattr(x, "dtype", None) == dtypes.float0


def rule_name(rule):
    return getattr(rule, "__name__", repr(rule))


def short_type(aval):
    dtype, shape, weak = aval
    return avals.ShapedArray(shape, dtype, weak).str_short()


def _types_text(tree, types):
    text = str(tree_unflatten(tree, [short_type(t) for t in types]))
    return text.replace("'", "")


def check_primal_output(kind, rule, fun_name, found, known):
    """The first element of what a jvp or fwd rule returns must have the type
    of the function's output, if that has run. Both: (tree, avals)."""
    if known is None or found == known:
        return
    (tree, types), (want_tree, want_types) = found, known
    same_types = all(
        a[:2] == b[:2] for a, b in zip(types, want_types, strict=False)
    )
    if tree == want_tree and same_types:
        return
    what, same = "shapes/dtypes", "with leaves of the same shape/dtype"
    if tree != want_tree:
        what = "container/pytree structure"
        same = "of the same container/pytree structure"
    template = _JVP_PRIMAL if kind == "JVP" else _VJP_PRIMAL
    text = template.format(
        fun=fun_name,
        same=same,
        what=what,
        got=_types_text(tree, types),
        want=_types_text(want_tree, want_types),
    )
    if tree != want_tree:
        text = text.replace(f"{what} of:", f"{what}:") + "."
    raise TypeError(
        f"Custom {kind} rule {rule_name(rule)} for function {fun_name} must "
        f"produce a pair {text}"
    )


def checked_tangents(arrays, tangents):
    """The tangents of a jvp rule, None for zeros; their types must fit."""
    from cotan._src.custom import SymbolicZero

    out, wrong = [], []
    for y, t in zip(arrays, tangents, strict=True):
        want = y.dtype
        if not dtypes.issubdtype(want, np.inexact):
            want = np.dtype(dtypes.float0)
        if not isinstance(t, SymbolicZero) and not is_float0(t):
            t = _dispatch.to_array(t)
        if t.shape != y.shape or t.dtype != want:
            if t.shape == y.shape and getattr(t, "weak_type", False):
                t = _core.convert(t, y.dtype, False)
            else:
                wrong.append((y, t, want))
                continue
        zero = isinstance(t, SymbolicZero) or is_float0(t)
        out.append(None if zero else t)
    if not wrong:
        return out
    texts = [
        [
            avals.ShapedArray(shape, dtype).str_short()
            for shape, dtype in (
                (y.shape, y.dtype),
                (y.shape, want),
                (t.shape, t.dtype),
            )
        ]
        for y, t, want in wrong
    ]
    intro = (
        "Custom JVP rule must produce primal and tangent outputs with "
        "corresponding shapes and dtypes"
    )
    if len(arrays) == 1:
        primal, want, got = texts[0]
        raise TypeError(
            f"{intro}. Expected {want} (tangent type of {primal}) but got "
            f"{got}."
        )
    lines = [
        f"  primal {primal} with tangent {got}, expecting tangent {want}"
        for primal, want, got in texts
    ]
    raise TypeError(f"{intro}, but got:\n" + "\n".join(lines))


_ZERO = object()


def checked_cotangents(grads, in_tree, in_avals):
    """What a bwd rule returned as one cotangent per leaf, None for zeros.
    None stands for the zeros of a whole argument or subtree."""
    children = in_tree.children()
    if isinstance(grads, list) and len(grads) == len(children):
        grads = tuple(grads)
    dummy = tree_unflatten(in_tree, [object()] * in_tree.num_leaves)
    flat = []

    def append(g, d):
        n = len(tree_flatten(d)[0])
        flat.extend([_ZERO if g is None else g] * n)
        return g  # kept by containers that look at their children

    try:
        if not isinstance(grads, tuple):
            raise ValueError
        tree_map(append, grads, dummy, is_leaf=lambda x: x is None)
    except ValueError:
        raise TypeError(
            "Custom VJP bwd rule must produce an output with the same "
            "container (pytree) structure as the args tuple of the primal "
            "function, and in particular must produce a tuple of length equal "
            "to the number of arguments to the primal function, but got bwd "
            f"output structure {tree_flatten(grads)[1]} for primal input "
            f"structure {in_tree}."
        ) from None
    paths = [p for p, _ in tree_flatten_with_path(dummy)[0]]
    return [
        _checked_cotangent(g, aval, path)
        for g, aval, path in zip(flat, in_avals, paths, strict=True)
    ]


def _checked_cotangent(g, aval, path):
    from cotan._src.custom import SymbolicZero

    dtype, shape, _ = aval
    if g is _ZERO or not dtypes.issubdtype(dtype, np.inexact):
        return None
    if isinstance(g, SymbolicZero):
        if g.shape != shape:
            raise ValueError(
                "Custom VJP bwd rule produced a SymbolicZero with a "
                "shape/dtype that does not match the corresponding input "
                f"tangent shape/dtype: at output{keystr(path)} the "
                f"SymbolicZero had shape/dtype {g.aval.str_short()} while the "
                "corresponding input had shape/dtype "
                f"{short_type(aval)}. Consider just returning a None here "
                "instead of a SymbolicZero object."
            )
        return None
    if is_float0(g):
        return None
    g = _dispatch.to_array(g)
    if g.shape != shape:
        raise ValueError(
            "Custom VJP bwd rule must produce an output with the same type as "
            f"the args tuple of the primal function, but at output"
            f"{keystr(path)} the bwd rule produced an output of type "
            f"{short_type(leaf_aval(g))} corresponding to an input of type "
            f"{short_type(aval)}"
        )
    return g if g.dtype == dtype else _core.convert(g, dtype, False)
