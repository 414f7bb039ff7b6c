#include "base/config.h"

namespace cotan {

namespace {
Config global;
thread_local const Config* local = nullptr;
}  // namespace

const Config& config() noexcept { return local ? *local : global; }
void set_global_config(const Config& c) noexcept { global = c; }
const Config* set_thread_config(const Config* c) noexcept {
  const Config* before = local;
  local = c;
  return before;
}

}  // namespace cotan
