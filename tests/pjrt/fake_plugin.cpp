// A PJRT plugin of our own that misbehaves on request: FAKE_PJRT says how.
// It has one device, host memory for buffers, and programs whose results are
// their first arguments. Compiled by test_faults.py with abi.h.
//
//   major1     speaks another major version
//   null       gives no API
//   tiny       lacks even the error functions
//   old        ends after slot 88
//   newer      is of a later minor version, with slots that we do not know
//   no_client  refuses to make a client
//   compile    every compilation fails
//   parse      fails as a parser, naming line 3
//   execute    running fails at once
//   cancelled  running is cancelled
//   exhausted  running is out of memory
//   async      running fails when waited for
//   oom        uploads run out of memory
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "backends/pjrt/abi.h"

namespace abi = cotan::pjrt::abi;

namespace {

struct FakeError {
  int code;
  std::string message;
};
struct FakeEvent {
  FakeError* error = nullptr;
};
struct FakeBuffer {
  std::vector<char> data;
  std::vector<int64_t> dims;
  FakeError* failed = nullptr;
};
struct FakeProgram {
  size_t outputs;
};

std::string mode() {
  const char* m = std::getenv("FAKE_PJRT");
  return m ? m : "";
}
abi::Error* error(int code, std::string message) {
  return reinterpret_cast<abi::Error*>(new FakeError{code, std::move(message)});
}
template <class T>
T* as(void* p) {
  return static_cast<T*>(p);
}

char device, description, client;
void* device_list[] = {&device};

size_t item_size(int type) {
  switch (type) {
    case abi::kPred:
    case abi::kS8:
    case abi::kU8:
      return 1;
    case abi::kS16:
    case abi::kU16:
    case abi::kF16:
    case abi::kBF16:
      return 2;
    case abi::kS64:
    case abi::kU64:
    case abi::kF64:
    case abi::kC64:
      return 8;
    case abi::kC128:
      return 16;
    default:
      return 4;
  }
}

// ---- slots

void error_destroy(abi::HandleArgs* a) { delete as<FakeError>(a->handle); }
void error_message(abi::ErrorMessageArgs* a) {
  auto* e = reinterpret_cast<const FakeError*>(a->error);
  a->message = e->message.data();
  a->message_size = e->message.size();
}
abi::Error* error_code(abi::ErrorCodeArgs* a) {
  a->code = reinterpret_cast<const FakeError*>(a->error)->code;
  return nullptr;
}
abi::Error* nothing(void*) { return nullptr; }
abi::Error* plugin_attributes(abi::PluginAttributesArgs* a) {
  a->values = nullptr;
  a->count = 0;
  return nullptr;
}
abi::Error* event_destroy(abi::HandleArgs* a) {
  delete as<FakeEvent>(a->handle);
  return nullptr;
}
abi::Error* event_await(abi::HandleArgs* a) {
  FakeError* e = as<FakeEvent>(a->handle)->error;
  return e ? error(e->code, e->message) : nullptr;
}
abi::Error* event_is_ready(abi::HandleBool* a) {
  a->out = true;
  return nullptr;
}
abi::Error* event_on_ready(abi::OnReadyArgs* a) {
  a->callback(nullptr, a->argument);
  return nullptr;
}
abi::Error* client_create(abi::ClientCreateArgs* a) {
  if (mode() == "no_client")
    return error(5, "no device of this kind was found");
  a->client = reinterpret_cast<abi::Client*>(&client);
  return nullptr;
}
abi::Error* platform_name(abi::HandleString* a) {
  a->data = "fake";
  a->size_of_data = 4;
  return nullptr;
}
abi::Error* devices(abi::HandleList* a) {
  a->items = device_list;
  a->count = 1;
  return nullptr;
}
abi::Error* get_description(abi::HandlePointer* a) {
  a->out = &description;
  return nullptr;
}
abi::Error* description_id(abi::HandleInt* a) {
  a->out = 0;
  return nullptr;
}
abi::Error* description_attributes(abi::HandleCounted* a) {
  a->count = 0;
  return nullptr;
}
abi::Error* compile(abi::ClientCompileArgs* a) {
  if (a->options_size == 0) std::abort();  // as real plugins do
  if (mode() == "compile") return error(13, "the compiler is broken");
  if (mode() == "parse") return error(2, "-:3:5: error: no such operation");
  std::string text(a->program->code, a->program->code_size);
  size_t from = text.find("-> ", text.find("@main")),
         to = text.find('\n', from);
  size_t n = 0;
  for (size_t at = from; (at = text.find("tensor<", at)) < to; ++at) ++n;
  a->out = reinterpret_cast<abi::LoadedExecutable*>(new FakeProgram{n});
  return nullptr;
}
abi::Error* loaded_destroy(abi::HandleArgs* a) {
  delete as<FakeProgram>(a->handle);
  return nullptr;
}
abi::Error* from_host(abi::FromHostArgs* a) {
  if (mode() == "oom") return error(8, "out of memory: 3 bytes are free");
  auto* b = new FakeBuffer;
  size_t bytes = item_size(a->type);
  for (size_t i = 0; i < a->num_dims; ++i) {
    b->dims.push_back(a->dims[i]);
    bytes *= size_t(a->dims[i]);
  }
  b->data.assign(static_cast<const char*>(a->data),
                 static_cast<const char*>(a->data) + bytes);
  a->out = reinterpret_cast<abi::Buffer*>(b);
  a->done_with_host = reinterpret_cast<abi::Event*>(new FakeEvent);
  return nullptr;
}
abi::Error* buffer_destroy(abi::HandleArgs* a) {
  auto* b = as<FakeBuffer>(a->handle);
  delete b->failed;
  delete b;
  return nullptr;
}
abi::Error* buffer_dims(abi::DimensionsArgs* a) {
  auto* b = reinterpret_cast<FakeBuffer*>(a->buffer);
  a->dims = b->dims.data();
  a->count = b->dims.size();
  return nullptr;
}
abi::Error* ready_event(abi::HandlePointer* a) {
  auto* b = as<FakeBuffer>(a->handle);
  a->out = new FakeEvent{b->failed};
  return nullptr;
}
// Refuses to guess a layout, as a TPU should: row-major must be asked for.
abi::Error* to_host(abi::ToHostArgs* a) {
  auto* b = reinterpret_cast<FakeBuffer*>(a->buffer);
  if (!a->host_layout || a->host_layout->type != 0 ||
      a->host_layout->tiled.rank != b->dims.size())
    return error(3, "no host layout was given");
  for (size_t i = 0; i < b->dims.size(); ++i)
    if (a->host_layout->tiled.minor_to_major[i] !=
        int64_t(b->dims.size() - 1 - i))
      return error(3, "the host layout is not row-major");
  a->event = reinterpret_cast<abi::Event*>(new FakeEvent{b->failed});
  if (!b->failed) std::memcpy(a->to, b->data.data(), a->to_size);
  return nullptr;
}
abi::Error* execute(abi::ExecuteArgs* a) {
  if (mode() == "execute") return error(3, "these arguments cannot be");
  if (mode() == "cancelled") return error(1, "cancelled by the runtime");
  if (mode() == "exhausted") return error(8, "out of memory while running");
  auto* p = reinterpret_cast<FakeProgram*>(a->executable);
  for (size_t j = 0; j < p->outputs; ++j) {
    auto* in = reinterpret_cast<FakeBuffer*>(
        a->arguments[0][a->num_arguments ? j % a->num_arguments : 0]);
    auto* b = new FakeBuffer{in->data, in->dims};
    if (mode() == "async")
      b->failed = new FakeError{13, "the device caught fire"};
    a->outputs[0][j] = reinterpret_cast<abi::Buffer*>(b);
  }
  return nullptr;
}

struct Table {
  abi::Api api;
  void* more[1000];  // more than any version has
};

template <class F>
void set(Table& t, int slot, F* f) {
  reinterpret_cast<void**>(t.api.slots)[slot] = reinterpret_cast<void*>(f);
}

}  // namespace

extern "C" abi::Api* GetPjrtApi() {
  if (mode() == "null") return nullptr;
  static Table t{};
  t.api.size = sizeof(abi::Api) + sizeof t.more;
  t.api.version = {sizeof(abi::Version), nullptr, 0, 115};
  if (mode() == "major1") t.api.version.major = 1;
  if (mode() == "tiny") t.api.size = 40 + 8 * 2;
  if (mode() == "old") t.api.size = 40 + 8 * 89;
  if (mode() == "newer") t.api.version.minor = 9999;
  set(t, abi::kErrorDestroy, error_destroy);
  set(t, abi::kErrorMessage, error_message);
  set(t, abi::kErrorGetCode, error_code);
  set(t, abi::kPluginInitialize, nothing);
  set(t, abi::kPluginAttributes, plugin_attributes);
  set(t, abi::kEventDestroy, event_destroy);
  set(t, abi::kEventIsReady, event_is_ready);
  set(t, abi::kEventAwait, event_await);
  set(t, abi::kEventOnReady, event_on_ready);
  set(t, abi::kClientCreate, client_create);
  set(t, abi::kClientPlatformName, platform_name);
  set(t, abi::kClientPlatformVersion, platform_name);
  set(t, abi::kClientAddressableDevices, devices);
  set(t, abi::kClientCompile, compile);
  set(t, abi::kBufferFromHost, from_host);
  set(t, abi::kDescriptionId, description_id);
  set(t, abi::kDescriptionAttributes, description_attributes);
  set(t, abi::kDescriptionKind, platform_name);
  set(t, abi::kDeviceGetDescription, get_description);
  set(t, abi::kLoadedDestroy, loaded_destroy);
  set(t, abi::kLoadedExecute, execute);
  set(t, abi::kBufferDestroy, buffer_destroy);
  set(t, abi::kBufferDimensions, buffer_dims);
  set(t, abi::kBufferToHost, to_host);
  set(t, abi::kBufferReadyEvent, ready_event);
  return &t.api;
}
