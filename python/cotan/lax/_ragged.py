"""Products whose rows belong to groups, each with a matrix of its own."""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan.lax._control import scan
from cotan.lax._reduce import dot_general
from cotan.lax._slicing import dynamic_index_in_dim
from cotan.lax._types import RaggedDotDimensionNumbers

__all__ = ["ragged_dot", "ragged_dot_general"]

_ROWS = RaggedDotDimensionNumbers(
    dot_dimension_numbers=(((1,), (1,)), ((), ())),
    lhs_ragged_dimensions=(0,),
    rhs_group_dimensions=(0,),
)


def ragged_dot(
    lhs,
    rhs,
    group_sizes,
    precision=None,
    preferred_element_type=None,
    group_offset=None,
    out_sharding=None,
):
    """lhs[m, k] times rhs[g, k, n], rows of consecutive groups with the matrix
    of their group; rows beyond the groups give 0.

    >>> import cotan.numpy as cnp
    >>> a, b = cnp.ones((3, 1)), cnp.array([[[1.0]], [[5.0]]])
    >>> cotan.lax.ragged_dot(a, b, cnp.array([1, 2])).ravel()
    Array([1., 5., 5.], dtype=float32)
    """
    return ragged_dot_general(
        lhs,
        rhs,
        group_sizes,
        _ROWS,
        precision,
        preferred_element_type,
        group_offset,
        out_sharding,
    )


def _refuse(what: str):
    raise TypeError(f"ragged_dot_general {what}.")


def _checked(lhs, rhs, sizes, numbers) -> tuple[int, ...]:
    """The dimensions of lhs that group_sizes may have before its last."""
    (contract, rhs_contract), (batch, rhs_batch) = numbers.dot_dimension_numbers
    if len(numbers.lhs_ragged_dimensions) != 1:
        _refuse("expects exactly one lhs ragged dimension")
    (ragged,) = numbers.lhs_ragged_dimensions
    groups = tuple(numbers.rhs_group_dimensions)

    def in_range(d, x, dim, side):
        if not 0 <= d < x.ndim:
            _refuse(
                f"requires {dim} numbers to be nonnegative and less than the "
                f"number of axes of the {side} value, got {d} for {side} of "
                f"rank {x.ndim}"
            )

    in_range(ragged, lhs, "lhs ragged dimension", "lhs")
    if not dtypes.issubdtype(sizes.dtype, np.integer):
        _refuse("requires that group_sizes.dtype is subtype of np.integer")
    batch, contract = list(batch), list(contract)
    free = [d for d in range(lhs.ndim) if d not in (*batch, *contract)]
    if ragged in batch:
        prefix = batch[: batch.index(ragged)]
    else:
        mine = contract if ragged in contract else free
        prefix = batch + mine[: mine.index(ragged)]
    if sizes.ndim == 0:
        raise TypeError("expected rank of group_sizes to be >=1.")
    expected = (*(lhs.shape[d] for d in prefix), sizes.shape[-1])
    if sizes.ndim > 1 and sizes.shape != expected:
        raise TypeError(
            f"expected group_sizes to have shape {expected}, got {sizes.shape}."
        )
    if ragged not in free:
        if groups:
            _refuse(
                "requires zero group dimensions in the rhs when lhs ragged "
                "dimension is contracting or batch"
            )
        return tuple(prefix)
    if len(groups) != 1:
        _refuse(
            "requires exactly one rhs group dimension when lhs ragged "
            "dimension is noncontracting"
        )
    in_range(groups[0], rhs, "rhs group dimension", "rhs")
    if groups[0] in (*rhs_batch, *rhs_contract):
        _refuse(
            "requires rhs group dimension numbers to be distinct from "
            "contracting and batch dimensions"
        )
    if rhs.shape[groups[0]] != sizes.shape[-1]:
        raise TypeError(
            f"expected rhs group dimension size to be {sizes.shape[-1]}, got "
            f"{rhs.shape[groups[0]]}."
        )
    return tuple(prefix)


def ragged_dot_general(
    lhs,
    rhs,
    group_sizes,
    ragged_dot_dimension_numbers,
    precision=None,
    preferred_element_type=None,
    group_offset=None,
    out_sharding=None,
):
    """`dot_general` with a dimension of lhs in groups of sizes `group_sizes`.

    If it is not contracted, rhs has a dimension of groups, and each part of lhs
    meets its own; if it is, the result has a first dimension of groups, each
    contracted by itself; if it is a batch dimension, groups change nothing.
    """
    if group_offset is not None:
        raise NotImplementedError("[ragged_dot_general] group_offset")
    lhs, rhs, sizes = map(_dispatch.to_array, (lhs, rhs, group_sizes))
    numbers = ragged_dot_dimension_numbers
    dims = numbers.dot_dimension_numbers
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dims
    prefix = _checked(lhs, rhs, sizes, numbers)
    (ragged,) = numbers.lhs_ragged_dimensions

    def product(x, y, dims):
        return dot_general(x, y, dims, precision, preferred_element_type)

    if ragged in lhs_batch:
        return product(lhs, rhs, dims)
    if sizes.ndim == 1:
        prefix = ()
    last = sizes.ndim - 1
    num_groups = sizes.shape[last]
    ends = _core.cumulative(sizes, "sum", last, False)
    at = _core.iota(np.int32, lhs.shape, ragged)

    def part(i):
        end = dynamic_index_in_dim(ends, i, last, False)
        start = end - dynamic_index_in_dim(sizes, i, last, False)
        start, end = (
            _core.broadcast_in_dim(x, lhs.shape, prefix) for x in (start, end)
        )
        return _core.where((at >= start) & (at < end), lhs, 0)

    groups = _core.iota(np.int32, (num_groups,), 0)
    if ragged in lhs_contract:
        return scan(
            lambda _, i: (None, product(part(i), rhs, dims)), None, groups
        )[1]

    (group_dim,) = numbers.rhs_group_dimensions

    def without_group(ds):
        return tuple(d - (d > group_dim) for d in ds)

    inner = (
        (tuple(lhs_contract), without_group(rhs_contract)),
        (tuple(lhs_batch), without_group(rhs_batch)),
    )

    def one(i):
        return product(
            part(i), dynamic_index_in_dim(rhs, i, group_dim, False), inner
        )

    total = one(0) if num_groups else None
    return scan(lambda total, i: (total + one(i), None), total, groups[1:])[0]
