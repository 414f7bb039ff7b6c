#include "passes/control.h"

#include <algorithm>

#include "passes/passes.h"
#include "passes/relayout.h"

namespace cotan {

namespace {

int64_t align64(int64_t n) { return (n + 63) & ~int64_t(63); }

PlanOptions inner_options(const PlanOptions& options) {
  PlanOptions o = options;
  o.donated.clear();
  o.heirs.clear();
  o.specialise_small = true;
  return o;
}

// Time of one run on one thread, roughly.
float work_of(const Program& p) {
  float ns = 0;
  for (const Step& step : p.steps)
    std::visit(
        [&](const auto& s) {
          using S = std::decay_t<decltype(s)>;
          if constexpr (std::is_same_v<S, CopyStep>)
            ns += 1;
          else if constexpr (std::is_same_v<S, LoopStep>)
            ns += s.work_ns * float(s.trips >= 0 ? s.trips : 16);
          else if constexpr (requires { s.work_ns; })
            ns += s.work_ns;
          else
            ns += 1000;
        },
        step);
  return ns;
}

bool own_place(const Program& body, const LoopStep& s, size_t carry) {
  const PlanOutput& o = body.outputs[carry];
  int32_t self = s.consts + int32_t(carry);
  return o.alias == self || o.forwards == self;
}

}  // namespace

PlannedControl<BranchStep> plan_branch(const Control& c,
                                       const PlanOptions& options) {
  PlannedControl<BranchStep> r;
  for (const JaxprRef& j : c.cases) {
    ProgramRef p = plan_program(j, inner_options(options));
    r.scratch_bytes = std::max(r.scratch_bytes, align64(p->arena_bytes));
    r.step.work_ns = std::max(r.step.work_ns, work_of(*p));
    r.step.cases.push_back(std::move(p));
  }
  return r;
}

PlannedControl<LoopStep> plan_loop(const Control& c,
                                   const PlanOptions& options) {
  PlannedControl<LoopStep> r;
  LoopStep& s = r.step;
  s.trips = c.cond ? -1 : c.trips;
  s.reverse = c.reverse;
  s.cond_consts = c.cond_consts;
  s.consts = c.body_consts;
  s.carries = c.carries;
  PlanOptions plain = inner_options(options);
  JaxprRef body = simplify_jaxpr(c.body);
  if (c.cond || c.trips > 1) {
    std::vector<bool> invariant(body->in.size(), false);
    std::fill_n(invariant.begin(), c.body_consts, true);
    Hoisted h = hoist_invariants(*body, invariant, true);
    relayout_weights(h, body, invariant);
    if (h.prologue) {
      s.prologue = plan_program(h.prologue, plain);
      body = h.body;
    }
  }
  // The body may overwrite a carry with its own next value.
  PlanOptions inside = plain;
  inside.donated.assign(body->in.size(), false);
  inside.heirs.assign(body->in.size(), -1);
  for (int32_t i = 0; i < c.carries; ++i) {
    inside.donated[size_t(c.body_consts + i)] = true;
    inside.heirs[size_t(c.body_consts + i)] = i;
  }
  s.body = plan_program(body, inside);
  if (c.cond) s.cond = plan_program(c.cond, plain);
  int64_t at = 0;
  auto take = [&](int64_t bytes) {
    int64_t offset = at;
    at += align64(bytes);
    return offset;
  };
  for (int32_t i = 0; i < c.carries; ++i) {
    LoopStep::Carry x;
    x.bytes = s.body->outputs[size_t(i)].aval.nbytes();
    if (!own_place(*s.body, s, size_t(i))) x.spare = take(x.bytes);
    s.carry.push_back(x);
  }
  if (s.prologue)
    for (const PlanOutput& o : s.prologue->outputs)
      s.invariants.push_back(take(o.aval.nbytes()));
  s.predicate = take(s.cond ? 1 : 0);
  s.arena = at;
  int64_t arena = 0;
  for (const ProgramRef& p : {s.prologue, s.cond, s.body})
    if (p) arena = std::max(arena, p->arena_bytes);
  r.scratch_bytes = s.arena + align64(arena);
  s.work_ns = work_of(*s.body) + (s.cond ? work_of(*s.cond) : 0);
  return r;
}

}  // namespace cotan
