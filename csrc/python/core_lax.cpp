// The primitives with parameters, and what the Python layer needs of them.
#include "jnp/lax_front.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"
#include "python/core.h"

namespace py = pybind11;

namespace cotan::python {

namespace {

std::vector<Value> to_vector(Values v) { return {v.begin(), v.end()}; }

Value full_like_literal(const Dims& shape, const py::object& fill,
                        const py::object& dtype, bool weak) {
  Value v = value_from_python(fill.ptr(), "full");
  DType t = jnp::canonical(dtype_from(dtype));
  v = lax::convert(v, t, weak);
  if (v.rank() != 0)
    throw_value("[full] fill_value must be a scalar, got shape ",
                shape_string(v.shape()));
  return broadcast_in_dim(v, shape, {});
}

Value slice_axis(const Value& x, int64_t axis, int64_t start, int64_t limit) {
  Dims from(x.shape().size(), 0), to = x.shape();
  from[size_t(axis)] = start;
  to[size_t(axis)] = limit;
  return lax::slice(x, from, to);
}

}  // namespace

void bind_lax(py::module_& m) {
  m.def("full", full_like_literal);
  m.def("convert", [](const Value& x, const py::object& dtype, bool weak) {
    return lax::convert(x, dtype_from(dtype), weak);
  });
  // The same values, strongly typed.
  m.def("strong",
        [](const Value& x) { return lax::convert(x, x.dtype(), false); });
  m.def("slice_axis", slice_axis);
  m.def("reshape",
        [](const Value& x, const Dims& s) { return lax::reshape(x, s); });
  m.def("integer_pow", lax::integer_pow);
  m.def("round", [](const Value& x, bool to_even) {
    return lax::round(x, to_even ? RoundingMode::to_nearest_even
                                 : RoundingMode::away_from_zero);
  });
  m.def("bitcast_convert", [](const Value& x, const py::object& dtype) {
    return lax::bitcast_convert(x, dtype_from(dtype));
  });
  m.def("select_n", [](const Value& which, const std::vector<Value>& cases) {
    Values v = jnp::strict_operands("lax.select_n", cases);
    return lax::select_n(which, v);
  });
  m.def("clamp", [](const Value& lo, const Value& x, const Value& hi) {
    Value all[] = {lo, x, hi};
    Values v = jnp::strict_operands("lax.clamp", all);
    return lax::clamp(v[0], v[1], v[2]);
  });
  m.def("iota", [](const py::object& dtype, const Dims& shape, int64_t dim) {
    return lax::iota(jnp::canonical(dtype_from(dtype)), shape, dim);
  });
  m.def("broadcast_in_dim", [](const Value& x, const Dims& s, const Dims& d) {
    return broadcast_in_dim(x, s, d);
  });
  m.def("squeeze",
        [](const Value& x, const Dims& axes) { return lax::squeeze(x, axes); });
  m.def("expand_dims", [](const Value& x, const Dims& axes) {
    return lax::expand_dims(x, axes);
  });
  m.def("transpose", [](const Value& x, const Dims& perm) {
    return lax::transpose(x, perm);
  });
  m.def("rev",
        [](const Value& x, const Dims& axes) { return lax::rev(x, axes); });
  m.def("slice", [](const Value& x, const Dims& a, const Dims& b,
                    const Dims& s) { return lax::slice(x, a, b, s); });
  m.def("reduce",
        [](const Value& x, const std::string& kind, const Dims& axes) {
          constexpr const char* names[] = {"sum", "prod", "max", "min",
                                           "and", "or",   "xor"};
          for (int i = 0; i < 7; ++i)
            if (kind == names[i]) return lax::reduce(x, Monoid(i), axes);
          throw_value("[reduce] unknown reduction '", kind, "'");
        });
  m.def("argreduce", [](const Value& x, bool greatest, int64_t axis,
                        const py::object& index_dtype) {
    return lax::argreduce(x, greatest ? Monoid::argmax : Monoid::argmin, axis,
                          jnp::canonical(dtype_from(index_dtype)));
  });
  m.def("dot_general",
        [](const Value& x, const Value& y, const Dims& lc, const Dims& rc,
           const Dims& lb, const Dims& rb, const py::object& preferred,
           const std::string& precision) {
          DotParams p{lc, rc, lb, rb, {}, precision};
          if (!preferred.is_none())
            p.preferred = jnp::canonical(dtype_from(preferred));
          return jnp::dot_general(x, y, std::move(p));
        });
  m.def("product_dtype", [](const py::object& x, const py::object& y) {
    return py::reinterpret_steal<py::object>(
        numpy_dtype(jnp::product_dtype(dtype_from(x), dtype_from(y))));
  });
  m.def("matmul", jnp::matmul);
  m.def("where", jnp::where);
  m.def("broadcast_to",
        [](const Value& x, const Dims& s) { return jnp::broadcast_to(x, s); });
  m.def("broadcast_shapes", [](const std::vector<Dims>& shapes) {
    return jnp::broadcast_shapes(shapes);
  });
  m.def("promote", [](const std::string& op, const std::vector<Value>& x) {
    return to_vector(jnp::promote(op.c_str(), x));
  });
  m.def("promote_inexact",
        [](const std::string& op, const std::vector<Value>& x) {
          return to_vector(jnp::promote_inexact(op.c_str(), x));
        });
  m.def("stop_gradient", [](const Value& x) { return lax::stop_gradient(x); });
}

}  // namespace cotan::python
