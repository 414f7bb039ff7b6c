"""Differentiation rules of primitives, as `jax.interpreters.ad`.

  primitive_jvps[p](primals, tangents, **params) -> (primals, tangents)
  primitive_transposes[p](ct, *args, **params) -> a cotangent per argument

Tangents and cotangents that are known to be zero are `Zero` objects (or None
where a rule gives one). The arguments in which a transposed operation is
linear are `UndefinedPrimal` objects.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from cotan import _dispatch
from cotan._src import absent
from cotan._src.api import jvp, linearize, vjp
from cotan._src.jaxprs import aval_triple
from cotan._src.primitives import (
    Primitive,
    UndefinedPrimal,
    Zero,
    core_primitive,
    is_zero,
    zeros_of,
)
from cotan.interpreters._tables import RuleTable

__all__ = [
    "UndefinedPrimal",
    "Zero",
    "add_jaxvals",
    "add_jaxvals_p",
    "add_tangents",
    "defbilinear",
    "defjvp",
    "defjvp2",
    "deflinear",
    "deflinear2",
    "get_primitive_transpose",
    "instantiate_zeros",
    "is_undefined_primal",
    "jvp",
    "linear_jvp",
    "linearize",
    "primitive_jvps",
    "primitive_transposes",
    "vjp",
    "zeros_like_aval",
]

add_jaxvals_p = core_primitive("add_any")


def is_undefined_primal(x) -> bool:
    """Whether x is an argument in which the operation is linear."""
    return isinstance(x, UndefinedPrimal)


def zeros_like_aval(aval):
    """An array of zeros of a type."""
    return zeros_of(aval)


def instantiate_zeros(tangent):
    """A tangent as an array."""
    return tangent.instantiate() if isinstance(tangent, Zero) else tangent


def add_jaxvals(x, y):
    """The sum of two tangents or cotangents."""
    return add_jaxvals_p.bind(x, y)


def add_tangents(x, y):
    """The sum, either of which may be a Zero."""
    if isinstance(x, Zero):
        return y
    if isinstance(y, Zero):
        return x
    return add_jaxvals(x, y)


# ---- rules of the core's primitives, as callables


def _core_jvp(p: Primitive) -> Callable:
    def rule(primals, tangents, **params):
        def run(xs):
            out = p.bind(*xs, **params)
            return out if p.multiple_results else [out]

        arrays = [_dispatch.to_array(x) for x in primals]
        ts = [None if is_zero(t) else t for t in tangents]
        out, t_out = _dispatch.jvp_flat(run, arrays, ts)
        t_out = [
            Zero.from_primal_value(y) if t is None else t
            for y, t in zip(out, t_out, strict=True)
        ]
        return (out, t_out) if p.multiple_results else (out[0], t_out[0])

    return rule


def _core_transpose(p: Primitive) -> Callable:
    def rule(ct, *args, **params):
        linear = [is_undefined_primal(x) for x in args]

        def run(xs):
            it = iter(xs)
            full = [
                next(it) if lin else x
                for x, lin in zip(args, linear, strict=True)
            ]
            out = p.bind(*full, **params)
            return out if p.multiple_results else [out]

        types = [
            aval_triple(x.aval)
            for x, lin in zip(args, linear, strict=True)
            if lin
        ]
        closed = _dispatch.trace_flat(run, types)
        cts = list(ct) if p.multiple_results else [ct]
        cts = [None if is_zero(c) else c for c in cts]
        found = iter(_dispatch.transpose_flat(closed, cts))
        out = []
        for x, lin in zip(args, linear, strict=True):
            c = next(found) if lin else None
            out.append(Zero(x.aval) if lin and c is None else c)
        return out

    return rule


primitive_jvps = RuleTable("jvp", "jvp", _core_jvp)
primitive_transposes = RuleTable("transpose", "transpose", _core_transpose)


def get_primitive_transpose(p: Primitive) -> Callable:
    """The transpose rule, or NotImplementedError."""
    try:
        return primitive_transposes[p]
    except KeyError:
        raise NotImplementedError(
            f"Transpose rule (for reverse-mode differentiation) for '{p}' not "
            "implemented"
        ) from None


# ---- short ways to define rules


def defjvp(primitive: Primitive, *jvprules: Callable | None) -> None:
    """jvprules[i](tangent_i, *primals, **params) -> output tangent."""
    primitive_jvps[primitive] = functools.partial(
        _standard_jvp, jvprules, primitive
    )


def _standard_jvp(jvprules, primitive, primals, tangents, **params):
    out = primitive.bind(*primals, **params)
    parts = [
        rule(t, *primals, **params)
        for rule, t in zip(jvprules, tangents, strict=True)
        if rule is not None and not is_zero(t)
    ]
    return out, _sum_of(parts, out)


def _sum_of(parts, out):
    return functools.reduce(add_tangents, parts, Zero.from_primal_value(out))


def defjvp2(primitive: Primitive, *jvprules: Callable | None) -> None:
    """jvprules[i](tangent_i, output, *primals, **params) -> output tangent."""

    def rule(primals, tangents, **params):
        out = primitive.bind(*primals, **params)
        parts = [
            r(t, out, *primals, **params)
            for r, t in zip(jvprules, tangents, strict=True)
            if r is not None and not is_zero(t)
        ]
        return out, _sum_of(parts, out)

    primitive_jvps[primitive] = rule


def linear_jvp(primitive: Primitive, primals, tangents, **params):
    """The jvp rule of a linear operation: itself, on tangents."""
    out = primitive.bind(*primals, **params)
    if all(map(is_zero, tangents)):
        if primitive.multiple_results:
            return out, [Zero.from_primal_value(y) for y in out]
        return out, Zero.from_primal_value(out)
    ts = [instantiate_zeros(t) for t in tangents]
    return out, primitive.bind(*ts, **params)


def deflinear(primitive: Primitive, transpose_rule: Callable) -> None:
    """A linear operation; transpose_rule(ct, **params) -> cotangents."""
    primitive_jvps[primitive] = functools.partial(linear_jvp, primitive)

    def rule(ct, *args, **params):
        if is_zero(ct):
            return [Zero(x.aval) for x in args]
        return transpose_rule(ct, **params)

    primitive_transposes[primitive] = rule


def deflinear2(primitive: Primitive, transpose_rule: Callable) -> None:
    """A linear operation; transpose_rule(ct, *args, **params)."""
    primitive_jvps[primitive] = functools.partial(linear_jvp, primitive)

    def rule(ct, *args, **params):
        if not primitive.multiple_results and is_zero(ct):
            return [Zero(x.aval) for x in args]
        return transpose_rule(ct, *args, **params)

    primitive_transposes[primitive] = rule


def defbilinear(
    prim: Primitive, lhs_rule: Callable, rhs_rule: Callable
) -> None:
    """An operation that is linear in each of two arguments;
    lhs_rule(ct, lhs, rhs, **params) with an UndefinedPrimal for lhs, and
    rhs_rule(ct, lhs, rhs, **params) with one for rhs."""

    def left(t, x, y, **params):
        return prim.bind(t, y, **params)

    def right(t, x, y, **params):
        return prim.bind(x, t, **params)

    defjvp(prim, left, right)

    def transpose(ct, x, y, **params):
        if is_undefined_primal(x) == is_undefined_primal(y):
            raise TypeError(
                f"[{prim}] is linear in one argument at a time, got "
                "derivatives with respect to both"
            )
        if is_undefined_primal(x):
            out = Zero(x.aval) if is_zero(ct) else lhs_rule(ct, x, y, **params)
            return out, None
        out = Zero(y.aval) if is_zero(ct) else rhs_rule(ct, x, y, **params)
        return None, out

    primitive_transposes[prim] = transpose


def __getattr__(name):
    raise absent.error(__name__, name)
