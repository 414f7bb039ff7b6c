// Machine code of kernels, shared by all programs of the process: kernels that
// are same_code() are compiled once. Missing kernels of one request are
// compiled together, in one module. Single flight: a thread that wants what
// another one is compiling waits for it, and sees its failure.
#pragma once

#include <span>
#include <vector>

#include "base/ref.h"
#include "passes/kernel.h"

#define COTAN_CPU_API __attribute__((visibility("default")))

namespace cotan::cpu {

struct TargetSpec;
class LoadedCode;

// Calls follow KernelFrame (kernel_frame.h).
using KernelFunction = void (*)(void* frame, int64_t chunk, int worker);

class COTAN_CPU_API CompiledKernel final : public RefCounted {
 public:
  CompiledKernel(KernelFunction f, Ref<LoadedCode> code);
  ~CompiledKernel() override;
  const KernelFunction function;

 private:
  const Ref<LoadedCode> code_;
};
using CompiledKernelRef = Ref<const CompiledKernel>;

COTAN_CPU_API std::vector<CompiledKernelRef> compile_kernels(
    std::span<const KernelRef> kernels, const TargetSpec& target);

// The target of host_target(), and a named one; for tests.
COTAN_CPU_API const TargetSpec& this_machine();
COTAN_CPU_API const TargetSpec& other_machine(const char* cpu);

// Runs all chunks of one call on this thread; operands as in the kernel.
COTAN_CPU_API void run_kernel(const CompiledKernel& code, const Kernel& k,
                              void* const* operands, int64_t grid,
                              int64_t grain);

COTAN_CPU_API void clear_kernel_cache();

}  // namespace cotan::cpu
