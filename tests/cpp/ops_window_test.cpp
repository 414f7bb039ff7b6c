// gather and scatter. The values of the tables are those of JAX 0.10.2.
#include <numeric>

#include "op_harness.h"

namespace cotan {

using namespace testing;

namespace {

constexpr DType f64 = DType::f64, f32 = DType::f32, i32 = DType::i32;

// Dimension numbers in the order of GatherParams and ScatterParams.
struct GatherDims {
  Axes offset, collapsed, map, operand_batch, indices_batch;
  Dims sizes;
};
struct ScatterDims {
  Axes window, inserted, map, operand_batch, indices_batch;
};
GatherParams params(const GatherDims& d, GatherMode mode) {
  GatherParams p;
  p.offset_dims = d.offset;
  p.collapsed_slice_dims = d.collapsed;
  p.start_index_map = d.map;
  p.operand_batching_dims = d.operand_batch;
  p.start_indices_batching_dims = d.indices_batch;
  p.slice_sizes = d.sizes;
  p.mode = mode;
  return p;
}
ScatterParams params(const ScatterDims& d, GatherMode mode) {
  ScatterParams p;
  p.update_window_dims = d.window;
  p.inserted_window_dims = d.inserted;
  p.scatter_dims_to_operand_dims = d.map;
  p.operand_batching_dims = d.operand_batch;
  p.scatter_indices_batching_dims = d.indices_batch;
  p.mode = mode;
  return p;
}

Value counting(DType t, const Shape& shape) {
  std::vector<double> v(size_t(num_elements(shape)));
  std::iota(v.begin(), v.end(), 1);
  return array_of(t, shape, v);
}

struct GatherCase {
  Shape operand, indices_shape;
  std::vector<double> indices;
  GatherDims dims;
  GatherMode mode;
  Shape shape;
  std::vector<double> result;  // of 1, 2, 3, ... with fill -7
};
// clang-format off
const GatherCase kGathers[] = {
  {{5}, {3, 1}, {0, 4, 2}, {{}, {0}, {0}, {}, {}, {1}}, GatherMode::clip, {3}, {1, 5, 3}},
  {{5}, {4, 1}, {-1, 5, 2, 9}, {{}, {0}, {0}, {}, {}, {1}}, GatherMode::clip, {4}, {1, 5, 3, 5}},
  {{5}, {4, 1}, {-1, 5, 2, 9}, {{}, {0}, {0}, {}, {}, {1}}, GatherMode::fill_or_drop, {4}, {-7, -7, 3, -7}},
  {{5}, {2, 1}, {3, 4}, {{1}, {}, {0}, {}, {}, {2}}, GatherMode::fill_or_drop, {2, 2}, {4, 5, -7, -7}},
  {{5}, {2, 1}, {3, 4}, {{1}, {}, {0}, {}, {}, {2}}, GatherMode::clip, {2, 2}, {4, 5, 4, 5}},
  {{3, 4}, {2, 1}, {2, 0}, {{1}, {0}, {0}, {}, {}, {1, 4}}, GatherMode::clip, {2, 4}, {9, 10, 11, 12, 1, 2, 3, 4}},
  {{3, 4}, {2, 1}, {1, 3}, {{0}, {1}, {1}, {}, {}, {3, 1}}, GatherMode::clip, {3, 2}, {2, 4, 6, 8, 10, 12}},
  {{3, 4}, {2, 2}, {1, 1, 2, 3}, {{}, {0, 1}, {0, 1}, {}, {}, {1, 1}}, GatherMode::fill_or_drop, {2}, {6, 12}},
  {{3, 4}, {2, 2}, {1, 1, 2, 3}, {{}, {0, 1}, {1, 0}, {}, {}, {1, 1}}, GatherMode::fill_or_drop, {2}, {6, -7}},
  {{3, 4}, {2, 2}, {0, 1, 2, 2}, {{0, 2}, {}, {0, 1}, {}, {}, {2, 2}}, GatherMode::clip, {2, 2, 2}, {2, 3, 7, 8, 6, 7, 11, 12}},
  {{3, 4}, {3, 1}, {3, 0, 1}, {{}, {1}, {1}, {0}, {0}, {1, 1}}, GatherMode::clip, {3}, {4, 5, 10}},
  {{2, 3, 4}, {2, 3, 1}, {0, 1, 2, 0, 1, 2}, {{1}, {1}, {1}, {0}, {0}, {1, 1, 2}}, GatherMode::clip, {2, 2, 3}, {1, 5, 9, 2, 6, 10, 13, 17, 21, 14, 18, 22}},
  {{2, 3, 4}, {4, 2, 1}, {0, 1, 2, 3, 3, 2, 1, 0}, {{2}, {2}, {2}, {0}, {1}, {1, 3, 1}}, GatherMode::clip, {4, 2, 3}, {1, 5, 9, 14, 18, 22, 3, 7, 11, 16, 20, 24, 4, 8, 12, 15, 19, 23, 2, 6, 10, 13, 17, 21}},
  {{2, 3, 2}, {3, 2, 1}, {0, 1, 1, 0, 1, 1}, {{}, {2}, {2}, {0, 1}, {1, 0}, {1, 1, 1}}, GatherMode::clip, {3, 2}, {1, 8, 4, 9, 6, 12}},
  {{3, 2}, {0}, {}, {{0, 1}, {}, {}, {}, {}, {2, 1}}, GatherMode::clip, {2, 1}, {1, 3}},
  {{3}, {2, 0}, {}, {{1}, {}, {}, {}, {}, {2}}, GatherMode::clip, {2, 2}, {1, 2, 1, 2}},
};
// clang-format on

struct ScatterCase {
  Shape operand, indices_shape;
  std::vector<double> indices;
  Shape updates;
  ScatterDims dims;
  GatherMode mode;
  std::vector<std::vector<double>> results;  // per ScatterKind, of 1, 2, ...
};
// clang-format off
const ScatterCase kScatters[] = {
  {{5}, {3, 1}, {1, 4, 1}, {3}, {{}, {0}, {0}, {}, {}}, GatherMode::fill_or_drop, {{1, 6, 3, 4, 8},
   {1, 11, 3, 4, 13},
   {1, -7, 3, 4, -3},
   {1, 36, 3, 4, 40},
   {1, 2, 3, 4, 5},
   {1, 6, 3, 4, 8}}},
  {{5}, {4, 1}, {-1, 5, 2, 9}, {4}, {{}, {0}, {0}, {}, {}}, GatherMode::fill_or_drop, {{1, 2, 6, 4, 5},
   {1, 2, 9, 4, 5},
   {1, 2, -3, 4, 5},
   {1, 2, 18, 4, 5},
   {1, 2, 3, 4, 5},
   {1, 2, 6, 4, 5}}},
  {{5}, {4, 1}, {-1, 5, 2, 9}, {4}, {{}, {0}, {0}, {}, {}}, GatherMode::clip, {{3, 2, 6, 4, 4},
   {4, 2, 9, 4, 17},
   {-2, 2, -3, 4, -7},
   {3, 2, 18, 4, 160},
   {1, 2, 3, 4, 4},
   {3, 2, 6, 4, 8}}},
  {{5}, {2, 1}, {3, 4}, {2, 2}, {{1}, {}, {0}, {}, {}}, GatherMode::fill_or_drop, {{1, 2, 3, 3, 8},
   {1, 2, 3, 7, 13},
   {1, 2, 3, 1, -3},
   {1, 2, 3, 12, 40},
   {1, 2, 3, 3, 5},
   {1, 2, 3, 4, 8}}},
  {{5}, {2, 1}, {3, 2}, {2, 2}, {{1}, {}, {0}, {}, {}}, GatherMode::clip, {{1, 2, 6, 4, 8},
   {1, 2, 9, 11, 13},
   {1, 2, -3, -3, -3},
   {1, 2, 18, 48, 40},
   {1, 2, 3, 3, 5},
   {1, 2, 6, 4, 8}}},
  {{3, 4}, {2, 1}, {2, 0}, {2, 4}, {{1}, {0}, {0}, {}, {}}, GatherMode::fill_or_drop, {{9, 7, 5, 3, 5, 6, 7, 8, 3, 8, 6, 4},
   {10, 9, 8, 7, 5, 6, 7, 8, 12, 18, 17, 16},
   {-8, -5, -2, 1, 5, 6, 7, 8, 6, 2, 5, 8},
   {9, 14, 15, 12, 5, 6, 7, 8, 27, 80, 66, 48},
   {1, 2, 3, 3, 5, 6, 7, 8, 3, 8, 6, 4},
   {9, 7, 5, 4, 5, 6, 7, 8, 9, 10, 11, 12}}},
  {{3, 4}, {2, 1}, {1, 3}, {3, 2}, {{0}, {1}, {1}, {}, {}}, GatherMode::fill_or_drop, {{1, 3, 3, 8, 5, 6, 7, 4, 9, 9, 11, 7},
   {1, 5, 3, 12, 5, 12, 7, 12, 9, 19, 11, 19},
   {1, -1, 3, -4, 5, 0, 7, 4, 9, 1, 11, 5},
   {1, 6, 3, 32, 5, 36, 7, 32, 9, 90, 11, 84},
   {1, 2, 3, 4, 5, 6, 7, 4, 9, 9, 11, 7},
   {1, 3, 3, 8, 5, 6, 7, 8, 9, 10, 11, 12}}},
  {{3, 4}, {3, 2}, {1, 1, 2, 3, 1, 1}, {3}, {{}, {0, 1}, {0, 1}, {}, {}}, GatherMode::fill_or_drop, {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 8},
   {1, 2, 3, 4, 5, 15, 7, 8, 9, 10, 11, 20},
   {1, 2, 3, 4, 5, -3, 7, 8, 9, 10, 11, 4},
   {1, 2, 3, 4, 5, 108, 7, 8, 9, 10, 11, 96},
   {1, 2, 3, 4, 5, 3, 7, 8, 9, 10, 11, 8},
   {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}},
  {{3, 4}, {2, 2}, {0, 1, 1, 1}, {2, 2, 2}, {{0, 2}, {}, {0, 1}, {}, {}}, GatherMode::clip, {{1, 3, 8, 4, 5, 6, 4, 8, 9, 5, 3, 12},
   {1, 5, 11, 4, 5, 21, 18, 8, 9, 15, 14, 12},
   {1, -1, -5, 4, 5, -9, -4, 8, 9, 5, 8, 12},
   {1, 6, 24, 4, 5, 324, 196, 8, 9, 50, 33, 12},
   {1, 2, 3, 4, 5, 6, 4, 8, 9, 5, 3, 12},
   {1, 3, 8, 4, 5, 9, 7, 8, 9, 10, 11, 12}}},
  {{3, 4}, {3, 1}, {3, 0, 1}, {3}, {{}, {1}, {1}, {0}, {0}}, GatherMode::fill_or_drop, {{1, 2, 3, 3, 8, 6, 7, 8, 9, 6, 11, 12},
   {1, 2, 3, 7, 13, 6, 7, 8, 9, 16, 11, 12},
   {1, 2, 3, 1, -3, 6, 7, 8, 9, 4, 11, 12},
   {1, 2, 3, 12, 40, 6, 7, 8, 9, 60, 11, 12},
   {1, 2, 3, 3, 5, 6, 7, 8, 9, 6, 11, 12},
   {1, 2, 3, 4, 8, 6, 7, 8, 9, 10, 11, 12}}},
  {{2, 3, 4}, {2, 3, 1}, {0, 1, 2, 0, 1, 1}, {2, 2, 3}, {{1}, {1}, {1}, {0}, {0}}, GatherMode::fill_or_drop, {{3, 4, 3, 4, 8, 9, 7, 8, 6, 7, 11, 12, 5, 6, 15, 16, 8, 9, 19, 20, 21, 22, 23, 24},
   {4, 6, 3, 4, 13, 15, 7, 8, 15, 17, 11, 12, 18, 20, 15, 16, 28, 31, 19, 20, 21, 22, 23, 24},
   {-2, -2, 3, 4, -3, -3, 7, 8, 3, 3, 11, 12, 8, 8, 15, 16, 6, 5, 19, 20, 21, 22, 23, 24},
   {3, 8, 3, 4, 40, 54, 7, 8, 54, 70, 11, 12, 65, 84, 15, 16, 408, 648, 19, 20, 21, 22, 23, 24},
   {1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 11, 12, 5, 6, 15, 16, 3, 4, 19, 20, 21, 22, 23, 24},
   {3, 4, 3, 4, 8, 9, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}}},
  {{3}, {0, 1}, {}, {0}, {{}, {0}, {0}, {}, {}}, GatherMode::clip, {{1, 2, 3},
   {1, 2, 3},
   {1, 2, 3},
   {1, 2, 3},
   {1, 2, 3},
   {1, 2, 3}}},
};
// clang-format on

constexpr ScatterKind kKinds[] = {ScatterKind::set, ScatterKind::add,
                                  ScatterKind::sub, ScatterKind::mul,
                                  ScatterKind::min, ScatterKind::max};

Value indices_of(const auto& c, DType t = i32) {
  return array_of(t, c.indices_shape, c.indices);
}

}  // namespace

TEST(gather_values) {
  for (const GatherCase& c : kGathers) {
    GatherParams p = params(c.dims, c.mode);
    if (c.mode == GatherMode::fill_or_drop)
      p.fill_value = Literal::from_int(i32, -7);
    Value x = counting(i32, c.operand);
    check_numbers(lax::gather(x, indices_of(c), p), i32, c.shape, c.result);
    check_numbers(lax::gather(x, indices_of(c, DType::i64), p), i32, c.shape,
                  c.result);
  }
}

TEST(gather_default_fill) {
  GatherParams p =
      params(GatherDims{{}, {0}, {0}, {}, {}, {1}}, GatherMode::fill_or_drop);
  Value i = array_of(i32, {2, 1}, {0, 9});
  auto of = [&](DType t) { return lax::gather(counting(t, {2}), i, p); };
  check_numbers(of(f32), f32, {2}, {1, NAN});
  check_numbers(of(DType::bf16), DType::bf16, {2}, {1, NAN});
  check_numbers(of(DType::i8), DType::i8, {2}, {1, -128});
  check_numbers(of(i32), i32, {2}, {1, -2147483648.0});
  check_numbers(of(DType::u16), DType::u16, {2}, {1, 65535});
  check_numbers(of(DType::bool_), DType::bool_, {2}, {1, 1});
  Value huge = array_of(DType::u64, {1, 1}, {1.8e19});
  check_numbers(lax::gather(counting(f32, {2}), huge, p), f32, {1}, {NAN});
}

TEST(gather_rules) {
  for (const GatherCase& c : kGathers) {
    auto f = [&](Args x) {
      return one(lax::gather(x[0], x[1], params(c.dims, c.mode)));
    };
    OpOptions o;
    // A nan outside the operand cannot be compared with its difference.
    Function finite = f;
    if (c.mode == GatherMode::fill_or_drop)
      finite = [&](Args x) {
        GatherParams p = params(c.dims, c.mode);
        p.fill_value = Literal::from_double(f64, 3);
        return one(lax::gather(x[0], x[1], p));
      };
    check_op(finite, {random_array(f64, c.operand), indices_of(c)}, o);
  }
}

TEST(scatter_values) {
  for (const ScatterCase& c : kScatters) {
    std::vector<double> u(size_t(num_elements(c.updates)));
    for (size_t k = 0; k < u.size(); ++k) u[k] = double(k * 5 % 7 + 3);
    for (DType t : {i32, f32, DType::bf16}) {
      for (ScatterKind kind : kKinds) {
        const auto& want = c.results[size_t(kind)];
        double most = 0;
        for (double v : want) most = std::max(most, std::abs(v));
        if (t == DType::bf16 && most > 256) continue;  // not exact
        Value y =
            lax::scatter(kind, counting(t, c.operand), indices_of(c),
                         array_of(t, c.updates, u), params(c.dims, c.mode));
        check_numbers(y, t, c.operand, want);
      }
    }
  }
}

TEST(scatter_rules) {
  for (const ScatterCase& c : kScatters) {
    for (ScatterKind kind : kKinds) {
      auto f = [&](Args x) {
        return one(
            lax::scatter(kind, x[0], x[1], x[2], params(c.dims, c.mode)));
      };
      // Far apart: no contender of an element equals another.
      Value u =
          lax::add(random_order(f64, c.updates, 4), scalar_value(f64, 0.1));
      Values x = {random_order(f64, c.operand, 3), indices_of(c), u};
      if (kind == ScatterKind::mul) {
        // Derivatives in the updates need unique indices; see below.
        auto g = [&](Args a) { return f(Values{a[0], x[1], x[2]}); };
        check_op(g, {x[0]});
        check_traced(f, x);
        check_vmap(f, x);
      } else {
        check_op(f, x);
      }
    }
  }
}

TEST(scatter_unique_rules) {
  ScatterParams p =
      params(ScatterDims{{1}, {0}, {0}, {}, {}}, GatherMode::fill_or_drop);
  p.unique_indices = true;
  Values x = {random_order(f64, {4, 3}), array_of(i32, {3, 1}, {2, 0, 7}),
              random_array(f64, {3, 2}, 0.3, 0.31, 5)};
  for (ScatterKind kind : kKinds) {
    auto f = [&](Args a) {
      return one(lax::scatter(kind, a[0], a[1], a[2], p));
    };
    check_op(f, x);
  }
}

TEST(scatter_equal_contenders) {
  ScatterParams p =
      params(ScatterDims{{}, {0}, {0}, {}, {}}, GatherMode::fill_or_drop);
  auto tangent = [&](ScatterKind kind, std::vector<double> indices,
                     std::vector<double> updates, std::vector<double> t) {
    auto n = int64_t(updates.size());
    Value i = array_of(i32, {n, 1}, indices);
    Values x = {array_of(f64, {4}, {1, 2, 3, 4}), array_of(f64, {n}, updates)};
    Values tangents = {array_of(f64, {4}, {10, 20, 30, 40}),
                       array_of(f64, {n}, t)};
    auto f = [&](Args a) { return one(lax::scatter(kind, a[0], i, a[1], p)); };
    return jvp(f, x, tangents).tangents[0];
  };
  auto wide = [&](ScatterKind kind) {
    return tangent(kind, {1, 1, 1, 0, 7}, {2, 5, 2, 1, 9}, {1, 2, 4, 8, 16});
  };
  check_numbers(wide(ScatterKind::set), f64, {4}, {8, 4, 30, 40});
  check_numbers(wide(ScatterKind::max), f64, {4}, {9, 2, 30, 40});
  check_numbers(wide(ScatterKind::min), f64, {4}, {9, 25.0 / 3, 30, 40});
  auto narrow = [&](ScatterKind kind) {
    return tangent(kind, {1, 1, 0}, {2, 2, 1}, {1, 2, 4});
  };
  check_numbers(narrow(ScatterKind::set), f64, {4}, {4, 2, 30, 40});
  check_numbers(narrow(ScatterKind::max), f64, {4}, {7, 23.0 / 3, 30, 40});
  check_numbers(narrow(ScatterKind::min), f64, {4}, {7, 23.0 / 3, 30, 40});
}

TEST(scatter_dtypes) {
  ScatterParams p =
      params(ScatterDims{{}, {0}, {0}, {}, {}}, GatherMode::fill_or_drop);
  Value i = array_of(i32, {3, 1}, {0, 1, 1});
  auto of = [&](ScatterKind kind, DType t, std::vector<double> x,
                std::vector<double> u) {
    return lax::scatter(kind, array_of(t, {2}, x), i, array_of(t, {3}, u), p);
  };
  check_numbers(of(ScatterKind::add, DType::u8, {250, 1}, {10, 2, 3}),
                DType::u8, {2}, {4, 6});
  check_numbers(of(ScatterKind::mul, DType::i16, {300, 1}, {300, 2, 3}),
                DType::i16, {2}, {24464, 6});
  check_numbers(of(ScatterKind::add, DType::bool_, {0, 0}, {1, 0, 0}),
                DType::bool_, {2}, {1, 0});
  check_numbers(of(ScatterKind::min, DType::bool_, {1, 1}, {1, 1, 0}),
                DType::bool_, {2}, {1, 0});
  check_numbers(of(ScatterKind::max, f32, {1, 1}, {NAN, 3, 2}), f32, {2},
                {NAN, 3});
  check_numbers(
      of(ScatterKind::mul, DType::c64, {0, 1, 1, 0}, {0, 1, 2, 0, 0, 2}),
      DType::c64, {2}, {-1, 0, 0, 4});
  // Nothing fits into an empty operand.
  Value none =
      lax::scatter(ScatterKind::add, array_of(f32, {0}, {}), i,
                   array_of(f32, {3}, {1, 2, 3}),
                   params(ScatterDims{{}, {0}, {0}, {}, {}}, GatherMode::clip));
  check_numbers(none, f32, {0}, {});
}

// The harness compares the kernel with the reference.
TEST(scatter_kernel_dtypes) {
  ScatterParams p =
      params(ScatterDims{{1}, {0}, {0}, {}, {}}, GatherMode::fill_or_drop);
  Value i = random_array(i32, {40, 1}, -1, 6);
  for (DType t :
       {DType::bool_, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8,
        DType::u16, DType::u32, DType::u64, DType::f16, DType::bf16, DType::f32,
        DType::f64, DType::c64, DType::c128}) {
    double low = t == DType::bool_ || is_unsigned_int(t) ? 0 : -2;
    for (int64_t n : {1, 3, 33}) {
      Value x = random_array(t, {5, n}, low, 2);
      Value u = random_array(t, {40, n}, low, 2, 2);
      for (ScatterKind kind : kKinds)
        if (t != DType::bool_ || kind != ScatterKind::sub)
          lax::scatter(kind, x, i, u, p);
    }
  }
}

TEST(gather_errors) {
  Value x = random_array(f32, {3, 4}), i = array_of(i32, {2, 1}, {0, 1});
  auto gather = [&](GatherDims d) {
    return lax::gather(x, i, params(d, GatherMode::clip));
  };
  auto fails = [&](GatherDims d, const char* message) {
    CHECK_THROWS(ErrorKind::type, gather(d), message);
  };
  gather({{1}, {0}, {0}, {}, {}, {1, 4}});
  fails({{2, 1}, {}, {0}, {}, {}, {1, 4}},
        "offset_dims in gather op must be sorted; got (2, 1)");
  fails({{1, 1}, {}, {0}, {}, {}, {1, 4}},
        "offset_dims in gather op must not repeat; got: (1, 1).");
  fails({{5}, {0}, {0}, {}, {}, {1, 4}},
        "Offset dimension 0 in gather op is out of bounds; got 5, but should "
        "have been in [0, 2)");
  fails({{1}, {0}, {0, 1}, {}, {}, {1, 4}},
        "Gather op has 2 elements in start_index_map and the bound of "
        "dimension index_vector_dim=1 of indices is 1.");
  fails({{1}, {0}, {2}, {}, {}, {1, 4}},
        "Invalid start_index_map mapping; domain is [0, 2), got: 0->2.");
  fails({{1}, {3}, {0}, {}, {}, {1, 4}},
        "Invalid collapsed_slice_dims set in gather op; valid range is [0, 2); "
        "got: 3.");
  fails({{1}, {0}, {0}, {0}, {0}, {1, 4}},
        "collapsed_slice_dims and operand_batching_dims in gather op must be "
        "disjoint; got: (0,) and (0,).");
  fails({{1}, {}, {1}, {0}, {1}, {1, 4}},
        "Gather op cannot have the index vector dimension as a batching "
        "dimension; got (1,).");
  fails({{1}, {}, {1}, {0}, {0}, {1, 4}},
        "Gather op requires operand batching dimensions and indices batching "
        "dimensions to have the same shape, got (3,) and (2,).");
  fails({{1}, {}, {1}, {0}, {}, {1, 4}},
        "Gather op requires equal numbers of operand_batching_dims and "
        "start_indices_batching_dims, got (0,) and ().");
  fails({{1}, {0}, {0}, {}, {}, {1}},
        "Gather op must have one slice size for every input dimension; got: "
        "len(slice_sizes)=1, input_shape.rank=2");
  fails({{1, 2}, {0}, {0}, {}, {}, {1, 4}},
        "All components of the offset index in a gather op must either be a "
        "offset dimension or explicitly collapsed/batching; got "
        "len(slice_sizes)=2, output_slice_sizes=(1, 2), "
        "collapsed_slice_dims=(0,)");
  fails({{1}, {0}, {0}, {}, {}, {1, 5}},
        "Slice size at index 1 in gather op is out of range, must be within "
        "[0, 4 + 1), got 5.");
  fails({{1}, {0}, {0}, {}, {}, {2, 4}},
        "Gather op can only collapse slice dims with bound 1, but bound is 2 "
        "for index 0 at position 0.");
  CHECK_THROWS(ErrorKind::value,
               lax::gather(x, x, params(GatherDims{}, GatherMode::clip)),
               "indices must have an integer type");
  CHECK_THROWS(
      ErrorKind::type,
      lax::gather(x, scalar_index(0), params(GatherDims{}, GatherMode::clip)),
      "indices need a last dimension");
}

TEST(scatter_errors) {
  Value x = random_array(f32, {3, 4}), i = array_of(i32, {2, 1}, {0, 1});
  auto fails = [&](ScatterDims d, Shape updates, const char* message) {
    CHECK_THROWS(
        ErrorKind::type,
        lax::scatter(ScatterKind::add, x, i, random_array(f32, updates),
                     params(d, GatherMode::clip)),
        message);
  };
  fails({{1}, {0}, {0}, {}, {}}, {2},
        "Updates tensor must be of rank 2; got 1.");
  fails({{1}, {}, {0}, {}, {}}, {2, 4},
        "Scatter op has window of size 1; doesn't match operand of rank 2.");
  fails({{1}, {0}, {0}, {}, {}}, {2, 5},
        "For dimension 1, updates bound is 5, operand bound is 4.");
  fails({{1}, {0}, {0}, {}, {}}, {3, 4},
        "For scatter dimension 0, updates bound is 3, indices bound is 2.");
  fails({{1}, {0}, {0, 1}, {}, {}}, {2, 4},
        "Scatter op has 2 elements in scatter_dims_to_operand_dims");
  CHECK_THROWS(ErrorKind::type,
               lax::scatter(ScatterKind::set, x, i, random_array(i32, {2, 4}),
                            params(ScatterDims{{1}, {0}, {0}, {}, {}},
                                   GatherMode::clip)),
               "lax.scatter requires arguments to have the same dtypes, got "
               "float32, int32.");
}

TEST(scatter_mul_needs_unique_indices) {
  ScatterParams p =
      params(ScatterDims{{}, {0}, {0}, {}, {}}, GatherMode::fill_or_drop);
  Value x = random_array(f64, {3}), i = array_of(i32, {2, 1}, {0, 0});
  auto f = [&](Args a) {
    return one(lax::scatter(ScatterKind::mul, x, i, a[0], p));
  };
  Value u = random_array(f64, {2}), t = random_array(f64, {2});
  CHECK_THROWS(ErrorKind::not_implemented,
               jvp(f, std::span(&u, 1), std::span(&t, 1)),
               "scatter_mul gradients are only implemented if "
               "`unique_indices=True`");
}

}  // namespace cotan
