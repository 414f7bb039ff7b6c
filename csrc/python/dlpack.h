// DLPack both ways: arrays exchanged with other libraries without a copy.
#pragma once

#include "python/bridge.h"

namespace cotan::python {

// A capsule on the value's memory. `versioned`: the protocol of DLPack 1.0,
// which can say that the memory is read-only. New reference.
PyObject* dlpack_export(const Value& v, bool versioned, bool copied);

// The value of a capsule, which is used up. The memory is shared if the dtype
// and the layout allow; `copied` says if not.
Value dlpack_import(PyObject* capsule, bool* copied);

}  // namespace cotan::python
