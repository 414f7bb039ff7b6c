// Settings that change the meaning of programs. Each thread sees the global
// value unless a context manager has set its own; anything that caches traces
// or compiled code includes config_key() in its key.
#pragma once

#include <cstdint>

namespace cotan {

enum class Promotion : uint8_t { standard, strict };
enum class RankPromotion : uint8_t { allow, warn, raise };
// Of products; algorithms are only remembered.
enum class MatmulPrecision : uint8_t { unset, standard, high, highest, other };
enum class PrngImpl : uint8_t {
  threefry2x32,
  threefry4x32,
  philox2x32,
  philox4x32,
  rbg,
  unsafe_rbg
};

struct Config {
  bool x64 = false;
  Promotion promotion = Promotion::standard;
  RankPromotion rank_promotion = RankPromotion::allow;
  bool debug_nans = false;
  bool debug_infs = false;
  bool checking_leaks = false;
  bool threefry_partitionable = true;
  bool disable_jit = false;
  bool check_static_indices = false;
  PrngImpl default_prng_impl = PrngImpl::threefry2x32;
  MatmulPrecision matmul_precision = MatmulPrecision::unset;
  uint16_t user_context = 0;  // number of the values of user contexts

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
