// Compiles a traced function and compares it with the reference evaluation:
// fused and not, donated, for this machine and as AVX2 code, on 1 to 3
// threads; the compiled variants among each other bit for bit.
#pragma once

#include "backends/cpu/compiler.h"
#include "op_harness.h"

namespace cotan::testing {

Values run_compiled(const Executable& e, const Values& x, int threads = 0);

struct CompiledOptions {
  double tolerance = 1;  // times the dtype's
  bool other_targets = true;
};
void check_compiled(const JaxprRef& j, const Values& x,
                    const CompiledOptions& o = {});
void check_compiled(const Function& f, const Values& x,
                    const CompiledOptions& o = {});
// The same through run_eager, one primitive at a time.
void check_eager(const Function& f, const Values& x);

}  // namespace cotan::testing
