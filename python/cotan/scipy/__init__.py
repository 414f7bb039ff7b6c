"""Functions of SciPy, as in `jax.scipy`."""

import importlib

__all__ = [
    "cluster",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "signal",
    "spatial",
    "special",
    "stats",
]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"cotan.scipy.{name}")
    raise AttributeError(f"module 'cotan.scipy' has no attribute {name!r}")


def __dir__():
    return __all__
