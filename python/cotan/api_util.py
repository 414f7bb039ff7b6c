"""Helpers of libraries that wrap transformations, as `jax.api_util`."""

from __future__ import annotations

from cotan._src import absent
from cotan._src.avals import ShapedArray, leaf_aval
from cotan._tree_prefix import donation_vector, flatten_axes

__all__ = [
    "donation_vector",
    "flatten_axes",
    "rebase_donate_argnums",
    "safe_map",
    "shaped_abstractify",
]


def rebase_donate_argnums(donate_argnums, static_argnums) -> tuple[int, ...]:
    """Positions of donated arguments when the static ones are left out.

    >>> cotan.api_util.rebase_donate_argnums((3, 4), (0, 1))
    (1, 2)
    """
    static, donate = set(static_argnums), set(donate_argnums)
    if static & donate:
        raise ValueError(
            f"`static_argnums` {sorted(static)} and `donate_argnums` "
            f"{sorted(donate)} cannot intersect."
        )
    return tuple(d - sum(s < d for s in static) for d in sorted(donate))


def safe_map(f, *args):
    """A list of f's results; the sequences must have equal lengths."""
    args = [list(arg) for arg in args]
    n = len(args[0])
    for arg in args[1:]:
        if len(arg) != n:
            than = "longer" if len(arg) > n else "shorter"
            raise ValueError(f"safe_map() argument 2 is {than} than argument 1")
    return list(map(f, *args))


def shaped_abstractify(x):
    """The ShapedArray that describes x."""
    dtype, shape, weak = leaf_aval(x)
    return ShapedArray(shape, dtype, weak)


def __getattr__(name):
    raise absent.error(__name__, name)
