"""gather, the scatters, dynamic_slice and dynamic_update_slice."""

from __future__ import annotations

import types

import numpy as np

from tests.ops import window_reference
from tests.ops.case import ALL, NUMERIC, SIGNED, Arg, Bad, Case, kind
from tests.ops.functions import lax

_F = ("float32", "float64")


def _gather_dims(**fields):
    fields.setdefault("operand_batching_dims", ())
    fields.setdefault("start_indices_batching_dims", ())
    return fields


# name: operand, index vectors, dimension numbers, slice sizes
_GATHERS = {
    "rows": (
        (5, 3),
        [[1], [4], [1], [-1], [7]],
        _gather_dims(
            offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,)
        ),
        (1, 3),
    ),
    "windows": (
        (5, 6),
        [[0, 1], [3, 4], [4, 5], [-1, 2]],
        _gather_dims(
            offset_dims=(1, 2), collapsed_slice_dims=(), start_index_map=(0, 1)
        ),
        (2, 2),
    ),
    "swapped-map": (
        (4, 5),
        [[1, 2], [4, 3]],
        _gather_dims(
            offset_dims=(), collapsed_slice_dims=(0, 1), start_index_map=(1, 0)
        ),
        (1, 1),
    ),
    "offset-first": (
        (5, 3),
        [[[0], [2]], [[3], [9]]],
        _gather_dims(
            offset_dims=(0,), collapsed_slice_dims=(0,), start_index_map=(0,)
        ),
        (1, 3),
    ),
    "batched": (
        (3, 4, 2),
        [[[0], [3]], [[1], [1]], [[5], [2]]],
        _gather_dims(
            offset_dims=(2,),
            collapsed_slice_dims=(1,),
            start_index_map=(1,),
            operand_batching_dims=(0,),
            start_indices_batching_dims=(0,),
        ),
        (1, 1, 2),
    ),
    "no-indices": (
        (4, 3),
        np.zeros((0, 1)),
        _gather_dims(
            offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,)
        ),
        (1, 3),
    ),
}


def _fill(x):
    if kind(x.dtype) in "fc":
        return np.nan
    if kind(x.dtype) == "i":
        return np.iinfo(x.dtype).min
    return True if kind(x.dtype) == "b" else np.iinfo(x.dtype).max


def _gather(name, mode, dtypes=_F, index="int32", **options):
    shape, indices, dims, sizes = _GATHERS[name]
    indices = np.asarray(indices)
    numbers = types.SimpleNamespace(**dims)
    given = options.pop("fill_value", None)

    def call(x, i):
        return lax.gather(
            x,
            i,
            lax.GatherDimensionNumbers(**dims),
            sizes,
            mode=mode,
            fill_value=given,
        )

    def reference(x, i):
        fill = _fill(x) if given is None else given
        i = i.astype("i8")
        return window_reference.gather(x, i, numbers, sizes, mode, fill)

    return Case(
        name=f"gather-{name}-{mode}" + options.pop("label", ""),
        call=call,
        args=(
            Arg(shape),
            Arg(indices.shape, dtype=index, values=indices),
        ),
        reference=reference,
        primitive="gather",
        dtypes=dtypes,
        exact=True,
        sweep=False,
        diff=(0,),
        # A nan fill would hide differences.
        grad_dtypes=("float64", "complex128")
        if given is not None or mode == "clip"
        else (),
        **options,
    )


_GATHER = [
    _gather("rows", "clip", ALL),
    _gather("rows", "fill", ALL),
    _gather("rows", "fill", fill_value=7, label="-given"),
    *(
        _gather("rows", "clip", ("float32",), index=t, label=f"-{t}")
        for t in ("int8", "int64", "uint32")
    ),
    *(
        _gather(name, mode, fill_value=0)
        for name in list(_GATHERS)[1:]
        for mode in ("clip", "fill")
    ),
]

# name: operand, index vectors, updates, dimension numbers
_SCATTERS = {
    "rows": (
        (5, 3),
        [[1], [4], [0], [-1], [7]],
        (5, 3),
        dict(
            update_window_dims=(1,),
            inserted_window_dims=(0,),
            scatter_dims_to_operand_dims=(0,),
        ),
    ),
    "windows": (
        (6, 6),
        [[0, 1], [3, 4], [5, 5]],
        (3, 2, 2),
        dict(
            update_window_dims=(1, 2),
            inserted_window_dims=(),
            scatter_dims_to_operand_dims=(0, 1),
        ),
    ),
    "batched": (
        (3, 4, 2),
        [[[0], [3]], [[1], [2]], [[5], [2]]],
        (3, 2, 2),
        dict(
            update_window_dims=(2,),
            inserted_window_dims=(1,),
            scatter_dims_to_operand_dims=(1,),
            operand_batching_dims=(0,),
            scatter_indices_batching_dims=(0,),
        ),
    ),
    "no-indices": (
        (4, 3),
        np.zeros((0, 1)),
        (0, 3),
        dict(
            update_window_dims=(1,),
            inserted_window_dims=(0,),
            scatter_dims_to_operand_dims=(0,),
        ),
    ),
    # Several windows on one element.
    "duplicates": (
        (4,),
        [[1], [1], [3], [1]],
        (4,),
        dict(
            update_window_dims=(),
            inserted_window_dims=(0,),
            scatter_dims_to_operand_dims=(0,),
        ),
    ),
}

_COMBINE = {
    "scatter": lambda a, b: b,
    "scatter_add": lambda a, b: a + b,
    "scatter_sub": lambda a, b: a - b,
    "scatter_mul": lambda a, b: a * b,
    "scatter_min": np.minimum,
    "scatter_max": np.maximum,
}


def _scatter(kind_, name, mode="fill", dtypes=_F, unique=True, **options):
    shape, indices, updates, dims = _SCATTERS[name]
    dims = dict(
        {"operand_batching_dims": (), "scatter_indices_batching_dims": ()},
        **dims,
    )
    indices = np.asarray(indices)
    numbers = types.SimpleNamespace(**dims)

    def call(x, i, u):
        return getattr(lax, kind_)(
            x,
            i,
            u,
            lax.ScatterDimensionNumbers(**dims),
            mode=mode,
            unique_indices=unique,
        )

    def reference(x, i, u):
        combine = _COMBINE[kind_]
        if x.dtype == np.bool_ and kind_ == "scatter_sub":
            combine = np.logical_xor
        return window_reference.scatter(x, i, u, numbers, combine, mode)

    return Case(
        name=f"{kind_}-{name}-{mode}" + options.pop("label", ""),
        call=call,
        args=(
            Arg(shape, -3, 3),
            Arg(indices.shape, dtype="int32", values=indices),
            Arg(updates, -3, 3),
        ),
        reference=reference,
        primitive=kind_.replace("_", "-"),
        dtypes=dtypes,
        exact=options.pop("exact", True),
        sweep=options.pop("sweep", False),
        diff=options.pop("diff", (0, 2)),
        **options,
    )


_REAL = tuple(t for t in NUMERIC if not t.startswith("complex"))
_SCATTER = [
    _scatter("scatter", "rows", dtypes=ALL),
    _scatter("scatter_add", "rows", dtypes=NUMERIC),
    _scatter("scatter_sub", "rows", dtypes=NUMERIC, sweep=True),
    _scatter("scatter_mul", "rows", dtypes=_REAL),
    _scatter("scatter_min", "rows", dtypes=_REAL),
    _scatter("scatter_max", "rows", dtypes=_REAL),
    *(
        _scatter(kind_, name, mode)
        for kind_ in _COMBINE
        for name, mode in (
            ("windows", "fill"),
            ("batched", "clip"),
            ("no-indices", "fill"),
        )
    ),
    # Overlapping windows: in which order counts for `scatter`.
    _scatter("scatter", "duplicates", unique=False),
    _scatter("scatter_add", "duplicates", unique=False, scale=4.0, atol=8.0),
    _scatter("scatter_mul", "duplicates", unique=False, diff=(0,), scale=4.0),
    _scatter("scatter_min", "duplicates", unique=False),
    _scatter("scatter_max", "duplicates", unique=False),
]


def _dynamic_slice(name, shape, starts, sizes, dtypes=_F, index="int32"):
    def reference(x, *s):
        at = []
        for i, n, k in zip(s, x.shape, sizes, strict=True):
            i = int(i) + (n if i < 0 else 0)
            i = min(max(i, 0), n - k)
            at.append(slice(i, i + k))
        return x[tuple(at)]

    return Case(
        name=f"dynamic_slice-{name}",
        call=lambda x, *s: lax.dynamic_slice(x, s, sizes),
        args=(
            Arg(shape),
            *[Arg((), dtype=index, values=s) for s in starts],
        ),
        reference=reference,
        primitive="dynamic_slice",
        dtypes=dtypes,
        exact=True,
        elementwise=True,
        sweep=False,
    )


def _dynamic_update(name, shape, starts, sizes, dtypes=_F):
    def reference(x, u, *s):
        at = []
        for i, n, k in zip(s, x.shape, sizes, strict=True):
            i = int(i) + (n if i < 0 else 0)
            i = min(max(i, 0), n - k)
            at.append(slice(i, i + k))
        y = x.copy()
        y[tuple(at)] = u
        return y

    return Case(
        name=f"dynamic_update_slice-{name}",
        call=lambda x, u, *s: lax.dynamic_update_slice(x, u, s),
        args=(
            Arg(shape),
            Arg(sizes),
            *[Arg((), dtype="int32", values=s) for s in starts],
        ),
        reference=reference,
        primitive="dynamic_update_slice",
        dtypes=dtypes,
        exact=True,
        elementwise=True,
        sweep=False,
    )


_DYNAMIC = [
    case
    for make in (_dynamic_slice, _dynamic_update)
    for case in (
        make("plain", (5, 6), (1, 2), (2, 3), ALL),
        make("clamped", (5, 6), (4, 9), (2, 3)),
        make("negative", (5, 6), (-3, -1), (2, 3)),
        make("whole", (3,), (1,), (3,)),
        make("nothing", (3, 2), (1, 0), (0, 2)),
        make("scalar", (), (), ()),
    )
]
_DYNAMIC += [
    _dynamic_slice(f"index-{t}", (5, 6), (1, 2), (2, 3), ("float32",), t)
    for t in (*SIGNED, "uint8", "uint32")
]
# Nothing is sliced out of a scalar.
_DYNAMIC = [c for c in _DYNAMIC if not c.name.endswith("slice-scalar")]

CASES = [*_GATHER, *_SCATTER, *_DYNAMIC]


def _zeros(*shape, dtype="f4"):
    return np.zeros(shape, dtype)


def _bad_gather(**changes):
    dims = dict(_GATHERS["rows"][2])
    sizes = changes.pop("sizes", (1, 3))
    indices = changes.pop("indices", _zeros(2, 1, dtype="i4"))
    dims.update(changes)
    return lambda: lax.gather(
        _zeros(5, 3), indices, lax.GatherDimensionNumbers(**dims), sizes
    )


BAD = [
    Bad(
        "gather-index-dtype",
        _bad_gather(indices=_zeros(2, 1)),
        (TypeError, ValueError),
        r"\[gather\] indices must have an integer type",
    ),
    Bad(
        "gather-map",
        _bad_gather(start_index_map=(0, 1)),
        TypeError,
        r"Gather op has 2 elements in start_index_map",
    ),
    Bad(
        "gather-sizes",
        _bad_gather(sizes=(1, 4)),
        TypeError,
        r"gather",
    ),
    Bad(
        "gather-collapsed",
        _bad_gather(sizes=(2, 3)),
        TypeError,
        r"gather",
    ),
    Bad(
        "scatter-updates",
        lambda: lax.scatter_add(
            _zeros(5, 3),
            _zeros(2, 1, dtype="i4"),
            _zeros(2, 4),
            lax.ScatterDimensionNumbers((1,), (0,), (0,)),
        ),
        TypeError,
        r"scatter",
    ),
    Bad(
        "scatter-dtypes",
        lambda: lax.scatter_add(
            _zeros(5, 3),
            _zeros(2, 1, dtype="i4"),
            _zeros(2, 3, dtype="i4"),
            lax.ScatterDimensionNumbers((1,), (0,), (0,)),
        ),
        TypeError,
        r"scatter",
    ),
    Bad(
        "dynamic_slice-rank",
        lambda: lax.dynamic_slice(_zeros(5, 3), (0,), (1, 1)),
        (TypeError, ValueError),
        r"[Ll]ength of slice indices|start_indices must have length",
    ),
    Bad(
        "dynamic_slice-size",
        lambda: lax.dynamic_slice(_zeros(5), (0,), (6,)),
        TypeError,
        r"\[dynamic_slice\].*less than or equal to operand shape",
    ),
    Bad(
        "dynamic_slice-float",
        lambda: lax.dynamic_slice(_zeros(5), (_zeros(),), (2,)),
        TypeError,
        r"\[dynamic_slice\].*must be integers of the same type, got float32",
    ),
    Bad(
        "dynamic_update_slice-rank",
        lambda: lax.dynamic_update_slice(_zeros(5), _zeros(2, 1), (0,)),
        TypeError,
        r"\[dynamic_update_slice\].*same rank as operand",
    ),
    Bad(
        "dynamic_update_slice-large",
        lambda: lax.dynamic_update_slice(_zeros(5), _zeros(6), (0,)),
        TypeError,
        r"\[dynamic_update_slice\].*smaller than operand shape",
    ),
]
