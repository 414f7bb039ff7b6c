"""Short names for the functions of cotan.tree_util."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from cotan import tree_util as _tu
from cotan.tree_util import KeyPath, PyTreeDef

__all__ = [
    "all",
    "broadcast",
    "flatten",
    "flatten_with_path",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "reduce",
    "reduce_associative",
    "static",
    "structure",
    "transpose",
    "unflatten",
]

_IsLeaf = Callable[[Any], bool] | None
_unspecified = _tu._unspecified


def all(tree: Any, *, is_leaf: _IsLeaf = None) -> bool:
    """all() of the leaves.

    >>> all([True, {"a": True, "b": (True, False)}])
    False
    """
    return _tu.tree_all(tree, is_leaf=is_leaf)


def broadcast(prefix_tree: Any, full_tree: Any, is_leaf: _IsLeaf = None) -> Any:
    """A tree prefix spread over the structure of full_tree.

    Each leaf of prefix_tree takes the place of all leaves of the subtree that
    full_tree has there. ValueError if it is no prefix.

    >>> broadcast((1, 2), (0, {"a": 0, "b": [0]}))
    (1, {'a': 2, 'b': [2]})
    """
    return _tu.tree_broadcast(prefix_tree, full_tree, is_leaf)


def flatten(tree: Any, is_leaf: _IsLeaf = None) -> tuple[list[Any], PyTreeDef]:
    """(leaves, treedef): the leaves depth first, left to right.

    Args:
      tree: a pytree.
      is_leaf: called on every node; where it returns True, the node is a leaf.

    >>> flatten({"b": 3, "a": (1, [2])})
    ([1, 2, 3], PyTreeDef({'a': (*, [*]), 'b': *}))
    """
    return _tu.tree_flatten(tree, is_leaf)


def flatten_with_path(
    tree: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """([(key path, leaf)], treedef); see flatten and leaves_with_path."""
    return _tu.tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)


def leaves(tree: Any, is_leaf: _IsLeaf = None) -> list[Any]:
    """The leaves of a tree.

    >>> leaves({"b": 3, "a": (1, [2, None])})
    [1, 2, 3]
    """
    return _tu.tree_leaves(tree, is_leaf)


def leaves_with_path(
    tree: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> list[tuple[KeyPath, Any]]:
    """[(key path, leaf)]; with is_leaf_takes_path, is_leaf is given both.

    >>> leaves_with_path({"a": [1]})
    [((DictKey(key='a'), SequenceKey(idx=0)), 1)]
    """
    return _tu.tree_leaves_with_path(tree, is_leaf, is_leaf_takes_path)


def map(
    f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: _IsLeaf = None
) -> Any:
    """The tree of f(x, *xs) for the leaves x of tree and what rest has there.

    `tree` must be a prefix of each tree in rest; below its leaves, f gets
    whole subtrees of rest. ValueError if it is no prefix.

    >>> map(lambda x, y: x + y, {"a": 1, "b": (2,)}, {"a": 10, "b": (20,)})
    {'a': 11, 'b': (22,)}
    >>> map(lambda x, y: [x, y], (1, 2), ({"k": 3}, (4, 5)))
    ([1, {'k': 3}], [2, (4, 5)])
    """
    return _tu.tree_map(f, tree, *rest, is_leaf=is_leaf)


def map_with_path(
    f: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> Any:
    """map with f(key path, x, *xs).

    >>> map_with_path(lambda path, x: x + path[0].idx, [1, 2, 3])
    [1, 3, 5]
    """
    return _tu.tree_map_with_path(
        f,
        tree,
        *rest,
        is_leaf=is_leaf,
        is_leaf_takes_path=is_leaf_takes_path,
    )


def reduce(
    function: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = _unspecified,
    is_leaf: _IsLeaf = None,
) -> Any:
    """functools.reduce over the leaves, from the left.

    TypeError for a tree without leaves if there is no initializer.

    >>> reduce(lambda a, b: a + b, [1, (2, {"a": 3})])
    6
    """
    return _tu.tree_reduce(function, tree, initializer, is_leaf)


def reduce_associative(
    operation: Callable[[Any, Any], Any],
    tree: Any,
    *,
    identity: Any = _unspecified,
    is_leaf: _IsLeaf = None,
) -> Any:
    """reduce in a balanced tree: a shallow graph for associative operations.

    >>> reduce_associative(lambda a, b: [a, b], (1, 2, 3, 4))
    [[1, 2], [3, 4]]
    """
    return _tu.tree_reduce_associative(
        operation, tree, identity=identity, is_leaf=is_leaf
    )


def static(**kwargs: Any) -> Any:
    """dataclasses.field for a static field; see register_dataclass.

    >>> static(default=1).metadata["static"]
    True
    """
    metadata = {"static": True, **(kwargs.pop("metadata", None) or {})}
    return dataclasses.field(metadata=metadata, **kwargs)


def structure(tree: Any, is_leaf: _IsLeaf = None) -> PyTreeDef:
    """The structure of a tree.

    >>> structure({"a": (1, None)})
    PyTreeDef({'a': (*, None)})
    """
    return _tu.tree_structure(tree, is_leaf)


def transpose(
    outer_treedef: PyTreeDef,
    inner_treedef: PyTreeDef | None,
    pytree_to_transpose: Any,
) -> Any:
    """Turns a tree of structure outer(inner) into one of inner(outer).

    Without inner_treedef, that of the first subtree is taken. TypeError if the
    number of leaves does not fit.

    >>> transpose(structure([0, 0]), structure((0, 0)), [(1, 2), (3, 4)])
    ([1, 3], [2, 4])
    """
    return _tu.tree_transpose(outer_treedef, inner_treedef, pytree_to_transpose)


def unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    """The tree of this structure with these leaves.

    ValueError if their number is wrong.

    >>> unflatten(structure((0, [0])), [1, 2])
    (1, [2])
    """
    return _tu.tree_unflatten(treedef, leaves)
