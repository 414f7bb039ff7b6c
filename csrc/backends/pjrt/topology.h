// Compiling ahead of time for devices that are not here: a plugin describes a
// topology by name ("v5e:2x2") and compiles for it.
#pragma once

#include "backends/pjrt/pjrt.h"

namespace cotan::pjrt {

class AotProgram;

class Topology : public RefCounted {
 public:
  // Throws Error(value) for a name that the plugin does not know.
  static Ref<Topology> make(const std::string& plugin_path,
                            const std::string& name,
                            const PluginValues& options = {});
  ~Topology() override;

  struct DeviceFacts {
    int id;
    std::string kind;
    PluginValues attributes;
  };
  const std::string& name() const { return name_; }
  const std::string& platform() const { return platform_; }
  const std::string& version() const { return version_; }
  const std::vector<DeviceFacts>& devices() const { return devices_; }
  const PluginValues& attributes() const { return attributes_; }
  std::string serialize() const;
  // Compiles StableHLO text; check_module_text guards the plugin.
  Ref<AotProgram> compile(const std::string& text,
                          const CompileSettings& settings) const;

 private:
  Topology(Plugin& plugin, abi::TopologyDescription* handle, std::string name);
  friend class AotProgram;

  Plugin& plugin_;
  abi::TopologyDescription* handle_;
  std::string name_, platform_, version_;
  std::vector<DeviceFacts> devices_;
  PluginValues attributes_;
};

// A compiled program that cannot run here.
class AotProgram : public RefCounted {
 public:
  ~AotProgram() override;
  ProgramFacts facts() const;
  std::string serialize() const;
  std::string optimized(std::string* format) const;
  Avals outputs() const;

 private:
  friend class Topology;
  AotProgram(Ref<const Topology> t, abi::Executable* e)
      : topology_(std::move(t)), handle_(e) {}
  Ref<const Topology> topology_;
  abi::Executable* handle_;
};

}  // namespace cotan::pjrt
