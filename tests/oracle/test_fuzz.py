"""A short run of tests/oracle/fuzz.py, and what long runs have found."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import cotan  # noqa: E402
import cotan.numpy as cnp  # noqa: E402
from tests.oracle import fuzz  # noqa: E402
from tests.oracle.both import describe, run, x64  # noqa: E402


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


def test_updates_where_a_reduction_of_the_same_program_says(rng):
    """The place is known before the kernel stores: computing it inside broke
    the compiler."""
    x, d = rng.normal(size=(2, 4)), np.array([0.1, 0.5, 0.2, 0.3])

    def f(x, d):
        start = cnp.argmax(d).astype("int32") * 1
        return cotan.lax.dynamic_update_slice(
            cnp.sin(x), cnp.cos(x[:1]), (start, 0)
        )

    want = np.stack([np.sin(x[0]), np.cos(x[0])])
    with x64(True):
        np.testing.assert_allclose(cotan.jit(f)(x, d), want, rtol=1e-12)


@pytest.mark.parametrize("jitted", [False, True])
def test_apply_counts_repeated_indices(jitted):
    x, i = np.arange(1.0, 13).reshape(3, 4) * 0.1, np.array([0, 2, 2, -1, 7])
    want = x.copy()
    np.sin.at(want, (i[:-1],))  # 7 is outside

    def f(x):
        return x.at[i].apply(cnp.sin)

    with x64(True):
        run = cotan.jit(f) if jitted else f
        np.testing.assert_allclose(run(cnp.array(x)), want, rtol=1e-14)
        slope = cotan.grad(lambda x: cnp.sum(run(x)))(cnp.array(x))
        thrice = np.cos(np.sin(np.sin(x[2]))) * np.cos(np.sin(x[2]))
        np.testing.assert_allclose(slope[2], thrice * np.cos(x[2]), rtol=1e-14)
        np.testing.assert_array_equal(slope[1], 1)


@pytest.mark.parametrize(
    "expression",
    [
        "lax.dynamic_update_slice(w, w[:1], (0,))",
        "lax.dynamic_update_slice(w, w[:1], (jnp.array(0),))",
        "lax.dynamic_update_index_in_dim(w, 1., 0, 0)",
        "w.at[0].set(2.)",
        "w.at[:1].add(2.)",
        "jax.nn.softmax(w)",
        "jax.nn.log_softmax(w)",
        "jax.nn.logsumexp(w)",
        "jax.nn.standardize(w)",
        "jnp.einsum('i,i->i', w, w)",
        "jnp.sinc(w)",
        "jnp.convolve(w, w)",
        "jnp.correlate(w, w)",
        "jnp.convolve(w, jnp.ones(2))",
        "jax.scipy.special.ndtr(w)",
        "jax.scipy.special.log_ndtr(w)",
        "lax.associative_scan(jnp.add, w)",
        "lax.associative_scan(jnp.add, w[:1])",
    ],
)
def test_weak_types(expression):
    """Which results stay weak."""
    fuzz.libraries()  # imports what the expressions name
    text = f"(lambda w: {expression})(jnp.where(jnp.arange(3) > 1, 1.0, 0.25))"
    want, got = run("jax", text), run("cotan", text)
    assert describe(got) == describe(want), f"{want!r} {got!r}"
