# cython: language_level=3, binding=True, boundscheck=False, wraparound=False
"""Pytrees: PyTreeDef, PyTreeRegistry, the key classes and the fast loops.

The work is done in pytree*.cpp; this file gives it Python classes and the
operations that are rare (repr, compose, pickling). Users see it through
cotan.tree_util; the call path of jit through _pytree.pxd.
"""
import collections as _collections

cimport cython
from cpython.object cimport (Py_EQ, Py_NE, PyObject, PyTypeObject,
                             traverseproc, visitproc)
from cpython.ref cimport Py_INCREF, Py_DECREF
from libc.stdint cimport uint32_t, uint64_t


cdef extern from "Python.h":
    list PyList_New(Py_ssize_t n)
    void PyList_SET_ITEM(object list, Py_ssize_t i, PyObject* owned)
    PyObject* PyObject_Vectorcall(object f, PyObject** args, size_t n,
                                  PyObject* keywords) except NULL


cdef extern from "python/pytree.h" namespace "cotan::pytree":
    cppclass RegistryOptions "cotan::pytree::Registry::Options":
        bint none
        bint tuple
        bint namedtuple
        bint list
        bint dict

    cppclass Class "cotan::pytree::Registry::Class":
        Kind kind
        const Registration* reg

    cppclass Registry:
        Registry(RegistryOptions)
        const Registration* find(PyTypeObject*) noexcept
        Class classify(PyObject*) noexcept

    cppclass Level:
        Refs children
        Refs keys
        Node node

    int one_level(PyObject*, Class, bint with_keys, Level&) except -1
    int flatten(const Registry&, PyObject*, PyObject*, FlatTree&) except -1
    int flatten_with_path(const Registry&, PyObject*, PyObject*,
                          FlatTree&) except -1
    int flatten_call(const Registry&, PyObject**, size_t, PyObject**,
                     PyObject**, size_t, FlatTree&) except -1
    PyObject* unflatten(const TreeDef&, PyObject**) except NULL
    int flatten_up_to(const TreeDef&, PyObject*, Refs&) except -1
    int flatten_iterables(const TreeDef&, PyObject*, Refs&) except -1
    TreeDef* take_treedef(FlatTree&)
    int matches(const FlatTree&, const TreeDef&) except -1
    int equal(const TreeDef&, const TreeDef&) except -1
    bint interchangeable(const FlatTree&, const TreeDef&) noexcept
    int push_node(const Registry&, PyObject* type, PyObject* data,
                  uint32_t arity, FlatTree&) except -1
    int finalize(FlatTree&) except -1
    int add_custom(Registry&, PyObject* type, PyObject* flatten,
                   PyObject* unflatten, PyObject* with_keys) except -1
    int add_dataclass(Registry&, PyObject* type, PyObject* data_fields,
                      PyObject* meta_fields) except -1
    void append_node(FlatTree&, const Node&)
    void append_subtree(FlatTree&, const Node*)
    int traverse(const TreeDef&, visitproc, void*) noexcept

    ctypedef PyObject* (*MakeKey)(PyObject*)
    cppclass KeyMakers:
        MakeKey sequence
        MakeKey dict
        MakeKey attribute
        MakeKey flattened
    KeyMakers key_makers


include "_pytree_keys.pxi"


# --- PyTreeDef --------------------------------------------------------------
cdef inline const Node* _root(PyTreeDef treedef):
    cdef TreeDef* tree = treedef.tree
    return tree.nodes.data() + (tree.nodes.size() - 1)


cdef TreeDef* _make_leaf():
    cdef FlatTree flat
    flat.push_leaf_node()
    return take_treedef(flat)


cdef TreeDef* _leaf = _make_leaf()


cdef PyTreeDef _new_treedef(FlatTree* flat):
    cdef PyTreeDef out = PyTreeDef.__new__(PyTreeDef)
    out.tree = take_treedef(flat[0])
    return out


# Structures seen lately, by hash. Only plain ones: an entry keeps its node
# data alive.
cdef object _recent = [None] * 1024


cdef PyTreeDef take_structure(FlatTree* flat):
    cdef size_t slot = flat.hash % 1024
    cdef object known = (<list>_recent)[slot]
    if known is not None and interchangeable(flat[0],
                                             (<PyTreeDef>known).tree[0]):
        return <PyTreeDef>known
    cdef bint plain = flat.plain
    cdef PyTreeDef out = _new_treedef(flat)
    if plain:
        (<list>_recent)[slot] = out
    return out


# The structure of nodes whose counts and hash are not known yet.
cdef PyTreeDef _finished(FlatTree* flat):
    finalize(flat[0])
    return take_structure(flat)


cdef PyTreeDef _subtree(const Node* root):
    cdef FlatTree flat
    append_subtree(flat, root)
    return _finished(&flat)


# (type, data) as node_data() gives it; `inner` is no leaf.
cdef tuple _type_and_data(const Node* inner):
    if inner.kind == Kind.none:
        return type(None), None
    if inner.kind == Kind.tuple:
        return tuple, None
    if inner.kind == Kind.list:
        return list, None
    if inner.kind == Kind.dict:
        return dict, list(<object>inner.keys().keys)
    if inner.kind == Kind.namedtuple:
        return <object>inner.object(), None
    return <object><PyObject*>inner.reg.type, <object>inner.object()


# The data that flatten_one_level and walk show.
cdef object _walk_data(const Node* inner):
    if inner.kind == Kind.namedtuple:
        return <object>inner.object()
    return _type_and_data(inner)[1]


cdef _too_few(uint32_t expected, size_t got):
    raise ValueError(
        f"Too few leaves for PyTreeDef; expected {expected}, got {got}")


@cython.final
cdef class PyTreeDef:
    """The structure of a pytree: immutable, hashable, compared by value."""

    def __cinit__(self):
        self.tree = _leaf  # until _new_treedef gives it its own

    def __init__(self):
        raise TypeError("PyTreeDef has no constructor; see tree.structure")

    def __dealloc__(self):
        if self.tree != _leaf:
            del self.tree

    @property
    def num_leaves(self):
        """The number of leaves."""
        return self.tree.num_leaves

    @property
    def num_nodes(self):
        """The number of nodes, leaves included."""
        return _root(self).num_nodes

    def __hash__(self):
        return <Py_hash_t>(self.tree.hash ^ self.tree.num_leaves)

    def __eq__(self, other):
        if type(other) is not PyTreeDef:
            return NotImplemented
        return equal(self.tree[0], (<PyTreeDef>other).tree[0]) == 1

    def __repr__(self):
        return f"PyTreeDef({_text(self)})"

    def unflatten(self, leaves, /):
        """The pytree of this structure with these leaves (an iterable)."""
        if type(leaves) is not list and type(leaves) is not tuple:
            leaves = list(leaves)
        cdef size_t n = len(leaves)
        if n < self.tree.num_leaves:
            _too_few(self.tree.num_leaves, n)
        if n > self.tree.num_leaves:
            raise ValueError("Too many leaves for PyTreeDef; expected "
                             f"{self.tree.num_leaves}.")
        cdef Refs owned
        for leaf in leaves:
            Py_INCREF(leaf)
            owned.push(<PyObject*>leaf)
        return _unflatten_refs(self, &owned)

    def flatten_up_to(self, tree, /):
        """The subtrees of `tree` at the leaves of this structure.

        Raises ValueError unless this structure is a prefix of `tree`.
        """
        cdef Refs out
        flatten_up_to(self.tree[0], <PyObject*>tree, out)
        return _list_from(&out)

    def children(self):
        """The structures of the children of the root."""
        cdef const Node* root = _root(self)
        cdef const Node* child = root
        cdef uint32_t i
        out = []
        for i in range(root.arity):
            child -= 1 if i == 0 else child.num_nodes
            out.append(_subtree(child))
        out.reverse()
        return out

    def node_data(self):
        """(type, data) of the root, None for a leaf."""
        cdef const Node* root = _root(self)
        return None if root.kind == Kind.leaf else _type_and_data(root)

    def compose(self, PyTreeDef inner not None, /):
        """This structure with every leaf replaced by `inner`."""
        cdef FlatTree flat
        cdef TreeDef* tree = self.tree
        cdef size_t i
        for i in range(tree.nodes.size()):
            if tree.nodes.data()[i].kind == Kind.leaf:
                append_subtree(flat, _root(inner))
            else:
                append_node(flat, tree.nodes.data()[i])
        return _finished(&flat)

    @staticmethod
    def from_node_data_and_children(PyTreeRegistry registry not None,
                                    node_data, children):
        """The structure whose node_data() and children() these are."""
        cdef FlatTree flat
        cdef uint32_t arity = 0
        for child in children:
            append_subtree(flat, _root(<PyTreeDef?>child))
            arity += 1
        if node_data is None:
            flat.push_leaf_node()
        else:
            type_, data = node_data
            push_node(registry.registry[0], <PyObject*>type_, <PyObject*>data,
                      arity, flat)
        return _finished(&flat)

    make_from_node_data_and_children = from_node_data_and_children

    def from_iterable_tree(self, tree, /):
        """Unflattens nested iterables that have the shape of this structure."""
        cdef Refs leaves
        flatten_iterables(self.tree[0], <PyObject*>tree, leaves)
        return _unflatten_refs(self, &leaves)

    def walk(self, f_node, f_leaf, leaves, /):
        """Folds the tree: f_node(children, node_data), f_leaf(leaf) or None."""
        cdef TreeDef* tree = self.tree
        cdef const Node* node
        cdef size_t i
        rest = iter(leaves)
        stack = []
        for i in range(tree.nodes.size()):
            node = tree.nodes.data() + i
            if node.kind != Kind.leaf:
                first = len(stack) - <Py_ssize_t>node.arity
                args = tuple(stack[first:])
                del stack[first:]
                stack.append(f_node(args, _walk_data(node)))
                continue
            try:
                leaf = next(rest)
            except StopIteration:
                raise ValueError("Too few leaves for PyTreeDef") from None
            stack.append(leaf if f_leaf is None else f_leaf(leaf))
        for _ in rest:
            raise ValueError("Too many leaves for PyTreeDef")
        return stack[0]

    def __reduce__(self):
        cdef TreeDef* tree = self.tree
        cdef const Node* node
        cdef size_t i
        state = []
        for i in range(tree.nodes.size()):
            node = tree.nodes.data() + i
            state.append(None if node.kind == Kind.leaf else
                         (*_type_and_data(node), node.arity))
        return _treedef_from_state, (state,)

    def __copy__(self):
        return self

    def serialize_using_proto(self):
        """Bytes in the format of JAX's PyTreeDefProto (builtin nodes only)."""
        return _to_proto(self)

    @staticmethod
    def deserialize_using_proto(PyTreeRegistry registry not None, bytes data):
        """The structure that serialize_using_proto wrote."""
        return _from_proto(registry, data)


# The collector must see the node data (a type or aux data may refer back to
# the treedef); Cython only visits attributes that are objects.
cdef int _traverse(PyObject* self, visitproc visit, void* arg) noexcept:
    return traverse((<PyTreeDef>self).tree[0], visit, arg)


(<PyTypeObject*>PyTreeDef).tp_traverse = <traverseproc>_traverse


def _treedef_from_state(state):
    cdef FlatTree flat
    for node in state:
        if node is None:
            flat.push_leaf_node()
        else:
            type_, data, arity = node
            push_node(default_registry_c()[0], <PyObject*>type_,
                      <PyObject*>data, arity, flat)
    return _finished(&flat)


def treedef_tuple(treedefs):
    cdef FlatTree flat
    cdef uint32_t arity = 0
    for child in treedefs:
        append_subtree(flat, _root(<PyTreeDef?>child))
        arity += 1
    push_node(default_registry_c()[0], <PyObject*>tuple, <PyObject*>None,
              arity, flat)
    return _finished(&flat)


# The text of each kind of node, from the texts of its children.
cdef str _text(PyTreeDef treedef):
    cdef TreeDef* tree = treedef.tree
    cdef const Node* node
    cdef size_t i
    stack = []
    for i in range(tree.nodes.size()):
        node = tree.nodes.data() + i
        first = len(stack) - <Py_ssize_t>node.arity
        parts = stack[first:]
        del stack[first:]
        stack.append(_node_text(node, parts))
    return stack[0]


cdef str _node_text(const Node* node, list parts):
    inside = ", ".join(parts)
    if node.kind == Kind.leaf:
        return "*"
    if node.kind == Kind.none:
        return "None"
    if node.kind == Kind.tuple:
        return f"({inside},)" if len(parts) == 1 else f"({inside})"
    if node.kind == Kind.list:
        return f"[{inside}]"
    type_, data = _type_and_data(node)
    if node.kind == Kind.dict:
        items = [f"{k!r}: {part}" for k, part in zip(data, parts)]
        return "{" + ", ".join(items) + "}"
    if node.kind == Kind.namedtuple:
        return f"CustomNode(namedtuple[{type_.__name__}], [{inside}])"
    return f"CustomNode({type_.__name__}[{data!s}], [{inside}])"


include "_pytree_proto.pxi"


# --- Flattening -------------------------------------------------------------
cdef list _list_from(Refs* refs):
    cdef size_t i
    cdef size_t n = refs.size()
    cdef PyObject** items = refs.data()
    out = PyList_New(n)
    for i in range(n):
        PyList_SET_ITEM(out, i, items[i])
    refs.forget()
    return out


cdef object _unflatten_refs(PyTreeDef treedef, Refs* leaves):
    leaves.forget()  # stolen from where they lie
    return <object>_steal(unflatten(treedef.tree[0], leaves.data()))


cdef inline object _steal(PyObject* owned):
    cdef object out = <object>owned
    Py_DECREF(out)
    return out


cdef inline PyObject* _optional(object x):
    if x is None:
        return NULL
    return <PyObject*>x


@cython.final
cdef class PyTreeRegistry:
    """The types that are nodes, and how they are taken apart."""
    cdef Registry* registry

    def __cinit__(self, *, enable_none=True, enable_tuple=True,
                  enable_namedtuple=True, enable_list=True, enable_dict=True):
        cdef RegistryOptions options
        options.none = enable_none
        options.tuple = enable_tuple
        options.namedtuple = enable_namedtuple
        options.list = enable_list
        options.dict = enable_dict
        # Never freed: structures point to its registrations.
        self.registry = new Registry(options)
        add_custom(self.registry[0], <PyObject*>_collections.OrderedDict, NULL,
                   NULL, NULL)
        add_custom(self.registry[0], <PyObject*>_collections.defaultdict, NULL,
                   NULL, NULL)

    def __reduce__(self):
        for name in ("default_registry", "none_leaf_registry"):
            if globals()[name] is self:
                return name
        raise TypeError("only the registries of cotan can be pickled")

    def flatten(self, tree, leaf_predicate=None):
        """(leaves, treedef) of a pytree."""
        cdef FlatTree flat
        flatten(self.registry[0], <PyObject*>tree, _optional(leaf_predicate),
                flat)
        return _list_from(&flat.leaves), take_structure(&flat)

    def flatten_with_path(self, tree, leaf_predicate=None):
        """([(key path, leaf)], treedef); the predicate takes (path, x)."""
        cdef FlatTree flat
        flatten_with_path(self.registry[0], <PyObject*>tree,
                          _optional(leaf_predicate), flat)
        paths = _list_from(&flat.paths)
        return list(zip(paths, _list_from(&flat.leaves))), take_structure(&flat)

    def flatten_one_level(self, tree):
        """(children, node data) of one node, None for a leaf."""
        return _one_level(self, tree, False)

    def flatten_one_level_with_keys(self, tree):
        """([(key, child)], node data) of one node, None for a leaf."""
        return _one_level(self, tree, True)

    def is_node(self, type_):
        """Are instances of this type nodes?"""
        if not isinstance(type_, type):
            return False
        return (self.registry.find(<PyTypeObject*>type_) != NULL or
                issubclass(type_, tuple) and hasattr(type_, "_fields"))

    def register_node(self, type_, to_iterable, from_iterable,
                      to_iterable_with_keys=None):
        """See cotan.tree_util.register_pytree_node."""
        for f in (to_iterable, from_iterable):
            if not callable(f):
                raise TypeError(f"register_node: {f!r} is not callable")
        add_custom(self.registry[0], <PyObject*>type_, <PyObject*>to_iterable,
                   <PyObject*>from_iterable, _optional(to_iterable_with_keys))

    def register_dataclass_node(self, type_, data_fields, meta_fields):
        """See cotan.tree_util.register_dataclass."""
        add_dataclass(self.registry[0], <PyObject*>type_,
                      <PyObject*>data_fields, <PyObject*>meta_fields)


cdef object _one_level(PyTreeRegistry registry, tree, bint with_keys):
    cdef Level level
    cdef Class c = registry.registry.classify(<PyObject*>tree)
    if c.kind == Kind.leaf:
        return None
    if c.reg != NULL and c.reg.flatten != NULL and not with_keys:
        result = (<object>c.reg.flatten)(tree)  # children as they come
        if type(result) is tuple and len(<tuple>result) == 2:
            return result
    one_level(<PyObject*>tree, c, with_keys, level)
    data = _walk_data(&level.node)
    if c.kind == Kind.dict:
        data = tuple(data)
    children = _list_from(&level.children)
    if with_keys:
        children = list(zip(_list_from(&level.keys), children))
    if c.kind in (Kind.none, Kind.tuple, Kind.dict) or (
            with_keys and c.kind == Kind.list):
        children = tuple(children)
    return children, data


default_registry = PyTreeRegistry()
# The same, with None as a leaf: for trees of axes, where None is a value.
none_leaf_registry = PyTreeRegistry(enable_none=False)

cdef PyTreeRegistry _default = default_registry
cdef Registry* _registry = _default.registry


cdef inline Registry* default_registry_c() noexcept:
    return _registry


def tree_flatten(tree, is_leaf=None):
    """(leaves, treedef) of a pytree; see cotan.tree.flatten."""
    cdef FlatTree flat
    flatten(_registry[0], <PyObject*>tree, _optional(is_leaf), flat)
    return _list_from(&flat.leaves), take_structure(&flat)


def tree_leaves(tree, is_leaf=None):
    """The leaves of a pytree; see cotan.tree.leaves."""
    cdef FlatTree flat
    flatten(_registry[0], <PyObject*>tree, _optional(is_leaf), flat)
    return _list_from(&flat.leaves)


def tree_structure(tree, is_leaf=None):
    """The structure of a pytree; see cotan.tree.structure."""
    cdef FlatTree flat
    flatten(_registry[0], <PyObject*>tree, _optional(is_leaf), flat)
    return take_structure(&flat)


def tree_unflatten(PyTreeDef treedef not None, leaves):
    """The pytree of leaves; see cotan.tree.unflatten."""
    return treedef.unflatten(leaves)


def all_leaves(iterable):
    """Is no element of the iterable a node?"""
    for x in iterable:
        if _registry.classify(<PyObject*>x).kind != Kind.leaf:
            return False
    return True


def map_tree(f, tree, is_leaf):
    """tree_map of one tree."""
    cdef FlatTree flat
    cdef Refs out
    cdef PyObject* args[1]
    cdef size_t i
    flatten(_registry[0], <PyObject*>tree, _optional(is_leaf), flat)
    cdef PyTreeDef treedef = take_structure(&flat)
    for i in range(flat.leaves.size()):
        args[0] = flat.leaves.data()[i]
        out.push(PyObject_Vectorcall(f, args, 1, NULL))
    return _unflatten_refs(treedef, &out)


def map_leaves(f, PyTreeDef treedef not None, columns):
    """The pytree of f(*xs) for the i-th leaves xs of each column (a list)."""
    cdef Refs out
    cdef uint32_t i
    for column in columns:
        if <uint32_t>len(column) != treedef.tree.num_leaves:
            _too_few(treedef.tree.num_leaves, len(column))
    for i in range(treedef.tree.num_leaves):
        y = f(*[column[i] for column in columns])
        Py_INCREF(y)
        out.push(<PyObject*>y)
    return _unflatten_refs(treedef, &out)


# --- For other Cython modules: see _pytree.pxd ------------------------------
cdef int flatten_into(object tree, object is_leaf, FlatTree* out) except -1:
    return flatten(_registry[0], <PyObject*>tree, _optional(is_leaf), out[0])


cdef int flatten_call_into(PyObject** args, size_t nargs, PyObject** names,
                           PyObject** values, size_t nkwargs,
                           FlatTree* out) except -1:
    return flatten_call(_registry[0], args, nargs, names, values, nkwargs,
                        out[0])


cdef int treedef_matches(FlatTree* flat, PyTreeDef treedef) except -1:
    return matches(flat[0], treedef.tree[0])


cdef object unflatten_owned(PyTreeDef treedef, PyObject** leaves):
    return _steal(unflatten(treedef.tree[0], leaves))


cdef int flatten_up_to_into(PyTreeDef treedef, object tree,
                            Refs* out) except -1:
    return flatten_up_to(treedef.tree[0], <PyObject*>tree, out[0])
