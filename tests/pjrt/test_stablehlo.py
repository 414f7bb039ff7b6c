"""The text that jaxprs become: goldens, and StableHLO's own parser."""

import pathlib
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import _core
from tests import device
from tests.ops.case import arrays
from tests.ops.test_matrix import CASES, every_case

HERE = pathlib.Path(__file__).parent


def text_of(f, *args, **options):
    return cotan.jit(f, **options).lower(*args).as_text("stablehlo")


@pytest.fixture(scope="module")
def parse():
    """Parses and verifies a module with jaxlib's StableHLO."""
    pytest.importorskip("jaxlib")
    from jaxlib.mlir import ir
    from jaxlib.mlir._mlir_libs import _jax_mlir_ext
    from jaxlib.mlir.dialects import chlo, stablehlo

    def parse(text):
        registry = ir.DialectRegistry()
        _jax_mlir_ext.register_dialects(registry)
        context = ir.Context()
        context.append_dialect_registry(registry)
        context.load_all_available_dialects()
        with context:
            stablehlo.register_dialect(context)
            chlo.register_dialect(context)
            module = ir.Module.parse(text)
            assert module.operation.verify()
            return str(module)

    return parse


def test_golden():
    x = np.ones((2, 3), "f4")
    text = text_of(lambda x: cnp.sum(cnp.sin(x) * 2, axis=1), x)
    assert text == (
        "module @jit__lambda_ {\n"
        "  func.func public @main(%arg0: tensor<2x3xf32>)"
        " -> tensor<2xf32> {\n"
        "    %0 = stablehlo.sine %arg0 : tensor<2x3xf32>\n"
        "    %1 = stablehlo.constant dense<2.000000e+00> : tensor<f32>\n"
        '    %2 = "stablehlo.broadcast_in_dim"(%1) <{broadcast_dimensions = '
        "array<i64>}> : (tensor<f32>) -> tensor<2x3xf32>\n"
        "    %3 = stablehlo.multiply %0, %2 : tensor<2x3xf32>\n"
        "    %4 = stablehlo.constant dense<0.000000e+00> : tensor<f32>\n"
        '    %5 = "stablehlo.reduce"(%3, %4) <{dimensions = '
        "array<i64: 1>}> ({\n"
        "    ^bb0(%arg1: tensor<f32>, %arg2: tensor<f32>):\n"
        "      %6 = stablehlo.add %arg1, %arg2 : tensor<f32>\n"
        '      "stablehlo.return"(%6) : (tensor<f32>) -> ()\n'
        "    }) : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>\n"
        "    return %5 : tensor<2xf32>\n"
        "  }\n"
        "}\n"
    )


@every_case
def test_every_primitive_parses(case, parse):
    with cotan.enable_x64():
        for dtype in case.dtypes:
            xs = arrays(case.make(dtype))
            if case.primitive in device.NO_STABLEHLO:
                with pytest.raises(NotImplementedError, match="as StableHLO"):
                    text_of(lambda *a: case.call(*a), *xs)
                continue
            parse(text_of(lambda *a: case.call(*a), *xs))


def test_the_interpreter_agrees(tmp_path):
    """jaxlib's reference interpreter, where it knows the operations and its
    bindings the dtypes, gives what the reference of the case gives."""
    pytest.importorskip("jaxlib")
    programs = {}
    with cotan.enable_x64():
        for case in CASES:
            if case.primitive in device.NO_STABLEHLO:
                continue
            numbers = case.make(case.main_dtype)
            text = text_of(lambda *a, c=case: c.call(*a), *arrays(numbers))
            want = case.expected(numbers, case.main_dtype)
            programs[case.name] = text, numbers, want
    path = tmp_path / "programs.pickle"
    path.write_bytes(pickle.dumps(programs))
    result = subprocess.run(
        [sys.executable, str(HERE / "interpret.py"), str(path)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    verdicts = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert verdicts.keys() == programs.keys()
    wrong = {k: v for k, v in verdicts.items() if v not in ("equal", "refused")}
    # Of a window that lies partly outside, XLA (and JAX, which relies on it)
    # drops all elements; the interpreter those outside.
    wrong = {k for k in wrong if not re.match("scatter.*-windows-fill$", k)}
    assert not wrong, {k: verdicts[k] for k in wrong}
    assert sum(v == "equal" for v in verdicts.values()) > 400


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1.5, 1e5, 1e-30, np.inf, -np.inf, np.nan, 0.1]
)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_constants_keep_their_bits(parse, dtype, value):
    with cotan.enable_x64(), np.errstate(over="ignore"):
        c = np.asarray(value).astype(dtype)
        parse(text_of(lambda x: x * cnp.asarray(c), np.ones(3, dtype)))


def test_equal_calls_are_one_function(parse):
    @cotan.jit
    def layer(x):
        for _ in range(5):
            x = cnp.tanh(x) * 2 + 1
        return x

    def f(x):
        for _ in range(12):
            x = layer(x)
        return x

    text = text_of(f, np.ones(4, "f4"))
    assert text.count("func.func private") == 1
    assert text.count("func.call @layer") == 12
    parse(text)


def test_composites_parse_and_run(parse, cpu_plugin):
    f = cotan.lax.composite(
        lambda x, **_: (cnp.sin(x), cotan.lax.top_k(x, 2)[1]), "my.f", 3
    )

    def g(x):
        kinds = {"list": [1, "x"], "quoted name": 2**40}
        return f(x, a=0.1, text='a"b\n', kinds=kinds, c=np.complex64([1j, 2]))

    x = np.arange(4, dtype="f4")
    parse(text_of(g, x))
    sine, indices = cotan.jit(g, device=cpu_plugin)(x)
    np.testing.assert_allclose(sine, np.sin(x), rtol=1e-6)
    np.testing.assert_array_equal(indices, [3, 2])


def test_donation_is_declared(parse):
    x = np.ones((4, 4), "f4")
    with pytest.warns(UserWarning, match="donated buffers were not usable"):
        text = text_of(lambda x, y: x + 1, x, x[0], donate_argnums=(0, 1))
    assert "%arg0: tensor<4x4xf32> {tf.aliasing_output = 0 : i32}" in text
    assert "%arg1: tensor<4xf32> {jax.buffer_donor = true}" in text
    parse(text)


@pytest.mark.parametrize(
    "precision, level",
    [(None, "HIGHEST"), ("default", "DEFAULT"), ("high", "HIGH")],
)
def test_products_are_as_precise_as_asked(precision, level):
    x = np.ones((4, 4), "f4")
    text = text_of(lambda x: cnp.matmul(x, x, precision=precision), x)
    assert text.count(f"#stablehlo<precision {level}>") == 2
    image = x.reshape(1, 1, 4, 4)
    conv = text_of(
        lambda x: cotan.lax.conv(x, x, (1, 1), "SAME", precision), image
    )
    assert conv.count(f"#stablehlo<precision {level}>") == 2


@pytest.mark.parametrize(
    "text, message",
    [
        ("module {}", "no function @main"),
        (
            "func.func @main(%a: tensor<?xf32>) -> tensor<?xf32> {\n"
            "return %a : tensor<?xf32>\n}",
            "dynamic dimensions",
        ),
        (
            "func.func @main() {\nfunc.call @f() : () -> ()\nreturn\n}\n"
            "func.func @f() {\nfunc.call @g() : () -> ()\nreturn\n}\n"
            "func.func @g() {\nfunc.call @f() : () -> ()\nreturn\n}",
            "calls itself",
        ),
    ],
)
def test_what_kills_a_plugin_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        _core.check_stablehlo(text)


def test_text_grows_with_the_equations_only():
    def lines(n):
        def f(x):
            for i in range(n):
                x = cnp.sin(x) * (2 + i % 7)
            return x

        return text_of(f, np.ones(8, "f4")).count("\n")

    # Sine, broadcast, product; the constants are written once.
    assert lines(500) - lines(250) == 3 * 250
    assert lines(500) < 3 * 500 + 25
