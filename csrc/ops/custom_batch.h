// Batching the functions of a custom rule (custom.cpp). Private to ops/.
#pragma once

#include <mutex>

#include "ops/rules.h"

namespace cotan::ops {

// How one application of custom_jvp or custom_vjp is batched; its functions
// share it. What of the results depends on the batch is known once one of
// them has run: they may close over batched values, and need not look at all
// of their operands. A batched value has its axis in front.
class CustomBatch : public RefCounted {
 public:
  CustomBatch(const BatchArgs& a, size_t num_consts);

  const BatchAxis& axis() const { return axis_; }
  int64_t size() const { return axis_.size; }
  uint64_t trace() const { return trace_; }
  const std::vector<bool>& operands() const { return operands_; }
  size_t num_consts() const { return num_consts_; }

  // Which outputs are batched, given what a function found. What was recorded
  // in a jaxpr cannot change afterwards.
  std::vector<bool> agree(std::vector<bool> found);
  std::vector<bool> outputs() const;
  void set_residuals(std::vector<bool> batched);
  std::vector<bool> residuals() const;

 private:
  const BatchAxis axis_;
  const uint64_t trace_;
  std::vector<bool> operands_;
  size_t num_consts_;
  bool any_operand_ = false;
  mutable std::mutex mutex_;
  bool known_ = false, recorded_ = false;
  std::vector<bool> outputs_, residuals_;
};

enum class CustomPart : uint8_t { function, jvp, fwd, bwd };

// f with a batch axis. `jaxpr`, if there is one, stands for the function.
OpaqueRef batched_part(CustomPart part, const OpaqueRef& f, JaxprRef jaxpr,
                       Ref<CustomBatch> how);
// The operands of a.x, with the batch axis in front where there is one.
Values fronts(const BatchArgs& a);
Batched with_outputs(Values v, const CustomBatch& how);

}  // namespace cotan::ops
