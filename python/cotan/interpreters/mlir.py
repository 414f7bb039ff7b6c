"""Lowering of primitives, as `jax.interpreters.mlir`: a rule is a function in
terms of other primitives (`lower_fun`), so it holds for every backend."""

from __future__ import annotations

from collections.abc import Callable

from cotan._src import absent
from cotan._src.primitives import Primitive

__all__ = ["lower_fun", "register_lowering"]


class _LoweredByTracing:
    __slots__ = ("fun", "multiple_results")

    def __init__(self, fun, multiple_results):
        self.fun, self.multiple_results = fun, multiple_results


def lower_fun(fun: Callable, multiple_results: bool = True):
    """A lowering that traces fun(*args, **params)."""
    if not callable(fun):
        raise TypeError(f"[lower_fun] expected a callable, got {fun!r}")
    return _LoweredByTracing(fun, multiple_results)


def register_lowering(
    prim: Primitive,
    rule,
    platform: str | None = None,
    inline: bool = True,
    cacheable: bool = True,
) -> object:
    """Registers what lower_fun made. Rules of a platform apply to all."""
    del platform, inline, cacheable
    if not isinstance(rule, _LoweredByTracing):
        raise NotImplementedError(
            f"[register_lowering] the lowering of {prim} must come from "
            "mlir.lower_fun: there is no MLIR in Python"
        )
    if prim.rules is None:
        raise NotImplementedError(
            f"primitive {prim.name!r} is the core's: its lowering cannot be "
            "replaced"
        )
    prim.rules.lowering = rule
    return rule


def __getattr__(name):
    raise absent.error(__name__, name)
