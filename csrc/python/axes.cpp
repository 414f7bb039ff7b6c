#include "python/axes.h"

#include "python/bridge.h"
#include "python/gil.h"

namespace cotan::python {

namespace {

// Lives as long as the process, as the table of names does.
class ObjectAxisName final : public AxisNameObj {
 public:
  explicit ObjectAxisName(PyObject* o) : object_(o) {}
  PyObject* object() const { return object_; }
  std::string text() const override { return string(PyObject_Str); }
  std::string describe() const override { return string(PyObject_Repr); }

 private:
  std::string string(PyObject* (*convert)(PyObject*)) const {
    Gil gil;
    Owned s(checked(convert(object_)));
    const char* utf8 = PyUnicode_AsUTF8(s.get());
    return utf8 ? utf8 : "";
  }
  PyObject* object_;
};

// The name that an object equals, or a new one: equal objects are one name.
AxisName object_name(PyObject* o) {
  static PyObject* const names = checked(PyDict_New());
  PyObject* known = PyDict_GetItemWithError(names, o);
  if (!known) {
    if (PyErr_Occurred()) throw PythonError();
    auto name = make_ref<const ObjectAxisName>(Py_NewRef(o));
    Owned address(checked(
        PyLong_FromVoidPtr(const_cast<ObjectAxisName*>(Ref(name).detach()))));
    if (PyDict_SetItem(names, o, address.get()) < 0) throw PythonError();
    return name;
  }
  return AxisName(static_cast<const ObjectAxisName*>(PyLong_AsVoidPtr(known)));
}

}  // namespace

AxisName axis_name_from_python(PyObject* name) {
  if (name == Py_None) return nullptr;
  if (!PyUnicode_Check(name)) return object_name(name);
  Py_ssize_t n = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(name, &n);
  if (!utf8) throw PythonError();
  return axis_name(std::string_view(utf8, size_t(n)));
}

PyObject* axis_name_object(const AxisNameObj& name) {
  if (auto* o = dynamic_cast<const ObjectAxisName*>(&name))
    return Py_NewRef(o->object());
  return checked(PyUnicode_FromString(name.text().c_str()));
}

int64_t size_of_axis(PyObject* name) {
  return axis_size(axis_name_from_python(name));
}

PyObject* names_in_scope() {
  std::vector<AxisName> names = axes_in_scope();
  Owned list(checked(PyList_New(Py_ssize_t(names.size()))));
  for (size_t i = 0; i < names.size(); ++i)
    PyList_SET_ITEM(list.get(), Py_ssize_t(i), axis_name_object(*names[i]));
  return list.release();
}

}  // namespace cotan::python
