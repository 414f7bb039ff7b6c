// LlvmEmitter: the ScalarEmitter that writes LLVM IR. A Scalar is an SSA
// vector of `lanes` elements (16 for kernels of 32-bit types, 8 for 64-bit
// ones, on every ISA: the code generator splits them), or a plain value when
// lanes is 1. In registers bool is i1, the 16-bit floats are i16 bits, complex
// is two vectors; in memory bool is a byte and complex is interleaved.
//
// No fast-math flag is ever set and fma is explicit, so the same body gives
// the same bits on every machine.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include "emit/scalar.h"
#include "ir/primitive.h"

namespace cotan::cpu {

struct TargetSpec;

using Builder = llvm::IRBuilder<>;

inline llvm::Value* value_of(Scalar s) {
  return reinterpret_cast<llvm::Value*>(s.v);
}
inline llvm::Value* imag_of(Scalar s) {
  return reinterpret_cast<llvm::Value*>(s.im);
}
inline Scalar make_scalar(DType t, llvm::Value* v, llvm::Value* im = nullptr) {
  return {reinterpret_cast<uint64_t>(v), reinterpret_cast<uint64_t>(im), t};
}

class LlvmEmitter final : public ScalarEmitter {
 public:
  LlvmEmitter(Builder& b, const TargetSpec& target, int lanes)
      : b_(b), target_(target), lanes_(lanes) {}

  int lanes() const { return lanes_; }
  // Values of different widths must not meet in one operation.
  void set_lanes(int lanes) { lanes_ = lanes; }
  Builder& builder() { return b_; }
  const TargetSpec& target() const { return target_; }

  // Element type in registers and in memory; of one part of a complex number.
  llvm::Type* register_element(DType t) const;
  llvm::Type* memory_element(DType t) const;
  llvm::Type* register_type(DType t) const { return wide(register_element(t)); }
  llvm::Type* memory_type(DType t) const { return wide(memory_element(t)); }
  llvm::Type* wide(llvm::Type* element) const;

  llvm::Value* to_memory(DType t, llvm::Value* v);    // i1 -> i8
  llvm::Value* from_memory(DType t, llvm::Value* v);  // i8 -> i1
  // A plain value in every lane.
  llvm::Value* splat(llvm::Value* v);
  // The same value with one lane only, of lane `lane`.
  Scalar extract(Scalar s, int lane);
  Scalar splat(Scalar s);  // from one lane
  llvm::Value* any(llvm::Value* mask);

  // One application of an elementwise primitive. 16-bit floats are widened to
  // f32 around bodies that do not ask to see them; round_half() afterwards
  // gives each result its dtype.
  ScalarOuts apply(const Primitive& p, const Params& params, Scalars x);
  Scalar round_half(Scalar s, DType to) {
    return is_half(to) && s.dtype == DType::f32 ? convert(s, to) : s;
  }

  // ---- ScalarEmitter
  void rare_many(Scalar mask, std::span<Scalar> values,
                 const std::function<void(std::span<Scalar>)>& slow) override;
  bool raw_scale_exp2(Scalar y, Scalar n, Scalar* out) override;
  Scalar raw_lookup(Scalar index, DType t, const double* table) override;
  Scalar raw_constant(const Literal& lit) override;
  Scalar raw_unary(UnaryOp op, Scalar x) override;
  Scalar raw_binary(BinaryOp op, Scalar x, Scalar y) override;
  Scalar raw_compare(CompareOp op, Scalar x, Scalar y) override;
  Scalar raw_select(Scalar mask, Scalar x, Scalar y) override;
  Scalar raw_fma(Scalar x, Scalar y, Scalar z) override;
  Scalar raw_convert(Scalar x, DType to) override;
  Scalar raw_bitcast(Scalar x, DType to) override;

 private:
  llvm::Value* float_binary(BinaryOp op, DType t, llvm::Value* x,
                            llvm::Value* y);
  llvm::Value* int_binary(BinaryOp op, DType t, llvm::Value* x, llvm::Value* y);
  llvm::Value* small_int_division(BinaryOp op, DType t, llvm::Value* x,
                                  llvm::Value* y);
  llvm::Value* mul_high(DType t, llvm::Value* x, llvm::Value* y);
  llvm::Value* float_rem(DType t, llvm::Value* x, llvm::Value* y);
  llvm::Value* per_lane_call(const char* name, llvm::Type* element,
                             llvm::Value* x, llvm::Value* y);
  llvm::Value* half_to_f32(DType t, llvm::Value* bits);
  llvm::Value* f32_to_half(llvm::Value* v, DType to);
  llvm::Value* f64_to_odd_f32(llvm::Value* v);
  llvm::Value* convert_value(llvm::Value* v, DType from, DType to);
  llvm::Value* unary_intrinsic(llvm::Intrinsic::ID id, llvm::Value* v) {
    return b_.CreateUnaryIntrinsic(id, v);
  }

  Builder& b_;
  const TargetSpec& target_;
  int lanes_;
};

}  // namespace cotan::cpu
