"""Tables of expressions, evaluated by cotan and by JAX.

A case is an expression over `operands`; after `#` may stand: `value` (no
gradient), `x64` (only in 64 bits), `raises` (the class of the error is
compared). JAX compiles all cases of a table as one program for the values and
one for the gradients: compiling each costs minutes.
"""

import re
import warnings

import numpy as np

import cotan
import cotan.numpy
from tests.numpy.compare import kind, leaves

RTOL = 1e-4


def cases(text):
    """(expression, set of marks) per line of a table."""
    for line in text.strip().splitlines():
        if line.strip():
            expression, _, marks = line.partition("  #")
            yield expression.strip(), set(marks.split())


def module_names(api, **extra):
    return {
        "jnp": api.numpy,
        "np": np,
        "api": api,
        "lax": api.lax,
        "nn": api.nn,
        **extra,
    }


def used(expression, operands):
    return [n for n in operands if re.search(rf"\b{n}\b", expression)]


def evaluate(expression, names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(expression, dict(names))


def weighted_sum(result, numpy):
    """A scalar whose gradient sees every element apart."""
    total = 0.0
    for leaf in leaves(result):
        if not hasattr(leaf, "dtype") or leaf.dtype.kind not in "fc":
            continue
        weights = 1.5 + np.cos(np.arange(leaf.size)).reshape(leaf.shape)
        total = total + numpy.sum(numpy.real(leaf) * weights.astype("float32"))
        if leaf.dtype.kind == "c":
            total = total + numpy.sum(numpy.imag(leaf))
    return total


def gradients(api, names, expression, operands):
    wanted = [
        n for n in used(expression, operands) if operands[n].dtype.kind == "f"
    ]
    fixed = {n: api.numpy.asarray(x) for n, x in operands.items()}

    def loss(*xs):
        now = {**names, **fixed, **dict(zip(wanted, xs, strict=True))}
        return weighted_sum(evaluate(expression, now), api.numpy)

    if not wanted:
        return ()
    return api.grad(loss, tuple(range(len(wanted))))(
        *(fixed[n] for n in wanted)
    )


def compare(got, want, rtol=RTOL):
    got, want = leaves(got), leaves(want)
    assert len(got) == len(want), f"{len(got)} results, not {len(want)}"
    for a, b in zip(got, want, strict=True):
        assert kind(a) == kind(b), f"{kind(a)}, not {kind(b)}"
        a, b = np.asarray(a), np.asarray(b)
        if b.dtype.kind in "fc":
            scale = np.max(np.abs(b[np.isfinite(b)]), initial=1e-2)
            np.testing.assert_allclose(
                a, b, rtol=rtol, atol=rtol / 10 * min(scale, 1e3)
            )
        else:
            np.testing.assert_array_equal(a, b)


def check(jax, text, operands, names=lambda api: {}, rtol=RTOL):
    """Fails with the list of cases that differ."""
    ours = module_names(cotan, **names(cotan))
    theirs = module_names(jax, **names(jax))
    table = list(cases(text))

    def all_values(operands):
        return [evaluate(e, {**theirs, **operands}) for e, _ in table]

    def all_gradients():
        return [
            () if "value" in marks else gradients(jax, theirs, e, operands)
            for e, marks in table
        ]

    wanted = jax.jit(all_values)(operands)
    wanted_gradients = jax.jit(all_gradients)()
    arrays = {n: cotan.numpy.asarray(x) for n, x in operands.items()}
    failed = []
    for (e, marks), want, slope in zip(
        table, wanted, wanted_gradients, strict=True
    ):
        part = "value"
        try:
            compare(evaluate(e, {**ours, **arrays}), want, rtol)
            part = "gradient"
            if "value" not in marks:
                got = gradients(cotan, ours, e, operands)
                compare(got, slope, rtol * 5)
        except Exception as error:
            lines = str(error).split("\n")
            failed.append(
                f"{e} ({part}): {type(error).__name__}: "
                + "\n    ".join(lines[:12])
            )
    assert not failed, f"{len(failed)} of {len(table)}\n" + "\n".join(failed)
