// A program that a plugin compiled, for one device.
#pragma once

#include "backends/pjrt/client.h"
#include "backends/pjrt/host_calls.h"
#include "backends/pjrt/pjrt.h"
#include "runtime/executable.h"

namespace cotan::pjrt {

class PjrtExecutable final : public Executable {
 public:
  // Takes over `loaded`.
  PjrtExecutable(PjrtDevice* device, abi::LoadedExecutable* loaded,
                 std::vector<InputSpec> in, std::vector<OutputSpec> out,
                 Ref<HostCalls> host_calls = nullptr);
  ~PjrtExecutable() override;

  int run(const void* const* in, void* const* out, void* arena,
          Runtime* runtime) const override;
  void run_buffers(std::span<Buffer* const> in,
                   std::span<Ref<Buffer>> out) const override;
  abi::LoadedExecutable* handle() const { return loaded_; }
  bool calls_host() const { return bool(host_calls_); }

 private:
  PjrtDevice* device_;
  abi::LoadedExecutable* loaded_;
  Ref<HostCalls> host_calls_;  // or null
};

// ---- what can be asked of a compiled program without running it
ProgramFacts program_facts(const Plugin& plugin, abi::Executable* e);
std::string serialize(const Plugin& plugin, abi::Executable* e);
// The optimised program as the plugin gives it, and the name of its format.
std::string optimized_program(const Plugin& plugin, abi::Executable* e,
                              std::string* format);

}  // namespace cotan::pjrt
