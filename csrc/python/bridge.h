// Between Python objects and cotan's values: conversions, exceptions, source
// lines and Python callables as cotan::Callable. Everything needs the GIL.
// Used by _dispatch.pyx (Cython) and, through its C API, by _core (pybind11).
#pragma once

#include <Python.h>

#include <memory>

#include "base/config.h"
#include "base/error.h"
#include "ir/value.h"
#include "runtime/array.h"
#include "trace/trace.h"

namespace cotan::python {

// Thrown where a Python exception is set. It takes the exception along, which
// may reach another thread (a shared compilation) and meet other calls of
// Python on its way.
class PythonError {
 public:
  PythonError();
  void restore() const;  // sets the exception again

 private:
  std::shared_ptr<PyObject> type_, value_, traceback_;
};

// Sets the Python exception that the C++ exception in flight stands for.
// For `except +translate_exception` and pybind11's translator.
void translate_exception();

// Called once by each extension module. wrap steals its value; unwrap borrows
// and gives null for other objects. One module installs the source hook.
void initialize(PyObject* (*wrap)(ValueObj*), ValueObj* (*unwrap)(PyObject*),
                bool install_source_hook);
// Names of ErrorKinds to exception classes (cotan.errors).
void set_error_classes(PyObject* dict);

// ---- values. All throw; wrap steals.
PyObject* wrap_value(Value v);
// The Value of an Array or Tracer, else null.
ValueObj* unwrap(PyObject* x) noexcept;
// Arrays, Python scalars, NumPy arrays and scalars, objects with
// __cotan_array__ or __jax_array__. `borrow`: NumPy memory may be shared (the
// value must not outlive the call). Throws TypeError for the rest, naming
// `what` and the position.
Value value_from_python(PyObject* x, const char* what = "value",
                        int position = -1, bool borrow = false);
// False: not a kind of object that value_from_python accepts.
bool is_array_like(PyObject* x) noexcept;
// The type that the value of x would have; no data is copied.
Aval aval_of_python(PyObject* x);

// ---- NumPy
PyObject* numpy_dtype(DType t);                   // new reference
DType dtype_from_python(PyObject* dtype);         // anything np.dtype() takes
DType dtype_or_key_from_python(PyObject* dtype);  // also dtypes of keys
Value value_from_numpy(PyObject* array, bool borrow);
// Shares the memory where dtype and layout allow; `copied` says if not.
Value value_sharing_numpy(PyObject* array, bool* copied);
// A read-only array on the value's memory.
PyObject* numpy_view(const Value& v);
// A Python scalar from a rank-0 value.
PyObject* python_scalar(const Value& v);

// ---- callables: f(list of Arrays) -> sequence of Arrays (None: null).
CallableRef python_callable(PyObject* f);
PyObject* list_from_values(std::span<const Value> values);
Values values_from_sequence(PyObject* sequence);  // None gives null

// ---- source lines
SourceRef python_source();
// Frames of these folders are not the user's.
void add_internal_folder(const char* path);

}  // namespace cotan::python
