"""For libraries that extend cotan, as `jax.extend`."""

import importlib

from cotan._src import absent

_MODULES = ("core", "linear_util", "source_info_util")
__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"cotan.extend.{name}")
    raise absent.error(__name__, name)
