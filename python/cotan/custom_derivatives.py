"""Derivatives given by the user, as `jax.custom_derivatives`."""

from __future__ import annotations

from cotan._src import absent
from cotan._src.avals import leaf_aval
from cotan._src.closures import closure_convert, custom_gradient
from cotan._src.custom import (
    CustomVJPPrimal,
    SymbolicZero,
    _symbolic_zero,
    _zero_like,
    custom_jvp,
    custom_vjp,
)
from cotan._src.custom_batching import linear_call
from cotan._src.primitives import core_primitive
from cotan.tree_util import tree_map

__all__ = [
    "CustomVJPPrimal",
    "SymbolicZero",
    "closure_convert",
    "custom_gradient",
    "custom_jvp",
    "custom_jvp_call_p",
    "custom_vjp",
    "custom_vjp_call_p",
    "custom_vjp_primal_tree_values",
    "linear_call",
    "zero_from_primal",
]

custom_jvp_call_p = core_primitive("custom_jvp_call")
custom_vjp_call_p = core_primitive("custom_vjp_call")


def custom_vjp_primal_tree_values(tree):
    """The values of a fwd rule's arguments under symbolic_zeros=True, without
    the information whether they are differentiated."""

    def value(leaf):
        if not isinstance(leaf, CustomVJPPrimal):
            raise TypeError(f"unexpected leaf type {type(leaf)}")
        return leaf.value

    return tree_map(value, tree)


def zero_from_primal(val, symbolic_zeros=False):
    """The zero tangents of a tree of primals."""

    def zero(x):
        aval = leaf_aval(x)
        return _symbolic_zero(aval) if symbolic_zeros else _zero_like(aval)

    return tree_map(zero, val)


def __getattr__(name):
    raise absent.error(__name__, name)
