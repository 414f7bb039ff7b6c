// NumPy's reductions and functions of shape for Python.
#include "jnp/products.h"
#include "jnp/reductions.h"
#include "jnp/shape.h"
#include "ops/lax.h"
#include "python/core.h"
#include "python/fast_args.h"

namespace cotan::python {

namespace {

using jnp::Reducer;

// x, axis, dtype, keepdims, initial, where[, promote_integers]
jnp::ReduceOptions reduce_options(const Args& a, const char* op) {
  return {.axes = a.optional_dims(1),
          .dtype = a.dtype(2, op),
          .keepdims = a.flag(3),
          .initial = a.optional_value(4, op),
          .where = a.optional_value(5, op),
          .promote_integers = a.size() <= 6 || a.flag(6)};
}

template <Reducer R>
Value reduce(const Args& a) {
  constexpr const char* names[] = {"sum", "prod", "max", "min", "all", "any"};
  const char* op = names[int(R)];
  Value x = a.value(0, op);
  return jnp::reduction(R, x, reduce_options(a, op));
}
Value mean(const Args& a) {
  Value x = a.value(0, "mean");
  return jnp::mean(x, reduce_options(a, "mean"));
}
// x, axis, dtype, keepdims, correction, where, mean
Value variance(const Args& a) {
  Value x = a.value(0, "var");
  jnp::ReduceOptions o{.axes = a.optional_dims(1),
                       .dtype = a.dtype(2, "var"),
                       .keepdims = a.flag(3),
                       .initial = {},
                       .where = a.optional_value(5, "var")};
  return jnp::variance(x, o, a.value(4, "var"), a.optional_value(6, "var"));
}
// x, axis, keepdims
template <bool greatest>
Value arg_extremum(const Args& a) {
  return jnp::arg_extremum(greatest, a.value(0, greatest ? "argmax" : "argmin"),
                           a.optional_integer(1), a.flag(2));
}
// kind, x, axis, dtype, reverse
Value cumulative(const Args& a) {
  std::string_view name = a.text(0);
  auto kind = CumulativeKind::sum;
  for (int k = 0; k < 5; ++k)
    if (name == enum_name(CumulativeKind(k))) kind = CumulativeKind(k);
  const char* op = kind == CumulativeKind::prod ? "cumprod" : "cumsum";
  return jnp::cumulative(kind, a.value(1, op, 0), a.optional_integer(2),
                         a.dtype(3, op), a.flag(4));
}

// ---- shape

Value reshape(const Args& a) {
  return jnp::reshape(a.value(0, "reshape"), a.dims(1), a.flag(2));
}
Value ravel(const Args& a) {
  return jnp::ravel(a.value(0, "ravel"), a.flag(1));
}
Value permute(const Args& a) {
  return jnp::permute(a.value(0, "transpose"), a.optional_dims(1));
}
Value swap_axes(const Args& a) {
  return jnp::swap_axes(a.value(0, "swapaxes"), a.integer(1), a.integer(2));
}
Value move_axes(const Args& a) {
  return jnp::move_axes(a.value(0, "moveaxis"), a.dims(1), a.dims(2));
}
Value squeeze(const Args& a) {
  return jnp::squeeze(a.value(0, "squeeze"), a.optional_dims(1));
}
Value expand_dims(const Args& a) {
  return jnp::expand_dims(a.value(0, "expand_dims"), a.dims(1));
}
Value flip(const Args& a) {
  return jnp::flip(a.value(0, "flip"), a.optional_dims(1));
}
Value roll(const Args& a) {
  return jnp::roll(a.value(0, "roll"), a.dims(1), a.optional_dims(2));
}
Value tile(const Args& a) { return jnp::tile(a.value(0, "tile"), a.dims(1)); }
Value concatenate(const Args& a) {
  return jnp::concatenate(a.values(0, "concatenate"), a.integer(1));
}
Value stack(const Args& a) {
  return jnp::stack(a.values(0, "stack"), a.integer(1));
}
Values broadcast_arrays(const Args& a) {
  return jnp::broadcast_arrays(a.values(0, "broadcast_arrays"));
}

// ---- products: operands, precision, preferred dtype

jnp::ProductOptions product_options(const Args& a, size_t i, const char* op) {
  return {std::string(a.text(i)), a.dtype(i + 1, op)};
}
Value matmul(const Args& a) {
  Value x = a.value(0, "matmul"), y = a.value(1, "matmul");
  return jnp::matmul(x, y, product_options(a, 2, "matmul"));
}
Value dot(const Args& a) {
  Value x = a.value(0, "dot"), y = a.value(1, "dot");
  return jnp::dot(x, y, product_options(a, 2, "dot"));
}
// x, y, axes of x, axes of y, precision, preferred
Value contract(const Args& a) {
  Value x = a.value(0, "tensordot"), y = a.value(1, "tensordot");
  return jnp::contract(x, y, a.dims(2), a.dims(3),
                       product_options(a, 4, "tensordot"));
}
// subscripts, operands, precision, preferred
Value einsum(const Args& a) {
  return jnp::einsum(a.text(0), a.values(1, "einsum"),
                     product_options(a, 2, "einsum"));
}
PyObject* einsum_path(const Args& a) {
  pybind11::list out;
  for (const Axes& pair : jnp::einsum_path(a.text(0), a.values(1, "einsum")))
    out.append(pybind11::make_tuple(pair[0], pair[1]));
  return out.release().ptr();
}
// x, fill, [(low, high, interior)] per axis
Value pad(const Args& a) {
  std::vector<PadDim> config;
  pybind11::handle list(a[2]);
  for (auto item : list) {
    auto t = pybind11::cast<Dims>(item);
    config.push_back({t[0], t[1], t[2]});
  }
  return lax::pad(a.value(0, "pad"), a.value(1, "pad"), std::move(config));
}

// operands, axis, number of keys
Values sort(const Args& a) {
  Values x = a.values(0, "sort");
  return lax::sort(x, jnp::canonical_axis(a.integer(1), x[0].rank()), true,
                   a.integer(2));
}

// ---- making arrays

// x, name of the function, position: x as an Array, or the TypeError.
Value operand(const Args& a) {
  std::string op(a.text(1));
  return a.value(0, op.c_str(), int(a.integer(2)));
}
// dtype, name of the function: the np.dtype that arrays get.
PyObject* user_dtype(const Args& a) {
  std::string op(a.text(1));
  return numpy_dtype(*a.dtype(0, op.c_str()));
}
// shape, fill, dtype, name of the function
Value full(const Args& a) {
  std::string op(a.text(3));
  auto t = a.dtype(2, op.c_str());
  Value v = a.value(1, op.c_str());
  if (t) v = lax::convert(v, *t);
  return jnp::broadcast_to(v, a.shape(0));
}
// start, step, count, dtype: integers, or floats of integral value.
Value arange(const Args& a) {
  DType t = *a.dtype(3, "arange");
  Value i = lax::iota(t, {a.integer(2)}, 0);
  Value start = lax::convert(a.value(0, "arange"), t, true);
  Value step = lax::convert(a.value(1, "arange"), t, true);
  auto is = [](const Value& v, int64_t n) {
    return v->kind == ValueKind::scalar &&
           v.as<ScalarObj>().literal.to_double() == double(n);
  };
  if (!is(step, 1)) i = lax::mul(i, step);
  return is(start, 0) ? i : lax::add(i, start);
}
// n, m, k, dtype, at_most: where column - row is k, or at most k.
Value diagonal_mask(const Args& a) {
  Shape shape{a.integer(0), a.integer(1)};
  Value i = lax::iota(DType::i32, shape, 0),
        j = lax::iota(DType::i32, shape, 1);
  Value k = lax::convert(a.value(2, "eye"), DType::i32, true);
  if (k->kind != ValueKind::scalar || k.as<ScalarObj>().literal.to_int() != 0)
    i = lax::add(i, k);
  Value on = a.flag(4) ? lax::ge(i, j) : lax::eq(i, j);
  auto t = a.dtype(3, "eye");
  return lax::convert(on, t ? *t : jnp::default_float());
}

// x, dtype[, weak_type]: a conversion that the user asked for.
Value astype(const Args& a) {
  Value x = a.value(0, "astype");
  return lax::convert(x, *a.dtype(1, "astype"), a.flag(2));
}

PyMethodDef functions[] = {
    fast<reduce<Reducer::sum>>("np_sum"),
    fast<reduce<Reducer::prod>>("np_prod"),
    fast<reduce<Reducer::max>>("np_max"),
    fast<reduce<Reducer::min>>("np_min"),
    fast<reduce<Reducer::all>>("np_all"),
    fast<reduce<Reducer::any>>("np_any"),
    fast<mean>("np_mean"),
    fast<variance>("np_var"),
    fast<arg_extremum<true>>("np_argmax"),
    fast<arg_extremum<false>>("np_argmin"),
    fast<cumulative>("np_cumulative"),
    fast<reshape>("np_reshape"),
    fast<ravel>("np_ravel"),
    fast<permute>("np_transpose"),
    fast<swap_axes>("np_swapaxes"),
    fast<move_axes>("np_moveaxis"),
    fast<squeeze>("np_squeeze"),
    fast<expand_dims>("np_expand_dims"),
    fast<flip>("np_flip"),
    fast<roll>("np_roll"),
    fast<tile>("np_tile"),
    fast<concatenate>("np_concatenate"),
    fast<stack>("np_stack"),
    fast<broadcast_arrays>("np_broadcast_arrays"),
    fast<matmul>("np_matmul"),
    fast<dot>("np_dot"),
    fast<contract>("np_contract"),
    fast<einsum>("np_einsum"),
    fast<einsum_path>("np_einsum_path"),
    fast<pad>("np_pad"),
    fast<sort>("np_sort"),
    fast<operand>("np_operand"),
    fast<user_dtype>("np_user_dtype"),
    fast<full>("np_full"),
    fast<arange>("np_arange"),
    fast<diagonal_mask>("np_diagonal_mask"),
    fast<astype>("np_astype"),
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void bind_numpy(pybind11::module_& m) {
  if (PyModule_AddFunctions(m.ptr(), functions) < 0)
    throw pybind11::error_already_set();
}

}  // namespace cotan::python
