"""custom_vmap: a function with a batching rule of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from cotan import _core, _dispatch, dtypes
from cotan._src import api
from cotan._src.custom import _positional, _rule_setter, register_decorator
from cotan._src.primitives import Primitive, Zero, is_zero
from cotan.interpreters import ad, batching, mlir
from cotan.tree_util import (
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_structure,
    tree_unflatten,
    treedef_tuple,
)

custom_vmap_p = Primitive("custom_vmap_call")
custom_vmap_p.multiple_results = True


class custom_vmap:
    """A function that vmap treats by a rule of its own.

    >>> @cotan.custom_batching.custom_vmap
    ... def f(x, y): return x + y
    >>> @f.def_vmap
    ... def f_rule(axis_size, in_batched, xs, ys): return xs * ys, True
    >>> cotan.vmap(f)(cnp.arange(3), cnp.arange(1, 4))
    Array([0, 2, 6], dtype=int32)
    """

    fun: Callable[..., Any]
    vmap_rule: Callable[..., tuple[Any, Any]] | None

    def __init__(self, fun: Callable[..., Any]):
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.vmap_rule = None

    def def_vmap(
        self, vmap_rule: Callable[..., tuple[Any, Any]]
    ) -> Callable[..., tuple[Any, Any]]:
        """vmap_rule(axis_size, in_batched, *args) -> (output, out_batched).

        in_batched is a list with one tree of bools per argument, out_batched
        a tree of bools like the output; batched arrays have the axis in
        front.
        """
        self.vmap_rule = vmap_rule
        return vmap_rule

    def __getattr__(self, name):
        return _rule_setter(self, name)

    def __call__(self, *args, **kwargs):
        args = _positional(self.fun, args, kwargs, "custom_vmap")
        if self.vmap_rule is None:
            raise AttributeError(
                "No batching rule defined for custom_vmap function "
                f"{_name(self.fun)} using def_vmap."
            )
        leaves, in_tree = tree_flatten((args, {}))
        flat = api._Flat(self.fun, in_tree)
        values = [_dispatch.to_array(x) for x in leaves]
        call = _dispatch.trace_flat(flat, map(_dispatch.aval_of, values))
        consts = call.consts
        out = custom_vmap_p.bind(
            *consts,
            *values,
            call=_dispatch.with_consts(call, []),
            rule=_Rule(self.vmap_rule, len(consts)),
            in_tree=tree_structure(tuple(args)),
            out_tree=flat.out_tree,
        )
        return tree_unflatten(flat.out_tree, out)


register_decorator(custom_vmap)


def _name(f):
    return getattr(f, "__name__", repr(f))


class _Rule:
    """The user's rule on flat operands, the first of which are constants."""

    def __init__(self, rule, num_consts):
        self.rule, self.num_consts = rule, num_consts

    def __str__(self):
        return _name(self.rule)

    def __eq__(self, other):
        return isinstance(other, _Rule) and (self.rule, self.num_consts) == (
            other.rule,
            other.num_consts,
        )

    def __hash__(self):
        return hash((self.rule, self.num_consts))

    def __call__(self, size, batched, values, in_tree, out_tree):
        """(flat outputs, which are batched)"""
        n = self.num_consts
        if any(batched[:n]):
            raise NotImplementedError(
                "[custom_vmap] a function closes over a batched value: make "
                "it an argument"
            )
        out, out_batched = _call_rule(
            self.rule,
            size,
            tree_unflatten(in_tree, batched[n:]),
            tree_unflatten(in_tree, values[n:]),
        )
        flat_out, tree = tree_flatten(out)
        if tree != out_tree:
            raise ValueError(
                "structure of output returned by custom vmap rule "
                f"({_name(self.rule)}) does not match that of original "
                f"custom-vmapped function.\nOriginal output: {out_tree}\n"
                f"Rule output: {tree}"
            )
        return flat_out, out_batched


def _call_rule(rule, size, in_batched, args):
    pair = rule(size, list(in_batched), *args)
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(
            "custom vmap rule must return a pair (output, whether it is "
            f"batched), got {type(pair)}"
        )
    out, out_batched = pair
    out_tree, batched_tree = tree_structure(out), tree_structure(out_batched)
    if batched_tree != out_tree:
        raise ValueError(
            "structure of output value and output batching specification "
            f"returned by custom vmap rule ({_name(rule)}) do not match.\n"
            f"Output values: {out_tree}\nBatching spec: {batched_tree}"
        )
    return out, tree_leaves(out_batched)


def _evaluate(*values, call, rule, in_tree, out_tree):
    del rule, in_tree, out_tree
    return call.eval(list(values))


def _types(*avals, call, rule, in_tree, out_tree):
    del avals, rule, in_tree, out_tree
    return call.out_avals


def _batch(axis, values, dims, *, call, rule, in_tree, out_tree):
    batched = [d is not None for d in dims]
    fronts = [
        x if d is None else batching.moveaxis(x, d, 0)
        for x, d in zip(values, dims, strict=True)
    ]
    out, out_batched = rule(axis.size, batched, fronts, in_tree, out_tree)
    return out, [0 if b else None for b in out_batched]


class _TangentRule:
    """The batching rule of the tangents of a custom_vmap function: the
    derivative of its rule. Operands: primals, then the nonzero tangents."""

    def __init__(self, rule, in_tree, out_tree, nonzero):
        self.rule, self.nonzero = rule, nonzero
        self.in_tree, self.out_tree = in_tree, out_tree

    def __str__(self):
        return f"jvp of {self.rule}"

    def __eq__(self, other):
        return isinstance(other, _TangentRule) and (
            (self.rule, self.nonzero, self.in_tree, self.out_tree)
            == (other.rule, other.nonzero, other.in_tree, other.out_tree)
        )

    def __hash__(self):
        return hash((self.rule, self.nonzero))

    def __call__(self, size, batched, values, in_tree, out_tree):
        del in_tree, out_tree
        n = len(self.nonzero)
        primals, given = list(values[:n]), iter(values[n:])
        moves, t_given = list(batched[:n]), iter(batched[n:])
        # A zero tangent is batched as its primal is.
        tangents = [next(given) if nz else None for nz in self.nonzero]
        t_moves = [
            next(t_given) if nz else b
            for nz, b in zip(self.nonzero, moves, strict=True)
        ]
        if any(p and t for p, t in zip(moves, t_moves, strict=True)):
            return self._together(size, primals, tangents, moves, t_moves)
        # Nothing that the rule would see is batched: it is called so, and
        # what it computes is batched in the tangents or primals alone.
        found = {}

        def one(xs):
            out, found["batched"] = self._jvp(size, xs[:n], xs[n:], [False] * n)
            return out

        dims = [0 if b else -1 for b in [*moves, *t_moves]]
        dims = [
            d if x is not None else -1
            for d, x in zip(dims, [*primals, *tangents], strict=True)
        ]
        out, out_dims = _dispatch.vmap_flat(
            one, [*primals, *tangents], dims, size
        )
        results = []
        for y, d, b in zip(out, out_dims, found["batched"], strict=True):
            y = y if d == -1 else batching.moveaxis(y, d, 0)
            results.append(_first_diagonal(y) if b and d != -1 else y)
        flags = [
            b or d != -1
            for b, d in zip(found["batched"], out_dims, strict=True)
        ]
        return results, flags

    def _together(self, size, primals, tangents, moves, t_moves):
        """Each primal and its tangent are batched, or neither is."""
        for i, (p, t) in enumerate(zip(moves, t_moves, strict=True)):
            if t and not p:
                primals[i] = batching.broadcast(primals[i], size, 0)
            elif p and not t:
                tangents[i] = batching.broadcast(tangents[i], size, 0)
            moves[i] = p or t
        return self._jvp(size, primals, tangents, moves)

    def _jvp(self, size, primals, tangents, batched):
        found = {}

        def run(xs):
            out, found["batched"] = self.rule(
                size, batched, xs, self.in_tree, self.out_tree
            )
            return [_dispatch.to_array(x) for x in out]

        out, t_out = _dispatch.jvp_flat(run, primals, tangents)
        inexact = [dtypes.issubdtype(y.dtype, dtypes.np.inexact) for y in out]
        results = [
            _core.full(y.shape, 0, y.dtype) if t is None else t
            for y, t, keep in zip(out, t_out, inexact, strict=True)
            if keep
        ]
        flags = zip(found["batched"], inexact, strict=True)
        return results, [b for b, keep in flags if keep]


def _first_diagonal(x):
    """x[i, i, ...]"""
    from cotan import numpy as cnp

    return cnp.moveaxis(cnp.diagonal(x, axis1=0, axis2=1), -1, 0)


def _jvp(primals, tangents, *, call, rule, in_tree, out_tree):
    out = custom_vmap_p.bind(
        *primals, call=call, rule=rule, in_tree=in_tree, out_tree=out_tree
    )
    nonzero = tuple(not is_zero(t) for t in tangents)
    given = [t for t in tangents if not is_zero(t)]
    n = len(primals)

    def tangent_part(xs):
        it = iter(xs[n:])
        ts = [next(it) if nz else None for nz in nonzero]
        ys, t_out = _dispatch.jvp_flat(call.eval, xs[:n], ts)
        return [
            _core.full(y.shape, 0, y.dtype) if t is None else t
            for y, t in zip(ys, t_out, strict=True)
            if dtypes.issubdtype(y.dtype, dtypes.np.inexact)
        ]

    values = [*primals, *given]
    traced = _dispatch.trace_flat(
        tangent_part, [_dispatch.aval_of(x) for x in values]
    )
    t_found = iter(
        custom_vmap_p.bind(
            *values,
            call=traced,
            rule=_TangentRule(rule, in_tree, out_tree, nonzero),
            in_tree=None,
            out_tree=None,
        )
    )
    t_out = [
        next(t_found)
        if dtypes.issubdtype(y.dtype, dtypes.np.inexact)
        else Zero.from_primal_value(y)
        for y in out
    ]
    return out, t_out


def _transpose(cts, *args, call, rule, in_tree, out_tree):
    """The transpose of the function itself: it has no rule any more."""
    del rule, in_tree, out_tree
    linear = [ad.is_undefined_primal(x) for x in args]

    def run(xs):
        it = iter(xs)
        return call.eval(
            [
                next(it) if lin else x
                for x, lin in zip(args, linear, strict=True)
            ]
        )

    closed = _dispatch.trace_flat(
        run,
        [t for t, lin in zip(call.in_types, linear, strict=True) if lin],
    )
    found = iter(
        _dispatch.transpose_flat(
            closed, [None if is_zero(c) else c for c in cts]
        )
    )
    return [next(found) if lin else None for lin in linear]


custom_vmap_p.def_impl(_evaluate)
custom_vmap_p.def_abstract_eval(_types)
batching.fancy_primitive_batchers[custom_vmap_p] = _batch
custom_vmap_p.rules.uses_axis = lambda name, params: _dispatch.uses_axis(
    params["call"], name
)
ad.primitive_jvps[custom_vmap_p] = _jvp
ad.primitive_transposes[custom_vmap_p] = _transpose
mlir.register_lowering(custom_vmap_p, mlir.lower_fun(_evaluate))


def sequential_vmap(f):
    """f, which vmap turns into a loop over the elements (`lax.map`).

    >>> f = cotan.custom_batching.sequential_vmap(lambda x: x + 1)
    >>> cotan.vmap(f)(cnp.arange(3))
    Array([1, 2, 3], dtype=int32)
    """
    from cotan import lax

    f = custom_vmap(f)

    @f.def_vmap
    def rule(axis_size, in_batched, *args):
        del axis_size
        leaves, tree = tree_flatten(list(args))
        batched = tree_leaves(in_batched)
        mapped = [x for x, b in zip(leaves, batched, strict=True) if b]

        def one(rows):
            it = iter(rows)
            full = [
                next(it) if b else x
                for x, b in zip(leaves, batched, strict=True)
            ]
            return f(*tree_unflatten(tree, full))

        out = lax.map(one, mapped)
        return out, tree_map(lambda _: True, out)

    return f


# ---- linear_call

linear_call_p = Primitive("linear_call")
linear_call_p.multiple_results = True


def linear_call(
    fun: Callable, fun_transpose: Callable, residual_args, linear_args
):
    """fun(residual_args, linear_args), whose transpose in linear_args is
    fun_transpose(residual_args, cotangent).

    >>> def scale(x, k):
    ...     return cotan.custom_derivatives.linear_call(
    ...         lambda r, x: x / r, lambda r, ct: ct / r, k, x)
    >>> cotan.grad(scale)(1.0, 4.0)
    Array(0.25, dtype=float32, weak_type=True)
    """
    res, res_tree = tree_flatten(residual_args)
    lin, lin_tree = tree_flatten(linear_args)
    res = [_dispatch.to_array(x) for x in res]
    lin = [_dispatch.to_array(x) for x in lin]
    types = [_dispatch.aval_of(x) for x in [*res, *lin]]
    flat = api._Flat(
        fun,
        treedef_tuple(
            (treedef_tuple((res_tree, lin_tree)), tree_structure({}))
        ),
    )
    callee = _dispatch.trace_flat(flat, types)
    back = api._Flat(
        fun_transpose,
        treedef_tuple(
            (treedef_tuple((res_tree, flat.out_tree)), tree_structure({}))
        ),
    )
    transposed = _dispatch.trace_flat(
        back, [*types[: len(res)], *callee.out_types]
    )
    if back.out_tree != lin_tree:
        raise TypeError(
            "transpose output pytree structure must match that of linear "
            f"inputs, got output structure {back.out_tree} and input "
            f"structure {lin_tree}."
        )
    out = linear_call_p.bind(
        *callee.consts,
        *transposed.consts,
        *res,
        *lin,
        callee=_dispatch.with_consts(callee, []),
        transpose=_dispatch.with_consts(transposed, []),
        num_callee_consts=len(callee.consts),
        num_transpose_consts=len(transposed.consts),
        num_res=len(res),
    )
    return tree_unflatten(flat.out_tree, out)


def _linear_parts(args, p):
    """constants of the callee and of the transpose, residuals, the rest"""
    a = p["num_callee_consts"]
    b = a + p["num_transpose_consts"]
    c = b + p["num_res"]
    return list(args[:a]), list(args[a:b]), list(args[b:c]), list(args[c:])


def _linear_evaluate(*args, **p):
    own, _, res, lin = _linear_parts(args, p)
    return p["callee"].eval([*own, *res, *lin])


def _linear_jvp(primals, tangents, **p):
    out = linear_call_p.bind(*primals, **p)
    *fixed, ts = _linear_parts(tangents, p)
    if not all(is_zero(t) for part in fixed for t in part):
        raise NotImplementedError(
            "[linear_call] derivatives with respect to the residual arguments "
            "are not defined"
        )
    head = primals[: len(primals) - len(ts)]
    ts = [ad.instantiate_zeros(t) for t in ts]
    return out, linear_call_p.bind(*head, *ts, **p)


def _linear_transpose(cts, *args, **p):
    own, other, res, lin = _linear_parts(args, p)
    cts = [ad.instantiate_zeros(c) for c in cts]
    out = linear_call_p.bind(
        *other,
        *own,
        *res,
        *cts,
        callee=p["transpose"],
        transpose=p["callee"],
        num_callee_consts=len(other),
        num_transpose_consts=len(own),
        num_res=len(res),
    )
    return [None] * (len(args) - len(lin)) + list(out)


def _linear_batch(axis, args, dims, **p):
    """All operands batched, so that both functions have the axis in front."""
    size = axis.size
    fronts = [
        batching.bdim_at_front(x, d, size)
        for x, d in zip(args, dims, strict=True)
    ]

    def batched(closed):
        def run(xs):
            out, out_dims = _dispatch.vmap_flat(
                closed.eval, xs, [0] * len(xs), size, axis.name
            )
            return [
                _dispatch.move_batch_axis(y, d, size, 0)
                for y, d in zip(out, out_dims, strict=True)
            ]

        types = [(t, (size, *s), w) for t, s, w in closed.in_types]
        return _dispatch.trace_flat(run, types)

    q = dict(
        p,
        callee=batched(p["callee"]),
        transpose=batched(p["transpose"]),
    )
    out = linear_call_p.bind(*fronts, **q)
    return out, [0] * len(out)


linear_call_p.def_impl(_linear_evaluate)
linear_call_p.def_abstract_eval(lambda *_, **p: p["callee"].out_avals)
ad.primitive_jvps[linear_call_p] = _linear_jvp
ad.primitive_transposes[linear_call_p] = _linear_transpose
batching.fancy_primitive_batchers[linear_call_p] = _linear_batch
linear_call_p.rules.uses_axis = lambda name, params: any(
    _dispatch.uses_axis(params[key], name) for key in ("callee", "transpose")
)
mlir.register_lowering(linear_call_p, mlir.lower_fun(_linear_evaluate))
