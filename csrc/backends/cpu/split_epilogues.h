#pragma once

#include "passes/program.h"

namespace cotan::cpu {

// Products with an epilogue become a product into the arena and an ordinary
// kernel that reads it.
ProgramRef split_epilogues(const ProgramRef& program);

}  // namespace cotan::cpu
