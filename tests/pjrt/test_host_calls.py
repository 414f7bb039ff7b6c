"""Callbacks in programs of a plugin whose device is the host (XLA's, on the
CPU): what tests/transforms/test_control_flow.py asks of them on any device runs
there too (test_on_plugin.py); here is what only a plugin can get wrong."""

import gc
import threading
import weakref

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from cotan.experimental import io_callback

DTYPES = "b1 i1 u2 i4 u8 f2 f4 f8 c8 c16".split()


@pytest.fixture
def put(cpu_plugin):
    def put(x):
        with cotan.enable_x64():
            return cotan.device_put(x, cpu_plugin)

    return put


def test_every_dtype_and_order_of_axes(put, rng):
    with cotan.enable_x64():
        for dtype in DTYPES:
            for shape in ((), (3,), (2, 0), (2, 3, 4)):
                x = (rng.normal(size=shape) * 9).astype("f8").astype(dtype)
                out = (
                    cotan.typeof(cnp.asarray(np.concatenate([x.T, x.T])))
                    if shape
                    else cotan.typeof(cnp.asarray(x))
                )

                def host(v):
                    v = np.asarray(v)
                    return np.concatenate([v, v]) if v.ndim else v

                # A transposed operand: XLA would like another layout.
                got = cotan.jit(
                    lambda v, out=out: cotan.pure_callback(host, out, v.T).T
                )(put(x))
                want = host(x.T).T
                assert got.dtype == x.dtype
                np.testing.assert_array_equal(np.asarray(got), want)


def test_order_is_kept_through_control_flow(put):
    log = []

    def say(*what):
        io_callback(
            lambda *v: log.append([*map(int, v)]), None, *what, ordered=True
        )

    @cotan.jit
    def f(x):
        say(-1)

        def step(c, i):
            say(i)
            lax.cond(i % 2 == 0, lambda: say(i, 0), lambda: None)
            lax.fori_loop(0, i, lambda k, _: (say(i, k), 0)[1], 0)
            return c + i, c

        y, _ = lax.scan(step, x, cnp.arange(4))
        y = lax.while_loop(lambda v: v < 20, lambda v: (say(v), v + 7)[1], y)
        say(99)
        return cotan.jit(lambda v: (say(v), v * 2)[1])(y)

    want = [[-1]]
    for i in range(4):
        want.append([i])
        if i % 2 == 0:
            want.append([i, 0])
        want += [[i, k] for k in range(i)]
    want += [[6], [13], [99], [20]]
    for _ in range(3):
        log.clear()
        assert int(f(put(np.int32(0)))) == 40
        assert log == want


def test_no_ordered_calls_in_conditions(put):
    def f(x):
        def more(v):
            io_callback(lambda: None, None, ordered=True)
            return v < 3

        return lax.while_loop(more, lambda v: v + 1, x)

    with pytest.raises(NotImplementedError, match="condition of a loop"):
        cotan.jit(f)(put(np.int32(0)))


def test_exceptions_arrive(put):
    class Mine(Exception):
        pass

    def bad(v):
        if (np.asarray(v) > 3).any():
            raise Mine(float(np.asarray(v).max()))
        return np.asarray(v)

    @cotan.jit
    def f(x):
        y = cotan.pure_callback(bad, cotan.typeof(x), x)
        return lax.fori_loop(
            0, 3, lambda i, v: cotan.pure_callback(bad, x, v) + 1, y
        )

    x = put(np.ones(4, "f4"))
    for _ in range(3):
        np.testing.assert_array_equal(np.asarray(f(x)), np.full(4, 4, "f4"))
        with pytest.raises(Mine, match=r"5\.0"):
            f(x + 4)
    wrong = cotan.jit(lambda x: cotan.pure_callback(np.sum, x, x))
    with pytest.raises(RuntimeError, match=r"shape \(\) for output 0"):
        wrong(x)


def test_effects_are_over_when_the_call_returns(put):
    seen = []
    f = cotan.jit(lambda x: (cotan.debug.callback(seen.append, x), x + 1)[1])
    for i in range(20):
        f(put(np.float32(i)))
        assert len(seen) == i + 1
    assert [float(v) for v in seen] == list(range(20))


def test_a_call_may_compute_there(put):
    def host(v):
        return np.asarray(cnp.sin(put(np.asarray(v))) * 2)

    f = cotan.jit(lambda x: cotan.pure_callback(host, x, x) + 1)
    x = np.arange(4, dtype="f4")
    np.testing.assert_allclose(np.asarray(f(put(x))), np.sin(x) * 2 + 1, 1e-6)


def test_several_threads(put):
    f = cotan.jit(
        lambda x: lax.fori_loop(
            0,
            20,
            lambda i, v: cotan.pure_callback(lambda a: np.asarray(a) + 1, x, v),
            x,
        )
    )
    results = {}

    def work(i):
        results[i] = float(f(put(np.float32(i))))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {i: i + 20 for i in range(6)}


def test_programs_let_go_of_their_callables(put):
    class Host:
        def __call__(self, v):
            return np.asarray(v) * 2

    host = Host()
    f = cotan.jit(lambda x, host=host: cotan.pure_callback(host, x, x))
    assert float(f(put(np.float32(3)))) == 6
    alive = weakref.ref(host)
    del f, host
    gc.collect()
    assert alive() is None


def test_no_bytes_of_what_calls_this_process(put, cpu_plugin):
    f = cotan.jit(
        lambda x: cotan.pure_callback(np.sin, x, x), device=cpu_plugin
    )
    compiled = f.lower(put(np.ones(3, "f4"))).compile()
    with pytest.raises(NotImplementedError, match="calls this process"):
        compiled.serialize()


def test_not_for_a_tpu(topology):
    f = cotan.jit(lambda x: cotan.pure_callback(np.sin, x, x))
    with pytest.raises(NotImplementedError, match="for this target"):
        f.lower(np.ones(3, "f4")).compile(topology=topology("v5e:1x1"))
