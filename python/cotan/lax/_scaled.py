"""Products of block-scaled arrays: one scale for several neighbours along a
contracting axis, as microscaling formats have them."""

from __future__ import annotations

from cotan import _dispatch
from cotan.lax._reduce import dot_general
from cotan.lax._types import user_dtype

__all__ = ["scaled_dot"]


def _check_scale(side, x, scale, contracting):
    for d, n in enumerate(x.shape):
        k = scale.shape[d]
        if d not in contracting:
            if k != n:
                raise TypeError(
                    f"{side} dim {d} of size {n} does not match scale dim "
                    f"size {k}."
                )
        elif k == 0 or n % k:
            raise TypeError(
                f"{side} contracting dim {d} of size {n} must be divisible by "
                f"its scale's dim size {k}."
            )
        elif n // k < 2:
            raise TypeError(
                f"The ratio of {side} contracting dim {d} to its scale's dim "
                f"size ({n // k}) must be at least 2."
            )


def _scaled(x, scale, contracting):
    """x times its scale, in bfloat16."""
    x = x.astype("bfloat16")
    if scale is None:
        return x
    scale = scale.astype("bfloat16")
    for d in contracting:
        scale = scale.repeat(x.shape[d] // scale.shape[d], axis=d)
    return x * scale


def scaled_dot(
    lhs,
    rhs,
    *,
    lhs_scale=None,
    rhs_scale=None,
    dimension_numbers=None,
    preferred_element_type=None,
):
    """dot_general of lhs * lhs_scale and rhs * rhs_scale.

    A scale has its operand's shape, but for fewer elements along contracting
    axes, each for a block of neighbours; none: 1. The products with scales are
    bfloat16; sums and the result have preferred_element_type (bfloat16).
    dimension_numbers: as in dot_general; by default of matmul.

    >>> import cotan.numpy as cnp
    >>> x, s = cnp.ones((1, 4), "float8_e4m3fn"), cnp.array([[2.0, 8.0]])
    >>> y = cnp.ones((4, 1), "float8_e4m3fn")
    >>> cotan.lax.scaled_dot(x, y, lhs_scale=s.astype("float8_e8m0fnu"))
    Array([[20]], dtype=bfloat16)
    """
    lhs, rhs = _dispatch.to_array(lhs), _dispatch.to_array(rhs)
    if dimension_numbers is None:
        n = lhs.ndim
        if n < 2:
            raise TypeError(
                "scaled_dot does not support 0-rank and 1-rank operands."
            )
        batch = tuple(range(n - 2))
        dimension_numbers = (((n - 1,), (n - 2,)), (batch, batch))
    (left, right), _ = dimension_numbers
    scales = [
        None if s is None else _dispatch.to_array(s)
        for s in (lhs_scale, rhs_scale)
    ]
    arrays = [x for x in (lhs, rhs, *scales) if x is not None]
    if len({x.ndim for x in arrays}) > 1:
        raise TypeError(
            "All input tensors must have the same rank. Got ranks "
            f"{', '.join(str(x.ndim) for x in arrays)}."
        )
    for side, x, scale, contracting in (
        ("LHS", lhs, scales[0], left),
        ("RHS", rhs, scales[1], right),
    ):
        if scale is not None:
            _check_scale(side, x, scale, contracting)
    dtype = user_dtype(
        "bfloat16"
        if preferred_element_type is None
        else preferred_element_type,
        "scaled_dot",
    )
    return dot_general(
        _scaled(lhs, scales[0], left),
        _scaled(rhs, scales[1], right),
        dimension_numbers,
        preferred_element_type=dtype,
    )
