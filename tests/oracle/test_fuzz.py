"""A short run of tests/oracle/fuzz.py, and what long runs have found."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import cotan  # noqa: E402
import cotan.numpy as cnp  # noqa: E402
from tests.oracle import fuzz  # noqa: E402
from tests.oracle.both import x64  # noqa: E402


@pytest.mark.parametrize("seed", range(8))
def test_program(seed):
    with x64(True):
        wrong = fuzz.check(fuzz.Program(seed))
    assert wrong is None, wrong


def test_programs_are_what_their_seed_says():
    assert str(fuzz.Program(5)) == str(fuzz.Program(5))
    assert str(fuzz.Program(5)) != str(fuzz.Program(6))


def test_differences_are_seen():
    """The comparison must be able to fail."""
    x = np.array([1.0, 2.0])
    assert not fuzz.differences([x], [x])
    assert fuzz.differences([x], [x + 1e-5])
    assert fuzz.differences([x], [x.astype("f4")])
    assert fuzz.differences([np.array([1.0, np.nan])], [x])


@pytest.mark.parametrize("shape", [(2, 3), (40, 50)])
def test_positions_in_columns_of_what_rows_give(shape, rng):
    """Such a kernel has no place for the indices: it was one all the same,
    and the compiler crashed."""
    x = rng.normal(size=shape).astype("f4")

    def f(x):
        return cnp.argmax(x / cnp.sum(x * x, 1, keepdims=True), 0)

    want = np.argmax(x / np.sum(x * x, 1, keepdims=True), 0)
    np.testing.assert_array_equal(cotan.jit(f)(x), want)


INF = float("inf")


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2"])
@pytest.mark.parametrize(
    "at", [(2.0, 2.0), (1.0, 2.0), (-INF, 1.0), (INF, 1.0), (INF, INF)]
)
def test_sums_of_exponentials_at_ties(name, at):
    """The derivatives of max and of abs do not make those of the sum."""

    def program(m, jnp):
        f = getattr(jnp, name)
        x, y = np.float32(at[0]), np.float32(at[1])
        return [
            f(x, y),
            *m.grad(f, (0, 1))(x, y),
            *m.jit(m.grad(f, (0, 1)))(x, y),
            *m.jvp(f, (x, y), (np.float32(0.5), np.float32(1))),
            m.grad(m.grad(f))(x, y),
        ]

    for ours, theirs in zip(
        program(cotan, cnp), program(jax, jax.numpy), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
