"""Looking inside: what was traced, compiled and allocated."""

from __future__ import annotations

from cotan import _core
from cotan._src import absent
from cotan._src.callbacks import debug_callback as callback
from cotan._src.callbacks import debug_print as print

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


def breakpoint(*args, **kwargs):
    """Not available: use `print` or `callback`."""
    raise NotImplementedError("[debug.breakpoint] is not available")


breakpoint.not_available = "an interactive debugger is not available"


def __getattr__(name):
    raise absent.error(__name__, name)
