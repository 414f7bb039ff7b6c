"""Random programs: compiled, evaluated and interpreted, they agree.

What single operations do right can go wrong where they are fused; each seed is
a chain of operations of every kind that is read at several places.
"""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import _core

PROGRAMS, PER_TEST = 320, 16


def _views(rng, x):
    n = x.size
    return [
        lambda: cnp.transpose(x),
        lambda: x.reshape(-1),
        lambda: x.reshape(2, -1) if n % 2 == 0 else x,
        lambda: cnp.flip(x, int(rng.integers(0, x.ndim))),
        lambda: x[1:] if x.shape[0] > 2 else x,
        lambda: x[::2],
        lambda: cnp.pad(x, [(1, 0)] + [(0, 1)] * (x.ndim - 1)),
        lambda: cnp.broadcast_to(x[..., None], (*x.shape, 2)),
        lambda: cnp.concatenate([x, x * 2], int(rng.integers(0, x.ndim))),
        lambda: cnp.roll(x, 1, 0),
        lambda: cnp.stack([x, -x], -1) if n < 100 else x,
    ]


def _arithmetic(rng, x):
    y = x.reshape(-1)[: x.shape[-1]]
    return [
        lambda: cnp.sin(x),
        lambda: x * 0.5 + 1,
        lambda: cnp.where(x > 0.2, x, x * x),
        lambda: cnp.maximum(x, 0.3),
        lambda: x + y,
        lambda: cnp.tanh(x) * cnp.exp(-x * x),
    ]


def _collective(rng, x):
    axis = int(rng.integers(0, x.ndim))
    order = cnp.asarray(rng.integers(0, x.shape[0], x.shape[0]))
    return [
        lambda: x - cnp.mean(x, axis, keepdims=True),
        lambda: x / (1 + cnp.sum(x * x, axis, keepdims=True)),
        lambda: cnp.max(x, axis, keepdims=True) + x,
        lambda: cnp.cumsum(x, axis) * 0.5,
        lambda: x[order],
        lambda: x.at[0].set(1.5).at[order].add(0.25),
        lambda: (
            cnp.tensordot(x, x, ([axis], [axis])) * 0.1 if x.ndim < 3 else x
        ),
        lambda: cnp.sort(x, axis),
    ]


def program(seed):
    """A function of a (4, 6) array, the same at every call."""

    def run(x):
        rng = np.random.default_rng(seed)
        seen = [x]
        for _ in range(rng.integers(3, 8)):
            kind = (_views, _arithmetic, _collective)[rng.integers(0, 3)]
            choices = kind(rng, x)
            y = choices[rng.integers(0, len(choices))]()
            if 0 < y.size <= 400:
                x = y if y.ndim else y[None]
                seen.append(x)
        out = 0.0
        for _ in range(3):
            y = seen[rng.integers(0, len(seen))].reshape(-1)
            n = min(4, y.size)
            start = int(rng.integers(0, y.size - n + 1))
            out = out + cnp.sum(y[start : start + n] * (1.0 + cnp.arange(n)))
        return x, out

    run.__name__ = f"program_{seed}"
    return run


@pytest.mark.parametrize("first", range(0, PROGRAMS, PER_TEST))
def test_program(first):
    with cotan.enable_x64():
        for seed in range(first, first + PER_TEST):
            _check(program(seed), seed)


def _check(f, seed):
    x = cnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (4, 6)))
    xs = cnp.stack([x, x[::-1], -x])
    derivative = cotan.grad(lambda x: f(x)[1])
    for name, g, arg in (
        ("value", f, x),
        ("grad", derivative, x),
        ("vmap", cotan.vmap(f), xs),
        ("vmap(grad)", cotan.vmap(derivative), xs),
    ):
        want = [np.asarray(y) for y in cotan.tree.leaves(g(arg))]
        ways = {"jit": cotan.jit(g)(arg)}
        before = _core.set_interpret(True)
        try:
            ways["reference"] = g(arg)
        finally:
            _core.set_interpret(before)
        for way, got in ways.items():
            for a, w in zip(cotan.tree.leaves(got), want, strict=True):
                np.testing.assert_allclose(
                    np.asarray(a),
                    w,
                    rtol=1e-9,
                    atol=1e-9 * max(1.0, float(np.abs(w).max(initial=0))),
                    err_msg=f"{way} of {name} of program {seed}",
                )
