"""What calls cost, in counted things: kernels compiled, arrays allocated."""

import gc

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import _core


def counters():
    return _core.counters()


def kernels_of(f):
    before = counters()["kernels"]
    f()
    return counters()["kernels"] - before


def test_one_kernel_for_a_thousand_shapes():
    """Eager elementwise kernels take sizes as arguments."""
    rng = np.random.default_rng(0)
    shapes = {
        tuple(map(int, rng.integers(1, 7, rng.integers(1, 5))))
        for _ in range(4000)
    }
    shapes = [*sorted(shapes)[:900], *((n,) for n in range(100, 200))]
    assert len(shapes) == 1000
    pairs = [(np.full(s, 2.0, "f4"), np.full(s, 3.0, "f4")) for s in shapes]
    arrays = [(cnp.asarray(a), cnp.asarray(b)) for a, b in pairs]

    def run():
        for x, y in arrays:
            z = x + y
            assert z.shape == x.shape
            assert float(np.asarray(z).ravel()[-1]) == 5.0

    assert kernels_of(run) <= 1
    assert kernels_of(run) == 0


@pytest.mark.parametrize(
    "f",
    [
        cnp.exp,
        lambda x: x * 2.0,
        lambda x: -x,
        lambda x: x < 1,
        lambda x: x.astype("int32"),
    ],
)
def test_shape_generic_eager(f):
    xs = [cnp.ones(s, "float32") for s in [(2,), (3, 3), (1, 1, 5), (64, 3)]]
    f(xs[0])
    assert kernels_of(lambda: [f(x) for x in xs]) == 0


def test_equal_layers_share_kernels():
    def layers(n):
        ws = [cnp.ones((16, 16)) * (0.01 * i) for i in range(n)]

        def f(x):
            for w in ws:
                y = x @ w
                y = (y - cnp.mean(y, -1, keepdims=True)) * 0.5
                x = cnp.tanh(y) + x
            return x

        return lambda: cotan.jit(f)(cnp.ones((4, 16)))

    one = kernels_of(layers(1))
    twelve = kernels_of(layers(12))
    # What joins the layers is new, the layer is not repeated twelve times.
    assert twelve <= 3 * max(one, 1), (one, twelve)


def test_one_kernel_for_shapes_of_a_jitted_function():
    """Large shapes differ in run-time sizes only: each gets an entry of a few
    bytes that calls the one kernel."""
    f = cotan.jit(lambda x: cnp.arctan(x) * 2.5 + x)
    xs = [cnp.ones((n, 300)) for n in range(2, 60)]
    f(cnp.ones((1, 300)))  # one row: another kernel
    f(xs[0])
    before = counters()
    for x in xs[1:]:
        f(x)
    after = counters()
    assert after["kernels"] == before["kernels"]
    assert after["code_bytes"] - before["code_bytes"] < 200 * len(xs)
    assert after["programs"] - before["programs"] == len(xs) - 1


def allocations_of(f, n=50):
    """Blocks that one call takes from our allocator."""
    y = f()
    gc.collect()
    before = counters()["allocations"]
    for _ in range(n):
        y = f()
    after = counters()["allocations"]
    del y
    return (after - before) / n


def test_allocations_per_call():
    """A compiled call allocates, for each result, an object and a buffer
    (with its data, up to 4 KB), and at most one arena."""
    x, y = cnp.ones((32, 32)), cnp.ones((64, 64))
    chain = cotan.jit(lambda x: cnp.tanh(x @ x) * 2 + x)
    assert allocations_of(lambda: chain(x)) <= 3
    assert allocations_of(lambda: chain(y)) <= 4
    simple = cotan.jit(lambda x: x * 2 + 1)
    assert allocations_of(lambda: simple(x)) == 2
    assert allocations_of(lambda: simple(y)) == 3
    many = cotan.jit(lambda xs: [x + 1 for x in xs])
    xs = [cnp.ones(8)] * 20
    assert allocations_of(lambda: many(xs)) == 40


def test_a_forwarded_argument_is_not_copied():
    f = cotan.jit(lambda x: x)
    x = cnp.ones((64, 64))
    assert allocations_of(lambda: f(x)) <= 1


def test_eager_calls_allocate_their_result():
    for n, blocks in ((1000, 2), (2000, 3)):
        x = cnp.ones(n)
        assert allocations_of(lambda x=x: x + x) == blocks
        assert allocations_of(lambda x=x: x * 2.0) == blocks
        assert allocations_of(lambda x=x: cnp.exp(x)) == blocks


def test_memory_is_given_back():
    """A loop that keeps nothing does not grow."""
    device = cotan.devices()[0]
    f = cotan.jit(lambda x: x * 1.5)
    x = cnp.ones(100_000)
    f(x)
    gc.collect()
    before = device.memory_stats()["bytes_in_use"]
    for _ in range(30):
        x = f(x)
    gc.collect()
    assert device.memory_stats()["bytes_in_use"] <= before


def test_memory_of_failed_calls_is_given_back():
    device = cotan.devices()[0]
    x = cnp.ones(10_000)
    gc.collect()
    before = device.memory_stats()["bytes_in_use"]
    for _ in range(20):
        with pytest.raises(TypeError):
            x + cnp.ones(3)
        with pytest.raises(TypeError):
            cotan.jit(lambda a: a @ cnp.ones((3, 3)))(x)
    gc.collect()
    assert device.memory_stats()["bytes_in_use"] <= before + 4096


def test_tracing_compiles_nothing():
    assert (
        kernels_of(
            lambda: cotan.make_jaxpr(lambda x: cnp.sinh(x) @ x)(
                cnp.ones((3, 3))
            )
        )
        == 0
    )
    assert (
        kernels_of(
            lambda: cotan.eval_shape(
                lambda x: cnp.arcsinh(x),
                cotan.ShapeDtypeStruct((3,), np.float32),
            )
        )
        == 0
    )


def test_counters_count():
    before = counters()
    cotan.jit(lambda x: cnp.log1p(x) * 0.123)(cnp.ones(3))
    after = counters()
    assert after["traces"] == before["traces"] + 1
    assert after["programs"] == before["programs"] + 1
    assert after["allocations"] > before["allocations"]
    assert after["code_bytes"] > before["code_bytes"]
    assert after["compile_ns"] > before["compile_ns"]
