#include "backends/cpu/program_emitter.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "backends/cpu/compile_stats.h"
#include "backends/cpu/emit_epilogue.h"
#include "backends/cpu/emit_small_gemm.h"
#include "backends/cpu/kernel_emitter.h"
#include "base/error.h"
#include "passes/nested.h"
#include "runtime/host.h"
#include "runtime/kernels/kernels.h"

namespace cotan::cpu {
namespace {

int64_t align64(int64_t n) { return (n + 63) & ~int64_t(63); }

// Work of a program from which it asks for interrupts between its steps.
constexpr float kPollNs = 200'000;

// Carries and arenas of loops up to this size live on the stack, where SROA
// finds them: so they end up in registers.
constexpr int64_t kStackBytes = 1024;
constexpr int64_t kCarryBytes = 256;

class ProgramEmitter {
 public:
  ProgramEmitter(const Program& p, const TargetSpec& target)
      : top_(p),
        p_(&p),
        target_(target),
        session_(target),
        module_(session_.new_module("program")),
        b_(session_.context()),
        out_(std::make_unique<ProgramCode>()) {}

  std::unique_ptr<ProgramCode> run() {
    int64_t start = now_ns();
    shared_kernels();
    begin();
    for (const Step& s : p_->steps) {
      std::visit([&](const auto& step) { emit(step); }, s);
      poll(s);
    }
    leave();
    b_.CreateRet(b_.getInt32(kOk));
    out_->arena_bytes = align64(top_.arena_bytes) + parked_;
    int64_t object_start = now_ns();
    std::vector<char> object =
        session_.compile(std::move(module_), /*promote=*/has_loops_);
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
    for_each_step(top_, [&](const Step& s) {
      if (auto* f = std::get_if<FusedStep>(&s))
        if (!f->kernel->specialised) {
          kernel_index_.emplace(f, int(wanted.size()));
          wanted.push_back(f->kernel);
        }
    });
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
    frames();
    top_addresses();
    int parallel = 0;
    for_each_step(top_, [&](const Step& s) {
      if (auto* f = std::get_if<FusedStep>(&s))
        parallel += !f->kernel->specialised && f->grid > f->grain;
      has_loops_ |= std::holds_alternative<LoopStep>(s);
    });
    // In a loop one parallel step is many.
    in_region_ = parallel > (has_loops_ ? 0 : 1);
    if (in_region_) runtime_call(offsetof(Runtime, enter_region), rt_);
  }
  void leave() {
    if (in_region_) runtime_call(offsetof(Runtime, leave_region), rt_);
  }

  // One frame and one pointer list on the stack serve all calls.
  void frames() {
    size_t operands = 1, list = 1;
    for_each_step(top_, [&](const Step& s) {
      if (auto* f = std::get_if<FusedStep>(&s)) {
        if (!f->kernel->specialised)
          operands = std::max(operands, f->operands.size());
      } else if (auto* g = std::get_if<GemmStep>(&s)) {
        list = std::max(list, 1 + g->operands.size());
        operands = std::max(operands, 3 + g->operands.size());
      } else if (auto* r = std::get_if<RuntimeStep>(&s)) {
        list = std::max(list, r->in.size() + r->out.size());
      } else if (auto* e = std::get_if<EvalStep>(&s)) {
        list = std::max(list, e->in.size() + e->out.size());
      }
    });
    auto words = [&](size_t n) {
      auto* a = b_.CreateAlloca(llvm::ArrayType::get(b_.getInt64Ty(), n));
      a->setAlignment(llvm::Align(64));
      return a;
    };
    frame_ = words(sizeof(KernelFrame) / 8 + operands);
    list_ = words(list);
  }

  // Pointers of all buffers, at the top: everything below can use them.
  void top_addresses() {
    std::vector<llvm::Value*> in(top_.inputs.size()), out(top_.outputs.size());
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
    for (const PlanBuffer& buffer : top_.buffers) {
      size_t i = size_t(buffer.index);
      if (buffer.kind == PlanBuffer::input && !in[i])
        in[i] = load(0, buffer.index);
      if (buffer.kind == PlanBuffer::output && !out[i])
        out[i] = load(1, buffer.index);
    }
    addresses(in, out, function_->getArg(2));
  }
  void addresses(std::span<llvm::Value* const> in,
                 std::span<llvm::Value* const> out, llvm::Value* arena) {
    for (const PlanBuffer& buffer : p_->buffers) {
      llvm::Value* v = nullptr;
      size_t i = size_t(buffer.index);
      switch (buffer.kind) {
        case PlanBuffer::input:
          v = in[i];
          break;
        case PlanBuffer::output:
          v = out[i];
          break;
        case PlanBuffer::arena:
          v = at_offset(arena, buffer.offset);
          break;
        case PlanBuffer::constant:
          v = bytes_global(p_->constants[i].bytes, 16);
          break;
      }
      address_.push_back(v);
    }
  }
  llvm::Value* at_offset(llvm::Value* base, int64_t bytes) {
    return b_.CreateConstInBoundsGEP1_64(b_.getInt8Ty(), base, uint64_t(bytes));
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
    if (since_poll_ < kPollNs || &s == &p_->steps.back()) return;
    since_poll_ = 0;
    stop_if_asked();
  }
  void stop_if_asked() {
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
    int index = kernel_index_.at(&s);
    const Kernel& k = *s.kernel;
    int64_t parked = align64(parked_bytes(k));
    parked_ = std::max(parked_, parked);
    put_frame(offsetof(KernelFrame, meta), words_global(s.meta));
    put_frame(offsetof(KernelFrame, parked), parked_rows());
    put_frame(offsetof(KernelFrame, parked_stride),
              b_.getInt64(uint64_t(parked)));
    llvm::Type *ptr = b_.getPtrTy(), *i64 = b_.getInt64Ty();
    auto callee = function(cat("kernel.", index), b_.getVoidTy(),
                           {ptr, i64, b_.getInt32Ty()});
    call_in_chunks(callee, s.operands, s.grid, s.grain, s.work_ns);
  }
  void put_frame(size_t offset, llvm::Value* v) {
    b_.CreateAlignedStore(
        v,
        b_.CreateConstInBoundsGEP1_64(b_.getInt8Ty(), frame_, uint64_t(offset)),
        llvm::Align(8));
  }
  // Calls a KernelFunction with the frame, whose other fields are set.
  void call_in_chunks(llvm::FunctionCallee callee,
                      std::span<const BufferId> operands, int64_t grid,
                      int64_t grain, float work_ns) {
    put_frame(offsetof(KernelFrame, grid), b_.getInt64(uint64_t(grid)));
    put_frame(offsetof(KernelFrame, grain), b_.getInt64(uint64_t(grain)));
    for (size_t i = 0; i < operands.size(); ++i)
      put_frame(offsetof(KernelFrame, operands) + 8 * i, address(operands[i]));
    if (grid <= grain) {
      b_.CreateCall(callee, {frame_, b_.getInt64(0), b_.getInt32(0)});
      return;
    }
    llvm::Type *ptr = b_.getPtrTy(), *i64 = b_.getInt64Ty();
    auto call =
        function("cotan_call_kernel", b_.getInt32Ty(), {ptr, ptr, ptr, i64});
    check(b_.CreateCall(call, {rt_, callee.getCallee(), frame_,
                               b_.getInt64(uint64_t(int64_t(work_ns)))}));
  }

  // Behind the arena of the whole program.
  llvm::Value* parked_rows() {
    return at_offset(function_->getArg(2), align64(top_.arena_bytes));
  }

  void inline_kernel(const FusedStep& s) {
    KernelArgs args;
    args.constants = s.meta;
    for (BufferId id : s.operands) args.operands.push_back(address(id));
    args.begin = b_.getInt64(0);
    args.end = b_.getInt64(uint64_t(s.grid));
    int64_t parked = align64(parked_bytes(*s.kernel));
    parked_ = std::max(parked_, parked);
    args.parked = parked_rows();
    make_kernel_emitter(b_, target_, *s.kernel, args)->emit();
  }

  void emit(const GemmStep& s) {
    if (is_small_gemm(s.gemm)) {
      inline_gemm(s);
      return;
    }
    if (is_small_batched_gemm(s.gemm)) {
      batched_gemm(s);
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

  // A column as a row.
  static GemmStep oriented(const GemmStep& step) {
    GemmStep s = step;
    if (!is_small_column(s.gemm)) return s;
    s.gemm = swapped_sides(s.gemm);
    std::swap(s.lhs, s.rhs);
    if (s.epilogue) {
      s.epilogue = swap_product_axes(*s.epilogue);
      s.meta = meta_values(*s.epilogue);
    }
    return s;
  }

  void inline_gemm(const GemmStep& step) {
    GemmStep s = oriented(step);
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

  // Many small products: a function over their range, shared by the threads.
  void batched_gemm(const GemmStep& step) {
    GemmStep s = oriented(step);
    SmallVector<BufferId, 6> operands = {s.lhs, s.rhs};
    if (s.epilogue)
      for (BufferId id : s.operands) operands.push_back(id);
    else
      operands.push_back(s.out);
    llvm::Type *ptr = b_.getPtrTy(), *i64 = b_.getInt64Ty();
    auto* f = llvm::Function::Create(
        llvm::FunctionType::get(b_.getVoidTy(), {ptr, i64, b_.getInt32Ty()},
                                false),
        llvm::Function::InternalLinkage, "products", *module_);
    set_function_attributes(*f, target_);
    Builder b(llvm::BasicBlock::Create(b_.getContext(), "entry", f));
    auto field = [&](llvm::Type* t, size_t offset) {
      return b.CreateAlignedLoad(
          t, b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), f->getArg(0), offset),
          llvm::Align(8));
    };
    auto operand = [&](size_t i) {
      return field(ptr, offsetof(KernelFrame, operands) + 8 * i);
    };
    SmallGemmArgs args{.gemm = s.gemm,
                       .lhs = operand(0),
                       .rhs = operand(1),
                       .meta = s.meta,
                       .operands = {}};
    args.epilogue = s.epilogue.get();
    if (!s.epilogue) args.out = operand(2);
    for (size_t i = 2; s.epilogue && i < operands.size(); ++i)
      args.operands.push_back(operand(i));
    llvm::Value* grain = field(i64, offsetof(KernelFrame, grain));
    args.begin = b.CreateMul(f->getArg(1), grain);
    args.end = b.CreateBinaryIntrinsic(llvm::Intrinsic::smin,
                                       b.CreateAdd(args.begin, grain),
                                       field(i64, offsetof(KernelFrame, grid)));
    emit_small_gemm(b, target_, args);
    b.CreateRetVoid();
    int64_t grid = 1;
    for (int64_t e : s.gemm.batch) grid *= e;
    float ns = float(s.gemm.m * s.gemm.n * s.gemm.k) / 16 + 4;
    if (s.epilogue)
      ns += s.epilogue->cost * float(s.gemm.m * s.gemm.n) / 16 + 1;
    put_frame(offsetof(KernelFrame, parked_stride), b_.getInt64(0));
    auto grain_of = std::max<int64_t>(1, int64_t(20'000 / ns));
    call_in_chunks(f, operands, grid, grain_of, ns * float(grid));
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
    size_t index = out_->runtime_calls.size();
    out_->runtime_calls.push_back(
        std::make_unique<RuntimeCall>(make_runtime_call(s.spec, target_)));
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
    copy(address(s.to), address(s.from), p_->buffers[size_t(s.to)].bytes);
  }
  void copy(llvm::Value* to, llvm::Value* from, int64_t bytes) {
    if (to == from || bytes == 0) return;
    b_.CreateMemCpy(to, llvm::Align(1), from, llvm::Align(1), uint64_t(bytes));
  }

  // ---- control flow

  using Pointers = std::vector<llvm::Value*>;
  llvm::BasicBlock* new_block() {
    return llvm::BasicBlock::Create(b_.getContext(), "", function_);
  }
  llvm::Value* on_stack(int64_t bytes) {
    llvm::BasicBlock& entry = function_->getEntryBlock();
    Builder at(&entry, entry.begin());
    auto* a =
        at.CreateAlloca(llvm::ArrayType::get(b_.getInt8Ty(), uint64_t(bytes)));
    a->setAlignment(llvm::Align(64));
    return a;
  }
  // A nested program where the builder stands. Results that are operands are
  // copied by the caller (or not).
  void emit_nested(const Program& p, const Pointers& in, const Pointers& out,
                   llvm::Value* arena) {
    Pointers addresses_before = std::exchange(address_, {});
    const Program* before = std::exchange(p_, &p);
    if (p.arena_bytes > 0 && p.arena_bytes <= kStackBytes)
      arena = on_stack(p.arena_bytes);
    addresses(in, out, arena);
    for (const Step& s : p.steps)
      std::visit([&](const auto& step) { emit(step); }, s);
    p_ = before;
    address_ = std::move(addresses_before);
  }
  llvm::Value* scratch_at(BufferId scratch, int64_t offset) {
    return scratch >= 0 ? at_offset(address(scratch), offset)
                        : function_->getArg(2);
  }

  void emit(const BranchStep& s) {
    Pointers in, out;
    for (size_t i = 1; i < s.in.size(); ++i) in.push_back(address(s.in[i]));
    for (BufferId id : s.out) out.push_back(address(id));
    llvm::Value* arena = scratch_at(s.scratch, 0);
    auto* index =
        b_.CreateAlignedLoad(b_.getInt32Ty(), address(s.in[0]), llvm::Align(4));
    auto* after = new_block();
    std::vector<llvm::BasicBlock*> blocks;
    for (size_t i = 0; i < s.cases.size(); ++i) blocks.push_back(new_block());
    auto* choose = b_.CreateSwitch(index, blocks.back());
    for (size_t i = 0; i + 1 < blocks.size(); ++i)
      choose->addCase(b_.getInt32(uint32_t(i)), blocks[i]);
    for (size_t i = 0; i < blocks.size(); ++i) {
      b_.SetInsertPoint(blocks[i]);
      const Program& p = *s.cases[i];
      emit_nested(p, in, out, arena);
      for (size_t j = 0; j < out.size(); ++j)
        if (int32_t from = p.outputs[j].forwards; from >= 0)
          copy(out[j], in[size_t(from)], p.outputs[j].aval.nbytes());
      b_.CreateBr(after);
    }
    b_.SetInsertPoint(after);
  }

  bool same_memory(BufferId x, BufferId y) const {
    const PlanBuffer &a = p_->buffers[size_t(x)], &b = p_->buffers[size_t(y)];
    if (a.kind == PlanBuffer::arena || b.kind == PlanBuffer::arena)
      return a.kind == b.kind && a.offset == b.offset;
    if (a.kind == b.kind) return a.index == b.index;
    return b.kind == PlanBuffer::output && a.kind == PlanBuffer::input &&
           p_->outputs[size_t(b.index)].alias == a.index;
  }

  // Where a carry is during its loop.
  struct CarryPlace {
    llvm::Value* now = nullptr;   // read by the body
    llvm::Value* next = nullptr;  // written by it; null: in place
    bool small = false;           // on the stack: next is copied to now
    bool swaps() const { return next && !small; }
  };

  std::vector<CarryPlace> carry_places(const LoopStep& s) {
    std::vector<CarryPlace> places;
    size_t first = size_t(s.cond_consts + s.consts);
    for (size_t i = 0; i < s.carry.size(); ++i) {
      const LoopStep::Carry& c = s.carry[i];
      CarryPlace x;
      x.small = c.bytes <= kCarryBytes;
      llvm::Value* result = address(s.out[i]);
      x.now = x.small ? on_stack(std::max<int64_t>(c.bytes, 1)) : result;
      if (c.spare >= 0)
        x.next = x.small ? on_stack(std::max<int64_t>(c.bytes, 1))
                         : scratch_at(s.scratch, c.spare);
      // Places swap: start so that the last value is where it belongs.
      if (x.swaps() && !s.cond && s.trips % 2) std::swap(x.now, x.next);
      if (x.now != result || !same_memory(s.in[first + i], s.out[i]))
        copy(x.now, address(s.in[first + i]), c.bytes);
      places.push_back(x);
    }
    return places;
  }

  Pointers invariants(const LoopStep& s) {
    Pointers made;
    if (!s.prologue) return made;
    Pointers in;
    for (int32_t i = 0; i < s.consts; ++i)
      in.push_back(address(s.in[size_t(s.cond_consts + i)]));
    for (int64_t offset : s.invariants)
      made.push_back(scratch_at(s.scratch, offset));
    emit_nested(*s.prologue, in, made, scratch_at(s.scratch, s.arena));
    for (size_t i = 0; i < made.size(); ++i)
      if (int32_t from = s.prologue->outputs[i].forwards; from >= 0)
        made[i] = in[size_t(from)];
    return made;
  }

  // One iteration of the body; t: the row of the streams.
  void iteration(const LoopStep& s, const std::vector<CarryPlace>& carry,
                 const Pointers& made, llvm::Value* t) {
    const Program& body = *s.body;
    auto row = [&](BufferId base, int64_t bytes) {
      auto* offset =
          b_.CreateMul(t, b_.getInt64(uint64_t(bytes)), "", true, true);
      return b_.CreateInBoundsGEP(b_.getInt8Ty(), address(base), offset);
    };
    Pointers in, out;
    for (int32_t i = 0; i < s.consts; ++i)
      in.push_back(address(s.in[size_t(s.cond_consts + i)]));
    for (const CarryPlace& c : carry) in.push_back(c.now);
    for (size_t k = size_t(s.cond_consts) + in.size(); k < s.in.size(); ++k)
      in.push_back(row(s.in[k], body.inputs[in.size()].nbytes()));
    in.insert(in.end(), made.begin(), made.end());
    for (const CarryPlace& c : carry) out.push_back(c.next ? c.next : c.now);
    for (size_t k = carry.size(); k < s.out.size(); ++k)
      out.push_back(row(s.out[k], body.outputs[k].aval.nbytes()));
    emit_nested(body, in, out, scratch_at(s.scratch, s.arena));
    for (size_t j = 0; j < out.size(); ++j)
      if (int32_t from = body.outputs[j].forwards; from >= 0)
        copy(out[j], in[size_t(from)], body.outputs[j].aval.nbytes());
    for (size_t i = 0; i < carry.size(); ++i)
      if (carry[i].small && carry[i].next)
        copy(carry[i].now, carry[i].next, s.carry[i].bytes);
  }

  // Asks for interrupts about every 10 us, if the loop may take long.
  void poll_loop(const LoopStep& s, llvm::Value* i) {
    float ns = std::max(s.work_ns, 1.0f);
    if (!s.cond && ns * float(s.trips) < 1e6f) return;
    uint64_t every = 1;
    while (every < 1024 && float(every) * ns < 10'000) every *= 2;
    auto *ask = new_block(), *go = new_block();
    auto* masked = b_.CreateAnd(i, b_.getInt64(every - 1));
    b_.CreateCondBr(b_.CreateICmpEQ(masked, b_.getInt64(every - 1)), ask, go);
    b_.SetInsertPoint(ask);
    stop_if_asked();
    b_.CreateBr(go);
    b_.SetInsertPoint(go);
  }

  llvm::Value* predicate(const LoopStep& s,
                         const std::vector<CarryPlace>& carry) {
    Pointers in;
    for (int32_t i = 0; i < s.cond_consts; ++i)
      in.push_back(address(s.in[size_t(i)]));
    for (const CarryPlace& c : carry) in.push_back(c.now);
    llvm::Value* at = on_stack(1);
    emit_nested(*s.cond, in, {at}, scratch_at(s.scratch, s.arena));
    if (int32_t from = s.cond->outputs[0].forwards; from >= 0)
      at = in[size_t(from)];
    auto* v = b_.CreateAlignedLoad(b_.getInt8Ty(), at, llvm::Align(1));
    return b_.CreateICmpNE(v, b_.getInt8(0));
  }

  void emit(const LoopStep& s) {
    std::vector<CarryPlace> carry = carry_places(s);
    const std::vector<CarryPlace> start = carry;
    if (s.cond || s.trips > 0) {
      Pointers made = invariants(s);
      auto *before = b_.GetInsertBlock(), *head = new_block(),
           *after = new_block();
      b_.CreateBr(head);
      b_.SetInsertPoint(head);
      llvm::PHINode* i = b_.CreatePHI(b_.getInt64Ty(), 2);
      i->addIncoming(b_.getInt64(0), before);
      std::vector<std::pair<llvm::PHINode*, llvm::PHINode*>> places;
      for (CarryPlace& c : carry) {
        if (!c.swaps()) continue;
        auto* now = b_.CreatePHI(b_.getPtrTy(), 2);
        auto* next = b_.CreatePHI(b_.getPtrTy(), 2);
        now->addIncoming(c.now, before);
        next->addIncoming(c.next, before);
        c.now = now;
        c.next = next;
        places.emplace_back(now, next);
      }
      if (s.cond) {
        llvm::Value* more = predicate(s, carry);
        auto* body = new_block();
        b_.CreateCondBr(more, body, after);
        b_.SetInsertPoint(body);
      }
      llvm::Value* t = i;
      if (s.reverse) t = b_.CreateSub(b_.getInt64(uint64_t(s.trips - 1)), i);
      iteration(s, carry, made, t);
      poll_loop(s, i);
      llvm::Value* next = b_.CreateAdd(i, b_.getInt64(1));
      auto* latch = b_.GetInsertBlock();
      i->addIncoming(next, latch);
      for (auto [now, other] : places) {
        now->addIncoming(other, latch);
        other->addIncoming(now, latch);
      }
      if (s.cond)
        b_.CreateBr(head);
      else
        b_.CreateCondBr(b_.CreateICmpULT(next, b_.getInt64(uint64_t(s.trips))),
                        head, after);
      b_.SetInsertPoint(after);
    }
    finish_carries(s, carry, start);
  }

  // The last values to the results. A swapped carry of a counted loop is there.
  void finish_carries(const LoopStep& s, const std::vector<CarryPlace>& carry,
                      const std::vector<CarryPlace>& start) {
    for (size_t k = 0; k < carry.size(); ++k) {
      const CarryPlace& c = carry[k];
      if (c.small) copy(address(s.out[k]), c.now, s.carry[k].bytes);
      if (!c.swaps() || !s.cond) continue;
      auto *moved = new_block(), *done = new_block();
      b_.CreateCondBr(b_.CreateICmpEQ(c.now, start[k].now), done, moved);
      b_.SetInsertPoint(moved);
      copy(address(s.out[k]), c.now, s.carry[k].bytes);
      b_.CreateBr(done);
      b_.SetInsertPoint(done);
    }
  }

  const Program& top_;
  const Program* p_;  // the one being emitted
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
  std::unordered_map<const FusedStep*, int> kernel_index_;
  bool has_loops_ = false;
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
