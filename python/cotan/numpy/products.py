"""Products and contractions: matmul, dot, tensordot, einsum, ..."""

from __future__ import annotations

import numpy as np

from cotan import _core
from cotan.numpy.reductions import _axes

_operand = _core.np_operand


def _precision(precision):
    if precision is None:
        return ""
    if isinstance(precision, str):
        return precision
    return str(getattr(precision, "name", precision)).lower()


def matmul(
    a, b, *, precision=None, preferred_element_type=None, out_sharding=None
):
    """Matrix product of the last two axes, broadcast over the others.

    >>> cnp.matmul(cnp.ones((2, 3)), cnp.ones((3, 4))).shape
    (2, 4)
    """
    return _core.np_matmul(a, b, _precision(precision), preferred_element_type)


def dot(
    a, b, *, precision=None, preferred_element_type=None, out_sharding=None
):
    """Sum product over the last axis of a and the second-to-last of b."""
    return _core.np_dot(a, b, _precision(precision), preferred_element_type)


def tensordot(
    a,
    b,
    axes=2,
    *,
    precision=None,
    preferred_element_type=None,
    out_sharding=None,
):
    """Contraction over several axes: a number of them, or two lists."""
    a, b = _operand(a, "tensordot", 0), _operand(b, "tensordot", 1)
    if isinstance(axes, (list, tuple)) and len(axes) == 2:
        left, right = axes
        if any(isinstance(s, str) for s in axes):
            raise TypeError(
                "tensordot requires both axes lists to be either ints, tuples "
                f"or lists, got {left} and {right}"
            )
        left = (left,) if isinstance(left, int) else tuple(left)
        right = (right,) if isinstance(right, int) else tuple(right)
        if len(left) != len(right):
            raise TypeError(
                "tensordot requires axes lists to have equal length, got "
                f"{left} and {right}."
            )
    elif isinstance(axes, (int, np.integer)):
        n = int(axes)
        if n > min(a.ndim, b.ndim):
            raise TypeError(
                f"Number of tensordot axes (axes {n}) exceeds input ranks "
                f"({a.shape} and {b.shape})"
            )
        left, right = tuple(range(a.ndim - n, a.ndim)), tuple(range(n))
    else:
        raise TypeError(
            "tensordot axes argument must be an int, a pair of ints, or a "
            f"pair of lists/tuples of ints, got {axes!r}"
        )
    return _core.np_contract(
        a,
        b,
        _axes(left, a.ndim),
        _axes(right, b.ndim),
        _precision(precision),
        preferred_element_type,
    )


def vdot(a, b, *, precision=None, preferred_element_type=None):
    """Sum of conj(a) * b over all elements."""
    from cotan.numpy.elementwise import conj

    a = _core.np_ravel(_operand(a, "vdot", 0), False)
    b = _core.np_ravel(_operand(b, "vdot", 1), False)
    return dot(
        conj(a),
        b,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def vecdot(x1, x2, /, *, axis=-1, precision=None, preferred_element_type=None):
    """Sum of conj(x1) * x2 along an axis, broadcast over the others."""
    from cotan.numpy.elementwise import conj

    a, b = _operand(x1, "vecdot", 0), _operand(x2, "vecdot", 1)
    a, b = _core.np_moveaxis(a, axis, -1), _core.np_moveaxis(b, axis, -1)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            "vecdot: arrays must have the same size along the given axis, got "
            f"{a.shape} and {b.shape}"
        )
    r = matmul(
        conj(a)[..., None, :],
        b[..., :, None],
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    return r[..., 0, 0]


def matvec(x1, x2, /):
    """Matrices times vectors: (..., M, N), (..., N) -> (..., M)."""
    a, b = _operand(x1, "matvec", 0), _operand(x2, "matvec", 1)
    return matmul(a, b[..., None])[..., 0]


def vecmat(x1, x2, /):
    """Conjugated vectors times matrices: (..., N), (..., N, M) -> (..., M)."""
    from cotan.numpy.elementwise import conj

    a, b = _operand(x1, "vecmat", 0), _operand(x2, "vecmat", 1)
    return matmul(conj(a)[..., None, :], b)[..., 0, :]


def inner(a, b, *, precision=None, preferred_element_type=None):
    """Sum product over the last axes of both."""
    a, b = _operand(a, "inner", 0), _operand(b, "inner", 1)
    if a.ndim == 0 or b.ndim == 0:
        r = a * b
        return (
            r
            if preferred_element_type is None
            else (r.astype(preferred_element_type))
        )
    return _core.np_contract(
        a,
        b,
        (a.ndim - 1,),
        (b.ndim - 1,),
        _precision(precision),
        preferred_element_type,
    )


def outer(a, b, out=None):
    """All products of elements of the raveled arrays."""
    if out is not None:
        raise NotImplementedError(
            "The 'out' argument to cotan.numpy.outer is not supported."
        )
    a = _core.np_ravel(_operand(a, "outer", 0), False)
    b = _core.np_ravel(_operand(b, "outer", 1), False)
    return a[:, None] * b[None, :]


def kron(a, b):
    """The Kronecker product."""
    a, b = _operand(a, "kron", 0), _operand(b, "kron", 1)
    rank = max(a.ndim, b.ndim)
    a = a.reshape((1,) * (rank - a.ndim) + a.shape)
    b = b.reshape((1,) * (rank - b.ndim) + b.shape)
    x = _core.np_expand_dims(a, tuple(range(1, 2 * rank, 2)))
    y = _core.np_expand_dims(b, tuple(range(0, 2 * rank, 2)))
    shape = tuple(m * n for m, n in zip(a.shape, b.shape, strict=True))
    return (x * y).reshape(shape)


def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The cross product of vectors with 2 or 3 components."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = _operand(a, "cross", 0), _operand(b, "cross", 1)
    a, b = _core.np_moveaxis(a, axisa, -1), _core.np_moveaxis(b, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError("Dimension must be either 2 or 3 for cross product")
    if a.shape[-1] == 2 and b.shape[-1] == 2:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]

    def parts(v):
        x, y = v[..., 0], v[..., 1]
        return x, y, (v[..., 2] if v.shape[-1] == 3 else x * 0)

    a0, a1, a2 = parts(a)
    b0, b1, b2 = parts(b)
    c = _core.np_broadcast_arrays(
        (a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0)
    )
    return _core.strong(_core.np_moveaxis(_core.np_stack(c, -1), -1, axisc))


def einsum(
    subscripts,
    /,
    *operands,
    out=None,
    optimize="auto",
    precision=None,
    preferred_element_type=None,
    _dot_general=None,
    out_sharding=None,
):
    """Sum of products, named by subscripts: "ij,jk->ik".

    Several operands are contracted two at a time, the cheapest pair first
    (for up to 8 operands in the best order).

    >>> cnp.einsum("ij,kj->ik", cnp.ones((2, 3)), cnp.ones((4, 3))).shape
    (2, 4)
    """
    if out is not None:
        raise NotImplementedError(
            "The 'out' argument to cotan.numpy.einsum is not supported."
        )
    if not isinstance(subscripts, str):
        subscripts, operands = _interleaved(subscripts, operands)
    if isinstance(optimize, (list, tuple)) and any(
        not isinstance(pair, str) and len(pair) > 2 for pair in optimize
    ):
        raise NotImplementedError(
            "jax.numpy.einsum does not support simultaneous contraction of 3 "
            "or more operands. Typically this means you've passed an "
            "unsupported path to the einsum optimize parameter."
        )
    return _core.np_einsum(
        subscripts, operands, _precision(precision), preferred_element_type
    )


def _interleaved(first, rest):
    """einsum(x, [0, 1], y, [1, 2], [0, 2]) as a string."""
    args = (first, *rest)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def text(subs):
        return "".join("..." if s is Ellipsis else letters[s] for s in subs)

    pairs, tail = args, ""
    if len(args) % 2:
        pairs, tail = args[:-1], "->" + text(args[-1])
    operands = pairs[::2]
    return ",".join(text(s) for s in pairs[1::2]) + tail, operands


def einsum_path(subscripts, /, *operands, optimize="auto"):
    """The order of contraction that `einsum` takes: (path, description)."""
    if not isinstance(subscripts, str):
        subscripts, operands = _interleaved(subscripts, operands)
    path = [tuple(p) for p in _core.np_einsum_path(subscripts, operands)]
    return path, f"{subscripts}: {path}"
