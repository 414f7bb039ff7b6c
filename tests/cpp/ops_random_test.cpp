// Keys and random bits; the numbers are those of JAX 0.10.2.
#include "op_harness.h"
#include "ops/random.h"

namespace cotan {

using namespace testing;

namespace {
constexpr DType u32 = DType::u32;
Value key(int64_t seed) { return lax::random_seed(scalar_index(seed)); }
std::vector<double> words(const Value& keys) {
  return numbers(lax::random_unwrap(keys));
}
}  // namespace

TEST(random_matches_jax) {
  CHECK(words(key(-1)) == std::vector<double>({0, 4294967295.0}));
  Value wide = array_of(DType::i64, {}, {4294967301.0});
  CHECK(words(lax::random_seed(wide)) == std::vector<double>({1, 5}));
  check_numbers(lax::random_bits(key(0), 32, {3}), u32, {3},
                {4070199207.0, 4202968722.0, 1427181096.0});
  Value split = lax::random_split(key(0), {2});
  CHECK(split.dtype() == DType::key);
  CHECK(words(split) == std::vector<double>({1797259609.0, 2579123966.0,
                                             928981903.0, 3453687069.0}));
  Value folded = lax::random_fold_in(key(0), array_of(u32, {}, {1}));
  CHECK(words(folded) == std::vector<double>({928981903.0, 3453687069.0}));
}

TEST(random_widths) {
  Value wide = lax::random_bits(key(3), 64, {5});
  CHECK(wide.dtype() == DType::u64);
  auto word = numbers(lax::random_bits(key(3), 32, {5}));
  auto byte = numbers(lax::random_bits(key(3), 8, {5}));
  for (size_t i = 0; i < 5; ++i)
    CHECK_EQ(byte[i], double(int64_t(word[i]) & 255));
  CHECK_THROWS(ErrorKind::type, lax::random_bits(key(3), 24, {5}),
               "requires 8-, 16-, 32- or 64-bit field width, got 24");
  CHECK_THROWS(ErrorKind::type, lax::random_bits(scalar_index(1), 32, {5}),
               "needs PRNG keys (dtype key<fry>), got i32[]");
}

TEST(random_rules) {
  OpOptions o;
  o.differentiable = false;
  Value seeds = random_array(DType::i32, {3}, 0, 1000);
  auto bits = [](Args x) {
    return one(lax::random_bits(lax::random_seed(x[0]), 32, {2, 2}));
  };
  check_op(bits, {seeds}, o);
  check_op(bits, {scalar_index(5)}, o);
  auto split = [](Args x) {
    return one(
        lax::random_unwrap(lax::random_split(lax::random_seed(x[0]), {4})));
  };
  check_op(split, {seeds}, o);
  auto fold = [](Args x) {
    return one(
        lax::random_unwrap(lax::random_fold_in(lax::random_seed(x[0]), x[1])));
  };
  check_op(fold, {seeds, array_of(u32, {}, {9})}, o);
}

// Arrays of keys move like any other array.
TEST(random_keys_can_be_moved) {
  Value keys = lax::random_split(key(7), {4});
  auto w = words(keys);
  auto pair = [&](std::vector<size_t> picks) {
    std::vector<double> out;
    for (size_t p : picks) {
      out.push_back(w[2 * p]);
      out.push_back(w[2 * p + 1]);
    }
    return out;
  };
  CHECK(words(lax::slice(keys, {1}, {3})) == pair({1, 2}));
  Value start[] = {scalar_index(2)}, both[] = {keys, keys};
  CHECK(words(lax::dynamic_slice(keys, start, {2})) == pair({2, 3}));
  CHECK(words(lax::concatenate(both, 0)) == pair({0, 1, 2, 3, 0, 1, 2, 3}));
  GatherParams p;
  p.collapsed_slice_dims = p.start_index_map = {0};
  p.slice_sizes = {1};
  Value i = array_of(DType::i32, {2, 1}, {3, 0});
  CHECK(words(lax::gather(keys, i, p)) == pair({3, 0}));
  Value mask = array_of(DType::bool_, {}, {1});
  CHECK(words(lax::select(mask, keys, keys)) == w);
}

}  // namespace cotan
