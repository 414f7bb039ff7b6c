// The transformations as transforms.pxi calls them: on Values, with Python
// callables.
#pragma once

#include "ops/lax.h"
#include "python/axes.h"
#include "python/bridge.h"
#include "transforms/transforms.h"

namespace cotan::python {

struct FlatResult {
  Values first, second;
};

inline FlatResult flat_jvp(PyObject* f, const Values& x, const Values& t) {
  Dual d = jvp(*python_callable(f), x, t);
  return {std::move(d.primals), std::move(d.tangents)};
}
inline Vjp flat_vjp(PyObject* f, const Values& x,
                    const std::vector<bool>& nonzero) {
  return vjp(*python_callable(f), x, nonzero);
}
inline Values run_pullback(const Vjp& v, const Values& ct) {
  return v.pullback(ct);
}
inline Linearization flat_linearize(PyObject* f, const Values& x) {
  return linearize(*python_callable(f), x, std::vector<bool>(x.size(), true));
}
// Tangents of arguments that are not inexact have no place in the jaxpr: the
// caller leaves them out.
inline Values run_linear(const Linearization& l, const Values& t) {
  Values x = l.residuals;
  x.append(t.begin(), t.end());
  return eval_jaxpr(*l.tangent, x);
}
inline Values run_transpose(const Jaxpr& linear, const Values& known,
                            const Values& ct) {
  return backward_pass(linear, known, ct);
}
inline Values flat_vmap(PyObject* f, const Values& x,
                        const std::vector<int64_t>& dims, int64_t size,
                        PyObject* name, std::vector<int64_t>& out_dims) {
  Batched b =
      vmap(*python_callable(f), x, dims, {size, axis_name_from_python(name)});
  out_dims.assign(b.dims.begin(), b.dims.end());
  return std::move(b.values);
}
inline Value move_batch(const Value& x, int64_t dim, int64_t size, int64_t to) {
  return batch_to(x, dim, size, to);
}
inline TracedGraph flat_trace(PyObject* f, const std::vector<Aval>& in) {
  return trace_to_jaxpr(*python_callable(f), in);
}
// With named axes in scope: names[i] of size sizes[i].
inline TracedGraph flat_trace_under(PyObject* f, const std::vector<Aval>& in,
                                    const std::vector<PyObject*>& names,
                                    const std::vector<int64_t>& sizes,
                                    size_t first = 0) {
  if (first == names.size()) return flat_trace(f, in);
  ExtendAxes axis({sizes[first], axis_name_from_python(names[first])});
  return flat_trace_under(f, in, names, sizes, first + 1);
}
inline bool jaxpr_uses_axis(const Jaxpr& j, PyObject* name) {
  return uses_axis(j, axis_name_from_python(name));
}
inline Values run_jaxpr(const Jaxpr& j, const Values& x) {
  return eval_jaxpr(j, x);
}
inline Values run_custom_jvp(PyObject* fun, PyObject* jvp_rule, const Values& x,
                             const std::string& name, bool symbolic_zeros) {
  return lax::custom_jvp(python_callable(fun), python_callable(jvp_rule), x,
                         name, symbolic_zeros);
}
inline Values run_custom_vjp(PyObject* fun, PyObject* fwd, PyObject* bwd,
                             const Values& x, const std::string& name,
                             bool symbolic_zeros) {
  return lax::custom_vjp(python_callable(fun), python_callable(fwd),
                         python_callable(bwd), x, name, symbolic_zeros);
}
inline Aval make_aval(DType t, bool weak, const Dims& shape) {
  return {t, weak, shape};
}
inline void avals_of_jaxpr(const Jaxpr& j, bool outputs,
                           std::vector<Aval>& out) {
  Avals a = outputs ? j.out_avals() : j.in_avals();
  out.assign(a.begin(), a.end());
}
inline TracedGraph nested_jaxpr(const Jaxpr& j) {
  return {Ref<const Jaxpr>(&j), {}};
}

}  // namespace cotan::python
