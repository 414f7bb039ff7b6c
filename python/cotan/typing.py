"""Types for annotations, as in `jax.typing`."""

from __future__ import annotations

from typing import Any

import numpy as np

from cotan._dispatch import Array

# What functions take where they need an array.
ArrayLike = (
    Array | np.ndarray | np.bool_ | np.number | bool | int | float | complex
)
# What names a dtype.
DTypeLike = Any

__all__ = ["ArrayLike", "DTypeLike"]
