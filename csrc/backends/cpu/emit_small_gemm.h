// Small matrix products inlined into a program, with all sizes constant: a
// vector times a matrix of a small network costs no call, no plan, no packing.
#pragma once

#include "backends/cpu/llvm_emitter.h"
#include "passes/program.h"

namespace cotan::cpu {

bool is_small_gemm(const Gemm& g);
// Many products of that kind, of a few elements each.
bool is_small_batched_gemm(const Gemm& g);
// A column is computed as a row: lanes run along what is not summed over.
bool is_small_column(const Gemm& g);
Gemm swapped_sides(const Gemm& g);

struct SmallGemmArgs {
  const Gemm& gemm;
  llvm::Value *lhs, *rhs;
  llvm::Value* out = nullptr;  // null with an epilogue
  const Kernel* epilogue = nullptr;
  std::span<const int64_t> meta;                 // of the epilogue
  std::vector<llvm::Value*> operands;            // of the epilogue
  llvm::Value *begin = nullptr, *end = nullptr;  // products; null: all
};
// Every element is one chain of fma in ascending k, as in the large kernels;
// where the result is a few vectors up to four chains or, if only the rows of
// the right side are dense, one for each lane.
void emit_small_gemm(Builder& b, const TargetSpec& target,
                     const SmallGemmArgs& args);

}  // namespace cotan::cpu
