"""Functions of SciPy, as in `jax.scipy`."""

import importlib

from cotan._src import absent

__all__ = [
    "cluster",
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "optimize",
    "signal",
    "sparse",
    "spatial",
    "special",
    "stats",
]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"cotan.scipy.{name}")
    raise absent.error(__name__, name)


def __dir__():
    return __all__
