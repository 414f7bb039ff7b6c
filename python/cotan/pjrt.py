"""PJRT plugins: any `.so` that exports `GetPjrtApi` is a backend.

>>> import cotan
>>> cotan.devices("pjrt:cpu")  # doctest: +SKIP
[PjrtDevice(platform='pjrt:cpu', id=0)]
"""

from __future__ import annotations

from cotan import _core
from cotan._src.devices import find_plugin, load

__all__ = ["clear_programs", "describe", "find_plugin", "load", "memories"]


def describe(platform: str) -> dict:
    """What is behind a loaded platform: path, versions and attributes."""
    return _core.pjrt_platform(platform)


def memories(device) -> list[str]:
    """Kinds of memory that a device can address, the default one first."""
    return _core.device_memories(device)


def clear_programs() -> None:
    """Forgets compiled programs; those in use stay."""
    _core.pjrt_clear_programs()
