// Owned references to Python objects, as many as there are.
#pragma once

#include <Python.h>

#include "python/pod_vector.h"

namespace cotan::pytree {

// Owned Python references, released together.
class Refs {
 public:
  Refs() = default;
  Refs(const Refs&) = delete;
  Refs& operator=(const Refs&) = delete;
  ~Refs() { clear(); }

  void push(PyObject* owned) { items_.push_back(owned); }
  PyObject* pop() noexcept {
    PyObject* x = items_.back();
    items_.shrink(1);
    return x;
  }
  void clear() noexcept {
    while (!items_.empty()) Py_XDECREF(pop());
  }
  // The caller took them over: all, or the last n.
  void forget() noexcept { items_.clear(); }
  void forget(size_t n) noexcept { items_.shrink(n); }
  // Room for n more, which the caller fills before anything can fail.
  PyObject** extend(size_t n) { return items_.extend(n); }
  PyObject** data() noexcept { return items_.data(); }
  size_t size() const noexcept { return items_.size(); }
  PyObject*& operator[](size_t i) noexcept { return items_[i]; }

 private:
  PodVector<PyObject*, 32> items_;
};

}  // namespace cotan::pytree
