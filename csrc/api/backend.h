// The seam to backends: compiling a jaxpr and running one primitive at once.
#pragma once

#include "runtime/executable.h"
#include "trace/trace.h"

namespace cotan {

// Compiles for the default device. donated has one entry per input.
Ref<Executable> compile(const JaxprRef& j, const std::vector<bool>& donated);

// Runs one primitive on concrete values.
Values run_eager(const Primitive& p, std::span<const Value> x,
                 const Params& params);

// Asked between phases of a compilation: true abandons it.
void set_compile_interrupt_check(bool (*check)()) noexcept;

// Makes eager evaluation and allocation available to traces. Runs by itself
// when the library is loaded.
void install_backend();

}  // namespace cotan
