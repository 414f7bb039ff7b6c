// Logistic regression by gradient descent, and a function that is traced once
// and then called for what a native call costs. No Python anywhere.
#include <cotan/cotan.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

using cotan::Array;

namespace {

struct Data {
  Array x, y;  // f32[n, d], f32[n] of 0 and 1
};

// Points around two centres, in d dimensions.
Data two_clouds(int n, int d) {
  std::mt19937 rng(7);
  std::normal_distribution<float> normal;
  std::vector<float> x, y;
  for (int i = 0; i < n; ++i) {
    float label = float(i % 2);
    y.push_back(label);
    for (int k = 0; k < d; ++k)
      x.push_back(normal(rng) + (label - 0.5f) * (k % 3 == 0 ? 2.0f : 0.3f));
  }
  return {cotan::array(x.data(), {n, d}), cotan::array(y)};
}

Array logits(const Array& w, const Array& b, const Array& x) {
  return cotan::matmul(x, w) + b;
}

// Mean of log(1 + e^z) - y z, in a form that does not overflow.
Array loss(const Array& w, const Array& b, const Array& x, const Array& y) {
  Array z = logits(w, b, x);
  Array softplus =
      cotan::maximum(z, 0.0) + cotan::log1p(cotan::exp(-cotan::abs(z)));
  return cotan::mean(softplus - y * z);
}

int train() {
  constexpr int n = 512, d = 8;
  Data data = two_clouds(n, d);
  // One program: both gradients and the update.
  auto step = cotan::jit(
      [](const Array& w, const Array& b, const Array& x, const Array& y) {
        auto in_w = [&](const Array& v) { return loss(v, b, x, y); };
        auto in_b = [&](const Array& v) { return loss(w, v, x, y); };
        auto [value, dw] = cotan::value_and_grad(in_w)(w);
        Array db = cotan::grad(in_b)(b);
        return std::tuple(w - 0.5 * dw, b - 0.5 * db, value);
      });
  Array w = cotan::zeros({d}), b = cotan::zeros({});
  double value = 0;
  for (int i = 0; i < 200; ++i) {
    auto [new_w, new_b, v] = step(w, b, data.x, data.y);
    w = new_w;
    b = new_b;
    value = v.item();
  }
  Array guess = logits(w, b, data.x) > 0.0;
  Array right =
      cotan::mean(cotan::equal(guess.astype(cotan::DType::f32), data.y)
                      .astype(cotan::DType::f32));
  std::printf("logistic regression: loss %.4f, accuracy %.1f %%\n", value,
              100 * right.item());
  return right.item() > 0.9 ? 0 : 1;
}

// A 32-64-64-1 network: traced once, then called on raw memory.
int latency() {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, 0.1f);
  auto weights = [&](int64_t n, int64_t m) {
    std::vector<float> v(size_t(n * m));
    for (float& x : v) x = normal(rng);
    return cotan::array(v.data(), {n, m});
  };
  Array w1 = weights(32, 64), w2 = weights(64, 64), w3 = weights(64, 1);
  auto network = cotan::jit([=](const Array& x) {
    Array h = cotan::relu(cotan::matmul(x, w1));
    h = cotan::relu(cotan::matmul(h, w2));
    return cotan::matmul(h, w3);
  });
  cotan::Compiled call = network.compile(cotan::zeros({1, 32}));
  std::vector<float> x(32, 0.5f);
  float y = 0;
  double best = 1e9;
  for (int repeat = 0; repeat < 50; ++repeat) {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) call.run({x.data()}, {&y});
    std::chrono::duration<double> t = std::chrono::steady_clock::now() - start;
    best = std::min(best, t.count() / 1000);
  }
  Array same = network(cotan::array(x.data(), {1, 32}));
  std::printf("a 32-64-64-1 network: %.3f us a call\n", 1e6 * best);
  return std::abs(same.item() - double(y)) < 1e-5 ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return train() | latency();
  } catch (const cotan::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
