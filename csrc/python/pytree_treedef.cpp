// Structures: building them node by node, hashing and comparing them.
#include "python/pytree.h"

namespace cotan::pytree {

// --- Hash -------------------------------------------------------------------
namespace {

// Equal values must have equal hashes, whether they are hashable or not: what
// has no hash (a list, and whatever may equal one) contributes a constant. A
// tuple may hold such things, so its items are hashed one by one.
constexpr uint64_t kUnhashable = 0x5bd1e995;

int hash_aux(PyObject* x, int depth, uint64_t* out) {
  *out = kUnhashable;
  if (PyTuple_Check(x)) {
    if (depth > 16 || Py_TYPE(x)->tp_richcompare != PyTuple_Type.tp_richcompare)
      return 0;
    uint64_t h = uint64_t(PyTuple_GET_SIZE(x));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(x); ++i) {
      uint64_t item;
      if (hash_aux(PyTuple_GET_ITEM(x, i), depth + 1, &item) < 0) return -1;
      h = hash_mix(h, item);
    }
    *out = h;
    return 0;
  }
  if (PyFrozenSet_Check(x) ||  // may equal a set
      Py_TYPE(x)->tp_hash == PyObject_HashNotImplemented)
    return 0;
  Py_hash_t h = PyObject_Hash(x);
  if (h == -1) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return -1;
    PyErr_Clear();
    return 0;
  }
  *out = uint64_t(h);
  return 0;
}

// Data that a cache may keep alive without anyone minding.
bool is_plain(PyObject* x, int depth = 0) noexcept {
  if (PyTuple_CheckExact(x)) {
    if (depth > 8) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(x); ++i)
      if (!is_plain(PyTuple_GET_ITEM(x, i), depth + 1)) return false;
    return true;
  }
  return x == Py_None || PyUnicode_CheckExact(x) || PyLong_CheckExact(x) ||
         PyBool_Check(x) || PyFloat_CheckExact(x) || PyBytes_CheckExact(x) ||
         (PyType_Check(x) &&
          !PyType_HasFeature(reinterpret_cast<PyTypeObject*>(x),
                             Py_TPFLAGS_HEAPTYPE));
}

}  // namespace

// --- Building ---------------------------------------------------------------
int FlatTree::add_data_hash(const Node& node) {
  uint64_t data = 0;
  switch (node.kind) {
    case Kind::dict:
      data = node.keys()->hash;
      plain &= node.keys()->plain;
      break;
    case Kind::namedtuple:
      data = reinterpret_cast<uintptr_t>(node.data);
      break;
    default:
      if (hash_aux(node.object(), 0, &data) < 0) return -1;
      data ^= reinterpret_cast<uintptr_t>(node.reg->type);
      plain = plain && is_plain(node.object());
  }
  hash = hash_mix(hash, data);
  return 0;
}

void append_subtree(FlatTree& flat, const Node* root) {
  for (const Node* n = root - root->num_nodes + 1; n <= root; ++n)
    append_node(flat, *n);
}

int finalize(FlatTree& flat) {
  struct Size {
    uint32_t leaves, nodes;
  };
  PodVector<Size, 32> stack;
  flat.hash = 0;
  flat.num_leaves = 0;
  flat.plain = true;
  for (Node& node : flat.nodes) {
    Size size{node.kind == Kind::leaf ? 1u : 0u, 1};
    if (node.arity > stack.size()) break;
    for (uint32_t i = 0; i < node.arity; ++i) {
      size.leaves += stack.back().leaves;
      size.nodes += stack.back().nodes;
      stack.shrink(1);
    }
    stack.push_back(size);
    node.num_leaves = size.leaves;
    node.num_nodes = size.nodes;
    if (node.kind == Kind::leaf)
      ++flat.num_leaves;
    else if (flat.add_hash(node) < 0)
      return -1;
  }
  if (stack.size() == 1 && stack[0].nodes == flat.nodes.size()) return 0;
  PyErr_SetString(PyExc_RuntimeError,
                  "PyTreeDef traversal did not yield a singleton.");
  return -1;
}

namespace {

int bad_node(PyObject* cls, const char* format, PyObject* type) {
  PyErr_Format(cls, format, type);
  return -1;
}

// Sets kind, reg and data of a node of a registered type (or None, list ...).
int fill_node(const Registration& reg, PyObject* data, Node& node) {
  node.kind = reg.kind;
  PyObject* type = reinterpret_cast<PyObject*>(reg.type);
  if (reg.kind == Kind::none && node.arity)
    return bad_node(PyExc_ValueError, "A %R node has no children.", type);
  if (reg.kind == Kind::dict) {
    PyObject* keys = PySequence_Tuple(data);
    if (!keys) return -1;
    bool fits = PyTuple_GET_SIZE(keys) == Py_ssize_t(node.arity);
    node.data = make_keys(keys);
    if (!node.data || fits) return node.data ? 0 : -1;
    PyErr_SetString(PyExc_RuntimeError,
                    "Number of keys and entries does not match.");
    return -1;
  }
  if (reg.kind == Kind::custom || reg.kind == Kind::dataclass) {
    node.reg = &reg;
    node.data = Py_NewRef(data);
  }
  return 0;
}

}  // namespace

int push_node(const Registry& registry, PyObject* type, PyObject* data,
              uint32_t arity, FlatTree& out) {
  if (!PyType_Check(type))
    return bad_node(PyExc_TypeError, "A node type must be a class, got %R.",
                    type);
  auto* cls = reinterpret_cast<PyTypeObject*>(type);
  Node node{.arity = arity};
  if (const Registration* reg = registry.find(cls)) {
    if (fill_node(*reg, data, node) < 0) {
      release_data(node);
      return -1;
    }
  } else if (PyType_HasFeature(cls, Py_TPFLAGS_TUPLE_SUBCLASS) &&
             PyObject_HasAttrString(type, "_fields")) {
    node.kind = Kind::namedtuple;
    node.data = Py_NewRef(type);
  } else {
    return bad_node(PyExc_RuntimeError, "Could not find type: %R.", type);
  }
  out.nodes.push_back(node);
  return 0;
}

TreeDef* take_treedef(FlatTree& flat) {
  auto* def = new TreeDef{flat.hash,
                          flat.num_leaves,
                          flat.plain,
                          {flat.nodes.begin(), flat.nodes.end()}};
  flat.nodes.clear();
  return def;
}

TreeDef::~TreeDef() {
  for (const Node& node : nodes) release_data(node);
}

int traverse(const TreeDef& def, visitproc visit, void* arg) noexcept {
  for (const Node& node : def.nodes)
    // The keys of dicts are shared with nodes elsewhere: not ours to report.
    if (node.kind != Kind::dict) Py_VISIT(node.object());
  return 0;
}

// --- Comparing --------------------------------------------------------------
namespace {

int equal_objects(PyObject* a, PyObject* b) {
  int same = PyObject_RichCompareBool(a, b, Py_EQ);
  if (same >= 0 || !PyErr_ExceptionMatches(PyExc_Exception)) return same;
  raise_from_current(
      PyExc_ValueError,
      "Exception raised while checking equality of metadata fields of pytree. "
      "Make sure that metadata fields are hashable and have simple equality "
      "semantics. (Note: arrays cannot be passed as metadata fields!)");
  return -1;
}

bool same_shape(const Node& a, const Node& b) noexcept {
  return a.kind == b.kind && a.arity == b.arity &&
         (a.reg == b.reg || (a.reg && b.reg && a.reg->type == b.reg->type));
}

// Same value and same type all the way down.
bool identical(PyObject* a, PyObject* b) noexcept {
  if (a == b) return true;
  if (Py_TYPE(a) != Py_TYPE(b)) return false;
  if (PyTuple_CheckExact(a)) {
    if (PyTuple_GET_SIZE(a) != PyTuple_GET_SIZE(b)) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(a); ++i)
      if (!identical(PyTuple_GET_ITEM(a, i), PyTuple_GET_ITEM(b, i)))
        return false;
    return true;
  }
  return (PyUnicode_CheckExact(a) || PyLong_CheckExact(a) ||
          PyBytes_CheckExact(a)) &&
         PyObject_RichCompareBool(a, b, Py_EQ) == 1;
}

}  // namespace

int equal_nodes(const Node* a, const Node* b, size_t n) {
  for (size_t i = 0; i < n; ++i)
    if (!same_shape(a[i], b[i])) return 0;
  for (size_t i = 0; i < n; ++i) {
    if (a[i].data == b[i].data) continue;
    bool dict = a[i].kind == Kind::dict;
    if (!dict && a[i].kind == Kind::namedtuple) return 0;
    int same = dict ? equal_objects(a[i].keys()->keys, b[i].keys()->keys)
                    : equal_objects(a[i].object(), b[i].object());
    if (same <= 0) return same;
  }
  return 1;
}

int equal(const TreeDef& a, const TreeDef& b) {
  if (&a == &b) return 1;
  if (a.hash != b.hash || a.nodes.size() != b.nodes.size()) return 0;
  return equal_nodes(a.nodes.data(), b.nodes.data(), a.nodes.size());
}

bool interchangeable(const FlatTree& flat, const TreeDef& def) noexcept {
  if (same_bytes(flat, def)) return true;
  if (flat.hash != def.hash || flat.nodes.size() != def.nodes.size() ||
      !flat.plain || !def.plain)
    return false;
  for (size_t i = 0; i < def.nodes.size(); ++i) {
    const Node &a = flat.nodes[i], &b = def.nodes[i];
    if (!same_shape(a, b) || a.reg != b.reg) return false;
    if (a.data == b.data) continue;
    if (a.kind == Kind::dict ? !identical(a.keys()->keys, b.keys()->keys)
                             : !identical(a.object(), b.object()))
      return false;
  }
  return true;
}

}  // namespace cotan::pytree
