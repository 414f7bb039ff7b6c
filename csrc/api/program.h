// Programs: traced functions that run as compiled code. This is where traced
// jaxprs meet a backend; jit in Python and in C++ both end here.
#pragma once

#include <atomic>
#include <memory>
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

class JitProgram : public RefCounted {
 public:
  // donated[i]: argument i (not counting constants) may be overwritten.
  // device: where it runs; null: where its arguments are. inlined: other
  // traces record its equations, not a call.
  JitProgram(TracedGraph graph, std::vector<bool> donated, std::string name,
             Device* device = nullptr, bool inlined = false);

  const Jaxpr& jaxpr() const { return *graph_.jaxpr; }
  const TracedGraph& graph() const { return graph_; }
  const std::string& name() const { return name_; }
  // Per input of the jaxpr: constants first, never donated.
  std::vector<bool> all_donated() const;

  // Compiles if that has not happened yet; one thread does it.
  const Executable& executable();
  const Executable& executable_on(Device* device);
  // Runs on concrete arguments.
  Values run(std::span<const Value> args);
  // Applies the program under the current trace: runs or is recorded as a
  // nested jit.
  Values apply(std::span<const Value> args);

 private:
  // The program for one device that is not the CPU.
  struct Placed {
    Device* device;
    Ref<Executable> executable;
    std::vector<Ref<Buffer>> consts;
    Avals out;  // the executable may be shared by programs of other weak types
    std::unique_ptr<Placed> next;
  };
  const Placed* find_placed(Device* device) const;
  const Placed& placed_on(Device* device);
  Values run_placed(std::span<const Value> args, Device* device);

  TracedGraph graph_;
  std::vector<bool> donated_;
  std::string name_;
  Device* device_;
  bool inlined_;
  std::unique_ptr<Placed> placed_;  // a list that grows in front, under mutex_
  // The list for readers. They take no lock: whoever compiles holds mutex_ and
  // may wait for a lock of the caller's (Python's) to describe an equation.
  std::atomic<const Placed*> placed_ready_{nullptr};
  std::vector<Ref<Buffer>> const_buffers_;
  std::mutex mutex_;
  std::atomic<Executable*> ready_{nullptr};
  bool long_running_ = false;  // set before ready_
  Ref<Executable> executable_;
};

// Checks results for nan / inf under debug_nans / debug_infs.
void check_special(const char* what, const Value& v);
// Those of a program; the error names the operation that made the value.
void check_results(const JitProgram& p, std::span<const Value> args,
                   const Values& results);

}  // namespace cotan
