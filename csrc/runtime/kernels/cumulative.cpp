// Prefix sums, products, extrema and logsumexps. Three loops:
//   scan_core       a dense line; sums and products in vectors
//   scan_sequence   a dense line, one after another (complex, logsumexp)
//   scan_columns    inner > 1: whole rows combine, columns in vectors
// A line longer than kScanBlock is cut into blocks of that length, each with
// its own prefix, combined with what came before: the bits depend on positions
// alone, so blocks may go to different threads.
#include <algorithm>
#include <cmath>
#include <complex>
#include <concepts>
#include <limits>

#include "runtime/kernels/isa.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/scan_vectors.h"

namespace cotan {
namespace {

constexpr int64_t kScanBlock = 1 << 14;
// Blocks of one round: they stay in the caches between its two passes.
constexpr int64_t kRound = 64;

// ---- Operations
// ---------------------------------------------------------------
// apply(earlier, later, out).

struct Sum {
  static constexpr bool kVector = true, kProd = false;
  template <class T>
  static constexpr T identity() {
    return scan_identity<false, T>();
  }
  static COTAN_INLINE void apply(const auto& a, const auto& b, auto& out) {
    out = a + b;
  }
};
struct Prod {
  static constexpr bool kVector = true, kProd = true;
  template <class T>
  static constexpr T identity() {
    return T(1);
  }
  static COTAN_INLINE void apply(const auto& a, const auto& b, auto& out) {
    out = a * b;
  }
};
template <class T>
constexpr T lowest() {
  if constexpr (std::floating_point<T>)
    return -std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::min();
}
template <class T>
constexpr T highest() {
  if constexpr (std::floating_point<T>)
    return std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::max();
}
struct Max {
  static constexpr bool kVector = false;  // NaNs make the vector form slow
  template <class T>
  static constexpr T identity() {
    return lowest<T>();
  }
  static COTAN_INLINE void apply(const auto& a, const auto& b, auto& out) {
    out = ((a > b) | (a != a)) ? a : b;
  }
};
struct Min {
  static constexpr bool kVector = false;
  template <class T>
  static constexpr T identity() {
    return highest<T>();
  }
  static COTAN_INLINE void apply(const auto& a, const auto& b, auto& out) {
    out = ((a < b) | (a != a)) ? a : b;
  }
};

template <class T>
using Complex = std::complex<T>;

// The rest have no vector form.
struct ComplexProd {
  template <class T>
  static void apply(const Complex<T>& a, const Complex<T>& b, Complex<T>& out) {
    out = {a.real() * b.real() - a.imag() * b.imag(),
           a.real() * b.imag() + a.imag() * b.real()};
  }
};
template <bool kMax>
struct ComplexExtremum {
  template <class T>
  static void apply(const Complex<T>& a, const Complex<T>& b, Complex<T>& out) {
    bool nan = a != a;
    bool less =
        a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
    bool equal = a == b;
    out = nan || equal || (less != kMax && b == b) ? a : b;
  }
};
struct LogAddExp {
  template <class T>
  static void apply(const T& a, const T& b, T& out) {
    if (a == b) {  // also for two equal infinities
      out = a + T(0.69314718055994530942);
      return;
    }
    T hi = a > b ? a : b, lo = a > b ? b : a;
    out = hi + std::log1p(std::exp(lo - hi));
    if (a != a) out = a;
  }
};

// ---- Dense lines
// ----------------------------------------------------------------

// As scan_vectors, for any operation.
template <class Op, class A>
void scan_core(const A* x, A* y, int64_t n, A* carry, A offset) {
  if constexpr (Op::kVector) {
    scan_vectors<Op::kProd>(x, y, n, carry, offset);
  } else {
    A sum = *carry;
    for (int64_t i = 0; i < n; ++i) {
      Op::apply(A(sum), x[i], sum);
      if (y) Op::apply(offset, sum, y[i]);
    }
    *carry = sum;
  }
}

template <class A, class T>
COTAN_INLINE A load_as(T x) {
  if constexpr (std::same_as<T, f16_t> || std::same_as<T, bf16_t>)
    return to_float(x);
  else
    return A(x);
}
template <class T, class A>
COTAN_INLINE T store_as(A x) {
  if constexpr (std::same_as<T, f16_t>)
    return to_f16(x);
  else if constexpr (std::same_as<T, bf16_t>)
    return to_bf16(x);
  else
    return T(x);
}

// A stretch of a line as the caller sees it: x and y point to its first
// element in the order of the scan, `step` is 1 or -1.
template <class T, class A, class Op>
void scan_stretch(const T* x, T* y, int64_t n, int64_t step, A* carry,
                  A offset) {
  constexpr bool kSame = sizeof(T) == sizeof(A);
  if constexpr (kSame) {
    if (step == 1)
      return scan_core<Op>(reinterpret_cast<const A*>(x),
                           reinterpret_cast<A*>(y), n, carry, offset);
  }
  constexpr int64_t kStage = 1024;
  A stage[kStage];
  for (int64_t i = 0; i < n; i += kStage) {
    int64_t m = std::min(kStage, n - i);
    for (int64_t k = 0; k < m; ++k) stage[k] = load_as<A>(x[(i + k) * step]);
    scan_core<Op>(stage, y ? stage : nullptr, m, carry, offset);
    if (!y) continue;
    for (int64_t k = 0; k < m; ++k) y[(i + k) * step] = store_as<T>(stage[k]);
  }
}

// One line, longer than a block. With threads to spare, rounds of blocks are
// first totalled and then written; else each block is written once, by the
// same arithmetic.
template <class T, class A, class Op>
int scan_long_line(Runtime* rt, const T* x, T* y, int64_t n, int64_t step,
                   double ns) {
  constexpr A kIdentity = Op::template identity<A>();
  int64_t blocks = (n + kScanBlock - 1) / kScanBlock;
  auto scan_block = [&](int64_t b, T* to, A offset) {
    int64_t first = b * kScanBlock;
    A total = kIdentity;
    scan_stretch<T, A, Op>(x + first * step, to ? to + first * step : nullptr,
                           std::min(kScanBlock, n - first), step, &total,
                           offset);
    return total;
  };
  int threads = ThreadPool::global().threads();
  if (rt->max_threads > 0) threads = std::min(threads, rt->max_threads);
  bool parallel = threads > 2 && !ThreadPool::in_parallel();
  A offset = kIdentity, totals[kRound], offsets[kRound];
  ThreadPool::Region region;
  for (int64_t b = 0; b < blocks; b += kRound) {
    int64_t m = std::min(kRound, blocks - b);
    bool inside = ThreadPool::in_parallel();  // poll is the caller's
    if (inside ? rt->interrupt != 0 : rt->poll(rt)) return kInterrupted;
    if (!parallel) {
      for (int64_t k = 0; k < m; ++k)
        Op::apply(A(offset), scan_block(b + k, y, offset), offset);
      continue;
    }
    int64_t round_ns = int64_t(double(m * kScanBlock) * ns);
    parallel_chunks(rt, m, round_ns, [&](int64_t k) {
      totals[k] = scan_block(b + k, nullptr, kIdentity);
    });
    for (int64_t k = 0; k < m; ++k) {
      offsets[k] = offset;
      Op::apply(A(offset), totals[k], offset);
    }
    parallel_chunks(rt, m, round_ns,
                    [&](int64_t k) { scan_block(b + k, y, offsets[k]); });
  }
  return kOk;
}

template <class T, class A, class Op>
int scan_long(const KernelCall* call, const CumulativeAttrs& a, double ns) {
  auto* x = static_cast<const T*>(call->in[0]);
  auto* y = static_cast<T*>(call->out[0]);
  auto line = [&](int64_t l) {
    int64_t at = l * a.n + (a.reverse ? a.n - 1 : 0);
    return scan_long_line<T, A, Op>(call->rt, x + at, y + at, a.n,
                                    a.reverse ? -1 : 1, ns);
  };
  if (a.outer >= ThreadPool::global().threads())  // lines nest inline
    return parallel_chunks(call->rt, a.outer,
                           int64_t(double(a.outer * a.n) * ns), line);
  for (int64_t l = 0; l < a.outer; ++l)
    if (int status = line(l)) return status;
  return kOk;
}

template <class T, class A, class Op>
int scan_lines(const KernelCall* call, const CumulativeAttrs& a, double ns) {
  if (a.n > kScanBlock) return scan_long<T, A, Op>(call, a, ns);
  auto* x = static_cast<const T*>(call->in[0]);
  auto* y = static_cast<T*>(call->out[0]);
  int64_t lines = std::max<int64_t>(1, kScanBlock / a.n);
  constexpr A kIdentity = Op::template identity<A>();
  return parallel_chunks(call->rt, (a.outer + lines - 1) / lines,
                         int64_t(double(a.outer * a.n) * ns), [&](int64_t c) {
                           int64_t end = std::min(a.outer, (c + 1) * lines);
                           for (int64_t l = c * lines; l < end; ++l) {
                             int64_t at = l * a.n + (a.reverse ? a.n - 1 : 0);
                             A carry = kIdentity;
                             scan_stretch<T, A, Op>(x + at, y + at, a.n,
                                                    a.reverse ? -1 : 1, &carry,
                                                    kIdentity);
                           }
                         });
}

template <class T, class A, class Op>
int scan_sequences(const KernelCall* call, const CumulativeAttrs& a,
                   double ns) {
  auto* x = static_cast<const T*>(call->in[0]);
  auto* y = static_cast<T*>(call->out[0]);
  int64_t lines = std::max<int64_t>(1, 4096 / a.n);
  return parallel_chunks(call->rt, (a.outer + lines - 1) / lines,
                         int64_t(double(a.outer * a.n) * ns), [&](int64_t c) {
                           int64_t step = a.reverse ? -1 : 1;
                           int64_t end = std::min(a.outer, (c + 1) * lines);
                           for (int64_t l = c * lines; l < end; ++l) {
                             int64_t at = l * a.n + (a.reverse ? a.n - 1 : 0);
                             A sum = load_as<A>(x[at]);
                             y[at] = store_as<T>(sum);
                             for (int64_t i = 1; i < a.n; ++i) {
                               at += step;
                               Op::apply(A(sum), load_as<A>(x[at]), sum);
                               y[at] = store_as<T>(sum);
                             }
                           }
                         });
}

// ---- Columns
// ----------------------------------------------------------------------

// `width` columns from x, y on; rows are `stride` apart (negative: backwards).
template <class T, class A, class Op>
COTAN_MULTIVERSION_AVX2 void scan_columns(const T* x, T* y, int64_t n,
                                          int64_t stride, int64_t width,
                                          A* sums) {
  for (int64_t j = 0; j < width; ++j) {
    sums[j] = load_as<A>(x[j]);
    y[j] = store_as<T>(sums[j]);
  }
  for (int64_t i = 1; i < n; ++i) {
    x += stride;
    y += stride;
#pragma GCC ivdep
    for (int64_t j = 0; j < width; ++j) {
      A sum;
      Op::apply(sums[j], load_as<A>(x[j]), sum);
      sums[j] = sum;
      y[j] = store_as<T>(sum);
    }
  }
}

template <class T, class A, class Op>
int scan_all_columns(const KernelCall* call, const CumulativeAttrs& a,
                     double ns) {
  auto* x = static_cast<const T*>(call->in[0]);
  auto* y = static_cast<T*>(call->out[0]);
  constexpr int64_t kWidth = 1024;
  int64_t pieces = (a.inner + kWidth - 1) / kWidth;
  return parallel_chunks(
      call->rt, a.outer * pieces, int64_t(double(a.outer * a.n * a.inner) * ns),
      [&](int64_t c) {
        A sums[kWidth];
        int64_t j = c % pieces * kWidth;
        int64_t at = c / pieces * a.n * a.inner + j +
                     (a.reverse ? (a.n - 1) * a.inner : 0);
        scan_columns<T, A, Op>(x + at, y + at, a.n,
                               a.reverse ? -a.inner : a.inner,
                               std::min(kWidth, a.inner - j), sums);
      });
}

// ---- Dispatch
// -----------------------------------------------------------------------

template <class T, class A, class Op>
int run_vector(const KernelCall* call, const CumulativeAttrs& a) {
  double ns = sizeof(T) == sizeof(A) ? 0.3 : 1.5;
  return a.inner == 1 ? scan_lines<T, A, Op>(call, a, ns)
                      : scan_all_columns<T, A, Op>(call, a, ns);
}
template <class T, class A, class Op>
int run_scalar(const KernelCall* call, const CumulativeAttrs& a) {
  double ns = std::same_as<Op, LogAddExp> ? 12 : 1.5;
  return a.inner == 1 ? scan_sequences<T, A, Op>(call, a, ns)
                      : scan_all_columns<T, A, Op>(call, a, ns);
}

int wrong_kind(const KernelCall* call) {
  return call->rt->fail(call->rt,
                        "[cumulative] logsumexp needs a floating-point dtype");
}

template <class T>
int run_type(const KernelCall* call, const CumulativeAttrs& a) {
  using K = Cumulative;
  if constexpr (std::same_as<T, Complex<float>> ||
                std::same_as<T, Complex<double>>) {
    switch (a.kind) {
      case K::sum:
        return run_scalar<T, T, Sum>(call, a);
      case K::prod:
        return run_scalar<T, T, ComplexProd>(call, a);
      case K::max:
        return run_scalar<T, T, ComplexExtremum<true>>(call, a);
      case K::min:
        return run_scalar<T, T, ComplexExtremum<false>>(call, a);
      case K::logsumexp:
        break;
    }
    return wrong_kind(call);
  } else if constexpr (std::same_as<T, bool>) {
    bool is_or = a.kind == K::sum || a.kind == K::max;
    if (a.kind == K::logsumexp) return wrong_kind(call);
    return is_or ? run_vector<T, uint32_t, Max>(call, a)
                 : run_vector<T, uint32_t, Min>(call, a);
  } else if constexpr (std::integral<T>) {
    // Narrow integers go through 32 bits, which halves the code; sums and
    // products wrap, so their sign does not matter.
    using U = std::make_unsigned_t<T>;
    using A = std::conditional_t<
        sizeof(T) == 8, T,
        std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>>;
    using B = std::make_unsigned_t<A>;
    switch (a.kind) {
      case K::sum:
        return run_vector<U, B, Sum>(call, a);
      case K::prod:
        return run_vector<U, B, Prod>(call, a);
      case K::max:
        return run_vector<T, A, Max>(call, a);
      case K::min:
        return run_vector<T, A, Min>(call, a);
      case K::logsumexp:
        break;
    }
    return wrong_kind(call);
  } else {
    using A = std::conditional_t<std::same_as<T, double>, double, float>;
    switch (a.kind) {
      case K::sum:
        return run_vector<T, A, Sum>(call, a);
      case K::prod:
        return run_vector<T, A, Prod>(call, a);
      case K::max:
        return run_vector<T, A, Max>(call, a);
      case K::min:
        return run_vector<T, A, Min>(call, a);
      case K::logsumexp:
        return run_scalar<T, A, LogAddExp>(call, a);
    }
    return kFailed;
  }
}

}  // namespace

int cumulative_kernel(const KernelCall* call) {
  auto a = decode_attrs<CumulativeAttrs>(call->attrs);
  if (a.outer * a.n * a.inner == 0) return kOk;
  try {
    return visit_dtype(a.dtype,
                       [&]<class T>() { return run_type<T>(call, a); });
  } catch (const std::exception& e) {
    return call->rt->fail(call->rt, e.what());
  }
}

}  // namespace cotan
