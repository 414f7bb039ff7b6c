#include "backends/cpu/kernel_cache.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/Module.h>

#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "backends/cpu/compile_stats.h"
#include "backends/cpu/jit.h"
#include "backends/cpu/kernel_emitter.h"
#include "backends/cpu/kernel_frame.h"
#include "base/error.h"
#include "runtime/allocator.h"
#include "runtime/host.h"

namespace cotan::cpu {

CompiledKernel::CompiledKernel(KernelFunction f, Ref<LoadedCode> code)
    : function(f), code_(std::move(code)) {}
CompiledKernel::~CompiledKernel() = default;

const TargetSpec& this_machine() { return host_target(); }
const TargetSpec& other_machine(const char* cpu) { return named_target(cpu); }

namespace {

struct Entry {
  CompiledKernelRef result;
  std::exception_ptr error;
  bool done = false;
};
using EntryRef = std::shared_ptr<Entry>;
using Table =
    std::unordered_map<KernelRef, EntryRef, KernelCodeHash, KernelSameCode>;

struct Cache {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<const TargetSpec*, Table> tables;
};
Cache& cache() {
  static Cache* c = new Cache();  // outlives static destructors
  return *c;
}

// One module with all of them.
std::vector<CompiledKernelRef> compile_now(std::span<const KernelRef> kernels,
                                           const TargetSpec& target) {
  int64_t start = now_ns();
  CompileSession session(target);
  auto module = session.new_module("kernels");
  for (size_t i = 0; i < kernels.size(); ++i)
    emit_kernel_function(*module, target, *kernels[i], cat("k", i));
  std::vector<char> object = session.compile(std::move(module));
  Ref<LoadedCode> code = link_object(object);
  std::vector<CompiledKernelRef> out;
  for (size_t i = 0; i < kernels.size(); ++i) {
    void* f = code->find(cat("k", i));
    COTAN_CHECK(f != nullptr);
    out.push_back(
        make_ref<CompiledKernel>(reinterpret_cast<KernelFunction>(f), code));
  }
  count_kernels(int64_t(kernels.size()), int64_t(code->code_bytes()),
                now_ns() - start);
  return out;
}

}  // namespace

std::vector<CompiledKernelRef> compile_kernels(
    std::span<const KernelRef> kernels, const TargetSpec& target) {
  Cache& c = cache();
  std::vector<EntryRef> entries(kernels.size());
  std::vector<size_t> mine;
  {
    std::lock_guard lock(c.mutex);
    Table& table = c.tables[&target];
    for (size_t i = 0; i < kernels.size(); ++i) {
      auto [it, fresh] = table.try_emplace(kernels[i]);
      if (fresh) {
        it->second = std::make_shared<Entry>();
        mine.push_back(i);
      }
      entries[i] = it->second;
    }
  }
  count_kernel_hits(int64_t(kernels.size() - mine.size()));
  if (!mine.empty()) {
    std::vector<KernelRef> missing;
    for (size_t i : mine) missing.push_back(kernels[i]);
    std::vector<CompiledKernelRef> results;
    std::exception_ptr error;
    try {
      results = compile_now(missing, target);
    } catch (...) {
      error = std::current_exception();
    }
    std::lock_guard lock(c.mutex);
    for (size_t n = 0; n < mine.size(); ++n) {
      Entry& e = *entries[mine[n]];
      if (error) {
        // Whoever waits sees it; whoever comes later tries again.
        c.tables[&target].erase(kernels[mine[n]]);
        e.error = error;
      } else {
        e.result = results[n];
      }
      e.done = true;
    }
    c.changed.notify_all();
  }
  std::vector<CompiledKernelRef> out;
  std::unique_lock lock(c.mutex);
  for (EntryRef& e : entries) {
    c.changed.wait(lock, [&] { return e->done; });
    if (e->error) std::rethrow_exception(e->error);
    out.push_back(e->result);
  }
  return out;
}

void clear_kernel_cache() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  for (auto& [target, table] : c.tables)
    std::erase_if(table, [](const auto& item) { return item.second->done; });
}

void run_kernel(const CompiledKernel& code, const Kernel& k,
                void* const* operands, int64_t grid, int64_t grain) {
  std::vector<int64_t> meta = meta_values(k);
  int64_t parked = parked_bytes(k);
  Scratch scratch{size_t(std::max<int64_t>(parked, 1))};
  std::vector<int64_t> words(sizeof(KernelFrame) / 8 + k.operands.size());
  auto* frame = reinterpret_cast<KernelFrame*>(words.data());
  frame->meta = meta.data();
  frame->parked = scratch.as<char>();
  frame->parked_stride = parked;
  frame->grid = grid;
  frame->grain = grain;
  std::memcpy(frame->operands, operands, k.operands.size() * sizeof(void*));
  for (int64_t c = 0; c * grain < grid; ++c) code.function(frame, c, 0);
}

}  // namespace cotan::cpu
