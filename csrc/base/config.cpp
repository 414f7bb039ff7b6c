#include "base/config.h"

namespace cotan {

namespace {
Config global;
struct ThreadState {
  const Config* config = nullptr;
  uint32_t scope = 0;
};
thread_local ThreadState local;
}  // namespace

const Config& config() noexcept {
  return local.config ? *local.config : global;
}
void set_global_config(const Config& c) noexcept { global = c; }
const Config* set_thread_config(const Config* c) noexcept {
  const Config* before = local.config;
  local.config = c;
  return before;
}
uint32_t thread_scope() noexcept { return local.scope; }
void set_thread_scope(uint32_t scope) noexcept { local.scope = scope; }

uint64_t config_key() noexcept {
  const ThreadState& t = local;
  const Config& c = t.config ? *t.config : global;
  return uint32_t(c.x64) | uint32_t(c.promotion) << 1 |
         uint32_t(c.rank_promotion) << 2 | uint32_t(c.debug_nans) << 4 |
         uint32_t(c.debug_infs) << 5 | uint32_t(c.threefry_partitionable) << 6 |
         uint32_t(c.disable_jit) << 7 | uint32_t(c.default_prng_impl) << 8 |
         uint32_t(c.matmul_precision) << 11 |
         uint32_t(c.check_static_indices) << 14 |
         uint32_t(c.user_context) << 16 | uint64_t(t.scope) << 32;
}

}  // namespace cotan
