// The consumers of a matrix product, evaluated on finished elements of it.
#pragma once

#include "backends/cpu/kernel_emitter.h"

namespace cotan::cpu {

// A kernel with a product node (axes: batch..., m, n), one vector at a time.
class EpilogueEmitter final : public KernelEmitter {
 public:
  EpilogueEmitter(Builder& b, const TargetSpec& target, const Kernel& k,
                  const KernelArgs& args);
  void emit() override {}  // the caller has the loops

  // What the kernel stores for `product`: lanes of row `row` from column `col`
  // on. `batch` is the flat index over the batch axes.
  void store(Scalar product, llvm::Value* batch, llvm::Value* row,
             llvm::Value* col, llvm::Value* mask);
  // The same, but the value of store number `kept` is returned, not written.
  Scalar store_others(int kept, Scalar product, llvm::Value* batch,
                      llvm::Value* row, llvm::Value* col, llvm::Value* mask);

 private:
  void place(llvm::Value* batch, llvm::Value* row);
};

// The epilogue with its last two axes exchanged, for products that run with
// rows and columns swapped.
KernelRef swap_product_axes(const Kernel& k);

}  // namespace cotan::cpu
