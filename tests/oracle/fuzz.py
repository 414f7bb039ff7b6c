"""Random programs under nested transformations: cotan evaluated, cotan
compiled and JAX agree.

    python -m tests.oracle.fuzz --count 1000 --seed 0    # seeds 0 to 999
    python -m tests.oracle.fuzz --seed 17 --show         # one, as text

A program is made from its seed alone: 10 to 60 operations on typed values, of
which some are transformations (jit, grad, jvp, vmap, scan, fori_loop, cond,
checkpoint) of blocks of operations that also see the values around them. It
runs with either library's modules. All in 64 bits, so that a difference is a
mistake and not rounding; see `differences`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

F, I, B = "float64", "int64", "bool"
MAX_DEPTH = 3


@dataclasses.dataclass(frozen=True)
class Type:
    dtype: str
    shape: tuple[int, ...]


@dataclasses.dataclass
class Step:
    """One value: run(m, env) computes it from those before."""

    text: str
    type: Type
    run: Callable[[Any, list], Any]


class Block:
    """A function of arguments that also sees the values around it. A value's
    number is its place among all that are visible."""

    def __init__(self, rng, outer: list[Type], args: list[Type], depth, size):
        self.rng, self.depth = rng, depth
        self.types = [*outer, *args]
        self.num_outer, self.num_args = len(outer), len(args)
        self.steps: list[Step] = []
        self.budget = size
        while self.budget > 0:
            self.budget -= 1
            self.grow()

    # ---- choosing operands

    def pick(self, dtype=F, test=lambda t: True):
        """The number of a value, later ones more often; None: there is none."""
        fits = [
            i for i, t in enumerate(self.types) if t.dtype == dtype and test(t)
        ]
        if not fits:
            return None
        n = len(fits)
        return fits[min(n - 1, int(n * np.sqrt(self.rng.random())))]

    def add(self, text, type_, run):
        self.steps.append(Step(text, type_, run))
        self.types.append(type_)
        return len(self.types) - 1

    def choice(self, items):
        return items[int(self.rng.integers(len(items)))]

    def grow(self):
        nested = self.depth < MAX_DEPTH and self.rng.random() < 0.18
        kinds = TRANSFORMS if nested else OPERATIONS
        self.choice(kinds)(self)

    def sub(self, args, size=None):
        n = int(size or self.rng.integers(2, 6))
        self.budget -= n // 2
        return Block(self.rng, self.types, args, self.depth + 1, n)

    # ---- running

    def run(self, m, env, *args):
        values = [*env, *args]
        for step in self.steps:
            values.append(step.run(m, values))
        return values

    def result(self, want: Type):
        """A function of the values that ends in `want`: the last float that
        can be reduced to it."""
        i = self.pick()
        j = self.pick(F, lambda t: t.shape == want.shape)

        def finish(m, values):
            x = m.jnp.mean(values[i])
            y = m.jnp.tanh(x)
            if j is not None:
                y = y + m.jnp.sin(values[j]) * 0.5
            return m.jnp.broadcast_to(y, want.shape)

        return finish

    def text(self, indent=""):
        n = self.num_outer
        args = ", ".join(f"v{n + k}" for k in range(self.num_args))
        lines = [f"{indent}({args}):"]
        first = n + self.num_args
        for k, s in enumerate(self.steps):
            body = s.text.replace("\n", "\n" + indent + "  ")
            dims = ",".join(map(str, s.type.shape))
            lines.append(
                f"{indent}  v{first + k}: {s.type.dtype}[{dims}] = {body}"
            )
        return "\n".join(lines)


# ---- operations

_UNARY = {
    "sin": lambda m, x: m.jnp.sin(x),
    "tanh": lambda m, x: m.jnp.tanh(x),
    "exp(-x^2)": lambda m, x: m.jnp.exp(-x * x),
    "log1p(x^2)": lambda m, x: m.jnp.log1p(x * x),
    "sqrt(1+x^2)": lambda m, x: m.jnp.sqrt(1 + x * x),
    "abs": lambda m, x: m.jnp.abs(x),
    "relu": lambda m, x: m.jnp.maximum(x, 0.0),
    "sigmoid": lambda m, x: m.jax.nn.sigmoid(x),
    "neg": lambda m, x: -x,
    "x/2+1": lambda m, x: x * 0.5 + 1,
    "clip": lambda m, x: m.jnp.clip(x, -0.7, 0.9),
    "erf": lambda m, x: m.lax.erf(x),
    "x**3": lambda m, x: m.jnp.tanh(x) ** 3,
    "stop": lambda m, x: m.lax.stop_gradient(x) + x,
    "softmax": lambda m, x: m.jax.nn.softmax(x),
    "logsumexp": lambda m, x: (
        m.jax.nn.logsumexp(x, axis=None, keepdims=True) + x
    ),
    "astype": lambda m, x: (m.jnp.tanh(x) * 3).astype(np.int64) * 0.25 + x,
    "custom_jvp": lambda m, x: m.jax.nn.relu(x) + m.jax.nn.silu(x),
}
_BINARY = {
    "add": lambda m, x, y: m.jnp.sin(x + y),
    "sub": lambda m, x, y: m.jnp.tanh(x - y),
    "mul": lambda m, x, y: m.jnp.sin(x) * m.jnp.cos(y),
    "div": lambda m, x, y: x / (2 + m.jnp.sin(y)),
    "max": lambda m, x, y: m.jnp.maximum(x, y),
    "min": lambda m, x, y: m.jnp.minimum(x, y),
    "pow": lambda m, x, y: (1.5 + m.jnp.sin(x)) ** m.jnp.tanh(y),
    "atan2": lambda m, x, y: m.jnp.arctan2(x, 1.5 + m.jnp.sin(y)),
    "where": lambda m, x, y: m.jnp.where(x > y, x, 0.5 * y),
    "hypot": lambda m, x, y: m.jnp.hypot(x, 1 + y * y),
    "logaddexp": lambda m, x, y: m.jnp.tanh(m.jnp.logaddexp(x, y)),
}


def unary(b: Block):
    i, name = b.pick(), b.choice(list(_UNARY))
    if name == "softmax" and not b.types[i].shape:
        name = "sin"
    f = _UNARY[name]
    b.add(f"{name} v{i}", b.types[i], lambda m, v: f(m, v[i]))


def binary(b: Block):
    i, name = b.pick(), b.choice(list(_BINARY))
    shape = b.types[i].shape

    def compatible(t):
        try:
            np.broadcast_shapes(t.shape, shape)
        except ValueError:
            return False
        return len(t.shape) < 4

    j, f = b.pick(F, compatible), _BINARY[name]
    out = np.broadcast_shapes(b.types[j].shape, shape)
    if np.prod(out) > 300:
        return
    b.add(f"{name} v{i} v{j}", Type(F, out), lambda m, v: f(m, v[i], v[j]))


_REDUCE = {
    "sum": lambda m, x, a, k: m.jnp.tanh(m.jnp.sum(x, a, keepdims=k)),
    "mean": lambda m, x, a, k: m.jnp.mean(x, a, keepdims=k),
    "max": lambda m, x, a, k: m.jnp.max(x, a, keepdims=k),
    "min": lambda m, x, a, k: m.jnp.min(x, a, keepdims=k),
    "prod": lambda m, x, a, k: m.jnp.prod(m.jnp.sin(x), a, keepdims=k),
    "var": lambda m, x, a, k: m.jnp.var(x, a, keepdims=k),
    "any": lambda m, x, a, k: m.jnp.any(x > 0.5, a, keepdims=k) * 0.5,
    "argmax": lambda m, x, a, k: m.jnp.argmax(x, a, keepdims=k) * 0.25,
}


def reduction(b: Block):
    i = b.pick(F, lambda t: len(t.shape) > 0)
    if i is None:
        return
    shape, name = list(b.types[i].shape), b.choice(list(_REDUCE))
    axis, keep = int(b.rng.integers(len(shape))), bool(b.rng.integers(2))
    out = list(shape)
    if keep:
        out[axis] = 1
    else:
        del out[axis]
    f = _REDUCE[name]
    b.add(
        f"{name} v{i} axis={axis} keepdims={keep}",
        Type(F, tuple(out)),
        lambda m, v: f(m, v[i], axis, keep),
    )


def arrangement(b: Block):
    i = b.pick(F, lambda t: len(t.shape) > 0)
    if i is None:
        return
    shape = b.types[i].shape
    axis, n = int(b.rng.integers(len(shape))), int(np.prod(shape))
    k = shape[axis]
    cut = list(shape)
    cut[axis] = (k + 1) // 2
    padded = list(shape)
    padded[axis] = k + 3
    options = [
        ("transpose", shape[::-1], lambda m, x: m.jnp.transpose(x)),
        ("flip", shape, lambda m, x: m.jnp.flip(x, axis)),
        ("ravel", (n,), lambda m, x: m.jnp.reshape(x, (n,))),
        ("roll", shape, lambda m, x: m.jnp.roll(x, 1, axis)),
        (
            "stride",
            tuple(cut),
            lambda m, x: m.lax.slice_in_dim(x, 0, k, 2, axis),
        ),
        ("cumsum", shape, lambda m, x: m.jnp.cumsum(x, axis) * 0.3),
        ("cummax", shape, lambda m, x: m.lax.cummax(x, axis)),
        ("sort", shape, lambda m, x: m.jnp.sort(x, axis)),
        ("expand", (*shape, 1), lambda m, x: x[..., None]),
        ("triu", shape, lambda m, x: m.jnp.triu(x) if x.ndim > 1 else x),
    ]
    if n < 60:
        pads = [(1, 2) if d == axis else (0, 0) for d in range(len(shape))]
        both = list(shape)
        both[axis] = 2 * k
        options += [
            ("pad", tuple(padded), lambda m, x: m.jnp.pad(x, pads)),
            (
                "concatenate",
                tuple(both),
                lambda m, x: m.jnp.concatenate([x, m.jnp.sin(x)], axis),
            ),
        ]
    name, out, f = b.choice(options)
    if len(out) > 3:
        return
    b.add(f"{name} v{i} axis={axis}", Type(F, out), lambda m, v: f(m, v[i]))


def product(b: Block):
    i = b.pick(F, lambda t: len(t.shape) in (1, 2))
    if i is None:
        return
    shape = b.types[i].shape
    j = b.pick(F, lambda t: len(t.shape) == 2 and t.shape[0] == shape[-1])
    if j is None:
        b.add(
            f"v{i} v{i}^T",
            Type(F, shape[:-1] * 2),
            lambda m, v: m.jnp.tanh(m.jnp.tensordot(v[i], v[i], ([-1], [-1]))),
        )
        return
    b.add(
        f"matmul v{i} v{j}",
        Type(F, (*shape[:-1], b.types[j].shape[1])),
        lambda m, v: m.jnp.tanh(v[i] @ v[j]),
    )


def indexing(b: Block):
    i = b.pick(F, lambda t: len(t.shape) > 0)
    s, n = b.pick(I, lambda t: t.shape == ()), b.pick(I, lambda t: t.shape)
    if None in (i, s, n):
        return
    shape, rows = b.types[i].shape, b.types[n].shape
    window = (1, *shape[1:])
    starts = (0,) * (len(shape) - 1)
    options = [
        ("row", shape[1:], lambda m, v: v[i][v[s]]),
        (
            "take",
            (*rows, *shape[1:]),
            lambda m, v: m.jnp.take(v[i], v[n], axis=0, mode="clip"),
        ),
        ("rows", (*rows, *shape[1:]), lambda m, v: v[i][v[n] % shape[0]]),
        ("scatter-add", shape, lambda m, v: v[i].at[v[n]].add(0.5)),
        ("set", shape, lambda m, v: v[i].at[v[s]].set(m.jnp.sin(v[i][0]))),
        ("scatter-max", shape, lambda m, v: v[i].at[v[n]].max(0.25)),
        (
            "dynamic_slice",
            window,
            lambda m, v: m.lax.dynamic_slice(v[i], (v[s], *starts), window),
        ),
        (
            "dynamic_update_slice",
            shape,
            lambda m, v: m.lax.dynamic_update_slice(
                v[i], m.jnp.cos(v[i][:1]), (v[s], *starts)
            ),
        ),
    ]
    name, out, f = b.choice(options)
    if len(out) > 3 or np.prod(out) > 300:
        return
    b.add(f"{name} v{i} at v{s} v{n}", Type(F, out), f)


def integers(b: Block):
    i = b.pick(I)
    if i is None:
        return
    name, f = b.choice(
        [
            ("x*3%5", lambda m, x: x * 3 % 5),
            ("x//2", lambda m, x: x // 2),
            ("x^1&3", lambda m, x: (x ^ 1) & 3),
            ("min(x,2)", lambda m, x: m.jnp.minimum(x, 2)),
            ("-x", lambda m, x: -x),
            ("where", lambda m, x: m.jnp.where(x > 1, x - 1, x + 1)),
        ]
    )
    b.add(f"{name} v{i}", b.types[i], lambda m, v: f(m, v[i]))


def predicate(b: Block):
    i = b.pick()
    b.add(
        f"mean v{i} > 0.1",
        Type(B, ()),
        lambda m, v: m.jnp.mean(v[i]) > 0.1,
    )


# ---- transformations of blocks


def _called(b: Block, name, wrap):
    """wrap(m, f)(x) for a block f of one value of the same type."""
    i = b.pick()
    t = b.types[i]
    inner = b.sub([t])
    finish = inner.result(t)

    def run(m, v):
        def f(x):
            return finish(m, inner.run(m, v, x))

        return wrap(m, f, v[i])

    b.add(f"{name} v{i}\n{inner.text()}", t, run)


def jitted(b):
    _called(b, "jit", lambda m, f, x: m.jax.jit(f)(x))


def checkpointed(b):
    _called(b, "checkpoint", lambda m, f, x: m.jax.checkpoint(f)(x))


def gradient(b):
    _called(
        b,
        "grad",
        lambda m, f, x: m.jnp.tanh(m.jax.grad(lambda x: m.jnp.sum(f(x)))(x)),
    )


def pushed(b):
    _called(
        b,
        "jvp",
        lambda m, f, x: m.jnp.tanh(m.jax.jvp(f, (x,), (m.jnp.cos(x),))[1]),
    )


def pulled(b):
    _called(
        b,
        "vjp",
        lambda m, f, x: m.jnp.tanh(m.jax.vjp(f, x)[1](m.jnp.cos(x))[0]),
    )


def linearized(b):
    _called(
        b,
        "linearize",
        lambda m, f, x: m.jnp.tanh(m.jax.linearize(f, x)[1](m.jnp.sin(x))),
    )


def looped(b):
    n = int(b.rng.integers(0, 4))
    _called(
        b,
        f"fori_loop {n}",
        lambda m, f, x: m.lax.fori_loop(0, n, lambda k, c: f(c) + 0.1 * k, x),
    )


def mapped(b: Block):
    i = b.pick(F, lambda t: len(t.shape) > 0)
    if i is None:
        return
    shape = b.types[i].shape
    axis = int(b.rng.integers(len(shape)))
    row = Type(F, shape[:axis] + shape[axis + 1 :])
    inner = b.sub([row])
    finish = inner.result(row)

    def run(m, v):
        def f(x):
            return finish(m, inner.run(m, v, x))

        return m.jax.vmap(f, axis, axis)(v[i])

    b.add(f"vmap axis={axis} v{i}\n{inner.text()}", b.types[i], run)


def scanned(b: Block):
    i = b.pick(F, lambda t: len(t.shape) > 0)
    c = b.pick()
    if i is None:
        return
    row, carry = Type(F, b.types[i].shape[1:]), b.types[c]
    reverse = bool(b.rng.integers(2))
    inner = b.sub([carry, row])
    new, out = inner.result(carry), inner.result(row)

    def run(m, v):
        def body(x, y):
            values = inner.run(m, v, x, y)
            return new(m, values), out(m, values)

        last, rows = m.lax.scan(body, v[c], v[i], reverse=reverse)
        return rows + m.jnp.mean(last)

    b.add(f"scan {reverse=} v{c} v{i}\n{inner.text()}", b.types[i], run)


def branched(b: Block):
    predicate(b)
    p, i = len(b.types) - 1, b.pick()
    t = b.types[i]
    blocks = [b.sub([t], 3), b.sub([t], 3)]
    ends = [x.result(t) for x in blocks]

    def run(m, v):
        yes, no = (
            lambda x, g=g, e=e: e(m, g.run(m, v, x))
            for g, e in zip(blocks, ends, strict=True)
        )
        return m.lax.cond(v[p], yes, no, v[i])

    texts = "\n".join(x.text() for x in blocks)
    b.add(f"cond v{p} v{i}\n{texts}", t, run)


OPERATIONS = [
    *[unary] * 4,
    *[binary] * 4,
    reduction,
    reduction,
    arrangement,
    arrangement,
    product,
    indexing,
    indexing,
    integers,
]
TRANSFORMS = [
    jitted,
    checkpointed,
    gradient,
    gradient,
    pushed,
    pulled,
    linearized,
    looped,
    mapped,
    mapped,
    scanned,
    scanned,
    branched,
]


# ---- programs


class Program:
    INPUTS = (
        Type(F, (3, 4)),
        Type(F, (4,)),
        Type(F, (2, 3)),
        Type(F, ()),
        Type(I, ()),
        Type(I, (5,)),
    )

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(10, 61))
        self.seed = seed
        self.block = Block(rng, [], list(self.INPUTS), 0, size)
        self.inputs = [self._input(rng, t) for t in self.INPUTS]

    @staticmethod
    def _input(rng, t):
        if t.dtype == I:
            return rng.integers(0, 3, t.shape)
        return rng.normal(size=t.shape)

    def values(self, m, *inputs):
        """All values of the program, in order."""
        return self.block.run(m, [], *inputs)[len(self.INPUTS) :]

    def __str__(self):
        return f"seed {self.seed} {self.block.text()}"


class Library:
    def __init__(self, jax, lax):
        self.jax, self.jnp, self.lax = jax, jax.numpy, lax


def libraries():
    import jax

    import cotan
    import cotan.lax
    import cotan.nn
    import cotan.numpy

    return Library(cotan, cotan.lax), Library(jax, jax.lax)


def differences(got, want, rtol=1e-7) -> list[str]:
    """What differs, by the scale of each value: 64-bit rounding leaves nine
    digits after any of these programs."""
    out = []
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype != b.dtype or a.shape != b.shape:
            out.append(f"{k}: {a.dtype}{a.shape}, expected {b.dtype}{b.shape}")
            continue
        finite = np.isfinite(b)
        scale = 1 + np.max(np.abs(b[finite]), initial=0)
        same = np.isclose(a, b, rtol=rtol, atol=rtol * scale, equal_nan=True)
        if not np.all(same):
            out.append(f"{k}: {a}, expected {b}")
    return out


def check(program: Program, eager=True) -> str | None:
    """None, or what is wrong."""
    ours, theirs = libraries()
    want = theirs.jax.jit(lambda *xs: program.values(theirs, *xs))(
        *program.inputs
    )
    first = len(program.INPUTS)
    runs = {
        "jit": ours.jax.jit(lambda *xs: program.values(ours, *xs)),
        "eager": lambda *xs: program.values(ours, *map(ours.jnp.asarray, xs)),
    }
    for name, run in runs.items():
        if name == "eager" and not eager:
            continue
        try:
            wrong = differences(run(*program.inputs), want)
        except Exception as e:
            return f"{name}: {type(e).__name__}: {e}\n{program}"
        if wrong:
            k, text = wrong[0].split(":", 1)
            return f"{name}: v{first + int(k)} is{text}\n{program}"
    return None


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args(argv)
    ours, theirs = libraries()
    failed = 0
    with ours.jax.enable_x64(True), theirs.jax.enable_x64(True):
        for seed in range(args.seed, args.seed + args.count):
            program = Program(seed)
            if args.show:
                print(program)
            try:
                wrong = check(program)
            except Exception as e:  # JAX refuses it: a mistake here
                wrong = f"JAX: {type(e).__name__}: {e}\n{program}"
            if wrong:
                failed += 1
                print(wrong, flush=True)
            if (seed + 1) % 50 == 0:
                ours.jax.clear_caches()
                theirs.jax.clear_caches()
    print(f"{args.count} programs, {failed} mismatches")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
