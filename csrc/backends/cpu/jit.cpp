// Compilation of one module. The pass pipeline is minimal on purpose: the IR
// is already vector code, so EarlyCSE and InstCombine clean it up and the code
// generator at level Less does the rest.
#include "backends/cpu/jit.h"

#include <llvm/Analysis/AliasAnalysis.h>
#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/LastRunTrackingAnalysis.h>
#include <llvm/Analysis/OptimizationRemarkEmitter.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PassInstrumentation.h>
#include <llvm/IR/PassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Target/TargetOptions.h>
#include <llvm/TargetParser/Triple.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/SROA.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "base/error.h"

namespace cotan::cpu {
namespace {

std::atomic<InterruptCheck> g_interrupt_check{nullptr};

// Strength reduction costs as much as instruction selection and finds nothing
// in loops that have one counter and step by whole vectors: without it kernels
// compile in half the time and run a little faster. Our LLVM is a private
// copy, so its options are ours.
void set_options() {
  auto& options = llvm::cl::getRegisteredOptions();
  for (const char* name : {"disable-lsr"}) {
    auto it = options.find(name);
    COTAN_CHECK(it != options.end());
    static_cast<llvm::cl::opt<bool>*>(it->second)->setValue(true);
  }
}

void start_llvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    set_options();
  });
}

std::unique_ptr<llvm::TargetMachine> make_target_machine(const TargetSpec& t) {
  start_llvm();
  std::string error;
  llvm::Triple triple(t.triple);
  const llvm::Target* target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) throw_error(ErrorKind::internal, cat("[compile] ", error));
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  options.DisableIntegratedAS = false;
  auto* tm = target->createTargetMachine(
      triple, t.cpu, t.features, options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Less, /*JIT=*/true);
  return std::unique_ptr<llvm::TargetMachine>(tm);
}

bool debug_flag(const char* name) {
  const char* v = std::getenv(name);
  return v && *v && *v != '0';
}

}  // namespace

void set_interrupt_check(InterruptCheck check) noexcept {
  g_interrupt_check.store(check, std::memory_order_release);
}

void throw_if_interrupted() {
  InterruptCheck check = g_interrupt_check.load(std::memory_order_acquire);
  if (check && check())
    throw_error(ErrorKind::interrupted, "[compile] interrupted");
}

struct CompileSession::Slot {
  explicit Slot(const TargetSpec& t) : target(&t), tm(make_target_machine(t)) {
    library_info =
        std::make_unique<llvm::TargetLibraryInfoImpl>(tm->getTargetTriple());
    library_info->disableAllFunctions();
  }
  const TargetSpec* target;
  std::unique_ptr<llvm::TargetMachine> tm;
  std::unique_ptr<llvm::TargetLibraryInfoImpl> library_info;
  std::unique_ptr<llvm::LLVMContext> context;
  // The code generator's passes, set up once and run on every module: that
  // costs as much as compiling a small kernel.
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out{bytes};
  std::unique_ptr<llvm::legacy::PassManager> codegen;
  int uses = 0;

  void simplify(llvm::Module& m, bool promote);
};

// Only the analyses that the two passes ask for: registering all of them
// costs more than running these on a small kernel.
void CompileSession::Slot::simplify(llvm::Module& m, bool promote) {
  llvm::FunctionAnalysisManager fam;
  llvm::ModuleAnalysisManager mam;
  fam.registerPass([&] { return llvm::PassInstrumentationAnalysis(); });
  mam.registerPass([&] { return llvm::PassInstrumentationAnalysis(); });
  fam.registerPass([&] { return tm->getTargetIRAnalysis(); });
  fam.registerPass([&] { return llvm::TargetLibraryAnalysis(*library_info); });
  fam.registerPass([&] { return llvm::DominatorTreeAnalysis(); });
  fam.registerPass([&] { return llvm::AssumptionAnalysis(); });
  fam.registerPass([&] { return llvm::OptimizationRemarkEmitterAnalysis(); });
  fam.registerPass([&] { return llvm::AAManager(); });
  fam.registerPass([&] { return llvm::LastRunTrackingAnalysis(); });
  fam.registerPass(
      [&] { return llvm::ModuleAnalysisManagerFunctionProxy(mam); });
  llvm::FunctionPassManager passes;
  // Loops keep what they carry on the stack until here.
  if (promote) passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::InstCombinePass());
  for (llvm::Function& f : m)
    if (!f.isDeclaration()) passes.run(f, fam);
  fam.clear();
}

// ---- sessions: slots are kept and reused

namespace {
std::mutex g_slots_mutex;
std::vector<std::unique_ptr<CompileSession::Slot>>& idle_slots() {
  // Never destroyed: threads may still compile while the process exits.
  static auto* slots = new std::vector<std::unique_ptr<CompileSession::Slot>>();
  return *slots;
}
constexpr int kContextUses = 200;
constexpr size_t kIdleSlots = 4;
}  // namespace

CompileSession::CompileSession(const TargetSpec& target) : target_(target) {
  {
    std::lock_guard lock(g_slots_mutex);
    auto& slots = idle_slots();
    for (size_t i = slots.size(); i-- > 0;) {
      if (slots[i]->target != &target) continue;
      slot_ = std::move(slots[i]);
      slots.erase(slots.begin() + int64_t(i));
      break;
    }
  }
  if (!slot_) slot_ = std::make_unique<Slot>(target);
}

CompileSession::~CompileSession() {
  if (++slot_->uses % kContextUses == 0) {
    slot_->codegen.reset();
    slot_->context.reset();
  }
  std::lock_guard lock(g_slots_mutex);
  if (idle_slots().size() < kIdleSlots)
    idle_slots().push_back(std::move(slot_));
}

llvm::LLVMContext& CompileSession::context() {
  if (!slot_->context) {
    slot_->context = std::make_unique<llvm::LLVMContext>();
    slot_->context->setDiscardValueNames(true);
  }
  return *slot_->context;
}

std::unique_ptr<llvm::Module> CompileSession::new_module(
    std::string_view name) {
  auto m = std::make_unique<llvm::Module>(
      llvm::StringRef(name.data(), name.size()), context());
  m->setDataLayout(slot_->tm->createDataLayout());
  m->setTargetTriple(slot_->tm->getTargetTriple());
  return m;
}

std::vector<char> CompileSession::compile(std::unique_ptr<llvm::Module> module,
                                          bool promote) {
  throw_if_interrupted();
  static const bool dump = debug_flag("COTAN_DUMP_IR");
  static const bool verify = debug_flag("COTAN_VERIFY_IR");
  if (verify) {
    std::string text;
    llvm::raw_string_ostream os(text);
    if (llvm::verifyModule(*module, &os)) {
      module->print(os, nullptr);
      throw_error(ErrorKind::internal, cat("[compile] broken IR: ", text));
    }
  }
  slot_->simplify(*module, promote);
  if (dump) module->print(llvm::errs(), nullptr);
  throw_if_interrupted();
  Slot& slot = *slot_;
  slot.bytes.clear();
  if (!slot.codegen) {
    slot.codegen = std::make_unique<llvm::legacy::PassManager>();
    if (slot.tm->addPassesToEmitFile(*slot.codegen, slot.out, nullptr,
                                     llvm::CodeGenFileType::ObjectFile,
                                     /*DisableVerify=*/true))
      throw_error(ErrorKind::internal, "[compile] no object emission");
  }
  slot.codegen->run(*module);
  return std::vector<char>(slot.bytes.begin(), slot.bytes.end());
}

}  // namespace cotan::cpu
