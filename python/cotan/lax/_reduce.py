"""Reductions, running reductions, sorting and products."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence

import numpy as np

from cotan import _core, _dispatch, dtypes, tree_util
from cotan._src import settings
from cotan.lax import _elementwise as el
from cotan.lax._types import (
    DotAlgorithm,
    DotAlgorithmPreset,
    Precision,
    canonical_axes,
    canonical_axis,
    ndim_of,
    shape_of,
    static_int,
    user_dtype,
)

__all__ = [
    "approx_max_k",
    "approx_min_k",
    "argmax",
    "argmin",
    "batch_matmul",
    "cumlogsumexp",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "dot",
    "dot_general",
    "reduce",
    "reduce_and",
    "reduce_max",
    "reduce_min",
    "reduce_or",
    "reduce_prod",
    "reduce_sum",
    "reduce_xor",
    "sort",
    "sort_key_val",
    "top_k",
]


_AXES = "'axes' of reduction"


def _refuse_f16(operand, axes):
    dtype, shape, _ = _dispatch.aval_of(operand)
    if dtype.name in ("float16", "bfloat16") and any(
        shape[a] > 1 for a in axes
    ):
        raise ValueError(
            f"[reduce_sum] a reduction of {dtype.name} is not allowed: the "
            "setting allow_f16_reductions is off; convert it to float32"
        )


def _reduction(kind, name, doc):
    def function(operand, axes: Sequence[int], *, out_sharding=None):
        axes = canonical_axes(tuple(axes), ndim_of(operand), _AXES)
        if kind == "sum" and not settings.config.allow_f16_reductions:
            _refuse_f16(operand, axes)
        return _core.reduce(operand, kind, axes)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + " over `axes`, which are removed."
    return function


reduce_sum = _reduction("sum", "reduce_sum", "The sum")
reduce_prod = _reduction("prod", "reduce_prod", "The product")
reduce_max = _reduction(
    "max", "reduce_max", "The greatest element (nan wins; ties share gradients)"
)
reduce_min = _reduction(
    "min", "reduce_min", "The least element (nan wins; ties share gradients)"
)
reduce_and = _reduction("and", "reduce_and", "The bitwise and")
reduce_or = _reduction("or", "reduce_or", "The bitwise or")
reduce_xor = _reduction("xor", "reduce_xor", "The bitwise exclusive or")


def _one_axis(axis, operand) -> int:
    # No counting from the end here, as in JAX.
    axis = operator.index(axis)
    shape = shape_of(operand)
    if not 0 <= axis < len(shape):
        raise ValueError(f"Invalid axis {axis} for operand shape {shape}")
    return axis


def argmax(operand, axis: int, index_dtype):
    """Index of the greatest element along `axis`; the first of several, the
    first nan if there is one."""
    axis = _one_axis(axis, operand)
    return _core.argreduce(operand, True, axis, user_dtype(index_dtype))


def argmin(operand, axis: int, index_dtype):
    """Index of the least element along `axis`; as argmax."""
    axis = _one_axis(axis, operand)
    return _core.argreduce(operand, False, axis, user_dtype(index_dtype))


# ---- reduce with any monoid

_KINDS = {
    "add": "sum",
    "mul": "prod",
    "max": "max",
    "min": "min",
    "bitwise_and": "and",
    "and": "and",
    "bitwise_or": "or",
    "or": "or",
    "bitwise_xor": "xor",
    "xor": "xor",
}
_COMBINE = {
    "sum": "add",
    "prod": "mul",
    "max": "max",
    "min": "min",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}


# A jaxpr of two arguments and one equation.
_ONE_EQUATION = re.compile(
    r"lambda ; (\w+):\S+ (\w+):\S+\s+let\s+(\w+):\S+ = (\w+) (\w+) (\w+)\s+"
    r"in \((\w+),\)"
)


def _kind_of(computation: Callable, init) -> str | None:
    """The reduction that a function of two scalars stands for, if any."""
    for name in ("add", "mul", "max", "min"):
        if computation is getattr(el, name):
            return _KINDS[name]
    from cotan._src.api import make_jaxpr

    scalar = _core.full((), 0, init.dtype, False)
    match = _ONE_EQUATION.search(str(make_jaxpr(computation)(scalar, scalar)))
    if not match:
        return None
    x, y, result, name, a, b, out = match.groups()
    same = {a, b} == {x, y} and result == out
    return _KINDS.get(name) if same else None


def _identity(kind: str, dtype) -> object:
    if kind in ("sum", "or", "xor"):
        return 0
    if kind == "prod":
        return 1
    if dtype == np.bool_:
        return kind in ("min", "and")
    if dtypes.issubdtype(dtype, np.integer):
        info = dtypes.iinfo(dtype)
        if kind == "and":
            return -1 if info.min < 0 else info.max
        return info.min if kind == "max" else info.max
    return -np.inf if kind == "max" else np.inf


def _is_identity(init, kind: str) -> bool:
    if not _dispatch.is_concrete(init):
        return False
    value = np.asarray(_dispatch.concrete_or_none(init))
    return bool(value == np.asarray(_identity(kind, init.dtype), value.dtype))


def reduce(
    operands, init_values, computation: Callable, dimensions, out_sharding=None
):
    """Combines elements over `dimensions` with an associative function of two
    scalars, starting from init_values.

    Computations that are one of add, mul, max, min, and, or, xor are
    recognised; others, and those of several operands, are folded in a loop.
    """
    operands, tree = tree_util.tree_flatten(operands)
    inits, init_tree = tree_util.tree_flatten(init_values)
    if tree != init_tree:
        raise ValueError(
            "Operands must have the same tree structure as init_values: "
            f"{tree} vs. {init_tree}"
        )
    if not len(dimensions):
        return tree_util.tree_unflatten(tree, operands)
    kind = None
    if len(operands) == 1:
        x, init = map(_dispatch.to_array, (operands[0], inits[0]))
        if not init.shape and tree_util.treedef_is_leaf(tree):
            kind = _kind_of(computation, init)
    if kind is None:
        return _folded(operands, inits, tree, computation, dimensions)
    axes = canonical_axes(tuple(dimensions), x.ndim, _AXES)
    out = _core.reduce(x, kind, axes)
    if not _is_identity(init, kind):
        out = getattr(el, _COMBINE[kind])(out, init)
    return tree_util.tree_unflatten(tree, [out])


def _folded(operands, inits, tree, computation, dimensions):
    """A general reduction: one element of each result after the other."""
    from cotan._src.api import vmap
    from cotan.lax._control import scan

    operands = [_dispatch.to_array(x) for x in operands]
    inits = [_dispatch.to_array(x) for x in inits]
    shape = operands[0].shape
    for x, init in zip(operands, inits, strict=True):
        if init.shape:
            raise ValueError(
                "reduce found non-scalar initial value: "
                f"{init.aval.str_short()}"
            )
        if x.shape != shape or x.dtype != init.dtype:
            raise TypeError(
                "[reduce] operands need equal shapes, and init_values scalars "
                f"of their dtypes, got {x.aval.str_short()} with "
                f"{init.aval.str_short()}, {shape}"
            )
    axes = canonical_axes(tuple(dimensions), len(shape), _AXES)
    rest = [d for d in range(len(shape)) if d not in axes]
    kept = tuple(shape[d] for d in rest)

    sizes = (math.prod(shape[d] for d in axes), math.prod(kept))

    def rows(x):
        return _core.reshape(_core.transpose(x, (*axes, *rest)), sizes)

    @vmap
    def step(total, new):
        trees = (tree_util.tree_unflatten(tree, v) for v in (total, new))
        out, out_tree = tree_util.tree_flatten(computation(*trees))
        if out_tree != tree:
            raise ValueError(
                f"reduce() computation must return {tree}, not {out_tree}"
            )
        return [
            _core.convert(x, t.dtype, False)
            for x, t in zip(out, total, strict=True)
        ]

    start = [_core.broadcast_to(x, sizes[1:]) for x in inits]
    out, _ = scan(
        lambda total, new: (step(total, new), None),
        start,
        [rows(x) for x in operands],
    )
    out = [_core.reshape(x, kept) for x in out]
    return tree_util.tree_unflatten(tree, out)


# ---- running reductions


def _cumulative(kind, doc):
    name = f"cum{kind}"

    def function(operand, axis: int = 0, reverse: bool = False):
        axis = canonical_axis(axis, ndim_of(operand))
        return _core.cumulative(operand, kind, axis, bool(reverse))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{doc} up to each element along `axis`, or from it to the end "
        "(`reverse`)."
    )
    return function


cumsum = _cumulative("sum", "The sum")
cumprod = _cumulative("prod", "The product")
cummax = _cumulative("max", "The greatest element")
cummin = _cumulative("min", "The least element")
cumlogsumexp = _cumulative("logsumexp", "log(sum(exp(x)))")


# ---- products


def _algorithm(precision):
    """What an algorithm asks for: (dtypes of the operands, the first being
    that to convert others to; dtype of the sum; Precision), or None."""
    if isinstance(precision, str):
        precision = DotAlgorithmPreset.__members__.get(precision)
    if isinstance(precision, DotAlgorithm):
        inputs = (precision.lhs_precision_type, precision.rhs_precision_type)
        return [(t,) for t in inputs], precision.accumulation_type, None
    if not isinstance(precision, DotAlgorithmPreset):
        return None
    name = precision.name
    if name == "DEFAULT" or name.startswith("ANY"):
        total = np.float32 if name.endswith(("F32", "F32_FAST_ACCUM")) else None
        return [(), ()], total, None
    source, _, total, *_ = name.split("_")
    level = None
    if "_X" in name or source == "TF32":
        source = "F32"
        level = "high" if name.endswith("X3") or "TF32" in name else "highest"
    elif source == "F32":
        level = "highest"
    inputs = {
        "F16": (np.float16,),
        "BF16": (dtypes.bfloat16, np.float32),
        "F32": (np.float32,),
        "F64": (np.float64,),
    }
    return [inputs[source]] * 2, inputs[total][0], level


def _by_algorithm(lhs, rhs, dimension_numbers, algorithm, preferred):
    """A product whose operands and sum have an algorithm's dtypes."""
    inputs, total, level = algorithm

    def fitted(x, allowed):
        x = _dispatch.to_array(x)
        allowed = [np.dtype(t) for t in allowed]
        if not allowed or x.dtype in allowed:
            return x
        return _core.convert(x, user_dtype(allowed[0], "dot"), False)

    if preferred is None:
        aval = _dispatch.aval_of
        preferred = _core.product_dtype(aval(lhs)[0], aval(rhs)[0])
    out = dot_general(
        fitted(lhs, inputs[0]),
        fitted(rhs, inputs[1]),
        dimension_numbers,
        level,
        total,
    )
    return _core.convert(out, user_dtype(preferred, "dot"), False)


def _precision_name(precision) -> str:
    if precision is None:
        return ""
    if isinstance(precision, (tuple, list)):
        return max(map(_precision_name, precision))
    try:
        return Precision(precision).name.lower()
    except ValueError:
        raise ValueError(
            f"Invalid precision {precision!r}; it should be None, one of "
            f"{[p.name.lower() for p in Precision]}, a Precision or two of them"
        ) from None


def _indices(dims) -> tuple[int, ...]:
    return tuple([operator.index(d) for d in dims])


def dot_general(
    lhs,
    rhs,
    dimension_numbers,
    precision=None,
    preferred_element_type=None,
    *,
    out_sharding=None,
):
    """Sums products over contracting dimensions.

    dimension_numbers: ((lhs contracting, rhs contracting), (lhs batch, rhs
    batch)). The result has the batch dimensions, then lhs's others, then
    rhs's. preferred_element_type: the result's dtype, in which it is summed.
    """
    algorithm = _algorithm(precision)
    if algorithm:
        return _by_algorithm(
            lhs, rhs, dimension_numbers, algorithm, preferred_element_type
        )
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    if preferred_element_type is not None:
        preferred_element_type = user_dtype(preferred_element_type, "dot")
    return _core.dot_general(
        lhs,
        rhs,
        _indices(lhs_contract),
        _indices(rhs_contract),
        _indices(lhs_batch),
        _indices(rhs_batch),
        preferred_element_type,
        _precision_name(precision),
    )


def dot(
    lhs,
    rhs,
    *,
    dimension_numbers=None,
    precision=None,
    preferred_element_type=None,
    out_sharding=None,
):
    """Products of vectors and matrices; `dot_general` if dimension_numbers
    are given."""
    if dimension_numbers is None:
        a, b = shape_of(lhs), shape_of(rhs)
        if not (1 <= len(a) <= 2 and 1 <= len(b) <= 2 and a[-1] == b[0]):
            raise ValueError(
                "[dot] dimension_numbers must be specified when not "
                "performing simple un-batched matrix-matrix, matrix-vector, "
                "or vector-vector products; got lhs_shape="
                f"{a!r} rhs_shape={b!r}"
            )
        dimension_numbers = (((len(a) - 1,), (0,)), ((), ()))
    return dot_general(
        lhs, rhs, dimension_numbers, precision, preferred_element_type
    )


def batch_matmul(lhs, rhs, precision=None):
    """Matrix products over equal leading dimensions:
    [..., m, k] x [..., k, n] -> [..., m, n]."""
    n = ndim_of(lhs)
    if min(n, ndim_of(rhs)) < 2:
        raise ValueError(
            "Arguments to batch_matmul must be at least 2D, got "
            f"{n}, {ndim_of(rhs)}"
        )
    if n != ndim_of(rhs):
        raise ValueError(
            "Arguments to batch_matmul must have same ndim, got "
            f"{n}, {ndim_of(rhs)}"
        )
    batch = tuple(range(n - 2))
    return dot_general(
        lhs, rhs, (((n - 1,), (n - 2,)), (batch, batch)), precision
    )


# ---- sorting


def sort(
    operand, dimension: int = -1, is_stable: bool = True, num_keys: int = 1
):
    """Sorts along `dimension`, ascending, nan last.

    A sequence of arrays is sorted by the first num_keys of them; a tuple
    comes back.
    """
    if isinstance(operand, (tuple, list)):
        if not operand:
            raise TypeError("Sort requires at least one operand")
        if not 1 <= num_keys <= len(operand):
            raise ValueError(
                f"num_keys={num_keys} must be between 1 and "
                f"len(operand)={len(operand)}"
            )
        dimension = canonical_axis(dimension, ndim_of(operand[0]))
        return tuple(_core.sort(list(operand), dimension, is_stable, num_keys))
    dimension = canonical_axis(dimension, ndim_of(operand))
    return _core.sort([operand], dimension, is_stable, 1)[0]


def sort_key_val(keys, values, dimension: int = -1, is_stable: bool = True):
    """keys sorted along `dimension`, and values in the order of their keys."""
    dimension = canonical_axis(dimension, ndim_of(keys))
    return tuple(_core.sort([keys, values], dimension, is_stable, 1))


def top_k(operand, k: int, *, axis: int = -1):
    """The k greatest elements along `axis` in descending order, and their
    indices (int32); of equal ones, the first come first."""
    operand = _dispatch.to_array(operand)
    k = static_int(k, "k argument of lax.top_k")
    axis = canonical_axis(axis, operand.ndim)
    return _core.top_k(operand, k, axis)


def _approximate(name: str, largest: bool):
    def function(
        operand,
        k: int,
        reduction_dimension: int = -1,
        recall_target: float = 0.95,
        reduction_input_size_override: int = -1,
        aggregate_to_topk: bool = True,
    ):
        del recall_target, reduction_input_size_override, aggregate_to_topk
        operand = _dispatch.to_array(operand)
        if not dtypes.issubdtype(operand.dtype, np.floating):
            raise ValueError(f"{name}: operand must be floats, {operand.dtype}")
        values, index = top_k(
            operand if largest else -operand, k, axis=reduction_dimension
        )
        return values if largest else -values, index

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"The k {'greatest' if largest else 'least'} elements along a "
        "dimension and their indices; here they are exact: recall is 1."
    )
    return function


approx_max_k = _approximate("approx_max_k", True)
approx_min_k = _approximate("approx_min_k", False)
