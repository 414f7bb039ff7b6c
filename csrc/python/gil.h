// Small tools for code that handles Python objects from C++.
#pragma once

#include <string_view>
#include <utility>

#include "python/bridge.h"

namespace cotan::python {

struct Gil {
  Gil() : state(PyGILState_Ensure()) {}
  ~Gil() { PyGILState_Release(state); }
  Gil(const Gil&) = delete;
  Gil& operator=(const Gil&) = delete;
  PyGILState_STATE state;
};

inline PyObject* checked(PyObject* p) {
  if (!p) throw PythonError();
  return p;
}

// An owned reference.
class Owned {
 public:
  explicit Owned(PyObject* p) : p_(p) {}
  ~Owned() { Py_XDECREF(p_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  PyObject* get() const { return p_; }
  PyObject* release() { return std::exchange(p_, nullptr); }
  explicit operator bool() const { return p_; }

 private:
  PyObject* p_;
};

// A new string.
inline PyObject* text(std::string_view s) {
  return checked(PyUnicode_FromStringAndSize(s.data(), Py_ssize_t(s.size())));
}

// Gives up a reference, from any thread. What static destructors free outlives
// Python: there is nothing to give back to.
inline void drop(PyObject* p) {
  if (!Py_IsInitialized()) return;
  Gil gil;
  Py_DECREF(p);
}

}  // namespace cotan::python
