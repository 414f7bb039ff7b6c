"""What surrounds a program: names for parts of it, when it is evaluated, the
processes that run it, and a description of the machine."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import sys
from collections.abc import Callable

import numpy as np

from cotan import _core, _dispatch


class named_scope(contextlib.ContextDecorator):
    """Names a part of a program for its readers; also a decorator. Programs
    do not keep the name yet."""

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise TypeError(
                f"named_scope name argument must be a string, got {name!r}"
            )
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


def ensure_compile_time_eval():
    """Within a `with` block, operations on known values run at once, also
    under `jit`, where they would become part of the program.

    >>> @cotan.jit
    ... def f(x):
    ...     with cotan.ensure_compile_time_eval():
    ...         n = int(cnp.sum(cnp.arange(3)))
    ...     return x * n
    >>> f(2.0)
    Array(6., dtype=float32, weak_type=True)
    """
    return _dispatch.EvaluateNow()


def process_count(backend=None) -> int:
    """The number of processes of the program: 1."""
    return 1


def process_index(backend=None) -> int:
    """The number of this process: 0."""
    return 0


def process_indices(backend=None) -> list[int]:
    """The numbers of all processes: [0]."""
    return [0]


def host_count(backend=None) -> int:
    """process_count()."""
    return process_count(backend)


def host_id(backend=None) -> int:
    """process_index()."""
    return process_index(backend)


def host_ids(backend=None) -> list[int]:
    """process_indices()."""
    return process_indices(backend)


def print_environment_info(return_string: bool = False) -> str | None:
    """Prints (or returns) what a report of a bug should say about versions,
    machine and settings."""
    device = _core.devices()[0]
    lines = [
        f"cotan:  {_core.__version__}",
        f"numpy:  {np.__version__}",
        f"python: {sys.version}".replace("\n", " "),
        f"device info: {device}-{_core.device_count()}, "
        f"{_core.local_device_count()} local devices",
        f"process_count: {process_count()}",
        f"platform: {platform.uname()}",
    ]
    lines += [
        f"{key}={value}"
        for key, value in os.environ.items()
        if key.startswith("COTAN_")
    ]
    text = "\n".join(lines)
    return text if return_string else print(text)


def fwd_and_bwd(
    fun: Callable, argnums, has_aux: bool = False, jitted: bool = True
) -> tuple[Callable, Callable]:
    """Two functions: arguments -> (value, residuals[, aux]), and (residuals,
    cotangent) -> cotangents of the arguments `argnums`."""
    from cotan._src.api import vjp

    del jitted  # residuals are not arguments of a program yet
    one = isinstance(argnums, int)
    nums = (argnums,) if one else tuple(argnums)

    @functools.wraps(fun)
    def fwd(*args, **kwargs):
        def partial(*dynamic):
            full = list(args)
            for i, x in zip(nums, dynamic, strict=True):
                full[i] = x
            return fun(*full, **kwargs)

        return vjp(partial, *(args[i] for i in nums), has_aux=has_aux)

    def bwd(f_vjp, outgrad):
        grads = f_vjp(outgrad)
        return grads[0] if one else grads

    return fwd, bwd
