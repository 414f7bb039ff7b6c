// Control flow as control.pxi calls it: on Values and traced bodies.
#pragma once

#include "ops/callback.h"
#include "ops/control.h"
#include "ops/linear_solve.h"
#include "ops/remat.h"
#include "python/bridge.h"

namespace cotan::python {

inline Values run_scan(const TracedGraph& body, const Values& init,
                       const Values& xs, int64_t length, bool reverse,
                       int64_t unroll) {
  return lax::scan(body, init, xs, length, reverse, unroll);
}
inline Values run_while(const TracedGraph& cond, const TracedGraph& body,
                        const Values& init) {
  return lax::while_loop(cond, body, init);
}
inline Values run_cond(const Value& index,
                       const std::vector<TracedGraph>& branches,
                       const Values& operands) {
  return lax::cond(index, branches, operands);
}
inline Values run_linear_solve(const TracedGraph& matvec,
                               const TracedGraph& vecmat,
                               const TracedGraph& solve,
                               const TracedGraph& transpose_solve,
                               const Values& b) {
  return lax::custom_linear_solve({matvec, vecmat, solve, transpose_solve}, b);
}
inline Values run_callback(int kind, PyObject* f, const std::vector<Aval>& out,
                           bool ordered, const std::string& vmap_method,
                           const Values& x) {
  CallbackParams p{python_callable(f), out, ordered, vmap_method};
  return lax::callback(lax::CallbackKind(kind), p, x);
}
inline Values run_barrier(const Values& x) {
  return lax::optimization_barrier(x);
}
inline Value run_name(const Value& x, const std::string& name) {
  return lax::checkpoint_name(x, name);
}
// policy: null, or a callable of (primitive name, avals, params) -> bool.
Values run_checkpoint(const TracedGraph& g, const Values& x, bool prevent_cse,
                      PyObject* policy);

inline bool concrete_consts(const TracedGraph& g) {
  for (const Value& v : g.consts)
    if (!v->is_concrete()) return false;
  return true;
}

}  // namespace cotan::python
