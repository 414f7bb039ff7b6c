#include "backends/cpu/program_calls.h"

#include <algorithm>

#include "backends/cpu/gemm_calls.h"
#include "base/error.h"
#include "runtime/failure.h"
#include "runtime/kernels/kernels.h"
#include "runtime/thread_pool.h"

namespace cotan::cpu {
namespace {

int threads_of(const Runtime* rt) {
  int n = ThreadPool::global().threads();
  return rt->max_threads > 0 ? std::min(n, int(rt->max_threads)) : n;
}

int out_of_memory(Runtime* rt) {
  return rt->fail(rt, "[run] out of memory for the scratch of a kernel");
}

}  // namespace

int call_kernel(Runtime* rt, KernelFunction fn, KernelFrame* frame,
                int64_t ns) {
  int64_t chunks = (frame->grid + frame->grain - 1) / frame->grain;
  // The arena has room for the parked rows of one worker.
  int64_t bytes = frame->parked_stride * threads_of(rt);
  bool own = bytes > frame->parked_stride;
  if (own) {
    void* p = rt->allocate(rt, size_t(bytes));
    if (!p) return out_of_memory(rt);
    frame->parked = static_cast<char*>(p);
  }
  int status = rt->parallel_for(rt, fn, frame, chunks, ns);
  if (own) rt->deallocate(rt, frame->parked, size_t(bytes));
  return status;
}

RuntimeCall make_runtime_call(const KernelSpec& spec,
                              const TargetSpec& target) {
  RuntimeCall call{find_kernel(spec.name), spec.attrs, {}};
  if (!call.function)
    throw_not_implemented("[compile] the runtime has no kernel named ",
                          spec.name);
  if (std::string_view(spec.name) == "linalg")
    call.batched = batched_linalg(call.attrs, target);
  return call;
}

namespace {

int call_batched(Runtime* rt, const RuntimeCall& call, const void* const* in,
                 void* const* out) {
  const BatchedLinalg& c = call.batched;
  constexpr size_t kMost = 8;
  COTAN_CHECK(c.inputs + c.outputs <= kMost);
  alignas(KernelFrame) char place[sizeof(KernelFrame) + 8 * kMost];
  auto* frame = new (place) KernelFrame{};
  frame->meta = &c.batch;
  frame->grid = c.grid;
  frame->grain = c.grain;
  for (size_t i = 0; i < c.inputs; ++i)
    frame->operands[i] = const_cast<void*>(in[i]);
  for (size_t i = 0; i < c.outputs; ++i) frame->operands[c.inputs + i] = out[i];
  if (c.grid > c.grain) return call_kernel(rt, c.code->function, frame, c.ns);
  c.code->function(frame, 0, 0);
  return kOk;
}

}  // namespace

int call_runtime(Runtime* rt, const RuntimeCall* call, const void* const* in,
                 void* const* out, void* scratch) {
  if (call->batched.code) return call_batched(rt, *call, in, out);
  KernelCall k{in, out, call->attrs.data(), scratch, rt};
  return call->function(&k);
}

int call_eval(Runtime* rt, const EvalCall* call, const void* const* in,
              void* const* out) {
  try {
    SmallVector<HostView, 4> from, to;
    for (size_t i = 0; i < call->in.size(); ++i)
      from.push_back(
          {call->in[i].dtype, call->in[i].shape, const_cast<void*>(in[i])});
    for (size_t i = 0; i < call->out.size(); ++i)
      to.push_back({call->out[i].dtype, call->out[i].shape, out[i]});
    call->prim->eval({*call->prim, call->params, from, to});
    return kOk;
  } catch (const std::exception& e) {
    keep_exception(std::current_exception());
    return rt->fail(rt, e.what());
  } catch (...) {  // a Python exception that is set
    keep_exception(std::current_exception());
    return rt->fail(rt, "[callback] failed");
  }
}

void* program_function(std::string_view name) {
  static const struct {
    std::string_view name;
    void* address;
  } table[] = {
      {"cotan_call_kernel", reinterpret_cast<void*>(&call_kernel)},
      {"cotan_call_gemm", reinterpret_cast<void*>(&call_gemm)},
      {"cotan_call_runtime", reinterpret_cast<void*>(&call_runtime)},
      {"cotan_call_eval", reinterpret_cast<void*>(&call_eval)},
  };
  for (const auto& f : table)
    if (f.name == name) return f.address;
  return nullptr;
}

}  // namespace cotan::cpu
