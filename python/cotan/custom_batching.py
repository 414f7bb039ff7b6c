"""Functions with a batching rule of their own, as `jax.custom_batching`."""

from __future__ import annotations

from cotan._src import absent
from cotan._src.custom_batching import custom_vmap, sequential_vmap

__all__ = ["custom_vmap", "sequential_vmap"]


def __getattr__(name):
    raise absent.error(__name__, name)
