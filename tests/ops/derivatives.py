"""Checks of derivatives: against finite differences, and reverse mode against
forward mode. Everything runs in float64 or complex128.
"""

from __future__ import annotations

import zlib

import numpy as np

import cotan
from cotan import _core, _dispatch
from tests.ops.case import Case, arrays, kind, outputs

# A fourth-order difference quotient: error h^4 f'''''/30 + rounding/h.
STEP = 1e-3
TOLERANCE = 2e-7


def dtypes_of(case: Case):
    """In which dtypes the derivatives of a case are checked."""
    if case.order == 0 or case.diff == ():
        return []
    if not _core.primitives().get(case.primitive, True):
        return []
    return [t for t in case.grad_dtypes if t in case.dtypes]


def closed(case: Case, dtype):
    """(function of the differentiable operands, their values); its outputs
    are a list of the inexact ones."""
    xs = arrays(case.make(dtype))
    where = [
        i
        for i, x in enumerate(xs)
        if kind(x.dtype) in "fc" and (case.diff is None or i in case.diff)
    ]
    return closed_over(case, xs, where), [xs[i] for i in where]


def closed_over(case, xs, where):
    def f(*ds):
        full = list(xs)
        for i, d in zip(where, ds, strict=True):
            full[i] = d
        out = outputs(case.call(*full))
        return [y for y in out if kind(y.dtype) in "fc"]

    return f


def random_like(xs, what):
    rng = np.random.default_rng(zlib.crc32(what.encode()))

    def one(x):
        t = rng.uniform(-1, 1, x.shape)
        if kind(x.dtype) == "c":
            t = t + 1j * rng.uniform(-1, 1, x.shape)
        return _dispatch.to_array(np.asarray(t).astype(x.dtype))

    return [one(x) for x in xs]


def _moved(xs, ts, h):
    return [
        _dispatch.to_array((np.asarray(x) + h * np.asarray(t)).astype(x.dtype))
        for x, t in zip(xs, ts, strict=True)
    ]


def difference(f, xs, ts):
    """The derivative of f along ts, by differences."""
    h = STEP

    def at(k):
        return [np.asarray(y) for y in f(*_moved(xs, ts, k * h))]

    near = zip(at(1), at(-1), strict=True)
    far = zip(at(2), at(-2), strict=True)
    return [
        (8 * (a - b) - (c - d)) / (12 * h)
        for (a, b), (c, d) in zip(near, far, strict=True)
    ]


def _agree(got, want, what, tolerance=TOLERANCE):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, what
    scale = max(1.0, float(np.abs(want).max(initial=0)))
    error = float(np.abs(got - want).max(initial=0))
    assert error <= tolerance * scale, f"{what}: {got} not {want}"


def _pairing(xs, ys):
    """Re sum x y: JAX's transposes are linear, not conjugate."""
    total = 0.0
    for x, y in zip(xs, ys, strict=True):
        total += float(np.real(np.sum(np.asarray(x) * np.asarray(y))))
    return total


def check(f, xs, what, tolerance=TOLERANCE):
    """First derivatives of f at xs."""
    ts = random_like(xs, what)
    out, t_out = cotan.jvp(f, xs, ts)
    for y, y2 in zip(out, f(*xs), strict=True):
        np.testing.assert_array_equal(np.asarray(y), np.asarray(y2), what)
    for t, y, w in zip(t_out, out, difference(f, xs, ts), strict=True):
        assert (t.dtype, t.shape) == (y.dtype, y.shape), what
        _agree(t, w, f"{what} jvp", tolerance)
    check_transpose(f, xs, ts, out, t_out, what)
    # One operand at a time: the others have no tangent at all.
    if len(xs) > 1:
        for i, x in enumerate(xs):

            def g(v, i=i):
                return f(*xs[:i], v, *xs[i + 1 :])

            _, t_i = cotan.jvp(g, [x], [ts[i]])
            ts_i = [
                t if k == i else _dispatch.to_array(np.zeros(t.shape, t.dtype))
                for k, t in enumerate(ts)
            ]
            _, t_all = cotan.jvp(f, xs, ts_i)
            for a, b in zip(t_i, t_all, strict=True):
                _agree(a, b, f"{what} jvp of operand {i}", 1e-12)
            check_transpose(g, [x], [ts[i]], out, t_i, f"{what} operand {i}")


def check_transpose(f, xs, ts, out, t_out, what):
    cts = random_like(out, what + "ct")
    _, pull = cotan.vjp(f, *xs)
    grads = pull(cts)
    assert len(grads) == len(xs)
    for g, x in zip(grads, xs, strict=True):
        assert (g.shape, g.dtype) == (x.shape, x.dtype), what
    a, b = _pairing(t_out, cts), _pairing(ts, grads)
    # Sums of products of numbers up to the size of these.
    size = sum(float(np.abs(np.asarray(t)).sum()) for t in t_out)
    assert abs(a - b) <= 1e-11 * max(1.0, size), f"{what} vjp: {a} not {b}"


def check_second(f, xs, what):
    """First derivatives of jvp and vjp, in both modes."""
    ts = random_like(xs, what + "fixed")

    def forward(*ps):
        return cotan.jvp(f, ps, ts)[1]

    check(forward, xs, f"{what} jvp of", 1e-6)
    cts = random_like(f(*xs), what + "fixed")

    def reverse(*ps):
        return list(cotan.vjp(f, *ps)[1](cts))

    check(reverse, xs, f"{what} vjp of", 1e-6)


def check_compiled(f, xs, what):
    """jit outside and inside of jvp and vjp."""
    ts = random_like(xs, what)
    cts = random_like(f(*xs), what)

    def jvp_of(f):
        return lambda xs, ts: [y for ys in cotan.jvp(f, xs, ts) for y in ys]

    def vjp_of(f):
        return lambda xs, cts: list(cotan.vjp(f, *xs)[1](cts))

    for name, derivative, seeds in (("jvp", jvp_of, ts), ("vjp", vjp_of, cts)):
        want = derivative(f)(xs, seeds)
        for way, g in (
            (f"jit({name})", cotan.jit(derivative(f))),
            (f"{name}(jit)", derivative(cotan.jit(f))),
        ):
            for a, b in zip(g(xs, seeds), want, strict=True):
                _agree(a, b, f"{what} {way}", 1e-13)


def check_mapped(case, dtype):
    """vmap of jvp and of vjp against a loop."""
    f, _ = closed(case, dtype)
    rows = [
        [
            x
            for i, x in enumerate(arrays(case.make(dtype, what=str(k))))
            if kind(x.dtype) in "fc" and (case.diff is None or i in case.diff)
        ]
        for k in range(2)
    ]

    def forward(xs, ts):
        return cotan.jvp(f, xs, ts)[1]

    def reverse(xs, cts):
        return list(cotan.vjp(f, *xs)[1](cts))

    for name, g, others in (
        ("jvp", forward, rows),
        ("vjp", reverse, [f(*r) for r in rows]),
    ):
        seeds = [
            random_like(o, f"{case.name}{k}") for k, o in enumerate(others)
        ]
        want = [g(r, s) for r, s in zip(rows, seeds, strict=True)]
        got = cotan.vmap(g)(_stack(rows), _stack(seeds))
        for k, y in enumerate(got):
            w = np.stack([np.asarray(row[k]) for row in want])
            _agree(y, w, f"{case.name} vmap({name})", 1e-12)


def _stack(rows):
    return [
        _dispatch.to_array(np.stack([np.asarray(x) for x in column]))
        for column in zip(*rows, strict=True)
    ]
