// Data movement: pad, concatenate, dynamic_slice, dynamic_update_slice, and
// the harness itself. Gather and scatter are in ops_window_test.cpp, sort,
// cumulative and threefry in ops_scan_test.cpp.
#include "op_harness.h"

namespace cotan {

using namespace testing;

namespace {
constexpr DType f64 = DType::f64, f32 = DType::f32, i32 = DType::i32;

OpOptions not_differentiable() {
  OpOptions o;
  o.differentiable = false;
  return o;
}
}  // namespace

TEST(harness_finds_a_wrong_derivative) {
  // sin with the derivative of the identity
  auto wrong = [](Args x) {
    auto fun = make_callable([](Args a) { return one(lax::sin(a[0])); });
    auto rule =
        make_callable([](Args a) -> Values { return {lax::sin(a[0]), a[1]}; });
    return lax::custom_jvp(fun, rule, x, "wrong");
  };
  bool found = false;
  try {
    check_jvp(wrong, {random_array(f64, {3})});
  } catch (const Failure&) {
    found = true;
  }
  CHECK(found);
  check_op([](Args x) { return one(lax::sin(x[0])); },
           {random_array(f64, {3})});
}

TEST(digamma_derivative) {
  Value x = array_of(f64, {5}, {0.25, 0.5, 1, 3.5, -1.75}),
        t = array_of(f64, {5}, {1, 1, 1, 1, 1});
  auto f = [](Args a) { return one(lax::digamma(a[0])); };
  check_op(f, {x});
  Dual d = jvp(f, std::span(&x, 1), std::span(&t, 1));
  Value want =
      array_of(f64, {5},
               {17.197329154507111, 4.9348022005446793, 1.6449340668482264,
                0.33035775610023486, 19.301637544529786});
  check_close(d.tangents[0], want, 1e-13, "trigamma");
}

TEST(pad_values) {
  Value x = array_of(f32, {3}, {1, 2, 3}), fill = array_of(f32, {}, {9});
  check_numbers(lax::pad(x, fill, {{1, 2, 0}}), f32, {6}, {9, 1, 2, 3, 9, 9});
  check_numbers(lax::pad(x, fill, {{0, 0, 1}}), f32, {5}, {1, 9, 2, 9, 3});
  check_numbers(lax::pad(x, fill, {{-1, 1, 0}}), f32, {3}, {2, 3, 9});
  check_numbers(lax::pad(x, fill, {{-1, -1, 2}}), f32, {5}, {9, 9, 2, 9, 9});
  check_numbers(lax::pad(x, fill, {{-2, -1, 0}}), f32, {0}, {});
  Value empty = array_of(f32, {0}, {});
  check_numbers(lax::pad(empty, fill, {{1, 1, 3}}), f32, {2}, {9, 9});
  Value m = array_of(i32, {2, 2}, {1, 2, 3, 4});
  check_numbers(lax::pad(m, scalar_index(7), {{0, 1, 0}, {1, 0, 0}}), i32,
                {3, 3}, {7, 1, 2, 7, 3, 4, 7, 7, 7});
}

TEST(pad_rules) {
  for (std::vector<PadDim> config : {std::vector<PadDim>{{1, 2, 0}, {0, 1, 1}},
                                     {{-1, 1, 2}, {2, -2, 0}},
                                     {{-1, -1, 1}, {0, 0, 0}},
                                     {{-2, -1, 0}, {1, 0, 3}}}) {
    auto f = [&](Args x) { return one(lax::pad(x[0], x[1], config)); };
    check_op(f, {random_array(f64, {4, 3}), random_array(f64, {}, 1, 2, 5)});
  }
  auto f = [](Args x) { return one(lax::pad(x[0], x[1], {{1, 1, 0}})); };
  check_op(
      f,
      {random_array(DType::bool_, {3}, 0, 2), array_of(DType::bool_, {}, {1})},
      not_differentiable());
}

TEST(pad_errors) {
  Value x = array_of(f32, {3}, {1, 2, 3}), fill = array_of(f32, {}, {9});
  CHECK_THROWS(ErrorKind::type, lax::pad(x, scalar_index(0), {{0, 1, 0}}),
               "pad operand and padding_value must be same dtype: got float32 "
               "and int32.");
  CHECK_THROWS(ErrorKind::value, lax::pad(x, x, {{0, 1, 0}}),
               "padding_value must be a scalar; got");
  CHECK_THROWS(ErrorKind::value, lax::pad(x, fill, {}),
               "length of padding_config must equal the number of axes of "
               "operand, got padding_config () for operand shape (3,)");
  CHECK_THROWS(ErrorKind::value, lax::pad(x, fill, {{0, 1, -1}}),
               "interior padding in padding_config must be nonnegative, got "
               "padding_config ((0, 1, -1),)");
  CHECK_THROWS(ErrorKind::value, lax::pad(x, fill, {{-2, -2, 0}}),
               "Dimension size after padding is not at least 0, got result "
               "shape (-1,)");
  CHECK_THROWS(ErrorKind::value, lax::pad(x, fill, {{0, INT64_MAX, 0}}),
               "overflow");
}

TEST(concatenate_values_and_rules) {
  Value a = array_of(f32, {2, 1}, {1, 2}),
        b = array_of(f32, {2, 2}, {3, 4, 5, 6});
  Value ab[] = {a, b, a};
  check_numbers(lax::concatenate(ab, 1), f32, {2, 4}, {1, 3, 4, 1, 2, 5, 6, 2});
  for (int64_t dim : {0, 1, 2}) {
    Shape s = {2, 3, 2}, t = s, u = s;
    t[size_t(dim)] = 4;
    u[size_t(dim)] = 0;
    auto f = [=](Args x) { return one(lax::concatenate(x, dim)); };
    check_op(f, {random_array(f64, s), random_array(f64, t, -1, 1, 2),
                 random_array(f64, u)});
  }
  CHECK(lax::concatenate(std::span(ab, 1), 0).get() == a.get());
}

TEST(concatenate_errors) {
  Value x = array_of(f32, {3}, {1, 2, 3});
  Value mixed[] = {x, array_of(i32, {3}, {1, 2, 3})};
  CHECK_THROWS(ErrorKind::type, lax::concatenate(mixed, 0),
               "lax.concatenate requires arguments to have the same dtypes, "
               "got float32, int32.");
  Value ranks[] = {x, array_of(f32, {}, {1})};
  CHECK_THROWS(ErrorKind::type, lax::concatenate(ranks, 0),
               "Cannot concatenate arrays with different numbers of "
               "dimensions: got (3,), ().");
  Value two[] = {x, x};
  CHECK_THROWS(ErrorKind::type, lax::concatenate(two, 1),
               "concatenate dimension out of bounds: dimension 1 for shapes "
               "(3,), (3,).");
  Value sizes[] = {random_array(f32, {2, 3}), random_array(f32, {2, 4})};
  CHECK_THROWS(ErrorKind::type, lax::concatenate(sizes, 0),
               "differ in dimensions other than the one being concatenated: "
               "concatenating along dimension 0 for shapes (2, 3), (2, 4).");
  CHECK_THROWS(ErrorKind::type, lax::concatenate({}, 0),
               "concatenate expects at least one operand, got 0.");
}

TEST(dynamic_slice_values) {
  Value x = array_of(i32, {6}, {0, 1, 2, 3, 4, 5});
  auto at = [&](Value i, int64_t n) {
    Value starts[] = {i};
    return lax::dynamic_slice(x, starts, {n});
  };
  check_numbers(at(scalar_index(1), 3), i32, {3}, {1, 2, 3});
  check_numbers(at(scalar_index(5), 3), i32, {3}, {3, 4, 5});
  check_numbers(at(scalar_index(-4), 2), i32, {2}, {0, 1});
  check_numbers(at(array_of(DType::u8, {}, {200}), 2), i32, {2}, {4, 5});
  check_numbers(at(array_of(DType::u64, {}, {1.8e19}), 2), i32, {2}, {4, 5});
  check_numbers(at(scalar_index(3), 0), i32, {0}, {});
  // Starts wrap before they are clamped, as in JAX.
  Value negative[] = {scalar_index(-3)};
  check_numbers(
      lax::dynamic_slice(x, lax::wrap_starts(x.shape(), negative), {2}), i32,
      {2}, {3, 4});
  Value literal[] = {scalar_value(i32, -2)};
  Values wrapped = lax::wrap_starts(x.shape(), literal);
  CHECK(wrapped[0]->kind == ValueKind::scalar);
  check_numbers(lax::dynamic_slice(x, wrapped, {2}), i32, {2}, {4, 5});
  check_numbers(lax::dynamic_slice(scalar_index(4), {}, {}), i32, {}, {4});
}

TEST(dynamic_update_slice_values) {
  Value x = array_of(i32, {2, 3}, {0, 1, 2, 3, 4, 5});
  Value u = array_of(i32, {1, 2}, {8, 9});
  Value starts[] = {scalar_index(1), scalar_index(7)};
  check_numbers(lax::dynamic_update_slice(x, u, starts), i32, {2, 3},
                {0, 1, 2, 3, 8, 9});
  Value low[] = {scalar_index(-1), scalar_index(0)};
  check_numbers(lax::dynamic_update_slice(x, u, low), i32, {2, 3},
                {8, 9, 2, 3, 4, 5});
}

TEST(dynamic_slice_rules) {
  auto slice = [](Args x) {
    return one(lax::dynamic_slice(x[0], x.subspan(1), {2, 3}));
  };
  check_op(slice,
           {random_array(f64, {4, 5}), scalar_index(1), scalar_index(1)});
  // Windows that do not fit, and an empty one.
  check_op(slice,
           {random_array(f64, {4, 5}), scalar_index(-2), scalar_index(3)});
  auto empty = [](Args x) {
    return one(lax::dynamic_slice(x[0], x.subspan(1), {0}));
  };
  check_op(empty, {random_array(f64, {4}), scalar_index(2)});
  auto rank0 = [](Args x) { return one(lax::dynamic_slice(x[0], {}, {})); };
  check_op(rank0, {random_array(f64, {})});
}

TEST(dynamic_update_slice_rules) {
  auto update = [](Args x) {
    return one(lax::dynamic_update_slice(x[0], x[1], x.subspan(2)));
  };
  check_op(update,
           {random_array(f64, {4, 5}), random_array(f64, {2, 3}, -1, 1, 4),
            scalar_index(1), scalar_index(1)});
  check_op(update, {random_array(f64, {4}), random_array(f64, {3}, -1, 1, 4),
                    scalar_index(2, DType::i64)});
  check_op(update, {random_array(f64, {}), random_array(f64, {}, -1, 1, 4)});
}

TEST(dynamic_slice_errors) {
  Value x = random_array(f32, {3}), i = scalar_index(0);
  Value one_start[] = {i}, two[] = {i, i}, vector[] = {array_of(i32, {1}, {0})},
        real[] = {array_of(f32, {}, {0})};
  CHECK_THROWS(ErrorKind::type, lax::dynamic_slice(x, one_start, {4}),
               "slice slice_sizes must be less than or equal to operand shape, "
               "got slice_sizes (4,) for operand shape (3,).");
  CHECK_THROWS(ErrorKind::type, lax::dynamic_slice(x, one_start, {-1}),
               "slice slice_sizes must be greater than or equal to zero, got "
               "slice_sizes of (-1,)");
  CHECK_THROWS(ErrorKind::type, lax::dynamic_slice(x, two, {2}),
               "start_indices must have length equal to the rank of operand");
  CHECK_THROWS(ErrorKind::type, lax::dynamic_slice(x, vector, {2}),
               "start_indices arguments to dynamic_slice must be scalars");
  CHECK_THROWS(ErrorKind::type, lax::dynamic_slice(x, real, {2}),
               "index arguments to dynamic_slice must be integers of the same "
               "type, got float32");
  CHECK_THROWS(ErrorKind::value, lax::wrap_starts(x.shape(), two),
               "Length of slice indices must match number of operand "
               "dimensions (2 vs (3,))");
  CHECK_THROWS(ErrorKind::type,
               lax::dynamic_update_slice(x, random_array(f32, {4}), one_start),
               "dynamic_update_slice update shape must be smaller than operand "
               "shape, got update shape (4,) for operand shape (3,).");
  CHECK_THROWS(ErrorKind::type,
               lax::dynamic_update_slice(x, random_array(f32, {}), one_start),
               "must have the same rank as operand");
  CHECK_THROWS(ErrorKind::type,
               lax::dynamic_update_slice(x, random_array(i32, {1}), one_start),
               "requires arguments to have the same dtypes");
}

}  // namespace cotan
