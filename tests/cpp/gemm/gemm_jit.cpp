#include "gemm_jit.h"

#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <sys/mman.h>
#include <time.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "backends/cpu/jit.h"

namespace gemm_testing {

using namespace llvm;
using namespace cotan::cpu;

static const TargetSpec& target(const std::string& cpu) {
  return cpu.empty() ? host_target() : named_target(cpu);
}

static std::unique_ptr<Module> build(
    CompileSession& session, const GemmSpec& spec, const Epilogue* epilogue,
    std::vector<std::pair<int, std::string>>& names) {
  auto module = session.new_module("gemm");
  names = emit_gemm_kernels(*module, spec, epilogue, "gemm");
  for (auto& [slot, name] : names) {
    Function& f = *module->getFunction(name);
    f.addFnAttr("target-cpu", session.target().cpu);
    f.addFnAttr("target-features", session.target().features);
  }
  if (verifyModule(*module, &errs())) abort();
  return module;
}

Compiled compile(const GemmSpec& spec, const Epilogue* epilogue,
                 const std::string& cpu) {
  double start = cpu_seconds();
  CompileSession session(target(cpu));
  std::vector<std::pair<int, std::string>> names;
  auto object = session.compile(build(session, spec, epilogue, names));
  auto code = link_object(object);
  Compiled out{GemmKernels(spec.types, spec.tiling), 0, code};
  for (auto& [slot, name] : names) out.kernels.slots[slot] = code->find(name);
  out.milliseconds = (cpu_seconds() - start) * 1e3;
  return out;
}

std::string assembly(const GemmSpec& spec, const Epilogue* epilogue) {
  CompileSession session(host_target());
  std::vector<std::pair<int, std::string>> names;
  auto module = build(session, spec, epilogue, names);
  std::string error, triple = host_target().triple;
  auto* found = TargetRegistry::lookupTarget(Triple(triple), error);
  std::unique_ptr<TargetMachine> tm(found->createTargetMachine(
      Triple(triple), host_target().cpu, host_target().features, {}, {}, {},
      CodeGenOptLevel::Less));
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
