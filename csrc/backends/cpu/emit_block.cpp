#include "backends/cpu/emit_schedules.h"
#include "base/error.h"

namespace cotan::cpu {
std::unique_ptr<KernelEmitter> make_block_emitter(Builder&, const TargetSpec&,
                                                  const Kernel&,
                                                  const KernelArgs&) {
  throw_not_implemented("block kernels");
}
}  // namespace cotan::cpu
