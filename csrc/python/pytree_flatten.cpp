// Walking trees: flatten (with and without key paths, or a call's arguments),
// unflatten, and flatten_up_to, which follows a given structure.
#include <algorithm>
#include <utility>

#include "python/pytree.h"

namespace cotan::pytree {

namespace {

// Deeper trees would overflow the C stack if the recursion limit was raised.
constexpr int kMaxDepth = 4000;

template <bool kPath>
class Flattener {
 public:
  Flattener(const Registry& registry, PyObject* is_leaf, FlatTree& out)
      : registry_(registry), is_leaf_(is_leaf), out_(out) {}

  int visit(PyObject* x) {  // steals x
    if (is_leaf_) [[unlikely]] {
      int stop = ask(x);
      if (stop < 0) Py_DECREF(x);
      if (stop) return stop < 0 ? -1 : leaf(x);
    }
    Registry::Class c = registry_.classify(x);
    if (c.kind == Kind::leaf) [[likely]]
      return leaf(x);
    int rc = -1;
    if (++depth_ > kMaxDepth)
      PyErr_Format(PyExc_RecursionError,
                   "a pytree is nested more than %d levels deep; does it "
                   "contain itself?",
                   kMaxDepth);
    else if (Py_EnterRecursiveCall(" while flattening a pytree") == 0) {
      rc = node(x, c);
      Py_LeaveRecursiveCall();
    }
    --depth_;
    Py_DECREF(x);
    return rc;
  }

 private:
  int node(PyObject* x, Registry::Class c) {
    size_t first_node = out_.nodes.size();
    uint32_t first_leaf = out_.num_leaves;
    Level level;
    if (one_level(x, c, kPath, level) < 0) return -1;
    size_t n = level.children.size();
    for (size_t i = 0; i < n; ++i) {
      PyObject* child = std::exchange(level.children[i], nullptr);
      if constexpr (kPath) path_.push_back(level.keys[i]);
      if (visit(child) < 0) return -1;
      if constexpr (kPath) path_.shrink(1);
    }
    Node node = level.node;
    level.node.data = nullptr;
    node.arity = uint32_t(n);
    return out_.close(node, first_node, first_leaf);
  }

  int leaf(PyObject* x) {  // steals x
    if constexpr (kPath) {
      PyObject* path = path_tuple();
      if (!path) {
        Py_DECREF(x);
        return -1;
      }
      out_.paths.push(path);
    }
    out_.leaves.push(x);
    out_.push_leaf_node();
    return 0;
  }

  int ask(PyObject* x) {
    PyObject* answer;
    if constexpr (kPath) {
      PyObject* path = path_tuple();
      if (!path) return -1;
      answer = PyObject_CallFunctionObjArgs(is_leaf_, path, x, nullptr);
      Py_DECREF(path);
    } else {
      answer = PyObject_CallOneArg(is_leaf_, x);
    }
    if (!answer) return -1;
    int stop = -1;
    if (answer == Py_True || answer == Py_False || answer == Py_None)
      stop = answer == Py_True;
    else if (std::strncmp(Py_TYPE(answer)->tp_name, "numpy.bool", 10) == 0)
      stop = PyObject_IsTrue(answer);
    else
      PyErr_Format(PyExc_ValueError,
                   "is_leaf predicate returned a non-boolean value %R; "
                   "expected a boolean",
                   answer);
    Py_DECREF(answer);
    return stop;
  }

  PyObject* path_tuple() {
    PyObject* tuple = PyTuple_New(Py_ssize_t(path_.size()));
    if (!tuple) return nullptr;
    for (size_t i = 0; i < path_.size(); ++i)
      PyTuple_SET_ITEM(tuple, Py_ssize_t(i), Py_NewRef(path_[i]));
    return tuple;
  }

  const Registry& registry_;
  PyObject* is_leaf_;
  FlatTree& out_;
  PodVector<PyObject*, 8> path_;  // borrowed from the Levels on the stack
  int depth_ = 0;
};

}  // namespace

int flatten(const Registry& registry, PyObject* tree, PyObject* is_leaf,
            FlatTree& out) {
  return Flattener<false>(registry, is_leaf, out).visit(Py_NewRef(tree));
}

int flatten_with_path(const Registry& registry, PyObject* tree,
                      PyObject* is_leaf, FlatTree& out) {
  return Flattener<true>(registry, is_leaf, out).visit(Py_NewRef(tree));
}

int flatten_call(const Registry& registry, PyObject* const* args, size_t nargs,
                 PyObject* const* names, PyObject* const* values,
                 size_t nkwargs, FlatTree& out) {
  Flattener<false> flattener(registry, nullptr, out);
  size_t first_node = out.nodes.size();
  uint32_t first_leaf = out.num_leaves;
  for (size_t i = 0; i < nargs; ++i)
    if (flattener.visit(Py_NewRef(args[i])) < 0) return -1;
  if (out.close({.kind = Kind::tuple, .arity = uint32_t(nargs)}, first_node,
                first_leaf) < 0)
    return -1;

  size_t dict_node = out.nodes.size();
  uint32_t dict_leaf = out.num_leaves;
  PodVector<uint32_t, 32> rank, order;
  DictKeys* keys = sort_keys(names, nkwargs, rank.extend(nkwargs));
  if (!keys) return -1;
  order.extend(nkwargs);
  for (size_t i = 0; i < nkwargs; ++i) order[rank[i]] = uint32_t(i);
  for (uint32_t i : order)
    if (flattener.visit(Py_NewRef(values[i])) < 0) {
      release(keys);
      return -1;
    }
  if (out.close({.kind = Kind::dict, .arity = uint32_t(nkwargs), .data = keys},
                dict_node, dict_leaf) < 0)
    return -1;
  return out.close({.kind = Kind::tuple, .arity = 2}, first_node, first_leaf);
}

// --- Unflatten --------------------------------------------------------------
namespace {

// {key: None ...} in sorted order: copying it and replacing the values is
// faster than growing a dict.
PyObject* prototype(DictKeys& keys) {
  if (keys.prototype) return keys.prototype;
  PyObject* dict = PyDict_New();
  if (!dict) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys.keys); ++i)
    if (PyDict_SetItem(dict, PyTuple_GET_ITEM(keys.keys, i), Py_None) < 0) {
      Py_DECREF(dict);
      return nullptr;
    }
  if (keys.prototype)  // a key's __eq__ came here, too
    Py_DECREF(dict);
  else
    keys.prototype = dict;
  return keys.prototype;
}

int set_items(PyObject* dict, PyObject* keys, PyObject* const* values,
              size_t n) {
  for (size_t i = 0; i < n; ++i)
    if (PyDict_SetItem(dict, PyTuple_GET_ITEM(keys, Py_ssize_t(i)), values[i]) <
        0)
      return -1;
  return 0;
}

PyObject* build_dict(const Node& node, PyObject* const* children) {
  PyObject* proto = prototype(*node.keys());
  PyObject* dict = proto ? PyDict_Copy(proto) : nullptr;
  if (dict && set_items(dict, node.keys()->keys, children, node.arity) < 0)
    Py_CLEAR(dict);
  return dict;
}

// Aux data that a user put together (from_node_data_and_children) may not
// fit; unflatten must not read past it.
bool check_aux(bool ok, const Node& node) {
  if (!ok)
    PyErr_Format(PyExc_ValueError,
                 "node data %R does not fit %u children of a %R node",
                 node.object(), unsigned(node.arity),
                 reinterpret_cast<PyObject*>(node.reg->type));
  return ok;
}

bool is_tuple_of(PyObject* x, uint32_t n) {
  return PyTuple_Check(x) && PyTuple_GET_SIZE(x) == Py_ssize_t(n);
}

PyObject* build_ordered_dict(const Node& node, PyObject* const* children) {
  if (!check_aux(is_tuple_of(node.object(), node.arity), node)) return nullptr;
  PyObject* dict = PyODict_New();
  for (uint32_t i = 0; dict && i < node.arity; ++i)
    if (PyODict_SetItem(dict, PyTuple_GET_ITEM(node.object(), i), children[i]) <
        0)
      Py_CLEAR(dict);
  return dict;
}

PyObject* build_default_dict(const Node& node, PyObject* const* children) {
  PyObject* aux = node.object();
  if (!check_aux(is_tuple_of(aux, 2) &&
                     is_tuple_of(PyTuple_GET_ITEM(aux, 1), node.arity),
                 node))
    return nullptr;
  PyObject* dict = PyObject_CallOneArg(
      reinterpret_cast<PyObject*>(node.reg->type), PyTuple_GET_ITEM(aux, 0));
  if (dict &&
      set_items(dict, PyTuple_GET_ITEM(aux, 1), children, node.arity) < 0)
    Py_CLEAR(dict);
  return dict;
}

PyObject* build_dataclass(const Node& node, PyObject* const* children) {
  const Registration& reg = *node.reg;
  Py_ssize_t meta = PyTuple_GET_SIZE(reg.meta_fields);
  if (!check_aux(is_tuple_of(node.object(), uint32_t(meta)) &&
                     is_tuple_of(reg.data_fields, node.arity),
                 node))
    return nullptr;
  PodVector<PyObject*, 32> args;
  for (Py_ssize_t i = 0; i < meta; ++i)
    args.push_back(PyTuple_GET_ITEM(node.object(), i));
  args.append(children, node.arity);
  return PyObject_Vectorcall(reinterpret_cast<PyObject*>(reg.type), args.data(),
                             0, reg.keywords);
}

PyObject* tuple_of(PyObject* const* items, size_t n) {
  PyObject* tuple = PyTuple_New(Py_ssize_t(n));
  if (!tuple) return nullptr;
  for (size_t i = 0; i < n; ++i)
    PyTuple_SET_ITEM(tuple, Py_ssize_t(i), Py_NewRef(items[i]));
  return tuple;
}

PyObject* build_custom(const Node& node, PyObject* const* children) {
  switch (node.reg->builtin) {
    case Registration::Builtin::ordered_dict:
      return build_ordered_dict(node, children);
    case Registration::Builtin::default_dict:
      return build_default_dict(node, children);
    case Registration::Builtin::no:
      break;
  }
  PyObject* tuple = tuple_of(children, node.arity);
  if (!tuple) return nullptr;
  PyObject* args[] = {node.object(), tuple};
  PyObject* out = PyObject_Vectorcall(node.reg->unflatten, args, 2, nullptr);
  Py_DECREF(tuple);
  return out;
}

// Borrows the children.
PyObject* build(const Node& node, PyObject* const* children) {
  switch (node.kind) {
    case Kind::none:
      return Py_NewRef(Py_None);
    case Kind::namedtuple:
      return PyObject_Vectorcall(node.object(), children, node.arity, nullptr);
    case Kind::dict:
      return build_dict(node, children);
    case Kind::dataclass:
      return build_dataclass(node, children);
    case Kind::custom:
      return build_custom(node, children);
    default:
      Py_UNREACHABLE();  // leaf, tuple and list: see unflatten
  }
}

}  // namespace

PyObject* unflatten(const TreeDef& def, PyObject** leaves) {
  Refs stack;
  size_t next = 0;
  for (const Node& node : def.nodes) {
    if (node.kind == Kind::leaf) {
      stack.push(leaves[next++]);
      continue;
    }
    size_t n = node.arity;
    PyObject** children = stack.data() + (stack.size() - n);
    PyObject* out;
    if (node.kind == Kind::tuple || node.kind == Kind::list) {
      bool tuple = node.kind == Kind::tuple;
      out = tuple ? PyTuple_New(Py_ssize_t(n)) : PyList_New(Py_ssize_t(n));
      if (out && n) {  // the references move
        std::memcpy(tuple ? reinterpret_cast<PyTupleObject*>(out)->ob_item
                          : reinterpret_cast<PyListObject*>(out)->ob_item,
                    children, n * sizeof(PyObject*));
        stack.forget(n);
      }
    } else {
      out = build(node, children);
      if (out)
        while (n--) Py_DECREF(stack.pop());
    }
    if (!out) {
      for (; next < def.num_leaves; ++next) Py_DECREF(leaves[next]);
      return nullptr;
    }
    stack.push(out);
  }
  return stack.pop();
}

// --- Following a structure --------------------------------------------------
namespace {

int mismatch(const char* format, PyObject* got) {
  PyErr_Format(PyExc_ValueError, format, got);
  return -1;
}

int check_arity(const char* what, const char* noun, size_t got,
                const Node& node, PyObject* x) {
  if (got == node.arity) return 0;
  PyErr_Format(PyExc_ValueError, "%s arity mismatch: %zu != %u; %s: %R.", what,
               got, unsigned(node.arity), noun, x);
  return -1;
}

int check_dict_keys(const Node& node, const DictKeys& found) {
  const DictKeys& expected = *node.keys();
  if (&found == &expected) return 0;
  int same = PyObject_RichCompareBool(found.keys, expected.keys, Py_EQ);
  if (same) return same < 0 ? -1 : 0;
  PyObject* want = PySequence_List(expected.keys);
  PyObject* got = PySequence_List(found.keys);
  if (want && got)
    PyErr_Format(PyExc_ValueError,
                 "Dict key mismatch; expected keys: %R; present keys: %R.",
                 want, got);
  Py_XDECREF(want);
  Py_XDECREF(got);
  return -1;
}

int check_registered(const Node& node, const Level& found, PyObject* x) {
  const char* what = node.kind == Kind::custom ? "custom" : "custom dataclass";
  int same =
      PyObject_RichCompareBool(node.object(), found.node.object(), Py_EQ);
  if (same < 0) return -1;
  if (!same) {
    PyErr_Format(PyExc_ValueError,
                 "Mismatch %s node data: %R != %R; value: %R.", what,
                 node.object(), found.node.object(), x);
    return -1;
  }
  return 0;
}

// Is x a node of the same type as `node`?
int check_type(const Node& node, PyObject* x) {
  switch (node.kind) {
    case Kind::leaf:
      return 0;
    case Kind::none:
      return x == Py_None ? 0 : mismatch("Expected None, got %R.", x);
    case Kind::tuple:
      return PyTuple_CheckExact(x) ? 0 : mismatch("Expected tuple, got %R.", x);
    case Kind::list:
      return PyList_CheckExact(x) ? 0 : mismatch("Expected list, got %R.", x);
    case Kind::dict:
      return PyDict_CheckExact(x) ? 0 : mismatch("Expected dict, got %R.", x);
    case Kind::namedtuple:
      if (!PyTuple_Check(x) || !PyObject_HasAttrString(x, "_fields"))
        return mismatch("Expected named tuple, got %R.", x);
      if (check_arity("Named tuple", "tuple", size_t(PyTuple_GET_SIZE(x)), node,
                      x) < 0)
        return -1;
      if (reinterpret_cast<PyObject*>(Py_TYPE(x)) == node.object()) return 0;
      PyErr_Format(PyExc_ValueError,
                   "Named tuple type mismatch: expected type: %R, tuple: %R.",
                   node.object(), x);
      return -1;
    case Kind::custom:
    case Kind::dataclass:
      if (Py_TYPE(x) == node.reg->type) return 0;
      PyErr_Format(PyExc_ValueError,
                   "Custom %snode type mismatch: expected type: %R, value: "
                   "%R.",
                   node.kind == Kind::dataclass ? "dataclass " : "",
                   reinterpret_cast<PyObject*>(node.reg->type), x);
      return -1;
  }
  return 0;
}

// The children of x, in order; x must match `node`.
int matching_level(const Node& node, PyObject* x, Level& level) {
  if (check_type(node, x) < 0 ||
      one_level(x, {node.kind, node.reg}, false, level) < 0)
    return -1;
  size_t n = level.children.size();
  switch (node.kind) {
    case Kind::tuple:
      return check_arity("Tuple", "tuple", n, node, x);
    case Kind::list:
      return check_arity("List", "list", n, node, x);
    case Kind::dict:
      return check_dict_keys(node, *level.node.keys());
    case Kind::custom:
    case Kind::dataclass:
      if (check_registered(node, level, x) < 0) return -1;
      return check_arity("Custom type", "value", n, node, x);
    default:
      return 0;
  }
}

// Visits the nodes from the root, last child first, which is postorder
// backwards; expand(node, x, agenda) pushes the children of x.
template <class Expand>
int follow(const TreeDef& def, PyObject* tree, Refs& out, Expand&& expand) {
  Refs agenda;
  agenda.push(Py_NewRef(tree));
  std::fill_n(out.extend(def.num_leaves), def.num_leaves, nullptr);
  size_t leaf = def.num_leaves;
  for (size_t i = def.nodes.size(); i-- > 0;) {
    const Node& node = def.nodes[i];
    PyObject* x = agenda.pop();
    if (node.kind == Kind::leaf) {
      out[--leaf] = x;
      continue;
    }
    int rc = expand(node, x, agenda);
    Py_DECREF(x);
    if (rc < 0) return -1;
  }
  return 0;
}

}  // namespace

int flatten_up_to(const TreeDef& def, PyObject* tree, Refs& out) {
  return follow(def, tree, out,
                [](const Node& node, PyObject* x, Refs& agenda) {
                  Level level;
                  if (matching_level(node, x, level) < 0) return -1;
                  for (size_t i = 0; i < level.children.size(); ++i)
                    agenda.push(level.children[i]);
                  level.children.forget();
                  return 0;
                });
}

int flatten_iterables(const TreeDef& def, PyObject* tree, Refs& out) {
  return follow(
      def, tree, out, [](const Node& node, PyObject* x, Refs& agenda) {
        PyObject* items = PySequence_Tuple(x);
        if (!items) return -1;
        bool fits = is_tuple_of(items, node.arity);
        for (uint32_t i = 0; fits && i < node.arity; ++i)
          agenda.push(Py_NewRef(PyTuple_GET_ITEM(items, i)));
        Py_DECREF(items);
        if (!fits)
          PyErr_SetString(PyExc_ValueError, "Arity mismatch between trees");
        return fits ? 0 : -1;
      });
}

}  // namespace cotan::pytree
