"""custom_jvp and custom_vjp: derivatives given by the user."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import numpy as np

from cotan import _core, _dispatch, dtypes, tree_util
from cotan._src import avals
from cotan._src.avals import leaf_aval
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


def _positional(fun, args, kwargs):
    """Arguments by position, defaults filled in: rules take no keywords."""
    try:
        bound = inspect.signature(fun).bind(*args, **kwargs)
    except ValueError:
        return tuple(args)
    except TypeError as e:
        raise TypeError(f"{getattr(fun, '__name__', fun)}: {e}") from None
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            "The following keyword arguments could not be resolved to "
            f"positions: {', '.join(bound.kwargs)}"
        )
    return bound.args


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

    @property
    def _name(self):
        return getattr(self.fun, "__name__", repr(self.fun))

    def _prepare(self, args, kwargs):
        args = _positional(self.fun, args, kwargs)
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

    def _flat_fun(self, args, fixed, in_tree, state):
        def flat(leaves):
            dynamic = tree_unflatten(in_tree, leaves)
            out = self.fun(
                *_merge(dynamic, fixed, self.nondiff_argnums, len(args))
            )
            flat_out, state["out_tree"] = tree_flatten(out)
            return [
                avals.output_array(x, self.fun, i, out)
                for i, x in enumerate(flat_out)
            ]

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
        flat = self._flat_fun(args, fixed, in_tree, state)
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
                    f"Custom JVP rule {_rule_name(self.jvp)} for function "
                    f"{self._name} must produce a pair (list or tuple of "
                    "length two) representing primal and tangent outputs, "
                    f"got {pair}."
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
                f"Custom JVP rule {_rule_name(self.jvp)} for function "
                f"{self._name} must produce primal and tangent outputs with "
                f"equal container (pytree) structures, but got {tree} and "
                f"{t_tree} respectively."
            )
        arrays = [_dispatch.to_array(x) for x in flat_out]
        ts = []
        for y, t in zip(arrays, flat_t, strict=True):
            if isinstance(t, SymbolicZero) or _float0(t):
                ts.append(None)
                continue
            t = _dispatch.to_array(t)
            if t.shape != y.shape or t.dtype != y.dtype:
                if t.shape == y.shape and t.weak_type:
                    t = _core.convert(t, y.dtype, False)
                else:
                    raise TypeError(
                        f"Custom JVP rule {_rule_name(self.jvp)} for function "
                        f"{self._name} must produce primal and tangent outputs "
                        "with corresponding shapes and dtypes, but got primal "
                        f"{y.dtype}{list(y.shape)} and tangent "
                        f"{t.dtype}{list(t.shape)}."
                    )
            ts.append(t)
        return arrays + ts


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
        del optimize_remat
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
        flat = self._flat_fun(args, fixed, in_tree, state)
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
                *_merge(dynamic, fixed, self.nondiff_argnums, len(args))
            )
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(
                    f"Custom VJP fwd rule {_rule_name(self.fwd)} for function "
                    f"{self._name} must produce a pair (list or tuple of "
                    "length two) where the first element represents the "
                    "primal output and the second element represents "
                    "residuals (i.e. values stored from the forward-pass for "
                    f"use on the backward-pass), got {type(pair)}."
                )
            out, res = pair
            flat_out, state["out_tree"] = tree_flatten(out)
            state["out_avals"] = [leaf_aval(x) for x in flat_out]
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
                    if g is None or (self.symbolic_zeros and _float0(g))
                    else np.zeros(g.shape, dtypes.float0)
                    if _float0(g)
                    else g
                    for g, a in zip(
                        xs[n_arrays:], state["out_avals"], strict=True
                    )
                ],
            )
            grads = self.bwd(*fixed, res, ct)
            return self._checked_cotangents(grads, in_tree, in_avals)

        out = _dispatch.custom_vjp_flat(
            flat, flat_fwd, flat_bwd, arrays, self._name, self.symbolic_zeros
        )
        return tree_unflatten(state["out_tree"], out)

    def _checked_cotangents(self, grads, in_tree, in_avals):
        n = in_tree.num_leaves
        if isinstance(grads, list):
            grads = tuple(grads)
        if grads is None:
            return [None] * n
        if not isinstance(grads, tuple):
            grads = (grads,)
        # None stands for a whole argument's zero cotangent.
        children = in_tree.children()
        if len(grads) != len(children):
            raise TypeError(
                f"Custom VJP bwd rule {_rule_name(self.bwd)} must produce an "
                "output with the same container (pytree) structure as the "
                f"args tuple of the primal function: {len(children)} "
                f"cotangents, got {len(grads)}."
            )
        flat = []
        for g, child in zip(grads, children, strict=True):
            if g is None or isinstance(g, SymbolicZero):
                flat += [None] * child.num_leaves
                continue
            leaves, tree = tree_flatten(
                g, is_leaf=lambda x: x is None or isinstance(x, SymbolicZero)
            )
            if tree != child and len(leaves) != child.num_leaves:
                raise TypeError(
                    f"Custom VJP bwd rule {_rule_name(self.bwd)} must produce "
                    "cotangents with the structure of the arguments: expected "
                    f"{child}, got {tree}."
                )
            flat += leaves
        out = []
        for i, (g, (dtype, shape, _)) in enumerate(
            zip(flat, in_avals, strict=True)
        ):
            if (
                g is None
                or isinstance(g, SymbolicZero)
                or _float0(g)
                or not dtypes.issubdtype(dtype, np.inexact)
            ):
                out.append(None)
                continue
            g = _dispatch.to_array(g)
            if g.shape != shape:
                raise ValueError(
                    f"Custom VJP bwd rule {_rule_name(self.bwd)} must produce "
                    f"a cotangent of shape {shape} for argument leaf {i}, got "
                    f"shape {g.shape}."
                )
            out.append(
                g if g.dtype == dtype else _core.convert(g, dtype, False)
            )
        return out


class CustomVJPPrimal:
    """An argument of a fwd rule under symbolic_zeros: value and whether it is
    differentiated."""

    def __init__(self, value, perturbed=True):
        self.value, self.perturbed = value, perturbed


def _float0(x):
    return getattr(x, "dtype", None) == dtypes.float0


def _rule_name(rule):
    return getattr(rule, "__name__", repr(rule))
