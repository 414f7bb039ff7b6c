"""What a plugin does wrong is a typed error; the process lives on."""

import pytest

CALL = """
import numpy as np, cotan
from cotan import pjrt
def attempt(f):
    try:
        return repr(f())
    except Exception as e:
        return f"{type(e).__name__}: {e}"
"""
OPEN = CALL + "d = pjrt.load('pjrt:fake', PATH)[0]\n"
X = "x = cotan.device_put(np.arange(6., dtype='f4').reshape(2, 3), d)\n"


@pytest.fixture
def attempt(run_python, fake_plugin):
    def attempt(mode, code, start=OPEN):
        code = f"PATH = {str(fake_plugin)!r}\n{start}{code}"
        code += "\nprint('alive', float(cotan.jit(lambda v: v + 1)(1.)))"
        out = run_python(code, FAKE_PJRT=mode)
        assert out.rstrip().endswith("alive 2.0"), out
        return out

    return attempt


def test_the_fake_plugin_works(attempt):
    out = attempt("", X + "print(np.asarray(cotan.jit(lambda v: v + 1)(x)))")
    assert "[[0. 1. 2.]\n [3. 4. 5.]]" in out


@pytest.mark.parametrize(
    "mode, message",
    [
        ("major1", "RuntimeError: [pjrt] PATH speaks PJRT 1.115"),
        ("null", "RuntimeError: [pjrt] PATH gave no API"),
        ("tiny", "RuntimeError: [pjrt] PATH (PJRT 0.115) lacks function"),
        (
            "no_client",
            "RuntimeError: [pjrt] creating a client failed: NOT_FOUND: no "
            "device of this kind was found",
        ),
    ],
)
def test_opening(attempt, fake_plugin, mode, message):
    out = attempt(
        mode,
        "print(attempt(lambda: pjrt.load('pjrt:fake', PATH)))\n"
        "print(attempt(lambda: pjrt.load('pjrt:fake', PATH)))",
        CALL,
    )
    want = message.replace("PATH", str(fake_plugin))
    assert out.count(want) == 2, out


def test_not_a_plugin(attempt, tmp_path):
    text = tmp_path / "text.so"
    text.write_text("no library")
    out = attempt(
        "",
        f"print(attempt(lambda: pjrt.load('pjrt:a', {str(text)!r})))\n"
        "print(attempt(lambda: pjrt.load('pjrt:b', '/nowhere/plugin.so')))\n"
        "print(attempt(lambda: pjrt.load('pjrt:c', 'libm.so.6')))\n"
        "print(attempt(lambda: cotan.devices('pjrt:nothing')))",
        CALL,
    )
    assert f"RuntimeError: [pjrt] cannot open plugin {text}" in out
    assert "RuntimeError: [pjrt] cannot open plugin /nowhere/plugin.so" in out
    assert "libm.so.6 is not a PJRT plugin: it exports no GetPjrtApi" in out
    assert "COTAN_PJRT_PLUGIN is not set" in out


@pytest.mark.parametrize(
    "mode, message",
    [
        ("compile", "RuntimeError: [pjrt] compiling jit_f for pjrt:fake:0 "),
        ("parse", "This is about [sin]"),
        ("execute", "ValueError: [pjrt] running a program on pjrt:fake:0 "),
        (
            "cancelled",
            "RuntimeError: [pjrt] running a program on pjrt:fake:0 failed: "
            "CANCELLED: cancelled by the runtime",
        ),
        (
            "exhausted",
            "MemoryError: [pjrt] running a program on pjrt:fake:0 failed: "
            "RESOURCE_EXHAUSTED: out of memory while running",
        ),
        ("async", "failed: INTERNAL: the device caught fire"),
    ],
)
def test_running(attempt, mode, message):
    code = X + (
        "def f(v):\n    return cotan.numpy.sin(v) * 2\n"
        "print(attempt(lambda: np.asarray(cotan.jit(f)(x))))\n"
        "print(attempt(lambda: np.asarray(cotan.numpy.sin(x))))"
    )
    out = attempt(mode, code)
    assert message in out.replace("compiling f ", "compiling jit_f "), out


def test_async_errors_wait_for_the_value(attempt):
    code = X + (
        "y = cotan.jit(lambda v: v + 1)(x)\nprint('dispatched')\n"
        "print(attempt(lambda: y.block_until_ready()))"
    )
    out = attempt("async", code)
    assert out.index("dispatched") < out.index("the device caught fire")


def test_out_of_memory(attempt):
    out = attempt("oom", f"def f():\n    {X}    return x\nprint(attempt(f))")
    assert "MemoryError: [pjrt] copying to pjrt:fake:0 failed" in out


def test_a_newer_plugin_works(attempt):
    out = attempt(
        "newer",
        X + "print(np.asarray(cotan.jit(lambda v: v + 1)(x)).sum())\n"
        "print(pjrt.describe('pjrt:fake')['pjrt_api'])",
    )
    assert "15.0" in out and "0.9999" in out


def test_missing_functions(attempt):
    """A plugin that ends before the slots of ahead-of-time compilation."""
    code = X + (
        "print(np.asarray(cotan.jit(lambda v: v + 1)(x)).sum())\n"
        "from cotan import aot\n"
        "print(attempt(lambda: aot.topology('t', plugin=PATH)))\n"
        "print(d.memory_stats())"
    )
    out = attempt("old", code)
    assert "15.0" in out
    assert "NotImplementedError: [pjrt]" in out
