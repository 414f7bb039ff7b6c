"""Loops and branches as StableHLO: read by its own parser, evaluated by its
interpreter, run by XLA's CPU plugin and compiled for a TPU."""

import json
import pathlib

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from cotan.lax import linalg
from tests.pjrt.test_stablehlo import parse, text_of  # noqa: F401

X = np.linspace(-1, 1, 4, dtype="f4")
ROWS = np.linspace(-2, 2, 20, dtype="f4").reshape(5, 4)
N = np.int32(3)


@cotan.jit
def long_call(x):
    for i in range(5):
        x = cnp.sin(x) * (1 - i / 8)
    return x


def scan_with_constants(x, rows):
    w = cnp.cos(x)
    return lax.scan(lambda c, r: (cnp.sin(c) * w + r, c * x), x, rows)


def scan_in_reverse(x, rows):
    return lax.scan(
        lambda c, r: (c * 0.5 + r, (c[0], r)), x, rows, reverse=True
    )


def scan_of_nothing(x):
    return lax.scan(lambda c, _: (c * 2, None), x, None, length=7)


def scan_of_length_zero(x, rows):
    return lax.scan(lambda c, r: (c + r, c * r), x, rows[:0])


def scan_of_empty_rows(x, rows):
    return lax.scan(lambda c, r: (c + cnp.sum(r), r * 2), x, rows[:, :0])


def scan_of_many_types(n, rows):
    def step(c, r):
        i, up = c
        return (i + 1, cnp.logical_not(up)), (up, i, cnp.where(up, r, -r))

    return lax.scan(step, (n, n > 2), rows)


def nested_loops(x, rows):
    def outer(c, r):
        def inner(i, v):
            return v * 0.5 + r * i + x

        c = lax.fori_loop(0, 3, inner, c)
        return c, lax.scan(lambda s, v: (s + v, s * v), 0.0, c)

    return lax.scan(outer, x, rows)


def loop_in_a_call_in_a_loop(x, rows):
    @cotan.jit
    def call(c, r):
        c = long_call(c)
        return lax.fori_loop(0, 2, lambda i, v: long_call(v) + r, c)

    return lax.scan(lambda c, r: (call(c, r), None), x, rows)[0]


def while_with_constants(x, n):
    return lax.while_loop(
        lambda s: (s[0] < n) & (cnp.sum(s[1]) < n * 100),
        lambda s: (s[0] + 1, s[1] * x + 1),
        (0, x),
    )


def while_that_never_runs(x, n):
    return lax.while_loop(
        lambda s: s[0] > n, lambda s: (s[0] + 1, -s[1]), (n, x)
    )


def branch_on_a_number(x, n):
    def at(i):
        return lax.switch(
            i, [lambda v: v, lambda v: v * v, lambda v: cnp.cos(v) + x], x + 1
        )

    return [at(n - k) for k in (0, 1, 2, 3, 8)]


def branch_in_a_loop(x, rows):
    def step(c, r):
        c = lax.cond(
            r[0] > 0,
            lambda v: lax.fori_loop(0, 3, lambda i, v: v + r, v),
            lambda v: v * x,
            c,
        )
        return c, c[1]

    return lax.scan(step, x, rows)


def gradient_of_a_loop(x, rows):
    def loss(x):
        c, ys = scan_with_constants(x, rows)
        return cnp.sum(c * c) + cnp.sum(ys)

    return cotan.grad(loss)(x)


def batched_loop(x, n):
    def steps(v):
        return lax.while_loop(
            lambda s: cnp.abs(s[1]) < 3,
            lambda s: (s[0] + 1, s[1] * 2 + 4),
            (n, v),
        )

    return cotan.vmap(steps)(x)


def permutation(n):
    pivots = cnp.stack([n - 1, n - 2, n + 1, n]).astype("int32")
    many = cnp.stack([pivots, pivots[::-1], pivots * 0 + 3])
    return linalg.lu_pivots_to_permutation(many, 6)


def checkpointed(x, rows):
    step = cotan.checkpoint(lambda c, r: (cnp.sin(c) * r, None))
    return cotan.grad(lambda x: cnp.sum(lax.scan(step, x, rows)[0]))(x)


PROGRAMS = [
    (scan_with_constants, X, ROWS),
    (scan_in_reverse, X, ROWS),
    (scan_of_nothing, X),
    (scan_of_length_zero, X, ROWS),
    (scan_of_empty_rows, X, ROWS),
    (scan_of_many_types, N, ROWS),
    (nested_loops, X, ROWS),
    (loop_in_a_call_in_a_loop, X, ROWS),
    (while_with_constants, X, N),
    (while_that_never_runs, X, N),
    (branch_on_a_number, X, N),
    (branch_in_a_loop, X, ROWS),
    (gradient_of_a_loop, X, ROWS),
    (batched_loop, X, N),
    (permutation, N),
    (checkpointed, X, ROWS),
]
every_program = pytest.mark.parametrize(
    "f, args",
    [(f, args) for f, *args in PROGRAMS],
    ids=lambda p: getattr(p, "__name__", ""),
)


def on_the_cpu(f, args):
    y = cotan.jit(f, device=cotan.devices("cpu")[0])(*args)
    return [np.asarray(v) for v in cotan.tree.leaves(y)]


def close(got, want):
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype and g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-6)


@every_program
def test_it_parses(f, args, parse):  # noqa: F811
    parse(text_of(f, *args))


@every_program
def test_a_plugin_runs_it(f, args, cpu_plugin):
    y = cotan.jit(f, device=cpu_plugin)(*args)
    close([np.asarray(v) for v in cotan.tree.leaves(y)], on_the_cpu(f, args))


@every_program
def test_it_compiles_for_a_tpu(f, args, topology):
    lowered = cotan.jit(f).lower(*args)
    compiled = lowered.compile(topology=topology("v5e:2x2"))
    leaves = cotan.tree.leaves(lowered.out_info)
    assert compiled.outputs == [(a.dtype.name, a.shape) for a in leaves]


# The interpreter ends the process at what it does not know.
INTERPRETER = """
import json, sys
import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir._mlir_libs import _jax_mlir_ext
from jaxlib.mlir.dialects import stablehlo

folder = sys.argv[1]
registry = ir.DialectRegistry()
_jax_mlir_ext.register_dialects(registry)
context = ir.Context()
context.append_dialect_registry(registry)
with context, ir.Location.unknown():
    stablehlo.register_dialect(context)
    for name in json.load(open(f"{folder}/names.json")):
        module = ir.Module.parse(open(f"{folder}/{name}.mlir").read())
        inputs = np.load(f"{folder}/{name}.npz").values()
        inputs = [ir.DenseElementsAttr.get(np.array(v)) for v in inputs]
        out = stablehlo.eval_module(module, inputs)
        np.savez(f"{folder}/{name}.out.npz", *[np.array(v) for v in out])
"""


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    """Per program, what StableHLO's interpreter gives."""
    pytest.importorskip("jaxlib")
    import subprocess
    import sys

    folder = pathlib.Path(tmp_path_factory.mktemp("programs"))
    names = [f.__name__ for f, *_ in PROGRAMS]
    (folder / "names.json").write_text(json.dumps(names))
    for f, *args in PROGRAMS:
        (folder / f"{f.__name__}.mlir").write_text(text_of(f, *args))
        np.savez(folder / f"{f.__name__}.npz", *args)
    result = subprocess.run(
        [sys.executable, "-c", INTERPRETER, str(folder)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return lambda f: list(np.load(folder / f"{f.__name__}.out.npz").values())


@every_program
def test_the_interpreter_agrees(f, args, interpreted):
    close(interpreted(f), on_the_cpu(f, args))


def test_constants_are_not_carried():
    text = text_of(scan_with_constants, X, ROWS)
    assert text.count("stablehlo.while") == 1
    # The index, the carry, the results; the cosine and x are captured.
    assert '%3:3 = "stablehlo.while"(%2, %arg0, %1) ({' in text
    assert text.count("stablehlo.dynamic_slice") == 1
    assert text.count("stablehlo.dynamic_update_slice") == 1


def test_a_body_is_written_once():
    text = text_of(
        lambda x: lax.fori_loop(0, 1000, lambda i, v: cnp.sin(v), x), X
    )
    assert text.count("stablehlo.sine") == 1


def test_constants_of_a_region_are_written_once():
    def step(i, v):
        for _ in range(20):
            v = v * 1.5 + 2.5
        return v

    text = text_of(lambda x: lax.fori_loop(0, 9, step, x), X)
    assert text.count("dense<1.500000e+00>") == 1


@pytest.mark.parametrize(
    "name, call",
    [
        (
            "pure_callback",
            lambda x: cotan.pure_callback(np.sin, cotan.typeof(x), x),
        ),
        (
            "io_callback",
            lambda x: cotan.experimental.io_callback(
                np.sin, cotan.typeof(x), x
            ),
        ),
        (
            "debug_callback",
            lambda x: cotan.debug.callback(print, x),
        ),
    ],
)
def test_callbacks_say_what_to_do(name, call):
    """Text for no plugin in particular, and for compilers of other machines."""

    def looped(x):
        return lax.fori_loop(0, 3, lambda i, v: (call(v), v * 2)[1], x)

    def without_elements(x):
        def step(v, _):
            call(x)
            return v * 2, None

        return lax.scan(step, x[:0], None, length=3)[0]

    message = rf"\[{name}\] cannot be written as StableHLO for .*device='cpu'"
    for f in (call, looped):
        with pytest.raises(NotImplementedError, match=message):
            text_of(f, X)
        cotan.jit(f, device="cpu")(X)  # the way out that it names
    if name != "pure_callback":
        with pytest.raises(NotImplementedError, match=message):
            text_of(without_elements, X)
