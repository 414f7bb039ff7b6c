// ScalarWriter: the ScalarEmitter whose lanes are whole StableHLO tensors. A
// Scalar's v (and im) is the id of an HloValue: rank 0, or of the shape of the
// operation; a rank-0 operand is broadcast where it meets a shaped one.
#pragma once

#include "emit/hlo.h"

namespace cotan::pjrt {

class ScalarWriter final : public ScalarEmitter {
 public:
  explicit ScalarWriter(HloBuilder& b) : b_(b) {}

  Scalar of(HloValue v);
  HloValue value(Scalar s);  // complex parts are put together

  void rare_many(Scalar mask, std::span<Scalar> values,
                 const std::function<void(std::span<Scalar>)>& slow) override;
  Scalar raw_math(MathFn fn, Scalar x, Scalar y) override;
  Scalar raw_constant(const Literal& lit) override;
  Scalar raw_unary(UnaryOp op, Scalar x) override;
  Scalar raw_binary(BinaryOp op, Scalar x, Scalar y) override;
  Scalar raw_compare(CompareOp op, Scalar x, Scalar y) override;
  Scalar raw_select(Scalar mask, Scalar x, Scalar y) override;
  Scalar raw_fma(Scalar x, Scalar y, Scalar z) override;
  Scalar raw_convert(Scalar x, DType to) override;
  Scalar raw_bitcast(Scalar x, DType to) override;
  bool converts_narrow() const override { return true; }

 private:
  HloValue hlo(Scalar s) const { return {int32_t(s.v)}; }
  Scalar real(HloValue v) { return {uint64_t(v.id), 0, b_.dtype(v)}; }
  // Both with the shape of whichever has one.
  void match(HloValue& x, HloValue& y);

  HloBuilder& b_;
};

}  // namespace cotan::pjrt
