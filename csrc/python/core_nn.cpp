// Normalisations over axes; activations are Ufuncs (ufunc_table.cpp).
#include "jnp/nn.h"
#include "python/core.h"

namespace py = pybind11;

namespace cotan::python {

void bind_nn(py::module_& m) {
  using Maybe = std::optional<Value>;
  m.def("softmax", [](const Value& x, const Dims& axes, const Maybe& where) {
    return jnp::softmax(x, axes, where.value_or(nullptr));
  });
  m.def("log_softmax",
        [](const Value& x, const Dims& axes, const Maybe& where) {
          return jnp::log_softmax(x, axes, where.value_or(nullptr));
        });
  m.def("logsumexp",
        [](const Value& x, const Dims& axes, bool keepdims, const Maybe& b,
           const Maybe& where, bool return_sign) -> py::object {
          Value sign;
          Value y = jnp::logsumexp(x, axes, keepdims, b.value_or(nullptr),
                                   where.value_or(nullptr),
                                   return_sign ? &sign : nullptr);
          if (!return_sign) return py::cast(y);
          return py::make_tuple(y, sign);
        });
}

}  // namespace cotan::python
