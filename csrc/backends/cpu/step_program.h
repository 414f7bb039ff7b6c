// A program that is run step by step from C++ instead of by an entry function
// of its own: for eager calls, where each shape is a new program of one or two
// steps whose kernels exist already, and compiling an entry would cost more
// than everything else.
#pragma once

#include "backends/cpu/jit.h"
#include "passes/program.h"
#include "runtime/executable.h"

namespace cotan::cpu {

Ref<Executable> make_step_program(const ProgramRef& program,
                                  const TargetSpec& target);

// The specs of a program's inputs and outputs.
std::vector<InputSpec> input_specs(const Program& p);
std::vector<OutputSpec> output_specs(const Program& p);

}  // namespace cotan::cpu
