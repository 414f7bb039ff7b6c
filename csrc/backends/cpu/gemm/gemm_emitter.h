// Emits GEMM kernels as explicit vector LLVM IR. The IR needs no optimisation
// pass (EarlyCSE helps epilogues) and CodeGenOptLevel::Less.
//
// Start at emit_gemm_kernels; the tile kernel is in gemm_emitter.cpp, packing
// and conversion in gemm_pack_emitter.cpp, dots in gemm_dot_emitter.cpp.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "backends/cpu/gemm/gemm_kernels.h"
#include "backends/cpu/target.h"

namespace cotan::cpu {

TargetInfo gemm_target(const TargetSpec& target);

// Where an epilogue finds itself: `lanes` consecutive columns of one row.
struct EpilogueCtx {
  llvm::Value* args;  // GemmTile::args, a ptr to the consumer's ptrs
  llvm::Value *batch, *row, *col;  // i64; col: of the first lane
  llvm::Value* mask;  // <lanes x i1>, or null when all lanes are live
  int lanes;
};
struct Epilogue {
  // From the sum (a vector of the compute type) to what is stored: a vector
  // of the compute type, or of the out type (16-bit floats as i16 bits).
  // It may store more results itself.
  std::function<llvm::Value*(llvm::IRBuilder<>&, llvm::Value*,
                             const EpilogueCtx&)>
      apply;
  // True (transcendentals): one copy in a loop over the finished tile, which
  // is as fast and compiles sooner. False: on every register of the tile.
  bool rolled = false;
};

// Equal specs give equal kernels, so a spec is a cache key.
struct GemmSpec {
  GemmTypes types;
  TargetInfo target;
  GemmTiling tiling;
  GemmSlots slots = 0;
  std::string epilogue;  // names what the Epilogue does; "" for none
  friend bool operator==(const GemmSpec&, const GemmSpec&) = default;
};

// The functions of spec.slots, named prefix + slot. They have external
// linkage; the caller sets their target attributes.
std::vector<std::pair<int, std::string>> emit_gemm_kernels(
    llvm::Module& module, const GemmSpec& spec, const Epilogue* epilogue,
    const std::string& prefix);

}  // namespace cotan::cpu
