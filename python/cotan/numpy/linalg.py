"""Linear algebra on the last two axes of arrays."""

from __future__ import annotations

import math

from cotan import _core
from cotan.numpy import products
from cotan.numpy.decompositions import (
    EighResult,
    EigResult,
    QRResult,
    SlogdetResult,
    SVDResult,
    cholesky,
    cond,
    det,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    inv,
    lstsq,
    matrix_rank,
    pinv,
    qr,
    slogdet,
    solve,
    svd,
    svdvals,
    tensorinv,
    tensorsolve,
)
from cotan.numpy.elementwise import absolute, conj, power, real, sqrt
from cotan.numpy.indexing import diagonal as _diagonal
from cotan.numpy.indexing import trace as _trace
from cotan.numpy.reductions import _axes, max, min, sum
from cotan.numpy.shaping import matrix_transpose, moveaxis

__all__ = [
    "EigResult",
    "EighResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]

_operand = _core.np_operand


def _inexact(name, x):
    return _core.promote_inexact(name, [_operand(x, name, 0)])[0]


def norm(x, ord=None, axis=None, keepdims=False):
    """A matrix or vector norm.

    Args:
      x: array of any shape; `axis` is one axis (vectors) or two (matrices),
        by default all of a rank-1 or rank-2 array.
      ord: None (2-norm of all elements), a number, inf, "fro" or "nuc".

    The gradient at 0 is nan.
    """
    x = _inexact("norm", x)
    if axis is None and ord is None:
        out = sqrt(_square_sum(x, None))
        return out.reshape((1,) * x.ndim) if keepdims else out
    if axis is None:
        if x.ndim not in (1, 2):
            raise ValueError("Improper number of dimensions to norm.")
        axes = tuple(range(x.ndim))
    else:
        axes = _axes(axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ValueError(
        f"Improper number of axes for norm: {axis=}. Pass one axis to compute "
        "a vector-norm, or two axes to compute a matrix-norm."
    )


def _square_sum(x, axes, keepdims=False):
    y = real(x * conj(x)) if x.dtype.kind == "c" else x * x
    return sum(y, axis=axes, keepdims=keepdims)


def _vector_norm(x, ord, axes, keepdims):
    if isinstance(ord, str):
        raise ValueError(f"Invalid order '{ord}' for vector norm.")
    if ord == 2:
        return sqrt(_square_sum(x, axes, keepdims))
    a = absolute(x)
    if ord == math.inf:
        return max(a, axis=axes, keepdims=keepdims, initial=0)
    if ord == -math.inf:
        return min(a, axis=axes, keepdims=keepdims)
    if ord == 0:
        return sum(x != 0, axis=axes, dtype=a.dtype, keepdims=keepdims)
    if ord == 1:
        return sum(a, axis=axes, keepdims=keepdims)
    total = sum(power(a, ord), axis=axes, keepdims=keepdims)
    return power(total, 1.0 / ord)


def _matrix_norm(x, ord, axes, keepdims):
    row, col = axes
    if ord is None or ord in ("f", "fro"):
        return sqrt(_square_sum(x, axes, keepdims))
    a = absolute(x)
    if ord in (1, -1, math.inf, -math.inf):
        first, second = (row, col) if ord in (1, -1) else (col, row)
        y = sum(a, axis=first, keepdims=keepdims)
        if not keepdims and second > first:
            second -= 1
        if ord > 0:
            return max(y, axis=second, keepdims=keepdims, initial=0)
        return min(y, axis=second, keepdims=keepdims)
    if ord in (2, -2, "nuc"):
        s = svdvals(moveaxis(x, axes, (-2, -1)))
        if ord == "nuc":
            y = sum(s, axis=-1)
        else:
            y = max(s, axis=-1, initial=0) if ord > 0 else min(s, axis=-1)
        if keepdims:
            y = _core.expand_dims(y, tuple(sorted(a % x.ndim for a in axes)))
        return y
    raise ValueError(f"Invalid order '{ord}' for matrix norm.")


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """The array API's vector norm, over one or more axes."""
    x = _inexact("vector_norm", x)
    axes = _axes(axis, x.ndim)
    return _vector_norm(x, ord, axes, keepdims)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """A norm of the matrices in the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


def diagonal(x, /, *, offset=0):
    """The diagonals of the matrices in the last two axes."""
    return _diagonal(x, offset, -2, -1)


def trace(x, /, *, offset=0, dtype=None):
    """The sums of the diagonals of the matrices in the last two axes."""
    return _trace(x, offset, -2, -1, dtype)


def outer(x1, x2, /):
    """The products of all pairs of entries of two vectors."""
    a, b = _operand(x1, "outer", 0), _operand(x2, "outer", 1)
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(
            "Input arrays must be one-dimensional, but they are "
            f"x1.ndim={a.ndim} x2.ndim={b.ndim}"
        )
    return products.outer(a, b)


def matmul(x1, x2, /, *, precision=None, preferred_element_type=None):
    """`cotan.numpy.matmul`."""
    return products.matmul(
        x1,
        x2,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def vecdot(x1, x2, /, *, axis=-1, precision=None, preferred_element_type=None):
    """`cotan.numpy.vecdot`."""
    return products.vecdot(
        x1,
        x2,
        axis=axis,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def tensordot(
    x1,
    x2,
    /,
    *,
    axes=2,
    precision=None,
    preferred_element_type=None,
    out_sharding=None,
):
    """`cotan.numpy.tensordot`."""
    return products.tensordot(
        x1,
        x2,
        axes,
        precision=precision,
        preferred_element_type=preferred_element_type,
        out_sharding=out_sharding,
    )


def cross(x1, x2, /, *, axis=-1):
    """The cross product of vectors with three components."""
    a, b = _operand(x1, "cross", 0), _operand(x2, "cross", 1)
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise ValueError(
            "Both input arrays must be (arrays of) 3-dimensional vectors, "
            f"but they have {a.shape[axis]} and {b.shape[axis]} dimensions "
            "instead."
        )
    return products.cross(a, b, axis=axis)


def multi_dot(arrays, *, precision=None):
    """The product of several matrices, in the cheapest order."""
    xs = [_operand(a, "multi_dot", i) for i, a in enumerate(arrays)]
    if len(xs) < 2:
        raise ValueError(
            f"multi_dot requires at least two arrays; got len(arrays)={len(xs)}"
        )
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    names, at = [], 0
    for i, x in enumerate(xs):
        first, last = i == 0, i == len(xs) - 1
        if x.ndim not in ((1, 2) if first or last else (2,)):
            raise ValueError(
                "multi_dot: input arrays must all be two-dimensional, except "
                "the first and last array may be one-dimensional."
            )
        names.append(
            letters[at + 1]
            if first and x.ndim == 1
            else letters[at : at + x.ndim]
        )
        at += 1
    out = (names[0][:-1]) + (names[-1][1:])
    return products.einsum(
        ",".join(names) + "->" + out, *xs, precision=precision
    )


def matrix_power(a, n):
    """The n-th power of square matrices."""
    a = _core.np_operand(a, "matrix_power", 0)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise TypeError(
            "Last 2 dimensions of the array must be square, got shape "
            f"{a.shape}"
        )
    if n < 0:
        a, n = inv(a), -n
    eye = _core.np_diagonal_mask(*a.shape[-2:], 0, a.dtype, False)
    if n == 0:
        return _core.broadcast_to(eye, a.shape)
    out = None
    while n:
        if n & 1:
            out = a if out is None else out @ a
        n >>= 1
        if n:
            a = a @ a
    return out
