// Small matrix products inlined into a program, with all sizes constant: a
// vector times a matrix of a small network costs no call, no plan, no packing.
#pragma once

#include "backends/cpu/llvm_emitter.h"
#include "passes/program.h"

namespace cotan::cpu {

bool is_small_gemm(const Gemm& g);

struct SmallGemmArgs {
  const Gemm& gemm;
  llvm::Value *lhs, *rhs;
  llvm::Value* out = nullptr;  // null with an epilogue
  const Kernel* epilogue = nullptr;
  std::span<const int64_t> meta;       // of the epilogue
  std::vector<llvm::Value*> operands;  // of the epilogue
};
// Every element is one chain of fma in ascending k, as in the large kernels.
void emit_small_gemm(Builder& b, const TargetSpec& target,
                     const SmallGemmArgs& args);

}  // namespace cotan::cpu
