#include "backends/pjrt/client.h"

#include <cstring>
#include <mutex>
#include <unordered_set>

namespace cotan::pjrt {

using namespace abi;

namespace {

struct Known {
  std::mutex mutex;
  std::unordered_set<const cotan::Device*> devices;
};
Known& known() {
  static Known* k = new Known;
  return *k;
}

abi::Buffer* buffer_handle(const void* p) {
  return static_cast<abi::Buffer*>(const_cast<void*>(p));
}

}  // namespace

PjrtDevice* as_pjrt(cotan::Device* device) noexcept {
  if (device->is_cpu()) return nullptr;
  Known& k = known();
  std::lock_guard lock(k.mutex);
  return k.devices.contains(device) ? static_cast<PjrtDevice*>(device)
                                    : nullptr;
}

void refuse_packed(DType t) {
  if (bit_width(t) < 8 && is_narrow(t))
    throw_not_implemented(
        "[pjrt] arrays of ", dtype_name(t),
        " on plugins, which pack them: keep them as ",
        dtype_name(is_narrow_int(t) ? wide_dtype(t) : DType::f8_e4m3fn),
        " there and convert inside of the program");
}

int element_type(DType t) {
  constexpr int types[kNumDTypes] = {kPred,
                                     kS2,
                                     kS4,
                                     kS8,
                                     kS16,
                                     kS32,
                                     kS64,
                                     kU2,
                                     kU4,
                                     kU8,
                                     kU16,
                                     kU32,
                                     kU64,
                                     kF4E2M1FN,
                                     kF8E3M4,
                                     kF8E4M3,
                                     kF8E4M3B11FNUZ,
                                     kF8E4M3FN,
                                     kF8E4M3FNUZ,
                                     kF8E5M2,
                                     kF8E5M2FNUZ,
                                     kF8E8M0FNU,
                                     kF16,
                                     kBF16,
                                     kF32,
                                     kF64,
                                     kC64,
                                     kC128,
                                     kU64,
                                     kPred,
                                     kC128,
                                     kU32,
                                     kU64,
                                     kC128,
                                     kC128};
  return types[int(t)];
}

// ---- client

PjrtClient::PjrtClient(Plugin& plugin, std::string platform,
                       const PluginValues& options)
    : plugin_(plugin), platform_(std::move(platform)) {
  std::vector<NamedValue> values = named_values(options);
  ClientCreateArgs create;
  create.options = values.data();
  create.num_options = values.size();
  plugin.call(kClientCreate, create, "creating a client");
  handle_ = create.client;
  plugin_platform_ = plugin.text(kClientPlatformName, handle_);
  version_ = plugin.text(kClientPlatformVersion, handle_);
  HandleList list;
  list.handle = handle_;
  plugin.call(kClientAddressableDevices, list, "listing devices");
  for (size_t i = 0; i < list.count; ++i) {
    HandlePointer describe;
    describe.handle = list.items[i];
    plugin.call(kDeviceGetDescription, describe, "describing a device");
    HandleInt id;
    id.handle = describe.out;
    plugin.call(kDescriptionId, id, "describing a device");
    HandleCounted attributes;
    attributes.handle = describe.out;
    if (plugin.has(kDescriptionAttributes))
      plugin.call(kDescriptionAttributes, attributes, "describing a device");
    auto* d = new PjrtDevice(
        *this, static_cast<abi::Device*>(list.items[i]), platform_, int(i),
        plugin.text(kDescriptionKind, describe.out), id.out,
        read_values(attributes.values, attributes.count));
    devices.push_back(d);
    {
      Known& k = known();
      std::lock_guard lock(k.mutex);
      k.devices.insert(d);
    }
    register_device(d);
  }
}

// ---- device

PjrtDevice::PjrtDevice(PjrtClient& client, abi::Device* handle,
                       std::string platform, int id, std::string kind,
                       int64_t global_id, PluginValues attributes)
    : cotan::Device(std::move(platform), id, std::move(kind)),
      client_(client),
      handle_(handle),
      global_id_(global_id),
      attributes_(std::move(attributes)) {}

void* PjrtDevice::allocate(size_t) {
  throw_runtime("[pjrt] ", name(),
                " makes typed arrays only; this is a bug of cotan");
}
void PjrtDevice::copy_from_host(void*, const void*, size_t) { allocate(0); }
void PjrtDevice::copy_within(void*, const void*, size_t) { allocate(0); }

void PjrtDevice::deallocate(void* p, size_t) noexcept {
  client_.plugin().destroy(kBufferDestroy, p);
}

void PjrtDevice::wait(void* array) {
  const Plugin& plugin = client_.plugin();
  HandlePointer ready;
  ready.handle = array;
  plugin.call(kBufferReadyEvent, ready, "waiting for an array");
  plugin.await(static_cast<Event*>(ready.out), cat("computing on ", name()));
}

bool PjrtDevice::is_ready(void* array) {
  const Plugin& plugin = client_.plugin();
  HandlePointer ready;
  ready.handle = array;
  plugin.call(kBufferReadyEvent, ready, "asking for an array");
  HandleBool done;
  done.handle = ready.out;
  abi::Error* e = plugin.call_raw(kEventIsReady, done);
  plugin.destroy(kEventDestroy, ready.out);
  if (e) plugin.fail(e, "asking for an array");
  return done.out;
}

void PjrtDevice::copy_to_host(void* to, const void* from, size_t bytes) {
  const Plugin& plugin = client_.plugin();
  if (bytes == 0) return wait(const_cast<void*>(from));
  if (client_.shares_host_memory() && plugin.has(kBufferUnsafePointer)) {
    // A third of the time of ToHostBuffer, and no hop to another thread.
    wait(const_cast<void*>(from));
    HandlePointer at;
    at.handle = const_cast<void*>(from);
    plugin.call(kBufferUnsafePointer, at, "reading an array");
    std::memcpy(to, at.out, bytes);
    return;
  }
  DimensionsArgs dims;
  dims.buffer = buffer_handle(from);
  plugin.call(kBufferDimensions, dims, "reading an array");
  // Row-major, stated: without it a TPU gives the order of its own layout.
  Dims order;
  for (size_t i = dims.count; i-- > 0;) order.push_back(int64_t(i));
  MemoryLayout layout;
  layout.size = sizeof layout;
  layout.tiled.size = sizeof layout.tiled;
  layout.tiled.minor_to_major = order.data();
  layout.tiled.rank = order.size();
  ToHostArgs a;
  a.buffer = buffer_handle(from);
  a.host_layout = &layout;
  a.to = to;
  a.to_size = bytes;
  plugin.call(kBufferToHost, a, "reading an array");
  plugin.await(a.event, cat("reading an array from ", name()));
}

namespace {

// Lets go of host memory when the plugin is done with it. The memory is ours,
// not Python's: no lock is needed on the plugin's thread.
void release_owner(abi::Error* e, void* owner);

struct Loan {
  const Plugin* plugin;
  Ref<cotan::Buffer> owner;
};
void release_owner(abi::Error* e, void* p) {
  auto* loan = static_cast<Loan*>(p);
  if (e) loan->plugin->destroy(kErrorDestroy, e);
  delete loan;
}

// Below this a copy costs less than keeping track.
constexpr int64_t kZeroCopyBytes = 1 << 16;

}  // namespace

void* PjrtDevice::upload(const Aval& aval, const void* host,
                         cotan::Buffer* owner) {
  const Plugin& plugin = client_.plugin();
  int64_t bytes = aval.nbytes();
  bool lend = owner && !owner->is_foreign() && bytes >= kZeroCopyBytes &&
              reinterpret_cast<uintptr_t>(host) % 64 == 0 &&
              plugin.has(kEventOnReady);
  FromHostArgs a;
  a.client = client_.handle();
  a.data = host;
  refuse_packed(aval.dtype);
  a.type = element_type(aval.dtype);
  a.dims = aval.shape.data();
  a.num_dims = aval.shape.size();
  a.semantics = lend ? kImmutableZeroCopy : kOnlyDuringCall;
  a.device = handle_;
  char nothing = 0;  // some plugins refuse null even for no elements
  if (!a.data) a.data = &nothing;
  plugin.call(kBufferFromHost, a, cat("copying to ", name()));
  if (!a.done_with_host) return a.out;
  if (!lend) {
    plugin.await(a.done_with_host, cat("copying to ", name()));
    return a.out;
  }
  owner->pin();
  OnReadyArgs r;
  r.event = a.done_with_host;
  r.callback = release_owner;
  auto* loan = new Loan{&plugin, Ref<cotan::Buffer>(owner)};
  r.argument = loan;
  if (abi::Error* e = plugin.call_raw(kEventOnReady, r)) {
    delete loan;
    plugin.destroy(kBufferDestroy, a.out);
    plugin.destroy(kEventDestroy, a.done_with_host);
    plugin.fail(e, cat("copying to ", name()));
  }
  plugin.destroy(kEventDestroy, a.done_with_host);
  return a.out;
}

void* PjrtDevice::copy_from_device(void* from, cotan::Device* of) {
  PjrtDevice* other = as_pjrt(of);
  const Plugin& plugin = client_.plugin();
  if (!other || &other->client() != &client_ ||
      !plugin.has(kBufferCopyToDevice))
    return nullptr;
  CopyToDeviceArgs a;
  a.buffer = buffer_handle(from);
  a.device = handle_;
  plugin.call(kBufferCopyToDevice, a, cat("copying to ", name()));
  return a.out;
}

MemoryStats PjrtDevice::memory() const {
  const Plugin& plugin = client_.plugin();
  MemoryStats out;
  if (!plugin.has(kDeviceMemoryStats)) return out;
  DeviceMemoryArgs a;
  a.device = handle_;
  if (abi::Error* e = plugin.call_raw(kDeviceMemoryStats, a)) {
    Plugin::Failure f = plugin.take(e);
    if (f.code != kUnimplemented) plugin.fail(f, "memory statistics");
    return out;
  }
  out.bytes_in_use = a.in_use;
  if (a.peak.set) out.peak_bytes = a.peak.value;
  if (a.allocations.set) out.allocations = a.allocations.value;
  if (a.limit.set) out.cache_limit = a.limit.value;
  return out;
}

std::vector<std::string> PjrtDevice::memory_kinds() const {
  const Plugin& plugin = client_.plugin();
  std::vector<std::string> out;
  if (!plugin.has(kDeviceMemories)) return out;
  HandleList list;
  list.handle = handle_;
  plugin.call(kDeviceMemories, list, "listing memories");
  for (size_t i = 0; i < list.count; ++i)
    out.push_back(plugin.text(kMemoryKind, list.items[i]));
  return out;
}

}  // namespace cotan::pjrt
