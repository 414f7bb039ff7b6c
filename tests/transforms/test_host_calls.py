"""Callbacks and prints: their forms, what they show and what vmap refuses."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from cotan.experimental import io_callback

SCALAR = cotan.ShapeDtypeStruct((), "float32")


def test_options_first(capsys):
    say = cotan.debug.print(ordered=True)
    cotan.jit(lambda x: say("x = {x}, {ordered}", x=x, ordered="yes"))(3)
    seen = []
    cotan.debug.callback(ordered=True)(seen.append, 4)
    cotan.debug.callback(lambda **k: seen.append(k), partitioned=False, y=1)
    assert capsys.readouterr().out == "x = 3, yes\n"
    assert [np.asarray(seen[0]).item(), list(seen[1])] == [4, ["y"]]
    for function in (cotan.debug.print, cotan.debug.callback):
        with pytest.raises(TypeError, match="in the two-call form"):
            function(x=3)
    with pytest.raises(TypeError, match="must be callable"):
        cotan.debug.callback("x")
    with pytest.raises(ValueError, match=r"Unused keyword.*\['ordered'\]"):
        cotan.debug.print()("x", ordered=True)


def test_what_is_printed(capsys):
    say = cotan.debug.print(ordered=True)

    @cotan.jit
    def f(x, k):
        say("{} {:.2f}", x, x[0])
        say("{}", {"a": x[1], "b": (None, "text")})
        say("{}", k)

    x = np.array([1.23456, 2e-9], np.float32)
    key = cotan.random.key(7)
    with np.printoptions(precision=3, suppress=True):
        f(x, key)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "[1.235 0.   ] 1.23"
    assert out[1] == "{'a': Array(0., dtype=float32), 'b': (None, 'text')}"
    assert out[2:] == repr(key).splitlines()


def test_wide_results_are_those_of_the_setting():
    f = cotan.jit(lambda x: cotan.pure_callback(lambda x: 2.0 * x, SCALAR, x))
    wide = cotan.jit(
        lambda: cotan.pure_callback(lambda: np.float64(0.5), SCALAR)
    )
    with cotan.enable_x64(False):
        assert f(1.5).dtype == np.float32 and f(1.5) == 3.0
        assert wide() == 0.5
    with cotan.enable_x64(), pytest.raises(RuntimeError, match="float64"):
        wide()


def test_io_is_not_multiplied_by_vmap():
    calls = []

    def note(x):
        calls.append(float(x))

    def chosen(p, x):
        return lax.cond(p, lambda: io_callback(note, None, x), lambda: None)

    with pytest.raises(NotImplementedError, match="IO effect not supported"):
        cotan.vmap(chosen)(np.array([True, False]), np.ones(2, "f4"))

    def loop(n):
        def body(i):
            io_callback(note, None, i)
            return i + 1

        return lax.while_loop(lambda i: i < n, body, 0)

    with pytest.raises(NotImplementedError, match="IO effect not supported"):
        cotan.vmap(loop)(np.array([1, 3]))
    assert calls == []
    # Predicates that are the same for all elements are fine.
    cotan.vmap(lambda x: chosen(True, x))(np.arange(2, dtype="f4"))
    assert calls == [0.0, 1.0]


@pytest.mark.parametrize(
    "function, text",
    [
        (io_callback, "IO callbacks do not support transpose"),
        (cotan.pure_callback, "Pure callbacks do not support transpose"),
    ],
)
def test_transpose_is_refused(function, text):
    with pytest.raises(ValueError, match=text):
        cotan.linear_transpose(
            lambda x: function(lambda x: x, SCALAR, x), cnp.float32(1)
        )(cnp.float32(1))


def test_struct_like():
    s = cotan.ShapeDtypeStruct.like(cnp.ones((2, 3), "int8"))
    assert s == cotan.ShapeDtypeStruct((2, 3), "int8")
    assert cotan.ShapeDtypeStruct.like(1.0).weak_type
