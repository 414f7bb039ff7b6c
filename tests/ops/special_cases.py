"""sort, threefry2x32, and the primitives that hold functions: nested jit and
the custom rules."""

from __future__ import annotations

import numpy as np

import cotan
from cotan import _core
from tests.ops.case import ALL, Arg, Bad, Case, kind
from tests.ops.functions import lax, numpy

_F = ("float32", "float64")


# ---- sort


def _keys(x):
    """Keys that order like sort: nan last, -0 equal to 0, complex numbers by
    real, then imaginary part."""
    return (x.imag, x.real) if kind(x.dtype) == "c" else (x,)


def _sort(axis, num_keys=1):
    def reference(*xs):
        keys = []
        for x in reversed(xs[:num_keys]):
            # +0: the two zeros are one key.
            keys += [np.moveaxis(k + 0, axis, -1) for k in _keys(x)]
        order = np.lexsort(keys, axis=-1)
        out = [
            np.moveaxis(
                np.take_along_axis(np.moveaxis(x, axis, -1), order, -1),
                -1,
                axis,
            )
            for x in xs
        ]
        return out

    return reference


def _sort_case(name, args, axis, dtypes=_F, num_keys=1, **options):
    def call(*xs):
        y = lax.sort(xs, dimension=axis, num_keys=num_keys)
        return y if len(xs) > 1 else y[0]

    options.setdefault("result", lambda t: [t] * len(args))
    return Case(
        name=f"sort-{name}",
        call=call,
        args=args,
        reference=_sort(axis, num_keys),
        primitive="sort",
        dtypes=dtypes,
        exact=True,
        sweep=False,
        **options,
    )


_SORT = [
    _sort_case("last", (Arg((3, 6), distinct=True),), 1, ALL),
    _sort_case("first", (Arg((6, 3), distinct=True),), 0),
    _sort_case(
        "special",
        (Arg((6,), values=(np.nan, 1, -np.inf, np.inf, np.nan, -1)),),
        0,
        ("float16", "bfloat16", "float32", "float64"),
        grad_dtypes=(),
    ),
    _sort_case(
        "pairs",
        (Arg((2, 5), distinct=True), Arg((2, 5), dtype="int32")),
        1,
        result=lambda t: [t, "int32"],
    ),
    _sort_case(
        "two-keys",
        (
            Arg((6,), values=(2, 1, 2, 1, 2, 1)),
            Arg((6,), values=(5, 3, 4, 1, 6, 2)),
            Arg((6,)),
        ),
        0,
        num_keys=2,
        grad_dtypes=(),
    ),
    _sort_case(
        "stable",
        (Arg((8,), values=(1, 0, 1, 0, 1, 0, 0, 1)), Arg((8,))),
        0,
        diff=(1,),
    ),
    _sort_case("one", (Arg((3, 1)),), 1),
    _sort_case("empty", (Arg((0, 2)),), 0),
    _sort_case(
        "long", (Arg((2, 300), distinct=True),), 1, ("float32",), order=0
    ),
]

# ---- top_k


def _top_k(k, axis):
    def reference(x):
        y = np.moveaxis(x, axis, -1)[..., ::-1]
        order = np.argsort(y, axis=-1, kind="stable")[..., ::-1][..., :k]
        values = np.take_along_axis(y, order, -1)
        index = (y.shape[-1] - 1 - order).astype("int32")
        return [np.moveaxis(v, -1, axis) for v in (values, index)]

    return reference


def _top_k_case(name, args, k, axis, dtypes=_F, **options):
    return Case(
        name=f"top_k-{name}",
        call=lambda x: lax.top_k(x, k, axis=axis),
        args=args,
        reference=_top_k(k, axis),
        primitive="top_k",
        dtypes=dtypes,
        result=lambda t: [t, "int32"],
        exact=True,
        sweep=False,
        **options,
    )


_REAL = tuple(t for t in ALL if kind(t) != "c")
_TOP_K = [
    _top_k_case("last", (Arg((3, 6), distinct=True),), 2, 1, _REAL),
    _top_k_case("first", (Arg((6, 3), distinct=True),), 6, 0),
    _top_k_case(
        "ties",
        (Arg((8,), values=(1, 3, 1, 3, 1, 0, 3, 1)),),
        5,
        0,
        grad_dtypes=(),
    ),
    _top_k_case(
        "special",
        (Arg((6,), values=(np.nan, 1, -np.inf, np.inf, np.nan, -1)),),
        4,
        0,
        ("float16", "bfloat16", "float32", "float64"),
        grad_dtypes=(),
    ),
    # A few of many: not by sorting.
    _top_k_case(
        "few", (Arg((2, 300), distinct=True),), 3, 1, ("float32",), order=1
    ),
    _top_k_case(
        "few-ties",
        (Arg((2, 300), values=(5, 1, 5, 3) * 150),),
        7,
        1,
        _REAL,
        grad_dtypes=(),
    ),
    _top_k_case("few-strided", (Arg((100, 3), distinct=True),), 2, 0, order=1),
    _top_k_case("none", (Arg((3, 4)),), 0, 1, grad_dtypes=()),
]

# ---- threefry


def _threefry(k0, k1, c0, c1):
    """Salmon et al. 2011, in uint64 arithmetic."""
    mask = 0xFFFFFFFF
    k0, k1, a, b = (np.asarray(v).astype("u8") for v in (k0, k1, c0, c1))
    keys = [k0, k1, k0 ^ k1 ^ 0x1BD11BDA]
    a, b = (a + k0) & mask, (b + k1) & mask
    rotations = ((13, 15, 26, 6), (17, 29, 16, 24))
    for group in range(5):
        for r in rotations[group % 2]:
            a = (a + b) & mask
            b = a ^ ((b << r | b >> (32 - r)) & mask)
        a = (a + keys[(group + 1) % 3]) & mask
        b = (b + keys[(group + 2) % 3] + group + 1) & mask
    return a, b


def _threefry_call(*words):
    # cotan.random is the public way to it; this is the primitive itself.
    return _core.threefry2x32(*words)


_WORDS = Arg((2, 3), 0, 2**32 - 1)
_KEY = Arg((), 0, 2**32 - 1)
_THREEFRY = [
    Case(
        name=f"threefry2x32-{name}",
        call=_threefry_call,
        args=args,
        reference=_threefry,
        primitive="threefry2x32",
        dtypes=("uint32",),
        result=lambda t: [t, t],
        exact=True,
        elementwise=True,
        sweep=name == "words",
    )
    for name, args in (
        ("words", (_WORDS,) * 4),
        ("scalar-key", (_KEY, _KEY, _WORDS, _WORDS)),
        ("scalars", (_KEY,) * 4),
        ("empty", (_KEY, _KEY, Arg((0,)), Arg((0,)))),
    )
]

# ---- philox and rng_bit_generator


_MASK, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def _philox2(k, a, b):
    """Salmon et al. 2011, in uint64 arithmetic."""
    k, a, b = (np.asarray(v).astype("u8") for v in (k, a, b))
    for _ in range(10):
        p = np.uint64(0xD256D193) * a
        a, b = (p >> _HALF) ^ b ^ k, p & _MASK
        k = (k + np.uint64(0x9E3779B9)) & _MASK
    return a, b


def _philox4(k0, k1, *c):
    """Salmon et al. 2011, in uint64 arithmetic."""
    k0, k1, *c = (np.asarray(v).astype("u8") for v in (k0, k1, *c))
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> _HALF) ^ c[1] ^ k0, b & _MASK, (a >> _HALF) ^ c[3] ^ k1]
        c.append(a & _MASK)
        k0 = (k0 + np.uint64(0x9E3779B9)) & _MASK
        k1 = (k1 + np.uint64(0xBB67AE85)) & _MASK
    return tuple(c)


def _threefry4(*words):
    """Salmon et al. 2011, in uint64 arithmetic."""
    words = [np.asarray(v).astype("u8") for v in words]
    keys, x = words[:4], words[4:]
    keys.append(keys[0] ^ keys[1] ^ keys[2] ^ keys[3] ^ np.uint64(0x1BD11BDA))
    x = [(a + k) & _MASK for a, k in zip(x, keys, strict=False)]
    table = (10, 26, 11, 21, 13, 27, 23, 5, 6, 20, 17, 11, 25, 10, 18, 20)
    for r in range(20):
        pairs = ((0, 1), (2, 3)) if r % 2 == 0 else ((0, 3), (2, 1))
        for j, (i, k) in enumerate(pairs):
            by = np.uint64(table[2 * (r % 8) + j])
            x[i] = (x[i] + x[k]) & _MASK
            x[k] = x[i] ^ ((x[k] << by | x[k] >> (_HALF - by)) & _MASK)
        if r % 4 == 3:
            g = r // 4 + 1
            x = [(a + keys[(g + i) % 5]) & _MASK for i, a in enumerate(x)]
            x[3] = (x[3] + np.uint64(g)) & _MASK
    return tuple(x)


def _rng(key):
    """Five elements: the words of two blocks in turn."""
    k, counter = key.view("u8")
    blocks = counter + np.arange(2, dtype="u8")
    carry = (blocks < counter).astype("u8")
    low, high = blocks, k + carry
    c = _philox4(
        *(k & _MASK, k >> _HALF),
        *(low & _MASK, low >> _HALF, high & _MASK, high >> _HALF),
    )
    words = np.stack(c, 1).ravel().astype("u4")
    state = np.array([k, counter + np.uint64(2)], "u8").view("u4")
    return state, words[:5]


_COUNTERS = [
    Case(
        name=name,
        call=getattr(lax, name + "_p").bind,
        args=(_WORDS,) * n,
        reference=reference,
        primitive=name,
        dtypes=("uint32",),
        result=lambda t, n=outs: [t] * n,
        exact=True,
        elementwise=True,
    )
    for name, reference, n, outs in (
        ("philox2x32", _philox2, 3, 2),
        ("philox4x32", _philox4, 6, 4),
        ("threefry4x32", _threefry4, 8, 4),
    )
]
_PHILOX = [
    *_COUNTERS,
    # Under vmap the first key makes all bits, as in JAX: not as a loop.
    Case(
        name="rng-bit-generator",
        call=lambda key: lax.rng_bit_generator(key, (5,)),
        args=(Arg((4,), 0, 2**32 - 1),),
        reference=_rng,
        primitive="rng_bit_generator",
        dtypes=("uint32",),
        result=lambda t: [t, t],
        exact=True,
        sweep=False,
        vmap=False,
    ),
]

# ---- functions in primitives


@cotan.jit
def _inner(x, y):
    return numpy.sin(x) * y, x + y


@cotan.custom_jvp
def _with_jvp(x, y):
    return numpy.sin(x) * y


@_with_jvp.defjvp
def _with_jvp_rule(primals, tangents):
    (x, y), (tx, ty) = primals, tangents
    return _with_jvp(x, y), numpy.cos(x) * y * tx + numpy.sin(x) * ty


@cotan.custom_vjp
def _with_vjp(x, y):
    return numpy.sin(x) * y


_with_vjp.defvjp(
    lambda x, y: (_with_vjp(x, y), (x, y)),
    lambda res, g: (
        numpy.cos(res[0]) * res[1] * g,
        numpy.sin(res[0]) * g,
    ),
)


_ARGS = (Arg((3, 2)), Arg((3, 2)))
_FUNCTIONS = [
    Case(
        name="jit",
        call=_inner,
        args=_ARGS,
        reference=lambda x, y: (np.sin(x) * y, x + y),
        primitive="jit",
        dtypes=("float32", "float64", "complex64", "complex128"),
        result=lambda t: [t, t],
        sweep=False,
        atol=4.0,
    ),
    Case(
        name="custom_jvp",
        call=_with_jvp,
        args=_ARGS,
        reference=lambda x, y: np.sin(x) * y,
        primitive="custom_jvp_call",
        dtypes=_F,
        sweep=False,
        atol=4.0,
    ),
    Case(
        name="custom_vjp",
        call=_with_vjp,
        args=_ARGS,
        reference=lambda x, y: np.sin(x) * y,
        primitive="custom_vjp_call",
        dtypes=_F,
        sweep=False,
        atol=4.0,
        # Forward mode is refused: tests/transforms/test_custom.py.
        grad_dtypes=(),
    ),
    Case(
        name="sum-of-cotangents",
        call=lambda x: cotan.vjp(lambda v: numpy.sin(v) * v, x)[1](x)[0],
        args=(Arg((3,)),),
        reference=lambda x: x * np.sin(x) + x * x * np.cos(x),
        primitive="add_any",
        dtypes=_F,
        sweep=False,
        scale=4.0,
        atol=16.0,
    ),
    Case(
        name="copy",
        call=_core.copy,
        args=(Arg((3,)),),
        reference=lambda x: x,
        primitive="copy",
        dtypes=ALL,
        exact=True,
        elementwise=True,
        sweep=False,
    ),
]

CASES = [*_SORT, *_TOP_K, *_THREEFRY, *_PHILOX, *_FUNCTIONS]
# Primitives that the matrix cannot hold, and the tests of them.
INTERNAL = {
    "custom_lin": "tests/transforms/test_custom.py",
    # It refuses to be differentiated.
    "composite": "tests/transforms/test_composites.py",
    # They want a named axis around them.
    **dict.fromkeys(
        (
            "all_gather",
            "all_to_all",
            "axis_index",
            "pbroadcast",
            "pmax",
            "pmin",
            "ppermute",
            "psum",
            "reduce_scatter",
        ),
        "tests/transforms/test_named_axes.py",
    ),
}


def _zeros(*shape, dtype="f4"):
    return np.zeros(shape, dtype)


BAD = [
    Bad(
        "sort-axis",
        lambda: lax.sort(_zeros(2, 3), dimension=2),
        ValueError,
        r"axis 2 is out of bounds for array of dimension 2",
    ),
    Bad(
        "sort-shapes",
        lambda: lax.sort((_zeros(2), _zeros(3)), dimension=0),
        (TypeError, ValueError),
        r"Arguments to sort must have equal shapes",
    ),
    Bad(
        "sort-keys",
        lambda: lax.sort((_zeros(2), _zeros(2)), dimension=0, num_keys=3),
        ValueError,
        r"num_keys=3 must be between 1 and",
    ),
    Bad(
        "threefry-dtype",
        lambda: _threefry_call(*[_zeros(2, dtype="i4")] * 4),
        TypeError,
        r"\[threefry2x32\].*must have uint32 type",
    ),
]
