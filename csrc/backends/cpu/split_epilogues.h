#pragma once

#include "passes/program.h"

namespace cotan::cpu {

// Products with an epilogue become a product into the arena and an ordinary
// kernel that reads it, but for those that `keep` accepts.
ProgramRef split_epilogues(const ProgramRef& program,
                           bool (*keep)(const GemmStep&));

}  // namespace cotan::cpu
