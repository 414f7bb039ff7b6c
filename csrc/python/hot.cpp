#include "python/hot.h"

#include "jnp/ufuncs.h"

namespace cotan::python {

ValueObj* integer_power(ValueObj* x, PyObject* n) {
  int overflow = 0;
  long long v = PyLong_AsLongLongAndOverflow(n, &overflow);
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  if (overflow)
    throw_error(ErrorKind::overflow, "[power] the exponent is too large");
  return jnp::integer_power(Borrowed(x), v).detach();
}

std::string source_of(ValueObj* v) {
  while (const Value* primal = v->primal_value()) v = primal->get();
  if (v->kind != ValueKind::graph) return "";
  const auto& source = static_cast<GraphTracer*>(v)->source;
  return source ? source->describe() : "";
}

std::string tracer_kind(ValueObj* v) {
  switch (v->kind) {
    case ValueKind::graph:
      return "JitTracer";
    case ValueKind::dual:
      return "GradTracer";
    case ValueKind::batch:
      return "BatchTracer";
    default:
      return "";
  }
}

bool tracer_alive(ValueObj* v) { return v->trace() && v->trace()->alive(); }

void delete_buffer_of(ValueObj* v) {
  if (v->kind == ValueKind::array)
    static_cast<ArrayObj*>(v)->buffer->mark_deleted();
}

bool buffer_is_deleted(ValueObj* v) {
  return v->kind == ValueKind::array &&
         static_cast<ArrayObj*>(v)->buffer->is_deleted();
}

uintptr_t buffer_address(ValueObj* v) {
  return reinterpret_cast<uintptr_t>(v->host_data());
}

void import_buffer(PyObject* exporter, Py_buffer* buffer, int flags) {
  // NumPy fills the request and stays its exporter: releasing the buffer
  // releases the view of our memory with it.
  if (PyObject_GetBuffer(exporter, buffer, flags) < 0) throw PythonError();
}

// ---- jit

namespace {
TreeDefAccess treedef_access;
}

void set_treedef_access(TreeDefAccess access) { treedef_access = access; }

JitEntry* jit_find(JitCache& cache, const Signature& s, pytree::FlatTree& tree,
                   PyObject* static_key) {
  return cache.find(s, tree, static_key, treedef_access.matches);
}

JitEntry* jit_add(JitCache& cache, const Signature& s, uint64_t tree_hash,
                  PyObject* in_tree, PyObject* static_key, PyObject* out_tree,
                  const Ref<JitProgram>& program) {
  auto e = std::make_unique<JitEntry>();
  e->signature = s;
  e->tree_hash = tree_hash;
  e->in_tree = Py_NewRef(in_tree);
  e->static_key = Py_XNewRef(static_key);
  e->out_tree = Py_NewRef(out_tree);
  const auto& nodes = treedef_access.get(out_tree)->nodes;
  e->single = nodes.size() == 1 && nodes[0].kind == pytree::Kind::leaf;
  e->program = program;
  return cache.add(std::move(e));
}

void compile_program(JitProgram* p) {
  Ref<JitProgram> keep(p);
  PyThreadState* state = PyEval_SaveThread();
  struct Restore {
    PyThreadState* s;
    ~Restore() { PyEval_RestoreThread(s); }
  } restore{state};
  p->executable();
}

}  // namespace cotan::python
