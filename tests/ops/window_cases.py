"""Fourier transforms, convolutions and reductions over windows."""

from __future__ import annotations

import itertools

import numpy as np

from cotan import _core
from tests.ops.case import COMPLEX, NUMERIC, Arg, Bad, Case
from tests.ops.functions import lax

# ---- fft


def _fft(kind, *lengths):
    axes = tuple(range(-len(lengths), 0))
    reference = {
        "FFT": lambda x: np.fft.fftn(x, axes=axes),
        "IFFT": lambda x: np.fft.ifftn(x, axes=axes),
        "RFFT": lambda x: np.fft.rfftn(x, axes=axes),
        "IRFFT": lambda x: np.fft.irfftn(x, lengths, axes),
    }[kind]
    shape = (2, *lengths)
    if kind == "IRFFT":
        shape = (*shape[:-1], lengths[-1] // 2 + 1)
    real = kind == "RFFT"
    result = {
        "RFFT": lambda t: {"float32": "complex64"}.get(t, "complex128"),
        "IRFFT": lambda t: {"complex64": "float32"}.get(t, "float64"),
    }.get(kind, lambda t: t)
    name = "x".join(map(str, lengths))
    return Case(
        name=f"fft-{kind}-{name}",
        # past the front, which converts: the primitive itself
        call=lambda x: _core.fft(x, lax.FftType[kind], lengths),
        args=(Arg(shape),),
        reference=reference,
        primitive="fft",
        dtypes=("float32", "float64") if real else COMPLEX,
        result=result,
        scale=20.0,
        atol=200.0,
        sweep=len(lengths) > 1,
    )


_FFT = [
    _fft("FFT", 8),
    _fft("FFT", 3, 5),
    _fft("IFFT", 6, 4),
    _fft("RFFT", 3, 6),
    _fft("RFFT", 7),
    _fft("IRFFT", 3, 8),
    _fft("IRFFT", 5),
    _fft("FFT", 37),
    _fft("RFFT", 2, 3, 2, 3),
    _fft("IRFFT", 2, 3, 2, 4),
]

# ---- convolution


def convolution(x, w, strides, padding, ldil, rdil, specs, fgroups, bgroups):
    """By its definition."""
    lhs, rhs, out = specs
    x, w = x.transpose(lhs), w.transpose(rhs)
    n = x.shape[0]
    o, ci = w.shape[:2]
    rank = x.ndim - 2
    for d in range(rank):
        size = (x.shape[2 + d] - 1) * ldil[d] + 1 if x.shape[2 + d] else 0
        shape = list(x.shape)
        shape[2 + d] = size
        wide = np.zeros(shape, x.dtype)
        at = [slice(None)] * x.ndim
        at[2 + d] = slice(None, None, ldil[d])
        wide[tuple(at)] = x
        lo, hi = padding[d]
        pads = [(0, 0)] * x.ndim
        pads[2 + d] = (max(lo, 0), max(hi, 0))
        x = np.pad(wide, pads)
        at[2 + d] = slice(max(-lo, 0), x.shape[2 + d] - max(-hi, 0))
        x = x[tuple(at)]
    sizes = [
        max((x.shape[2 + d] - (w.shape[2 + d] - 1) * rdil[d] - 1), -1)
        // strides[d]
        + 1
        for d in range(rank)
    ]
    y = np.zeros((n // bgroups, o, *sizes), x.dtype)
    for j in range(o):
        g = j * max(fgroups, bgroups) // o
        nb = n // bgroups
        batch = slice(g * nb, (g + 1) * nb) if bgroups > 1 else slice(None)
        features = slice(g * ci, (g + 1) * ci) if fgroups > 1 else slice(None)
        for k in itertools.product(*[range(s) for s in w.shape[2:]]):
            at = tuple(
                slice(
                    k[d] * rdil[d],
                    k[d] * rdil[d] + (sizes[d] - 1) * strides[d] + 1,
                    strides[d],
                )
                for d in range(rank)
            )
            part = x[(batch, features, *at)]
            y[:, j] += np.einsum("nc...,c->n...", part, w[(j, slice(None), *k)])
    return y.transpose(np.argsort(out))


def _conv(
    name,
    lhs,
    rhs,
    strides=(1, 1),
    padding=((0, 0), (0, 0)),
    ldil=(1, 1),
    rdil=(1, 1),
    numbers=None,
    fgroups=1,
    bgroups=1,
    **options,
):
    specs = lax.conv_dimension_numbers(lhs, rhs, numbers)
    arguments = (strides, padding, ldil, rdil)
    return Case(
        name=f"conv-{name}",
        call=lambda x, w: lax.conv_general_dilated(
            x,
            w,
            *arguments,
            numbers,
            feature_group_count=fgroups,
            batch_group_count=bgroups,
        ),
        args=(Arg(lhs), Arg(rhs)),
        reference=lambda x, w: convolution(
            x, w, *arguments, specs, fgroups, bgroups
        ),
        primitive="conv_general_dilated",
        dtypes=("float32", "float64"),
        scale=30.0,
        atol=100.0,
        sweep=False,
        grad_dtypes=("float64",),
        **options,
    )


_NHWC = ("NHWC", "HWIO", "NHWC")
_CONV = [
    _conv("plain", (2, 3, 5, 6), (4, 3, 3, 2)),
    _conv(
        "nhwc",
        (2, 5, 6, 3),
        (3, 2, 3, 4),
        (2, 1),
        ((1, 1), (0, 2)),
        numbers=_NHWC,
    ),
    _conv(
        "dilated",
        (1, 2, 4, 5),
        (2, 2, 2, 2),
        (1, 2),
        ((2, 1), (-1, 3)),
        (2, 1),
        (1, 2),
    ),
    _conv(
        "groups",
        (2, 4, 4, 4),
        (6, 2, 3, 3),
        padding=((1, 1), (1, 1)),
        fgroups=2,
    ),
    _conv(
        "depthwise",
        (2, 5, 5, 4),
        (3, 3, 1, 4),
        numbers=_NHWC,
        fgroups=4,
    ),
    _conv("batch-groups", (4, 3, 4, 4), (6, 3, 2, 2), (2, 2), bgroups=2),
    _conv(
        "1d-hnc",
        (6, 2, 3),
        (2, 4, 3),
        (2,),
        ((1, 2),),
        (1,),
        (2,),
        ("HNC", "HOI", "NHC"),
    ),
    _conv("0d", (2, 3), (4, 3), (), (), (), ()),
    _conv("empty", (2, 3, 2, 2), (4, 3, 3, 3), order=0),
]
_CONV.append(
    Case(
        name="conv-dtypes",
        call=lambda x, w: _core.conv(
            x,
            w,
            (1,),
            [(1, 0)],
            (1,),
            (1,),
            (0, 1, 2),
            (0, 1, 2),
            (0, 1, 2),
            1,
            1,
            "",
        ),
        args=(Arg((2, 3, 4)), Arg((2, 3, 2))),
        reference=lambda x, w: convolution(
            x, w, (1,), ((1, 0),), (1,), (1,), ((0, 1, 2),) * 3, 1, 1
        ),
        primitive="conv_general_dilated",
        dtypes=NUMERIC,
        scale=30.0,
        atol=100.0,
        grad_dtypes=("complex128",),
    )
)

# ---- windows


def windows(x, fill, window, strides, padding, base, dilation):
    """[positions..., prod(window)], and where each element comes from."""
    places = np.arange(x.size).reshape(x.shape)
    for d in range(x.ndim):
        size = (x.shape[d] - 1) * base[d] + 1
        shape = list(places.shape)
        shape[d] = size
        wide = np.full(shape, -1)
        at = [slice(None)] * x.ndim
        at[d] = slice(None, None, base[d])
        wide[tuple(at)] = places
        pads = [(0, 0)] * x.ndim
        pads[d] = padding[d]
        places = np.pad(wide, pads, constant_values=-1)
    sizes = [
        (places.shape[d] - (window[d] - 1) * dilation[d] - 1) // strides[d] + 1
        for d in range(x.ndim)
    ]
    parts = []
    for k in itertools.product(*[range(w) for w in window]):
        at = tuple(
            slice(
                k[d] * dilation[d],
                k[d] * dilation[d] + (sizes[d] - 1) * strides[d] + 1,
                strides[d],
            )
            for d in range(x.ndim)
        )
        parts.append(places[at])
    where = np.stack(parts, -1)
    flat = np.append(x.ravel(), np.asarray(fill, x.dtype))
    return flat[where], where


_WINDOW = ((2, 3), (1, 2), ((1, 0), (1, 1)), (1, 2), (2, 1))
_FILL = {"sum": 0, "max": -np.inf, "min": np.inf}


def _reduce(kind, name, arguments, shape, **options):
    f = getattr(np, kind)
    return Case(
        name=f"reduce_window_{kind}-{name}",
        call=lambda x: _core.reduce_window(x, kind, *arguments),
        args=(Arg(shape, distinct=kind != "sum"),),
        reference=lambda x: f(
            windows(x, _FILL[kind], *arguments)[0], -1
        ).astype(x.dtype),
        primitive=f"reduce_window_{kind}",
        sweep=False,
        scale=4.0,
        atol=40.0,
        **options,
    )


_REDUCE = [
    _reduce(
        "sum", "all", _WINDOW, (4, 5), dtypes=("float32", "float64", *COMPLEX)
    ),
    _reduce(
        "sum",
        "ints",
        ((2,), (1,), ((0, 1),), (1,), (1,)),
        (6,),
        dtypes=("int8", "int32", "uint64", "bfloat16", "float16"),
    ),
    _reduce("max", "all", _WINDOW, (4, 5), dtypes=("float32", "float64")),
    _reduce("min", "all", _WINDOW, (4, 5), dtypes=("float32", "float64")),
    _reduce(
        "max",
        "pool",
        ((1, 2, 2), (1, 2, 2), ((0, 0),) * 3, (1,) * 3, (1,) * 3),
        (2, 4, 6),
        dtypes=("float32", "float64", "bfloat16"),
    ),
]

_SELECT = ((2, 2), (1, 2), ((1, 0), (0, 0)))
_ONES = ((1, 1), (1, 1))


def _chosen(x, greatest):
    fill = -np.inf if greatest else np.inf
    values, where = windows(x, fill, *_SELECT, *_ONES)
    pick = (np.argmax if greatest else np.argmin)(values, -1)
    return np.take_along_axis(where, pick[..., None], -1)[..., 0]


def _scattered(source, x):
    y = np.zeros(x.size, x.dtype)
    np.add.at(y, _chosen(x, False), source)
    return y.reshape(x.shape)


_POOL = ((1, 2, 2, 1), (1, 1, 2, 1), ((0, 0), (1, 1), (0, 1), (0, 0)))


def _pooled(source, x):
    values, where = windows(x, -np.inf, *_POOL, (1,) * 4, (1,) * 4)
    pick = np.argmax(values, -1)[..., None]
    y = np.zeros(x.size, x.dtype)
    np.add.at(y, np.take_along_axis(where, pick, -1)[..., 0], source)
    return y.reshape(x.shape)


_SELECTION = [
    Case(
        name="select_and_scatter_add-pool",
        call=lambda s, x: _core.select_and_scatter_add(s, x, True, *_POOL),
        args=(Arg((2, 4, 2, 2)), Arg((2, 3, 4, 2), distinct=True)),
        reference=_pooled,
        primitive="select_and_scatter_add",
        dtypes=("float32", "float64", "bfloat16"),
        scale=4.0,
        sweep=False,
    ),
    Case(
        name="select_and_gather_add",
        call=lambda t, x: _core.select_and_gather_add(
            t, x, True, *_SELECT, *_ONES
        ),
        args=(Arg((3, 4)), Arg((3, 4), distinct=True)),
        reference=lambda t, x: t.ravel()[_chosen(x, True)],
        primitive="select_and_gather_add",
        dtypes=("float32", "float64", "bfloat16"),
        sweep=False,
    ),
    Case(
        name="select_and_scatter_add",
        call=lambda s, x: _core.select_and_scatter_add(s, x, False, *_SELECT),
        args=(Arg((3, 2)), Arg((3, 4), distinct=True)),
        reference=_scattered,
        primitive="select_and_scatter_add",
        dtypes=("float32", "float64", "float16"),
        scale=4.0,
        sweep=False,
    ),
]

CASES = _FFT + _CONV + _REDUCE + _SELECTION

_X = np.ones((1, 3, 4, 4), np.float32)
BAD = [
    Bad(
        "fft-lengths",
        lambda: lax.fft(np.ones(4, np.complex64), "FFT", (5,)),
        ValueError,
        "must be equal to fft_lengths",
    ),
    Bad(
        "fft-kind",
        lambda: lax.fft(np.ones(4), "FTF", (4,)),
        ValueError,
        "Unknown FFT type",
    ),
    Bad(
        "conv-features",
        lambda: lax.conv(_X, np.ones((2, 4, 1, 1), np.float32), (1, 1), "SAME"),
        ValueError,
        "feature_group_count times rhs input features",
    ),
    Bad(
        "conv-rank",
        lambda: lax.conv(_X, np.ones((2, 3, 1), np.float32), (1, 1), "SAME"),
        TypeError,
        "lhs and rhs ndim to be equal",
    ),
    Bad(
        "conv-strides",
        lambda: lax.conv(_X, np.ones((2, 3, 1, 1), np.float32), (1,), "VALID"),
        ValueError,
        "window and window_strides must have the same number of dimensions",
    ),
    Bad(
        "conv-groups",
        lambda: lax.conv_general_dilated(
            _X,
            np.ones((2, 1, 1, 1), np.float32),
            (1, 1),
            "VALID",
            feature_group_count=3,
        ),
        ValueError,
        "must be a multiple of feature_group_count",
    ),
    Bad(
        "reduce_window-rank",
        lambda: lax.reduce_window(_X, 0.0, lax.add, (2, 2)),
        ValueError,
        "window_dimensions of length 2",
    ),
]
