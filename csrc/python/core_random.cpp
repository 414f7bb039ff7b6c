// Keys and the samplers that are written in C++.
#include "jnp/random.h"
#include "ops/random.h"
#include "python/core.h"

namespace py = pybind11;

namespace cotan::python {

void bind_random(py::module_& m) {
  m.def("rng_bit_generator", [](const Value& key, const Dims& shape,
                                const py::object& dtype, int algorithm) {
    Values out = lax::rng_bit_generator(key, shape, dtype_from(dtype),
                                        RngAlgorithm(algorithm));
    return std::vector<Value>(out.begin(), out.end());
  });
  m.def("random_seed", [](const Value& seeds, const py::object& key) {
    return lax::random_seed(seeds, dtype_from(key));
  });
  m.def("random_wrap", [](const Value& words, const py::object& key) {
    return lax::random_wrap(words, dtype_from(key));
  });
  m.def("random_unwrap", lax::random_unwrap);
  m.def("random_split", [](const Value& key, const Dims& shape) {
    return lax::random_split(key, shape);
  });
  m.def("random_fold_in", lax::random_fold_in);
  m.def("random_bits", [](const Value& key, int64_t width, const Dims& shape) {
    return lax::random_bits(key, width, shape);
  });
  m.def("random_uniform",
        [](const Value& key, const Dims& shape, const py::object& dtype,
           const std::optional<Value>& lo, const std::optional<Value>& hi) {
          DType t = dtype_from(dtype);
          if (!lo || !hi) return jnp::uniform(key, shape, t);
          return jnp::uniform(key, shape, t, *lo, *hi);
        });
  m.def("random_normal",
        [](const Value& key, const Dims& shape, const py::object& dtype) {
          return jnp::normal(key, shape, dtype_from(dtype));
        });
  m.def("random_randint",
        [](const Value& key, const Dims& shape, const Value& lo,
           const Value& hi, const py::object& dtype) {
          return jnp::randint(key, shape, lo, hi, dtype_from(dtype));
        });
}

}  // namespace cotan::python
