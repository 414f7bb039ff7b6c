#include "runtime/fft.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <utility>

#include "runtime/kernels/isa.h"

namespace cotan {
namespace {

constexpr long double kPi = 3.14159265358979323846264338327950288L;
constexpr int64_t kLongLine = 256;  // from here one line is made a matrix

struct Root {
  long double re, im;
};
// exp(-2 pi i k / n), by an angle of at most pi/4.
Root unit_root(int64_t k, int64_t n) {
  k %= n;
  int64_t octant = 8 * k / n;
  auto angle = [&](int64_t a) { return 2 * kPi * (long double)a / n; };
  switch (octant) {
    case 0:
      return {std::cos(angle(k)), -std::sin(angle(k))};
    case 7:
      return {std::cos(angle(n - k)), std::sin(angle(n - k))};
    case 3:
    case 4: {
      long double a = 2 * kPi * (long double)(2 * k - n) / (2 * n);
      return {-std::cos(a), std::sin(a)};
    }
    case 1:
    case 2: {  // around pi/2
      long double a = 2 * kPi * (long double)(4 * k - n) / (4 * n);
      return {-std::sin(a), -std::cos(a)};
    }
    default: {  // around 3 pi/2
      long double a = 2 * kPi * (long double)(4 * k - 3 * n) / (4 * n);
      return {std::sin(a), std::cos(a)};
    }
  }
}

// w^k as a product of two of about 2 sqrt(n) roots, in extended precision.
class Roots {
 public:
  explicit Roots(int64_t n) : n_(n) {
    while ((int64_t(1) << 2 * bits_) < n) ++bits_;
    int64_t low = int64_t(1) << bits_;
    for (int64_t k = 0; k < low; ++k) low_.push_back(unit_root(k, n));
    for (int64_t k = 0; k < n; k += low) high_.push_back(unit_root(k, n));
  }
  Root at(int64_t k) const {
    k %= n_;
    Root a = high_[size_t(k >> bits_)];
    Root b = low_[size_t(k & ((int64_t(1) << bits_) - 1))];
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }

 private:
  int64_t n_;
  int bits_ = 0;
  std::vector<Root> low_, high_;
};

// ---- passes

template <class R>
struct Pass {
  const R *re, *im;
  R *out_re, *out_im;
  int radix;
  int64_t m, s;  // butterflies, neighbours of each
  const R *w_re, *w_im;
  const R *wave_re, *wave_im;
};

template <class R>
struct Complex {
  R re, im;
};
template <class R>
COTAN_INLINE Complex<R> operator+(Complex<R> a, Complex<R> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class R>
COTAN_INLINE Complex<R> operator-(Complex<R> a, Complex<R> b) {
  return {a.re - b.re, a.im - b.im};
}
template <class R>
COTAN_INLINE Complex<R> operator*(Complex<R> a, R f) {
  return {a.re * f, a.im * f};
}
template <class R>
COTAN_INLINE Complex<R> times(Complex<R> a, R re, R im) {
  return {a.re * re - a.im * im, a.re * im + a.im * re};
}
// a - i b and a + i b
template <class R>
COTAN_INLINE Complex<R> minus_i(Complex<R> a, Complex<R> b) {
  return {a.re + b.im, a.im - b.re};
}
template <class R>
COTAN_INLINE Complex<R> plus_i(Complex<R> a, Complex<R> b) {
  return {a.re - b.im, a.im + b.re};
}

// f(0), ..., f(N - 1) with constants: arrays that they index live in
// registers, which the vectoriser needs.
template <int N, class F>
COTAN_INLINE void unrolled(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>)
      __attribute__((always_inline)) {
        (f(std::integral_constant<int, I>()), ...);
      }(std::make_integer_sequence<int, N>());
}

template <int kRadix, class R>
COTAN_INLINE void butterfly(Complex<R>* a) {
  if constexpr (kRadix == 2) {
    Complex<R> t = a[1];
    a[1] = a[0] - t;
    a[0] = a[0] + t;
  } else if constexpr (kRadix == 3) {
    constexpr R kSin = R(0.86602540378443864676372317075293618L);
    Complex<R> sum = a[1] + a[2], diff = (a[1] - a[2]) * kSin;
    Complex<R> mid = a[0] - sum * R(0.5);
    a[0] = a[0] + sum;
    a[1] = minus_i(mid, diff);
    a[2] = plus_i(mid, diff);
  } else if constexpr (kRadix == 4) {
    Complex<R> p = a[0] + a[2], q = a[0] - a[2];
    Complex<R> r = a[1] + a[3], t = a[1] - a[3];
    a[0] = p + r;
    a[1] = minus_i(q, t);
    a[2] = p - r;
    a[3] = plus_i(q, t);
  } else if constexpr (kRadix == 5) {
    constexpr R kC1 = R(0.30901699437494742410229341718281906L);
    constexpr R kC2 = R(-0.80901699437494742410229341718281906L);
    constexpr R kS1 = R(0.95105651629515357211643933337938214L);
    constexpr R kS2 = R(0.58778525229247312916870595463907277L);
    Complex<R> p = a[1] + a[4], q = a[2] + a[3];
    Complex<R> r = a[1] - a[4], t = a[2] - a[3];
    Complex<R> u = a[0] + p * kC1 + q * kC2, v = a[0] + p * kC2 + q * kC1;
    Complex<R> x = r * kS1 + t * kS2, y = r * kS2 - t * kS1;
    a[0] = a[0] + p + q;
    a[1] = minus_i(u, x);
    a[4] = plus_i(u, x);
    a[2] = minus_i(v, y);
    a[3] = plus_i(v, y);
  } else {  // 8: two of radix 4, and odd ones turned by eighths
    constexpr R kHalf = R(0.70710678118654752440084436210484904L);
    Complex<R> even[4] = {a[0], a[2], a[4], a[6]};
    Complex<R> odd[4] = {a[1], a[3], a[5], a[7]};
    butterfly<4>(even);
    butterfly<4>(odd);
    odd[1] = times(odd[1], kHalf, -kHalf);
    odd[2] = {odd[2].im, -odd[2].re};
    odd[3] = times(odd[3], -kHalf, -kHalf);
    unrolled<4>([&](auto k) __attribute__((always_inline)) {
      a[k] = even[k] + odd[k];
      a[k + 4] = even[k] - odd[k];
    });
  }
}

// y[q + s (r p + j)] = w^(p j) sum_k x[q + s (p + m k)] w_r^(j k)
template <int kRadix, class R>
COTAN_INLINE void pass_of(const Pass<R>& p) {
  for (int64_t i = 0; i < p.m; ++i) {
    const R *re = p.re + p.s * i, *im = p.im + p.s * i;
    R* __restrict out_re = p.out_re + p.s * kRadix * i;
    R* __restrict out_im = p.out_im + p.s * kRadix * i;
    int64_t step = p.s * p.m;
    R wr[kRadix], wi[kRadix];
    for (int j = 1; j < kRadix; ++j) {
      wr[j] = p.w_re[i * (kRadix - 1) + j - 1];
      wi[j] = p.w_im[i * (kRadix - 1) + j - 1];
    }
#pragma GCC ivdep
    for (int64_t q = 0; q < p.s; ++q) {
      Complex<R> a[kRadix];
      unrolled<kRadix>([&](auto k) __attribute__((always_inline)) {
        a[k] = {re[q + step * k], im[q + step * k]};
      });
      butterfly<kRadix>(a);
      out_re[q] = a[0].re;
      out_im[q] = a[0].im;
      unrolled<kRadix - 1>([&](auto k) __attribute__((always_inline)) {
        constexpr int j = k + 1;
        Complex<R> b = times(a[j], wr[j], wi[j]);
        out_re[q + p.s * j] = b.re;
        out_im[q + p.s * j] = b.im;
      });
    }
  }
}

// Any radix, by its definition; lanes in blocks that stay in registers.
template <class R>
COTAN_INLINE void pass_of_any(const Pass<R>& p) {
  int r = p.radix;
  int64_t step = p.s * p.m;
  for (int64_t i = 0; i < p.m; ++i)
    for (int j = 0; j < r; ++j) {
      R* __restrict out_re = p.out_re + p.s * (r * i + j);
      R* __restrict out_im = p.out_im + p.s * (r * i + j);
      R wr = j ? p.w_re[i * (r - 1) + j - 1] : R(1);
      R wi = j ? p.w_im[i * (r - 1) + j - 1] : R(0);
      constexpr int64_t kBlock = 32;
      for (int64_t b = 0; b < p.s; b += kBlock) {
        int64_t n = std::min(kBlock, p.s - b);
        R sum_re[kBlock] = {}, sum_im[kBlock] = {};
        for (int k = 0; k < r; ++k) {
          int turn = j * k % r;
          R cr = p.wave_re[turn], ci = p.wave_im[turn];
          const R* re = p.re + p.s * i + step * k + b;
          const R* im = p.im + p.s * i + step * k + b;
          for (int64_t q = 0; q < n; ++q) {
            sum_re[q] += re[q] * cr - im[q] * ci;
            sum_im[q] += re[q] * ci + im[q] * cr;
          }
        }
        for (int64_t q = 0; q < n; ++q) {
          out_re[b + q] = sum_re[q] * wr - sum_im[q] * wi;
          out_im[b + q] = sum_re[q] * wi + sum_im[q] * wr;
        }
      }
    }
}

template <class R>
COTAN_INLINE void any_pass(const Pass<R>& p) {
  switch (p.radix) {
    case 2:
      return pass_of<2>(p);
    case 3:
      return pass_of<3>(p);
    case 4:
      return pass_of<4>(p);
    case 5:
      return pass_of<5>(p);
    case 8:
      return pass_of<8>(p);
    default:
      return pass_of_any(p);
  }
}
COTAN_MULTIVERSION void run_pass(const Pass<float>& p) { any_pass(p); }
COTAN_MULTIVERSION void run_pass(const Pass<double>& p) { any_pass(p); }

// (re, im) *= (w_re, w_im), row by row or entry by entry.
template <class R>
COTAN_INLINE void turn_rows(R* re, R* im, const R* wr, const R* wi, int64_t n,
                            int64_t lanes) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t q = 0; q < lanes; ++q) {
      R a = re[i * lanes + q], b = im[i * lanes + q];
      re[i * lanes + q] = a * wr[i] - b * wi[i];
      im[i * lanes + q] = a * wi[i] + b * wr[i];
    }
}
template <class R>
COTAN_INLINE void turn_each(R* re, R* im, const R* wr, const R* wi, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    R a = re[i], b = im[i];
    re[i] = a * wr[i] - b * wi[i];
    im[i] = a * wi[i] + b * wr[i];
  }
}
COTAN_MULTIVERSION void turn(float* re, float* im, const float* wr,
                             const float* wi, int64_t n, int64_t lanes) {
  lanes == 1 ? turn_each(re, im, wr, wi, n)
             : turn_rows(re, im, wr, wi, n, lanes);
}
COTAN_MULTIVERSION void turn(double* re, double* im, const double* wr,
                             const double* wi, int64_t n, int64_t lanes) {
  lanes == 1 ? turn_each(re, im, wr, wi, n)
             : turn_rows(re, im, wr, wi, n, lanes);
}

template <class R>
void transpose(R* to, const R* from, int64_t rows, int64_t cols) {
  constexpr int64_t kTile = 16;
  for (int64_t i0 = 0; i0 < rows; i0 += kTile)
    for (int64_t j0 = 0; j0 < cols; j0 += kTile)
      for (int64_t j = j0; j < std::min(cols, j0 + kTile); ++j)
        for (int64_t i = i0; i < std::min(rows, i0 + kTile); ++i)
          to[j * rows + i] = from[i * cols + j];
}

// Radices of n in the order of use; empty if a prime factor is too large.
std::vector<int> radices_of(int64_t n) {
  std::vector<int> out;
  auto take = [&](int r) {
    for (; n % r == 0; n /= r) out.push_back(r);
  };
  for (int r : {7, 11, 13, 17, 19, 23, 29, 31}) take(r);
  take(5);
  take(3);
  take(8);
  take(4);
  take(2);
  if (n > 1) return {};
  return out;
}

int64_t smooth_size(int64_t at_least) {
  int64_t best = 1;
  while (best < at_least) best *= 2;
  for (int64_t five = 1; five < best; five *= 5)
    for (int64_t three = five; three < best; three *= 3) {
      int64_t n = three;
      while (n < at_least) n *= 2;
      best = std::min(best, n);
    }
  return best;
}

}  // namespace

template <class R>
void unit_roots(int64_t n, int64_t count, R* re, R* im) {
  Roots roots(n);
  for (int64_t k = 0; k < count; ++k) {
    Root w = roots.at(k);
    re[k] = R(w.re);
    im[k] = R(w.im);
  }
}
template void unit_roots(int64_t, int64_t, float*, float*);
template void unit_roots(int64_t, int64_t, double*, double*);

template <class R>
void FftPlan<R>::make_stages(const std::vector<int>& radices, int64_t n) {
  Roots roots(n_);
  for (int r : radices) {
    Stage s;
    s.radix = r;
    s.m = n / r;
    for (int64_t p = 0; p < s.m; ++p)
      for (int j = 1; j < r; ++j) {
        Root w = roots.at(p * j * (n_ / n));
        s.re.push_back(R(w.re));
        s.im.push_back(R(w.im));
      }
    for (int j = 0; j < r; ++j) {
      Root w = unit_root(j, r);
      s.wave_re.push_back(R(w.re));
      s.wave_im.push_back(R(w.im));
    }
    n = s.m;
    stages_.push_back(std::move(s));
  }
}

template <class R>
FftPlan<R>::FftPlan(int64_t n) : n_(n) {
  if (n <= 1) return;
  std::vector<int> radices = radices_of(n);
  if (!radices.empty()) {
    make_stages(radices, n);
    if (n < kLongLine) return;
    // The most even division into two factors.
    int64_t rows = 1;
    for (int64_t r = 1; r * r <= n; ++r)
      if (n % r == 0) rows = r;
    if (rows < 8) return;
    columns_ = get(rows);
    rows_ = get(n / rows);
    Roots roots(n);
    for (int64_t k = 0; k < rows; ++k)
      for (int64_t j = 0; j < n / rows; ++j) {
        Root w = roots.at(k * j);
        turn_re_.push_back(R(w.re));
        turn_im_.push_back(R(w.im));
      }
    return;
  }
  int64_t m = smooth_size(2 * n - 1);
  convolution_ = get(m);
  Roots roots(2 * n);
  FftBuffers<R> b;
  std::vector<R> storage(size_t(4 * m));
  b = {storage.data(), storage.data() + m, storage.data() + 2 * m,
       storage.data() + 3 * m};
  for (int64_t j = 0; j < n; ++j) {
    Root w =
        roots.at(int64_t((unsigned __int128)j * uint64_t(j) % uint64_t(2 * n)));
    chirp_re_.push_back(R(w.re));
    chirp_im_.push_back(R(w.im));
    for (int64_t at : {j, (m - j) % m}) {  // the inverse chirp, around 0
      b.re[at] = R(w.re / m);
      b.im[at] = R(-w.im / m);
    }
  }
  std::vector<R> scratch(size_t(convolution_->scratch(1)));
  convolution_->run(b, 1, scratch.data());
  kernel_re_.assign(b.re, b.re + m);
  kernel_im_.assign(b.im, b.im + m);
}

template <class R>
int64_t FftPlan<R>::scratch(int64_t lanes) const {
  return convolution_ ? 4 * convolution_->size() * lanes : 0;
}
template <class R>
double FftPlan<R>::cost() const {
  if (convolution_) return 3 * convolution_->cost();
  return double(n_) * double(stages_.size()) * (sizeof(R) == 4 ? 0.6 : 1.2) +
         50;
}

template <class R>
void FftPlan<R>::run_stages(FftBuffers<R>& b, int64_t lanes, size_t first,
                            size_t last, int64_t stride) const {
  for (size_t i = first; i < last; ++i) {
    const Stage& s = stages_[i];
    run_pass(Pass<R>{b.re, b.im, b.re_other, b.im_other, s.radix, s.m,
                     lanes * stride, s.re.data(), s.im.data(), s.wave_re.data(),
                     s.wave_im.data()});
    std::swap(b.re, b.re_other);
    std::swap(b.im, b.im_other);
    stride *= s.radix;
  }
}

// x[j1 cols + j2]: over j1 with j2 as lanes, turn, over j2 with k1 as lanes.
// The result x[k2 rows + k1] is in order.
template <class R>
void FftPlan<R>::run_line(FftBuffers<R>& b) const {
  int64_t rows = columns_->size(), cols = rows_->size();
  columns_->run_stages(b, cols, 0, columns_->stages_.size(), 1);
  turn(b.re, b.im, turn_re_.data(), turn_im_.data(), n_, 1);
  transpose(b.re_other, b.re, rows, cols);
  transpose(b.im_other, b.im, rows, cols);
  std::swap(b.re, b.re_other);
  std::swap(b.im, b.im_other);
  rows_->run_stages(b, rows, 0, rows_->stages_.size(), 1);
}

template <class R>
void FftPlan<R>::run_bluestein(FftBuffers<R>& b, int64_t lanes,
                               R* scratch) const {
  int64_t m = convolution_->size(), used = n_ * lanes, all = m * lanes;
  FftBuffers<R> c{scratch, scratch + all, scratch + 2 * all, scratch + 3 * all};
  std::copy(b.re, b.re + used, c.re);
  std::copy(b.im, b.im + used, c.im);
  turn(c.re, c.im, chirp_re_.data(), chirp_im_.data(), n_, lanes);
  std::fill(c.re + used, c.re + all, R(0));
  std::fill(c.im + used, c.im + all, R(0));
  convolution_->run(c, lanes, nullptr);
  turn(c.re, c.im, kernel_re_.data(), kernel_im_.data(), m, lanes);
  FftBuffers<R> back{c.im, c.re, c.im_other, c.re_other};
  convolution_->run(back, lanes, nullptr);
  std::copy(back.im, back.im + used, b.re);
  std::copy(back.re, back.re + used, b.im);
  turn(b.re, b.im, chirp_re_.data(), chirp_im_.data(), n_, lanes);
}

template <class R>
void FftPlan<R>::run(FftBuffers<R>& b, int64_t lanes, R* scratch) const {
  if (n_ <= 1) return;
  if (convolution_) return run_bluestein(b, lanes, scratch);
  if (lanes == 1 && columns_) return run_line(b);
  run_stages(b, lanes, 0, stages_.size(), 1);
}

template <class R>
std::shared_ptr<const FftPlan<R>> FftPlan<R>::get(int64_t n) {
  constexpr size_t kKept = 64;
  constexpr int64_t kLarge = 1 << 22;  // not kept: its tables are too big
  static std::mutex mutex;
  static auto& plans = *new std::map<int64_t, std::shared_ptr<const FftPlan>>;
  {
    std::lock_guard lock(mutex);
    auto at = plans.find(n);
    if (at != plans.end()) return at->second;
  }
  auto plan = std::make_shared<const FftPlan>(n);
  std::lock_guard lock(mutex);
  if (plans.size() >= kKept) plans.clear();
  if (n <= kLarge) plans[n] = plan;
  return plan;
}

template class FftPlan<float>;
template class FftPlan<double>;

}  // namespace cotan
