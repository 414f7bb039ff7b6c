#include "backends/cpu/vector_memory.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/IntrinsicInst.h>

#include "backends/cpu/target.h"
#include "base/error.h"

namespace cotan::cpu {
namespace {

llvm::Align natural(llvm::Type* t) {
  return llvm::Align(t->getScalarSizeInBits() / 8);
}

// The known small distance of lanes, in units of u, else 0.
int64_t interleave_of(const LaneAddress& at, llvm::Type* u, int64_t bytes) {
  if (at.offsets || at.stride != StrideClass::other) return 0;
  auto* stride = llvm::dyn_cast<llvm::ConstantInt>(at.lane_stride);
  if (!stride) return 0;
  int64_t step =
      stride->getSExtValue() * bytes * 8 / int64_t(u->getScalarSizeInBits());
  return is_interleaved(step) ? step : 0;
}

}  // namespace

// Exchanges ever larger blocks off the diagonal.
std::vector<Scalar> transposed(LlvmEmitter& e, std::vector<Scalar> v) {
  Builder& b = e.builder();
  const int width = e.lanes();
  COTAN_CHECK(int(v.size()) == width);
  auto shuffle = [&](Scalar x, Scalar y, llvm::ArrayRef<int> order) {
    llvm::Value* im = imag_of(x)
                          ? b.CreateShuffleVector(imag_of(x), imag_of(y), order)
                          : nullptr;
    return make_scalar(
        x.dtype, b.CreateShuffleVector(value_of(x), value_of(y), order), im);
  };
  for (int h = 1; h < width; h *= 2) {
    llvm::SmallVector<int, 16> low, high;
    for (int i = 0; i < width; ++i) {
      bool upper = (i & h) != 0;
      low.push_back(upper ? width + i - h : i);
      high.push_back(upper ? width + i : i + h);
    }
    std::vector<Scalar> next(v.size());
    for (int q = 0; q < width; ++q) {
      if (q & h) continue;
      Scalar x = v[size_t(q)], y = v[size_t(q + h)];
      next[size_t(q)] = shuffle(x, y, low);
      next[size_t(q + h)] = shuffle(x, y, high);
    }
    v = std::move(next);
  }
  return v;
}

std::vector<llvm::Value*> emit_loop(
    Builder& b, llvm::Value* lo, llvm::Value* hi, llvm::Value* step,
    std::vector<llvm::Value*> carried,
    const std::function<std::vector<llvm::Value*>(
        llvm::Value*, std::vector<llvm::Value*>)>& body) {
  auto* first = llvm::dyn_cast<llvm::ConstantInt>(lo);
  auto* last = llvm::dyn_cast<llvm::ConstantInt>(hi);
  auto* by = llvm::dyn_cast<llvm::ConstantInt>(step);
  if (first && last && by) {  // no or one trip: no loop
    int64_t left = last->getSExtValue() - first->getSExtValue();
    if (left <= 0) return carried;
    if (left <= by->getSExtValue()) return body(lo, carried);
  }
  llvm::BasicBlock* before = b.GetInsertBlock();
  llvm::Function* f = before->getParent();
  auto& ctx = b.getContext();
  auto* loop = llvm::BasicBlock::Create(ctx, "loop", f);
  auto* exit = llvm::BasicBlock::Create(ctx, "exit", f);
  b.CreateCondBr(b.CreateICmpSLT(lo, hi), loop, exit);

  b.SetInsertPoint(loop);
  auto* i = b.CreatePHI(b.getInt64Ty(), 2);
  i->addIncoming(lo, before);
  std::vector<llvm::Value*> now;
  for (llvm::Value* v : carried) {
    auto* phi = b.CreatePHI(v->getType(), 2);
    phi->addIncoming(v, before);
    now.push_back(phi);
  }
  std::vector<llvm::Value*> next = body(i, now);
  llvm::Value* after = b.CreateAdd(i, step, "", true, true);
  llvm::BasicBlock* latch = b.GetInsertBlock();
  i->addIncoming(after, latch);
  for (size_t n = 0; n < now.size(); ++n)
    llvm::cast<llvm::PHINode>(now[n])->addIncoming(next[n], latch);
  b.CreateCondBr(b.CreateICmpSLT(after, hi), loop, exit);

  b.SetInsertPoint(exit);
  for (size_t n = 0; n < carried.size(); ++n) {
    auto* phi = b.CreatePHI(carried[n]->getType(), 2);
    phi->addIncoming(carried[n], before);
    phi->addIncoming(next[n], latch);
    carried[n] = phi;
  }
  return carried;
}

// ---- small pieces

llvm::Type* VectorMemory::unit(DType t) const {
  if (t == DType::c128) return nullptr;
  if (t == DType::c64) return b_.getInt64Ty();
  return e_.memory_element(t);
}

llvm::Value* VectorMemory::element(DType t, llvm::Value* base,
                                   llvm::Value* index) {
  if (t == DType::c128) {
    index = b_.CreateShl(index, 1);
    return b_.CreateInBoundsGEP(b_.getDoubleTy(), base, index);
  }
  return b_.CreateInBoundsGEP(unit(t), base, index);
}

llvm::Value* VectorMemory::lane_iota(llvm::Type* element) {
  if (e_.lanes() == 1) return llvm::ConstantInt::get(element, 0);
  std::vector<llvm::Constant*> c;
  for (int i = 0; i < e_.lanes(); ++i)
    c.push_back(llvm::ConstantInt::get(element, uint64_t(i)));
  return llvm::ConstantVector::get(c);
}

llvm::Value* VectorMemory::lanes_below(llvm::Value* count) {
  // Compared in 32 bits, which is one register where 64 are two.
  llvm::Value* lanes = b_.getInt64(uint64_t(e_.lanes()));
  llvm::Value* n =
      b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, count, lanes);
  n = b_.CreateTrunc(
      b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, n, b_.getInt64(0)),
      b_.getInt32Ty());
  return b_.CreateICmpSLT(lane_iota(b_.getInt32Ty()), e_.splat(n));
}

llvm::Value* VectorMemory::reverse(llvm::Value* v) {
  if (!v || !v->getType()->isVectorTy()) return v;
  llvm::SmallVector<int, 32> order;
  for (int i = e_.lanes(); i-- > 0;) order.push_back(i);
  return b_.CreateShuffleVector(v, order);
}

llvm::AllocaInst* VectorMemory::entry_alloca(llvm::Type* t) {
  llvm::Function* f = b_.GetInsertBlock()->getParent();
  llvm::BasicBlock& entry = f->getEntryBlock();
  Builder at(&entry, entry.begin());
  auto* a = at.CreateAlloca(t);
  a->setAlignment(llvm::Align(64));
  return a;
}

bool VectorMemory::native_mask(llvm::Type* u) const {
  return u->getScalarSizeInBits() >= 32 || e_.target().avx512;
}
bool VectorMemory::native_scatter(llvm::Type* u) const {
  return u->getScalarSizeInBits() >= 32 && e_.target().avx512;
}

llvm::Value* VectorMemory::lane_pointers(const LaneAddress& at, int64_t bytes) {
  llvm::Value* offsets = at.offsets;
  if (!offsets) {
    llvm::Value* iota = lane_iota(b_.getInt64Ty());
    offsets = b_.CreateMul(iota, e_.splat(at.lane_stride));
  }
  offsets = b_.CreateMul(offsets, e_.splat(b_.getInt64(uint64_t(bytes))), "",
                         false, true);
  return b_.CreateGEP(b_.getInt8Ty(), at.base, offsets);
}

template <class Body>
void VectorMemory::each_active_lane(const LaneAddress& at, llvm::Value* mask,
                                    int64_t bytes, Body body) {
  int lanes = e_.lanes();
  llvm::AllocaInst* offsets = nullptr;
  if (at.offsets) {
    offsets = entry_alloca(at.offsets->getType());
    b_.CreateStore(at.offsets, offsets);
  }
  llvm::Value* bits =
      mask
          ? b_.CreateZExt(b_.CreateBitCast(mask, b_.getIntNTy(unsigned(lanes))),
                          b_.getInt64Ty())
          : nullptr;
  emit_loop(
      b_, b_.getInt64(0), b_.getInt64(uint64_t(lanes)), b_.getInt64(1), {},
      [&](llvm::Value* i, std::vector<llvm::Value*>) {
        llvm::Function* f = b_.GetInsertBlock()->getParent();
        auto* next = llvm::BasicBlock::Create(b_.getContext(), "next", f);
        if (bits) {
          auto* active = llvm::BasicBlock::Create(b_.getContext(), "on", f);
          llvm::Value* bit =
              b_.CreateTrunc(b_.CreateLShr(bits, i), b_.getInt1Ty());
          b_.CreateCondBr(bit, active, next);
          b_.SetInsertPoint(active);
        }
        llvm::Value* offset;
        if (offsets)
          offset =
              b_.CreateLoad(b_.getInt64Ty(),
                            b_.CreateInBoundsGEP(b_.getInt64Ty(), offsets, i));
        else if (at.stride == StrideClass::one)
          offset = i;
        else if (at.stride == StrideClass::minus_one)
          offset = b_.CreateNeg(i);
        else
          offset = b_.CreateMul(i, at.lane_stride);
        body(i,
             b_.CreateGEP(b_.getInt8Ty(), at.base,
                          b_.CreateMul(offset, b_.getInt64(uint64_t(bytes)))));
        b_.CreateBr(next);
        b_.SetInsertPoint(next);
        return std::vector<llvm::Value*>();
      });
}

// ---- units: one machine element per lane

llvm::Value* VectorMemory::load_units(llvm::Type* u, const LaneAddress& at,
                                      llvm::Value* mask, int64_t bytes) {
  llvm::Type* vt = e_.wide(u);
  int lanes = e_.lanes();
  llvm::Align align = natural(u);
  if (lanes == 1) {
    if (!mask) return b_.CreateAlignedLoad(u, at.base, align);
    llvm::Value* zero = llvm::Constant::getNullValue(u);
    Scalar none = make_scalar(DType::i64, zero);  // dtype is not looked at
    e_.rare_many(
        make_scalar(DType::bool_, mask), {&none, 1}, [&](std::span<Scalar> v) {
          v[0] =
              make_scalar(DType::i64, b_.CreateAlignedLoad(u, at.base, align));
        });
    return value_of(none);
  }
  llvm::Constant* zero = llvm::Constant::getNullValue(vt);
  bool dense = !at.offsets && at.stride == StrideClass::one;
  bool reversed = !at.offsets && at.stride == StrideClass::minus_one;
  if (dense || reversed) {
    llvm::Value* p = at.base;
    if (reversed)
      p = b_.CreateGEP(b_.getInt8Ty(), p,
                       b_.getInt64(uint64_t(-(lanes - 1) * bytes)));
    if (!mask) {
      llvm::Value* v = b_.CreateAlignedLoad(vt, p, align);
      return reversed ? reverse(v) : v;
    }
    if (native_mask(u)) {
      llvm::Value* m = reversed ? reverse(mask) : mask;
      llvm::Value* v = b_.CreateMaskedLoad(vt, p, align, m, zero);
      return reversed ? reverse(v) : v;
    }
  } else if (int64_t step = interleave_of(at, u, bytes); step && !mask) {
    return load_interleaved(u, at.base, step);
  } else if (native_scatter(u)) {
    llvm::Value* all =
        mask ? mask : llvm::ConstantInt::getTrue(e_.wide(b_.getInt1Ty()));
    return b_.CreateMaskedGather(vt, lane_pointers(at, bytes), align, all,
                                 zero);
  }
  llvm::AllocaInst* slot = entry_alloca(vt);
  b_.CreateStore(zero, slot);
  each_active_lane(at, mask, bytes, [&](llvm::Value* i, llvm::Value* p) {
    b_.CreateAlignedStore(b_.CreateAlignedLoad(u, p, align),
                          b_.CreateInBoundsGEP(u, slot, i), align);
  });
  return b_.CreateLoad(vt, slot);
}

llvm::Value* VectorMemory::load_interleaved(llvm::Type* u, llvm::Value* base,
                                            int64_t step) {
  const int lanes = e_.lanes();
  auto part = [&](int64_t first) {
    return b_.CreateAlignedLoad(e_.wide(u),
                                b_.CreateConstGEP1_64(u, base, uint64_t(first)),
                                natural(u));
  };
  llvm::Value* v = part(0);
  for (int64_t k = 1; k < step; ++k) {
    // Nothing behind the last lane may be touched.
    int64_t first = std::min(k * lanes, (lanes - 1) * step + 1 - lanes);
    llvm::SmallVector<int, 32> pick;
    for (int64_t i = 0; i < lanes; ++i) {
      int64_t at = i * step;
      if (at < k * lanes)  // in place, but for those of the first vector
        pick.push_back(int(k == 1 ? at : i));
      else if (at < first + lanes)
        pick.push_back(int(lanes + at - first));
      else
        pick.push_back(-1);  // a later vector has it
    }
    v = b_.CreateShuffleVector(v, part(first), pick);
  }
  return v;
}

void VectorMemory::store_interleaved(llvm::Value* v, llvm::Type* u,
                                     llvm::Value* base, int64_t step) {
  const int lanes = e_.lanes();
  for (int64_t k = 0; k < step; ++k) {
    llvm::SmallVector<int, 32> pick;
    llvm::SmallVector<llvm::Constant*, 32> mask;
    for (int64_t i = k * lanes; i < (k + 1) * lanes; ++i) {
      bool lane = i % step == 0 && i / step < lanes;
      pick.push_back(lane ? int(i / step) : -1);
      mask.push_back(b_.getInt1(lane));
    }
    b_.CreateMaskedStore(b_.CreateShuffleVector(v, pick),
                         b_.CreateConstGEP1_64(u, base, uint64_t(k * lanes)),
                         natural(u), llvm::ConstantVector::get(mask));
  }
}

void VectorMemory::store_units(llvm::Value* v, llvm::Type* u,
                               const LaneAddress& at, llvm::Value* mask,
                               int64_t bytes, bool streaming) {
  int lanes = e_.lanes();
  llvm::Align align = natural(u);
  if (lanes == 1) {
    if (!mask) {
      b_.CreateAlignedStore(v, at.base, align);
      return;
    }
    e_.rare_many(make_scalar(DType::bool_, mask), {}, [&](std::span<Scalar>) {
      b_.CreateAlignedStore(v, at.base, align);
    });
    return;
  }
  bool dense = !at.offsets && at.stride == StrideClass::one;
  bool reversed = !at.offsets && at.stride == StrideClass::minus_one;
  if (dense || reversed) {
    llvm::Value* p = at.base;
    if (reversed) {
      p = b_.CreateGEP(b_.getInt8Ty(), p,
                       b_.getInt64(uint64_t(-(lanes - 1) * bytes)));
      if (!mask || native_mask(u)) v = reverse(v);
    }
    if (!mask) {
      // Streaming stores want whole, aligned vectors.
      bool nt = streaming && dense;
      int64_t whole = std::min<int64_t>(64, lanes * bytes);
      auto* s = b_.CreateAlignedStore(
          v, p, nt ? llvm::Align(uint64_t(whole)) : align);
      if (nt) {
        auto& ctx = b_.getContext();
        s->setMetadata(
            "nontemporal",
            llvm::MDNode::get(ctx,
                              {llvm::ConstantAsMetadata::get(b_.getInt32(1))}));
      }
      return;
    }
    if (native_mask(u)) {
      b_.CreateMaskedStore(v, p, align, reversed ? reverse(mask) : mask);
      return;
    }
  } else if (int64_t step = interleave_of(at, u, bytes);
             step && !mask && native_mask(u)) {
    return store_interleaved(v, u, at.base, step);
  } else if (native_scatter(u)) {
    llvm::Value* all =
        mask ? mask : llvm::ConstantInt::getTrue(e_.wide(b_.getInt1Ty()));
    b_.CreateMaskedScatter(v, lane_pointers(at, bytes), align, all);
    return;
  }
  llvm::AllocaInst* slot = entry_alloca(v->getType());
  b_.CreateStore(v, slot);
  each_active_lane(at, mask, bytes, [&](llvm::Value* i, llvm::Value* p) {
    b_.CreateAlignedStore(
        b_.CreateAlignedLoad(u, b_.CreateInBoundsGEP(u, slot, i), align), p,
        align);
  });
}

// ---- dtypes

Scalar VectorMemory::from_units(DType t, llvm::Value* v) {
  if (!is_complex(t)) return make_scalar(t, e_.from_memory(t, v));
  int lanes = e_.lanes();
  auto* pairs =
      llvm::FixedVectorType::get(e_.memory_element(t), unsigned(2 * lanes));
  v = b_.CreateBitCast(v, pairs);
  if (lanes == 1)
    return make_scalar(t, b_.CreateExtractElement(v, uint64_t(0)),
                       b_.CreateExtractElement(v, uint64_t(1)));
  llvm::SmallVector<int, 32> even, odd;
  for (int i = 0; i < lanes; ++i) {
    even.push_back(2 * i);
    odd.push_back(2 * i + 1);
  }
  return make_scalar(t, b_.CreateShuffleVector(v, even),
                     b_.CreateShuffleVector(v, odd));
}

llvm::Value* VectorMemory::interleave(llvm::Value* re, llvm::Value* im) {
  int lanes = e_.lanes();
  if (lanes == 1) {
    llvm::Value* v =
        llvm::PoisonValue::get(llvm::FixedVectorType::get(re->getType(), 2));
    v = b_.CreateInsertElement(v, re, uint64_t(0));
    return b_.CreateInsertElement(v, im, uint64_t(1));
  }
  llvm::SmallVector<int, 32> order;
  for (int i = 0; i < lanes; ++i) {
    order.push_back(i);
    order.push_back(lanes + i);
  }
  return b_.CreateShuffleVector(re, im, order);
}

llvm::Value* VectorMemory::to_units(Scalar s) {
  if (!is_complex(s.dtype)) return e_.to_memory(s.dtype, value_of(s));
  return b_.CreateBitCast(interleave(value_of(s), imag_of(s)),
                          e_.wide(b_.getInt64Ty()));
}

Scalar VectorMemory::load(DType t, const LaneAddress& at, llvm::Value* mask) {
  if (t != DType::c128)
    return from_units(t, load_units(unit(t), at, mask, itemsize(t)));
  // Two accesses of doubles, 16 bytes apart.
  LaneAddress part = at;
  if (!part.offsets && part.stride != StrideClass::other) {
    part.lane_stride =
        b_.getInt64(uint64_t(part.stride == StrideClass::one ? 1 : -1));
    part.stride = StrideClass::other;
  }
  llvm::Value* re = load_units(b_.getDoubleTy(), part, mask, 16);
  part.base = b_.CreateGEP(b_.getInt8Ty(), part.base, b_.getInt64(8));
  llvm::Value* im = load_units(b_.getDoubleTy(), part, mask, 16);
  return make_scalar(t, re, im);
}

void VectorMemory::store(Scalar s, const LaneAddress& at, llvm::Value* mask,
                         bool streaming) {
  DType t = s.dtype;
  if (t != DType::c128) {
    store_units(to_units(s), unit(t), at, mask, itemsize(t), streaming);
    return;
  }
  LaneAddress part = at;
  if (!part.offsets && part.stride != StrideClass::other) {
    part.lane_stride =
        b_.getInt64(uint64_t(part.stride == StrideClass::one ? 1 : -1));
    part.stride = StrideClass::other;
  }
  store_units(value_of(s), b_.getDoubleTy(), part, mask, 16, false);
  part.base = b_.CreateGEP(b_.getInt8Ty(), part.base, b_.getInt64(8));
  store_units(imag_of(s), b_.getDoubleTy(), part, mask, 16, false);
}

Scalar VectorMemory::load_splat(DType t, llvm::Value* base) {
  int lanes = e_.lanes();
  e_.set_lanes(1);
  LaneAddress at{.base = base};
  Scalar s = load(t, at, nullptr);
  e_.set_lanes(lanes);
  return e_.splat(s);
}

void VectorMemory::store_one(Scalar value, llvm::Value* base) {
  Scalar one = e_.extract(value, 0);
  int lanes = e_.lanes();
  e_.set_lanes(1);
  LaneAddress at{.base = base};
  store(one, at, nullptr);
  e_.set_lanes(lanes);
}

}  // namespace cotan::cpu
