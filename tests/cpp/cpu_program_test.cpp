// Whole programs through the CPU compiler.
#include "backends/cpu/compile_stats.h"
#include "cpu_harness.h"

namespace cotan::testing {
namespace {

using namespace lax;

Value f32(Shape shape, uint64_t seed = 1) {
  return random_array(DType::f32, std::move(shape), -2, 2, seed);
}

Values softmax(Args x) {
  int64_t axis = x[0].rank() - 1;
  Shape kept = x[0].shape();
  Axes dims;
  for (int64_t d = 0; d < axis; ++d) dims.push_back(d);
  auto spread = [&](const Value& v) {
    return cotan::lax::broadcast_in_dim(v, kept, dims);
  };
  Value m = reduce_max(x[0], {axis});
  Value e = exp(sub(x[0], spread(m)));
  return one(div(e, spread(reduce_sum(e, {axis}))));
}

}  // namespace

TEST(cpu_program_elementwise) {
  for (Shape s :
       {Shape{}, Shape{1}, Shape{16}, Shape{3, 5}, Shape{1000}, Shape{70000}})
    check_compiled(
        [](Args x) {
          return one(add(mul(x[0], constant_like(x[0], 2)),
                         tanh(add(x[1], constant_like(x[0], 1)))));
        },
        {f32(s), f32(s, 2)});
}

TEST(cpu_program_softmax) {
  for (Shape s : {Shape{7}, Shape{4, 10}, Shape{3, 100}, Shape{2, 3, 65},
                  Shape{300, 1031}, Shape{2, 40000}})
    check_compiled(softmax, {f32(s)});
}

TEST(cpu_program_reductions) {
  for (Shape s : {Shape{5, 7}, Shape{64, 130}, Shape{1000, 33}, Shape{3, 4, 50},
                  Shape{70000, 3}}) {
    int64_t rank = int64_t(s.size());
    for (int64_t a = 0; a < rank; ++a) {
      check_compiled([a](Args x) { return one(reduce_sum(x[0], {a})); },
                     {f32(s)}, {.tolerance = s[0] > 9999 ? 100. : 4.});
      check_compiled([a](Args x) { return one(reduce_max(x[0], {a})); },
                     {f32(s)});
      check_compiled(
          [a](Args x) {
            return one(argreduce(x[0], Monoid::argmax, a, DType::i32));
          },
          {f32(s)});
    }
    check_compiled(
        [rank](Args x) {
          Axes all;
          for (int64_t a = 0; a < rank; ++a) all.push_back(a);
          return Values{reduce_sum(mul(x[0], x[0]), all),
                        reduce_sum(x[0], {0})};
        },
        {f32(s)}, {.tolerance = 100});
  }
}

TEST(cpu_program_transpose) {
  check_compiled([](Args x) { return one(transpose(x[0], {1, 0})); },
                 {f32({70, 130})});
  check_compiled([](Args x) { return one(transpose(x[0], {2, 0, 1})); },
                 {f32({17, 5, 40})});
  check_compiled(
      [](Args x) { return one(add(transpose(x[0], {1, 0}), exp(x[1]))); },
      {f32({70, 130}), f32({130, 70}, 2)});
}

TEST(cpu_program_dot) {
  auto matmul = [](Args x) {
    DotParams p;
    p.lhs_contract = {x[0].rank() - 1};
    p.rhs_contract = {x[1].rank() - 2};
    for (int64_t d = 0; d < x[0].rank() - 2; ++d) {
      p.lhs_batch.push_back(d);
      p.rhs_batch.push_back(d);
    }
    return one(dot_general(x[0], x[1], p));
  };
  check_compiled(matmul, {f32({3, 4}), f32({4, 5}, 2)});
  check_compiled(matmul, {f32({64, 100}), f32({100, 33}, 2)}, {.tolerance = 4});
  check_compiled(matmul, {f32({5, 8, 9}), f32({5, 9, 7}, 2)});
  check_compiled(matmul, {f32({1, 64}), f32({64, 1}, 2)}, {.tolerance = 4});
  check_compiled(matmul, {f32({200, 64}), f32({64, 1}, 2)}, {.tolerance = 4});
  // inlined: every width and height of a block, n = 1, f64
  for (int64_t m : {1, 2, 5, 9})
    for (int64_t n : {1, 3, 16, 20, 70, 200})
      for (int64_t k : {1, 6, 7, 13})
        check_compiled(matmul, {f32({m, k}), f32({k, n}, 2)},
                       {.other_targets = m == 5});
  check_compiled(matmul, {random_array(DType::f64, {5, 6}),
                          random_array(DType::f64, {6, 9})});
  // bias and relu
  check_compiled(
      [&](Args x) {
        Value y = matmul(x.first(2))[0];
        y = add(y, cotan::lax::broadcast_in_dim(x[2], y.shape(), {1}));
        return one(lax::max(y, constant_like(y, 0)));
      },
      {f32({3, 50}), f32({50, 70}, 2), f32({70}, 3)}, {.tolerance = 4});
  check_compiled(
      [&](Args x) {
        Value y = matmul(x.first(2))[0];
        y = add(y, cotan::lax::broadcast_in_dim(x[2], y.shape(), {1}));
        return one(lax::max(y, constant_like(y, 0)));
      },
      {f32({32, 50}), f32({50, 70}, 2), f32({70}, 3)}, {.tolerance = 4});
}

// Every unary and binary operation, all dtypes, odd sizes.
TEST(cpu_program_every_elementwise) {
  using Unary = Value (*)(const Value&);
  const std::pair<Unary, double> unary[] = {
      {neg, -2},  {sign, -2},   {floor, -2},    {ceil, -2},    {is_finite, -2},
      {exp, -2},  {exp2, -2},   {expm1, -2},    {log, 0.1},    {log1p, -0.5},
      {sin, -2},  {cos, -2},    {tan, -1},      {asin, -1},    {acos, -1},
      {atan, -2}, {sinh, -2},   {cosh, -2},     {tanh, -2},    {asinh, -2},
      {acosh, 1}, {atanh, -1},  {logistic, -2}, {lgamma, 0.5}, {digamma, 0.5},
      {erf, -2},  {erfc, -2},   {erf_inv, -1},  {sqrt, 0.1},   {rsqrt, 0.1},
      {cbrt, -2}, {square, -2}, {lax::abs, -2}};
  for (auto [f, lo] : unary)
    for (DType t : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
      double hi = lo == -1 || lo == -0.5 ? 0.95 : 3;
      Function g = [f](Args x) { return one(f(x[0])); };
      check_compiled(g, {random_array(t, {37}, lo, hi)});
      check_eager(g, {random_array(t, {3, 7}, lo, hi)});
    }
  using Binary = Value (*)(const Value&, const Value&);
  for (Binary f : {Binary(add), Binary(sub), Binary(mul), Binary(div),
                   Binary(rem), Binary(lax::max), Binary(lax::min), Binary(eq),
                   Binary(ne), Binary(lt), Binary(le), Binary(gt), Binary(ge)})
    for (DType t : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8,
                    DType::i16, DType::i32, DType::i64, DType::u8, DType::u16,
                    DType::u32, DType::u64}) {
      Function g = [f](Args x) { return one(f(x[0], x[1])); };
      Value x = random_array(t, {37}, is_unsigned_int(t) ? 1 : -20, 20);
      Value y = random_array(t, {37}, 1, 9, 2);
      check_compiled(g, {x, y});
      check_eager(g, {x, y});
      check_eager(g, {x, array_of(t, {}, {3})});
    }
}

TEST(cpu_program_conversions) {
  const DType types[] = {DType::bool_, DType::i8,  DType::i16,  DType::i32,
                         DType::i64,   DType::u8,  DType::u16,  DType::u32,
                         DType::u64,   DType::f16, DType::bf16, DType::f32,
                         DType::f64,   DType::c64, DType::c128};
  for (DType from : types)
    for (DType to : types) {
      if (from == to || (is_complex(from) && !is_complex(to))) continue;
      Function g = [to](Args x) { return one(convert(x[0], to)); };
      std::vector<double> v = {0,   1,    -1,  2.5,    -3.5, 100.7,  127,
                               128, -129, 255, 256,    1000, -40000, 65504,
                               1e6, -1e9, 3e9, 2.5e10, 1e19, -1e19};
      for (double& x : v)
        if (is_unsigned_int(from) && x < 0) x = -x;
      if (is_float(from)) v.push_back(NAN), v.push_back(INFINITY);
      int64_t n = int64_t(v.size()) / (is_complex(from) ? 2 : 1);
      check_compiled(g, {array_of(from, {n}, v)},
                     {.other_targets = to != DType::u64});
    }
}

TEST(cpu_program_views) {
  auto check = [](const Function& f, Shape s) {
    check_compiled(f, {f32(s)});
    check_eager(f, {f32(s)});
  };
  check([](Args x) { return one(rev(x[0], {1})); }, {5, 70});
  check([](Args x) { return one(slice(x[0], {1, 3}, {5, 60}, {2, 3})); },
        {6, 70});
  check(
      [](Args x) {
        return one(pad(x[0], constant_like(x[0], 7), {{2, 1, 0}, {-1, 3, 1}}));
      },
      {5, 40});
  check(
      [](Args x) {
        Value parts[] = {x[0], mul(x[0], x[0]), rev(x[0], {0})};
        return one(concatenate(parts, 1));
      },
      {5, 40});
  check(
      [](Args x) {
        return one(exp(reshape(transpose(x[0], {1, 0}), {10, 20})));
      },
      {5, 40});
  check(
      [](Args x) {
        return one(
            add(x[0], convert(iota(DType::i32, {5, 40}, 1), DType::f32)));
      },
      {5, 40});
  check(
      [](Args x) {
        Value at[] = {scalar_index(2), scalar_index(100)};
        return one(dynamic_slice(x[0], at, {2, 30}));
      },
      {5, 40});
  check(
      [](Args x) {
        Value at[] = {scalar_index(2), scalar_index(5)};
        Value u = slice(x[0], {0, 0}, {2, 30});
        return one(dynamic_update_slice(x[0], u, at));
      },
      {5, 40});
}

TEST(cpu_program_dot_epilogues) {
  auto matmul = [](const Value& a, const Value& b) {
    DotParams p;
    int64_t r = a.rank();
    p.lhs_contract = {r - 1};
    p.rhs_contract = {r - 2};
    for (int64_t d = 0; d < r - 2; ++d) {
      p.lhs_batch.push_back(d);
      p.rhs_batch.push_back(d);
    }
    return dot_general(a, b, p);
  };
  auto bias = [](const Value& y, const Value& b) {
    return add(
        y, cotan::lax::broadcast_in_dim(b, y.shape(), {int64_t(y.rank()) - 1}));
  };
  Function relu = [&](Args x) {
    Value y = bias(matmul(x[0], x[1]), x[2]);
    return one(lax::max(y, constant_like(y, 0)));
  };
  CompiledOptions loose{.tolerance = 20};
  check_compiled(relu, {f32({65, 50}), f32({50, 70}, 2), f32({70}, 3)}, loose);
  check_compiled(relu, {f32({7, 3000}), f32({3000, 65}, 2), f32({65}, 3)},
                 {.tolerance = 300});
  check_compiled(relu, {f32({300, 90}), f32({90, 1}, 2), f32({1}, 3)}, loose);
  check_compiled(relu, {f32({3, 33, 20}), f32({3, 20, 50}, 2), f32({50}, 3)},
                 loose);
  check_compiled(
      [&](Args x) {
        return one(add(tanh(bias(matmul(x[0], x[1]), x[2])), x[3]));
      },
      {f32({40, 30}), f32({30, 50}, 2), f32({50}, 3), f32({40, 50}, 4)}, loose);
  // Several results, one of them of another dtype.
  check_compiled(
      [&](Args x) {
        Value y = bias(matmul(x[0], x[1]), x[2]);
        return Values{gt(y, constant_like(y, 0)), y, convert(y, DType::bf16)};
      },
      {f32({40, 30}), f32({30, 50}, 2), f32({50}, 3)}, loose);
  for (DType t : {DType::f64, DType::bf16, DType::f16, DType::i32})
    check_compiled(relu,
                   {random_array(t, {40, 30}), random_array(t, {30, 50}, -2, 2),
                    random_array(t, {50}, -2, 2)},
                   loose);
}

TEST(cpu_program_cache) {
  auto f = [](Args x) { return one(sin(mul(x[0], x[0]))); };
  Values x = {f32({33})};
  TracedGraph a = trace_to_jaxpr(f, avals_of(x));
  TracedGraph b = trace_to_jaxpr(f, avals_of(x));
  Ref<Executable> e = cpu::compile_cpu(a.jaxpr);
  cpu::reset_compile_stats();
  CHECK(cpu::compile_cpu(b.jaxpr) == e);
  CHECK_EQ(cpu::compile_stats().programs, 0);
  CHECK_EQ(cpu::compile_stats().program_hits, 1);
}

TEST(cpu_eager_shares_kernels) {
  auto f = [](Args x) { return one(add(x[0], x[1])); };
  check_eager(f, {f32({8}), f32({8}, 2)});
  cpu::reset_compile_stats();
  for (int64_t n = 1; n < 200; ++n)
    check_eager(f, {f32({n, 3}), f32({n, 3}, 2)});
  CHECK_EQ(cpu::compile_stats().kernels, 0);
  CHECK_EQ(cpu::compile_stats().programs, 0);
  // Views and reductions make programs without machine code of their own.
  auto g = [](Args x) { return one(reduce_sum(x[0], {1})); };
  check_eager(g, {f32({20, 100})});
  cpu::reset_compile_stats();
  for (int64_t n = 40; n < 60; ++n) check_eager(g, {f32({n, 101})});
  CHECK_EQ(cpu::compile_stats().kernels, 0);
}

}  // namespace cotan::testing
