#include "python/hot.h"

#include "api/backend.h"
#include "jnp/ufuncs.h"
#include "python/gil.h"
#include "runtime/runtime.h"

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
  const SourceInfo* source = v->made_at();
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

PyObject* run_single(JitProgram* p, const CallFrame& frame) {
  Values out = p->apply(frame.values());
  return wrap_value(std::move(out[0]));
}

void run_leaves(JitProgram* p, const CallFrame& frame,
                std::vector<PyObject*>& leaves) {
  Values out = p->apply(frame.values());
  leaves.reserve(out.size());
  for (Value& v : out) leaves.push_back(wrap_value(std::move(v)));
}

void compile_program(JitProgram* p) {
  Ref<JitProgram> keep(p);
  p->executable_on(nullptr);
}

Value at_home(const Value& v) {
  if (!placement_matters() || !v || v->kind != ValueKind::array) return v;
  const auto& a = v.as<ArrayObj>();
  Device* home = default_device();
  if (a.committed || home->is_cpu() || !a.buffer->device()->is_cpu()) return v;
  return make_ref<ArrayObj>(v.aval(), buffer_on(v, home));
}
std::string program_text(JitProgram* p) {
  Ref<JitProgram> keep(p);
  return p->executable_on(nullptr).text();
}

namespace {

void* release_gil() {
  return PyGILState_Check() ? PyEval_SaveThread() : nullptr;
}
void take_gil(void* state) {
  PyEval_RestoreThread(static_cast<PyThreadState*>(state));
}
// A pending Ctrl-C; its KeyboardInterrupt stays set for the caller.
int pending_signal() {
  Gil gil;
  return PyErr_CheckSignals();
}
bool compile_interrupted() { return pending_signal() != 0; }

}  // namespace

void install_process_hooks() {
  set_blocking_hooks({release_gil, take_gil});
  set_signal_check(pending_signal);
  set_compile_interrupt_check(compile_interrupted);
}

}  // namespace cotan::python
