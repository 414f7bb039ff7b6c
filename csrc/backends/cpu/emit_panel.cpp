#include "backends/cpu/emit_schedules.h"
#include "base/error.h"

namespace cotan::cpu {
std::unique_ptr<KernelEmitter> make_panel_emitter(Builder&, const TargetSpec&,
                                                  const Kernel&,
                                                  const KernelArgs&) {
  throw_not_implemented("panel kernels");
}
}  // namespace cotan::cpu
