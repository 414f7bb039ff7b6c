// Calls of the host program from programs of plugins whose device is the host:
// one custom call, registered by the plugin's FFI extension, whose attribute
// says which equation of which program to evaluate, by the primitive's
// reference rule. What that throws is kept, and thrown again by whoever waits
// for the program.
#pragma once

#include <exception>
#include <map>
#include <mutex>
#include <string>

#include "backends/pjrt/plugin.h"
#include "base/ref.h"
#include "ir/primitive.h"

namespace cotan::pjrt {

constexpr const char* kHostCallTarget = "cotan_host_call";

struct HostCall {
  const Primitive* prim;
  Params params;
  Avals in, out;
};

// The calls of one program. They can be made while it lives.
class HostCalls : public RefCounted {
 public:
  HostCalls() = default;
  ~HostCalls() override;
  // The number that the program's text names the call by.
  int64_t add(HostCall call);
  bool empty() const { return calls_.empty(); }
  // Throws what a call threw, if the plugin's message is about that.
  void rethrow(const std::string& message);

  const HostCall* find(int64_t number) const;
  // The message that stands for an exception.
  std::string keep(std::exception_ptr e);

 private:
  std::map<int64_t, HostCall> calls_;  // complete before the program runs
  std::mutex mutex_;
  std::map<int64_t, std::exception_ptr> failures_;
};

// Whether programs of this plugin can call the host; makes them able to.
bool enable_host_calls(Plugin& plugin);

}  // namespace cotan::pjrt
