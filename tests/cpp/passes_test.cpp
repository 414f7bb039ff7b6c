// The shape of plans: what becomes one kernel, with which schedule, what
// shares code and memory. That plans are right is tested by the random
// programs and by every test of the op harness.
#include <unordered_set>

#include "passes_harness.h"

namespace cotan {

using namespace testing;

namespace {

constexpr DType f32 = DType::f32, f64 = DType::f64;

Axes without(int64_t rank, int64_t axis) {
  Axes kept;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axis) kept.push_back(d);
  return kept;
}
Value spread(const Value& v, const Value& like, int64_t axis) {
  return lax::broadcast_in_dim(v, like.shape(), without(like.rank(), axis));
}
Value row(const Value& v, const Value& like) {
  return lax::broadcast_in_dim(v, like.shape(), {like.rank() - 1});
}
Value softmax(const Value& x, int64_t axis) {
  Value e = lax::exp(lax::sub(x, spread(lax::reduce_max(x, {axis}), x, axis)));
  return lax::div(e, spread(lax::reduce_sum(e, {axis}), x, axis));
}
Value layernorm(const Value& x, const Value& gain, const Value& bias) {
  int64_t axis = x.rank() - 1;
  Value scale = lax::constant_like(x, 1 / double(x.shape().back()));
  Value mean = lax::mul(lax::reduce_sum(x, {axis}), scale);
  Value c = lax::sub(x, spread(mean, x, axis));
  Value var = lax::mul(lax::reduce_sum(lax::mul(c, c), {axis}), scale);
  Value r = lax::rsqrt(lax::add(var, lax::constant_like(x, 1e-5)));
  Value y = lax::mul(c, spread(r, x, axis));
  return lax::add(lax::mul(y, row(gain, y)), row(bias, y));
}
Value dense(const Value& x, const Value& w, const Value& b) {
  DotParams p;
  p.lhs_contract = {1};
  p.rhs_contract = {0};
  Value y = lax::dot_general(x, w, p);
  return lax::add(y, row(b, y));
}
Value relu(const Value& x) { return lax::max(x, lax::constant_like(x, 0)); }

ProgramRef plan_of(const Function& f, std::initializer_list<Shape> shapes,
                   PlanOptions options = {}) {
  Avals in;
  for (const Shape& s : shapes) in.push_back({f32, false, s});
  TracedGraph g = trace_to_jaxpr(f, in);
  CHECK(g.consts.empty());
  ProgramRef p = plan_program(g.jaxpr, options);
  check_program(*p);
  return p;
}
const Kernel& kernel(const Program& p, size_t step = 0) {
  return *std::get<FusedStep>(p.steps[step]).kernel;
}
void check_one_kernel(const Program& p, Schedule schedule, int stages,
                      size_t rank) {
  if (p.steps.size() != 1 || kernel(p).schedule != schedule ||
      kernel(p).stages != stages || kernel(p).axes.size() != rank)
    fail(__FILE__, __LINE__, to_string(p));
}

}  // namespace

TEST(plans_of_elementwise_programs) {
  auto f = [](Args x) {
    return one(lax::add(lax::mul(x[0], x[1]), lax::tanh(x[0])));
  };
  // Any rank becomes one axis; so does a broadcast scalar.
  check_one_kernel(*plan_of(f, {{7, 8, 9}, {7, 8, 9}}), Schedule::strip, 1, 1);
  auto biased = [](Args x) { return one(lax::add(x[0], row(x[1], x[0]))); };
  check_one_kernel(*plan_of(biased, {{40, 8, 64}, {64}}), Schedule::strip, 1,
                   2);
  auto moved = [](Args x) { return one(lax::transpose(x[0], {1, 0})); };
  check_one_kernel(*plan_of(moved, {{512, 256}}), Schedule::tile, 1, 2);
  auto scalar = [](Args x) { return one(lax::sin(x[0])); };
  check_one_kernel(*plan_of(scalar, {{}}), Schedule::strip, 1, 1);
}

TEST(plans_of_reductions) {
  auto last = [](Args x) { return one(softmax(x[0], x[0].rank() - 1)); };
  check_one_kernel(*plan_of(last, {{512, 1024}}), Schedule::strip, 3, 2);
  check_one_kernel(*plan_of(last, {{8, 64, 1024}}), Schedule::strip, 3, 2);
  auto first = [](Args x) { return one(softmax(x[0], 0)); };
  CHECK_EQ(plan_of(first, {{64, 1024}})->steps.size(), 1);
  CHECK(kernel(*plan_of(first, {{64, 1024}})).schedule == Schedule::panel);
  auto norm = [](Args x) { return one(layernorm(x[0], x[1], x[2])); };
  check_one_kernel(*plan_of(norm, {{512, 768}, {768}, {768}}), Schedule::strip,
                   3, 2);
  // Both sums in one pass over the data, and one kernel that adds up the
  // pieces of the columns.
  auto both = [](Args x) -> Values {
    return {lax::reduce_sum(x[0], {0}), lax::reduce_sum(x[0], {1})};
  };
  ProgramRef p = plan_of(both, {{4096, 512}});
  CHECK_EQ(p->steps.size(), 2);
  CHECK_EQ(kernel(*p).stores.size(), 2);
  CHECK_EQ(kernel(*p).axes[1], kColumnPiece);
  // A long sum is cut into pieces, the last of which is shorter.
  auto sum = [](Args x) { return one(lax::reduce_sum(x[0], {0})); };
  p = plan_of(sum, {{1000001}});
  CHECK_EQ(p->steps.size(), 2);
  CHECK_EQ(kernel(*p).ragged.total, 1000001);
  CHECK_EQ(kernel(*p).grid_axes(), 1);
}

TEST(plans_of_gradients_of_layernorm) {
  auto f = [](Args x) {
    Values in(x.begin(), x.begin() + 3);
    auto norm = [](Args y) { return one(layernorm(y[0], y[1], y[2])); };
    Value ct[] = {x[3]};
    return vjp(norm, in, {true, true, true}).pullback(ct);
  };
  // dx and the partial sums of the other two; two small sums.
  ProgramRef p = plan_of(f, {{4096, 1024}, {1024}, {1024}, {4096, 1024}});
  CHECK_EQ(p->steps.size(), 3);
  CHECK_EQ(kernel(*p).stages, 4);
  CHECK(p->arena_bytes < (128 << 10));
}

TEST(plans_of_products) {
  auto layer = [](Args x) { return one(relu(dense(x[0], x[1], x[2]))); };
  ProgramRef p = plan_of(layer, {{32, 64}, {64, 48}, {48}});
  CHECK_EQ(p->steps.size(), 1);
  const auto& g = std::get<GemmStep>(p->steps[0]);
  CHECK(g.epilogue);
  CHECK_EQ(g.gemm.m, 32);
  CHECK_EQ(g.gemm.n, 48);
  CHECK_EQ(g.gemm.k, 64);
  // A transposed result is the product of the transposes.
  auto transposed = [](Args x) {
    DotParams q;
    q.lhs_contract = {0};
    q.rhs_contract = {0};
    return one(lax::transpose(lax::dot_general(x[0], x[1], q), {1, 0}));
  };
  p = plan_of(transposed, {{64, 32}, {64, 48}});
  CHECK_EQ(p->steps.size(), 1);
  const auto& t = std::get<GemmStep>(p->steps[0]);
  CHECK(!t.epilogue);
  CHECK_EQ(t.gemm.m, 48);
  CHECK_EQ(t.gemm.n, 32);
  CHECK_EQ(t.gemm.out_m, 32);
  // An operand is read through a transposition and a slice.
  auto viewed = [](Args x) {
    DotParams q;
    q.lhs_contract = {1};
    q.rhs_contract = {0};
    Value v = lax::transpose(lax::slice(x[0], {0, 2}, {16, 10}), {1, 0});
    return one(lax::dot_general(v, x[1], q));
  };
  p = plan_of(viewed, {{16, 12}, {16, 5}});
  CHECK_EQ(p->steps.size(), 1);
  const auto& v = std::get<GemmStep>(p->steps[0]);
  CHECK_EQ(v.gemm.lhs_offset, 2);
  CHECK_EQ(v.gemm.lhs_m, 1);
  CHECK_EQ(v.gemm.lhs_k, 12);
}

TEST(plans_share_code) {
  auto f = [](Args x) {
    return one(lax::add(lax::mul(x[0], lax::constant_like(x[0], 3)), x[1]));
  };
  auto g = [](Args x) {
    return one(lax::add(lax::mul(x[0], lax::constant_like(x[0], 7)), x[1]));
  };
  auto h = [](Args x) {
    return one(lax::sub(lax::mul(x[0], lax::constant_like(x[0], 3)), x[1]));
  };
  PlanOptions eager{.specialise_small = false};
  auto a = plan_of(f, {{1000}, {1000}}, eager);
  auto b = plan_of(f, {{3, 5}, {3, 5}}, eager);
  auto c = plan_of(g, {{77, 9, 2}, {77, 9, 2}}, eager);
  CHECK(same_code(kernel(*a), kernel(*b)));
  CHECK(same_code(kernel(*a), kernel(*c)));
  CHECK_EQ(code_hash(kernel(*a)), code_hash(kernel(*c)));
  CHECK(!same_code(kernel(*a), kernel(*plan_of(h, {{9}, {9}}, eager))));
  CHECK(!same_code(kernel(*a), kernel(*plan_of(f, {{1000}, {}}, eager))));
  // Small kernels of compiled programs know their sizes.
  auto d = plan_of(f, {{20}, {20}}), e = plan_of(f, {{21}, {21}});
  CHECK(kernel(*d).specialised);
  CHECK(!same_code(kernel(*d), kernel(*e)));
}

TEST(plans_of_equal_layers_share_kernels) {
  auto blocks = [](int n) {
    return [n](Args x) {
      Value y = x[0];
      for (int i = 0; i < n; ++i) {
        Value h = layernorm(y, x[3], x[2]);
        y = lax::add(y, softmax(dense(h, x[1], x[2]), 1));
      }
      return one(y);
    };
  };
  auto distinct = [](const Program& p) {
    std::unordered_set<KernelRef, KernelCodeHash, KernelSameCode> set;
    for (const Step& s : p.steps)
      if (auto* f = std::get_if<FusedStep>(&s)) set.insert(f->kernel);
    return set.size();
  };
  std::initializer_list<Shape> shapes = {{256, 256}, {256, 256}, {256}, {256}};
  // The first layer reads an input, the last one writes the result.
  CHECK(distinct(*plan_of(blocks(12), shapes)) <=
        distinct(*plan_of(blocks(3), shapes)));
}

TEST(plans_reuse_memory) {
  auto chain = [](Args x) {
    Value y = x[0];
    for (int i = 0; i < 10; ++i) y = lax::cumulative(y, CumulativeKind::sum, 0);
    return one(y);
  };
  // In place all along, in the memory of the result.
  CHECK_EQ(plan_of(chain, {{40000}})->arena_bytes, 0);
  auto update = [](Args x) {
    Value p = lax::sub(x[0], lax::mul(x[1], lax::constant_like(x[1], 0.1)));
    return one(p);
  };
  ProgramRef p =
      plan_of(update, {{64, 64}, {64, 64}}, {.donated = {true, false}});
  CHECK_EQ(p->outputs[0].alias, 0);
  CHECK_EQ(kernel(*p).operands.size(), 2);
  // A window is written in place where the operand is given away.
  auto window = [](Args x) {
    Value zero = scalar_value(Literal::from_int(DType::i32, 3));
    Value starts[] = {zero};
    return one(lax::dynamic_update_slice(x[0], x[1], starts));
  };
  p = plan_of(window, {{65536}, {16}}, {.donated = {true, false}});
  CHECK_EQ(p->steps.size(), 1);
  CHECK_EQ(kernel(*p).axes[0], 16);
  CHECK_EQ(p->outputs[0].alias, 0);
  p = plan_of(window, {{65536}, {16}});
  CHECK_EQ(p->steps.size(), 2);
}

TEST(plans_of_results_that_are_not_computed) {
  auto f = [](Args x) -> Values {
    Value y = lax::sin(x[0]);
    return {x[0],
            y,
            y,
            lax::reshape(y, {6}),
            lax::reshape(x[0], {3, 2}),
            lax::constant_like(y, 2),
            lax::broadcast_in_dim(lax::constant_like(y, 1), {4}, {})};
  };
  Values x{random_array(f64, {2, 3})};
  check_planned(f, x);
  ProgramRef p = plan(f, x);
  CHECK_EQ(p->outputs[0].forwards, 0);
  CHECK_EQ(p->outputs[4].forwards, 0);
  CHECK_EQ(count_steps<CopyStep>(*p), 3);
}

TEST(rewrites_keep_bits) {
  auto count = [](const Function& f) {
    return simplify_jaxpr(trace(f, {random_array(f32, {4})}))->eqns.size();
  };
  using lax::constant_like;
  // x * 1, x / 1, x - 0 and x + -0 are x; x + 0 is not (-0 + 0 is 0).
  CHECK_EQ(count([](Args x) {
             Value y = lax::mul(x[0], constant_like(x[0], 1));
             y = lax::div(y, constant_like(y, 1));
             y = lax::sub(y, constant_like(y, 0));
             return one(lax::sin(lax::add(y, constant_like(y, -0.0))));
           }),
           1);
  CHECK_EQ(count([](Args x) {
             return one(lax::sin(lax::add(x[0], constant_like(x[0], 0))));
           }),
           2);
  // Constants fold, broadcast ones too; equal equations are one.
  CHECK_EQ(count([](Args x) {
             Value c = lax::mul(scalar_value(f32, 2), scalar_value(f32, 3));
             Value ones = lax::broadcast_in_dim(scalar_value(f32, 1), {4}, {});
             Value a = lax::sin(lax::mul(x[0], ones));
             Value b = lax::sin(lax::mul(ones, x[0]));
             return one(lax::mul(lax::add(a, b), c));
           }),
           3);
}

}  // namespace cotan
