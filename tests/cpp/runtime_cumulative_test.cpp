// The cumulative kernel against a plain loop, and against itself on other
// numbers of threads.
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>

#include "runtime_kernels_test.h"

namespace cotan {
namespace {

using C = Cumulative;

// The wide type that the reference computes in.
template <class T>
auto widen(T x) {
  if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>)
    return double(to_float(x));
  else if constexpr (std::is_same_v<T, float>)
    return double(x);
  else if constexpr (std::is_same_v<T, std::complex<float>>)
    return std::complex<double>(x);
  else if constexpr (std::is_integral_v<T>)
    return int64_t(x);
  else
    return x;
}

template <class W>
W combine(C kind, W a, W b, bool is_bool) {
  if constexpr (std::is_same_v<W, std::complex<double>>) {
    auto less = [](W x, W y) {
      return x.real() < y.real() ||
             (x.real() == y.real() && x.imag() < y.imag());
    };
    switch (kind) {
      case C::sum:
        return a + b;
      case C::prod:
        return a * b;
      case C::max:
        return less(a, b) ? b : a;
      default:
        return less(b, a) ? b : a;
    }
  } else {
    if (a != a || b != b) return a != a ? a : b;
    if (is_bool && (kind == C::sum || kind == C::max))
      return W(a != 0 || b != 0);
    if (is_bool) return W(a && b);
    switch (kind) {
      case C::sum:
        return W(uint64_t(1) * a + b);
      case C::prod:
        return W(a * b);
      case C::max:
        return std::max(a, b);
      case C::min:
        return std::min(a, b);
      default:
        return W(std::max(double(a), double(b)) +
                 std::log1p(std::exp(-std::fabs(double(a) - double(b)))));
    }
  }
}

template <class T>
double tolerance(double magnitude, int64_t n) {
  if constexpr (std::is_same_v<T, f16_t>) return magnitude * 1e-3 + 1e-4;
  if constexpr (std::is_same_v<T, bf16_t>) return magnitude * 8e-3 + 1e-3;
  if constexpr (std::is_same_v<T, float> ||
                std::is_same_v<T, std::complex<float>>)
    return (magnitude + 1) * 1e-6 * std::sqrt(double(n) + 10);
  return (magnitude + 1) * 1e-14 * std::sqrt(double(n) + 10);
}

// std::vector<bool> is none.
template <class T>
struct Data {
  explicit Data(size_t n) : bytes(n * sizeof(T)) {}
  T* data() { return reinterpret_cast<T*>(bytes.data()); }
  size_t size() const { return bytes.size() / sizeof(T); }
  T& operator[](size_t i) { return data()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size(); }
  std::vector<char> bytes;
};

template <class T>
Data<T> make(int64_t n, C kind, Random& random) {
  Data<T> x(static_cast<size_t>(n));
  for (T& v : x) {
    float u = random.uniform();
    if (kind == C::prod && !std::is_integral_v<T>) u = 1 + u * 0.01f;
    if constexpr (std::is_integral_v<T>)
      v = T(random() % 7);
    else if constexpr (std::is_same_v<T, f16_t>)
      v = to_f16(u);
    else if constexpr (std::is_same_v<T, bf16_t>)
      v = to_bf16(u);
    else if constexpr (requires { v.imag(); })
      v = T(u, kind == C::prod ? 0.01f * random.uniform() : random.uniform());
    else
      v = T(u);
  }
  return x;
}

template <class T>
void check_case(CumulativeAttrs a) {
  Random random{uint64_t(a.n * 7 + a.inner)};
  Data<T> x = make<T>(a.outer * a.n * a.inner, a.kind, random), y = x;
  // In place, as donation does it.
  CHECK_EQ(call_kernel("cumulative", a, {y.data()}, {y.data()}), kOk);
  for (int64_t o = 0; o < a.outer; ++o)
    for (int64_t j = 0; j < a.inner; ++j) {
      decltype(widen(T())) sum{};
      for (int64_t k = 0; k < a.n; ++k) {
        int64_t i = a.reverse ? a.n - 1 - k : k;
        size_t at = size_t((o * a.n + i) * a.inner + j);
        auto v = widen(x[at]);
        sum = k == 0 ? v : combine(a.kind, sum, v, std::is_same_v<T, bool>);
        if constexpr (std::is_integral_v<T>) {
          if (T(sum) == y[at]) continue;
        } else {
          if (std::abs(widen(y[at]) - sum) <= tolerance<T>(std::abs(sum), a.n))
            continue;
        }
        testing::fail(__FILE__, __LINE__,
                      cat("cumulative ", a.dtype, " kind ", int(a.kind), " n ",
                          a.n, " inner ", a.inner, " at ", k));
      }
    }
}

void check_all(CumulativeAttrs a) {
  visit_dtype(a.dtype, [&]<class T>() { check_case<T>(a); });
}

}  // namespace

TEST(cumulative_every_dtype_and_kind) {
  for (DType t : {DType::bool_, DType::i8, DType::i16, DType::i32, DType::i64,
                  DType::u8, DType::u16, DType::u32, DType::u64, DType::f16,
                  DType::bf16, DType::f32, DType::f64, DType::c64, DType::c128})
    for (C kind : {C::sum, C::prod, C::max, C::min, C::logsumexp}) {
      if (kind == C::logsumexp && !is_float(t)) continue;
      for (bool reverse : {false, true})
        for (int64_t n : {1, 2, 15, 16, 17, 100, 3000}) {
          if (n == 3000 && (kind == C::prod || is_half(t))) continue;
          check_all({kind, t, 2, n, 1, reverse});
          check_all({kind, t, 2, n, 3, reverse});
        }
    }
}

TEST(cumulative_long_lines_same_bits_on_any_threads) {
  constexpr int64_t kN = 300007;
  Random random;
  Data<float> x = make<float>(2 * kN, C::sum, random);
  for (bool reverse : {false, true}) {
    CumulativeAttrs a{C::sum, DType::f32, 2, kN, 1, reverse};
    ThreadPool::global().set_threads(1);
    check_case<float>(a);
    std::vector<float> one(x.size()), many(x.size());
    CHECK_EQ(call_kernel("cumulative", a, {x.data()}, {one.data()}), kOk);
    ThreadPool::global().set_threads(4);
    for (int run = 0; run < 5; ++run) {
      std::fill(many.begin(), many.end(), 0.f);
      CHECK_EQ(call_kernel("cumulative", a, {x.data()}, {many.data()}), kOk);
      CHECK(std::memcmp(one.data(), many.data(), one.size() * 4) == 0);
    }
    check_all({C::max, DType::i64, 1, kN, 1, reverse});
    check_all({C::sum, DType::u8, 1, kN, 1, reverse});
    check_all({C::sum, DType::f32, 1, 400, 3000, reverse});
  }
  ThreadPool::global().set_threads(0);
}

TEST(cumulative_special_values) {
  float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  auto run = [](C kind, std::vector<float> x) {
    int64_t n = int64_t(x.size());
    call_kernel("cumulative", CumulativeAttrs{kind, DType::f32, 1, n, 1, false},
                {x.data()}, {x.data()});
    return x;
  };
  CHECK(std::signbit(run(C::sum, {-0.f, -0.f})[1]));
  std::vector<float> y = run(C::max, {1, nan, 3});
  CHECK(y[0] == 1 && y[1] != y[1] && y[2] != y[2]);
  y = run(C::min, {-inf, 2});
  CHECK_EQ(y[1], -inf);
  y = run(C::logsumexp, {-inf, -inf, 0, inf, 3});
  CHECK(y[1] == -inf && y[2] == 0 && y[3] == inf && y[4] == inf);
  y = run(C::sum, {inf, 1, -inf, 1});
  CHECK(y[1] == inf && y[2] != y[2]);
  std::complex<float> z[2] = {{1, nan}, {2, 0}};
  call_kernel("cumulative", CumulativeAttrs{C::max, DType::c64, 1, 2, 1, false},
              {z}, {z});
  CHECK(z[1] != z[1]);
  int32_t i = 1;
  CHECK_EQ(
      call_kernel("cumulative",
                  CumulativeAttrs{C::logsumexp, DType::i32, 1, 1, 1, false},
                  {&i}, {&i}),
      kFailed);
}

}  // namespace cotan
