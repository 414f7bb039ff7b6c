#include "passes_harness.h"

#include <cstring>

#include "passes/kernel_interpreter.h"

namespace cotan::testing {

Values run_program(const Program& p, const Values& x) {
  std::vector<const void*> in;
  std::vector<void*> out;
  Values copies, results;
  for (size_t i = 0; i < x.size(); ++i) {
    void* data;
    copies.push_back(host_array(x[i].aval(), &data));
    std::memcpy(data, x[i]->host_data(), size_t(x[i].aval().nbytes()));
    in.push_back(data);
  }
  for (const PlanOutput& o : p.outputs) {
    void* data;
    results.push_back(host_array(o.aval, &data));
    out.push_back(data);
  }
  interpret_program(p, in.data(), out.data());
  return results;
}

namespace {

double tolerance(const Value& v) {
  switch (real_dtype(v.dtype())) {
    case DType::f32:
      return 2e-5;
    case DType::f16:
      return 4e-3;
    case DType::bf16:
      return 3e-2;
    case DType::f64:
      return 1e-12;
    default:
      return 0;
  }
}

void compare(const Program& p, const Values& x, const Values& want,
             const char* what) {
  check_program(p);
  Values got = run_program(p, x);
  CHECK_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    if (want[i].dtype() == DType::float0 || want[i].dtype() == DType::key)
      continue;
    try {
      check_close(got[i], want[i], tolerance(want[i]), what);
    } catch (Failure& f) {
      f.what += "\n" + to_string(p);
      throw;
    }
  }
}

}  // namespace

void (*check_planned_too)(const JaxprRef& j, const Values& x) = nullptr;

void check_planned(const JaxprRef& j, const Values& x) {
  Values want = eval_jaxpr(*j, x);
  check_jaxpr(*simplify_jaxpr(j));
  for (bool fuse : {true, false})
    compare(*plan_program(j, {.fuse = fuse}), x, want,
            fuse ? "fused program" : "program");
  compare(*plan_program(j, {.specialise_small = false}), x, want,
          "eager program");
  std::vector<bool> all(x.size(), true);
  compare(*plan_program(j, {.donated = all}), x, want, "donated program");
  if (check_planned_too) check_planned_too(j, x);
}

void check_planned(const Function& f, const Values& x) {
  TracedGraph g = trace_to_jaxpr(f, avals_of(x));
  Values in = g.consts;
  for (const Value& v : x) in.push_back(v);
  check_planned(g.jaxpr, in);
}

JaxprRef trace(const Function& f, const Values& x) {
  TracedGraph g = trace_to_jaxpr(f, avals_of(x));
  CHECK(g.consts.empty());
  return g.jaxpr;
}

ProgramRef plan(const Function& f, const Values& x, bool fuse) {
  return plan_program(trace(f, x), {.fuse = fuse});
}

}  // namespace cotan::testing
