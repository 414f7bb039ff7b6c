"""The core's primitives under JAX's names: `sin_p`, `scan_p`, ..."""

from cotan._src import absent
from cotan._src.primitives import primitive_variable, variables


def __getattr__(name):
    found = primitive_variable(name)
    if found is None:
        raise absent.error(__name__, name)
    return found


def __dir__():
    return sorted(variables())
