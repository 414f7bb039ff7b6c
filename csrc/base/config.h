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

// What this thread's traces depend on besides: the number of its environment
// of named axes (trace/axes.h), 0 if it is empty.
uint32_t thread_scope() noexcept;
void set_thread_scope(uint32_t scope) noexcept;

uint64_t config_key() noexcept;

}  // namespace cotan
