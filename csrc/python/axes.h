// Names of mapped axes as Python knows them: a string, or anything hashable.
#pragma once

#include <Python.h>

#include "trace/axes.h"

namespace cotan::python {

// None gives null.
AxisName axis_name_from_python(PyObject* name);
PyObject* axis_name_object(const AxisNameObj& name);  // new reference
int64_t size_of_axis(PyObject* name);
PyObject* names_in_scope();  // new reference to a list

}  // namespace cotan::python
