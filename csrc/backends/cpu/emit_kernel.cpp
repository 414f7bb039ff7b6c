// Kernels as functions, and the loop over their grid.
#include <llvm/IR/Function.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include "backends/cpu/emit_schedules.h"
#include "backends/cpu/kernel_frame.h"
#include "backends/cpu/target.h"
#include "base/error.h"

namespace cotan::cpu {

void each_grid_point(Builder& b, const GridLoop& grid,
                     const std::function<void()>& body) {
  size_t n = grid.extents.size();
  std::vector<llvm::Value*>& coord = *grid.coord;
  if (n == 0) {
    body();
    return;
  }
  std::vector<llvm::Value*> first(n);
  llvm::Value* rest = grid.begin;
  for (size_t a = n; a-- > 1;) {
    first[a] = b.CreateURem(rest, grid.extents[a]);
    rest = b.CreateUDiv(rest, grid.extents[a]);
  }
  first[0] = rest;
  std::vector<llvm::Value*> carried(first.begin() + (n == 1), first.end());
  emit_loop(b, grid.begin, grid.end, b.getInt64(1), carried,
            [&](llvm::Value* i, std::vector<llvm::Value*> c) {
              if (n == 1) {
                coord[0] = i;
                body();
                return c;
              }
              for (size_t a = 0; a < n; ++a) coord[a] = c[a];
              body();
              std::vector<llvm::Value*> next(n);
              llvm::Value* carry = b.getTrue();
              for (size_t a = n; a-- > 0;) {
                llvm::Value* up =
                    b.CreateAdd(c[a], b.CreateZExt(carry, b.getInt64Ty()));
                if (a == 0) {
                  next[a] = up;
                  break;
                }
                carry = b.CreateICmpEQ(up, grid.extents[a]);
                next[a] = b.CreateSelect(carry, b.getInt64(0), up);
              }
              return next;
            });
}

void store_fence(Builder& b) {
#if defined(__x86_64__)
  b.CreateIntrinsic(b.getVoidTy(), llvm::Intrinsic::x86_sse_sfence, {});
#else
  b.CreateFence(llvm::AtomicOrdering::SequentiallyConsistent);
#endif
}

std::unique_ptr<KernelEmitter> make_kernel_emitter(Builder& b,
                                                   const TargetSpec& target,
                                                   const Kernel& k,
                                                   const KernelArgs& args) {
  switch (k.schedule) {
    case Schedule::strip:
    case Schedule::block:
      return make_strip_emitter(b, target, k, args);
    case Schedule::panel:
      return make_panel_emitter(b, target, k, args);
    case Schedule::tile:
      return make_tile_emitter(b, target, k, args);
  }
  return nullptr;
}

llvm::Function* emit_kernel_function(llvm::Module& m, const TargetSpec& target,
                                     const Kernel& k, std::string_view name) {
  Builder b(m.getContext());
  llvm::Type *ptr = b.getPtrTy(), *i64 = b.getInt64Ty();
  auto* type =
      llvm::FunctionType::get(b.getVoidTy(), {ptr, i64, b.getInt32Ty()}, false);
  auto* f =
      llvm::Function::Create(type, llvm::Function::ExternalLinkage,
                             llvm::StringRef(name.data(), name.size()), m);
  set_function_attributes(*f, target);
  b.SetInsertPoint(llvm::BasicBlock::Create(m.getContext(), "entry", f));
  llvm::Value *frame = f->getArg(0), *chunk = f->getArg(1),
              *worker = f->getArg(2);
  auto field = [&](llvm::Type* t, size_t offset) {
    auto* load = b.CreateAlignedLoad(
        t, b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), frame, offset),
        llvm::Align(8));
    load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                      llvm::MDNode::get(m.getContext(), {}));
    return load;
  };
  KernelArgs args;
  args.meta = field(ptr, offsetof(KernelFrame, meta));
  llvm::Value* grain = field(i64, offsetof(KernelFrame, grain));
  args.begin = b.CreateMul(chunk, grain);
  args.end = b.CreateBinaryIntrinsic(llvm::Intrinsic::smin,
                                     b.CreateAdd(args.begin, grain),
                                     field(i64, offsetof(KernelFrame, grid)));
  if (k.parked) {
    llvm::Value* bytes = field(i64, offsetof(KernelFrame, parked_stride));
    args.parked =
        b.CreateGEP(b.getInt8Ty(), field(ptr, offsetof(KernelFrame, parked)),
                    b.CreateMul(b.CreateSExt(worker, i64), bytes));
  }
  for (size_t i = 0; i < k.operands.size(); ++i)
    args.operands.push_back(
        field(ptr, offsetof(KernelFrame, operands) + 8 * i));
  std::vector<int64_t> constants;
  if (k.specialised) {
    constants = meta_values(k);
    args.constants = constants;
    args.meta = nullptr;
  }
  make_kernel_emitter(b, target, k, args)->emit();
  b.CreateRetVoid();
  return f;
}

void set_function_attributes(llvm::Function& f, const TargetSpec& target) {
  f.addFnAttr(llvm::Attribute::NoUnwind);
  if (target.avx512) f.addFnAttr("prefer-vector-width", "512");
  f.addFnAttr("no-builtins");
}

}  // namespace cotan::cpu
