// Checks what every primitive promises, with the reference evaluation alone:
// no backend and no API layer. Values are arrays in plain host memory.
//
//   check_op([](Args x) { return one(lax::sort(x, 0)[0]); }, {random(f64)});
//
// runs the function eagerly and traced, compares jvp with finite differences
// (f64 only), <ct, jvp t> with <vjp ct, t>, both again for the jvp itself
// (second order), and vmap over every choice of operands with a loop.
#pragma once

#include <functional>

#include "ops/lax.h"
#include "testing.h"
#include "transforms/transforms.h"

namespace cotan::testing {

using Args = std::span<const Value>;
using Function = std::function<Values(Args)>;

inline Values one(Value v) { return {std::move(v)}; }

// ---- arrays
// An uninterpreted array of zeros; `data` may be written until it is used.
Value host_array(const Aval& aval, void** data = nullptr);
Value array_of(DType t, Shape shape, const std::vector<double>& numbers);
// Reproducible numbers in [lo, hi); integers if the dtype is one.
Value random_array(DType t, Shape shape, double lo = -2, double hi = 2,
                   uint64_t seed = 1);
// Distinct numbers in a random order: no ties, well apart.
Value random_order(DType t, Shape shape, uint64_t seed = 1);
Value scalar_index(int64_t i, DType t = DType::i32);
// Complex numbers as two.
std::vector<double> numbers(const Value& v);

// ---- checks; they fail the running test
void check_close(const Value& got, const Value& want, double tolerance,
                 const std::string& what);
void check_numbers(const Value& got, DType t, const Shape& shape,
                   const std::vector<double>& want);

struct OpOptions {
  bool differentiable = true;
  bool second_order = true;
  bool batched = true;
  double step = 1e-5;
  double tolerance = 1e-6;
};
void check_op(const Function& f, const Values& x, const OpOptions& o = {});
// The parts of check_op.
void check_traced(const Function& f, const Values& x);
void check_jvp(const Function& f, const Values& x, const OpOptions& o = {});
void check_vjp(const Function& f, const Values& x, const OpOptions& o = {});
void check_vmap(const Function& f, const Values& x);

}  // namespace cotan::testing
