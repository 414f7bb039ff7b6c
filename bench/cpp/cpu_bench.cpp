// Compiled programs on one thread: compile time, code size, run time.
//   c++ -O2 -std=c++20 -Icsrc bench/cpp/cpu_bench.cpp -Lpython/cotan/lib
//       -lcotan -pthread && ./a.out [part of a row's name]
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>

#include "backends/cpu/compile_stats.h"
#include "backends/cpu/compiler.h"
#include "ops/lax.h"
#include "passes/program.h"
#include "runtime/allocator.h"
#include "runtime/host.h"

namespace {

using namespace cotan;
using namespace cotan::lax;
using Args = std::span<const Value>;
using Function = std::function<Values(Args)>;

const char* filter = "";
bool print_plan = false;

int64_t cpu_ns() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

struct Row {
  double plan_ms, compile_ms;
  int64_t code;
};

void bench(const char* name, const Function& f, std::vector<Shape> shapes,
           int calls, int rounds = 15) {
  if (!std::strstr(name, filter)) return;
  Avals in;
  for (Shape& s : shapes) in.push_back({DType::f32, false, s});
  TracedGraph g = trace_to_jaxpr(f, in);
  double plan_ms = 1e9, compile_ms = 1e9;
  int64_t code = 0, kernels = 0;
  Ref<Executable> e;
  for (int r = 0; r < 5; ++r) {
    cpu::clear_program_cache();
    cpu::reset_compile_stats();
    int64_t t0 = cpu_ns();
    ProgramRef p = plan_program(g.jaxpr);
    int64_t t1 = cpu_ns();
    e = cpu::compile_cpu(g.jaxpr);
    int64_t t2 = cpu_ns();
    if (r == 0 && print_plan) std::puts(to_string(*p).c_str());
    plan_ms = std::min(plan_ms, double(t1 - t0) / 1e6);
    compile_ms = std::min(compile_ms, double(t2 - t1) / 1e6);
    code = cpu::compile_stats().code_bytes;
    kernels = cpu::compile_stats().kernels;
  }
  std::deque<Scratch> memory;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const Aval& a : in) {
    memory.emplace_back(size_t(a.nbytes()));
    float* p = memory.back().as<float>();
    for (int64_t i = 0; i < a.size(); ++i)
      p[i] = float(std::sin(double(i * 37 % 1009)));
    from.push_back(p);
  }
  for (const OutputSpec& o : e->outputs()) {
    memory.emplace_back(size_t(o.aval.nbytes()));
    std::memset(memory.back().data(), 0, size_t(o.aval.nbytes()));
    to.push_back(memory.back().data());
  }
  Scratch arena(std::max<size_t>(e->arena_bytes(), 64));
  std::memset(arena.data(), 0, std::max<size_t>(e->arena_bytes(), 64));
  Runtime rt;
  rt.max_threads = 1;
  int64_t best = INT64_MAX;
  for (int r = 0; r < rounds; ++r) {
    int64_t wall = now_ns(), cpu = cpu_ns();
    for (int c = 0; c < calls; ++c)
      e->run(from.data(), to.data(), arena.data(), &rt);
    best = std::min({best, now_ns() - wall, cpu_ns() - cpu});
  }
  double ns = double(best) / calls;
  std::printf("%-26s plan %6.2f compile %6.2f ms  kernels %lld code %6lld B  ",
              name, plan_ms, compile_ms, (long long)kernels, (long long)code);
  if (ns < 1e4)
    std::printf("%10.1f ns\n", ns);
  else
    std::printf("%10.3f ms\n", ns / 1e6);
}

Value spread(const Value& v, const Shape& to) {  // keeps the leading axes
  Axes dims;
  for (int64_t d = 0; d < v.rank(); ++d) dims.push_back(d);
  return cotan::lax::broadcast_in_dim(v, to, dims);
}
Value spread_last(const Value& v, const Shape& to) {
  return cotan::lax::broadcast_in_dim(v, to, {int64_t(to.size()) - 1});
}
Value k(const Value& like, double v) { return constant_like(like, v); }

Values softmax(Args x) {
  Value m = reduce_max(x[0], {1});
  Value e = exp(sub(x[0], spread(m, x[0].shape())));
  return {div(e, spread(reduce_sum(e, {1}), x[0].shape()))};
}
Values layernorm(Args x) {
  const Shape& s = x[0].shape();
  double n = double(s[1]);
  Value mean = mul(reduce_sum(x[0], {1}), k(x[0], 1 / n));
  Value d = sub(x[0], spread(mean, s));
  Value var = mul(reduce_sum(mul(d, d), {1}), k(x[0], 1 / n));
  Value r = rsqrt(add(var, k(x[0], 1e-5)));
  Value y = mul(d, spread(r, s));
  return {add(mul(y, spread_last(x[1], s)), spread_last(x[2], s))};
}
Value gelu(const Value& x) {
  Value inner = mul(k(x, 0.7978845608),
                    add(x, mul(k(x, 0.044715), mul(x, mul(x, x)))));
  return mul(mul(k(x, 0.5), x), add(k(x, 1), tanh(inner)));
}
Value matmul(const Value& a, const Value& b) {
  DotParams p;
  p.lhs_contract = {1};
  p.rhs_contract = {0};
  return dot_general(a, b, p);
}
Value dense(const Value& x, const Value& w, const Value& b) {
  Value y = matmul(x, w);
  return add(y, spread_last(b, y.shape()));
}
Values mlp(Args x) {
  Value h = x[0];
  h = lax::max(dense(h, x[1], x[2]), k(h, 0));
  h = lax::max(dense(h, x[3], x[4]), k(h, 0));
  return {dense(h, x[5], x[6])};
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (!std::strcmp(argv[i], "-p"))
      print_plan = true;
    else
      filter = argv[i];
  bench("x*2+1 [16]",
        [](Args x) { return Values{add(mul(x[0], k(x[0], 2)), k(x[0], 1))}; },
        {{16}}, 100000);
  bench("x*2+1 [100000]",
        [](Args x) { return Values{add(mul(x[0], k(x[0], 2)), k(x[0], 1))}; },
        {{100000}}, 200);
  bench("x+1 2^24", [](Args x) { return Values{add(x[0], k(x[0], 1))}; },
        {{1 << 24}}, 1);
  bench("gelu(x)*y+z 2^24",
        [](Args x) {
          return Values{add(mul(gelu(x[0]), x[1]), x[2])};
        },
        {{1 << 24}, {1 << 24}, {1 << 24}}, 1);
  bench("softmax 4096x1024", softmax, {{4096, 1024}}, 3);
  bench("softmax [8]", softmax, {{1, 8}}, 100000);
  bench("layernorm 4096x1024", layernorm, {{4096, 1024}, {1024}, {1024}}, 3);
  bench("logsumexp 4096x1024",
        [](Args x) {
          Value m = reduce_max(x[0], {1});
          Value e = exp(sub(x[0], spread(m, x[0].shape())));
          return Values{add(log(reduce_sum(e, {1})), m)};
        },
        {{4096, 1024}}, 3);
  bench("sum axis 0 4096^2",
        [](Args x) { return Values{reduce_sum(x[0], {0})}; }, {{4096, 4096}},
        1);
  bench("sum axis 1 4096^2",
        [](Args x) { return Values{reduce_sum(x[0], {1})}; }, {{4096, 4096}},
        1);
  bench("sum all 4096^2",
        [](Args x) { return Values{reduce_sum(x[0], {0, 1})}; }, {{4096, 4096}},
        1);
  bench("sum last axis of 8, 1M",
        [](Args x) { return Values{reduce_sum(x[0], {1})}; }, {{1 << 20, 8}},
        1);
  for (int64_t c : {3, 8, 64, 200, 1000})
    bench(cat("sum axis 0 [4M/", c, ", ", c, "]").c_str(),
          [](Args x) { return Values{reduce_sum(x[0], {0})}; },
          {{(1 << 22) / c, c}}, 1);
  bench("softmax 4096x10", softmax, {{4096, 10}}, 20);
  bench("transpose 4096^2",
        [](Args x) { return Values{transpose(x[0], {1, 0})}; }, {{4096, 4096}},
        1);
  bench("2*a.T+b 4096^2",
        [](Args x) {
          return Values{add(mul(transpose(x[0], {1, 0}), k(x[0], 2)), x[1])};
        },
        {{4096, 4096}, {4096, 4096}}, 1);
  bench("softmax axis 0 1024x4096",
        [](Args x) {
          const Shape& s = x[0].shape();
          Value m = reduce_max(x[0], {0});
          Value e = exp(sub(x[0], spread_last(m, s)));
          return Values{div(e, spread_last(reduce_sum(e, {0}), s))};
        },
        {{1024, 4096}}, 1);
  bench("small 8x8 matmul+tanh 1e4",
        [](Args x) {
          Shape s = {10000, 8, 8, 8};
          Value a = cotan::lax::broadcast_in_dim(x[0], s, {0, 1, 3});
          Value b = cotan::lax::broadcast_in_dim(transpose(x[1], {0, 2, 1}), s,
                                             {0, 2, 3});
          return Values{tanh(reduce_sum(mul(a, b), {3}))};
        },
        {{10000, 8, 8}, {10000, 8, 8}}, 3);
  std::vector<Shape> net = {{1, 32}, {32, 64}, {64}, {64, 64},
                            {64},    {64, 1},  {1}};
  bench("MLP 32-64-64-1 batch 1", mlp, net, 100000);
  net[0] = {128, 32};
  bench("MLP 32-64-64-1 batch 128", mlp, net, 1000);
  bench("matmul 512", [](Args x) { return Values{matmul(x[0], x[1])}; },
        {{512, 512}, {512, 512}}, 3);
}
