// Bulk threefry against the published vectors and JAX's values.
#include "runtime_kernels_test.h"

namespace cotan {

TEST(threefry_known_answers) {
  // Random123 kat_vectors, threefry 2x32 20.
  struct {
    uint32_t k0, k1, x0, x1, y0, y1;
  } cases[] = {
      {0, 0, 0, 0, 0x6b200159, 0x99ba4efe},
      {~0u, ~0u, ~0u, ~0u, 0x1cb996fc, 0xbb002be7},
      {0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c, 0x483df7a0},
  };
  for (auto& c : cases) {
    uint32_t y0, y1;
    CHECK_EQ(call_kernel("threefry2x32", ThreefryAttrs{1, 1},
                         {&c.k0, &c.k1, &c.x0, &c.x1}, {&y0, &y1}),
             kOk);
    CHECK_EQ(y0, c.y0);
    CHECK_EQ(y1, c.y1);
  }
}

TEST(threefry_bits_match_jax) {
  uint32_t key[2] = {0, 0}, bits[3];
  call_kernel("random_bits", RandomBitsAttrs{1, 3, 32}, {key}, {bits});
  CHECK_EQ(bits[0], 4070199207u);
  CHECK_EQ(bits[1], 4202968722u);
  CHECK_EQ(bits[2], 1427181096u);
}

TEST(threefry_widths_and_keys_agree) {
  constexpr int64_t kN = 20011;
  uint32_t keys[4] = {1, 2, 3, 4};
  std::vector<uint32_t> b32(2 * kN), y0(kN), y1(kN), hi(kN, 0), lo(kN);
  std::vector<uint64_t> b64(2 * kN);
  std::vector<uint16_t> b16(2 * kN);
  std::vector<uint8_t> b8(2 * kN);
  call_kernel("random_bits", RandomBitsAttrs{2, kN, 32}, {keys}, {b32.data()});
  call_kernel("random_bits", RandomBitsAttrs{2, kN, 64}, {keys}, {b64.data()});
  call_kernel("random_bits", RandomBitsAttrs{2, kN, 16}, {keys}, {b16.data()});
  call_kernel("random_bits", RandomBitsAttrs{2, kN, 8}, {keys}, {b8.data()});
  for (int64_t i = 0; i < kN; ++i) lo[size_t(i)] = uint32_t(i);
  call_kernel("threefry2x32", ThreefryAttrs{1, kN},
              {&keys[2], &keys[3], hi.data(), lo.data()},
              {y0.data(), y1.data()});
  for (size_t i = 0; i < size_t(kN); ++i) {
    size_t j = size_t(kN) + i;
    CHECK_EQ(b32[j], y0[i] ^ y1[i]);
    CHECK_EQ(b64[j], uint64_t(y0[i]) << 32 | y1[i]);
    CHECK_EQ(b16[j], uint16_t(y0[i] ^ y1[i]));
    CHECK_EQ(b8[j], uint8_t(y0[i] ^ y1[i]));
  }
  CHECK_EQ(
      call_kernel("random_bits", RandomBitsAttrs{1, 1, 7}, {keys}, {b8.data()}),
      kFailed);
}

}  // namespace cotan
