"""Logs of what `jit` traces, and why: the settings `log_compiles` and
`explain_cache_misses`. The logger is "cotan"."""

from __future__ import annotations

import logging
import time
import weakref
from typing import NamedTuple

from cotan._src import settings
from cotan.tree_util import keystr, tree_flatten_with_path, tree_unflatten

logger = logging.getLogger("cotan")
_PART_OF_KEY = (
    "enable_x64",
    "numpy_dtype_promotion",
    "numpy_rank_promotion",
    "debug_nans",
    "debug_infs",
    "threefry_partitionable",
    "disable_jit",
    "check_static_indices",
    "default_prng_impl",
    "default_matmul_precision",
)
_WEAK_TYPES = (
    "https://docs.jax.dev/en/latest/type_promotion.html#weak-types explains "
    "weak types"
)
# By place: the last function defined there that was traced.
_lines: dict[tuple, weakref.ref] = {}


class Call(NamedTuple):
    """What a traced call is found again by."""

    in_tree: object
    statics: tuple
    types: tuple
    settings: tuple


def _name(fun):
    return getattr(fun, "__name__", repr(fun))


def _is_ours(fun) -> bool:
    return (getattr(fun, "__module__", None) or "").split(".")[0] == "cotan"


def _place(fun):
    code = getattr(fun, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else None


def _type_text(t, both_weak) -> str:
    weak = "" if both_weak else f"{{weak_type={t[2]}}}"
    return f"{t[0]}[{','.join(map(str, t[1]))}]{weak}"


def _paths(options, in_tree):
    """How the user would call each leaf: "x", "y['a']"."""
    names = list(options.signature.parameters) if options.signature else []
    tree = tree_unflatten(in_tree, range(in_tree.num_leaves))
    for path, _ in tree_flatten_with_path(tree)[0]:
        at = path[1].idx if path[0].idx == 0 else path[1].key
        if isinstance(at, int):
            at = names[at] if at < len(names) else f"args[{at}]"
        yield f"{at}{keystr(path[2:])}"


def _differences(now: Call, before: Call, options):
    """Lines that say what is new, the important ones first."""
    if now.in_tree != before.in_tree:
        yield "  * a different input pytree:"
        yield f"    now {now.in_tree} and before {before.in_tree}"
        return
    if now.statics != before.statics:
        yield "  * different values of static arguments:"
        yield f"    now {now.statics} and before {before.statics}"
    if now.types != before.types:
        yield "  * different input types:"
        weak_only = False
        for path, a, b in zip(
            _paths(options, now.in_tree), now.types, before.types, strict=True
        ):
            if a != b:
                same = a[2] == b[2]
                yield (
                    f"    at {path}, now {_type_text(a, same)} and before "
                    f"{_type_text(b, same)}"
                )
                weak_only |= a[:2] == b[:2]
        if weak_only:
            yield f"    {_WEAK_TYPES}"
    if now.settings != before.settings:
        yield "  * a different tracing context:"
        for name, a, b in zip(
            _PART_OF_KEY, now.settings, before.settings, strict=True
        ):
            if a != b:
                yield f"    {name}: now {a} and before {b}"


def _distance(a: Call, b: Call) -> tuple:
    """Small for calls that are easy to compare."""
    if a.in_tree != b.in_tree:
        return (1,)
    types = sum(
        one != other
        for s, t in zip(a.types, b.types, strict=True)
        for one, other in zip(s, t, strict=True)
    )
    return 0, (a.statics != b.statics) + (a.settings != b.settings) + types


def _explain(fun, options, call):
    place = _place(fun)
    where = f" defined at {place[0]}:{place[1]}" if place else ""
    lines = [f"TRACING CACHE MISS of {_name(fun)}{where}, because:"]
    if not options.calls:
        lines.append("  * never seen function: this is its first call, or")
        lines.append("    another function object was given to jit.")
        if place in _lines and _lines[place]() is not fun:
            lines.append(
                "    There was another function defined on the same line: "
                "define it (and call jit) outside of the loop or function."
            )
    else:
        closest = min(options.calls, key=lambda c: _distance(call, c))
        found = list(_differences(call, closest, options))
        lines += found or ["  * it was forgotten (clear_cache)."]
    logger.warning("\n".join(lines))


class Tracing:
    """A context manager around one trace of a jitted function."""

    def __init__(self, fun, options, in_tree, statics, leaves):
        self.fun, self.options = fun, options
        config = settings.config
        types = tuple([(_short(x), x.shape, x.weak_type) for x in leaves])
        values = tuple([getattr(config, name) for name in _PART_OF_KEY])
        self.call = Call(in_tree, tuple(statics), types, values)
        self.level = logging.WARNING if config.log_compiles else logging.DEBUG

    def __enter__(self):
        fun, options = self.fun, self.options
        if settings.config.explain_cache_misses and not _is_ours(fun):
            _explain(fun, options, self.call)
        options.calls.append(self.call)
        if (place := _place(fun)) is not None:
            _lines[place] = weakref.ref(fun)
        self.start = time.perf_counter()

    def __exit__(self, kind, *_):
        if kind is not None or not logger.isEnabledFor(self.level):
            return
        took = time.perf_counter() - self.start
        name = _name(self.fun)
        logger.log(
            self.level, f"Finished tracing {name} for jit in {took:.6f} sec"
        )
        types = ", ".join(_type_text(t, True) for t in self.call.types)
        logger.log(self.level, f"Compiling jit({name}) for ({types})")


def _short(x):
    from cotan import _core

    return _core.short_dtype(x.dtype)
