"""Bad input raises the right class and says what was wrong.

Nothing may crash, hang, or allocate before it is checked. The expressions are
in bad_input.txt.
"""

import copy
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax, nn, random

# ---- expressions


def rows():
    text = pathlib.Path(__file__).parent / "bad_input.txt"
    for line in text.read_text().splitlines():
        if line and not line.startswith("#"):
            expression, error = line.split("  ~>  ")
            kind, message = error.split(": ", 1)
            yield expression, kind, message


ROWS = list(rows())


@pytest.fixture(scope="module")
def names():
    def f(x):
        return x * 2

    def branch(x):
        return x if x[0, 0] else -x

    deleted = cnp.ones(2000)
    cotan.jit(f, donate_argnums=0)(deleted)
    return {
        **{"cotan": cotan, "cnp": cnp, "lax": lax, "nn": nn, "np": np},
        **{"random": random, "pickle": pickle, "f": f, "branch": branch},
        "x": cnp.arange(6.0).reshape(2, 3),
        "long": cnp.ones(1 << 21),
        "column": cnp.ones((1 << 21, 1)),
        "deleted": deleted,
    }


@pytest.mark.parametrize(
    ("expression", "kind", "message"), ROWS, ids=[row[0] for row in ROWS]
)
def test_error(expression, kind, message, names):
    with pytest.raises(Exception) as caught:
        eval(expression, names)
    assert caught.type.__name__ == kind, caught.value
    assert message in str(caught.value)


# ---- axes: out of range, twice, of another type; and negative ones work.

ONE_AXIS = [
    *("argmax", "argmin", "cumsum", "cumprod", "sort", "argsort"),
    *("nanargmax", "nanargmin", "diff", "median"),
]
SEVERAL_AXES = [
    *("sum", "prod", "max", "min", "mean", "var", "std", "any", "all"),
    *("ptp", "nansum", "nanmean", "nanmax", "nanmin", "count_nonzero"),
    *("flip", "average"),
]
OTHER_AXES = {
    "take": lambda x, axis: cnp.take(x, cnp.array([0]), axis),
    "roll": lambda x, axis: cnp.roll(x, 1, axis),
    "repeat": lambda x, axis: cnp.repeat(x, 2, axis),
    "concatenate": lambda x, axis: cnp.concatenate([x, x], axis),
    "append": lambda x, axis: cnp.append(x, x, axis),
    "delete": lambda x, axis: cnp.delete(x, 0, axis),
    "insert": lambda x, axis: cnp.insert(x, 0, 1.0, axis),
    "split": lambda x, axis: cnp.split(x, 1, axis)[0],
    "moveaxis": lambda x, axis: cnp.moveaxis(x, axis, 0),
    "swapaxes": lambda x, axis: cnp.swapaxes(x, axis, 0),
    "softmax": nn.softmax,
    "log_softmax": nn.log_softmax,
    "logsumexp": nn.logsumexp,
    "vmap": lambda x, axis: cotan.vmap(lambda r: r * 2, axis, axis)(x),
    "lax.cumsum": lax.cumsum,
    "lax.sort": lambda x, axis: lax.sort(x, dimension=axis),
    "take_along_axis": lambda x, axis: cnp.take_along_axis(
        x, cnp.zeros(x.shape, "int32"), axis
    ),
}
AXES = {
    **{n: getattr(cnp, n) for n in (*ONE_AXIS, *SEVERAL_AXES)},
    **OTHER_AXES,
}


@pytest.mark.parametrize("name", AXES)
def test_axis(name):
    f, x = AXES[name], cnp.arange(24.0).reshape(2, 3, 4)
    for axis in (3, -4, 1 << 40, 1 << 70):
        with pytest.raises((ValueError, OverflowError)) as caught:
            f(x, axis=axis)
        if axis < 1 << 40:
            assert str(axis) in str(caught.value)
    for axis in (1.5, object()):
        with pytest.raises(TypeError):
            f(x, axis=axis)
    # A string may name the axis of a vmap.
    with pytest.raises((TypeError, NameError, NotImplementedError)):
        f(x, axis="a")
    for axis in range(3):
        np.testing.assert_array_equal(
            np.asarray(f(x, axis=axis)), np.asarray(f(x, axis=axis - 3))
        )


@pytest.mark.parametrize("name", SEVERAL_AXES)
def test_axis_given_twice(name):
    x = cnp.arange(24.0).reshape(2, 3, 4)
    for axis in ((0, 0), (1, -2)):
        with pytest.raises(ValueError, match=r"(?i)duplicate|repeated|twice"):
            getattr(cnp, name)(x, axis=axis)


# ---- donation


def test_donated_arrays():
    f = cotan.jit(lambda x, y: x * 2 + y, donate_argnums=0)
    x, y = cnp.ones(2000), cnp.ones(2000)
    f(x, y)
    assert x.is_deleted()
    assert not y.is_deleted()
    with pytest.raises(RuntimeError, match=r"deleted.*argument 0.*donated"):
        f(x, y)
    with pytest.raises(RuntimeError, match=r"deleted.*argument 1.*donated"):
        f(y, x)
    assert not y.is_deleted()  # a call that failed took nothing
    with pytest.raises(RuntimeError, match="deleted"):
        x + y
    # Given twice in one call: the program works on a copy.
    both = cotan.jit(lambda x, y: (x + 1, y + 2), donate_argnums=(0, 1))
    a, b = both(y, y)
    assert float(a[0]) == 2.0
    assert float(b[0]) == 3.0


def test_copies():
    x = cnp.arange(3.0)
    for y in (copy.copy(x), copy.deepcopy(x), copy.deepcopy({"a": x})["a"]):
        np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


# ---- depth


def in_a_process(program, timeout=300):
    root = pathlib.Path(__file__).resolve().parent.parent
    path = os.pathsep.join(
        [str(root / "python"), os.environ.get("PYTHONPATH", "")]
    )
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.mark.parametrize(
    ("transform", "equations"),
    [
        ("cotan.make_jaxpr(f)(x)", 100_000),
        ("cotan.grad(f)(x)", 100_000),
        ("cotan.jvp(f, (x,), (x,))", 100_000),
        ("cotan.vmap(f)(x[None])", 100_000),
        ("cotan.jit(f)(x)", 20_000),
        ("cotan.jit(cotan.grad(f))(x)", 5_000),
    ],
)
def test_long_chains(transform, equations):
    """No pass recurses over the equations: a small stack is enough. LLVM needs
    up to 2 MB for one kernel, whatever the length of the program."""
    stack = 1 << 19 if "jit" not in transform else 1 << 22
    done = in_a_process(
        f"""
        import resource, threading
        import cotan, cotan.numpy as cnp
        threading.stack_size({stack})
        def f(x):
            for _ in range({equations} // 2):
                x = x * 0.999 + x
            return cnp.sum(x)
        def work():
            x = cnp.ones(8)
            cotan.block_until_ready({transform})
            print("done")
        t = threading.Thread(target=work)
        t.start()
        t.join()
        """
    )
    assert done.stdout.strip() == "done", done.stderr[-2000:]
    assert done.returncode == 0


def test_deep_nesting():
    f = lambda x: x * 2  # noqa: E731
    for _ in range(250):
        f = cotan.jit(f)
    assert float(f(1.0)) == 2.0
    tree = cnp.ones(3)
    for _ in range(100_000):
        tree = [tree]
    with pytest.raises(RecursionError, match="pytree"):
        cotan.jit(lambda t: t)(tree)


# ---- Ctrl-C


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(
    "work",
    [
        "cotan.jit(chain)(x)",
        "cotan.jit(cotan.grad(chain))(x)",
        "cotan.make_jaxpr(chain)(x)",
        "cotan.grad(chain)(x)",
        "big @ big",
    ],
)
def test_interrupt(work):
    """KeyboardInterrupt long before the work is done; all works afterwards."""
    done = in_a_process(
        f"""
        import os, subprocess
        import cotan, cotan.numpy as cnp
        def chain(x):
            for _ in range(1_000_000):
                x = cnp.sin(x) * 0.5 + x
            return cnp.sum(x)
        x = cnp.ones(8)
        big = cnp.ones((12_000, 12_000)) if "big" in {work!r} else None
        # Another process: a thread of this one would wait for the GIL.
        kill = f"read go; sleep 0.3; kill -INT {{os.getpid()}}"
        child = subprocess.Popen(["sh", "-c", kill], stdin=subprocess.PIPE)
        try:
            os.write(child.stdin.fileno(), b"\\n")
            {work}
        except KeyboardInterrupt:
            print("interrupted")
        assert float(cotan.jit(lambda x: x * 2)(3.0)) == 6.0
        assert float(cotan.grad(lambda x: x * x)(3.0)) == 6.0
        print("usable")
        """,
        timeout=200,
    )
    assert done.stdout.split() == ["interrupted", "usable"], done.stderr[-2000:]


def test_interrupt_while_compiling():
    done = in_a_process(
        """
        import os, signal, threading, time
        import cotan, cotan.numpy as cnp
        def chain(x):
            for _ in range(40_000):
                x = cnp.sin(x) * 0.5 + x
            return cnp.sum(x)
        f = cotan.jit(chain)
        f.lower(cnp.ones(8))  # traced: what is left is to compile
        def interrupt():
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        try:
            f(cnp.ones(8))
        except KeyboardInterrupt:
            print("interrupted")
        assert float(cotan.jit(lambda x: x * 2)(3.0)) == 6.0
        print("usable")
        """
    )
    assert done.stdout.split() == ["interrupted", "usable"], done.stderr[-2000:]
    assert signal.getsignal(signal.SIGINT) is not None
