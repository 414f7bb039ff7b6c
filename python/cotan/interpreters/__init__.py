"""The tables in which programs register rules for their primitives, as
`jax.interpreters`: `ad` (jvp, transpose), `batching`, `mlir` (lowering)."""

import importlib

from cotan._src import absent

_MODULES = ("ad", "batching", "mlir", "partial_eval", "xla")
__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"cotan.interpreters.{name}")
    raise absent.error(__name__, name)
