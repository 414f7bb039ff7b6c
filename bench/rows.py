"""The rows of the table. Each builds its contestants, checks that they agree,
and times them. A row gives {contestant: seconds}."""

import functools
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import cotan
import cotan.numpy as cnp
from bench.timing import race
from cotan import nn

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = jnp = None

ROWS = {}


class Row(NamedTuple):
    measure: Callable
    bar: float | None  # cotan's time over the peer's, at most
    limit: float | None  # seconds, at most
    peers: str  # a peer's name, or "best"


def row(name, bar=None, limit=None, peers="best"):
    """Registers a row and what cotan must reach in it."""

    def register(f):
        ROWS[name] = Row(f, bar, limit, peers)
        return f

    return register


def _agree(values, rtol=2e-5, atol=2e-5):
    first = None
    for name, v in values.items():
        flat = [
            np.asarray(x, np.float64)
            for x in (v if isinstance(v, (list, tuple)) else [v])
        ]
        if first is None:
            first = flat
            continue
        for a, b in zip(first, flat, strict=True):
            np.testing.assert_allclose(a, b, rtol, atol, err_msg=name)


def _check_and_race(contestants, **tolerance):
    _agree({name: f() for name, f in contestants.items()}, **tolerance)
    return race(contestants)


def _wait(f):
    """JAX dispatches asynchronously: its calls are awaited."""
    return lambda: jax.block_until_ready(f())


def _three(make_numpy, make_cotan, make_jax, **tolerance):
    contestants = {"cotan": make_cotan()}
    if make_numpy:
        contestants["numpy"] = make_numpy()
    if jax and make_jax:
        contestants["jax"] = _wait(make_jax())
    return _check_and_race(contestants, **tolerance)


def _data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


# ---- calls


@row("eager x + y, f32[8]", bar=1.0, peers="numpy")
def eager_add():
    a, b = _data(8), _data(8, seed=1)
    x, y = cnp.asarray(a), cnp.asarray(b)
    jx, jy = (jnp.asarray(a), jnp.asarray(b)) if jax else (None, None)
    return _three(
        lambda: lambda: a + b, lambda: lambda: x + y, lambda: lambda: jx + jy
    )


@row("jit(x * 2 + 1), f32[16]", bar=1 / 12, limit=0.35e-6, peers="jax")
def jit_small():
    a = _data(16)
    f = cotan.jit(lambda x: x * 2 + 1)
    x = cnp.asarray(a)
    g = jax and jax.jit(lambda x: x * 2 + 1)
    jx = jax and jnp.asarray(a)
    return _three(
        lambda: lambda: a * 2 + 1, lambda: lambda: f(x), lambda: lambda: g(jx)
    )


@row("20 arrays in, 20 out", bar=1 / 15, peers="jax")
def many_arrays():
    a = [_data(4, seed=i) for i in range(20)]
    xs = [cnp.asarray(v) for v in a]
    f = cotan.jit(lambda *v: [x + 1 for x in v])
    g = jax and jax.jit(lambda *v: [x + 1 for x in v])
    js = jax and [jnp.asarray(v) for v in a]
    return _three(None, lambda: lambda: f(*xs), lambda: lambda: g(*js))


def _mlp_weights(sizes=(32, 64, 64, 1)):
    return [0.2 * _data(n, m, seed=n + m) for n, m in itertools.pairwise(sizes)]


def _mlp(xp, relu, weights, x):
    for w in weights[:-1]:
        x = relu(x @ w)
    return x @ weights[-1]


@row("MLP 32-64-64-1, batch 1, Python", bar=0.2, limit=0.6e-6, peers="jax")
def mlp_python():
    weights, a = _mlp_weights(), _data(1, 32)
    ws = [cnp.asarray(w) for w in weights]
    f, x = cotan.jit(lambda x: _mlp(cnp, nn.relu, ws, x)), cnp.asarray(a)

    def in_jax():
        js = [jnp.asarray(w) for w in weights]
        g, jx = jax.jit(lambda x: _mlp(jnp, jax.nn.relu, js, x)), jnp.asarray(a)
        return lambda: g(jx)

    return _three(
        lambda: lambda: _mlp(np, lambda v: np.maximum(v, 0), weights, a),
        lambda: lambda: f(x),
        in_jax,
    )


@row("MLP 32-64-64-1, batch 1, C++", limit=0.3e-6)
def mlp_cpp():
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    prefix = os.path.dirname(cotan.__file__)
    with tempfile.TemporaryDirectory() as build:
        subprocess.run(
            [
                "cmake",
                "-S",
                os.path.join(here, "examples", "cpp"),
                "-B",
                build,
                "-DCMAKE_BUILD_TYPE=Release",
                f"-DCMAKE_PREFIX_PATH={prefix}",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        subprocess.run(
            ["cmake", "--build", build], check=True, stdout=subprocess.DEVNULL
        )
        out = subprocess.run(
            [os.path.join(build, "logistic")],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    return {"cotan": 1e-6 * float(re.search(r"([\d.]+) us a call", out)[1])}


# ---- tracing and compiling


@row("trace one equation", bar=1 / 12, limit=2e-6, peers="jax")
def trace_equation():
    n = 400

    def chain(x):
        for _ in range(n // 2):
            x = x * 1.5 + x
        return x

    a = _data(8)
    x = cnp.asarray(a)
    contestants = {"cotan": lambda: cotan.make_jaxpr(chain)(x)}
    if jax:
        jx = jnp.asarray(a)
        contestants["jax"] = lambda: jax.make_jaxpr(lambda v: chain(v))(jx)
    return {k: v / n for k, v in race(contestants, budget=0.5).items()}


def _compile_time(lower):
    """Least time of three compilations of programs never seen before."""
    best = float("inf")
    for i in range(4):
        lowered = lower(i)
        start = time.perf_counter()
        lowered.compile()
        best = min(best, time.perf_counter() - start)
    return best


@row("compile x * 2 + 1", limit=10e-3)
def compile_small():
    # Other constants are other programs.
    def lower(module, x):
        return lambda i: module.jit(lambda v: v * (2.0 + i) + (1.25 + i)).lower(
            x
        )

    out = {"cotan": _compile_time(lower(cotan, cnp.zeros(16)))}
    if jax:
        out["jax"] = _compile_time(lower(jax, jnp.zeros(16)))
    return out


def _mlp_loss(xp, tanh):
    def loss(ws, x, y):
        for w in ws[:-1]:
            x = tanh(x @ w)
        d = x @ ws[-1] - y
        return xp.mean(d * d)

    return loss


@row("compile MLP value_and_grad", bar=1 / 4, peers="jax")
def compile_gradient():
    def lower(module, xp):
        def make(i):
            sizes = (40 + 8 * i, 72 + 8 * i, 72 + 8 * i, 1)
            ws = [xp.asarray(w) for w in _mlp_weights(sizes)]
            loss = _mlp_loss(xp, xp.tanh)
            return module.jit(module.value_and_grad(loss)).lower(
                ws, xp.zeros((32, sizes[0])), xp.zeros((32, 1))
            )

        return make

    out = {"cotan": _compile_time(lower(cotan, cnp))}
    if jax:
        out["jax"] = _compile_time(lower(jax, jnp))
    return out


def _process(code):
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    # Installed packages have their bytecode; so may those of a clone.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    return time.perf_counter() - start


def _processes(codes, repeat=5):
    best = dict.fromkeys(codes, float("inf"))
    for _ in range(repeat):
        for name, code in codes.items():
            best[name] = min(best[name], _process(code))
    return best


@row("import, beyond numpy's", limit=60e-3)
def import_time():
    codes = {"numpy": "import numpy", "cotan": "import cotan, cotan.numpy"}
    if jax:
        codes["jax"] = "import jax, jax.numpy"
    t = _processes(codes)
    return {k: t[k] - t["numpy"] for k in t if k != "numpy"}


@row("fresh process to first gradient", bar=1 / 5, peers="jax")
def first_gradient():
    code = (
        "import {0}, {0}.numpy as xp\n"
        "def loss(ws, x):\n"
        "    for w in ws: x = xp.tanh(x @ w)\n"
        "    return xp.sum(x)\n"
        "ws = [xp.ones((32, 64)), xp.ones((64, 64)), xp.ones((64, 1))]\n"
        "g = {0}.jit({0}.grad(loss))(ws, xp.ones((8, 32)))\n"
        "g[0].block_until_ready()"
    )
    codes = {"cotan": code.format("cotan")}
    if jax:
        codes["jax"] = code.format("jax")
    return _processes(codes)


# ---- throughput


def _gelu(xp, x, y, z):
    inner = 0.7978845608028654 * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + xp.tanh(inner)) * y + z


def _elementwise(f, *arrays, numpy=True, **tolerance):
    """f(xp, *arrays) in the three libraries, compiled where they compile."""
    xs = [cnp.asarray(a) for a in arrays]
    ours = cotan.jit(functools.partial(f, cnp))

    def in_jax():
        js = [jnp.asarray(a) for a in arrays]
        theirs = jax.jit(functools.partial(f, jnp))
        return lambda: theirs(*js)

    return _three(
        (lambda: lambda: f(np, *arrays)) if numpy else None,
        lambda: lambda: ours(*xs),
        in_jax,
        **tolerance,
    )


@row("gelu(x) * y + z, 2^24", bar=1.0)
def gelu_chain():
    n = 1 << 24
    return _elementwise(
        _gelu,
        _data(n),
        _data(n, seed=1),
        _data(n, seed=2),
        rtol=1e-4,
        atol=1e-5,
    )


def _softmax(xp, x):
    e = xp.exp(x - xp.max(x, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


@row("softmax 4096x1024", bar=1.0)
def softmax():
    return _elementwise(_softmax, _data(4096, 1024), rtol=1e-4, atol=1e-6)


def _layernorm(xp, x, g, b):
    m = xp.mean(x, axis=1, keepdims=True)
    d = x - m
    v = xp.mean(d * d, axis=1, keepdims=True)
    return d / xp.sqrt(v + 1e-5) * g + b


@row("layernorm 4096x1024", bar=1.0)
def layernorm():
    return _elementwise(
        _layernorm,
        _data(4096, 1024),
        _data(1024, seed=1),
        _data(1024, seed=2),
        rtol=1e-4,
        atol=1e-4,
    )


@row("sum over axis 0, 4096x4096", bar=1.0)
def sum_columns():
    return _elementwise(
        lambda xp, x: xp.sum(x, axis=0), _data(4096, 4096), rtol=1e-3, atol=1e-2
    )


@row("sum over axis 1, 4096x4096", bar=1.0)
def sum_rows():
    return _elementwise(
        lambda xp, x: xp.sum(x, axis=1), _data(4096, 4096), rtol=1e-3, atol=1e-2
    )


def _math_row(name, n):
    @row(f"{name}, {n}", bar=1.0)
    def measure():
        x = np.abs(_data(n)) + 0.01
        return _elementwise(lambda xp, v: getattr(xp, name)(v), x)


for _name in ("exp", "log", "sin", "tanh"):
    for _n in (1 << 16, 1 << 22):
        _math_row(_name, _n)


def _matmul_row(n):
    @row(f"matmul {n}", bar=1.0)
    def measure():
        return _elementwise(
            lambda xp, x, y: xp.matmul(x, y),
            _data(n, n),
            _data(n, n, seed=1),
            rtol=1e-3,
            atol=1e-2,
        )


for _n in (64, 128, 256, 512, 1024, 2048):
    _matmul_row(_n)


@row("MLP 784-512-512-10 train step, batch 128", bar=1.0)
def train_step():
    weights = [0.05 * w for w in _mlp_weights((784, 512, 512, 10))]
    x, y = _data(128, 784), _data(128, 10, seed=3)

    def make(module, xp):
        ws = [xp.asarray(w) for w in weights]
        loss = _mlp_loss(xp, lambda v: xp.maximum(v, 0))

        def step(ws, x, y):
            g = module.grad(loss)(ws, x, y)
            return [w - 0.1 * d for w, d in zip(ws, g, strict=True)]

        f, a, b = module.jit(step), xp.asarray(x), xp.asarray(y)
        return lambda: f(ws, a, b)

    return _three(
        None,
        lambda: make(cotan, cnp),
        lambda: make(jax, jnp),
        rtol=1e-3,
        atol=1e-4,
    )


# ---- loops


def _rnn(scan, xp, w, u):
    def run(x):
        def cell(h, row):
            h = xp.tanh(w @ h + u @ row)
            return h, h

        return scan(cell, xp.zeros(32, "float32"), x)

    return run


def _rnn_row(number):
    w, u, x = 0.2 * _data(32, 32), 0.3 * _data(32, 16), _data(1000, 16)

    def make(module, xp):
        run = _rnn(module.lax.scan, xp, xp.asarray(w), xp.asarray(u))
        if number == 0:
            f = module.jit(run)
        else:
            f = module.jit(module.grad(lambda v: xp.sum(run(v)[1] ** 2)))
        v = xp.asarray(x)
        return lambda: f(v)

    return _three(
        None,
        lambda: make(cotan, cnp),
        lambda: make(jax, jnp),
        rtol=1e-3,
        atol=1e-3,
    )


@row("scan of an RNN cell, 32 units, 1000 steps", bar=0.5, peers="jax")
def rnn_scan():
    return _rnn_row(0)


@row("gradient of that scan", bar=0.5, peers="jax")
def rnn_gradient():
    return _rnn_row(1)


@row("while_loop of Newton steps, 10000", bar=1.0, peers="jax")
def newton_while():
    def make(module):
        def run(x):
            return module.lax.while_loop(
                lambda s: s[0] < 10_000,
                lambda s: (s[0] + 1, 0.5 * (s[1] + (2 + s[0]) / s[1])),
                (0, x),
            )[1]

        f = module.jit(run)
        return lambda: f(1.5)

    return _three(None, lambda: make(cotan), lambda: make(jax))


# ---- many small matrices


def _small_matrices_row(name, f, *shapes, positive=False, tolerance=2e-3):
    args = [_data(*s, seed=i) for i, s in enumerate(shapes)]
    if positive:
        a = args[0]
        args[0] = a @ a.swapaxes(1, 2) + 4 * np.eye(a.shape[-1], dtype=a.dtype)

    def make(module, xp):
        g = module.jit(functools.partial(f, module, xp))
        xs = [xp.asarray(a) for a in args]
        return lambda: g(*xs)

    @row(f"{name}, 10000 matrices", bar=1.0, peers="jax")
    def measure():
        return _three(
            None,
            lambda: make(cotan, cnp),
            lambda: make(jax, jnp),
            rtol=tolerance,
            atol=tolerance,
        )


for _n in (3, 8):
    _square, _vector = (10_000, _n, _n), (10_000, _n, 1)
    _small_matrices_row(
        f"cholesky {_n}x{_n}",
        lambda _, xp, a: xp.linalg.cholesky(a),
        _square,
        positive=True,
    )
    _small_matrices_row(
        f"solve {_n}x{_n}",
        lambda _, xp, a, b: xp.linalg.solve(a, b),
        _square,
        _vector,
        positive=True,
    )
    _small_matrices_row(
        f"inv {_n}x{_n}",
        lambda _, xp, a: xp.linalg.inv(a),
        _square,
        positive=True,
    )
    _small_matrices_row(
        f"eigh {_n}x{_n}",
        lambda _, xp, a: xp.linalg.eigh(a)[0],
        _square,
        positive=True,
        tolerance=1e-2,
    )
    _small_matrices_row(
        f"qr {_n}x{_n}", lambda _, xp, a: xp.linalg.qr(a), _square
    )
    _small_matrices_row(
        f"matmul {_n}x{_n}", lambda _, xp, a, b: a @ b, _square, _square
    )


# ---- convolutions


def _convolution_row(name, layout, n, size, c, features, kernel, **options):
    numbers = (layout, "HWIO" if layout == "NHWC" else "OIHW", layout)
    groups = options.get("feature_group_count", 1)
    extent = {"N": n, "C": c, "H": size, "W": size}
    weight = {"O": features, "I": c // groups, "H": kernel, "W": kernel}
    x = _data(*(extent[d] for d in numbers[0]))
    w = 0.1 * _data(*(weight[d] for d in numbers[1]), seed=1)

    def make(module, xp, grad):
        def f(x, w):
            return module.lax.conv_general_dilated(
                x, w, dimension_numbers=numbers, padding="SAME", **options
            )

        def loss(x, w):
            return xp.mean(f(x, w) ** 2)

        g = module.jit(module.grad(loss, (0, 1)) if grad else f)
        a, b = xp.asarray(x), xp.asarray(w)
        return lambda: g(a, b)

    for what, grad in (("", False), (", gradients", True)):

        @row(f"conv {name} {layout}{what}", bar=1.0, peers="jax")
        def measure(grad=grad):
            return _three(
                None,
                lambda: make(cotan, cnp, grad),
                lambda: make(jax, jnp, grad),
                rtol=1e-3,
                atol=1e-3,
            )


for _layout in ("NHWC", "NCHW"):
    _convolution_row(
        "3x3 64-64, 8x56x56", _layout, 8, 56, 64, 64, 3, window_strides=(1, 1)
    )
    _convolution_row(
        "7x7/2 3-64, 8x112x112",
        _layout,
        8,
        112,
        3,
        64,
        7,
        window_strides=(2, 2),
    )
    _convolution_row(
        "3x3 depthwise 64, 8x56x56",
        _layout,
        8,
        56,
        64,
        64,
        3,
        window_strides=(1, 1),
        feature_group_count=64,
    )
