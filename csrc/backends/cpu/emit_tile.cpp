#include "backends/cpu/emit_schedules.h"
#include "base/error.h"

namespace cotan::cpu {
std::unique_ptr<KernelEmitter> make_tile_emitter(Builder&, const TargetSpec&,
                                                 const Kernel&,
                                                 const KernelArgs&) {
  throw_not_implemented("tile kernels");
}
}  // namespace cotan::cpu
