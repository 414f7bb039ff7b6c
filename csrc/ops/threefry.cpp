// Threefry, the counter-based generator under cotan.random (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", 2011), 20 rounds on words of
// 32 bits: two under a key of two, or four under a key of four.
#include <utility>

#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive threefry2x32_p, threefry4x32_p;

namespace {

// Key words, then counter words, of one shape.
template <size_t kKeys, size_t kWords>
Avals hash_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == kKeys + kWords);
  for (const Aval& x : a.in)
    if (x.dtype != DType::u32)
      throw_type("[", a.self.name, "] Arguments to ", a.self.name,
                 " must have uint32 type, got ", x);
  return Avals(kWords, common_type(a, any_dtype));
}

constexpr int64_t kParity = 0x1BD11BDA;

Scalar rotate(ScalarEmitter& e, Scalar x, int by) {
  return e.or_(e.shl(x, by), e.lshr(x, 32 - by));
}

ScalarOuts threefry_scalar(ScalarEmitter& e, Scalars x, const Params&) {
  constexpr int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  Scalar parity = e.constant_int(DType::u32, kParity);
  Scalar keys[3] = {x[0], x[1], e.xor_(e.xor_(x[0], x[1]), parity)};
  Scalar a = e.add(x[2], keys[0]), b = e.add(x[3], keys[1]);
  for (int group = 0; group < 5; ++group) {
    for (int r : rotations[group % 2]) {
      a = e.add(a, b);
      b = e.xor_(a, rotate(e, b, r));
    }
    a = e.add(a, keys[(group + 1) % 3]);
    Scalar injected =
        e.add(keys[(group + 2) % 3], e.constant_int(DType::u32, group + 1));
    b = e.add(b, injected);
  }
  return {a, b};
}

ScalarOuts threefry4_scalar(ScalarEmitter& e, Scalars x, const Params&) {
  constexpr int rotations[8][2] = {{10, 26}, {11, 21}, {13, 27}, {23, 5},
                                   {6, 20},  {17, 11}, {25, 10}, {18, 20}};
  Scalar keys[5] = {x[0], x[1], x[2], x[3],
                    e.constant_int(DType::u32, kParity)};
  for (int i = 0; i < 4; ++i) keys[4] = e.xor_(keys[4], x[size_t(i)]);
  Scalar w[4];
  for (int i = 0; i < 4; ++i) w[i] = e.add(x[size_t(4 + i)], keys[i]);
  auto mix = [&](int a, int b, int by) {
    w[a] = e.add(w[a], w[b]);
    w[b] = e.xor_(w[a], rotate(e, w[b], by));
  };
  for (int round = 0; round < 20; ++round) {
    int one = 1, other = 3;
    if (round % 2) std::swap(one, other);
    mix(0, one, rotations[round % 8][0]);
    mix(2, other, rotations[round % 8][1]);
    if (round % 4 != 3) continue;
    int group = round / 4 + 1;
    for (int i = 0; i < 4; ++i) w[i] = e.add(w[i], keys[(group + i) % 5]);
    w[3] = e.add(w[3], e.constant_int(DType::u32, group));
  }
  return {w[0], w[1], w[2], w[3]};
}

}  // namespace

constinit const Primitive threefry2x32_p = {
    .name = "threefry2x32",
    .flags = kNotDifferentiable,
    .type = hash_type<2, 2>,
    .eval = scalar_eval,
    .batch = elementwise_batch,
    .scalar = threefry_scalar,
    .cost = 72,
};
COTAN_REGISTER(threefry2x32_p);

constinit const Primitive threefry4x32_p = {
    .name = "threefry4x32",
    .flags = kNotDifferentiable,
    .type = hash_type<4, 4>,
    .eval = scalar_eval,
    .batch = elementwise_batch,
    .scalar = threefry4_scalar,
    .cost = 140,
};
COTAN_REGISTER(threefry4x32_p);

}  // namespace ops

namespace lax {

Values threefry2x32(const Value& k0, const Value& k1, const Value& c0,
                    const Value& c1) {
  return bind_all(ops::threefry2x32_p, {k0, k1, c0, c1});
}

Values threefry4x32(std::span<const Value> x) {
  return bind_all(ops::threefry4x32_p, x);
}

}  // namespace lax
}  // namespace cotan
