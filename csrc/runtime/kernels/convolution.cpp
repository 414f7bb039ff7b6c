// The convolution kernel. In f32 and f64 it is a matrix product over patches
// that are laid out block by block, in cache, and never as a whole: X is
// [position, K] or [K, position], whichever the operand's memory is copied
// into by runs, K = taps and channels. Other dtypes, and groups too small for
// a product, go by loops over rows. Start at convolution_kernel.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "base/error.h"
#include "ir/window_attrs.h"
#include "runtime/kernels/isa.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/products.h"
#include "runtime/kernels/scratch.h"
#include "runtime/thread_pool.h"

namespace cotan {
namespace {

constexpr int64_t kBlockBytes = 1 << 18;  // of patches: half of a small L2
constexpr int64_t kDepth = 1024;          // of a product
constexpr int64_t kTapDepth = 256;        // the same, for long rows of taps
constexpr double kFlopsPerNs = 40;
constexpr int64_t kShortRun = 6;  // shorter runs are not worth a copy each

// An axis of positions or of K, with its steps in two arrays.
struct Loop {
  int64_t size;
  int64_t step;  // in out, or in rhs
};

struct Geometry {
  const ConvolutionAttrs& a;
  size_t rank;  // spatial
  // place[d][i * kernel + k]: offset in lhs of tap k at position i, or -1
  std::vector<std::vector<int64_t>> place;
  int64_t positions = 1, taps = 1;  // spatial ones
  Dims out_spatial, rhs_spatial;    // strides

  explicit Geometry(const ConvolutionAttrs& attrs)
      : a(attrs), rank(attrs.in_size.size()), place(rank) {
    for (size_t d = 0; d < rank; ++d) {
      positions *= a.out_size[d];
      taps *= a.kernel_size[d];
      out_spatial.push_back(a.out_strides[3 + d]);
      rhs_spatial.push_back(a.rhs_strides[3 + d]);
      for (int64_t i = 0; i < a.out_size[d]; ++i)
        for (int64_t k = 0; k < a.kernel_size[d]; ++k) {
          int64_t at = i * a.strides[d] + k * a.rhs_dilation[d] - a.low[d];
          bool inside = at >= 0 && at % a.lhs_dilation[d] == 0 &&
                        at / a.lhs_dilation[d] < a.in_size[d];
          place[d].push_back(
              inside ? at / a.lhs_dilation[d] * a.lhs_strides[3 + d] : -1);
        }
    }
  }
  // Offset in lhs of tap `tap` at spatial position `at`, -1 if outside.
  int64_t offset(int64_t at, int64_t tap) const {
    int64_t sum = 0;
    for (size_t d = rank; d-- > 0;) {
      int64_t i = at % a.out_size[d], k = tap % a.kernel_size[d];
      at /= a.out_size[d];
      tap /= a.kernel_size[d];
      int64_t p = place[d][size_t(i * a.kernel_size[d] + k)];
      if (p < 0) return -1;
      sum += p;
    }
    return sum;
  }
  static int64_t unravel(int64_t i, const Dims& sizes, const Dims& strides) {
    int64_t at = 0;
    for (size_t d = sizes.size(); d-- > 0; i /= sizes[d])
      at += i % sizes[d] * strides[d];
    return at;
  }
  // One step of the last dimension of positions or taps at a time: what the
  // others add to an offset in lhs, or -1. `at` and `tap` count without it.
  int64_t outer_offset(int64_t at, int64_t tap) const {
    int64_t sum = 0;
    for (size_t d = rank - 1; d-- > 0;) {
      int64_t i = at % a.out_size[d], k = tap % a.kernel_size[d];
      at /= a.out_size[d];
      tap /= a.kernel_size[d];
      int64_t p = place[d][size_t(i * a.kernel_size[d] + k)];
      if (p < 0) return -1;
      sum += p;
    }
    return sum;
  }
  // Positions of the last dimension, of [first, first + n), whose tap `k` is
  // an element: every `every`-th from lo on, `step` apart in lhs from `from`.
  struct Run {
    int64_t lo = 0, hi = 0, every = 1, from = 0, step = 0;
  };
  Run last_run(int64_t first, int64_t n, int64_t k) const {
    size_t d = rank - 1;
    int64_t stride = a.strides[d], dilation = a.lhs_dilation[d];
    int64_t shift = k * a.rhs_dilation[d] - a.low[d] + first * stride;
    auto index = [&](int64_t i) { return i * stride + shift; };
    int64_t end = (a.in_size[d] - 1) * dilation;  // inclusive
    if (end < shift) return {};
    auto steps = [stride](int64_t x) { return stride == 1 ? x : x / stride; };
    Run r;
    r.lo = shift < 0 ? steps(-shift + stride - 1) : 0;
    r.hi = std::min(n, steps(end - shift) + 1);
    if (dilation > 1) {
      r.every = dilation / std::gcd(dilation, stride);
      while (r.lo < r.hi && index(r.lo) % dilation != 0) ++r.lo;
    }
    if (r.lo >= r.hi) return {};
    int64_t unit = a.lhs_strides[3 + d];
    r.from = index(r.lo) * unit, r.step = r.every * stride * unit;
    if (dilation > 1) r.from /= dilation, r.step /= dilation;
    return r;
  }
  int64_t last_out() const { return rank ? a.out_size[rank - 1] : 1; }
  int64_t last_kernel() const { return rank ? a.kernel_size[rank - 1] : 1; }
  int64_t out_offset(int64_t at) const {
    return unravel(at, a.out_size, out_spatial);
  }
  int64_t rhs_offset(int64_t tap) const {
    return unravel(tap, a.kernel_size, rhs_spatial);
  }
};

// The step of nested loops, outermost first, that run over equal steps; 0 if
// they do not.
int64_t uniform_step(std::initializer_list<const std::vector<Loop>*> lists) {
  std::vector<Loop> all;
  for (auto* list : lists)
    for (const Loop& l : *list)
      if (l.size > 1) all.push_back(l);
  if (all.empty()) return 1;
  int64_t extent = all.back().step;
  for (size_t i = all.size(); i-- > 0;) {
    if (all[i].step != extent) return 0;
    extent *= all[i].size;
  }
  return all.back().step;
}

// What runs of a patch are along: channels (and taps), taps, batch, positions.
enum class Inner { channel, tap, batch, row };

template <class T>
class ByProducts {
 public:
  ByProducts(const KernelCall* call, const Geometry& g)
      : call_(call), g_(g), a_(g.a) {
    const Dims& l = a_.lhs_strides;
    inner_ = l[2] == 1 && a_.in_channels > 1      ? Inner::channel
             : l[0] == 1 && a_.batch >= kShortRun ? Inner::batch
                                                  : Inner::row;
    if (inner_ == Inner::row && g_.rank > 0 && l[2 + g_.rank] != 1 && l[2] == 1)
      inner_ = Inner::channel;
    // The gradient of weights: few positions, each with long rows of taps.
    if (inner_ == Inner::row && g.rank > 0 &&
        g.last_out() < std::min<int64_t>(g.last_kernel(), 16) &&
        a_.rhs_dilation[g.rank - 1] == 1 && a_.lhs_dilation[g.rank - 1] == 1)
      inner_ = Inner::tap;
    depth_ = g.taps * a_.in_channels;
    count_ = g.positions * a_.batch;
    period_ = std::max<int64_t>(depth_, 1);
    find_weights();
    find_result();
    block_k_ = std::min(period_, inner_ == Inner::tap ? kTapDepth : kDepth);
    block_p_ = std::clamp<int64_t>(
        kBlockBytes / int64_t(sizeof(T)) / std::max<int64_t>(block_k_, 1), 32,
        4096);
    block_p_ = std::min(block_p_ / 32 * 32, count_);
    balance();
    make_products();
  }

  int run() {
    int64_t blocks = (count_ + block_p_ - 1) / block_p_;
    double flops = 2.0 * double(count_) * double(depth_) *
                   double(a_.out_channels) * double(a_.groups);
    std::atomic<bool> failed{false};
    int s =
        parallel_chunks(call_->rt, a_.groups * blocks,
                        int64_t(flops / kFlopsPerNs) + 1000, [&](int64_t c) {
                          try {
                            run_block(c / blocks, c % blocks * block_p_);
                          } catch (...) {
                            failed = true;
                          }
                        });
    if (failed) throw std::bad_alloc();
    return s;
  }

 private:
  bool position_major() const {
    return inner_ == Inner::channel || inner_ == Inner::tap;
  }
  bool channel_last() const { return inner_ == Inner::channel; }  // in K
  // As many blocks as threads, or a multiple, where there are few.
  void balance() {
    int64_t threads = ThreadPool::global().threads();
    int64_t blocks = (count_ + block_p_ - 1) / std::max<int64_t>(block_p_, 1);
    if (threads == 1 || a_.groups * blocks >= 4 * threads) return;
    blocks = (blocks + threads - 1) / threads * threads;
    int64_t unit = inner_ == Inner::batch ? a_.batch : 1;
    int64_t size = (count_ + blocks - 1) / blocks;
    size = (size + unit - 1) / unit * unit;
    if (size >= 8) block_p_ = std::min(size, block_p_);
  }
  // The block of K that starts at k; none crosses a multiple of period_.
  int64_t block_depth(int64_t k) const {
    return std::min({block_k_, period_ - k % period_, depth_ - k});
  }

  // rhs of a group as [K, out channel] by two steps, or a copy.
  void find_weights() {
    const Dims& r = a_.rhs_strides;
    std::vector<Loop> taps, channel = {{a_.in_channels, r[2]}};
    for (size_t d = 0; d < g_.rank; ++d)
      taps.push_back({a_.kernel_size[d], r[3 + d]});
    w_k_ = channel_last() ? uniform_step({&taps, &channel})
                          : uniform_step({&channel, &taps});
    w_o_ = r[0];
    w_group_ = r[1];
    weights_ = static_cast<const T*>(call_->in[1]);
    w_channel_ = w_k_ * g_.taps;
    if (w_k_ != 0 && (w_k_ == 1 || w_o_ == 1)) return;
    if (int64_t step = uniform_step({&taps});
        inner_ == Inner::tap && step != 0 && (step == 1 || w_o_ == 1)) {
      w_k_ = step;
      w_channel_ = r[2];
      period_ = g_.taps;  // channels one by one
      return;
    }
    copy_.resize(size_t(a_.groups * depth_ * a_.out_channels));
    T* to = copy_.data();
    for (int64_t g = 0; g < a_.groups; ++g)
      for (int64_t k = 0; k < depth_; ++k) {
        int64_t tap = channel_last() ? k / a_.in_channels : k % g_.taps;
        int64_t c = channel_last() ? k % a_.in_channels : k / g_.taps;
        const T* from = weights_ + g * r[1] + c * r[2] + g_.rhs_offset(tap);
        for (int64_t o = 0; o < a_.out_channels; ++o) *to++ = from[o * r[0]];
      }
    weights_ = copy_.data();
    w_k_ = a_.out_channels;
    w_o_ = 1;
    w_group_ = depth_ * a_.out_channels;
    w_channel_ = w_k_ * g_.taps;
  }
  const T* weights_at(int64_t group, int64_t k) const {
    const T* w = weights_ + group * w_group_;
    if (period_ >= depth_) return w + k * w_k_;
    return w + k / g_.taps * w_channel_ + k % g_.taps * w_k_;
  }

  // How the product can be written in place: [position, channel] or [channel,
  // position]; else through a copy of the block.
  void find_result() {
    const Dims& s = a_.out_strides;
    std::vector<Loop> batch = {{a_.batch, s[0]}}, spatial;
    for (size_t d = 0; d < g_.rank; ++d)
      spatial.push_back({a_.out_size[d], s[3 + d]});
    pitch_ = inner_ == Inner::batch ? uniform_step({&spatial, &batch})
                                    : uniform_step({&batch, &spatial});
    rows_are_positions_ = s[2] == 1 || a_.out_channels == 1;
    in_place_ = rows_are_positions_ ? pitch_ != 0 : pitch_ == 1;
    if (!in_place_) rows_are_positions_ = true;
  }

  int64_t batch_of(int64_t p) const {
    return inner_ == Inner::batch ? p % a_.batch : p / g_.positions;
  }
  int64_t spatial_of(int64_t p) const {
    return inner_ == Inner::batch ? p / a_.batch : p % g_.positions;
  }
  int64_t result_offset(int64_t p) const {
    return batch_of(p) * a_.out_strides[0] + g_.out_offset(spatial_of(p));
  }

  // ---- patches

  // [position][K], K = (tap, channel) or (channel, tap). In both a row of K is
  // the taps of the last dimension, each of `each` elements, with one offset.
  void position_rows(const T* x, int64_t p0, int64_t np, int64_t k0, int64_t nk,
                     T* to) const {
    int64_t each = channel_last() ? a_.in_channels : 1;
    int64_t length = g_.last_kernel() * each, width = g_.last_out();
    int64_t outer_taps = g_.taps / g_.last_kernel();
    std::vector<int64_t> offsets;  // of the rows from k0's on, or -1
    for (int64_t p = p0; p < p0 + np; ++p, to += nk) {
      int64_t at = spatial_of(p);
      if (p == p0 || at % width == 0) {
        offsets.clear();
        for (int64_t r = k0 / length; r * length < k0 + nk; ++r) {
          int64_t tap = r % outer_taps;
          int64_t off = g_.rank ? g_.outer_offset(at / width, tap) : 0;
          if (off >= 0 && !channel_last())
            off += r / outer_taps * a_.lhs_strides[2];
          offsets.push_back(off);
        }
      }
      const T* image = x + batch_of(p) * a_.lhs_strides[0];
      T* end = to;
      for (size_t r = 0; r < offsets.size(); ++r) {
        int64_t start = (k0 / length + int64_t(r)) * length;
        int64_t lo = std::max(k0 - start, int64_t(0));
        int64_t hi = std::min(k0 + nk - start, length);
        if (offsets[r] < 0)
          std::fill_n(end, hi - lo, T(0));
        else
          taps_run(image + offsets[r], at % width, each, lo, hi, end);
        end += hi - lo;
      }
    }
  }
  // Elements [lo, hi) of a row of taps at position i of the last dimension.
  void taps_run(const T* from, int64_t i, int64_t each, int64_t lo, int64_t hi,
                T* to) const {
    int64_t cs = channel_last() ? a_.lhs_strides[2] : 1;
    size_t d = g_.rank - 1;
    if (g_.rank && a_.lhs_dilation[d] == 1 && a_.rhs_dilation[d] == 1 &&
        cs == 1 && a_.lhs_strides[3 + d] == each) {  // one run
      int64_t first = (i * a_.strides[d] - a_.low[d]) * each;
      int64_t begin = std::clamp(-first, lo, hi);
      int64_t end = std::clamp(a_.in_size[d] * each - first, begin, hi);
      std::fill(to, to + (begin - lo), T(0));
      std::memcpy(to + (begin - lo), from + first + begin,
                  size_t(end - begin) * sizeof(T));
      std::fill(to + (end - lo), to + (hi - lo), T(0));
      return;
    }
    if (g_.rank && each == 1 && a_.lhs_dilation[d] == 1 &&
        a_.rhs_dilation[d] == 1) {
      int64_t first = i * a_.strides[d] - a_.low[d];
      int64_t begin = std::clamp(-first, lo, hi), step = a_.lhs_strides[3 + d];
      int64_t end = std::clamp(a_.in_size[d] - first, begin, hi);
      std::fill(to, to + (begin - lo), T(0));
      for (int64_t k = begin; k < end; ++k)
        to[k - lo] = from[(first + k) * step];
      std::fill(to + (end - lo), to + (hi - lo), T(0));
      return;
    }
    for (int64_t k = lo; k < hi;) {
      int64_t tap = k / each, c = k % each, n = std::min(each - c, hi - k);
      int64_t off =
          g_.rank ? g_.place[d][size_t(i * g_.last_kernel() + tap)] : 0;
      const T* run = from + off + c * cs;
      if (off < 0)
        std::fill_n(to, n, T(0));
      else if (cs == 1)
        std::memcpy(to, run, size_t(n) * sizeof(T));
      else
        for (int64_t j = 0; j < n; ++j) to[j] = run[j * cs];
      to += n;
      k += n;
    }
  }

  // [K][position], K = (channel, tap)
  void depth_rows(const T* x, int64_t p0, int64_t np, int64_t k0, int64_t nk,
                  T* to) const {
    if (inner_ == Inner::batch && g_.rank)
      return batch_rows(x, p0, np, k0, nk, to);
    int64_t width = inner_ == Inner::batch ? a_.batch
                    : g_.rank              ? a_.out_size[g_.rank - 1]
                                           : 1;
    for (int64_t k = k0; k < k0 + nk; ++k, to += np) {
      const T* channel = x + k / g_.taps * a_.lhs_strides[2];
      int64_t tap = k % g_.taps;
      for (int64_t p = p0; p < p0 + np;) {
        int64_t first = p % width, n = std::min(width - first, p0 + np - p);
        T* run = to + (p - p0);
        if (inner_ == Inner::batch)
          batch_run(channel, p / width, tap, first, n, run);
        else
          row_run(channel, p, tap, first, n, run);
        p += n;
      }
    }
  }
  // The same for runs along the batch: a row of taps has one outer offset.
  void batch_rows(const T* x, int64_t p0, int64_t np, int64_t k0, int64_t nk,
                  T* to) const {
    int64_t kernel = g_.last_kernel(), width = g_.last_out();
    int64_t step = a_.lhs_strides[0];
    for (int64_t p = p0; p < p0 + np;) {
      int64_t at = p / a_.batch, first = p % a_.batch;
      int64_t n = std::min(a_.batch - first, p0 + np - p);
      const int64_t* place =
          &g_.place[g_.rank - 1][size_t(at % width * kernel)];
      for (int64_t k = k0; k < k0 + nk;) {
        int64_t tap = k % g_.taps, column = tap % kernel;
        int64_t m = std::min(kernel - column, k0 + nk - k);
        int64_t rest = g_.outer_offset(at / width, tap / kernel);
        const T* from = x + k / g_.taps * a_.lhs_strides[2] + first * step;
        T* run = to + (k - k0) * np + (p - p0);
        for (int64_t j = 0; j < m; ++j, run += np) {
          int64_t off = rest < 0 ? -1 : place[column + j];
          copy_run(off < 0 ? nullptr : from + rest + off, step, n, run);
        }
        k += m;
      }
      p += n;
    }
  }
  // n elements, `step` apart; zeros from null.
  static void copy_run(const T* from, int64_t step, int64_t n, T* to) {
    if (!from)
      std::fill_n(to, n, T(0));
    else if (step == 1)
      std::memcpy(to, from, size_t(n) * sizeof(T));
    else
      for (int64_t i = 0; i < n; ++i) to[i] = from[i * step];
  }
  void batch_run(const T* x, int64_t at, int64_t tap, int64_t first, int64_t n,
                 T* to) const {
    int64_t off = g_.offset(at, tap), step = a_.lhs_strides[0];
    copy_run(off < 0 ? nullptr : x + off + first * step, step, n, to);
  }
  // Positions first.. of a row of the last spatial dimension.
  void row_run(const T* x, int64_t p, int64_t tap, int64_t first, int64_t n,
               T* to) const {
    const T* image = x + batch_of(p) * a_.lhs_strides[0];
    if (g_.rank == 0) return std::fill_n(to, n, image[0]), void();
    int64_t width = g_.last_out(), kernel = g_.last_kernel();
    int64_t rest = g_.outer_offset(spatial_of(p) / width, tap / kernel);
    if (rest < 0) return std::fill_n(to, n, T(0)), void();
    auto r = g_.last_run(first, n, tap % kernel);
    const T* from = image + rest + r.from;
    if (r.every > 1) {
      std::fill_n(to, n, T(0));
      for (int64_t i = r.lo; i < r.hi; i += r.every, from += r.step)
        to[i] = *from;
      return;
    }
    std::fill(to, to + r.lo, T(0));
    if (r.step == 1)
      std::memcpy(to + r.lo, from, size_t(r.hi - r.lo) * sizeof(T));
    else
      for (int64_t i = r.lo; i < r.hi; ++i) to[i] = from[(i - r.lo) * r.step];
    std::fill(to + r.hi, to + n, T(0));
  }

  // ---- one block of positions of one group

  void run_block(int64_t group, int64_t p0) {
    int64_t np = std::min(block_p_, count_ - p0), out = a_.out_channels;
    const T* x =
        static_cast<const T*>(call_->in[0]) + group * a_.lhs_strides[1];
    T* y = static_cast<T*>(call_->out[0]) + group * a_.out_strides[1];
    ScratchBlock<T> patches(call_->rt, np * block_k_);
    std::optional<ScratchBlock<T>> result;
    T* c = y;
    if (in_place_) {
      c += rows_are_positions_ ? p0 * pitch_ : p0;
    } else {
      result.emplace(call_->rt, np * out);
      c = result->get();
    }
    int64_t nk = 0;
    for (int64_t k = 0; k == 0 || k < depth_; k += std::max<int64_t>(nk, 1)) {
      nk = block_depth(k);
      if (position_major())
        position_rows(x, p0, np, k, nk, patches.get());
      else
        depth_rows(x, p0, np, k, nk, patches.get());
      multiply(patches.get(), np, nk, weights_at(group, k), c, k > 0);
    }
    if (in_place_) return;
    for (int64_t p = 0; p < np; ++p) {
      T* to = y + result_offset(p0 + p);
      for (int64_t o = 0; o < out; ++o)
        to[o * a_.out_strides[2]] = c[p * out + o];
    }
  }

  Product product_of(int64_t np, int64_t nk, bool accumulate) const {
    int64_t x_p = position_major() ? nk : 1, x_k = position_major() ? 1 : np;
    Product p;
    p.dtype = sizeof(T) == 8 ? DType::f64 : DType::f32;
    p.k = nk;
    p.accumulate = accumulate;
    if (rows_are_positions_) {
      p.m = np, p.n = a_.out_channels;
      p.a_row = x_p, p.a_k = x_k, p.b_k = w_k_, p.b_col = w_o_;
      p.c_row = in_place_ ? pitch_ : a_.out_channels;
    } else {
      p.m = a_.out_channels, p.n = np;
      p.a_row = w_o_, p.a_k = w_k_, p.b_k = x_k, p.b_col = x_p;
      p.c_row = a_.out_strides[2];
    }
    return p;
  }

  // Products may have to be compiled, which is for the caller's thread: the
  // workers find all of them made.
  void make_products() {
    int64_t tail = count_ % block_p_;
    for (int64_t np : {block_p_, tail ? tail : block_p_})
      for (int64_t k = 0, nk = 0; k == 0 || k < depth_;
           k += std::max<int64_t>(nk, 1)) {
        nk = block_depth(k);
        if (find(np, nk, k > 0)) continue;
        products_.push_back(
            {np, nk, k > 0, make_product(product_of(np, nk, k > 0))});
      }
  }
  const ProductRunner* find(int64_t np, int64_t nk, bool accumulate) const {
    for (const Made& m : products_)
      if (m.np == np && m.nk == nk && m.accumulate == accumulate)
        return m.runner.get();
    return nullptr;
  }

  void multiply(const T* x, int64_t np, int64_t nk, const T* w, T* c,
                bool accumulate) const {
    const void *left = x, *right = w;
    if (!rows_are_positions_) std::swap(left, right);
    const ProductRunner* product = find(np, nk, accumulate);
    ScratchBlock<char> scratch(call_->rt, product->scratch_bytes());
    product->run(left, right, c, scratch.get());
  }

  struct Made {
    int64_t np, nk;
    bool accumulate;
    std::shared_ptr<const ProductRunner> runner;
  };
  const KernelCall* call_;
  const Geometry& g_;
  const ConvolutionAttrs& a_;
  Inner inner_;
  int64_t depth_, count_, block_k_, block_p_;
  int64_t period_;  // of K: where its step in the weights is uniform
  std::vector<T> copy_;
  const T* weights_;
  int64_t w_k_, w_o_, w_group_, w_channel_;
  int64_t pitch_;
  bool rows_are_positions_, in_place_;
  std::vector<Made> products_;
};

// ---- loops over rows

template <class T>
auto widened(T x) {
  if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>)
    return to_float(x);
  else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
    return uint64_t(x);  // sums wrap
  else
    return x;
}
template <class T, class W>
T narrowed(W x) {
  if constexpr (std::is_same_v<T, f16_t>)
    return to_f16(x);
  else if constexpr (std::is_same_v<T, bf16_t>)
    return to_bf16(x);
  else
    return T(x);
}
template <class W>
W multiply_add(W sum, W x, W y) {
  if constexpr (std::is_same_v<W, bool>)
    return sum || (x && y);
  else
    return sum + x * y;
}

// sums[i * every] += x[i * step] * f for i < n
template <class T, class W>
COTAN_INLINE void add_row(W* sums, int64_t n, int64_t every, const T* x,
                          int64_t step, W f) {
  if (every == 1 && step == 1) {
    for (int64_t i = 0; i < n; ++i)
      sums[i] = multiply_add<W>(sums[i], widened(x[i]), f);
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    sums[i * every] = multiply_add<W>(sums[i * every], widened(x[i * step]), f);
}
template <class T, class W>
void add_scaled(W* sums, int64_t n, int64_t every, const T* x, int64_t step,
                W f) {
  add_row(sums, n, every, x, step, f);
}
COTAN_MULTIVERSION void add_scaled(float* sums, int64_t n, int64_t every,
                                   const float* x, int64_t step, float f) {
  add_row(sums, n, every, x, step, f);
}
COTAN_MULTIVERSION void add_scaled(double* sums, int64_t n, int64_t every,
                                   const double* x, int64_t step, double f) {
  add_row(sums, n, every, x, step, f);
}

// out[0, n) of a row that holds one position in each dimension but the last.
template <class T>
struct Rows {
  const KernelCall* call;
  const Geometry& g;

  // Items: (batch, group, channel, all spatial dimensions but the last).
  void run(int64_t item) const {
    using W = decltype(widened(T()));
    const ConvolutionAttrs& a = g.a;
    size_t d = g.rank - 1;
    int64_t width = g.rank ? a.out_size[d] : 1;
    int64_t outer = g.positions / width;
    int64_t at = item % outer * width, rest = item / outer;
    int64_t o = rest % a.out_channels;
    rest /= a.out_channels;
    int64_t group = rest % a.groups, n = rest / a.groups;
    auto* x = static_cast<const T*>(call->in[0]) + n * a.lhs_strides[0] +
              group * a.lhs_strides[1];
    auto* w = static_cast<const T*>(call->in[1]) + o * a.rhs_strides[0] +
              group * a.rhs_strides[1];
    auto* y = static_cast<T*>(call->out[0]) + n * a.out_strides[0] +
              group * a.out_strides[1] + o * a.out_strides[2] +
              g.out_offset(at);
    auto sums = std::make_unique<W[]>(size_t(width));
    for (int64_t tap = 0; tap < g.taps; ++tap) {
      int64_t rest =
          g.rank ? g.outer_offset(at / width, tap / g.last_kernel()) : 0;
      if (rest < 0) continue;
      Geometry::Run r{0, 1, 1, 0, 0};
      if (g.rank) r = g.last_run(0, width, tap % g.last_kernel());
      if (r.lo >= r.hi) continue;
      const T* weight = w + g.rhs_offset(tap);
      for (int64_t c = 0; c < a.in_channels; ++c)
        add_scaled(&sums[size_t(r.lo)], (r.hi - r.lo + r.every - 1) / r.every,
                   r.every, x + c * a.lhs_strides[2] + rest + r.from, r.step,
                   widened(weight[c * a.rhs_strides[2]]));
    }
    int64_t step = g.rank ? a.out_strides[3 + d] : 1;
    for (int64_t i = 0; i < width; ++i)
      y[i * step] = narrowed<T>(sums[size_t(i)]);
  }
};

template <class T>
int run_rows(const KernelCall* call, const Geometry& g) {
  const ConvolutionAttrs& a = g.a;
  int64_t width = g.rank ? a.out_size[g.rank - 1] : 1;
  int64_t items = a.batch * a.groups * a.out_channels * (g.positions / width);
  double ns = 1.5 * double(width * g.taps * a.in_channels) + 50;
  int64_t grain = std::max<int64_t>(1, int64_t(2e4 / ns));
  int64_t chunks = (items + grain - 1) / grain;
  Rows<T> rows{call, g};
  std::atomic<bool> failed{false};
  int s = parallel_chunks(
      call->rt, chunks, int64_t(ns * double(items)), [&](int64_t c) {
        try {
          for (int64_t i = c * grain; i < std::min(items, (c + 1) * grain); ++i)
            rows.run(i);
        } catch (...) {
          failed = true;
        }
      });
  if (failed) throw std::bad_alloc();
  return s;
}

// ---- one result a group, groups side by side (depthwise, channels last)

template <class T>
COTAN_INLINE void lanes_at(const Geometry& g, const T* x, const T* w, T* y,
                           int64_t at) {
  constexpr int64_t kBlock = 64;
  for (int64_t b = 0; b < g.a.groups; b += kBlock) {
    int64_t n = std::min(kBlock, g.a.groups - b);
    T sums[kBlock] = {};
    for (int64_t tap = 0; tap < g.taps; ++tap) {
      int64_t off = g.offset(at, tap);
      if (off < 0) continue;
      const T *p = x + off + b, *f = w + g.rhs_offset(tap) + b;
      for (int64_t c = 0; c < g.a.in_channels; ++c) {
        for (int64_t i = 0; i < n; ++i) sums[i] += p[i] * f[i];
        p += g.a.lhs_strides[2];
        f += g.a.rhs_strides[2];
      }
    }
    for (int64_t i = 0; i < n; ++i) y[b + i] = sums[i];
  }
}
COTAN_MULTIVERSION void lanes(const Geometry& g, const float* x, const float* w,
                              float* y, int64_t at) {
  lanes_at(g, x, w, y, at);
}
COTAN_MULTIVERSION void lanes(const Geometry& g, const double* x,
                              const double* w, double* y, int64_t at) {
  lanes_at(g, x, w, y, at);
}

template <class T>
int run_lanes(const KernelCall* call, const Geometry& g) {
  const ConvolutionAttrs& a = g.a;
  int64_t items = a.batch * g.positions;
  double ns =
      0.2 * double(a.groups * g.taps * a.in_channels) + 10.0 * double(g.taps);
  int64_t grain = std::max<int64_t>(1, int64_t(2e4 / ns));
  auto* x = static_cast<const T*>(call->in[0]);
  auto* w = static_cast<const T*>(call->in[1]);
  auto* y = static_cast<T*>(call->out[0]);
  return parallel_chunks(
      call->rt, (items + grain - 1) / grain, int64_t(ns * double(items)),
      [&](int64_t c) {
        for (int64_t i = c * grain; i < std::min(items, (c + 1) * grain); ++i) {
          int64_t n = i / g.positions, at = i % g.positions;
          lanes(g, x + n * a.lhs_strides[0], w,
                y + n * a.out_strides[0] + g.out_offset(at), at);
        }
      });
}

template <class T>
int run_floats(const KernelCall* call, const Geometry& g) {
  const ConvolutionAttrs& a = g.a;
  if (a.out_channels == 1 && a.lhs_strides[1] == 1 && a.rhs_strides[1] == 1 &&
      a.out_strides[1] == 1 && a.groups > 1)
    return run_lanes<T>(call, g);
  if (a.groups > 1 && a.in_channels * a.out_channels * g.taps < 128)
    return run_rows<T>(call, g);
  return ByProducts<T>(call, g).run();
}

}  // namespace

int convolution_kernel(const KernelCall* call) {
  auto a = decode_attrs<ConvolutionAttrs>(call->attrs);
  try {
    Geometry g(a);
    if (a.batch * a.groups * a.out_channels * g.positions == 0) return kOk;
    if (a.dtype == DType::f32) return run_floats<float>(call, g);
    if (a.dtype == DType::f64) return run_floats<double>(call, g);
    return visit_dtype(a.dtype, [&]<class T>() -> int {
      if constexpr (std::is_floating_point_v<T>)
        return kOk;
      else
        return run_rows<T>(call, g);
    });
  } catch (const std::exception& e) {
    return call->rt->fail(call->rt, e.what());
  }
}

// ---- products without a backend

namespace {

std::atomic<ProductFactory> factory{nullptr};

template <class T>
class PlainProduct final : public ProductRunner {
 public:
  explicit PlainProduct(const Product& p) : p_(p) {}
  int64_t scratch_bytes() const override { return 0; }
  void run(const void* a, const void* b, void* c, void*) const override {
    auto *x = static_cast<const T*>(a), *w = static_cast<const T*>(b);
    for (int64_t i = 0; i < p_.m; ++i) {
      T* row = static_cast<T*>(c) + i * p_.c_row;
      if (!p_.accumulate) std::fill(row, row + p_.n, T(0));
      for (int64_t k = 0; k < p_.k; ++k) {
        T f = x[i * p_.a_row + k * p_.a_k];
        for (int64_t j = 0; j < p_.n; ++j)
          row[j] += f * w[k * p_.b_k + j * p_.b_col];
      }
    }
  }

 private:
  Product p_;
};

}  // namespace

void set_product_factory(ProductFactory f) noexcept { factory.store(f); }

std::shared_ptr<const ProductRunner> make_product(const Product& p) {
  ProductFactory f = factory.load();
  if (auto made = f ? f(p) : nullptr) return made;
  if (p.dtype == DType::f64) return std::make_shared<PlainProduct<double>>(p);
  return std::make_shared<PlainProduct<float>>(p);
}

}  // namespace cotan
