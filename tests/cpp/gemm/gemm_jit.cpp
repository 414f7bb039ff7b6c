#include "gemm_jit.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <sys/mman.h>
#include <time.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace gemm_testing {

using namespace llvm;
using cotan::cpu::Epilogue;
using cotan::cpu::EpilogueCtx;
using cotan::cpu::GemmSpec;

static orc::JITTargetMachineBuilder target(const std::string& cpu) {
  static bool ready = [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)ready;
  auto b = cantFail(orc::JITTargetMachineBuilder::detectHost());
  if (!cpu.empty()) {
    b.setCPU(cpu);
    b.getFeatures() = SubtargetFeatures();
  }
  b.setCodeGenOptLevel(CodeGenOptLevel::Less);
  return b;
}

static void optimise(Module& module) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager calls;
  ModuleAnalysisManager modules;
  PassBuilder builder;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(calls);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, calls, modules);
  FunctionPassManager passes;
  passes.addPass(EarlyCSEPass());
  passes.addPass(InstCombinePass());
  for (auto& f : module)
    if (!f.isDeclaration()) passes.run(f, functions);
}

static std::unique_ptr<Module> build(
    LLVMContext& context, const GemmSpec& spec, const Epilogue* epilogue,
    const std::string& cpu, const std::string& features,
    std::vector<std::pair<int, std::string>>& names) {
  auto module = std::make_unique<Module>("gemm", context);
  names = emit_gemm_kernels(*module, spec, epilogue, "gemm");
  for (auto& f : *module) {
    if (f.isDeclaration()) continue;
    f.addFnAttr("target-cpu", cpu);
    f.addFnAttr("target-features", features);
  }
  if (verifyModule(*module, &errs())) abort();
  if (!getenv("COTAN_GEMM_NO_PASSES")) optimise(*module);
  return module;
}

Compiled compile(const GemmSpec& spec, const Epilogue* epilogue,
                 const std::string& cpu) {
  auto machine = target(cpu);
  auto jit = cantFail(
      orc::LLJITBuilder().setJITTargetMachineBuilder(machine).create());
  double start = cpu_seconds();
  auto context = std::make_unique<LLVMContext>();
  std::vector<std::pair<int, std::string>> names;
  auto module = build(*context, spec, epilogue, machine.getCPU(),
                      machine.getFeatures().getString(), names);
  module->setDataLayout(jit->getDataLayout());
  module->setTargetTriple(Triple(machine.getTargetTriple()));
  cantFail(jit->addIRModule(
      orc::ThreadSafeModule(std::move(module), std::move(context))));
  Compiled out;
  out.kernels = cotan::cpu::GemmKernels(spec.types, spec.tiling);
  for (auto& [slot, name] : names)
    out.kernels.slots[slot] = cantFail(jit->lookup(name)).toPtr<const void*>();
  out.milliseconds = (cpu_seconds() - start) * 1e3;
  out.owner = std::shared_ptr<void>(
      jit.release(), [](void* p) { delete static_cast<orc::LLJIT*>(p); });
  return out;
}

std::string assembly(const GemmSpec& spec, const Epilogue* epilogue,
                     const std::string& cpu, const std::string& triple) {
  auto machine = target(cpu);
  if (!triple.empty()) machine.getTargetTriple() = Triple(triple);
  auto tm = cantFail(machine.createTargetMachine());
  LLVMContext context;
  std::vector<std::pair<int, std::string>> names;
  auto module = build(context, spec, epilogue, machine.getCPU(),
                      machine.getFeatures().getString(), names);
  module->setDataLayout(tm->createDataLayout());
  module->setTargetTriple(Triple(machine.getTargetTriple()));
  SmallString<0> text;
  raw_svector_ostream os(text);
  legacy::PassManager passes;
  tm->addPassesToEmitFile(passes, os, nullptr, CodeGenFileType::AssemblyFile);
  passes.run(*module);
  return std::string(text);
}

// --- Epilogues --------------------------------------------------------------

namespace {

struct Build {
  IRBuilder<>& b;
  const EpilogueCtx& ctx;
  Type* vec;

  Value* argument(int i) {
    return b.CreateLoad(b.getPtrTy(), b.CreateConstInBoundsGEP1_64(
                                          b.getPtrTy(), ctx.args, uint64_t(i)));
  }
  Value* load(Value* base, Value* index) {
    auto* p = b.CreateInBoundsGEP(vec->getScalarType(), base, index);
    Align align(vec->getScalarSizeInBits() / 8);
    if (!ctx.mask) return b.CreateAlignedLoad(vec, p, align);
    return b.CreateMaskedLoad(vec, p, align, ctx.mask,
                              Constant::getNullValue(vec));
  }
  Value* number(double v) { return ConstantFP::get(vec, v); }
  Value* bias() { return load(argument(0), ctx.col); }
  Value* residual() {
    auto* strides = argument(2);
    auto* i64 = b.getInt64Ty();
    auto* batch = b.CreateLoad(i64, strides);
    auto* row =
        b.CreateLoad(i64, b.CreateConstInBoundsGEP1_64(i64, strides, 1));
    auto* index =
        b.CreateAdd(b.CreateMul(ctx.batch, batch), b.CreateMul(ctx.row, row));
    return load(argument(1), b.CreateAdd(index, ctx.col));
  }
};

Value* fma(IRBuilder<>& b, Value* x, Value* y, Value* z) {
  return b.CreateIntrinsic(Intrinsic::fma, {x->getType()}, {x, y, z});
}

// gelu, tanh form: x * sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)).
Value* gelu(Build& e, Value* x) {
  auto& b = e.b;
  auto* cube = b.CreateFMul(b.CreateFMul(x, x), x);
  auto* z = b.CreateFMul(fma(b, cube, e.number(0.044715), x),
                         e.number(-1.5957691216));
  z = b.CreateBinaryIntrinsic(Intrinsic::minnum, z, e.number(88));
  z = b.CreateBinaryIntrinsic(Intrinsic::maxnum, z, e.number(-87));
  auto* n = b.CreateUnaryIntrinsic(Intrinsic::rint,
                                   b.CreateFMul(z, e.number(1.44269504089)));
  auto* r = fma(b, n, e.number(-0.693145751953125), z);
  r = fma(b, n, e.number(-1.42860677e-6), r);
  Value* y = e.number(1.0 / 720);
  for (double d : {1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0})
    y = fma(b, y, r, e.number(d));
  auto* ints = FixedVectorType::get(b.getInt32Ty(), unsigned(e.ctx.lanes));
  auto* shift =
      b.CreateShl(b.CreateFPToSI(n, ints), ConstantInt::get(ints, 23));
  y = b.CreateBitCast(b.CreateAdd(b.CreateBitCast(y, ints), shift), e.vec);
  return b.CreateFDiv(x, b.CreateFAdd(e.number(1), y));
}

// batch * 1e6 + row * 1e3 + col: what the kernel believes of its position.
Value* indices(Build& e) {
  auto& b = e.b;
  auto* scale = b.CreateAdd(b.CreateMul(e.ctx.batch, b.getInt64(1000000)),
                            b.CreateMul(e.ctx.row, b.getInt64(1000)));
  auto* base = b.CreateTrunc(b.CreateAdd(scale, e.ctx.col), b.getInt32Ty());
  std::vector<Constant*> ids;
  for (int l = 0; l < e.ctx.lanes; l++) ids.push_back(b.getInt32(uint32_t(l)));
  auto* v = b.CreateAdd(b.CreateVectorSplat(unsigned(e.ctx.lanes), base),
                        ConstantVector::get(ids));
  return b.CreateSIToFP(v, e.vec);
}

}  // namespace

Epilogue epilogue(Fuse fuse) {
  Epilogue out;
  out.rolled = fuse == Fuse::residual_rolled || fuse == Fuse::gelu;
  out.apply = [fuse](IRBuilder<>& b, Value* x, const EpilogueCtx& ctx) {
    Build e{b, ctx, x->getType()};
    if (fuse == Fuse::indices) return indices(e);
    x = b.CreateFAdd(x, e.bias());
    if (fuse == Fuse::gelu) return gelu(e, x);
    if (fuse == Fuse::bias_relu) {
      auto* zero = e.number(0);
      return b.CreateSelect(b.CreateFCmpULT(x, zero), zero, x);
    }
    auto* size = b.CreateUnaryIntrinsic(Intrinsic::fabs, x);
    x = b.CreateFDiv(x, b.CreateFAdd(size, e.number(1)));
    return b.CreateFAdd(x, e.residual());
  };
  return out;
}

// --- Threads, memory, time --------------------------------------------------

struct Pool::Impl {
  std::atomic<uint64_t> round{0};
  std::atomic<int64_t> next{0};
  std::atomic<int> busy{0};
  std::atomic<bool> stop{false};
  cotan::cpu::GemmParallel::ChunkFn fn = nullptr;
  void* ctx = nullptr;
  int64_t chunks = 0;
  int limit = 0;
  std::vector<std::thread> threads;

  void work(int worker) {
    if (worker >= limit) return;
    for (int64_t c; (c = next.fetch_add(1)) < chunks;) fn(ctx, c, worker);
  }
  void serve(int worker) {
    for (uint64_t seen = 0;;) {
      for (int spin = 0; round.load() == seen; spin++) {
        if (stop) return;
        if (spin > 20000) std::this_thread::yield();
      }
      seen++;
      work(worker);
      busy.fetch_sub(1);
    }
  }
};

Pool::Pool(int threads) : impl_(new Impl) {
  for (int t = 1; t < threads; t++)
    impl_->threads.emplace_back([this, t] { impl_->serve(t); });
}
Pool::~Pool() {
  impl_->stop = true;
  for (auto& t : impl_->threads) t.join();
}
cotan::cpu::GemmParallel Pool::parallel() {
  auto run = [](void* pool, cotan::cpu::GemmParallel::ChunkFn fn, void* ctx,
                int64_t chunks, int limit) {
    auto& p = *static_cast<Impl*>(pool);
    p.fn = fn, p.ctx = ctx, p.chunks = chunks, p.limit = limit;
    p.next = 0;
    p.busy = int(p.threads.size());
    p.round.fetch_add(1);
    p.work(0);
    while (p.busy.load()) {
    }
  };
  return {run, impl_.get()};
}

std::shared_ptr<char> pages(int64_t bytes) {
  constexpr int64_t kHuge = 2 << 20;
  int64_t size = (bytes + kHuge) / kHuge * kHuge;
  void* p = nullptr;
  if (posix_memalign(&p, size_t(kHuge), size_t(size))) abort();
  madvise(p, size_t(size), MADV_HUGEPAGE);
  memset(p, 0, size_t(size));
  return std::shared_ptr<char>(static_cast<char*>(p), free);
}

static double seconds(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}
double wall_seconds() { return seconds(CLOCK_MONOTONIC); }
double cpu_seconds() { return seconds(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace gemm_testing
