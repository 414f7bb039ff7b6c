// cotan.h as a C++ program uses it: arrays from and to host memory, NumPy's
// operations, and the transformations of lambdas, nested as in Python.
#include <cmath>
#include <limits>
#include <thread>

#include "api/backend.h"
#include "api/cotan.h"
#include "testing.h"

namespace cotan::testing {
namespace {

using Floats = std::vector<float>;

Floats values(const Array& x) { return x.to_vector<float>(); }

void check_close(const Array& got, const Floats& want, double tolerance = 1e-5,
                 int line = __builtin_LINE()) {
  Floats g = values(got.astype(DType::f32));
  if (g.size() != want.size())
    fail(__FILE__, line, cat("sizes ", g.size(), " and ", want.size()));
  for (size_t i = 0; i < g.size(); ++i)
    if (!(std::abs(g[i] - want[i]) <=
          tolerance * std::max(1.0f, std::abs(want[i]))))
      fail(__FILE__, line,
           cat("element ", i, ": got ", g[i], ", want ", want[i]));
}

Array counting(Shape shape) {
  int64_t n = num_elements(shape);
  Floats x;
  for (int64_t i = 0; i < n; ++i) x.push_back(float(i));
  return array(x.data(), shape);
}

}  // namespace

TEST(api_host_memory) {
  Floats data{1, 2, 3, 4, 5, 6};
  Array x = array(data.data(), {2, 3});
  data.assign(6, 0.0f);  // it was copied
  CHECK_EQ(x.shape(), (Shape{2, 3}));
  CHECK_EQ(x.size(), 6);
  CHECK_EQ(x.ndim(), 2);
  CHECK(x.dtype() == DType::f32);
  check_close(x, {1, 2, 3, 4, 5, 6});
  CHECK_EQ(x.data<float>()[5], 6.0f);
  CHECK_EQ(x.to_string(), "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]");
  CHECK_EQ(array({1, 2}).to_vector<int32_t>(), (std::vector<int32_t>{1, 2}));
  CHECK_EQ(array(std::vector<double>{0.5}).item(), 0.5);
  CHECK(array<int64_t>({7}).dtype() == DType::i64);
  CHECK_EQ(zeros({0, 3}).to_vector<float>().size(), 0u);
  CHECK_EQ(zeros({0, 3}).to_string(), "[]");
  CHECK_EQ(Array().to_string(), "<no array>");
  check_close(full({2}, 2.5), {2.5f, 2.5f});
  check_close(ones({2}) + arange(2), {1, 2});
}

TEST(api_errors_of_arrays) {
  Array x = ones({2, 3});
  CHECK_THROWS(ErrorKind::type, x.to_vector<double>(), "dtype float32");
  CHECK_THROWS(ErrorKind::value, x.item(), "one element");
  CHECK_THROWS(ErrorKind::index, x[2], "out of range");
  CHECK_THROWS(ErrorKind::index, x[0][0][0], "scalar");
  CHECK_THROWS(ErrorKind::type, x + ones({2}), "add");
  CHECK_THROWS(ErrorKind::type, matmul(x, x), "contracting");
  CHECK_THROWS(ErrorKind::value, sum(x, {2}), "axis 2 is out of range");
  CHECK_THROWS(ErrorKind::value, sum(x, {-3}), "axis -3 is out of range");
  CHECK_THROWS(ErrorKind::value, sum(x, {0, -2}), "given twice");
  CHECK_THROWS(ErrorKind::value, mean(x, {5}), "axis 5 is out of range");
  CHECK_THROWS(ErrorKind::value, argmax(x, 2), "axis 2 is out of range");
  CHECK_THROWS(ErrorKind::value, concatenate({}), "at least one array");
  CHECK_THROWS(ErrorKind::type, concatenate({x, x}, 2), "out of bounds");
  CHECK_THROWS(ErrorKind::type, concatenate({x, x}, -3), "out of bounds");
  CHECK_THROWS(ErrorKind::type, x.reshape({4}), "reshape");
  CHECK_THROWS(ErrorKind::type, x.reshape({4, -1}), "reshape");
  CHECK_THROWS(ErrorKind::type, x.reshape({-1, -1}), "reshape");
  CHECK_THROWS(ErrorKind::type, x.reshape({-2, -3}), "reshape");
  CHECK_THROWS(ErrorKind::type, x.reshape({-1, int64_t(1) << 62, 4}),
               "reshape");
  CHECK_THROWS(ErrorKind::type, transpose(x, {0, 0}), "transpose");
  CHECK_THROWS(ErrorKind::type, transpose(x, {0}), "transpose");
  CHECK_THROWS(ErrorKind::type, ones({-1}), "non-negative");
  CHECK_THROWS(ErrorKind::overflow, ones({int64_t(1) << 40, int64_t(1) << 40}),
               "too big");
  CHECK_THROWS(ErrorKind::memory, ones({int64_t(1) << 50}), "4.0 PiB");
}

TEST(api_no_array) {
  Array none;
  CHECK_THROWS(ErrorKind::value, none + 1, "no array");
  CHECK_THROWS(ErrorKind::value, exp(none), "no array");
  CHECK_THROWS(ErrorKind::value, none.shape(), "no array");
  CHECK_THROWS(ErrorKind::value, none.item(), "no array");
  CHECK_THROWS(ErrorKind::value, jit([](Array x) { return x; })(none),
               "no array");
  CHECK_THROWS(ErrorKind::value, jit([](Array) { return Array(); })(1.0),
               "no array");
}

TEST(api_numpy) {
  Array x = counting({2, 3}), y = array({1.0f, 2.0f, 4.0f});
  check_close(x + y, {1, 3, 6, 4, 6, 9});
  check_close(x - 1, {-1, 0, 1, 2, 3, 4});
  check_close(2.0 * x / y, {0, 1, 1, 6, 4, 2.5});
  check_close(-x, {0, -1, -2, -3, -4, -5});
  check_close(sum(x), {15});
  check_close(sum(x, {0}), {3, 5, 7});
  check_close(sum(x, {-1}, true), {3, 12});
  CHECK_EQ(sum(x, {-1}, true).shape(), (Shape{2, 1}));
  check_close(mean(x, {1}), {1, 4});
  check_close(max(x, {0}), {3, 4, 5});
  check_close(min(x), {0});
  CHECK_EQ(argmax(x, 1).to_vector<int32_t>(), (std::vector<int32_t>{2, 2}));
  check_close(matmul(x, y), {10, 31});
  check_close(matmul(x, x.T()), {5, 14, 14, 50});
  check_close(x.T(), {0, 3, 1, 4, 2, 5});
  check_close(transpose(x, {1, 0}), {0, 3, 1, 4, 2, 5});
  check_close(x[1], {3, 4, 5});
  check_close(x[-1][0], {3});
  check_close(x.reshape({3, -1}), {0, 1, 2, 3, 4, 5});
  check_close(concatenate({x, x}, -1), {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});
  check_close(where(x > 2, x, 0), {0, 0, 0, 3, 4, 5});
  check_close(maximum(x, 3), {3, 3, 3, 3, 4, 5});
  check_close(minimum(x, 3), {0, 1, 2, 3, 3, 3});
  check_close(power(x, 2), {0, 1, 4, 9, 16, 25});
  check_close(square(x), {0, 1, 4, 9, 16, 25});
  check_close(abs(-x), {0, 1, 2, 3, 4, 5});
  check_close(relu(x - 3), {0, 0, 0, 0, 1, 2});
  check_close(sqrt(y), {1, std::sqrt(2.0f), 2});
  check_close(exp(log(y)), {1, 2, 4});
  check_close(log1p(y), {std::log1p(1.f), std::log1p(2.f), std::log1p(4.f)});
  check_close(sin(y) * sin(y) + cos(y) * cos(y), {1, 1, 1});
  check_close(tanh(y), {std::tanh(1.f), std::tanh(2.f), std::tanh(4.f)});
  check_close(sigmoid(Array(0.0)), {0.5});
  CHECK((x <= x).dtype() == DType::bool_);
  check_close(equal(x, 3) + (x < 1) + (x >= 5), {1, 0, 0, 1, 0, 1});
  CHECK(x.astype(DType::i32).dtype() == DType::i32);
}

TEST(api_promotion) {
  Array h = ones({2}, DType::f16), i = arange(2), b = ones({2}, DType::bool_);
  CHECK((h + 1.5).dtype() == DType::f16);  // scalars are weak
  CHECK((h * i).dtype() == DType::f16);
  CHECK((i + 1).dtype() == DType::i32);
  CHECK((i + 1.5).dtype() == DType::f32);
  CHECK((i / i).dtype() == DType::f32);
  CHECK((b + b).dtype() == DType::bool_);
  CHECK((h + ones({2})).dtype() == DType::f32);
}

TEST(api_jit) {
  int traced = 0;
  auto f = jit([&](const Array& x, const Array& y) {
    ++traced;
    return tanh(x) * 2 + y;
  });
  for (int i = 0; i < 3; ++i) check_close(f(zeros({3}), ones({3})), {1, 1, 1});
  CHECK_EQ(traced, 1);
  check_close(f(zeros({2}), 1), {1, 1});
  check_close(f(zeros({2}), 2), {2, 2});  // a scalar's value is no signature
  CHECK_EQ(traced, 2);
  CHECK_EQ(f.cache_size(), 2u);
  auto g = f;  // copies share what is compiled
  g(zeros({3}), ones({3}));
  CHECK_EQ(traced, 2);
}

TEST(api_structures) {
  auto f = jit([](const Array& x) {
    return std::tuple(x + 1, std::pair(x * 2, std::vector<Array>{x, -x}),
                      std::array<Array, 1>{sum(x)});
  });
  for (int i = 0; i < 2; ++i) {
    auto [a, b, c] = f(array({1.0f, 2.0f}));
    check_close(a, {2, 3});
    check_close(b.first, {2, 4});
    CHECK_EQ(b.second.size(), 2u);
    check_close(b.second[1], {-1, -2});
    check_close(c[0], {3});
  }
  // One jitted function whose result's structure depends on its arguments.
  auto parts = jit([](const Array& x) {
    std::vector<Array> rows;
    for (int64_t i = 0; i < x.shape()[0]; ++i) rows.push_back(x[i]);
    return rows;
  });
  for (int64_t n : {2, 3, 2, 0, 3})
    CHECK_EQ(parts(ones({n, 2})).size(), size_t(n));
}

TEST(api_jit_of_any_number_of_arguments) {
  auto f = jit([](const auto&... x) { return (x + ... + Array(0)); });
  check_close(f(ones({2})), {1, 1});
  check_close(f(ones({2}), ones({2})), {2, 2});
  check_close(f(ones({2}), ones({2}), 3), {5, 5});
  check_close(f(ones({2})), {1, 1});
  CHECK_EQ(f.cache_size(), 3u);
}

TEST(api_jit_recursive) {
  // A jitted function may call itself while it is traced.
  struct Sum {
    std::shared_ptr<Jitted<Sum>>* self;
    Array operator()(const Array& x) const {
      int64_t n = x.shape()[0];
      if (n == 1) return x[0];
      return x[0] + (**self)(x.reshape({n})[0].reshape({1}));
    }
  };
  std::shared_ptr<Jitted<Sum>> f;
  f = std::make_shared<Jitted<Sum>>(Sum{&f});
  check_close((*f)(array({2.0f, 5.0f})), {4});
}

TEST(api_jit_in_threads) {
  auto f = jit([](const Array& x) { return exp(x) * 3 + sum(x); });
  std::vector<std::thread> threads;
  std::vector<Floats> results(8);
  for (size_t t = 0; t < results.size(); ++t)
    threads.emplace_back([&, t] { results[t] = values(f(zeros({17}))); });
  for (auto& t : threads) t.join();
  for (const Floats& r : results) CHECK(r == Floats(17, 3.0f));
  CHECK_EQ(f.cache_size(), 1u);
}

TEST(api_grad) {
  auto f = [](const Array& x) { return sum(x * x * x); };
  Array x = array({1.0f, 2.0f});
  check_close(grad(f)(x), {3, 12});
  auto [v, g] = value_and_grad(f)(x);
  check_close(v, {9});
  check_close(g, {3, 12});
  auto two = [](const Array& x, const Array& y) { return sum(x * sin(y)); };
  check_close(grad(two, 1)(x, zeros({2})), {1, 2});
  check_close(grad([](const Array& x) { return x * x + 2 * x + 1; })(3.0), {8});
  // Of what the result does not depend on.
  check_close(grad([](const Array&) { return Array(1.0); })(x), {0, 0});
  check_close(grad([](const Array& x) { return sum(stop_gradient(x)); })(x),
              {0, 0});
  // Control flow on values.
  auto branch = [](const Array& x) { return x.item() > 0 ? x * 2 : x * 3; };
  check_close(grad(branch)(1.0), {2});
  check_close(grad(branch)(-1.0), {3});
}

TEST(api_grad_errors) {
  auto id = [](const Array& x) { return x; };
  CHECK_THROWS(ErrorKind::type, grad(id)(ones({2})), "scalar-output");
  CHECK_THROWS(ErrorKind::type, grad(id)(1), "int32");
  CHECK_THROWS(ErrorKind::value, grad(id, 1)(1.0), "argnum 1");
  auto pair = [](const Array& x) { return std::pair(x, x); };
  CHECK_THROWS(ErrorKind::type, grad(pair)(1.0), "2 arrays");
  auto branch = [](const Array& x) { return x.item() > 0 ? x : -x; };
  CHECK_THROWS(ErrorKind::unexpected_tracer, jit(branch)(1.0), "");
  check_close(grad(branch)(2.0), {1});  // all is well afterwards
}

TEST(api_nested) {
  auto cube = [](const Array& x) { return x * x * x; };
  check_close(grad(grad(cube))(2.0), {12});
  check_close(grad(grad(grad(cube)))(2.0), {6});
  check_close(jit(grad(jit(grad(cube))))(2.0), {12});
  Array xs = array({1.0f, 2.0f, 3.0f});
  check_close(vmap(grad(cube))(xs), {3, 12, 27});
  check_close(jit(vmap(grad(grad(cube))))(xs), {6, 12, 18});
  check_close(grad([&](const Array& x) { return sum(vmap(cube)(x)); })(xs),
              {3, 12, 27});
  // Over what is closed over, too.
  auto outer = [&](const Array& w) {
    auto inner = jit([&](const Array& x) { return sum(x * w); });
    return inner(xs) * w;
  };
  check_close(grad(outer)(2.0), {24});
  // Rows of a Jacobian: jvp of vjp's pullback.
  auto f = [](const Array& x) { return sin(x) * x; };
  auto directional = [&](const Array& x) {
    return jvp(f, std::array{x}, std::array{ones({3})}).second;
  };
  Floats want;
  for (float x : {1.f, 2.f, 3.f}) want.push_back(std::sin(x) + x * std::cos(x));
  check_close(directional(xs), want);
  check_close(jit(directional)(xs), want);
}

TEST(api_vjp_and_jvp) {
  auto f = [](const Array& x, const Array& y) {
    return std::pair(x * y, sum(x));
  };
  Array x = array({1.0f, 2.0f}), y = array({3.0f, 5.0f});
  auto [out, pullback] = vjp(f, x, y);
  check_close(out.first, {3, 10});
  auto [dx, dy] =
      pullback(std::pair(ones({2}), Array(10.0).astype(DType::f32)));
  check_close(dx, {13, 15});
  check_close(dy, {1, 2});
  auto [p, t] = jvp(f, std::array{x, y}, std::array{ones({2}), zeros({2})});
  check_close(p.second, {3});
  check_close(t.first, {3, 5});
  check_close(t.second, {2});
  CHECK_THROWS(ErrorKind::type, pullback(std::vector<Array>{x}), "vjp");
  CHECK_THROWS(ErrorKind::value, pullback(std::pair(ones({3}), Array(1.0))),
               "vjp");
  CHECK_THROWS(ErrorKind::value,
               jvp(f, std::array{x, y}, std::array{ones({3}), zeros({2})}),
               "jvp");
}

TEST(api_integers_have_no_tangents) {
  auto f = [](const Array& x, const Array& n) { return std::pair(x * n, n); };
  Array x = array({1.0f, 2.0f}), n = array({3, 4});
  auto [p, t] = jvp(f, std::array{x, n}, std::array{ones({2}), n});
  check_close(t.first, {3, 4});
  auto [out, pullback] = vjp(f, x, n);
  check_close(pullback(std::pair(ones({2}), n))[0], {3, 4});
}

TEST(api_vmap) {
  auto dot = [](const Array& x, const Array& y) { return sum(x * y); };
  Array x = counting({2, 3}), y = counting({3, 2});
  check_close(vmap(dot)(x, y.T()), {10, 40});
  check_close(vmap(dot, {0, 1})(x, y), {10, 40});
  check_close(vmap(dot, {0, kNotBatched})(x, ones({3})), {3, 12});
  check_close(vmap(vmap([](const Array& x) { return x + 1; }))(x),
              {1, 2, 3, 4, 5, 6});
  // A result that does not vary is repeated.
  check_close(vmap([](const Array&) { return Array(2.0); })(x), {2, 2});
  CHECK_THROWS(ErrorKind::value, vmap(dot)(x, y), "sizes 2 and 3");
  CHECK_THROWS(ErrorKind::value, vmap(dot, {0})(x, y), "axis per argument");
  CHECK_THROWS(ErrorKind::value, vmap(dot, {0, 2})(x, y), "out of range");
  CHECK_THROWS(ErrorKind::value, vmap(dot)(x, 1.0), "out of range");
  CHECK_THROWS(ErrorKind::value, vmap(dot, {kNotBatched, kNotBatched})(x, y),
               "one of them");
}

TEST(api_compiled) {
  Array w = array({1.0f, 2.0f});
  auto f = jit([&](const Array& x) { return std::pair(x * w, x); });
  Compiled c = f.compile(ones({2}));
  CHECK_EQ(c.num_inputs(), 1u);  // w is bound
  CHECK_EQ(c.num_outputs(), 2u);
  CHECK_EQ(c.input(0).shape, (Shape{2}));
  CHECK(c.output(0).dtype == DType::f32);
  float in[2] = {3, 4}, out[2], same[2];
  c.run({in}, {out, same});
  CHECK_EQ(out[1], 8.0f);
  CHECK_EQ(same[0], 3.0f);
  CHECK(c.jaxpr().find("mul") != std::string::npos);
  Compiled moved = std::move(c);
  moved.run({in}, {out, same});
  CHECK_EQ(f.cache_size(), 1u);
}

TEST(api_training) {
  // Least squares by gradient descent finds the line.
  Array x = arange(8, DType::f32) / 8, y = 3 * x + 0.5;
  auto step = jit([&](const Array& w, const Array& b) {
    auto loss = [&](const Array& w, const Array& b) {
      return mean(square(x * w + b - y));
    };
    auto [l, dw] = value_and_grad(loss)(w, b);
    return std::tuple(w - 0.5 * dw, b - 0.5 * grad(loss, 1)(w, b), l);
  });
  Array w = zeros({}), b = zeros({});
  for (int i = 0; i < 400; ++i) std::tie(w, b, std::ignore) = step(w, b);
  check_close(w, {3}, 1e-2);
  check_close(b, {0.5}, 1e-2);
}

}  // namespace cotan::testing
