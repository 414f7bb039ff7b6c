#include "python/control.h"

#include <vector>

#include "ops/params.h"

namespace cotan::python {

namespace {

struct Gil {
  Gil() : state(PyGILState_Ensure()) {}
  ~Gil() { PyGILState_Release(state); }
  PyGILState_STATE state;
};

PyObject* checked(PyObject* p) {
  if (!p) throw PythonError();
  return p;
}
PyObject* text(std::string_view s) {
  return checked(PyUnicode_FromStringAndSize(s.data(), Py_ssize_t(s.size())));
}

// The fields of params as Python objects, by name; nested structs as dicts.
class DictBuilder final : public ParamVisitor {
 public:
  DictBuilder() { push(false); }
  ~DictBuilder() override {
    for (Level& l : stack_) Py_XDECREF(l.object);
  }
  PyObject* dict() const { return stack_[0].object; }  // borrowed

  void on_field(const char* name) override { stack_.back().name = name; }
  void on_none() override { put(Py_NewRef(Py_None)); }
  void on_bool(bool b) override { put(PyBool_FromLong(b)); }
  void on_int(int64_t i) override { put(PyLong_FromLongLong(i)); }
  void on_double(double d) override { put(PyFloat_FromDouble(d)); }
  void on_string(std::string_view s) override { put(text(s)); }
  void on_enum(std::string_view name, int64_t) override { put(text(name)); }
  void on_dtype(DType t) override { put(text(dtype_name(t))); }
  void on_dims(const Dims& d) override {
    begin_list(d.size());
    for (int64_t n : d) on_int(n);
    end_list();
  }
  void on_literal(const Literal& l) override { put(text(cat(l))); }
  void on_aval(const Aval& a) override { put(text(cat(a))); }
  void on_jaxpr(const JaxprRef& j) override {
    j ? put(text(to_string(*j))) : on_none();
  }
  void on_opaque(const OpaqueRef& o) override {
    o ? put(text(o->describe())) : on_none();
  }
  void begin_list(size_t) override { push(true); }
  void end_list() override {
    PyObject* list = pop();
    PyObject* tuple = PyList_AsTuple(list);
    Py_DECREF(list);
    put(checked(tuple));
  }
  void begin_struct() override { push(false); }
  void end_struct() override { put(pop()); }

 private:
  struct Level {
    PyObject* object;
    bool is_list;
    const char* name = "";
  };
  void push(bool list) {
    stack_.push_back({checked(list ? PyList_New(0) : PyDict_New()), list});
  }
  PyObject* pop() {
    PyObject* p = stack_.back().object;
    stack_.pop_back();
    return p;
  }
  void put(PyObject* v) {  // steals
    Level& l = stack_.back();
    int bad = l.is_list ? PyList_Append(l.object, checked(v))
                        : PyDict_SetItemString(l.object, l.name, checked(v));
    Py_DECREF(v);
    if (bad) throw PythonError();
  }
  std::vector<Level> stack_;
};

// What a policy sees of an operand: (dtype name, shape).
struct TypeFields {
  DType dtype;
  Dims shape;
  static constexpr auto fields() {
    return std::tuple{field("dtype", &TypeFields::dtype),
                      field("shape", &TypeFields::shape)};
  }
};
struct OperandFields {
  std::vector<TypeFields> operands;
  static constexpr auto fields() {
    return std::tuple{field("operands", &OperandFields::operands)};
  }
};

class PythonPolicy final : public SavePolicy {
 public:
  explicit PythonPolicy(PyObject* f) : f_(f) { Py_INCREF(f); }
  ~PythonPolicy() override {
    if (!Py_IsInitialized()) return;
    Gil gil;
    Py_DECREF(f_);
  }
  bool saves(const Eqn& e, std::span<const Aval> in) const override {
    Gil gil;
    DictBuilder params, operands;
    e.params.visit(params);
    OperandFields types;
    for (const Aval& a : in) types.operands.push_back({a.dtype, a.shape});
    Params(types).visit(operands);
    PyObject* r = checked(PyObject_CallFunction(
        f_, "sOO", e.prim->name,
        PyDict_GetItemString(operands.dict(), "operands"), params.dict()));
    int truth = PyObject_IsTrue(r);
    Py_DECREF(r);
    if (truth < 0) throw PythonError();
    return truth;
  }
  bool equals(const Opaque& o) const override {
    auto* other = dynamic_cast<const PythonPolicy*>(&o);
    return other && other->f_ == f_;
  }
  uint64_t hash() const override { return reinterpret_cast<uint64_t>(f_); }
  std::string describe() const override {
    Gil gil;
    PyObject* s = PyObject_Str(f_);
    const char* utf8 = s ? PyUnicode_AsUTF8(s) : nullptr;
    std::string out = utf8 ? utf8 : "<policy>";
    Py_XDECREF(s);
    PyErr_Clear();
    return out;
  }

 private:
  PyObject* f_;
};

}  // namespace

Values run_checkpoint(const TracedGraph& g, const Values& x, bool prevent_cse,
                      PyObject* policy) {
  OpaqueRef p;
  if (policy != Py_None) p = make_ref<PythonPolicy>(policy);
  Values args = g.consts;
  args.append(x.begin(), x.end());
  return lax::checkpoint(g.jaxpr, args, prevent_cse, std::move(p));
}

}  // namespace cotan::python
