// Hash mixing. Hashes select a bucket; equality always decides.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace cotan {

inline uint64_t hash_mix(uint64_t seed, uint64_t v) noexcept {
  // xor-multiply-shift (wyhash-like folding of a 128-bit product)
  unsigned __int128 p = (unsigned __int128)(seed ^ 0x9e3779b97f4a7c15u) *
                        (v ^ 0xe7037ed1a0b428dbu);
  return uint64_t(p) ^ uint64_t(p >> 64);
}

inline uint64_t hash_bytes(uint64_t seed, std::string_view s) noexcept {
  for (unsigned char c : s) seed = (seed ^ c) * 0x100000001b3u;
  return hash_mix(seed, s.size());
}

}  // namespace cotan
