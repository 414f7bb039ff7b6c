"""Jaxprs as Python objects: variables, literals, equations.

The core's jaxpr is read when somebody looks at it (`open_jaxpr`). One that a
program builds or changes becomes the core's by tracing its evaluation
(`close_jaxpr`), so that it is checked on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cotan import _core, _dispatch
from cotan._dispatch import ClosedJaxpr
from cotan._src import avals
from cotan._src.avals import ShapedArray
from cotan.errors import JaxprTypeError


class Effect:
    """Something that an equation does besides computing its results."""

    def __init__(self, name="Effect"):
        self._name = name

    def __repr__(self):
        return self._name


_ORDERED, _UNORDERED = Effect("OrderedEffect"), Effect("UnorderedEffect")
no_effects: frozenset = frozenset()


def _effects(bits: int) -> frozenset:
    kinds = (_ORDERED,) * (bits & 1) + (_UNORDERED,) * (bits >> 1 & 1)
    return frozenset(kinds)


class Var:
    """A variable; two are equal iff they are the same object."""

    __slots__ = ("aval",)

    def __init__(self, aval, initial_qdd=None, final_qdd=None):
        del initial_qdd, final_qdd
        self.aval = aval

    def __repr__(self):
        return f"Var(id={id(self)}):{self.aval.str_short(short_dtypes=True)}"


class DropVar(Var):
    """A result that nobody uses."""

    __slots__ = ()

    def __repr__(self):
        return "_"


class Literal:
    """A constant operand."""

    __slots__ = ("val", "aval")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, val, aval):
        self.val, self.aval = val, aval

    def __repr__(self):
        return f"Literal({self.val})"


Atom = Var | Literal


class DebugInfo:
    """What a jaxpr was made of."""

    def __init__(
        self, traced_for="", func_src_info="", arg_names=None, result_paths=None
    ):
        self.traced_for, self.func_src_info = traced_for, func_src_info
        self.arg_names, self.result_paths = arg_names, result_paths

    @property
    def func_name(self):
        return self.func_src_info


class SourceInfo:
    """Where in the user's program an equation was made."""

    __slots__ = ("where", "traceback", "name_stack")

    def __init__(self, where=None, name_stack=""):
        self.where, self.name_stack, self.traceback = where, name_stack, None

    def __repr__(self):
        return f"SourceInfo({self.where})"


class JaxprEqn:
    """outvars = primitive[params] invars"""

    __slots__ = (
        "invars",
        "outvars",
        "primitive",
        "params",
        "effects",
        "source_info",
        "ctx",
    )

    def __init__(
        self,
        invars,
        outvars,
        primitive,
        params,
        effs=no_effects,
        source_info=None,
        ctx=None,
    ):
        self.invars, self.outvars = list(invars), list(outvars)
        self.primitive, self.params = primitive, params
        self.effects, self.ctx = effs, ctx
        self.source_info = source_info or SourceInfo()

    def replace(self, **changes) -> JaxprEqn:
        parts = dict(
            invars=self.invars,
            outvars=self.outvars,
            primitive=self.primitive,
            params=self.params,
            effects=self.effects,
            source_info=self.source_info,
            ctx=self.ctx,
        )
        unknown = changes.keys() - parts.keys()
        if unknown:
            raise TypeError(f"JaxprEqn has no field {min(unknown)!r}")
        parts.update(changes)
        parts["effs"] = parts.pop("effects")
        return JaxprEqn(**parts)

    def __repr__(self):
        ins = [v for v in self.invars if isinstance(v, Var)]
        names = Jaxpr([], list(dict.fromkeys(ins)), self.outvars, [self])
        lines = str(names).split(". let", 1)[1].rsplit("in (", 1)[0]
        return "\n".join(x.strip() for x in lines.strip().split("\n"))


def new_jaxpr_eqn(
    invars,
    outvars,
    primitive,
    params,
    effects=no_effects,
    source_info=None,
    ctx=None,
) -> JaxprEqn:
    """A new equation."""
    return JaxprEqn(
        invars, outvars, primitive, params, effects, source_info, ctx
    )


class Jaxpr:
    """A program: constvars and invars in, equations, outvars out. It does not
    change: its lists are copies."""

    __slots__ = (
        "_constvars",
        "_invars",
        "_outvars",
        "_eqns",
        "_closed",
        "effects",
        "debug_info",
        "__weakref__",
    )

    def __init__(
        self,
        constvars: Sequence[Var],
        invars: Sequence[Var],
        outvars: Sequence[Any],
        eqns: Sequence[JaxprEqn],
        effects=None,
        debug_info=None,
        is_high: bool = False,
    ):
        del is_high
        self._constvars, self._invars = tuple(constvars), tuple(invars)
        self._outvars, self._eqns = tuple(outvars), tuple(eqns)
        if effects is None:
            effects = no_effects.union(*(e.effects for e in self._eqns))
        self.effects = effects
        self.debug_info = debug_info or DebugInfo()
        self._closed: ClosedJaxpr | None = None  # the core's, once known

    @property
    def constvars(self) -> list[Var]:
        return list(self._constvars)

    @property
    def invars(self) -> list[Var]:
        return list(self._invars)

    @property
    def outvars(self) -> list[Any]:
        return list(self._outvars)

    @property
    def eqns(self) -> list[JaxprEqn]:
        return list(self._eqns)

    @property
    def in_avals(self):
        return [v.aval for v in self._invars]

    @property
    def out_avals(self):
        return [v.aval for v in self._outvars]

    def replace(self, **changes) -> Jaxpr:
        """A copy with other variables or equations."""
        parts = dict(
            constvars=self._constvars,
            invars=self._invars,
            outvars=self._outvars,
            eqns=self._eqns,
            effects=None if "eqns" in changes else self.effects,
            debug_info=self.debug_info,
        )
        unknown = changes.keys() - parts.keys()
        if unknown:
            raise TypeError(f"Jaxpr has no field {min(unknown)!r}")
        return Jaxpr(**{**parts, **changes})

    def __repr__(self):
        return _dispatch.jaxpr_text(close_jaxpr(self), len(self._constvars))


# ---- from and to the core's jaxprs


def shaped_array(aval) -> ShapedArray:
    """From (dtype, shape, weak_type)."""
    dtype, shape, weak = aval
    return ShapedArray(shape, dtype, weak)


def aval_triple(aval):
    """(dtype, shape, weak_type) of a ShapedArray, an array or a struct."""
    if isinstance(aval, ShapedArray):
        dtype = aval.dtype
        if not isinstance(dtype, np.dtype):
            dtype = _core.dtype(dtype)
        return dtype, aval.shape, aval.weak_type
    return avals.leaf_aval(aval)


def literal(value) -> Literal:
    """The Literal of a concrete rank-0 array."""
    aval = _dispatch.aval_of(value)
    scalar = _dispatch.python_scalar_of(value)
    if not aval[2] and isinstance(aval[0], np.dtype):
        scalar = aval[0].type(scalar)
    return Literal(scalar, shaped_array(aval))


def open_jaxpr(closed: ClosedJaxpr) -> Jaxpr:
    """The jaxpr under a ClosedJaxpr of the core's."""
    from cotan._src import params, primitives

    types, literals, ins, outs, eqns = _dispatch.describe(closed)
    used = {a for e in eqns for a in e[2]}.union(ins, outs)
    variables = [
        (Var if i in used else DropVar)(shaped_array(t))
        for i, t in enumerate(types)
    ]
    constants = [literal(x) for x in literals]

    def atom(a):
        if a is None:
            raise NotImplementedError(
                "[jaxpr] a symbolic zero among the results of a linear jaxpr"
            )
        return variables[a] if a >= 0 else constants[~a]

    opened = []
    for address, fields, operands, results, source, effects in eqns:
        primitive = primitives.primitive_at(address)
        opened.append(
            JaxprEqn(
                [atom(a) for a in operands],
                [variables[v] for v in results],
                primitive,
                params.from_core(primitive, fields),
                _effects(effects),
                SourceInfo(source),
            )
        )
    n = len(closed.consts)
    jaxpr = Jaxpr(
        [variables[v] for v in ins[:n]],
        [variables[v] for v in ins[n:]],
        [atom(a) for a in outs],
        opened,
        debug_info=DebugInfo("jit", _dispatch.jaxpr_name(closed)),
    )
    jaxpr._closed = _dispatch.with_consts(closed, [])
    return jaxpr


def close_jaxpr(jaxpr: Jaxpr) -> ClosedJaxpr:
    """The core's form, whose first inputs are the constvars."""
    if isinstance(jaxpr, ClosedJaxpr):
        return jaxpr
    if not isinstance(jaxpr, Jaxpr):
        raise TypeError(f"expected a jaxpr, got {type(jaxpr)}")
    if jaxpr._closed is None:
        n = len(jaxpr._constvars)
        inputs = [*jaxpr._constvars, *jaxpr._invars]

        def evaluate(xs):
            return interpret(jaxpr, xs[:n], xs[n:])

        evaluate.__name__ = jaxpr.debug_info.func_name or "jaxpr"
        closed = _dispatch.trace_flat(
            evaluate, [aval_triple(v.aval) for v in inputs]
        )
        if closed.consts:
            raise JaxprTypeError(
                "a jaxpr is closed: its equations use the values "
                f"{closed.consts}; make them constvars"
            )
        jaxpr._closed = closed
    return jaxpr._closed


def interpret(jaxpr: Jaxpr, consts, args) -> list[Any]:
    """Binds the equations one by one."""
    env: dict[Var, Any] = {}

    def read(v):
        if isinstance(v, Literal):
            return _literal_array(v)
        try:
            return env[v]
        except KeyError:
            raise JaxprTypeError(
                f"variable {v} is used before its definition"
            ) from None

    def define(variables, values, what):
        if len(variables) != len(values):
            raise TypeError(
                f"[eval_jaxpr] {what}: expected {len(variables)} values, got "
                f"{len(values)}"
            )
        env.update(zip(variables, values, strict=True))

    define(jaxpr._constvars, list(consts), "constants")
    define(jaxpr._invars, list(args), "arguments")
    for eqn in jaxpr._eqns:
        subfuns, fields = eqn.primitive.get_bind_params(eqn.params)
        out = eqn.primitive.bind(*subfuns, *map(read, eqn.invars), **fields)
        results = out if eqn.primitive.multiple_results else [out]
        define(eqn.outvars, results, f"results of {eqn.primitive}")
    return [read(v) for v in jaxpr._outvars]


def _literal_array(v: Literal):
    dtype, _, weak = aval_triple(v.aval)
    value = _dispatch.to_array(v.val)
    if value.dtype == dtype and value.weak_type == weak:
        return value
    return _core.convert(value, dtype, weak)


def eval_jaxpr(jaxpr, consts, *args, propagate_source_info=True) -> list[Any]:
    """Applies a jaxpr to arrays; gives the list of its results.

    >>> closed = cotan.make_jaxpr(lambda x: x * 2)(1.0)
    >>> cotan.core.eval_jaxpr(closed.jaxpr, closed.consts, 3.0)
    [Array(6., dtype=float32, weak_type=True)]
    """
    del propagate_source_info
    values = [_dispatch.to_array(x) for x in args]
    consts = [_dispatch.to_array(x) for x in consts]
    if isinstance(jaxpr, ClosedJaxpr):
        return jaxpr.eval(values, consts or None)
    _check_count("constants", jaxpr._constvars, consts)
    _check_count("arguments", jaxpr._invars, values)
    return close_jaxpr(jaxpr).eval([*consts, *values])


def _check_count(what, variables, values):
    if len(variables) != len(values):
        raise TypeError(
            f"[eval_jaxpr] expected {len(variables)} {what}, got {len(values)}"
        )


def jaxpr_as_fun(closed_jaxpr: ClosedJaxpr, *args):
    """A ClosedJaxpr as a function of arrays to a list; args are its first."""

    def function(*rest):
        return closed_jaxpr.eval([_dispatch.to_array(x) for x in args + rest])

    return function


def jaxprs_in_params(params) -> Iterator[Jaxpr]:
    """The jaxprs among an equation's parameters."""
    for value in params.values():
        for item in value if isinstance(value, (tuple, list)) else [value]:
            if isinstance(item, ClosedJaxpr):
                yield item.jaxpr
            elif isinstance(item, Jaxpr):
                yield item


def subjaxprs(jaxpr: Jaxpr) -> Iterator[Jaxpr]:
    """The jaxprs directly inside a jaxpr."""
    for eqn in jaxpr.eqns:
        yield from jaxprs_in_params(eqn.params)


def check_jaxpr(jaxpr: Jaxpr) -> None:
    """Raises JaxprTypeError or TypeError if the jaxpr is not well formed."""
    closed = close_jaxpr(jaxpr)
    if jaxpr._closed is closed:
        close_jaxpr(jaxpr.replace())


def gensym():
    """A function that makes variables."""
    return Var


def mapped_aval(size, axis, aval):
    """The type without the mapped axis."""
    if axis is None:
        return aval
    shape = list(aval.shape)
    if shape.pop(axis) != size:
        raise ValueError(f"[mapped_aval] axis {axis} of {aval} is not {size}")
    return ShapedArray(shape, aval.dtype, aval.weak_type)


def unmapped_aval(size, axis, aval, explicit_mesh_axis=None):
    """The type with an axis of `size` at `axis`."""
    del explicit_mesh_axis
    if axis is None:
        return aval
    shape = list(aval.shape)
    shape.insert(axis, size)
    return ShapedArray(shape, aval.dtype, aval.weak_type)
