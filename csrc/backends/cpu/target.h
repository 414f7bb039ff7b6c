// The machine that code is generated for. COTAN_CPU names another one than
// the host ("haswell" gives AVX2 code on an AVX-512 machine), for tests.
#pragma once

#include <string>

namespace cotan::cpu {

struct TargetSpec {
  std::string triple, cpu, features;
  bool avx512 = false;        // F, BW, DQ and VL
  int vector_registers = 16;  // architectural
};

// Looks at the machine on first use; does not start LLVM's code generator.
const TargetSpec& host_target();
// For tests: a named CPU of the host's architecture. Kept for ever.
const TargetSpec& named_target(const std::string& cpu);

}  // namespace cotan::cpu
