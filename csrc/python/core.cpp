// The module cotan._core: everything Python calls less than once per
// operation. Each part registers itself from its own core_*.cpp.
#include <pybind11/pybind11.h>

PYBIND11_MODULE(_core, m) {
  m.doc() = "cotan's core, bound with pybind11.";
  m.attr("__version__") = COTAN_VERSION;
}
