// The PJRT backend's entrance: plugins become devices, jaxprs become programs
// for them. Start in lowering.h (StableHLO), client.h (devices and arrays),
// executable.h (running) and topology.h (ahead of time).
#pragma once

#include "backends/pjrt/compile_options.h"
#include "backends/pjrt/lowering.h"
#include "ir/jaxpr.h"
#include "runtime/executable.h"

namespace cotan::pjrt {

// Opens a plugin and registers its devices as `platform` ("tpu", "pjrt:cpu").
// Once per platform: later calls give the same devices. Throws Error(runtime)
// for what is no plugin, and what the plugin refuses with.
std::span<Device* const> load_devices(const std::string& platform,
                                      const std::string& path,
                                      const PluginValues& options = {});

// What a platform's plugin is, for the user; throws for unknown platforms.
struct PlatformFacts {
  std::string path, plugin_platform, version;
  int minor_version;
  PluginValues attributes;
};
PlatformFacts platform_facts(const std::string& platform);

bool is_pjrt_device(Device* device) noexcept;
const PluginValues& device_attributes(Device* device);

// Equal programs for one device are compiled once.
Ref<Executable> compile(Device* device, const Jaxpr& j,
                        const std::vector<bool>& donated,
                        const std::string& name,
                        const PluginValues& flags = {});
// Programs that are in use stay; the others are compiled again when asked for.
void clear_programs();

// The program of one primitive, for eager evaluation.
Ref<Executable> eager_program(Device* device, const Primitive& p,
                              const Params& params, std::span<const Aval> in);

// Counters, for tests: programs handed to a plugin, and found in the caches.
struct PjrtStats {
  int64_t compiled = 0, hits = 0;
};
PjrtStats stats();

// What the plugin says about a program of one of its devices.
struct ProgramFacts {
  PluginValues cost;
  std::map<std::string, int64_t> memory;
  int64_t code_bytes = 0;
  std::string fingerprint;
};
ProgramFacts facts_of(const Executable& e);
// The optimised program as the plugin gives it, and the name of its format.
std::string optimized_of(const Executable& e, std::string* format);

// ---- programs as bytes; only for the same kind of device and plugin
std::string serialize_program(const Executable& e);
Ref<Executable> load_program(Device* device, const std::string& bytes,
                             std::vector<InputSpec> in,
                             std::vector<OutputSpec> out);

}  // namespace cotan::pjrt
