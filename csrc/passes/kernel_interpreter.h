// The meaning of kernels and programs: a slow host evaluation that needs no
// compiler. The oracle of every backend, and what tests of fusion run.
#pragma once

#include "passes/program.h"

namespace cotan {

// operands[k] points to Kernel::operands[k]. `product`: for epilogues, dense
// over the axes.
void interpret_kernel(const Kernel& k, void* const* operands,
                      const void* product = nullptr);

// in[i], out[j]: dense row-major host arrays; out[j] of a forwarded output is
// copied. Owns its arena for the call.
void interpret_program(const Program& p, const void* const* in,
                       void* const* out);

}  // namespace cotan
