"""Loops, branches, and what else holds jaxprs. Their compositions are in
tests/transforms/test_control_flow.py."""

from __future__ import annotations

import numpy as np

import cotan
from cotan.ad_checkpoint import checkpoint_name
from tests.ops.case import Arg, Bad, Case
from tests.ops.functions import lax, numpy

_FLOATS = ("float32", "float64")


def _scan(c, xs):
    return lax.scan(lambda c, x: (numpy.sin(c) * x, c + x), c, xs)


def _scan_reference(c, xs):
    ys = []
    for x in xs:
        c, y = np.sin(c) * x, c + x
        ys.append(y)
    return [c, np.stack(ys)]


def _while(c):
    return lax.while_loop(
        lambda s: s[0] < 3, lambda s: (s[0] + 1, numpy.sin(s[1])), (0, c)
    )[1]


def _cond(p, x):
    return lax.cond(p[0], lambda v: v * v, numpy.cos, x)


def _solve(a, b):
    def run(matvec, b):
        return numpy.stack([b[0] / a[0], b[1] / a[1]])

    return lax.custom_linear_solve(lambda x: a * x, b, run, run)


_CARRY = Arg((4,), -2, 2)

_LOOPS = [
    Case(
        name="scan",
        call=_scan,
        args=(_CARRY, Arg((3, 4), -2, 2)),
        reference=_scan_reference,
        primitive="scan",
        dtypes=_FLOATS,
        result=lambda t: [t, t],
        scale=8,
        atol=8,
        sweep=False,
    ),
    Case(
        name="while",
        call=_while,
        args=(_CARRY,),
        reference=lambda c: np.sin(np.sin(np.sin(c))),
        primitive="while",
        dtypes=_FLOATS,
        diff=(),  # no transpose
        scale=8,
        atol=8,
        sweep=False,
    ),
    Case(
        name="cond",
        call=lambda x: _cond(x > 0, x),
        args=(_CARRY,),
        reference=lambda x: x * x if x[0] > 0 else np.cos(x),
        primitive="cond",
        dtypes=_FLOATS,
        scale=8,
        atol=8,
        sweep=False,
    ),
]

_CALLS = [
    Case(
        name="checkpoint",
        call=cotan.checkpoint(lambda x: numpy.sin(numpy.sin(x))),
        args=(_CARRY,),
        reference=lambda x: np.sin(np.sin(x)),
        primitive="checkpoint",
        dtypes=_FLOATS,
        scale=8,
        atol=8,
        sweep=False,
    ),
    Case(
        name="custom_linear_solve",
        call=_solve,
        args=(Arg((2,), 1, 2), Arg((2,), -2, 2)),
        reference=lambda a, b: b / a,
        primitive="custom_linear_solve",
        dtypes=_FLOATS,
        scale=8,
        atol=8,
        sweep=False,
    ),
]

_SAME = [
    Case(
        name=name,
        call=call,
        args=(_CARRY,),
        reference=lambda x: x,
        primitive=name,
        dtypes=_FLOATS,
        exact=True,
        sweep=False,
    )
    for name, call in (
        ("optimization_barrier", lax.optimization_barrier),
        ("name", lambda x: checkpoint_name(x, "x")),
    )
]

CASES = [*_LOOPS, *_CALLS, *_SAME]
# Callbacks do nothing that the matrix could look at.
INTERNAL = dict.fromkeys(
    ("pure_callback", "io_callback", "debug_callback"),
    "tests/transforms/test_control_flow.py",
)

BAD = [
    Bad(
        "scan-lengths",
        lambda: lax.scan(
            lambda c, x: (c, x), 0, (np.zeros(3, "f4"), np.zeros(4, "f4"))
        ),
        ValueError,
        "different leading axis sizes: 3, 4",
    ),
    Bad(
        "while-predicate",
        lambda: lax.while_loop(lambda c: 1, lambda c: c, 0),
        TypeError,
        "must return a boolean scalar",
    ),
    Bad(
        "cond-predicate",
        lambda: lax.cond(np.zeros(2), lambda: 1, lambda: 2),
        TypeError,
        "Pred must be a scalar",
    ),
]
