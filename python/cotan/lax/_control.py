"""Control flow: cond, switch, while_loop, fori_loop, scan, map.

Functions are traced to jaxprs here (`_src/bodies.py`); the primitives and
their rules are in csrc/ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cotan import _core, _dispatch, dtypes, errors
from cotan._src import api, avals, bodies
from cotan.tree_util import tree_flatten, tree_map, tree_unflatten

__all__ = [
    "cond",
    "fori_loop",
    "map",
    "platform_dependent",
    "scan",
    "switch",
    "while_loop",
]

_NO_OPERAND = object()


def _eager() -> bool:
    """Loops run in Python: `disable_jit` is on."""
    return _core.get_config("disable_jit")


def _avals_of(values):
    return [_dispatch.aval_of(x) for x in values]


def _positional(operands, operand):
    if operand is _NO_OPERAND:
        return operands
    if operands:
        raise TypeError(
            "if 'operand' keyword is passed then no positional operands can "
            f"be passed, got operand={operand!r} and positional operands "
            f"{operands}"
        )
    return (operand,)


# ---- cond and switch


def cond(
    pred,
    true_fun: Callable,
    false_fun: Callable,
    *operands,
    operand=_NO_OPERAND,
):
    """true_fun(*operands) if pred, else false_fun(*operands); one of them runs.

    Args:
      pred: a scalar, bool or number (true unless zero).
      true_fun, false_fun: functions of the operands whose results have one
        structure, shapes and dtypes.
      operands: arrays and pytrees of them.

    Both functions are traced. Under `vmap` with a batched predicate both run
    and each element selects its result.

    >>> cotan.lax.cond(True, lambda x: x + 1, lambda x: x * 2, 3)
    Array(4, dtype=int32, weak_type=True)
    """
    if not (callable(true_fun) and callable(false_fun)):
        # The form cond(pred, x_true, true_fun, x_false, false_fun).
        if callable(false_fun) and len(operands) == 2 and callable(operands[1]):
            x_true, f_true, x_false, f_false = true_fun, false_fun, *operands
            return cond(
                pred,
                lambda x, _: f_true(x),
                lambda _, x: f_false(x),
                x_true,
                x_false,
            )
        raise TypeError(
            "lax.cond: true_fun and false_fun arguments should be callable."
        )
    operands = _positional(operands, operand)
    pred = _predicate(pred)
    if _eager() and _dispatch.is_concrete(pred):
        return (true_fun if pred else false_fun)(*operands)
    return _branch(
        "cond",
        _core.convert(pred, np.dtype("int32"), False),
        (false_fun, true_fun),
        ("false_fun", "true_fun"),
        operands,
    )


def _predicate(pred):
    """pred as a bool scalar."""
    if pred is None:
        raise TypeError("cond predicate is None")
    if isinstance(pred, Sequence):
        raise TypeError(
            f"Pred must be a scalar, got {pred} of type {type(pred)}."
        )
    if not _dispatch.is_array(pred):
        raise TypeError(
            f"Pred type must be either boolean or number, got {pred}."
        )
    pred = _dispatch.to_array(pred)
    if pred.ndim:
        raise TypeError(
            f"Pred must be a scalar, got {pred} of shape {pred.shape}."
        )
    if pred.dtype == np.bool_:
        return pred
    if not (
        dtypes.issubdtype(pred.dtype, np.integer)
        or dtypes.issubdtype(pred.dtype, np.floating)
    ):
        raise TypeError(
            f"Pred type must be either boolean or number, got {pred.dtype}."
        )
    return pred != 0


def switch(index, branches: Sequence[Callable], *operands, operand=_NO_OPERAND):
    """branches[index](*operands), with the index clamped to the list.

    index: an integer scalar. The branches' results have one structure, shapes
    and dtypes. Under `vmap` with a batched index all branches run.

    >>> cotan.lax.switch(1, [lambda x: x, lambda x: -x], 3)
    Array(-3, dtype=int32, weak_type=True)
    """
    branches = tuple(branches)
    if not all(callable(b) for b in branches):
        raise TypeError(
            "lax.switch: branches argument should be a sequence of callables."
        )
    operands = _positional(operands, operand)
    if not _dispatch.is_array(index):
        if np.ndim(index):
            raise TypeError(
                f"Branch index must be scalar, got {index} of shape "
                f"{np.shape(index)}."
            )
        raise TypeError(f"Index type must be an integer, got {index}.")
    index = _dispatch.to_array(index)
    if index.ndim:
        raise TypeError(
            f"Branch index must be scalar, got {index} of shape {index.shape}."
        )
    if not dtypes.issubdtype(index.dtype, np.integer):
        raise TypeError(
            f"Index type must be an integer, got {index} as {index.dtype}"
        )
    if not branches:
        raise ValueError("Empty branch sequence")
    if len(branches) == 1:
        return branches[0](*operands)
    i32 = np.dtype("int32")
    index = _core.clamp(
        _core.full((), 0, i32, False),
        _core.convert(index, i32, False),
        _core.full((), len(branches) - 1, i32, False),
    )
    if _eager() and _dispatch.is_concrete(index):
        return branches[int(index)](*operands)
    names = ["branch 0", *(f"branch{i}" for i in range(1, len(branches)))]
    return _branch("switch", index, branches, names, operands)


def _branch(name, index, funs, names, operands):
    values, tree = bodies.operands((operands, {}), f"lax.{name}")
    types = _avals_of(values)
    traced = [bodies.trace(f, tree, types) for f in funs]
    if name == "cond":  # errors name true_fun first
        bodies.check_branches(name, names[::-1], funs[::-1], traced[::-1])
    else:
        bodies.check_branches(name, names, funs, traced)
    out = _dispatch.cond_flat(index, [b.jaxpr for b in traced], values)
    # true_fun's structure, as its types are named first.
    return tree_unflatten(traced[-1 if name == "cond" else 0].out_tree, out)


def platform_dependent(*args, default: Callable | None = None, **per_platform):
    """The function for the platform that runs, or `default`, of the args."""
    platform = _core.default_backend()
    names = {platform, "cuda" if platform == "gpu" else platform}
    for name, fun in per_platform.items():
        if name in names:
            return fun(*args)
    if default is None:
        raise NotImplementedError(
            f"platform_dependent: no function for platform {platform!r} and "
            f"no default; there are ones for {sorted(per_platform)}"
        )
    return default(*args)


# ---- loops


def while_loop(cond_fun: Callable, body_fun: Callable, init_val):
    """body_fun again and again, as long as cond_fun holds.

    Args:
      cond_fun: carry -> bool scalar.
      body_fun: carry -> carry of the same structure, shapes and dtypes.
      init_val: the first carry: arrays, scalars, and pytrees of them.

    Returns:
      The last carry. Differentiable in forward mode; for reverse mode see
      `scan` and `checkpointed_while`.

    >>> cotan.lax.while_loop(lambda n: n < 10, lambda n: n * 2, 1)
    Array(16, dtype=int32, weak_type=True)
    """
    if not (callable(body_fun) and callable(cond_fun)):
        raise TypeError(
            "lax.while_loop: body_fun and cond_fun arguments should be "
            "callable."
        )
    if _eager():
        try:
            return _python_while(cond_fun, body_fun, init_val)
        except errors.ConcretizationTypeError:
            pass  # a transformation is in the way: the primitive serves
    init, tree = bodies.operands(init_val, "lax.while_loop")
    cond_body, body, init = trace_while(
        cond_fun, body_fun, init_val, init, tree
    )
    out = _dispatch.while_flat(cond_body.jaxpr, body.jaxpr, init)
    return tree_unflatten(body.out_tree, out)


def _python_while(cond_fun, body_fun, val):
    val = tree_map(_dispatch.to_array, val)
    while cond_fun(val):
        val = tree_map(_dispatch.to_array, body_fun(val))
    return val


def trace_while(cond_fun, body_fun, init_val, init, tree):
    """(traced cond, traced body, initial values) with everything checked."""
    in_tree = tree_flatten(((init_val,), {}))[1]

    def both(types):
        c = bodies.trace(cond_fun, in_tree, types)
        b = bodies.trace(body_fun, in_tree, types)
        check_predicate(c)
        return c, b

    def check(types, body):
        bodies.check_carry(
            "while_loop body",
            body_fun,
            init_val,
            tree,
            types,
            body.out_tree,
            body.out_avals,
        )

    types = _avals_of(init)
    cond_body, body = both(types)
    if len(body.out_avals) != len(init):
        check(types, body)
    init, changed = bodies.promote_weak(init, types, body.out_avals)
    if changed:
        types = _avals_of(init)
        cond_body, body = both(types)
    check(types, body)
    return cond_body, body, init


def check_predicate(traced) -> None:
    """TypeError unless a traced cond_fun gives one bool scalar."""
    if traced.out_tree.num_nodes != 1 or len(traced.out_avals) != 1:
        raise TypeError(
            "cond_fun must return a boolean scalar, but got pytree "
            f"{traced.out_tree}."
        )
    dtype, shape, _ = traced.out_avals[0]
    if dtype != np.bool_ or shape != ():
        raise TypeError(
            "cond_fun must return a boolean scalar, but got output type(s) "
            f"[{bodies.shaped(traced.out_avals[0])!r}]."
        )


def scan(
    f: Callable,
    init,
    xs=None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
):
    """A loop over the leading axes of arrays, carrying a state along.

    Args:
      f: (carry, x) -> (carry, y): one step, of a row of `xs`.
      init: the first carry: arrays, scalars, and pytrees of them.
      xs: arrays of shape (length, ...) in a pytree, or None.
      length: number of steps; needed if there are no `xs`.
      reverse: from the last row to the first; row i of ys belongs to row i of
        xs all the same.
      unroll: steps per iteration of the generated loop (a hint); 0 or True
        for all.

    Returns:
      (last carry, ys): the y of all steps, stacked along a new leading axis.

    >>> cotan.lax.scan(lambda c, x: (c + x, c * x), 0, cnp.arange(4))
    (Array(6, dtype=int32), Array([0, 0, 2, 9], dtype=int32))
    """
    del _split_transpose
    if not callable(f):
        raise TypeError("lax.scan: f argument should be a callable.")
    init_values, init_tree = bodies.operands(init, "lax.scan")
    rows, xs_tree = _rows_of(xs)
    n = _scan_length(rows, length)
    if _eager():
        return _python_scan(f, init, rows, xs_tree, n, reverse)
    unroll = _unroll(unroll, n)
    in_tree = tree_flatten(((init, xs), {}))[1]
    row_types = [(d, s[1:], w) for d, s, w in _avals_of(rows)]

    def trace(values):
        body = bodies.trace(f, in_tree, [*_avals_of(values), *row_types])
        children = body.out_tree.children()
        if len(children) != 2 or body.out_tree.node_data()[0] not in (
            tuple,
            list,
        ):
            raise TypeError(
                f"scan body output must be a pair, got {body.types()}."
            )
        return body, children[0], children[1]

    def check(values, body, carry_tree):
        bodies.check_carry(
            "scan body",
            f,
            init,
            init_tree,
            _avals_of(values),
            carry_tree,
            body.out_avals[: carry_tree.num_leaves],
        )

    body, carry_tree, ys_tree = trace(init_values)
    if carry_tree.num_leaves != len(init_values):
        check(init_values, body, carry_tree)
    init_values, changed = bodies.promote_weak(
        init_values,
        _avals_of(init_values),
        body.out_avals[: len(init_values)],
    )
    if changed:
        body, carry_tree, ys_tree = trace(init_values)
    check(init_values, body, carry_tree)
    out = _dispatch.scan_flat(
        body.jaxpr, init_values, rows, n, bool(reverse), unroll
    )
    k = len(init_values)
    return (
        tree_unflatten(carry_tree, out[:k]),
        tree_unflatten(ys_tree, out[k:]),
    )


def _rows_of(xs):
    leaves, tree = tree_flatten(xs)
    bad = [x for x in leaves if not np.ndim(x) and not hasattr(x, "shape")]
    if bad:
        raise ValueError(
            "scan got value with no leading axis to scan over: "
            f"{', '.join(map_str(bad))}."
        )
    rows = [_dispatch.to_array(x) for x in leaves]
    flat = [x for x in rows if not x.ndim]
    if flat:
        raise ValueError(
            "scan got value with no leading axis to scan over: "
            f"{', '.join(map_str(flat))}."
        )
    return rows, tree


def map_str(items):
    return [str(x) for x in items]


def _scan_length(rows, length):
    lengths = [x.shape[0] for x in rows]
    if length is not None:
        try:
            length = int(length)
        except errors.ConcretizationTypeError:
            raise errors.ConcretizationTypeError(
                "Abstract tracer value encountered where concrete value is "
                "expected: the `length` argument to `scan`.\nThe `length` "
                "argument to `scan` expects a concrete `int` "
                "value. For scan-like iteration with a dynamic length, use "
                "`while_loop` or `fori_loop`."
            ) from None
        if any(n != length for n in lengths):
            raise ValueError(
                f"scan got `length` argument of {length} which disagrees with "
                f"leading axis sizes {lengths}."
            )
        return length
    if not lengths:
        raise ValueError(
            "scan got no values to scan over and `length` not provided."
        )
    if len(set(lengths)) > 1:
        raise ValueError(
            "scan got values with different leading axis sizes: "
            f"{', '.join(map_str(lengths))}."
        )
    return lengths[0]


def _unroll(unroll, length):
    if isinstance(unroll, bool):
        unroll = max(length, 1) if unroll else 1
    try:
        unroll = int(unroll)
    except errors.ConcretizationTypeError:
        raise errors.ConcretizationTypeError(
            "Abstract tracer value encountered where concrete value is "
            "expected: the `unroll` argument to `scan`.\nThe `unroll` argument "
            "to `scan` expects a concrete `int` or `bool` value."
        ) from None
    if unroll < 0:
        raise ValueError("`unroll` must be a `bool` or a non-negative `int`.")
    return unroll


def _python_scan(f, carry, rows, xs_tree, length, reverse):
    if length == 0:
        raise ValueError(
            "zero-length scan is not supported in disable_jit() mode because "
            "the output type is unknown."
        )
    ys = []
    steps = range(length - 1, -1, -1) if reverse else range(length)
    for i in steps:
        x = tree_unflatten(xs_tree, [r[i] for r in rows])
        carry, y = f(carry, x)
        ys.append(y)
    if reverse:
        ys.reverse()

    def stack(*parts):
        parts = [_core.expand_dims(_dispatch.to_array(p), (0,)) for p in parts]
        return _core.concatenate(parts, 0)

    return carry, tree_map(stack, *ys)


def fori_loop(lower, upper, body_fun: Callable, init_val, *, unroll=None):
    """body_fun(i, carry) for i from lower to upper - 1.

    Args:
      lower, upper: integer scalars. Known ones make a `scan`, which reverse
        mode takes; else it is a `while_loop`.
      body_fun: (i, carry) -> carry of the same structure, shapes and dtypes.
      init_val: the first carry.
      unroll: as in `scan`; only with known bounds.

    >>> cotan.lax.fori_loop(0, 5, lambda i, x: x + i, 0)
    Array(10, dtype=int32, weak_type=True)
    """
    if not callable(body_fun):
        raise TypeError("lax.fori_loop: body_fun argument should be callable.")
    lower_dtype, _, lower_weak = avals.leaf_aval(lower)
    upper_dtype, _, upper_weak = avals.leaf_aval(upper)
    dtype = lower_dtype
    if lower_dtype != upper_dtype:
        signed = dtypes.issubdtype(
            lower_dtype, np.signedinteger
        ) and dtypes.issubdtype(upper_dtype, np.signedinteger)
        if not signed or lower_weak == upper_weak:
            raise TypeError(
                "lower and upper arguments to fori_loop must have equal "
                f"types, got {np.dtype(lower_dtype).name} and "
                f"{np.dtype(upper_dtype).name}"
            )
        dtype = upper_dtype if lower_weak else lower_dtype
    if _is_known(lower) and _is_known(upper):
        first, last = int(lower), int(upper)
        n = max(last - first, 0)
        if _eager() and n == 0:
            return init_val
        (_, result), _ = scan(
            _scan_step(body_fun),
            (first, init_val),
            None,
            length=n,
            unroll=False if unroll is None else unroll,
        )
        return result
    if unroll not in (None, False, 1):
        raise ValueError(
            "Can only use `unroll` in `fori_loop` if the loop bounds are "
            "statically known."
        )
    lower, upper = (
        x if d == dtype else _core.convert(_dispatch.to_array(x), dtype, False)
        for x, d in ((lower, lower_dtype), (upper, upper_dtype))
    )
    _, _, result = while_loop(
        _below, _while_step(body_fun), (lower, upper, init_val)
    )
    return result


def _is_known(x):
    return not isinstance(x, _dispatch.Array) or _dispatch.is_concrete(x)


def _below(carry):
    return carry[0] < carry[1]


def _kept(make):
    """make(fun), made once per function: so traces are found again."""
    known = bodies.weakref.WeakKeyDictionary()

    def get(fun):
        try:
            made = known.get(fun)
        except TypeError:
            return make(lambda: fun)
        if made is None:
            # The step must not keep its key alive.
            made = known[fun] = make(bodies.weakref.ref(fun))
        return made

    return get


@_kept
def _scan_step(fun_ref):
    def step(carry, _):
        i, x = carry
        return (i + 1, fun_ref()(i, x)), None

    return step


@_kept
def _while_step(fun_ref):
    def step(carry):
        i, upper, x = carry
        return i + 1, upper, fun_ref()(i, x)

    return step


def map(f: Callable, xs, *, batch_size: int | None = None):
    """f of every row of `xs`, one after another; the results stacked.

    batch_size: rows that run at once, by `vmap`; 0 means all of them.

    >>> cotan.lax.map(lambda x: x * x, cnp.arange(3))
    Array([0, 1, 4], dtype=int32)
    """
    if batch_size is None:
        return scan(lambda _, x: ((), f(x)), (), xs)[1]
    leaves, tree = tree_flatten(xs)
    if not leaves:
        return scan(lambda _, x: ((), api.vmap(f)(x)), (), xs)[1]
    leaves = [_dispatch.to_array(x) for x in leaves]
    n = leaves[0].shape[0]
    count = n // batch_size if batch_size else 0
    whole = count * batch_size
    parts: list[Any] = []
    if count:
        batches = [
            _core.reshape(
                _core.slice_axis(x, 0, 0, whole),
                (count, batch_size, *x.shape[1:]),
            )
            for x in leaves
        ]
        _, ys = scan(
            lambda _, x: ((), api.vmap(f)(x)),
            (),
            tree_unflatten(tree, batches),
        )
        parts.append(
            tree_map(lambda y: _core.reshape(y, (whole, *y.shape[2:])), ys)
        )
    if whole < n or not count:
        rest = [_core.slice_axis(x, 0, whole, n) for x in leaves]
        parts.append(api.vmap(f)(tree_unflatten(tree, rest)))
    if len(parts) == 1:
        return parts[0]
    return tree_map(lambda a, b: _core.concatenate([a, b], 0), *parts)
