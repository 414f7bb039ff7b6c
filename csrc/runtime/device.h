// Devices and their registry. The CPU is always there, as device 0; backends
// register theirs when they load. Devices are never destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/aval.h"
#include "runtime/allocator.h"

namespace cotan {

class Buffer;

class Device {
 public:
  Device(std::string platform, int id, std::string kind)
      : platform_(std::move(platform)), kind_(std::move(kind)), id_(id) {}
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  const std::string& platform() const noexcept { return platform_; }
  const std::string& kind() const noexcept { return kind_; }  // "AMD EPYC"
  int id() const noexcept { return id_; }  // counts within the platform
  bool is_cpu() const noexcept { return is_cpu_; }
  std::string name() const;  // "cpu:0"

  // Device memory. allocate throws Error(memory). Pointers of a device that is
  // not a CPU are opaque to the host.
  virtual void* allocate(size_t bytes) = 0;
  virtual void deallocate(void* p, size_t bytes) noexcept = 0;
  virtual void copy_from_host(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_to_host(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_within(void* to, const void* from, size_t bytes) = 0;
  virtual MemoryStats memory() const = 0;
  virtual void synchronize() {}

  // ---- devices that know the types of their arrays (PJRT). Their pointers are
  // handles; allocate throws. `owner` holds the host memory and may be kept
  // instead of copied; null: the memory is read before the call returns.
  virtual void* upload(const Aval& aval, const void* host, Buffer* owner);
  // A copy of another device's array of the same kind; null: not possible.
  virtual void* copy_from_device(void* from, Device* of);
  // Waits until the array is computed; throws what computing it threw.
  virtual void wait(void* array);
  virtual bool is_ready(void* array);
  // Kinds of memory that the device can address, the default one first.
  virtual std::vector<std::string> memory_kinds() const { return {"device"}; }

 protected:
  bool is_cpu_ = false;

 private:
  std::string platform_, kind_;
  int id_;
};

// COTAN_CPU_DEVICES devices (1 unless set), all of this machine's memory.
Device* cpu_device(int id = 0);

// Whether there are devices with memory of their own: until then nobody asks
// where an array is.
bool placement_matters() noexcept;

// Takes ownership. Throws Error(value) if the platform has that id already.
void register_device(Device* device);

// The devices of a platform in order of id; "" means the default platform.
// A snapshot: later registrations do not show in it.
std::span<Device* const> devices(std::string_view platform = "");
// Throws Error(value) with the devices that exist.
Device* find_device(std::string_view platform, int id = 0);

// Where computations without placed operands run; the CPU unless set.
Device* default_device() noexcept;
void set_default_device(Device* device) noexcept;  // null: the CPU
// Of this thread; null: that of the process. Returns what was set before.
Device* set_thread_device(Device* device) noexcept;

}  // namespace cotan
