// Calls of the host program: see callback.cpp.
#pragma once

#include "ops/lax.h"

namespace cotan {

struct CallbackParams {
  OpaqueRef callback;  // Callable
  std::vector<Aval> out;
  bool ordered = false;
  std::string vmap_method;  // of pure_callback; "": None
  static constexpr auto fields() {
    return std::tuple{field("callback", &CallbackParams::callback),
                      field("result_avals", &CallbackParams::out),
                      field("ordered", &CallbackParams::ordered),
                      field("vmap_method", &CallbackParams::vmap_method)};
  }
};

namespace lax {
enum class CallbackKind : uint8_t { pure, io, debug };
Values callback(CallbackKind kind, const CallbackParams& p,
                std::span<const Value> x);
}  // namespace lax

}  // namespace cotan
