"""Control flow beside JAX: values, dtypes, weak types, gradients, batching,
printed jaxprs and errors. Each case is one source text, run by both."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax as clax

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

# name: expression of f(x) for a float32 vector of four.
CASES = {
    "scan sum": "lax.scan(lambda c, a: (c + a, c * a), 0., x)",
    "scan reverse": "lax.scan(lambda c, a: (c * a + 1, c), 1., x, "
    "reverse=True)",
    "scan tree": "lax.scan(lambda c, a: ({'u': c['v'] * a['s'], "
    "'v': c['u'] + a['t']}, (c['u'], a['s'])), {'u': x[0], 'v': x[1]}, "
    "{'s': x, 't': x * 2})",
    "scan length": "lax.scan(lambda c, _: (np.sin(c), c.sum()), x, None, "
    "length=5)",
    "scan none": "lax.scan(lambda c, a: (c * a, None), 1., x)",
    "scan const": "lax.scan(lambda c, a: (c + np.dot(x, x) * a, x[1] * c), "
    "0., x)",
    "scan shift": "lax.scan(lambda c, a: (np.roll(c, 1) * a, c), x, x)",
    "scan swap": "lax.scan(lambda c, a: ((c[1], c[0] + c[1]), c[0]), "
    "(x[0], x[1]), None, length=6)",
    "scan counter": "lax.scan(lambda c, a: ((c[0] + 1, c[1] * x[c[0]]), "
    "c[1]), (0, 1.), None, length=4)",
    "scan same carry": "lax.scan(lambda c, a: (c, c[0] * a), (x[0], x[1]), x)",
    "scan dead carry": "lax.scan(lambda c, a: ((c[0] * a, c[1] + 1.), None), "
    "(1., 0.), x)[0][0]",
    "scan empty": "lax.scan(lambda c, a: (c * a, c), 2., x[:0])",
    "scan nested": "lax.scan(lambda c, a: lax.scan(lambda d, b: "
    "(d * b + a, d), c, x), 1., x)",
    "scan big": "lax.scan(lambda c, a: (np.tanh(c * a) + c[::-1], c.sum()), "
    "np.ones(300), x)",
    "scan update": "lax.scan(lambda c, a: (c.at[a.astype(int) % 100]"
    ".add(a), c[3]), np.zeros(100), x)",
    "scan matmul": "lax.scan(lambda c, a: (np.tanh(c @ np.outer(x, x)) + a, "
    "c), x, x)",
    "scan unroll": "lax.scan(lambda c, a: (c + a * c, c), 1., x, unroll=2)",
    "cond": "lax.cond(x[0] > 0, lambda a: a * 2, lambda a: np.sin(a), x)",
    "cond false": "lax.cond(x[0] > 9, lambda a: a * 2, lambda a: np.sin(a), x)",
    "cond closure": "lax.cond(x[0] > 0, lambda: x * 3, lambda: x[::-1] ** 2)",
    "cond tree": "lax.cond(x[1] > 0, lambda a, b: {'p': a, 'q': b * a}, "
    "lambda a, b: {'p': b, 'q': a}, x[0], x[1])",
    "cond number": "lax.cond(3, lambda: x, lambda: -x)",
    "cond same": "lax.cond(x[0] > 0, lambda a: (a, a * 2), lambda a: "
    "(a, a), x)",
    "cond in scan": "lax.scan(lambda c, a: (lax.cond(a > c, lambda: a * c, "
    "lambda: c - a), c), 0.5, x)",
    "scan in cond": "lax.cond(x[0] > 0, lambda: lax.scan(lambda c, a: "
    "(c * a, c), 1., x), lambda: (x[0], x))",
    "switch": "[lax.switch(i, [lambda a: a, lambda a: a * a, "
    "lambda a: np.cos(a)], x) for i in (-1, 0, 1, 2, 7)]",
    "fori": "lax.fori_loop(0, 5, lambda i, c: c * x + i, x)",
    "fori from": "lax.fori_loop(2, 5, lambda i, c: c + i * x[0], 1.)",
    "fori none": "lax.fori_loop(3, 3, lambda i, c: c * 2, x)",
    "map": "lax.map(lambda a: np.sin(a) * x, x)",
    "map batch": "lax.map(lambda a: a * a, np.concatenate([x, x * 2, x]), "
    "batch_size=5)",
    "associative scan": "lax.associative_scan(np.multiply, x)",
    "stop": "lax.scan(lambda c, a: (lax.stop_gradient(c) * a, c), 1., x)",
    "checkpoint": "lax.scan(jax.checkpoint(lambda c, a: (np.sin(c * a), c)), "
    "1., x)",
    "remat": "jax.remat(lambda a: np.sin(np.sin(a) * x))(x)",
    "barrier": "lax.optimization_barrier((x, x * 2))",
    "odeint": "lax.fori_loop(0, 20, lambda i, y: y + 0.05 * "
    "np.stack([y[1], -y[0], y[3], -y[2] ** 3]), x)",
}
FORWARD = {
    "while": "lax.while_loop(lambda c: c.sum() < 50, lambda c: c * 1.5 + "
    "0.1, np.abs(x))",
    "while tree": "lax.while_loop(lambda c: c[0] < 6, lambda c: "
    "(c[0] + 1, c[1] * x), (0, x))",
    "while none": "lax.while_loop(lambda c: c[0] > 1e9, lambda c: c * 2, x)",
    "while const": "lax.while_loop(lambda c: c[0] < np.abs(x).sum() * 9, "
    "lambda c: (c[0] * 2 + 1, c[1]), (1., x[0]))",
    "while big": "lax.while_loop(lambda c: c[0] < 3, lambda c: "
    "(c[0] + 1, np.roll(c[1], 1) + x[0]), (0, np.ones(500)))",
    "fori dynamic": "lax.fori_loop(0, (np.abs(x[0]) * 0 + 4).astype(int), "
    "lambda i, c: c * x, x)",
    "newton": "lax.while_loop(lambda c: np.abs(c[1]) > 1e-5, lambda c: "
    "(c[0] - (c[0] ** 2 - 2) / (2 * c[0]), c[0] ** 2 - 2), "
    "(1. + np.abs(x[0]), 1.))",
}
X = np.array([0.8, -0.6, 1.3, 0.4], "float32")
BATCH = np.stack([X, -X, X[::-1] * 0.5])


def function(api, module, lax, text):
    names = {"lax": lax, "np": module, "jax": api, "abs": abs}

    def f(x):
        return eval(text, {**names, "x": x})

    def loss(x):
        leaves = api.tree_util.tree_leaves(f(x))
        total = 0.0
        for i, y in enumerate(leaves):
            y = module.asarray(y)
            if module.issubdtype(y.dtype, module.inexact):
                total = total + (y * (0.3 + i)).sum()
        return total

    return f, loss


def check(got, want, where):
    got, tree = cotan.tree_util.tree_flatten(got)
    want, want_tree = jax.tree_util.tree_flatten(want)
    assert str(tree) == str(want_tree), where
    for a, b in zip(got, want, strict=True):
        b = jnp.asarray(b)
        assert np.dtype(a.dtype) == np.dtype(b.dtype), where
        assert a.shape == b.shape, where
        assert a.weak_type == b.weak_type, f"{where}: weak type"
        np.testing.assert_allclose(
            np.asarray(a), np.asarray(b), rtol=3e-4, atol=3e-5, err_msg=where
        )


def values(api, module, lax, text, reverse):
    f, loss = function(api, module, lax, text)
    t = np.linspace(-1, 1, 4, dtype="float32")
    yield "eager", lambda: f(module.asarray(X))
    yield "jit", lambda: api.jit(f)(X)
    yield "jvp", lambda: api.jvp(loss, (X,), (t,))
    yield "vmap", lambda: api.vmap(f)(BATCH)
    yield "jit vmap", lambda: api.jit(api.vmap(f))(BATCH)
    if reverse:
        yield "grad", lambda: api.grad(loss)(X)
        yield "jit grad", lambda: api.jit(api.grad(loss))(X)
        yield "vmap grad", lambda: api.vmap(api.grad(loss))(BATCH)
        yield "hessian", lambda: api.jacfwd(api.jacrev(loss))(X)


@pytest.mark.parametrize("name", [*CASES, *FORWARD])
def test_as_jax(name):
    text = {**CASES, **FORWARD}[name]
    ours = values(cotan, cnp, clax, text, name in CASES)
    theirs = values(jax, jnp, jax.lax, text, name in CASES)
    failed = []
    for (mode, got), (_, want) in zip(ours, theirs, strict=True):
        try:
            check(got(), want(), f"{name} ({mode})")
        except Exception as e:
            failed.append(f"{mode}: {type(e).__name__}: {str(e)[:400]}")
    assert not failed, f"{name}: {text}\n" + "\n".join(failed)


PRINTED = [
    "lambda p, x: lax.cond(p, np.sin, np.cos, x)",
    "lambda p, x: lax.switch(p.astype(int) + 1, [np.sin, np.cos, np.tan], x)",
    "lambda p, x: lax.scan(lambda c, _: (c * x, c), x, None, length=3)",
    "lambda p, x: lax.while_loop(lambda c: c < 3, lambda c: c * x, x)",
    "lambda p, x: lax.fori_loop(0, 3, lambda i, c: c * x, x)",
]


@pytest.mark.parametrize("text", PRINTED)
def test_prints_as_jax(text):
    ours = eval(text, {"lax": clax, "np": cnp})
    theirs = eval(text, {"lax": jax.lax, "np": jnp})
    args = True, 1.0
    got = str(cotan.make_jaxpr(ours)(*args))
    want = str(jax.make_jaxpr(theirs)(*args))
    assert got.split() == want.split(), f"\n{got}\n{want}"


ERRORS = [
    "lax.cond(True, lambda: 1, lambda: 2.)",
    "lax.cond(True, lambda: (1, 2), lambda: 1)",
    "lax.cond(np.ones(2), lambda: 1, lambda: 2)",
    "lax.cond(None, lambda: 1, lambda: 2)",
    "lax.cond('x', lambda: 1, lambda: 2)",
    "lax.cond(1j, lambda: 1, lambda: 2)",
    "lax.cond(True, 1, 2)",
    "lax.switch(1.5, [lambda: 1, lambda: 2])",
    "lax.switch(np.ones(2, int), [lambda: 1, lambda: 2])",
    "lax.switch(0, [])",
    "lax.switch(0, [lambda: 1, lambda: np.ones(2)])",
    "lax.while_loop(lambda c: 1, lambda c: c, 0)",
    "lax.while_loop(lambda c: (c, c), lambda c: c, 0)",
    "lax.while_loop(lambda c: c < np.ones(2), lambda c: c, 0)",
    "lax.while_loop(lambda c: c < 1, lambda c: c + np.ones(2), 0.)",
    "lax.while_loop(lambda c: c[0] < 1, lambda c: [c[0], c[1]], (0., 1.))",
    "lax.while_loop(1, lambda c: c, 0)",
    "lax.scan(lambda c, a: (c, a), 0, (np.ones(3), np.ones(4)))",
    "lax.scan(lambda c, a: c, 0, np.ones(3))",
    "lax.scan(lambda c, a: (c, c), 0, None)",
    "lax.scan(lambda c, a: (c, c), 0, 3.)",
    "lax.scan(lambda c, a: (c, c), 0, np.ones(3), length=4)",
    "lax.scan(lambda c, a: (c[None], c), np.ones(3), np.ones(3))",
    "lax.scan(lambda c, a: ({'a': c['a'], 'b': c['a'] * 1j}, None), "
    "{'a': np.ones(2), 'b': np.ones(2)}, None, length=2)",
    "lax.scan(lambda c, a: ((c, c), None), np.ones(2), None, length=2)",
    "lax.scan(lambda c, a: (c, c), 0, np.ones(3), unroll=-1)",
    "lax.scan(1, 0, np.ones(3))",
    "lax.fori_loop(0, 3, lambda i, c: np.ones(3), 0.)",
    "lax.fori_loop(np.uint8(0), np.int32(3), lambda i, c: c, 0.)",
    "lax.fori_loop(0, 3, 1, 0.)",
    "jax.grad(lambda x: lax.while_loop(lambda c: c < 3., lambda c: c * 2, "
    "x))(1.)",
    "jax.jit(lambda n: lax.scan(lambda c, a: (c, c), 0., None, length=n))(3)",
    "jax.vmap(lambda x: jax.pure_callback(lambda a: a, x, x))(np.ones(3))",
    "jax.grad(lambda x: jax.pure_callback(lambda a: a, x, x))(1.)",
]


def error_of(api, module, lax, text):
    try:
        eval(text, {"jax": api, "np": module, "lax": lax})
    except Exception as e:
        return e
    return None


@pytest.mark.parametrize("text", ERRORS)
def test_errors_as_jax(text):
    got = error_of(cotan, cnp, clax, text)
    want = error_of(jax, jnp, jax.lax, text)
    assert want is not None, "JAX takes it"
    classes = [
        c.__name__ for c in type(want).__mro__ if c.__module__ == "builtins"
    ]
    assert any(c.__name__ == classes[0] for c in type(got).__mro__), (
        f"{type(got).__name__}: {got}\nJAX: {type(want).__name__}: {want}"
    )


def test_error_texts():
    def message(text):
        return str(error_of(cotan, cnp, clax, text))

    text = (
        "lax.scan(lambda state, a: ({'a': state['a'], 'b': state['a'] * 1j}, "
        "None), {'a': np.ones(2), 'b': np.ones(2)}, None, length=2)"
    )
    got = message(text)
    assert "state['b'] has type float32[2]" in got
    assert "has type complex64[2], so the dtypes do not match" in got
    got = message("lax.cond(True, lambda: {'p': 1}, lambda: {'p': 2.})")
    assert "at path ['p'] has type int32[]" in got.replace("~", "")
    got = message("lax.cond(True, lambda: (1, 2), lambda: 1)")
    assert "must have the same pytree structure" in got
    got = message(
        "jax.grad(lambda x: lax.while_loop(lambda c: c < 3., "
        "lambda c: c * 2, x))(1.)"
    )
    assert "checkpointed_while" in got
