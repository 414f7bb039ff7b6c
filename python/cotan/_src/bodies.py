"""Functions that control flow takes, traced once per signature, and the checks
of what they return.
"""

from __future__ import annotations

import inspect
import weakref

from cotan import _core, _dispatch
from cotan._src import api, avals
from cotan._tree_prefix import equality_errors, equality_errors_pytreedef
from cotan.tree_util import (
    keystr,
    tree_flatten,
    tree_flatten_with_path,
    tree_unflatten,
)

_traces: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class Body:
    """A function traced on given types: its jaxpr and output structure."""

    __slots__ = ("jaxpr", "out_tree")

    def __init__(self, jaxpr, out_tree):
        self.jaxpr, self.out_tree = jaxpr, out_tree

    @property
    def out_avals(self):
        return self.jaxpr.out_types

    def types(self):
        """The output with the texts of types for leaves."""
        return _printed(self.out_tree, self.out_avals)

    def example(self):
        """The output with ShapeDtypeStructs for leaves."""
        return tree_unflatten(
            self.out_tree, [avals.struct(a) for a in self.out_avals]
        )


def _printed(tree, types):
    """Types in the place of leaves, as they are written in messages."""
    return tree_unflatten(tree, [_Text(short(a)) for a in types])


class _Text(str):
    __repr__ = str.__str__


def trace(fun, in_tree, in_avals) -> Body:
    """Traces fun(*args, **kwargs) of the tree (args, kwargs).

    The trace is kept as long as `fun`, unless it closes over tracers.
    """
    key = in_tree, tuple(in_avals), _core.config_key()
    try:
        known = _traces.setdefault(fun, {})
    except TypeError:  # not hashable, or no weak references
        known = {}
    body = known.get(key)
    if body is None:
        flat = api._Flat(fun, in_tree)
        body = Body(_dispatch.trace_flat(flat, in_avals), flat.out_tree)
        if _dispatch.is_closed(body.jaxpr):
            known[key] = body
    return body


def clear_traces() -> None:
    _traces.clear()


def operands(tree, what):
    """(leaves as Arrays, treedef)"""
    leaves, treedef = tree_flatten(tree)
    return [_operand(x, what) for x in leaves], treedef


def _operand(x, what):
    if not _dispatch.is_array(x):
        raise TypeError(
            f"Value {x!r} with type {type(x)} is not a valid JAX type: "
            f"{what} takes arrays, scalars and pytrees of them."
        )
    return _dispatch.to_array(x)


def same_type(a, b) -> bool:
    """Dtype and shape agree; weak types do not matter."""
    return a[0] == b[0] and a[1] == b[1]


def promote_weak(values, in_avals, out_avals):
    """Weakly typed values as the type that comes out; (values, changed)."""
    out, changed = [], False
    for x, a, b in zip(values, in_avals, out_avals, strict=True):
        if a[2] and not same_type(a, b):
            dtype, _ = _core.result_type((x, avals.struct(b)))
            x, changed = _core.convert(x, dtype, False), True
        out.append(x)
    return out, changed


def shaped(aval) -> avals.ShapedArray:
    dtype, shape, weak = aval
    return avals.ShapedArray(shape, dtype, weak)


def short(aval) -> str:
    dtype, shape, _ = aval
    name = getattr(dtype, "name", str(dtype))
    return f"{name}[{','.join(map(str, shape))}]"


def mismatch(a, b) -> str:
    parts = []
    if a[0] != b[0]:
        parts.append("the dtypes do not match")
    if a[1] != b[1]:
        parts.append("the shapes do not match")
    return ", so " + " and ".join(parts) if parts else ""


def _listed(differences) -> str:
    if len(differences) == 1:
        only = differences[0]
        first = only.split(" ", 1)[0]  # not a name such as true_fun
        only = only[0].upper() + only[1:] if first == "the" else only
        return f"{only}.\n"
    lines = [f"  * {d};\n" for d in differences[:-1]]
    return "\n".join([*lines, f"  * {differences[-1]}.\n"])


def check_carry(name, fun, init, in_tree, in_avals, out_tree, out_avals):
    """The carry that comes out has the structure and types of the one that
    goes in; else TypeError."""
    try:
        first = next(iter(inspect.signature(fun).parameters), None)
    except (ValueError, TypeError):
        first = None

    def component(path):
        if first:
            at = f"component {first}{keystr(path)}" if path else first
            return f"the input carry {at}"
        at = f" at path {keystr(path)}" if path else ""
        return f"the input carry{at}"

    if in_tree != out_tree:
        out = tree_unflatten(out_tree, [avals.struct(a) for a in out_avals])
        differences = [
            f"{component(path)} is a {a} but the corresponding component of "
            f"the carry output is a {b}, so {why}"
            for path, a, b, why in equality_errors(init, out)
        ]
        if not differences:
            return
        raise TypeError(
            f"{name} function carry input and carry output must have the same "
            f"pytree structure, but they differ:\n\n{_listed(differences)}\n"
            "Revise the function so that the carry output has the same pytree "
            "structure as the carry input."
        )
    if all(map(same_type, in_avals, out_avals)):
        return
    paths = [p for p, _ in tree_flatten_with_path(init)[0]]
    differences = [
        f"{component(p)} has type {short(a)} but the corresponding output "
        f"carry component has type {short(b)}{mismatch(a, b)}"
        for p, a, b in zip(paths, in_avals, out_avals, strict=True)
        if not same_type(a, b)
    ]
    raise TypeError(
        f"{name} function carry input and carry output must have equal types, "
        f"but they differ:\n\n{_listed(differences)}\n"
        "Revise the function so that all output types match the corresponding "
        "input types."
    )


def _where(fun) -> str:
    code = getattr(fun, "__code__", None)
    name = getattr(fun, "__name__", repr(fun))
    if code is None:
        return name
    return f"{name} at {code.co_filename}:{code.co_firstlineno}"


def check_branches(api_name, names, funs, bodies):
    """All branches give one structure and types; else TypeError."""
    for name, fun, body in list(zip(names, funs, bodies, strict=True))[1:]:
        _check_branch(api_name, names[0], name, funs[0], fun, bodies[0], body)


def _check_branch(api_name, name0, name1, fun0, fun1, body0, body1):
    def component(path):
        return f" at path {keystr(path)}" if path else ""

    info = f"{name0} is {_where(fun0)}\n{name1} is {_where(fun1)}\n\n"
    if body0.out_tree != body1.out_tree:
        differences = [
            f"{name0} output{component(path)} is a {a} but {name1} "
            f"output{component(path)} is a {b}, so {why}"
            for path, a, b, why in equality_errors_pytreedef(
                body0.out_tree, body1.out_tree
            )
        ]
        if not differences:
            return
        raise TypeError(
            f"{api_name} branch outputs must have the same pytree structure, "
            f"but they differ:\n\n{info}{_listed(differences)}\n"
            f"Revise {name0} and/or {name1} so that they have the same pytree "
            "structure."
        )
    if all(map(same_type, body0.out_avals, body1.out_avals)):
        return
    paths = [p for p, _ in tree_flatten_with_path(body0.example())[0]]
    differences = [
        f"the output of {name0}{component(p)} has type {short(a)} but the "
        f"corresponding output of {name1} has type {short(b)}{mismatch(a, b)}"
        for p, a, b in zip(paths, body0.out_avals, body1.out_avals, strict=True)
        if not same_type(a, b)
    ]
    raise TypeError(
        f"{api_name} branches must have equal output types but they differ."
        f"\n\n{info}{_listed(differences)}\n"
        f"Revise {name0} and/or {name1} so that all output types match."
    )
