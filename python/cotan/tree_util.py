"""Pytrees: nested containers of leaves, and functions on them.

A pytree is a leaf or a node; nodes are None, list, tuple, namedtuple, dict
(children in the order of the sorted keys), OrderedDict, defaultdict, and the
types registered here. Every other object is a leaf. Class hierarchies do not
matter: a subclass of list is a leaf. The short names are in cotan.tree.

Trees must not contain themselves. The hot loops are in csrc/python/pytree*.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from cotan._pytree import (
    DictKey,
    FlattenedIndexKey,
    GetAttrKey,
    PyTreeDef,
    PyTreeRegistry,
    SequenceKey,
    default_registry,
    map_leaves,
    map_tree,
    none_leaf_registry,
    tree_flatten,
    tree_leaves,
    tree_structure,
    tree_unflatten,
)
from cotan._pytree import all_leaves as _all_leaves
from cotan._pytree import treedef_tuple as _treedef_tuple
from cotan._tree_prefix import broadcast_prefix, iter_prefix_errors

__all__ = [
    "DictKey",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyEntry",
    "KeyPath",
    "Partial",
    "PyTreeDef",
    "SequenceKey",
    "all_leaves",
    "default_registry",
    "flatten_one_level",
    "flatten_one_level_with_keys",
    "is_tree_node",
    "keystr",
    "register_dataclass",
    "register_pytree_node",
    "register_pytree_node_class",
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
    "register_static",
    "tree_all",
    "tree_broadcast",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_with_path",
    "tree_reduce",
    "tree_reduce_associative",
    "tree_structure",
    "tree_transpose",
    "tree_unflatten",
    "treedef_children",
    "treedef_is_leaf",
    "treedef_tuple",
]

T = TypeVar("T")
Typ = TypeVar("Typ", bound=type[Any])
KeyEntry = TypeVar("KeyEntry", bound=Any)
KeyPath = tuple[Any, ...]
_IsLeaf = Callable[[Any], bool] | None

# Every registry; a registered type is a node in all of them.
_registries: tuple[PyTreeRegistry, ...] = (default_registry, none_leaf_registry)


class _Unspecified:
    def __repr__(self) -> str:
        return "<unspecified>"


_unspecified = _Unspecified()


# --- Registering types ------------------------------------------------------
def register_pytree_node(
    nodetype: type[T],
    flatten_func: Callable[[T], tuple[Iterable[Any], Hashable]],
    unflatten_func: Callable[[Any, Any], T],
    flatten_with_keys_func: Callable[[T], tuple[Iterable[Any], Hashable]]
    | None = None,
) -> None:
    """Makes the instances of a type nodes.

    Args:
      nodetype: the class. A class can be registered once; ValueError after.
      flatten_func: x -> (children, aux), aux being what is static: hashable
        and comparable with ==.
      unflatten_func: (aux, tuple of children) -> x. It may get children that
        are no arrays (object(), None, tracers): do not inspect them.
      flatten_with_keys_func: x -> ([(key, child)], aux), for key paths.

    >>> class Pair:
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    >>> register_pytree_node(
    ...     Pair, lambda p: ((p.x, p.y), None), lambda aux, xs: Pair(*xs)
    ... )
    >>> tree_leaves(Pair(1, [2, 3]))
    [1, 2, 3]
    """
    for registry in _registries:
        registry.register_node(
            nodetype, flatten_func, unflatten_func, flatten_with_keys_func
        )


def register_pytree_node_class(cls: Typ) -> Typ:
    """Registers a class by its methods tree_flatten and tree_unflatten.

    >>> @register_pytree_node_class
    ... class Point:
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    ...
    ...     def tree_flatten(self):
    ...         return (self.x, self.y), None
    ...
    ...     @classmethod
    ...     def tree_unflatten(cls, aux, children):
    ...         return cls(*children)
    >>> tree_leaves(Point(1, 2))
    [1, 2]
    """
    register_pytree_node(
        cls, operator.methodcaller("tree_flatten"), cls.tree_unflatten
    )
    return cls


def register_pytree_with_keys(
    nodetype: type[T],
    flatten_with_keys: Callable[[T], tuple[Iterable[Any], Hashable]],
    unflatten_func: Callable[[Any, Any], T],
    flatten_func: Callable[[T], tuple[Iterable[Any], Hashable]] | None = None,
) -> None:
    """register_pytree_node for types that name the keys of their children.

    flatten_with_keys: x -> ([(key, child)], aux). flatten_func, if given, must
    return the same children and aux without the keys (it is faster).
    """
    if flatten_func is None:

        def flatten_func(x: T) -> tuple[Iterable[Any], Hashable]:
            pairs, aux = flatten_with_keys(x)
            return [child for _, child in pairs], aux

    register_pytree_node(
        nodetype, flatten_func, unflatten_func, flatten_with_keys
    )


def register_pytree_with_keys_class(cls: Typ) -> Typ:
    """Registers a class by tree_flatten_with_keys and tree_unflatten.

    A method tree_flatten is used where keys are not needed, if there is one.
    """
    plain = None
    if hasattr(cls, "tree_flatten"):
        plain = operator.methodcaller("tree_flatten")
    register_pytree_with_keys(
        cls,
        operator.methodcaller("tree_flatten_with_keys"),
        cls.tree_unflatten,
        plain,
    )
    return cls


def register_dataclass(
    nodetype: Typ,
    data_fields: Iterable[str] | None = None,
    meta_fields: Iterable[str] | None = None,
    drop_fields: Iterable[str] = (),
) -> Typ:
    """Registers a dataclass, or a class that is rebuilt from its attributes.

    Args:
      nodetype: the class; nodetype(**{field: value}) must rebuild an instance.
      data_fields: names of the children, in their order.
      meta_fields: names of the static attributes: hashable, part of the
        structure. For a dataclass both default to what the fields say
        (`cotan.tree.static()` marks a static one).
      drop_fields: fields of a dataclass that are left out on purpose.

    >>> @register_dataclass
    ... @dataclasses.dataclass
    ... class Layer:
    ...     weight: float
    ...     name: str = dataclasses.field(metadata={"static": True})
    >>> tree_flatten(Layer(1.0, "a"))
    ([1.0], PyTreeDef(CustomNode(Layer[('a',)], [*])))
    """
    if data_fields is None or meta_fields is None:
        data, meta = _fields_of(nodetype, data_fields, meta_fields)
    else:
        data, meta = tuple(data_fields), tuple(meta_fields)
    if dataclasses.is_dataclass(nodetype):
        _check_fields(nodetype, {*data, *meta}, drop_fields)
    if overlap := set(data) & set(meta):
        raise ValueError(
            "data_fields and meta_fields must not overlap. Overlapping fields:"
            f" {overlap}."
        )
    for registry in _registries:
        registry.register_dataclass_node(nodetype, data, meta)
    return nodetype


def _fields_of(
    nodetype: type, data_fields: Any, meta_fields: Any
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if data_fields is not None or meta_fields is not None:
        raise TypeError(
            "register_dataclass: data_fields and meta_fields must both be "
            "specified when either is specified. Got "
            f"{data_fields=} {meta_fields=}."
        )
    if not dataclasses.is_dataclass(nodetype):
        raise TypeError(
            "register_dataclass: data_fields and meta_fields are required when"
            f" nodetype is not a dataclass. Got {nodetype=}."
        )
    data: list[str] = []
    meta: list[str] = []
    for f in dataclasses.fields(nodetype):
        (meta if f.metadata.get("static", False) else data).append(f.name)
    return tuple(data), tuple(meta)


def _check_fields(
    nodetype: Any, named: set[str], drop_fields: Iterable[str]
) -> None:
    init = {f.name for f in dataclasses.fields(nodetype) if f.init}
    init.difference_update(drop_fields)
    if named == init:
        return
    text = (
        "data_fields and meta_fields must include all dataclass fields with"
        " ``init=True`` and only them."
    )
    if missing := init - named:
        text += (
            f" Missing fields: {missing}. Add them to drop_fields to suppress"
            " this error."
        )
    if unexpected := named - init:
        text += f" Unexpected fields: {unexpected}."
    raise ValueError(text)


def register_static(cls: Typ) -> Typ:
    """Registers a class whose instances have no leaves: they are static.

    Instances must be hashable and comparable.

    >>> @register_static
    ... class Mode(str):
    ...     pass
    >>> tree_structure(Mode("train"))
    PyTreeDef(CustomNode(Mode[train], []))
    """
    register_pytree_with_keys(cls, lambda x: ((), x), lambda x, _: x)
    return cls


def is_tree_node(typ: type) -> bool:
    """Are the instances of this type nodes?"""
    return default_registry.is_node(typ)


def flatten_one_level(tree: Any) -> tuple[Iterable[Any], Hashable]:
    """(children, metadata) of one node; ValueError for a leaf.

    >>> flatten_one_level({"a": [1, 2], "b": 3})
    (([1, 2], 3), ('a', 'b'))
    """
    out = default_registry.flatten_one_level(tree)
    if out is None:
        raise ValueError(f"can't tree-flatten type: {type(tree)}")
    return out


def flatten_one_level_with_keys(tree: Any) -> tuple[Iterable[Any], Hashable]:
    """([(key, child)], metadata) of one node; ValueError for a leaf."""
    out = default_registry.flatten_one_level_with_keys(tree)
    if out is None:
        raise ValueError(f"can't tree-flatten type: {type(tree)}")
    return out


# --- Structures -------------------------------------------------------------
def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple of trees with these structures.

    >>> treedef_tuple([tree_structure(1), tree_structure([1, 2])])
    PyTreeDef((*, [*, *]))
    """
    return _treedef_tuple(treedefs)


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the children of the root."""
    return treedef.children()


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Does the structure have no children?"""
    return treedef.num_nodes == 1


def all_leaves(iterable: Iterable[Any], is_leaf: _IsLeaf = None) -> bool:
    """Are all elements leaves?

    >>> all_leaves([1, 2]), all_leaves([1, None])
    (True, False)
    """
    if is_leaf is None:
        return _all_leaves(iterable)
    items = list(iterable)
    leaves = tree_leaves(items, is_leaf)
    return len(leaves) == len(items) and all(map(operator.is_, items, leaves))


def build_tree(treedef: PyTreeDef, xs: Any) -> Any:
    """Unflattens nested iterables that have the shape of treedef."""
    return treedef.from_iterable_tree(xs)


# --- Mapping and reducing ---------------------------------------------------
def _flatten_rest(
    name: str,
    tree: Any,
    rest: tuple[Any, ...],
    treedef: PyTreeDef,
    is_leaf: _IsLeaf,
) -> list[list[Any]]:
    out = []
    for other in rest:
        try:
            out.append(treedef.flatten_up_to(other))
        except Exception as e:
            errors = iter_prefix_errors((), tree, other, is_leaf)
            error = next(errors, None)
            raise (error(name) if error else e) from None
    return out


def tree_map(
    f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: _IsLeaf = None
) -> Any:
    """Applies f to the leaves of a tree; see cotan.tree.map."""
    if not rest:
        return map_tree(f, tree, is_leaf)
    leaves, treedef = tree_flatten(tree, is_leaf)
    columns = _flatten_rest("tree_map tree", tree, rest, treedef, is_leaf)
    return map_leaves(f, treedef, [leaves, *columns])


def tree_map_with_path(
    f: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> Any:
    """tree_map with f(key path, leaf, ...); see cotan.tree.map_with_path."""
    pairs, treedef = tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    columns = _flatten_rest(
        "tree_map_with_path tree",
        tree,
        rest,
        treedef,
        None if is_leaf_takes_path else is_leaf,
    )
    return map_leaves(
        f,
        treedef,
        [[path for path, _ in pairs], [leaf for _, leaf in pairs], *columns],
    )


def tree_transpose(
    outer_treedef: PyTreeDef,
    inner_treedef: PyTreeDef | None,
    pytree_to_transpose: Any,
) -> Any:
    """Turns a tree of trees inside out; see cotan.tree.transpose."""
    flat, treedef = tree_flatten(pytree_to_transpose)
    if inner_treedef is None:
        subtrees = outer_treedef.flatten_up_to(pytree_to_transpose)
        inner_treedef = tree_structure(subtrees[0])
    inner, outer = inner_treedef.num_leaves, outer_treedef.num_leaves
    if treedef.num_leaves != inner * outer:
        expected = outer_treedef.compose(inner_treedef)
        raise TypeError(f"Mismatch\n{treedef}\n != \n{expected}")
    return inner_treedef.unflatten(
        [outer_treedef.unflatten(flat[i::inner]) for i in range(inner)]
    )


def tree_reduce(
    function: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = _unspecified,
    is_leaf: _IsLeaf = None,
) -> Any:
    """functools.reduce over the leaves; see cotan.tree.reduce."""
    leaves = tree_leaves(tree, is_leaf)
    if initializer is _unspecified:
        return functools.reduce(function, leaves)
    return functools.reduce(function, leaves, initializer)


def tree_reduce_associative(
    operation: Callable[[Any, Any], Any],
    tree: Any,
    *,
    identity: Any = _unspecified,
    is_leaf: _IsLeaf = None,
) -> Any:
    """Reduces pairwise; see cotan.tree.reduce_associative."""
    leaves = tree_leaves(tree, is_leaf)
    if leaves:
        return _reduce_halves(operation, leaves)
    if identity is _unspecified:
        raise TypeError(
            "Must specify identity for parallel reduction of empty sequence."
        )
    return identity


def _reduce_halves(
    operation: Callable[[Any, Any], Any], items: list[Any]
) -> Any:
    if len(items) == 1:
        return items[0]
    half = len(items) // 2
    return operation(
        _reduce_halves(operation, items[:half]),
        _reduce_halves(operation, items[half:]),
    )


def tree_all(tree: Any, *, is_leaf: _IsLeaf = None) -> bool:
    """all() of the leaves."""
    return all(tree_leaves(tree, is_leaf))


def tree_broadcast(
    prefix_tree: Any, full_tree: Any, is_leaf: _IsLeaf = None
) -> Any:
    """A tree prefix spread over full_tree; see cotan.tree.broadcast."""
    leaves = broadcast_prefix(prefix_tree, full_tree, is_leaf)
    return tree_structure(full_tree).unflatten(leaves)


# --- Key paths --------------------------------------------------------------
def tree_flatten_with_path(
    tree: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """([(key path, leaf)], treedef); see cotan.tree.flatten_with_path."""
    predicate = is_leaf
    if is_leaf is not None and not is_leaf_takes_path:

        def predicate(path: KeyPath, x: Any) -> bool:
            return is_leaf(x)

    return default_registry.flatten_with_path(tree, predicate)


def tree_leaves_with_path(
    tree: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> list[tuple[KeyPath, Any]]:
    """[(key path, leaf)]; see cotan.tree.leaves_with_path."""
    return tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


def keystr(keys: KeyPath, *, simple: bool = False, separator: str = "") -> str:
    """A key path as text; with `simple` only the names.

    >>> (path, leaf), *_ = tree_leaves_with_path({"a": [1, 2]})
    >>> keystr(path), keystr(path, simple=True, separator="/")
    ("['a'][0]", 'a/0')
    """
    return separator.join(map(_simple_key if simple else str, keys))


def _simple_key(key: Any) -> str:
    match key:
        case (
            SequenceKey(idx=name)
            | DictKey(key=name)
            | GetAttrKey(name=name)
            | FlattenedIndexKey(key=name)
        ):
            return str(name)
        case _:
            return str(key)


# --- Partial ----------------------------------------------------------------
class _HashableCallableShim:
    """Calls, hashes and compares as the function it holds."""

    def __init__(self, fun: Callable[..., Any]):
        self.fun = fun

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fun(*args, **kwargs)

    def __hash__(self) -> int:
        return hash(self.fun)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _HashableCallableShim):
            other = other.fun
        return self.fun == other

    def __repr__(self) -> str:
        return f"_HashableCallableShim({self.fun!r})"


class Partial(functools.partial[Any]):
    """functools.partial as a pytree: the arguments are its children.

    The function is static. Partial(f) alone makes a function a valid argument
    of a transformed function.

    >>> tree_flatten(Partial(max, 1))
    ([1], PyTreeDef(CustomNode(Partial[<built-in function max>], [(*,), {}])))
    """

    def __new__(
        cls, func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> "Partial":
        # functools.partial merges nested partials, which would turn static
        # arguments of the inner one into children. It does so for anything
        # with the attribute `func`, which the shim gets too late for that.
        if not isinstance(func, functools.partial):
            return super().__new__(cls, func, *args, **kwargs)
        shim = _HashableCallableShim(func)
        out = super().__new__(cls, shim, *args, **kwargs)
        vars(shim).update(
            func=func.func, args=func.args, keywords=func.keywords
        )
        return out


register_pytree_node(
    Partial,
    lambda p: ((p.args, p.keywords), p.func),
    lambda func, xs: Partial(func, *xs[0], **xs[1]),
)
