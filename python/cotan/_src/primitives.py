"""Primitives as objects: the core's, and those that a program defines.

A `Primitive` binds arrays and named parameters under the current trace. One
that a program defines has rules in Python, registered as in JAX: `def_impl`,
`def_abstract_eval`, and the tables of cotan.interpreters. The core calls the
`_apply_*` methods, which find the rule, call it the way JAX does and check
what it gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cotan import _core, _dispatch
from cotan._src import params as params_module
from cotan._src.avals import ShapedArray, short
from cotan._src.jaxprs import aval_triple, shaped_array

_by_address: dict[int, Primitive] = {}


class Zero:
    """A tangent or cotangent that is known to be zero."""

    __slots__ = ("aval",)

    def __init__(self, aval):
        self.aval = aval

    @staticmethod
    def from_primal_value(val) -> Zero:
        return Zero(shaped_array(_tangent_type(_dispatch.aval_of(val))))

    def instantiate(self):
        return zeros_of(self.aval)

    def __repr__(self):
        return f"Zero({self.aval.str_short(short_dtypes=True)})"


class UndefinedPrimal:
    """The argument of a transpose rule in which the operation is linear."""

    __slots__ = ("aval",)

    def __init__(self, aval):
        self.aval = aval

    def __repr__(self):
        return f"UndefinedPrimal({self.aval})"


def _tangent_type(triple):
    from cotan import core

    dtype, shape, weak = triple
    return core.primal_dtype_to_tangent_dtype(dtype), shape, weak


def zeros_of(aval):
    """An array of zeros of a type."""
    dtype, shape, weak = aval_triple(aval)
    return _core.full(shape, 0, dtype, weak)


class Primitive:
    """An operation; `bind` applies it.

    >>> double_p = cotan.extend.core.Primitive("double")
    >>> _ = double_p.def_impl(lambda x: x * 2)
    >>> _ = double_p.def_abstract_eval(lambda x: x)
    >>> double_p.bind(cnp.ones(2))
    Array([2., 2.], dtype=float32)
    """

    multiple_results = False
    call_primitive = False
    map_primitive = False

    def __init__(self, name: str):
        self._set_up(name, None)
        self.rules = Rules()
        self._record = _dispatch.PrimitiveRecord.define(self, name)
        _by_address[self._record.address] = self

    def _set_up(self, name, record):
        self.name = name
        self.rules: Rules | None = None
        self._record = record
        self.impl: Callable | None = None
        self.abstract_eval: Callable | None = None

    def __repr__(self):
        return self.name

    # Copies are the primitive itself: equations know it by identity.
    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    # ---- applying

    def bind(self, *args, **params):
        """The result (a list if multiple_results) for arrays or scalars."""
        values = []
        for x in args:
            if not _dispatch.is_array(x):
                raise TypeError(
                    f"Argument '{x}' of type {type(x)} is not a valid JAX "
                    f"type: primitive {self.name!r} takes arrays and scalars."
                )
            values.append(_dispatch.to_array(x))
        if self.rules is None:
            params = params_module.to_core(self, params)
        out = self._record.bind(values, params)
        return out if self.multiple_results else out[0]

    def get_bind_params(self, params):
        """(functions, params) for bind; here no parameter is a function that
        bind takes apart."""
        return [], params

    # ---- rules

    def _own(self, what):
        if self.rules is None:
            raise NotImplementedError(
                f"primitive {self.name!r} is the core's: its {what} rule "
                "cannot be replaced"
            )

    def def_impl(self, impl: Callable) -> Callable:
        """Evaluation: arrays and params -> array (a sequence if
        multiple_results)."""
        self._own("evaluation")
        self.impl = impl
        return impl

    def def_abstract_eval(self, abstract_eval: Callable) -> Callable:
        """Types: ShapedArrays and params -> ShapedArray (a sequence if
        multiple_results)."""
        self._own("type")
        self.abstract_eval = abstract_eval
        return abstract_eval

    def def_effectful_abstract_eval(self, rule: Callable) -> Callable:
        """As def_abstract_eval; the rule gives (types, effects)."""
        self._own("type")

        def pure(*avals, **params):
            out, effects = rule(*avals, **params)
            if effects:
                raise NotImplementedError(
                    f"[{self.name}] effects of primitives that are defined in "
                    "Python are not supported; use io_callback"
                )
            return out

        self.abstract_eval = pure
        return rule

    # ---- what the core calls: lists in, lists out, None for a zero

    def _results(self, out, rule) -> list[Any]:
        if not self.multiple_results:
            return [out]
        if not isinstance(out, (list, tuple)):
            raise TypeError(
                f"[{self.name}] multiple_results is set, so the {rule} rule "
                f"must give a list or tuple, got {type(out)}"
            )
        return list(out)

    def _apply_type(self, types, params):
        if self.abstract_eval is None:
            raise _missing("Abstract evaluation", self, "def_abstract_eval")
        out = self.abstract_eval(*map(shaped_array, types), **params)
        if isinstance(out, tuple) and self.multiple_results:
            out = list(out)
        return [
            aval_triple(t) for t in self._results(out, "abstract evaluation")
        ]

    def _check_types(self, values, types, rule):
        if len(values) != len(types):
            raise TypeError(
                f"[{self.name}] the {rule} rule gave {len(values)} results; "
                f"by abstract evaluation there are {len(types)}"
            )
        out = []
        for i, (x, want) in enumerate(zip(values, types, strict=True)):
            x = _dispatch.to_array(x)
            got = _dispatch.aval_of(x)
            if got[:2] != want[:2]:
                raise TypeError(
                    f"[{self.name}] result {i} of the {rule} rule is "
                    f"{_text(got)}; by abstract evaluation it is {_text(want)}"
                )
            if got[2] != want[2]:
                x = _core.convert(x, want[0], want[2])
            out.append(x)
        return out

    def _apply_impl(self, values, params):
        if self.impl is None:
            raise _missing("Evaluation rule", self, "def_impl")
        out = self._results(self.impl(*values, **params), "evaluation")
        if self.abstract_eval is None:  # it may only ever be evaluated
            return [_dispatch.to_array(x) for x in out]
        types = self._apply_type([_dispatch.aval_of(x) for x in values], params)
        return self._check_types(out, types, "evaluation")

    def _apply_lowering(self, values, params):
        rule = self.rules.lowering
        if rule is None:
            raise _missing(
                "Lowering rule", self, "interpreters.mlir.register_lowering"
            )
        out = rule.fun(*values, **params)
        out = list(out) if rule.multiple_results else [out]
        types = self._apply_type([_dispatch.aval_of(x) for x in values], params)
        return self._check_types(out, types, "lowering")

    def _apply_jvp(self, primals, tangents, params):
        rule = self.rules.jvp
        if rule is None:
            raise _missing(
                "Differentiation rule", self, "interpreters.ad.primitive_jvps"
            )
        ts = [
            Zero.from_primal_value(x) if t is None else t
            for x, t in zip(primals, tangents, strict=True)
        ]
        pair = rule(tuple(primals), tuple(ts), **params)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(
                f"[{self.name}] the jvp rule must give a pair (primals, "
                f"tangents), got {type(pair)}"
            )
        out = [_dispatch.to_array(x) for x in self._results(pair[0], "jvp")]
        t_out = self._results(pair[1], "jvp")
        if len(out) != len(t_out):
            raise TypeError(
                f"[{self.name}] the jvp rule gave {len(out)} primals and "
                f"{len(t_out)} tangents"
            )
        return out, [
            self._checked(
                t, _dispatch.aval_of(x), "jvp rule gave a tangent", "a primal"
            )
            for t, x in zip(t_out, out, strict=True)
        ]

    def _checked(self, x, want, given, of):
        """What a rule gave, of the type it must have; None if it is zero."""
        if is_zero(x):
            return None
        x = _dispatch.to_array(x)
        got = _dispatch.aval_of(x)
        if got[:2] != want[:2]:
            raise TypeError(
                f"[{self.name}] the {given} {_text(got)} of {of} {_text(want)}"
            )
        return x

    def _apply_transpose(self, cts, values, types, params):
        rule = self.rules.transpose
        if rule is None:
            raise _missing(
                "Transpose rule (for reverse-mode differentiation)",
                self,
                "interpreters.ad.primitive_transposes",
            )
        linear = [x is None for x in values]
        args = [
            UndefinedPrimal(shaped_array(t)) if lin else x
            for x, t, lin in zip(values, types, linear, strict=True)
        ]
        known = [shaped_array(t) for t in self._apply_type(types, params)]
        cts = [
            Zero(t) if c is None else c for c, t in zip(cts, known, strict=True)
        ]
        ct = cts if self.multiple_results else cts[0]
        out = rule(ct, *args, **params)
        if out is None:
            return [None] * len(args)
        out = list(out)
        if len(out) != len(args):
            raise TypeError(
                f"[{self.name}] the transpose rule gave {len(out)} cotangents "
                f"of {len(args)} operands"
            )
        return [
            self._checked(c, t, "transpose rule gave a cotangent", "an operand")
            if lin
            else None
            for c, t, lin in zip(out, types, linear, strict=True)
        ]

    def _uses_axis(self, name, params) -> bool:
        """Whether the batching rule is called though no operand is batched."""
        if not self.rules.batch_takes_axis:
            return False
        used = self.rules.uses_axis
        return used is None or used(name, params)

    def _apply_batch(self, values, dims, size, name, params):
        rule, takes_axis = self.rules.batch, self.rules.batch_takes_axis
        if rule is None:
            raise _missing(
                "Batching rule",
                self,
                "interpreters.batching.primitive_batchers",
            )
        axes = [None if d < 0 else d for d in dims]
        if takes_axis:
            out, out_dims = rule(
                AxisData(name, size), tuple(values), tuple(axes), **params
            )
        else:
            out, out_dims = rule(tuple(values), tuple(axes), **params)
        if not self.multiple_results:
            out, out_dims = [out], [out_dims]
        elif not isinstance(out_dims, (list, tuple)):
            out_dims = [out_dims] * len(out)
        results, at = [], []
        for x, d in zip(out, out_dims, strict=True):
            x = _dispatch.to_array(x)
            if d is not None and not -x.ndim <= d < x.ndim:
                raise ValueError(
                    f"[{self.name}] the batching rule put the batch axis at "
                    f"{d} of a result of shape {x.shape}"
                )
            results.append(x)
            at.append(-1 if d is None else int(d) % x.ndim)
        return results, at


class AxisData:
    """The mapped axis, for the rules of fancy_primitive_batchers."""

    __slots__ = ("name", "size", "spmd_name", "explicit_mesh_axis")

    def __init__(self, name, size, spmd_name=None, explicit_mesh_axis=None):
        self.name, self.size = name, size
        self.spmd_name, self.explicit_mesh_axis = spmd_name, explicit_mesh_axis


class Rules:
    """What interpreters hold for one primitive."""

    __slots__ = (
        "batch",
        "batch_takes_axis",
        "jvp",
        "lowering",
        "transpose",
        "uses_axis",
    )

    def __init__(self):
        self.jvp: Callable | None = None
        self.transpose: Callable | None = None
        self.batch: Callable | None = None
        self.batch_takes_axis = False
        # (name, params): whether it depends on that axis; None: it may.
        self.uses_axis: Callable | None = None
        self.lowering: Any = None


def is_zero(t) -> bool:
    """Whether a rule's tangent or cotangent is a zero without data."""
    from cotan import dtypes
    from cotan._src.custom import SymbolicZero

    return (
        t is None
        or isinstance(t, (Zero, SymbolicZero))
        or getattr(t, "dtype", None) == dtypes.float0
    )


def _text(triple) -> str:
    dtype, shape, _ = triple
    return f"{short(dtype)}[{','.join(map(str, shape))}]"


def _missing(what, primitive, where) -> NotImplementedError:
    return NotImplementedError(
        f"{what} for '{primitive.name}' not implemented: register one with "
        f"{where}"
    )


# ---- the core's primitives

_MULTIPLE_RESULTS = {
    "checkpoint",
    "composite",
    "cond",
    "custom_jvp_call",
    "custom_lin",
    "custom_linear_solve",
    "custom_vjp_call",
    "debug_callback",
    "eig",
    "eigh",
    "geqp3",
    "geqrf",
    "hessenberg",
    "io_callback",
    "jit",
    "lu",
    "optimization_barrier",
    "philox2x32",
    "philox4x32",
    "pure_callback",
    "qr",
    "rng_bit_generator",
    "scan",
    "schur",
    "sort",
    "svd",
    "threefry2x32",
    "threefry4x32",
    "top_k",
    "tridiagonal",
    "while",
}


def _known(record) -> Primitive:
    p = Primitive.__new__(Primitive)
    p._set_up(record.name, record)
    p.multiple_results = record.name in _MULTIPLE_RESULTS
    _by_address[record.address] = p
    return p


def primitive_at(address: int) -> Primitive:
    """The primitive that an equation of the core names."""
    found = _by_address.get(address)
    return found or _known(_dispatch.PrimitiveRecord.at(address))


def core_primitive(name: str) -> Primitive | None:
    """The core's primitive of a name, or None."""
    record = _dispatch.PrimitiveRecord.named(name)
    return None if record is None else primitive_at(record.address)


# JAX's names for variables that are not "<primitive>_p".
_VARIABLES = {
    "add_jaxvals_p": "add_any",
    "linear_solve_p": "custom_linear_solve",
    "remat_p": "checkpoint",
    **{
        f"scatter_{kind}_p": f"scatter-{kind}"
        for kind in ("add", "max", "min", "mul", "sub")
    },
}


def primitive_variable(variable: str) -> Primitive | None:
    """The primitive that JAX calls `variable` ("sin_p"), or None."""
    if not variable.endswith("_p"):
        return None
    return core_primitive(_VARIABLES.get(variable, variable[:-2]))


def variables() -> dict[str, Primitive]:
    """All of the core's primitives under JAX's names of variables."""
    special = {v: k for k, v in _VARIABLES.items()}
    out = {}
    for name in _core.primitives():
        out[special.get(name, f"{name}_p")] = core_primitive(name)
    return out


def result_type(primitive: Primitive, *avals, **params) -> list[ShapedArray]:
    """Types of the results for types of the operands."""
    closed = _dispatch.trace_flat(
        lambda xs: _as_list(primitive.bind(*xs, **params)),
        [aval_triple(a) for a in avals],
    )
    return closed.out_avals


def _as_list(x):
    return list(x) if isinstance(x, (list, tuple)) else [x]
