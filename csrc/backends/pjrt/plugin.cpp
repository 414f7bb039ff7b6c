#include "backends/pjrt/plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>

namespace cotan::pjrt {

using namespace abi;

PluginValues read_values(const NamedValue* values, size_t count) {
  PluginValues out;
  // The plugin says how large its structs are.
  const char* at = reinterpret_cast<const char*>(values);
  for (size_t i = 0; i < count; ++i) {
    const auto& v = *reinterpret_cast<const NamedValue*>(at);
    std::string name(v.name, v.name_size);
    switch (v.type) {
      case kString:
        out[name] = std::string(v.s, v.value_size);
        break;
      case kInt64:
        out[name] = v.i;
        break;
      case kInt64List:
        out[name] = std::vector<int64_t>(v.list, v.list + v.value_size);
        break;
      case kFloatValue:
        out[name] = v.f;
        break;
      case kBoolValue:
        out[name] = v.b;
        break;
      default:  // newer than this client
        break;
    }
    at += sizeof(NamedValue);
  }
  return out;
}

std::vector<NamedValue> named_values(const PluginValues& values) {
  std::vector<NamedValue> out;
  for (const auto& [name, value] : values) {
    NamedValue v;
    v.size = sizeof v;
    v.name = name.data();
    v.name_size = name.size();
    v.type = int(value.index());
    v.value_size = 1;
    if (auto* s = std::get_if<std::string>(&value)) {
      v.s = s->data();
      v.value_size = s->size();
    } else if (auto* i = std::get_if<int64_t>(&value)) {
      v.i = *i;
    } else if (auto* l = std::get_if<std::vector<int64_t>>(&value)) {
      v.list = l->data();
      v.value_size = l->size();
    } else if (auto* f = std::get_if<float>(&value)) {
      v.f = *f;
    } else {
      v.b = std::get<bool>(value);
    }
    out.push_back(v);
  }
  return out;
}

Plugin& Plugin::load(const std::string& path) {
  static std::mutex mutex;
  static auto* loaded = new std::map<std::string, Plugin*>;
  char* resolved = ::realpath(path.c_str(), nullptr);
  std::string key = resolved ? resolved : path;
  std::free(resolved);
  std::lock_guard lock(mutex);
  Plugin*& p = (*loaded)[key];
  if (p) return *p;
  std::unique_ptr<Plugin> made(new Plugin);
  made->path_ = path;
  try {
    made->open();
  } catch (...) {
    loaded->erase(key);
    throw;
  }
  p = made.release();
  return *p;
}

void Plugin::open() {
  // libtpu would ask the metadata server of a cloud machine for minutes.
  ::setenv("TPU_SKIP_MDS_QUERY", "1", 0);
  // What fails comes back as an error; XLA's log on stderr would repeat it.
  ::setenv("TF_CPP_MIN_LOG_LEVEL", "3", 0);
  void* library = ::dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw_runtime("[pjrt] cannot open plugin ", path_, ": ", ::dlerror());
  auto* get = reinterpret_cast<Api* (*)()>(::dlsym(library, "GetPjrtApi"));
  if (!get)
    throw_runtime("[pjrt] ", path_,
                  " is not a PJRT plugin: it exports no GetPjrtApi");
  api_ = get();
  if (!api_)
    throw_runtime("[pjrt] ", path_, " gave no API: GetPjrtApi returned null");
  negotiate();
  Header none;
  if (has(kPluginInitialize)) call(kPluginInitialize, none, "initialize");
  if (has(kPluginAttributes)) {
    PluginAttributesArgs a;
    call(kPluginAttributes, a, "attributes");
    attributes_ = read_values(a.values, a.count);
  }
}

void Plugin::negotiate() {
  const Version& v = api_->version;
  if (v.major != 0)
    throw_runtime("[pjrt] ", path_, " speaks PJRT ", v.major, ".", v.minor,
                  "; this client speaks major version 0");
  // What nothing works without.
  for (Slot s : {kErrorDestroy, kErrorMessage, kErrorGetCode}) {
    if (!has(s))
      throw_runtime("[pjrt] ", path_, " (PJRT 0.", v.minor, ") lacks function ",
                    int(s), " of the C API; it is too old or damaged");
  }
}

bool Plugin::has(Slot slot) const {
  return api_->size >= offsetof(Api, slots) + (size_t(slot) + 1) * 8 &&
         api_->slots[slot];
}

const Extension* Plugin::extension(int type) const {
  const Extension* e = api_->extension;
  while (e && e->type != type) e = e->next;
  return e;
}

void Plugin::missing(Slot slot) const {
  throw_not_implemented("[pjrt] ", path_, " (PJRT 0.", api_->version.minor,
                        ") does not provide function ", int(slot),
                        " of the C API");
}

void Plugin::destroy(Slot slot, void* handle) const noexcept {
  if (!handle || !has(slot)) return;
  HandleArgs a;
  a.handle = handle;
  if (slot == kErrorDestroy) {
    a.size = sizeof a;
    reinterpret_cast<void (*)(HandleArgs*)>(api_->slots[slot])(&a);
  } else if (Error* e = call_raw(slot, a)) {
    destroy(kErrorDestroy, e);
  }
}

void Plugin::await(Event* event, std::string_view what) const {
  if (!event) return;
  HandleArgs a;
  a.handle = event;
  Error* e = call_raw(kEventAwait, a);
  destroy(kEventDestroy, event);
  if (e) fail(e, what);
}

Plugin::Failure Plugin::take(Error* e) const {
  ErrorMessageArgs m;
  m.size = sizeof m;
  m.error = e;
  reinterpret_cast<void (*)(ErrorMessageArgs*)>(api_->slots[kErrorMessage])(&m);
  ErrorCodeArgs c;
  c.error = e;
  if (Error* second = call_raw(kErrorGetCode, c))
    destroy(kErrorDestroy, second);
  Failure f{c.code, std::string(m.message ? m.message : "", m.message_size)};
  destroy(kErrorDestroy, e);
  return f;
}

void Plugin::fail(Error* e, std::string_view what) const {
  fail(take(e), what);
}

void Plugin::fail(const Failure& f, std::string_view what) const {
  constexpr std::string_view names[] = {"OK",
                                        "CANCELLED",
                                        "UNKNOWN",
                                        "INVALID_ARGUMENT",
                                        "DEADLINE_EXCEEDED",
                                        "NOT_FOUND",
                                        "ALREADY_EXISTS",
                                        "PERMISSION_DENIED",
                                        "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION",
                                        "ABORTED",
                                        "OUT_OF_RANGE",
                                        "UNIMPLEMENTED",
                                        "INTERNAL",
                                        "UNAVAILABLE",
                                        "DATA_LOSS",
                                        "UNAUTHENTICATED"};
  bool known = f.code >= 0 && size_t(f.code) < std::size(names);
  std::string message =
      cat("[pjrt] ", what, " failed: ", known ? names[size_t(f.code)] : "error",
          known ? "" : cat(" ", f.code), ": ", f.message);
  ErrorKind kind = ErrorKind::runtime;
  if (f.code == kInvalidArgument || f.code == kFailedPrecondition ||
      f.code == kOutOfRange)
    kind = ErrorKind::value;
  if (f.code == kResourceExhausted) kind = ErrorKind::memory;
  if (f.code == kUnimplemented) kind = ErrorKind::not_implemented;
  throw_error(kind, std::move(message));
}

std::string Plugin::text(Slot slot, void* handle) const {
  HandleString a;
  a.handle = handle;
  call(slot, a, "query");
  return std::string(a.data ? a.data : "", a.size_of_data);
}

}  // namespace cotan::pjrt
