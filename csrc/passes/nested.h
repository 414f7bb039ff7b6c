// The programs inside a program's steps.
#pragma once

#include "passes/program.h"

namespace cotan {

// Calls f(const Program&) for each program that control flow holds, one level
// deep, in the order in which they are emitted.
template <class F>
void for_each_nested(const BranchStep& s, F f) {
  for (const ProgramRef& p : s.cases) f(*p);
}
template <class F>
void for_each_nested(const LoopStep& s, F f) {
  for (const ProgramRef* p : {&s.prologue, &s.cond, &s.body})
    if (*p) f(**p);
}
template <class F>
void for_each_nested(const Step& step, F f) {
  if (auto* b = std::get_if<BranchStep>(&step)) for_each_nested(*b, f);
  if (auto* l = std::get_if<LoopStep>(&step)) for_each_nested(*l, f);
}

// Calls f(const Step&) for all steps, also of nested programs.
template <class F>
void for_each_step(const Program& p, F f) {
  for (const Step& s : p.steps) {
    f(s);
    for_each_nested(s, [&](const Program& q) { for_each_step(q, f); });
  }
}

}  // namespace cotan
