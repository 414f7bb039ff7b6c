#include "runtime/device.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/host.h"

namespace cotan {
namespace {

std::string cpu_model() {
  std::string model = "cpu";
  if (FILE* f = std::fopen("/proc/cpuinfo", "re")) {
    char line[256];
    while (std::fgets(line, sizeof line, f)) {
      if (std::strncmp(line, "model name", 10) != 0) continue;
      if (const char* colon = std::strchr(line, ':')) {
        model = colon + 2;
        while (!model.empty() && model.back() <= ' ') model.pop_back();
      }
      break;
    }
    std::fclose(f);
  }
  return model;
}

class CpuDevice final : public Device {
 public:
  CpuDevice(int id, std::string kind) : Device("cpu", id, std::move(kind)) {
    is_cpu_ = true;
  }
  void* allocate(size_t bytes) override { return allocate_bytes(bytes); }
  void deallocate(void* p, size_t bytes) noexcept override {
    free_bytes(p, bytes);
  }
  void copy_from_host(void* to, const void* from, size_t bytes) override {
    copy_within(to, from, bytes);
  }
  void copy_to_host(void* to, const void* from, size_t bytes) override {
    copy_within(to, from, bytes);
  }
  void copy_within(void* to, const void* from, size_t bytes) override {
    if (bytes) std::memcpy(to, from, bytes);
  }
  MemoryStats memory() const override { return memory_stats(); }
};

using DeviceList = std::vector<Device*>;

struct Registry {
  std::mutex mutex;
  // One list a platform, in order of registration. A list is replaced, never
  // changed, so that the spans handed out stay valid.
  std::vector<std::pair<std::string, const DeviceList*>> platforms;
  std::atomic<Device*> chosen{nullptr};

  Registry() {
    int64_t count = env_int("COTAN_CPU_DEVICES", 1);
    if (count < 1 || count > 1024) count = 1;
    auto* cpus = new DeviceList;
    std::string kind = cpu_model();
    for (int i = 0; i < int(count); ++i)
      cpus->push_back(new CpuDevice(i, kind));
    platforms.emplace_back("cpu", cpus);
  }
  const DeviceList* find(std::string_view platform) const {
    for (const auto& [name, list] : platforms)
      if (name == platform) return list;
    return nullptr;
  }
};

Registry& registry() {
  static Registry* r = new Registry;
  return *r;
}

// Not in the header: each library would have its own.
std::atomic<bool> other_devices{false};

std::string device_names() {
  std::string out;
  for (const auto& [name, list] : registry().platforms) {
    for (Device* d : *list) {
      if (!out.empty()) out += ", ";
      out += d->name();
    }
  }
  return out;
}

}  // namespace

void* Device::upload(const Aval& aval, const void* host, Buffer*) {
  auto bytes = size_t(aval.nbytes());
  void* to = allocate(bytes);
  if (bytes) copy_from_host(to, host, bytes);
  return to;
}
void* Device::copy_from_device(void*, Device*) { return nullptr; }
void Device::wait(void*) {}
bool Device::is_ready(void*) { return true; }

bool placement_matters() noexcept {
  return other_devices.load(std::memory_order_relaxed);
}

std::string Device::name() const { return cat(platform_, ":", id_); }

Device* cpu_device(int id) {
  if (id == 0) {
    static Device* first = find_device("cpu", 0);
    return first;
  }
  return find_device("cpu", id);
}

void register_device(Device* device) {
  std::unique_ptr<Device> owned(device);
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  const DeviceList* old = r.find(device->platform());
  auto* list = old ? new DeviceList(*old) : new DeviceList;
  for (Device* d : *list) {
    if (d->id() == device->id()) {
      delete list;
      throw_value("[register_device] ", device->name(), " exists already");
    }
  }
  auto at = list->begin();
  while (at != list->end() && (*at)->id() < device->id()) ++at;
  if (!device->is_cpu()) other_devices.store(true, std::memory_order_relaxed);
  list->insert(at, owned.release());
  for (auto& [name, entry] : r.platforms) {
    if (name != device->platform()) continue;
    entry = list;
    return;
  }
  r.platforms.emplace_back(device->platform(), list);
}

std::span<Device* const> devices(std::string_view platform) {
  std::string wanted(platform.empty() ? default_device()->platform()
                                      : std::string(platform));
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  const DeviceList* list = r.find(wanted);
  if (!list)
    throw_runtime("[devices] no platform '", wanted, "'; devices are ",
                  device_names());
  return *list;
}

Device* find_device(std::string_view platform, int id) {
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  if (const DeviceList* list = r.find(platform)) {
    for (Device* d : *list)
      if (d->id() == id) return d;
  }
  throw_value("[find_device] no device '", platform, ":", id, "'; devices are ",
              device_names());
}

namespace {
thread_local Device* thread_device = nullptr;
// Thread storage is slow to reach from a shared library: only once used.
std::atomic<bool> any_thread_device = false;
}  // namespace

Device* default_device() noexcept {
  if (any_thread_device.load(std::memory_order_relaxed) && thread_device)
    return thread_device;
  Device* d = registry().chosen.load(std::memory_order_acquire);
  return d ? d : cpu_device();
}

void set_default_device(Device* device) noexcept {
  registry().chosen.store(device, std::memory_order_release);
}
Device* set_thread_device(Device* device) noexcept {
  any_thread_device.store(true, std::memory_order_relaxed);
  return std::exchange(thread_device, device);
}

}  // namespace cotan
