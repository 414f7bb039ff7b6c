// Vector code for a batch of small linear algebra problems (small_linalg.h).
#pragma once

#include "backends/cpu/llvm_emitter.h"
#include "ir/kernel_attrs.h"

namespace cotan::cpu {

// Whether there is code for it, of a size worth compiling.
bool has_small_linalg(const LinalgAttrs& a);
int small_linalg_lanes(DType t);

// The functions that such code calls.
void emit_movers(llvm::Module& m, const TargetSpec& target);

struct SmallLinalgArgs {
  const LinalgAttrs& attrs;
  std::vector<llvm::Value*> operands;  // inputs, outputs
  llvm::Value *begin, *end;            // groups of as many problems as lanes
  llvm::Value* batch;                  // i64, problems
};
void emit_small_linalg(Builder& b, const TargetSpec& target,
                       const SmallLinalgArgs& args);

}  // namespace cotan::cpu
