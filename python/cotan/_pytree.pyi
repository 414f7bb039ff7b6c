from collections.abc import Callable, Iterable
from typing import Any

class SequenceKey:
    __match_args__ = ("idx",)
    idx: int
    def __init__(self, idx: int) -> None: ...

class DictKey:
    __match_args__ = ("key",)
    key: Any
    def __init__(self, key: Any) -> None: ...

class GetAttrKey:
    __match_args__ = ("name",)
    name: str
    def __init__(self, name: str) -> None: ...

class FlattenedIndexKey:
    __match_args__ = ("key",)
    key: int
    def __init__(self, key: int) -> None: ...

class PyTreeDef:
    @property
    def num_leaves(self) -> int: ...
    @property
    def num_nodes(self) -> int: ...
    def unflatten(self, leaves: Iterable[Any], /) -> Any: ...
    def flatten_up_to(self, tree: Any, /) -> list[Any]: ...
    def children(self) -> list[PyTreeDef]: ...
    def node_data(self) -> tuple[type, Any] | None: ...
    def compose(self, inner: PyTreeDef, /) -> PyTreeDef: ...
    @staticmethod
    def from_node_data_and_children(
        registry: PyTreeRegistry,
        node_data: tuple[type, Any] | None,
        children: Iterable[PyTreeDef],
    ) -> PyTreeDef: ...
    @staticmethod
    def make_from_node_data_and_children(
        registry: PyTreeRegistry,
        node_data: tuple[type, Any] | None,
        children: Iterable[PyTreeDef],
    ) -> PyTreeDef: ...
    def from_iterable_tree(self, tree: Any, /) -> Any: ...
    def walk(
        self,
        f_node: Callable[[Any, Any], Any],
        f_leaf: Callable[[Any], Any] | None,
        leaves: Iterable[Any],
        /,
    ) -> Any: ...
    def serialize_using_proto(self) -> bytes: ...
    @staticmethod
    def deserialize_using_proto(
        registry: PyTreeRegistry, data: bytes
    ) -> PyTreeDef: ...

class PyTreeRegistry:
    def __init__(
        self,
        *,
        enable_none: bool = True,
        enable_tuple: bool = True,
        enable_namedtuple: bool = True,
        enable_list: bool = True,
        enable_dict: bool = True,
    ) -> None: ...
    def flatten(
        self, tree: Any, leaf_predicate: Callable[[Any], bool] | None = None
    ) -> tuple[list[Any], PyTreeDef]: ...
    def flatten_with_path(
        self,
        tree: Any,
        leaf_predicate: Callable[[Any, Any], bool] | None = None,
    ) -> tuple[list[tuple[tuple[Any, ...], Any]], PyTreeDef]: ...
    def flatten_one_level(self, tree: Any) -> tuple[Any, Any] | None: ...
    def flatten_one_level_with_keys(
        self, tree: Any
    ) -> tuple[Any, Any] | None: ...
    def is_node(self, type_: type) -> bool: ...
    def register_node(
        self,
        type_: type,
        to_iterable: Callable[[Any], Any],
        from_iterable: Callable[[Any, Any], Any],
        to_iterable_with_keys: Callable[[Any], Any] | None = None,
    ) -> None: ...
    def register_dataclass_node(
        self,
        type_: type,
        data_fields: Iterable[str],
        meta_fields: Iterable[str],
    ) -> None: ...

default_registry: PyTreeRegistry
none_leaf_registry: PyTreeRegistry

def tree_flatten(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[Any], PyTreeDef]: ...
def tree_leaves(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> list[Any]: ...
def tree_structure(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> PyTreeDef: ...
def tree_unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any: ...
def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef: ...
def all_leaves(iterable: Iterable[Any]) -> bool: ...
def map_tree(
    f: Callable[[Any], Any],
    tree: Any,
    is_leaf: Callable[[Any], bool] | None,
) -> Any: ...
def map_leaves(
    f: Callable[..., Any], treedef: PyTreeDef, columns: list[list[Any]]
) -> Any: ...
