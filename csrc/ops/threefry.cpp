// threefry2x32: the counter-based generator under cotan.random (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", 2011), 20 rounds on a pair of
// words under a key of two words.
#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive threefry2x32_p;

namespace {

Avals threefry_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == 4);
  for (const Aval& x : a.in)
    if (x.dtype != DType::u32)
      throw_type(
          "[threefry2x32] Arguments to threefry2x32 must have uint32 type, "
          "got ",
          x);
  Aval y = common_type(a, any_dtype);
  return {y, y};
}

ScalarOuts threefry_scalar(ScalarEmitter& e, Scalars x, const Params&) {
  constexpr int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  Scalar parity = e.constant_int(DType::u32, 0x1BD11BDA);
  Scalar keys[3] = {x[0], x[1], e.xor_(e.xor_(x[0], x[1]), parity)};
  Scalar a = e.add(x[2], keys[0]), b = e.add(x[3], keys[1]);
  for (int group = 0; group < 5; ++group) {
    for (int r : rotations[group % 2]) {
      a = e.add(a, b);
      b = e.xor_(a, e.or_(e.shl(b, r), e.lshr(b, 32 - r)));
    }
    a = e.add(a, keys[(group + 1) % 3]);
    Scalar injected =
        e.add(keys[(group + 2) % 3], e.constant_int(DType::u32, group + 1));
    b = e.add(b, injected);
  }
  return {a, b};
}

}  // namespace

constinit const Primitive threefry2x32_p = {
    .name = "threefry2x32",
    .flags = kNotDifferentiable,
    .type = threefry_type,
    .eval = scalar_eval,
    .batch = elementwise_batch,
    .scalar = threefry_scalar,
    .cost = 72,
};
COTAN_REGISTER(threefry2x32_p);

}  // namespace ops

namespace lax {

Values threefry2x32(const Value& k0, const Value& k1, const Value& c0,
                    const Value& c1) {
  return bind_all(ops::threefry2x32_p, {k0, k1, c0, c1});
}

}  // namespace lax
}  // namespace cotan
