"""Transformations of functions on pytrees: grad, vjp, jvp, vmap and friends.

The work is done on flat lists of arrays by `_dispatch` (csrc/transforms);
here are the pytrees, the arguments' numbers and the error messages.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._src import avals, vmap_arguments
from cotan._src.avals import ShapeDtypeStruct  # noqa: F401
from cotan._src.linear import (
    LinearRule,
    TransposeRule,
    VjpFunction,
    VjpRule,
    check_transposable,
    checked_tangent,
    fill_cotangents,
)
from cotan._tree_prefix import flatten_axes
from cotan.tree_util import (
    Partial,
    tree_flatten,
    tree_leaves,
    tree_unflatten,
)

_Tree = Any


def _named(wrapper, fun, prefix):
    functools.update_wrapper(wrapper, fun, updated=())
    name = getattr(fun, "__name__", None)
    if name:
        wrapper.__name__ = f"{prefix}({name})"
        long_name = getattr(fun, "__qualname__", name)
        wrapper.__qualname__ = f"{prefix}({long_name})"
    return wrapper


def _name_of(fun):
    return getattr(fun, "__name__", repr(fun))


def _check_callable(fun):
    if not callable(fun):
        raise TypeError(f"Expected a callable value, got {fun!r}")


def _to_arrays(leaves, what):
    out = []
    for x in leaves:
        if not _dispatch.is_array(x):
            raise TypeError(
                f"Argument '{x!r}' of type {type(x)} is not a valid array "
                f"type for {what}"
            )
        out.append(_dispatch.to_array(x))
    return out


class _Flat:
    """A function of pytrees as a function of flat lists; keeps out_tree.

    Arrays among auxiliary data are further results: so they leave the
    transformation as values, not as its tracers. `split` takes them off.
    """

    def __init__(self, fun, in_tree, has_aux=False):
        self.fun, self.in_tree, self.has_aux = fun, in_tree, has_aux
        self.out_tree = self.aux = self._aux_tree = None
        self._aux_leaves = []

    def __call__(self, leaves):
        args, kwargs = tree_unflatten(self.in_tree, leaves)
        out = self.fun(*args, **kwargs)
        if self.has_aux:
            out, aux = _pair(out, self.fun)
            self._aux_leaves, self._aux_tree = tree_flatten(aux)
        flat, self.out_tree = tree_flatten(out)
        flat = [
            avals.output_array(x, self.fun, i, out) for i, x in enumerate(flat)
        ]
        return flat + [x for x in self._aux_leaves if _is_array(x)]

    @property
    def num_aux(self):
        return sum(map(_is_array, self._aux_leaves))

    def split(self, outs):
        """The results without the auxiliary ones, which become `aux`."""
        if not self.has_aux:
            return outs
        n = len(outs) - self.num_aux
        rest = iter(outs[n:])
        self.aux = tree_unflatten(
            self._aux_tree,
            [next(rest) if _is_array(x) else x for x in self._aux_leaves],
        )
        return outs[:n]


def _is_array(x):
    return isinstance(x, _dispatch.Array)


def _pair(out, fun):
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TypeError(
            "expected function with aux output to return a two-element tuple "
            f"(output, auxiliary data), but {_name_of(fun)} gave type "
            f"{type(out)} with value {out}"
        )
    return out


# ---- reverse mode


def grad(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence = (),
) -> Callable:
    """The gradient of a scalar-valued function.

    Args:
      fun: function whose result is a scalar (shape ()), of arrays and pytrees.
      argnums: position(s) of the arguments to differentiate.
      has_aux: `fun` returns (scalar, auxiliary data).
      holomorphic: `fun` is complex-differentiable, inputs and output complex.
      allow_int: integer arguments are allowed and get float0 gradients.

    Returns:
      A function of the same arguments that gives the gradient, shaped like the
      argument (a tuple of them for several argnums); with `has_aux` a pair.
      The gradient of a real function of complex z is conj(df/dx + i df/dy).

    >>> cotan.grad(lambda x: x ** 2 + 2 * x + 1)(3.0)
    Array(8., dtype=float32, weak_type=True)
    """
    value_and_grad_f = value_and_grad(
        fun,
        argnums,
        has_aux=has_aux,
        holomorphic=holomorphic,
        allow_int=allow_int,
        reduce_axes=reduce_axes,
    )

    def grad_f(*args, **kwargs):
        value, g = value_and_grad_f(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return _named(grad_f, fun, "grad")


def value_and_grad(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence = (),
) -> Callable:
    """Like `grad`, but gives (value, gradient); with `has_aux`
    ((value, aux), gradient)."""
    del reduce_axes
    _check_callable(fun)
    single = isinstance(argnums, int)
    nums = (argnums,) if single else tuple(argnums)

    def value_and_grad_f(*args, **kwargs):
        need = max((n if n >= 0 else -n - 1) for n in nums)
        if need >= len(args):
            raise TypeError(
                f"differentiating with respect to argnums={argnums} requires "
                f"at least {need + 1} positional arguments to be passed by "
                f"the caller, but got only {len(args)} positional arguments."
            )
        where = [n % len(args) for n in nums]
        partial_f = _close_over(fun, args, kwargs, where)
        dyn = tuple(args[i] for i in where)
        for leaf in tree_leaves(dyn):
            _check_grad_input(leaf, holomorphic, allow_int)
        leaves, in_tree = tree_flatten((dyn, {}))
        flat = _Flat(partial_f, in_tree, has_aux)
        out, pullback, residuals = _vjp_leaves(flat, leaves, "grad")
        value = tree_unflatten(flat.out_tree, out)
        _check_scalar(value, holomorphic)
        cts = [_ones_like(out[0]), *[None] * flat.num_aux]
        cts = fill_cotangents(pullback(cts, residuals), leaves)
        g, _ = tree_unflatten(in_tree, cts)
        g = g[0] if single else g
        return ((value, flat.aux) if has_aux else value), g

    return _named(value_and_grad_f, fun, "value_and_grad")


def _close_over(fun, args, kwargs, where):
    if list(where) == list(range(len(args))) and not kwargs:
        return fun

    def partial_f(*dyn):
        full = list(args)
        for i, x in zip(where, dyn, strict=True):
            full[i] = x
        return fun(*full, **kwargs)

    partial_f.__name__ = _name_of(fun)
    return partial_f


def _dtype_of(x):
    return avals.leaf_aval(x)[0]


def _check_grad_input(x, holomorphic, allow_int):
    if not _dispatch.is_array(x):
        raise TypeError(
            f"Argument '{x}' of type {type(x)} is not a valid JAX type"
        )
    dtype = _dtype_of(x)
    if holomorphic:
        if not dtypes.issubdtype(dtype, np.complexfloating):
            raise TypeError(
                "grad with holomorphic=True requires inputs with complex "
                f"dtype, but got {dtype.name}."
            )
        return
    if dtypes.issubdtype(dtype, np.inexact):
        return
    if dtypes.issubdtype(dtype, np.integer) or dtype == np.bool_:
        if not allow_int:
            raise TypeError(
                "grad requires real- or complex-valued inputs (input dtype "
                "that is a sub-dtype of np.inexact), but got "
                f"{dtype.name}. If you want to use Boolean- or "
                "integer-valued inputs, use vjp or set allow_int to True."
            )
        return
    raise TypeError(f"grad does not accept inputs of dtype {dtype}")


def _check_scalar(value, holomorphic):
    if not isinstance(value, _dispatch.Array):
        raise TypeError(
            "Gradient only defined for scalar-output functions. Output was "
            f"{value}."
        )
    if value.shape != ():
        raise TypeError(
            "Gradient only defined for scalar-output functions. Output had "
            f"shape: {value.shape}."
        )
    dtype = value.dtype
    is_complex = dtypes.issubdtype(dtype, np.complexfloating)
    if holomorphic and not is_complex:
        raise TypeError(
            "grad with holomorphic=True requires outputs with complex dtype, "
            f"but got {dtype.name}."
        )
    if not holomorphic and not dtypes.issubdtype(dtype, np.floating):
        hint = (
            " For holomorphic differentiation, pass holomorphic=True. For "
            "differentiation of functions involving complex outputs, use "
            "cotan.vjp directly."
            if is_complex
            else " For differentiation of functions with integer outputs, use "
            "cotan.vjp directly."
        )
        raise TypeError(
            "grad requires real-valued outputs (output dtype that is a "
            f"sub-dtype of np.floating), but got {dtype.name}.{hint}"
        )


def _ones_like(x):
    one = _core.full((), 1, x.dtype, x.weak_type)
    if one.dtype == x.dtype:
        return one
    # x has 64 bits, made where they were on.
    return _core.convert(one, x.dtype, x.weak_type)


def _vjp_leaves(flat, leaves, what):
    """(outputs, pullback, its residuals)."""
    primals = _to_arrays(leaves, what)
    nonzero = [dtypes.issubdtype(x.dtype, np.inexact) for x in primals]
    out, pullback, residuals = _dispatch.vjp_flat(flat, primals, nonzero)
    return flat.split(out), pullback, residuals


def vjp(fun: Callable, *primals, has_aux: bool = False, reduce_axes=()):
    """Evaluates `fun` and returns (output, pullback) or with `has_aux`
    (output, pullback, aux).

    pullback(cotangent) gives one cotangent per argument; the cotangent has
    the output's structure, shapes and dtypes (float0 for integer outputs).
    """
    del reduce_axes
    _check_callable(fun)
    leaves, in_tree = tree_flatten((primals, {}))
    flat = _Flat(fun, in_tree, has_aux)
    out, pullback, residuals = _vjp_leaves(flat, leaves, "vjp")
    rule = VjpRule(
        pullback,
        in_tree,
        flat.out_tree,
        tuple(avals.leaf_aval(x) for x in leaves),
        tuple(avals.leaf_aval(x) for x in out),
        flat.num_aux,
        _name_of(fun),
    )
    value = tree_unflatten(flat.out_tree, out)
    pull = VjpFunction(rule, residuals)
    return (value, pull, flat.aux) if has_aux else (value, pull)


# ---- forward mode


def jvp(fun: Callable, primals, tangents, has_aux: bool = False):
    """(outputs, output tangents) of `fun` at `primals` along `tangents`.

    Tangents have the primals' structure, shapes and dtypes; those of integers
    have dtype float0.
    """
    _check_callable(fun)
    for x in (primals, tangents):
        if not isinstance(x, (tuple, list)):
            raise TypeError(
                "primal and tangent arguments to cotan.jvp must be tuples or "
                f"lists; found {type(primals).__name__} and "
                f"{type(tangents).__name__}."
            )
    leaves, in_tree = tree_flatten((tuple(primals), {}))
    t_leaves, t_tree = tree_flatten((tuple(tangents), {}))
    if in_tree != t_tree:
        raise TypeError(
            "primal and tangent arguments to cotan.jvp must have the same "
            f"tree structure; primals have {in_tree}, tangents {t_tree}."
        )
    primal_arrays = _to_arrays(leaves, "jvp")
    ts = [
        checked_tangent(t, avals.leaf_aval(x), "jvp", "tangent")
        for x, t in zip(primal_arrays, t_leaves, strict=True)
    ]
    flat = _Flat(fun, in_tree, has_aux)
    out, out_ts = _dispatch.jvp_flat(flat, primal_arrays, ts)
    out = flat.split(out)
    out_ts = fill_cotangents(out_ts[: len(out)], out)
    result = (
        tree_unflatten(flat.out_tree, out),
        tree_unflatten(flat.out_tree, out_ts),
    )
    return (*result, flat.aux) if has_aux else result


def linearize(fun: Callable, *primals, has_aux: bool = False):
    """(output, f_jvp): f_jvp maps tangents of `primals` to output tangents,
    without evaluating `fun` again."""
    _check_callable(fun)
    leaves, in_tree = tree_flatten((primals, {}))
    arrays = _to_arrays(leaves, "linearize")
    flat = _Flat(fun, in_tree, has_aux)
    out, linear, residuals = _dispatch.linearize_flat(flat, arrays)
    out = flat.split(out)
    rule = LinearRule(
        linear,
        in_tree,
        flat.out_tree,
        tuple(avals.leaf_aval(x) for x in arrays),
        tuple(avals.leaf_aval(x) for x in out),
    )
    f_jvp = Partial(rule, *residuals)
    f_jvp.jaxpr = linear.jaxpr(residuals)
    value = tree_unflatten(flat.out_tree, out)
    return (value, f_jvp, flat.aux) if has_aux else (value, f_jvp)


def linear_transpose(fun: Callable, *primals, reduce_axes=()) -> Callable:
    """The transpose of a function that is linear in all its arguments.

    `primals` give shapes and dtypes only (ShapeDtypeStructs are fine). All
    inputs and outputs are inexact, or all are integers.
    """
    del reduce_axes
    leaves, in_tree = tree_flatten((primals, {}))
    in_avals = tuple(avals.leaf_aval(x) for x in leaves)
    flat = _Flat(fun, in_tree)
    jaxpr = _dispatch.trace_flat(flat, in_avals)
    check_transposable(in_avals, jaxpr.out_types)
    rule = TransposeRule(jaxpr, in_tree, flat.out_tree, in_avals)
    return Partial(rule, *jaxpr.consts)


# ---- vmap


def vmap(
    fun: Callable,
    in_axes=0,
    out_axes=0,
    axis_name=None,
    axis_size: int | None = None,
    spmd_axis_name=None,
    sum_match: bool = False,
) -> Callable:
    """Maps `fun` over an axis of its arguments, as one batched computation.

    Args:
      fun: function of arrays and pytrees.
      in_axes: axis of each positional argument: an int, None (not mapped), or
        a tree prefix of the arguments. Keyword arguments map over axis 0.
      out_axes: where the mapped axis is in the outputs; a tree prefix.
      axis_name: by which collectives (`lax.psum`, `lax.axis_index`, ...) in
        `fun` mean this axis; anything hashable.
      axis_size: needed only if no argument is mapped.
      spmd_axis_name: accepted and ignored, there is one device.
      sum_match: outputs that are mapped where out_axes is None are summed
        over the axis.
    """
    del spmd_axis_name
    _check_callable(fun)
    in_axes = vmap_arguments.checked_axes(in_axes, out_axes)

    def vmap_f(*args, **kwargs):
        vmap_arguments.check_count(in_axes, args)
        leaves, in_tree = tree_flatten((args, kwargs))
        axes = flatten_axes("vmap in_axes", in_tree, (in_axes, 0), kws=True)
        operands = vmap_arguments.Operands(leaves, axes)
        size = operands.axis_size(fun, args, kwargs, axes, axis_size)
        flat = _Flat(fun, in_tree)
        out, out_dims = _dispatch.vmap_flat(
            operands.closed(flat),
            operands.arrays,
            [-1 if d is None else d for d in operands.dims],
            size,
            axis_name,
        )
        want = flatten_axes("vmap out_axes", flat.out_tree, out_axes)
        result = []
        for i, (y, d, axis) in enumerate(zip(out, out_dims, want, strict=True)):
            if axis is None:
                if d != -1 and sum_match:
                    y = _core.reduce(y, "sum", (d,))
                elif d != -1:
                    raise vmap_arguments.unmapped_output_error(
                        i, flat.out_tree, want, d, axis_name
                    )
                result.append(y)
                continue
            to = vmap_arguments.canonical_axis(axis, y, d == -1)
            result.append(_dispatch.move_batch_axis(y, d, size, to))
        return tree_unflatten(flat.out_tree, result)

    _named(vmap_f, fun, "vmap")
    vmap_f.__doc__ = vmap_arguments.docstring(fun)
    return vmap_f


# ---- looking at programs


def make_jaxpr(
    fun: Callable,
    static_argnums=(),
    axis_env=None,
    return_shape: bool = False,
) -> Callable:
    """A function that gives the jaxpr of `fun` for example arguments.

    >>> cotan.make_jaxpr(lambda x: cnp.sin(x) * 2)(3.0)
    { lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = mul b 2.0:f32[] in (c,) }

    axis_env: pairs (name, size) of named axes that `fun` may use.
    """
    axis_env = list(axis_env or ())
    _check_callable(fun)
    static = (
        (static_argnums,)
        if isinstance(static_argnums, int)
        else tuple(static_argnums)
    )

    def make(*args, **kwargs):
        where = [i for i in range(len(args)) if i not in static]
        partial_f = _close_over(fun, args, {}, where)

        def with_kwargs(*dyn, **kw):
            return partial_f(*dyn, **kw)

        target = partial_f if not static else with_kwargs
        leaves, in_tree = tree_flatten((tuple(args[i] for i in where), kwargs))
        flat = _Flat(target, in_tree)
        jaxpr = _dispatch.trace_flat_under(
            flat, [avals.leaf_aval(x) for x in leaves], axis_env
        )
        if not return_shape:
            return jaxpr
        shapes = tree_unflatten(
            flat.out_tree, [avals.struct(a) for a in jaxpr.out_types]
        )
        return jaxpr, shapes

    return _named(make, fun, "make_jaxpr")


def eval_shape(fun: Callable, *args, **kwargs):
    """Shapes and dtypes of fun(*args, **kwargs) as ShapeDtypeStructs; nothing
    is computed. Arguments may be ShapeDtypeStructs."""
    leaves, in_tree = tree_flatten((args, kwargs))
    flat = _Flat(fun, in_tree)
    jaxpr = _dispatch.trace_flat(flat, [avals.leaf_aval(x) for x in leaves])
    return tree_unflatten(
        flat.out_tree, [avals.struct(a) for a in jaxpr.out_types]
    )


def typeof(x):
    """The ShapedArray that describes x."""
    dtype, shape, weak = avals.leaf_aval(x)
    return avals.ShapedArray(shape, dtype, weak)


def named_call(fun: Callable, *, name: str | None = None) -> Callable:
    """Kept for compatibility: returns fun."""
    del name
    return fun


def clear_caches() -> None:
    """Forgets memoised transformations."""
    from cotan._src import bodies

    _core.clear_caches()
    bodies.clear_traces()
