// Building blocks of the GEMM emitters: see gemm_ir.h.
#include "backends/cpu/gemm/gemm_ir.h"

#include <llvm/IR/Intrinsics.h>

namespace cotan::cpu {

using namespace llvm;

GemmIr::GemmIr(Module& module_, const GemmSpec& spec_)
    : module(module_), spec(spec_), b(module_.getContext()) {
  ptr = b.getPtrTy();
  i64 = b.getInt64Ty();
  element = storage(spec.types.compute);
  lanes = spec.tiling.lanes;
  vec = vector(element, lanes);
  size = itemsize(spec.types.compute);
  out_size = itemsize(spec.types.out);
}

Function* GemmIr::begin(const std::string& name, ArrayRef<Type*> args) {
  auto* type = FunctionType::get(b.getVoidTy(), args, false);
  auto* f = Function::Create(type, GlobalValue::ExternalLinkage, name, module);
  f->addFnAttr(Attribute::NoUnwind);
  f->addFnAttr("prefer-vector-width", std::to_string(spec.target.vector_bits));
  f->addFnAttr("min-legal-vector-width",
               std::to_string(spec.target.vector_bits));
  b.SetInsertPoint(BasicBlock::Create(module.getContext(), "entry", f));
  return f;
}

Type* GemmIr::storage(DType t) {
  switch (t) {
    case DType::f64:
      return b.getDoubleTy();
    case DType::f32:
      return b.getFloatTy();
    case DType::f16:
      return b.getHalfTy();
    default:
      return b.getIntNTy(unsigned(8 * itemsize(t)));
  }
}

Value* GemmIr::min(Value* x, Value* y) {
  return b.CreateBinaryIntrinsic(Intrinsic::smin, x, y);
}

static Align element_align(Type* t) {
  return Align(t->getScalarSizeInBits() / 8);
}
Value* GemmIr::load(Type* type, Value* p, Value* mask) {
  if (!mask) return b.CreateAlignedLoad(type, p, element_align(type));
  return b.CreateMaskedLoad(type, p, element_align(type), mask,
                            Constant::getNullValue(type));
}
void GemmIr::store(Value* v, Value* p, Value* mask) {
  if (!mask)
    b.CreateAlignedStore(v, p, element_align(v->getType()));
  else
    b.CreateMaskedStore(v, p, element_align(v->getType()), mask);
}
void GemmIr::prefetch(Value* p) {
  b.CreateIntrinsic(Intrinsic::prefetch, {ptr},
                    {p, b.getInt32(0), b.getInt32(3), b.getInt32(1)});
}

Value* GemmIr::lanes_below(Value* count, int first, int n) {
  SmallVector<Constant*> ids;
  for (int l = 0; l < n; l++) ids.push_back(b.getInt32(uint32_t(first + l)));
  auto* limit = splat(b.CreateTrunc(count, b.getInt32Ty()), n);
  return b.CreateICmpSLT(ConstantVector::get(ids), limit);
}

AllocaInst* GemmIr::stack(Type* type, int n) {
  auto& entry = b.GetInsertBlock()->getParent()->getEntryBlock();
  IRBuilder<> at_entry(&entry, entry.begin());
  auto* slot = at_entry.CreateAlloca(type, at_entry.getInt64(uint64_t(n)));
  slot->setAlignment(Align(64));
  return slot;
}

Value* GemmIr::loop(Value* lo, Value* hi, int64_t step,
                    function_ref<void(Value*)> body, Values* carried) {
  Values none, &values = carried ? *carried : none, before = values;
  auto* f = b.GetInsertBlock()->getParent();
  auto* pre = b.GetInsertBlock();
  auto* head = BasicBlock::Create(module.getContext(), "loop", f);
  auto* exit = BasicBlock::Create(module.getContext(), "done", f);
  auto* limit = step == 1 ? hi : b.CreateSub(hi, k(step - 1));
  b.CreateCondBr(b.CreateICmpSLT(lo, limit), head, exit);
  b.SetInsertPoint(head);
  auto* i = b.CreatePHI(i64, 2);
  i->addIncoming(lo, pre);
  for (auto& v : values) v = b.CreatePHI(v->getType(), 2);
  auto phis = values;
  body(i);
  auto* next = add(i, k(step));
  auto* tail = b.GetInsertBlock();
  i->addIncoming(next, tail);
  b.CreateCondBr(b.CreateICmpSLT(next, limit), head, exit);
  b.SetInsertPoint(exit);
  auto merge = [&](Value* x, Value* y) {
    auto* phi = b.CreatePHI(x->getType(), 2);
    phi->addIncoming(x, pre);
    phi->addIncoming(y, tail);
    return phi;
  };
  for (size_t v = 0; v < values.size(); v++) {
    cast<PHINode>(phis[v])->addIncoming(before[v], pre);
    cast<PHINode>(phis[v])->addIncoming(values[v], tail);
    values[v] = merge(before[v], values[v]);
  }
  return merge(lo, next);
}

void GemmIr::when(Value* condition, function_ref<void()> body, Values* values) {
  Values none, &out = values ? *values : none, before = out;
  auto* f = b.GetInsertBlock()->getParent();
  auto* pre = b.GetInsertBlock();
  auto* then = BasicBlock::Create(module.getContext(), "then", f);
  auto* exit = BasicBlock::Create(module.getContext(), "endif", f);
  b.CreateCondBr(condition, then, exit);
  b.SetInsertPoint(then);
  body();
  auto* from = b.GetInsertBlock();
  b.CreateBr(exit);
  b.SetInsertPoint(exit);
  for (size_t v = 0; v < out.size(); v++) {
    auto* phi = b.CreatePHI(out[v]->getType(), 2);
    phi->addIncoming(before[v], pre);
    phi->addIncoming(out[v], from);
    out[v] = phi;
  }
}

void GemmIr::branch(Value* condition, function_ref<void()> yes,
                    function_ref<void()> no) {
  auto* f = b.GetInsertBlock()->getParent();
  auto* then = BasicBlock::Create(module.getContext(), "then", f);
  auto* other = BasicBlock::Create(module.getContext(), "else", f);
  auto* exit = BasicBlock::Create(module.getContext(), "endif", f);
  b.CreateCondBr(condition, then, other);
  b.SetInsertPoint(then);
  yes();
  b.CreateBr(exit);
  b.SetInsertPoint(other);
  no();
  b.CreateBr(exit);
  b.SetInsertPoint(exit);
}

Value* GemmIr::multiply_add(Value* x, Value* y, Value* sum) {
  if (element->isIntegerTy()) return b.CreateAdd(b.CreateMul(x, y), sum);
  return b.CreateIntrinsic(Intrinsic::fma, {x->getType()}, {x, y, sum});
}
Value* GemmIr::plus(Value* x, Value* y) {
  return element->isIntegerTy() ? b.CreateAdd(x, y) : b.CreateFAdd(x, y);
}

std::pair<Value*, Value*> GemmIr::swap_blocks(Value* x, Value* y, int s) {
  int n = int(cast<FixedVectorType>(x->getType())->getNumElements());
  SmallVector<int> lo, hi;
  for (int l = 0; l < n; l++) {
    lo.push_back(l & s ? n + l - s : l);
    hi.push_back(l & s ? n + l : l + s);
  }
  return {b.CreateShuffleVector(x, y, lo), b.CreateShuffleVector(x, y, hi)};
}

// --- Conversions ------------------------------------------------------------

Type* GemmIr::like(Value* x, Type* e) {
  auto* v = dyn_cast<FixedVectorType>(x->getType());
  return v ? vector(e, int(v->getNumElements())) : e;
}

// f16 bits to f32 without F16C: scaling by 2^112 also normalises subnormals.
Value* GemmIr::half_to_float(Value* bits) {
  auto* i32 = like(bits, b.getInt32Ty());
  auto* f32 = like(bits, b.getFloatTy());
  auto c = [&](uint32_t v) { return ConstantInt::get(i32, v); };
  auto* h = b.CreateZExt(bits, i32);
  auto* magnitude = b.CreateShl(b.CreateAnd(h, c(0x7fff)), c(13));
  auto* scaled = b.CreateFMul(b.CreateBitCast(magnitude, f32),
                              ConstantFP::get(f32, 0x1p112));
  auto* special = b.CreateICmpUGE(magnitude, c(0x7c00u << 13));
  auto* value = b.CreateSelect(special, b.CreateOr(magnitude, c(0x7f800000)),
                               b.CreateBitCast(scaled, i32));
  auto* sign = b.CreateShl(b.CreateAnd(h, c(0x8000)), c(16));
  return b.CreateBitCast(b.CreateOr(value, sign), f32);
}

// Round to nearest even. Values below 2^-14 are rounded by adding 0.5, whose
// unit in the last place is f16's subnormal one.
Value* GemmIr::float_to_half(Value* x) {
  auto* i32 = like(x, b.getInt32Ty());
  auto* f32 = x->getType();
  auto c = [&](uint32_t v) { return ConstantInt::get(i32, v); };
  auto* bits = b.CreateBitCast(x, i32);
  auto* sign = b.CreateAnd(bits, c(0x80000000));
  auto* m = b.CreateXor(bits, sign);
  auto* odd = b.CreateAnd(b.CreateLShr(m, c(13)), c(1));
  auto* normal =
      b.CreateLShr(b.CreateAdd(b.CreateAdd(m, c(0xc8000fff)), odd), c(13));
  auto* half = ConstantFP::get(f32, 0.5);
  auto* tiny = b.CreateSub(
      b.CreateBitCast(b.CreateFAdd(b.CreateBitCast(m, f32), half), i32),
      b.CreateBitCast(half, i32));
  auto* nan =
      b.CreateOr(b.CreateAnd(b.CreateLShr(m, c(13)), c(0x3ff)), c(0x7e00));
  auto* finite =
      b.CreateSelect(b.CreateICmpULT(m, c(113u << 23)), tiny, normal);
  auto* big = b.CreateSelect(b.CreateICmpUGT(m, c(0x7f800000)), nan, c(0x7c00));
  auto* r = b.CreateSelect(b.CreateICmpUGE(m, c(143u << 23)), big, finite);
  r = b.CreateOr(r, b.CreateLShr(sign, c(16)));
  return b.CreateTrunc(r, like(x, b.getInt16Ty()));
}

// Not fptrunc: vcvtneps2bf16 flushes subnormals.
Value* GemmIr::float_to_bfloat(Value* x) {
  auto* i32 = like(x, b.getInt32Ty());
  auto c = [&](uint32_t v) { return ConstantInt::get(i32, v); };
  auto* bits = b.CreateBitCast(x, i32);
  auto* high = b.CreateLShr(bits, c(16));
  auto* odd = b.CreateAnd(high, c(1));
  auto* rounded =
      b.CreateLShr(b.CreateAdd(b.CreateAdd(bits, c(0x7fff)), odd), c(16));
  auto* nan = b.CreateOr(high, c(0x40));
  auto* r = b.CreateSelect(b.CreateFCmpUNO(x, x), nan, rounded);
  return b.CreateTrunc(r, like(x, b.getInt16Ty()));
}

Value* GemmIr::widen(Value* x, DType from) {
  if (from == spec.types.compute) return x;
  auto* to = like(x, element);
  if (is_half(from)) {
    auto* f32 = like(x, b.getFloatTy());
    if (from == DType::bf16) {
      auto* i32 = like(x, b.getInt32Ty());
      x = b.CreateBitCast(b.CreateShl(b.CreateZExt(x, i32), 16), f32);
    } else if (spec.target.f16_convert) {
      x = b.CreateFPExt(x, f32);
    } else {
      x = half_to_float(b.CreateBitCast(x, like(x, b.getInt16Ty())));
    }
    return b.CreateFPExt(x, to);
  }
  if (is_float(from)) return b.CreateFPExt(x, to);
  bool is_signed = is_signed_int(from);
  if (element->isIntegerTy()) return b.CreateIntCast(x, to, is_signed);
  return is_signed ? b.CreateSIToFP(x, to) : b.CreateUIToFP(x, to);
}

Value* GemmIr::narrow(Value* x) {
  DType out = spec.types.out;
  auto* to = like(x, storage(out));
  if (x->getType() == to) return x;
  auto* from = x->getType()->getScalarType();
  bool bits = from->isIntegerTy(16) && is_half(out);
  if (bits || from->isBFloatTy() || from->isHalfTy())
    return b.CreateBitCast(x, to);
  if (from->isIntegerTy())
    return is_float(out) ? b.CreateSIToFP(x, to)
                         : b.CreateIntCast(x, to, is_signed_int(out));
  if (!is_half(out)) return b.CreateFPCast(x, to);
  x = b.CreateFPCast(x, like(x, b.getFloatTy()));
  if (out == DType::bf16) return float_to_bfloat(x);
  if (spec.target.f16_convert) return b.CreateFPTrunc(x, to);
  return b.CreateBitCast(float_to_half(x), to);
}

// --- Arguments --------------------------------------------------------------

Value* TileArgs::pointer(size_t offset) {
  return ir_.b.CreateLoad(ir_.ptr, ir_.at(tile_, int64_t(offset)));
}
Value* TileArgs::number(size_t offset) {
  return ir_.b.CreateLoad(ir_.i64, ir_.at(tile_, int64_t(offset)));
}

void finish_vector(GemmIr& ir, const Epilogue* epilogue, Value* sum,
                   const EpilogueCtx& ctx, Value* c) {
  if (epilogue) sum = epilogue->apply(ir.b, sum, ctx);
  ir.store(ir.narrow(sum), c, ctx.mask);
}

}  // namespace cotan::cpu
