"""Trains a small neural network on handwritten digits, from scratch.

    python examples/digits.py [--output FOLDER] [--epochs N]

The images (1,797 of 8x8 pixels) come with scikit-learn. The network, the loss
and Adam are a few lines of cotan.numpy; `jit(value_and_grad(...))` makes one
native program of the whole training step. Writes digits.png: the loss curve,
the confusion matrix and sample predictions.
"""

import argparse
import itertools
import os
import sys
import time

import numpy as np

import cotan
import cotan.numpy as cnp
from cotan import nn, random

LAYERS = (64, 128, 64, 10)


def load_digits(seed=0, held_out=360):
    """((x, y) to train on, (x, y) held out); x is f32[n, 64] in [0, 1]."""
    from sklearn.datasets import load_digits as load

    images, labels = load(return_X_y=True)
    x = (images / 16.0).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], labels[order].astype(np.int32)
    return (x[held_out:], y[held_out:]), (x[:held_out], y[:held_out])


def init_network(key, sizes=LAYERS):
    """A list of layers {"w": f32[n, m], "b": f32[m]}."""
    layers = []
    for n, m in itertools.pairwise(sizes):
        key, sub = random.split(key)
        layers.append(
            {
                "w": random.normal(sub, (n, m)) * np.sqrt(2.0 / n),
                "b": cnp.zeros(m),
            }
        )
    return layers


def logits(params, x):
    for layer in params[:-1]:
        x = nn.relu(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


def loss(params, x, y):
    """Mean cross entropy of f32[n, 64] images and i32[n] labels."""
    log_p = nn.log_softmax(logits(params, x))
    return -cnp.mean(cnp.sum(log_p * nn.one_hot(y, 10), axis=1))


def adam_init(params):
    zeros = cotan.tree.map(cnp.zeros_like, params)
    return {"m": zeros, "v": zeros, "t": cnp.zeros(())}


def adam(params, grads, state, rate=2e-3, b1=0.9, b2=0.999, eps=1e-8):
    t = state["t"] + 1
    m = cotan.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state["m"], grads)
    v = cotan.tree.map(
        lambda v, g: b2 * v + (1 - b2) * g * g, state["v"], grads
    )
    scale = rate * cnp.sqrt(1 - b2**t) / (1 - b1**t)
    new = cotan.tree.map(
        lambda p, m, v: p - scale * m / (cnp.sqrt(v) + eps), params, m, v
    )
    return new, {"m": m, "v": v, "t": t}


@cotan.jit
def train_step(params, state, x, y):
    value, grads = cotan.value_and_grad(loss)(params, x, y)
    params, state = adam(params, grads, state)
    return params, state, value


predict = cotan.jit(lambda params, x: cnp.argmax(logits(params, x), axis=1))


def accuracy(params, x, y):
    return float(np.mean(np.asarray(predict(params, x)) == y))


def batches(x, y, size, rng):
    order = rng.permutation(len(x))
    for i in range(0, len(x) - size + 1, size):
        yield x[order[i : i + size]], y[order[i : i + size]]


def progress(done, total, text, stream=sys.stderr):
    width = 30
    full = width * done // total
    bar = "#" * full + "." * (width - full)
    end = "\n" if done == total else ""
    stream.write(f"\r  [{bar}] {done:3d}/{total}  {text}{end}")
    stream.flush()


def train(epochs=30, batch=64, seed=0):
    """(params, losses, held-out accuracy, seconds, steps)."""
    (x, y), (x_test, y_test) = load_digits(seed)
    params = init_network(random.key(seed))
    state = adam_init(params)
    rng = np.random.default_rng(seed)

    start = time.perf_counter()
    train_step(params, state, x[:batch], y[:batch])[2].block_until_ready()
    print(
        f"  traced and compiled the training step in "
        f"{1e3 * (time.perf_counter() - start):.0f} ms"
    )

    losses, steps, start = [], 0, time.perf_counter()
    for epoch in range(epochs):
        for xb, yb in batches(x, y, batch, rng):
            params, state, value = train_step(params, state, xb, yb)
            losses.append(float(value))
            steps += 1
        right = accuracy(params, x_test, y_test)
        progress(
            epoch + 1,
            epochs,
            f"loss {losses[-1]:.4f}  held-out accuracy {right:.1%}",
        )
    return params, losses, right, time.perf_counter() - start, steps


def numpy_logits(params, x):
    for layer in params[:-1]:
        x = np.maximum(x @ layer["w"] + layer["b"], 0)
    return x @ params[-1]["w"] + params[-1]["b"]


def fastest(f, repeat=5, number=200):
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(number):
            f()
        best = min(best, (time.perf_counter() - start) / number)
    return best


def show_latency(params):
    (_, _), (x_test, _) = load_digits()
    one = cnp.asarray(x_test[:1])
    compiled = cotan.jit(logits)
    host = cotan.device_get(params)
    np.testing.assert_allclose(
        compiled(params, one),
        numpy_logits(host, x_test[:1]),
        rtol=1e-4,
        atol=1e-4,
    )
    ours = fastest(lambda: compiled(params, one))
    numpys = fastest(lambda: numpy_logits(host, x_test[:1]))
    print(
        f"  one prediction: cotan {1e6 * ours:.1f} us, "
        f"NumPy {1e6 * numpys:.1f} us ({numpys / ours:.1f} x)"
    )


def plot(params, losses, path):
    try:
        import matplotlib
    except ImportError:
        print("  (install matplotlib for the picture)")
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    (_, _), (x, y) = load_digits()
    guess = np.asarray(predict(params, x))
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (y, guess), 1)

    fig = plt.figure(figsize=(11, 7.5), layout="constrained")
    top, bottom = fig.subfigures(2, 1, height_ratios=[1.5, 1])
    curve, grid = top.subplots(1, 2)
    curve.semilogy(losses, linewidth=0.8)
    curve.set(title="Training loss", xlabel="step", ylabel="cross entropy")
    curve.grid(alpha=0.3)
    grid.imshow(matrix, cmap="Blues")
    for i, j in np.ndindex(10, 10):
        if matrix[i, j]:
            grid.text(
                j,
                i,
                matrix[i, j],
                ha="center",
                va="center",
                size=8,
                color="white" if matrix[i, j] > 20 else "black",
            )
    grid.set(
        title="Held-out images",
        xlabel="predicted",
        ylabel="true",
        xticks=range(10),
        yticks=range(10),
    )
    wrong_first = np.argsort(guess == y, kind="stable")[:20]
    for k, ax in zip(wrong_first, bottom.subplots(2, 10).flat, strict=True):
        ax.imshow(x[k].reshape(8, 8), cmap="gray_r")
        ok = guess[k] == y[k]
        ax.set_title(
            f"{guess[k]}" if ok else f"{guess[k]} (is {y[k]})",
            size=9,
            color="black" if ok else "crimson",
        )
        ax.axis("off")
    fig.savefig(path, dpi=110)
    print(f"  wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="out")
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)

    print("The gradient of a one-line function, as a jaxpr:")
    print(
        cotan.make_jaxpr(cotan.grad(lambda x: cnp.sum(cnp.tanh(x))))(
            cnp.ones(3)
        )
    )
    sizes = "-".join(map(str, LAYERS))
    print(f"\nTraining a {sizes} network on handwritten digits:")
    params, losses, right, seconds, steps = train(args.epochs)
    print(
        f"  {steps} steps in {seconds:.2f} s: {steps / seconds:.0f} "
        f"steps per second; held-out accuracy {right:.1%}"
    )
    show_latency(params)
    plot(params, losses, os.path.join(args.output, "digits.png"))
    if right < 0.97:
        sys.exit(f"held-out accuracy {right:.1%} is below 97 %")


if __name__ == "__main__":
    main()
