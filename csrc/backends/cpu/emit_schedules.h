// The loop nests of kernels, one emitter per schedule, and the loop over the
// grid that they share.
#pragma once

#include "backends/cpu/kernel_emitter.h"

namespace cotan::cpu {

std::unique_ptr<KernelEmitter> make_strip_emitter(Builder& b,
                                                  const TargetSpec& target,
                                                  const Kernel& k,
                                                  const KernelArgs& args);
std::unique_ptr<KernelEmitter> make_panel_emitter(Builder& b,
                                                  const TargetSpec& target,
                                                  const Kernel& k,
                                                  const KernelArgs& args);
std::unique_ptr<KernelEmitter> make_tile_emitter(Builder& b,
                                                 const TargetSpec& target,
                                                 const Kernel& k,
                                                 const KernelArgs& args);
// Iterations [begin, end) of the flattened axes with these extents. The
// coordinates are divided out once and then counted up like an odometer.
struct GridLoop {
  llvm::Value* begin = nullptr;
  llvm::Value* end = nullptr;
  std::vector<llvm::Value*> extents;           // none: one iteration
  std::vector<llvm::Value*>* coord = nullptr;  // set before each iteration
};
void each_grid_point(Builder& b, const GridLoop& grid,
                     const std::function<void()>& body);

// After streaming stores: they become visible before what follows.
void store_fence(Builder& b);

}  // namespace cotan::cpu
