// A loaded PJRT plugin: the shared library, its table of functions and the one
// place that calls them and turns their errors into cotan::Error.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "backends/pjrt/abi.h"
#include "base/error.h"

namespace cotan::pjrt {

// A plugin's option or attribute.
using PluginValue =
    std::variant<std::string, int64_t, std::vector<int64_t>, float, bool>;
using PluginValues = std::map<std::string, PluginValue>;

// The values of a plugin's list, and the list that a plugin reads.
PluginValues read_values(const abi::NamedValue* values, size_t count);
std::vector<abi::NamedValue> named_values(const PluginValues& values);

class Plugin {
 public:
  // Opens the library and negotiates the version; once per path, for good: a
  // plugin's threads make it unsafe to close. Throws Error(runtime).
  static Plugin& load(const std::string& path);

  const std::string& path() const { return path_; }
  int minor_version() const { return api_->version.minor; }
  const PluginValues& attributes() const { return attributes_; }
  bool has(abi::Slot slot) const;
  // The extension of the API of this type, or null.
  const abi::Extension* extension(int type) const;

  // Calls a slot. The args' size is filled in. Throws what `what` failed with.
  template <class Args>
  void call(abi::Slot slot, Args& args, std::string_view what) const {
    if (abi::Error* e = call_raw(slot, args)) [[unlikely]]
      fail(e, what);
  }
  // As call, but gives the error to the caller, to destroy or to throw.
  template <class Args>
  [[nodiscard]] abi::Error* call_raw(abi::Slot slot, Args& args) const {
    if (!has(slot)) [[unlikely]]
      missing(slot);
    args.size = sizeof(Args);
    return reinterpret_cast<abi::Error* (*)(Args*)>(api_->slots[slot])(&args);
  }
  // For destructors: errors are dropped.
  void destroy(abi::Slot slot, void* handle) const noexcept;
  // Waits for the event and destroys it.
  void await(abi::Event* event, std::string_view what) const;

  // The code and text of an error, which is destroyed.
  struct Failure {
    int code;
    std::string message;
  };
  Failure take(abi::Error* e) const;
  [[noreturn]] void fail(abi::Error* e, std::string_view what) const;
  [[noreturn]] void fail(const Failure& f, std::string_view what) const;

  std::string text(abi::Slot slot, void* handle) const;

 private:
  Plugin() = default;
  [[noreturn]] void missing(abi::Slot slot) const;
  void open();
  void negotiate();

  std::string path_;
  abi::Api* api_ = nullptr;
  PluginValues attributes_;
};

}  // namespace cotan::pjrt
