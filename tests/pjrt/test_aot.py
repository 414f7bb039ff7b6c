"""Compiling for TPU topologies on a machine without a TPU (needs libtpu)."""

import importlib.util

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from tests import device
from tests.ops.case import arrays
from tests.ops.test_matrix import every_case

# What a TPU has no type for.
WIDE = ("float64", "complex128", "int64", "uint64")


def train_step(layers, width):
    """A step of gradient descent on a network of residual layers."""

    def loss(params, x, y):
        for w1, w2 in params:
            x = x + cnp.tanh(x @ w1) @ w2
        return cnp.mean((x - y) ** 2)

    def step(params, x, y):
        grads = cotan.grad(loss)(params, x, y)
        return [
            (a - 0.1 * da, b - 0.1 * db)
            for (a, b), (da, db) in zip(params, grads, strict=True)
        ]

    params = [
        (np.ones((width, width), "f4"), np.ones((width, width), "f4"))
        for _ in range(layers)
    ]
    x = np.ones((16, width), "f4")
    return step, (params, x, x)


def transformer_step(width=64, heads=4, length=32):
    """A training step of a transformer of two layers."""

    def attention(x, wq, wk, wv, wo):
        def split(v):
            return v.reshape(length, heads, width // heads).swapaxes(0, 1)

        q, k, v = split(x @ wq), split(x @ wk), split(x @ wv)
        scores = q @ k.swapaxes(1, 2) / np.sqrt(width // heads)
        mask = cnp.tril(cnp.ones((length, length), bool))
        scores = cnp.where(mask, scores, -1e9)
        out = cotan.nn.softmax(scores, axis=-1) @ v
        return out.swapaxes(0, 1).reshape(length, width) @ wo

    def norm(x):
        mean = cnp.mean(x, axis=-1, keepdims=True)
        var = cnp.var(x, axis=-1, keepdims=True)
        return (x - mean) / cnp.sqrt(var + 1e-5)

    def loss(params, tokens):
        x = params["embed"][tokens]
        for layer in params["layers"]:
            x = x + attention(norm(x), *layer["attention"])
            x = x + cotan.nn.gelu(norm(x) @ layer["up"]) @ layer["down"]
        logits = cotan.nn.log_softmax(norm(x) @ params["embed"].T)
        return -cnp.mean(
            cnp.take_along_axis(logits[:-1], tokens[1:, None], axis=1)
        )

    def step(params, tokens):
        grads = cotan.grad(loss)(params, tokens)
        return cotan.tree.map(lambda p, g: p - 0.1 * g, params, grads)

    def matrix(*shape):
        return np.ones(shape, "f4")

    layer = {
        "attention": [matrix(width, width) for _ in range(4)],
        "up": matrix(width, 4 * width),
        "down": matrix(4 * width, width),
    }
    params = {"embed": matrix(128, width), "layers": [layer, layer]}
    return step, (params, np.arange(length, dtype="i4"))


def digits_step(root):
    """The training step of examples/digits.py."""
    spec = importlib.util.spec_from_file_location(
        "digits", root / "examples" / "digits.py"
    )
    digits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(digits)
    params = digits.init_network(cotan.random.key(0))
    x, y = np.ones((64, 64), "f4"), np.zeros(64, "i4")

    def step(state, x, y):
        return digits.train_step(*state, x, y)[:2]

    return step, ((params, digits.adam_init(params)), x, y)


def scanned_steps(width=64, layers=4, steps=8):
    """Steps of gradient descent in a loop, of layers in a loop."""

    def loss(params, x, y):
        def layer(x, w):
            return x + cnp.tanh(x @ w[0]) @ w[1], None

        x, _ = lax.scan(cotan.checkpoint(layer), x, params)
        return cnp.mean((x - y) ** 2)

    def step(params, x, y):
        def one(params, batch):
            value, grads = cotan.value_and_grad(loss)(params, *batch)
            update = cotan.tree.map(lambda p, g: p - 0.1 * g, params, grads)
            return update, value

        return lax.scan(one, params, (x, y))

    w = np.ones((layers, width, width), "f4")
    x = np.ones((steps, 16, width), "f4")
    return step, ((w, w), x, x)


@pytest.mark.parametrize(
    "name, kind",
    [
        ("v4:2x2x1", "TPU v4"),
        ("v5e:2x2", "TPU v5 lite"),
        ("v5p:2x2x1", "TPU v5"),
        ("v6e:2x2", "TPU v6 lite"),
    ],
)
def test_train_steps_compile(topology, root, name, kind):
    t = topology(name)
    assert t.platform == "tpu" and len(t.devices) >= 4
    assert {d.device_kind for d in t.devices} == {kind}
    for step, args in (
        train_step(3, 128),
        transformer_step(),
        digits_step(root),
        scanned_steps(),
    ):
        jitted = cotan.jit(step, donate_argnums=0)
        compiled = jitted.lower(*args).compile(topology=t)
        memory = compiled.memory_analysis()
        weights = sum(w.nbytes for w in cotan.tree.leaves(args[0]))
        # The new weights take the place of the old ones.
        assert memory["alias_size_in_bytes"] >= weights
        assert compiled.cost_analysis()["flops"] > 0
        assert compiled.code_bytes > 0
        assert len(compiled.serialize()) > 1000
        assert "ENTRY" in compiled.as_text()


def test_checkpoints_save_memory(topology):
    """XLA would join a recomputation with the first computation."""

    def peak(wrap):
        @wrap
        def layer(x, w):
            for _ in range(8):
                x = cnp.tanh(x @ w)
            return x

        def loss(ws, x):
            for w in ws:
                x = layer(x, w)
            return cnp.sum(x)

        args = [np.ones((128, 128), "f4")] * 6, np.ones((4096, 128), "f4")
        lowered = cotan.jit(cotan.grad(loss)).lower(*args)
        compiled = lowered.compile(topology=topology("v5e:1x1"))
        return compiled.memory_analysis()["peak_memory_in_bytes"]

    assert peak(cotan.checkpoint) < peak(lambda f: f) / 2


@every_case
def test_every_primitive_compiles(topology, case):
    with cotan.enable_x64():
        dtype = case.main_dtype
        xs = arrays(case.make(dtype))
        if dtype in WIDE or any(x.dtype.name in WIDE for x in xs):
            pytest.skip("no such type on a TPU")
        lowered = cotan.jit(lambda *a: case.call(*a)).lower(*xs)
        if case.primitive in device.NO_STABLEHLO:
            with pytest.raises(NotImplementedError, match="as StableHLO"):
                lowered.as_text("stablehlo")
            return
    compiled = lowered.compile(topology=topology("v5e:2x2"))
    leaves = cotan.tree.leaves(lowered.out_info)
    want = [(a.dtype.name, a.shape) for a in leaves]
    assert compiled.outputs == want


def test_unknown_names(topology):
    with pytest.raises((ValueError, RuntimeError), match="v99:2x2"):
        topology("v99:2x2")


def test_it_does_not_run_here(topology):
    f = cotan.jit(lambda x: x + 1)
    compiled = f.lower(np.ones(3, "f4")).compile(topology=topology("v5e:1x1"))
    with pytest.raises(RuntimeError, match="does not run here"):
        compiled(np.ones(3, "f4"))


def test_no_tpu_is_an_error_that_helps(topology, run_python):
    out = run_python(
        "import cotan\n"
        "try:\n    cotan.devices('tpu')\n"
        "except RuntimeError as e:\n    print(e)\n"
        "print(cotan.jit(lambda x: x + 1)(1.0))",
        ALLOW_MULTIPLE_LIBTPU_LOAD="1",
    )
    assert "libtpu was found at" in out and "cotan.aot.topology" in out
    assert out.rstrip().endswith("2.0")
