"""Looking inside: what was traced, compiled and allocated."""

from __future__ import annotations

from cotan import _core
from cotan._src import absent

__all__ = ["breakpoint", "callback", "counters", "print"]


def counters() -> dict[str, int]:
    """How often something has happened since the start of the process.

    traces: functions traced by `jit`; programs: programs compiled;
    allocations: blocks of memory taken for arrays.

    >>> before = cotan.debug.counters()
    >>> _ = cotan.jit(lambda x: x + 1)(1.0)
    >>> cotan.debug.counters()["traces"] - before["traces"]
    1
    """
    return dict(_core.counters())


def _callbacks_missing(name):
    def function(*args, **kwargs):
        raise NotImplementedError(
            f"[debug.{name}] callbacks are not available yet"
        )

    function.__name__ = function.__qualname__ = name
    function.not_available = "callbacks are not available yet"
    return function


callback = _callbacks_missing("callback")
print = _callbacks_missing("print")
breakpoint = _callbacks_missing("breakpoint")


def __getattr__(name):
    raise absent.error(__name__, name)
