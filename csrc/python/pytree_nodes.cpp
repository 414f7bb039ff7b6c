// Types and nodes: the registry, sorted dict keys, and one_level(), the only
// place that knows how each kind of container is taken apart.
#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include "python/pytree.h"

namespace cotan::pytree {

KeyMakers key_makers = {};

// --- Registry ---------------------------------------------------------------
namespace {
Registration* builtin(Kind kind, PyTypeObject* type) {
  auto* reg = new Registration{.kind = kind, .type = type};
  Py_INCREF(type);
  return reg;
}
}  // namespace

Registry::Registry(Options options)
    : slots_(128), shift_(64 - 7), namedtuple_(options.namedtuple) {
  auto enable = [&](bool on, Kind kind, PyTypeObject* type) {
    if (!on) return;
    insert({type, builtin(kind, type)});
    ++count_;
  };
  enable(options.none, Kind::none, Py_TYPE(Py_None));
  enable(options.tuple, Kind::tuple, &PyTuple_Type);
  enable(options.list, Kind::list, &PyList_Type);
  enable(options.dict, Kind::dict, &PyDict_Type);
}

void Registry::insert(Slot s) noexcept {
  size_t i = slot(s.type);
  while (slots_[i].type) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = s;
}

const Registration* Registry::find(PyTypeObject* type) const noexcept {
  for (const Slot& s : slots_)
    if (s.type == type) return s.reg;
  return nullptr;
}

int Registry::add(const Registration& reg) {
  if (find(reg.type)) {
    PyErr_Format(PyExc_ValueError,
                 "Duplicate custom %sPyTreeDef type registration for %R.",
                 reg.kind == Kind::dataclass ? "dataclass " : "",
                 reinterpret_cast<PyObject*>(reg.type));
    return -1;
  }
  if (2 * ++count_ > slots_.size()) {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    --shift_;
    for (const Slot& s : old)
      if (s.type) insert(s);
  }
  insert({reg.type, new Registration(reg)});
  return 0;
}

namespace {

PyTypeObject* checked_type(PyObject* type) {
  if (PyType_Check(type)) return reinterpret_cast<PyTypeObject*>(type);
  PyErr_Format(PyExc_TypeError,
               "Only classes can be registered as pytree nodes, got %R.", type);
  return nullptr;
}

PyObject* interned_tuple(PyObject* names) {
  PyObject* tuple = PySequence_Tuple(names);
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
    PyObject*& name = reinterpret_cast<PyTupleObject*>(tuple)->ob_item[i];
    if (!PyUnicode_Check(name)) {
      PyErr_Format(PyExc_TypeError, "A field name must be a str, got %R.",
                   name);
      Py_DECREF(tuple);
      return nullptr;
    }
    PyUnicode_InternInPlace(&name);
  }
  return tuple;
}

}  // namespace

int add_custom(Registry& registry, PyObject* type, PyObject* flatten,
               PyObject* unflatten, PyObject* with_keys) {
  PyTypeObject* cls = checked_type(type);
  if (!cls) return -1;
  auto builtin = Registration::Builtin::no;
  if (!flatten)
    builtin = cls == &PyODict_Type ? Registration::Builtin::ordered_dict
                                   : Registration::Builtin::default_dict;
  Registration reg{.kind = Kind::custom,
                   .builtin = builtin,
                   .type = cls,
                   .flatten = flatten,
                   .unflatten = unflatten,
                   .flatten_with_keys = with_keys};
  if (registry.add(reg) < 0) return -1;
  for (PyObject* kept : {type, flatten, unflatten, with_keys}) Py_XINCREF(kept);
  return 0;
}

int add_dataclass(Registry& registry, PyObject* type, PyObject* data_fields,
                  PyObject* meta_fields) {
  PyTypeObject* cls = checked_type(type);
  if (!cls) return -1;
  PyObject* data = interned_tuple(data_fields);
  PyObject* meta = data ? interned_tuple(meta_fields) : nullptr;
  PyObject* keywords = meta ? PySequence_Concat(meta, data) : nullptr;
  Registration reg{.kind = Kind::dataclass,
                   .type = cls,
                   .data_fields = data,
                   .meta_fields = meta,
                   .keywords = keywords};
  if (!keywords || registry.add(reg) < 0) {
    for (PyObject* x : {data, meta, keywords}) Py_XDECREF(x);
    return -1;
  }
  Py_INCREF(type);
  return 0;
}

bool Registry::is_namedtuple(PyObject* x) noexcept {
  static PyObject* fields = PyUnicode_InternFromString("_fields");
  return PyObject_HasAttr(x, fields);
}

void raise_from_current(PyObject* cls, const char* text) {
  PyObject *type, *cause, *trace;
  PyErr_Fetch(&type, &cause, &trace);
  PyErr_NormalizeException(&type, &cause, &trace);
  if (trace) PyException_SetTraceback(cause, trace);
  Py_XDECREF(type);
  Py_XDECREF(trace);
  PyErr_SetString(cls, text);
  PyObject* error;
  PyErr_Fetch(&type, &error, &trace);
  PyErr_NormalizeException(&type, &error, &trace);
  PyException_SetCause(error, cause);  // steals cause
  PyErr_Restore(type, error, trace);
}

// --- Sorted keys ------------------------------------------------------------
namespace {

// A key sequence seen before, in insertion order, and where each key goes.
// The sorted tuple keeps the keys alive, so equal pointers are equal keys.
struct KeyOrder {
  uint64_t hash;
  std::vector<PyObject*> keys;
  std::vector<uint32_t> rank;
  DictKeys* sorted;

  ~KeyOrder() { release(sorted); }
};

constexpr size_t kMaxCachedKeys = 4096;
// 4-way, the newest first. Never destroyed: the interpreter is gone by then.
using KeyOrders = std::array<std::unique_ptr<KeyOrder>, 4>;
auto& key_orders = *new std::array<KeyOrders, 1024>;

uint64_t add_pointer(uint64_t h, PyObject* p) noexcept {
  return (h ^ reinterpret_cast<uintptr_t>(p)) * 0x9e3779b97f4a7c15u;
}
uint64_t finish_hash(uint64_t h) noexcept { return h ^ h >> 32; }

uint64_t hash_pointers(PyObject* const* keys, size_t n) noexcept {
  uint64_t h = n;
  for (size_t i = 0; i < n; ++i) h = add_pointer(h, keys[i]);
  return finish_hash(h);
}

KeyOrders& orders_of(uint64_t hash) noexcept {
  return key_orders[hash % key_orders.size()];
}

const KeyOrder* find_order(PyObject* const* keys, size_t n,
                           uint64_t hash) noexcept {
  for (const auto& o : orders_of(hash))
    if (o && o->hash == hash && o->keys.size() == n &&
        std::equal(keys, keys + n, o->keys.data()))
      return o.get();
  return nullptr;
}

// Keys whose order never changes and that are cheap to keep.
bool is_plain_key(PyObject* k) noexcept {
  return PyUnicode_CheckExact(k) || PyLong_CheckExact(k) || PyBool_Check(k) ||
         PyFloat_CheckExact(k) || PyBytes_CheckExact(k);
}

// list(keys) sorted by `<`, as a tuple.
PyObject* sorted_tuple(PyObject* const* keys, size_t n) {
  PyObject* list = PyList_New(Py_ssize_t(n));
  if (!list) return nullptr;
  for (size_t i = 0; i < n; ++i) {
    Py_INCREF(keys[i]);
    PyList_SET_ITEM(list, Py_ssize_t(i), keys[i]);
  }
  PyObject* tuple = nullptr;
  if (PyList_Sort(list) == 0)
    tuple = PyList_AsTuple(list);
  else if (PyErr_ExceptionMatches(PyExc_Exception))
    raise_from_current(PyExc_ValueError,
                       "Comparator raised exception while sorting pytree "
                       "dictionary keys.");
  Py_DECREF(list);
  return tuple;
}

// Keys of one dict are distinct objects: pointers identify them.
void compute_rank(PyObject* const* keys, size_t n, PyObject* sorted,
                  uint32_t* rank) {
  std::vector<std::pair<PyObject*, uint32_t>> place(n);
  for (size_t i = 0; i < n; ++i)
    place[i] = {PyTuple_GET_ITEM(sorted, Py_ssize_t(i)), uint32_t(i)};
  std::sort(place.begin(), place.end());
  for (size_t i = 0; i < n; ++i)
    rank[i] = std::lower_bound(place.begin(), place.end(),
                               std::pair<PyObject*, uint32_t>(keys[i], 0))
                  ->second;
}

void remember_order(PyObject* const* keys, size_t n, uint64_t hash,
                    const uint32_t* rank, DictKeys* sorted) {
  ++sorted->refs;
  KeyOrders& orders = orders_of(hash);
  std::rotate(orders.begin(), orders.end() - 1, orders.end());
  orders.front().reset(
      new KeyOrder{hash, {keys, keys + n}, {rank, rank + n}, sorted});
}

DictKeys* sort_new_keys(PyObject* const* keys, size_t n, uint64_t hash,
                        uint32_t* rank) {
  PyObject* tuple = sorted_tuple(keys, n);
  if (!tuple) return nullptr;
  compute_rank(keys, n, tuple, rank);
  // The sorted order is an insertion order, too (of unflattened dicts): nodes
  // of the same keys inserted differently share one DictKeys through it.
  PyObject** in_order = reinterpret_cast<PyTupleObject*>(tuple)->ob_item;
  uint64_t sorted_hash = hash_pointers(in_order, n);
  DictKeys* out;
  if (const KeyOrder* known = find_order(in_order, n, sorted_hash)) {
    Py_DECREF(tuple);
    out = known->sorted;
    ++out->refs;
  } else {
    out = make_keys(tuple);
    if (!out || !out->plain || n > kMaxCachedKeys) return out;
    std::vector<uint32_t> iota(n);
    std::iota(iota.begin(), iota.end(), 0u);
    remember_order(in_order, n, sorted_hash, iota.data(), out);
  }
  if (hash != sorted_hash) remember_order(keys, n, hash, rank, out);
  return out;
}

}  // namespace

DictKeys* make_keys(PyObject* tuple) {
  auto* out = new DictKeys{.keys = tuple};
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
    PyObject* key = PyTuple_GET_ITEM(tuple, i);
    Py_hash_t h = PyObject_Hash(key);
    if (h == -1) {
      release(out);
      return nullptr;
    }
    out->hash = hash_mix(out->hash, uint64_t(h));
    out->plain &= is_plain_key(key);
  }
  return out;
}

DictKeys* sort_keys(PyObject* const* keys, size_t n, uint32_t* rank) {
  if (n == 0) {  // a call without keywords
    static DictKeys* none = make_keys(PyTuple_New(0));
    ++none->refs;
    return none;
  }
  uint64_t hash = hash_pointers(keys, n);
  if (const KeyOrder* o = find_order(keys, n, hash)) {
    std::copy(o->rank.begin(), o->rank.end(), rank);
    ++o->sorted->refs;
    return o->sorted;
  }
  return sort_new_keys(keys, n, hash, rank);
}

// --- Taking one node apart --------------------------------------------------
namespace {

int push_key(Level& out, MakeKey make, PyObject* argument) {
  PyObject* key = make(argument);
  if (!key) return -1;
  out.keys.push(key);
  return 0;
}

// Keys 0, 1, ... for the children there are.
int index_keys(Level& out, MakeKey make) {
  for (size_t i = 0; i < out.children.size(); ++i) {
    PyObject* index = PyLong_FromSize_t(i);
    if (!index) return -1;
    int rc = push_key(out, make, index);
    Py_DECREF(index);
    if (rc < 0) return -1;
  }
  return 0;
}

int names_as_keys(Level& out, MakeKey make, PyObject* names) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i)
    if (push_key(out, make, PyTuple_GET_ITEM(names, i)) < 0) return -1;
  return 0;
}

void push_items(Level& out, PyObject* const* items, Py_ssize_t n) {
  PyObject** children = out.children.extend(size_t(n));
  for (Py_ssize_t i = 0; i < n; ++i) children[i] = Py_NewRef(items[i]);
}

void push_sequence(Level& out, PyObject* tuple_or_list) {
  if (PyTuple_Check(tuple_or_list))
    push_items(out, reinterpret_cast<PyTupleObject*>(tuple_or_list)->ob_item,
               PyTuple_GET_SIZE(tuple_or_list));
  else
    push_items(out, reinterpret_cast<PyListObject*>(tuple_or_list)->ob_item,
               PyList_GET_SIZE(tuple_or_list));
}

int namedtuple_level(PyObject* x, bool with_keys, Level& out) {
  push_sequence(out, x);
  out.node.data = Py_TYPE(x);
  Py_INCREF(out.node.object());
  if (!with_keys) return 0;
  PyObject* names = PyObject_GetAttrString(x, "_fields");
  if (!names) return -1;
  PyObject* tuple = PySequence_Tuple(names);
  Py_DECREF(names);
  if (!tuple) return -1;
  int rc = -1;
  if (PyTuple_GET_SIZE(tuple) != PyTuple_GET_SIZE(x))
    PyErr_SetString(PyExc_ValueError,
                    "A namedtuple's _fields attribute should have the same "
                    "size as the tuple.");
  else
    rc = names_as_keys(out, key_makers.attribute, tuple);
  Py_DECREF(tuple);
  return rc;
}

int dict_level(PyObject* x, bool with_keys, Level& out) {
  size_t n = size_t(PyDict_GET_SIZE(x));
  PodVector<PyObject*, 32> keys, values;
  PyObject** k = keys.extend(n);
  PyObject** v = values.extend(n);
  uint64_t hash = n;
  Py_ssize_t position = 0;
  for (size_t i = 0; i < n && PyDict_Next(x, &position, &k[i], &v[i]); ++i)
    hash = add_pointer(hash, k[i]);
  hash = finish_hash(hash);
  DictKeys* sorted;
  if (const KeyOrder* o = find_order(k, n, hash)) [[likely]] {
    sorted = o->sorted;
    ++sorted->refs;
    PyObject** children = out.children.extend(n);
    for (size_t i = 0; i < n; ++i) children[o->rank[i]] = Py_NewRef(v[i]);
  } else {
    Refs owned;  // comparing keys may run anything
    for (PyObject* value : values) owned.push(Py_NewRef(value));
    PodVector<uint32_t, 32> rank;
    sorted = sort_new_keys(k, n, hash, rank.extend(n));
    if (!sorted) return -1;
    PyObject** children = out.children.extend(n);
    for (size_t i = 0; i < n; ++i) children[rank[i]] = v[i];
    owned.forget();
  }
  out.node.data = sorted;
  return with_keys ? names_as_keys(out, key_makers.dict, sorted->keys) : 0;
}

// OrderedDict: insertion order (PyDict_Next does not know of move_to_end).
int ordered_dict_level(PyObject* x, bool with_keys, Level& out) {
  PyObject* keys = PySequence_Tuple(x);
  if (!keys) return -1;
  out.node.data = keys;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys); ++i) {
    PyObject* value = PyObject_GetItem(x, PyTuple_GET_ITEM(keys, i));
    if (!value) return -1;
    out.children.push(value);
  }
  return with_keys ? names_as_keys(out, key_makers.dict, keys) : 0;
}

// defaultdict: sorted keys; aux is (default_factory, keys).
int default_dict_level(PyObject* x, bool with_keys, Level& out) {
  PyObject* factory = PyObject_GetAttrString(x, "default_factory");
  if (!factory) return -1;
  PyObject* list = PySequence_List(x);
  PyObject* keys =
      list && PyList_Sort(list) == 0 ? PyList_AsTuple(list) : nullptr;
  Py_XDECREF(list);
  out.node.data = keys ? PyTuple_Pack(2, factory, keys) : nullptr;
  Py_DECREF(factory);
  Py_XDECREF(keys);  // the pair holds it
  if (!out.node.data) return -1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys); ++i) {
    PyObject* value = PyDict_GetItemWithError(x, PyTuple_GET_ITEM(keys, i));
    if (!value) {
      if (!PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, PyTuple_GET_ITEM(keys, i));
      return -1;
    }
    Py_INCREF(value);
    out.children.push(value);
  }
  return with_keys ? names_as_keys(out, key_makers.dict, keys) : 0;
}

int dataclass_level(PyObject* x, const Registration& reg, bool with_keys,
                    Level& out) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(reg.data_fields); ++i) {
    PyObject* v = PyObject_GetAttr(x, PyTuple_GET_ITEM(reg.data_fields, i));
    if (!v) return -1;
    out.children.push(v);
  }
  Py_ssize_t n = PyTuple_GET_SIZE(reg.meta_fields);
  PyObject* meta = PyTuple_New(n);
  out.node.data = meta;
  if (!meta) return -1;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* v = PyObject_GetAttr(x, PyTuple_GET_ITEM(reg.meta_fields, i));
    if (!v) return -1;
    PyTuple_SET_ITEM(meta, i, v);
  }
  return with_keys ? names_as_keys(out, key_makers.attribute, reg.data_fields)
                   : 0;
}

// Splits pairs (key, child) that a flatten_with_keys function returned.
int push_pairs(Level& out, PyObject* pairs) {
  Level all;
  push_sequence(all, pairs);
  for (size_t i = 0; i < all.children.size(); ++i) {
    PyObject* pair = all.children[i];
    if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2) {
      PyErr_Format(PyExc_ValueError,
                   "The to_iterable_with_keys function for a custom PyTree "
                   "node should return a (key_leaf_pairs, aux_data) tuple "
                   "where each pair is a (key, child) tuple, got %R",
                   pair);
      return -1;
    }
    out.keys.push(Py_NewRef(PyTuple_GET_ITEM(pair, 0)));
    out.children.push(Py_NewRef(PyTuple_GET_ITEM(pair, 1)));
  }
  return 0;
}

int python_level(PyObject* x, const Registration& reg, bool with_keys,
                 Level& out) {
  bool keyed = with_keys && reg.flatten_with_keys;
  const char* function = keyed ? "to_iterable_with_keys" : "to_iterable";
  const char* children_name = keyed ? "key_leaf_pairs" : "children";
  PyObject* result =
      PyObject_CallOneArg(keyed ? reg.flatten_with_keys : reg.flatten, x);
  if (!result) return -1;
  if (!PyTuple_CheckExact(result) || PyTuple_GET_SIZE(result) != 2) {
    PyErr_Format(PyExc_ValueError,
                 "The %s function for a custom PyTree node should return a "
                 "(%s, aux_data) tuple, got %R",
                 function, children_name, result);
    Py_DECREF(result);
    return -1;
  }
  out.node.data = Py_NewRef(PyTuple_GET_ITEM(result, 1));
  PyObject* children = PyTuple_GET_ITEM(result, 0);
  PyObject* sequence = nullptr;
  if (PyTuple_CheckExact(children) || PyList_CheckExact(children)) {
    sequence = Py_NewRef(children);
  } else if (PyObject* iterator = PyObject_GetIter(children)) {
    sequence = PySequence_Tuple(iterator);
    Py_DECREF(iterator);
  } else if (PyErr_ExceptionMatches(PyExc_TypeError)) {
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError,
                 "The %s function for a custom PyTree node should return a "
                 "(%s, aux_data) tuple where '%s' is iterable, got %R",
                 function, children_name, children_name, result);
  }
  Py_DECREF(result);
  if (!sequence) return -1;
  int rc = 0;
  if (keyed) {
    rc = push_pairs(out, sequence);
  } else {
    push_sequence(out, sequence);
    if (with_keys) rc = index_keys(out, key_makers.flattened);
  }
  Py_DECREF(sequence);
  return rc;
}

}  // namespace

int one_level(PyObject* x, Registry::Class c, bool with_keys, Level& out) {
  out.node.kind = c.kind;
  switch (c.kind) {
    case Kind::leaf:
    case Kind::none:
      return 0;
    case Kind::tuple:
    case Kind::list:
      push_sequence(out, x);
      return with_keys ? index_keys(out, key_makers.sequence) : 0;
    case Kind::namedtuple:
      return namedtuple_level(x, with_keys, out);
    case Kind::dict:
      return dict_level(x, with_keys, out);
    case Kind::dataclass:
      out.node.reg = c.reg;
      return dataclass_level(x, *c.reg, with_keys, out);
    case Kind::custom:
      break;
  }
  out.node.reg = c.reg;
  switch (c.reg->builtin) {
    case Registration::Builtin::ordered_dict:
      return ordered_dict_level(x, with_keys, out);
    case Registration::Builtin::default_dict:
      return default_dict_level(x, with_keys, out);
    case Registration::Builtin::no:
      break;
  }
  return python_level(x, *c.reg, with_keys, out);
}

}  // namespace cotan::pytree
