"""Functions whose closed-over values become arguments: closure_convert, and
custom_gradient, which is built on the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cotan import _dispatch, dtypes
from cotan._src import avals
from cotan._src.api import _Flat
from cotan._src.custom import _positional, custom_vjp
from cotan.tree_util import tree_flatten, tree_structure, tree_unflatten


def _traced(fun, args):
    """(jaxpr, input tree, output tree) of fun for example arguments."""
    leaves, in_tree = tree_flatten((tuple(args), {}))
    flat = _Flat(fun, in_tree)
    jaxpr = _dispatch.trace_flat(flat, [avals.leaf_aval(x) for x in leaves])
    return jaxpr, in_tree, flat.out_tree


def _may_be_perturbed(x) -> bool:
    """Whether a derivative with respect to x may be wanted later."""
    return isinstance(x, _dispatch.Tracer) and dtypes.issubdtype(
        x.dtype, np.inexact
    )


def closure_convert(fun: Callable, *example_args) -> tuple[Callable, list[Any]]:
    """A function that takes the differentiable values that `fun` closes over
    as further arguments, and the list of these values.

    >>> def f(x):
    ...     g, values = cotan.closure_convert(lambda y: x * y, 1.0)
    ...     return g(3.0, *values)
    >>> cotan.grad(f)(2.0)
    Array(3., dtype=float32, weak_type=True)
    """
    jaxpr, in_tree, out_tree = _traced(fun, example_args)
    consts = jaxpr.consts
    hoisted = [_may_be_perturbed(x) for x in consts]
    values = [x for x, h in zip(consts, hoisted, strict=True) if h]

    def converted_fun(*args_hconsts):
        n = len(args_hconsts) - len(values)
        args, given = args_hconsts[:n], iter(args_hconsts[n:])
        leaves, tree = tree_flatten((tuple(args), {}))
        if tree != in_tree:
            raise TypeError(
                "The inputs to the closure produced by closure_convert must "
                "have the same Pytree structure as the example arguments "
                f"passed when closure_convert was called. Expected {in_tree}, "
                f"but got {tree}"
            )
        merged = [
            next(given) if h else x
            for x, h in zip(consts, hoisted, strict=True)
        ]
        return tree_unflatten(out_tree, jaxpr.eval(leaves, merged))

    return converted_fun, values


def custom_gradient(fun: Callable) -> Callable:
    """A function with the gradient that it gives itself: `fun` returns its
    value and a function from a cotangent to the cotangents of its arguments.

    >>> @cotan.custom_gradient
    ... def f(x): return x**2, lambda g: (g * 10.0,)
    >>> cotan.grad(f)(3.0)
    Array(10., dtype=float32, weak_type=True)
    """

    def primal(*args, **kwargs):
        return fun(*_positional(fun, args, kwargs))[0]

    primal.__wrapped__ = fun
    primal.__name__ = getattr(fun, "__name__", "fun")
    wrapped_fun = custom_vjp(primal)

    def fwd(*args):
        value, rule = fun(*args)
        leaves, _ = tree_flatten(value)
        arrays = [_dispatch.to_array(x) for x in leaves]
        structs = tree_unflatten(tree_structure(value), arrays)
        jaxpr, _, out_tree = _traced(rule, (structs,))
        return value, (jaxpr.consts, _Rule(jaxpr, out_tree))

    def bwd(residuals, cotangents):
        consts, rule = residuals
        leaves, _ = tree_flatten(cotangents)
        out = tree_unflatten(rule.out_tree, rule.jaxpr.eval(leaves, consts))
        one = rule.out_tree.num_nodes == 1 and rule.out_tree.num_leaves == 1
        return (out,) if one else out

    wrapped_fun.defvjp(fwd, bwd)
    return wrapped_fun


class _Rule:
    """The traced rule, an opaque residual."""

    def __init__(self, jaxpr, out_tree):
        self.jaxpr, self.out_tree = jaxpr, out_tree
