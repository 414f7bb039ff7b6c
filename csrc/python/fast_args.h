// Functions of _core that Python calls once per operation: plain C calls with
// positional arguments (50 ns, where pybind11 takes 300), typed on demand.
//
//   Value f(const Args& a) { return jnp::sum(a.value(0, "sum"), ...); }
//   PyMethodDef table[] = {fast<f>("sum"), ...};
#pragma once

#include <Python.h>

#include <optional>
#include <string_view>

#include "python/bridge.h"

namespace cotan::python {

DType dtype_from_object(PyObject* x);  // also key dtypes

class Args {
 public:
  Args(PyObject* const* items, Py_ssize_t size) : items_(items), size_(size) {}

  size_t size() const { return size_t(size_); }
  PyObject* operator[](size_t i) const {
    return i < size() ? items_[i] : Py_None;
  }
  bool has(size_t i) const { return (*this)[i] != Py_None; }

  // An array-like, or the TypeError "<op> requires ndarray or scalar ...".
  Value value(size_t i, const char* op, int position) const {
    return value_from_python((*this)[i], op, position);
  }
  Value value(size_t i, const char* op) const { return value(i, op, int(i)); }
  Value optional_value(size_t i, const char* op) const {
    return has(i) ? value(i, op) : Value();
  }
  bool flag(size_t i) const;
  int64_t integer(size_t i) const;
  std::optional<int64_t> optional_integer(size_t i) const;
  // An integer or a sequence of them.
  Dims dims(size_t i) const;
  std::optional<Dims> optional_dims(size_t i) const;
  // Dims in the role of a shape: JAX's error for anything else.
  Dims shape(size_t i) const;
  std::string_view text(size_t i) const;
  // A dtype that the user asked for: warns where x64 is off and it is not to
  // be had.
  std::optional<DType> dtype(size_t i, const char* op) const;
  Values values(size_t i, const char* op) const;  // of a sequence

 private:
  PyObject* const* items_;
  Py_ssize_t size_;
};

inline PyObject* to_python(Value v) { return wrap_value(std::move(v)); }
inline PyObject* to_python(const Values& v) { return list_from_values(v); }
inline PyObject* to_python(PyObject* p) { return p; }  // a new reference

template <auto F>
PyObject* fast_call(PyObject*, PyObject* const* items, Py_ssize_t n) noexcept {
  try {
    return to_python(F(Args(items, n)));
  } catch (...) {
    translate_exception();
    return nullptr;
  }
}

template <auto F>
constexpr PyMethodDef fast(const char* name) {
  return {name,
          reinterpret_cast<PyCFunction>(
              reinterpret_cast<void (*)()>(&fast_call<F>)),
          METH_FASTCALL, nullptr};
}

}  // namespace cotan::python
