"""Comparisons, select_n, clamp."""

from __future__ import annotations

import numpy as np

from tests.ops.case import (
    ALL,
    COMPLEX,
    NUMERIC,
    ORDERED,
    Arg,
    Bad,
    Case,
    resized,
)
from tests.ops.functions import lax

_LEFT = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, np.nan)
_RIGHT = (-0.0, 0.0, np.inf, np.inf, 1.0, np.nan, np.nan)


# lax refuses to order complex numbers; cotan.numpy does order them
# (tests/oracle).
_REAL = tuple(t for t in ORDERED if t not in COMPLEX)
_COMPARE = [
    Case(
        name=name,
        call=call,
        args=(
            Arg((3, 5), -2, 2, special=_LEFT),
            Arg((3, 5), -2, 2, special=_RIGHT),
        ),
        reference=f,
        primitive=name,
        dtypes=dtypes,
        result=lambda t: "bool",
        elementwise=True,
        exact=True,
    )
    for name, call, f, dtypes in (
        ("eq", lax.eq, np.equal, ALL),
        ("ne", lax.ne, np.not_equal, ALL),
        ("lt", lax.lt, np.less, _REAL),
        ("le", lax.le, np.less_equal, _REAL),
        ("gt", lax.gt, np.greater, _REAL),
        ("ge", lax.ge, np.greater_equal, _REAL),
    )
]

_SELECT = [
    Case(
        name="select_n-bool",
        call=lax.select_n,
        args=(Arg((3, 4), dtype="bool"), Arg((3, 4)), Arg((3, 4), 3, 6)),
        reference=lambda w, a, b: np.where(w, b, a),
        primitive="select_n",
        dtypes=ALL,
        elementwise=True,
        exact=True,
    ),
    Case(
        name="select_n-int",
        call=lax.select_n,
        args=(
            Arg((6,), values=(0, 1, 2, 1, -1, 7), dtype="int32"),
            Arg((6,)),
            Arg((6,), 3, 6),
            Arg((6,), 7, 9),
        ),
        reference=lambda w, *cases: np.choose(np.clip(w, 0, 2), cases),
        primitive="select_n",
        dtypes=("float32", "float64", "int8"),
        elementwise=True,
        exact=True,
        sweep=False,
    ),
    Case(
        name="select_n-scalar-which",
        call=lax.select_n,
        args=(Arg((), dtype="bool", values=True), Arg((2, 3)), Arg((2, 3))),
        reference=lambda w, a, b: b,
        primitive="select_n",
        dtypes=("float32", "float64"),
        elementwise=True,
        exact=True,
        sweep=False,
    ),
    Case(
        name="select_n-one-case",
        call=lambda w, a: lax.select_n(w, a),
        args=(Arg((3,), dtype="bool"), Arg((3,))),
        reference=lambda w, a: a,
        primitive="select_n",
        dtypes=("float32", "float64"),
        elementwise=True,
        exact=True,
        sweep=False,
    ),
]


def _clamp(lo, x, hi):
    return np.minimum(np.maximum(x, lo), hi)


_CLAMP = [
    Case(
        name="clamp",
        call=lax.clamp,
        args=(
            Arg((4, 5), 1, 2, special=(1.0, 1.0, 1.0, np.nan)),
            Arg((4, 5), 0, 5, special=(np.inf, -np.inf, np.nan, 1.0)),
            Arg((4, 5), 3, 4, special=(3.0, 3.0, 3.0, 3.0)),
        ),
        reference=_clamp,
        primitive="clamp",
        dtypes=tuple(t for t in NUMERIC if not t.startswith("complex")),
        elementwise=True,
        exact=True,
        sweep=False,
    ),
    Case(
        name="clamp-scalar-bounds",
        call=lax.clamp,
        args=(Arg((), values=1), Arg((4, 5), 0, 5), Arg((), values=3)),
        reference=_clamp,
        primitive="clamp",
        dtypes=("float32", "float64", "int32"),
        elementwise=True,
        exact=True,
        sweep=False,
    ),
]

_SIZES = [
    *(
        resized(_COMPARE[2], name, s, s)
        for name, s in (("scalar", ()), ("empty", (0, 3)), ("long", (70,)))
    ),
    *(
        resized(_SELECT[0], name, *s)
        for name, s in (
            ("scalar", ((), (), ())),
            ("empty", ((0,), (0,), (0,))),
            ("mixed", ((2, 3), (), (2, 3))),
        )
    ),
    *(
        resized(_CLAMP[0], name, s, s, s)
        for name, s in (("scalar", ()), ("empty", (2, 0)), ("one", (1,)))
    ),
]

CASES = [*_COMPARE, *_SELECT, *_CLAMP, *_SIZES]


def _zeros(shape, dtype="f4"):
    return np.zeros(shape, dtype)


BAD = [
    Bad(
        "lt-complex",
        lambda: lax.lt(_zeros(3, "c8"), _zeros(3, "c8")),
        TypeError,
        r"lt does not accept dtype complex64",
    ),
    Bad(
        "select_n-which-dtype",
        lambda: lax.select_n(_zeros(3), _zeros(3), _zeros(3)),
        TypeError,
        r"select_n: `which` must have dtype bool or int32, got float32",
    ),
    Bad(
        "select_n-too-many",
        lambda: lax.select_n(_zeros(3, "?"), *[_zeros(3)] * 3),
        TypeError,
        r"a bool `which` selects between at most two cases, got 3",
    ),
    Bad(
        "select_n-shape",
        lambda: lax.select_n(_zeros(2, "?"), _zeros(3), _zeros(3)),
        TypeError,
        r"select_n|incompatible shapes",
    ),
    Bad(
        "select_n-case-dtypes",
        lambda: lax.select_n(_zeros(3, "?"), _zeros(3), _zeros(3, "i4")),
        TypeError,
        r"select_n requires arguments to have the same dtypes",
    ),
    Bad(
        "clamp-dtypes",
        lambda: lax.clamp(_zeros(3, "i4"), _zeros(3), _zeros(3)),
        TypeError,
        r"clamp requires arguments to have the same dtypes",
    ),
    Bad(
        "lt-dtypes",
        lambda: lax.lt(_zeros(3, "i4"), _zeros(3)),
        TypeError,
        r"lt requires arguments to have the same dtypes",
    ),
]
