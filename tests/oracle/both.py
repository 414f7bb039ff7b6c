"""One expression, evaluated with JAX and with cotan.

In an expression `jax`, `jnp`, `lax`, `np` and the names given stand for the
one library or the other.
"""

from __future__ import annotations

import warnings

import ml_dtypes
import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402
from jax import lax as jax_lax  # noqa: E402

import cotan  # noqa: E402
import cotan.numpy as cnp  # noqa: E402
from cotan import lax as cotan_lax  # noqa: E402

LIBRARIES = {
    "jax": {"jax": jax, "jnp": jnp, "lax": jax_lax, "np": np},
    "cotan": {"jax": cotan, "jnp": cnp, "lax": cotan_lax, "np": np},
}


class x64:
    """64-bit types on or off in both libraries."""

    def __init__(self, on):
        self.on = on

    def __enter__(self):
        self.jax, self.cotan = (
            jax.enable_x64(self.on),
            cotan.enable_x64(self.on),
        )
        self.jax.__enter__(), self.cotan.__enter__()

    def __exit__(self, *exc):
        self.cotan.__exit__(*exc), self.jax.__exit__(*exc)


def run(library, expression, **names):
    """The value of the expression, or the exception it raises."""
    scope = {**LIBRARIES[library], **{k: v for k, v in names.items()}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(expression, scope)
        except Exception as e:
            return e


def library_dtype(name):
    """What dtype arguments take for a dtype's name."""
    return ml_dtypes.bfloat16 if name == "bfloat16" else name


def standard_class(e):
    """The builtin class that code would catch."""
    for c in (
        TypeError,
        IndexError,
        KeyError,
        OverflowError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        AttributeError,
    ):
        if isinstance(e, c):
            return c.__name__
    return type(e).__name__


def describe(x):
    """dtype, shape and weak type of a leaf."""
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        name = np.dtype(x.dtype).name if x.dtype.names is None else "float0"
        return name, tuple(x.shape), bool(getattr(x, "weak_type", False))
    return type(x).__name__


# Both round results in 16 bits, not always after the same step.
HALF_RTOL = {"float16": 2e-3, "bfloat16": 1.6e-2}


def compare(expression, want, got, rtol, atol=0.0):
    """Fails unless both are errors of one class or equal trees of arrays."""
    if isinstance(want, Exception) or isinstance(got, Exception):
        same = (
            isinstance(want, Exception)
            and isinstance(got, Exception)
            and standard_class(want) == standard_class(got)
        )
        assert same, f"{expression}\nJAX:   {want!r}\ncotan: {got!r}"
        return
    want = jax.tree.leaves(want)
    got = cotan.tree.leaves(got)
    assert len(want) == len(got), expression
    for w, g in zip(want, got, strict=True):
        assert describe(g) == describe(w), (
            f"{expression}\nJAX:   {describe(w)}\ncotan: {describe(g)}"
        )
        if describe(w)[0] == "float0":
            continue
        a, b = np.asarray(g), np.asarray(w)
        if a.dtype.name == "bfloat16":
            a, b = a.astype("f4"), b.astype("f4")
        if a.dtype.kind in "fc":
            np.testing.assert_allclose(
                a,
                b,
                rtol=max(rtol, HALF_RTOL.get(describe(w)[0], 0)),
                atol=atol,
                err_msg=expression,
            )
        else:
            np.testing.assert_array_equal(a, b, err_msg=expression)
