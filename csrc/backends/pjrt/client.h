// A client of a plugin and its devices. Devices are registered with the
// runtime under the platform's name ("tpu", "pjrt:cpu"); their arrays are
// handles of PJRT buffers. Clients are never destroyed: arrays that live in
// static variables outlast everything else.
#pragma once

#include <memory>

#include "backends/pjrt/plugin.h"
#include "runtime/buffer.h"

namespace cotan::pjrt {

class PjrtClient;

class PjrtDevice final : public Device {
 public:
  PjrtDevice(PjrtClient& client, abi::Device* handle, std::string platform,
             int id, std::string kind, int64_t global_id,
             PluginValues attributes);

  PjrtClient& client() const { return client_; }
  abi::Device* handle() const { return handle_; }
  int64_t global_id() const { return global_id_; }
  const PluginValues& attributes() const { return attributes_; }

  void* allocate(size_t bytes) override;
  void deallocate(void* p, size_t bytes) noexcept override;
  void copy_from_host(void* to, const void* from, size_t bytes) override;
  void copy_to_host(void* to, const void* from, size_t bytes) override;
  void copy_within(void* to, const void* from, size_t bytes) override;
  MemoryStats memory() const override;
  void* upload(const Aval& aval, const void* host, Buffer* owner) override;
  void* copy_from_device(void* from, Device* of) override;
  void wait(void* array) override;
  bool is_ready(void* array) override;
  std::vector<std::string> memory_kinds() const override;

 private:
  PjrtClient& client_;
  abi::Device* handle_;
  int64_t global_id_;
  PluginValues attributes_;
};

class PjrtClient {
 public:
  // Creates the client and its devices; throws what the plugin refuses with.
  PjrtClient(Plugin& plugin, std::string platform, const PluginValues& options);

  Plugin& plugin() const { return plugin_; }
  abi::Client* handle() const { return handle_; }
  // As the plugin calls it ("cpu", "tpu"), and as the user does.
  const std::string& plugin_platform() const { return plugin_platform_; }
  const std::string& platform() const { return platform_; }
  const std::string& version() const { return version_; }
  bool shares_host_memory() const { return plugin_platform_ == "cpu"; }
  std::vector<PjrtDevice*> devices;

 private:
  Plugin& plugin_;
  abi::Client* handle_ = nullptr;
  std::string platform_, plugin_platform_, version_;
};

// Throws for what plugins pack: of less than a byte.
void refuse_packed(DType t);
int element_type(DType t);

// The device as one of ours, or null.
PjrtDevice* as_pjrt(Device* device) noexcept;

}  // namespace cotan::pjrt
