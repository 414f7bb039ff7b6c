// From a Program (passes/program.h) to one native entry function:
//   int entry(const void* const* in, void* const* out, void* arena, Runtime*)
// Specialised kernels are inlined with everything constant; the others are
// shared code, called with constant tables. No allocation, no lock.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/gemm_calls.h"
#include "backends/cpu/jit.h"
#include "backends/cpu/program_calls.h"
#include "passes/program.h"

namespace cotan::cpu {

using EntryFunction = int (*)(const void* const* in, void* const* out,
                              void* arena, Runtime* rt);

// Machine code of a program and what it refers to.
struct ProgramCode {
  EntryFunction entry = nullptr;
  Ref<LoadedCode> code;
  std::vector<CompiledKernelRef> kernels;
  std::vector<std::unique_ptr<GemmCall>> gemm_calls;
  std::vector<std::unique_ptr<RuntimeCall>> runtime_calls;
  std::vector<std::unique_ptr<EvalCall>> eval_calls;
  int64_t arena_bytes = 0;  // the program's and the parked rows
};

std::unique_ptr<ProgramCode> compile_program(const Program& p,
                                             const TargetSpec& target);

}  // namespace cotan::cpu
