"""Tree prefixes: spreading them over a full tree, and saying why they fail.

An argument such as vmap's in_axes is a prefix of the tree it describes: each
of its leaves stands for a whole subtree. When a prefix (or an equality of two
trees) does not hold, the functions here name the key path, what each side has
there, and the difference. The texts are JAX's.
"""

import functools
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from cotan._pytree import (
    PyTreeDef,
    default_registry,
    none_leaf_registry,
    tree_structure,
)

_Path = tuple[Any, ...]
_IsLeaf = Callable[[Any], bool] | None
_MakeError = Callable[[str], ValueError]
_Difference = tuple[_Path, str, str, str]


def _is_strict_leaf(treedef: PyTreeDef) -> bool:
    return treedef.num_nodes == 1 and treedef.num_leaves == 1


def _is_leaf_value(x: Any, is_leaf: _IsLeaf) -> bool:
    return _is_strict_leaf(tree_structure(x, is_leaf))


def _path_text(path: _Path) -> str:
    return "".join(map(str, path))


def _key_text(key: Any) -> str:
    return str(getattr(key, "key", key))


class _Node:
    """One node taken apart: its type, children, their keys, and metadata."""

    def __init__(self, x: Any):
        level = default_registry.flatten_one_level_with_keys(x)
        assert level is not None
        pairs, self.meta = level
        self.keys = tuple(k for k, _ in pairs)
        self.children = tuple(c for _, c in pairs)
        self.type = type(x)

    def __len__(self) -> int:
        return len(self.children)

    def different_keys(self, other: "_Node") -> set[Any] | None:
        try:
            return set(self.keys) ^ set(other.keys)
        except TypeError:  # unhashable keys
            return None


# --- prefix_errors ----------------------------------------------------------
def prefix_errors(
    prefix_tree: Any, full_tree: Any, is_leaf: _IsLeaf = None
) -> list[_MakeError]:
    """Why prefix_tree is no prefix of full_tree: a list of functions.

    Each takes the name to call the prefix by ("in_axes") and returns a
    ValueError. The list is empty for a prefix.
    """
    return list(iter_prefix_errors((), prefix_tree, full_tree, is_leaf))


def iter_prefix_errors(
    path: _Path, prefix: Any, full: Any, is_leaf: _IsLeaf
) -> Iterator[_MakeError]:
    if _is_leaf_value(prefix, is_leaf):
        return
    if type(prefix) is not type(full):
        yield functools.partial(_types_error, path, type(prefix), type(full))
        return
    a, b = _Node(prefix), _Node(full)
    if issubclass(a.type, (list, tuple)):
        if len(a) != len(b):
            yield functools.partial(_lengths_error, path, a, b)
            return
    elif len(a) != len(b):
        yield functools.partial(_children_error, path, a, b)
        return
    if a.meta != b.meta:
        yield functools.partial(_metadata_error, path, a, b)
        return
    for key, x, y in zip(a.keys, a.children, b.children, strict=True):
        yield from iter_prefix_errors((*path, key), x, y, is_leaf)


def _prefix_error(what: str, path: _Path, name: str, text: str) -> ValueError:
    return ValueError(
        f"pytree structure error: {what} at key path\n"
        f"    {name}{_path_text(path)}\n"
        f"At that key path, the prefix pytree {name} has a subtree of type"
        f"{text}"
    )


def _types_error(
    path: _Path, prefix_type: type, full_type: type, name: str
) -> ValueError:
    return _prefix_error(
        "different types",
        path,
        name,
        f"\n    {prefix_type}\n"
        "but at the same key path the full pytree has a subtree of different "
        f"type\n    {full_type}.",
    )


def _lengths_error(path: _Path, a: _Node, b: _Node, name: str) -> ValueError:
    kind = a.type.__name__
    return _prefix_error(
        f"different lengths of {kind}",
        path,
        name,
        f" {kind} of length {len(a)}, but the full pytree has a subtree of the "
        f"same type but of length {len(b)}.",
    )


def _children_error(path: _Path, a: _Node, b: _Node, name: str) -> ValueError:
    text = (
        f"\n    {a.type}\n"
        f"with {len(a)} child keys\n"
        f"    {' '.join(map(_key_text, a.keys))}\n"
        "but at the same key path the full pytree has a subtree of the same "
        f"type but with {len(b)} child keys\n"
        f"    {' '.join(map(_key_text, b.keys))}\n"
    )
    different = a.different_keys(b)
    if different is not None:
        text += (
            "so the symmetric difference on key sets is\n"
            f"    {' '.join(map(_key_text, different))}"
        )
    return _prefix_error(
        "different numbers of pytree children", path, name, text
    )


def _metadata_error(path: _Path, a: _Node, b: _Node, name: str) -> ValueError:
    import difflib  # 6 ms, for this message only

    ours, theirs = str(a.meta), str(b.meta)
    difference = "\n".join(
        difflib.ndiff(ours.splitlines(), theirs.splitlines())
    )
    return _prefix_error(
        "different pytree metadata",
        path,
        name,
        f"\n    {a.type}\n"
        f"with metadata\n    {ours}\n"
        "but at the same key path the full pytree has a subtree of the same "
        f"type but with metadata\n    {theirs}\n"
        "so the diff in the metadata at these pytree nodes is\n"
        f"{textwrap.indent(difference, '    ')}",
    )


# --- equality_errors --------------------------------------------------------
def equality_errors(
    tree1: Any, tree2: Any, is_leaf: _IsLeaf = None
) -> Iterator[_Difference]:
    """The differences of two structures: (key path, what 1 is, what 2 is, why).

    >>> [e[1:] for e in equality_errors([1], [1, 2])]
    [('list of length 1', 'list of length 2', 'the lengths do not match')]
    """
    yield from _equality_errors((), tree1, tree2, is_leaf)


def equality_errors_pytreedef(
    treedef1: PyTreeDef, treedef2: PyTreeDef
) -> Iterator[_Difference]:
    """equality_errors for two PyTreeDefs."""
    leaf = _PytreeLeaf()
    tree1 = treedef1.unflatten([leaf] * treedef1.num_leaves)
    tree2 = treedef2.unflatten([leaf] * treedef2.num_leaves)
    return equality_errors(tree1, tree2)


class _LeafMeta(type):
    def __repr__(cls) -> str:
        return "pytree leaf"


class _PytreeLeaf(metaclass=_LeafMeta):
    """Stands for a leaf where only the structure is known."""

    def __repr__(self) -> str:
        return "pytree leaf"


def _equality_errors(
    path: _Path, x: Any, y: Any, is_leaf: _IsLeaf
) -> Iterator[_Difference]:
    if _is_leaf_value(x, is_leaf) and _is_leaf_value(y, is_leaf):
        return
    if type(x) is not type(y):
        yield path, str(type(x)), str(type(y)), "their Python types differ"
        return
    a, b = _Node(x), _Node(y)
    if len(a) != len(b):
        yield (path, *_length_difference(a, b))
        return
    if a.meta != b.meta:
        yield (
            path,
            f"{a.type} with pytree metadata {a.meta}",
            f"{b.type} with pytree metadata {b.meta}",
            "the pytree node metadata does not match",
        )
        return
    for key, s, t in zip(a.keys, a.children, b.children, strict=True):
        yield from _equality_errors((*path, key), s, t, is_leaf)


def _length_difference(a: _Node, b: _Node) -> tuple[str, str, str]:
    if issubclass(a.type, (list, tuple)):
        name = a.type.__name__
        return (
            f"{name} of length {len(a)}",
            f"{name} of length {len(b)}",
            "the lengths do not match",
        )
    why = "the numbers of children do not match"
    if different := a.different_keys(b):
        keys = " ".join(repr(getattr(k, "key", k)) for k in different)
        why += f", with the symmetric difference of key sets: {{{keys}}}"
    ours, theirs = (f"{n.type} with {_count(len(n))}" for n in (a, b))
    return ours, theirs, why


def _count(n: int) -> str:
    return f"{n} child{'ren' if n > 1 else ''}"


# --- Broadcasting -----------------------------------------------------------
def broadcast_prefix(
    prefix_tree: Any, full_tree: Any, is_leaf: _IsLeaf = None
) -> list[Any]:
    """The leaves of a prefix, each repeated for the leaves it stands for.

    >>> broadcast_prefix((1, 2), ((0, 0), {"a": 0}))
    [1, 1, 2]
    """
    leaves, treedef = default_registry.flatten(prefix_tree, is_leaf)
    try:
        subtrees = treedef.flatten_up_to(full_tree)
    except ValueError:
        errors = prefix_errors(prefix_tree, full_tree, is_leaf)
        if not errors:
            raise
        raise errors[0]("broadcast_prefix prefix_tree") from None
    out = []
    for leaf, subtree in zip(leaves, subtrees, strict=True):
        out += [leaf] * tree_structure(subtree).num_leaves
    return out


def broadcast_flattened_prefix_with_treedef(
    prefix_leaves: Iterable[Any],
    prefix_treedef: PyTreeDef,
    full_treedef: PyTreeDef,
) -> list[Any]:
    """broadcast_prefix with both trees given by their structures."""
    out: list[Any] = []
    _broadcast(iter(prefix_leaves), prefix_treedef, full_treedef, out)
    return out


def _broadcast(
    leaves: Iterator[Any], prefix: PyTreeDef, full: PyTreeDef, out: list[Any]
) -> None:
    if _is_strict_leaf(prefix):
        out += [next(leaves)] * full.num_leaves
        return
    if prefix.node_data() != full.node_data():
        raise ValueError(
            f"expected {full.node_data()}, got {prefix.node_data()}"
        )
    pairs = zip(prefix.children(), full.children(), strict=True)
    for prefix_child, full_child in pairs:
        _broadcast(leaves, prefix_child, full_child, out)


def flatten_axes(
    name: str,
    treedef: PyTreeDef,
    axis_tree: Any,
    *,
    kws: bool = False,
    tupled_args: bool = False,
) -> list[Any]:
    """The axes of each leaf of `treedef`, from a tree prefix of axes.

    None is a leaf of axis_tree. `name` is what errors call it; `kws` says that
    treedef is an (args, kwargs) pair and axis_tree one, too; `tupled_args` that
    axis_tree should be a tuple with one entry per argument.

    >>> from cotan.tree import structure
    >>> flatten_axes("in_axes", structure(([0, 0], 0)), (None, 1))
    [None, None, 1]
    """
    leaves, axis_treedef = none_leaf_registry.flatten(axis_tree)
    try:
        return broadcast_flattened_prefix_with_treedef(
            leaves, axis_treedef, treedef
        )
    except ValueError:
        pass
    if kws:  # the message is about the positional arguments only
        treedef, _ = treedef.children()
        axis_tree, _ = axis_tree
    hint = _tuple_hint(name, treedef, axis_tree) if tupled_args else ""
    dummy = treedef.unflatten([_PytreeLeaf()] * treedef.num_leaves)
    errors = prefix_errors(axis_tree, dummy, lambda x: x is None)
    details = "\n  ".join(e(name).args[0] for e in errors)
    raise ValueError(
        f"{name} specification must be a tree prefix of the corresponding "
        f"value; {hint}\n  Mismatch details ({len(errors)} found):\n"
        f"  {details}"
    )


def _tuple_hint(name: str, treedef: PyTreeDef, axis_tree: Any) -> str:
    hint = (
        f" Note that {name} that are non-trivial pytrees should always be "
        "wrapped in a tuple representing the argument list."
    )
    if len(treedef.children()) != 1:
        return hint
    try:
        flatten_axes(name, treedef, (axis_tree,))
    except ValueError:
        return hint
    return (
        f"{hint} In particular, you're passing in a single argument which "
        f"means that {name} might need to be wrapped in a singleton tuple."
    )


@functools.lru_cache(maxsize=4096)
def donation_vector(
    donate_argnums: Sequence[int],
    donate_argnames: Sequence[str],
    in_tree: PyTreeDef,
    kws: bool = True,
) -> tuple[bool, ...]:
    """One bool per leaf of in_tree, an (args, kwargs) pair: is it donated?

    donate_argnums and donate_argnames are tuples. With kws=False in_tree is
    the tree of the args alone.
    """
    args, *kwargs = in_tree.children() if kws else [in_tree]
    out: list[bool] = []
    for i, arg in enumerate(args.children()):
        out += [i in donate_argnums] * arg.num_leaves
    for tree in kwargs:
        _, names = tree.node_data() or (dict, [])
        for name, value in zip(names, tree.children(), strict=True):
            out += [name in donate_argnames] * value.num_leaves
    return tuple(out)
