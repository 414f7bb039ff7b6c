// Parameters of equations as Python dicts, and back.
#pragma once

#include "python/open.h"

namespace cotan::python {

const OpenHooks& open_hooks();
PyObject* open_function(const char* name);  // borrowed; see set_open_hooks

Aval aval_from_triple(PyObject* triple);
Params params_from_dict(const Primitive& p, PyObject* dict);
PyObject* user_params_dict(const UserParams& p);

}  // namespace cotan::python
