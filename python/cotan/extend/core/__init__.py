"""Jaxprs and primitives, as `jax.extend.core`."""

from __future__ import annotations

from cotan._dispatch import ClosedJaxpr
from cotan._src import absent
from cotan._src.jaxprs import (
    DebugInfo,
    DropVar,
    Effect,
    Jaxpr,
    JaxprEqn,
    Literal,
    Var,
    check_jaxpr,
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
from cotan.core import (
    concrete_or_error,
    find_top_trace,
    get_opaque_trace_state,
    primal_dtype_to_tangent_dtype,
    unsafe_am_i_under_a_jit_DO_NOT_USE,
    valid_jaxtype,
)
from cotan.errors import InconclusiveDimensionOperation, JaxprTypeError
from cotan.extend.core import primitives

__all__ = [
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
    "Var",
    "check_jaxpr",
    "concrete_or_error",
    "find_top_trace",
    "gensym",
    "get_opaque_trace_state",
    "jaxpr_as_fun",
    "jaxprs_in_params",
    "mapped_aval",
    "new_jaxpr_eqn",
    "no_effects",
    "primal_dtype_to_tangent_dtype",
    "primitives",
    "subjaxprs",
    "unmapped_aval",
    "unsafe_am_i_under_a_jit_DO_NOT_USE",
    "valid_jaxtype",
]


def __getattr__(name):
    raise absent.error(__name__, name)
