"""cotan: composable transformations of numerical programs.

`jit` compiles, `grad` differentiates, `vmap` batches; all three compose, to
any order. `cotan.numpy` has the interface of NumPy over immutable arrays,
`cotan.lax` the operations underneath.

>>> import cotan, cotan.numpy as cnp
>>> f = cotan.jit(cotan.grad(lambda x: cnp.sum(cnp.sin(x))))
>>> f(cnp.zeros(2))
Array([1., 1.], dtype=float32)
"""

import importlib
import os

from cotan import _dispatch, errors
from cotan._core import (  # noqa: F401
    Device,
    __version__,
    default_backend,
)
from cotan._dispatch import Array
from cotan._src import absent
from cotan._src import array as _array
from cotan._src.settings import (
    allow_f16_reductions,
    check_tracer_leaks,
    checking_leaks,
    config,
    debug_infs,
    debug_key_reuse,
    debug_nans,
    default_device,
    default_matmul_precision,
    default_prng_impl,
    disable_jit,
    enable_checks,
    enable_custom_prng,
    enable_x64,
    explain_cache_misses,
    legacy_prng_key,
    log_compiles,
    make_user_context,
    no_tracing,
    numpy_dtype_promotion,
    numpy_rank_promotion,
    softmax_custom_jvp,
    threefry_partitionable,
)

_dispatch.add_internal_folder(os.path.dirname(__file__) + os.sep)
_array.install()

from cotan._src import devices as _devices  # noqa: E402
from cotan._src import jit as _jit  # noqa: E402

_dispatch.set_implementation(
    {
        "trace_function": _jit.TracedFunction,
        "jit_trace": _jit.trace,
        "split_static": _jit.split_static,
        "bad_argument": _jit.bad_argument,
        "leaf_aval": _jit.avals.leaf_aval,
    }
)

from cotan._src.api import (  # noqa: E402
    clear_caches,
    eval_shape,
    grad,
    jvp,
    linear_transpose,
    linearize,
    make_jaxpr,
    named_call,
    typeof,
    value_and_grad,
    vjp,
    vmap,
)
from cotan._src.avals import ShapeDtypeStruct  # noqa: E402
from cotan._src.callbacks import (  # noqa: E402
    effects_barrier,
    pure_callback,
)
from cotan._src.checkpoints import (  # noqa: E402
    checkpoint,
    checkpoint_policies,
)
from cotan._src.closures import (  # noqa: E402
    closure_convert,
    custom_gradient,
)
from cotan._src.custom import custom_jvp, custom_vjp  # noqa: E402
from cotan._src.devices import (  # noqa: E402
    device_count,
    devices,
    local_device_count,
    local_devices,
)
from cotan._src.environment import (  # noqa: E402
    ensure_compile_time_eval,
    fwd_and_bwd,
    host_count,
    host_id,
    host_ids,
    named_scope,
    print_environment_info,
    process_count,
    process_index,
    process_indices,
)
from cotan._src.indexing import ds  # noqa: E402
from cotan._src.jacobians import (  # noqa: E402
    hessian,
    jacfwd,
    jacobian,
    jacrev,
)
from cotan._src.jit import jit  # noqa: E402
from cotan._src.transfers import (  # noqa: E402
    block_until_ready,
    copy_to_host_async,
    device_get,
    device_put,
)
from cotan.dtypes import float0  # noqa: E402

remat = checkpoint

# Modules that are imported when they are first used.
_MODULES = frozenset(
    {
        "aot",
        "api_util",
        "custom_derivatives",
        "ad_checkpoint",
        "debug",
        "dlpack",
        "dtypes",
        "version",
        "flatten_util",
        "lax",
        "nn",
        "numpy",
        "random",
        "scipy",
        "test_util",
        "tree",
        "tree_util",
        "core",
        "ops",
        "pjrt",
        "image",
        "experimental",
        "export",
        "extend",
        "interpreters",
        "custom_batching",
        "profiler",
        "stages",
        "sharding",
        "typing",
    }
)

__all__ = [
    "Array",
    "Device",
    "ShapeDtypeStruct",
    "allow_f16_reductions",
    "block_until_ready",
    "check_tracer_leaks",
    "checking_leaks",
    "checkpoint",
    "checkpoint_policies",
    "clear_caches",
    "closure_convert",
    "config",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "debug_infs",
    "debug_key_reuse",
    "debug_nans",
    "default_backend",
    "default_device",
    "default_matmul_precision",
    "default_prng_impl",
    "device_count",
    "copy_to_host_async",
    "device_get",
    "no_tracing",
    "device_put",
    "devices",
    "disable_jit",
    "effects_barrier",
    "enable_checks",
    "enable_custom_prng",
    "enable_x64",
    "ds",
    "ensure_compile_time_eval",
    "errors",
    "eval_shape",
    "explain_cache_misses",
    "float0",
    "fwd_and_bwd",
    "grad",
    "hessian",
    "host_count",
    "host_id",
    "host_ids",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "legacy_prng_key",
    "linear_transpose",
    "linearize",
    "local_device_count",
    "local_devices",
    "log_compiles",
    "make_jaxpr",
    "make_user_context",
    "named_call",
    "named_scope",
    "numpy_dtype_promotion",
    "numpy_rank_promotion",
    "print_environment_info",
    "process_count",
    "process_index",
    "process_indices",
    "softmax_custom_jvp",
    "pure_callback",
    "remat",
    "threefry_partitionable",
    "typeof",
    "value_and_grad",
    "vjp",
    "vmap",
    *sorted(_MODULES),
]

_devices.choose_default()


def __getattr__(name):
    if name in _MODULES:
        try:
            return importlib.import_module(f"cotan.{name}")
        except ModuleNotFoundError as e:
            if e.name != f"cotan.{name}":
                raise
    raise absent.error(__name__, name)


def __dir__():
    return __all__
