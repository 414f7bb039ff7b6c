"""Arrays beyond the caches: threads, streaming stores, ragged ends."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp

SHAPES = [(1500, 1500), (2049, 1027), (3_000_001,), (7, 300_007), (300_007, 7)]
FUNCTIONS = {
    "fill": lambda xp, x: xp.full(x.shape, 1.5, x.dtype),
    "add": lambda xp, x: x + 1,
    "two": lambda xp, x: (x * 2, x - 1),
    "rows": lambda xp, x: xp.sum(x, -1),
    "columns": lambda xp, x: xp.sum(x, 0),
    "centre": lambda xp, x: x - xp.max(x, -1, keepdims=True),
    "flip": lambda xp, x: xp.flip(x, -1),
    "transpose": lambda xp, x: xp.transpose(x) * 2,
    "all": lambda xp, x: xp.max(x),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("way", ["eager", "jit"])
def test_large(name, shape, way):
    def f(x):
        return FUNCTIONS[name](cnp, x)

    x = np.random.default_rng(0).integers(-4, 5, shape).astype(np.float32)
    got = (cotan.jit(f) if way == "jit" else f)(cnp.asarray(x))
    want = FUNCTIONS[name](np, x)
    for g, w in zip(
        cotan.tree.leaves(got), cotan.tree.leaves(want), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(g), w)
