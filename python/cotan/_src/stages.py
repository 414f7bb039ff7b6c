"""What `jit(f).trace`, `.lower` and `.compile` return."""

from __future__ import annotations

import dataclasses
from typing import Any

from cotan import _dispatch, tree_util
from cotan._src import avals
from cotan._src.jit import (
    TracedFunction,
    check_compiler_options,
    split_static,
)

CompilerOptions = dict[str, str | bool]


class _Stageable(type):
    def __instancecheck__(cls, x):
        return callable(x) and hasattr(x, "trace") and hasattr(x, "lower")


class Wrapped(metaclass=_Stageable):
    """A function that can be called, traced and lowered: what jit returns."""

    def __call__(self, *args, **kwargs):
        raise NotImplementedError

    def trace(self, *args, **kwargs) -> Traced:
        raise NotImplementedError

    def lower(self, *args, **kwargs) -> Lowered:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class ArgInfo:
    """The type of one argument, and whether its memory is given away."""

    _aval: avals.ShapedArray
    donated: bool

    @property
    def shape(self):
        return self._aval.shape

    @property
    def dtype(self):
        return self._aval.dtype


class Traced:
    """A function traced for given argument types."""

    def __init__(self, handle, in_tree, out_tree, fun):
        self._handle, self._fun = handle, fun
        self.in_tree, self.out_tree = in_tree, out_tree

    @property
    def jaxpr(self):
        return self._handle.jaxpr

    @property
    def fun_name(self):
        return self._fun.__name__

    @property
    def args_info(self):
        """(args, kwargs) with an ArgInfo in place of every array."""
        types = [avals.ShapedArray(s, t, w) for t, s, w in self._types()]
        infos = map(ArgInfo, types, self._donated())
        return tree_util.tree_unflatten(self.in_tree, list(infos))

    @property
    def in_avals(self):
        """(args, kwargs) with the type in place of every array."""
        return tree_util.tree_map(lambda a: a._aval, self.args_info)

    @property
    def donate_argnums(self):
        """Of the flattened arguments, those whose memory is given away."""
        return tuple(i for i, d in enumerate(self._donated()) if d)

    @property
    def out_avals(self):
        types = self.jaxpr.out_types
        return tree_util.tree_unflatten(
            self.out_tree, [avals.ShapedArray(s, t, w) for t, s, w in types]
        )

    @property
    def out_info(self):
        return tree_util.tree_unflatten(
            self.out_tree, [avals.struct(a) for a in self.jaxpr.out_types]
        )

    def lower(self, *, lowering_platforms=None):
        """The next stage. Its text and program are made on demand, for the
        device or topology that is asked for then, so that there is nothing to
        name platforms for."""
        del lowering_platforms
        return Lowered(self)

    def _types(self):
        # Constants that the function closes over come first.
        n = self.in_tree.num_leaves
        return self.jaxpr.in_types[len(self.jaxpr.in_types) - n :]

    def _donated(self):
        fun = TracedFunction(
            self._fun.fun, self._fun.options, self.in_tree, None
        )
        return fun.donation(self.in_tree.num_leaves)


class _Stage:
    """What later stages know of the arguments and results."""

    def __init__(self, traced):
        self._traced = traced

    in_tree = property(lambda self: self._traced.in_tree)
    out_tree = property(lambda self: self._traced.out_tree)
    args_info = property(lambda self: self._traced.args_info)
    in_avals = property(lambda self: self._traced.in_avals)
    donate_argnums = property(lambda self: self._traced.donate_argnums)
    out_avals = property(lambda self: self._traced.out_avals)
    out_info = property(lambda self: self._traced.out_info)


class Lowered(_Stage):
    """A traced function on its way to a backend."""

    def as_text(
        self, dialect: str | None = None, *, debug_info: bool = False
    ) -> str:
        """The program as text: StableHLO, or the jaxpr ("jaxpr")."""
        if debug_info:
            raise NotImplementedError(
                "[lower] as_text: debug_info=True is not available, the text "
                "has no source locations"
            )
        if dialect == "jaxpr":
            return str(self._traced.jaxpr)
        if dialect in (None, "stablehlo"):
            from cotan import _core

            return _core.program_stablehlo(self._traced._handle.capsule())
        raise NotImplementedError(
            f"[lower] dialect {dialect!r} is not available, use 'jaxpr' or "
            "'stablehlo'"
        )

    def compiler_ir(self, dialect: str | None = None) -> Any:
        """As `as_text`."""
        return self.as_text(dialect)

    def cost_analysis(self) -> dict:
        """What the compiler says the program costs, or {}."""
        return self.compile().cost_analysis()

    def compile(self, compiler_options=None, *, topology=None):
        """Compiles for the device of the program, or for a topology.

        Args:
          compiler_options: flags of the compiler, for a topology.
          topology: of `cotan.aot.topology(...)`: compiles for devices that
            need not be here; the result can be inspected and serialized.
        """
        check_compiler_options(compiler_options)
        if topology is not None:
            return topology.compile(self, compiler_options)
        self._traced._handle.compile()
        return Compiled(self._traced)


class Compiled(_Stage):
    """A compiled program for one signature; call it with such arguments."""

    def as_text(self) -> str:
        """The program as it runs: its kernels, their order and memory. Of a
        plugin, its optimised HLO (needs jaxlib, which can print it), or the
        StableHLO that was compiled."""
        handle = self._traced._handle
        if text := handle.text():
            return text
        from cotan import _core, aot

        program = handle.capsule()
        return aot.hlo_text(
            lambda: _core.program_optimized(program, None)
        ) or _core.program_stablehlo(program)

    def _facts(self):
        from cotan import _core

        try:
            return _core.program_facts(self._traced._handle.capsule(), None)
        except NotImplementedError:  # of a backend without a plugin
            return {"cost": {}, "memory": {}}

    def cost_analysis(self) -> dict:
        """What the plugin's compiler says the program costs, or {}."""
        return self._facts()["cost"]

    def memory_analysis(self) -> dict:
        """Bytes of arguments, results, aliases and scratch, or {}."""
        return self._facts()["memory"]

    def serialize(self) -> bytes:
        """The program as bytes, for `cotan.aot.load`."""
        from cotan import aot

        return aot.serialize(self)

    def _argument_names(self, dynamic):
        """Of every leaf of (args, kwargs), such as "x['a'][0]"."""
        signature = self._traced._fun.options.signature
        names = list(signature.parameters) if signature else []
        out = []
        for path, _ in tree_util.tree_flatten_with_path(dynamic)[0]:
            at = path[1].idx if path[0].idx == 0 else path[1].key
            if isinstance(at, int):
                at = names[at] if at < len(names) else f"args[{at}]"
            out.append(f"{at}{tree_util.keystr(path[2:])}")
        return out

    def __call__(self, *args, **kwargs):
        options = self._traced._fun.options
        dynamic, _, _ = split_static(
            self._traced._fun.fun, options, list(args), kwargs
        )
        leaves, tree = tree_util.tree_flatten(dynamic)
        if tree != self.in_tree:
            raise TypeError(
                "Function compiled with input pytree does not match the input "
                f"pytree it was called with: expected {self.in_tree}, got "
                f"{tree}"
            )
        for x in leaves:
            if isinstance(x, _dispatch.Tracer):
                raise TypeError(
                    "Cannot apply transformations to a function lowered and "
                    "compiled for a particular signature. Detected argument "
                    f"{x!r}"
                )
        want = self._traced._handle.jaxpr.in_types
        got = [avals.leaf_aval(x)[:2] for x in leaves]
        if any(g != w[:2] for g, w in zip(got, want, strict=True)):
            names = self._argument_names(dynamic)
            found = [
                f"Argument '{name}' compiled with {_type_text(w)} and called "
                f"with {_type_text(g)}"
                for name, g, w in zip(names, got, want, strict=True)
                if g != w[:2]
            ]
            raise TypeError(
                "Argument types differ from the types for which this "
                "computation was compiled. The mismatches are:\n"
                + "\n".join(found)
            )
        out = self._traced._handle.run(leaves)
        return tree_util.tree_unflatten(self.out_tree, out)


def _type_text(t):
    return f"{t[0].name}[{','.join(map(str, t[1]))}]"
