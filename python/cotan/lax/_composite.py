"""`composite`: a function under a name that a compiler may know."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from cotan import _core, _dispatch
from cotan._src import bodies, primitives
from cotan.errors import UnexpectedTracerError
from cotan.tree_util import tree_flatten, tree_unflatten

__all__ = ["composite"]

_UNKNOWN = (
    "This means that the decomposition function closes over a value that is "
    "involved in a JAX transformation. Any values that aren't explicitly known "
    "at compile time must be explicitly passed as arguments to the composite."
)


def composite(decomposition: Callable, name: str, version: int = 0):
    """The function `decomposition` under a name that a compiler may know.

    It is what it is made of, and so it is compiled by whoever does not know
    the name. Keyword arguments are attributes: static, and written into
    StableHLO unless they are None. It has no derivative: give it one with
    `custom_jvp`.

    >>> f = lax.composite(lambda x, *, k: x * k, "my.scale")
    >>> f(cnp.ones(2), k=3)
    Array([3., 3.], dtype=float32)
    """

    @functools.wraps(decomposition)
    def composed(*args, **attributes):
        kept = _attributes(name, attributes)
        operands, _ = bodies.operands(args, "composite")
        body = bodies.trace(
            lambda *xs: decomposition(*xs, **attributes),
            tree_flatten((args, {}))[1],
            [_dispatch.aval_of(x) for x in operands],
        )
        if not _dispatch.is_closed(body.jaxpr):
            raise UnexpectedTracerError(
                "Found a JAX Tracer as a constant in the decomposition for "
                f"the composite op '{name}'. {_UNKNOWN}"
            )
        out = primitives.core_primitive("composite").bind(
            *body.jaxpr.consts,
            *operands,
            name=name,
            attributes=kept,
            version=int(version),
            jaxpr=_dispatch.with_consts(body.jaxpr, []),
        )
        return tree_unflatten(body.out_tree, out)

    return composed


# ---- attributes


class _Hashable:
    """An array as a leaf of attributes."""

    def __init__(self, value):
        self.value = value.copy()

    def _key(self):
        x = self.value
        return x.shape, str(x.dtype), x.tobytes()

    def __eq__(self, other):
        return isinstance(other, _Hashable) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return repr(self.value)


class Attributes(tuple):
    """(name, leaves, tree) of each; equal only if the types are."""

    def _key(self):
        return tuple(
            (name, tree, tuple((type(x), repr(x), x) for x in leaves))
            for name, leaves, tree in self
        )

    def __eq__(self, other):
        return isinstance(other, Attributes) and self._key() == other._key()

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self._key())

    def hlo(self) -> str:
        """As MLIR writes a dictionary; empty: there are none."""
        values = {k: tree_unflatten(tree, xs) for k, xs, tree in self}
        values = {k: v for k, v in values.items() if v is not None}
        return _text(values) if values else ""


def _attributes(name, attributes) -> Attributes:
    if any(isinstance(v, _dispatch.Tracer) for v in attributes.values()):
        raise UnexpectedTracerError(
            "Found a JAX Tracer as an attribute in the decomposition for the "
            f"composite op '{name}'. {_UNKNOWN}\n\n"
            "Note: If you are passing jax arrays as attributes, use numpy "
            "arrays instead."
        )
    out = []
    for key, value in attributes.items():
        leaves, tree = tree_flatten(value)
        kept = tuple(
            _Hashable(x) if isinstance(x, np.ndarray) else x for x in leaves
        )
        for x in kept:
            try:
                hash(x)
            except TypeError:
                raise TypeError(
                    f"[composite] attribute {key!r} of '{name}' must be "
                    f"hashable or a NumPy array, got {type(x).__name__}"
                ) from None
        out.append((key, kept, tree))
    return Attributes(out)


_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$.]*")


def _text(x: Any) -> str:
    """An attribute as MLIR writes it."""
    if isinstance(x, dict):
        items = [f"{_name(k)} = {_text(v)}" for k, v in sorted(x.items())]
        return "{" + ", ".join(items) + "}"
    if isinstance(x, (list, tuple)):
        # Here, and only here, 64 bits go without saying.
        items = (re.sub(" : [if]64$", "", _text(v)) for v in x)
        return "[" + ", ".join(items) + "]"
    if isinstance(x, (str, bytes)):
        return _quoted(x)
    if isinstance(x, _Hashable):
        return _dense(x.value)
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x)).lower()
    if isinstance(x, int):
        x = np.int64(x)
    if isinstance(x, float):
        x = np.float64(x)
    if isinstance(x, (np.number, np.generic)) and x.dtype.kind in "iuf":
        return f"{_element(x)} : {_element_type(x.dtype)}"
    if isinstance(x, np.dtype):
        return _element_type(x)
    raise NotImplementedError(
        f"[composite] an attribute of type {type(x).__name__} cannot be "
        "written as StableHLO"
    )


def _name(key) -> str:
    return key if _BARE_NAME.fullmatch(key) else _quoted(key)


def _quoted(x) -> str:
    data = x.encode() if isinstance(x, str) else x
    plain = [
        chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:02X}"
        for b in data
    ]
    return '"' + "".join(plain) + '"'


def _element_type(dtype) -> str:
    return _core.hlo_type(dtype, ()).removeprefix("tensor<").removesuffix(">")


def _element(x) -> str:
    if x.dtype.kind == "b":
        return str(bool(x)).lower()
    if x.dtype.kind == "c":
        return f"({_element(x.real)},{_element(x.imag)})"
    if x.dtype.kind in "iu":
        return str(int(x))
    text = f"{float(x):.6e}"
    if np.isfinite(x) and x.dtype.type(float(text)) == x:
        return text
    return "0x" + x.tobytes()[::-1].hex().upper()


def _dense(x) -> str:
    if x.size and all(v.tobytes() == x.flat[0].tobytes() for v in x.flat):
        inner = _element(x.flat[0])
    else:
        inner = _nested(x) if x.size else ""
    return f"dense<{inner}> : {_core.hlo_type(x.dtype, x.shape)}"


def _nested(x) -> str:
    if x.ndim == 0:
        return _element(x[()])
    return "[" + ", ".join(map(_nested, x)) + "]"
