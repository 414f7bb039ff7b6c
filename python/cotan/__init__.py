"""cotan: composable transformations of numerical programs."""

from cotan import _dispatch  # noqa: F401
from cotan._core import __version__

__all__ = ["__version__"]
