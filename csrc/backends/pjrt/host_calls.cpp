#include "backends/pjrt/host_calls.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <set>

#include "backends/pjrt/ffi_abi.h"

namespace cotan::pjrt {

using namespace abi;

namespace {

constexpr std::string_view kMarker = "cotan host call failed, exception #";
// Earlier ones had another FFI version, and did not find the handler.
constexpr int kOldestMinor = 100;

// Programs by the numbers of their calls.
struct Table {
  std::mutex mutex;
  std::map<int64_t, HostCalls*> programs;
  int64_t next = 1;
};
Table& table() {
  static auto* t = new Table;
  return *t;
}

int64_t number_of(const FfiAttributes& a) {
  for (int64_t i = 0; i < a.count; ++i)
    if (std::string_view(a.names[i]->data, a.names[i]->size) == "number") {
      int64_t v;
      std::memcpy(&v, static_cast<FfiScalar*>(a.values[i])->value, sizeof v);
      return v;
    }
  return 0;
}

void views(std::span<const Avals::value_type> types, const FfiBuffers& b,
           std::vector<HostView>& out) {
  for (size_t i = 0; i < types.size(); ++i)
    out.push_back({types[i].dtype, types[i].shape, b.buffers[i]->data});
}

void evaluate(const HostCall& call, const FfiFrame& f) {
  std::vector<HostView> in, out;
  views(call.in, f.in, in);
  views(call.out, f.out, out);
  call.prim->eval({*call.prim, call.params, in, out});
  // The order that the call hands on.
  for (int64_t i = int64_t(call.out.size()); i < f.out.count; ++i)
    std::memset(f.out.buffers[i]->data, 0, sizeof(int32_t));
}

FfiError* failure(const FfiFrame& f, const std::string& message) {
  FfiErrorArgs e{sizeof e, nullptr, message.c_str(), kInternal};
  return f.api->error_create(&e);
}

FfiError* handle(FfiFrame* f) {
  if (f->extension && f->extension->type == kFfiMetadata) {
    // The structs above are those of every version 0.
    auto* m = reinterpret_cast<FfiMetadataExtension*>(f->extension)->metadata;
    m->version.major = f->api ? f->api->version.major : 0;
    m->version.minor = f->api ? f->api->version.minor : 3;
    return nullptr;
  }
  int64_t number = number_of(f->attributes);
  Ref<HostCalls> program;
  {
    std::lock_guard lock(table().mutex);
    auto it = table().programs.find(number);
    if (it != table().programs.end()) program = Ref<HostCalls>(it->second);
  }
  if (!program) return failure(*f, "cotan: the program is gone");
  try {
    evaluate(*program->find(number), *f);
    return nullptr;
  } catch (...) {
    return failure(*f, program->keep(std::current_exception()));
  }
}

}  // namespace

HostCalls::~HostCalls() {
  std::lock_guard lock(table().mutex);
  for (const auto& [number, call] : calls_) table().programs.erase(number);
}

int64_t HostCalls::add(HostCall call) {
  std::lock_guard lock(table().mutex);
  int64_t number = table().next++;
  table().programs[number] = this;
  calls_.emplace(number, std::move(call));
  return number;
}

const HostCall* HostCalls::find(int64_t number) const {
  return &calls_.at(number);
}

std::string HostCalls::keep(std::exception_ptr e) {
  constexpr size_t kMost = 64;  // of one run, the first is asked for
  std::lock_guard lock(mutex_);
  static std::atomic<int64_t> next{1};
  int64_t number = next++;
  if (failures_.size() >= kMost) failures_.erase(failures_.begin());
  failures_.emplace(number, std::move(e));
  return cat(kMarker, number);
}

void HostCalls::rethrow(const std::string& message) {
  size_t at = message.find(kMarker);
  if (at == message.npos) return;
  int64_t number = std::atoll(message.c_str() + at + kMarker.size());
  std::exception_ptr e;
  {
    std::lock_guard lock(mutex_);
    if (auto it = failures_.find(number); it != failures_.end()) {
      e = it->second;
      failures_.erase(it);
    }
  }
  if (e) std::rethrow_exception(e);
}

bool enable_host_calls(Plugin& plugin) {
  static std::mutex mutex;
  static auto* enabled = new std::map<const Plugin*, bool>;
  std::lock_guard lock(mutex);
  auto [it, first] = enabled->try_emplace(&plugin, false);
  if (!first) return it->second;
  if (plugin.minor_version() < kOldestMinor) return false;
  auto* ffi =
      reinterpret_cast<const FfiExtension*>(plugin.extension(kFfiExtension));
  if (!ffi || !ffi->register_handler) return false;
  RegisterHandlerArgs a;
  a.size = sizeof a;
  a.name = kHostCallTarget;
  a.name_size = std::strlen(kHostCallTarget);
  a.handler = reinterpret_cast<void*>(FfiHandler(handle));
  a.platform = "Host";
  a.platform_size = 4;
  if (Error* e = ffi->register_handler(&a)) {
    plugin.destroy(kErrorDestroy, e);
    return false;
  }
  return it->second = true;
}

}  // namespace cotan::pjrt
