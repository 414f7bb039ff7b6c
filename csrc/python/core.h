// What the parts of _core share: the caster that makes Value a parameter and
// a result of bound functions.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "api/program.h"
#include "python/bridge.h"

namespace cotan::python {

void bind_lax(pybind11::module_& m);
void bind_numpy(pybind11::module_& m);
void bind_indexing(pybind11::module_& m);
void bind_lax_index(pybind11::module_& m);
void bind_nn(pybind11::module_& m);
void bind_random(pybind11::module_& m);
void bind_linalg(pybind11::module_& m);
void bind_pjrt(pybind11::module_& m);
void bind_windows(pybind11::module_& m);
DType dtype_from(const pybind11::handle& dtype);  // also key dtypes

}  // namespace cotan::python

namespace pybind11::detail {

// Anything array-like in, an Array out.
template <>
struct type_caster<cotan::Value> {
  PYBIND11_TYPE_CASTER(cotan::Value, const_name("Array"));
  bool load(handle src, bool) {
    value = cotan::python::value_from_python(src.ptr());
    return true;
  }
  static handle cast(const cotan::Value& v, return_value_policy, handle) {
    return cotan::python::wrap_value(v);
  }
};

template <>
struct type_caster<cotan::Dims> {
  PYBIND11_TYPE_CASTER(cotan::Dims, const_name("tuple[int, ...]"));
  bool load(handle src, bool) {
    if (!isinstance<sequence>(src)) return false;
    for (handle item : reinterpret_borrow<sequence>(src)) {
      object index = reinterpret_steal<object>(PyNumber_Index(item.ptr()));
      if (!index) throw error_already_set();
      int64_t n = PyLong_AsLongLong(index.ptr());
      if (n == -1 && PyErr_Occurred()) throw error_already_set();
      value.push_back(n);
    }
    return true;
  }
  static handle cast(const cotan::Dims& d, return_value_policy, handle) {
    tuple t(d.size());
    for (size_t i = 0; i < d.size(); ++i) t[i] = int_(d[i]);
    return t.release();
  }
};

}  // namespace pybind11::detail
