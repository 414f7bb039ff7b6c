// The sort kernel against std::stable_sort with the comparator spelled out.
#include <algorithm>
#include <complex>
#include <cstring>
#include <limits>
#include <numeric>

#include "runtime/kernels/sort_words.h"
#include "runtime_kernels_test.h"

namespace cotan {
namespace {

using Bytes = std::vector<char>;

// Less, with NaN last and -0 == 0.
template <class T>
int compare(T a, T b) {
  if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>) {
    return compare(to_float(a), to_float(b));
  } else if constexpr (requires { a.real(); }) {
    int c = compare(a.real(), b.real());
    return c ? c : compare(a.imag(), b.imag());
  } else {
    bool na = a != a, nb = b != b;
    if (na || nb) return int(na) - int(nb);
    return int(a > b) - int(a < b);
  }
}
int compare_at(DType t, const Bytes& x, int64_t i, int64_t j) {
  return visit_dtype(t, [&]<class T>() {
    auto* p = reinterpret_cast<const T*>(x.data());
    return compare(p[i], p[j]);
  });
}

template <class T>
T special(uint32_t r, T) {
  using L = std::numeric_limits<T>;
  T values[] = {
      T(0),           T(-T(0)),        L::infinity(),   -L::infinity(),
      L::quiet_NaN(), -L::quiet_NaN(), L::denorm_min(), L::max()};
  return values[r % 8];
}

// kind 0: spread; 1: many ties; 2: special values among them; 3: equal.
template <class T>
T element(Random& random, int kind) {
  uint64_t r = uint64_t(random()) << 32 | random();
  if constexpr (std::is_same_v<T, bool>) {
    return r >> 40 & 1;
  } else if constexpr (std::is_integral_v<T>) {
    return kind == 1 ? T(r % 5) : kind == 3 ? T(7) : T(r);
  } else if constexpr (std::is_same_v<T, f16_t>) {
    return to_f16(element<float>(random, kind));
  } else if constexpr (std::is_same_v<T, bf16_t>) {
    return to_bf16(element<float>(random, kind));
  } else if constexpr (requires(T z) { z.real(); }) {
    using R = typename T::value_type;
    // Ties in the real part show the imaginary one.
    return T(R(int(r % 3)), element<R>(random, kind));
  } else {
    if (kind == 2 && r % 3 == 0) return special(uint32_t(r >> 20), T());
    if (kind == 1) return T(int(r % 5)) - 2;
    if (kind == 3) return T(-1);
    return T(random.uniform()) * T(1000);
  }
}

Bytes make(DType t, int64_t n, int kind, Random& random) {
  Bytes x(size_t(n * itemsize(t)));
  visit_dtype(t, [&]<class T>() {
    for (int64_t i = 0; i < n; ++i)
      reinterpret_cast<T*>(x.data())[i] = element<T>(random, kind);
  });
  return x;
}

std::vector<Bytes> reference(const SortAttrs& a, const std::vector<Bytes>& in) {
  std::vector<Bytes> out = in;
  std::vector<int64_t> perm(size_t(a.n));
  for (int64_t o = 0; o < a.outer; ++o)
    for (int64_t j = 0; j < a.inner; ++j) {
      auto at = [&](int64_t i) { return (o * a.n + i) * a.inner + j; };
      std::iota(perm.begin(), perm.end(), 0);
      std::stable_sort(perm.begin(), perm.end(), [&](int64_t x, int64_t y) {
        for (size_t k = 0; k < size_t(a.num_keys); ++k)
          if (int c = compare_at(DType(a.dtypes[k]), in[k], at(x), at(y)))
            return c < 0;
        return false;
      });
      for (size_t k = 0; k < in.size(); ++k) {
        size_t size = size_t(itemsize(DType(a.dtypes[k])));
        for (int64_t i = 0; i < a.n; ++i)
          std::memcpy(&out[k][size_t(at(i)) * size],
                      &in[k][size_t(at(perm[size_t(i)])) * size], size);
      }
    }
  return out;
}

void check_sort(const SortAttrs& a, int kind, bool in_place) {
  Random random{uint64_t(a.n * 31 + kind)};
  std::vector<Bytes> in;
  for (int64_t t : a.dtypes)
    in.push_back(make(DType(t), a.outer * a.n * a.inner, kind, random));
  std::vector<Bytes> want = reference(a, in), got = in;
  std::vector<const void*> ins;
  std::vector<void*> outs;
  for (size_t k = 0; k < in.size(); ++k) {
    ins.push_back(in_place ? got[k].data() : in[k].data());
    outs.push_back(got[k].data());
  }
  CHECK_EQ(call_kernel("sort", a, ins, outs), kOk);
  for (size_t k = 0; k < in.size(); ++k) {
    if (got[k] == want[k]) continue;
    testing::fail(__FILE__, __LINE__,
                  cat("sort of ", DType(a.dtypes[k]), ", operand ", k, ", n ",
                      a.n, ", kind ", kind, ", keys ", a.num_keys));
  }
}

constexpr DType kOrdered[] = {
    DType::bool_, DType::i8,  DType::i16, DType::i32, DType::i64,
    DType::u8,    DType::u16, DType::u32, DType::u64, DType::f16,
    DType::bf16,  DType::f32, DType::f64, DType::c64, DType::c128,
};

template <class T>
void check_words(int64_t n, int kind) {
  Random random{uint64_t(n)};
  std::vector<T> a(static_cast<size_t>(n)), tmp(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    T r = T(uint64_t(random()) << 32 | random());
    T values[] = {r, T(r % 3), T(-1), T(T(-1) - r % 2), T(i), T(n - T(i))};
    a[i] = values[kind];
  }
  std::vector<T> want = a, pooled = a;
  std::sort(want.begin(), want.end());
  sort_words(a.data(), tmp.data(), n);
  CHECK(a == want);
  sort_words(&default_runtime(), pooled.data(), tmp.data(), n);
  CHECK(pooled == want);
}

}  // namespace

TEST(sort_words_any_length) {
  ThreadPool::global().set_threads(3);
  for (int64_t n : {0,   1,   2,   3,   15,  16,  17,  31,   33,   64,    100,
                    127, 128, 129, 200, 255, 256, 257, 1000, 5000, 300001})
    for (int kind = 0; kind < 6; ++kind) {
      check_words<uint32_t>(n, kind);
      check_words<uint64_t>(n, kind);
    }
  ThreadPool::global().set_threads(0);
}

TEST(sort_values_of_every_dtype) {
  for (DType t : kOrdered)
    for (int kind = 0; kind < 4; ++kind)
      for (int64_t n : {0, 1, 2, 7, 40, 300, 20000}) {
        check_sort({1, n, 1, 1, {int64_t(t)}}, kind, false);
        if (n <= 300) check_sort({3, n, 5, 1, {int64_t(t)}}, kind, true);
      }
}

TEST(sort_by_keys_with_payload) {
  for (DType t : kOrdered)
    for (int kind = 0; kind < 4; ++kind)
      for (int64_t n : {1, 5, 16, 17, 300, 3000}) {
        Dims types = {int64_t(t), int64_t(DType::i32), int64_t(DType::key),
                      int64_t(DType::c128), int64_t(DType::u8)};
        check_sort({1, n, 1, 1, types}, kind, false);
        check_sort({2, n, 3, 1, types}, kind, true);
      }
}

TEST(sort_lexicographic) {
  for (int kind = 0; kind < 4; ++kind)
    for (int64_t n : {3, 17, 1000, 20000}) {
      check_sort(
          {1,
           n,
           1,
           2,
           {int64_t(DType::bool_), int64_t(DType::f64), int64_t(DType::i64)}},
          kind, false);
      check_sort(
          {2,
           n,
           1,
           3,
           {int64_t(DType::c64), int64_t(DType::i8), int64_t(DType::f32)}},
          kind, true);
    }
}

TEST(sort_f64_keys_beyond_the_prefix) {
  // Doubles that agree in their first 44 bits; and 64-bit words over the
  // whole range, where the position takes bits from the key.
  constexpr int64_t kN = 100000;
  Random random;
  std::vector<double> x(kN), sorted(kN);
  std::vector<int32_t> iota(kN), perm(kN);
  for (size_t i = 0; i < kN; ++i) {
    x[i] = i % 3 == 0 ? 1.0 + double(random() % 512) * 0x1p-52
                      : std::ldexp(random.uniform(), int(random() % 600) - 300);
    iota[i] = int32_t(i);
  }
  SortAttrs a{1, kN, 1, 1, {int64_t(DType::f64), int64_t(DType::i32)}};
  CHECK_EQ(call_kernel("sort", a, {x.data(), iota.data()},
                       {sorted.data(), perm.data()}),
           kOk);
  for (size_t i = 0; i < kN; ++i) CHECK_EQ(sorted[i], x[size_t(perm[i])]);
  for (size_t i = 1; i < kN; ++i)
    CHECK(sorted[i - 1] < sorted[i] ||
          (sorted[i - 1] == sorted[i] && perm[i - 1] < perm[i]));
}

TEST(sort_long_lines_on_the_pool) {
  for (int threads : {1, 3}) {
    ThreadPool::global().set_threads(threads);
    for (int kind = 0; kind < 4; ++kind) {
      check_sort({1, 200000, 1, 1, {int64_t(DType::f32)}}, kind, false);
      check_sort({1, 100000, 1, 1, {int64_t(DType::f32), int64_t(DType::i32)}},
                 kind, true);
      check_sort({300, 100, 1, 1, {int64_t(DType::f32)}}, kind, false);
    }
  }
  ThreadPool::global().set_threads(0);
}

}  // namespace cotan
