"""Products whose rows belong to groups, each with a matrix of its own."""

from __future__ import annotations

import numpy as np

from cotan import _core, _dispatch
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
    (ragged,) = numbers.lhs_ragged_dimensions

    def product(x, y, dims):
        return dot_general(x, y, dims, precision, preferred_element_type)

    if ragged in lhs_batch:
        return product(lhs, rhs, dims)
    if sizes.ndim != 1:
        raise NotImplementedError(
            "[ragged_dot_general] group_sizes of more than one dimension"
        )
    ends = _core.cumulative(sizes, "sum", 0, False)
    at = _core.iota(np.int32, lhs.shape, ragged)

    def part(i):
        end = dynamic_index_in_dim(ends, i, 0, False)
        start = end - dynamic_index_in_dim(sizes, i, 0, False)
        return _core.where((at >= start) & (at < end), lhs, 0)

    groups = _core.iota(np.int32, sizes.shape, 0)
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

    total = one(0) if sizes.shape[0] else None
    return scan(lambda total, i: (total + one(i), None), total, groups[1:])[0]
