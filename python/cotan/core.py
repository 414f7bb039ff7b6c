"""Types of the tracing machinery, as far as programs need them."""

from __future__ import annotations

from cotan._dispatch import ClosedJaxpr, Tracer
from cotan._src.avals import ShapedArray

__all__ = ["ClosedJaxpr", "ShapedArray", "Tracer", "eval_jaxpr", "is_concrete"]


def eval_jaxpr(jaxpr, consts, *args):
    """Applies a closed jaxpr to arrays; gives the list of its results.
    `consts` are the jaxpr's own and ignored."""
    del consts
    return jaxpr.eval(list(args))


def is_concrete(x) -> bool:
    """Whether x is a value rather than a tracer of an unknown one."""
    from cotan import _dispatch

    return not isinstance(x, _dispatch.Array) or _dispatch.is_concrete(x)
