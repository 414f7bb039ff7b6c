"""Types of the tracing machinery, as far as programs need them."""

from __future__ import annotations

import contextlib

import numpy as np

from cotan import _dispatch, dtypes
from cotan._dispatch import ClosedJaxpr, Tracer
from cotan._src import absent
from cotan._src.avals import ShapedArray
from cotan._src.environment import ensure_compile_time_eval
from cotan._src.jaxprs import (
    Atom,
    DebugInfo,
    DropVar,
    Effect,
    Jaxpr,
    JaxprEqn,
    Literal,
    Var,
    check_jaxpr,
    eval_jaxpr,
    gensym,
    jaxpr_as_fun,
    jaxprs_in_params,
    mapped_aval,
    new_jaxpr_eqn,
    no_effects,
    subjaxprs,
    unmapped_aval,
)
from cotan._src.primitives import Primitive
from cotan.errors import (
    ConcretizationTypeError,
    InconclusiveDimensionOperation,
    JaxprTypeError,
)

__all__ = [
    "AbstractValue",
    "Atom",
    "ClosedJaxpr",
    "DebugInfo",
    "DropVar",
    "Effect",
    "InconclusiveDimensionOperation",
    "Jaxpr",
    "JaxprEqn",
    "JaxprTypeError",
    "Literal",
    "Primitive",
    "ShapedArray",
    "Tracer",
    "Var",
    "check_jaxpr",
    "concrete_or_error",
    "ensure_compile_time_eval",
    "eval_context",
    "eval_jaxpr",
    "find_top_trace",
    "gensym",
    "get_opaque_trace_state",
    "is_concrete",
    "is_constant_dim",
    "is_constant_shape",
    "jaxpr_as_fun",
    "jaxprs_in_params",
    "mapped_aval",
    "max_dim",
    "min_dim",
    "new_jaxpr_eqn",
    "no_effects",
    "primal_dtype_to_tangent_dtype",
    "subjaxprs",
    "trace_state_clean",
    "unmapped_aval",
    "unsafe_am_i_under_a_jit_DO_NOT_USE",
    "valid_jaxtype",
]

# There is one kind of abstract value.
AbstractValue = ShapedArray


def is_concrete(x) -> bool:
    """Whether x is a value rather than a tracer of an unknown one."""
    return not isinstance(x, _dispatch.Array) or _dispatch.is_concrete(x)


def eval_context():
    """Within a `with` block, operations run at once."""
    return ensure_compile_time_eval()


def concrete_or_error(force, val, context=""):
    """force(val) for a known value; an error that tells `context` for a
    traced one."""
    force = (lambda x: x) if force is None else force
    if isinstance(val, Tracer):
        known = _dispatch.concrete_or_none(val)
        if known is None:
            raise ConcretizationTypeError(
                f"Abstract tracer value encountered where concrete value is "
                f"expected: {_dispatch.trace_description(val)}\n{context}"
            )
        val = known
    return force(val)


class _TraceState:
    """Equal while the same trace is current."""

    def __init__(self):
        self._trace = _dispatch.trace_identity()

    def __eq__(self, other):
        return isinstance(other, _TraceState) and self._trace == other._trace

    def __hash__(self):
        return hash(self._trace)

    def __repr__(self):
        return f"OpaqueTraceState({self._trace:#x})"


def get_opaque_trace_state(convention=None):
    """A value that is equal while the same trace is current."""
    del convention
    return _TraceState()


def unsafe_am_i_under_a_jit_DO_NOT_USE() -> bool:
    """Whether a program is being traced."""
    return not _dispatch.is_evaluating()


def trace_state_clean() -> bool:
    """Whether no transformation is active."""
    return _dispatch.is_evaluating()


def find_top_trace(xs):
    """The state of the current trace, whatever xs are."""
    del xs
    return _TraceState()


def is_constant_dim(d) -> bool:
    """Whether a size is a number; always, since shapes are static."""
    return isinstance(d, (int, np.integer))


def is_constant_shape(s) -> bool:
    """Whether all sizes are numbers."""
    return all(map(is_constant_dim, s))


def max_dim(d1, d2):
    """The larger of two sizes."""
    return max(d1, d2)


def min_dim(d1, d2):
    """The smaller of two sizes."""
    return min(d1, d2)


def primal_dtype_to_tangent_dtype(primal_dtype):
    """The dtype of tangents: float0 for what has none."""
    if dtypes.issubdtype(primal_dtype, np.inexact):
        return primal_dtype
    return dtypes.float0


def valid_jaxtype(x) -> bool:
    """Whether x is an array or a scalar."""
    with contextlib.suppress(TypeError):
        return bool(_dispatch.is_array(x))
    return False


def __getattr__(name):
    raise absent.error(__name__, name)
