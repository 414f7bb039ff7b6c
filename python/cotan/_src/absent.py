"""Why names of JAX are absent: the text of the AttributeError, and of
docs/coverage.md (tools/coverage.py)."""

from __future__ import annotations

import fnmatch

_DEVICES = "one process and one device per program so far"
_SHARDING = "arrays are not sharded so far"
_REFS = "there are no mutable arrays so far"
_TRANSFERS = "there is one memory, so nothing is transferred"
_PRIMITIVES = "the operation is made of other primitives, or is not there"
_INTERNAL = "internal to JAX's own tracer"
_NO_ARRAYS = "JAX itself has no working arrays of this dtype"
_REMOVED = "removed or deprecated in JAX"

# (module pattern, name pattern, reason); the first match counts.
_RULES = (
    ("lax*", "*_p", _PRIMITIVES),
    ("random", "*_p", _PRIMITIVES),
    ("custom_derivatives", "*_p", _PRIMITIVES),
    ("numpy", "float6_*", _NO_ARRAYS),
    ("numpy", "int1", _NO_ARRAYS),
    ("numpy", "uint1", _NO_ARRAYS),
    ("numpy", "fix", _REMOVED),
    ("scipy.special", "lpmn*", _REMOVED),
    ("scipy.special", "sph_harm", _REMOVED),
    ("Array", "*shard*", _SHARDING),
    ("Array", "*device_buffer*", _REMOVED),
    ("debug", "*shard*", _SHARDING),
    ("", "transfer_guard*", _TRANSFERS),
    ("", "array_garbage_collection_guard", _TRANSFERS),
    ("", "thread_guard", _TRANSFERS),
    ("", "*[sS]hard*", _SHARDING),
    ("", "P", _SHARDING),
    ("", "smap", _SHARDING),
    ("", "pmap", _DEVICES),
    ("", "make_mesh", _DEVICES),
    ("", "set_mesh", _DEVICES),
    ("", "*mesh_axis*", _DEVICES),
    ("", "auto_pcast", _DEVICES),
    ("", "distributed", _DEVICES),
    ("", "make_array_from_*", _DEVICES),
    ("", "device_put_*", _REMOVED),
    ("", "*[rR]ef", _REFS),
    ("", "freeze", _REFS),
    ("", "memory", _DEVICES),
    ("", "lib", _INTERNAL),
    ("", "jax2tf*", "there is no TensorFlow bridge"),
    ("lax", "dce_sink*", _INTERNAL),
    ("lax", "stage*", _INTERNAL),
    ("lax", "psend", _DEVICES),
    ("lax", "precv", _DEVICES),
    ("lax", "pvary", _DEVICES),
    ("lax.linalg", "*", "the choice of algorithm is LAPACK's"),
    ("core", "*", _INTERNAL),
    ("api_util", "*", _INTERNAL),
    ("debug", "*Effect", _INTERNAL),
)


def reason(module: str, name: str) -> str:
    """Why `module` (as "cotan.lax") does not have JAX's name."""
    return _rule(module, name, _RULES) or "not available yet"


def _rule(module: str, name: str, rules) -> str | None:
    module = module.removeprefix("cotan").removeprefix(".")
    for module_pattern, name_pattern, text in rules:
        if fnmatch.fnmatchcase(module, module_pattern) and (
            fnmatch.fnmatchcase(name, name_pattern)
        ):
            return text
    return None


def error(module: str, name: str) -> AttributeError:
    """The error for a name that a module does not have."""
    text = f"module {module!r} has no attribute {name!r}"
    why = _known(module, name)
    return AttributeError(f"{text}: {why}" if why else text)


def _known(module: str, name: str) -> str | None:
    """The reason, if the name is one of JAX's: a misspelt one has none."""
    if name.startswith("_"):
        return None
    by_name = [rule for rule in _RULES if rule[1] != "*"]
    short = module.removeprefix("cotan").removeprefix(".")
    expected = name in _EXPECTED.get(short, ())
    return _rule(module, name, by_name) or (
        "not available yet" if expected else None
    )


# Names of JAX without a rule, which are to come.
_EXPECTED: dict[str, tuple[str, ...]] = {
    "": (
        "checkpoint",
        "checkpoint_policies",
        "experimental",
        "export",
        "ffi",
        "live_arrays",
        "make_user_context",
        "monitoring",
        "no_execution",
        "profiler",
        "pure_callback",
        "remat",
    ),
    "nn": (
        "get_scaled_dot_general_config",
        "scaled_dot_general",
        "scaled_matmul",
    ),
    "api_util": ("argnums_partial", "debug_info"),
    "scipy": ("fft", "optimize", "sparse"),
}
