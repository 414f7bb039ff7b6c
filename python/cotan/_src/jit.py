"""`jit`: options, static arguments, and ahead-of-time stages.

The call path is `JittedFunction` in csrc/python/jit.pxi; it comes here only to
trace a new signature, and for calls with static arguments.
"""

from __future__ import annotations

import functools
import inspect
import operator
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cotan import _dispatch, errors, tree_util
from cotan._src import avals, explain, settings


class Options:
    """What a jit was asked for, normalised."""

    __slots__ = (
        "static_argnums",
        "static_argnames",
        "donate_argnums",
        "donate_argnames",
        "calls",
        "device_address",
        "inline",
        "signature",
    )

    def __init__(
        self,
        fun,
        static_argnums,
        static_argnames,
        donate_argnums,
        donate_argnames,
        device=None,
        inline=False,
    ):
        self.calls = []  # that were traced, for explain_cache_misses
        self.inline = bool(inline)
        self.device_address = 0 if device is None else _device_address(device)
        try:
            self.signature = inspect.signature(fun)
        except (TypeError, ValueError):
            self.signature = None
        if self.signature is None and donate_argnames and not donate_argnums:
            raise ValueError(
                f"Getting the signature of function {fun} failed. Pass "
                "donate_argnums instead of donate_argnames."
            )
        self.static_argnums, self.static_argnames = _resolve(
            self.signature, static_argnums, static_argnames, "static"
        )
        self.donate_argnums, self.donate_argnames = _resolve(
            self.signature, donate_argnums, donate_argnames, "donate"
        )

        both = self.static_argnames & self.donate_argnames
        if both and static_argnames is not None and donate_argnames is not None:
            raise ValueError(
                "static_argnames and donate_argnames cannot intersect: "
                f"argument {min(both)!r} is in both; a static one has no memory"
            )
        both = set(self.static_argnums) & set(self.donate_argnums)
        if both:
            raise ValueError(
                "static_argnums and donate_argnums cannot intersect: argument "
                f"{min(both)} is in both; static arguments have no memory"
            )

    @property
    def plain(self) -> bool:
        return not (
            self.static_argnums
            or self.static_argnames
            or self.donate_argnums
            or self.donate_argnames
        )


def _as_name(x):
    if not isinstance(x, str):
        raise TypeError
    return x


def _device_address(device):
    from cotan import _core
    from cotan._src import devices

    return _core.device_address(devices.as_device(device))


def _as_tuple(x, kind):
    if x is None:
        return ()
    take = operator.index if kind is int else _as_name
    try:
        if isinstance(x, str) or hasattr(x, "__index__"):
            return (take(x),)
        return tuple(take(item) for item in x)
    except TypeError:
        raise TypeError(
            f"jit: expected {kind.__name__} or a sequence of them for static "
            f"and donated arguments, got {x!r}"
        ) from None


def _resolve(signature, argnums, argnames, what):
    """Argument numbers and names; if only one of them is given, it completes
    the other."""
    nums, names = _as_tuple(argnums, int), _as_tuple(argnames, str)
    if signature is None:
        return nums, frozenset(names)
    parameters = list(signature.parameters.values())
    positional = [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    has_varargs = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    has_kwargs = any(p.kind == p.VAR_KEYWORD for p in parameters)
    for i in nums:
        if not has_varargs and not -len(positional) <= i < len(positional):
            raise ValueError(
                f"jitted function has {what}_argnums={nums}, but it accepts "
                f"only {len(positional)} positional arguments"
            )
    known = {p.name for p in parameters}
    unnamed = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.VAR_POSITIONAL,
    )
    for p in parameters:
        if p.name in names and p.kind in unnamed:
            raise ValueError(
                f"jitted function has {what}_argnames={names}, but {p.name!r} "
                "cannot be passed by name"
            )
    for name in names:
        if name not in known and not has_kwargs:
            raise ValueError(
                f"jitted function has invalid argnames {{{name!r}}} in "
                f"{what}_argnames. Function does not take these args."
            )
    all_nums = {i % len(positional) if i < 0 else i for i in nums}
    all_names = set(names)
    if argnums is not None and argnames is not None:
        return tuple(sorted(all_nums)), frozenset(names)
    for i, p in enumerate(positional):
        if i in all_nums and p.kind == p.POSITIONAL_OR_KEYWORD:
            all_names.add(p.name)
        if p.name in names:
            all_nums.add(i)
    return tuple(sorted(all_nums)), frozenset(all_names)


def resolve_static(fun, argnums, argnames):
    """(positions, names) of static arguments, each completed by the other."""
    options = Options(fun, argnums, argnames, None, None)
    return options.static_argnums, options.static_argnames


def jit(
    fun: Callable | None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    donate_argnames: str | Iterable[str] | None = None,
    keep_unused: bool = False,
    device: Any = None,
    backend: str | None = None,
    inline: bool = False,
    in_shardings: Any = None,
    out_shardings: Any = None,
    abstracted_axes: Any = None,
    compiler_options: dict[str, Any] | None = None,
) -> Callable:
    """Compiles `fun` just in time, once per signature of its arguments.

    Args:
      fun: a pure function of arrays, Python scalars and pytrees of them.
        Without it a decorator is returned.
      static_argnums, static_argnames: arguments that are compile-time
        constants; hashable, compared by `==` and by type.
      donate_argnums, donate_argnames: arguments whose memory the results may
        take over; they must not be used afterwards.
      device: a device of `cotan.devices(...)` that the program runs on;
        default: where its arguments are, else the default device.
      backend: the same by the platform's name.
      inline: whether the equations of `fun`, not a call of it, become part
        of what is traced around it.
      compiler_options: options of XLA, "xla_...", for plugins.
      keep_unused, in_shardings, out_shardings: accepted for compatibility.

    Returns:
      A function with the same signature. It has `lower(*args)`,
      `eval_shape(*args)`, `trace(*args)` and `clear_cache()`.

    >>> import cotan, cotan.numpy as cnp
    >>> cotan.jit(lambda x: x * x)(cnp.array([1, 2, 3, 4]))
    Array([ 1,  4,  9, 16], dtype=int32)
    """
    del keep_unused
    check_compiler_options(compiler_options)
    if device is None and backend is not None:
        from cotan._src import devices

        device = devices.devices(backend)[0]
    if abstracted_axes is not None:
        raise NotImplementedError("jit: abstracted_axes is not supported")
    del in_shardings, out_shardings
    if fun is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            donate_argnames=donate_argnames,
            device=device,
            inline=inline,
        )
    if isinstance(fun, staticmethod):
        raise TypeError(
            f"jit: staticmethod arguments are not supported, got {fun}; put "
            "@staticmethod above @jit"
        )
    if not callable(fun):
        raise TypeError(f"Expected a callable value, got {fun!r}")
    if inspect.isgeneratorfunction(fun):
        raise TypeError(f"Expected a function, got a generator function: {fun}")
    options = Options(
        fun,
        static_argnums,
        static_argnames,
        donate_argnums,
        donate_argnames,
        device,
        inline,
    )
    name = getattr(fun, "__name__", type(fun).__name__)
    if isinstance(fun, functools.partial):
        name = getattr(fun.func, "__name__", "<unnamed function>")
    f = _dispatch.JittedFunction(fun, options, options.plain, name)
    f.__dict__.update(getattr(fun, "__dict__", {}))
    f.__wrapped__ = fun
    f.__doc__ = getattr(fun, "__doc__", None)
    f.__name__ = name
    f.__qualname__ = getattr(fun, "__qualname__", name)
    f.__module__ = getattr(fun, "__module__", None)
    f.__annotations__ = getattr(fun, "__annotations__", {})
    if options.signature is not None:
        f.__signature__ = options.signature
    return f


# Options of JAX that are no flags of XLA.
_OPTIONS = frozenset(
    {
        "exec_time_optimization_effort",
        "memory_fitting_effort",
        "optimization_level",
        "memory_fitting_level",
    }
)


def check_compiler_options(options) -> None:
    """Refuses what no compiler has: a misspelt option would have no effect."""
    for name, value in (options or {}).items():
        if not isinstance(name, str) or not (
            name.startswith("xla_") or name in _OPTIONS
        ):
            raise errors.JaxRuntimeError(f"No such compile option: {name!r}")
        if name in _OPTIONS and not isinstance(value, (int, float)):
            raise errors.JaxRuntimeError(
                f"The compile option {name!r} is a number, got {value!r}"
            )


class _Static:
    """The place of a static argument among the dynamic ones."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def split_static(fun, options, args, kwargs):
    """((dynamic args, dynamic kwargs), key, statics) of a call."""
    statics, key = [], []
    dynamic_args = list(args)

    def take(place, value):
        try:
            hash(value)
        except TypeError:
            raise ValueError(
                "Non-hashable static arguments are not supported. An error "
                f"occurred while trying to hash an object of type "
                f"{type(value)}, {value!r}, at argument {place!r} of "
                f"{getattr(fun, '__name__', fun)!r}."
            ) from None
        statics.append((place, value))
        key.append((place, type(value), value))

    for i in options.static_argnums:
        if i < len(args):
            take(i, args[i])
            dynamic_args[i] = None
    dynamic_kwargs = {}
    for name, value in kwargs.items():
        if name in options.static_argnames:
            take(name, value)
        else:
            dynamic_kwargs[name] = value
    return (
        (tuple(dynamic_args), dynamic_kwargs),
        tuple(key) if key else None,
        statics,
    )


class TracedFunction:
    """State of one trace: gives the flat function, keeps the output tree."""

    def __init__(self, fun, options, in_tree, statics):
        self.fun, self.options = fun, options
        self.in_tree, self.statics = in_tree, statics or ()
        self.out_tree = None
        self.in_types = self.out_types = ()

    def flat_function(self, leaves):
        if settings.config.no_tracing:
            name = getattr(self.fun, "__name__", self.fun)
            raise RuntimeError(
                f"re-tracing function {name} for `jit`, but 'no_tracing' is set"
            )
        args, kwargs = tree_util.tree_unflatten(self.in_tree, leaves)
        args = list(args)
        for place, value in self.statics:
            if isinstance(place, int):
                args[place] = value
            else:
                kwargs[place] = value
        with explain.Tracing(
            self.fun, self.options, self.in_tree, self.statics, leaves
        ):
            out = self.fun(*args, **kwargs)
        flat, self.out_tree = tree_util.tree_flatten(out)
        flat = [
            avals.output_array(x, self.fun, i, out) for i, x in enumerate(flat)
        ]
        self.in_types = [(x.dtype, x.shape) for x in leaves]
        self.out_types = [(x.dtype, x.shape) for x in flat]
        return flat

    def _warn_of_unused(self, flags):
        """Of donated arguments whose memory fits no result."""
        results = list(self.out_types)
        unused = []
        for flag, kind in zip(flags, self.in_types, strict=True):
            if flag and kind in results:
                results.remove(kind)
            elif flag:
                shape = ",".join(map(str, kind[1]))
                unused.append(f"{kind[0]}[{shape}]")
        if unused:
            warnings.warn(
                f"Some donated buffers were not usable: {', '.join(unused)}. "
                "No result has their dtype and shape.",
                stacklevel=3,
            )

    def donated(self, n):
        """Which of n leaves are donated; warns of those in vain."""
        flags = self.donation(n)
        self._warn_of_unused(flags)
        return flags

    def donation(self, n):
        options = self.options
        if not (options.donate_argnums or options.donate_argnames):
            return [False] * n
        args, kwargs = tree_util.tree_unflatten(self.in_tree, [0] * n)
        flags = []
        for i, a in enumerate(args):
            flags += [i in options.donate_argnums] * len(
                tree_util.tree_leaves(a)
            )
        for name in sorted(kwargs):
            flags += [name in options.donate_argnames] * len(
                tree_util.tree_leaves(kwargs[name])
            )
        return flags


def bad_argument(fun, x, i):
    name = getattr(fun, "__name__", repr(fun))
    raise TypeError(
        f"Error interpreting argument to {name} as an abstract array. The "
        f"problematic value is of type {type(x)} and is the leaf number {i} "
        "of the arguments: cotan functions take arrays, Python scalars and "
        "pytrees of them. Mark it with static_argnums or static_argnames if "
        "it is a constant."
    )


# ---- ahead of time


def trace(jitted, args, kwargs):
    """The Traced of a call; arguments may be ShapeDtypeStructs."""
    from cotan._src.stages import Traced

    handle, in_tree, out_tree = jitted._traced(args, kwargs)
    return Traced(handle, in_tree, out_tree, jitted)
