// The window kernel. Sums and extrema over boxes are taken one dimension after
// another, each a pass over [outer, n, inner]; selections look at whole
// windows. Start at window_kernel.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "ir/window_attrs.h"
#include "runtime/kernels/isa.h"
#include "runtime/kernels/kernels.h"

namespace cotan {
namespace {

// Arithmetic type of the elements of storage type T.
template <class T>
auto load(T x) {
  if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>)
    return to_float(x);
  else
    return x;
}
template <class T, class W>
T store(W x) {
  if constexpr (std::is_same_v<T, f16_t>)
    return to_f16(x);
  else if constexpr (std::is_same_v<T, bf16_t>)
    return to_bf16(x);
  else
    return T(x);
}

enum class Fold { sum, max, min };

template <Fold F, class W>
COTAN_INLINE W fold(W a, W b) {
  if constexpr (std::is_same_v<W, bool>)
    return F == Fold::min ? a && b : a || b;
  else if constexpr (F == Fold::sum) {
    if constexpr (std::is_integral_v<W>)
      return W(std::make_unsigned_t<W>(a) + std::make_unsigned_t<W>(b));
    else
      return a + b;
  } else if constexpr (std::is_arithmetic_v<W>) {
    // A nan wins.
    bool take = F == Fold::max ? b > a : b < a;
    return take || b != b ? b : a;
  } else {
    return a;  // complex numbers are only summed
  }
}
template <Fold F, class W>
W identity() {
  if constexpr (std::is_same_v<W, bool>)
    return F == Fold::min;
  else if constexpr (F == Fold::sum || !std::is_arithmetic_v<W>)
    return W(0);
  else if constexpr (std::numeric_limits<W>::has_infinity)
    return F == Fold::max ? -std::numeric_limits<W>::infinity()
                          : std::numeric_limits<W>::infinity();
  else
    return F == Fold::max ? std::numeric_limits<W>::lowest()
                          : std::numeric_limits<W>::max();
}

// One dimension: out[o, i, :] from in[o, (i stride + k dilation - low) / base].
struct Pass {
  int64_t outer, n, inner, out_n;
  int64_t size, stride, low, base, dilation;
};
// The element of the operand at a position of the padded, dilated one; -1 if
// there is none.
COTAN_INLINE int64_t element_at(int64_t position, int64_t base, int64_t n) {
  if (position < 0) return -1;
  if (base > 1) {
    if (position % base) return -1;
    position /= base;
  }
  return position < n ? position : -1;
}

template <Fold F, class A, class B>
COTAN_INLINE void run_rows(const Pass& p, const A* in, B* out, int64_t o) {
  using W = decltype(load(A()));
  const A* x = in + o * p.n * p.inner;
  B* y = out + o * p.out_n * p.inner;
  constexpr int64_t kBlock = 64;
  if (p.inner == 1 && p.base == 1) {
    // Neighbouring windows side by side.
    for (int64_t b = 0; b < p.out_n; b += kBlock) {
      int64_t m = std::min(kBlock, p.out_n - b);
      W acc[kBlock];
      std::fill_n(acc, kBlock, identity<F, W>());
      for (int64_t k = 0; k < p.size; ++k) {
        int64_t at = b * p.stride + k * p.dilation - p.low;
        // i with 0 <= at + i stride < n
        int64_t first = at >= 0 ? 0 : (-at + p.stride - 1) / p.stride;
        int64_t last = p.n - 1 - at < 0 ? 0 : (p.n - 1 - at) / p.stride + 1;
        last = std::min(last, m);
        if (p.stride == 1) {
          for (int64_t i = first; i < last; ++i)
            acc[i] = fold<F, W>(acc[i], load(x[at + i]));
        } else {
          for (int64_t i = first; i < last; ++i)
            acc[i] = fold<F, W>(acc[i], load(x[at + i * p.stride]));
        }
      }
      for (int64_t i = 0; i < m; ++i) y[b + i] = store<B>(acc[i]);
    }
    return;
  }
  for (int64_t i = 0; i < p.out_n; ++i)
    for (int64_t b = 0; b < p.inner; b += kBlock) {
      int64_t m = std::min(kBlock, p.inner - b);
      W acc[kBlock];
      std::fill_n(acc, kBlock, identity<F, W>());
      for (int64_t k = 0; k < p.size; ++k) {
        int64_t at =
            element_at(i * p.stride + k * p.dilation - p.low, p.base, p.n);
        if (at < 0) continue;
        const A* row = x + at * p.inner + b;
        for (int64_t q = 0; q < m; ++q)
          acc[q] = fold<F, W>(acc[q], load(row[q]));
      }
      for (int64_t q = 0; q < m; ++q) y[i * p.inner + b + q] = store<B>(acc[q]);
    }
}

#define COTAN_WINDOW_ROWS(T)                                                  \
  COTAN_MULTIVERSION void rows_of(Fold f, const Pass& p, const T* in, T* out, \
                                  int64_t o) {                                \
    switch (f) {                                                              \
      case Fold::sum:                                                         \
        return run_rows<Fold::sum>(p, in, out, o);                            \
      case Fold::max:                                                         \
        return run_rows<Fold::max>(p, in, out, o);                            \
      case Fold::min:                                                         \
        return run_rows<Fold::min>(p, in, out, o);                            \
    }                                                                         \
  }
COTAN_WINDOW_ROWS(float)
COTAN_WINDOW_ROWS(double)
#undef COTAN_WINDOW_ROWS
template <class A, class B>
void rows_of(Fold f, const Pass& p, const A* in, B* out, int64_t o) {
  switch (f) {
    case Fold::sum:
      return run_rows<Fold::sum>(p, in, out, o);
    case Fold::max:
      return run_rows<Fold::max>(p, in, out, o);
    case Fold::min:
      return run_rows<Fold::min>(p, in, out, o);
  }
}

template <class A, class B>
int run_pass(Runtime* rt, Fold f, const Pass& p, const A* in, B* out) {
  double ns = 0.3 * double(p.out_n * p.inner) * double(p.size) + 20;
  int64_t grain = std::max<int64_t>(1, int64_t(2e4 / ns));
  int64_t chunks = (p.outer + grain - 1) / grain;
  return parallel_chunks(rt, chunks, int64_t(ns * double(p.outer)),
                         [&](int64_t c) {
                           int64_t end = std::min(p.outer, (c + 1) * grain);
                           for (int64_t o = c * grain; o < end; ++o)
                             rows_of(f, p, in, out, o);
                         });
}

int64_t windows_along(const WindowAttrs& a, size_t d) {
  int64_t n = a.shape[d] == 0 ? 0 : (a.shape[d] - 1) * a.base[d] + 1;
  int64_t w = (a.sizes[d] - 1) * a.dilation[d] + 1;
  n += a.low[d] + a.high[d];
  return n < w ? 0 : (n - w) / a.strides[d] + 1;
}

// 16-bit floats are kept as f32 between the passes.
template <class T>
int run_folds(const KernelCall* call, const WindowAttrs& a, Fold f) {
  using W =
      std::conditional_t<std::is_same_v<T, bool>, bool, decltype(load(T()))>;
  size_t rank = a.shape.size();
  std::vector<size_t> dims;
  for (size_t d = 0; d < rank; ++d)
    if (a.sizes[d] != 1 || a.strides[d] != 1 || a.low[d] || a.high[d] ||
        a.base[d] != 1)
      dims.push_back(d);
  // The dimension that leaves the least comes first.
  std::stable_sort(dims.begin(), dims.end(), [&](size_t x, size_t y) {
    return windows_along(a, x) * a.shape[y] < windows_along(a, y) * a.shape[x];
  });
  auto* in = static_cast<const T*>(call->in[0]);
  auto* out = static_cast<T*>(call->out[0]);
  Dims shape = a.shape;
  if (dims.empty()) {
    std::copy(in, in + num_elements(shape), out);
    return kOk;
  }
  std::unique_ptr<W[]> previous;
  for (size_t i = 0; i < dims.size(); ++i) {
    size_t d = dims[i];
    Pass p{1,
           shape[d],
           1,
           windows_along(a, d),
           a.sizes[d],
           a.strides[d],
           a.low[d],
           a.base[d],
           a.dilation[d]};
    for (size_t e = 0; e < d; ++e) p.outer *= shape[e];
    for (size_t e = d + 1; e < rank; ++e) p.inner *= shape[e];
    shape[d] = p.out_n;
    bool last = i + 1 == dims.size();
    std::unique_ptr<W[]> next;
    if (!last) next.reset(new W[size_t(num_elements(shape)) + 1]);
    int s;
    if (i == 0)
      s = last ? run_pass(call->rt, f, p, in, out)
               : run_pass(call->rt, f, p, in, next.get());
    else
      s = last ? run_pass(call->rt, f, p, previous.get(), out)
               : run_pass(call->rt, f, p, previous.get(), next.get());
    if (s) return s;
    previous = std::move(next);
  }
  return kOk;
}

// ---- selections

// The dimensions that windows cover, between those along which every window is
// one element wide: [outer, windows..., inner].
struct Selection {
  explicit Selection(const WindowAttrs& a) {
    auto covered = [&](size_t d) {
      return a.sizes[d] != 1 || a.strides[d] != 1 || a.low[d] || a.high[d] ||
             a.base[d] != 1;
    };
    size_t end = a.shape.size();
    for (; first < end && !covered(first); ++first) outer *= a.shape[first];
    for (; end > first && !covered(end - 1); --end) inner *= a.shape[end - 1];
    int64_t rows_in = 1;
    for (size_t d = end; d-- > first;) {
      strides.insert(strides.begin(), rows_in);
      rows_in *= a.shape[d];
    }
    for (size_t d = first; d < end; ++d) {
      out.push_back(windows_along(a, d));
      sizes.push_back(a.sizes[d]);
    }
    in_rows = rows_in;
    out_rows = num_elements(out);
    row.reserve(size_t(num_elements(sizes)));
  }

  // The rows of the operand in a window, in order.
  void look(const WindowAttrs& a, const Dims& window) {
    row.clear();
    Dims k(sizes.size(), 0);
    for (int64_t i = 0, n = num_elements(sizes); i < n; ++i) {
      int64_t at = 0;
      for (size_t j = 0; j < k.size() && at >= 0; ++j) {
        size_t d = first + j;
        int64_t e = element_at(
            window[j] * a.strides[d] + k[j] * a.dilation[d] - a.low[d],
            a.base[d], a.shape[d]);
        at = e < 0 ? -1 : at + e * strides[j];
      }
      if (at >= 0) row.push_back(at);
      next(k, sizes);
    }
  }
  static void next(Dims& index, const Dims& shape) {
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) return;
      index[d] = 0;
    }
  }

  size_t first = 0;
  int64_t outer = 1, inner = 1, in_rows = 1, out_rows = 1;
  Dims out, sizes, strides;
  std::vector<int64_t> row;
};

// Which of the rows has the first extremum, for m elements side by side; the
// first nan wins.
constexpr int64_t kLanes = 64;
template <class T>
using ChosenRow =
    std::conditional_t<sizeof(decltype(load(T()))) == 8, int64_t, int32_t>;
template <bool Greatest, class T>
COTAN_INLINE void choose(const T* x, const Selection& s, int64_t m,
                         ChosenRow<T>* chosen) {
  using W = decltype(load(T()));
  using I = ChosenRow<T>;
  W best[kLanes];
  for (int64_t q = 0; q < m; ++q) best[q] = load(x[s.row[0] * s.inner + q]);
  std::fill_n(chosen, kLanes, I(0));
  for (size_t k = 1; k < s.row.size(); ++k) {
    const T* v = x + s.row[k] * s.inner;
    for (int64_t q = 0; q < m; ++q) {
      W w = load(v[q]);
      bool better = Greatest ? w > best[q] : w < best[q];
      bool take = better | ((w != w) & (best[q] == best[q]));
      best[q] = take ? w : best[q];
      chosen[q] = take ? I(k) : chosen[q];
    }
  }
}

// One window of one outer index. t: a row of new elements; y: the operand's.
template <bool Greatest, class T, class W>
COTAN_INLINE void scatter_rows(const Selection& s, const T* t, const T* x,
                               W* y) {
  ChosenRow<T> chosen[kLanes];
  for (int64_t b = 0; b < s.inner; b += kLanes) {
    int64_t m = std::min(kLanes, s.inner - b);
    choose<Greatest>(x + b, s, m, chosen);
    for (size_t k = 0; k < s.row.size(); ++k) {
      W* row = y + s.row[k] * s.inner + b;
      for (int64_t q = 0; q < m; ++q)
        row[q] += chosen[q] == ChosenRow<T>(k) ? load(t[b + q]) : W(0);
    }
  }
}
// t: the operand's elements; y: a row of results.
template <bool Greatest, class T>
COTAN_INLINE void gather_rows(const Selection& s, const T* t, const T* x,
                              T* y) {
  ChosenRow<T> chosen[kLanes];
  for (int64_t b = 0; b < s.inner; b += kLanes) {
    int64_t m = std::min(kLanes, s.inner - b);
    choose<Greatest>(x + b, s, m, chosen);
    for (size_t k = 0; k < s.row.size(); ++k) {
      const T* row = t + s.row[k] * s.inner + b;
      for (int64_t q = 0; q < m; ++q)
        y[b + q] = chosen[q] == ChosenRow<T>(k) ? row[q] : y[b + q];
    }
  }
}

template <class T, class W>
void scatter_window(bool greatest, const Selection& s, const T* t, const T* x,
                    W* y) {
  greatest ? scatter_rows<true>(s, t, x, y) : scatter_rows<false>(s, t, x, y);
}
template <class T>
void gather_window(bool greatest, const Selection& s, const T* t, const T* x,
                   T* y) {
  greatest ? gather_rows<true>(s, t, x, y) : gather_rows<false>(s, t, x, y);
}
#define COTAN_SELECT_WINDOW(T)                                              \
  COTAN_MULTIVERSION void scatter_window(bool greatest, const Selection& s, \
                                         const T* t, const T* x, T* y) {    \
    greatest ? scatter_rows<true>(s, t, x, y)                               \
             : scatter_rows<false>(s, t, x, y);                             \
  }
COTAN_SELECT_WINDOW(float)
COTAN_SELECT_WINDOW(double)
#undef COTAN_SELECT_WINDOW

template <class T>
int run_selection(const KernelCall* call, const WindowAttrs& a) {
  using W = decltype(load(T()));
  const bool scatter = a.op >= WindowOp::scatter_max;
  const bool greatest =
      a.op == WindowOp::gather_max || a.op == WindowOp::scatter_max;
  Selection plan(a);
  const int64_t in = plan.in_rows * plan.inner;
  const int64_t out = plan.out_rows * plan.inner;
  auto* t = static_cast<const T*>(call->in[0]);
  auto* x = static_cast<const T*>(call->in[1]);
  auto* y = static_cast<T*>(call->out[0]);
  const int64_t size = plan.outer * (scatter ? in : out);
  std::fill_n(y, size, T{});
  // 16-bit floats are summed as f32.
  std::unique_ptr<W[]> wide;
  W* sums = nullptr;
  if constexpr (std::is_same_v<T, W>) {
    sums = y;
  } else if (scatter) {
    wide.reset(new W[size_t(size)]());
    sums = wide.get();
  }
  double ns = double(out) * double(num_elements(plan.sizes)) + 50;
  int64_t grain = std::max<int64_t>(1, int64_t(2e4 / ns));
  int64_t chunks = (plan.outer + grain - 1) / grain;
  // Windows that share elements are of one outer index, which one thread does.
  int status = parallel_chunks(
      call->rt, chunks, int64_t(ns * double(plan.outer)), [&](int64_t c) {
        Selection s = plan;
        int64_t end = std::min(s.outer, (c + 1) * grain);
        Dims window(s.out.size(), 0);
        for (int64_t w = 0; w < s.out_rows; ++w) {
          s.look(a, window);
          Selection::next(window, s.out);
          if (s.row.empty()) continue;
          for (int64_t o = c * grain; o < end; ++o) {
            int64_t here = o * out + w * s.inner;
            if (scatter)
              scatter_window(greatest, s, t + here, x + o * in, sums + o * in);
            else
              gather_window(greatest, s, t + o * in, x + o * in, y + here);
          }
        }
      });
  if (status == kOk && wide)
    for (int64_t i = 0; i < size; ++i) y[i] = store<T>(wide[size_t(i)]);
  return status;
}

int run_window(const KernelCall* call, const WindowAttrs& a) {
  return visit_dtype(a.dtype, [&]<class T>() -> int {
    if (a.op <= WindowOp::min) {
      Fold f = a.op == WindowOp::sum   ? Fold::sum
               : a.op == WindowOp::max ? Fold::max
                                       : Fold::min;
      return run_folds<T>(call, a, f);
    }
    if constexpr (!std::is_same_v<T, bool> &&
                  !std::is_same_v<T, std::complex<float>> &&
                  !std::is_same_v<T, std::complex<double>>)
      return run_selection<T>(call, a);
    return kOk;
  });
}

}  // namespace

int window_kernel(const KernelCall* call) {
  try {
    return run_window(call, decode_attrs<WindowAttrs>(call->attrs));
  } catch (const std::exception& e) {
    return call->rt->fail(call->rt, e.what());
  }
}

}  // namespace cotan
