"""Views and creation: primitives that only move elements, with static
indices, and iota."""

from __future__ import annotations

import numpy as np

from tests.ops.case import ALL, NUMERIC, Arg, Bad, Case
from tests.ops.functions import lax

_TWO = ("float32", "float64")


def _view(name, primitive, call, shape, reference, dtypes=_TWO, **options):
    return Case(
        name=name,
        call=call,
        args=(Arg(shape),),
        reference=reference,
        primitive=primitive,
        dtypes=dtypes,
        exact=True,
        elementwise=True,
        sweep=False,
        **options,
    )


def _broadcast(name, shape, target, dims, dtypes=_TWO):
    def reference(x):
        full = [1] * len(target)
        for i, d in enumerate(dims):
            full[d] = x.shape[i]
        return np.broadcast_to(x.reshape(full), target)

    return _view(
        f"broadcast_in_dim-{name}",
        "broadcast_in_dim",
        lambda x: lax.broadcast_in_dim(x, target, dims),
        shape,
        reference,
        dtypes,
    )


def _slice(name, shape, start, limit, strides=None, dtypes=_TWO):
    def reference(x):
        steps = strides or (1,) * x.ndim
        return x[
            tuple(
                slice(a, b, s)
                for a, b, s in zip(start, limit, steps, strict=True)
            )
        ]

    return _view(
        f"slice-{name}",
        "slice",
        lambda x: lax.slice(x, start, limit, strides),
        shape,
        reference,
        dtypes,
    )


def _pad_reference(config):
    def reference(x, fill):
        for axis, (low, high, interior) in enumerate(config):
            n = x.shape[axis]
            length = n + max(n - 1, 0) * interior
            shape = list(x.shape)
            shape[axis] = length
            spread = np.full(shape, fill)
            at = [slice(None)] * x.ndim
            at[axis] = slice(0, length, interior + 1)
            spread[tuple(at)] = x
            shape[axis] = max(low, 0) + length + max(high, 0)
            wide = np.full(shape, fill)
            at[axis] = slice(max(low, 0), max(low, 0) + length)
            wide[tuple(at)] = spread
            at[axis] = slice(max(-low, 0), shape[axis] - max(-high, 0))
            x = wide[tuple(at)]
        return x.astype(fill.dtype)

    return reference


def _pad(name, shape, config, dtypes=_TWO):
    return Case(
        name=f"pad-{name}",
        call=lambda x, fill: lax.pad(x, fill, config),
        args=(Arg(shape), Arg((), 3, 4)),
        reference=_pad_reference(config),
        primitive="pad",
        dtypes=dtypes,
        exact=True,
        elementwise=True,
        sweep=False,
    )


def _concatenate(name, shapes, axis, dtypes=_TWO):
    return Case(
        name=f"concatenate-{name}",
        call=lambda *xs: lax.concatenate(xs, axis),
        args=tuple(Arg(s) for s in shapes),
        reference=lambda *xs: np.concatenate(xs, axis),
        primitive="concatenate",
        dtypes=dtypes,
        exact=True,
        elementwise=True,
        sweep=False,
    )


def _iota(shape, dim):
    return Case(
        name=f"iota-{len(shape)}-{dim}",
        # An operand to map over and to give the dtype; it adds nothing.
        call=lambda x: lax.broadcasted_iota(x.dtype, shape, dim),
        args=(Arg(()),),
        reference=lambda x: np.broadcast_to(
            np.arange(shape[dim]).reshape(
                [-1 if i == dim else 1 for i in range(len(shape))]
            ),
            shape,
        ),
        primitive="iota",
        dtypes=NUMERIC,
        exact=True,
        elementwise=True,
        order=0,
    )


CASES = [
    _broadcast("new-axes", (3,), (2, 3, 4), (1,), ALL),
    _broadcast("stretch", (2, 1, 3), (2, 4, 3), (0, 1, 2)),
    _broadcast("scalar", (), (2, 3), ()),
    _broadcast("stretch-and-new", (1, 3), (2, 5, 3), (0, 2)),
    _broadcast("empty", (1,), (0,), (0,)),
    _broadcast("hollow", (3,), (0, 3), (1,)),
    _view(
        "reshape-split",
        "reshape",
        lambda x: lax.reshape(x, (2, 3, 2)),
        (3, 4),
        lambda x: x.reshape(2, 3, 2),
        ALL,
    ),
    _view(
        "reshape-flat",
        "reshape",
        lambda x: lax.reshape(x, (12,)),
        (3, 4),
        lambda x: x.reshape(-1),
    ),
    _view(
        "reshape-empty",
        "reshape",
        lambda x: lax.reshape(x, (0,)),
        (3, 0),
        lambda x: x.reshape(0),
    ),
    _view(
        "reshape-scalar",
        "reshape",
        lambda x: lax.reshape(x, (1, 1)),
        (),
        lambda x: x.reshape(1, 1),
    ),
    _view(
        "squeeze",
        "squeeze",
        lambda x: lax.squeeze(x, (0, 2)),
        (1, 3, 1, 2),
        lambda x: np.squeeze(x, (0, 2)),
        ALL,
    ),
    _view(
        "expand_dims",
        "broadcast_in_dim",
        lambda x: lax.expand_dims(x, (0, 2)),
        (3, 2),
        lambda x: np.expand_dims(x, (0, 2)),
    ),
    _view(
        "transpose-3d",
        "transpose",
        lambda x: lax.transpose(x, (2, 0, 1)),
        (2, 3, 4),
        lambda x: x.transpose(2, 0, 1),
        ALL,
    ),
    _view(
        "transpose-2d",
        "transpose",
        lambda x: lax.transpose(x, (1, 0)),
        (17, 9),
        lambda x: x.T,
    ),
    _view(
        "transpose-empty",
        "transpose",
        lambda x: lax.transpose(x, (1, 0)),
        (0, 3),
        lambda x: x.T,
    ),
    _view(
        "rev-one",
        "rev",
        lambda x: lax.rev(x, (1,)),
        (3, 4),
        lambda x: x[:, ::-1],
        ALL,
    ),
    _view(
        "rev-both",
        "rev",
        lambda x: lax.rev(x, (0, 1)),
        (3, 4),
        lambda x: x[::-1, ::-1],
    ),
    _view("rev-empty", "rev", lambda x: lax.rev(x, (0,)), (0, 2), lambda x: x),
    _slice("plain", (5, 6), (1, 2), (4, 6), None, ALL),
    _slice("strided", (7, 6), (0, 1), (7, 6), (2, 3)),
    _slice("nothing", (4,), (2,), (2,)),
    _slice("one", (4, 1), (3, 0), (4, 1), (5, 1)),
    _pad("low-high", (3, 2), ((1, 2, 0), (0, 1, 0)), ALL),
    _pad("interior", (3, 2), ((0, 0, 2), (1, 0, 1))),
    _pad("negative", (4, 5), ((-1, 2, 0), (1, -2, 0))),
    _pad("negative-interior", (3, 3), ((-1, -2, 1), (2, -3, 2))),
    _pad("empty-operand", (0, 2), ((2, 1, 0), (0, 0, 0))),
    _pad("crop-all", (2,), ((-1, -1, 0),)),
    _concatenate("rows", ((2, 3), (1, 3), (3, 3)), 0, ALL),
    _concatenate("columns", ((2, 1), (2, 3)), 1),
    _concatenate("single", ((2, 3),), 0),
    _concatenate("with-empty", ((2, 0), (2, 3), (2, 0)), 1),
    _iota((5,), 0),
    _iota((2, 3, 4), 1),
    _iota((0, 3), 1),
]
# One operand is not concatenated at all.
CASES = [c for c in CASES if c.name != "concatenate-single"]


def _zeros(*shape, dtype="f4"):
    return np.zeros(shape, dtype)


BAD = [
    Bad(
        "broadcast-size",
        lambda: lax.broadcast_in_dim(_zeros(3), (2, 4), (1,)),
        TypeError,
        r"dimension sizes must either be 1, or be equal to .*; got operand "
        r"f32\[3\], shape \(2, 4\) and broadcast_dimensions \(1,\)",
    ),
    Bad(
        "broadcast-dims",
        lambda: lax.broadcast_in_dim(_zeros(3), (2, 3), ()),
        TypeError,
        r"broadcast_dimensions must have length equal to operand ndim",
    ),
    Bad(
        "broadcast-twice",
        lambda: lax.broadcast_in_dim(_zeros(3, 3), (3, 3), (1, 1)),
        TypeError,
        r"broadcast_dimensions must not contain duplicates",
    ),
    Bad(
        "broadcast-rank",
        lambda: lax.broadcast_in_dim(_zeros(3, 3), (3,), (0, 1)),
        TypeError,
        r"target broadcast shape must have equal or higher rank",
    ),
    Bad(
        "broadcast-beyond",
        lambda: lax.broadcast_in_dim(_zeros(3), (3, 3), (2,)),
        TypeError,
        r"broadcast_dimensions must be a subset of output dimensions",
    ),
    Bad(
        "broadcast-negative",
        lambda: lax.broadcast_in_dim(_zeros(), (-1,), ()),
        TypeError,
        r"non-negative",
    ),
    Bad(
        "reshape-size",
        lambda: lax.reshape(_zeros(2, 3), (4,)),
        TypeError,
        r"cannot reshape array of shape \(2, 3\) \(size 6\) into shape \(4,\)",
    ),
    Bad(
        "squeeze-size",
        lambda: lax.squeeze(_zeros(2, 3), (0,)),
        ValueError,
        r"cannot select an axis to squeeze out which has size not equal to one",
    ),
    Bad(
        "transpose-permutation",
        lambda: lax.transpose(_zeros(2, 3), (0, 0)),
        TypeError,
        r"transpose permutation isn't a permutation of operand dimensions",
    ),
    Bad(
        "rev-axis",
        lambda: lax.rev(_zeros(2, 3), (2,)),
        TypeError,
        r"rev dimensions must all be less than operand ndim, got",
    ),
    Bad(
        "slice-rank",
        lambda: lax.slice(_zeros(2, 3), (0,), (1,)),
        TypeError,
        r"\[slice\] needs one start, limit and stride per dimension",
    ),
    Bad(
        "slice-limit",
        lambda: lax.slice(_zeros(3), (0,), (4,)),
        TypeError,
        r"\[slice\] .* do not fit f32\[3\]",
    ),
    Bad(
        "pad-config",
        lambda: lax.pad(_zeros(3), np.float32(0), ()),
        ValueError,
        r"\[pad\] length of padding_config must equal",
    ),
    Bad(
        "pad-crop",
        lambda: lax.pad(_zeros(2), np.float32(0), ((-2, -1, 0),)),
        ValueError,
        r"\[pad\] Dimension size after padding is not at least 0",
    ),
    Bad(
        "pad-dtype",
        lambda: lax.pad(_zeros(2), np.int32(0), ((1, 1, 0),)),
        TypeError,
        r"\[pad\] pad operand and padding_value must be same dtype",
    ),
    Bad(
        "concatenate-none",
        lambda: lax.concatenate([], 0),
        (TypeError, ValueError),
        r"concatenate",
    ),
    Bad(
        "concatenate-shapes",
        lambda: lax.concatenate([_zeros(2, 3), _zeros(2, 4)], 0),
        TypeError,
        r"\[concatenate\] Cannot concatenate arrays with shapes that differ",
    ),
    Bad(
        "concatenate-dtypes",
        lambda: lax.concatenate([_zeros(2), _zeros(2, dtype="i4")], 0),
        TypeError,
        r"\[concatenate\].*same dtypes, got float32, int32",
    ),
    Bad(
        "concatenate-axis",
        lambda: lax.concatenate([_zeros(2), _zeros(2)], 1),
        TypeError,
        r"\[concatenate\] concatenate dimension out of bounds",
    ),
    Bad(
        "iota-dimension",
        lambda: lax.broadcasted_iota("int32", (2, 3), 2),
        ValueError,
        r"iota dimension must be between 0 and rank, got 2",
    ),
    Bad(
        "iota-bool",
        lambda: lax.broadcasted_iota("bool", (3,), 0),
        TypeError,
        r"iota does not accept dtype bool",
    ),
]
