// Jaxprs, parameters and primitives as Python objects, as open.pxi calls it;
// the classes are in python/cotan/_src/jaxprs.py and primitives.py.
#pragma once

#include "ops/composite.h"
#include "ops/user.h"
#include "python/bridge.h"

namespace cotan::python {

// How _dispatch wraps what a parameter holds; new references. The other way
// round the results are borrowed, null with an exception set.
struct OpenHooks {
  PyObject* (*dtype)(DType);
  PyObject* (*jaxpr)(const JaxprRef*);
  PyObject* (*opaque)(const OpaqueRef*);
  const JaxprRef* (*as_jaxpr)(PyObject*);
  const OpaqueRef* (*as_opaque)(PyObject*);
};
// functions: dict of "aval" (dtype, shape, weak -> object), "aval_of" (back to
// the triple), "enum" (name, number -> object), "enum_value" (back), "literal"
// (rank-0 Array -> scalar), "params_equal", "params_hash", "params_text" (of
// the dicts that primitives defined in Python take).
void set_open_hooks(const OpenHooks& hooks, PyObject* functions);

// ---- new references
PyObject* params_dict(const Params& p);
PyObject* aval_triple(const Aval& a);
// (types of variables, literals, inputs, outputs, equations); an equation is
// (primitive, params, operands, results, source, effects). Variables are
// numbers, literals ~index, a symbolic zero is None.
PyObject* describe_jaxpr(const Jaxpr& j);

// ---- primitives
using PrimitiveRef = const Primitive*;
PrimitiveRef primitive_named(const std::string& name);  // null: no such one
inline uintptr_t primitive_address(PrimitiveRef p) {
  return reinterpret_cast<uintptr_t>(p);
}
inline std::string primitive_name(PrimitiveRef p) { return p->name; }
bool primitive_has(PrimitiveRef p, const std::string& slot);
// Calls the rule methods of `owner`, a Primitive.
OpaqueRef python_rules(PyObject* owner);
inline PrimitiveRef new_primitive(const std::string& name) {
  return &define_primitive(name);
}
// Attributes of a composite: any object with the method hlo() -> str; it is
// compared, hashed and printed as Python does.
OpaqueRef python_attributes(PyObject* x);
PyObject* attributes_object(const OpaqueRef& o);  // borrowed; null: none
// rules: of a primitive defined in Python, else null.
Values bind_named(PrimitiveRef p, const OpaqueRef& rules, const Values& x,
                  PyObject* params);

}  // namespace cotan::python
