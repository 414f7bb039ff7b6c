# cython: language_level=3
# What other Cython modules may use of pytrees: the call path of JittedFunction
# flattens into a FlatTree on its stack, compares it with the PyTreeDefs of its
# cache, and unflattens the outputs. See pytree.h for what the classes own.
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport uint32_t, uint64_t


cdef extern from "python/pytree.h" namespace "cotan::pytree":
    cppclass Refs:
        PyObject** data() noexcept
        size_t size() noexcept
        void push(PyObject* owned)
        PyObject* pop() noexcept
        void clear() noexcept
        void forget() noexcept

    enum class Kind(uint32_t):
        leaf, none, tuple, namedtuple, list, dict, custom, dataclass

    cppclass DictKeys:
        PyObject* keys

    cppclass Registration:
        PyTypeObject* type
        PyObject* flatten

    cppclass Node:
        Kind kind
        uint32_t arity
        uint32_t num_leaves
        uint32_t num_nodes
        const Registration* reg
        PyObject* object() noexcept
        DictKeys* keys() noexcept

    cppclass NodeVector "cotan::pytree::PodVector<cotan::pytree::Node, 32>":
        size_t size() noexcept
        Node* data() noexcept

    cppclass Nodes "std::vector<cotan::pytree::Node>":
        size_t size() noexcept
        const Node* data() noexcept

    cppclass FlatTree:
        Refs leaves  # owned references
        Refs paths
        NodeVector nodes
        uint64_t hash  # of the structure
        uint32_t num_leaves
        bint plain
        void clear() noexcept
        void push_leaf_node()

    cppclass TreeDef:
        uint64_t hash
        uint32_t num_leaves
        Nodes nodes

    bint same_bytes(const FlatTree& flat, const TreeDef& tree) noexcept


cdef class PyTreeDef:
    cdef TreeDef* tree
    cdef object gc_anchor  # never set: makes the type known to the collector


# Appends the leaves and nodes of `tree`; is_leaf may be None.
cdef int flatten_into(object tree, object is_leaf, FlatTree* out) except -1

# The tree (args, kwargs) of a call; names are the nkwargs keywords.
cdef int flatten_call_into(PyObject** args, size_t nargs, PyObject** names,
                           PyObject** values, size_t nkwargs,
                           FlatTree* out) except -1

# Does flat have this structure? First compare the hashes or same_bytes().
cdef int treedef_matches(FlatTree* flat, PyTreeDef treedef) except -1

# The structure of flat as an object; takes flat's nodes, not its leaves.
cdef PyTreeDef take_structure(FlatTree* flat)

# Steals the treedef.tree.num_leaves references, also when it raises.
cdef object unflatten_owned(PyTreeDef treedef, PyObject** leaves)

# As treedef.flatten_up_to(tree): owned references in out.
cdef int flatten_up_to_into(PyTreeDef treedef, object tree,
                            Refs* out) except -1
