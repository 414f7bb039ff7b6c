#include "backends/cpu/math_kernel.h"

#include <llvm/IR/Module.h>

#include "backends/cpu/llvm_emitter.h"
#include "base/error.h"

namespace cotan::cpu {

MathKernel compile_math(MathFn fn, DType dtype, int lanes, const char* cpu) {
  COTAN_CHECK(dtype == DType::f32 || dtype == DType::f64);
  const TargetSpec& target = cpu ? named_target(cpu) : host_target();
  CompileSession session(target);
  auto module = session.new_module("math");
  Builder b(module->getContext());
  LlvmEmitter e(b, target, lanes);
  llvm::Type *ptr = b.getPtrTy(), *i64 = b.getInt64Ty();
  auto* type =
      llvm::FunctionType::get(b.getVoidTy(), {ptr, ptr, ptr, i64}, false);
  auto* f = llvm::Function::Create(type, llvm::Function::ExternalLinkage,
                                   "cotan_math", *module);
  for (unsigned k = 0; k < 3; ++k) f->addParamAttr(k, llvm::Attribute::NoAlias);
  f->addFnAttr("prefer-vector-width", "512");
  auto block = [&](const char* name) {
    return llvm::BasicBlock::Create(module->getContext(), name, f);
  };
  auto *entry = block("entry"), *loop = block("loop"), *done = block("done");
  b.SetInsertPoint(entry);
  auto* zero = llvm::ConstantInt::get(i64, 0);
  b.CreateCondBr(b.CreateICmpSGT(f->getArg(3), zero), loop, done);
  b.SetInsertPoint(loop);
  auto* i = b.CreatePHI(i64, 2);
  i->addIncoming(zero, entry);
  llvm::Align align(uint64_t(itemsize(dtype)));
  auto at = [&](unsigned k) {
    return b.CreateInBoundsGEP(e.memory_element(dtype), f->getArg(k), i);
  };
  auto load = [&](unsigned k) {
    auto* v = b.CreateAlignedLoad(e.memory_type(dtype), at(k), align);
    return make_scalar(dtype, v);
  };
  bool two = fn == MathFn::pow || fn == MathFn::atan2;
  Scalar x = load(0);
  Scalar r = e.math(fn, x, two ? load(1) : Scalar{});
  b.CreateAlignedStore(value_of(r), at(2), align);
  auto* next = b.CreateAdd(i, llvm::ConstantInt::get(i64, uint64_t(lanes)));
  i->addIncoming(next, b.GetInsertBlock());
  b.CreateCondBr(b.CreateICmpSLT(next, f->getArg(3)), loop, done);
  b.SetInsertPoint(done);
  b.CreateRetVoid();

  MathKernel k;
  k.code = link_object(session.compile(std::move(module)));
  k.run = k.code->find_as<void(const void*, const void*, void*, int64_t)>(
      "cotan_math");
  COTAN_CHECK(k.run != nullptr);
  return k;
}

}  // namespace cotan::cpu
