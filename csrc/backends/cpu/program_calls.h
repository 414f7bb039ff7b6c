// What the entry function of a program calls besides its kernels: parallel
// loops, matrix products, the runtime's C++ kernels and the reference
// evaluation. Plain C++ without LLVM; generated code refers to these
// functions, and to the records they take, by symbol.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/kernel_cache.h"
#include "backends/cpu/kernel_frame.h"
#include "backends/cpu/small_linalg.h"
#include "passes/program.h"
#include "runtime/runtime.h"

namespace cotan::cpu {

struct RuntimeCall {
  KernelFn function = nullptr;
  std::vector<int64_t> attrs;
  BatchedLinalg batched = {};  // with code: called instead of the function
};
RuntimeCall make_runtime_call(const KernelSpec& spec, const TargetSpec& target);
struct EvalCall {
  const Primitive* prim;
  Params params;
  Avals in, out;
};

// Each returns a Status.
int call_kernel(Runtime* rt, KernelFunction fn, KernelFrame* frame, int64_t ns);
int call_runtime(Runtime* rt, const RuntimeCall* call, const void* const* in,
                 void* const* out, void* scratch);
int call_eval(Runtime* rt, const EvalCall* call, const void* const* in,
              void* const* out);

// Address of one of the functions above by its name, or null.
void* program_function(std::string_view name);

}  // namespace cotan::cpu
