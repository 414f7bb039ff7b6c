// Where values live during a call: lifetimes over the fixed order of steps,
// in-place reuse, donation, and offsets in one arena.
#pragma once

#include "passes/program.h"

namespace cotan {

// Smaller temporaries are not worth a kernel of their own (the alias pattern
// is part of a kernel's identity).
inline constexpr int64_t kWorthSharing = 64 << 10;

// A value that needs memory; steps name them by index until they have places.
struct Storage {
  DType dtype = DType::f32;
  int64_t bytes = 0;
  int32_t input = -1;     // it is that input of the program
  int32_t output = -1;    // it is (at least) that output
  int32_t constant = -1;  // it is that constant
};

// Assigns every storage a buffer of p (same index), shares memory where a
// step can run in place, and sets arena_bytes and the aliases of outputs.
// Steps that become copies of a buffer onto itself are dropped.
void plan_memory(Program& p, std::span<const Storage> storages);

// Calls f(buffer, writes) for each buffer that a step touches; reads first.
template <class F>
void for_each_buffer(const Step& step, F f) {
  std::visit(
      [&](const auto& s) {
        using S = std::decay_t<decltype(s)>;
        if constexpr (std::is_same_v<S, FusedStep>) {
          for (size_t i = 0; i < s.operands.size(); ++i)
            if (s.kernel->operands[i].read) f(s.operands[i], false);
          for (size_t i = 0; i < s.operands.size(); ++i)
            if (s.kernel->operands[i].written) f(s.operands[i], true);
        } else if constexpr (std::is_same_v<S, GemmStep>) {
          f(s.lhs, false);
          f(s.rhs, false);
          if (!s.epilogue) return f(s.out, true);
          for (size_t i = 0; i < s.operands.size(); ++i)
            if (s.epilogue->operands[i].read) f(s.operands[i], false);
          for (size_t i = 0; i < s.operands.size(); ++i)
            if (s.epilogue->operands[i].written) f(s.operands[i], true);
        } else if constexpr (std::is_same_v<S, CopyStep>) {
          f(s.from, false);
          f(s.to, true);
        } else {
          for (BufferId b : s.in) f(b, false);
          for (BufferId b : s.out) f(b, true);
          if constexpr (!std::is_same_v<S, EvalStep>)
            if (s.scratch >= 0) f(s.scratch, true);
        }
      },
      step);
}

}  // namespace cotan
