// The seam to backends: compiling a jaxpr and running one primitive at once.
#pragma once

#include "runtime/executable.h"
#include "trace/trace.h"

namespace cotan {

// Compiles for a device. donated has one entry per input.
Ref<Executable> compile(const JaxprRef& j, const std::vector<bool>& donated,
                        Device* device = cpu_device(),
                        const std::string& name = "jit");

// Runs one primitive on concrete values.
Values run_eager(const Primitive& p, std::span<const Value> x,
                 const Params& params);

// Forgets the programs of control flow outside of jit.
void clear_control_programs();

// Asked between phases of a compilation: true abandons it.
void set_compile_interrupt_check(bool (*check)()) noexcept;

// Whether the reference rules run instead of generated code, from now on and in
// all threads (at first: COTAN_INTERPRET=1). Programs that are compiled already
// stay what they are. Returns what was set before.
bool set_interpreting(bool on);

// What the CPU backend compiled since the process started.
struct CodeStats {
  int64_t program_hits;   // equal programs found in the cache
  int64_t kernels;        // compiled
  int64_t kernel_hits;    // found in the cache
  int64_t eager_kernels;  // of `kernels`, for eager calls
  int64_t code_bytes;
  int64_t compile_ns;
};
CodeStats code_stats();

// Makes eager evaluation and allocation available to traces. Runs by itself
// when the library is loaded.
void install_backend();

}  // namespace cotan
