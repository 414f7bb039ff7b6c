// Plans a traced function and runs the program with the interpreter, beside
// the reference evaluation of the same jaxpr.
#pragma once

#include "op_harness.h"
#include "passes/passes.h"
#include "passes/program.h"

namespace cotan::testing {

// Runs the interpreter; donated inputs are copied first.
Values run_program(const Program& p, const Values& x);

// Checks the program of f with and without fusion, and as an eager one.
// tolerance 0: the same bits, except where sums have another order.
void check_planned(const JaxprRef& j, const Values& x);
void check_planned(const Function& f, const Values& x);

// What else check_planned does: tests of a backend set it to run the same
// programs compiled.
extern void (*check_planned_too)(const JaxprRef& j, const Values& x);

JaxprRef trace(const Function& f, const Values& x);
ProgramRef plan(const Function& f, const Values& x, bool fuse = true);
template <class S>
int count_steps(const Program& p) {
  int n = 0;
  for (const Step& s : p.steps) n += std::holds_alternative<S>(s);
  return n;
}

}  // namespace cotan::testing
