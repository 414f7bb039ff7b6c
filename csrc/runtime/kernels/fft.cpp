// The fft kernel: one pass over the array per axis. A pass takes groups of
// lines, side by side, through the plans of runtime/fft.h. Real transforms of
// even length pack neighbours into one complex number of half as many. Start
// at fft_kernel.
#include "runtime/fft.h"

#include <algorithm>
#include <complex>
#include <map>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "ir/fft_attrs.h"
#include "runtime/kernels/isa.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/scratch.h"

namespace cotan {
namespace {

// [outer][n][inner], transformed along the middle axis.
struct Axis {
  int64_t outer, n, inner;
};

template <class R>
using C = std::complex<R>;

// A pass along the last axis of real arrays, or back.
template <class R>
struct RealPlan {
  int64_t n, half;  // half: of the complex transform
  std::shared_ptr<const FftPlan<R>> plan;
  std::vector<R> w_re, w_im;  // exp(-2 pi i k / n), even n

  explicit RealPlan(int64_t size)
      : n(size),
        half(size % 2 ? size : size / 2),
        plan(FftPlan<R>::get(half)),
        w_re(size_t(n / 2 + 1)),
        w_im(size_t(n / 2 + 1)) {
    unit_roots(n, n / 2 + 1, w_re.data(), w_im.data());
  }
  static std::shared_ptr<const RealPlan> get(int64_t n) {
    static std::mutex mutex;
    static auto& plans = *new std::map<int64_t, std::shared_ptr<RealPlan>>;
    std::lock_guard lock(mutex);
    if (plans.size() >= 64) plans.clear();
    auto& p = plans[n];
    if (!p) p = std::make_shared<RealPlan>(n);
    return p;
  }
};

// ---- lanes: line l of a group is at first + l * line, its elements `step`
// apart. Lanes of one line are its elements in order.

template <class R>
COTAN_INLINE void load_lanes(const C<R>* x, int64_t line, int64_t step,
                             int64_t n, int64_t lanes, R* re, R* im) {
  auto* p = reinterpret_cast<const R*>(x);
  if (lanes == 1 || line == 1) {
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < lanes; ++l) {
        re[j * lanes + l] = p[2 * (j * step + l)];
        im[j * lanes + l] = p[2 * (j * step + l) + 1];
      }
    return;
  }
  constexpr int64_t kTile = 8;
  for (int64_t j0 = 0; j0 < n; j0 += kTile)
    for (int64_t l = 0; l < lanes; ++l)
      for (int64_t j = j0; j < std::min(n, j0 + kTile); ++j) {
        re[j * lanes + l] = p[2 * (l * line + j * step)];
        im[j * lanes + l] = p[2 * (l * line + j * step) + 1];
      }
}
template <class R>
COTAN_INLINE void store_lanes(C<R>* y, int64_t line, int64_t step, int64_t n,
                              int64_t lanes, const R* re, const R* im,
                              R scale) {
  auto* p = reinterpret_cast<R*>(y);
  if (lanes == 1 || line == 1) {
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < lanes; ++l) {
        p[2 * (j * step + l)] = re[j * lanes + l] * scale;
        p[2 * (j * step + l) + 1] = im[j * lanes + l] * scale;
      }
    return;
  }
  constexpr int64_t kTile = 8;
  for (int64_t j0 = 0; j0 < n; j0 += kTile)
    for (int64_t l = 0; l < lanes; ++l)
      for (int64_t j = j0; j < std::min(n, j0 + kTile); ++j) {
        p[2 * (l * line + j * step)] = re[j * lanes + l] * scale;
        p[2 * (l * line + j * step) + 1] = im[j * lanes + l] * scale;
      }
}

// The spectrum of n real numbers from that of half as many pairs:
// X[k] = (Z[k] + Z*[h-k]) / 2 - i w^k (Z[k] - Z*[h-k]) / 2.
template <class R>
COTAN_INLINE void split_pairs(const RealPlan<R>& p, const R* zr, const R* zi,
                              C<R>* y, int64_t line, int64_t lanes) {
  int64_t h = p.half;
  auto* out = reinterpret_cast<R*>(y);
  for (int64_t k = 0; k <= h; ++k) {
    const R* ar = zr + (k == h ? 0 : k) * lanes;
    const R* ai = zi + (k == h ? 0 : k) * lanes;
    const R* br = zr + (k == 0 ? 0 : h - k) * lanes;
    const R* bi = zi + (k == 0 ? 0 : h - k) * lanes;
    R wr = p.w_re[size_t(k)], wi = p.w_im[size_t(k)];
    for (int64_t l = 0; l < lanes; ++l) {
      R sr = ar[l] + br[l], si = ai[l] - bi[l];
      R dr = ar[l] - br[l], di = ai[l] + bi[l];
      R tr = dr * wr - di * wi, ti = dr * wi + di * wr;
      out[2 * (l * line + k)] = R(0.5) * (sr + ti);
      out[2 * (l * line + k) + 1] = R(0.5) * (si - tr);
    }
  }
  for (int64_t l = 0; l < lanes; ++l) {  // exactly real
    out[2 * l * line + 1] = 0;
    out[2 * (l * line + h) + 1] = 0;
  }
}
// The other way: Z[k] = (X[k] + X*[h-k]) + i w^-k (X[k] - X*[h-k]). Imaginary
// parts of X[0] and X[h] do not count.
template <class R>
COTAN_INLINE void join_pairs(const RealPlan<R>& p, const C<R>* x, int64_t line,
                             R* zr, R* zi, int64_t lanes) {
  int64_t h = p.half;
  auto* in = reinterpret_cast<const R*>(x);
  for (int64_t k = 0; k < h; ++k) {
    R wr = p.w_re[size_t(k)], wi = -p.w_im[size_t(k)];
    for (int64_t l = 0; l < lanes; ++l) {
      const R *a = in + 2 * (l * line + k), *b = in + 2 * (l * line + h - k);
      R ai = k == 0 ? R(0) : a[1], bi = k == 0 ? R(0) : b[1];
      R sr = a[0] + b[0], si = ai - bi, dr = a[0] - b[0], di = ai + bi;
      R tr = dr * wr - di * wi, ti = dr * wi + di * wr;
      zr[k * lanes + l] = sr - ti;
      zi[k * lanes + l] = si + tr;
    }
  }
}

#define COTAN_FFT_BODIES(R)                                                 \
  COTAN_MULTIVERSION void load(const C<R>* x, int64_t line, int64_t step,   \
                               int64_t n, int64_t lanes, R* re, R* im) {    \
    load_lanes(x, line, step, n, lanes, re, im);                            \
  }                                                                         \
  COTAN_MULTIVERSION void store(C<R>* y, int64_t line, int64_t step,        \
                                int64_t n, int64_t lanes, const R* re,      \
                                const R* im, R scale) {                     \
    store_lanes(y, line, step, n, lanes, re, im, scale);                    \
  }                                                                         \
  COTAN_MULTIVERSION void split(const RealPlan<R>& p, const R* zr,          \
                                const R* zi, C<R>* y, int64_t line,         \
                                int64_t lanes) {                            \
    split_pairs(p, zr, zi, y, line, lanes);                                 \
  }                                                                         \
  COTAN_MULTIVERSION void join(const RealPlan<R>& p, const C<R>* x,         \
                               int64_t line, R* zr, R* zi, int64_t lanes) { \
    join_pairs(p, x, line, zr, zi, lanes);                                  \
  }
COTAN_FFT_BODIES(float)
COTAN_FFT_BODIES(double)
#undef COTAN_FFT_BODIES

// ---- groups of lines

// Lines side by side: a vector's worth while they fit into cache.
template <class R>
int64_t lanes_for(int64_t n, bool contiguous) {
  int64_t lanes = 64 / int64_t(sizeof(R));
  if (contiguous) return n <= (sizeof(R) == 4 ? 4096 : 2048) ? lanes : 1;
  return lanes;
}

template <class R>
class Scratch {
 public:
  Scratch(Runtime* rt, const FftPlan<R>& plan, int64_t lanes)
      : each_((plan.size() * lanes + 15) & ~int64_t(15)),
        storage_(rt, 4 * each_ + plan.scratch(lanes)) {
    R* p = storage_.get();
    buffers = {p, p + each_, p + 2 * each_, p + 3 * each_};
    work = p + 4 * each_;
  }
  FftBuffers<R> buffers;
  R* work;

 private:
  int64_t each_;
  ScratchBlock<R> storage_;
};

// Runs f(first, lanes, scratch) over `lines` lines of a pass, on the pool;
// groups do not cross a multiple of `period`.
template <class R, class F>
int each_group(Runtime* rt, const FftPlan<R>& plan, int64_t lines,
               int64_t period, int64_t lanes, F f) {
  int64_t per_period = (period + lanes - 1) / lanes;
  int64_t groups = lines / period * per_period;
  double ns = plan.cost() * double(lanes) + 50;
  int64_t grain = std::max<int64_t>(1, int64_t(3e4 / ns));
  int64_t chunks = (groups + grain - 1) / grain;
  std::atomic<bool> failed{false};
  int status =
      parallel_chunks(rt, chunks, int64_t(ns * double(groups)), [&](int64_t c) {
        try {
          Scratch<R> s(rt, plan, lanes);
          FftBuffers<R> start = s.buffers;
          for (int64_t g = c * grain; g < std::min(groups, (c + 1) * grain);
               ++g) {
            int64_t first = g / per_period * period + g % per_period * lanes;
            int64_t end = (g / per_period + 1) * period;
            s.buffers = start;
            f(first, std::min(lanes, end - first), s);
          }
        } catch (...) {
          failed = true;
        }
      });
  if (failed) throw std::bad_alloc();
  return status;
}

template <class R>
int complex_pass(Runtime* rt, const C<R>* in, C<R>* out, Axis a, bool inverse,
                 R scale) {
  auto plan = FftPlan<R>::get(a.n);
  bool contiguous = a.inner == 1;
  int64_t line = contiguous ? a.n : 1;
  return each_group<R>(
      rt, *plan, a.outer * a.inner, contiguous ? a.outer : a.inner,
      lanes_for<R>(a.n, contiguous),
      [&](int64_t first, int64_t lanes, Scratch<R>& s) {
        int64_t at = contiguous
                         ? first * a.n
                         : first / a.inner * a.n * a.inner + first % a.inner;
        FftBuffers<R> b = s.buffers;
        if (inverse) {
          std::swap(b.re, b.im);
          std::swap(b.re_other, b.im_other);
        }
        load(in + at, line, a.inner, a.n, lanes, s.buffers.re, s.buffers.im);
        plan->run(b, lanes, s.work);
        if (inverse) std::swap(b.re, b.im);
        store(out + at, line, a.inner, a.n, lanes, b.re, b.im, scale);
      });
}

template <class R>
int real_pass(Runtime* rt, const R* in, C<R>* out, int64_t lines, int64_t n) {
  auto real = RealPlan<R>::get(n);
  const FftPlan<R>& plan = *real->plan;
  int64_t width = n / 2 + 1;
  return each_group<R>(
      rt, plan, lines, lines, lanes_for<R>(n, true),
      [&](int64_t first, int64_t lanes, Scratch<R>& s) {
        FftBuffers<R> b = s.buffers;
        if (n % 2 == 0) {
          load(reinterpret_cast<const C<R>*>(in + first * n), n / 2, 1, n / 2,
               lanes, b.re, b.im);
          plan.run(b, lanes, s.work);
          split(*real, b.re, b.im, out + first * width, width, lanes);
          return;
        }
        for (int64_t j = 0; j < n; ++j)
          for (int64_t l = 0; l < lanes; ++l) {
            b.re[j * lanes + l] = in[(first + l) * n + j];
            b.im[j * lanes + l] = 0;
          }
        plan.run(b, lanes, s.work);
        for (int64_t l = 0; l < lanes; ++l) b.im[l] = 0;
        store(out + first * width, width, 1, width, lanes, b.re, b.im, R(1));
      });
}

template <class R>
int real_inverse_pass(Runtime* rt, const C<R>* in, R* out, int64_t lines,
                      int64_t n, R scale) {
  auto real = RealPlan<R>::get(n);
  const FftPlan<R>& plan = *real->plan;
  int64_t width = n / 2 + 1;
  return each_group<R>(
      rt, plan, lines, lines, lanes_for<R>(n, true),
      [&](int64_t first, int64_t lanes, Scratch<R>& s) {
        R *re = s.buffers.re, *im = s.buffers.im;
        const C<R>* x = in + first * width;
        if (n % 2 == 0) {
          join(*real, x, width, re, im, lanes);
        } else {
          for (int64_t l = 0; l < lanes; ++l) {
            re[l] = x[l * width].real();
            im[l] = 0;
            for (int64_t k = 1; k < width; ++k) {
              C<R> v = x[l * width + k];
              re[k * lanes + l] = re[(n - k) * lanes + l] = v.real();
              im[k * lanes + l] = v.imag();
              im[(n - k) * lanes + l] = -v.imag();
            }
          }
        }
        FftBuffers<R> b{im, re, s.buffers.im_other, s.buffers.re_other};
        plan.run(b, lanes, s.work);
        R* y = out + first * n;
        if (n % 2 == 0) {
          store(reinterpret_cast<C<R>*>(y), n / 2, 1, n / 2, lanes, b.im, b.re,
                scale);
          return;
        }
        for (int64_t l = 0; l < lanes; ++l)
          for (int64_t j = 0; j < n; ++j)
            y[l * n + j] = b.im[j * lanes + l] * scale;
      });
}

// ---- all axes

// Complex passes over the axes [0, count), the last first; `last` is the
// length of the last axis in memory.
template <class R>
int complex_axes(const KernelCall* call, const FftAttrs& a, const C<R>* in,
                 C<R>* out, size_t count, int64_t last, bool inverse) {
  for (size_t i = count; i-- > 0;) {
    Axis axis{a.batch, i + 1 == a.lengths.size() ? last : a.lengths[i], 1};
    for (size_t d = 0; d < i; ++d) axis.outer *= a.lengths[d];
    for (size_t d = i + 1; d < a.lengths.size(); ++d)
      axis.inner *= d + 1 == a.lengths.size() ? last : a.lengths[d];
    R scale = inverse ? R(1) / R(axis.n) : R(1);
    if (int s = complex_pass(call->rt, in, out, axis, inverse, scale)) return s;
    in = out;
  }
  return kOk;
}

template <class R>
int run_fft(const KernelCall* call, const FftAttrs& a) {
  size_t rank = a.lengths.size();
  int64_t n = a.lengths.back(), width = n / 2 + 1, lines = a.batch;
  for (size_t d = 0; d + 1 < rank; ++d) lines *= a.lengths[d];
  auto* out = static_cast<C<R>*>(call->out[0]);
  auto* in = static_cast<const C<R>*>(call->in[0]);
  if (a.kind == FftKind::fft || a.kind == FftKind::ifft)
    return complex_axes<R>(call, a, in, out, rank, n, a.kind == FftKind::ifft);
  if (a.kind == FftKind::rfft) {
    int s = real_pass<R>(call->rt, static_cast<const R*>(call->in[0]), out,
                         lines, n);
    return s ? s : complex_axes<R>(call, a, out, out, rank - 1, width, false);
  }
  auto* result = static_cast<R*>(call->out[0]);
  R scale = R(1) / R(n);
  if (rank == 1)
    return real_inverse_pass<R>(call->rt, in, result, lines, n, scale);
  size_t bytes = size_t(lines * width) * sizeof(C<R>);
  auto* copy = static_cast<C<R>*>(call->rt->allocate(call->rt, bytes));
  if (!copy) throw std::bad_alloc();
  int s = complex_axes<R>(call, a, in, copy, rank - 1, width, true);
  if (!s) s = real_inverse_pass<R>(call->rt, copy, result, lines, n, scale);
  call->rt->deallocate(call->rt, copy, bytes);
  return s;
}

}  // namespace

int fft_kernel(const KernelCall* call) {
  auto a = decode_attrs<FftAttrs>(call->attrs);
  int64_t elements = a.batch;
  for (int64_t n : a.lengths) elements *= n;
  if (elements == 0) return kOk;
  try {
    return a.is_double ? run_fft<double>(call, a) : run_fft<float>(call, a);
  } catch (const std::exception& e) {
    return call->rt->fail(call->rt, e.what());
  }
}

}  // namespace cotan
