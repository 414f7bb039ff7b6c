// What the GEMM emitters share: types, masks, loops through phis, and the
// conversions between storage and compute types.
#pragma once

#include <llvm/ADT/STLFunctionalExtras.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <utility>
#include <vector>

#include "backends/cpu/gemm/gemm_emitter.h"

namespace cotan::cpu {

class GemmIr {
 public:
  using Values = std::vector<llvm::Value*>;

  GemmIr(llvm::Module& module, const GemmSpec& spec);

  llvm::Function* begin(const std::string& name,
                        llvm::ArrayRef<llvm::Type*> args);
  void end() { b.CreateRetVoid(); }

  llvm::Value* k(int64_t v) { return b.getInt64(v); }
  llvm::Value* add(llvm::Value* x, llvm::Value* y) { return b.CreateAdd(x, y); }
  llvm::Value* mul(llvm::Value* x, llvm::Value* y) { return b.CreateMul(x, y); }
  llvm::Value* min(llvm::Value* x, llvm::Value* y);
  // p + bytes
  llvm::Value* at(llvm::Value* p, llvm::Value* bytes) {
    return b.CreateInBoundsPtrAdd(p, bytes);
  }
  llvm::Value* at(llvm::Value* p, int64_t bytes) { return at(p, k(bytes)); }

  llvm::Type* storage(DType t);  // of one element in memory
  llvm::Type* vector(llvm::Type* element, int n) {
    return llvm::FixedVectorType::get(element, n);
  }
  // mask may be null.
  llvm::Value* load(llvm::Type* type, llvm::Value* p,
                    llvm::Value* mask = nullptr);
  void store(llvm::Value* v, llvm::Value* p, llvm::Value* mask = nullptr);
  void prefetch(llvm::Value* p);
  llvm::Value* splat(llvm::Value* x, int n) {
    return b.CreateVectorSplat(unsigned(n), x);
  }
  // Lanes first + l < count.
  llvm::Value* lanes_below(llvm::Value* count, int first, int n);
  llvm::AllocaInst* stack(llvm::Type* type, int n);

  // for (i = lo; i + step <= hi; i += step); returns the i reached.
  // `carried` goes from one iteration to the next and out of the loop.
  llvm::Value* loop(llvm::Value* lo, llvm::Value* hi, int64_t step,
                    llvm::function_ref<void(llvm::Value*)> body,
                    Values* carried = nullptr);
  // if (condition) body(), which may change `values`.
  void when(llvm::Value* condition, llvm::function_ref<void()> body,
            Values* values = nullptr);
  void branch(llvm::Value* condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no);

  llvm::Value* multiply_add(llvm::Value* x, llvm::Value* y, llvm::Value* sum);
  llvm::Value* plus(llvm::Value* x, llvm::Value* y);
  // One step of a transpose: exchanges x's blocks of s lanes at odd positions
  // with y's at even ones.
  std::pair<llvm::Value*, llvm::Value*> swap_blocks(llvm::Value* x,
                                                    llvm::Value* y, int s);

  // Scalars or vectors: storage -> compute -> storage.
  llvm::Value* widen(llvm::Value* x, DType from);
  llvm::Value* narrow(llvm::Value* x);  // to types.out

  llvm::Module& module;
  const GemmSpec& spec;
  llvm::IRBuilder<> b;
  llvm::Type *ptr, *i64, *element, *vec;  // of the compute type
  int lanes;
  int64_t size;      // bytes of a compute element
  int64_t out_size;  // bytes of an element of C

 private:
  llvm::Value* half_to_float(llvm::Value* bits);
  llvm::Value* float_to_half(llvm::Value* x);
  llvm::Value* float_to_bfloat(llvm::Value* x);
  llvm::Type* like(llvm::Value* x, llvm::Type* element);
};

// Loads the fields of a GemmTile at a kernel's entry.
struct TileArgs {
  TileArgs(GemmIr& ir, llvm::Value* tile) : ir_(ir), tile_(tile) {}
  llvm::Value* pointer(size_t offset);
  llvm::Value* number(size_t offset);

 private:
  GemmIr& ir_;
  llvm::Value* tile_;
};

// Applies the epilogue to one vector and stores it.
void finish_vector(GemmIr& ir, const Epilogue* epilogue, llvm::Value* sum,
                   const EpilogueCtx& ctx, llvm::Value* c);

void emit_tile_kernel(GemmIr& ir, const std::string& name, int rows,
                      int vectors, bool masked, bool packing,
                      const Epilogue* epilogue);
void emit_dot_kernel(GemmIr& ir, const std::string& name, int rows,
                     const Epilogue* epilogue);
void emit_copy_kernel(GemmIr& ir, const std::string& name, DType from);
void emit_transpose_kernel(GemmIr& ir, const std::string& name, DType from);

}  // namespace cotan::cpu
