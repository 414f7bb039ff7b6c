// Programs: traced functions that run as compiled code. This is where traced
// jaxprs meet a backend; jit in Python and in C++ both end here.
#pragma once

#include <atomic>
#include <mutex>

#include "runtime/array.h"
#include "runtime/executable.h"
#include "trace/trace.h"

namespace cotan {

struct CompileStats {
  int64_t traces = 0;    // functions traced by jit
  int64_t programs = 0;  // programs compiled
};
CompileStats& compile_counters();

// Brackets compilations and long runs: the Python layer lets go of its lock.
struct BlockingHooks {
  void* (*enter)() = nullptr;
  void (*leave)(void*) = nullptr;
};
void set_blocking_hooks(BlockingHooks hooks) noexcept;

class JitProgram : public RefCounted {
 public:
  // donated[i]: argument i (not counting constants) may be overwritten.
  JitProgram(TracedGraph graph, std::vector<bool> donated, std::string name);

  const Jaxpr& jaxpr() const { return *graph_.jaxpr; }
  const TracedGraph& graph() const { return graph_; }
  const std::string& name() const { return name_; }

  // Compiles if that has not happened yet; one thread does it.
  const Executable& executable();
  // Runs on concrete arguments.
  Values run(std::span<const Value> args);
  // Applies the program under the current trace: runs or is recorded as a
  // nested jit.
  Values apply(std::span<const Value> args);

 private:
  TracedGraph graph_;
  std::vector<bool> donated_;
  std::string name_;
  std::vector<Ref<Buffer>> const_buffers_;
  std::mutex mutex_;
  std::atomic<Executable*> ready_{nullptr};
  bool long_running_ = false;  // set before ready_
  Ref<Executable> executable_;
};

// Checks results for nan / inf under debug_nans / debug_infs.
void check_special(const char* what, const Value& v);

}  // namespace cotan
