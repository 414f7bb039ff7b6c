"""Programs against jax.extend and jax.interpreters, run with both libraries."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import cotan  # noqa: E402


class Library:
    """cotan or JAX under the names of JAX."""

    def __init__(self, name):
        self.name = name
        self.jax = importlib.import_module(name)
        for part in (
            "numpy",
            "lax",
            "extend.core",
            "interpreters.ad",
            "interpreters.batching",
            "interpreters.mlir",
            "custom_batching",
            "custom_derivatives",
        ):
            importlib.import_module(f"{name}.{part}")
        self.jnp, self.lax = self.jax.numpy, self.jax.lax
        self.core = self.jax.extend.core
        self.custom_batching = self.jax.custom_batching
        self.custom_derivatives = self.jax.custom_derivatives
        self.ShapedArray = self.jax.core.ShapedArray
        interpreters = self.jax.interpreters
        self.ad, self.mlir = interpreters.ad, interpreters.mlir
        self.batching = interpreters.batching


COTAN, JAX = Library("cotan"), Library("jax")


def same(program, rtol=2e-5, atol=1e-6):
    """program(library) gives equal trees of arrays and texts."""
    ours = cotan.tree_util.tree_leaves(program(COTAN))
    theirs = jax.tree_util.tree_leaves(program(JAX))
    assert texts(ours) == texts(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(a, str):
            assert a == b
            continue
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def texts(leaves):
    return [x for x in leaves if isinstance(x, str)]
