"""Names of `jax.lax` that are not available yet: calling one says so."""

from __future__ import annotations

_GROUPS = {
    "collectives of ragged arrays are": ("ragged_all_to_all",),
}


def _missing(name: str, what: str):
    def function(*args, **kwargs):
        raise NotImplementedError(f"[{name}] {what} not available yet")

    function.__name__ = function.__qualname__ = name
    function.not_available = f"{what} not available yet"
    function.__module__ = "cotan.lax"
    function.__doc__ = f"Not available yet ({what} missing)."
    return function


__all__ = [name for names in _GROUPS.values() for name in names]
globals().update(
    {n: _missing(n, what) for what, names in _GROUPS.items() for n in names}
)
