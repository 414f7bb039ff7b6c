"""`apply_primitive`: evaluation by compiling the lowering."""

from __future__ import annotations

import functools

from cotan._src import absent
from cotan._src.jit import jit
from cotan._src.primitives import Primitive

__all__ = ["apply_primitive"]


@functools.lru_cache(maxsize=1024)
def _program(prim: Primitive, items: tuple):
    return jit(functools.partial(prim.bind, **dict(items)))


def apply_primitive(prim: Primitive, *args, **params):
    """prim's results for arrays, by its lowering; for def_impl."""
    return _program(prim, tuple(sorted(params.items())))(*args)


def __getattr__(name):
    raise absent.error(__name__, name)
