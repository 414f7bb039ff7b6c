"""Where the library with LAPACK is. The core asks on the first use."""

from __future__ import annotations

import importlib.util
import pathlib


def library_path() -> str:
    """Path of scipy-openblas32's library, or the empty string."""
    spec = importlib.util.find_spec("scipy_openblas32")
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(
            (pathlib.Path(folder) / "lib").glob("lib*openblas*")
        ):
            if path.suffix in (".so", ".dylib"):
                return str(path)
    return ""
