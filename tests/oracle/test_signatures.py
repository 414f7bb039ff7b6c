"""Signatures of public functions beside JAX's: names of parameters, which are
positional or keyword only, and defaults."""

import importlib
import inspect
import warnings

import pytest

from tests.support import load_tool

jax = pytest.importorskip("jax")

coverage = load_tool("coverage")

# Settings: JAX's contexts are objects whose default means "as it is".
SETTINGS = {
    "allow_f16_reductions", "check_tracer_leaks", "checking_leaks",
    "debug_infs", "debug_key_reuse", "debug_nans", "default_device",
    "default_matmul_precision", "default_prng_impl", "enable_checks",
    "enable_custom_prng", "enable_x64", "explain_cache_misses",
    "legacy_prng_key", "log_compiles", "no_tracing", "numpy_dtype_promotion",
    "numpy_rank_promotion", "softmax_custom_jvp", "threefry_partitionable",
}  # fmt: skip
# JAX's ufunc objects take (*args, out, where) and refuse both.
UFUNCS = {
    "add", "bitwise_and", "bitwise_or", "bitwise_xor", "logaddexp",
    "logaddexp2", "logical_and", "logical_or", "logical_xor", "maximum",
    "minimum", "multiply", "negative", "subtract",
}  # fmt: skip
ERRORS = {
    "ConcretizationTypeError", "JAXIndexError", "JAXTypeError",
    "KeyReuseError", "NonConcreteBooleanIndexError",
    "TracerArrayConversionError", "TracerBoolConversionError",
    "TracerIntegerConversionError", "UnexpectedTracerError",
}  # fmt: skip
EXCEPTIONS = {
    "cotan": {
        **dict.fromkeys(SETTINGS, "the default is True"),
        "Array": "not made by calling the class",
        "checkpoint": "concrete, a deprecated argument, is False",
        "remat": "also takes static_argnames; concrete is False",
        "ShapeDtypeStruct": "arrays are neither varying nor references",
        "default_backend": "built in",
        "jit": "our defaults are None where JAX has markers",
    },
    "cotan.numpy": {
        **dict.fromkeys(UFUNCS, "no out and where"),
        "array": "JAX takes copy by position and warns",
        "einsum": "_dot_general is private",
        "ndarray": "not made by calling the class",
        "percentile": "out_sharding",
        "set_printoptions": "NumPy's own",
        "trunc": "a ufunc: by position",
    },
    "cotan.lax": {
        "random_gamma_grad": "a and x have names",
        "reduce_and": "out_sharding is accepted by all",
        "reduce_max": "out_sharding is accepted by all",
        "reduce_min": "out_sharding is accepted by all",
        "reduce_or": "out_sharding is accepted by all",
        "reduce_prod": "out_sharding is accepted by all",
        "reduce_xor": "out_sharding is accepted by all",
    },
    "cotan.random": {"lognormal": "1.0, not np.float32(1.0)"},
    "cotan.tree_util": {
        "Partial": "kwargs, not kw",
        "tree_reduce": "the marker prints in another way",
        "tree_reduce_associative": "the marker prints in another way",
    },
    "cotan.tree": {
        "reduce": "the marker prints in another way",
        "reduce_associative": "the marker prints in another way",
    },
    "cotan.errors": dict.fromkeys(ERRORS, "made of a message alone"),
    "cotan.custom_derivatives": {"CustomVJPPrimal": "perturbed has a default"},
    "cotan.typing": {"ArrayLike": "a union of types"},
    "cotan.core": {
        "AbstractValue": "the only kind is ShapedArray",
        "ShapedArray": "no sharding and memory space",
        "Tracer": "not made by calling the class",
    },
}


def parameters(function):
    """(name, kind, default) of each; positional-only names do not matter."""
    out = []
    for p in inspect.signature(function).parameters.values():
        name = "" if p.kind is p.POSITIONAL_ONLY else p.name
        default = repr(p.default).replace("cotan", "jax")
        if default.startswith("<object object"):
            default = "a marker"
        out.append((name, p.kind.name, default))
    return out


def pairs():
    for module, names in coverage.names().items():
        if "Array" in module:
            continue
        for name in names:
            if name in EXCEPTIONS.get(module, ()):
                continue
            if coverage.why_absent(module, name):
                continue
            theirs = importlib.import_module("jax" + module[len("cotan") :])
            ours = importlib.import_module(module)
            yield module, name, getattr(ours, name), getattr(theirs, name, None)


def test_signatures_are_those_of_jax():
    differ, compared = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module, name, ours, theirs in pairs():
            if not callable(theirs) or module == "cotan.core":
                continue
            try:
                want = parameters(theirs)
            except (TypeError, ValueError):
                continue
            compared += 1
            try:
                got = parameters(ours)
            except (TypeError, ValueError) as e:
                got = e
            if got != want:
                differ.append(f"{module}.{name}: {got}, not {want}")
    assert not differ, "\n".join(differ)
    assert compared > 850


def test_exceptions_are_needed():
    """A name whose signature has become JAX's is not an exception."""
    equal = []
    for module, names in EXCEPTIONS.items():
        for name in names:
            ours = getattr(importlib.import_module(module), name)
            theirs = importlib.import_module("jax" + module[len("cotan") :])
            try:
                if parameters(ours) == parameters(getattr(theirs, name)):
                    equal.append(f"{module}.{name}")
            except (TypeError, ValueError):
                pass
    assert not equal
