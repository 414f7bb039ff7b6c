"""The caches of traces, programs and kernels: what is found again, that a hash
is never trusted, and that threads compile once."""

import functools
import threading

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import _core, lax, random


def changes(f, *names):
    before = _core.counters()
    f()
    after = _core.counters()
    return [after[n] - before[n] for n in names]


def test_second_call():
    """Nothing is traced or compiled for an equal signature."""
    f = cotan.jit(lambda x: cnp.tanh(x) * 3 + 1)
    x, y = cnp.ones(7), cnp.full(7, 2.0, "float32")
    f(x)
    names = "traces", "programs", "program_hits", "kernels", "code_bytes"
    assert changes(lambda: f(y), *names) == [0] * 5


def test_a_second_value_of_a_scalar():
    """Python scalars are arguments, whatever their value."""
    f = cotan.jit(lambda x, s: x * s + 1)
    x = cnp.ones(7)
    f(x, 2.0)
    names = "traces", "programs", "kernels"
    assert (
        changes(lambda: [f(x, float(i)) for i in range(9)], *names) == [0] * 3
    )
    assert changes(lambda: f(x, 2), *names)[0] == 1  # an int is another type


def test_equal_functions_share_programs():
    """Two functions with one jaxpr: traced twice, compiled once."""

    def make():
        return cotan.jit(lambda x: cnp.exp(x) * cnp.cos(x) - 0.25)

    x = cnp.ones(11)
    make()(x)
    traces, kernels, hits = changes(
        lambda: make()(x), "traces", "kernels", "program_hits"
    )
    assert (traces, kernels, hits) == (1, 0, 1)


def test_different_constants_are_told_apart():
    """Programs that differ in one literal only."""
    x = cnp.ones(5)
    for i in range(20):
        f = cotan.jit(lambda x, i=i: x * float(i) + 0.5)
        np.testing.assert_allclose(np.asarray(f(x)), i + 0.5)


def test_many_signatures():
    f = cotan.jit(lambda x: x * 2 + 1)
    xs = [cnp.ones(s) for s in [(), *((n,) for n in range(40)), (3, 3)]]
    want = [2 * np.asarray(x) + 1 for x in xs]
    for _ in range(2):
        for x, w in zip(xs, want, strict=True):
            np.testing.assert_array_equal(np.asarray(f(x)), w)
    assert f._cache_size() == len(xs)


def test_trees_with_equal_leaves_are_told_apart():
    f = cotan.jit(lambda t: cotan.tree.structure(t).num_leaves * t_sum(t))

    def t_sum(t):
        return sum(cotan.tree.leaves(t))

    for t in ([1.0, 2.0], (1.0, 2.0), {"a": 1.0, "b": 2.0}, [1.0, [2.0]]):
        assert float(f(t)) == 6.0
    assert f._cache_size() == 4


def test_clear_cache():
    f = cotan.jit(lambda x: x + 1)
    f(1.0)
    f.clear_cache()
    (traces,) = changes(lambda: f(1.0), "traces")
    assert traces == 1


def test_a_cache_cleared_by_a_nested_call():
    g = cotan.jit(lambda x: (g.clear_cache(), x + 1)[1])
    assert float(g(1.0)) == 2.0
    assert float(g(1.0)) == 2.0


@pytest.mark.parametrize("threads", [8])
def test_single_flight(threads):
    """Threads that ask for one program: one compiles, the others wait."""
    f = cotan.jit(lambda x: cnp.sin(x) * 1.2345 + cnp.sum(x))
    barrier = threading.Barrier(threads)
    results, failures = [], []

    def work():
        try:
            barrier.wait()
            results.append(np.asarray(f(cnp.ones(17))))
        except Exception as e:
            failures.append(e)

    def run():
        pool = [threading.Thread(target=work) for _ in range(threads)]
        for t in pool:
            t.start()
        for t in pool:
            t.join()

    (compiled,) = changes(run, "programs")
    assert not failures
    for r in results:
        np.testing.assert_array_equal(r, results[0])
    # Traces may race; each trace that lost is one program that was found.
    assert compiled <= threads
    before = _core.counters()["kernels"]
    f(cnp.ones(17))
    assert _core.counters()["kernels"] == before


def test_threads_with_their_own_settings():
    f = cotan.jit(lambda x: x * 2)
    seen = {}

    def work(x64):
        with cotan.enable_x64(x64):
            seen[x64] = f(1.5).dtype.name

    for x64 in (True, False):
        t = threading.Thread(target=work, args=(x64,))
        t.start()
        t.join()
    assert seen == {True: "float64", False: "float32"}
    assert f(1.5).dtype.name == "float32"


def test_vmapped_and_differentiated_programs_are_remembered():
    """The derivative of a nested jit is made once."""
    g = cotan.jit(lambda x: cnp.sin(x) * x)
    h = cotan.grad(lambda x: cnp.sum(g(x)))
    x = cnp.ones(9)
    h(x)
    traces, kernels = changes(lambda: h(x), "traces", "kernels")
    assert (traces, kernels) == (0, 0)
    v = cotan.vmap(g)
    v(cnp.ones((2, 9)))
    assert changes(lambda: v(cnp.ones((2, 9))), "kernels") == [0]


def test_user_contexts_are_part_of_the_key():
    context = cotan.make_user_context("plain")
    seen = []

    @cotan.jit
    def f(x):
        seen.append(context.value)
        return x + 1

    f(1.0)
    for value in ("fancy", "fancy", "plain", "fancy"):
        with context(value):
            assert context.value == value
            f(1.0)
    f(1.0)
    assert seen == ["plain", "fancy"]
    context.set_global("new")
    f(1.0)
    assert seen[-1] == context.get_global() == "new"
    other = cotan.make_user_context()
    with other(3), context("fancy"):
        f(1.0)
    assert other.value is None and len(seen) == 4


def test_precision_of_products_is_part_of_the_key():
    def text(function, *args):
        return str(cotan.make_jaxpr(function)(*args))

    x = cotan.numpy.ones((4, 4))
    image = cotan.numpy.ones((1, 2, 4, 4))

    def convolved(x):
        return lax.conv(x, cotan.numpy.ones((3, 2, 2, 2)), (1, 1), "SAME")

    traces = []

    @cotan.jit
    def f(x):
        traces.append(1)
        return x @ x

    f(x)
    assert "precision" not in text(f, x)
    with cotan.default_matmul_precision("bfloat16"):
        f(x)
        for function in (lambda x: x @ x, lambda x: lax.dot(x, x)):
            assert "(Precision.DEFAULT, Precision.DEFAULT)" in text(function, x)
        asked = text(lambda x: lax.dot(x, x, precision="highest"), x)
        assert "(Precision.HIGHEST, Precision.HIGHEST)" in asked
        assert "default" in text(convolved, image).lower()
    f(x)
    assert len(traces) == 2
    with pytest.raises(ValueError, match="must be one of"):
        cotan.config.update("jax_default_matmul_precision", "exact")


def test_settings_are_part_of_the_key_of_bodies():
    """Of loops, branches and checkpoints, whose functions are traced once."""

    def body(c, _):
        return c + random.bits(random.PRNGKey(3)), None

    def total():
        return lax.scan(body, np.uint32(0), None, 2)[0].item()

    plain = total()
    with cotan.default_prng_impl("rbg"):
        assert total() != plain
    assert total() == plain
    with cotan.threefry_partitionable(False):
        word = int(random.bits(random.PRNGKey(3)))
        assert total() == 2 * word % 2**32 != plain
    context = cotan.make_user_context(1)
    scaled = cotan.checkpoint(lambda x: x * context.value)
    assert scaled(2.0) == 2.0
    with context(5):
        assert scaled(2.0) == 10.0


def test_checkpoint_traces_once_for_static_arguments():
    traces = []

    @functools.partial(cotan.checkpoint, static_argnums=(0,))
    def f(n, x, *, m=1):
        traces.append(n)
        return x * n * m

    for n in (2, 2, 3, 2):
        assert f(n, 5.0) == 5 * n
    assert traces == [2, 3]
    f(True, 5.0)
    f(1, 5.0)
    assert traces[2:] == [True, 1] and type(traces[2]) is bool
    assert cotan.grad(lambda x: f(2, x, m=3))(1.0) == 6.0
