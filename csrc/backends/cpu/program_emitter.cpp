#include "backends/cpu/program_emitter.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>

#include <algorithm>

#include "backends/cpu/compile_stats.h"
#include "backends/cpu/emit_small_gemm.h"
#include "backends/cpu/kernel_emitter.h"
#include "base/error.h"
#include "runtime/host.h"
#include "runtime/kernels/kernels.h"

namespace cotan::cpu {
namespace {

int64_t align64(int64_t n) { return (n + 63) & ~int64_t(63); }

// Work of a program from which it asks for interrupts between its steps.
constexpr float kPollNs = 200'000;

class ProgramEmitter {
 public:
  ProgramEmitter(const Program& p, const TargetSpec& target)
      : p_(p),
        target_(target),
        session_(target),
        module_(session_.new_module("program")),
        b_(session_.context()),
        out_(std::make_unique<ProgramCode>()) {}

  std::unique_ptr<ProgramCode> run() {
    int64_t start = now_ns();
    shared_kernels();
    begin();
    for (const Step& s : p_.steps) {
      std::visit([&](const auto& step) { emit(step); }, s);
      poll(s);
    }
    leave();
    b_.CreateRet(b_.getInt32(kOk));
    out_->arena_bytes = align64(p_.arena_bytes) + parked_;
    int64_t object_start = now_ns();
    std::vector<char> object = session_.compile(std::move(module_));
    throw_if_interrupted();
    out_->code = link_object(
        object, [&](std::string_view name) { return resolve(name); });
    out_->entry =
        reinterpret_cast<EntryFunction>(out_->code->find("cotan_entry"));
    COTAN_CHECK(out_->entry != nullptr);
    (void)start;
    count_program(int64_t(out_->code->code_bytes()), now_ns() - object_start);
    return std::move(out_);
  }

 private:
  // Kernels that programs share are compiled first, equal ones once.
  void shared_kernels() {
    std::vector<KernelRef> wanted;
    for (const Step& s : p_.steps)
      if (auto* f = std::get_if<FusedStep>(&s))
        if (!f->kernel->specialised) wanted.push_back(f->kernel);
    if (!wanted.empty()) out_->kernels = compile_kernels(wanted, target_);
  }

  void begin() {
    llvm::Type* ptr = b_.getPtrTy();
    auto* type =
        llvm::FunctionType::get(b_.getInt32Ty(), {ptr, ptr, ptr, ptr}, false);
    function_ = llvm::Function::Create(type, llvm::Function::ExternalLinkage,
                                       "cotan_entry", *module_);
    set_function_attributes(*function_, target_);
    // Distinct arrays never overlap where one is written; in and out
    // themselves are only read.
    for (unsigned i = 0; i < 2; ++i)
      function_->addParamAttr(i, llvm::Attribute::ReadOnly);
    auto* entry = llvm::BasicBlock::Create(b_.getContext(), "entry", function_);
    b_.SetInsertPoint(entry);
    rt_ = function_->getArg(3);
    frames(entry);
    addresses();
    int parallel = 0;
    for (const Step& s : p_.steps)
      if (auto* f = std::get_if<FusedStep>(&s))
        parallel += !f->kernel->specialised && f->grid > f->grain;
    in_region_ = parallel > 1;
    if (in_region_) runtime_call(offsetof(Runtime, enter_region), rt_);
  }
  void leave() {
    if (in_region_) runtime_call(offsetof(Runtime, leave_region), rt_);
  }

  // One frame and one pointer list on the stack serve all calls.
  void frames(llvm::BasicBlock*) {
    size_t operands = 1, list = 1;
    for (const Step& s : p_.steps) {
      if (auto* f = std::get_if<FusedStep>(&s)) {
        if (!f->kernel->specialised)
          operands = std::max(operands, f->operands.size());
      } else if (auto* g = std::get_if<GemmStep>(&s)) {
        list = std::max(list, 1 + g->operands.size());
      } else if (auto* r = std::get_if<RuntimeStep>(&s)) {
        list = std::max(list, r->in.size() + r->out.size());
      } else if (auto* e = std::get_if<EvalStep>(&s)) {
        list = std::max(list, e->in.size() + e->out.size());
      }
    }
    auto words = [&](size_t n) {
      auto* a = b_.CreateAlloca(llvm::ArrayType::get(b_.getInt64Ty(), n));
      a->setAlignment(llvm::Align(64));
      return a;
    };
    frame_ = words(sizeof(KernelFrame) / 8 + operands);
    list_ = words(list);
  }

  // Pointers of all buffers, at the top: everything below can use them.
  void addresses() {
    std::vector<llvm::Value*> in(p_.inputs.size()), out(p_.outputs.size());
    auto load = [&](unsigned arg, int32_t i) {
      auto* v = b_.CreateAlignedLoad(
          b_.getPtrTy(),
          b_.CreateConstInBoundsGEP1_64(b_.getPtrTy(), function_->getArg(arg),
                                        uint64_t(i)),
          llvm::Align(8));
      v->setMetadata(llvm::LLVMContext::MD_invariant_load,
                     llvm::MDNode::get(b_.getContext(), {}));
      return v;
    };
    for (const PlanBuffer& buffer : p_.buffers) {
      llvm::Value* v = nullptr;
      size_t i = size_t(buffer.index);
      switch (buffer.kind) {
        case PlanBuffer::input:
          if (!in[i]) in[i] = load(0, buffer.index);
          v = in[i];
          break;
        case PlanBuffer::output:
          if (!out[i]) out[i] = load(1, buffer.index);
          v = out[i];
          break;
        case PlanBuffer::arena:
          v = b_.CreateConstInBoundsGEP1_64(
              b_.getInt8Ty(), function_->getArg(2), uint64_t(buffer.offset));
          break;
        case PlanBuffer::constant:
          v = bytes_global(p_.constants[i].bytes, 16);
          break;
      }
      address_.push_back(v);
    }
  }
  llvm::Value* address(BufferId id) { return address_[size_t(id)]; }

  // ---- constants of the module
  llvm::Value* bytes_global(const unsigned char* data, size_t n) {
    auto* c = llvm::ConstantDataArray::get(b_.getContext(),
                                           llvm::ArrayRef<uint8_t>(data, n));
    auto* g = new llvm::GlobalVariable(*module_, c->getType(), true,
                                       llvm::GlobalValue::PrivateLinkage, c);
    g->setAlignment(llvm::Align(16));
    return g;
  }
  llvm::Value* words_global(const std::vector<int64_t>& words) {
    auto* c = llvm::ConstantDataArray::get(
        b_.getContext(),
        llvm::ArrayRef<uint64_t>(
            reinterpret_cast<const uint64_t*>(words.data()), words.size()));
    auto* g = new llvm::GlobalVariable(*module_, c->getType(), true,
                                       llvm::GlobalValue::PrivateLinkage, c);
    g->setAlignment(llvm::Align(16));
    return g;
  }
  // A record or function that the loader provides.
  llvm::Value* external(const std::string& name) {
    auto* g = module_->getNamedGlobal(name);
    if (!g)
      g = new llvm::GlobalVariable(*module_, b_.getInt8Ty(), true,
                                   llvm::GlobalValue::ExternalLinkage, nullptr,
                                   name);
    return g;
  }
  llvm::FunctionCallee function(const std::string& name, llvm::Type* result,
                                llvm::ArrayRef<llvm::Type*> args) {
    auto* type = llvm::FunctionType::get(result, args, false);
    return module_->getOrInsertFunction(name, type);
  }

  void* resolve(std::string_view name) const {
    auto number = [&](size_t prefix) {
      return size_t(std::stoul(std::string(name.substr(prefix))));
    };
    if (name.starts_with("kernel."))
      return reinterpret_cast<void*>(out_->kernels[number(7)]->function);
    if (name.starts_with("runtime."))
      return out_->runtime_calls[number(8)].get();
    if (name.starts_with("gemm.")) return out_->gemm_calls[number(5)].get();
    if (name.starts_with("eval.")) return out_->eval_calls[number(5)].get();
    return program_function(name);
  }

  // ---- status
  // Leaves the entry with a status that is not kOk.
  void check(llvm::Value* status) {
    auto* bad = llvm::BasicBlock::Create(b_.getContext(), "bad", function_);
    auto* good = llvm::BasicBlock::Create(b_.getContext(), "good", function_);
    b_.CreateCondBr(
        b_.CreateICmpEQ(status, b_.getInt32(kOk)), good, bad,
        llvm::MDBuilder(b_.getContext()).createLikelyBranchWeights());
    b_.SetInsertPoint(bad);
    leave();
    b_.CreateRet(status);
    b_.SetInsertPoint(good);
  }
  // A call through a function pointer in the Runtime.
  llvm::Value* runtime_call(size_t offset, llvm::Value* arg,
                            llvm::Type* result = nullptr) {
    llvm::Value* p = b_.CreateLoad(
        b_.getPtrTy(),
        b_.CreateConstInBoundsGEP1_64(b_.getInt8Ty(), rt_, offset));
    auto* type = llvm::FunctionType::get(result ? result : b_.getVoidTy(),
                                         {b_.getPtrTy()}, false);
    return b_.CreateCall(type, p, {arg});
  }
  // Long programs stop between steps.
  void poll(const Step& s) {
    if (auto* f = std::get_if<FusedStep>(&s)) since_poll_ += f->work_ns;
    if (auto* g = std::get_if<GemmStep>(&s)) since_poll_ += g->work_ns;
    if (since_poll_ < kPollNs || &s == &p_.steps.back()) return;
    since_poll_ = 0;
    llvm::Value* stop =
        runtime_call(offsetof(Runtime, poll), rt_, b_.getInt32Ty());
    check(b_.CreateSelect(b_.CreateICmpEQ(stop, b_.getInt32(0)),
                          b_.getInt32(kOk), b_.getInt32(kInterrupted)));
  }

  // ---- steps
  void emit(const FusedStep& s) {
    if (s.kernel->specialised) {
      inline_kernel(s);
      return;
    }
    int index = next_kernel_++;
    const Kernel& k = *s.kernel;
    auto put = [&](size_t offset, llvm::Value* v) {
      b_.CreateAlignedStore(v,
                            b_.CreateConstInBoundsGEP1_64(
                                b_.getInt8Ty(), frame_, uint64_t(offset)),
                            llvm::Align(8));
    };
    int64_t parked = align64(parked_bytes(k));
    parked_ = std::max(parked_, parked);
    put(offsetof(KernelFrame, meta), words_global(s.meta));
    put(offsetof(KernelFrame, parked),
        b_.CreateConstInBoundsGEP1_64(b_.getInt8Ty(), function_->getArg(2),
                                      uint64_t(align64(p_.arena_bytes))));
    put(offsetof(KernelFrame, parked_stride), b_.getInt64(uint64_t(parked)));
    put(offsetof(KernelFrame, grid), b_.getInt64(uint64_t(s.grid)));
    put(offsetof(KernelFrame, grain), b_.getInt64(uint64_t(s.grain)));
    for (size_t i = 0; i < s.operands.size(); ++i)
      put(offsetof(KernelFrame, operands) + 8 * i, address(s.operands[i]));
    llvm::Type *ptr = b_.getPtrTy(), *i64 = b_.getInt64Ty();
    auto callee = function(cat("kernel.", index), b_.getVoidTy(),
                           {ptr, i64, b_.getInt32Ty()});
    if (s.grid <= s.grain) {
      b_.CreateCall(callee, {frame_, b_.getInt64(0), b_.getInt32(0)});
      return;
    }
    auto call =
        function("cotan_call_kernel", b_.getInt32Ty(), {ptr, ptr, ptr, i64});
    check(b_.CreateCall(call, {rt_, callee.getCallee(), frame_,
                               b_.getInt64(uint64_t(int64_t(s.work_ns)))}));
  }

  void inline_kernel(const FusedStep& s) {
    KernelArgs args;
    args.constants = s.meta;
    for (BufferId id : s.operands) args.operands.push_back(address(id));
    args.begin = b_.getInt64(0);
    args.end = b_.getInt64(uint64_t(s.grid));
    int64_t parked = align64(parked_bytes(*s.kernel));
    parked_ = std::max(parked_, parked);
    args.parked =
        b_.CreateConstInBoundsGEP1_64(b_.getInt8Ty(), function_->getArg(2),
                                      uint64_t(align64(p_.arena_bytes)));
    make_kernel_emitter(b_, target_, *s.kernel, args)->emit();
  }

  void emit(const GemmStep& s) {
    if (is_small_gemm(s.gemm)) {
      inline_gemm(s);
      return;
    }
    size_t index = out_->gemm_calls.size();
    FusedEpilogue epilogue = fuse_epilogue(s);
    COTAN_CHECK(!s.epilogue || epilogue.kernel);
    out_->gemm_calls.push_back(make_gemm_call(s, epilogue, target_, false));
    llvm::Type* ptr = b_.getPtrTy();
    llvm::Value* args = llvm::ConstantPointerNull::get(b_.getPtrTy());
    BufferId out = s.out;
    if (epilogue.kernel) {
      args = list_;
      auto put = [&](size_t i, llvm::Value* v) {
        b_.CreateAlignedStore(
            v, b_.CreateConstInBoundsGEP1_64(ptr, list_, uint64_t(i)),
            llvm::Align(8));
      };
      put(0, words_global(meta_values(*epilogue.kernel)));
      for (size_t i = 0; i < s.operands.size(); ++i)
        put(1 + i, address(s.operands[i]));
      out = s.operands[size_t(epilogue.operand())];
    }
    auto call = function("cotan_call_gemm", b_.getInt32Ty(),
                         {ptr, ptr, ptr, ptr, ptr, ptr});
    check(
        b_.CreateCall(call, {rt_, external(cat("gemm.", index)), address(s.lhs),
                             address(s.rhs), address(out), args}));
  }

  void inline_gemm(const GemmStep& s) {
    SmallGemmArgs args{.gemm = s.gemm,
                       .lhs = address(s.lhs),
                       .rhs = address(s.rhs),
                       .meta = s.meta,
                       .operands = {}};
    args.epilogue = s.epilogue.get();
    if (!s.epilogue) args.out = address(s.out);
    for (BufferId id : s.operands) args.operands.push_back(address(id));
    emit_small_gemm(b_, target_, args);
  }

  // Pointers of in, then out, in list_; gives where out starts.
  llvm::Value* pointer_list(const SmallVector<BufferId, 4>& in,
                            const SmallVector<BufferId, 4>& out) {
    auto at = [&](size_t i) {
      return b_.CreateConstInBoundsGEP1_64(b_.getPtrTy(), list_, uint64_t(i));
    };
    for (size_t i = 0; i < in.size(); ++i)
      b_.CreateAlignedStore(address(in[i]), at(i), llvm::Align(8));
    for (size_t i = 0; i < out.size(); ++i)
      b_.CreateAlignedStore(address(out[i]), at(in.size() + i), llvm::Align(8));
    return at(in.size());
  }

  void emit(const RuntimeStep& s) {
    KernelFn f = find_kernel(s.spec.name);
    if (!f)
      throw_not_implemented("[compile] the runtime has no kernel named ",
                            s.spec.name);
    size_t index = out_->runtime_calls.size();
    out_->runtime_calls.push_back(
        std::make_unique<RuntimeCall>(RuntimeCall{f, s.spec.attrs}));
    llvm::Type* ptr = b_.getPtrTy();
    llvm::Value* outs = pointer_list(s.in, s.out);
    llvm::Value* scratch =
        s.scratch >= 0 ? address(s.scratch)
                       : static_cast<llvm::Value*>(
                             llvm::ConstantPointerNull::get(b_.getPtrTy()));
    auto call = function("cotan_call_runtime", b_.getInt32Ty(),
                         {ptr, ptr, ptr, ptr, ptr});
    check(b_.CreateCall(
        call, {rt_, external(cat("runtime.", index)), list_, outs, scratch}));
  }

  void emit(const EvalStep& s) {
    if (!s.prim->eval)
      throw_not_implemented("[compile] ", s.prim->name,
                            " has no way to run: its record lacks `eval`");
    size_t index = out_->eval_calls.size();
    out_->eval_calls.push_back(std::make_unique<EvalCall>(
        EvalCall{s.prim, s.params, s.in_avals, s.out_avals}));
    llvm::Type* ptr = b_.getPtrTy();
    llvm::Value* outs = pointer_list(s.in, s.out);
    auto call =
        function("cotan_call_eval", b_.getInt32Ty(), {ptr, ptr, ptr, ptr});
    check(
        b_.CreateCall(call, {rt_, external(cat("eval.", index)), list_, outs}));
  }

  void emit(const CopyStep& s) {
    int64_t bytes = p_.buffers[size_t(s.to)].bytes;
    b_.CreateMemCpy(address(s.to), llvm::Align(1), address(s.from),
                    llvm::Align(1), uint64_t(bytes));
  }

  const Program& p_;
  const TargetSpec& target_;
  CompileSession session_;
  std::unique_ptr<llvm::Module> module_;
  Builder b_;
  std::unique_ptr<ProgramCode> out_;
  llvm::Function* function_ = nullptr;
  llvm::Value* rt_ = nullptr;
  llvm::Value* frame_ = nullptr;
  llvm::Value* list_ = nullptr;
  std::vector<llvm::Value*> address_;  // per buffer
  int next_kernel_ = 0;
  int64_t parked_ = 0;  // bytes of one worker
  bool in_region_ = false;
  float since_poll_ = 0;
};

}  // namespace

std::unique_ptr<ProgramCode> compile_program(const Program& p,
                                             const TargetSpec& target) {
  return ProgramEmitter(p, target).run();
}

}  // namespace cotan::cpu
