"""custom_jvp and custom_vjp: derivatives given by the user."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import numpy as np

from cotan import _core, _dispatch, dtypes, tree_util
from cotan._src import avals
from cotan._src.avals import leaf_aval
from cotan._src.custom_checks import (
    check_primal_output,
    checked_cotangents,
    checked_tangents,
    is_float0,
    rule_name,
)
from cotan.errors import UnexpectedTracerError
from cotan.tree_util import tree_flatten, tree_unflatten


class SymbolicZero:
    """A tangent or cotangent that is known to be zero; has shape and dtype."""

    def __init__(self, aval):
        self.aval = aval

    def __getattr__(self, name):
        if name == "aval":  # not set yet: copying, unpickling
            raise AttributeError(name)
        return getattr(self.aval, name)

    @staticmethod
    def from_primal_value(val):
        """The zero tangent of a value."""
        return _symbolic_zero(leaf_aval(val))

    def __repr__(self):
        return "SymbolicZero"


def _symbolic_zero(primal):
    """From the (dtype, shape, weak_type) of the primal."""
    dtype, shape, weak = primal
    if not dtypes.issubdtype(dtype, np.inexact):
        dtype = np.dtype(dtypes.float0)
    return SymbolicZero(avals.ShapedArray(shape, dtype, weak))


def _positional(fun, args, kwargs, kind="custom"):
    """Arguments by position, defaults filled in: rules take no keywords."""
    target = fun
    if isinstance(fun, functools.partial):  # its keywords are no arguments
        target = lambda *args, **kwargs: None  # noqa: E731
    try:
        bound = inspect.signature(target).bind(*args, **kwargs)
        bound.apply_defaults()
        passed = [k for k in bound.kwargs if k in kwargs]
        if passed:
            raise TypeError(
                "The following keyword arguments could not be resolved to "
                f"positions: {', '.join(passed)}"
            )
    except ValueError:
        return tuple(args)
    except TypeError as e:
        raise TypeError(
            f"The input arguments to the {kind}-decorated function "
            f"{getattr(fun, '__name__', repr(fun))} could not be resolved to "
            f"positional-only arguments. Binding failed with the error:\n{e}"
        ) from e
    return bound.args


def _rule_setter(outer, name):
    """`defjvp` and the like of a function that is decorated twice."""
    inner = outer.__dict__.get("fun")
    if name.startswith("def") and isinstance(inner, _DECORATED):
        return getattr(inner, name)
    raise AttributeError(
        f"{type(outer).__name__!r} object has no attribute {name!r}"
    )


def _split(args, nums):
    if not nums:
        return args, ()
    nums = [n % len(args) for n in nums]
    dynamic = tuple(a for i, a in enumerate(args) if i not in nums)
    return dynamic, tuple(args[i] for i in nums)


def _merge(dynamic, fixed, nums, n):
    if not nums:
        return tuple(dynamic)
    out, rest = [], iter(dynamic)
    where = {k % n: v for k, v in zip(nums, fixed, strict=True)}
    for i in range(n):
        out.append(where[i] if i in where else next(rest))
    return tuple(out)


def _zero_like(aval):
    dtype, shape, weak = aval
    if dtypes.issubdtype(dtype, np.inexact):
        return _core.full(shape, 0, dtype, weak)
    return np.zeros(shape, dtypes.float0)


class _Custom:
    def __init__(self, fun: Callable, nondiff_argnums=(), nondiff_argnames=()):
        functools.update_wrapper(self, fun)
        self.fun = fun
        nums = (
            (nondiff_argnums,)
            if isinstance(nondiff_argnums, int)
            else tuple(nondiff_argnums)
        )
        if nondiff_argnames:
            names = list(inspect.signature(fun).parameters)
            nums += tuple(names.index(n) for n in nondiff_argnames)
        self.nondiff_argnums = nums

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __getattr__(self, name):
        return _rule_setter(self, name)

    @property
    def _name(self):
        return getattr(self.fun, "__name__", repr(self.fun))

    def _prepare(self, args, kwargs):
        args = _positional(self.fun, args, kwargs, type(self).__name__)
        args = self._with_fixed(args)
        dynamic, fixed = _split(args, self.nondiff_argnums)
        leaves, in_tree = tree_flatten(dynamic)
        for x in leaves:
            if not _dispatch.is_array(x):
                raise TypeError(
                    f"{self._name} takes arrays and pytrees of them, got "
                    f"{type(x)}; name it in nondiff_argnums if it is a "
                    "constant"
                )
        arrays = [_dispatch.to_array(x) for x in leaves]
        return args, fixed, arrays, in_tree

    def _flat_fun(self, n, fixed, in_tree, state):
        """Of n arguments. It outlives the call, so it holds no operands."""

        def flat(leaves):
            dynamic = tree_unflatten(in_tree, leaves)
            out = self.fun(*_merge(dynamic, fixed, self.nondiff_argnums, n))
            flat_out, state["out_tree"] = tree_flatten(out)
            arrays = [
                avals.output_array(x, self.fun, i, out)
                for i, x in enumerate(flat_out)
            ]
            types = [leaf_aval(x) for x in arrays]
            state["primal"] = (state["out_tree"], types)
            return arrays

        flat.__name__ = self._name
        return flat


class custom_jvp(_Custom):
    """A function with a jvp rule of its own.

    >>> @cotan.custom_jvp
    ... def f(x): return cnp.sin(x)
    >>> @f.defjvp
    ... def f_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return f(x), 2 * t
    >>> cotan.grad(f)(1.0)
    Array(2., dtype=float32, weak_type=True)
    """

    jvp: Callable | None = None
    symbolic_zeros = False

    def _with_fixed(self, args):
        """Of nondiff_argnums nothing is differentiated."""
        return tuple(
            _core.stop_gradient(x)
            if i in self.nondiff_argnums and isinstance(x, _dispatch.Tracer)
            else x
            for i, x in enumerate(args)
        )

    def defjvp(self, jvp: Callable, symbolic_zeros: bool = False) -> Callable:
        """jvp(*nondiff args, primals, tangents) -> (output, its tangent)."""
        self.jvp, self.symbolic_zeros = jvp, symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable | None) -> None:
        """One rule per argument: jvps[i](tangent_i, output, *primals)."""
        if self.nondiff_argnums:
            raise TypeError("Can't use ``defjvps`` with ``nondiff_argnums``.")

        def jvp(primals, tangents):
            out = self(*primals)
            parts = [
                rule(t, out, *primals)
                for rule, t in zip(jvps, tangents, strict=True)
                if rule
            ]
            total = (
                functools.reduce(
                    lambda a, b: tree_util.tree_map(lambda x, y: x + y, a, b),
                    parts,
                )
                if parts
                else tree_util.tree_map(lambda y: _zero_like(leaf_aval(y)), out)
            )
            return out, total

        self.defjvp(jvp)

    def __call__(self, *args, **kwargs):
        if self.jvp is None:
            raise AttributeError(
                f"No JVP defined for custom_jvp function {self._name} using "
                "defjvp."
            )
        args, fixed, arrays, in_tree = self._prepare(args, kwargs)
        state = {}
        flat = self._flat_fun(len(args), fixed, in_tree, state)
        n = len(arrays)
        in_avals = [leaf_aval(x) for x in arrays]

        def flat_jvp(xs):
            primals = tree_unflatten(in_tree, xs[:n])
            ts = [
                t
                if t is not None
                else _symbolic_zero(a)
                if self.symbolic_zeros
                else _zero_like(a)
                for t, a in zip(xs[n:], in_avals, strict=True)
            ]
            tangents = tree_unflatten(in_tree, ts)
            pair = self.jvp(*fixed, primals, tangents)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(
                    f"Custom JVP rule {rule_name(self.jvp)} for function "
                    f"{self._name} must produce a pair (list or tuple of "
                    "length two) representing primal and tangent outputs, "
                    f"but got {pair}."
                )
            return self._checked_outputs(*pair, state)

        out = _dispatch.custom_jvp_flat(
            flat, flat_jvp, arrays, self._name, self.symbolic_zeros
        )
        return tree_unflatten(state["out_tree"], out)

    def _checked_outputs(self, out, t_out, state):
        flat_out, tree = tree_flatten(out)
        state.setdefault("out_tree", tree)
        flat_t, t_tree = tree_flatten(
            t_out, is_leaf=lambda x: isinstance(x, SymbolicZero)
        )
        if tree != t_tree:
            raise TypeError(
                f"Custom JVP rule {rule_name(self.jvp)} for function "
                f"{self._name} must produce primal and tangent outputs with "
                f"equal container (pytree) structures, but got {tree} and "
                f"{t_tree} respectively."
            )
        arrays = [_dispatch.to_array(x) for x in flat_out]
        check_primal_output(
            "JVP",
            self.jvp,
            self._name,
            (tree, [leaf_aval(x) for x in arrays]),
            state.get("primal"),
        )
        return arrays + checked_tangents(arrays, flat_t)


class custom_vjp(_Custom):
    """A function with a reverse-mode rule of its own.

    >>> @cotan.custom_vjp
    ... def clip_gradient(x): return x
    >>> clip_gradient.defvjp(lambda x: (x, None),
    ...                      lambda res, g: (cnp.clip(g, -1.0, 1.0),))
    >>> cotan.grad(lambda x: clip_gradient(10.0 * x))(1.0)
    Array(10., dtype=float32, weak_type=True)
    """

    fwd: Callable | None = None
    bwd: Callable | None = None
    symbolic_zeros = False

    def _with_fixed(self, args):
        for i in self.nondiff_argnums:
            if any(
                isinstance(x, _dispatch.Tracer)
                for x in tree_util.tree_leaves(args[i])
            ):
                raise UnexpectedTracerError(
                    f"Found a tracer among the arguments of the custom_vjp "
                    f"function {self._name} that nondiff_argnums names "
                    f"(argument {i}). Tracers cannot be passed there: its "
                    "values are constants, functions say. Make it an ordinary "
                    "argument for which bwd returns None."
                )
        return args

    def defvjp(
        self,
        fwd: Callable,
        bwd: Callable,
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ):
        """fwd(*args) -> (output, residuals);
        bwd(*nondiff args, residuals, cotangent) -> one cotangent per argument
        (None: zero)."""
        if symbolic_zeros and optimize_remat:
            raise NotImplementedError(
                "remat optimization for custom_vjp does not support symbolic "
                "zeros"
            )
        self.fwd, self.bwd = fwd, bwd
        self.symbolic_zeros = symbolic_zeros

    def __call__(self, *args, **kwargs):
        if self.fwd is None or self.bwd is None:
            raise AttributeError(
                f"No VJP defined for custom_vjp function {self._name} using "
                "defvjp."
            )
        args, fixed, arrays, in_tree = self._prepare(args, kwargs)
        state = {}
        n_args = len(args)  # what follows outlives the call: without operands
        flat = self._flat_fun(n_args, fixed, in_tree, state)
        in_avals = [leaf_aval(x) for x in arrays]

        def flat_fwd(leaves):
            if self.symbolic_zeros:
                n = len(in_avals)
                leaves = [
                    CustomVJPPrimal(x, mark is not None)
                    for x, mark in zip(leaves[:n], leaves[n:], strict=True)
                ]
            dynamic = tree_unflatten(in_tree, leaves)
            pair = self.fwd(
                *_merge(dynamic, fixed, self.nondiff_argnums, n_args)
            )
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(
                    f"Custom VJP fwd rule {rule_name(self.fwd)} for function "
                    f"{self._name} must produce a pair (list or tuple of "
                    "length two) where the first element represents the "
                    "primal output (equal to those of the "
                    f"custom_vjp-decorated function {self._name}) and the "
                    "second element represents residuals (i.e. values stored "
                    "from the forward pass for use on the backward pass), but "
                    f"instead of a pair the fwd rule {rule_name(self.fwd)} "
                    f"produced {pair}."
                )
            out, res = pair
            flat_out, state["out_tree"] = tree_flatten(out)
            state["out_avals"] = [leaf_aval(x) for x in flat_out]
            check_primal_output(
                "VJP fwd",
                self.fwd,
                self._name,
                (state["out_tree"], state["out_avals"]),
                state.get("primal"),
            )
            flat_res, state["res_tree"] = tree_flatten(res)
            # Residuals that are not arrays are constants of the rule.
            state["res_const"] = [
                None if _dispatch.is_array(r) else r for r in flat_res
            ]
            return (
                [_dispatch.to_array(x) for x in flat_out]
                + [None]
                + [
                    _dispatch.to_array(r)
                    for r in flat_res
                    if _dispatch.is_array(r)
                ]
            )

        def flat_bwd(xs):
            consts = state["res_const"]
            n_arrays = sum(c is None for c in consts)
            it = iter(xs[:n_arrays])
            res = tree_unflatten(
                state["res_tree"],
                [next(it) if c is None else c for c in consts],
            )
            ct = tree_unflatten(
                state["out_tree"],
                [
                    _symbolic_zero(a)
                    if g is None or (self.symbolic_zeros and is_float0(g))
                    else np.zeros(g.shape, dtypes.float0)
                    if is_float0(g)
                    else g
                    for g, a in zip(
                        xs[n_arrays:], state["out_avals"], strict=True
                    )
                ],
            )
            grads = self.bwd(*fixed, res, ct)
            return checked_cotangents(grads, in_tree, in_avals)

        out = _dispatch.custom_vjp_flat(
            flat, flat_fwd, flat_bwd, arrays, self._name, self.symbolic_zeros
        )
        return tree_unflatten(state["out_tree"], out)


class CustomVJPPrimal:
    """An argument of a fwd rule under symbolic_zeros: value and whether it is
    differentiated."""

    def __init__(self, value, perturbed=True):
        self.value, self.perturbed = value, perturbed


_DECORATED = (_Custom,)


def register_decorator(cls):
    """Lets `_rule_setter` look into functions decorated by `cls`."""
    global _DECORATED
    _DECORATED += (cls,)
