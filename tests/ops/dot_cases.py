"""dot_general."""

from __future__ import annotations

import string

import numpy as np

from tests.ops.case import BOOL, INEXACT, INT, Arg, Bad, Case
from tests.ops.functions import lax


def _einsum(x, y, dims):
    (lc, rc), (lb, rb) = dims
    names = iter(string.ascii_letters)
    left = [next(names) for _ in range(x.ndim)]
    right = [next(names) for _ in range(y.ndim)]
    for i, j in [*zip(lc, rc, strict=True), *zip(lb, rb, strict=True)]:
        right[j] = left[i]
    batch = [left[i] for i in lb]
    out = batch
    out = out + [n for i, n in enumerate(left) if i not in lc and i not in lb]
    out = out + [n for i, n in enumerate(right) if i not in rc and i not in rb]
    spec = f"{''.join(left)},{''.join(right)}->{''.join(out)}"
    if x.dtype == np.bool_:
        return np.einsum(spec, x.astype(int), y.astype(int)) > 0
    return np.einsum(spec, x, y, dtype=x.dtype)


def _dot(name, left, right, dims, dtypes=("float32", "float64"), **options):
    k = int(np.prod([left[d] for d in dims[0][0]], dtype=int))
    return Case(
        name=f"dot_general-{name}",
        call=lambda x, y: lax.dot_general(x, y, dims),
        args=(Arg(left, -2, 2), Arg(right, -2, 2)),
        reference=lambda x, y: _einsum(x, y, dims),
        primitive="dot_general",
        dtypes=dtypes,
        sweep=False,
        # Terms of size 4 may cancel; half types round the sum once.
        scale=2.0,
        atol=4.0 * max(k, 1),
        **options,
    )


_MATMUL = (((1,), (0,)), ((), ()))
CASES = [
    _dot("matmul", (3, 5), (5, 4), _MATMUL, INT + INEXACT + BOOL),
    _dot("nt", (3, 5), (4, 5), (((1,), (1,)), ((), ())), INEXACT),
    _dot("tn", (5, 3), (5, 4), (((0,), (0,)), ((), ()))),
    _dot("tt", (5, 3), (4, 5), (((0,), (1,)), ((), ()))),
    _dot("vector", (5,), (5,), (((0,), (0,)), ((), ()))),
    _dot("matvec", (3, 5), (5,), (((1,), (0,)), ((), ()))),
    _dot("vecmat", (5,), (5, 3), (((0,), (0,)), ((), ()))),
    _dot("outer", (3,), (4,), (((), ()), ((), ()))),
    _dot("scalar", (), (3,), (((), ()), ((), ()))),
    _dot("batched", (2, 3, 5), (2, 5, 4), (((2,), (1,)), ((0,), (0,)))),
    _dot(
        "batched-inside",
        (3, 2, 5),
        (5, 4, 2),
        (((2,), (0,)), ((1,), (2,))),
    ),
    _dot(
        "two-batched-two-contracted",
        (2, 3, 4, 5),
        (3, 5, 2, 4),
        (((2, 3), (3, 1)), ((0, 1), (2, 0))),
    ),
    _dot(
        "contracted-crosswise",
        (3, 4, 5),
        (5, 4, 2),
        (((2, 1), (0, 1)), ((), ())),
    ),
    _dot("batch-only", (4,), (4,), (((), ()), ((0,), (0,)))),
    _dot("empty-sum", (3, 0), (0, 4), _MATMUL),
    _dot("empty", (0, 5), (5, 4), _MATMUL),
    _dot("one", (1, 1), (1, 1), _MATMUL),
    _dot(
        "large", (70, 65), (65, 40), _MATMUL, ("float32",), order=0, vmap=False
    ),
    Case(
        name="dot_general-preferred",
        call=lambda x, y: lax.dot_general(
            x, y, _MATMUL, preferred_element_type=np.float32
        ),
        args=(Arg((3, 5)), Arg((5, 2))),
        reference=lambda x, y: x @ y,
        primitive="dot_general",
        dtypes=("bfloat16", "float16"),
        result=lambda t: "float32",
        sweep=False,
        scale=2.0,
        atol=16.0,
    ),
    Case(
        name="dot_general-preferred-int",
        call=lambda x, y: lax.dot_general(
            x, y, _MATMUL, preferred_element_type=np.int32
        ),
        args=(Arg((3, 5), -100, 100), Arg((5, 2), -100, 100)),
        reference=lambda x, y: x.astype("i4") @ y.astype("i4"),
        primitive="dot_general",
        dtypes=("int8",),
        result=lambda t: "int32",
        sweep=False,
        exact=True,
    ),
]


def _zeros(*shape, dtype="f4"):
    return np.zeros(shape, dtype)


BAD = [
    Bad(
        "dot-contracting",
        lambda: lax.dot_general(_zeros(2, 3), _zeros(4, 5), _MATMUL),
        TypeError,
        r"dot_general requires contracting dimensions to have the same shape, "
        r"got \(3,\) and \(4,\)",
    ),
    Bad(
        "dot-batch",
        lambda: lax.dot_general(
            _zeros(2, 3), _zeros(3, 3), (((1,), (1,)), ((0,), (0,)))
        ),
        TypeError,
        r"dot_general requires lhs batch dimensions",
    ),
    Bad(
        "dot-dtypes",
        lambda: lax.dot_general_p.bind(
            _zeros(2, 3),
            _zeros(3, 2, dtype="i4"),
            dimension_numbers=_MATMUL,
            precision=None,
            preferred_element_type=None,
            out_sharding=None,
        ),
        TypeError,
        r"dot_general requires arguments to have the same dtypes",
    ),
    Bad(
        "dot-axis",
        lambda: lax.dot_general(
            _zeros(2, 3), _zeros(3, 2), (((2,), (0,)), ((), ()))
        ),
        (TypeError, ValueError),
        r"dot_general",
    ),
]
