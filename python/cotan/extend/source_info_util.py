"""`register_exclusion`: frames of a library are not the user's."""

from __future__ import annotations

from cotan import _dispatch
from cotan._src import absent
from cotan._src.jaxprs import SourceInfo

__all__ = ["SourceInfo", "new_source_info", "register_exclusion"]


def register_exclusion(path: str) -> None:
    """Frames of files under `path` are left out where a user's line is told."""
    _dispatch.add_internal_folder(path)


def new_source_info() -> SourceInfo:
    """No place in particular."""
    return SourceInfo()


def __getattr__(name):
    raise absent.error(__name__, name)
