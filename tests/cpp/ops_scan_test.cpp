// sort, the cumulative operations and threefry2x32.
#include <cmath>

#include "op_harness.h"

namespace cotan {

using namespace testing;

namespace {
constexpr DType f64 = DType::f64, f32 = DType::f32, i32 = DType::i32;
constexpr double nan = NAN, inf = INFINITY;
}  // namespace

TEST(sort_values) {
  Value x = array_of(f32, {8}, {3, nan, -inf, 0, -0.0, inf, -1, nan});
  Value by[] = {x, array_of(i32, {8}, {0, 1, 2, 3, 4, 5, 6, 7})};
  Values y = lax::sort(by, 0);
  check_numbers(y[0], f32, {8}, {-inf, -1, 0, 0, 3, inf, nan, nan});
  check_numbers(y[1], i32, {8}, {2, 6, 3, 4, 0, 5, 1, 7});  // stable
  Value words[] = {array_of(i32, {2, 3}, {3, 1, 2, 0, 5, 4})};
  check_numbers(lax::sort(words, 1)[0], i32, {2, 3}, {1, 2, 3, 0, 4, 5});
  check_numbers(lax::sort(words, 0)[0], i32, {2, 3}, {0, 1, 2, 3, 5, 4});
  Value keys[] = {array_of(i32, {4}, {1, 0, 1, 0}),
                  array_of(f32, {4}, {2, nan, 1, 5}),
                  array_of(DType::u8, {4}, {0, 1, 2, 3})};
  check_numbers(lax::sort(keys, 0, true, 2)[2], DType::u8, {4}, {3, 1, 2, 0});
  Value complex[] = {array_of(DType::c64, {3}, {1, 2, 1, 1, 0, 5})};
  check_numbers(lax::sort(complex, 0)[0], DType::c64, {3}, {0, 5, 1, 1, 1, 2});
  Value halves[] = {array_of(DType::bf16, {3}, {2, -1, nan})};
  check_numbers(lax::sort(halves, 0)[0], DType::bf16, {3}, {-1, 2, nan});
  Value none[] = {array_of(f32, {0, 2}, {})};
  check_numbers(lax::sort(none, 0)[0], f32, {0, 2}, {});
}

// The harness compares the kernel with the reference.
TEST(sort_dtypes) {
  for (DType t :
       {DType::bool_, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8,
        DType::u16, DType::u32, DType::u64, DType::f16, DType::bf16, DType::f32,
        DType::f64, DType::c64, DType::c128}) {
    double low = t == DType::bool_ || is_unsigned_int(t) ? 0 : -3;
    double high = t == DType::bool_ ? 2 : 4;
    for (Shape shape : {Shape{50}, {7, 9}, {2, 3, 4}, {1}}) {
      Value by[] = {random_array(t, shape, low, high),
                    random_array(t, shape, low, high, 2),
                    random_array(i32, shape, 0, 99, 3)};
      for (int64_t axis = 0; axis < int64_t(shape.size()); ++axis)
        for (int64_t keys : {1, 2}) lax::sort(by, axis, true, keys);
      lax::sort(std::span(by, 1), 0);
    }
  }
}

TEST(sort_rules) {
  for (int64_t dim : {0, 1}) {
    auto f = [=](Args x) { return lax::sort(x, dim, true, 1); };
    check_op(f, {random_order(f64, {4, 3})});
    check_op(f, {random_order(f64, {4, 3}), random_array(f64, {4, 3}),
                 random_array(i32, {4, 3}, 0, 9)});
  }
  auto two_keys = [](Args x) { return lax::sort(x, 0, true, 2); };
  check_op(two_keys, {random_array(i32, {5}, 0, 2), random_order(f64, {5})});
  auto f = [](Args x) { return lax::sort(x, 0); };
  check_op(f, {random_array(i32, {5}, 0, 5)});
  check_op(f, {random_array(f64, {0})});
}

TEST(sort_ties_are_stable_in_derivatives) {
  Value x = array_of(f64, {3}, {1, 1, 0}), t = array_of(f64, {3}, {5, 6, 7});
  Dual d = jvp([](Args a) { return lax::sort(a, 0); }, std::span(&x, 1),
               std::span(&t, 1));
  check_numbers(d.tangents[0], f64, {3}, {7, 5, 6});
}

TEST(sort_errors) {
  Value x = random_array(f32, {3});
  Value shapes[] = {x, random_array(f32, {4})}, single[] = {x};
  CHECK_THROWS(ErrorKind::type, lax::sort(shapes, 0),
               "Arguments to sort must have equal shapes, got: (3,) (4,)");
  CHECK_THROWS(ErrorKind::value, lax::sort(single, 1),
               "axis 1 is out of bounds for array of dimension 1");
  CHECK_THROWS(ErrorKind::value, lax::sort(single, 0, true, 2),
               "num_keys=2 must be between 1 and 1");
  CHECK_THROWS(ErrorKind::type, lax::sort({}, 0), "at least one operand");
}

TEST(cumulative_values) {
  using K = CumulativeKind;
  Value x = array_of(f32, {4}, {1, -2, 3, 0.5});
  auto of = [&](K k, bool reverse = false) {
    return lax::cumulative(x, k, 0, reverse);
  };
  check_numbers(of(K::sum), f32, {4}, {1, -1, 2, 2.5});
  check_numbers(of(K::sum, true), f32, {4}, {2.5, 1.5, 3.5, 0.5});
  check_numbers(of(K::prod), f32, {4}, {1, -2, -6, -3});
  check_numbers(of(K::max), f32, {4}, {1, 1, 3, 3});
  check_numbers(of(K::min, true), f32, {4}, {-2, -2, 0.5, 0.5});
  check_numbers(of(K::logsumexp), f32, {4},
                {1, 1.0485873515737420, 3.1328440243, 3.2022534});
  x = array_of(f32, {4}, {-inf, 1, nan, 2});
  check_numbers(of(K::max), f32, {4}, {-inf, 1, nan, nan});
  check_numbers(of(K::logsumexp), f32, {4}, {-inf, 1, nan, nan});
  x = array_of(DType::i8, {3}, {100, 100, 1});
  check_numbers(of(K::sum), DType::i8, {3}, {100, -56, -55});
  x = array_of(DType::c64, {2}, {1, 1, 0, 2});
  check_numbers(of(K::prod), DType::c64, {2}, {1, 1, -2, 2});
  x = array_of(i32, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  check_numbers(lax::cumulative(x, K::sum, 1), i32, {2, 2, 2},
                {1, 2, 4, 6, 5, 6, 12, 14});
}

TEST(cumulative_rules) {
  using K = CumulativeKind;
  for (K kind : {K::sum, K::prod, K::max, K::min, K::logsumexp}) {
    for (int64_t n : {1, 2, 3, 4, 5, 8}) {
      for (bool reverse : {false, true}) {
        auto f = [=](Args x) {
          return one(lax::cumulative(x[0], kind, 1, reverse));
        };
        check_op(f, {random_order(f64, {2, n}, uint64_t(n))});
      }
    }
    auto f = [=](Args x) { return one(lax::cumulative(x[0], kind, 0)); };
    check_op(f, {random_order(f64, {3, 2})});
    check_op(f, {random_array(f64, {0, 2})});
  }
}

// The harness compares the kernel with the reference.
TEST(cumulative_dtypes) {
  using K = CumulativeKind;
  for (DType t : {DType::i8, DType::i16, DType::i32, DType::i64, DType::u8,
                  DType::u16, DType::u32, DType::u64, DType::f16, DType::bf16,
                  DType::f32, DType::f64, DType::c64, DType::c128}) {
    for (K kind : {K::sum, K::prod, K::max, K::min, K::logsumexp}) {
      if (kind == K::logsumexp && !is_float(t)) continue;
      double high = is_unsigned_int(t) ? 5 : 2, low = high == 5 ? 0 : -2;
      for (Shape shape : {Shape{37}, {3, 20}, {20, 3}, {2, 5, 2}, {0}}) {
        Value x = random_array(t, shape, low, high);
        int64_t axis = x.rank() / 2;
        lax::cumulative(x, kind, axis);
        lax::cumulative(x, kind, axis, true);
      }
    }
  }
}

TEST(cumulative_ties_share_the_tangent) {
  Value x = array_of(f64, {2}, {1, 1}), t = array_of(f64, {2}, {4, 8});
  auto f = [](Args a) {
    return one(lax::cumulative(a[0], CumulativeKind::max, 0));
  };
  Dual d = jvp(f, std::span(&x, 1), std::span(&t, 1));
  check_numbers(d.tangents[0], f64, {2}, {4, 6});
}

TEST(cumulative_errors) {
  using K = CumulativeKind;
  CHECK_THROWS(ErrorKind::value,
               lax::cumulative(random_array(f32, {3}), K::sum, 1),
               "axis 1 is out of bounds for array of shape (3,)");
  CHECK_THROWS(
      ErrorKind::type,
      lax::cumulative(random_array(DType::bool_, {3}, 0, 2), K::sum, 0),
      "cumsum does not accept dtype bool. Accepted dtypes are subtypes of "
      "number.");
  CHECK_THROWS(ErrorKind::type,
               lax::cumulative(random_array(i32, {3}), K::logsumexp, 0),
               "cumlogsumexp does not accept dtype int32.");
}

// Known answers of the Random123 distribution.
TEST(threefry_primitive_known_answers) {
  auto u32 = [](double v) { return array_of(DType::u32, {}, {v}); };
  Values y = lax::threefry2x32(u32(0), u32(0), u32(0), u32(0));
  check_numbers(y[0], DType::u32, {}, {0x6b200159});
  check_numbers(y[1], DType::u32, {}, {0x99ba4efe});
  y = lax::threefry2x32(u32(0x13198a2e), u32(0x03707344), u32(0x243f6a88),
                        u32(0x85a308d3));
  check_numbers(y[0], DType::u32, {}, {0xc4923a9c});
  check_numbers(y[1], DType::u32, {}, {0x483df7a0});
  // Keys are rank 0 beside a vector of counters.
  Value counts = array_of(DType::u32, {2}, {0, 0});
  y = lax::threefry2x32(u32(0), u32(0), counts, counts);
  check_numbers(y[1], DType::u32, {2}, {0x99ba4efe, 0x99ba4efe});
}

TEST(threefry_rules) {
  OpOptions o;
  o.differentiable = false;
  auto f = [](Args x) { return lax::threefry2x32(x[0], x[1], x[2], x[3]); };
  auto words = [](Shape s, uint64_t seed) {
    return random_array(DType::u32, s, 0, 4e9, seed);
  };
  check_op(f, {words({}, 1), words({}, 2), words({3}, 3), words({3}, 4)}, o);
  CHECK_THROWS(
      ErrorKind::type,
      f(Values{words({}, 1), words({}, 2), words({}, 3), scalar_index(1)}),
      "Arguments to threefry2x32 must have uint32 type");
}

}  // namespace cotan
