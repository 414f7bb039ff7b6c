// Pieces of the hot path that are easier to get fast in C++ than in Cython:
// operators on borrowed values and the signature cache of jit.
#pragma once

#include <Python.h>

#include "api/program.h"
#include "base/config.h"
#include "python/bridge.h"
#include "python/pytree.h"
#include "transforms/transforms.h"

namespace cotan::python {

using UnaryFn = Value (*)(const Value&);
using BinaryFn = Value (*)(const Value&, const Value&);

// A Value that borrows its reference.
class Borrowed {
 public:
  explicit Borrowed(ValueObj* v) : value_(Value::adopt(v)) {}
  ~Borrowed() { (void)value_.detach(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  operator const Value&() const { return value_; }

 private:
  Value value_;
};

// New references.
inline ValueObj* apply_unary(UnaryFn f, ValueObj* x) {
  return f(Borrowed(x)).detach();
}
inline ValueObj* apply_binary(BinaryFn f, ValueObj* x, ValueObj* y) {
  return f(Borrowed(x), Borrowed(y)).detach();
}

// x ** n; n beyond 64 bits is an OverflowError.
ValueObj* integer_power(ValueObj* x, PyObject* n);

inline Value value_ref(ValueObj* v) noexcept { return Ref<ValueObj>(v); }
inline int64_t num_elements_of(ValueObj* v) { return v->aval.size(); }
std::string source_of(ValueObj* v);  // of a tracer, or ""
std::string tracer_kind(ValueObj* v);
bool tracer_alive(ValueObj* v);
void delete_buffer_of(ValueObj* v);
bool buffer_is_deleted(ValueObj* v);
uintptr_t buffer_address(ValueObj* v);
// The buffer protocol, served by the NumPy array `exporter`.
void import_buffer(PyObject* exporter, Py_buffer* buffer, int flags);

// ---- jit

// What identifies a trace besides the tree and the static arguments.
using Signature = SmallVector<uint64_t, 64>;

inline void append_signature(Signature& s, const Aval& a) {
  s.push_back(uint64_t(a.dtype) | uint64_t(a.weak_type) << 8 |
              uint64_t(a.shape.size()) << 16);
  for (int64_t d : a.shape) s.push_back(uint64_t(d));
}

// The arguments of one call. They are borrowed from the flattened leaves,
// which outlive it; what had to be converted is owned here.
struct CallFrame {
  Signature signature;
  SmallVector<ValueObj*, 32> args;
  Values owned;

  CallFrame() { signature.push_back(config_key()); }
  void push(ValueObj* v) {
    args.push_back(v);
    append_signature(signature, v->aval);
  }
  void push_owned(const Value& v) {
    owned.push_back(v);
    push(v.get());
  }
  // A Value is one pointer: a borrowed pointer reads as a Value that is never
  // destroyed.
  std::span<const Value> values() const {
    static_assert(sizeof(Value) == sizeof(ValueObj*));
    return {reinterpret_cast<const Value*>(args.data()), args.size()};
  }
};

struct JitEntry {
  Signature signature;
  uint64_t tree_hash = 0;
  PyObject* in_tree = nullptr;     // PyTreeDef
  PyObject* static_key = nullptr;  // or null
  PyObject* out_tree = nullptr;    // PyTreeDef
  bool single = false;             // the output is one leaf
  Ref<JitProgram> program;

  JitEntry() = default;
  JitEntry(const JitEntry&) = delete;
  ~JitEntry() {
    Py_XDECREF(in_tree);
    Py_XDECREF(static_key);
    Py_XDECREF(out_tree);
  }
};

// The entries of one jitted function, the last one used first.
class JitCache {
 public:
  // same_tree(tree, PyTreeDef): 1, 0, or -1 with an exception set.
  template <class SameTree>
  JitEntry* find(const Signature& s, pytree::FlatTree& tree,
                 PyObject* static_key, SameTree same_tree) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      JitEntry& e = *entries_[i];
      if (e.tree_hash != tree.hash || !(e.signature == s)) continue;
      int same = same_tree(&tree, e.in_tree);
      if (same < 0) throw PythonError();
      if (!same) continue;
      if (static_key || e.static_key) {
        if (!static_key || !e.static_key) continue;
        int eq = PyObject_RichCompareBool(e.static_key, static_key, Py_EQ);
        if (eq < 0) throw PythonError();
        if (!eq) continue;
      }
      if (i > 0) std::swap(entries_[0], entries_[i]);
      return entries_[0].get();
    }
    return nullptr;
  }
  JitEntry* add(std::unique_ptr<JitEntry> e) {
    entries_.insert(entries_.begin(), std::move(e));
    return entries_[0].get();
  }
  void clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }

 private:
  std::vector<std::unique_ptr<JitEntry>> entries_;
};

// How to look into a PyTreeDef, whose type lives in another module.
struct TreeDefAccess {
  pytree::TreeDef* (*get)(PyObject*);
  int (*matches)(pytree::FlatTree*, PyObject*);
};
void set_treedef_access(TreeDefAccess access);
JitEntry* jit_find(JitCache& cache, const Signature& s, pytree::FlatTree& tree,
                   PyObject* static_key);
JitEntry* jit_add(JitCache& cache, const Signature& s, uint64_t tree_hash,
                  PyObject* in_tree, PyObject* static_key, PyObject* out_tree,
                  const Ref<JitProgram>& program);
inline Ref<JitProgram> make_program(const TracedGraph& g,
                                    const std::vector<bool>& donated,
                                    const std::string& name, uintptr_t device,
                                    bool inlined) {
  return make_ref<JitProgram>(g, donated, name,
                              reinterpret_cast<Device*>(device), inlined);
}
// Runs an entry on a call's arguments: the output, or with `leaves` its
// leaves as new references.
PyObject* run_single(JitProgram* p, const CallFrame& frame);
void run_leaves(JitProgram* p, const CallFrame& frame,
                std::vector<PyObject*>& leaves);
void compile_program(JitProgram* p);
std::string program_text(JitProgram* p);  // compiles it
// A host array made by the user goes where computations go by default.
Value at_home(const Value& v);
// Letting go of the GIL while compiling and in long runs; Ctrl-C.
void install_process_hooks();
inline void count_trace() { ++compile_counters().traces; }
inline bool jit_disabled() { return config().disable_jit; }
inline PyObject** tuple_items(PyObject* tuple) {
  return reinterpret_cast<PyTupleObject*>(tuple)->ob_item;
}

// Makes instances of a type callable through a vectorcallfunc at `offset`.
inline void enable_vectorcall(PyTypeObject* type, Py_ssize_t offset) {
  type->tp_vectorcall_offset = offset;
  type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
  type->tp_call = PyVectorcall_Call;
  PyType_Modified(type);
}

}  // namespace cotan::python
