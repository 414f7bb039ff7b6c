#include "cpu_harness.h"

#include <cstring>

#include "backends/cpu/eager.h"
#include "passes/program.h"
#include "passes_harness.h"
#include "runtime/array.h"
#include "runtime/thread_pool.h"

namespace cotan::testing {

Values run_compiled(const Executable& e, const Values& x, int threads) {
  std::vector<Ref<Buffer>> own;
  std::vector<Buffer*> in;
  for (const Value& v : x) {
    own.push_back(Buffer::copy_of(v->host_data(), size_t(v.aval().nbytes())));
    in.push_back(own.back().get());
  }
  std::vector<Ref<Buffer>> out(e.outputs().size());
  Runtime rt;
  rt.max_threads = threads;
  execute(e, in, out, {&rt});
  Values results;
  for (size_t j = 0; j < out.size(); ++j)
    results.push_back(make_ref<ArrayObj>(e.outputs()[j].aval, out[j]));
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

void check_same_bits(const Values& a, const Values& b, const char* what) {
  for (size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(a[i]->host_data(), b[i]->host_data(),
                    size_t(a[i].aval().nbytes())) != 0)
      check_close(a[i], b[i], 0, what);
}

void check_values(const Values& got, const Values& want, double scale,
                  const char* what, const JaxprRef& j) {
  CHECK_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    if (want[i].dtype() == DType::float0 || want[i].dtype() == DType::key)
      continue;
    try {
      check_close(got[i], want[i], scale * tolerance(want[i]), what);
    } catch (Failure& f) {
      f.what += "\n" + to_string(*j) + "\n" + to_string(*plan_program(j));
      throw;
    }
  }
}

// The random programs of the passes' tests run compiled as well.
const bool installed = [] {
  check_planned_too = [](const JaxprRef& j, const Values& x) {
    check_compiled(j, x, {.tolerance = 10});
  };
  return true;
}();

}  // namespace

void check_compiled(const JaxprRef& j, const Values& x,
                    const CompiledOptions& o) {
  // The reference rules, not the backend that the API has installed.
  set_eval_hook(nullptr);
  Values want = eval_jaxpr(*j, x);
  Ref<Executable> e = cpu::compile_cpu(j);
  Values got = run_compiled(*e, x);
  check_values(got, want, o.tolerance, "compiled", j);
  // Set once: starting and ending threads is slow on a busy machine.
  static const bool three = (ThreadPool::global().set_threads(3), true);
  (void)three;
  for (int threads : {1, 2, 3})
    check_same_bits(run_compiled(*e, x, threads), got, "threads");
  check_values(run_compiled(*cpu::compile_cpu(j, {.fuse = false}), x), want,
               o.tolerance, "not fused", j);
  check_values(
      run_compiled(*cpu::compile_cpu(j, {.specialise_small = false}), x), want,
      o.tolerance, "shared kernels", j);
  std::vector<bool> all(x.size(), true);
  check_same_bits(run_compiled(*cpu::compile_cpu(j, {.donated = all}), x), got,
                  "donated");
  if (o.other_targets)
    check_same_bits(run_compiled(*cpu::compile_cpu(j, {.cpu = "haswell"}), x),
                    got, "haswell");
}

void check_compiled(const Function& f, const Values& x,
                    const CompiledOptions& o) {
  TracedGraph g = trace_to_jaxpr(f, avals_of(x));
  Values in = g.consts;
  for (const Value& v : x) in.push_back(v);
  check_compiled(g.jaxpr, in, o);
}

void check_eager(const Function& f, const Values& x) {
  set_eval_hook(nullptr);
  Values want = f(x);
  set_eval_hook([](const Primitive& p, std::span<const Value> in,
                   const Params& params) -> Values {
    if (p.impl) return p.impl(params, in);
    Avals types = avals_of(in);
    Avals outs = p.type({p, types, params});
    std::vector<const void*> from;
    std::vector<void*> to;
    Values results;
    for (const Value& v : in) from.push_back(v->host_data());
    for (const Aval& a : outs) {
      void* data;
      results.push_back(host_array(a, &data));
      to.push_back(data);
    }
    cpu::run_eager(p, params, types, from.data(), outs, to.data());
    return results;
  });
  Values got;
  try {
    got = f(x);
  } catch (...) {
    set_eval_hook(nullptr);
    throw;
  }
  set_eval_hook(nullptr);
  CHECK_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i)
    if (want[i].dtype() != DType::float0 && want[i].dtype() != DType::key)
      check_close(got[i], want[i], tolerance(want[i]), "eager");
}

}  // namespace cotan::testing
