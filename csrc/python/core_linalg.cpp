// Linear algebra, and where its library is found.
#include <mutex>

#include "ops/matrices.h"
#include "python/core.h"
#include "runtime/kernels/lapack.h"

namespace py = pybind11;

namespace cotan::python {

namespace {

py::tuple to_tuple(const Values& v) {
  py::tuple out(v.size());
  for (size_t i = 0; i < v.size(); ++i) out[i] = py::cast(v[i]);
  return out;
}

// Asks Python, which knows where packages are.
const char* locate_lapack() {
  static std::string path;
  py::gil_scoped_acquire gil;
  try {
    path = py::module_::import("cotan.lax._lapack")
               .attr("library_path")()
               .cast<std::string>();
  } catch (const std::exception&) {
    path.clear();
  }
  return path.c_str();
}

}  // namespace

void bind_linalg(py::module_& m) {
  set_lapack_locator(locate_lapack);
  m.def("cholesky", [](const Value& x) { return lax::cholesky(x); });
  m.def("lu", [](const Value& x) { return to_tuple(lax::lu(x)); });
  m.def("linear_solve", lax::linear_solve);
  m.def("stop_lu", [](const Value& x) {
    return to_tuple(lax::lu(lax::stop_gradient(x)));
  });
  m.def("lu_pivots_to_permutation", lax::lu_pivots_to_permutation);
  m.def("triangular_solve",
        [](const Value& a, const Value& b, bool left, bool lower,
           bool transpose, bool conjugate, bool unit) {
          return lax::triangular_solve(
              a, b, {left, lower, transpose, conjugate, unit});
        });
  m.def("tridiagonal_solve", lax::tridiagonal_solve, py::arg(), py::arg(),
        py::arg(), py::arg(), py::arg("perturb_singular") = false);
  m.def("geqrf", [](const Value& x) { return to_tuple(lax::geqrf(x)); });
  m.def("geqp3", [](const Value& x, const Value& p) {
    return to_tuple(lax::geqp3(x, p));
  });
  m.def("householder_product", lax::householder_product);
  m.def("ormqr", lax::ormqr);
  m.def("qr", [](const Value& x, bool pivoting, bool full) {
    return to_tuple(lax::qr(x, pivoting, full));
  });
  m.def("svd", [](const Value& x, bool full, bool uv) {
    return to_tuple(lax::svd(x, full, uv));
  });
  m.def("eigh", [](const Value& x, bool lower) {
    return to_tuple(lax::eigh(x, lower));
  });
  m.def("eig", [](const Value& x, bool left, bool right, bool derivatives) {
    return to_tuple(lax::eig(x, left, right, derivatives));
  });
  m.def("schur", [](const Value& x, bool vectors) {
    return to_tuple(lax::schur(x, vectors));
  });
  m.def("hessenberg",
        [](const Value& x) { return to_tuple(lax::hessenberg(x)); });
  m.def("tridiagonal", [](const Value& x, bool lower) {
    return to_tuple(lax::tridiagonal(x, lower));
  });
  // Matrix helpers that Python uses much.
  m.def("tril", [](const Value& x, int64_t k) { return ops::tril(x, k); });
  m.def("triu", [](const Value& x, int64_t k) { return ops::triu(x, k); });
  m.def("symmetrize", [](const Value& x) {
    return ops::scaled(lax::add(x, ops::adjoint(x)), 0.5);
  });
}

}  // namespace cotan::python
