// Philox, the other counter-based generator of Salmon et al. (2011): 10 rounds
// of multiplications on two words under a key of one, or on four under a key
// of two. Words have 32 bits.
#include "ops/rules.h"

namespace cotan {
namespace ops {

extern const Primitive philox2x32_p, philox4x32_p;

namespace {

constexpr DType kWord = DType::u32, kWide = DType::u64;
constexpr int kRounds = 10;

template <size_t kKeys, size_t kWords>
Avals philox_type(const TypeArgs& a) {
  COTAN_CHECK(a.in.size() == kKeys + kWords);
  for (const Aval& x : a.in)
    if (x.dtype != kWord)
      throw_type("[", a.self.name, "] Arguments to ", a.self.name,
                 " must have uint32 type, got ", x);
  return Avals(kWords, common_type(a, any_dtype));
}

struct Product {
  Scalar high, low;
};
Product product(ScalarEmitter& e, int64_t constant, Scalar x) {
  Scalar wide = e.mul(e.convert(x, kWide), e.constant_int(kWide, constant));
  return {e.convert(e.lshr(wide, 32), kWord), e.convert(wide, kWord)};
}
// The next key of a round.
Scalar bumped(ScalarEmitter& e, Scalar key, int64_t by) {
  return e.add(key, e.constant_int(kWord, by));
}

ScalarOuts philox2_scalar(ScalarEmitter& e, Scalars x, const Params&) {
  Scalar key = x[0], a = x[1], b = x[2];
  for (int round = 0; round < kRounds; ++round) {
    Product p = product(e, 0xD256D193, a);
    a = e.xor_(e.xor_(p.high, b), key);
    b = p.low;
    key = bumped(e, key, 0x9E3779B9);
  }
  return {a, b};
}

ScalarOuts philox4_scalar(ScalarEmitter& e, Scalars x, const Params&) {
  Scalar key[2] = {x[0], x[1]}, c[4] = {x[2], x[3], x[4], x[5]};
  for (int round = 0; round < kRounds; ++round) {
    Product a = product(e, 0xD2511F53, c[0]), b = product(e, 0xCD9E8D57, c[2]);
    c[0] = e.xor_(e.xor_(b.high, c[1]), key[0]);
    c[2] = e.xor_(e.xor_(a.high, c[3]), key[1]);
    c[1] = b.low;
    c[3] = a.low;
    key[0] = bumped(e, key[0], 0x9E3779B9);
    key[1] = bumped(e, key[1], 0xBB67AE85);
  }
  return {c[0], c[1], c[2], c[3]};
}

}  // namespace

constinit const Primitive philox2x32_p = {
    .name = "philox2x32",
    .flags = kNotDifferentiable,
    .type = philox_type<1, 2>,
    .eval = scalar_eval,
    .batch = elementwise_batch,
    .scalar = philox2_scalar,
    .cost = 60,
};
COTAN_REGISTER(philox2x32_p);

constinit const Primitive philox4x32_p = {
    .name = "philox4x32",
    .flags = kNotDifferentiable,
    .type = philox_type<2, 4>,
    .eval = scalar_eval,
    .batch = elementwise_batch,
    .scalar = philox4_scalar,
    .cost = 120,
};
COTAN_REGISTER(philox4x32_p);

}  // namespace ops

namespace lax {

Values philox2x32(std::span<const Value> x) {
  return bind_all(ops::philox2x32_p, x);
}
Values philox4x32(std::span<const Value> x) {
  return bind_all(ops::philox4x32_p, x);
}

}  // namespace lax
}  // namespace cotan
