"""`checkpoint` (`remat`): derivatives that recompute instead of storing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

from cotan import _dispatch
from cotan._src import bodies, jaxprs, params, primitives
from cotan._src import jit as jit_module
from cotan.tree_util import tree_flatten, tree_map, tree_unflatten


class _Policy:
    """A policy as the core calls it; equal for equal functions."""

    def __init__(self, function):
        self.function = function

    def __call__(self, address, operands, fields):
        primitive = primitives.primitive_at(address)
        types = [jaxprs.shaped_array(t) for t in operands]
        known = params.from_core(primitive, fields)
        saved = self.function(primitive, *types, **known)
        return bool(saved) and not isinstance(saved, _Recompute)

    def __repr__(self):
        return repr(self.function)


class _Recompute:
    """A policy's answer: do not store."""


Recompute = _Recompute()
_policies: dict[Callable, _Policy] = {}


def _policy_of(function):
    if function is None:
        return None
    try:
        return _policies.setdefault(function, _Policy(function))
    except TypeError:
        return _Policy(function)


def checkpoint(
    fun: Callable,
    *,
    prevent_cse: bool | Sequence[bool] = True,
    policy: Callable[..., bool] | None = None,
    static_argnums: int | tuple[int, ...] = (),
    static_argnames: str | Iterable[str] = (),
    concrete: bool = False,
) -> Callable:
    """`fun`, with a derivative that recomputes its intermediate values.

    Args:
      fun: a function of arrays and pytrees.
      prevent_cse: keep the compiler from merging the recomputation with the
        original; off where that cannot happen anyway, as in a scan.
      policy: says which intermediate values are stored all the same, see
        `checkpoint_policies`.
      static_argnums, static_argnames: arguments that are not arrays.

    >>> f = cotan.checkpoint(lambda x: cnp.sin(cnp.sin(x)))
    >>> cotan.grad(f)(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    if concrete:
        raise NotImplementedError(
            "The 'concrete' option to cotan.checkpoint is not supported: use "
            "static_argnums."
        )
    if not callable(fun):
        raise TypeError(f"Expected a callable value, got {fun!r}")
    nums, names = jit_module.resolve_static(
        fun, static_argnums, static_argnames
    )
    barrier = prevent_cse if isinstance(prevent_cse, bool) else any(prevent_cse)

    # A trace is found again by the function that was traced.
    with_static = functools.lru_cache(64)(functools.partial(_with_static, fun))

    @functools.wraps(fun)
    def wrapped(*args, **kwargs):
        target, dynamic = fun, (args, kwargs)
        if nums or names:
            statics, dynamic = _split_static(args, kwargs, nums, names)
            try:
                target = with_static(statics, _types_of(statics))
            except TypeError:  # not hashable
                target = _with_static(fun, statics, ())
        values, tree = bodies.operands(dynamic, "checkpoint")
        types = [_dispatch.aval_of(x) for x in values]
        body = bodies.trace(target, tree, types)
        out = _dispatch.checkpoint_flat(
            body.jaxpr, values, barrier, _policy_of(policy)
        )
        return tree_unflatten(body.out_tree, out)

    return wrapped


def _split_static(args, kwargs, nums, names):
    """((positions and values, names and values), dynamic (args, kwargs))."""
    places = tuple((n, args[n]) for n in nums if n < len(args))
    fixed = tuple((k, v) for k, v in kwargs.items() if k in names)
    for _, x in (*places, *fixed):
        if isinstance(x, _dispatch.Tracer):
            raise ValueError(
                "checkpoint: a static argument is a traced array; it must be "
                "a Python value"
            )
    where = {n for n, _ in places}
    positional = tuple(x for i, x in enumerate(args) if i not in where)
    keywords = {k: v for k, v in kwargs.items() if k not in names}
    return (places, fixed), (positional, keywords)


def _types_of(statics):
    return tuple(type(x) for part in statics for _, x in part)


def _with_static(fun, statics, types):
    """fun of the dynamic arguments. `types` tells 1 from True."""
    places, fixed = statics

    def target(*dynamic, **more):
        full = list(dynamic)
        for n, value in places:  # in ascending order
            full.insert(n, value)
        return fun(*full, **dict(fixed), **more)

    return target


def checkpoint_name(x, name: str):
    """x, under a name by which policies know it."""
    return tree_map(
        lambda v: _dispatch.checkpoint_name(_dispatch.to_array(v), name), x
    )


# ---- policies: (primitive, *operand types, **params) -> bool


def everything_saveable(*_, **__) -> bool:
    """Stores everything, as without checkpoint."""
    return True


def nothing_saveable(*_, **__) -> bool:
    """Recomputes everything, as checkpoint without a policy."""
    return False


def dots_saveable(prim, *_, **__) -> bool:
    """Stores the results of matrix products and convolutions."""
    return prim.name in ("dot_general", "conv_general_dilated")


def dots_with_no_batch_dims_saveable(prim, *_, **params) -> bool:
    """Stores the results of matrix products without batch dimensions."""
    return prim.name == "dot_general" and not (
        any(params["dimension_numbers"][1])
    )


def offload_dot_with_no_batch_dims(offload_src, offload_dst):
    """Stores products without batch dimensions; there is nowhere else to
    store them, so the arguments do not matter."""
    del offload_src, offload_dst
    return dots_with_no_batch_dims_saveable


@functools.lru_cache
def _save_any_names_but(names):
    def save_any_names_but_these(prim, *_, **params):
        return prim.name == "name" and params["name"] not in names

    return save_any_names_but_these


@functools.lru_cache
def _save_only(names):
    def save_only_these_names(prim, *_, **params):
        return prim.name == "name" and params["name"] in names

    return save_only_these_names


@functools.lru_cache
def _save_anything_except(names):
    def save_anything_except_these_names(prim, *_, **params):
        return prim.name != "name" or params["name"] not in names

    return save_anything_except_these_names


def save_any_names_but_these(*names_not_to_save):
    """Stores named values except these."""
    return _save_any_names_but(frozenset(names_not_to_save))


def save_only_these_names(*names_which_can_be_saved):
    """Stores the values of these names."""
    return _save_only(frozenset(names_which_can_be_saved))


def save_anything_except_these_names(*names_not_to_save):
    """Stores all values but those of these names."""
    return _save_anything_except(frozenset(names_not_to_save))


def save_from_both_policies(policy_1, policy_2):
    """Stores what one of two policies stores."""

    def policy(prim, *args, **params):
        return policy_1(prim, *args, **params) or policy_2(
            prim, *args, **params
        )

    return policy


def save_and_offload_only_these_names(
    *, names_which_can_be_saved, names_which_can_be_offloaded, **_
):
    """Stores the values of both lists of names."""
    return save_only_these_names(
        *names_which_can_be_saved, *names_which_can_be_offloaded
    )


class _Policies:
    """Which values `checkpoint` stores."""

    everything_saveable = staticmethod(everything_saveable)
    nothing_saveable = staticmethod(nothing_saveable)
    dots_saveable = staticmethod(dots_saveable)
    checkpoint_dots = staticmethod(dots_saveable)
    dots_with_no_batch_dims_saveable = staticmethod(
        dots_with_no_batch_dims_saveable
    )
    checkpoint_dots_with_no_batch_dims = staticmethod(
        dots_with_no_batch_dims_saveable
    )
    offload_dot_with_no_batch_dims = staticmethod(
        offload_dot_with_no_batch_dims
    )
    save_any_names_but_these = staticmethod(save_any_names_but_these)
    save_only_these_names = staticmethod(save_only_these_names)
    save_anything_except_these_names = staticmethod(
        save_anything_except_these_names
    )
    save_from_both_policies = staticmethod(save_from_both_policies)
    save_and_offload_only_these_names = staticmethod(
        save_and_offload_only_these_names
    )


checkpoint_policies = _Policies()


def saved_residuals(fun: Callable, *args, **kwargs):
    """[(ShapedArray, where it is from)]: what the derivative of `fun` keeps."""
    values, tree = bodies.operands((args, kwargs), "saved_residuals")

    def flat(leaves):
        a, k = tree_unflatten(tree, leaves)
        return [_dispatch.to_array(x) for x in tree_flatten(fun(*a, **k))[0]]

    _, _, residuals = _dispatch.linearize_flat(flat, values)
    return [
        (jaxprs.shaped_array(_dispatch.aval_of(x)), "residual")
        for x in residuals
    ]
