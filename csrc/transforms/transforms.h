// Function transformations. Each runs a function under a trace of its own and
// passes what it derives to the trace that was current before: so they
// compose and nest to any depth. No primitive is named here; the rules are in
// the primitives' records.
#pragma once

#include "trace/arith.h"
#include "trace/trace.h"

namespace cotan {

// ---- forward mode: null tangents are symbolic zeros, in and out.
Dual jvp(FunctionRef f, std::span<const Value> x, std::span<const Value> t);

// ---- linearization
struct Linearization {
  Values primals;
  // (residuals, nonzero tangents) -> tangents; a none output is a zero.
  JaxprRef tangent;
  Values residuals;
  std::vector<bool> nonzero_out;
};
// nonzero[i]: operand i has a tangent. instantiate[i]: output i gets a tangent
// even if it is zero (or empty: none).
Linearization linearize(FunctionRef f, std::span<const Value> x,
                        const std::vector<bool>& nonzero,
                        const std::vector<bool>& instantiate = {});

// Cotangents of a linear jaxpr's last inputs. `known` are the values of its
// first inputs; the results may be null (zero).
Values backward_pass(const Jaxpr& linear, std::span<const Value> known,
                     std::span<const Value> ct);

struct Vjp {
  Values primals;
  JaxprRef tangent;
  Values residuals;
  std::vector<bool> nonzero;  // per operand of the function
  // One cotangent per operand, null: zero.
  Values pullback(std::span<const Value> ct) const;
};
Vjp vjp(FunctionRef f, std::span<const Value> x,
        const std::vector<bool>& nonzero);

// ---- batching
// `trace`: of a batch rule that runs a function of the user later. What this
// function closes over from that vmap is then batched here as well.
Batched vmap(FunctionRef f, std::span<const Value> x,
             std::span<const int64_t> dims, const BatchAxis& axis,
             uint64_t trace = 0);
// Moves or makes the batch axis.
Value batch_to(const Value& x, int64_t dim, int64_t size, int64_t to);
inline Value batch_to_front(const Value& x, int64_t dim, int64_t size) {
  return batch_to(x, dim, size, 0);
}

// ---- jaxpr to jaxpr, for rules of primitives that hold jaxprs. Memoised.
// Each result's jaxpr takes `consts` first: what user callables inside (rules
// of custom_vjp, say) closed over. `instantiate` and `force` name outputs that
// must be there even if zero or unbatched; empty means none.
struct JvpJaxpr {
  TracedGraph graph;  // (primals, nonzero tangents) -> the same of the outputs
  std::vector<bool> nonzero_out;
};
JvpJaxpr jvp_jaxpr(const JaxprRef& j, const std::vector<bool>& nonzero,
                   const std::vector<bool>& instantiate = {});

struct LinearizedJaxpr {
  TracedGraph forward;  // primals -> (primals, residuals)
  JaxprRef tangent;     // (residuals, nonzero tangents) -> nonzero tangents
  size_t num_residuals = 0;
  std::vector<bool> nonzero_out;
};
LinearizedJaxpr linearize_jaxpr(const JaxprRef& j,
                                const std::vector<bool>& nonzero,
                                const std::vector<bool>& instantiate = {});

// Transposes a jaxpr in its last inputs: (known..., cotangents of the
// outputs) -> cotangents of the other inputs, all instantiated.
TracedGraph transpose_jaxpr(const JaxprRef& linear, size_t num_known);

struct BatchedJaxpr {
  TracedGraph graph;
  std::vector<bool> batched_out;  // at axis 0
};
// batched: which inputs have a batch axis, at 0.
BatchedJaxpr batch_jaxpr(const JaxprRef& j, const BatchAxis& axis,
                         const std::vector<bool>& batched,
                         const std::vector<bool>& force = {});

// Drops the memoised jaxprs.
void clear_transform_caches();

}  // namespace cotan
