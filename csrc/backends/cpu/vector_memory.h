// Vectors in and out of memory: contiguous, reversed, strided or scattered
// lanes, with or without a mask, for every dtype on every ISA. What the
// instruction set lacks (masks of bytes on AVX2, gathers of 16-bit elements)
// becomes a small loop over the active lanes.
#pragma once

#include "backends/cpu/llvm_emitter.h"
#include "passes/kernel.h"

namespace cotan::cpu {

// Where the lanes of one access are: base points to lane 0, in bytes known.
struct LaneAddress {
  llvm::Value* base = nullptr;  // ptr
  StrideClass stride = StrideClass::one;
  llvm::Value* lane_stride = nullptr;  // i64 elements; `other` only
  // Instead of a stride: i64 element offsets per lane, relative to base.
  llvm::Value* offsets = nullptr;
};

class VectorMemory {
 public:
  explicit VectorMemory(LlvmEmitter& e) : e_(e), b_(e.builder()) {}

  // mask: lanes that may be touched; the others are zero. Null: all.
  Scalar load(DType t, const LaneAddress& at, llvm::Value* mask);
  void store(Scalar value, const LaneAddress& at, llvm::Value* mask,
             bool streaming = false);
  // One element at base, in every lane.
  Scalar load_splat(DType t, llvm::Value* base);
  // One element (lane 0 of the value) to base.
  void store_one(Scalar value, llvm::Value* base);

  // ptr + index * bytes of t
  llvm::Value* element(DType t, llvm::Value* base, llvm::Value* index);
  llvm::Value* lane_iota(llvm::Type* element);  // <0, 1, 2, ...>
  // Lanes l with l < count (i64, may be any value).
  llvm::Value* lanes_below(llvm::Value* count);
  llvm::Value* reverse(llvm::Value* v);

 private:
  // The integer or float that carries one element (complex64: i64), or null
  // for complex128, which is two doubles.
  llvm::Type* unit(DType t) const;
  Scalar from_units(DType t, llvm::Value* v);
  llvm::Value* to_units(Scalar s);
  llvm::Value* load_units(llvm::Type* unit, const LaneAddress& at,
                          llvm::Value* mask, int64_t bytes);
  void store_units(llvm::Value* v, llvm::Type* unit, const LaneAddress& at,
                   llvm::Value* mask, int64_t bytes, bool streaming);
  // Lanes `step` elements apart: whole vectors and shuffles.
  llvm::Value* load_interleaved(llvm::Type* unit, llvm::Value* base,
                                int64_t step);
  void store_interleaved(llvm::Value* v, llvm::Type* unit, llvm::Value* base,
                         int64_t step);
  llvm::Value* lane_pointers(const LaneAddress& at, int64_t bytes);
  bool native_mask(llvm::Type* unit) const;
  bool native_scatter(llvm::Type* unit) const;
  // body(lane index i64, lane pointer) for every active lane.
  template <class Body>
  void each_active_lane(const LaneAddress& at, llvm::Value* mask, int64_t bytes,
                        Body body);
  llvm::Value* interleave(llvm::Value* re, llvm::Value* im);
  llvm::AllocaInst* entry_alloca(llvm::Type* t);

  LlvmEmitter& e_;
  Builder& b_;
};

// As many vectors as they have lanes: v[q][i] -> result[i][q], in log2(lanes)
// levels of shuffles.
std::vector<Scalar> transposed(LlvmEmitter& e, std::vector<Scalar> v);

// for (i = lo; i < hi; i += step) values = body(i, values). Zero trips are
// fine. Carried values become phis.
std::vector<llvm::Value*> emit_loop(
    Builder& b, llvm::Value* lo, llvm::Value* hi, llvm::Value* step,
    std::vector<llvm::Value*> carried,
    const std::function<std::vector<llvm::Value*>(
        llvm::Value*, std::vector<llvm::Value*>)>& body);

}  // namespace cotan::cpu
