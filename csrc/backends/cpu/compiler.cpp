#include "backends/cpu/compiler.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "backends/cpu/compile_stats.h"
#include "backends/cpu/emit_small_gemm.h"
#include "backends/cpu/program_emitter.h"
#include "backends/cpu/split_epilogues.h"
#include "backends/cpu/step_program.h"
#include "base/error.h"
#include "passes/program.h"

namespace cotan::cpu {

namespace {

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(ProgramRef program, std::unique_ptr<ProgramCode> code)
      : Executable(cpu_device(), input_specs(*program), output_specs(*program),
                   size_t(code->arena_bytes)),
        entry_(code->entry),
        code_(std::move(code)),
        program_(std::move(program)) {}

  int run(const void* const* in, void* const* out, void* arena,
          Runtime* runtime) const override {
    return entry_(in, out, arena, runtime);
  }
  std::string text() const override { return to_string(*program_); }

 private:
  const EntryFunction entry_;
  const std::unique_ptr<ProgramCode> code_;
  const ProgramRef program_;
};

Ref<Executable> compile_now(const JaxprRef& jaxpr,
                            const CompileOptions& options) {
  const TargetSpec& target =
      options.cpu.empty() ? host_target() : named_target(options.cpu);
  throw_if_interrupted();
  PlanOptions plan;
  plan.donated = options.donated;
  plan.fuse = options.fuse;
  plan.specialise_small = options.specialise_small;
  plan.vector_registers = target.vector_registers;
  ProgramRef program =
      split_epilogues(plan_program(jaxpr, plan), [](const GemmStep& s) {
        return is_small_gemm(s.gemm) || is_small_batched_gemm(s.gemm);
      });
  throw_if_interrupted();
  std::unique_ptr<ProgramCode> code = compile_program(*program, target);
  return make_ref<CpuExecutable>(std::move(program), std::move(code));
}

// ---- the cache: single flight per (jaxpr, options)

struct Key {
  JaxprRef jaxpr;
  CompileOptions options;
  uint64_t hash = jaxpr_hash(*jaxpr);  // of user's parameters: runs Python
  bool operator==(const Key& o) const {
    return hash == o.hash && options == o.options &&
           (jaxpr == o.jaxpr || jaxpr_equal(*jaxpr, *o.jaxpr));
  }
};
struct KeyHash {
  size_t operator()(const Key& k) const { return k.hash; }
};
struct Entry {
  Ref<Executable> result;
  std::exception_ptr error;
  bool done = false;
};
struct Cache {
  std::mutex mutex;
  std::condition_variable changed;
  std::unordered_map<Key, std::shared_ptr<Entry>, KeyHash> entries;
};
Cache& cache() {
  static Cache* c = new Cache();  // outlives static destructors
  return *c;
}

}  // namespace

Ref<Executable> compile_cpu(const JaxprRef& jaxpr,
                            const CompileOptions& options) {
  Cache& c = cache();
  Key key{jaxpr, options};
  std::shared_ptr<Entry> entry;
  bool mine;
  {
    std::unique_lock lock(c.mutex);
    auto [it, fresh] = c.entries.try_emplace(key);
    if (fresh) it->second = std::make_shared<Entry>();
    entry = it->second;
    mine = fresh;
    if (!mine) {
      // Waiting can be interrupted too; the check may take Python's lock.
      while (!entry->done) {
        c.changed.wait_for(lock, std::chrono::milliseconds(50));
        lock.unlock();
        throw_if_interrupted();
        lock.lock();
      }
      if (entry->error) std::rethrow_exception(entry->error);
      count_program_hit();
      return entry->result;
    }
  }
  Ref<Executable> result;
  std::exception_ptr error;
  try {
    result = compile_now(jaxpr, options);
  } catch (...) {
    error = std::current_exception();
  }
  std::lock_guard lock(c.mutex);
  entry->result = result;
  entry->error = error;
  entry->done = true;
  // Whoever waits sees a failure; whoever comes later tries again.
  if (error) c.entries.erase(key);
  c.changed.notify_all();
  if (error) std::rethrow_exception(error);
  return result;
}

void clear_program_cache() {
  {
    Cache& c = cache();
    std::lock_guard lock(c.mutex);
    std::erase_if(c.entries, [](const auto& e) { return e.second->done; });
  }
  clear_kernel_cache();
}

void set_compile_interrupt_check(bool (*check)()) noexcept {
  set_interrupt_check(check);
}

}  // namespace cotan::cpu
