// Pytrees: nested Python containers as a flat list of leaves and a structure.
//
//   Registry   which Python types are nodes, and how to take them apart
//   FlatTree   what flattening fills: leaves and nodes in postorder; reusable
//   TreeDef    an immutable structure (the Python class PyTreeDef owns one)
//
// A call signature is looked up without making a TreeDef: flatten into a
// FlatTree, compare with a TreeDef by hash and memcmp (matches()), and only
// for a new structure call take_treedef(). A dict's keys are sorted once per
// key sequence (sort_keys() keeps the orders it has seen), so flattening a
// dict costs one pass over its items.
//
// The sources are compiled into the module cotan._pytree; others use what is
// inline here and cimport the rest from _pytree.pxd. Everything needs the GIL.
// As in CPython's API, a function that fails returns -1 or nullptr with a
// Python exception set. Semantics, order and
// error texts are those of jax.tree_util, compared in tests/test_pytree.py.
#pragma once

#include <Python.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "base/hash.h"
#include "python/refs.h"

namespace cotan::pytree {

enum class Kind : uint32_t {
  leaf,
  none,
  tuple,
  namedtuple,
  list,
  dict,
  custom,
  dataclass
};

// One registered type. Never freed: nodes of live treedefs point to it.
struct Registration {
  enum class Builtin : uint8_t { no, ordered_dict, default_dict };

  Kind kind = Kind::custom;
  Builtin builtin = Builtin::no;
  PyTypeObject* type = nullptr;
  // custom: Python callables
  PyObject* flatten = nullptr;            // x -> (children, aux)
  PyObject* unflatten = nullptr;          // (aux, children) -> x
  PyObject* flatten_with_keys = nullptr;  // may be null
  // dataclass: tuples of interned names, and both as keywords of the class
  PyObject* data_fields = nullptr;
  PyObject* meta_fields = nullptr;
  PyObject* keywords = nullptr;
};

// The sorted keys of a dict node, shared by all nodes with these very keys.
struct DictKeys {
  uint32_t refs = 1;
  bool plain = true;  // all keys str, int, float or bytes
  uint64_t hash = 0;
  PyObject* keys = nullptr;       // tuple, sorted
  PyObject* prototype = nullptr;  // {key: None}, made by the first unflatten
};
inline void release(DictKeys* keys) noexcept {
  if (--keys->refs) return;
  Py_XDECREF(keys->keys);
  Py_XDECREF(keys->prototype);
  delete keys;
}

// One node in postorder: its children come before it. `data` is owned:
// dict: DictKeys*; namedtuple: the type; custom: aux; dataclass: meta tuple.
struct Node {
  Kind kind = Kind::leaf;
  uint32_t arity = 0;
  uint32_t num_leaves = 1;  // of the subtree
  uint32_t num_nodes = 1;   // of the subtree, itself included
  void* data = nullptr;
  const Registration* reg = nullptr;  // custom and dataclass only

  PyObject* object() const noexcept { return static_cast<PyObject*>(data); }
  DictKeys* keys() const noexcept { return static_cast<DictKeys*>(data); }
};
static_assert(sizeof(Node) == 32, "compared with memcmp: no padding");

inline void retain_data(const Node& node) noexcept {
  if (!node.data) return;
  if (node.kind == Kind::dict)
    ++node.keys()->refs;
  else
    Py_INCREF(node.object());
}
inline void release_data(const Node& node) noexcept {
  if (!node.data) return;
  if (node.kind == Kind::dict)
    release(node.keys());
  else
    Py_DECREF(node.object());
}

// A flattened tree. Leaves are owned references: code that runs during the
// flattening (a user's flatten function) may drop the containers.
class FlatTree {
 public:
  FlatTree() = default;
  FlatTree(const FlatTree&) = delete;
  FlatTree& operator=(const FlatTree&) = delete;
  ~FlatTree() { clear(); }

  Refs leaves;
  Refs paths;  // key path tuples, one a leaf; only flatten_with_path fills it
  PodVector<Node, 32> nodes;
  uint64_t hash = 0;
  uint32_t num_leaves = 0;  // leaves.size(), also when only nodes are built
  bool plain = true;        // no data whose lifetime matters to a cache

  void clear() noexcept {
    leaves.clear();
    paths.clear();
    for (const Node& node : nodes) release_data(node);
    nodes.clear();
    hash = 0;
    num_leaves = 0;
    plain = true;
  }
  void push_leaf_node() {
    nodes.push_back({});
    ++num_leaves;
  }
  // Appends the parent of the last subtrees, which began at these marks.
  // Takes over node.data, also when it fails.
  int close(const Node& node, size_t first_node, uint32_t first_leaf) {
    Node* slot = nodes.extend(1);
    slot->kind = node.kind;
    slot->arity = node.arity;
    slot->num_leaves = num_leaves - first_leaf;
    slot->num_nodes = uint32_t(nodes.size() - first_node);
    slot->data = node.data;
    slot->reg = node.reg;
    return add_hash(node);
  }
  // Adds an inner node to the hash. The leaves before its end tell apart
  // trees that have the same inner nodes.
  int add_hash(const Node& node) {
    hash = hash_mix(hash, uint64_t(node.kind) | uint64_t(node.arity) << 4 |
                              uint64_t(num_leaves) << 32);
    return node.data ? add_data_hash(node) : 0;
  }

 private:
  int add_data_hash(const Node& node);
};

struct TreeDef {
  uint64_t hash;
  uint32_t num_leaves;
  bool plain;
  std::vector<Node> nodes;

  ~TreeDef();
};

// Moves the nodes of `flat` into a new TreeDef; flat's leaves stay.
TreeDef* take_treedef(FlatTree& flat);

// 1: equal, 0: different, -1: a comparison of metadata raised.
int equal_nodes(const Node* a, const Node* b, size_t n);
inline bool same_bytes(const FlatTree& flat, const TreeDef& def) noexcept {
  return flat.hash == def.hash && flat.nodes.size() == def.nodes.size() &&
         std::memcmp(flat.nodes.data(), def.nodes.data(),
                     def.nodes.size() * sizeof(Node)) == 0;
}
inline int matches(const FlatTree& flat, const TreeDef& def) {
  if (same_bytes(flat, def)) return 1;
  if (flat.hash != def.hash || flat.nodes.size() != def.nodes.size()) return 0;
  return equal_nodes(flat.nodes.data(), def.nodes.data(), def.nodes.size());
}
int equal(const TreeDef& a, const TreeDef& b);
// Stricter than equal: one can stand for the other (1 == True, but {1: x} and
// {True: x} have different keys). Only meaningful where both are plain.
bool interchangeable(const FlatTree& flat, const TreeDef& def) noexcept;

// Recomputes counts and hash from kinds and arities: for nodes put together
// by hand (compose, treedef_tuple, unpickling). Fails if they are no tree.
int finalize(FlatTree& flat);
inline void append_node(FlatTree& flat, const Node& node) {
  retain_data(node);
  flat.nodes.push_back(node);
}
// Appends a copy of the subtree whose root (its last node) is given.
void append_subtree(FlatTree& flat, const Node* root);

class Registry {
 public:
  struct Options {
    bool none = true, tuple = true, namedtuple = true, list = true, dict = true;
  };
  struct Class {
    Kind kind = Kind::leaf;
    const Registration* reg = nullptr;
  };

  explicit Registry(Options options);
  int add(const Registration& reg);  // takes over its references
  const Registration* find(PyTypeObject* type) const noexcept;

  Class classify(PyObject* x) const noexcept {
    PyTypeObject* type = Py_TYPE(x);
    for (size_t i = slot(type);; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& s = slots_[i];
      if (s.type == type) return {s.reg->kind, s.reg};
      if (!s.type) break;
    }
    if (PyType_HasFeature(type, Py_TPFLAGS_TUPLE_SUBCLASS) && namedtuple_ &&
        is_namedtuple(x))
      return {Kind::namedtuple, nullptr};
    return {};
  }

 private:
  struct Slot {
    PyTypeObject* type = nullptr;
    const Registration* reg = nullptr;
  };
  size_t slot(PyTypeObject* type) const noexcept {
    return (reinterpret_cast<uintptr_t>(type) >> 4) * 0x9e3779b97f4a7c15u >>
           shift_;
  }
  static bool is_namedtuple(PyObject* x) noexcept;
  void insert(Slot s) noexcept;

  std::vector<Slot> slots_;
  size_t count_ = 0;
  int shift_ = 0;
  bool namedtuple_;
};

// Registering. with_keys may be null; OrderedDict and defaultdict are known
// here and need no functions (null). Fields are sequences of names.
int add_custom(Registry& registry, PyObject* type, PyObject* flatten,
               PyObject* unflatten, PyObject* with_keys);
int add_dataclass(Registry& registry, PyObject* type, PyObject* data_fields,
                  PyObject* meta_fields);

// One node taken apart.
struct Level {
  Refs children;
  Refs keys;  // key objects (SequenceKey ...), where asked for
  Node node;  // kind, reg, data (owned by the Level until given away)

  ~Level() { release_data(node); }
};
int one_level(PyObject* x, Registry::Class c, bool with_keys, Level& out);

// A new reference to the sorted form of `keys`; rank[i] is the place of
// keys[i] in it. The caller keeps the keys alive.
DictKeys* sort_keys(PyObject* const* keys, size_t n, uint32_t* rank);

// Appends to `out`. is_leaf: a callable or null; it gets (x), or (path, x)
// from flatten_with_path.
int flatten(const Registry& registry, PyObject* tree, PyObject* is_leaf,
            FlatTree& out);
int flatten_with_path(const Registry& registry, PyObject* tree,
                      PyObject* is_leaf, FlatTree& out);
// The tree (args, kwargs) of a call, without making the tuple and the dict.
int flatten_call(const Registry& registry, PyObject* const* args, size_t nargs,
                 PyObject* const* names, PyObject* const* values,
                 size_t nkwargs, FlatTree& out);

// Steals the references to all leaves, also when it fails.
PyObject* unflatten(const TreeDef& def, PyObject** leaves);
// Flattens `tree` down to the leaves of def, which must be a prefix of it.
int flatten_up_to(const TreeDef& def, PyObject* tree, Refs& out);
// Leaves of a tree of plain iterables that has the shape of def.
int flatten_iterables(const TreeDef& def, PyObject* tree, Refs& out);

int traverse(const TreeDef& def, visitproc visit, void* arg) noexcept;

// Appends a node with the (type, data) that PyTreeDef.node_data() shows; the
// rest is finalize()'s. JAX's quirks are kept: keys of a dict stay as given.
int push_node(const Registry& registry, PyObject* type, PyObject* data,
              uint32_t arity, FlatTree& out);
DictKeys* make_keys(PyObject* tuple);  // as given; steals the tuple

// Raises cls(text) with the current exception as its cause.
void raise_from_current(PyObject* cls, const char* text);

// Constructors of the key classes, set by the module that defines them.
using MakeKey = PyObject* (*)(PyObject*);
struct KeyMakers {
  MakeKey sequence, dict, attribute, flattened;
};
extern KeyMakers key_makers;

}  // namespace cotan::pytree
