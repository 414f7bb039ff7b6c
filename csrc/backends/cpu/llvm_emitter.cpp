#include "backends/cpu/llvm_emitter.h"

#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>

#include "backends/cpu/target.h"
#include "base/error.h"

namespace cotan::cpu {

using llvm::Intrinsic::ID;
namespace Intrinsic = llvm::Intrinsic;

// ---- types

llvm::Type* LlvmEmitter::register_element(DType t) const {
  if (t == DType::bool_) return b_.getInt1Ty();
  return memory_element(t);
}
llvm::Type* LlvmEmitter::memory_element(DType t) const {
  switch (t) {
    case DType::f32:
    case DType::c64:
      return b_.getFloatTy();
    case DType::f64:
    case DType::c128:
      return b_.getDoubleTy();
    default:
      return b_.getIntNTy(unsigned(8 * itemsize(t)));
  }
}
llvm::Type* LlvmEmitter::wide(llvm::Type* element) const {
  if (lanes_ == 1) return element;
  return llvm::FixedVectorType::get(element, unsigned(lanes_));
}

llvm::Value* LlvmEmitter::to_memory(DType t, llvm::Value* v) {
  if (t != DType::bool_) return v;
  return b_.CreateZExt(v, memory_type(t));
}
llvm::Value* LlvmEmitter::from_memory(DType t, llvm::Value* v) {
  if (t != DType::bool_) return v;
  return b_.CreateICmpNE(v, llvm::Constant::getNullValue(v->getType()));
}
llvm::Value* LlvmEmitter::splat(llvm::Value* v) {
  return lanes_ == 1 ? v : b_.CreateVectorSplat(unsigned(lanes_), v);
}
Scalar LlvmEmitter::splat(Scalar s) {
  return make_scalar(s.dtype, splat(value_of(s)),
                     imag_of(s) ? splat(imag_of(s)) : nullptr);
}
Scalar LlvmEmitter::extract(Scalar s, int lane) {
  auto get = [&](llvm::Value* v) -> llvm::Value* {
    return v && v->getType()->isVectorTy()
               ? b_.CreateExtractElement(v, uint64_t(lane))
               : v;
  };
  return make_scalar(s.dtype, get(value_of(s)), get(imag_of(s)));
}
llvm::Value* LlvmEmitter::any(llvm::Value* mask) {
  return mask->getType()->isVectorTy() ? b_.CreateOrReduce(mask) : mask;
}

// ---- applications

ScalarOuts LlvmEmitter::apply(const Primitive& p, const Params& params,
                              Scalars x) {
  COTAN_CHECK(p.scalar != nullptr);
  SmallVector<Scalar, 4> operands(x.begin(), x.end());
  if (!(p.flags & kSeesHalf))
    for (Scalar& s : operands)
      if (is_half(s.dtype)) s = convert(s, DType::f32);
  return p.scalar(*this, operands, params);
}

// ---- control

void LlvmEmitter::rare_many(
    Scalar mask, std::span<Scalar> values,
    const std::function<void(std::span<Scalar>)>& slow) {
  llvm::BasicBlock* here = b_.GetInsertBlock();
  llvm::Function* f = here->getParent();
  auto& ctx = b_.getContext();
  auto* rare = llvm::BasicBlock::Create(ctx, "rare", f);
  auto* next = llvm::BasicBlock::Create(ctx, "next", f);
  b_.CreateCondBr(any(value_of(mask)), rare, next,
                  llvm::MDBuilder(ctx).createBranchWeights(1, 1000));

  b_.SetInsertPoint(rare);
  SmallVector<Scalar, 4> replaced(values.begin(), values.end());
  slow(replaced);
  for (size_t i = 0; i < values.size(); ++i)
    replaced[i] = select(mask, replaced[i], values[i]);
  llvm::BasicBlock* from = b_.GetInsertBlock();
  b_.CreateBr(next);

  b_.SetInsertPoint(next);
  auto merge = [&](llvm::Value* usual, llvm::Value* other) -> llvm::Value* {
    if (!usual || usual == other) return usual;
    auto* phi = b_.CreatePHI(usual->getType(), 2);
    phi->addIncoming(usual, here);
    phi->addIncoming(other, from);
    return phi;
  };
  for (size_t i = 0; i < values.size(); ++i) {
    Scalar u = values[i], r = replaced[i];
    values[i] = make_scalar(u.dtype, merge(value_of(u), value_of(r)),
                            merge(imag_of(u), imag_of(r)));
  }
}

bool LlvmEmitter::raw_scale_exp2(Scalar y, Scalar n, Scalar* out) {
  if (!target_.avx512) return false;
  unsigned full = y.dtype == DType::f32 ? 16 : 8;
  unsigned lanes = unsigned(lanes_);
  if (lanes % full != 0 || n.dtype != y.dtype) return false;
  ID id = y.dtype == DType::f32 ? Intrinsic::x86_avx512_mask_scalef_ps_512
                                : Intrinsic::x86_avx512_mask_scalef_pd_512;
  auto* all = llvm::ConstantInt::get(b_.getIntNTy(full), -1, true);
  auto scale = [&](llvm::Value* a, llvm::Value* k) -> llvm::Value* {
    return b_.CreateIntrinsic(id, {}, {a, k, a, all, b_.getInt32(4)});
  };
  llvm::Value *a = value_of(y), *k = value_of(n), *result = nullptr;
  if (lanes == full) {
    result = scale(a, k);
  } else {  // 16 lanes of f64
    llvm::SmallVector<int, 16> lo, hi, both;
    for (unsigned i = 0; i < lanes; ++i) {
      (i < full ? lo : hi).push_back(int(i));
      both.push_back(int(i));
    }
    auto half = [&](llvm::ArrayRef<int> part) {
      return scale(b_.CreateShuffleVector(a, part),
                   b_.CreateShuffleVector(k, part));
    };
    result = b_.CreateShuffleVector(half(lo), half(hi), both);
  }
  *out = make_scalar(y.dtype, result);
  return true;
}

// AVX-512 permutes a register (f32) or a pair of them (f64); elsewhere a
// gather from a constant.
Scalar LlvmEmitter::raw_lookup(Scalar index, DType t, const double* table) {
  constexpr unsigned kSize = 16;
  llvm::Type* element = register_element(t);
  llvm::SmallVector<llvm::Constant*, kSize> values;
  for (unsigned i = 0; i < kSize; ++i)
    values.push_back(llvm::ConstantFP::get(element, table[i]));
  llvm::Value* x = value_of(index);
  bool is32 = t == DType::f32;
  int full = is32 ? 16 : 8;
  if (target_.avx512 && lanes_ > 1 && (lanes_ % full == 0 || is32)) {
    llvm::ArrayRef<llvm::Constant*> all(values);
    auto permute = [&](llvm::Value* i) -> llvm::Value* {
      if (is32)
        return b_.CreateIntrinsic(Intrinsic::x86_avx512_permvar_sf_512, {},
                                  {llvm::ConstantVector::get(all), i});
      auto* lo = llvm::ConstantVector::get(all.take_front(8));
      auto* hi = llvm::ConstantVector::get(all.drop_front(8));
      return b_.CreateIntrinsic(Intrinsic::x86_avx512_vpermi2var_pd_512, {},
                                {lo, i, hi});
    };
    // In pieces of a register, the last one filled up with repetitions.
    auto slice = [&](llvm::Value* v, int from, int n, int of) {
      llvm::SmallVector<int, 32> mask;
      for (int i = 0; i < n; ++i) mask.push_back((from + i) % of);
      return b_.CreateShuffleVector(v, mask);
    };
    llvm::Value* r = nullptr;
    for (int from = 0; from < lanes_; from += full) {
      llvm::Value* piece = permute(slice(x, from, full, lanes_));
      if (!r) {
        r = piece;
        continue;
      }
      llvm::SmallVector<int, 64> both;
      for (int i = 0; i < from + full; ++i) both.push_back(i);
      llvm::Value* wide = slice(piece, 0, from, full);
      r = b_.CreateShuffleVector(r, from == full ? piece : wide, both);
    }
    return make_scalar(t, lanes_ < full ? slice(r, 0, lanes_, full) : r);
  }
  auto* array_type = llvm::ArrayType::get(element, kSize);
  llvm::Module* m = b_.GetInsertBlock()->getModule();
  auto* global = new llvm::GlobalVariable(
      *m, array_type, true, llvm::GlobalValue::PrivateLinkage,
      llvm::ConstantArray::get(array_type, values), "table");
  global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  x = b_.CreateAnd(x, llvm::ConstantInt::get(x->getType(), kSize - 1));
  llvm::Value* at = b_.CreateInBoundsGEP(element, global, x);
  llvm::Align align(uint64_t(itemsize(t)));
  llvm::Value* r =
      lanes_ == 1
          ? static_cast<llvm::Value*>(b_.CreateAlignedLoad(element, at, align))
          : b_.CreateMaskedGather(register_type(t), at, align);
  return make_scalar(t, r);
}

// ---- constants and simple operations

Scalar LlvmEmitter::raw_constant(const Literal& lit) {
  llvm::Type* t = register_element(lit.dtype);
  llvm::Constant* c;
  if (lit.dtype == DType::f32) {
    float v;
    std::memcpy(&v, lit.bytes, sizeof v);
    c = llvm::ConstantFP::get(b_.getContext(), llvm::APFloat(v));
  } else if (lit.dtype == DType::f64) {
    double v;
    std::memcpy(&v, lit.bytes, sizeof v);
    c = llvm::ConstantFP::get(b_.getContext(), llvm::APFloat(v));
  } else {
    uint64_t bits = 0;
    std::memcpy(&bits, lit.bytes, size_t(itemsize(lit.dtype)));
    if (lit.dtype == DType::bool_) bits = bits != 0;
    c = llvm::ConstantInt::get(t, bits);
  }
  if (lanes_ > 1)
    c = llvm::ConstantVector::getSplat(
        llvm::ElementCount::getFixed(unsigned(lanes_)), c);
  return make_scalar(lit.dtype, c);
}

Scalar LlvmEmitter::raw_unary(UnaryOp op, Scalar s) {
  if (is_half(s.dtype))
    return convert(raw_unary(op, convert(s, DType::f32)), s.dtype);
  llvm::Value* x = value_of(s);
  bool fp = is_float(s.dtype);
  llvm::Value* r = nullptr;
  switch (op) {
    case UnaryOp::neg:
      r = fp ? b_.CreateFNeg(x) : b_.CreateNeg(x);
      break;
    case UnaryOp::not_:
      r = b_.CreateNot(x);
      break;
    case UnaryOp::abs:
      COTAN_CHECK(fp);
      r = unary_intrinsic(Intrinsic::fabs, x);
      break;
    case UnaryOp::sqrt:
      r = unary_intrinsic(Intrinsic::sqrt, x);
      break;
    case UnaryOp::trunc:
      r = unary_intrinsic(Intrinsic::trunc, x);
      break;
    case UnaryOp::floor:
      r = unary_intrinsic(Intrinsic::floor, x);
      break;
    case UnaryOp::ceil:
      r = unary_intrinsic(Intrinsic::ceil, x);
      break;
    case UnaryOp::round_even:
      r = unary_intrinsic(Intrinsic::roundeven, x);
      break;
    case UnaryOp::clz:
      r = b_.CreateBinaryIntrinsic(Intrinsic::ctlz, x, b_.getFalse());
      break;
    case UnaryOp::popcount:
      r = unary_intrinsic(Intrinsic::ctpop, x);
      break;
  }
  return make_scalar(s.dtype, r);
}

Scalar LlvmEmitter::raw_binary(BinaryOp op, Scalar a, Scalar c) {
  COTAN_CHECK(a.dtype == c.dtype);
  if (is_half(a.dtype)) {
    Scalar wide =
        raw_binary(op, convert(a, DType::f32), convert(c, DType::f32));
    return convert(wide, a.dtype);
  }
  llvm::Value *x = value_of(a), *y = value_of(c);
  llvm::Value* r = is_float(a.dtype) ? float_binary(op, a.dtype, x, y)
                                     : int_binary(op, a.dtype, x, y);
  return make_scalar(a.dtype, r);
}

llvm::Value* LlvmEmitter::float_binary(BinaryOp op, DType t, llvm::Value* x,
                                       llvm::Value* y) {
  switch (op) {
    case BinaryOp::add:
      return b_.CreateFAdd(x, y);
    case BinaryOp::sub:
      return b_.CreateFSub(x, y);
    case BinaryOp::mul:
      return b_.CreateFMul(x, y);
    case BinaryOp::div:
      return b_.CreateFDiv(x, y);
    case BinaryOp::rem:
      return float_rem(t, x, y);
    default:
      COTAN_CHECK(!"bit operation on floats");
      return nullptr;
  }
}

llvm::Value* LlvmEmitter::int_binary(BinaryOp op, DType t, llvm::Value* x,
                                     llvm::Value* y) {
  bool is_bool = t == DType::bool_;
  switch (op) {
    case BinaryOp::add:
      return is_bool ? b_.CreateOr(x, y) : b_.CreateAdd(x, y);
    case BinaryOp::sub:
      return b_.CreateSub(x, y);
    case BinaryOp::mul:
      return is_bool ? b_.CreateAnd(x, y) : b_.CreateMul(x, y);
    case BinaryOp::div:
    case BinaryOp::rem:
      if (itemsize(t) <= 4 && lanes_ > 1)
        return small_int_division(op, t, x, y);
      if (op == BinaryOp::div)
        return is_signed_int(t) ? b_.CreateSDiv(x, y) : b_.CreateUDiv(x, y);
      return is_signed_int(t) ? b_.CreateSRem(x, y) : b_.CreateURem(x, y);
    case BinaryOp::and_:
      return b_.CreateAnd(x, y);
    case BinaryOp::or_:
      return b_.CreateOr(x, y);
    case BinaryOp::xor_:
      return b_.CreateXor(x, y);
    case BinaryOp::shl:
      return b_.CreateShl(x, y);
    case BinaryOp::lshr:
      return b_.CreateLShr(x, y);
    case BinaryOp::ashr:
      return b_.CreateAShr(x, y);
    case BinaryOp::mulhi:
      return mul_high(t, x, y);
  }
  return nullptr;
}

// There is no vector division of integers; the quotient of two 32-bit numbers
// in double, truncated, is exact (16 bits: in float).
llvm::Value* LlvmEmitter::small_int_division(BinaryOp op, DType t,
                                             llvm::Value* x, llvm::Value* y) {
  bool is_signed = is_signed_int(t);
  llvm::Type* fp = wide(itemsize(t) == 4 ? b_.getDoubleTy() : b_.getFloatTy());
  llvm::Type* it = wide(itemsize(t) == 4 ? b_.getInt64Ty() : b_.getInt32Ty());
  auto up = [&](llvm::Value* v) {
    return is_signed ? b_.CreateSIToFP(v, fp) : b_.CreateUIToFP(v, fp);
  };
  llvm::Value* quotient = b_.CreateFDiv(up(x), up(y));
  // Signed quotients fit into the type itself, unsigned ones into the wider.
  llvm::Value* q =
      is_signed && itemsize(t) == 4
          ? b_.CreateFPToSI(quotient, x->getType())
          : b_.CreateTrunc(b_.CreateFPToSI(quotient, it), x->getType());
  q = b_.CreateFreeze(q);
  if (op == BinaryOp::div) return q;
  return b_.CreateSub(x, b_.CreateMul(q, y));
}

llvm::Value* LlvmEmitter::mul_high(DType t, llvm::Value* x, llvm::Value* y) {
  unsigned bits = unsigned(bit_width(t));
  COTAN_CHECK(t == DType::u32 || t == DType::u64);
  if (bits == 32 || lanes_ == 1) {
    llvm::Type* w = wide(b_.getIntNTy(2 * bits));
    llvm::Value* p = b_.CreateMul(b_.CreateZExt(x, w), b_.CreateZExt(y, w));
    return b_.CreateTrunc(b_.CreateLShr(p, bits), x->getType());
  }
  // 64 x 64 -> high 64 from four 32 x 32 -> 64 products.
  auto lo = [&](llvm::Value* v) {
    return b_.CreateAnd(v, llvm::ConstantInt::get(v->getType(), 0xffffffff));
  };
  auto hi = [&](llvm::Value* v) { return b_.CreateLShr(v, 32); };
  llvm::Value* ll = b_.CreateMul(lo(x), lo(y));
  llvm::Value* lh = b_.CreateMul(lo(x), hi(y));
  llvm::Value* hl = b_.CreateMul(hi(x), lo(y));
  llvm::Value* hh = b_.CreateMul(hi(x), hi(y));
  llvm::Value* mid = b_.CreateAdd(b_.CreateAdd(hi(ll), lo(lh)), hl);
  return b_.CreateAdd(b_.CreateAdd(hh, hi(lh)), hi(mid));
}

llvm::Value* LlvmEmitter::per_lane_call(const char* name, llvm::Type* element,
                                        llvm::Value* x, llvm::Value* y) {
  llvm::Module* m = b_.GetInsertBlock()->getModule();
  auto* type = llvm::FunctionType::get(element, {element, element}, false);
  llvm::FunctionCallee callee = m->getOrInsertFunction(name, type);
  if (lanes_ == 1) return b_.CreateCall(callee, {x, y});
  llvm::Value* r = llvm::PoisonValue::get(x->getType());
  for (int i = 0; i < lanes_; ++i) {
    auto* v = b_.CreateCall(callee, {b_.CreateExtractElement(x, uint64_t(i)),
                                     b_.CreateExtractElement(y, uint64_t(i))});
    r = b_.CreateInsertElement(r, v, uint64_t(i));
  }
  return r;
}

// C fmod. While the quotient is a small integer, x - q*y is exact in one fma
// and q is off by at most one; the rest goes to libm, whose fmod is exact too.
llvm::Value* LlvmEmitter::float_rem(DType t, llvm::Value* x, llvm::Value* y) {
  bool is32 = t == DType::f32;
  llvm::Type* ft = x->getType();
  auto c = [&](double v) { return llvm::ConstantFP::get(ft, v); };
  llvm::Value* ax = unary_intrinsic(Intrinsic::fabs, x);
  llvm::Value* ay = unary_intrinsic(Intrinsic::fabs, y);
  llvm::Value* quotient = b_.CreateFDiv(ax, ay);
  llvm::Value* q = unary_intrinsic(Intrinsic::trunc, quotient);
  llvm::Value* r =
      b_.CreateIntrinsic(Intrinsic::fma, {ft}, {b_.CreateFNeg(q), ay, ax});
  r = b_.CreateSelect(b_.CreateFCmpOLT(r, c(0)), b_.CreateFAdd(r, ay), r);
  r = b_.CreateSelect(b_.CreateFCmpOGE(r, ay), b_.CreateFSub(r, ay), r);
  r = b_.CreateBinaryIntrinsic(Intrinsic::copysign, r, x);
  llvm::Value* easy =
      b_.CreateAnd(b_.CreateFCmpOLT(quotient, c(is32 ? 0x1p22 : 0x1p51)),
                   b_.CreateFCmpOLT(ay, c(INFINITY)));
  Scalar result = make_scalar(t, r);
  return value_of(
      rare(make_scalar(DType::bool_, b_.CreateNot(easy)), result, [&] {
        return make_scalar(
            t, per_lane_call(is32 ? "fmodf" : "fmod", memory_element(t), x, y));
      }));
}

Scalar LlvmEmitter::raw_compare(CompareOp op, Scalar a, Scalar c) {
  COTAN_CHECK(a.dtype == c.dtype);
  if (is_half(a.dtype))
    return raw_compare(op, convert(a, DType::f32), convert(c, DType::f32));
  using P = llvm::CmpInst::Predicate;
  static constexpr P kFloat[] = {P::FCMP_OEQ, P::FCMP_UNE, P::FCMP_OLT,
                                 P::FCMP_OLE, P::FCMP_OGT, P::FCMP_OGE};
  static constexpr P kSigned[] = {P::ICMP_EQ,  P::ICMP_NE,  P::ICMP_SLT,
                                  P::ICMP_SLE, P::ICMP_SGT, P::ICMP_SGE};
  static constexpr P kUnsigned[] = {P::ICMP_EQ,  P::ICMP_NE,  P::ICMP_ULT,
                                    P::ICMP_ULE, P::ICMP_UGT, P::ICMP_UGE};
  const P* table = is_float(a.dtype)        ? kFloat
                   : is_signed_int(a.dtype) ? kSigned
                                            : kUnsigned;
  return make_scalar(DType::bool_,
                     b_.CreateCmp(table[int(op)], value_of(a), value_of(c)));
}

Scalar LlvmEmitter::raw_select(Scalar mask, Scalar x, Scalar y) {
  COTAN_CHECK(x.dtype == y.dtype && mask.dtype == DType::bool_);
  return make_scalar(x.dtype,
                     b_.CreateSelect(value_of(mask), value_of(x), value_of(y)));
}

Scalar LlvmEmitter::raw_fma(Scalar x, Scalar y, Scalar z) {
  if (is_half(x.dtype)) {
    auto up = [&](Scalar s) { return convert(s, DType::f32); };
    return convert(raw_fma(up(x), up(y), up(z)), x.dtype);
  }
  auto* r = b_.CreateIntrinsic(Intrinsic::fma, {value_of(x)->getType()},
                               {value_of(x), value_of(y), value_of(z)});
  return make_scalar(x.dtype, r);
}

Scalar LlvmEmitter::raw_bitcast(Scalar x, DType to) {
  COTAN_CHECK(itemsize(x.dtype) == itemsize(to));
  llvm::Value* v = value_of(x);
  if (x.dtype == to) return x;
  if (x.dtype == DType::bool_) v = to_memory(x.dtype, v);
  if (to == DType::bool_)
    v = from_memory(to, v);
  else
    v = b_.CreateBitCast(v, register_type(to));
  return make_scalar(to, v);
}

// ---- conversions

Scalar LlvmEmitter::raw_convert(Scalar x, DType to) {
  if (x.dtype == to) return x;
  return make_scalar(to, convert_value(value_of(x), x.dtype, to));
}

llvm::Value* LlvmEmitter::convert_value(llvm::Value* v, DType from, DType to) {
  if (to == DType::bool_) {
    if (is_half(from)) v = half_to_f32(from, v), from = DType::f32;
    llvm::Value* zero = llvm::Constant::getNullValue(v->getType());
    return is_float(from) ? b_.CreateFCmpUNE(v, zero)
                          : b_.CreateICmpNE(v, zero);
  }
  if (is_half(from)) return convert_value(half_to_f32(from, v), DType::f32, to);
  if (is_half(to)) {
    // One rounding only: from f64 and from integers beyond 24 bits by way of
    // a float rounded to odd.
    if (from == DType::f64) return f32_to_half(f64_to_odd_f32(v), to);
    if (is_int(from) && itemsize(from) >= 4) {
      // Beyond 2^53 the double itself is rounded, which is far above the
      // 11 bits that survive except for ties; keep the sticky bit there.
      llvm::Value* d = convert_value(v, from, DType::f64);
      return f32_to_half(f64_to_odd_f32(d), to);
    }
    if (from != DType::f32) v = convert_value(v, from, DType::f32);
    return f32_to_half(v, to);
  }
  llvm::Type* t = register_type(to);
  if (is_float(from)) {
    if (is_float(to)) return b_.CreateFPCast(v, t);
    ID id = is_signed_int(to) ? Intrinsic::fptosi_sat : Intrinsic::fptoui_sat;
    return b_.CreateIntrinsic(id, {t, v->getType()}, {v});
  }
  bool is_signed = is_signed_int(from);
  if (is_float(to))
    return is_signed ? b_.CreateSIToFP(v, t) : b_.CreateUIToFP(v, t);
  return b_.CreateIntCast(v, t, is_signed);
}

llvm::Value* LlvmEmitter::half_to_f32(DType t, llvm::Value* bits) {
  llvm::Type* ft = wide(b_.getFloatTy());
  if (t == DType::f16)
    return b_.CreateFPExt(b_.CreateBitCast(bits, wide(b_.getHalfTy())), ft);
  llvm::Value* u = b_.CreateZExt(bits, wide(b_.getInt32Ty()));
  return b_.CreateBitCast(b_.CreateShl(u, 16), ft);
}

llvm::Value* LlvmEmitter::f32_to_half(llvm::Value* v, DType to) {
  llvm::Type* i16 = wide(b_.getInt16Ty());
  if (to == DType::f16)
    return b_.CreateBitCast(b_.CreateFPTrunc(v, wide(b_.getHalfTy())), i16);
  llvm::Type* i32 = wide(b_.getInt32Ty());
  auto c = [&](uint32_t k) { return llvm::ConstantInt::get(i32, k); };
  llvm::Value* u = b_.CreateBitCast(v, i32);
  llvm::Value* odd = b_.CreateAnd(b_.CreateLShr(u, 16), c(1));
  llvm::Value* round = b_.CreateAdd(u, b_.CreateAdd(odd, c(0x7fff)));
  llvm::Value* nan = b_.CreateOr(u, c(0x400000));
  llvm::Value* r = b_.CreateSelect(b_.CreateFCmpUNO(v, v), nan, round);
  return b_.CreateTrunc(b_.CreateLShr(r, 16), i16);
}

// Truncates toward zero and keeps in the last bit whether anything was lost,
// so that a later rounding to fewer bits is right.
llvm::Value* LlvmEmitter::f64_to_odd_f32(llvm::Value* v) {
  llvm::Type *ft = wide(b_.getFloatTy()), *i32 = wide(b_.getInt32Ty());
  llvm::Value* f = b_.CreateFPTrunc(v, ft);
  llvm::Value* back = b_.CreateFPExt(f, v->getType());
  auto abs = [&](llvm::Value* x) {
    return unary_intrinsic(Intrinsic::fabs, x);
  };
  llvm::Value* up = b_.CreateFCmpOGT(abs(back), abs(v));
  llvm::Value* inexact = b_.CreateFCmpONE(back, v);
  llvm::Value* u = b_.CreateBitCast(f, i32);
  u = b_.CreateSub(u, b_.CreateZExt(up, i32));
  u = b_.CreateOr(u, b_.CreateZExt(inexact, i32));
  return b_.CreateBitCast(u, ft);
}

}  // namespace cotan::cpu
