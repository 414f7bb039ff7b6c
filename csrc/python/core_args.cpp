#include <string>

#include "jnp/promote.h"
#include "python/core.h"
#include "python/fast_args.h"

namespace cotan::python {

namespace {

int64_t index_of(PyObject* x) {
  PyObject* i = PyNumber_Index(x);
  if (!i) throw PythonError();
  long long v = PyLong_AsLongLong(i);
  Py_DECREF(i);
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}

// int and float name the default types; np.int64, "int64" mean what they say.
bool is_python_type(PyObject* x) {
  return x == reinterpret_cast<PyObject*>(&PyLong_Type) ||
         x == reinterpret_cast<PyObject*>(&PyFloat_Type) ||
         x == reinterpret_cast<PyObject*>(&PyComplex_Type) ||
         x == reinterpret_cast<PyObject*>(&PyBool_Type);
}

}  // namespace

DType dtype_from_object(PyObject* x) { return dtype_from(x); }

bool Args::flag(size_t i) const {
  PyObject* x = (*this)[i];
  if (x == Py_True || x == Py_False || x == Py_None) return x == Py_True;
  int r = PyObject_IsTrue(x);
  if (r < 0) throw PythonError();
  return r != 0;
}

int64_t Args::integer(size_t i) const { return index_of((*this)[i]); }

std::optional<int64_t> Args::optional_integer(size_t i) const {
  if (!has(i)) return std::nullopt;
  return integer(i);
}

Dims Args::dims(size_t i) const {
  PyObject* x = (*this)[i];
  if (PyLong_Check(x)) return {index_of(x)};
  bool sequence = PyTuple_Check(x) || PyList_Check(x);
  if (!sequence && PyIndex_Check(x) &&
      !(PyObject_HasAttrString(x, "__len__") && PySequence_Size(x) >= 0)) {
    PyErr_Clear();
    return {index_of(x)};
  }
  PyErr_Clear();
  PyObject* fast = PySequence_Fast(x, "expected an integer or a sequence");
  if (!fast) {
    PyErr_Clear();
    throw_type("'", Py_TYPE(x)->tp_name, "' object is not iterable");
  }
  Dims out;
  try {
    for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(fast); ++k)
      out.push_back(index_of(PySequence_Fast_GET_ITEM(fast, k)));
  } catch (...) {
    Py_DECREF(fast);
    throw;
  }
  Py_DECREF(fast);
  return out;
}

std::optional<Dims> Args::optional_dims(size_t i) const {
  if (!has(i)) return std::nullopt;
  return dims(i);
}

Dims Args::shape(size_t i) const {
  try {
    return dims(i);
  } catch (const PythonError&) {
    PyErr_Clear();
  } catch (const Error&) {
  }
  PyObject* x = (*this)[i];
  PyObject* r = PyObject_Repr(x);
  const char* text = r ? PyUnicode_AsUTF8(r) : nullptr;
  std::string got = text ? text : "?";
  Py_XDECREF(r);
  PyErr_Clear();
  bool sequence = PyTuple_Check(x) || PyList_Check(x);
  throw_type(
      "Shapes must be 1D sequences of concrete values of integer type, got ",
      sequence ? got : cat("(", got, ",)"),
      ". If it depends on an argument of a jitted function, mark that "
      "argument with static_argnums.");
}

std::string_view Args::text(size_t i) const {
  Py_ssize_t n = 0;
  const char* s = PyUnicode_AsUTF8AndSize((*this)[i], &n);
  if (!s) throw PythonError();
  return {s, size_t(n)};
}

std::optional<DType> Args::dtype(size_t i, const char* op) const {
  if (!has(i)) return std::nullopt;
  PyObject* x = (*this)[i];
  DType asked = dtype_from_object(x), t = jnp::canonical(asked);
  if (t != asked && !is_python_type(x)) {
    std::string text = cat(
        "Explicitly requested dtype ", dtype_name(asked), " requested in ", op,
        " is not available, and will be truncated to dtype ", dtype_name(t),
        ". To enable more dtypes, use "
        "cotan.config.update('jax_enable_x64', True) or "
        "cotan.enable_x64().");
    if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 2) < 0)
      throw PythonError();
  }
  return t;
}

Values Args::values(size_t i, const char* op) const {
  PyObject* fast = PySequence_Fast((*this)[i], "expected a sequence of arrays");
  if (!fast) throw PythonError();
  Values out;
  try {
    for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(fast); ++k)
      out.push_back(
          value_from_python(PySequence_Fast_GET_ITEM(fast, k), op, int(k)));
  } catch (...) {
    Py_DECREF(fast);
    throw;
  }
  Py_DECREF(fast);
  return out;
}

}  // namespace cotan::python
