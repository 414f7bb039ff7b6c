#include "python/params_dict.h"

#include <cstring>
#include <vector>

#include "python/axes.h"
#include "python/gil.h"

namespace cotan::python {

namespace {

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
  void on_enum(std::string_view name, int64_t value) override {
    Owned n(text(name));
    put(PyObject_CallFunction(open_function("enum"), "OL", n.get(),
                              static_cast<long long>(value)));
  }
  void on_dtype(DType t) override { put(open_hooks().dtype(t)); }
  void on_dims(const Dims& d) override {
    begin_list(d.size());
    for (int64_t n : d) on_int(n);
    end_list();
  }
  void on_literal(const Literal& l) override {
    Owned value(wrap_value(scalar_value(l)));
    put(PyObject_CallOneArg(open_function("literal"), value.get()));
  }
  void on_aval(const Aval& a) override {
    Owned triple(aval_triple(a));
    put(PyObject_CallObject(open_function("aval"), triple.get()));
  }
  void on_jaxpr(const JaxprRef& j) override {
    j ? put(open_hooks().jaxpr(&j)) : on_none();
  }
  void on_opaque(const OpaqueRef& o) override {
    if (!o) return on_none();
    auto* name = dynamic_cast<const AxisNameObj*>(o.get());
    put(name ? axis_name_object(*name) : open_hooks().opaque(&o));
  }
  void begin_list(size_t) override { push(true); }
  void end_list() override {
    Owned list(pop());
    put(PyList_AsTuple(list.get()));
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
    Owned item(checked(v));
    Level& l = stack_.back();
    int bad = l.is_list ? PyList_Append(l.object, v)
                        : PyDict_SetItemString(l.object, l.name, v);
    if (bad) throw PythonError();
  }
  std::vector<Level> stack_;
};

// Reads what DictBuilder made, or what a user put in its place.
class DictSource final : public ParamSource {
 public:
  DictSource(const char* what, PyObject* o) : what_(what) { push(o); }
  ~DictSource() override {
    for (PyObject* o : stack_) Py_DECREF(o);
  }

  bool open_field(const char* name) override {
    PyObject* top = stack_.back();
    if (!PyDict_Check(top)) refuse(name);
    PyObject* v = PyDict_GetItemString(top, name);
    if (!v) return false;
    push(v);
    return true;
  }
  void open_item(size_t i) override {
    PyObject* v = checked(PySequence_GetItem(stack_.back(), Py_ssize_t(i)));
    stack_.push_back(v);
  }
  void close() override {
    Py_DECREF(stack_.back());
    stack_.pop_back();
  }
  size_t list_size() override {
    Py_ssize_t n = PySequence_Size(top());
    if (n < 0) throw PythonError();
    return size_t(n);
  }
  bool is_none() override { return top() == Py_None; }
  bool to_bool() override {
    int b = PyObject_IsTrue(top());
    if (b < 0) throw PythonError();
    return b;
  }
  int64_t to_int() override {
    Owned i(checked(PyNumber_Index(top())));
    return integer(i.get());
  }
  double to_double() override {
    double d = PyFloat_AsDouble(top());
    if (d == -1 && PyErr_Occurred()) throw PythonError();
    return d;
  }
  std::string to_text() override {
    Owned s(checked(PyObject_Str(top())));
    return checked_text(s.get());
  }
  int64_t to_enum() override {
    Owned n(checked(PyObject_CallOneArg(open_function("enum_value"), top())));
    return integer(n.get());
  }
  DType to_dtype() override { return dtype_or_key_from_python(top()); }
  Literal to_literal() override {
    Value v = value_from_python(top());
    if (v.rank() != 0 || !v->host_data()) refuse("a scalar");
    return Literal::from_bytes(v.dtype(), v->host_data(), v.weak_type());
  }
  Aval to_aval() override {
    Owned t(checked(PyObject_CallOneArg(open_function("aval_of"), top())));
    return aval_from_triple(t.get());
  }
  JaxprRef to_jaxpr() override {
    if (is_none()) return nullptr;
    const JaxprRef* j = open_hooks().as_jaxpr(top());
    if (!j) throw PythonError();
    return *j;
  }
  OpaqueRef to_opaque() override {
    if (is_none()) return nullptr;
    const OpaqueRef* o = open_hooks().as_opaque(top());
    if (!o) throw PythonError();
    return *o;
  }
  AxisName to_axis_name() override {
    if (is_none()) refuse("an axis name");
    return axis_name_from_python(top());
  }

 private:
  PyObject* top() const { return stack_.back(); }
  void push(PyObject* o) { stack_.push_back(Py_NewRef(o)); }
  static int64_t integer(PyObject* i) {
    int64_t n = PyLong_AsLongLong(i);
    if (n == -1 && PyErr_Occurred()) throw PythonError();
    return n;
  }
  static std::string checked_text(PyObject* s) {
    const char* utf8 = PyUnicode_AsUTF8(s);
    if (!utf8) throw PythonError();
    return utf8;
  }
  [[noreturn]] void refuse(const char* what) const {
    Owned s(checked(PyObject_Repr(top())));
    throw_type("[bind] parameter of primitive '", what_, "' (", what,
               ") cannot be ", checked_text(s.get()));
  }
  const char* what_;
  std::vector<PyObject*> stack_;
};

}  // namespace

PyObject* params_dict(const Params& p) {
  if (const UserParams* user = user_params(p))
    return checked(user_params_dict(*user));
  DictBuilder builder;
  p.visit(builder);
  return Py_NewRef(builder.dict());
}

Aval aval_from_triple(PyObject* triple) {
  DictSource from("aval", triple);
  Aval a;
  from.open_item(0);
  a.dtype = from.to_dtype();
  from.close();
  from.open_item(1);
  detail::field_read(from, a.shape);
  from.close();
  from.open_item(2);
  a.weak_type = from.to_bool();
  return a;
}

Params params_from_dict(const Primitive& p, PyObject* dict) {
  if (p.params) {
    DictSource from(p.name, dict);
    return p.params(from);
  }
  if (PyDict_Size(dict) > 0) {
    Owned keys(checked(PyDict_Keys(dict)));
    throw_type("[bind] primitive '", p.name, "' takes no parameters, got '",
               PyUnicode_AsUTF8(PyList_GET_ITEM(keys.get(), 0)), "'");
  }
  return {};
}

}  // namespace cotan::python
