// Planning of control flow: the programs inside, where carries live, and the
// scratch that they share. Operands and results are filled in by the caller.
#pragma once

#include "passes/program.h"

namespace cotan {

template <class S>
struct PlannedControl {
  S step;
  int64_t scratch_bytes = 0;
};
PlannedControl<BranchStep> plan_branch(const Control& c,
                                       const PlanOptions& options);
PlannedControl<LoopStep> plan_loop(const Control& c,
                                   const PlanOptions& options);

}  // namespace cotan
