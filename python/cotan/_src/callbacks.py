"""Calls of Python from compiled code."""

from __future__ import annotations

import functools
import string
import sys
from collections.abc import Callable

import numpy as np

from cotan import _core, _dispatch
from cotan._src import avals, bodies
from cotan.tree_util import tree_flatten, tree_map, tree_unflatten

_PURE, _IO, _DEBUG = range(3)
_VMAP_METHODS = (
    "sequential",
    "sequential_unrolled",
    "expand_dims",
    "broadcast_all",
    "legacy_vectorized",
)


def _result_types(result):
    leaves, tree = tree_flatten(result)
    types = []
    for x in leaves:
        dtype, shape, _ = avals.leaf_aval(x)
        if np.dtype(_core.dtype(x.dtype)) != np.dtype(dtype):
            raise ValueError(
                "result_shape_dtypes cannot specify 64-bit types when "
                f"64-bit types are disabled, got {x.dtype}"
            )
        types.append((dtype, shape, False))
    return types, tree


class _FlatCallback:
    """A callback of pytrees on lists of Arrays."""

    def __init__(self, function, in_tree, out_tree, types):
        self.function, self.in_tree = function, in_tree
        self.out_tree, self.types = out_tree, types
        self.__name__ = getattr(function, "__name__", repr(function))

    def __call__(self, values):
        args, kwargs = tree_unflatten(self.in_tree, values)
        out = self.function(*args, **kwargs)
        if self.out_tree is None:
            return []
        leaves, tree = tree_flatten(out)
        if tree != self.out_tree:
            raise RuntimeError(
                f"The callback {self.__name__} gave a result of structure "
                f"{tree}, expected {self.out_tree}"
            )
        return [
            self._array(x, t, i)
            for i, (x, t) in enumerate(zip(leaves, self.types, strict=True))
        ]

    def _array(self, x, expected, i):
        dtype, shape, _ = expected
        got = np.asarray(x) if not isinstance(x, _dispatch.Array) else x
        if type(x) in (bool, int, float, complex):
            got = np.asarray(x, dtype)
        # Under vmap the leading axes are the batch's.
        if tuple(got.shape)[len(got.shape) - len(shape) :] != tuple(shape):
            raise RuntimeError(
                f"The callback {self.__name__} gave a result of shape "
                f"{tuple(got.shape)} for output {i}, expected {shape}"
            )
        # Without x64, Python's and NumPy's 64-bit results become 32-bit ones.
        if _core.canonical_dtype(got.dtype) != np.dtype(dtype):
            raise RuntimeError(
                f"The callback {self.__name__} gave a result of dtype "
                f"{got.dtype} for output {i}, expected {np.dtype(dtype)}"
            )
        return _dispatch.to_array(got)


def _call(kind, function, result, ordered, vmap_method, args, kwargs):
    if not callable(function):
        raise TypeError(f"Expected a callable value, got {function!r}")
    values, in_tree = bodies.operands((args, kwargs), "callback")
    types, out_tree = [], None
    if kind != _DEBUG:
        types, out_tree = _result_types(result)
    flat = _FlatCallback(function, in_tree, out_tree, types)
    out = _dispatch.callback_flat(
        kind, flat, types, ordered, vmap_method or "", values
    )
    return tree_unflatten(out_tree, out) if out_tree is not None else None


def effects_barrier() -> None:
    """Waits for the effects of programs that were called, such as prints.

    A program with effects is over when its call returns, on every backend, so
    there is nothing left to wait for.
    """


def pure_callback(
    callback: Callable,
    result_shape_dtypes,
    *args,
    sharding=None,
    vmap_method: str | None = None,
    **kwargs,
):
    """callback(*args, **kwargs) in Python, also from compiled code.

    Args:
      callback: a pure function; it may be called any number of times, or not
        at all if nothing needs the result.
      result_shape_dtypes: a pytree of ShapeDtypeStructs (or arrays) that says
        what it returns.
      vmap_method: what `vmap` does: "sequential" calls it for each element;
        "expand_dims" and "broadcast_all" call it once with a leading batch
        axis on all arguments, of size 1 or full where one is not batched;
        None refuses.

    >>> import numpy as np
    >>> s = cotan.ShapeDtypeStruct((), "float32")
    >>> cotan.jit(lambda x: cotan.pure_callback(np.exp, s, x))(0.0)
    Array(1., dtype=float32)
    """
    del sharding
    if vmap_method is not None and vmap_method not in _VMAP_METHODS:
        raise ValueError(
            f"vmap_method must be on of the allowed methods {_VMAP_METHODS}, "
            f"but got: {vmap_method}"
        )
    return _call(
        _PURE, callback, result_shape_dtypes, False, vmap_method, args, kwargs
    )


def io_callback(
    callback: Callable,
    result_shape_dtypes,
    *args,
    sharding=None,
    ordered: bool = False,
    **kwargs,
):
    """callback(*args, **kwargs) in Python, which may have side effects.

    It is called exactly once per execution, and with `ordered` in program
    order with other ordered callbacks.
    """
    del sharding
    return _call(
        _IO, callback, result_shape_dtypes, bool(ordered), None, args, kwargs
    )


def debug_callback(
    callback: Callable | None = None,
    *args,
    ordered: bool = False,
    partitioned: bool = False,
    **kwargs,
):
    """callback(*args, **kwargs) for its side effects, also from compiled code
    and under every transformation. Without a callback: a function of it."""
    if callback is not None:
        return _call_debug(callback, bool(ordered), args, kwargs)
    _no_more("debug_callback", args, kwargs)
    return lambda callback, /, *args, **kwargs: _call_debug(
        callback, bool(ordered), args, kwargs
    )


def _no_more(name, args, kwargs):
    if args or kwargs:
        raise TypeError(
            f"{name} received unexpected arguments in the two-call form: "
            f"{args=} {kwargs=}"
        )


def _call_debug(callback, ordered, args, kwargs):
    if not callable(callback):
        raise TypeError(
            "first argument to cotan.debug.callback must be callable, but got "
            f"an object of type {type(callback)}"
        )
    # What is no array is handed to the callback as it is.
    leaves, tree = tree_flatten((args, kwargs))
    dynamic = [_dispatch.is_array(x) for x in leaves]
    fixed = [None if d else x for x, d in zip(leaves, dynamic, strict=True)]

    def call(*values):  # outlives the trace: holds no operands
        rest = iter(values)
        full = [
            next(rest) if d else x for x, d in zip(fixed, dynamic, strict=True)
        ]
        a, k = tree_unflatten(tree, full)
        callback(*a, **k)

    call.__name__ = getattr(callback, "__name__", repr(callback))
    values = [x for x, d in zip(leaves, dynamic, strict=True) if d]
    _call(_DEBUG, call, None, ordered, None, tuple(values), {})


class _CheckedFormatter(string.Formatter):
    """Names what the format string does not use."""

    def check_unused_args(self, used_args, args, kwargs):
        unused = [a for i, a in enumerate(args) if i not in used_args]
        names = [k for k in kwargs if k not in used_args]
        if unused:
            raise ValueError(
                f"Unused positional arguments to `cotan.debug.print`: {unused}"
            )
        if names:
            raise ValueError(
                f"Unused keyword arguments to `cotan.debug.print`: {names}. "
                "You may be passing an f-string (i.e, "
                '`cotan.debug.print(f"{x}")`) into `cotan.debug.print` and '
                "instead should pass in a regular string."
            )


_formatter = _CheckedFormatter()


def debug_print(
    fmt: str | None = None,
    *args,
    ordered: bool = False,
    partitioned: bool = False,
    skip_format_check: bool = False,
    _use_logging: bool = False,
    **kwargs,
):
    """Prints fmt.format(*args, **kwargs) when the values are known.

    ordered: in program order with other ordered effects.

    >>> cotan.jit(lambda x: cotan.debug.print("x = {}", x))(1)
    x = 1
    """
    if fmt is not None:
        return _print_later(fmt, ordered, skip_format_check, args, kwargs)
    _no_more("debug_print", args, kwargs)
    return lambda fmt, /, *args, **kwargs: _print_later(
        fmt, ordered, skip_format_check, args, kwargs
    )


def _print_later(fmt, ordered, skip_format_check, args, kwargs):
    if not skip_format_check:
        _formatter.format(
            fmt, *tree_map(_stand_in, args), **tree_map(_stand_in, kwargs)
        )
    options = np.get_printoptions()
    print_ = functools.partial(_print, fmt, options)
    _call_debug(print_, bool(ordered), args, kwargs)


class _Stand(str):
    """Takes any format specification."""

    def __format__(self, spec):
        return ""

    def __getattr__(self, name):
        return self

    def __getitem__(self, key):
        return self


def _stand_in(_):
    return _Stand()


def _print(fmt, options, *args, **kwargs):
    with np.printoptions(**options):
        text = fmt.format(*args, **kwargs)
    sys.stdout.write(text + "\n")
