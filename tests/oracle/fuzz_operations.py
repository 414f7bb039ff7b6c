"""Operations of the programs of fuzz.py, the common ones."""

from __future__ import annotations

import numpy as np

from tests.oracle.fuzz_block import B, Block, F, I, Type

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
