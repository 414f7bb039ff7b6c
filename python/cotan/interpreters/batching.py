"""Batching rules of primitives, as `jax.interpreters.batching`.

  primitive_batchers[p](args, dims, **params) -> (result, its dim)

dims[i] is the batch axis of args[i], or None (`not_mapped`). With
multiple_results both parts of the answer are sequences.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from cotan import _dispatch
from cotan._src import absent
from cotan._src.primitives import AxisData, Primitive
from cotan.interpreters._tables import RuleTable

__all__ = [
    "AxisData",
    "axis_primitive_batchers",
    "bdim_at_front",
    "broadcast",
    "broadcast_batcher",
    "defbroadcasting",
    "defvectorized",
    "fancy_primitive_batchers",
    "matchaxis",
    "moveaxis",
    "not_mapped",
    "primitive_batchers",
]

not_mapped = None


def _core_batch(p: Primitive) -> Callable:
    def rule(args, dims, axis_name=None, **params):
        arrays = [_dispatch.to_array(x) for x in args]
        size = next(
            x.shape[d]
            for x, d in zip(arrays, dims, strict=True)
            if d is not None
        )

        def run(xs):
            out = p.bind(*xs, **params)
            return out if p.multiple_results else [out]

        out, out_dims = _dispatch.vmap_flat(
            run,
            arrays,
            [-1 if d is None else d for d in dims],
            size,
            axis_name,
        )
        out_dims = [None if d < 0 else d for d in out_dims]
        return (out, out_dims) if p.multiple_results else (out[0], out_dims[0])

    return rule


primitive_batchers = RuleTable("batch", "batch", _core_batch)


class _AxisTable(RuleTable):
    """Rules that are told the mapped axis: rule(axis_data, args, dims)."""

    def __setitem__(self, p, rule):
        super().__setitem__(p, rule)
        p.rules.batch_takes_axis = True


def _core_axis_batch(p: Primitive) -> Callable:
    def rule(axis_data, args, dims, **params):
        del axis_data
        return _core_batch(p)(args, dims, **params)

    return rule


fancy_primitive_batchers = _AxisTable("batch", "batch", _core_axis_batch)
axis_primitive_batchers = fancy_primitive_batchers


def moveaxis(x, src, dst):
    """x with its axis `src` at `dst`; x itself if src is not_mapped."""
    if src is not_mapped or src == dst:
        return x
    x = _dispatch.to_array(x)
    return _dispatch.move_batch_axis(x, src % x.ndim, 0, dst % x.ndim)


def broadcast(x, sz, axis, mesh_axis=None):
    """x repeated along a new axis."""
    del mesh_axis
    x = _dispatch.to_array(x)
    return _dispatch.move_batch_axis(x, -1, sz, axis % (x.ndim + 1))


def bdim_at_front(x, bdim, size, mesh_axis=None):
    """x with a batch axis at 0."""
    if bdim is not_mapped:
        return broadcast(x, size, 0, mesh_axis)
    return moveaxis(x, bdim, 0)


def matchaxis(axis_name, sz, mesh_axis, src, dst, x, sum_match=False):
    """x with its batch axis `src` at `dst`, made if there is none."""
    del axis_name, sum_match
    if dst is not_mapped and src is not_mapped:
        return x
    if src is not_mapped:
        return broadcast(x, sz, dst, mesh_axis)
    return moveaxis(x, src, dst)


def defvectorized(prim: Primitive) -> None:
    """For an operation of one argument that works on each element."""
    primitive_batchers[prim] = functools.partial(_vectorized, prim)


def _vectorized(prim, args, dims, **params):
    if any(d != dims[0] for d in dims):
        raise ValueError(
            f"[{prim}] defvectorized: the batch axes {tuple(dims)} differ; use "
            "defbroadcasting"
        )
    out = prim.bind(*args, **params)
    return out, [dims[0]] * len(out) if prim.multiple_results else dims[0]


def defbroadcasting(prim: Primitive) -> None:
    """For an operation on elements of arguments of one shape."""
    primitive_batchers[prim] = functools.partial(broadcast_batcher, prim)


def broadcast_batcher(prim: Primitive, args, dims, **params):
    """Batches all arguments at axis 0 and binds."""
    size = next(
        x.shape[d] for x, d in zip(args, dims, strict=True) if d is not None
    )
    args = [bdim_at_front(x, d, size) for x, d in zip(args, dims, strict=True)]
    out = prim.bind(*args, **params)
    return out, [0] * len(out) if prim.multiple_results else 0


def __getattr__(name):
    raise absent.error(__name__, name)
