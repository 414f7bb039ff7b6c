// Threefry-2x32 with 20 rounds (Salmon et al., SC 2011), as JAX uses it.
#include <algorithm>

#include "runtime/kernels/isa.h"
#include "runtime/kernels/kernels.h"

namespace cotan {
namespace {

constexpr int64_t kBlock = 8192;    // words of one chunk
constexpr double kNsPerWord = 0.6;  // one thread, AVX-512

struct Key {
  uint32_t k0, k1;
};

COTAN_INLINE uint32_t rotl(uint32_t x, int r) { return x << r | x >> (32 - r); }

COTAN_INLINE void rounds(uint32_t& x0, uint32_t& x1, int a, int b, int c,
                         int d) {
  x0 += x1, x1 = rotl(x1, a) ^ x0;
  x0 += x1, x1 = rotl(x1, b) ^ x0;
  x0 += x1, x1 = rotl(x1, c) ^ x0;
  x0 += x1, x1 = rotl(x1, d) ^ x0;
}

COTAN_INLINE void threefry(Key k, uint32_t& x0, uint32_t& x1) {
  uint32_t k2 = k.k0 ^ k.k1 ^ 0x1BD11BDA;
  x0 += k.k0, x1 += k.k1;
  rounds(x0, x1, 13, 15, 26, 6), x0 += k.k1, x1 += k2 + 1;
  rounds(x0, x1, 17, 29, 16, 24), x0 += k2, x1 += k.k0 + 2;
  rounds(x0, x1, 13, 15, 26, 6), x0 += k.k0, x1 += k.k1 + 3;
  rounds(x0, x1, 17, 29, 16, 24), x0 += k.k1, x1 += k2 + 4;
  rounds(x0, x1, 13, 15, 26, 6), x0 += k2, x1 += k.k0 + 5;
}

COTAN_MULTIVERSION void run_pairs(Key key, const uint32_t* x0,
                                  const uint32_t* x1, uint32_t* y0,
                                  uint32_t* y1, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t a = x0[i], b = x1[i];
    threefry(key, a, b);
    y0[i] = a, y1[i] = b;
  }
}

// Counts first, first + 1, ...; all share their high word.
template <class T>
COTAN_MULTIVERSION void run_bits(Key key, uint32_t hi, uint32_t first, T* out,
                                 int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t a = hi, b = first + uint32_t(i);
    threefry(key, a, b);
    if constexpr (sizeof(T) == 8)
      out[i] = uint64_t(a) << 32 | b;
    else
      out[i] = T(a ^ b);
  }
}

template <class T>
int random_bits(const KernelCall* call, const RandomBitsAttrs& a) {
  auto* keys = static_cast<const uint32_t*>(call->in[0]);
  auto* out = static_cast<T*>(call->out[0]);
  int64_t blocks = (a.n + kBlock - 1) / kBlock;
  double ns = double(a.keys) * double(a.n) * kNsPerWord;
  return parallel_chunks(
      call->rt, a.keys * blocks, int64_t(ns), [&](int64_t chunk) {
        int64_t k = chunk / blocks, begin = chunk % blocks * kBlock;
        int64_t n = std::min(kBlock, a.n - begin);
        // kBlock divides 2^32: a block never crosses a high word.
        run_bits(Key{keys[2 * k], keys[2 * k + 1]}, uint32_t(begin >> 32),
                 uint32_t(begin), out + k * a.n + begin, n);
      });
}

}  // namespace

int threefry_kernel(const KernelCall* call) {
  auto a = decode_attrs<ThreefryAttrs>(call->attrs);
  auto* k0 = static_cast<const uint32_t*>(call->in[0]);
  auto* k1 = static_cast<const uint32_t*>(call->in[1]);
  auto* x0 = static_cast<const uint32_t*>(call->in[2]);
  auto* x1 = static_cast<const uint32_t*>(call->in[3]);
  auto* y0 = static_cast<uint32_t*>(call->out[0]);
  auto* y1 = static_cast<uint32_t*>(call->out[1]);
  int64_t blocks = (a.n + kBlock - 1) / kBlock;
  double ns = double(a.keys) * double(a.n) * kNsPerWord;
  return parallel_chunks(
      call->rt, a.keys * blocks, int64_t(ns), [&](int64_t chunk) {
        int64_t k = chunk / blocks, begin = chunk % blocks * kBlock;
        int64_t at = k * a.n + begin;
        run_pairs(Key{k0[k], k1[k]}, x0 + at, x1 + at, y0 + at, y1 + at,
                  std::min(kBlock, a.n - begin));
      });
}

int random_bits_kernel(const KernelCall* call) {
  auto a = decode_attrs<RandomBitsAttrs>(call->attrs);
  switch (a.width) {
    case 8:
      return random_bits<uint8_t>(call, a);
    case 16:
      return random_bits<uint16_t>(call, a);
    case 32:
      return random_bits<uint32_t>(call, a);
    case 64:
      return random_bits<uint64_t>(call, a);
  }
  return call->rt->fail(call->rt,
                        "[random_bits] width must be 8, 16, 32 or 64");
}

}  // namespace cotan
