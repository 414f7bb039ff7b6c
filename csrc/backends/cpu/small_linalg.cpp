#include "backends/cpu/small_linalg.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/Module.h>

#include <map>
#include <mutex>

#include "backends/cpu/compile_stats.h"
#include "backends/cpu/emit_small_linalg.h"
#include "backends/cpu/jit.h"
#include "backends/cpu/kernel_emitter.h"
#include "backends/cpu/kernel_frame.h"
#include "base/error.h"
#include "runtime/host.h"

namespace cotan::cpu {
namespace {

constexpr double kChunkNs = 20'000;
// Fewer problems are left to LAPACK: compiling would cost more.
constexpr int64_t kLeastBatch = 64;

void emit_function(llvm::Module& m, const TargetSpec& target,
                   const LinalgAttrs& a) {
  Builder b(m.getContext());
  llvm::Type *ptr = b.getPtrTy(), *i64 = b.getInt64Ty();
  auto* type =
      llvm::FunctionType::get(b.getVoidTy(), {ptr, i64, b.getInt32Ty()}, false);
  auto* f = llvm::Function::Create(type, llvm::Function::ExternalLinkage,
                                   "linalg", m);
  set_function_attributes(*f, target);
  b.SetInsertPoint(llvm::BasicBlock::Create(m.getContext(), "entry", f));
  auto field = [&](llvm::Type* t, llvm::Value* base, size_t offset) {
    return b.CreateAlignedLoad(
        t, b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), base, offset),
        llvm::Align(8));
  };
  llvm::Value* frame = f->getArg(0);
  llvm::Value* grain = field(i64, frame, offsetof(KernelFrame, grain));
  llvm::Value* begin = b.CreateMul(f->getArg(1), grain);
  llvm::Value* end =
      b.CreateBinaryIntrinsic(llvm::Intrinsic::smin, b.CreateAdd(begin, grain),
                              field(i64, frame, offsetof(KernelFrame, grid)));
  llvm::Value* meta = field(ptr, frame, offsetof(KernelFrame, meta));
  SmallLinalgArgs args{a, {}, begin, end, field(i64, meta, 0)};
  for (size_t i = 0; i < a.in_bytes.size() + a.out_bytes.size(); ++i)
    args.operands.push_back(
        field(ptr, frame, offsetof(KernelFrame, operands) + 8 * i));
  emit_small_linalg(b, target, args);
  b.CreateRetVoid();
}

Ref<LoadedCode> compile_movers(const TargetSpec& target) {
  CompileSession session(target);
  auto module = session.new_module("movers");
  emit_movers(*module, target);
  return link_object(session.compile(std::move(module)));
}

CompiledKernelRef compile(const LinalgAttrs& a, const TargetSpec& target,
                          const LoadedCode& movers) {
  int64_t start = now_ns();
  CompileSession session(target);
  auto module = session.new_module("linalg");
  emit_function(*module, target, a);
  Ref<LoadedCode> code =
      link_object(session.compile(std::move(module)),
                  [&](std::string_view name) { return movers.find(name); });
  void* f = code->find("linalg");
  COTAN_CHECK(f != nullptr);
  count_kernels(1, int64_t(code->code_bytes()), now_ns() - start);
  return make_ref<CompiledKernel>(reinterpret_cast<KernelFunction>(f), code);
}

CompiledKernelRef find_code(LinalgAttrs a, const TargetSpec& target) {
  struct Table {
    Ref<LoadedCode> movers;
    std::map<std::vector<int64_t>, CompiledKernelRef> kernels;
  };
  static std::mutex mutex;
  // Outlives static destructors.
  static auto& tables = *new std::map<const TargetSpec*, Table>();
  a.batch = 0;
  std::vector<int64_t> key = encode_attrs(a);
  std::lock_guard lock(mutex);
  Table& table = tables[&target];
  if (!table.movers) table.movers = compile_movers(target);
  CompiledKernelRef& kernel = table.kernels[key];
  if (!kernel) kernel = compile(a, target, *table.movers);
  return kernel;
}

}  // namespace

BatchedLinalg batched_linalg(std::span<const int64_t> attrs,
                             const TargetSpec& target) {
  auto a = decode_attrs<LinalgAttrs>(attrs.data());
  BatchedLinalg r;
  if (!has_small_linalg(a)) return r;
  int64_t lanes = small_linalg_lanes(a.dtype);
  if (a.batch < kLeastBatch) return r;
  r.code = find_code(a, target);
  r.batch = a.batch;
  r.inputs = a.in_bytes.size();
  r.outputs = a.out_bytes.size();
  r.grid = (a.batch + lanes - 1) / lanes;
  double size = double(std::max(a.m, a.n));
  double ns = size * size * (size + double(std::max<int64_t>(a.k, 1)) + 8);
  r.grain = std::max<int64_t>(1, int64_t(kChunkNs / ns));
  r.ns = int64_t(ns * double(r.grid));
  return r;
}

}  // namespace cotan::cpu
