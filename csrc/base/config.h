// Settings that change the meaning of programs. Each thread sees the global
// value unless a context manager has set its own; anything that caches traces
// or compiled code includes config_key() in its key.
#pragma once

#include <cstdint>

namespace cotan {

enum class Promotion : uint8_t { standard, strict };
enum class RankPromotion : uint8_t { allow, warn, raise };

struct Config {
  bool x64 = false;
  Promotion promotion = Promotion::standard;
  RankPromotion rank_promotion = RankPromotion::allow;
  bool debug_nans = false;
  bool debug_infs = false;
  bool checking_leaks = false;
  bool threefry_partitionable = true;
  bool disable_jit = false;

  bool operator==(const Config&) const = default;
};

const Config& config() noexcept;  // of this thread
void set_global_config(const Config& c) noexcept;
// Null: back to the global settings. Returns what was set before.
const Config* set_thread_config(const Config* c) noexcept;

inline uint32_t config_key() noexcept {
  const Config& c = config();
  return uint32_t(c.x64) | uint32_t(c.promotion) << 1 |
         uint32_t(c.rank_promotion) << 2 | uint32_t(c.debug_nans) << 4 |
         uint32_t(c.debug_infs) << 5 | uint32_t(c.threefry_partitionable) << 6 |
         uint32_t(c.disable_jit) << 7;
}

}  // namespace cotan
