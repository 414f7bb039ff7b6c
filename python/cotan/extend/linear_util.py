"""`wrap_init`, for code that passes functions through it."""

from __future__ import annotations

import functools

from cotan._src import absent

__all__ = ["WrappedFun", "wrap_init"]


class WrappedFun:
    """A function with fixed keyword arguments."""

    def __init__(self, f, params=None):
        self.f, self.params = f, dict(params or {})
        self.__name__ = getattr(f, "__name__", "<unnamed function>")

    def call_wrapped(self, *args, **kwargs):
        return self.f(*args, **{**self.params, **kwargs})

    __call__ = call_wrapped


def wrap_init(f, params=None, *, debug_info=None) -> WrappedFun:
    """f as a WrappedFun."""
    del debug_info
    return WrappedFun(f, params)


cache = functools.cache


def __getattr__(name):
    raise absent.error(__name__, name)
